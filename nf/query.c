/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/query.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/packet/print.h"

int
mr_query_word(const struct mr_nf_query *q, const char *name, const char *const *names,
    unsigned count, const char *what, int *out, struct mr_error *error)
{
	const char *given = q->value(q->arg, name);

	if (!given)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (!names[i] || strcmp(given, names[i]) != 0)
			continue;
		*out = (int)i;
		return 0;
	}
	return mr_error_set(error, -EINVAL, "there is no %s \"%s\"", what, given);
}

int
mr_query_form(const struct mr_nf_query *q, enum mr_query_form *out, struct mr_error *error)
{
	static const char *const names[MR_QUERY_FORMS] = { "text", "json", "count" };
	int at = (int)*out,
	    rc = mr_query_word(q, "form", names, MR_QUERY_FORMS, "form", &at, error);

	*out = (enum mr_query_form)at;
	return rc;
}

static int
number(const char *given, uint32_t least, uint32_t most, const char *what, int *out,
    struct mr_error *error)
{
	unsigned long n;
	char *end;

	n = strtoul(given, &end, 10);
	if (given[0] < '0' || given[0] > '9' || *end || n < least || n > most)
		return mr_error_set(error, -EINVAL, "\"%s\" is no %s from %u to %u", given, what,
		    least, most);
	*out = (int)n;
	return 0;
}

int
mr_query_number(const struct mr_nf_query *q, const char *name, uint32_t least, uint32_t most,
    const char *what, int *out, struct mr_error *error)
{
	const char *given = q->value(q->arg, name);

	return given ? number(given, least, most, what, out, error) : 0;
}

int
mr_query_protocol(const struct mr_nf_query *q, const char *name, int *out, struct mr_error *error)
{
	const char *given = q->value(q->arg, name), *known;

	if (!given)
		return 0;
	for (unsigned p = 0; p < 256; p++) {
		known = mr_ip_proto_name((uint8_t)p);
		if (!known || strcmp(known, given) != 0)
			continue;
		*out = (int)p;
		return 0;
	}
	return number(given, 0, 255, "protocol", out, error);
}

int
mr_query_prefix(const struct mr_nf_query *q, const char *name, struct mr_query_prefix *out,
    struct mr_error *error)
{
	const char *given = q->value(q->arg, name);
	char text[64], *slash, *end;
	unsigned long bits;

	if (!given)
		return 0;
	*out = (struct mr_query_prefix){ .given = true };
	snprintf(text, sizeof(text), "%s", given);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	out->whole = !slash;
	if (inet_pton(AF_INET6, text, out->bytes) == 1)
		out->six = true;
	else if (inet_pton(AF_INET, text, out->bytes) != 1)
		return mr_error_set(error, -EINVAL, "\"%s\" is no address and no prefix", given);
	out->bits = out->six ? 128 : 32;
	if (!slash)
		return 0;
	bits = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || bits > out->bits)
		return mr_error_set(error, -EINVAL, "\"%s\": no such length of a prefix", given);
	out->bits = (uint8_t)bits;
	return 0;
}

bool
mr_query_covers(const struct mr_query_prefix *p, bool six, const uint8_t *address)
{
	unsigned bytes = p->bits / 8, rest = p->bits % 8;

	if (p->six != six || memcmp(address, p->bytes, bytes) != 0)
		return false;
	return !rest || ((address[bytes] ^ p->bytes[bytes]) & (0xff00u >> rest & 0xffu)) == 0;
}
