/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows acl-N and acl-N-graph: the first N rules of a ClassBench set as an access list of a router,
 * through the whole data plane (bench/chain.h): in the flow lane, where all flows are established, and
 * in the graph, where each packet is classified. 8,192 flows of TCP and UDP, each of which matches a
 * rule drawn at random, and so passes; what none matches is dropped.
 *
 * The peer is Open vSwitch's userspace datapath with the same rules, its caches as they come. The floor
 * is one bare table of all flows. Rows acl-N-uncached are about the classifier alone.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bare_flow.h"
#include "bench/bed.h"
#include "bench/chain.h"
#include "bench/peer_ovs_flows.h"
#include "bench/shape_acl.h"
#include "kit/packet/wire.h"

#define FLOWS 8192u
#define GRAPH (1u << 31) /* in the rows' parameter, beside the number of rules */

struct job {
	struct mr_class_rule *rules;
	uint32_t count;
	uint64_t seed;
	struct mr_bench_traffic traffic;
	struct mr_bench_chain chain;
	struct mr_buffers *buffers; /* of the floor */
	struct mr_bench_bare_flow *bare;
};

static bool
has_ports(const struct mr_class_rule *r)
{
	return r->proto_mask == 0xff && (r->proto == 6 || r->proto == 17);
}

/* Whether a router forwards what has these: no loopback, no multicast, nothing of its own. */
static bool
may_pass(const uint8_t *src, const uint8_t *dst)
{
	const uint8_t *ends[] = { src, dst };

	for (unsigned i = 0; i < 2; i++)
		if (ends[i][0] == 0 || ends[i][0] == 127 || ends[i][0] >= 224)
			return false;
	return dst[0] != 192 && dst[0] != 203;
}

/* A packet of TCP or UDP that matches a rule drawn at random. */
static void
draw_frame(uint8_t frame[MR_BENCH_FRAME], const struct mr_bench_routes *routes, uint64_t *rng,
    void *user)
{
	struct job *job = user;
	const struct mr_class_rule *rule;
	struct mr_class_key key;

	do {
		rule = &job->rules[mr_classbench_random(&job->seed) % job->count];
		mr_classbench_key(&key, rule, false, &job->seed);
	} while (!may_pass(key.src, key.dst) || (rule->proto_mask && !has_ports(rule)));
	mr_bench_tuple(frame, mr_bench_traffic_mac, key.src, key.dst, key.proto == 6 ? 6 : 17,
	    key.sport, key.dport);
}

static void
put_prefix(FILE *out, const char *field, const uint8_t *address, unsigned len)
{
	if (len)
		fprintf(out, "%s: [%u.%u.%u.%u/%u], ", field, address[0], address[1], address[2],
		    address[3], len);
}

static void
put_ports(FILE *out, const char *field, unsigned first, unsigned last)
{
	if (first || last != 65535)
		fprintf(out, "%s: [%u-%u], ", field, first, last);
}

static void
put_rules(FILE *out, const void *user)
{
	const struct job *job = user;

	fprintf(out, "acl:\n  interface:\n    in: {in: front}\n");
	fprintf(out, "  list:\n    front:\n      default: drop\n      rule:\n");
	for (uint32_t i = 0; i < job->count; i++) {
		const struct mr_class_rule *r = &job->rules[i];

		fprintf(out, "        r%u: {", i);
		put_prefix(out, "source", r->src, r->src_len);
		put_prefix(out, "destination", r->dst, r->dst_len);
		if (r->proto_mask)
			fprintf(out, "protocol: [%u], ", r->proto);
		if (has_ports(r)) {
			put_ports(out, "source-port", r->sport_lo, r->sport_hi);
			put_ports(out, "destination-port", r->dport_lo, r->dport_hi);
		}
		fprintf(out, "action: accept}\n");
	}
}

/* The same for the peer; for free(). */
static struct mr_bench_ovs_match *
make_matches(const struct job *job)
{
	struct mr_bench_ovs_match *matches = calloc(job->count, sizeof(*matches));

	for (uint32_t i = 0; matches && i < job->count; i++) {
		const struct mr_class_rule *r = &job->rules[i];

		matches[i] = (struct mr_bench_ovs_match){ .src = mr_load_be32(r->src),
			.dst = mr_load_be32(r->dst),
			.src_len = r->src_len,
			.dst_len = r->dst_len,
			.proto = r->proto_mask ? r->proto : 0,
			.sport = { r->sport_lo, r->sport_hi },
			.dport = { r->dport_lo, r->dport_hi } };
	}
	return matches;
}

static int
load_rules(struct job *job, const struct mr_bench_run *run, struct mr_error *error)
{
	uint32_t want = (uint32_t)run->row->param & ~GRAPH;

	job->rules = shape_acl_rules(want > 10000 ? "-100k"
		: want > 1000                     ? "-10k"
						  : "-1k",
	    &job->count);
	if (!job->rules)
		return mr_error_set(error, -ENOENT,
		    "no rule sets: set MR_DATA to the folder of shared data");
	job->count = MR_MIN(job->count, want);
	job->seed = 0x9e3779b97f4a7c15ull;
	return 0;
}

static int
make_bare(struct job *job, struct mr_error *error)
{
	const struct mr_buffers_config config = { .count = 4096, .numa_node = -1, .workers = 1 };
	uint8_t *hops = mr_bench_traffic_hops(&job->traffic);
	int rc = hops ? mr_buffers_create(&job->buffers, &config, error)
		      : mr_error_set(error, -ENOMEM, "no memory for next hops");

	if (rc == 0)
		rc = mr_bench_bare_flow_open(&job->bare, job->traffic.frames, job->traffic.count,
		    hops, job->traffic.macs, job->buffers);
	free(hops);
	return rc;
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_bench_bare_flow_close(job->bare);
	mr_buffers_destroy(job->buffers);
	mr_bench_chain_close(&job->chain);
	mr_bench_traffic_close(&job->traffic);
	free(job->rules);
	free(job);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	const struct mr_bench_traffic_config traffic = { .bits = 32,
		.flows = FLOWS,
		.draw = draw_frame,
		.user = job };
	const struct mr_bench_chain_config chain = { .traffic = job ? &job->traffic : NULL,
		.graph = run->row->param & GRAPH,
		.functions = put_rules,
		.user = job };
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->traffic = MR_BENCH_TRAFFIC_CLOSED;
	rc = load_rules(job, run, error);
	if (rc == 0)
		rc = mr_bench_traffic_open(&job->traffic, &traffic, error);
	if (rc == 0)
		rc = mr_bench_chain_open(&job->chain, run, &chain, error);
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

	return mr_bench_graph_window(job->chain.graph, run, value, error);
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
	struct mr_bench_ovs_match *matches = make_matches(job);
	const struct mr_bench_ovs_flows flows = { .traffic = &job->traffic,
		.matches = matches,
		.match_count = job->count };
	int rc;

	if (!matches)
		return mr_error_set(error, -ENOMEM, "no memory for rules");
	rc = mr_bench_ovs_flows_start(state, run, &flows, label, size, error);
	free(matches);
	return rc;
}

static const struct mr_bench_peer ovs = MR_BENCH_OVS_PEER("ovs", start_ovs);
static const struct mr_bench_peer *const peers[] = { &ovs, NULL };

#define ROW(name_, text_, lane_, param_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = lane_ ", a router with " text_ " rules", \
		.config = \
		    lane_ "; the first " text_ " rules of ClassBench acl1, 8,192 flows that " \
			  "match random ones, 16 next hops, 64-byte frames played from " \
			  "memory, to ovs the same by net_pcap with infinite_rx", \
		.param = param_, .window_ms = 20, .setup = setup, .teardown = teardown, \
		.ours = ours, .floor = bare, .peers = peers, \
	}
#define FLOW_LANE "flow lane, established"
#define GRAPH_LANE "graph lane"

static const struct mr_bench_row rows[] = {
	ROW("acl-100", "100", FLOW_LANE, 100),
	ROW("acl-1k", "1,000", FLOW_LANE, 1000),
	ROW("acl-10k", "10,000", FLOW_LANE, 10000),
	ROW("acl-100k", "100,000", FLOW_LANE, 100000),
	ROW("acl-100-graph", "100", GRAPH_LANE, GRAPH | 100),
	ROW("acl-1k-graph", "1,000", GRAPH_LANE, GRAPH | 1000),
	ROW("acl-10k-graph", "10,000", GRAPH_LANE, GRAPH | 10000),
	ROW("acl-100k-graph", "100,000", GRAPH_LANE, GRAPH | 100000),
};

const struct mr_bench_family mr_bench_family_acl_lane = { "acl-lane", rows, MR_ARRAY_COUNT(rows) };
