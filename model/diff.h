/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_DIFF_H
#define MR_MODEL_DIFF_H

/*
 * What differs between two configurations: a list of changes, in the new one's order, those
 * that go first. A default counts as if it had been written, so a value that is written and
 * was the default before is no change. An entry or a container that comes or goes is one
 * change, with all that is in it.
 *
 *	change interface/lan1/mtu	1500	9000
 *	create interface/lan2		-	{driver: null}
 *	move   acl/list/a/rule/web	after ssh -> first
 *
 * Ownership: the list owns its texts, and does not need the configurations any more.
 * Threads: the thread that owns the model. Errors: 0 or -ENOMEM.
 */

#include <stdio.h>

#include "model/config.h"

enum mr_diff_op {
	MR_DIFF_CREATE,
	MR_DIFF_DELETE,
	MR_DIFF_CHANGE,
	MR_DIFF_MOVE, /* in a list whose order counts: old and new say where */
};

struct mr_change {
	enum mr_diff_op op;
	const char *path;  /* model/path.h */
	const char *old;   /* a leaf's value, or YAML in one line; null for what comes */
	const char *value; /* likewise the new one; null for what goes */
};

struct mr_diff;

int mr_diff_create(struct mr_diff **out, const struct mr_config *from, const struct mr_config *to);
/* A list that can be filled from elsewhere. */
int mr_diff_create_empty(struct mr_diff **out);
int mr_diff_add(struct mr_diff *, enum mr_diff_op, const char *path, const char *old,
    const char *value);
void mr_diff_destroy(struct mr_diff *);

size_t mr_diff_count(const struct mr_diff *);
/* The i-th; null past the last. */
const struct mr_change *mr_diff_at(const struct mr_diff *, size_t i);
/* Whether something at or under this path (plain names, "interface/lan1") is different. */
bool mr_diff_touches(const struct mr_diff *, const char *path);

/* "create", "delete", "change", "move"; and back, -1 for other words. */
const char *mr_diff_word(enum mr_diff_op);
int mr_diff_op_of(const char *word);

#endif
