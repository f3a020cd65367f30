/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/load.h"

static const struct mr_cmd_option options[] = {
	{ .name = "json", .doc = "errors as JSON on standard output" },
	{ .name = "describe",
	    .value = "PATH",
	    .doc = "no file: say what can stand under this path (bridge/interface)",
	    .complete = "@model" },
	{ .name = "print", .doc = "print the configuration with all defaults, as JSON" },
	{ 0 },
};

static int
describe(struct mr_model *model, const char *path)
{
	struct mr_error error;

	if (mr_model_describe(model, path, stdout, &error) == 0)
		return MR_EXIT_OK;
	fprintf(stderr, "millrace check: %s\n", error.text);
	return MR_EXIT_USAGE;
}

static int
check_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	struct mr_model *model = NULL;
	struct mr_config *config;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 1, &args, &status))
		return status;
	if (args.word_count == 0 && !mr_cmd_given(&args, "describe")) {
		mr_cmd_help(cmd, stderr);
		return MR_EXIT_USAGE;
	}
	if (mr_load_model(&model))
		return MR_EXIT_FAILED;
	if (mr_cmd_given(&args, "describe")) {
		status = describe(model, mr_cmd_value(&args, "describe"));
		mr_model_destroy(model);
		return status;
	}
	config = mr_load_config(model, args.words[0], mr_cmd_given(&args, "json"));
	if (config && mr_cmd_given(&args, "print"))
		mr_conf_print_json(mr_conf_root(config), stdout);
	else if (config && mr_cmd_given(&args, "json"))
		printf("{\"errors\":[],\"count\":0}\n");
	else if (config)
		printf("%s: good\n", args.words[0]);
	status = config ? MR_EXIT_OK : MR_EXIT_FAILED;
	mr_config_destroy(config);
	mr_model_destroy(model);
	return status;
}

const struct mr_cmd mr_cmd_check = {
	.name = "check",
	.summary = "say whether a configuration is right, and what is wrong with it",
	.usage = "FILE | --describe PATH",
	.help = "Reads FILE (\"-\": standard input) and checks it wholly, without touching\n"
		"anything. Each error names file, line, column, path and reason:\n"
		"\n"
		"  lab.yaml:7:18: bridge/br0/ageing-time: \"fast\" is not a number between 10 and "
		"1000000\n"
		"\n"
		"  millrace check lab.yaml\n"
		"  millrace check --describe bridge/interface",
	.options = options,
	.complete = "@file",
	.run = check_run,
};
