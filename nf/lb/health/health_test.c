/* SPDX-License-Identifier: Apache-2.0 */
/* The checker against real servers on the loopback. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "kit/port/namespace.h"
#include "nf/lb/health/health_test_int.h"

static int
set_up(void **state)
{
	static struct bed bed;

	bed_create(&bed);
	*state = &bed;
	return 0;
}

static int
tear_down(void **state)
{
	bed_destroy(*state);
	return 0;
}

/* The first answer decides at once. */
static void
expect(struct bed *b, const struct mr_health_config *c, const char *why)
{
	struct mr_health_target *t = bed_add(b, c, 0);
	struct mr_health_state s;

	assert_true(bed_run_answers(b, t, 1));
	mr_health_state(t, &s);
	assert_string_equal(s.why, why);
	assert_int_equal(s.healthy, !why[0]);
	assert_true(s.decided);
	mr_health_remove(t);
}

static void
test_tcp(void **state)
{
	struct bed *b = *state;
	struct bed_server *s = bed_server(b, 4, BED_SILENT, NULL);
	struct bed_server *six = bed_server(b, 6, BED_SILENT, NULL);
	struct mr_health_config c = bed_config(MR_HEALTH_TCP, 4, s->port);

	expect(b, &c, "");
	assert_int_equal(b->changes[0], 0);
	c.port = bed_free_port();
	expect(b, &c, "connection refused");
	assert_int_equal(b->changes[0], 1);
	assert_false(b->healthy[0]);
	c = bed_config(MR_HEALTH_TCP, 6, six->port);
	expect(b, &c, "");
}

/* A queue that is full: the kernel drops what comes. */
static void
test_tcp_timeout(void **state)
{
	struct bed *b = *state;
	struct bed_server *s = bed_server(b, 4, BED_SILENT, NULL);
	struct mr_health_config c = bed_config(MR_HEALTH_TCP, 4, s->port);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = mr_be16(s->port),
		.sin_addr.s_addr = mr_be32(INADDR_LOOPBACK) };
	int fds[4], listener = s->fd;

	assert_int_equal(listen(listener, 0), 0);
	s->fd = -1; /* nobody accepts */
	for (unsigned i = 0; i < 4; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&at, sizeof(at));
	}
	expect(b, &c, "timeout");
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
	close(listener);
}

static void
test_http(void **state)
{
	struct bed *b = *state;
	struct bed_server *s = bed_server(b, 4, BED_ANSWER, "HTTP/1.1 200 OK\r\n\r\nall is well");
	struct mr_health_config c = bed_config(MR_HEALTH_HTTP, 4, s->port);
	char line[64];

	c.path = "/health?deep=1";
	expect(b, &c, "");
	snprintf(line, sizeof(line), "GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n",
	    s->port);
	assert_ptr_equal(strstr(s->request, line), s->request);
	assert_string_equal(s->request + strlen(s->request) - 4, "\r\n\r\n");
	c.host = "www.example.org";
	c.body = "is well";
	expect(b, &c, "");
	assert_non_null(strstr(s->request, "\r\nHost: www.example.org\r\n"));
	c.body = "is bad";
	expect(b, &c, "the body lacks the text");
	c.body = NULL;
	s->answer = "HTTP/1.1 503 Sorry\r\n\r\n";
	expect(b, &c, "HTTP 503");
	c.status_first = c.status_last = 503;
	expect(b, &c, "");
	s->answer = "SSH-2.0-OpenSSH_9.2p1\r\n";
	expect(b, &c, "the answer is no HTTP");
	s->answer = "HTTP/1.1 5";
	expect(b, &c, "the answer ended early");
	c.port = bed_free_port();
	expect(b, &c, "connection refused");
	c = bed_config(MR_HEALTH_HTTP, 6, bed_server(b, 6, BED_ANSWER, "HTTP/1.0 200\n\n")->port);
	expect(b, &c, "");
	assert_non_null(strstr(b->servers[1].request, "\r\nHost: [::1]:"));
}

/* Servers that take their time, talk without end or hang up. None costs more than its timeout. */
static void
test_http_of_bad_manners(void **state)
{
	struct bed *b = *state;
	struct bed_server *silent = bed_server(b, 4, BED_SILENT, NULL);
	struct bed_server *drip = bed_server(b, 4, BED_DRIP,
	    "HTTP/1.1 200 OK\r\nX-Long: "
	    "....................................."
	    ".....................................");
	struct bed_server *flood = bed_server(b, 4, BED_FLOOD, "HTTP/1.1 200 OK\r\n\r\n");
	struct bed_server *endless = bed_server(b, 4, BED_FLOOD, "HTTP/1.1 200 OK");
	struct bed_server *reset = bed_server(b, 4, BED_RESET, NULL);
	struct mr_health_config c = bed_config(MR_HEALTH_HTTP, 4, silent->port);
	unsigned files = bed_open_files();

	expect(b, &c, "timeout");
	c.port = drip->port;
	c.timeout = 500;
	expect(b, &c, ""); /* the status came in time */
	c.body = "never";
	c.timeout = 30;
	expect(b, &c, "timeout");
	c.timeout = 500;
	c.port = flood->port;
	expect(b, &c, "the answer is too long");
	c.port = endless->port;
	expect(b, &c, "the answer is no HTTP");
	c.port = reset->port;
	expect(b, &c, "connection reset");
	bed_run(b, 20);
	assert_int_equal(bed_open_files(), files);
}

static void
test_udp(void **state)
{
	struct bed *b = *state;
	struct bed_server *s = bed_server(b, 4, BED_ECHO, "pong 7");
	struct bed_server *six = bed_server(b, 6, BED_ECHO, NULL);
	struct mr_health_config c = bed_config(MR_HEALTH_UDP, 4, s->port);

	c.send = "ping";
	c.expect = "pong";
	expect(b, &c, "");
	assert_string_equal(s->request, "ping");
	c.expect = "bang";
	expect(b, &c, "an answer that was not expected");
	c.expect = "pong 7 and more";
	expect(b, &c, "an answer that was not expected");
	c.expect = NULL;
	c.send = NULL;
	expect(b, &c, ""); /* any answer */
	assert_string_equal(s->request, "");
	c = bed_config(MR_HEALTH_UDP, 6, six->port);
	expect(b, &c, ""); /* nothing speaks against it */
	c.expect = "x";
	expect(b, &c, "timeout");
	bed_stop(six);
	c.expect = NULL;
	expect(b, &c, "port unreachable");
}

static void
test_icmp(void **state)
{
	struct bed *b = *state;
	struct mr_health_config c = bed_config(MR_HEALTH_ICMP, 4, 0);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	if (fd < 0)
		skip();
	expect(b, &c, "");
	c.address[0] = 255; /* nobody's */
	c.address[1] = c.address[2] = c.address[3] = 255;
	expect(b, &c, "Permission denied"); /* by the kernel: a broadcast */
	c = bed_config(MR_HEALTH_ICMP, 6, 0);
	expect(b, &c, "");
	close(fd);
}

/* `fall` bad answers make it unhealthy, `rise` good ones healthy; and it is told once. */
static void
test_rise_and_fall(void **state)
{
	struct bed *b = *state;
	struct bed_server *s = bed_server(b, 4, BED_ANSWER, "HTTP/1.1 200 OK\r\n\r\n");
	struct mr_health_config c = bed_config(MR_HEALTH_HTTP, 4, s->port);
	struct mr_health_target *t;
	struct mr_health_state st;

	c.fall = 3;
	c.rise = 2;
	t = bed_add(b, &c, 5);
	assert_true(bed_run_answers(b, t, 3));
	assert_int_equal(b->changes[5], 0);
	s->answer = "HTTP/1.1 500 \r\n\r\n";
	assert_true(bed_run_changes(b, 5, 1));
	mr_health_state(t, &st);
	assert_int_equal(st.bad, 3);
	assert_false(st.healthy || b->healthy[5]);
	assert_string_equal(b->why[5], "HTTP 500");
	/* Another reason is told as well. */
	s->answer = "HTTP/1.1 502 \r\n\r\n";
	assert_true(bed_run_changes(b, 5, 2));
	assert_false(b->healthy[5]);
	assert_string_equal(b->why[5], "HTTP 502");
	/* One good answer between bad ones is not enough. */
	s->answer = "HTTP/1.1 200 \r\n\r\n";
	mr_health_state(t, &st);
	assert_true(bed_run_answers(b, t, st.good + st.bad + 1));
	assert_int_equal(b->changes[5], 2);
	s->answer = "HTTP/1.1 502 \r\n\r\n";
	mr_health_state(t, &st);
	assert_true(bed_run_answers(b, t, st.good + st.bad + 1));
	s->answer = "HTTP/1.1 200 \r\n\r\n";
	mr_health_state(t, &st);
	assert_true(bed_run_changes(b, 5, 4)); /* 502 again, after the good one; then healthy */
	assert_true(b->healthy[5]);
	assert_string_equal(b->why[5], "");
}

/* A server that refuses is found out within its interval. */
static void
test_out_within_the_interval(void **state)
{
	struct bed *b = *state;
	struct bed_server *s = bed_server(b, 4, BED_ANSWER, "HTTP/1.1 200 OK\r\n\r\n");
	struct mr_health_config c = bed_config(MR_HEALTH_HTTP, 4, s->port);
	struct mr_health_target *t;
	uint64_t begin;

	c.interval = 200;
	c.fall = 3;
	t = bed_add(b, &c, 1);
	assert_true(bed_run_answers(b, t, 1));
	begin = bed_now_ms();
	bed_stop(s);
	assert_true(bed_run_changes(b, 1, 1));
	assert_false(b->healthy[1]);
	/* Worst case: it died right behind an answer. The machine may be busy. */
	assert_in_range(bed_now_ms() - begin, 100, 200 + 40);
	bed_resume(s, 4);
	assert_true(bed_run_changes(b, 1, 2));
	assert_true(b->healthy[1]);
}

/* More than are asked at once, all of them silent: the others wait, and have their turn. */
static void
test_many_at_once(void **state)
{
	struct bed *b = *state;
	/* At a closed port they would be refused. */
	struct bed_server *s = bed_server(b, 4, BED_ECHO, NULL);
	struct mr_health_config c = bed_config(MR_HEALTH_UDP, 4, s->port);
	struct mr_health_target *targets[MR_HEALTH_AT_ONCE * 2];
	unsigned files = bed_open_files(), most = 0;
	struct mr_health_state st;
	uint64_t end;

	c.expect = "never";
	c.timeout = 100;
	c.interval = 10;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(targets); i++)
		targets[i] = bed_add(b, &c, 2);
	end = bed_now_ms() + 450;
	while (bed_now_ms() < end) {
		bed_run(b, 10);
		most = MR_MAX(most, bed_open_files() - files);
	}
	assert_int_equal(most, MR_HEALTH_AT_ONCE);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(targets); i++) {
		mr_health_state(targets[i], &st);
		assert_in_range(st.bad, 1, 4);
	}
	/* Those that wait may go in any order, as may those that are asked. */
	for (unsigned i = 0; i < MR_ARRAY_COUNT(targets); i++)
		mr_health_remove(targets[i * 7 % MR_ARRAY_COUNT(targets)]);
	assert_int_equal(bed_open_files(), files);
	c.expect = NULL;
	expect(b, &c, "");
}

static void
test_refused(void **state)
{
	struct bed *b = *state;
	struct mr_health_config c = bed_config(MR_HEALTH_HTTP, 4, 80), good = c;
	char longer[1100];
	struct mr_health_target *t;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	c.path = "/a b";
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -EINVAL);
	c.path = "/\r\nHost: other";
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -EINVAL);
	c.path = "no-slash";
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -EINVAL);
	c = good;
	c.host = "a\r\nb";
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -EINVAL);
	c = good;
	c.body = longer;
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -E2BIG);
	c = good;
	c.send = longer;
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -E2BIG);
	c = good;
	c.interval = 0;
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -EINVAL);
	c = good;
	c.port = 0;
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -EINVAL);
	c = good;
	c.path = longer; /* as long as may be, and one more */
	longer[0] = '/';
	longer[MR_HEALTH_PATH_MAX] = 0;
	t = bed_add(b, &c, 0);
	assert_true(mr_health_is(t, &c));
	assert_false(mr_health_is(t, &good));
	mr_health_remove(t);
	longer[MR_HEALTH_PATH_MAX] = 'x';
	assert_int_equal(mr_health_add(b->health, &c, 0, &t, NULL), -EINVAL);
}

/* -- namespaces ---------------------------------------------------------------------------- */

static int
lo_up(void *arg, struct mr_error *error)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int rc = ioctl(fd, SIOCSIFFLAGS, &request);

	(void)arg;
	(void)error;
	close(fd);
	return rc;
}

static int
resume_in(void *arg, struct mr_error *error)
{
	(void)error;
	bed_resume(arg, 4);
	return 0;
}

/* Servers are asked from the namespace that is said, also when it is made anew. */
static void
test_namespace(void **state)
{
	struct bed *b = *state;
	struct bed_server *s = bed_server(b, 4, BED_SILENT, NULL);
	struct mr_health_config c = bed_config(MR_HEALTH_TCP, 4, s->port);
	char name[32], why[64];

	snprintf(name, sizeof(name), "mrlbhealth%d", (int)getpid());
	bed_stop(s); /* from now on it is there */
	snprintf(why, sizeof(why), "no network namespace %s", name);
	c.space = name;
	expect(b, &c, why);
	if (mr_namespace_create(name, NULL))
		skip();
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(mr_namespace_run(name, lo_up, NULL, NULL), 0);
		expect(b, &c, "connection refused");
		assert_int_equal(mr_namespace_run(name, resume_in, s, NULL), 0);
		for (unsigned i = 0; i < 10; i++) /* more than are kept in stock */
			expect(b, &c, "");
		c.space = NULL;
		expect(b, &c, "connection refused");
		c.space = name;
		bed_stop(s);
		assert_int_equal(mr_namespace_delete(name, NULL), 0);
		expect(b, &c, why);
		if (round == 0)
			assert_int_equal(mr_namespace_create(name, NULL), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tcp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tcp_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_http, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_http_of_bad_manners, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_udp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_icmp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rise_and_fall, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_out_within_the_interval, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_namespace, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
