/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows chain-*: what functions in a chain cost in the flow lane: the router alone, with 100 stateless
 * rules in front, with connections tracked and stateful rules in front, with NAT behind, with a load balancer between, with VXLAN
 * behind all of it. 8,192 flows of
 * UDP, all established; of those that are tracked answers were seen. All is configured as a user would
 * (bench/chain.h).
 *
 * The peer is Open vSwitch's userspace datapath with rules that do the same (bench/ovs_rules.h), as far
 * as these go; a second one is our own data plane with the first function of the chain alone. The floor
 * is one bare table, which translates where there is NAT.
 *
 * chain-3-tcp: the same as chain-3 for open connections of TCP, each of which has two segments, in turn,
 * that lie in its window: 10 bytes and the 10 behind them.
 *
 * chain-rewrite: behind a flow rule that gives all packets another source, so that each flow has
 * checksum deltas of its own. chain-gateway is what stands between a home and the Internet, beside
 * NAT alone.
 */
#include <string.h>

#include "bench/bench.h"

#include "bench/chain.h"
#include "bench/peer_ovs_flows.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"

#define FLOWS 8192u
#define ROUTES 80u
#define RULES 100u
#define SEQ 100000u /* of TCP's connections, in both directions */
#define PAYLOAD 10u
#define OUTSIDE 198, 18, 0, 1 /* of NAT */

/* Functions, as bits of the rows' parameter, and of another number of flows. */
enum {
	ACL = 1,
	TRACK = 2,
	NAT = 4,
	LB = 8,
	GATEWAY = 16,
	REWRITE = 32,
	MILLION = 64,
	TCP = 128,
	VXLAN = 256
};

/* Rules that do not match, one of them far away from the next, and then all that is sent. */
static void
put_rules(FILE *out, const char *interface, const char *outside, const char *proto, bool stateful)
{
	fprintf(out,
	    "acl:\n  list:\n    front:\n      default: drop\n      stateful: %s\n      rule:\n",
	    stateful ? "true" : "false");
	for (unsigned i = 0; i < RULES - 1; i++)
		fprintf(out,
		    "        no-%u: {source: [10.%u.0.0/16], protocol: [%s], destination-port: "
		    "[%u], action: drop}\n",
		    i, i, proto, 1000 + i);
	fprintf(out, "        users: {protocol: [%s], action: accept}\n", proto);
	fprintf(out, "  interface:\n    %s: {in: front}\n", interface);
	if (stateful)
		fprintf(out, "conntrack:\n  interface:\n    %s: {}\n    %s: {}\n", interface,
		    outside);
}

static void
put_nat(FILE *out, const char *interface)
{
	const uint8_t outside[4] = { OUTSIDE };

	fprintf(out, "nat:\n  instance:\n    home:\n      outside: [%s]\n", interface);
	fprintf(out, "      pool: [%u.%u.%u.%u]\n", outside[0], outside[1], outside[2], outside[3]);
}

/* A service for each next hop, which is its one server: so it is known where answers come from. */
static void
put_services(FILE *out, const char *outside)
{
	fprintf(out, "lb:\n  interface: [in, %s]\n  service:\n", outside);
	for (unsigned i = 0; i < MR_BENCH_HOPS; i++)
		fprintf(out,
		    "    s%u:\n      address: [198.18.1.%u]\n      protocol: udp\n"
		    "      port: [443]\n      mode: nat\n"
		    "      backend: {b: {address: 192.0.2.%u, port: 8443}}\n",
		    i, 16 + i, 16 + i);
}

static void
put_rewrite(FILE *out)
{
	fprintf(out,
	    "flow-rules:\n  rule:\n    other: {priority: 1, match: {protocol: udp}, "
	    "set: {source: 198.18.0.1, source-port: 7777}, action: pass}\n");
}

static void
put_functions(FILE *out, const struct mr_bench_run *run, const void *user)
{
	const char *outside = run->row->param & VXLAN ? "vni" : "out";

	if (run->row->param & ACL)
		put_rules(out, run->row->param & GATEWAY ? "gateway" : "in", outside,
		    run->row->param & TCP ? "tcp" : "udp", run->row->param & TRACK);
	if (run->row->param & NAT)
		put_nat(out, outside);
	if (run->row->param & LB)
		put_services(out, outside);
	if (run->row->param & REWRITE)
		put_rewrite(out);
}

static void
put_nat_alone(FILE *out, const struct mr_bench_run *run, const void *user)
{
	put_nat(out, "out");
}

/* All that is sent is one host's, whose ports NAT keeps: its address is the outside's. */
static void
answer_outside(uint8_t frame[MR_BENCH_FRAME])
{
	const uint8_t outside[4] = { OUTSIDE };
	const struct mr_ip4 *ip = (const struct mr_ip4 *)(frame + sizeof(struct mr_eth));
	const struct mr_udp *udp = (const struct mr_udp *)(ip + 1);
	uint16_t from = mr_be16(udp->dst), to = mr_be16(udp->src);
	be32_t dst = ip->dst;

	mr_bench_tuple(frame, (const uint8_t[]){ 2, 0, 0, 0, 0, 3 }, (const uint8_t *)&dst, outside,
	    17, from, to);
}

/* To one of the services. */
static void
draw_service(uint8_t frame[MR_BENCH_FRAME], const struct mr_bench_routes *routes, uint64_t *rng,
    void *user)
{
	const uint8_t src[4] = { 198, 51, 100, 2 };
	const uint8_t dst[4] = { 198, 18, 1, (uint8_t)(16 + mr_bench_draw(rng, MR_BENCH_HOPS)) };

	mr_bench_tuple(frame, mr_bench_traffic_mac, src, dst, 17,
	    (uint16_t)(1024 + mr_bench_draw(rng, 64512)), 443);
}

/* The server's, behind NAT. */
static void
answer_service(uint8_t frame[MR_BENCH_FRAME])
{
	const struct mr_ip4 *ip = (const struct mr_ip4 *)(frame + sizeof(struct mr_eth));
	const struct mr_udp *udp = (const struct mr_udp *)(ip + 1);
	const uint8_t server[4] = { 192, 0, 2, (uint8_t)mr_be32(ip->dst) };

	mr_bench_tuple(frame, (const uint8_t[]){ 2, 0, 0, 0, 0, 3 }, server,
	    (const uint8_t[]){ OUTSIDE }, 17, 8443, mr_be16(udp->src));
}

/* -- TCP -------------------------------------------------------------------------------- */

/* The segment behind which the next one stands. */
struct segment {
	uint8_t frame[MR_BENCH_FRAME];
	bool second;
};

static void
set_numbers(uint8_t frame[MR_BENCH_FRAME], uint32_t seq, uint32_t ack)
{
	const struct mr_ip4 *ip = (const struct mr_ip4 *)(frame + sizeof(struct mr_eth));
	struct mr_tcp *tcp = (struct mr_tcp *)(frame + sizeof(struct mr_eth) + sizeof(*ip));
	uint16_t len = (uint16_t)(frame + MR_BENCH_FRAME - (uint8_t *)tcp);
	uint64_t sum = mr_checksum_pseudo4(ip->src, ip->dst, 6, len);

	tcp->seq = mr_be32(seq);
	tcp->ack = mr_be32(ack);
	tcp->window = mr_be16(65535);
	tcp->check = 0;
	tcp->check = mr_checksum_finish(mr_checksum_add(sum, tcp, len));
}

static void
draw_segment(uint8_t frame[MR_BENCH_FRAME], const struct mr_bench_routes *routes, uint64_t *rng,
    void *user)
{
	const uint8_t src[4] = { 198, 51, 100, 2 };
	struct segment *s = user;
	uint8_t dst[16];

	if (!s->second) {
		mr_bench_routes_draw(routes, rng, dst);
		mr_bench_tuple(s->frame, mr_bench_traffic_mac, src, dst, 6,
		    (uint16_t)(1024 + mr_bench_draw(rng, 64512)),
		    (uint16_t)(1024 + mr_bench_draw(rng, 64512)));
	}
	memcpy(frame, s->frame, MR_BENCH_FRAME);
	set_numbers(frame, SEQ + (s->second ? PAYLOAD : 0), SEQ);
	s->second = !s->second;
}

/* The other end's, which has as many bytes, and acknowledged what stands in front of both. */
static void
answer_segment(uint8_t frame[MR_BENCH_FRAME])
{
	mr_bench_answer(frame);
	set_numbers(frame, SEQ, SEQ);
}

static struct mr_bench_chain_config
configuration(uint64_t functions, struct segment *segment)
{
	struct mr_bench_chain_config config = {
		.traffic = { .bits = 32, .prefixes = ROUTES, .flows = FLOWS },
		.bridge = functions & GATEWAY,
		.tunnel = functions & VXLAN ? MR_BENCH_WRAPS : MR_BENCH_PLAIN,
		.nat = functions & (NAT | REWRITE),
		.functions = put_functions,
	};

	if (functions & MILLION) {
		config.traffic.flows = 1 << 20;
		config.lane_flows = 4 << 20;
	}
	if (functions & TCP) {
		*segment = (struct segment){ .second = false };
		config.traffic.flows = 2 * FLOWS;
		config.traffic.draw = draw_segment;
		config.traffic.user = segment;
	}
	if (functions & LB) {
		config.traffic.prefixes = 0;
		config.traffic.draw = draw_service;
	}
	if (functions & TRACK)
		config.answer = functions & LB ? answer_service
		    : functions & TCP          ? answer_segment
		    : functions & NAT          ? answer_outside
					       : mr_bench_answer;
	return config;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct segment segment;
	const struct mr_bench_chain_config config = configuration(run->row->param, &segment);

	return mr_bench_chain_setup(run, &config, error);
}

/* -- peers ----------------------------------------------------------------------------- */

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
		.match_count = run->row->param & ACL ? RULES : 0,
		.conntrack = run->row->param & TRACK };

	make_matches(matches);
	return mr_bench_ovs_flows_start(state, run, &flows, label, size, error);
}

/* Ours, with the first function alone: of a gateway's, that is NAT. */
static int
start_alone(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	bool gateway = run->row->param & GATEWAY;
	uint64_t alike = run->row->param & (LB | MILLION | TCP);
	struct segment segment;
	struct mr_bench_chain_config config = configuration((gateway ? NAT : 0) | alike, &segment);

	config.functions = gateway ? put_nat_alone : NULL;
	snprintf(label, size, "ours, %s", gateway ? "routing and NAT" : "routing");
	return mr_bench_chain_open((struct mr_bench_chain **)state, run, &config, error);
}

static const struct mr_bench_peer ovs = MR_BENCH_OVS_PEER("ovs", start_ovs);
static const struct mr_bench_peer alone = { "alone", start_alone, mr_bench_chain_window,
	mr_bench_chain_close, NULL };
static const struct mr_bench_peer *const peers[] = { &ovs, &alone, NULL };
static const struct mr_bench_peer *const ourselves[] = { &alone, NULL };

#define FRAMES "64-byte UDP frames played from memory"
#define AT_RANDOM " flows at random over 80 prefixes, 16 next hops, " FRAMES
#define TO_OVS ", to ovs the same by net_pcap with infinite_rx"

#define ROW(name_, flows_, text_, config_, functions_, peers_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = "flow lane, established, " flows_ " flows: " text_, \
		.config = text_ "; " flows_ config_, .param = functions_, .window_ms = 20, \
		.setup = setup, .teardown = mr_bench_chain_teardown, .ours = mr_bench_chain_ours, \
		.floor = mr_bench_chain_floor, .peers = peers_, \
	}

static const struct mr_bench_row rows[] = {
	ROW("chain-1", "8,192", "routing", AT_RANDOM TO_OVS, 0, peers),
	ROW("chain-2", "8,192", "routing and 100 stateless rules", AT_RANDOM TO_OVS, ACL, peers),
	ROW("chain-3", "8,192", "routing, 100 stateful rules and connections", AT_RANDOM TO_OVS,
	    ACL | TRACK, peers),
	ROW("chain-3-tcp", "8,192", "routing, 100 stateful rules and connections of TCP",
	    " flows at random over 80 prefixes, 16 next hops, two 64-byte segments of each, "
	    "in its window, played from memory",
	    ACL | TRACK | TCP, ourselves),
	ROW("chain-4", "8,192", "routing, 100 stateful rules, connections and NAT",
	    AT_RANDOM "; NAT keeps ports", ACL | TRACK | NAT, ourselves),
	ROW("chain-5", "8,192", "routing, 100 stateful rules, connections, NAT and load balancing",
	    " flows to 16 services of a server each, " FRAMES "; NAT keeps ports",
	    ACL | TRACK | NAT | LB, ourselves),
	ROW("chain-6", "8,192",
	    "routing, 100 stateful rules, connections, NAT, load balancing and VXLAN",
	    " flows to 16 services of a server each behind a tunnel, " FRAMES
	    "; NAT keeps ports; answers come through the tunnel",
	    ACL | TRACK | NAT | LB | VXLAN, ourselves),
	ROW("chain-rewrite", "8,192", "routing, another source address and port", AT_RANDOM,
	    REWRITE, ourselves),
	ROW("chain-rewrite-1m", "1,048,576", "routing, another source address and port", AT_RANDOM,
	    REWRITE | MILLION, ourselves),
	ROW("chain-gateway", "8,192",
	    "a home's gateway: bridging, routing, 100 stateful rules, connections and NAT",
	    AT_RANDOM "; NAT keeps ports", ACL | TRACK | NAT | GATEWAY, ourselves),
};

const struct mr_bench_family mr_bench_family_chain = { "chain", rows, MR_ARRAY_COUNT(rows) };
