/* SPDX-License-Identifier: Apache-2.0 */

/* Recordings of real packets, one JSON object a line (control/recording.c). */

#include <event2/buffer.h>
#include <stdlib.h>

#include "control/attach_int.h"

static bool
step(struct stream *st)
{
	struct attachment *a = st->arg;
	struct evbuffer *out = evbuffer_new();
	const struct mr_recording *r;

	if (!out)
		return true;
	while (a->done < a->count && (r = mr_probe_recording(a->probe, a->done)) != NULL) {
		char *text = recording_json(a->server->config.dataplane, r, NULL);

		if (text)
			evbuffer_add_printf(out, "%s\n", text);
		free(text);
		a->done++;
	}
	if (evbuffer_get_length(out) > 0)
		evhttp_send_reply_chunk(st->request, out);
	evbuffer_free(out);
	return a->done >= a->count;
}

static void
end(struct stream *st)
{
	attachment_destroy(st->arg);
}

void
server_trace(struct mr_server *s, struct evhttp_request *req, const struct evkeyvalq *query)
{
	struct attachment *a = attachment_create(s, req, query, true);

	if (!a)
		return;
	if (server_stream(s, req, "application/x-ndjson", step, end, a)) {
		attachment_destroy(a);
		server_fail(req, 503, "no memory");
	}
}
