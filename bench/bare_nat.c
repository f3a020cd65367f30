/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bare_nat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bare_key.h"
#include "bench/turns.h"
#include "kit/packet/wire.h"

struct entry {
	MR_CACHE_ALIGNED struct mr_bench_key key; /* protocol 0: free */
	uint8_t macs[2][6];
	be32_t address;
	be16_t port;
	uint16_t sum4, sum; /* what is to be added to the checksums */
	uint16_t check;     /* where the latter stands, from the header on */
	uint32_t packets;
};
static_assert(sizeof(struct entry) == MR_CACHE_LINE, "a flow is a line");

struct mr_bench_bare_nat {
	struct entry *entries;
	uint64_t mask;
	const uint8_t (*frames)[MR_BENCH_FRAME];
	uint32_t frame_mask, at;
	struct mr_buffers *buffers;
};

/* The flow's place, or the free one where it belongs. */
mr_inline struct entry *
find(const struct mr_bench_bare_nat *b, struct mr_bench_key k, uint64_t at)
{
	struct entry *e = &b->entries[at];

	while (!mr_likely(mr_bench_key_same(e->key, k)) && e->key.proto) {
		at = (at + 1) & b->mask;
		e = &b->entries[at];
	}
	return e;
}

mr_inline uint64_t
place_of(const struct mr_bench_bare_nat *b, const uint8_t *frame)
{
	return mr_bench_key_hash(mr_bench_key_of(frame)) & b->mask;
}

/* The sum of a checksum's words that change from one value to another (RFC 1624). */
static uint32_t
change(uint32_t from, uint32_t to, unsigned words)
{
	uint32_t sum = 0;

	for (; words; words--, from >>= 16, to >>= 16)
		sum += (uint16_t)~from + (to & 0xffff);
	return sum;
}

mr_inline uint16_t
fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* Sources become 65,536 ports each of as many addresses as that takes. */
static void
fill(struct mr_bench_bare_nat *b, const struct mr_bench_traffic *traffic, const uint8_t *hops)
{
	const struct mr_ip4 *ip;
	const struct mr_udp *udp;
	struct mr_bench_key k;
	struct entry *e;
	be16_t ttl[2];

	for (uint32_t i = 0; i < traffic->count; i++) {
		ip = (const struct mr_ip4 *)(traffic->frames[i] + sizeof(struct mr_eth));
		udp = (const struct mr_udp *)(ip + 1);
		k = mr_bench_key_of(traffic->frames[i]);
		e = find(b, k, mr_bench_key_hash(k) & b->mask);
		*e = (struct entry){ .key = k };
		memcpy(e->macs, traffic->macs[hops[i]], sizeof(e->macs));
		e->address = mr_be32(0xcb007100 + (i >> 16));
		e->port = mr_be16((uint16_t)i);
		e->check = ip->proto == 6 ? 16 : 6;
		memcpy(&ttl[0], &ip->ttl, 2);
		ttl[1] = (be16_t)(ttl[0] - mr_be16(0x0100));
		e->sum4 = fold(change(ip->src, e->address, 2) + change(ttl[0], ttl[1], 1));
		e->sum = fold(change(ip->src, e->address, 2) + change(udp->src, e->port, 1));
	}
}

int
mr_bench_bare_nat_open(struct mr_bench_bare_nat **out, const struct mr_bench_traffic *traffic,
    struct mr_buffers *buffers, struct mr_error *error)
{
	struct mr_bench_bare_nat *b = *out = calloc(1, sizeof(*b));
	uint8_t *hops = mr_bench_traffic_hops(traffic);

	if (b) {
		*b = (struct mr_bench_bare_nat){ .mask = 2 * (uint64_t)traffic->count - 1,
			.frames = traffic->frames,
			.frame_mask = traffic->count - 1,
			.buffers = buffers };
		b->entries = mr_bench_alloc_large((b->mask + 1) * sizeof(*b->entries));
	}
	if (b && b->entries && hops) {
		fill(b, traffic, hops);
		free(hops);
		return 0;
	}
	free(hops);
	mr_bench_bare_nat_close(b);
	*out = NULL;
	return mr_error_set(error, -ENOMEM, "no memory for the floor's table");
}

void
mr_bench_bare_nat_close(struct mr_bench_bare_nat *b)
{
	if (!b)
		return;
	free(b->entries);
	free(b);
}

mr_inline void
translate(struct entry *e, uint8_t *frame)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(frame + sizeof(struct mr_eth));
	struct mr_udp *udp = (struct mr_udp *)(ip + 1);
	uint16_t check;

	e->packets++;
	memcpy(frame, e->macs, sizeof(e->macs));
	ip->ttl--;
	ip->src = e->address;
	ip->check = (uint16_t)~fold((uint16_t)~ip->check + (uint32_t)e->sum4);
	udp->src = e->port;
	memcpy(&check, (uint8_t *)udp + e->check, sizeof(check));
	check = (uint16_t)~fold((uint16_t)~check + (uint32_t)e->sum);
	memcpy((uint8_t *)udp + e->check, &check, sizeof(check));
}

bool
mr_bench_bare_nat_frame(struct mr_bench_bare_nat *b, uint8_t frame[MR_BENCH_FRAME])
{
	struct entry *e = find(b, mr_bench_key_of(frame), place_of(b, frame));

	if (e->key.proto)
		translate(e, frame);
	return e->key.proto;
}

static unsigned
turn(void *user)
{
	struct mr_bench_bare_nat *b = user;
	uint32_t packets[MR_VECTOR_MAX];
	uint64_t at[MR_VECTOR_MAX];
	struct mr_packet *p;
	const uint8_t *frame;
	uint8_t *data;
	unsigned i, n;

	n = mr_buffers_get(b->buffers, 0, packets, MR_VECTOR_MAX);
	for (i = 0; i < n; i++) {
		p = mr_packet_at(b->buffers->base, packets[i]);
		mr_packet_init(p, MR_PACKET_DATA, MR_BENCH_FRAME, 0, 0);
		/* The copy is still on its way to where it could be read. */
		frame = b->frames[b->at++ & b->frame_mask];
		at[i] = place_of(b, frame);
		memcpy((uint8_t *)p + MR_PACKET_DATA, frame, MR_BENCH_FRAME);
		mr_prefetch(&b->entries[at[i]]);
	}
	for (i = 0; i < n; i++) {
		data = (uint8_t *)mr_packet_at(b->buffers->base, packets[i]) + MR_PACKET_DATA;
		translate(find(b, mr_bench_key_of(data), at[i]), data);
	}
	mr_buffers_put(b->buffers, 0, packets, n);
	return n;
}

int
mr_bench_bare_nat_window(struct mr_bench_bare_nat *b, struct mr_bench_run *run, double *value,
    struct mr_error *error)
{
	return mr_bench_turns(run, turn, b, value, error);
}
