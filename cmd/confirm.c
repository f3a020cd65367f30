/* SPDX-License-Identifier: Apache-2.0 */

/* Commits by their numbers: the one that waits stays or goes, an earlier one comes back. */

#include <stdlib.h>

#include "cmd/rpc.h"

/* The number among the words, into the input; false: it is none. */
static bool
put_number(const struct mr_cmd_args *args, json_t *input, const char *name)
{
	char *end;
	unsigned long n;

	if (!args->word_count)
		return true;
	n = strtoul(args->words[0], &end, 10);
	if (end == args->words[0] || *end || !n || n > UINT32_MAX) {
		fprintf(stderr, "millrace %s: \"%s\" is not the number of a commit\n",
		    args->cmd->name, args->words[0]);
		return false;
	}
	json_object_set_new(input, name, json_integer((json_int_t)n));
	return true;
}

static const struct mr_cmd_option options[] = {
	{ .name = "json", .doc = "the answer, or errors, as JSON" },
	MR_RPC_SOCKET,
	{ 0 },
};

static int
settle(const struct mr_cmd *cmd, int argc, char **argv, const char *operation, const char *said)
{
	json_t *input, *output = NULL;
	struct mr_cmd_args args;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 1, &args, &status))
		return status;
	input = json_object();
	if (!put_number(&args, input, "id")) {
		json_decref(input);
		return MR_EXIT_USAGE;
	}
	if (mr_rpc(&args, operation, input, &output))
		return MR_EXIT_FAILED;
	if (mr_cmd_given(&args, "json")) {
		json_dumpf(output, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		printf(said, (long long)json_integer_value(json_object_get(output, "id")));
	}
	json_decref(output);
	return MR_EXIT_OK;
}

static int
confirm_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	return settle(cmd, argc, argv, "millrace-commit:confirm", "commit %lld is confirmed\n");
}

static int
cancel_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	return settle(cmd, argc, argv, "millrace-commit:cancel",
	    "taken back; commit %lld is in force\n");
}

const struct mr_cmd mr_cmd_confirm = {
	.name = "confirm",
	.summary = "let the commit that waits to be confirmed stay",
	.usage = "[COMMIT]",
	.help =
	    "The commit that was made with --confirm stays. With a number it has to be that one.\n"
	    "\n"
	    "  millrace apply lab.yaml --confirm 60s\n"
	    "  millrace confirm",
	.options = options,
	.complete = "@commit",
	.run = confirm_run,
};

const struct mr_cmd mr_cmd_cancel = {
	.name = "cancel",
	.summary = "take the commit that waits to be confirmed back at once",
	.usage = "[COMMIT]",
	.help =
	    "What was in force before it is in force again, without waiting for the time to pass.\n"
	    "With a number it has to be that one.",
	.options = options,
	.complete = "@commit",
	.run = cancel_run,
};

/* -- rollback -------------------------------------------------------------------------------- */

static const struct mr_cmd_option rollback_options[] = {
	{ .name = "plan", .doc = "only say what would change" },
	MR_RPC_MADE,
	{ .name = "json", .doc = "the answer, or errors, as JSON" },
	MR_RPC_SOCKET,
	{ 0 },
};

static int
plan_rollback(const struct mr_cmd_args *args, json_t *input)
{
	json_t *output = NULL, *to = json_object_get(input, "to");

	json_object_set_new(input, "rollback", to ? json_incref(to) : json_integer(0));
	json_object_del(input, "to");
	if (mr_rpc(args, "millrace-commit:plan", input, &output))
		return MR_EXIT_FAILED;
	if (mr_cmd_given(args, "json")) {
		json_dumpf(output, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (!json_array_size(json_object_get(output, "changes"))) {
		printf("no changes\n");
	} else {
		mr_rpc_print_changes(output, stdout);
	}
	json_decref(output);
	return MR_EXIT_OK;
}

static int
rollback_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	json_t *input, *output = NULL;
	struct mr_cmd_args args;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 1, &args, &status))
		return status;
	input = json_object();
	if (!put_number(&args, input, "to") ||
	    (!mr_cmd_given(&args, "plan") && !mr_rpc_made(&args, input))) {
		json_decref(input);
		return MR_EXIT_USAGE;
	}
	if (mr_cmd_given(&args, "plan"))
		return plan_rollback(&args, input);
	if (mr_rpc(&args, "millrace-commit:rollback", input, &output))
		return MR_EXIT_FAILED;
	mr_rpc_print_done(&args, output);
	json_decref(output);
	return MR_EXIT_OK;
}

const struct mr_cmd mr_cmd_rollback = {
	.name = "rollback",
	.summary = "bring the configuration of an earlier commit in again",
	.usage = "[COMMIT]",
	.help =
	    "COMMIT is a number of `millrace history`: what was in force after that commit is in\n"
	    "force again, as a new commit. Without it, what was in force before the last one;\n"
	    "doing that twice goes back two commits.\n"
	    "\n"
	    "  millrace rollback\n"
	    "  millrace rollback 12 --plan\n"
	    "  millrace rollback 12 --comment \"as on Friday\"",
	.options = rollback_options,
	.complete = "@commit",
	.run = rollback_run,
};
