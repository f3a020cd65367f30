/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/trace_print.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/edit_words.h"
#include "kit/base/hex.h"

#define TIME_WIDTH 12
#define DEPTH_MAX 64

struct print {
	FILE *out;
	const json_t *ops;
	bool explained;  /* nothing happened: no times, and "leaves" for "sent" */
	bool all;        /* what serves the flow lane, too */
	unsigned popped; /* bytes of a removal that goes on */
};

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

static bool
is_verdict(const json_t *op)
{
	return is_kind(op, "output") || is_kind(op, "refused") || is_kind(op, "drop") ||
	    is_kind(op, "hold") || is_kind(op, "end");
}

/* Nothing to who asks what becomes of a packet, unless its function has words for it. */
static bool
is_bookkeeping(const json_t *op)
{
	static const char *const kinds[] = { "call", "count", "guard", "length", "meta", "read",
		"sum", "tally", "uncacheable", "use" };

	if (*text_of(op, "words"))
		return false;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(kinds); i++)
		if (is_kind(op, kinds[i]))
			return true;
	return false;
}

static unsigned
from_hex(const char *text, uint8_t *bytes, unsigned max)
{
	long n = mr_hex_read(text, MR_MIN(strlen(text), (size_t)max * 2), bytes, max);

	return n > 0 ? (unsigned)n : 0;
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

/* Everything but entering a node, copies, edits of bytes and verdicts. */
static void
print_op(FILE *out, const json_t *op)
{
	const char *kind = text_of(op, "kind");

	if (*text_of(op, "words"))
		fprintf(out, "%s", text_of(op, "words"));
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
	else if (!strcmp(kind, "match"))
		fprintf(out, "%s: %s matches, value %lld", text_of(op, "table"),
		    text_of(op, "prefix"), number_of(op, "value"));
	else if (!strcmp(kind, "note"))
		fprintf(out, "%s %lld", text_of(op, "text"), number_of(op, "number"));
	else if (!strcmp(kind, "family"))
		fprintf(out, "IP header at %lld becomes IPv%lld's", number_of(op, "offset"),
		    number_of(op, "version"));
	else if (!strcmp(kind, "length"))
		fprintf(out, "depends on at most %lld bytes", number_of(op, "length"));
	else if (!strcmp(kind, "use"))
		fprintf(out, "depends on the flow's key");
	else if (!strcmp(kind, "count"))
		fprintf(out, "counted, number %lld", number_of(op, "index"));
	else if (!strcmp(kind, "tally"))
		fprintf(out, "told how many are replayed, number %lld", number_of(op, "index"));
	else if (!strcmp(kind, "call"))
		fprintf(out, "called for packets that are replayed, with %lld",
		    number_of(op, "index"));
	else if (!strcmp(kind, "uncacheable"))
		fprintf(out, "not the same for the next packet: %s", text_of(op, "text"));
	else
		fprintf(out, "%s", kind);
}

/* Where a packet, or a copy of it, ends. False: the operation is no such end. */
static bool
print_verdict(FILE *out, const json_t *op, bool explained)
{
	const char *kind = text_of(op, "kind"), *why = text_of(op, "why");

	if (!strcmp(kind, "output"))
		fprintf(out, "%s %s, %lld bytes",
		    json_is_true(json_object_get(op, "inside")) ? "handed to"
			: explained                             ? "leaves by"
								: "sent on",
		    text_of(op, "interface"), number_of(op, "length"));
	else if (!strcmp(kind, "refused"))
		fprintf(out, "refused by %s, which takes no more: dropped",
		    text_of(op, "interface"));
	else if (!strcmp(kind, "drop"))
		fprintf(out, "dropped by %s: %s%s%s%s", text_of(op, "node"), text_of(op, "reason"),
		    *why ? " (" : "", why, *why ? ")" : "");
	else if (!strcmp(kind, "hold"))
		fprintf(out, "kept by %s", text_of(op, "node"));
	else if (!strcmp(kind, "end"))
		fprintf(out, "%s cannot be followed: %s", text_of(op, "node"), text_of(op, "text"));
	else
		return false;
	return true;
}

static void
print_indent(const struct print *p, unsigned depth)
{
	fprintf(p->out, "%*s  ", (int)((p->explained ? 0 : TIME_WIDTH) + 2 + depth * 4), "");
}

static void
print_node(const struct print *p, const json_t *op, unsigned depth)
{
	if (!p->explained)
		fprintf(p->out, "%*.1f us", TIME_WIDTH - 3,
		    json_real_value(json_object_get(op, "at-us")));
	fprintf(p->out, "%*s%s\n", (int)(2 + depth * 4), "", text_of(op, "node"));
}

/* An edit of bytes, which the branch's shadow follows; false: the operation is none. `goes_on`: the
 * next one takes out more at the same place, because an operation holds 255 bytes at most. */
static bool
print_edit(struct print *p, struct mr_shadow *shadow, const json_t *op, unsigned depth,
    bool goes_on)
{
	const char *kind = text_of(op, "kind");
	unsigned at = (unsigned)number_of(op, "offset"), len = (unsigned)number_of(op, "length");
	mr_edit_line lines[MR_EDIT_LINES_MAX];
	unsigned count = 1;
	uint8_t bytes[16];

	if (!strcmp(kind, "set") || !strcmp(kind, "set-length")) {
		len = from_hex(text_of(op, "bytes"), bytes, sizeof(bytes));
		count = mr_shadow_set(shadow, at, bytes, len, lines);
		if (json_object_get(op, "checksum"))
			mr_shadow_forget(shadow, (unsigned)number_of(op, "checksum"), 2);
	} else if (!strcmp(kind, "ttl")) {
		mr_shadow_ttl(shadow, at, (unsigned)number_of(op, "version"), lines[0]);
	} else if (!strcmp(kind, "push")) {
		mr_shadow_push(shadow, at, len);
		snprintf(lines[0], sizeof(lines[0]), "%u bytes put in at %u", len, at);
	} else if (!strcmp(kind, "pop")) {
		mr_shadow_pop(shadow, at, len);
		p->popped += len;
		if (goes_on)
			return true;
		snprintf(lines[0], sizeof(lines[0]), "%u bytes at %u taken out", p->popped, at);
		p->popped = 0;
	} else {
		return false;
	}
	for (unsigned i = 0; i < count; i++) {
		print_indent(p, depth);
		fprintf(p->out, "%s\n", lines[i]);
	}
	return true;
}

static bool
is_same_pop(const json_t *op, const json_t *next)
{
	return is_kind(op, "pop") && next && is_kind(next, "pop") &&
	    number_of(op, "branch") == number_of(next, "branch") &&
	    number_of(op, "offset") == number_of(next, "offset");
}

static void
print_branch(struct print *p, struct mr_shadow *shadow, long long branch, unsigned depth,
    size_t from)
{
	for (size_t i = from; i < json_array_size(p->ops); i++) {
		const json_t *op = json_array_get(p->ops, i);
		long long copy = number_of(op, "copy");

		if (number_of(op, "branch") != branch)
			continue;
		if (is_kind(op, "node")) {
			print_node(p, op, depth);
			continue;
		}
		if (!p->all && is_bookkeeping(op))
			continue;
		if (print_edit(p, shadow, op, depth,
			is_same_pop(op, json_array_get(p->ops, i + 1))))
			continue;
		print_indent(p, depth);
		if (is_kind(op, "copy")) {
			struct mr_shadow own = *shadow;

			fprintf(p->out, "copy %lld:\n", copy);
			/* A branch begins in one with a lower number, so this comes to an end. */
			if (copy > branch && depth < DEPTH_MAX)
				print_branch(p, &own, copy, depth + 1, i + 1);
			continue;
		}
		if (is_verdict(op))
			fprintf(p->out, "=> ");
		if (!print_verdict(p->out, op, p->explained))
			print_op(p->out, op);
		fputc('\n', p->out);
	}
}

/* The ends of all branches once more, for who reads nothing else. */
static void
print_ends(const struct print *p)
{
	const json_t *op;
	size_t i;

	json_array_foreach(p->ops, i, op)
	{
		if (!is_verdict(op))
			continue;
		print_verdict(p->out, op, true);
		fputc('\n', p->out);
	}
}

/* What they are by then. */
static void
print_sent(FILE *out, const json_t *sent)
{
	const json_t *o;
	size_t i;

	json_array_foreach(sent, i, o)
	    fprintf(out, "as it leaves by %s: %s\n", text_of(o, "interface"), text_of(o, "packet"));
}

void
mr_trace_print(FILE *out, const json_t *recording, unsigned options)
{
	bool explained = options & MR_TRACE_EXPLAINED;
	struct print p = { .out = out,
		.ops = json_object_get(recording, "ops"),
		.explained = explained,
		.all = options & MR_TRACE_ALL };
	uint8_t bytes[MR_SHADOW_MAX];
	struct mr_shadow shadow;

	mr_shadow_begin(&shadow, bytes,
	    from_hex(text_of(recording, "bytes"), bytes, sizeof(bytes)));
	fprintf(out, "%s: %s\n", text_of(recording, "interface"), text_of(recording, "packet"));
	print_branch(&p, &shadow, 0, 0, 0);
	if (json_is_true(json_object_get(recording, "truncated")))
		fprintf(out, "%*s... more happened than a recording holds\n",
		    explained ? 2 : TIME_WIDTH + 2, "");
	if (explained) {
		print_sent(out, json_object_get(recording, "sent"));
		print_ends(&p);
	} else {
		fputc('\n', out);
	}
}

void
mr_trace_print_lane(FILE *out, const json_t *lane, unsigned options)
{
	const json_t *program = json_object_get(lane, "program"), *line;
	size_t i;

	/* Of interfaces without the flow lane `show lanes` says why. */
	if (!lane || strcmp(text_of(lane, "taken"), "graph") == 0)
		return;
	fprintf(out, "lane: %s", text_of(lane, "taken"));
	if (*text_of(lane, "reason"))
		fprintf(out, " (%s)", text_of(lane, "reason"));
	fprintf(out, "\n");
	if (!program)
		return;
	fprintf(out,
	    "  flow %lld of worker %lld: %lld packets, %lld bytes, %lld s old, idle %lld s\n",
	    (long long)number_of(lane, "flow"), (long long)number_of(lane, "worker"),
	    (long long)number_of(lane, "packets"), (long long)number_of(lane, "bytes"),
	    (long long)number_of(lane, "age"), (long long)number_of(lane, "idle"));
	if (!(options & MR_TRACE_ALL))
		return;
	json_array_foreach(program, i, line) fprintf(out, "  %s\n", json_string_value(line));
	fprintf(out, "  recorded from a walk like the one above\n");
}
