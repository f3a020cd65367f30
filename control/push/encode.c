/* SPDX-License-Identifier: Apache-2.0 */

/* Messages as JSON lines, and as protobuf. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/push/push_int.h"
#include "model/json_int.h"
#include "control/push/telemetry.pb-c.h"

static const char *const kinds[] = { "heartbeat", "begin", "update", "sync", "event" };

char *
push_bytes_room(struct push_bytes *b, size_t size)
{
	size_t room = b->room ? b->room : 16384;
	char *grown;

	while (room - b->used < size)
		room *= 2;
	if (room != b->room) {
		grown = realloc(b->text, room);
		if (!grown)
			return NULL;
		b->text = grown;
		b->room = room;
	}
	return b->text + b->used;
}

/* -- JSON -------------------------------------------------------------------------------- */

static size_t
value_size(const struct push_value *v)
{
	return v->kind == MR_LEAF_TEXT ? strlen(v->text) * MR_JSON_BYTE_MAX + 2 : MR_SAMPLE_NUMBER;
}

static char *
put_value(char *to, const struct push_value *v)
{
	const struct mr_leaf leaf = { .kind = v->kind, .digits = v->digits };
	const struct mr_sample_value number = { .u = v->u };

	if (v->kind == MR_LEAF_TEXT)
		return to + mr_json_quote(to, v->text);
	return to + mr_sample_print(&leaf, &number, to);
}

static char *
put_update(char *to, const char *path, const struct push_value *v)
{
	to = stpcpy(to, "{\"path\":");
	to += mr_json_quote(to, path);
	to = stpcpy(to, ",\"value\":");
	to = put_value(to, v);
	*to++ = '}';
	return to;
}

static char *
put_head(char *to, const struct push_message *m)
{
	to += sprintf(to, "{\"kind\":\"%s\",\"subscription\":", kinds[m->kind]);
	to += mr_json_quote(to, m->subscription);
	to = stpcpy(to, ",\"system\":");
	to += mr_json_quote(to, m->system);
	return to +
	    sprintf(to, ",\"sequence\":%" PRIu64 ",\"timestamp\":%" PRId64 ",\"lost\":%" PRIu64,
		m->sequence, m->time, m->lost);
}

static char *
put_event(char *to, const struct push_event *e)
{
	to = stpcpy(to, ",\"event\":{\"threshold\":");
	to += mr_json_quote(to, e->threshold);
	to = stpcpy(to, ",\"path\":");
	to += mr_json_quote(to, e->path);
	to += sprintf(to, ",\"raised\":%s", e->raised ? "true" : "false");
	if (!e->gone) {
		to = stpcpy(to, ",\"value\":");
		to = put_value(to, &e->value);
	}
	*to++ = '}';
	return to;
}

/* No more than this many bytes come out. */
static size_t
json_size(const struct push_message *m)
{
	size_t size = (strlen(m->subscription) + strlen(m->system)) * MR_JSON_BYTE_MAX + 320;

	for (size_t i = 0; i < m->update_count; i++)
		size += strlen(m->updates[i].path) * MR_JSON_BYTE_MAX +
		    value_size(&m->updates[i].value) + 32;
	for (size_t i = 0; i < m->delete_count; i++)
		size += strlen(m->deletes[i]) * MR_JSON_BYTE_MAX + 4;
	if (m->event)
		size += (strlen(m->event->threshold) + strlen(m->event->path)) * MR_JSON_BYTE_MAX +
		    value_size(&m->event->value) + 128;
	return size;
}

int
push_encode_json(struct push_bytes *b, const struct push_message *m)
{
	char *start = push_bytes_room(b, json_size(m)), *to = start;

	if (!to)
		return -ENOMEM;
	to = put_head(to, m);
	if (m->update_count) {
		to = stpcpy(to, ",\"update\":[");
		for (size_t i = 0; i < m->update_count; i++) {
			if (i)
				*to++ = ',';
			to = put_update(to, m->updates[i].path, &m->updates[i].value);
		}
		*to++ = ']';
	}
	if (m->delete_count) {
		to = stpcpy(to, ",\"delete\":[");
		for (size_t i = 0; i < m->delete_count; i++) {
			if (i)
				*to++ = ',';
			to += mr_json_quote(to, m->deletes[i]);
		}
		*to++ = ']';
	}
	if (m->event)
		to = put_event(to, m->event);
	to = stpcpy(to, "}\n");
	b->used += (size_t)(to - start);
	return 0;
}

/* -- protobuf ---------------------------------------------------------------------------- */

/* What one message is made of: as many of each as it can have. */
struct parts {
	Millrace__Telemetry__Notification message;
	Millrace__Telemetry__Update updates[PUSH_UPDATES_MAX];
	Millrace__Telemetry__Update *update_at[PUSH_UPDATES_MAX];
	Millrace__Telemetry__Value values[PUSH_UPDATES_MAX + 1];
	Millrace__Telemetry__Decimal decimals[PUSH_UPDATES_MAX + 1];
	Millrace__Telemetry__Event event;
	char *delete_at[PUSH_UPDATES_MAX];
	struct push_bytes texts; /* those that were no UTF-8, as they are sent */
};

/* protobuf's strings are UTF-8, and readers refuse a message with anything else in it. */
static char *
utf8(struct parts *p, const char *text)
{
	size_t size = strlen(text), at = 0;
	char *to, *start;

	while (at < size && mr_utf8_length(text + at, size - at))
		at += mr_utf8_length(text + at, size - at);
	if (at == size)
		return (char *)text;
	start = to = push_bytes_room(&p->texts, size + 1);
	if (!to)
		return (char *)"";
	for (; *text; text++)
		*to++ = *text & '\x80' ? '?' : *text;
	*to++ = '\0';
	p->texts.used += size + 1;
	return start;
}

static Millrace__Telemetry__Value *
make_value(struct parts *p, size_t i, const struct push_value *v)
{
	Millrace__Telemetry__Value *out = &p->values[i];

	millrace__telemetry__value__init(out);
	switch (v->kind) {
	case MR_LEAF_UINT:
		out->value_case = MILLRACE__TELEMETRY__VALUE__VALUE_UINT_VAL;
		out->uint_val = v->u;
		break;
	case MR_LEAF_INT:
		out->value_case = MILLRACE__TELEMETRY__VALUE__VALUE_INT_VAL;
		out->int_val = v->i;
		break;
	case MR_LEAF_BOOL:
		out->value_case = MILLRACE__TELEMETRY__VALUE__VALUE_BOOL_VAL;
		out->bool_val = v->u;
		break;
	case MR_LEAF_DECIMAL:
		millrace__telemetry__decimal__init(&p->decimals[i]);
		p->decimals[i].digits = v->i;
		p->decimals[i].precision = v->digits;
		out->value_case = MILLRACE__TELEMETRY__VALUE__VALUE_DECIMAL_VAL;
		out->decimal_val = &p->decimals[i];
		break;
	case MR_LEAF_ENUM:
	case MR_LEAF_TEXT:
		out->value_case = MILLRACE__TELEMETRY__VALUE__VALUE_STRING_VAL;
		out->string_val = utf8(p, v->text);
		break;
	}
	return out;
}

static size_t
texts_size(const struct push_message *m)
{
	size_t size = strlen(m->subscription) + strlen(m->system) + 2;

	for (size_t i = 0; i < m->update_count; i++)
		size += strlen(m->updates[i].path) + 2 +
		    (m->updates[i].value.kind == MR_LEAF_TEXT ? strlen(m->updates[i].value.text)
							      : 0);
	for (size_t i = 0; i < m->delete_count; i++)
		size += strlen(m->deletes[i]) + 1;
	return size + (m->event ? strlen(m->event->path) + strlen(m->event->threshold) + 2 : 0);
}

static void
make_event(struct parts *p, const struct push_event *e)
{
	millrace__telemetry__event__init(&p->event);
	p->event.threshold = utf8(p, e->threshold);
	p->event.path = utf8(p, e->path);
	p->event.raised = e->raised;
	p->event.value = e->gone ? NULL : make_value(p, PUSH_UPDATES_MAX, &e->value);
	p->message.event = &p->event;
}

static void
make_message(struct parts *p, const struct push_message *m)
{
	Millrace__Telemetry__Notification *n = &p->message;

	millrace__telemetry__notification__init(n);
	n->kind = (Millrace__Telemetry__Kind)m->kind;
	n->subscription = utf8(p, m->subscription);
	n->system = utf8(p, m->system);
	n->sequence = m->sequence;
	n->timestamp = m->time;
	n->lost = m->lost;
	for (size_t i = 0; i < m->update_count; i++) {
		millrace__telemetry__update__init(&p->updates[i]);
		p->updates[i].path = utf8(p, m->updates[i].path);
		p->updates[i].value = make_value(p, i, &m->updates[i].value);
		p->update_at[i] = &p->updates[i];
	}
	for (size_t i = 0; i < m->delete_count; i++)
		p->delete_at[i] = utf8(p, m->deletes[i]);
	n->update = p->update_at;
	n->n_update = m->update_count;
	n->delete_ = p->delete_at;
	n->n_delete_ = m->delete_count;
	if (m->event)
		make_event(p, m->event);
}

int
push_encode_protobuf(struct push_bytes *b, const struct push_message *m)
{
	struct parts *p = malloc(sizeof(*p));
	size_t size, left;
	char *to, *start;

	if (!p)
		return -ENOMEM;
	p->texts = (struct push_bytes){ 0 };
	/* All at once, for pointers into it are kept. */
	if (!push_bytes_room(&p->texts, texts_size(m))) {
		free(p);
		return -ENOMEM;
	}
	make_message(p, m);
	size = left = millrace__telemetry__notification__get_packed_size(&p->message);
	start = to = push_bytes_room(b, size + 10);
	if (to) {
		for (; left > 127; left >>= 7)
			*to++ = (char)(left | 128);
		*to++ = (char)left;
		millrace__telemetry__notification__pack(&p->message, (uint8_t *)to);
		b->used += (size_t)(to - start) + size;
	}
	free(p->texts.text);
	free(p);
	return to ? 0 : -ENOMEM;
}
