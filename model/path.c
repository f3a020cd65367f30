/* SPDX-License-Identifier: Apache-2.0 */
#include "model/path_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/suggest.h"
#include "model/json_int.h"

#define WORD_MAX 1024

const struct lysc_node *
mr_schema_named(const struct mr_model *model, const struct lysc_node *parent, const char *name)
{
	const char *colon = strchr(name, ':');
	const struct lysc_node *node = mr_schema_child(model, parent, colon ? colon + 1 : name);

	if (node && colon &&
	    (strncmp(node->module->name, name, (size_t)(colon - name)) ||
		node->module->name[colon - name]))
		return NULL;
	return node;
}

const struct lysc_node *
mr_path_schema(const struct mr_path *path)
{
	return path->count ? path->step[path->count - 1].schema : NULL;
}

/* -- reading --------------------------------------------------------------------------------- */

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of text that a path's piece stands for; -EINVAL for a % without two digits, a null, or
 * what is not UTF-8. */
static int
decode(const char *from, size_t length, char *to, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		int high, low;
		char c = from[i];

		if (c == '%') {
			high = i + 2 < length ? digit_of(from[i + 1]) : -1;
			low = i + 2 < length ? digit_of(from[i + 2]) : -1;
			if (high < 0 || low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (used + 1 >= size)
			return -EINVAL;
		to[used++] = c;
	}
	to[used] = '\0';
	return mr_utf8_valid(to) ? 0 : -EINVAL;
}

/* Whether a text is a value of that leaf; *canonical is libyang's copy of how YANG writes it. */
static bool
is_value(const struct lysc_node *leaf, const char *text, const char **canonical)
{
	char buffer[48];
	const char *normal = mr_value_normal(leaf, text, buffer, sizeof(buffer));
	LY_ERR rc = lyd_value_validate(leaf->module->ctx, leaf, normal, strlen(normal), NULL, NULL,
	    canonical);

	return !rc || rc == LY_EINCOMPLETE;
}

static const char *
keep(struct mr_path *path, const char *text)
{
	size_t size = strlen(text) + 1;
	char *to = path->text + path->used;

	if (path->used + size > sizeof(path->text))
		return NULL;
	memcpy(to, text, size);
	path->used += size;
	return to;
}

/* Takes a key if the text is one. */
static bool
take_key(struct mr_path *path, struct mr_path_step *step, const struct lysc_node *leaf,
    const char *text)
{
	const char *canonical = NULL, *kept;

	if (!is_value(leaf, text, &canonical))
		return false;
	kept = keep(path, canonical ? canonical : text);
	if (canonical)
		lydict_remove(leaf->module->ctx, canonical);
	if (!kept)
		return false;
	step->keys[step->key_count++] = kept;
	return true;
}

/* The leaves whose values name an entry. */
static unsigned
key_leaves(const struct lysc_node *schema, const struct lysc_node *leaves[MR_LIST_KEYS_MAX])
{
	if (schema->nodetype == LYS_LIST)
		return mr_schema_keys(schema, leaves);
	leaves[0] = schema;
	return schema->nodetype == LYS_LEAFLIST ? 1 : 0;
}

static int
bad_key(const struct lysc_node *schema, const struct lysc_node *leaf, const char *text,
    struct mr_error *error)
{
	char reason[900];

	mr_value_reason(leaf, text, reason, sizeof(reason));
	return mr_error_set(error, -EINVAL, "%s: %s", schema->name, reason);
}

/* "=key1,key2" behind a name. */
static int
keys_behind_sign(struct mr_path *path, struct mr_path_step *step, const char *text, size_t length,
    struct mr_error *error)
{
	const struct lysc_node *leaves[MR_LIST_KEYS_MAX];
	unsigned count = key_leaves(step->schema, leaves);
	const char *end = text + length, *comma;
	char word[WORD_MAX];

	if (!count)
		return mr_error_set(error, -EINVAL, "%s is no list, and takes no key",
		    step->schema->name);
	for (unsigned i = 0; i < count; i++) {
		comma = i + 1 < count ? memchr(text, ',', (size_t)(end - text)) : end;
		if (!comma)
			return mr_error_set(error, -EINVAL, "%s needs %u keys, separated by commas",
			    step->schema->name, count);
		if (decode(text, (size_t)(comma - text), word, sizeof(word)))
			return mr_error_set(error, -EINVAL,
			    "a key of %s has a %% without two digits, is not UTF-8, or too long",
			    step->schema->name);
		if (!take_key(path, step, leaves[i], word))
			return bad_key(step->schema, leaves[i], word, error);
		text = comma + (comma < end);
	}
	return 0;
}

/* Keys as words of their own: each takes as few words as make a value of its type. */
static int
keys_as_words(struct mr_path *path, struct mr_path_step *step, const char **at,
    struct mr_error *error)
{
	const struct lysc_node *leaves[MR_LIST_KEYS_MAX];
	unsigned count = key_leaves(step->schema, leaves);
	char word[WORD_MAX], first[WORD_MAX];

	for (unsigned i = 0; i < count; i++) {
		size_t length = 0;
		bool taken = false;

		if (!**at && i == 0)
			return 0; /* the list as a whole */
		if (!**at)
			return mr_error_set(error, -EINVAL, "%s needs %u keys, and %s is missing",
			    step->schema->name, count, leaves[i]->name);
		*first = '\0';
		for (size_t from = 0;; from = length + 1) {
			length = from + strcspn(*at + from, "/");
			if (decode(*at, length, word, sizeof(word)))
				break;
			if (!from)
				memcpy(first, word, strlen(word) + 1);
			taken = take_key(path, step, leaves[i], word);
			if (taken || !(*at)[length])
				break;
		}
		if (!taken && !*first)
			return mr_error_set(error, -EINVAL,
			    "a key of %s has a %% without two digits, is not UTF-8, empty, or too "
			    "long",
			    step->schema->name);
		if (!taken)
			return bad_key(step->schema, leaves[i], first, error);
		*at += length + ((*at)[length] == '/');
	}
	return 0;
}

static int
unknown(const struct mr_model *model, const struct lysc_node *parent, const char *word,
    struct mr_error *error)
{
	struct mr_suggest suggest = { .word = word };
	const struct lysc_node *known = NULL;
	char quoted[260];

	while ((known = mr_schema_next(model, parent, known)))
		mr_suggest_try(&suggest, known->name);
	mr_value_quote(word, quoted, sizeof(quoted));
	if (mr_suggest_best(&suggest))
		return mr_error_set(error, -EINVAL, "there is no %s in %s; did you mean \"%s\"?",
		    quoted, parent ? parent->name : "the model", mr_suggest_best(&suggest));
	return mr_error_set(error, -EINVAL, "there is no %s in %s", quoted,
	    parent ? parent->name : "the model");
}

int
mr_path_parse(struct mr_path *path, const struct mr_model *model, const char *text,
    struct mr_error *error)
{
	const struct lysc_node *parent = NULL;
	char name[WORD_MAX];
	int rc;

	memset(path, 0, offsetof(struct mr_path, text));
	while (text && *text) {
		size_t length = strcspn(text, "/"), named = strcspn(text, "/=");
		struct mr_path_step *step = &path->step[path->count];
		const char *sign = named < length ? text + named : NULL;

		if (!length) {
			text++;
			continue;
		}
		if (path->count == MR_PATH_STEPS_MAX)
			return mr_error_set(error, -EINVAL, "the path has too many parts");
		if (parent && mr_schema_is_leaf(parent))
			return mr_error_set(error, -EINVAL, "nothing stands below %s",
			    parent->name);
		if (decode(text, named, name, sizeof(name)))
			return mr_error_set(error, -EINVAL, "a part of the path cannot be read");
		step->schema = mr_schema_named(model, parent, name);
		if (!step->schema)
			return unknown(model, parent, name, error);
		text += length + (text[length] == '/');
		rc = sign ? keys_behind_sign(path, step, sign + 1, length - named - 1, error)
			  : keys_as_words(path, step, &text, error);
		if (rc)
			return rc;
		if (step->schema->nodetype == LYS_LIST && !step->key_count && *text)
			return mr_error_set(error, -EINVAL, "%s needs a key", step->schema->name);
		parent = step->schema;
		path->count++;
	}
	return 0;
}

/* -- finding --------------------------------------------------------------------------------- */

/* A node like the one that is looked for, under the one before it. */
static struct lyd_node *
make_like(const struct mr_path_step *step, struct lyd_node *parent)
{
	const struct lysc_node *s = step->schema;
	struct lyd_node *like = NULL;
	LY_ERR rc;

	if (s->nodetype == LYS_LIST)
		rc = lyd_new_list(parent, s->module, s->name, 0, &like, step->keys[0],
		    step->keys[1], step->keys[2], step->keys[3]);
	else if (s->nodetype == LYS_LEAFLIST)
		rc = lyd_new_term(parent, s->module, s->name, step->keys[0], 0, &like);
	else
		rc = lyd_new_inner(parent, s->module, s->name, 0, &like);
	return rc ? NULL : like;
}

struct lyd_node *
mr_path_find(const struct mr_path *path, unsigned steps, struct lyd_node *tree)
{
	struct lyd_node *like = NULL, *first = NULL, *node = NULL, *siblings = tree;

	for (unsigned i = 0; i < steps && siblings; i++, siblings = lyd_child(node)) {
		const struct mr_path_step *step = &path->step[i];

		node = NULL;
		if (step->schema->nodetype == LYS_LEAF ||
		    (step->schema->nodetype != LYS_CONTAINER && !step->key_count)) {
			if (lyd_find_sibling_val(siblings, step->schema, NULL, 0, &node))
				node = NULL;
		} else {
			like = make_like(step, like);
			first = first ? first : like;
			if (!like || lyd_find_sibling_first(siblings, like, &node))
				node = NULL;
		}
		if (!node || i + 1 == steps)
			break;
	}
	if (!siblings)
		node = NULL;
	lyd_free_tree(first);
	return node;
}

int
mr_config_at(const struct mr_config *config, const char *text, const struct mr_conf **out,
    struct mr_error *error)
{
	struct mr_path *path = malloc(sizeof(*path));
	int rc;

	*out = NULL;
	if (!path)
		return mr_error_set(error, -ENOMEM, "no memory for a path");
	rc = mr_path_parse(path, config->model, text, error);
	if (!rc && !path->count)
		*out = mr_conf_root(config);
	else if (!rc)
		*out = (const struct mr_conf *)mr_path_find(path, path->count, config->tree);
	free(path);
	if (!rc && !*out)
		rc = mr_error_set(error, -ENOENT, "there is nothing at %s", text);
	return rc;
}

/* -- writing --------------------------------------------------------------------------------- */

struct writer {
	char *text;
	size_t size, used;
};

static void
put(struct writer *w, char c)
{
	if (w->used + 1 < w->size)
		w->text[w->used] = c;
	w->used++;
}

static void
put_text(struct writer *w, const char *text)
{
	while (*text)
		put(w, *text++);
}

/* With the bytes of `special`, and those that nobody can read, as %XX. */
static void
put_escaped(struct writer *w, const char *text, const char *special)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '%' || c < 0x20 || c == 0x7f || strchr(special, c)) {
			put(w, '%');
			put(w, hex[c >> 4]);
			put(w, hex[c & 15]);
		} else {
			put(w, (char)c);
		}
	}
}

/* Whether a key with slashes in it is read back whole when they stand as they are. */
static bool
slashes_may_stand(const struct lysc_node *leaf, const char *key)
{
	char word[WORD_MAX];

	for (const char *slash = strchr(key, '/'); slash; slash = strchr(slash + 1, '/')) {
		if ((size_t)(slash - key) >= sizeof(word))
			return false;
		memcpy(word, key, (size_t)(slash - key));
		word[slash - key] = '\0';
		if (is_value(leaf, word, NULL))
			return false;
	}
	return true;
}

static unsigned
keys_of(const struct lyd_node *node, const struct lysc_node *leaves[MR_LIST_KEYS_MAX],
    const char *keys[MR_LIST_KEYS_MAX])
{
	unsigned count = key_leaves(node->schema, leaves), i = 0;
	const struct lyd_node *child;

	if (node->schema->nodetype == LYS_LEAFLIST)
		keys[0] = lyd_get_value(node);
	for (child = lyd_child(node); count && i < count && child; child = child->next)
		if (node->schema->nodetype == LYS_LIST)
			keys[i++] = lyd_get_value(child);
	return count;
}

static void
put_step(struct writer *w, const struct lyd_node *node, bool rfc8040)
{
	const struct lysc_node *leaves[MR_LIST_KEYS_MAX];
	const char *keys[MR_LIST_KEYS_MAX] = { "", "", "", "" };
	const struct lyd_node *above = node->parent ? &node->parent->node : NULL;
	unsigned count = keys_of(node, leaves, keys);
	bool sign = rfc8040;

	if (w->used)
		put(w, '/');
	if (rfc8040 && (!above || above->schema->module != node->schema->module)) {
		put_text(w, node->schema->module->name);
		put(w, ':');
	}
	put_text(w, node->schema->name);
	for (unsigned i = 0; i < count; i++)
		sign |= !*keys[i];
	for (unsigned i = 0; i < count; i++) {
		put(w, !sign ? '/' : i ? ',' : '=');
		if (sign)
			put_escaped(w, keys[i], rfc8040 ? "/,:?#[]@!$&'()*+;= \"<>\\^`{|}" : "/,");
		else
			put_escaped(w, keys[i], slashes_may_stand(leaves[i], keys[i]) ? "" : "/");
	}
}

static void
put_path(struct writer *w, const struct lyd_node *node, bool rfc8040)
{
	if (node->parent)
		put_path(w, &node->parent->node, rfc8040);
	put_step(w, node, rfc8040);
}

static size_t
print(const struct mr_conf *node, char *path, size_t size, bool rfc8040)
{
	struct writer w = { .text = path, .size = size };

	if (node && ((const struct lyd_node *)node)->schema)
		put_path(&w, (const struct lyd_node *)node, rfc8040);
	if (size)
		path[MR_MIN(w.used, size - 1)] = '\0';
	return w.used;
}

size_t
mr_path_print(const struct mr_conf *node, char *path, size_t size)
{
	return print(node, path, size, false);
}

size_t
mr_path_print_rfc8040(const struct mr_conf *node, char *path, size_t size)
{
	return print(node, path, size, true);
}
