/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/conntrack/table_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nf/conntrack/source_int.h"

#define POOL_CACHE 256u
#define EARLY_BUCKETS 8u /* how far to look for a connection to give up */

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
lines_of(const struct ct_table *t)
{
	return (size_t)t->max + 1 + (t->workers + 1) * 2 * POOL_CACHE;
}

int
ct_table_create(struct ct_table **out, uint32_t max, uint32_t workers, struct mr_error *error)
{
	static const uint32_t seconds[] = {
#define X(id, leaf, name, s) [CT_##id] = s,
		CT_TIMEOUTS(X)
#undef X
	};
	struct mr_pool_config pool = { .name = "connections", .first = 1, .stride = 1 };
	struct ct_table *t = aligned_alloc(MR_CACHE_LINE, sizeof(*t));
	int rc;

	if (!t)
		return mr_error_set(error, -ENOMEM, "no memory for connections");
	memset(t, 0, sizeof(*t));
	t->max = max;
	t->workers = workers;
	t->lines = reserve(lines_of(t) * sizeof(*t->lines));
	t->cold = reserve(lines_of(t) * sizeof(*t->cold));
	t->zones = aligned_alloc(MR_CACHE_LINE, CT_ZONES_MAX * sizeof(*t->zones));
	if (!t->lines || !t->cold || !t->zones) {
		rc = mr_error_set(error, -ENOMEM, "no memory for %u connections", max);
		goto fail;
	}
	memset(t->zones, 0, CT_ZONES_MAX * sizeof(*t->zones));
	for (unsigned i = 0; i < CT_TIMEOUT_COUNT; i++)
		atomic_store_explicit(&t->timeouts[i], seconds[i], memory_order_relaxed);
	/* What idles in workers' caches is beside `max`. The pool does not touch the lines. */
	pool.base = t->lines;
	pool.shift = 6;
	pool.count = (uint32_t)lines_of(t) - 1;
	pool.workers = workers;
	pool.cache = POOL_CACHE;
	pool.guard = MR_POOL_GUARD_OFF;
	rc = mr_slots_create(&t->slots, max, error);
	if (!rc)
		rc = mr_hash_key_random(&t->key, error);
	if (!rc)
		rc = mr_pool_create(&t->pool, &pool, error);
	if (!rc)
		rc = mr_counters_create(&t->counters, workers + 1, CT_ZONES_MAX * CT_COUNT_COUNT,
		    error);
	if (!rc)
		rc = ct_sources_create(&t->sources, max * 2, error);
	if (rc)
		goto fail;
	*out = t;
	return 0;

fail:
	ct_table_destroy(t);
	return rc;
}

void
ct_table_destroy(struct ct_table *t)
{
	if (!t)
		return;
	ct_sources_destroy(t->sources);
	mr_counters_destroy(t->counters);
	mr_pool_destroy(t->pool);
	free(t->zones);
	if (t->cold)
		munmap(t->cold, lines_of(t) * sizeof(*t->cold));
	if (t->lines)
		munmap(t->lines, lines_of(t) * sizeof(*t->lines));
	mr_slots_destroy(&t->slots);
	free(t);
}

uint32_t
ct_find(struct ct_table *t, uint32_t worker, const struct ct_key *key, uint64_t hash, uint32_t now,
    uint32_t *word)
{
	mr_slots_each(index, &t->slots, hash)
	{
		struct ct_line *c = &t->lines[index];
		uint32_t w;

		/* Acquire pairs with ct_add's release: a live word's key is there. */
		w = atomic_load_explicit(&c->word, memory_order_acquire);
		if (!(w & CT_LIVE) || !ct_key_equal(&t->cold[index], key))
			continue;
		/* The key may have been the next one's already. */
		if ((atomic_load_explicit(&c->word, memory_order_relaxed) ^ w) & (CT_AGE | CT_LIVE))
			continue;
		if (ct_is_over(t, c, now)) {
			(void)ct_end(t, worker, index, w, CT_COUNT_EXPIRED);
			continue;
		}
		*word = w;
		return index;
	}
	return 0;
}

/* -- the end ------------------------------------------------------------------------------ */

/* Its word is not live any more, by this thread's doing. */
static void
let_go(struct ct_table *t, uint32_t worker, uint32_t index, uint32_t word, enum ct_count why)
{
	struct ct_key key;
	uint64_t hash;
	uint16_t zone;

	ct_key_load(&t->cold[index], &key);
	hash = ct_hash(t, &key);
	zone = CT_KEY_ZONE(&key);
	(void)mr_slots_clear(&t->slots, hash, index);
	if (word & CT_COUNTED)
		ct_sources_leave(t->sources, &key, word & CT_SWAPPED);
	atomic_fetch_sub_explicit(&t->zones[zone].connections, 1, memory_order_relaxed);
	ct_count(t, worker, zone, CT_COUNT_ENDED, 1);
	if (why != CT_COUNT_ENDED)
		ct_count(t, worker, zone, why, 1);
	mr_pool_put(t->pool, worker, &index, 1);
}

static uint32_t
next_age(uint32_t word)
{
	return (word & CT_AGE) + (1u << CT_AGE_SHIFT);
}

bool
ct_end(struct ct_table *t, uint32_t worker, uint32_t index, uint32_t word, enum ct_count why)
{
	struct ct_line *c = &t->lines[index];

	word &= ~CT_LOCK;
	/* Acquire pairs with unlock. */
	if (!atomic_compare_exchange_strong_explicit(&c->word, &word, next_age(word),
		memory_order_acquire, memory_order_relaxed))
		return false;
	let_go(t, worker, index, word, why);
	return true;
}

void
ct_end_locked(struct ct_table *t, uint32_t worker, uint32_t index, uint32_t word, enum ct_count why)
{
	ct_unlock(&t->lines[index], next_age(word));
	let_go(t, worker, index, word, why);
}

/* -- the beginning ------------------------------------------------------------------------ */

/* Of the bucket's connections the one that may be given up and was quiet longest. */
static uint32_t
idlest(struct ct_table *t, const struct mr_slots_bucket *b, uint32_t now, uint32_t *idle,
    uint32_t *word)
{
	uint32_t best = 0;

	for (unsigned i = 0; i < MR_SLOTS_WAYS; i++) {
		uint32_t index = mr_slots_at(b, i), w, quiet;
		struct ct_line *c = &t->lines[index];
		uint8_t state;

		if (!index)
			continue;
		w = atomic_load_explicit(&c->word, memory_order_acquire);
		state = atomic_load_explicit(&c->state, memory_order_relaxed);
		/* As Linux: what was never answered for good, and what is closing. */
		if (!(w & CT_LIVE) ||
		    ((w & CT_ASSURED) && (state < CT_TCP_FIN_WAIT || state > CT_TCP_CLOSE)))
			continue;
		quiet = now - atomic_load_explicit(&c->seen, memory_order_relaxed) + 1;
		if ((int32_t)quiet < 1)
			quiet = 1;
		if (!(w & CT_REPLIED))
			quiet += 1u << 24; /* never answered at all: first */
		if (quiet <= *idle)
			continue;
		*idle = quiet;
		*word = w;
		best = index;
	}
	return best;
}

static bool
give_up_one(struct ct_table *t, uint32_t worker, uint64_t hash, uint32_t now, unsigned reach)
{
	uint32_t idle = 0, word = 0, index = 0, best = 0;

	for (unsigned i = 0; i < reach && !best; i++) {
		idle = 0;
		index = idlest(t, mr_slots_first(&t->slots, hash + i), now, &idle, &word);
		if (index)
			best = index;
	}
	return best && ct_end(t, worker, best, word, CT_COUNT_EARLY);
}

uint32_t
ct_take(struct ct_table *t, uint32_t worker, uint64_t hash, uint32_t now)
{
	uint32_t index;

	for (unsigned tries = 0; tries < 4; tries++) {
		if (mr_pool_get(t->pool, worker, &index, 1))
			return index;
		if (!give_up_one(t, worker, hash + tries * EARLY_BUCKETS, now, EARLY_BUCKETS))
			return 0;
	}
	return 0;
}

void
ct_put(struct ct_table *t, uint32_t worker, uint32_t index)
{
	mr_pool_put(t->pool, worker, &index, 1);
}

static bool
enter(struct ct_table *t, uint32_t worker, uint32_t index, uint64_t hash, uint32_t now)
{
	if (mr_slots_claim(&t->slots, hash, index))
		return true;
	/* Both buckets are full: as when the table is. */
	return give_up_one(t, worker, hash, now, 1) && mr_slots_claim(&t->slots, hash, index);
}

uint32_t
ct_add(struct ct_table *t, uint32_t worker, uint32_t index, const struct ct_key *key, uint64_t hash,
    uint32_t flags, uint32_t now, uint32_t *word)
{
	struct ct_line *c = &t->lines[index];
	uint16_t zone = CT_KEY_ZONE(key);
	uint32_t other, top;
	bool done;

	mr_slots_lock(&t->slots, hash);
	other = ct_find(t, worker, key, hash, now, word);
	if (other) {
		mr_slots_unlock(&t->slots, hash);
		ct_put(t, worker, index);
		return other;
	}
	for (unsigned i = 0; i < CT_KEY_WORDS; i++)
		atomic_store_explicit(&t->cold[index].key[i], key->w[i], memory_order_release);
	atomic_fetch_add_explicit(&t->zones[zone].connections, 1, memory_order_relaxed);
	done = enter(t, worker, index, hash, now);
	*word = (atomic_load_explicit(&c->word, memory_order_relaxed) & CT_AGE) | CT_LIVE | flags;
	/* Not before it has its slot: who ends it clears that. Release pairs with find_in's acquire. */
	if (done)
		atomic_store_explicit(&c->word, *word, memory_order_release);
	mr_slots_unlock(&t->slots, hash);
	if (!done) {
		atomic_fetch_sub_explicit(&t->zones[zone].connections, 1, memory_order_relaxed);
		ct_put(t, worker, index);
		return 0;
	}
	top = atomic_load_explicit(&t->top, memory_order_relaxed);
	while (top < index &&
	    !atomic_compare_exchange_weak_explicit(&t->top, &top, index, memory_order_relaxed,
		memory_order_relaxed))
		;
	ct_count(t, worker, zone, CT_COUNT_CREATED, 1);
	return index;
}

/* -- control ------------------------------------------------------------------------------ */

void
ct_sweep(struct ct_table *t, uint32_t now, uint32_t count)
{
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);

	for (; count && top; count--) {
		uint32_t index = t->swept >= top ? 1 : t->swept + 1, word;
		struct ct_line *c = &t->lines[index];

		t->swept = index;
		word = atomic_load_explicit(&c->word, memory_order_acquire);
		if ((word & CT_LIVE) && ct_is_over(t, c, now))
			(void)ct_end(t, MR_POOL_SHARED, index, word, CT_COUNT_EXPIRED);
		if (index == top)
			break;
	}
}

uint32_t
ct_table_used(const struct ct_table *t)
{
	uint32_t n = 0;

	for (unsigned z = 0; z < CT_ZONES_MAX; z++)
		n += atomic_load_explicit(&t->zones[z].connections, memory_order_relaxed);
	return n;
}
