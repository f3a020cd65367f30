/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_PORT_TEST_INT_H
#define MR_KIT_PORT_PORT_TEST_INT_H

/*
 * For the tests of this folder: buffers and a port in one call, and a checksum
 * written as the RFC says it, to hold the fast ones against.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/port/port.h"

#define TEST_BUFFERS 4096
#define TEST_OPTIONS 16

struct test_port {
	struct mr_buffers *buffers;
	struct mr_port *port;
	struct mr_error error;
};

static inline struct mr_buffers *
test_buffers(uint32_t count)
{
	struct mr_buffers_config config = { .count = count,
		.workers = 2,
		.pages = MR_ARENA_4K,
		.numa_node = -1 };
	struct mr_error error = { 0 };
	struct mr_buffers *b;

	if (mr_buffers_create(&b, &config, &error))
		fail_msg("%s", error.text);
	return b;
}

/* `options` are "key=value" strings, ended by a null. */
static inline int
test_try(struct mr_port **out, struct mr_buffers *buffers, const char *driver, const char *device,
    const char *const *options, unsigned queues, struct mr_error *error)
{
	struct mr_option list[TEST_OPTIONS];
	char words[TEST_OPTIONS][512];
	struct mr_port_config config = {
		.name = "p0",
		.device = device,
		.options = list,
		.index = 3,
		.rx_queues = (uint16_t)queues,
		.tx_queues = (uint16_t)queues,
		.promiscuous = true,
		.numa_node = -1,
		.buffers = buffers,
		.workers = 2,
	};
	size_t n = 0;

	for (; options && options[n]; n++) {
		char *equals;

		assert_true(n < TEST_OPTIONS);
		snprintf(words[n], sizeof(words[n]), "%s", options[n]);
		equals = strchr(words[n], '=');
		assert_non_null(equals);
		*equals = 0;
		list[n] = (struct mr_option){ .key = words[n], .value = equals + 1 };
	}
	config.option_count = n;
	return mr_port_open(out, driver, &config, error);
}

static inline struct test_port
test_open(const char *driver, const char *device, const char *const *options, unsigned queues)
{
	struct test_port t = { .buffers = test_buffers(TEST_BUFFERS) };

	if (test_try(&t.port, t.buffers, driver, device, options, queues, &t.error))
		fail_msg("%s", t.error.text);
	if (t.port->driver->start(t.port, &t.error))
		fail_msg("%s", t.error.text);
	return t;
}

/* Closes, and holds the port to its promise that every buffer came back. */
static inline void
test_close(struct test_port *t)
{
	t->port->driver->stop(t->port);
	mr_port_close(t->port);
	assert_int_equal(mr_pool_used(t->buffers->pool), 0);
	mr_buffers_destroy(t->buffers);
}

#define TEST_OPTION_LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* RFC 1071, byte by byte: 0xffff or 0 when what is summed holds a correct checksum. */
static inline uint32_t
test_sum(const uint8_t *bytes, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Whether the IPv4 header's and the TCP, UDP or ICMP checksum of a frame are right. */
static inline bool
test_checksums_right(const uint8_t *frame, size_t len)
{
	size_t at = 14, header, l4_len;
	uint32_t sum;
	uint8_t protocol;

	if (frame[12] == 0x81 && frame[13] == 0)
		at += 4;
	if (frame[at] >> 4 == 4) {
		header = (frame[at] & 15) * 4u;
		l4_len = ((size_t)frame[at + 2] << 8 | frame[at + 3]) - header;
		protocol = frame[at + 9];
		if (test_sum(frame + at, header, 0) != 0xffff || at + header + l4_len > len)
			return false;
		sum = test_sum(frame + at + 12, 8, 0);
	} else {
		header = 40;
		l4_len = (size_t)frame[at + 4] << 8 | frame[at + 5];
		protocol = frame[at + 6];
		if (at + header + l4_len > len)
			return false;
		sum = test_sum(frame + at + 8, 32, 0);
	}
	if (protocol == 1)
		sum = 0;
	else
		sum += protocol + (uint32_t)l4_len;
	return test_sum(frame + at + header, l4_len, sum) == 0xffff;
}

#endif
