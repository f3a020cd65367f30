/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/edit.h"
#include "model/model_int.h"

/* Copies of configurations. */

int
mr_tree_copy(struct lyd_node **out, const struct lyd_node *from)
{
	*out = NULL;
	return from && lyd_dup_siblings(from, NULL, LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS, out)
	    ? -ENOMEM
	    : 0;
}

static void
copy_places(struct lyd_node *to, const struct lyd_node *from)
{
	for (; to && from; to = to->next, from = from->next) {
		to->priv = from->priv;
		copy_places(lyd_child(to), lyd_child(from));
	}
}

int
mr_config_copy(struct mr_config **out, const struct mr_config *from)
{
	struct mr_config *config = calloc(1, sizeof(*config));

	*out = NULL;
	if (!config || !(config->name = strdup(from->name)) ||
	    mr_tree_copy(&config->tree, from->tree)) {
		mr_config_destroy(config);
		return -ENOMEM;
	}
	config->model = from->model;
	copy_places(config->tree, from->tree);
	mr_config_seal(config);
	*out = config;
	return 0;
}

int
mr_config_join(struct mr_config **out, const struct mr_config *config,
    const struct mr_config *state)
{
	int rc = mr_config_copy(out, config);

	if (rc)
		return rc;
	if (state->tree && lyd_merge_siblings(&(*out)->tree, state->tree, LYD_MERGE_WITH_FLAGS)) {
		mr_config_destroy(*out);
		*out = NULL;
		return -ENOMEM;
	}
	mr_config_seal(*out);
	return 0;
}
