/* SPDX-License-Identifier: Apache-2.0 */

/* Answers that go on. */

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

#include "control/http/http_int.h"

#define PERIOD_MS 5

struct open_stream {
	struct mr_http_stream pub;
	struct event *timer;
	struct open_stream *next;
};

static void
end_stream(struct open_stream *st)
{
	struct open_stream **at = &st->pub.http->streams;

	while (*at != st)
		at = &(*at)->next;
	*at = st->next;
	event_free(st->timer);
	st->pub.end(&st->pub);
	free(st);
}

/* evhttp may have let go of the request; then it is ours to free. */
static void
client_left(void *arg)
{
	struct open_stream *st = arg;
	struct evhttp_request *req = st->pub.req;

	end_stream(st);
	if (!evhttp_request_get_connection(req))
		evhttp_request_free(req);
}

static void
set_left(struct open_stream *st, void (*left)(void *))
{
	struct http_conn *c = http_conn_of(st->pub.http, st->pub.req);

	if (!c)
		return;
	c->left = left;
	c->left_arg = st;
}

static void
run_step(evutil_socket_t fd, short what, void *arg)
{
	struct open_stream *st = arg;
	struct evhttp_request *req = st->pub.req;

	(void)fd;
	(void)what;
	if (!st->pub.step(&st->pub))
		return;
	set_left(st, NULL);
	end_stream(st);
	evhttp_send_reply_end(req);
}

size_t
mr_http_pending(const struct mr_http_stream *st)
{
	struct bufferevent *bev =
	    evhttp_connection_get_bufferevent(evhttp_request_get_connection(st->req));

	return bev ? evbuffer_get_length(bufferevent_get_output(bev)) : 0;
}

int
mr_http_stream(const struct mr_http_call *call, const char *type,
    bool (*step)(struct mr_http_stream *), void (*end)(struct mr_http_stream *), void *arg)
{
	return mr_http_stream_every(call, type, PERIOD_MS, step, end, arg);
}

int
mr_http_stream_every(const struct mr_http_call *call, const char *type, unsigned ms,
    bool (*step)(struct mr_http_stream *), void (*end)(struct mr_http_stream *), void *arg)
{
	const struct timeval period = { ms / 1000, ms % 1000 * 1000 };
	struct open_stream *st = calloc(1, sizeof(*st));

	if (!st)
		return -ENOMEM;
	st->pub = (struct mr_http_stream){ call->http, call->req, step, end, arg };
	st->timer = event_new(call->http->base, -1, EV_PERSIST, run_step, st);
	if (!st->timer) {
		free(st);
		return -ENOMEM;
	}
	st->next = call->http->streams;
	call->http->streams = st;
	evhttp_add_header(evhttp_request_get_output_headers(call->req), "Content-Type", type);
	evhttp_send_reply_start(call->req, 200, "OK");
	if (evhttp_request_get_command(call->req) == EVHTTP_REQ_HEAD) {
		end_stream(st);
		evhttp_send_reply_end(call->req);
		return 0;
	}
	set_left(st, client_left);
	event_add(st->timer, &period);
	return 0;
}

void
http_end_streams(struct mr_http *h)
{
	while (h->streams) {
		struct open_stream *st = h->streams;

		set_left(st, NULL);
		end_stream(st);
	}
}
