/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/health/health_test_int.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

uint64_t
bed_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
changed(void *arg, uint64_t tag, bool healthy, const char *why)
{
	struct bed *b = arg;

	assert_in_range(tag, 0, 63);
	b->healthy[tag] = healthy;
	snprintf(b->why[tag], sizeof(b->why[tag]), "%s", why);
	b->changes[tag]++;
}

void
bed_create(struct bed *b)
{
	const struct mr_health_events events = { changed, b };

	memset(b, 0, sizeof(*b));
	assert_int_equal(mr_health_create(&b->health, 1024, &events, NULL), 0);
}

static void
close_connection(struct bed_connection *c)
{
	close(c->fd);
	*c = (struct bed_connection){ .fd = -1 };
}

void
bed_stop(struct bed_server *s)
{
	for (unsigned i = 0; i < BED_CONNECTIONS; i++)
		if (s->connections[i].fd >= 0)
			close_connection(&s->connections[i]);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void
bed_destroy(struct bed *b)
{
	mr_health_destroy(b->health);
	for (unsigned i = 0; i < b->count; i++)
		bed_stop(&b->servers[i]);
}

static int
open_at(unsigned family, int type, uint16_t *port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		.sin6_port = mr_be16(*port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET,
		.sin_port = mr_be16(*port),
		.sin_addr.s_addr = mr_be32(INADDR_LOOPBACK) };
	struct sockaddr *at = family == 6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t size = family == 6 ? sizeof(six) : sizeof(four);
	int fd = socket(at->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, at, size), 0);
	assert_int_equal(getsockname(fd, at, &size), 0);
	*port = mr_be16(family == 6 ? six.sin6_port : four.sin_port);
	return fd;
}

void
bed_resume(struct bed_server *s, unsigned family)
{
	s->fd = open_at(family, s->manner == BED_ECHO ? SOCK_DGRAM : SOCK_STREAM, &s->port);
	if (s->manner != BED_ECHO)
		assert_int_equal(listen(s->fd, 64), 0);
}

struct bed_server *
bed_server(struct bed *b, unsigned family, enum bed_manner manner, const char *answer)
{
	struct bed_server *s = &b->servers[b->count++];

	assert_in_range(b->count, 1, BED_SERVERS);
	s->manner = manner;
	s->answer = answer;
	for (unsigned i = 0; i < BED_CONNECTIONS; i++)
		s->connections[i].fd = -1;
	bed_resume(s, family);
	return s;
}

uint16_t
bed_free_port(void)
{
	uint16_t port = 0;

	close(open_at(4, SOCK_STREAM, &port));
	return port;
}

unsigned
bed_open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* -- what servers do ----------------------------------------------------------------------- */

static void
accept_all(struct bed_server *s)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		unsigned i = 0;

		s->accepted++;
		if (s->manner == BED_RESET) {
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			close(fd);
			continue;
		}
		while (i < BED_CONNECTIONS && s->connections[i].fd >= 0)
			i++;
		assert_in_range(i, 0, BED_CONNECTIONS - 1);
		s->connections[i].fd = fd;
	}
}

static void
serve(struct bed_server *s, struct bed_connection *c)
{
	static const char many[16384];
	size_t left;
	ssize_t n;

	if (!c->asked && s->manner != BED_FLOOD) {
		n = recv(c->fd, s->request, sizeof(s->request) - 1, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			close_connection(c);
			return;
		}
		if (n < 0)
			return;
		s->request[n] = 0;
		s->requests++;
		c->asked = true;
	}
	if (s->manner == BED_SILENT || (s->manner == BED_DRIP && !s->answer[c->sent])) {
		if (recv(c->fd, s->request, 1, 0) == 0 || errno == ECONNRESET)
			close_connection(c);
		return;
	}
	left = strlen(s->answer) - c->sent;
	if (left) {
		n = send(c->fd, s->answer + c->sent, s->manner == BED_DRIP ? 1 : left,
		    MSG_NOSIGNAL);
		if (n > 0)
			c->sent += (uint32_t)n;
	} else if (s->manner == BED_FLOOD) {
		n = send(c->fd, many, sizeof(many), MSG_NOSIGNAL);
	} else {
		close_connection(c);
		return;
	}
	if (n < 0 && errno != EAGAIN)
		close_connection(c);
}

static void
serve_datagrams(struct bed_server *s)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(s->fd, s->request, sizeof(s->request) - 1, 0, (struct sockaddr *)&from,
		    &size)) >= 0) {
		s->request[n] = 0;
		s->requests++;
		if (s->answer)
			sendto(s->fd, s->answer, strlen(s->answer), 0, (struct sockaddr *)&from,
			    size);
	}
}

static void
work(struct bed *b)
{
	struct pollfd poller = { .fd = mr_health_fd(b->health), .events = POLLIN };

	if (poll(&poller, 1, 1) > 0)
		mr_health_work(b->health);
	for (unsigned i = 0; i < b->count; i++) {
		struct bed_server *s = &b->servers[i];

		if (s->fd < 0)
			continue;
		if (s->manner == BED_ECHO) {
			serve_datagrams(s);
			continue;
		}
		accept_all(s);
		for (unsigned k = 0; k < BED_CONNECTIONS; k++)
			if (s->connections[k].fd >= 0)
				serve(s, &s->connections[k]);
	}
}

/* -- targets ------------------------------------------------------------------------------- */

struct mr_health_config
bed_config(enum mr_health_kind kind, unsigned family, uint16_t port)
{
	struct mr_health_config c = {
		.kind = kind,
		.family = (uint8_t)family,
		.port = port,
		.interval = 20,
		.timeout = 50,
		.rise = 1,
		.fall = 1,
		.status_first = 200,
		.status_last = 399,
		.path = "/",
	};

	if (family == 6) {
		c.address[15] = 1;
	} else {
		c.address[0] = 127;
		c.address[3] = 1;
	}
	return c;
}

struct mr_health_target *
bed_add(struct bed *b, const struct mr_health_config *c, uint64_t tag)
{
	struct mr_health_target *t;
	struct mr_error error;

	if (mr_health_add(b->health, c, tag, &t, &error))
		fail_msg("%s", error.text);
	return t;
}

void
bed_run(struct bed *b, unsigned ms)
{
	uint64_t end = bed_now_ms() + ms;

	while (bed_now_ms() < end)
		work(b);
}

bool
bed_run_answers(struct bed *b, const struct mr_health_target *t, uint64_t answers)
{
	uint64_t end = bed_now_ms() + 1000;
	struct mr_health_state state;

	do {
		mr_health_state(t, &state);
		if (state.good + state.bad >= answers)
			return true;
		work(b);
	} while (bed_now_ms() < end);
	return false;
}

bool
bed_run_changes(struct bed *b, uint64_t tag, uint32_t changes)
{
	uint64_t end = bed_now_ms() + 1000;

	while (b->changes[tag] < changes && bed_now_ms() < end)
		work(b);
	return b->changes[tag] >= changes;
}
