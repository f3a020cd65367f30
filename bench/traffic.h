/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_TRAFFIC_H
#define MR_BENCH_TRAFFIC_H

/*
 * What rows about routed flows send: frames in memory and in a capture, each flow one of them, and
 * the routes that they take.
 *
 * Ownership: close frees everything; a zeroed one whose capture is -1 may be closed
 * (MR_BENCH_TRAFFIC_CLOSED).
 * Threads: one. Errors: no memory.
 */

#include "bench/bench.h"
#include "bench/frames.h"
#include "bench/routes.h"

/* Frames there are at least: fewer would stay in the first caches of whoever sends them. */
#define MR_BENCH_TRAFFIC_MIN 8192u

struct mr_bench_traffic_config {
	unsigned bits;     /* of addresses: 32 or 128 */
	uint32_t prefixes; /* 0: MR_BENCH_HOPS that are all of IPv4, one for each hop */
	uint32_t flows;    /* a power of two */
	/* Makes the next flow's frame; null: a UDP datagram to an address in a random prefix. */
	void (*draw)(uint8_t frame[MR_BENCH_FRAME], const struct mr_bench_routes *, uint64_t *rng,
	    void *user);
	void *user;
	/* The capture's frames are made of these, `write_len` bytes of each; null: they are the same. */
	mr_bench_frame_write *write;
	unsigned write_len;
};

struct mr_bench_traffic {
	struct mr_bench_routes routes;
	uint32_t flows, count; /* powers of two: frames are flows again and again */
	uint8_t (*frames)[MR_BENCH_FRAME];
	uint8_t macs[MR_BENCH_HOPS][2][6]; /* of each next hop: its own, ours */
	int capture;
	char path[48];
};

#define MR_BENCH_TRAFFIC_CLOSED ((struct mr_bench_traffic){ .capture = -1 })

/* Where frames are sent to. */
extern const uint8_t mr_bench_traffic_mac[6];

int mr_bench_traffic_open(struct mr_bench_traffic *, const struct mr_bench_traffic_config *,
    struct mr_error *);
void mr_bench_traffic_close(struct mr_bench_traffic *);

/* Answers to all flows as a capture, from the first again up to `count`; returns the descriptor
 * that keeps it. `answer` makes one of a flow's frame; `write` as above. */
int mr_bench_traffic_answers(const struct mr_bench_traffic *, uint32_t count,
    void (*answer)(uint8_t frame[MR_BENCH_FRAME]), mr_bench_frame_write *write, unsigned write_len,
    char *path, size_t size);

/* The next hops of all frames, for free(), by a search of the routes, one by one: for few routes.
 * Null without memory, or where there is no route. */
uint8_t *mr_bench_traffic_hops(const struct mr_bench_traffic *);

#endif
