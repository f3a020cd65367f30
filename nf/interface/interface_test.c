/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces as a function of a data plane, on ports that need no privilege: packets of a
 * cross-connect, what is refused and how, what a changed configuration keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "nf/dataplane.h"
#include "nf/interface/interface.h"

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
	assert_int_equal(mr_config_parse(&config, model, "t", text, strlen(text), report), 0);
	mr_report_destroy(report);
	return config;
}

static struct mr_dataplane *
make(const char *text)
{
	struct mr_config *config = parse(text);
	struct mr_dataplane *dp = NULL;
	struct mr_report *report;

	assert_int_equal(mr_report_create(&report), 0);
	assert_int_equal(mr_dataplane_create(&dp, config, &quiet, report), 0);
	mr_report_destroy(report);
	mr_config_destroy(config);
	return dp;
}

static void
apply(struct mr_dataplane *dp, const char *text)
{
	struct mr_config *config = parse(text);
	struct mr_report *report;

	assert_int_equal(mr_report_create(&report), 0);
	assert_int_equal(mr_dataplane_apply(dp, config, report), 0);
	mr_report_destroy(report);
	mr_config_destroy(config);
}

static void
cross_connect_and_unused(void **state)
{
	struct mr_dataplane *dp =
	    make("interface:\n"
		 "  a: {driver: gen, options: {count: 100}, cross-connect: c}\n"
		 "  b: {driver: gen, options: {count: 50}}\n"
		 "  c: {driver: \"null\"}\n");
	struct mr_graph_totals t;

	while (mr_graph_pass(mr_dataplane_graph(dp), 0))
		;
	mr_graph_totals(mr_dataplane_graph(dp), &t);
	assert_int_equal(t.received, 150);
	assert_int_equal(t.sent, 100);
	assert_int_equal(t.dropped, 50); /* b is used by nobody */
	mr_dataplane_destroy(dp);
}

static void
unchanged_interfaces_keep_their_ports(void **state)
{
	struct mr_dataplane *dp =
	    make("interface: {a: {driver: \"null\"}, b: {driver: \"null\"}}\n");
	const struct mr_interfaces *all = mr_interfaces_of(dp);
	struct mr_port *port = mr_interface_find(all, "b")->port;
	uint16_t index = mr_interface_find(all, "b")->index;

	apply(dp, "interface: {b: {driver: \"null\"}, c: {driver: \"null\", cross-connect: b}}\n");
	assert_null(mr_interface_find(all, "a"));
	assert_ptr_equal(mr_interface_find(all, "b")->port, port);
	assert_int_equal(mr_interface_find(all, "b")->index, index);
	assert_non_null(mr_interface_find(all, "c")->port);
	mr_dataplane_destroy(dp);
}

static void
reserved_indices_are_nobody_elses(void **state)
{
	struct mr_dataplane *dp = make("interface: {a: {driver: \"null\"}}\n");
	struct mr_interfaces *all = mr_interfaces_of(dp);
	struct mr_error error;
	uint16_t mine, again;

	assert_int_equal(mr_interface_reserve(all, &mine, &error), 0);
	assert_int_not_equal(mine, mr_interface_find(all, "a")->index);
	apply(dp, "interface: {a: {driver: \"null\"}, b: {driver: \"null\"}}\n");
	assert_int_not_equal(mine, mr_interface_find(all, "b")->index);
	assert_null(mr_interface_at(all, mine));
	mr_interface_release(all, mine);
	assert_int_equal(mr_interface_reserve(all, &again, &error), 0);
	assert_int_equal(again, mine);
	while (mr_interface_reserve(all, &again, &error) == 0)
		;
	assert_non_null(strstr(error.text, "more than 1024"));
	mr_dataplane_destroy(dp);
}

static void
mistakes_are_named(void **state)
{
	static const char *const cases[][2] = {
		{ "interface: {a: {driver: nul}}\n", "there is no driver \"nul\"" },
		{ "interface: {a: {driver: \"null\", options: {rxx: copy}}}\n", "rxx" },
		{ "interface: {a: {driver: tap, device: t}, b: {driver: tap, device: t}}\n",
		    "taken by interface a" },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct mr_config *config = parse(cases[i][0]);
		struct mr_report *report;
		char text[512] = "";

		assert_int_equal(mr_report_create(&report), 0);
		mr_dataplane_check(config, report);
		assert_int_equal(mr_report_count(report), 1);
		mr_report_format(report, 0, text, sizeof(text));
		if (!strstr(text, cases[i][1]))
			fail_msg("%s", text);
		mr_report_destroy(report);
		mr_config_destroy(config);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cross_connect_and_unused),
		cmocka_unit_test(unchanged_interfaces_keep_their_ports),
		cmocka_unit_test(reserved_indices_are_nobody_elses),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
