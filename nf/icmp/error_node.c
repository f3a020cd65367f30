/* SPDX-License-Identifier: Apache-2.0 */
/*
 * icmp-error: turns a packet into the error about it that its metadata asks for, in place:
 *
 *   | Ethernet | IP | ...            -->  | Ethernet | IP | ICMP | IP | ... as much as fits
 *
 * and sends it on to be forwarded as a packet of this router, back to its source. Whether one
 * may be sent at all, error_rules.c says; then come the limits (RFC 4443, 2.4 (f); RFC 1812, 4.3.2.8).
 */
#include <stdio.h>

#include "nf/icmp/icmp_int.h"
#include "nf/icmp/route_int.h"

static const struct mr_named drops[ICMP_ERROR_DROPS_COUNT] = {
#define X(id, name, doc) { name, doc },
	ICMP_ERROR_DROPS(X)
#undef X
};

/* Which drop reason an error stands for, and as what it is counted. */
static enum icmp_error_drop
reason4(uint8_t type, uint8_t code)
{
	static const uint8_t unreachable[] = {
		[0] = ICMP_ERROR_DROP_NO_ROUTE,
		[1] = ICMP_ERROR_DROP_HOST,
		[2] = ICMP_ERROR_DROP_PROTOCOL,
		[3] = ICMP_ERROR_DROP_PORT,
		[4] = ICMP_ERROR_DROP_TOO_BIG,
		[5] = ICMP_ERROR_DROP_SOURCE_ROUTE,
		[6] = ICMP_ERROR_DROP_NO_ROUTE,
		[7] = ICMP_ERROR_DROP_HOST,
		[8] = ICMP_ERROR_DROP_HOST,
		[9] = ICMP_ERROR_DROP_PROHIBITED,
		[10] = ICMP_ERROR_DROP_PROHIBITED,
		[11] = ICMP_ERROR_DROP_NO_ROUTE,
		[12] = ICMP_ERROR_DROP_HOST,
		[13] = ICMP_ERROR_DROP_PROHIBITED,
		[14] = ICMP_ERROR_DROP_PROHIBITED,
		[15] = ICMP_ERROR_DROP_PROHIBITED,
	};

	switch (type) {
	case MR_ICMP4_UNREACHABLE:
		return code < MR_ARRAY_COUNT(unreachable) ? unreachable[code]
							  : ICMP_ERROR_DROP_OTHER;
	case MR_ICMP4_TIME_EXCEEDED:
		return code ? ICMP_ERROR_DROP_REASSEMBLY : ICMP_ERROR_DROP_EXPIRED;
	case MR_ICMP4_PARAM_PROBLEM:
		return ICMP_ERROR_DROP_PARAMETER;
	default:
		return ICMP_ERROR_DROP_OTHER;
	}
}

static enum icmp_error_drop
reason6(uint8_t type, uint8_t code)
{
	static const uint8_t unreachable[] = {
		[0] = ICMP_ERROR_DROP_NO_ROUTE,
		[1] = ICMP_ERROR_DROP_PROHIBITED,
		[2] = ICMP_ERROR_DROP_SCOPE,
		[3] = ICMP_ERROR_DROP_HOST,
		[4] = ICMP_ERROR_DROP_PORT,
		[5] = ICMP_ERROR_DROP_PROHIBITED,
		[6] = ICMP_ERROR_DROP_PROHIBITED,
		[7] = ICMP_ERROR_DROP_SOURCE_ROUTE,
	};

	switch (type) {
	case MR_ICMP6_UNREACHABLE:
		return code < MR_ARRAY_COUNT(unreachable) ? unreachable[code]
							  : ICMP_ERROR_DROP_OTHER;
	case MR_ICMP6_TOO_BIG:
		return ICMP_ERROR_DROP_TOO_BIG;
	case MR_ICMP6_TIME_EXCEEDED:
		return code ? ICMP_ERROR_DROP_REASSEMBLY : ICMP_ERROR_DROP_EXPIRED;
	case MR_ICMP6_PARAM_PROBLEM:
		return ICMP_ERROR_DROP_PARAMETER;
	default:
		return ICMP_ERROR_DROP_OTHER;
	}
}

static enum icmp_count
sent_as(enum mr_ip_family family, uint8_t type, uint8_t code)
{
	if (family == MR_IP4) {
		if (type == MR_ICMP4_UNREACHABLE)
			return code == MR_ICMP4_UNREACHABLE_NEED_FRAG ? ICMP_TOO_BIG4
								      : ICMP_UNREACHABLE4;
		return type == MR_ICMP4_TIME_EXCEEDED ? ICMP_EXPIRED4 : ICMP_PROBLEM4;
	}
	if (type == MR_ICMP6_UNREACHABLE)
		return ICMP_UNREACHABLE6;
	if (type == MR_ICMP6_TOO_BIG)
		return ICMP_TOO_BIG6;
	return type == MR_ICMP6_TIME_EXCEEDED ? ICMP_EXPIRED6 : ICMP_PROBLEM6;
}

/* One error being made. */
struct error {
	struct icmp_work w;
	uint32_t packet;
	struct mr_packet *p;
	const struct mr_ip_interface *in;
	enum mr_ip_family family;
	uint8_t type, code;
	uint32_t data;
	uint8_t source[16], destination[16];
};

/* -- whether -------------------------------------------------------------------------- */

/* The address to send it from: for a packet to one of our addresses that very one (RFC 4443, 2.2 (a);
 * RFC 1122, 3.2.1.3 (a)), else that of the interface where it came in, else any of the
 * VRF's. */
static bool
choose_source(struct error *e, const uint8_t *asked)
{
	const struct icmp_vrf *v = &e->w.icmp->vrfs[mr_ip_vrf(e->in)];
	const struct mr_ip_interface *from = e->in;
	static const uint8_t none[16];
	unsigned spare;

	if (icmp_is_ours(&e->w, e->in, e->family, asked)) {
		memcpy(e->source, asked, e->family == MR_IP4 ? 4 : 16);
		return true;
	}
	spare = atomic_load_explicit(e->family == MR_IP4 ? &v->spare4 : &v->spare6,
	    memory_order_relaxed);
	for (unsigned n = 0; n < 2; n++) {
		be32_t four = mr_ip_address4(from);

		if (e->family == MR_IP4)
			memcpy(e->source, &four, 4);
		else
			mr_ip_address6(from, e->source);
		if (memcmp(e->source, none, e->family == MR_IP4 ? 4 : 16) != 0)
			return true;
		if (!spare)
			return false;
		from = &e->w.icmp->ip->interfaces[spare];
	}
	return false;
}

/* ICMP_COUNT_COUNT: nothing speaks against it. */
static enum icmp_count
may_send(struct error *e)
{
	const uint8_t *bytes = mr_packet_bytes_const(e->p), *ip;
	const struct mr_ip_meta *meta = mr_ip_meta(e->p);
	struct icmp_vrf *v = &e->w.icmp->vrfs[mr_ip_vrf(e->in)];
	bool too_big = e->family == MR_IP4
	    ? e->type == MR_ICMP4_UNREACHABLE && e->code == MR_ICMP4_UNREACHABLE_NEED_FRAG
	    : e->type == MR_ICMP6_TOO_BIG;
	enum icmp_count refused;

	refused = icmp_error_refused(bytes, e->p->len, e->p->total, meta->l3, e->family, e->type,
	    e->code);
	if (refused != ICMP_COUNT_COUNT)
		return refused;
	if (!(mr_ip_flags(e->in) & MR_IP_UNREACHABLES) && !too_big)
		return ICMP_NOT_HERE;
	ip = bytes + meta->l3;
	memcpy(e->destination, ip + (e->family == MR_IP4 ? 12 : 8), e->family == MR_IP4 ? 4 : 16);
	if (!icmp_is_remote(&e->w, e->in, e->family, e->destination))
		return ICMP_NOT_ABOUT_SOURCE;
	/* A broadcast address of a subnet of ours (RFC 1812, 4.3.2.7). */
	if (e->family == MR_IP4 &&
	    icmp_is_broadcast(&e->w, icmp_route(&e->w, e->in, MR_IP4, ip + 16)))
		return ICMP_NOT_ABOUT_GROUP;
	if (!choose_source(e, ip + (e->family == MR_IP4 ? 16 : 24)))
		return ICMP_NOT_FROM;
	if (!icmp_take(&e->w,
		icmp_word(e->w.icmp->destinations, mr_ip_vrf(e->in), e->family, e->destination),
		&v->destination))
		return ICMP_LIMITED_HOST;
	if (!icmp_take(&e->w, &v->errors.due, &v->errors.rate))
		return ICMP_LIMITED;
	return ICMP_COUNT_COUNT;
}

/* -- how ------------------------------------------------------------------------------ */

/* As it came in: layer 4's checksum finished, TTL as it was; cut to what may be quoted. */
static bool
make_quote(struct error *e, unsigned room)
{
	struct mr_ip_meta *meta = mr_ip_meta(e->p);
	unsigned l3 = meta->l3, len;
	const uint8_t *ip = mr_packet_bytes(e->p) + l3;

	len = e->family == MR_IP4 ? mr_load_be16(ip + 2) : 40u + mr_load_be16(ip + 4);
	len = MR_MIN(len, e->p->total - l3);
	/* A super-frame's sum says nothing about any packet that its sender sees. */
	if ((e->p->flags & MR_PACKET_CSUM_PARTIAL) && !(e->p->flags & MR_PACKET_GSO))
		(void)icmp_settle(&e->w, e->packet);
	icmp_trim(&e->w, e->packet, l3 + MR_MIN(len, room));
	if (!icmp_pull(&e->w, e->packet, e->p->total))
		return false;
	if (meta->flags & MR_IP_META_DECREMENTED) {
		ip = mr_packet_bytes(e->p) + l3;
		if (e->family == MR_IP4) {
			struct mr_ip4 old;
			be16_t was, now;

			memcpy(&old, ip, sizeof(old));
			memcpy(&was, ip + 8, 2);
			old.ttl++;
			memcpy(&now, &old.ttl, 2);
			old.check = mr_checksum_update16(old.check, was, now);
			mr_edit_set(e->w.rec, e->p, l3 + 8, &old.ttl, 4);
		} else {
			uint8_t hops = (uint8_t)(ip[7] + 1);

			mr_edit_set(e->w.rec, e->p, l3 + 7, &hops, 1);
		}
	}
	return true;
}

static bool
make4(struct error *e)
{
	struct mr_ip4 ip = { .version_ihl = 0x45,
		.tos = ICMP_TOS,
		.ttl = ICMP_TTL,
		.proto = MR_IP_PROTO_ICMP };
	struct mr_icmp icmp_header = { .type = e->type, .code = e->code, .rest = mr_be32(e->data) };
	unsigned l3 = mr_ip_meta(e->p)->l3, head = sizeof(ip) + sizeof(icmp_header), quote;
	uint64_t sum;

	if (!make_quote(e, ICMP_QUOTE4 - head) || mr_packet_headroom(e->p) < head)
		return false;
	quote = e->p->total - l3;
	sum = mr_checksum_add(0, &icmp_header, sizeof(icmp_header));
	sum = mr_checksum_add(sum, mr_packet_bytes(e->p) + l3, quote);
	icmp_header.check = mr_checksum_finish(sum);
	ip.total_len = mr_be16(head + quote);
	ip.id = mr_be16(icmp_next_id(&e->w));
	memcpy(&ip.src, e->source, 4);
	memcpy(&ip.dst, e->destination, 4);
	ip.check = mr_checksum_ipv4_header(&ip);
	mr_edit_push(e->w.rec, e->p, l3, head);
	icmp_write(e->w.rec, e->p, l3, &ip, sizeof(ip));
	icmp_write(e->w.rec, e->p, l3 + sizeof(ip), &icmp_header, sizeof(icmp_header));
	return true;
}

static bool
make6(struct error *e)
{
	struct mr_ip6 ip = { .version_class_flow = mr_be32(6u << 28),
		.hop_limit = ICMP_TTL,
		.next = MR_IP_PROTO_ICMP6 };
	struct mr_icmp icmp_header = { .type = e->type, .code = e->code, .rest = mr_be32(e->data) };
	unsigned l3 = mr_ip_meta(e->p)->l3, head = sizeof(ip) + sizeof(icmp_header), quote;
	uint64_t sum;

	if (!make_quote(e, ICMP_QUOTE6 - head) || mr_packet_headroom(e->p) < head)
		return false;
	quote = e->p->total - l3;
	memcpy(ip.src, e->source, 16);
	memcpy(ip.dst, e->destination, 16);
	ip.payload_len = mr_be16(sizeof(icmp_header) + quote);
	sum = mr_checksum_pseudo6(ip.src, ip.dst, MR_IP_PROTO_ICMP6,
	    (uint32_t)sizeof(icmp_header) + quote);
	sum = mr_checksum_add(sum, &icmp_header, sizeof(icmp_header));
	sum = mr_checksum_add(sum, mr_packet_bytes(e->p) + l3, quote);
	icmp_header.check = mr_checksum_finish(sum);
	mr_edit_push(e->w.rec, e->p, l3, head);
	icmp_write(e->w.rec, e->p, l3, &ip, sizeof(ip));
	icmp_write(e->w.rec, e->p, l3 + sizeof(ip), &icmp_header, sizeof(icmp_header));
	return true;
}

static mr_verdict_t
send_error(struct error *e)
{
	struct mr_ip_meta *meta = mr_ip_meta(e->p);

	if (!(e->family == MR_IP4 ? make4(e) : make6(e)))
		return mr_verdict_drop(ICMP_ERROR_DROP_NOT_SENT);
	icmp_made(e->p);
	meta->flags = MR_IP_META_ORIGIN;
	meta->icmp_type = 0;
	meta->icmp_code = 0;
	icmp_count(&e->w, mr_ip_vrf(e->in), sent_as(e->family, e->type, e->code));
	/* The table of routes does not say where a link-local address is. */
	if (e->family == MR_IP6 && icmp_is_link_local6(e->destination))
		return icmp_reflect(&e->w, e->p, e->in) ? mr_verdict_output(mr_ip_port(e->in))
							: mr_verdict_drop(ICMP_ERROR_DROP_NOT_SENT);
	return mr_verdict_edge(e->family == MR_IP4 ? ICMP_ERROR_FORWARD4 : ICMP_ERROR_FORWARD6);
}

/* IP's header in one piece, with what the rules look at behind it where there is as much. */
static bool
look_ahead(const struct icmp_work *w, uint32_t packet, unsigned l3)
{
	const struct mr_packet *p = mr_packet_at(w->run->base, packet);

	return p->total > l3 && icmp_pull(w, packet, MR_MIN(p->total, l3 + 256));
}

static mr_verdict_t
answer(const struct icmp_work *w, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(w->run->base, packet);
	const struct mr_ip_meta *meta = mr_ip_meta(p);
	struct error e = { .w = *w,
		.packet = packet,
		.p = p,
		.type = meta->icmp_type,
		.code = meta->icmp_code,
		.data = meta->icmp_data };
	enum icmp_error_drop reason;
	enum icmp_count refused;

	mr_record_uncacheable(w->rec, p, "answered by an ICMP error");
	if (!look_ahead(w, packet, meta->l3))
		return mr_verdict_drop(ICMP_ERROR_DROP_OTHER);
	e.family = mr_packet_bytes(p)[meta->l3] >> 4 == 6 ? MR_IP6 : MR_IP4;
	reason = e.family == MR_IP4 ? reason4(e.type, e.code) : reason6(e.type, e.code);
	mr_record_note(w->rec, p, drops[reason].doc, e.data);
	e.in = icmp_interface(w, p);
	if (!e.in)
		return mr_verdict_drop(reason);
	refused = meta->flags & MR_IP_META_ORIGIN ? ICMP_NOT_ABOUT_OURS : may_send(&e);
	if (refused == ICMP_COUNT_COUNT)
		return send_error(&e);
	icmp_count(w, mr_ip_vrf(e.in), refused);
	switch (refused) {
	case ICMP_LIMITED:
	case ICMP_LIMITED_HOST:
		return mr_verdict_drop(ICMP_ERROR_DROP_LIMITED);
	case ICMP_NOT_FROM:
		return mr_verdict_drop(ICMP_ERROR_DROP_NOT_SENT);
	default:
		return mr_verdict_drop(reason);
	}
}

bool
icmp_error_describe(const struct mr_op *op, char *text, size_t size)
{
	for (unsigned i = 0; i < ICMP_ERROR_DROPS_COUNT; i++) {
		if (op->kind != MR_OP_NOTE || op->text != drops[i].doc)
			continue;
		if (i == ICMP_ERROR_DROP_TOO_BIG)
			snprintf(text, size, "%s (%u bytes)", op->text, (unsigned)op->a);
		else
			snprintf(text, size, "%s", op->text);
		return true;
	}
	return false;
}

mr_inline void
icmp_error_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct icmp_work w = icmp_work(run, rec);

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = answer(&w, packets[i]);
}
MR_NODE_FUNCTIONS(icmp_error)

static const char *const edges[] = {
	[ICMP_ERROR_FORWARD4] = "forward4",
	[ICMP_ERROR_FORWARD6] = "forward6",
};
const struct mr_node_class icmp_error_class = {
	.name = "icmp-error",
	.doc = "answers packets that cannot be forwarded with an ICMP error",
	.edges = edges,
	.edge_count = ICMP_ERROR_EDGES,
	.drops = drops,
	.drop_count = ICMP_ERROR_DROPS_COUNT,
	MR_NODE_RUN(icmp_error),
};
