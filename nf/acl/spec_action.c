/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule does: its action, marks, limit and log. */
#include <stdio.h>
#include <string.h>

#include "nf/acl/spec_int.h"
#include "nf/acl/text.h"

void
acl_read_limit(struct acl_reader *w)
{
	static const struct {
		const char *name;
		unsigned seconds;
	} units[] = { { "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 } };
	const struct mr_conf *limit;
	const char *per;

	if (!acl_reader_may_have(w, "limit"))
		return;
	limit = mr_conf_child(w->rule, "limit");
	if (!mr_conf_present(w->rule, "limit") || !mr_conf_present(limit, "rate"))
		return;
	per = mr_conf_text(limit, "per", "second");
	w->out->flags |= ACL_SPEC_LIMIT;
	if (mr_conf_bool(limit, "over", false))
		w->out->flags |= ACL_SPEC_OVER;
	w->out->rate = (uint32_t)mr_conf_uint(limit, "rate", 1);
	w->out->burst = (uint32_t)mr_conf_uint(limit, "burst", 5);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(units); i++)
		if (!strcmp(per, units[i].name))
			w->out->per = units[i].seconds;
}

void
acl_read_log(struct acl_reader *w)
{
	const struct mr_conf *log;

	if (!acl_reader_may_have(w, "log") || !mr_conf_present(w->rule, "log"))
		return;
	log = mr_conf_child(w->rule, "log");
	w->out->flags |= ACL_SPEC_LOG;
	w->out->sample = (uint32_t)mr_conf_uint(log, "sample", 1);
	w->out->log_rate = (uint32_t)mr_conf_uint(log, "rate", 10);
	snprintf(w->out->prefix, sizeof(w->out->prefix), "%s", mr_conf_text(log, "prefix", ""));
}

void
acl_read_action(struct acl_reader *w)
{
	static const char *const rejects[ACL_REJECTS] = { "port-unreachable", "host-unreachable",
		"net-unreachable", "admin-prohibited", "tcp-reset" };
	const char *action = mr_conf_text(w->rule, "action", "accept");
	const char *to = acl_reader_may_have(w, "to") ? mr_conf_text(w->rule, "to", NULL) : NULL;
	const char *with;
	bool jumps;

	while (w->out->action < ACL_ACTIONS - 1 && strcmp(action, acl_action_names[w->out->action]))
		w->out->action++;
	jumps = w->out->action == ACL_JUMP || w->out->action == ACL_GOTO;
	if (jumps && !to)
		acl_reader_wrong(w, w->rule, "it jumps, but `to` does not say where");
	else if (!jumps && to)
		acl_reader_wrong(w, mr_conf_child(w->rule, "to"),
		    "`to` is for the actions jump and goto");
	snprintf(w->out->to, sizeof(w->out->to), "%s", to ? to : "");
	if (w->out->action != ACL_REJECT)
		return;
	with = mr_conf_text(w->rule, "reject-with", rejects[0]);
	for (uint8_t i = 0; i < ACL_REJECTS; i++)
		if (!strcmp(with, rejects[i]))
			w->out->reject = i;
}

void
acl_read_marks(struct acl_reader *w)
{
	const char *mark =
	    acl_reader_may_have(w, "mark") ? mr_conf_text(w->rule, "mark", NULL) : NULL;
	const char *set =
	    acl_reader_may_have(w, "set-mark") ? mr_conf_text(w->rule, "set-mark", NULL) : NULL;
	char why[ACL_WHY];

	if (mark && !acl_text_mark(mark, &w->out->mark_value, &w->out->mark_mask, why))
		acl_reader_wrong(w, mr_conf_child(w->rule, "mark"), why);
	if (!set)
		return;
	w->out->flags |= ACL_SPEC_MARK;
	if (!acl_text_mark(set, &w->out->set_value, &w->out->set_mask, why))
		acl_reader_wrong(w, mr_conf_child(w->rule, "set-mark"), why);
}
