/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/alg/alg_text.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

bool
alg_read_char(struct alg_text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

bool
alg_read_number(struct alg_text *t, unsigned max, unsigned *value)
{
	const char *at = t->at;
	uint64_t number = 0;

	while (at < t->end && *at >= '0' && *at <= '9') {
		number = number * 10 + (unsigned)(*at++ - '0');
		if (number > max)
			return false;
	}
	if (at == t->at)
		return false;
	t->at = at;
	*value = (unsigned)number;
	return true;
}

static bool
is_of_address(char c, unsigned family)
{
	return (c >= '0' && c <= '9') || c == '.' ||
	    (family == 6 && (c == ':' || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

bool
alg_read_address(struct alg_text *t, unsigned family, struct alg_address *a)
{
	char text[INET6_ADDRSTRLEN];
	const char *at = t->at;
	size_t size;

	while (at < t->end && is_of_address(*at, family))
		at++;
	size = (size_t)(at - t->at);
	if (!size || size >= sizeof(text))
		return false;
	memcpy(text, t->at, size);
	text[size] = 0;
	*a = (struct alg_address){ .family = (uint8_t)family };
	if (inet_pton(family == 6 ? AF_INET6 : AF_INET, text, a->bytes) != 1)
		return false;
	t->at = at;
	return true;
}

bool
alg_begins(const struct alg_text *t, const char *word)
{
	size_t size = strlen(word);

	return (size_t)(t->end - t->at) >= size && strncasecmp(t->at, word, size) == 0;
}

bool
alg_read_line(struct alg_text *t, struct alg_text *line)
{
	const char *feed = memchr(t->at, '\n', (size_t)(t->end - t->at));

	if (!feed)
		return false;
	*line = (struct alg_text){ t->at, feed };
	if (line->at < line->end && line->end[-1] == '\r')
		line->end--;
	t->at = feed + 1;
	return true;
}

unsigned
alg_write_address(char *out, const struct alg_address *a)
{
	char text[INET6_ADDRSTRLEN] = "";
	size_t size;

	inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->bytes, text, sizeof(text));
	size = strlen(text);
	memcpy(out, text, size);
	return (unsigned)size;
}

bool
alg_address_equal(const struct alg_address *a, unsigned family, const void *bytes)
{
	return a->family == family && memcmp(a->bytes, bytes, family == 6 ? 16 : 4) == 0;
}

bool
alg_edit(struct alg_edits *e, uint32_t at, uint32_t size, const char *text, unsigned text_size)
{
	struct alg_edit *last = e->count ? &e->items[e->count - 1] : NULL;

	if (e->count == ALG_EDITS_MAX || text_size > ALG_EDIT_MAX ||
	    (last && at < last->at + last->size))
		return false;
	e->items[e->count] =
	    (struct alg_edit){ .at = at, .size = size, .text_size = (uint8_t)text_size };
	memcpy(e->items[e->count++].text, text, text_size);
	return true;
}

int
alg_edits_growth(const struct alg_edits *e, uint32_t from)
{
	int growth = 0;

	for (unsigned i = 0; i < e->count; i++)
		if (e->items[i].at >= from)
			growth += (int)e->items[i].text_size - (int)e->items[i].size;
	return growth;
}

size_t
alg_edits_apply(const struct alg_edits *e, const void *payload, size_t size, void *out, size_t room)
{
	const uint8_t *in = payload;
	size_t at = 0, written = 0;
	uint8_t *to = out;

	if (size + (size_t)alg_edits_growth(e, 0) > room)
		return 0;
	for (unsigned i = 0; i < e->count; i++) {
		const struct alg_edit *one = &e->items[i];

		if (one->at < at || one->at + (size_t)one->size > size)
			return 0;
		memcpy(to + written, in + at, one->at - at);
		written += one->at - at;
		memcpy(to + written, one->text, one->text_size);
		written += one->text_size;
		at = one->at + one->size;
	}
	memcpy(to + written, in + at, size - at);
	return written + size - at;
}
