/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VRF's prefixes of one family: routes in one array by index, so that all of them can be
 * looked through in the order of memory, and an open-addressed table from prefix to the first of
 * its routes. Eight bits of the hash stand beside each index: a probe seldom looks at a
 * route that is not meant. It grows in one go (1 M prefixes: some 20 ms).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/rib/rib_int.h"

#define SLOTS_FIRST 64u
#define ROUTES_FIRST 64u
#define TOMB 0x01000000u /* a tag without an index */

int
table_open(struct table *t, enum mr_ip_family family, struct mr_error *error)
{
	memset(t, 0, sizeof(*t));
	t->size = family == MR_IP4 ? 4 : 16;
	t->stride = (uint32_t)sizeof(struct route) + t->size;
	t->end = 1;
	return mr_hash_key_random(&t->key, error);
}

void
table_close(struct table *t)
{
	free(t->routes);
	free(t->slots);
	memset(t, 0, sizeof(*t));
}

uint32_t
table_hash(const struct table *t, const uint8_t *prefix, unsigned len)
{
	uint64_t words[3];
	uint32_t four;

	if (t->size == 4) {
		memcpy(&four, prefix, 4);
		return (uint32_t)mr_hash_u64(&t->key, (uint64_t)four << 8 | len);
	}
	memcpy(words, prefix, 16);
	words[2] = len;
	return (uint32_t)mr_hash_words(&t->key, words, 3);
}

mr_inline uint32_t
slot_of(uint32_t hash, uint32_t index)
{
	return (hash & 0xff000000u) | index;
}

uint32_t *
table_slot(const struct table *t, const uint8_t *prefix, unsigned len, uint32_t hash)
{
	if (!t->slots)
		return NULL;
	for (uint32_t at = hash;; at++) {
		uint32_t *slot = &t->slots[at & t->mask];
		const struct route *r;

		if (!*slot)
			return NULL;
		if (((*slot ^ hash) & 0xff000000u) || !SLOT_INDEX(*slot))
			continue;
		r = table_at(t, SLOT_INDEX(*slot));
		if (r->len == len && memcmp(r->prefix, prefix, t->size) == 0)
			return slot;
	}
}

uint32_t
table_find(const struct table *t, const uint8_t *prefix, unsigned len)
{
	const uint32_t *slot;

	if (!t->lengths[len])
		return 0;
	slot = table_slot(t, prefix, len, table_hash(t, prefix, len));
	return slot ? SLOT_INDEX(*slot) : 0;
}

static int
slots_grow(struct table *t)
{
	uint32_t count = t->slots ? t->mask + 1 : SLOTS_FIRST;
	uint32_t *slots;

	/* Twice as many, unless it is the removed ones that fill it. */
	while (count < (t->heads + 1) * 2)
		count *= 2;
	slots = calloc(count, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(t->slots);
	t->slots = slots;
	t->mask = count - 1;
	t->tombs = 0;
	for (uint32_t i = 1; i < t->end; i++) {
		const struct route *r = table_at(t, i);
		uint32_t hash, at;

		if (!(r->flags & ROUTE_HEAD))
			continue;
		hash = table_hash(t, r->prefix, r->len);
		for (at = hash; slots[at & t->mask]; at++)
			;
		slots[at & t->mask] = slot_of(hash, i);
	}
	return 0;
}

int
table_reserve(struct table *t)
{
	uint64_t used = (uint64_t)t->heads + t->tombs + 1;

	if (!t->free && t->end >= t->room) {
		uint32_t room = t->room ? MR_MIN(t->room * 2, ROUTES_MAX + 1) : ROUTES_FIRST;
		uint8_t *routes;

		if (t->end > ROUTES_MAX)
			return -ENOSPC;
		routes = realloc(t->routes, (size_t)room * t->stride);
		if (!routes)
			return -ENOMEM;
		t->routes = routes;
		t->room = room;
	}
	return !t->slots || used * 4 > ((uint64_t)t->mask + 1) * 3 ? slots_grow(t) : 0;
}

uint32_t
table_take(struct table *t)
{
	uint32_t index = t->free;

	if (index)
		t->free = table_at(t, index)->next;
	else
		index = t->end++;
	memset(table_at(t, index), 0, t->stride);
	return index;
}

void
table_give(struct table *t, uint32_t index)
{
	struct route *r = table_at(t, index);

	r->flags = 0;
	r->next = t->free;
	t->free = index;
}

void
table_insert(struct table *t, uint32_t hash, uint32_t head)
{
	uint32_t at = hash;

	while (SLOT_INDEX(t->slots[at & t->mask]))
		at++;
	if (t->slots[at & t->mask] == TOMB)
		t->tombs--;
	t->slots[at & t->mask] = slot_of(hash, head);
	t->heads++;
	t->lengths[table_at(t, head)->len]++;
}

void
table_remove(struct table *t, uint32_t *slot, unsigned len)
{
	uint32_t at = (uint32_t)(slot - t->slots);

	t->heads--;
	t->lengths[len]--;
	if (t->slots[(at + 1) & t->mask]) {
		*slot = TOMB;
		t->tombs++;
		return;
	}
	/* Nothing behind it: nobody needs to pass here, nor the tombs before it. */
	*slot = 0;
	for (at = (at - 1) & t->mask; t->slots[at] == TOMB; at = (at - 1) & t->mask) {
		t->slots[at] = 0;
		t->tombs--;
	}
}

uint64_t
table_bytes(const struct table *t)
{
	uint64_t slots = t->slots ? ((uint64_t)t->mask + 1) * sizeof(*t->slots) : 0;

	return (uint64_t)t->end * t->stride + slots;
}
