/* SPDX-License-Identifier: Apache-2.0 */

/* Programs in words, a line each. Places are those of the packet as it comes in for conditions, and
 * of the new packet for what is written. */

#include <stdarg.h>
#include <stdio.h>

#include "kit/flow/program_inl.h"
#include "kit/flow/program_int.h"

struct text {
	char *to;
	size_t size, len;
};

static void add(struct text *, const char *fmt, ...) mr_printf(2, 3);

static void
add(struct text *t, const char *fmt, ...)
{
	size_t room = t->len < t->size ? t->size - t->len : 0;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(room ? t->to + t->len : NULL, room, fmt, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n;
}

static void
add_bytes(struct text *t, const uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		add(t, "%s%02x", i ? ":" : "", bytes[i]);
}

static void
print_guards(struct text *t, const struct mr_program *g)
{
	const void *first;
	unsigned count = program_part(g, PROGRAM_GUARDS, &first), min = program_more(g)->min_length;

	if (g->max_length != UINT16_MAX)
		add(t, "if at most %u bytes\n", g->max_length);
	if (min)
		add(t, "if at least %u bytes\n", min);
	for (const struct program_guard *x = first; count > 0; x++, count--) {
		unsigned from = (unsigned)__builtin_ctzll(x->mask) / 8;
		unsigned len = 8 - from - (unsigned)__builtin_clzll(x->mask) / 8;

		add(t, "if %u bytes at %u are ", len, (unsigned)x->offset + from);
		add_bytes(t, (const uint8_t *)&x->value + from, len);
		add(t, " under ");
		add_bytes(t, (const uint8_t *)&x->mask + from, len);
		add(t, "\n");
	}
}

/* Pieces of one stretch are one line. */
static void
print_writes(struct text *t, const struct mr_program *g, const uint8_t *data)
{
	const struct program_write *w;
	const void *first;
	unsigned count = program_part(g, PROGRAM_WRITES, &first), end, len;

	w = first;
	for (unsigned i = 0; i < count; i = end) {
		len = w[i].len;
		for (end = i + 1; end < count && w[end].at == w[i].at + (int)len; end++)
			len += w[end].len;
		add(t, "write %u bytes at %d: ", len, w[i].at + g->grow);
		for (unsigned k = i; k < end; k++) {
			add(t, "%s", k > i ? ":" : "");
			add_bytes(t, data + w[k].data, w[k].len);
		}
		add(t, "\n");
	}
}

static void
print_edits(struct text *t, const struct mr_program *g, const struct mr_flow_values *values)
{
	uint8_t around[MR_PROGRAM_WRAP_MAX];
	const void *first;
	unsigned count;

	if (g->flags & MR_PROGRAM_FAMILY)
		add(t, "IPv%u in place of the header at %u\n", program_more(g)->family,
		    program_more(g)->family_at);
	if (g->grow > 0)
		add(t, "grow by %d bytes\n", g->grow);
	else if (g->grow < 0)
		add(t, "shrink by %d bytes\n", -g->grow);
	count = program_part(g, PROGRAM_MOVES, &first);
	for (const struct program_move *m = first; count > 0; m++, count--)
		add(t, "move %u bytes from %d to %d\n", m->len, m->from, m->to + g->grow);
	if (g->ttl)
		add(t, "%s of the header at %d one less\n",
		    g->flags & MR_PROGRAM_TTL6 ? "hop limit" : "TTL", g->ttl + g->grow);
	count = program_part(g, PROGRAM_FIXES, &first);
	for (const struct program_fix *f = first; count > 0; f++, count--) {
		if (f->kind == PROGRAM_FIX_LESS)
			add(t, "byte at %d less %u\n", f->at + g->grow, f->delta);
		else
			add(t, "%s checksum at %d takes in %04x\n",
			    f->kind == PROGRAM_FIX_SUM_UDP ? "UDP" : "Internet", f->at + g->grow,
			    mr_be16(program_delta(g, values, f)));
	}
	if (g->write_len) {
		add(t, "write %u bytes at 0: ", g->write_len);
		add_bytes(t, g->write + PROGRAM_WRITE_MAX - g->write_len, g->write_len);
		add(t, "\n");
	}
	if (g->flags & MR_PROGRAM_WRAP) {
		count = program_around(g, values, around);
		add(t, "write %u bytes at 0: ", count);
		add_bytes(t, around, count);
		add(t, "\n");
	}
	print_writes(t, g, program_data(g, values));
	count = program_part(g, PROGRAM_LENGTHS, &first);
	for (const struct mr_length *l = first; count > 0; l++, count--) {
		add(t, "write the length at %u: ", l->offset);
		if (l->of)
			add(t, "what is at %u", l->of);
		else
			add(t, "the packet's");
		add(t, " and %d", l->more);
		if (l->sum)
			add(t, "; the %s checksum at %u takes it in%s",
			    l->kind == MR_SUM_UDP ? "UDP" : "Internet", l->sum,
			    l->twice ? " twice" : "");
		add(t, "\n");
	}
}

static void
print_calls(struct text *t, const struct mr_program *g, const struct mr_flow_values *values,
    const char *(*node)(const void *, uint16_t), const void *user)
{
	const struct mr_program_call *c;
	unsigned count = mr_program_calls(g, &c);

	for (; count > 0; c++, count--) {
		add(t, "call %s", node(user, c->node));
		if (c->from == MR_CALL_FROM_FLOW)
			add(t, " with the flow's number");
		else if (c->from == MR_CALL_FROM_VALUES || c->arg)
			add(t, " with %u", mr_program_call_arg(c, 0, values));
		add(t, "%s\n", c->flags & MR_CALL_SECONDLY ? ", once a second" : "");
	}
}

static void
print_credits(struct text *t, const struct mr_program *g,
    const char *(*node)(const void *, uint16_t), const void *user)
{
	const struct mr_program_credit *c;
	unsigned count = mr_program_credits(g, &c);

	for (; count > 0; c++, count--) {
		const char *name = node(user, c->node);

		if (c->kind == MR_CREDIT_NODE && c->times == 1)
			add(t, "count in %s\n", name);
		else if (c->kind == MR_CREDIT_NODE)
			add(t, "count in %s, %u times\n", name, c->times);
		else if (c->kind == MR_CREDIT_TALLY)
			add(t, "count in %s for its number %u\n", name, c->times);
		else if (c->times)
			add(t, "count %u in %s, counter %u\n", c->times, name, c->counter);
		else
			add(t, "count bytes in %s, counter %u\n", name, c->counter);
	}
}

static void
print_rests(struct text *t, const struct mr_program *g)
{
	const struct mr_program_cell *cells;
	const void *first;
	unsigned count = mr_program_cells(g, &cells), owns = program_part(g, PROGRAM_OWN, &first);

	if (count)
		add(t, "rests on %u table%s\n", count, count == 1 ? "" : "s");
	if (g->regions & MR_PROGRAM_REGION_DST)
		add(t, "rests on the routes to the destination\n");
	if (g->regions & MR_PROGRAM_REGION_SRC)
		add(t, "rests on the routes to the source\n");
	if (owns)
		add(t, "rests on the routes of %u other region%s\n", owns, owns == 1 ? "" : "s");
}

size_t
mr_program_print(const struct mr_program *g, const struct mr_flow_values *values,
    const char *(*node)(const void *, uint16_t), const char *(*port)(const void *, uint16_t),
    const void *user, char *text, size_t size)
{
	struct text t = { text, size, 0 };
	unsigned index = g->verdict & MR_VERDICT_INDEX;

	if (size)
		text[0] = '\0';
	print_guards(&t, g);
	print_rests(&t, g);
	print_calls(&t, g, values, node, user);
	print_edits(&t, g, values);
	print_credits(&t, g, node, user);
	if ((g->verdict & MR_VERDICT_CLASS) == MR_VERDICT_OUTPUT)
		add(&t, "send on %s\n", port(user, (uint16_t)(index & ~MR_VERDICT_FINAL)));
	else
		add(&t, "drop by %s, reason %u\n", node(user, g->node), index);
	return t.len;
}
