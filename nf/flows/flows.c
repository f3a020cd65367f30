/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The function: what a configuration adds to the rules of the one before is made in prepare, and what it
 * has no more goes in commit, so that rules that stay keep their counters.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/flows/flows_int.h"

extern const char mr_yang_flow_rules[];

#define NO_NODE UINT16_MAX

struct entry {
	struct flows_rule rule;
	uint32_t id;
	bool stays; /* of the old list: the new one has it too */
	bool made;  /* of the new list: it was not in the old one */
};

struct meter_entry {
	struct flows_meter meter;
	uint32_t id;
	bool stays, made;
};

struct list {
	struct entry *rules;
	size_t rule_count;
	struct meter_entry *meters;
	size_t meter_count;
};

struct flows {
	struct mr_dataplane *dp;
	struct mr_flow_rules *rules;
	struct list now, next;
	uint16_t nodes[MR_PORT_MAX];
};

/* -- lists --------------------------------------------------------------------------------------- */

static void
list_free(struct list *l)
{
	free(l->rules);
	free(l->meters);
	*l = (struct list){ 0 };
}

static uint32_t
meter_id(const struct list *l, const char *name)
{
	for (size_t i = 0; i < l->meter_count; i++)
		if (strcmp(l->meters[i].meter.name, name) == 0)
			return l->meters[i].id;
	return 0;
}

static int
make_meters(struct flows *f, const struct mr_conf *at, struct mr_error *error)
{
	const struct mr_conf *conf;

	f->next.meters = calloc(mr_conf_count(at, "meter") + 1, sizeof(*f->next.meters));
	if (!f->next.meters)
		return mr_error_set(error, -ENOMEM, "flow rules: no memory for meters");
	mr_conf_each(conf, at, "meter") {
		struct meter_entry *m = &f->next.meters[f->next.meter_count];

		snprintf(m->meter.name, sizeof(m->meter.name), "%s", mr_conf_key(conf));
		m->meter.rate = mr_conf_uint(conf, "rate", 0);
		m->meter.burst = mr_conf_uint(conf, "burst", 32);
		m->id = meter_id(&f->now, m->meter.name);
		if (!m->id) {
			int rc = mr_flow_meter_create(f->rules, m->meter.rate, m->meter.burst,
			    &m->id, error);

			if (rc)
				return rc;
			m->made = true;
		}
		f->next.meter_count++;
	}
	for (size_t i = 0; i < f->now.meter_count; i++)
		f->now.meters[i].stays = meter_id(&f->next, f->now.meters[i].meter.name) != 0;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->rule.name, ((const struct entry *)b)->rule.name);
}

static int
make_rule(struct flows *f, struct entry *e, struct mr_error *error)
{
	struct entry *old = f->now.rule_count
	    ? bsearch(e, f->now.rules, f->now.rule_count, sizeof(*e), by_name)
	    : NULL;
	struct mr_flow_item items[8];
	struct mr_flow_error wrong;
	int rc;

	if (old && memcmp(&old->rule, &e->rule, sizeof(e->rule)) == 0) {
		old->stays = true;
		e->id = old->id;
		return 0;
	}
	flows_conf_items(&e->rule.pattern, items);
	rc = mr_flow_rule_create(f->rules, &e->rule.attr, items, e->rule.actions, &e->id, &wrong);
	if (rc)
		return mr_error_set(error, rc, "rule %s: %.400s", e->rule.name, wrong.error.text);
	e->made = true;
	return 0;
}

static void
place_meter(const struct flows *f, struct flows_rule *r)
{
	for (unsigned i = 0; i < FLOWS_ACTIONS_MAX; i++)
		if (r->actions[i].type == MR_FLOW_ACTION_METER)
			r->actions[i].number = meter_id(&f->next, r->meter);
}

static int
make_rules(struct flows *f, const struct mr_conf *at, struct mr_error *error)
{
	const struct mr_interfaces *interfaces = mr_interfaces_of(f->dp);
	const struct mr_conf *conf;
	int rc = 0;

	f->next.rules = calloc(mr_conf_count(at, "rule") + 1, sizeof(*f->next.rules));
	if (!f->next.rules)
		return mr_error_set(error, -ENOMEM, "flow rules: no memory for rules");
	for (size_t i = 0; i < f->now.rule_count; i++)
		f->now.rules[i].stays = false;
	mr_conf_each(conf, at, "rule") {
		struct entry *e = &f->next.rules[f->next.rule_count++];

		flows_conf_read(&e->rule, conf, interfaces);
		place_meter(f, &e->rule);
	}
	qsort(f->next.rules, f->next.rule_count, sizeof(*f->next.rules), by_name);
	for (size_t i = 0; i < f->next.rule_count && !rc; i++)
		rc = make_rule(f, &f->next.rules[i], error);
	return rc;
}

static void
complain(struct flows *f, const char *text)
{
	mr_log(mr_dataplane_log(f->dp), MR_LOG_ERROR, "flow rules: %s", text);
}

static void
destroy_rule(struct flows *f, uint32_t id)
{
	struct mr_flow_error wrong;

	if (mr_flow_rule_destroy(f->rules, id, &wrong))
		complain(f, wrong.error.text);
}

static void
destroy_meter(struct flows *f, uint32_t id)
{
	struct mr_error error;

	if (mr_flow_meter_destroy(f->rules, id, &error))
		complain(f, error.text);
}

/* -- steps ------------------------------------------------------------------------------------------ */

static void
flows_destroy(void *state)
{
	struct flows *f = state;
	struct mr_error error;

	if (!f)
		return;
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		if (f->nodes[p] == NO_NODE)
			continue;
		mr_interface_stage_in(mr_interfaces_of(f->dp), (uint16_t)p, MR_STAGE_RULES,
		    NO_NODE);
		mr_graph_remove_node(mr_dataplane_graph(f->dp), f->nodes[p]);
	}
	mr_graph_commit(mr_dataplane_graph(f->dp), &error);
	mr_flow_rules_destroy(f->rules);
	list_free(&f->now);
	list_free(&f->next);
	free(f);
}

static int
flows_create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	const struct mr_flow_rules_config config = { .graph = mr_dataplane_graph(dp) };
	struct flows *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return mr_error_set(error, -ENOMEM, "no memory");
	f->dp = dp;
	memset(f->nodes, 0xff, sizeof(f->nodes));
	rc = mr_flow_rules_create(&f->rules, &config, error);
	if (rc) {
		free(f);
		return rc;
	}
	*state = f;
	return 0;
}

static void
flows_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *at = mr_conf_child(mr_conf_root(config), "flow-rules"), *rule;

	if (!at)
		return;
	mr_conf_each(rule, at, "rule")
		flows_conf_check(report, config, rule);
}

static void
flows_abort(void *state)
{
	struct flows *f = state;

	for (size_t i = 0; i < f->next.rule_count; i++)
		if (f->next.rules[i].made)
			destroy_rule(f, f->next.rules[i].id);
	for (size_t i = 0; i < f->next.meter_count; i++)
		if (f->next.meters[i].made)
			destroy_meter(f, f->next.meters[i].id);
	list_free(&f->next);
}

static int
flows_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	const struct mr_conf *at = mr_conf_child(mr_conf_root(config), "flow-rules");
	struct flows *f = state;
	int rc = 0;

	list_free(&f->next);
	if (at)
		rc = make_meters(f, at, error);
	for (size_t i = 0; !at && i < f->now.rule_count; i++)
		f->now.rules[i].stays = false;
	for (size_t i = 0; !at && i < f->now.meter_count; i++)
		f->now.meters[i].stays = false;
	if (at && !rc)
		rc = make_rules(f, at, error);
	/* Who fails is not told to abort. */
	if (rc)
		flows_abort(f);
	return rc;
}

static void
put_in_front(struct flows *f, const struct mr_interface *i)
{
	char name[MR_GRAPH_NAME_MAX];
	struct mr_error error;

	snprintf(name, sizeof(name), "flow-rules@%s", i->name);
	if (mr_flow_rules_node(f->rules, name, &f->nodes[i->index], &error)) {
		f->nodes[i->index] = NO_NODE;
		complain(f, error.text);
		return;
	}
	mr_interface_stage_in(mr_interfaces_of(f->dp), i->index, MR_STAGE_RULES,
	    f->nodes[i->index]);
}

static void
flows_commit(void *state)
{
	struct flows *f = state;
	struct mr_error error;

	for (size_t i = 0; i < f->now.rule_count; i++)
		if (!f->now.rules[i].stays)
			destroy_rule(f, f->now.rules[i].id);
	for (size_t i = 0; i < f->next.meter_count; i++)
		mr_flow_meter_set(f->rules, f->next.meters[i].id, f->next.meters[i].meter.rate,
		    f->next.meters[i].meter.burst);
	if (mr_flow_rules_commit(f->rules, &error))
		complain(f, error.text);
	for (size_t i = 0; i < f->now.meter_count; i++)
		if (!f->now.meters[i].stays)
			destroy_meter(f, f->now.meters[i].id);
	list_free(&f->now);
	f->now = f->next;
	f->next = (struct list){ 0 };
	/* Stages were forgotten when the commit began: the node is a new one, its name too. */
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		if (f->nodes[p] != NO_NODE)
			mr_graph_remove_node(mr_dataplane_graph(f->dp), f->nodes[p]);
		f->nodes[p] = NO_NODE;
	}
	for (unsigned p = 0; p < MR_PORT_MAX && mr_flow_rules_count(f->rules); p++) {
		const struct mr_interface *i =
		    mr_interface_at(mr_interfaces_of(f->dp), (uint16_t)p);

		if (i)
			put_in_front(f, i);
	}
}

static void
flows_finish(void *state)
{
}

/* -- state --------------------------------------------------------------------------------------------- */

static void
flows_show(void *state, struct mr_state *st)
{
	struct flows *f = state;

	mr_state_open(st, "flow-rules");
	for (size_t i = 0; i < f->now.rule_count; i++) {
		const struct entry *e = &f->now.rules[i];
		struct mr_flow_count count = { 0 };

		mr_flow_rule_query(f->rules, e->id, &count);
		mr_state_list(st, "rule", e->rule.name);
		mr_state_uint(st, "packets", count.packets);
		mr_state_uint(st, "bytes", count.bytes);
		mr_state_close(st);
	}
	mr_state_close(st);
}

static bool
flows_describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	struct flows *f = state;

	if (op->kind != MR_OP_NOTE || !op->text || strcmp(op->text, "flow rule") != 0)
		return false;
	for (size_t i = 0; i < f->now.rule_count; i++) {
		if (f->now.rules[i].id != op->a)
			continue;
		snprintf(text, size, "flow rule %s", f->now.rules[i].rule.name);
		return true;
	}
	return false;
}

struct mr_flow_rules *
mr_flows_rules(struct mr_dataplane *dp)
{
	struct flows *f = mr_dataplane_state(dp, &mr_nf_flows);

	return f ? f->rules : NULL;
}

const struct mr_nf mr_nf_flows = {
	.name = "flow-rules",
	.doc = "what is done to packets that match a pattern, before anything else sees them",
	.yang = mr_yang_flow_rules,
	.create = flows_create,
	.destroy = flows_destroy,
	.check = flows_check,
	.prepare = flows_prepare,
	.commit = flows_commit,
	.finish = flows_finish,
	.abort = flows_abort,
	.show = flows_show,
	.describe = flows_describe,
};
