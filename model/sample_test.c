/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/sample.h"

extern const char mr_yang_example[];

struct bed {
	struct mr_model *model;
	struct mr_leaves *leaves;
	struct mr_sample *sample;
};

static int
setup(void **state)
{
	const char *texts[] = { mr_yang_example };
	struct bed *b = calloc(1, sizeof(*b));
	struct mr_error error = { 0 };

	*state = b;
	assert_int_equal(mr_model_create(&b->model, texts, 1, &error), 0);
	assert_int_equal(mr_leaves_create(&b->leaves, b->model, &error), 0);
	return mr_sample_create(&b->sample, b->leaves);
}

static int
teardown(void **state)
{
	struct bed *b = *state;

	mr_sample_destroy(b->sample);
	mr_leaves_destroy(b->leaves);
	mr_model_destroy(b->model);
	free(b);
	return 0;
}

/* One line for each value: its path, its value. */
static void
print(const struct mr_sample *s, char *out)
{
	char number[MR_SAMPLE_NUMBER];

	*out = '\0';
	for (size_t i = 0; i < s->value_count; i++) {
		const struct mr_sample_value *v = &s->values[i];
		const struct mr_sample_entry *e = &s->entries[v->entry];
		const char *text = number;

		mr_sample_print(v->leaf, v, number);
		if (v->leaf->kind == MR_LEAF_TEXT)
			text = mr_sample_text(s, v->text);
		if (v->leaf->kind == MR_LEAF_ENUM)
			text = v->leaf->words[v->u];
		out += sprintf(out, "%s%s %s\n", mr_sample_text(s, e->path), v->leaf->tail, text);
		if (e->list)
			assert_true(e->hash == mr_sample_hash(mr_sample_text(s, e->path)));
	}
}

static void
write_something(struct mr_state *st, const char *name)
{
	mr_state_list(st, "table", name);
	mr_state_int(st, "small", -5);
	mr_state_bool(st, "on", true);
	mr_state_list_uint(st, "fixed", 7);
	mr_state_text(st, "mac", "02:00:5e:ff:00:09");
	mr_state_text(st, "interface", "lan1");
	mr_state_close(st);
	mr_state_text(st, "seen", "x");
	mr_state_text(st, "seen", "y");
	mr_state_int(st, "balance", INT64_MIN);
	mr_state_real(st, "mean", -1.204);
	mr_state_close(st);
	mr_state_list(st, "interface", "lan1");
	mr_state_text(st, "state", "up");
	mr_state_open(st, "counters");
	mr_state_uint(st, "rx-packets", UINT64_MAX);
	mr_state_list(st, "drops", "too-short");
	mr_state_uint(st, "packets", 1);
	mr_state_close(st);
	mr_state_close(st);
	mr_state_close(st);
}

static void
flat_values_with_paths(void **state)
{
	struct bed *b = *state;
	struct mr_error error = { 0 };
	char text[4096];

	/* Twice, for the second overwrites the first. */
	for (unsigned i = 0; i < 2; i++) {
		write_something(mr_sample_begin(b->sample, b->model), "a");
		if (mr_sample_end(b->sample, &error))
			fail_msg("%s", error.text);
	}
	print(b->sample, text);
	assert_string_equal(text,
	    "/table[name='a']/small -5\n"
	    "/table[name='a']/on true\n"
	    "/table[name='a']/fixed[vlan='7'][mac='02:00:5e:ff:00:09']/interface lan1\n"
	    "/table[name='a']/seen x\n"
	    "/table[name='a']/seen y\n"
	    "/table[name='a']/balance -9223372036854775808\n"
	    "/table[name='a']/mean -1.2\n"
	    "/interface[name='lan1']/state up\n"
	    "/interface[name='lan1']/counters/rx-packets 18446744073709551615\n"
	    "/interface[name='lan1']/counters/drops[reason='too-short']/packets 1\n");
}

static void
keys_with_quotes(void **state)
{
	struct bed *b = *state;
	struct mr_error error = { 0 };
	struct mr_state *st = mr_sample_begin(b->sample, b->model);

	mr_state_list(st, "table", "it's");
	mr_state_close(st);
	mr_state_list(st, "table", "\"it's\"");
	mr_state_close(st);
	if (mr_sample_end(b->sample, &error))
		fail_msg("%s", error.text);
	assert_int_equal(b->sample->entry_count, 3);
	assert_string_equal(mr_sample_text(b->sample, b->sample->entries[1].path),
	    "/table[name=\"it's\"]");
	assert_string_equal(mr_sample_text(b->sample, b->sample->entries[2].path),
	    "/table[name=\"%22it's%22\"]");
}

/* What a writer does wrong is an error here as it is where text is made. */
static void
follows_the_model(void **state)
{
	struct bed *b = *state;
	struct mr_error error = { 0 };
	struct mr_state *st = mr_sample_begin(b->sample, b->model);

	mr_state_list(st, "table", "a");
	mr_state_uint(st, "smell", 1);
	mr_state_close(st);
	assert_int_not_equal(mr_sample_end(b->sample, &error), 0);
	assert_non_null(strstr(error.text, "smell"));
	st = mr_sample_begin(b->sample, b->model);
	mr_state_list(st, "interface", "x");
	mr_state_text(st, "state", "sideways");
	mr_state_close(st);
	assert_int_not_equal(mr_sample_end(b->sample, &error), 0);
	/* And the next one is none the worse. */
	write_something(mr_sample_begin(b->sample, b->model), "a");
	if (mr_sample_end(b->sample, &error))
		fail_msg("%s", error.text);
	assert_int_equal(b->sample->value_count, 10);
}

static const struct mr_leaf *
leaf_at(const struct mr_leaves *leaves, const char *path)
{
	for (unsigned i = 0; i < mr_leaves_count(leaves); i++)
		if (strcmp(mr_leaves_at(leaves, i)->path, path) == 0)
			return mr_leaves_at(leaves, i);
	return NULL;
}

static void
leaves_say_what_they_are(void **state)
{
	struct bed *b = *state;
	const struct mr_leaf *leaf = leaf_at(b->leaves, "interface/counters/rx-packets");

	assert_non_null(leaf);
	assert_true(leaf->counter && leaf->state && !leaf->key);
	assert_string_equal(leaf->tail, "/counters/rx-packets");
	assert_string_equal(leaf->list->keys[0], "name");
	leaf = leaf_at(b->leaves, "table/mean");
	assert_int_equal(leaf->kind, MR_LEAF_DECIMAL);
	assert_false(leaf->counter);
	leaf = leaf_at(b->leaves, "table/ageing");
	assert_string_equal(leaf->units, "seconds");
	assert_false(leaf->state);
	assert_true(leaf_at(b->leaves, "table/name")->key);
	assert_true(leaf_at(b->leaves, "table/seen")->many);
}

static void
numbers_as_the_model_writes_them(void **state)
{
	const struct mr_leaf decimal = { .kind = MR_LEAF_DECIMAL, .digits = 3 };
	static const struct {
		int64_t value;
		const char *text;
	} table[] = { { 0, "0.0" }, { 1500, "1.5" }, { -1, "-0.001" }, { -12000, "-12.0" } };
	char text[MR_SAMPLE_NUMBER];

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(table); i++) {
		mr_sample_print(&decimal, &(struct mr_sample_value){ .i = table[i].value }, text);
		assert_string_equal(text, table[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flat_values_with_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_with_quotes, setup, teardown),
		cmocka_unit_test_setup_teardown(follows_the_model, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_say_what_they_are, setup, teardown),
		cmocka_unit_test(numbers_as_the_model_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
