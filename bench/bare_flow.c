/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bare_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bare_key.h"
#include "bench/turns.h"
#include "bench/vxlan.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"

#define AROUND MR_BENCH_VXLAN_AROUND
#define WRAPPED_STRIDE 128u /* of frames with headers around them */

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
	enum mr_bench_around around;
	uint8_t *wrapped; /* the same frames as they come in, or null */
	uint8_t head[AROUND];
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

/* False: no memory for the frames as they come in. */
static bool
wrap(struct mr_bench_bare_flow *b, const struct mr_bench_traffic *traffic)
{
	if (b->around != MR_BENCH_UNWRAPS)
		return true;
	b->wrapped = mr_bench_alloc_large((size_t)traffic->count * WRAPPED_STRIDE);
	for (uint32_t i = 0; b->wrapped && i < traffic->count; i++)
		mr_bench_vxlan_write(b->wrapped + (size_t)i * WRAPPED_STRIDE, traffic->frames[i]);
	return b->wrapped != NULL;
}

int
mr_bench_bare_flow_open(struct mr_bench_bare_flow **out, const struct mr_bench_traffic *traffic,
    struct mr_buffers *buffers, enum mr_bench_around around, struct mr_error *error)
{
	struct mr_bench_bare_flow *b = *out = calloc(1, sizeof(*b));
	uint8_t *hops = mr_bench_traffic_hops(traffic);

	if (b) {
		*b = (struct mr_bench_bare_flow){ .mask = traffic->count - 1,
			.frames = traffic->frames,
			.frame_mask = traffic->count - 1,
			.buffers = buffers,
			.around = around };
		mr_bench_vxlan_head(b->head, true, 0);
		b->lines = mr_bench_alloc_large((b->mask + 1) * sizeof(*b->lines));
	}
	if (b && b->lines && hops && wrap(b, traffic)) {
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
	free(b->wrapped);
	free(b);
}

/* The flow's own of the outer headers: its port, lengths and IPv4's checksum. */
mr_inline void
put_around(const struct mr_bench_bare_flow *b, uint8_t *data, uint64_t hash)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(data + sizeof(struct mr_eth));
	struct mr_udp *udp = (struct mr_udp *)(ip + 1);

	memcpy(data, b->head, AROUND);
	udp->src = mr_be16((uint16_t)(0xc000u | (hash & 0x3fff)));
	ip->total_len = mr_be16(MR_BENCH_FRAME + AROUND - sizeof(struct mr_eth));
	udp->len = mr_be16(MR_BENCH_FRAME + AROUND - sizeof(struct mr_eth) - sizeof(*ip));
	ip->check = 0;
	ip->check = mr_checksum_ipv4_header(ip);
}

/* Whether it is for the tunnel; all are. */
mr_inline bool
is_ours(const struct mr_bench_bare_flow *b, const uint8_t *data)
{
	const uint8_t *ip = data + sizeof(struct mr_eth);

	/* The remote end's address, ours, the port, the network. */
	return memcmp(ip + 16, b->head + sizeof(struct mr_eth) + 12, 4) == 0 &&
	    memcmp(ip + 12, b->head + sizeof(struct mr_eth) + 16, 4) == 0 &&
	    memcmp(ip + 22, b->head + sizeof(struct mr_eth) + 22, 2) == 0 &&
	    memcmp(data + AROUND - 8, b->head + AROUND - 8, 8) == 0;
}

/* In and out of tunnels, as below. */
mr_inline unsigned
turn_around(struct mr_bench_bare_flow *b, const bool out)
{
	unsigned n, len = out ? MR_BENCH_FRAME : MR_BENCH_FRAME + AROUND;
	uint32_t packets[MR_VECTOR_MAX];
	uint64_t at[MR_VECTOR_MAX];

	n = mr_buffers_get(b->buffers, 0, packets, MR_VECTOR_MAX);
	for (unsigned i = 0; i < n; i++) {
		struct mr_packet *p = mr_packet_at(b->buffers->base, packets[i]);
		uint32_t k = b->at++ & b->frame_mask;
		const uint8_t *frame = b->frames[k];

		mr_packet_init(p, MR_PACKET_DATA, (uint16_t)len, 0, 0);
		/* The copy is still on its way to where it could be read. */
		at[i] = mr_bench_key_hash(mr_bench_key_of(frame));
		memcpy((uint8_t *)p + MR_PACKET_DATA,
		    out ? frame : b->wrapped + (size_t)k * WRAPPED_STRIDE, len);
		mr_prefetch(&b->lines[at[i] & b->mask]);
	}
	for (unsigned i = 0; i < n; i++) {
		struct mr_packet *p = mr_packet_at(b->buffers->base, packets[i]);
		uint8_t *data = mr_packet_bytes(p);
		struct entry *e;
		struct mr_ip4 *ip;
		uint32_t sum;

		if (!out) {
			if (!is_ours(b, data))
				continue;
			data += AROUND;
			p->data += AROUND;
		}
		e = find(b, mr_bench_key_of(data), at[i] & b->mask);
		e->packets++;
		memcpy(data, e->macs, sizeof(e->macs));
		ip = (struct mr_ip4 *)(data + sizeof(struct mr_eth));
		ip->ttl--;
		sum = ip->check + (uint32_t)mr_be16(0x0100);
		ip->check = (uint16_t)(sum + (sum >> 16));
		if (out) {
			p->data -= AROUND;
			put_around(b, data - AROUND, at[i]);
		}
		p->total = p->len = (uint16_t)(out ? len + AROUND : MR_BENCH_FRAME);
	}
	mr_buffers_put(b->buffers, 0, packets, n);
	return n;
}

static unsigned
turn_out(void *user)
{
	return turn_around(user, true);
}

static unsigned
turn_in(void *user)
{
	return turn_around(user, false);
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
	return mr_bench_turns(run,
	    b->around == MR_BENCH_WRAPS         ? turn_out
		: b->around == MR_BENCH_UNWRAPS ? turn_in
						: turn,
	    b, value, error);
}
