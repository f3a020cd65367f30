/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Explanations against what then happens: in random configurations of all functions, with the flow
 * lane on, each frame is explained first and then given. It must leave by the ports, with the
 * bytes and in the number of copies that were said, or be dropped by the node and for the reason
 * that was, or be held where that was said.
 *
 * MR_SOAK=N makes it N times as many configurations; MR_SEED another run of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/graph/explain.h"
#include "nf/interface/interface.h"
#include "nf/lanes/lanes_bed_int.h"

#define CONFIGURATIONS 12u
#define VECTORS 60u
#define LANES "lanes: {mode: flow}\n"
#define SAID_MAX 64u

/* What became of one frame. */
struct fate {
	unsigned sent, held, ended;
	uint64_t drops; /* all */
	struct {
		uint16_t port; /* the bed's */
		unsigned len;
		uint8_t bytes[BED_FRAME_MAX + 200];
	} out[SAID_MAX];
	uint16_t nodes[SAID_MAX], reasons[SAID_MAX];
	unsigned drop_count;
	const char *end;
};

struct test {
	struct bed *bed;
	struct bed_plane *plane;
	struct bed_shape shape;
	struct bed_random random;
	struct bed_flows flows;
	struct bed_talks talks;
	struct fate said, done;
	struct mr_recording recording;
	uint64_t before[MR_GRAPH_NODES_MAX][MR_NODE_DROPS_MAX];
	uint64_t frames, left, dropped, held, copied, replayed, unsure;
	char text[BED_TEXT_MAX];
};

/* -- what is said ------------------------------------------------------------------------- */

/* BED_PORTS: another, a channel to the control thread. */
static uint16_t
bed_port_of(struct test *t, uint16_t port)
{
	uint16_t k = 0;

	while (k < BED_PORTS && t->plane->ports[k].port->index != port)
		k++;
	return k;
}

static void
said_sent(void *user, unsigned branch, uint16_t port, uint32_t packet)
{
	struct test *t = user;
	struct fate *f = &t->said;

	(void)branch;
	bed_must(t->bed, f->sent < SAID_MAX);
	f->out[f->sent].port = bed_port_of(t, port);
	if (f->out[f->sent].port == BED_PORTS)
		return;
	f->out[f->sent].len = (unsigned)mr_packet_read(t->plane->buffers, packet, 0,
	    f->out[f->sent].bytes, sizeof(f->out[f->sent].bytes));
	bed_hide(f->out[f->sent].bytes, f->out[f->sent].len);
	f->sent++;
}

static void
said(void *user, const struct mr_recording *r)
{
	struct test *t = user;
	struct fate *f = &t->said;

	memcpy(&t->recording, r, sizeof(*r));
	for (unsigned i = 0; i < r->count; i++) {
		const struct mr_op *op = &r->ops[i];

		if (op->kind == MR_OP_DROP && f->drop_count < SAID_MAX) {
			f->nodes[f->drop_count] = op->node;
			f->reasons[f->drop_count++] = (uint16_t)op->arg;
		}
		f->held += op->kind == MR_OP_HOLD;
		f->ended += op->kind == MR_OP_END;
		if (op->kind == MR_OP_END)
			f->end = op->text;
	}
}

static void
explain(struct test *t, unsigned port, uint32_t packet)
{
	struct mr_error error;

	t->said.sent = t->said.held = t->said.ended = t->said.drop_count = 0;
	if (mr_graph_explain_sent(t->plane->graph, t->plane->ports[port].port->index, packet, said,
		said_sent, t, &error))
		bed_fail(t->bed, "%s", error.text);
}

/* -- what is done ------------------------------------------------------------------------- */

static uint64_t
held(struct test *t)
{
	struct mr_graph_totals totals;

	mr_graph_totals(t->plane->graph, &totals);
	return totals.held;
}

/* Drops since the last time, into `done` when it is wanted. */
static void
count_drops(struct test *t, bool note)
{
	struct fate *f = &t->done;
	struct mr_node_stats s;

	for (uint16_t n = 0; n < mr_graph_node_count(t->plane->graph); n++) {
		if (mr_graph_node_stats(t->plane->graph, n, &s))
			continue;
		for (uint16_t i = 0; i < s.class->drop_count; i++) {
			for (; note && t->before[n][i] < s.drops[i] && f->drop_count < SAID_MAX;
			     t->before[n][i]++) {
				f->nodes[f->drop_count] = n;
				f->reasons[f->drop_count++] = i;
			}
			t->before[n][i] = s.drops[i];
		}
	}
}

static void
give(struct test *t, unsigned port, uint32_t packet)
{
	struct bed_port *bp = &t->plane->ports[port];
	uint64_t before = held(t);
	struct fate *f = &t->done;

	f->drop_count = 0;
	bp->waiting[bp->wait_count++] = packet;
	for (unsigned idle = 0; idle < 2;)
		idle = mr_graph_pass(t->plane->graph, 0) ? 0 : idle + 1;
	count_drops(t, true);
	f->held = (unsigned)(held(t) - before);
	f->sent = (unsigned)t->plane->sent_count;
	bed_must(t->bed, f->sent <= SAID_MAX);
	for (unsigned i = 0; i < f->sent; i++) {
		const struct bed_sent *s = &t->plane->sent[i];

		f->out[i].port = (uint16_t)s->port;
		f->out[i].len = s->len;
		memcpy(f->out[i].bytes, t->plane->bytes + s->at,
		    MR_MIN(s->len, sizeof(f->out[i].bytes)));
	}
	t->plane->sent_count = t->plane->byte_count = 0;
}

/* -- comparing ---------------------------------------------------------------------------- */

static void
tell(struct test *t, const char *whose, const struct fate *f)
{
	for (unsigned i = 0; i < f->sent; i++) {
		fprintf(stderr, "%s: leaves by %c, %u bytes", whose, 'a' + f->out[i].port,
		    f->out[i].len);
		for (unsigned k = 0; k < f->out[i].len && k < 128; k++)
			fprintf(stderr, "%s%02x", k % 32 ? " " : "\n    ", f->out[i].bytes[k]);
		fputc('\n', stderr);
	}
	for (unsigned i = 0; i < f->drop_count; i++)
		fprintf(stderr, "%s: dropped by %s: %s\n", whose,
		    mr_graph_node_name(t->plane->graph, f->nodes[i]),
		    mr_graph_node_class(t->plane->graph, f->nodes[i])->drops[f->reasons[i]].name);
	fprintf(stderr, "%s: %u held, %u ended %s\n", whose, f->held, f->ended,
	    f->ended ? f->end : "");
}

/* The explanation ends where a packet waits for another one; it says so, and it did. */
static bool
is_waiting(const struct test *t, unsigned i)
{
	const struct mr_node_class *class = mr_graph_node_class(t->plane->graph, t->said.nodes[i]);
	const char *name = class->drops[t->said.reasons[i]].name;

	return strstr(name, "explained") || strcmp(name, "fragment-waits") == 0;
}

static bool
has(const struct fate *in, bool *taken, const struct fate *of, unsigned i)
{
	for (unsigned k = 0; k < in->sent; k++) {
		if (taken[k] || in->out[k].port != of->out[i].port ||
		    in->out[k].len != of->out[i].len ||
		    memcmp(in->out[k].bytes, of->out[i].bytes, in->out[k].len))
			continue;
		taken[k] = true;
		return true;
	}
	return false;
}

static bool
same_drops(const struct fate *a, const struct fate *b)
{
	bool taken[SAID_MAX] = { false };
	unsigned k;

	for (unsigned i = 0; i < a->drop_count; i++) {
		for (k = 0; k < b->drop_count; k++)
			if (!taken[k] && a->nodes[i] == b->nodes[k] &&
			    a->reasons[i] == b->reasons[k])
				break;
		if (k == b->drop_count)
			return false;
		taken[k] = true;
	}
	return a->drop_count == b->drop_count;
}

static void
compare(struct test *t, unsigned port)
{
	bool taken[SAID_MAX] = { false }, same = t->said.sent == t->done.sent;

	for (unsigned i = 0; same && i < t->said.sent; i++)
		same = has(&t->done, taken, &t->said, i);
	for (unsigned i = 0; i < t->recording.count; i++)
		if (t->recording.ops[i].kind == MR_OP_NOTE &&
		    strcmp(t->recording.ops[i].text, "nat new mapping") == 0) {
			t->unsure++;
			return;
		}
	if (t->said.ended) {
		t->unsure++;
		return;
	}
	for (unsigned i = 0; i < t->said.drop_count; i++) {
		if (is_waiting(t, i)) {
			t->unsure++;
			return;
		}
	}
	if (same && t->said.held == t->done.held && same_drops(&t->said, &t->done))
		return;
	fprintf(stderr, "frame %lu on port %c, %u bytes:", t->frames, 'a' + (int)port,
	    t->recording.length);
	for (unsigned k = 0; k < t->recording.snapped; k++)
		fprintf(stderr, "%s%02x", k % 32 ? " " : "\n    ", t->recording.snap[k]);
	fputc('\n', stderr);
	for (unsigned i = 0; i < t->recording.count; i++)
		fprintf(stderr, "  %s %s %u %s\n",
		    mr_graph_node_name(t->plane->graph, t->recording.ops[i].node),
		    mr_op_kind_name(t->recording.ops[i].kind), t->recording.ops[i].arg,
		    t->recording.ops[i].kind == MR_OP_NOTE ? t->recording.ops[i].text : "");
	tell(t, "said", &t->said);
	tell(t, "done", &t->done);
	bed_fail(t->bed, "what was explained is not what happened");
}

/* What waits at the ports is taken and given one by one. */
static void
one_by_one(struct test *t)
{
	static uint32_t packets[BED_PORTS][MR_VECTOR_MAX];
	unsigned counts[BED_PORTS];

	for (unsigned p = 0; p < BED_PORTS; p++) {
		struct bed_port *bp = &t->plane->ports[p];

		counts[p] = bp->wait_count;
		memcpy(packets[p], bp->waiting, counts[p] * sizeof(uint32_t));
		bp->wait_count = 0;
	}
	for (unsigned p = 0; p < BED_PORTS; p++) {
		for (unsigned i = 0; i < counts[p]; i++) {
			uint32_t copy = mr_packet_copy(t->plane->buffers, 0, packets[p][i]);
			struct mr_lanes_flow found;

			bed_must(t->bed, copy != MR_PACKET_NONE);
			t->replayed += mr_lanes_find(t->plane->dp, t->plane->ports[p].port->index,
					   packets[p][i], &found) == MR_LANES_FLOW;
			explain(t, p, copy);
			give(t, p, packets[p][i]);
			compare(t, p);
			t->frames++;
			t->left += t->done.sent != 0;
			t->copied += t->done.sent > 1;
			t->dropped += t->done.drop_count;
			t->held += t->done.held != 0;
		}
	}
}

static void
traffic(struct test *t)
{
	for (unsigned v = 0; v < VECTORS; v++) {
		bed_talks_speak(t->bed, &t->talks, &t->shape, &t->random, 10);
		bed_vector(t->bed, &t->flows, &t->shape, &t->random,
		    bed_draw(&t->random, BED_PORTS), 1 + bed_draw(&t->random, 20));
		one_by_one(t);
		if (bed_one_in(&t->random, 6)) {
			bed_tick(t->bed, 1 + bed_draw(&t->random, 3000));
			count_drops(t, false);
		}
	}
}

static uint64_t
option(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : fallback;
}

static void
test_said_and_done(void **state)
{
	struct test *t = calloc(1, sizeof(*t));
	struct bed_text text;
	uint64_t rounds = CONFIGURATIONS * option("MR_SOAK", 1);

	(void)state;
	assert_non_null(t);
	t->random.state = option("MR_SEED", 0x5eed) * 0x9e3779b97f4a7c15ull + 1;
	text = (struct bed_text){ .at = t->text, .size = sizeof(t->text) };
	for (uint64_t round = 0; round < rounds; round++) {
		bed_configuration(&t->shape, &t->random, &text);
		if (round == 0)
			t->bed = bed_open(t->text, LANES, 1);
		else
			bed_apply(t->bed, t->text, LANES);
		t->plane = &t->bed->planes[0];
		t->bed->doing = "explaining";
		bed_flows_draw(&t->flows, &t->shape, &t->random, 100);
		bed_talks_draw(&t->talks, &t->shape, &t->random, 100);
		bed_stations(t->bed);
		count_drops(t, false);
		traffic(t);
		bed_tick(t->bed, 40000);
	}
	print_message("%lu frames: %lu left, %lu as copies too, %lu dropped, %lu held, of %lu it "
		      "was said that they wait; %lu by the flow lane\n",
	    t->frames, t->left, t->copied, t->dropped, t->held, t->unsure, t->replayed);
	assert_true(t->frames >= 10000);
	assert_true(t->left > t->frames / 4 && t->dropped > t->frames / 20);
	assert_true(t->unsure < t->frames / 20 && t->replayed > t->frames / 20);
	bed_close(t->bed);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_said_and_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
