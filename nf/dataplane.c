/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One configuration made real: memory, graph, then every network function through
 * the steps of nf/nf.h. The list of functions is the build's.
 */

#include "nf/dataplane_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/cpu.h"
#include "kit/base/rcu.h"

#define DEFAULT_SPIN_US 20
#define DEFAULT_FLIGHT_PACKETS 4096

static unsigned
nf_count(void)
{
	unsigned n = 0;

	while (mr_nf_list[n])
		n++;
	return n;
}

/* An error of a lower floor, in the report. */
static int
fail(struct mr_report *report, const struct mr_config *config, const struct mr_conf *at, int code,
    const struct mr_error *error)
{
	mr_report_at(report, config, at, "%s", error->text);
	return code;
}

static int
choose_cpus(struct mr_dataplane *dp, const struct mr_conf *system, struct mr_error *error)
{
	const char *list = mr_conf_text(system, "workers", NULL);
	struct mr_cpu_set allowed, wanted;
	int rc = mr_cpu_allowed(&allowed, error);

	if (rc)
		return rc;
	if (!list) {
		int last = -1;

		mr_cpu_set_foreach(cpu, &allowed) last = cpu;
		dp->cpus[0] = (uint16_t)last;
		dp->worker_count = 1;
		return 0;
	}
	rc = mr_cpu_set_parse(&wanted, list, error);
	if (rc)
		return rc;
	if (mr_cpu_set_count(&wanted) == 0)
		return mr_error_set(error, -EINVAL, "no CPU in \"%s\"", list);
	if (mr_cpu_set_count(&wanted) > MR_GRAPH_WORKERS_MAX)
		return mr_error_set(error, -EINVAL, "%u workers, but %d are the most",
		    mr_cpu_set_count(&wanted), MR_GRAPH_WORKERS_MAX);
	mr_cpu_set_foreach(cpu, &wanted)
	{
		char text[256];

		if (!mr_cpu_set_has(&allowed, (unsigned)cpu)) {
			mr_cpu_set_print(&allowed, text, sizeof(text));
			return mr_error_set(error, -EINVAL,
			    "CPU %d is not one that this process may use (%s)", cpu, text);
		}
		dp->cpus[dp->worker_count++] = (uint16_t)cpu;
	}
	return 0;
}

static enum mr_arena_pages
pages_of(const char *name)
{
	static const char *const names[] = {
		[MR_ARENA_AUTO] = "auto",
		[MR_ARENA_1G] = "1g",
		[MR_ARENA_2M] = "2m",
		[MR_ARENA_THP] = "thp",
		[MR_ARENA_4K] = "4k",
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum mr_arena_pages)i;
	return MR_ARENA_AUTO;
}

/* Where packet memory should lie: on the workers' node when they share one. */
static int
numa_node_of(const struct mr_dataplane *dp, const struct mr_conf *system)
{
	struct mr_cpu_place place;
	int node = (int)mr_conf_int(system, "numa-node", -1);

	for (unsigned i = 0; i < dp->worker_count && !mr_conf_present(system, "numa-node"); i++) {
		if (mr_cpu_place(&place, dp->cpus[i], NULL) || (i > 0 && place.node != node))
			return -1;
		node = place.node;
	}
	return node;
}

static int
create_memory(struct mr_dataplane *dp, const struct mr_conf *system, struct mr_error *error)
{
	const struct mr_buffers_config config = {
		.count = (uint32_t)mr_conf_uint(system, "buffers", 32768),
		.workers = dp->worker_count,
		.pages = pages_of(mr_conf_text(system, "pages", "auto")),
		.numa_node = numa_node_of(dp, system),
	};
	int rc = mr_buffers_create(&dp->buffers, &config, error);

	if (rc == 0)
		mr_log(dp->log, MR_LOG_INFO, "memory: %u buffers, %s", dp->buffers->count,
		    dp->buffers->arena->report);
	return rc;
}

static int
create_graph(struct mr_dataplane *dp, const struct mr_conf *system, struct mr_error *error)
{
	const struct mr_conf *flight = mr_conf_child(system, "flight-recorder");
	const struct mr_graph_config config = {
		.buffers = dp->buffers,
		.log = dp->log,
		.cpus = dp->cpus,
		.workers = dp->worker_count,
		.mode = strcmp(mr_conf_text(system, "mode", "adaptive"), "poll") == 0
		    ? MR_GRAPH_POLL
		    : MR_GRAPH_ADAPTIVE,
		.spin_us = DEFAULT_SPIN_US,
		.flight = {
			.packets = (uint32_t)mr_conf_uint(flight, "packets", DEFAULT_FLIGHT_PACKETS),
			.bytes = (uint32_t)mr_conf_uint(flight, "bytes", MR_FLIGHT_BYTES_DEFAULT),
		},
	};

	return mr_graph_create(&dp->graph, &config, error);
}

static int
load_plugins(struct mr_dataplane *dp, const struct mr_config *config, const struct mr_conf *system,
    struct mr_report *report)
{
	const struct mr_conf *entry;
	struct mr_error error;
	int rc = mr_plugins_create(&dp->plugins, &error);

	if (rc)
		return fail(report, config, system, rc, &error);
	mr_conf_each(entry, system, "plugins") {
		rc = mr_plugins_load(dp->plugins, mr_conf_value(entry), &error);
		if (rc)
			return fail(report, config, entry, rc, &error);
		mr_log(dp->log, MR_LOG_INFO, "plugin %s loaded", mr_conf_value(entry));
	}
	return 0;
}

static int
create_functions(struct mr_dataplane *dp, struct mr_error *error)
{
	dp->states = calloc(nf_count() + 1, sizeof(*dp->states));
	if (!dp->states)
		return mr_error_set(error, -ENOMEM, "no memory for the network functions");
	for (unsigned i = 0; mr_nf_list[i]; i++) {
		int rc = mr_nf_list[i]->create(&dp->states[i], dp, error);

		if (rc) {
			mr_error_prefix(error, "%s", mr_nf_list[i]->name);
			return rc;
		}
	}
	return 0;
}

int
mr_dataplane_create(struct mr_dataplane **out, const struct mr_config *config, struct mr_log *log,
    struct mr_report *report)
{
	const struct mr_conf *system = mr_conf_child(mr_conf_root(config), "system");
	struct mr_dataplane *dp = calloc(1, sizeof(*dp));
	struct mr_error error = { 0 };
	int rc;

	if (!dp)
		return -ENOMEM;
	dp->log = log;
	dp->started_at = mr_cycles();
	dp->file = realpath(mr_config_name(config), NULL);
	rc = choose_cpus(dp, system, &error);
	if (!rc)
		rc = create_memory(dp, system, &error);
	if (!rc)
		rc = create_graph(dp, system, &error);
	if (!rc)
		rc = create_functions(dp, &error);
	if (rc)
		fail(report, config, system, rc, &error);
	if (!rc)
		rc = load_plugins(dp, config, system, report);
	if (!rc)
		rc = mr_dataplane_apply(dp, config, report);
	if (rc) {
		mr_dataplane_destroy(dp);
		return rc;
	}
	*out = dp;
	return 0;
}

void
mr_dataplane_destroy(struct mr_dataplane *dp)
{
	if (!dp)
		return;
	mr_dataplane_stop(dp);
	/* Functions let go of their nodes and ports while the graph is still there,
	 * the last one first: it may rest on those before it. */
	for (unsigned i = nf_count(); dp->states && i-- > 0;)
		if (dp->states[i])
			mr_nf_list[i]->destroy(dp->states[i]);
	mr_graph_destroy(dp->graph);
	mr_plugins_destroy(dp->plugins);
	mr_buffers_destroy(dp->buffers);
	free(dp->states);
	free(dp->file);
	free(dp);
}

/* With `dp` null, what can be said without a data plane. */
static void
check_all(struct mr_dataplane *dp, const struct mr_config *config, struct mr_report *report)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		if (mr_nf_list[i]->check)
			mr_nf_list[i]->check(dp ? dp->states[i] : NULL, config, report);
}

void
mr_dataplane_check(const struct mr_config *config, struct mr_report *report)
{
	check_all(NULL, config, report);
}

void
mr_dataplane_try(struct mr_dataplane *dp, const struct mr_config *config, struct mr_report *report)
{
	check_all(dp, config, report);
}

void
mr_dataplane_plan(struct mr_dataplane *dp, struct mr_nf_plan *plan)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		if (mr_nf_list[i]->plan)
			mr_nf_list[i]->plan(dp->states[i], plan);
}

/* Null, or why not. */
static const char *
place(struct mr_dataplane *dp, const char *name, const uint16_t *workers, unsigned count)
{
	for (unsigned n = MR_GRAPH_NODE_FIRST; n < mr_graph_node_count(dp->graph); n++) {
		if (strcmp(mr_graph_node_name(dp->graph, (uint16_t)n), name) != 0)
			continue;
		if (count == 0)
			return "none of its CPUs has a worker";
		return mr_graph_place(dp->graph, (uint16_t)n, workers, count)
		    ? "it always runs on the first worker"
		    : NULL;
	}
	return "there is none";
}

/* Nodes that a stage names run on the stage's workers. */
static void
place_stages(struct mr_dataplane *dp, const struct mr_config *config)
{
	const struct mr_conf *system = mr_conf_child(mr_conf_root(config), "system");
	const struct mr_conf *stage, *name;

	for (unsigned n = MR_GRAPH_NODE_FIRST; n < mr_graph_node_count(dp->graph); n++)
		mr_graph_place(dp->graph, (uint16_t)n, NULL, 0);
	mr_conf_each(stage, system, "stage") {
		uint16_t workers[MR_GRAPH_WORKERS_MAX];
		unsigned count = 0;
		struct mr_cpu_set cpus;

		if (mr_cpu_set_parse(&cpus, mr_conf_text(stage, "cpus", ""), NULL))
			continue;
		for (unsigned w = 0; w < dp->worker_count; w++)
			if (mr_cpu_set_has(&cpus, dp->cpus[w]))
				workers[count++] = (uint16_t)w;
		mr_conf_each(name, stage, "nodes") {
			const char *wrong = place(dp, mr_conf_value(name), workers, count);

			if (wrong)
				mr_log(dp->log, MR_LOG_WARNING, "stage %s: node %s: %s",
				    mr_conf_key(stage), mr_conf_value(name), wrong);
		}
	}
}

int
mr_dataplane_apply(struct mr_dataplane *dp, const struct mr_config *config,
    struct mr_report *report)
{
	size_t before = mr_report_count(report);
	struct mr_error error = { 0 };
	unsigned prepared;
	int rc = 0;

	check_all(dp, config, report);
	if (mr_report_count(report) > before)
		return -EINVAL;
	for (prepared = 0; mr_nf_list[prepared]; prepared++) {
		rc = mr_nf_list[prepared]->prepare(dp->states[prepared], config, &error);
		if (rc)
			break;
	}
	if (rc) {
		while (prepared-- > 0)
			mr_nf_list[prepared]->abort(dp->states[prepared]);
		return fail(report, config, NULL, rc, &error);
	}
	for (unsigned i = 0; mr_nf_list[i]; i++)
		mr_nf_list[i]->commit(dp->states[i]);
	place_stages(dp, config);
	rc = mr_graph_commit(dp->graph, &error);
	if (rc)
		return fail(report, config, NULL, rc, &error);
	for (unsigned i = 0; mr_nf_list[i]; i++)
		mr_nf_list[i]->finish(dp->states[i]);
	mr_flight_set_on(dp->graph,
	    mr_conf_bool(
		mr_conf_child(mr_conf_child(mr_conf_root(config), "system"), "flight-recorder"),
		"enabled", true));
	return 0;
}

int
mr_dataplane_start(struct mr_dataplane *dp, struct mr_error *error)
{
	return mr_graph_start(dp->graph, error);
}

void
mr_dataplane_stop(struct mr_dataplane *dp)
{
	if (dp->graph)
		mr_graph_stop(dp->graph);
}

void
mr_dataplane_tick(struct mr_dataplane *dp, uint32_t seconds)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		if (mr_nf_list[i]->tick)
			mr_nf_list[i]->tick(dp->states[i], seconds);
}

int
mr_dataplane_fd(const struct mr_dataplane *dp, unsigned n)
{
	for (unsigned i = 0; mr_nf_list[i]; i++) {
		int fd = mr_nf_list[i]->fd ? mr_nf_list[i]->fd(dp->states[i]) : -1;

		if (fd >= 0 && n-- == 0)
			return fd;
	}
	return -1;
}

/* A port that is still good for packets: it can receive and has not come to its end. */
static bool
may_receive(const struct mr_port *port, bool finite_end)
{
	if (!port || !port->rx_queues ||
	    ((port->caps & MR_PORT_SINK) && !(port->caps & MR_PORT_FINITE)))
		return false;
	return !(port->caps & MR_PORT_FINITE) ||
	    (finite_end &&
		atomic_load_explicit(&port->state, memory_order_relaxed) != MR_PORT_DONE);
}

bool
mr_dataplane_done(const struct mr_dataplane *dp)
{
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		if (may_receive(mr_graph_port(dp->graph, (uint16_t)i), true))
			return false;
	return true;
}

bool
mr_dataplane_is_finite(const struct mr_dataplane *dp)
{
	bool finite = false;

	for (unsigned i = 0; i < MR_PORT_MAX; i++) {
		const struct mr_port *port = mr_graph_port(dp->graph, (uint16_t)i);

		if (may_receive(port, false))
			return false;
		finite |= port && (port->caps & MR_PORT_FINITE);
	}
	return finite;
}

struct mr_graph *
mr_dataplane_graph(struct mr_dataplane *dp)
{
	return dp->graph;
}

struct mr_buffers *
mr_dataplane_buffers(struct mr_dataplane *dp)
{
	return dp->buffers;
}

struct mr_log *
mr_dataplane_log(struct mr_dataplane *dp)
{
	return dp->log;
}

struct mr_plugins *
mr_dataplane_plugins(struct mr_dataplane *dp)
{
	return dp->plugins;
}

void *
mr_dataplane_state(struct mr_dataplane *dp, const struct mr_nf *nf)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		if (mr_nf_list[i] == nf)
			return dp->states[i];
	return NULL;
}
