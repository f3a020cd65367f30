/* SPDX-License-Identifier: Apache-2.0 */

/* Flows that share a program and differ in what it writes: each keeps its own, wherever its entry
 * came from. */

#include "kit/flow/lane_bed.h"

#define FLOWS 40u

static uint32_t
flow_of(struct bed *b, uint16_t sport)
{
	struct mr_flow_peek peek;

	for (uint32_t i = 1; i <= mr_lane_top(b->lane, 0); i++)
		if (mr_lane_peek(b->lane, 0, i, &peek) && peek.key.sport == mr_be16(sport))
			return i;
	return 0;
}

/* What leaves is what left when the graph did it. */
static void
each_flow_writes_its_own(void **state)
{
	uint8_t walked[FLOWS][FRAME];
	char text[1000], want[40];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	for (uint16_t i = 0; i < FLOWS; i++) {
		learn(&b, TRANSLATE, i);
		memcpy(walked[i], b.last, FRAME);
		assert_int_equal(walked[i][L3 + 15], i);
	}
	assert_int_equal(stats(&b, 0).programs.programs, 1);
	assert_int_equal(stats(&b, 0).flows.flows, FLOWS);
	for (unsigned round = 0; round < 3; round++)
		for (uint16_t i = 0; i < FLOWS; i++) {
			uint16_t sport = (uint16_t)((i * 7 + round) % FLOWS);

			give(&b, TRANSLATE, sport);
			assert_memory_equal(b.last, walked[sport], FRAME);
		}
	assert_counted(&b, REPLAYED, 3 * FLOWS);
	for (uint16_t i = 0; i < FLOWS; i++) {
		assert_true(mr_lane_print(b.lane, 0, flow_of(&b, i), text, sizeof(text)));
		snprintf(want, sizeof(want), "at 26: c0:00:02:%02x\n", i);
		assert_non_null(strstr(text, want));
		snprintf(want, sizeof(want), "at 34: %02x:%02x\n", (i + 1000) >> 8,
		    (i + 1000) & 255);
		assert_non_null(strstr(text, want));
	}
	finish(&b);
}

/* In one vector, among flows without values. */
static void
mixed(void **state)
{
	uint32_t packets[3 * FLOWS];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	for (uint16_t i = 0; i < FLOWS; i++) {
		learn(&b, TRANSLATE, i);
		learn(&b, SEND, i);
		learn(&b, TWO_CALLS, i);
	}
	assert_int_equal(stats(&b, 0).programs.programs, 3);
	for (unsigned round = 0; round < 4; round++) {
		for (uint16_t i = 0; i < FLOWS; i++) {
			packets[3 * i] = packet(&b, SEND, i, FRAME);
			packets[3 * i + 1] = packet(&b, TWO_CALLS, i, FRAME);
			packets[3 * i + 2] = packet(&b, TRANSLATE, i, FRAME);
			for (unsigned k = 0; k < 3; k++)
				mr_packet_at(b.buffers->base, packets[3 * i + k])->port = 0;
		}
		mr_graph_inject(b.graph, 0, b.nodes[0], packets, 3 * FLOWS);
	}
	assert_counted(&b, REPLAYED, 4 * 3 * FLOWS);
	assert_int_equal(b.judge.calls, 4 * 2 * FLOWS);
	assert_int_equal(b.judge.alone, 0);
	finish(&b);
}

static void
calls_have_numbers_of_their_own(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	for (uint16_t i = 0; i < FLOWS; i++)
		learn(&b, TWO_CALLS, i);
	assert_int_equal(stats(&b, 0).programs.programs, 1);
	for (uint16_t i = 0; i < FLOWS; i++) {
		give(&b, TWO_CALLS, i);
		assert_int_equal(b.judge.calls, 2 * (i + 1));
		assert_int_equal(b.judge.last_own, 1000 + i);
	}
	finish(&b);
}

static uint32_t
packet_to(struct bed *b, uint8_t to, uint16_t sport)
{
	uint32_t p = packet(b, MAP, sport, FRAME);

	uint8_t *ip = mr_packet_bytes(mr_packet_at(b->buffers->base, p)) + L3;
	be16_t check;

	ip[18] = to;
	memset(ip + 10, 0, 2);
	check = mr_checksum_finish(mr_checksum_add(0, ip, 20));
	memcpy(ip + 10, &check, 2);
	return p;
}

/* Entries that hold for many flows have values, which flows of their own take with them. */
static void
wide_entries(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	for (unsigned i = 0; i < 2; i++)
		for (uint8_t to = 1; to <= 9; to++)
			inject(&b, 0, 0, packet_to(&b, to, 1));
	assert_counted(&b, RECORDED, 9);
	assert_int_equal(stats(&b, 0).programs.programs, 1);
	for (uint16_t sport = 2; sport < 6; sport++)
		for (unsigned i = 0; i < 4; i++)
			for (uint8_t to = 1; to <= 9; to++) {
				inject(&b, 0, 0, packet_to(&b, to, sport));
				assert_memory_equal(b.last + L3 + 16, "\xc6\x33\x64", 3);
				assert_int_equal(b.last[L3 + 19], to);
			}
	assert_counted(&b, RECORDED, 9);
	assert_counted(&b, WIDE, 2 * 4 * 9);
	assert_counted(&b, REPLAYED, 4 * 4 * 9);
	assert_int_equal(stats(&b, 0).flows.flows, 5 * 9);
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_flow_writes_its_own),
		cmocka_unit_test(mixed),
		cmocka_unit_test(calls_have_numbers_of_their_own),
		cmocka_unit_test(wide_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
