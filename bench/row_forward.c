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

#include "bench/peer_testpmd.h"
#include "kit/graph/graph.h"

struct job {
	struct mr_buffers *buffers;
	struct mr_port *port;
	struct mr_graph *graph;
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_graph_destroy(job->graph);
	mr_port_close(job->port);
	mr_buffers_destroy(job->buffers);
	free(job);
}

static int
build(struct job *job, struct mr_error *error)
{
	const struct mr_buffers_config memory = { .workers = 1, .numa_node = -1 };
	const struct mr_option option = { "rx", "bare" };
	struct mr_graph_config graph = { .workers = 1, .mode = MR_GRAPH_POLL };
	struct mr_port_config port = { .name = "null0",
		.options = &option,
		.option_count = 1,
		.rx_queues = 1,
		.tx_queues = 1,
		.numa_node = -1,
		.workers = 1 };
	int rc;

	rc = mr_buffers_create(&job->buffers, &memory, error);
	if (rc < 0)
		return rc;
	graph.buffers = port.buffers = job->buffers;
	rc = mr_port_open(&job->port, "null", &port, error);
	if (rc == 0)
		rc = job->port->driver->start(job->port, error);
	if (rc == 0)
		rc = mr_graph_create(&job->graph, &graph, error);
	if (rc == 0)
		rc = mr_graph_add_port(job->graph, job->port, NULL, 0, error);
	if (rc == 0) {
		mr_graph_set_port_up(job->graph, 0, true);
		rc = mr_graph_set_input(job->graph, 0, MR_GRAPH_NODE_TX, 0);
	}
	if (rc == 0)
		rc = mr_graph_commit(job->graph, error);
	return rc;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	rc = build(job, error);
	if (rc < 0)
		teardown(run);
	else
		mr_bench_note(run, "; ours on %s", mr_arena_pages_name(job->buffers->arena->pages));
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start = mr_cycles(), now, count = 0;
	unsigned i;

	do {
		for (i = 0; i < 16; i++)
			count += mr_graph_pass(job->graph, 0);
		now = mr_cycles();
	} while (now - start < run->window);
	if (!count)
		return mr_error_set(error, -EIO, "no packet was forwarded");
	*value = (double)(now - start) / (double)count;
	return 0;
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint32_t packets[MR_VECTOR_MAX];
	uint64_t start = mr_cycles(), now, count = 0;
	unsigned i, j, n;

	do {
		for (i = 0; i < 16; i++) {
			n = mr_buffers_get(job->buffers, 0, packets, MR_VECTOR_MAX);
			for (j = 0; j < n; j++)
				mr_packet_init(mr_packet_at(job->buffers->base, packets[j]),
				    MR_PACKET_DATA, 64, 0, 0);
			mr_buffers_put(job->buffers, 0, packets, n);
			count += n;
		}
		now = mr_cycles();
	} while (now - start < run->window);
	if (!count)
		return mr_error_set(error, -EIO, "no buffers");
	*value = (double)(now - start) / (double)count;
	return 0;
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

static int
testpmd_window(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	return mr_bench_testpmd_window(state, run, value, error);
}

static void
testpmd_stop(void *state)
{
	mr_bench_testpmd_stop(state);
}

static pid_t
testpmd_thread(void *state)
{
	return mr_bench_testpmd_thread(state);
}

static const struct mr_bench_peer testpmd = { "testpmd", testpmd_start, testpmd_window,
	testpmd_stop, testpmd_thread };
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
