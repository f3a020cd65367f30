/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_PLAN_H
#define MR_NF_PLAN_H

/*
 * What bringing in another configuration would do to what runs, as far as it is more than new
 * tables: said by the functions (struct mr_nf, plan) and gathered here.
 *
 * Ownership: the plan owns its texts. Threads: the control thread.
 * Errors: remembered; without memory the plan is short.
 */

#include "kit/base/def.h"

struct mr_config;
struct mr_diff;

enum mr_plan_kind {
	MR_PLAN_FUNCTION, /* its part of the configuration is another one; its tables change */
	MR_PLAN_OPENED,   /* a port */
	MR_PLAN_CLOSED,
	MR_PLAN_REOPENED, /* closed and opened again: packets are lost meanwhile */
	MR_PLAN_LOST,     /* state that goes: connections, translations */
	MR_PLAN_FLOWS,    /* flows whose next packet walks the graph and is recorded anew */
	MR_PLAN_WAITS,    /* takes effect at the next start */
};

struct mr_plan_line {
	enum mr_plan_kind kind;
	const char *what; /* "interface/lan1", "nat" */
	const char *text;
	uint64_t count; /* of flows, connections; UINT64_MAX: not counted */
};

struct mr_nf_plan {
	const struct mr_config *now, *next;
	const struct mr_diff *changes;
	struct mr_plan_line *lines;
	unsigned count;
	int error; /* -ENOMEM */
};

const char *mr_nf_plan_word(enum mr_plan_kind);
void mr_nf_plan_add(struct mr_nf_plan *, enum mr_plan_kind, const char *what, uint64_t count,
    const char *fmt, ...) mr_printf(5, 6);
void mr_nf_plan_free(struct mr_nf_plan *);

#endif
