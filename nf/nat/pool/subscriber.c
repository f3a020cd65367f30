/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "kit/base/memory.h"
#include "nf/nat/pool/pool_int.h"

#define CACHE 64u
#define PORTS_MOST 65000u
#define RECLAIM 64u /* entries that who finds no free one looks at */

static uint32_t
entries_of(const struct nat_pool *p)
{
	/* What idles in workers' caches is beside the number asked for. */
	return p->config.subscribers_max + (p->config.workers + 1) * 2 * CACHE;
}

int
nat_subscribers_create(struct nat_pool *p, struct mr_error *error)
{
	struct mr_pool_config config = { .name = "subscribers",
		.shift = 6,
		.first = 1,
		.stride = 1,
		.count = entries_of(p),
		.workers = p->config.workers,
		.cache = CACHE,
		.guard = MR_POOL_GUARD_OFF };
	size_t size = (entries_of(p) + 1ul) * sizeof(*p->subscribers);
	void *memory;
	int rc = mr_memory_reserve(&memory, size, -1, "subscribers", error);

	if (rc)
		return rc;
	p->subscribers = memory;
	config.base = memory;
	rc = mr_slots_create(&p->slots, entries_of(p), error);
	return rc ? rc : mr_pool_create(&p->entries, &config, error);
}

void
nat_subscribers_destroy(struct nat_pool *p)
{
	mr_pool_destroy(p->entries);
	mr_slots_destroy(&p->slots);
	mr_memory_release(p->subscribers, (entries_of(p) + 1ul) * sizeof(*p->subscribers));
}

static void
load_key(const struct nat_subscriber *s, struct nat_key *key)
{
	/* Acquire pairs with add's release: who reads a later key reads a later word next. */
	for (unsigned i = 0; i < 2; i++)
		key->w[i] = atomic_load_explicit(&s->key[i], memory_order_acquire);
	key->w[2] = atomic_load_explicit(&s->six, memory_order_acquire);
}

bool
nat_subscriber_has(const struct nat_subscriber *s, const struct nat_key *key)
{
	struct nat_key other;

	load_key(s, &other);
	return !((other.w[0] ^ key->w[0]) | (other.w[1] ^ key->w[1]) | (other.w[2] ^ key->w[2]));
}

/* -- limits ------------------------------------------------------------------------------- */

/* Whether it may take another port in this second. */
static bool
within_rate(const struct nat_pool *p, struct nat_subscriber *s, uint32_t now)
{
	uint64_t seen = atomic_load_explicit(&s->rate, memory_order_relaxed), next;

	do {
		next = (uint32_t)(seen >> 32) == now ? seen + 1 : (uint64_t)now << 32 | 1;
		if ((uint32_t)next > p->config.subscriber_rate)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&s->rate, &seen, next, memory_order_relaxed,
	    memory_order_relaxed));
	return true;
}

uint32_t
nat_subscriber_limit(const struct nat_pool *p, enum nat_proto proto)
{
	uint32_t limit = p->config.subscriber_ports[proto];

	/* Below what the word can count, by as many as there are threads that try. */
	return limit && limit < PORTS_MOST ? limit : PORTS_MOST;
}

/* One port more. NAT_NO_SUBSCRIBER: it is another's by now. */
static enum nat_take
raise(const struct nat_pool *p, struct nat_subscriber *s, uint64_t seen, enum nat_proto proto,
    uint32_t now, bool *first)
{
	uint64_t word;

	if (NAT_SUB_COUNT(seen, proto) >= nat_subscriber_limit(p, proto))
		return NAT_LIMIT;
	/* Added first, and looked at then, for half the price of a compare-and-swap; for a moment it may
	 * be counted too much. Acquire pairs with the release of who gave the last port, and of add. */
	word = atomic_fetch_add_explicit(&s->word, NAT_SUB_ONE(proto), memory_order_acquire);
	if (mr_unlikely(((word ^ seen) & ~NAT_SUB_COUNTS) ||
		NAT_SUB_COUNT(word, proto) >= nat_subscriber_limit(p, proto))) {
		atomic_fetch_sub_explicit(&s->word, NAT_SUB_ONE(proto), memory_order_release);
		return (word ^ seen) & ~NAT_SUB_COUNTS ? NAT_NO_SUBSCRIBER : NAT_LIMIT;
	}
	*first = !(word & NAT_SUB_COUNTS);
	if (!p->config.subscriber_rate || within_rate(p, s, now))
		return NAT_TAKEN;
	atomic_fetch_sub_explicit(&s->word, NAT_SUB_ONE(proto), memory_order_release);
	return NAT_RATE;
}

void
nat_subscriber_lower(struct nat_pool *p, uint32_t number, enum nat_proto proto, uint32_t now)
{
	struct nat_subscriber *s = &p->subscribers[number];
	uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed);

	do {
		/* Before the count says that nobody needs it. */
		if ((word & NAT_SUB_COUNTS) == NAT_SUB_ONE(proto))
			atomic_store_explicit(&s->idle, now, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(&s->word, &word, word - NAT_SUB_ONE(proto),
	    memory_order_release, memory_order_relaxed));
}

bool
nat_pool_session_begin(struct nat_pool *p, unsigned worker, uint32_t subscriber)
{
	uint32_t limit = p->config.subscriber_sessions, had;
	_Atomic uint32_t *sessions = &p->subscribers[subscriber].sessions;

	if (!subscriber || !limit)
		return true;
	had = atomic_fetch_add_explicit(sessions, 1, memory_order_relaxed);
	if (had < limit)
		return true;
	atomic_fetch_sub_explicit(sessions, 1, memory_order_relaxed);
	nat_pool_add(p, worker, NAT_POOL_SESSIONS_LIMIT);
	return false;
}

void
nat_pool_session_end(struct nat_pool *p, uint32_t subscriber)
{
	if (subscriber && p->config.subscriber_sessions)
		atomic_fetch_sub_explicit(&p->subscribers[subscriber].sessions, 1,
		    memory_order_relaxed);
}

/* -- finding and making ------------------------------------------------------------------- */

static enum nat_take
find(struct nat_pool *p, const struct nat_key *key, uint64_t hash, enum nat_proto proto,
    uint32_t now, uint32_t *number, bool *first)
{
	mr_slots_each(n, &p->slots, hash)
	{
		struct nat_subscriber *s = &p->subscribers[n];
		/* Acquire pairs with add's release: a live word's key is there. */
		uint64_t word = atomic_load_explicit(&s->word, memory_order_acquire);
		enum nat_take result;

		if (!(word & NAT_SUB_LIVE) || !nat_subscriber_has(s, key))
			continue;
		result = raise(p, s, word, proto, now, first);
		if (result == NAT_NO_SUBSCRIBER)
			continue;
		*number = n;
		return result;
	}
	return NAT_NO_SUBSCRIBER;
}

/* The address that it has; UINT32_MAX: none. */
uint32_t
nat_subscriber_address(struct nat_pool *p, const struct nat_key *key)
{
	mr_slots_each(n, &p->slots, nat_key_hash(p, key))
	{
		struct nat_subscriber *s = &p->subscribers[n];
		/* Acquire pairs with add's release. */
		uint64_t word = atomic_load_explicit(&s->word, memory_order_acquire);

		if ((word & NAT_SUB_LIVE) && nat_subscriber_has(s, key))
			return atomic_load_explicit(&s->address, memory_order_relaxed);
	}
	return UINT32_MAX;
}

/* The emptier of two addresses drawn by lot: loads stay close together (Mitzenmacher, "The Power
 * of Two Choices", 2001). */
static uint32_t
draw_address(struct nat_pool *p, unsigned worker)
{
	uint32_t a = nat_draw_below(p, worker, p->address_count);
	uint32_t b = nat_draw_below(p, worker, p->address_count);

	return atomic_load_explicit(&p->addresses[b].subscribers, memory_order_relaxed) <
		atomic_load_explicit(&p->addresses[a].subscribers, memory_order_relaxed)
	    ? b
	    : a;
}

static void
fill(struct nat_pool *p, unsigned worker, struct nat_subscriber *s, const struct nat_key *key,
    uint32_t now)
{
	uint32_t address = 0, first, last;

	if (!p->config.deterministic)
		address = draw_address(p, worker);
	else
		(void)nat_share_of(p, mr_be32((be32_t)key->w[0]), &address, &first, &last);
	atomic_fetch_add_explicit(&p->addresses[address].subscribers, 1, memory_order_relaxed);
	atomic_store_explicit(&s->address, address, memory_order_relaxed);
	atomic_store_explicit(&s->idle, now, memory_order_relaxed);
	atomic_store_explicit(&s->sessions, 0, memory_order_relaxed);
	atomic_store_explicit(&s->rate, 0, memory_order_relaxed);
	for (unsigned i = 0; i < 2; i++)
		atomic_store_explicit(&s->key[i], key->w[i], memory_order_release);
	atomic_store_explicit(&s->six, (uint32_t)key->w[2], memory_order_release);
}

static enum nat_take
add(struct nat_pool *p, unsigned worker, const struct nat_key *key, uint64_t hash,
    enum nat_proto proto, uint32_t now, uint32_t *number, bool *first)
{
	struct nat_subscriber *s;
	enum nat_take result;
	uint32_t n, top;
	bool claimed;

	if (atomic_load_explicit(&p->subscriber_count, memory_order_relaxed) >=
		p->config.subscribers_max ||
	    !mr_pool_get(p->entries, worker, &n, 1))
		return NAT_NO_SUBSCRIBER;
	mr_slots_lock(&p->slots, hash);
	result = find(p, key, hash, proto, now, number, first);
	if (result != NAT_NO_SUBSCRIBER) {
		mr_slots_unlock(&p->slots, hash);
		mr_pool_put(p->entries, worker, &n, 1);
		return result;
	}
	s = &p->subscribers[n];
	fill(p, worker, s, key, now);
	claimed = mr_slots_claim(&p->slots, hash, n);
	/* Not before it has its slot: who ends it clears that. An addition, because who saw another here
	 * may be about to take its count back. Release pairs with find's acquire. */
	if (claimed)
		atomic_fetch_add_explicit(&s->word, NAT_SUB_LIVE + NAT_SUB_ONE(proto),
		    memory_order_release);
	mr_slots_unlock(&p->slots, hash);
	if (!claimed) {
		atomic_fetch_sub_explicit(
		    &p->addresses[atomic_load_explicit(&s->address, memory_order_relaxed)]
			 .subscribers,
		    1, memory_order_relaxed);
		mr_pool_put(p->entries, worker, &n, 1);
		return NAT_NO_SUBSCRIBER;
	}
	atomic_fetch_add_explicit(&p->subscriber_count, 1, memory_order_relaxed);
	top = atomic_load_explicit(&p->top, memory_order_relaxed);
	while (top < n &&
	    !atomic_compare_exchange_weak_explicit(&p->top, &top, n, memory_order_relaxed,
		memory_order_relaxed))
		;
	if (p->config.subscriber_rate)
		(void)within_rate(p, s, now);
	*number = n;
	*first = true;
	return NAT_TAKEN;
}

enum nat_take
nat_subscriber_raise(struct nat_pool *p, unsigned worker, const struct nat_key *key,
    enum nat_proto proto, uint32_t now, uint32_t *number, bool *first)
{
	uint64_t hash = nat_key_hash(p, key);
	enum nat_take result = find(p, key, hash, proto, now, number, first);

	if (mr_likely(result != NAT_NO_SUBSCRIBER))
		return result;
	result = add(p, worker, key, hash, proto, now, number, first);
	/* Those that linger make room. */
	if (result == NAT_NO_SUBSCRIBER && nat_subscribers_sweep(p, worker, now, 0, RECLAIM))
		result = add(p, worker, key, hash, proto, now, number, first);
	return result;
}

void
nat_subscriber_move(struct nat_pool *p, uint32_t number, uint32_t address)
{
	uint32_t old = atomic_exchange_explicit(&p->subscribers[number].address, address,
	    memory_order_relaxed);

	atomic_fetch_sub_explicit(&p->addresses[old].subscribers, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->addresses[address].subscribers, 1, memory_order_relaxed);
}

/* -- the end ------------------------------------------------------------------------------ */

static bool
is_over(const struct nat_subscriber *s, uint64_t word, uint32_t now, uint32_t linger)
{
	int32_t quiet = (int32_t)(now - atomic_load_explicit(&s->idle, memory_order_relaxed));

	/* Another worker's clock may be a moment ahead. */
	return (word & NAT_SUB_LIVE) && !(word & NAT_SUB_COUNTS) &&
	    !atomic_load_explicit(&s->sessions, memory_order_relaxed) &&
	    MR_MAX(quiet, 0) >= (int32_t)linger;
}

static bool
end(struct nat_pool *p, unsigned worker, uint32_t number, uint64_t word, uint32_t now)
{
	struct nat_subscriber *s = &p->subscribers[number];
	struct nat_key key;

	nat_lock(&s->lock);
	/* Who comes back now finds the lock, and then that it has no block any more. */
	if (nat_blocks_return(p, worker, number, 0, now) ||
	    !atomic_compare_exchange_strong_explicit(&s->word, &word,
		(word & ~NAT_SUB_LIVE) + NAT_SUB_AGE_ONE, memory_order_acquire,
		memory_order_relaxed)) {
		nat_unlock(&s->lock);
		return false;
	}
	nat_unlock(&s->lock);
	load_key(s, &key);
	(void)mr_slots_clear(&p->slots, nat_key_hash(p, &key), number);
	atomic_fetch_sub_explicit(
	    &p->addresses[atomic_load_explicit(&s->address, memory_order_relaxed)].subscribers, 1,
	    memory_order_relaxed);
	atomic_fetch_sub_explicit(&p->subscriber_count, 1, memory_order_relaxed);
	mr_pool_put(p->entries, worker, &number, 1);
	return true;
}

uint32_t
nat_subscribers_sweep(struct nat_pool *p, unsigned worker, uint32_t now, uint32_t linger,
    uint32_t count)
{
	uint32_t top = atomic_load_explicit(&p->top, memory_order_relaxed), ended = 0;
	uint32_t at;

	count = MR_MIN(count, top);
	at = atomic_fetch_add_explicit(&p->swept, count, memory_order_relaxed);
	for (; count--; at++) {
		uint32_t number = 1 + at % top;
		struct nat_subscriber *s = &p->subscribers[number];
		uint64_t word = atomic_load_explicit(&s->word, memory_order_acquire);

		if (is_over(s, word, now, linger)) {
			ended += end(p, worker, number, word, now);
		} else if ((word & NAT_SUB_LIVE) &&
		    atomic_load_explicit(&s->blocks, memory_order_relaxed) > 1) {
			nat_lock(&s->lock);
			if (((atomic_load(&s->word) ^ word) & ~NAT_SUB_COUNTS) == 0)
				(void)nat_blocks_return(p, worker, number, 1, now);
			nat_unlock(&s->lock);
		}
	}
	return ended;
}
