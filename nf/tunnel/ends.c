/* SPDX-License-Identifier: Apache-2.0 */
/* Which tunnel, and which of its remote ends, a packet from outside belongs to: a table that is made
 * anew with each configuration, at most half full. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/tunnel/control_int.h"

static uint32_t
start_of(const struct tunnel_ends *ends, const struct tunnel_key *key)
{
	uint64_t words[5];

	memcpy(words, key, sizeof(words));
	return (uint32_t)mr_hash_words(&ends->hash, words, 5);
}

const struct tunnel_end *
tunnel_end_find(const struct tunnel_ends *ends, const struct tunnel_key *key)
{
	for (uint32_t at = start_of(ends, key);; at++) {
		const struct tunnel_end *e = &ends->slots[at & ends->mask];

		if (!e->tunnel)
			return NULL;
		if (memcmp(&e->key, key, sizeof(*key)) == 0)
			return e;
	}
}

int
tunnel_ends_create(struct tunnel_ends **out, uint32_t count, struct mr_error *error)
{
	struct tunnel_ends *ends;
	uint32_t size = 8;

	while (size < 2 * count)
		size *= 2;
	ends = calloc(1, sizeof(*ends) + size * sizeof(ends->slots[0]));
	if (!ends)
		return mr_error_set(error, -ENOMEM, "tunnels: no memory");
	ends->mask = size - 1;
	if (mr_hash_key_random(&ends->hash, error)) {
		free(ends);
		return -EIO;
	}
	*out = ends;
	return 0;
}

static void
add(struct tunnel_ends *ends, const struct tunnel_key *key, struct tunnel *t, uint16_t number)
{
	uint32_t at = start_of(ends, key);

	if (tunnel_end_find(ends, key))
		return;
	while (ends->slots[at & ends->mask].tunnel)
		at++;
	ends->slots[at & ends->mask] =
	    (struct tunnel_end){ .key = *key, .tunnel = t, .number = number };
}

void
tunnel_ends_add(struct tunnel_ends *ends, const struct tunnel_key *key, struct tunnel *t,
    uint16_t number)
{
	struct tunnel_key part = *key;

	add(ends, key, t, number);
	memset(part.remote, 0, sizeof(part.remote));
	add(ends, &part, t, TUNNEL_NONE);
	part.vni = 0;
	add(ends, &part, t, TUNNEL_NONE);
}
