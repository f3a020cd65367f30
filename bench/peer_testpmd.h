/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEER_TESTPMD_H
#define MR_BENCH_PEER_TESTPMD_H

/*
 * dpdk-testpmd as a peer: one forwarding core (ours, while we do not run), its command
 * line on another CPU where there is one. It is started once and forwards only
 * during its windows ("start" ... "stop"); between them its core sleeps.
 *
 * A window's cost is the time-stamp cycles between two readings of its statistics,
 * divided by the packets sent in between: the whole loop, as for us. testpmd's own
 * `record-core-cycles` is left off, because reading the counter twice per burst of 32 makes
 * it slower (about 2 cycles of 40 per packet over net_null).
 *
 * What feeding it costs (packets have to come from somewhere) is measured at the start
 * with its `io` mode, or `rxonly` when `io` is what is compared, and is noted in
 * the row's config line.
 *
 * Hugepages are used when enough are free, else --no-huge; the config line says which.
 *
 * Ownership: mr_bench_testpmd_stop ends the process; it dies with us.
 * Threads: one. Errors: with what testpmd said last.
 */

#include "bench/bench.h"

#define MR_BENCH_TESTPMD_VDEVS 4

struct mr_bench_testpmd_config {
	const char *mode;                          /* "io", "macswap" ... */
	const char *vdevs[MR_BENCH_TESTPMD_VDEVS]; /* "net_pcap0,rx_pcap=...,infinite_rx=1" */
	unsigned mbufs; /* more than the captures have packets; 0: 16,384 */
	bool quiet;     /* add nothing to the row's config line: no feeding to measure */
};

struct mr_bench_testpmd;

/* Starts it, waits until it can forward, measures the feeding. `label` becomes
 * "dpdk-testpmd io 22.11.11". */
int mr_bench_testpmd_start(struct mr_bench_testpmd **out, struct mr_bench_run *,
    const struct mr_bench_testpmd_config *, char *label, size_t size, struct mr_error *);

/* These three have the shape of struct mr_bench_peer's functions; `testpmd` is what start
 * gave. One window, in cycles per packet: */
int mr_bench_testpmd_window(struct mr_bench_run *, void *testpmd, double *value, struct mr_error *);

/* Its forwarding thread. */
pid_t mr_bench_testpmd_thread(void *testpmd);

/* Has `watch` look at its process while it forwards. */
int mr_bench_testpmd_busy(struct mr_bench_testpmd *, struct mr_bench_run *,
    int (*watch)(struct mr_bench_run *, pid_t, double *value, struct mr_error *), double *value,
    struct mr_error *);

void mr_bench_testpmd_stop(void *testpmd);

#endif
