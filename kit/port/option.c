/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/port.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/suggest.h"

static const struct mr_option_desc *
desc_find(const struct mr_option_desc *descs, const char *key)
{
	for (; descs && descs->key; descs++)
		if (!strcmp(descs->key, key))
			return descs;
	return NULL;
}

/* Decimal digits, then nothing or one of k, M, G (thousands). */
static int
parse_uint(const char *text, uint64_t *out)
{
	uint64_t value = 0, unit = 1;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return -ERANGE;
	if (at == text)
		return -EINVAL;
	switch (*at) {
	case 'G':
		unit *= 1000;
		/* fall through */
	case 'M':
		unit *= 1000;
		/* fall through */
	case 'k':
		unit *= 1000;
		at++;
		break;
	default:
		break;
	}
	if (*at)
		return -EINVAL;
	return __builtin_mul_overflow(value, unit, out) ? -ERANGE : 0;
}

static int
check_uint(const struct mr_option_desc *d, const char *value, struct mr_error *error)
{
	uint64_t number;
	int rc = parse_uint(value, &number);

	if (rc == -EINVAL)
		return mr_error_set(error, -EINVAL,
		    "option %s: '%s' is not a number (digits, then k, M or G if wanted)", d->key,
		    value);
	if (rc || number < d->min || number > d->max)
		return mr_error_set(error, -ERANGE,
		    "option %s: %s is not between %" PRIu64 " and %" PRIu64, d->key, value, d->min,
		    d->max);
	return 0;
}

static int
check_enum(const struct mr_option_desc *d, const char *value, struct mr_error *error)
{
	struct mr_suggest s = { .word = value };
	char words[256], *word, *rest = words;
	const char *near;

	if (strlen(d->values) >= sizeof(words))
		return mr_error_set(error, -E2BIG, "option %s: its description is too long",
		    d->key);
	strcpy(words, d->values);
	while ((word = strsep(&rest, "|"))) {
		if (!strcmp(word, value))
			return 0;
		mr_suggest_try(&s, word);
	}
	near = mr_suggest_best(&s);
	return mr_error_set(error, -EINVAL, "option %s: '%s' is none of %s%s%s%s", d->key, value,
	    d->values, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int
check_value(const struct mr_option_desc *d, const char *value, struct mr_error *error)
{
	switch (d->kind) {
	case MR_OPTION_BOOL:
		if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return mr_error_set(error, -EINVAL,
			    "option %s: '%s' is neither true nor false", d->key, value);
		return 0;
	case MR_OPTION_UINT:
		return check_uint(d, value, error);
	case MR_OPTION_ENUM:
		return check_enum(d, value, error);
	case MR_OPTION_TEXT:
		if (d->max && strlen(value) > d->max)
			return mr_error_set(error, -ENAMETOOLONG,
			    "option %s: longer than %" PRIu64 " characters", d->key, d->max);
		return 0;
	}
	return 0;
}

int
mr_options_check(const struct mr_option_desc *descs, const struct mr_port_config *config,
    struct mr_error *error)
{
	const struct mr_option_desc *d;
	size_t i, j;
	int rc;

	for (i = 0; i < config->option_count; i++) {
		const struct mr_option *o = &config->options[i];

		d = desc_find(descs, o->key);
		if (!d) {
			struct mr_suggest s = { .word = o->key };
			const char *near;

			for (d = descs; d && d->key; d++)
				mr_suggest_try(&s, d->key);
			near = mr_suggest_best(&s);
			return mr_error_set(error, -EINVAL, "no option '%s'%s%s%s", o->key,
			    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		}
		for (j = 0; j < i; j++)
			if (!strcmp(config->options[j].key, o->key))
				return mr_error_set(error, -EEXIST, "option %s is given twice",
				    o->key);
		rc = check_value(d, o->value, error);
		if (rc)
			return rc;
	}
	return 0;
}

const char *
mr_option_text(const struct mr_option_desc *descs, const struct mr_port_config *config,
    const char *key)
{
	const struct mr_option_desc *d;
	size_t i;

	for (i = 0; i < config->option_count; i++)
		if (!strcmp(config->options[i].key, key))
			return config->options[i].value;
	d = desc_find(descs, key);
	return d ? d->fallback : NULL;
}

uint64_t
mr_option_uint(const struct mr_option_desc *descs, const struct mr_port_config *config,
    const char *key)
{
	const char *text = mr_option_text(descs, config, key);
	uint64_t value = 0;

	if (text && parse_uint(text, &value))
		value = 0;
	return value;
}

bool
mr_option_bool(const struct mr_option_desc *descs, const struct mr_port_config *config,
    const char *key)
{
	const char *text = mr_option_text(descs, config, key);

	return text && !strcmp(text, "true");
}
