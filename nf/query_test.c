/* SPDX-License-Identifier: Apache-2.0 */

/* Queries read as they are meant, refused with the sentence that says why; text comes out of a
 * stream whole, however small the pieces are that it is read in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "nf/lines.h"
#include "nf/query.h"

static const char *
value(const void *arg, const char *name)
{
	const char *const *pairs = arg;

	for (; *pairs; pairs += 2)
		if (strcmp(pairs[0], name) == 0)
			return pairs[1];
	return NULL;
}

static void
refused(int rc, const struct mr_error *error, const char *words)
{
	assert_int_equal(rc, -EINVAL);
	assert_non_null(strstr(error->text, words));
}

static void
test_words_and_numbers(void **state)
{
	static const char *const names[] = { "up", NULL, "down" };
	const char *pairs[] = { "form", "json", "state", "down", "port", "443", "big", "65536",
		"sign", "+5", "proto", "icmpv6", "number", "89", NULL };
	const struct mr_nf_query q = { value, pairs };
	enum mr_query_form form = MR_QUERY_TEXT;
	struct mr_error e;
	int n = -1;

	(void)state;
	assert_int_equal(mr_query_form(&q, &form, &e), 0);
	assert_int_equal(form, MR_QUERY_JSON);
	assert_int_equal(mr_query_word(&q, "state", names, 3, "state", &n, &e), 0);
	assert_int_equal(n, 2);
	refused(mr_query_word(&q, "form", names, 3, "state", &n, &e), &e, "no state \"json\"");
	assert_int_equal(mr_query_number(&q, "port", 0, 65535, "port", &n, &e), 0);
	assert_int_equal(n, 443);
	refused(mr_query_number(&q, "big", 0, 65535, "port", &n, &e), &e, "\"65536\" is no port");
	refused(mr_query_number(&q, "sign", 0, 65535, "port", &n, &e), &e, "\"+5\"");
	assert_int_equal(n, 443);
	assert_int_equal(mr_query_number(&q, "absent", 0, 1, "port", &n, &e), 0);
	assert_int_equal(n, 443);
	assert_int_equal(mr_query_protocol(&q, "proto", &n, &e), 0);
	assert_int_equal(n, 58);
	assert_int_equal(mr_query_protocol(&q, "number", &n, &e), 0);
	assert_int_equal(n, 89);
	refused(mr_query_protocol(&q, "state", &n, &e), &e, "\"down\" is no protocol");
}

static void
test_prefixes(void **state)
{
	const char *pairs[] = { "a", "10.1.2.3", "b", "10.1.128.0/17", "c", "2001:db8::/33", "d",
		"10.0.0.0/33", "e", "lan", "f", "10.0.0.0/", "all", "0.0.0.0/0", NULL };
	const struct mr_nf_query q = { value, pairs };
	static const uint8_t in[] = { 10, 1, 255, 1 }, out[] = { 10, 1, 127, 1 };
	static const uint8_t in6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x7f };
	static const uint8_t out6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x80 };
	struct mr_query_prefix p = { 0 };
	struct mr_error e;

	(void)state;
	assert_int_equal(mr_query_prefix(&q, "absent", &p, &e), 0);
	assert_false(p.given);
	assert_int_equal(mr_query_prefix(&q, "a", &p, &e), 0);
	assert_true(p.given && p.whole && !p.six && p.bits == 32);
	assert_int_equal(mr_query_prefix(&q, "b", &p, &e), 0);
	assert_false(p.whole);
	assert_true(mr_query_covers(&p, false, in));
	assert_false(mr_query_covers(&p, false, out));
	assert_false(mr_query_covers(&p, true, in6));
	assert_int_equal(mr_query_prefix(&q, "c", &p, &e), 0);
	assert_true(mr_query_covers(&p, true, in6));
	assert_false(mr_query_covers(&p, true, out6));
	assert_int_equal(mr_query_prefix(&q, "all", &p, &e), 0);
	assert_true(mr_query_covers(&p, false, out));
	refused(mr_query_prefix(&q, "d", &p, &e), &e, "no such length");
	refused(mr_query_prefix(&q, "e", &p, &e), &e, "\"lan\" is no address");
	refused(mr_query_prefix(&q, "f", &p, &e), &e, "no such length");
}

struct counting {
	struct mr_lines lines;
	unsigned next;
};

/* Every third time it has looked at much and found nothing. */
static bool
make(void *user)
{
	struct counting *c = user;

	if (c->next == 900)
		return false;
	if (c->next % 3 != 2)
		mr_lines_put(&c->lines, "line %u\n", c->next);
	c->next++;
	return true;
}

static void
test_lines(void **state)
{
	static char whole[16384], text[16384];
	size_t length = 0, n;

	(void)state;
	for (unsigned i = 0; i < 900; i++)
		if (i % 3 != 2)
			length += (size_t)sprintf(whole + length, "line %u\n", i);
	for (size_t piece = 1; piece < 5000; piece = piece * 3 + 1) {
		struct counting c = { 0 };
		size_t used = 0;

		while ((n = mr_lines_read(&c.lines, make, &c, text + used, piece)) > 0)
			used += n;
		assert_int_equal(used, length);
		assert_memory_equal(text, whole, length);
		mr_lines_free(&c.lines);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_and_numbers),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
