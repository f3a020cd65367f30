/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lane's own rules, one by one: which flows it takes, and when they are old. That replays
 * equal walks of real functions, nf/lanes/differential_test.c looks at.
 */
#include "kit/flow/lane_bed.h"

/* -- admission ------------------------------------------------------------------------------ */

static void
the_second_packet_is_recorded(void **state)
{
	uint8_t walked[256];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	give(&b, SEND, 1);
	assert_counted(&b, FIRST, 1);
	assert_int_equal(stats(&b, 0).flows.flows, 0);
	give(&b, SEND, 1);
	assert_counted(&b, RECORDED, 1);
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	memcpy(walked, b.last, b.last_len);
	give(&b, SEND, 1);
	assert_counted(&b, REPLAYED, 1);
	assert_int_equal(b.last_len, FRAME);
	assert_memory_equal(walked, b.last, FRAME);
	assert_int_equal(b.last[L3 + 8], 63);
	/* Too long ago: it is as good as new. */
	give(&b, SEND, 2);
	at(&b, 100 + MR_FLOW_DOOR_SECONDS + 1);
	give(&b, SEND, 2);
	assert_counted(&b, FIRST, 3);
	finish(&b);
}

static void
an_eager_lane_records_the_first(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ .eager = true }, 1);
	give(&b, SEND, 1);
	give(&b, SEND, 1);
	assert_counted(&b, FIRST, 0);
	assert_counted(&b, RECORDED, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
}

static void
one_recording_of_a_flow_in_a_vector(void **state)
{
	uint32_t packets[20];
	struct bed b;

	begin(&b, (struct mr_lane_config){ .seed = 1 }, 1); /* two flows, two places */
	for (unsigned i = 0; i < 20; i++) {
		packets[i] = packet(&b, SEND, (uint16_t)(i % 2), FRAME);
		mr_packet_at(b.buffers->base, packets[i])->port = 0;
	}
	mr_graph_inject(b.graph, 0, b.nodes[0], packets, 20);
	assert_counted(&b, FIRST, 2);
	assert_counted(&b, RECORDED, 2);
	assert_counted(&b, BEGUN, 16);
	assert_int_equal(stats(&b, 0).flows.flows, 2);
	finish(&b);
}

static void
without_recordings_they_walk(void **state)
{
	struct mr_packet *held = calloc(RECORDINGS, sizeof(*held));
	struct mr_recorder *r;
	struct bed b;

	assert_non_null(held);
	begin(&b, (struct mr_lane_config){ 0 }, 1);
	give(&b, SEND, 1);
	r = b.graph->workers[0]->recorder;
	assert_non_null(r);
	for (unsigned i = 0; i < RECORDINGS; i++)
		assert_true(mr_recorder_attach(r, &held[i], 0));
	give(&b, SEND, 1);
	assert_counted(&b, BUSY, 1);
	for (unsigned i = 0; i < RECORDINGS; i++)
		mr_record_end(r, &held[i]);
	give(&b, SEND, 1);
	give(&b, SEND, 1);
	assert_counted(&b, BUSY, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
	free(held);
}

static void
a_full_table_refuses(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ .max_flows = 16 }, 1);
	for (uint16_t i = 0; i < 20; i++)
		learn(&b, SEND, i);
	assert_int_equal(stats(&b, 0).flows.flows, 16);
	assert_int_equal(stats(&b, 0).refused[MR_PROGRAM_MEMORY], 4);
	for (uint16_t i = 0; i < 20; i++)
		give(&b, SEND, i);
	assert_counted(&b, REPLAYED, 16);
	finish(&b);
}

static void
barred_flows_are_tried_again(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, REFUSE, 1);
	assert_int_equal(stats(&b, 0).barred, 1);
	assert_int_equal(stats(&b, 0).refused[MR_PROGRAM_SAID], 1);
	give(&b, REFUSE, 1);
	give(&b, REFUSE, 1);
	assert_counted(&b, BARRED, 2);
	assert_counted(&b, RECORDED, 1);
	/* A second later it may be otherwise. */
	at(&b, 101);
	give(&b, REFUSE, 1);
	assert_counted(&b, RECORDED, 2);
	/* And when something has changed that others rest on. */
	learn(&b, CELL, 2);
	give(&b, REFUSE, 1);
	assert_counted(&b, RECORDED, 3);
	mr_generation_bump(&b.judge.cell);
	give(&b, REFUSE, 1);
	assert_counted(&b, RECORDED, 4);
	assert_int_equal(stats(&b, 0).barred, 1);
	/* Silent, it goes. */
	at(&b, 110);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(stats(&b, 0).barred, 0);
	finish(&b);
}

/* -- what makes flows old ---------------------------------------------------------------------- */

static void
a_cell_a_region_a_plan(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CELL, 1);
	learn(&b, REGION, 2);
	learn(&b, SEND, 3);
	mr_generation_bump(&b.judge.cell);
	give(&b, CELL, 1);
	assert_counted(&b, STALE, 1);
	assert_counted(&b, RECORDED, 4);
	give(&b, CELL, 1);
	assert_counted(&b, REPLAYED, 1);
	/* Another region is not its. */
	mr_generation_bump(&b.judge.regions->cells[mr_region4(0x0a020000)]);
	give(&b, REGION, 2);
	assert_counted(&b, REPLAYED, 2);
	mr_generation_bump(&b.judge.regions->cells[mr_region4(0x0a010000)]);
	give(&b, REGION, 2);
	assert_counted(&b, STALE, 2);
	give(&b, REGION, 2);
	give(&b, SEND, 3);
	assert_counted(&b, REPLAYED, 4);
	commit(&b);
	give(&b, CELL, 1);
	give(&b, REGION, 2);
	give(&b, SEND, 3);
	assert_counted(&b, STALE, 5);
	give(&b, SEND, 3);
	assert_counted(&b, REPLAYED, 5);
	assert_int_equal(stats(&b, 0).flows.flows, 3);
	assert_int_equal(stats(&b, 0).stale, 5);
	finish(&b);
}

/* A flow of this plan has the program that one of the last had: the old one stays old. */
static void
an_equal_program_of_the_last_plan(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, DROP, 1);
	commit(&b);
	learn(&b, DROP, 2);
	give(&b, DROP, 2);
	assert_counted(&b, REPLAYED, 1);
	give(&b, DROP, 1);
	assert_counted(&b, STALE, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
}

static void
a_length(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SHORT, 1);
	inject(&b, 0, 0, packet(&b, SHORT, 1, SHORT_LENGTH));
	assert_counted(&b, REPLAYED, 1);
	inject(&b, 0, 0, packet(&b, SHORT, 1, SHORT_LENGTH + 1));
	assert_counted(&b, CONDITION, 1);
	assert_int_equal(judge_stats(&b).counters[JUDGE_COUNT_LONG], 1);
	/* The flow is none the worse for it. */
	give(&b, SHORT, 1);
	assert_counted(&b, REPLAYED, 2);
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_packet_is_recorded),
		cmocka_unit_test(an_eager_lane_records_the_first),
		cmocka_unit_test(one_recording_of_a_flow_in_a_vector),
		cmocka_unit_test(without_recordings_they_walk),
		cmocka_unit_test(a_full_table_refuses),
		cmocka_unit_test(barred_flows_are_tried_again),
		cmocka_unit_test(a_cell_a_region_a_plan),
		cmocka_unit_test(an_equal_program_of_the_last_plan),
		cmocka_unit_test(a_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
