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
	evhttp_add_header(evhttp_request_get_output_headers(call->req), "Content-Type", REST_JSON);
	evhttp_send_reply(call->req, code, NULL, body);
	free(text);
	json_decref(root);
	if (body)
		evbuffer_free(body);
}
