/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_PARSE_INT_H
#define MR_KIT_PACKET_PARSE_INT_H

/*
 * What parse.c and parse_tunnel.c share: the bytes under the parser, and the one check that
 * stands in front of every read.
 */

#include "kit/packet/parse.h"

struct mr_span {
	const uint8_t *bytes;
	unsigned len;   /* of them, at most 65,535 - 64 so that offsets fit 16 bits */
	unsigned total; /* of the packet, or of the tunnel's content; at least len or not */
};

/* `size` bytes at `at`, or out: with `short_error` when the layer ends before, with
 * MR_PARSE_SPLIT when they are there, but not in the first segment. r->end is the
 * end of the layer, never more than the packet has. */
#define MR_NEED(r, s, at, size, short_error) \
	do { \
		unsigned mr_upto = (unsigned)(at) + (unsigned)(size); \
		if (mr_unlikely(mr_upto > (r)->end)) \
			return short_error; \
		if (mr_unlikely(mr_upto > (s)->len)) \
			return MR_PARSE_SPLIT; \
	} while (0)

/* Each expects r zeroed but for what precedes its layer: l3 and ethertype. */
enum mr_parse_error mr_parse_ethernet_at(struct mr_parsed *, const struct mr_span *, unsigned at);
enum mr_parse_error mr_parse_l3_at(struct mr_parsed *, const struct mr_span *);
enum mr_parse_error mr_parse_ip4_at(struct mr_parsed *, const struct mr_span *);
enum mr_parse_error mr_parse_ip6_at(struct mr_parsed *, const struct mr_span *);
enum mr_parse_error mr_parse_ip_at(struct mr_parsed *, const struct mr_span *, unsigned at);

#endif
