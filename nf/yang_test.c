/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/nf.h"

/*
 * The modules that functions bring: they load together, an empty file is a
 * configuration, and everything that can be written or read is described.
 */

static struct mr_model *model;
static unsigned items;

struct place {
	char path[512];
	unsigned missing;
};

static int
is_described(void *arg, const struct mr_model_item *item)
{
	struct place *place = arg, below = { .missing = 0 };

	items++;
	snprintf(below.path, sizeof(below.path), "%s/%s", place->path, item->name);
	if (!item->doc) {
		print_error("%s has no description\n", below.path);
		place->missing++;
	} else if (item->doc[strlen(item->doc) - 1] != '.') {
		print_error("%s: its description is no sentence\n", below.path);
		place->missing++;
	}
	if (item->type && strstr(item->type, "text of the form")) {
		print_error("%s: its pattern has no error-message\n", below.path);
		place->missing++;
	}
	if (item->kind == MR_MODEL_CONTAINER || item->kind == MR_MODEL_LIST) {
		assert_int_equal(mr_model_walk(model, below.path, is_described, &below, NULL), 0);
		place->missing += below.missing;
	}
	return 0;
}

static void
everything_is_described(void **state)
{
	struct place top = { .missing = 0 };

	assert_int_equal(mr_model_walk(model, "", is_described, &top, NULL), 0);
	print_message("%u nodes in the model\n", items);
	assert_int_equal(top.missing, 0);
}

static void
an_empty_file_is_a_configuration(void **state)
{
	struct mr_report *report;
	struct mr_config *config;

	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&config, model, "empty", "", 0, report))
		mr_report_print(report, stderr);
	assert_non_null(config);
	mr_config_destroy(config);
	mr_report_destroy(report);
}

static int
setup(void **state)
{
	struct mr_error error;

	if (!mr_nf_model(&model, &error))
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
		cmocka_unit_test(everything_is_described),
		cmocka_unit_test(an_empty_file_is_a_configuration),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
