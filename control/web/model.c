/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The model for the page: what can be written into a configuration and what it means, as a tree of
 * {"name", "kind", "doc", "type", "key", "units", "default", "values", "mandatory", "children"}.
 * State is left out.
 */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "control/web/web_int.h"
#include "model/model.h"

#define PATH_MAX_TEXT 512
#define DEPTH_MAX 16

struct walk {
	const struct mr_model *model;
	char path[PATH_MAX_TEXT];
	unsigned depth;
	json_t *into; /* the array of children that is filled */
};

static void
set(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, json_string(text));
}

static void
set_values(json_t *o, const struct mr_model_item *item)
{
	json_t *list;

	if (!item->values)
		return;
	list = json_array();
	for (unsigned i = 0; item->values[i]; i++) {
		json_t *value = json_object();

		set(value, "name", item->values[i]);
		if (item->value_docs)
			set(value, "doc", item->value_docs[i]);
		json_array_append_new(list, value);
	}
	json_object_set_new(o, "values", list);
}

static json_t *children_of(struct walk *, const char *name);

static int
visit(void *arg, const struct mr_model_item *item)
{
	static const char *const kinds[] = {
		[MR_MODEL_CONTAINER] = "container",
		[MR_MODEL_LIST] = "list",
		[MR_MODEL_LEAF] = "leaf",
		[MR_MODEL_LEAF_LIST] = "leaf-list",
	};
	struct walk *w = arg;
	json_t *o;

	if (item->state)
		return 0;
	o = json_object();
	if (!o)
		return -ENOMEM;
	set(o, "name", item->name);
	set(o, "kind", kinds[item->kind]);
	set(o, "doc", item->doc);
	set(o, "type", item->type);
	set(o, "key", item->key);
	set(o, "units", item->units);
	set(o, "default", item->fallback);
	set_values(o, item);
	if (item->mandatory)
		json_object_set_new(o, "mandatory", json_true());
	if (item->kind == MR_MODEL_CONTAINER || item->kind == MR_MODEL_LIST)
		json_object_set_new(o, "children", children_of(w, item->name));
	return json_array_append_new(w->into, o) ? -ENOMEM : 0;
}

/* Of the node of that name where the walk stands; null: of the top. */
static json_t *
children_of(struct walk *w, const char *name)
{
	size_t len = strlen(w->path);
	json_t *outer = w->into, *list = json_array();
	struct mr_error error;

	if (!list || w->depth == DEPTH_MAX)
		return list;
	if (name)
		snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "/" : "", name);
	w->into = list;
	w->depth++;
	/* What is there has children: there is nothing to go wrong but memory, and then some lack. */
	mr_model_walk(w->model, w->path, visit, w, &error);
	w->depth--;
	w->into = outer;
	w->path[len] = '\0';
	return list;
}

char *
web_model_json(const struct mr_model *model)
{
	struct walk w = { .model = model };
	json_t *root = json_object();
	char *text;

	json_object_set_new(root, "children", children_of(&w, NULL));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}
