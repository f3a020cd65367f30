/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/suggest.h"
#include "model/model_int.h"
#include "model/path_int.h"
#include "model/yaml_int.h"

/*
 * A YAML tree becomes a data tree, one node at a time, so that every value that is
 * refused is reported with its place and the rest goes on. What can only be seen in
 * the whole is check.c's.
 */

#define FAILED_MAX (MR_REPORT_MAX * 4)
#define NUMBER_MAX 48

struct build {
	struct mr_model *model;
	struct mr_config *config;
	struct mr_report *report;
	bool json; /* MR_BUILD_JSON */
	char path[MR_CONF_PATH_MAX];
	size_t path_used;
	size_t nodes_left; /* an alias counts as often as it is used */
	struct mr_failed failed[FAILED_MAX];
	size_t failed_count;
	bool no_memory;
	bool too_many;
};

static size_t
path_push(struct build *b, const char *name)
{
	size_t before = b->path_used;
	int n =
	    snprintf(b->path + before, sizeof(b->path) - before, "%s%s", before ? "/" : "", name);

	if (n > 0)
		b->path_used = MR_MIN(before + (size_t)n, sizeof(b->path) - 1);
	return before;
}

static void
path_pop(struct build *b, size_t before)
{
	b->path_used = before;
	b->path[before] = '\0';
}

#define build_fail(b, node, ...) \
	mr_report_add((b)->report, (b)->config->name, (node)->line, (node)->column, (b)->path, \
	    __VA_ARGS__)

static void
build_failed(struct build *b, const struct lyd_node *parent, const struct lysc_node *schema)
{
	if (b->failed_count < FAILED_MAX)
		b->failed[b->failed_count++] = (struct mr_failed){ parent, schema };
}

/* False when the build should stop. */
static bool
build_count(struct build *b, const struct mr_yaml_node *node)
{
	if (b->no_memory || b->too_many)
		return false;
	if (b->nodes_left) {
		b->nodes_left--;
		return true;
	}
	b->too_many = true;
	build_fail(b, node, "too much: more entries than a configuration may have");
	return false;
}

static const char *
kind_words(const struct mr_yaml_node *node)
{
	return node->kind == MR_YAML_MAP     ? "a map"
	    : node->kind == MR_YAML_SEQUENCE ? "a sequence"
					     : "a single value";
}

static void
unknown_key(struct build *b, const struct lysc_node *schema, const struct mr_yaml_node *key)
{
	struct mr_suggest suggest = { .word = key->text };
	const struct lysc_node *known = NULL;
	char text[900], quoted[260];
	struct mr_text t = { .text = text, .size = sizeof(text) };
	unsigned count = 0;

	mr_value_quote(key->text, quoted, sizeof(quoted));
	mr_text_add(&t, "unknown key %s", quoted);
	while ((known = mr_schema_next(b->model, schema, known)))
		if (!mr_schema_is_state(known))
			mr_suggest_try(&suggest, known->name);
	if (mr_suggest_best(&suggest))
		mr_text_add(&t, "; did you mean \"%s\"?", mr_suggest_best(&suggest));
	mr_text_add(&t, "%s known here: ", mr_suggest_best(&suggest) ? "" : ";");
	while ((known = mr_schema_next(b->model, schema, known)))
		if (!mr_schema_is_state(known))
			mr_text_add(&t, "%s%s", count++ ? ", " : "", known->name);
	build_fail(b, key, "%s", text);
}

/* A pair whose key was there before; one that was merged in gives way silently. */
static void
key_twice(struct build *b, const struct mr_yaml_pair *pair)
{
	char quoted[260];

	if (pair->merged)
		return;
	mr_value_quote(pair->key->text, quoted, sizeof(quoted));
	build_fail(b, pair->key, "%s is there twice; the first is in line %u", quoted,
	    pair->first->key->line);
}

static void
link_node(struct build *b, struct lyd_node *parent, struct lyd_node *node)
{
	if (!parent)
		lyd_insert_sibling(b->config->tree, node, &b->config->tree);
}

/* Whether a value fits a leaf; reports it, as it was written, when it does not. */
static bool
value_fits(struct build *b, const struct lysc_node *schema, const struct mr_yaml_node *at,
    const char *value, const char *written)
{
	char text[900];
	unsigned first, last;
	LY_ERR rc;

	rc = lyd_value_validate(b->model->ctx, schema, value, strlen(value), NULL, NULL, NULL);
	if (rc && rc != LY_EINCOMPLETE) {
		mr_value_reason(schema, written, text, sizeof(text));
		build_fail(b, at, "%s", text);
		return false;
	}
	if (mr_type_is_number_list(schema) && mr_value_bad_range(value, &first, &last)) {
		mr_value_quote(value, text, sizeof(text));
		build_fail(b, at, "%s has a range that goes downwards: %u-%u", text, first, last);
		return false;
	}
	return true;
}

/* The text of a scalar that a leaf takes, made YANG's; null, reported, when it is none. */
static const char *
scalar_value(struct build *b, const struct lysc_node *schema, const struct mr_yaml_node *node,
    char buffer[NUMBER_MAX])
{
	char phrase[600];
	bool empty = mr_schema_type(schema)->basetype == LY_TYPE_EMPTY;
	const char *value;

	if (b->json && empty && node->kind == MR_YAML_SEQUENCE && node->count == 1 &&
	    mr_yaml_is_null(node->items[0]))
		return "";
	if (node->kind != MR_YAML_SCALAR) {
		mr_type_phrase(schema, phrase, sizeof(phrase));
		build_fail(b, node, "needs a single value (%s), not %s", phrase, kind_words(node));
		return NULL;
	}
	if (mr_yaml_is_null(node)) {
		if (empty)
			return "";
		mr_type_phrase(schema, phrase, sizeof(phrase));
		build_fail(b, node, "has no value; it needs %s", phrase);
		return NULL;
	}
	if (strlen(node->text) != node->count) {
		build_fail(b, node, "holds a null byte");
		return NULL;
	}
	value = mr_value_normal(schema, node->text, buffer, NUMBER_MAX);
	return value_fits(b, schema, node, value, node->text) ? value : NULL;
}

static void
build_value(struct build *b, struct lyd_node *parent, const struct lysc_node *schema,
    const struct mr_yaml_node *at, const char *value)
{
	struct lyd_node *leaf = NULL;
	char text[900];

	if (lyd_new_term(parent, schema->module, schema->name, value, 0, &leaf)) {
		mr_value_reason(schema, value, text, sizeof(text));
		build_fail(b, at, "%s", text);
		build_failed(b, parent, schema);
		return;
	}
	leaf->priv = mr_place_make(at->line, at->column);
	link_node(b, parent, leaf);
}

/* A sequence for a leaf that is a list of numbers: the same, joined by commas. */
static void
build_joined(struct build *b, struct lyd_node *parent, const struct lysc_node *schema,
    const struct mr_yaml_node *sequence)
{
	size_t i, size = 1;
	char *joined;

	for (i = 0; i < sequence->count; i++) {
		if (!build_count(b, sequence->items[i]))
			return;
		if (!scalar_value(b, schema, sequence->items[i], (char[NUMBER_MAX]){ 0 })) {
			build_failed(b, parent, schema);
			return;
		}
		size += sequence->items[i]->count + 1;
	}
	joined = malloc(size);
	if (!joined) {
		b->no_memory = true;
		return;
	}
	for (i = 0, *joined = '\0', size = 0; i < sequence->count; i++)
		size +=
		    (size_t)sprintf(joined + size, "%s%s", i ? "," : "", sequence->items[i]->text);
	if (value_fits(b, schema, sequence, joined, joined))
		build_value(b, parent, schema, sequence, joined);
	else
		build_failed(b, parent, schema);
	free(joined);
}

static void
build_leaf(struct build *b, struct lyd_node *parent, const struct lysc_node *schema,
    const struct mr_yaml_node *node)
{
	char buffer[NUMBER_MAX];
	const char *value;

	if (node->kind == MR_YAML_SEQUENCE && node->count && mr_type_is_number_list(schema)) {
		build_joined(b, parent, schema, node);
		return;
	}
	value = scalar_value(b, schema, node, buffer);
	if (value)
		build_value(b, parent, schema, node, value);
	else
		build_failed(b, parent, schema);
}

/* Entries of one list, to find those that are there twice. libyang keeps one copy of
 * equal texts, so equal keys are equal pointers. */
struct entry {
	struct lyd_node *node;
	const char *keys[MR_LIST_KEYS_MAX];
};

static int
entry_compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = memcmp(a->keys, b->keys, sizeof(a->keys));
	uintptr_t x = (uintptr_t)a->node->priv, y = (uintptr_t)b->node->priv;

	return order ? order : x < y ? -1 : x > y;
}

/* Sorting by place puts the first of equals first; the others are reported and go. */
static void
drop_repeated(struct build *b, struct entry *entries, size_t count)
{
	size_t i, first = 0;

	if (count)
		qsort(entries, count, sizeof(*entries), entry_compare);
	for (i = 1; i < count; i++) {
		char path[MR_CONF_PATH_MAX];
		unsigned line, column, first_line;

		if (memcmp(entries[i].keys, entries[first].keys, sizeof(entries[i].keys))) {
			first = i;
			continue;
		}
		mr_conf_where((const struct mr_conf *)entries[first].node, &first_line, &column);
		mr_conf_where((const struct mr_conf *)entries[i].node, &line, &column);
		mr_conf_path((const struct mr_conf *)entries[i].node, path, sizeof(path));
		mr_report_add(b->report, b->config->name, line, column, path,
		    "is there twice; the first is in line %u", first_line);
		if (entries[i].node == b->config->tree)
			b->config->tree = entries[i].node->next;
		lyd_free_tree(entries[i].node);
	}
}

static void
build_leaf_list(struct build *b, struct lyd_node *parent, const struct lysc_node *schema,
    const struct mr_yaml_node *node)
{
	struct mr_yaml_node *const one[] = { (struct mr_yaml_node *)node };
	struct mr_yaml_node *const *items = node->kind == MR_YAML_SEQUENCE ? node->items : one;
	size_t i, count = node->kind == MR_YAML_SEQUENCE ? node->count : 1, made = 0;
	struct entry *entries;

	if (mr_yaml_is_null(node))
		return;
	entries = calloc(count + 1, sizeof(*entries));
	if (!entries) {
		b->no_memory = true;
		return;
	}
	for (i = 0; i < count && build_count(b, items[i]); i++) {
		struct lyd_node *leaf = NULL;
		char buffer[NUMBER_MAX];
		const char *value = scalar_value(b, schema, items[i], buffer);

		if (!value || lyd_new_term(parent, schema->module, schema->name, value, 0, &leaf)) {
			build_failed(b, parent, schema);
			continue;
		}
		leaf->priv = mr_place_make(items[i]->line, items[i]->column);
		link_node(b, parent, leaf);
		entries[made++] = (struct entry){ .node = leaf, .keys = { lyd_get_value(leaf) } };
	}
	/* A list of state may repeat values; one of configuration is a set. */
	if (schema->flags & LYS_CONFIG_W)
		drop_repeated(b, entries, made);
	free(entries);
}

static void build_children(struct build *, struct lyd_node *parent, const struct lysc_node *schema,
    struct mr_yaml_node *map);

/* A key without the name of its module. */
static const char *
bare_name(const struct build *b, const struct mr_yaml_node *key)
{
	const char *colon = b->json ? strchr(key->text, ':') : NULL;

	return colon ? colon + 1 : key->text;
}

/* One entry of a list. `key` is a map's key that stands for the list's only one, or null
 * when the keys are inside `body`. */
static struct lyd_node *
build_entry(struct build *b, struct lyd_node *parent, const struct lysc_node *schema,
    struct mr_yaml_node *key, struct mr_yaml_node *body, size_t number)
{
	const struct lysc_node *keys[MR_LIST_KEYS_MAX], *value_leaf;
	struct mr_yaml_node *at[MR_LIST_KEYS_MAX] = { 0 };
	const char *texts[MR_LIST_KEYS_MAX] = { "", "", "", "" };
	char buffers[MR_LIST_KEYS_MAX][NUMBER_MAX];
	unsigned i, count = mr_schema_keys(schema, keys);
	struct lyd_node *entry = NULL, *child;
	size_t j, before;

	if (body && body->kind == MR_YAML_MAP && mr_yaml_settle(body)) {
		b->no_memory = true;
		return NULL;
	}
	for (i = 0; i < count; i++) {
		at[i] = key;
		for (j = 0; !key && j < body->count; j++)
			if (!body->pairs[j].first &&
			    !strcmp(bare_name(b, body->pairs[j].key), keys[i]->name))
				at[i] = body->pairs[j].value;
		if (!at[i]) {
			build_fail(b, body, "entry %zu of the sequence has no \"%s\"", number,
			    keys[i]->name);
			return NULL;
		}
		texts[i] = scalar_value(b, keys[i], at[i], buffers[i]);
		if (!texts[i])
			return NULL;
	}
	if (lyd_new_list(parent, schema->module, schema->name, 0, &entry, texts[0], texts[1],
		texts[2], texts[3])) {
		build_fail(b, at[0], "cannot be made: %s", ly_errmsg(b->model->ctx));
		return NULL;
	}
	entry->priv =
	    key ? mr_place_make(key->line, key->column) : mr_place_make(body->line, body->column);
	for (i = 0, child = lyd_child(entry); i < count && child; i++, child = child->next)
		child->priv = mr_place_make(at[i]->line, at[i]->column);
	link_node(b, parent, entry);

	before = b->path_used;
	for (i = 0; i < count; i++)
		path_push(b, texts[i]);
	value_leaf = mr_schema_short(schema);
	if (!body || mr_yaml_is_null(body))
		; /* nothing but its key */
	else if (body->kind == MR_YAML_MAP)
		build_children(b, entry, schema, body);
	else if (value_leaf)
		build_leaf(b, entry, value_leaf, body);
	else
		build_fail(b, body, "needs a map of settings, not %s", kind_words(body));
	path_pop(b, before);
	return entry;
}

static void
build_list(struct build *b, struct lyd_node *parent, const struct lysc_node *schema,
    struct mr_yaml_node *node)
{
	const struct lysc_node *keys[MR_LIST_KEYS_MAX];
	unsigned k, key_count = mr_schema_keys(schema, keys);
	struct lyd_node *made, *child;
	struct entry *entries;
	size_t i, count = 0;

	if (mr_yaml_is_null(node))
		return;
	if (node->kind == MR_YAML_SCALAR) {
		build_fail(b, node, "needs a map%s, not a single value",
		    key_count == 1 ? " by its entries' names, or a sequence" : " or a sequence");
		return;
	}
	if (node->kind == MR_YAML_MAP && key_count != 1) {
		build_fail(b, node, "needs a sequence of entries (\"- %s: ...\"), not a map",
		    key_count ? keys[0]->name : "...");
		return;
	}
	entries = calloc(node->count + 1, sizeof(*entries));
	if (!entries || (node->kind == MR_YAML_MAP && mr_yaml_settle(node))) {
		b->no_memory = true;
		free(entries);
		return;
	}
	for (i = 0; i < node->count; i++) {
		struct mr_yaml_node *item;

		if (node->kind == MR_YAML_MAP) {
			struct mr_yaml_pair *pair = &node->pairs[i];

			if (!build_count(b, pair->value))
				break;
			if (pair->first) {
				key_twice(b, pair);
				continue;
			}
			made = build_entry(b, parent, schema, pair->key, pair->value, i + 1);
		} else {
			item = node->items[i];
			if (!build_count(b, item))
				break;
			if (item->kind == MR_YAML_SCALAR && key_count == 1) {
				made = build_entry(b, parent, schema, item, NULL, i + 1);
			} else if (item->kind == MR_YAML_MAP) {
				made = build_entry(b, parent, schema, NULL, item, i + 1);
			} else {
				build_fail(b, item,
				    "entry %zu of the sequence needs to be a map, not %s", i + 1,
				    kind_words(item));
				made = NULL;
			}
		}
		if (!made) {
			build_failed(b, parent, schema);
			continue;
		}
		entries[count].node = made;
		for (k = 0, child = lyd_child(made); k < key_count; k++, child = child->next)
			entries[count].keys[k] = lyd_get_value(child);
		count++;
	}
	if (key_count)
		drop_repeated(b, entries, count);
	free(entries);
}

static void
build_container(struct build *b, struct lyd_node *parent, const struct lysc_node *schema,
    const struct mr_yaml_node *key, struct mr_yaml_node *node)
{
	struct lyd_node *container = NULL;

	if (node->kind != MR_YAML_MAP && !mr_yaml_is_null(node)) {
		build_fail(b, node, "needs a map of settings, not %s", kind_words(node));
		build_failed(b, parent, schema);
		return;
	}
	if (lyd_new_inner(parent, schema->module, schema->name, 0, &container)) {
		build_fail(b, node, "cannot be made: %s", ly_errmsg(b->model->ctx));
		return;
	}
	container->priv = mr_place_make(key->line, key->column);
	link_node(b, parent, container);
	if (node->kind == MR_YAML_MAP)
		build_children(b, container, schema, node);
}

static void
build_child(struct build *b, struct lyd_node *parent, const struct lysc_node *parent_schema,
    const struct mr_yaml_node *key, struct mr_yaml_node *value)
{
	const struct lysc_node *schema = b->json
	    ? mr_schema_named(b->model, parent_schema, key->text)
	    : mr_schema_child(b->model, parent_schema, key->text);
	const struct lyd_node *other;
	size_t before;

	if (!schema) {
		unknown_key(b, parent_schema, key);
		return;
	}
	before = path_push(b, schema->name);
	if (mr_schema_is_state(schema)) {
		build_fail(b, key, "is state: millrace reports it and it cannot be configured");
	} else if (lysc_is_key(schema)) {
		const struct lyd_node *known =
		    mr_schema_is_leaf(schema) && parent ? lyd_child(parent) : NULL;
		char buffer[NUMBER_MAX];
		const char *text;

		/* Beside a map's key it may be repeated, not contradicted. */
		while (known && known->schema != schema)
			known = known->next;
		text = known ? scalar_value(b, schema, value, buffer) : NULL;
		if (text && strcmp(text, lyd_get_value(known)) &&
		    lyd_value_compare((const struct lyd_node_term *)known, text, strlen(text)))
			build_fail(b, value, "is \"%s\" already, by the key of its entry",
			    lyd_get_value(known));
	} else if ((other =
			   mr_choice_taken(parent ? lyd_child(parent) : b->config->tree, schema))) {
		build_fail(b, key, "excludes \"%s\"; one of the two can be there",
		    other->schema->name);
		build_failed(b, parent, schema);
	} else if (schema->nodetype == LYS_LEAF) {
		build_leaf(b, parent, schema, value);
	} else if (schema->nodetype == LYS_LEAFLIST) {
		build_leaf_list(b, parent, schema, value);
	} else if (schema->nodetype == LYS_LIST) {
		build_list(b, parent, schema, value);
	} else {
		build_container(b, parent, schema, key, value);
	}
	path_pop(b, before);
}

static void
build_children(struct build *b, struct lyd_node *parent, const struct lysc_node *schema,
    struct mr_yaml_node *map)
{
	size_t i;

	if (mr_yaml_settle(map)) {
		b->no_memory = true;
		return;
	}
	for (i = 0; i < map->count; i++) {
		struct mr_yaml_pair *pair = &map->pairs[i];

		if (!build_count(b, pair->value))
			return;
		if (pair->first)
			key_twice(b, pair);
		else
			build_child(b, parent, schema, pair->key, pair->value);
	}
}

static void
build_tree(struct build *b, struct mr_yaml_node *root)
{
	if (!root || mr_yaml_is_null(root))
		return;
	if (root->kind != MR_YAML_MAP)
		build_fail(b, root, "a configuration is a map, not %s", kind_words(root));
	else
		build_children(b, NULL, NULL, root);
}

int
mr_config_build(struct mr_config *config, struct mr_yaml_node *root, size_t nodes_max,
    unsigned flags, struct mr_report *report)
{
	struct build *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return -ENOMEM;
	b->model = config->model;
	b->config = config;
	b->report = report;
	b->nodes_left = nodes_max;
	b->json = flags & MR_BUILD_JSON;
	build_tree(b, root);
	if (b->no_memory)
		rc = -ENOMEM;
	else if (b->too_many)
		rc = -EINVAL;
	else if (flags & MR_BUILD_PART)
		rc = 0;
	else
		rc = mr_config_check(config, b->failed, b->failed_count, report);
	free(b);
	return rc;
}
