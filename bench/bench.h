/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_BENCH_H
#define MR_BENCH_BENCH_H

/*
 * Side-by-side benchmarks: a row is one job, done by us, by the bare loop for that
 * job (the floor) and by somebody else's program (the peer). The three take turns in
 * short windows on one pinned core, so that whatever disturbs the machine
 * disturbs all of them; medians of those windows are compared.
 *
 * A family is one file with its rows in a table; it is declared in
 * bench/meson.build and exports `const struct mr_bench_family mr_bench_family_NAME`.
 *
 * Ownership: `state` is the row's between setup and teardown, a peer's state the peer's
 * between start and stop. Teardown is called after every successful setup.
 * Threads: the functions of a row are called by one thread, pinned to run->cpu.
 * Errors: what keeps a row or a peer from running is an error with a sentence; it is
 * reported as the reason why the row or its peer was skipped.
 */

#include <sys/types.h>

#include "kit/base/cpu.h"
#include "kit/base/def.h"
#include "kit/base/error.h"

struct mr_bench_row;

struct mr_bench_run {
	const struct mr_bench_row *row;
	uint64_t tsc_hz;
	uint64_t window; /* cycles that one window should last, about */
	unsigned cpu;    /* where we are pinned, and where a peer does its work */
	int cpu_other;   /* for a second thread, on another core where there is one; -1: none */
	struct mr_cpu_set allowed; /* where other processes may run */
	pid_t second;              /* the row's second thread while it has one, else 0 */
	void *state;               /* the row's */
	char config[512];          /* starts as the row's config; setup and peers may add to it */
};

/* One window: runs for about run->window cycles and stores one value in the row's unit. */
typedef int mr_bench_window(struct mr_bench_run *, double *value, struct mr_error *);

struct mr_bench_peer {
	const char *name; /* for --peer: "dpdk" */
	/* Fills `label` with its name and version. */
	int (*start)(struct mr_bench_run *, void **state, char *label, size_t size,
	    struct mr_error *);
	int (*window)(struct mr_bench_run *, void *state, double *value, struct mr_error *);
	void (*stop)(void *state);
	/* The thread that does its work, to see whether it had its CPU; null: not known. */
	pid_t (*thread)(void *state);
};

struct mr_bench_row {
	const char *name;
	const char *unit; /* "cycles/packet" */
	const char *doc;
	const char *config;  /* one line: what runs on both sides */
	uint64_t param;      /* for families that share functions */
	unsigned window_ms;  /* 0: MR_BENCH_WINDOW_MS */
	unsigned rounds_min; /* 0: MR_BENCH_ROUNDS_MIN */
	bool two_cpus;       /* cannot run on one */
	bool more_is_better; /* a rate */
	int (*setup)(struct mr_bench_run *, struct mr_error *); /* null: nothing to do */
	void (*teardown)(struct mr_bench_run *);
	mr_bench_window *ours;
	mr_bench_window *floor;                   /* null: none */
	const struct mr_bench_peer *const *peers; /* null-terminated, the best first; or null */
};

#define MR_BENCH_WINDOW_MS 5
/* Rounds that are measured even when they take longer than was asked. */
#define MR_BENCH_ROUNDS_MIN 5

struct mr_bench_family {
	const char *name;
	const struct mr_bench_row *rows;
	size_t count;
};

/* Written by the build; ends with a null pointer. */
extern const struct mr_bench_family *const mr_bench_family_list[];

/* The verb: `bench --list`, `bench ROW... [options]`; argv[0] is not looked at. Prints to
 * stdout, complaints to stderr; returns the exit status. */
int mr_bench_main(int argc, char **argv);

/* Adds to the line that says what ran. */
void mr_bench_note(struct mr_bench_run *, const char *fmt, ...) mr_printf(2, 3);

#endif
