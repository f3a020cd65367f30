/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows flow-*: established flows through the flow lane. A port plays frames from memory, each of
 * another flow, to addresses drawn from 80 prefixes of a real table, again and again; the router
 * behind the lane sends them to one of 16 next hops. The lane has seen every flow before the clock
 * starts.
 *
 *   [pcap0] -- flow lane -- router: 80 prefixes, 16 next hops -- [null1]
 *
 * The peer is Open vSwitch's userspace datapath with 80 rules that do the same: both Ethernet
 * addresses, TTL, output; see bench/peer_ovs.h. The floor is bench/bare_flow.h.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/bare_flow.h"
#include "bench/bed.h"
#include "bench/ip_side.h"
#include "bench/peer_ovs_flows.h"

#define ROUTES 80

struct job {
	struct mr_bench_bed bed;
	struct mr_bench_ip_side *side;
	struct mr_bench_bare_flow *bare;
	struct mr_bench_traffic traffic;
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_bench_bare_flow_close(job->bare);
	mr_bench_ip_side_close(job->side);
	mr_bench_bed_close(&job->bed);
	mr_bench_traffic_close(&job->traffic);
	free(job);
}

/* Until the lane has the flows. */
static int
establish(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_lane *lane = mr_bench_ip_side_lane(job->side);
	uint64_t count = 0, passes, wanted = 2 * (uint64_t)job->traffic.count;
	struct mr_lane_stats stats;

	for (passes = 0; count < wanted && passes < wanted; passes++)
		count += mr_graph_pass(job->bed.graph, 0);
	mr_lane_stats(lane, 0, &stats);
	if (stats.flows.flows < job->traffic.flows - job->traffic.flows / 1000)
		return mr_error_set(error, -EIO, "the lane has %llu of %u flows",
		    (unsigned long long)stats.flows.flows, job->traffic.flows);
	mr_bench_note(run, "; the lane has %llu flows, its table is %.1f MB",
	    (unsigned long long)stats.flows.flows, (double)stats.flows.memory / 1e6);
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_bench_traffic_config traffic = { .bits = 32,
		.prefixes = ROUTES,
		.flows = (uint32_t)run->row->param };
	struct job *job = calloc(1, sizeof(*job));
	struct mr_bench_ip_side_config side;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	rc = mr_bench_traffic_open(&job->traffic, &traffic, error);
	if (rc == 0)
		rc = mr_bench_bed_open(&job->bed, run, error);
	side = (struct mr_bench_ip_side_config){ .bed = &job->bed,
		.traffic = &job->traffic,
		.flows = MR_MAX(2 * traffic.flows, 1024u) };
	if (rc == 0)
		rc = mr_bench_ip_side_open(&job->side, &side, error);
	if (rc == 0)
		rc = establish(job, run, error);
	if (rc == 0)
		rc = mr_bench_bare_flow_open(&job->bare, &job->traffic, job->bed.buffers,
		    MR_BENCH_PLAIN, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return mr_bench_bed_window(&job->bed, run, value, error);
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return mr_bench_bare_flow_window(job->bare, run, value, error);
}

static int
start_ovs(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	struct job *job = run->state;
	const struct mr_bench_ovs_flows flows = { .traffic = &job->traffic };

	return mr_bench_ovs_flows_start(state, run, &flows, label, size, error);
}

static const struct mr_bench_peer ovs = MR_BENCH_OVS_PEER("ovs", start_ovs);
static const struct mr_bench_peer *const peers[] = { &ovs, NULL };

#define ROW(name_, text_, flows_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = "flow lane, established, routing over 80 prefixes, " text_ " flows", \
		.config = text_ " flows at random over 80 prefixes, 16 next hops, 64-byte UDP " \
				"frames played from memory, to ovs the same by net_pcap with " \
				"infinite_rx", \
		.param = flows_, .window_ms = 20, .setup = setup, .teardown = teardown, \
		.ours = ours, .floor = bare, .peers = peers, \
	}

static const struct mr_bench_row rows[] = {
	ROW("flow-4", "4", 4),
	ROW("flow-1k", "1,024", 1024),
	ROW("flow-8k", "8,192", 8192),
	ROW("flow-128k", "131,072", 131072),
	ROW("flow-1m", "1,048,576", 1 << 20),
	ROW("flow-8m", "8,388,608", 8 << 20),
};

const struct mr_bench_family mr_bench_family_flow = { "flow", rows, MR_ARRAY_COUNT(rows) };
