/* SPDX-License-Identifier: Apache-2.0 */

/* The state that belongs to no function: workers, nodes, drops, memory. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kit/base/cpu.h"
#include "nf/dataplane_int.h"

static void
show_workers(struct mr_dataplane *dp, struct mr_state *st)
{
	struct mr_worker_stats s;

	for (unsigned i = 0; i < mr_graph_worker_count(dp->graph); i++) {
		if (mr_graph_worker_stats(dp->graph, i, &s))
			continue;
		mr_state_list_uint(st, "worker", i);
		if (s.cpu >= 0)
			mr_state_uint(st, "cpu", (uint64_t)s.cpu);
		mr_state_text(st, "state", s.asleep ? "asleep" : "busy");
		mr_state_uint(st, "loops", s.passes);
		mr_state_uint(st, "sleeps", s.sleeps);
		mr_state_uint(st, "packets", s.received);
		mr_state_uint(st, "handoffs", s.handoffs);
		mr_state_uint(st, "busy-cycles", s.busy_cycles);
		mr_state_close(st);
	}
}

static double
ratio(uint64_t of, uint64_t to)
{
	return to ? (double)of / (double)to : 0;
}

/* Where packets come from that no node sends, and what the ports' packets pass on their way out. */
static void
show_ports_of(const struct mr_graph *g, uint16_t node, struct mr_state *st)
{
	for (unsigned p = 0; p < MR_PORT_MAX; p++)
		if (mr_graph_input(g, (uint16_t)p) == node)
			mr_state_text(st, "input-of", mr_graph_port(g, (uint16_t)p)->name);
	for (unsigned p = 0; p < MR_PORT_MAX; p++)
		if (mr_graph_output(g, (uint16_t)p) == node)
			mr_state_text(st, "output-of", mr_graph_port(g, (uint16_t)p)->name);
}

static void
show_edges(const struct mr_graph *g, uint16_t node, const struct mr_node_stats *s,
    struct mr_state *st)
{
	for (unsigned e = 0; e < s->class->edge_count; e++) {
		uint16_t to = mr_graph_edge(g, node, e);

		if (to == UINT16_MAX)
			continue;
		mr_state_list(st, "next", s->class->edges[e]);
		mr_state_text(st, "node", mr_graph_node_name(g, to));
		mr_state_uint(st, "packets", s->edges[e]);
		mr_state_close(st);
	}
}

static void
show_send(const struct mr_graph *g, uint16_t port, uint16_t to, uint64_t packets,
    struct mr_state *st)
{
	if (!packets)
		return;
	mr_state_list(st, "send", mr_graph_port(g, port)->name);
	mr_state_text(st, "node", mr_graph_node_name(g, to));
	mr_state_uint(st, "packets", packets);
	mr_state_close(st);
}

static void
show_sends(const struct mr_graph *g, uint16_t node, struct mr_state *st)
{
	uint64_t sent, behind;

	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		if (!mr_graph_port(g, (uint16_t)p))
			continue;
		mr_graph_node_sends(g, node, (uint16_t)p, &sent, &behind);
		show_send(g, (uint16_t)p, mr_graph_output(g, (uint16_t)p), behind, st);
		show_send(g, (uint16_t)p, MR_GRAPH_NODE_TX, sent, st);
	}
}

static void
show_nodes(struct mr_dataplane *dp, struct mr_state *st)
{
	struct mr_node_stats s;

	for (unsigned i = 0; i < mr_graph_node_count(dp->graph); i++) {
		if (mr_graph_node_stats(dp->graph, (uint16_t)i, &s))
			continue;
		mr_state_list(st, "node", s.name);
		mr_state_text(st, "class", s.class->name);
		mr_state_text(st, "text", s.class->doc);
		mr_state_uint(st, "calls", s.calls);
		mr_state_uint(st, "packets", s.packets);
		mr_state_uint(st, "cycles", s.cycles);
		mr_state_uint(st, "held", s.held);
		mr_state_real(st, "packets-per-call", ratio(s.packets, s.calls));
		mr_state_real(st, "cycles-per-packet", ratio(s.cycles, s.packets));
		show_ports_of(dp->graph, (uint16_t)i, st);
		show_edges(dp->graph, (uint16_t)i, &s, st);
		show_sends(dp->graph, (uint16_t)i, st);
		for (unsigned k = 0; k < s.class->counter_count; k++) {
			mr_state_list(st, "counter", s.class->counters[k].name);
			mr_state_uint(st, "value", s.counters[k]);
			mr_state_text(st, "text", s.class->counters[k].doc);
			mr_state_close(st);
		}
		mr_state_close(st);
	}
}

static void
show_drops(struct mr_dataplane *dp, struct mr_state *st)
{
	struct mr_node_stats s;

	for (unsigned i = 0; i < mr_graph_node_count(dp->graph); i++) {
		if (mr_graph_node_stats(dp->graph, (uint16_t)i, &s))
			continue;
		for (unsigned k = 0; k < s.class->drop_count; k++) {
			mr_state_list(st, "drop", s.name);
			mr_state_text(st, "reason", s.class->drops[k].name);
			mr_state_uint(st, "packets", s.drops[k]);
			mr_state_text(st, "text", s.class->drops[k].doc);
			mr_state_close(st);
		}
	}
}

static void
show_plugins(struct mr_dataplane *dp, struct mr_state *st)
{
	const struct mr_plugin *p;

	for (unsigned i = 0; (p = mr_plugins_at(dp->plugins, i)) != NULL; i++) {
		mr_state_list(st, "plugin", p->name);
		for (unsigned k = 0; p->nodes[k]; k++)
			mr_state_text(st, "nodes", p->nodes[k]->name);
		mr_state_text(st, "text", p->doc);
		mr_state_close(st);
	}
}

static void
show_memory(struct mr_dataplane *dp, struct mr_state *st)
{
	const struct mr_arena *arena = dp->buffers->arena;

	mr_state_open(st, "memory");
	mr_state_text(st, "pages", mr_arena_pages_name(arena->pages));
	mr_state_text(st, "detail", arena->report);
	mr_state_uint(st, "size", arena->size);
	mr_state_int(st, "numa-node", arena->numa_node);
	mr_state_uint(st, "buffers", dp->buffers->count);
	mr_state_uint(st, "buffers-free", dp->buffers->count - mr_pool_used(dp->buffers->pool));
	mr_state_uint(st, "buffer-stride", MR_PACKET_STRIDE);
	mr_state_close(st);
}

static void
show_flight(struct mr_dataplane *dp, struct mr_state *st)
{
	struct mr_flight_stats s;

	mr_flight_stats(dp->graph, &s);
	mr_state_open(st, "flight-recorder");
	mr_state_bool(st, "recording", s.on);
	mr_state_uint(st, "memory", s.memory);
	mr_state_uint(st, "recorded", s.recorded);
	mr_state_uint(st, "passed", s.passed);
	mr_state_close(st);
}

static void
show_totals(struct mr_dataplane *dp, struct mr_state *st)
{
	struct mr_graph_totals t;

	mr_graph_totals(dp->graph, &t);
	mr_state_open(st, "packets");
	mr_state_uint(st, "received", t.received);
	mr_state_uint(st, "created", t.created);
	mr_state_uint(st, "sent", t.sent);
	mr_state_uint(st, "dropped", t.dropped);
	mr_state_uint(st, "held", t.held);
	mr_state_uint(st, "merged", t.merged);
	mr_state_close(st);
}

static void
show_system(struct mr_dataplane *dp, struct mr_state *st)
{
	mr_state_open(st, "system");
	mr_state_text(st, "version", MR_VERSION);
	mr_state_uint(st, "pid", (uint64_t)getpid());
	mr_state_uint(st, "uptime",
	    (mr_cycles() - dp->started_at) / (mr_graph_hz(dp->graph) / 1000));
	if (dp->file)
		mr_state_text(st, "config-file", dp->file);
	mr_state_uint(st, "hz", mr_graph_hz(dp->graph));
	show_totals(dp, st);
	show_workers(dp, st);
	show_nodes(dp, st);
	show_drops(dp, st);
	show_flight(dp, st);
	show_plugins(dp, st);
	show_memory(dp, st);
	mr_state_close(st);
}

int
mr_dataplane_show(struct mr_dataplane *dp, const char *function, struct mr_state *st)
{
	bool found = !function || strcmp(function, "system") == 0;

	if (found)
		show_system(dp, st);
	for (unsigned i = 0; mr_nf_list[i]; i++) {
		if (function && strcmp(function, mr_nf_list[i]->name) != 0)
			continue;
		found = true;
		if (mr_nf_list[i]->show)
			mr_nf_list[i]->show(dp->states[i], st);
	}
	return found ? 0 : -ENOENT;
}

int
mr_dataplane_stream(struct mr_dataplane *dp, const char *function, const char *name,
    const struct mr_nf_query *query, struct mr_nf_stream *out, struct mr_error *error)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		if (strcmp(function, mr_nf_list[i]->name) == 0 && mr_nf_list[i]->stream)
			return mr_nf_list[i]->stream(dp->states[i], name, query, out, error);
	return mr_error_set(error, -ENOENT, "there is no %s of a %s", name, function);
}

const struct mr_nf_act *
mr_nf_act_at(unsigned n)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		for (const struct mr_nf_act *a = mr_nf_list[i]->acts; a && a->name; a++)
			if (n-- == 0)
				return a;
	return NULL;
}

const struct mr_nf_listing *
mr_nf_listing_at(unsigned n, const struct mr_nf **nf)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		for (const struct mr_nf_listing *l = mr_nf_list[i]->listings; l && l->name; l++)
			if (n-- == 0) {
				*nf = mr_nf_list[i];
				return l;
			}
	return NULL;
}

bool
mr_nf_has_filter(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (; *list; list += list[strcspn(list, "|")] ? strcspn(list, "|") + 1 : strlen(list))
		if (strcspn(list, "|") == len && strncmp(list, word, len) == 0)
			return true;
	return false;
}

int
mr_dataplane_act(struct mr_dataplane *dp, const char *name, const char *const *filters,
    const struct mr_nf_query *query, struct mr_nf_stream *out, struct mr_error *error)
{
	for (unsigned i = 0; mr_nf_list[i]; i++) {
		for (const struct mr_nf_act *a = mr_nf_list[i]->acts; a && a->name; a++) {
			if (strcmp(a->name, name) != 0)
				continue;
			for (; *filters; filters++)
				if (!mr_nf_has_filter(a->filters, *filters))
					return mr_error_set(error, -EINVAL,
					    "%s has no filter \"%s\"; there are %s", name, *filters,
					    a->filters);
			return a->open(dp->states[i], query, out, error);
		}
	}
	return mr_error_set(error, -ENOENT, "there is nothing that does \"%s\"", name);
}

bool
mr_dataplane_describe(struct mr_dataplane *dp, const struct mr_op *op, char *text, size_t size)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		if (mr_nf_list[i]->describe &&
		    mr_nf_list[i]->describe(dp->states[i], op, text, size))
			return true;
	return false;
}

bool
mr_dataplane_address(struct mr_dataplane *dp, uint16_t interface, uint16_t vlan, uint8_t mac[6])
{
	const struct mr_port *port = mr_graph_port(dp->graph, interface);

	for (unsigned i = 0; mr_nf_list[i]; i++)
		if (mr_nf_list[i]->address &&
		    mr_nf_list[i]->address(dp->states[i], interface, vlan, mac))
			return true;
	if (port)
		memcpy(mac, port->mac, 6);
	return port != NULL;
}

bool
mr_dataplane_whose(struct mr_dataplane *dp, uint16_t interface, uint16_t vlan, char *text,
    size_t size)
{
	for (unsigned i = 0; mr_nf_list[i]; i++)
		if (mr_nf_list[i]->whose &&
		    mr_nf_list[i]->whose(dp->states[i], interface, vlan, text, size))
			return true;
	return false;
}
