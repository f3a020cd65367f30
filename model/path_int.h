/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_PATH_INT_H
#define MR_MODEL_PATH_INT_H

/* A path taken apart (model/path.h). */

#include "model/model_int.h"
#include "model/path.h"

#define MR_PATH_STEPS_MAX 32
#define MR_PATH_TEXT_MAX 4096

struct mr_path_step {
	const struct lysc_node *schema;
	unsigned key_count; /* 0: a list or leaf-list as a whole; a leaf-list's one is its value */
	const char *keys[MR_LIST_KEYS_MAX]; /* as YANG writes them */
};

struct mr_path {
	unsigned count;
	struct mr_path_step step[MR_PATH_STEPS_MAX];
	size_t used;
	char text[MR_PATH_TEXT_MAX]; /* of the keys */
};

int mr_path_parse(struct mr_path *, const struct mr_model *, const char *text, struct mr_error *);
/* The node at the first `steps` steps; null: there is none. */
struct lyd_node *mr_path_find(const struct mr_path *, unsigned steps, struct lyd_node *tree);
/* The schema of the last step; null: the whole. */
const struct lysc_node *mr_path_schema(const struct mr_path *);
/* The child of that name, which may have its module's in front. */
const struct lysc_node *mr_schema_named(const struct mr_model *, const struct lysc_node *parent,
    const char *name);

#endif
