/* SPDX-License-Identifier: Apache-2.0 */

/* Where programs are: who shares them, what becomes of them, how they are printed. */

#include "kit/flow/program_bed.h"

/* -- the store -------------------------------------------------------------------------------------------------- */

/* A program that differs by this number, of a size that does too. */
static enum mr_program_refusal
build_number(struct bed *b, unsigned number)
{
	restart(b);
	op_set(b, 0, &number, 4);
	for (unsigned i = 0; i < number % 40; i++)
		op_arg(b, MR_OP_TALLY, NODE_A, i);
	return sent(b);
}

static void
test_store(void **state)
{
	enum { MAX = 300, NUMBERS = 400 };
	uint32_t at[NUMBERS] = { 0 }, users[NUMBERS] = { 0 };
	struct mr_programs_stats stats;
	unsigned live = 0, refused = 0;
	struct bed b;

	open_bed(&b, MAX);
	for (unsigned i = 0; i < 40000; i++) {
		unsigned n = oracle_draw(&b.rng) % NUMBERS;
		uint32_t value;

		if (oracle_draw(&b.rng) % 100 < (i / 8000 % 2 ? 70u : 40u) && users[n]) {
			mr_program_release(b.programs, at[n]);
			live -= !--users[n];
		} else if (build_number(&b, n) == MR_PROGRAM_OK) {
			assert_true(b.program && (!users[n] || at[n] == b.program));
			live += !users[n]++;
			at[n] = b.program;
			memcpy(&value, program(&b)->write + 20, 4);
			assert_int_equal(value, n);
			assert_int_equal(program(&b)->users, users[n]);
		} else {
			assert_int_equal(live, MAX);
			assert_false(users[n]);
			refused++;
		}
		mr_programs_stats(b.programs, &stats);
		assert_int_equal(stats.programs, live);
	}
	assert_true(refused > 100 && stats.shared > 1000);
	for (unsigned n = 0; n < NUMBERS; n++)
		for (; users[n]; users[n]--)
			mr_program_release(b.programs, at[n]);
	mr_programs_stats(b.programs, &stats);
	assert_int_equal(stats.programs, 0);
	assert_int_equal(stats.memory, MR_CACHE_LINE);
	close_bed(&b);
}

/* Sharing forgets nothing of a program: what differs only in one part is two. */
static void
test_sharing(void **state)
{
	struct mr_generation cell = { 1 };
	uint32_t seen[16];
	unsigned count = 0;
	struct bed b;

	open_bed(&b, 64);
	for (unsigned variant = 0; variant < 12; variant++) {
		restart(&b);
		if (variant == 1)
			op_arg(&b, MR_OP_LENGTH, NODE_A, 1000);
		if (variant == 2)
			op_ttl(&b, 14, 4);
		if (variant == 3)
			op_set(&b, 0, ethernet, 6);
		if (variant == 4)
			op_set(&b, 0, ethernet + 6, 6);
		if (variant == 5)
			op_guard(&b, 15, 1, 0xff);
		if (variant == 6)
			op_at(&b, MR_OP_POP, 12, 2);
		if (variant == 7)
			op_arg(&b, MR_OP_TALLY, NODE_A, 1);
		if (variant == 8)
			op_arg(&b, MR_OP_TALLY, NODE_A, 2);
		if (variant == 9)
			op_read(&b, &cell, 1);
		if (variant == 10)
			op_arg(&b, MR_OP_CALL, NODE_A, 0);
		if (variant == 11)
			op(&b, MR_OP_NODE, NODE_B);
		assert_int_equal(sent(&b), MR_PROGRAM_OK);
		for (unsigned i = 0; i < count; i++)
			assert_int_not_equal(seen[i], b.program);
		seen[count++] = b.program;
		program(&b)->packets = 9; /* counters do not make a difference */
		assert_int_equal(build(&b), MR_PROGRAM_OK);
		assert_int_equal(b.program, seen[count - 1]);
	}
	for (unsigned i = 0; i < count; i++) {
		mr_program_release(b.programs, seen[i]);
		mr_program_release(b.programs, seen[i]);
	}
	close_bed(&b);
}

static void
test_create(void **state)
{
	const struct mr_node_class *none[1] = { NULL };
	struct mr_programs_config config = { .max = 0, .nodes = 1, .classes = none };
	struct mr_programs *s;
	struct mr_error error;

	assert_int_equal(mr_programs_create(&s, &config, &error), -EINVAL);
	config.max = UINT32_MAX;
	assert_int_equal(mr_programs_create(&s, &config, &error), -EINVAL);
	config.max = 8u << 20;
	assert_int_equal(mr_programs_create(&s, &config, &error), 0);
	mr_programs_destroy(s);
	mr_programs_destroy(NULL);
}

/* A text that is cut says how long it would have been. */
static void
test_print_cut(void **state)
{
	char small[20];
	struct bed b;
	size_t len;

	open_bed(&b, 16);
	op_guard(&b, 15, 1, 0xff);
	op_at(&b, MR_OP_SUM, 24, MR_SUM_PLAIN);
	b.r.ops[1].arg = mr_be16(0xabcd);
	op_ttl(&b, 14, 6);
	assert_int_equal(sent(&b), MR_PROGRAM_OK);
	assert_non_null(strstr(print(&b), "hop limit of the header at 14 one less\n"));
	assert_non_null(strstr(print(&b), "Internet checksum at 24 takes in abcd\n"));
	len = mr_program_print(program(&b), &b.values, node_name, port_name, NULL, small,
	    sizeof(small));
	assert_int_equal(len, strlen(print(&b)));
	assert_int_equal(strlen(small), sizeof(small) - 1);
	assert_memory_equal(small, print(&b), sizeof(small) - 1);
	assert_int_equal(
	    mr_program_print(program(&b), &b.values, node_name, port_name, NULL, NULL, 0), len);
	close_bed(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_print_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
