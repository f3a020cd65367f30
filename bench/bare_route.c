/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bare_route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/turns.h"
#include "kit/graph/graph.h"
#include "kit/packet/wire.h"

#define AHEAD 32 /* frames */

/* IPv4: an entry is a next hop, or with this bit the number of a node below. */
#define MORE4 0x8000u
/* IPv6: an entry is the number of a node's first entry, or with this bit a next hop; the entry
 * of that number says the same again, so that those who have arrived may go on. */
#define LEAF 0x80000000u
#define NODES_MAX ((size_t)1 << 30) /* entries; memory only where written */
#define ROOT 256u

struct header {
	alignas(16) uint8_t bytes[16]; /* 12 used */
};

struct mr_bench_bare_route {
	struct mr_buffers *buffers;
	const uint8_t (*frames)[MR_BENCH_FRAME];
	uint32_t at, mask; /* the next frame */
	bool ip6;
	/* [MR_BENCH_HOPS] is of what has no route. */
	struct header headers[MR_BENCH_HOPS + 1];
	/* IPv4. */
	uint16_t *upper; /* [1 << 24] */
	uint16_t *lower; /* [lower_count][256] */
	uint32_t lower_count;
	/* IPv6: all nodes in one array: the leaves, the root, the others. */
	uint32_t *nodes;
	size_t used; /* entries */
};

static int
fill4(struct mr_bench_bare_route *b, const struct mr_bench_route *r)
{
	uint32_t address = (uint32_t)r->address[0] << 24 | (uint32_t)r->address[1] << 16 |
	    (uint32_t)r->address[2] << 8 | r->address[3];
	uint32_t at = address >> 8, end, i;
	uint16_t *node, *grown;

	if (r->len <= 24) {
		for (end = at + (1u << (24 - r->len)); at < end; at++)
			b->upper[at] = r->hop;
		return 0;
	}
	if (!(b->upper[at] & MORE4)) {
		grown = b->lower_count < MORE4
		    ? realloc(b->lower, (b->lower_count + 1) * 256 * sizeof(*grown))
		    : NULL;
		if (!grown)
			return -ENOMEM;
		b->lower = grown;
		for (i = 0; i < 256; i++)
			b->lower[b->lower_count * 256 + i] = b->upper[at];
		b->upper[at] = (uint16_t)(MORE4 | b->lower_count++);
	}
	node = b->lower + (b->upper[at] & ~MORE4) * 256;
	for (i = address & 255, end = i + (1u << (32 - r->len)); i < end; i++)
		node[i] = r->hop;
	return 0;
}

/* Bits of the steps: which of the address's first 64 decide on a node's entry. */
enum { SKIP = 3, STEP0 = 21, STEP = 8 };

static unsigned
step(unsigned depth)
{
	return depth == SKIP ? STEP0 : STEP;
}

/* `count` bits from bit `depth` on. */
static uint32_t
bits_at(const uint8_t *address, unsigned depth, unsigned count)
{
	uint32_t value = 0;
	unsigned i;

	for (i = depth; i < depth + count; i++)
		value = value << 1 | (address[i / 8] >> (7 - i % 8) & 1);
	return value;
}

/* A node whose entries all say the same; 0: no room. */
static uint32_t
add_node(struct mr_bench_bare_route *b, unsigned bits, uint32_t value)
{
	size_t first = b->used, i;

	if (b->used + (1u << bits) > NODES_MAX)
		return 0;
	b->used += 1u << bits;
	for (i = first; i < b->used; i++)
		b->nodes[i] = value;
	return (uint32_t)first;
}

static int
fill6(struct mr_bench_bare_route *b, const struct mr_bench_route *r)
{
	unsigned depth = SKIP, bits = STEP0, i;
	uint32_t node = ROOT, *entry;

	if (r->len < SKIP || r->address[0] >> (8 - SKIP) != 1)
		return 0; /* not a global unicast address */
	for (;;) {
		entry = &b->nodes[node + bits_at(r->address, depth, bits)];
		if (r->len <= depth + bits)
			break;
		depth += bits;
		bits = step(depth);
		if (*entry & LEAF) {
			*entry = add_node(b, bits, *entry);
			if (!*entry)
				return -ENOMEM;
		}
		node = *entry;
	}
	for (i = 0; i < 1u << (depth + bits - r->len); i++)
		entry[i] = LEAF | r->hop;
	return 0;
}

/* Routes come in ascending order of length, so that a longer one only has to overwrite. */
static int
fill(struct mr_bench_bare_route *b, const struct mr_bench_routes *routes)
{
	size_t i;
	int rc = 0;

	if (b->ip6) {
		b->nodes = mmap(NULL, NODES_MAX * sizeof(*b->nodes), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (b->nodes == MAP_FAILED) {
			b->nodes = NULL;
			return -ENOMEM;
		}
		madvise(b->nodes, NODES_MAX * sizeof(*b->nodes), MADV_HUGEPAGE);
		for (i = 0; i <= MR_BENCH_HOPS; i++)
			b->nodes[i] = LEAF | (uint32_t)i;
		b->used = ROOT;
		add_node(b, STEP0, LEAF | MR_BENCH_HOPS);
	} else {
		b->upper = mr_bench_alloc_large((1 << 24) * sizeof(*b->upper));
		if (!b->upper)
			return -ENOMEM;
		for (i = 0; i < 1 << 24; i++)
			b->upper[i] = MR_BENCH_HOPS;
	}
	for (i = 0; i < routes->count && rc == 0; i++)
		rc = b->ip6 ? fill6(b, &routes->routes[i]) : fill4(b, &routes->routes[i]);
	return rc;
}

int
mr_bench_bare_route_open(struct mr_bench_bare_route **out,
    const struct mr_bench_bare_route_config *config, struct mr_error *error)
{
	struct mr_bench_bare_route *b = aligned_alloc(64, MR_ALIGN_UP(sizeof(*b), 64));
	unsigned i;
	int rc;

	*out = NULL;
	if (!b)
		return mr_error_set(error, -ENOMEM, "no memory for the floor");
	memset(b, 0, sizeof(*b));
	b->buffers = config->buffers;
	b->frames = config->frames;
	b->mask = config->frame_count - 1;
	b->ip6 = config->routes->bits == 128;
	for (i = 0; i < MR_BENCH_HOPS; i++)
		memcpy(b->headers[i].bytes, config->macs[i], 12);
	rc = fill(b, config->routes);
	if (rc < 0) {
		mr_bench_bare_route_close(b);
		return mr_error_set(error, rc, "no memory for the floor's table");
	}
	*out = b;
	return 0;
}

void
mr_bench_bare_route_close(struct mr_bench_bare_route *b)
{
	if (!b)
		return;
	free(b->upper);
	free(b->lower);
	if (b->nodes)
		munmap(b->nodes, NODES_MAX * sizeof(*b->nodes));
	free(b);
}

mr_inline uint16_t
find4(const struct mr_bench_bare_route *b, uint32_t address)
{
	uint16_t entry = b->upper[address >> 8];

	if (mr_unlikely(entry & MORE4))
		entry = b->lower[(entry & ~MORE4) * 256 + (address & 255)];
	return entry;
}

/* The hop of an address whose entry is known down to `depth`. */
mr_inline uint32_t
finish6(const struct mr_bench_bare_route *b, const uint8_t *address, unsigned depth, uint32_t entry)
{
	for (; mr_unlikely(!(entry & LEAF)); depth += STEP)
		entry = b->nodes[entry + address[depth / 8]];
	return entry & ~LEAF;
}

unsigned
mr_bench_bare_route_find(const struct mr_bench_bare_route *b, const uint8_t *address)
{
	uint32_t entry = ROOT;
	unsigned depth;

	if (!b->ip6)
		return find4(b,
		    (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 |
			(uint32_t)address[2] << 8 | address[3]);
	for (depth = SKIP; !(entry & LEAF); depth += step(depth))
		entry = b->nodes[entry + bits_at(address, depth, step(depth))];
	return entry & ~LEAF;
}

/* The next frames in buffers; where their IP headers are. */
mr_inline unsigned
receive(struct mr_bench_bare_route *b, uint32_t *packets, uint8_t **heads)
{
	unsigned n = mr_buffers_get(b->buffers, 0, packets, MR_VECTOR_MAX), i;
	struct mr_packet *p;
	uint8_t *data;

	for (i = 0; i < n; i++) {
		p = mr_packet_at(b->buffers->base, packets[i]);
		data = (uint8_t *)p + MR_PACKET_DATA;
		mr_packet_init(p, MR_PACKET_DATA, MR_BENCH_FRAME, 0, 0);
		mr_prefetch(b->frames[(b->at + AHEAD) & b->mask]);
		memcpy(data, b->frames[b->at++ & b->mask], MR_BENCH_FRAME);
		heads[i] = data + sizeof(struct mr_eth);
	}
	return n;
}

mr_inline void
rewrite(const struct mr_bench_bare_route *b, uint8_t *head, unsigned hop)
{
	memcpy(head - sizeof(struct mr_eth), b->headers[hop].bytes, 8);
	memcpy(head - sizeof(struct mr_eth) + 8, b->headers[hop].bytes + 8, 4);
}

static unsigned
turn4(struct mr_bench_bare_route *b)
{
	uint32_t packets[MR_VECTOR_MAX], address[MR_VECTOR_MAX], sum;
	uint8_t *heads[MR_VECTOR_MAX];
	struct mr_ip4 *ip;
	unsigned n, i;

	n = receive(b, packets, heads);
	for (i = 0; i < n; i++) {
		address[i] = mr_be32(((const struct mr_ip4 *)heads[i])->dst);
		mr_prefetch(&b->upper[address[i] >> 8]);
	}
	for (i = 0; i < n; i++) {
		ip = (struct mr_ip4 *)heads[i];
		rewrite(b, heads[i], find4(b, address[i]));
		ip->ttl--;
		sum = ip->check + (uint32_t)mr_be16(0x0100);
		ip->check = (be16_t)(sum + (sum >> 16));
	}
	mr_buffers_put(b->buffers, 0, packets, n);
	return n;
}

/* One step down, or none where there is nowhere to go. */
mr_inline uint32_t
descend(const struct mr_bench_bare_route *b, uint32_t at, uint64_t upper, unsigned depth,
    unsigned bits)
{
	uint32_t entry = b->nodes[at];
	uint32_t index = (uint32_t)(upper >> (64 - depth - bits)) & ((1u << bits) - 1);

	at = (entry & ~LEAF) + (index & ((entry >> 31) - 1));
	mr_prefetch(&b->nodes[at]);
	return at;
}

static unsigned
turn6(struct mr_bench_bare_route *b)
{
	uint32_t packets[MR_VECTOR_MAX], at[MR_VECTOR_MAX], entry;
	uint64_t upper[MR_VECTOR_MAX];
	uint8_t *heads[MR_VECTOR_MAX];
	struct mr_ip6 *ip;
	unsigned n, i, depth;

	n = receive(b, packets, heads);
	for (i = 0; i < n; i++) {
		memcpy(&upper[i], ((const struct mr_ip6 *)heads[i])->dst, 8);
		upper[i] = __builtin_bswap64(upper[i]);
		at[i] = ROOT + ((uint32_t)(upper[i] >> (64 - SKIP - STEP0)) & ((1u << STEP0) - 1));
		mr_prefetch(&b->nodes[at[i]]);
	}
	for (depth = SKIP + STEP0; depth < 48; depth += STEP)
		for (i = 0; i < n; i++)
			at[i] = descend(b, at[i], upper[i], depth, STEP);
	for (i = 0; i < n; i++) {
		ip = (struct mr_ip6 *)heads[i];
		entry = finish6(b, ip->dst, 48, b->nodes[at[i]]);
		rewrite(b, heads[i], entry);
		ip->hop_limit--;
	}
	mr_buffers_put(b->buffers, 0, packets, n);
	return n;
}

static unsigned
turn(void *user)
{
	struct mr_bench_bare_route *b = user;

	return b->ip6 ? turn6(b) : turn4(b);
}

int
mr_bench_bare_route_window(struct mr_bench_bare_route *b, struct mr_bench_run *run, double *value,
    struct mr_error *error)
{
	return mr_bench_turns(run, turn, b, value, error);
}
