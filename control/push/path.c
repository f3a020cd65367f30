/* SPDX-License-Identifier: Apache-2.0 */

/* Paths in the model, with keys, patterns or nothing behind lists. */

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/push/push_int.h"

#define STEP_MAX 512

struct parse {
	struct push_path *path;
	const struct mr_leaves *leaves;
	char schema[STEP_MAX];
	const struct mr_leaf_list *list; /* whose keys may follow */
	unsigned keys;                   /* of them, already there */
	struct mr_error *error;
};

/* Whether `path` is `prefix` or below it. */
static bool
is_below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0 && (!path[length] || path[length] == '/');
}

static const struct mr_leaf_list *
list_at(const struct mr_leaves *leaves, const char *schema)
{
	for (unsigned i = 0; i < mr_leaves_list_count(leaves); i++)
		if (strcmp(mr_leaves_list_at(leaves, i)->path, schema) == 0)
			return mr_leaves_list_at(leaves, i);
	return NULL;
}

static bool
known(const struct mr_leaves *leaves, const char *schema)
{
	for (unsigned i = 0; i < mr_leaves_count(leaves); i++)
		if (is_below(mr_leaves_at(leaves, i)->path, schema))
			return true;
	return false;
}

static int
hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10;
}

/* %2F and the like, in place. */
static void
decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '%' && isxdigit((unsigned char)text[1]) &&
		    isxdigit((unsigned char)text[2])) {
			*to++ = (char)(hex(text[1]) * 16 + hex(text[2]));
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static int
add_key(struct parse *p, unsigned key, char *pattern)
{
	struct push_key *k = &p->path->keys[p->path->key_count];

	if (p->path->key_count == PUSH_KEYS_MAX)
		return mr_error_set(p->error, -E2BIG, "the path has too many keys");
	decode(pattern);
	*k = (struct push_key){ p->list, key, strdup(pattern) };
	if (!k->pattern)
		return mr_error_set(p->error, -ENOMEM, "no memory");
	p->path->key_count++;
	return 0;
}

/* RFC 8040's: "lan1,7" behind an equals sign. */
static int
add_keys(struct parse *p, char *values)
{
	char *save = NULL;
	int rc = 0;

	for (char *v = strtok_r(values, ",", &save); !rc && v; v = strtok_r(NULL, ",", &save)) {
		if (!p->list || p->keys == p->list->key_count)
			return mr_error_set(p->error, -EINVAL, "%s has no such key", p->schema);
		rc = add_key(p, p->keys++, v);
	}
	return rc;
}

/* RFC 7950's: "[name='lan1'][id='7']". */
static int
add_predicates(struct parse *p, char *at)
{
	while (*at) {
		size_t name = strcspn(at + 1, "=");
		char *value = at + 1 + name + 1, *end;
		unsigned key = 0;
		int rc;

		if (*at != '[' || !at[1 + name] || (*value != '\'' && *value != '"') ||
		    !(end = strchr(value + 1, *value)) || end[1] != ']')
			return mr_error_set(p->error, -EINVAL, "%s: keys are [name='value']",
			    p->schema);
		while (p->list && key < p->list->key_count &&
		    (strlen(p->list->keys[key]) != name ||
			strncmp(p->list->keys[key], at + 1, name) != 0))
			key++;
		if (!p->list || key == p->list->key_count)
			return mr_error_set(p->error, -EINVAL, "%s has no key %.*s", p->schema,
			    (int)name, at + 1);
		*end = '\0';
		rc = add_key(p, key, value + 1);
		if (rc)
			return rc;
		p->keys = p->list->key_count;
		at = end + 2;
	}
	return 0;
}

static int
add_step(struct parse *p, char *step)
{
	size_t length = strcspn(step, "=[");
	size_t used = strlen(p->schema);
	char tail = step[length];

	step[length] = '\0';
	if (used + length + 2 > sizeof(p->schema))
		return mr_error_set(p->error, -ENAMETOOLONG, "the path is too long");
	sprintf(p->schema + used, "%s%s", used ? "/" : "", step);
	if (!known(p->leaves, p->schema)) {
		p->schema[used] = '\0';
		if (!p->list || p->keys == p->list->key_count)
			return mr_error_set(p->error, -ENOENT, "there is no \"%s\" in %s", step,
			    used ? p->schema : "the model");
		step[length] = tail;
		return add_key(p, p->keys++, step);
	}
	p->list = list_at(p->leaves, p->schema);
	p->keys = 0;
	if (tail == '=')
		return add_keys(p, step + length + 1);
	step[length] = tail;
	return tail ? add_predicates(p, step + length) : 0;
}

/* The end of a step: a slash that is in no quotes. */
static char *
step_end(char *at)
{
	char quote = '\0';

	for (; *at && (quote || *at != '/'); at++)
		if (quote ? *at == quote : at[0] == '=' && (at[1] == '\'' || at[1] == '"'))
			quote = quote ? '\0' : *++at;
	return at;
}

int
push_path_parse(struct push_path *path, const struct mr_leaves *leaves, const char *text,
    struct mr_error *error)
{
	struct parse p = { .path = path, .leaves = leaves, .error = error };
	char *copy = strdup(text), *at = copy;
	int rc = copy ? 0 : mr_error_set(error, -ENOMEM, "no memory");

	*path = (struct push_path){ 0 };
	while (!rc && *at) {
		char *end = step_end(at);
		bool last = !*end;

		*end = '\0';
		if (*at)
			rc = add_step(&p, at);
		at = last ? end : end + 1;
	}
	free(copy);
	if (!rc && !p.schema[0])
		rc = mr_error_set(error, -EINVAL, "the path is empty");
	if (!rc && !(path->schema = strdup(p.schema)))
		rc = mr_error_set(error, -ENOMEM, "no memory");
	if (rc)
		push_path_clear(path);
	return rc;
}

void
push_path_clear(struct push_path *path)
{
	for (unsigned i = 0; i < path->key_count; i++)
		free(path->keys[i].pattern);
	free(path->schema);
	*path = (struct push_path){ 0 };
}

bool
push_path_covers(const struct push_path *path, const struct mr_leaf *leaf)
{
	return is_below(leaf->path, path->schema);
}

bool
push_path_fits(const struct push_path *path, const struct mr_sample *s,
    const struct mr_sample_entry *e)
{
	for (unsigned i = 0; i < path->key_count; i++) {
		const struct push_key *k = &path->keys[i];

		if (k->list == e->list &&
		    fnmatch(k->pattern, mr_sample_text(s, e->keys[k->key]), 0) != 0)
			return false;
	}
	return true;
}
