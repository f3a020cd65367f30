/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bare_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/turns.h"
#include "kit/packet/wire.h"

/* Addresses, ports, protocol. */
struct key {
	uint64_t addresses;
	uint32_t ports;
	uint32_t proto;
};

struct entry {
	struct key key; /* protocol 0: free */
	uint8_t macs[2][6];
	uint32_t packets;
};

struct line {
	alignas(MR_CACHE_LINE) struct entry entries[2];
};
static_assert(sizeof(struct line) == MR_CACHE_LINE, "two flows are one line");

struct mr_bench_bare_flow {
	struct line *lines;
	uint64_t mask;
	const uint8_t (*frames)[MR_BENCH_FRAME];
	uint32_t frame_mask, at;
	struct mr_buffers *buffers;
};

mr_inline struct key
key_of(const uint8_t *frame)
{
	struct key k;

	memcpy(&k.addresses, frame + 26, sizeof(k.addresses));
	memcpy(&k.ports, frame + 34, sizeof(k.ports));
	k.proto = frame[23];
	return k;
}

/* Enough for a floor that nobody attacks. */
mr_inline uint64_t
line_of(const struct mr_bench_bare_flow *b, struct key k)
{
	uint64_t h = (k.addresses ^ (uint64_t)k.ports << 17) * UINT64_C(0x9e3779b97f4a7c15);

	h ^= h >> 29;
	h = (h + k.ports + k.proto) * UINT64_C(0xbf58476d1ce4e5b9);
	return h >> 32 & b->mask;
}

mr_inline bool
same(struct key a, struct key b)
{
	return !((a.addresses ^ b.addresses) | (a.ports ^ b.ports) | (a.proto ^ b.proto));
}

/* The flow's place, or the free one where it belongs. */
mr_inline struct entry *
find(const struct mr_bench_bare_flow *b, struct key k, uint64_t at)
{
	struct line *l;

	for (;; at = (at + 1) & b->mask) {
		l = &b->lines[at];
		if (mr_likely(same(l->entries[0].key, k)) || !l->entries[0].key.proto)
			return &l->entries[0];
		if (same(l->entries[1].key, k) || !l->entries[1].key.proto)
			return &l->entries[1];
	}
}

int
mr_bench_bare_flow_open(struct mr_bench_bare_flow **out, const uint8_t (*frames)[MR_BENCH_FRAME],
    uint32_t count, const uint8_t *hops, const uint8_t (*macs)[2][6], struct mr_buffers *buffers)
{
	struct mr_bench_bare_flow *b = calloc(1, sizeof(*b));
	struct entry *e;
	struct key k;
	uint32_t i;

	*out = NULL;
	if (!b)
		return -ENOMEM;
	b->frames = frames;
	b->frame_mask = count - 1;
	b->buffers = buffers;
	b->mask = MR_MAX(count, 16u) - 1;
	b->lines = mr_bench_alloc_large((b->mask + 1) * sizeof(*b->lines));
	if (!b->lines) {
		free(b);
		return -ENOMEM;
	}
	for (i = 0; i < count; i++) {
		k = key_of(frames[i]);
		e = find(b, k, line_of(b, k));
		e->key = k;
		memcpy(e->macs, macs[hops[i]], sizeof(e->macs));
	}
	*out = b;
	return 0;
}

void
mr_bench_bare_flow_close(struct mr_bench_bare_flow *b)
{
	if (!b)
		return;
	free(b->lines);
	free(b);
}

static unsigned
turn(void *user)
{
	struct mr_bench_bare_flow *b = user;
	uint32_t packets[MR_VECTOR_MAX];
	uint64_t at[MR_VECTOR_MAX];
	struct mr_packet *p;
	struct mr_ip4 *ip;
	struct entry *e;
	const uint8_t *frame;
	uint8_t *data;
	uint32_t sum;
	unsigned i, n;

	n = mr_buffers_get(b->buffers, 0, packets, MR_VECTOR_MAX);
	for (i = 0; i < n; i++) {
		p = mr_packet_at(b->buffers->base, packets[i]);
		mr_packet_init(p, MR_PACKET_DATA, MR_BENCH_FRAME, 0, 0);
		/* The copy is still on its way to where it could be read. */
		frame = b->frames[b->at++ & b->frame_mask];
		at[i] = line_of(b, key_of(frame));
		memcpy((uint8_t *)p + MR_PACKET_DATA, frame, MR_BENCH_FRAME);
		mr_prefetch(&b->lines[at[i]]);
	}
	for (i = 0; i < n; i++) {
		data = (uint8_t *)mr_packet_at(b->buffers->base, packets[i]) + MR_PACKET_DATA;
		e = find(b, key_of(data), at[i]);
		e->packets++;
		memcpy(data, e->macs, sizeof(e->macs));
		ip = (struct mr_ip4 *)(data + sizeof(struct mr_eth));
		ip->ttl--;
		/* RFC 1624, for one less in the upper byte. */
		sum = ip->check + (uint32_t)mr_be16(0x0100);
		ip->check = (uint16_t)(sum + (sum >> 16));
	}
	mr_buffers_put(b->buffers, 0, packets, n);
	return n;
}

int
mr_bench_bare_flow_window(struct mr_bench_bare_flow *b, struct mr_bench_run *run, double *value,
    struct mr_error *error)
{
	return mr_bench_turns(run, turn, b, value, error);
}
