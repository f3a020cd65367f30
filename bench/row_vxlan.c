/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows vxlan-*: a router that sends its packets into a VXLAN tunnel (vxlan-out-N), and one that takes them
 * out of it and routes them on (vxlan-in-N): so many flows of UDP, established in the flow lane
 * (bench/chain.h). The floor is a bare table that does the same to the frames (bench/bare_flow.h); our own
 * data plane without the tunnel is a peer.
 */
#include "bench/bench.h"

#include "bench/chain.h"

#define ROUTES 80u
#define OUT (1u << 31) /* in the rows' parameter, beside the number of flows */

static struct mr_bench_chain_config
configuration(const struct mr_bench_run *run, bool tunnel)
{
	uint32_t flows = (uint32_t)run->row->param & ~OUT;

	return (struct mr_bench_chain_config){
		.traffic = { .bits = 32, .prefixes = ROUTES, .flows = flows },
		.tunnel = !tunnel                  ? MR_BENCH_PLAIN
		    : (run->row->param & OUT) != 0 ? MR_BENCH_WRAPS
						   : MR_BENCH_UNWRAPS,
		.lane_flows = MR_MAX(4 * flows, 1u << 20),
	};
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_bench_chain_config config = configuration(run, true);

	return mr_bench_chain_setup(run, &config, error);
}

static int
start_without(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	const struct mr_bench_chain_config config = configuration(run, false);

	snprintf(label, size, "ours, without the tunnel");
	return mr_bench_chain_open((struct mr_bench_chain **)state, run, &config, error);
}

static const struct mr_bench_peer without = { "without", start_without, mr_bench_chain_window,
	mr_bench_chain_close, NULL };
static const struct mr_bench_peer *const peers[] = { &without, NULL };

#define ROW(name_, what_, text_, param_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = "VXLAN, " what_ ", in the flow lane, " text_ " flows", \
		.config = what_ "; " text_ \
				" flows at random over 80 prefixes, 16 next hops, 64-byte UDP " \
				"frames, 50 bytes around them, played from memory", \
		.param = param_, .window_ms = 20, .setup = setup, \
		.teardown = mr_bench_chain_teardown, .ours = mr_bench_chain_ours, \
		.floor = mr_bench_chain_floor, .peers = peers, \
	}
#define INTO "routing, then into a tunnel"
#define FROM "out of a tunnel, then routing"

static const struct mr_bench_row rows[] = {
	ROW("vxlan-out-8k", INTO, "8,192", OUT | 8192),
	ROW("vxlan-out-1m", INTO, "1,048,576", OUT | 1 << 20),
	ROW("vxlan-in-8k", FROM, "8,192", 8192),
	ROW("vxlan-in-1m", FROM, "1,048,576", 1 << 20),
};

const struct mr_bench_family mr_bench_family_vxlan = { "vxlan", rows, MR_ARRAY_COUNT(rows) };
