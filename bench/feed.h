/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_FEED_H
#define MR_BENCH_FEED_H

/*
 * Feeds interfaces with one frame, again and again, as fast as the kernel can: a child
 * process, on another CPU than the one that is measured, has an XDP program redirect live
 * frames (what xdp-trafficgen does). For a veth's far end this means that they arrive at the
 * near end, and the kernel's work of receiving them is done on the child's CPU; for a
 * TAP, that they lie there to be read.
 *
 * The kernel takes tens of milliseconds to begin and to end such a run. So there is one,
 * which goes on until stop, and the program reads from shared memory where the next
 * frame goes; at rest it drops them.
 *
 * Ownership: mr_bench_feed_stop ends the child; it dies with us. A zeroed feed may be stopped.
 * Threads: one. Errors: Linux before 5.18, no privilege.
 */

#include <sys/types.h>

#include "bench/bench.h"

#define MR_BENCH_FEED_WAYS 8

struct mr_bench_feed_shared;

struct mr_bench_feed {
	pid_t pid; /* 0: none */
	struct mr_bench_feed_shared *shared;
	int ways, memory, program; /* descriptors */
	unsigned way_count;
};

/* Starts the child, at rest. */
int mr_bench_feed_start(struct mr_bench_feed *, unsigned cpu, struct mr_error *);

/* An interface of the thread's network namespace; returns its way, from 1. */
int mr_bench_feed_add(struct mr_bench_feed *, int ifindex, struct mr_error *);

/* Where the next frames go; 0: nowhere. */
int mr_bench_feed_to(struct mr_bench_feed *, int way, struct mr_error *);

/* Frames that it has sent to any way so far. */
uint64_t mr_bench_feed_count(const struct mr_bench_feed *);

void mr_bench_feed_stop(struct mr_bench_feed *);

#endif
