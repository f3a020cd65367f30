/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/http/settings.h"

static void
test_tags(void **state)
{
	static const struct {
		const char *list, *tag;
		bool has;
	} rows[] = {
		{ "*", "\"a\"", true },
		{ "\"a\"", "\"a\"", true },
		{ "W/\"a\"", "\"a\"", true },
		{ "\"b\", \"a\"", "\"a\"", true },
		{ "\"b\",\"a\"", "\"a\"", true },
		{ "\"a-gzip\"", "\"a\"", true },
		{ "\"ab\"", "\"a\"", false },
		{ "\"\"", "\"a\"", false },
		{ "a", "\"a\"", false },
		{ "\"a", "\"a\"", false },
		{ "", "\"a\"", false },
		{ NULL, "\"a\"", false },
	};

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(rows); i++)
		assert_int_equal(mr_http_has_tag(rows[i].list, rows[i].tag), rows[i].has);
}

static void
test_loopback(void **state)
{
	(void)state;
	assert_true(mr_http_is_loopback("127.0.0.1"));
	assert_true(mr_http_is_loopback("127.255.0.9"));
	assert_true(mr_http_is_loopback("::1"));
	assert_false(mr_http_is_loopback("0.0.0.0"));
	assert_false(mr_http_is_loopback("128.0.0.1"));
	assert_false(mr_http_is_loopback("::"));
	assert_false(mr_http_is_loopback("::ffff:127.0.0.1"));
	assert_false(mr_http_is_loopback("localhost"));
	assert_false(mr_http_is_loopback(""));
}

/* FIPS 180-2: SHA-256 of "abc". */
static void
test_hash(void **state)
{
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41,
		0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
		0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	uint8_t hash[MR_HTTP_HASH_SIZE];

	(void)state;
	mr_http_hash_token("abc", 3, hash);
	assert_memory_equal(hash, abc, sizeof(abc));
}

static void
test_tokens(void **state)
{
	char one[44], two[44], hash_one[65], hash_two[65];

	(void)state;
	assert_int_equal(mr_http_make_token(one, hash_one), 0);
	assert_int_equal(mr_http_make_token(two, hash_two), 0);
	assert_int_equal(strlen(one), 43);
	assert_int_equal(strlen(hash_one), 64);
	assert_string_not_equal(one, two);
	assert_string_not_equal(hash_one, hash_two);
	/* They stand in headers and shells as they are. */
	assert_int_equal(
	    strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
