/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SERVER_INT_H
#define MR_CONTROL_SERVER_INT_H

/* What the files of the server share. */

#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>

#include "control/server.h"

struct mr_server {
	struct mr_server_config config;
	struct evhttp *http;
	struct stream *streams; /* answers that go on */
	char path[108];
};

/* An answer that goes on until it is complete or the client leaves. `step` runs
 * every `STREAM_PERIOD_MS`; true: complete. */
struct stream {
	struct mr_server *server;
	struct evhttp_request *request;
	struct event *timer;
	struct stream *next;
	bool (*step)(struct stream *);
	void (*end)(struct stream *);
	void *arg;
};
#define STREAM_PERIOD_MS 5

int server_stream(struct mr_server *, struct evhttp_request *, const char *type,
    bool (*step)(struct stream *), void (*end)(struct stream *), void *arg);

/* Bytes of an answer that the client has not taken yet. */
size_t server_pending(const struct stream *);

/* Answers with {"error": "..."}. */
void server_fail(struct evhttp_request *, int code, const char *fmt, ...) mr_printf(3, 4);

/* A query's parameter; `fallback` when absent. */
const char *server_param(const struct evkeyvalq *, const char *name, const char *fallback);

/* A recording as one line of JSON, to be freed; null without memory. */
/* `lane`: what the flow lane has for the packet; null: not said. */
char *recording_json(struct mr_dataplane *, const struct mr_recording *, json_t *lane);

/* The resources. */
void server_function_stream(struct mr_server *, struct evhttp_request *, const char *function,
    const char *name, const struct evkeyvalq *);
/* `path`: what is done, "flush/connections". */
void server_act(struct mr_server *, struct evhttp_request *, const char *path,
    const struct evkeyvalq *);
void server_trace(struct mr_server *, struct evhttp_request *, const struct evkeyvalq *);
void server_explain(struct mr_server *, struct evhttp_request *, const struct evkeyvalq *);
void server_capture(struct mr_server *, struct evhttp_request *, const struct evkeyvalq *);

#endif
