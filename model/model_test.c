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

#include "model/model.h"

extern const char mr_yang_example[];

static struct mr_model *model;

#define printed(call) \
	({ \
		char *text_ = NULL; \
		size_t size_ = 0; \
		FILE *out = open_memstream(&text_, &size_); \
\
		assert_non_null(out); \
		call; \
		fclose(out); \
		text_; \
	})

#define HEAD(name) "module " name " { yang-version 1.1; namespace \"urn:" name "\"; prefix p; "

static void
modules_that_do_not_fit_are_refused(void **state)
{
	static const struct {
		const char *texts[2];
		int code;
		const char *said; /* the beginning */
	} wrong[] = {
		{ { "container x;" }, -EINVAL, "a YANG text does not begin with a module" },
		{ { "" }, -EINVAL, "a YANG text does not begin with a module" },
		{ { "module {" }, -EINVAL, "a YANG module has no usable name" },
		{ { "module m {" }, -EINVAL, "YANG module m: " },
		{ { HEAD("m") "container x { leaf y { type nothing; } } }" }, -EINVAL,
		    "YANG modules: Referenced type \"nothing\" not found. (/m:x/y)" },
		{ { HEAD("m") "import nowhere { prefix n; } container x; }" }, -EINVAL,
		    "YANG module m: " },
		{ { HEAD("m") "container a { leaf b { type leafref { path \"/p:c\"; } } } }" },
		    -EINVAL, "YANG modules: " },
		{ { HEAD("m") "container system; }" }, -EEXIST,
		    "the YANG modules millrace-system and m both have \"system\" at the top" },
		{ { HEAD("m") "container x; }",
		      HEAD("n") "list x { key k; leaf k { type string; } } }" },
		    -EEXIST, "the YANG modules m and n both have \"x\" at the top" },
		{ { HEAD("m") "container c { list l { key \"a b c d e\"; leaf a { type int8; } "
			      "leaf b { type int8; } leaf c { type int8; } leaf d { type int8; } "
			      "leaf e { type int8; } } } }" },
		    -E2BIG, "YANG module m: the list l has 5 keys; at most 4 are supported" },
	};
	struct mr_error error;
	struct mr_model *bad;
	size_t i;
	int rc;

	for (i = 0; i < MR_ARRAY_COUNT(wrong); i++) {
		rc = mr_model_create(&bad, wrong[i].texts, wrong[i].texts[1] ? 2 : 1, &error);
		assert_null(bad);
		assert_int_equal(rc, wrong[i].code);
		if (strncmp(error.text, wrong[i].said, strlen(wrong[i].said)))
			fail_msg("%s\nsaid: %s", wrong[i].texts[0], error.text);
	}
	/* Its destruction and its errors may be nobody's business. */
	assert_int_equal(mr_model_create(&bad, wrong[0].texts, 1, NULL), -EINVAL);
	mr_model_destroy(NULL);
}

static void
modules_import_each_other_in_any_order(void **state)
{
	static const char *const texts[] = {
		"/* one */ // two\n" HEAD(
		    "first") "import second { prefix s; } "
			     "container f { leaf x { type s:t; default 5; } } }",
		HEAD("second") "typedef t { type uint8; } }",
	};
	struct mr_model *two;
	struct mr_error error;

	if (mr_model_create(&two, texts, 2, &error))
		fail_msg("%s", error.text);
	mr_model_destroy(two);
}

struct seen {
	char names[512];
	struct mr_model_item last;
	char type[300], doc[300], fallback[64], values[100];
};

static int
remember(void *arg, const struct mr_model_item *item)
{
	struct seen *seen = arg;
	const char *const *value;

	strcat(strcat(seen->names, *seen->names ? " " : ""), item->name);
	seen->last = *item;
	snprintf(seen->type, sizeof(seen->type), "%s", item->type ? item->type : "");
	snprintf(seen->doc, sizeof(seen->doc), "%s", item->doc ? item->doc : "");
	snprintf(seen->fallback, sizeof(seen->fallback), "%s",
	    item->fallback ? item->fallback : "");
	*seen->values = '\0';
	for (value = item->values; value && *value; value++)
		strcat(strcat(seen->values, *value), "|");
	return !strcmp(item->name, "key") ? 17 : 0;
}

static struct seen
look(const char *path)
{
	struct seen seen = { 0 };
	struct mr_error error;

	if (mr_model_walk(model, path, remember, &seen, &error))
		fail_msg("%s: %s", path ? path : "the top", error.text);
	return seen;
}

static void
walks_know_everything(void **state)
{
	struct seen seen;
	struct mr_error error;

	assert_string_equal(look(NULL).names, "system table interface vault");
	assert_string_equal(look("table/storm").names, "packets");
	assert_string_equal(look("table/br0/extra").names, "low high");
	assert_string_equal(look("/table/br0/fixed/7/02:00:00:00:00:01/").names,
	    "vlan mac interface");
	assert_true(look("table/fixed/interface").last.mandatory);
	assert_true(look("table/fixed/mac").last.is_key);
	assert_false(look("table/fixed/mac").last.mandatory);

	seen = look("table/ageing");
	assert_int_equal(seen.last.kind, MR_MODEL_LEAF);
	assert_string_equal(seen.type, "a number of seconds between 10 and 1000000");
	assert_string_equal(seen.last.units, "seconds");
	assert_string_equal(seen.fallback, "300");
	assert_string_equal(seen.doc, "A time.");
	assert_false(seen.last.state);
	assert_string_equal(look("table/on").values, "true|false|");
	assert_string_equal(look("system/mode").values, "adaptive|poll|");
	assert_string_equal(look("table/kind").values, "plain|fancy|");
	assert_true(look("table/entries").last.state);
	assert_string_equal(look("table/member/interface").type, "the name of an interface");
	assert_string_equal(look("table/limit").type, "a number between 1 and 100, or none");
	assert_string_equal(look("table/flag").type, "no value: it is set by being there");
	assert_int_equal(look("table/tags").last.kind, MR_MODEL_LEAF_LIST);
	/* Descriptions of several lines come as one. */
	assert_null(strchr(look("system/workers").doc, '\n'));

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(mr_model_walk(model, "interface/options", remember, &seen, &error), 17);
	assert_string_equal(seen.names, "key");
	assert_int_equal(mr_model_walk(model, "sytem", remember, &seen, &error), -ENOENT);
	assert_string_equal(error.text,
	    "there is no \"sytem\" in the model; did you mean \"system\"?");
	assert_int_equal(mr_model_walk(model, "table/a/b", remember, &seen, &error), -ENOENT);
	assert_string_equal(error.text, "there is no \"b\" in table");
}

static void
descriptions_read_well(void **state)
{
	char *text = printed(
	    assert_int_equal(mr_model_describe(model, "interface/lan1/options", out, NULL), 0));

	assert_string_equal(text,
	    "key: text of 1 to 63 characters\n"
	    "    Key.\n"
	    "value: text of at most 4095 characters; required\n"
	    "    Value.\n");
	free(text);
	text = printed(assert_int_equal(mr_model_describe(model, "interface/mtu", out, NULL), 0));
	assert_string_equal(text,
	    "mtu: a number between 68 and 16000 (bytes)\n"
	    "    A number with units that are no time.\n");
	free(text);
	text = printed(assert_int_equal(mr_model_describe(model, "table/kind", out, NULL), 0));
	assert_string_equal(text,
	    "kind: one of plain, fancy; default plain\n"
	    "    What when looks at.\n"
	    "    fancy: With more.\n");
	free(text);
}

static void
the_reference_names_everything(void **state)
{
	struct mr_error error;
	char *text = printed(assert_int_equal(mr_model_reference(model, out, &error), 0));

	assert_non_null(strstr(text,
	    "## table\n\nA list with a bit of everything in it.\n\nEntries by `name`.\n"));
	assert_non_null(strstr(text,
	    "| `ageing` | a number of seconds between 10 and 1000000 | `300` | A time. |\n"));
	assert_non_null(strstr(text, "| `plain` | What when looks at. `fancy`: With more. |\n"));
	assert_non_null(strstr(text, "| `tags` | any number of: text |"));
	assert_non_null(
	    strstr(text, "| `fixed` | entries by `vlan mac` |  | Entries with two keys. |\n"));
	assert_non_null(strstr(text, "| `fixed/interface` | the name of a member | *required* | "));
	assert_non_null(strstr(text, "| `small` | a number between -5 and 5 or 10 |  | "));
	assert_non_null(strstr(text,
	    "Reported:\n\n| state | value | meaning |\n|---|---|---|\n| `entries` | "));
	assert_non_null(
	    strstr(text, "| `counters/drops/packets` | a number from 0 up | The counter. |\n"));
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
		cmocka_unit_test(modules_that_do_not_fit_are_refused),
		cmocka_unit_test(modules_import_each_other_in_any_order),
		cmocka_unit_test(walks_know_everything),
		cmocka_unit_test(descriptions_read_well),
		cmocka_unit_test(the_reference_names_everything),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
