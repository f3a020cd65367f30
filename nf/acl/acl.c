/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function in one data plane: sets, lists, and a node for each interface and direction that has
 * a list. prepare makes the next world beside the one that workers see, commit shows it, finish
 * forgets the old one.
 */
#include "nf/acl/acl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit/base/hash.h"
#include "nf/acl/acl_int.h"
#include "nf/conntrack/conntrack.h"

extern const char mr_yang_acl[];

#define NO_NODE UINT16_MAX

uint32_t
acl_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

static const struct mr_conf *
conf_of(const struct mr_config *config)
{
	return mr_conf_child(mr_conf_root(config), "acl");
}

static struct acl_world *
world_of(struct acl *acl)
{
	return atomic_load_explicit(&acl->world, memory_order_relaxed);
}

static void
world_free(struct acl_world *w)
{
	if (w)
		free(w->looks);
	free(w);
}

static struct acl_world *
world_create(uint32_t lists)
{
	struct acl_world *w = calloc(1, sizeof(*w) + (lists + 1) * sizeof(w->views[0]));

	if (!w)
		return NULL;
	w->looks = calloc(lists + 1, sizeof(*w->looks));
	if (w->looks)
		return w;
	free(w);
	return NULL;
}

static int
acl_create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct acl *acl = calloc(1, sizeof(*acl));
	struct mr_graph *graph = mr_dataplane_graph(dp);
	struct mr_hash_key key;
	int ret;

	if (!acl)
		return mr_error_set(error, -ENOMEM, "no memory");
	acl->dp = dp;
	acl->conntrack = mr_conntrack_of(dp);
	acl->workers = (uint16_t)mr_graph_worker_count(graph);
	ret = mr_hash_key_random(&key, error);
	memcpy(acl->own.key, key.sip, sizeof(acl->own.key));
	if (!ret)
		ret = acl_accounts_create(&acl->own.accounts, acl->workers, mr_graph_hz(graph));
	if (!ret)
		ret = acl_log_open(acl);
	if (!ret) {
		atomic_store_explicit(&acl->world, world_create(0), memory_order_relaxed);
		ret = world_of(acl) ? 0 : -ENOMEM;
	}
	*state = acl;
	return ret ? mr_error_set(error, ret, "no memory") : 0;
}

static void
acl_destroy(void *state)
{
	struct acl *acl = state;
	struct acl_stage *s;
	struct acl_list *l;
	struct mr_error error;

	if (!acl)
		return;
	for (s = acl->stages; s; s = s->next) {
		(s->out ? mr_interface_stage_out : mr_interface_stage_in)(mr_interfaces_of(acl->dp),
		    s->interface, MR_STAGE_FILTER, NO_NODE);
		mr_graph_remove_node(mr_dataplane_graph(acl->dp), s->node);
	}
	if (acl->stages)
		(void)mr_graph_commit(mr_dataplane_graph(acl->dp), &error);
	while ((s = acl->stages)) {
		acl->stages = s->next;
		free(s);
	}
	while ((l = acl->own.lists)) {
		acl->own.lists = l->next;
		acl_list_destroy(l);
	}
	world_free(world_of(acl));
	acl_rules_close(&acl->own.rules);
	acl_accounts_destroy(acl->own.accounts);
	acl_sets_free(&acl->sets);
	acl_log_close(acl);
	free(acl);
}

/* -- prepare ------------------------------------------------------------------------------------ */

static struct acl_list *
list_find(struct acl *acl, const char *name)
{
	struct acl_list *l = acl->own.lists;

	while (l && strcmp(l->name, name))
		l = l->next;
	return l;
}

/* A number that no list has. */
static uint32_t
free_id(const struct acl *acl)
{
	for (uint32_t id = 1; id <= UINT16_MAX; id++) {
		const struct acl_list *l = acl->own.lists;

		if (id > acl->id_top)
			return id;
		while (l && l->id != id)
			l = l->next;
		if (!l)
			return id;
	}
	return 0;
}

static int
find_lists(struct acl *acl, const struct mr_conf *conf, struct mr_error *error)
{
	const struct mr_conf *at;

	mr_conf_each(at, conf, "list") {
		struct acl_list *l = list_find(acl, mr_conf_key(at));
		uint32_t id;
		int ret;

		if (!l) {
			id = free_id(acl);
			ret = id
			    ? acl_list_create(&l, &acl->own, mr_conf_key(at), (uint16_t)id, error)
			    : mr_error_set(error, -ENOSPC, "more than %u acl lists", UINT16_MAX);
			if (ret)
				return ret;
			l->next = acl->own.lists;
			acl->own.lists = l;
			acl->id_top = MR_MAX(acl->id_top, id);
		}
		l->wanted = true;
	}
	return 0;
}

static bool
interface_index(const void *user, const char *name, uint16_t *index)
{
	const struct mr_interface *i = mr_interface_find(user, name);

	if (i)
		*index = i->index;
	return i != NULL;
}

static struct acl_list *
list_by_id(struct acl *acl, uint16_t id)
{
	struct acl_list *l = acl->own.lists;

	while (l && l->id != id)
		l = l->next;
	return l;
}

static void
add_looks(struct acl_looks *to, const struct acl_looks *from)
{
	to->uses[0] |= from->uses[0];
	to->uses[1] |= from->uses[1];
	to->tcp |= from->tcp;
	to->icmp |= from->icmp;
	to->dscp |= from->dscp;
	to->mac |= from->mac;
	to->length |= from->length;
	to->states |= from->states;
	to->output |= from->output;
}

/* What the list and all that it may come to look at, and whether any of them changes. Jumps make no
 * circles: check has seen to it. */
static void
reach(struct acl *acl, struct acl_list *l)
{
	if (l->visit)
		return;
	l->visit = 1;
	l->reach = l->then->looks;
	l->reach.states |= l->then->view.stateful;
	l->changed = l->then != l->now;
	for (uint32_t i = 0; i < l->then->count; i++) {
		const struct acl_rule *rule = l->then->lines[i]->rule;
		struct acl_list *to = rule->target ? list_by_id(acl, rule->target) : NULL;

		if (!to)
			continue;
		reach(acl, to);
		add_looks(&l->reach, &to->reach);
		l->changed |= to->changed;
	}
}

static struct acl_stage *
stage_find(struct acl *acl, const char *name, uint16_t index, bool out)
{
	struct acl_stage *s = acl->stages;

	while (s && (strcmp(s->name, name) || s->interface != index || s->out != out))
		s = s->next;
	return s;
}

/* Whether an interface of this name, before it was set up anew, has such a node still. */
static bool
name_is_taken(const struct acl *acl, const char *name, bool out)
{
	const struct acl_stage *s = acl->stages;

	while (s && (strcmp(s->name, name) || s->out != out))
		s = s->next;
	return s != NULL;
}

static void
node_name(const char *name, bool out, const char *more, char text[MR_GRAPH_NAME_MAX])
{
	snprintf(text, MR_GRAPH_NAME_MAX, "acl-%s@%s%s", out ? "out" : "in", name, more);
}

/* The node of an interface and direction. */
static int
stage_get(struct acl *acl, const char *name, uint16_t index, bool out, struct acl_stage **stage,
    struct mr_error *error)
{
	struct acl_stage *s = stage_find(acl, name, index, out);
	char node[MR_GRAPH_NAME_MAX];
	int ret;

	*stage = s;
	if (s)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return mr_error_set(error, -ENOMEM, "no memory");
	s->acl = acl;
	s->interface = index;
	s->out = out;
	s->fresh = true;
	snprintf(s->name, sizeof(s->name), "%s", name);
	/* The name is its own with the commit. */
	node_name(name, out, name_is_taken(acl, name, out) ? "+" : "", node);
	mr_meter_set(&s->rejects, mr_graph_hz(mr_dataplane_graph(acl->dp)), acl->reject_rate_then,
	    acl->reject_rate_then);
	ret = mr_graph_add_node(mr_dataplane_graph(acl->dp), out ? &acl_out_class : &acl_in_class,
	    node, s, &s->node, error);
	if (ret) {
		free(s);
		return ret;
	}
	s->next = acl->stages;
	acl->stages = s;
	*stage = s;
	return 0;
}

/* The list of an interface; null: none. */
static struct acl_list *
list_of(struct acl *acl, const struct mr_conf *conf, const char *interface, bool out)
{
	const struct mr_conf *at = mr_conf_find(conf, "interface", interface);
	const char *name = at ? mr_conf_text(at, out ? "out" : "in", NULL)
			      : mr_conf_text(conf, out ? "default-out" : "default-in", NULL);

	return name ? list_find(acl, name) : NULL;
}

static int
bind_one(struct acl *acl, const struct mr_conf *conf, const char *name, struct mr_error *error)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(acl->dp), name);
	struct acl_stage *stage;

	if (i)
		snprintf(acl->then->bind[i->index].zone, ACL_NAME_MAX, "%s",
		    mr_conf_text(mr_conf_find(conf, "interface", name), "zone", ""));
	for (unsigned out = 0; i && out < 2; out++) {
		struct acl_list *l = list_of(acl, conf, name, out);
		int ret;

		if (!l)
			continue;
		ret = stage_get(acl, name, i->index, out, &stage, error);
		if (ret)
			return ret;
		stage->wanted = true;
		stage->list_then = l->id;
		acl->then->bind[i->index].list[out] = stage->list_then;
		acl->then->tracked |= l->reach.states;
	}
	return 0;
}

static int
prepare(struct acl *acl, const struct mr_config *config, struct mr_error *error)
{
	const struct mr_conf *conf = conf_of(config), *at;
	struct acl_reading reading = { .config = config,
		.sets = &acl->sets_then,
		.interface = interface_index,
		.user = mr_interfaces_of(acl->dp) };
	int ret;

	acl->reject_rate_then = mr_conf_uint(conf, "reject-rate", 1000);
	ret = acl_sets_read(&acl->sets_then, &reading, conf);
	if (ret)
		return mr_error_set(error, ret, "acl: the sets cannot be read");
	ret = find_lists(acl, conf, error);
	mr_conf_each(at, conf, "list")
		if (!ret)
			ret =
			    acl_list_prepare(list_find(acl, mr_conf_key(at)), &reading, at, error);
	if (ret)
		return ret;
	acl->then = world_create(acl->id_top);
	if (!acl->then)
		return mr_error_set(error, -ENOMEM, "no memory");
	for (struct acl_list *l = acl->own.lists; l; l = l->next)
		l->visit = 0;
	for (struct acl_list *l = acl->own.lists; l; l = l->next) {
		if (!l->wanted)
			continue;
		reach(acl, l);
		acl->then->views[l->id] = &l->then->view;
		acl->then->looks[l->id] = l->reach;
	}
	mr_conf_each(at, mr_conf_root(config), "interface")
		if (!ret)
			ret = bind_one(acl, conf, mr_conf_key(at), error);
	return ret;
}

static void
forget_lists(struct acl *acl)
{
	struct acl_list **at = &acl->own.lists, *l;

	while ((l = *at)) {
		if (l->now) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		acl_list_destroy(l);
	}
}

static void
acl_abort(void *state)
{
	struct acl *acl = state;
	struct acl_stage **at = &acl->stages, *s;

	while ((s = *at)) {
		s->wanted = false;
		if (!s->fresh) {
			at = &s->next;
			continue;
		}
		mr_graph_remove_node(mr_dataplane_graph(acl->dp), s->node);
		*at = s->next;
		free(s);
	}
	for (struct acl_list *l = acl->own.lists; l; l = l->next) {
		acl_list_abort(l);
		l->wanted = false;
	}
	forget_lists(acl);
	world_free(acl->then);
	acl->then = NULL;
	acl_sets_free(&acl->sets_then);
}

static int
acl_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct acl *acl = state;
	int ret;

	acl->own.seconds = acl_seconds();
	ret = prepare(acl, config, error);
	if (ret)
		acl_abort(state);
	return ret;
}

/* -- commit ------------------------------------------------------------------------------------- */

/* Whether its decisions may be others than before. */
static bool
changes(struct acl *acl, const struct acl_stage *s)
{
	const struct acl_list *l = s->list_then ? list_by_id(acl, s->list_then) : NULL;

	return s->fresh || s->list != s->list_then || (l && l->changed) ||
	    acl->old->tracked != acl->then->tracked;
}

static void
commit_stage(struct acl *acl, struct acl_stage *s)
{
	struct mr_graph *graph = mr_dataplane_graph(acl->dp);
	struct mr_interfaces *interfaces = mr_interfaces_of(acl->dp);
	char name[MR_GRAPH_NAME_MAX];

	node_name(s->name, s->out, "", name);
	(void)mr_graph_rename_node(graph, s->node, name);
	if (changes(acl, s))
		mr_generation_bump(&s->generation);
	s->list = s->list_then;
	s->fresh = false;
	mr_meter_set(&s->rejects, mr_graph_hz(graph), acl->reject_rate, acl->reject_rate);
	if (!s->out) {
		mr_interface_stage_in(interfaces, s->interface, MR_STAGE_FILTER, s->node);
		return;
	}
	mr_graph_link(graph, s->node, ACL_EDGE_BACK, mr_interface_user(interfaces, s->interface));
	mr_interface_stage_out(interfaces, s->interface, MR_STAGE_FILTER, s->node);
}

/* A connection goes through several interfaces: where one asks for states, all track. */
static void
track(struct acl *acl)
{
	for (unsigned i = 0; i < MR_PORT_MAX && acl->then->tracked; i++) {
		const char *zone = acl->then->bind[i].zone;

		if (mr_interface_at(mr_interfaces_of(acl->dp), (uint16_t)i))
			mr_conntrack_want(acl->conntrack, (uint16_t)i, *zone ? zone : NULL);
	}
}

static void
acl_commit(void *state)
{
	struct acl *acl = state;

	acl->old = world_of(acl);
	/* Release pairs with the acquire in acl_body. */
	atomic_store_explicit(&acl->world, acl->then, memory_order_release);
	acl->reject_rate = acl->reject_rate_then;
	for (struct acl_stage *s = acl->stages; s; s = s->next)
		if (!s->wanted)
			mr_graph_remove_node(mr_dataplane_graph(acl->dp), s->node);
	for (struct acl_stage *s = acl->stages; s; s = s->next)
		if (s->wanted)
			commit_stage(acl, s);
	track(acl);
	acl_sets_free(&acl->sets);
	acl->sets = acl->sets_then;
	memset(&acl->sets_then, 0, sizeof(acl->sets_then));
}

static void
acl_finish(void *state)
{
	struct acl *acl = state;
	struct acl_stage **at = &acl->stages, *s;
	struct acl_list **lists = &acl->own.lists, *l;

	acl_log_drain(acl);
	while ((s = *at)) {
		if (s->wanted) {
			s->wanted = false;
			at = &s->next;
			continue;
		}
		*at = s->next;
		free(s);
	}
	while ((l = *lists)) {
		if (l->wanted) {
			acl_list_finish(l);
			l->wanted = false;
			lists = &l->next;
			continue;
		}
		*lists = l->next;
		acl_list_destroy(l);
	}
	world_free(acl->old);
	acl->old = acl->then = NULL;
}

static void
acl_tick(void *state, uint32_t seconds)
{
	struct acl *acl = state;

	(void)seconds;
	acl_log_drain(acl);
}

const struct mr_nf mr_nf_acl = {
	.name = "acl",
	.doc = "access lists: which packets may pass",
	.yang = mr_yang_acl,
	.create = acl_create,
	.destroy = acl_destroy,
	.check = acl_check,
	.prepare = acl_prepare,
	.commit = acl_commit,
	.finish = acl_finish,
	.abort = acl_abort,
	.tick = acl_tick,
	.show = acl_show,
	.describe = acl_describe,
};
