/* SPDX-License-Identifier: Apache-2.0 */
#include "model/complete.h"

#include <stdlib.h>
#include <string.h>

#include "model/path_int.h"

struct complete {
	const struct mr_model *model;
	const struct mr_config *config;
	const char *typed;
	bool there;
	mr_complete_offer offer;
	void *arg;
	struct mr_path path; /* of what stands before the last word */
	char text[MR_CONF_PATH_MAX * 3];
};

static void
offer(struct complete *c)
{
	if (strncmp(c->text, c->typed, strlen(c->typed)) == 0)
		c->offer(c->arg, c->text);
}

static bool
goes_on(const struct lysc_node *schema)
{
	return schema->nodetype != LYS_LEAF;
}

/* Names that a reference by an absolute path may have, behind `before`. */
static void
offer_references(struct complete *c, const struct lysc_node *leaf, const char *before, bool slash)
{
	const struct lysc_type_leafref *type =
	    (const struct lysc_type_leafref *)mr_schema_type(leaf);
	struct ly_set *set = NULL;
	char path[512];

	if (mr_schema_type(leaf)->basetype != LY_TYPE_LEAFREF || !c->config || !c->config->tree)
		return;
	mr_reference_path(type, path, sizeof(path));
	if (*path != '/' || lyd_find_xpath(c->config->tree, path, &set))
		return;
	for (uint32_t i = 0; i < set->count; i++) {
		const struct mr_conf *entry;

		snprintf(c->text, sizeof(c->text), "%s%s", before, lyd_get_value(set->dnodes[i]));
		if (slash && !mr_config_at(c->config, c->text, &entry, NULL))
			continue; /* it was offered */
		if (slash)
			strncat(c->text, "/", sizeof(c->text) - strlen(c->text) - 1);
		offer(c);
	}
	ly_set_free(set, NULL);
}

/* Entries that are there, and those that a key that is a reference could make. */
static void
offer_entries(struct complete *c, const char *before)
{
	const struct lysc_node *list = mr_path_schema(&c->path), *keys[MR_LIST_KEYS_MAX];
	struct lyd_node *entry =
	    c->config ? mr_path_find(&c->path, c->path.count, c->config->tree) : NULL;
	bool slash = list->nodetype == LYS_LIST;
	size_t used;

	for (; entry; entry = entry->next) {
		if (entry->schema != list)
			continue;
		used = mr_path_print((const struct mr_conf *)entry, c->text, sizeof(c->text));
		if (used + 2 > sizeof(c->text))
			continue;
		if (slash)
			memcpy(c->text + used, "/", 2);
		offer(c);
	}
	if (!c->there && slash && mr_schema_keys(list, keys) == 1)
		offer_references(c, keys[0], before, true);
	if (!c->there && !slash)
		offer_references(c, list, before, false);
}

static void
offer_children(struct complete *c, const char *before)
{
	const struct lysc_node *parent = mr_path_schema(&c->path), *schema = NULL;
	struct lyd_node *node = NULL, *found;

	if (parent && mr_schema_is_leaf(parent))
		return;
	if (c->config && c->path.count)
		node = lyd_child(mr_path_find(&c->path, c->path.count, c->config->tree));
	else if (c->config)
		node = c->config->tree;
	while ((schema = mr_schema_next(c->model, parent, schema))) {
		if (mr_schema_is_state(schema) || lysc_is_key(schema))
			continue;
		if (c->there &&
		    (!node || lyd_find_sibling_val(node, schema, NULL, 0, &found) ||
			mr_conf_is_default((const struct mr_conf *)found)))
			continue;
		snprintf(c->text, sizeof(c->text), "%s%s%s", before, schema->name,
		    goes_on(schema) ? "/" : "");
		offer(c);
	}
}

void
mr_complete_path(const struct mr_model *model, const struct mr_config *config, const char *typed,
    bool there, mr_complete_offer offered, void *arg)
{
	struct complete *c = calloc(1, sizeof(*c));
	size_t length = strlen(typed);
	char *before = strdup(typed);

	if (!c || !before) {
		free(c);
		free(before);
		return;
	}
	*c = (struct complete){ .model = model,
		.config = config,
		.typed = typed,
		.there = there,
		.offer = offered,
		.arg = arg };
	/* The longest beginning that is a path; a key may have slashes in it. */
	for (;;) {
		while (length && before[length - 1] != '/')
			length--;
		before[length] = '\0';
		if (!mr_path_parse(&c->path, model, before, NULL))
			break;
		length--;
	}
	if (c->path.count && !c->path.step[c->path.count - 1].key_count &&
	    (mr_path_schema(&c->path)->nodetype & (LYS_LIST | LYS_LEAFLIST)))
		offer_entries(c, before);
	else if (!strchr(typed + length, '/'))
		offer_children(c, before);
	free(before);
	free(c);
}

void
mr_complete_value(const struct mr_model *model, const struct mr_config *config, const char *path,
    mr_complete_offer offered, void *arg)
{
	struct complete *c = calloc(1, sizeof(*c));
	const struct lysc_type_bitenum_item *items;
	const struct lysc_node *leaf;
	LY_ARRAY_COUNT_TYPE i;

	if (!c)
		return;
	*c = (struct complete){ .model = model,
		.config = config,
		.typed = "",
		.offer = offered,
		.arg = arg };
	leaf = mr_path_parse(&c->path, model, path, NULL) ? NULL : mr_path_schema(&c->path);
	if (leaf && mr_schema_is_leaf(leaf)) {
		if (mr_schema_type(leaf)->basetype == LY_TYPE_ENUM) {
			items = ((const struct lysc_type_enum *)mr_schema_type(leaf))->enums;
			LY_ARRAY_FOR(items, i)
				offered(arg, items[i].name);
		} else if (mr_schema_type(leaf)->basetype == LY_TYPE_BOOL) {
			offered(arg, "true");
			offered(arg, "false");
		} else {
			offer_references(c, leaf, "", false);
		}
	}
	free(c);
}
