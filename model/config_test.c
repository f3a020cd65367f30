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
#include <unistd.h>

#include "model/config.h"

/* AddressSanitizer makes libyang's many small allocations slow. */
#if defined(__SANITIZE_ADDRESS__)
#define SLOWER 8
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOWER 8
#endif
#endif
#ifndef SLOWER
#define SLOWER 1
#endif

extern const char mr_yang_example[];

static struct mr_model *model;

/* What would print to a file, as a text for the caller to free. */
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

static int
parse(struct mr_config **config, struct mr_report **report, const char *text, size_t size)
{
	assert_int_equal(mr_report_create(report), 0);
	return mr_config_parse(config, model, "t", text, size, *report);
}

static struct mr_config *
good(const char *text)
{
	struct mr_config *config;
	struct mr_report *report;
	int rc = parse(&config, &report, text, strlen(text));

	if (rc)
		mr_report_print(report, stderr);
	assert_int_equal(rc, 0);
	assert_int_equal(mr_report_count(report), 0);
	mr_report_destroy(report);
	return config;
}

/* Files with mistakes, and all that is said about them. */
static const struct {
	const char *what, *yaml, *said;
} bad[] = {
#include "model/config_test_bad.inc"
};

static void
bad_files_are_explained(void **state)
{
	size_t i, wrong = 0;

	for (i = 0; i < MR_ARRAY_COUNT(bad); i++) {
		struct mr_config *config;
		struct mr_report *report;
		int rc = parse(&config, &report, bad[i].yaml, strlen(bad[i].yaml));
		char *said = printed(mr_report_print(report, out));

		if (*said)
			said[strlen(said) - 1] = '\0';
		if (rc != -EINVAL || config || strcmp(said, bad[i].said)) {
			print_error("%s\n  wanted: %s\n  said:   %s\n", bad[i].what, bad[i].said,
			    said);
			wrong++;
		}
		free(said);
		mr_report_destroy(report);
		mr_config_destroy(config);
	}
	assert_int_equal(wrong, 0);
}

/* Ways to write things, and what they mean. */
static const struct {
	const char *what, *yaml, *node, *means;
} forms[] = {
	{ "nothing at all", "", "interface", NULL },
	{ "a comment", "# nothing\n", "interface", NULL },
	{ "null", "~\n", "interface", NULL },
	{ "an empty list", "interface:\n", "interface", NULL },
	{ "a bare entry", "table: {a: {member: {lan1: }}}\ninterface: {lan1: }\n", "table",
	    "{\"name\":\"a\",\"ageing\":300,\"on\":false,\"limit\":\"none\",\"member\":"
	    "[{\"interface\":\"lan1\"}],\"extra\":{},\"kind\":\"plain\"}" },
	{ "entries as a sequence", "table:\n  - name: a\n    ageing: 20\n", "table",
	    "{\"name\":\"a\",\"ageing\":20,\"on\":false,\"limit\":\"none\",\"extra\":{},\"kind\":"
	    "\"plain\"}" },
	{ "entries as bare words", "table: [a]\n", "table",
	    "{\"name\":\"a\",\"ageing\":300,\"on\":false,\"limit\":\"none\",\"extra\":{},\"kind\":"
	    "\"plain\"}" },
	{ "the key repeated", "table: {a: {name: a}}\n", "table",
	    "{\"name\":\"a\",\"ageing\":300,\"on\":false,\"limit\":\"none\",\"extra\":{},\"kind\":"
	    "\"plain\"}" },
	{ "numbers and times",
	    "table: {a: {ageing: 5m, patience: 1.5s, small: -5, rate: 14.88M, limit: 0x10, ratio: "
	    "1.25}}\n",
	    "table",
	    "{\"name\":\"a\",\"ageing\":300,\"patience\":1500,\"small\":-5,\"ratio\":1.25,"
	    "\"on\":false,"
	    "\"limit\":\"16\",\"rate\":14880000,\"extra\":{},\"kind\":\"plain\"}" },
	{ "more numbers", "table: {a: {ageing: '20s', patience: 1h, rate: 1_000Ki, limit: none}}\n",
	    "table",
	    "{\"name\":\"a\",\"ageing\":20,\"patience\":3600000,\"on\":false,\"limit\":\"none\","
	    "\"rate\":1024000,\"extra\":{},\"kind\":\"plain\"}" },
	{ "yes and no", "table: {a: {on: Yes, flag: }}\n", "table",
	    "{\"name\":\"a\",\"ageing\":300,\"on\":true,\"flag\":\"\",\"limit\":\"none\",\"extra\":"
	    "{},"
	    "\"kind\":\"plain\"}" },
	{ "sequences and single values",
	    "table: {a: {tags: x, order: [3, 1, 2], vlans: [10, 20-30]}}\n", "table",
	    "{\"name\":\"a\",\"ageing\":300,\"on\":false,\"vlans\":\"10,20-30\",\"limit\":\"none\","
	    "\"tags\":[\"x\"],\"order\":[3,1,2],\"extra\":{},\"kind\":\"plain\"}" },
	{ "two keys and a reference",
	    "interface: [lan1]\n"
	    "table: {a: {member: [lan1], fixed: [{vlan: 1, mac: '02:00:00:00:00:01', interface: "
	    "lan1}]}}\n",
	    "table",
	    "{\"name\":\"a\",\"ageing\":300,\"on\":false,\"limit\":\"none\",\"member\":[{"
	    "\"interface\":"
	    "\"lan1\"}],\"fixed\":[{\"vlan\":1,\"mac\":\"02:00:00:00:00:01\",\"interface\":"
	    "\"lan1\"}],"
	    "\"extra\":{},\"kind\":\"plain\"}" },
	{ "presence, choice and when",
	    "table: {a: {storm: {packets: 1k}, by-both: 5, by-word: x, kind: fancy, colour: "
	    "red}}\n",
	    "table",
	    "{\"name\":\"a\",\"ageing\":300,\"on\":false,\"limit\":\"none\",\"storm\":{\"packets\":"
	    "1000},"
	    "\"extra\":{},\"by-both\":5,\"by-word\":\"x\",\"kind\":\"fancy\",\"colour\":\"red\"}" },
	{ "a value for an entry",
	    "interface: {lan1: {options: {busy-poll: 50, mode: {value: x}}}}\n", "interface",
	    "{\"name\":\"lan1\",\"driver\":\"xdp\",\"enabled\":true,\"options\":[{\"key\":\"busy-"
	    "poll\","
	    "\"value\":\"50\"},{\"key\":\"mode\",\"value\":\"x\"}]}" },
	{ "an anchor and an alias", "interface:\n  lan1: &x {mtu: 9k}\n  lan2: *x\n", "interface",
	    "{\"name\":\"lan1\",\"driver\":\"xdp\",\"enabled\":true,\"mtu\":9000}" },
	{ "a merge that is overridden",
	    "interface:\n  lan1:\n    mtu: 1500\n    <<: [{mtu: 9000, device: a}, {device: b, "
	    "enabled: no}]\n",
	    "interface",
	    "{\"name\":\"lan1\",\"driver\":\"xdp\",\"device\":\"a\",\"enabled\":false,\"mtu\":"
	    "1500}" },
	{ "JSON", "{\"interface\": {\"lan1\": {\"mtu\": 1500, \"enabled\": false}}}", "interface",
	    "{\"name\":\"lan1\",\"driver\":\"xdp\",\"enabled\":false,\"mtu\":1500}" },
	{ "text that looks like something else",
	    "interface: {lan1: {description: 'null', device: \"5\"}}\n", "interface",
	    "{\"name\":\"lan1\",\"description\":\"null\",\"driver\":\"xdp\",\"device\":\"5\","
	    "\"enabled\":true}" },
	{ "not ASCII",
	    "\xef\xbb\xbfinterface: {lan1: {description: \"Gl\xc3\xbchw\xc3\xbcrmchen\"}}\n",
	    "interface",
	    "{\"name\":\"lan1\",\"description\":\"Gl\xc3\xbchw\xc3\xbcrmchen\",\"driver\":\"xdp\","
	    "\"enabled\":true}" },
};

static void
forms_mean_what_they_should(void **state)
{
	size_t i, wrong = 0;

	for (i = 0; i < MR_ARRAY_COUNT(forms); i++) {
		struct mr_config *config = good(forms[i].yaml);
		const struct mr_conf *node = mr_conf_child(mr_conf_root(config), forms[i].node);
		char *means = node ? printed(mr_conf_print_json(node, out)) : NULL;

		if (forms[i].means ? !means || strcmp(means, forms[i].means) : !!means) {
			print_error("%s\n  wanted: %s\n  is:     %s\n", forms[i].what,
			    forms[i].means ? forms[i].means : "nothing", means ? means : "nothing");
			wrong++;
		}
		free(means);
		mr_config_destroy(config);
	}
	assert_int_equal(wrong, 0);
}

static void
accessors_read(void **state)
{
	struct mr_config *config =
	    good("interface: {lan1: {mtu: 9000, promiscuous: true}, lan2: {enabled: no}}\n"
		 "table:\n"
		 "  a: {small: -3, mac: '02:00:0a:00:00:FF', vlans: '1,5-7,4094', order: [9, 8], "
		 "tags: [x, y]}\n"
		 "  b: {fixed: [{vlan: 7, mac: '02:00:00:00:00:01', interface: lan2}], member: "
		 "[lan2]}\n");
	const struct mr_conf *root = mr_conf_root(config), *lan1, *a, *b, *node;
	const char *cursor, *absent = NULL;
	unsigned first, last, line, column, sum = 0;
	uint8_t mac[6];
	char path[MR_CONF_PATH_MAX], tiny[8];

	lan1 = mr_conf_child(root, "interface");
	assert_string_equal(mr_conf_name(lan1), "interface");
	assert_string_equal(mr_conf_key(lan1), "lan1");
	assert_null(mr_conf_key_at(lan1, 1));
	assert_string_equal(mr_conf_key(mr_conf_next(lan1)), "lan2");
	assert_null(mr_conf_next(mr_conf_next(lan1)));
	assert_int_equal(mr_conf_count(root, "interface"), 2);
	assert_ptr_equal(mr_conf_find(root, "interface", "lan1"), lan1);
	assert_null(mr_conf_find(root, "interface", "lan3"));
	assert_int_equal(mr_conf_uint(lan1, "mtu", 1), 9000);
	assert_int_equal(mr_conf_uint(lan1, "rx-queues", 77), 77);
	assert_int_equal(mr_conf_uint(lan1, "no-such-leaf", 78), 78);
	assert_string_equal(mr_conf_text(lan1, "driver", "?"), "xdp");
	assert_null(mr_conf_text(lan1, "device", NULL));
	assert_true(mr_conf_bool(lan1, "promiscuous", false));
	assert_true(mr_conf_bool(lan1, "enabled", false));
	assert_false(mr_conf_bool(mr_conf_next(lan1), "enabled", true));
	assert_true(mr_conf_bool(mr_conf_next(lan1), "promiscuous", true));
	assert_true(mr_conf_present(lan1, "driver"));
	assert_false(mr_conf_present(lan1, "device"));
	assert_true(mr_conf_is_default(mr_conf_child(lan1, "driver")));
	assert_false(mr_conf_is_default(mr_conf_child(lan1, "mtu")));

	a = mr_conf_find(root, "table", "a");
	b = mr_conf_find(root, "table", "b");
	assert_int_equal(mr_conf_int(a, "small", 0), -3);
	assert_true(mr_conf_mac(a, "mac", mac));
	assert_memory_equal(mac, "\x02\x00\x0a\x00\x00\xff", 6);
	assert_false(mr_conf_mac(b, "mac", mac));
	cursor = mr_conf_text(a, "vlans", NULL);
	while (mr_ranges_next(&cursor, &first, &last))
		sum = sum * 1000 + (last - first + 1) * first;
	assert_int_equal(sum, (1 * 1000 + 15) * 1000 + 4094);
	assert_false(mr_ranges_next(&absent, &first, &last));
	sum = 0;
	mr_conf_each(node, a, "order")
		sum = sum * 10 + (unsigned)mr_conf_value_uint(node);
	assert_int_equal(sum, 98);
	assert_string_equal(mr_conf_value(mr_conf_child(a, "tags")), "x");
	assert_null(mr_conf_value(a));
	node = mr_conf_child(b, "fixed");
	assert_string_equal(mr_conf_key_at(node, 1), "02:00:00:00:00:01");
	assert_ptr_equal(mr_conf_parent(node), b);
	assert_null(mr_conf_parent(b));

	node = mr_conf_child(node, "interface");
	mr_conf_path(node, path, sizeof(path));
	assert_string_equal(path, "table/b/fixed/7/02:00:00:00:00:01/interface");
	mr_conf_path(node, tiny, sizeof(tiny));
	assert_string_equal(tiny, "table/b");
	mr_conf_where(node, &line, &column);
	assert_int_equal(line, 4);
	assert_int_equal(column, 62);
	mr_conf_where(mr_conf_child(lan1, "driver"), &line, &column);
	assert_int_equal(line, 1);
	assert_int_equal(column, 13);

	/* Nothing is also somewhere to look. */
	assert_null(mr_conf_child(NULL, "x"));
	assert_null(mr_conf_next(NULL));
	assert_int_equal(mr_conf_uint(NULL, "x", 5), 5);
	assert_string_equal(mr_conf_key(NULL), "");
	assert_int_equal(mr_conf_count(NULL, "x"), 0);
	mr_config_destroy(config);
}

static void
secrets_are_known(void **state)
{
	struct mr_config *config = good("vault: {a: {hidden: x, bgp-password: y, open: 20}}\n");
	const struct mr_conf *a = mr_conf_child(mr_conf_root(config), "vault");

	assert_true(mr_conf_is_secret(mr_conf_child(a, "hidden")));
	assert_true(mr_conf_is_secret(mr_conf_child(a, "bgp-password")));
	assert_false(mr_conf_is_secret(mr_conf_child(a, "open")));
	assert_false(mr_conf_is_secret(a));
	assert_false(mr_conf_is_secret(mr_conf_root(config)));
	assert_false(mr_conf_is_secret(NULL));
	assert_true(mr_name_is_secret("token"));
	assert_true(mr_name_is_secret("pre-shared-psk"));
	assert_false(mr_name_is_secret("tokens-per-second"));
	assert_false(mr_name_is_secret(""));
	mr_config_destroy(config);
}

static void
reports_point_at_nodes(void **state)
{
	struct mr_config *config = good("interface:\n  lan1:\n    mtu: 9000\n");
	const struct mr_conf *lan1 = mr_conf_child(mr_conf_root(config), "interface");
	struct mr_report *report;
	char *said;
	unsigned i;

	assert_int_equal(mr_report_create(&report), 0);
	mr_report_at(report, config, mr_conf_child(lan1, "mtu"), "is more than veth0 takes (%u)",
	    1500);
	mr_report_at(report, config, mr_conf_child(lan1, "driver"), "is \"%s\"", "wrong");
	mr_report_at(report, config, NULL, "is too dull");
	said = printed(mr_report_print(report, out));
	assert_string_equal(said,
	    "t:3:10: interface/lan1/mtu: is more than veth0 takes (1500)\n"
	    "t:2:3: interface/lan1/driver: is \"wrong\"\n"
	    "t: is too dull\n");
	free(said);
	said = printed(mr_report_print_json(report, out));
	assert_string_equal(said,
	    "{\"errors\":[{\"file\":\"t\",\"line\":3,\"column\":10,\"path\":\"interface/lan1/"
	    "mtu\",\"text\":"
	    "\"is more than veth0 takes (1500)\"},{\"file\":\"t\",\"line\":2,\"column\":3,\"path\":"
	    "\"interface/lan1/driver\",\"text\":\"is "
	    "\\\"wrong\\\"\"},{\"file\":\"t\",\"line\":0,\"column\":0,"
	    "\"path\":\"\",\"text\":\"is too dull\"}],\"count\":3}\n");
	free(said);
	for (i = 0; i < 100; i++)
		mr_report_add(report, "t", 1, 1, "", "again");
	assert_int_equal(mr_report_count(report), 103);
	assert_non_null(mr_report_entry(report, MR_REPORT_MAX - 1));
	assert_null(mr_report_entry(report, MR_REPORT_MAX));
	said = printed(mr_report_print(report, out));
	assert_non_null(strstr(said, "\nand 83 more\n"));
	free(said);
	mr_report_destroy(report);
	mr_report_add(NULL, "t", 1, 1, "", "goes nowhere");
	mr_config_destroy(config);
}

static void
equal_is_what_they_say(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} pairs[] = {
		{ "table: {a: {}}", "table: {a: {ageing: 300}}", true },
		{ "table: {a: {}}", "table: {a: {ageing: 301}}", false },
		{ "table: {a: {}, b: {}}", "table: {b: {}, a: {}}", true },
		{ "table: {a: {}, b: {}}", "table: {a: {}}", false },
		{ "table: {a: {}}", "table: {a: {}, b: {}}", false },
		{ "table: {a: {}}", "table: {b: {}}", false },
		{ "table: {a: {tags: [x, y]}}", "table: {a: {tags: [y, x]}}", true },
		{ "table: {a: {order: [1, 2]}}", "table: {a: {order: [2, 1]}}", false },
		{ "table: {a: {order: [1, 2]}}", "table: {a: {order: [1, 3]}}", false },
		{ "table: {a: {code: ab}}", "table: {a: {mac: '02:00:00:00:00:01'}}", false },
		{ "table: {a: {slot: {1: {holder: x}}}}", "table: {a: {slot: {1: {holder: y}}}}",
		    false },
	};
	size_t i;

	for (i = 0; i < MR_ARRAY_COUNT(pairs); i++) {
		struct mr_config *a = good(pairs[i].a), *b = good(pairs[i].b);

		if (mr_conf_equal(mr_conf_root(a), mr_conf_root(b)) != pairs[i].equal)
			fail_msg("%s against %s", pairs[i].a, pairs[i].b);
		assert_true(mr_conf_equal(mr_conf_root(a), mr_conf_root(a)));
		mr_config_destroy(a);
		mr_config_destroy(b);
	}
	assert_true(mr_conf_equal(NULL, NULL));
}

static void
said_by_load(const char *path, int wanted, const char *text)
{
	struct mr_config *config;
	struct mr_report *report;
	char *said;
	int rc;

	assert_int_equal(mr_report_create(&report), 0);
	rc = mr_config_load(&config, model, path, report);
	said = printed(mr_report_print(report, out));
	assert_int_equal(rc, wanted);
	assert_null(config);
	assert_string_equal(said, text);
	free(said);
	mr_report_destroy(report);
}

static void
files_load(void **state)
{
	char path[] = "/tmp/millrace-config-XXXXXX", wanted[300];
	int fd = mkstemp(path);
	struct mr_config *config;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "interface: {lan1: }\n", 20), 20);
	assert_int_equal(mr_config_load(&config, model, path, NULL), 0);
	assert_string_equal(mr_config_name(config), path);
	mr_config_destroy(config);
	assert_int_equal(ftruncate(fd, (off_t)MR_CONFIG_SIZE_MAX + 1), 0);
	snprintf(wanted, sizeof(wanted), "%s: is larger than 32 MiB\n", path);
	said_by_load(path, -EFBIG, wanted);
	close(fd);
	unlink(path);
	snprintf(wanted, sizeof(wanted), "%s: cannot be opened: No such file or directory\n", path);
	said_by_load(path, -ENOENT, wanted);
	said_by_load("/tmp", -EISDIR, "/tmp: cannot be read: Is a directory\n");
	/* Without a report there is still an answer. */
	assert_int_equal(mr_config_parse(&config, model, "t", "x: y", 4, NULL), -EINVAL);
	assert_null(config);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A few lines that stand for a million million entries. */
static void
laughs_are_bounded(void **state)
{
	struct mr_config *config;
	struct mr_report *report;
	char text[16384], last[8] = "a", *said, *large;
	size_t used;
	unsigned i;

	/* Through merges: each holds twice what the last one holds. */
	used = (size_t)snprintf(text, sizeof(text), "a: &a {k1: , k2: , k3: , k4: }\n");
	for (i = 0; i < 30; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "b%u: &b%u {<<: [*%s, *%s]}\n", i, i, last, last);
		snprintf(last, sizeof(last), "b%u", i);
	}
	assert_int_equal(parse(&config, &report, text, used), -EINVAL);
	said = printed(mr_report_print(report, out));
	assert_non_null(strstr(said, "too much: more entries than a configuration may have"));
	free(said);
	mr_report_destroy(report);

	/* Through aliases: the same thousands of entries again and again. */
	used = (size_t)snprintf(text, sizeof(text), "interface:\n  a: &e {options: &f {");
	for (i = 0; i < 600; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%sk%u: x",
		    i ? ", " : "", i);
	used += (size_t)snprintf(text + used, sizeof(text) - used, "}}\n");
	large = malloc(used + 2000 * 16);
	assert_non_null(large);
	memcpy(large, text, used);
	for (i = 0; i < 2000; i++)
		used += (size_t)sprintf(large + used, "  b%u: *e\n", i);
	assert_int_equal(parse(&config, &report, large, used), -EINVAL);
	assert_string_equal(mr_report_entry(report, 0)->text,
	    "too much: more entries than a configuration may have");
	mr_report_destroy(report);
	free(large);
}

static void
deep_nesting_is_refused(void **state)
{
	char text[4000];
	struct mr_config *config;
	struct mr_report *report;

	memset(text, '[', sizeof(text));
	assert_int_equal(parse(&config, &report, text, sizeof(text)), -EINVAL);
	assert_string_equal(mr_report_entry(report, 0)->text, "nested too deeply");
	mr_report_destroy(report);
}

/* 64 k static entries, as a bridge might be given. */
static void
large_files_load_fast(void **state)
{
	enum { COUNT = 65536 / SLOWER };
	size_t room = COUNT * 64 + 256, used;
	char *text = malloc(room);
	struct mr_config *config;
	double start;
	unsigned i;

	assert_non_null(text);
	used = (size_t)snprintf(text, room,
	    "interface: [lan1]\ntable:\n  a:\n    member: [lan1]\n    fixed:\n");
	for (i = 0; i < COUNT; i++)
		used += (size_t)snprintf(text + used, room - used,
		    "    - {vlan: %u, mac: '02:00:00:00:%02x:%02x', interface: lan1}\n",
		    i % 4094 + 1, i >> 8, i & 255);
	start = now();
	config = good(text);
	print_message("%u entries (%zu KiB) loaded in %.2f s\n", COUNT, used / 1024, now() - start);
	assert_int_equal(mr_conf_count(mr_conf_child(mr_conf_root(config), "table"), "fixed"),
	    COUNT);
	mr_config_destroy(config);
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
		cmocka_unit_test(bad_files_are_explained),
		cmocka_unit_test(forms_mean_what_they_should),
		cmocka_unit_test(accessors_read),
		cmocka_unit_test(secrets_are_known),
		cmocka_unit_test(reports_point_at_nodes),
		cmocka_unit_test(equal_is_what_they_say),
		cmocka_unit_test(files_load),
		cmocka_unit_test(laughs_are_bounded),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(large_files_load_fast),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
