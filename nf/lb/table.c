/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/table_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nf/lb/lb_int.h"

#define POOL_CACHE 256u
#define EARLY_BUCKETS 8u /* how far to look for a connection to give up */

static size_t
lines_of(const struct lb_table *t)
{
	return (size_t)t->max + 1 + (t->workers + 1) * 2 * POOL_CACHE;
}

int
lb_table_create(struct lb_table **out, uint32_t max, uint32_t workers, struct lb_live *live,
    struct mr_error *error)
{
	struct mr_pool_config pool = { .name = "lb-connections", .first = 1, .stride = 1 };
	struct lb_table *t = aligned_alloc(MR_CACHE_LINE, sizeof(*t));
	void *lines;
	int rc = 0;

	if (!t)
		return mr_error_set(error, -ENOMEM, "no memory for connections");
	memset(t, 0, sizeof(*t));
	t->max = max;
	t->workers = workers;
	t->live = live;
	lines = mmap(NULL, lines_of(t) * sizeof(*t->lines), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (lines == MAP_FAILED) {
		free(t);
		return mr_error_set(error, -ENOMEM, "no memory for %u connections", max);
	}
	(void)madvise(lines, lines_of(t) * sizeof(*t->lines), MADV_HUGEPAGE);
	t->lines = lines;
	/* What idles in workers' caches is beside `max`. The pool does not touch the lines. */
	pool.base = t->lines;
	pool.shift = 6;
	pool.count = (uint32_t)lines_of(t) - 1;
	pool.workers = workers;
	pool.cache = POOL_CACHE;
	pool.guard = MR_POOL_GUARD_OFF;
	rc = mr_slots_create(&t->front, max, error);
	if (!rc)
		rc = mr_slots_create(&t->back, max, error);
	if (!rc)
		rc = mr_hash_key_random(&t->key, error);
	if (!rc)
		rc = mr_pool_create(&t->pool, &pool, error);
	if (!rc)
		rc = mr_counters_create(&t->counters, workers + 1, LB_COUNT_COUNT, error);
	if (rc) {
		lb_table_destroy(t);
		return rc;
	}
	*out = t;
	return 0;
}

void
lb_table_destroy(struct lb_table *t)
{
	if (!t)
		return;
	mr_counters_destroy(t->counters);
	mr_pool_destroy(t->pool);
	munmap(t->lines, lines_of(t) * sizeof(*t->lines));
	mr_slots_destroy(&t->front);
	mr_slots_destroy(&t->back);
	free(t);
}

static void
count(const struct lb_table *t, uint32_t worker, enum lb_count what)
{
	mr_counter_add(mr_counters_row(t->counters, MR_MIN(worker, t->workers)) + what, 1);
}

/* -- look-ups ----------------------------------------------------------------------------- */

/* The peer's part of a back key: the client, or the number of the address that we speak from. */
static void
peer_of(const struct lb_found *f, uint64_t peer[2])
{
	bool full = LB_TAIL_FLAGS(f->back_tail) & LB_KEY_FULL;

	peer[0] = full ? f->source : f->front[0];
	peer[1] = full ? 0 : f->front[1];
}

/* What a live line holds; false: it is not live, or changes hands right now. */
static bool
read_line(const struct lb_table *t, uint32_t index, struct lb_found *f)
{
	const struct lb_line *c = &t->lines[index];

	/* Acquire pairs with lb_add's release: a live word's line is filled. */
	f->word = atomic_load_explicit(&c->word, memory_order_acquire);
	if (!(f->word & LB_LIVE))
		return false;
	f->index = index;
	/* Acquire pairs with lb_add's release: who reads the next one's reads a later word below. */
	for (unsigned i = 0; i < LB_KEY_WORDS; i++)
		f->front[i] = atomic_load_explicit(&c->front[i], memory_order_acquire);
	f->back_tail = atomic_load_explicit(&c->back_tail, memory_order_acquire);
	f->source = atomic_load_explicit(&c->source, memory_order_acquire);
	f->backend = atomic_load_explicit(&c->backend, memory_order_acquire);
	f->service = atomic_load_explicit(&c->service, memory_order_acquire);
	f->state = atomic_load_explicit(&c->state, memory_order_relaxed);
	f->limit = atomic_load_explicit(&c->limit, memory_order_relaxed);
	f->seen = atomic_load_explicit(&c->seen, memory_order_relaxed);
	return !(
	    (atomic_load_explicit(&c->word, memory_order_relaxed) ^ f->word) & (LB_AGE | LB_LIVE));
}

bool
lb_find(struct lb_table *t, uint32_t worker, const struct lb_key *key, uint64_t hash, uint32_t now,
    struct lb_found *found)
{
	mr_slots_each(index, &t->front, hash)
	{
		if (!read_line(t, index, found) ||
		    memcmp(found->front, key->w, sizeof(found->front)) != 0)
			continue;
		if (!lb_is_over(&t->lines[index], now))
			return true;
		(void)lb_end(t, worker, index, found->word, LB_COUNT_EXPIRED);
	}
	return false;
}

bool
lb_find_back(struct lb_table *t, uint32_t worker, const struct lb_key *key, uint64_t hash,
    uint32_t now, struct lb_found *found)
{
	mr_slots_each(index, &t->back, hash)
	{
		uint64_t peer[2];

		if (!read_line(t, index, found) || !(found->word & LB_BACKED) ||
		    found->back_tail != key->w[2])
			continue;
		peer_of(found, peer);
		if (peer[0] != key->w[0] || peer[1] != key->w[1])
			continue;
		if (!lb_is_over(&t->lines[index], now))
			return true;
		(void)lb_end(t, worker, index, found->word, LB_COUNT_EXPIRED);
	}
	return false;
}

bool
lb_look(const struct lb_table *t, uint32_t index, struct lb_found *found, uint32_t *created)
{
	*created = atomic_load_explicit(&t->lines[index].created, memory_order_relaxed);
	return read_line(t, index, found);
}

/* -- the end ------------------------------------------------------------------------------ */

static void
clear_slots(struct lb_table *t, const struct lb_found *f)
{
	struct lb_key key;

	memcpy(key.w, f->front, sizeof(key.w));
	(void)mr_slots_clear(&t->front, lb_hash(t, &key), f->index);
	if (!(f->word & LB_BACKED))
		return;
	peer_of(f, key.w);
	key.w[2] = f->back_tail;
	(void)mr_slots_clear(&t->back, lb_hash(t, &key), f->index);
}

bool
lb_end(struct lb_table *t, uint32_t worker, uint32_t index, uint32_t word, enum lb_count why)
{
	struct lb_line *c = &t->lines[index];
	struct lb_found f;

	if (!read_line(t, index, &f) || ((f.word ^ word) & LB_AGE))
		return false;
	/* Its answer may just be noted: the same connection still. */
	word = f.word;
	while (!atomic_compare_exchange_weak_explicit(&c->word, &word,
	    (word & LB_AGE) + (1u << LB_AGE_SHIFT), memory_order_acquire, memory_order_relaxed))
		if (!(word & LB_LIVE) || ((word ^ f.word) & LB_AGE))
			return false;
	f.word = word;
	clear_slots(t, &f);
	if (word & LB_COUNTED)
		atomic_fetch_sub_explicit(&t->live[f.backend].active, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&t->used, 1, memory_order_relaxed);
	count(t, worker, LB_COUNT_ENDED);
	if (why != LB_COUNT_ENDED)
		count(t, worker, why);
	mr_pool_put(t->pool, worker, &index, 1);
	return true;
}

void
lb_assure(struct lb_line *c, uint32_t word)
{
	/* Fails where the line has changed hands, or somebody else just did it. */
	(void)atomic_compare_exchange_strong_explicit(&c->word, &word, word | LB_ASSURED,
	    memory_order_relaxed, memory_order_relaxed);
}

void
lb_restart(struct lb_table *t, uint32_t worker, struct lb_found *f, uint32_t limit, uint32_t now)
{
	struct lb_line *c = &t->lines[f->index];

	f->state = LB_OPEN;
	lb_enter(c, LB_OPEN, limit);
	atomic_store_explicit(&c->created, now, memory_order_relaxed);
	count(t, worker, LB_COUNT_ENDED);
	count(t, worker, LB_COUNT_REUSED);
	count(t, worker, LB_COUNT_CREATED);
}

/* -- the beginning ------------------------------------------------------------------------ */

/* Of the bucket's connections the one that may be given up and was quiet longest. */
static uint32_t
idlest(struct lb_table *t, const struct mr_slots_bucket *b, uint32_t now, uint32_t *word)
{
	uint32_t best = 0, idle = 0;

	for (unsigned i = 0; i < MR_SLOTS_WAYS; i++) {
		uint32_t index = mr_slots_at(b, i), quiet;
		struct lb_found f;

		if (!index || !read_line(t, index, &f) ||
		    ((f.word & LB_ASSURED) && f.state < LB_FIN))
			continue;
		quiet = (int32_t)(now - f.seen) < 0 ? 1 : now - f.seen + 1;
		if (!(f.word & LB_ASSURED))
			quiet += 1u << 24; /* came to nothing: first */
		if (quiet <= idle)
			continue;
		idle = quiet;
		*word = f.word;
		best = index;
	}
	return best;
}

static bool
give_up_one(struct lb_table *t, uint32_t worker, uint64_t hash, uint32_t now, unsigned reach)
{
	uint32_t word = 0;

	for (unsigned i = 0; i < reach; i++) {
		uint32_t index = idlest(t, mr_slots_first(&t->front, hash + i), now, &word);

		if (index)
			return lb_end(t, worker, index, word, LB_COUNT_EARLY);
	}
	return false;
}

static uint32_t
take(struct lb_table *t, uint32_t worker, uint64_t hash, uint32_t now)
{
	uint32_t index;

	/* The pool has more than `max`, for what idles in caches. */
	for (unsigned tries = 0; tries < 4; tries++) {
		if (atomic_load_explicit(&t->used, memory_order_relaxed) < t->max &&
		    mr_pool_get(t->pool, worker, &index, 1))
			return index;
		if (!give_up_one(t, worker, hash + tries * EARLY_BUCKETS, now, EARLY_BUCKETS))
			return 0;
	}
	return 0;
}

static void
fill(struct lb_line *c, const struct lb_new *n, uint32_t now)
{
	/* Release pairs with read_line's acquire. */
	for (unsigned i = 0; i < LB_KEY_WORDS; i++)
		atomic_store_explicit(&c->front[i], n->front.w[i], memory_order_release);
	atomic_store_explicit(&c->back_tail, n->back.w[2], memory_order_release);
	atomic_store_explicit(&c->source, n->source, memory_order_release);
	atomic_store_explicit(&c->backend, n->backend, memory_order_release);
	atomic_store_explicit(&c->service, n->service, memory_order_release);
	atomic_store_explicit(&c->seen, now, memory_order_relaxed);
	atomic_store_explicit(&c->created, now, memory_order_relaxed);
	lb_enter(c, (enum lb_state)n->state, n->limit);
}

/* Both locks are held, in this order by everybody: front, back. */
static enum lb_added
enter(struct lb_table *t, uint32_t worker, uint32_t index, const struct lb_new *n, uint32_t now,
    struct lb_found *found)
{
	struct lb_line *c = &t->lines[index];

	if (lb_find(t, worker, &n->front, n->front_hash, now, found))
		return LB_EXISTS;
	if ((n->flags & LB_BACKED) && lb_find_back(t, worker, &n->back, n->back_hash, now, found))
		return LB_CONFLICT;
	fill(c, n, now);
	if (!mr_slots_claim(&t->front, n->front_hash, index))
		return LB_FULL;
	if ((n->flags & LB_BACKED) && !mr_slots_claim(&t->back, n->back_hash, index)) {
		(void)mr_slots_clear(&t->front, n->front_hash, index);
		return LB_FULL;
	}
	if (n->flags & LB_COUNTED)
		atomic_fetch_add_explicit(&t->live[n->backend].active, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->used, 1, memory_order_relaxed);
	/* Not before it has its slots: who ends it clears them. Release pairs with read_line. */
	atomic_store_explicit(&c->word,
	    (atomic_load_explicit(&c->word, memory_order_relaxed) & LB_AGE) | LB_LIVE | n->flags,
	    memory_order_release);
	return LB_ADDED;
}

enum lb_added
lb_add(struct lb_table *t, uint32_t worker, const struct lb_new *n, uint32_t now,
    struct lb_found *found)
{
	uint32_t index = take(t, worker, n->front_hash, now), top;
	enum lb_added result;

	if (!index)
		return LB_FULL;
	mr_slots_lock(&t->front, n->front_hash);
	if (n->flags & LB_BACKED)
		mr_slots_lock(&t->back, n->back_hash);
	result = enter(t, worker, index, n, now, found);
	if (n->flags & LB_BACKED)
		mr_slots_unlock(&t->back, n->back_hash);
	mr_slots_unlock(&t->front, n->front_hash);
	if (result != LB_ADDED) {
		mr_pool_put(t->pool, worker, &index, 1);
		return result;
	}
	top = atomic_load_explicit(&t->top, memory_order_relaxed);
	while (top < index &&
	    !atomic_compare_exchange_weak_explicit(&t->top, &top, index, memory_order_relaxed,
		memory_order_relaxed))
		;
	count(t, worker, LB_COUNT_CREATED);
	/* Where it is over by now, it was somebody's doing who knew it. */
	if (!read_line(t, index, found))
		*found = (struct lb_found){ .index = index,
			.backend = n->backend,
			.service = n->service,
			.source = n->source,
			.back_tail = n->back.w[2],
			.state = n->state };
	return LB_ADDED;
}

/* -- control ------------------------------------------------------------------------------ */

void
lb_sweep(struct lb_table *t, uint32_t now, uint32_t count)
{
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);

	for (; count && top; count--) {
		uint32_t index = t->swept >= top ? 1 : t->swept + 1, word;
		struct lb_line *c = &t->lines[index];

		t->swept = index;
		word = atomic_load_explicit(&c->word, memory_order_acquire);
		if ((word & LB_LIVE) && lb_is_over(c, now))
			(void)lb_end(t, MR_POOL_SHARED, index, word, LB_COUNT_EXPIRED);
		if (index == top)
			break;
	}
}

void
lb_break(struct lb_table *t, bool (*gone)(const void *, const struct lb_found *), const void *arg)
{
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);
	struct lb_found f;

	for (uint32_t i = 1; i <= top; i++)
		if (read_line(t, i, &f) && gone(arg, &f))
			(void)lb_end(t, MR_POOL_SHARED, i, f.word, LB_COUNT_BROKEN);
}
