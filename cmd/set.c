/* SPDX-License-Identifier: Apache-2.0 */

/* The running configuration by paths: read, changed, printed. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/rpc.h"

#define LINE_MAX_SIZE 65536

/* -- get and dump ---------------------------------------------------------------------------- */

#define PRINTED \
	{ .name = "commit", \
		.value = "N", \
		.doc = "of that commit, not of what is in force", \
		.complete = "@commit" }, \
	    { .name = "defaults", \
		    .value = "WHICH", \
		    .doc = "explicit: what was written; trim: what is no default; report-all", \
		    .complete = "explicit|trim|report-all" }, \
	{ \
		.name = "json", .doc = "RFC 7951 JSON; YAML without" \
	}

static const struct mr_cmd_option get_options[] = {
	PRINTED,
	MR_RPC_SOCKET,
	{ 0 },
};

static int
print(const struct mr_cmd_args *args, const char *path)
{
	json_t *input = json_object(), *output = NULL;
	const char *commit = mr_cmd_value(args, "commit"), *text;
	char *end;
	long n;

	if (commit) {
		n = strtol(commit, &end, 10);
		if (end == commit || *end || n < 1) {
			fprintf(stderr, "millrace %s: \"%s\" is not the number of a commit\n",
			    args->cmd->name, commit);
			json_decref(input);
			return MR_EXIT_USAGE;
		}
		json_object_set_new(input, "commit", json_integer(n));
	}
	if (path)
		json_object_set_new(input, "path", json_string(path));
	if (mr_cmd_given(args, "defaults"))
		json_object_set_new(input, "with-defaults",
		    json_string(mr_cmd_value(args, "defaults")));
	if (mr_cmd_given(args, "json"))
		json_object_set_new(input, "format", json_string("json"));
	if (mr_rpc(args, "millrace-commit:get", input, &output))
		return MR_EXIT_FAILED;
	text = json_string_value(json_object_get(output, "text"));
	fputs(text ? text : "", stdout);
	json_decref(output);
	return MR_EXIT_OK;
}

static int
get_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 1, &args, &status))
		return status;
	return print(&args, args.word_count ? args.words[0] : NULL);
}

static int
dump_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 0, &args, &status))
		return status;
	return print(&args, NULL);
}

const struct mr_cmd mr_cmd_get = {
	.name = "get",
	.summary = "print the running configuration, or a part of it",
	.usage = "[PATH]",
	.help =
	    "PATH goes by names, with an entry's key behind its list: interface/lan1/mtu. RFC\n"
	    "8040's form works, too: interface=lan1/mtu. A slash in a key is %2F where the key\n"
	    "would end before it; 10.0.0.0/8 needs none.\n"
	    "\n"
	    "  millrace get interface/lan1\n"
	    "  millrace get router/default/route/10.0.0.0/8\n"
	    "  millrace get --defaults report-all --json interface/lan1",
	.options = get_options,
	.complete = "@path-there",
	.run = get_run,
};

const struct mr_cmd mr_cmd_dump = {
	.name = "dump",
	.summary = "print the whole running configuration, to be loaded again",
	.usage = "",
	.help =
	    "What is printed loads as the same configuration. Comments of the file that it came\n"
	    "from are not in it.\n"
	    "\n"
	    "  millrace dump > lab.yaml\n"
	    "  millrace dump --commit 12",
	.options = get_options,
	.run = dump_run,
};

/* -- set and delete -------------------------------------------------------------------------- */

#define CHANGED \
	{ .name = "file", \
		.letter = 'f', \
		.value = "FILE", \
		.doc = "changes from a file, a line each (\"-\": standard input)", \
		.complete = "@file" }, \
	{ \
		.name = "plan", .doc = "only say what would change" \
	}

static const struct mr_cmd_option set_options[] = {
	{ .name = "replace", .doc = "exactly VALUE is there afterwards, nothing that was before" },
	CHANGED,
	MR_RPC_MADE,
	{ .name = "json", .doc = "the answer, or errors, as JSON" },
	MR_RPC_SOCKET,
	{ 0 },
};

static const struct mr_cmd_option delete_options[] = {
	CHANGED,
	MR_RPC_MADE,
	{ .name = "json", .doc = "the answer, or errors, as JSON" },
	MR_RPC_SOCKET,
	{ 0 },
};

static void
add_edit(json_t *edits, const char *operation, const char *path, const char *value)
{
	json_t *edit = json_pack("{s:s, s:s}", "path", path, "operation", operation);

	if (edit && value)
		json_object_set_new(edit, "value", json_string(value));
	if (edit)
		json_array_append_new(edits, edit);
	else
		json_array_append_new(edits, json_null()); /* no UTF-8: the server says so */
}

/* "PATH VALUE", or "delete PATH"; the verb's own words need not be said. */
static void
read_line(json_t *edits, char *line, const char *operation)
{
	char *path = line + strspn(line, " \t"), *value;
	size_t length = strlen(path);

	while (length && strchr(" \t\r\n", path[length - 1]))
		path[--length] = '\0';
	if (!length || *path == '#')
		return;
	value = path + strcspn(path, " \t");
	if (*value) {
		*value++ = '\0';
		value += strspn(value, " \t");
	}
	if (strcmp(path, "delete") == 0 && *value)
		add_edit(edits, "delete", value, NULL);
	else if (strcmp(path, "set") == 0 && *value)
		read_line(edits, value, "merge");
	else
		add_edit(edits, operation, path, *value ? value : NULL);
}

static bool
read_file(const struct mr_cmd_args *args, json_t *edits, const char *operation)
{
	const char *name = mr_cmd_value(args, "file");
	FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	char *line;

	if (!file) {
		fprintf(stderr, "millrace %s: %s: %s\n", args->cmd->name, name, strerror(errno));
		return false;
	}
	line = malloc(LINE_MAX_SIZE);
	while (line && fgets(line, LINE_MAX_SIZE, file))
		read_line(edits, line, operation);
	free(line);
	if (file != stdin)
		fclose(file);
	return true;
}

static int
send_edits(const struct mr_cmd_args *args, json_t *edits)
{
	json_t *input = json_pack("{s:o}", "edit", edits), *output = NULL;
	bool plan = mr_cmd_given(args, "plan");
	int status;

	if (!plan && !mr_rpc_made(args, input)) {
		json_decref(input);
		return MR_EXIT_USAGE;
	}
	status =
	    mr_rpc(args, plan ? "millrace-commit:plan" : "millrace-commit:apply", input, &output);
	if (status)
		return status;
	if (!plan || mr_cmd_given(args, "json")) {
		mr_rpc_print_done(args, output);
	} else {
		mr_rpc_print_changes(output, stdout);
		if (!json_array_size(json_object_get(output, "changes")))
			printf("no changes\n");
	}
	json_decref(output);
	return MR_EXIT_OK;
}

static int
change(const struct mr_cmd *cmd, int argc, char **argv, bool deletes)
{
	const char *operation = "delete";
	struct mr_cmd_args args;
	json_t *edits;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, MR_CMD_WORDS_MAX, &args, &status))
		return status;
	if (!args.word_count && !mr_cmd_given(&args, "file")) {
		fprintf(stderr, "usage: millrace %s %s\n", cmd->name, cmd->usage);
		return MR_EXIT_USAGE;
	}
	if (!deletes)
		operation = mr_cmd_given(&args, "replace") ? "replace" : "merge";
	edits = json_array();
	if (mr_cmd_given(&args, "file") && !read_file(&args, edits, operation)) {
		json_decref(edits);
		return MR_EXIT_FAILED;
	}
	for (unsigned i = 0; i < args.word_count; i += deletes ? 1 : 2)
		add_edit(edits, operation, args.words[i],
		    !deletes && i + 1 < args.word_count ? args.words[i + 1] : NULL);
	return send_edits(&args, edits);
}

static int
set_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	return change(cmd, argc, argv, false);
}

static int
delete_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	return change(cmd, argc, argv, true);
}

const struct mr_cmd mr_cmd_set = {
	.name = "set",
	.summary = "change the running configuration",
	.usage = "PATH [VALUE [PATH VALUE...]]",
	.help =
	    "Puts VALUE where PATH says (see get), all of them as one commit: a leaf's value; for\n"
	    "an entry or a group of settings YAML of what is in it, added to what is there; for\n"
	    "an entry with nothing in it, none. What comes out is checked as a file would be.\n"
	    "A value of a list of values is added to it; --replace leaves only that.\n"
	    "\n"
	    "  millrace set interface/lan1/mtu 9000\n"
	    "  millrace set interface/lan3 \"{device: eth7}\" bridge/br0/interface/lan3 \"{}\"\n"
	    "  millrace set --confirm 60s router/default/route/0.0.0.0/0/via 192.0.2.1\n"
	    "  millrace set --file - <<< \"interface/lan1/mtu 1500\"",
	.options = set_options,
	.complete = "@set",
	.run = set_run,
};

const struct mr_cmd mr_cmd_delete = {
	.name = "delete",
	.summary = "take something out of the running configuration",
	.usage = "PATH...",
	.help =
	    "Everything at these paths (see get) goes, as one commit. A value that has a default\n"
	    "gets it again.\n"
	    "\n"
	    "  millrace delete interface/lan3\n"
	    "  millrace delete bridge/br0/interface/lan3 interface/lan3",
	.options = delete_options,
	.complete = "@path-there",
	.run = delete_run,
};
