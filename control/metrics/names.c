/* SPDX-License-Identifier: Apache-2.0 */

/* Names of families, from the model's leaves. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/metrics/metrics_int.h"

/* Units of the model and what Prometheus calls them, in base units. */
static const struct unit {
	const char *said, *base;
	uint32_t times;
	uint8_t digits;
} units[] = {
	{ "seconds", "seconds", 1, 0 },
	{ "milliseconds", "seconds", 1, 3 },
	{ "microseconds", "seconds", 1, 6 },
	{ "nanoseconds", "seconds", 1, 9 },
	{ "bytes", "bytes", 1, 0 },
	{ "bit/s", "bytes_per_second", 125, 3 },
	{ "kbit/s", "bytes_per_second", 125, 0 },
	{ "Mbit/s", "bytes_per_second", 125000, 0 },
	{ "percent", "ratio", 1, 2 },
};

/* Other units are words: "packets/s" becomes "packets_per_second". */
static const struct unit *
unit_of(const char *said)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(units); i++)
		if (strcmp(units[i].said, said) == 0)
			return &units[i];
	return NULL;
}

static void
put_word(char *name, const char *word, size_t length)
{
	size_t used = strlen(name);

	for (size_t i = 0; i < length && used + 2 < METRICS_NAME_MAX; i++)
		name[used++] = isalnum((unsigned char)word[i]) ? word[i] : '_';
	name[used] = '\0';
}

static bool
is_type(const char *step, size_t length)
{
	static const char *const types[] = { "counter", "gauge", "histogram", "summary" };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(types); i++)
		if (strlen(types[i]) == length && strncmp(step, types[i], length) == 0)
			return true;
	return false;
}

/* Ends that histograms and summaries have. */
static bool
is_reserved(const char *step, size_t length)
{
	static const char *const ends[] = { "count", "sum", "bucket" };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(ends); i++)
		if (strlen(ends[i]) <= length &&
		    strncmp(step + length - strlen(ends[i]), ends[i], strlen(ends[i])) == 0)
			return true;
	return false;
}

/* "millrace_system_node_counters" of system/node/counter/value. */
static void
put_path(char *name, const struct mr_leaf *leaf)
{
	const char *step = leaf->path;
	bool last = false;

	snprintf(name, METRICS_NAME_MAX, "millrace");
	while (!last) {
		size_t length = strcspn(step, "/");

		last = !step[length];
		if (last && leaf->list && strcmp(leaf->tail, "/value") == 0)
			return;
		put_word(name, "_", 1);
		put_word(name, step, length);
		if (is_type(step, length) || (last && !leaf->counter && is_reserved(step, length)))
			put_word(name, "s", 1);
		step += length + 1;
	}
}

/* Takes words off the end of a name. */
static bool
ends_with(const char *name, const char *words)
{
	size_t n = strlen(name), w = strlen(words);

	return n > w && name[n - w - 1] == '_' && strcmp(name + n - w, words) == 0;
}

/* The end that says the unit; null where the name has said it already ("cycles-per-packet"). */
static const char *
put_unit(char *name, const char *words)
{
	char inside[METRICS_NAME_MAX + 2];

	snprintf(inside, sizeof(inside), "_%s_", words);
	if (strstr(name, inside))
		return NULL;
	if (!ends_with(name, words)) {
		put_word(name, "_", 1);
		put_word(name, words, strlen(words));
	}
	return name + strlen(name) - strlen(words);
}

static void
words_of(const char *said, char *words)
{
	size_t slash = strcspn(said, "/");

	*words = '\0';
	put_word(words, said, slash);
	if (strcmp(said + slash, "/s") == 0)
		put_word(words, "_per_second", 11);
	else
		put_word(words, said + slash, strlen(said + slash));
}

/* The leaf's name may end with what it is counted in ("idle-milliseconds"): the base unit takes its
 * place. */
static void
drop_unit(char *name, const char *said)
{
	if (ends_with(name, said))
		name[strlen(name) - strlen(said) - 1] = '\0';
}

static int
family_name(struct family *f)
{
	const struct mr_leaf *leaf = f->leaf;
	const struct unit *unit = leaf->units ? unit_of(leaf->units) : NULL;
	char name[METRICS_NAME_MAX], words[METRICS_NAME_MAX];
	const char *end = NULL;

	put_path(name, leaf);
	f->times = 1;
	f->digits = leaf->digits;
	if (leaf->counter && ends_with(name, "total"))
		name[strlen(name) - 6] = '\0';
	if (unit) {
		f->times = unit->times;
		f->digits = (uint8_t)(f->digits + unit->digits);
		drop_unit(name, unit->said);
		end = put_unit(name, unit->base);
	} else if (leaf->units && isalpha((unsigned char)*leaf->units)) {
		words_of(leaf->units, words);
		end = put_unit(name, words);
	}
	f->name = strdup(name);
	if (!f->name)
		return -ENOMEM;
	f->unit = end ? f->name + (end - name) : NULL;
	return 0;
}

/* -- labels ------------------------------------------------------------------------------ */

static bool
label_taken(const struct families *fs, const struct mr_leaf_list *list, const char *label)
{
	for (; list; list = list->parent)
		for (unsigned k = 0; k < list->key_count; k++) {
			const char *other = fs->labels[list->index][k];

			if (other && strcmp(other, label) == 0)
				return true;
		}
	return false;
}

static int
list_labels(struct families *fs, const struct mr_leaf_list *list)
{
	for (unsigned k = 0; k < list->key_count; k++) {
		const char *word = list->key_count == 1 ? list->name : list->keys[k];
		char label[METRICS_NAME_MAX] = "";

		put_word(label, word, strlen(word));
		if (label_taken(fs, list, label)) {
			*label = '\0';
			put_word(label, list->name, strlen(list->name));
			put_word(label, "_", 1);
			put_word(label, list->keys[k], strlen(list->keys[k]));
		}
		fs->labels[list->index][k] = strdup(label);
		if (!fs->labels[list->index][k])
			return -ENOMEM;
	}
	return 0;
}

static const char *
state_label(const struct families *fs, const struct mr_leaf *leaf)
{
	static const char *const fallback = "value";

	return label_taken(fs, leaf->list, leaf->name) || strchr(leaf->name, '-') ? fallback
										  : leaf->name;
}

/* -- all of them ------------------------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	const struct family *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* The form of OpenMetrics knows a counter by its name without "_total": a gauge beside it that would
 * have the same ("connections" and "connections-total") is said to be of now. */
static int
part(struct family *a, struct family *b)
{
	struct family *gauge = a->leaf->counter ? b : a;
	char name[METRICS_NAME_MAX];

	if (a->leaf->counter == b->leaf->counter || gauge->unit)
		return -EEXIST;
	snprintf(name, sizeof(name), "%s_now", gauge->name);
	free(gauge->name);
	gauge->name = strdup(name);
	return gauge->name ? 0 : -ENOMEM;
}

static int
check_names(struct families *fs, struct mr_error *error)
{
	unsigned count = mr_leaves_count(fs->leaves), used = 0;
	struct family **all = calloc(count + 1, sizeof(*all));
	int rc = 0;

	if (!all)
		return mr_error_set(error, -ENOMEM, "metrics: no memory");
	for (unsigned i = 0; i < count; i++)
		if (fs->list[i].leaf)
			all[used++] = &fs->list[i];
	qsort(all, used, sizeof(*all), by_name);
	for (unsigned i = 1; !rc && i < used; i++)
		if (strcmp(all[i - 1]->name, all[i]->name) == 0 && part(all[i - 1], all[i]))
			rc = mr_error_set(error, -EEXIST,
			    "metrics: %s and %s would both be called %s", all[i - 1]->leaf->path,
			    all[i]->leaf->path, all[i]->name);
	free(all);
	return rc;
}

static int
name_all(struct families *fs, struct mr_error *error)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < mr_leaves_list_count(fs->leaves); i++)
		rc = list_labels(fs, mr_leaves_list_at(fs->leaves, i));
	for (unsigned i = 0; !rc && i < mr_leaves_count(fs->leaves); i++) {
		const struct mr_leaf *leaf = mr_leaves_at(fs->leaves, i);

		if (leaf->kind == MR_LEAF_TEXT || leaf->key || leaf->many)
			continue;
		fs->list[i].leaf = leaf;
		if (leaf->kind == MR_LEAF_ENUM)
			fs->list[i].state = state_label(fs, leaf);
		rc = family_name(&fs->list[i]);
	}
	return rc ? mr_error_set(error, rc, "metrics: no memory") : check_names(fs, error);
}

int
families_create(struct families **out, const struct mr_leaves *leaves, struct mr_error *error)
{
	struct families *fs = calloc(1, sizeof(*fs));
	int rc = -ENOMEM;

	*out = NULL;
	if (fs) {
		fs->leaves = leaves;
		fs->list = calloc(mr_leaves_count(leaves) + 1, sizeof(*fs->list));
		fs->labels = calloc(mr_leaves_list_count(leaves) + 1, sizeof(*fs->labels));
	}
	if (fs && fs->list && fs->labels)
		rc = name_all(fs, error);
	else
		mr_error_set(error, rc, "metrics: no memory");
	if (rc) {
		families_destroy(fs);
		return rc;
	}
	*out = fs;
	return 0;
}

void
families_destroy(struct families *fs)
{
	if (!fs)
		return;
	for (unsigned i = 0; fs->list && i < mr_leaves_count(fs->leaves); i++)
		free(fs->list[i].name);
	for (unsigned i = 0; fs->labels && i < mr_leaves_list_count(fs->leaves); i++)
		for (unsigned k = 0; k < MR_SAMPLE_KEYS; k++)
			free(fs->labels[i][k]);
	free(fs->labels);
	free(fs->list);
	free(fs);
}
