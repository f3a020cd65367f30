/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The flight recorder: what it keeps of packets that a node drops for the reason that their first
 * byte names, under floods, over commits, and while workers write and control reads.
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

#include "kit/graph/graph.h"
#include "kit/port/driver.h"

enum { REASON_FLOOD, REASON_RARE, REASON_OTHER, REASONS = 60 };
enum { GEN, SINK };

mr_inline void
drop_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	(void)rec;
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		unsigned reason = mr_packet_bytes_const(p)[0];

		if (p->port == GEN)
			reason = run->now % 7 ? REASON_FLOOD : REASON_RARE;
		verdicts[i] = reason < REASONS ? mr_verdict_drop(reason) : mr_verdict_output(SINK);
	}
}
MR_NODE_FUNCTIONS(drop)

static const struct mr_named drops[REASONS] = {
	[REASON_FLOOD] = { "flood", "there are many" },
	[REASON_RARE] = { "rare", "there are few" },
	[REASON_OTHER] = { "other", "" },
};
static const struct mr_node_class drop_class = {
	.name = "drop",
	.drops = drops,
	.drop_count = REASONS,
	MR_NODE_RUN(drop),
};

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_port *gen, *null;
	uint16_t node;
	struct mr_error error;
};

static void
open_port(struct bed *b, struct mr_port **port, const char *driver, uint16_t index,
    uint16_t workers)
{
	const struct mr_option options[] = { { "count", "1000000000" }, { "flows", "100" } };
	const struct mr_port_config config = {
		.name = driver,
		.index = index,
		.options = options,
		.option_count = index == GEN ? 2 : 0,
		.buffers = b->buffers,
		.workers = workers,
		.numa_node = -1,
	};

	assert_int_equal(mr_port_open(port, driver, &config, &b->error), 0);
	assert_int_equal((*port)->driver->start(*port, &b->error), 0);
	assert_int_equal(mr_graph_add_port(b->graph, *port, NULL, 0, &b->error), 0);
}

static void
setup(struct bed *b, uint16_t workers, uint32_t packets, uint32_t bytes)
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
				 .spin_us = 20,
				 .flight = { .packets = packets, .bytes = bytes } },
			     &b->error),
	    0);
	open_port(b, &b->gen, "gen", GEN, workers);
	open_port(b, &b->null, "null", SINK, workers);
	assert_int_equal(
	    mr_graph_add_node(b->graph, &drop_class, "dropper", NULL, &b->node, &b->error), 0);
	assert_int_equal(mr_graph_set_input(b->graph, GEN, b->node, 0), 0);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
}

static void
teardown(struct bed *b)
{
	mr_graph_destroy(b->graph);
	b->gen->driver->stop(b->gen);
	mr_port_close(b->gen);
	b->null->driver->stop(b->null);
	mr_port_close(b->null);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	mr_buffers_destroy(b->buffers);
}

/* `count` packets of one vector, of this reason and length; byte 1 counts them. */
static void
send(struct bed *b, unsigned reason, unsigned length, unsigned count)
{
	uint32_t packets[MR_VECTOR_MAX];
	uint8_t frame[9000];

	assert_true(length <= sizeof(frame) && count <= MR_VECTOR_MAX);
	for (unsigned i = 0; i < length; i++)
		frame[i] = (uint8_t)(i * 7);
	frame[0] = (uint8_t)reason;
	for (unsigned i = 0; i < count; i++) {
		frame[1] = (uint8_t)i;
		packets[i] = mr_packet_from(b->buffers, MR_POOL_SHARED, frame, length);
		assert_int_not_equal(packets[i], MR_PACKET_NONE);
		mr_packet_at(b->buffers->base, packets[i])->port = SINK;
	}
	mr_graph_inject(b->graph, 0, b->node, packets, count);
}

static struct mr_flight_list *
list(const struct bed *b, struct mr_flight_cursor *cursor)
{
	struct mr_flight_list *l;
	struct mr_error error;

	assert_int_equal(mr_flight_read(b->graph, cursor, &l, &error), 0);
	for (size_t i = 1; i < l->count; i++)
		assert_true(l->drops[i - 1].cycles <= l->drops[i].cycles);
	return l;
}

static unsigned
of_reason(const struct mr_flight_list *l, unsigned reason)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += l->drops[i].reason == reason;
	return n;
}

static void
test_entry(void **state)
{
	static const unsigned lengths[] = { 2, 14, 63, 64, 65, 128, 129, 1000, 5000, 9000 };
	struct mr_flight_list *l;
	struct bed b;

	(void)state;
	for (unsigned bytes = 32; bytes <= 4096; bytes *= 8) {
		setup(&b, 1, 64, bytes);
		for (unsigned i = 0; i < MR_ARRAY_COUNT(lengths); i++)
			send(&b, REASON_OTHER, lengths[i], 1);
		l = list(&b, NULL);
		assert_int_equal(l->count, MR_ARRAY_COUNT(lengths));
		for (unsigned i = 0; i < l->count; i++) {
			const struct mr_flight_drop *d = &l->drops[i];

			assert_int_equal(d->number, i + 1);
			assert_int_equal(d->stands_for, 1);
			assert_ptr_equal(d->class, &drop_class);
			assert_string_equal(d->node, "dropper");
			assert_int_equal(d->index, b.node);
			assert_int_equal(d->reason, REASON_OTHER);
			assert_int_equal(d->port, SINK);
			assert_int_equal(d->out, MR_FLIGHT_NO_PORT);
			assert_int_equal(d->flow, MR_FLIGHT_NO_FLOW);
			assert_int_equal(d->length, lengths[i]);
			assert_int_equal(d->kept, MR_MIN(lengths[i], bytes));
			for (unsigned k = 2; k < d->kept; k++)
				assert_int_equal(d->bytes[k], (uint8_t)(k * 7));
		}
		mr_flight_list_free(l);
		teardown(&b);
	}
}

/* Of a vector of one reason few are copied, and the next one says how many it stands for. */
static void
test_flood(void **state)
{
	struct mr_flight_stats stats;
	struct mr_flight_list *l;
	struct bed b;

	(void)state;
	setup(&b, 1, 64, 0);
	send(&b, REASON_RARE, 60, 1);
	send(&b, REASON_OTHER, 60, 3);
	for (unsigned i = 0; i < 1000; i++)
		send(&b, REASON_FLOOD, 60, 256);
	l = list(&b, NULL);
	assert_int_equal(l->count, 64 + 1 + 2);
	assert_int_equal(of_reason(l, REASON_RARE), 1);
	assert_int_equal(of_reason(l, REASON_OTHER), 2);
	assert_int_equal(l->drops[0].reason, REASON_RARE);
	assert_int_equal(l->drops[3].stands_for, 255);
	assert_int_equal(l->drops[4].stands_for, 1);
	assert_int_equal(l->drops[5].stands_for, 255);
	mr_flight_list_free(l);
	mr_flight_stats(b.graph, &stats);
	assert_int_equal(stats.packets, 64);
	assert_int_equal(stats.bytes, MR_FLIGHT_BYTES_DEFAULT);
	assert_int_equal(stats.recorded, 1 + 2 + 2000);
	assert_int_equal(stats.passed, 1 + 1000 * 254);
	assert_true(stats.on && stats.memory > 0);

	/* Every reason keeps its last four, in any order of coming. */
	for (unsigned i = 0; i < 600; i++)
		send(&b, i * 7 % REASONS, 60 + i / REASONS, 1);
	for (unsigned i = 0; i < 100; i++)
		send(&b, REASON_FLOOD, 60, 256);
	l = list(&b, NULL);
	for (unsigned reason = 1; reason < REASONS; reason++) {
		unsigned n = 0;

		assert_int_equal(of_reason(l, reason), MR_FLIGHT_KEPT);
		for (size_t i = 0; i < l->count; i++)
			if (l->drops[i].reason == reason)
				assert_int_equal(l->drops[i].length, 60 + 6 + n++);
	}
	mr_flight_list_free(l);
	teardown(&b);
}

/* Each is seen once, whatever the reader's pace, but for those that are gone by then. */
static void
test_cursor(void **state)
{
	struct mr_flight_cursor cursor = { { 0 } };
	struct mr_flight_list *l;
	uint64_t last = 0;
	struct bed b;

	(void)state;
	setup(&b, 1, 64, 0);
	for (unsigned i = 0; i < 40; i++) {
		for (unsigned k = 0; k <= i; k++)
			send(&b, REASON_OTHER, 60, 1);
		l = list(&b, &cursor);
		assert_int_equal(l->count, i + 1);
		assert_int_equal(l->drops[0].number, last + 1);
		last = l->drops[i].number;
		mr_flight_list_free(l);
	}
	l = list(&b, &cursor);
	assert_int_equal(l->count, 0);
	mr_flight_list_free(l);
	send(&b, REASON_RARE, 60, 1);
	for (unsigned k = 0; k < 100; k++)
		send(&b, REASON_OTHER, 60, 1);
	l = list(&b, &cursor);
	assert_int_equal(l->count, 64 + 1);
	assert_int_equal(l->drops[0].reason, REASON_RARE);
	mr_flight_list_free(l);
	teardown(&b);
}

/* Off; none at all; what is named after it is gone. */
static void
test_changes(void **state)
{
	struct mr_flight_stats stats;
	struct mr_flight_list *l;
	uint16_t other;
	struct bed b;

	(void)state;
	setup(&b, 1, 64, 0);
	send(&b, 200, 60, 3); /* sent */
	mr_flight_set_on(b.graph, false);
	send(&b, REASON_OTHER, 60, 3);
	mr_flight_set_on(b.graph, true);
	l = list(&b, NULL);
	assert_int_equal(l->count, 0);
	mr_flight_list_free(l);

	mr_graph_set_port_up(b.graph, SINK, false);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	send(&b, 200, 60, 1);
	send(&b, REASON_OTHER, 60, 1);
	l = list(&b, NULL);
	assert_int_equal(l->count, 2);
	assert_string_equal(l->drops[0].node, "port-tx");
	assert_int_equal(l->drops[0].reason, MR_TX_DROP_NO_PORT);
	assert_int_equal(l->drops[0].out, SINK);
	mr_flight_list_free(l);

	/* Another node with the same index is not the one that dropped it. */
	mr_graph_remove_node(b.graph, b.node);
	assert_int_equal(mr_graph_add_node(b.graph, &drop_class, "new", NULL, &other, &b.error), 0);
	assert_int_equal(other, b.node);
	mr_graph_remove_port(b.graph, SINK);
	assert_int_equal(mr_graph_set_input(b.graph, GEN, other, 0), 0);
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	send(&b, REASON_OTHER, 60, 1);
	l = list(&b, NULL);
	assert_int_equal(l->count, 3);
	assert_string_equal(l->drops[1].node, "drop");
	assert_int_equal(l->drops[1].index, UINT16_MAX);
	assert_int_equal(l->drops[1].port, MR_FLIGHT_NO_PORT);
	assert_string_equal(l->drops[2].node, "new");
	mr_flight_list_free(l);
	teardown(&b);

	setup(&b, 1, 0, 0);
	send(&b, REASON_OTHER, 60, 1);
	l = list(&b, NULL);
	assert_int_equal(l->count, 0);
	mr_flight_list_free(l);
	mr_flight_stats(b.graph, &stats);
	assert_int_equal(stats.packets, 0);
	assert_false(stats.on);
	teardown(&b);
}

/* More nodes with reasons than there are groups: the quietest give theirs up. */
static void
test_many_groups(void **state)
{
	struct mr_flight_list *l;
	uint16_t nodes[12];
	struct bed b;

	(void)state;
	setup(&b, 1, 64, 0);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(nodes); i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(
		    mr_graph_add_node(b.graph, &drop_class, name, NULL, &nodes[i], &b.error), 0);
	}
	assert_int_equal(mr_graph_commit(b.graph, &b.error), 0);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(nodes); i++) {
		b.node = nodes[i];
		for (unsigned reason = 0; reason < REASONS; reason++)
			send(&b, reason, 60, 1);
	}
	l = list(&b, NULL);
	/* 511 groups, the last 64 in the ring beside. */
	assert_true(l->count >= 500 && l->count <= 511 + 64);
	assert_string_equal(l->drops[l->count - 1].node, "n11");
	mr_flight_list_free(l);
	teardown(&b);
}

/* Two workers drop as fast as they can while control reads: what is read is whole. */
static void
test_race(void **state)
{
	struct mr_flight_cursor cursor = { { 0 } };
	const struct timespec pause = { .tv_nsec = 100000 };
	uint64_t last[2] = { 0 };
	time_t until = time(NULL) + 20;
	size_t seen = 0;
	struct bed b;

	(void)state;
	setup(&b, 2, 256, 64);
	assert_int_equal(mr_graph_start(b.graph, &b.error), 0);
	for (unsigned round = 0; round < 200 || (seen < 20000 && time(NULL) < until); round++) {
		struct mr_flight_list *l = list(&b, round % 2 ? &cursor : NULL);

		for (size_t i = 0; i < l->count; i++) {
			const struct mr_flight_drop *d = &l->drops[i];

			assert_ptr_equal(d->class, &drop_class);
			assert_string_equal(d->node, "dropper");
			assert_true(d->worker < 2 && d->reason < REASON_OTHER);
			assert_true(d->port == GEN && d->kept == MR_MIN(d->length, 64u));
			/* An Ethernet frame that gen makes: IPv4, and not two halves of two. */
			assert_int_equal(d->bytes[12] << 8 | d->bytes[13], 0x0800);
			assert_int_equal(d->bytes[14], 0x45);
			if (round % 2) {
				assert_true(d->number > last[d->worker]);
				last[d->worker] = d->number;
			}
		}
		seen += l->count;
		mr_flight_list_free(l);
		/* Where there are fewer CPUs than threads, the workers want theirs. */
		if (round % 8 == 0)
			nanosleep(&pause, NULL);
	}
	mr_graph_stop(b.graph);
	assert_true(seen >= 20000);
	teardown(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
