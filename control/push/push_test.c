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

#include "control/push/push_int.h"
#include "control/push/telemetry.pb-c.h"

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

/* -- paths ------------------------------------------------------------------------------- */

static void
paths_in_all_spellings(void **state)
{
	static const struct {
		const char *text, *schema, *keys; /* null: not a path, and `keys` is why */
	} table[] = {
		{ "interface", "interface", "" },
		{ "/interface/", "interface", "" },
		{ "interface/counters", "interface/counters", "" },
		{ "interface/lan1/counters", "interface/counters", "name=lan1 " },
		{ "interface/*/counters/rx-packets", "interface/counters/rx-packets", "name=* " },
		{ "interface=lan1/counters", "interface/counters", "name=lan1 " },
		{ "interface[name='lan1']/counters", "interface/counters", "name=lan1 " },
		{ "interface[name=\"a/b\"]/counters", "interface/counters", "name=a/b " },
		{ "interface/a%2Fb/state", "interface/state", "name=a/b " },
		{ "table/a/fixed=7,02:00:00:00:00:01", "table/fixed",
		    "name=a vlan=7 mac=02:00:00:00:00:01 " },
		{ "table/a/fixed[mac='m'][vlan='7']/interface", "table/fixed/interface",
		    "name=a mac=m vlan=7 " },
		{ "", NULL, "empty" },
		{ "/", NULL, "empty" },
		{ "interfaces", NULL, "no \"interfaces\" in the model" },
		{ "interface/lan1/lan2", NULL, "no \"lan2\" in interface" },
		{ "interface[nome='x']", NULL, "no key nome" },
		{ "interface[name=x]", NULL, "keys are [name='value']" },
		{ "interface[name='x'", NULL, "keys are [name='value']" },
		{ "interface=a,b", NULL, "no such key" },
	};
	struct bed *b = *state;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(table); i++) {
		struct mr_error error = { 0 };
		struct push_path path;
		char keys[256] = "";
		int rc = push_path_parse(&path, b->leaves, table[i].text, &error);

		if (!table[i].schema) {
			assert_true(rc < 0);
			if (!strstr(error.text, table[i].keys))
				fail_msg("%s: %s", table[i].text, error.text);
			continue;
		}
		if (rc)
			fail_msg("%s: %s", table[i].text, error.text);
		for (unsigned k = 0; k < path.key_count; k++)
			sprintf(keys + strlen(keys), "%s=%s ",
			    path.keys[k].list->keys[path.keys[k].key], path.keys[k].pattern);
		assert_string_equal(path.schema, table[i].schema);
		assert_string_equal(keys, table[i].keys);
		push_path_clear(&path);
	}
}

/* -- what is known ----------------------------------------------------------------------- */

/* Interfaces of these names ("a b c"), with their index times `by`. */
static void
take(struct bed *b, const char *names, unsigned by)
{
	struct mr_state *st = mr_sample_begin(b->sample, b->model);
	struct mr_error error = { 0 };
	char name[2] = "";

	for (unsigned i = 0; names[i]; i++) {
		if (names[i] == ' ')
			continue;
		name[0] = names[i];
		mr_state_list(st, "interface", name);
		mr_state_uint(st, "index", (unsigned)names[i] * by);
		mr_state_close(st);
	}
	assert_int_equal(mr_sample_end(b->sample, &error), 0);
}

/* A letter for each value: what it was found to be. */
static void
compare(struct push_told *known, struct bed *b, char *out)
{
	known->cursor = 0;
	for (size_t i = 0; i < b->sample->value_count; i++) {
		const struct mr_sample_value *v = &b->sample->values[i];
		struct push_row *row = push_told_find(known, b->sample, v);

		*out++ = !row ? 'n' : push_told_same(known, row, b->sample, v) ? '=' : 'c';
		if (row)
			row->met = true;
	}
	for (size_t i = 0; i < known->count; i++)
		*out++ = known->rows[i].met ? '.' : 'd';
	*out = '\0';
}

static void
know(struct push_told *known, struct bed *b)
{
	push_told_clear(known);
	for (size_t i = 0; i < b->sample->value_count; i++)
		assert_non_null(push_told_add(known, b->sample, &b->sample->values[i]));
}

static void
finds_in_any_order(void **state)
{
	static const struct {
		const char *before, *after;
		unsigned by;
		const char *found; /* of each value after, then of each before */
	} table[] = {
		{ "abc", "abc", 1, "===..." },
		{ "abc", "abc", 2, "ccc..." },
		{ "abc", "cab", 1, "===..." },
		{ "abc", "ac", 1, "==.d." },
		{ "abc", "axbyc", 1, "=n=n=..." },
		{ "", "ab", 1, "nn" },
		{ "ab", "", 1, "dd" },
	};
	struct push_told known = { 0 };
	struct bed *b = *state;
	char found[32];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(table); i++) {
		take(b, table[i].before, 1);
		know(&known, b);
		take(b, table[i].after, table[i].by);
		compare(&known, b, found);
		assert_string_equal(found, table[i].found);
	}
	push_told_free(&known);
}

/* -- messages ---------------------------------------------------------------------------- */

static const struct push_update updates[] = {
	{ "/a[name='x']/n", { .kind = MR_LEAF_UINT, .u = UINT64_MAX } },
	{ "/i", { .kind = MR_LEAF_INT, .i = -7 } },
	{ "/d", { .kind = MR_LEAF_DECIMAL, .digits = 2, .i = -150 } },
	{ "/b", { .kind = MR_LEAF_BOOL, .u = 1 } },
	{ "/t", { .kind = MR_LEAF_TEXT, .text = "a\"\n\xff" } },
};
static const char *const deletes[] = { "/gone" };
static const struct push_event event = {
	.threshold = "t",
	.path = "/i",
	.raised = true,
	.value = { .kind = MR_LEAF_INT, .i = 5 },
};
static const struct push_message message = {
	.kind = PUSH_EVENT,
	.subscription = "s",
	.system = "h",
	.sequence = 3,
	.lost = 2,
	.time = 1,
	.updates = updates,
	.update_count = MR_ARRAY_COUNT(updates),
	.deletes = deletes,
	.delete_count = 1,
	.event = &event,
};

static void
as_json(void **state)
{
	struct push_bytes out = { 0 };

	(void)state;
	assert_int_equal(push_encode_json(&out, &message), 0);
	out.text[out.used] = '\0';
	assert_string_equal(out.text,
	    "{\"kind\":\"event\",\"subscription\":\"s\",\"system\":\"h\",\"sequence\":3,"
	    "\"timestamp\":1,\"lost\":2,\"update\":["
	    "{\"path\":\"/a[name='x']/n\",\"value\":18446744073709551615},"
	    "{\"path\":\"/i\",\"value\":-7},{\"path\":\"/d\",\"value\":-1.5},"
	    "{\"path\":\"/b\",\"value\":true},"
	    "{\"path\":\"/t\",\"value\":\"a\\\"\\n\xef\xbf\xbd\"}],\"delete\":[\"/gone\"],"
	    "\"event\":{\"threshold\":\"t\",\"path\":\"/i\",\"raised\":true,\"value\":5}}\n");
	free(out.text);
}

static void
as_protobuf(void **state)
{
	Millrace__Telemetry__Notification *n;
	struct push_bytes out = { 0 };
	size_t size;

	(void)state;
	assert_int_equal(push_encode_protobuf(&out, &message), 0);
	size = (uint8_t)out.text[0];
	assert_int_equal(size + 1, out.used); /* less than 128: one byte says it */
	n = millrace__telemetry__notification__unpack(NULL, size, (uint8_t *)out.text + 1);
	assert_non_null(n);
	assert_int_equal(n->kind, MILLRACE__TELEMETRY__KIND__EVENT);
	assert_int_equal(n->sequence, 3);
	assert_int_equal(n->lost, 2);
	assert_int_equal(n->n_update, 5);
	assert_true(n->update[0]->value->uint_val == UINT64_MAX);
	assert_true(n->update[1]->value->int_val == -7);
	assert_true(n->update[2]->value->decimal_val->digits == -150);
	assert_int_equal(n->update[2]->value->decimal_val->precision, 2);
	assert_true(n->update[3]->value->bool_val);
	assert_string_equal(n->update[4]->value->string_val, "a\"\n?");
	assert_string_equal(n->delete_[0], "/gone");
	assert_true(n->event->raised && n->event->value->int_val == 5);
	millrace__telemetry__notification__free_unpacked(n, NULL);
	free(out.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(paths_in_all_spellings, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_in_any_order, setup, teardown),
		cmocka_unit_test(as_json),
		cmocka_unit_test(as_protobuf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
