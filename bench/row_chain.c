/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows chain-2 and chain-3: what functions in a chain cost in the flow lane, beside chain-1
 * (bench/row_flow.c): the router alone, with 100 stateless rules in front, with connections tracked
 * and stateful rules in front. 8,192 flows of UDP, all established; of those that are tracked an
 * answer was seen. All is configured as a user would. Rows chain-rewrite-*: beside the router, a flow
 * rule gives all packets another source, so that each flow has checksum deltas of its own.
 *
 *   [pcap] -- flow lane -- (connections) -- rules -- router: 80 prefixes -- [null]
 *
 * The floor is that of the rows flow-*: one bare table. No peer: Open vSwitch beside chain-1 is
 * bench/row_flow.c's.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bare_flow.h"
#include "bench/bed.h"
#include "bench/frames.h"
#include "bench/plane_side.h"
#include "bench/routes.h"

#define ROUTES 80u
#define RULES 100u
/* Rounds of the frames until everything is recorded, and until that is checked. */
#define ROUNDS 12u

enum chain { CHAIN_RULES, CHAIN_CONNECTIONS, CHAIN_REWRITE };

/* A row's parameter: the chain, and how many flows. */
#define PARAM(chain, flows) ((flows) << 2 | (chain))

struct job {
	struct mr_bench_plane *plane;
	struct mr_graph *graph;
	struct mr_buffers *buffers; /* of the floor */
	struct mr_bench_bare_flow *bare;
	struct mr_bench_routes routes;
	enum chain chain;
	uint32_t flows;
	uint8_t (*frames)[MR_BENCH_FRAME];
	uint8_t *hops;
	uint8_t macs[MR_BENCH_HOPS][2][6];
	int capture, back; /* memory files; -1: none */
	char capture_path[48], back_path[48];
};

static const uint8_t router_mac[6] = { 2, 0, 0, 0, 0, 1 };

static int
make_files(struct job *job, struct mr_error *error)
{
	uint8_t(*back)[MR_BENCH_FRAME];
	uint64_t rng = 1;
	uint8_t dst[16];
	uint32_t i;

	job->frames = mr_bench_alloc_large((size_t)job->flows * MR_BENCH_FRAME);
	job->hops = malloc(job->flows);
	back = malloc((size_t)job->flows * MR_BENCH_FRAME);
	if (!job->frames || !job->hops || !back) {
		free(back);
		return mr_error_set(error, -ENOMEM, "no memory for frames");
	}
	for (i = 0; i < job->flows; i++) {
		job->hops[i] = 0;
		mr_bench_routes_draw(&job->routes, &rng, dst);
		mr_bench_udp(job->frames[i], false, router_mac, dst, &rng);
		memcpy(back[i], job->frames[i], MR_BENCH_FRAME);
		mr_bench_answer(back[i]);
	}
	job->capture =
	    mr_bench_capture(job->frames, job->flows, job->capture_path, sizeof(job->capture_path));
	job->back = mr_bench_capture(back, job->flows, job->back_path, sizeof(job->back_path));
	free(back);
	return job->capture < 0 || job->back < 0
	    ? mr_error_set(error, -EIO, "no files for the bench's frames")
	    : 0;
}

static void
put_routes(FILE *out, const struct job *job)
{
	fprintf(out, "    route:\n      198.51.100.0/24: {via: 192.0.2.15}\n");
	for (size_t i = 0; i < job->routes.count; i++) {
		const struct mr_bench_route *r = &job->routes.routes[i];

		fprintf(out, "      %u.%u.%u.%u/%u: {via: 192.0.2.%u}\n", r->address[0],
		    r->address[1], r->address[2], r->address[3], r->len, 16u + r->hop);
	}
	fprintf(out, "    neighbor:\n      static:\n");
	for (unsigned i = 0; i < MR_BENCH_HOPS; i++)
		fprintf(out, "        192.0.2.%u: {interface: out, mac: \"02:00:00:00:01:%02x\"}\n",
		    16 + i, i);
}

static void
put_rewrite(FILE *out)
{
	fprintf(out,
	    "flow-rules:\n  rule:\n    other: {priority: 1, match: {protocol: udp}, "
	    "set: {source: 198.18.0.1, source-port: 7777}, action: pass}\n");
}

/* Rules that do not match, one of them far away from the next, and then all that is sent. */
static void
put_rules(FILE *out, enum chain chain)
{
	if (chain == CHAIN_REWRITE) {
		put_rewrite(out);
		return;
	}
	fprintf(out,
	    "acl:\n  list:\n    front:\n      default: drop\n      stateful: %s\n      rule:\n",
	    chain == CHAIN_CONNECTIONS ? "true" : "false");
	for (unsigned i = 0; i < RULES - 1; i++)
		fprintf(out,
		    "        no-%u: {source: [10.%u.0.0/16], protocol: [udp], destination-port: "
		    "[%u], action: drop}\n",
		    i, i, 1000 + i);
	fprintf(out, "        users: {protocol: [udp], action: accept}\n");
	fprintf(out, "  interface:\n    in: {in: front}\n");
	if (chain == CHAIN_CONNECTIONS)
		fprintf(out, "conntrack:\n  interface:\n    in: {}\n    back: {}\n");
}

static char *
configuration(const struct job *job)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "system: {buffers: 32768}\ninterface:\n");
	fprintf(out, "  in: {driver: pcap, device: %s, options: {loop: memory}}\n",
	    job->capture_path);
	fprintf(out, "  back: {driver: pcap, device: %s, options: {loop: memory, loops: \"4\"}}\n",
	    job->back_path);
	fprintf(out, "  out: {driver: \"null\"}\nlanes: {mode: flow, flows: %u}\n",
	    MR_MAX(2 * job->flows, 1u << 20));
	fprintf(out, "router:\n  default:\n");
	fprintf(out, "    interface:\n");
	fprintf(out, "      in: {mac: \"02:00:00:00:00:01\", address: [203.0.113.1/24]}\n");
	fprintf(out, "      back: {mac: \"02:00:00:00:00:01\", address: [203.0.114.1/24]}\n");
	fprintf(out, "      out: {mac: \"02:00:00:00:00:03\", address: [192.0.2.1/24]}\n");
	put_routes(out, job);
	put_rules(out, job->chain);
	fclose(out);
	return text;
}

static void
pass(struct job *job, uint64_t packets)
{
	uint64_t count = 0;

	for (uint64_t i = 0; count < packets && i < packets; i++)
		count += mr_graph_pass(job->graph, 0);
}

/* Until everything is replayed, or not at all. */
static int
establish(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	uint64_t before, share;

	pass(job, (uint64_t)ROUNDS * job->flows);
	before = mr_bench_plane_counter(job->plane, "flow-lane@in", "replayed");
	pass(job, (uint64_t)ROUNDS * job->flows);
	share = (mr_bench_plane_counter(job->plane, "flow-lane@in", "replayed") - before) * 1000 /
	    ((uint64_t)ROUNDS * job->flows);
	if (share < 990)
		return mr_error_set(error, -EIO, "of 1000 packets the lane replays %llu",
		    (unsigned long long)share);
	mr_bench_note(run, "; of 1000 packets the lane replays %llu", (unsigned long long)share);
	return 0;
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;
	const int files[] = { job->capture, job->back };

	mr_bench_bare_flow_close(job->bare);
	mr_buffers_destroy(job->buffers);
	mr_bench_plane_close(job->plane);
	mr_bench_routes_free(&job->routes);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(files); i++)
		if (files[i] >= 0)
			close(files[i]);
	free(job->frames);
	free(job->hops);
	free(job);
}

static int
make_plane(struct job *job, struct mr_error *error)
{
	char *yaml = configuration(job);
	int rc;

	if (!yaml)
		return mr_error_set(error, -ENOMEM, "no memory for a configuration");
	rc = mr_bench_plane_open(&job->plane, yaml, error);
	free(yaml);
	if (rc == 0)
		job->graph = mr_bench_plane_graph(job->plane);
	return rc;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_buffers_config buffers = { .count = 4096, .numa_node = -1, .workers = 1 };
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->capture = job->back = -1;
	job->chain = (enum chain)(run->row->param & 3);
	job->flows = (uint32_t)run->row->param >> 2;
	for (unsigned i = 0; i < MR_BENCH_HOPS; i++) {
		memcpy(job->macs[i][0], (const uint8_t[]){ 2, 0, 0, 0, 1, (uint8_t)i }, 6);
		memcpy(job->macs[i][1], (const uint8_t[]){ 2, 0, 0, 0, 0, 3 }, 6);
	}
	rc = mr_bench_routes_load(&job->routes, 32, ROUTES, error);
	if (rc == 0)
		rc = make_files(job, error);
	if (rc == 0)
		rc = make_plane(job, error);
	if (rc == 0)
		rc = establish(job, run, error);
	if (rc == 0)
		rc = mr_buffers_create(&job->buffers, &buffers, error);
	if (rc == 0)
		rc = mr_bench_bare_flow_open(&job->bare, job->frames, job->flows, job->hops,
		    job->macs, job->buffers);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return mr_bench_graph_window(job->graph, run, value, error);
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return mr_bench_bare_flow_window(job->bare, run, value, error);
}

#define ROW(name_, text_, chain_, flows_, number_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = "flow lane, established, " flows_ " flows: " text_, \
		.config = text_ "; " flows_ " flows at random over 80 prefixes, 16 next hops, " \
				"64-byte UDP frames played from memory", \
		.param = PARAM(chain_, number_), .window_ms = 20, .setup = setup, \
		.teardown = teardown, .ours = ours, .floor = bare, \
	}

static const struct mr_bench_row rows[] = {
	ROW("chain-2", "routing and 100 stateless rules", CHAIN_RULES, "8,192", 8192),
	ROW("chain-3", "routing, stateful rules and connections", CHAIN_CONNECTIONS, "8,192", 8192),
	ROW("chain-rewrite", "routing, another source address and port", CHAIN_REWRITE, "8,192",
	    8192),
	ROW("chain-rewrite-1m", "routing, another source address and port", CHAIN_REWRITE,
	    "1,048,576", 1 << 20),
};

const struct mr_bench_family mr_bench_family_chain = { "chain", rows, MR_ARRAY_COUNT(rows) };
