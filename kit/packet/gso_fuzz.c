/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A super-frame as a guest might send it: 8 bytes of promises, then the frame. Byte 0: GSO
 * and checksum flags; 1-2: gso_size; 3-4: MTU; 5: csum_start; 6: bytes of the
 * first segments; 7: payload bytes added, in units of 64. Whatever comes out, the payload must be conserved,
 * checksums that are finished must be right, and every buffer accounted for.
 */
#include <stdint.h>
#include <stdlib.h>

#include "kit/packet/checksum.h"
#include "kit/packet/gso.h"
#include "kit/packet/parse.h"

#define PIECES 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

/* A chain of segments of `step` bytes (0: as they fit). */
static uint32_t
load(struct mr_buffers *b, const uint8_t *bytes, unsigned len, unsigned step)
{
	uint32_t first = MR_PACKET_NONE, handle;
	struct mr_packet *p, *last = NULL;
	unsigned done = 0, part, segments = 0;

	do {
		require(mr_buffers_get(b, 0, &handle, 1));
		p = mr_packet_at(b->base, handle);
		part = step && segments < 4 ? step : MR_PACKET_ROOM;
		part = MR_MIN(part, len - done);
		mr_packet_init(p, MR_PACKET_DATA, (uint16_t)part, 0, 0);
		memcpy(mr_packet_bytes(p), bytes + done, part);
		done += part;
		segments++;
		if (last)
			last->next = handle;
		else
			first = handle;
		last = p;
	} while (done < len);
	p = mr_packet_at(b->base, first);
	p->total = len;
	p->segments = (uint16_t)segments;
	return first;
}

static struct mr_buffers *
buffers(void)
{
	static struct mr_buffers *b;
	struct mr_buffers_config config = { .count = 1024, .workers = 1, .numa_node = -1 };
	struct mr_error error;

	if (!b)
		require(mr_buffers_create(&b, &config, &error) == 0);
	return b;
}

/* The payload of what was cut, in a packet that ends at `end`: in a tunnel csum_start says where its
 * layer 4 is. */
static unsigned
payload_of(const uint8_t *bytes, const struct mr_parsed *at, unsigned start, unsigned offset)
{
	if (!start)
		return at->end - at->payload;
	return at->end - start - (offset == 16 ? (bytes[start + 12] >> 4) * 4u : 8);
}

/* Of the outermost packet; a tunnel over IPv6 may do without. */
static bool
may_be_unsummed(const struct mr_packet *p, const struct mr_parsed *at, unsigned start)
{
	if (at->flags & MR_PARSED_EXTENSIONS)
		return true;
	return start && at->proto == MR_IP_PROTO_UDP &&
	    mr_load_be16(mr_packet_bytes_const(p) + at->l4 + 6) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[4096 + 255 * 64];
	struct mr_buffers *b = buffers();
	uint32_t handle, out[PIECES];
	unsigned len, payload = 0, start = 0, offset = 0;
	struct mr_parsed at;
	struct mr_packet *p;
	int i, n;

	if (size < 8 || size > 4096)
		return 0;
	len = (unsigned)size - 8;
	memcpy(bytes, data + 8, len);
	memset(bytes + len, 0x5a, data[7] * 64u);
	len += data[7] * 64u;
	if (len == 0)
		return 0;
	handle = load(b, bytes, len, data[6]);
	p = mr_packet_at(b->base, handle);
	p->flags = data[0] & (MR_PACKET_GSO | MR_PACKET_CSUM_PARTIAL | MR_PACKET_CSUM_GOOD);
	p->gso_size = mr_load_be16(data + 1);
	p->csum_start = data[5];
	p->csum_offset = 16;
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && mr_parse(&at, bytes, len, len) == MR_PARSE_OK &&
	    data[5] > at.l4)
		start = data[5];
	n = mr_gso_segment_with(b, 0, handle, mr_load_be16(data + 3), data[0] >> 7, out, PIECES);
	if (n < 0) {
		mr_checksum_complete(b, handle);
		mr_checksum_packet_verify(b, handle);
		mr_packets_free(b, 0, &handle, 1);
	} else {
		require(n >= 1 && n <= PIECES);
		for (i = 0; i < n; i++) {
			p = mr_packet_at(b->base, out[i]);
			require(!(p->flags & MR_PACKET_GSO));
			if (n == 1)
				continue;
			require(mr_parse(&at, mr_packet_bytes(p), p->len, p->total) == MR_PARSE_OK);
			require(at.end == p->total);
			require(!start || p->csum_start == start);
			offset = p->csum_offset;
			payload += payload_of(mr_packet_bytes(p), &at, start, offset);
			if (!(p->flags & MR_PACKET_CSUM_PARTIAL))
				require(mr_checksum_packet_verify(b, out[i]) != MR_CHECKSUM_BAD ||
				    may_be_unsummed(p, &at, start));
		}
		if (n > 1) {
			require(mr_parse(&at, bytes, len, len) == MR_PARSE_OK);
			require(payload == payload_of(bytes, &at, start, offset));
		}
		mr_packets_free(b, 0, out, (unsigned)n);
	}
	require(mr_pool_used(b->pool) == 0);
	return 0;
}
