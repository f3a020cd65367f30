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
#include "kit/packet/wire.h"
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
	unsigned six, four; /* ports of NAT64; BED_PORTS: none */
	uint64_t frames, left, dropped, held, copied, replayed, unsure, followed;
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
same_drops(const struct fate *a, const struct fate *b, bool more)
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
	return more || a->drop_count == b->drop_count;
}

static void
compare(struct test *t, unsigned port)
{
	/* Others that waited for it go on behind it: they are not what was explained. */
	bool more = (int)t->done.held < 0;
	bool taken[SAID_MAX] = { false }, same = more || t->said.sent == t->done.sent;

	for (unsigned i = 0; same && i < t->said.sent; i++)
		same = has(&t->done, taken, &t->said, i);
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
	t->followed += more;
	if (same && (more || t->said.held == t->done.held) && same_drops(&t->said, &t->done, more))
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

/* -- what the shared generators have not ---------------------------------------------------- */

/* NAT64 between two ports of a router, and rules of flows. */
static void
write_more(struct test *t, struct bed_text *text)
{
	unsigned in = bed_draw(&t->random, BED_PORTS), out = bed_draw(&t->random, BED_PORTS);
	unsigned n = BED_SUBNET(out, 0);

	t->six = t->four = BED_PORTS;
	if (in != out && t->shape.use[in] == BED_ROUTED && t->shape.use[out] == BED_ROUTED &&
	    t->shape.which[in] == t->shape.which[out]) {
		t->six = in;
		t->four = out;
		bed_say(text,
		    "nat64: {instance: {x: {inside: [%c], outside: [%c], pool: "
		    "[10.%u.0.210-10.%u.0.211], global-only: false, subscriber-ports: %u}}}\n",
		    'a' + (int)in, 'a' + (int)out, n, n, bed_draw(&t->random, 2) * 30);
	}
	if (bed_one_in(&t->random, 3))
		bed_say(text,
		    "flow-rules:\n"
		    "  rule:\n"
		    "    no: {priority: 1, match: {protocol: udp, destination-port: \"%u-%u\"}, "
		    "action: drop}\n"
		    "    old: {priority: 2, match: {protocol: tcp}, decrement-ttl: true, action: "
		    "pass}\n"
		    "    marked: {priority: 3, match: {protocol: udp}, set: {destination-port: "
		    "77}, action: pass}\n",
		    1000 + bed_draw(&t->random, 5000), 7000 + bed_draw(&t->random, 30000));
}

/* From inside to outside by the translator, and what may be answers. */
static void
give_translated(struct test *t)
{
	static const uint8_t protos[] = { MR_IP_PROTO_UDP, MR_IP_PROTO_TCP, MR_IP_PROTO_ICMP6 };
	bool inward = bed_one_in(&t->random, 3);
	struct bed_flow f = {
		.port = (uint8_t)(inward ? t->four : t->six),
		.six = !inward,
		.proto = protos[bed_draw(&t->random, 3)],
		.ttl = bed_one_in(&t->random, 10) ? 1 : 64,
		.number = 0x3000 + bed_draw(&t->random, 100),
		.sport = (uint16_t)(2000 + bed_draw(&t->random, 20) * 2 + 1),
		.dport = 53,
		.size = (uint16_t)bed_draw(&t->random, 200),
		.from_mac = 9,
	};
	unsigned n = BED_SUBNET(t->four, 0);
	uint8_t frame[BED_FRAME_MAX + 64];
	struct bed_made m;

	if (t->six == BED_PORTS)
		return;
	if (inward) {
		memcpy(f.src, (uint8_t[]){ 10, (uint8_t)n, 0, 9 }, 4);
		memcpy(f.dst, (uint8_t[]){ 10, (uint8_t)n, 0, 210 }, 4);
		f.dst[3] = (uint8_t)(210 + bed_draw(&t->random, 2));
		f.sport = 53;
		f.dport = (uint16_t)(2000 + bed_draw(&t->random, 20) * 2 + 1);
		f.proto = f.proto == MR_IP_PROTO_ICMP6 ? MR_IP_PROTO_ICMP : f.proto;
	} else {
		memcpy(f.src, "\x20\1\xd\xb8\0", 5);
		f.src[5] = (uint8_t)BED_SUBNET(t->six, 0);
		f.src[15] = (uint8_t)(9 + bed_draw(&t->random, 4));
		memcpy(f.dst, "\0\x64\xff\x9b", 4);
		memcpy(f.dst + 12, (uint8_t[]){ 10, (uint8_t)n, 0, 9 }, 4);
	}
	bed_build(&f, &t->shape, f.number, bed_draw(&t->random, 1000), f.size, frame, &m);
	/* A connection begins with a SYN. */
	if (f.proto == MR_IP_PROTO_TCP && bed_draw(&t->random, 2)) {
		frame[m.l4 + 13] = MR_TCP_SYN;
		bed_sum_l4(&f, frame + m.l3, frame + m.l4, m.len - m.l4);
	}
	bed_give(t->bed, f.port, frame, m.len, 0, 0);
}

/* -- traffic --------------------------------------------------------------------------- */

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
		for (unsigned i = 0; i < 4; i++)
			give_translated(t);
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
		write_more(t, &text);
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
