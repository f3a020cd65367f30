/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/base/hex.h"

static void
test_read(void **state)
{
	static const struct {
		const char *text;
		long count;
		uint8_t bytes[4];
	} cases[] = {
		{ "", 0, { 0 } },
		{ "00ffAb", 3, { 0x00, 0xff, 0xab } },
		{ " 01:02\t03\r\n04 ", 4, { 1, 2, 3, 4 } },
		{ "0102030405", -E2BIG, { 0 } },
		{ "0", -EINVAL, { 0 } },
		{ "123", -EINVAL, { 0 } },
		{ "1 2", -EINVAL, { 0 } },
		{ "0x12", -EINVAL, { 0 } },
		{ "0g", -EINVAL, { 0 } },
		{ "\xff\xff", -EINVAL, { 0 } },
	};
	uint8_t out[4];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		long n = mr_hex_read(cases[i].text, strlen(cases[i].text), out, sizeof(out));

		assert_int_equal(n, cases[i].count);
		if (n > 0)
			assert_memory_equal(out, cases[i].bytes, (size_t)n);
	}
}

/* Every text in a buffer of its own size, so that a sanitizer sees a byte too far. */
static void
test_any_text(void **state)
{
	static const char alphabet[] = "0aF: x\n";
	uint8_t out[8];

	for (unsigned n = 0; n < 20000; n++) {
		size_t len = n % 12;
		char *text = malloc(len + 1);
		unsigned rest = n * 2654435761u;
		long got;

		for (size_t i = 0; i < len; i++, rest = rest * 69069 + 1)
			text[i] = alphabet[(rest >> 16) % (sizeof(alphabet) - 1)];
		text = realloc(text, len ? len : 1);
		got = mr_hex_read(text, len, out, sizeof(out));
		assert_true(got == -EINVAL || (got >= 0 && (size_t)got <= len / 2));
		free(text);
	}
}

static void
test_there_and_back(void **state)
{
	uint8_t bytes[256], back[256];
	char text[513];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	mr_hex_write(text, bytes, sizeof(bytes));
	assert_int_equal(strlen(text), 512);
	assert_int_equal(mr_hex_read(text, 512, back, sizeof(back)), 256);
	assert_memory_equal(bytes, back, sizeof(bytes));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_any_text),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
