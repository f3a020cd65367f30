/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/rpc.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"

static void
print_error(const struct mr_cmd_args *args, const json_t *e)
{
	const json_t *info = json_object_get(e, "error-info");
	const char *path = json_string_value(json_object_get(e, "error-path"));
	const char *text = json_string_value(json_object_get(e, "error-message"));
	const char *file = json_string_value(json_object_get(info, "file"));

	if (file)
		fprintf(stderr, "%s:%lld:%lld: ", file,
		    (long long)json_integer_value(json_object_get(info, "line")),
		    (long long)json_integer_value(json_object_get(info, "column")));
	else
		fprintf(stderr, "millrace %s: ", args->cmd->name);
	fprintf(stderr, "%s%s%s\n", path ? path : "", path && *path ? ": " : "",
	    text ? text : "failed");
}

/* As `millrace check --json` has them. */
static json_t *
plain_errors(const json_t *errors)
{
	json_t *list = json_array(), *e;
	size_t i;

	json_array_foreach((json_t *)errors, i, e)
	{
		const json_t *info = json_object_get(e, "error-info");
		const char *file = json_string_value(json_object_get(info, "file"));
		const char *path = json_string_value(json_object_get(e, "error-path"));
		const char *text = json_string_value(json_object_get(e, "error-message"));

		json_array_append_new(list,
		    json_pack("{s:s, s:I, s:I, s:s, s:s}", "file", file ? file : "", "line",
			json_integer_value(json_object_get(info, "line")), "column",
			json_integer_value(json_object_get(info, "column")), "path",
			path ? path : "", "text", text ? text : ""));
	}
	return json_pack("{s:o, s:I}", "errors", list, "count",
	    (json_int_t)json_array_size(errors));
}

static void
print_errors(const struct mr_cmd_args *args, const json_t *root, int status)
{
	const json_t *errors =
	    json_object_get(json_object_get(root, "ietf-restconf:errors"), "error");
	json_t *plain, *e;
	size_t i;

	if (!json_array_size(errors)) {
		const char *text = json_string_value(json_object_get(root, "error"));

		fprintf(stderr, "millrace %s: the server answered %d%s%s\n", args->cmd->name,
		    status, text ? ": " : "", text ? text : "");
		return;
	}
	if (mr_cmd_given(args, "json")) {
		plain = plain_errors(errors);
		json_dumpf(plain, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(plain);
		return;
	}
	json_array_foreach((json_t *)errors, i, e) print_error(args, e);
}

int
mr_rpc(const struct mr_cmd_args *args, const char *name, json_t *input, json_t **output)
{
	int module = (int)strcspn(name, ":"), status = 0, rc;
	char target[160], key[80], *body, *text = NULL;
	struct mr_error error;
	json_t *root;
	size_t size;

	snprintf(target, sizeof(target), "/restconf/operations/%s", name);
	snprintf(key, sizeof(key), "%.*s:input", module, name);
	root = json_pack("{s:o}", key, input);
	body = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (!body) {
		fprintf(stderr, "millrace %s: the words are not UTF-8, or memory is short\n",
		    args->cmd->name);
		return MR_EXIT_FAILED;
	}
	rc = mr_client_ask(mr_cmd_value(args, "socket"), target, body, &status, &text, &size,
	    &error);
	free(body);
	if (rc) {
		fprintf(stderr, "millrace %s: %s\n", args->cmd->name, error.text);
		return MR_EXIT_FAILED;
	}
	root = size ? json_loadb(text, size, 0, NULL) : json_object();
	free(text);
	if (status != 200 && status != 204) {
		print_errors(args, root, status);
		json_decref(root);
		return MR_EXIT_FAILED;
	}
	if (output) {
		snprintf(key, sizeof(key), "%.*s:output", module, name);
		*output = json_incref(json_object_get(root, key));
		*output = *output ? *output : json_object();
	}
	json_decref(root);
	return MR_EXIT_OK;
}

/* -- changes --------------------------------------------------------------------------------- */

/* "90", "60s", "5m", "1h". */
static bool
read_time(const char *text, long *seconds)
{
	char *end;
	long n = strtol(text, &end, 10), unit = 1;

	if (*end == 'm')
		unit = 60;
	else if (*end == 'h')
		unit = 3600;
	if (end == text || n < 1 || n > 1000000 || (*end && (!strchr("smh", *end) || end[1])))
		return false;
	*seconds = n * unit;
	return true;
}

bool
mr_rpc_made(const struct mr_cmd_args *args, json_t *input)
{
	const char *confirm = mr_cmd_value(args, "confirm");
	long seconds;

	if (confirm && !read_time(confirm, &seconds)) {
		fprintf(stderr,
		    "millrace %s: --confirm: \"%s\" is not a time such as 60s, 5m or 1h\n",
		    args->cmd->name, confirm);
		return false;
	}
	if (confirm)
		json_object_set_new(input, "confirm", json_integer(seconds));
	if (mr_cmd_given(args, "comment"))
		json_object_set_new(input, "comment", json_string(mr_cmd_value(args, "comment")));
	if (mr_cmd_given(args, "forget"))
		json_object_set_new(input, "forget", json_true());
	return true;
}

void
mr_rpc_print_changes(const json_t *output, FILE *out)
{
	json_t *c;
	size_t i;

	json_array_foreach(json_object_get(output, "changes"), i, c)
	{
		const char *path = json_string_value(json_object_get(c, "path"));
		const char *op = json_string_value(json_object_get(c, "op"));
		const char *old = json_string_value(json_object_get(c, "old"));
		const char *new = json_string_value(json_object_get(c, "new"));

		if (!op || !path)
			continue;
		if (strcmp(op, "create") == 0)
			fprintf(out, "+ %s: %s\n", path, new ? new : "");
		else if (strcmp(op, "delete") == 0)
			fprintf(out, "- %s: %s\n", path, old ? old : "");
		else
			fprintf(out, "%c %s: %s -> %s\n", *op == 'm' ? '>' : '~', path,
			    old ? old : "", new ? new : "");
	}
}

void
mr_rpc_print_done(const struct mr_cmd_args *args, const json_t *output)
{
	long long id = json_integer_value(json_object_get(output, "id"));

	if (mr_cmd_given(args, "json")) {
		json_dumpf(output, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	mr_rpc_print_changes(output, stdout);
	if (!json_is_true(json_object_get(output, "changed")))
		printf("no changes; commit %lld is in force\n", id);
	else if (mr_cmd_given(args, "confirm"))
		printf("commit %lld is in force, and taken back in %s unless it is confirmed: "
		       "millrace confirm\n",
		    id, mr_cmd_value(args, "confirm"));
	else
		printf("commit %lld is in force\n", id);
}
