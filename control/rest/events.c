/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Event streams (server-sent events): commits as they are made, and state again and again.
 *
 * A stream of commits keeps nothing but the number of the last one that it told: the rest is read
 * from the commits themselves when the client has room, so that a slow client costs no memory and
 * one that comes back with Last-Event-ID goes on where it was. A stream of state that its client
 * does not read skips samples, and says how many.
 */

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/commit/commit.h"
#include "control/rest/rest_int.h"
#include "model/report.h"

#define STEP_MS 50
#define PENDING_MAX (256u << 10)
#define ALIVE_MS 15000u
#define RETRY_MS 2000u
#define NAMES_MAX 32u
#define STATE_STREAMS_MAX 64u
#define PERIOD_MIN 100u
#define PERIOD_MAX 3600000u

struct events {
	struct rest *rest;
	uint64_t last;   /* changes: the commit that was told last */
	uint64_t due;    /* state: milliseconds of the next sample */
	uint64_t said;   /* when something was sent last */
	uint64_t number; /* of the sample */
	unsigned period, skipped;
	char names[512]; /* each ends with a zero; two at the end */
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
send_chunk(struct mr_http_stream *st, struct evbuffer *out)
{
	struct events *e = st->arg;

	if (out && evbuffer_get_length(out)) {
		evhttp_send_reply_chunk(st->req, out);
		e->said = now_ms();
	}
	if (out)
		evbuffer_free(out);
}

/* Proxies and clients drop a connection on which nothing happens. */
static void
keep_alive(struct mr_http_stream *st)
{
	struct events *e = st->arg;
	struct evbuffer *out;

	if (now_ms() - e->said < ALIVE_MS || mr_http_pending(st) > 0)
		return;
	out = evbuffer_new();
	if (out)
		evbuffer_add_printf(out, ": still here\n\n");
	send_chunk(st, out);
}

static void
end(struct mr_http_stream *st)
{
	struct events *e = st->arg;

	if (e->period)
		e->rest->state_streams--;
	free(e);
}

/* -- commits ----------------------------------------------------------------------------- */

static json_t *
changes_of(const struct mr_diff *diff)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < mr_diff_count(diff); i++) {
		const struct mr_change *c = mr_diff_at(diff, i);
		json_t *o = json_pack("{s:s,s:s}", "path", c->path, "op", mr_diff_word(c->op));

		if (c->old)
			json_object_set_new(o, "old", json_string(c->old));
		if (c->value)
			json_object_set_new(o, "new", json_string(c->value));
		json_array_append_new(list, o);
	}
	return list;
}

static char *
commit_text(const struct mr_commit *c)
{
	time_t seconds = (time_t)(c->when / 1000);
	char when[40], text[64];
	struct tm tm;
	json_t *o;
	char *out;

	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03dZ", when, (int)(c->when % 1000));
	o = json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:o}", "id", (json_int_t)c->id, "who", c->who,
	    "when", text, "comment", c->comment, "origin", mr_commit_origin_name(c->origin),
	    "state", mr_commit_state_name(c->state), "changes", changes_of(c->changes));
	out = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return out;
}

/* The oldest commit behind the last that was told. */
static const struct mr_commit *
next_commit(const struct mr_commits *commits, uint64_t last)
{
	const struct mr_commit *found = NULL, *c;

	for (size_t i = 0; (c = mr_commits_at(commits, i)) && c->id > last; i++)
		found = c;
	return found;
}

static bool
step_changes(struct mr_http_stream *st)
{
	struct events *e = st->arg;
	const struct mr_commits *commits = mr_commits_of(e->rest->control);
	const struct mr_commit *c;
	struct evbuffer *out;
	char *text;

	while (mr_http_pending(st) < PENDING_MAX && (c = next_commit(commits, e->last))) {
		out = evbuffer_new();
		text = commit_text(c);
		if (out && text && c->id > e->last + 1 && e->last)
			evbuffer_add_printf(out, ": %llu commits are not remembered any more\n",
			    (unsigned long long)(c->id - e->last - 1));
		if (out && text)
			evbuffer_add_printf(out, "id: %llu\nevent: commit\ndata: %s\n\n",
			    (unsigned long long)c->id, text);
		free(text);
		e->last = c->id;
		send_chunk(st, out);
	}
	keep_alive(st);
	return false;
}

/* -- state ------------------------------------------------------------------------------- */

static int
write_state(struct events *e, struct evbuffer *out)
{
	struct mr_control *control = e->rest->control;
	struct mr_state *state = NULL;
	struct mr_error error;
	const char *text;
	size_t size;
	int rc = mr_state_create(&state, mr_control_model_of(control), MR_STATE_PLAIN);

	if (rc)
		return rc;
	if (!*e->names)
		rc = mr_control_show(control, NULL, state);
	for (const char *name = e->names; !rc && *name; name += strlen(name) + 1)
		rc = mr_control_show(control, name, state);
	if (!rc)
		rc = mr_state_finish(state, &text, &size, &error);
	if (!rc) {
		evbuffer_add_printf(out,
		    "id: %llu\nevent: state\ndata: ", (unsigned long long)++e->number);
		evbuffer_add(out, text, size);
		evbuffer_add(out, "\n\n", 2);
	}
	mr_state_destroy(state);
	return rc;
}

static bool
step_state(struct mr_http_stream *st)
{
	struct events *e = st->arg;
	struct evbuffer *out;
	uint64_t now = now_ms();

	if (now < e->due)
		return false;
	e->due += e->period;
	if (e->due < now)
		e->due = now + e->period;
	if (mr_http_pending(st) > 0) {
		e->skipped++;
		return false;
	}
	out = evbuffer_new();
	if (!out)
		return false;
	if (e->skipped)
		evbuffer_add_printf(out, ": %u samples were not taken\n", e->skipped);
	e->skipped = 0;
	write_state(e, out);
	send_chunk(st, out);
	return false;
}

/* Names with commas between them, each known. */
static bool
read_names(const struct mr_http_call *call, struct events *e)
{
	const char *text = mr_http_param(call, "names", "");
	size_t len = strlen(text);
	struct evbuffer *scratch = evbuffer_new();
	unsigned count = 0;
	int rc;

	if (len + 2 > sizeof(e->names) || !scratch) {
		if (scratch)
			evbuffer_free(scratch);
		mr_http_fail(call, 400, "names is too long");
		return false;
	}
	memcpy(e->names, text, len);
	for (char *c = e->names; *c; c++) {
		if (*c != ',')
			continue;
		*c = 0;
		count++;
	}
	rc = count < NAMES_MAX ? write_state(e, scratch) : -E2BIG;
	evbuffer_free(scratch);
	e->number = 0;
	if (rc)
		mr_http_fail(call, rc == -ENOENT ? 404 : 400,
		    rc == -ENOENT ? "names has one that is no function's: %s"
				  : "these names cannot be shown together: %s",
		    text);
	return rc == 0;
}

static bool
read_period(const struct mr_http_call *call, unsigned *period)
{
	const char *text = mr_http_param(call, "period", "1000");
	char *rest;
	unsigned long value = strtoul(text, &rest, 10);

	*period = (unsigned)value;
	if (*text >= '0' && *text <= '9' && !*rest && value >= PERIOD_MIN && value <= PERIOD_MAX)
		return true;
	mr_http_fail(call, 400, "period is a number of milliseconds between %u and %u", PERIOD_MIN,
	    PERIOD_MAX);
	return false;
}

/* -- both -------------------------------------------------------------------------------- */

static void
begin(const struct mr_http_call *call, struct events *e, bool (*step)(struct mr_http_stream *))
{
	mr_http_set_header(call, "Cache-Control", "no-store");
	mr_http_set_header(call, "X-Accel-Buffering", "no");
	if (e->period)
		e->rest->state_streams++;
	if (mr_http_stream_every(call, "text/event-stream", STEP_MS, step, end, e)) {
		if (e->period)
			e->rest->state_streams--;
		free(e);
		mr_http_fail(call, 503, "no memory");
		return;
	}
	if (evhttp_request_get_command(call->req) == EVHTTP_REQ_GET) {
		struct evbuffer *hello = evbuffer_new();

		if (!hello)
			return;
		evbuffer_add_printf(hello, "retry: %u\n\n", RETRY_MS);
		evhttp_send_reply_chunk(call->req, hello);
		evbuffer_free(hello);
	}
}

static void
stream_changes(const struct mr_http_call *call, struct events *e)
{
	const struct mr_commits *commits = mr_commits_of(e->rest->control);
	const char *last = mr_http_header(call, "Last-Event-ID");
	const struct mr_commit *current = mr_commits_current(commits);

	last = last ? last : mr_http_param(call, "since", NULL);
	e->last = last ? strtoull(last, NULL, 10) : current ? current->id : 0;
	begin(call, e, step_changes);
}

static void
stream_state(const struct mr_http_call *call, struct events *e)
{
	if (!read_period(call, &e->period) || !read_names(call, e)) {
		free(e);
	} else if (e->rest->state_streams >= STATE_STREAMS_MAX) {
		free(e);
		mr_http_fail(call, 503, "%u streams of state are open already", STATE_STREAMS_MAX);
	} else {
		e->due = now_ms();
		begin(call, e, step_state);
	}
}

void
rest_streams(const struct mr_http_call *call)
{
	bool changes = strcmp(call->path, "changes") == 0;
	struct events *e;

	if (!changes && strcmp(call->path, "state") != 0) {
		rest_fail(call, 404, "invalid-value", NULL,
		    "there is no stream %s; there are changes and state", call->path);
		return;
	}
	if (!rest_sends_json(call, "text/event-stream"))
		return;
	e = calloc(1, sizeof(*e));
	if (!e) {
		mr_http_fail(call, 503, "no memory");
		return;
	}
	e->rest = call->state;
	e->said = now_ms();
	if (changes)
		stream_changes(call, e);
	else
		stream_state(call, e);
}
