/* SPDX-License-Identifier: Apache-2.0 */

/* Streams that functions offer (nf/nf.h), passed on as fast as the client takes them. */

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>

#include "control/server_int.h"

#define PIECE 131072u          /* of one step, so that the thread has time for others */
#define PENDING_MAX (4u << 20) /* a client that does not read: wait */

static bool
step(struct stream *st)
{
	const struct mr_nf_stream *source = st->arg;
	struct evbuffer_iovec room;
	struct evbuffer *out;
	size_t n = 0;

	if (server_pending(st) > PENDING_MAX)
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
		evhttp_send_reply_chunk(st->request, out);
	evbuffer_free(out);
	return n == 0;
}

static void
end(struct stream *st)
{
	struct mr_nf_stream *source = st->arg;

	source->close(source->state);
	free(source);
}

static const char *
value(const void *arg, const char *name)
{
	return server_param(arg, name, NULL);
}

void
server_function_stream(struct mr_server *s, struct evhttp_request *req, const char *function,
    const char *name, const struct evkeyvalq *query)
{
	const struct mr_nf_query asked = { .value = value, .arg = query };
	struct mr_nf_stream *source = calloc(1, sizeof(*source));
	struct mr_error error = { 0 };
	int rc;

	if (!source) {
		server_fail(req, 503, "no memory");
		return;
	}
	rc = mr_dataplane_stream(s->config.dataplane, function, name, &asked, source, &error);
	if (rc) {
		free(source);
		server_fail(req, rc == -ENOENT ? 404 : rc == -EINVAL ? 400 : 503, "%s", error.text);
	} else if (server_stream(s, req, source->type, step, end, source)) {
		source->close(source->state);
		free(source);
		server_fail(req, 503, "no memory");
	}
}
