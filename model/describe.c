/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/suggest.h"
#include "model/model_int.h"

/*
 * The schema for people and their tools: help, completion, the reference.
 */

#define DOC_MAX 2048
#define VALUES_MAX 128
#define LINE_WIDTH 76

/* An item and the texts that it points to. */
struct described {
	struct mr_model_item item;
	char key[128], type[800], doc[DOC_MAX], fallback[512];
	const char *values[VALUES_MAX + 1], *value_docs[VALUES_MAX + 1];
	char value_text[DOC_MAX * 2]; /* of all value_docs */
};

/* YANG texts carry the line breaks and the indentation of their file. */
static void
fold(const char *text, char *out, size_t size)
{
	size_t used = 0;

	while (text && *text && used + 2 < size) {
		if (isspace((unsigned char)*text)) {
			while (isspace((unsigned char)*text))
				text++;
			if (used && *text)
				out[used++] = ' ';
			continue;
		}
		out[used++] = *text++;
	}
	out[used] = '\0';
}

static void
describe_values(struct described *d, const struct lysc_type *type)
{
	const struct lysc_type_bitenum_item *enums;
	LY_ARRAY_COUNT_TYPE i;
	size_t used = 0;

	if (type->basetype == LY_TYPE_BOOL) {
		d->values[0] = "true";
		d->values[1] = "false";
		d->item.values = d->values;
	} else if (type->basetype == LY_TYPE_ENUM) {
		enums = ((const struct lysc_type_enum *)type)->enums;
		LY_ARRAY_FOR(enums, i) {
			if (i == VALUES_MAX)
				break;
			d->values[i] = enums[i].name;
			if (!enums[i].dsc || sizeof(d->value_text) - used < 64)
				continue;
			fold(enums[i].dsc, d->value_text + used, sizeof(d->value_text) - used);
			d->value_docs[i] = d->value_text + used;
			used += strlen(d->value_docs[i]) + 1;
		}
		d->item.values = d->values;
	}
	d->item.value_docs = d->value_docs;
}

static void
describe_leaf(struct described *d, const struct lysc_node *schema)
{
	const struct ly_ctx *ctx = schema->module->ctx;
	struct mr_text t = { .text = d->fallback, .size = sizeof(d->fallback) };
	struct lyd_value **many;
	LY_ARRAY_COUNT_TYPE i;

	mr_type_phrase(schema, d->type, sizeof(d->type));
	d->item.type = d->type;
	describe_values(d, mr_schema_type(schema));
	if (schema->nodetype == LYS_LEAF) {
		const struct lysc_node_leaf *leaf = (const struct lysc_node_leaf *)schema;

		d->item.units = leaf->units;
		if (leaf->dflt)
			mr_text_add(&t, "%s", lyd_value_get_canonical(ctx, leaf->dflt));
		d->item.mandatory = schema->flags & LYS_MAND_TRUE && !lysc_is_key(schema);
		d->item.is_key = lysc_is_key(schema);
		d->item.fallback = leaf->dflt ? d->fallback : NULL;
		return;
	}
	d->item.units = ((const struct lysc_node_leaflist *)schema)->units;
	d->item.mandatory = ((const struct lysc_node_leaflist *)schema)->min;
	many = ((const struct lysc_node_leaflist *)schema)->dflts;
	LY_ARRAY_FOR(many, i)
		mr_text_add(&t, "%s%s", i ? ", " : "", lyd_value_get_canonical(ctx, many[i]));
	d->item.fallback = t.used ? d->fallback : NULL;
}

static void
describe(struct described *d, const struct lysc_node *schema)
{
	const struct lysc_node *keys[MR_LIST_KEYS_MAX];
	struct mr_text t = { .text = d->key, .size = sizeof(d->key) };
	unsigned i, count;

	memset(d, 0, sizeof(*d));
	d->item.name = schema->name;
	d->item.state = mr_schema_is_state(schema);
	fold(schema->dsc, d->doc, sizeof(d->doc));
	d->item.doc = *d->doc ? d->doc : NULL;
	switch (schema->nodetype) {
	case LYS_LIST:
		d->item.kind = MR_MODEL_LIST;
		count = mr_schema_keys(schema, keys);
		for (i = 0; i < count; i++)
			mr_text_add(&t, "%s%s", i ? " " : "", keys[i]->name);
		d->item.key = d->key;
		d->item.mandatory = ((const struct lysc_node_list *)schema)->min;
		break;
	case LYS_LEAF:
		d->item.kind = MR_MODEL_LEAF;
		describe_leaf(d, schema);
		break;
	case LYS_LEAFLIST:
		d->item.kind = MR_MODEL_LEAF_LIST;
		describe_leaf(d, schema);
		break;
	default:
		d->item.kind = MR_MODEL_CONTAINER;
		break;
	}
}

/* Follows a path through the schema. Behind a list, as many words as it has keys may
 * stand, when the word there is no child of its own. */
static int
find_path(const struct mr_model *model, const char *path, const struct lysc_node **out,
    struct mr_error *error)
{
	const struct lysc_node *at = NULL, *next, *known, *keys[MR_LIST_KEYS_MAX];
	unsigned keys_left = 0;
	char word[128];
	size_t length;

	while (path && *path) {
		length = strcspn(path, "/");
		if (length && length < sizeof(word)) {
			memcpy(word, path, length);
			word[length] = '\0';
			next = mr_schema_child(model, at, word);
			if (next) {
				at = next;
				keys_left = at->nodetype == LYS_LIST ? mr_schema_keys(at, keys) : 0;
			} else if (keys_left) {
				keys_left--;
			} else {
				struct mr_suggest suggest = { .word = word };

				for (known = NULL; (known = mr_schema_next(model, at, known));)
					mr_suggest_try(&suggest, known->name);
				if (mr_suggest_best(&suggest))
					return mr_error_set(error, -ENOENT,
					    "there is no \"%s\" in %s; did you mean \"%s\"?", word,
					    at ? at->name : "the model", mr_suggest_best(&suggest));
				return mr_error_set(error, -ENOENT, "there is no \"%s\" in %s",
				    word, at ? at->name : "the model");
			}
		} else if (length) {
			return mr_error_set(error, -ENOENT, "a part of the path is too long");
		}
		path += length + (path[length] == '/');
	}
	*out = at;
	return 0;
}

int
mr_model_walk(const struct mr_model *model, const char *path, mr_model_visit visit, void *arg,
    struct mr_error *error)
{
	const struct lysc_node *parent, *child = NULL;
	struct described *d;
	int rc = find_path(model, path, &parent, error);

	if (rc)
		return rc;
	d = malloc(sizeof(*d));
	if (!d)
		return mr_error_set(error, -ENOMEM, "not enough memory to describe the model");
	if (parent && mr_schema_is_leaf(parent)) {
		describe(d, parent);
		rc = visit(arg, &d->item);
	} else {
		while (!rc && (child = mr_schema_next(model, parent, child))) {
			describe(d, child);
			rc = visit(arg, &d->item);
		}
	}
	free(d);
	return rc;
}

static void
print_wrapped(FILE *file, const char *text, const char *indent)
{
	size_t column = 0, length;

	while (*text) {
		length = strcspn(text, " ");
		if (column && column + 1 + length > LINE_WIDTH - strlen(indent)) {
			fputc('\n', file);
			column = 0;
		}
		fprintf(file, "%s%.*s", column ? " " : indent, (int)length, text);
		column += length + !!column;
		text += length + (text[length] == ' ');
	}
	fputc('\n', file);
}

static void
print_item(FILE *file, const struct mr_model_item *item)
{
	size_t i;

	fprintf(file, "%s", item->name);
	if (item->kind == MR_MODEL_LIST)
		fprintf(file, ": entries by %s", item->key);
	else if (item->kind == MR_MODEL_LEAF)
		fprintf(file, ": %s", item->type);
	else if (item->kind == MR_MODEL_LEAF_LIST)
		fprintf(file, ": any number of: %s", item->type);
	if (item->units && (!item->type || !strstr(item->type, item->units)))
		fprintf(file, " (%s)", item->units);
	if (item->fallback)
		fprintf(file, "; default %s", *item->fallback ? item->fallback : "empty");
	if (item->mandatory)
		fprintf(file, "; required");
	if (item->state)
		fprintf(file, "; state");
	fputc('\n', file);
	if (item->doc)
		print_wrapped(file, item->doc, "    ");
	for (i = 0; item->values && item->values[i]; i++)
		if (item->value_docs[i])
			fprintf(file, "    %s: %s\n", item->values[i], item->value_docs[i]);
}

static int
visit_print(void *arg, const struct mr_model_item *item)
{
	print_item(arg, item);
	return 0;
}

int
mr_model_describe(const struct mr_model *model, const char *path, FILE *file,
    struct mr_error *error)
{
	return mr_model_walk(model, path, visit_print, file, error);
}

/* A cell of a Markdown table: a bar would end it. */
static void
print_cell(FILE *file, const char *text)
{
	for (; *text; text++)
		fprintf(file, "%s%c", *text == '|' ? "\\" : "", *text);
}

static void
reference_rows(const struct mr_model *model, const struct lysc_node *parent, bool state,
    const char *prefix, struct described *d, FILE *file)
{
	const struct lysc_node *child = NULL;
	char path[512];
	size_t i;

	while ((child = mr_schema_next(model, parent, child))) {
		bool inner = !mr_schema_is_leaf(child);

		if (mr_schema_is_state(child) != state && !(inner && state))
			continue;
		describe(d, child);
		snprintf(path, sizeof(path), "%s%s", prefix, child->name);
		if (mr_schema_is_state(child) == state) {
			fprintf(file, "| `%s` | ", path);
			if (d->item.kind == MR_MODEL_LEAF_LIST)
				fprintf(file, "any number of: ");
			print_cell(file, inner ? d->item.key ? "entries by " : "" : d->item.type);
			if (inner && d->item.key)
				fprintf(file, "`%s`", d->item.key);
			if (d->item.units && !strstr(d->item.type, d->item.units))
				fprintf(file, " (%s)", d->item.units);
			fprintf(file, " | ");
			if (!state && d->item.fallback)
				fprintf(file, "`%s`", d->item.fallback);
			else if (!state && d->item.mandatory)
				fprintf(file, "*required*");
			fprintf(file, "%s", state ? "" : " | ");
			print_cell(file, d->item.doc ? d->item.doc : "");
			for (i = 0; d->item.values && d->item.values[i]; i++)
				if (d->item.value_docs[i]) {
					fprintf(file, " `%s`: ", d->item.values[i]);
					print_cell(file, d->item.value_docs[i]);
				}
			fprintf(file, " |\n");
		}
		if (inner) {
			size_t used = strlen(path);

			snprintf(path + used, sizeof(path) - used, "/");
			reference_rows(model, child, state, path, d, file);
		}
	}
}

static bool
has_state(const struct mr_model *model, const struct lysc_node *parent)
{
	const struct lysc_node *child = NULL;

	if (mr_schema_is_state(parent))
		return true;
	if (mr_schema_is_leaf(parent))
		return false;
	while ((child = mr_schema_next(model, parent, child)))
		if (has_state(model, child))
			return true;
	return false;
}

int
mr_model_reference(const struct mr_model *model, FILE *file, struct mr_error *error)
{
	const struct lysc_node *top = NULL;
	struct described *d = malloc(sizeof(*d));

	if (!d)
		return mr_error_set(error, -ENOMEM, "not enough memory to describe the model");
	while ((top = mr_schema_next(model, NULL, top))) {
		describe(d, top);
		fprintf(file, "## %s\n\n", top->name);
		if (d->item.doc)
			print_wrapped(file, d->item.doc, "");
		if (!mr_schema_is_state(top)) {
			if (d->item.key)
				fprintf(file, "\nEntries by `%s`.\n", d->item.key);
			fprintf(file,
			    "\n| setting | value | default | meaning |\n|---|---|---|---|\n");
			reference_rows(model, top, false, "", d, file);
		}
		if (has_state(model, top)) {
			fprintf(file,
			    "\nReported:\n\n| state | value | meaning |\n|---|---|---|\n");
			reference_rows(model, top, true, "", d, file);
		}
		fprintf(file, "\n");
	}
	free(d);
	return ferror(file) ? mr_error_set(error, -EIO, "the reference could not be written") : 0;
}
