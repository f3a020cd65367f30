/* SPDX-License-Identifier: Apache-2.0 */
#include "model/yaml_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "model/json_int.h"

/* libyaml itself compares every new anchor with all before it. */
#define ANCHORS_MAX 256

struct chunk {
	struct chunk *next;
	size_t size, used;
	max_align_t data[];
};

struct anchor {
	char *name;
	struct mr_yaml_node *node;
};

/* What is being composed: a stack of open collections, their children so far in
 * one stack beside it. */
struct open {
	struct mr_yaml_node *node;
	size_t base; /* of its children in `pending` */
};

struct mr_yaml {
	struct chunk *chunks;
	const char *name;
	struct mr_report *report;
	size_t nodes_left;
	struct anchor anchors[ANCHORS_MAX];
	unsigned anchor_count;
	struct open stack[MR_YAML_DEPTH_MAX];
	unsigned depth;
	struct mr_yaml_node **pending;
	size_t pending_count, pending_room;
	struct mr_yaml_node *root;
};

void *
mr_yaml_alloc(struct mr_yaml *y, size_t size)
{
	struct chunk *c = y->chunks;
	void *p;

	size = MR_ALIGN_UP(size, alignof(max_align_t));
	if (!c || c->size - c->used < size) {
		size_t room = MR_MAX(size, (size_t)32768);

		c = malloc(sizeof(*c) + room);
		if (!c)
			return NULL;
		c->size = room;
		c->used = 0;
		c->next = y->chunks;
		y->chunks = c;
	}
	p = (char *)c->data + c->used;
	c->used += size;
	return p;
}

static int
yaml_fail(struct mr_yaml *y, const yaml_mark_t *mark, const char *what)
{
	mr_report_add(y->report, y->name, (unsigned)mark->line + 1, (unsigned)mark->column + 1, "",
	    "%s", what);
	return -EINVAL;
}

static int
yaml_no_memory(struct mr_yaml *y)
{
	mr_report_add(y->report, y->name, 0, 0, "", "not enough memory to read it");
	return -ENOMEM;
}

static int
yaml_count(struct mr_yaml *y, size_t count, const yaml_mark_t *mark)
{
	if (y->nodes_left < count)
		return yaml_fail(y, mark, "too much: more entries than a configuration may have");
	y->nodes_left -= count;
	return 0;
}

static struct mr_yaml_node *
yaml_node(struct mr_yaml *y, enum mr_yaml_kind kind, const yaml_mark_t *mark)
{
	struct mr_yaml_node *node = mr_yaml_alloc(y, sizeof(*node));

	if (!node)
		return NULL;
	*node = (struct mr_yaml_node){
		.kind = kind,
		.line = (uint32_t)mark->line + 1,
		.column = (uint32_t)mark->column + 1,
	};
	return node;
}

/* Hands a composed node to the collection that is open, or makes it the root. */
static int
yaml_push(struct mr_yaml *y, struct mr_yaml_node *node)
{
	struct mr_yaml_node **grown;
	size_t room;

	if (!y->depth) {
		y->root = node;
		return 0;
	}
	if (y->pending_count == y->pending_room) {
		room = y->pending_room ? y->pending_room * 2 : 256;
		grown = realloc(y->pending, room * sizeof(*grown));
		if (!grown)
			return yaml_no_memory(y);
		y->pending = grown;
		y->pending_room = room;
	}
	y->pending[y->pending_count++] = node;
	return 0;
}

static int
yaml_anchor(struct mr_yaml *y, const yaml_char_t *name, struct mr_yaml_node *node,
    const yaml_mark_t *mark)
{
	size_t size;
	char *copy;

	if (!name)
		return 0;
	if (y->anchor_count == ANCHORS_MAX)
		return yaml_fail(y, mark, "too many anchors; 256 are allowed");
	size = strlen((const char *)name) + 1;
	copy = mr_yaml_alloc(y, size);
	if (!copy)
		return yaml_no_memory(y);
	memcpy(copy, name, size);
	y->anchors[y->anchor_count++] = (struct anchor){ .name = copy, .node = node };
	return 0;
}

static int
yaml_tag(struct mr_yaml *y, const yaml_char_t *tag, const yaml_mark_t *mark)
{
	const char *t = (const char *)tag;
	char text[128];

	if (!t || !strncmp(t, "tag:yaml.org,2002:", 18) || !strcmp(t, "!"))
		return 0;
	snprintf(text, sizeof(text), "the tag \"%.60s\" means nothing here", t);
	return yaml_fail(y, mark, text);
}

static int
yaml_scalar(struct mr_yaml *y, const yaml_event_t *event)
{
	const yaml_mark_t *mark = &event->start_mark;
	struct mr_yaml_node *node;
	int rc = yaml_count(y, 1, mark);

	if (!rc)
		rc = yaml_tag(y, event->data.scalar.tag, mark);
	if (rc)
		return rc;
	node = yaml_node(y, MR_YAML_SCALAR, mark);
	if (!node || !(node->text = mr_yaml_alloc(y, event->data.scalar.length + 1)))
		return yaml_no_memory(y);
	memcpy(node->text, event->data.scalar.value, event->data.scalar.length);
	node->text[event->data.scalar.length] = '\0';
	node->count = event->data.scalar.length;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->done = true;
	rc = yaml_anchor(y, event->data.scalar.anchor, node, mark);
	return rc ? rc : yaml_push(y, node);
}

static int
yaml_alias(struct mr_yaml *y, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	char text[128];
	unsigned i;

	for (i = y->anchor_count; i-- > 0;)
		if (!strcmp(y->anchors[i].name, name))
			break;
	if (i == UINT32_MAX) {
		snprintf(text, sizeof(text), "there is no anchor \"%.60s\" above this", name);
		return yaml_fail(y, &event->start_mark, text);
	}
	if (!y->anchors[i].node->done) {
		snprintf(text, sizeof(text), "\"*%.60s\" stands inside what it refers to", name);
		return yaml_fail(y, &event->start_mark, text);
	}
	return yaml_push(y, y->anchors[i].node);
}

static int
yaml_open(struct mr_yaml *y, enum mr_yaml_kind kind, const yaml_char_t *anchor,
    const yaml_char_t *tag, const yaml_mark_t *mark)
{
	struct mr_yaml_node *node;
	int rc = yaml_count(y, 1, mark);

	if (!rc)
		rc = yaml_tag(y, tag, mark);
	if (rc)
		return rc;
	if (y->depth == MR_YAML_DEPTH_MAX)
		return yaml_fail(y, mark, "nested too deeply");
	node = yaml_node(y, kind, mark);
	if (!node)
		return yaml_no_memory(y);
	rc = yaml_anchor(y, anchor, node, mark);
	if (rc)
		return rc;
	y->stack[y->depth++] = (struct open){ .node = node, .base = y->pending_count };
	return 0;
}

static bool
is_merge(const struct mr_yaml_node *key)
{
	return key->plain && !strcmp(key->text, "<<");
}

/* How many pairs `<<: value` brings; -EINVAL when the value is no map. */
static int
merge_count(struct mr_yaml *y, const struct mr_yaml_node *value, size_t *count)
{
	yaml_mark_t mark = { .line = value->line - 1, .column = value->column - 1 };
	size_t i;

	if (value->kind == MR_YAML_MAP) {
		*count += value->count;
		return yaml_count(y, value->count, &mark);
	}
	if (value->kind != MR_YAML_SEQUENCE)
		return yaml_fail(y, &mark, "<< needs a map, or a sequence of maps");
	for (i = 0; i < value->count; i++) {
		int rc = value->items[i]->kind == MR_YAML_MAP
		    ? merge_count(y, value->items[i], count)
		    : yaml_fail(y, &mark, "<< needs a map, or a sequence of maps");

		if (rc)
			return rc;
	}
	return 0;
}

static struct mr_yaml_pair *
merge_copy(struct mr_yaml_pair *to, const struct mr_yaml_node *value)
{
	size_t i;

	if (value->kind == MR_YAML_SEQUENCE) {
		for (i = 0; i < value->count; i++)
			to = merge_copy(to, value->items[i]);
		return to;
	}
	for (i = 0; i < value->count; i++) {
		/* Copied before anybody settled the map; `first` is set anew. */
		*to = value->pairs[i];
		to->merged = true;
		to->first = NULL;
		to++;
	}
	return to;
}

/* Turns what is pending since the map was opened into its pairs. */
static int
yaml_close_map(struct mr_yaml *y, struct mr_yaml_node *map, struct mr_yaml_node **children,
    size_t count)
{
	struct mr_yaml_pair *pair;
	size_t i, pairs = 0;
	int rc;

	for (i = 0; i + 1 < count; i += 2) {
		yaml_mark_t mark = { .line = children[i]->line - 1,
			.column = children[i]->column - 1 };

		if (children[i]->kind != MR_YAML_SCALAR)
			return yaml_fail(y, &mark, "a key must be a single word");
		if (strlen(children[i]->text) != children[i]->count)
			return yaml_fail(y, &mark, "a key holds a null byte");
		if (!is_merge(children[i])) {
			pairs++;
			continue;
		}
		rc = merge_count(y, children[i + 1], &pairs);
		if (rc)
			return rc;
	}
	map->pairs = mr_yaml_alloc(y, pairs * sizeof(*map->pairs));
	if (!map->pairs)
		return yaml_no_memory(y);
	pair = map->pairs;
	for (i = 0; i + 1 < count; i += 2) {
		if (is_merge(children[i]))
			pair = merge_copy(pair, children[i + 1]);
		else
			*pair++ =
			    (struct mr_yaml_pair){ .key = children[i], .value = children[i + 1] };
	}
	map->count = pairs;
	return 0;
}

static int
yaml_close(struct mr_yaml *y)
{
	struct open *open = &y->stack[--y->depth];
	struct mr_yaml_node **children = y->pending + open->base;
	size_t count = y->pending_count - open->base;
	int rc;

	if (open->node->kind == MR_YAML_MAP) {
		rc = yaml_close_map(y, open->node, children, count);
		if (rc)
			return rc;
	} else {
		open->node->items = mr_yaml_alloc(y, count * sizeof(*children));
		if (!open->node->items)
			return yaml_no_memory(y);
		if (count)
			memcpy(open->node->items, children, count * sizeof(*children));
		open->node->count = count;
	}
	y->pending_count = open->base;
	open->node->done = true;
	return yaml_push(y, open->node);
}

static int
yaml_event(struct mr_yaml *y, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (y->root)
			return yaml_fail(y, &event->start_mark,
			    "a second document begins here; a file is one configuration");
		return 0;
	case YAML_SCALAR_EVENT:
		return yaml_scalar(y, event);
	case YAML_ALIAS_EVENT:
		return yaml_alias(y, event);
	case YAML_SEQUENCE_START_EVENT:
		return yaml_open(y, MR_YAML_SEQUENCE, event->data.sequence_start.anchor,
		    event->data.sequence_start.tag, &event->start_mark);
	case YAML_MAPPING_START_EVENT:
		return yaml_open(y, MR_YAML_MAP, event->data.mapping_start.anchor,
		    event->data.mapping_start.tag, &event->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return yaml_close(y);
	default:
		return 0;
	}
}

/* The ASCII character at a mark, ? for others. */
static char
yaml_at(const char *text, size_t size, const yaml_mark_t *mark)
{
	size_t line = mark->line, column = mark->column, i = 0;
	const char *end;

	for (; line && (end = memchr(text + i, '\n', size - i)); line--)
		i = (size_t)(end - text) + 1;
	for (; column && i < size; column--)
		i += MR_MAX(mr_utf8_length(text + i, size - i), 1u);
	return i < size && text[i] > 0 ? text[i] : '?';
}

/* libyaml's own complaint, made a sentence. */
static int
yaml_syntax(struct mr_yaml *y, const yaml_parser_t *parser, const char *text, size_t size)
{
	char what[80], character;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_MEMORY_ERROR)
		return yaml_no_memory(y);
	if (!strcmp(problem, "found character that cannot start any token")) {
		character = yaml_at(text, size, &parser->problem_mark);
		if (character == '\t')
			return yaml_fail(y, &parser->problem_mark,
			    "not YAML: a tab cannot indent; use spaces");
		snprintf(what, sizeof(what),
		    "not YAML: %c cannot begin a value; put it between quotes", character);
		return yaml_fail(y, &parser->problem_mark, what);
	}
	if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		mr_report_add(y->report, y->name, (unsigned)parser->problem_mark.line + 1,
		    (unsigned)parser->problem_mark.column + 1, "",
		    "not YAML: %s, %s that begins in line %u", problem, parser->context,
		    (unsigned)parser->context_mark.line + 1);
	else if (parser->context)
		mr_report_add(y->report, y->name, (unsigned)parser->problem_mark.line + 1,
		    (unsigned)parser->problem_mark.column + 1, "", "not YAML: %s, %s", problem,
		    parser->context);
	else
		mr_report_add(y->report, y->name, (unsigned)parser->problem_mark.line + 1,
		    (unsigned)parser->problem_mark.column + 1, "", "not YAML: %s", problem);
	return -EINVAL;
}

/* Refuses what no YAML file may hold, with its place: libyaml gives only an offset. */
static int
yaml_check_text(struct mr_yaml *y, const char *text, size_t size)
{
	unsigned line = 1, column = 1, length;
	char what[64];
	size_t i = 0;

	while (i < size) {
		unsigned char c = (unsigned char)text[i];

		length = mr_utf8_length(text + i, size - i);
		if (!length)
			snprintf(what, sizeof(what), "not UTF-8: byte 0x%02x", c);
		else if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
			snprintf(what, sizeof(what), "not text: control character 0x%02x", c);
		else {
			i += length;
			column++;
			if (c == '\n') {
				line++;
				column = 1;
			}
			continue;
		}
		mr_report_add(y->report, y->name, line, column, "", "%s", what);
		return -EINVAL;
	}
	return 0;
}

int
mr_yaml_parse(struct mr_yaml **out, struct mr_yaml_node **root, const char *name, const char *text,
    size_t size, size_t nodes_max, struct mr_report *report)
{
	struct mr_yaml *y = calloc(1, sizeof(*y));
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;
	int rc;

	*out = NULL;
	*root = NULL;
	if (!y) {
		mr_report_add(report, name, 0, 0, "", "not enough memory to read it");
		return -ENOMEM;
	}
	y->name = name;
	y->report = report;
	y->nodes_left = nodes_max;
	rc = yaml_check_text(y, text, size);
	if (rc)
		goto out_destroy;
	if (!yaml_parser_initialize(&parser)) {
		rc = yaml_no_memory(y);
		goto out_destroy;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (!rc && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			rc = yaml_syntax(y, &parser, text, size);
			break;
		}
		rc = yaml_event(y, &event);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (rc)
		goto out_destroy;
	*root = y->root;
	*out = y;
	return 0;

out_destroy:
	mr_yaml_destroy(y);
	return rc;
}

int
mr_yaml_create(struct mr_yaml **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void
mr_yaml_destroy(struct mr_yaml *y)
{
	struct chunk *c, *next;

	if (!y)
		return;
	for (c = y->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(y->pending);
	free(y);
}

bool
mr_yaml_is_null(const struct mr_yaml_node *node)
{
	return node->kind == MR_YAML_SCALAR && node->plain &&
	    (!node->count || !strcmp(node->text, "~") || !strcasecmp(node->text, "null"));
}

/* By key; a written pair before a merged one, else in the file's order. */
static int
pair_compare(const void *left, const void *right)
{
	const struct mr_yaml_pair *a = *(struct mr_yaml_pair *const *)left;
	const struct mr_yaml_pair *b = *(struct mr_yaml_pair *const *)right;
	int by_key = strcmp(a->key->text, b->key->text);

	if (by_key)
		return by_key;
	if (a->merged != b->merged)
		return a->merged ? 1 : -1;
	return a < b ? -1 : a > b;
}

int
mr_yaml_settle(struct mr_yaml_node *map)
{
	struct mr_yaml_pair **sorted;
	size_t i;

	if (map->settled || !map->count)
		return 0;
	sorted = calloc(map->count, sizeof(struct mr_yaml_pair *));
	if (!sorted)
		return -ENOMEM;
	for (i = 0; i < map->count; i++)
		sorted[i] = &map->pairs[i];
	qsort(sorted, map->count, sizeof(struct mr_yaml_pair *), pair_compare);
	for (i = 1; i < map->count; i++)
		if (!strcmp(sorted[i]->key->text, sorted[i - 1]->key->text))
			sorted[i]->first =
			    sorted[i - 1]->first ? sorted[i - 1]->first : sorted[i - 1];
	free(sorted);
	map->settled = true;
	return 0;
}
