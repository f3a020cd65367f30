/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Recordings as JSON, one object a line: what came in where, then every node,
 * guard, table, edit and verdict in the order in which they happened. Where the function whose
 * nodes they are has words for an operation, they stand beside its numbers.
 */

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/see/see_int.h"
#include "kit/base/hex.h"
#include "kit/packet/print.h"
#include "nf/interface/interface.h"

#define WORDS_MAX 384

static const char *
port_name(struct mr_dataplane *dp, uint32_t port)
{
	const struct mr_interface *i = mr_interface_at(mr_interfaces_of(dp), (uint16_t)port);

	const struct mr_port *p;

	if (i)
		return i->name;
	/* A port that is no interface of the configuration: a twin, a channel. */
	p = mr_graph_port(mr_dataplane_graph(dp), (uint16_t)port);
	return p ? p->name : "?";
}

static void
set_hex(json_t *o, const char *key, const uint8_t *bytes, unsigned len)
{
	char text[2 * MR_RECORD_SNAP + 1];

	mr_hex_write(text, bytes, MR_MIN(len, MR_RECORD_SNAP));
	json_object_set_new(o, key, json_string(text));
}

/* An IP prefix as people write it, anything else in digits. */
static void
set_prefix(json_t *o, const struct mr_op *op)
{
	char address[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16];

	if (op->offset != 4 && op->offset != 16) {
		set_hex(o, "prefix", op->bytes, op->offset);
		json_object_set_new(o, "length", json_integer(op->len));
		return;
	}
	inet_ntop(op->offset == 4 ? AF_INET : AF_INET6, op->bytes, address, sizeof(address));
	snprintf(text, sizeof(text), "%s/%u", address, op->len);
	json_object_set_new(o, "prefix", json_string(text));
}

static void
set_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, json_string(text ? text : ""));
}

static void
set_number(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static const char *
reason_name(const struct mr_graph *g, const struct mr_op *op)
{
	const struct mr_node_class *class = mr_graph_node_class(g, op->node);

	return class && op->arg < class->drop_count ? class->drops[op->arg].name : "?";
}

static const char *
reason_doc(const struct mr_graph *g, const struct mr_op *op)
{
	const struct mr_node_class *class = mr_graph_node_class(g, op->node);

	return class && op->arg < class->drop_count ? class->drops[op->arg].doc : "";
}

static void
describe(struct mr_dataplane *dp, const struct mr_recording *r, const struct mr_op *op, json_t *o)
{
	const struct mr_graph *g = mr_dataplane_graph(dp);
	double per_us = (double)mr_graph_hz(g) / 1e6;
	char words[WORDS_MAX];
	uint8_t bytes[2];

	set_text(o, "kind", mr_op_kind_name(op->kind));
	set_text(o, "node", mr_graph_node_name(g, op->node));
	if (op->branch)
		set_number(o, "branch", op->branch);
	if (mr_dataplane_describe(dp, op, words, sizeof(words)))
		set_text(o, "words", words);
	switch ((enum mr_op_kind)op->kind) {
	case MR_OP_NODE:
		json_object_set_new(o, "at-us", json_real((double)(op->a - r->start) / per_us));
		break;
	case MR_OP_SET:
		set_number(o, "offset", op->offset);
		set_hex(o, "bytes", op->bytes, op->len);
		break;
	case MR_OP_PUSH:
	case MR_OP_POP:
		set_number(o, "offset", op->offset);
		set_number(o, "length", op->len);
		break;
	case MR_OP_TRIM:
		set_number(o, "length", op->arg);
		break;
	case MR_OP_SUM:
		set_number(o, "offset", op->offset);
		set_number(o, "delta", op->arg);
		break;
	case MR_OP_TTL:
	case MR_OP_FAMILY:
		set_number(o, "offset", op->offset);
		set_number(o, "version", op->arg);
		break;
	case MR_OP_SET_LENGTH:
		set_number(o, "offset", op->offset);
		mr_store_be16(bytes, (uint16_t)(op->b >> 16));
		set_hex(o, "bytes", bytes, sizeof(bytes));
		if (op->a)
			set_number(o, "of", op->a);
		if ((uint16_t)op->b)
			set_number(o, "checksum", (uint16_t)op->b);
		break;
	case MR_OP_META:
		set_number(o, "context", op->arg);
		set_number(o, "vlan", op->a);
		break;
	case MR_OP_GUARD:
		set_number(o, "offset", op->offset);
		set_hex(o, "value", op->bytes, op->len);
		set_hex(o, "mask", op->bytes + 8, op->len);
		break;
	case MR_OP_REGION:
		set_number(o, "region", op->arg);
		/* fall through */
	case MR_OP_READ:
		set_text(o, "table", op->text);
		set_number(o, "generation", op->a);
		break;
	case MR_OP_MATCH:
		set_text(o, "table", op->text);
		set_prefix(o, op);
		set_number(o, "value", op->arg);
		break;
	case MR_OP_NOTE:
		set_text(o, "text", op->text);
		set_number(o, "number", op->a);
		break;
	case MR_OP_LENGTH:
		set_number(o, "length", op->arg);
		break;
	case MR_OP_COUNT:
	case MR_OP_CALL:
	case MR_OP_TALLY:
		set_number(o, "index", op->arg);
		break;
	case MR_OP_COPY:
		set_number(o, "copy", op->arg);
		break;
	case MR_OP_UNCACHEABLE:
		set_text(o, "text", op->text);
		break;
	case MR_OP_OUTPUT:
	case MR_OP_REFUSED:
		set_text(o, "interface", port_name(dp, op->arg));
		/* To a twin or a channel, which are no interfaces. */
		if (!mr_interface_at(mr_interfaces_of(dp), (uint16_t)op->arg))
			json_object_set_new(o, "inside", json_true());
		set_number(o, "length", op->a);
		break;
	case MR_OP_DROP:
		set_text(o, "reason", reason_name(g, op));
		set_text(o, "why", reason_doc(g, op));
		break;
	case MR_OP_END:
		set_text(o, "text", op->text);
		break;
	case MR_OP_USE:
	case MR_OP_HOLD:
		break;
	}
}

json_t *
see_recording(struct mr_dataplane *dp, const struct mr_recording *r, json_t *lane, json_t *sent)
{
	json_t *root = json_object(), *ops = json_array();
	char summary[MR_PACKET_PRINT_MAX];

	mr_packet_print_first(summary, sizeof(summary), r->snap, r->snapped, r->length);
	set_text(root, "interface", port_name(dp, r->port));
	set_number(root, "length", r->length);
	set_text(root, "packet", summary);
	set_hex(root, "bytes", r->snap, r->snapped);
	if (lane)
		json_object_set(root, "lane", lane);
	if (sent)
		json_object_set(root, "sent", sent);
	if (r->flags & MR_RECORDING_TRUNCATED)
		json_object_set_new(root, "truncated", json_true());
	for (unsigned i = 0; i < r->count; i++) {
		json_t *o = json_object();

		describe(dp, r, &r->ops[i], o);
		json_array_append_new(ops, o);
	}
	json_object_set_new(root, "ops", ops);
	return root;
}

char *
see_recording_json(struct mr_dataplane *dp, const struct mr_recording *r)
{
	json_t *root = see_recording(dp, r, NULL, NULL);
	char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6));

	json_decref(root);
	return text;
}
