/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_DRIVER_INT_H
#define MR_KIT_PORT_DRIVER_INT_H

/*
 * What the drivers of this folder share: taking buffers, writing a fresh packet's
 * line, freeing bursts.
 *
 * Threads: each call is for the worker that owns the queue at hand.
 */

#include <string.h>

#include "kit/base/counter.h"
#include "kit/port/port.h"

/* Up to `want` buffers: the pool gives all or nothing, so ask for less and less. */
mr_inline unsigned
port_take(struct mr_buffers *b, unsigned worker, uint32_t *handles, unsigned want)
{
	for (; want; want /= 2)
		if (mr_likely(mr_buffers_get(b, worker, handles, want)))
			return want;
	return 0;
}

/* mr_packet_init by whole words: port and queue come prepared from port_origin. */
mr_inline uint64_t
port_origin(uint16_t port, uint16_t queue)
{
	return (uint64_t)port | (uint64_t)queue << 16;
}

mr_inline void
port_fresh(struct mr_packet *p, uint16_t len, uint64_t origin)
{
	uint64_t *words = (uint64_t *)p;

	/* Not a memcpy from an array: gcc 12 builds that on the stack with 8-byte stores
	 * and reads it back with 16-byte loads, which wait for the stores to retire. */
	words[0] = MR_PACKET_DATA | (uint64_t)len << 16;
	words[1] = len | 1ull << 32;
	words[2] = origin;
	words[3] = 0;
}

/* Copies whole cache lines; both sides are line-aligned and have room up to the next one. */
mr_inline void
port_copy_lines(void *to, const void *from, size_t len)
{
	uint8_t *out = __builtin_assume_aligned(to, MR_CACHE_LINE);
	const uint8_t *in = __builtin_assume_aligned(from, MR_CACHE_LINE);
	size_t at = 0;

	do {
		memcpy(out + at, in + at, MR_CACHE_LINE);
		at += MR_CACHE_LINE;
	} while (at < len);
}

/* Frees what a burst named, in bulk when nothing of it is chained. Returns its bytes. */
mr_inline uint64_t
port_swallow(struct mr_buffers *b, unsigned worker, const uint32_t *packets, unsigned count)
{
	uint64_t bytes = 0;
	uint32_t chained = 0;
	unsigned i;

	for (i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(b->base, packets[i]);

		bytes += p->total;
		chained |= p->next;
	}
	if (mr_likely(!chained))
		mr_buffers_put(b, worker, packets, count);
	else
		mr_packets_free(b, worker, packets, count);
	return bytes;
}

/* mr_port_settle for other capabilities than the port's. */
unsigned port_settle_for(struct mr_port *, uint32_t caps, unsigned worker, const uint32_t *in,
    unsigned count, unsigned *consumed, uint32_t *out, unsigned room, uint32_t *failures,
    unsigned *failed);

#endif
