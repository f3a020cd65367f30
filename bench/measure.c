/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/measure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/cpu.h"

void
mr_bench_note(struct mr_bench_run *run, const char *fmt, ...)
{
	size_t used = strlen(run->config);
	va_list args;

	va_start(args, fmt);
	vsnprintf(run->config + used, sizeof(run->config) - used, fmt, args);
	va_end(args);
}

int
mr_bench_side_add(struct mr_bench_side *side, double value)
{
	size_t room;
	double *grown;

	if (side->count == side->room) {
		room = side->room ? side->room * 2 : 64;
		grown = realloc(side->values, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		side->values = grown;
		side->room = room;
	}
	side->values[side->count++] = value;
	return 0;
}

static int
compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void
mr_bench_side_settle(struct mr_bench_side *side)
{
	size_t n = side->count;

	if (!n)
		return;
	qsort(side->values, n, sizeof(*side->values), compare_values);
	side->min = side->values[0];
	side->max = side->values[n - 1];
	side->median = (side->values[(n - 1) / 2] + side->values[n / 2]) / 2;
}

double
mr_bench_ratio(const struct mr_bench_side *ours, const struct mr_bench_side *other)
{
	return ours->count && other->count && other->median > 0 ? ours->median / other->median : -1;
}

void
mr_bench_result_clear(struct mr_bench_result *result)
{
	free(result->ours.values);
	free(result->floor.values);
	free(result->peer.values);
	memset(result, 0, sizeof(*result));
}

/* The last CPU we may use, as the first one serves most interrupts, and for a second
 * thread another core, not another thread of the same one, where there is one. */
static int
choose_cpus(struct mr_bench_run *run, int wanted, struct mr_error *error)
{
	const struct mr_cpu_set *allowed = &run->allowed;
	struct mr_cpu_place place;
	int rc;

	rc = mr_cpu_allowed(&run->allowed, error);
	if (rc < 0)
		return rc;
	if (wanted >= 0 && !mr_cpu_set_has(allowed, (unsigned)wanted))
		return mr_error_set(error, -EINVAL, "CPU %d is not one that we may use", wanted);
	mr_cpu_set_foreach(cpu, allowed) run->cpu = (unsigned)cpu;
	if (wanted >= 0)
		run->cpu = (unsigned)wanted;
	if (mr_cpu_place(&place, run->cpu, NULL) < 0)
		memset(&place, 0, sizeof(place));
	run->cpu_other = -1;
	mr_cpu_set_foreach(cpu, allowed)
	{
		if ((unsigned)cpu == run->cpu)
			continue;
		if (run->cpu_other < 0 || !mr_cpu_set_has(&place.siblings, (unsigned)cpu))
			run->cpu_other = cpu;
	}
	return 0;
}

static const struct mr_bench_peer *
choose_peer(const struct mr_bench_row *row, const char *name, struct mr_error *error)
{
	const struct mr_bench_peer *const *peer = row->peers;

	if (!peer || (name && !strcmp(name, "none")))
		return NULL;
	if (!name)
		return *peer;
	for (; *peer; peer++)
		if (!strcmp((*peer)->name, name))
			return *peer;
	mr_error_set(error, -ENOENT, "this row has no peer %s", name);
	return NULL;
}

void
mr_bench_measure(const struct mr_bench_row *row, const struct mr_bench_options *options,
    struct mr_bench_result *result)
{
	struct mr_bench_run run = { .row = row, .tsc_hz = options->tsc_hz };
	struct mr_error *why = &result->skipped;
	struct mr_bench_sides sides = { 0 };

	memset(result, 0, sizeof(*result));
	result->row = row;
	result->tsc_hz = options->tsc_hz;
	run.window = options->tsc_hz / 1000 *
	    (options->window_ms      ? options->window_ms
		    : row->window_ms ? row->window_ms
				     : MR_BENCH_WINDOW_MS);
	mr_bench_note(&run, "%s", row->config);
	if (choose_cpus(&run, options->cpu, why) < 0)
		return;
	if (row->two_cpus && run.cpu_other < 0) {
		mr_error_set(why, -ENODEV, "needs two CPUs, this process may use one");
		return;
	}
	if (mr_cpu_pin(run.cpu, why) < 0)
		return;
	if (row->setup && row->setup(&run, why) < 0)
		goto out;
	sides.peer = choose_peer(row, options->peer, &result->peer_skipped);
	if (sides.peer &&
	    sides.peer->start(&run, &sides.peer_state, result->peer_label,
		sizeof(result->peer_label), &result->peer_skipped) < 0)
		sides.peer = NULL;
	mr_bench_rounds(&run, &sides, options->seconds, result);
	if (sides.peer)
		sides.peer->stop(sides.peer_state);
	if (row->teardown)
		row->teardown(&run);
	mr_bench_side_settle(&result->ours);
	mr_bench_side_settle(&result->floor);
	mr_bench_side_settle(&result->peer);
out:
	mr_cpu_pin_set(&run.allowed, NULL);
	snprintf(result->config, sizeof(result->config), "%s", run.config);
}
