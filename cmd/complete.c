/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What may stand next on the command line, for the shells (tools/completion.*): the
 * words typed so far come as arguments, the last one being unfinished, and the
 * candidates go out one a line. "@file" asks the shell for file names. Nothing
 * is known here but the descriptors of the verbs.
 */

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/load.h"
#include "cmd/show.h"
#include "model/complete.h"
#include "nf/nf.h"

struct words {
	const struct mr_cmd *cmd;
	char **words; /* behind the verb */
	unsigned count;
	const char *last; /* the unfinished one */
	const char *socket;
	unsigned plain;     /* words before it that are no options */
	const char *first;  /* of those */
	const char *before; /* the last of those */
};

static void
offer(const struct words *w, const char *candidate)
{
	if (strncmp(candidate, w->last, strlen(w->last)) == 0)
		puts(candidate);
}

/* Those of a|b|c. */
static void
offer_list(const struct words *w, const char *list)
{
	char text[64];

	while (*list) {
		size_t len = strcspn(list, "|");

		snprintf(text, sizeof(text), "%.*s", (int)len, list);
		offer(w, text);
		list += len + (list[len] == '|');
	}
}

/* The first key of every row that the running millrace has there. */
static void
offer_state(const struct words *w, const char *function, const char *part)
{
	char target[128], *text = NULL;
	const char *name;
	json_t *root, *rows, *row;
	size_t size, i;

	snprintf(target, sizeof(target), "/state/%s", function);
	if (mr_client_fetch(w->socket, target, &text, &size, NULL))
		return;
	root = json_loadb(text, size, 0, NULL);
	free(text);
	rows = json_object_get(root, function);
	if (part)
		rows = json_object_get(rows, part);
	json_array_foreach(rows, i, row)
	{
		name = json_string_value(json_object_iter_value(json_object_iter(row)));
		if (name)
			offer(w, name);
	}
	json_decref(root);
}

/* What the objects of an answer, one a line, have under this key. */
static void
offer_lines(const struct words *w, const char *target, const char *key)
{
	char *text = NULL, *line, *rest;
	const char *value;
	size_t size;
	json_t *o;

	if (mr_client_fetch(w->socket, target, &text, &size, NULL))
		return;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		o = json_loads(line, 0, NULL);
		value = json_string_value(json_object_get(o, key));
		if (value)
			offer(w, value);
		json_decref(o);
	}
	free(text);
}

/* The kernel's interfaces. */
static void
offer_devices(const struct words *w)
{
	DIR *dir = opendir("/sys/class/net");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			offer(w, entry->d_name);
	if (dir)
		closedir(dir);
}

/* What stands in the model below the path that is there already: the first words of
 * what its description prints. */
static void
offer_model(const struct words *w)
{
	const char *slash = strrchr(w->last, '/');
	char above[256], candidate[512], *text = NULL, *line, *rest;
	struct mr_model *model = NULL;
	size_t size;
	FILE *out;

	snprintf(above, sizeof(above), "%.*s", slash ? (int)(slash - w->last) : 0, w->last);
	out = open_memstream(&text, &size);
	if (!out || mr_load_model(&model)) {
		if (out)
			fclose(out);
		free(text);
		return;
	}
	mr_model_describe(model, above, out, NULL);
	fclose(out);
	mr_model_destroy(model);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int len = (int)strcspn(line, ":; ");

		if (len == 0)
			continue;
		snprintf(candidate, sizeof(candidate), "%s%s%.*s", above, slash ? "/" : "", len,
		    line);
		offer(w, candidate);
	}
	free(text);
}

static void
offer_arg(void *arg, const char *candidate)
{
	offer(arg, candidate);
}

/* What is in force, or null when that cannot be known. */
static struct mr_config *
fetch_running(const struct words *w, struct mr_model *model)
{
	struct mr_config *config = NULL;
	const char *yaml;
	char *text = NULL;
	json_t *root;
	size_t size;

	if (mr_client_post(w->socket, "/restconf/operations/millrace-commit:get", "", &text, &size,
		NULL))
		return NULL;
	root = json_loadb(text, size, 0, NULL);
	free(text);
	yaml = json_string_value(
	    json_object_get(json_object_get(root, "millrace-commit:output"), "text"));
	if (yaml)
		mr_config_parse(&config, model, "running", yaml, strlen(yaml), NULL);
	json_decref(root);
	return config;
}

/* A path in the configuration, or with `value` what stands there. */
static void
offer_path(const struct words *w, bool there, bool value)
{
	struct mr_model *model = NULL;
	struct mr_config *config;

	if (mr_load_model(&model))
		return;
	config = fetch_running(w, model);
	if (value)
		mr_complete_value(model, config, w->before, offer_arg, (void *)w);
	else
		mr_complete_path(model, config, w->last, there, offer_arg, (void *)w);
	mr_config_destroy(config);
	mr_model_destroy(model);
}

/* Numbers of commits. */
static void
offer_commits(const struct words *w)
{
	char number[24], *text = NULL;
	json_t *root, *c;
	size_t size, i;

	if (mr_client_fetch(w->socket, "/state/commits", &text, &size, NULL))
		return;
	root = json_loadb(text, size, 0, NULL);
	free(text);
	json_array_foreach(json_object_get(root, "commits"), i, c)
	{
		snprintf(number, sizeof(number), "%lld",
		    (long long)json_integer_value(json_object_get(c, "id")));
		offer(w, number);
	}
	json_decref(root);
}

static void
offer_what(const struct words *w)
{
	char text[64];

	for (unsigned n = 0; mr_cmd_show_what(n, text, sizeof(text)); n++)
		offer(w, text);
}

/* What of the functions' acts this verb does. */
static void
offer_acts(const struct words *w)
{
	size_t len = strlen(w->cmd->name);
	const struct mr_nf_act *a;

	for (unsigned n = 0; (a = mr_nf_act_at(n)) != NULL; n++)
		if (strncmp(a->name, w->cmd->name, len) == 0 && a->name[len] == ' ')
			offer(w, a->name + len + 1);
}

static void
offer_kind(const struct words *w, const char *kind)
{
	const char *function, *part;
	char first[32];

	if (!kind)
		return;
	/* "@interface a|b": the one for the first word, the other for those behind it. */
	if (strchr(kind, ' ') && w->plain == 0) {
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(kind, " "), kind);
		kind = first;
	} else if (strchr(kind, ' ')) {
		kind = strchr(kind, ' ') + 1;
	}
	if (*kind != '@')
		offer_list(w, kind);
	else if (strcmp(kind, "@file") == 0)
		puts(kind);
	else if (strcmp(kind, "@interface") == 0)
		offer_state(w, "interface", NULL);
	else if (strcmp(kind, "@router") == 0)
		offer_state(w, "router", NULL);
	else if (strcmp(kind, "@node") == 0)
		offer_state(w, "system", "node");
	else if (strcmp(kind, "@reason") == 0)
		offer_lines(w, "/drops/summary", "reason");
	else if (strcmp(kind, "@drop") == 0)
		offer_lines(w, "/drops?count=40", "id");
	else if (strcmp(kind, "@device") == 0)
		offer_devices(w);
	else if (strcmp(kind, "@model") == 0)
		offer_model(w);
	else if (strcmp(kind, "@path-there") == 0)
		offer_path(w, true, false);
	else if (strcmp(kind, "@set") == 0)
		offer_path(w, false, w->plain % 2);
	else if (strcmp(kind, "@commit") == 0)
		offer_commits(w);
	else if (strcmp(kind, "@act") == 0 && w->plain == 0)
		offer_acts(w);
	else if (strcmp(kind, "@what") == 0 && w->plain == 0)
		offer_what(w);
	else if (strcmp(kind, "@what") == 0 && w->plain == 1 &&
	    mr_cmd_show_find(w->first, &function, &part))
		offer_state(w, function, part);
}

static const struct mr_cmd_option *
option_of(const struct mr_cmd *cmd, const char *word)
{
	for (const struct mr_cmd_option *o = cmd->options; o && o->name; o++)
		if (word[1] == '-' ? strcmp(word + 2, o->name) == 0
				   : o->letter && word[1] == o->letter && !word[2])
			return o;
	return NULL;
}

static void
offer_options(const struct words *w)
{
	char text[64];

	for (const struct mr_cmd_option *o = w->cmd->options; o && o->name; o++) {
		snprintf(text, sizeof(text), "--%s", o->name);
		offer(w, text);
	}
	offer(w, "--help");
}

static void
offer_verbs(const struct words *w)
{
	for (unsigned i = 0; mr_cmd_list[i]; i++)
		if (mr_cmd_list[i]->summary)
			offer(w, mr_cmd_list[i]->name);
	if (*w->last == '-')
		offer_list(w, "--help|--version");
}

static void
complete(struct words *w)
{
	const struct mr_cmd_option *o = NULL; /* whose value comes next */

	for (unsigned i = 0; i + 1 < w->count; i++) {
		const char *word = w->words[i];

		if (o) {
			if (strcmp(o->name, "socket") == 0)
				w->socket = word;
			o = NULL;
		} else if (*word == '-' && word[1]) {
			o = option_of(w->cmd, word);
			if (o && !o->value)
				o = NULL;
		} else {
			w->first = w->plain++ == 0 ? word : w->first;
			w->before = word;
		}
	}
	if (o)
		offer_kind(w, o->complete);
	else if (*w->last == '-')
		offer_options(w);
	else
		offer_kind(w, w->cmd->complete);
}

static int
complete_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct words w = { .last = argc > 1 ? argv[argc - 1] : "" };

	(void)cmd;
	if (argc <= 2) {
		offer_verbs(&w);
		return MR_EXIT_OK;
	}
	for (unsigned i = 0; mr_cmd_list[i]; i++)
		if (strcmp(mr_cmd_list[i]->name, argv[1]) == 0)
			w.cmd = mr_cmd_list[i];
	w.words = argv + 2;
	w.count = (unsigned)argc - 2;
	if (w.cmd)
		complete(&w);
	return MR_EXIT_OK;
}

const struct mr_cmd mr_cmd_complete = {
	.name = "__complete",
	.usage = "[WORD...]",
	.help = "Prints what may stand at the last of these words; the shells ask it.",
	.run = complete_run,
};
