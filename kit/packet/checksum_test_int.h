/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_CHECKSUM_TEST_INT_H
#define MR_KIT_PACKET_CHECKSUM_TEST_INT_H

/*
 * For the tests of checksums only: the slow and obvious oracles, a reproducible source of
 * bytes, and chains in buffers that need no pool.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/packet/buffers.h"
#include "kit/packet/checksum.h"
#include "kit/packet/crc32c.h"

/* The oracle: RFC 1071 read aloud, one big-endian word at a time. Returns the
 * folded sum in host order of a big-endian reader. */
static inline uint16_t
slow_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static inline uint32_t
slow_crc32c(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;
	int bit;

	for (; len > 0; p++, len--) {
		crc ^= *p;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static uint32_t seed = 1;

static inline uint32_t
draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static inline void
fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)draw();
}

/* A chain cut at random places, in buffers of our own: no pool is needed to read it. */
static inline uint32_t
chain(struct mr_buffers *b, const uint8_t *bytes, unsigned len, unsigned most)
{
	uint32_t first = MR_PACKET_STRIDE_LINES, handle = first;
	struct mr_packet *p = NULL, *head = mr_packet_at(b->base, first);
	unsigned part, done = 0, segments = 0;

	do {
		part = most ? draw() % (most + 1) : len;
		part = MR_MIN(part, len - done);
		if (p)
			p->next = handle;
		p = mr_packet_at(b->base, handle);
		mr_packet_init(p, (uint16_t)(MR_PACKET_DATA + draw() % 4), (uint16_t)part, 0, 0);
		memcpy(mr_packet_bytes(p), bytes + done, part);
		done += part;
		handle += MR_PACKET_STRIDE_LINES;
		segments++;
	} while (done < len);
	head->total = len;
	head->segments = (uint16_t)segments;
	return first;
}

static inline void
unchain(const struct mr_buffers *b, uint32_t handle, uint8_t *out)
{
	while (handle) {
		struct mr_packet *p = mr_packet_at(b->base, handle);

		memcpy(out, mr_packet_bytes(p), p->len);
		out += p->len;
		handle = p->next;
	}
}

static inline int
setup(void **state)
{
	static struct mr_buffers b;

	b.count = 4000;
	b.base = aligned_alloc(MR_CACHE_LINE, (size_t)(b.count + 1) * MR_PACKET_STRIDE);
	*state = &b;
	return b.base ? 0 : -1;
}

static inline int
teardown(void **state)
{
	struct mr_buffers *b = *state;

	free(b->base);
	return 0;
}

#endif
