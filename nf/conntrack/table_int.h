/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_TABLE_INT_H
#define MR_NF_CONNTRACK_TABLE_INT_H

/*
 * The table of connections: one for all workers, because the two directions of a connection may
 * arrive on different ones.
 *
 *   slots    from a hash to the lines that may have it (kit/table/slots.h)
 *   line     64 bytes: the state that every packet reads and writes
 *   cold     64 bytes: the key, and what only unusual packets need
 *
 * A key is the two ends in an order that does not depend on the direction, so that one entry is
 * found from both; a bit says which end spoke first. It stands in one of two buckets.
 *
 * A line's `word` holds a lock bit, a LIVE bit, flags, and an age that goes up when the
 * connection ends. Lines are never unmapped and may be given to another connection at any time:
 * a reader loads the word, compares the key, and takes the lock by a compare-and-swap from the
 * word that it saw, which fails when the line has changed hands meanwhile (the age has 16 bits).
 * A connection is ended by whoever swaps LIVE away; that one frees slot, counts and index. So
 * nothing waits for a grace period, and a table under attack re-uses lines at once.
 *
 * Creation holds its first bucket's lock bit, so that a key gets one entry; slots are claimed by
 * compare-and-swap, for a bucket is the second of some keys.
 *
 * Ageing: a look-up takes an entry past its time for none, and a sweep by the control thread
 * frees it later. There are no timers to move with every packet.
 *
 * Ownership: the table owns all memory, reserved for `max` and touched where used.
 * Threads: any number find, lock, add and end; `worker` names a cache of free indices.
 * Errors: add says that there is no room.
 */

#include "kit/base/counter.h"
#include "kit/base/error.h"
#include "kit/base/generation.h"
#include "kit/base/hash.h"
#include "kit/base/pool.h"
#include "kit/packet/packet.h"
#include "kit/table/slots.h"

#define CT_ZONES_MAX 256u
#define CT_MAX_LIMIT (8u << 20)

enum ct_word {
	CT_LOCK = 1u << 0,
	CT_LIVE = 1u << 1,
	CT_REPLIED = 1u << 2, /* a packet of the other direction was accepted */
	CT_ASSURED = 1u << 3, /* not given up when the table is full */
	CT_SWAPPED = 1u << 4, /* the key's second end spoke first */
	CT_COUNTED = 1u << 5, /* in its source's count */
	CT_PROXIED = 1u << 6, /* opened by the SYN proxy: numbers are translated */
};
#define CT_AGE_SHIFT 16
#define CT_AGE (~0u << CT_AGE_SHIFT)

/* X(constant, name of the leaf, name of the state, seconds): time-outs, as Linux has them. The
 * first ten are the states of TCP. */
#define CT_TIMEOUTS(X) \
	X(TCP_NONE, NULL, "none", 10) \
	X(TCP_SYN_SENT, "tcp-syn-sent", "syn-sent", 120) \
	X(TCP_SYN_RECV, "tcp-syn-recv", "syn-recv", 60) \
	X(TCP_ESTABLISHED, "tcp-established", "established", 432000) \
	X(TCP_FIN_WAIT, "tcp-fin-wait", "fin-wait", 120) \
	X(TCP_CLOSE_WAIT, "tcp-close-wait", "close-wait", 60) \
	X(TCP_LAST_ACK, "tcp-last-ack", "last-ack", 30) \
	X(TCP_TIME_WAIT, "tcp-time-wait", "time-wait", 120) \
	X(TCP_CLOSE, "tcp-close", "close", 10) \
	X(TCP_SYN_SENT2, "tcp-syn-sent2", "syn-sent2", 120) \
	X(TCP_RETRANS, "tcp-max-retrans", "retransmitting", 300) \
	X(TCP_UNACKED, "tcp-unacknowledged", "unacknowledged", 300) \
	X(UDP, "udp", "unreplied", 30) \
	X(UDP_STREAM, "udp-stream", "stream", 120) \
	X(ICMP, "icmp", "icmp", 30) \
	X(ICMP6, "icmpv6", "icmpv6", 30) \
	X(GRE, "gre", "unreplied", 30) \
	X(GRE_STREAM, "gre-stream", "stream", 180) \
	X(GENERIC, "generic", "generic", 600)

/* clang-format off */
enum ct_timeout {
#define X(id, leaf, name, seconds) CT_##id,
	CT_TIMEOUTS(X)
#undef X
	CT_TIMEOUT_COUNT,
};
/* clang-format on */

/* What one end of a TCP connection sent, and was told (van Rooij, "Real Stateful TCP Packet
 * Filtering in IP Filter", 2001). */
struct ct_half {
	uint32_t end;    /* the highest sequence number sent, + 1 */
	uint32_t maxend; /* the highest that it may send, as the other end said */
	uint32_t maxwin; /* the largest window that it offered; 0: nothing seen of it yet */
	uint32_t maxack; /* the highest number that it acknowledged */
};

/* The hot line. Under its lock, but for what is atomic, which others may look at. */
struct ct_line {
	_Atomic uint32_t word;  /* enum ct_word */
	_Atomic uint32_t seen;  /* second of the last packet that counted */
	struct ct_half half[2]; /* by direction: that of the first packet is 0 */
	uint8_t scale;          /* window scales, four bits each */
	uint8_t flags[2];       /* enum ct_half_flag */
	uint8_t retrans;
	uint32_t last_end;           /* of the last packet with ACK, or the last odd one */
	_Atomic uint32_t packets[2]; /* by direction */
	uint16_t last;               /* a digest of the last packet with ACK */
	uint16_t check;              /* a digest of the first packet's addresses and ports */
	_Atomic uint8_t state;       /* of TCP: enum ct_timeout's first; else CT_TCP_NONE */
	_Atomic uint8_t timeout;     /* enum ct_timeout */
	uint8_t last_kind;           /* enum ct_kind of TCP, CT_LAST_REPLY */
	uint8_t odd;                 /* enum ct_odd */
};
static_assert(sizeof(struct ct_line) == MR_CACHE_LINE, "a connection's line");

#define CT_KEY_WORDS 5
/* Words 0, 1 and 2, 3: the ends' addresses (IPv4: the lower half of the first); word 4: ports,
 * zone, protocol, enum ct_key_flag. */
struct ct_key {
	uint64_t w[CT_KEY_WORDS];
};
enum ct_key_flag {
	CT_KEY_SIX = 1u << 0,
	CT_KEY_FIRST_ASKS = 1u << 1, /* of ICMP queries: the first end is who asks */
};
#define CT_KEY_TAIL(port0, port1, zone, proto, flags) \
	((uint64_t)(port0) | (uint64_t)(port1) << 16 | (uint64_t)(zone) << 32 | \
	    (uint64_t)(proto) << 48 | (uint64_t)(flags) << 56)
#define CT_KEY_PORT(key, end) ((uint16_t)((key)->w[4] >> 16 * (end)))
#define CT_KEY_ZONE(key) ((uint16_t)((key)->w[4] >> 32))
#define CT_KEY_PROTO(key) ((uint8_t)((key)->w[4] >> 48))
#define CT_KEY_FLAGS(key) ((uint8_t)((key)->w[4] >> 56))

struct ct_cold {
	_Atomic uint64_t key[CT_KEY_WORDS];
	_Atomic uint32_t created; /* second */
	uint32_t last_ack;
	uint32_t shift; /* of a proxied one: server's sequence numbers less the client's */
	uint16_t last_win;
	uint8_t last_scale;
	uint8_t last_flags;
	uint32_t cookie; /* of a proxied one: what the client takes for the server's isn */
	/* Of packets that were translated on their way here: a digest of their ends as they came in, by
	 * direction, for the flow lane; 0: none. */
	_Atomic uint16_t came[2];
};
static_assert(sizeof(struct ct_cold) == MR_CACHE_LINE, "a connection's other line");

/* X(constant, name, doc): counted for each zone. */
#define CT_COUNTS(X) \
	X(CREATED, "created", "connections begun") \
	X(ENDED, "ended", "connections over, for whatever reason") \
	X(EXPIRED, "expired", "of these: not heard of for their time") \
	X(REUSED, "reused", "of these: replaced by a new one with the same addresses and ports") \
	X(FLUSHED, "flushed", "of these: by an operator") \
	X(EARLY, "early-dropped", "of these: given up for others, because the table was full") \
	X(INVALID, "invalid", "packets that belong to no connection and may not begin one") \
	X(RELATED, "related", "ICMP errors about a connection") \
	X(FULL, "refused-full", "packets dropped: no room for their connection") \
	X(LIMITED, "refused-zone", "packets dropped: the zone has as many as it may") \
	X(SOURCE, "refused-source", "packets dropped: their source has as many as it may") \
	X(RATE, "refused-rate", "packets dropped: their source begins too many in a second")

/* clang-format off */
enum ct_count {
#define X(id, name, doc) CT_COUNT_##id,
	CT_COUNTS(X)
#undef X
	CT_COUNT_COUNT,
};
/* clang-format on */

struct ct_zone {
	MR_CACHE_ALIGNED _Atomic uint32_t connections;
	_Atomic uint32_t limit; /* 0: none */
};

struct ct_sources;

struct ct_table {
	struct mr_slots slots;
	struct ct_line *lines;
	struct ct_cold *cold;
	uint32_t max;
	uint32_t workers;
	struct mr_hash_key key;
	struct mr_pool *pool;
	struct ct_sources *sources;
	struct mr_counters *counters; /* a row per worker and one of control: [zone][COUNT] */
	struct ct_zone *zones;        /* [CT_ZONES_MAX] */
	_Atomic uint32_t timeouts[CT_TIMEOUT_COUNT];
	MR_CACHE_ALIGNED _Atomic uint32_t top; /* highest index ever given */
	uint32_t swept;                        /* control: where the sweep goes on */
};

int ct_table_create(struct ct_table **out, uint32_t max, uint32_t workers, struct mr_error *);
void ct_table_destroy(struct ct_table *);

mr_inline uint64_t
ct_hash(const struct ct_table *t, const struct ct_key *key)
{
	return mr_hash_words(&t->key, key->w, CT_KEY_WORDS);
}

mr_inline void
ct_count(const struct ct_table *t, uint32_t worker, uint16_t zone, enum ct_count what, uint64_t n)
{
	mr_counter_add(mr_counters_row(t->counters, MR_MIN(worker, t->workers)) +
		(size_t)zone * CT_COUNT_COUNT + what,
	    n);
}

mr_inline bool
ct_key_equal(const struct ct_cold *cold, const struct ct_key *key)
{
	uint64_t differ = 0;

	/* Acquire pairs with ct_add's release: who reads a later key reads a later word next. */
	for (unsigned i = 0; i < CT_KEY_WORDS; i++)
		differ |= atomic_load_explicit(&cold->key[i], memory_order_acquire) ^ key->w[i];
	return differ == 0;
}

mr_inline void
ct_key_load(const struct ct_cold *cold, struct ct_key *key)
{
	for (unsigned i = 0; i < CT_KEY_WORDS; i++)
		key->w[i] = atomic_load_explicit(&cold->key[i], memory_order_acquire);
}

mr_inline bool
ct_is_over(const struct ct_table *t, const struct ct_line *c, uint32_t now)
{
	uint32_t seen = atomic_load_explicit(&c->seen, memory_order_relaxed);
	uint8_t timeout = atomic_load_explicit(&c->timeout, memory_order_relaxed);
	uint32_t limit = atomic_load_explicit(&t->timeouts[timeout], memory_order_relaxed);

	/* Another worker's clock may be a moment ahead. */
	return (int32_t)(now - seen) > 0 && now - seen > limit;
}

/* The live connection with this key, and the word that it was seen with; 0: none. One past its
 * time is ended. Not locked: the line may change hands. */
uint32_t ct_find(struct ct_table *, uint32_t worker, const struct ct_key *, uint64_t hash,
    uint32_t now, uint32_t *word);

/* Whether the line is still what it was when `word` was seen; then it is locked, and *word as it is
 * now, without the lock bit. */
mr_inline bool
ct_lock(struct ct_line *c, uint32_t *word)
{
	uint32_t want = *word & ~CT_LOCK;

	/* Acquire pairs with the release of unlock. */
	while (!atomic_compare_exchange_weak_explicit(&c->word, &want, want | CT_LOCK,
	    memory_order_acquire, memory_order_relaxed)) {
		if ((want ^ *word) & (CT_AGE | CT_LIVE))
			return false;
		if (want & CT_LOCK)
			mr_relax();
		want &= ~CT_LOCK;
	}
	*word = want;
	return true;
}

mr_inline void
ct_unlock(struct ct_line *c, uint32_t word)
{
	atomic_store_explicit(&c->word, word & ~CT_LOCK, memory_order_release);
}

/* Ends a connection; `word` as seen. False: it is over already, or changes right now. */
bool ct_end(struct ct_table *, uint32_t worker, uint32_t index, uint32_t word, enum ct_count why);
/* The same by who holds its lock. */
void ct_end_locked(struct ct_table *, uint32_t worker, uint32_t index, uint32_t word,
    enum ct_count why);

/* An index for a connection to come, early-dropping another one where need be: its lines are the
 * caller's to fill. 0: none. */
uint32_t ct_take(struct ct_table *, uint32_t worker, uint64_t hash, uint32_t now);
/* Gives back what was taken and not added. */
void ct_put(struct ct_table *, uint32_t worker, uint32_t index);
/* Publishes a taken and filled connection with these flags of its word; counts it. Returns its
 * index; that of another one with the same key, which stands there already, with *word (then the
 * taken one is given back); or 0: no room (likewise). */
uint32_t ct_add(struct ct_table *, uint32_t worker, uint32_t index, const struct ct_key *,
    uint64_t hash, uint32_t flags, uint32_t now, uint32_t *word);

/* Control: ends what is past its time among the next `count` lines. */
void ct_sweep(struct ct_table *, uint32_t now, uint32_t count);
/* Connections that are there, roughly. */
uint32_t ct_table_used(const struct ct_table *);

#endif
