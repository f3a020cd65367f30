/* SPDX-License-Identifier: Apache-2.0 */

/* The operations that clients ask for, by millrace-commit.yang. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/commit/commit_int.h"
#include "control/commit/plan.h"
#include "model/print.h"

#define EDITS_MAX 10000
#define TEXT_MAX ((size_t)32 << 20)

mr_printf(3, 4) static int bad(struct mr_rpc_call *call, int rc, const char *fmt, ...)
{
	char text[500];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return mr_error_set(&call->error, rc, "%s", text);
}

/* -- input ----------------------------------------------------------------------------------- */

/* A text; absent: null. */
static int
get_text(struct mr_rpc_call *call, const json_t *from, const char *name, const char **out,
    size_t *size)
{
	const json_t *value = json_object_get(from, name);

	*out = NULL;
	if (value && !json_is_string(value))
		return bad(call, -EINVAL, "%s is no text", name);
	if (!value)
		return 0;
	*out = json_string_value(value);
	if (strlen(*out) != json_string_length(value))
		return bad(call, -EINVAL, "%s holds a null byte", name);
	if (size)
		*size = json_string_length(value);
	return 0;
}

static int
get_number(struct mr_rpc_call *call, const char *name, uint32_t *out, bool *given)
{
	const json_t *value = json_object_get(call->input, name);

	*out = 0;
	if (given)
		*given = value;
	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > UINT32_MAX)
		return bad(call, -EINVAL, "%s is no number between 0 and %u", name, UINT32_MAX);
	*out = (uint32_t)json_integer_value(value);
	return 0;
}

/* One of a list of words ("a\0b\0"), as its number. */
static int
get_word(struct mr_rpc_call *call, const json_t *from, const char *name, const char *const *words,
    unsigned *out)
{
	const char *text;
	int rc = get_text(call, from, name, &text, NULL);

	*out = 0;
	if (rc || !text)
		return rc;
	for (; words[*out]; ++*out)
		if (!strcmp(words[*out], text))
			return 0;
	return bad(call, -EINVAL, "%s cannot be \"%.60s\"", name, text);
}

/* Members that nobody knows are mistakes. */
static int
only(struct mr_rpc_call *call, const json_t *from, const char *known)
{
	json_t *value;
	const char *name;

	json_object_foreach((json_t *)from, name,
	    value) if (!mr_nf_has_filter(known, name)) return bad(call, -EINVAL,
	    "there is no \"%.60s\" in the input", name);
	return 0;
}

static int
read_edit(struct mr_rpc_call *call, const json_t *from, struct mr_edit *edit)
{
	static const char *const operations[] = { "merge", "replace", "create", "delete", "remove",
		NULL };
	unsigned op;
	int rc = json_is_object(from) ? only(call, from, "path|operation|value")
				      : bad(call, -EINVAL, "an edit is no object");

	memset(edit, 0, sizeof(*edit));
	if (!rc)
		rc = get_text(call, from, "path", &edit->path, NULL);
	if (!rc && !edit->path)
		rc = bad(call, -EINVAL, "an edit has no path");
	if (!rc)
		rc = get_text(call, from, "value", &edit->value, NULL);
	if (!rc)
		rc = get_word(call, from, "operation", operations, &op);
	if (!rc)
		edit->op = (enum mr_edit_op)op;
	return rc;
}

static int
edited(struct mr_commits *c, struct mr_rpc_call *call, const json_t *list, struct mr_config **out)
{
	size_t count = json_array_size(list);
	struct mr_edit *edits = calloc(count + 1, sizeof(*edits));
	int rc = 0;

	if (!edits)
		return bad(call, -ENOMEM, "no memory");
	if (!count || count > EDITS_MAX)
		rc = bad(call, -EINVAL, "a change has 1 to %d edits", EDITS_MAX);
	for (size_t i = 0; i < count && !rc; i++)
		rc = read_edit(call, json_array_get(list, i), &edits[i]);
	if (!rc)
		rc = mr_config_edit(out, c->model, c->running, edits, count, call->report);
	free(edits);
	return rc;
}

#define CHANGE_INPUT "config|format|name|edit|rollback"
#define MADE_INPUT "confirm|comment|forget"

/* The configuration that the input asks for. */
static int
read_change(struct mr_commits *c, struct mr_rpc_call *call, struct mr_config **out,
    struct mr_commit_request *request)
{
	static const char *const formats[] = { "yaml", "json", NULL };
	const json_t *edit = json_object_get(call->input, "edit");
	const char *text, *name;
	uint32_t to;
	unsigned format;
	bool back;
	size_t size = 0;
	int rc = get_text(call, call->input, "config", &text, &size);

	*out = NULL;
	if (!rc)
		rc = get_text(call, call->input, "name", &name, NULL);
	if (!rc)
		rc = get_word(call, call->input, "format", formats, &format);
	if (!rc)
		rc = get_number(call, "rollback", &to, &back);
	if (rc)
		return rc;
	if ((text ? 1 : 0) + (edit ? 1 : 0) + back != 1)
		return bad(call, -EINVAL,
		    "a change is one of config, edit and rollback, and needs one of them");
	if (edit)
		return edited(c, call, edit, out);
	if (back)
		return mr_commits_config(c, to ? to : mr_commits_earlier(c), out, call->report);
	request->text = text;
	request->text_size = size;
	name = name ? name : "the configuration";
	return format ? mr_config_parse_json(out, c->model, name, text, size, call->report)
		      : mr_config_parse(out, c->model, name, text, size, call->report);
}

static int
read_request(struct mr_rpc_call *call, struct mr_commit_request *request)
{
	const json_t *forget = json_object_get(call->input, "forget");
	int rc = get_number(call, "confirm", &request->confirm, NULL);

	if (!rc)
		rc = get_text(call, call->input, "comment", &request->comment, NULL);
	if (!rc && request->comment && strlen(request->comment) > 1000)
		rc = bad(call, -EINVAL, "the comment is longer than 1000 bytes");
	if (!rc && forget && !json_is_boolean(forget))
		rc = bad(call, -EINVAL, "forget is neither true nor false");
	request->forget = json_is_true(forget);
	request->who = call->who;
	return rc;
}

/* -- output ---------------------------------------------------------------------------------- */

static void
put_changes(json_t *output, const struct mr_diff *changes)
{
	json_t *list = json_array();
	const struct mr_change *c;

	for (size_t i = 0; (c = mr_diff_at(changes, i)); i++) {
		json_t *o = json_pack("{s:s, s:s}", "path", c->path, "op", mr_diff_word(c->op));

		if (c->old)
			json_object_set_new(o, "old", json_string(c->old));
		if (c->value)
			json_object_set_new(o, "new", json_string(c->value));
		json_array_append_new(list, o);
	}
	json_object_set_new(output, "changes", list);
}

static void
put_done(struct mr_commits *c, struct mr_rpc_call *call, uint64_t id, uint64_t before)
{
	const struct mr_commit *m = mr_commits_find(c, id);

	json_object_set_new(call->output, "id", json_integer((json_int_t)id));
	json_object_set_new(call->output, "changed", json_boolean(id != before));
	put_changes(call->output, id != before && m ? m->changes : NULL);
}

/* -- operations ------------------------------------------------------------------------------ */

static int
run_plan(void *state, struct mr_rpc_call *call)
{
	struct mr_commits *c = state;
	struct mr_commit_request request = { 0 };
	struct mr_config *next = NULL;
	struct mr_commit_plan *plan = NULL;
	json_t *touches;
	int rc = only(call, call->input, CHANGE_INPUT);

	if (!rc)
		rc = read_change(c, call, &next, &request);
	if (!rc)
		rc = mr_commits_plan(c, next, &plan, call->report);
	if (!rc) {
		put_changes(call->output, plan->changes);
		touches = json_array();
		for (unsigned i = 0; i < plan->touches.count; i++) {
			const struct mr_plan_line *line = &plan->touches.lines[i];
			json_t *o = json_pack("{s:s, s:s, s:s}", "what", line->what, "kind",
			    mr_nf_plan_word(line->kind), "text", line->text);
			char digits[24];

			snprintf(digits, sizeof(digits), "%llu", (unsigned long long)line->count);
			if (line->count != UINT64_MAX)
				json_object_set_new(o, "count", json_string(digits));
			json_array_append_new(touches, o);
		}
		json_object_set_new(call->output, "touches", touches);
	}
	mr_commit_plan_destroy(plan);
	mr_config_destroy(next);
	return rc;
}

static int
run_apply(void *state, struct mr_rpc_call *call)
{
	struct mr_commits *c = state;
	struct mr_commit_request request = { 0 };
	uint64_t id, before = mr_commits_current(c)->id;
	struct mr_config *next = NULL;
	int rc = only(call, call->input, CHANGE_INPUT "|" MADE_INPUT);

	if (!rc && json_object_get(call->input, "rollback"))
		rc = bad(call, -EINVAL, "rollback is an operation of its own");
	if (!rc)
		rc = read_request(call, &request);
	if (!rc)
		rc = read_change(c, call, &next, &request);
	if (!rc)
		rc = mr_commits_apply(c, next, &request, &id, call->report);
	if (rc)
		mr_config_destroy(next);
	else
		put_done(c, call, id, before);
	return rc;
}

static int
run_rollback(void *state, struct mr_rpc_call *call)
{
	struct mr_commits *c = state;
	struct mr_commit_request request = { 0 };
	uint64_t id, before = mr_commits_current(c)->id;
	uint32_t to;
	int rc = only(call, call->input, "to|" MADE_INPUT);

	if (!rc)
		rc = read_request(call, &request);
	if (!rc)
		rc = get_number(call, "to", &to, NULL);
	if (!rc)
		rc = mr_commits_rollback(c, to, &request, &id, call->report);
	if (!rc)
		put_done(c, call, id, before);
	return rc;
}

static int
run_confirm(void *state, struct mr_rpc_call *call)
{
	struct mr_commits *c = state;
	uint32_t id;
	int rc = only(call, call->input, "id");

	if (!rc)
		rc = get_number(call, "id", &id, NULL);
	if (!rc)
		rc = mr_commits_confirm(c, id, call->who, call->report);
	if (!rc)
		json_object_set_new(call->output, "id",
		    json_integer((json_int_t)mr_commits_current(c)->id));
	return rc;
}

static int
run_cancel(void *state, struct mr_rpc_call *call)
{
	struct mr_commits *c = state;
	uint32_t id;
	int rc = only(call, call->input, "id");

	if (!rc)
		rc = get_number(call, "id", &id, NULL);
	if (!rc)
		rc = mr_commits_cancel(c, id, call->who, call->report);
	if (!rc)
		json_object_set_new(call->output, "id",
		    json_integer((json_int_t)mr_commits_current(c)->id));
	return rc;
}

static int
print(struct mr_rpc_call *call, const struct mr_config *config, const char *path,
    const struct mr_print *how)
{
	const struct mr_conf *node;
	char *text = NULL;
	size_t size;
	FILE *out;
	int rc = mr_config_at(config, path, &node, &call->error);

	if (rc)
		return rc;
	out = open_memstream(&text, &size);
	if (!out)
		return bad(call, -ENOMEM, "no memory");
	mr_conf_print(node, how, out);
	if (fclose(out) || size > TEXT_MAX * 4)
		rc = bad(call, -E2BIG, "the text is too long");
	else
		json_object_set_new(call->output, "text", json_stringn(text, size));
	free(text);
	return rc;
}

static int
run_get(void *state, struct mr_rpc_call *call)
{
	static const char *const formats[] = { "yaml", "json", NULL };
	static const char *const defaults[] = { "explicit", "trim", "report-all", NULL };
	struct mr_commits *c = state;
	struct mr_config *earlier = NULL;
	struct mr_print how = { 0 };
	const char *path;
	unsigned form, kind;
	uint32_t id;
	int rc = only(call, call->input, "path|commit|format|with-defaults");

	if (!rc)
		rc = get_text(call, call->input, "path", &path, NULL);
	if (!rc)
		rc = get_number(call, "commit", &id, NULL);
	if (!rc)
		rc = get_word(call, call->input, "format", formats, &form);
	if (!rc)
		rc = get_word(call, call->input, "with-defaults", defaults, &kind);
	if (!rc && id)
		rc = mr_commits_config(c, id, &earlier, call->report);
	if (rc)
		return rc;
	how.form = (enum mr_print_form)form;
	how.defaults = (enum mr_print_defaults)kind;
	rc = print(call, earlier ? earlier : c->running, path, &how);
	mr_config_destroy(earlier);
	return rc;
}

const struct mr_rpc commit_rpcs[] = {
	{ "millrace-commit:plan", MR_HTTP_READ, run_plan },
	{ "millrace-commit:apply", MR_HTTP_ADMIN, run_apply },
	{ "millrace-commit:confirm", MR_HTTP_ADMIN, run_confirm },
	{ "millrace-commit:cancel", MR_HTTP_ADMIN, run_cancel },
	{ "millrace-commit:rollback", MR_HTTP_ADMIN, run_rollback },
	{ "millrace-commit:get", MR_HTTP_READ, run_get },
	{ 0 },
};
