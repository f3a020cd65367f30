/* SPDX-License-Identifier: Apache-2.0 */

/* What nodes are called for, beside a replay: with each packet, once a second, all of them or none. */
#include "kit/flow/lane_bed.h"

static void
calls_with_each_packet(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CALL, 1);
	for (unsigned i = 0; i < 4; i++)
		give(&b, CALL, 1);
	assert_int_equal(b.judge.calls, 4);
	assert_int_equal(b.judge.alone, 4);
	assert_int_equal(b.judge.last_arg, 77);
	assert_int_equal(judge_stats(&b).counters[JUDGE_COUNT_LONG], 4);
	assert_counted(&b, REPLAYED, 4);
	/* It wants to see this one itself. */
	b.judge.skip = true;
	give(&b, CALL, 1);
	assert_counted(&b, SKIPPED, 1);
	assert_counted(&b, REPLAYED, 4);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 7);
	assert_int_equal(judge_stats(&b).counters[JUDGE_COUNT_LONG], 4);
	finish(&b);
}

/* Where order is to be kept, hits wait, and are asked for together. */
static void
calls_that_wait(void **state)
{
	uint32_t packets[8];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CALL, 1);
	learn(&b, SHORT, 2);
	for (unsigned i = 0; i < 8; i++) {
		packets[i] =
		    i == 3 ? packet(&b, SHORT, 2, SHORT_LENGTH + 1) : packet(&b, CALL, 1, FRAME);
		mr_packet_at(b.buffers->base, packets[i])->port = 0;
	}
	mr_graph_inject(b.graph, 0, b.nodes[0], packets, 8);
	assert_int_equal(b.judge.alone, 3);
	assert_int_equal(b.judge.calls, 7);
	assert_counted(&b, REPLAYED, 7);
	finish(&b);
}

/* What a node wants to see itself is not overtaken by what comes behind it. */
static void
calls_keep_order(void **state)
{
	uint32_t packets[4];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CALL, 1);
	b.judge.skip = b.judge.once = true;
	b.sent = 0;
	for (unsigned i = 0; i < 4; i++) {
		packets[i] = packet(&b, CALL, 1, FRAME + i);
		mr_packet_at(b.buffers->base, packets[i])->port = 0;
	}
	mr_graph_inject(b.graph, 0, b.nodes[0], packets, 4);
	assert_counted(&b, SKIPPED, 1);
	assert_counted(&b, ORDER, 3);
	assert_counted(&b, CONDITION, 0);
	assert_counted(&b, REPLAYED, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(b.lengths[i], FRAME + i);
	give(&b, CALL, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
}

/* Nor where hits wait and are asked for together. */
static void
calls_that_wait_keep_order(void **state)
{
	uint32_t packets[5];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CALL, 1);
	learn(&b, SHORT, 2);
	b.judge.skip = b.judge.once = true;
	b.sent = 0;
	for (unsigned i = 0; i < 5; i++) {
		packets[i] =
		    i ? packet(&b, CALL, 1, FRAME + i) : packet(&b, SHORT, 2, SHORT_LENGTH + 1);
		mr_packet_at(b.buffers->base, packets[i])->port = 0;
	}
	mr_graph_inject(b.graph, 0, b.nodes[0], packets, 5);
	assert_counted(&b, REPLAYED, 0);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(b.lengths[i], FRAME + i);
	give(&b, CALL, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
}

/* Old by the node's word: recorded anew. */
static void
calls_say_that_it_is_old(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CALL, 1);
	b.judge.stale = true;
	give(&b, CALL, 1);
	assert_counted(&b, STALE, 1);
	assert_counted(&b, RECORDED, 2);
	b.judge.stale = false;
	give(&b, CALL, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
}

static void
calls_once_a_second(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SECONDLY, 1);
	give(&b, SECONDLY, 1);
	give(&b, SECONDLY, 1);
	/* The graph has seen one in this second. */
	assert_int_equal(b.judge.calls, 0);
	at(&b, 101);
	give(&b, SECONDLY, 1);
	give(&b, SECONDLY, 1);
	assert_int_equal(b.judge.calls, 1);
	assert_int_equal(b.judge.last_arg, 78);
	at(&b, 103);
	give(&b, SECONDLY, 1);
	assert_int_equal(b.judge.calls, 2);
	finish(&b);
}

/* Each packet is the graph's, or called for, or told of later. */
static void
the_rest_of_a_second_is_told(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ .idle_seconds = 1000 }, 1);
	learn(&b, SECONDLY, 1);
	for (unsigned i = 0; i < 5; i++)
		give(&b, SECONDLY, 1);
	assert_int_equal(b.judge.settled, 0);
	/* With the first packet of the next second, */
	at(&b, 101);
	for (unsigned i = 0; i < 3; i++)
		give(&b, SECONDLY, 1);
	assert_int_equal(b.judge.calls, 1);
	assert_int_equal(b.judge.settled, 5);
	/* or without one, */
	at(&b, 102);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(b.judge.settled, 7);
	/* once; */
	at(&b, 103);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(b.judge.settled, 7);
	/* when somebody wants to know, also in the midst of a second; */
	for (unsigned i = 0; i < 4; i++)
		give(&b, SECONDLY, 1);
	mr_lane_settle(b.lane);
	assert_int_equal(b.judge.calls, 2);
	assert_int_equal(b.judge.settled, 10);
	give(&b, SECONDLY, 1);
	mr_lane_settle(b.lane);
	assert_int_equal(b.judge.calls, 2);
	assert_int_equal(b.judge.settled, 11);
	/* before the plan ends. */
	give(&b, SECONDLY, 1);
	commit(&b);
	give(&b, SECONDLY, 1);
	assert_int_equal(b.judge.settled, 12);
	finish(&b);
}

/* More than the hot counter holds; and a flow that goes. */
static void
flows_that_go_are_told_of(void **state)
{
	const unsigned many = 70000;
	struct bed b;

	begin(&b, (struct mr_lane_config){ .idle_seconds = 10 }, 1);
	learn(&b, SECONDLY, 1);
	for (unsigned i = 0; i < many; i++)
		give(&b, SECONDLY, 1);
	/* A fold empties it, and then the node is asked once more. */
	at(&b, 500);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(stats(&b, 0).flows.flows, 0);
	assert_int_equal(b.judge.settled + b.judge.calls, many);
	assert_in_range(b.judge.calls, 1, 3);
	/* The next one that has its place begins at none. */
	learn(&b, SECONDLY, 2);
	give(&b, SECONDLY, 2);
	b.judge.settled = 0;
	mr_lane_settle(b.lane);
	assert_int_equal(b.judge.settled, 1);
	finish(&b);
}

/* One that the node, once a second, wants to see itself is told of by the graph. */
static void
skipped_ones_are_not_told(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SECONDLY, 1);
	give(&b, SECONDLY, 1);
	at(&b, 101);
	b.judge.skip = true;
	give(&b, SECONDLY, 1);
	b.judge.skip = false;
	assert_counted(&b, SKIPPED, 1);
	give(&b, SECONDLY, 1);
	give(&b, SECONDLY, 1);
	mr_lane_settle(b.lane);
	assert_int_equal(b.judge.calls, 2);
	assert_int_equal(b.judge.settled, 2);
	finish(&b);
}

/* Programs that differ in a number called with once a second are one. */
static void
numbers_of_rare_calls_are_flows_own(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	for (uint16_t i = 0; i < 20; i++) {
		learn(&b, RARE_CALLS, i);
		give(&b, RARE_CALLS, i);
	}
	assert_int_equal(stats(&b, 0).programs.programs, 1);
	at(&b, 101);
	give(&b, RARE_CALLS, 7);
	assert_int_equal(b.judge.last_arg, 2007);
	assert_int_equal(b.judge.calls, 3);
	finish(&b);
}

/* What one node would have counted of a packet that the other sends to the graph is not counted. */
static void
calls_that_mark_are_asked_first(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, TWO_CALLS, 5);
	give(&b, TWO_CALLS, 5);
	assert_int_equal(b.judge.asked, 1);
	assert_int_equal(b.judge.done, 2);
	b.judge.refused = 77;
	give(&b, TWO_CALLS, 5);
	b.judge.refused = 1005;
	give(&b, TWO_CALLS, 5);
	assert_int_equal(b.judge.asked, 3);
	assert_int_equal(b.judge.done, 2);
	b.judge.refused = 0;
	give(&b, TWO_CALLS, 5);
	assert_int_equal(b.judge.done, 4);
	finish(&b);
}

/* Behind one that takes the graph, those between the same ends do, too. */
static void
nobody_overtakes_who_was_refused(void **state)
{
	uint32_t packets[3];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, TWO_CALLS, 5);
	give(&b, TWO_CALLS, 5);
	b.judge.skip = b.judge.once = true;
	b.sent = 0;
	for (unsigned i = 0; i < 3; i++) {
		packets[i] = packet(&b, TWO_CALLS, 5, FRAME + i);
		mr_packet_at(b.buffers->base, packets[i])->port = 0;
	}
	mr_graph_inject(b.graph, 0, b.nodes[0], packets, 3);
	assert_int_equal(b.judge.done, 2);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(b.lengths[i], FRAME + i);
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_with_each_packet),
		cmocka_unit_test(calls_that_wait),
		cmocka_unit_test(calls_keep_order),
		cmocka_unit_test(calls_that_wait_keep_order),
		cmocka_unit_test(calls_say_that_it_is_old),
		cmocka_unit_test(calls_once_a_second),
		cmocka_unit_test(the_rest_of_a_second_is_told),
		cmocka_unit_test(flows_that_go_are_told_of),
		cmocka_unit_test(skipped_ones_are_not_told),
		cmocka_unit_test(numbers_of_rare_calls_are_flows_own),
		cmocka_unit_test(calls_that_mark_are_asked_first),
		cmocka_unit_test(nobody_overtakes_who_was_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
