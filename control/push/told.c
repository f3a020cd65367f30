/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What was there at the last look, to compare the next one with. States are written in the same
 * order each time, so that a value is nearly always found behind the one before it; an index by hash is
 * made when one is not.
 */

#include <stdlib.h>
#include <string.h>

#include "control/push/subscription_int.h"

#define ROWS_MAX MR_SAMPLE_MAX

void
push_told_clear(struct push_told *t)
{
	t->count = t->text_used = t->cursor = 0;
	t->indexed = false;
}

void
push_told_free(struct push_told *t)
{
	free(t->rows);
	free(t->text);
	free(t->index);
	*t = (struct push_told){ 0 };
}

static const char *
text_of(const struct mr_sample *s, const struct mr_sample_value *v)
{
	return v->leaf->kind == MR_LEAF_TEXT ? mr_sample_text(s, v->text) : "";
}

/* Whether the row is about that leaf of that entry; of a leaf-list, about that member. */
static bool
is_about(const struct push_told *t, const struct push_row *row, const struct mr_sample *s,
    const struct mr_sample_value *v)
{
	return row->leaf == v->leaf &&
	    strcmp(t->text + row->path, mr_sample_text(s, s->entries[v->entry].path)) == 0 &&
	    (!v->leaf->many || push_told_same(t, row, s, v));
}

bool
push_told_same(const struct push_told *t, const struct push_row *row, const struct mr_sample *s,
    const struct mr_sample_value *v)
{
	return v->leaf->kind == MR_LEAF_TEXT ? strcmp(t->text + row->text, text_of(s, v)) == 0
					     : row->u == v->u;
}

static uint64_t
hash_of(const struct mr_leaf *leaf, const char *path, const char *text, uint64_t u)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ leaf->index;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
	if (leaf->many && leaf->kind == MR_LEAF_TEXT)
		for (; *text; text++)
			hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	else if (leaf->many)
		hash = (hash ^ u) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 29;
}

static bool
make_index(struct push_told *t)
{
	size_t size = 1024;

	if (t->indexed)
		return true;
	while (size < t->count * 2)
		size *= 2;
	if (size > t->index_size) {
		free(t->index);
		t->index = malloc(size * sizeof(*t->index));
		t->index_size = t->index ? size : 0;
	}
	if (!t->index)
		return false;
	memset(t->index, 0, t->index_size * sizeof(*t->index));
	for (size_t i = 0; i < t->count; i++) {
		const struct push_row *row = &t->rows[i];
		uint64_t at = hash_of(row->leaf, t->text + row->path, t->text + row->text, row->u);

		while (t->index[at & (t->index_size - 1)])
			at++;
		t->index[at & (t->index_size - 1)] = (uint32_t)i + 1;
	}
	t->indexed = true;
	return true;
}

struct push_row *
push_told_find(struct push_told *t, const struct mr_sample *s, const struct mr_sample_value *v)
{
	struct push_row *row = t->cursor < t->count ? &t->rows[t->cursor] : NULL;
	uint64_t at;
	uint32_t found;

	if (row && is_about(t, row, s, v)) {
		t->cursor++;
		return row;
	}
	if (!t->count || !make_index(t))
		return NULL;
	at = hash_of(v->leaf, mr_sample_text(s, s->entries[v->entry].path), text_of(s, v), v->u);
	for (; (found = t->index[at & (t->index_size - 1)]); at++) {
		if (!is_about(t, &t->rows[found - 1], s, v))
			continue;
		t->cursor = found;
		return &t->rows[found - 1];
	}
	return NULL;
}

static uint32_t
add_text(struct push_told *t, const char *text)
{
	memcpy(t->text + t->text_used, text, strlen(text) + 1);
	t->text_used += strlen(text) + 1;
	return (uint32_t)(t->text_used - strlen(text) - 1);
}

/* Values of one entry follow each other and share its path. */
static uint32_t
add_path(struct push_told *t, const char *path)
{
	const struct push_row *last = t->count ? &t->rows[t->count - 1] : NULL;

	if (last && strcmp(t->text + last->path, path) == 0)
		return last->path;
	return add_text(t, path);
}

static bool
told_rooms(struct push_told *t, size_t text)
{
	size_t room = t->text_room ? t->text_room : 16384;
	struct push_row *rows;
	char *grown;

	while (room - t->text_used < text)
		room *= 2;
	if (room != t->text_room) {
		grown = realloc(t->text, room);
		if (!grown)
			return false;
		t->text = grown;
		t->text_room = room;
	}
	if (t->count == t->room) {
		rows = realloc(t->rows, (t->room ? t->room * 2 : 256) * sizeof(*rows));
		if (!rows)
			return false;
		t->rows = rows;
		t->room = t->room ? t->room * 2 : 256;
	}
	return true;
}

struct push_row *
push_told_add(struct push_told *t, const struct mr_sample *s, const struct mr_sample_value *v)
{
	const char *path = mr_sample_text(s, s->entries[v->entry].path);
	const char *text = text_of(s, v);
	struct push_row *row;

	if (t->count == ROWS_MAX || !told_rooms(t, strlen(path) + strlen(text) + 2))
		return NULL;
	row = &t->rows[t->count];
	*row = (struct push_row){ .leaf = v->leaf, .u = v->u };
	row->path = add_path(t, path);
	row->text = add_text(t, text);
	t->count++;
	t->indexed = false;
	return row;
}

void
push_told_swap(struct push_told *a, struct push_told *b)
{
	struct push_told c = *a;

	*a = *b;
	*b = c;
}
