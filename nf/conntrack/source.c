/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/conntrack/source_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "nf/conntrack/table_int.h"

#define WAYS 8u
#define COUNT_BITS 24
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

struct ct_sources {
	_Atomic uint64_t (*buckets)[WAYS];
	uint32_t mask;
	struct mr_hash_key key;
};

int
ct_sources_create(struct ct_sources **out, uint32_t count, struct mr_error *error)
{
	struct ct_sources *s = calloc(1, sizeof(*s));
	uint32_t buckets = 64;
	void *m;
	int rc;

	while (buckets < count / WAYS)
		buckets *= 2;
	if (!s)
		return mr_error_set(error, -ENOMEM, "no memory for sources");
	m = mmap(NULL, (size_t)buckets * sizeof(*s->buckets), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	rc = m == MAP_FAILED ? mr_error_set(error, -ENOMEM, "no memory for %u sources", count)
			     : mr_hash_key_random(&s->key, error);
	s->buckets = m == MAP_FAILED ? NULL : m;
	s->mask = buckets - 1;
	if (rc) {
		ct_sources_destroy(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
ct_sources_destroy(struct ct_sources *s)
{
	if (!s)
		return;
	if (s->buckets)
		munmap(s->buckets, (s->mask + 1ul) * sizeof(*s->buckets));
	free(s);
}

/* Where a source may stand: two buckets, as long as a table of twice as many words as there can be
 * sources has room in one of the two. */
struct place {
	_Atomic uint64_t *bucket[2];
	uint64_t digest;
};

static struct place
place_of(const struct ct_sources *s, const struct ct_key *key, bool second)
{
	const uint64_t words[4] = { key->w[second ? 2 : 0], key->w[second ? 3 : 1],
		CT_KEY_ZONE(key), CT_KEY_FLAGS(key) & CT_KEY_SIX };
	uint64_t hash = mr_hash_words(&s->key, words, 4);

	return (struct place){
		.bucket = { s->buckets[hash & s->mask],
		    s->buckets[(hash * 0x9e3779b97f4a7c15u >> 40) & s->mask] },
		.digest = hash & ~COUNT_MASK,
	};
}

static bool
raise(_Atomic uint64_t *word, uint64_t seen, uint64_t digest, uint32_t limit, bool *refused)
{
	do {
		if (seen && (seen & ~COUNT_MASK) != digest)
			return false;
		*refused = limit && (seen & COUNT_MASK) >= limit;
		if (*refused || (seen & COUNT_MASK) == COUNT_MASK)
			return true;
	} while (!atomic_compare_exchange_weak_explicit(word, &seen, (seen ? seen : digest) + 1,
	    memory_order_relaxed, memory_order_relaxed));
	return true;
}

static bool
find(const struct place *p, uint32_t limit, bool *refused)
{
	for (unsigned i = 0; i < 2 * WAYS; i++) {
		_Atomic uint64_t *word = &p->bucket[i / WAYS][i % WAYS];
		uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);

		if (seen && (seen & ~COUNT_MASK) == p->digest &&
		    raise(word, seen, p->digest, limit, refused))
			return true;
	}
	return false;
}

static unsigned
used(const _Atomic uint64_t *bucket)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WAYS; i++)
		n += atomic_load_explicit(&bucket[i], memory_order_relaxed) != 0;
	return n;
}

bool
ct_sources_enter(struct ct_sources *s, const struct ct_key *key, bool second, uint32_t limit,
    bool *counted)
{
	const struct place p = place_of(s, key, second);
	bool refused = false;
	unsigned first;

	*counted = true;
	if (find(&p, limit, &refused))
		return !refused;
	first = used(p.bucket[1]) < used(p.bucket[0]) ? WAYS : 0;
	for (unsigned i = 0; i < 2 * WAYS; i++) {
		_Atomic uint64_t *word = &p.bucket[(i ^ first) / WAYS][i % WAYS];

		if (!atomic_load_explicit(word, memory_order_relaxed) &&
		    raise(word, 0, p.digest, limit, &refused))
			return !refused;
	}
	*counted = false;
	return true;
}

void
ct_sources_leave(struct ct_sources *s, const struct ct_key *key, bool second)
{
	const struct place p = place_of(s, key, second);

	for (unsigned i = 0; i < 2 * WAYS; i++) {
		_Atomic uint64_t *word = &p.bucket[i / WAYS][i % WAYS];
		uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);

		while (seen && (seen & ~COUNT_MASK) == p.digest)
			if (atomic_compare_exchange_weak_explicit(word, &seen,
				(seen & COUNT_MASK) == 1 ? 0 : seen - 1, memory_order_relaxed,
				memory_order_relaxed))
				return;
	}
}

uint32_t
ct_sources_count(const struct ct_sources *s, const struct ct_key *key, bool second)
{
	const struct place p = place_of(s, key, second);
	uint32_t n = 0;

	for (unsigned i = 0; i < (p.bucket[0] == p.bucket[1] ? 1 : 2) * WAYS; i++) {
		uint64_t seen =
		    atomic_load_explicit(&p.bucket[i / WAYS][i % WAYS], memory_order_relaxed);

		if (seen && (seen & ~COUNT_MASK) == p.digest)
			n += (uint32_t)(seen & COUNT_MASK);
	}
	return n;
}
