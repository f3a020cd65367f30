/* SPDX-License-Identifier: Apache-2.0 */

/* Recordings of real packets, one JSON object a line (control/see/recording.c). */

#include <event2/buffer.h>
#include <stdlib.h>

#include "control/see/attach_int.h"

static bool
step(struct mr_http_stream *st)
{
	struct attachment *a = st->arg;
	struct evbuffer *out = evbuffer_new();
	const struct mr_recording *r;

	if (!out)
		return true;
	while (a->done < a->count && (r = mr_probe_recording(a->probe, a->done)) != NULL) {
		char *text = see_recording_json(a->dp, r);

		if (text)
			evbuffer_add_printf(out, "%s\n", text);
		free(text);
		a->done++;
	}
	if (evbuffer_get_length(out) > 0)
		evhttp_send_reply_chunk(st->req, out);
	evbuffer_free(out);
	return a->done >= a->count;
}

static void
end(struct mr_http_stream *st)
{
	attachment_destroy(st->arg);
}

void
see_trace(const struct mr_http_call *call)
{
	struct attachment *a = attachment_create(call, true);

	if (!a)
		return;
	if (mr_http_stream(call, "application/x-ndjson", step, end, a)) {
		attachment_destroy(a);
		mr_http_fail(call, 503, "no memory");
	}
}
