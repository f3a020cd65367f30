/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows nat-N, cgnat-1m and nat-setup: a router that translates the sources of what it sends on, NAT44 with
 * endpoint-independent mapping (bench/chain.h). nat-N: so many flows of UDP from many hosts, each with a
 * mapping of its own, established in the flow lane. The floor is bench/bare_nat.h. cgnat-1m: likewise,
 * where hosts have blocks of 128 ports each, so that a log would name these.
 *
 * nat-setup: mappings that are made, by one packet each, and expire, in cycles for both: a window is
 * 131,072 of them. Between the two they sit out their second, which nobody counts.
 */
#include "bench/bench.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "bench/chain.h"

#define ROUTES 80u
#define HOST_FLOWS 64u    /* of an inside host, about */
#define BLOCKS (1u << 31) /* in the rows' parameter, beside the number of flows */
#define SETUP_FLOWS 131072u
#define SETUP_TICKS 1000

static int setup_making(struct mr_bench_run *, struct mr_error *);

/* Of one of many hosts, which is another every time. */
static void
draw_frame(uint8_t frame[MR_BENCH_FRAME], const struct mr_bench_routes *routes, uint64_t *rng,
    void *user)
{
	const struct mr_bench_run *run = user;
	uint32_t hosts = MR_MAX(((uint32_t)run->row->param & ~BLOCKS) / HOST_FLOWS, 16u);
	uint32_t host = mr_bench_draw(rng, hosts);
	const uint8_t src[4] = { 10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host };
	uint16_t ports[2];
	uint8_t dst[16];

	mr_bench_routes_draw(routes, rng, dst);
	for (unsigned i = 0; i < 2; i++)
		ports[i] = (uint16_t)(1024 + mr_bench_draw(rng, 64512));
	mr_bench_tuple(frame, mr_bench_traffic_mac, src, dst, 17, ports[0], ports[1]);
}

/* Ports are others outside: of one that is kept nothing would have to be written. */
static void
put_nat(FILE *out, const struct mr_bench_run *run, const void *user)
{
	uint32_t flows = (uint32_t)run->row->param & ~BLOCKS;
	bool making = run->row->setup == setup_making;

	fprintf(out, "nat:\n  max: %u\n", MR_MAX(making ? 8 * flows : 2 * flows, 65536u));
	fprintf(out, "  instance:\n    home:\n      outside: [out]\n      pool: [198.18.0.0/26]\n");
	fprintf(out, "      port-preservation: false\n");
	if (run->row->param & BLOCKS)
		fprintf(out, "      block: {size: 128, max: 4}\n");
	if (making)
		fprintf(out, "      timeouts: {udp: 1}\n");
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	uint32_t flows = (uint32_t)run->row->param & ~BLOCKS;
	const struct mr_bench_chain_config config = {
		.traffic = { .bits = 32,
		    .prefixes = ROUTES,
		    .flows = flows,
		    .draw = draw_frame,
		    .user = run },
		.nat = true,
		.lane_flows = MR_MAX(4 * flows, 1u << 20),
		.functions = put_nat,
	};

	return mr_bench_chain_setup(run, &config, error);
}

/* -- new mappings ---------------------------------------------------------------------- */

static uint64_t
cycles_of_making(struct mr_bench_chain *chain)
{
	uint64_t start = mr_cycles(), count = 0;

	while (count < SETUP_FLOWS)
		count += mr_graph_pass(chain->graph, 0);
	return mr_cycles() - start;
}

static int
read_state(struct mr_bench_chain *chain, const char *leaf, uint64_t *value, struct mr_error *error)
{
	return mr_bench_plane_state(chain->plane, "nat", leaf, value, error);
}

/* Their time is over, and then each tick, which come faster here, takes a slice of them away. */
static int
expire(struct mr_bench_chain *chain, uint64_t *cycles, struct mr_error *error)
{
	const struct timespec nap = { 2, 100000000 };
	uint64_t start, left = 1;
	int rc;

	nanosleep(&nap, NULL);
	for (unsigned i = 0; i < SETUP_TICKS && left; i++) {
		start = mr_cycles();
		mr_bench_plane_tick(chain->plane);
		*cycles += mr_cycles() - start;
		rc = read_state(chain, "mappings", &left, error);
		if (rc < 0)
			return rc;
	}
	return left ? mr_error_set(error, -EIO, "mappings do not expire") : 0;
}

static int
setup_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct mr_bench_chain *chain = run->state;
	uint64_t before, after = 0, making = 0, expiring = 0;
	double made;
	int rc = read_state(chain, "created", &before, error);

	if (rc == 0) {
		making = cycles_of_making(chain);
		rc = expire(chain, &expiring, error);
	}
	if (rc == 0)
		rc = read_state(chain, "created", &after, error);
	if (rc < 0)
		return rc;
	made = (double)(after - before);
	if (made < 0.99 * SETUP_FLOWS)
		return mr_error_set(error, -EIO, "of %u mappings %.0f were made", SETUP_FLOWS,
		    made);
	*value = (double)(making + expiring) / made;
	/* The first window says how it divides. */
	if (!strstr(run->config, "expiring"))
		mr_bench_note(run, "; at first %.0f making it, %.0f expiring it: %.2f M/s",
		    (double)making / made, (double)expiring / made,
		    (double)run->tsc_hz * 1e-6 / *value);
	return 0;
}

static int
setup_making(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_bench_chain_config config = {
		.traffic = { .bits = 32,
		    .prefixes = ROUTES,
		    .flows = SETUP_FLOWS,
		    .draw = draw_frame,
		    .user = run },
		.graph = true,
		.nat = true,
		.functions = put_nat,
	};
	struct mr_bench_chain *chain;
	uint64_t cycles = 0;
	int rc = mr_bench_chain_setup(run, &config, error);

	if (rc < 0)
		return rc;
	chain = run->state;
	rc = expire(chain, &cycles, error);
	if (rc < 0)
		mr_bench_chain_teardown(run);
	return rc;
}

#define ROW(name_, text_, more_, flows_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = "NAT44 in the flow lane, established, " text_ " mappings" more_, \
		.config = text_ \
		    " flows from as many inside addresses and ports, at random over 80 " \
		    "prefixes, 16 next hops, 64 outside addresses" more_ ", 64-byte UDP frames " \
		    "played from memory", \
		.param = flows_, .window_ms = 20, .setup = setup, \
		.teardown = mr_bench_chain_teardown, .ours = mr_bench_chain_ours, \
		.floor = mr_bench_chain_floor, \
	}

static const struct mr_bench_row rows[] = {
	ROW("nat-1k", "1,024", "", 1024),
	ROW("nat-64k", "65,536", "", 65536),
	ROW("nat-128k", "131,072", "", 131072),
	ROW("nat-1m", "1,048,576", "", 1 << 20),
	ROW("cgnat-1m", "1,048,576", ", blocks of 128 ports", BLOCKS | 1 << 20),
	{
	    .name = "nat-setup",
	    .unit = "cycles/session",
	    .doc = "NAT44, a mapping made by a packet, and expired",
	    .config =
		"131,072 mappings a window, each by a UDP frame of 64 bytes that is routed and "
		"sent, graph lane; time-out 1 s",
	    .param = SETUP_FLOWS,
	    .setup = setup_making,
	    .teardown = mr_bench_chain_teardown,
	    .ours = setup_window,
	},
};

const struct mr_bench_family mr_bench_family_nat = { "nat", rows, MR_ARRAY_COUNT(rows) };
