/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_OVS_DAEMONS_H
#define MR_BENCH_OVS_DAEMONS_H

/*
 * Open vSwitch's processes for bench/peer_ovs.h: ovsdb-server and ovs-vswitchd with database,
 * sockets and log in a folder of their own, never the system's, and what is told them by
 * ovs-vsctl and ovs-ofctl. The switch runs in a network namespace of its own, because each of
 * its bridges makes an interface.
 *
 * It needs root and free hugepages.
 *
 * Ownership: stop ends what start began, halfway too, and removes the folder.
 * Threads: one; only the switch's polling thread runs on the measured core.
 * Errors: with what the switch logged as an error last, or what the tool said.
 */

#include "bench/bench.h"
#include "bench/child.h"

struct mr_bench_ovs_daemons {
	struct mr_bench_child ovsdb, vswitchd;
	struct mr_cpu_set cpus; /* where everything but the polling thread runs */
	char dir[48];           /* empty: none */
	char control[64];       /* the switch's control socket */
	char complaint[200];    /* mr_bench_ovs_daemons_complaint's */
};

/* With a bridge, and its ports `in`, which plays the capture, and `out`. */
int mr_bench_ovs_daemons_start(struct mr_bench_ovs_daemons *, const struct mr_bench_run *,
    const char *capture, unsigned frames, struct mr_error *);
void mr_bench_ovs_daemons_stop(struct mr_bench_ovs_daemons *);

/* The bridge's rules: those of a file, or one alone. */
int mr_bench_ovs_daemons_rules(struct mr_bench_ovs_daemons *, const char *path, struct mr_error *);
int mr_bench_ovs_daemons_rule(struct mr_bench_ovs_daemons *, const char *rule, struct mr_error *);

/* A port `back`, which plays a capture once; null: away with it. */
int mr_bench_ovs_daemons_back(struct mr_bench_ovs_daemons *, const char *capture,
    struct mr_error *);

/* The switch's last error, or "". */
const char *mr_bench_ovs_daemons_complaint(struct mr_bench_ovs_daemons *);

/* Its polling thread; 0: not found. */
pid_t mr_bench_ovs_daemons_thread(const struct mr_bench_ovs_daemons *);

#endif
