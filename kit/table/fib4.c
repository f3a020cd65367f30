/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IPv4 table: a change of the prefixes, and what it means for the words that workers
 * read. A change first gets all memory that it needs, leaving every answer as it
 * is, then it cannot fail.
 *
 * "Base" of an entry is what stands in it: the value of the longest of /9 to /24 over
 * it, 0 for none. /0 to /8 show through zeros, from `top`, and are written only where the
 * root points to shared chunks.
 */
#include "kit/table/fib4_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_FROM 65536u

/* -- entries ------------------------------------------------------------------------ */

static void
store(_Atomic uint32_t *entry, uint32_t value)
{
	/* Release: a line that `value` names is filled. Pairs with mr_fib4_value_far. */
	atomic_store_explicit(entry, value, memory_order_release);
}

static void
store_short(struct mr_fib4 *fib, unsigned chunk, unsigned entry, uint32_t value)
{
	/* Release: the wide twin has it, and is there. Pairs with mr_fib4_value_far. */
	atomic_store_explicit(&fib->entries[chunk << 8 | entry], (uint16_t)value,
	    memory_order_release);
}

/* One /28 of the kid: its entry in the first line, and the line behind that if there are
 * longer prefixes; a new one is *spare, which is then 0. */
static void
paint_group(struct mr_fib4 *fib, const struct fib4_node *kid, _Atomic uint32_t *entry, unsigned g,
    uint32_t base, uint32_t *spare)
{
	uint32_t number = atomic_load_explicit(entry, memory_order_relaxed);
	uint32_t best[32]; /* like the node's indices, from this /28 down */
	bool deeper = false;

	best[1] = fib4_node_cover(kid, 16 + g);
	if (!best[1])
		best[1] = base;
	for (unsigned bit = 1; bit <= 4; bit++)
		for (unsigned i = 0; i < 1u << bit; i++) {
			unsigned index = ((16 + g) << bit) + i, at = (1u << bit) + i;

			best[at] = best[at / 2];
			if (!fib4_node_has(kid, index))
				continue;
			best[at] = kid->values[fib4_node_rank(kid, index)];
			deeper = true;
		}
	if (!deeper) {
		store(entry, best[1]);
		if (number & MR_FIB4_DEEP)
			fib4_line_retire(fib, number);
		return;
	}
	if (!(number & MR_FIB4_DEEP)) {
		number = *spare;
		*spare = 0;
	}
	for (unsigned i = 0; i < 16; i++)
		store(&fib4_line(fib, number)->entries[i], best[16 + i]);
	store(entry, number);
}

/* What the kid's prefixes say, over `base`, to the part of its lines that the prefix at
 * `index` covers. The first line is there. */
static void
paint_lines(struct mr_fib4 *fib, const struct fib4_node *kid, uint32_t first, unsigned index,
    uint32_t base, uint32_t *spare)
{
	struct mr_fib4_line *line = fib4_line(fib, first);
	unsigned count = 1;

	while (index >= 32)
		index /= 2;
	for (; index < 16; index *= 2)
		count *= 2;
	for (unsigned g = index - 16; g < index - 16 + count; g++)
		paint_group(fib, kid, &line->entries[g], g, base, spare);
}

/* One entry of the slot's own chunk gets another base. */
static void
paint_entry(struct mr_fib4 *fib, unsigned slot, unsigned entry, uint32_t base)
{
	const struct fib4_node *node = fib->control->nodes[slot];
	unsigned chunk = fib4_chunk_of(fib, slot);
	struct mr_fib4_wide *wide = fib4_wide_of(fib, chunk);
	const struct fib4_node *kid = node ? fib4_node_kid(node, entry) : NULL;

	if (kid) {
		uint32_t none = 0; /* no group becomes deeper by another base */

		paint_lines(fib, kid,
		    atomic_load_explicit(&wide->entries[entry], memory_order_relaxed), 1, base,
		    &none);
		return;
	}
	if (wide)
		store(&wide->entries[entry], base);
	/* Without a twin a long value can only be the slot's. */
	store_short(fib, chunk, entry, fib4_short_of(base));
}

/* The entries under `index` of the slot's node that no longer prefix covers. */
static void
paint_under(struct mr_fib4 *fib, unsigned slot, unsigned index, uint32_t base)
{
	const struct fib4_node *node = fib->control->nodes[slot];

	if (index >= 256) {
		paint_entry(fib, slot, index - 256, base);
		return;
	}
	for (unsigned i = 2 * index; i < 2 * index + 2; i++)
		if (!node || !fib4_node_has(node, i))
			paint_under(fib, slot, i, base);
}

/* The value of the longest of /9 to /16 over the slot. */
static uint32_t
slot_base(const struct mr_fib4 *fib, unsigned slot)
{
	const struct mr_fib4_control *c = fib->control;
	unsigned len = c->cover[slot] - 1u;

	return c->cover[slot] > 9 ? c->shorts[(65536 | slot) >> (16 - len)] : 0;
}

static uint32_t
entry_base(const struct mr_fib4 *fib, unsigned slot, unsigned index)
{
	const struct fib4_node *node = fib->control->nodes[slot];
	uint32_t value = node ? fib4_node_cover(node, index) : 0;

	return value ? value : slot_base(fib, slot);
}

/* A slot without longer prefixes shares its chunk. */
static void
settle(struct mr_fib4 *fib, unsigned slot)
{
	uint32_t value = slot_base(fib, slot);

	if (fib->control->nodes[slot])
		return;
	if (value) {
		fib4_chunk_share(fib, slot, fib4_short_of(value));
		return;
	}
	value = atomic_load_explicit(&fib->top[slot >> 8], memory_order_relaxed);
	fib4_chunk_share(fib, slot, value <= MR_FIB4_VALUE_SHORT_MAX ? value : 0);
}

static int
own_chunk(struct mr_fib4 *fib, unsigned slot, bool wide)
{
	fib4_chunk_own(fib, slot, slot_base(fib, slot));
	return wide ? fib4_chunk_widen(fib, slot) : 0;
}

static void
count(struct mr_fib4_control *c, unsigned len, int by)
{
	c->prefixes[len] += (uint32_t)by;
	c->total += (uint32_t)by;
}

/* -- /0 to /16 ------------------------------------------------------------------------ */

/* Slots whose cover is `least` to `most` get `cover` instead; `value` is what it says. */
static void
paint_slots(struct mr_fib4 *fib, uint32_t prefix, unsigned len, unsigned least, unsigned most,
    unsigned cover, uint32_t value)
{
	struct mr_fib4_control *c = fib->control;
	unsigned first = prefix >> 16, slots = 1u << (16 - len);

	for (unsigned t = first >> 8; len <= 8 && t < (first + slots) >> 8; t++) {
		if (c->top_cover[t] < least || c->top_cover[t] > most)
			continue;
		c->top_cover[t] = (uint8_t)cover;
		store(&fib->top[t], value);
	}
	for (unsigned slot = first; slot < first + slots; slot++) {
		if (c->cover[slot] < least || c->cover[slot] > most)
			continue;
		c->cover[slot] = (uint8_t)cover;
		if (cover > 9 && value > MR_FIB4_VALUE_SHORT_MAX)
			store(&fib->slots[slot], value);
		/* Of /0 to /8 an own chunk knows nothing. */
		if (len > 8 && fib4_is_private(fib, slot))
			paint_under(fib, slot, 1, slot_base(fib, slot));
		settle(fib, slot);
	}
}

/* Takes no memory: it cannot fail. */
static int
set_short(struct mr_fib4 *fib, uint32_t prefix, unsigned len, uint32_t value)
{
	struct mr_fib4_control *c = fib->control;
	unsigned index = fib4_index(prefix, len, 0);
	uint64_t bit = 1ull << (index & 63);

	if (!(c->short_set[index >> 6] & bit))
		count(c, len, 1);
	c->short_set[index >> 6] |= bit;
	c->shorts[index] = value;
	paint_slots(fib, prefix, len, 0, len + 1, len + 1, value);
	return 0;
}

static int
unset_short(struct mr_fib4 *fib, uint32_t prefix, unsigned len)
{
	struct mr_fib4_control *c = fib->control;
	unsigned index = fib4_index(prefix, len, 0), parent;
	uint64_t bit = 1ull << (index & 63);
	uint32_t value;

	if (!(c->short_set[index >> 6] & bit))
		return -ENOENT;
	c->short_set[index >> 6] &= ~bit;
	c->shorts[index] = 0;
	count(c, len, -1);
	value = fib4_short_cover(c, index, 0, &parent);
	paint_slots(fib, prefix, len, len + 1, len + 1, value ? parent + 1 : 0, value);
	return 0;
}

/* -- /17 and longer ------------------------------------------------------------------- */

/* The node is there, with room. New ones stand in the store, empty, until dropped. */
static struct fib4_node *
need_node(struct mr_fib4_control *c, unsigned slot)
{
	if (!c->nodes[slot]) {
		c->nodes[slot] = fib4_node_create(c);
		if (c->nodes[slot])
			c->node_set[slot >> 6] |= 1ull << (slot & 63);
	}
	return c->nodes[slot];
}

/* Takes away what an empty node keeps. */
static void
drop_node(struct mr_fib4 *fib, unsigned slot)
{
	struct mr_fib4_control *c = fib->control;
	struct fib4_node *node = c->nodes[slot];

	if (!node || node->count || node->kid_count)
		return;
	c->nodes[slot] = NULL;
	c->node_set[slot >> 6] &= ~(1ull << (slot & 63));
	fib4_node_destroy(c, node);
	settle(fib, slot);
}

static int
set_middle(struct mr_fib4 *fib, uint32_t prefix, unsigned len, uint32_t value)
{
	struct mr_fib4_control *c = fib->control;
	unsigned slot = prefix >> 16, index = fib4_index(prefix, len, 16);
	struct fib4_node *node = need_node(c, slot);

	if (!node)
		return -ENOMEM;
	if (fib4_node_reserve(c, node) || own_chunk(fib, slot, value > MR_FIB4_VALUE_SHORT_MAX)) {
		drop_node(fib, slot);
		return -ENOMEM;
	}
	if (fib4_node_set(node, index, value))
		count(c, len, 1);
	paint_under(fib, slot, index, value);
	return 0;
}

static int
unset_middle(struct mr_fib4 *fib, uint32_t prefix, unsigned len)
{
	struct mr_fib4_control *c = fib->control;
	unsigned slot = prefix >> 16, index = fib4_index(prefix, len, 16);
	struct fib4_node *node = c->nodes[slot];

	if (!node || !fib4_node_has(node, index))
		return -ENOENT;
	fib4_node_unset(c, node, index);
	count(c, len, -1);
	paint_under(fib, slot, index, entry_base(fib, slot, index));
	drop_node(fib, slot);
	return 0;
}

/* The entry becomes one with lines: a first one full of its base, if it has none. */
static bool
deepen(struct mr_fib4 *fib, unsigned slot, unsigned entry, uint32_t base)
{
	unsigned chunk = fib4_chunk_of(fib, slot);
	struct mr_fib4_wide *wide = fib4_wide_of(fib, chunk);
	uint32_t line = atomic_load_explicit(&wide->entries[entry], memory_order_relaxed);

	if (line & MR_FIB4_DEEP)
		return true;
	line = fib4_line_alloc(fib);
	if (!line)
		return false;
	for (unsigned g = 0; g < 16; g++)
		store(&fib4_line(fib, line)->entries[g], base);
	store(&wide->entries[entry], line);
	store_short(fib, chunk, entry, MR_FIB4_ESCAPE);
	return true;
}

/* Takes away what an empty kid keeps; its entry's base is what shows. */
static void
drop_kid(struct mr_fib4 *fib, unsigned slot, unsigned entry)
{
	struct mr_fib4_control *c = fib->control;
	struct fib4_node *node = c->nodes[slot], *kid = node ? fib4_node_kid(node, entry) : NULL;
	struct mr_fib4_wide *wide = fib4_wide_of(fib, fib4_chunk_of(fib, slot));
	uint32_t line;

	if (kid && !kid->count) {
		fib4_node_unset_kid(c, node, entry);
		line = wide ? atomic_load_explicit(&wide->entries[entry], memory_order_relaxed) : 0;
		if (line & MR_FIB4_DEEP) {
			/* A worker that comes by the escape finds the base in the twin. */
			paint_entry(fib, slot, entry, entry_base(fib, slot, 256 + entry));
			fib4_line_retire(fib, line);
		}
	}
	drop_node(fib, slot);
}

static struct fib4_node *
need_kid(struct mr_fib4_control *c, unsigned slot, unsigned entry)
{
	struct fib4_node *node = need_node(c, slot), *kid;

	if (!node)
		return NULL;
	kid = fib4_node_kid(node, entry);
	if (kid)
		return kid;
	if (fib4_node_reserve_kid(c, node))
		return NULL;
	kid = fib4_node_create(c);
	if (kid)
		fib4_node_set_kid(node, entry, kid);
	return kid;
}

static int
set_long(struct mr_fib4 *fib, uint32_t prefix, unsigned len, uint32_t value)
{
	struct mr_fib4_control *c = fib->control;
	unsigned slot = prefix >> 16, entry = prefix >> 8 & 255;
	unsigned index = fib4_index(prefix, len, 24), chunk;
	struct fib4_node *kid = need_kid(c, slot, entry);
	uint32_t base = entry_base(fib, slot, 256 + entry), spare = 0, line;

	if (!kid || fib4_node_reserve(c, kid) || own_chunk(fib, slot, true) ||
	    !deepen(fib, slot, entry, base))
		goto no_memory;
	chunk = fib4_chunk_of(fib, slot);
	line =
	    atomic_load_explicit(&fib4_wide_of(fib, chunk)->entries[entry], memory_order_relaxed);
	if (len > 28) {
		spare = fib4_line_alloc(fib);
		if (!spare)
			goto no_memory;
	}
	if (fib4_node_set(kid, index, value))
		count(c, len, 1);
	paint_lines(fib, kid, line, index, base, &spare);
	if (spare)
		fib4_line_release(fib, spare);
	return 0;

no_memory:
	drop_kid(fib, slot, entry);
	return -ENOMEM;
}

static int
unset_long(struct mr_fib4 *fib, uint32_t prefix, unsigned len)
{
	struct mr_fib4_control *c = fib->control;
	unsigned slot = prefix >> 16, entry = prefix >> 8 & 255;
	unsigned index = fib4_index(prefix, len, 24);
	struct fib4_node *node = c->nodes[slot], *kid = node ? fib4_node_kid(node, entry) : NULL;
	uint32_t line, none = 0;

	if (!kid || !fib4_node_has(kid, index))
		return -ENOENT;
	fib4_node_unset(c, kid, index);
	count(c, len, -1);
	line = atomic_load_explicit(&fib4_wide_of(fib, fib4_chunk_of(fib, slot))->entries[entry],
	    memory_order_relaxed);
	paint_lines(fib, kid, line, index, entry_base(fib, slot, 256 + entry), &none);
	drop_kid(fib, slot, entry);
	return 0;
}

static bool
valid(uint32_t prefix, unsigned len)
{
	return len <= 32 && !(len < 32 && prefix << len);
}

int
mr_fib4_set(struct mr_fib4 *fib, uint32_t prefix, unsigned len, uint32_t value)
{
	if (!valid(prefix, len) || !value || value > MR_FIB4_VALUE_MAX)
		return -EINVAL;
	if (len <= 16)
		return set_short(fib, prefix, len, value);
	return len <= 24 ? set_middle(fib, prefix, len, value) : set_long(fib, prefix, len, value);
}

int
mr_fib4_unset(struct mr_fib4 *fib, uint32_t prefix, unsigned len)
{
	if (!valid(prefix, len))
		return -EINVAL;
	if (len <= 16)
		return unset_short(fib, prefix, len);
	return len <= 24 ? unset_middle(fib, prefix, len) : unset_long(fib, prefix, len);
}

/* -- the table as a whole --------------------------------------------------------------- */

/* Zeros, not there until touched, on a multiple of 2 MB. */
static void *
map(size_t size)
{
	size_t room = size + MR_FIB4_HUGE;
	char *p = mmap(NULL, room, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *base;

	if (p == MAP_FAILED)
		return NULL;
	base = (char *)MR_ALIGN_UP((uintptr_t)p, (uintptr_t)MR_FIB4_HUGE);
	if (base > p)
		munmap(p, (size_t)(base - p));
	if (p + room > base + size)
		munmap(base + size, (size_t)(p + room - (base + size)));
	return base;
}

#define CONTROL_SIZE MR_ALIGN_UP(sizeof(struct mr_fib4_control), (size_t)MR_FIB4_HUGE)

int
mr_fib4_create(struct mr_fib4 **out, const struct mr_fib4_config *config, struct mr_error *error)
{
	struct mr_fib4 *fib = map(sizeof(*fib));
	struct mr_fib4_control *c = map(CONTROL_SIZE);
	/* What is small stays on small pages. */
	size_t skip = config->prefixes >= HUGE_FROM ? 0 : 2 * MR_FIB4_HUGE;

	if (!fib || !c) {
		if (fib)
			munmap(fib, sizeof(*fib));
		if (c)
			munmap(c, CONTROL_SIZE);
		return mr_error_set(error, -ENOMEM, "IPv4 table: no address space for %zu bytes",
		    sizeof(*fib) + CONTROL_SIZE);
	}
	/* Where the system says "always", small tables would not be small. */
	if (skip) {
		madvise(fib, skip, MADV_NOHUGEPAGE);
		madvise(c, CONTROL_SIZE, MADV_NOHUGEPAGE);
	} else {
		madvise(c, CONTROL_SIZE, MADV_HUGEPAGE);
	}
	madvise((char *)fib + skip, sizeof(*fib) - skip, MADV_HUGEPAGE);
	fib->control = c;
	fib->gather = fib4_gathers() && !config->portable;
	c->allocations = -1;
	/* The root is zero: every /16 shares chunk 0, which says 0. */
	c->chunk_used[0] = 1;
	c->chunk_count = c->shared_count = 1;
	c->chunk_high = c->chunk_touched = 1;
	c->grace = 1;
	c->chunks[0].refs = 65536 + 1;
	c->pinned = true;
	*out = fib;
	return 0;
}

void
mr_fib4_destroy(struct mr_fib4 *fib)
{
	struct mr_fib4_control *c;

	if (!fib)
		return;
	c = fib->control;
	for (unsigned slot = 0; slot < 65536; slot++)
		fib4_node_destroy(c, c->nodes[slot]);
	for (unsigned n = 0; n < MR_FIB4_CHUNKS; n++)
		fib4_free(c, fib4_wide_of(fib, n), sizeof(struct mr_fib4_wide));
	for (unsigned s = 0; s < MR_FIB4_SEGMENTS; s++)
		free(atomic_load_explicit(&fib->lines[s], memory_order_relaxed));
	munmap(c, CONTROL_SIZE);
	munmap(fib, sizeof(*fib));
}

static uint64_t
resident(const void *base, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = size / page, n, at;
	unsigned char here[1024];
	uint64_t bytes = 0;

	for (at = 0; at < pages; at += n) {
		n = MR_MIN(pages - at, sizeof(here));
		if (mincore((char *)base + at * page, n * page, here))
			return bytes;
		for (size_t i = 0; i < n; i++)
			bytes += here[i] & 1 ? page : 0;
	}
	return bytes;
}

void
mr_fib4_stats(const struct mr_fib4 *fib, struct mr_fib4_stats *stats)
{
	const struct mr_fib4_control *c = fib->control;

	*stats = (struct mr_fib4_stats){
		.total = c->total,
		.chunks = c->chunk_count,
		.shared = c->shared_count,
		.wide = c->wide_count,
		.deep = c->line_count,
		.retired = c->retired_count,
		.bytes = c->heap_bytes + resident(fib, sizeof(*fib)) + resident(c, CONTROL_SIZE),
	};
	memcpy(stats->prefixes, c->prefixes, sizeof(stats->prefixes));
}
