/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_XLAT_XLAT_TEST_INT_H
#define MR_NF_XLAT_XLAT_TEST_INT_H

/*
 * For tests of the translator: the slow oracle. A packet is described once, and written in either
 * family from the description, each header byte by byte and each checksum summed up anew; the
 * translator must make one of the other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/packet/buffers.h"
#include "kit/packet/wire.h"
#include "nf/xlat/xlat.h"

#define L3 14u

/* A message's two faces. */
struct icmp_pair {
	uint8_t type4, code4, type6, code6;
	uint32_t word4, word6;
};

struct story {
	uint8_t src4[4], dst4[4], src6[16], dst6[16];
	uint8_t tos, hops;
	uint8_t proto; /* TCP, UDP, SCTP, UDP-Lite, GRE, or ICMP for both families' */
	bool fragment, more, whole;
	uint16_t id, offset;
	uint16_t ports4[2], ports6[2]; /* of an echo the first */
	bool reply, unsummed;
	const struct icmp_pair *error; /* null: an echo */
	const struct story *quoted;    /* of an error */
	unsigned quoted_len;           /* bytes of layer 4 quoted */
	uint8_t data[1500];            /* behind ports and fixed fields */
	unsigned len;
	unsigned options4, extension6; /* bytes in front of layer 4 that do not come through */
};

mr_inline void
put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

mr_inline void
put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

/* RFC 1071, word by word. */
mr_inline uint32_t
add_words(uint32_t sum, const uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

mr_inline unsigned
story_l4_len(const struct story *s)
{
	switch (s->proto) {
	case MR_IP_PROTO_TCP:
		return 20 + s->len;
	case MR_IP_PROTO_SCTP:
		return 12 + s->len;
	default:
		return (s->offset ? 0 : 8) + s->len;
	}
}

unsigned story_write(const struct story *, bool six, bool quoted, uint8_t *out);

/* Layer 4 as a story has it; `whole` bytes of it exist, as the header says. */
mr_inline unsigned
story_l4(const struct story *s, bool six, uint8_t *out)
{
	const uint16_t *ports = six ? s->ports6 : s->ports4;
	unsigned len = 0, check = 0;
	uint8_t pseudo[40];
	uint32_t sum = 0;

	if (s->offset) {
		memcpy(out, s->data, s->len);
		return s->len;
	}
	memset(out, 0, 20);
	put16(out, ports[0]);
	put16(out + 2, ports[1]);
	switch (s->proto) {
	case MR_IP_PROTO_TCP:
		memcpy(out + 4, s->data, 8); /* sequence numbers */
		out[12] = 5 << 4;
		out[13] = s->data[8];
		len = 20;
		check = 16;
		break;
	case MR_IP_PROTO_UDP:
		put16(out + 4, 8 + s->len);
		len = 8;
		check = 6;
		break;
	case MR_IP_PROTO_UDPLITE:
		len = 8;
		check = 6;
		break;
	case MR_IP_PROTO_SCTP:
		memcpy(out + 4, s->data, 8);
		len = 12;
		break;
	case MR_IP_PROTO_ICMP:
		len = 8;
		check = 2;
		memset(out, 0, 4);
		if (s->error) {
			out[0] = six ? s->error->type6 : s->error->type4;
			out[1] = six ? s->error->code6 : s->error->code4;
			put32(out + 4, six ? s->error->word6 : s->error->word4);
			len += story_write(s->quoted, six, true, out + 8);
		} else {
			out[0] = six ? 128 + s->reply : s->reply ? 0 : 8;
			put16(out + 4, ports[0]);
			put16(out + 6, s->id);
		}
		break;
	default:
		memcpy(out, s->data, 8);
		len = 8;
		break;
	}
	if (!s->error) {
		memcpy(out + len, s->data, s->len);
		len += s->len;
	}
	if (!check || s->unsummed)
		return len;
	if (six || s->proto != MR_IP_PROTO_ICMP) {
		unsigned size = six ? 16 : 4, proto = s->proto;

		if (six && proto == MR_IP_PROTO_ICMP)
			proto = MR_IP_PROTO_ICMP6;
		memcpy(pseudo, six ? s->src6 : s->src4, size);
		memcpy(pseudo + size, six ? s->dst6 : s->dst4, size);
		put32(pseudo + 2 * size, len);
		put32(pseudo + 2 * size + 4, proto);
		sum = add_words(0, pseudo, 2 * size + 8);
	}
	sum = 0xffff & ~add_words(sum, out, len);
	if (!sum && s->proto == MR_IP_PROTO_UDP)
		sum = 0xffff;
	put16(out + check, sum);
	return len;
}

/* The IP packet; of a quoted one layer 4 is cut. Returns its length. */
mr_inline unsigned
story_ip(const struct story *s, bool six, bool quoted, uint8_t *ip)
{
	uint8_t l4[4096];
	uint8_t mine[2048];
	unsigned at, len = story_l4(s, six, s->error ? l4 : mine), all = len;
	const uint8_t *from = s->error ? l4 : mine;
	uint32_t word;

	if (quoted && len > s->quoted_len)
		len = s->quoted_len;
	memset(ip, 0, 64);
	if (six) {
		unsigned next = s->proto == MR_IP_PROTO_ICMP ? MR_IP_PROTO_ICMP6 : s->proto;
		unsigned extra = s->extension6 + (s->fragment ? 8 : 0);

		put32(ip, 6u << 28 | (uint32_t)s->tos << 20);
		put16(ip + 4, all + extra);
		ip[6] = (uint8_t)(s->fragment ? MR_IP_PROTO_FRAGMENT : next);
		ip[7] = s->hops;
		memcpy(ip + 8, s->src6, 16);
		memcpy(ip + 24, s->dst6, 16);
		at = 40;
		if (s->extension6) {
			ip[at] = ip[6];
			ip[6] = MR_IP_PROTO_DEST_OPTIONS;
			ip[at + 1] = (uint8_t)(s->extension6 / 8 - 1);
			memset(ip + at + 2, 0, s->extension6 - 2); /* Pad1 */
			at += s->extension6;
		}
		if (s->fragment) {
			memset(ip + at, 0, 8);
			ip[at] = (uint8_t)next;
			put16(ip + at + 2, s->offset | s->more);
			put32(ip + at + 4, s->id);
			at += 8;
		}
	} else {
		at = 20 + s->options4;
		memset(ip + 20, 1, s->options4); /* no operation */
		ip[0] = (uint8_t)(0x40 | at / 4);
		ip[1] = s->tos;
		put16(ip + 2, at + all);
		put16(ip + 6, s->offset / 8 | (s->more ? 0x2000 : 0) | (s->whole ? 0x4000 : 0));
		if (s->fragment)
			put16(ip + 4, s->id);
		ip[8] = s->hops;
		ip[9] = s->proto;
		memcpy(ip + 12, s->src4, 4);
		memcpy(ip + 16, s->dst4, 4);
		/* What RFC 7915, 5.1 leaves to the translator: ours, kit/record/family.h. */
		if (!s->fragment && !s->whole) {
			static uint8_t before[4096];

			(void)story_l4(s, true, before);
			memcpy(&word, before + 4, 4);
			word = (word * 0x9e3779b1u) >> 16;
			memcpy(ip + 4, &word, 2);
		}
		put16(ip + 10, 0xffff & ~add_words(0, ip, at));
	}
	memcpy(ip + at, from, len);
	return at + len;
}

#endif
