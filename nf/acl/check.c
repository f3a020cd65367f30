/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with lists beyond what YANG can say: rules that cannot be read, jumps that go round
 * in circles or too deep, conditions that cannot hold where the list stands. */
#include <stdlib.h>
#include <string.h>

#include "nf/acl/acl_int.h"

struct node {
	const struct mr_conf *conf;
	uint8_t state;                /* 1: on the way, 2: done */
	uint8_t depth;                /* jumps below it */
	const struct mr_conf *output; /* a rule, here or below, that asks for the way out */
};

struct checking {
	const struct mr_config *config;
	struct mr_report *report;
	const struct mr_conf *acl;
	struct node *nodes; /* in order of their names */
	size_t count;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(mr_conf_key(((const struct node *)a)->conf),
	    mr_conf_key(((const struct node *)b)->conf));
}

static struct node *
find(const struct checking *c, const char *name)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, mr_conf_key(c->nodes[middle].conf));

		if (!order)
			return &c->nodes[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void
visit(struct checking *c, struct node *n)
{
	const struct mr_conf *rule;

	n->state = 1;
	mr_conf_each(rule, n->conf, "rule") {
		const char *name = mr_conf_text(rule, "to", NULL);
		struct node *to = name ? find(c, name) : NULL;

		if (mr_conf_present(rule, "output"))
			n->output = rule;
		if (!to || !mr_conf_bool(rule, "enabled", true))
			continue;
		if (to->state == 1) {
			mr_report_at(c->report, c->config, mr_conf_child(rule, "to"),
			    "rule %s of list %s: list %s comes back to list %s: jumps may not go "
			    "in "
			    "circles",
			    mr_conf_key(rule), mr_conf_key(n->conf), name, mr_conf_key(n->conf));
			continue;
		}
		if (!to->state)
			visit(c, to);
		if (to->output)
			n->output = to->output;
		n->depth = (uint8_t)MR_MAX(n->depth, MR_MIN(to->depth + 1u, 255u));
		if (to->depth == ACL_DEPTH_MAX)
			mr_report_at(c->report, c->config, mr_conf_child(rule, "to"),
			    "rule %s of list %s: more than %u jumps one within the other",
			    mr_conf_key(rule), mr_conf_key(n->conf), ACL_DEPTH_MAX);
	}
	n->state = 2;
}

static void
check_way_in(struct checking *c, const struct mr_conf *at)
{
	struct node *n = at ? find(c, mr_conf_value(at)) : NULL;

	if (n && n->output)
		mr_report_at(c->report, c->config, at,
		    "list %s is for what arrives here, of which nobody knows yet where it will "
		    "leave: "
		    "its rule %s asks for that",
		    mr_conf_value(at), mr_conf_key(n->output));
}

static void
check_jumps(struct checking *c)
{
	const struct mr_conf *at;

	c->nodes = calloc(mr_conf_count(c->acl, "list") + 1, sizeof(*c->nodes));
	if (!c->nodes) {
		mr_report_at(c->report, c->config, c->acl, "no memory");
		return;
	}
	mr_conf_each(at, c->acl, "list")
		c->nodes[c->count++].conf = at;
	qsort(c->nodes, c->count, sizeof(*c->nodes), compare);
	for (size_t i = 0; i < c->count; i++)
		if (!c->nodes[i].state)
			visit(c, &c->nodes[i]);
	mr_conf_each(at, c->acl, "interface")
		check_way_in(c, mr_conf_child(at, "in"));
	check_way_in(c, mr_conf_child(c->acl, "default-in"));
	free(c->nodes);
}

void
acl_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *acl = mr_conf_child(mr_conf_root(config), "acl"), *list, *rule;
	struct checking c = { .config = config, .report = report, .acl = acl };
	struct acl_sets sets;
	struct acl_reading reading = { .config = config, .report = report, .sets = &sets };

	(void)state;
	(void)acl_sets_read(&sets, &reading, acl);
	mr_conf_each(list, acl, "list") {
		mr_conf_each(rule, list, "rule") {
			struct acl_spec spec;

			if (acl_spec_read(&spec, &reading, rule, mr_conf_key(list)) == 0)
				acl_spec_free(&spec);
		}
	}
	acl_sets_free(&sets);
	check_jumps(&c);
}
