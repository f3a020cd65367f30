/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "kit/base/suggest.h"
#include "model/json_int.h"
#include "model/model_int.h"

/*
 * Types and values in words.
 */

#define VALUE_SHOWN_MAX 60 /* bytes of a refused value that an error repeats */
#define ENUMS_SHOWN_MAX 24

void
mr_text_add(struct mr_text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	if (t->used + 1 >= t->size)
		return;
	va_start(args, fmt);
	n = vsnprintf(t->text + t->used, t->size - t->used, fmt, args);
	va_end(args);
	if (n > 0)
		t->used = MR_MIN(t->used + (size_t)n, t->size - 1);
}

void
mr_value_quote(const char *value, char *text, size_t size)
{
	struct mr_text t = { .text = text, .size = size };
	size_t left = strlen(value), shown = 0;

	mr_text_add(&t, "\"");
	while (left) {
		unsigned length = mr_utf8_length(value, left);

		if (shown + length > VALUE_SHOWN_MAX) {
			mr_text_add(&t, "...");
			break;
		}
		if (*value == '\n')
			mr_text_add(&t, "\\n");
		else if (!length || (unsigned char)*value < 0x20)
			mr_text_add(&t, "\\x%02x", (unsigned char)*value);
		else
			mr_text_add(&t, "%.*s", (int)length, value);
		length = length ? length : 1;
		value += length;
		left -= length;
		shown += length;
	}
	mr_text_add(&t, "\"");
}

static void
number_add(struct mr_text *t, bool is_u, uint64_t n)
{
	if (is_u)
		mr_text_add(t, " %" PRIu64, n);
	else
		mr_text_add(t, " %" PRId64, (int64_t)n);
}

static void
phrase_number(struct mr_text *t, const struct lysc_type *type, const char *units)
{
	const struct lysc_range *range = ((const struct lysc_type_num *)type)->range;
	bool is_u = mr_type_is_unsigned(type->basetype);
	unsigned bits = 8u << ((unsigned)type->basetype -
			    (is_u ? (unsigned)LY_TYPE_UINT8 : (unsigned)LY_TYPE_INT8));
	LY_ARRAY_COUNT_TYPE i;

	mr_text_add(t, "a number");
	if (mr_unit_nanoseconds(units))
		mr_text_add(t, " of %s", units);
	/* "a number 5 or between ..." would not be English. */
	if (range && range->parts[0].min_u64 == range->parts[0].max_u64)
		mr_text_add(t, " that is");
	if (!range && bits >= 32) {
		mr_text_add(t, is_u ? " from 0 up" : "");
		return;
	}
	if (!range && is_u) {
		mr_text_add(t, " between 0 and %u", (1u << bits) - 1);
		return;
	}
	if (!range) {
		mr_text_add(t, " between -%u and %u", 1u << (bits - 1), (1u << (bits - 1)) - 1);
		return;
	}
	LY_ARRAY_FOR(range->parts, i) {
		if (i)
			mr_text_add(t, i + 1 == LY_ARRAY_COUNT(range->parts) ? " or" : ",");
		if (range->parts[i].min_u64 == range->parts[i].max_u64)
			number_add(t, is_u, range->parts[i].min_u64);
		else if (is_u && bits >= 32 && range->parts[i].max_u64 == UINT64_MAX >> (64 - bits))
			mr_text_add(t, " from %" PRIu64 " up", range->parts[i].min_u64);
		else if (is_u)
			mr_text_add(t, " between %" PRIu64 " and %" PRIu64, range->parts[i].min_u64,
			    range->parts[i].max_u64);
		else
			mr_text_add(t, " between %" PRId64 " and %" PRId64, range->parts[i].min_64,
			    range->parts[i].max_64);
	}
}

static void
phrase_enum(struct mr_text *t, const struct lysc_type *type)
{
	const struct lysc_type_bitenum_item *items = ((const struct lysc_type_enum *)type)->enums;
	LY_ARRAY_COUNT_TYPE i;

	mr_text_add(t, LY_ARRAY_COUNT(items) == 1 ? "" : "one of ");
	LY_ARRAY_FOR(items, i) {
		if (i == ENUMS_SHOWN_MAX) {
			mr_text_add(t, " ...");
			break;
		}
		mr_text_add(t, "%s%s", i ? ", " : "", items[i].name);
	}
}

/* "inet:ipv4-address" as people say it. */
static void
phrase_typedef(struct mr_text *t, const char *name)
{
	static const struct {
		const char *name, *words;
	} known[] = {
		{ "ip-address", "an IP address" },
		{ "ip-address-no-zone", "an IP address" },
		{ "ipv4-address", "an IPv4 address" },
		{ "ipv4-address-no-zone", "an IPv4 address" },
		{ "ipv6-address", "an IPv6 address" },
		{ "ipv6-address-no-zone", "an IPv6 address" },
		{ "ip-prefix", "an IP prefix such as 192.0.2.0/24 or 2001:db8::/32" },
		{ "ipv4-prefix", "an IPv4 prefix such as 192.0.2.0/24" },
		{ "ipv6-prefix", "an IPv6 prefix such as 2001:db8::/32" },
		{ "mac-address", "a MAC address such as 02:00:00:00:00:01" },
		{ "domain-name", "a domain name" },
		{ "host", "an IP address or a domain name" },
		{ "date-and-time", "a date and time such as 2026-11-21T10:00:00Z" },
	};
	const char *colon = strchr(name, ':');
	size_t i;

	name = colon ? colon + 1 : name;
	for (i = 0; i < MR_ARRAY_COUNT(known); i++)
		if (!strcmp(known[i].name, name)) {
			mr_text_add(t, "%s", known[i].words);
			return;
		}
	mr_text_add(t, "a valid %s", name);
}

/* The pattern's own words: an error-message "is not X" gives X. */
static const char *
pattern_words(const struct lysc_pattern *pattern)
{
	if (pattern->emsg && !strncmp(pattern->emsg, "is not ", 7))
		return pattern->emsg + 7;
	return NULL;
}

static void
phrase_length(struct mr_text *t, const struct lysc_range *length)
{
	LY_ARRAY_COUNT_TYPE i;

	mr_text_add(t, "text");
	if (!length)
		return;
	LY_ARRAY_FOR(length->parts, i) {
		uint64_t min = length->parts[i].min_u64, max = length->parts[i].max_u64;

		if (min == max)
			mr_text_add(t, "%s %" PRIu64, i ? " or" : " of", min);
		else if (max >= UINT32_MAX)
			mr_text_add(t, "%s %" PRIu64 " or more", i ? " or" : " of", min);
		else if (min)
			mr_text_add(t, "%s %" PRIu64 " to %" PRIu64, i ? " or" : " of", min, max);
		else
			mr_text_add(t, "%s at most %" PRIu64, i ? " or" : " of", max);
	}
	mr_text_add(t, " characters");
}

/* Whether it is the length of a text that is wrong. */
static bool
wrong_length(const struct lysc_type *type, const char *value)
{
	const struct lysc_range *length;
	uint64_t count = 0;
	LY_ARRAY_COUNT_TYPE i;

	if (type->basetype != LY_TYPE_STRING)
		return false;
	length = ((const struct lysc_type_str *)type)->length;
	if (!length)
		return false;
	for (; *value; value++)
		count += (*value & 0xc0) != 0x80; /* the first byte of each character */
	LY_ARRAY_FOR(length->parts, i)
		if (count >= length->parts[i].min_u64 && count <= length->parts[i].max_u64)
			return false;
	return true;
}

static void
phrase_string(struct mr_text *t, const struct lysc_type *type, const char *type_name)
{
	const struct lysc_type_str *str = (const struct lysc_type_str *)type;
	bool derived = type_name && strcmp(type_name, "string");
	LY_ARRAY_COUNT_TYPE i;

	if (str->patterns) {
		LY_ARRAY_FOR(str->patterns, i)
			if (pattern_words(str->patterns[i])) {
				mr_text_add(t, "%s", pattern_words(str->patterns[i]));
				return;
			}
		if (derived)
			phrase_typedef(t, type_name);
		else
			mr_text_add(t, "text of the form %s", str->patterns[0]->expr);
		return;
	}
	phrase_length(t, str->length);
}

void
mr_reference_noun(const struct lysc_type_leafref *type, char *noun, size_t size)
{
	const char *path = lyxp_get_expr(type->path);
	const char *start[2] = { path, path }, *end[2] = { path, path }, *s = path;
	int pick;

	while (*s) {
		const char *step = s, *colon;
		size_t length;
		unsigned depth = 0;

		/* A step ends at a / that is in no predicate. */
		for (length = 0; step[length] && (depth || step[length] != '/'); length++)
			depth += step[length] == '[' ? 1u : step[length] == ']' ? -1u : 0u;
		s += length + (step[length] == '/');
		length = MR_MIN(length, strcspn(step, "["));
		colon = memchr(step, ':', length);
		if (colon) {
			length -= (size_t)(colon + 1 - step);
			step = colon + 1;
		}
		start[0] = start[1];
		end[0] = end[1];
		start[1] = step;
		end[1] = step + length;
	}
	pick = end[0] > start[0] && *start[0] != '.' ? 0 : 1;
	snprintf(noun, size, "%.*s", (int)(end[pick] - start[pick]), start[pick]);
}

static void
phrase_type(struct mr_text *t, const struct lysc_type *type, const char *units,
    const char *type_name)
{
	const struct lysc_type_union *un = (const struct lysc_type_union *)type;
	bool derived = type_name && strchr(type_name, ':');
	char noun[64];
	LY_ARRAY_COUNT_TYPE i;

	if (mr_type_is_unsigned(type->basetype) || mr_type_is_signed(type->basetype)) {
		phrase_number(t, type, units);
		return;
	}
	switch (type->basetype) {
	case LY_TYPE_BOOL:
		mr_text_add(t, "true or false");
		break;
	case LY_TYPE_ENUM:
		phrase_enum(t, type);
		break;
	case LY_TYPE_STRING:
		phrase_string(t, type, type_name);
		break;
	case LY_TYPE_LEAFREF:
		mr_reference_noun((const struct lysc_type_leafref *)type, noun, sizeof(noun));
		mr_text_add(t, "the name of %s %s", strchr("aeiou", *noun) ? "an" : "a", noun);
		break;
	case LY_TYPE_DEC64:
		mr_text_add(t, "a decimal number");
		break;
	case LY_TYPE_EMPTY:
		mr_text_add(t, "no value: it is set by being there");
		break;
	case LY_TYPE_UNION:
		/* ip-address and the like say it better than their parts. */
		if (derived) {
			phrase_typedef(t, type_name);
			break;
		}
		LY_ARRAY_FOR(un->types, i) {
			mr_text_add(t, i ? ", or " : "");
			phrase_type(t, un->types[i], units, NULL);
		}
		break;
	default:
		mr_text_add(t, "a value of its type");
		break;
	}
}

/* The name that the module gave to the leaf's type, or null. */
static const char *
leaf_type_name(const struct lysc_node *leaf)
{
	const struct lysp_node *parsed = leaf->priv;

	if (!parsed)
		return NULL;
	return leaf->nodetype == LYS_LEAF ? ((const struct lysp_node_leaf *)parsed)->type.name
					  : ((const struct lysp_node_leaflist *)parsed)->type.name;
}

void
mr_type_phrase(const struct lysc_node *leaf, char *text, size_t size)
{
	struct mr_text t = { .text = text, .size = size };

	*text = '\0';
	phrase_type(&t, mr_schema_type(leaf), mr_schema_units(leaf), leaf_type_name(leaf));
}

void
mr_value_reason(const struct lysc_node *leaf, const char *value, char *text, size_t size)
{
	struct mr_text t = { .text = text, .size = size };
	const struct lysc_type *type = mr_schema_type(leaf);
	struct mr_suggest suggest = { .word = value };
	char phrase[600];
	LY_ARRAY_COUNT_TYPE i;

	mr_value_quote(value, text, size);
	t.used = strlen(text);
	mr_text_add(&t, " is ");
	if (type->basetype == LY_TYPE_EMPTY) {
		mr_text_add(&t, "a value; this is set by being there, without one");
		return;
	}
	mr_text_add(&t, "not ");
	if (wrong_length(type, value)) {
		phrase_length(&t, ((const struct lysc_type_str *)type)->length);
		return;
	}
	mr_type_phrase(leaf, phrase, sizeof(phrase));
	mr_text_add(&t, "%s", phrase);
	if (type->basetype != LY_TYPE_ENUM)
		return;
	LY_ARRAY_FOR(((const struct lysc_type_enum *)type)->enums, i)
		mr_suggest_try(&suggest, ((const struct lysc_type_enum *)type)->enums[i].name);
	if (mr_suggest_best(&suggest))
		mr_text_add(&t, "; did you mean \"%s\"?", mr_suggest_best(&suggest));
}
