/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/packet/parse_packets_int.h"
#include "kit/packet/print.h"

static unsigned
unhex(uint8_t *out, const char *hex)
{
	unsigned n = 0, byte;

	for (; hex[0]; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

static const struct parse_case *
find(const char *name)
{
	for (size_t i = 0; i < MR_ARRAY_COUNT(plain_cases); i++)
		if (strcmp(plain_cases[i].name, name) == 0)
			return &plain_cases[i];
	for (size_t i = 0; i < MR_ARRAY_COUNT(tunnel_cases); i++)
		if (strcmp(tunnel_cases[i].name, name) == 0)
			return &tunnel_cases[i];
	fail_msg("no case %s", name);
	return NULL;
}

static void
test_lines(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name, *line;
	} want[] = {
		{ "tcp4",
		    "10.0.0.1:1000 > 10.0.0.2:80 TCP [P.] seq 0 ack 0 win 8192 len 32, 86 bytes" },
		{ "tcp4-options",
		    "10.0.0.1:1000 > 10.0.0.2:80 TCP [S] seq 0 win 8192 len 0, 74 bytes" },
		{ "udp4", "10.0.0.1:2000 > 10.0.0.2:53 UDP len 32, 74 bytes" },
		{ "icmp4-echo", "10.0.0.1 > 10.0.0.2 ICMP echo request id 4660 seq 7, 74 bytes" },
		{ "icmp4-unreachable", "10.0.0.1 > 10.0.0.2 ICMP unreachable code 1, 70 bytes" },
		{ "udp4-length-high", "10.0.0.1 > 10.0.0.2 UDP (udp-length), 74 bytes" },
		{ "ip4-later-fragment",
		    "10.0.0.1 > 10.0.0.2 UDP fragment id 77 offset 40, 66 bytes" },
		{ "ip4-other-proto", "10.0.0.1 > 10.0.0.2 OSPF, 66 bytes" },
		{ "vlan", "vlan 100, 10.0.0.1:2000 > 10.0.0.2:53 UDP len 32, 78 bytes" },
		{ "qinq",
		    "vlan 10, vlan 20, [2001:db8::1]:1000 > [2001:db8::2]:80 TCP [P.] seq 0 ack 0 "
		    "win 8192 len 32, 114 bytes" },
		{ "icmp6-ns",
		    "2001:db8::1 > 2001:db8::2 ICMPv6 neighbour solicitation 2001:db8::2, "
		    "78 bytes" },
		{ "stp", "02:00:00:00:00:01 > 01:80:c2:00:00:00 LLC length 38, 52 bytes" },
		{ "unknown-type", "02:00:00:00:00:01 > 02:00:00:00:00:02 LLDP, 46 bytes" },
		{ "eth-short", "(eth-short), 13 bytes" },
		{ "ip4-version",
		    "02:00:00:00:00:01 > 02:00:00:00:00:02 IPv4 (ip4-version), 42 bytes" },
		{ "vxlan",
		    "10.0.0.1:7 > 10.0.0.2:4789 VXLAN 1193046: 10.0.0.1:1000 > 10.0.0.2:80 TCP "
		    "[P.] seq 0 ack 0 win 8192 len 32, 136 bytes" },
		{ "gre-short", "10.0.0.1 > 10.0.0.2 GRE: (gre-short), 41 bytes" },
		{ "6in4",
		    "10.0.0.1 > 10.0.0.2 IPv6: [2001:db8::1]:2000 > [2001:db8::2]:53 UDP len 32, "
		    "114 bytes" },
		{ "pppoe-lcp", "02:00:00:00:00:01 > 02:00:00:00:00:02 PPPoE 119: data, 54 bytes" },
	};
	/* clang-format on */

	for (size_t i = 0; i < MR_ARRAY_COUNT(want); i++) {
		char text[MR_PACKET_PRINT_MAX];
		uint8_t f[2048];
		unsigned len = unhex(f, find(want[i].name)->hex);

		assert_int_equal(mr_packet_print(text, sizeof(text), f, len), strlen(want[i].line));
		assert_string_equal(text, want[i].line);
	}
}

static void
test_arp(void **state)
{
	uint8_t f[42] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0,
		0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2 };
	char text[MR_PACKET_PRINT_MAX];

	mr_packet_print(text, sizeof(text), f, sizeof(f));
	assert_string_equal(text, "ARP who-has 10.0.0.2 tell 10.0.0.1, 42 bytes");
	f[21] = 2;
	mr_packet_print(text, sizeof(text), f, sizeof(f));
	assert_string_equal(text, "ARP 10.0.0.1 is-at 02:00:00:00:00:01, 42 bytes");
}

/* Never past the end of the text, nor of the packet, and always closed. */
static void
test_room(void **state)
{
	for (size_t i = 0; i < MR_ARRAY_COUNT(tunnel_cases); i++) {
		uint8_t f[2048], *piece;
		unsigned len = unhex(f, tunnel_cases[i].hex);

		for (unsigned n = 0; n <= len; n += 3) {
			size_t room = n * 2 % 200;
			char *text = malloc(room ? room : 1);

			piece = malloc(n ? n : 1);
			memcpy(piece, f, n);
			mr_packet_print(text, room, piece, n);
			if (room)
				assert_true(strlen(text) < room);
			mr_packet_print_first(text, room, piece, n, len);
			if (room)
				assert_true(strlen(text) < room);
			free(piece);
			free(text);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
