/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row nat-kernel: NAT from end to end: one flow, from veth to veth, through a router that puts its own
 * address and a port in place of the source's (bench/wire.h). Ours is a whole data plane, the peer the
 * kernel's nftables. The floor is two AF_XDP sockets that hand on what comes, untranslated.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/bare_xdp.h"
#include "bench/peer_nft.h"
#include "bench/plane_side.h"

struct job {
	struct mr_bench_wire wire;
	struct mr_bench_plane *plane;
	struct mr_bench_bare_xdp *bare;
};

/* The MAC is that of the frames that are fed. */
static const char configuration[] =
    "interface:\n"
    "  in: {device: ours-a}\n"
    "  out: {device: ours-b}\n"
    "lanes: {mode: flow}\n"
    "router:\n"
    "  default:\n"
    "    interface:\n"
    "      in: {mac: \"02:00:00:00:00:fe\", address: [" MR_BENCH_WIRE_IN "/24]}\n"
    "      out: {address: [" MR_BENCH_WIRE_OUT "/24]}\n"
    "    route:\n"
    "      " MR_BENCH_WIRE_DST "/32: {via: " MR_BENCH_WIRE_HOP "}\n"
    "    neighbor:\n"
    "      static:\n"
    "        " MR_BENCH_WIRE_HOP ": {interface: out, mac: \"" MR_BENCH_WIRE_HOP_MAC "\"}\n"
    "nat:\n"
    "  instance:\n"
    "    masquerade: {outside: [out]}\n";

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_bench_plane_close(job->plane);
	mr_bench_bare_xdp_close(job->bare);
	mr_bench_wire_close(&job->wire, run);
	free(job);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->wire = MR_BENCH_WIRE_CLOSED;
	rc = mr_bench_wire_open(&job->wire, run, false, error);
	if (rc == 0)
		rc = mr_bench_plane_open(&job->plane, configuration, error);
	if (rc == 0)
		rc = mr_bench_bare_xdp_open(&job->bare, "bare-a", "bare-b", error);
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

	return mr_graph_pass(mr_bench_plane_graph(job->plane), 0);
}

static unsigned
turn_bare(void *user)
{
	struct job *job = user;

	return mr_bench_bare_xdp_turn(job->bare);
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
nft_start(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	struct job *job = run->state;

	*state = &job->wire;
	return mr_bench_nft_start(&job->wire, label, size, error);
}

static int
nft_window(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	return mr_bench_wire_window(state, run, MR_BENCH_WIRE_PEER, NULL, NULL, value, error);
}

/* It goes with its interfaces. */
static void
nft_stop(void *state)
{
}

static const struct mr_bench_peer nft = { .name = "nft",
	.start = nft_start,
	.window = nft_window,
	.stop = nft_stop };
static const struct mr_bench_peer *const peers[] = { &nft, NULL };

static const struct mr_bench_row rows[] = {
	{
	    .name = "nat-kernel",
	    .unit = "Mpps",
	    .more_is_better = true,
	    .doc = "NAT from one veth to another",
	    .config =
		"one UDP flow, the source's address and port translated; veths at default "
		"settings, "
		"the kernel's with GRO; 64-byte frames in one direction, fed as live XDP frames "
		"from another CPU, forwarded on the pinned core, the kernel's on the CPU that "
		"feeds, "
		"counted by the kernel; floor: AF_XDP descriptors from ring to ring, untranslated",
	    .window_ms = 100,
	    .two_cpus = true,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = ours,
	    .floor = bare,
	    .peers = peers,
	},
};

const struct mr_bench_family mr_bench_family_nat_wire = { "nat-wire", rows, MR_ARRAY_COUNT(rows) };
