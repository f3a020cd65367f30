/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
mr_nf_plan_word(enum mr_plan_kind kind)
{
	static const char *const words[] = {
		[MR_PLAN_FUNCTION] = "function",
		[MR_PLAN_OPENED] = "opened",
		[MR_PLAN_CLOSED] = "closed",
		[MR_PLAN_REOPENED] = "reopened",
		[MR_PLAN_LOST] = "lost",
		[MR_PLAN_FLOWS] = "flows",
		[MR_PLAN_WAITS] = "waits",
	};

	return words[kind];
}

void
mr_nf_plan_add(struct mr_nf_plan *plan, enum mr_plan_kind kind, const char *what, uint64_t count,
    const char *fmt, ...)
{
	struct mr_plan_line *grown = realloc(plan->lines, (plan->count + 1) * sizeof(*grown)),
			    line = { .kind = kind };
	char *text = NULL;
	va_list args;
	int n;

	if (!grown) {
		plan->error = -ENOMEM;
		return;
	}
	plan->lines = grown;
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	line.what = strdup(what);
	line.text = n < 0 ? NULL : text;
	line.count = count;
	if (!line.what || !line.text) {
		free((char *)line.what);
		free((char *)line.text);
		plan->error = -ENOMEM;
		return;
	}
	plan->lines[plan->count++] = line;
}

void
mr_nf_plan_free(struct mr_nf_plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++) {
		free((char *)plan->lines[i].what);
		free((char *)plan->lines[i].text);
	}
	free(plan->lines);
	plan->lines = NULL;
	plan->count = 0;
}
