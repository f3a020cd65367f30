/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/port_test_int.h"

static const struct mr_option_desc descs[] = {
	{ .key = "busy-poll",
	    .kind = MR_OPTION_UINT,
	    .min = 10,
	    .max = 5000000,
	    .fallback = "20k" },
	{ .key = "mode", .kind = MR_OPTION_ENUM, .values = "native|generic", .fallback = "native" },
	{ .key = "zero-copy", .kind = MR_OPTION_BOOL, .fallback = "true" },
	{ .key = "filter", .kind = MR_OPTION_TEXT, .max = 8 },
	{ .key = "big", .kind = MR_OPTION_UINT, .max = UINT64_MAX },
	{ 0 },
};

static int
check(const char *key, const char *value, struct mr_error *error)
{
	struct mr_option o = { key, value };
	struct mr_port_config config = { .options = &o, .option_count = 1 };

	memset(error, 0, sizeof(*error));
	return mr_options_check(descs, &config, error);
}

static void
test_values(void **state)
{
	static const struct {
		const char *key, *value;
		int rc;
		const char *text; /* part of the error */
	} cases[] = {
		{ "busy-poll", "10", 0, "" },
		{ "busy-poll", "5M", 0, "" },
		{ "busy-poll", "50k", 0, "" },
		{ "busy-poll", "9", -ERANGE, "option busy-poll: 9 is not between 10 and 5000000" },
		{ "busy-poll", "1G", -ERANGE, "between" },
		{ "busy-poll", "99999999999999999999999", -ERANGE, "between" },
		{ "busy-poll", "", -EINVAL, "not a number" },
		{ "busy-poll", "-1", -EINVAL, "not a number" },
		{ "busy-poll", "12 ", -EINVAL, "not a number" },
		{ "busy-poll", "1kk", -EINVAL, "not a number" },
		{ "busy-poll", "k", -EINVAL, "not a number" },
		{ "big", "18446744073709551615", 0, "" },
		{ "big", "18446744073709551616", -ERANGE, "between" },
		{ "big", "18446744074G", -ERANGE, "between" },
		{ "mode", "generic", 0, "" },
		{ "mode", "gneric", -EINVAL, "none of native|generic; did you mean 'generic'?" },
		{ "mode", "native|generic", -EINVAL, "none of native|generic" },
		{ "mode", "", -EINVAL, "none of" },
		{ "zero-copy", "false", 0, "" },
		{ "zero-copy", "yes", -EINVAL, "neither true nor false" },
		{ "filter", "12345678", 0, "" },
		{ "filter", "123456789", -ENAMETOOLONG, "longer than 8" },
		{ "busy-pol", "50", -EINVAL, "no option 'busy-pol'; did you mean 'busy-poll'?" },
		{ "unheard-of", "50", -EINVAL, "no option 'unheard-of'" },
	};
	struct mr_error error;
	size_t i;

	for (i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		int rc = check(cases[i].key, cases[i].value, &error);

		if (rc != cases[i].rc || !strstr(error.text, cases[i].text))
			fail_msg("%s=%s: %d '%s'", cases[i].key, cases[i].value, rc, error.text);
	}
	check("unheard-of", "", &error);
	assert_null(strstr(error.text, "mean"));
}

static void
test_twice(void **state)
{
	struct mr_option o[2] = { { "mode", "native" }, { "mode", "generic" } };
	struct mr_port_config config = { .options = o, .option_count = 2 };
	struct mr_error error;

	assert_int_equal(mr_options_check(descs, &config, &error), -EEXIST);
	config.option_count = 1;
	assert_int_equal(mr_options_check(NULL, &config, &error), -EINVAL);
}

static void
test_fallbacks(void **state)
{
	struct mr_option o[] = { { "busy-poll", "3M" }, { "zero-copy", "false" } };
	struct mr_port_config given = { .options = o, .option_count = 2 }, none = { 0 };

	assert_int_equal(mr_option_uint(descs, &none, "busy-poll"), 20000);
	assert_int_equal(mr_option_uint(descs, &given, "busy-poll"), 3000000);
	assert_true(mr_option_bool(descs, &none, "zero-copy"));
	assert_false(mr_option_bool(descs, &given, "zero-copy"));
	assert_string_equal(mr_option_text(descs, &given, "mode"), "native");
	assert_null(mr_option_text(descs, &none, "filter"));
	assert_int_equal(mr_option_uint(descs, &none, "big"), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_fallbacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
