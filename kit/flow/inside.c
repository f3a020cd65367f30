/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flow/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/hash.h"

struct entry {
	struct mr_flow_outer key;
	uint32_t number; /* 0: free */
};

struct mr_flow_inside {
	struct mr_hash_key hash;
	uint64_t ports;
	uint32_t mask;
	struct entry entries[];
};

int
mr_flow_inside_create(struct mr_flow_inside **out, uint32_t count, struct mr_error *error)
{
	struct mr_flow_inside *t;
	size_t size = 8;

	*out = NULL;
	while (size < 2 * (size_t)count)
		size *= 2;
	t = calloc(1, sizeof(*t) + size * sizeof(t->entries[0]));
	if (!t)
		return mr_error_set(error, -ENOMEM, "tunnels' ends: no memory");
	t->mask = (uint32_t)(size - 1);
	if (mr_hash_key_random(&t->hash, error)) {
		free(t);
		return -EIO;
	}
	*out = t;
	return 0;
}

void
mr_flow_inside_destroy(struct mr_flow_inside *t)
{
	free(t);
}

mr_inline uint32_t
start_of(const struct mr_flow_inside *t, const struct mr_flow_outer *key)
{
	uint64_t words[5];

	memcpy(words, key, sizeof(words));
	return (uint32_t)mr_hash_words(&t->hash, words, 5);
}

void
mr_flow_inside_add(struct mr_flow_inside *t, const struct mr_flow_outer *key, uint32_t number)
{
	uint32_t at = start_of(t, key);

	for (; t->entries[at & t->mask].number; at++)
		if (memcmp(&t->entries[at & t->mask].key, key, sizeof(*key)) == 0)
			return;
	t->entries[at & t->mask] = (struct entry){ .key = *key, .number = number };
	t->ports |= 1ull << (key->port % 64);
}

uint32_t
mr_flow_inside_find(const struct mr_flow_inside *t, const struct mr_flow_outer *key)
{
	for (uint32_t at = start_of(t, key);; at++) {
		const struct entry *e = &t->entries[at & t->mask];

		if (!e->number || memcmp(&e->key, key, sizeof(*key)) == 0)
			return e->number;
	}
}

uint64_t
mr_flow_inside_ports(const struct mr_flow_inside *t)
{
	return t->ports;
}
