/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/packet_int.h"

#include <string.h>

#include "kit/packet/checksum.h"

#define L4_MIN 8u /* of a quoted packet (RFC 792) */

static be16_t
load16(const uint8_t *at)
{
	be16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static be32_t
load32(const uint8_t *at)
{
	be32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* Queries have an even number of these, answers an odd one. 1: asks, 0: answers, -1: neither. */
static int
query_of(uint8_t type)
{
	switch (type) {
	case MR_ICMP4_ECHO:
	case 13: /* time stamp */
	case 15: /* information */
	case 17: /* address mask */
		return 1;
	case MR_ICMP4_ECHO_REPLY:
	case 14:
	case 16:
	case 18:
		return 0;
	default:
		return -1;
	}
}

static bool
is_error(uint8_t type)
{
	return type == MR_ICMP4_UNREACHABLE || type == 4 || type == MR_ICMP4_REDIRECT ||
	    type == MR_ICMP4_TIME_EXCEEDED || type == MR_ICMP4_PARAM_PROBLEM;
}

/* -- what an error quotes ----------------------------------------------------------------- */

static bool
read_quote(struct nat_packet *k, const uint8_t *bytes, unsigned have)
{
	unsigned at = k->l4 + 8u, head;
	const uint8_t *ip = bytes + at;
	int query;

	k->quoted_sport = k->quoted_dport = 0;
	k->quoted_query = 0;
	if (at + 20 > have || ip[0] >> 4 != 4)
		return false;
	head = (ip[0] & 15u) * 4;
	if (head < 20 || at + head + L4_MIN > have)
		return false;
	/* Of a fragment that is not the first nobody knows the ports (RFC 5508, REQ-3). */
	if (mr_load_be16(ip + 6) & MR_IP4_FRAG_OFFSET)
		return false;
	k->quoted = (uint16_t)at;
	k->quoted4 = (uint16_t)(at + head);
	k->quoted_end = (uint16_t)have;
	k->quoted_proto = ip[9];
	k->quoted_src = load32(ip + 12);
	k->quoted_dst = load32(ip + 16);
	switch (ip[9]) {
	case MR_IP_PROTO_TCP:
	case MR_IP_PROTO_UDP:
		k->quoted_sport = load16(ip + head);
		k->quoted_dport = load16(ip + head + 2);
		break;
	case MR_IP_PROTO_ICMP:
		query = query_of(ip[head]);
		if (query < 0)
			return false;
		k->quoted_query = (uint8_t)query;
		*(query ? &k->quoted_sport : &k->quoted_dport) = load16(ip + head + 4);
		break;
	default:
		break;
	}
	return true;
}

static enum nat_what
classify_icmp(struct nat_packet *k, const struct mr_packet *p)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	unsigned have = MR_MIN((unsigned)p->len, k->end);
	int query;

	if (k->l4 + 8u > have)
		return NAT_MALFORMED;
	query = query_of(bytes[k->l4]);
	if (query >= 0) {
		k->query = (uint8_t)query;
		*(query ? &k->sport : &k->dport) = load16(bytes + k->l4 + 4);
		return NAT_FLOW;
	}
	if (!is_error(bytes[k->l4]))
		return NAT_PROTOCOL; /* of a link, or unknown */
	return !k->first && read_quote(k, bytes, have) ? NAT_ERROR : NAT_MALFORMED;
}

/* -- a packet ----------------------------------------------------------------------------- */

void
nat_classify(struct nat_packet *k, const struct mr_packet *p)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	struct mr_parsed r;
	enum mr_parse_error error = mr_parse(&r, bytes, p->len, p->total);

	memset(k, 0, offsetof(struct nat_packet, quoted_src));
	if (r.ethertype != MR_ETH_TYPE_IP4)
		return;
	k->what = NAT_MALFORMED;
	k->l3 = r.l3;
	k->vlan = r.vlan_count ? r.vlan[0] & 4095u : 0;
	k->l4 = r.l4;
	k->payload = r.payload;
	k->end = r.end;
	k->proto = r.proto;
	if (r.l3 + 20u > p->len || r.version != 4)
		return;
	k->src = load32(bytes + r.l3 + 12);
	k->dst = load32(bytes + r.l3 + 16);
	if (mr_unlikely(error))
		return;
	if (mr_unlikely((r.flags & (MR_PARSED_FRAGMENT | MR_PARSED_FIRST)) == MR_PARSED_FRAGMENT)) {
		k->what = NAT_PIECE;
		return;
	}
	k->first = !!(r.flags & MR_PARSED_FRAGMENT);
	switch (r.proto) {
	case MR_IP_PROTO_TCP:
	case MR_IP_PROTO_UDP:
		k->what = NAT_FLOW;
		k->tcp = r.tcp_flags;
		k->sport = load16(bytes + r.l4);
		k->dport = load16(bytes + r.l4 + 2);
		return;
	case MR_IP_PROTO_ICMP:
		k->what = (uint8_t)classify_icmp(k, p);
		return;
	default:
		k->what = NAT_PROTOCOL;
		return;
	}
}

bool
nat_sum_is_bad(const struct nat_packet *k, const struct mr_buffers *buffers, uint32_t packet,
    const struct mr_packet *p)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + k->quoted;
	uint64_t sum = 0;

	if (k->end > p->total ||
	    mr_checksum_add_chain(&sum, buffers, packet, k->l4, k->end - k->l4) ||
	    mr_checksum_fold(sum) != 0xffff)
		return true;
	return mr_checksum_fold(mr_checksum_add(0, ip, (ip[0] & 15u) * 4)) != 0xffff;
}

/* -- rewriting ---------------------------------------------------------------------------- */

/* Where layer 4's checksum is that covers the addresses; of ICMP: which does not. */
static struct mr_l4_sum
sum_of(const struct nat_packet *k, const struct mr_packet *p)
{
	unsigned room = MR_MIN((unsigned)p->len, k->end);
	struct mr_l4_sum s = { 0, MR_SUM_PLAIN };

	switch (k->proto) {
	case MR_IP_PROTO_TCP:
		s.offset = (uint16_t)(k->l4 + 16);
		break;
	case MR_IP_PROTO_UDP:
	case MR_IP_PROTO_UDPLITE:
		s = (struct mr_l4_sum){ (uint16_t)(k->l4 + 6), MR_SUM_UDP };
		break;
	case MR_IP_PROTO_DCCP:
		s.offset = (uint16_t)(k->l4 + 6);
		break;
	default:
		break;
	}
	return s.offset + 2u <= room ? s : (struct mr_l4_sum){ 0, MR_SUM_PLAIN };
}

static void
set_addresses(struct mr_recorder *rec, struct mr_packet *p, const struct nat_packet *k,
    const struct nat_rewrite *r, struct mr_l4_sum sum)
{
	if ((r->what & NAT_SRC) && r->src != k->src)
		mr_edit_address4(rec, p, k->l3, 12, r->src, sum);
	if ((r->what & NAT_DST) && r->dst != k->dst)
		mr_edit_address4(rec, p, k->l3, 16, r->dst, sum);
}

void
nat_rewrite(struct mr_recorder *rec, struct mr_packet *p, const struct nat_packet *k,
    const struct nat_rewrite *r)
{
	struct mr_l4_sum sum = sum_of(k, p);

	set_addresses(rec, p, k, r, sum);
	if (k->what != NAT_FLOW)
		return;
	if (mr_unlikely(k->proto == MR_IP_PROTO_ICMP)) {
		be16_t was = k->query ? k->sport : k->dport;
		be16_t id = k->query ? r->sport : r->dport;

		sum = (struct mr_l4_sum){ (uint16_t)(k->l4 + 2), MR_SUM_PLAIN };
		if ((r->what & (k->query ? NAT_SPORT : NAT_DPORT)) && id != was)
			mr_edit_port(rec, p, k->l4 + 4u, id, sum);
		return;
	}
	if ((r->what & NAT_SPORT) && r->sport != k->sport)
		mr_edit_port(rec, p, k->l4, r->sport, sum);
	if ((r->what & NAT_DPORT) && r->dport != k->dport)
		mr_edit_port(rec, p, k->l4 + 2u, r->dport, sum);
}

void
nat_rewrite_piece(struct mr_recorder *rec, struct mr_packet *p, const struct nat_packet *k,
    const struct nat_rewrite *r)
{
	set_addresses(rec, p, k, r, (struct mr_l4_sum){ 0, MR_SUM_PLAIN });
}

/* A checksum that another one covers takes in a delta; returns the delta that this is to the
 * other. */
static uint64_t
nested(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, uint64_t delta,
    enum mr_sum_kind kind)
{
	be16_t was = load16(mr_packet_bytes_const(p) + offset);

	mr_edit_sum(rec, p, offset, delta, kind);
	return mr_checksum_delta16(was, load16(mr_packet_bytes_const(p) + offset));
}

void
nat_rewrite_error(struct mr_recorder *rec, struct mr_packet *p, const struct nat_packet *k,
    const struct nat_rewrite *outer, const struct nat_rewrite *q)
{
	const struct mr_l4_sum none = { 0, MR_SUM_PLAIN };
	uint64_t addresses = 0, ports = 0, all;
	unsigned check = 0;
	enum mr_sum_kind kind = MR_SUM_PLAIN;

	set_addresses(rec, p, k, outer, none);
	if (q->what & NAT_SRC)
		addresses += mr_edit_replace(rec, p, k->quoted + 12u, &q->src, 4);
	if (q->what & NAT_DST)
		addresses += mr_edit_replace(rec, p, k->quoted + 16u, &q->dst, 4);
	all = addresses + nested(rec, p, k->quoted + 10u, addresses, MR_SUM_PLAIN);
	switch (k->quoted_proto) {
	case MR_IP_PROTO_TCP:
		check = k->quoted4 + 16u;
		break;
	case MR_IP_PROTO_UDP:
		check = k->quoted4 + 6u;
		kind = MR_SUM_UDP;
		break;
	case MR_IP_PROTO_ICMP:
		if (q->what & (k->quoted_query ? NAT_SPORT : NAT_DPORT)) {
			be16_t id = k->quoted_query ? q->sport : q->dport;

			ports += mr_edit_replace(rec, p, k->quoted4 + 4u, &id, 2);
		}
		all += ports + nested(rec, p, k->quoted4 + 2u, ports, MR_SUM_PLAIN);
		mr_edit_sum(rec, p, k->l4 + 2u, all, MR_SUM_PLAIN);
		return;
	default:
		mr_edit_sum(rec, p, k->l4 + 2u, all, MR_SUM_PLAIN);
		return;
	}
	if (q->what & NAT_SPORT)
		ports += mr_edit_replace(rec, p, k->quoted4, &q->sport, 2);
	if (q->what & NAT_DPORT)
		ports += mr_edit_replace(rec, p, k->quoted4 + 2u, &q->dport, 2);
	all += ports;
	/* Often only eight bytes are quoted. */
	if (check + 2 <= k->quoted_end)
		all += nested(rec, p, check, addresses + ports, kind);
	mr_edit_sum(rec, p, k->l4 + 2u, all, MR_SUM_PLAIN);
}
