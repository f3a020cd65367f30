/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rest/rest_int.h"
#include "model/report.h"

int
rest_code(int rc, const char **tag)
{
	static const struct {
		int error, code;
		const char *tag;
	} known[] = {
		{ -EINVAL, 400, "invalid-value" },
		{ -ENOENT, 404, "invalid-value" },
		{ -EEXIST, 409, "data-exists" },
		{ -EPERM, 403, "access-denied" },
		{ -EAGAIN, 409, "resource-denied" },
		{ -EBUSY, 409, "in-use" },
		{ -ENOMEM, 503, "resource-denied" },
		{ -E2BIG, 413, "too-big" },
		{ -EADDRINUSE, 409, "in-use" },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(known); i++) {
		if (known[i].error != rc)
			continue;
		*tag = known[i].tag;
		return known[i].code;
	}
	*tag = "operation-failed";
	return 500;
}

/* Where in a file, if it was about one: error-info is for what RFC 8040 does not know. */
static void
add_place(json_t *error, const struct mr_report_entry *entry)
{
	json_t *info;

	if (!entry->line)
		return;
	info = json_pack("{s:s, s:i, s:i}", "file", entry->file, "line", (int)entry->line, "column",
	    (int)entry->column);
	json_object_set_new(error, "error-info", info);
}

static void
add(json_t *list, const char *tag, const char *path, const char *text)
{
	json_t *o = json_object();

	json_object_set_new(o, "error-type", json_string("application"));
	json_object_set_new(o, "error-tag", json_string(tag));
	if (path && *path)
		json_object_set_new(o, "error-path", json_string(path));
	json_object_set_new(o, "error-message", json_string(text));
	json_array_append_new(list, o);
}

void
rest_fail(const struct mr_http_call *call, int code, const char *tag,
    const struct mr_report *report, const char *fmt, ...)
{
	json_t *list = json_array(), *root;
	struct evbuffer *body = evbuffer_new();
	char line[512];
	char *text;
	va_list args;

	for (size_t i = 0; report && mr_report_entry(report, i); i++) {
		add(list, tag, mr_report_entry(report, i)->path, mr_report_entry(report, i)->text);
		add_place(json_array_get(list, i), mr_report_entry(report, i));
	}
	if (json_array_size(list) == 0) {
		va_start(args, fmt);
		vsnprintf(line, sizeof(line), fmt, args);
		va_end(args);
		add(list, tag, NULL, line);
	}
	root = json_pack("{s:{s:o}}", "ietf-restconf:errors", "error", list);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	if (body && text)
		evbuffer_add_printf(body, "%s\n", text);
	mr_http_send(call, code, REST_JSON, body);
	free(text);
	json_decref(root);
}

/* Media types of RFC 8040 in JSON, and what people type. */
static bool
is_json(const char *type)
{
	static const char *const known[] = { "application/yang-data+json", "application/json",
		"application/yang-patch+json" };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(known); i++) {
		size_t len = strlen(known[i]);

		if (strncasecmp(type, known[i], len) == 0 &&
		    (!type[len] || strchr("; ,", type[len])))
			return true;
	}
	return false;
}

bool
rest_takes_json(const struct mr_http_call *call)
{
	const char *type = mr_http_header(call, "Content-Type");

	if (!type || is_json(type))
		return true;
	rest_fail(call, 415, "invalid-value", NULL,
	    "the body is to be " REST_JSON " (say so in Content-Type), not %.80s", type);
	return false;
}

bool
rest_sends_json(const struct mr_http_call *call, const char *or_type)
{
	const char *accept = mr_http_header(call, "Accept");

	for (const char *at = accept; at && *at;) {
		at += strspn(at, " ,");
		if (is_json(at) || strncmp(at, "*/*", 3) == 0 ||
		    strncmp(at, "application/*", 13) == 0 ||
		    (or_type && strncmp(at, or_type, strlen(or_type)) == 0))
			return true;
		at += strcspn(at, ",");
	}
	if (!accept || !*accept)
		return true;
	rest_fail(call, 406, "invalid-value", NULL, "the answer is %s, not %.80s",
	    or_type ? or_type : REST_JSON, accept);
	return false;
}
