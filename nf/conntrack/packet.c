/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/conntrack/packet_int.h"

#include <string.h>

#include "kit/packet/checksum.h"

/* Puts two ends in order. */
static void
make_key(struct ct_packet *k, const uint8_t *src, const uint8_t *dst, uint16_t sport,
    uint16_t dport, uint16_t zone, unsigned proto)
{
	uint64_t a[2] = { 0 }, b[2] = { 0 };
	unsigned flags = k->six ? CT_KEY_SIX : 0;
	bool swapped;

	memcpy(a, src, k->six ? 16 : 4);
	memcpy(b, dst, k->six ? 16 : 4);
	if (a[0] != b[0])
		swapped = a[0] > b[0];
	else if (a[1] != b[1])
		swapped = a[1] > b[1];
	else
		swapped = sport > dport;
	k->swapped = swapped;
	k->key.w[0] = swapped ? b[0] : a[0];
	k->key.w[1] = swapped ? b[1] : a[1];
	k->key.w[2] = swapped ? a[0] : b[0];
	k->key.w[3] = swapped ? a[1] : b[1];
	k->key.w[4] = swapped ? CT_KEY_TAIL(dport, sport, zone, proto, flags)
			      : CT_KEY_TAIL(sport, dport, zone, proto, flags);
}

bool
ct_icmp_ports(bool six, uint8_t type, uint8_t code, uint16_t id, uint16_t *sport, uint16_t *dport,
    bool *asks)
{
	static const uint8_t queries[2][4][2] = {
		{ { 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 } },
		{ { 128, 129 }, { 139, 140 }, { 128, 129 }, { 139, 140 } },
	};

	for (unsigned i = 0; i < 4; i++) {
		uint16_t kind = (uint16_t)(queries[six][i][0] << 8 | code);

		if (type != queries[six][i][0] && type != queries[six][i][1])
			continue;
		*asks = type == queries[six][i][0];
		*sport = *asks ? id : kind;
		*dport = *asks ? kind : id;
		return true;
	}
	return false;
}

static bool
icmp_key(struct ct_packet *k, const uint8_t *icmp, const uint8_t *src, const uint8_t *dst,
    uint16_t zone)
{
	uint16_t sport, dport;
	bool asks;

	if (!ct_icmp_ports(k->six, icmp[0], icmp[1], mr_load_be16(icmp + 4), &sport, &dport, &asks))
		return false;
	make_key(k, src, dst, sport, dport, zone, k->proto);
	/* Who asks: both ends may ask at once, with one number. */
	if (asks != k->swapped)
		k->key.w[4] |= (uint64_t)CT_KEY_FIRST_ASKS << 56;
	return true;
}

/* -- what an ICMP error quotes ------------------------------------------------------------ */

static bool
has_ports(uint8_t proto)
{
	return proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP ||
	    proto == MR_IP_PROTO_UDPLITE || proto == MR_IP_PROTO_SCTP || proto == MR_IP_PROTO_DCCP;
}

/* Steps over extension headers; where layer 4 is, or 0. */
static unsigned
quoted_l4(const uint8_t *ip, unsigned len, uint8_t *proto)
{
	unsigned at = 40;

	*proto = ip[6];
	for (unsigned n = 0; n < MR_PARSE_EXT_MAX; n++) {
		unsigned size;

		switch (*proto) {
		case MR_IP_PROTO_HOP_BY_HOP:
		case MR_IP_PROTO_ROUTING:
		case MR_IP_PROTO_DEST_OPTIONS:
		case MR_IP_PROTO_AH:
		case MR_IP_PROTO_FRAGMENT:
			break;
		case MR_IP_PROTO_NONE:
			return 0;
		default:
			return at;
		}
		if (at + 8 > len)
			return 0;
		size = (ip[at + 1] + 1u) * 8;
		if (*proto == MR_IP_PROTO_AH)
			size = (ip[at + 1] + 2u) * 4;
		if (*proto == MR_IP_PROTO_FRAGMENT) {
			size = 8;
			if (mr_load_be16(ip + at + 2) & MR_IP6_FRAG_OFFSET)
				return 0;
		}
		*proto = ip[at];
		at += size;
	}
	return 0;
}

/* `ip` is the quoted packet, of which `len` bytes are there; `to`: whom the error is for. */
static bool
quoted_key(struct ct_packet *k, const uint8_t *ip, unsigned len, const uint8_t *to, uint16_t zone)
{
	unsigned head = k->six ? 40 : 20, size = k->six ? 16 : 4, l4;
	const uint8_t *src = ip + (k->six ? 8 : 12), *dst = src + size;
	uint16_t sport = 0, dport = 0;
	uint8_t proto;

	if (len < head || ip[0] >> 4 != (k->six ? 6 : 4))
		return false;
	if (k->six) {
		l4 = quoted_l4(ip, len, &proto);
	} else {
		l4 = (ip[0] & 15u) * 4;
		proto = ip[9];
		if (l4 < head || (mr_load_be16(ip + 6) & MR_IP4_FRAG_OFFSET))
			return false;
	}
	/* Errors are for whom sent the packet (RFC 1122, 3.2.2). */
	if (!l4 || l4 > len || memcmp(src, to, size) != 0)
		return false;
	k->proto = proto;
	if (proto == (k->six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP))
		return l4 + 8 <= len && icmp_key(k, ip + l4, src, dst, zone);
	if (has_ports(proto)) {
		if (l4 + 4 > len)
			return false;
		sport = mr_load_be16(ip + l4);
		dport = mr_load_be16(ip + l4 + 2);
	}
	make_key(k, src, dst, sport, dport, zone, proto);
	return true;
}

/* -- ICMP --------------------------------------------------------------------------------- */

static bool
is_error(bool six, uint8_t type)
{
	if (six)
		return type < 128;
	return type == MR_ICMP4_UNREACHABLE || type == MR_ICMP4_REDIRECT ||
	    type == MR_ICMP4_TIME_EXCEEDED || type == MR_ICMP4_PARAM_PROBLEM || type == 4;
}

/* Groups, routers and neighbours: these belong to no connection, and links need them. */
static bool
is_link_talk(uint8_t type)
{
	return (type >= MR_ICMP6_MLD_QUERY && type <= MR_ICMP6_NEIGHBOR_ADVERT) ||
	    type == MR_ICMP6_MLD2_REPORT;
}

static enum ct_what
classify_icmp(struct ct_packet *k, const struct mr_packet *p, const uint8_t *src,
    const uint8_t *dst, uint16_t zone)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	unsigned have = MR_MIN((unsigned)p->len, k->end);

	if (k->l4 + 8u > have)
		return CT_MALFORMED;
	k->check = true;
	if (k->six && is_link_talk(bytes[k->l4]))
		return CT_UNTRACKED;
	if (is_error(k->six, bytes[k->l4])) {
		if (k->first || !quoted_key(k, bytes + k->l4 + 8, have - k->l4 - 8, dst, zone))
			return CT_MALFORMED;
		return CT_ABOUT;
	}
	k->check = false;
	return icmp_key(k, bytes + k->l4, src, dst, zone) ? CT_FLOW : CT_MALFORMED;
}

/* -- a packet ----------------------------------------------------------------------------- */

void
ct_classify(struct ct_packet *k, const struct mr_packet *p, uint16_t zone,
    const _Atomic uint64_t *apart)
{
	const uint8_t *bytes = mr_packet_bytes_const(p), *src, *dst;
	uint16_t sport = 0, dport = 0;
	struct mr_parsed r;
	enum mr_parse_error error = mr_parse(&r, bytes, p->len, p->total);

	k->what = CT_MALFORMED;
	k->first = k->check = 0;
	k->guess = 0;
	k->l3 = r.l3;
	k->l4 = r.l4;
	k->payload = r.payload;
	k->end = r.end;
	k->proto = r.proto;
	k->six = r.version == 6;
	if (r.ethertype != MR_ETH_TYPE_IP4 && r.ethertype != MR_ETH_TYPE_IP6) {
		k->what = error == MR_PARSE_OK || r.ethertype == MR_ETH_TYPE_ARP ? CT_UNTRACKED
										 : CT_MALFORMED;
		return;
	}
	if (error || !r.version || r.proto == MR_IP_PROTO_NONE)
		return;
	src = bytes + r.l3 + (k->six ? 8 : 12);
	dst = src + (k->six ? 16 : 4);
	if ((r.flags & (MR_PARSED_FRAGMENT | MR_PARSED_FIRST)) == MR_PARSED_FRAGMENT) {
		k->what = CT_PIECE;
		return;
	}
	k->first = !!(r.flags & MR_PARSED_FRAGMENT);
	if (r.proto == (k->six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP)) {
		k->what = (uint8_t)classify_icmp(k, p, src, dst, zone);
		return;
	}
	if (has_ports(r.proto)) {
		sport = r.src_port;
		dport = r.dst_port;
	}
	/* Relaxed: a bit says all. */
	if (r.proto == MR_IP_PROTO_UDP && !k->first &&
	    (atomic_load_explicit(&apart[dport / 64], memory_order_relaxed) >> (dport % 64) & 1)) {
		k->what = CT_UNTRACKED;
		return;
	}
	if (r.proto == MR_IP_PROTO_TCP)
		k->check = !!(r.tcp_flags & (MR_TCP_SYN | MR_TCP_FIN | MR_TCP_RST));
	make_key(k, src, dst, sport, dport, zone, r.proto);
	k->what = CT_FLOW;
}

void
ct_fragment_key(const struct ct_packet *k, const struct mr_packet *p, struct ct_key *key)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + k->l3, *src = ip + (k->six ? 8 : 12);
	uint32_t id = k->six ? 0 : mr_load_be16(ip + 4);
	/* IPv6's fragments are of one packet whatever follows (RFC 8200, 4.5). */
	unsigned proto = k->six ? 0 : k->proto;

	memset(key, 0, sizeof(*key));
	memcpy(&key->w[0], src, k->six ? 16 : 4);
	memcpy(&key->w[2], src + (k->six ? 16 : 4), k->six ? 16 : 4);
	if (k->six) {
		struct mr_parsed r;

		(void)mr_parse(&r, mr_packet_bytes_const(p), p->len, p->total);
		id = r.frag_id;
	}
	key->w[4] = id | (uint64_t)proto << 48 | (uint64_t)(k->six ? CT_KEY_SIX : 0) << 56;
}

bool
ct_sum_is_bad(const struct ct_packet *k, const struct mr_buffers *buffers, uint32_t packet,
    const struct mr_packet *p)
{
	if (p->flags & (MR_PACKET_CSUM_PARTIAL | MR_PACKET_CSUM_GOOD))
		return false;
	switch (k->what == CT_ABOUT ? MR_IP_PROTO_ICMP : k->proto) {
	case MR_IP_PROTO_TCP:
	case MR_IP_PROTO_UDP:
	case MR_IP_PROTO_ICMP:
	case MR_IP_PROTO_ICMP6:
	case MR_IP_PROTO_SCTP:
		return mr_checksum_packet_verify(buffers, packet) == MR_CHECKSUM_BAD;
	default:
		return false;
	}
}

/* -- states ------------------------------------------------------------------------------- */

static void
segment_of(struct ct_segment *s, const struct ct_packet *k, const struct mr_packet *p)
{
	ct_tcp_read(s, mr_packet_bytes_const(p) + k->l4, p->len - k->l4, k->end - k->payload);
}

bool
ct_may_begin(const struct ct_packet *k, const struct mr_packet *p, bool loose)
{
	struct ct_segment s;

	switch (k->proto) {
	case MR_IP_PROTO_TCP:
		segment_of(&s, k, p);
		return ct_tcp_may_begin(&s, loose);
	case MR_IP_PROTO_ICMP:
	case MR_IP_PROTO_ICMP6:
		if (k->six != (k->proto == MR_IP_PROTO_ICMP6))
			return true; /* in the other version it is a protocol like any */
		return !!(CT_KEY_FLAGS(&k->key) & CT_KEY_FIRST_ASKS) != k->swapped;
	default:
		return true;
	}
}

static uint8_t
first_timeout(const struct ct_packet *k)
{
	switch (k->proto) {
	case MR_IP_PROTO_UDP:
	case MR_IP_PROTO_UDPLITE:
		return CT_UDP;
	case MR_IP_PROTO_ICMP:
		return CT_ICMP;
	case MR_IP_PROTO_ICMP6:
		return CT_ICMP6;
	case MR_IP_PROTO_GRE:
		return CT_GRE;
	default:
		return CT_GENERIC;
	}
}

void
ct_begin(const struct ct_table *t, struct ct_line *c, struct ct_cold *cold,
    const struct ct_packet *k, const struct mr_packet *p, uint32_t now)
{
	unsigned from = k->swapped, at = k->six ? 12 : 0;
	uint32_t src, dst;

	(void)t;
	memcpy(&src, (const uint8_t *)&k->key.w[from ? 2 : 0] + at, 4);
	memcpy(&dst, (const uint8_t *)&k->key.w[from ? 0 : 2] + at, 4);
	c->check = ct_check_of(src, dst, CT_KEY_PORT(&k->key, from), CT_KEY_PORT(&k->key, !from));
	c->check += c->check == 0; /* as in replay.c: 0 is no digest */
	cold->shift = 0;
	for (unsigned i = 0; i < 2; i++)
		atomic_store_explicit(&cold->came[i], 0, memory_order_relaxed);
	atomic_store_explicit(&cold->created, now, memory_order_relaxed);
	atomic_store_explicit(&c->seen, now, memory_order_relaxed);
	atomic_store_explicit(&c->packets[0], 1, memory_order_relaxed);
	atomic_store_explicit(&c->packets[1], 0, memory_order_relaxed);
	if (k->proto == MR_IP_PROTO_TCP) {
		struct ct_segment s;

		segment_of(&s, k, p);
		ct_tcp_begin(c, cold, &s);
		return;
	}
	atomic_store_explicit(&c->state, CT_TCP_NONE, memory_order_relaxed);
	atomic_store_explicit(&c->timeout, first_timeout(k), memory_order_relaxed);
}

enum ct_outcome
ct_advance(struct ct_line *c, struct ct_cold *cold, const struct ct_packet *k,
    const struct mr_packet *p, unsigned dir, uint32_t now, uint32_t *word, uint8_t *timeout)
{
	struct ct_segment s;

	switch (k->proto) {
	case MR_IP_PROTO_TCP:
		segment_of(&s, k, p);
		return ct_tcp_packet(c, cold, &s, dir, word, timeout);
	case MR_IP_PROTO_UDP:
	case MR_IP_PROTO_UDPLITE:
		*timeout = CT_UDP;
		/* Question and answer is one thing, talk another. */
		if ((*word & CT_REPLIED) &&
		    (int32_t)(now - atomic_load_explicit(&cold->created, memory_order_relaxed)) >
			CT_TALK_SECONDS) {
			*timeout = CT_UDP_STREAM;
			*word |= CT_ASSURED;
		}
		return CT_ACCEPT;
	case MR_IP_PROTO_GRE:
		*timeout = CT_GRE;
		if (*word & CT_REPLIED) {
			*timeout = CT_GRE_STREAM;
			*word |= CT_ASSURED;
		}
		return CT_ACCEPT;
	default:
		*timeout = first_timeout(k);
		return CT_ACCEPT;
	}
}
