/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows lb-*: a router that spreads the datagrams for one address over 16 servers behind it, chosen by
 * Maglev hashing: so many connections, each from another address and port, established in the flow
 * lane (bench/chain.h). lb-N translates addresses and ports, lb-ipip-N wraps packets up (direct server
 * return). The floor of the former is bench/bare_nat.h, that of the latter bench/bare_flow.h, which
 * wraps up nothing.
 */
#include "bench/bench.h"

#include "bench/chain.h"

#define SERVERS 16u
#define VIP 198, 18, 1, 1
#define IPIP (1u << 31) /* in the rows' parameter, beside the number of connections */

static void
draw_frame(uint8_t frame[MR_BENCH_FRAME], const struct mr_bench_routes *routes, uint64_t *rng,
    void *user)
{
	const uint8_t src[4] = { 11, (uint8_t)mr_bench_draw(rng, 256),
		(uint8_t)mr_bench_draw(rng, 256), (uint8_t)mr_bench_draw(rng, 256) };

	mr_bench_tuple(frame, mr_bench_traffic_mac, src, (const uint8_t[]){ VIP }, 17,
	    (uint16_t)(1024 + mr_bench_draw(rng, 64512)), 443);
}

static void
put_service(FILE *out, const struct mr_bench_run *run, const void *user)
{
	const uint8_t vip[4] = { VIP };
	uint32_t flows = (uint32_t)run->row->param & ~IPIP;
	bool ipip = run->row->param & IPIP;

	fprintf(out, "lb:\n  max: %u\n  interface: [in, out]\n", MR_MAX(2 * flows, 65536u));
	fprintf(out, "  service:\n    web:\n      address: [%u.%u.%u.%u]\n", vip[0], vip[1], vip[2],
	    vip[3]);
	fprintf(out, "      protocol: udp\n      port: [443]\n      mode: %s\n      backend:\n",
	    ipip ? "ipip" : "nat");
	for (unsigned i = 0; i < SERVERS; i++)
		fprintf(out, "        s%u: {address: 192.0.2.%u%s}\n", i, 16 + i,
		    ipip ? "" : ", port: 8443");
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	uint32_t flows = (uint32_t)run->row->param & ~IPIP;
	const struct mr_bench_chain_config config = {
		.traffic = { .bits = 32, .flows = flows, .draw = draw_frame },
		.nat = !(run->row->param & IPIP),
		.lane_flows = MR_MAX(4 * flows, 1u << 20),
		.functions = put_service,
	};

	return mr_bench_chain_setup(run, &config, error);
}

#define ROW(name_, what_, text_, param_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = \
		    "load balancer (Maglev, " what_ ") with the flow lane, " text_ " connections", \
		.config = what_ "; " text_ \
				" connections of UDP to one service of 16 servers, each a next " \
				"hop, 64-byte frames played from memory", \
		.param = param_, .window_ms = 20, .setup = setup, \
		.teardown = mr_bench_chain_teardown, .ours = mr_bench_chain_ours, \
		.floor = mr_bench_chain_floor, \
	}

static const struct mr_bench_row rows[] = {
	ROW("lb-1k", "address and port translated", "1,024", 1024),
	ROW("lb-64k", "address and port translated", "65,536", 65536),
	ROW("lb-1m", "address and port translated", "1,048,576", 1 << 20),
	ROW("lb-ipip-1k", "IP in IP", "1,024", IPIP | 1024),
	ROW("lb-ipip-64k", "IP in IP", "65,536", IPIP | 65536),
	ROW("lb-ipip-1m", "IP in IP", "1,048,576", IPIP | 1 << 20),
};

const struct mr_bench_family mr_bench_family_lb = { "lb", rows, MR_ARRAY_COUNT(rows) };
