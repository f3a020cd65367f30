/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flow/lane.h"

#include <errno.h>
#include <stdlib.h>

#include "kit/flow/offload_int.h"

#define IDLE_SECONDS 60u
#define PROGRAMS_MIN 4096u
/* Entries that hold for many flows. */
#define WIDE_MAX 65536u

static void
worker_destroy(struct lane_worker *l)
{
	if (!l)
		return;
	mr_flow_table_destroy(l->table);
	mr_programs_destroy(l->programs);
	mr_flow_door_destroy(l->door);
	mr_flow_masks_destroy(l->masks);
	mr_flow_pairs_destroy(l->pairs);
	lane_offload_destroy(l->offload);
	lane_ledger_destroy(l->ledger);
	free(l);
}

static int
worker_create(struct lane_worker **out, struct mr_lane *lane, const struct mr_lane_config *config,
    struct mr_error *error)
{
	struct lane_worker *l = aligned_alloc(MR_CACHE_LINE, sizeof(*l));
	const struct mr_flow_table_config table = {
		.max = config->max_flows,
		/* When a flow is first asked how long it may stay: the shortest answer there is. */
		.idle_seconds = LANE_BARRED_SECONDS + 1,
		.seed = config->seed,
		.numa = -1,
	};
	const struct mr_flow_table_config wide = {
		.max = MR_MIN(config->max_flows, WIDE_MAX),
		.idle_seconds = IDLE_SECONDS,
		.seed = config->seed,
		.numa = -1,
	};
	struct mr_programs_config programs = {
		.max = config->max_programs ? config->max_programs
					    : MR_MAX(config->max_flows / 4, PROGRAMS_MIN),
		.nodes = MR_GRAPH_NODES_MAX,
	};
	int rc;

	if (!l)
		return mr_error_set(error, -ENOMEM, "flow lane: no memory for a worker");
	memset(l, 0, sizeof(*l));
	*out = l;
	l->lane = lane;
	programs.classes = l->classes;
	rc = mr_flow_table_create(&l->table, &table, error);
	if (!rc)
		rc = mr_programs_create(&l->programs, &programs, error);
	if (!rc)
		rc = mr_flow_door_create(&l->door, config->max_flows, error);
	if (!rc)
		rc = mr_flow_masks_create(&l->masks, &wide, error);
	if (!rc)
		rc = mr_flow_pairs_create(&l->pairs, config->seed, -1, error);
	if (!rc && config->ledger_flows) {
		l->padded = LEDGER_PADDED_TAGGED;
		rc = lane_ledger_create(&l->ledger, config->ledger_flows, config->max_flows, error);
	}
	if (rc)
		return rc;
	l->lines = mr_flow_table_lines(l->table);
	l->values = mr_flow_table_values(l->table);
	l->wide_lines = mr_flow_table_lines(mr_flow_masks_table(l->masks));
	l->wide_values = mr_flow_table_values(mr_flow_masks_table(l->masks));
	return rc;
}

int
mr_lane_create(struct mr_lane **out, const struct mr_lane_config *config, struct mr_error *error)
{
	struct mr_lane *lane = calloc(1, sizeof(*lane));
	int rc;

	if (!lane)
		return mr_error_set(error, -ENOMEM, "flow lane: no memory");
	lane->graph = config->graph;
	lane->eager = config->eager;
	lane->worker_count = mr_graph_worker_count(config->graph);
	mr_lane_set_idle(lane, config->idle_seconds);
	rc = 0;
	for (unsigned i = 0; i < lane->worker_count && !rc; i++) {
		rc = worker_create(&lane->workers[i], lane, config, error);
		if (!rc && config->offload_flows)
			rc = lane_offload_create(lane, lane->workers[i], config->offload_flows, i,
			    config->max_flows, error);
	}
	mr_lane_offload_set_rate(lane, config->offload_rate);
	if (rc) {
		mr_lane_destroy(lane);
		return rc;
	}
	*out = lane;
	return 0;
}

void
mr_lane_destroy(struct mr_lane *lane)
{
	if (!lane)
		return;
	for (unsigned i = 0; i < lane->worker_count; i++)
		worker_destroy(lane->workers[i]);
	free(lane->offload);
	free(lane);
}

void
mr_lane_set_idle(struct mr_lane *lane, uint32_t seconds)
{
	atomic_store_explicit(&lane->idle_seconds, seconds ? seconds : IDLE_SECONDS,
	    memory_order_relaxed);
}

int
mr_lane_port_create(struct mr_lane_port **out, struct mr_lane *lane,
    const struct mr_flow_view *view, const char *name, uint16_t *node, struct mr_error *error)
{
	struct mr_lane_port *port = calloc(1, sizeof(*port));
	int rc;

	if (!port)
		return mr_error_set(error, -ENOMEM, "flow lane: no memory for %s", name);
	port->lane = lane;
	port->view = *view;
	rc = mr_graph_record(lane->graph, error);
	if (!rc)
		rc = mr_graph_add_node(lane->graph, &mr_lane_class, name, port, &port->node, error);
	if (rc) {
		free(port);
		return rc;
	}
	atomic_store_explicit(&lane->nodes[view->port], port->node, memory_order_relaxed);
	*node = port->node;
	*out = port;
	return 0;
}

void
mr_lane_port_destroy(struct mr_lane_port *port)
{
	free(port);
}
