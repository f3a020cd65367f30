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

#include "model/edit.h"
#include "model/print.h"
#include "model/state.h"

/* What is printed, as YAML and as JSON, and JSON that is read; on the example module. */

extern const char mr_yang_example[];

static struct mr_model *model;

static struct mr_config *
good(const char *text)
{
	struct mr_report *report;
	struct mr_config *config;

	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&config, model, "t", text, strlen(text), report)) {
		mr_report_print(report, stderr);
		fail_msg("refused: %s", text);
	}
	mr_report_destroy(report);
	return config;
}

static char *
printed(const struct mr_conf *node, const struct mr_print *how)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	mr_conf_print(node, how, out);
	fclose(out);
	return text;
}

#define BASE \
	"interface: {lan1: {mtu: 1500}, lan2: {}}\n" \
	"table:\n" \
	"  a:\n" \
	"    order: [3, 1, 2]\n" \
	"    tags: [x, y]\n" \
	"    by-port: 7\n" \
	"    member: [lan1]\n" \
	"    fixed: [{vlan: 7, mac: '02:00:00:00:00:01', interface: lan1}]\n" \
	"  b: {extra: {low: 1, high: 2}}\n"

/* -- printing -------------------------------------------------------------------------------- */

static void
prints_are_chosen(void **state)
{
	static const struct {
		struct mr_print how;
		const char *path, *text;
	} prints[] = {
		{ { .form = MR_PRINT_YAML }, "table/b", "extra: {low: 1, high: 2}\n" },
		{ { .form = MR_PRINT_YAML }, "interface", "mtu: 1500\n" },
		{ { .form = MR_PRINT_YAML }, "interface/lan1/mtu", "1500\n" },
		{ { .form = MR_PRINT_JSON }, "interface/lan1",
		    "{\"example:interface\":[{\"name\":\"lan1\",\"mtu\":1500}]}\n" },
		{ { .form = MR_PRINT_JSON }, "interface/lan1/mtu", "{\"example:mtu\":1500}\n" },
		{ { .form = MR_PRINT_JSON, .defaults = MR_PRINT_REPORT_ALL }, "interface/lan1",
		    "{\"example:interface\":[{\"name\":\"lan1\",\"driver\":\"xdp\",\"enabled\":"
		    "true,"
		    "\"mtu\":1500}]}\n" },
		{ { .form = MR_PRINT_JSON, .depth = 1 }, "table/b", "{\"example:table\":[{}]}\n" },
		{ { .form = MR_PRINT_JSON, .depth = 2 }, "table/b",
		    "{\"example:table\":[{\"name\":\"b\",\"extra\":{}}]}\n" },
		{ { .form = MR_PRINT_JSON }, "table/a/order/1", "{\"example:order\":[1]}\n" },
		{ { .form = MR_PRINT_JSON, .content = MR_PRINT_NONCONFIG }, "table/a",
		    "{\"example:table\":[{\"name\":\"a\"}]}\n" },
	};
	struct mr_config *config = good(BASE);
	const struct mr_conf *node;
	struct mr_error error;
	char *text;

	for (size_t i = 0; i < MR_ARRAY_COUNT(prints); i++) {
		assert_int_equal(mr_config_at(config, prints[i].path, &node, &error), 0);
		text = printed(node, &prints[i].how);
		assert_string_equal(text, prints[i].text);
		free(text);
	}
	mr_config_destroy(config);
	config =
	    good("table: {a: {ageing: 300, rate: 5G, limit: 16, ratio: 1.5, flag: , on: yes}}");
	text = printed(mr_conf_root(config), &(struct mr_print){ .form = MR_PRINT_JSON });
	assert_string_equal(text,
	    "{\"example:table\":[{\"name\":\"a\",\"ageing\":300,\"ratio\":\"1.5\",\"on\":true,"
	    "\"flag\":[null],\"limit\":16,\"rate\":\"5000000000\"}]}\n");
	free(text);
	text = printed(mr_conf_root(config),
	    &(struct mr_print){ .form = MR_PRINT_JSON, .defaults = MR_PRINT_TRIM });
	assert_null(strstr(text, "ageing"));
	free(text);
	mr_config_destroy(config);
}

static void
joined_with_state(void **state)
{
	static const char told[] = "{\"example:table\":[{\"name\":\"a\",\"entries\":7}]}";
	struct mr_config *config = good(BASE), *reported, *both;
	const struct mr_conf *node;
	struct mr_error error;
	char *text;

	assert_int_equal(mr_state_read(&reported, model, told, sizeof(told) - 1, &error), 0);
	assert_int_equal(mr_config_join(&both, config, reported), 0);
	assert_int_equal(mr_config_at(both, "table/a", &node, &error), 0);
	text = printed(node,
	    &(struct mr_print){ .form = MR_PRINT_JSON, .content = MR_PRINT_NONCONFIG });
	assert_string_equal(text, "{\"example:table\":[{\"name\":\"a\",\"entries\":7}]}\n");
	free(text);
	text =
	    printed(node, &(struct mr_print){ .form = MR_PRINT_JSON, .content = MR_PRINT_CONFIG });
	assert_null(strstr(text, "entries"));
	free(text);
	mr_config_destroy(both);
	mr_config_destroy(reported);
	mr_config_destroy(config);
}

/* Texts that readers of YAML might take for something else. */
static void
texts_survive(void **state)
{
	static const char *const texts[] = { "", " ", "~", "null", "yes", "1", "1.5", "0x10", "1e3",
		"-", "- a", "a: b", "a #b", "#b", "a:", "[a]", "{a}", "'a'", "\\\"a\\\"", "a\\nb",
		"\\t", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", "2026-11-21", "12:30:45",
		"a\\\\b", "\\u00fc", "\\U0001f600", "\\x01", "\\x7f", "<<", "=", "---", "a, b",
		"?a", "+1", ".5", "1_000", "a ", "a\\u2028b", "\\u0085", "\\ufeffa", "\\u0080",
		"\\u009f", "\\uffff" };

	for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++) {
		char yaml[200], *text;
		struct mr_config *config, *again;

		snprintf(yaml, sizeof(yaml),
		    "interface: {lan1: {description: \"%s\", options: {k: \"%s\"}}}", texts[i],
		    texts[i]);
		config = good(yaml);
		for (unsigned form = 0; form < 2; form++) {
			text = printed(mr_conf_root(config),
			    &(struct mr_print){ .form = (enum mr_print_form)form });
			if (form
				? mr_config_parse_json(&again, model, "j", text, strlen(text), NULL)
				: mr_config_parse(&again, model, "y", text, strlen(text), NULL))
				fail_msg("refused: %s", text);
			if (!mr_conf_equal(mr_conf_root(config), mr_conf_root(again)))
				fail_msg("%s", text);
			mr_config_destroy(again);
			free(text);
		}
		mr_config_destroy(config);
	}
}

/* -- JSON ------------------------------------------------------------------------------------ */

static void
json_is_read_strictly(void **state)
{
	static const struct {
		const char *text, *said; /* null: it is fine */
	} cases[] = {
		{ "{}", NULL },
		{ " {\"example:interface\": [ {\"name\" : \"l\\u0061n\"} ]}\n", NULL },
		{ "{\"interface\":[{\"name\":\"a\",\"mtu\":\"1500\"}]}", NULL },
		{ "{\"interface\":[{\"name\":\"a\",\"description\":\"\\ud83d\\ude00\"}]}", NULL },
		{ "", "j:1:1: not JSON: it ends too early" },
		{ "{", "not JSON: here a name should begin, between quotes" },
		{ "{}x", "j:1:3: not JSON: something follows the value" },
		{ "{\"a\" 1}", "not JSON: here a colon should be" },
		{ "{\"a\":1,}", "not JSON: here a name should begin, between quotes" },
		{ "[1 2]", "not JSON: here a comma or ] should be" },
		{ "{\"a\":01}", "not JSON" },
		{ "{\"a\":\"\\x\"}", "not JSON: a backslash" },
		{ "{\"a\":\"\\ud83d\"}", "not JSON: a backslash" },
		{ "{\"a\":\"b", "not JSON: a text has no end" },
		{ "{\"a\":\"\x01\"}", "not JSON: a control character" },
		{ "{\"a\":\"\xff\"}", "not JSON: not UTF-8" },
		{ "{\n \"interface\":[{\"name\":\"a\",\n  \"mtu\":3}]}",
		    "j:3:9: interface/a/mtu: \"3\" is not a number between 68 and 16000" },
		{ "{\"other:interface\":[]}", "unknown key \"other:interface\"" },
		{ "{\"interface\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "is there twice" },
		{ "{\"interface\":{},\"interface\":{}}", "is there twice" },
	};

	for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct mr_report *report;
		struct mr_config *config;
		char line[600] = "";
		int rc;

		assert_int_equal(mr_report_create(&report), 0);
		rc = mr_config_parse_json(&config, model, "j", cases[i].text, strlen(cases[i].text),
		    report);
		mr_report_format(report, 0, line, sizeof(line));
		if (cases[i].said ? !rc || !strstr(line, cases[i].said) : rc)
			fail_msg("%s: %s", cases[i].text, line);
		mr_report_destroy(report);
		mr_config_destroy(config);
	}
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
		cmocka_unit_test(prints_are_chosen),
		cmocka_unit_test(joined_with_state),
		cmocka_unit_test(texts_survive),
		cmocka_unit_test(json_is_read_strictly),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
