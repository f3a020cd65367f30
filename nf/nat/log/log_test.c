/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "nf/nat/log/log_int.h"
#include "nf/nat/log/whohad.h"

/* -- times and lines ---------------------------------------------------------------------- */

static void
times_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "1970-01-01T00:00:00.000Z", 0 },
		{ "2026-11-21T10:05:00.123Z", INT64_C(1795255500123) },
		{ "2026-11-21 10:05", INT64_C(1795255500000) },
		{ "2026-11-21T11:05:00.1239+01:00", INT64_C(1795255500123) },
		{ "2026-11-21T04:35:00-0530", INT64_C(1795255500000) },
		{ "2000-02-29T00:00:00Z", INT64_C(951782400000) },
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
		{ "9999-12-31T23:59:59.999Z", INT64_C(253402300799999) },
		{ "1795255500", INT64_C(1795255500000) },
		{ "1795255500.25", INT64_C(1795255500250) },
	};
	static const char *const bad[] = { "", "x", "2026", "2026-11-21", "2026-13-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T10:05:00.Z",
		"2026-11-21T10:05:00Zx", "2026-11-21T10:05:00+1", "1795255500x", "1795255500.",
		"99999999999999999999", "1969-12-31T23:59:59Z", "-5" };
	char text[NAT_TIME_SIZE];
	int64_t ms;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(good); i++) {
		if (strlen(good[i].text) < 5)
			continue;
		assert_int_equal(nat_time_parse(&ms, good[i].text, strlen(good[i].text)), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(bad); i++)
		if (strcmp(bad[i], "2026") != 0) /* a number of seconds */
			assert_int_equal(nat_time_parse(&ms, bad[i], strlen(bad[i])), -EINVAL);
	/* Every day of four hundred years and more, there and back. */
	for (int64_t day = 0; day < 150000; day++) {
		nat_time_print(day * 86400000 + 86399999, text);
		assert_int_equal(nat_time_parse(&ms, text, strlen(text)), 0);
		assert_int_equal(ms, day * 86400000 + 86399999);
	}
	nat_time_print(INT64_C(1795255500123), text);
	assert_string_equal(text, "2026-11-21T10:05:00.123Z");
	nat_time_print(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void
lines_are_read_and_written(void **state)
{
	static const char *const good[] = {
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"started\",\"nat\":\"home\"}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"block-given\",\"nat\":\"home\","
		"\"inside\":\"10.0.0.9\",\"outside\":\"203.0.113.8\",\"first\":1024,\"last\":1535}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"block-returned\",\"nat\":\"x\","
		"\"inside\":\"2001:db8::1\",\"outside\":\"203.0.113.8\",\"first\":1024,"
		"\"last\":1535,\"since\":\"2026-11-21T10:00:00.000Z\"}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"mapping-ended\",\"nat\":\"x\","
		"\"inside\":\"10.0.0.9\",\"outside\":\"203.0.113.8\",\"protocol\":\"tcp\","
		"\"inside-port\":5000,\"port\":1024,"
		"\"since\":\"2026-11-21T10:00:00.000Z\"}",
	};
	static const char *const bad[] = {
		"",
		"{",
		"{}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"started\"}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"gone\",\"nat\":\"home\"}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"started\",\"nat\":\"home\"",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"started\",\"nat\":\"home\"}}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"started\",\"nat\":\"home\","
		"\"nat\":\"other\"}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"block-given\",\"nat\":\"home\","
		"\"inside\":\"10.0.0.9\",\"outside\":\"203.0.113.8\",\"first\":1536,\"last\":1535}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"block-given\",\"nat\":\"home\","
		"\"inside\":\"10.0.0.9\",\"outside\":\"::1\",\"first\":1024,\"last\":1535}",
		"{\"time\":\"2026-11-21T10:05:00.123Z\",\"event\":\"block-given\",\"nat\":\"home\","
		"\"inside\":\"10.0.0.9\",\"outside\":\"203.0.113.8\",\"first\":1024,\"last\":"
		"65536}",
	};
	char text[NAT_LINE_MAX];
	struct nat_line l;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(good); i++) {
		assert_int_equal(nat_line_parse(&l, good[i], strlen(good[i])), 0);
		assert_int_equal(nat_line_print(&l, text), strlen(good[i]));
		assert_string_equal(text, good[i]);
		for (size_t n = 0; n < strlen(good[i]); n++)
			assert_int_equal(nat_line_parse(&l, good[i], n), -EINVAL);
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(bad); i++)
		assert_int_equal(nat_line_parse(&l, bad[i], strlen(bad[i])), -EINVAL);
	/* Members that we do not know, blanks, another order. */
	snprintf(text, sizeof(text), "{ \"more\": true, \"odd\":\"a\\\"b\", \"nat\" : \"n\",%s}",
	    "\"event\":\"stopped\" , \"time\":\"2026-11-21T10:05:00.123Z\"");
	assert_int_equal(nat_line_parse(&l, text, strlen(text)), 0);
	assert_int_equal(l.event, NAT_LINE_STOPPED);
}

/* -- the file ----------------------------------------------------------------------------- */

static char folder[64], path[96];

static void
folder_make(void)
{
	snprintf(folder, sizeof(folder), "/tmp/natlog-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/nat.log", folder);
}

/* Counts the files in it; `remove`: and removes all. */
static unsigned
folder_count(bool removing)
{
	DIR *dir = opendir(folder);
	char name[400];
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		snprintf(name, sizeof(name), "%s/%s", folder, e->d_name);
		if (removing)
			assert_int_equal(unlink(name), 0);
	}
	closedir(dir);
	if (removing)
		assert_int_equal(rmdir(folder), 0);
	return n;
}

static struct nat_event
event(enum nat_event_kind kind, uint32_t inside, uint32_t block, uint32_t now, uint32_t since)
{
	struct nat_event e = { .kind = kind,
		.address = mr_be32(0xcb007108u + block / 100),
		.first = (uint16_t)(1024 + block % 100 * 64),
		.now = now,
		.since = since };
	be32_t a = mr_be32(0x0a000000u + inside);

	e.last = (uint16_t)(e.first + 63);
	memcpy(e.inside, &a, 4);
	return e;
}

static unsigned
ask(be32_t address, uint16_t port, int64_t from, int64_t to,
    void (*answer)(void *arg, const struct nat_whohad_answer *), void *arg)
{
	struct nat_whohad_question q = { .address = address, .port = port, .from = from, .to = to };
	struct nat_whohad *w;
	struct mr_error error;
	unsigned n;

	assert_int_equal(nat_whohad_create(&w, &error), 0);
	nat_whohad_only(w, address);
	assert_int_equal(nat_whohad_read(w, path, &error), 0);
	nat_whohad_seal(w);
	n = nat_whohad_find(w, &q, answer, arg);
	nat_whohad_destroy(w);
	return n;
}

static void
keep(void *arg, const struct nat_whohad_answer *a)
{
	*(struct nat_whohad_answer *)arg = *a;
}

struct holding {
	unsigned count;
};

static void
tell_held(void *arg, struct nat_log *log)
{
	const struct holding *h = arg;

	for (unsigned i = 0; i < h->count; i++) {
		struct nat_event e = event(NAT_BLOCK_GIVEN, i, i, 0, 40);

		nat_log_held(log, 3, &e, 100);
	}
}

/* Files follow each other, and each says what is held. */
static void
files_are_turned(void **state)
{
	struct holding held = { 20 };
	struct nat_log_config c = { .path = path,
		.size = 20000,
		.keep = 3,
		.held = tell_held,
		.arg = &held };
	struct nat_whohad_answer a;
	struct nat_log_state s;
	struct nat_log *log;
	struct mr_error error;
	struct nat_event e;
	int64_t now;

	folder_make();
	assert_int_equal(nat_log_create(&log, &c, &error), 0);
	nat_log_name(log, 3, "ho\"me");
	nat_log_mark(log, 3, true);
	for (unsigned i = 0; i < 20; i++) {
		e = event(NAT_BLOCK_GIVEN, i, i, 40, 40);
		assert_true(nat_log_block(log, 3, &e));
	}
	/* Enough for more files than are kept, slowly, for they are named by time. */
	for (unsigned round = 0; round < 8; round++) {
		for (unsigned i = 0; i < 100; i++) {
			e = event(i % 2 ? NAT_BLOCK_RETURNED : NAT_BLOCK_GIVEN, 500, 300 + round,
			    100, 90);
			assert_true(nat_log_block(log, 3, &e));
		}
		usleep(10000);
		(void)nat_log_write(log, UINT32_MAX);
	}
	nat_log_state(log, &s);
	assert_int_equal(s.written - s.files * 20, 821);
	assert_true(s.files >= 6);
	assert_int_equal(s.lost, 0);
	assert_int_equal(folder_count(false), 4);
	now = (int64_t)time(NULL) * 1000;
	/* Given in a file that is gone. */
	e = event(NAT_BLOCK_GIVEN, 7, 7, 0, 0);
	assert_int_equal(ask(e.address, e.last, now, now, keep, &a), 1);
	assert_memory_equal(a.inside, e.inside, 4);
	assert_int_equal(a.to, NAT_WHOHAD_NOW);
	assert_true(a.from < now - 55000 && a.from > now - 65000);
	assert_int_equal(ask(e.address, e.last, now - 70000, now - 70000, keep, &a), 0);
	/* One that ended. */
	e = event(NAT_BLOCK_RETURNED, 7, 7, 200, 40);
	assert_true(nat_log_block(log, 3, &e));
	nat_log_destroy(log);
	assert_int_equal(ask(e.address, e.last, now - 5000, now - 5000, keep, &a), 1);
	assert_in_range(a.to, now - 1000, now + 5000);
	assert_int_equal(ask(e.address, e.last, now + 10000, now + 10000, keep, &a), 0);
	folder_count(true);
}

/* A ring that is full loses, and counts; a file that cannot be written waits. */
static void
what_cannot_be_written_waits(void **state)
{
	struct nat_log_config c = { .path = path, .ring = 64, .size = 3000 };
	struct nat_event e = event(NAT_BLOCK_GIVEN, 1, 1, 5, 5);
	struct nat_log_state s;
	struct nat_log *log;
	struct mr_error error;
	unsigned lost = 0;

	folder_make();
	assert_int_equal(nat_log_create(&log, &c, &error), 0);
	for (unsigned i = 0; i < 200; i++)
		lost += !nat_log_block(log, 0, &e);
	nat_log_state(log, &s);
	assert_int_equal(s.lost, lost);
	assert_in_range(lost, 50, 150);
	assert_int_equal(s.waiting, 200 - lost);
	assert_int_equal(nat_log_write(log, UINT32_MAX), 200 - lost);
	assert_true(nat_log_block(log, 0, &e));
	assert_int_equal(nat_log_write(log, UINT32_MAX), 1);
	/* Its folder is gone: it cannot be written. */
	folder_count(true);
	for (unsigned i = 0; i < 30; i++)
		(void)nat_log_block(log, 0, &e);
	(void)nat_log_write(log, UINT32_MAX);
	nat_log_state(log, &s);
	assert_true(s.errors > 0);
	assert_true(s.error[0] != '\0');
	assert_int_equal(mkdir(folder, 0700), 0);
	for (unsigned i = 0; i < 3; i++)
		(void)nat_log_write(log, UINT32_MAX);
	nat_log_state(log, &s);
	assert_int_equal(s.error[0], '\0');
	assert_int_equal(s.waiting, 0);
	nat_log_destroy(log);
	assert_true(folder_count(true) >= 1);
	snprintf(path, sizeof(path), "/nonexistent/nat.log");
	assert_int_equal(nat_log_create(&log, &c, &error), -ENOENT);
}

/* -- syslog ------------------------------------------------------------------------------- */

static void
lines_go_to_syslog(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = mr_be32(0x7f000001) };
	socklen_t len = sizeof(at);
	struct nat_log_config c = { .syslog = mr_be32(0x7f000001) };
	struct nat_log_mapping mapping = { .kind = NAT_LOG_MAPPING_ENDED,
		.protocol = 17,
		.outside = mr_be32(0xcb007108),
		.outside_port = mr_be16(1234),
		.inside_port = mr_be16(53),
		.inside = { 10, 0, 0, 1 },
		.age = 7 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct nat_log *log;
	struct mr_error error;
	struct nat_line l;
	char message[1000], *json;
	ssize_t n;

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	c.syslog_port = at.sin_port;
	assert_int_equal(nat_log_create(&log, &c, &error), 0);
	nat_log_name(log, 1, "isp");
	assert_true(nat_log_mapping(log, 1, &mapping));
	assert_int_equal(nat_log_write(log, UINT32_MAX), 1);
	n = recv(fd, message, sizeof(message) - 1, 0);
	assert_true(n > 0);
	message[n] = '\0';
	assert_memory_equal(message, "<134>1 2", 8);
	json = strchr(message, '{');
	assert_non_null(json);
	assert_non_null(strstr(message, " millrace - nat - {"));
	assert_int_equal(nat_line_parse(&l, json, strlen(json)), 0);
	assert_string_equal(l.nat, "isp");
	assert_int_equal(l.first, 1234);
	assert_int_equal(l.inside_port, 53);
	assert_int_equal(l.protocol, 17);
	assert_int_equal(l.time - l.since, 7000);
	nat_log_destroy(log);
	close(fd);
}

/* -- several threads ---------------------------------------------------------------------- */

static struct nat_log *shared;

static void *
put_many(void *arg)
{
	unsigned *put = arg;

	for (unsigned i = 0; i < 20000; i++) {
		struct nat_event e = event(NAT_BLOCK_GIVEN, i, i % 500, 5, 5);

		*put += nat_log_block(shared, 2, &e);
	}
	return NULL;
}

static void
threads_put_whole_events(void **state)
{
	struct nat_log_config c = { .path = path, .ring = 1024 };
	unsigned put[3] = { 0 };
	struct nat_log_state s;
	pthread_t threads[3];
	struct mr_error error;
	char line[2000];
	uint64_t lines = 0;
	FILE *f;

	folder_make();
	assert_int_equal(nat_log_create(&shared, &c, &error), 0);
	nat_log_name(shared, 2, "two");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, &put[i]), 0);
	for (unsigned i = 0; i < 50; i++) {
		(void)nat_log_write(shared, 1000);
		usleep(200);
	}
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	(void)nat_log_write(shared, UINT32_MAX);
	nat_log_state(shared, &s);
	assert_int_equal(s.written, put[0] + put[1] + put[2]);
	assert_int_equal(s.written + s.lost, 60000);
	nat_log_destroy(shared);
	f = fopen(path, "r");
	while (fgets(line, sizeof(line), f)) {
		struct nat_line l;

		assert_int_equal(nat_line_parse(&l, line, strlen(line) - 1), 0);
		assert_int_equal(l.last - l.first, 63);
		assert_string_equal(l.nat, "two");
		lines++;
	}
	fclose(f);
	assert_int_equal(lines, s.written);
	folder_count(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_and_written),
		cmocka_unit_test(lines_are_read_and_written),
		cmocka_unit_test(files_are_turned),
		cmocka_unit_test(what_cannot_be_written_waits),
		cmocka_unit_test(lines_go_to_syslog),
		cmocka_unit_test(threads_put_whole_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
