/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_CHILD_H
#define MR_BENCH_CHILD_H

/*
 * Another program that is talked to in lines: a peer.
 *
 * Ownership: a started child is stopped by mr_bench_child_stop; it dies with us.
 * Threads: one.
 * Errors: a child that ends, or does not answer in time, is told with what it said last.
 */

#include <sys/types.h>

#include "kit/base/cpu.h"
#include "kit/base/def.h"
#include "kit/base/error.h"

struct mr_bench_child {
	pid_t pid;   /* 0: none */
	int in, out; /* its standard input and output, errors included; -1: closed */
	size_t have, used;
	char buffer[4096];
	char last[160]; /* what it said last, for errors */
};

/* Starts argv[0] (searched in PATH when it has no slash), free to run on `cpus`. With
 * `terminal` it talks to a pseudo-terminal, for programs that buffer otherwise. */
int mr_bench_child_start(struct mr_bench_child *, char *const argv[], bool terminal,
    const struct mr_cpu_set *cpus, struct mr_error *);
int mr_bench_child_send(struct mr_bench_child *, const char *text, struct mr_error *);

/* Waits for a line that contains `wanted` and copies it, up to `size` bytes, to `line`. */
int mr_bench_child_expect(struct mr_bench_child *, const char *wanted, char *line, size_t size,
    int timeout_ms, struct mr_error *);

/* Says `farewell`, or sends SIGTERM when that is null, gives it a second to end, then kills
 * it. */
void mr_bench_child_stop(struct mr_bench_child *, const char *farewell);

#endif
