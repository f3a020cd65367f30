/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The function's life in one data plane. An interface's four nodes are made when it is first
 * wanted and taken out when a whole commit passed in which nobody wanted it: functions
 * behind this one say so after our own commit, so that what is not wanted is known in finish.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nf/conntrack/control_int.h"

#define SWEEP_SECONDS 8u /* all lines are looked at in this time */
#define NO_NODE UINT16_MAX

extern const char mr_yang_conntrack[];

uint32_t
ct_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

static int
create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct mr_conntrack *ct = calloc(1, sizeof(*ct));

	if (!ct)
		return mr_error_set(error, -ENOMEM, "no memory");
	ct->dp = dp;
	*state = ct;
	return 0;
}

/* -- nodes -------------------------------------------------------------------------------- */

static void
remove_nodes(struct mr_conntrack *ct, struct ct_instance *i)
{
	struct mr_graph *graph = mr_dataplane_graph(ct->dp);

	for (unsigned out = 0; i->made && out < 2; out++) {
		if (i->track[out] != NO_NODE)
			mr_graph_remove_node(graph, i->track[out]);
		if (i->confirm[out] != NO_NODE)
			mr_graph_remove_node(graph, i->confirm[out]);
	}
	i->made = false;
}

static int
add_nodes(struct mr_conntrack *ct, struct ct_instance *i, const struct mr_interface *interface,
    struct mr_error *error)
{
	static const char *const ways[2] = { "in", "out" };
	struct mr_graph *graph = mr_dataplane_graph(ct->dp);
	char name[MR_GRAPH_NAME_MAX];
	int rc = 0;

	snprintf(i->name, sizeof(i->name), "%s", interface->name);
	i->made = true;
	for (unsigned out = 0; out < 2; out++)
		i->track[out] = i->confirm[out] = NO_NODE;
	for (unsigned out = 0; !rc && out < 2; out++) {
		i->side[out] =
		    (struct ct_side){ ct->core, &ct->core->ports[interface->index], out };
		snprintf(name, sizeof(name), "track-%s@%s", ways[out], i->name);
		rc = mr_graph_add_node(graph, &ct_track_class, name, &i->side[out], &i->track[out],
		    error);
		snprintf(name, sizeof(name), "confirm-%s@%s", ways[out], i->name);
		if (!rc)
			rc = mr_graph_add_node(graph, &ct_confirm_class, name, &i->side[out],
			    &i->confirm[out], error);
	}
	if (rc)
		remove_nodes(ct, i);
	return rc;
}

static int
ensure(struct mr_conntrack *ct, const struct mr_interface *interface, struct mr_error *error)
{
	struct ct_instance **at = &ct->instances[interface->index];

	if (!*at)
		*at = calloc(1, sizeof(**at));
	if (!*at)
		return mr_error_set(error, -ENOMEM, "no memory");
	return (*at)->made ? 0 : add_nodes(ct, *at, interface, error);
}

/* -- the steps ---------------------------------------------------------------------------- */

static void
check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *conf = mr_conf_child(mr_conf_root(config), "conntrack"), *at;
	const struct mr_conntrack *ct = state;

	if (ct && ct->core && mr_conf_uint(conf, "max", 1u << 20) != ct->core->table->max)
		mr_report_at(report, config, mr_conf_child(conf, "max"),
		    "the table is made for %u connections and cannot be changed while it is in "
		    "use; restart for another size",
		    ct->core->table->max);
	mr_conf_each(at, conf, "interface")
		if (mr_conf_present(at, "source-burst") && !mr_conf_present(at, "source-rate"))
			mr_report_at(report, config, mr_conf_child(at, "source-burst"),
			    "a burst is a rate's; say source-rate as well");
}

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct mr_conntrack *ct = state;
	int rc = ct_conf_read(&ct->next, config, &ct->conf, error);

	for (unsigned i = 0; !rc && i < ct->next.interface_count; i++) {
		const struct mr_interface *in =
		    mr_interface_find(mr_interfaces_of(ct->dp), ct->next.interfaces[i].name);

		/* Nodes are made in commit, when the interface's old ones are gone. */
		if (in && !ct->core)
			rc = ct_core_create(&ct->core, ct->next.max,
			    mr_graph_worker_count(mr_dataplane_graph(ct->dp)), error);
	}
	if (rc)
		ct_conf_free(&ct->next);
	return rc;
}

static void
abort_change(void *state)
{
	struct mr_conntrack *ct = state;

	ct_conf_free(&ct->next);
}

static void
apply_settings(struct mr_conntrack *ct)
{
	struct ct_table *t = ct->core->table;

	atomic_store_explicit(&ct->core->options, ct->conf.options, memory_order_relaxed);
	for (unsigned i = 0; i < CT_APART_WORDS; i++)
		atomic_store_explicit(&ct->core->apart[i], ct->apart[i], memory_order_relaxed);
	for (unsigned i = 0; i < CT_TIMEOUT_COUNT; i++)
		atomic_store_explicit(&t->timeouts[i], ct->conf.timeouts[i], memory_order_relaxed);
	for (unsigned z = 0; z < CT_ZONES_MAX; z++)
		atomic_store_explicit(&t->zones[z].limit, ct->conf.zones[z].limit,
		    memory_order_relaxed);
}

static void
apply_limits(struct mr_conntrack *ct, struct ct_port *port, const struct ct_limits *l)
{
	atomic_store_explicit(&port->source_connections, l->source_max, memory_order_relaxed);
	mr_meter_set(&port->syns, mr_graph_hz(mr_dataplane_graph(ct->dp)), l->syn_rate,
	    MR_MAX(l->syn_rate / 10, 1u));
	atomic_store_explicit(&port->proxy, l->proxy, memory_order_relaxed);
	if (l->source_rate)
		mr_meter_rate_set(&port->source_rate, mr_graph_hz(mr_dataplane_graph(ct->dp)),
		    l->source_rate, l->source_burst);
	else
		atomic_store_explicit(&port->source_rate.interval, 0, memory_order_relaxed);
}

/* The interface's index may be another's by now. */
static void
settle_instance(struct mr_conntrack *ct, uint16_t index)
{
	struct ct_instance *i = ct->instances[index];
	const struct mr_interface *in = mr_interface_at(mr_interfaces_of(ct->dp), index);

	if (!i || !i->made)
		return;
	i->wanted = false;
	if (!in || strcmp(in->name, i->name) != 0) {
		remove_nodes(ct, i);
		return;
	}
	/* Where they led may be gone; nothing comes here unless they are wanted. */
	for (unsigned out = 0; out < 2; out++) {
		mr_graph_link(mr_dataplane_graph(ct->dp), i->track[out], 0, i->track[out]);
		mr_graph_link(mr_dataplane_graph(ct->dp), i->confirm[out], 0, i->confirm[out]);
	}
}

static void
want(struct mr_conntrack *ct, uint16_t index, uint16_t zone, const struct ct_limits *limits)
{
	struct mr_interfaces *all = mr_interfaces_of(ct->dp);
	const struct mr_interface *in = mr_interface_at(all, index);
	struct ct_instance *i;
	struct ct_port *port;
	struct mr_error error;

	if (!in)
		return;
	if (ensure(ct, in, &error)) {
		mr_log(mr_dataplane_log(ct->dp), MR_LOG_ERROR, "conntrack, interface %s: %s",
		    in->name, error.text);
		return;
	}
	i = ct->instances[index];
	port = &ct->core->ports[index];
	i->wanted = true;
	atomic_store_explicit(&port->zone, zone, memory_order_relaxed);
	atomic_store_explicit(&port->tracked, true, memory_order_relaxed);
	if (limits)
		apply_limits(ct, port, limits);
	mr_interface_stage_in(all, index, MR_STAGE_TRACK, i->track[0]);
	mr_interface_stage_in(all, index, MR_STAGE_CONFIRM, i->confirm[0]);
	mr_interface_stage_out(all, index, MR_STAGE_TRACK, i->track[1]);
	mr_interface_stage_out(all, index, MR_STAGE_CONFIRM, i->confirm[1]);
}

void
mr_conntrack_want(struct mr_conntrack *ct, uint16_t interface, const char *zone)
{
	static const struct ct_limits none;
	const struct ct_instance *i = ct->instances[interface];
	bool listed = i && i->wanted;
	struct mr_error error;
	uint16_t number = 0;

	if (!ct->core) {
		if (ct_core_create(&ct->core, ct->conf.max,
			mr_graph_worker_count(mr_dataplane_graph(ct->dp)), &error)) {
			mr_log(mr_dataplane_log(ct->dp), MR_LOG_ERROR, "conntrack: %s", error.text);
			return;
		}
		apply_settings(ct);
	}
	if (listed)
		number =
		    atomic_load_explicit(&ct->core->ports[interface].zone, memory_order_relaxed);
	for (unsigned z = 0; zone && z < CT_ZONES_MAX; z++)
		if (strcmp(ct->conf.zones[z].name, zone) == 0)
			number = (uint16_t)z;
	want(ct, interface, number, listed ? NULL : &none);
}

void
mr_conntrack_set_apart(struct mr_conntrack *ct, const uint16_t *ports, unsigned count)
{
	memset(ct->apart, 0, sizeof(ct->apart));
	for (unsigned i = 0; i < count; i++)
		ct->apart[ports[i] / 64] |= 1ull << (ports[i] % 64);
	if (ct->core)
		apply_settings(ct);
}

static void
commit(void *state)
{
	struct mr_conntrack *ct = state;

	ct_conf_free(&ct->conf);
	ct->conf = ct->next;
	ct->next.interfaces = NULL;
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		settle_instance(ct, (uint16_t)i);
	if (ct->core)
		apply_settings(ct);
	for (unsigned i = 0; i < ct->conf.interface_count; i++) {
		const struct ct_conf_interface *c = &ct->conf.interfaces[i];
		const struct mr_interface *in =
		    mr_interface_find(mr_interfaces_of(ct->dp), c->name);

		if (in)
			want(ct, in->index, c->zone, &c->limits);
	}
}

/* Connections of zones that are no more. */
static void
empty_zones(struct mr_conntrack *ct)
{
	struct ct_table *t = ct->core->table;
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);
	bool any = false;

	for (unsigned z = 0; z < CT_ZONES_MAX; z++)
		any |= !ct->conf.zones[z].name[0] &&
		    atomic_load_explicit(&t->zones[z].connections, memory_order_relaxed);
	for (uint32_t i = 1; any && i <= top; i++) {
		uint32_t word = atomic_load_explicit(&t->lines[i].word, memory_order_acquire);
		struct ct_key key;

		ct_key_load(&t->cold[i], &key);
		if ((word & CT_LIVE) && !ct->conf.zones[CT_KEY_ZONE(&key) % CT_ZONES_MAX].name[0])
			(void)ct_end(t, MR_POOL_SHARED, i, word, CT_COUNT_FLUSHED);
	}
}

static void
finish(void *state)
{
	struct mr_conntrack *ct = state;
	struct mr_error error;
	bool removed = false;

	if (!ct->core)
		return;
	for (unsigned i = 0; i < MR_PORT_MAX; i++) {
		struct ct_instance *at = ct->instances[i];

		if (at && at->wanted)
			continue;
		atomic_store_explicit(&ct->core->ports[i].tracked, false, memory_order_relaxed);
		if (!at || !at->made)
			continue;
		remove_nodes(ct, at);
		removed = true;
	}
	if (removed && mr_graph_commit(mr_dataplane_graph(ct->dp), &error))
		mr_log(mr_dataplane_log(ct->dp), MR_LOG_ERROR, "conntrack: %s", error.text);
	empty_zones(ct);
	mr_generation_bump(&ct->core->settings);
}

static void
destroy(void *state)
{
	struct mr_conntrack *ct = state;
	struct mr_error error;

	if (!ct)
		return;
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		if (ct->instances[i])
			remove_nodes(ct, ct->instances[i]);
	(void)mr_graph_commit(mr_dataplane_graph(ct->dp), &error);
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		free(ct->instances[i]);
	ct_core_destroy(ct->core, mr_dataplane_buffers(ct->dp));
	ct_conf_free(&ct->conf);
	ct_conf_free(&ct->next);
	free(ct);
}

static void
tick(void *state, uint32_t seconds)
{
	struct mr_conntrack *ct = state;
	uint32_t top;

	if (!ct->core)
		return;
	top = atomic_load_explicit(&ct->core->table->top, memory_order_relaxed);
	ct_sweep(ct->core->table, seconds, top / SWEEP_SECONDS + 1024);
}

static bool
describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	const struct mr_conntrack *ct = state;

	return ct_describe(ct->core, op, text, size);
}

struct mr_conntrack *
mr_conntrack_of(struct mr_dataplane *dp)
{
	return mr_dataplane_state(dp, &mr_nf_conntrack);
}

bool
mr_conntrack_ports(const struct mr_conntrack *ct, const struct mr_packet *p, be16_t *sport,
    be16_t *dport)
{
	return ct_piece_ports(ct->core, p, sport, dport);
}

void
mr_conntrack_refuse(struct mr_conntrack *ct, unsigned worker, const struct mr_packet *p)
{
	uint32_t index = mr_track_connection(p), word;
	struct ct_line *c;

	if (!index || (p->track & (MR_TRACK_PIECE | MR_TRACK_REPLY)) ||
	    mr_track_state(p) != MR_TRACK_NEW)
		return;
	c = &ct->core->table->lines[index];
	word = atomic_load_explicit(&c->word, memory_order_acquire);
	if (!(word & CT_LIVE) || (word & CT_REPLIED) ||
	    atomic_load_explicit(&c->packets[0], memory_order_relaxed) +
		    atomic_load_explicit(&c->packets[1], memory_order_relaxed) >
		1)
		return;
	/* Where it changes right now, it stays, and expires by itself. */
	(void)ct_end(ct->core->table, worker, index, word, CT_COUNT_ENDED);
}

static const struct mr_nf_listing listings[] = {
	{ "connections", "connections", "protocol|source|destination|address|port|zone|state",
	    "address" },
	{ 0 },
};

const struct mr_nf mr_nf_conntrack = {
	.name = "conntrack",
	.doc = "which connection packets belong to",
	.yang = mr_yang_conntrack,
	.create = create,
	.destroy = destroy,
	.check = check,
	.prepare = prepare,
	.commit = commit,
	.finish = finish,
	.abort = abort_change,
	.tick = tick,
	.show = ct_show,
	.stream = ct_stream,
	.listings = listings,
	.acts = ct_acts,
	.describe = describe,
};
