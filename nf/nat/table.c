/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/table_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nf/nat/journal_int.h"

#define NUMBER_CACHE 256u
#define SEQ_CACHE 32u
#define INSTANCES (NAT_INSTANCES_MAX + 1u)

static void *
reserve(size_t size)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (m == MAP_FAILED)
		return NULL;
	(void)madvise(m, size, MADV_HUGEPAGE);
	return m;
}

static size_t
lines_of(const struct nat_table *t)
{
	return (size_t)t->max + 1 + (t->workers + 1) * 2 * NUMBER_CACHE;
}

static size_t
seqs_of(const struct nat_table *t)
{
	return (size_t)NAT_SEQ_MAX + 1 + (t->workers + 1) * 2 * SEQ_CACHE;
}

static int
allocate(struct nat_table *t)
{
	t->entries = reserve(lines_of(t) * sizeof(*t->entries));
	t->six = reserve(lines_of(t) * sizeof(*t->six));
	t->leases = reserve(lines_of(t) * sizeof(*t->leases));
	t->seqs = reserve(seqs_of(t) * sizeof(*t->seqs));
	t->timeouts = calloc(INSTANCES, sizeof(*t->timeouts));
	t->pools = calloc(INSTANCES, sizeof(*t->pools));
	t->epochs = calloc(INSTANCES, sizeof(*t->epochs));
	t->lost = calloc(INSTANCES, sizeof(*t->lost));
	return t->entries && t->six && t->leases && t->seqs && t->timeouts && t->pools &&
		t->epochs && t->lost
	    ? 0
	    : -ENOMEM;
}

int
nat_table_create(struct nat_table **out, uint32_t max, uint32_t workers, struct mr_error *error)
{
	struct mr_pool_config numbers = { .name = "mappings", .first = 1, .stride = 1 };
	struct nat_table *t = aligned_alloc(MR_CACHE_LINE, sizeof(*t));
	int rc;

	if (!t)
		return mr_error_set(error, -ENOMEM, "no memory for mappings");
	memset(t, 0, sizeof(*t));
	t->max = max;
	t->workers = workers;
	if (allocate(t)) {
		rc = mr_error_set(error, -ENOMEM, "no memory for %u mappings", max);
		goto fail;
	}
	/* What idles in workers' caches is beside `max`. The pool does not touch the lines. */
	numbers.base = t->entries;
	numbers.shift = 6;
	numbers.count = (uint32_t)lines_of(t) - 1;
	numbers.workers = workers;
	numbers.cache = NUMBER_CACHE;
	numbers.guard = MR_POOL_GUARD_OFF;
	rc = mr_slots_create(&t->slots, max, error);
	if (!rc)
		rc = mr_hash_key_random(&t->key, error);
	if (!rc)
		rc = mr_pool_create(&t->numbers, &numbers, error);
	if (!rc)
		rc = mr_pool_create(&t->seq_numbers,
		    &(struct mr_pool_config){ .name = "sequence shifts",
			.base = t->seqs,
			.shift = 5,
			.first = 1,
			.stride = 1,
			.count = (uint32_t)seqs_of(t) - 1,
			.workers = workers,
			.cache = SEQ_CACHE,
			.guard = MR_POOL_GUARD_OFF },
		    error);
	if (!rc)
		rc = mr_counters_create(&t->counters, workers + 1, INSTANCES * NAT_COUNT_COUNT,
		    error);
	if (rc)
		goto fail;
	*out = t;
	return 0;

fail:
	nat_table_destroy(t);
	return rc;
}

void
nat_table_destroy(struct nat_table *t)
{
	if (!t)
		return;
	mr_counters_destroy(t->counters);
	mr_pool_destroy(t->numbers);
	mr_pool_destroy(t->seq_numbers);
	if (t->seqs)
		munmap(t->seqs, seqs_of(t) * sizeof(*t->seqs));
	if (t->leases)
		munmap(t->leases, lines_of(t) * sizeof(*t->leases));
	if (t->six)
		munmap(t->six, lines_of(t) * sizeof(*t->six));
	if (t->entries)
		munmap(t->entries, lines_of(t) * sizeof(*t->entries));
	mr_slots_destroy(&t->slots);
	free((void *)t->timeouts);
	free((void *)t->pools);
	free((void *)t->epochs);
	free((void *)t->lost);
	free(t);
}

uint32_t
nat_find(struct nat_table *t, uint32_t worker, const struct nat_name *key, uint64_t hash,
    uint32_t now, uint32_t *word)
{
	mr_slots_each(number, &t->slots, hash)
	{
		struct nat_entry *e = &t->entries[number];
		uint32_t w;

		/* Acquire pairs with nat_add's release: a live word's key is there. */
		w = atomic_load_explicit(&e->word, memory_order_acquire);
		if (!(w & NAT_LIVE) || !nat_name_equal(t, number, key, w))
			continue;
		/* The key may have been the next one's already. */
		if (!nat_is_same(e, w))
			continue;
		if (mr_unlikely(nat_is_over(t, e, w, now))) {
			(void)nat_end(t, worker, number, w, now);
			continue;
		}
		*word = w;
		return number;
	}
	return 0;
}

/* What it counts as. */
static bool
is_session(uint32_t word)
{
	return (word & (NAT_CHILD | NAT_SESSION)) && !(word & NAT_SHARE);
}

static bool
is_mapping(uint32_t word)
{
	return !(word & NAT_CHILD) || (word & NAT_SHARED);
}

/* -- the end ------------------------------------------------------------------------------ */

static void
key_load(const struct nat_table *t, uint32_t number, uint32_t word, struct nat_name *key)
{
	const struct nat_entry *e = &t->entries[number];

	key->inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	key->scope = atomic_load_explicit(&e->scope, memory_order_relaxed);
	key->is_six = !!(word & NAT_SIX);
	for (unsigned i = 0; i < 2; i++)
		key->six[i] = key->is_six
		    ? atomic_load_explicit(&t->six[number].half[i], memory_order_relaxed)
		    : 0;
}

static void
give_back(struct nat_entry *e, struct nat_pool *pool, uint32_t worker, uint32_t number,
    uint32_t word, uint32_t now)
{
	uint64_t outside = atomic_load_explicit(&e->outside, memory_order_relaxed);
	enum nat_proto proto =
	    nat_pool_proto(NAT_PROTO_OF(atomic_load_explicit(&e->inside, memory_order_relaxed)));
	struct nat_outside o = { .address = NAT_ADDRESS(outside),
		.port = NAT_PORT_OF(outside),
		.subscriber = atomic_load_explicit(&e->subscriber, memory_order_relaxed) };

	if (word & (NAT_CHILD | NAT_SESSION))
		nat_pool_session_end(pool, o.subscriber);
	if (word & NAT_RESERVED)
		nat_pool_unreserve(pool, o.address, proto, o.port);
	else if (word & NAT_PORT)
		nat_pool_give(pool, worker, &o, proto, number, now);
}

void
nat_release_seq(struct nat_table *t, uint32_t worker, struct nat_entry *e)
{
	uint32_t number = atomic_load_explicit(&e->alg, memory_order_relaxed);

	if (!number)
		return;
	atomic_store_explicit(&e->alg, 0, memory_order_relaxed);
	mr_pool_put(t->seq_numbers, worker, &number, 1);
}

/* Its word is not live any more, by this thread's doing. The number stays the caller's. */
static void
let_go(struct nat_table *t, uint32_t worker, uint32_t number, uint32_t word, uint64_t hash,
    uint32_t now)
{
	struct nat_entry *e = &t->entries[number];
	struct nat_pool *pool;
	struct nat_name key;
	uint8_t instance;

	key_load(t, number, word, &key);
	instance = NAT_INSTANCE_OF(key.inside);
	(void)mr_slots_clear(&t->slots, hash, number);
	if (mr_unlikely(word & NAT_LOGGED))
		nat_journal_mapping(t->journal, NAT_LOG_MAPPING_ENDED, e,
		    key.is_six ? (const uint8_t *)key.six : NULL, now);
	/* Acquire: the pool is made. */
	pool = atomic_load_explicit(&t->pools[instance], memory_order_acquire);
	if (pool &&
	    atomic_load_explicit(&e->pool, memory_order_relaxed) ==
		atomic_load_explicit(&t->epochs[instance], memory_order_relaxed))
		give_back(e, pool, worker, number, word, now);
	nat_release_seq(t, worker, e);
	/* Who has leases learns that something was lost (RFC 6887, 8.5). */
	if (nat_is_leased(t, e, word, now))
		atomic_store_explicit(&t->lost[instance], now, memory_order_relaxed);
	if (mr_unlikely(word & NAT_SHARED))
		nat_end_share(t, worker, number, now);
	if (word & NAT_CHILD)
		nat_orphan(t, atomic_load_explicit(&e->children, memory_order_relaxed));
	if (is_session(word))
		nat_count(t, worker, instance, NAT_COUNT_SESSIONS_ENDED);
	if (is_mapping(word))
		nat_count(t, worker, instance, NAT_COUNT_ENDED);
}

static uint64_t
hash_of(const struct nat_table *t, uint32_t number, uint32_t word)
{
	struct nat_name key;

	key_load(t, number, word, &key);
	return nat_hash(t, &key);
}

/* As nat_end, but for its number, which is the caller's then. */
static bool
end_entry(struct nat_table *t, uint32_t worker, uint32_t number, uint32_t word, uint64_t hash,
    uint32_t now)
{
	struct nat_entry *e = &t->entries[number];

	if (!nat_lock(e, &word))
		return false;
	if (!(word & NAT_CHILD) && atomic_load_explicit(&e->children, memory_order_relaxed)) {
		nat_unlock(e, word);
		return false;
	}
	nat_unlock(e, (word & NAT_AGE) + (1u << NAT_AGE_SHIFT));
	let_go(t, worker, number, word, hash, now);
	return true;
}

bool
nat_end(struct nat_table *t, uint32_t worker, uint32_t number, uint32_t word, uint32_t now)
{
	if (!end_entry(t, worker, number, word, hash_of(t, number, word), now))
		return false;
	mr_pool_put(t->numbers, worker, &number, 1);
	return true;
}

/* -- the beginning ------------------------------------------------------------------------ */

uint32_t
nat_take(struct nat_table *t, uint32_t worker)
{
	uint32_t number;

	return mr_pool_get(t->numbers, worker, &number, 1) ? number : 0;
}

void
nat_put(struct nat_table *t, uint32_t worker, uint32_t number)
{
	mr_pool_put(t->numbers, worker, &number, 1);
}

static void
raise_top(struct nat_table *t, uint32_t number)
{
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);

	while (top < number &&
	    !atomic_compare_exchange_weak_explicit(&t->top, &top, number, memory_order_relaxed,
		memory_order_relaxed))
		;
}

uint32_t
nat_add(struct nat_table *t, uint32_t worker, uint32_t number, const struct nat_name *key,
    uint64_t hash, uint32_t flags, uint32_t now, uint32_t *word)
{
	struct nat_entry *e = &t->entries[number];
	uint8_t instance = NAT_INSTANCE_OF(key->inside);
	uint32_t other;
	bool done;

	mr_slots_lock(&t->slots, hash);
	other = nat_find(t, worker, key, hash, now, word);
	if (other) {
		mr_slots_unlock(&t->slots, hash);
		return other;
	}
	atomic_store_explicit(&e->inside, key->inside, memory_order_release);
	atomic_store_explicit(&e->scope, key->scope, memory_order_release);
	for (unsigned i = 0; key->is_six && i < 2; i++)
		atomic_store_explicit(&t->six[number].half[i], key->six[i], memory_order_release);
	flags |= key->is_six ? NAT_SIX : 0;
	done = mr_slots_claim(&t->slots, hash, number);
	*word = (atomic_load_explicit(&e->word, memory_order_relaxed) & NAT_AGE) | NAT_LIVE | flags;
	/* Not before it has its slot: who ends it clears that. Release pairs with the acquire of
	 * nat_find, and of who finds it through the pool. */
	if (done)
		atomic_store_explicit(&e->word, *word, memory_order_release);
	mr_slots_unlock(&t->slots, hash);
	if (!done)
		return 0;
	raise_top(t, number);
	if (is_session(flags))
		nat_count(t, worker, instance, NAT_COUNT_SESSIONS);
	if (is_mapping(flags))
		nat_count(t, worker, instance, NAT_COUNT_CREATED);
	return number;
}

static uint32_t
difference(const struct nat_table *t, uint32_t instance, enum nat_count more, enum nat_count less)
{
	/* What is gone first: it was made before. */
	uint64_t gone = mr_counters_sum(t->counters, instance * NAT_COUNT_COUNT + less);
	uint64_t made = mr_counters_sum(t->counters, instance * NAT_COUNT_COUNT + more);

	return made > gone ? (uint32_t)(made - gone) : 0;
}

uint32_t
nat_mappings(const struct nat_table *t, uint32_t instance)
{
	return difference(t, instance, NAT_COUNT_CREATED, NAT_COUNT_ENDED);
}

uint32_t
nat_sessions(const struct nat_table *t, uint32_t instance)
{
	return difference(t, instance, NAT_COUNT_SESSIONS, NAT_COUNT_SESSIONS_ENDED);
}

bool
nat_adopt(struct nat_table *t, uint32_t mapping, uint32_t word)
{
	struct nat_entry *e = &t->entries[mapping];

	/* A child has none: its mapping's number stands there. */
	if ((word & NAT_CHILD) || !nat_lock(e, &word))
		return false;
	atomic_fetch_add_explicit(&e->children, 1, memory_order_relaxed);
	nat_unlock(e, word);
	return true;
}

void
nat_orphan(struct nat_table *t, uint32_t mapping)
{
	atomic_fetch_sub_explicit(&t->entries[mapping].children, 1, memory_order_relaxed);
}

/* -- control ------------------------------------------------------------------------------ */

/* Those that end together: what they touch is on its way before the first one ends, and their
 * numbers go back at once. */
#define TOGETHER 64u
struct leaving {
	uint32_t number[TOGETHER], word[TOGETHER];
	uint64_t hash[TOGETHER];
	unsigned count;
};

static void
leave(struct nat_table *t, struct leaving *l, uint32_t number, uint32_t word)
{
	const struct nat_entry *e = &t->entries[number];
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	uint64_t outside = atomic_load_explicit(&e->outside, memory_order_relaxed);
	const struct nat_pool *pool =
	    atomic_load_explicit(&t->pools[NAT_INSTANCE_OF(inside)], memory_order_acquire);

	l->number[l->count] = number;
	l->word[l->count] = word;
	l->hash[l->count] = hash_of(t, number, word);
	mr_slots_prefetch(&t->slots, l->hash[l->count]);
	if (pool && (word & NAT_PORT))
		nat_pool_prefetch_give(pool, NAT_ADDRESS(outside),
		    nat_pool_proto(NAT_PROTO_OF(inside)), NAT_PORT_OF(outside));
	l->count++;
}

static void
end_leaving(struct nat_table *t, struct leaving *l, uint32_t now)
{
	unsigned gone = 0;

	for (unsigned i = 0; i < l->count; i++)
		if (end_entry(t, MR_POOL_SHARED, l->number[i], l->word[i], l->hash[i], now))
			l->number[gone++] = l->number[i];
	if (gone)
		mr_pool_put(t->numbers, MR_POOL_SHARED, l->number, gone);
	l->count = 0;
}

void
nat_sweep(struct nat_table *t, uint32_t now, uint32_t count)
{
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);
	struct leaving l = { .count = 0 };

	for (; count && top; count--) {
		uint32_t number = t->swept >= top ? 1 : t->swept + 1, word;
		struct nat_entry *e = &t->entries[number];

		t->swept = number;
		word = atomic_load_explicit(&e->word, memory_order_acquire);
		if ((word & NAT_LIVE) && nat_is_over(t, e, word, now))
			leave(t, &l, number, word);
		if (l.count == TOGETHER)
			end_leaving(t, &l, now);
		if (number == top)
			break;
	}
	end_leaving(t, &l, now);
}

void
nat_flush(struct nat_table *t, bool (*over)(const struct nat_entry *, uint32_t word, void *arg),
    void *arg, uint32_t now)
{
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);

	for (unsigned round = 0; round < 2; round++)
		for (uint32_t i = 1; i <= top; i++) {
			struct nat_entry *e = &t->entries[i];
			uint32_t word = atomic_load_explicit(&e->word, memory_order_acquire);
			uint8_t instance;

			if (!(word & NAT_LIVE) || !(word & NAT_CHILD) != !!round ||
			    !over(e, word, arg))
				continue;
			instance =
			    NAT_INSTANCE_OF(atomic_load_explicit(&e->inside, memory_order_relaxed));
			if (nat_end(t, MR_POOL_SHARED, i, word, now))
				nat_count(t, MR_POOL_SHARED, instance, NAT_COUNT_FLUSHED);
		}
}
