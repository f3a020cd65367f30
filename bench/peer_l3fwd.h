/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEER_L3FWD_H
#define MR_BENCH_PEER_L3FWD_H

/*
 * DPDK's l3fwd as a peer: its routing example, built when first wanted from the source that
 * Debian's package dpdk-doc installs, with the few changes of bench/peers/l3fwd. It stays as
 * it is but for three things: its tables have room for a full table; it forwards in windows
 * that we ask for and sleeps between them; and it has buffers enough to play all frames.
 *
 * It is fed in the fastest way that it offers, net_pcap with infinite_rx. That keeps a buffer of
 * 2 KB for each frame and misses the cache three times on the way to it. With `fed` it is
 * given what it does not offer: it receives from net_null, whose buffers are hot, and a receive
 * callback of ours copies the next of the same frames into them, from a dense array,
 * which is what our own port does. The stricter comparison of the two.
 *
 * What receiving and sending alone cost is measured at the start and stands in the row's config
 * line, as does what the other of its two tables takes, and what it takes when fed.
 *
 * What it sends goes to net_null too. A next hop is a port for l3fwd; with more of them it
 * gets slower (each has a burst of its own to fill), so it gets one port unless told.
 *
 * Ownership: mr_bench_l3fwd_stop ends the process; it dies with us.
 * Threads: one. Errors: with what l3fwd, or its build, said last.
 */

#include "bench/bench.h"

struct mr_bench_l3fwd_config {
	const char *mode; /* "lpm", "fib", or null: whichever is faster on this input */
	unsigned ports;   /* 1 to 16 */
	bool fed;
	const char *frames;  /* a file of frames of 64 bytes */
	const char *capture; /* the same as a capture */
	unsigned frame_count;
	const char *routes; /* a file of rules, in ascending order of length */
	bool ip6;
};

struct mr_bench_l3fwd;

/* Builds it if need be, starts it and sees it forward. `label` becomes
 * "dpdk-l3fwd-fib 22.11.11". */
int mr_bench_l3fwd_start(struct mr_bench_l3fwd **out, struct mr_bench_run *,
    const struct mr_bench_l3fwd_config *, char *label, size_t size, struct mr_error *);

/* With the shapes of struct mr_bench_peer's functions; cycles per packet. */
int mr_bench_l3fwd_window(struct mr_bench_run *, void *l3fwd, double *value, struct mr_error *);
pid_t mr_bench_l3fwd_thread(void *l3fwd);
void mr_bench_l3fwd_stop(void *l3fwd);

#endif
