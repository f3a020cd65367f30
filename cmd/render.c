/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/render.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 48

/* Columns that are seldom asked for: with everything, and for one entry alone. */
static const char *const seldom[] = { "index", "class", "mac", "detail", "rx-calls", "tx-calls",
	"loops" };
#define CELL_MAX 256

struct column {
	char name[64];    /* "counters/rx-packets": the path from the row */
	const char *head; /* its last part */
	size_t width;
	bool number; /* aligned right */
	bool shown;
};

struct table {
	struct column columns[COLUMNS_MAX];
	unsigned count;
	bool everything;
};

static bool
is_scalar(const json_t *v)
{
	return v && !json_is_object(v) &&
	    !(json_is_array(v) && json_is_object(json_array_get(v, 0)));
}

static void
cell_text(const json_t *v, char *text, size_t size)
{
	size_t used = 0;

	*text = 0;
	if (json_is_string(v))
		snprintf(text, size, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(text, size, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		snprintf(text, size, "%.1f", json_real_value(v));
	else if (json_is_boolean(v))
		snprintf(text, size, "%s", json_is_true(v) ? "yes" : "no");
	for (size_t i = 0; json_is_array(v) && i < json_array_size(v) && used < size; i++) {
		char item[64];

		cell_text(json_array_get(v, i), item, sizeof(item));
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", item);
	}
}

static const json_t *
at_path(const json_t *row, const char *path)
{
	char part[64];

	while (row && *path) {
		size_t len = strcspn(path, "/");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		row = json_object_get(row, part);
		path += len + (path[len] == '/');
	}
	return row;
}

static struct column *
column_of(struct table *t, const char *name)
{
	struct column *c;

	for (unsigned i = 0; i < t->count; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return &t->columns[i];
	if (t->count == COLUMNS_MAX)
		return NULL;
	c = &t->columns[t->count++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->head = strrchr(c->name, '/') ? strrchr(c->name, '/') + 1 : c->name;
	c->width = strlen(c->head);
	return c;
}

static bool
is_seldom(const char *name)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(seldom); i++)
		if (strcmp(seldom[i], name) == 0)
			return true;
	return false;
}

/* Something counted, with the sentence that explains it, and none so far. */
static bool
is_zero_count(const json_t *row)
{
	bool zero = false;
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)row, key, v)
	{
		if (json_is_integer(v) && json_integer_value(v) != 0)
			return false;
		zero |= json_is_integer(v);
	}
	return zero && json_object_get(row, "text");
}

/* Learns the columns that this row has, those of its containers included. */
static void
learn(struct table *t, const json_t *row, const char *prefix)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)row, key, v)
	{
		char name[64], text[CELL_MAX];
		struct column *c;

		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "/" : "", key);
		if (json_is_object(v)) {
			learn(t, v, name);
			continue;
		}
		if (!is_scalar(v))
			continue;
		c = column_of(t, name);
		if (!c)
			continue;
		cell_text(v, text, sizeof(text));
		c->width = MR_MAX(c->width, strlen(text));
		c->number = json_is_integer(v) || json_is_real(v);
		c->shown |= t->everything || c == t->columns ||
		    (!is_seldom(c->head) && !(json_is_integer(v) && json_integer_value(v) == 0));
	}
}

static void
print_row(FILE *out, const struct table *t, const json_t *row)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];
		char text[CELL_MAX];
		bool last = true;

		if (!c->shown)
			continue;
		for (unsigned k = i + 1; k < t->count; k++)
			last &= !t->columns[k].shown;
		if (row)
			cell_text(at_path(row, c->name), text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", c->head);
		if (c->number)
			fprintf(out, "%*s%s", (int)c->width, text, last ? "" : "  ");
		else
			fprintf(out, "%-*s%s", last ? 0 : (int)c->width, text, last ? "" : "  ");
	}
	fputc('\n', out);
}

/* Long texts read better at the end of a line. */
static int
by_length(const void *a, const void *b)
{
	const struct column *x = a, *y = b;

	return (x->width > 40) - (y->width > 40);
}

/* The rows worth showing, as an array of its own. */
static json_t *
worth_showing(const json_t *all, bool everything)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach(all, i, row) if (everything || !is_zero_count(row))
	    json_array_append(rows, row);
	return rows;
}

/* The lists within a row, as tables of their own. */
static void
render_lists(FILE *out, const char *title, const char *name, json_t *row, bool everything)
{
	char sub[CELL_MAX * 2];
	const char *key;
	json_t *v;

	json_object_foreach(row, key, v)
	{
		json_t *rows;

		if (!json_is_array(v) || is_scalar(v))
			continue;
		rows = worth_showing(v, everything);
		if (json_array_size(rows) > 0) {
			snprintf(sub, sizeof(sub), "%s %s: %s", title, name, key);
			fputc('\n', out);
			mr_render(out, sub, v, everything);
		}
		json_decref(rows);
	}
}

static void
render_table(FILE *out, const char *title, const json_t *all, bool everything)
{
	struct table t = { .everything = everything };
	json_t *rows = worth_showing(all, everything), *row;
	size_t i;

	json_array_foreach(rows, i, row) learn(&t, row, "");
	/* Stable for the few columns there are: merge sort in glibc. */
	qsort(t.columns, t.count, sizeof(t.columns[0]), by_length);
	for (unsigned k = 0; k < t.count; k++) { /* they moved */
		struct column *c = &t.columns[k];

		c->head = strrchr(c->name, '/') ? strrchr(c->name, '/') + 1 : c->name;
	}
	if (t.count)
		print_row(out, &t, NULL);
	else
		fprintf(out, "nothing so far\n");
	json_array_foreach(rows, i, row) print_row(out, &t, row);
	json_array_foreach(rows, i, row)
	{
		char name[CELL_MAX];

		cell_text(t.count ? at_path(row, t.columns[0].name) : NULL, name, sizeof(name));
		render_lists(out, title, name, row, everything);
	}
	json_decref(rows);
}

static void
render_object(FILE *out, const json_t *object, bool everything, unsigned indent)
{
	const char *key;
	json_t *v;
	size_t width = 0;

	json_object_foreach((json_t *)object, key, v) if (is_scalar(v)) width =
	    MR_MAX(width, strlen(key));
	json_object_foreach((json_t *)object, key, v)
	{
		char text[CELL_MAX * 4];

		if (!is_scalar(v))
			continue;
		cell_text(v, text, sizeof(text));
		fprintf(out, "%*s%-*s  %s\n", (int)indent, "", (int)width, key, text);
	}
	json_object_foreach((json_t *)object, key, v)
	{
		if (json_is_object(v)) {
			fprintf(out, "\n%*s%s:\n", (int)indent, "", key);
			render_object(out, v, everything, indent + 2);
		} else if (!is_scalar(v)) {
			char title[CELL_MAX];

			snprintf(title, sizeof(title), "%s:", key);
			fputc('\n', out);
			mr_render(out, title, v, everything);
		}
	}
}

void
mr_render(FILE *out, const char *title, const json_t *value, bool everything)
{
	if (json_is_array(value)) {
		if (title && *title && strchr(title, ':'))
			fprintf(out, "%s\n", title);
		render_table(out, title, value, everything);
	} else {
		render_object(out, value, everything, 0);
	}
}
