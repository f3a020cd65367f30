/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_TABLE_INT_H
#define MR_NF_NAT_TABLE_INT_H

/*
 * Mappings and sessions of all translators of a data plane, and of all workers.
 *
 *   mapping   an inside end (address, port, protocol, instance) and the outside end that stands for
 *             it; with address-dependent mapping one for each remote address, or remote end
 *   session   what a mapping's inside end talks to: who may answer, and TCP's state. The first
 *             one of a mapping stands in the mapping's own line; most have no other
 *   child     the line of a further session
 *   fixed     an address for an address, from the configuration (static)
 *
 * Each is one line of 64 bytes, found by the inside end through slots (kit/table/slots.h), and, from
 * outside, through the array of the pool (nf/nat/pool/pool.h), which holds the mapping's number.
 *
 * Lines are re-used as nf/conntrack/table_int.h says: `word` holds a lock bit, a LIVE bit, flags
 * and an age. Whoever swaps LIVE away frees slot, port and number. What a live mapping says about
 * its ends never changes; `seen`, `state` and `timeout` are stored without the lock where a
 * store in another's line does no harm, and state changes and first sessions are made
 * under it.
 *
 * A mapping is over when its time is and it has no children; a child holds on to its mapping.
 *
 * IPv6 insides (NAT64) have their address in an array beside the lines, and mappings that somebody asked
 * for (nf/nat/pcp) their lease.
 *
 * Ownership: the table owns all memory, reserved for `max` and touched where used; pools are lent.
 * Threads: any number find, lock, add and end; `worker` names a cache of numbers.
 * Errors: add says that there is no room.
 */

#include "kit/base/counter.h"
#include "kit/base/error.h"
#include "kit/base/hash.h"
#include "kit/base/pool.h"
#include "kit/packet/wire.h"
#include "kit/table/slots.h"
#include "nf/nat/pool/pool.h"
#include "nf/nat/seq_int.h"

#define NAT_INSTANCES_MAX 255u
#define NAT_MAX_LIMIT (8u << 20)
#define NAT_SEQ_MAX 16384u /* sessions whose payload changed its length, at once */

enum nat_word {
	NAT_LOCK = 1u << 0,
	NAT_LIVE = 1u << 1,
	NAT_CHILD = 1u << 2,
	NAT_FIXED = 1u << 3,     /* an address for an address */
	NAT_STATIC = 1u << 4,    /* of the configuration: never over, open to all */
	NAT_SELF = 1u << 5,      /* its inside is an address of the outside: the host's own */
	NAT_SIX = 1u << 6,       /* its inside is IPv6 */
	NAT_SESSION = 1u << 7,   /* `remote` is a session's */
	NAT_ALG = 1u << 8,       /* its payload is looked at */
	NAT_PORT = 1u << 9,      /* it has a port of the pool */
	NAT_RESERVED = 1u << 10, /* it reserved its port there */
	NAT_SHARED = 1u << 11,   /* its port is another mapping's, whose child it is: share.c */
	NAT_SHARE = 1u << 12,    /* leads to such a one from outside; goes with it */
	NAT_LOGGED = 1u << 13,   /* its beginning was logged, and its end will be */
	NAT_LEASED = 1u << 14,   /* it has, or had, a lease */
};
#define NAT_AGE_SHIFT 16
#define NAT_AGE (~0u << NAT_AGE_SHIFT)

/* X(constant, name of the leaf, seconds, doc) */
#define NAT_TIMEOUTS(X) \
	X(UDP, "udp", 300) \
	X(ICMP, "icmp", 60) \
	X(TCP_OPEN, "tcp-established", 7440) \
	X(TCP_SHORT, "tcp-transitory", 240)

/* clang-format off */
enum nat_timeout {
#define X(id, leaf, seconds) NAT_TIME_##id,
	NAT_TIMEOUTS(X)
#undef X
	NAT_TIME_COUNT,
};
/* clang-format on */

/* An end as a word: address and port as they stand in a packet. */
#define NAT_END(address, port) ((uint64_t)(address) | (uint64_t)(port) << 32)
#define NAT_INSIDE(address, port, proto, instance) \
	(NAT_END(address, port) | (uint64_t)(proto) << 48 | (uint64_t)(instance) << 56)
#define NAT_ADDRESS(word) ((be32_t)(word))
#define NAT_PORT_OF(word) ((be16_t)((word) >> 32))
#define NAT_PROTO_OF(inside) ((uint8_t)((inside) >> 48))
#define NAT_INSTANCE_OF(inside) ((uint8_t)((inside) >> 56))
#define NAT_ENDS 0xffffffffffffull

/* Only these have ports in pools. */
mr_inline enum nat_proto
nat_pool_proto(uint8_t proto)
{
	return proto == MR_IP_PROTO_TCP ? NAT_TCP : proto == MR_IP_PROTO_UDP ? NAT_UDP : NAT_ICMP;
}

/* What a line is, above the remote end that it holds for. */
enum nat_scope {
	NAT_SCOPE_MAPPING = 1,
	NAT_SCOPE_CHILD = 2,
	NAT_SCOPE_FIXED_OUT = 3, /* by its inside address */
	NAT_SCOPE_FIXED_IN = 4,  /* by its outside address, which stands in `inside` */
	NAT_SCOPE_SHARE = 5,     /* by its outside end, likewise */
};
#define NAT_SCOPE(remote, scope) ((remote) | (uint64_t)(scope) << 48)

struct nat_name {
	uint64_t inside;
	uint64_t scope;
	uint64_t six[2]; /* NAT_SIX */
	bool is_six;
};

struct nat_entry {
	_Atomic uint32_t word;   /* enum nat_word */
	_Atomic uint32_t seen;   /* second of the last packet that counted */
	_Atomic uint64_t inside; /* NAT_INSIDE */
	_Atomic uint64_t scope;  /* NAT_SCOPE */
	_Atomic uint64_t outside;
	_Atomic uint64_t remote;     /* of its session */
	_Atomic uint32_t children;   /* of a mapping: how many; of a child: its mapping */
	_Atomic uint32_t subscriber; /* of its port */
	_Atomic uint32_t created;    /* second */
	_Atomic uint8_t state;       /* enum nat_tcp of its session */
	_Atomic uint8_t timeout;     /* enum nat_timeout */
	_Atomic uint16_t pool;       /* which of its instance: nat_instance.epoch */
	_Atomic uint32_t alg; /* NAT_ALG: number in nat_table.seqs, 0: none; under the lock */
	uint32_t pad;
};
static_assert(sizeof(struct nat_entry) == MR_CACHE_LINE, "a mapping is one line");

/* Of NAT_SIX. */
struct nat_six {
	_Atomic uint64_t half[2];
};

/* Of NAT_LEASED: the mapping is there until then, and open to all. */
struct nat_lease {
	_Atomic uint32_t until; /* second */
	uint32_t nonce[3];      /* of who has it; under the line's lock */
};

/* X(constant, name, doc): counted for each instance. */
#define NAT_COUNTS(X) \
	X(CREATED, "created", "mappings made") \
	X(ENDED, "ended", "mappings over, for whatever reason") \
	X(SESSIONS, "sessions-created", "sessions of mappings made") \
	X(SESSIONS_ENDED, "sessions-ended", "sessions over") \
	X(FLUSHED, "flushed", "mappings and sessions that a change of the configuration ended") \
	X(NO_MAPPING, "no-mapping", "packets dropped: they belong to no mapping") \
	X(FILTERED, "filtered", "packets dropped: the inside did not talk to their sender") \
	X(NO_PORT, "no-port", "packets dropped: no outside port is free") \
	X(NO_BLOCK, "no-block", \
	    "packets dropped: their subscriber may have no further block of ports") \
	X(LIMIT, "subscriber-limit", "packets dropped: their subscriber has as much as it may") \
	X(RATE, "subscriber-rate", \
	    "packets dropped: their subscriber makes too many mappings in a second") \
	X(NO_SUBSCRIBER, "no-subscriber", "packets dropped: no room for another subscriber") \
	X(FULL, "full", "packets dropped: no room for another mapping or session") \
	X(PROTOCOL, "protocol", "packets dropped: their protocol has no ports to translate") \
	X(MALFORMED, "malformed", "packets dropped: they cannot be read") \
	X(SHARED, "shared", "mappings made that share another one's outside port") \
	X(HAIRPIN, "hairpins", "packets from inside to inside by an outside address") \
	X(ERRORS, "icmp-errors", "ICMP errors translated") \
	X(PCP, "pcp-requests", "PCP and NAT-PMP requests answered") \
	X(PCP_REFUSED, "pcp-refused", "of these: not done") \
	X(LEASES, "leases", "leases given or renewed by PCP and NAT-PMP")

/* clang-format off */
enum nat_count {
#define X(id, name, doc) NAT_COUNT_##id,
	NAT_COUNTS(X)
#undef X
	NAT_COUNT_COUNT,
};
/* clang-format on */

struct nat_journal;

struct nat_table {
	struct mr_slots slots;
	struct nat_entry *entries;
	struct nat_six *six;
	struct nat_lease *leases;
	uint32_t max;
	uint32_t workers;
	struct mr_hash_key key;
	struct mr_pool *numbers;
	struct nat_seq *seqs; /* [NAT_SEQ_MAX + 1] and what idles in caches */
	struct mr_pool *seq_numbers;
	struct mr_counters *counters; /* a row per worker and one of control: [instance][COUNT] */
	_Atomic uint32_t (*timeouts)[NAT_TIME_COUNT]; /* [NAT_INSTANCES_MAX + 1] */
	_Atomic(struct nat_pool *) *pools;            /* [NAT_INSTANCES_MAX + 1] */
	_Atomic uint16_t *epochs;                     /* of these */
	_Atomic uint32_t *lost;                       /* second of the last lease lost; likewise */
	MR_CACHE_ALIGNED _Atomic uint32_t top;        /* highest number ever given */
	struct nat_journal *journal;                  /* told of those that are NAT_LOGGED */
	uint32_t swept;                               /* control: where the sweep goes on */
};

int nat_table_create(struct nat_table **out, uint32_t max, uint32_t workers, struct mr_error *);
void nat_table_destroy(struct nat_table *);

mr_inline uint64_t
nat_hash(const struct nat_table *t, const struct nat_name *key)
{
	if (mr_likely(!key->is_six))
		return mr_hash_u128(&t->key, key->inside, key->scope);
	return mr_hash_words(&t->key,
	    (const uint64_t[]){ key->inside, key->scope, key->six[0], key->six[1] }, 4);
}

mr_inline void
nat_count(const struct nat_table *t, uint32_t worker, uint8_t instance, enum nat_count what)
{
	mr_counter_add(mr_counters_row(t->counters, MR_MIN(worker, t->workers)) +
		(size_t)instance * NAT_COUNT_COUNT + what,
	    1);
}

mr_inline bool
nat_name_equal(const struct nat_table *t, uint32_t number, const struct nat_name *key,
    uint32_t word)
{
	const struct nat_entry *e = &t->entries[number];
	/* Acquire pairs with nat_add's release: who reads a later key reads a later word next. */
	uint64_t differ = (atomic_load_explicit(&e->inside, memory_order_acquire) ^ key->inside) |
	    (atomic_load_explicit(&e->scope, memory_order_acquire) ^ key->scope);

	if (mr_unlikely(key->is_six != !!(word & NAT_SIX)))
		return false;
	for (unsigned i = 0; key->is_six && i < 2; i++)
		differ |= atomic_load_explicit(&t->six[number].half[i], memory_order_acquire) ^
		    key->six[i];
	return differ == 0;
}

/* Its session's time is over, or with no children, the mapping's. */
mr_inline bool
nat_is_late(const struct nat_table *t, const struct nat_entry *e, uint32_t now)
{
	uint32_t seen = atomic_load_explicit(&e->seen, memory_order_relaxed);
	uint8_t timeout = atomic_load_explicit(&e->timeout, memory_order_relaxed);
	uint8_t instance = NAT_INSTANCE_OF(atomic_load_explicit(&e->inside, memory_order_relaxed));
	uint32_t limit = atomic_load_explicit(&t->timeouts[instance][timeout % NAT_TIME_COUNT],
	    memory_order_relaxed);

	/* Another worker's clock may be a moment ahead. */
	return (int32_t)(now - seen) > 0 && now - seen > limit;
}

/* Whether somebody asked for the mapping, and for this long. */
mr_inline bool
nat_is_leased(const struct nat_table *t, const struct nat_entry *e, uint32_t word, uint32_t now)
{
	return mr_unlikely(word & NAT_LEASED) &&
	    (int32_t)(atomic_load_explicit(&t->leases[e - t->entries].until, memory_order_relaxed) -
		now) > 0;
}

mr_inline bool
nat_is_over(const struct nat_table *t, const struct nat_entry *e, uint32_t word, uint32_t now)
{
	if (mr_unlikely(word & (NAT_STATIC | NAT_SHARE)) || !nat_is_late(t, e, now))
		return false;
	if (nat_is_leased(t, e, word, now))
		return false;
	return (word & NAT_CHILD) || !atomic_load_explicit(&e->children, memory_order_relaxed);
}

/* What belongs to the line is still there and the same as when `word` was seen. */
mr_inline bool
nat_is_same(const struct nat_entry *e, uint32_t word)
{
	return !(
	    (atomic_load_explicit(&e->word, memory_order_relaxed) ^ word) & (NAT_AGE | NAT_LIVE));
}

/* The live entry with this key, and the word that it was seen with; 0: none. One past its time
 * is ended. Not locked: the line may change hands. */
uint32_t nat_find(struct nat_table *, uint32_t worker, const struct nat_name *, uint64_t hash,
    uint32_t now, uint32_t *word);

/* Whether the line is still what it was when `word` was seen; then it is locked, and *word as it is
 * now, without the lock bit. */
mr_inline bool
nat_lock(struct nat_entry *e, uint32_t *word)
{
	uint32_t want = *word & ~NAT_LOCK;

	/* Acquire pairs with the release of unlock. */
	while (!atomic_compare_exchange_weak_explicit(&e->word, &want, want | NAT_LOCK,
	    memory_order_acquire, memory_order_relaxed)) {
		if ((want ^ *word) & (NAT_AGE | NAT_LIVE))
			return false;
		if (want & NAT_LOCK)
			mr_relax();
		want &= ~NAT_LOCK;
	}
	*word = want;
	return true;
}

mr_inline void
nat_unlock(struct nat_entry *e, uint32_t word)
{
	atomic_store_explicit(&e->word, word & ~NAT_LOCK, memory_order_release);
}

/* A packet counted. Written when it changed only. */
mr_inline void
nat_touch(struct nat_entry *e, uint32_t now)
{
	if (atomic_load_explicit(&e->seen, memory_order_relaxed) != now)
		atomic_store_explicit(&e->seen, now, memory_order_relaxed);
}

/* Ends an entry; `word` as seen. False: it is over already, has children, or changes right now. */
bool nat_end(struct nat_table *, uint32_t worker, uint32_t number, uint32_t word, uint32_t now);

/* A number for an entry to come, whose line is the caller's to fill but for word, inside and scope.
 * 0: none. */
uint32_t nat_take(struct nat_table *, uint32_t worker);
/* Gives back what was taken and not added. */
void nat_put(struct nat_table *, uint32_t worker, uint32_t number);
/* Publishes a taken and filled entry with these flags of its word. Returns its number; that of
 * another one with the same key, which stands there already, with *word (the taken one is still the
 * caller's); or 0: no room (likewise). */
uint32_t nat_add(struct nat_table *, uint32_t worker, uint32_t number, const struct nat_name *,
    uint64_t hash, uint32_t flags, uint32_t now, uint32_t *word);
/* How many an instance has now, as its counters tell: exact while nothing moves. */
uint32_t nat_mappings(const struct nat_table *, uint32_t instance);
uint32_t nat_sessions(const struct nat_table *, uint32_t instance);
/* One child more of the mapping seen with `word`. False: the mapping is gone. */
bool nat_adopt(struct nat_table *, uint32_t mapping, uint32_t word);
void nat_orphan(struct nat_table *, uint32_t mapping);

/* The session in this line ends, whose lock is held or which is the caller's alone: its shifts are
 * free again. */
void nat_release_seq(struct nat_table *, uint32_t worker, struct nat_entry *);

/* share.c: a mapping that shares its port is over: what led to it is, too. */
void nat_end_share(struct nat_table *, uint32_t worker, uint32_t number, uint32_t now);

/* Control: ends what is past its time among the next `count` lines. */
void nat_sweep(struct nat_table *, uint32_t now, uint32_t count);
/* Control: ends all entries for which `over` says so, children first; counts them as flushed. */
void nat_flush(struct nat_table *, bool (*over)(const struct nat_entry *, uint32_t word, void *arg),
    void *arg, uint32_t now);

#endif
