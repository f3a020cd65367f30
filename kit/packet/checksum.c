/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/checksum_int.h"

#include <errno.h>

#include "kit/packet/buffers.h"
#include "kit/packet/crc32c.h"

typedef uint64_t vector __attribute__((vector_size(32)));

/* One body, compiled for the baseline (a vector is two registers) and for AVX2. The
 * 32-bit halves of each word go into 64-bit accumulators, so nothing carries. */
mr_inline uint64_t
add_body(uint64_t sum, const uint8_t *p, size_t len)
{
	vector low = { 0 }, high = { 0 }, low2 = { 0 }, high2 = { 0 }, v, v2;
	uint64_t wide;
	uint32_t word;
	uint16_t half;

	if (len >= 2 * sizeof(v)) {
		do {
			memcpy(&v, p, sizeof(v));
			memcpy(&v2, p + sizeof(v), sizeof(v2));
			low += v & UINT32_MAX;
			high += v >> 32;
			low2 += v2 & UINT32_MAX;
			high2 += v2 >> 32;
			p += 2 * sizeof(v);
			len -= 2 * sizeof(v);
		} while (len >= 2 * sizeof(v));
		low += low2 + high + high2;
		sum += low[0] + low[1] + low[2] + low[3];
	}
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&wide, p, 8);
		sum += (wide & UINT32_MAX) + (wide >> 32);
	}
	if (len >= 4) {
		memcpy(&word, p, 4);
		sum += word;
		p += 4;
		len -= 4;
	}
	if (len >= 2) {
		memcpy(&half, p, 2);
		sum += half;
		p += 2;
		len -= 2;
	}
	return len ? sum + *p : sum;
}

uint64_t
mr_checksum_add_portable(uint64_t sum, const void *bytes, size_t len)
{
	return add_body(sum, bytes, len);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t
add_avx2(uint64_t sum, const void *bytes, size_t len)
{
	return add_body(sum, bytes, len);
}
#endif

uint64_t
mr_checksum_add(uint64_t sum, const void *bytes, size_t len)
{
#if defined(__x86_64__)
	/* Below this the wider registers win nothing. */
	if (len >= 128 && __builtin_cpu_supports("avx2"))
		return add_avx2(sum, bytes, len);
#endif
	return add_body(sum, bytes, len);
}

int
mr_checksum_add_chain(uint64_t *sum, const struct mr_buffers *b, uint32_t handle, unsigned offset,
    unsigned len)
{
	const struct mr_packet *p;
	unsigned part, done = 0;
	uint64_t piece, all = 0;

	while (len > 0) {
		if (handle == MR_PACKET_NONE)
			return -EINVAL;
		p = mr_packet_at(b->base, handle);
		handle = p->next;
		if (offset >= p->len) {
			offset -= p->len;
			continue;
		}
		part = MR_MIN(p->len - offset, len);
		piece = mr_checksum_add(0, mr_packet_bytes_const(p) + offset, part);
		/* A piece that starts at an odd place has its words the other way round. */
		all += done & 1 ? __builtin_bswap16(mr_checksum_fold(piece)) : piece;
		done += part;
		len -= part;
		offset = 0;
	}
	*sum += all;
	return 0;
}

int
mr_checksum_crc32c_chain(uint32_t *crc, const struct mr_buffers *b, uint32_t handle,
    unsigned offset, unsigned len)
{
	const struct mr_packet *p;
	unsigned part;

	while (len > 0) {
		if (handle == MR_PACKET_NONE)
			return -EINVAL;
		p = mr_packet_at(b->base, handle);
		handle = p->next;
		if (offset >= p->len) {
			offset -= p->len;
			continue;
		}
		part = MR_MIN(p->len - offset, len);
		*crc = mr_crc32c_add(*crc, mr_packet_bytes_const(p) + offset, part);
		len -= part;
		offset = 0;
	}
	return 0;
}

/* The byte at `offset` of a chain, or null: the field may straddle two segments. */
static uint8_t *
byte_at(struct mr_buffers *b, uint32_t handle, unsigned offset)
{
	struct mr_packet *p;

	while (handle != MR_PACKET_NONE) {
		p = mr_packet_at(b->base, handle);
		if (offset < p->len)
			return mr_packet_bytes(p) + offset;
		offset -= p->len;
		handle = p->next;
	}
	return NULL;
}

int
mr_checksum_complete(struct mr_buffers *b, uint32_t handle)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	unsigned i, start = p->csum_start, field = start + p->csum_offset;
	bool crc = p->csum_offset == offsetof(struct mr_sctp, check);
	unsigned size = crc ? 4 : 2;
	uint8_t *at[4], value[4];
	uint32_t sum32 = MR_CRC32C_SEED;
	uint64_t sum = 0;
	be16_t check;
	int r;

	if (!(p->flags & MR_PACKET_CSUM_PARTIAL))
		return 0;
	if (field + size > p->total)
		return -EINVAL;
	for (i = 0; i < size; i++) {
		at[i] = byte_at(b, handle, field + i);
		if (!at[i])
			return -EINVAL;
	}
	if (crc) {
		static const uint8_t zero[4];

		r = mr_checksum_crc32c_chain(&sum32, b, handle, start, field - start);
		if (r == 0) {
			sum32 = mr_crc32c_add(sum32, zero, sizeof(zero));
			r = mr_checksum_crc32c_chain(&sum32, b, handle, field + 4,
			    p->total - field - 4);
		}
		sum32 = mr_crc32c_finish(sum32);
		memcpy(value, &sum32, 4);
	} else {
		r = mr_checksum_add_chain(&sum, b, handle, start, p->total - start);
		check = mr_checksum_finish_udp(sum);
		memcpy(value, &check, 2);
	}
	if (r < 0)
		return r;
	for (i = 0; i < size; i++)
		*at[i] = value[i];
	p->flags &= (uint16_t)~MR_PACKET_CSUM_PARTIAL;
	return 0;
}
