/* SPDX-License-Identifier: Apache-2.0 */

/* A sample as text: https://prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics
 * 1.0. All series of a family stand together, whichever order their writers had. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/metrics/metrics_int.h"

/* Room for `size` more bytes, or null. */
static char *
reserve(char **text, size_t used, size_t *room, size_t size)
{
	size_t more = *room ? *room : 65536;
	char *grown;

	while (more - used < size)
		more *= 2;
	if (more != *room) {
		grown = realloc(*text, more);
		if (!grown)
			return NULL;
		*text = grown;
		*room = more;
	}
	return *text + used;
}

/* Label values, and in OpenMetrics all help, escape the quote; help of the older form does not. */
static char *
escape(char *to, const char *from, bool quotes)
{
	for (; *from; from++) {
		if (*from == '\n') {
			*to++ = '\\';
			*to++ = 'n';
			continue;
		}
		if (*from == '\\' || (quotes && *from == '"'))
			*to++ = '\\';
		*to++ = *from;
	}
	return to;
}

static bool
page_rooms(struct page *p, const struct families *fs, const struct mr_sample *s)
{
	if (!p->starts)
		p->starts = calloc(mr_leaves_count(fs->leaves) + 2, sizeof(*p->starts));
	if (p->order_room < s->value_count) {
		free(p->order);
		p->order_room = s->value_room;
		p->order = malloc(p->order_room * sizeof(*p->order));
	}
	if (p->entry_room < s->entry_count) {
		free(p->of_entry);
		p->entry_room = s->entry_room;
		p->of_entry = malloc(p->entry_room * sizeof(*p->of_entry));
	}
	if (!p->order || !p->of_entry)
		p->order_room = p->entry_room = 0;
	return p->starts && (p->order || !s->value_count) && p->of_entry;
}

/* What stands between the braces for each entry, its parents' labels first. */
static bool
write_labels(struct page *p, const struct families *fs, const struct mr_sample *s)
{
	p->labels_used = 0;
	p->of_entry[0] = (struct page_label){ 0 };
	for (size_t i = 1; i < s->entry_count; i++) {
		const struct mr_sample_entry *e = &s->entries[i];
		const struct page_label *above = &p->of_entry[e->parent];
		size_t size = above->size + 2;
		char *start, *to;

		for (unsigned k = 0; k < e->list->key_count; k++)
			size += strlen(fs->labels[e->list->index][k]) +
			    2 * strlen(mr_sample_text(s, e->keys[k])) + 4;
		start = to = reserve(&p->labels, p->labels_used, &p->labels_room, size);
		if (!to)
			return false;
		memcpy(to, p->labels + above->at, above->size);
		to += above->size;
		for (unsigned k = 0; k < e->list->key_count; k++) {
			if (to != start)
				*to++ = ',';
			to = stpcpy(to, fs->labels[e->list->index][k]);
			*to++ = '=';
			*to++ = '"';
			to = escape(to, mr_sample_text(s, e->keys[k]), true);
			*to++ = '"';
		}
		p->of_entry[i] =
		    (struct page_label){ (uint32_t)p->labels_used, (uint32_t)(to - start) };
		p->labels_used += (size_t)(to - start);
	}
	return true;
}

/* The values in the order of their families; within one, as they were written. */
static void
sort_values(struct page *p, const struct families *fs, const struct mr_sample *s)
{
	unsigned count = mr_leaves_count(fs->leaves);

	memset(p->starts, 0, (count + 2) * sizeof(*p->starts));
	for (size_t i = 0; i < s->value_count; i++)
		p->starts[s->values[i].leaf->index + 2]++;
	for (unsigned i = 2; i < count + 2; i++)
		p->starts[i] += p->starts[i - 1];
	for (size_t i = 0; i < s->value_count; i++)
		p->order[p->starts[s->values[i].leaf->index + 1]++] = (uint32_t)i;
}

static bool
write_head(struct page *p, const struct family *f, bool open)
{
	size_t size = strlen(f->name) * 3 + 2 * strlen(f->leaf->doc) + 128;
	const char *total = f->leaf->counter && !open ? "_total" : "";
	char *to = reserve(&p->text, p->used, &p->room, size);

	if (!to)
		return false;
	to += sprintf(to, "# HELP %s%s ", f->name, total);
	to = escape(to, f->leaf->doc, open);
	to += sprintf(to, "\n# TYPE %s%s %s\n", f->name, total,
	    f->leaf->counter ? "counter" : "gauge");
	if (open && f->unit)
		to += sprintf(to, "# UNIT %s %s\n", f->name, f->unit);
	p->used = (size_t)(to - p->text);
	return true;
}

static char *
put_digits(char *to, unsigned __int128 size, unsigned least)
{
	char text[48], *d = text + sizeof(text);

	while (size || least) {
		*--d = (char)('0' + (unsigned)(size % 10));
		size /= 10;
		least -= !!least;
	}
	memcpy(to, d, (size_t)(text + sizeof(text) - d));
	return to + (text + sizeof(text) - d);
}

/* The number in the family's unit, exactly. */
static char *
put_value(char *to, const struct family *f, const struct mr_sample_value *v)
{
	bool below = (f->leaf->kind == MR_LEAF_INT || f->leaf->kind == MR_LEAF_DECIMAL) && v->i < 0;
	unsigned __int128 size = below ? -v->u : v->u, one = 1;

	size *= f->times;
	for (unsigned i = 0; i < f->digits; i++)
		one *= 10;
	if (below)
		*to++ = '-';
	to = put_digits(to, size / one, 1);
	if (size % one == 0)
		return to;
	*to++ = '.';
	to = put_digits(to, size % one, f->digits);
	while (to[-1] == '0')
		to--;
	return to;
}

/* One line; `word`, of an enumeration, is 1 or 0. */
static bool
write_line(struct page *p, const struct family *f, const struct mr_sample_value *v,
    const char *word, bool on)
{
	const struct page_label *label = &p->of_entry[v->entry];
	size_t size = strlen(f->name) + label->size + 128;
	char *to;

	if (p->series == METRICS_SERIES_MAX) {
		p->cut++;
		return true;
	}
	if (word)
		size += strlen(f->state) + 2 * strlen(word);
	to = reserve(&p->text, p->used, &p->room, size);
	if (!to)
		return false;
	p->series++;
	to = stpcpy(to, f->name);
	if (f->leaf->counter)
		to = stpcpy(to, "_total");
	if (label->size || word)
		*to++ = '{';
	if (label->size)
		memcpy(to, p->labels + label->at, label->size);
	to += label->size;
	if (word) {
		to += sprintf(to, "%s%s=\"", label->size ? "," : "", f->state);
		to = escape(to, word, true);
		*to++ = '"';
	}
	if (label->size || word)
		*to++ = '}';
	*to++ = ' ';
	if (word)
		*to++ = on ? '1' : '0';
	else
		to = put_value(to, f, v);
	*to++ = '\n';
	p->used = (size_t)(to - p->text);
	return true;
}

static bool
write_value(struct page *p, const struct family *f, const struct mr_sample_value *v)
{
	if (f->leaf->kind != MR_LEAF_ENUM)
		return write_line(p, f, v, NULL, false);
	for (unsigned w = 0; w < f->leaf->word_count; w++)
		if (!write_line(p, f, v, f->leaf->words[w], v->u == w))
			return false;
	return true;
}

static bool
write_families(struct page *p, const struct families *fs, const struct mr_sample *s, bool open)
{
	uint32_t from = 0;

	for (unsigned i = 0; i < mr_leaves_count(fs->leaves); i++) {
		const struct family *f = &fs->list[i];
		uint32_t to = p->starts[i + 1], end = to;

		/* Who wants more rules than that counts them in another way. */
		if (f->leaf && to - from > METRICS_FAMILY_MAX) {
			p->cut += to - from - METRICS_FAMILY_MAX;
			end = from + METRICS_FAMILY_MAX;
		}

		if (f->leaf && from < to && !write_head(p, f, open))
			return false;
		for (uint32_t at = from; f->leaf && at < end; at++)
			if (!write_value(p, f, &s->values[p->order[at]]))
				return false;
		from = to;
	}
	return true;
}

int
page_write(struct page *p, const struct families *fs, const struct mr_sample *s, bool open)
{
	char *end;

	p->used = 0;
	p->series = 0;
	p->cut = s->cut;
	if (!page_rooms(p, fs, s) || !write_labels(p, fs, s))
		return -ENOMEM;
	sort_values(p, fs, s);
	if (!write_families(p, fs, s, open))
		return -ENOMEM;
	end = reserve(&p->text, p->used, &p->room, 16);
	if (!end)
		return -ENOMEM;
	if (open)
		p->used += (size_t)sprintf(end, "# EOF\n");
	return 0;
}

void
page_free(struct page *p)
{
	free(p->text);
	free(p->labels);
	free(p->of_entry);
	free(p->order);
	free(p->starts);
}
