/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/edit_words.h"
#include "cmd/packet_build.h"
#include "kit/packet/wire.h"

static void
begin(struct mr_shadow *s, const char *a, const char *b)
{
	const char *const words[] = { "src=10.0.0.1", a, b };
	struct mr_packet_build p;
	struct mr_error error;

	if (mr_packet_build(&p, words, 3, &error))
		fail_msg("%s", error.text);
	mr_shadow_begin(s, p.frame, p.len);
}

/* What a router does: TTL, then a new Ethernet header. */
static void
test_routed(void **state)
{
	static const uint8_t header[14] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0 };
	mr_edit_line lines[MR_EDIT_LINES_MAX];
	struct mr_shadow s;

	begin(&s, "dst=10.0.0.2", "udp");
	mr_shadow_ttl(&s, 14, 4, lines[0]);
	assert_string_equal(lines[0], "IPv4 TTL 64 -> 63");
	/* The source stays as it was: nothing to say. */
	assert_int_equal(mr_shadow_set(&s, 0, header, 14, lines), 1);
	assert_string_equal(lines[0],
	    "Ethernet destination 00:00:00:00:00:00 -> 02:00:00:00:00:09");
	mr_shadow_ttl(&s, 14, 4, lines[0]);
	assert_string_equal(lines[0], "IPv4 TTL 63 -> 62");
}

static void
test_tags(void **state)
{
	static const uint8_t tag[4] = { 0x81, 0, 0x60, 10 };
	static const uint8_t header[14] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0 };
	mr_edit_line lines[MR_EDIT_LINES_MAX];
	struct mr_shadow s;

	begin(&s, "dst=10.0.0.2", "udp");
	mr_shadow_push(&s, 12, 4);
	assert_int_equal(mr_shadow_set(&s, 12, tag, 4, lines), 1);
	assert_string_equal(lines[0], "tag 802.1Q, VLAN 10, priority 3");
	mr_shadow_ttl(&s, 18, 4, lines[0]);
	assert_string_equal(lines[0], "IPv4 TTL 64 -> 63");
	/* A shorter header in front: what stood there was none of these fields. */
	mr_shadow_pop(&s, 0, 4);
	assert_int_equal(mr_shadow_set(&s, 0, header, 14, lines), 3);
	assert_string_equal(lines[0], "Ethernet destination 02:00:00:00:00:09");
	assert_string_equal(lines[2], "Ethernet type 0x0800");
	mr_shadow_ttl(&s, 14, 4, lines[0]);
	assert_string_equal(lines[0], "IPv4 TTL 63 -> 62");
}

static void
test_fields(void **state)
{
	mr_edit_line lines[MR_EDIT_LINES_MAX];
	const uint8_t addresses[8] = { 192, 0, 2, 1, 10, 0, 0, 2 };
	const uint8_t port[2] = { 0x1f, 0x90 };
	const uint8_t odd[3] = { 1, 2, 3 };
	struct mr_shadow s;

	begin(&s, "dst=10.0.0.2", "dport=80");
	assert_int_equal(mr_shadow_set(&s, 26, addresses, 8, lines), 1);
	assert_string_equal(lines[0], "IPv4 source 10.0.0.1 -> 192.0.2.1");
	assert_int_equal(mr_shadow_set(&s, 36, port, 2, lines), 1);
	assert_string_equal(lines[0], "UDP destination port 80 -> 8080");
	/* Half a field, bytes of the payload, and bytes that are not followed. */
	assert_int_equal(mr_shadow_set(&s, 35, odd, 1, lines), 1);
	assert_string_equal(lines[0], "byte 35 set to 01");
	assert_int_equal(mr_shadow_set(&s, 60, odd, 3, lines), 1);
	assert_string_equal(lines[0], "bytes 60-62 set to 010203");
	assert_int_equal(mr_shadow_set(&s, 254, odd, 3, lines), 1);
	assert_string_equal(lines[0], "bytes 254-256 set to 010203");
	assert_int_equal(mr_shadow_set(&s, 65535, odd, 3, lines), 1);
	mr_shadow_ttl(&s, 250, 4, lines[0]);
	assert_string_equal(lines[0], "IPv4 TTL less by one");
}

/* Any bytes and any edits: for the sanitizers. */
static void
test_anything(void **state)
{
	mr_edit_line lines[MR_EDIT_LINES_MAX];
	uint8_t bytes[MR_SHADOW_MAX + 44];
	struct mr_shadow s;
	unsigned seed = 7;

	for (unsigned n = 0; n < 3000; n++) {
		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)((seed = seed * 69069 + 1) >> 24);
		if (n % 2)
			memcpy(bytes + 12, n % 4 == 1 ? "\x81\x00\x00\x01\x08\x00" : "\x86\xdd",
			    n % 4 == 1 ? 6 : 2);
		mr_shadow_begin(&s, bytes, (seed >> 8) % sizeof(bytes));
		for (unsigned i = 0; i < 20; i++) {
			unsigned at = (seed = seed * 69069 + 1) >> 16, len = (seed >> 8) % 300;

			at = i % 4 ? at % 64 : at % 65536;
			switch (seed >> 30) {
			case 0:
				assert_true(mr_shadow_set(&s, at, bytes + 20, len % 17, lines) <=
				    MR_EDIT_LINES_MAX);
				break;
			case 1:
				mr_shadow_push(&s, at, len);
				break;
			case 2:
				mr_shadow_pop(&s, at, len);
				break;
			default:
				mr_shadow_ttl(&s, at, i % 2 ? 4 : 6, lines[0]);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routed),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
