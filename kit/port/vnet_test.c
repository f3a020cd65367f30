/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/port_test_int.h"

#include "kit/port/vnet_int.h"

/* What the kernel says about a frame of 100 bytes, and what becomes of it. */
static void
test_to_packet(void **state)
{
	static const struct {
		struct vnet_header h;
		unsigned shift;
		bool good;
		uint16_t flags, start, gso_size;
	} cases[] = {
		{ { 0 }, 0, true, 0, 0, 0 },
		{ { .flags = VNET_DATA_VALID }, 0, true, MR_PACKET_CSUM_GOOD, 0, 0 },
		{ { .flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 }, 0, true,
		    MR_PACKET_CSUM_PARTIAL, 34, 0 },
		{ { .flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 }, 4, true,
		    MR_PACKET_CSUM_PARTIAL, 38, 0 },
		{ { .flags = VNET_NEEDS_CSUM, .csum_start = 82, .csum_offset = 16 }, 0, true,
		    MR_PACKET_CSUM_PARTIAL, 82, 0 },
		{ { .flags = VNET_NEEDS_CSUM, .csum_start = 83, .csum_offset = 16 }, 0, false, 0, 0,
		    0 },
		{ { .flags = VNET_NEEDS_CSUM, .csum_start = 82, .csum_offset = 16 }, 4, false, 0, 0,
		    0 },
		{ { .flags = VNET_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535 }, 4, false,
		    0, 0, 0 },
		{ { .flags = VNET_NEEDS_CSUM,
		      .csum_start = 34,
		      .csum_offset = 16,
		      .gso_size = 10,
		      .gso_type = 1 },
		    0, true, MR_PACKET_CSUM_PARTIAL | MR_PACKET_GSO_TCP4, 34, 10 },
		{ { .flags = VNET_NEEDS_CSUM,
		      .csum_start = 34,
		      .csum_offset = 16,
		      .gso_size = 10,
		      .gso_type = 0x84 },
		    0, true, MR_PACKET_CSUM_PARTIAL | MR_PACKET_GSO_TCP6, 34, 10 },
		{ { .flags = VNET_NEEDS_CSUM,
		      .csum_start = 34,
		      .csum_offset = 6,
		      .gso_size = 10,
		      .gso_type = 5 },
		    0, true, MR_PACKET_CSUM_PARTIAL | MR_PACKET_GSO_UDP, 34, 10 },
		{ { .flags = VNET_NEEDS_CSUM,
		      .csum_start = 34,
		      .csum_offset = 6,
		      .gso_size = 10,
		      .gso_type = 3 },
		    0, false, 0, 0, 0 },
		{ { .flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16, .gso_type = 1 },
		    0, false, 0, 0, 0 },
		{ { .gso_size = 10, .gso_type = 1 }, 0, false, 0, 0, 0 },
	};
	size_t i;

	for (i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct mr_packet p = { 0 };

		mr_packet_init(&p, MR_PACKET_DATA, 100, 0, 0);
		if (vnet_to_packet(&cases[i].h, &p, cases[i].shift) != cases[i].good)
			fail_msg("case %zu", i);
		if (cases[i].good &&
		    (p.flags != cases[i].flags || p.csum_start != cases[i].start ||
			p.gso_size != cases[i].gso_size))
			fail_msg("case %zu: flags %x, start %u, size %u", i, p.flags, p.csum_start,
			    p.gso_size);
	}
}

static void
test_from_packet(void **state)
{
	struct mr_buffers *b = test_buffers(256);
	uint8_t bytes[4000] = { 0 };
	struct vnet_header h;
	struct mr_packet *p;
	uint32_t handle;

	bytes[34 + 12] = 8 << 4; /* a TCP header of 32 bytes */
	handle = mr_packet_from(b, 0, bytes, sizeof(bytes));
	p = mr_packet_at(b->base, handle);
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), 0);
	assert_int_equal(h.flags | h.gso_type | h.gso_size, 0);
	p->flags = MR_PACKET_CSUM_GOOD;
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), 0);
	assert_int_equal(h.flags, VNET_DATA_VALID);
	p->flags = MR_PACKET_CSUM_PARTIAL | MR_PACKET_GSO_TCP4;
	p->csum_start = 34;
	p->csum_offset = 16;
	p->gso_size = 700;
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), 0);
	assert_int_equal(h.flags, VNET_NEEDS_CSUM);
	assert_int_equal(h.gso_type, VNET_GSO_TCP4);
	assert_int_equal(h.gso_size, 700);
	assert_int_equal(h.header_len, 66);
	assert_int_equal(h.csum_start, 34);
	assert_int_equal(h.csum_offset, 16);
	/* The source did not say: as the MTU wants. */
	p->gso_size = 0;
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), 0);
	assert_int_equal(h.gso_size, 1448);
	/* What is one piece only is no super-frame. */
	p->gso_size = 4000 - 66;
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), 0);
	assert_int_equal(h.gso_type | h.gso_size, 0);
	p->flags = MR_PACKET_CSUM_PARTIAL | MR_PACKET_GSO_UDP;
	p->gso_size = 1000;
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), 0);
	assert_int_equal(h.gso_type, VNET_GSO_UDP_L4);
	assert_int_equal(h.header_len, 42);
	/* Lines that do not fit the bytes. */
	p->csum_start = 3999;
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), -EINVAL);
	p->flags = MR_PACKET_CSUM_PARTIAL | MR_PACKET_GSO_TCP4;
	p->csum_start = 3980;
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), -EINVAL);
	p->flags = MR_PACKET_GSO_TCP4;
	p->csum_start = 34;
	assert_int_equal(vnet_from_packet(&h, b, handle, 1500), -EINVAL);
	mr_packets_free(b, 0, &handle, 1);
	mr_buffers_destroy(b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_packet),
		cmocka_unit_test(test_from_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
