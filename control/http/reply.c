/* SPDX-License-Identifier: Apache-2.0 */

/* Answers. */

#include <event2/buffer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "control/http/http_int.h"

#define TEXT_MAX 512
#define GZIP_MIN 1024u
#define GZIP_MAX (1u << 20) /* more would hold up the thread */

const char *
mr_http_header(const struct mr_http_call *call, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(call->req), name);
}

void
mr_http_set_header(const struct mr_http_call *call, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(call->req), name, value);
}

const char *
mr_http_param(const struct mr_http_call *call, const char *name, const char *fallback)
{
	const char *value = evhttp_find_header(call->query, name);

	return value ? value : fallback;
}

/* Whether a list of tags ("\"a\", W/\"b\"", "*") has this one, compressed or not. */
bool
mr_http_has_tag(const char *list, const char *tag)
{
	size_t len = strlen(tag);

	if (len < 2 || !list)
		return false;
	if (strcmp(list, "*") == 0)
		return true;
	for (const char *at = strchr(list, '"'); at; at = strchr(at, '"')) {
		const char *end = strchr(at + 1, '"');
		size_t n = end ? (size_t)(end - at) : 0;

		if (!end)
			return false;
		if (n > 5 && strncmp(end - 5, "-gzip", 5) == 0)
			n -= 5;
		if (n == len - 1 && strncmp(at, tag, n) == 0)
			return true;
		at = end + 1;
	}
	return false;
}

/* The body's compressed twin; null: as it is. */
static struct evbuffer *
compress_body(struct evbuffer *body)
{
	size_t size = evbuffer_get_length(body);
	struct evbuffer *out = evbuffer_new();
	z_stream z = { 0 };
	struct evbuffer_iovec room;
	bool good = false;

	if (!out || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		if (out)
			evbuffer_free(out);
		return NULL;
	}
	z.next_in = evbuffer_pullup(body, -1);
	z.avail_in = (unsigned)size;
	if (evbuffer_reserve_space(out, (ev_ssize_t)deflateBound(&z, size), &room, 1) == 1) {
		z.next_out = room.iov_base;
		z.avail_out = (unsigned)room.iov_len;
		good = z.next_in && deflate(&z, Z_FINISH) == Z_STREAM_END;
		room.iov_len = z.total_out;
		good = good && evbuffer_commit_space(out, &room, 1) == 0;
	}
	deflateEnd(&z);
	if (good)
		return out;
	evbuffer_free(out);
	return NULL;
}

static struct evbuffer *
try_compress(const struct mr_http_call *call, struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->req);
	const char *takes = mr_http_header(call, "Accept-Encoding");
	const char *tag = evhttp_find_header(headers, "ETag");
	size_t size = evbuffer_get_length(body);
	struct evbuffer *small;
	char text[80];

	mr_http_set_header(call, "Vary", "Accept-Encoding");
	if (!takes || !strstr(takes, "gzip") || strstr(takes, "gzip;q=0") || size < GZIP_MIN ||
	    size > GZIP_MAX || evhttp_find_header(headers, "Content-Encoding"))
		return body;
	small = compress_body(body);
	if (!small)
		return body;
	evbuffer_free(body);
	mr_http_set_header(call, "Content-Encoding", "gzip");
	if (tag && strlen(tag) > 2) {
		snprintf(text, sizeof(text), "%.*s-gzip\"", (int)strlen(tag) - 1, tag);
		evhttp_remove_header(headers, "ETag");
		mr_http_set_header(call, "ETag", text);
	}
	return small;
}

bool
mr_http_unchanged(const struct mr_http_call *call, const char *tag)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(call->req);
	const char *known = mr_http_header(call, "If-None-Match");

	mr_http_set_header(call, "ETag", tag);
	if ((method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) || !known ||
	    !mr_http_has_tag(known, tag))
		return false;
	mr_http_send(call, 304, NULL, NULL);
	return true;
}

void
mr_http_send(const struct mr_http_call *call, int code, const char *type, struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->req);
	enum evhttp_cmd_type method = evhttp_request_get_command(call->req);
	char length[24];

	if (!evhttp_find_header(headers, "Cache-Control"))
		mr_http_set_header(call, "Cache-Control", "no-cache");
	mr_http_set_header(call, "X-Content-Type-Options", "nosniff");
	if (body && type)
		mr_http_set_header(call, "Content-Type", type);
	if (body && code == 200)
		body = try_compress(call, body);
	if (body && method == EVHTTP_REQ_HEAD) {
		snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
		mr_http_set_header(call, "Content-Length", length);
		evbuffer_drain(body, evbuffer_get_length(body));
	}
	evhttp_send_reply(call->req, code, NULL, body);
	if (body)
		evbuffer_free(body);
}

void
mr_http_fail(const struct mr_http_call *call, int code, const char *fmt, ...)
{
	struct evbuffer *body = evbuffer_new();
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (char *c = text; *c; c++) /* what a client sent comes back here */
		if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ' || (unsigned char)*c > 126)
			*c = '\'';
	if (body)
		evbuffer_add_printf(body, "{\"error\":\"%s\"}\n", text);
	mr_http_send(call, code, "application/json", body);
}

void
mr_http_reply(const struct mr_http_call *call, const char *type, const char *text, size_t size)
{
	struct evbuffer *body = evbuffer_new();

	if (body && evbuffer_add(body, text, size) == 0) {
		mr_http_send(call, 200, type, body);
		return;
	}
	if (body)
		evbuffer_free(body);
	mr_http_fail(call, 503, "no memory");
}
