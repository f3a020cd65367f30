/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP answers, whole and cut in every way. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nf/lb/health/check_http.h"

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *answer, *text; /* text: wanted in the body; null: any */
	enum check_http_verdict verdict;
} cases[] = {
	{ OK, NULL, CHECK_HTTP_GOOD },
	{ "HTTP/1.0 204\n", NULL, CHECK_HTTP_GOOD },
	{ "HTTP/1.1 301 Moved\r\n", NULL, CHECK_HTTP_GOOD },
	{ "HTTP/1.1 404 Not Found\r\n", NULL, CHECK_HTTP_STATUS },
	{ "HTTP/1.1 101 Switching\r\n", NULL, CHECK_HTTP_STATUS },
	{ "HTTP/1.1 503 \r\n", "x", CHECK_HTTP_STATUS },
	{ "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" OK, NULL, CHECK_HTTP_GOOD },
	{ "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 500 \r\n", NULL, CHECK_HTTP_STATUS },
	{ "HTTP/1.1 200", NULL, CHECK_HTTP_ENDED },
	{ "", NULL, CHECK_HTTP_ENDED },
	{ "\r\n", NULL, CHECK_HTTP_MALFORMED },
	{ "HTTP/2 200 OK\r\n", NULL, CHECK_HTTP_MALFORMED },
	{ "HTTP/1.2 200 OK\r\n", NULL, CHECK_HTTP_MALFORMED },
	{ "HTTP/1.1 2000 OK\r\n", NULL, CHECK_HTTP_MALFORMED },
	{ "HTTP/1.1 20 OK\r\n", NULL, CHECK_HTTP_MALFORMED },
	{ "HTTP/1.1 099 OK\r\n", NULL, CHECK_HTTP_MALFORMED },
	{ "HTTP/1.1  200 OK\r\n", NULL, CHECK_HTTP_MALFORMED },
	{ "<html>hello</html>\n", NULL, CHECK_HTTP_MALFORMED },
	/* Bodies that end with the connection. */
	{ OK "\r\nyes", "yes", CHECK_HTTP_GOOD },
	{ OK "\r\nye", "yes", CHECK_HTTP_NO_TEXT },
	{ OK "X: yes\r\n\r\n", "yes", CHECK_HTTP_NO_TEXT },
	{ OK "X: yes\r\n", "yes", CHECK_HTTP_ENDED },
	{ OK "\r\naabaabaaab", "aabaaab", CHECK_HTTP_GOOD },
	{ OK "\r\nababab_abababc", "abababc", CHECK_HTTP_GOOD },
	{ OK "\nbare line feeds", "line", CHECK_HTTP_GOOD },
	/* Of a length that is said. */
	{ OK "Content-Length: 3\r\n\r\nyes", "yes", CHECK_HTTP_GOOD },
	{ OK "content-length:3 \r\n\r\nyesyes", "syes", CHECK_HTTP_NO_TEXT },
	{ OK "Content-Length: 2\r\n\r\nyes", "yes", CHECK_HTTP_NO_TEXT },
	{ OK "Content-Length: 0\r\n\r\nyes", "yes", CHECK_HTTP_NO_TEXT },
	{ OK "Content-Length: 9\r\n\r\nno", "yes", CHECK_HTTP_ENDED },
	{ OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nyes", "yes", CHECK_HTTP_GOOD },
	{ OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nyes", "yes", CHECK_HTTP_MALFORMED },
	{ OK "Content-Length: -3\r\n\r\nyes", "yes", CHECK_HTTP_MALFORMED },
	{ OK "Content-Length: 3x\r\n\r\nyes", "yes", CHECK_HTTP_MALFORMED },
	{ OK "Content-Length: \r\n\r\nyes", "yes", CHECK_HTTP_MALFORMED },
	{ OK "Content-Length: 99999999999999999999999\r\n\r\nyes", "yes", CHECK_HTTP_MALFORMED },
	{ OK "Content-Lengthy: 1\r\n\r\nyes", "yes", CHECK_HTTP_GOOD },
	{ "HTTP/1.1 204 \r\n\r\nyes", "yes", CHECK_HTTP_NO_TEXT },
	/* In chunks: the text may be cut by one. */
	{ OK "Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n", "yes", CHECK_HTTP_GOOD },
	{ OK "Transfer-Encoding: chunked\r\n\r\n2\r\nye\r\n1;a=b\r\ns\r\n", "yes",
	    CHECK_HTTP_GOOD },
	{ OK "transfer-encoding: Chunked\r\n\r\n00A\r\n0123456789\r\n0\r\n\r\n", "89\r",
	    CHECK_HTTP_NO_TEXT },
	{ OK "Transfer-Encoding: chunked\r\n\r\n2\r\nyes\r\n", "yes", CHECK_HTTP_MALFORMED },
	{ OK "Transfer-Encoding: chunked\r\n\r\nyes\r\n", "yes", CHECK_HTTP_MALFORMED },
	{ OK "Transfer-Encoding: chunked\r\n\r\n\r\n", "yes", CHECK_HTTP_MALFORMED },
	{ OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "yes",
	    CHECK_HTTP_MALFORMED },
	{ OK "Transfer-Encoding: chunked\r\n\r\n5\r\nno", "yes", CHECK_HTTP_ENDED },
	{ OK "Transfer-Encoding: gzip\r\n\r\nyes", "yes", CHECK_HTTP_MALFORMED },
};

static enum check_http_verdict
read_in_pieces(const struct check_http_want *w, const char *bytes, size_t size, size_t piece)
{
	struct check_http h;

	check_http_begin(&h, w);
	while (size) {
		/* In memory of its own, so that a sanitizer sees a read too far. */
		size_t n = MR_MIN(piece, size);
		char *copy = malloc(n);

		assert_non_null(copy);
		memcpy(copy, bytes, n);
		check_http_feed(&h, copy, n);
		free(copy);
		bytes += n;
		size -= n;
	}
	return check_http_end(&h);
}

static void
test_answers(void **state)
{
	struct check_http_want w;

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		size_t size = strlen(cases[i].answer);

		assert_int_equal(check_http_want(&w, 200, 399, cases[i].text), 0);
		for (size_t piece = 1; piece <= size + 1; piece++)
			if (read_in_pieces(&w, cases[i].answer, size, piece) != cases[i].verdict)
				fail_msg("case %u in pieces of %zu: %d", i, piece,
				    read_in_pieces(&w, cases[i].answer, size, piece));
	}
}

/* Lines and answers without end. */
static void
test_too_much(void **state)
{
	static char bytes[2 * CHECK_HTTP_BYTES_MAX];
	struct check_http_want w;
	struct check_http h;
	size_t head;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(check_http_want(&w, 200, 299, "y"), 0);
	/* A status line must be one early. */
	check_http_begin(&h, &w);
	assert_int_equal(check_http_feed(&h, bytes, CHECK_HTTP_LINE_MAX + 1), CHECK_HTTP_MALFORMED);
	/* A field may be long, a body longer, up to a bound. */
	memcpy(bytes, OK, strlen(OK));
	head = CHECK_HTTP_LINE_MAX * 3;
	memcpy(bytes + head, "\r\n\r\n", 4);
	assert_int_equal(read_in_pieces(&w, bytes, sizeof(bytes), 1000), CHECK_HTTP_TOO_LONG);
	bytes[CHECK_HTTP_BYTES_MAX - 1] = 'y';
	assert_int_equal(read_in_pieces(&w, bytes, sizeof(bytes), 1000), CHECK_HTTP_GOOD);
	bytes[CHECK_HTTP_BYTES_MAX - 1] = 'x';
	bytes[CHECK_HTTP_BYTES_MAX] = 'y';
	assert_int_equal(read_in_pieces(&w, bytes, sizeof(bytes), 1000), CHECK_HTTP_TOO_LONG);
	/* A field that says how long the body is must fit, though. */
	memcpy(bytes + strlen(OK), "Content-Length: ", 16);
	assert_int_equal(read_in_pieces(&w, bytes, sizeof(bytes), 1000), CHECK_HTTP_MALFORMED);
}

static void
test_text_too_long(void **state)
{
	char text[CHECK_HTTP_TEXT_MAX + 2] = "";
	struct check_http_want w;

	(void)state;
	memset(text, 'a', CHECK_HTTP_TEXT_MAX);
	assert_int_equal(check_http_want(&w, 200, 200, text), 0);
	text[CHECK_HTTP_TEXT_MAX] = 'a';
	assert_int_equal(check_http_want(&w, 200, 200, text), -E2BIG);
}

/* Random texts of two letters in random bodies, beside strstr. */
static void
test_search(void **state)
{
	char answer[256], text[12];
	unsigned found = 0;

	(void)state;
	srand(7);
	for (unsigned i = 0; i < 20000; i++) {
		size_t head = strlen(OK "\r\n"), body = (size_t)rand() % 60;
		size_t size = 1 + (size_t)rand() % (sizeof(text) - 1);
		struct check_http_want w;
		bool there;

		memcpy(answer, OK "\r\n", head);
		for (size_t k = 0; k < body; k++)
			answer[head + k] = rand() % 3 ? 'a' : 'b';
		answer[head + body] = 0;
		for (size_t k = 0; k < size; k++)
			text[k] = rand() % 3 ? 'a' : 'b';
		text[size - (size > 1)] = 0;
		text[sizeof(text) - 1] = 0;
		there = strstr(answer + head, text) != NULL;
		found += there;
		assert_int_equal(check_http_want(&w, 200, 200, text), 0);
		if (text[0])
			assert_int_equal(
			    read_in_pieces(&w, answer, head + body, 1 + (size_t)rand() % 9),
			    there ? CHECK_HTTP_GOOD : CHECK_HTTP_NO_TEXT);
	}
	assert_in_range(found, 2000, 18000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_text_too_long),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
