/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "control/http/http_int.h"

#define HEADERS_MAX 16384
#define BODY_MAX (32 << 20) /* a whole configuration */
#define PATHS_TEXT 512

void
mr_http_fail(const struct mr_http_call *call, int code, const char *fmt, ...)
{
	struct evbuffer *body = evbuffer_new();
	char text[PATHS_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (char *c = text; *c; c++) /* what a client sent comes back here */
		if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
			*c = '\'';
	evhttp_add_header(evhttp_request_get_output_headers(call->req), "Content-Type",
	    "application/json");
	if (body)
		evbuffer_add_printf(body, "{\"error\":\"%s\"}\n", text);
	evhttp_send_reply(call->req, code, NULL, body);
	if (body)
		evbuffer_free(body);
}

void
mr_http_reply(const struct mr_http_call *call, const char *type, const char *text, size_t size)
{
	struct evbuffer *body = evbuffer_new();

	if (!body || evbuffer_add(body, text, size)) {
		mr_http_fail(call, 503, "no memory");
	} else {
		evhttp_add_header(evhttp_request_get_output_headers(call->req), "Content-Type",
		    type);
		evhttp_send_reply(call->req, 200, "OK", body);
	}
	if (body)
		evbuffer_free(body);
}

const char *
mr_http_param(const struct mr_http_call *call, const char *name, const char *fallback)
{
	const char *value = evhttp_find_header(call->query, name);

	return value ? value : fallback;
}

/* The longest route that the path belongs to. */
static const struct mr_http_route *
find(const struct mr_http *h, const char *path, struct mr_http_call *call)
{
	const struct mr_http_route *best = NULL;
	size_t longest = 0;

	for (unsigned i = 0; i < h->count; i++) {
		for (const struct mr_http_route *r = h->routes[i].list; r->path; r++) {
			size_t len = strlen(r->path);

			if (len <= longest || strncmp(path, r->path, len) != 0 ||
			    (path[len] && path[len] != '/'))
				continue;
			best = r;
			longest = len;
			call->state = h->routes[i].state;
			call->path = path + len + (path[len] == '/');
		}
	}
	return best;
}

static void
say_none(const struct mr_http_call *call, const char *path)
{
	const struct mr_http *h = call->http;
	char known[PATHS_TEXT] = "";
	size_t n = 0;

	for (unsigned i = 0; i < h->count; i++)
		for (const struct mr_http_route *r = h->routes[i].list; r->path; r++)
			if (n < sizeof(known))
				n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s",
				    n ? ", " : "", r->path);
	mr_http_fail(call, 404, "there is no %.100s; there are %s", path, known);
}

static void
dispatch(struct mr_http_call *call, const char *path)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(call->req);
	const struct mr_http_route *route = find(call->http, path, call);

	if (!route)
		say_none(call, path);
	else if (!(route->methods & method))
		mr_http_fail(call, 405, "%s is not for this method", route->path);
	else if (!(method & (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD)) && call->role < route->write)
		mr_http_fail(call, 403, "%s may look, but not change anything", call->who);
	else
		route->serve(call);
}

static void
serve(struct evhttp_request *req, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = evhttp_uri_get_path(uri), *text = evhttp_uri_get_query(uri);
	struct evkeyvalq query;
	struct mr_http_call call = { .http = arg, .req = req, .query = &query };

	call.path = "";
	call.who = "who opened the control socket";
	call.role = MR_HTTP_ADMIN;
	TAILQ_INIT(&query);
	if (text && evhttp_parse_query_str(text, &query))
		mr_http_fail(&call, 400, "the query cannot be read");
	else
		dispatch(&call, path && *path ? path : "/");
	evhttp_clear_headers(&query);
}

int
mr_http_create(struct mr_http **out, struct event_base *base, struct mr_error *error)
{
	struct mr_http *h = calloc(1, sizeof(*h));

	if (h)
		h->evhttp = evhttp_new(base);
	if (!h || !h->evhttp) {
		free(h);
		return mr_error_set(error, -ENOMEM, "control: no memory");
	}
	h->base = base;
	evhttp_set_max_headers_size(h->evhttp, HEADERS_MAX);
	evhttp_set_max_body_size(h->evhttp, BODY_MAX);
	evhttp_set_allowed_methods(h->evhttp,
	    EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH |
		EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
	evhttp_set_gencb(h->evhttp, serve, h);
	*out = h;
	return 0;
}

void
mr_http_destroy(struct mr_http *h)
{
	if (!h)
		return;
	http_end_streams(h);
	evhttp_free(h->evhttp);
	if (h->path[0])
		unlink(h->path);
	free(h->routes);
	free(h);
}

int
mr_http_add(struct mr_http *h, const struct mr_http_route *list, void *state)
{
	struct routes *more = realloc(h->routes, (h->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	h->routes = more;
	h->routes[h->count++] = (struct routes){ .list = list, .state = state };
	return 0;
}
