/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function in one data plane: a list of bridges by name. A bridge that stays from
 * one configuration to the next keeps its node and, where its size stays, what it
 * learned.
 */
#include "nf/bridge/bridge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nf/bridge/control_int.h"

extern const char mr_yang_bridge[];

uint32_t
bridge_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

static int
bridge_create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct bridges *all = calloc(1, sizeof(*all));

	if (!all)
		return mr_error_set(error, -ENOMEM, "no memory");
	all->dp = dp;
	*state = all;
	return 0;
}

static void
entry_free(struct entry *e)
{
	mr_bridge_destroy(e->bridge);
	free(e->ports);
	free(e->members);
	free(e->next_ports);
	free(e->next_members);
	free(e);
}

static void
bridge_destroy(void *state)
{
	struct bridges *all = state;
	struct mr_error error;
	struct entry *e;

	if (!all)
		return;
	for (e = all->list; e; e = e->next)
		mr_graph_remove_node(mr_dataplane_graph(all->dp), e->node);
	if (all->list)
		(void)mr_graph_commit(mr_dataplane_graph(all->dp), &error);
	while ((e = all->list)) {
		all->list = e->next;
		entry_free(e);
	}
	free(all);
}

static void
bridge_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *bridge;

	mr_conf_each(bridge, mr_conf_root(config), "bridge")
		bridge_conf_check(config, bridge, report);
}

/* The entry of that name, made when there is none. */
static int
entry_get(struct bridges *all, const char *name, struct entry **out, struct mr_error *error)
{
	struct entry **at = &all->list, *e;
	char node[MR_GRAPH_NAME_MAX];
	int ret;

	for (; *at; at = &(*at)->next) {
		if (!strcmp((*at)->name, name)) {
			*out = *at;
			return 0;
		}
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return mr_error_set(error, -ENOMEM, "no memory");
	snprintf(e->name, sizeof(e->name), "%s", name);
	snprintf(node, sizeof(node), "bridge-%s", name);
	ret = mr_bridge_create(&e->bridge, error);
	if (!ret)
		ret = mr_graph_add_node(mr_dataplane_graph(all->dp), &mr_bridge_node_class, node,
		    e->bridge, &e->node, error);
	if (ret) {
		entry_free(e);
		return ret;
	}
	e->fresh = true;
	*at = e;
	*out = e;
	return 0;
}

static int
prepare_one(struct bridges *all, const struct mr_conf *conf, struct mr_error *error)
{
	struct wanted w;
	struct entry *e = NULL;
	int ret = entry_get(all, mr_conf_key(conf), &e, error);

	if (ret)
		return ret;
	ret = bridge_conf_read(&w, conf, mr_interfaces_of(all->dp), error);
	if (ret)
		return ret;
	ret = mr_bridge_prepare(e->bridge, &w.config, error);
	if (!ret) {
		e->wanted = true;
		e->next_ports = w.ports;
		e->next_members = w.members;
		e->next_count = w.config.port_count;
		w.ports = NULL;
		w.members = NULL;
	}
	bridge_conf_free(&w);
	return ret;
}

static void
bridge_abort(void *state)
{
	struct bridges *all = state;
	struct entry **at = &all->list, *e;

	while ((e = *at)) {
		mr_bridge_abort(e->bridge);
		free(e->next_ports);
		free(e->next_members);
		e->next_ports = NULL;
		e->next_members = NULL;
		e->wanted = false;
		if (!e->fresh) {
			at = &e->next;
			continue;
		}
		mr_graph_remove_node(mr_dataplane_graph(all->dp), e->node);
		*at = e->next;
		entry_free(e);
	}
}

static int
bridge_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	const struct mr_conf *conf;

	mr_conf_each(conf, mr_conf_root(config), "bridge") {
		int ret = prepare_one(state, conf, error);

		if (ret) {
			(void)mr_error_prefix(error, "bridge %s", mr_conf_key(conf));
			bridge_abort(state);
			return ret;
		}
	}
	return 0;
}

static void
commit_one(struct bridges *all, struct entry *e)
{
	struct mr_interfaces *interfaces = mr_interfaces_of(all->dp);
	unsigned left_out;

	mr_bridge_commit(e->bridge, bridge_seconds(), &left_out);
	if (left_out)
		mr_log(mr_dataplane_log(all->dp), MR_LOG_WARNING,
		    "bridge %s: no place in the table for %u static entries", e->name, left_out);
	free(e->ports);
	free(e->members);
	e->ports = e->next_ports;
	e->members = e->next_members;
	e->member_count = e->next_count;
	e->next_ports = NULL;
	e->next_members = NULL;
	e->fresh = false;
	for (unsigned i = 0; i < e->member_count; i++)
		mr_interface_use(interfaces, e->members[i].port, e->node);
}

static void
bridge_commit(void *state)
{
	struct bridges *all = state;

	for (struct entry *e = all->list; e; e = e->next) {
		if (e->wanted)
			commit_one(all, e);
		else
			mr_graph_remove_node(mr_dataplane_graph(all->dp), e->node);
	}
}

static void
bridge_finish(void *state)
{
	struct bridges *all = state;
	struct entry **at = &all->list, *e;

	while ((e = *at)) {
		if (e->wanted) {
			mr_bridge_finish(e->bridge);
			e->wanted = false;
			at = &e->next;
			continue;
		}
		*at = e->next;
		entry_free(e);
	}
}

static void
bridge_tick(void *state, uint32_t seconds)
{
	struct bridges *all = state;
	struct mr_interfaces *interfaces = mr_interfaces_of(all->dp);

	for (struct entry *e = all->list; e; e = e->next) {
		for (unsigned i = 0; i < e->member_count; i++) {
			struct member *m = &e->members[i];
			const struct mr_interface *now = mr_interface_at(interfaces, m->port);
			bool up = now && now->up;

			if (m->up && !up)
				mr_bridge_flush_port(e->bridge, m->port);
			m->up = up;
		}
		mr_bridge_age(e->bridge, seconds);
	}
}

static bool
bridge_describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	const struct bridges *all = state;
	bool found = op->kind == MR_OP_MATCH && op->text && !strcmp(op->text, "bridge stations");
	bool source =
	    op->kind == MR_OP_NOTE && op->text && !strncmp(op->text, "source station", 14);
	const struct mr_interface *i =
	    mr_interface_at(mr_interfaces_of(all->dp), (uint16_t)(found ? op->arg : op->a));

	if (found)
		snprintf(text, size, "station %02x:%02x:%02x:%02x:%02x:%02x is known on %s",
		    op->bytes[0], op->bytes[1], op->bytes[2], op->bytes[3], op->bytes[4],
		    op->bytes[5], i ? i->name : "no interface");
	else if (source)
		snprintf(text, size, "%s %s", op->text, i ? i->name : "?");
	return found || source;
}

static bool
bridge_whose(const void *state, uint16_t interface, uint16_t vlan, char *text, size_t size)
{
	const struct bridges *all = state;

	for (const struct entry *e = all->list; e; e = e->next) {
		for (unsigned i = 0; i < e->member_count; i++) {
			if (e->members[i].port != interface)
				continue;
			snprintf(text, size, "bridge %s", e->name);
			return true;
		}
	}
	return false;
}

const struct mr_nf mr_nf_bridge = {
	.name = "bridge",
	.doc = "learning switches with VLANs",
	.yang = mr_yang_bridge,
	.create = bridge_create,
	.destroy = bridge_destroy,
	.check = bridge_check,
	.prepare = bridge_prepare,
	.commit = bridge_commit,
	.finish = bridge_finish,
	.abort = bridge_abort,
	.tick = bridge_tick,
	.show = bridge_show,
	.describe = bridge_describe,
	.whose = bridge_whose,
};
