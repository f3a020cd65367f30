/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_NET_H
#define MR_BENCH_NET_H

/*
 * Network namespaces for rows about kernel interfaces: `near`, where a data plane and its
 * peers open interfaces, and `far`, where the other ends are. They have no names and
 * go with the last descriptor, so with this process, however it ends.
 *
 *	far			near
 *	far-NAME ----veth---- NAME
 *
 * Ownership: mr_bench_net_close frees everything; a closed net may be closed again.
 * Threads: namespaces belong to the calling thread, which is in `near` after open and
 * back where it was after close. Children start where the thread is.
 * Errors: without the privilege, or without the ip command.
 */

#include "bench/bench.h"

struct mr_bench_net {
	int home, near, far; /* descriptors of namespaces; -1: none */
	int near_counts, far_counts;
};

#define MR_BENCH_NET_CLOSED ((struct mr_bench_net){ -1, -1, -1, -1, -1 })

int mr_bench_net_open(struct mr_bench_net *, struct mr_error *);
void mr_bench_net_close(struct mr_bench_net *);

/* A pair at default settings, both ends up; the far end is called far-NAME. */
int mr_bench_net_veth(struct mr_bench_net *, const char *name, struct mr_error *);

/* Brings an interface of `near` up. */
int mr_bench_net_up(struct mr_bench_net *, const char *name, struct mr_error *);

/* The index of an interface in `near` or `far` (one of the two descriptors). */
int mr_bench_net_index(struct mr_bench_net *, int where, const char *name, struct mr_error *);

/* A packet socket on a far end. */
int mr_bench_net_socket(struct mr_bench_net *, const char *name, struct mr_error *);

/* Puts the thread into `near` or `far`. */
int mr_bench_net_enter(int where, struct mr_error *);

/* Frames that the kernel received on an interface; 0 when there is none. */
uint64_t mr_bench_net_received(int counts, const char *name);

/* A UDP/IPv4 frame of 64 bytes to a station that nobody is, checksums right. */
#define MR_BENCH_NET_FRAME 64
void mr_bench_net_frame(uint8_t frame[MR_BENCH_NET_FRAME]);

#endif
