/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_HEALTH_CHECK_HTTP_H
#define MR_NF_LB_HEALTH_CHECK_HTTP_H

/*
 * The reader of HTTP answers (RFC 9112) for health checks: is the status a good one, and does the
 * body hold a text? It takes bytes as they come, in pieces of any size, keeps one line and
 * nothing of the body, and stops as soon as the answer is known: at the status line when no text is
 * asked for. What it says does not depend on how the bytes were cut.
 *
 * Ownership: the wanted text and its table are the caller's, and outlive the reader.
 * Threads: none; a reader belongs to one connection.
 * Errors: verdicts. A server that sends nonsense, or too much, gets a bad one.
 */

#include "kit/base/def.h"

#define CHECK_HTTP_TEXT_MAX 255u
#define CHECK_HTTP_LINE_MAX 256u
#define CHECK_HTTP_BYTES_MAX 65536u /* of one answer: what lies behind is not looked at */

struct check_http_want {
	uint16_t status_first, status_last;
	uint16_t size; /* of the text; 0: any body will do */
	const char *text;
	uint8_t fall_back[CHECK_HTTP_TEXT_MAX]; /* Knuth, Morris, Pratt 1977 */
};

enum check_http_verdict {
	CHECK_HTTP_MORE, /* not yet known */
	CHECK_HTTP_GOOD,
	CHECK_HTTP_STATUS,    /* another status: see `status` */
	CHECK_HTTP_NO_TEXT,   /* the body ended without it */
	CHECK_HTTP_MALFORMED, /* no HTTP */
	CHECK_HTTP_TOO_LONG,
	CHECK_HTTP_ENDED, /* the server hung up before it was known */
	CHECK_HTTP_VERDICTS,
};

struct check_http {
	const struct check_http_want *want;
	uint8_t state;
	uint8_t verdict;
	bool chunked, has_length;
	uint16_t status;
	uint16_t matched; /* bytes of the text that the last of the body are */
	uint16_t line_size;
	bool line_cut; /* it was longer */
	uint32_t bytes;
	uint64_t left; /* of the body, or of the chunk */
	char line[CHECK_HTTP_LINE_MAX];
};

/* `text` null: none. Longer than CHECK_HTTP_TEXT_MAX: -E2BIG. */
int check_http_want(struct check_http_want *, uint16_t status_first, uint16_t status_last,
    const char *text);
void check_http_begin(struct check_http *, const struct check_http_want *);
/* Once there is a verdict, further bytes change nothing. */
enum check_http_verdict check_http_feed(struct check_http *, const void *bytes, size_t size);
/* The server sends no more. */
enum check_http_verdict check_http_end(struct check_http *);

#endif
