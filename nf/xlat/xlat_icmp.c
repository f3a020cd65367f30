/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ICMP errors (RFC 7915, 4.2, 4.3, 5.2, 5.3): type and code, the packet that is quoted, and what is
 * behind it (RFC 4884). All of the message is made anew, with its checksum: the old one was looked at
 * before, so that none becomes right that was wrong.
 */
#include "nf/xlat/xlat_int.h"

#define NONE 255u
#define ERROR4_MAX 1280u         /* bytes behind the IP header */
#define ERROR6_MAX (1280u - 40u) /* RFC 4443, 2.4 (c) */
#define ORIGINAL_MIN 128u        /* of a quoted packet in front of extensions (RFC 4884, 4) */
#define EXTENSION_MAX 1024u

/* Figures 3 and 6 of RFC 7915: which byte of the other header a pointer means. */
static const uint8_t pointer4[20] = { 0, 1, 4, 4, NONE, NONE, NONE, NONE, 7, 6, NONE, NONE, 8, 8, 8,
	8, 24, 24, 24, 24 };
static const uint8_t pointer6[40] = { 0, 1, NONE, NONE, 2, 2, 9, 8, 12, 12, 12, 12, 12, 12, 12, 12,
	12, 12, 12, 12, 12, 12, 12, 12, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
	16 };

/* What a router that names no MTU may have meant (RFC 1191, 7): less than the packet's length. */
static uint32_t
plateau(uint32_t length)
{
	static const uint16_t plateaus[] = { 65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508,
		296 };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(plateaus); i++)
		if (plateaus[i] < length)
			return plateaus[i];
	return 68;
}

static bool
unreachable4(uint8_t *type, uint8_t *code, uint32_t *word, const struct xlat_to *to,
    const struct xlat_part *quoted)
{
	uint32_t mtu = *word & UINT16_MAX;

	*type = MR_ICMP6_UNREACHABLE;
	*word = 0;
	switch (*code) {
	case 0: /* network, host, source route, unknown, isolated, for this TOS */
	case 1:
	case 5:
	case 6:
	case 7:
	case 8:
	case 11:
	case 12:
		*code = 0;
		return true;
	case MR_ICMP4_UNREACHABLE_PROTO:
		*type = MR_ICMP6_PARAM_PROBLEM;
		*code = 1;
		*word = 6; /* Next Header */
		return true;
	case MR_ICMP4_UNREACHABLE_PORT:
		*code = 4;
		return true;
	case MR_ICMP4_UNREACHABLE_NEED_FRAG:
		*type = MR_ICMP6_TOO_BIG;
		*code = 0;
		if (!mtu)
			mtu = plateau(quoted->payload + (uint32_t)(quoted->l4 - quoted->at));
		mtu = MR_MIN(mtu + 20u, MR_MIN((uint32_t)to->mtu6, to->mtu4 + 20u));
		*word = MR_MAX(mtu, 1280u);
		return true;
	case 9: /* prohibited by the administrator */
	case 10:
	case 13:
	case 15:
		*code = 1;
		return true;
	default:
		return false;
	}
}

static bool
kind4(uint8_t *type, uint8_t *code, uint32_t *word, const struct xlat_to *to,
    const struct xlat_part *quoted)
{
	uint32_t pointer = *word >> 24;

	switch (*type) {
	case MR_ICMP4_UNREACHABLE:
		return unreachable4(type, code, word, to, quoted);
	case MR_ICMP4_TIME_EXCEEDED:
		*type = MR_ICMP6_TIME_EXCEEDED;
		*word = 0;
		return true;
	case MR_ICMP4_PARAM_PROBLEM:
		if ((*code != 0 && *code != 2) || pointer >= sizeof(pointer4) ||
		    pointer4[pointer] == NONE)
			return false;
		*type = MR_ICMP6_PARAM_PROBLEM;
		*code = 0;
		*word = pointer4[pointer];
		return true;
	default:
		return false;
	}
}

static bool
kind6(uint8_t *type, uint8_t *code, uint32_t *word, const struct xlat_to *to)
{
	static const uint8_t unreachable[] = { MR_ICMP4_UNREACHABLE_HOST, 10,
		MR_ICMP4_UNREACHABLE_HOST, MR_ICMP4_UNREACHABLE_HOST, MR_ICMP4_UNREACHABLE_PORT };
	uint32_t was = *word, mtu;

	*word = 0;
	switch (*type) {
	case MR_ICMP6_UNREACHABLE:
		if (*code >= sizeof(unreachable))
			return false;
		*type = MR_ICMP4_UNREACHABLE;
		*code = unreachable[*code];
		return true;
	case MR_ICMP6_TOO_BIG:
		mtu = MR_MAX(was, 88u) - 20u; /* nobody's is below 68 */
		mtu = MR_MIN(mtu, MR_MIN((uint32_t)to->mtu4, to->mtu6 - 20u));
		*type = MR_ICMP4_UNREACHABLE;
		*code = MR_ICMP4_UNREACHABLE_NEED_FRAG;
		*word = mtu;
		return true;
	case MR_ICMP6_TIME_EXCEEDED:
		*type = MR_ICMP4_TIME_EXCEEDED;
		return true;
	case MR_ICMP6_PARAM_PROBLEM:
		if (*code == 1) {
			*type = MR_ICMP4_UNREACHABLE;
			*code = MR_ICMP4_UNREACHABLE_PROTO;
			return true;
		}
		if (*code != 0 || was >= sizeof(pointer6) || pointer6[was] == NONE)
			return false;
		*type = MR_ICMP4_PARAM_PROBLEM;
		*word = (uint32_t)pointer6[was] << 24;
		return true;
	default:
		return false;
	}
}

bool
xlat_error_kind(bool six, uint8_t *type, uint8_t *code, uint32_t *word, const struct xlat_to *to,
    const struct xlat_part *quoted)
{
	return six ? kind6(type, code, word, to) : kind4(type, code, word, to, quoted);
}

/* -- what is quoted ------------------------------------------------------------------------- */

/* Layer 4 of the quoted packet, `len` bytes of it: ports, identifier, type, and the checksum where it
 * is there. `ip` is its old header. */
static void
quoted_l4(uint8_t *l4, unsigned len, const struct xlat_part *q, const uint8_t *ip, bool six,
    const struct xlat_ends *to)
{
	struct mr_l4_sum sum = xlat_sum_at(q->proto);
	bool icmp = q->kind == XLAT_ECHO;
	uint64_t delta = xlat_delta(ip, six, to, icmp), more;
	be16_t check;

	if (icmp) {
		more = mr_be16(MR_IP_PROTO_ICMP6) + mr_be16((uint16_t)q->payload);
		l4[0] = six ? (q->reply ? MR_ICMP4_ECHO_REPLY : MR_ICMP4_ECHO)
			    : (q->reply ? MR_ICMP6_ECHO_REPLY : MR_ICMP6_ECHO);
		memcpy(l4 + 4, &to->sport, 2);
		delta += mr_checksum_delta16((be16_t)q->type, (be16_t)l4[0]) +
		    mr_checksum_delta16(q->sport, to->sport);
		delta += six ? 2u * UINT16_MAX - more : more;
	} else {
		memcpy(l4, &to->sport, 2);
		memcpy(l4 + 2, &to->dport, 2);
		delta += mr_checksum_delta16(q->sport, to->sport) +
		    mr_checksum_delta16(q->dport, to->dport);
	}
	if (!sum.offset || sum.offset + 2u > len)
		return;
	memcpy(&check, l4 + sum.offset, sizeof(check));
	check = sum.kind == MR_SUM_UDP ? mr_checksum_apply_udp(check, delta)
				       : mr_checksum_apply(check, delta);
	memcpy(l4 + sum.offset, &check, sizeof(check));
}

/* How many bytes of the message are the quoted packet when extensions follow; 0: none do. */
static unsigned
original_of(const struct xlat *x, const uint8_t *icmp, unsigned quoted)
{
	unsigned len = 0;

	if (x->six && (icmp[0] == MR_ICMP6_UNREACHABLE || icmp[0] == MR_ICMP6_TIME_EXCEEDED))
		len = icmp[4] * 8u;
	else if (!x->six)
		len = icmp[5] * 4u;
	return len >= ORIGINAL_MIN && len + 4 <= quoted ? len : 0;
}

/* Whether the other family's message of this type may carry extensions. */
static bool
may_extend(bool six, uint8_t type)
{
	if (six) /* becomes IPv4 */
		return true;
	return type == MR_ICMP6_UNREACHABLE || type == MR_ICMP6_TIME_EXCEEDED;
}

/* The message in the other family. Returns its length; 0: there is none. */
static unsigned
make_message(uint8_t *out, const uint8_t *bytes, unsigned have, const struct xlat *x,
    const struct xlat_to *to)
{
	const struct xlat_part *o = &x->outer, *q = &x->quoted;
	unsigned quoted = have - q->at, max = x->six ? ERROR4_MAX : ERROR6_MAX, len, head, extra,
		 l4;
	unsigned original = original_of(x, bytes + o->l4, quoted), unit = x->six ? 4 : 8;
	uint8_t type = o->type, code = o->code;
	uint32_t word = mr_load_be32(bytes + o->l4 + 4);

	/* Lengths of extensions are in bytes that have another meaning here. */
	if (x->six ? type != MR_ICMP6_TOO_BIG && type != MR_ICMP6_PARAM_PROBLEM
		   : type == MR_ICMP4_TIME_EXCEEDED)
		word = 0;
	if (!xlat_error_kind(x->six, &type, &code, &word, to, q))
		return 0;
	extra = original && may_extend(x->six, type) ? quoted - original : 0;
	if (original)
		quoted = original;
	if (q->l4 > q->at + quoted)
		return 0;
	l4 = q->at + quoted - q->l4;
	head = xlat_head(out + 8, q, x->six, &to->quoted, bytes + q->l4, q->payload);
	len = 8 + head + l4;
	if (len > max) {
		l4 -= len - max;
		len = max;
		extra = 0;
	}
	memcpy(out + 8 + head, bytes + q->l4, l4);
	if (q->kind == XLAT_PORTS || q->kind == XLAT_ECHO)
		quoted_l4(out + 8 + head, l4, q, bytes + q->at, x->six, &to->quoted);
	out[0] = type;
	out[1] = code;
	memset(out + 2, 0, 2);
	mr_store_be32(out + 4, word);
	if (extra) {
		unsigned padded = MR_MAX(MR_ALIGN_UP(len - 8, unit), ORIGINAL_MIN);

		if (8 + padded + extra > max || extra > EXTENSION_MAX || padded / unit > UINT8_MAX)
			return len;
		memset(out + len, 0, 8 + padded - len);
		memcpy(out + 8 + padded, bytes + q->at + quoted, extra);
		out[x->six ? 5 : 4] = (uint8_t)(padded / unit);
		len = 8 + padded + extra;
	}
	return len;
}

enum xlat_result
xlat_error(const struct xlat_pass *s, uint32_t packet, const struct xlat *x,
    const struct xlat_to *to)
{
	struct mr_packet *p = mr_packet_at(s->buffers->base, packet);
	const struct xlat_part *o = &x->outer;
	unsigned have, len, head, was = (unsigned)(o->l4 - o->at);
	uint8_t out[8 + XLAT_HEAD_MAX + MR_PACKET_STRIDE], ip[XLAT_HEAD_MAX];
	uint64_t sum = 0;
	be16_t check;

	mr_record_uncacheable(s->rec, p, "an ICMP error");
	if (!(p->flags & MR_PACKET_CSUM_GOOD) &&
	    mr_checksum_packet_verify(s->buffers, packet) == MR_CHECKSUM_BAD)
		return XLAT_BAD_CHECKSUM;
	have = MR_MIN((unsigned)p->len, o->l4 + o->payload);
	len = make_message(out, mr_packet_bytes_const(p), have, x, to);
	if (!len)
		return XLAT_ICMP;
	head = xlat_head(ip, o, x->six, &to->outer, out + 8, len);
	if (!x->six)
		sum = mr_checksum_pseudo6(to->outer.src, to->outer.dst, MR_IP_PROTO_ICMP6, len);
	check = mr_checksum_finish(mr_checksum_add(sum, out, len));
	memcpy(out + 2, &check, sizeof(check));
	/* Room in front for the header; at the end for the rest, or no more than is needed. */
	if (head > was && mr_packet_headroom(p) < head - was)
		return XLAT_NO_ROOM;
	if (len > have - o->l4 && mr_packet_tailroom(p) + p->len - have < len - (have - o->l4))
		return XLAT_NO_ROOM;
	mr_packet_trim(s->buffers, s->worker, packet, have);
	if (head > was)
		(void)mr_edit_push(s->rec, p, o->at, head - was);
	else if (head < was)
		mr_edit_pop(s->rec, p, o->at, was - head);
	p->len = (uint16_t)(o->at + head + len);
	p->total = p->len;
	xlat_put(s->rec, p, o->at, ip, head);
	xlat_put(s->rec, p, o->at + head, out, len);
	if (o->at >= sizeof(struct mr_eth))
		mr_edit_set16(s->rec, p, o->at - 2u,
		    x->six ? mr_be16(MR_ETH_TYPE_IP4) : mr_be16(MR_ETH_TYPE_IP6));
	p->flags &= (uint16_t) ~(MR_PACKET_CSUM_GOOD | MR_PACKET_HASHED);
	return XLAT_OK;
}
