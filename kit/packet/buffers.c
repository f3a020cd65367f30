/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/buffers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_COUNT 32768u
#define FREE_AHEAD 8 /* packets whose lines are fetched before they are looked at */

int
mr_buffers_create(struct mr_buffers **out, const struct mr_buffers_config *config,
    struct mr_error *error)
{
	uint32_t count = config->count ? config->count : DEFAULT_COUNT;
	struct mr_arena_config arena_config = {
		.name = "millrace-packets",
		/* The arena's own first line, the buffers, and a line that vector loads may
	     * run into behind the last one. */
		.size = (size_t)count * MR_PACKET_STRIDE + 2 * MR_CACHE_LINE,
		.pages = config->pages,
		.numa_node = config->numa_node,
	};
	struct mr_pool_config pool_config = {
		.name = "packets",
		.shift = MR_PACKET_LINE_SHIFT,
		.stride = MR_PACKET_STRIDE_LINES,
		.count = count,
		.workers = config->workers,
	};
	struct mr_buffers *b;
	void *first;
	int rc;

	*out = NULL;
	if (count > (UINT32_MAX - 1) / MR_PACKET_STRIDE_LINES)
		return mr_error_set(error, -EOVERFLOW, "%u packet buffers: at most %u", count,
		    (UINT32_MAX - 1) / MR_PACKET_STRIDE_LINES);
	b = calloc(1, sizeof(*b));
	if (!b)
		return mr_error_set(error, -ENOMEM, "no memory for the packet buffers' head");
	rc = mr_arena_create(&b->arena, &arena_config, error);
	if (rc) {
		mr_error_prefix(error, "%u packet buffers", count);
		goto fail;
	}
	first = mr_arena_carve(b->arena, (size_t)count * MR_PACKET_STRIDE, MR_CACHE_LINE);
	b->base = b->arena->base;
	b->count = count;
	pool_config.base = b->base;
	pool_config.first = mr_packet_handle(b->base, first);
	rc = mr_pool_create(&b->pool, &pool_config, error);
	if (rc)
		goto fail;
	*out = b;
	return 0;
fail:
	mr_buffers_destroy(b);
	return rc;
}

void
mr_buffers_destroy(struct mr_buffers *b)
{
	if (!b)
		return;
	mr_pool_destroy(b->pool);
	mr_arena_destroy(b->arena);
	free(b);
}

/* The handles of a chain in order; at most MR_PACKET_SEGMENTS_MAX, so that a chain
 * that was tied into a circle ends. `*whole` says that its end was seen. */
static unsigned
chain_handles(const struct mr_buffers *b, uint32_t handle, uint32_t *handles, bool *whole)
{
	unsigned n = 0;

	while (handle != MR_PACKET_NONE && n < MR_PACKET_SEGMENTS_MAX) {
		handles[n++] = handle;
		handle = mr_packet_at(b->base, handle)->next;
	}
	*whole = handle == MR_PACKET_NONE;
	return n;
}

void
mr_packets_free(struct mr_buffers *b, unsigned worker, const uint32_t *handles, unsigned count)
{
	uint32_t chain[MR_PACKET_SEGMENTS_MAX];
	unsigned i, run = 0;
	bool whole;

	for (i = 0; i < MR_MIN(count, (unsigned)FREE_AHEAD); i++)
		mr_prefetch(mr_packet_at(b->base, handles[i]));
	/* Runs of unchained packets go back with one put each, straight from `handles`. */
	for (i = 0; i < count; i++) {
		if (mr_likely(i + FREE_AHEAD < count))
			mr_prefetch(mr_packet_at(b->base, handles[i + FREE_AHEAD]));
		if (mr_likely(mr_packet_at(b->base, handles[i])->next == MR_PACKET_NONE))
			continue;
		if (i > run)
			mr_pool_put(b->pool, worker, handles + run, i - run);
		mr_pool_put(b->pool, worker, chain, chain_handles(b, handles[i], chain, &whole));
		run = i + 1;
	}
	if (count > run)
		mr_pool_put(b->pool, worker, handles + run, count - run);
}

uint32_t
mr_packet_copy(struct mr_buffers *b, unsigned worker, uint32_t handle)
{
	uint32_t from[MR_PACKET_SEGMENTS_MAX], to[MR_PACKET_SEGMENTS_MAX];
	struct mr_packet *src, *dst;
	unsigned i, n;
	bool whole;

	n = chain_handles(b, handle, from, &whole);
	if (!whole || !n || !mr_pool_get(b->pool, worker, to, n))
		return MR_PACKET_NONE;
	for (i = 0; i < n; i++) {
		src = mr_packet_at(b->base, from[i]);
		dst = mr_packet_at(b->base, to[i]);
		*dst = *src;
		dst->next = i + 1 < n ? to[i + 1] : MR_PACKET_NONE;
		memcpy(mr_packet_bytes(dst), mr_packet_bytes_const(src), src->len);
	}
	return to[0];
}

uint32_t
mr_packet_from(struct mr_buffers *b, unsigned worker, const void *bytes, size_t len)
{
	uint32_t to[MR_PACKET_SEGMENTS_MAX];
	const uint8_t *in = bytes;
	struct mr_packet *p;
	size_t left = len, part;
	unsigned i, n;

	if (len > MR_PACKET_TOTAL_MAX)
		return MR_PACKET_NONE;
	n = len ? (unsigned)((len + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM) : 1;
	if (!mr_pool_get(b->pool, worker, to, n))
		return MR_PACKET_NONE;
	for (i = 0; i < n; i++) {
		p = mr_packet_at(b->base, to[i]);
		part = MR_MIN(left, (size_t)MR_PACKET_ROOM);
		mr_packet_init(p, MR_PACKET_DATA, (uint16_t)part, 0, 0);
		if (part)
			memcpy(mr_packet_bytes(p), in, part);
		if (i + 1 < n)
			p->next = to[i + 1];
		in += part;
		left -= part;
	}
	p = mr_packet_at(b->base, to[0]);
	p->total = (uint32_t)len;
	p->segments = (uint16_t)n;
	p->track = 0; /* of no connection yet */
	return to[0];
}

/* Copies between the chain and `out` or `in`, whichever is not null. */
static size_t
chain_copy(const struct mr_buffers *b, uint32_t handle, size_t offset, uint8_t *out,
    const uint8_t *in, size_t len)
{
	struct mr_packet *p;
	size_t done = 0, part;
	unsigned n;

	for (n = 0; handle != MR_PACKET_NONE && done < len && n < MR_PACKET_SEGMENTS_MAX; n++) {
		p = mr_packet_at(b->base, handle);
		handle = p->next;
		if (offset >= p->len) {
			offset -= p->len;
			continue;
		}
		part = MR_MIN(p->len - offset, len - done);
		if (out)
			memcpy(out + done, mr_packet_bytes(p) + offset, part);
		else
			memcpy(mr_packet_bytes(p) + offset, in + done, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t
mr_packet_read(const struct mr_buffers *b, uint32_t handle, size_t offset, void *out, size_t len)
{
	return chain_copy(b, handle, offset, out, NULL, len);
}

size_t
mr_packet_write(struct mr_buffers *b, uint32_t handle, size_t offset, const void *in, size_t len)
{
	return chain_copy(b, handle, offset, NULL, in, len);
}

void
mr_packet_trim(struct mr_buffers *b, unsigned worker, uint32_t handle, unsigned len)
{
	struct mr_packet *p = mr_packet_at(b->base, handle), *at = p;
	unsigned left = len, segments = 1;

	if (len >= p->total)
		return;
	while (left > at->len && at->next != MR_PACKET_NONE) {
		left -= at->len;
		segments++;
		at = mr_packet_at(b->base, at->next);
	}
	at->len = (uint16_t)left;
	if (at->next != MR_PACKET_NONE) {
		mr_packets_free(b, worker, &at->next, 1);
		at->next = MR_PACKET_NONE;
	}
	p->segments = (uint16_t)segments;
	p->total = len;
}

int
mr_packet_pull(struct mr_buffers *b, unsigned worker, uint32_t handle, unsigned len)
{
	struct mr_packet *p = mr_packet_at(b->base, handle), *seg;
	uint32_t empty[MR_PACKET_SEGMENTS_MAX], next = p->next;
	unsigned part, n = 0;

	if (len <= p->len)
		return 0;
	if (len > p->total)
		return -EINVAL;
	if (len > MR_PACKET_STRIDE - MR_PACKET_META_SIZE)
		return -ENOSPC;
	/* Look before touching: the segments must hold what `total` promises. */
	for (part = p->len; part < len && next != MR_PACKET_NONE && n < MR_PACKET_SEGMENTS_MAX;
	     n++) {
		seg = mr_packet_at(b->base, next);
		part += seg->len;
		next = seg->next;
	}
	if (part < len)
		return -EINVAL;
	/* Short of tailroom, headroom gives: as much of it is kept as the bytes leave. */
	if (p->data + len > MR_PACKET_STRIDE) {
		memmove((uint8_t *)p + MR_PACKET_STRIDE - len, mr_packet_bytes(p), p->len);
		p->data = (uint16_t)(MR_PACKET_STRIDE - len);
	}
	for (n = 0; p->len < len;) {
		seg = mr_packet_at(b->base, p->next);
		part = MR_MIN((unsigned)seg->len, len - p->len);
		memcpy(mr_packet_bytes(p) + p->len, mr_packet_bytes(seg), part);
		p->len += (uint16_t)part;
		seg->data += (uint16_t)part;
		seg->len -= (uint16_t)part;
		if (!seg->len) {
			empty[n++] = p->next;
			p->next = seg->next;
			p->segments--;
		}
	}
	if (n)
		mr_pool_put(b->pool, worker, empty, n);
	return 0;
}
