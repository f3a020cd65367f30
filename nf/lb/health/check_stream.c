/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/health/health_int.h"

#include <errno.h>
#include <sys/epoll.h>

static int
stream_open(struct mr_health_target *t, struct mr_error *error)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd =
	    health_socket(t->health, t->config.space, t->config.family, HEALTH_SOCKET_TCP, error);

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return fd;
}

static enum health_verdict
begin(struct mr_health_target *t)
{
	if (connect(t->fd, (const struct sockaddr *)&t->to, t->to_size) && errno != EINPROGRESS)
		return health_bad_errno(t, errno);
	if (health_watch(t, EPOLLOUT))
		return health_bad_errno(t, errno);
	return HEALTH_WAIT;
}

/* What the connection came to. */
static enum health_verdict
connected(struct mr_health_target *t)
{
	socklen_t size = sizeof(int);
	int code = 0;

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &code, &size))
		code = errno;
	if (code)
		return health_bad_errno(t, code);
	t->connected = true;
	return HEALTH_GOOD;
}

static enum health_verdict
tcp_ready(struct mr_health_target *t, uint32_t events)
{
	(void)events;
	return connected(t);
}

static enum health_verdict
late(struct mr_health_target *t)
{
	return health_bad(t, "timeout");
}

static enum health_verdict
http_verdict(struct mr_health_target *t, enum check_http_verdict verdict)
{
	switch (verdict) {
	case CHECK_HTTP_MORE:
		return HEALTH_WAIT;
	case CHECK_HTTP_GOOD:
		return HEALTH_GOOD;
	case CHECK_HTTP_STATUS:
		return health_bad(t, "HTTP %u", t->http.status);
	case CHECK_HTTP_NO_TEXT:
		return health_bad(t, "the body lacks the text");
	case CHECK_HTTP_TOO_LONG:
		return health_bad(t, "the answer is too long");
	case CHECK_HTTP_ENDED:
		return health_bad(t, "the answer ended early");
	default:
		return health_bad(t, "the answer is no HTTP");
	}
}

/* HEALTH_GOOD: all of it is out. */
static enum health_verdict
http_send(struct mr_health_target *t)
{
	ssize_t n;

	if (t->sent == t->request_size)
		return HEALTH_GOOD;
	n = send(t->fd, t->request + t->sent, t->request_size - t->sent, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? HEALTH_WAIT : health_bad_errno(t, errno);
	t->sent += (uint32_t)n;
	if (t->sent < t->request_size)
		return HEALTH_WAIT;
	return health_watch(t, EPOLLIN) ? health_bad_errno(t, errno) : HEALTH_GOOD;
}

static enum health_verdict
http_ready(struct mr_health_target *t, uint32_t events)
{
	enum health_verdict verdict = HEALTH_GOOD;
	uint8_t bytes[HEALTH_READ];

	if (!t->connected) {
		verdict = connected(t);
		check_http_begin(&t->http, &t->want);
	}
	if (verdict == HEALTH_GOOD && events & EPOLLOUT)
		verdict = http_send(t);
	if (verdict == HEALTH_BAD || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return verdict == HEALTH_BAD ? verdict : HEALTH_WAIT;
	for (unsigned i = 0; i < HEALTH_READS; i++) {
		ssize_t n = recv(t->fd, bytes, sizeof(bytes), 0);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? HEALTH_WAIT
								 : health_bad_errno(t, errno);
		if (n == 0)
			return http_verdict(t, check_http_end(&t->http));
		verdict = http_verdict(t, check_http_feed(&t->http, bytes, (size_t)n));
		if (verdict != HEALTH_WAIT)
			return verdict;
	}
	return HEALTH_WAIT;
}

const struct health_check health_check_tcp = { stream_open, begin, tcp_ready, late };
const struct health_check health_check_http = { stream_open, begin, http_ready, late };
