/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/rest/rest_int.h"

#define WHOLE \
	"{\"m:a\":1,\"b\":{\"c\":2,\"d\":{\"e\":3,\"f\":4}},\"l\":[{\"k\":1,\"v\":2},{\"k\":3}]}"

static void
test_fields(void **state)
{
	static const struct {
		const char *fields, *out; /* null: it makes no sense */
	} rows[] = {
		{ "a", "{\"m:a\":1}" },
		{ "m:a", "{\"m:a\":1}" },
		{ "x:a", "{}" },
		{ "b/c", "{\"b\":{\"c\":2}}" },
		{ "b/d/e", "{\"b\":{\"d\":{\"e\":3}}}" },
		{ "b(c;d/e)", "{\"b\":{\"c\":2,\"d\":{\"e\":3}}}" },
		{ "b(c;d(e;f));a", "{\"b\":{\"c\":2,\"d\":{\"e\":3,\"f\":4}},\"m:a\":1}" },
		{ "b/c;b/d/e", "{\"b\":{\"c\":2,\"d\":{\"e\":3}}}" },
		{ "l/k", "{\"l\":[{\"k\":1},{\"k\":3}]}" },
		{ "l(k;v)", "{\"l\":[{\"k\":1,\"v\":2},{\"k\":3}]}" },
		{ "nothing(x;y/z)", "{}" },
		{ "a/b", "{}" },
		{ "", NULL },
		{ ";", NULL },
		{ "a;", NULL },
		{ "b(c", NULL },
		{ "b(c))", NULL },
		{ "b()", NULL },
		{ "b/", NULL },
		{ "l(", NULL },
		{ "nothing(x", NULL },
		{ "a)b", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(rows); i++) {
		json_t *value = json_loads(WHOLE, 0, NULL);
		json_t *out = rows[i].out ? json_loads(rows[i].out, 0, NULL) : NULL;

		assert_int_equal(rest_keep_fields(value, rows[i].fields), out != NULL);
		if (out && !json_equal(value, out))
			fail_msg("%s gives %s", rows[i].fields, json_dumps(value, 0));
		json_decref(value);
		json_decref(out);
	}
}

/* A text that nests without end is refused before the stack is at its own. */
static void
test_fields_nested(void **state)
{
	json_t *value = json_loads(WHOLE, 0, NULL);
	char text[20001];

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		memcpy(text + 2 * i, "b(", 2);
	text[20000] = 0;
	assert_false(rest_keep_fields(value, text));
	for (unsigned i = 0; i < 10000; i++)
		memcpy(text + 2 * i, "b/", 2);
	assert_false(rest_keep_fields(value, text));
	json_decref(value);
}

static void
test_depth(void **state)
{
	static const struct {
		unsigned depth;
		const char *out;
	} rows[] = {
		{ 1, "{}" },
		{ 2, "{\"m:a\":1,\"b\":{},\"l\":[{},{}]}" },
		{ 3, "{\"m:a\":1,\"b\":{\"c\":2,\"d\":{}},\"l\":[{\"k\":1,\"v\":2},{\"k\":3}]}" },
		{ 9, WHOLE },
	};

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(rows); i++) {
		json_t *value = json_loads(WHOLE, 0, NULL);
		json_t *out = json_loads(rows[i].out, 0, NULL);

		rest_keep_depth(value, rows[i].depth);
		assert_true(json_equal(value, out));
		json_decref(value);
		json_decref(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_fields_nested),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
