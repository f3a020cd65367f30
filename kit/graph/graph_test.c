/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The graph under random node behaviour: packets are sent on, dropped, held,
 * released and copied at random, on one worker and on several, while the draft
 * changes; what came in must equal what went out, was dropped or is held, and the
 * pool must be full again in the end.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "kit/graph/graph.h"
#include "kit/graph/probe.h"
#include "kit/port/driver.h"

/* A node that decides by a packet's first byte. */
enum { CHAOS_NEXT, CHAOS_BACK, CHAOS_EDGES };
enum { CHAOS_DROP_ODD, CHAOS_DROP_COPY, CHAOS_DROPS };

struct chaos {
	uint64_t seed;
	bool calm;           /* only ever sends on */
	uint32_t held[4096]; /* one worker only */
	unsigned held_count;
	unsigned port; /* for outputs */
};

static uint32_t
draw(struct chaos *c)
{
	c->seed = c->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(c->seed >> 33);
}

mr_inline void
chaos_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct chaos *c = run->self;

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		unsigned what = c->calm ? 0 : draw(c) % 16;
		uint32_t copy;

		mr_record_note(rec, p, "drawn", what);
		verdicts[i] = mr_verdict_edge(CHAOS_NEXT);
		if (what == 1) {
			verdicts[i] = mr_verdict_drop(CHAOS_DROP_ODD);
		} else if (what == 2 && c->held_count < MR_ARRAY_COUNT(c->held)) {
			c->held[c->held_count++] = packets[i];
			verdicts[i] = MR_VERDICT_HELD;
		} else if (what == 3) {
			verdicts[i] = mr_verdict_output(c->port);
		} else if (what == 4) {
			copy = mr_node_copy(run, rec, packets[i]);
			if (copy != MR_PACKET_NONE)
				mr_node_emit(run, copy,
				    draw(c) % 2 ? mr_verdict_drop(CHAOS_DROP_COPY)
						: mr_verdict_output(c->port));
		} else if (what == 5 && c->held_count) {
			mr_node_release(run, c->held[--c->held_count], mr_verdict_edge(CHAOS_NEXT));
		} else if (what == 6 && p->context < 3) {
			p->context++; /* round a cycle, but not for ever */
			verdicts[i] = mr_verdict_edge(CHAOS_BACK);
		}
	}
}
MR_NODE_FUNCTIONS(chaos)

static const char *const chaos_edges[] = { "next", "back" };
static const struct mr_named chaos_drops[] = { { "odd", "" }, { "copy", "" } };
static const struct mr_node_class chaos_class = {
	.name = "chaos",
	.edges = chaos_edges,
	.edge_count = CHAOS_EDGES,
	.drops = chaos_drops,
	.drop_count = CHAOS_DROPS,
	MR_NODE_RUN(chaos),
};

/* The end: everything leaves on the port that `self` names. */
mr_inline void
leave_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	unsigned port = *(unsigned *)run->self;

	(void)rec;
	(void)packets;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_output(port);
}
MR_NODE_FUNCTIONS(leave)
static const struct mr_node_class leave_class = { .name = "leave", MR_NODE_RUN(leave) };

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_port *null, *gen;
	struct chaos chaos[2];
	unsigned out;
	uint16_t nodes[3];
	struct mr_error error;
};

static void
open_port(struct bed *b, struct mr_port **port, const char *driver, uint16_t index,
    const struct mr_option *options, size_t count, uint16_t workers)
{
	const struct mr_port_config config = {
		.name = driver,
		.index = index,
		.options = options,
		.option_count = count,
		.buffers = b->buffers,
		.workers = workers,
		.numa_node = -1,
	};

	if (mr_port_open(port, driver, &config, &b->error) ||
	    (*port)->driver->start(*port, &b->error))
		fail_msg("%s", b->error.text);
}

static void
setup(struct bed *b, uint16_t workers, const char *packets)
{
	const struct mr_option options[] = { { "count", packets }, { "flows", "100" } };

	memset(b, 0, sizeof(*b));
	assert_int_equal(mr_buffers_create(&b->buffers,
			     &(struct mr_buffers_config){ .count = 16384,
				 .workers = workers,
				 .numa_node = -1,
				 .pages = MR_ARENA_4K },
			     &b->error),
	    0);
	assert_int_equal(mr_graph_create(&b->graph,
			     &(struct mr_graph_config){ .buffers = b->buffers,
				 .workers = workers,
				 .spin_us = 20 },
			     &b->error),
	    0);
	open_port(b, &b->gen, "gen", 0, options, 2, workers);
	open_port(b, &b->null, "null", 1, NULL, 0, workers);
	b->out = 1;
	for (unsigned i = 0; i < 2; i++) {
		b->chaos[i].seed = i + 1;
		b->chaos[i].port = 1;
		assert_int_equal(mr_graph_add_node(b->graph, &chaos_class, i ? "second" : "first",
				     &b->chaos[i], &b->nodes[i], &b->error),
		    0);
	}
	assert_int_equal(
	    mr_graph_add_node(b->graph, &leave_class, NULL, &b->out, &b->nodes[2], &b->error), 0);
	assert_int_equal(mr_graph_link(b->graph, b->nodes[0], CHAOS_NEXT, b->nodes[1]), 0);
	assert_int_equal(mr_graph_link(b->graph, b->nodes[0], CHAOS_BACK, b->nodes[0]), 0);
	assert_int_equal(mr_graph_link(b->graph, b->nodes[1], CHAOS_NEXT, b->nodes[2]), 0);
	assert_int_equal(mr_graph_link(b->graph, b->nodes[1], CHAOS_BACK, b->nodes[0]), 0);
	assert_int_equal(mr_graph_add_port(b->graph, b->gen, NULL, 0, &b->error), 0);
	assert_int_equal(mr_graph_add_port(b->graph, b->null, NULL, 0, &b->error), 0);
	assert_int_equal(mr_graph_set_input(b->graph, 0, b->nodes[0], 0), 0);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
}

static void
teardown(struct bed *b)
{
	mr_graph_destroy(b->graph);
	for (unsigned i = 0; i < 2; i++)
		mr_packets_free(b->buffers, MR_POOL_SHARED, b->chaos[i].held,
		    b->chaos[i].held_count);
	b->gen->driver->stop(b->gen);
	mr_port_close(b->gen);
	b->null->driver->stop(b->null);
	mr_port_close(b->null);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	mr_buffers_destroy(b->buffers);
}

static void
assert_balanced(const struct bed *b, uint64_t received)
{
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	assert_int_equal(t.received, received);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held);
	assert_int_equal(t.held, b->chaos[0].held_count + b->chaos[1].held_count);
	assert_int_equal(atomic_load(&b->null->tx_stats[0].packets) +
		(b->null->tx_queues > 1 ? atomic_load(&b->null->tx_stats[1].packets) : 0),
	    t.sent);
}

/* What is counted along the edges is what the nodes got, and the ports. */
static void
assert_edges(const struct bed *b, uint64_t received)
{
	struct mr_node_stats s[3];
	struct mr_graph_totals t;
	uint64_t sent[3], behind;

	mr_graph_totals(b->graph, &t);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(mr_graph_node_stats(b->graph, b->nodes[i], &s[i]), 0);
	assert_true(s[0].edges[CHAOS_BACK] > 100 && s[1].edges[CHAOS_BACK] > 10);
	assert_int_equal(s[0].packets, received + s[0].edges[CHAOS_BACK] + s[1].edges[CHAOS_BACK]);
	assert_int_equal(s[1].packets, s[0].edges[CHAOS_NEXT]);
	assert_int_equal(s[2].packets, s[1].edges[CHAOS_NEXT]);
	for (unsigned i = 0; i < 3; i++) {
		mr_graph_node_sends(b->graph, b->nodes[i], 1, &sent[i], &behind);
		assert_int_equal(behind, 0);
	}
	assert_int_equal(s[2].packets, sent[2]);
	assert_int_equal(t.sent, sent[0] + sent[1] + sent[2]);
}

static void
test_accounting_on_one_worker(void **state)
{
	struct bed b;
	struct mr_node_stats s;
	unsigned n = 0;

	setup(&b, 1, "20000");
	while (n < 20000)
		n += mr_graph_pass(b.graph, 0);
	assert_int_equal(n, 20000);
	assert_balanced(&b, 20000);
	assert_int_equal(mr_graph_node_stats(b.graph, b.nodes[0], &s), 0);
	assert_true(s.packets >= 20000 && s.calls > 0 && s.cycles > 0);
	assert_true(s.drops[CHAOS_DROP_ODD] > 500 && s.drops[CHAOS_DROP_COPY] > 200);
	assert_edges(&b, 20000);
	teardown(&b);
}

static bool
wait_for(struct mr_graph *g, uint64_t received)
{
	struct mr_graph_totals t;
	uint64_t last = 0;

	for (unsigned i = 0; i < 20000; i++) {
		mr_graph_totals(g, &t);
		if (t.received == received &&
		    t.received + t.created == t.sent + t.dropped + t.held && last == t.sent)
			return true;
		last = t.sent;
		usleep(500);
	}
	fprintf(stderr, "received %lu created %lu sent %lu dropped %lu held %lu\n",
	    (unsigned long)t.received, (unsigned long)t.created, (unsigned long)t.sent,
	    (unsigned long)t.dropped, (unsigned long)t.held);
	return false;
}

/* Stages on two workers, while commits come in. */
static void
test_accounting_across_workers(void **state)
{
	struct bed b;
	const uint16_t first[] = { 0 }, both[] = { 0, 1 }, second[] = { 1 };
	struct mr_graph_totals t;
	struct mr_worker_stats w;

	setup(&b, 2, "200000");
	/* The chaos node's held list is not made for two workers at once. */
	assert_int_equal(mr_graph_place(b.graph, b.nodes[0], first, 1), 0);
	assert_int_equal(mr_graph_place(b.graph, b.nodes[1], second, 1), 0);
	assert_int_equal(mr_graph_place(b.graph, b.nodes[2], both, 2), 0);
	assert_int_equal(mr_graph_start(b.graph, &b.error), 0);
	for (unsigned i = 0; i < 50; i++) {
		uint16_t extra;

		assert_int_equal(
		    mr_graph_add_node(b.graph, &leave_class, "extra", &b.out, &extra, &b.error), 0);
		assert_int_equal(mr_graph_link(b.graph, b.nodes[1], CHAOS_NEXT, extra), 0);
		assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
		usleep(200);
		assert_int_equal(mr_graph_link(b.graph, b.nodes[1], CHAOS_NEXT, b.nodes[2]), 0);
		mr_graph_remove_node(b.graph, extra);
		assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	}
	assert_true(wait_for(b.graph, 200000));
	mr_graph_stop(b.graph);
	mr_graph_totals(b.graph, &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held);
	assert_int_equal(t.held, b.chaos[0].held_count + b.chaos[1].held_count);
	mr_graph_worker_stats(b.graph, 0, &w);
	assert_true(w.handoffs > 0);
	teardown(&b);
}

/* A node that notes which workers run it. */
mr_inline void
lonely_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	atomic_fetch_or((_Atomic uint32_t *)run->self, 1u << run->worker);
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_edge(0);
}
MR_NODE_FUNCTIONS(lonely)
static const char *const lonely_edges[] = { "next" };
static const struct mr_node_class lonely_class = {
	.name = "lonely",
	.edges = lonely_edges,
	.edge_count = 1,
	MR_NODE_RUN(lonely),
	.alone = true,
};

/* What runs alone stays where it is, whoever wants it elsewhere. */
static void
test_alone(void **state)
{
	const uint16_t second[] = { 1 };
	_Atomic uint32_t ran = 0;
	uint16_t lonely;
	struct bed b;

	setup(&b, 2, "50000");
	b.chaos[0].calm = true;
	assert_int_equal(
	    mr_graph_add_node(b.graph, &lonely_class, NULL, (void *)&ran, &lonely, &b.error), 0);
	assert_int_equal(mr_graph_link(b.graph, b.nodes[0], CHAOS_NEXT, lonely), 0);
	assert_int_equal(mr_graph_link(b.graph, lonely, 0, b.nodes[2]), 0);
	assert_int_equal(mr_graph_place(b.graph, b.nodes[0], second, 1), 0);
	assert_int_equal(mr_graph_place(b.graph, lonely, second, 1), -EINVAL);
	assert_int_equal(mr_graph_place(b.graph, lonely, NULL, 0), -EINVAL);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	assert_int_equal(mr_graph_start(b.graph, &b.error), 0);
	assert_true(wait_for(b.graph, 50000));
	mr_graph_stop(b.graph);
	assert_int_equal(ran, 1u << 0);
	teardown(&b);
}

/* A worker that has nothing to do sleeps, and a commit or stop wakes it. */
static void
test_sleeps_and_wakes(void **state)
{
	struct bed b;
	struct mr_worker_stats before, after;
	struct timespec start, end;

	setup(&b, 1, "100");
	assert_int_equal(mr_graph_start(b.graph, &b.error), 0);
	assert_true(wait_for(b.graph, 100));
	usleep(50000);
	mr_graph_worker_stats(b.graph, 0, &before);
	usleep(100000);
	mr_graph_worker_stats(b.graph, 0, &after);
	assert_true(before.sleeps > 0);
	assert_true(after.passes - before.passes < 1000);
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	mr_graph_stop(b.graph);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(
	    (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 < 500);
	teardown(&b);
}

static void
test_trace_shows_the_walk(void **state)
{
	struct bed b;
	struct mr_probe *probe;
	const struct mr_recording *r;
	unsigned ends = 0, copies = 0;

	setup(&b, 1, "1000");
	assert_int_equal(mr_probe_create(&probe,
			     &(struct mr_probe_config){ .trace = true,
				 .port = MR_PROBE_ANY,
				 .node = MR_PROBE_ANY,
				 .count = 500,
				 .buffers = b.buffers,
				 .workers = 1 },
			     &b.error),
	    0);
	assert_int_equal(mr_graph_attach(b.graph, probe, &b.error), 0);
	while (mr_graph_pass(b.graph, 0))
		;
	for (unsigned n = 0; (r = mr_probe_recording(probe, n)) != NULL; n++) {
		unsigned open = 1;

		assert_int_equal(r->ops[0].kind, MR_OP_NODE);
		assert_int_equal(r->ops[0].node, b.nodes[0]);
		assert_int_equal(r->ops[1].kind, MR_OP_NOTE);
		for (unsigned i = 0; i < r->count; i++) {
			const struct mr_op *op = &r->ops[i];

			if (op->kind == MR_OP_COPY)
				open++, copies++;
			if (op->kind == MR_OP_OUTPUT || op->kind == MR_OP_DROP ||
			    op->kind == MR_OP_HOLD)
				open--, ends++;
		}
		assert_int_equal(open, 0); /* each branch came to an end */
	}
	assert_true(ends > 64 && copies > 0);
	mr_graph_detach(b.graph, probe);
	mr_probe_destroy(probe);
	assert_balanced(&b, 1000);
	teardown(&b);
}

static void
test_capture_of_drops(void **state)
{
	struct bed b;
	struct mr_probe *probe;
	struct mr_capture c[64];
	struct mr_node_stats s[2];
	unsigned n, total = 0;

	setup(&b, 1, "1000");
	assert_int_equal(mr_probe_create(&probe,
			     &(struct mr_probe_config){ .points = MR_PROBE_DROP,
				 .port = MR_PROBE_ANY,
				 .node = b.nodes[0],
				 .buffers = b.buffers,
				 .workers = 1 },
			     &b.error),
	    0);
	assert_int_equal(mr_graph_attach(b.graph, probe, &b.error), 0);
	while (mr_graph_pass(b.graph, 0))
		;
	while ((n = mr_probe_read(probe, c, MR_ARRAY_COUNT(c))) > 0) {
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(c[i].node, b.nodes[0]);
			assert_int_equal(c[i].point, MR_PROBE_DROP);
			assert_true(c[i].reason < CHAOS_DROPS);
			assert_int_equal(mr_packet_at(b.buffers->base, c[i].packet)->total,
			    c[i].length);
			mr_packets_free(b.buffers, MR_POOL_SHARED, &c[i].packet, 1);
		}
		total += n;
	}
	mr_graph_node_stats(b.graph, b.nodes[0], &s[0]);
	assert_int_equal(total, s[0].drops[0] + s[0].drops[1]);
	assert_true(total > 0);
	mr_graph_detach(b.graph, probe);
	mr_probe_destroy(probe);
	teardown(&b);
}

static void
test_draft_is_checked(void **state)
{
	struct bed b;
	uint16_t node, full;

	setup(&b, 1, "10");
	assert_int_equal(mr_graph_add_node(b.graph, &chaos_class, "first", NULL, &node, &b.error),
	    -EEXIST);
	assert_int_equal(mr_graph_add_node(b.graph, &chaos_class, "loose", NULL, &node, &b.error),
	    0);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), -EINVAL);
	assert_non_null(strstr(b.error.text, "edge \"next\" of node \"loose\" leads nowhere"));
	mr_graph_remove_node(b.graph, node);
	/* Behind an output stands a node that goes. */
	assert_int_equal(
	    mr_graph_add_node(b.graph, &leave_class, "behind", &b.out, &node, &b.error), 0);
	assert_int_equal(mr_graph_set_output(b.graph, 1, node), 0);
	mr_graph_remove_node(b.graph, node);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), -EINVAL);
	assert_non_null(strstr(b.error.text, "goes to a node that is not there"));
	assert_int_equal(mr_graph_set_output(b.graph, 1, UINT16_MAX), 0);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	assert_int_equal(mr_graph_add_port(b.graph, b.gen, NULL, 0, &b.error), -EEXIST);
	for (full = 0; mr_graph_add_node(b.graph, &leave_class,
			   (char[8]){ (char)('a' + full % 26), (char)('a' + full / 26 % 26),
			       (char)('a' + full / 676) },
			   &b.out, &node, &b.error) == 0;
	     full++)
		;
	assert_int_equal(full, MR_GRAPH_NODES_MAX - MR_GRAPH_NODE_FIRST - 3);
	assert_non_null(strstr(b.error.text, "1024 nodes already"));
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	teardown(&b);
}

#ifdef MR_CHECKED
/* A node that forgets every third packet: checked builds see each one. */
mr_inline void
forgetful_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	(void)run;
	(void)rec;
	(void)packets;
	for (unsigned i = 0; i < count; i++)
		if (i % 3)
			verdicts[i] = mr_verdict_output(1);
}
MR_NODE_FUNCTIONS(forgetful)
static const struct mr_node_class forgetful_class = { .name = "forgetful", MR_NODE_RUN(forgetful) };
#endif

static void
test_checked_build_sees_a_forgotten_packet(void **state)
{
#ifndef MR_CHECKED
	print_message("skipped: needs a build with -Dchecked=true\n");
	skip();
#else
	struct mr_graph_totals t;
	struct mr_node_stats s;
	struct bed b;
	uint16_t node;

	setup(&b, 1, "300");
	assert_int_equal(mr_graph_add_node(b.graph, &forgetful_class, NULL, NULL, &node, &b.error),
	    0);
	assert_int_equal(mr_graph_set_input(b.graph, 0, node, 0), 0);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	while (mr_graph_pass(b.graph, 0))
		;
	mr_graph_node_stats(b.graph, MR_GRAPH_NODE_RX, &s);
	mr_graph_totals(b.graph, &t);
	assert_true(s.drops[MR_RX_DROP_NO_VERDICT] >= 100);
	assert_int_equal(t.sent + s.drops[MR_RX_DROP_NO_VERDICT], 300);
	teardown(&b);
#endif
}

/* Two graphs in one process share nothing. */
static void
test_two_graphs(void **state)
{
	struct bed a, b;

	setup(&a, 1, "500");
	setup(&b, 1, "700");
	while (mr_graph_pass(a.graph, 0) | mr_graph_pass(b.graph, 0))
		;
	assert_balanced(&a, 500);
	assert_balanced(&b, 700);
	teardown(&a);
	teardown(&b);
}

/* What stands behind an output sees every packet once, whoever sent it, and is the last. */
mr_inline void
behind_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	(void)packets;
	(void)rec;
	*(uint64_t *)run->self += count;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = i % 4 == 3 ? mr_verdict_drop(0) : mr_verdict_send(1);
}
MR_NODE_FUNCTIONS(behind)
static const struct mr_named behind_drops[] = { { "fourth", "" } };
static const struct mr_node_class behind_class = {
	.name = "behind",
	.drops = behind_drops,
	.drop_count = 1,
	MR_NODE_RUN(behind),
};

static void
test_nodes_behind_an_output(void **state)
{
	struct mr_graph_totals t;
	struct mr_node_stats s;
	uint64_t seen = 0;
	struct bed b;
	uint16_t node;

	setup(&b, 1, "10000");
	assert_int_equal(mr_graph_add_node(b.graph, &behind_class, NULL, &seen, &node, &b.error),
	    0);
	assert_int_equal(mr_graph_set_output(b.graph, 1, 9999), -EINVAL);
	assert_int_equal(mr_graph_set_output(b.graph, 1, node), 0);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	while (mr_graph_pass(b.graph, 0))
		;
	mr_graph_node_stats(b.graph, node, &s);
	mr_graph_totals(b.graph, &t);
	assert_int_equal(seen, s.packets);
	assert_true(s.drops[0] > 1000);
	assert_int_equal(t.sent, seen - s.drops[0]);
	assert_balanced(&b, 10000);
	assert_int_equal(mr_graph_set_output(b.graph, 1, UINT16_MAX), 0);
	teardown(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes_behind_an_output),
		cmocka_unit_test(test_accounting_on_one_worker),
		cmocka_unit_test(test_accounting_across_workers),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_sleeps_and_wakes),
		cmocka_unit_test(test_trace_shows_the_walk),
		cmocka_unit_test(test_capture_of_drops),
		cmocka_unit_test(test_draft_is_checked),
		cmocka_unit_test(test_checked_build_sees_a_forgotten_packet),
		cmocka_unit_test(test_two_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
