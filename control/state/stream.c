/* SPDX-License-Identifier: Apache-2.0 */

/* Streams that functions offer (nf/nf.h), passed on as fast as the client takes them: state that is
 * read, and acts, of which each piece says how much was done. */

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "control/state/state_int.h"

#define PIECE 131072u /* of one step, so that the thread has time for others */
#define FILTERS_MAX 16u
#define PENDING_MAX (4u << 20) /* a client that does not read: wait */

static bool
step(struct mr_http_stream *st)
{
	const struct mr_nf_stream *source = st->arg;
	struct evbuffer_iovec room;
	struct evbuffer *out;
	size_t n = 0;

	if (mr_http_pending(st) > PENDING_MAX)
		return false;
	out = evbuffer_new();
	if (!out)
		return true;
	if (evbuffer_reserve_space(out, PIECE, &room, 1) == 1) {
		n = source->read(source->state, room.iov_base, PIECE);
		room.iov_len = n;
		evbuffer_commit_space(out, &room, 1);
	}
	if (n > 0)
		evhttp_send_reply_chunk(st->req, out);
	evbuffer_free(out);
	return n == 0;
}

static void
end(struct mr_http_stream *st)
{
	struct mr_nf_stream *source = st->arg;

	source->close(source->state);
	free(source);
}

static const char *
value(const void *arg, const char *name)
{
	return evhttp_find_header(arg, name);
}

/* Sends a stream that was opened, or says why it was not (rc). */
static void
begin(const struct mr_http_call *call, struct mr_nf_stream *source, int rc,
    const struct mr_error *error)
{
	if (rc) {
		free(source);
		mr_http_fail(call,
		    rc == -ENOENT       ? 404
			: rc == -EINVAL ? 400
					: 503,
		    "%s", error->text);
	} else if (mr_http_stream(call, source->type, step, end, source)) {
		source->close(source->state);
		free(source);
		mr_http_fail(call, 503, "no memory");
	}
}

void
state_function_stream(const struct mr_http_call *call, const char *function, const char *name)
{
	const struct mr_nf_query asked = { .value = value, .arg = call->query };
	struct mr_nf_stream *source = calloc(1, sizeof(*source));
	struct mr_error error = { 0 };
	int rc;

	if (!source) {
		mr_http_fail(call, 503, "no memory");
		return;
	}
	rc = mr_dataplane_stream(mr_control_dataplane(call->state), function, name, &asked, source,
	    &error);
	begin(call, source, rc, &error);
}

void
state_act(const struct mr_http_call *call)
{
	const struct mr_nf_query asked = { .value = value, .arg = call->query };
	struct mr_nf_stream *source = calloc(1, sizeof(*source));
	const char *filters[FILTERS_MAX + 1];
	struct mr_error error = { 0 };
	const struct evkeyval *given;
	unsigned count = 0;
	char name[64];

	snprintf(name, sizeof(name), "%s", call->path);
	for (char *c = name; *c; c++)
		*c = *c == '/' ? ' ' : *c;
	TAILQ_FOREACH(given, call->query, next)
	if (count <= FILTERS_MAX)
		filters[count++] = given->key;
	if (!source || count > FILTERS_MAX) {
		free(source);
		mr_http_fail(call, source ? 400 : 503, source ? "too many filters" : "no memory");
		return;
	}
	filters[count] = NULL;
	begin(call, source,
	    mr_dataplane_act(mr_control_dataplane(call->state), name, filters, &asked, source,
		&error),
	    &error);
}
