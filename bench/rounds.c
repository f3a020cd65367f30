/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounds: in each, every side has one window. A round in which one of the threads that
 * worked had to wait for its CPU, because something else ran there, says nothing
 * about the job and is dropped, for all sides, so that the rest stays paired. The
 * kernel counts that waiting per thread (schedstat).
 */
#include "bench/measure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How long a thread may wait in one window: waking up takes some. */
#define WAIT_SHARE 0.02
#define WAIT_NS 100000

enum { OURS, FLOOR, PEER, SIDES };

struct round {
	double values[SIDES];
	bool measured[SIDES];
	bool disturbed;
};

/* Nanoseconds that a thread has been runnable and not running; 0 when nobody knows. */
static uint64_t
waited(pid_t thread)
{
	unsigned long long ran, waiting = 0;
	char path[48];
	FILE *f;

	if (thread <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", thread);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &ran, &waiting) != 2)
		waiting = 0;
	fclose(f);
	return waiting;
}

static int
take_peer_window(struct mr_bench_run *run, struct mr_bench_sides *sides, double *value,
    struct mr_bench_result *result)
{
	struct mr_error error = { 0 };

	if (sides->peer->window(run, sides->peer_state, value, &error) == 0)
		return 0;
	/* Given up; what it has measured until then does not count. */
	sides->peer->stop(sides->peer_state);
	sides->peer = NULL;
	result->peer.count = 0;
	result->peer_skipped = error;
	return -1;
}

static int
take_window(struct mr_bench_run *run, struct mr_bench_sides *sides, unsigned side,
    struct round *round, struct mr_bench_result *result)
{
	const double limit = WAIT_NS + WAIT_SHARE * 1e9 * (double)run->window / (double)run->tsc_hz;
	pid_t worker = side == PEER && sides->peer && sides->peer->thread
	    ? sides->peer->thread(sides->peer_state)
	    : gettid();
	uint64_t before = waited(worker) + waited(run->second);
	int rc = 0;

	switch (side) {
	case OURS:
		rc = run->row->ours(run, &round->values[side], &result->skipped);
		break;
	case FLOOR:
		if (!run->row->floor)
			return 0;
		rc = run->row->floor(run, &round->values[side], &result->skipped);
		break;
	case PEER:
		if (!sides->peer || take_peer_window(run, sides, &round->values[side], result) < 0)
			return 0;
		break;
	}
	if (rc < 0 && !result->skipped.code)
		mr_error_set(&result->skipped, rc, "it failed: %s", strerror(-rc));
	round->measured[side] = rc == 0;
	if ((double)(waited(worker) + waited(run->second) - before) > limit)
		round->disturbed = true;
	return rc;
}

static int
keep_round(const struct round *round, struct mr_bench_result *result)
{
	struct mr_bench_side *into[SIDES] = { &result->ours, &result->floor, &result->peer };
	unsigned side;

	for (side = 0; side < SIDES; side++)
		if (round->measured[side] && mr_bench_side_add(into[side], round->values[side]) < 0)
			return mr_error_set(&result->skipped, -ENOMEM, "no memory for the windows");
	return 0;
}

void
mr_bench_rounds(struct mr_bench_run *run, struct mr_bench_sides *sides, double seconds,
    struct mr_bench_result *result)
{
	uint64_t begin = 0, span = (uint64_t)(seconds * (double)run->tsc_hz), spent = 0;
	unsigned least = run->row->rounds_min ? run->row->rounds_min : MR_BENCH_ROUNDS_MIN;
	unsigned number, side, kept = 0, dropped = 0;
	struct round round;

	/* Round 0 warms up. Who begins changes from round to round, so that no side always
	 * finds the caches as the same other one left them. */
	for (number = 0; kept < least || spent < span; number++) {
		if (number == 1)
			begin = mr_cycles();
		memset(&round, 0, sizeof(round));
		for (side = 0; side < SIDES; side++)
			if (take_window(run, sides, (side + number) % SIDES, &round, result) < 0)
				return;
		if (number == 0)
			continue;
		spent = mr_cycles() - begin;
		/* On a machine that is busy throughout, take what there is. */
		if (round.disturbed && (kept >= least || spent < 5 * span)) {
			dropped++;
			continue;
		}
		if (keep_round(&round, result) < 0)
			return;
		kept++;
	}
	if (dropped)
		mr_bench_note(run, "; %u of %u rounds dropped, other work took the core", dropped,
		    dropped + kept);
}
