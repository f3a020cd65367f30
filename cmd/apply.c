/* SPDX-License-Identifier: Apache-2.0 */

/* Whole configurations: what one would change, and bringing it in. */

#include <stdlib.h>
#include <string.h>

#include "cmd/rpc.h"
#include "model/config.h"
#include "model/report.h"

/* The file's text as an input; null: printed. */
static json_t *
read_input(const struct mr_cmd_args *args)
{
	const char *path = args->words[0];
	struct mr_report *report;
	json_t *input = NULL;
	char *text;
	size_t size;

	if (mr_report_create(&report))
		return NULL;
	if (mr_config_read_text(path, &text, &size, report)) {
		if (mr_cmd_given(args, "json"))
			mr_report_print_json(report, stdout);
		else
			mr_report_print(report, stderr);
	} else {
		input = json_pack("{s:s%, s:s}", "config", text, size, "name",
		    strcmp(path, "-") ? path : "standard input");
		if (!input)
			fprintf(stderr, "%s: is not UTF-8\n", path);
		free(text);
	}
	mr_report_destroy(report);
	return input;
}

/* -- plan ------------------------------------------------------------------------------------ */

static const struct mr_cmd_option plan_options[] = {
	{ .name = "exit-code", .doc = "exit status 1 when there are changes, 2 when it failed" },
	{ .name = "json", .doc = "the answer, or errors, as JSON" },
	MR_RPC_SOCKET,
	{ 0 },
};

static void
print_plan(const json_t *output)
{
	size_t i, count = json_array_size(json_object_get(output, "changes"));
	json_t *t;

	if (!count) {
		printf("no changes\n");
		return;
	}
	mr_rpc_print_changes(output, stdout);
	printf("\n%zu change%s; what they touch:\n", count, count == 1 ? "" : "s");
	json_array_foreach(json_object_get(output, "touches"), i, t)
	    printf("  %s: %s\n", json_string_value(json_object_get(t, "what")),
		json_string_value(json_object_get(t, "text")));
}

static int
plan_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	json_t *input, *output = NULL;
	struct mr_cmd_args args;
	int status, failed;

	if (mr_cmd_parse(cmd, argc, argv, 1, 1, &args, &status))
		return status;
	failed = mr_cmd_given(&args, "exit-code") ? 2 : MR_EXIT_FAILED;
	input = read_input(&args);
	if (!input || mr_rpc(&args, "millrace-commit:plan", input, &output))
		return failed;
	if (mr_cmd_given(&args, "json")) {
		json_dumpf(output, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_plan(output);
	}
	status =
	    mr_cmd_given(&args, "exit-code") && json_array_size(json_object_get(output, "changes"))
	    ? 1
	    : MR_EXIT_OK;
	json_decref(output);
	return status;
}

const struct mr_cmd mr_cmd_plan = {
	.name = "plan",
	.summary = "say what a configuration would change in the running data plane",
	.usage = "FILE",
	.help =
	    "Compares FILE (\"-\": standard input) with what is in force, checks it, and changes\n"
	    "nothing: a line for each difference, and what these touch. Without any it says\n"
	    "\"no changes\"; with --exit-code the exit status says it, too, as diff's does.\n"
	    "\n"
	    "  millrace plan lab.yaml\n"
	    "  millrace plan --exit-code lab.yaml || millrace apply lab.yaml",
	.options = plan_options,
	.complete = "@file",
	.run = plan_run,
};

/* -- apply ----------------------------------------------------------------------------------- */

static const struct mr_cmd_option apply_options[] = {
	MR_RPC_MADE,
	{ .name = "json", .doc = "the answer, or errors, as JSON" },
	MR_RPC_SOCKET,
	{ 0 },
};

static int
apply_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	json_t *input, *output = NULL;
	struct mr_cmd_args args;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 1, 1, &args, &status))
		return status;
	input = read_input(&args);
	if (!input)
		return MR_EXIT_FAILED;
	if (!mr_rpc_made(&args, input)) {
		json_decref(input);
		return MR_EXIT_USAGE;
	}
	if (mr_rpc(&args, "millrace-commit:apply", input, &output))
		return MR_EXIT_FAILED;
	mr_rpc_print_done(&args, output);
	json_decref(output);
	return MR_EXIT_OK;
}

const struct mr_cmd mr_cmd_apply = {
	.name = "apply",
	.summary = "bring a configuration into the running data plane, wholly or not at all",
	.usage = "FILE",
	.help =
	    "FILE (\"-\": standard input) replaces what is in force, as one commit. What is wrong\n"
	    "with it is said with file, line, path and reason, and changes nothing.\n"
	    "With --confirm it is taken back after that time unless `millrace confirm` comes\n"
	    "first: for changes that may cut off who makes them.\n"
	    "\n"
	    "  millrace apply lab.yaml --comment \"second uplink\"\n"
	    "  millrace apply lab.yaml --confirm 60s && millrace confirm",
	.options = apply_options,
	.complete = "@file",
	.run = apply_run,
};
