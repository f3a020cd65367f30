/* SPDX-License-Identifier: Apache-2.0 */
/* The prefixes as the control side knows them: open addressing, linear probing, keyed hash. */
#include <errno.h>
#include <stdlib.h>

#include "kit/table/fib6_int.h"

/* At most 4/5 full. */
static uint32_t
room_for(uint32_t count)
{
	return count + count / 4 + 16;
}

static uint32_t
home(const struct fib6_store *s, uint32_t room, struct fib6_key key, unsigned len)
{
	uint64_t words[3] = { key.hi, key.lo, len };

	/* The upper half of the hash, scaled to the room. */
	return (uint32_t)((mr_hash_words(&s->hash, words, 3) >> 32) * room >> 32);
}

static uint32_t
next(uint32_t i, uint32_t room)
{
	return i + 1 == room ? 0 : i + 1;
}

static void
place(const struct fib6_store *s, struct fib6_entry *entries, uint32_t room,
    const struct fib6_entry *e)
{
	uint32_t i = home(s, room, e->key, e->len);

	while (entries[i].value)
		i = next(i, room);
	entries[i] = *e;
}

static int
resize(struct fib6_store *s, uint32_t room)
{
	struct fib6_entry *entries = calloc(room, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->room; i++) {
		if (s->entries[i].value)
			place(s, entries, room, &s->entries[i]);
	}
	free(s->entries);
	s->entries = entries;
	s->room = room;
	return 0;
}

int
fib6_store_open(struct fib6_store *s, uint32_t expected, uint64_t seed, struct mr_error *error)
{
	int rc;

	if (seed) {
		mr_hash_key_seed(&s->hash, seed);
	} else {
		rc = mr_hash_key_random(&s->hash, error);
		if (rc < 0)
			return mr_error_prefix(error, "IPv6 table");
	}
	s->least = room_for(expected);
	if (resize(s, s->least) < 0)
		return mr_error_set(error, -ENOMEM, "IPv6 table: no memory for %u prefixes",
		    expected);
	return 0;
}

void
fib6_store_close(struct fib6_store *s)
{
	free(s->entries);
}

int
fib6_store_reserve(struct fib6_store *s)
{
	if (mr_likely(room_for(s->count + 1) <= s->room))
		return 0;
	return resize(s, s->room + s->room / 4);
}

struct fib6_entry *
fib6_store_find(const struct fib6_store *s, struct fib6_key key, unsigned len)
{
	uint32_t i;

	if (!s->lengths[len])
		return NULL;
	for (i = home(s, s->room, key, len); s->entries[i].value; i = next(i, s->room)) {
		struct fib6_entry *e = &s->entries[i];

		if (e->key.hi == key.hi && e->key.lo == key.lo && e->len == len)
			return e;
	}
	return NULL;
}

void
fib6_store_add(struct fib6_store *s, struct fib6_key key, unsigned len, uint32_t value)
{
	struct fib6_entry e = { key, value, len };

	place(s, s->entries, s->room, &e);
	s->count++;
	s->lengths[len]++;
}

void
fib6_store_remove(struct fib6_store *s, struct fib6_entry *e)
{
	uint32_t hole = (uint32_t)(e - s->entries);
	uint32_t i = hole;

	s->count--;
	s->lengths[e->len]--;
	/* Moves up what would no longer be found behind the hole. */
	for (;;) {
		uint32_t h;

		i = next(i, s->room);
		if (!s->entries[i].value)
			break;
		h = home(s, s->room, s->entries[i].key, s->entries[i].len);
		if (hole <= i ? hole < h && h <= i : hole < h || h <= i)
			continue;
		s->entries[hole] = s->entries[i];
		hole = i;
	}
	s->entries[hole].value = 0;
	/* Without the memory for a smaller one the large one stays. */
	if (s->room > s->least && (room_for(s->count) < s->room / 4 || !s->count))
		(void)resize(s, MR_MAX(s->least, room_for(s->count) * 2));
}
