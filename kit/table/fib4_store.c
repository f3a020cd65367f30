/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prefixes of an IPv4 table as its writer keeps them, to know what shows when one
 * goes away: arrays for /0 to /16, a node per /16 and per /24 for what is longer.
 */
#include "kit/table/fib4_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What malloc takes for it, about. */
static size_t
taken(size_t size)
{
	return MR_ALIGN_UP(size + sizeof(size_t), (size_t)16);
}

void *
fib4_alloc(struct mr_fib4_control *c, size_t size, size_t align)
{
	void *p = NULL;

	if (c->allocations >= 0 && c->allocations-- == 0) {
		c->allocations = 0;
		return NULL;
	}
	if (align <= alignof(max_align_t))
		p = malloc(size);
	else
		p = aligned_alloc(align, size);
	if (p)
		c->heap_bytes += taken(size);
	return p;
}

void
fib4_free(struct mr_fib4_control *c, void *p, size_t size)
{
	if (!p)
		return;
	c->heap_bytes -= taken(size);
	free(p);
}

/* -- nodes -------------------------------------------------------------------------- */

struct fib4_node *
fib4_node_create(struct mr_fib4_control *c)
{
	struct fib4_node *node = fib4_alloc(c, sizeof(*node), 1);

	if (node)
		memset(node, 0, sizeof(*node));
	return node;
}

void
fib4_node_destroy(struct mr_fib4_control *c, struct fib4_node *node)
{
	if (!node)
		return;
	for (unsigned i = 0; i < node->kid_count; i++)
		fib4_node_destroy(c, node->kids[i]);
	fib4_free(c, node->kids, node->kid_room * sizeof(node->kids[0]));
	fib4_free(c, node->values, node->room * sizeof(node->values[0]));
	fib4_free(c, node, sizeof(*node));
}

/* What holds `room` elements of `size` bytes is to hold `want`. */
static void *
resize(struct mr_fib4_control *c, void *old, unsigned count, unsigned room, unsigned want,
    size_t size)
{
	void *p = fib4_alloc(c, want * size, 1);

	if (!p)
		return NULL;
	if (count)
		memcpy(p, old, count * size);
	fib4_free(c, old, room * size);
	return p;
}

/* A quarter more; whole words of 16 bytes are what malloc gives anyway. */
static unsigned
grown(unsigned room, unsigned most)
{
	return MR_MIN(MR_ALIGN_UP(room + room / 4 + 2, 4u) + 2, most);
}

int
fib4_node_reserve(struct mr_fib4_control *c, struct fib4_node *node)
{
	unsigned want;
	uint32_t *values;

	if (node->count < node->room)
		return 0;
	want = grown(node->room, 512);
	values = resize(c, node->values, node->count, node->room, want, sizeof(*values));
	if (!values)
		return -ENOMEM;
	node->values = values;
	node->room = (uint16_t)want;
	return 0;
}

int
fib4_node_reserve_kid(struct mr_fib4_control *c, struct fib4_node *node)
{
	unsigned want;
	struct fib4_node **kids;

	if (node->kid_count < node->kid_room)
		return 0;
	want = grown(node->kid_room, 256);
	kids = resize(c, node->kids, node->kid_count, node->kid_room, want, sizeof(*kids));
	if (!kids)
		return -ENOMEM;
	node->kids = kids;
	node->kid_room = (uint16_t)want;
	return 0;
}

bool
fib4_node_set(struct fib4_node *node, unsigned index, uint32_t value)
{
	unsigned at = fib4_node_rank(node, index);

	if (fib4_node_has(node, index)) {
		node->values[at] = value;
		return false;
	}
	memmove(&node->values[at + 1], &node->values[at],
	    (node->count - at) * sizeof(node->values[0]));
	node->values[at] = value;
	node->set[index >> 6] |= 1ull << (index & 63);
	node->count++;
	return true;
}

void
fib4_node_unset(struct mr_fib4_control *c, struct fib4_node *node, unsigned index)
{
	unsigned at = fib4_node_rank(node, index), want = MR_ALIGN_UP(node->count / 2, 4u) + 2;
	uint32_t *values;

	node->count--;
	memmove(&node->values[at], &node->values[at + 1],
	    (node->count - at) * sizeof(node->values[0]));
	node->set[index >> 6] &= ~(1ull << (index & 63));
	if (node->count > node->room / 4 || want >= node->room)
		return;
	/* Without memory it stays as large as it is. */
	want = MR_MAX(want, node->count);
	values = resize(c, node->values, node->count, node->room, want, sizeof(*values));
	if (values) {
		node->values = values;
		node->room = (uint16_t)want;
	}
}

static unsigned
kid_rank(const struct fib4_node *node, unsigned entry)
{
	unsigned n = 0;

	for (unsigned w = 0; w < entry >> 6; w++)
		n += (unsigned)__builtin_popcountll(node->kid_set[w]);
	return n +
	    (unsigned)__builtin_popcountll(
		node->kid_set[entry >> 6] & ((1ull << (entry & 63)) - 1));
}

struct fib4_node *
fib4_node_kid(const struct fib4_node *node, unsigned entry)
{
	return fib4_node_has_kid(node, entry) ? node->kids[kid_rank(node, entry)] : NULL;
}

void
fib4_node_set_kid(struct fib4_node *node, unsigned entry, struct fib4_node *kid)
{
	unsigned at = kid_rank(node, entry);

	memmove(&node->kids[at + 1], &node->kids[at],
	    (node->kid_count - at) * sizeof(node->kids[0]));
	node->kids[at] = kid;
	node->kid_set[entry >> 6] |= 1ull << (entry & 63);
	node->kid_count++;
}

void
fib4_node_unset_kid(struct mr_fib4_control *c, struct fib4_node *node, unsigned entry)
{
	unsigned at = kid_rank(node, entry);

	fib4_node_destroy(c, node->kids[at]);
	node->kid_count--;
	memmove(&node->kids[at], &node->kids[at + 1],
	    (node->kid_count - at) * sizeof(node->kids[0]));
	node->kid_set[entry >> 6] &= ~(1ull << (entry & 63));
	if (!node->kid_count) {
		fib4_free(c, node->kids, node->kid_room * sizeof(node->kids[0]));
		node->kids = NULL;
		node->kid_room = 0;
	}
}

/* -- covers ------------------------------------------------------------------------- */

/* The deepest of the node's prefixes at or above `index`; 0: none. */
static unsigned
cover_index(const struct fib4_node *node, unsigned index)
{
	for (; index > 1; index >>= 1)
		if (fib4_node_has(node, index))
			return index;
	return 0;
}

uint32_t
fib4_node_cover(const struct fib4_node *node, unsigned index)
{
	index = cover_index(node, index);
	return index ? node->values[fib4_node_rank(node, index)] : 0;
}

uint32_t
fib4_short_cover(const struct mr_fib4_control *c, unsigned index, unsigned least, unsigned *len)
{
	for (; index >> least; index >>= 1)
		if (c->short_set[index >> 6] >> (index & 63) & 1) {
			*len = 31 - (unsigned)__builtin_clz(index);
			return c->shorts[index];
		}
	*len = 0;
	return 0;
}

static unsigned
index_len(unsigned index)
{
	return 31 - (unsigned)__builtin_clz(index);
}

static bool
valid(uint32_t prefix, unsigned len)
{
	return len <= 32 && !(len < 32 && prefix << len);
}

uint32_t
mr_fib4_get(const struct mr_fib4 *fib, uint32_t prefix, unsigned len)
{
	const struct mr_fib4_control *c = fib->control;
	const struct fib4_node *node;
	unsigned index, skip = len > 24 ? 24 : 16;

	if (!valid(prefix, len))
		return 0;
	if (len <= 16) {
		index = fib4_index(prefix, len, 0);
		return c->short_set[index >> 6] >> (index & 63) & 1 ? c->shorts[index] : 0;
	}
	node = c->nodes[prefix >> 16];
	if (node && len > 24)
		node = fib4_node_kid(node, prefix >> 8 & 255);
	index = fib4_index(prefix, len, skip);
	if (!node || !fib4_node_has(node, index))
		return 0;
	return node->values[fib4_node_rank(node, index)];
}

static uint32_t
matched(uint32_t address, unsigned match_len, uint32_t value, uint32_t *prefix, unsigned *len)
{
	if (prefix)
		*prefix = match_len ? address & ~0u << (32 - match_len) : 0;
	if (len)
		*len = match_len;
	return value;
}

uint32_t
mr_fib4_match(const struct mr_fib4 *fib, uint32_t address, uint32_t *prefix, unsigned *len)
{
	const struct mr_fib4_control *c = fib->control;
	const struct fib4_node *node = c->nodes[address >> 16], *kid;
	unsigned index, n;
	uint32_t value;

	if (node) {
		kid = fib4_node_kid(node, address >> 8 & 255);
		index = kid ? cover_index(kid, 256 | (address & 255)) : 0;
		if (index)
			return matched(address, 24 + index_len(index),
			    kid->values[fib4_node_rank(kid, index)], prefix, len);
		index = cover_index(node, 256 | (address >> 8 & 255));
		if (index)
			return matched(address, 16 + index_len(index),
			    node->values[fib4_node_rank(node, index)], prefix, len);
	}
	value = fib4_short_cover(c, 65536 | address >> 16, 0, &n);
	return value ? matched(address, n, value, prefix, len) : 0;
}

/* -- walking ------------------------------------------------------------------------ */

/* The first member at or behind `from` of a set of `words` words; -1: none. */
static int
next_in(const uint64_t *set, unsigned words, unsigned from)
{
	for (unsigned w = from >> 6; w < words; w++) {
		uint64_t word = set[w];

		if (w == from >> 6)
			word &= ~0ull << (from & 63);
		if (word)
			return (int)(w * 64 + (unsigned)__builtin_ctzll(word));
	}
	return -1;
}

/*
 * A cursor is where the next look is taken: below SHORTS an index of the arrays, then
 * per /16 a block of 257 times 512: its node's indices, then those of its 256 kids.
 */
#define SHORTS 131072u
#define BLOCK (257u * 512u)

static bool
next_short(const struct mr_fib4_control *c, uint64_t *cursor, uint32_t *prefix, unsigned *len,
    uint32_t *value)
{
	int index = next_in(c->short_set, MR_ARRAY_COUNT(c->short_set), (unsigned)*cursor);

	if (index < 0) {
		*cursor = SHORTS;
		return false;
	}
	*cursor = (unsigned)index + 1;
	*len = index_len((unsigned)index);
	*prefix = *len ? ((uint32_t)index - (1u << *len)) << (32 - *len) : 0;
	*value = c->shorts[index];
	return true;
}

static bool
next_of_node(const struct fib4_node *node, unsigned from, unsigned skip, unsigned *next,
    uint32_t *prefix, unsigned *len, uint32_t *value)
{
	int index = from < 512 ? next_in(node->set, 8, from) : -1;
	unsigned n;

	if (index < 0)
		return false;
	n = index_len((unsigned)index);
	*next = (unsigned)index + 1;
	*len = skip + n;
	*prefix |= ((uint32_t)index - (1u << n)) << (32 - *len);
	*value = node->values[fib4_node_rank(node, (unsigned)index)];
	return true;
}

static bool
next_of_slot(const struct fib4_node *node, unsigned slot, unsigned *at, uint32_t *prefix,
    unsigned *len, uint32_t *value)
{
	unsigned next;

	*prefix = slot << 16;
	if (*at < 512) {
		if (next_of_node(node, *at, 16, &next, prefix, len, value)) {
			*at = next;
			return true;
		}
		*at = 512;
	}
	while (*at < BLOCK) {
		int entry = next_in(node->kid_set, 4, *at / 512 - 1);

		if (entry < 0)
			break;
		if (*at / 512 - 1 != (unsigned)entry)
			*at = ((unsigned)entry + 1) * 512;
		*prefix = slot << 16 | (uint32_t)entry << 8;
		if (next_of_node(fib4_node_kid(node, (unsigned)entry), *at % 512, 24, &next, prefix,
			len, value)) {
			*at = *at / 512 * 512 + next;
			return true;
		}
		*at = (*at / 512 + 1) * 512;
	}
	return false;
}

bool
mr_fib4_next(const struct mr_fib4 *fib, uint64_t *cursor, uint32_t *prefix, unsigned *len,
    uint32_t *value)
{
	const struct mr_fib4_control *c = fib->control;
	unsigned slot, at;

	if (*cursor < SHORTS && next_short(c, cursor, prefix, len, value))
		return true;
	slot = (unsigned)((*cursor - SHORTS) / BLOCK);
	at = (unsigned)((*cursor - SHORTS) % BLOCK);
	while (slot < 65536) {
		int found = next_in(c->node_set, MR_ARRAY_COUNT(c->node_set), slot);

		if (found < 0)
			break;
		if (slot != (unsigned)found)
			at = 0;
		slot = (unsigned)found;
		if (next_of_slot(c->nodes[slot], slot, &at, prefix, len, value)) {
			*cursor = SHORTS + (uint64_t)slot * BLOCK + at;
			return true;
		}
		slot++;
		at = 0;
	}
	*cursor = SHORTS + 65536ull * BLOCK;
	return false;
}
