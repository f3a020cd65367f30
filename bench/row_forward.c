/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row forward: in, out, nothing else. A null port delivers frames as fast as buffers can be
 * had, the graph sends them to the same port, which frees them: what stands between two
 * ports, and not the ports. The peer does the same over its net_null. The floor takes
 * buffers, writes the metadata that every source writes, and gives them back.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/bed.h"
#include "bench/peer_testpmd.h"
#include "bench/turns.h"

static void
teardown(struct mr_bench_run *run)
{
	mr_bench_bed_close(run->state);
	free(run->state);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_option option = { "rx", "bare" };
	struct mr_bench_bed *bed = calloc(1, sizeof(*bed));
	int rc;

	if (!bed)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = bed;
	rc = mr_bench_bed_open(bed, run, error);
	if (rc == 0)
		rc = mr_bench_bed_port(bed, "null", NULL, &option, 1, error);
	if (rc == 0)
		rc = mr_graph_set_input(bed->graph, 0, MR_GRAPH_NODE_TX, 0);
	if (rc == 0)
		rc = mr_graph_commit(bed->graph, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_bed_window(run->state, run, value, error);
}

static unsigned
bare_vector(void *user)
{
	const struct mr_bench_bed *bed = user;
	uint32_t packets[MR_VECTOR_MAX];
	unsigned i, n;

	n = mr_buffers_get(bed->buffers, 0, packets, MR_VECTOR_MAX);
	for (i = 0; i < n; i++)
		mr_packet_init(mr_packet_at(bed->buffers->base, packets[i]), MR_PACKET_DATA, 64, 0,
		    0);
	mr_buffers_put(bed->buffers, 0, packets, n);
	return n;
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_turns(run, bare_vector, run->state, value, error);
}

static int
testpmd_start(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	const struct mr_bench_testpmd_config config = {
		.mode = "io",
		.vdevs = { "net_null0,size=64" },
	};

	return mr_bench_testpmd_start((struct mr_bench_testpmd **)state, run, &config, label, size,
	    error);
}

static const struct mr_bench_peer testpmd = { "testpmd", testpmd_start, mr_bench_testpmd_window,
	mr_bench_testpmd_stop, mr_bench_testpmd_thread };
static const struct mr_bench_peer *const peers[] = { &testpmd, NULL };

static const struct mr_bench_row rows[] = {
	{
	    .name = "forward",
	    .unit = "cycles/packet",
	    .doc = "in, out, nothing else: null port to null port",
	    .config = "64-byte frames, not written, from a port that makes them to one that frees "
		      "them; testpmd io over net_null",
	    .window_ms = 20,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = ours,
	    .floor = bare,
	    .peers = peers,
	},
};

const struct mr_bench_family mr_bench_family_forward = { "forward", rows, MR_ARRAY_COUNT(rows) };
