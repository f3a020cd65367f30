/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Explanations of packets whose first byte says what the node does with them: what the recording
 * says, and that nothing else remembers it, with and without workers running.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "kit/graph/explain.h"
#include "kit/port/driver.h"

enum act {
	ACT_NEXT,
	ACT_DROP,
	ACT_HOLD,
	ACT_OUT,
	ACT_COPY, /* a copy to the second port, itself to the first */
	ACT_MAKE, /* a packet of its own, without a word to the recorder */
	ACT_LOOP,
	ACT_BARE,  /* to a node that cannot record */
	ACT_SHY,   /* to one that declares so */
	ACT_FLOOD, /* more copies than a recording has branches, half of them to a node */
	ACT_NOWHERE,
	ACT_NOTHING, /* no verdict */
	ACT_EDIT,
};

enum { EDGE_NEXT, EDGE_LOOP, EDGE_BARE, EDGE_SHY, EDGES };
enum { DROP_WANTED, DROPS };
enum { GEN, ONE, TWO, IDLE, PORTS };

struct shared {
	_Atomic uint64_t ran; /* how often it was meant seriously */
};

mr_inline void
act_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct shared *s = run->self;

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		unsigned what = p->port == GEN ? (unsigned)ACT_NEXT : mr_packet_bytes(p)[0];
		uint32_t other;

		mr_node_count(run, 0, 1);
		if (!mr_record_is_dry(rec))
			atomic_fetch_add_explicit(&s->ran, 1, memory_order_relaxed);
		mr_record_note(rec, p, "acts", what);
		verdicts[i] = mr_verdict_edge(EDGE_NEXT);
		switch ((enum act)what) {
		case ACT_NEXT:
			break;
		case ACT_DROP:
			verdicts[i] = mr_verdict_drop(DROP_WANTED);
			break;
		case ACT_HOLD:
			verdicts[i] = MR_VERDICT_HELD;
			break;
		case ACT_OUT:
			verdicts[i] = mr_verdict_output(TWO);
			break;
		case ACT_NOWHERE:
			verdicts[i] = mr_verdict_output(900);
			break;
		case ACT_COPY:
			other = mr_node_copy(run, rec, packets[i]);
			assert_int_not_equal(other, MR_PACKET_NONE);
			mr_node_emit(run, other, mr_verdict_output(TWO));
			break;
		case ACT_MAKE:
			other = mr_packet_from(run->buffers, run->worker, "made", 4);
			mr_node_emit(run, other, mr_verdict_output(TWO));
			break;
		case ACT_FLOOD:
			for (unsigned n = 0; n < 100; n++) {
				other = mr_node_copy(run, rec, packets[i]);
				assert_int_not_equal(other, MR_PACKET_NONE);
				mr_node_emit(run, other,
				    n % 2 ? mr_verdict_output(TWO) : mr_verdict_edge(EDGE_NEXT));
			}
			break;
		case ACT_LOOP:
			verdicts[i] = mr_verdict_edge(EDGE_LOOP);
			break;
		case ACT_BARE:
			verdicts[i] = mr_verdict_edge(EDGE_BARE);
			break;
		case ACT_SHY:
			verdicts[i] = mr_verdict_edge(EDGE_SHY);
			break;
		case ACT_NOTHING:
			verdicts[i] = MR_VERDICT_NONE;
			break;
		case ACT_EDIT:
			mr_edit_push(rec, p, 0, 2);
			mr_edit_set16(rec, p, 0, 0x0102);
			break;
		}
	}
}
MR_NODE_FUNCTIONS(act)

static const char *const edges[] = { "next", "loop", "bare", "shy" };
static const struct mr_named drops[] = { { "wanted", "asked for" } };
static const struct mr_named counters[] = { { "acted", "" } };
static const struct mr_node_class act_class = {
	.name = "act",
	.edges = edges,
	.edge_count = EDGES,
	.drops = drops,
	.drop_count = DROPS,
	.counters = counters,
	.counter_count = 1,
	MR_NODE_RUN(act),
};

mr_inline void
leave_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct shared *s = run->self;

	for (unsigned i = 0; i < count; i++) {
		if (!mr_record_is_dry(rec))
			atomic_fetch_add_explicit(&s->ran, 1, memory_order_relaxed);
		verdicts[i] = mr_verdict_output(ONE);
	}
}
MR_NODE_FUNCTIONS(leave)
static const struct mr_node_class leave_class = { .name = "leave", MR_NODE_RUN(leave) };
static const struct mr_node_class bare_class = { .name = "bare", .run = leave_run };
static const struct mr_node_class shy_class = {
	.name = "shy",
	MR_NODE_RUN(leave),
	.no_explain = true,
};

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_port *ports[PORTS];
	struct shared shared;
	uint16_t act, leave;
	struct mr_recording seen;
	unsigned done;
	struct mr_error error;
};

static void
open_port(struct bed *b, uint16_t index, const char *driver, const char *packets, uint16_t workers)
{
	const struct mr_option options[] = { { "count", packets } };
	const struct mr_port_config config = {
		.name = driver,
		.index = index,
		.options = options,
		.option_count = packets ? 1 : 0,
		.buffers = b->buffers,
		.workers = workers,
		.rx_queues = 1,
		.tx_queues = 1,
		.numa_node = -1,
	};

	if (mr_port_open(&b->ports[index], driver, &config, &b->error) ||
	    b->ports[index]->driver->start(b->ports[index], &b->error))
		fail_msg("%s", b->error.text);
	assert_int_equal(mr_graph_add_port(b->graph, b->ports[index], NULL, 0, &b->error), 0);
}

static uint16_t
add_node(struct bed *b, const struct mr_node_class *class)
{
	uint16_t node;

	assert_int_equal(mr_graph_add_node(b->graph, class, NULL, &b->shared, &node, &b->error), 0);
	return node;
}

static void
setup(struct bed *b, uint16_t workers, const char *packets)
{
	memset(b, 0, sizeof(*b));
	assert_int_equal(mr_buffers_create(&b->buffers,
			     &(struct mr_buffers_config){ .count = 8192,
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
	open_port(b, GEN, "gen", packets, workers);
	for (uint16_t i = ONE; i < PORTS; i++)
		open_port(b, i, "null", NULL, workers);
	b->act = add_node(b, &act_class);
	b->leave = add_node(b, &leave_class);
	assert_int_equal(mr_graph_link(b->graph, b->act, EDGE_NEXT, b->leave), 0);
	assert_int_equal(mr_graph_link(b->graph, b->act, EDGE_LOOP, b->act), 0);
	assert_int_equal(mr_graph_link(b->graph, b->act, EDGE_BARE, add_node(b, &bare_class)), 0);
	assert_int_equal(mr_graph_link(b->graph, b->act, EDGE_SHY, add_node(b, &shy_class)), 0);
	assert_int_equal(mr_graph_set_input(b->graph, GEN, b->act, 0), 0);
	assert_int_equal(mr_graph_set_input(b->graph, ONE, b->act, 0), 0);
	assert_int_equal(mr_graph_set_input(b->graph, TWO, MR_GRAPH_NODE_TX, ONE), 0);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
}

static void
teardown(struct bed *b)
{
	mr_graph_destroy(b->graph);
	for (unsigned i = 0; i < PORTS; i++) {
		b->ports[i]->driver->stop(b->ports[i]);
		mr_port_close(b->ports[i]);
	}
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	mr_buffers_destroy(b->buffers);
}

static void
keep(void *user, const struct mr_recording *r)
{
	struct bed *b = user;

	b->seen = *r;
	b->done++;
}

static int
explain(struct bed *b, uint16_t port, enum act what)
{
	const uint8_t bytes[64] = { (uint8_t)what };
	uint32_t packet = mr_packet_from(b->buffers, MR_POOL_SHARED, bytes, sizeof(bytes));

	assert_int_not_equal(packet, MR_PACKET_NONE);
	b->done = 0;
	return mr_graph_explain(b->graph, port, packet, keep, b, &b->error);
}

static const struct mr_op *
find_op(const struct bed *b, enum mr_op_kind kind, unsigned branch)
{
	for (unsigned i = b->seen.count; i-- > 0;)
		if (b->seen.ops[i].kind == kind && b->seen.ops[i].branch == branch)
			return &b->seen.ops[i];
	return NULL;
}

static unsigned
count_ops(const struct bed *b, enum mr_op_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->seen.count; i++)
		n += b->seen.ops[i].kind == kind;
	return n;
}

/* Explains, and sees to it that nobody can tell. */
static void
expect(struct bed *b, uint16_t port, enum act what, enum mr_op_kind kind, unsigned arg)
{
	struct mr_graph_totals before, after;
	struct mr_node_stats act, leave;
	const struct mr_op *op;

	mr_graph_totals(b->graph, &before);
	if (explain(b, port, what))
		fail_msg("%s", b->error.text);
	assert_int_equal(b->done, 1);
	assert_int_equal(b->seen.port, port);
	assert_int_equal(b->seen.length, 64);
	assert_int_equal(b->seen.open, 0);
	op = find_op(b, kind, 0);
	assert_non_null(op);
	assert_int_equal(op->arg, arg);
	mr_graph_totals(b->graph, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(mr_graph_node_stats(b->graph, b->act, &act), 0);
	assert_int_equal(mr_graph_node_stats(b->graph, b->leave, &leave), 0);
	assert_int_equal(act.packets + act.calls + act.held + act.counters[0] + act.drops[0], 0);
	assert_int_equal(leave.packets + leave.calls, 0);
	assert_int_equal(atomic_load(&b->shared.ran), 0);
	for (unsigned i = 0; i < PORTS; i++)
		assert_int_equal(atomic_load(&b->ports[i]->tx_stats[0].packets), 0);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
}

static void
test_verdicts(void **state)
{
	struct bed b;
	unsigned nodes = 0;

	setup(&b, 1, "1");
	expect(&b, ONE, ACT_NEXT, MR_OP_OUTPUT, ONE);
	for (unsigned i = 0; i < b.seen.count; i++)
		if (b.seen.ops[i].kind == MR_OP_NODE)
			assert_int_equal(b.seen.ops[i].node, nodes++ ? b.leave : b.act);
	assert_int_equal(nodes, 2);
	expect(&b, ONE, ACT_DROP, MR_OP_DROP, DROP_WANTED);
	expect(&b, ONE, ACT_HOLD, MR_OP_HOLD, 0);
	expect(&b, ONE, ACT_OUT, MR_OP_OUTPUT, TWO);
	expect(&b, ONE, ACT_NOWHERE, MR_OP_DROP, MR_TX_DROP_NO_PORT);
	expect(&b, ONE, ACT_NOTHING, MR_OP_DROP, MR_RX_DROP_NO_VERDICT);
	expect(&b, ONE, ACT_EDIT, MR_OP_OUTPUT, ONE);
	assert_int_equal(count_ops(&b, MR_OP_PUSH), 1);
	assert_int_equal(find_op(&b, MR_OP_OUTPUT, 0)->a, 66);
	/* Straight through, unused, and down. */
	expect(&b, TWO, ACT_NEXT, MR_OP_OUTPUT, ONE);
	expect(&b, IDLE, ACT_NEXT, MR_OP_DROP, MR_RX_DROP_NO_INPUT);
	mr_graph_set_port_up(b.graph, ONE, false);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	expect(&b, ONE, ACT_NEXT, MR_OP_DROP, MR_TX_DROP_NO_PORT);
	assert_int_equal(find_op(&b, MR_OP_DROP, 0)->node, MR_GRAPH_NODE_TX);
	teardown(&b);
}

static void
test_branches(void **state)
{
	struct bed b;

	setup(&b, 1, "1");
	expect(&b, ONE, ACT_COPY, MR_OP_OUTPUT, ONE);
	assert_int_equal(find_op(&b, MR_OP_OUTPUT, 1)->arg, TWO);
	/* What a node makes without a word is a branch all the same. */
	expect(&b, ONE, ACT_MAKE, MR_OP_OUTPUT, ONE);
	assert_int_equal(find_op(&b, MR_OP_OUTPUT, 1)->arg, TWO);
	assert_int_equal(find_op(&b, MR_OP_OUTPUT, 1)->a, 4);
	assert_int_equal(find_op(&b, MR_OP_NOTE, 1)->a, 4);
	expect(&b, ONE, ACT_FLOOD, MR_OP_OUTPUT, ONE);
	assert_int_equal(b.seen.branches, MR_RECORD_BRANCHES_MAX);
	assert_true(b.seen.flags & MR_RECORDING_TRUNCATED);
	teardown(&b);
}

static void
test_ends_early(void **state)
{
	struct bed b;
	unsigned nodes;

	setup(&b, 1, "1");
	expect(&b, ONE, ACT_BARE, MR_OP_END, 0);
	assert_non_null(strstr(find_op(&b, MR_OP_END, 0)->text, "not run"));
	expect(&b, ONE, ACT_SHY, MR_OP_END, 0);
	assert_int_equal(count_ops(&b, MR_OP_OUTPUT), 0);
	expect(&b, ONE, ACT_LOOP, MR_OP_END, 0);
	nodes = count_ops(&b, MR_OP_NODE);
	assert_int_equal(nodes, MR_EXPLAIN_STEPS_MAX + 1);
	assert_non_null(strstr(find_op(&b, MR_OP_END, 0)->text, "loop"));
	/* Ports that are none, or not in the graph. */
	assert_int_equal(explain(&b, 77, ACT_NEXT), -ENODEV);
	assert_int_equal(explain(&b, MR_PORT_MAX - 1, ACT_NEXT), -ENODEV);
	assert_int_equal(b.done, 0);
	assert_int_equal(mr_pool_used(b.buffers->pool), 0);
	teardown(&b);
}

/* Where a node is placed, and whose queue it is, makes no difference. */
static void
test_placed_elsewhere(void **state)
{
	const uint16_t there[] = { 1 };
	struct bed b;

	setup(&b, 2, "1");
	assert_int_equal(mr_graph_place(b.graph, b.act, there, 1), 0);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	expect(&b, ONE, ACT_NEXT, MR_OP_OUTPUT, ONE);
	expect(&b, TWO, ACT_NEXT, MR_OP_OUTPUT, ONE);
	teardown(&b);
}

/* Beside running workers: for ThreadSanitizer, and what they count stays right. */
static void
test_beside_workers(void **state)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	const uint64_t sent = 200000;
	struct mr_graph_totals t = { 0 };
	unsigned explained = 0;
	struct bed b;

	setup(&b, 2, "200000");
	assert_int_equal(mr_graph_start(b.graph, &b.error), 0);
	while (t.received < sent || explained < 500) {
		assert_int_equal(explain(&b, ONE, (enum act)(explained % (ACT_EDIT + 1))), 0);
		assert_int_equal(b.done, 1);
		explained++;
		mr_graph_totals(b.graph, &t);
		nanosleep(&pause, NULL);
	}
	mr_graph_stop(b.graph);
	mr_graph_totals(b.graph, &t);
	assert_int_equal(t.received, sent);
	assert_int_equal(t.sent + t.dropped, sent);
	assert_int_equal(t.created, 0);
	assert_int_equal(atomic_load(&b.shared.ran), 2 * sent);
	teardown(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_ends_early),
		cmocka_unit_test(test_placed_elsewhere),
		cmocka_unit_test(test_beside_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
