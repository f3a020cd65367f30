/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_OVS_RULES_H
#define MR_BENCH_OVS_RULES_H

/*
 * The OpenFlow rules that make Open vSwitch do what a router, an ACL and connection tracking do:
 *
 *   table 0   what comes in --> conntrack --> 1, or on
 *   table 1   new connections are committed, established ones pass
 *   table 2   the ACL: what a rule permits goes on
 *   table 3   routes: source and destination address, TTL, output
 *
 * Tables that are not asked for are left out. Port numbers are those of bench/peer_ovs.h.
 *
 * Ownership: a descriptor is the caller's to close. Threads: none. Errors: -errno.
 */

#include "bench/routes.h"

/* IPv4; of an ACL, in ascending order of priority's rank: the first that matches decides. */
struct mr_bench_ovs_match {
	uint32_t src, dst; /* host order */
	uint8_t src_len, dst_len;
	uint8_t proto; /* 0: any, ports then too */
	bool deny;
	uint16_t sport[2], dport[2]; /* first and last */
	uint16_t flags, flags_mask;  /* of TCP */
};

struct mr_bench_ovs_rules {
	const struct mr_bench_routes *routes; /* IPv4; null: everything goes out as it is */
	const uint8_t (*macs)[2][6];          /* of each next hop: its own, ours */
	/* Where there are more than 60,000, two or more that follow each other have one priority: to
	 * be had where it does not matter which of them it is. */
	const struct mr_bench_ovs_match *matches;
	unsigned match_count; /* 0: no ACL */
	bool conntrack;
};

/* Writes them to a file in memory; returns the descriptor that keeps it. `lines` is how many; a
 * range of ports takes several. */
int mr_bench_ovs_rules_write(const struct mr_bench_ovs_rules *, char *path, size_t size,
    unsigned *lines);

/* The value and mask of the largest block of a range of ports that starts at `from`; returns the
 * first port behind it. */
uint32_t mr_bench_ovs_block(uint32_t from, uint32_t last, uint16_t *mask);

#endif
