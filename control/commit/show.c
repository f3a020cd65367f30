/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "control/commit/commit_int.h"

#define CHANGES_SHOWN_MAX 100

/* A path may be there twice, created and moved; once with each word. */
static void
show_changes(const struct mr_diff *changes, struct mr_state *st)
{
	const struct mr_change *c;

	for (size_t i = 0; i < CHANGES_SHOWN_MAX && (c = mr_diff_at(changes, i)); i++) {
		mr_state_list(st, "changes", c->path);
		mr_state_text(st, "op", mr_diff_word(c->op));
		if (c->old)
			mr_state_text(st, "old", c->old);
		if (c->value)
			mr_state_text(st, "new", c->value);
		mr_state_close(st);
	}
}

void
commit_show(void *state, struct mr_state *st)
{
	const struct mr_commits *c = state;
	const struct mr_commit *m;

	for (size_t i = 0; (m = mr_commits_at(c, i)); i++) {
		bool now = m == mr_commits_current(c);

		mr_state_list_uint(st, "commits", m->id);
		mr_state_uint(st, "when", (uint64_t)m->when);
		mr_state_text(st, "who", m->who);
		mr_state_text(st, "comment", m->comment);
		mr_state_text(st, "origin", mr_commit_origin_name(m->origin));
		if (m->of)
			mr_state_uint(st, "of", m->of);
		mr_state_text(st, "state", mr_commit_state_name(m->state));
		mr_state_bool(st, "in-force", now);
		if (now && mr_commits_time_left(c) >= 0)
			mr_state_uint(st, "time-left", (uint64_t)mr_commits_time_left(c));
		mr_state_bool(st, "kept", m->kept);
		mr_state_uint(st, "change-count", mr_diff_count(m->changes));
		show_changes(m->changes, st);
		mr_state_close(st);
	}
}
