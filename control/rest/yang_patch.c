/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 8072: several edits, in force together or not at all. */

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/commit/commit.h"
#include "control/rest/rest_int.h"
#include "model/report.h"

#define EDITS_MAX 10000u

struct patch {
	const char *id;
	struct mr_edit *edits;
	char **owned; /* paths, values and points, three of each edit */
	size_t count;
};

static void
patch_free(struct patch *p)
{
	for (size_t i = 0; p->owned && i < 3 * p->count; i++)
		free(p->owned[i]);
	free(p->owned);
	free(p->edits);
}

/* A target is below the resource that the patch was sent to. */
static char *
join(const char *base, const char *target)
{
	size_t size = strlen(base) + strlen(target) + 2;
	char *path = malloc(size);

	target += *target == '/';
	if (path)
		snprintf(path, size, "%s%s%s", base, *base && *target ? "/" : "", target);
	return path;
}

static bool
read_op(const char *op, enum mr_edit_op *out)
{
	static const struct {
		const char *name;
		enum mr_edit_op op;
	} known[] = {
		{ "create", MR_EDIT_CREATE },
		{ "delete", MR_EDIT_DELETE },
		{ "insert", MR_EDIT_CREATE },
		{ "merge", MR_EDIT_MERGE },
		{ "move", MR_EDIT_MERGE },
		{ "replace", MR_EDIT_REPLACE },
		{ "remove", MR_EDIT_REMOVE },
	};

	for (unsigned i = 0; op && i < MR_ARRAY_COUNT(known); i++) {
		if (strcmp(known[i].name, op) != 0)
			continue;
		*out = known[i].op;
		return true;
	}
	return false;
}

static bool
read_where(const char *where, enum mr_edit_where *out)
{
	static const char *const words[] = { "", "first", "last", "before", "after" };

	for (unsigned i = MR_EDIT_FIRST; i <= MR_EDIT_AFTER; i++) {
		if (strcmp(words[i], where) != 0)
			continue;
		*out = (enum mr_edit_where)i;
		return true;
	}
	return false;
}

/* Null: it is right; else what is wrong. */
static const char *
read_edit(const struct mr_http_call *call, const json_t *from, struct mr_edit *edit, char **owned)
{
	const char *op = json_string_value(json_object_get(from, "operation"));
	const char *target = json_string_value(json_object_get(from, "target"));
	const char *where = json_string_value(json_object_get(from, "where"));
	const char *point = json_string_value(json_object_get(from, "point"));
	const json_t *value = json_object_get(from, "value");
	bool valued;

	if (!json_is_string(json_object_get(from, "edit-id")))
		return "each edit has an edit-id";
	if (!target)
		return "each edit has a target";
	if (!read_op(op, &edit->op))
		return "operation is create, delete, insert, merge, move, replace or remove";
	valued =
	    edit->op != MR_EDIT_DELETE && edit->op != MR_EDIT_REMOVE && strcmp(op, "move") != 0;
	if (valued != json_is_object(value))
		return valued ? "this operation has a value, an object"
			      : "this operation has no value";
	if (strcmp(op, "insert") == 0 || strcmp(op, "move") == 0)
		edit->where = MR_EDIT_LAST; /* RFC 8072: the default */
	if (where && !read_where(where, &edit->where))
		return "where is first, last, before or after";
	owned[0] = join(call->path, target);
	owned[1] = valued ? json_dumps(value, JSON_COMPACT) : NULL;
	owned[2] =
	    point ? join(*point == '/' && strchr(point, ':') ? "" : call->path, point) : NULL;
	if (!owned[0] || (valued && !owned[1]) || (point && !owned[2]))
		return "no memory";
	edit->path = owned[0];
	edit->json = owned[1];
	edit->json_size = owned[1] ? strlen(owned[1]) : 0;
	edit->point = owned[2];
	return NULL;
}

static const char *
read_patch(const struct mr_http_call *call, const json_t *body, struct patch *p)
{
	const json_t *patch = json_object_get(body, "ietf-yang-patch:yang-patch");
	const json_t *edits = json_object_get(patch, "edit");
	const char *why = NULL;

	p->id = json_string_value(json_object_get(patch, "patch-id"));
	if (!p->id)
		return "the body is {\"ietf-yang-patch:yang-patch\": {\"patch-id\": ..., \"edit\": "
		       "[...]}}";
	if (!json_is_array(edits) || json_array_size(edits) == 0 ||
	    json_array_size(edits) > EDITS_MAX)
		return "there are between 1 and 10000 edits";
	p->edits = calloc(json_array_size(edits), sizeof(*p->edits));
	p->owned = calloc(3 * json_array_size(edits), sizeof(*p->owned));
	if (!p->edits || !p->owned)
		return "no memory";
	while (!why && p->count < json_array_size(edits)) {
		why = read_edit(call, json_array_get(edits, p->count), &p->edits[p->count],
		    &p->owned[3 * p->count]);
		p->count++;
	}
	return why;
}

/* The answer's form when it was understood, whatever became of it. */
static void
say(const struct mr_http_call *call, const struct patch *p, int rc, const struct mr_report *report)
{
	json_t *errors, *status;
	const char *tag;
	int code;

	if (rc == 0) {
		rest_send(call, 200,
		    json_pack("{s:{s:s,s:[n]}}", "ietf-yang-patch:yang-patch-status", "patch-id",
			p->id, "ok"));
		return;
	}
	code = rest_code(rc, &tag);
	errors = json_array();
	for (size_t i = 0; mr_report_entry(report, i); i++)
		json_array_append_new(errors,
		    json_pack("{s:s,s:s,s:s,s:s}", "error-type", "application", "error-tag", tag,
			"error-path", mr_report_entry(report, i)->path, "error-message",
			mr_report_entry(report, i)->text));
	if (json_array_size(errors) == 0)
		json_array_append_new(errors,
		    json_pack("{s:s,s:s,s:s}", "error-type", "application", "error-tag", tag,
			"error-message", strerror(-rc)));
	status = json_pack("{s:{s:s,s:{s:o}}}", "ietf-yang-patch:yang-patch-status", "patch-id",
	    p->id, "errors", "error", errors);
	rest_send(call, code, status);
}

void
rest_yang_patch(const struct mr_http_call *call)
{
	struct evbuffer *buffer = evhttp_request_get_input_buffer(call->req);
	size_t size = evbuffer_get_length(buffer);
	const struct rest *r = call->state;
	struct mr_commit_request request = { .who = call->who };
	struct patch p = { 0 };
	struct mr_report *report = NULL;
	const char *why;
	json_t *body;
	uint64_t id;

	if (!rest_knows_query(call, "comment") || !rest_may_write(call))
		return;
	request.comment = mr_http_param(call, "comment", NULL);
	body = size ? json_loadb((const char *)evbuffer_pullup(buffer, -1), size,
			  JSON_REJECT_DUPLICATES, NULL)
		    : NULL;
	why = body ? read_patch(call, body, &p) : "the body is no JSON";
	if (why)
		rest_fail(call, 400, "malformed-message", NULL, "%s", why);
	else if (mr_report_create(&report))
		rest_fail(call, 503, "resource-denied", NULL, "no memory");
	else
		say(call, &p,
		    mr_commits_edit(mr_commits_of(r->control), p.edits, p.count, &request, &id,
			report),
		    report);
	mr_report_destroy(report);
	patch_free(&p);
	json_decref(body);
}
