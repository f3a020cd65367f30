/* SPDX-License-Identifier: Apache-2.0 */
/* ip4-options (RFC 791 3.1, RFC 1812 4.2.2, 5.2.4, 5.3.13, RFC 2113) and icmp-echo (RFC 792,
 * 1122 3.2.2.6, 1812 4.3.3.6, 4443 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "nf/icmp/icmp_test_int.h"

#define A6(...) ((const uint8_t[16]){ __VA_ARGS__ })
#define HOST6 A6(0x20, 1, 0xd, 0xb8, 0, 0, [15] = 5)
#define OUR6 A6(0x20, 1, 0xd, 0xb8, 0, 0, [15] = 1)
#define LL6 A6(0xfe, 0x80, [15] = 0x77)
#define FAR IP4(192, 0, 2, 9)
#define HOST IP4(10, 0, 0, 5)

static struct bed bed;
static struct made m;
static uint8_t payload[70000];

static const struct bed_in from1 = { .interface = 1 };

/* -- options --------------------------------------------------------------------------- */

static void
run_options(uint32_t dst, const void *options, unsigned len)
{
	make_ip4(&m, HOST, dst, 17, options, len, payload, 100);
	bed_run(&bed, BED_OPTIONS, &from1, m.bytes, m.len);
	assert_int_equal(bed.count, 1);
	assert_int_equal(slow_sum(bed.out[0].bytes + 14, 20 + len, 0), 0xffff);
	assert_memory_equal(bed.out[0].bytes + 34 + len, payload, 100);
}

/* Passed on, with options like these now. */
static void
expect_options(int edge, const void *options, unsigned len)
{
	assert_int_equal(bed.out[0].where, edge);
	assert_memory_equal(bed.out[0].bytes + 34, options, len);
	assert_int_equal(bed.out[0].meta.flags & MR_IP_META_OPTIONS, MR_IP_META_OPTIONS);
}

#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ })

/* RFC 1812, 4.2.2.1: what is not known passes, unchanged. */
static void
unknown_ones_pass(void **state)
{
	const uint8_t *const ones[] = { BYTES(1, 1, 1, 0), BYTES(0, 7, 1, 9), BYTES(0x88, 4, 1, 2),
		BYTES(0x9e, 4, 0xab, 0xcd), BYTES(1, 25, 3, 9), BYTES(30, 2, 25, 2) };

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ones); i++) {
		run_options(FAR, ones[i], 4);
		expect_options(MR_IP_EDGE_FORWARD4, ones[i], 4);
	}
	assert_true(bed_close(&bed));
}

/* RFC 1812, 5.3.13.4: the address of the interface that it leaves by; the others unchanged. */
static void
records_the_route(void **state)
{
	bed_open(&bed);
	run_options(FAR, BYTES(7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0), 12);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(7, 11, 8, 10, 0, 1, 1, 0, 0, 0, 0, 0), 12);
	run_options(FAR, BYTES(1, 7, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0), 12);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(1, 7, 11, 12, 9, 9, 9, 9, 10, 0, 1, 1), 12);
	/* Full: passes as it is. */
	run_options(FAR, BYTES(7, 7, 8, 9, 9, 9, 9, 0), 8);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(7, 7, 8, 9, 9, 9, 9, 0), 8);
	/* To ourselves and to nowhere: not forwarded, not recorded. */
	run_options(IP4(10, 0, 0, 1), BYTES(7, 7, 4, 0, 0, 0, 0, 0), 8);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(7, 7, 4, 0, 0, 0, 0, 0), 8);
	run_options(IP4(8, 8, 8, 8), BYTES(7, 7, 4, 0, 0, 0, 0, 0), 8);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(7, 7, 4, 0, 0, 0, 0, 0), 8);
	assert_true(bed_close(&bed));
}

static uint32_t
day_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint32_t)((uint64_t)ts.tv_sec % 86400 * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* The time written at `at` is that of the day, give or take a second. */
static void
expect_time(unsigned at)
{
	uint32_t written = mr_load_be32(bed.out[0].bytes + 34 + at);
	uint32_t off = (day_ms() + 86400000u - written) % 86400000u;

	assert_true(off < 1000 || off > 86399000);
}

/* RFC 791, 3.1; RFC 1812, 5.3.13.5. */
static void
writes_timestamps(void **state)
{
	bed_open(&bed);
	run_options(FAR, BYTES(68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0), 12);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(68, 12, 9, 0), 4);
	expect_time(4);
	run_options(FAR, BYTES(68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0), 12);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(68, 12, 13, 1, 10, 0, 1, 1), 8);
	expect_time(8);
	/* Asked of named ones: of us, by any of our addresses, or of somebody else. */
	run_options(FAR, BYTES(68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0), 12);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(68, 12, 13, 3, 10, 0, 0, 1), 8);
	expect_time(8);
	run_options(FAR, BYTES(68, 12, 5, 3, 10, 0, 0, 2, 0, 0, 0, 0), 12);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(68, 12, 5, 3, 10, 0, 0, 2, 0, 0, 0, 0), 12);
	/* Full: counted. */
	run_options(FAR, BYTES(68, 8, 9, 0xe0, 1, 2, 3, 4), 8);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(68, 8, 9, 0xf0, 1, 2, 3, 4), 8);
	assert_true(bed_close(&bed));
}

/* RFC 1812, 4.2.2.1, 5.3.13; RFC 792: parameter problem, its pointer at what is wrong. */
static void
malformed_ones_are_told(void **state)
{
	static const struct {
		uint8_t options[12];
		unsigned len, pointer;
	} bad[] = {
		{ { 7, 0, 4, 0 }, 4, 21 },
		{ { 7, 1, 4, 0 }, 4, 21 },
		{ { 99, 1, 0, 0 }, 4, 21 },
		{ { 99, 5, 0, 0 }, 4, 21 },
		{ { 1, 1, 1, 99 }, 4, 23 },
		{ { 1, 7, 2, 0 }, 4, 22 },
		{ { 7, 7, 3, 0, 0, 0, 0, 0 }, 8, 22 },
		{ { 7, 7, 5, 0, 0, 0, 0, 0 }, 8, 22 }, /* room, but not enough */
		{ { 7, 3, 4, 7, 3, 4, 0, 0 }, 8, 23 }, /* twice */
		{ { 68, 3, 5, 0 }, 4, 21 },
		{ { 68, 8, 4, 0, 0, 0, 0, 0 }, 8, 22 },
		{ { 68, 8, 5, 2, 0, 0, 0, 0 }, 8, 23 },
		{ { 68, 8, 5, 1, 0, 0, 0, 0 }, 8, 22 },
		{ { 68, 8, 9, 0xf0, 0, 0, 0, 0 }, 8, 23 }, /* the count overflows */
		{ { 68, 4, 5, 0x10, 68, 4, 5, 0 }, 8, 24 },
		{ { 131, 7, 3, 0, 0, 0, 0, 0 }, 8, 22 },
		{ { 131, 3, 4, 137, 3, 4, 0, 0 }, 8, 23 }, /* RFC 1812, 5.2.4.1 */
		{ { 148, 3, 0, 0 }, 4, 21 },
		{ { 148, 2, 0, 0 }, 4, 21 },
	};

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(bad); i++) {
		run_options(FAR, bad[i].options, bad[i].len);
		assert_int_equal(bed.out[0].where, MR_IP_EDGE_ICMP);
		assert_int_equal(bed.out[0].meta.icmp_type, 12);
		assert_int_equal(bed.out[0].meta.icmp_code, 0);
		if (bed.out[0].meta.icmp_data != bad[i].pointer << 24)
			fail_msg("%u: pointer %u, not %u", i, bed.out[0].meta.icmp_data >> 24,
			    bad[i].pointer);
		assert_memory_equal(bed.out[0].bytes, m.bytes, m.len);
	}
	assert_true(bed_close(&bed));
}

static void
expect_refused(void)
{
	assert_int_equal(bed.out[0].where, MR_IP_EDGE_ICMP);
	assert_int_equal(bed.out[0].meta.icmp_type, 3);
	assert_int_equal(bed.out[0].meta.icmp_code, 5);
}

/* RFC 1812, 5.2.4.1, 5.3.13.3. */
static void
source_routes(void **state)
{
	struct icmp_settings s = bed_free();

	bed_open(&bed);
	/* Not unless it is allowed, whether it ends here or not. */
	run_options(IP4(10, 0, 0, 1), BYTES(131, 7, 4, 192, 0, 2, 9, 0), 8);
	expect_refused();
	run_options(IP4(10, 0, 0, 1), BYTES(131, 7, 8, 192, 0, 2, 9, 0), 8);
	expect_refused();
	run_options(FAR, BYTES(137, 7, 4, 192, 0, 2, 9, 0), 8);
	expect_refused();
	s.flags |= ICMP_SOURCE_ROUTES;
	icmp_set(bed.icmp, bed.vrf, &s);
	/* Loose: on to the next stop; our address of the way out is recorded in its place. */
	run_options(IP4(10, 0, 0, 1), BYTES(131, 11, 4, 192, 0, 2, 9, 10, 0, 0, 7, 0), 12);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(131, 11, 8, 10, 0, 1, 1, 10, 0, 0, 7, 0), 12);
	assert_int_equal(mr_load_be32(bed.out[0].bytes + 30), FAR);
	/* Ends here: for us. Passing by: for others. */
	run_options(IP4(10, 0, 0, 1), BYTES(131, 7, 8, 1, 1, 1, 1, 0), 8);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(131, 7, 8, 1, 1, 1, 1, 0), 8);
	run_options(FAR, BYTES(131, 7, 4, 192, 0, 2, 9, 0), 8);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(131, 7, 4, 192, 0, 2, 9, 0), 8);
	/* Strict: the next stop must be a neighbour, and we must be meant. */
	run_options(IP4(10, 0, 0, 1), BYTES(137, 7, 4, 10, 0, 1, 7, 0), 8);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(137, 7, 8, 10, 0, 1, 1, 0), 8);
	assert_int_equal(mr_load_be32(bed.out[0].bytes + 30), IP4(10, 0, 1, 7));
	run_options(IP4(10, 0, 0, 1), BYTES(137, 7, 4, 10, 0, 1, 77, 0), 8);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(137, 7, 8, 10, 0, 1, 1, 0), 8);
	run_options(IP4(10, 0, 0, 1), BYTES(137, 7, 4, 192, 0, 2, 9, 0), 8);
	expect_refused();
	run_options(FAR, BYTES(137, 7, 4, 192, 0, 2, 9, 0), 8);
	expect_refused();
	/* To nowhere, and to what is no host. */
	run_options(IP4(10, 0, 0, 1), BYTES(131, 7, 4, 8, 8, 8, 8, 0), 8);
	expect_refused();
	run_options(IP4(10, 0, 0, 1), BYTES(131, 7, 4, 224, 0, 0, 1, 0), 8);
	expect_refused();
	run_options(IP4(10, 0, 0, 1), BYTES(131, 7, 4, 10, 0, 1, 255, 0), 8);
	expect_refused();
	assert_true(bed_close(&bed));
}

/* RFC 2113. */
static void
router_alert(void **state)
{
	struct icmp_settings s = bed_free();

	bed_open(&bed);
	run_options(FAR, BYTES(148, 4, 0, 0), 4);
	expect_options(MR_IP_EDGE_LOCAL, BYTES(148, 4, 0, 0), 4);
	/* An unknown value is ignored. */
	run_options(FAR, BYTES(148, 4, 0, 1), 4);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(148, 4, 0, 1), 4);
	/* To a group or to us: the usual way. */
	run_options(IP4(224, 0, 0, 22), BYTES(148, 4, 0, 0), 4);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(148, 4, 0, 0), 4);
	s.flags |= ICMP_ALERT_FORWARD;
	icmp_set(bed.icmp, bed.vrf, &s);
	run_options(FAR, BYTES(148, 4, 0, 0), 4);
	expect_options(MR_IP_EDGE_FORWARD4, BYTES(148, 4, 0, 0), 4);
	assert_true(bed_close(&bed));
}

/* -- echo ------------------------------------------------------------------------------ */

static void
make_echo4(uint32_t src, uint32_t dst, const void *options, unsigned options_len, unsigned len)
{
	uint8_t *icmp = m.bytes + 34 + options_len;

	make_ip4(&m, src, dst, 1, options, options_len, payload, 8 + len);
	icmp[0] = 8;
	icmp[1] = 0;
	mr_store_be16(icmp + 2, 0);
	mr_store_be16(icmp + 2, (uint16_t)~slow_sum(icmp, 8 + len, 0));
}

static void
make_echo6(const uint8_t *src, const uint8_t *dst, unsigned len)
{
	uint8_t *icmp = m.bytes + 54;

	make_ip6(&m, src, dst, 58, payload, 8 + len);
	icmp[0] = 128;
	icmp[1] = 0;
	mr_store_be16(icmp + 2, 0);
	mr_store_be16(icmp + 2, (uint16_t)~slow_sum6(m.bytes + 14, 58, icmp, 8 + len));
}

static void
expect_reply4(uint32_t src, uint32_t dst, unsigned options, unsigned len)
{
	const uint8_t *ip = bed.out[0].bytes + 14;

	assert_int_equal(bed.count, 1);
	assert_int_equal(bed.out[0].where, ICMP_ECHO_FORWARD4);
	assert_int_equal(bed.out[0].meta.flags, MR_IP_META_ORIGIN);
	assert_int_equal(bed.out[0].len, 42 + options + len);
	assert_int_equal(slow_sum(ip, 20 + options, 0), 0xffff);
	assert_int_equal(ip[1], m.bytes[15]); /* RFC 1812, 4.3.2.5 */
	assert_int_equal(mr_load_be16(ip + 6), 0);
	assert_int_equal(ip[8], 64);
	assert_int_equal(mr_load_be32(ip + 12), src);
	assert_int_equal(mr_load_be32(ip + 16), dst);
	ip += 20 + options;
	assert_int_equal(ip[0], 0);
	assert_int_equal(slow_sum(ip, 8 + len, 0), 0xffff);
	assert_memory_equal(ip + 4, m.bytes + 38 + options, 4 + len);
}

static void
replies4(void **state)
{
	static const unsigned lens[] = { 0, 1, 10, 56, 1472, 1473, 9000, 65000 };

	bed_open(&bed);
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 13);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(lens); i++) {
		struct bed_in in = { .interface = 1, .split = i * 9 };

		make_echo4(HOST, IP4(10, 0, 0, 1), NULL, 0, lens[i]);
		m.bytes[15] = 0x28;
		fix_ip4(&m);
		bed_run(&bed, BED_ECHO, &in, m.bytes, m.len + (lens[i] < 18 ? 18 : 0));
		expect_reply4(IP4(10, 0, 0, 1), HOST, 0, lens[i]);
	}
	/* To another of our addresses: from that one (RFC 1812, 4.3.3.6). */
	make_echo4(HOST, IP4(10, 0, 1, 1), NULL, 0, 56);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	expect_reply4(IP4(10, 0, 1, 1), HOST, 0, 56);
	assert_int_equal(bed_count(&bed, ICMP_ECHO4), MR_ARRAY_COUNT(lens) + 1);
	assert_true(bed_close(&bed));
}

static void
refuses4(void **state)
{
	struct icmp_settings s = bed_free();
	static const uint32_t sources[] = { 0, IP4(127, 0, 0, 1), IP4(224, 0, 0, 1), UINT32_MAX,
		IP4(240, 1, 1, 1) };

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(sources); i++) {
		make_echo4(sources[i], IP4(10, 0, 0, 1), NULL, 0, 56);
		bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
		assert_int_equal(bed.count, 0);
	}
	assert_int_equal(bed_drops(&bed, BED_ECHO, "echo-source"), 5);
	make_echo4(HOST, IP4(10, 0, 0, 1), NULL, 0, 56);
	m.bytes[50] ^= 1;
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	assert_int_equal(bed_drops(&bed, BED_ECHO, "icmp-checksum"), 1);
	/* RFC 1122, 3.2.2.6: to a group, by address or by frame, only if wanted. */
	make_echo4(HOST, IP4(224, 0, 0, 1), NULL, 0, 56);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	make_echo4(HOST, IP4(10, 0, 0, 255), NULL, 0, 56);
	memset(m.bytes, 0xff, 6);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	assert_int_equal(bed_drops(&bed, BED_ECHO, "echo-group"), 2);
	assert_int_equal(bed.count, 0);
	s.flags |= ICMP_ECHO_GROUPS;
	icmp_set(bed.icmp, bed.vrf, &s);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	expect_reply4(IP4(10, 0, 0, 1), HOST, 0, 56);
	s.flags = 0;
	icmp_set(bed.icmp, bed.vrf, &s);
	make_echo4(HOST, IP4(10, 0, 0, 1), NULL, 0, 56);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	assert_int_equal(bed_drops(&bed, BED_ECHO, "echo-off"), 1);
	s = bed_free();
	s.echo_rate = 1;
	s.echo_burst = 3;
	icmp_set(bed.icmp, bed.vrf, &s);
	bed_clear(&bed);
	for (unsigned i = 0; i < 10; i++)
		bed_add(&bed, BED_ECHO, &from1, m.bytes, m.len);
	assert_int_equal(bed.count, 3);
	assert_int_equal(bed_count(&bed, ICMP_LIMITED_ECHO), 7);
	/* Not a request. */
	m.bytes[34] = 0;
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	for (unsigned len = 0; len < 42; len++)
		bed_add(&bed, BED_ECHO, &from1, m.bytes, len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_ECHO, "not-echo"), 43);
	assert_true(bed_close(&bed));
}

/* RFC 1122, 3.2.2.6: record route and timestamp go on, a source route comes back reversed. */
static void
returns_options(void **state)
{
	bed_open(&bed);
	make_echo4(HOST, IP4(10, 0, 0, 1), BYTES(7, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0, 0), 12, 30);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	expect_reply4(IP4(10, 0, 0, 1), HOST, 12, 30);
	assert_memory_equal(bed.out[0].bytes + 34, BYTES(7, 11, 12, 9, 9, 9, 9, 10, 0, 0, 1, 0),
	    12);
	make_echo4(HOST, IP4(10, 0, 0, 1),
	    BYTES(131, 15, 16, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 0), 16, 30);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	expect_reply4(IP4(10, 0, 0, 1), IP4(3, 3, 3, 3), 16, 30);
	assert_memory_equal(bed.out[0].bytes + 34,
	    BYTES(131, 15, 4, 2, 2, 2, 2, 1, 1, 1, 1, 10, 0, 0, 5, 0), 16);
	make_echo4(HOST, IP4(10, 0, 0, 1), BYTES(7, 7, 2, 0, 0, 0, 0, 0), 8, 30);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_ECHO, "echo-options"), 1);
	assert_true(bed_close(&bed));
}

static void
expect_reply6(const uint8_t *src, const uint8_t *dst, unsigned len, int where)
{
	const uint8_t *ip = bed.out[0].bytes + 14;

	assert_int_equal(bed.count, 1);
	assert_int_equal(bed.out[0].where, where);
	assert_int_equal(bed.out[0].len, 62 + len);
	assert_int_equal(ip[7], 64);
	assert_memory_equal(ip + 8, src, 16);
	assert_memory_equal(ip + 24, dst, 16);
	assert_int_equal(ip[40], 129);
	assert_int_equal(slow_sum6(ip, 58, ip + 40, 8 + len), 0xffff);
	assert_memory_equal(ip + 44, m.bytes + 58, 4 + len);
}

static void
replies6(void **state)
{
	static const unsigned lens[] = { 0, 1, 56, 1452 };
	static uint8_t whole[70000];
	unsigned at = 0;

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(lens); i++) {
		make_echo6(HOST6, OUR6, lens[i]);
		bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
		expect_reply6(OUR6, HOST6, lens[i], ICMP_ECHO_FORWARD6);
	}
	/* RFC 4443, 4.2: asked as a group, from an address of the interface; link-local ones
	 * go back where they came from. */
	make_echo6(HOST6, A6(0xff, 2, [15] = 1), 56);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	expect_reply6(OUR6, HOST6, 56, ICMP_ECHO_FORWARD6);
	make_echo6(LL6, A6(0xff, 2, [15] = 1), 56);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	expect_reply6(A6(0xfe, 0x80, [15] = 1), LL6, 56, BED_PORT + 0);
	assert_memory_equal(bed.out[0].bytes, m.bytes + 6, 6);
	make_echo6(LL6, A6(0xfe, 0x80, [15] = 1), 56);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	expect_reply6(A6(0xfe, 0x80, [15] = 1), LL6, 56, BED_PORT + 0);
	/* Longer than the link's MTU: the source cuts, to what passes everywhere (RFC 8200, 5). */
	make_echo6(HOST6, OUR6, 5000);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	assert_int_equal(bed.count, 5);
	for (unsigned i = 0; i < bed.count; i++) {
		const uint8_t *ip = bed.out[i].bytes + 14;
		unsigned len = mr_load_be16(ip + 4) - 8u;

		assert_true(bed.out[i].len <= 14 + 1280);
		assert_int_equal(ip[6], 44);
		assert_int_equal(ip[40], 58);
		assert_int_equal(mr_load_be16(ip + 42), at | (i < 4));
		assert_memory_equal(ip + 44, bed.out[0].bytes + 58, 4);
		memcpy(whole + at, ip + 48, len);
		at += len;
	}
	assert_int_equal(at, 5008);
	assert_int_equal(whole[0], 129);
	assert_int_equal(slow_sum6(bed.out[0].bytes + 14, 58, whole, 5008), 0xffff);
	assert_memory_equal(whole + 4, m.bytes + 58, 5004);
	/* From nobody. */
	make_echo6(A6(0), OUR6, 56);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	make_echo6(A6(0xff, 2, [15] = 9), OUR6, 56);
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	make_echo6(HOST6, OUR6, 56);
	m.bytes[70] ^= 4;
	bed_run(&bed, BED_ECHO, &from1, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_true(bed_close(&bed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_ones_pass),
		cmocka_unit_test(records_the_route),
		cmocka_unit_test(writes_timestamps),
		cmocka_unit_test(malformed_ones_are_told),
		cmocka_unit_test(source_routes),
		cmocka_unit_test(router_alert),
		cmocka_unit_test(replies4),
		cmocka_unit_test(refuses4),
		cmocka_unit_test(returns_options),
		cmocka_unit_test(replies6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
