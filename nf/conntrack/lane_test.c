/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same packets through two data planes, one with the flow lane and one without: each packet
 * must be let through by both or by none, and connections must come to the same state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/conntrack/control_int.h"
#include "nf/conntrack/track_test_int.h"
#include "nf/lanes/lanes.h"

#define FLOWS 24u
#define PACKETS 60000u

static const char config_text[] = "interface:\n"
				  "  a: {driver: \"null\", cross-connect: b}\n"
				  "  b: {driver: \"null\", cross-connect: a}\n"
				  "conntrack:\n"
				  "  drop-invalid: true\n"
				  "  interface: [a, b]\n"
				  "lanes: {mode: %s}\n";

struct side_of {
	struct mr_dataplane *dp;
	struct mr_graph *graph;
	struct mr_conntrack *ct;
	uint16_t node[2];
};

static struct mr_model *model;
static struct mr_log quiet;

static int
make_model(void **state)
{
	struct mr_error error;

	mr_log_init_fd(&quiet, 2, MR_LOG_ERROR);
	return mr_nf_model(&model, &error);
}

static int
free_model(void **state)
{
	mr_model_destroy(model);
	return 0;
}

static struct mr_config *
parse(const char *mode)
{
	struct mr_config *config = NULL;
	struct mr_report *report;
	char text[1024], line[512];

	snprintf(text, sizeof(text), config_text, mode);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&config, model, "t", text, strlen(text), report)) {
		mr_report_format(report, 0, line, sizeof(line));
		fail_msg("%s", line);
	}
	mr_report_destroy(report);
	return config;
}

static uint16_t
node_named(const struct mr_graph *g, const char *name)
{
	for (unsigned n = 0; n < mr_graph_node_count(g); n++)
		if (strcmp(mr_graph_node_name(g, (uint16_t)n), name) == 0)
			return (uint16_t)n;
	fail_msg("no node %s", name);
	return 0;
}

static void
open_side(struct side_of *s, const char *mode)
{
	struct mr_config *config = parse(mode);
	struct mr_report *report;

	assert_int_equal(mr_report_create(&report), 0);
	assert_int_equal(mr_dataplane_create(&s->dp, config, &quiet, report), 0);
	mr_report_destroy(report);
	mr_config_destroy(config);
	s->graph = mr_dataplane_graph(s->dp);
	s->ct = mr_conntrack_of(s->dp);
	s->node[0] = mr_graph_input(s->graph, 0);
	s->node[1] = mr_graph_input(s->graph, 1);
	mr_graph_set_port_up(s->graph, 0, true);
	mr_graph_set_port_up(s->graph, 1, true);
	assert_int_equal(mr_graph_commit(s->graph, &(struct mr_error){ 0 }), 0);
}

/* Whether it came through. */
static bool
pass(struct side_of *s, unsigned port, const struct frame *f)
{
	struct mr_graph_totals before, after;
	struct mr_buffers *buffers = mr_dataplane_buffers(s->dp);
	uint32_t packet = mr_packet_from(buffers, 0, f->bytes, f->len);

	mr_graph_totals(s->graph, &before);
	mr_packet_at(buffers->base, packet)->port = (uint16_t)port;
	/* The lane takes what is for the interface. */
	assert_true(mr_dataplane_address(s->dp, (uint16_t)port, 0,
	    mr_packet_bytes(mr_packet_at(buffers->base, packet))));
	mr_graph_inject(s->graph, 0, s->node[port], &packet, 1);
	mr_graph_pass(s->graph, 0);
	mr_graph_totals(s->graph, &after);
	return after.sent > before.sent;
}

/* A conversation, with mistakes. */
struct talk {
	struct ends e;
	bool udp;
	uint32_t seq[2];
};

static unsigned
next_frame(struct talk *t, struct frame *f, uint64_t *seed)
{
	unsigned dir = draw(seed) & 1, len = draw(seed) % 400, what = draw(seed) % 64;
	struct ends back = ends_back(&t->e), *e = dir ? &back : &t->e;
	uint32_t seq = t->seq[dir], ack = t->seq[!dir];
	uint8_t flags = MR_TCP_ACK;

	if (t->udp) {
		if (draw(seed) % 16 == 0)
			frame_icmp(f, e, dir ? 0 : 8, 0, 3);
		else
			frame_udp(f, e, len);
		return dir;
	}
	switch (what) {
	case 0:
		flags = MR_TCP_SYN;
		break;
	case 1:
		flags = MR_TCP_FIN | MR_TCP_ACK;
		break;
	case 2:
		flags = draw(seed) & 3 ? MR_TCP_ACK : MR_TCP_RST;
		break;
	case 3:
		seq += (uint32_t)draw(seed) % 40000 - 20000;
		break;
	case 4:
		ack += (uint32_t)draw(seed) % 200000 - 100000;
		break;
	case 5:
		flags = MR_TCP_SYN | MR_TCP_ACK;
		break;
	case 6:
		flags = (uint8_t)draw(seed);
		break;
	case 7:
		len = 0;
		seq--;
		break;
	default:
		break;
	}
	frame_tcp(f, e, flags, seq, flags & MR_TCP_ACK ? ack : 0, flags & MR_TCP_SYN ? 0 : len);
	if (what > 7 || what < 2)
		t->seq[dir] = seq + (flags & MR_TCP_SYN ? 1 : len) + !!(flags & MR_TCP_FIN);
	if (draw(seed) % 50 == 0)
		f->bytes[f->len - 1] ^= 1; /* a wrong checksum */
	return dir;
}

static void
begin_talk(struct talk *t, uint64_t *seed)
{
	t->e = (struct ends){ draw(seed) & 1, 1 + (uint32_t)draw(seed) % 3,
		10 + (uint32_t)draw(seed) % 3, (uint16_t)(1000 + draw(seed) % 4), 80 };
	t->udp = draw(seed) % 3 == 0;
	t->seq[0] = (uint32_t)draw(seed);
	t->seq[1] = (uint32_t)draw(seed);
}

/* The handshake, so that most conversations get somewhere. */
static void
shake_hands(struct talk *t, struct side_of *s)
{
	struct ends back = ends_back(&t->e);
	struct frame f;

	for (unsigned n = 0; n < 3 && !t->udp; n++) {
		const struct ends *e = n == 1 ? &back : &t->e;

		frame_tcp(&f, e,
		    n == 0       ? MR_TCP_SYN
			: n == 1 ? MR_TCP_SYN | MR_TCP_ACK
				 : MR_TCP_ACK,
		    t->seq[n == 1] - (n < 2), n ? t->seq[n != 1] : 0, 0);
		assert_int_equal(pass(&s[0], n == 1, &f), pass(&s[1], n == 1, &f));
	}
}

/* Connections by key: both tables have the same ones, and the same in them. */
static void
compare_tables(struct side_of *s)
{
	struct ct_table *a = s[0].ct->core->table, *b = s[1].ct->core->table;

	mr_lane_settle(mr_lanes_lane(s[1].dp));
	assert_int_equal(ct_table_used(a), ct_table_used(b));
	for (uint32_t i = 1; i <= a->top; i++) {
		uint32_t word = a->lines[i].word, other, index, now = a->lines[i].seen;
		struct ct_line *x = &a->lines[i], *y;
		struct ct_key key;

		if (!(word & CT_LIVE))
			continue;
		ct_key_load(&a->cold[i], &key);
		index = ct_find(b, 0, &key, ct_hash(b, &key), now, &other);
		assert_int_not_equal(index, 0);
		y = &b->lines[index];
		assert_int_equal(word & ~CT_AGE, other & ~CT_AGE);
		assert_int_equal(x->state, y->state);
		assert_int_equal(x->timeout, y->timeout);
		assert_memory_equal(x->half, y->half, sizeof(x->half));
		assert_int_equal(x->packets[0], y->packets[0]);
		assert_int_equal(x->packets[1], y->packets[1]);
		assert_memory_equal(x->flags, y->flags, sizeof(x->flags));
		assert_int_equal(x->last_end, y->last_end);
		assert_int_equal(x->last_kind, y->last_kind);
		assert_int_equal(x->odd, y->odd);
	}
}

static uint64_t
lane_count(const struct side_of *s, const char *node, unsigned counter)
{
	struct mr_node_stats stats;

	assert_int_equal(mr_graph_node_stats(s->graph, node_named(s->graph, node), &stats), 0);
	return stats.counters[counter];
}

static void
both_lanes_agree(void **state)
{
	struct side_of s[2];
	struct talk talks[FLOWS];
	uint64_t seed = 12345, through = 0;
	struct frame f;

	open_side(&s[0], "graph");
	open_side(&s[1], "flow");
	for (unsigned i = 0; i < FLOWS; i++)
		begin_talk(&talks[i], &seed);
	for (unsigned i = 0; i < PACKETS; i++) {
		struct talk *t = &talks[draw(&seed) % FLOWS];
		unsigned port;
		bool one, two;

		if (draw(&seed) % 400 == 0) {
			begin_talk(t, &seed);
			shake_hands(t, s);
		}
		port = next_frame(t, &f, &seed);
		one = pass(&s[0], port, &f);
		two = pass(&s[1], port, &f);
		if (one != two)
			fail_msg("packet %u: %s without the lane, %s with it", i,
			    one ? "passes" : "dropped", two ? "passes" : "dropped");
		through += one;
		if (i % 1000 == 999)
			compare_tables(s);
	}
	assert_true(through > PACKETS / 10 && through < PACKETS);
	/* replayed */
	assert_true(lane_count(&s[1], "flow-lane@a", 0) > PACKETS / 20);
	mr_dataplane_destroy(s[0].dp);
	mr_dataplane_destroy(s[1].dp);
}

/* What was ended by an operator, or expired, is not replayed. */
static void
ended_ones_are_not_replayed(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 80 }, r = ends_back(&e);
	struct side_of s[1];
	struct frame f;
	struct ct_table *t;
	uint64_t before;

	open_side(s, "flow");
	t = s->ct->core->table;
	pass(s, 0, frame_tcp(&f, &e, MR_TCP_SYN, 100, 0, 0));
	pass(s, 1, frame_tcp(&f, &r, MR_TCP_SYN | MR_TCP_ACK, 500, 101, 0));
	for (unsigned i = 0; i < 5; i++)
		assert_true(pass(s, 0, frame_tcp(&f, &e, MR_TCP_ACK, 101 + 10 * i, 501, 10)));
	before = lane_count(s, "flow-lane@a", 0);
	assert_true(pass(s, 0, frame_tcp(&f, &e, MR_TCP_ACK, 151, 501, 10)));
	assert_int_equal(lane_count(s, "flow-lane@a", 0), before + 1);
	assert_true(ct_end(t, MR_POOL_SHARED, 1, t->lines[1].word, CT_COUNT_FLUSHED));
	atomic_store(&s->ct->core->options, CT_DROP_INVALID); /* not loose */
	assert_false(pass(s, 0, frame_tcp(&f, &e, MR_TCP_ACK, 161, 501, 10)));
	assert_int_equal(lane_count(s, "flow-lane@a", 0), before + 1);
	mr_dataplane_destroy(s->dp);
}

static const char *
no_filter(const void *arg, const char *name)
{
	return NULL;
}

/* As `millrace flush connections`. */
static void
flush(struct side_of *s)
{
	const struct mr_nf_query all = { .value = no_filter };
	struct mr_nf_stream out;
	struct mr_error error;
	char text[32];

	assert_int_equal(ct_acts[0].open(s->ct, &all, &out, &error), 0);
	while (out.read(out.state, text, sizeof(text)) > 0)
		;
	out.close(out.state);
}

/* UDP's answered connections are looked at once in a second: they count each packet all the same,
 * and one that is flushed is over at once. */
static void
talks_are_counted_and_flushed(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 80 }, r = ends_back(&e);
	struct side_of s[1];
	struct ct_table *t;
	struct frame f;
	uint64_t before;

	open_side(s, "flow");
	t = s->ct->core->table;
	assert_true(pass(s, 0, frame_udp(&f, &e, 10)));
	assert_true(pass(s, 1, frame_udp(&f, &r, 10)));
	before = lane_count(s, "flow-lane@a", 0) + lane_count(s, "flow-lane@b", 0);
	for (unsigned i = 0; i < 50; i++) {
		assert_true(pass(s, 0, frame_udp(&f, &e, 10)));
		assert_true(pass(s, 1, frame_udp(&f, &r, 10)));
		assert_true(pass(s, 1, frame_udp(&f, &r, 10)));
	}
	assert_true(
	    lane_count(s, "flow-lane@a", 0) + lane_count(s, "flow-lane@b", 0) > before + 130);
	mr_lane_settle(mr_lanes_lane(s->dp));
	assert_int_equal(t->lines[1].packets[0], 51);
	assert_int_equal(t->lines[1].packets[1], 101);
	assert_int_equal(lane_count(s, "track-in@a", CT_TRACK_ESTABLISHED) +
		lane_count(s, "track-in@a", CT_TRACK_NEW),
	    51);
	flush(s);
	assert_int_equal(ct_table_used(t), 0);
	/* It begins anew, with the answer's direction. */
	assert_true(pass(s, 1, frame_udp(&f, &r, 10)));
	assert_int_equal(ct_table_used(t), 1);
	mr_lane_settle(mr_lanes_lane(s->dp));
	for (uint32_t i = 1; i <= t->top; i++)
		if (t->lines[i].word & CT_LIVE)
			assert_int_equal(t->lines[i].packets[0] + t->lines[i].packets[1], 1);
	mr_dataplane_destroy(s->dp);
}

/* The walk of a first answer that comes late is not what its next ones do: they make a stream. */
static void
late_answers_make_streams(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 80 }, r = ends_back(&e);
	struct side_of s[1];
	struct ct_table *t;
	struct frame f;
	uint32_t c;

	open_side(s, "flow");
	t = s->ct->core->table;
	/* The lane records a flow's second packet, which is the new connection's first answer. */
	assert_true(pass(s, 1, frame_udp(&f, &r, 10)));
	flush(s);
	assert_true(pass(s, 0, frame_udp(&f, &e, 10)));
	for (c = 1; !(t->lines[c].word & CT_LIVE); c++)
		assert_true(c < t->top);
	t->cold[c].created -= 2 * CT_TALK_SECONDS;
	assert_true(pass(s, 1, frame_udp(&f, &r, 10)));
	assert_int_equal(t->lines[c].timeout, CT_UDP);
	assert_true(pass(s, 1, frame_udp(&f, &r, 10)));
	assert_int_equal(t->lines[c].timeout, CT_UDP_STREAM);
	assert_true(t->lines[c].word & CT_ASSURED);
	mr_dataplane_destroy(s->dp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_answers_make_streams),
		cmocka_unit_test(both_lanes_agree),
		cmocka_unit_test(ended_ones_are_not_replayed),
		cmocka_unit_test(talks_are_counted_and_flushed),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
