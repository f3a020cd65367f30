/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The translator on any bytes. The first says how many of them are one frame's first segment, and what
 * the packet is to become is drawn from the rest: nothing is read or written outside, and what is refused is as it
 * was.
 */
#include <stdlib.h>

#include "kit/packet/wire.h"
#include "nf/xlat/xlat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
	do { \
		if (!(x)) \
			abort(); \
	} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_buffers *buffers;
	struct xlat_to to = { .mtu4 = 1500, .mtu6 = 1500 };
	struct xlat_pass pass = { 0 };
	enum xlat_result result;
	struct mr_packet *p;
	struct xlat x;
	uint32_t packet;
	uint8_t flags;

	if (size < 1 || size > 1600)
		return 0;
	if (!buffers)
		CHECK(!mr_buffers_create(&buffers,
		    &(struct mr_buffers_config){ .count = 64,
			.workers = 1,
			.numa_node = -1,
			.pages = MR_ARENA_4K },
		    NULL));
	pass.buffers = buffers;
	flags = data[0];
	data++;
	size--;
	for (unsigned i = 0; i < sizeof(to.outer.src); i++) {
		to.outer.src[i] = to.quoted.dst[i] = size > i ? data[size - i - 1] : 0;
		to.outer.dst[i] = to.quoted.src[i] = (uint8_t)(i * 7);
	}
	to.outer.sport = to.quoted.dport = 0x1234;
	packet = mr_packet_from(buffers, 0, data, size);
	CHECK(packet != MR_PACKET_NONE);
	p = mr_packet_at(buffers->base, packet);
	/* Frames that end where their buffer does, and begin where it does. */
	if (flags & 1)
		p->flags = MR_PACKET_CSUM_GOOD;
	result = xlat_read(&x, p, 14);
	if (!result) {
		if ((flags & 2) && !x.six)
			x.outer.fragment = true;
		result = xlat_write(&pass, packet, &x, &to);
	}
	if (result)
		CHECK(p->len == size && (!size || memcmp(mr_packet_bytes(p), data, size) == 0));
	else
		CHECK(p->total == p->len && p->len <= MR_PACKET_STRIDE - p->data &&
		    mr_packet_bytes(p)[14] >> 4 == (x.six ? 4 : 6));
	mr_packets_free(buffers, 0, &packet, 1);
	return 0;
}
