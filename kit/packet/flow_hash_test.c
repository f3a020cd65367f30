/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/packet/flow_hash.h"

struct buffer {
	struct mr_packet p;
	uint8_t bytes[256];
};

/* An Ethernet frame with `tags` VLAN tags around an IPv4 UDP header. */
static struct mr_packet *
udp4(struct buffer *b, unsigned tags, uint32_t source, uint16_t port, uint16_t id,
    uint16_t fragment)
{
	uint8_t *p = b->bytes;
	unsigned at = 12;

	memset(b, 0, sizeof(*b));
	mr_packet_init(&b->p, MR_PACKET_META_SIZE, 0, 0, 0);
	for (unsigned i = 0; i < tags; i++, at += 4) {
		p[at] = 0x81;
		p[at + 3] = 7;
	}
	p[at] = 0x08;
	p += at + 2;
	p[0] = 0x45;
	memcpy(p + 4, &id, 2);
	p[6] = (uint8_t)(fragment >> 8);
	p[7] = (uint8_t)fragment;
	p[9] = 17;
	memcpy(p + 12, &source, 4);
	memcpy(p + 20, &port, 2);
	b->p.len = (uint16_t)(at + 2 + 28);
	return &b->p;
}

static void
test_same_flow_same_hash(void **state)
{
	struct buffer a, b;

	assert_int_equal(mr_packet_flow_hash(udp4(&a, 0, 1, 2, 3, 0)),
	    mr_packet_flow_hash(udp4(&b, 0, 1, 2, 4, 0)));
	assert_int_equal(mr_packet_flow_hash(udp4(&a, 0, 1, 2, 3, 0)),
	    mr_packet_flow_hash(udp4(&b, 2, 1, 2, 3, 0)));
	assert_int_not_equal(mr_packet_flow_hash(udp4(&a, 0, 1, 2, 3, 0)),
	    mr_packet_flow_hash(udp4(&b, 0, 1, 3, 3, 0)));
	/* The first piece has ports, the second has not; both must go one way. */
	assert_int_equal(mr_packet_flow_hash(udp4(&a, 0, 1, 2, 3, 0x2000)),
	    mr_packet_flow_hash(udp4(&b, 0, 1, 9, 3, 0x0010)));
}

static void
test_spreads(void **state)
{
	unsigned bins[8] = { 0 };
	struct buffer b;

	for (uint32_t i = 0; i < 8000; i++)
		bins[(uint64_t)mr_packet_flow_hash(udp4(&b, 0, i << 24, (uint16_t)i, 0, 0)) * 8 >>
		    32]++;
	for (unsigned i = 0; i < 8; i++)
		assert_in_range(bins[i], 850, 1150);
}

static void
test_short_frames(void **state)
{
	/* Each length in a block of its own, so that a sanitizer sees a byte too far. */
	for (unsigned len = 0; len < 64; len++) {
		struct mr_packet *p = calloc(1, sizeof(*p) + len);

		mr_packet_init(p, MR_PACKET_META_SIZE, (uint16_t)len, 0, 0);
		if (len > 14) {
			mr_packet_bytes(p)[12] = 0x08;
			mr_packet_bytes(p)[14] = 0x4f;
		}
		mr_packet_flow_hash(p);
		free(p);
	}
	struct buffer b;

	udp4(&b, 0, 1, 2, 3, 0);
	b.p.flags = MR_PACKET_HASHED;
	b.p.hash = 42;
	assert_int_equal(mr_packet_flow_hash(&b.p), 42);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_flow_same_hash),
		cmocka_unit_test(test_spreads),
		cmocka_unit_test(test_short_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
