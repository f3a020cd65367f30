/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/wire.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define WARM_UP_MS 10
#define WINDOWS_MAX 20
#define NAME 32

static const char *const sides[MR_BENCH_WIRE_SIDES] = { "ours", "bare", "peer" };

/* Where a side's frames are fed ('a') or counted ('b'). */
static void
name_end(const struct mr_bench_wire *w, unsigned side, char end, char name[NAME])
{
	snprintf(name, NAME, "%s%s-%c", w->tap ? "" : "far-", sides[side], end);
}

static int
make_veths(struct mr_bench_wire *w, struct mr_error *error)
{
	char name[NAME];
	unsigned side;
	int rc = 0;

	for (side = 0; side < 2 * MR_BENCH_WIRE_SIDES && rc == 0; side++) {
		snprintf(name, sizeof(name), "%s-%c", sides[side / 2], "ab"[side % 2]);
		rc = mr_bench_net_veth(&w->net, name, error);
	}
	return rc;
}

int
mr_bench_wire_open(struct mr_bench_wire *w, struct mr_bench_run *run, bool tap,
    struct mr_error *error)
{
	int rc;

	*w = MR_BENCH_WIRE_CLOSED;
	w->tap = tap;
	w->tsc_hz = run->tsc_hz;
	rc = mr_bench_net_open(&w->net, error);
	return rc == 0 && !tap ? make_veths(w, error) : rc;
}

void
mr_bench_wire_close(struct mr_bench_wire *w, struct mr_bench_run *run)
{
	mr_bench_feed_stop(&w->feed);
	if (w->received > 0)
		mr_bench_note(run, "; last window: %.2f Mpps offered, %.2f received by us",
		    w->offered, w->received);
	mr_bench_net_close(&w->net);
}

int
mr_bench_wire_feed(struct mr_bench_wire *w, struct mr_bench_run *run, struct mr_error *error)
{
	int rc;

	/* It redirects within the namespace where it runs. */
	mr_bench_net_enter(w->tap ? w->net.near : w->net.far, NULL);
	rc = mr_bench_feed_start(&w->feed, (unsigned)run->cpu_other, error);
	mr_bench_net_enter(w->net.near, NULL);
	return rc;
}

/* TAPs are brought up. */
int
mr_bench_wire_add(struct mr_bench_wire *w, enum mr_bench_wire_side side, struct mr_error *error)
{
	int where = w->tap ? w->net.near : w->net.far, rc = 0;
	char name[NAME];

	if (w->tap) {
		name_end(w, side, 'b', name);
		rc = mr_bench_net_up(&w->net, name, error);
		name_end(w, side, 'a', name);
		if (rc == 0)
			rc = mr_bench_net_up(&w->net, name, error);
	}
	name_end(w, side, 'a', name);
	if (rc == 0)
		rc = mr_bench_net_index(&w->net, where, name, error);
	if (rc < 0)
		return rc;
	mr_bench_net_enter(where, NULL);
	w->ways[side] = mr_bench_feed_add(&w->feed, rc, error);
	mr_bench_net_enter(w->net.near, NULL);
	return MR_MIN(w->ways[side], 0);
}

/* What a side does for some cycles; the frames that it received, where that is known. */
static uint64_t
work(const struct mr_bench_wire *w, unsigned (*turn)(void *), void *user, uint64_t cycles)
{
	uint64_t start = mr_cycles(), count = 0, ns = cycles * 1000 / (w->tsc_hz / 1000000);
	const struct timespec nap = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	if (!turn) {
		nanosleep(&nap, NULL);
		return 0;
	}
	do
		count += turn(user);
	while (mr_cycles() - start < cycles);
	return count;
}

int
mr_bench_wire_window(struct mr_bench_wire *w, struct mr_bench_run *run,
    enum mr_bench_wire_side side, unsigned (*turn)(void *), void *user, double *value,
    struct mr_error *error)
{
	int counts = w->tap ? w->net.near_counts : w->net.far_counts, rc;
	uint64_t before, after, begin, fed, received = 0;
	unsigned tries = 0;
	char end[NAME];
	double us;

	name_end(w, side, 'b', end);
	rc = mr_bench_feed_to(&w->feed, w->ways[side], error);
	if (rc < 0)
		return rc;
	work(w, turn, user, run->tsc_hz / 1000 * WARM_UP_MS);
	fed = mr_bench_feed_count(&w->feed);
	before = mr_bench_net_received(counts, end);
	begin = mr_cycles();
	/* On a busy machine the feeding process may not have had its CPU yet. */
	do {
		received += work(w, turn, user, run->window);
		after = mr_bench_net_received(counts, end);
	} while (after == before && ++tries < WINDOWS_MAX);
	us = (double)(mr_cycles() - begin) * 1e6 / (double)run->tsc_hz;
	fed = mr_bench_feed_count(&w->feed) - fed;
	if (side == MR_BENCH_WIRE_OURS) {
		w->offered = (double)fed / us;
		w->received = (double)received / us;
	}
	rc = mr_bench_feed_to(&w->feed, 0, error);
	work(w, turn, user, run->tsc_hz / 1000); /* what is still under way */
	if (rc == 0 && after == before)
		rc = mr_error_set(error, -EIO, "no frame came out at %s", end);
	*value = (double)(after - before) / us;
	return rc;
}
