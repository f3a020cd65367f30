/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_LOG_WHOHAD_INT_H
#define MR_NF_NAT_LOG_WHOHAD_INT_H

/* What whohad.c and whohad_file.c share. */

#include "nf/nat/log/whohad.h"

#define NAT_WHOHAD_NATS 256u

struct nat_interval {
	be32_t outside;
	uint16_t first, last;
	uint16_t nat;
	uint8_t protocol; /* 0: a block */
	bool six;
	uint16_t inside_port;
	uint8_t inside[16];
	int64_t from, to;
	int64_t reach; /* the latest end of those of its key up to it */
};

struct nat_whohad {
	struct nat_interval *entries;
	uint32_t count, room;
	uint32_t *open; /* of each key the last interval's number + 1 */
	uint32_t open_mask, keys;
	uint32_t span; /* ports of the largest block */
	be32_t only;
	bool sealed;
	uint64_t lines, bad;
	unsigned nat_count;
	char nats[NAT_WHOHAD_NATS][NAT_LINE_NAME_MAX];
};

#endif
