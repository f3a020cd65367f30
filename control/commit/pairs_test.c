/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A thousand random configurations, one after another, brought into one data plane: each is then in
 * force as it was written, its text loads again as the same; of every eighth JSON and the commit's
 * file, too. With MR_SOAK set, that many times as many.
 *
 * What generates them is what the lanes' tests use (nf/lanes/lanes_bed_conf.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/commit/commit_int.h"
#include "control/commit/plan.h"
#include "model/print.h"
#include "nf/lanes/lanes_bed_int.h"

/* AddressSanitizer makes libyang's many small allocations slow. */
#if defined(__SANITIZE_ADDRESS__)
#define PAIRS 125
#else
#define PAIRS 1000
#endif

struct all {
	struct mr_model *model;
	struct event_base *base;
	struct mr_log log;
	struct mr_dataplane *dataplane;
	struct mr_control *control;
	struct mr_report *report;
	unsigned told;
};

static void
must(struct all *a, int rc, const char *text)
{
	if (!rc)
		return;
	mr_report_print(a->report, stderr);
	fail_msg("%d\n%s", rc, text);
}

static struct mr_config *
parse(struct all *a, const char *text, size_t size)
{
	struct mr_config *config;

	must(a, mr_config_parse(&config, a->model, "random", text, size, a->report), text);
	return config;
}

static void
told(void *arg, enum mr_commit_event event, const struct mr_commit *commit, const char *who)
{
	struct all *a = arg;

	assert_int_equal(event, MR_COMMIT_MADE);
	assert_string_equal(who, "test");
	assert_ptr_equal(commit, mr_commits_current(mr_commits_of(a->control)));
	a->told++;
}

static void
open_all(struct all *a, const char *text)
{
	struct mr_control_config config = { 0 };
	struct mr_error error;

	memset(a, 0, sizeof(*a));
	mr_log_init_fd(&a->log, STDERR_FILENO, MR_LOG_ERROR);
	assert_int_equal(mr_report_create(&a->report), 0);
	assert_int_equal(mr_control_model(&a->model, &error), 0);
	a->base = event_base_new();
	config.base = a->base;
	config.model = a->model;
	config.log = &a->log;
	assert_int_equal(mr_commit_start_from(&config.start, parse(a, text, strlen(text))), 0);
	must(a,
	    mr_dataplane_create(&a->dataplane, mr_commit_start_choice(config.start), &a->log,
		a->report),
	    text);
	config.dataplane = a->dataplane;
	must(a, mr_control_create(&a->control, &config, a->report), text);
	assert_int_equal(mr_commits_subscribe(mr_commits_of(a->control), told, a), 0);
}

static void
close_all(struct all *a)
{
	mr_control_destroy(a->control);
	mr_dataplane_destroy(a->dataplane);
	event_base_free(a->base);
	mr_model_destroy(a->model);
	mr_report_destroy(a->report);
}

static char *
dump(const struct mr_config *config, enum mr_print_form form, size_t *size)
{
	const struct mr_print how = { .form = form };
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	mr_conf_print(mr_conf_root(config), &how, out);
	fclose(out);
	return text;
}

/* What is in force says what was written, in both forms and as a commit's file. */
static void
compare(struct all *a, const struct mr_config *wanted, bool all)
{
	struct mr_commits *c = mr_commits_of(a->control);
	const struct mr_config *now = mr_commits_running(c);
	struct mr_config *again;
	struct mr_error error;
	struct record *r;
	const char *yaml;
	char *text;
	size_t size, yaml_size;

	assert_true(mr_conf_equal(mr_conf_root(now), mr_conf_root(wanted)));
	text = dump(now, MR_PRINT_YAML, &size);
	again = parse(a, text, size);
	if (!mr_conf_equal(mr_conf_root(again), mr_conf_root(wanted)))
		fail_msg("dumped:\n%s", text);
	mr_config_destroy(again);
	free(text);
	if (!all)
		return;
	text = dump(now, MR_PRINT_JSON, &size);
	must(a, mr_config_parse_json(&again, a->model, "dump", text, size, a->report), text);
	assert_true(mr_conf_equal(mr_conf_root(again), mr_conf_root(wanted)));
	mr_config_destroy(again);
	free(text);
	text = commit_file_write(c->now, now, &size);
	assert_int_equal(commit_file_read(&r, text, size, &yaml, &yaml_size, &error), 0);
	assert_int_equal(r->pub.id, c->now->pub.id);
	assert_int_equal(mr_diff_count(r->changes),
	    MR_MIN(mr_diff_count(c->now->changes), (size_t)1000));
	again = parse(a, yaml, yaml_size);
	assert_true(mr_conf_equal(mr_conf_root(again), mr_conf_root(wanted)));
	mr_config_destroy(again);
	commit_record_destroy(r);
	free(text);
}

/* The difference that a plan says is the one that the commit then has, and there is none left. */
static void
one_pair(struct all *a, const char *text, bool all)
{
	const struct mr_commit_request request = { .who = "test" };
	struct mr_commits *c = mr_commits_of(a->control);
	struct mr_config *next = parse(a, text, strlen(text)), *wanted;
	struct mr_commit_plan *plan;
	unsigned before = a->told;
	uint64_t id;
	size_t count;

	assert_int_equal(mr_config_copy(&wanted, next), 0);
	must(a, mr_commits_plan(c, next, &plan, a->report), text);
	count = mr_diff_count(plan->changes);
	mr_commit_plan_destroy(plan);
	must(a, mr_commits_apply(c, next, &request, &id, a->report), text);
	assert_int_equal(id, mr_commits_current(c)->id);
	assert_int_equal(a->told - before, count ? 1 : 0);
	if (count)
		assert_int_equal(mr_diff_count(mr_commits_current(c)->changes), count);
	compare(a, wanted, all);
	if (all) {
		must(a, mr_commits_plan(c, wanted, &plan, a->report), text);
		assert_int_equal(mr_diff_count(plan->changes), 0);
		mr_commit_plan_destroy(plan);
	}
	mr_config_destroy(wanted);
}

static void
random_pairs_apply_and_dump(void **state)
{
	const char *soak = getenv("MR_SOAK");
	unsigned count = PAIRS * (soak ? (unsigned)MR_MAX(atoi(soak), 1) : 1);
	struct bed_random r = { .state = 20261121 };
	struct bed_shape shape;
	char *room = malloc(BED_TEXT_MAX);
	struct bed_text text = { .at = room, .size = BED_TEXT_MAX };
	struct all a;

	assert_non_null(room);
	bed_configuration(&shape, &r, &text);
	open_all(&a, room);
	for (unsigned i = 0; i < count; i++) {
		bed_configuration(&shape, &r, &text);
		one_pair(&a, room, i % 8 == 0);
	}
	/* Some are the same as the one before; not many. */
	assert_true(a.told > count / 2);
	close_all(&a);
	free(room);
}

/* Every example loads again from what is printed of it, in both forms, with nothing different. */
static void
examples_come_back(void **state)
{
	const char *folder = getenv("MR_EXAMPLES");
	struct all a = { 0 };
	struct mr_error error;
	char pattern[512];
	glob_t found;

	if (!folder)
		skip();
	snprintf(pattern, sizeof(pattern), "%s/*.yaml", folder);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 10);
	assert_int_equal(mr_report_create(&a.report), 0);
	assert_int_equal(mr_control_model(&a.model, &error), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct mr_config *config, *again;
		struct mr_diff *diff;

		must(&a, mr_config_load(&config, a.model, found.gl_pathv[i], a.report),
		    found.gl_pathv[i]);
		for (unsigned form = 0; form < 2; form++) {
			size_t size;
			char *text = dump(config, (enum mr_print_form)form, &size);

			must(&a,
			    form ? mr_config_parse_json(&again, a.model, "j", text, size, a.report)
				 : mr_config_parse(&again, a.model, "y", text, size, a.report),
			    text);
			assert_int_equal(mr_diff_create(&diff, config, again), 0);
			assert_int_equal(mr_diff_count(diff), 0);
			assert_true(mr_conf_equal(mr_conf_root(config), mr_conf_root(again)));
			mr_diff_destroy(diff);
			mr_config_destroy(again);
			free(text);
		}
		mr_config_destroy(config);
	}
	globfree(&found);
	mr_model_destroy(a.model);
	mr_report_destroy(a.report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_come_back),
		cmocka_unit_test(random_pairs_apply_and_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
