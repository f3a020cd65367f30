/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups: the workers' side, but for the one by gathers (fib6_gather.c). */
#include "kit/table/fib6_int.h"

/* Does the address go on as the node's prefix does? */
static mr_noinline bool
skip_matches(const void *n, uint32_t head, const uint8_t *address)
{
	unsigned skip = fib6_node_skip(head);

	return memcmp(fib6_node_skipped(n), address + fib6_node_level(head) - skip, skip) == 0;
}

/* Acquire: pairs with the release store that published the child or changed the word. */
mr_inline uint32_t
load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

/* The word that decides at this node: the slot, or `best` when the address is elsewhere. */
mr_inline const _Atomic uint32_t *
decider(void *node, uint32_t kind, const uint8_t *address)
{
	struct fib6_node *n = node;
	uint32_t head = n->head;
	const _Atomic uint32_t *slot;

	if (mr_unlikely(fib6_node_skip(head)) && !skip_matches(n, head, address))
		return &n->best;
	slot = fib6_node_slot(n, kind, address[fib6_node_level(head)]);
	return slot ? slot : &n->best;
}

uint32_t
mr_fib6_find(const struct mr_fib6 *t, const uint8_t address[16])
{
	uint32_t slot = load(&t->root[address[0] << 8 | address[1]]);

	while (slot & FIB6_CHILD) {
		struct fib6_node *n = fib6_node_at(t, slot);

		slot = load(decider(n, slot, address));
		/* 0 stays 0 for a node's life, see fib6_int.h. */
		if (!slot)
			return load(&n->best);
	}
	return slot;
}

/* Below the root: one level down, where the node is a wide one, which skips nothing. */
mr_inline uint32_t
through_wide(const struct mr_fib6 *t, uint32_t slot, unsigned byte)
{
	const struct fib6_wide *n;
	uint32_t next;

	if (mr_unlikely((slot & (FIB6_CHILD | FIB6_KIND)) != (FIB6_CHILD | FIB6_WIDE)))
		return slot;
	n = fib6_node_at(t, slot);
	next = load(&n->slot[byte]);
	return mr_likely(next) ? next : load(&n->node.best);
}

/* What to prefetch for a slot; some line that is always there when it names no node, since to
 * prefetch from an address that is no memory costs a walk of the page table. */
mr_inline struct fib6_node *
node_or_any(const struct mr_fib6 *t, uint32_t slot)
{
	uint64_t child = -(uint64_t)(slot >> 31);

	return (
	    struct fib6_node *)(t->lines.base + (uint64_t)(slot & FIB6_NUMBER & child) * FIB6_UNIT);
}

void
fib6_lookup_rest(const struct mr_fib6 *t, const uint8_t *const *addresses, uint32_t *values,
    uint32_t *slots, uint32_t *who, unsigned left)
{
	const _Atomic uint32_t *word[MR_VECTOR_MAX];
	unsigned now, i;

	while (left) {
		for (i = 0; i < left; i++) {
			word[i] = decider(fib6_node_at(t, slots[i]), slots[i], addresses[who[i]]);
			mr_prefetch(word[i]);
		}
		for (i = 0, now = left, left = 0; i < now; i++) {
			const struct fib6_node *n = fib6_node_at(t, slots[i]);
			uint32_t slot = load(word[i]), best, w = who[i];

			best = load(&n->best);
			values[w] = slot ? slot : best;
			mr_prefetch(node_or_any(t, slot));
			slots[left] = slot;
			who[left] = w;
			left += slot >> 31;
		}
	}
}

static void
lookup_portable(const struct mr_fib6 *t, const uint8_t *const *addresses, uint32_t *values,
    unsigned count)
{
	uint32_t slots[MR_VECTOR_MAX], who[MR_VECTOR_MAX];
	unsigned left = 0, i;

	for (i = 0; i < count; i++) {
		const uint8_t *a = addresses[i];
		uint32_t slot = load(&t->root[a[0] << 8 | a[1]]);

		/* Mostly in the nearest caches. */
		slot = through_wide(t, slot, a[2]);
		values[i] = slot;
		mr_prefetch(node_or_any(t, slot));
		slots[left] = slot;
		who[left] = i;
		left += slot >> 31;
	}
	fib6_lookup_rest(t, addresses, values, slots, who, left);
}

void
mr_fib6_lookup(const struct mr_fib6 *t, const uint8_t *const *addresses, uint32_t *values,
    unsigned count)
{
	if (t->gather)
		fib6_lookup_gather(t, addresses, values, count);
	else
		lookup_portable(t, addresses, values, count);
}
