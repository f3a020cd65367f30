/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT64_CONF_INT_H
#define MR_NF_NAT64_CONF_INT_H

/* What a configuration says of one instance, as numbers. */

#include "model/config.h"
#include "nf/nat64/nat64_int.h"

#define N64_RANGES 64u

/* What a pool is made of: another pool for any difference. All bytes are compared. */
struct n64_pool_conf {
	struct nat_range ranges[N64_RANGES];
	uint32_t range_count;
	uint32_t first, last;
	uint32_t ports, sessions; /* of a subscriber; 0: no limit */
};

struct n64_conf {
	char name[MR_PORT_NAME_MAX];
	struct n64_pool_conf pool;
	struct xlat_prefix prefix;
	uint32_t timeouts[N64_TIME_COUNT];
	uint16_t mtu, cut;
	bool by_address, private_too;
};

/* False: *why says what is wrong, and *at where. */
bool n64_conf_read(struct n64_conf *, const struct mr_conf *, const struct mr_conf **at, char *why,
    size_t size);

#endif
