/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/mac.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kit/table/mac_int.h"

#define MAC_HUGE ((size_t)2 << 20)
#define MAC_CAPACITY_MAX (1u << 24)

int
mr_mac_create(struct mr_mac **out, const struct mr_mac_config *config, struct mr_error *error)
{
	uint32_t capacity = config->capacity ? config->capacity : 65536;
	uint32_t ports = config->ports ? config->ports : 1024;
	uint32_t fids = config->fids ? config->fids : 65536;
	uint64_t buckets = 2;
	struct mr_hash_key key;
	struct mr_mac *t;
	int ret;

	*out = NULL;
	if (capacity > MAC_CAPACITY_MAX)
		return mr_error_set(error, -EINVAL, "MAC table: capacity %u is above %u", capacity,
		    MAC_CAPACITY_MAX);
	if (ports > 65536 || fids > 65536)
		return mr_error_set(error, -EINVAL, "MAC table: at most 65536 ports and FIDs");
	while (buckets * MAC_WAYS < 2ull * capacity)
		buckets *= 2;

	t = aligned_alloc(MR_CACHE_LINE, sizeof(*t));
	if (!t)
		goto no_memory;
	memset(t, 0, sizeof(*t));
	t->mask = (uint32_t)buckets - 1;
	t->ports = ports;
	t->fids = fids;
	atomic_init(&t->limit, config->limit);
	t->refuse_when_full = config->refuse_when_full;
	t->wide = mac_wide() && !config->portable;
	t->bytes = buckets * sizeof(struct mac_bucket);
	t->buckets = aligned_alloc(t->bytes >= MAC_HUGE ? MAC_HUGE : MR_CACHE_LINE, t->bytes);
	t->port = calloc(ports, sizeof(*t->port));
	t->fid = calloc(fids, sizeof(*t->fid));
	if (!t->buckets || !t->port || !t->fid)
		goto no_memory;
	/* A wish: without huge pages the table costs TLB misses, nothing else. */
	if (t->bytes >= MAC_HUGE)
		(void)madvise(t->buckets, t->bytes, MADV_HUGEPAGE);
	memset(t->buckets, 0, t->bytes);
	if (config->ageing) {
		for (uint32_t i = 0; i < fids; i++)
			atomic_init(&t->fid[i].ageing, config->ageing);
	}
	if (config->seed) {
		mr_hash_key_seed(&key, config->seed);
	} else if ((ret = mr_hash_key_random(&key, error)) < 0) {
		mr_mac_destroy(t);
		(void)mr_error_prefix(error, "MAC table");
		return ret;
	}
	for (unsigned i = 0; i < 2; i++) {
		t->hash_k[i] = (uint32_t)key.k[i];
		t->hash_f[i] = (uint32_t)key.f[i];
	}
	*out = t;
	return 0;

no_memory:
	mr_mac_destroy(t);
	return mr_error_set(error, -ENOMEM, "MAC table: no memory for %u entries", capacity);
}

void
mr_mac_destroy(struct mr_mac *t)
{
	if (!t)
		return;
	free(t->buckets);
	free(t->port);
	free(t->fid);
	free(t);
}

/* -- one entry ---------------------------------------------------------------------- */

bool
mac_snapshot(const struct mac_entry *e, uint64_t *key, uint64_t *value)
{
	for (;;) {
		uint64_t before = atomic_load_explicit(&e->value, memory_order_acquire);

		if (!(before & MAC_LIVE))
			return false;
		*key = atomic_load_explicit(&e->key, memory_order_acquire);
		*value = atomic_load_explicit(&e->value, memory_order_relaxed);
		if (!((before ^ *value) & MAC_REUSE))
			return true;
	}
}

struct mac_entry *
mac_locate(const struct mr_mac *t, uint64_t key, uint64_t *value)
{
	uint64_t hash = mac_hash(t, key);
	struct mac_bucket *b[2] = { &t->buckets[mac_first(t, hash)],
		&t->buckets[mac_second(t, hash)] };

	for (unsigned s = 0; s < 2; s++) {
		for (unsigned i = 0; i < MAC_WAYS; i++) {
			if (mac_read(mac_entry_at(b[s], i), key, value))
				return mac_entry_at(b[s], i);
		}
	}
	return NULL;
}

/* The owner's value of a claimed entry: busy, its re-use count one up. */
static uint64_t
claimed(uint64_t value)
{
	return ((value & MAC_REUSE) + (1ull << MAC_REUSE_SHIFT)) | MAC_BUSY;
}

static bool
swap_value(struct mac_entry *e, uint64_t from, uint64_t to)
{
	/* Pairs with mac_read's loads; the order among all of them is for settle_twins. */
	return atomic_compare_exchange_strong_explicit(&e->value, &from, to, memory_order_seq_cst,
	    memory_order_relaxed);
}

static void
uncount(struct mr_mac *t, uint64_t key, uint64_t value)
{
	struct mac_fid *fid = &t->fid[(uint16_t)key];

	atomic_fetch_sub_explicit(&t->port[value & MAC_PORT_MASK].count, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&fid->count, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&t->count, 1, memory_order_relaxed);
	/* Release: who sees the new number also sees the entry gone. */
	mr_generation_bump(&fid->generation);
}

bool
mac_remove(struct mr_mac *t, struct mac_entry *e, uint64_t key, uint64_t value)
{
	uint64_t mine = claimed(value);

	if (!swap_value(e, value, mine))
		return false;
	atomic_store_explicit(&e->key, 0, memory_order_release);
	atomic_store_explicit(&e->value, mine & MAC_REUSE, memory_order_release);
	uncount(t, key, value);
	return true;
}

/* Takes one of a limit; with `force` above it too. */
static bool
reserve(_Atomic uint32_t *count, _Atomic uint32_t *limit, bool force)
{
	uint32_t had = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
	uint32_t most = atomic_load_explicit(limit, memory_order_relaxed);

	if (force || !most || had < most)
		return true;
	atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
	return false;
}

/* -- insertion ---------------------------------------------------------------------- */

struct place {
	struct mac_entry *entry;
	uint64_t key; /* of who gives way, when `value` is live */
	uint64_t value;
};

/* Where a new key goes: an empty entry of the first bucket while that has another
 * one to spare or is not the fuller one, else of the second; else the dynamic entry heard longest
 * ago. False when there is none. */
static bool
choose_place(const struct mr_mac *t, uint64_t hash, uint32_t now, bool evict, struct place *out)
{
	struct mac_bucket *b[2] = { &t->buckets[mac_first(t, hash)],
		&t->buckets[mac_second(t, hash)] };
	struct place empty[2] = { { 0 }, { 0 } };
	struct place oldest = { 0 };
	uint32_t oldest_age = 0;
	unsigned free_count[2] = { 0, 0 };
	unsigned s;

	for (s = 0; s < 2; s++) {
		for (unsigned i = 0; i < MAC_WAYS; i++) {
			struct place p = { .entry = mac_entry_at(b[s], i) };
			uint32_t age;

			if (!mac_snapshot(p.entry, &p.key, &p.value)) {
				p.value =
				    atomic_load_explicit(&p.entry->value, memory_order_relaxed);
				if (!(p.value & (MAC_LIVE | MAC_BUSY))) {
					empty[s] = p;
					free_count[s]++;
				}
				continue;
			}
			if (p.value & MAC_STATIC)
				continue;
			age =
			    (now - (uint32_t)(p.value >> MAC_SECONDS_SHIFT)) & MR_MAC_SECONDS_MASK;
			if (!oldest.entry || age > oldest_age) {
				oldest = p;
				oldest_age = age;
			}
		}
	}
	if (free_count[0] || free_count[1]) {
		s = free_count[0] < 2 && free_count[1] > free_count[0];
		*out = empty[s];
		return true;
	}
	*out = oldest;
	return evict && oldest.entry;
}

/* Finds two valid entries of one key and says which goes: a dynamic one before a static
 * one, then the one that stands later. False when there are no two. */
static bool
find_twin(const struct mr_mac *t, uint64_t key, uint64_t hash, struct place *twin)
{
	struct mac_bucket *b[2] = { &t->buckets[mac_first(t, hash)],
		&t->buckets[mac_second(t, hash)] };
	struct place keep = { 0 };

	for (unsigned i = 0; i < 2 * MAC_WAYS; i++) {
		struct place p = { .entry = mac_entry_at(b[i / MAC_WAYS], i % MAC_WAYS) };

		p.value = atomic_load_explicit(&p.entry->value, memory_order_seq_cst);
		if (!(p.value & MAC_LIVE) || !mac_read(p.entry, key, &p.value))
			continue;
		if (!keep.entry) {
			keep = p;
			continue;
		}
		*twin = (p.value & MAC_STATIC) && !(keep.value & MAC_STATIC) ? keep : p;
		return true;
	}
	return false;
}

/* Two workers may have inserted one key: all but one go. The value's store that
 * published ours and the loads above are sequentially consistent, so of two workers the
 * later one sees both entries. */
static void
settle_twins(struct mr_mac *t, uint64_t key, uint64_t hash)
{
	struct place twin;

	while (find_twin(t, key, hash, &twin))
		(void)mac_remove(t, twin.entry, key, twin.value);
}

static enum mr_mac_learned
insert(struct mr_mac *t, uint64_t key, uint64_t fresh, uint32_t now, bool force)
{
	struct mac_fid *fid = &t->fid[(uint16_t)key];
	struct mac_port *port = &t->port[fresh & MAC_PORT_MASK];
	uint64_t hash = mac_hash(t, key);
	enum mr_mac_learned refused = MR_MAC_FULL;
	struct place p;
	uint64_t mine;

	if (!reserve(&port->count, &port->limit, force))
		return MR_MAC_PORT_LIMIT;
	if (!reserve(&fid->count, &fid->limit, force)) {
		refused = MR_MAC_FID_LIMIT;
		goto release_port;
	}
	if (!reserve(&t->count, &t->limit, force))
		goto release_fid;
	do {
		if (!choose_place(t, hash, now, force || !t->refuse_when_full, &p))
			goto release;
		mine = claimed(p.value);
	} while (!swap_value(p.entry, p.value, mine));

	atomic_store_explicit(&p.entry->key, key, memory_order_release);
	/* Sequentially consistent: see settle_twins. */
	atomic_store_explicit(&p.entry->value, (mine & MAC_REUSE) | fresh, memory_order_seq_cst);
	if (p.value & MAC_LIVE)
		uncount(t, p.key, p.value);
	settle_twins(t, key, hash);
	return p.value & MAC_LIVE ? MR_MAC_EVICTED : MR_MAC_LEARNED;

release:
	atomic_fetch_sub_explicit(&t->count, 1, memory_order_relaxed);
release_fid:
	atomic_fetch_sub_explicit(&fid->count, 1, memory_order_relaxed);
release_port:
	atomic_fetch_sub_explicit(&port->count, 1, memory_order_relaxed);
	return refused;
}

enum mr_mac_learned
mr_mac_learn(struct mr_mac *t, uint64_t key, uint16_t port, uint32_t now, bool stay)
{
	uint64_t stamp = (uint64_t)(now & MR_MAC_SECONDS_MASK) << MAC_SECONDS_SHIFT;
	struct mac_entry *e;
	uint64_t value;

	if (!(key >> 16) || port >= t->ports || (uint16_t)key >= t->fids)
		return MR_MAC_FULL;
	while ((e = mac_locate(t, key, &value))) {
		struct mac_port *to = &t->port[port];
		uint16_t had = (uint16_t)value;

		if (had == port) {
			if ((value & MAC_STATIC) || (value & MAC_SECONDS) == stamp)
				return MR_MAC_SAME;
			/* Lost to another worker: it has written about the same second. */
			(void)swap_value(e, value, (value & ~MAC_SECONDS) | stamp);
			return MR_MAC_REFRESHED;
		}
		if ((value & MAC_STATIC) || stay)
			return MR_MAC_ELSEWHERE;
		if (!reserve(&to->count, &to->limit, false))
			return MR_MAC_PORT_LIMIT;
		if (swap_value(e, value, (value & ~(MAC_SECONDS | MAC_PORT_MASK)) | stamp | port)) {
			atomic_fetch_sub_explicit(&t->port[had].count, 1, memory_order_relaxed);
			mr_generation_bump(&t->fid[(uint16_t)key].generation);
			return MR_MAC_MOVED;
		}
		atomic_fetch_sub_explicit(&to->count, 1, memory_order_relaxed);
	}
	return insert(t, key, stamp | MAC_LIVE | port, now, false);
}

static bool
has_room(const _Atomic uint32_t *count, const _Atomic uint32_t *limit)
{
	uint32_t most = atomic_load_explicit(limit, memory_order_relaxed);

	return !most || atomic_load_explicit(count, memory_order_relaxed) < most;
}

uint32_t
mr_mac_place(const struct mr_mac *t, uint64_t key)
{
	uint64_t value;
	const struct mac_entry *e = key ? mac_locate(t, key, &value) : NULL;
	size_t at = e ? (size_t)((const uint8_t *)e - (const uint8_t *)t->buckets) : 0;

	return e ? (uint32_t)(at / sizeof(struct mac_bucket) * MAC_WAYS +
		       at % sizeof(struct mac_bucket) / sizeof(uint64_t)) +
		1
		 : 0;
}

bool
mr_mac_heard(struct mr_mac *t, uint32_t place, uint32_t now)
{
	uint32_t at = place - 1;
	struct mac_entry *e = mac_entry_at(&t->buckets[at / MAC_WAYS & t->mask], at % MAC_WAYS);
	/* Acquire: as wherever an entry is changed. */
	uint64_t value = atomic_load_explicit(&e->value, memory_order_acquire);
	uint64_t fresh =
	    (value & ~MAC_SECONDS) | (uint64_t)(now & MR_MAC_SECONDS_MASK) << MAC_SECONDS_SHIFT;

	if (!(value & MAC_LIVE))
		return false;
	/* Whoever was faster has done no less. */
	if (!(value & MAC_STATIC) && fresh != value)
		(void)atomic_compare_exchange_strong_explicit(&e->value, &value, fresh,
		    memory_order_acq_rel, memory_order_relaxed);
	return true;
}

enum mr_mac_learned
mr_mac_would_learn(const struct mr_mac *t, uint64_t key, uint16_t port, uint32_t now, bool stay)
{
	const struct mac_fid *fid;
	struct place p;
	uint64_t value;

	if (!(key >> 16) || port >= t->ports || (uint16_t)key >= t->fids)
		return MR_MAC_FULL;
	fid = &t->fid[(uint16_t)key];
	if (mac_locate(t, key, &value)) {
		uint64_t seen = (value & MAC_SECONDS) >> MAC_SECONDS_SHIFT;

		if ((uint16_t)value == port)
			return (value & MAC_STATIC) || seen == (now & MR_MAC_SECONDS_MASK)
			    ? MR_MAC_SAME
			    : MR_MAC_REFRESHED;
		if ((value & MAC_STATIC) || stay)
			return MR_MAC_ELSEWHERE;
		return has_room(&t->port[port].count, &t->port[port].limit) ? MR_MAC_MOVED
									    : MR_MAC_PORT_LIMIT;
	}
	if (!has_room(&t->port[port].count, &t->port[port].limit))
		return MR_MAC_PORT_LIMIT;
	if (!has_room(&fid->count, &fid->limit))
		return MR_MAC_FID_LIMIT;
	if (!has_room(&t->count, &t->limit) ||
	    !choose_place(t, mac_hash(t, key), now, !t->refuse_when_full, &p))
		return MR_MAC_FULL;
	return p.value & MAC_LIVE ? MR_MAC_EVICTED : MR_MAC_LEARNED;
}

/* -- control ------------------------------------------------------------------------ */

int
mr_mac_add(struct mr_mac *t, uint64_t key, uint16_t port, uint8_t flags, uint32_t now)
{
	uint64_t fresh = (uint64_t)(now & MR_MAC_SECONDS_MASK) << MAC_SECONDS_SHIFT |
	    MAC_FLAG(flags & (MR_MAC_LOCAL | MR_MAC_DROP)) | MAC_STATIC | MAC_LIVE | port;
	struct mac_entry *e;
	uint64_t value;

	if (!(key >> 16) || port >= t->ports || (uint16_t)key >= t->fids)
		return -EINVAL;
	while ((e = mac_locate(t, key, &value))) {
		if (!swap_value(e, value, (value & MAC_REUSE) | fresh))
			continue;
		atomic_fetch_add_explicit(&t->port[port].count, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&t->port[value & MAC_PORT_MASK].count, 1,
		    memory_order_relaxed);
		mr_generation_bump(&t->fid[(uint16_t)key].generation);
		return 0;
	}
	if (insert(t, key, fresh, now, true) == MR_MAC_FULL)
		return -ENOSPC;
	mr_generation_bump(&t->fid[(uint16_t)key].generation);
	return 0;
}

int
mr_mac_delete(struct mr_mac *t, uint64_t key)
{
	struct mac_entry *e;
	uint64_t value;

	while ((e = mac_locate(t, key, &value))) {
		if (mac_remove(t, e, key, value))
			return 0;
	}
	return -ENOENT;
}

void
mr_mac_limit_port(struct mr_mac *t, uint16_t port, uint32_t limit)
{
	if (port < t->ports)
		atomic_store_explicit(&t->port[port].limit, limit, memory_order_relaxed);
}

void
mr_mac_limit_fid(struct mr_mac *t, uint16_t fid, uint32_t limit)
{
	if (fid < t->fids)
		atomic_store_explicit(&t->fid[fid].limit, limit, memory_order_relaxed);
}

void
mr_mac_set_ageing(struct mr_mac *t, uint16_t fid, uint32_t ageing)
{
	if (fid < t->fids)
		atomic_store_explicit(&t->fid[fid].ageing, ageing, memory_order_relaxed);
}
