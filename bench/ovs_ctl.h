/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_OVS_CTL_H
#define MR_BENCH_OVS_CTL_H

/*
 * Open vSwitch's control socket: commands that ovs-appctl would send, as JSON-RPC over a stream
 * that stays open, so that a counter is read in a fraction of a millisecond.
 *
 * Ownership: mr_bench_ovs_ctl_close; a zeroed one with fd -1 may be closed.
 * Threads: one. Errors: with what was answered.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

struct mr_bench_ovs_ctl {
	int fd; /* -1: closed */
	char *buffer;
	size_t size;
};

/* Waits until somebody listens there. */
int mr_bench_ovs_ctl_open(struct mr_bench_ovs_ctl *, const char *path, int timeout_ms,
    struct mr_error *);
void mr_bench_ovs_ctl_close(struct mr_bench_ovs_ctl *);

/* `args`: null-terminated, or null. `text` is the answer, valid until the next call. */
int mr_bench_ovs_ctl_call(struct mr_bench_ovs_ctl *, const char *method, const char *const *args,
    char **text, struct mr_error *);

/* The first number behind `name` in `text`; false: there is none. */
bool mr_bench_ovs_number(const char *text, const char *name, uint64_t *number);

/* The text of a complete answer, unescaped in place, or null; `failed` says that it is an error's.
 * Of use to tests. */
char *mr_bench_ovs_answer(char *json, bool *failed);

#endif
