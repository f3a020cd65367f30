/* SPDX-License-Identifier: Apache-2.0 */

/* What was changed, when and by whom. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/client.h"
#include "cmd/rpc.h"

static const struct mr_cmd_option options[] = {
	{ .name = "json", .doc = "as the state \"commits\" is" },
	MR_RPC_SOCKET,
	{ 0 },
};

static void
print_date(const json_t *commit, FILE *out)
{
	time_t when = (time_t)(json_integer_value(json_object_get(commit, "when")) / 1000);
	char date[32] = "";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s", date);
}

static const char *
text_of(const json_t *commit, const char *name)
{
	const char *text = json_string_value(json_object_get(commit, name));

	return text ? text : "";
}

/* "apply", "rollback to 7", "apply (waits 12 s)". */
static void
what_of(const json_t *commit, char *text, size_t size)
{
	const json_t *of = json_object_get(commit, "of"), *left;
	const char *state = text_of(commit, "state");
	size_t n;

	snprintf(text, size, "%s", text_of(commit, "origin"));
	n = strlen(text);
	if (of)
		n += (size_t)snprintf(text + n, size - n, " to %lld",
		    (long long)json_integer_value(of));
	left = json_object_get(commit, "time-left");
	if (left)
		snprintf(text + n, size - n, ", waits %lld s",
		    ((long long)json_integer_value(left) + 999) / 1000);
	else if (strcmp(state, "confirmed") != 0)
		snprintf(text + n, size - n, ", %s", state);
}

static void
print_row(const json_t *c)
{
	char what[64];

	what_of(c, what, sizeof(what));
	printf("%c %5lld  ", json_is_true(json_object_get(c, "in-force")) ? '*' : ' ',
	    (long long)json_integer_value(json_object_get(c, "id")));
	print_date(c, stdout);
	printf("  %-24s %7lld  %s%s%s\n", what,
	    (long long)json_integer_value(json_object_get(c, "change-count")), text_of(c, "who"),
	    *text_of(c, "comment") ? ": " : "", text_of(c, "comment"));
}

/* All of one. */
static void
print_commit(const json_t *c)
{
	long long count = json_integer_value(json_object_get(c, "change-count"));
	size_t shown = json_array_size(json_object_get(c, "changes"));
	char what[64];

	what_of(c, what, sizeof(what));
	printf("commit %lld: %s%s\n", (long long)json_integer_value(json_object_get(c, "id")), what,
	    json_is_true(json_object_get(c, "in-force")) ? ", in force" : "");
	print_date(c, stdout);
	printf("  %s\n", text_of(c, "who"));
	if (*text_of(c, "comment"))
		printf("%s\n", text_of(c, "comment"));
	if (!json_is_true(json_object_get(c, "kept")))
		printf("only this process knows it: it is not kept over a restart\n");
	putchar('\n');
	mr_rpc_print_changes(c, stdout);
	if ((long long)shown < count)
		printf("and %lld more\n", count - (long long)shown);
}

static int
show(const struct mr_cmd_args *args, json_t *root)
{
	const json_t *list = json_object_get(root, "commits");
	long long wanted = args->word_count ? strtoll(args->words[0], NULL, 10) : 0;
	json_t *c;
	size_t i;

	if (mr_cmd_given(args, "json") && !args->word_count) {
		json_dumpf(root, stdout, JSON_COMPACT);
		putchar('\n');
		return MR_EXIT_OK;
	}
	if (!args->word_count)
		printf("  %5s  %-19s  %-24s %7s  %s\n", "id", "when", "what", "changes", "who");
	json_array_foreach(list, i, c)
	{
		if (!args->word_count) {
			print_row(c);
		} else if (json_integer_value(json_object_get(c, "id")) == wanted) {
			if (mr_cmd_given(args, "json")) {
				json_dumpf(c, stdout, JSON_COMPACT);
				putchar('\n');
			} else {
				print_commit(c);
			}
			return MR_EXIT_OK;
		}
	}
	if (!args->word_count)
		return MR_EXIT_OK;
	fprintf(stderr, "millrace history: there is no commit %s any more\n", args->words[0]);
	return MR_EXIT_FAILED;
}

static int
history_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	struct mr_error error;
	json_t *root;
	char *text;
	size_t size;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 1, &args, &status))
		return status;
	if (mr_client_fetch(mr_cmd_value(&args, "socket"), "/state/commits", &text, &size,
		&error)) {
		fprintf(stderr, "millrace history: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	root = json_loadb(text, size, 0, NULL);
	free(text);
	status = show(&args, root);
	json_decref(root);
	return status;
}

const struct mr_cmd mr_cmd_history = {
	.name = "history",
	.summary = "list the commits: what was changed, when and by whom",
	.usage = "[COMMIT]",
	.help =
	    "A line for each commit that is remembered, the newest first; * is in force. With a\n"
	    "number, all about that one and what it changed. `millrace dump --commit N` prints\n"
	    "its configuration, `millrace rollback N` brings it in again.",
	.options = options,
	.complete = "@commit",
	.run = history_run,
};
