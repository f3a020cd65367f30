/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEERS_H
#define MR_BENCH_PEERS_H

/*
 * What peers share. Threads: none.
 */

#include <sys/types.h>

#include "kit/base/def.h"

/* Looks for a file of ours in $MR_BENCH_PEERS, in `peers` and `bench/peers` beside the
 * running program, and where it was installed. */
bool mr_bench_peers_find(const char *name, char *path, size_t size);

/* Whether so much memory is there in free hugepages of 2 MB. */
bool mr_bench_peers_hugepages(unsigned megabytes);

/* The first of a process's threads that has this in its name; 0: not found. */
pid_t mr_bench_peers_thread(pid_t process, const char *name);

/* The thread of a DPDK program's only lcore beside the main one, "lcore-worker-1"; 0: not
 * found. */
pid_t mr_bench_peers_worker(pid_t process);

#endif
