/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bare_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bare_key.h"
#include "bench/turns.h"
#include "kit/packet/wire.h"

struct entry {
	struct mr_bench_key key; /* protocol 0: free */
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

/* The flow's place, or the free one where it belongs. */
mr_inline struct entry *
find(const struct mr_bench_bare_flow *b, struct mr_bench_key k, uint64_t at)
{
	struct line *l;

	for (;; at = (at + 1) & b->mask) {
		l = &b->lines[at];
		if (mr_likely(mr_bench_key_same(l->entries[0].key, k)) || !l->entries[0].key.proto)
			return &l->entries[0];
		if (mr_bench_key_same(l->entries[1].key, k) || !l->entries[1].key.proto)
			return &l->entries[1];
	}
}

static void
fill(struct mr_bench_bare_flow *b, const struct mr_bench_traffic *traffic, const uint8_t *hops)
{
	struct mr_bench_key k;
	struct entry *e;

	for (uint32_t i = 0; i < traffic->count; i++) {
		k = mr_bench_key_of(traffic->frames[i]);
		e = find(b, k, mr_bench_key_hash(k) & b->mask);
		e->key = k;
		memcpy(e->macs, traffic->macs[hops[i]], sizeof(e->macs));
	}
}

int
mr_bench_bare_flow_open(struct mr_bench_bare_flow **out, const struct mr_bench_traffic *traffic,
    struct mr_buffers *buffers, struct mr_error *error)
{
	struct mr_bench_bare_flow *b = *out = calloc(1, sizeof(*b));
	uint8_t *hops = mr_bench_traffic_hops(traffic);

	if (b) {
		*b = (struct mr_bench_bare_flow){ .mask = traffic->count - 1,
			.frames = traffic->frames,
			.frame_mask = traffic->count - 1,
			.buffers = buffers };
		b->lines = mr_bench_alloc_large((b->mask + 1) * sizeof(*b->lines));
	}
	if (b && b->lines && hops) {
		fill(b, traffic, hops);
		free(hops);
		return 0;
	}
	free(hops);
	mr_bench_bare_flow_close(b);
	*out = NULL;
	return mr_error_set(error, -ENOMEM, "no memory for the floor's table");
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
		at[i] = mr_bench_key_hash(mr_bench_key_of(frame)) & b->mask;
		memcpy((uint8_t *)p + MR_PACKET_DATA, frame, MR_BENCH_FRAME);
		mr_prefetch(&b->lines[at[i]]);
	}
	for (i = 0; i < n; i++) {
		data = (uint8_t *)mr_packet_at(b->buffers->base, packets[i]) + MR_PACKET_DATA;
		e = find(b, mr_bench_key_of(data), at[i]);
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
