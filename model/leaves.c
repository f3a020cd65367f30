/* SPDX-License-Identifier: Apache-2.0 */

/* The leaves of a model, one by one, with what readers of samples want to know about each. */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/leaves_int.h"
#include "model/model_int.h"

#define PATH_MAX_TEXT 512

struct slot {
	const struct lysc_node *node;
	const void *item;
};

struct mr_leaves {
	struct mr_leaf **leaves;
	struct mr_leaf_list **lists;
	unsigned count, list_count;
	struct slot *slots; /* a power of two of them, half of them empty at least */
	unsigned mask;
	const struct mr_model *model;
};

static unsigned
slot_of(const struct mr_leaves *l, const struct lysc_node *node)
{
	return (unsigned)(((uintptr_t)node >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 40) & l->mask;
}

static const void *
find(const struct mr_leaves *l, const struct lysc_node *node)
{
	unsigned at = slot_of(l, node);

	while (l->slots[at].node && l->slots[at].node != node)
		at = (at + 1) & l->mask;
	return l->slots[at].item;
}

const struct mr_leaf *
leaves_find(const struct mr_leaves *l, const struct lysc_node *node)
{
	return find(l, node);
}

const struct mr_leaf_list *
leaves_list(const struct mr_leaves *l, const struct lysc_node *node)
{
	return node->nodetype == LYS_LIST ? find(l, node) : NULL;
}

static void
remember(struct mr_leaves *l, const struct lysc_node *node, const void *item)
{
	unsigned at = slot_of(l, node);

	while (l->slots[at].node)
		at = (at + 1) & l->mask;
	l->slots[at] = (struct slot){ node, item };
}

static char *
fold(const char *text)
{
	char *out = strdup(text ? text : ""), *to = out;

	for (const char *from = out; from && *from;) {
		if (!isspace((unsigned char)*from)) {
			*to++ = *from++;
			continue;
		}
		while (isspace((unsigned char)*from))
			from++;
		if (to != out && *from)
			*to++ = ' ';
	}
	if (to)
		*to = '\0';
	return out;
}

/* By the name that the module gives the type: a typedef's is not kept once it is compiled. */
static bool
is_counter(const struct lysc_node *node)
{
	static const char *const names[] = { "counter", "counter32", "counter64",
		"zero-based-counter32", "zero-based-counter64" };
	const char *name = node->nodetype != LYS_LEAF || !node->priv
	    ? ""
	    : ((const struct lysp_node_leaf *)node->priv)->type.name;
	const char *colon = strchr(name, ':');

	name = colon ? colon + 1 : name;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int
set_words(struct mr_leaf *leaf, const struct lysc_type *type)
{
	const struct lysc_type_bitenum_item *enums = ((const struct lysc_type_enum *)type)->enums;
	const char **words = calloc(LY_ARRAY_COUNT(enums) + 1, sizeof(*words));

	if (!words)
		return -ENOMEM;
	leaf->word_count = (unsigned)LY_ARRAY_COUNT(enums);
	for (unsigned i = 0; i < leaf->word_count; i++)
		words[i] = enums[i].name;
	leaf->words = words;
	return 0;
}

static int
set_kind(struct mr_leaf *leaf, const struct lysc_node *node)
{
	const struct lysc_type *type = mr_schema_type(node);

	while (type->basetype == LY_TYPE_LEAFREF)
		type = ((const struct lysc_type_leafref *)type)->realtype;
	leaf->kind = MR_LEAF_TEXT;
	if (mr_type_is_unsigned(type->basetype))
		leaf->kind = MR_LEAF_UINT;
	else if (mr_type_is_signed(type->basetype))
		leaf->kind = MR_LEAF_INT;
	else if (type->basetype == LY_TYPE_BOOL)
		leaf->kind = MR_LEAF_BOOL;
	else if (type->basetype == LY_TYPE_DEC64)
		leaf->kind = MR_LEAF_DECIMAL;
	else if (type->basetype == LY_TYPE_ENUM)
		leaf->kind = MR_LEAF_ENUM;
	if (leaf->kind == MR_LEAF_DECIMAL)
		leaf->digits = ((const struct lysc_type_dec *)type)->fraction_digits;
	return leaf->kind == MR_LEAF_ENUM ? set_words(leaf, type) : 0;
}

static int
add_leaf(struct mr_leaves *l, const struct lysc_node *node, const struct mr_leaf_list *list,
    const char *path)
{
	struct mr_leaf *leaf = calloc(1, sizeof(*leaf));

	if (!leaf)
		return -ENOMEM;
	l->leaves[l->count] = leaf;
	leaf->index = l->count++;
	leaf->name = node->name;
	leaf->tail = strdup(path);
	leaf->doc = fold(node->dsc);
	leaf->list = list;
	leaf->counter = is_counter(node);
	leaf->many = node->nodetype == LYS_LEAFLIST;
	leaf->key = lysc_is_key(node);
	leaf->state = mr_schema_is_state(node);
	leaf->units = mr_schema_units(node);
	if (!leaf->tail || !leaf->doc)
		return -ENOMEM;
	leaf->path = leaf->tail + 1;
	leaf->tail += list ? strlen(list->path) + 1 : 0;
	remember(l, node, leaf);
	return set_kind(leaf, node);
}

static int
add_list(struct mr_leaves *l, const struct lysc_node *node, const struct mr_leaf_list **at,
    const char *path)
{
	struct mr_leaf_list *list = calloc(1, sizeof(*list));
	const struct lysc_node *keys[MR_LIST_KEYS_MAX];

	if (!list)
		return -ENOMEM;
	l->lists[l->list_count] = list;
	list->index = l->list_count++;
	list->name = node->name;
	list->path = strdup(path + 1);
	list->parent = *at;
	list->key_count = mr_schema_keys(node, keys);
	for (unsigned k = 0; k < list->key_count; k++)
		list->keys[k] = keys[k]->name;
	remember(l, node, list);
	*at = list;
	return list->path ? 0 : -ENOMEM;
}

static int
add_below(struct mr_leaves *l, const struct lysc_node *parent, const struct mr_leaf_list *list,
    const char *prefix)
{
	const struct lysc_node *node = NULL;
	char path[PATH_MAX_TEXT];
	int rc = 0;

	while (!rc && (node = mr_schema_next(l->model, parent, node))) {
		const struct mr_leaf_list *below = list;

		if ((size_t)snprintf(path, sizeof(path), "%s/%s", prefix, node->name) >=
		    sizeof(path))
			return -ENAMETOOLONG;
		if (mr_schema_is_leaf(node)) {
			rc = add_leaf(l, node, list, path);
			continue;
		}
		if (node->nodetype == LYS_LIST)
			rc = add_list(l, node, &below, path);
		rc = rc ? rc : add_below(l, node, below, path);
	}
	return rc;
}

static unsigned
count_below(const struct mr_model *model, const struct lysc_node *parent)
{
	const struct lysc_node *node = NULL;
	unsigned n = 0;

	while ((node = mr_schema_next(model, parent, node)))
		n += 1 + (mr_schema_is_leaf(node) ? 0 : count_below(model, node));
	return n;
}

int
mr_leaves_create(struct mr_leaves **out, const struct mr_model *model, struct mr_error *error)
{
	struct mr_leaves *l = calloc(1, sizeof(*l));
	unsigned nodes = count_below(model, NULL);
	int rc = -ENOMEM;

	*out = NULL;
	if (l) {
		l->model = model;
		for (l->mask = 1023; l->mask < nodes * 2; l->mask = l->mask * 2 + 1)
			;
		l->slots = calloc(l->mask + 1, sizeof(*l->slots));
		l->leaves = calloc(nodes + 1, sizeof(*l->leaves));
		l->lists = calloc(nodes + 1, sizeof(*l->lists));
	}
	if (l && l->slots && l->leaves && l->lists)
		rc = add_below(l, NULL, NULL, "");
	if (rc) {
		mr_leaves_destroy(l);
		return mr_error_set(error, rc, "the leaves of the model: %s", strerror(-rc));
	}
	*out = l;
	return 0;
}

void
mr_leaves_destroy(struct mr_leaves *l)
{
	if (!l)
		return;
	for (unsigned i = 0; l->leaves && i < l->count; i++) {
		free((char *)l->leaves[i]->path - !!l->leaves[i]->path);
		free((char *)l->leaves[i]->doc);
		free((void *)l->leaves[i]->words);
		free(l->leaves[i]);
	}
	for (unsigned i = 0; l->lists && i < l->list_count; i++) {
		free((char *)l->lists[i]->path);
		free(l->lists[i]);
	}
	free(l->leaves);
	free(l->lists);
	free(l->slots);
	free(l);
}

unsigned
mr_leaves_count(const struct mr_leaves *l)
{
	return l->count;
}

const struct mr_leaf *
mr_leaves_at(const struct mr_leaves *l, unsigned index)
{
	return l->leaves[index];
}

unsigned
mr_leaves_list_count(const struct mr_leaves *l)
{
	return l->list_count;
}

const struct mr_leaf_list *
mr_leaves_list_at(const struct mr_leaves *l, unsigned index)
{
	return l->lists[index];
}
