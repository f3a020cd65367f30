/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_int.h"

#define MODULE_NAME_MAX 64
#define MODULES_MAX 256

extern const char mr_yang_millrace_types[];
extern const char mr_yang_millrace_system[];

static const char *const own_texts[] = { mr_yang_millrace_types, mr_yang_millrace_system };

/* The modules being loaded, for imports in any order. */
struct source {
	char name[MODULE_NAME_MAX];
	const char *text;
};

struct sources {
	size_t count;
	struct source list[MODULES_MAX];
};

static const char *
skip_space(const char *s)
{
	for (;;) {
		while (isspace((unsigned char)*s))
			s++;
		if (s[0] == '/' && s[1] == '/') {
			s += strcspn(s, "\n");
		} else if (s[0] == '/' && s[1] == '*') {
			const char *end = strstr(s + 2, "*/");

			s = end ? end + 2 : s + strlen(s);
		} else {
			return s;
		}
	}
}

/* The name behind `module`, the first word of a YANG file. */
static int
source_add(struct sources *sources, const char *text, struct mr_error *error)
{
	const char *s = skip_space(text);
	struct source *source = &sources->list[sources->count];
	size_t length;

	if (sources->count == MODULES_MAX)
		return mr_error_set(error, -E2BIG, "more than %d YANG modules", MODULES_MAX);
	if (strncmp(s, "module", 6) || !isspace((unsigned char)s[6]))
		return mr_error_set(error, -EINVAL, "a YANG text does not begin with a module");
	s = skip_space(s + 6);
	length = strcspn(s, " \t\r\n{");
	if (!length || length >= sizeof(source->name))
		return mr_error_set(error, -EINVAL, "a YANG module has no usable name");
	memcpy(source->name, s, length);
	source->name[length] = '\0';
	source->text = text;
	sources->count++;
	return 0;
}

static LY_ERR
source_find(const char *module, const char *revision, const char *submodule,
    const char *submodule_revision, void *arg, LYS_INFORMAT *format, const char **text,
    ly_module_imp_data_free_clb *release)
{
	const struct sources *sources = arg;
	size_t i;

	if (submodule)
		return LY_ENOTFOUND;
	for (i = 0; i < sources->count; i++)
		if (!strcmp(sources->list[i].name, module)) {
			*format = LYS_IN_YANG;
			*text = sources->list[i].text;
			*release = NULL;
			return LY_SUCCESS;
		}
	return LY_ENOTFOUND;
}

/* One name at the top must mean one thing: the file knows no prefixes. */
static int
check_top(const struct mr_model *model, struct mr_error *error)
{
	const struct lysc_node *a, *b;

	for (a = mr_schema_next(model, NULL, NULL); a; a = mr_schema_next(model, NULL, a))
		for (b = mr_schema_next(model, NULL, a); b; b = mr_schema_next(model, NULL, b))
			if (!strcmp(a->name, b->name))
				return mr_error_set(error, -EEXIST,
				    "the YANG modules %s and %s both have \"%s\" at the top",
				    a->module->name, b->module->name, a->name);
	return 0;
}

/* A list's keys are handed on in arrays of a fixed size. */
static int
check_keys(const struct mr_model *model, const struct lysc_node *parent, struct mr_error *error)
{
	const struct lysc_node *node = NULL, *key;
	unsigned count;
	int rc;

	while ((node = mr_schema_next(model, parent, node))) {
		if (mr_schema_is_leaf(node))
			continue;
		count = 0;
		for (key = lysc_node_child(node); key && lysc_is_key(key); key = key->next)
			count++;
		if (count > MR_LIST_KEYS_MAX)
			return mr_error_set(error, -E2BIG,
			    "YANG module %s: the list %s has %u keys; at most %u are supported",
			    node->module->name, node->name, count, MR_LIST_KEYS_MAX);
		rc = check_keys(model, node, error);
		if (rc)
			return rc;
	}
	return 0;
}

static int
model_load(struct mr_model *model, struct sources *sources, struct mr_error *error)
{
	struct lys_module *module;
	const char *said;
	size_t i;
	int rc;

	model->modules = calloc(sources->count, sizeof(struct lys_module *));
	if (!model->modules)
		return mr_error_set(error, -ENOMEM, "not enough memory for the model");
	/* libyang prints its errors unless told for the whole process that we ask for them. */
	ly_log_options(LY_LOSTORE_LAST);
	if (ly_ctx_new(NULL,
		LY_CTX_NO_YANGLIBRARY | LY_CTX_DISABLE_SEARCHDIRS | LY_CTX_DISABLE_SEARCHDIR_CWD |
		    LY_CTX_EXPLICIT_COMPILE | LY_CTX_SET_PRIV_PARSED,
		&model->ctx))
		return mr_error_set(error, -ENOMEM, "libyang gives no context");
	ly_ctx_set_module_imp_clb(model->ctx, source_find, sources);
	for (i = 0; i < sources->count; i++) {
		module = ly_ctx_load_module(model->ctx, sources->list[i].name, NULL, NULL);
		if (!module) {
			said = ly_errmsg(model->ctx);
			return mr_error_set(error, -EINVAL, "YANG module %s: %s",
			    sources->list[i].name, said ? said : "cannot be read");
		}
		model->modules[model->module_count++] = module;
	}
	if (ly_ctx_compile(model->ctx)) {
		said = ly_errmsg(model->ctx);
		return mr_error_set(error, -EINVAL, "YANG modules: %s (%s)",
		    said ? said : "cannot be compiled",
		    ly_errpath(model->ctx) ? ly_errpath(model->ctx) : "no place known");
	}
	ly_ctx_set_module_imp_clb(model->ctx, NULL, NULL);
	rc = check_top(model, error);
	return rc ? rc : check_keys(model, NULL, error);
}

int
mr_model_create(struct mr_model **out, const char *const *yang_texts, size_t count,
    struct mr_error *error)
{
	struct mr_model *model = calloc(1, sizeof(*model));
	struct sources *sources = calloc(1, sizeof(*sources));
	size_t i;
	int rc = 0;

	*out = NULL;
	if (!model || !sources) {
		rc = mr_error_set(error, -ENOMEM, "not enough memory for the model");
		goto out;
	}
	for (i = 0; !rc && i < MR_ARRAY_COUNT(own_texts); i++)
		rc = source_add(sources, own_texts[i], error);
	for (i = 0; !rc && i < count; i++)
		rc = source_add(sources, yang_texts[i], error);
	if (rc)
		goto out;
	rc = model_load(model, sources, error);
out:
	free(sources);
	if (rc)
		mr_model_destroy(model);
	else
		*out = model;
	return rc;
}

void
mr_model_destroy(struct mr_model *model)
{
	if (!model)
		return;
	ly_ctx_destroy(model->ctx);
	free(model->modules);
	free(model);
}

static bool
node_counts(const struct lysc_node *node)
{
	return node->nodetype & (LYS_CONTAINER | LYS_LIST | LYS_LEAF | LYS_LEAFLIST);
}

static const struct lysc_node *
next_in(const struct lysc_node *last, const struct lysc_node *parent,
    const struct lysc_module *module)
{
	do
		last = lys_getnext(last, parent, module, 0);
	while (last && !node_counts(last));
	return last;
}

const struct lysc_node *
mr_schema_next(const struct mr_model *model, const struct lysc_node *parent,
    const struct lysc_node *last)
{
	const struct lysc_node *node = NULL;
	size_t i = 0;

	if (parent)
		return next_in(last, parent, NULL);
	while (last && i < model->module_count && model->modules[i] != last->module)
		i++;
	for (; !node && i < model->module_count; i++, last = NULL)
		if (model->modules[i]->compiled && model->modules[i]->compiled->data)
			node = next_in(last, NULL, model->modules[i]->compiled);
	return node;
}

const struct lysc_node *
mr_schema_child(const struct mr_model *model, const struct lysc_node *parent, const char *name)
{
	const struct lysc_node *node = NULL;

	while ((node = mr_schema_next(model, parent, node)))
		if (!strcmp(node->name, name))
			return node;
	return NULL;
}

unsigned
mr_schema_keys(const struct lysc_node *list, const struct lysc_node *keys[MR_LIST_KEYS_MAX])
{
	const struct lysc_node *node;
	unsigned count = 0;

	/* Keys come first, in the order of the key statement (RFC 7950, 7.8.2). */
	for (node = lysc_node_child(list); node && lysc_is_key(node); node = node->next)
		if (count < MR_LIST_KEYS_MAX)
			keys[count++] = node;
	return count;
}

const struct lysc_node *
mr_schema_short(const struct lysc_node *list)
{
	const struct lysc_node *node, *value = NULL;

	for (node = lysc_node_child(list); node; node = node->next) {
		if (lysc_is_key(node) || mr_schema_is_state(node))
			continue;
		if (value || node->nodetype != LYS_LEAF || strcmp(node->name, "value"))
			return NULL;
		value = node;
	}
	return value;
}

bool
mr_schema_is_leaf(const struct lysc_node *node)
{
	return node->nodetype & (LYS_LEAF | LYS_LEAFLIST);
}

bool
mr_schema_is_state(const struct lysc_node *node)
{
	return node->flags & LYS_CONFIG_R;
}

struct lysc_type *
mr_schema_type(const struct lysc_node *leaf)
{
	return leaf->nodetype == LYS_LEAF ? ((const struct lysc_node_leaf *)leaf)->type
					  : ((const struct lysc_node_leaflist *)leaf)->type;
}
