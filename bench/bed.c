/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bed.h"

#include <stdio.h>

#include "bench/turns.h"

int
mr_bench_bed_open(struct mr_bench_bed *bed, struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_buffers_config memory = { .workers = 1, .numa_node = -1 };
	struct mr_graph_config graph = { .workers = 1, .mode = MR_GRAPH_POLL };
	int rc;

	rc = mr_buffers_create(&bed->buffers, &memory, error);
	if (rc < 0)
		return rc;
	graph.buffers = bed->buffers;
	rc = mr_graph_create(&bed->graph, &graph, error);
	if (rc == 0)
		mr_bench_note(run, "; ours on %s", mr_arena_pages_name(bed->buffers->arena->pages));
	return rc;
}

void
mr_bench_bed_close(struct mr_bench_bed *bed)
{
	mr_graph_destroy(bed->graph);
	while (bed->port_count)
		mr_port_close(bed->ports[--bed->port_count]);
	mr_buffers_destroy(bed->buffers);
}

int
mr_bench_bed_port(struct mr_bench_bed *bed, const char *driver, const char *device,
    const struct mr_option *options, size_t count, struct mr_error *error)
{
	char name[MR_PORT_NAME_MAX];
	struct mr_port_config config = {
		.name = name,
		.device = device,
		.options = options,
		.option_count = count,
		.index = (uint16_t)bed->port_count,
		.rx_queues = 1,
		.tx_queues = 1,
		.numa_node = -1,
		.buffers = bed->buffers,
		.workers = 1,
	};
	struct mr_port *port;
	int rc;

	snprintf(name, sizeof(name), "%s%u", driver, bed->port_count);
	rc = mr_port_open(&port, driver, &config, error);
	if (rc < 0)
		return rc;
	bed->ports[bed->port_count++] = port;
	rc = port->driver->start(port, error);
	if (rc == 0)
		rc = mr_graph_add_port(bed->graph, port, NULL, 0, error);
	if (rc == 0)
		mr_graph_set_port_up(bed->graph, config.index, true);
	return rc;
}

static unsigned
pass(void *graph)
{
	return mr_graph_pass(graph, 0);
}

int
mr_bench_graph_window(struct mr_graph *graph, struct mr_bench_run *run, double *value,
    struct mr_error *error)
{
	return mr_bench_turns(run, pass, graph, value, error);
}

int
mr_bench_bed_window(struct mr_bench_bed *bed, struct mr_bench_run *run, double *value,
    struct mr_error *error)
{
	return mr_bench_graph_window(bed->graph, run, value, error);
}
