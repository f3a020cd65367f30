/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct caught {
	enum mr_log_level level;
	unsigned lines;
	char line[MR_LOG_LINE_MAX];
};

static void
catch_line(void *user, enum mr_log_level level, const char *line, size_t len)
{
	struct caught *c = user;

	assert_int_equal(strlen(line), len);
	assert_true(len < MR_LOG_LINE_MAX);
	c->level = level;
	c->lines++;
	memcpy(c->line, line, len + 1);
}

static void
test_levels(void **state)
{
	struct caught c = { 0 };
	struct mr_log log = { catch_line, &c, MR_LOG_NOTICE };
	int i;

	mr_log(NULL, MR_LOG_ERROR, "nobody listens");
	errno = ENOENT;
	mr_log(&log, MR_LOG_ERROR, "port %s", "lan1");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(c.line, "port lan1");
	assert_int_equal(c.level, MR_LOG_ERROR);
	mr_log(&log, MR_LOG_INFO, "not shown");
	assert_int_equal(c.lines, 1);
	mr_log_set_level(&log, MR_LOG_DEBUG);
	mr_log(&log, MR_LOG_DEBUG, "shown");
	assert_int_equal(c.lines, 2);
	for (i = MR_LOG_ERROR; i <= MR_LOG_DEBUG; i++)
		assert_int_equal(mr_log_level_parse(mr_log_level_name(i)), i);
	assert_int_equal(mr_log_level_parse("loud"), -1);
	assert_null(mr_log_level_name(MR_LOG_DEBUG + 1));
}

/* What an outsider put into a name cannot forge a line or drive the terminal. */
static void
test_clean(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "plain", "plain" },
		{ "two\nlines", "two\\x0alines" },
		{ "\x1b[2J", "\\x1b[2J" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8e",
		    "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8e" },
		{ "\xc3", "\\xc3" },          /* cut short */
		{ "\xc0\xaf", "\\xc0\\xaf" }, /* overlong */
		{ "\xc2\x9b"
		  "31m",
		    "\\xc2\\x9b31m" },                 /* C1 control sequence introducer */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\x7f", "\\x7f" },
	};
	struct caught c = { 0 };
	struct mr_log log = { catch_line, &c, MR_LOG_NOTICE };
	char raw[4001];
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(table); i++) {
		mr_log(&log, MR_LOG_NOTICE, "%s", table[i].in);
		assert_string_equal(c.line, table[i].out);
	}
	memset(raw, 'x', 4000);
	raw[4000] = 0;
	mr_log(&log, MR_LOG_NOTICE, "%s", raw);
	assert_int_equal(strlen(c.line), MR_LOG_LINE_MAX - 1);
	assert_string_equal(c.line + strlen(c.line) - 4, "x...");
	memset(raw, '\n', 4000); /* the worst growth */
	mr_log(&log, MR_LOG_NOTICE, "%s", raw);
	assert_string_equal(c.line + strlen(c.line) - 4, "a...");
}

struct talker {
	struct mr_log *log;
	unsigned number;
};

static void *
talk(void *arg)
{
	struct talker *t = arg;
	unsigned i;

	for (i = 0; i < 200; i++)
		mr_log(t->log, MR_LOG_NOTICE, "talker %u says %u and ends", t->number, i);
	return NULL;
}

/* Two threads on one file: no line is torn, none is lost. */
static void
test_file(void **state)
{
	pthread_t threads[2];
	struct talker talkers[2];
	char line[256], level[32];
	unsigned i, lines = 0, who, what;
	struct mr_log log;
	FILE *f = tmpfile();
	int end;

	assert_non_null(f);
	mr_log_init_fd(&log, fileno(f), MR_LOG_NOTICE);
	for (i = 0; i < 2; i++) {
		talkers[i] = (struct talker){ &log, i };
		assert_int_equal(pthread_create(&threads[i], NULL, talk, &talkers[i]), 0);
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		end = 0;
		assert_int_equal(sscanf(line,
				     "20%*2u-%*2u-%*2uT%*2u:%*2u:%*2u.%*3uZ %31[a-z]: "
				     "talker %u says %u and ends%n",
				     level, &who, &what, &end),
		    3);
		assert_int_equal(line[end], '\n');
		assert_string_equal(level, "notice");
		lines++;
	}
	assert_int_equal(lines, 400);
	fclose(f);
}

static void
test_journal(void **state)
{
	char line[256], stream[64];
	struct mr_log log;
	struct stat st;
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	mr_log_init_fd(&log, fileno(f), MR_LOG_INFO);
	mr_log(&log, MR_LOG_WARNING, "slow");
	mr_log(&log, MR_LOG_INFO, "fine");
	setenv("JOURNAL_STREAM", "1:1", 1);
	mr_log_init_fd(&log, fileno(f), MR_LOG_INFO);
	mr_log(&log, MR_LOG_INFO, "dated");
	unsetenv("JOURNAL_STREAM");
	rewind(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "<4>slow\n");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "<6>fine\n");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_non_null(strstr(line, "Z info: dated\n"));
	fclose(f);
}

static void
test_limit(void **state)
{
	struct mr_log_limit limit = { .interval_ns = 1000, .burst = 3 };
	uint64_t now = 50000;
	uint32_t held = 9;
	unsigned i, passed = 0;

	for (i = 0; i < 10; i++)
		passed += mr_log_allow(&limit, now, &held);
	assert_int_equal(passed, 3);
	assert_int_equal(held, 0);
	assert_false(mr_log_allow(&limit, now + 999, &held));
	assert_true(mr_log_allow(&limit, now + 1000, &held));
	assert_int_equal(held, 8);
	assert_false(mr_log_allow(&limit, now + 1000, NULL));
	now += 1000000; /* a long pause refills the burst, and no more */
	for (i = passed = 0; i < 10; i++)
		passed += mr_log_allow(&limit, now, NULL);
	assert_int_equal(passed, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
