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

#include "bench/chain.h"
#include "bench/peer_ovs_flows.h"
#include "bench/shape_acl.h"
#include "kit/packet/wire.h"

#define FLOWS 8192u
#define GRAPH (1u << 31) /* in the rows' parameter, beside the number of rules */

struct rules {
	uint32_t count;
	uint64_t seed;
	struct mr_class_rule rules[];
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
	struct rules *list = user;
	const struct mr_class_rule *rule;
	struct mr_class_key key;

	do {
		rule = &list->rules[mr_classbench_random(&list->seed) % list->count];
		mr_classbench_key(&key, rule, false, &list->seed);
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
put_rules(FILE *out, const struct mr_bench_run *run, const void *user)
{
	const struct rules *list = user;

	fprintf(out, "acl:\n  interface:\n    in: {in: front}\n");
	fprintf(out, "  list:\n    front:\n      default: drop\n      rule:\n");
	for (uint32_t i = 0; i < list->count; i++) {
		const struct mr_class_rule *r = &list->rules[i];

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
make_matches(const struct rules *list)
{
	struct mr_bench_ovs_match *matches = calloc(list->count, sizeof(*matches));

	for (uint32_t i = 0; matches && i < list->count; i++) {
		const struct mr_class_rule *r = &list->rules[i];

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

static struct rules *
load_rules(const struct mr_bench_run *run, struct mr_error *error)
{
	uint32_t want = (uint32_t)run->row->param & ~GRAPH, count;
	struct mr_class_rule *all;
	struct rules *list = NULL;

	all = shape_acl_rules(want > 10000 ? "-100k" : want > 1000 ? "-10k" : "-1k", &count);
	if (all) {
		count = MR_MIN(count, want);
		list = malloc(sizeof(*list) + count * sizeof(*all));
	}
	if (list) {
		*list = (struct rules){ .count = count, .seed = 0x9e3779b97f4a7c15ull };
		memcpy(list->rules, all, count * sizeof(*all));
	} else {
		mr_error_set(error, all ? -ENOMEM : -ENOENT, "%s",
		    all ? "no memory" : "no rule sets: set MR_DATA to the folder of shared data");
	}
	free(all);
	return list;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct rules *list = load_rules(run, error);
	const struct mr_bench_chain_config config = {
		.traffic = { .bits = 32, .flows = FLOWS, .draw = draw_frame, .user = list },
		.graph = run->row->param & GRAPH,
		.functions = put_rules,
		.user = list,
	};

	return list ? mr_bench_chain_setup(run, &config, error) : error->code;
}

static int
start_ovs(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	struct mr_bench_chain *chain = run->state;
	const struct rules *list = chain->user;
	struct mr_bench_ovs_match *matches = make_matches(list);
	const struct mr_bench_ovs_flows flows = { .traffic = &chain->traffic,
		.matches = matches,
		.match_count = list->count };
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
		.param = param_, .window_ms = 20, .setup = setup, \
		.teardown = mr_bench_chain_teardown, .ours = mr_bench_chain_ours, \
		.floor = mr_bench_chain_floor, .peers = peers, \
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
