/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/render.h"

static const struct mr_cmd_option options[] = {
	{.name = "json", .doc = "as JSON, names and numbers as the model has them"},
	{.name = "all", .letter = 'a', .doc = "columns and rows that are all zero as well"},
	{.name = "socket", .value = "PATH", .doc = "control socket of the millrace to ask"},
	{0},
};

/* What stands in the process's own state is asked for by the name of its part. */
static const char *const system_parts[] = {"node", "drop", "worker", "memory", "packets"};

/* "interfaces" is the list "interface". */
static void
singular(const char *word, char *name, size_t size)
{
	size_t len = strlen(word);

	snprintf(name, size, "%s", word);
	if (len > 1 && len < size && word[len - 1] == 's' && strcmp(word, "packets") != 0)
		name[len - 1] = 0;
}

static const char *
part_of_system(const char *name)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(system_parts); i++)
		if (strcmp(system_parts[i], name) == 0)
			return system_parts[i];
	return NULL;
}

/* Rows whose only number is a zero count say nothing. */
static void
leave_out_zero_drops(json_t *rows)
{
	for (size_t i = json_array_size(rows); i-- > 0;)
		if (json_integer_value(json_object_get(json_array_get(rows, i), "packets")) == 0)
			json_array_remove(rows, i);
}

/* Of a list, the entry whose first key is `name`. */
static json_t *
entry_of(json_t *list, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row) {
		void *first = json_object_iter(row);
		const char *key = first ? json_string_value(json_object_iter_value(first)) : NULL;

		if (key && strcmp(key, name) == 0)
			return row;
	}
	return NULL;
}

static int
print_part(const struct mr_cmd_args *args, const char *name, json_t *part)
{
	json_t *entry = NULL;

	if (args->word_count > 1) {
		entry = entry_of(part, args->words[1]);
		if (!entry) {
			fprintf(stderr, "millrace show: there is no %s \"%s\"\n", name, args->words[1]);
			return MR_EXIT_FAILED;
		}
		part = entry;
	}
	if (mr_cmd_given(args, "json")) {
		json_dumpf(part, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
		return MR_EXIT_OK;
	}
	if (strcmp(name, "drop") == 0 && !mr_cmd_given(args, "all"))
		leave_out_zero_drops(part);
	if (json_is_array(part) && json_array_size(part) == 0)
		printf("no %s%s\n", name, strcmp(name, "drop") == 0 ? "s so far" : "");
	else
		mr_render(stdout, name, part, mr_cmd_given(args, "all"));
	return MR_EXIT_OK;
}

static int
show_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	char name[64], target[256];
	struct mr_error error;
	const char *part;
	char *text = NULL;
	json_t *root, *value;
	size_t size;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 1, 2, &args, &status))
		return status;
	singular(args.words[0], name, sizeof(name));
	part = part_of_system(name);
	snprintf(target, sizeof(target), "/state/%s", part ? "system" : name);
	if (mr_client_fetch(mr_cmd_value(&args, "socket"), target, &text, &size, &error)) {
		fprintf(stderr, "millrace show: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	root = json_loadb(text, size, 0, NULL);
	free(text);
	value = json_object_get(root, part ? "system" : name);
	if (part)
		value = json_object_get(value, part);
	if (!root) {
		fprintf(stderr, "millrace show: the answer is not JSON\n");
		status = MR_EXIT_FAILED;
	} else {
		json_t *none = value ? NULL : json_array();

		status = print_part(&args, name, value ? value : none);
		json_decref(none);
	}
	json_decref(root);
	return status;
}

const struct mr_cmd mr_cmd_show = {
	.name = "show",
	.summary = "show the state of the running data plane",
	.usage = "WHAT [NAME]",
	.help = "WHAT is interfaces, bridges (or another function's name), nodes, drops, workers,\n"
		"packets, memory or system. With NAME only that one.\n"
		"\n"
		"  millrace show interfaces\n"
		"  millrace show bridge br0\n"
		"  millrace show drops --json",
	.options = options,
	.run = show_run,
};
