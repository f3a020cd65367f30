/* SPDX-License-Identifier: Apache-2.0 */

/* Datagrams against bytes worked out by hand from sFlow version 5, and random ones against a slow
 * reader that follows the lengths only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/sflow/datagram.h"
#include "kit/packet/wire.h"

static struct datagram d;

static void
begin(uint32_t limit, unsigned agent_size)
{
	memset(&d, 0, sizeof(d));
	d.limit = limit;
	d.agent_size = agent_size;
	memcpy(d.agent, "\xa\0\0\x9", 4);
	d.sub_agent = 2;
	datagram_begin(&d);
}

static void
a_flow_sample(void **state)
{
	static const uint8_t frame[6] = { 1, 2, 3, 4, 5, 6 };
	static const uint32_t words[] = {
		5, 1, 0x0a000009, 2, 77, 1234,
		1, /* header: agent, sub-agent, sequence, uptime, samples */
		1, 112, 4, 3, 1000, 5000, 6, 3, 8, 3,        /* to the records */
		1, 24, 1, 104, 4, 6, 0x01020304, 0x05060000, /* raw header, padded */
		1001, 16, 7, 5, 7, 5,                        /* switch */
		1002, 16, 1, 0xc0000201, 24, 16,             /* router */
	};
	const struct datagram_flow f = { .sequence = 4,
		.index = 3,
		.rate = 1000,
		.pool = 5000,
		.drops = 6,
		.length = 100,
		.bytes = frame,
		.snapped = 6,
		.out = 8,
		.tagged = true,
		.vlan = 7,
		.priority = 5,
		.routed = true,
		.src_mask = 24,
		.dst_mask = 16,
		.hop = { 192, 0, 2, 1 },
		.hop_size = 4 };

	begin(1400, 4);
	assert_true(datagram_put_flow(&d, &f));
	datagram_finish(&d, 77, 1234);
	assert_int_equal(d.size, sizeof(words));
	for (unsigned i = 0; i < MR_ARRAY_COUNT(words); i++)
		assert_int_equal(mr_load_be32(d.bytes + 4 * i), words[i]);
}

static void
a_counters_sample(void **state)
{
	const struct datagram_counters c = { .sequence = 9,
		.index = 2,
		.speed = 10000000000ull,
		.enabled = true,
		.up = true,
		.rx_octets = 1ull << 40,
		.rx_packets = 5,
		.tx_octets = 6,
		.tx_packets = 7 };
	const uint32_t words[] = { 2, 168, 9, 2, 2, 1, 88, 2, 6, 2, 0x540be400, 1, 3, 256, 0, 5,
		DATAGRAM_UNKNOWN, DATAGRAM_UNKNOWN, 0, 0, DATAGRAM_UNKNOWN, 0, 6, 7,
		DATAGRAM_UNKNOWN, DATAGRAM_UNKNOWN, 0, 0, 2, 2, 52, DATAGRAM_UNKNOWN };

	begin(1400, 4);
	assert_true(datagram_put_counters(&d, &c));
	for (unsigned i = 0; i < MR_ARRAY_COUNT(words); i++)
		assert_int_equal(mr_load_be32(d.bytes + 28 + 4 * i), words[i]);
	assert_int_equal(d.size, 28 + 8 + 168);
}

/* Follows lengths; returns the samples. */
static unsigned
walk(void)
{
	unsigned at = 4 + 4 + d.agent_size + 16, samples = 0;

	while (at < d.size) {
		unsigned kind = mr_load_be32(d.bytes + at), size = mr_load_be32(d.bytes + at + 4);
		unsigned end = at + 8 + size, fixed = kind == 1 ? 32 : 12;
		unsigned records = mr_load_be32(d.bytes + at + 8 + fixed - 4);

		assert_true(end <= d.size && size % 4 == 0);
		at += 8 + fixed;
		for (; records > 0; records--)
			at += 8 + mr_load_be32(d.bytes + at + 4);
		assert_int_equal(at, end);
		samples++;
	}
	return samples;
}

static void
lengths_agree(void **state)
{
	static const uint8_t frame[256] = { 1 };

	srandom(6343);
	for (unsigned n = 0; n < 2000; n++) {
		unsigned put = 0;

		begin(DATAGRAM_MIN + (unsigned)random() % 3000, random() % 2 ? 4 : 16);
		for (;;) {
			const struct datagram_flow f = { .bytes = frame,
				.snapped = (uint32_t)random() % 257,
				.tagged = random() % 2,
				.routed = random() % 2,
				.hop_size = random() % 2 ? 4 : 16 };

			if (!(random() % 4
				    ? datagram_put_flow(&d, &f)
				    : datagram_put_counters(&d, &(struct datagram_counters){ 0 })))
				break;
			put++;
		}
		datagram_finish(&d, n, 0);
		assert_true(put > 0 && d.size <= d.limit);
		assert_int_equal(walk(), put);
		assert_int_equal(mr_load_be32(d.bytes + 20 + d.agent_size), put);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_sample),
		cmocka_unit_test(a_counters_sample),
		cmocka_unit_test(lengths_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
