/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/model_int.h"

/*
 * What people write, turned into what YANG reads.
 */

bool
mr_type_is_unsigned(LY_DATA_TYPE type)
{
	return type == LY_TYPE_UINT8 || type == LY_TYPE_UINT16 || type == LY_TYPE_UINT32 ||
	    type == LY_TYPE_UINT64;
}

bool
mr_type_is_signed(LY_DATA_TYPE type)
{
	return type == LY_TYPE_INT8 || type == LY_TYPE_INT16 || type == LY_TYPE_INT32 ||
	    type == LY_TYPE_INT64;
}

const char *
mr_schema_units(const struct lysc_node *leaf)
{
	return leaf->nodetype == LYS_LEAF ? ((const struct lysc_node_leaf *)leaf)->units
					  : ((const struct lysc_node_leaflist *)leaf)->units;
}

uint64_t
mr_unit_nanoseconds(const char *units)
{
	if (!units)
		return 0;
	return !strcmp(units, "seconds")     ? 1000000000
	    : !strcmp(units, "milliseconds") ? 1000000
	    : !strcmp(units, "microseconds") ? 1000
	    : !strcmp(units, "nanoseconds")  ? 1
					     : 0;
}

/* A power that a suffix stands for, as a factor; 0 when it is none. */
static uint64_t
suffix_factor(const char *suffix, uint64_t unit)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} counts[] = {
	    {"", 1},
	    {"k", 1000},
	    {"M", 1000000},
	    {"G", 1000000000},
	    {"T", 1000000000000},
	    {"Ki", 1ull << 10},
	    {"Mi", 1ull << 20},
	    {"Gi", 1ull << 30},
	    {"Ti", 1ull << 40},
	}, times[] = {
	    {"ns", 1},
	    {"us", 1000},
	    {"ms", 1000000},
	    {"s", 1000000000},
	    {"m", 60ull * 1000000000},
	    {"h", 3600ull * 1000000000},
	    {"d", 86400ull * 1000000000},
	};
	size_t i;

	for (i = 0; unit && i < MR_ARRAY_COUNT(times); i++)
		if (!strcmp(times[i].suffix, suffix))
			return times[i].factor;
	for (i = 0; i < MR_ARRAY_COUNT(counts); i++)
		if (!strcmp(counts[i].suffix, suffix))
			return counts[i].factor * (unit ? unit : 1);
	return 0;
}

/* "1.5k", "32Ki", "5m", "1_000", "0x8100" to digits; null when it is something else or
 * does not come to a whole number. */
static const char *
normal_number(const char *value, const char *units, char *buffer, size_t size)
{
	uint64_t unit = mr_unit_nanoseconds(units), scale = 1, factor;
	const char *s = value + (*value == '-' || *value == '+');
	unsigned __int128 n = 0;
	bool digits = false, point = false;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		if (strspn(s + 2, "0123456789abcdefABCDEF") != strlen(s + 2) || !s[2] ||
		    strlen(s) > 18)
			return NULL;
		snprintf(buffer, size, "%s%" PRIu64, *value == '-' ? "-" : "",
		    (uint64_t)strtoull(s + 2, NULL, 16));
		return buffer;
	}
	for (;
	     isdigit((unsigned char)*s) || (digits && *s == '_') || (digits && *s == '.' && !point);
	     s++) {
		if (*s == '_')
			continue;
		if (*s == '.') {
			point = true;
			continue;
		}
		digits = true;
		if (point)
			scale *= 10;
		n = n * 10 + (unsigned)(*s - '0');
		if (n > UINT64_MAX || scale > 1000000000000)
			return NULL;
	}
	factor = suffix_factor(s, unit);
	if (!digits || !factor)
		return NULL;
	n *= factor;
	if (n % scale || (n / scale) % (unit ? unit : 1))
		return NULL;
	n = n / scale / (unit ? unit : 1);
	if (n > UINT64_MAX)
		return NULL;
	snprintf(buffer, size, "%s%" PRIu64, *value == '-' ? "-" : "", (uint64_t)n);
	return buffer;
}

static const char *
normal_bool(const char *value)
{
	static const char *const words[][2] = {
		{ "true", "true" },
		{ "yes", "true" },
		{ "on", "true" },
		{ "false", "false" },
		{ "no", "false" },
		{ "off", "false" },
	};
	size_t i;

	for (i = 0; i < MR_ARRAY_COUNT(words); i++)
		if (!strcasecmp(value, words[i][0]))
			return words[i][1];
	return NULL;
}

static const char *
normal_type(const struct lysc_type *type, const char *units, const char *value, char *buffer,
    size_t size)
{
	const struct lysc_type_union *un = (const struct lysc_type_union *)type;
	const char *normal;
	LY_ARRAY_COUNT_TYPE i;

	if (mr_type_is_unsigned(type->basetype) || mr_type_is_signed(type->basetype))
		return normal_number(value, units, buffer, size);
	if (type->basetype == LY_TYPE_BOOL)
		return normal_bool(value);
	if (type->basetype == LY_TYPE_LEAFREF)
		return normal_type(((const struct lysc_type_leafref *)type)->realtype, units, value,
		    buffer, size);
	if (type->basetype == LY_TYPE_UNION)
		LY_ARRAY_FOR(un->types, i) {
			normal = normal_type(un->types[i], units, value, buffer, size);
			if (normal)
				return normal;
		}
	return NULL;
}

const char *
mr_value_normal(const struct lysc_node *leaf, const char *value, char *buffer, size_t size)
{
	const struct lysc_type *type = mr_schema_type(leaf);
	const char *normal;

	/* What a union understands as it stands means that. */
	if (type->basetype == LY_TYPE_UNION &&
	    !lyd_value_validate(leaf->module->ctx, leaf, value, strlen(value), NULL, NULL, NULL))
		return value;
	normal = normal_type(type, mr_schema_units(leaf), value, buffer, size);
	return normal ? normal : value;
}

bool
mr_type_is_number_list(const struct lysc_node *leaf)
{
	const struct lysc_type *type = mr_schema_type(leaf);
	struct lysc_pattern **patterns;
	LY_ARRAY_COUNT_TYPE i;

	if (type->basetype != LY_TYPE_STRING)
		return false;
	patterns = ((const struct lysc_type_str *)type)->patterns;
	LY_ARRAY_FOR(patterns, i)
		if (patterns[i]->eapptag && !strcmp(patterns[i]->eapptag, "number-list"))
			return true;
	return false;
}

bool
mr_value_bad_range(const char *value, unsigned *first, unsigned *last)
{
	while (mr_ranges_next(&value, first, last))
		if (*first > *last)
			return true;
	return false;
}

bool
mr_ranges_next(const char **cursor, unsigned *first, unsigned *last)
{
	const char *s = *cursor;
	char *end;

	if (!s || !isdigit((unsigned char)*s))
		return false;
	*first = (unsigned)strtoul(s, &end, 10);
	*last = *first;
	if (*end == '-' && isdigit((unsigned char)end[1]))
		*last = (unsigned)strtoul(end + 1, &end, 10);
	*cursor = *end == ',' ? end + 1 : end;
	return true;
}
