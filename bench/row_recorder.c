/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows recorder-*: what the flight recorder costs. A port makes the frames of 1,024 flows, a router
 * sends them on, or drops them by a blackhole route, all or one flow in 16. Ours is with the flight
 * recorder on, the floor the same data plane with it off, in turns.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/plane_side.h"
#include "bench/turns.h"

struct job {
	struct mr_bench_plane *plane;
	struct mr_graph *graph;
};

enum { SENT, SOME, DROPPED, DROPPED_LANE };

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_bench_plane_close(job->plane);
	free(job);
}

static unsigned
turn(void *user)
{
	const struct job *job = user;

	return mr_graph_pass(job->graph, 0);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	static const char *const routes[] = {
		[SENT] = "10.1.0.0/16: {via: 10.9.0.2}",
		/* Of flows to 10.1.0.1 to 10.1.4.0, those to one of 16 addresses. */
		[SOME] = "10.1.0.0/16: {via: 10.9.0.2}, 10.1.0.16/28: {action: blackhole}, "
			 "10.1.1.16/28: {action: blackhole}, 10.1.2.16/28: {action: blackhole}, "
			 "10.1.3.16/28: {action: blackhole}",
		[DROPPED] = "10.1.0.0/16: {action: blackhole}",
		[DROPPED_LANE] = "10.1.0.0/16: {action: blackhole}",
	};
	struct job *job = calloc(1, sizeof(*job));
	char *yaml = NULL;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	if (asprintf(&yaml,
		"lanes: {mode: %s}\n"
		"interface:\n"
		"  in: {driver: gen, options: {flows: 1024, dst-ips: 1024}}\n"
		"  out: {driver: \"null\"}\n"
		"router:\n"
		"  r:\n"
		"    interface:\n"
		"      in: {address: 10.0.0.254/16, mac: \"02:00:00:01:00:01\"}\n"
		"      out: {address: 10.9.0.1/24}\n"
		"    neighbor: {static: {10.9.0.2: {interface: out, mac: \"02:00:00:00:09:02\"}}}\n"
		"    route: {%s}\n",
		run->row->param == DROPPED_LANE || run->row->param == SENT ? "flow" : "graph",
		routes[run->row->param]) < 0)
		rc = mr_error_set(error, -ENOMEM, "no memory");
	else
		rc = mr_bench_plane_open(&job->plane, yaml, error);
	free(yaml);
	if (rc == 0) {
		job->graph = mr_bench_plane_graph(job->plane);
		/* Flows are known, buffers warm. */
		for (unsigned i = 0; i < 10000; i++)
			(void)turn(job);
	} else {
		teardown(run);
	}
	return rc;
}

static int
on(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	mr_flight_set_on(job->graph, true);
	return mr_bench_turns(run, turn, job, value, error);
}

static int
off(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	mr_flight_set_on(job->graph, false);
	return mr_bench_turns(run, turn, job, value, error);
}

#define ROW(name_, doc_, param_) \
	{ \
		.name = name_, .unit = "cycles/packet", .doc = doc_, \
		.config = \
		    "64-byte frames of 1,024 flows from a port that makes them; the floor is the " \
		    "same without the flight recorder", \
		.param = param_, .window_ms = 1, .setup = setup, .teardown = teardown, .ours = on, \
		.floor = off, \
	}

static const struct mr_bench_row rows[] = {
	ROW("recorder-sent", "flight recorder: flow lane, nothing is dropped", SENT),
	ROW("recorder-some", "flight recorder: graph lane, one packet in 16 is dropped", SOME),
	ROW("recorder-dropped", "flight recorder: graph lane, all packets are dropped", DROPPED),
	ROW("recorder-replayed", "flight recorder: flow lane, all packets are dropped",
	    DROPPED_LANE),
};

const struct mr_bench_family mr_bench_family_recorder = { "recorder", rows, MR_ARRAY_COUNT(rows) };
