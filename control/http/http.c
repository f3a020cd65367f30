/* SPDX-License-Identifier: Apache-2.0 */

/* Requests to routes. */

#include "control/http/http.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "control/http/http_int.h"

#define PATHS_TEXT 512
#define READ_METHODS (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD)

static const struct mr_http_limits first_limits = {
	.connections = 512,
	.per_source = 128,
	.body = 32 << 20,
	.header = 16384,
	.memory = 64 << 20,
	.request_seconds = 10,
	.idle_seconds = 60,
};

/* The longest route that the path belongs to. */
static const struct mr_http_route *
find(const struct mr_http *h, const char *path, struct mr_http_call *call)
{
	const struct mr_http_route *best = NULL;
	size_t longest = 0;

	for (unsigned i = 0; i < h->count; i++) {
		for (const struct mr_http_route *r = h->routes[i].list; r->path; r++) {
			size_t len = strlen(r->path);
			bool top = strcmp(r->path, "/") == 0;

			if (len <= longest || strncmp(path, r->path, len) != 0 ||
			    (!top && path[len] && path[len] != '/') || (top && path[1]))
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

static const char *
method_name(enum evhttp_cmd_type method)
{
	switch (method) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_OPTIONS:
		return "OPTIONS";
	default:
		return "?";
	}
}

void
mr_http_set_allow(const struct mr_http_call *call, unsigned methods)
{
	char text[80] = "OPTIONS";
	size_t n = strlen(text);

	methods |= methods & EVHTTP_REQ_GET ? EVHTTP_REQ_HEAD : 0;
	for (unsigned bit = 1; bit <= EVHTTP_REQ_PATCH; bit <<= 1)
		if (methods & bit & ~(unsigned)EVHTTP_REQ_OPTIONS)
			n += (size_t)snprintf(text + n, sizeof(text) - n, ", %s",
			    method_name((enum evhttp_cmd_type)bit));
	mr_http_set_header(call, "Allow", text);
	if (methods & EVHTTP_REQ_PATCH)
		mr_http_set_header(call, "Accept-Patch",
		    "application/yang-data+json, application/yang-patch+json");
}

void
http_tell(const struct mr_http_call *call, int code, const char *why)
{
	const struct mr_http_event event = {
		.who = call->who,
		.from = call->from,
		.method = method_name(evhttp_request_get_command(call->req)),
		.path = evhttp_request_get_uri(call->req),
		.code = code,
		.why = why,
	};

	if (call->http->tell)
		call->http->tell(call->http->tell_arg, &event);
}

void
mr_http_watch(struct mr_http *h, void (*tell)(void *arg, const struct mr_http_event *), void *arg)
{
	h->tell = tell;
	h->tell_arg = arg;
}

static void
dispatch(struct http_conn *c, struct mr_http_call *call, const char *path)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(call->req);
	const struct mr_http_route *route = find(call->http, path, call);
	unsigned takes = route ? route->methods : 0;

	takes |= takes & EVHTTP_REQ_GET ? EVHTTP_REQ_HEAD : 0;
	call->who = "anybody";
	call->from = c->from;
	if (!(route && (route->methods & MR_HTTP_OPEN)) && !http_identify(c, call))
		return;
	if (!route) {
		say_none(call, path);
	} else if (method == EVHTTP_REQ_OPTIONS && !(takes & EVHTTP_REQ_OPTIONS)) {
		mr_http_set_allow(call, takes);
		mr_http_send(call, 200, NULL, NULL);
	} else if (!(takes & method)) {
		mr_http_set_allow(call, takes);
		mr_http_fail(call, 405, "%s is not for %s", route->path, method_name(method));
	} else if (!(method & (READ_METHODS | EVHTTP_REQ_OPTIONS)) && call->role < route->write) {
		call->http->counters.refused++;
		http_tell(call, 403, "may look, but not change anything");
		mr_http_fail(call, 403, "%s may look, but not change anything", call->who);
	} else {
		if (!(method & (READ_METHODS | EVHTTP_REQ_OPTIONS)))
			http_conn_note(c, method_name(method), evhttp_request_get_uri(call->req));
		route->serve(call);
	}
}

void
http_serve(struct evhttp_request *req, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = evhttp_uri_get_path(uri), *text = evhttp_uri_get_query(uri);
	struct mr_http *h = arg;
	struct http_conn *c = http_conn_of(h, req);
	struct evkeyvalq query;
	struct mr_http_call call = { .http = h, .req = req, .query = &query, .path = "" };

	TAILQ_INIT(&query);
	if (!c) { /* memory was short when it came */
		evhttp_send_error(req, 503, NULL);
		return;
	}
	http_conn_begin(c, req);
	if (text && *text && evhttp_parse_query_str(text, &query))
		mr_http_fail(&call, 400, "the query cannot be read");
	else
		dispatch(c, &call, path && *path ? path : "/");
	evhttp_clear_headers(&query);
}

int
mr_http_create(struct mr_http **out, struct event_base *base, struct mr_log *log,
    struct mr_error *error)
{
	const struct timeval soon = { 0 };
	struct mr_http *h = calloc(1, sizeof(*h));

	*out = NULL;
	if (!h)
		return mr_error_set(error, -ENOMEM, "control: no memory");
	h->base = base;
	h->log = log;
	h->last = &h->conns;
	h->limit = (struct mr_log_limit){ .interval_ns = 1000000000, .burst = 10 };
	h->files_limit = (struct mr_log_limit){ .interval_ns = 10000000000, .burst = 1 };
	h->now = calloc(1, sizeof(*h->now));
	h->adopt = event_new(base, -1, 0, http_conns_adopt, h);
	h->sweep = event_new(base, -1, 0, http_conns_sweep, h);
	if (!h->now || !h->adopt || !h->sweep || event_add(h->sweep, &soon)) {
		mr_http_destroy(h);
		return mr_error_set(error, -ENOMEM, "control: no memory");
	}
	h->now->limits = first_limits;
	*out = h;
	return 0;
}

void
mr_http_destroy(struct mr_http *h)
{
	if (!h)
		return;
	http_end_streams(h);
	if (h->newborn)
		http_conns_adopt(-1, 0, h);
	mr_http_abort(h);
	while (h->listeners) {
		struct http_listener *l = h->listeners;

		h->listeners = l->next;
		http_listener_destroy(l);
	}
	http_listener_destroy(h->unix_listener);
	if (h->path[0])
		unlink(h->path);
	if (h->adopt)
		event_free(h->adopt);
	if (h->sweep)
		event_free(h->sweep);
	free(h->now);
	free(h->by_fd);
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

void
mr_http_count(const struct mr_http *h, struct mr_http_counters *out)
{
	*out = h->counters;
	out->connections = h->tcp_count;
}
