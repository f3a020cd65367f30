/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/state.h"

extern const char mr_yang_example[];

static struct mr_model *model;

static void
write_something(struct mr_state *st)
{
	static const uint8_t mac[6] = { 2, 0, 0x5e, 0xff, 0, 9 };

	mr_state_list(st, "table", "a");
	mr_state_int(st, "small", -5);
	mr_state_bool(st, "on", true);
	mr_state_list_uint(st, "fixed", 7);
	mr_state_mac(st, "mac", mac);
	mr_state_text(st, "interface", "lan1");
	mr_state_close(st);
	mr_state_text(st, "seen", "x");
	mr_state_text(st, "seen", "x");
	mr_state_int(st, "balance", INT64_MIN);
	mr_state_real(st, "mean", -1.204);
	mr_state_close(st);
	mr_state_list(st, "interface", "lan1");
	mr_state_uint(st, "index", 7);
	mr_state_text(st, "state", "up");
	mr_state_mac(st, "mac", mac);
	mr_state_format(st, "detail", "%s \"%d\"\n", "copy", 5);
	mr_state_open(st, "counters");
	mr_state_uint(st, "rx-packets", UINT64_MAX);
	mr_state_list(st, "drops", "too-short");
	mr_state_uint(st, "packets", 1);
	mr_state_close(st);
	mr_state_list(st, "drops", "no-route");
	mr_state_uint(st, "packets", 0);
	mr_state_close(st);
	mr_state_close(st);
	mr_state_close(st);
	mr_state_list(st, "interface", "lan2");
	mr_state_close(st);
}

static char *
written(enum mr_state_form form, void (*write)(struct mr_state *), struct mr_error *error)
{
	struct mr_state *st;
	const char *text;
	char *copy = NULL;
	size_t size;
	int rc;

	assert_int_equal(mr_state_create(&st, model, form), 0);
	assert_ptr_equal(mr_state_model(st), model);
	write(st);
	rc = mr_state_finish(st, &text, &size, error);
	assert_int_equal(rc, text ? 0 : error->code);
	if (rc && write == write_something)
		fail_msg("%s", error->text);
	if (text) {
		assert_int_equal(strlen(text), size);
		copy = strdup(text);
	}
	mr_state_destroy(st);
	return copy;
}

static void
plain_state_is_plain(void **state)
{
	struct mr_error error = { 0 };
	char *text = written(MR_STATE_PLAIN, write_something, &error);

	assert_string_equal(text,
	    "{\"table\":[{\"name\":\"a\",\"small\":-5,\"on\":true,\"fixed\":[{\"vlan\":7,"
	    "\"mac\":\"02:00:5e:ff:00:09\",\"interface\":\"lan1\"}],\"seen\":[\"x\",\"x\"],"
	    "\"balance\":-9223372036854775808,\"mean\":-1.2}],"
	    "\"interface\":[{\"name\":\"lan1\",\"index\":7,\"state\":\"up\",\"mac\":\"02:00:5e:ff:"
	    "00:09\","
	    "\"detail\":\"copy "
	    "\\\"5\\\"\\n\",\"counters\":{\"rx-packets\":18446744073709551615,\"drops\":"
	    "[{\"reason\":\"too-short\",\"packets\":1},{\"reason\":\"no-route\",\"packets\":0}]}},"
	    "{\"name\":\"lan2\"}]}\n");
	free(text);
}

static void
state_comes_back_through_the_model(void **state)
{
	struct mr_error error = { 0 };
	char *text = written(MR_STATE_RFC7951, write_something, &error), *again = NULL;
	struct mr_config *tree;
	const struct mr_conf *lan1, *drop;
	size_t size;
	FILE *out;

	assert_non_null(strstr(text, "{\"example:table\":[{\"name\":\"a\",\"small\":-5,"));
	assert_non_null(strstr(text, "\"rx-packets\":\"18446744073709551615\""));
	if (mr_state_read(&tree, model, text, strlen(text), &error))
		fail_msg("%s", error.text);
	lan1 = mr_conf_find(mr_conf_root(tree), "interface", "lan1");
	assert_string_equal(mr_conf_text(lan1, "detail", ""), "copy \"5\"\n");
	assert_true(mr_conf_uint(mr_conf_child(lan1, "counters"), "rx-packets", 0) == UINT64_MAX);
	drop = mr_conf_find(mr_conf_child(lan1, "counters"), "drops", "too-short");
	assert_int_equal(mr_conf_uint(drop, "packets", 0), 1);
	/* The client prints what the server would have printed. */
	out = open_memstream(&again, &size);
	mr_conf_print_json(mr_conf_root(tree), out);
	fputc('\n', out);
	fclose(out);
	free(text);
	text = written(MR_STATE_PLAIN, write_something, &error);
	assert_string_equal(again, text);
	mr_config_destroy(tree);
	free(again);
	free(text);
}

static void
nothing_is_an_object(void **state)
{
	struct mr_state *st;
	const char *text;
	size_t size;

	assert_int_equal(mr_state_create(&st, model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_state_finish(st, &text, &size, NULL), 0);
	assert_string_equal(text, "{}\n");
	mr_state_destroy(st);
	mr_state_destroy(NULL);
}

static void
unknown_leaf(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_uint(st, "indx", 7);
	mr_state_uint(st, "index", 7);
}

static void
unknown_top(struct mr_state *st)
{
	mr_state_open(st, "nowhere");
	mr_state_text(st, "x", "y");
	mr_state_close(st);
}

static void
leaf_opened(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_open(st, "index");
}

static void
number_too_large(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_uint(st, "index", 65536);
}

static void
number_too_small(struct mr_state *st)
{
	mr_state_list(st, "table", "a");
	mr_state_int(st, "small", -129);
}

static void
number_for_text(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_uint(st, "detail", 1);
}

static void
text_for_number(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_text(st, "index", "1");
}

static void
number_for_bool(struct mr_state *st)
{
	mr_state_list(st, "table", "a");
	mr_state_uint(st, "on", 1);
}

static void
bool_for_text(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_bool(st, "detail", true);
}

static void
no_such_word(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_text(st, "state", "sideways");
}

static void
key_left_out(struct mr_state *st)
{
	mr_state_list(st, "table", "a");
	mr_state_list_uint(st, "fixed", 7);
	mr_state_close(st);
}

static void
key_too_late(struct mr_state *st)
{
	mr_state_list(st, "table", "a");
	mr_state_list_uint(st, "fixed", 7);
	mr_state_text(st, "interface", "lan1");
}

static void
closed_twice(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_close(st);
	mr_state_close(st);
}

static void
taken_up_again(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_close(st);
	mr_state_list(st, "table", "a");
	mr_state_close(st);
	mr_state_list(st, "interface", "lan2");
}

static void
left_open(struct mr_state *st)
{
	mr_state_list(st, "interface", "lan1");
	mr_state_open(st, "counters");
}

static void
state_cannot_drift_from_the_model(void **state)
{
	static const struct {
		void (*write)(struct mr_state *);
		const char *said;
	} wrong[] = {
		{ unknown_leaf, "state /interface: the model has no \"indx\" here" },
		{ unknown_top, "state /: the model has no \"nowhere\" here" },
		{ leaf_opened, "state /interface: \"index\" is a leaf in the model" },
		{ number_too_large, "state /interface: 65536 does not fit \"index\" in the model" },
		{ number_too_small, "state /table: -129 does not fit \"small\" in the model" },
		{ number_for_text, "state /interface: 1 does not fit \"detail\" in the model" },
		{ text_for_number, "state /interface: \"index\" is not a text in the model" },
		{ number_for_bool, "state /table: 1 does not fit \"on\" in the model" },
		{ bool_for_text, "state /interface: \"detail\" is not true or false in the model" },
		{ no_such_word, "state /interface: \"state\" cannot be \"sideways\" in the model" },
		{ key_left_out, "state /table/fixed: an entry ends without all its keys" },
		{ key_too_late, "state /table/fixed: \"interface\" before all keys of the entry" },
		{ closed_twice, "state /: closed more often than opened" },
		{ taken_up_again, "state /: \"interface\" was written before" },
		{ left_open, "state /interface/counters: still open at the end" },
	};
	size_t i;

	for (i = 0; i < MR_ARRAY_COUNT(wrong); i++) {
		struct mr_error error = { 0 };

		assert_null(written(MR_STATE_PLAIN, wrong[i].write, &error));
		assert_string_equal(error.text, wrong[i].said);
		assert_int_equal(error.code, -EINVAL);
	}
}

static void
bad_state_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"{\"nobody:x\":1}",
		"{\"example:interface\":[{\"name\":\"a\",\"index\":70000}]}",
		"{\"example:interface\":[{\"index\":7}]}",
	};
	struct mr_config *tree;
	struct mr_error error;
	size_t i;

	for (i = 0; i < MR_ARRAY_COUNT(texts); i++) {
		if (mr_state_read(&tree, model, texts[i], strlen(texts[i]), &error) != -EINVAL)
			fail_msg("taken: %s", texts[i]);
		assert_null(tree);
	}
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
write_many(struct mr_state *st)
{
	uint8_t mac[6] = { 2 };
	unsigned i;

	mr_state_list(st, "table", "a");
	for (i = 0; i < 65536; i++) {
		mac[4] = (uint8_t)(i >> 8);
		mac[5] = (uint8_t)i;
		mr_state_list_uint(st, "fixed", i % 4094 + 1);
		mr_state_mac(st, "mac", mac);
		mr_state_text(st, "interface", "lan1");
		mr_state_close(st);
	}
	mr_state_close(st);
}

static void
large_state_is_fast(void **state)
{
	struct mr_error error = { 0 };
	struct mr_config *tree;
	double start = now(), wrote;
	char *text = written(MR_STATE_RFC7951, write_many, &error);

	wrote = now() - start;
	assert_non_null(text);
	start = now();
	assert_int_equal(mr_state_read(&tree, model, text, strlen(text), &error), 0);
	print_message("65536 entries (%zu KiB) written in %.0f ms, read back in %.0f ms\n",
	    strlen(text) / 1024, wrote * 1e3, (now() - start) * 1e3);
	assert_int_equal(mr_conf_count(mr_conf_child(mr_conf_root(tree), "table"), "fixed"), 65536);
	mr_config_destroy(tree);
	free(text);
}

static int
setup(void **state)
{
	const char *texts[] = { mr_yang_example };
	struct mr_error error;

	if (!mr_model_create(&model, texts, MR_ARRAY_COUNT(texts), &error))
		return 0;
	print_error("%s\n", error.text);
	return -1;
}

static int
teardown(void **state)
{
	mr_model_destroy(model);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_state_is_plain),
		cmocka_unit_test(state_comes_back_through_the_model),
		cmocka_unit_test(nothing_is_an_object),
		cmocka_unit_test(state_cannot_drift_from_the_model),
		cmocka_unit_test(bad_state_is_refused),
		cmocka_unit_test(large_state_is_fast),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
