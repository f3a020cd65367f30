/* SPDX-License-Identifier: Apache-2.0 */
/* icmp-error: who is answered and who never, and every byte of the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/icmp/icmp_test_int.h"

#define A6(...) ((const uint8_t[16]){ __VA_ARGS__ })
#define HOST6 A6(0x20, 1, 0xd, 0xb8, 0, 0, [15] = 5)
#define FAR6 A6(0x20, 1, 0xd, 0xb8, 0, 2, [15] = 9)
#define LL6 A6(0xfe, 0x80, [15] = 0x77)

static struct bed bed;
static struct made m;

/* A UDP datagram of `len` bytes. */
static void
udp4(uint32_t src, uint32_t dst, unsigned len)
{
	static uint8_t payload[70000];

	for (unsigned i = 0; i < len; i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	make_ip4(&m, src, dst, 17, NULL, 0, payload, len);
}

static void
udp6(const uint8_t *src, const uint8_t *dst, unsigned len)
{
	static uint8_t payload[70000];

	for (unsigned i = 0; i < len; i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	make_ip6(&m, src, dst, 17, payload, len);
}

/* The answer as RFC 792 and 1812 want it, built the slow way, against what came out. */
static void
expect4(const struct bed_in *in, const uint8_t *original, unsigned total, uint32_t source,
    uint32_t destination)
{
	const struct bed_out *o = &bed.out[0];
	unsigned l3 = in->l3 ? in->l3 : 14, quote = total < 548 ? total : 548;
	const uint8_t *ip = o->bytes + l3;

	assert_int_equal(bed.count, 1);
	assert_int_equal(o->where, ICMP_ERROR_FORWARD4);
	assert_int_equal(o->len, l3 + 28 + quote);
	assert_int_equal(o->meta.flags, MR_IP_META_ORIGIN);
	assert_int_equal(o->meta.l3, l3);
	assert_int_equal(o->context, bed.interface[in->interface]);
	assert_int_equal(o->flags, 0);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(ip[1], 0xc0); /* RFC 1812, 4.3.2.5 */
	assert_int_equal(mr_load_be16(ip + 2), 28 + quote);
	assert_true(mr_load_be16(ip + 2) <= 576); /* RFC 1812, 4.3.2.3 */
	assert_int_equal(mr_load_be16(ip + 6), 0);
	assert_int_equal(ip[8], 64);
	assert_int_equal(ip[9], 1);
	assert_int_equal(slow_sum(ip, 20, 0), 0xffff);
	assert_int_equal(mr_load_be32(ip + 12), source);
	assert_int_equal(mr_load_be32(ip + 16), destination);
	assert_int_equal(ip[20], in->type);
	assert_int_equal(ip[21], in->code);
	assert_int_equal(mr_load_be32(ip + 24), in->data);
	assert_int_equal(slow_sum(ip + 20, 8 + quote, 0), 0xffff);
	assert_memory_equal(ip + 28, original, quote);
}

static void
expect6(const struct bed_in *in, const uint8_t *original, unsigned total, const uint8_t *source,
    const uint8_t *destination, int where)
{
	const struct bed_out *o = &bed.out[0];
	unsigned quote = total < 1232 ? total : 1232;
	const uint8_t *ip = o->bytes + 14;

	assert_int_equal(bed.count, 1);
	assert_int_equal(o->where, where);
	assert_int_equal(o->len, 14 + 48 + quote);
	assert_int_equal(o->meta.flags, MR_IP_META_ORIGIN);
	assert_int_equal(mr_load_be32(ip), 6u << 28);
	assert_int_equal(mr_load_be16(ip + 4), 8 + quote);
	assert_int_equal(ip[6], 58);
	assert_int_equal(ip[7], 64);
	assert_memory_equal(ip + 8, source, 16);
	assert_memory_equal(ip + 24, destination, 16);
	assert_int_equal(ip[40], in->type);
	assert_int_equal(ip[41], in->code);
	assert_int_equal(mr_load_be32(ip + 44), in->data);
	assert_int_equal(slow_sum6(ip, 58, ip + 40, 8 + quote), 0xffff);
	assert_memory_equal(ip + 48, original, quote);
}

static void
answers_by_type4(void **state)
{
	static const struct bed_in kinds[] = {
		{ .interface = 1, .type = 11, .code = 0 },
		{ .interface = 1, .type = 11, .code = 1 },
		{ .interface = 1, .type = 3, .code = 0 },
		{ .interface = 1, .type = 3, .code = 1 },
		{ .interface = 1, .type = 3, .code = 4, .data = 600 },
		{ .interface = 1, .type = 3, .code = 13 },
		{ .interface = 1, .type = 12, .code = 0, .data = 20u << 24 },
	};
	static const enum icmp_count counted[] = { ICMP_EXPIRED4, ICMP_EXPIRED4, ICMP_UNREACHABLE4,
		ICMP_UNREACHABLE4, ICMP_TOO_BIG4, ICMP_UNREACHABLE4, ICMP_PROBLEM4 };
	static const unsigned lens[] = { 8, 9, 520, 527, 528, 529, 1472, 3000, 60000 };

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(kinds); i++) {
		for (unsigned l = 0; l < MR_ARRAY_COUNT(lens); l++) {
			uint64_t before = bed_count(&bed, counted[i]);

			udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), lens[l]);
			bed_run(&bed, BED_ERROR, &kinds[i], m.bytes, m.len);
			expect4(&kinds[i], m.bytes + 14, m.len - 14, IP4(10, 0, 0, 1),
			    IP4(10, 0, 0, 5));
			assert_int_equal(bed_count(&bed, counted[i]), before + 1);
		}
	}
	assert_true(bed_close(&bed));
}

static void
answers_by_type6(void **state)
{
	static const struct bed_in kinds[] = {
		{ .interface = 1, .type = 1, .code = 0 },
		{ .interface = 1, .type = 1, .code = 3 },
		{ .interface = 1, .type = 2, .code = 0, .data = 1280 },
		{ .interface = 1, .type = 3, .code = 0 },
		{ .interface = 1, .type = 4, .code = 1, .data = 40 },
	};
	static const unsigned lens[] = { 8, 1184, 1191, 1192, 1193, 1400, 9000, 65000 };

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(kinds); i++) {
		for (unsigned l = 0; l < MR_ARRAY_COUNT(lens); l++) {
			udp6(HOST6, FAR6, lens[l]);
			bed_run(&bed, BED_ERROR, &kinds[i], m.bytes, m.len);
			expect6(&kinds[i], m.bytes + 14, m.len - 14,
			    (const uint8_t *)bed.ip->interfaces[bed.interface[1]].address6, HOST6,
			    ICMP_ERROR_FORWARD6);
		}
	}
	/* To a link-local source: back to where the frame came from. */
	udp6(LL6, FAR6, 100);
	bed_run(&bed, BED_ERROR, &kinds[0], m.bytes, m.len);
	expect6(&kinds[0], m.bytes + 14, m.len - 14,
	    (const uint8_t *)bed.ip->interfaces[bed.interface[1]].address6, LL6, BED_PORT + 0);
	assert_memory_equal(bed.out[0].bytes, m.bytes + 6, 6);
	assert_memory_equal(bed.out[0].bytes + 6, m.bytes, 6);
	assert_true(bed_close(&bed));
}

/* However the packet lies in memory; padding is never quoted; tags stay in front. */
static void
shape_does_not_matter(void **state)
{
	struct bed_in in = { .interface = 1, .type = 11 };
	static const uint8_t zero[60];
	unsigned real;

	bed_open(&bed);
	for (unsigned split = 1; split < 700; split += split < 80 ? 1 : 61) {
		udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 2500);
		in.split = split;
		bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
		expect4(&in, m.bytes + 14, m.len - 14, IP4(10, 0, 0, 1), IP4(10, 0, 0, 5));
		udp6(HOST6, FAR6, 2500);
		in.type = 3;
		bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
		expect6(&in, m.bytes + 14, m.len - 14,
		    (const uint8_t *)bed.ip->interfaces[bed.interface[1]].address6, HOST6,
		    ICMP_ERROR_FORWARD6);
		in.type = 11;
	}
	in.split = 0;
	udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 8);
	real = m.len;
	memcpy(m.bytes + m.len, zero, 18);
	m.len += 18;
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	expect4(&in, m.bytes + 14, real - 14, IP4(10, 0, 0, 1), IP4(10, 0, 0, 5));
	/* A tag. */
	udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 8);
	memmove(m.bytes + 18, m.bytes + 14, m.len - 14);
	memcpy(m.bytes + 12, "\x81\x00\x00\x07\x08\x00", 6);
	in.l3 = 18;
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len + 4);
	expect4(&in, m.bytes + 18, m.len - 14, IP4(10, 0, 0, 1), IP4(10, 0, 0, 5));
	assert_memory_equal(bed.out[0].bytes, m.bytes, 18);
	assert_true(bed_close(&bed));
}

/* The quoted checksum is that of the packet as its sender knows it, and so is its TTL. */
static void
quotes_what_came(void **state)
{
	struct bed_in in = { .interface = 1,
		.type = 11,
		.packet_flags = MR_PACKET_CSUM_PARTIAL,
		.csum_start = 34,
		.csum_offset = 6 };
	uint8_t expected[200];

	bed_open(&bed);
	udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 100);
	/* UDP's length; the field holds the pseudo-header's sum. */
	mr_store_be16(m.bytes + 38, 100);
	mr_store_be16(m.bytes + 40, 0);
	memcpy(expected, m.bytes + 14, 120);
	mr_store_be16(expected + 26,
	    (uint16_t)~slow_sum(expected + 20, 100, slow_sum(expected + 12, 8, 17 + 100)));
	mr_store_be16(m.bytes + 40, slow_sum(m.bytes + 26, 8, 17 + 100));
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	in.packet_flags = 0;
	expect4(&in, expected, 120, IP4(10, 0, 0, 1), IP4(10, 0, 0, 5));

	udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 100);
	memcpy(expected, m.bytes + 14, 120);
	m.bytes[22]--;
	fix_ip4(&m);
	in = (struct bed_in){ .interface = 1,
		.type = 3,
		.code = 1,
		.flags = MR_IP_META_DECREMENTED };
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	expect4(&in, expected, 120, IP4(10, 0, 0, 1), IP4(10, 0, 0, 5));
	udp6(HOST6, FAR6, 100);
	memcpy(expected, m.bytes + 14, 140);
	m.bytes[21]--;
	in.type = 1;
	in.code = 3;
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	expect6(&in, expected, 140, (const uint8_t *)bed.ip->interfaces[bed.interface[1]].address6,
	    HOST6, ICMP_ERROR_FORWARD6);
	assert_true(bed_close(&bed));
}

/* RFC 1122 3.2.1.3 (a) and RFC 4443 2.2 (a): from the address that was asked. */
static void
speaks_from(void **state)
{
	struct bed_in in = { .interface = 1, .type = 11, .code = 1 };

	bed_open(&bed);
	udp4(IP4(10, 0, 0, 5), IP4(10, 0, 1, 1), 8);
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	expect4(&in, m.bytes + 14, m.len - 14, IP4(10, 0, 1, 1), IP4(10, 0, 0, 5));
	udp6(HOST6, (const uint8_t *)bed.ip->interfaces[bed.interface[2]].address6, 8);
	in.type = 3;
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	expect6(&in, m.bytes + 14, m.len - 14,
	    (const uint8_t *)bed.ip->interfaces[bed.interface[2]].address6, HOST6,
	    ICMP_ERROR_FORWARD6);
	/* An interface without an address, first in a VRF without a spare one. */
	in = (struct bed_in){ .interface = 3, .type = 11 };
	udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 8);
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_ERROR, "icmp-not-sent"), 1);
	assert_int_equal(bed_count(&bed, ICMP_NOT_FROM), 1);
	atomic_store(&bed.icmp->vrfs[bed.vrf].spare4, bed.interface[2]);
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	expect4(&in, m.bytes + 14, m.len - 14, IP4(10, 0, 1, 1), IP4(10, 0, 0, 5));
	assert_true(bed_close(&bed));
}

/* -- never ----------------------------------------------------------------------------- */

static const struct rule4 {
	const char *section;
	uint32_t src, dst;
	unsigned proto, frag;
	uint8_t icmp_type;
	uint8_t mac0;
	enum icmp_count why; /* ICMP_COUNT_COUNT: answered */
} rules4[] = {
	{ "1812 4.3.2.7 plain", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, 0, 0, 2,
	    ICMP_COUNT_COUNT },
	{ "1812 4.3.2.7 unreachable", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 3, 2,
	    ICMP_NOT_ABOUT_ICMP },
	{ "1812 4.3.2.7 quench", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 4, 2,
	    ICMP_NOT_ABOUT_ICMP },
	{ "1812 4.3.2.7 redirect", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 5, 2,
	    ICMP_NOT_ABOUT_ICMP },
	{ "1812 4.3.2.7 exceeded", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 11, 2,
	    ICMP_NOT_ABOUT_ICMP },
	{ "1812 4.3.2.7 problem", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 12, 2,
	    ICMP_NOT_ABOUT_ICMP },
	{ "unknown ICMP", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 200, 2, ICMP_NOT_ABOUT_ICMP },
	{ "1122 3.2.2 echo is a query", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 8, 2,
	    ICMP_COUNT_COUNT },
	{ "1122 3.2.2 reply", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 0, 2, ICMP_COUNT_COUNT },
	{ "1122 3.2.2 timestamp", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, 0, 13, 2,
	    ICMP_COUNT_COUNT },
	{ "1812 4.3.2.7 broadcast", IP4(10, 0, 0, 5), UINT32_MAX, 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_GROUP },
	{ "1812 4.3.2.7 multicast", IP4(10, 0, 0, 5), IP4(224, 0, 0, 5), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_GROUP },
	{ "1812 4.3.2.7 multicast", IP4(10, 0, 0, 5), IP4(239, 9, 9, 9), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_GROUP },
	{ "1812 4.3.2.7 link broadcast", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, 0, 0, 0xff,
	    ICMP_NOT_ABOUT_GROUP },
	{ "1812 4.3.2.7 link multicast", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, 0, 0, 1,
	    ICMP_NOT_ABOUT_GROUP },
	{ "1812 4.3.2.7 first fragment", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, 0x2000, 0, 2,
	    ICMP_COUNT_COUNT },
	{ "1812 4.3.2.7 later fragment", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, 0x2001, 0, 2,
	    ICMP_NOT_ABOUT_FRAGMENT },
	{ "1812 4.3.2.7 last fragment", IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, 0x1fff, 0, 2,
	    ICMP_NOT_ABOUT_FRAGMENT },
	{ "1122 3.2.2 source 0", 0, IP4(192, 0, 2, 9), 17, 0, 0, 2, ICMP_NOT_ABOUT_SOURCE },
	{ "1122 3.2.2 source 0/8", IP4(0, 1, 2, 3), IP4(192, 0, 2, 9), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_SOURCE },
	{ "1122 3.2.2 loopback", IP4(127, 0, 0, 1), IP4(192, 0, 2, 9), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_SOURCE },
	{ "1122 3.2.2 source broadcast", UINT32_MAX, IP4(192, 0, 2, 9), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_SOURCE },
	{ "1122 3.2.2 source multicast", IP4(224, 0, 0, 1), IP4(192, 0, 2, 9), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_SOURCE },
	{ "1122 3.2.2 class E", IP4(240, 0, 0, 1), IP4(192, 0, 2, 9), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_SOURCE },
	{ "1122 3.2.2 subnet's broadcast", IP4(10, 0, 0, 255), IP4(192, 0, 2, 9), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_SOURCE },
	{ "our own address", IP4(10, 0, 1, 1), IP4(192, 0, 2, 9), 17, 0, 0, 2,
	    ICMP_NOT_ABOUT_SOURCE },
	{ "no way back", IP4(8, 8, 8, 8), IP4(192, 0, 2, 9), 17, 0, 0, 2, ICMP_NOT_ABOUT_SOURCE },
};

static void
never4(void **state)
{
	const struct bed_in in = { .interface = 1, .type = 11 };
	uint64_t dropped = 0;

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(rules4); i++) {
		const struct rule4 *r = &rules4[i];
		const uint8_t payload[8] = { r->icmp_type };
		uint64_t before = bed_count(&bed, r->why % ICMP_COUNT_COUNT);

		make_ip4(&m, r->src, r->dst, r->proto, NULL, 0, payload, 8);
		mr_store_be16(m.bytes + 20, (uint16_t)r->frag);
		m.bytes[0] = r->mac0;
		fix_ip4(&m);
		bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
		if (r->why == ICMP_COUNT_COUNT) {
			if (bed.count != 1)
				fail_msg("%s: not answered", r->section);
			expect4(&in, m.bytes + 14, m.len - 14, IP4(10, 0, 0, 1), r->src);
			continue;
		}
		if (bed.count != 0 || bed_count(&bed, r->why) != before + 1)
			fail_msg("%s: answered, or counted otherwise", r->section);
		assert_int_equal(bed_drops(&bed, BED_ERROR, "ttl-expired"), ++dropped);
	}
	/* ICMP without a type. */
	make_ip4(&m, IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 1, NULL, 0, NULL, 0);
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_true(bed_close(&bed));
}

static void
never6(void **state)
{
	static const uint8_t hop_by_hop[] = { 58, 0, 1, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t later[] = { 17, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t later58[] = { 58, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t first[] = { 17, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t echo[8] = { 128 }, error[8] = { 1 }, redirect[8] = { 137 },
			     future[8] = { 100 }, udp[8] = { 0, 1, 0, 2, 0, 8 };
	const struct {
		const char *section;
		const uint8_t *src, *dst;
		unsigned next;
		const uint8_t *payload;
		unsigned len;
		uint8_t type, code, mac0;
		enum icmp_count why;
	} rules[] = {
		{ "2.4 (e)", HOST6, FAR6, 17, udp, 8, 3, 0, 2, ICMP_COUNT_COUNT },
		{ "2.4 (e.1)", HOST6, FAR6, 58, error, 8, 3, 0, 2, ICMP_NOT_ABOUT_ICMP },
		{ "2.4 (e.1) unknown error", HOST6, FAR6, 58, future, 8, 3, 0, 2,
		    ICMP_NOT_ABOUT_ICMP },
		{ "2.4 (e.1) behind options", HOST6, FAR6, 0, hop_by_hop, 16, 3, 0, 2,
		    ICMP_NOT_ABOUT_ICMP },
		{ "2.4 (e.2)", HOST6, FAR6, 58, redirect, 8, 3, 0, 2, ICMP_NOT_ABOUT_ICMP },
		{ "echo", HOST6, FAR6, 58, echo, 8, 3, 0, 2, ICMP_COUNT_COUNT },
		{ "2.4 (e.3)", HOST6, A6(0xff, 2, [15] = 1), 17, udp, 8, 3, 0, 2,
		    ICMP_NOT_ABOUT_GROUP },
		{ "2.4 (e.3) too big", HOST6, A6(0xff, 0xe, [15] = 1), 17, udp, 8, 2, 0, 2,
		    ICMP_COUNT_COUNT },
		{ "2.4 (e.3) option", HOST6, A6(0xff, 0xe, [15] = 1), 17, udp, 8, 4, 2, 2,
		    ICMP_COUNT_COUNT },
		{ "2.4 (e.3) header", HOST6, A6(0xff, 0xe, [15] = 1), 17, udp, 8, 4, 1, 2,
		    ICMP_NOT_ABOUT_GROUP },
		{ "2.4 (e.4)", HOST6, FAR6, 17, udp, 8, 3, 0, 0x33, ICMP_NOT_ABOUT_GROUP },
		{ "2.4 (e.4) too big", HOST6, FAR6, 17, udp, 8, 2, 0, 0x33, ICMP_COUNT_COUNT },
		{ "2.4 (e.5)", HOST6, FAR6, 17, udp, 8, 3, 0, 0xff, ICMP_NOT_ABOUT_GROUP },
		{ "2.4 (e.6) ::", A6(0), FAR6, 17, udp, 8, 3, 0, 2, ICMP_NOT_ABOUT_SOURCE },
		{ "2.4 (e.6) ::1", A6([15] = 1), FAR6, 17, udp, 8, 3, 0, 2, ICMP_NOT_ABOUT_SOURCE },
		{ "2.4 (e.6) multicast", A6(0xff, 2, [15] = 1), FAR6, 17, udp, 8, 3, 0, 2,
		    ICMP_NOT_ABOUT_SOURCE },
		{ "no way back", A6(0x3f, 1, [15] = 1), FAR6, 17, udp, 8, 3, 0, 2,
		    ICMP_NOT_ABOUT_SOURCE },
		{ "first fragment", HOST6, FAR6, 44, first, 16, 3, 0, 2, ICMP_COUNT_COUNT },
		{ "later fragment", HOST6, FAR6, 44, later, 16, 3, 0, 2, ICMP_COUNT_COUNT },
		{ "later fragment, ICMPv6", HOST6, FAR6, 44, later58, 16, 3, 0, 2,
		    ICMP_NOT_ABOUT_FRAGMENT },
		{ "later fragment, ICMPv6, too big", HOST6, FAR6, 44, later58, 16, 2, 0, 2,
		    ICMP_COUNT_COUNT },
	};

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(rules); i++) {
		const struct bed_in in = { .interface = 1,
			.type = rules[i].type,
			.code = rules[i].code };
		uint64_t before = bed_count(&bed, rules[i].why % ICMP_COUNT_COUNT);

		make_ip6(&m, rules[i].src, rules[i].dst, rules[i].next, rules[i].payload,
		    rules[i].len);
		m.bytes[0] = rules[i].mac0;
		bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
		if (rules[i].why == ICMP_COUNT_COUNT) {
			if (bed.count != 1)
				fail_msg("RFC 4443 %s: not answered", rules[i].section);
			continue;
		}
		if (bed.count != 0 || bed_count(&bed, rules[i].why) != before + 1)
			fail_msg("RFC 4443 %s: answered, or counted otherwise", rules[i].section);
	}
	assert_true(bed_close(&bed));
}

static void
never_ours_nor_where_off(void **state)
{
	struct bed_in in = { .interface = 1, .type = 11, .flags = MR_IP_META_ORIGIN };

	bed_open(&bed);
	udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 8);
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_count(&bed, ICMP_NOT_ABOUT_OURS), 1);
	in = (struct bed_in){ .interface = 0, .type = 11 };
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_ERROR, "ttl-expired"), 2);
	/* unreachables: false; what path MTU discovery needs is sent all the same. */
	in = (struct bed_in){ .interface = 2, .type = 3, .code = 0 };
	udp4(IP4(10, 0, 1, 5), IP4(8, 8, 8, 8), 8);
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_count(&bed, ICMP_NOT_HERE), 1);
	assert_int_equal(bed_drops(&bed, BED_ERROR, "no-route"), 1);
	in.code = 4;
	in.data = 1400;
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	expect4(&in, m.bytes + 14, m.len - 14, IP4(10, 0, 1, 1), IP4(10, 0, 1, 5));
	assert_true(bed_close(&bed));
}

/* RFC 1812 4.3.2.8, RFC 4443 2.4 (f). */
static void
is_limited(void **state)
{
	struct bed_in in = { .interface = 1, .type = 11 };
	struct icmp_settings s = bed_free();
	unsigned one = 0, other = 0;

	bed_open(&bed);
	s.destination_rate = 1;
	s.destination_burst = 5;
	icmp_set(bed.icmp, bed.vrf, &s);
	for (unsigned i = 0; i < 50; i++) {
		udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 8);
		bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
		one += bed.count;
		udp4(IP4(10, 0, 0, 6), IP4(192, 0, 2, 9), 8);
		bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
		other += bed.count;
	}
	assert_int_equal(one, 5);
	assert_int_equal(other, 5);
	assert_int_equal(bed_count(&bed, ICMP_LIMITED_HOST), 90);
	assert_int_equal(bed_drops(&bed, BED_ERROR, "icmp-limited"), 90);
	s = bed_free();
	s.error_rate = 1;
	s.error_burst = 10;
	icmp_set(bed.icmp, bed.vrf, &s);
	one = 0;
	for (unsigned i = 0; i < 50; i++) {
		udp4(IP4(198, 51, 100, i + 1), IP4(192, 0, 2, 9), 8);
		bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
		one += bed.count;
	}
	assert_int_equal(one, 10);
	assert_int_equal(bed_count(&bed, ICMP_LIMITED), 40);
	assert_true(bed_close(&bed));
}

/* No headroom, no bytes: dropped by name, nothing lost. */
static void
odd_packets(void **state)
{
	struct bed_in in = { .interface = 1, .type = 11 };
	uint32_t packet;
	struct mr_packet *p;

	bed_open(&bed);
	udp4(IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 100);
	for (unsigned len = 0; len < 34; len++)
		bed_run(&bed, BED_ERROR, &in, m.bytes, len);
	assert_int_equal(bed.count, 0);
	packet = mr_packet_from(bed.buffers, 0, m.bytes, m.len);
	p = mr_packet_at(bed.buffers->base, packet);
	memmove((uint8_t *)p + MR_PACKET_META_SIZE + 27, mr_packet_bytes(p), p->len);
	p->data = MR_PACKET_META_SIZE + 27;
	p->context = bed.interface[1];
	*mr_ip_meta(p) = (struct mr_ip_meta){ .l3 = 14, .icmp_type = 11 };
	mr_graph_inject(bed.graph, 0, bed.nodes[BED_ERROR], &packet, 1);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_ERROR, "icmp-not-sent"), 1);
	assert_true(bed_close(&bed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_by_type4),
		cmocka_unit_test(answers_by_type6),
		cmocka_unit_test(shape_does_not_matter),
		cmocka_unit_test(quotes_what_came),
		cmocka_unit_test(speaks_from),
		cmocka_unit_test(never4),
		cmocka_unit_test(never6),
		cmocka_unit_test(never_ours_nor_where_off),
		cmocka_unit_test(is_limited),
		cmocka_unit_test(odd_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
