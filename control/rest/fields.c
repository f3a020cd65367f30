/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 8040, 4.8.3: parts of an answer by name. */

#include <string.h>

#include "control/rest/rest_int.h"

#define NESTED_MAX 32u

struct fields {
	const char *at;
	unsigned nested;
};

/* A member by its name, with or without its module; the key that it has. */
static const char *
find(json_t *object, const char *name, size_t len)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		const char *colon = strchr(key, ':');
		bool whole = strlen(key) == len && memcmp(key, name, len) == 0;

		if (whole ||
		    (colon && strlen(colon + 1) == len && memcmp(colon + 1, name, len) == 0))
			return key;
	}
	return NULL;
}

static bool select_into(json_t *from, json_t *to, struct fields *, bool one);

/* The selection of `from`'s members, in entries where that is a list, is added to `to`. */
static bool
select_within(json_t *from, json_t *to, struct fields *f, bool one)
{
	struct fields start = *f;
	size_t i;

	if (json_is_object(from))
		return select_into(from, to, f, one);
	for (i = 0; i < json_array_size(from); i++) {
		*f = start;
		if (!json_is_object(json_array_get(from, i)) ||
		    !select_into(json_array_get(from, i), json_array_get(to, i), f, one))
			return false;
	}
	if (i == 0) { /* nothing is there to select from; the text must still make sense */
		json_t *nothing = json_object();
		bool good = nothing && select_into(nothing, nothing, f, one);

		json_decref(nothing);
		return good;
	}
	return true;
}

/* An empty value of the same shape. */
static json_t *
shape(const json_t *from)
{
	json_t *to;

	if (!json_is_array(from))
		return json_object();
	to = json_array();
	for (size_t i = 0; i < json_array_size(from); i++)
		json_array_append_new(to, json_object());
	return to;
}

/* What is behind a name: nothing, "/path" or "(selection)". */
static bool
select_member(json_t *from, json_t *to, const char *key, struct fields *f)
{
	json_t *value = key ? json_object_get(from, key) : NULL, *part, *nothing;
	bool nested = *f->at == '(', good;

	if (*f->at != '/' && *f->at != '(') {
		if (key)
			json_object_set(to, key, value);
		return true;
	}
	if (++f->nested > NESTED_MAX)
		return false;
	f->at++;
	nothing = json_object();
	part = key ? json_object_get(to, key) : NULL;
	if (key && !part && (json_is_object(value) || json_is_array(value))) {
		part = shape(value);
		json_object_set_new(to, key, part);
	}
	if (part && part != value)
		good = select_within(value, part, f, !nested);
	else
		good = nothing && select_into(nothing, nothing, f, !nested);
	json_decref(nothing);
	f->nested--;
	if (good && nested)
		good = *f->at++ == ')';
	return good;
}

/* Names with ";" between them, until ")" or the end; or one of them. */
static bool
select_into(json_t *from, json_t *to, struct fields *f, bool one)
{
	for (;;) {
		size_t len = strcspn(f->at, ";()/");
		const char *name = f->at;

		if (len == 0)
			return false;
		f->at += len;
		if (!select_member(from, to, find(from, name, len), f))
			return false;
		if (one || *f->at != ';')
			return true;
		f->at++;
	}
}

bool
rest_keep_fields(json_t *value, const char *text)
{
	struct fields f = { .at = text };
	json_t *part;
	bool good;

	part = shape(value);
	good = part && select_within(value, part, &f, false) && !*f.at;
	if (good && json_is_object(value)) {
		json_object_clear(value);
		json_object_update(value, part);
	} else if (good) {
		json_array_clear(value);
		json_array_extend(value, part);
	}
	json_decref(part);
	return good;
}

void
rest_keep_depth(json_t *value, unsigned depth)
{
	const char *key;
	json_t *member;
	void *next;
	size_t i;

	if (json_is_array(value)) { /* its entries are at its own level */
		json_array_foreach(value, i, member) rest_keep_depth(member, depth);
		return;
	}
	if (!json_is_object(value))
		return;
	if (depth <= 1) {
		json_object_clear(value);
		return;
	}
	json_object_foreach_safe(value, next, key, member) rest_keep_depth(member, depth - 1);
}
