/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows xdp-veth-64 and tap-64: frames cross our graph from port to port, and nothing else
 * (bench/wire.h). The floor is two sockets, or two TAPs, without a graph; the peer is testpmd io over
 * net_af_xdp or net_tap.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/bare_tap.h"
#include "bench/bare_xdp.h"
#include "bench/bed.h"
#include "bench/peer_testpmd.h"
#include "bench/wire.h"

enum { XDP, TAP };

struct job {
	struct mr_bench_wire wire;
	struct mr_bench_bed bed;
	struct mr_bench_bare_xdp *bare_xdp;
	struct mr_bench_bare_tap bare_tap;
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_bench_bed_close(&job->bed);
	mr_bench_bare_xdp_close(job->bare_xdp);
	mr_bench_bare_tap_close(&job->bare_tap);
	mr_bench_wire_close(&job->wire, run);
	free(job);
}

static int
make_ports(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	const char *driver = job->wire.tap ? "tap" : "xdp";
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
	bool tap = run->row->param == TAP;
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->wire = MR_BENCH_WIRE_CLOSED;
	job->bare_tap = (struct mr_bench_bare_tap){ -1, -1 };
	rc = mr_bench_wire_open(&job->wire, run, tap, error);
	if (rc == 0)
		rc = make_ports(job, run, error);
	if (rc == 0)
		rc = tap ? mr_bench_bare_tap_open(&job->bare_tap, "bare-a", "bare-b", error)
			 : mr_bench_bare_xdp_open(&job->bare_xdp, "bare-a", "bare-b", error);
	if (rc == 0)
		rc = mr_bench_wire_feed(&job->wire, run, error);
	if (rc == 0)
		rc = mr_bench_wire_add(&job->wire, MR_BENCH_WIRE_OURS, error);
	if (rc == 0)
		rc = mr_bench_wire_add(&job->wire, MR_BENCH_WIRE_BARE, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static unsigned
turn(void *user)
{
	struct job *job = user;

	return mr_graph_pass(job->bed.graph, 0);
}

static unsigned
turn_bare(void *user)
{
	struct job *job = user;

	return job->wire.tap ? mr_bench_bare_tap_turn(&job->bare_tap)
			     : mr_bench_bare_xdp_turn(job->bare_xdp);
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return mr_bench_wire_window(&job->wire, run, MR_BENCH_WIRE_OURS, turn, job, value, error);
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return mr_bench_wire_window(&job->wire, run, MR_BENCH_WIRE_BARE, turn_bare, job, value,
	    error);
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
	struct job *job = run->state;
	struct mr_bench_testpmd *t;
	int rc;

	rc = mr_bench_testpmd_start(&t, run, &configs[run->row->param], label, size, error);
	if (rc == 0)
		rc = mr_bench_wire_add(&job->wire, MR_BENCH_WIRE_PEER, error);
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
	struct job *job = run->state;

	return mr_bench_wire_window(&job->wire, run, MR_BENCH_WIRE_PEER, NULL, NULL, value, error);
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
