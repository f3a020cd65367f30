/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_HTTP_HTTP_H
#define MR_CONTROL_HTTP_HTTP_H

/*
 * The HTTP side of control: requests come in on sockets, are handed to the route that
 * their path belongs to, and are answered at once or by a stream that goes on. What the
 * routes do is the services' (control/service.h).
 *
 * Ownership: a server owns its sockets and streams; routes, states and the event base are the
 * caller's and outlive it.
 * Threads: the event base's, which is the control thread.
 * Errors: a request that makes no sense gets a 4xx status and {"error": "..."}, and nothing else
 * happens.
 */

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

struct event_base;
struct mr_http;

/* What a client may do. */
enum mr_http_role {
	MR_HTTP_READ,  /* look */
	MR_HTTP_ADMIN, /* change */
};

/* One request. */
struct mr_http_call {
	struct mr_http *http;
	struct evhttp_request *req;
	void *state;      /* the route's */
	const char *path; /* behind the route's own and its slash; "" */
	const struct evkeyvalq *query;
	const char *who;  /* "root", "user 1000", a token's or certificate's user: for the log */
	const char *from; /* "192.0.2.7 port 4711", "the control socket" */
	enum mr_http_role role;
};

/* Among a route's methods: it is for those, too, who have not said who they are. Such are the
 * dashboard's files, which hold nothing that is not in the program. */
#define MR_HTTP_OPEN (1u << 16)

/* What answers under a path. The longest route that fits has the request; one that takes GET takes
 * HEAD, too, and OPTIONS is answered for all. */
struct mr_http_route {
	const char *path;        /* "/state": it, and all under "/state/" */
	unsigned methods;        /* EVHTTP_REQ_GET | EVHTTP_REQ_POST ... */
	enum mr_http_role write; /* who may use methods other than GET and HEAD */
	void (*serve)(const struct mr_http_call *);
};

struct mr_log;
int mr_http_create(struct mr_http **out, struct event_base *, struct mr_log *, struct mr_error *);
void mr_http_destroy(struct mr_http *);
/* Adds routes (ended by a null path), which get `state`. */
int mr_http_add(struct mr_http *, const struct mr_http_route *, void *state);
/* Listens on a Unix socket at this path. Its owner and root may do everything; a group that the
 * settings name (control/http/settings.h) may look. */
int mr_http_listen_unix(struct mr_http *, const char *path, struct mr_error *);

/* -- for those who serve --------------------------------------------------------------- */

/* Answers with {"error": "..."}. */
void mr_http_fail(const struct mr_http_call *, int code, const char *fmt, ...) mr_printf(3, 4);
/* Answers 200 with this body. */
void mr_http_reply(const struct mr_http_call *, const char *type, const char *text, size_t size);
/* Answers with this body, which is used up; it is compressed where the client takes that and left
 * out for HEAD. Null: no body. */
void mr_http_send(const struct mr_http_call *, int code, const char *type, struct evbuffer *);
/* A header of the request; null when absent. And one of the answer, before it is sent. */
const char *mr_http_header(const struct mr_http_call *, const char *name);
void mr_http_set_header(const struct mr_http_call *, const char *name, const char *value);
/* Gives the answer this entity tag ("\"7-1\""); true: the client has it already, and was told so. */
bool mr_http_unchanged(const struct mr_http_call *, const char *tag);
/* Whether a header's list of tags ("*" is all) has this one. */
bool mr_http_has_tag(const char *list, const char *tag);
/* Says which methods there are ("Allow"), before an answer with 405 or to OPTIONS. */
void mr_http_set_allow(const struct mr_http_call *, unsigned methods);
/* A query's parameter; `fallback` when absent. */
const char *mr_http_param(const struct mr_http_call *, const char *name, const char *fallback);

/* An answer that goes on until it is complete or the client leaves. `step` runs every 5 ms; true:
 * complete. */
struct mr_http_stream {
	struct mr_http *http;
	struct evhttp_request *req;
	bool (*step)(struct mr_http_stream *);
	void (*end)(struct mr_http_stream *);
	void *arg;
};

/* Begins one. When it fails, `end` is not called and nothing was answered. */
int mr_http_stream(const struct mr_http_call *, const char *type,
    bool (*step)(struct mr_http_stream *), void (*end)(struct mr_http_stream *), void *arg);
/* The same with another period, in milliseconds. */
int mr_http_stream_every(const struct mr_http_call *, const char *type, unsigned ms,
    bool (*step)(struct mr_http_stream *), void (*end)(struct mr_http_stream *), void *arg);
/* Bytes of the answer that the client has not taken yet: who writes much waits for it. */
size_t mr_http_pending(const struct mr_http_stream *);

#endif
