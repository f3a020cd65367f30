/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/support/secrets.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SIZE 64

void
secrets_clear(struct secrets *s)
{
	for (unsigned i = 0; i < s->count; i++)
		free(s->values[i]);
	free(s->removed);
	memset(s, 0, sizeof(*s));
}

static void
remember(struct secrets *s, const char *value, size_t size)
{
	unsigned at;
	char *copy;

	if (size < SECRET_SHORTEST)
		return;
	for (unsigned i = 0; i < s->count; i++)
		if (strlen(s->values[i]) == size && memcmp(s->values[i], value, size) == 0)
			return;
	copy = s->count < SECRETS_MAX ? strndup(value, size) : NULL;
	if (!copy) {
		s->full = true;
		return;
	}
	/* Longest first: one may hold another. */
	for (at = s->count++; at > 0 && strlen(s->values[at - 1]) < size; at--)
		s->values[at] = s->values[at - 1];
	s->values[at] = copy;
}

void
secrets_add(struct secrets *s, const char *value, size_t size)
{
	size_t mark = size;

	remember(s, value, size);
	while (mark > 0 && value[mark - 1] != ':' && value[mark - 1] != '$')
		mark--;
	/* The rest of "a:b" may be a word like any other; that of a hash is not. */
	if (mark > 0 && size - mark >= 16)
		remember(s, value + mark, size - mark);
}

static void
say_removed(struct secrets *s, const char *path)
{
	size_t length = strlen(path);
	char *grown = realloc(s->removed, s->removed_size + length + 2);

	if (!grown) {
		s->full = true;
		return;
	}
	memcpy(grown + s->removed_size, path, length);
	s->removed_size += length;
	grown[s->removed_size++] = '\n';
	grown[s->removed_size] = '\0';
	s->removed = grown;
}

/* The scalar at `at`, up to its end in the line: quoted, or to the end or what ends it in flow. */
static void
scan_value(struct secrets *s, const char *at)
{
	const char *end;
	size_t length;

	at += strspn(at, " \t");
	if (*at == '"' || *at == '\'') {
		end = strchr(at + 1, *at);
		secrets_add(s, at + 1, end ? (size_t)(end - at - 1) : strcspn(at + 1, "\n"));
		return;
	}
	length = strcspn(at, "\n,}]");
	while (length > 0 && isspace((unsigned char)at[length - 1]))
		length--;
	secrets_add(s, at, length);
	/* In a block the value may have such marks in it. */
	length = strcspn(at, "\n");
	while (length > 0 && isspace((unsigned char)at[length - 1]))
		length--;
	secrets_add(s, at, length);
	/* And may stand in the lines below. */
	if (*at != '|' && *at != '>')
		return;
	while (*(at += strcspn(at, "\n")) && (at[1] == ' ' || at[1] == '\t')) {
		at++;
		at += strspn(at, " \t");
		secrets_add(s, at, strcspn(at, "\n"));
	}
}

void
secrets_scan(struct secrets *s, const char *text)
{
	const char *colon = text;
	char name[NAME_MAX_SIZE];

	for (; (colon = strchr(colon, ':')) != NULL; colon++) {
		const char *end = colon, *from;

		while (end > text && (strchr(" \t\"'", end[-1])))
			end--;
		for (from = end; from > text &&
		     (isalnum((unsigned char)from[-1]) || from[-1] == '-' || from[-1] == '_');)
			from--;
		if (end == from || (size_t)(end - from) >= sizeof(name))
			continue;
		memcpy(name, from, (size_t)(end - from));
		name[end - from] = '\0';
		if (mr_name_is_secret(name))
			scan_value(s, colon + 1);
	}
}

static void
take_out(struct secrets *s, const struct mr_conf *leaf)
{
	const char *value = mr_conf_value(leaf);
	char path[MR_CONF_PATH_MAX];

	mr_conf_path(leaf, path, sizeof(path));
	say_removed(s, path);
	if (value)
		secrets_add(s, value, strlen(value));
}

void
secrets_strip(struct secrets *s, json_t *o, const struct mr_conf *node)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(o, next, name, value)
	{
		const struct mr_conf *child = mr_conf_child(node, name);
		bool secret = mr_conf_is_secret(child);
		size_t i = 0;

		for (; child; child = mr_conf_next(child), i++) {
			if (secret)
				take_out(s, child);
			else
				secrets_strip(s,
				    json_is_array(value) ? json_array_get(value, i) : value, child);
		}
		if (secret)
			json_object_del(o, name);
	}
}

void
secrets_blot(const struct secrets *s, char *text, size_t size)
{
	for (unsigned i = 0; i < s->count; i++) {
		size_t length = strlen(s->values[i]), left = size;
		char *at = text;

		while (left >= length && (at = memmem(at, left, s->values[i], length)) != NULL) {
			memset(at, '*', length);
			at += length;
			left = (size_t)(text + size - at);
		}
	}
}

void
secrets_blot_quoted(char *text, size_t size)
{
	char quote = 0;

	for (size_t i = 0; i < size; i++) {
		/* An apostrophe within a word is none. */
		bool mark = text[i] == '"' ||
		    (text[i] == '\'' && (quote || i == 0 || !isalnum((unsigned char)text[i - 1])));

		if (text[i] == '\n')
			quote = 0;
		else if (quote && text[i] == quote)
			quote = 0;
		else if (quote)
			text[i] = '*';
		else if (mark)
			quote = text[i];
	}
}
