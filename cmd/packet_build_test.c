/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/packet_build.h"
#include "kit/base/hex.h"
#include "kit/packet/checksum.h"
#include "kit/packet/print.h"

#define WORDS_MAX 16

static int
build(struct mr_packet_build *b, const char *text, struct mr_error *error)
{
	static char copy[512];
	const char *words[WORDS_MAX];
	unsigned n = 0;
	char *rest;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		words[n++] = w;
	return mr_packet_build(b, words, n, error);
}

static void
test_as_printed(void **state)
{
	static const struct {
		const char *text, *printed;
		bool has_dmac;
	} cases[] = {
		{ "dst=10.0.0.2", "192.0.2.1 > 10.0.0.2 ICMP echo request id 1 seq 1, 100 bytes",
		    false },
		{ "src=10.0.0.1 dst=10.1.2.3 proto=udp sport=1000 dport=53 len=64",
		    "10.0.0.1:1000 > 10.1.2.3:53 UDP len 22, 64 bytes", false },
		{ "src=10.0.0.1 dst=10.1.2.3 dport=443 flags=syn,ack vlan=7 len=90",
		    "vlan 7, 10.0.0.1:49152 > 10.1.2.3:443 TCP [S.] seq 1 ack 0 win 65535 len 32, "
		    "90 bytes",
		    false },
		{ "dst=2001:db8::2 src=2001:db8::9 icmp-type=129",
		    "2001:db8::9 > 2001:db8::2 ICMPv6 echo reply id 1 seq 1, 100 bytes", false },
		{ "dst=2001:db8::2 tcp dmac=02:00:00:00:00:05",
		    "[2001:db8::1]:49152 > [2001:db8::2]:80 TCP [S] seq 1 win 65535 len 26, 100 "
		    "bytes",
		    true },
		{ "arp src=10.0.0.9 dst=10.0.0.1", "ARP who-has 10.0.0.1 tell 10.0.0.9, 60 bytes",
		    true },
	};
	struct mr_packet_build b;
	struct mr_error error;
	char printed[MR_PACKET_PRINT_MAX];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		if (build(&b, cases[i].text, &error))
			fail_msg("%s: %s", cases[i].text, error.text);
		mr_packet_print(printed, sizeof(printed), b.frame, b.len);
		assert_string_equal(printed, cases[i].printed);
		assert_int_equal(b.has_dmac, cases[i].has_dmac);
	}
}

/* One byte by byte, as scapy makes it. */
static void
test_bytes(void **state)
{
	static const char expected[] = "ffffffffffff 020000000005 8100 0fa0 0800 "
				       "45b8 001c 0007 4000 0311 ab67 0a000001 c0a80102 "
				       "0035 1388 0008 2076";
	uint8_t bytes[64];
	struct mr_packet_build b;
	struct mr_error error;
	long len = mr_hex_read(expected, strlen(expected), bytes, sizeof(bytes));

	assert_int_equal(
	    build(&b,
		"dmac=broadcast smac=02:00:00:00:00:05 vlan=4000 tos=0xb8 id=7 df ttl=3 udp "
		"src=10.0.0.1 dst=192.168.1.2 sport=53 dport=5000 len=46",
		&error),
	    0);
	assert_int_equal(b.len, len);
	assert_memory_equal(b.frame, bytes, (size_t)len);
}

/* By the sum of any words of the right kind. */
static void
test_checksums(void **state)
{
	static const char *const to[] = { "10.9.8.7", "2001:db8:7::1" };
	static const char *const what[] = { "icmp", "icmp6", "tcp", "udp" };
	struct mr_packet_build b;
	struct mr_error error;
	char text[128];

	for (unsigned len = 74; len < 400; len += 7) {
		for (unsigned i = 0; i < 8; i++) {
			unsigned family = i % 2, kind = i / 2;

			if (kind == !family)
				continue; /* the other version's ICMP */
			snprintf(text, sizeof(text), "dst=%s %s len=%u", to[family], what[kind],
			    len);
			assert_int_equal(build(&b, text, &error), 0);
			assert_int_equal(mr_checksum_l4_verify(b.frame, b.len), MR_CHECKSUM_GOOD);
			if (!family)
				assert_true(mr_checksum_ipv4_header_good(
				    (const struct mr_ip4 *)(b.frame + 14)));
			strcat(text, " bad-l4-checksum");
			assert_int_equal(build(&b, text, &error), 0);
			assert_int_equal(mr_checksum_l4_verify(b.frame, b.len), MR_CHECKSUM_BAD);
		}
	}
	assert_int_equal(build(&b, "dst=10.0.0.1 bad-checksum", &error), 0);
	assert_false(mr_checksum_ipv4_header_good((const struct mr_ip4 *)(b.frame + 14)));
}

static void
test_fragments(void **state)
{
	struct mr_packet_build b;
	struct mr_error error;

	assert_int_equal(build(&b, "dst=10.0.0.1 udp frag=0+", &error), 0);
	assert_int_equal(mr_load_be16(b.frame + 20), 0x2000);
	assert_int_equal(mr_load_be16(b.frame + 36), 9);
	assert_int_equal(build(&b, "dst=10.0.0.1 udp frag=1480 id=9 len=42", &error), 0);
	assert_int_equal(mr_load_be16(b.frame + 20), 185);
	assert_int_equal(mr_load_be16(b.frame + 18), 9);
	assert_int_equal(build(&b, "dst=2001:db8::1 tcp frag=1448+", &error), 0);
	assert_int_equal(b.frame[20], 44);
	assert_int_equal(b.frame[54], 6);
	assert_int_equal(mr_load_be16(b.frame + 56), 1449);
	assert_int_equal(mr_load_be16(b.frame + 18), b.len - 54);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "dst=ADDRESS" },
		{ "src=10.0.0.1", "dst=ADDRESS" },
		{ "dts=10.0.0.1", "did you mean \"dst\"" },
		{ "wholly-unknown-and-far-too-long-for-a-field=1", "no field" },
		{ "dst=10.0.0", "10.0.0 is not an IPv4 or IPv6 address" },
		{ "dst=10.0.0.1 dst=10.0.0.2", "said twice" },
		{ "dst=10.0.0.1 src=2001:db8::1", "different IP versions" },
		{ "dst=10.0.0.1 ttl=256", "ttl=256: 256 is not a number from 0 to 255" },
		{ "dst=10.0.0.1 ttl=-1", "not a number" },
		{ "dst=10.0.0.1 ttl=", "not a number" },
		{ "dst=10.0.0.1 ttl", "ttl needs a value" },
		{ "dst=10.0.0.1 df=1", "df takes no value" },
		{ "dst=10.0.0.1 proto=upd", "not a protocol" },
		{ "dst=10.0.0.1 proto=256", "0 to 255" },
		{ "dst=10.0.0.1 udp tcp", "two protocols" },
		{ "dst=10.0.0.1 icmp sport=1", "ports belong" },
		{ "dst=10.0.0.1 udp flags=syn", "flags belong" },
		{ "dst=10.0.0.1 udp icmp-type=3", "belong to icmp" },
		{ "dst=10.0.0.1 flags=sync", "fin, syn" },
		{ "dst=10.0.0.1 frag=7", "multiple of 8" },
		{ "dst=10.0.0.1 frag=+", "multiple of 8" },
		{ "dst=10.0.0.1 len=20", "too short" },
		{ "dst=10.0.0.1 len=41", "too short" },
		{ "dst=10.0.0.1 len=9217", "0 to 9216" },
		{ "dst=10.0.0.1 tcp len=0", "too short" },
		{ "dst=10.0.0.1 smac=02:00:00:00:00", "not an Ethernet address" },
		{ "dst=10.0.0.1 dmac=02:00:00:00:00:01:02", "not an Ethernet address" },
		{ "dst=2001:db8::1 df", "IPv6 headers have none" },
		{ "dst=2001:db8::1 arp", "IPv4 address" },
		{ "type=0x88b5 len=13", "too short" },
	};
	struct mr_packet_build b;
	struct mr_error error;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		if (build(&b, cases[i].text, &error) != -EINVAL)
			fail_msg("\"%s\" is taken", cases[i].text);
		if (!strstr(error.text, cases[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, error.text,
			    cases[i].says);
	}
}

/* Any words, of any length: within the frame, and either a packet or a text. */
static void
test_any_words(void **state)
{
	static const char *const pieces[] = { "dst=", "src=", "10.0.0.1", "2001:db8::1", "=",
		"len=", "14", "9216", "frag=", "8", "+", "vlan=", "4095", "tcp", "udp", "arp",
		"type=", "flags=", "syn", ",", "proto=", "255", " ", " ", " ", "icmp-type=", "\xff",
		"x" };
	struct mr_packet_build b;
	struct mr_error error;
	unsigned seed = 1, good = 0;
	char text[512];

	for (unsigned n = 0; n < 20000; n++) {
		text[0] = '\0';
		if (n % 2)
			strcpy(text, "dst=10.0.0.1 ");
		for (unsigned i = 0; i < n % 10; i++) {
			seed = seed * 69069 + 1;
			strcat(text, pieces[(seed >> 16) % MR_ARRAY_COUNT(pieces)]);
		}
		error.text[0] = '\0';
		if (build(&b, text, &error) == 0)
			good += b.len <= MR_PACKET_BUILD_MAX;
		else
			assert_true(error.text[0]);
	}
	assert_true(good > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_printed),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_any_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
