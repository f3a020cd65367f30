/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row xdp-veth-64: frames come out of one veth, cross our graph from port to port, and leave
 * by another. Everybody has a pair of veths, all alike, so that all stay open and can
 * take turns; the frames are fed to whoever's turn it is.
 *
 *	far			       near
 *	fed ---> far-ours-a -------- ours-a  [xdp port]--+
 *	counted  far-ours-b <------- ours-b  [xdp port]<-+
 *	fed ---> far-bare-a -------- bare-a  two sockets, no graph: the floor
 *	counted  far-bare-b <------- bare-b
 *	fed ---> far-peer-a -------- peer-a  testpmd io, net_af_xdp
 *	counted  far-peer-b <------- peer-b
 *
 * Feeding, with the kernel's half of receiving, has a CPU of its own and makes more than
 * anybody forwards; forwarding, with the kernel's half of sending, has the pinned core.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "bench/bare_xdp.h"
#include "bench/bed.h"
#include "bench/feed.h"
#include "bench/net.h"
#include "bench/peer_testpmd.h"

#define WARM_UP_MS 10
#define WINDOWS_MAX 20

struct job {
	struct mr_bench_net net;
	struct mr_bench_bed bed;
	struct mr_bench_feed feed;
	struct mr_bench_bare_xdp *bare;
	int to_ours, to_bare, to_peer; /* ways to feed */
	uint64_t tsc_hz;
	double offered, received;      /* by and of us, Mpps, in our last window */
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_bench_feed_stop(&job->feed);
	if (job->received > 0)
		mr_bench_note(run, "; last window: %.2f Mpps offered, %.2f received by us",
		    job->offered, job->received);
	mr_bench_bed_close(&job->bed);
	mr_bench_bare_xdp_close(job->bare);
	mr_bench_net_close(&job->net);
	free(job);
}

static int
make_veths(struct job *job, struct mr_error *error)
{
	static const char *const names[] = { "ours-a", "ours-b", "bare-a", "bare-b", "peer-a",
		"peer-b" };
	int rc = mr_bench_net_open(&job->net, error);
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(names) && rc == 0; i++)
		rc = mr_bench_net_veth(&job->net, names[i], error);
	return rc;
}

/* Adds the far end of a veth to what can be fed. */
static int
add_way(struct job *job, const char *name, int *way, struct mr_error *error)
{
	int rc = mr_bench_net_index(&job->net, job->net.far, name, error);

	if (rc < 0)
		return rc;
	mr_bench_net_enter(job->net.far, NULL);
	*way = mr_bench_feed_add(&job->feed, rc, error);
	mr_bench_net_enter(job->net.near, NULL);
	return MR_MIN(*way, 0);
}

static int
start_feed(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	int rc = mr_bench_net_enter(job->net.far, error);

	if (rc == 0)
		rc = mr_bench_feed_start(&job->feed, (unsigned)run->cpu_other, error);
	mr_bench_net_enter(job->net.near, NULL);
	if (rc == 0)
		rc = add_way(job, "far-ours-a", &job->to_ours, error);
	if (rc == 0)
		rc = add_way(job, "far-bare-a", &job->to_bare, error);
	if (rc == 0)
		rc = add_way(job, "far-peer-a", &job->to_peer, error);
	return rc;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	job->net = MR_BENCH_NET_CLOSED;
	job->tsc_hz = run->tsc_hz;
	run->state = job;
	rc = make_veths(job, error);
	if (rc == 0)
		rc = start_feed(job, run, error);
	if (rc == 0)
		rc = mr_bench_bed_open(&job->bed, run, error);
	if (rc == 0)
		rc = mr_bench_bed_port(&job->bed, "xdp", "ours-a", NULL, 0, error);
	if (rc == 0)
		rc = mr_bench_bed_port(&job->bed, "xdp", "ours-b", NULL, 0, error);
	if (rc == 0)
		rc = mr_graph_set_input(job->bed.graph, 0, MR_GRAPH_NODE_TX, 1);
	if (rc == 0)
		rc = mr_graph_set_input(job->bed.graph, 1, MR_GRAPH_NODE_TX, 0);
	if (rc == 0)
		rc = mr_graph_commit(job->bed.graph, error);
	if (rc == 0)
		rc = mr_bench_bare_xdp_open(&job->bare, "bare-a", "bare-b", error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static uint64_t
turns_ours(struct job *job, uint64_t cycles)
{
	uint64_t start = mr_cycles(), count = 0;

	do
		count += mr_graph_pass(job->bed.graph, 0);
	while (mr_cycles() - start < cycles);
	return count;
}

static uint64_t
turns_bare(struct job *job, uint64_t cycles)
{
	uint64_t start = mr_cycles(), count = 0;

	do
		count += mr_bench_bare_xdp_turn(job->bare);
	while (mr_cycles() - start < cycles);
	return count;
}

/* The peer turns by itself. */
static uint64_t
turns_of_others(struct job *job, uint64_t cycles)
{
	uint64_t ns = cycles * 1000 / (job->tsc_hz / 1000000);
	const struct timespec nap = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	nanosleep(&nap, NULL);
	return 0;
}

/* Frames per microsecond that come out at the far end. */
static int
window(struct mr_bench_run *run, int to, const char *end, uint64_t (*turns)(struct job *, uint64_t),
    double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t before, after, begin, fed, received;
	unsigned tries = 0;
	double us;
	int rc;

	rc = mr_bench_feed_to(&job->feed, to, error);
	if (rc < 0)
		return rc;
	turns(job, run->tsc_hz / 1000 * WARM_UP_MS);
	fed = mr_bench_feed_count(&job->feed);
	before = mr_bench_net_received(job->net.far_counts, end);
	begin = mr_cycles();
	/* On a busy machine the feeding process may not have had its CPU yet. */
	do {
		received = turns(job, run->window);
		after = mr_bench_net_received(job->net.far_counts, end);
	} while (after == before && ++tries < WINDOWS_MAX);
	us = (double)(mr_cycles() - begin) * 1e6 / (double)run->tsc_hz;
	fed = mr_bench_feed_count(&job->feed) - fed;
	if (to == job->to_ours) {
		job->offered = (double)fed / us;
		job->received = (double)received / us;
	}
	rc = mr_bench_feed_to(&job->feed, 0, error);
	turns(job, run->tsc_hz / 1000);
	if (rc == 0 && after == before)
		rc = mr_error_set(error, -EIO, "no frame came out at %s", end);
	*value = (double)(after - before) / us;
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return window(run, job->to_ours, "far-ours-b", turns_ours, value, error);
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return window(run, job->to_bare, "far-bare-b", turns_bare, value, error);
}

static int
testpmd_start(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	static const struct mr_bench_testpmd_config config = {
		.mode = "io",
		.vdevs = { "net_af_xdp0,iface=peer-a", "net_af_xdp1,iface=peer-b" },
		.quiet = true,
	};

	return mr_bench_testpmd_start((struct mr_bench_testpmd **)state, run, &config, label, size,
	    error);
}

/* While testpmd forwards. */
static int
watch(struct mr_bench_run *run, pid_t pid, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return window(run, job->to_peer, "far-peer-b", turns_of_others, value, error);
}

static int
testpmd_window(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	return mr_bench_testpmd_busy(state, run, watch, value, error);
}

static const struct mr_bench_peer testpmd = { "testpmd", testpmd_start, testpmd_window,
	mr_bench_testpmd_stop, mr_bench_testpmd_thread };
static const struct mr_bench_peer *const peers[] = { &testpmd, NULL };

static const struct mr_bench_row rows[] = {
	{
	    .name = "xdp-veth-64",
	    .unit = "Mpps",
	    .more_is_better = true,
	    .doc = "AF_XDP, from one veth to another",
	    .config = "veths at default settings, one queue, 64-byte frames in one direction, fed "
		      "as live XDP frames from another CPU, forwarded on the pinned core, counted "
		      "by the kernel at the far end; floor: descriptors from ring to ring; testpmd "
		      "io over net_af_xdp",
	    .window_ms = 100,
	    .two_cpus = true,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = ours,
	    .floor = bare,
	    .peers = peers,
	},
};

const struct mr_bench_family mr_bench_family_xdp = { "xdp", rows, MR_ARRAY_COUNT(rows) };
