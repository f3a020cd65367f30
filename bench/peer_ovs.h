/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEER_OVS_H
#define MR_BENCH_PEER_OVS_H

/*
 * Open vSwitch as a peer: its userspace datapath on DPDK (Debian's openvswitch-switch-dpdk), in
 * a folder and a network namespace of its own, one polling thread on the measured core,
 * everything else on the other one. Caches and classifier as they come: an exact-match cache
 * of 8,192 entries that takes one in a hundred of those that it misses, megaflows behind it.
 *
 *   [in: net_pcap, infinite_rx] -- 1 br0 2 -- [out: net_null, receives nothing]
 *                                   3
 *                                   `-- [back: net_pcap, once: answers, for conntrack]
 *
 * It runs (SIGCONT) only during its windows. A window's cost is what its own polling thread
 * counts: time-stamp cycles between two readings over packets received, the whole loop, as for
 * us. Every window also sees to it that what was received was sent.
 *
 * It is fed in the fastest way that it offers: net_pcap keeps a buffer for each frame. What
 * receiving and sending alone cost is measured at the start with one rule, port to port, and is
 * noted in the row's config line. Buffers are sized by its per-port-memory: a queue's worth per
 * queue asked for, so more queues are asked for than the port has.
 *
 * With conntrack the answers to all frames are played once, so that every connection is
 * established; it is checked that none is new any more.
 *
 * Ownership: mr_bench_ovs_stop ends its processes and removes its folder; they die with us.
 * Threads: one. Errors: with the last that Open vSwitch complained of.
 */

#include "bench/bench.h"

/* Of the bridge's ports, in rules. */
#define MR_BENCH_OVS_IN 1
#define MR_BENCH_OVS_OUT 2
#define MR_BENCH_OVS_BACK 3

struct mr_bench_ovs_config {
	const char *capture; /* of the frames, a file */
	unsigned frame_count;
	const char *rules; /* a file: bench/ovs_rules.h, or any other OpenFlow rules */
	const char *back;  /* a capture of answers to be played once; null: none */
	unsigned back_count;
	bool drops; /* its rules may drop: do not insist that all is sent */
};

struct mr_bench_ovs;

/* `label` becomes "ovs-dpdk 3.1.0". */
int mr_bench_ovs_start(struct mr_bench_ovs **out, struct mr_bench_run *,
    const struct mr_bench_ovs_config *, char *label, size_t size, struct mr_error *);

/* With the shapes of struct mr_bench_peer's functions; cycles per packet. */
int mr_bench_ovs_window(struct mr_bench_run *, void *ovs, double *value, struct mr_error *);
pid_t mr_bench_ovs_thread(void *ovs);
void mr_bench_ovs_stop(void *ovs);

#endif
