/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows xdp-veth-64 and tap-64: frames that the kernel has for us cross our graph from port
 * to port and go back to the kernel. Everybody has a pair of interfaces, all alike, so that all
 * stay open and can take turns; the frames are fed to whoever's turn it is.
 *
 *	far			       near
 *	fed ---> far-ours-a -------- ours-a  [xdp port]--+
 *	counted  far-ours-b <------- ours-b  [xdp port]<-+
 *	fed ---> far-bare-a -------- bare-a  two sockets, no graph: the floor
 *	counted  far-bare-b <------- bare-b
 *	fed ---> far-peer-a -------- peer-a  testpmd io, net_af_xdp
 *	counted  far-peer-b <------- peer-b
 *
 * With TAPs there is no far end: ours-a is fed, and what is written to ours-b is counted
 * there.
 *
 * Feeding, for veths with the kernel's half of receiving, has a CPU of its own and makes
 * more than anybody forwards; forwarding, with the kernel's half of sending, has the pinned
 * core.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/bare_tap.h"
#include "bench/bare_xdp.h"
#include "bench/bed.h"
#include "bench/feed.h"
#include "bench/net.h"
#include "bench/peer_testpmd.h"

#define WARM_UP_MS 10
#define WINDOWS_MAX 20
#define NAME 32

enum { XDP, TAP };
enum { OURS, BARE, PEER, SIDES };

struct job {
	struct mr_bench_net net;
	struct mr_bench_bed bed;
	struct mr_bench_feed feed;
	struct mr_bench_bare_xdp *bare_xdp;
	struct mr_bench_bare_tap bare_tap;
	bool tap;
	int ways[SIDES]; /* of the feed */
	uint64_t tsc_hz;
	double offered, received; /* in our last window */
};

static const char *const sides[SIDES] = { "ours", "bare", "peer" };

/* Where a side's frames are fed ('a') or counted ('b'). */
static void
name_end(const struct job *job, unsigned side, char end, char name[NAME])
{
	snprintf(name, NAME, "%s%s-%c", job->tap ? "" : "far-", sides[side], end);
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_bench_feed_stop(&job->feed);
	if (job->received > 0)
		mr_bench_note(run, "; last window: %.2f Mpps offered, %.2f received by us",
		    job->offered, job->received);
	mr_bench_bed_close(&job->bed);
	mr_bench_bare_xdp_close(job->bare_xdp);
	mr_bench_bare_tap_close(&job->bare_tap);
	mr_bench_net_close(&job->net);
	free(job);
}

static int
make_veths(struct job *job, struct mr_error *error)
{
	char name[NAME];
	unsigned side;
	int rc = 0;

	for (side = 0; side < 2 * SIDES && rc == 0; side++) {
		snprintf(name, sizeof(name), "%s-%c", sides[side / 2], "ab"[side % 2]);
		rc = mr_bench_net_veth(&job->net, name, error);
	}
	return rc;
}

/* Adds a side's first interface to what can be fed, and sees to it that TAPs are up. */
static int
add_way(struct job *job, unsigned side, struct mr_error *error)
{
	int where = job->tap ? job->net.near : job->net.far, rc = 0;
	char name[NAME];

	if (job->tap) {
		name_end(job, side, 'b', name);
		rc = mr_bench_net_up(&job->net, name, error);
		name_end(job, side, 'a', name);
		if (rc == 0)
			rc = mr_bench_net_up(&job->net, name, error);
	}
	name_end(job, side, 'a', name);
	if (rc == 0)
		rc = mr_bench_net_index(&job->net, where, name, error);
	if (rc < 0)
		return rc;
	mr_bench_net_enter(where, NULL);
	job->ways[side] = mr_bench_feed_add(&job->feed, rc, error);
	mr_bench_net_enter(job->net.near, NULL);
	return MR_MIN(job->ways[side], 0);
}

static int
start_feed(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	int rc;

	/* It redirects within the namespace where it runs. */
	mr_bench_net_enter(job->tap ? job->net.near : job->net.far, NULL);
	rc = mr_bench_feed_start(&job->feed, (unsigned)run->cpu_other, error);
	mr_bench_net_enter(job->net.near, NULL);
	return rc;
}

static int
make_ports(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	const char *driver = job->tap ? "tap" : "xdp";
	int rc = mr_bench_bed_open(&job->bed, run, error);

	if (rc == 0)
		rc = mr_bench_bed_port(&job->bed, driver, "ours-a", NULL, 0, error);
	if (rc == 0)
		rc = mr_bench_bed_port(&job->bed, driver, "ours-b", NULL, 0, error);
	if (rc == 0)
		rc = mr_graph_set_input(job->bed.graph, 0, MR_GRAPH_NODE_TX, 1);
	if (rc == 0)
		rc = mr_graph_set_input(job->bed.graph, 1, MR_GRAPH_NODE_TX, 0);
	return rc < 0 ? rc : mr_graph_commit(job->bed.graph, error);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->net = MR_BENCH_NET_CLOSED;
	job->bare_tap = (struct mr_bench_bare_tap){ -1, -1 };
	job->tap = run->row->param == TAP;
	job->tsc_hz = run->tsc_hz;
	rc = mr_bench_net_open(&job->net, error);
	if (rc == 0 && !job->tap)
		rc = make_veths(job, error);
	if (rc == 0)
		rc = make_ports(job, run, error);
	if (rc == 0)
		rc = job->tap ? mr_bench_bare_tap_open(&job->bare_tap, "bare-a", "bare-b", error)
			      : mr_bench_bare_xdp_open(&job->bare_xdp, "bare-a", "bare-b", error);
	if (rc == 0)
		rc = start_feed(job, run, error);
	if (rc == 0)
		rc = add_way(job, OURS, error);
	if (rc == 0)
		rc = add_way(job, BARE, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

/* What a side does for some cycles; the frames that it received, where that is known. */
static uint64_t
turn(struct job *job, unsigned side, uint64_t cycles)
{
	uint64_t start = mr_cycles(), count = 0, ns = cycles * 1000 / (job->tsc_hz / 1000000);
	const struct timespec nap = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	if (side == PEER) { /* by itself */
		nanosleep(&nap, NULL);
		return 0;
	}
	do {
		if (side == OURS)
			count += mr_graph_pass(job->bed.graph, 0);
		else if (job->tap)
			count += mr_bench_bare_tap_turn(&job->bare_tap);
		else
			count += mr_bench_bare_xdp_turn(job->bare_xdp);
	} while (mr_cycles() - start < cycles);
	return count;
}

/* Frames per microsecond that come out. */
static int
window(struct mr_bench_run *run, unsigned side, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	int counts = job->tap ? job->net.near_counts : job->net.far_counts, rc;
	uint64_t before, after, begin, fed, received = 0;
	unsigned tries = 0;
	char end[NAME];
	double us;

	name_end(job, side, 'b', end);
	rc = mr_bench_feed_to(&job->feed, job->ways[side], error);
	if (rc < 0)
		return rc;
	turn(job, side, run->tsc_hz / 1000 * WARM_UP_MS);
	fed = mr_bench_feed_count(&job->feed);
	before = mr_bench_net_received(counts, end);
	begin = mr_cycles();
	/* On a busy machine the feeding process may not have had its CPU yet. */
	do {
		received += turn(job, side, run->window);
		after = mr_bench_net_received(counts, end);
	} while (after == before && ++tries < WINDOWS_MAX);
	us = (double)(mr_cycles() - begin) * 1e6 / (double)run->tsc_hz;
	fed = mr_bench_feed_count(&job->feed) - fed;
	if (side == OURS) {
		job->offered = (double)fed / us;
		job->received = (double)received / us;
	}
	rc = mr_bench_feed_to(&job->feed, 0, error);
	turn(job, side, run->tsc_hz / 1000); /* what is still under way */
	if (rc == 0 && after == before)
		rc = mr_error_set(error, -EIO, "no frame came out at %s", end);
	*value = (double)(after - before) / us;
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return window(run, OURS, value, error);
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return window(run, BARE, value, error);
}

static int
testpmd_start(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	static const struct mr_bench_testpmd_config configs[] = {
		[XDP] = { .mode = "io",
		    .quiet = true,
		    /* Without busy polling, its default, it is 3 % faster here. */
		    .vdevs = { "net_af_xdp0,iface=peer-a,busy_budget=0",
			"net_af_xdp1,iface=peer-b,busy_budget=0" } },
		[TAP] = { .mode = "io",
		    .quiet = true,
		    .vdevs = { "net_tap0,iface=peer-a", "net_tap1,iface=peer-b" } },
	};
	struct mr_bench_testpmd *t;
	int rc;

	rc = mr_bench_testpmd_start(&t, run, &configs[run->row->param], label, size, error);
	if (rc == 0)
		rc = add_way(run->state, PEER, error);
	if (rc < 0) {
		mr_bench_testpmd_stop(t);
		return rc;
	}
	*state = t;
	return 0;
}

/* While testpmd forwards. */
static int
watch(struct mr_bench_run *run, pid_t pid, double *value, struct mr_error *error)
{
	return window(run, PEER, value, error);
}

static int
testpmd_window(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	return mr_bench_testpmd_busy(state, run, watch, value, error);
}

static const struct mr_bench_peer testpmd = { "testpmd", testpmd_start, testpmd_window,
	mr_bench_testpmd_stop, mr_bench_testpmd_thread };
static const struct mr_bench_peer *const peers[] = { &testpmd, NULL };

#define ROW(name_, param_, doc_, config_) \
	{ \
		.name = name_, .unit = "Mpps", .more_is_better = true, .doc = doc_, \
		.config = config_ ", 64-byte frames in one direction, fed as live XDP frames " \
				  "from another CPU, forwarded on the pinned core, counted by " \
				  "the kernel", \
		.param = param_, .window_ms = 100, .two_cpus = true, .setup = setup, \
		.teardown = teardown, .ours = ours, .floor = bare, .peers = peers, \
	}

static const struct mr_bench_row rows[] = {
	ROW("xdp-veth-64", XDP, "AF_XDP, from one veth to another",
	    "floor: descriptors from ring to ring; testpmd io over net_af_xdp, busy_budget=0; "
	    "veths at default "
	    "settings, one queue"),
	ROW("tap-64", TAP, "from one TAP to another",
	    "floor: read and write; testpmd io over net_tap; TAPs of one queue"),
};

const struct mr_bench_family mr_bench_family_kernel = { "kernel", rows, MR_ARRAY_COUNT(rows) };
