/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_COMMIT_PLAN_H
#define MR_CONTROL_COMMIT_PLAN_H

/*
 * What a change would do: the differences, and what they touch of what runs (nf/plan.h).
 * Ownership: the plan owns everything in it. Threads, errors: as in commit.h.
 */

#include "model/diff.h"
#include "nf/plan.h"

struct mr_control;

struct mr_commit_plan {
	struct mr_diff *changes;
	struct mr_nf_plan touches;
};

int mr_commit_plan_create(struct mr_commit_plan **out, struct mr_control *,
    const struct mr_config *now, const struct mr_config *next);
void mr_commit_plan_destroy(struct mr_commit_plan *);

#endif
