/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/acl/list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
no_memory(struct mr_error *error)
{
	return mr_error_set(error, -ENOMEM, "no memory");
}

/* -- the list's own settings ---------------------------------------------------------------------- */

static enum acl_action
default_of(const struct mr_conf *conf, enum acl_reject *reject)
{
	static const char *const rejects[ACL_REJECTS] = { "port-unreachable", "host-unreachable",
		"net-unreachable", "admin-prohibited", "tcp-reset" };
	const char *text = mr_conf_text(conf, "default", "accept");
	const char *with = mr_conf_text(conf, "default-reject-with", "admin-prohibited");

	for (unsigned i = 0; i < ACL_REJECTS; i++)
		if (!strcmp(with, rejects[i]))
			*reject = (enum acl_reject)i;
	return !strcmp(text, "drop") ? ACL_DROP : !strcmp(text, "reject") ? ACL_REJECT : ACL_ACCEPT;
}

static int
make_builtin(struct acl_rule **out, struct acl_list *l, const char *name, enum acl_action action,
    enum acl_reject reject, const struct acl_rule *old)
{
	struct acl_spec s = { .action = (uint8_t)action, .reject = (uint8_t)reject };
	int ret = 0;

	snprintf(s.name, sizeof(s.name), "%s", name);
	if (old) {
		*out = acl_record_move(old);
		ret = *out ? 0 : -ENOMEM;
	} else {
		ret = acl_record_make(out, l, &s);
	}
	if (ret)
		return ret;
	(*out)->action = (uint8_t)action;
	(*out)->reject = (uint8_t)reject;
	ret = acl_rules_take(&l->own->rules, *out);
	if (ret) {
		acl_record_release(l->own, *out);
		*out = NULL;
	}
	return ret;
}

static int
read_settings(struct acl_list *l, const struct mr_conf *conf)
{
	struct acl_version *v = l->then;
	struct acl_view *view = &v->view;
	enum acl_reject reject = ACL_REJECT_ADMIN;
	enum acl_action action = default_of(conf, &reject);
	const struct mr_conf *at;
	uint32_t n = 0;

	view->stateful = mr_conf_bool(conf, "stateful", false);
	view->drop_arp = !strcmp(mr_conf_text(conf, "arp", "accept"), "drop");
	view->drop_ether = !strcmp(mr_conf_text(conf, "ether", "accept"), "drop");
	view->nd_rules = !strcmp(mr_conf_text(conf, "neighbor-discovery", "accept"), "rules");
	v->except = calloc(mr_conf_count(conf, "ether-except") + 1, sizeof(*v->except));
	if (!v->except)
		return -ENOMEM;
	mr_conf_each(at, conf, "ether-except")
		v->except[n++] = (uint16_t)strtoul(mr_conf_value(at), NULL, 16);
	view->except = v->except;
	view->except_count = n;
	view->established = l->builtin[1];
	view->invalid = l->builtin[2];
	view->decide = l->builtin[0];
	if (l->builtin[0]->action == action && l->builtin[0]->reject == reject)
		return 0;
	if (make_builtin(&l->decide_then, l, "default", action, reject, l->builtin[0]))
		return -ENOMEM;
	view->decide = l->decide_then;
	return 0;
}

static bool
same_settings(const struct acl_view *a, const struct acl_view *b)
{
	return a->stateful == b->stateful && a->drop_arp == b->drop_arp &&
	    a->drop_ether == b->drop_ether && a->nd_rules == b->nd_rules &&
	    a->decide == b->decide && a->except_count == b->except_count &&
	    !memcmp(a->except, b->except, a->except_count * sizeof(*a->except));
}

static bool
same(const struct acl_version *a, const struct acl_version *b)
{
	return a->count == b->count && !memcmp(a->lines, b->lines, a->count * sizeof(*a->lines)) &&
	    same_settings(&a->view, &b->view);
}

/* -- steps -------------------------------------------------------------------------------------- */

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

static int
prepare(struct acl_list *l, const struct acl_reading *r, const struct mr_conf *conf,
    struct acl_place *places, struct mr_error *error)
{
	struct acl_version *v = l->then;
	int ret = acl_lines_read(l, r, conf, places, error);

	if (ret)
		return ret;
	if (acl_plan(places, v->count))
		return no_memory(error);
	for (uint32_t i = 0; i < v->count; i++) {
		if (acl_line_place(l, &v->lines[i], &places[i]))
			return no_memory(error);
		v->entries += v->lines[i]->count;
		add_looks(&v->looks, &v->lines[i]->looks);
	}
	if (read_settings(l, conf))
		return no_memory(error);
	if (l->now && same(l->now, v)) {
		acl_version_free(l->own, v);
		l->then = l->now;
		return 0;
	}
	return acl_version_build(l, error);
}

int
acl_list_prepare(struct acl_list *l, const struct acl_reading *r, const struct mr_conf *conf,
    struct mr_error *error)
{
	size_t rules = mr_conf_count(conf, "rule");
	struct acl_place *places = calloc(rules + 1, sizeof(*places));
	int ret;

	l->undo_count = 0;
	l->then = calloc(1, sizeof(*l->then));
	if (l->then)
		l->then->lines = calloc(rules + 1, sizeof(*l->then->lines));
	ret = places && l->then && l->then->lines ? prepare(l, r, conf, places, error)
						  : no_memory(error);
	free(places);
	if (ret)
		(void)mr_error_prefix(error, "acl list %s", l->name);
	if (ret)
		acl_list_abort(l);
	return ret;
}

void
acl_list_abort(struct acl_list *l)
{
	struct acl_version *then = l->then;

	l->then = NULL;
	if (then && then != l->now) {
		acl_version_undo(l);
		if (then->class && (!l->now || then->class != l->now->class))
			mr_class_destroy(then->class);
		acl_version_free(l->own, then);
	}
	acl_record_release(l->own, l->decide_then);
	l->decide_then = NULL;
}

/* A classifier of its own gave its rules numbers in their order. */
static void
number_entries(struct acl_version *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->count; i++)
		for (uint32_t k = 0; k < v->lines[i]->count; k++)
			v->lines[i]->ids[k] = n++;
}

void
acl_list_finish(struct acl_list *l)
{
	struct acl_version *old = l->now;

	if (!l->then || l->then == old) {
		l->then = NULL;
		return;
	}
	l->now = l->then;
	l->then = NULL;
	l->undo_count = 0;
	while (l->retired_count)
		mr_class_release(l->retired[--l->retired_count]);
	if (old && old->class != l->now->class) {
		mr_class_destroy(old->class);
		l->stale = false;
	}
	if (l->now->class && (!old || old->class != l->now->class))
		number_entries(l->now);
	acl_version_free(l->own, old);
	if (l->decide_then) {
		acl_record_release(l->own, l->builtin[0]);
		l->builtin[0] = l->decide_then;
		l->decide_then = NULL;
	}
}

int
acl_list_create(struct acl_list **out, struct acl_own *own, const char *name, uint16_t id,
    struct mr_error *error)
{
	static const char *const names[] = { "default", "established", "invalid" };
	static const enum acl_action actions[] = { ACL_ACCEPT, ACL_ACCEPT, ACL_DROP };
	struct acl_list *l = calloc(1, sizeof(*l));

	if (!l)
		return no_memory(error);
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->id = id;
	l->own = own;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(names); i++) {
		if (make_builtin(&l->builtin[i], l, names[i], actions[i], ACL_REJECT_ADMIN, NULL)) {
			acl_list_destroy(l);
			return no_memory(error);
		}
	}
	*out = l;
	return 0;
}

void
acl_list_destroy(struct acl_list *l)
{
	if (!l)
		return;
	acl_list_abort(l);
	if (l->now) {
		while (l->retired_count)
			mr_class_release(l->retired[--l->retired_count]);
		mr_class_destroy(l->now->class);
		acl_version_free(l->own, l->now);
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(l->builtin); i++)
		acl_record_release(l->own, l->builtin[i]);
	free(l->undo);
	free(l->retired);
	free(l);
}
