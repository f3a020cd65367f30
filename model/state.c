/* SPDX-License-Identifier: Apache-2.0 */
#include "model/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_int.h"
#include "model/model_int.h"
#include "model/state_int.h"

#define DEPTH_MAX 32
#define TOP_MAX 128 /* names at the top that one state holds */

/* One open container or list entry. */
struct level {
	const struct lysc_node *schema; /* null: the top */
	const struct lysc_node *open;   /* the list or leaf-list whose array is open in it */
	const struct lysc_node *last; /* the child written last: the next is often its neighbour */
	unsigned keys_left;           /* keys still to be written before anything else */
	bool comma;
};

struct mr_state {
	const struct mr_model *model;
	enum mr_state_form form;
	char *text;
	size_t used, room;
	struct level levels[DEPTH_MAX];
	unsigned depth;
	/* What was written at the top, where several functions write. */
	const struct lysc_node *top[TOP_MAX];
	unsigned top_count;
	struct mr_error error;
	bool brief;
	const struct mr_state_sink *sink; /* null: leaves become text */
	void *sink_arg;
};

int
mr_state_create(struct mr_state **out, const struct mr_model *model, enum mr_state_form form)
{
	struct mr_state *st = calloc(1, sizeof(*st));

	*out = st;
	if (!st)
		return -ENOMEM;
	st->model = model;
	st->form = form;
	return 0;
}

int
mr_state_create_into(struct mr_state **out, const struct mr_model *model,
    const struct mr_state_sink *sink, void *arg)
{
	int rc = mr_state_create(out, model, MR_STATE_PLAIN);

	if (rc)
		return rc;
	(*out)->sink = sink;
	(*out)->sink_arg = arg;
	return 0;
}

void
mr_state_destroy(struct mr_state *st)
{
	if (!st)
		return;
	free(st->text);
	free(st);
}

const struct mr_model *
mr_state_model(const struct mr_state *st)
{
	return st->model;
}

void
mr_state_set_brief(struct mr_state *st)
{
	st->brief = true;
}

bool
mr_state_is_brief(const struct mr_state *st)
{
	return st->brief;
}

/* Room for `size` more bytes, or null. */
static char *
reserve(struct mr_state *st, size_t size)
{
	size_t room = st->room ? st->room : 4096;
	char *grown;

	while (room - st->used < size)
		room *= 2;
	if (room != st->room) {
		grown = realloc(st->text, room);
		if (!grown) {
			mr_error_set(&st->error, -ENOMEM, "not enough memory to show the state");
			return NULL;
		}
		st->text = grown;
		st->room = room;
	}
	return st->text + st->used;
}

static void
put(struct mr_state *st, const char *bytes, size_t size)
{
	char *to = reserve(st, size);

	if (!to)
		return;
	memcpy(to, bytes, size);
	st->used += size;
}

static mr_printf(2, 3) int fail(struct mr_state *st, const char *fmt, ...)
{
	char path[256];
	struct mr_text t = { .text = path, .size = sizeof(path) };
	char text[300];
	va_list args;
	unsigned i;

	*path = '\0';
	for (i = 1; i <= st->depth; i++)
		mr_text_add(&t, "/%s", st->levels[i].schema->name);
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return mr_error_set(&st->error, -EINVAL, "state %s: %s", *path ? path : "/", text);
}

/* Whether the top holds that name already, in an object or array that is closed. */
static bool
top_is_taken(struct mr_state *st, const struct lysc_node *schema)
{
	unsigned i;

	if (st->depth || st->levels[0].open == schema)
		return false;
	for (i = 0; i < st->top_count; i++)
		if (st->top[i] == schema)
			return true;
	if (st->top_count < TOP_MAX)
		st->top[st->top_count++] = schema;
	return false;
}

/* The schema of a child that is about to be written, its name already in the text. */
static const struct lysc_node *
child_begin(struct mr_state *st, const char *name, uint16_t nodetypes)
{
	struct level *level = &st->levels[st->depth];
	const struct lysc_node *schema = level->last;
	bool many;
	size_t length;
	char *to;

	if (st->error.code)
		return NULL;
	/* Writers go through a node in its order, or write one list's entries. */
	if (!schema || strcmp(schema->name, name)) {
		schema = schema ? mr_schema_next(st->model, level->schema, schema) : NULL;
		if (!schema || strcmp(schema->name, name))
			schema = mr_schema_child(st->model, level->schema, name);
	}
	if (!schema) {
		fail(st, "the model has no \"%s\" here", name);
		return NULL;
	}
	if (!(schema->nodetype & nodetypes)) {
		fail(st, "\"%s\" is a %s in the model", name, lys_nodetype2str(schema->nodetype));
		return NULL;
	}
	if (top_is_taken(st, schema)) {
		fail(st, "\"%s\" was written before", name);
		return NULL;
	}
	if (level->keys_left) {
		if (!lysc_is_key(schema)) {
			fail(st, "\"%s\" before all keys of the entry", name);
			return NULL;
		}
		level->keys_left--;
	}
	many = schema->nodetype & (LYS_LIST | LYS_LEAFLIST);
	level->last = schema;
	if (st->sink) {
		level->open = many ? schema : NULL;
		return schema;
	}
	length = strlen(name);
	to = reserve(st, length + strlen(schema->module->name) + 8);
	if (!to)
		return NULL;
	if (level->open && level->open != schema) {
		*to++ = ']';
		level->open = NULL;
	}
	if (level->comma)
		*to++ = ',';
	if (!many || !level->open) {
		*to++ = '"';
		if (st->form == MR_STATE_RFC7951 &&
		    (!level->schema || level->schema->module != schema->module))
			to += sprintf(to, "%s:", schema->module->name);
		memcpy(to, name, length);
		to += length;
		*to++ = '"';
		*to++ = ':';
		if (many) {
			*to++ = '[';
			level->open = schema;
		}
	}
	level->comma = true;
	st->used = (size_t)(to - st->text);
	return schema;
}

static void
push(struct mr_state *st, const struct lysc_node *schema)
{
	if (!schema)
		return;
	if (st->depth + 1 == DEPTH_MAX) {
		fail(st, "nested too deeply");
		return;
	}
	st->levels[++st->depth] = (struct level){ .schema = schema };
	if (st->sink)
		st->sink->open(st->sink_arg, schema);
	else
		put(st, "{", 1);
}

void
mr_state_open(struct mr_state *st, const char *container)
{
	push(st, child_begin(st, container, LYS_CONTAINER));
}

static const struct lysc_node *
list_begin(struct mr_state *st, const char *list)
{
	const struct lysc_node *keys[MR_LIST_KEYS_MAX], *schema = child_begin(st, list, LYS_LIST);

	push(st, schema);
	if (!schema || st->error.code)
		return NULL;
	st->levels[st->depth].keys_left = mr_schema_keys(schema, keys);
	if (!st->levels[st->depth].keys_left) {
		fail(st, "the list has no key");
		return NULL;
	}
	return keys[0];
}

void
mr_state_list(struct mr_state *st, const char *list, const char *key)
{
	const struct lysc_node *leaf = list_begin(st, list);

	if (leaf)
		mr_state_text(st, leaf->name, key);
}

void
mr_state_list_uint(struct mr_state *st, const char *list, uint64_t key)
{
	const struct lysc_node *leaf = list_begin(st, list);

	if (leaf)
		mr_state_uint(st, leaf->name, key);
}

void
mr_state_close(struct mr_state *st)
{
	struct level *level = &st->levels[st->depth];

	if (st->error.code)
		return;
	if (!st->depth) {
		fail(st, "closed more often than opened");
		return;
	}
	if (level->keys_left) {
		fail(st, "an entry ends without all its keys");
		return;
	}
	if (st->sink)
		st->sink->close(st->sink_arg);
	else
		put(st, level->open ? "]}" : "}", level->open ? 2 : 1);
	st->depth--;
}

static bool
takes_text(LY_DATA_TYPE type)
{
	return !(type >= LY_TYPE_UINT8 && type <= LY_TYPE_UINT64) &&
	    !(type >= LY_TYPE_INT8 && type <= LY_TYPE_INT64) && type != LY_TYPE_BOOL &&
	    type != LY_TYPE_EMPTY && type != LY_TYPE_DEC64;
}

/* Whether the value went to the sink, so that no text is to be made. */
static bool
sunk(struct mr_state *st, const struct lysc_node *leaf, const struct mr_state_value *value)
{
	if (st->sink)
		st->sink->leaf(st->sink_arg, leaf, value);
	return st->sink;
}

static LY_DATA_TYPE
real_type(const struct lysc_node *leaf)
{
	const struct lysc_type *type = mr_schema_type(leaf);

	while (type->basetype == LY_TYPE_LEAFREF)
		type = ((const struct lysc_type_leafref *)type)->realtype;
	return type->basetype;
}

void
mr_state_text(struct mr_state *st, const char *leaf, const char *value)
{
	const struct lysc_node *schema = child_begin(st, leaf, LYS_LEAF | LYS_LEAFLIST);
	const struct lysc_type_bitenum_item *enums;
	LY_ARRAY_COUNT_TYPE i;
	char *to;

	if (!schema)
		return;
	value = value ? value : "";
	if (!takes_text(real_type(schema))) {
		fail(st, "\"%s\" is not a text in the model", leaf);
		return;
	}
	if (real_type(schema) == LY_TYPE_ENUM) {
		enums = ((const struct lysc_type_enum *)mr_schema_type(schema))->enums;
		LY_ARRAY_FOR(enums, i)
			if (!strcmp(enums[i].name, value))
				break;
		if (i == LY_ARRAY_COUNT(enums)) {
			fail(st, "\"%s\" cannot be \"%s\" in the model", leaf, value);
			return;
		}
		value = enums[i].name;
	}
	if (sunk(st, schema, &(struct mr_state_value){ .is = MR_STATE_IS_TEXT, .text = value }))
		return;
	to = reserve(st, strlen(value) * MR_JSON_BYTE_MAX + 2);
	if (to)
		st->used += mr_json_quote(to, value);
}

void
mr_state_format(struct mr_state *st, const char *leaf, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	mr_state_text(st, leaf, text);
}

/* Whether a number fits the type of a leaf. */
static bool
fits(LY_DATA_TYPE type, bool negative, uint64_t size)
{
	unsigned bits;

	if (type >= LY_TYPE_UINT8 && type <= LY_TYPE_UINT64) {
		bits = 8u << (type - LY_TYPE_UINT8);
		return !negative && (bits == 64 || size >> bits == 0);
	}
	if (type >= LY_TYPE_INT8 && type <= LY_TYPE_INT64) {
		bits = 8u << (type - LY_TYPE_INT8);
		return size <= ((uint64_t)1 << (bits - 1)) - !negative;
	}
	return false;
}

static void
put_number(struct mr_state *st, const char *leaf, bool negative, uint64_t size)
{
	const struct lysc_node *schema = child_begin(st, leaf, LYS_LEAF | LYS_LEAFLIST);
	char digits[24], *d = digits + sizeof(digits);
	LY_DATA_TYPE type;
	bool quoted;

	if (!schema)
		return;
	type = real_type(schema);
	if (!fits(type, negative, size)) {
		fail(st, "%s%" PRIu64 " does not fit \"%s\" in the model", negative ? "-" : "",
		    size, leaf);
		return;
	}
	if (sunk(st, schema,
		&(struct mr_state_value){ .is = MR_STATE_IS_NUMBER,
		    .size = size,
		    .negative = negative }))
		return;
	quoted = st->form == MR_STATE_RFC7951 && (type == LY_TYPE_UINT64 || type == LY_TYPE_INT64);
	if (quoted)
		*--d = '"';
	do
		*--d = (char)('0' + size % 10);
	while (size /= 10);
	if (negative)
		*--d = '-';
	if (quoted)
		*--d = '"';
	put(st, d, (size_t)(digits + sizeof(digits) - d));
}

void
mr_state_uint(struct mr_state *st, const char *leaf, uint64_t value)
{
	put_number(st, leaf, false, value);
}

void
mr_state_int(struct mr_state *st, const char *leaf, int64_t value)
{
	put_number(st, leaf, value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void
mr_state_real(struct mr_state *st, const char *leaf, double value)
{
	const struct lysc_node *schema = child_begin(st, leaf, LYS_LEAF | LYS_LEAFLIST);
	const char *quote = st->form == MR_STATE_RFC7951 ? "\"" : "";
	const struct lysc_type_dec *type;
	char text[48];
	int len;

	if (!schema)
		return;
	if (real_type(schema) != LY_TYPE_DEC64 || !(value > -1e15 && value < 1e15)) {
		fail(st, "%g does not fit \"%s\" in the model", value, leaf);
		return;
	}
	if (sunk(st, schema, &(struct mr_state_value){ .is = MR_STATE_IS_REAL, .real = value }))
		return;
	type = (const struct lysc_type_dec *)mr_schema_type(schema);
	len = snprintf(text, sizeof(text), "%s%.*f", quote, type->fraction_digits, value);
	/* The canonical form (RFC 7950, 9.3.2): no zeros at the end, but one digit. */
	while (text[len - 1] == '0' && text[len - 2] != '.')
		len--;
	put(st, text, (size_t)len);
	put(st, quote, strlen(quote));
}

void
mr_state_bool(struct mr_state *st, const char *leaf, bool value)
{
	const struct lysc_node *schema = child_begin(st, leaf, LYS_LEAF | LYS_LEAFLIST);

	if (!schema)
		return;
	if (real_type(schema) != LY_TYPE_BOOL)
		fail(st, "\"%s\" is not true or false in the model", leaf);
	else if (!sunk(st, schema,
		     &(struct mr_state_value){ .is = MR_STATE_IS_BOOL, .size = value }))
		put(st, value ? "true" : "false", value ? 4 : 5);
}

void
mr_state_mac(struct mr_state *st, const char *leaf, const uint8_t mac[6])
{
	static const char hex[] = "0123456789abcdef";
	char text[18];
	unsigned i;

	for (i = 0; i < 6; i++) {
		text[i * 3] = hex[mac[i] >> 4];
		text[i * 3 + 1] = hex[mac[i] & 15];
		text[i * 3 + 2] = i == 5 ? '\0' : ':';
	}
	mr_state_text(st, leaf, text);
}

int
mr_state_finish(struct mr_state *st, const char **text, size_t *size, struct mr_error *error)
{
	char *to;

	*text = NULL;
	*size = 0;
	if (!st->error.code && st->depth)
		fail(st, "still open at the end");
	/* The outermost braces frame what stands at the top. */
	to = st->error.code ? NULL : reserve(st, 5); /* of a sink as well: an empty object */
	if (!to)
		return mr_error_set(error, st->error.code, "%s", st->error.text);
	memmove(st->text + 1, st->text, st->used);
	st->text[0] = '{';
	st->used++;
	if (st->levels[0].open)
		st->text[st->used++] = ']';
	st->text[st->used++] = '}';
	st->text[st->used++] = '\n';
	st->text[st->used] = '\0';
	*text = st->text;
	*size = st->used;
	mr_error_set(&st->error, -EALREADY, "state: written after its end");
	return 0;
}

int
mr_state_read(struct mr_config **out, struct mr_model *model, const char *text, size_t size,
    struct mr_error *error)
{
	struct mr_config *config = calloc(1, sizeof(*config));
	char *copy = strndup(text, size);
	const char *said;
	LY_ERR failed;
	int rc = 0;

	*out = NULL;
	if (!config || !copy || !(config->name = strdup("state"))) {
		rc = mr_error_set(error, -ENOMEM, "not enough memory to read the state");
		goto out;
	}
	config->model = model;
	/* libyang takes no text at all for no data; a peer that sends that is broken. */
	if (!size || *text != '{') {
		rc = mr_error_set(error, -EINVAL, "the state is no JSON object");
		goto out;
	}
	failed = lyd_parse_data_mem(model->ctx, copy, LYD_JSON, LYD_PARSE_ONLY | LYD_PARSE_STRICT,
	    0, &config->tree);
	if (failed) {
		said = ly_errmsg(model->ctx);
		rc = mr_error_set(error, -EINVAL, "the state does not follow the model: %s (%s)",
		    said ? said : "no reason given",
		    ly_errpath(model->ctx) ? ly_errpath(model->ctx) : "no place known");
	}
	mr_config_seal(config);
out:
	free(copy);
	if (rc)
		mr_config_destroy(config);
	else
		*out = config;
	return rc;
}
