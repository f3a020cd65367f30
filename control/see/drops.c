/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The flight recorder's packets: GET /drops gives the last ones and ends, or goes on with those that
 * come (follow=1); GET /drops/summary each node and reason that has dropped any.
 */

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "control/see/drops_int.h"

#define COUNT_DEFAULT 1000u
#define PENDING_MAX \
	(4u << 20) /* a client that does not read: what comes meanwhile may be lost to it */

struct follower {
	struct selection what;
	struct mr_flight_cursor cursor;
	bool limited;
	uint64_t left; /* if limited */
};

static void
send_buffer(const struct mr_http_call *call, const char *type, struct evbuffer *out)
{
	size_t size = evbuffer_get_length(out);
	const char *text = size ? (const char *)evbuffer_pullup(out, -1) : "";

	if (!text)
		mr_http_fail(call, 503, "no memory");
	else
		mr_http_reply(call, type, text, size);
}

static void
reply(const struct mr_http_call *call, const struct selection *what, struct mr_flight_list *list)
{
	const char *format = mr_http_param(call, "format", "json");
	struct evbuffer *out = evbuffer_new();

	if (!out) {
		mr_http_fail(call, 503, "no memory");
		return;
	}
	if (strcmp(call->path, "summary") == 0) {
		drops_write_summary(what, out, list);
		send_buffer(call, "application/x-ndjson", out);
	} else if (strcmp(format, "json") == 0) {
		selection_apply(what, list);
		for (size_t i = 0; i < list->count; i++)
			drop_write_json(what->dp, out, &list->drops[i]);
		send_buffer(call, "application/x-ndjson", out);
	} else if (strcmp(format, "pcapng") == 0) {
		selection_apply(what, list);
		drops_write_pcapng(what->dp, out, list);
		send_buffer(call, "application/x-pcapng", out);
	} else {
		mr_http_fail(call, 400, "format is json or pcapng");
	}
	evbuffer_free(out);
}

/* -- following ----------------------------------------------------------------------------- */

static bool
step(struct mr_http_stream *st)
{
	struct follower *f = st->arg;
	struct mr_flight_list *list;
	struct evbuffer *out;

	if (mr_http_pending(st) > PENDING_MAX)
		return false;
	if (mr_flight_read(mr_dataplane_graph(f->what.dp), &f->cursor, &list, NULL))
		return true;
	out = evbuffer_new();
	for (size_t i = 0; out && i < list->count && (!f->limited || f->left); i++) {
		if (!selection_has(&f->what, &list->drops[i]))
			continue;
		drop_write_json(f->what.dp, out, &list->drops[i]);
		f->left -= f->limited;
	}
	mr_flight_list_free(list);
	if (!out)
		return true;
	if (evbuffer_get_length(out) > 0)
		evhttp_send_reply_chunk(st->req, out);
	evbuffer_free(out);
	return f->limited && !f->left;
}

static void
end(struct mr_http_stream *st)
{
	struct follower *f = st->arg;

	selection_free(&f->what);
	free(f);
}

/* Takes the selection over if it goes well. With `since` it begins there, else now. */
static bool
follow(const struct mr_http_call *call, const struct selection *what)
{
	struct follower *f = calloc(1, sizeof(*f));
	struct mr_flight_list *list;

	if (!f)
		return false;
	f->what = *what;
	f->limited = what->count != 0;
	f->left = what->count;
	if (!mr_http_param(call, "since", NULL)) {
		if (mr_flight_read(mr_dataplane_graph(what->dp), &f->cursor, &list, NULL)) {
			free(f);
			return false;
		}
		mr_flight_list_free(list);
	}
	if (mr_http_stream(call, "application/x-ndjson", step, end, f)) {
		free(f);
		return false;
	}
	return true;
}

void
see_drops(const struct mr_http_call *call)
{
	const char *following = mr_http_param(call, "follow", "0");
	struct mr_flight_list *list;
	struct selection what;
	struct mr_error error;

	if (*call->path && strcmp(call->path, "summary") != 0) {
		mr_http_fail(call, 404, "there is no %s of drops, but a summary", call->path);
		return;
	}
	if (!selection_read(&what, call, COUNT_DEFAULT))
		return;
	if (!*call->path && strcmp(following, "0") != 0 && strcmp(following, "false") != 0) {
		if (follow(call, &what))
			return;
		mr_http_fail(call, 503, "no memory");
	} else if (mr_flight_read(mr_dataplane_graph(what.dp), NULL, &list, &error)) {
		mr_http_fail(call, 503, "%s", error.text);
	} else {
		reply(call, &what, list);
		mr_flight_list_free(list);
	}
	selection_free(&what);
}
