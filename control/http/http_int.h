/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_HTTP_HTTP_INT_H
#define MR_CONTROL_HTTP_HTTP_INT_H

/*
 * What the server's files share: listeners (listen.c), connections and their limits (conn.c), who
 * asks (users.c), TLS (tls.c).
 */

#include <sys/types.h>

#include "control/http/settings.h"
#include "kit/base/log.h"

struct open_stream;
struct bufferevent;
struct event;
struct ssl_ctx_st;

struct routes {
	const struct mr_http_route *list;
	void *state;
};

/* A socket that is listened on. evhttp has no way to be given a connection that somebody else
 * accepted; so each listener has an evhttp of its own, whose hook for making a connection's
 * bufferevent tells us of it. */
struct http_listener {
	struct http_listener *next;
	struct mr_http *http;
	struct mr_http_listen where; /* port 0: the Unix socket */
	struct evhttp *evhttp;
	struct evhttp_bound_socket *bound;
	struct ssl_ctx_st *tls; /* null: plain */
	unsigned generation;    /* of its settings: older connections end after their request */
	unsigned connections;
	unsigned newborn; /* of them, those that have no place yet */
	bool paused;      /* for want of file descriptors, or of room */
	bool retired;     /* not in the configuration any more; goes with its last connection */
};

enum conn_state {
	CONN_WAITS,  /* for a request */
	CONN_READS,  /* one */
	CONN_SERVES, /* it */
};

struct http_conn {
	struct http_conn *next, **back; /* the oldest first */
	struct mr_http *http;
	struct http_listener *listener;
	struct bufferevent *bev;
	struct evhttp_connection *evcon;
	int fd;
	enum conn_state state;
	uint64_t since;    /* milliseconds, when it came into this state */
	uint64_t progress; /* when the client last took something */
	size_t got, out;   /* bytes of this request; bytes of answers not taken yet */
	unsigned generation;
	bool trusted; /* the Unix socket's owner: no limits */
	bool known;   /* has said who it is */
	bool doomed;  /* to be closed when it is safe to */
	uint8_t source[16];
	char from[80];
	uid_t uid;
	char who[96]; /* the last request's */
	enum mr_http_role role;
	struct event *delay; /* of an answer that a failed login waits for */
	struct evhttp_request *refused;
	const char *method; /* of a request that may change something, until it was told of */
	char path[512];
	void (*left)(void *arg); /* a stream that it carries */
	void *left_arg;
};

/* Failed logins of one source. */
#define SOURCES_MAX 256u
struct http_source {
	uint8_t address[16];
	unsigned failures;
	uint64_t last; /* milliseconds */
};

struct mr_http {
	struct event_base *base;
	struct mr_log *log;
	struct http_listener *listeners, *unix_listener;
	struct http_conn *conns, **last, *newborn;
	struct http_conn **by_fd;
	int by_fd_count;
	unsigned tcp_count, unix_count;
	size_t held;    /* bytes, of all that are not trusted */
	size_t leaving; /* of them, those of connections that are about to be closed for it */
	struct event *adopt, *sweep;
	struct open_stream *streams;
	struct routes *routes;
	unsigned count;
	char path[108]; /* of the Unix socket; empty: none */
	struct mr_http_settings *now, *next;
	struct http_listener *fresh; /* opened for `next` */
	struct ssl_ctx_st *contexts[MR_HTTP_LISTENERS_MAX];
	struct http_source sources[SOURCES_MAX];
	struct mr_http_counters counters;
	struct mr_log_limit limit, files_limit;
	void (*tell)(void *arg, const struct mr_http_event *);
	void *tell_arg;
};

/* http.c */
void http_serve(struct evhttp_request *, void *http);
void http_tell(const struct mr_http_call *, int code, const char *why);
/* stream.c */
void http_end_streams(struct mr_http *);
/* listen.c */
struct http_listener *http_listener_create(struct mr_http *, const struct mr_http_listen *, int fd);
void http_listener_destroy(struct http_listener *);
void http_listener_pause(struct http_listener *, bool pause);
void http_listeners_sweep(struct mr_http *);
void http_say_files(struct mr_http *, int why);
unsigned http_file_limit(void);
/* unix.c */
int http_check_group(const char *group, struct mr_error *);
void http_set_group(struct mr_http *, const char *group);
bool http_in_group(int fd, const char *group);
/* conn.c */
uint64_t http_now(void);
struct bufferevent *http_conn_make(struct event_base *, void *listener);
struct http_conn *http_conn_of(const struct mr_http *, struct evhttp_request *);
void http_conn_begin(struct http_conn *, struct evhttp_request *);
/* What this request does is to be told when its answer is known, or when the client has left. */
void http_conn_note(struct http_conn *, const char *method, const char *path);
void http_conn_doom(struct http_conn *);
void http_conns_expire(struct mr_http *);
void http_conns_adopt(evutil_socket_t, short, void *http);
void http_conns_sweep(evutil_socket_t, short, void *http);
/* users.c: whether the request goes on; if not, it was answered or will be. */
bool http_identify(struct http_conn *, struct mr_http_call *);
/* tls.c */
int http_tls_create(struct ssl_ctx_st **out, const struct mr_http_listen *, struct mr_error *);
void http_tls_destroy(struct ssl_ctx_st *);
struct bufferevent *http_tls_accept(struct event_base *, struct ssl_ctx_st *);
/* The common name of the client's certificate, which was checked; false: it has none. */
bool http_tls_name(struct bufferevent *, char *name, size_t size);

#endif
