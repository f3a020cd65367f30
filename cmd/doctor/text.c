/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/doctor/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

static const char *
next_line(const char *s)
{
	s += strcspn(s, "\n");
	return *s ? s + 1 : NULL;
}

static void
copy(char *out, size_t size, const char *text, size_t length)
{
	length = MR_MIN(length, size - 1);
	memcpy(out, text, length);
	out[length] = '\0';
}

/* Behind `name` and its mark, or null. */
static const char *
value_of(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *s = text; s; s = next_line(s)) {
		const char *at = s + strspn(s, BLANKS);

		if (strncmp(at, name, length) != 0)
			continue;
		at += length;
		at += strspn(at, BLANKS);
		if (*at == ':' || *at == '=')
			return at + 1 + strspn(at + 1, BLANKS);
	}
	return NULL;
}

bool
text_field(const char *text, const char *name, char *value, size_t size)
{
	const char *at = value_of(text, name);
	size_t length;

	if (!at)
		return false;
	length = strcspn(at, "\n");
	while (length > 0 && isspace((unsigned char)at[length - 1]))
		length--;
	copy(value, size, at, length);
	return true;
}

static bool
number(const char *at, int base, uint64_t *value)
{
	char *end;
	unsigned long long n;

	if (!at || !isxdigit((unsigned char)*at))
		return false;
	n = strtoull(at, &end, base);
	if (end == at)
		return false;
	*value = n;
	return true;
}

bool
text_field_uint(const char *text, const char *name, uint64_t *value)
{
	return number(value_of(text, name), 10, value);
}

bool
text_field_hex(const char *text, const char *name, uint64_t *value)
{
	return number(value_of(text, name), 16, value);
}

bool
text_has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	while (*text) {
		size_t here = strcspn(text, " \t\n");

		if (here == length && memcmp(text, word, length) == 0)
			return true;
		text += here;
		text += strspn(text, " \t\n");
	}
	return false;
}

bool
text_row(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *s = text; s; s = next_line(s))
		if (length && strncmp(s, word, length) == 0 && strchr(" \t\n", s[length]))
			return true;
	return false;
}

bool
text_limit(const char *text, const char *name, uint64_t *soft)
{
	size_t length = strlen(name);

	for (const char *s = text; s; s = next_line(s)) {
		const char *at = s + length;

		if (strncmp(s, name, length) != 0 || (*at != ' ' && *at != '\t'))
			continue;
		at += strspn(at, BLANKS);
		if (strncmp(at, "unlimited", 9) != 0)
			return number(at, 10, soft);
		*soft = UINT64_MAX;
		return true;
	}
	return false;
}

bool
text_chosen(const char *text, char *word, size_t size)
{
	const char *from = strchr(text, '['), *to = from ? strchr(from, ']') : NULL;

	if (!to)
		return false;
	copy(word, size, from + 1, (size_t)(to - from - 1));
	return true;
}

bool
text_version(const char *text, unsigned *version)
{
	unsigned major, minor;

	if (sscanf(text, "%3u.%3u", &major, &minor) != 2)
		return false;
	*version = major * 1000 + minor;
	return true;
}

bool
text_cpu_time(const char *text, unsigned cpu, uint64_t *all, uint64_t *stolen)
{
	unsigned long long v[8];
	char name[16];
	int length = snprintf(name, sizeof(name), "cpu%u ", cpu);

	for (const char *s = text; s; s = next_line(s)) {
		if (strncmp(s, name, (size_t)length) != 0)
			continue;
		if (sscanf(s + length, "%llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1],
			&v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) != 8)
			return false;
		*all = 0;
		for (unsigned i = 0; i < 8; i++)
			*all += v[i];
		*stolen = v[7];
		return true;
	}
	return false;
}

bool
text_mount(const char *text, const char *place, char *type, size_t size)
{
	size_t length = strlen(place);
	bool found = false;

	for (const char *s = text; s; s = next_line(s)) {
		const char *at = s + strcspn(s, " \n");

		if (*at++ != ' ' || strncmp(at, place, length) != 0 || at[length] != ' ')
			continue;
		at += length + 1;
		copy(type, size, at, strcspn(at, " \n"));
		found = true;
	}
	return found;
}

/* "eth0", "eth0-TxRx-3", "ixgbe-eth0" name eth0; "eth01" does not. */
static bool
names(const char *line, size_t size, const char *device)
{
	size_t length = strlen(device);

	for (const char *s = line; length > 0 && s + length <= line + size; s++)
		if (memcmp(s, device, length) == 0 &&
		    (s == line || !isalnum((unsigned char)s[-1])) &&
		    (s + length == line + size || !isalnum((unsigned char)s[length])))
			return true;
	return false;
}

bool
text_interrupt(const char **cursor, const char *device, unsigned *irq)
{
	for (const char *s = *cursor; s; s = next_line(s)) {
		uint64_t n;

		if (!names(s, strcspn(s, "\n"), device) || !number(s + strspn(s, BLANKS), 10, &n))
			continue;
		*irq = (unsigned)n;
		*cursor = next_line(s);
		return true;
	}
	*cursor = NULL;
	return false;
}
