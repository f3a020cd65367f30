/* SPDX-License-Identifier: Apache-2.0 */

/* What becomes of edits and conditions, one property at a time. Random ones:
 * program_random_test.c. */

#include "kit/flow/program_bed.h"

/* -- edits -------------------------------------------------------------------------------------- */

/* What a router does: one line. */
static void
test_routed(void **state)
{
	struct mr_packet *p;
	struct bed b;
	bool fits;

	open_bed(&b, 16);
	op(&b, MR_OP_NODE, NODE_A);
	op_guard(&b, 12, 4, 0xff0fffff);
	b.r.ops[1].b = 0xffff; /* the type */
	b.r.ops[1].a &= 0xffff;
	op_arg(&b, MR_OP_LENGTH, NODE_A, 14 + 1500);
	op_ttl(&b, 14, 4);
	op_set(&b, 0, ethernet, 12);
	op_set(&b, 12, ethernet + 16, 2);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->flags, MR_PROGRAM_SIMPLE | MR_PROGRAM_OPEN);
	assert_int_equal(program(&b)->ttl, 14);
	assert_int_equal(program(&b)->write_len, 14);
	assert_int_equal(program(&b)->max_length, 1514);
	assert_int_equal(program(&b)->checked, 77);
	assert_int_equal(program(&b)->verdict, mr_verdict_send(2));
	assert_string_equal(print(&b),
	    "if at most 1514 bytes\n"
	    "TTL of the header at 14 one less\n"
	    "write 14 bytes at 0: 02:00:00:00:00:09:02:00:00:00:00:08:08:00\n"
	    "count in alpha\n"
	    "send on lan\n");
	for (unsigned len = 60; len < 1600; len += 91) {
		p = oracle_packet_of(&b.flow, &b.rng, ORACLE_HEADROOM, len);
		assert_true(oracle_same(program(&b), &b.values, &b.r, p, &fits));
		assert_int_equal(fits, len <= 1514);
		free(p);
	}
	close_bed(&b);
}

/* The walk changes how long the Ethernet header is: still one line. */
static void
test_tags(void **state)
{
	struct bed b;
	bool fits;

	open_bed(&b, 16);
	op_ttl(&b, 14, 4);
	op_at(&b, MR_OP_PUSH, 0, 4);
	op_set(&b, 0, ethernet, 16);
	op_set(&b, 16, ethernet + 16, 2);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->flags, MR_PROGRAM_SIMPLE | MR_PROGRAM_OPEN);
	assert_int_equal(program(&b)->grow, 4);
	assert_int_equal(program(&b)->write_len, 18);
	assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
	mr_program_release(b.programs, b.program);

	b.flow.tagged = true;
	restart(&b);
	op_ttl(&b, 18, 4);
	op_at(&b, MR_OP_POP, 0, 4);
	op_set(&b, 0, ethernet, 12);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->flags, MR_PROGRAM_SIMPLE | MR_PROGRAM_OPEN);
	assert_int_equal(program(&b)->grow, -4);
	/* The type behind the tag is where it was. */
	assert_int_equal(program(&b)->write_len, 12);
	assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
	mr_program_release(b.programs, b.program);

	/* A bridge's: the addresses move. */
	restart(&b);
	op_at(&b, MR_OP_POP, 12, 4);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->flags, MR_PROGRAM_OPEN);
	assert_non_null(strstr(print(&b), "shrink by 4 bytes\nmove 12 bytes from 0 to 0\n"));
	assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
	close_bed(&b);
}

/* A header of 50 bytes in front, the inner one's TTL, and another checksum: more than a line. */
static void
test_tunnel(void **state)
{
	uint8_t outer[50];
	struct bed b;
	bool fits;

	open_bed(&b, 16);
	for (unsigned i = 0; i < sizeof(outer); i++)
		outer[i] = (uint8_t)(i * 3);
	op_ttl(&b, 14, 4);
	op_at(&b, MR_OP_SUM, 50, MR_SUM_UDP);
	b.r.ops[1].arg = 0x1234;
	op_at(&b, MR_OP_PUSH, 0, 50);
	for (unsigned i = 0; i < 50; i += 10)
		op_set(&b, i, outer + i, 10);
	op_ttl(&b, 14, 4); /* of the outer one: settled now */
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->write_len, 24);
	assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
	assert_non_null(strstr(print(&b), "grow by 50 bytes\n"));
	assert_non_null(strstr(print(&b), "TTL of the header at 64 one less\n"));
	assert_non_null(strstr(print(&b), "UDP checksum at 100 takes in 3412\n"));
	assert_non_null(strstr(print(&b), "write 26 bytes at 24: 49:4b"));
	close_bed(&b);
}

/* Address translation: the header's checksum takes in the TTL and the address at once. */
static void
test_sums_fold(void **state)
{
	struct bed b;
	bool fits;

	open_bed(&b, 16);
	for (unsigned i = 0; i < 5; i++) {
		op_at(&b, MR_OP_SUM, 24, MR_SUM_PLAIN);
		b.r.ops[b.r.count - 1].arg = 0xfff0 + i;
		if (i == 2)
			op_ttl(&b, 14, 4);
	}
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->ttl, 14);
	assert_null(strstr(strstr(print(&b), "checksum") + 1, "checksum"));
	/* Every checksum that there can be, the two zeros among them. */
	for (unsigned sum = 0; sum < 0x10000; sum++) {
		mr_store_be16(mr_packet_bytes(b.packet) + 24, (uint16_t)sum);
		assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
	}
	close_bed(&b);
}

static void
test_udp_without_a_checksum(void **state)
{
	struct bed b;
	bool fits;

	open_bed(&b, 16);
	for (unsigned i = 0; i < 3; i++) {
		op_at(&b, MR_OP_SUM, 40, MR_SUM_UDP);
		b.r.ops[b.r.count - 1].arg = 0x8000 + i;
	}
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	for (unsigned sum = 0; sum < 0x10000; sum++) {
		mr_store_be16(mr_packet_bytes(b.packet) + 40, (uint16_t)sum);
		assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
	}
	mr_program_release(b.programs, b.program);
	/* Two ways of counting at one place have no short form. */
	b.r.count--;
	op_at(&b, MR_OP_SUM, 40, MR_SUM_PLAIN);
	assert_int_equal(sent(&b), MR_PROGRAM_CONFLICT);
	close_bed(&b);
}

/* Twice through a router, one in the other. */
static void
test_ttl_twice(void **state)
{
	struct bed b;
	bool fits;

	open_bed(&b, 16);
	op_ttl(&b, 14, 4);
	op_ttl(&b, 14, 4);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->ttl, 0);
	assert_non_null(strstr(print(&b), "byte at 22 less 2\n"));
	for (unsigned i = 0; i < 0x10000; i++) {
		mr_packet_bytes(b.packet)[22] = (uint8_t)i;
		mr_store_be16(mr_packet_bytes(b.packet) + 24,
		    (uint16_t)(i * 3 + (i < 8 ? 0xfff8 : 0)));
		assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
	}
	close_bed(&b);
}

static void
test_what_stands_there_is_not_written(void **state)
{
	struct bed b;

	open_bed(&b, 16);
	op_set(&b, 12, ethernet + 16, 2);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_string_equal(print(&b), "send on lan\n");
	assert_int_equal(b.fields, MR_FLOW_PORT);
	mr_program_release(b.programs, b.program);
	/* Ports are in the key, but a flow of all ports rests on none of them. */
	restart(&b);
	op_set(&b, 34, b.flow.ports, 4);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_non_null(strstr(print(&b), "write 4 bytes at 34"));
	assert_int_equal(b.fields, MR_FLOW_PORT);
	mr_program_release(b.programs, b.program);
	restart(&b);
	op(&b, MR_OP_NODE, NODE_A); /* rests on all */
	op_set(&b, 34, b.flow.ports, 4);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_string_equal(print(&b), "count in alpha\nsend on lan\n");
	close_bed(&b);
}

static void
test_conflicts(void **state)
{
	struct bed b;

	open_bed(&b, 16);
	op_at(&b, MR_OP_PUSH, 12, 4); /* and nothing written there */
	assert_int_equal(sent(&b), MR_PROGRAM_CONFLICT);
	restart(&b);
	op_at(&b, MR_OP_SUM, 24, MR_SUM_PLAIN);
	b.r.ops[0].arg = 5;
	op_set(&b, 25, ethernet, 1); /* half of it */
	assert_int_equal(sent(&b), MR_PROGRAM_CONFLICT);
	restart(&b);
	op_at(&b, MR_OP_SUM, 24, MR_SUM_PLAIN);
	op_at(&b, MR_OP_SUM, 25, MR_SUM_PLAIN);
	b.r.ops[0].arg = b.r.ops[1].arg = 5;
	assert_int_equal(sent(&b), MR_PROGRAM_CONFLICT);
	restart(&b);
	op_arg(&b, MR_OP_TRIM, NODE_A, 60);
	assert_int_equal(sent(&b), MR_PROGRAM_CONFLICT);
	restart(&b);
	op_at(&b, MR_OP_PUSH, 0, 14);
	op_at(&b, MR_OP_POP, 0, 14); /* gone again: fine */
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->flags, MR_PROGRAM_SIMPLE | MR_PROGRAM_OPEN);
	close_bed(&b);
}

/* -- conditions ------------------------------------------------------------------------------------ */

static void
test_guards_that_the_key_answers(void **state)
{
	/* Offset, mask, and the fields that it rests on. */
	static const struct {
		unsigned offset, len;
		uint64_t mask;
		unsigned fields;
	} cases[] = {
		{ 0, 6, UINT64_MAX >> 16, 0 },
		{ 12, 4, 0x00ffffff & 0xffff, 0 },
		{ 14, 1, 0xff, 0 },
		{ 20, 2, 0xff3f, 0 }, /* no fragment */
		{ 23, 1, 0xff, MR_FLOW_PROTO },
		{ 26, 8, UINT64_MAX, MR_FLOW_SRC | MR_FLOW_DST },
		{ 30, 4, UINT32_MAX, MR_FLOW_DST },
		{ 34, 2, 0xffff, MR_FLOW_PROTO | MR_FLOW_SPORT },
		{ 36, 1, 0x0f, MR_FLOW_PROTO | MR_FLOW_DPORT },
		{ 47, 1, MR_TCP_SYN | MR_TCP_RST | MR_TCP_FIN | MR_TCP_URG, MR_FLOW_PROTO },
	};
	struct bed b;

	open_bed(&b, 16);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		restart(&b);
		op_guard(&b, cases[i].offset, cases[i].len, cases[i].mask);
		assert_int_equal(sent(&b), MR_PROGRAM_OK);
		assert_string_equal(print(&b), "send on lan\n");
		assert_int_equal(b.fields, cases[i].fields | MR_FLOW_PORT);
		mr_program_release(b.programs, b.program);
		/* What contradicts the key was no walk of this packet. */
		b.r.ops[0].a ^= cases[i].mask & -cases[i].mask;
		assert_int_equal(build(&b), MR_PROGRAM_CONFLICT);
	}
	/* A recording of another packet: nothing is taken for granted. */
	restart(&b);
	b.key.dst[0]++;
	op_guard(&b, 12, 2, 0xffff);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_non_null(strstr(print(&b), "if 2 bytes at 12 are 08:00 under ff:ff\n"));
	close_bed(&b);
}

static void
test_guards_that_are_checked(void **state)
{
	/* Everything else, its bytes one by one. */
	static const struct {
		unsigned offset, len;
		uint64_t mask;
	} cases[] = {
		{ 6, 6, UINT64_MAX >> 16 },
		{ 15, 1, 0xfc },
		{ 16, 2, 0xffff },
		{ 18, 2, 0xffff },
		{ 20, 1, 0xc0 },
		{ 22, 1, 0xff },
		{ 24, 2, 0xffff },
		{ 38, 8, UINT64_MAX },
		{ 47, 1, 0xff },
		{ 92, 8, UINT64_MAX },
		{ 99, 1, 0x80 },
	};
	struct bed b;
	bool fits;

	open_bed(&b, 16);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		restart(&b);
		op_guard(&b, cases[i].offset, cases[i].len, cases[i].mask);
		assert_int_equal(sent(&b), MR_PROGRAM_OK);
		assert_int_equal(program(&b)->flags, MR_PROGRAM_SIMPLE);
		assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
		for (unsigned bit = 0; bit < 8 * cases[i].len; bit++) {
			uint8_t *byte = mr_packet_bytes(b.packet) + cases[i].offset + bit / 8;

			*byte ^= (uint8_t)(1u << bit % 8);
			/* The key holds some of these in place. */
			if (cases[i].offset != 47 || bit > 5) {
				assert_true(
				    oracle_same(program(&b), &b.values, &b.r, b.packet, &fits));
				assert_int_equal(fits, !(cases[i].mask >> bit & 1));
			}
			*byte ^= (uint8_t)(1u << bit % 8);
		}
		mr_program_release(b.programs, b.program);
	}
	close_bed(&b);
}

static void
test_guards_after_edits(void **state)
{
	struct bed b;
	bool fits;

	open_bed(&b, 16);
	/* On what the walk wrote: settled. */
	op_set(&b, 22, ethernet, 1);
	op_at(&b, MR_OP_GUARD, 22, 1);
	b.r.ops[1].a = ethernet[0];
	b.r.ops[1].b = 0xff;
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_null(strstr(print(&b), "if "));
	mr_program_release(b.programs, b.program);
	b.r.ops[1].a ^= 1;
	assert_int_equal(build(&b), MR_PROGRAM_CONFLICT);
	/* On bytes that have moved, and on a TTL that was one more. */
	restart(&b);
	op_at(&b, MR_OP_PUSH, 0, 6);
	op_set(&b, 0, ethernet, 6);
	op_ttl(&b, 20, 4);
	op_at(&b, MR_OP_GUARD, 21, 8);
	b.r.ops[3].b = 0xffull << 56 | 0xffull; /* DSCP and ECN; the TTL */
	b.r.ops[3].a = mr_packet_bytes(b.packet)[15] |
	    (uint64_t)(uint8_t)(mr_packet_bytes(b.packet)[22] - 1) << 56;
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && fits);
	mr_packet_bytes(b.packet)[22]++;
	assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && !fits);
	mr_packet_bytes(b.packet)[22]--;
	mr_packet_bytes(b.packet)[15] ^= 4;
	assert_true(oracle_same(program(&b), &b.values, &b.r, b.packet, &fits) && !fits);
	mr_program_release(b.programs, b.program);
	/* Part of it says too little. */
	b.r.ops[3].b = 0x0full << 56;
	b.r.ops[3].a &= b.r.ops[3].b;
	assert_int_equal(build(&b), MR_PROGRAM_CONFLICT);
	close_bed(&b);
}

static void
test_lengths(void **state)
{
	struct bed b;

	open_bed(&b, 16);
	op_arg(&b, MR_OP_LENGTH, NODE_A, 1514);
	op_at(&b, MR_OP_POP, 0, 14);
	op_arg(&b, MR_OP_LENGTH, NODE_A, 1490); /* 1504 as it comes in */
	op_at(&b, MR_OP_PUSH, 0, 30);
	op_set(&b, 0, ethernet, 15);
	op_set(&b, 15, ethernet, 15);
	op_arg(&b, MR_OP_LENGTH, NODE_A, 1521); /* 1505 */
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->max_length, 1504);
	mr_program_release(b.programs, b.program);
	op(&b, MR_OP_NODE, NODE_A);
	b.r.count -= 2;
	op_arg(&b, MR_OP_LENGTH, NODE_A, 10);
	assert_int_equal(sent(&b), MR_PROGRAM_CONFLICT);
	restart(&b);
	op_arg(&b, MR_OP_LENGTH, NODE_A, 100000);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_int_equal(program(&b)->max_length, UINT16_MAX);
	close_bed(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routed),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_sums_fold),
		cmocka_unit_test(test_udp_without_a_checksum),
		cmocka_unit_test(test_ttl_twice),
		cmocka_unit_test(test_what_stands_there_is_not_written),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_guards_that_the_key_answers),
		cmocka_unit_test(test_guards_that_are_checked),
		cmocka_unit_test(test_guards_after_edits),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
