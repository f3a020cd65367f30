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

#include "model/complete.h"
#include "model/diff.h"
#include "model/edit.h"

/* Paths, edits and differences, on the example module of model/testing. */

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

/* -- paths ----------------------------------------------------------------------------------- */

static const struct {
	const char *path, *same; /* null: not found; empty text: refused */
} paths[] = {
	{ "interface/lan1/mtu", "interface/lan1/mtu" },
	{ "/interface//lan1/mtu/", NULL }, /* an empty key */
	{ "/interface/lan1/mtu", "interface/lan1/mtu" },
	{ "interface=lan1/mtu", "interface/lan1/mtu" },
	{ "example:interface=lan1/mtu", "interface/lan1/mtu" },
	{ "interface/l%61n1", "interface/lan1" },
	{ "table/a/fixed/7/02:00:00:00:00:01/interface",
	    "table/a/fixed/7/02:00:00:00:00:01/interface" },
	{ "table=a/fixed=7,02%3A00:00:00:00:01", "table/a/fixed/7/02:00:00:00:00:01" },
	{ "table/a/order/1", "table/a/order/1" },
	{ "table/a/order=1", "table/a/order/1" },
	{ "interface/lan1/driver", "interface/lan1/driver" }, /* a default is something */
	{ "interface/lan3", NULL },
	{ "table/a/fixed/8/02:00:00:00:00:01", NULL },
	{ "table/a/order/9", NULL },
	{ "interfaces", "" },
	{ "other:interface=lan1", "" },
	{ "interface/lan1/mtu/x", "" },
	{ "table/a/fixed/7", "" },
	{ "table/a/fixed=7", "" },
	{ "table/a/order/x", "" },
	{ "interface/lan%", "" },
	{ "interface/lan%4", "" },
	{ "interface/lan%00", "" },
	{ "interface/lan%FF", "" },
	{ "system=x", "" },
	{ "interface=a b", "" },
};

static void
paths_lead_to_nodes(void **state)
{
	struct mr_config *config = good(BASE);
	const struct mr_conf *node;
	struct mr_error error;
	char text[300];

	for (size_t i = 0; i < MR_ARRAY_COUNT(paths); i++) {
		int rc = mr_config_at(config, paths[i].path, &node, &error);
		int wanted = !paths[i].same ? -ENOENT : *paths[i].same ? 0 : -EINVAL;

		if (i == 1)
			wanted = -EINVAL;
		if (rc != wanted)
			fail_msg("%s: %d (%s)", paths[i].path, rc, rc ? error.text : "");
		if (rc)
			continue;
		mr_path_print(node, text, sizeof(text));
		assert_string_equal(text, paths[i].same);
	}
	assert_int_equal(mr_config_at(config, "", &node, &error), 0);
	assert_ptr_equal(node, mr_conf_root(config));
	assert_int_equal(mr_config_at(config, "table/a/fixed/7/02:00:00:00:00:01", &node, &error),
	    0);
	mr_path_print_rfc8040(node, text, sizeof(text));
	assert_string_equal(text, "example:table=a/fixed=7,02%3A00%3A00%3A00%3A00%3A01");
	/* Cut, like snprintf. */
	assert_int_equal(mr_path_print(node, text, 6), 33);
	assert_string_equal(text, "table");
	mr_config_destroy(config);
}

/* Every node's printed path is read back as that node, whatever its keys hold. */
static void
odd_keys_come_back(void **state)
{
	static const char *const keys[] = { "a/b", "%2F", "a,b", "a=b", "/", "a b", "ü", "'\"", "%",
		"-" };
	char yaml[600] = "interface:\n  lan1:\n    options:\n", path[300];
	struct mr_config *config;
	const struct mr_conf *node, *found;
	struct mr_error error;
	unsigned count = 0;

	for (size_t i = 0; i < MR_ARRAY_COUNT(keys); i++)
		snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml),
		    "      - {key: \"%s%s\", value: v}\n", strchr(keys[i], '"') ? "'\\\"" : keys[i],
		    strchr(keys[i], '"') ? "" : "");
	config = good(yaml);
	mr_conf_each(node, mr_conf_child(mr_conf_root(config), "interface"), "options") {
		for (unsigned form = 0; form < 2; form++) {
			(form ? mr_path_print_rfc8040 : mr_path_print)(node, path, sizeof(path));
			if (mr_config_at(config, path, &found, &error))
				fail_msg("%s: %s", path, error.text);
			assert_ptr_equal(found, node);
		}
		count++;
	}
	assert_int_equal(count, MR_ARRAY_COUNT(keys));
	mr_config_destroy(config);
}

/* -- edits ----------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	struct mr_edit edit;
	int rc;
	const char *said; /* the changes, or the error */
} edits[] = {
	{ "a leaf", { .op = MR_EDIT_MERGE, .path = "interface/lan1/mtu", .value = "9k" }, 0,
	    "change interface/lan1/mtu 1500 9000\n" },
	{ "a leaf that was not there",
	    { .op = MR_EDIT_MERGE, .path = "interface/lan2/mtu", .value = "1400" }, 0,
	    "create interface/lan2/mtu - 1400\n" },
	{ "the default, written",
	    { .op = MR_EDIT_MERGE, .path = "interface/lan2/driver", .value = "xdp" }, 0, "" },
	{ "an entry", { .op = MR_EDIT_MERGE, .path = "interface/lan3", .value = "{mtu: 1400}" }, 0,
	    "create interface/lan3 - {mtu: 1400}\n" },
	{ "a bare entry", { .op = MR_EDIT_MERGE, .path = "interface/lan3" }, 0,
	    "create interface/lan3 - {}\n" },
	{ "what is there stays",
	    { .op = MR_EDIT_MERGE, .path = "interface/lan1", .value = "{rx-queues: 2}" }, 0,
	    "create interface/lan1/rx-queues - 2\n" },
	{ "what is there goes",
	    { .op = MR_EDIT_REPLACE, .path = "interface/lan1", .value = "{rx-queues: 2}" }, 0,
	    "delete interface/lan1/mtu 1500 -\ncreate interface/lan1/rx-queues - 2\n" },
	{ "a short value",
	    { .op = MR_EDIT_MERGE, .path = "interface/lan1/options/queues", .value = "2" }, 0,
	    "create interface/lan1/options/queues - {value: \"2\"}\n" },
	{ "an entry with two keys",
	    { .op = MR_EDIT_MERGE,
		.path = "table/a/fixed/8/02:00:00:00:00:02",
		.value = "{interface: lan1}" },
	    0, "create table/a/fixed/8/02:00:00:00:00:02 - {interface: lan1}\n" },
	{ "an item of a leaf-list", { .op = MR_EDIT_MERGE, .path = "table/a/tags/z" }, 0,
	    "create table/a/tags/z - z\n" },
	{ "a whole leaf-list", { .op = MR_EDIT_REPLACE, .path = "table/a/tags", .value = "[x, w]" },
	    0, "delete table/a/tags/y y -\ncreate table/a/tags/w - w\n" },
	{ "another case of a choice",
	    { .op = MR_EDIT_MERGE, .path = "table/a/by-name", .value = "n" }, 0,
	    "delete table/a/by-port 7 -\ncreate table/a/by-name - n\n" },
	{ "to the front",
	    { .op = MR_EDIT_MERGE, .path = "table/a/order/2", .where = MR_EDIT_FIRST }, 0,
	    "move table/a/order/2 after 1 first\n" },
	{ "behind another",
	    { .op = MR_EDIT_MERGE,
		.path = "table/a/order/9",
		.where = MR_EDIT_AFTER,
		.point = "table/a/order/3" },
	    0, "create table/a/order/9 - 9\n" },
	{ "behind nobody",
	    { .op = MR_EDIT_MERGE,
		.path = "table/a/order/9",
		.where = MR_EDIT_AFTER,
		.point = "table/a/order/8" },
	    -EINVAL, "table/a/order/9: there is no entry table/a/order/8 beside it" },
	{ "no order to change",
	    { .op = MR_EDIT_MERGE, .path = "interface/lan2", .where = MR_EDIT_FIRST }, -EINVAL,
	    "interface/lan2: has no order that could be changed" },
	{ "created", { .op = MR_EDIT_CREATE, .path = "interface/lan3" }, 0,
	    "create interface/lan3 - {}\n" },
	{ "created over a default",
	    { .op = MR_EDIT_CREATE, .path = "interface/lan1/driver", .value = "x" }, 0,
	    "change interface/lan1/driver xdp x\n" },
	{ "created twice", { .op = MR_EDIT_CREATE, .path = "interface/lan1" }, -EEXIST,
	    "interface/lan1: is there already" },
	{ "deleted", { .op = MR_EDIT_DELETE, .path = "interface/lan2" }, 0,
	    "delete interface/lan2 {} -\n" },
	{ "a whole list deleted", { .op = MR_EDIT_DELETE, .path = "table" }, 0,
	    "delete table/a {tags: [x, \"y\"], order: [3, 1, 2], member: {lan1: {}}, fixed: "
	    "[{vlan: "
	    "7, mac: \"02:00:00:00:00:01\", interface: lan1}], by-port: 7} -\n"
	    "delete table/b {extra: {low: 1, high: 2}} -\n" },
	{ "an item deleted", { .op = MR_EDIT_DELETE, .path = "table/a/order/1" }, 0,
	    "delete table/a/order/1 1 -\n" },
	{ "nothing to delete", { .op = MR_EDIT_DELETE, .path = "interface/lan3" }, -ENOENT,
	    "interface/lan3: there is nothing to delete" },
	{ "a default is nothing", { .op = MR_EDIT_DELETE, .path = "interface/lan1/driver" },
	    -ENOENT, "interface/lan1/driver: there is nothing to delete" },
	{ "nothing to remove", { .op = MR_EDIT_REMOVE, .path = "interface/lan3" }, 0, "" },
	{ "everything", { .op = MR_EDIT_DELETE, .path = "" }, -EINVAL,
	    "the whole configuration cannot be deleted" },
	{ "a key", { .op = MR_EDIT_DELETE, .path = "interface/lan1/name" }, -EINVAL,
	    "interface/lan1/name: is a key: delete its entry" },
	{ "state", { .op = MR_EDIT_MERGE, .path = "table/a/entries", .value = "1" }, -EINVAL,
	    "table/a/entries: is state: millrace reports it and it cannot be configured" },
	{ "no value", { .op = MR_EDIT_MERGE, .path = "interface/lan1/mtu" }, -EINVAL,
	    "interface/lan1/mtu: has no value; it needs a number between 68 and 16000" },
	{ "a bad value", { .op = MR_EDIT_MERGE, .path = "interface/lan1/mtu", .value = "9" },
	    -EINVAL, "interface/lan1/mtu: \"9\" is not a number between 68 and 16000" },
	{ "a bad value inside",
	    { .op = MR_EDIT_MERGE, .path = "interface/lan1", .value = "{mut: 9}" }, -EINVAL,
	    "interface/lan1: unknown key \"mut\"; did you mean \"mtu\"?" },
	{ "no UTF-8", { .op = MR_EDIT_MERGE, .path = "table/b/by-name", .value = "a\xac" }, -EINVAL,
	    "table/b/by-name: the value is not UTF-8" },
	{ "no such place", { .op = MR_EDIT_MERGE, .path = "interface/lan1/mut", .value = "9" },
	    -EINVAL,
	    "interface/lan1/mut: there is no \"mut\" in interface; did you mean \"mtu\"?" },
	{ "a reference to nothing", { .op = MR_EDIT_REMOVE, .path = "interface/lan1" }, -EINVAL,
	    "table/a/member/lan1: no interface named \"lan1\"" },
	{ "a rule of the model", { .op = MR_EDIT_MERGE, .path = "table/b/extra/low", .value = "3" },
	    -EINVAL, "table/b/extra: has a low above its high" },
	{ "an empty leaf", { .op = MR_EDIT_MERGE, .path = "table/b/flag" }, 0,
	    "create table/b/flag - \n" },
#define J(text) .json = text, .json_size = sizeof(text) - 1
	{ "JSON of a leaf",
	    { .op = MR_EDIT_REPLACE, .path = "interface=lan1/mtu", J("{\"example:mtu\":9000}") }, 0,
	    "change interface/lan1/mtu 1500 9000\n" },
	{ "JSON of an entry",
	    { .op = MR_EDIT_REPLACE,
		.path = "example:interface=lan1",
		J("{\"example:interface\":[{\"name\":\"lan1\",\"rx-queues\":2}]}") },
	    0, "delete interface/lan1/mtu 1500 -\ncreate interface/lan1/rx-queues - 2\n" },
	{ "JSON of another entry",
	    { .op = MR_EDIT_REPLACE,
		.path = "interface=lan1",
		J("{\"example:interface\":[{\"name\":\"lan2\"}]}") },
	    -EINVAL,
	    "interface=lan1: the value is about something else than the path, or about more" },
	{ "JSON of two entries",
	    { .op = MR_EDIT_REPLACE,
		.path = "interface=lan1",
		J("{\"interface\":[{\"name\":\"lan1\"},{\"name\":\"lan2\"}]}") },
	    -EINVAL,
	    "interface=lan1: the value is about something else than the path, or about more" },
	{ "JSON of another name",
	    { .op = MR_EDIT_REPLACE, .path = "interface=lan1", J("{\"table\":[]}") }, -EINVAL,
	    "interface=lan1: the value is a \"table\", but the path names a \"interface\"" },
	{ "a child",
	    { .op = MR_EDIT_CREATE,
		.path = "interface=lan1",
		J("{\"example:rx-queues\":2}"),
		.child = true },
	    0, "create interface/lan1/rx-queues - 2\n" },
	{ "a child of the top",
	    { .op = MR_EDIT_CREATE,
		.path = "",
		J("{\"example:interface\":[{\"name\":\"lan3\"}]}"),
		.child = true },
	    0, "create interface/lan3 - {}\n" },
	{ "a child that is there",
	    { .op = MR_EDIT_CREATE,
		.path = "",
		J("{\"example:interface\":[{\"name\":\"lan1\"}]}"),
		.child = true },
	    -EEXIST, "interface/lan1: is there already" },
	{ "an empty leaf in JSON",
	    { .op = MR_EDIT_MERGE, .path = "table=b", J("{\"flag\":[null]}"), .child = true }, 0,
	    "create table/b/flag - \n" },
	{ "everything in JSON",
	    { .op = MR_EDIT_REPLACE,
		.path = "",
		J("{\"ietf-restconf:data\":{\"example:interface\":[{\"name\":"
		  "\"lan9\"}]}}") },
	    0,
	    "delete table/a {tags: [x, \"y\"], order: [3, 1, 2], member: {lan1: {}}, fixed: "
	    "[{vlan: "
	    "7, mac: \"02:00:00:00:00:01\", interface: lan1}], by-port: 7} -\n"
	    "delete table/b {extra: {low: 1, high: 2}} -\n"
	    "delete interface/lan1 {mtu: 1500} -\ndelete interface/lan2 {} -\n"
	    "create interface/lan9 - {}\n" },
	{ "no JSON", { .op = MR_EDIT_MERGE, .path = "interface=lan1", J("{\"a\":}") }, -EINVAL,
	    "not JSON: here a value should begin" },
};

static char *
said_by(const struct mr_config *from, const struct mr_config *to)
{
	struct mr_diff *diff;
	const struct mr_change *c;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(mr_diff_create(&diff, from, to), 0);
	for (size_t i = 0; (c = mr_diff_at(diff, i)); i++)
		fprintf(out, "%s %s %s %s\n", mr_diff_word(c->op), c->path, c->old ? c->old : "-",
		    c->value ? c->value : "-");
	fclose(out);
	mr_diff_destroy(diff);
	return text;
}

static void
edits_do_what_they_say(void **state)
{
	for (size_t i = 0; i < MR_ARRAY_COUNT(edits); i++) {
		struct mr_config *from = good(BASE), *before = good(BASE), *to;
		struct mr_report *report;
		char line[1000] = "", *said;
		int rc;

		assert_int_equal(mr_report_create(&report), 0);
		rc = mr_config_edit(&to, model, from, &edits[i].edit, 1, report);
		if (mr_report_count(report))
			mr_report_format(report, 0, line, sizeof(line));
		if (rc != edits[i].rc)
			fail_msg("%s: %d, %s", edits[i].what, rc, line);
		if (rc) {
			assert_null(to);
			if (!strstr(line, edits[i].said))
				fail_msg("%s: %s", edits[i].what, line);
		} else {
			assert_int_equal(mr_report_count(report), 0);
			said = said_by(from, to);
			if (strcmp(said, edits[i].said))
				fail_msg("%s: %s", edits[i].what, said);
			free(said);
		}
		/* What it was made from is as it was. */
		assert_true(mr_conf_equal(mr_conf_root(from), mr_conf_root(before)));
		mr_report_destroy(report);
		mr_config_destroy(from);
		mr_config_destroy(before);
		mr_config_destroy(to);
	}
}

/* Several edits are one change: what lies between them need not be right. */
static void
edits_are_checked_together(void **state)
{
	const struct mr_edit both[] = {
		{ .op = MR_EDIT_DELETE, .path = "interface/lan1" },
		{ .op = MR_EDIT_DELETE, .path = "table/a/fixed" },
		{ .op = MR_EDIT_DELETE, .path = "table/a/member/lan1" },
		{ .op = MR_EDIT_MERGE, .path = "table/a/ageing", .value = "10m" },
	};
	struct mr_config *from = good(BASE), *to;
	char path[100];
	const struct mr_edit child = { .op = MR_EDIT_CREATE,
		.path = "table=a",
		J("{\"member\":[{\"interface\":\"lan2\"}]}"),
		.child = true };

	assert_int_equal(mr_config_edit(&to, model, from, both, 2, NULL), -EINVAL);
	assert_int_equal(mr_config_edit(&to, model, from, both, 4, NULL), 0);
	assert_int_equal(mr_conf_uint(mr_conf_child(mr_conf_root(to), "table"), "ageing", 0), 600);
	mr_config_destroy(to);
	assert_int_equal(mr_edit_target(model, &child, path, sizeof(path), NULL), 0);
	assert_string_equal(path, "table/a/member/lan2");
	mr_config_destroy(from);
}

/* -- differences ----------------------------------------------------------------------------- */

static void
moves_are_few(void **state)
{
	struct mr_config *a = good("table: {a: {order: [1, 2, 3, 4, 5]}}");
	struct mr_config *b = good("table: {a: {order: [5, 1, 2, 9, 4]}}");
	char *said = said_by(a, b);
	struct mr_diff *diff;

	assert_string_equal(said,
	    "delete table/a/order/3 3 -\ncreate table/a/order/9 - 9\n"
	    "move table/a/order/5 after 4 first\n");
	free(said);
	assert_int_equal(mr_diff_create(&diff, a, b), 0);
	assert_true(mr_diff_touches(diff, "table/a/order"));
	assert_true(mr_diff_touches(diff, "table/a/order/5"));
	assert_true(mr_diff_touches(diff, "table"));
	assert_false(mr_diff_touches(diff, "table/a/ordered"));
	assert_false(mr_diff_touches(diff, "tab"));
	assert_false(mr_diff_touches(diff, "table/a/order/1"));
	mr_diff_destroy(diff);
	mr_config_destroy(a);
	mr_config_destroy(b);
}

/* -- completion ------------------------------------------------------------------------------ */

static void
gather(void *arg, const char *candidate)
{
	char *text = arg;

	snprintf(text + strlen(text), 1000 - strlen(text), "%s%s", *text ? " " : "", candidate);
}

static void
paths_are_completed(void **state)
{
	static const struct {
		const char *typed;
		bool there;
		const char *offered;
	} cases[] = {
		{ "sys", false, "system/" },
		{ "interface", false, "interface/" },
		{ "interface/", false, "interface/lan1/ interface/lan2/" },
		{ "interface/lan1/m", false, "interface/lan1/mtu" },
		{ "interface/lan9/m", false, "interface/lan9/mtu" },
		{ "interface/lan1/", true, "interface/lan1/mtu" },
		{ "table/a/member/", false, "table/a/member/lan1/ table/a/member/lan2/" },
		{ "table/a/member/", true, "table/a/member/lan1/" },
		{ "table/a/fixed/", false, "table/a/fixed/7/02:00:00:00:00:01/" },
		{ "table/a/fixed/7/02:00:00:00:00:01/i", false,
		    "table/a/fixed/7/02:00:00:00:00:01/interface" },
		{ "table/a/tags/", false, "table/a/tags/x table/a/tags/y" },
		{ "table/a/nothing/", false, "" },
		{ "interface/lan1/mtu/", false, "" },
	};
	struct mr_config *config = good(BASE);
	char text[1000];

	for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		*text = '\0';
		mr_complete_path(model, config, cases[i].typed, cases[i].there, gather, text);
		assert_string_equal(text, cases[i].offered);
	}
	*text = '\0';
	mr_complete_path(model, NULL, "table/a/kin", false, gather, text);
	mr_complete_value(model, NULL, "table/a/kind", gather, text);
	mr_complete_value(model, config, "table/a/on", gather, text);
	mr_complete_value(model, config, "interface/lan2/cross-connect", gather, text);
	mr_complete_value(model, config, "interface/lan2/mtu", gather, text);
	assert_string_equal(text, "table/a/kind plain fancy true false lan1 lan2");
	mr_config_destroy(config);
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
		cmocka_unit_test(paths_lead_to_nodes),
		cmocka_unit_test(odd_keys_come_back),
		cmocka_unit_test(edits_do_what_they_say),
		cmocka_unit_test(edits_are_checked_together),
		cmocka_unit_test(moves_are_few),
		cmocka_unit_test(paths_are_completed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
