/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat64/table_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define POOL_CACHE 256u

static size_t
lines_of(const struct n64_table *t)
{
	return (size_t)t->max + 1 + (t->workers + 1) * 2 * POOL_CACHE;
}

static int
set_create(struct n64_set *s, const struct n64_table *t, const char *name, struct mr_error *error)
{
	struct mr_pool_config pool = { .name = name, .first = 1, .stride = 1 };
	size_t size = lines_of(t) * sizeof(*s->lines);
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int rc;

	if (m == MAP_FAILED)
		return mr_error_set(error, -ENOMEM, "no memory for %u %s", t->max, name);
	(void)madvise(m, size, MADV_HUGEPAGE);
	s->lines = m;
	/* What idles in workers' caches is beside `max`. The pool does not touch the lines. */
	pool.base = m;
	pool.shift = 6;
	pool.count = (uint32_t)lines_of(t) - 1;
	pool.workers = (uint16_t)t->workers;
	pool.cache = POOL_CACHE;
	pool.guard = MR_POOL_GUARD_OFF;
	rc = mr_slots_create(&s->slots, t->max, error);
	return rc ? rc : mr_pool_create(&s->numbers, &pool, error);
}

static void
set_destroy(struct n64_set *s, const struct n64_table *t)
{
	mr_pool_destroy(s->numbers);
	mr_slots_destroy(&s->slots);
	if (s->lines)
		munmap(s->lines, lines_of(t) * sizeof(*s->lines));
}

int
n64_table_create(struct n64_table **out, uint32_t max, uint32_t workers, struct mr_error *error)
{
	struct n64_table *t = aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*t), 64u));
	int rc;

	if (!t)
		return mr_error_set(error, -ENOMEM, "no memory for NAT64");
	memset(t, 0, sizeof(*t));
	t->max = max;
	t->workers = workers;
	rc = set_create(&t->bindings, t, "bindings", error);
	if (!rc)
		rc = set_create(&t->sessions, t, "sessions", error);
	if (!rc)
		rc = mr_slots_create(&t->remotes, max, error);
	if (!rc)
		rc = mr_hash_key_random(&t->key, error);
	if (!rc)
		rc = mr_counters_create(&t->counters, workers + 1,
		    (N64_INSTANCES_MAX + 1) * N64_COUNT_COUNT, error);
	if (rc) {
		n64_table_destroy(t);
		return rc;
	}
	*out = t;
	return 0;
}

void
n64_table_destroy(struct n64_table *t)
{
	if (!t)
		return;
	mr_counters_destroy(t->counters);
	mr_slots_destroy(&t->remotes);
	set_destroy(&t->sessions, t);
	set_destroy(&t->bindings, t);
	free(t);
}

/* -- lines ------------------------------------------------------------------------------------ */

void
n64_key_load(const struct n64_line *l, struct n64_key *k)
{
	uint64_t word[4];

	/* Acquire pairs with publish: who reads a later key reads a later word next. */
	for (unsigned i = 0; i < 4; i++)
		word[i] = atomic_load_explicit(&l->key[i], memory_order_acquire);
	memcpy(k, word, sizeof(*k));
}

static bool
read_line(const struct n64_set *s, uint32_t number, struct n64_found *f, struct n64_key *k)
{
	const struct n64_line *l = &s->lines[number];

	/* Acquire pairs with publish: a live word's key is there. */
	f->word = atomic_load_explicit(&l->word, memory_order_acquire);
	if (!(f->word & N64_LIVE))
		return false;
	n64_key_load(l, k);
	f->number = number;
	f->outside = atomic_load_explicit(&l->outside, memory_order_acquire);
	f->owner = atomic_load_explicit(&l->owner, memory_order_acquire);
	return n64_is_same(l, f->word);
}

static bool
find(const struct n64_set *s, const struct n64_key *key, uint64_t hash, struct n64_found *f)
{
	struct n64_key k;

	mr_slots_each(number, &s->slots, hash)
	{
		if (read_line(s, number, f, &k) && memcmp(&k, key, sizeof(k)) == 0)
			return true;
	}
	f->number = 0;
	return false;
}

/* The line is the caller's until its word is stored. */
static void
publish(struct n64_set *s, uint32_t number, const struct n64_key *key, uint64_t outside,
    uint32_t owner, uint32_t now, uint64_t low, struct n64_found *f)
{
	struct n64_line *l = &s->lines[number];
	uint64_t word[4], age = atomic_load_explicit(&l->word, memory_order_relaxed) & N64_AGE;
	uint32_t top = atomic_load_explicit(&s->top, memory_order_relaxed);

	memcpy(word, key, sizeof(word));
	for (unsigned i = 0; i < 4; i++)
		atomic_store_explicit(&l->key[i], word[i], memory_order_release);
	atomic_store_explicit(&l->outside, outside, memory_order_release);
	atomic_store_explicit(&l->owner, owner, memory_order_release);
	atomic_store_explicit(&l->seen, now, memory_order_relaxed);
	atomic_store_explicit(&l->created, now, memory_order_relaxed);
	*f = (struct n64_found){ number, age | low | N64_LIVE, outside, owner };
	atomic_store_explicit(&l->word, f->word, memory_order_release);
	while (top < number &&
	    !atomic_compare_exchange_weak_explicit(&s->top, &top, number, memory_order_relaxed,
		memory_order_relaxed))
		;
}

static uint64_t
dead(uint64_t word)
{
	return (word & N64_AGE) + (1ull << N64_AGE_SHIFT);
}

/* -- bindings --------------------------------------------------------------------------------- */

bool
n64_find_binding(struct n64_table *t, const struct n64_key *key, struct n64_found *f)
{
	return find(&t->bindings, key, n64_hash(t, key), f);
}

bool
n64_find_outside(struct n64_table *t, uint8_t instance, const struct nat_pool *pool, be32_t address,
    enum nat_proto proto, be16_t port, struct n64_found *f, struct n64_key *key)
{
	uint32_t number = nat_pool_find(pool, address, proto, port);

	f->number = 0;
	return number && number < lines_of(t) && read_line(&t->bindings, number, f, key) &&
	    f->outside == N64_OUTSIDE(address, port) && N64_PROTO(key->ports) == proto &&
	    N64_INSTANCE(key->ports) == instance;
}

/* One session more; false: it is gone. */
static bool
adopt(struct n64_line *b, uint64_t word)
{
	uint64_t is = atomic_load_explicit(&b->word, memory_order_relaxed);

	do {
		if ((is ^ word) & (N64_AGE | N64_LIVE))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&b->word, &is, is + N64_COUNT_ONE,
	    memory_order_acq_rel, memory_order_relaxed));
	return true;
}

/* One less. Whoever takes the last one away frees it. */
static void
orphan(struct n64_table *t, uint32_t worker, uint32_t number, uint32_t now)
{
	struct n64_line *b = &t->bindings.lines[number];
	uint64_t is = atomic_load_explicit(&b->word, memory_order_relaxed), to;
	struct nat_outside outside;
	struct n64_key key;
	uint64_t end;

	do {
		to = N64_SESSIONS(is & ~N64_AGE) == 1 ? dead(is) : is - N64_COUNT_ONE;
	} while (!atomic_compare_exchange_weak_explicit(&b->word, &is, to, memory_order_acq_rel,
	    memory_order_relaxed));
	if (to & N64_LIVE)
		return;
	n64_key_load(b, &key);
	end = atomic_load_explicit(&b->outside, memory_order_relaxed);
	outside = (struct nat_outside){ N64_ADDRESS(end), N64_PORT(end),
		atomic_load_explicit(&b->owner, memory_order_relaxed) };
	(void)mr_slots_clear(&t->bindings.slots, n64_hash(t, &key), number);
	nat_pool_give(
	    atomic_load_explicit(&t->pools[N64_INSTANCE(key.ports)], memory_order_acquire), worker,
	    &outside, (enum nat_proto)N64_PROTO(key.ports), number, now);
	n64_count(t, worker, N64_INSTANCE(key.ports), N64_COUNT_BINDINGS_ENDED);
	mr_pool_put(t->bindings.numbers, worker, &number, 1);
}

/* 0: none. */
static uint32_t
take_number(struct n64_set *s, uint32_t worker)
{
	uint32_t number;

	return mr_pool_get(s->numbers, worker, &number, 1) ? number : 0;
}

static enum n64_result
result_of(enum nat_take take)
{
	switch (take) {
	case NAT_TAKEN:
		return N64_FOUND;
	case NAT_NO_PORT:
		return N64_NO_PORT;
	case NAT_NO_BLOCK:
		return N64_NO_BLOCK;
	case NAT_LIMIT:
		return N64_LIMIT;
	case NAT_RATE:
		return N64_RATE;
	default:
		return N64_NO_SUBSCRIBER;
	}
}

enum n64_result
n64_look(const struct n64_table *t, uint32_t worker, const struct n64_key *key, uint32_t now,
    struct n64_found *f)
{
	/* Acquire pairs with the configuration's release. */
	const struct nat_pool *pool =
	    atomic_load_explicit(&t->pools[N64_INSTANCE(key->ports)], memory_order_acquire);
	struct nat_outside outside;
	uint8_t inside[16];
	enum nat_take take;

	memcpy(inside, key->inside, sizeof(inside));
	take = nat_pool_look(pool, worker, inside, true, (enum nat_proto)N64_PROTO(key->ports),
	    N64_SPORT(key->ports), now, &outside);
	memset(f, 0, sizeof(*f));
	f->outside = N64_OUTSIDE(outside.address, outside.port);
	return take == NAT_TAKEN && !outside.port ? N64_UNTOLD : result_of(take);
}

/* A new binding with one session; its bucket is locked. */
static enum n64_result
add_binding(struct n64_table *t, uint32_t worker, const struct n64_key *key, uint64_t hash,
    uint32_t now, struct n64_found *f)
{
	struct nat_pool *pool =
	    atomic_load_explicit(&t->pools[N64_INSTANCE(key->ports)], memory_order_acquire);
	enum nat_proto proto = (enum nat_proto)N64_PROTO(key->ports);
	uint32_t number = take_number(&t->bindings, worker);
	struct nat_outside outside;
	uint8_t inside[16];
	enum nat_take take;

	if (!number)
		return N64_FULL;
	memcpy(inside, key->inside, sizeof(inside));
	take = nat_pool_take(pool, worker, inside, true, proto, N64_SPORT(key->ports), number, now,
	    &outside);
	if (take != NAT_TAKEN) {
		mr_pool_put(t->bindings.numbers, worker, &number, 1);
		return result_of(take);
	}
	publish(&t->bindings, number, key, N64_OUTSIDE(outside.address, outside.port),
	    outside.subscriber, now, N64_COUNT_ONE, f);
	n64_count(t, worker, N64_INSTANCE(key->ports), N64_COUNT_BINDINGS);
	if (mr_slots_claim(&t->bindings.slots, hash, number))
		return N64_FOUND;
	orphan(t, worker, number, now);
	return N64_FULL;
}

/* The binding of this key, there or new, with one session more. */
static enum n64_result
get_binding(struct n64_table *t, uint32_t worker, const struct n64_key *key, uint32_t now,
    struct n64_found *f)
{
	uint64_t hash = n64_hash(t, key);
	enum n64_result result = N64_FOUND;

	if (find(&t->bindings, key, hash, f) && adopt(&t->bindings.lines[f->number], f->word))
		return N64_FOUND;
	mr_slots_lock(&t->bindings.slots, hash);
	if (!find(&t->bindings, key, hash, f) || !adopt(&t->bindings.lines[f->number], f->word))
		result = add_binding(t, worker, key, hash, now, f);
	mr_slots_unlock(&t->bindings.slots, hash);
	return result;
}

/* -- sessions --------------------------------------------------------------------------------- */

static const uint8_t time_of[16] = {
#define X(id, name, time, doc) [N64_STATE_##id] = N64_TIME_##time,
	N64_STATES(X)
#undef X
};

uint32_t
n64_left(const struct n64_table *t, uint64_t word, uint64_t ports, uint32_t seen, uint32_t now)
{
	uint32_t limit = atomic_load_explicit(
	    &t->timeouts[N64_INSTANCE(ports)][time_of[N64_STATE(word)]], memory_order_relaxed);
	int32_t quiet = (int32_t)(now - seen);

	return quiet <= 0 ? limit : (uint32_t)quiet > limit ? 0 : limit - (uint32_t)quiet;
}

bool
n64_is_over(const struct n64_table *t, const struct n64_line *l, uint64_t word, uint32_t now)
{
	uint32_t seen = atomic_load_explicit(&l->seen, memory_order_relaxed), limit;
	uint8_t instance = N64_INSTANCE(atomic_load_explicit(&l->key[2], memory_order_relaxed));

	limit = atomic_load_explicit(&t->timeouts[instance][time_of[N64_STATE(word)]],
	    memory_order_relaxed);
	/* Another worker's clock may be a moment ahead. */
	return (int32_t)(now - seen) > 0 && now - seen > limit;
}

static uint64_t
remote_hash(const struct n64_table *t, const struct n64_key *k)
{
	struct n64_key key = *k;

	key.ports = (k->ports & ~(0xffffull << 16)) | 1ull << 63;
	return n64_hash(t, &key);
}

bool
n64_find_session(struct n64_table *t, uint32_t worker, const struct n64_key *key, uint64_t hash,
    uint32_t now, struct n64_found *f)
{
	if (!find(&t->sessions, key, hash, f))
		return false;
	if (mr_likely(!n64_is_over(t, &t->sessions.lines[f->number], f->word, now)))
		return true;
	(void)n64_end_session(t, worker, f->number, f->word, now);
	f->number = 0;
	return false;
}

bool
n64_knows(struct n64_table *t, const struct n64_key *binding, be32_t remote, uint32_t now)
{
	struct n64_key key = *binding, k;
	struct n64_found f;

	key.remote = remote;
	mr_slots_each(number, &t->remotes, remote_hash(t, &key))
	{
		if (!read_line(&t->sessions, number, &f, &k))
			continue;
		k.ports &= ~(0xffffull << 16);
		if (memcmp(&k, &key, sizeof(k)) == 0 &&
		    !n64_is_over(t, &t->sessions.lines[number], f.word, now))
			return true;
	}
	return false;
}

bool
n64_end_session(struct n64_table *t, uint32_t worker, uint32_t number, uint64_t word, uint32_t now)
{
	struct n64_line *l = &t->sessions.lines[number];
	struct n64_key key;
	uint32_t owner;

	/* Acquire and release: what is read below is this session's. */
	if (!(word & N64_LIVE) ||
	    !atomic_compare_exchange_strong_explicit(&l->word, &word, dead(word),
		memory_order_acq_rel, memory_order_relaxed))
		return false;
	n64_key_load(l, &key);
	owner = atomic_load_explicit(&l->owner, memory_order_relaxed);
	(void)mr_slots_clear(&t->sessions.slots, n64_hash(t, &key), number);
	(void)mr_slots_clear(&t->remotes, remote_hash(t, &key), number);
	nat_pool_session_end(
	    atomic_load_explicit(&t->pools[N64_INSTANCE(key.ports)], memory_order_acquire),
	    atomic_load_explicit(&t->bindings.lines[owner].owner, memory_order_relaxed));
	n64_count(t, worker, N64_INSTANCE(key.ports), N64_COUNT_SESSIONS_ENDED);
	mr_pool_put(t->sessions.numbers, worker, &number, 1);
	orphan(t, worker, owner, now);
	return true;
}

/* The session's bucket is locked; the binding counts it already. */
static enum n64_result
add_session(struct n64_table *t, uint32_t worker, const struct n64_key *key, uint64_t hash,
    enum n64_state state, uint32_t now, const struct n64_found *binding, struct n64_found *f)
{
	struct nat_pool *pool =
	    atomic_load_explicit(&t->pools[N64_INSTANCE(key->ports)], memory_order_acquire);
	uint64_t low = (uint64_t)state << 1;
	uint32_t number;

	if (!nat_pool_session_begin(pool, worker, binding->owner))
		return N64_LIMIT;
	number = take_number(&t->sessions, worker);
	if (!number) {
		nat_pool_session_end(pool, binding->owner);
		return N64_FULL;
	}
	publish(&t->sessions, number, key, binding->outside, binding->number, now, low, f);
	if (mr_slots_claim(&t->remotes, remote_hash(t, key), number) &&
	    mr_slots_claim(&t->sessions.slots, hash, number)) {
		n64_count(t, worker, N64_INSTANCE(key->ports), N64_COUNT_SESSIONS);
		return N64_FOUND;
	}
	atomic_store_explicit(&t->sessions.lines[number].word, dead(f->word), memory_order_release);
	(void)mr_slots_clear(&t->remotes, remote_hash(t, key), number);
	nat_pool_session_end(pool, binding->owner);
	mr_pool_put(t->sessions.numbers, worker, &number, 1);
	return N64_FULL;
}

enum n64_result
n64_make(struct n64_table *t, uint32_t worker, const struct n64_key *key, uint64_t hash,
    enum n64_state state, uint32_t now, struct n64_found *f)
{
	struct n64_found binding;
	struct n64_key bind;
	enum n64_result result;
	bool there;

	n64_key_of_binding(key, &bind);
	result = get_binding(t, worker, &bind, now, &binding);
	if (result)
		return result;
	mr_slots_lock(&t->sessions.slots, hash);
	there = find(&t->sessions, key, hash, f);
	if (!there)
		result = add_session(t, worker, key, hash, state, now, &binding, f);
	mr_slots_unlock(&t->sessions.slots, hash);
	if (there || result)
		orphan(t, worker, binding.number, now);
	return result;
}

bool
n64_turn(struct n64_line *l, uint64_t word, enum n64_state state)
{
	return atomic_compare_exchange_strong_explicit(&l->word, &word,
	    (word & ~N64_STATE_BITS) | (uint64_t)state << 1, memory_order_acq_rel,
	    memory_order_relaxed);
}

/* -- control ---------------------------------------------------------------------------------- */

void
n64_sweep(struct n64_table *t, uint32_t now, uint32_t count)
{
	uint32_t top = atomic_load_explicit(&t->sessions.top, memory_order_relaxed);

	for (; count > 0 && top; count--) {
		uint64_t word;

		t->swept = t->swept >= top ? 1 : t->swept + 1;
		word =
		    atomic_load_explicit(&t->sessions.lines[t->swept].word, memory_order_acquire);
		if ((word & N64_LIVE) && n64_is_over(t, &t->sessions.lines[t->swept], word, now))
			(void)n64_end_session(t, MR_POOL_SHARED, t->swept, word, now);
	}
}

void
n64_flush(struct n64_table *t, uint8_t instance, uint32_t now)
{
	uint32_t top = atomic_load_explicit(&t->sessions.top, memory_order_relaxed);

	for (uint32_t n = 1; n <= top; n++) {
		struct n64_line *l = &t->sessions.lines[n];
		uint64_t word = atomic_load_explicit(&l->word, memory_order_acquire);

		if ((word & N64_LIVE) &&
		    N64_INSTANCE(atomic_load_explicit(&l->key[2], memory_order_relaxed)) ==
			instance)
			(void)n64_end_session(t, MR_POOL_SHARED, n, word, now);
	}
}

static uint32_t
difference(const struct n64_table *t, enum n64_count made, enum n64_count ended)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= N64_INSTANCES_MAX; i++)
		n += mr_counters_sum(t->counters, i * N64_COUNT_COUNT + made) -
		    mr_counters_sum(t->counters, i * N64_COUNT_COUNT + ended);
	return (uint32_t)n;
}

uint32_t
n64_bindings(const struct n64_table *t)
{
	return difference(t, N64_COUNT_BINDINGS, N64_COUNT_BINDINGS_ENDED);
}

uint32_t
n64_sessions(const struct n64_table *t)
{
	return difference(t, N64_COUNT_SESSIONS, N64_COUNT_SESSIONS_ENDED);
}
