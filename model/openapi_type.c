/* SPDX-License-Identifier: Apache-2.0 */

/* YANG's types as JSON Schema, in the encoding of RFC 7951. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_int.h"
#include "model/openapi_int.h"

/* YANG texts carry the line breaks and the indentation of their file. */
static void
put_folded(FILE *out, const char *text)
{
	char *folded = malloc(strlen(text) + 1), *to = folded;

	if (!folded) {
		fputs("\"\"", out);
		return;
	}
	for (; *text; text++) {
		bool blank = strchr(" \n\t\r", *text) != NULL;

		if (!blank)
			*to++ = *text;
		else if (to > folded && to[-1] != ' ')
			*to++ = ' ';
	}
	*to = 0;
	mr_json_print(out, folded);
	free(folded);
}

void
openapi_put_doc(FILE *out, const char *text)
{
	if (!text)
		return;
	fputs("\"description\":", out);
	put_folded(out, text);
	fputc(',', out);
}

static void
put_range(FILE *out, const struct lysc_range *range, bool is_u, const char *low, const char *high)
{
	LY_ARRAY_COUNT_TYPE n;

	if (!range)
		return;
	n = LY_ARRAY_COUNT(range->parts);
	if (is_u)
		fprintf(out, "\"%s\":%" PRIu64 ",\"%s\":%" PRIu64 ",", low, range->parts[0].min_u64,
		    high, range->parts[n - 1].max_u64);
	else
		fprintf(out, "\"%s\":%" PRId64 ",\"%s\":%" PRId64 ",", low, range->parts[0].min_64,
		    high, range->parts[n - 1].max_64);
}

/* What a small number may be at most when nobody says. */
static void
put_width(FILE *out, LY_DATA_TYPE type)
{
	static const struct {
		LY_DATA_TYPE type;
		int64_t min, max;
	} widths[] = {
		{ LY_TYPE_UINT8, 0, UINT8_MAX },
		{ LY_TYPE_UINT16, 0, UINT16_MAX },
		{ LY_TYPE_UINT32, 0, UINT32_MAX },
		{ LY_TYPE_INT8, INT8_MIN, INT8_MAX },
		{ LY_TYPE_INT16, INT16_MIN, INT16_MAX },
		{ LY_TYPE_INT32, INT32_MIN, INT32_MAX },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(widths); i++)
		if (widths[i].type == type)
			fprintf(out, "\"minimum\":%" PRId64 ",\"maximum\":%" PRId64 ",",
			    widths[i].min, widths[i].max);
}

static void
put_enum(FILE *out, const struct lysc_type_enum *type)
{
	LY_ARRAY_COUNT_TYPE i;

	fputs("\"type\":\"string\",\"enum\":[", out);
	LY_ARRAY_FOR(type->enums, i) {
		if (i)
			fputc(',', out);
		mr_json_print(out, type->enums[i].name);
	}
	fputs("],", out);
}

static void put_type(FILE *, const struct lysc_type *);

static void
put_union(FILE *out, const struct lysc_type_union *type)
{
	LY_ARRAY_COUNT_TYPE i;

	fputs("\"anyOf\":[", out);
	LY_ARRAY_FOR(type->types, i) {
		fputs(i ? ",{" : "{", out);
		put_type(out, type->types[i]);
		fputs("\"$comment\":\"one of several\"}", out);
	}
	fputs("],", out);
}

/* YANG's regular expressions (XML Schema's) are anchored; JSON Schema's are not. Those of
 * which the two kinds mean the same are passed on. */
static void
put_patterns(FILE *out, const struct lysc_type_str *type)
{
	LY_ARRAY_COUNT_TYPE i;

	LY_ARRAY_FOR(type->patterns, i) {
		const char *expr = type->patterns[i]->expr;
		size_t size = strlen(expr) + 8;
		char *text;

		if (type->patterns[i]->inverted || strstr(expr, "\\p") || strstr(expr, "\\i") ||
		    strstr(expr, "\\c") || strstr(expr, "-["))
			continue;
		text = malloc(size);
		if (!text)
			return;
		snprintf(text, size, "^(%s)$", expr);
		fputs("\"pattern\":", out);
		mr_json_print(out, text);
		fputc(',', out);
		free(text);
		return;
	}
}

/* RFC 7951: numbers of 64 bits and decimals are texts. */
static void
put_type(FILE *out, const struct lysc_type *type)
{
	bool is_u = mr_type_is_unsigned(type->basetype);

	switch (type->basetype) {
	case LY_TYPE_BOOL:
		fputs("\"type\":\"boolean\",", out);
		break;
	case LY_TYPE_ENUM:
		put_enum(out, (const struct lysc_type_enum *)type);
		break;
	case LY_TYPE_UNION:
		put_union(out, (const struct lysc_type_union *)type);
		break;
	case LY_TYPE_LEAFREF:
		put_type(out, ((const struct lysc_type_leafref *)type)->realtype);
		break;
	case LY_TYPE_EMPTY:
		fputs("\"type\":\"array\",\"items\":{\"type\":\"null\"},\"minItems\":1,"
		      "\"maxItems\":1,",
		    out);
		break;
	case LY_TYPE_UINT64:
	case LY_TYPE_INT64:
		fputs("\"type\":\"string\",\"format\":\"", out);
		fputs(is_u ? "uint64" : "int64", out);
		fputs(is_u ? "\",\"pattern\":\"^[0-9]+$\"," : "\",\"pattern\":\"^-?[0-9]+$\",",
		    out);
		break;
	case LY_TYPE_DEC64:
		fputs("\"type\":\"string\",\"pattern\":\"^-?[0-9]+([.][0-9]+)?$\",", out);
		break;
	case LY_TYPE_UINT8:
	case LY_TYPE_UINT16:
	case LY_TYPE_UINT32:
	case LY_TYPE_INT8:
	case LY_TYPE_INT16:
	case LY_TYPE_INT32:
		fputs("\"type\":\"integer\",", out);
		if (((const struct lysc_type_num *)type)->range)
			put_range(out, ((const struct lysc_type_num *)type)->range, is_u, "minimum",
			    "maximum");
		else
			put_width(out, type->basetype);
		break;
	case LY_TYPE_STRING:
		fputs("\"type\":\"string\",", out);
		put_range(out, ((const struct lysc_type_str *)type)->length, true, "minLength",
		    "maxLength");
		put_patterns(out, (const struct lysc_type_str *)type);
		break;
	default:
		fputs("\"type\":\"string\",", out);
		break;
	}
}

static void
put_default(FILE *out, const struct lysc_node *leaf)
{
	const struct lyd_value *value;
	const char *text;
	LY_DATA_TYPE type = mr_schema_type(leaf)->basetype;

	if (leaf->nodetype != LYS_LEAF || !((const struct lysc_node_leaf *)leaf)->dflt)
		return;
	value = ((const struct lysc_node_leaf *)leaf)->dflt;
	text = lyd_value_get_canonical(leaf->module->ctx, value);
	fputs("\"default\":", out);
	if (type == LY_TYPE_BOOL || type == LY_TYPE_UINT8 || type == LY_TYPE_UINT16 ||
	    type == LY_TYPE_UINT32 || type == LY_TYPE_INT8 || type == LY_TYPE_INT16 ||
	    type == LY_TYPE_INT32)
		fputs(text, out);
	else
		mr_json_print(out, text);
	fputc(',', out);
}

void
openapi_put_leaf(FILE *out, const struct lysc_node *leaf)
{
	const char *units = mr_schema_units(leaf);

	fputc('{', out);
	if (leaf->nodetype == LYS_LEAFLIST)
		fputs("\"type\":\"array\",\"items\":{", out);
	put_type(out, mr_schema_type(leaf));
	if (leaf->nodetype == LYS_LEAFLIST)
		fputs("\"$comment\":\"one of the list\"},", out);
	openapi_put_doc(out, leaf->dsc);
	put_default(out, leaf);
	if (units) {
		fputs("\"x-units\":", out);
		mr_json_print(out, units);
		fputc(',', out);
	}
	fprintf(out, "\"readOnly\":%s}", mr_schema_is_state(leaf) ? "true" : "false");
}
