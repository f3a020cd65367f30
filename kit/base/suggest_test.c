/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "kit/base/suggest.h"

#include <string.h>

static void
test_distance(void **state)
{
	char a[200], b[200];

	assert_int_equal(mr_suggest_distance("", ""), 0);
	assert_int_equal(mr_suggest_distance("", "abc"), 3);
	assert_int_equal(mr_suggest_distance("abc", ""), 3);
	assert_int_equal(mr_suggest_distance("kitten", "sitting"), 3);
	assert_int_equal(mr_suggest_distance("queues", "queeus"), 1);
	assert_int_equal(mr_suggest_distance("ab", "ba"), 1);
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	a[199] = b[199] = 0;
	assert_int_equal(mr_suggest_distance(a, b), 63);
}

static void
test_best(void **state)
{
	static const char *const names[] = { "bridge", "interface", "worker" };
	struct mr_suggest s = { .word = "interfcae" }, none = { .word = "zebra" },
			  empty = { .word = "" };
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(names); i++) {
		mr_suggest_try(&s, names[i]);
		mr_suggest_try(&none, names[i]);
		mr_suggest_try(&empty, names[i]);
	}
	assert_string_equal(mr_suggest_best(&s), "interface");
	assert_null(mr_suggest_best(&none));
	assert_null(mr_suggest_best(&empty));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
