/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/plane_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nf/dataplane.h"
#include "nf/lanes/lanes.h"

struct mr_bench_plane {
	struct mr_model *model;
	struct mr_config *config;
	struct mr_dataplane *dp;
	struct mr_log log;
};

static int
make_plane(struct mr_bench_plane *p, const char *yaml, struct mr_error *error)
{
	struct mr_report *report;

	if (mr_report_create(&report))
		return mr_error_set(error, -ENOMEM, "no memory");
	if (mr_config_parse(&p->config, p->model, "bench", yaml, strlen(yaml), report) == 0)
		mr_dataplane_check(p->config, report);
	if (mr_report_count(report) == 0)
		mr_dataplane_create(&p->dp, p->config, &p->log, report);
	if (mr_report_count(report))
		mr_report_print(report, stderr);
	mr_report_destroy(report);
	return p->dp ? 0 : mr_error_set(error, -EINVAL, "the bench's configuration is wrong");
}

int
mr_bench_plane_open(struct mr_bench_plane **out, const char *yaml, struct mr_error *error)
{
	struct mr_bench_plane *p = calloc(1, sizeof(*p));
	int rc;

	*out = p;
	if (!p)
		return mr_error_set(error, -ENOMEM, "no memory for a data plane");
	mr_log_init_fd(&p->log, 2, MR_LOG_ERROR);
	rc = mr_nf_model(&p->model, error);
	if (rc == 0)
		rc = make_plane(p, yaml, error);
	return rc;
}

struct mr_graph *
mr_bench_plane_graph(struct mr_bench_plane *p)
{
	return mr_dataplane_graph(p->dp);
}

struct mr_lane *
mr_bench_plane_lane(struct mr_bench_plane *p)
{
	return mr_lanes_lane(p->dp);
}

uint64_t
mr_bench_plane_counter(struct mr_bench_plane *p, const char *node, const char *counter)
{
	const struct mr_graph *graph = mr_dataplane_graph(p->dp);
	struct mr_node_stats stats;

	for (uint16_t i = 0; i < mr_graph_node_count(graph); i++) {
		if (strcmp(mr_graph_node_name(graph, i), node) != 0 ||
		    mr_graph_node_stats(graph, i, &stats))
			continue;
		for (unsigned k = 0; k < stats.class->counter_count; k++)
			if (strcmp(stats.class->counters[k].name, counter) == 0)
				return stats.counters[k];
	}
	return 0;
}

uint64_t
mr_bench_plane_packets(struct mr_bench_plane *p, const char *interface, bool sent)
{
	const struct mr_graph *graph = mr_dataplane_graph(p->dp);
	const struct mr_port_queue_stats *stats;
	const struct mr_port *port;
	uint64_t count = 0;

	for (uint16_t i = 0; i < MR_PORT_MAX; i++) {
		port = mr_graph_port(graph, i);
		if (!port || strcmp(port->name, interface) != 0)
			continue;
		stats = sent ? port->tx_stats : port->rx_stats;
		for (unsigned q = 0; q < (sent ? port->tx_queues : port->rx_queues); q++)
			count += atomic_load_explicit(&stats[q].packets, memory_order_relaxed);
	}
	return count;
}

int
mr_bench_plane_state(struct mr_bench_plane *p, const char *function, const char *leaf,
    uint64_t *value, struct mr_error *error)
{
	unsigned long long number;
	struct mr_state *state;
	const char *text, *at;
	char wanted[80];
	size_t size;
	int rc;

	if (mr_state_create(&state, p->model, MR_STATE_PLAIN))
		return mr_error_set(error, -ENOMEM, "no memory for state");
	snprintf(wanted, sizeof(wanted), "\"%s\":", leaf);
	mr_dataplane_show(p->dp, function, state);
	rc = mr_state_finish(state, &text, &size, error);
	at = rc == 0 ? strstr(text, wanted) : NULL;
	if (at && sscanf(at + strlen(wanted), "%llu", &number) == 1)
		*value = number;
	else if (rc == 0)
		rc = mr_error_set(error, -ENOENT, "%s's state has no %s", function, leaf);
	mr_state_destroy(state);
	return rc;
}

void
mr_bench_plane_tick(struct mr_bench_plane *p)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	mr_dataplane_tick(p->dp, (uint32_t)now.tv_sec);
}

void
mr_bench_plane_close(struct mr_bench_plane *p)
{
	if (!p)
		return;
	mr_dataplane_destroy(p->dp);
	mr_config_destroy(p->config);
	mr_model_destroy(p->model);
	free(p);
}
