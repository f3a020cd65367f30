/* SPDX-License-Identifier: Apache-2.0 */
#include "model/print.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_int.h"
#include "model/model_int.h"
#include "model/print_int.h"

/*
 * Which nodes are printed, and RFC 7951 JSON. YAML is print_yaml.c's.
 */

const struct lyd_node *
mr_print_children(const struct lyd_node *node)
{
	return node->schema ? lyd_child(node) : ((const struct lyd_node_inner *)node)->child;
}

static bool
equals_default(const struct lyd_node *node)
{
	return node->schema->nodetype == LYS_LEAF && lyd_is_default(node);
}

/* Whether anything of a content of that kind is under it. */
static bool
leads_to(const struct lyd_node *node, const struct mr_print *how)
{
	const struct lyd_node *child;

	LY_LIST_FOR(mr_print_children(node), child)
		if (mr_print_wants(child, how))
			return true;
	return false;
}

bool
mr_print_wants(const struct lyd_node *node, const struct mr_print *how)
{
	bool inner = !mr_schema_is_leaf(node->schema), state = mr_schema_is_state(node->schema);
	bool presence =
	    inner && (node->schema->nodetype == LYS_LIST || node->schema->flags & LYS_PRESENCE);

	if (lysc_is_key(node->schema))
		return false; /* with their entry, or not at all */
	if (how->content == MR_PRINT_CONFIG && state)
		return false;
	if (how->content == MR_PRINT_NONCONFIG && !state)
		return inner && leads_to(node, how);
	if (state)
		return true;
	if (!inner)
		return how->defaults == MR_PRINT_REPORT_ALL ||
		    (how->defaults == MR_PRINT_TRIM ? !equals_default(node)
						    : !(node->flags & LYD_DEFAULT));
	return presence || leads_to(node, how);
}

/* -- JSON ------------------------------------------------------------------------------------ */

static LY_DATA_TYPE
type_of(const struct lyd_node *leaf)
{
	const struct lyd_value *value = &((const struct lyd_node_term *)leaf)->value;
	LY_DATA_TYPE type = mr_schema_type(leaf->schema)->basetype;

	/* A union's member, a reference's target. */
	if (type == LY_TYPE_UNION)
		return value->subvalue->value.realtype->basetype;
	return type == LY_TYPE_LEAFREF ? value->realtype->basetype : type;
}

static void
json_value(const struct lyd_node *leaf, FILE *file)
{
	const char *text = lyd_get_value(leaf);

	switch (type_of(leaf)) {
	case LY_TYPE_UINT8:
	case LY_TYPE_UINT16:
	case LY_TYPE_UINT32:
	case LY_TYPE_INT8:
	case LY_TYPE_INT16:
	case LY_TYPE_INT32:
	case LY_TYPE_BOOL:
		fputs(text, file);
		break;
	case LY_TYPE_EMPTY:
		fputs("[null]", file);
		break;
	default:
		mr_json_print(file, text);
	}
}

static void json_inside(const struct lyd_node *, const struct mr_print *, unsigned level, FILE *);

static void
json_name(const struct lyd_node *node, bool top, FILE *file)
{
	const struct lyd_node *above = node->parent ? &node->parent->node : NULL;

	if (top || !above || !above->schema || above->schema->module != node->schema->module)
		fprintf(file, "\"%s:%s\":", node->schema->module->name, node->schema->name);
	else
		fprintf(file, "\"%s\":", node->schema->name);
}

static void
json_one(const struct lyd_node *node, const struct mr_print *how, unsigned level, FILE *file)
{
	if (mr_schema_is_leaf(node->schema))
		json_value(node, file);
	else
		json_inside(node, how, level, file);
}

static bool
is_many(const struct lyd_node *node)
{
	return node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST);
}

/* A member of an object: the node, with its siblings of the same list. */
static void
json_member(const struct lyd_node *node, const struct mr_print *how, unsigned level, bool comma,
    FILE *file)
{
	const struct lyd_node *entry;
	bool first = true;

	fputs(comma ? "," : "", file);
	json_name(node, false, file);
	if (!is_many(node)) {
		json_one(node, how, level, file);
		return;
	}
	fputc('[', file);
	for (entry = node; entry && entry->schema == node->schema; entry = entry->next) {
		if (!mr_print_wants(entry, how))
			continue;
		fputs(first ? "" : ",", file);
		json_one(entry, how, level, file);
		first = false;
	}
	fputc(']', file);
}

/* `level` is the object's own; the target's is 1 (RFC 8040, 4.8.2). */
static void
json_inside(const struct lyd_node *parent, const struct mr_print *how, unsigned level, FILE *file)
{
	const struct lyd_node *node, *begun = NULL;
	bool comma = false;

	fputc('{', file);
	LY_LIST_FOR(mr_print_children(parent), node) {
		if (lysc_is_key(node->schema) && !(how->depth && level >= how->depth)) {
			json_member(node, how, level, comma, file);
			comma = true;
			continue;
		}
		if ((how->depth && level >= how->depth) || !mr_print_wants(node, how))
			continue;
		/* A list was printed when its first entry came. */
		if (is_many(node) && begun && begun->schema == node->schema)
			continue;
		json_member(node, how, level + 1, comma, file);
		comma = true;
		begun = node;
	}
	fputc('}', file);
}

static void
print_json(const struct lyd_node *node, const struct mr_print *how, FILE *file)
{
	if (!node->schema) {
		json_inside(node, how, 1, file);
	} else {
		fputc('{', file);
		json_name(node, true, file);
		fputs(is_many(node) ? "[" : "", file);
		json_one(node, how, 1, file);
		fputs(is_many(node) ? "]}" : "}", file);
	}
	fputc('\n', file);
}

void
mr_conf_print(const struct mr_conf *node, const struct mr_print *how, FILE *file)
{
	static const struct mr_print everything;

	how = how ? how : &everything;
	if (node && how->form == MR_PRINT_YAML)
		mr_print_yaml((const struct lyd_node *)node, how, file);
	else if (node)
		print_json((const struct lyd_node *)node, how, file);
	else if (how->form == MR_PRINT_JSON)
		fputs("{}\n", file);
}
