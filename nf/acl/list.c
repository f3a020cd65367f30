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

/* -- rules to lines --------------------------------------------------------------------------- */

static uint16_t
target_of(const struct acl_own *own, const char *name)
{
	for (const struct acl_list *l = own->lists; l; l = l->next)
		if (!strcmp(l->name, name))
			return l->id;
	return 0;
}

static void
set_account(struct acl_account *a, const struct acl_spec *s, uint64_t hz)
{
	a->over = s->flags & ACL_SPEC_OVER;
	a->sample = s->flags & ACL_SPEC_LOG ? s->sample : 1;
	memcpy(a->prefix, s->prefix, sizeof(a->prefix));
	/* So many in a minute of cycles are so many in 60 times the cycles. */
	if (s->flags & ACL_SPEC_LIMIT)
		mr_meter_set(&a->limit, hz * s->per, s->rate, s->burst);
	if (s->flags & ACL_SPEC_LOG)
		mr_meter_set(&a->log, hz, s->log_rate, s->log_rate);
}

/* A record for the spec; with `account` one that goes on counting there. */
static int
make_record(struct acl_rule **out, struct acl_list *l, struct acl_spec *s)
{
	struct acl_own *own = l->own;
	struct acl_account *account;
	struct acl_rule *rule;
	int ret = acl_account_create(&account, own->accounts, own->seconds);

	if (ret)
		return ret;
	set_account(account, s, own->accounts->hz);
	ret = acl_rule_create(&rule, s, account);
	acl_account_release(account, own->seconds);
	if (ret)
		return ret;
	rule->list = l->id;
	rule->slot = UINT32_MAX;
	if (rule->action == ACL_JUMP || rule->action == ACL_GOTO)
		rule->target = target_of(own, s->to);
	*out = rule;
	return 0;
}

static int
compare_entries(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mr_class_rule));
}

static int
make_line(struct acl_line **out, struct acl_list *l, struct acl_spec *s,
    const struct acl_digest *digest, const struct acl_line *old)
{
	struct acl_line *line = calloc(1, sizeof(*line));
	int ret = line ? acl_rule_expand(s, &line->entries, &line->count) : -ENOMEM;

	if (!line)
		return ret;
	line->refs = 1;
	line->digest = *digest;
	memcpy(line->to, s->to, sizeof(line->to));
	acl_rule_looks(s, &line->looks);
	if (!ret) {
		qsort(line->entries, line->count, sizeof(*line->entries), compare_entries);
		line->ids = calloc(line->count + 1, sizeof(*line->ids));
		ret = line->ids ? 0 : -ENOMEM;
	}
	if (!ret && old && !memcmp(old->digest.record, digest->record, sizeof(digest->record))) {
		line->rule = old->rule;
		line->rule->refs++;
	} else if (!ret) {
		ret = make_record(&line->rule, l, s);
	}
	if (ret) {
		acl_line_release(l->own, line);
		return ret;
	}
	*out = line;
	return 0;
}

/* -- the old lines by name ----------------------------------------------------------------------- */

struct named {
	const char *name;
	uint32_t at;
};

static int
compare_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int
index_names(struct named **out, const struct acl_version *v)
{
	uint32_t count = v ? v->count : 0;

	*out = malloc((count + 1) * sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		(*out)[i] = (struct named){ v->lines[i]->rule->name, i };
	qsort(*out, count, sizeof(**out), compare_named);
	return 0;
}

static uint32_t
find_name(const struct named *names, const struct acl_version *v, const char *name)
{
	struct named key = { name, 0 }, *found;

	if (!v || !v->count)
		return ACL_NEW;
	found = bsearch(&key, names, v->count, sizeof(*names), compare_named);
	return found ? found->at : ACL_NEW;
}

/* Lines of the next version: old ones, or new ones that still lack a priority. */
static int
read_lines(struct acl_list *l, const struct acl_reading *r, const struct mr_conf *conf,
    struct acl_place *places, struct mr_error *error)
{
	struct acl_version *now = l->now, *then = l->then;
	const struct mr_conf *rule;
	struct named *names;
	int ret = index_names(&names, now);

	mr_conf_each(rule, conf, "rule") {
		struct acl_line *old = NULL, **line = &then->lines[then->count];
		struct acl_place *place = &places[then->count];
		struct acl_digest digest;
		struct acl_spec spec;

		if (ret)
			break;
		if (!mr_conf_bool(rule, "enabled", true))
			continue;
		ret = acl_spec_read(&spec, r, rule, l->name);
		if (ret) {
			(void)mr_error_set(error, ret, "rule %s cannot be read", mr_conf_key(rule));
			free(names);
			return ret;
		}
		acl_spec_digest(&spec, l->own->key, &digest);
		place->old = find_name(names, now, spec.name);
		if (place->old != ACL_NEW) {
			old = now->lines[place->old];
			place->priority = old->rule->priority;
		}
		if (old && !memcmp(&old->digest, &digest, sizeof(digest))) {
			old->refs++;
			*line = old;
		} else {
			ret = make_line(line, l, &spec, &digest, old);
		}
		then->count += !ret;
		acl_spec_free(&spec);
	}
	free(names);
	return ret ? no_memory(error) : 0;
}

/* -- priorities --------------------------------------------------------------------------------- */

/* The same rule at another place: a record of its own, which counts on. */
static struct acl_rule *
move_record(const struct acl_rule *old)
{
	struct acl_rule *rule = malloc(sizeof(*rule));

	if (!rule)
		return NULL;
	memcpy(rule, old, sizeof(*rule));
	rule->refs = 1;
	rule->slot = UINT32_MAX;
	rule->checks = calloc(old->check_count + 1u, sizeof(*rule->checks));
	if (!rule->checks) {
		free(rule);
		return NULL;
	}
	acl_account_hold(rule->account);
	for (rule->check_count = 0; rule->check_count < old->check_count; rule->check_count++) {
		struct acl_check *to = &rule->checks[rule->check_count];
		const struct acl_check *from = &old->checks[rule->check_count];

		to->field = from->field;
		if (acl_ranges_add_all(&to->ranges, &from->ranges)) {
			acl_account_release(rule->account, 0);
			acl_rule_release(rule);
			return NULL;
		}
	}
	return rule;
}

/* A line of its own for this version, with a record that nobody uses yet. */
static int
own_line(struct acl_list *l, struct acl_line **at)
{
	struct acl_line *old = *at, *line;
	struct acl_rule *rule = move_record(old->rule);

	if (!rule)
		return -ENOMEM;
	if (old->refs == 1) {
		acl_record_release(l->own, old->rule);
		old->rule = rule;
		return 0;
	}
	line = malloc(sizeof(*line));
	if (line) {
		memcpy(line, old, sizeof(*line));
		line->refs = 1;
		line->rule = rule;
		line->entries = malloc((line->count + 1) * sizeof(*line->entries));
		line->ids = calloc(line->count + 1, sizeof(*line->ids));
	}
	if (!line || !line->entries || !line->ids) {
		if (line) {
			free(line->entries);
			free(line->ids);
			free(line);
		}
		acl_record_release(l->own, rule);
		return -ENOMEM;
	}
	memcpy(line->entries, old->entries, line->count * sizeof(*line->entries));
	old->refs--;
	*at = line;
	return 0;
}

static int
place_line(struct acl_list *l, struct acl_line **at, const struct acl_place *place)
{
	bool fresh = (*at)->rule->slot == UINT32_MAX;
	int ret = 0;

	if (!fresh && !place->keep) {
		ret = own_line(l, at);
		fresh = true;
	}
	if (!ret && fresh)
		ret = acl_rules_take(&l->own->rules, (struct acl_rule *)(*at)->rule);
	if (ret)
		return ret;
	if (fresh)
		(*at)->rule->priority = place->priority;
	/* Those of a line that workers know are as they are. */
	for (uint32_t i = 0; i < (*at)->count && (*at)->refs == 1; i++) {
		(*at)->entries[i].priority = place->priority;
		(*at)->entries[i].value = (*at)->rule->slot;
	}
	return 0;
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
		*out = move_record(old);
		ret = *out ? 0 : -ENOMEM;
	} else {
		ret = make_record(out, l, &s);
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
	to->mark |= from->mark;
	to->states |= from->states;
	to->output |= from->output;
}

static int
prepare(struct acl_list *l, const struct acl_reading *r, const struct mr_conf *conf,
    struct acl_place *places, struct mr_error *error)
{
	struct acl_version *v = l->then;
	int ret = read_lines(l, r, conf, places, error);

	if (ret)
		return ret;
	if (acl_plan(places, v->count))
		return no_memory(error);
	for (uint32_t i = 0; i < v->count; i++) {
		if (place_line(l, &v->lines[i], &places[i]))
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
