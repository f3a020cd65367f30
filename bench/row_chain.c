/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows chain-*: what functions in a chain cost in the flow lane: the router alone, with 100 stateless
 * rules in front, with connections tracked and stateful rules in front. 8,192 flows of UDP, all
 * established; of those that are tracked answers were seen. All is configured as a user would
 * (bench/chain.h).
 *
 * The peer is Open vSwitch's userspace datapath with rules that do the same (bench/ovs_rules.h). The
 * floor is one bare table for all of them.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bare_flow.h"
#include "bench/bed.h"
#include "bench/chain.h"
#include "bench/peer_ovs_flows.h"

#define FLOWS 8192u
#define ROUTES 80u
#define RULES 100u

enum chain { CHAIN_ROUTER, CHAIN_RULES, CHAIN_CONNECTIONS };

struct job {
	struct mr_bench_traffic traffic;
	struct mr_bench_chain chain;
	struct mr_buffers *buffers; /* of the floor */
	struct mr_bench_bare_flow *bare;
	struct mr_bench_ovs_match matches[RULES];
};

/* Rules that do not match, one of them far away from the next, and then all that is sent. */
static void
put_rules(FILE *out, const void *user)
{
	const struct mr_bench_run *run = user;
	bool stateful = run->row->param == CHAIN_CONNECTIONS;

	fprintf(out,
	    "acl:\n  list:\n    front:\n      default: drop\n      stateful: %s\n      rule:\n",
	    stateful ? "true" : "false");
	for (unsigned i = 0; i < RULES - 1; i++)
		fprintf(out,
		    "        no-%u: {source: [10.%u.0.0/16], protocol: [udp], destination-port: "
		    "[%u], action: drop}\n",
		    i, i, 1000 + i);
	fprintf(out, "        users: {protocol: [udp], action: accept}\n");
	fprintf(out, "  interface:\n    in: {in: front}\n");
	if (stateful)
		fprintf(out, "conntrack:\n  interface:\n    in: {}\n    out: {}\n");
}

/* The same for the peer. */
static void
make_matches(struct job *job)
{
	for (unsigned i = 0; i < RULES; i++)
		job->matches[i] = (struct mr_bench_ovs_match){ .src = 0x0a000000 | i << 16,
			.src_len = 16,
			.proto = 17,
			.deny = true,
			.sport = { 0, 65535 },
			.dport = { (uint16_t)(1000 + i), (uint16_t)(1000 + i) } };
	job->matches[RULES - 1] = (struct mr_bench_ovs_match){ .proto = 17,
		.sport = { 0, 65535 },
		.dport = { 0, 65535 } };
}

static int
make_chain(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	char path[48];
	struct mr_bench_chain_config config = { .traffic = &job->traffic,
		.functions = run->row->param == CHAIN_ROUTER ? NULL : put_rules,
		.user = run };
	int answers = -1, rc;

	if (run->row->param == CHAIN_CONNECTIONS) {
		answers = mr_bench_traffic_answers(&job->traffic, FLOWS, path, sizeof(path));
		if (answers < 0)
			return mr_error_set(error, answers, "no files for the bench's frames");
		config.answers = path;
	}
	rc = mr_bench_chain_open(&job->chain, run, &config, error);
	if (answers >= 0)
		close(answers);
	return rc;
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
	free(job);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_bench_traffic_config traffic = { .bits = 32,
		.prefixes = ROUTES,
		.flows = FLOWS };
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	make_matches(job);
	rc = mr_bench_traffic_open(&job->traffic, &traffic, error);
	if (rc == 0)
		rc = make_chain(job, run, error);
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
	const struct mr_bench_ovs_flows flows = { .traffic = &job->traffic,
		.matches = job->matches,
		.match_count = run->row->param == CHAIN_ROUTER ? 0 : RULES,
		.conntrack = run->row->param == CHAIN_CONNECTIONS };

	return mr_bench_ovs_flows_start(state, run, &flows, label, size, error);
}

static const struct mr_bench_peer ovs = MR_BENCH_OVS_PEER("ovs", start_ovs);
static const struct mr_bench_peer *const peers[] = { &ovs, NULL };

#define ROW(name_, text_, chain_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = "flow lane, established, 8,192 flows: " text_, \
		.config = text_ "; 8,192 flows at random over 80 prefixes, 16 next hops, 64-byte " \
				"UDP frames played from memory, to ovs the same by net_pcap with " \
				"infinite_rx", \
		.param = chain_, .window_ms = 20, .setup = setup, .teardown = teardown, \
		.ours = ours, .floor = bare, .peers = peers, \
	}

static const struct mr_bench_row rows[] = {
	ROW("chain-1", "routing", CHAIN_ROUTER),
	ROW("chain-2", "routing and 100 stateless rules", CHAIN_RULES),
	ROW("chain-3", "routing, stateful rules and connections", CHAIN_CONNECTIONS),
};

const struct mr_bench_family mr_bench_family_chain = { "chain", rows, MR_ARRAY_COUNT(rows) };
