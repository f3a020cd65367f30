/* SPDX-License-Identifier: Apache-2.0 */
#include "model/edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_int.h"
#include "model/path_int.h"
#include "model/yaml_int.h"

/*
 * An edit's value becomes a small tree of its own, from the top down to what it is about: so it
 * is read, checked and complained about like a file. That tree is then merged into a copy of
 * the configuration from which all defaults were taken out, and the whole is checked.
 */

#define EDIT_NAME "the change"

struct edit {
	struct mr_model *model;
	struct mr_report *report;
	struct mr_path path;   /* as given, then of what the edit is about */
	struct mr_config part; /* the value's tree */
	char text[MR_CONF_PATH_MAX * 3];
};

mr_printf(3, 4) static int edit_fail(struct edit *e, int rc, const char *fmt, ...)
{
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	mr_report_add(e->report, EDIT_NAME, 0, 0, e->text, "%s", text);
	return rc;
}

static int
edit_no_memory(struct edit *e)
{
	return edit_fail(e, -ENOMEM, "no memory for the change");
}

/* -- the value as a tree --------------------------------------------------------------------- */

static struct mr_yaml_node *
scalar(struct mr_yaml *y, const char *text)
{
	size_t size = strlen(text) + 1;
	struct mr_yaml_node *node = mr_yaml_alloc(y, sizeof(*node));

	if (!node)
		return NULL;
	*node = (struct mr_yaml_node){ .kind = MR_YAML_SCALAR, .done = true, .count = size - 1 };
	node->text = mr_yaml_alloc(y, size);
	if (node->text)
		memcpy(node->text, text, size);
	return node->text ? node : NULL;
}

static struct mr_yaml_node *
nothing(struct mr_yaml *y)
{
	struct mr_yaml_node *node = scalar(y, "");

	if (node)
		node->plain = true;
	return node;
}

/* A map of one pair, or without a key an empty one, with room for `more`. */
static struct mr_yaml_node *
map_of(struct mr_yaml *y, const char *key, struct mr_yaml_node *value, size_t more)
{
	struct mr_yaml_node *map = mr_yaml_alloc(y, sizeof(*map));

	if (!map)
		return NULL;
	*map = (struct mr_yaml_node){ .kind = MR_YAML_MAP, .done = true, .count = key ? 1 : 0 };
	map->pairs = mr_yaml_alloc(y, (more + 1) * sizeof(*map->pairs));
	if (!map->pairs)
		return NULL;
	map->pairs[0] = (struct mr_yaml_pair){ .key = key ? scalar(y, key) : NULL, .value = value };
	return value && map->pairs[0].key ? map : key ? NULL : map;
}

static struct mr_yaml_node *
sequence_of(struct mr_yaml *y, struct mr_yaml_node *item)
{
	struct mr_yaml_node *node = mr_yaml_alloc(y, sizeof(*node));

	if (!node || !item)
		return NULL;
	*node = (struct mr_yaml_node){ .kind = MR_YAML_SEQUENCE, .done = true, .count = 1 };
	node->items = mr_yaml_alloc(y, sizeof(struct mr_yaml_node *));
	if (!node->items)
		return NULL;
	node->items[0] = item;
	return node;
}

/* An entry with its keys among what it holds. */
static struct mr_yaml_node *
entry_of(struct mr_yaml *y, const struct mr_path_step *step, const struct mr_yaml_node *inside)
{
	const struct lysc_node *keys[MR_LIST_KEYS_MAX];
	unsigned count = mr_schema_keys(step->schema, keys);
	size_t more = inside->kind == MR_YAML_MAP ? inside->count : 0;
	struct mr_yaml_node *map = map_of(y, NULL, NULL, more + count);

	for (unsigned i = 0; map && i < count; i++) {
		struct mr_yaml_pair *pair = &map->pairs[map->count++];

		pair->key = scalar(y, keys[i]->name);
		pair->value = scalar(y, step->keys[i]);
		pair->first = NULL;
		pair->merged = false;
		if (!pair->key || !pair->value)
			return NULL;
	}
	for (size_t i = 0; map && i < more; i++) {
		const struct mr_yaml_node *key = inside->pairs[i].key;
		bool is_key = false;

		for (unsigned k = 0; k < count; k++)
			is_key |= !strcmp(key->text, keys[k]->name);
		if (!is_key)
			map->pairs[map->count++] = inside->pairs[i];
	}
	return map;
}

/* Puts the steps of a path around what stands at its end. */
static struct mr_yaml_node *
wrap(struct mr_yaml *y, const struct mr_path *path, unsigned steps, struct mr_yaml_node *inside)
{
	while (steps-- > 0 && inside) {
		const struct mr_path_step *step = &path->step[steps];
		const struct lysc_node *s = step->schema;

		if (s->nodetype == LYS_LEAFLIST && step->key_count)
			inside = sequence_of(y, scalar(y, step->keys[0]));
		else if (s->nodetype == LYS_LIST && step->key_count == 1)
			inside = map_of(y, step->keys[0], inside, 0);
		else if (s->nodetype == LYS_LIST && step->key_count)
			inside = sequence_of(y, entry_of(y, step, inside));
		inside = inside ? map_of(y, s->name, inside, 0) : NULL;
	}
	return inside;
}

static const char *
without_module(const char *name)
{
	const char *colon = strchr(name, ':');

	return colon ? colon + 1 : name;
}

static int
read_json(struct edit *e, const struct mr_edit *edit, struct mr_yaml **y,
    struct mr_yaml_node **root)
{
	unsigned steps = e->path.count - (edit->child ? 0 : 1);
	const char *name;
	int rc;

	rc = mr_json_parse(y, root, EDIT_NAME, edit->json, edit->json_size,
	    MR_CONFIG_ALIASED_MAX + edit->json_size / 2, e->report);
	if (rc)
		return rc;
	if ((*root)->kind != MR_YAML_MAP)
		return edit_fail(e, -EINVAL, "the value is no object");
	if (!e->path.count && !edit->child) {
		if ((*root)->count == 1 &&
		    !strcmp((*root)->pairs[0].key->text, "ietf-restconf:data"))
			*root = (*root)->pairs[0].value;
		return 0;
	}
	if ((*root)->count != 1)
		return edit_fail(e, -EINVAL, "the value needs exactly one member, not %zu",
		    (*root)->count);
	name = without_module((*root)->pairs[0].key->text);
	if (!edit->child && strcmp(name, mr_path_schema(&e->path)->name))
		return edit_fail(e, -EINVAL, "the value is a \"%s\", but the path names a \"%s\"",
		    name, mr_path_schema(&e->path)->name);
	*root = wrap(*y, &e->path, steps, *root);
	return *root ? 0 : edit_no_memory(e);
}

/* Whether the value is text as it stands: a leaf's, or one that stands for an entry. */
static bool
is_word(const struct mr_path_step *last, const char *value)
{
	switch (last->schema->nodetype) {
	case LYS_LEAF:
		return true;
	case LYS_LEAFLIST:
		return last->key_count;
	case LYS_LIST:
		return value && last->key_count && mr_schema_short(last->schema) &&
		    value[strspn(value, " \t\n")] != '{';
	default:
		return false;
	}
}

static int
read_value(struct edit *e, const struct mr_edit *edit, struct mr_yaml **y,
    struct mr_yaml_node **root)
{
	const struct mr_path_step *last = e->path.count ? &e->path.step[e->path.count - 1] : NULL;
	bool word = last && is_word(last, edit->value);
	int rc = 0;

	if (edit->value && !word)
		rc = mr_yaml_parse(y, root, EDIT_NAME, edit->value, strlen(edit->value),
		    MR_CONFIG_ALIASED_MAX, e->report);
	else
		rc = mr_yaml_create(y);
	if (rc == -ENOMEM)
		return edit_no_memory(e);
	if (rc)
		return rc;
	if (edit->value && word && !mr_utf8_valid(edit->value))
		return edit_fail(e, -EINVAL, "the value is not UTF-8");
	if (edit->value && word)
		*root = scalar(*y, edit->value);
	else if (!*root)
		*root = nothing(*y);
	if (last)
		*root = *root ? wrap(*y, &e->path, e->path.count, *root) : NULL;
	return *root ? 0 : edit_no_memory(e);
}

/* What the value's tree has at the path, or one below it. */
static struct lyd_node *
part_target(struct edit *e, bool child)
{
	struct lyd_node *at =
	    e->path.count ? mr_path_find(&e->path, e->path.count, e->part.tree) : NULL;

	if (!child)
		return at;
	at = e->path.count ? lyd_child(at) : e->part.tree;
	while (at && lysc_is_key(at->schema))
		at = at->next;
	return at;
}

/* Makes the value's tree, and the path of what the edit is about. */
static int
make_part(struct edit *e, const struct mr_edit *edit)
{
	size_t errors = mr_report_count(e->report);
	struct mr_yaml_node *root = NULL;
	struct mr_yaml *y = NULL;
	struct lyd_node *at;
	struct mr_error error;
	int rc;

	rc = edit->json ? read_json(e, edit, &y, &root) : read_value(e, edit, &y, &root);
	if (!rc)
		rc = mr_config_build(&e->part, root, SIZE_MAX,
		    MR_BUILD_PART | (edit->json ? MR_BUILD_JSON : 0), e->report);
	mr_yaml_destroy(y);
	if (!rc && mr_report_count(e->report) != errors)
		rc = -EINVAL;
	if (rc || !edit->json || (!e->path.count && !edit->child))
		return rc;
	at = part_target(e, edit->child);
	if (!at ||
	    ((at->schema->nodetype & (LYS_LIST | LYS_LEAFLIST)) &&
		(edit->child || e->path.step[e->path.count - 1].key_count) && at->next &&
		at->next->schema == at->schema))
		return edit_fail(e, -EINVAL,
		    edit->child ? "the value needs exactly one entry"
				: "the value is about something else than the path, or about more");
	if (!edit->child)
		return 0;
	mr_path_print((const struct mr_conf *)at, e->text, sizeof(e->text));
	rc = mr_path_parse(&e->path, e->model, e->text, &error);
	return rc ? edit_fail(e, rc, "%s", error.text) : 0;
}

/* -- the configuration ----------------------------------------------------------------------- */

/* Takes out what only defaults put there. */
static void
strip(struct lyd_node **tree, struct lyd_node *first)
{
	struct lyd_node *node, *next;

	for (node = first; node; node = next) {
		next = node->next;
		if (node->flags & LYD_DEFAULT) {
			if (*tree == node)
				*tree = next;
			lyd_free_tree(node);
		} else if (!mr_schema_is_leaf(node->schema)) {
			strip(tree, lyd_child(node));
		}
	}
}

static void
drop(struct mr_config *config, struct lyd_node *node)
{
	if (config->tree == node)
		config->tree = node->next;
	lyd_free_tree(node);
}

/* A list or leaf-list as a whole, or one node. */
static void
drop_all(struct mr_config *config, struct lyd_node *node, const struct mr_path_step *step)
{
	struct lyd_node *next;
	bool whole = (step->schema->nodetype & (LYS_LIST | LYS_LEAFLIST)) && !step->key_count;

	for (; node; node = next) {
		next = node->next && node->next->schema == step->schema ? node->next : NULL;
		drop(config, node);
		if (!whole)
			break;
	}
}

static void
drop_inside(struct lyd_node *node)
{
	struct lyd_node *child, *next;

	for (child = lyd_child(node); child; child = next) {
		next = child->next;
		if (!lysc_is_key(child->schema))
			lyd_free_tree(child);
	}
}

/* A case of a choice that comes sends the others away (RFC 7950, 7.9). */
static void
leave_choice(struct mr_config *config, const struct lyd_node *part, struct lyd_node *siblings)
{
	const struct lyd_node *other;
	struct lyd_node *same;

	for (; part; part = part->next) {
		if (lysc_is_key(part->schema))
			continue;
		while (siblings && (other = mr_choice_taken(siblings, part->schema))) {
			if (siblings == other)
				siblings = other->next;
			drop(config, (struct lyd_node *)other);
		}
		if (!siblings || mr_schema_is_leaf(part->schema) ||
		    lyd_find_sibling_first(siblings, part, &same))
			continue;
		leave_choice(config, lyd_child(part), lyd_child(same));
	}
}

static int
put_in_place(struct edit *e, struct mr_config *config, const struct mr_edit *edit)
{
	struct lyd_node *node =
	    e->path.count ? mr_path_find(&e->path, e->path.count, config->tree) : NULL;
	struct lyd_node *first, *at;
	struct mr_path *point;
	struct mr_error error;
	int rc;

	if (!node || !lysc_is_userordered(node->schema) ||
	    !e->path.step[e->path.count - 1].key_count)
		return edit_fail(e, -EINVAL, "has no order that could be changed");
	first = node;
	while (first->prev->next && first->prev->schema == node->schema)
		first = first->prev;
	at = first;
	if (edit->where == MR_EDIT_LAST)
		while (at->next && at->next->schema == node->schema)
			at = at->next;
	if (edit->where == MR_EDIT_BEFORE || edit->where == MR_EDIT_AFTER) {
		point = malloc(sizeof(*point));
		if (!point)
			return edit_no_memory(e);
		rc = mr_path_parse(point, e->model, edit->point, &error);
		at = rc ? NULL : mr_path_find(point, point->count, config->tree);
		free(point);
		if (rc)
			return edit_fail(e, rc, "%s", error.text);
		if (!at || at->schema != node->schema || at->parent != node->parent)
			return edit_fail(e, -EINVAL, "there is no entry %s beside it", edit->point);
	}
	if (at == node)
		return 0;
	if (edit->where == MR_EDIT_FIRST || edit->where == MR_EDIT_BEFORE)
		rc = lyd_insert_before(at, node);
	else
		rc = lyd_insert_after(at, node);
	while (config->tree && config->tree->prev->next)
		config->tree = config->tree->prev;
	return rc ? edit_no_memory(e) : 0;
}

static int
merge(struct edit *e, struct mr_config *config, const struct mr_edit *edit)
{
	struct lyd_node *target =
	    e->path.count ? mr_path_find(&e->path, e->path.count, config->tree) : NULL;

	if (edit->op == MR_EDIT_CREATE && target)
		return edit_fail(e, -EEXIST, "is there already");
	if (edit->op == MR_EDIT_REPLACE && !e->path.count) {
		lyd_free_all(config->tree);
		config->tree = NULL;
	} else if (edit->op == MR_EDIT_REPLACE && target) {
		const struct mr_path_step *last = &e->path.step[e->path.count - 1];

		/* An entry keeps its place. */
		if (!mr_schema_is_leaf(target->schema) &&
		    (target->schema->nodetype != LYS_LIST || last->key_count))
			drop_inside(target);
		else if (target->schema->nodetype != LYS_LEAF && !last->key_count)
			drop_all(config, target, last);
	}
	leave_choice(config, e->part.tree, config->tree);
	if (e->part.tree && lyd_merge_siblings(&config->tree, e->part.tree, LYD_MERGE_DESTRUCT)) {
		e->part.tree = NULL;
		return edit_fail(e, -EINVAL, "cannot be changed: %s", ly_errmsg(e->model->ctx));
	}
	e->part.tree = NULL;
	return edit->where == MR_EDIT_KEEP ? 0 : put_in_place(e, config, edit);
}

static int
take_away(struct edit *e, struct mr_config *config, const struct mr_edit *edit)
{
	struct lyd_node *target;

	if (!e->path.count)
		return edit_fail(e, -EINVAL, "the whole configuration cannot be deleted");
	if (lysc_is_key(mr_path_schema(&e->path)))
		return edit_fail(e, -EINVAL, "is a key: delete its entry");
	target = mr_path_find(&e->path, e->path.count, config->tree);
	if (!target && edit->op == MR_EDIT_DELETE)
		return edit_fail(e, -ENOENT, "there is nothing to delete");
	if (target)
		drop_all(config, target, &e->path.step[e->path.count - 1]);
	return 0;
}

static int
begin(struct edit *e, const struct mr_edit *edit)
{
	struct mr_error error;
	int rc;

	snprintf(e->text, sizeof(e->text), "%s", edit->path ? edit->path : "");
	rc = mr_path_parse(&e->path, e->model, edit->path, &error);
	if (rc)
		return edit_fail(e, rc, "%s", error.text);
	if (e->path.count && mr_schema_is_state(mr_path_schema(&e->path)))
		return edit_fail(e, -EINVAL,
		    "is state: millrace reports it and it cannot be configured");
	if (edit->child && !edit->json)
		return edit_fail(e, -EINVAL, "a child needs a value that names it");
	return 0;
}

static int
one_edit(struct edit *e, struct mr_config *config, const struct mr_edit *edit)
{
	int rc = begin(e, edit);

	if (!rc && (edit->op == MR_EDIT_DELETE || edit->op == MR_EDIT_REMOVE))
		return take_away(e, config, edit);
	if (!rc)
		rc = make_part(e, edit);
	if (!rc)
		rc = merge(e, config, edit);
	lyd_free_all(e->part.tree);
	e->part.tree = NULL;
	return rc;
}

/* Everything that is there was written, though in no file. */
static void
mark_written(struct mr_config *config)
{
	struct lyd_node *top, *node;

	LY_LIST_FOR(config->tree, top) {
		LYD_TREE_DFS_BEGIN(top, node)
		{
			node->priv = mr_place_make(0, 1);
			LYD_TREE_DFS_END(top, node);
		}
	}
}

static struct edit *
edit_new(struct mr_model *model, struct mr_report *report)
{
	struct edit *e = calloc(1, sizeof(*e));

	if (!e) {
		mr_report_add(report, EDIT_NAME, 0, 0, "", "no memory for the change");
		return NULL;
	}
	e->model = model;
	e->report = report;
	e->part.model = model;
	e->part.name = (char *)EDIT_NAME;
	return e;
}

static int
edit_all(struct mr_config *config, const struct mr_edit *edits, size_t count,
    struct mr_report *report)
{
	struct edit *e = edit_new(config->model, report);
	int rc = e ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !rc; i++)
		rc = one_edit(e, config, &edits[i]);
	free(e);
	if (rc)
		return rc;
	mark_written(config);
	return mr_config_check(config, NULL, 0, report);
}

int
mr_config_edit(struct mr_config **out, struct mr_model *model, const struct mr_config *from,
    const struct mr_edit *edits, size_t count, struct mr_report *report)
{
	struct mr_config *config = calloc(1, sizeof(*config));
	struct mr_report *own = NULL;
	int rc = -ENOMEM;

	*out = NULL;
	if (!report && mr_report_create(&own))
		goto out;
	report = report ? report : own;
	if (!config || !(config->name = strdup(EDIT_NAME)) ||
	    mr_tree_copy(&config->tree, from->tree))
		goto out;
	config->model = model;
	strip(&config->tree, config->tree);
	rc = edit_all(config, edits, count, report);
	mr_report_sort(report);
out:
	if (rc) {
		mr_config_destroy(config);
	} else {
		mr_config_seal(config);
		*out = config;
	}
	mr_report_destroy(own);
	return rc;
}

int
mr_edit_target(struct mr_model *model, const struct mr_edit *edit, char *path, size_t size,
    struct mr_report *report)
{
	struct edit *e = edit_new(model, report);
	struct lyd_node *at;
	int rc = e ? begin(e, edit) : -ENOMEM;

	if (!rc && edit->op != MR_EDIT_DELETE && edit->op != MR_EDIT_REMOVE) {
		rc = make_part(e, edit);
		at = rc || !e->path.count ? NULL
					  : mr_path_find(&e->path, e->path.count, e->part.tree);
		if (at)
			mr_path_print((const struct mr_conf *)at, e->text, sizeof(e->text));
	}
	if (!rc)
		snprintf(path, size, "%s", e->text);
	if (e)
		lyd_free_all(e->part.tree);
	free(e);
	return rc;
}
