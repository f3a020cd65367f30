/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_int.h"
#include "model/yaml_int.h"

/*
 * JSON (RFC 8259) as the tree that YAML becomes, so that both are built, checked and
 * complained about in one way. Numbers stay the text that they were.
 */

struct json {
	struct mr_yaml *y;
	const char *name;
	struct mr_report *report;
	const char *at, *end;
	unsigned line, column;
	unsigned depth;
	size_t nodes_left;
	int rc;
};

/* What an array's or object's children are gathered in. */
struct gather {
	struct mr_yaml_node **nodes;
	size_t count, room;
};

static struct mr_yaml_node *
fail(struct json *j, const char *what)
{
	if (!j->rc)
		mr_report_add(j->report, j->name, j->line, j->column, "", "not JSON: %s", what);
	j->rc = j->rc ? j->rc : -EINVAL;
	return NULL;
}

static struct mr_yaml_node *
no_memory(struct json *j)
{
	if (!j->rc)
		mr_report_add(j->report, j->name, 0, 0, "", "not enough memory to read it");
	j->rc = -ENOMEM;
	return NULL;
}

static int
peek(const struct json *j)
{
	return j->at < j->end ? (unsigned char)*j->at : -1;
}

static void
step(struct json *j)
{
	unsigned char c = (unsigned char)*j->at++;

	if (c == '\n') {
		j->line++;
		j->column = 1;
	} else if ((c & 0xc0) != 0x80) {
		j->column++;
	}
}

static void
skip_space(struct json *j)
{
	while (j->at < j->end && strchr(" \t\r\n", *j->at) && *j->at)
		step(j);
}

static struct mr_yaml_node *
make(struct json *j, enum mr_yaml_kind kind)
{
	struct mr_yaml_node *node;

	if (!j->nodes_left)
		return fail(j, "more entries than a configuration may have");
	j->nodes_left--;
	node = mr_yaml_alloc(j->y, sizeof(*node));
	if (!node)
		return no_memory(j);
	*node = (struct mr_yaml_node){
		.kind = kind,
		.line = j->line,
		.column = j->column,
		.done = true,
	};
	return node;
}

/* Four digits of \uXXXX; -1 when they are none. */
static int
unit(struct json *j)
{
	int value = 0;

	for (unsigned i = 0; i < 4; i++) {
		int c = peek(j);

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
		step(j);
	}
	return value;
}

static char *
put_code(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* What follows a backslash; null when nobody knows it. Never longer than what it was. */
static char *
escape(struct json *j, char *to)
{
	static const char from[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	int c = peek(j), high, low;
	const char *known = c > 0 ? strchr(from, c) : NULL;

	if (known && *known) {
		step(j);
		*to++ = means[known - from];
		return to;
	}
	if (c != 'u')
		return NULL;
	step(j);
	high = unit(j);
	if (high < 0 || (high >= 0xdc00 && high < 0xe000))
		return NULL;
	if (high < 0xd800 || high >= 0xe000)
		return put_code(to, (uint32_t)high);
	if (peek(j) != '\\')
		return NULL;
	step(j);
	if (peek(j) != 'u')
		return NULL;
	step(j);
	low = unit(j);
	if (low < 0xdc00 || low >= 0xe000)
		return NULL;
	return put_code(to, 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00));
}

static struct mr_yaml_node *
read_string(struct json *j)
{
	struct mr_yaml_node *node = make(j, MR_YAML_SCALAR);
	const char *quote = j->at + 1;
	char *to;

	if (!node)
		return NULL;
	/* What it becomes is never longer. */
	while (quote < j->end && *quote != '"')
		quote += *quote == '\\' ? 2 : 1;
	node->text = mr_yaml_alloc(j->y, (size_t)(MR_MIN(quote, j->end) - j->at) + 8);
	if (!node->text)
		return no_memory(j);
	step(j);
	for (to = node->text; peek(j) != '"';) {
		int c = peek(j);
		unsigned length;

		if (c < 0)
			return fail(j, "a text has no end");
		if (c < 0x20)
			return fail(j, "a control character in a text; write it as \\u00XX");
		if (c == '\\') {
			step(j);
			to = escape(j, to);
			if (!to)
				return fail(j,
				    "a backslash before something that it cannot stand before");
			continue;
		}
		length = mr_utf8_length(j->at, (size_t)(j->end - j->at));
		if (!length)
			return fail(j, "not UTF-8");
		for (; length; length--) {
			*to++ = *j->at;
			step(j);
		}
	}
	step(j);
	*to = '\0';
	node->count = (size_t)(to - node->text);
	return node;
}

/* RFC 8259, section 6. */
static size_t
number_length(const char *s, size_t size)
{
	size_t i = 0, digits;

	if (i < size && s[i] == '-')
		i++;
	digits = i;
	while (i < size && s[i] >= '0' && s[i] <= '9')
		i++;
	if (i == digits || (s[digits] == '0' && i > digits + 1))
		return 0;
	if (i < size && s[i] == '.') {
		digits = ++i;
		while (i < size && s[i] >= '0' && s[i] <= '9')
			i++;
		if (i == digits)
			return 0;
	}
	if (i < size && (s[i] == 'e' || s[i] == 'E')) {
		i++;
		if (i < size && (s[i] == '+' || s[i] == '-'))
			i++;
		digits = i;
		while (i < size && s[i] >= '0' && s[i] <= '9')
			i++;
		if (i == digits)
			return 0;
	}
	return i;
}

static struct mr_yaml_node *
read_word(struct json *j)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t left = (size_t)(j->end - j->at), length = number_length(j->at, left);
	struct mr_yaml_node *node;

	for (unsigned i = 0; !length && i < MR_ARRAY_COUNT(words); i++)
		if (left >= strlen(words[i]) && !memcmp(j->at, words[i], strlen(words[i])))
			length = strlen(words[i]);
	if (!length)
		return fail(j, left ? "here a value should begin" : "it ends too early");
	node = make(j, MR_YAML_SCALAR);
	if (!node)
		return NULL;
	node->text = mr_yaml_alloc(j->y, length + 1);
	if (!node->text)
		return no_memory(j);
	memcpy(node->text, j->at, length);
	node->text[length] = '\0';
	node->count = length;
	node->plain = true;
	while (length--)
		step(j);
	return node;
}

static bool
gather(struct json *j, struct gather *g, struct mr_yaml_node *node)
{
	struct mr_yaml_node **grown;
	size_t room;

	if (!node)
		return false;
	if (g->count == g->room) {
		room = g->room ? g->room * 2 : 16;
		grown = realloc(g->nodes, room * sizeof(*grown));
		if (!grown)
			return no_memory(j);
		g->nodes = grown;
		g->room = room;
	}
	g->nodes[g->count++] = node;
	return true;
}

static struct mr_yaml_node *read_value(struct json *);

/* The members of what has just been opened, up to its end. */
static void
read_members(struct json *j, struct gather *g, bool object)
{
	char end = object ? '}' : ']';

	step(j);
	skip_space(j);
	if (peek(j) == end) {
		step(j);
		return;
	}
	for (;;) {
		skip_space(j);
		if (object) {
			if (peek(j) != '"') {
				fail(j, "here a name should begin, between quotes");
				return;
			}
			if (!gather(j, g, read_string(j)))
				return;
			if (strlen(g->nodes[g->count - 1]->text) != g->nodes[g->count - 1]->count) {
				fail(j, "a name holds a null byte");
				return;
			}
			skip_space(j);
			if (peek(j) != ':') {
				fail(j, "here a colon should be");
				return;
			}
			step(j);
		}
		if (!gather(j, g, read_value(j)))
			return;
		skip_space(j);
		if (peek(j) == end) {
			step(j);
			return;
		}
		if (peek(j) != ',') {
			fail(j,
			    object ? "here a comma or } should be" : "here a comma or ] should be");
			return;
		}
		step(j);
	}
}

static struct mr_yaml_node *
read_inner(struct json *j, bool object)
{
	struct mr_yaml_node *node = make(j, object ? MR_YAML_MAP : MR_YAML_SEQUENCE);
	struct gather g = { 0 };

	if (!node)
		return NULL;
	if (j->depth == MR_YAML_DEPTH_MAX)
		return fail(j, "nested too deeply");
	j->depth++;
	read_members(j, &g, object);
	j->depth--;
	node->count = object ? g.count / 2 : g.count;
	if (!j->rc && object) {
		node->pairs = mr_yaml_alloc(j->y, node->count * sizeof(*node->pairs) + 1);
		for (size_t i = 0; node->pairs && i < node->count; i++)
			node->pairs[i] = (struct mr_yaml_pair){ .key = g.nodes[i * 2],
				.value = g.nodes[i * 2 + 1] };
		if (!node->pairs)
			no_memory(j);
	} else if (!j->rc) {
		node->items = mr_yaml_alloc(j->y, node->count * sizeof(struct mr_yaml_node *) + 1);
		if (!node->items)
			no_memory(j);
		else if (node->count)
			memcpy(node->items, g.nodes, node->count * sizeof(struct mr_yaml_node *));
	}
	free(g.nodes);
	return j->rc ? NULL : node;
}

static struct mr_yaml_node *
read_value(struct json *j)
{
	skip_space(j);
	switch (peek(j)) {
	case '{':
		return read_inner(j, true);
	case '[':
		return read_inner(j, false);
	case '"':
		return read_string(j);
	default:
		return read_word(j);
	}
}

int
mr_json_parse(struct mr_yaml **out, struct mr_yaml_node **root, const char *name, const char *text,
    size_t size, size_t nodes_max, struct mr_report *report)
{
	struct json j = {
		.name = name,
		.report = report,
		.at = text,
		.end = text + size,
		.line = 1,
		.column = 1,
		.nodes_left = nodes_max,
	};

	*out = NULL;
	*root = NULL;
	if (mr_yaml_create(&j.y)) {
		no_memory(&j);
		return j.rc;
	}
	*root = read_value(&j);
	if (*root) {
		skip_space(&j);
		if (j.at < j.end)
			*root = fail(&j, "something follows the value");
	}
	if (!*root) {
		mr_yaml_destroy(j.y);
		return j.rc;
	}
	*out = j.y;
	return 0;
}
