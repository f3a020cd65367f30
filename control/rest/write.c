/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 8040, sections 4.4 to 4.7: each write is a commit, in force or refused as a whole when it is
 * answered. */

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/commit/commit.h"
#include "control/rest/rest_int.h"
#include "model/edit.h"
#include "model/path.h"
#include "model/report.h"

#define CONFIRM_MAX 86400u

bool
rest_may_write(const struct mr_http_call *call)
{
	const struct rest *r = call->state;
	const char *match = mr_http_header(call, "If-Match");
	const char *none = mr_http_header(call, "If-None-Match");
	const char *since = mr_http_header(call, "If-Unmodified-Since");
	char tag[64], modified[40];
	bool good;

	rest_tag(mr_commits_of(r->control), tag, modified);
	good = (!match || mr_http_has_tag(match, tag)) && (!none || !mr_http_has_tag(none, tag)) &&
	    (!since || strcmp(since, modified) == 0);
	if (!good)
		rest_fail(call, 412, "operation-failed", NULL,
		    "the configuration is not the one that was meant any more; it is %s", tag);
	return good;
}

/* What is there now; null: nothing, or what only a default put there. */
static const struct mr_conf *
at_now(const struct rest *r, const char *path)
{
	const struct mr_conf *node = NULL;
	struct mr_error error;

	if (mr_config_at(mr_commits_running(mr_commits_of(r->control)), path, &node, &error))
		return NULL;
	return node && *path && mr_conf_is_default(node) ? NULL : node;
}

static bool
read_where(const struct mr_http_call *call, struct mr_edit *edit)
{
	static const char *const words[] = { "", "first", "last", "before", "after" };
	const char *insert = mr_http_param(call, "insert", NULL);
	const char *point = mr_http_param(call, "point", NULL);

	for (unsigned i = MR_EDIT_FIRST; insert && i <= MR_EDIT_AFTER; i++)
		if (strcmp(insert, words[i]) == 0)
			edit->where = (enum mr_edit_where)i;
	if (insert && edit->where == MR_EDIT_KEEP) {
		rest_fail(call, 400, "invalid-value", NULL,
		    "insert is first, last, before or after");
		return false;
	}
	if ((edit->where == MR_EDIT_BEFORE || edit->where == MR_EDIT_AFTER) != (point != NULL)) {
		rest_fail(call, 400, "invalid-value", NULL,
		    "point goes with insert=before and insert=after");
		return false;
	}
	edit->point = point ? point + (*point == '/') : NULL;
	return true;
}

static bool
read_request(const struct mr_http_call *call, struct mr_commit_request *request)
{
	const char *text = mr_http_param(call, "confirm", "0");
	char *rest;
	unsigned long seconds = strtoul(text, &rest, 10);

	request->who = call->who;
	request->comment = mr_http_param(call, "comment", NULL);
	request->confirm = (uint32_t)seconds;
	if (*text >= '0' && *text <= '9' && !*rest && seconds <= CONFIRM_MAX)
		return true;
	rest_fail(call, 400, "invalid-value", NULL, "confirm is a number of seconds up to %u",
	    CONFIRM_MAX);
	return false;
}

static void
set_tag(const struct mr_http_call *call)
{
	const struct rest *r = call->state;
	char tag[64], modified[40];

	rest_tag(mr_commits_of(r->control), tag, modified);
	mr_http_set_header(call, "ETag", tag);
	mr_http_set_header(call, "Last-Modified", modified);
}

static void
say_failed(const struct mr_http_call *call, int rc, const struct mr_report *report,
    enum evhttp_cmd_type method)
{
	const char *tag;
	int code = rest_code(rc, &tag);

	if (rc == -ENOENT && method != EVHTTP_REQ_DELETE)
		tag = "data-missing";
	rest_fail(call, code, tag, report, "%s", strerror(-rc));
}

/* Where a new child is, for Location. */
static void
set_location(const struct mr_http_call *call, const struct mr_edit *edit, struct mr_report *report)
{
	const struct rest *r = call->state;
	char path[REST_PATH_MAX], text[REST_PATH_MAX], location[REST_PATH_MAX + 32];
	const struct mr_conf *node;

	if (mr_edit_target(mr_control_model_of(r->control), edit, path, sizeof(path), report))
		return;
	node = at_now(r, path);
	if (!node)
		return;
	mr_path_print_rfc8040(node, text, sizeof(text));
	snprintf(location, sizeof(location), "/restconf/data/%s", text);
	mr_http_set_header(call, "Location", location);
}

static void
commit(const struct mr_http_call *call, struct mr_edit *edit, struct mr_report *report)
{
	const struct rest *r = call->state;
	enum evhttp_cmd_type method = evhttp_request_get_command(call->req);
	struct mr_commit_request request = { 0 };
	struct mr_commits *commits = mr_commits_of(r->control);
	bool there = at_now(r, edit->path) != NULL;
	uint64_t id;
	int rc;

	if (!read_request(call, &request))
		return;
	if (method == EVHTTP_REQ_PATCH && *edit->path && !there) {
		const struct mr_conf *node;
		struct mr_error error;

		/* A container that is always there may be patched into being. */
		if (mr_config_at(mr_commits_running(commits), edit->path, &node, &error)) {
			rest_fail(call, 404, "invalid-value", NULL,
			    "there is nothing to change at %s", edit->path);
			return;
		}
	}
	rc = mr_commits_edit(commits, edit, 1, &request, &id, report);
	if (rc) {
		say_failed(call, rc, report, method);
		return;
	}
	set_tag(call);
	if (method == EVHTTP_REQ_POST)
		set_location(call, edit, report);
	mr_http_send(call,
	    method == EVHTTP_REQ_POST || (method == EVHTTP_REQ_PUT && !there) ? 201 : 204, NULL,
	    NULL);
}

/* RFC 8040: a request is about one resource, so a list in its body has one entry. */
static bool
is_one(const struct mr_http_call *call, const struct mr_edit *edit)
{
	json_error_t wrong;
	json_t *body = json_loadb(edit->json, edit->json_size, JSON_REJECT_DUPLICATES, &wrong);
	json_t *value = json_object_iter_value(json_object_iter(body));
	const char *last = strrchr(edit->path, '/');
	bool whole = !*edit->path && !edit->child;
	bool good = body && (whole || json_object_size(body) == 1);

	last = last ? last + 1 : edit->path;
	/* A leaf-list as a whole may be replaced. */
	if (good && !whole && json_is_array(value) && (edit->child || strchr(last, '=')))
		good = json_array_size(value) == 1;
	if (!body)
		rest_fail(call, 400, "malformed-message", NULL, "line %d, column %d: %s",
		    wrong.line, wrong.column, wrong.text);
	else if (!good)
		rest_fail(call, 400, "malformed-message", NULL,
		    "the body is about one resource: an object with one member, which is, for a "
		    "list's entry, an array with that one");
	json_decref(body);
	return good;
}

void
rest_write(const struct mr_http_call *call)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(call->req);
	struct evbuffer *body = evhttp_request_get_input_buffer(call->req);
	const char *type = mr_http_header(call, "Content-Type");
	struct mr_edit edit = { .path = call->path };
	struct mr_report *report = NULL;

	if (method == EVHTTP_REQ_DELETE && !*call->path) {
		mr_http_set_allow(call,
		    EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH);
		rest_fail(call, 405, "operation-not-supported", NULL,
		    "the whole configuration cannot be deleted");
		return;
	}
	if (method == EVHTTP_REQ_PATCH && type &&
	    strncasecmp(type, "application/yang-patch+json", 27) == 0) {
		rest_yang_patch(call);
		return;
	}
	if (!rest_knows_query(call, "insert|point|confirm|comment") || !read_where(call, &edit) ||
	    !rest_may_write(call))
		return;
	if (method != EVHTTP_REQ_DELETE && !rest_takes_json(call))
		return;
	edit.op = method == EVHTTP_REQ_DELETE ? MR_EDIT_DELETE
	    : method == EVHTTP_REQ_POST       ? MR_EDIT_CREATE
	    : method == EVHTTP_REQ_PUT        ? MR_EDIT_REPLACE
					      : MR_EDIT_MERGE;
	edit.child = method == EVHTTP_REQ_POST;
	if (method != EVHTTP_REQ_DELETE) {
		edit.json_size = evbuffer_get_length(body);
		edit.json = edit.json_size ? (const char *)evbuffer_pullup(body, -1) : NULL;
		if (!edit.json) {
			rest_fail(call, 400, "malformed-message", NULL, "there is no body");
			return;
		}
		if (!is_one(call, &edit))
			return;
	}
	if (mr_report_create(&report))
		rest_fail(call, 503, "resource-denied", NULL, "no memory");
	else
		commit(call, &edit, report);
	mr_report_destroy(report);
}
