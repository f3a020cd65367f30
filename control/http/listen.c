/* SPDX-License-Identifier: Apache-2.0 */

/* Listening on TCP addresses, as the configuration says; a change is made in the steps of a
 * commit. */

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/http/http_int.h"

#define BACKLOG 1024
#define HEADERS_MAX 16384
#define UNIX_BODY_MAX (32 << 20) /* a whole configuration */

union address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static socklen_t
read_address(const char *text, uint16_t port, union address *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->in4.sin_addr) == 1) {
		a->in4.sin_family = AF_INET;
		a->in4.sin_port = htons(port);
		return sizeof(a->in4);
	}
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		return sizeof(a->in6);
	}
	return 0;
}

bool
mr_http_is_loopback(const char *address)
{
	union address a;

	if (!read_address(address, 0, &a))
		return false;
	return a.sa.sa_family == AF_INET ? ntohl(a.in4.sin_addr.s_addr) >> 24 == 127
					 : IN6_IS_ADDR_LOOPBACK(&a.in6.sin6_addr);
}

/* -- one listener ------------------------------------------------------------------------ */

static struct evconnlistener *
socket_of(struct http_listener *l)
{
	return evhttp_bound_socket_get_listener(l->bound);
}

void
http_listener_pause(struct http_listener *l, bool pause)
{
	if (!l->bound || l->paused == pause)
		return;
	l->paused = pause;
	if (pause)
		evconnlistener_disable(socket_of(l));
	else
		evconnlistener_enable(socket_of(l));
}

/* A failed accept is told with evhttp's own argument; so whose socket it is has to be found: by the
 * one event that every server always has. */
struct seek {
	const struct evconnlistener *socket;
	struct http_listener *found;
};

static struct http_listener *
find_in(struct http_listener *list, const struct evconnlistener *socket)
{
	while (list && !(list->bound && socket_of(list) == socket))
		list = list->next;
	return list;
}

static int
look_at(const struct event_base *base, const struct event *event, void *arg)
{
	struct seek *seek = arg;
	const struct mr_http *h;

	(void)base;
	if (event_get_callback(event) != http_conns_sweep)
		return 0;
	h = event_get_callback_arg(event);
	seek->found = find_in(h->listeners, seek->socket);
	if (!seek->found)
		seek->found = find_in(h->unix_listener, seek->socket);
	return seek->found != NULL;
}

/* A connection waits that cannot be taken; it will be, once there are descriptors again. */
static void
on_error(struct evconnlistener *socket, void *arg)
{
	struct seek seek = { .socket = socket };
	int why = errno;

	(void)arg;
	event_base_foreach_event(evconnlistener_get_base(socket), look_at, &seek);
	if (!seek.found)
		return;
	http_say_files(seek.found->http, why);
	http_listener_pause(seek.found, true);
}

void
http_say_files(struct mr_http *h, int why)
{
	struct timespec ts;

	h->counters.out_of_files++;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (mr_log_allow(&h->files_limit, (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec,
		NULL))
		mr_log(h->log, MR_LOG_WARNING,
		    "rest: a connection cannot be taken: %s; the limit is %u descriptors "
		    "(LimitNOFILE=, ulimit -n)",
		    strerror(why), http_file_limit());
}

unsigned
http_file_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < UINT_MAX
	    ? (unsigned)limit.rlim_cur
	    : UINT_MAX;
}

/* From a socket that is bound and listens, and becomes its own; not yet accepting. */
struct http_listener *
http_listener_create(struct mr_http *h, const struct mr_http_listen *where, int fd)
{
	const unsigned how = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED;
	struct http_listener *l = calloc(1, sizeof(*l));
	struct evconnlistener *socket;

	if (l)
		l->evhttp = evhttp_new(h->base);
	if (!l || !l->evhttp)
		goto no_memory;
	l->http = h;
	l->where = *where;
	l->paused = true;
	socket = evconnlistener_new(h->base, NULL, NULL, how, 0, fd);
	if (!socket)
		goto no_memory;
	l->bound = evhttp_bind_listener(l->evhttp, socket);
	if (!l->bound) {
		evconnlistener_free(socket);
		goto no_memory_closed;
	}
	evconnlistener_set_error_cb(socket, on_error);
	evhttp_set_max_headers_size(l->evhttp, HEADERS_MAX);
	evhttp_set_max_body_size(l->evhttp, UNIX_BODY_MAX);
	evhttp_set_default_content_type(l->evhttp, NULL);
	evhttp_set_allowed_methods(l->evhttp,
	    EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH |
		EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
	evhttp_set_gencb(l->evhttp, http_serve, h);
	evhttp_set_bevcb(l->evhttp, http_conn_make, l);
	return l;
no_memory:
	close(fd);
no_memory_closed:
	if (l && l->evhttp)
		evhttp_free(l->evhttp);
	free(l);
	return NULL;
}

void
http_listener_destroy(struct http_listener *l)
{
	if (!l)
		return;
	evhttp_free(l->evhttp);
	http_tls_destroy(l->tls);
	free(l);
}

static void
bound_requests(struct http_listener *l, const struct mr_http_limits *limits)
{
	evhttp_set_max_headers_size(l->evhttp, (ev_ssize_t)limits->header);
	evhttp_set_max_body_size(l->evhttp, (ev_ssize_t)limits->body);
}

/* -- a change ---------------------------------------------------------------------------- */

static int
open_socket(const struct mr_http_listen *where, struct mr_error *error)
{
	static const int on = 1;
	union address a;
	socklen_t len = read_address(where->address, where->port, &a);
	int fd, rc;

	if (!len)
		return mr_error_set(error, -EINVAL, "rest: %s is no address", where->address);
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return mr_error_set(error, -errno, "rest: socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a.sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &a.sa, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	rc = errno;
	close(fd);
	return mr_error_set(error, -rc, "rest: cannot listen on %s port %u: %s", where->address,
	    where->port, rc == EADDRINUSE ? "another program does" : strerror(rc));
}

static bool
is_same(const struct mr_http_listen *a, const struct mr_http_listen *b)
{
	return a->port == b->port && strcmp(a->address, b->address) == 0;
}

static struct http_listener *
find(struct http_listener *list, const struct mr_http_listen *where)
{
	while (list && (list->retired || !is_same(&list->where, where)))
		list = list->next;
	return list;
}

static int
prepare_one(struct mr_http *h, const struct mr_http_listen *where, struct ssl_ctx_st **tls,
    struct mr_error *error)
{
	struct http_listener *l;
	int fd, rc;

	rc = where->certificate[0] ? http_tls_create(tls, where, error) : 0;
	if (rc || find(h->listeners, where))
		return rc;
	fd = open_socket(where, error);
	if (fd < 0)
		return fd;
	l = http_listener_create(h, where, fd);
	if (!l)
		return mr_error_set(error, -ENOMEM, "rest: no memory");
	l->next = h->fresh;
	h->fresh = l;
	return 0;
}

int
mr_http_prepare(struct mr_http *h, const struct mr_http_settings *next, struct mr_error *error)
{
	int rc = 0;

	h->next = malloc(sizeof(*h->next));
	if (!h->next)
		return mr_error_set(error, -ENOMEM, "rest: no memory");
	*h->next = *next;
	if (strcmp(h->now->group, next->group) != 0)
		rc = http_check_group(next->group, error);
	for (unsigned i = 0; !rc && i < next->listen_count; i++)
		rc = prepare_one(h, &next->listen[i], &h->contexts[i], error);
	if (rc)
		mr_http_abort(h);
	return rc;
}

void
mr_http_abort(struct mr_http *h)
{
	for (unsigned i = 0; i < MR_HTTP_LISTENERS_MAX; i++) {
		http_tls_destroy(h->contexts[i]);
		h->contexts[i] = NULL;
	}
	while (h->fresh) {
		struct http_listener *l = h->fresh;

		h->fresh = l->next;
		http_listener_destroy(l);
	}
	free(h->next);
	h->next = NULL;
}

static void
retire(struct mr_http *h)
{
	for (struct http_listener *l = h->listeners; l; l = l->next) {
		bool keep = false;

		for (unsigned i = 0; i < h->next->listen_count; i++)
			keep = keep || is_same(&l->where, &h->next->listen[i]);
		if (keep || l->retired)
			continue;
		l->retired = true;
		evhttp_del_accept_socket(l->evhttp, l->bound);
		l->bound = NULL;
	}
}

void
mr_http_commit(struct mr_http *h)
{
	struct mr_http_settings *old = h->now;
	struct http_listener **last = &h->listeners;
	bool same = memcmp(old, h->next, sizeof(*old)) == 0;

	retire(h);
	while (*last)
		last = &(*last)->next;
	*last = h->fresh;
	h->fresh = NULL;
	h->now = h->next;
	h->next = NULL;
	for (unsigned i = 0; i < h->now->listen_count; i++) {
		struct http_listener *l = find(h->listeners, &h->now->listen[i]);

		http_tls_destroy(l->tls);
		l->tls = h->contexts[i];
		h->contexts[i] = NULL;
		l->where = h->now->listen[i];
		l->generation += same ? 0 : 1;
		bound_requests(l, &h->now->limits);
		http_listener_pause(l, false);
	}
	if (!same) {
		http_set_group(h, h->now->group);
		http_conns_expire(h);
	}
	free(old);
}

/* Those that waited for descriptors try again; those without connections go. */
void
http_listeners_sweep(struct mr_http *h)
{
	struct http_listener **at = &h->listeners;

	if (h->unix_listener)
		http_listener_pause(h->unix_listener, false);
	while (*at) {
		struct http_listener *l = *at;

		if (!l->retired || l->connections > 0) {
			http_listener_pause(l, false);
			at = &l->next;
			continue;
		}
		*at = l->next;
		http_listener_destroy(l);
	}
}

bool
mr_http_listening(const struct mr_http *h, unsigned n, struct mr_http_listen *where,
    unsigned *connections)
{
	const struct http_listener *l = h->listeners;

	while (l && (l->retired || n-- > 0))
		l = l->next;
	if (!l)
		return false;
	*where = l->where;
	*connections = l->connections;
	return true;
}
