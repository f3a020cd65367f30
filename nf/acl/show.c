/* SPDX-License-Identifier: Apache-2.0 */
/* State, and words for what the nodes record. */
#include <stdio.h>
#include <string.h>

#include "nf/acl/acl_int.h"

static void
show_counts(const struct acl_rule *rule, const char *name, struct mr_state *st)
{
	uint64_t packets, bytes;
	char leaf[40];

	acl_account_read(rule->account, &packets, &bytes);
	snprintf(leaf, sizeof(leaf), "%s%spackets", name, *name ? "-" : "");
	mr_state_uint(st, leaf, packets);
	snprintf(leaf, sizeof(leaf), "%s%sbytes", name, *name ? "-" : "");
	mr_state_uint(st, leaf, bytes);
}

static void
show_classifier(const struct acl_list *l, struct mr_state *st)
{
	struct mr_class_stats stats = { 0 };

	mr_state_open(st, "classifier");
	mr_state_uint(st, "rules", l->now->count);
	mr_state_uint(st, "entries", l->now->entries);
	if (l->now->class) {
		mr_class_stats(l->now->class, &stats);
		mr_state_uint(st, "tables", stats.tables[0] + stats.tables[1]);
		mr_state_uint(st, "longest", stats.longest);
		mr_state_uint(st, "memory", stats.bytes);
	} else {
		mr_state_uint(st, "tables", 0);
		mr_state_uint(st, "longest", l->now->entries);
		mr_state_uint(st, "memory", l->now->entries * sizeof(struct mr_class_rule));
	}
	mr_state_close(st);
}

static void
show_list(const struct acl_list *l, struct mr_state *st)
{
	mr_state_list(st, "list", l->name);
	for (uint32_t i = 0; i < l->now->count; i++) {
		const struct acl_rule *rule = l->now->lines[i]->rule;

		mr_state_list(st, "rule", rule->name);
		mr_state_text(st, "action", acl_action_names[rule->action]);
		show_counts(rule, "", st);
		mr_state_close(st);
	}
	mr_state_open(st, "counters");
	show_counts(l->builtin[0], "default", st);
	show_counts(l->builtin[1], "established", st);
	show_counts(l->builtin[2], "invalid", st);
	mr_state_close(st);
	show_classifier(l, st);
	mr_state_close(st);
}

static const char *
list_name(const struct acl *acl, uint16_t id)
{
	for (const struct acl_list *l = acl->own.lists; l; l = l->next)
		if (l->id == id && l->now)
			return l->name;
	return NULL;
}

static void
show_interfaces(const struct acl *acl, struct mr_state *st)
{
	/* One entry for both directions: the stages are in no order. */
	for (const struct acl_stage *s = acl->stages; s; s = s->next) {
		const struct acl_stage *other = acl->stages;
		const char *in, *out;

		while (other && (other == s || other->interface != s->interface))
			other = other->next;
		if (other && s->out)
			continue;
		in = list_name(acl, s->out ? 0 : s->list);
		out = list_name(acl, s->out ? s->list : other ? other->list : 0);
		if (!in && !out)
			continue;
		mr_state_list(st, "interface", s->name);
		if (in)
			mr_state_text(st, "in", in);
		if (out)
			mr_state_text(st, "out", out);
		mr_state_close(st);
	}
}

void
acl_show(void *state, struct mr_state *st)
{
	struct acl *acl = state;

	mr_state_open(st, "acl");
	for (unsigned i = 0; i < acl->sets.count; i++) {
		const struct acl_set *set = &acl->sets.at[i];

		mr_state_list(st, "set", set->name);
		mr_state_uint(st, "size", set->ranges[0].count + set->ranges[1].count);
		mr_state_close(st);
	}
	for (const struct acl_list *l = acl->own.lists; l; l = l->next)
		if (l->now)
			show_list(l, st);
	show_interfaces(acl, st);
	mr_state_close(st);
}

bool
acl_describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	static const char *const does[ACL_ACTIONS] = { "accepts", "drops", "rejects", "counts",
		"jumps", "goes on", "returns" };
	struct acl *acl = state;
	const struct acl_rule *rule;
	const char *list;
	char to[ACL_NAME_MAX + 16] = "";

	if (op->kind != MR_OP_NOTE || (op->text != acl_note_rule && op->text != acl_note_pass))
		return false;
	rule = acl_rule_at(&acl->own.rules, (uint32_t)op->a);
	list = rule ? list_name(acl, rule->list) : NULL;
	if (!list) {
		snprintf(text, size, "a rule that is gone");
		return true;
	}
	if (rule->target) {
		const char *name = list_name(acl, rule->target);

		snprintf(to, sizeof(to), " to list %s", name ? name : "?");
	}
	snprintf(text, size, "%s%s of list %s %s%s", rule->action < ACL_ACTIONS ? "rule " : "",
	    rule->name, list, does[rule->action], to);
	return true;
}
