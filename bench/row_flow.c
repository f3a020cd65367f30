/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows flow-* and chain-1: established flows through the flow lane. A port plays frames from
 * memory, each of another flow, to addresses drawn from 80 prefixes of a real table, again and again; the
 * router behind the lane sends them to one of 16 next hops. The lane has seen every flow before the
 * clock starts.
 *
 *   [pcap0] -- flow lane -- router: 80 prefixes, 16 next hops -- [null1]
 *
 * The peer is Open vSwitch's userspace datapath with 80 rules that do the same: both Ethernet
 * addresses, TTL, output; see bench/peer_ovs.h. Its second kind tracks connections too, every
 * one of them established. The floor is bench/bare_flow.h.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bare_flow.h"
#include "bench/bed.h"
#include "bench/frames.h"
#include "bench/ip_side.h"
#include "bench/ovs_rules.h"
#include "bench/peer_ovs.h"
#include "kit/packet/wire.h"

#define FRAMES_MIN 8192
#define ROUTES 80
#define ANSWERS_MORE 65536

struct job {
	struct mr_bench_bed bed;
	struct mr_bench_ip_side *side;
	struct mr_bench_bare_flow *bare;
	struct mr_bench_routes routes;
	uint32_t flows, frame_count; /* powers of two */
	uint8_t (*frames)[MR_BENCH_FRAME];
	uint8_t macs[MR_BENCH_HOPS][2][6];
	int capture, rules, back; /* memory files; -1: none */
	char capture_path[48];
};

static const uint8_t router_mac[6] = { 2, 0, 0, 0, 0, 1 };

static int
make_input(struct job *job, struct mr_error *error)
{
	uint64_t rng = 1;
	uint8_t dst[16];
	uint32_t i;

	job->frame_count = MR_MAX((uint32_t)FRAMES_MIN, job->flows);
	job->frames = mr_bench_alloc_large((size_t)job->frame_count * MR_BENCH_FRAME);
	if (!job->frames)
		return mr_error_set(error, -ENOMEM, "no memory for frames");
	for (i = 0; i < job->flows; i++) {
		mr_bench_routes_draw(&job->routes, &rng, dst);
		mr_bench_udp(job->frames[i], false, router_mac, dst, &rng);
	}
	for (; i < job->frame_count; i++)
		memcpy(job->frames[i], job->frames[i % job->flows], MR_BENCH_FRAME);
	for (i = 0; i < MR_BENCH_HOPS; i++) {
		memcpy(job->macs[i][0], (const uint8_t[]){ 2, 0, 0, 0, 1, (uint8_t)i }, 6);
		memcpy(job->macs[i][1], (const uint8_t[]){ 2, 0, 0, 0, 0, 3 }, 6);
	}
	job->capture = mr_bench_capture(job->frames, job->frame_count, job->capture_path,
	    sizeof(job->capture_path));
	return job->capture < 0
	    ? mr_error_set(error, job->capture, "a capture: %s", strerror(-job->capture))
	    : 0;
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;
	const int files[] = { job->capture, job->rules, job->back };
	unsigned i;

	mr_bench_bare_flow_close(job->bare);
	mr_bench_ip_side_close(job->side);
	mr_bench_bed_close(&job->bed);
	mr_bench_routes_free(&job->routes);
	for (i = 0; i < MR_ARRAY_COUNT(files); i++)
		if (files[i] >= 0)
			close(files[i]);
	free(job->frames);
	free(job);
}

/* Until the lane has every flow. */
static int
establish(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_lane *lane = mr_bench_ip_side_lane(job->side);
	uint64_t count = 0, passes, wanted = 2 * (uint64_t)job->frame_count;
	struct mr_lane_stats stats;

	for (passes = 0; count < wanted && passes < wanted; passes++)
		count += mr_graph_pass(job->bed.graph, 0);
	mr_lane_stats(lane, 0, &stats);
	if (stats.flows.flows < job->flows - job->flows / 1000)
		return mr_error_set(error, -EIO, "the lane has %llu of %u flows",
		    (unsigned long long)stats.flows.flows, job->flows);
	mr_bench_note(run, "; the lane's table is %.1f MB", (double)stats.flows.memory / 1e6);
	return 0;
}

static int
make_bare(struct job *job, struct mr_error *error)
{
	const size_t dst = sizeof(struct mr_eth) + offsetof(struct mr_ip4, dst);
	uint8_t *hops = malloc(job->frame_count);
	uint32_t i;
	int rc = hops ? 0 : -ENOMEM;

	for (i = 0; hops && i < job->frame_count; i++) {
		hops[i] = (uint8_t)mr_bench_ip_side_find(job->side, job->frames[i] + dst);
		if (hops[i] == MR_BENCH_HOPS)
			rc = -ENOENT;
	}
	if (rc == 0)
		rc = mr_bench_bare_flow_open(&job->bare, job->frames, job->frame_count, hops,
		    job->macs, job->bed.buffers);
	free(hops);
	return rc < 0 ? mr_error_set(error, rc, "the floor's table: %s", strerror(-rc)) : 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	struct mr_bench_ip_side_config side;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->capture = job->rules = job->back = -1;
	job->flows = (uint32_t)run->row->param;
	rc = mr_bench_routes_load(&job->routes, 32, ROUTES, error);
	if (rc == 0)
		rc = make_input(job, error);
	if (rc == 0)
		rc = mr_bench_bed_open(&job->bed, run, error);
	side = (struct mr_bench_ip_side_config){ .bed = &job->bed,
		.routes = &job->routes,
		.macs = job->macs,
		.mac = router_mac,
		.capture = job->capture_path,
		.flows = MR_MAX(2 * job->flows, 1024u) };
	if (rc == 0)
		rc = mr_bench_ip_side_open(&job->side, &side, error);
	if (rc == 0)
		rc = establish(job, run, error);
	if (rc == 0)
		rc = make_bare(job, error);
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

/* Answers to all flows, as a capture; some twice, because the first are lost while the switch makes
 * their port known to itself. */
static int
make_answers(struct job *job, char *path, size_t size, unsigned *count)
{
	uint32_t total = job->flows + ANSWERS_MORE, i;
	uint8_t(*frames)[MR_BENCH_FRAME] = malloc((size_t)total * MR_BENCH_FRAME);

	if (!frames)
		return -ENOMEM;
	for (i = 0; i < total; i++) {
		memcpy(frames[i], job->frames[i % job->flows], MR_BENCH_FRAME);
		mr_bench_answer(frames[i]);
	}
	job->back = mr_bench_capture(frames, total, path, size);
	free(frames);
	*count = total;
	return job->back;
}

static int
start_ovs(struct mr_bench_run *run, void **state, bool conntrack, char *label, size_t size,
    struct mr_error *error)
{
	struct job *job = run->state;
	const struct mr_bench_ovs_rules rules = { .routes = &job->routes,
		.macs = job->macs,
		.conntrack = conntrack };
	char path[48], back[48];
	struct mr_bench_ovs_config config = { .capture = job->capture_path,
		.frame_count = job->frame_count,
		.rules = path };
	unsigned lines;
	int rc;

	rc = job->rules = mr_bench_ovs_rules_write(&rules, path, sizeof(path), &lines);
	if (rc >= 0 && conntrack) {
		rc = make_answers(job, back, sizeof(back), &config.back_count);
		config.back = back;
	}
	if (rc < 0)
		return mr_error_set(error, rc, "files for ovs: %s", strerror(-rc));
	mr_bench_note(run, "; ovs has %u rules%s", lines,
	    conntrack ? ", connections tracked, all established" : "");
	return mr_bench_ovs_start((struct mr_bench_ovs **)state, run, &config, label, size, error);
}

static int
start_plain(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	return start_ovs(run, state, false, label, size, error);
}

static int
start_tracking(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	return start_ovs(run, state, true, label, size, error);
}

#define PEER(name_, start_) \
	{ \
		name_, start_, mr_bench_ovs_window, mr_bench_ovs_stop, mr_bench_ovs_thread \
	}

static const struct mr_bench_peer plain = PEER("ovs", start_plain);
static const struct mr_bench_peer tracking = PEER("ovs-conntrack", start_tracking);
static const struct mr_bench_peer *const peers[] = { &plain, &tracking, NULL };

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
	ROW("chain-1", "8,192", 8192),
};

const struct mr_bench_family mr_bench_family_flow = { "flow", rows, MR_ARRAY_COUNT(rows) };
