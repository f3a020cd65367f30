/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups: the workers' side. */
#include "kit/table/fib6_int.h"

/* Does the address go on as the node's prefix does? */
static mr_noinline bool
skip_matches(const struct fib6_node *n, uint32_t head, const uint8_t *address)
{
	unsigned skip = fib6_node_skip(head);

	return memcmp(fib6_node_skipped(n), address + fib6_node_level(head) - skip, skip) == 0;
}

/* The word that decides at this node: the slot, or `best` when the address is elsewhere. */
mr_inline const _Atomic uint32_t *
decider(const struct fib6_node *n, const uint8_t *address)
{
	uint32_t head = n->head;

	if (mr_unlikely(fib6_node_skip(head)) && !skip_matches(n, head, address))
		return &n->best;
	return &n->slot[fib6_node_run(n, head, address[fib6_node_level(head)])];
}

/* Acquire: pairs with the release store that published the child or changed the word. */
mr_inline uint32_t
load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

uint32_t
mr_fib6_find(const struct mr_fib6 *t, const uint8_t address[16])
{
	uint32_t slot = load(&t->root[address[0] << 8 | address[1]]);

	while (slot & FIB6_CHILD) {
		const struct fib6_node *n = fib6_node_at(t, slot);

		slot = load(decider(n, address));
		/* 0 stays 0 for a node's life, see fib6_int.h. */
		if (!slot)
			return load(&n->best);
	}
	return slot;
}

/* The node that a slot names; some node that is always there when it names none, since to
 * prefetch from an address that is no memory costs a walk of the page table. */
mr_inline const struct fib6_node *
node_or_any(const struct mr_fib6 *t, uint32_t slot)
{
	uint64_t child = -(uint64_t)(slot >> 31);

	return (const struct fib6_node *)(t->lines.base +
	    (((uint64_t)slot << 6) & (child << 6) & 0xffffffffull));
}

/*
 * Those not yet answered stand at the front of node and who.
 *
 * With `few`, there are so few nodes right below the root that they stay in the nearest
 * caches: their level is done at once, 4 cycles less in the Internet's table (59 nodes there).
 */
mr_inline void
lookup(const struct mr_fib6 *t, const uint8_t *const *addresses, uint32_t *values, unsigned count,
    bool few)
{
	const _Atomic uint32_t *word[MR_VECTOR_MAX];
	const struct fib6_node *node[MR_VECTOR_MAX];
	uint16_t who[MR_VECTOR_MAX];
	unsigned left = 0, now, i;

	for (i = 0; i < count; i++) {
		const uint8_t *a = addresses[i];
		uint32_t slot = load(&t->root[a[0] << 8 | a[1]]);
		const struct fib6_node *n;

		if (few && mr_likely(slot & FIB6_CHILD)) {
			n = fib6_node_at(t, slot);
			slot = load(decider(n, a));
			slot = slot ? slot : load(&n->best);
		}
		n = node_or_any(t, slot);
		values[i] = slot;
		mr_prefetch(n);
		node[left] = n;
		who[left] = (uint16_t)i;
		left += slot >> 31;
	}
	while (left) {
		for (i = 0; i < left; i++) {
			word[i] = decider(node[i], addresses[who[i]]);
			mr_prefetch(word[i]);
		}
		for (i = 0, now = left, left = 0; i < now; i++) {
			uint32_t slot = load(word[i]);
			uint32_t best = load(&node[i]->best);
			const struct fib6_node *n = node_or_any(t, slot);
			unsigned w = who[i];

			values[w] = slot ? slot : best;
			mr_prefetch(n);
			node[left] = n;
			who[left] = (uint16_t)w;
			left += slot >> 31;
		}
	}
}

void
mr_fib6_lookup(const struct mr_fib6 *t, const uint8_t *const *addresses, uint32_t *values,
    unsigned count)
{
	/* Relaxed: a hint. */
	if (atomic_load_explicit(&t->tops, memory_order_relaxed) <= FIB6_TOPS_FEW)
		lookup(t, addresses, values, count, true);
	else
		lookup(t, addresses, values, count, false);
}
