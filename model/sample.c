/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_int.h"
#include "model/leaves_int.h"
#include "model/state_int.h"

#define HASH_SEED UINT64_C(0xcbf29ce484222325) /* FNV-1a */
#define TEXT_MAX (256u << 20)                  /* bytes of one sample's texts */

int
mr_sample_create(struct mr_sample **out, const struct mr_leaves *leaves)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->leaves = leaves;
	return 0;
}

void
mr_sample_destroy(struct mr_sample *s)
{
	if (!s)
		return;
	mr_state_destroy(s->state);
	free(s->values);
	free(s->entries);
	free(s->text);
	free(s);
}

/* Room for one more of `size` bytes. */
static bool
grow(struct mr_sample *s, void **array, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 1024;
	void *grown;

	if (count < *room)
		return true;
	grown = realloc(*array, more * size);
	if (!grown) {
		s->failed = true;
		return false;
	}
	*array = grown;
	*room = more;
	return true;
}

/* Room for `size` bytes behind the texts, which stay where they are until the next call. */
static char *
text_room(struct mr_sample *s, size_t size)
{
	size_t room = s->text_room ? s->text_room : 65536;
	char *grown;

	while (room - s->text_used < size && room <= TEXT_MAX)
		room *= 2;
	if (room > TEXT_MAX) {
		s->failed = true;
		return NULL;
	}
	if (room != s->text_room) {
		grown = realloc(s->text, room);
		if (!grown) {
			s->failed = true;
			return NULL;
		}
		s->text = grown;
		s->text_room = room;
	}
	return s->text + s->text_used;
}

static uint32_t
text_add(struct mr_sample *s, const char *text)
{
	size_t size = strlen(text) + 1;
	char *to = text_room(s, size);

	if (!to)
		return 0;
	memcpy(to, text, size);
	s->text_used += size;
	return (uint32_t)(s->text_used - size);
}

/* -- entries ----------------------------------------------------------------------------- */

static uint32_t
entry_add(struct mr_sample *s, const struct mr_leaf_list *list)
{
	struct mr_sample_entry *e;

	if (!grow(s, (void **)&s->entries, s->entry_count, &s->entry_room, sizeof(*s->entries)))
		return 0;
	e = &s->entries[s->entry_count];
	*e = (struct mr_sample_entry){
		.list = list,
		.parent = s->depth ? s->open[s->depth - 1] : 0,
		.keys_left = list ? list->key_count : 0,
	};
	return (uint32_t)s->entry_count++;
}

static uint64_t
hash_text(const char *text, uint64_t hash)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t
mr_sample_hash(const char *path)
{
	return hash_text(path, HASH_SEED);
}

/* A key in quotes that are not in it; who has both kinds loses one, as %22. */
static char *
quote_key(char *to, const char *key)
{
	char quote = strchr(key, '\'') ? '"' : '\'';

	*to++ = quote;
	for (; *key; key++) {
		if (*key == quote)
			to += sprintf(to, "%%22");
		else
			*to++ = *key;
	}
	*to++ = quote;
	return to;
}

/* All keys are there: the path of the entry, behind its parent's. */
static void
entry_seal(struct mr_sample *s, struct mr_sample_entry *e)
{
	const struct mr_leaf_list *list = e->list, *above = list->parent;
	const char *own = list->path + (above ? strlen(above->path) : 0);
	const char *parent = above ? mr_sample_text(s, s->entries[e->parent].path) : "";
	size_t size = strlen(parent) + strlen(own) + 2;
	size_t parent_at = (size_t)(parent - s->text);
	char *to, *start;

	for (unsigned k = 0; k < list->key_count; k++)
		size += strlen(mr_sample_text(s, e->keys[k])) * 3 + strlen(list->keys[k]) + 5;
	start = to = text_room(s, size);
	if (!to)
		return;
	to = stpcpy(to, above ? s->text + parent_at : "/");
	to = stpcpy(to, own);
	for (unsigned k = 0; k < list->key_count; k++) {
		*to++ = '[';
		to = stpcpy(to, list->keys[k]);
		*to++ = '=';
		to = quote_key(to, mr_sample_text(s, e->keys[k]));
		*to++ = ']';
	}
	*to++ = '\0';
	e->path = (uint32_t)s->text_used;
	e->hash = hash_text(start + (above ? strlen(s->text + parent_at) : 0),
	    above ? s->entries[e->parent].hash : HASH_SEED);
	s->text_used += (size_t)(to - start);
}

/* -- what the writer says ---------------------------------------------------------------- */

static void
sink_open(void *arg, const struct lysc_node *schema)
{
	struct mr_sample *s = arg;
	const struct mr_leaf_list *list = leaves_list(s->leaves, schema);

	if (s->failed || s->depth + 1 >= MR_ARRAY_COUNT(s->open)) {
		s->failed = true;
		return;
	}
	s->depth++;
	s->open[s->depth] = list ? entry_add(s, list) : s->open[s->depth - 1];
}

static void
sink_close(void *arg)
{
	struct mr_sample *s = arg;

	if (s->depth)
		s->depth--;
}

/* Rounded as text is, so that both say the same. */
static int64_t
decimal_of(double value, unsigned digits)
{
	char text[64], *to = text;
	int len = snprintf(text, sizeof(text), "%.*f", (int)digits, value);

	for (int i = 0; i <= len; i++)
		if (text[i] != '.')
			*to++ = text[i];
	return strtoll(text, NULL, 10);
}

static void
key_set(struct mr_sample *s, struct mr_sample_entry *e, const struct mr_state_value *value)
{
	char digits[32];

	if (value->is == MR_STATE_IS_NUMBER)
		snprintf(digits, sizeof(digits), "%s%" PRIu64, value->negative ? "-" : "",
		    value->size);
	else if (value->is == MR_STATE_IS_BOOL)
		snprintf(digits, sizeof(digits), "%s", value->size ? "true" : "false");
	e->keys[e->list->key_count - e->keys_left] =
	    text_add(s, value->is == MR_STATE_IS_TEXT ? value->text : digits);
	if (--e->keys_left == 0)
		entry_seal(s, e);
}

static void
value_add(struct mr_sample *s, const struct mr_leaf *leaf, const struct mr_state_value *value)
{
	struct mr_sample_value *v;

	if (s->value_count == MR_SAMPLE_MAX) {
		s->cut++;
		return;
	}
	if (!grow(s, (void **)&s->values, s->value_count, &s->value_room, sizeof(*s->values)))
		return;
	v = &s->values[s->value_count++];
	*v = (struct mr_sample_value){ .leaf = leaf, .entry = s->open[s->depth] };
	if (leaf->kind == MR_LEAF_TEXT)
		v->text = text_add(s, value->is == MR_STATE_IS_TEXT ? value->text : "");
	else if (leaf->kind == MR_LEAF_ENUM)
		while (v->u < leaf->word_count && leaf->words[v->u] != value->text)
			v->u++;
	else if (leaf->kind == MR_LEAF_DECIMAL)
		v->i = decimal_of(value->real, leaf->digits);
	else
		v->u = value->negative ? -value->size : value->size;
}

static void
sink_leaf(void *arg, const struct lysc_node *schema, const struct mr_state_value *value)
{
	struct mr_sample *s = arg;
	const struct mr_leaf *leaf = leaves_find(s->leaves, schema);

	if (s->failed || !leaf)
		return;
	if (leaf->key && s->entries[s->open[s->depth]].keys_left)
		key_set(s, &s->entries[s->open[s->depth]], value);
	else
		value_add(s, leaf, value);
}

static const struct mr_state_sink sink = { sink_open, sink_close, sink_leaf };

struct mr_state *
mr_sample_begin(struct mr_sample *s, const struct mr_model *model)
{
	mr_state_destroy(s->state);
	s->state = NULL;
	s->value_count = s->entry_count = s->text_used = s->depth = 0;
	s->cut = 0;
	s->failed = false;
	text_add(s, "");
	s->open[0] = entry_add(s, NULL);
	if (s->failed || mr_state_create_into(&s->state, model, &sink, s))
		return NULL;
	return s->state;
}

int
mr_sample_end(struct mr_sample *s, struct mr_error *error)
{
	const char *text;
	size_t size;
	int rc = mr_state_finish(s->state, &text, &size, error);

	if (!rc && s->failed)
		rc = mr_error_set(error, -ENOMEM, "not enough memory to sample the state");
	return rc;
}

unsigned
mr_sample_print(const struct mr_leaf *leaf, const struct mr_sample_value *v,
    char text[MR_SAMPLE_NUMBER])
{
	uint64_t size = v->i < 0 ? -(uint64_t)v->i : (uint64_t)v->i, one = 1;
	int len = 0;

	switch (leaf->kind) {
	case MR_LEAF_UINT:
		len = snprintf(text, MR_SAMPLE_NUMBER, "%" PRIu64, v->u);
		break;
	case MR_LEAF_INT:
		len = snprintf(text, MR_SAMPLE_NUMBER, "%" PRId64, v->i);
		break;
	case MR_LEAF_BOOL:
		len = snprintf(text, MR_SAMPLE_NUMBER, "%s", v->u ? "true" : "false");
		break;
	case MR_LEAF_DECIMAL:
		for (unsigned i = 0; i < leaf->digits; i++)
			one *= 10;
		len = snprintf(text, MR_SAMPLE_NUMBER, "%s%" PRIu64 ".%0*" PRIu64,
		    v->i < 0 ? "-" : "", size / one, leaf->digits, size % one);
		while (text[len - 1] == '0' && text[len - 2] != '.')
			len--;
		break;
	case MR_LEAF_ENUM:
	case MR_LEAF_TEXT:
		break;
	}
	text[len] = '\0';
	return (unsigned)len;
}
