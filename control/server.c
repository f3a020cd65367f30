/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server_int.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_MAX (256 << 10) /* the largest frame in digits, with white space */

void
server_fail(struct evhttp_request *req, int code, const char *fmt, ...)
{
	struct evbuffer *body = evbuffer_new();
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (char *c = text; *c; c++) /* what a client sent comes back here */
		if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
			*c = '\'';
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
	    "application/json");
	if (body)
		evbuffer_add_printf(body, "{\"error\":\"%s\"}\n", text);
	evhttp_send_reply(req, code, NULL, body);
	if (body)
		evbuffer_free(body);
}

const char *
server_param(const struct evkeyvalq *query, const char *name, const char *fallback)
{
	const char *value = evhttp_find_header(query, name);

	return value ? value : fallback;
}

static void
serve_state(struct mr_server *s, struct evhttp_request *req, const char *function,
    const struct evkeyvalq *query)
{
	enum mr_state_form form = strcmp(server_param(query, "form", "plain"), "rfc7951") == 0
	    ? MR_STATE_RFC7951
	    : MR_STATE_PLAIN;
	struct evbuffer *body = evbuffer_new();
	struct mr_state *state = NULL;
	struct mr_error error = { 0 };
	const char *text;
	size_t size;

	if (strchr(function ? function : "", '/')) {
		char first[64];
		const char *name = strchr(function, '/') + 1;

		snprintf(first, sizeof(first), "%.*s", (int)(name - 1 - function), function);
		server_function_stream(s, req, first, name, query);
	} else if (!body || mr_state_create(&state, s->config.model, form)) {
		server_fail(req, 503, "no memory");
	} else if (mr_dataplane_show(s->config.dataplane, function, state) == -ENOENT) {
		server_fail(req, 404, "there is no function %s", function);
	} else if (mr_state_finish(state, &text, &size, &error)) {
		server_fail(req, 500, "%s", error.text);
	} else {
		evbuffer_add(body, text, size);
		evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
		    "application/json");
		evhttp_send_reply(req, 200, "OK", body);
	}
	mr_state_destroy(state);
	if (body)
		evbuffer_free(body);
}

static void
end_stream(struct stream *st)
{
	struct stream **at = &st->server->streams;

	while (*at != st)
		at = &(*at)->next;
	*at = st->next;
	event_free(st->timer);
	st->end(st);
	free(st);
}

static void
client_left(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	end_stream(arg);
}

static void
stream_step(evutil_socket_t fd, short what, void *arg)
{
	struct stream *st = arg;
	struct evhttp_request *req = st->request;

	(void)fd;
	(void)what;
	if (!st->step(st))
		return;
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), NULL, NULL);
	end_stream(st);
	evhttp_send_reply_end(req);
}

size_t
server_pending(const struct stream *st)
{
	struct bufferevent *bev =
	    evhttp_connection_get_bufferevent(evhttp_request_get_connection(st->request));

	return bev ? evbuffer_get_length(bufferevent_get_output(bev)) : 0;
}

int
server_stream(struct mr_server *s, struct evhttp_request *req, const char *type,
    bool (*step)(struct stream *), void (*end)(struct stream *), void *arg)
{
	const struct timeval period = { .tv_usec = STREAM_PERIOD_MS * 1000 };
	struct stream *st = calloc(1, sizeof(*st));

	if (!st)
		return -ENOMEM;
	*st = (struct stream){ .server = s, .request = req, .step = step, .end = end, .arg = arg };
	st->timer = event_new(s->config.base, -1, EV_PERSIST, stream_step, st);
	if (!st->timer) {
		free(st);
		return -ENOMEM;
	}
	st->next = s->streams;
	s->streams = st;
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", type);
	evhttp_send_reply_start(req, 200, "OK");
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), client_left, st);
	event_add(st->timer, &period);
	return 0;
}

static void
serve(struct evhttp_request *req, void *arg)
{
	struct mr_server *s = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = evhttp_uri_get_path(uri);
	const char *text = evhttp_uri_get_query(uri);
	struct evkeyvalq query;

	bool explain = path && strcmp(path, "/explain") == 0;
	bool act = path && strncmp(path, "/act/", 5) == 0, post = explain || act;

	if (evhttp_request_get_command(req) != (post ? EVHTTP_REQ_POST : EVHTTP_REQ_GET)) {
		server_fail(req, 405, "only %s is understood here", post ? "POST" : "GET");
		return;
	}
	TAILQ_INIT(&query);
	if (text && evhttp_parse_query_str(text, &query)) {
		server_fail(req, 400, "the query cannot be read");
		return;
	}
	if (!path || strcmp(path, "/state") == 0)
		serve_state(s, req, NULL, &query);
	else if (strncmp(path, "/state/", 7) == 0)
		serve_state(s, req, path + 7, &query);
	else if (strcmp(path, "/trace") == 0)
		server_trace(s, req, &query);
	else if (strcmp(path, "/capture") == 0)
		server_capture(s, req, &query);
	else if (explain)
		server_explain(s, req, &query);
	else if (act)
		server_act(s, req, path + 5, &query);
	else
		server_fail(req, 404,
		    "there is no %s; there are /state, /trace, /explain, /capture and /act", path);
	evhttp_clear_headers(&query);
}

/* A socket that nobody listens on any more is what a crash left behind. */
static bool
is_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	    errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int
listen_on(const char *path, struct mr_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return mr_error_set(error, -ENAMETOOLONG, "control socket %s: the path is too long",
		    path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return mr_error_set(error, -errno, "control socket: %s", strerror(errno));
	mask = umask(0177); /* it steers the data plane: its owner's alone */
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	if (rc < 0 && errno == EADDRINUSE && is_stale(&address) && unlink(path) == 0)
		rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (rc == 0 && listen(fd, 64) == 0)
		return fd;
	rc = errno == EADDRINUSE
	    ? mr_error_set(error, -errno,
		  "control socket %s: another millrace listens there; give this one its own "
		  "(system/control-socket)",
		  path)
	    : mr_error_set(error, -errno, "control socket %s: %s", path, strerror(errno));
	close(fd);
	return rc;
}

int
mr_server_create(struct mr_server **out, const struct mr_server_config *config,
    struct mr_error *error)
{
	struct mr_server *s = calloc(1, sizeof(*s));
	int fd, rc;

	if (!s)
		return mr_error_set(error, -ENOMEM, "control: no memory");
	s->config = *config;
	fd = listen_on(config->path, error);
	if (fd < 0) {
		rc = fd;
		goto fail;
	}
	snprintf(s->path, sizeof(s->path), "%s", config->path);
	s->http = evhttp_new(config->base);
	if (!s->http || evhttp_accept_socket(s->http, fd)) {
		close(fd);
		rc = mr_error_set(error, -ENOMEM, "control: no memory");
		goto fail;
	}
	evhttp_set_max_headers_size(s->http, 16384);
	evhttp_set_max_body_size(s->http, BODY_MAX);
	evhttp_set_gencb(s->http, serve, s);
	*out = s;
	return 0;

fail:
	mr_server_destroy(s);
	return rc;
}

void
mr_server_destroy(struct mr_server *s)
{
	if (!s)
		return;
	while (s->streams) {
		struct stream *st = s->streams;

		evhttp_connection_set_closecb(evhttp_request_get_connection(st->request), NULL,
		    NULL);
		end_stream(st);
	}
	if (s->http)
		evhttp_free(s->http);
	if (s->path[0])
		unlink(s->path);
	free(s);
}

void
mr_server_default_path(char *path, size_t size)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		snprintf(path, size, "/run/millrace.sock");
	else if (dir && *dir)
		snprintf(path, size, "%s/millrace.sock", dir);
	else
		snprintf(path, size, "/tmp/millrace-%u.sock", (unsigned)geteuid());
}
