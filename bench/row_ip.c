/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows ip4-* and ip6-*: routing over a full table. A port plays frames from memory, each to an
 * address drawn from the table's prefixes, from and to random UDP ports: that many different
 * ones, again and again. The router sends them to one of 16 next hops behind another port,
 * which frees them.
 *
 *   [pcap0] -- router: 1 M or 200 k prefixes, 16 next hops -- [null1]
 *
 * The peer is DPDK's l3fwd on the same frames and routes, with the faster of its two kinds of
 * table; what it is given is told in bench/peer_l3fwd.h. The floor is bench/bare_route.h.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bare_route.h"
#include "bench/bed.h"
#include "bench/frames.h"
#include "bench/ip_side.h"
#include "bench/peer_l3fwd.h"
#include "bench/routes.h"
#include "kit/packet/wire.h"

#define ROUTES4 1000000
#define ROUTES6 200000
#define IP6 (1u << 31) /* in the rows' parameter, beside the number of flows */

struct job {
	struct mr_bench_bed bed;
	struct mr_bench_ip_side *side;
	struct mr_bench_bare_route *bare;
	struct mr_bench_traffic traffic;
	int raw, rules; /* memory files; -1: none */
	char raw_path[48];
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;
	const int files[] = { job->raw, job->rules };
	unsigned i;

	mr_bench_bare_route_close(job->bare);
	mr_bench_ip_side_close(job->side);
	mr_bench_bed_close(&job->bed);
	mr_bench_traffic_close(&job->traffic);
	for (i = 0; i < MR_ARRAY_COUNT(files); i++)
		if (files[i] >= 0)
			close(files[i]);
	free(job);
}

/* Both sides' tables. */
static int
make_sides(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_bench_ip_side_config side = { .bed = &job->bed, .traffic = &job->traffic };
	struct mr_bench_bare_route_config bare = { .routes = &job->traffic.routes,
		.macs = job->traffic.macs,
		.frames = job->traffic.frames,
		.frame_count = job->traffic.count };
	int rc;

	rc = mr_bench_bed_open(&job->bed, run, error);
	if (rc == 0)
		rc = mr_bench_ip_side_open(&job->side, &side, error);
	bare.buffers = job->bed.buffers;
	if (rc == 0)
		rc = mr_bench_bare_route_open(&job->bare, &bare, error);
	return rc;
}

/* Sees to it that the floor, which believes everything, sends where the router does. */
static int
compare_sides(const struct job *job, bool ip6, struct mr_error *error)
{
	const uint8_t *dst;
	uint32_t i;

	for (i = 0; i < MR_BENCH_TRAFFIC_MIN; i++) {
		dst = job->traffic.frames[i] + sizeof(struct mr_eth) +
		    (ip6 ? offsetof(struct mr_ip6, dst) : offsetof(struct mr_ip4, dst));
		if (mr_bench_bare_route_find(job->bare, dst) !=
		    mr_bench_ip_side_find(job->side, dst))
			return mr_error_set(error, -EIO,
			    "the floor's table and the router's say different things about the "
			    "destination of frame %u",
			    i);
	}
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	bool ip6 = run->row->param & IP6;
	const struct mr_bench_traffic_config traffic = { .bits = ip6 ? 128 : 32,
		.prefixes = ip6 ? ROUTES6 : ROUTES4,
		.flows = (uint32_t)run->row->param & ~IP6 };
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->raw = job->rules = -1;
	rc = mr_bench_traffic_open(&job->traffic, &traffic, error);
	if (rc == 0) {
		mr_bench_note(run, "; %u prefixes of a real table", job->traffic.routes.real);
		rc = job->raw = mr_bench_frames(job->traffic.frames, job->traffic.count,
		    job->raw_path, sizeof(job->raw_path));
		rc = rc < 0 ? mr_error_set(error, rc, "a file of frames: %s", strerror(-rc)) : 0;
	}
	if (rc == 0)
		rc = make_sides(job, run, error);
	if (rc == 0)
		rc = compare_sides(job, ip6, error);
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

	return mr_bench_bare_route_window(job->bare, run, value, error);
}

static int
start_l3fwd(struct mr_bench_run *run, void **state, const char *mode, bool spread, bool fed,
    char *label, size_t size, struct mr_error *error)
{
	struct job *job = run->state;
	unsigned ports = spread ? MR_BENCH_HOPS : 1;
	char rules[48];
	const struct mr_bench_l3fwd_config config = {
		.mode = mode,
		.ports = ports,
		.fed = fed,
		.frames = job->raw_path,
		.capture = job->traffic.path,
		.frame_count = job->traffic.count,
		.routes = rules,
		.ip6 = run->row->param & IP6,
	};

	job->rules = mr_bench_routes_write(&job->traffic.routes, ports, rules, sizeof(rules));
	if (job->rules < 0)
		return mr_error_set(error, job->rules, "a file of routes: %s",
		    strerror(-job->rules));
	return mr_bench_l3fwd_start((struct mr_bench_l3fwd **)state, run, &config, label, size,
	    error);
}

static int
start_best(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	return start_l3fwd(run, state, NULL, false, false, label, size, error);
}

static int
start_lpm(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	return start_l3fwd(run, state, "lpm", false, false, label, size, error);
}

static int
start_fib(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	return start_l3fwd(run, state, "fib", false, false, label, size, error);
}

/* A port for each next hop, the nearest thing to a next hop that it has. */
static int
start_ports(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	return start_l3fwd(run, state, NULL, true, false, label, size, error);
}

/* Given its frames in a faster way than it offers. */
static int
start_fed(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	return start_l3fwd(run, state, NULL, false, true, label, size, error);
}

#define PEER(name_, start_) \
	{ \
		name_, start_, mr_bench_l3fwd_window, mr_bench_l3fwd_stop, mr_bench_l3fwd_thread \
	}

static const struct mr_bench_peer best = PEER("l3fwd", start_best);
static const struct mr_bench_peer lpm = PEER("l3fwd-lpm", start_lpm);
static const struct mr_bench_peer fib = PEER("l3fwd-fib", start_fib);
static const struct mr_bench_peer fed = PEER("l3fwd-fed", start_fed);
static const struct mr_bench_peer ports = PEER("l3fwd-ports", start_ports);
static const struct mr_bench_peer *const peers[] = { &best, &fed, &lpm, &fib, &ports, NULL };

#define ROW(name_, family_, prefixes_, text_, param_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = family_ " routing, " prefixes_ " prefixes, 16 next hops, " text_, \
		.config = \
		    text_ " at random over " prefixes_ " prefixes, 16 next hops, 64-byte " \
			  "UDP frames played from memory, to l3fwd the same by net_pcap with " \
			  "infinite_rx", \
		.param = param_, .window_ms = 20, .setup = setup, .teardown = teardown, \
		.ours = ours, .floor = bare, .peers = peers, \
	}

static const struct mr_bench_row rows[] = {
	ROW("ip4-1", "IPv4", "1,000,000", "1 flow", 1),
	ROW("ip4-1k", "IPv4", "1,000,000", "1,024 flows", 1024),
	ROW("ip4-64k", "IPv4", "1,000,000", "65,536 flows", 65536),
	ROW("ip4-1m", "IPv4", "1,000,000", "1,048,576 flows", 1 << 20),
	ROW("ip6-1", "IPv6", "200,000", "1 flow", IP6 | 1),
	ROW("ip6-1k", "IPv6", "200,000", "1,024 flows", IP6 | 1024),
	ROW("ip6-64k", "IPv6", "200,000", "65,536 flows", IP6 | 65536),
	ROW("ip6-1m", "IPv6", "200,000", "1,048,576 flows", IP6 | 1 << 20),
};

const struct mr_bench_family mr_bench_family_ip = { "ip", rows, MR_ARRAY_COUNT(rows) };
