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

#include "bench/chain.h"
#include "bench/peer_ovs_flows.h"

#define FLOWS 8192u
#define ROUTES 80u
#define RULES 100u

enum chain { CHAIN_ROUTER, CHAIN_RULES, CHAIN_CONNECTIONS };

/* Rules that do not match, one of them far away from the next, and then all that is sent. */
static void
put_rules(FILE *out, const struct mr_bench_run *run, const void *user)
{
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

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_bench_chain_config config = {
		.traffic = { .bits = 32, .prefixes = ROUTES, .flows = FLOWS },
		.functions = run->row->param == CHAIN_ROUTER ? NULL : put_rules,
		.answer = run->row->param == CHAIN_CONNECTIONS ? mr_bench_answer : NULL,
	};

	return mr_bench_chain_setup(run, &config, error);
}

/* The rules for the peer. */
static void
make_matches(struct mr_bench_ovs_match matches[RULES])
{
	for (unsigned i = 0; i < RULES; i++)
		matches[i] = (struct mr_bench_ovs_match){ .src = 0x0a000000 | i << 16,
			.src_len = 16,
			.proto = 17,
			.deny = true,
			.sport = { 0, 65535 },
			.dport = { (uint16_t)(1000 + i), (uint16_t)(1000 + i) } };
	matches[RULES - 1] = (struct mr_bench_ovs_match){ .proto = 17,
		.sport = { 0, 65535 },
		.dport = { 0, 65535 } };
}

static int
start_ovs(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	struct mr_bench_chain *chain = run->state;
	struct mr_bench_ovs_match matches[RULES];
	const struct mr_bench_ovs_flows flows = { .traffic = &chain->traffic,
		.matches = matches,
		.match_count = run->row->param == CHAIN_ROUTER ? 0 : RULES,
		.conntrack = run->row->param == CHAIN_CONNECTIONS };

	make_matches(matches);
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
		.param = chain_, .window_ms = 20, .setup = setup, \
		.teardown = mr_bench_chain_teardown, .ours = mr_bench_chain_ours, \
		.floor = mr_bench_chain_floor, .peers = peers, \
	}

static const struct mr_bench_row rows[] = {
	ROW("chain-1", "routing", CHAIN_ROUTER),
	ROW("chain-2", "routing and 100 stateless rules", CHAIN_RULES),
	ROW("chain-3", "routing, stateful rules and connections", CHAIN_CONNECTIONS),
};

const struct mr_bench_family mr_bench_family_chain = { "chain", rows, MR_ARRAY_COUNT(rows) };
