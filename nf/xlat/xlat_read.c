/* SPDX-License-Identifier: Apache-2.0 */

/* What a packet is to the translator. Every read is bounded: of the bytes at `bytes`, `have` are there. */
#include "kit/packet/parse.h"
#include "nf/xlat/xlat_int.h"

struct reader {
	const uint8_t *bytes;
	unsigned have;
	uint16_t wrong; /* of a source route under way: which byte of the IP packet */
};

/* A header that must not stand behind a fragment header (RFC 7915, 5.1.1). */
static bool
is_extension(uint8_t proto)
{
	switch (proto) {
	case MR_IP_PROTO_HOP_BY_HOP:
	case MR_IP_PROTO_ROUTING:
	case MR_IP_PROTO_FRAGMENT:
	case MR_IP_PROTO_AH:
	case MR_IP_PROTO_DEST_OPTIONS:
	case MR_IP_PROTO_MOBILITY:
	case MR_IP_PROTO_HIP:
	case MR_IP_PROTO_SHIM6:
		return true;
	default:
		return false;
	}
}

static enum xlat_result
read_six(struct reader *r, struct xlat_part *part)
{
	const uint8_t *ip = r->bytes + part->at;
	unsigned room = r->have - part->at, at = 40, all;

	if (room < 40 || ip[0] >> 4 != 6)
		return XLAT_MALFORMED;
	all = 40u + mr_load_be16(ip + 4);
	part->tos = (uint8_t)(mr_load_be16(ip) >> 4);
	part->hops = ip[7];
	part->proto = ip[6];
	for (unsigned n = 0;; n++) {
		bool routing = part->proto == MR_IP_PROTO_ROUTING;
		unsigned size;

		if (part->proto == MR_IP_PROTO_FRAGMENT) {
			if (at + 8 > room)
				return XLAT_MALFORMED;
			part->fragment = true;
			part->proto = ip[at];
			part->offset = mr_load_be16(ip + at + 2) & MR_IP6_FRAG_OFFSET;
			part->more = mr_load_be16(ip + at + 2) & MR_IP6_MORE_FRAGMENTS;
			part->id = mr_load_be32(ip + at + 4);
			at += 8;
			if (is_extension(part->proto))
				return XLAT_EXTENSION;
			break;
		}
		if (!routing && part->proto != MR_IP_PROTO_HOP_BY_HOP &&
		    part->proto != MR_IP_PROTO_DEST_OPTIONS)
			break;
		if (n == MR_PARSE_EXT_MAX || at + 8 > room)
			return XLAT_MALFORMED;
		if (routing && ip[at + 3]) {
			r->wrong = (uint16_t)(at + 3);
			return XLAT_ROUTE;
		}
		size = (ip[at + 1] + 1u) * 8;
		part->proto = ip[at];
		at += size;
	}
	if (at > all || at > room)
		return XLAT_MALFORMED;
	part->bare = at == 40;
	part->l4 = (uint16_t)(part->at + at);
	part->payload = all - at;
	return XLAT_OK;
}

/* Whether a source route is not at its end (RFC 791, 3.1). */
static bool
is_routed(struct reader *r, const uint8_t *ip, unsigned size)
{
	unsigned at = 20, len;

	for (; at + 2 < size && ip[at] != 0; at += len) {
		len = ip[at] == 1 ? 1 : ip[at + 1];
		if (!len || at + len > size || (ip[at] != 1 && len < 2))
			return false;
		if ((ip[at] == 131 || ip[at] == 137) && len >= 3 && ip[at + 2] <= len) {
			r->wrong = (uint16_t)at;
			return true;
		}
	}
	return false;
}

static enum xlat_result
read_four(struct reader *r, struct xlat_part *part)
{
	const uint8_t *ip = r->bytes + part->at;
	unsigned room = r->have - part->at, size, all, frag;

	if (room < 20 || ip[0] >> 4 != 4)
		return XLAT_MALFORMED;
	size = (ip[0] & 15u) * 4;
	all = mr_load_be16(ip + 2);
	frag = mr_load_be16(ip + 6);
	if (size < 20 || size > room || all < size)
		return XLAT_MALFORMED;
	if (size > 20 && is_routed(r, ip, size))
		return XLAT_ROUTE;
	part->tos = ip[1];
	part->hops = ip[8];
	part->proto = ip[9];
	part->id = mr_load_be16(ip + 4);
	part->offset = (uint16_t)((frag & MR_IP4_FRAG_OFFSET) * 8);
	part->more = frag & MR_IP4_MORE_FRAGMENTS;
	part->whole = frag & MR_IP4_DONT_FRAGMENT;
	part->fragment = part->offset || part->more;
	part->bare = size == 20;
	part->l4 = (uint16_t)(part->at + size);
	part->payload = all - size;
	return XLAT_OK;
}

/* So much of layer 4 is looked at or changed. Of a quoted packet eight bytes are there. */
static unsigned
needs(uint8_t proto, bool quoted)
{
	if (quoted)
		return 8;
	switch (proto) {
	case MR_IP_PROTO_TCP:
		return 20;
	case MR_IP_PROTO_SCTP:
	case MR_IP_PROTO_DCCP:
		return 12;
	default:
		return 8;
	}
}

static enum xlat_result
read_icmp(struct xlat_part *part, const uint8_t *icmp, bool six)
{
	part->type = icmp[0];
	part->code = icmp[1];
	if (part->type == (six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO) ||
	    part->type == (six ? MR_ICMP6_ECHO_REPLY : MR_ICMP4_ECHO_REPLY)) {
		part->kind = XLAT_ECHO;
		part->reply = part->type != (six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO);
		memcpy(&part->sport, icmp + 4, 2);
		part->dport = part->sport;
		return part->code ? XLAT_ICMP : XLAT_OK;
	}
	part->kind = XLAT_ERROR;
	if (six ? part->type >= 1 && part->type <= 4
		: part->type == MR_ICMP4_UNREACHABLE || part->type == MR_ICMP4_TIME_EXCEEDED ||
		    part->type == MR_ICMP4_PARAM_PROBLEM)
		return XLAT_OK;
	return XLAT_ICMP;
}

static enum xlat_result
read_l4(const struct reader *r, struct xlat_part *part, bool six, bool quoted)
{
	const uint8_t *l4 = r->bytes + part->l4;
	unsigned room = MR_MIN(r->have - part->l4, part->payload);

	/* One is the other family's, the other has no counterpart. */
	if (part->proto == (six ? MR_IP_PROTO_ICMP : MR_IP_PROTO_ICMP6) ||
	    part->proto == MR_IP_PROTO_IGMP)
		return XLAT_ICMP;
	if (part->proto == (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP) &&
	    (part->offset || part->more))
		return XLAT_ICMP_FRAGMENT;
	part->kind = XLAT_PIECE;
	if (part->offset)
		return XLAT_OK;
	part->kind = XLAT_OTHER;
	switch (part->proto) {
	case MR_IP_PROTO_ICMP:
	case MR_IP_PROTO_ICMP6:
		return room < 8 ? XLAT_MALFORMED : read_icmp(part, l4, six);
	case MR_IP_PROTO_TCP:
	case MR_IP_PROTO_UDP:
	case MR_IP_PROTO_UDPLITE:
	case MR_IP_PROTO_DCCP:
	case MR_IP_PROTO_SCTP:
		if (room < needs(part->proto, quoted))
			return XLAT_MALFORMED;
		part->kind = XLAT_PORTS;
		memcpy(&part->sport, l4, 2);
		memcpy(&part->dport, l4 + 2, 2);
		return XLAT_OK;
	default:
		return XLAT_OK;
	}
}

static enum xlat_result
read_part(struct reader *r, struct xlat_part *part, bool six, bool quoted)
{
	enum xlat_result result = six ? read_six(r, part) : read_four(r, part);

	return result ? result : read_l4(r, part, six, quoted);
}

enum xlat_result
xlat_read(struct xlat *x, const struct mr_packet *p, unsigned l3)
{
	struct reader r = { mr_packet_bytes_const(p), p->len, 0 }, q;
	struct xlat_part *o = &x->outer;
	enum xlat_result result;

	memset(x, 0, sizeof(*x));
	if (l3 + 20 > p->len)
		return XLAT_MALFORMED;
	x->six = r.bytes[l3] >> 4 == 6;
	o->at = (uint16_t)l3;
	result = read_part(&r, o, x->six, false);
	x->wrong = r.wrong;
	if (result)
		return result;
	if (o->l4 + o->payload > p->total)
		return XLAT_MALFORMED;
	x->plain = o->bare && !o->fragment &&
	    (o->kind == XLAT_ECHO || o->proto == MR_IP_PROTO_TCP || o->proto == MR_IP_PROTO_UDP);
	if (o->kind != XLAT_ERROR)
		return XLAT_OK;
	/* What it is about. */
	q = (struct reader){ r.bytes, MR_MIN(r.have, o->l4 + o->payload), 0 };
	if (o->l4 + 8u + 20 > q.have)
		return XLAT_MALFORMED;
	x->quoted.at = (uint16_t)(o->l4 + 8);
	result = read_part(&q, &x->quoted, x->six, true);
	if (!result && x->quoted.kind == XLAT_ERROR)
		return XLAT_NESTED;
	return result;
}
