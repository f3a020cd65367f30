/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_WIRE_H
#define MR_BENCH_WIRE_H

/*
 * Rows in which frames that the kernel has for us cross from one interface to another and go back to
 * the kernel. Everybody has a pair of interfaces, all alike, so that all stay open and can take
 * turns; the frames are fed to whoever's turn it is.
 *
 *	far			       near
 *	fed ---> far-ours-a -------- ours-a  ours ---+
 *	counted  far-ours-b <------- ours-b  <-------+
 *	         far-bare-a ...      bare-a, bare-b  the floor
 *	         far-peer-a ...      peer-a, peer-b  the peer
 *
 * With TAPs there is no far end: ours-a is fed, and what is written to ours-b is counted there.
 *
 * Feeding, for veths with the kernel's half of receiving, has a CPU of its own and makes more than
 * anybody forwards; forwarding, with the kernel's half of sending, has the pinned core.
 *
 * Ownership: mr_bench_wire_close frees everything; MR_BENCH_WIRE_CLOSED may be closed.
 * Threads: one, in the namespace `near` until it is closed. Errors: no privilege, an old kernel.
 */

#include "bench/feed.h"
#include "bench/net.h"

enum mr_bench_wire_side {
	MR_BENCH_WIRE_OURS,
	MR_BENCH_WIRE_BARE,
	MR_BENCH_WIRE_PEER,
	MR_BENCH_WIRE_SIDES
};

/* What a router between them needs: whom frames are from and to, its addresses, and who is next. */
#define MR_BENCH_WIRE_SRC "10.77.0.1"
#define MR_BENCH_WIRE_DST "10.77.0.2"
#define MR_BENCH_WIRE_IN "10.77.0.254"
#define MR_BENCH_WIRE_OUT "192.0.2.1"
#define MR_BENCH_WIRE_HOP "192.0.2.2"
#define MR_BENCH_WIRE_HOP_MAC "02:00:00:00:00:99"

struct mr_bench_wire {
	struct mr_bench_net net;
	struct mr_bench_feed feed;
	bool tap;
	int ways[MR_BENCH_WIRE_SIDES]; /* of the feed */
	uint64_t tsc_hz;
	double offered, received; /* in our last window */
};

#define MR_BENCH_WIRE_CLOSED ((struct mr_bench_wire){ .net = MR_BENCH_NET_CLOSED })

/* Namespaces, and all veths in them; TAPs are made by who opens them. */
int mr_bench_wire_open(struct mr_bench_wire *, struct mr_bench_run *, bool tap, struct mr_error *);
void mr_bench_wire_close(struct mr_bench_wire *, struct mr_bench_run *);

/* When interfaces are open: starts feeding, at rest. */
int mr_bench_wire_feed(struct mr_bench_wire *, struct mr_bench_run *, struct mr_error *);
/* A side's interfaces are open: it can be fed. */
int mr_bench_wire_add(struct mr_bench_wire *, enum mr_bench_wire_side, struct mr_error *);

/* A window: frames per microsecond that come out of a side. `turn` does its work and returns how
 * many frames it received; null: it works by itself. */
int mr_bench_wire_window(struct mr_bench_wire *, struct mr_bench_run *, enum mr_bench_wire_side,
    unsigned (*turn)(void *user), void *user, double *value, struct mr_error *);

#endif
