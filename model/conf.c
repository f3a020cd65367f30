/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "model/json_int.h"
#include "model/model_int.h"

/*
 * Reading a configuration. A struct mr_conf is libyang's node by another name; the
 * root is a node of our own that stands above libyang's list of trees and is the
 * only one without a schema.
 */

static const struct lyd_node *
lyd(const struct mr_conf *node)
{
	return (const struct lyd_node *)node;
}

static const struct mr_conf *
conf(const struct lyd_node *node)
{
	return (const struct mr_conf *)node;
}

static const struct lyd_node *
children(const struct lyd_node *node)
{
	if (!node)
		return NULL;
	return node->schema ? lyd_child(node) : ((const struct lyd_node_inner *)node)->child;
}

void
mr_config_seal(struct mr_config *config)
{
	struct lyd_node *top, *node;

	config->root.child = config->tree;
	/* Some types make their text when it is first asked for; ask now, so that
	 * reading never writes. */
	LY_LIST_FOR(config->tree, top) {
		LYD_TREE_DFS_BEGIN(top, node)
		{
			if (mr_schema_is_leaf(node->schema))
				lyd_get_value(node);
			LYD_TREE_DFS_END(top, node);
		}
	}
}

const struct mr_conf *
mr_conf_root(const struct mr_config *config)
{
	return config ? conf(&config->root.node) : NULL;
}

const struct mr_conf *
mr_conf_first(const struct mr_conf *node)
{
	return conf(children(lyd(node)));
}

const struct mr_conf *
mr_conf_sibling(const struct mr_conf *node)
{
	return node ? conf(lyd(node)->next) : NULL;
}

const struct mr_conf *
mr_conf_child(const struct mr_conf *node, const char *name)
{
	const struct lyd_node *child = children(lyd(node)), *found;
	struct lyd_node *match = NULL;
	const struct lysc_node *schema = NULL;

	if (!child)
		return NULL;
	if (lyd(node)->schema) {
		/* A node with many entries has a hash table: ask it. */
		while ((schema = lys_getnext(schema, lyd(node)->schema, NULL, 0)))
			if (!strcmp(schema->name, name))
				break;
		if (!schema || lyd_find_sibling_val(child, schema, NULL, 0, &match))
			return NULL;
		return conf(match);
	}
	for (found = child; found; found = found->next)
		if (found->schema && !strcmp(found->schema->name, name))
			return conf(found);
	return NULL;
}

const struct mr_conf *
mr_conf_next(const struct mr_conf *node)
{
	const struct lyd_node *next = node ? lyd(node)->next : NULL;

	while (next && next->schema != lyd(node)->schema)
		next = next->next;
	return conf(next);
}

const struct mr_conf *
mr_conf_find(const struct mr_conf *node, const char *list, const char *key)
{
	const struct mr_conf *entry;

	mr_conf_each(entry, node, list)
		if (!strcmp(mr_conf_key(entry), key))
			return entry;
	return NULL;
}

const struct mr_conf *
mr_conf_parent(const struct mr_conf *node)
{
	return node && lyd(node)->parent ? conf(&lyd(node)->parent->node) : NULL;
}

size_t
mr_conf_count(const struct mr_conf *node, const char *name)
{
	const struct mr_conf *entry;
	size_t count = 0;

	mr_conf_each(entry, node, name)
		count++;
	return count;
}

const char *
mr_conf_name(const struct mr_conf *node)
{
	return node && lyd(node)->schema ? lyd(node)->schema->name : "";
}

static bool
is_value(const struct mr_conf *node)
{
	return node && lyd(node)->schema && mr_schema_is_leaf(lyd(node)->schema);
}

const char *
mr_conf_value(const struct mr_conf *node)
{
	return is_value(node) ? lyd_get_value(lyd(node)) : NULL;
}

uint64_t
mr_conf_value_uint(const struct mr_conf *node)
{
	const char *text = mr_conf_value(node);

	return text ? strtoull(text, NULL, 10) : 0;
}

const char *
mr_conf_key_at(const struct mr_conf *node, unsigned i)
{
	const struct lyd_node *child = children(lyd(node));

	for (; child && child->schema && lysc_is_key(child->schema); child = child->next)
		if (!i--)
			return lyd_get_value(child);
	return NULL;
}

const char *
mr_conf_key(const struct mr_conf *node)
{
	const char *key = mr_conf_key_at(node, 0);

	return key ? key : "";
}

const char *
mr_conf_text(const struct mr_conf *node, const char *leaf, const char *fallback)
{
	const char *text = mr_conf_value(mr_conf_child(node, leaf));

	return text ? text : fallback;
}

uint64_t
mr_conf_uint(const struct mr_conf *node, const char *leaf, uint64_t fallback)
{
	const char *text = mr_conf_text(node, leaf, NULL);

	return text ? strtoull(text, NULL, 10) : fallback;
}

int64_t
mr_conf_int(const struct mr_conf *node, const char *leaf, int64_t fallback)
{
	const char *text = mr_conf_text(node, leaf, NULL);

	return text ? strtoll(text, NULL, 10) : fallback;
}

bool
mr_conf_bool(const struct mr_conf *node, const char *leaf, bool fallback)
{
	const char *text = mr_conf_text(node, leaf, NULL);

	return text ? !strcmp(text, "true") : fallback;
}

bool
mr_conf_present(const struct mr_conf *node, const char *name)
{
	return mr_conf_child(node, name);
}

bool
mr_conf_mac(const struct mr_conf *node, const char *leaf, uint8_t mac[6])
{
	const char *text = mr_conf_text(node, leaf, NULL);
	char *end;
	unsigned i;

	for (i = 0; text && i < 6; i++) {
		mac[i] = (uint8_t)strtoul(text, &end, 16);
		if (end != text + 2 || *end != (i == 5 ? '\0' : ':'))
			return false;
		text = end + 1;
	}
	return text;
}

bool
mr_conf_is_default(const struct mr_conf *node)
{
	if (!node || !lyd(node)->schema)
		return false;
	if (lyd(node)->schema->nodetype & LYD_NODE_TERM)
		return lyd_is_default(lyd(node));
	/* The library keeps the mark as children come and go. */
	return lyd(node)->flags & LYD_DEFAULT;
}

/* Appends what a node adds to a path: its name, and its keys or its value. */
static void
path_add(struct mr_text *t, const struct lyd_node *node)
{
	const struct lyd_node *child;

	if (node->parent)
		path_add(t, &node->parent->node);
	/* An entry is named by its keys: a key's own path is the entry's. */
	if (lysc_is_key(node->schema))
		return;
	mr_text_add(t, "%s%s", t->used ? "/" : "", node->schema->name);
	if (node->schema->nodetype == LYS_LEAFLIST)
		mr_text_add(t, "/%s", lyd_get_value(node));
	if (node->schema->nodetype != LYS_LIST)
		return;
	for (child = lyd_child(node); child && lysc_is_key(child->schema); child = child->next)
		mr_text_add(t, "/%s", lyd_get_value(child));
}

void
mr_conf_path(const struct mr_conf *node, char *path, size_t size)
{
	struct mr_text t = { .text = path, .size = size };

	if (size)
		*path = '\0';
	if (node && lyd(node)->schema)
		path_add(&t, lyd(node));
}

void *
mr_place_make(unsigned line, unsigned column)
{
	return (void *)((uintptr_t)line << 20 | MR_MIN(column, (1u << 20) - 1));
}

void
mr_conf_where(const struct mr_conf *node, unsigned *line, unsigned *column)
{
	const struct lyd_node *at = lyd(node);

	while (at && !at->priv)
		at = at->parent ? &at->parent->node : NULL;
	*line = at ? (unsigned)((uintptr_t)at->priv >> 20) : 0;
	*column = at ? (unsigned)((uintptr_t)at->priv & ((1u << 20) - 1)) : 0;
}

/* The node of another tree that stands for the same thing. */
static const struct lyd_node *
counterpart(const struct lyd_node *node, const struct lyd_node *siblings)
{
	struct lyd_node *match = NULL;

	return lyd_find_sibling_first(siblings, node, &match) ? NULL : match;
}

static size_t
count_all(const struct lyd_node *first)
{
	size_t count = 0;

	for (; first; first = first->next)
		count++;
	return count;
}

static bool
node_equal(const struct lyd_node *a, const struct lyd_node *b)
{
	const struct lyd_node *i, *other, *in_a, *in_b;
	bool ordered;

	if (a->schema != b->schema)
		return false;
	if (a->schema && mr_schema_is_leaf(a->schema))
		return !strcmp(lyd_get_value(a), lyd_get_value(b));
	in_a = children(a);
	in_b = children(b);
	if (count_all(in_a) != count_all(in_b))
		return false;
	for (i = in_a; i; i = i->next) {
		other = counterpart(i, in_b);
		if (!other && i->schema->nodetype == LYS_LEAF)
			return false;
		if (!other || !node_equal(i, other))
			return false;
	}
	/* Where the order means something, it counts. */
	for (i = in_a; i; i = i->next) {
		ordered = lysc_is_userordered(i->schema);
		if (!ordered || (i->prev->next && i->prev->schema == i->schema))
			continue;
		for (other = in_b; other && other->schema != i->schema; other = other->next)
			;
		for (in_a = i; in_a && other && in_a->schema == i->schema;
		     in_a = in_a->next, other = other->next)
			if (other->schema != in_a->schema || lyd_compare_single(in_a, other, 0))
				return false;
	}
	return true;
}

bool
mr_conf_equal(const struct mr_conf *a, const struct mr_conf *b)
{
	if (!a || !b || a == b)
		return a == b;
	return node_equal(lyd(a), lyd(b));
}

static bool
is_number(const struct lyd_node *node)
{
	LY_DATA_TYPE type = mr_schema_type(node->schema)->basetype;

	return (type >= LY_TYPE_UINT8 && type <= LY_TYPE_UINT64) ||
	    (type >= LY_TYPE_INT8 && type <= LY_TYPE_INT64) || type == LY_TYPE_BOOL ||
	    type == LY_TYPE_DEC64;
}

static void
print_value(const struct lyd_node *node, FILE *file)
{
	if (is_number(node))
		fputs(lyd_get_value(node), file);
	else
		mr_json_print(file, lyd_get_value(node));
}

static void
print_children(const struct lyd_node *parent, FILE *file)
{
	const struct lyd_node *node, *entry;
	bool comma = false;

	fputc('{', file);
	for (node = children(parent); node; node = node->next) {
		bool many = node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST);

		/* A list was printed when its first entry came. */
		if (many && node->prev->next && node->prev->schema == node->schema)
			continue;
		fprintf(file, "%s\"%s\":%s", comma ? "," : "", node->schema->name, many ? "[" : "");
		comma = true;
		for (entry = node; entry && entry->schema == node->schema; entry = entry->next) {
			if (entry != node)
				fputc(',', file);
			if (mr_schema_is_leaf(entry->schema))
				print_value(entry, file);
			else
				print_children(entry, file);
			if (!many)
				break;
		}
		if (many)
			fputc(']', file);
	}
	fputc('}', file);
}

void
mr_conf_print_json(const struct mr_conf *node, FILE *file)
{
	if (node && is_value(node))
		print_value(lyd(node), file);
	else
		print_children(lyd(node), file);
}
