/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows telemetry-*: what it costs an established flow to be told of. The same graph twice, as in
 * the rows flow-*: in ours the lane keeps a ledger of all flows (kit/flow/ledger.h) and a sampler
 * takes one packet in a thousand; the floor does neither. So the ratio to the floor is the cost.
 *
 *   [pcap0] -- sampler -- flow lane, ledger -- router: 80 prefixes, 16 next hops -- [null1]
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/bed.h"
#include "bench/ip_side.h"
#include "kit/flow/ledger.h"
#include "kit/graph/probe.h"

#define ROUTES 80
#define RATE 1000u
#define SAMPLES 256u

struct half {
	struct mr_bench_bed bed;
	struct mr_bench_ip_side *side;
};

struct job {
	struct half told, plain;
	struct mr_bench_traffic traffic;
	struct mr_probe *sampler;
	uint32_t rates[MR_PORT_MAX];
	struct mr_sample samples[SAMPLES];
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	if (job->sampler) {
		mr_graph_detach(job->told.bed.graph, job->sampler);
		mr_probe_destroy(job->sampler);
	}
	mr_bench_ip_side_close(job->told.side);
	mr_bench_bed_close(&job->told.bed);
	mr_bench_ip_side_close(job->plain.side);
	mr_bench_bed_close(&job->plain.bed);
	mr_bench_traffic_close(&job->traffic);
	free(job);
}

/* Until the lane has the flows. */
static int
establish(const struct job *job, struct half *half, struct mr_error *error)
{
	const struct mr_lane *lane = mr_bench_ip_side_lane(half->side);
	uint64_t count = 0, passes, wanted = 2 * (uint64_t)job->traffic.count;
	struct mr_lane_stats stats;

	for (passes = 0; count < wanted && passes < wanted; passes++)
		count += mr_graph_pass(half->bed.graph, 0);
	mr_lane_stats(lane, 0, &stats);
	if (stats.flows.flows < job->traffic.flows - job->traffic.flows / 1000)
		return mr_error_set(error, -EIO, "the lane has %llu of %u flows",
		    (unsigned long long)stats.flows.flows, job->traffic.flows);
	return 0;
}

static int
open_half(struct mr_bench_run *run, struct half *half, bool ledger, struct mr_error *error)
{
	struct job *job = run->state;
	struct mr_bench_ip_side_config side = {
		.bed = &half->bed,
		.traffic = &job->traffic,
		.flows = MR_MAX(2 * job->traffic.flows, 1024u),
		.ledger = ledger,
	};
	int rc = mr_bench_bed_open(&half->bed, run, error);

	if (rc == 0)
		rc = mr_bench_ip_side_open(&half->side, &side, error);
	return rc == 0 ? establish(job, half, error) : rc;
}

static int
attach_sampler(struct job *job, struct mr_error *error)
{
	struct mr_probe_config config = {
		.sample = true,
		.rates = job->rates,
		.snap = 128,
		.buffers = job->told.bed.buffers,
		.workers = 1,
	};
	int rc;

	job->rates[0] = RATE;
	rc = mr_probe_create(&job->sampler, &config, error);
	return rc == 0 ? mr_graph_attach(job->told.bed.graph, job->sampler, error) : rc;
}

static int
check_ledger(const struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	uint64_t memory;
	uint32_t flows = mr_lane_ledger_flows(mr_bench_ip_side_lane(job->told.side), 0, &memory);

	if (flows < job->traffic.flows)
		return mr_error_set(error, -EIO, "the ledger has %u of %u flows", flows,
		    job->traffic.flows);
	mr_bench_note(run, "; the ledger is %.1f MB", (double)memory / 1e6);
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_bench_traffic_config traffic = { .bits = 32,
		.prefixes = ROUTES,
		.flows = (uint32_t)run->row->param };
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	rc = mr_bench_traffic_open(&job->traffic, &traffic, error);
	if (rc == 0)
		rc = open_half(run, &job->told, true, error);
	if (rc == 0)
		rc = open_half(run, &job->plain, false, error);
	if (rc == 0)
		rc = check_ledger(job, run, error);
	if (rc == 0)
		rc = attach_sampler(job, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	/* As the reader does ten times a second. */
	while (mr_probe_samples(job->sampler, job->samples, SAMPLES) == SAMPLES)
		;
	return mr_bench_bed_window(&job->told.bed, run, value, error);
}

static int
plain(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return mr_bench_bed_window(&job->plain.bed, run, value, error);
}

#define ROW(name_, text_, flows_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = "flow-" text_ " with all flows kept for export and one packet in 1,000 " \
		       "sampled; the floor: without", \
		.config = \
		    text_ " flows as in the rows flow-*, a ledger of all flows, a sampler at " \
			  "1 in 1,000", \
		.param = flows_, .window_ms = 2, .setup = setup, .teardown = teardown, \
		.ours = ours, .floor = plain, \
	}

static const struct mr_bench_row rows[] = {
	ROW("telemetry-8k", "8k", 8192),
	ROW("telemetry-1m", "1m", 1 << 20),
};

const struct mr_bench_family mr_bench_family_telemetry = { "telemetry", rows,
	MR_ARRAY_COUNT(rows) };
