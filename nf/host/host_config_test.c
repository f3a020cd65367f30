/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's part of a configuration: what is refused and how; the kernel's tables as they
 * are read; a router's life with a namespace that it makes, where we may make one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kit/port/namespace.h"
#include "nf/dataplane.h"
#include "nf/host/host_int.h"

static struct mr_model *model;
static struct mr_log quiet;

static int
make_model(void **state)
{
	struct mr_error error;

	mr_log_init_fd(&quiet, 2, MR_LOG_ERROR);
	return mr_nf_model(&model, &error);
}

static int
free_model(void **state)
{
	mr_model_destroy(model);
	return 0;
}

static struct mr_config *
parse(const char *text)
{
	struct mr_config *config = NULL;
	struct mr_report *report;

	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&config, model, "t", text, strlen(text), report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	return config;
}

/* -- what is refused --------------------------------------------------------------------- */

#define INTERFACES "interface: {a: {driver: \"null\"}, a-long-name-of-20char: {driver: \"null\"}}\n"

static void
test_mistakes(void **state)
{
	static const char *const cases[][2] = {
		{ INTERFACES "router: {x: {host: {namespace: n}}, y: {host: {namespace: n}}}\n",
		    "network namespace n is router x's already" },
		{ INTERFACES "router: {x: {host: {namespace: n}, interface: "
			     "{a-long-name-of-20char: {}}}}\n",
		    "longer than 15 characters" },
		{ INTERFACES "router: {x: {host: {namespace: n}, interface: "
			     "{lo: {parent: a, vlan: 3}}}}\n",
		    "cannot have this name" },
		{ INTERFACES "router: {x: {host: {namespace: \"..\"}}}\n",
		    "is no name for a network namespace" },
		{ INTERFACES "router: {x: {host: {namespace: n}, interface: "
			     "{a-long-name-of-20char: {host: false}}}}\n",
		    NULL },
		{ INTERFACES "router: {x: {interface: {a-long-name-of-20char: {}}}}\n", NULL },
		{ INTERFACES "router: {x: {host: {namespace: \"-\"}}, y: {host: {namespace: "
			     "\"-\"}}}\n",
		    NULL },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct mr_config *config = parse(cases[i][0]);
		struct mr_report *report;
		char text[512] = "";

		assert_int_equal(mr_report_create(&report), 0);
		mr_dataplane_check(config, report);
		if (mr_report_count(report))
			mr_report_format(report, 0, text, sizeof(text));
		if (mr_report_count(report) != (cases[i][1] != NULL) ||
		    (cases[i][1] && !strstr(text, cases[i][1])))
			fail_msg("case %u: %s", i, text);
		mr_report_destroy(report);
		mr_config_destroy(config);
	}
}

/* Every class of the code is one of the model's, with its own limits as the default. */
static void
test_classes_of_the_model(void **state)
{
	char text[256];

	for (unsigned c = 0; c < MR_HOST_CLASS_COUNT; c++) {
		const char *name = mr_host_class_info[c].name;
		struct host_vrf *v;
		struct mr_config *config;
		struct mr_error error;

		snprintf(text, sizeof(text),
		    "router: {x: {host: {punt: {%s: {rate: 7, burst: 3, allow: [10.0.0.0/8, "
		    "\"2001:db8::/32\"]}}}}}\n",
		    name);
		config = parse(text);
		assert_int_equal(
		    host_vrf_read(&v, mr_conf_find(mr_conf_root(config), "router", "x"), &error),
		    0);
		assert_int_equal(mr_host_class_find(name), c);
		for (unsigned i = 0; i < MR_HOST_CLASS_COUNT; i++) {
			const struct mr_host_class_info *info = &mr_host_class_info[i];

			assert_int_equal(v->limits[i].rate, i == c ? 7 : info->rate);
			assert_int_equal(v->limits[i].burst, i == c ? 3 : info->burst);
		}
		assert_int_equal(v->limits[c].sources->count, 2);
		assert_int_equal(v->limits[c].sources->prefixes[0].len, 8);
		assert_int_equal(v->limits[c].sources->prefixes[1].family, 6);
		host_vrf_free(v);
		mr_config_destroy(config);
	}
	assert_int_equal(mr_host_class_find("none"), MR_HOST_CLASS_COUNT);
}

/* -- the kernel's tables ----------------------------------------------------------------- */

static void
test_groups(void **state)
{
	static const char four[] =
	    "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
	    "1\tlo        :     1      V3\n"
	    "\t\t\t\t010000E0     1 0:00000000\t\t0\n"
	    "12\teth0      :     2      V3\n"
	    "\t\t\t\tFB0000E0     1 0:00000000\t\t0\n"
	    "\t\t\t\t030201EF     1 0:00000000\t\t0\n"
	    "13\teth1      :     1      V3\n"
	    "\t\t\t\t060000E0     1 0:00000000\t\t0\n";
	static const char six[] =
	    "1    lo              ff020000000000000000000000000001     1 0000000C 0\n"
	    "12   eth0            ff0200000000000000000001ff000001     2 00000004 0\n"
	    "13   eth1            ff020000000000000000000000000002     1 00000004 0\n"
	    "12   short           ff02\n"
	    "broken\n";
	struct host_twin eth = { .ifindex = 12, .interface = 5 };
	struct host_twin lo = { .ifindex = 1, .interface = 4, .lo = true, .next = &eth };
	struct host_space s = { .twins = &lo };
	struct host_addresses out = { 0 };
	const uint8_t mdns[4] = { 224, 0, 0, 251 }, own[4] = { 239, 1, 2, 3 };

	assert_int_equal(host_groups_parse4(four, &s, &out), 2);
	assert_int_equal(host_groups_parse6(six, &s, &out), 1);
	assert_int_equal(out.count, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(out.items[i].ifindex, 5);
	assert_memory_equal(out.items[0].a.bytes, mdns, 4);
	assert_memory_equal(out.items[1].a.bytes, own, 4);
	assert_int_equal(out.items[2].a.bytes[11], 1);
	assert_int_equal(out.items[2].a.bytes[12], 0xff);
	/* Cut anywhere: no more than before, and no byte behind the end. */
	for (size_t len = 0; len < sizeof(six); len++) {
		char *cut = malloc(len + 1);

		memcpy(cut, six, len);
		cut[len] = '\0';
		out.count = 0;
		assert_true(host_groups_parse6(cut, &s, &out) <= 1);
		out.count = 0;
		assert_true(host_groups_parse4(cut, &s, &out) <= 2);
		free(cut);
	}
	host_addresses_free(&out);
}

/* -- a namespace of our own -------------------------------------------------------------- */

static char space[32];

static int
apply(struct mr_dataplane **dp, const char *router, char *why, size_t size)
{
	struct mr_config *config;
	struct mr_report *report;
	char text[1024];
	int rc;

	snprintf(text, sizeof(text),
	    "interface: {a: {driver: \"null\"}, b: {driver: \"null\"}}\nrouter: {%s}\n", router);
	config = parse(text);
	assert_int_equal(mr_report_create(&report), 0);
	if (*dp)
		rc = mr_dataplane_apply(*dp, config, report);
	else
		rc = mr_dataplane_create(dp, config, &quiet, report);
	if (mr_report_count(report))
		mr_report_format(report, 0, why, size);
	mr_report_destroy(report);
	mr_config_destroy(config);
	return rc;
}

/* A command inside the namespace succeeds. */
static bool
inside(const char *command)
{
	char text[512];

	snprintf(text, sizeof(text), "ip netns exec %s sh -c '%s' >/dev/null 2>&1", space, command);
	return system(text) == 0;
}

static void
test_life(void **state)
{
	struct mr_dataplane *dp = NULL;
	char router[512], why[512] = "";

	snprintf(space, sizeof(space), "mrhost%d", (int)getpid());
	snprintf(router, sizeof(router),
	    "x: {host: {namespace: %s}, interface: {a: {address: [192.0.2.1/24, "
	    "\"2001:db8::1/64\"], mtu: 1400, neighbor: {duplicate-detection: false}}, b: {host: "
	    "false}, "
	    "l: {loopback: true, address: [198.51.100.1/32]}}}",
	    space);
	if (geteuid() != 0 || apply(&dp, router, why, sizeof(why))) {
		print_message("no network namespace of our own: %s (run as root)\n", why);
		skip();
	}
	assert_true(mr_namespace_exists(space));
	assert_true(inside("ip -o link show dev a | grep -q \"mtu 1400\""));
	assert_true(inside("ip -o addr show dev a | grep -q \"192.0.2.1/24 brd 192.0.2.255\""));
	assert_true(inside("ip -o addr show dev a | grep -q 2001:db8::1/64"));
	assert_true(inside("ip -o addr show dev lo | grep -q 198.51.100.1/32"));
	assert_true(inside("ip -o link show dev lo up | grep -q lo"));
	assert_false(inside("ip link show dev b"));
	/* A change of another interface leaves the twin alone; addresses come and go. */
	assert_true(inside("ip link set dev a alias kept"));
	snprintf(router, sizeof(router),
	    "x: {host: {namespace: %s}, interface: {a: {address: [192.0.2.2/24]}, b: {}}}", space);
	if (apply(&dp, router, why, sizeof(why)))
		fail_msg("%s", why);
	assert_true(inside("ip link show dev a | grep -q kept"));
	assert_true(inside("ip -o addr show dev a | grep -q 192.0.2.2/24"));
	assert_false(inside("ip -o addr show dev a | grep -q 192.0.2.1/24"));
	assert_false(inside("ip -o addr show dev lo | grep -q 198.51.100.1/32"));
	assert_true(inside("ip link show dev b"));
	/* Without the host the namespace goes. */
	if (apply(&dp, "x: {interface: {a: {address: [192.0.2.2/24]}}}", why, sizeof(why)))
		fail_msg("%s", why);
	assert_false(mr_namespace_exists(space));
	/* Nor without any router; and with one it is there again, until the end. */
	if (apply(&dp, "", why, sizeof(why)) || apply(&dp, router, why, sizeof(why)))
		fail_msg("%s", why);
	assert_true(inside("ip -o addr show dev a | grep -q 192.0.2.2/24"));
	if (apply(&dp, "", why, sizeof(why)))
		fail_msg("%s", why);
	assert_false(mr_namespace_exists(space));
	if (apply(&dp, router, why, sizeof(why)))
		fail_msg("%s", why);
	assert_true(mr_namespace_exists(space));
	mr_dataplane_destroy(dp);
	assert_false(mr_namespace_exists(space));
}

/* In a namespace that is not ours everything of ours goes, and it stays. */
static void
test_guest(void **state)
{
	struct mr_dataplane *dp = NULL;
	char router[512], why[512] = "";
	struct mr_error error;

	snprintf(space, sizeof(space), "mrguest%d", (int)getpid());
	if (mr_namespace_create(space, &error)) {
		print_message("%s (run as root)\n", error.text);
		skip();
	}
	snprintf(router, sizeof(router),
	    "x: {host: {namespace: %s}, interface: {a: {address: [192.0.2.1/24]}, "
	    "l: {loopback: true, address: [198.51.100.1/32]}}}",
	    space);
	if (apply(&dp, router, why, sizeof(why)))
		fail_msg("%s", why);
	assert_true(inside("ip -o addr show dev lo | grep -q 198.51.100.1/32"));
	/* A failure half way takes back what it opened, and only that. */
	snprintf(router, sizeof(router),
	    "x: {host: {namespace: %s}, interface: {b: {}, a: {}, dummy: {parent: a, vlan: 2}}}",
	    space);
	assert_true(inside("ip link add dummy type veth peer name dummy2"));
	assert_int_not_equal(apply(&dp, router, why, sizeof(why)), 0);
	assert_non_null(strstr(why, "router x: host: twin of interface dummy"));
	assert_false(inside("ip link show dev b"));
	assert_true(inside("ip -o addr show dev a | grep -q 192.0.2.1/24"));
	mr_dataplane_destroy(dp);
	assert_true(mr_namespace_exists(space));
	assert_false(inside("ip link show dev a"));
	assert_false(inside("ip -o addr show dev lo | grep -q 198.51.100.1/32"));
	assert_int_equal(mr_namespace_delete(space, &error), 0);
}

static void
test_without_privilege(void **state)
{
	struct mr_dataplane *dp = NULL;
	char why[512] = "";
	int rc;

	if (geteuid() == 0 && seteuid(65534)) {
		print_message("no other user to be\n");
		skip();
	}
	rc = apply(&dp, "x: {host: {namespace: mr-not-for-us}, interface: {a: {}}}", why,
	    sizeof(why));
	(void)!seteuid(0);
	assert_int_not_equal(rc, 0);
	assert_null(dp);
	assert_non_null(strstr(why, "router x: host: "));
	assert_non_null(strstr(why, "it takes CAP_SYS_ADMIN"));
	assert_false(mr_namespace_exists("mr-not-for-us"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_classes_of_the_model),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_guest),
		cmocka_unit_test(test_without_privilege),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
