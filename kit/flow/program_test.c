/* SPDX-License-Identifier: Apache-2.0 */

/* What programs rest on, call and credit; and what has none. */

#include "kit/flow/program_bed.h"

/* -- what it rests on --------------------------------------------------------------------------------- */

static void
test_reads(void **state)
{
	struct mr_generation one = { 5 }, two = { 9 };
	const struct mr_program_cell *cells;
	struct bed b;
	uint32_t first;

	open_bed(&b, 16);
	op_read(&b, &one, 5);
	op_read(&b, &two, 9);
	op_read(&b, &one, 5);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(mr_program_cells(program(&b), &cells), 2);
	assert_ptr_equal(cells[0].cell, &one);
	assert_int_equal(cells[0].value, 5);
	assert_ptr_equal(cells[1].cell, &two);
	assert_int_equal(cells[1].value, 9);
	assert_non_null(strstr(print(&b), "rests on 2 tables\n"));
	assert_true(mr_program_holds(program(&b)));
	mr_generation_bump(&two);
	assert_false(mr_program_holds(program(&b)));
	/* The recording has become old. */
	first = b.program;
	assert_int_equal(build(&b), MR_PROGRAM_CHANGED);
	/* A new walk, another program. */
	b.r.ops[1].a = 10;
	assert_int_equal(build(&b), MR_PROGRAM_OK);
	assert_int_not_equal(b.program, first);
	assert_true(mr_program_holds(program(&b)));
	/* Two answers in one walk. */
	b.r.ops[2].a = 6;
	assert_int_equal(build(&b), MR_PROGRAM_CHANGED);
	close_bed(&b);
}

static void
test_regions(void **state)
{
	struct mr_regions *routes = calloc(2, sizeof(*routes));
	struct mr_flow_key other;
	unsigned dst, src;
	uint32_t first;
	struct bed b;

	assert_non_null(routes);
	open_bed(&b, 16);
	dst = mr_region4(mr_load_be32(b.key.dst));
	src = mr_region4(mr_load_be32(b.key.src));
	assert_int_not_equal(dst, src);
	routes[0].cells[dst].value = 3;
	routes[0].cells[src].value = 50;
	routes[1].cells[dst].value = 700;
	op_region(&b, &routes[0], dst);
	op_region(&b, &routes[0], src);
	op_region(&b, &routes[0], dst);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->regions, MR_PROGRAM_REGION_DST | MR_PROGRAM_REGION_SRC);
	assert_int_equal(b.stamp, 53);
	assert_int_equal(mr_program_stamp(program(&b), &b.key), 53);
	assert_int_equal(b.fields, MR_FLOW_PORT | MR_FLOW_SRC | MR_FLOW_DST);
	mr_generation_bump(&routes[0].cells[src]);
	assert_int_equal(mr_program_stamp(program(&b), &b.key), 54);
	assert_int_equal(build(&b), MR_PROGRAM_CHANGED);
	/* Another flow, elsewhere: the same program, a stamp of its own. */
	first = b.program;
	b.flow.dst[0] ^= 1;
	restart(&b);
	routes[0].cells[dst ^ 0x100].value = 8;
	op_region(&b, &routes[0], dst ^ 0x100);
	op_region(&b, &routes[0], src);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(b.program, first);
	assert_int_equal(b.stamp, 8 + 51);
	/* A second table, and a region that no address of the key is in. */
	b.r.count--;
	op_region(&b, &routes[1], dst ^ 0x100);
	routes[0].cells[77].value = 4000;
	op_region(&b, &routes[0], 77);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->regions,
	    MR_PROGRAM_REGION_DST | MR_PROGRAM_REGION_SRC | MR_PROGRAM_REGION_OWN);
	assert_int_equal(b.stamp, 8 + 51 + 4000);
	assert_int_equal(mr_program_stamp(program(&b), &b.key), b.stamp);
	mr_generation_bump(&routes[1].cells[dst ^ 0x100]);
	assert_int_equal(mr_program_stamp(program(&b), &b.key), b.stamp + 1);
	assert_true(mr_program_holds(program(&b))); /* regions are the stamp's */
	assert_non_null(strstr(print(&b),
	    "rests on the routes to the destination\nrests on the routes to the source\n"
	    "rests on the routes of 2 other regions\n"));
	/* The region of a table that has no such region. */
	b.r.ops[0].arg = MR_REGIONS;
	assert_int_equal(build(&b), MR_PROGRAM_CHANGED);
	/* IPv6's are others. */
	b.flow.six = true;
	memset(b.flow.dst, 0x20, 16);
	restart(&b);
	memset(&other, 0, sizeof(other));
	op_region(&b, &routes[0], mr_region6(0x2020202020202020));
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->regions, MR_PROGRAM_REGION_DST);
	assert_int_equal(mr_program_stamp(program(&b), &b.key), b.stamp);
	close_bed(&b);
	free(routes);
}

static void
test_fields(void **state)
{
	struct bed b;

	open_bed(&b, 16);
	op(&b, MR_OP_NODE, NODE_A);
	op_arg(&b, MR_OP_USE, NODE_A, MR_FLOW_DST);
	op_arg(&b, MR_OP_USE, NODE_A, MR_FLOW_PROTO);
	op(&b, MR_OP_NODE, NODE_B);
	op_arg(&b, MR_OP_USE, NODE_B, MR_FLOW_L2);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(b.fields, MR_FLOW_PORT | MR_FLOW_DST | MR_FLOW_PROTO | MR_FLOW_L2);
	/* The second says nothing. */
	b.r.count -= 2;
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(b.fields, MR_FLOW_ALL);
	/* What the walk touches is there in TCP's headers; in those of any protocol, it is looked. */
	restart(&b);
	op_set(&b, 50, ethernet, 2);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(b.fields, MR_FLOW_PORT);
	assert_non_null(strstr(print(&b), "if at least 52 bytes\n"));
	restart(&b);
	op_arg(&b, MR_OP_USE, NODE_A, MR_FLOW_PROTO);
	op_set(&b, 50, ethernet, 2);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_null(strstr(print(&b), "if at least"));
	/* Nor does the first. */
	restart(&b);
	op(&b, MR_OP_NODE, NODE_A);
	op(&b, MR_OP_NODE, NODE_B);
	op_arg(&b, MR_OP_USE, NODE_B, MR_FLOW_L2);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(b.fields, MR_FLOW_ALL);
	close_bed(&b);
}

/* -- calls, credits --------------------------------------------------------------------------------------- */

static void
test_calls(void **state)
{
	const struct mr_program_call *calls;
	uint32_t first;
	struct bed b;

	open_bed(&b, 16);
	op_arg(&b, MR_OP_CALL, NODE_A, 4000);
	b.r.ops[0].len = MR_CALL_SECONDLY | MR_CALL_SHARED;
	op_arg(&b, MR_OP_CALL, NODE_A, 0);
	op_arg(&b, MR_OP_CALL, NODE_A, 12345);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->flags,
	    MR_PROGRAM_SIMPLE | MR_PROGRAM_OPEN | MR_PROGRAM_CALLS | MR_PROGRAM_SECONDLY);
	assert_int_equal(b.arg, 12345);
	assert_int_equal(mr_program_calls(program(&b), &calls), 3);
	assert_true((calls[0].flags & MR_CALL_SECONDLY) && !calls[0].from && calls[0].arg == 4000);
	assert_true(!(calls[1].flags & MR_CALL_SECONDLY) && !calls[1].from && calls[1].arg == 0);
	assert_true(!(calls[2].flags & MR_CALL_SECONDLY) && calls[2].from == MR_CALL_FROM_FLOW &&
	    calls[2].arg == 0);
	assert_non_null(strstr(print(&b),
	    "call alpha with 4000, once a second\ncall alpha\ncall alpha with the flow's "
	    "number\n"));
	/* Another flow's state, the same program. */
	first = b.program;
	b.r.ops[2].arg = 12346;
	assert_int_equal(build(&b), MR_PROGRAM_OK);
	assert_int_equal(b.program, first);
	assert_int_equal(program(&b)->users, 2);
	assert_int_equal(b.arg, 12346);
	/* A second state: the flow has values, and the program is one. What is called once a second
	 * has its number there, too. */
	b.r.ops[1].arg = 0xabcdef01;
	b.r.ops[2].arg = 2;
	assert_int_equal(build(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->flags & (MR_PROGRAM_PRIVATE | MR_PROGRAM_VALUES),
	    MR_PROGRAM_VALUES);
	assert_int_equal(mr_program_calls(program(&b), &calls), 3);
	assert_int_equal(b.arg, 0xabcdef01);
	assert_int_equal(mr_program_call_arg(&calls[0], b.arg, &b.values), 4000);
	assert_int_equal(mr_program_call_arg(&calls[1], b.arg, &b.values), 0xabcdef01);
	assert_int_equal(mr_program_call_arg(&calls[2], b.arg, &b.values), 2);
	assert_non_null(strstr(print(&b),
	    "call alpha with 4000, once a second\ncall alpha with the flow's number\n"
	    "call alpha with 2\n"));
	first = b.program;
	b.r.ops[2].arg = 3;
	assert_int_equal(build(&b), MR_PROGRAM_OK);
	assert_int_equal(b.program, first);
	assert_int_equal(mr_program_call_arg(&calls[2], b.arg, &b.values), 3);
	/* One without a number is another program: nothing to look up for it. */
	b.r.ops[0].arg = 0;
	assert_int_equal(build(&b), MR_PROGRAM_OK);
	assert_int_not_equal(b.program, first);
	/* More than there is room for: a program of its own, each time. */
	restart(&b);
	for (unsigned i = 0; i < 18; i++)
		op_arg(&b, MR_OP_CALL, NODE_A, 1 + i);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->flags & (MR_PROGRAM_PRIVATE | MR_PROGRAM_VALUES),
	    MR_PROGRAM_PRIVATE);
	assert_int_equal(mr_program_calls(program(&b), &calls), 18);
	assert_int_equal(mr_program_call_arg(&calls[17], b.arg, NULL), 18);
	first = b.program;
	assert_int_equal(build(&b), MR_PROGRAM_OK);
	assert_int_not_equal(b.program, first);
	mr_program_release(b.programs, first);
	mr_program_release(b.programs, b.program);
	/* Only once a second: the state is the flow's too. */
	restart(&b);
	op_arg(&b, MR_OP_CALL, NODE_A, 4000);
	b.r.ops[0].len = 1;
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(b.arg, 4000);
	/* Who has no `replay` cannot be called. */
	restart(&b);
	op_arg(&b, MR_OP_CALL, NODE_B, 0);
	assert_int_equal(sent(&b), MR_PROGRAM_NODE);
	close_bed(&b);
}

static void
test_credits(void **state)
{
	const struct mr_program_credit *c;
	struct bed b;

	open_bed(&b, 16);
	op(&b, MR_OP_NODE, MR_GRAPH_NODE_RX); /* counts by itself */
	op(&b, MR_OP_NODE, NODE_A);
	op_arg(&b, MR_OP_COUNT, NODE_A, 1);
	b.r.ops[2].a = 3;
	op(&b, MR_OP_NODE, NODE_B);
	op(&b, MR_OP_NODE, NODE_A);
	op_arg(&b, MR_OP_COUNT, NODE_A, 1);
	b.r.ops[5].a = 4;
	op_at(&b, MR_OP_POP, 0, 14);
	op_arg(&b, MR_OP_COUNT, NODE_A, 2); /* bytes */
	op_arg(&b, MR_OP_TALLY, NODE_A, 99);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(mr_program_credits(program(&b), &c), 5);
	assert_true(c[0].kind == MR_CREDIT_NODE && c[0].node == NODE_A && c[0].times == 2);
	assert_true(c[1].kind == MR_CREDIT_COUNTER && c[1].counter == 1 && c[1].times == 7);
	assert_true(c[2].kind == MR_CREDIT_NODE && c[2].node == NODE_B && c[2].times == 1);
	assert_true(c[3].kind == MR_CREDIT_COUNTER && c[3].counter == 2 && c[3].times == 0);
	assert_int_equal(c[3].grown, -14);
	assert_true(c[4].kind == MR_CREDIT_TALLY && c[4].times == 99);
	assert_int_equal(c[4].grown, -14);
	assert_non_null(strstr(print(&b),
	    "count in alpha, 2 times\ncount 7 in alpha, counter 1\ncount in beta\n"
	    "count bytes in alpha, counter 2\ncount in alpha for its number 99\n"));
	/* Nobody's counter; nobody to tell. */
	restart(&b);
	op_arg(&b, MR_OP_COUNT, NODE_A, 4);
	assert_int_equal(sent(&b), MR_PROGRAM_NODE);
	restart(&b);
	op_arg(&b, MR_OP_TALLY, NODE_B, 4);
	assert_int_equal(sent(&b), MR_PROGRAM_NODE);
	close_bed(&b);
}

/* -- refusals ------------------------------------------------------------------------------------------------ */

static void
test_refusals(void **state)
{
	const struct mr_named *names = mr_program_refusals();
	struct bed b;

	open_bed(&b, 16);
	assert_string_equal(names[MR_PROGRAM_OK].name, "ok");
	assert_string_equal(names[MR_PROGRAM_REFUSAL_COUNT - 1].name, "memory");
	assert_int_equal(build(&b), MR_PROGRAM_NO_END); /* nothing at all */
	op(&b, MR_OP_NODE, NODE_SHY);
	assert_int_equal(sent(&b), MR_PROGRAM_NODE);
	/* The node's own word goes before that it does not take part. */
	b.r.count--;
	op(&b, MR_OP_UNCACHEABLE, NODE_SHY);
	assert_int_equal(sent(&b), MR_PROGRAM_SAID);
	b.r.flags = MR_RECORDING_TRUNCATED | MR_RECORDING_UNCACHEABLE;
	assert_int_equal(build(&b), MR_PROGRAM_LONG);
	for (unsigned node = NODE_NONE; node <= NODES; node++) {
		restart(&b);
		op(&b, MR_OP_NODE, node);
		assert_int_equal(sent(&b), MR_PROGRAM_NODE);
	}
	restart(&b);
	op(&b, MR_OP_NODE, MR_GRAPH_NODE_HANDOFF);
	assert_int_equal(sent(&b), MR_PROGRAM_NODE);
	restart(&b);
	op(&b, MR_OP_UNCACHEABLE, MR_GRAPH_NODE_HANDOFF);
	assert_int_equal(build(&b), MR_PROGRAM_NO_END);
	restart(&b);
	b.r.flags = MR_RECORDING_UNCACHEABLE;
	assert_int_equal(sent(&b), MR_PROGRAM_SAID);
	restart(&b);
	op_arg(&b, MR_OP_COPY, NODE_A, 1);
	assert_int_equal(sent(&b), MR_PROGRAM_COPIES);
	restart(&b);
	b.r.branches = 64;
	assert_int_equal(sent(&b), MR_PROGRAM_COPIES);
	b.r.branches = 1;
	b.r.ops[0].branch = 63;
	assert_int_equal(build(&b), MR_PROGRAM_COPIES);
	close_bed(&b);
}

static void
test_ends(void **state)
{
	static const struct {
		enum mr_op_kind kind;
		unsigned node;
		uint32_t arg;
		enum mr_program_refusal why;
	} cases[] = {
		{ MR_OP_OUTPUT, MR_GRAPH_NODE_TX, 1023, MR_PROGRAM_OK },
		{ MR_OP_OUTPUT, MR_GRAPH_NODE_TX, 1024, MR_PROGRAM_NO_END },
		{ MR_OP_OUTPUT, MR_GRAPH_NODE_TX, UINT32_MAX, MR_PROGRAM_NO_END },
		{ MR_OP_DROP, NODE_B, 2, MR_PROGRAM_OK },
		{ MR_OP_DROP, NODE_B, 3, MR_PROGRAM_NO_END },
		{ MR_OP_DROP, NODE_NONE, 0, MR_PROGRAM_NO_END },
		{ MR_OP_DROP, MR_GRAPH_NODE_TX, 0, MR_PROGRAM_NO_END },
		{ MR_OP_HOLD, NODE_A, 0, MR_PROGRAM_HELD },
		{ MR_OP_REFUSED, MR_GRAPH_NODE_TX, 0, MR_PROGRAM_NO_END },
		{ MR_OP_END, NODE_A, 0, MR_PROGRAM_NO_END },
		{ (enum mr_op_kind)(MR_OP_SET_LENGTH + 1), NODE_A, 0, MR_PROGRAM_CONFLICT },
	};
	struct bed b;

	open_bed(&b, 16);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		restart(&b);
		op_arg(&b, cases[i].kind, cases[i].node, cases[i].arg);
		assert_int_equal(build(&b), cases[i].why);
	}
	restart(&b);
	op_arg(&b, MR_OP_DROP, NODE_B, 2);
	assert_int_equal(build(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->verdict, mr_verdict_drop(2));
	assert_int_equal(program(&b)->node, NODE_B);
	assert_string_equal(print(&b), "drop by beta, reason 2\n");
	/* A walk has one end. */
	assert_int_equal(sent(&b), MR_PROGRAM_CONFLICT);
	close_bed(&b);
}

/* Operations out of bounds, each alone. */
static void
test_hostile(void **state)
{
	static const struct {
		enum mr_op_kind kind;
		unsigned offset, len;
		uint32_t arg;
		enum mr_program_refusal why;
	} cases[] = {
		{ MR_OP_SET, 0, 17, 0, MR_PROGRAM_CONFLICT },
		{ MR_OP_SET, 191, 2, 0, MR_PROGRAM_LONG },
		{ MR_OP_SET, 65535, 16, 0, MR_PROGRAM_LONG },
		{ MR_OP_PUSH, 193, 1, 0, MR_PROGRAM_LONG },
		{ MR_OP_PUSH, 65535, 255, 0, MR_PROGRAM_LONG },
		{ MR_OP_PUSH, 0, 128, 0, MR_PROGRAM_LONG },
		{ MR_OP_POP, 0, 128, 0, MR_PROGRAM_LONG },
		{ MR_OP_POP, 192, 1, 0, MR_PROGRAM_LONG },
		{ MR_OP_POP, 65535, 1, 0, MR_PROGRAM_LONG },
		{ MR_OP_SUM, 191, 0, 0, MR_PROGRAM_LONG },
		{ MR_OP_SUM, 65535, 0, 0, MR_PROGRAM_LONG },
		{ MR_OP_SUM, 24, 2, 0, MR_PROGRAM_CONFLICT },
		{ MR_OP_SUM, 24, 0, 65536, MR_PROGRAM_CONFLICT },
		{ MR_OP_SET_LENGTH, 191, 0, 0, MR_PROGRAM_LONG },
		{ MR_OP_SET_LENGTH, 65535, 0, 0, MR_PROGRAM_LONG },
		{ MR_OP_SET_LENGTH, 16, 4, 0, MR_PROGRAM_CONFLICT },
		{ MR_OP_SET_LENGTH, 16, 1, UINT32_MAX, MR_PROGRAM_OK },
		{ MR_OP_TTL, 184, 0, 4, MR_PROGRAM_LONG },
		{ MR_OP_TTL, 65535, 0, 4, MR_PROGRAM_LONG },
		{ MR_OP_TTL, 65535, 0, 6, MR_PROGRAM_LONG },
		{ MR_OP_TTL, 14, 0, 5, MR_PROGRAM_CONFLICT },
		{ MR_OP_GUARD, 191, 2, 0, MR_PROGRAM_GUARD },
		{ MR_OP_GUARD, 65535, 8, 0, MR_PROGRAM_GUARD },
		{ MR_OP_GUARD, 0, 9, 0, MR_PROGRAM_GUARD },
		{ MR_OP_READ, 0, 0, 0, MR_PROGRAM_CHANGED },
		{ MR_OP_REGION, 0, 0, 0, MR_PROGRAM_CHANGED },
	};
	struct bed b;

	open_bed(&b, 16);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		restart(&b);
		op_at(&b, cases[i].kind, cases[i].offset, cases[i].len);
		b.r.ops[0].arg = cases[i].arg;
		assert_int_equal(sent(&b), cases[i].why);
	}
	/* As many as there can be. */
	restart(&b);
	while (b.r.count < MR_RECORD_OPS_MAX - 1)
		op_ttl(&b, 14, 4);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	restart(&b);
	while (b.r.count < MR_RECORD_OPS_MAX)
		op_ttl(&b, 14, 4);
	assert_int_equal(build(&b), MR_PROGRAM_CONFLICT);
	b.r.count++;
	assert_int_equal(build(&b), MR_PROGRAM_LONG);
	/* A packet cut short: what the snapshot lacks, the key does not answer for. */
	restart(&b);
	op_guard(&b, 12, 2, 0xffff);
	b.r.snapped = 20;
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_non_null(strstr(print(&b), "if 2 bytes at 12"));
	close_bed(&b);
}

/* The longest program: every part full. */
static void
test_largest(void **state)
{
	static struct mr_generation cells[MR_RECORD_OPS_MAX];
	const struct mr_program_cell *read;
	const struct mr_program_call *calls;
	struct bed b;

	open_bed(&b, 16);
	while (b.r.count < MR_RECORD_OPS_MAX - 1)
		op_read(&b, &cells[b.r.count], 0);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(mr_program_cells(program(&b), &read), MR_RECORD_OPS_MAX - 1);
	assert_true(mr_program_holds(program(&b)));
	restart(&b);
	while (b.r.count < MR_RECORD_OPS_MAX - 1)
		op_arg(&b, MR_OP_CALL, NODE_A, b.r.count);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(mr_program_calls(program(&b), &calls), MR_RECORD_OPS_MAX - 1);
	assert_int_equal(calls[200].arg, 200);
	close_bed(&b);
}

/* Of a packet in a tunnel nodes are told where the inner headers are: whoever wants to be called before it came
 * out of it walks. */
static void
test_inside(void **state)
{
	static const struct mr_node_class opens = { .name = "opens",
		.replays = true,
		.unwraps = true };
	struct bed b;

	open_bed(&b, 64);
	b.classes[NODE_B] = &opens;
	for (unsigned n = 0; n < 4; n++) {
		restart(&b);
		b.key.pair = n < 3 ? 5u << MR_FLOW_INSIDE_SHIFT | 7 : 7;
		op(&b, MR_OP_NODE, NODE_A);
		if (n != 1)
			op_arg(&b, MR_OP_CALL, NODE_A, 9);
		if (n == 2)
			b.r.count = 0;
		op(&b, MR_OP_NODE, NODE_B);
		op(&b, MR_OP_NODE, NODE_A);
		op_arg(&b, MR_OP_CALL, NODE_A, 9);
		assert_int_equal(sent(&b), n ? MR_PROGRAM_OK : MR_PROGRAM_SAID);
	}
	close_bed(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_credits),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
