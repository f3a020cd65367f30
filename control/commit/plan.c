/* SPDX-License-Identifier: Apache-2.0 */
#include "control/commit/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/commit/commit_int.h"
#include "nf/dataplane.h"

/* The parts of the configuration, by their names at the top, that are different. */
static void
say_functions(struct mr_nf_plan *plan)
{
	const char *last = NULL;
	const struct mr_change *c;
	char name[64];
	size_t count = 0, length = 0;

	/* Changes of one part stand together: both trees keep parts together. */
	for (size_t i = 0; (c = mr_diff_at(plan->changes, i)) || last; i++) {
		if (last && c && !strncmp(c->path, last, length) &&
		    (c->path[length] == '/' || !c->path[length])) {
			count++;
			continue;
		}
		if (last) {
			snprintf(name, sizeof(name), "%.*s", (int)length, last);
			mr_nf_plan_add(plan, MR_PLAN_FUNCTION, name, count, "%zu change%s", count,
			    count == 1 ? "" : "s");
		}
		if (!c)
			return;
		last = c->path;
		length = strcspn(last, "/");
		count = 1;
	}
}

static void
say_what_waits(struct mr_nf_plan *plan)
{
	const char *leaf;
	char path[64];

	for (unsigned n = 0; commit_waits(plan->now, plan->next, n, &leaf); n++) {
		snprintf(path, sizeof(path), "system/%s", leaf);
		mr_nf_plan_add(plan, MR_PLAN_WAITS, path, UINT64_MAX,
		    "takes effect at the next start of the process");
	}
}

int
mr_commit_plan_create(struct mr_commit_plan **out, struct mr_control *control,
    const struct mr_config *now, const struct mr_config *next)
{
	struct mr_commit_plan *plan = calloc(1, sizeof(*plan));
	int rc = plan ? mr_diff_create(&plan->changes, now, next) : -ENOMEM;

	*out = NULL;
	if (!rc && mr_diff_count(plan->changes)) {
		plan->touches.now = now;
		plan->touches.next = next;
		plan->touches.changes = plan->changes;
		say_functions(&plan->touches);
		mr_dataplane_plan(mr_control_dataplane(control), &plan->touches);
		say_what_waits(&plan->touches);
		rc = plan->touches.error;
	}
	if (rc)
		mr_commit_plan_destroy(plan);
	else
		*out = plan;
	return rc;
}

void
mr_commit_plan_destroy(struct mr_commit_plan *plan)
{
	if (!plan)
		return;
	mr_nf_plan_free(&plan->touches);
	mr_diff_destroy(plan->changes);
	free(plan);
}

int
mr_commits_plan(struct mr_commits *c, const struct mr_config *next, struct mr_commit_plan **out,
    struct mr_report *report)
{
	int rc;

	*out = NULL;
	rc = mr_control_try(c->control, next, report);
	if (!rc)
		rc = mr_commit_plan_create(out, c->control, c->running, next);
	if (rc == -ENOMEM)
		mr_report_add(report, "commits", 0, 0, "", "no memory for a plan");
	return rc;
}
