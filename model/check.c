/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libyang/plugins_types.h>

#include "kit/base/suggest.h"
#include "model/model_int.h"

/*
 * What shows only in the whole tree: missing leaves, references to nothing, must
 * and when. libyang stops at the first such mistake and speaks to the author of
 * the schema; the passes here find all of them and speak to the author of the
 * file. libyang still has the last word: a tree is valid when lyd_validate_all says so.
 */

#define CANDIDATES_SHOWN_MAX 12

struct check {
	struct mr_config *config;
	const struct mr_failed *failed;
	size_t failed_count;
	struct mr_report *report;
};

#define check_fail(c, node, ...) \
	mr_report_at((c)->report, (c)->config, (const struct mr_conf *)(node), __VA_ARGS__)

static bool
was_refused(const struct check *c, const struct lyd_node *parent, const struct lysc_node *schema)
{
	size_t i;

	for (i = 0; i < c->failed_count; i++)
		if (c->failed[i].schema == schema && c->failed[i].parent == parent)
			return true;
	return false;
}

/* Whether some entry of a list was refused, so that its absence is no news. */
static bool
list_was_refused(const struct check *c, const struct lysc_node *list)
{
	size_t i;

	for (i = 0; i < c->failed_count; i++)
		if (c->failed[i].schema == list)
			return true;
	return false;
}

/* The choice that a node belongs to, and its case there. */
static const struct lysc_node *
choice_of(const struct lysc_node *schema, const struct lysc_node **in_case)
{
	for (*in_case = schema; schema->parent; schema = schema->parent) {
		if (schema->parent->nodetype == LYS_CHOICE) {
			*in_case = schema;
			return schema->parent;
		}
		if (schema->parent->nodetype != LYS_CASE)
			break;
	}
	return NULL;
}

const struct lyd_node *
mr_choice_taken(const struct lyd_node *siblings, const struct lysc_node *schema)
{
	const struct lysc_node *my_case, *other_case, *choice, *at, *o;
	const struct lyd_node *other;

	for (at = schema; (choice = choice_of(at, &my_case)); at = choice)
		for (other = siblings; other; other = other->next) {
			o = other->schema;
			while (o && choice_of(o, &other_case) != choice)
				o = choice_of(o, &other_case);
			if (o && other_case != my_case)
				return other;
		}
	return NULL;
}

/* How many there are; *excess is the one after the first `max`. */
static unsigned
count_instances(const struct lyd_node *siblings, const struct lysc_node *schema, unsigned max,
    const struct lyd_node **excess)
{
	struct lyd_node *node = NULL;
	unsigned count = 0;

	*excess = NULL;
	if (!siblings || lyd_find_sibling_val(siblings, schema, NULL, 0, &node))
		return 0;
	for (; node; node = node->next) {
		if (node->schema != schema)
			continue;
		if (count++ == max)
			*excess = node;
	}
	return count;
}

/* Missing leaves and too few or too many entries under one node (null: the top).
 * What depends on a choice or a when is left to libyang. */
static void
check_missing(struct check *c, const struct lyd_node *parent, const struct lyd_node *siblings)
{
	const struct lysc_node *parent_schema = parent ? parent->schema : NULL, *schema = NULL;
	const struct lyd_node *excess;
	char phrase[600];
	unsigned count, min, max;

	while ((schema = mr_schema_next(c->config->model, parent_schema, schema))) {
		if (mr_schema_is_state(schema) || schema->parent != parent_schema ||
		    lysc_has_when(schema))
			continue;
		if (schema->nodetype == LYS_LEAF) {
			if (!(schema->flags & LYS_MAND_TRUE) ||
			    count_instances(siblings, schema, 1, &excess) ||
			    was_refused(c, parent, schema))
				continue;
			mr_type_phrase(schema, phrase, sizeof(phrase));
			check_fail(c, parent, "\"%s\" is missing; it needs %s", schema->name,
			    phrase);
			continue;
		}
		if (schema->nodetype == LYS_CONTAINER)
			continue;
		min = schema->nodetype == LYS_LIST
		    ? ((const struct lysc_node_list *)schema)->min
		    : ((const struct lysc_node_leaflist *)schema)->min;
		max = schema->nodetype == LYS_LIST
		    ? ((const struct lysc_node_list *)schema)->max
		    : ((const struct lysc_node_leaflist *)schema)->max;
		if ((!min && (!max || max == UINT32_MAX)) || was_refused(c, parent, schema))
			continue;
		max = max ? max : UINT32_MAX;
		count = count_instances(siblings, schema, max, &excess);
		if (count < min)
			check_fail(c, parent, "\"%s\" has %u entr%s; at least %u %s needed",
			    schema->name, count, count == 1 ? "y" : "ies", min,
			    min == 1 ? "is" : "are");
		else if (excess)
			check_fail(c, excess, "is one too many: %u entries, at most %u %s allowed",
			    count, max, max == 1 ? "is" : "are");
	}
}

/* The path of a reference with module names for the module's own prefixes, as libyang
 * wants an expression that no module owns. */
void
mr_reference_path(const struct lysc_type_leafref *type, char *path, size_t size)
{
	const char *s = lyxp_get_expr(type->path);
	struct mr_text t = { .text = path, .size = size };
	LY_ARRAY_COUNT_TYPE i;
	size_t length;

	*path = '\0';
	while (*s) {
		length =
		    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
		if (!length)
			length = 1;
		LY_ARRAY_FOR(type->prefixes, i)
			if (s[length] == ':' && type->prefixes[i].prefix &&
			    strlen(type->prefixes[i].prefix) == length &&
			    !strncmp(s, type->prefixes[i].prefix, length))
				break;
		if (type->prefixes && i < LY_ARRAY_COUNT(type->prefixes))
			mr_text_add(&t, "%s", type->prefixes[i].mod->name);
		else
			mr_text_add(&t, "%.*s", (int)length, s);
		s += length;
	}
}

static void
check_reference(struct check *c, const struct lyd_node *node)
{
	const struct lysc_type_leafref *type =
	    (const struct lysc_type_leafref *)mr_schema_type(node->schema);
	struct mr_suggest suggest = { .word = lyd_get_value(node) };
	char text[900], path[512], noun[64], *said = NULL;
	struct mr_text t = { .text = text, .size = sizeof(text) };
	struct lyd_node *target;
	struct ly_set *set = NULL;
	uint32_t i;

	if (!type->require_instance)
		return;
	if (!lyplg_type_resolve_leafref(type, node, &((struct lyd_node_term *)node)->value,
		c->config->tree, &target, &said)) {
		free(said);
		return;
	}
	free(said);
	mr_reference_noun(type, noun, sizeof(noun));
	mr_reference_path(type, path, sizeof(path));
	if (lyd_find_xpath(node, path, &set))
		set = NULL;
	/* The entry may be there and wrong; that has been said. */
	if (set && set->count && set->dnodes[0]->parent &&
	    list_was_refused(c, set->dnodes[0]->parent->schema))
		goto out;
	if ((!set || !set->count) && c->failed_count)
		goto out;
	mr_text_add(&t, "no %s named ", noun);
	mr_value_quote(lyd_get_value(node), text + t.used, sizeof(text) - t.used);
	t.used = strlen(text);
	for (i = 0; set && i < set->count; i++)
		mr_suggest_try(&suggest, lyd_get_value(set->dnodes[i]));
	if (mr_suggest_best(&suggest))
		mr_text_add(&t, "; did you mean \"%s\"?", mr_suggest_best(&suggest));
	mr_text_add(&t, "%s there %s ", mr_suggest_best(&suggest) ? "" : ";",
	    !set || !set->count   ? "is none"
		: set->count == 1 ? "is"
				  : "are");
	for (i = 0; set && i < set->count && i < CANDIDATES_SHOWN_MAX; i++)
		mr_text_add(&t, "%s%s", i ? ", " : "", lyd_get_value(set->dnodes[i]));
	if (set && set->count > CANDIDATES_SHOWN_MAX)
		mr_text_add(&t, " and %u more", set->count - CANDIDATES_SHOWN_MAX);
	if (t.used && text[t.used - 1] == ' ')
		text[t.used - 1] = '\0';
	check_fail(c, node, "%s", text);
out:
	ly_set_free(set, NULL);
}

static bool
holds(const struct lyd_node *node, const struct lyxp_expr *expr, void *prefixes)
{
	ly_bool result = 0;

	/* What cannot be evaluated is for libyang to complain about. */
	return lyd_eval_xpath3(node, node->schema->module, lyxp_get_expr(expr),
		   LY_VALUE_SCHEMA_RESOLVED, prefixes, NULL, &result) ||
	    result;
}

/* An error-message as the end of a sentence whose subject is the path: without
 * capital and full stop. */
static void
said_add(struct mr_text *t, const char *said)
{
	size_t length = strlen(said);

	if (length && said[length - 1] == '.')
		length--;
	if (length > 1 && isupper((unsigned char)said[0]) && !isupper((unsigned char)said[1]))
		mr_text_add(t, "%c%.*s", tolower((unsigned char)said[0]), (int)length - 1,
		    said + 1);
	else
		mr_text_add(t, "%.*s", (int)length, said);
}

static void
check_must(struct check *c, const struct lyd_node *node)
{
	struct lysc_must *musts = lysc_node_musts(node->schema);
	char text[900];
	LY_ARRAY_COUNT_TYPE i;

	LY_ARRAY_FOR(musts, i) {
		struct mr_text t = { .text = text, .size = sizeof(text) };

		if (holds(node, musts[i].cond, musts[i].prefixes))
			continue;
		if (mr_schema_is_leaf(node->schema)) {
			mr_value_quote(lyd_get_value(node), text, sizeof(text));
			t.used = strlen(text);
			mr_text_add(&t, " ");
		}
		if (musts[i].emsg)
			said_add(&t, musts[i].emsg);
		else
			mr_text_add(&t, "breaks the rule %s", lyxp_get_expr(musts[i].cond));
		check_fail(c, node, "%s", text);
	}
}

/* A node that somebody wrote although its condition does not hold. */
static void
check_when(struct check *c, const struct lyd_node *node)
{
	const struct lysc_node *schema = node->schema;
	struct lysc_when **whens;
	const struct lyd_node *context;
	LY_ARRAY_COUNT_TYPE i;

	if (!node->priv)
		return;
	/* Cases and choices around it have no data node of their own. */
	do {
		whens = lysc_node_when(schema);
		LY_ARRAY_FOR(whens, i) {
			context = node;
			while (context && context->schema != whens[i]->context)
				context = context->parent ? &context->parent->node : NULL;
			if (!context || holds(context, whens[i]->cond, whens[i]->prefixes))
				continue;
			if (whens[i]->dsc) {
				char text[400] = "is not allowed here: ";
				struct mr_text t = { .text = text,
					.size = sizeof(text),
					.used = strlen(text) };

				said_add(&t, whens[i]->dsc);
				check_fail(c, node, "%s", text);
			} else {
				check_fail(c, node, "is allowed only when %s",
				    lyxp_get_expr(whens[i]->cond));
			}
			return;
		}
		schema = schema->parent;
	} while (schema && (schema->nodetype & (LYS_CHOICE | LYS_CASE)));
}

/* "Unique data leaf(s) "holder" not satisfied in "/a/b[k='x']" and "/a/b[k='y']"."
 * False when that is not what libyang says. */
static bool
check_unique(struct check *c, const char *said)
{
	char copy[MR_CONF_PATH_MAX * 2], *quoted[3], *s = copy;
	char other[MR_CONF_PATH_MAX];
	unsigned line[2], column[2], later, i;
	struct lyd_node *node[2];

	if (!said || strncmp(said, "Unique data leaf(s) \"", 21))
		return false;
	snprintf(copy, sizeof(copy), "%s", said);
	for (i = 0; i < 3; i++) {
		s = strchr(s, '"');
		if (!s)
			return false;
		quoted[i] = ++s;
		s = strstr(s, i == 0 ? "\" not" : i == 1 ? "\" and" : "\".");
		if (!s)
			return false;
		*s++ = '\0';
	}
	for (i = 0; i < 2; i++) {
		if (lyd_find_path(c->config->tree, quoted[i + 1], 0, &node[i]))
			return false;
		mr_conf_where((const struct mr_conf *)node[i], &line[i], &column[i]);
	}
	later = line[1] > line[0] || (line[1] == line[0] && column[1] > column[0]);
	mr_conf_path((const struct mr_conf *)node[!later], other, sizeof(other));
	check_fail(c, node[later], "has the same %s as %s", quoted[0], other);
	return true;
}

/* What only libyang found: its words, at the place of the node that it names. */
static void
check_said(struct check *c)
{
	const struct ly_ctx *ctx = c->config->model->ctx;
	const char *said = ly_errmsg(ctx), *path = ly_errpath(ctx), *data, *end;
	struct lyd_node *node = NULL;
	char text[600], where[MR_CONF_PATH_MAX];
	struct mr_text t = { .text = text, .size = sizeof(text) };

	if (check_unique(c, said))
		return;
	*text = '\0';
	said_add(&t, said ? said : "is not valid, and libyang does not say why");
	data = path ? strstr(path, "ata location \"") : NULL;
	data = data ? strchr(data, '"') + 1 : path && *path == '/' ? path : NULL;
	end = data ? strchr(data, '"') : NULL;
	if (data) {
		snprintf(where, sizeof(where), "%.*s",
		    (int)(end ? (size_t)(end - data) : strlen(data)), data);
		/* "/module:a/b[k='x']/c": when c is not there, b is the place. */
		while (*where && c->config->tree &&
		    lyd_find_path(c->config->tree, where, 0, &node) == LY_ENOTFOUND) {
			char *slash = strrchr(where, '/');

			if (!slash)
				break;
			*slash = '\0';
		}
	}
	check_fail(c, node, "%s", text);
}

int
mr_config_check(struct mr_config *config, const struct mr_failed *failed, size_t failed_count,
    struct mr_report *report)
{
	struct check c = {
		.config = config,
		.failed = failed,
		.failed_count = failed_count,
		.report = report,
	};
	size_t before = mr_report_count(report);
	struct lyd_node *top, *node;

	if (lyd_new_implicit_all(&config->tree, config->model->ctx, LYD_IMPLICIT_NO_STATE, NULL)) {
		check_said(&c);
		return -EINVAL;
	}
	check_missing(&c, NULL, config->tree);
	LY_LIST_FOR(config->tree, top) {
		LYD_TREE_DFS_BEGIN(top, node)
		{
			if (!mr_schema_is_leaf(node->schema))
				check_missing(&c, node, lyd_child(node));
			else if (mr_schema_type(node->schema)->basetype == LY_TYPE_LEAFREF)
				check_reference(&c, node);
			LYD_TREE_DFS_END(top, node);
		}
	}
	/* Conditions speak about the whole: with parts missing they would mislead. */
	if (mr_report_count(report) != before || failed_count)
		return -EINVAL;
	LY_LIST_FOR(config->tree, top) {
		LYD_TREE_DFS_BEGIN(top, node)
		{
			check_when(&c, node);
			check_must(&c, node);
			LYD_TREE_DFS_END(top, node);
		}
	}
	if (mr_report_count(report) != before)
		return -EINVAL;
	if (lyd_validate_all(&config->tree, config->model->ctx, LYD_VALIDATE_NO_STATE, NULL)) {
		check_said(&c);
		return -EINVAL;
	}
	return 0;
}
