/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/port_test_int.h"

#include "kit/packet/checksum.h"

/* A port that can nothing but what a test gives it. */
static struct test_port
open_with(uint32_t caps)
{
	struct test_port t = test_open("null", NULL, NULL, 1);

	t.port->caps = caps;
	return t;
}

/* TCP over IPv4 with `payload` bytes, its checksum left to the device. */
static uint32_t
tcp_packet(struct mr_buffers *b, unsigned payload, bool unfinished)
{
	static uint8_t f[70000];
	unsigned len = 14 + 20 + 20 + payload, i;
	struct mr_packet *p;
	uint32_t handle, sum;

	memset(f, 0, 54);
	memcpy(f, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0\x45", 15);
	f[16] = (uint8_t)((len - 14) >> 8);
	f[17] = (uint8_t)(len - 14);
	f[22] = 64;
	f[23] = 6;
	memcpy(f + 26, "\x0a\0\0\x01\x0a\0\0\x02", 8);
	sum = ~test_sum(f + 14, 20, 0);
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	memcpy(f + 34, "\x10\0\x20\0\0\0\0\x07\0\0\0\0\x50\x10\xff\xff", 16);
	for (i = 0; i < payload; i++)
		f[54 + i] = (uint8_t)(i * 13 + (i >> 8));
	sum = test_sum(f + 26, 8, 6 + 20 + payload);
	if (!unfinished)
		sum = ~test_sum(f + 34, 20 + payload, sum);
	f[50] = (uint8_t)(sum >> 8);
	f[51] = (uint8_t)sum;
	handle = mr_packet_from(b, 0, f, len);
	assert_int_not_equal(handle, MR_PACKET_NONE);
	p = mr_packet_at(b->base, handle);
	if (unfinished) {
		p->flags = MR_PACKET_CSUM_PARTIAL;
		p->csum_start = 34;
		p->csum_offset = 16;
	}
	return handle;
}

static bool
whole_and_right(struct mr_buffers *b, uint32_t handle)
{
	static uint8_t f[70000];
	size_t len = mr_packet_read(b, handle, 0, f, sizeof(f));

	return len == mr_packet_at(b->base, handle)->total && test_checksums_right(f, len);
}

/* Nothing to do: the same handles, in order. */
static void
test_nothing(void **state)
{
	struct test_port t = open_with(0);
	unsigned i, consumed, failed = 0;
	uint32_t in[8], out[8];

	for (i = 0; i < 8; i++)
		in[i] = tcp_packet(t.buffers, i, false);
	assert_int_equal(mr_port_settle(t.port, 0, in, 8, &consumed, out, 8, NULL, &failed), 8);
	assert_int_equal(consumed, 8);
	assert_int_equal(failed, 0);
	assert_memory_equal(in, out, sizeof(in));
	mr_packets_free(t.buffers, 0, out, 8);
	test_close(&t);
}

static void
test_checksum(void **state)
{
	struct test_port t = open_with(MR_PORT_TX_CHAIN);
	unsigned i, consumed, failed = 0, n;
	uint32_t in[4], out[8];

	for (i = 0; i < 4; i++) /* odd, even, a chain */
		in[i] = tcp_packet(t.buffers, 101 + i * 1001, true);
	n = mr_port_settle(t.port, 0, in, 4, &consumed, out, 8, NULL, &failed);
	assert_int_equal(n, 4);
	assert_int_equal(consumed, 4);
	for (i = 0; i < 4; i++) {
		assert_true(whole_and_right(t.buffers, out[i]));
		assert_int_equal(mr_packet_at(t.buffers->base, out[i])->flags & MR_PACKET_TX_WORK,
		    0);
	}
	mr_packets_free(t.buffers, 0, out, n);
	/* Who can do it gets it as it was. */
	t.port->caps |= MR_PORT_TX_CSUM;
	in[0] = tcp_packet(t.buffers, 100, true);
	assert_int_equal(mr_port_settle(t.port, 0, in, 1, &consumed, out, 8, NULL, &failed), 1);
	assert_int_equal(mr_packet_at(t.buffers->base, out[0])->flags, MR_PACKET_CSUM_PARTIAL);
	assert_false(whole_and_right(t.buffers, out[0]));
	mr_packets_free(t.buffers, 0, out, 1);
	assert_int_equal(failed, 0);
	test_close(&t);
}

/* Super-frames: pieces that add up, also when `out` fills in between. */
static void
test_super_frames(void **state)
{
	struct test_port t = open_with(0);
	unsigned consumed, failed = 0, n, i, at = 0, pieces = 0, bytes = 0, rounds;
	uint32_t in[4], out[12];
	uint8_t f[2000];

	in[0] = tcp_packet(t.buffers, 10, false);
	in[1] = tcp_packet(t.buffers, 9999, true);
	in[2] = tcp_packet(t.buffers, 11000, true);
	in[3] = tcp_packet(t.buffers, 100, true);
	for (i = 1; i < 4; i++) {
		mr_packet_at(t.buffers->base, in[i])->flags |= MR_PACKET_GSO_TCP4;
		mr_packet_at(t.buffers->base, in[i])->gso_size = 1000;
	}
	for (rounds = 0; at < 4; rounds++) {
		assert_true(rounds < 4);
		n = mr_port_settle(t.port, 0, in + at, 4 - at, &consumed, out, 12, NULL, &failed);
		assert_true(consumed > 0);
		at += consumed;
		pieces += n;
		for (i = 0; i < n; i++) {
			struct mr_packet *p = mr_packet_at(t.buffers->base, out[i]);

			assert_int_equal(p->segments, 1);
			assert_int_equal(p->flags & MR_PACKET_TX_WORK, 0);
			assert_true(p->total <= 1054);
			assert_true(whole_and_right(t.buffers, out[i]));
			mr_packet_read(t.buffers, out[i], 0, f, sizeof(f));
			bytes += p->total - 54;
		}
		mr_packets_free(t.buffers, 0, out, n);
	}
	assert_int_equal(rounds, 2); /* 1 + 10 fit, the next 11 wait, then 11 + 1 */
	assert_int_equal(pieces, 1 + 10 + 11 + 1);
	assert_int_equal(bytes, 10 + 9999 + 11000 + 100);
	assert_int_equal(failed, 0);
	/* Checksums left to a device that finishes them. */
	t.port->caps = MR_PORT_TX_CSUM;
	in[0] = tcp_packet(t.buffers, 3000, true);
	mr_packet_at(t.buffers->base, in[0])->flags |= MR_PACKET_GSO_TCP4;
	n = mr_port_settle(t.port, 0, in, 1, &consumed, out, 12, NULL, &failed);
	assert_int_equal(n, 3); /* no gso_size: as the MTU of 1500 wants, 1460 each */
	for (i = 0; i < n; i++) {
		struct mr_packet *p = mr_packet_at(t.buffers->base, out[i]);

		assert_int_equal(p->flags, MR_PACKET_CSUM_PARTIAL);
		assert_true(p->total <= 1514);
		assert_int_equal(mr_checksum_complete(t.buffers, out[i]), 0);
		assert_true(whole_and_right(t.buffers, out[i]));
	}
	mr_packets_free(t.buffers, 0, out, n);
	test_close(&t);
}

/* What cannot be settled is freed and counted, and holds nobody up. */
static void
test_failures(void **state)
{
	struct test_port t = open_with(0);
	unsigned consumed, failed = 0, n, i;
	static uint8_t junk[5000];
	uint32_t in[6], out[4];

	in[0] = tcp_packet(t.buffers, 4000, false); /* a chain that no buffer can hold */
	in[1] = tcp_packet(t.buffers, 10, true);
	mr_packet_at(t.buffers->base, in[1])->csum_start = 60000;
	in[2] = mr_packet_from(t.buffers, 0, junk, sizeof(junk));
	mr_packet_at(t.buffers->base, in[2])->flags = MR_PACKET_GSO_TCP4;
	in[3] = tcp_packet(t.buffers, 50000, true); /* more pieces than `out` will ever hold */
	mr_packet_at(t.buffers->base, in[3])->flags |= MR_PACKET_GSO_TCP4;
	mr_packet_at(t.buffers->base, in[3])->gso_size = 100;
	in[4] = tcp_packet(t.buffers, 1800, false); /* a chain that fits one buffer */
	in[5] = tcp_packet(t.buffers, 5, false);
	assert_int_equal(mr_packet_at(t.buffers->base, in[4])->segments, 2);
	n = mr_port_settle(t.port, 0, in, 6, &consumed, out, 4, NULL, &failed);
	assert_int_equal(consumed, 6);
	assert_int_equal(failed, 4);
	assert_int_equal(n, 2);
	for (i = 0; i < n; i++) {
		assert_int_equal(mr_packet_at(t.buffers->base, out[i])->segments, 1);
		assert_true(whole_and_right(t.buffers, out[i]));
	}
	mr_packets_free(t.buffers, 0, out, n);
	test_close(&t);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_super_frames),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
