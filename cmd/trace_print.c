/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/trace_print.h"

#include <stdlib.h>
#include <string.h>

#include "kit/base/def.h"

#define TIME_WIDTH 12
#define DEPTH_MAX 64

static const char *
text_of(const json_t *op, const char *key)
{
	const char *text = json_string_value(json_object_get(op, key));

	return text ? text : "";
}

static long long
number_of(const json_t *op, const char *key)
{
	return json_integer_value(json_object_get(op, key));
}

static bool
is_kind(const json_t *op, const char *kind)
{
	return strcmp(text_of(op, "kind"), kind) == 0;
}

static unsigned
from_hex(const char *text, uint8_t *bytes, unsigned max)
{
	unsigned n = 0, v;

	while (n < max && text[0] && text[1] && sscanf(text, "%2x", &v) == 1) {
		bytes[n++] = (uint8_t)v;
		text += 2;
	}
	return n;
}

/* What bytes at this place of a frame are, where that needs no parsing. */
static void
print_meaning(FILE *out, long long offset, const uint8_t *b, unsigned len)
{
	unsigned type = len >= 2 ? (unsigned)b[0] << 8 | b[1] : 0;

	if (len == 6 && (offset == 0 || offset == 6))
		fprintf(out, "  (%s MAC %02x:%02x:%02x:%02x:%02x:%02x)",
		    offset ? "source" : "destination", b[0], b[1], b[2], b[3], b[4], b[5]);
	else if (offset == 12 && len == 4 && (type == 0x8100 || type == 0x88a8 || type == 0x9100))
		fprintf(out, "  (%s tag, VLAN %u, priority %u)",
		    type == 0x8100 ? "802.1Q" : "service", (b[2] & 15u) << 8 | b[3], b[2] >> 5);
	else if (offset == 12 && len == 2)
		fprintf(out, "  (type 0x%04x)", type);
}

static void
print_range(FILE *out, const json_t *op, unsigned len)
{
	long long at = number_of(op, "offset");

	if (len == 1)
		fprintf(out, "byte %lld", at);
	else
		fprintf(out, "bytes %lld-%lld", at, at + len - 1);
}

static void
print_bytes(FILE *out, const json_t *op)
{
	uint8_t bytes[16];
	unsigned len = from_hex(text_of(op, "bytes"), bytes, sizeof(bytes));

	fprintf(out, "set ");
	print_range(out, op, len);
	fprintf(out, " to %s", text_of(op, "bytes"));
	print_meaning(out, number_of(op, "offset"), bytes, len);
}

static void
print_guard(FILE *out, const json_t *op)
{
	const char *mask = text_of(op, "mask");
	bool whole = strspn(mask, "f") == strlen(mask);
	uint8_t bytes[16];
	unsigned len = from_hex(text_of(op, "value"), bytes, sizeof(bytes));

	fprintf(out, "depends on ");
	print_range(out, op, len);
	fprintf(out, " being %s%s%s", text_of(op, "value"), whole ? "" : " under mask ",
	    whole ? "" : mask);
}

/* Everything but entering a node and copies. */
static void
print_op(FILE *out, const json_t *op)
{
	const char *kind = text_of(op, "kind");

	if (!strcmp(kind, "set"))
		print_bytes(out, op);
	else if (!strcmp(kind, "guard"))
		print_guard(out, op);
	else if (!strcmp(kind, "push"))
		fprintf(out, "%lld bytes put in at %lld", number_of(op, "length"),
		    number_of(op, "offset"));
	else if (!strcmp(kind, "pop"))
		fprintf(out, "%lld bytes at %lld taken out", number_of(op, "length"),
		    number_of(op, "offset"));
	else if (!strcmp(kind, "trim"))
		fprintf(out, "cut to %lld bytes", number_of(op, "length"));
	else if (!strcmp(kind, "sum"))
		fprintf(out, "checksum at %lld adjusted by %04llx", number_of(op, "offset"),
		    number_of(op, "delta"));
	else if (!strcmp(kind, "meta"))
		fprintf(out, "context %lld, VLAN %lld", number_of(op, "context"),
		    number_of(op, "vlan"));
	else if (!strcmp(kind, "read"))
		fprintf(out, "asked %s (generation %lld)", text_of(op, "table"),
		    number_of(op, "generation"));
	else if (!strcmp(kind, "note"))
		fprintf(out, "%s %lld", text_of(op, "text"), number_of(op, "number"));
	else if (!strcmp(kind, "count") || !strcmp(kind, "meter"))
		fprintf(out, "%s %lld", kind, number_of(op, "index"));
	else if (!strcmp(kind, "uncacheable"))
		fprintf(out, "not the same for the next packet: %s", text_of(op, "text"));
	else if (!strcmp(kind, "output"))
		fprintf(out, "=> sent on %s, %lld bytes", text_of(op, "interface"),
		    number_of(op, "length"));
	else if (!strcmp(kind, "refused"))
		fprintf(out, "=> refused by %s, which takes no more: dropped",
		    text_of(op, "interface"));
	else if (!strcmp(kind, "drop"))
		fprintf(out, "=> dropped by %s: %s", text_of(op, "node"), text_of(op, "reason"));
	else if (!strcmp(kind, "hold"))
		fprintf(out, "=> kept by %s", text_of(op, "node"));
	else
		fprintf(out, "%s", kind);
}

static void
print_indent(FILE *out, unsigned depth)
{
	fprintf(out, "%*s", (int)(TIME_WIDTH + 2 + depth * 4), "");
}

static void
print_branch(FILE *out, const json_t *ops, long long branch, unsigned depth)
{
	const json_t *op;
	size_t i;

	json_array_foreach(ops, i, op)
	{
		long long copy = number_of(op, "copy");

		if (number_of(op, "branch") != branch)
			continue;
		if (is_kind(op, "node")) {
			fprintf(out, "%*.1f us  %*s%s\n", TIME_WIDTH - 3,
			    json_real_value(json_object_get(op, "at-us")), (int)depth * 4, "",
			    text_of(op, "node"));
			continue;
		}
		print_indent(out, depth);
		if (!is_kind(op, "copy")) {
			fprintf(out, "  ");
			print_op(out, op);
			fputc('\n', out);
			continue;
		}
		fprintf(out, "  copy %lld:\n", copy);
		/* A branch begins in one with a lower number, so this comes to an end. */
		if (copy > branch && depth < DEPTH_MAX)
			print_branch(out, ops, copy, depth + 1);
	}
}

void
mr_trace_print(FILE *out, const json_t *recording)
{
	fprintf(out, "%s: %s\n", text_of(recording, "interface"), text_of(recording, "packet"));
	print_branch(out, json_object_get(recording, "ops"), 0, 0);
	if (json_is_true(json_object_get(recording, "truncated")))
		fprintf(out, "%*s... more happened than a recording holds\n", TIME_WIDTH + 2, "");
	fputc('\n', out);
}
