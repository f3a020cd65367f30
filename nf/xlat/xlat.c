/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/xlat/xlat.h"

#include "kit/record/family.h"
#include "nf/xlat/xlat_int.h"

struct mr_l4_sum
xlat_sum_at(uint8_t proto)
{
	switch (proto) {
	case MR_IP_PROTO_TCP:
		return (struct mr_l4_sum){ 16, MR_SUM_PLAIN };
	case MR_IP_PROTO_UDP:
		return (struct mr_l4_sum){ 6, MR_SUM_UDP };
	case MR_IP_PROTO_UDPLITE:
	case MR_IP_PROTO_DCCP:
		return (struct mr_l4_sum){ 6, MR_SUM_PLAIN };
	case MR_IP_PROTO_ICMP:
	case MR_IP_PROTO_ICMP6:
		return (struct mr_l4_sum){ 2, MR_SUM_PLAIN };
	default:
		return (struct mr_l4_sum){ 0, MR_SUM_PLAIN };
	}
}

static uint64_t
sum_of(const uint8_t *address, unsigned size)
{
	uint64_t sum = 0;
	uint32_t word;

	for (unsigned i = 0; i < size; i += 4) {
		memcpy(&word, address + i, sizeof(word));
		sum += word;
	}
	return sum;
}

uint64_t
xlat_delta(const uint8_t *ip, bool six, const struct xlat_ends *to, bool icmp)
{
	unsigned from = six ? 16 : 4, into = six ? 4 : 16;
	const uint8_t *src = ip + (six ? 8 : 12);
	uint64_t delta = 0;

	if (!icmp || six) /* minus what was, word by word */
		delta += (uint64_t)(from / 2) * UINT32_MAX - sum_of(src, 2 * from);
	if (!icmp || !six)
		delta += sum_of(to->src, into) + sum_of(to->dst, into);
	return delta;
}

unsigned
xlat_head(uint8_t out[XLAT_HEAD_MAX], const struct xlat_part *part, bool six,
    const struct xlat_ends *to, const uint8_t *l4, unsigned payload)
{
	struct mr_ip4 four = { .version_ihl = 0x45, .tos = part->tos, .ttl = part->hops };
	struct mr_ip6 head6 = { .hop_limit = part->hops };
	struct mr_ip6_frag frag = { .reserved = 0 };
	uint8_t proto = part->proto;

	if (six && proto == MR_IP_PROTO_ICMP6)
		proto = MR_IP_PROTO_ICMP;
	else if (!six && proto == MR_IP_PROTO_ICMP)
		proto = MR_IP_PROTO_ICMP6;
	if (six) {
		four.proto = proto;
		four.total_len = mr_be16((uint16_t)(payload + 20));
		if (part->fragment) {
			four.id = mr_be16((uint16_t)part->id);
			four.frag = mr_be16((
			    uint16_t)(part->offset / 8 | (part->more ? MR_IP4_MORE_FRAGMENTS : 0)));
		} else if (payload + 20 > MR_FAMILY_CUT_MAX) {
			four.frag = mr_be16(MR_IP4_DONT_FRAGMENT);
		} else {
			four.id = mr_family_id(l4);
		}
		memcpy(&four.src, to->src, 4);
		memcpy(&four.dst, to->dst, 4);
		four.check = mr_checksum_ipv4_header(&four);
		memcpy(out, &four, sizeof(four));
		return sizeof(four);
	}
	head6.version_class_flow = mr_be32(6u << 28 | (uint32_t)part->tos << 20);
	head6.next = part->fragment ? MR_IP_PROTO_FRAGMENT : proto;
	head6.payload_len = mr_be16((uint16_t)(payload + (part->fragment ? sizeof(frag) : 0)));
	memcpy(head6.src, to->src, 16);
	memcpy(head6.dst, to->dst, 16);
	memcpy(out, &head6, sizeof(head6));
	if (!part->fragment)
		return sizeof(head6);
	frag.next = proto;
	frag.frag = mr_be16((uint16_t)(part->offset | (part->more ? MR_IP6_MORE_FRAGMENTS : 0)));
	frag.id = mr_be32(part->id);
	memcpy(out + sizeof(head6), &frag, sizeof(frag));
	return sizeof(head6) + sizeof(frag);
}

static uint64_t
port_delta(const struct xlat_part *part, const struct xlat_ends *to)
{
	if (part->kind == XLAT_ECHO)
		return mr_checksum_delta16(part->sport, to->sport);
	return mr_checksum_delta16(part->sport, to->sport) +
	    mr_checksum_delta16(part->dport, to->dport);
}

/* Ports, and the checksum of layer 4; the header is the new one already, the checksum right but for
 * addresses and ports. `l4` is where layer 4 is now. */
static void
finish(const struct xlat_pass *s, struct mr_packet *p, const struct xlat_part *part,
    const struct xlat_ends *to, unsigned l4, uint64_t delta)
{
	struct mr_l4_sum sum = xlat_sum_at(part->proto);
	uint64_t ports = 0;

	if (part->kind != XLAT_PORTS && part->kind != XLAT_ECHO)
		return;
	if (sum.offset)
		sum.offset = (uint16_t)(sum.offset + l4);
	if (part->kind == XLAT_ECHO && part->sport != to->sport) {
		ports = port_delta(part, to);
		mr_edit_set16(s->rec, p, l4 + 4, to->sport);
	} else if (part->kind == XLAT_PORTS &&
	    (part->sport != to->sport || part->dport != to->dport)) {
		ports = port_delta(part, to);
		mr_edit_set16(s->rec, p, l4, to->sport);
		mr_edit_set16(s->rec, p, l4 + 2, to->dport);
	}
	/* With a checksum left to the device, the ports are no part of what is there yet. */
	mr_edit_sum_l4(s->rec, p, sum, delta, true);
	if (ports)
		mr_edit_sum_l4(s->rec, p, sum, ports, false);
}

/* What a device still has to cut follows the family. */
static void
settle_offload(struct mr_packet *p, bool six)
{
	if (six && (p->flags & MR_PACKET_GSO_TCP6))
		p->flags ^= MR_PACKET_GSO_TCP6 | MR_PACKET_GSO_TCP4;
	else if (!six && (p->flags & MR_PACKET_GSO_TCP4))
		p->flags ^= MR_PACKET_GSO_TCP6 | MR_PACKET_GSO_TCP4;
	p->flags &= (uint16_t)~MR_PACKET_HASHED;
}

static void
set_type(const struct xlat_pass *s, struct mr_packet *p, unsigned l3, bool six)
{
	if (l3 >= sizeof(struct mr_eth))
		mr_edit_set16(s->rec, p, l3 - 2,
		    six ? mr_be16(MR_ETH_TYPE_IP4) : mr_be16(MR_ETH_TYPE_IP6));
}

/* IPv6 has no UDP without a checksum (RFC 7915, 4.5). The header is still the old one. */
static enum xlat_result
make_checksum(const struct xlat_pass *s, uint32_t packet, const struct xlat *x)
{
	struct mr_packet *p = mr_packet_at(s->buffers->base, packet);
	const struct xlat_part *o = &x->outer;
	const uint8_t *ip = mr_packet_bytes_const(p) + o->at;
	be16_t check, len;
	be32_t src, dst;
	uint64_t sum;

	memcpy(&check, mr_packet_bytes(p) + o->l4 + 6, sizeof(check));
	if (check)
		return XLAT_OK;
	if (o->more)
		return XLAT_NO_CHECKSUM;
	memcpy(&len, mr_packet_bytes(p) + o->l4 + 4, sizeof(len));
	if (mr_be16(len) < 8 || mr_be16(len) > o->payload)
		return XLAT_MALFORMED;
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	sum = mr_checksum_pseudo4(src, dst, MR_IP_PROTO_UDP, mr_be16(len));
	if (mr_checksum_add_chain(&sum, s->buffers, packet, o->l4, mr_be16(len)))
		return XLAT_MALFORMED;
	mr_record_uncacheable(s->rec, p, "UDP without a checksum");
	mr_edit_set16(s->rec, p, o->l4 + 6u, mr_checksum_finish_udp(sum));
	return XLAT_OK;
}

static enum xlat_result
write_plain(const struct xlat_pass *s, struct mr_packet *p, const struct xlat *x,
    const struct xlat_ends *to)
{
	const struct xlat_part *o = &x->outer;
	unsigned l3 = o->at, size = x->six ? 16 : 4, src = l3 + (x->six ? 8 : 12);
	uint64_t delta =
	    xlat_delta(mr_packet_bytes_const(p) + l3, x->six, to, o->kind == XLAT_ECHO);

	for (unsigned i = 0; i < 2 * size; i += 8)
		mr_guard(s->rec, p, src + i, 8, UINT64_MAX);
	if (o->kind == XLAT_ECHO)
		mr_guard(s->rec, p, o->l4 + 4u, 2, UINT64_MAX);
	else
		mr_guard(s->rec, p, o->l4, 4, UINT64_MAX);
	if (!mr_edit_family(s->rec, p, l3, x->six ? 4 : 6))
		return XLAT_NO_ROOM;
	set_type(s, p, l3, x->six);
	if (x->six) {
		mr_edit_set(s->rec, p, l3 + 12, to->src, 4);
		mr_edit_set(s->rec, p, l3 + 16, to->dst, 4);
		mr_edit_sum(s->rec, p, l3 + 10, sum_of(to->src, 4) + sum_of(to->dst, 4),
		    MR_SUM_PLAIN);
	} else {
		mr_edit_set(s->rec, p, l3 + 8, to->src, 16);
		mr_edit_set(s->rec, p, l3 + 24, to->dst, 16);
	}
	finish(s, p, o, to, l3 + (x->six ? 20 : 40), delta);
	settle_offload(p, x->six);
	return XLAT_OK;
}

/* Options, extension headers, fragments. */
static enum xlat_result
write_other(const struct xlat_pass *s, struct mr_packet *p, const struct xlat *x,
    const struct xlat_ends *to)
{
	const struct xlat_part *o = &x->outer;
	const uint8_t *bytes = mr_packet_bytes_const(p);
	unsigned was = (unsigned)(o->l4 - o->at), len;
	uint8_t head[XLAT_HEAD_MAX], first[8] = { 0 };
	uint64_t delta = 0;

	mr_record_uncacheable(s->rec, p,
	    "not a plain packet: a fragment, options, another protocol");
	memcpy(first, bytes + o->l4, MR_MIN((unsigned)p->len - o->l4, 8u));
	len = xlat_head(head, o, x->six, to, first, o->payload);
	if (len > was && mr_packet_headroom(p) < len - was)
		return XLAT_NO_ROOM;
	if (o->kind == XLAT_PORTS)
		delta = xlat_delta(bytes + o->at, x->six, to, false);
	else if (o->kind == XLAT_ECHO)
		delta = xlat_delta(bytes + o->at, x->six, to, true);
	if (len > was)
		(void)mr_edit_push(s->rec, p, o->at, len - was);
	else if (len < was)
		mr_edit_pop(s->rec, p, o->at, was - len);
	if (o->kind == XLAT_ECHO) {
		/* As kit/record/family.c has it of plain ones. */
		uint8_t type = x->six ? (o->reply ? MR_ICMP4_ECHO_REPLY : MR_ICMP4_ECHO)
				      : (o->reply ? MR_ICMP6_ECHO_REPLY : MR_ICMP6_ECHO);
		uint64_t more = mr_be16(MR_IP_PROTO_ICMP6) + mr_be16((uint16_t)o->payload);

		delta += mr_checksum_delta16((be16_t)o->type, (be16_t)type);
		delta += x->six ? 2u * UINT16_MAX - more : more;
		mr_edit_set(s->rec, p, o->at + len, &type, 1);
	}
	xlat_put(s->rec, p, o->at, head, len);
	set_type(s, p, o->at, x->six);
	finish(s, p, o, to, o->at + len, delta);
	settle_offload(p, x->six);
	return XLAT_OK;
}

enum xlat_result
xlat_write(const struct xlat_pass *s, uint32_t packet, const struct xlat *x,
    const struct xlat_to *to)
{
	struct mr_packet *p = mr_packet_at(s->buffers->base, packet);
	const struct xlat_part *o = &x->outer;
	enum xlat_result result;

	if (x->six ? o->payload + 20 > UINT16_MAX : o->payload + (o->fragment ? 8 : 0) > UINT16_MAX)
		return XLAT_NO_ROOM;
	if ((o->kind == XLAT_ECHO || o->kind == XLAT_ERROR) &&
	    (p->flags & MR_PACKET_CSUM_PARTIAL) && mr_checksum_complete(s->buffers, packet))
		return XLAT_MALFORMED;
	if (o->kind == XLAT_ERROR)
		return xlat_error(s, packet, x, to);
	/* Before the header is another: there may be no headroom for it. */
	if (!x->six && mr_packet_headroom(p) < XLAT_HEAD_MAX)
		return XLAT_NO_ROOM;
	if (!x->six && o->kind == XLAT_PORTS && o->proto == MR_IP_PROTO_UDP &&
	    (result = make_checksum(s, packet, x)))
		return result;
	if (x->plain && !o->fragment)
		return write_plain(s, p, x, &to->outer);
	return write_other(s, p, x, &to->outer);
}
