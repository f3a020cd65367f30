/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_BUFFERS_H
#define MR_KIT_PACKET_BUFFERS_H

/*
 * The packet buffers of a data plane: one arena, cut into coloured buffers of
 * MR_PACKET_STRIDE bytes, handed out and taken back in bulk through per-worker
 * caches (kit/base/pool.h).
 *
 * Ownership: a handle belongs to whoever got it until put, freed or handed on.
 * Threads: `worker` names a cache and may be used by one thread at a time;
 * MR_POOL_SHARED goes past the caches and is safe from any thread.
 * Errors: running out is not an error but a return value: mr_buffers_get gives
 * all it was asked for or nothing. In builds with AddressSanitizer a buffer that
 * was put is poisoned.
 */

#include "kit/base/arena.h"
#include "kit/base/pool.h"
#include "kit/packet/packet.h"

struct mr_buffers {
	uint8_t *base; /* the arena's base: what handles count from */
	struct mr_pool *pool;
	struct mr_arena *arena; /* ours */
	uint32_t count;
};

struct mr_buffers_config {
	uint32_t count;            /* buffers; 0: 32,768 */
	uint16_t workers;          /* caches */
	enum mr_arena_pages pages; /* MR_ARENA_AUTO: the best there is */
	int numa_node;             /* -1: anywhere */
};

MR_API int mr_buffers_create(struct mr_buffers **out, const struct mr_buffers_config *,
    struct mr_error *);
MR_API void mr_buffers_destroy(struct mr_buffers *);

/* `count` raw buffers, all or none; the metadata line is not initialised. */
mr_inline unsigned
mr_buffers_get(struct mr_buffers *b, unsigned worker, uint32_t *handles, unsigned count)
{
	return mr_pool_get(b->pool, worker, handles, count);
}

/* Gives back buffers that are not chained. */
mr_inline void
mr_buffers_put(struct mr_buffers *b, unsigned worker, const uint32_t *handles, unsigned count)
{
	mr_pool_put(b->pool, worker, handles, count);
}

/* Frees packets, their whole chains included. */
MR_API void mr_packets_free(struct mr_buffers *, unsigned worker, const uint32_t *handles,
    unsigned count);

/* A copy of the bytes (chained if need be) and of the first 32 bytes of metadata
 * and the scratch; MR_PACKET_NONE when the pool is empty. The headroom is kept. */
MR_API uint32_t mr_packet_copy(struct mr_buffers *, unsigned worker, uint32_t handle);

/* A packet of `len` bytes (up to MR_PACKET_TOTAL_MAX) from memory, port and queue 0. */
MR_API uint32_t mr_packet_from(struct mr_buffers *, unsigned worker, const void *bytes, size_t len);

/* Copies `len` bytes from `offset` of the chain out or in; returns how many fit the packet. */
MR_API size_t mr_packet_read(const struct mr_buffers *, uint32_t handle, size_t offset, void *out,
    size_t len);
MR_API size_t mr_packet_write(struct mr_buffers *, uint32_t handle, size_t offset, const void *in,
    size_t len);

/* Cuts the packet to its first `len` bytes; segments beyond them are freed. A shorter packet stays
 * as it is. */
MR_API void mr_packet_trim(struct mr_buffers *, unsigned worker, uint32_t handle, unsigned len);

/* Makes the first `len` bytes contiguous in the first segment (parsers want
 * their headers in one piece). -ENOSPC when a segment cannot hold them, -EINVAL when
 * the packet is shorter. */
MR_API int mr_packet_pull(struct mr_buffers *, unsigned worker, uint32_t handle, unsigned len);

#endif
