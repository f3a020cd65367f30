/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NPTV6_NPTV6_INT_H
#define MR_NF_NPTV6_NPTV6_INT_H

/*
 * Prefix translation (RFC 6296): an address with the inside's prefix becomes one with the outside's, and
 * back, by computation alone. One 16-bit word behind the prefix takes the difference of both, so
 * that the sum over the address, and with it every checksum that covers it, stays as it was:
 *
 *   prefixes up to /48     bits 48 to 63, the subnet
 *   longer ones            the first word of the interface identifier that is not 0xffff
 *
 * map.c has the arithmetic, node.c the nodes, nptv6.c the function.
 *
 * Threads: rules are constant; an interface's are replaced as a whole.
 */

#include "kit/base/generation.h"
#include "kit/graph/node.h"
#include "kit/port/port.h"

#define NPTV6_RULES_MAX 16u /* of an interface */

struct nptv6_side {
	uint8_t prefix[8];
	uint16_t adjust; /* what becoming the other side's adds to a word, in one's complement */
};

enum { NPTV6_INSIDE, NPTV6_OUTSIDE, NPTV6_SIDES };

struct nptv6_rule {
	struct nptv6_side side[NPTV6_SIDES];
	uint8_t mask[8];
	uint8_t len;
};

/* Both prefixes of `len` bits, at most 64. */
void nptv6_rule_make(struct nptv6_rule *, const uint8_t inside[16], const uint8_t outside[16],
    unsigned len);

mr_inline bool
nptv6_has(const struct nptv6_rule *r, unsigned side, const uint8_t *address)
{
	uint64_t a, mask, prefix;

	memcpy(&a, address, 8);
	memcpy(&mask, r->mask, 8);
	memcpy(&prefix, r->side[side].prefix, 8);
	return (a & mask) == prefix;
}

/* The address, which has this side's prefix, as it is on the other. False: it has none there. */
bool nptv6_map(const struct nptv6_rule *, unsigned side, const uint8_t address[16],
    uint8_t out[16]);

/* What the node of an interface does. */
struct nptv6_set {
	unsigned outside, inside;                    /* how many */
	struct nptv6_rule rules[2][NPTV6_RULES_MAX]; /* [1]: for which it is outside */
};

/* A node's `self`: one for what comes in, one for what leaves. */
struct nptv6_stage {
	struct nptv6_stage *next;
	char name[MR_PORT_NAME_MAX];
	uint16_t interface;
	uint16_t node;
	bool out, wanted, fresh;
	_Atomic(const struct nptv6_set *) set;
	struct nptv6_set *then, *old; /* control: during a change */
	struct mr_generation generation;
};

/* X(constant, name, doc) */
#define NPTV6_DROPS(X) \
	X(UNMAPPABLE, "nptv6-unmappable", \
	    "an address that has none on the other side: subnet 0xffff, or an identifier of ones")
#define NPTV6_COUNTERS(X) \
	X(OUT, "outward", "packets whose source became an outside address") \
	X(IN, "inward", "packets whose destination became an inside address") \
	X(HAIRPIN, "hairpins", "packets from inside to inside by outside addresses") \
	X(ERRORS, "icmp-errors", \
	    "of these: ICMPv6 errors, in which a quoted address was changed too")

/* clang-format off */
enum nptv6_drop {
#define X(id, name, doc) NPTV6_DROP_##id,
	NPTV6_DROPS(X)
#undef X
	NPTV6_DROP_COUNT,
};
enum nptv6_counter {
#define X(id, name, doc) NPTV6_COUNT_##id,
	NPTV6_COUNTERS(X)
#undef X
	NPTV6_COUNT_COUNT,
};
/* clang-format on */

extern const struct mr_node_class nptv6_in_class, nptv6_out_class;

#endif
