/* SPDX-License-Identifier: Apache-2.0 */

/* Which ports another configuration would open, close, or close and open again. */

#include <string.h>

#include "nf/interface/interface_int.h"

static const struct record *
running(const struct mr_interfaces *all, const char *name)
{
	for (const struct record *r = all->now; r; r = r->next)
		if (strcmp(r->pub.name, name) == 0)
			return r;
	return NULL;
}

static void
plan_one(const struct mr_interfaces *all, const struct mr_conf *conf, struct mr_nf_plan *plan)
{
	const struct record *r = running(all, mr_conf_key(conf));
	char what[64];
	struct settings s;
	struct mr_error error;

	if (interface_settings_read(&s, conf, &error)) {
		plan->error = error.code;
		return;
	}
	snprintf(what, sizeof(what), "interface/%s", mr_conf_key(conf));
	if (r && interface_settings_equal(&r->want, &s)) {
		interface_settings_free(&s);
		return;
	}
	if (s.enabled && (!r || !r->want.enabled))
		mr_nf_plan_add(plan, MR_PLAN_OPENED, what, UINT64_MAX, "its port is opened");
	else if (r && r->want.enabled && !s.enabled)
		mr_nf_plan_add(plan, MR_PLAN_CLOSED, what, UINT64_MAX, "its port is closed");
	else if (r && s.enabled)
		mr_nf_plan_add(plan, MR_PLAN_REOPENED, what, UINT64_MAX,
		    "its port is closed and opened again: packets are lost meanwhile");
	interface_settings_free(&s);
}

void
interface_plan(void *state, struct mr_nf_plan *plan)
{
	const struct mr_interfaces *all = state;
	const struct mr_conf *root = mr_conf_root(plan->next), *conf;
	char what[64];

	for (const struct record *r = all->now; r; r = r->next) {
		if (!r->want.enabled || mr_conf_find(root, "interface", r->pub.name))
			continue;
		snprintf(what, sizeof(what), "interface/%s", r->pub.name);
		mr_nf_plan_add(plan, MR_PLAN_CLOSED, what, UINT64_MAX, "its port is closed");
	}
	mr_conf_each(conf, root, "interface")
		plan_one(all, conf, plan);
}
