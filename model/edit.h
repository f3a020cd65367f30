/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_EDIT_H
#define MR_MODEL_EDIT_H

/*
 * Changes to a configuration: a list of edits makes a new, whole, checked configuration
 * out of another, or says what is wrong.
 *
 *	const struct mr_edit edits[] = {
 *		{ .op = MR_EDIT_MERGE, .path = "interface/lan1/mtu", .value = "1500" },
 *		{ .op = MR_EDIT_DELETE, .path = "bridge/br0" },
 *	};
 *	mr_config_edit(&next, model, now, edits, 2, report);
 *
 * Ownership: the new configuration is the caller's; `from` is never changed. Texts are the
 * caller's and may go after the call.
 * Threads: the thread that owns the model.
 * Errors: 0; -EINVAL: an edit, or what comes out of all of them, is wrong; -EEXIST: CREATE of
 * what is there; -ENOENT: DELETE of what is not there; -ENOMEM. The report has the path of
 * what is wrong, *out is null.
 */

#include "kit/base/def.h"
#include "model/config.h"
#include "model/path.h"

enum mr_edit_op {
	MR_EDIT_MERGE,   /* what is there stays, where the value says nothing else */
	MR_EDIT_REPLACE, /* exactly the value is there afterwards */
	MR_EDIT_CREATE, /* -EEXIST when something is there (that only a default put there is not) */
	MR_EDIT_DELETE, /* -ENOENT when nothing is there */
	MR_EDIT_REMOVE, /* nothing is there afterwards */
};

/* Where a new entry of a list whose order counts goes. One that is there moves. */
enum mr_edit_where {
	MR_EDIT_KEEP, /* where it is; a new one at the end */
	MR_EDIT_FIRST,
	MR_EDIT_LAST,
	MR_EDIT_BEFORE, /* the entry at `point` */
	MR_EDIT_AFTER,
};

struct mr_edit {
	enum mr_edit_op op;
	const char *path; /* model/path.h */
	/* One of the two, for MERGE, REPLACE and CREATE; neither: a bare entry, a container, a leaf
	 * of type empty. `value`: a leaf's as it stands ("32k"), or the one that stands for an
	 * entry (options: {queues: 2}); for others YAML, of what is inside
	 * ("{mtu: 1500}"; of a whole leaf-list "[a, b]"). */
	const char *value;
	/* RFC 7951 and RFC 8040: an object with one member, which is what `path` names
	 * ({"millrace-interface:mtu":1500}); for an empty path any members of the top, or
	 * {"ietf-restconf:data":{...}}. */
	const char *json;
	size_t json_size;
	/* `path` is the parent of what `json` names (RFC 8040's POST); only with `json`. */
	bool child;
	enum mr_edit_where where;
	const char *point; /* the path of an entry of the same list */
};

int mr_config_edit(struct mr_config **out, struct mr_model *, const struct mr_config *from,
    const struct mr_edit *edits, size_t count, struct mr_report *);

/* The path that an edit is about: its own, or that of the child that its json names. For those
 * who answer where something was created. -EINVAL: reported. */
int mr_edit_target(struct mr_model *, const struct mr_edit *, char *path, size_t size,
    struct mr_report *);

/* A whole configuration from RFC 7951 JSON; `name` is what errors call it. A top member
 * "ietf-restconf:data" with everything in it is understood. */
int mr_config_parse_json(struct mr_config **out, struct mr_model *, const char *name,
    const char *text, size_t size, struct mr_report *);

/* A copy. */
int mr_config_copy(struct mr_config **out, const struct mr_config *);
/* Configuration and state (mr_state_read) as one tree, for printing only. */
int mr_config_join(struct mr_config **out, const struct mr_config *, const struct mr_config *state);

#endif
