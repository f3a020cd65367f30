/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections, and what a client may cost. Whoever is not the Unix socket's owner gets:
 *
 *	request-timeout		for a request as a whole, and a second more for each 16 KiB of it
 *	idle-timeout		between requests, and between two bytes that it takes of an answer
 *	memory			all of them together: past it, who holds most of it goes
 *	connections		past them, the oldest that has not said who it is goes
 *
 * evhttp makes the connection after it has asked for the bufferevent, and tells nobody; so a
 * bufferevent is kept by a reference of ours until the event loop comes round, when its callback
 * argument is evhttp's connection, or null if it has been let go.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/http/http_int.h"

#define SWEEP_MS 250
#define BYTES_PER_SECOND 16384u /* the least that a body comes in by */
#define UNIX_MAX 512u
#define FILES_KEPT 64u  /* descriptors that clients never get: the data plane needs some, too */
#define NEWBORN_MAX 64u /* taken from a listener before their limits are looked at */
#define SOCKET_BUFFER 131072
#define KEEPALIVE_SECONDS 60
#define AHEAD_MAX 65536u /* bytes that a client may send while it is being answered */

uint64_t
http_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool
is_unix(const struct http_conn *c)
{
	return c->listener->where.port == 0;
}

static unsigned *
count_of(struct http_conn *c)
{
	return is_unix(c) ? &c->http->unix_count : &c->http->tcp_count;
}

void
http_conn_doom(struct http_conn *c)
{
	const struct timeval now = { 0 };

	c->doomed = true;
	event_add(c->http->sweep, &now);
}

/* -- memory ------------------------------------------------------------------------------ */

static size_t
held_by(const struct http_conn *c)
{
	return c->trusted ? 0 : c->got + c->out;
}

/* Who holds most of it goes. */
static void
bound_memory(struct mr_http *h)
{
	struct http_conn *most = NULL;

	if (h->held <= h->now->limits.memory + h->leaving)
		return;
	for (struct http_conn *c = h->conns; c; c = c->next)
		if (!c->doomed && held_by(c) > 0 && (!most || held_by(c) > held_by(most)))
			most = c;
	if (!most)
		return;
	h->counters.over_memory++;
	h->leaving += held_by(most);
	bufferevent_disable(most->bev, EV_READ);
	http_conn_doom(most);
}

static void
on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *c = arg;

	(void)buffer;
	if (info->n_added == 0)
		return;
	if (c->state == CONN_WAITS) {
		c->state = CONN_READS;
		c->since = http_now();
	}
	c->got += info->n_added;
	if (c->trusted)
		return;
	c->http->held += info->n_added;
	if (c->state == CONN_SERVES && evbuffer_get_length(buffer) > AHEAD_MAX)
		http_conn_doom(c);
	bound_memory(c->http);
}

static void
on_output(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *c = arg;

	(void)buffer;
	if (info->n_deleted > 0 || info->orig_size == 0)
		c->progress = http_now();
	c->out = c->out + info->n_added - info->n_deleted;
	if (c->trusted)
		return;
	c->http->held = c->http->held + info->n_added - info->n_deleted;
	if (info->n_added)
		bound_memory(c->http);
}

/* The request is over: what it held is free. */
static void
settle(struct http_conn *c)
{
	if (!c->trusted)
		c->http->held -= c->got;
	c->got = 0;
}

/* -- requests ---------------------------------------------------------------------------- */

struct http_conn *
http_conn_of(const struct mr_http *h, struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	int fd = evcon ? (int)bufferevent_getfd(evhttp_connection_get_bufferevent(evcon)) : -1;

	return fd >= 0 && fd < h->by_fd_count ? h->by_fd[fd] : NULL;
}

void
http_conn_note(struct http_conn *c, const char *method, const char *path)
{
	c->method = method;
	snprintf(c->path, sizeof(c->path), "%s", path);
}

static void
tell(struct http_conn *c, int code, const char *why)
{
	const struct mr_http_event event = { c->who, c->from, c->method, c->path, code, why };

	if (c->method && c->http->tell)
		c->http->tell(c->http->tell_arg, &event);
	c->method = NULL;
}

static void
on_complete(struct evhttp_request *req, void *arg)
{
	int code = evhttp_request_get_response_code(req);
	struct http_conn *c = arg;

	tell(c, code, code >= 400 ? evhttp_request_get_response_code_line(req) : NULL);
	c->state = CONN_WAITS;
	c->since = http_now();
	settle(c);
}

void
http_conn_begin(struct http_conn *c, struct evhttp_request *req)
{
	c->state = CONN_SERVES;
	c->since = c->progress = http_now();
	c->http->counters.requests++;
	evhttp_request_set_on_complete_cb(req, on_complete, c);
	if (c->generation != c->listener->generation || c->listener->retired)
		evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
}

/* -- coming and going -------------------------------------------------------------------- */

static void
forget(struct http_conn *c)
{
	struct mr_http *h = c->http;

	*c->back = c->next;
	if (c->next)
		c->next->back = c->back;
	else
		h->last = c->back;
	if (c->fd >= 0 && c->fd < h->by_fd_count && h->by_fd[c->fd] == c)
		h->by_fd[c->fd] = NULL;
	if (!c->trusted)
		h->held -= held_by(c);
	(*count_of(c))--;
	c->listener->connections--;
	if (c->delay)
		event_free(c->delay);
	free(c);
}

static void
on_close(struct evhttp_connection *evcon, void *arg)
{
	struct http_conn *c = arg;
	struct bufferevent *bev = c->bev;

	(void)evcon;
	/* What the client has left behind is ours if evhttp has let go of it. */
	tell(c, 0, "the client left before the answer");
	if (c->refused && !evhttp_request_get_connection(c->refused))
		evhttp_request_free(c->refused);
	if (c->left)
		c->left(c->left_arg);
	evbuffer_remove_cb(bufferevent_get_input(bev), on_input, c);
	evbuffer_remove_cb(bufferevent_get_output(bev), on_output, c);
	forget(c);
}

/* evhttp asks for the bufferevent of a connection that it is about to make. */
struct bufferevent *
http_conn_make(struct event_base *base, void *arg)
{
	struct http_listener *l = arg;
	struct http_conn *c = calloc(1, sizeof(*c));
	struct bufferevent *bev = NULL;

	l->http->counters.accepted++;
	if (c)
		bev = l->tls ? http_tls_accept(base, l->tls) : bufferevent_socket_new(base, -1, 0);
	if (!bev) {
		free(c);
		return NULL; /* evhttp makes a plain one, which finds no connection of ours */
	}
	bufferevent_incref(bev);
	*c = (struct http_conn){
		.http = l->http,
		.listener = l,
		.bev = bev,
		.fd = -1,
		.next = l->http->newborn,
		.generation = l->generation,
	};
	l->connections++;
	l->http->newborn = c;
	if (++l->newborn == NEWBORN_MAX)
		http_listener_pause(l, true);
	event_active(l->http->adopt, EV_TIMEOUT, 0);
	return bev;
}

static bool
index_fd(struct mr_http *h, struct http_conn *c)
{
	if (c->fd >= h->by_fd_count) {
		int count = (c->fd + 1) * 2;
		struct http_conn **more = realloc(h->by_fd, (size_t)count * sizeof(*more));

		if (!more)
			return false;
		memset(more + h->by_fd_count, 0, (size_t)(count - h->by_fd_count) * sizeof(*more));
		h->by_fd = more;
		h->by_fd_count = count;
	}
	h->by_fd[c->fd] = c;
	return true;
}

/* An IPv6 source is its /64: one host has all of that. */
static void
find_source(struct http_conn *c)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t cred_len = sizeof(cred);
	char text[INET6_ADDRSTRLEN];

	if (is_unix(c)) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0)
			c->uid = cred.uid;
		else
			c->uid = (uid_t)-1;
		c->trusted = c->uid == 0 || c->uid == geteuid();
		snprintf(c->from, sizeof(c->from), "the control socket");
	} else if (getpeername(c->fd, (struct sockaddr *)&ss, &len) == 0 &&
	    ss.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;

		memcpy(c->source, &in6->sin6_addr, 8);
		c->source[8] = 6;
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		snprintf(c->from, sizeof(c->from), "%s port %u", text, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in4 = (const struct sockaddr_in *)&ss;

		memcpy(c->source, &in4->sin_addr, 4);
		c->source[8] = 4;
		inet_ntop(AF_INET, &in4->sin_addr, text, sizeof(text));
		snprintf(c->from, sizeof(c->from), "%s port %u", text, ntohs(in4->sin_port));
	}
}

static bool
over_source(const struct http_conn *c)
{
	unsigned n = 0;

	if (is_unix(c))
		return false;
	for (const struct http_conn *o = c->http->conns; o; o = o->next)
		n += !is_unix(o) && memcmp(o->source, c->source, sizeof(c->source)) == 0;
	return n > c->http->now->limits.per_source;
}

/* Room for one more: the oldest that has not said who it is, else the oldest that asks nothing. */
static void
evict(struct http_conn *c)
{
	unsigned max = is_unix(c) ? UNIX_MAX : c->http->now->limits.connections;
	struct http_conn *idle = NULL, *o;

	if (*count_of(c) <= max)
		return;
	for (o = c->http->conns; o; o = o->next) {
		if (is_unix(o) != is_unix(c) || o->doomed || o->state == CONN_SERVES || o == c)
			continue;
		if (!o->known)
			break;
		if (!idle)
			idle = o;
	}
	o = o ? o : idle ? idle : c;
	c->http->counters.evicted++;
	evhttp_connection_free(o->evcon);
}

/* The kernel's buffers count, too: left alone they grow to megabytes for each client that does not
 * read, or that sends ahead. And a client that has vanished is noticed, whatever is sent. */
static void
bound_socket(const struct http_conn *c)
{
	static const int size = SOCKET_BUFFER, on = 1, idle = KEEPALIVE_SECONDS;

	if (is_unix(c))
		return;
	setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

/* It has its place among the connections, or it is gone. */
static void
adopt(struct http_conn *c)
{
	struct mr_http *h = c->http;
	void *evcon = NULL;

	bufferevent_getcb(c->bev, NULL, NULL, NULL, &evcon);
	c->fd = evcon ? (int)bufferevent_getfd(c->bev) : -1;
	bufferevent_decref(c->bev);
	if (!evcon || c->fd < 0 || !index_fd(h, c)) {
		c->listener->connections--;
		if (evcon)
			evhttp_connection_free(evcon);
		free(c);
		return;
	}
	c->evcon = evcon;
	c->since = c->progress = http_now();
	c->next = NULL;
	c->back = h->last;
	*h->last = c;
	h->last = &c->next;
	(*count_of(c))++;
	find_source(c);
	bound_socket(c);
	evhttp_connection_set_closecb(evcon, on_close, c);
	evbuffer_add_cb(bufferevent_get_input(c->bev), on_input, c);
	evbuffer_add_cb(bufferevent_get_output(c->bev), on_output, c);
	if (over_source(c)) {
		h->counters.over_source++;
		evhttp_connection_free(evcon);
		return;
	}
	if (!is_unix(c) && (unsigned)c->fd + FILES_KEPT >= http_file_limit()) {
		http_say_files(h, EMFILE);
		evhttp_connection_free(evcon);
		return;
	}
	evict(c);
}

void
http_conns_adopt(evutil_socket_t fd, short what, void *arg)
{
	struct mr_http *h = arg;

	(void)fd;
	(void)what;
	while (h->newborn) {
		struct http_conn *c = h->newborn;

		h->newborn = c->next;
		if (c->listener->newborn >= NEWBORN_MAX)
			http_listener_pause(c->listener, false);
		c->listener->newborn = 0;
		adopt(c);
	}
}

/* -- time-outs --------------------------------------------------------------------------- */

static bool
is_late(const struct http_conn *c, uint64_t now)
{
	const struct mr_http_limits *limits = &c->http->now->limits;
	uint64_t idle = (uint64_t)limits->idle_seconds * 1000;

	if (c->trusted)
		return false;
	if (c->state == CONN_SERVES || c->out > 0)
		return c->out > 0 && now - c->progress > idle;
	if (c->state == CONN_READS || !c->known)
		return now - c->since > (uint64_t)limits->request_seconds * 1000 +
		    c->got * (uint64_t)1000 / BYTES_PER_SECOND;
	return now - c->since > idle;
}

void
http_conns_sweep(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval period = { .tv_usec = SWEEP_MS * 1000 };
	struct mr_http *h = arg;
	struct http_conn *next;
	uint64_t now = http_now();

	(void)fd;
	(void)what;
	for (struct http_conn *c = h->conns; c; c = next) {
		bool late = is_late(c, now);

		next = c->next;
		if (late)
			h->counters.timed_out++;
		if (late || c->doomed)
			evhttp_connection_free(c->evcon);
	}
	h->leaving = 0;
	http_listeners_sweep(h);
	event_add(h->sweep, &period);
}

/* Who may ask has changed: answers that go on end, and whoever waits comes again. What is being
 * answered right now, which may be the change itself, is let through. */
void
http_conns_expire(struct mr_http *h)
{
	for (struct http_conn *c = h->conns; c; c = c->next)
		if (!c->trusted && (c->state != CONN_SERVES || c->left))
			http_conn_doom(c);
}
