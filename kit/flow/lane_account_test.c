/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the lane does in others' names, with time, for people, and beside others: accounts, traces,
 * explanations, several ports, workers and lanes. Calls: lane_calls_test.c.
 */
#include "kit/flow/lane_bed.h"

/* -- in others' names ------------------------------------------------------------------------- */

static void
nodes_count_as_if_they_had_seen_them(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 1);
	for (unsigned i = 0; i < 10; i++)
		give(&b, SEND, 1);
	learn(&b, DROP, 2);
	for (unsigned i = 0; i < 5; i++)
		give(&b, DROP, 2);
	assert_counted(&b, REPLAYED, 15);
	/* Drops at once, by reason; the rest when accounts are settled. */
	assert_int_equal(judge_stats(&b).drops[JUDGE_DROP_ASKED], 7);
	assert_int_equal(judge_stats(&b).packets, 4);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 19);
	assert_int_equal(judge_stats(&b).counters[JUDGE_COUNT_PACKETS], 38);
	assert_int_equal(b.judge.tallied, 15);
	assert_int_equal(b.judge.tallied_bytes, 15 * FRAME);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 19);
	/* Once a second anyway, and before a plan ends. */
	give(&b, SEND, 1);
	at(&b, 101);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(judge_stats(&b).packets, 20);
	give(&b, SEND, 1);
	commit(&b);
	assert_int_equal(judge_stats(&b).packets, 21);
	/* And when the last flow of a program goes. */
	give(&b, SEND, 1);
	give(&b, SEND, 1);
	at(&b, 300);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(stats(&b, 0).flows.flows, 0);
	assert_int_equal(judge_stats(&b).packets, 23);
	finish(&b);
}

/* A program whose last flow goes before its packets were settled. */
static void
programs_that_go_are_settled(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CELL, 1);
	for (unsigned i = 0; i < 10; i++) {
		give(&b, CELL, 1);
		mr_generation_bump(&b.judge.cell);
		give(&b, CELL, 1);
		learn(&b, (enum what)(i % 2 ? CALL : SHORT), (uint16_t)(10 + i));
		give(&b, (enum what)(i % 2 ? CALL : SHORT), (uint16_t)(10 + i));
	}
	assert_counted(&b, STALE, 10);
	assert_counted(&b, REPLAYED, 20);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 52);
	assert_int_equal(judge_stats(&b).counters[JUDGE_COUNT_PACKETS], 104);
	assert_int_equal(b.judge.tallied, 20);
	assert_int_equal(stats(&b, 0).programs.programs, 3);
	finish(&b);
}

/* -- time, traces, explanations, what is shown -------------------------------------------------- */

static void
idle_flows_go(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ .idle_seconds = 10 }, 1);
	learn(&b, SEND, 1);
	learn(&b, SEND, 2);
	for (uint32_t second = 101; second < 130; second++) {
		at(&b, second);
		give(&b, SEND, 1);
		mr_graph_pass(b.graph, 0);
	}
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	assert_int_equal(stats(&b, 0).flows.expired, 1);
	mr_lane_set_idle(b.lane, 2);
	at(&b, 150);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(stats(&b, 0).flows.flows, 0);
	assert_int_equal(stats(&b, 0).programs.programs, 0);
	finish(&b);
}

static void
a_trace_sees_replays(void **state)
{
	const struct mr_probe_config want = { .trace = true,
		.port = MR_PROBE_ANY,
		.node = MR_PROBE_ANY,
		.count = 1,
		.workers = 1 };
	const struct mr_recording *r;
	struct mr_probe *probe;
	unsigned sets = 0, ttls = 0, outputs = 0;
	uint8_t walked[FRAME];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 1);
	memcpy(walked, b.last, FRAME);
	assert_int_equal(mr_probe_create(&probe, &want, &b.error), 0);
	assert_int_equal(mr_graph_attach(b.graph, probe, &b.error), 0);
	give(&b, SEND, 1);
	assert_counted(&b, REPLAYED, 1);
	assert_memory_equal(walked, b.last, FRAME);
	r = mr_probe_recording(probe, 0);
	assert_non_null(r);
	for (unsigned i = 0; i < r->count; i++) {
		sets += r->ops[i].kind == MR_OP_SET;
		ttls += r->ops[i].kind == MR_OP_TTL;
		outputs += r->ops[i].kind == MR_OP_OUTPUT && r->ops[i].arg == 2;
	}
	assert_true(sets >= 1);
	assert_int_equal(ttls, 1);
	assert_int_equal(outputs, 1);
	mr_graph_detach(b.graph, probe);
	mr_probe_destroy(probe);
	finish(&b);
}

static void
explained(void *user, const struct mr_recording *r)
{
	unsigned *through = user;

	for (unsigned i = 0; i < r->count; i++)
		if (r->ops[i].kind == MR_OP_NODE)
			through[r->ops[i].node]++;
}

/* What would happen is what the graph would do; nothing is counted or learned. */
static void
an_explanation_walks(void **state)
{
	unsigned through[MR_GRAPH_NODES_MAX] = { 0 };
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 1);
	for (uint16_t sport = 1; sport < 3; sport++)
		assert_int_equal(mr_graph_explain(b.graph, 0, packet(&b, SEND, sport, FRAME),
				     explained, through, &b.error),
		    0);
	assert_int_equal(through[b.judge_node], 2);
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	assert_counted(&b, REPLAYED, 0);
	assert_counted(&b, RECORDED, 1);
	finish(&b);
}

static void
flows_are_shown(void **state)
{
	struct mr_flow_peek peek, found;
	struct mr_flow_key unknown;
	uint32_t index = 0;
	unsigned worker = 9;
	char text[1024];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 4660);
	give(&b, SEND, 4660);
	assert_int_equal(mr_lane_workers(b.lane), 1);
	assert_true(mr_lane_top(b.lane, 0) >= 1);
	assert_true(mr_lane_peek(b.lane, 0, 1, &peek));
	assert_int_equal(peek.key.sport, mr_be16(4660));
	assert_int_equal(peek.packets, 2);
	assert_int_equal(peek.bytes, 2 * FRAME);
	assert_true(mr_lane_find(b.lane, &peek.key, &worker, &index, &found));
	assert_int_equal(worker, 0);
	assert_int_equal(index, 1);
	unknown = peek.key;
	unknown.sport = 0;
	assert_false(mr_lane_find(b.lane, &unknown, &worker, &index, &found));
	assert_true(mr_lane_print(b.lane, 0, 1, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "send on 2"));
	assert_int_equal(mr_lane_print(b.lane, 0, 2, text, sizeof(text)), 0);
	assert_int_equal(mr_lane_print(b.lane, 0, 1, text, 5), 4);
	learn(&b, REFUSE, 1);
	assert_true(mr_lane_print(b.lane, 0, 2, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "cannot be replayed"));
	finish(&b);
}

/* -- several ---------------------------------------------------------------------------------- */

static void
ports_share_a_worker_s_table(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned port = 0; port < 2; port++)
			inject(&b, 0, port, packet(&b, SEND, 1, FRAME));
	/* Where it came in is part of a flow; what is done is one program. */
	assert_int_equal(stats(&b, 0).flows.flows, 2);
	assert_int_equal(stats(&b, 0).programs.programs, 1);
	assert_counted(&b, REPLAYED, 2);
	finish(&b);
}

static void
workers_share_nothing(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 2);
	for (unsigned i = 0; i < 3; i++)
		inject(&b, 0, 0, packet(&b, SEND, 1, FRAME));
	inject(&b, 1, 0, packet(&b, SEND, 1, FRAME));
	assert_counted(&b, FIRST, 2);
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	assert_int_equal(stats(&b, 1).flows.flows, 0);
	for (unsigned i = 0; i < 2; i++)
		inject(&b, 1, 0, packet(&b, SEND, 1, FRAME));
	assert_counted(&b, REPLAYED, 2);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 6);
	finish(&b);
}

/* A lane that takes another's place, as a new size of the table asks for. */
static void
one_lane_after_another(void **state)
{
	struct mr_lane_config config = { .max_flows = 64 };
	struct mr_flow_view view = { 0 };
	struct mr_lane_port *in;
	struct mr_lane *next;
	uint16_t node;
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 1);
	config.graph = b.graph;
	assert_int_equal(mr_lane_create(&next, &config, &b.error), 0);
	memcpy(&view.mac, "\2\0\0\0\0\x77", 6);
	mr_graph_remove_node(b.graph, b.nodes[0]);
	assert_int_equal(mr_lane_port_create(&in, next, &view, "next", &node, &b.error), 0);
	assert_int_equal(mr_graph_link(b.graph, node, 0, b.judge_node), 0);
	assert_int_equal(mr_graph_set_input(b.graph, 0, node, 0), 0);
	mr_graph_remove_node(b.graph, b.nodes[1]);
	assert_int_equal(mr_graph_set_input(b.graph, 1, node, 0), 0);
	commit(&b);
	at(&b, 100);
	b.nodes[0] = b.nodes[1] = node;
	/* The new one has been at work when the old one goes. */
	give(&b, SEND, 1);
	mr_lane_destroy(b.lane);
	for (unsigned i = 0; i < 2; i++)
		mr_lane_port_destroy(b.in[i]);
	b.in[0] = in;
	b.in[1] = NULL;
	b.lane = next;
	give(&b, SEND, 1);
	give(&b, SEND, 1);
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	assert_int_equal(stats(&b, 0).refused[MR_PROGRAM_OK], 1);
	finish(&b);
}

/* One of a flow has to walk: those in front of it are replayed and leave before it, those behind it
 * walk, too. */
static void
flows_keep_their_order(void **state)
{
	static const unsigned lengths[5] = { 60, 61, SHORT_LENGTH + 1, 62, SHORT_LENGTH + 2 };
	uint32_t packets[5];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SHORT, 1);
	b.sent = 0;
	for (unsigned i = 0; i < 5; i++) {
		packets[i] = packet(&b, SHORT, 1, lengths[i]);
		mr_packet_at(b.buffers->base, packets[i])->port = 0;
	}
	mr_graph_inject(b.graph, 0, b.nodes[0], packets, 5);
	assert_int_equal(b.sent, 5);
	assert_memory_equal(b.lengths, lengths, sizeof(lengths));
	assert_counted(&b, CONDITION, 2);
	assert_counted(&b, ORDER, 1);
	assert_counted(&b, REPLAYED, 2);
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_count_as_if_they_had_seen_them),
		cmocka_unit_test(programs_that_go_are_settled),
		cmocka_unit_test(idle_flows_go),
		cmocka_unit_test(a_trace_sees_replays),
		cmocka_unit_test(an_explanation_walks),
		cmocka_unit_test(flows_are_shown),
		cmocka_unit_test(ports_share_a_worker_s_table),
		cmocka_unit_test(workers_share_nothing),
		cmocka_unit_test(one_lane_after_another),
		cmocka_unit_test(flows_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
