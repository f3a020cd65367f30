/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Packets through two routers with prefix translation, one with the flow lane and one without: what
 * leaves is the same, what leaves is right, and the lane replays it.
 *
 *     a  inside  fd00:1::/48       b  outside  2001:db8:f::/48 stands for it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "kit/packet/checksum.h"
#include "nf/lanes/lanes_bed_int.h"

#define LANES "lanes: {mode: flow}\n"

static const char text[] =
    "system: {buffers: 8192}\n"
    "interface: {a: {driver: \"null\"}, b: {driver: \"null\"}, c: {driver: \"null\"}, d: {driver: "
    "\"null\"}, e: {driver: \"null\"}, f: {driver: \"null\"}}\n"
    "nptv6: {instance: {x: {outside: [b], inside: [a], inside-prefix: \"fd00:1::/48\", "
    "outside-prefix: \"2001:db8:f::/48\"}}}\n"
    "router:\n"
    "  r:\n"
    "    icmp: {errors: {rate: 100000000, burst: 1000000, destination-rate: 100000000, "
    "destination-burst: 1000000}}\n"
    "    interface:\n"
    "      a: {mac: \"02:00:00:00:aa:01\", address: [\"fd00:1:0:1::1/64\"], redirects: false, "
    "neighbor: {duplicate-detection: false}}\n"
    "      b: {mac: \"02:00:00:00:aa:02\", address: [\"2001:db8:1::1/64\"], redirects: false, "
    "neighbor: {duplicate-detection: false}}\n"
    "    neighbor:\n"
    "      static:\n"
    "        \"fd00:1:0:1::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        \"fd00:1:0:1::8\": {interface: a, mac: \"02:00:00:00:00:08\"}\n"
    "        \"2001:db8:1::9\": {interface: b, mac: \"02:00:00:00:01:09\"}\n"
    "    route:\n"
    "      \"::/0\": {via: \"2001:db8:1::9\"}\n";

static unsigned
udp(uint8_t *f, unsigned port, const char *src, const char *dst, uint16_t sport, unsigned len)
{
	be16_t check;

	memset(f, 0, 14 + 48 + len);
	memcpy(f, "\2\0\0\0\xaa", 5);
	f[5] = (uint8_t)(port + 1);
	f[6] = 2;
	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	mr_store_be16(f + 18, (uint16_t)(8 + len));
	f[20] = MR_IP_PROTO_UDP;
	f[21] = 64;
	assert_int_equal(inet_pton(AF_INET6, src, f + 22), 1);
	assert_int_equal(inet_pton(AF_INET6, dst, f + 38), 1);
	mr_store_be16(f + 54, sport);
	mr_store_be16(f + 56, 53);
	mr_store_be16(f + 58, (uint16_t)(8 + len));
	check = mr_checksum_finish_udp(mr_checksum_add(
	    mr_checksum_pseudo6(f + 22, f + 38, MR_IP_PROTO_UDP, 8 + len), f + 54, 8 + len));
	memcpy(f + 60, &check, 2);
	return 14 + 48 + len;
}

/* An ICMPv6 error from `src` to `dst` about a frame. */
static unsigned
about(uint8_t *f, unsigned port, const char *src, const char *dst, const uint8_t *quoted,
    unsigned len)
{
	unsigned n = udp(f, port, src, dst, 0, len - 14);
	be16_t check;

	f[20] = MR_IP_PROTO_ICMP6;
	memset(f + 54, 0, 8);
	f[54] = MR_ICMP6_UNREACHABLE;
	f[55] = 4;
	memcpy(f + 62, quoted + 14, len - 14);
	check = mr_checksum_finish(mr_checksum_add(
	    mr_checksum_pseudo6(f + 22, f + 38, MR_IP_PROTO_ICMP6, n - 54), f + 54, n - 54));
	memcpy(f + 56, &check, 2);
	return n;
}

/* Gives a frame; the only one that leaves is on this port, from and to these addresses, its checksum
 * right. */
static void
expect(struct bed *bed, unsigned port, const uint8_t *frame, unsigned len, unsigned out,
    const char *src, const char *dst, uint8_t *got)
{
	struct bed_plane *plane = &bed->planes[BED_FLOW];
	uint8_t address[16];

	assert_true(bed_give(bed, port, frame, len, 0, 0));
	for (unsigned i = 0; i < BED_PLANES; i++)
		mr_graph_pass(bed->planes[i].graph, 0);
	assert_int_equal(plane->sent_count, 1);
	assert_int_equal(plane->sent[0].port, out);
	assert_int_equal(plane->sent[0].len, len);
	memcpy(got, plane->bytes + plane->sent[0].at, len);
	assert_int_equal(inet_pton(AF_INET6, src, address), 1);
	assert_memory_equal(got + 22, address, 16);
	assert_int_equal(inet_pton(AF_INET6, dst, address), 1);
	assert_memory_equal(got + 38, address, 16);
	assert_int_equal(mr_checksum_l4_verify(got, len), MR_CHECKSUM_GOOD);
	bed_run(bed);
}

static void
both_ways(void **state)
{
	struct bed *bed = bed_open(text, LANES, BED_PLANES);
	uint8_t f[2000], g[2000], back[2000];
	char outside[INET6_ADDRSTRLEN];
	unsigned len;

	bed_run(bed);
	for (unsigned i = 0; i < 20; i++) {
		/* The subnet takes the difference: fd00 + 1 - (2001 + db8 + f), in one's complement. */
		len = udp(f, 0, "fd00:1:0:1::9", "2001:db8:77::1", (uint16_t)(1000 + i % 2),
		    20 + i * 7);
		expect(bed, 0, f, len, 1, "2001:db8:f:cf3a::9", "2001:db8:77::1", g);
		inet_ntop(AF_INET6, g + 22, outside, sizeof(outside));
		len = udp(f, 1, "2001:db8:77::1", outside, (uint16_t)(2000 + i % 2), 30 + i);
		expect(bed, 1, f, len, 0, "2001:db8:77::1", "fd00:1:0:1::9", back);
	}
	/* Errors about them, both ways: what they quote is as their receiver sent it. */
	len = udp(f, 0, "fd00:1:0:1::9", "2001:db8:77::1", 1000, 20);
	expect(bed, 0, f, len, 1, "2001:db8:f:cf3a::9", "2001:db8:77::1", g);
	len = about(back, 1, "2001:db8:88::1", outside, g, len);
	expect(bed, 1, back, len, 0, "2001:db8:88::1", "fd00:1:0:1::9", g);
	assert_memory_equal(g + 62 + 8, f + 22, 32);
	len = udp(f, 1, "2001:db8:77::1", outside, 1000, 20);
	expect(bed, 1, f, len, 0, "2001:db8:77::1", "fd00:1:0:1::9", g);
	len = about(back, 0, "fd00:1:0:1::9", "2001:db8:77::1", g, len);
	expect(bed, 0, back, len, 1, outside, "2001:db8:77::1", g);
	assert_memory_equal(g + 62 + 8, f + 22, 32);
	/* From inside to inside by the outside address. */
	for (unsigned i = 0; i < 4; i++) {
		len = udp(f, 0, "fd00:1:0:1::8", outside, 1000, 20);
		expect(bed, 0, f, len, 0, "2001:db8:f:cf3a::8", "fd00:1:0:1::9", g);
	}
	bed_compare(bed, true);
	assert_true(bed_lane_count(bed, MR_LANE_COUNT_REPLAYED) > 30);
	bed_close(bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(both_ways) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
