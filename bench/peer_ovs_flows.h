/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEER_OVS_FLOWS_H
#define MR_BENCH_PEER_OVS_FLOWS_H

/*
 * Open vSwitch as the peer of rows about routed flows: bench/peer_ovs.h, given the same frames, with
 * rules that do the same (bench/ovs_rules.h).
 *
 * Ownership, threads, errors: as in bench/peer_ovs.h.
 */

#include "bench/ovs_rules.h"
#include "bench/peer_ovs.h"
#include "bench/traffic.h"

struct mr_bench_ovs_flows {
	const struct mr_bench_traffic *traffic;
	const struct mr_bench_ovs_match *matches;
	unsigned match_count; /* 0: no ACL */
	bool conntrack;       /* connections are tracked, and all of them established */
};

int mr_bench_ovs_flows_start(void **ovs, struct mr_bench_run *, const struct mr_bench_ovs_flows *,
    char *label, size_t size, struct mr_error *);

/* A row's kind of peer. */
#define MR_BENCH_OVS_PEER(name_, start_) \
	{ \
		name_, start_, mr_bench_ovs_window, mr_bench_ovs_stop, mr_bench_ovs_thread \
	}

#endif
