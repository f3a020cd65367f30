/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_LOG_LOG_LINE_H
#define MR_NF_NAT_LOG_LOG_LINE_H

/*
 * A line of the translation log: one flat JSON object, members in any order, unknown ones passed
 * over. What is written:
 *
 *	{"time":"2026-11-21T10:05:00.123Z","event":"block-given","nat":"home",
 *	 "inside":"10.0.0.9","outside":"203.0.113.8","first":1024,"last":1535}
 *
 *	event      more members
 *	started    (nothing before it is held any more)
 *	stopped
 *	block-given block-held
 *	block-returned     since
 *	mapping-begun      protocol, inside-port, port instead of first and last
 *	mapping-ended      likewise, and since
 *
 *	deterministic      not in logs: a running daemon's answer (RFC 7422), at any time
 *
 * block-held tells of a block that was given earlier, at the beginning of a file; it has `since` too.
 * Destinations are not written (RFC 6888 REQ-12).
 *
 * Ownership: values. Threads: none.
 * Errors: -EINVAL: not such a line. Every read is bounded by the length given.
 */

#include "kit/base/error.h"

#define NAT_LINE_MAX 512u
#define NAT_LINE_NAME_MAX 64u

/* X(constant, name) */
#define NAT_LINE_EVENTS(X) \
	X(STARTED, "started") \
	X(STOPPED, "stopped") \
	X(BLOCK_GIVEN, "block-given") \
	X(BLOCK_HELD, "block-held") \
	X(BLOCK_RETURNED, "block-returned") \
	X(DETERMINISTIC, "deterministic") \
	X(MAPPING_BEGUN, "mapping-begun") \
	X(MAPPING_ENDED, "mapping-ended")

/* clang-format off */
enum nat_line_event {
#define X(id, name) NAT_LINE_##id,
	NAT_LINE_EVENTS(X)
#undef X
	NAT_LINE_EVENT_COUNT,
};
/* clang-format on */

struct nat_line {
	enum nat_line_event event;
	int64_t time;  /* milliseconds since 1970 */
	int64_t since; /* likewise; 0: not said */
	char nat[NAT_LINE_NAME_MAX];
	bool six;
	uint8_t inside[16]; /* IPv4: the first four bytes */
	be32_t outside;
	uint16_t first, last; /* outside ports; of a mapping the same */
	uint8_t protocol;     /* of a mapping, as in IP */
	uint16_t inside_port;
};

/* Without the newline; the length. `text` has NAT_LINE_MAX bytes. */
size_t nat_line_print(const struct nat_line *, char *text);
int nat_line_parse(struct nat_line *, const char *text, size_t len);

/* "2026-11-21T10:05:00.123Z": 24 bytes and a zero. */
#define NAT_TIME_SIZE 25
void nat_time_print(int64_t ms, char text[NAT_TIME_SIZE]);
/* The same with or without fraction; a blank for T; Z, an offset (+01:00), or nothing (UTC); a number
 * is seconds since 1970. */
int nat_time_parse(int64_t *ms, const char *text, size_t len);

/* "tcp" ...; the number as text for others. */
void nat_protocol_print(uint8_t, char text[8]);
/* Its inverse; -1. */
int nat_protocol_parse(const char *text, size_t len);

#endif
