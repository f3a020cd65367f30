/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/checksum.h"
#include "nf/icmp/icmp_int.h"
#include "nf/xlat/xlat_int.h"
#include "nf/nat64/nat64_int.h"

/* -- ICMP errors of our own ------------------------------------------------------------------- */

/* The headers of an error of `len` bytes behind them to the packet whose IP header is at `ip`. */
static unsigned
make_heads(uint8_t out[48], const uint8_t *ip, bool six, const uint8_t from[16], uint8_t type,
    uint8_t code, uint32_t word, unsigned len)
{
	struct mr_ip4 four = { .version_ihl = 0x45,
		.tos = ICMP_TOS,
		.ttl = ICMP_TTL,
		.frag = mr_be16(MR_IP4_DONT_FRAGMENT),
		.proto = MR_IP_PROTO_ICMP,
		.total_len = mr_be16((uint16_t)(28 + len)) };
	struct mr_ip6 head6 = { .version_class_flow = mr_be32(6u << 28),
		.hop_limit = ICMP_TTL,
		.next = MR_IP_PROTO_ICMP6,
		.payload_len = mr_be16((uint16_t)(8 + len)) };
	struct mr_icmp icmp = { .type = type, .code = code, .rest = mr_be32(word) };
	unsigned size = six ? 40 : 20;
	uint64_t sum = 0;

	if (six) {
		memcpy(head6.src, from, 16);
		memcpy(head6.dst, ip + 8, 16);
		memcpy(out, &head6, sizeof(head6));
		sum = mr_checksum_pseudo6(head6.src, head6.dst, MR_IP_PROTO_ICMP6, 8 + len);
	} else {
		memcpy(&four.src, from, 4);
		memcpy(&four.dst, ip + 12, 4);
		four.check = mr_checksum_ipv4_header(&four);
		memcpy(out, &four, sizeof(four));
	}
	sum = mr_checksum_add(sum, &icmp, sizeof(icmp));
	icmp.check = mr_checksum_finish(mr_checksum_add(sum, ip, len));
	memcpy(out + size, &icmp, sizeof(icmp));
	return size + (unsigned)sizeof(icmp);
}

bool
n64_answer(const struct n64_pass *s, uint32_t packet, unsigned l3, bool six, const uint8_t from[16],
    uint8_t type, uint8_t code, uint32_t word)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	unsigned quote = MR_MIN(p->total - l3, six ? ICMP_QUOTE6 - 48 : ICMP_QUOTE4 - 28), len;
	uint8_t heads[48], eth[12];

	if (l3 < sizeof(struct mr_eth) ||
	    icmp_error_refused(mr_packet_bytes_const(p), p->len, p->total, l3,
		six ? MR_IP6 : MR_IP4, type, code) != ICMP_COUNT_COUNT)
		return false;
	if (mr_packet_headroom(p) < sizeof(heads) ||
	    (p->len < l3 + quote &&
		mr_packet_pull(s->run->buffers, s->run->worker, packet, l3 + quote)))
		return false;
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && !(p->flags & MR_PACKET_GSO))
		(void)mr_checksum_complete(s->run->buffers, packet);
	mr_packet_trim(s->run->buffers, s->run->worker, packet, l3 + quote);
	len = make_heads(heads, mr_packet_bytes_const(p) + l3, six, from, type, code, word, quote);
	(void)mr_edit_push(s->rec, p, l3, len);
	xlat_put(s->rec, p, l3, heads, len);
	memcpy(eth, mr_packet_bytes(p) + 6, 6);
	memcpy(eth + 6, mr_packet_bytes(p), 6);
	mr_edit_set(s->rec, p, 0, eth, sizeof(eth));
	p->flags = MR_PACKET_ANSWER | MR_PACKET_TRANSLATED;
	p->csum_start = p->csum_offset = 0;
	p->gso_size = 0;
	return true;
}

/* -- fragments of our own --------------------------------------------------------------------- */

#define HEAD 48u
#define PIECES_MAX 64u
#define LINK_MAX 64u

/* One fragment of `len` bytes from `offset` of the packet's own. */
static uint32_t
make_piece(const struct n64_pass *s, uint32_t packet, unsigned l3, unsigned offset, unsigned len)
{
	const struct mr_packet *from = mr_packet_at(s->run->base, packet);
	const uint8_t *ip = mr_packet_bytes_const(from) + l3;
	uint8_t bytes[LINK_MAX + HEAD + MR_PACKET_STRIDE];
	struct mr_packet *p;
	uint32_t made;
	uint8_t *head;

	memcpy(bytes, mr_packet_bytes_const(from), l3 + HEAD);
	if (mr_packet_read(s->run->buffers, packet, l3 + HEAD + offset, bytes + l3 + HEAD, len) !=
	    len)
		return MR_PACKET_NONE;
	made = mr_packet_from(s->run->buffers, s->run->worker, bytes, l3 + HEAD + len);
	if (made == MR_PACKET_NONE)
		return made;
	p = mr_packet_at(s->run->base, made);
	p->port = from->port;
	p->queue = from->queue;
	p->flags = MR_PACKET_TRANSLATED;
	memcpy(p->scratch, from->scratch, sizeof(p->scratch));
	head = mr_packet_bytes(p) + l3;
	mr_store_be16(head + 4, (uint16_t)(8 + len));
	mr_store_be16(head + 42,
	    (uint16_t)((mr_load_be16(ip + 42) & MR_IP6_FRAG_OFFSET) + offset) |
		MR_IP6_MORE_FRAGMENTS);
	return made;
}

bool
n64_cut(const struct n64_pass *s, uint32_t packet, unsigned l3, unsigned mtu)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	const uint8_t *ip = mr_packet_bytes_const(p) + l3;
	unsigned payload = mr_load_be16(ip + 4) - 8u, step = (mtu - HEAD) & ~7u, offset = 0, len;
	unsigned count = 0, more = mr_load_be16(ip + 42) & MR_IP6_MORE_FRAGMENTS;
	unsigned begins = mr_load_be16(ip + 42) & MR_IP6_FRAG_OFFSET;
	uint8_t head[HEAD + LINK_MAX], rest[MR_PACKET_ROOM];
	uint32_t made[PIECES_MAX];

	/* There is room for one where the packet begins, whatever stood there before. */
	if (l3 > LINK_MAX || p->len < l3 + HEAD || p->total < l3 + HEAD + payload ||
	    p->data + l3 + HEAD + step > MR_PACKET_STRIDE)
		return false;
	/* What layer 4 has left to a device, none does for pieces. */
	if (mr_checksum_complete(s->run->buffers, packet))
		return false;
	while (payload - offset > step) {
		if (count == PIECES_MAX ||
		    (made[count] = make_piece(s, packet, l3, offset, step)) == MR_PACKET_NONE) {
			mr_packets_free(s->run->buffers, s->run->worker, made, count);
			return false;
		}
		count++;
		offset += step;
	}
	for (unsigned i = 0; i < count; i++) {
		if (mr_unlikely(mr_recorded(s->rec, p)))
			mr_record_copy(s->rec, p, mr_packet_at(s->run->base, made[i]));
		mr_node_emit(s->run, made[i], mr_verdict_edge(0));
	}
	/* The packet itself becomes the last one. */
	memcpy(head, mr_packet_bytes(p), l3 + HEAD);
	len = payload - offset;
	(void)mr_packet_read(s->run->buffers, packet, l3 + HEAD + offset, rest, len);
	mr_store_be16(head + l3 + 4, (uint16_t)(8 + len));
	mr_store_be16(head + l3 + 42, (uint16_t)((begins + offset) | more));
	mr_packet_trim(s->run->buffers, s->run->worker, packet, l3 + HEAD);
	p->len = (uint16_t)(l3 + HEAD + len);
	p->total = p->len;
	xlat_put(s->rec, p, 0, head, l3 + HEAD);
	xlat_put(s->rec, p, l3 + HEAD, rest, len);
	return true;
}
