/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_TABLE_INT_H
#define MR_NF_LB_TABLE_INT_H

/*
 * The table of connections: which server a client's connection was given. One for all workers; a
 * connection that is translated is found from both directions.
 *
 *   front slots   by (client, service's address, ports): what clients send
 *   back slots    by (server, whom it answers, ports): what servers send; translated ones only
 *   line          64 bytes: both keys, the server, the age
 *
 * A line's `word` holds a LIVE bit, flags, and an age that goes up when the connection ends. Keys and
 * server do not change while it lives. Lines are never unmapped and may be given to another
 * connection at any time: a reader loads the word, then what it wants, then looks whether the
 * word is still of that age. Whoever swaps LIVE away ends the connection, and frees slots, counts
 * and line. So nothing waits for a grace period.
 *
 * Ageing as in nf/conntrack: a look-up takes an entry past its time for none, a sweep by the control
 * thread frees it. When the table is full, those give way first that never came to
 * anything.
 *
 * Affinity of a client to a server is an entry of the same kind, of a key without ports.
 *
 * Ownership: the table owns its memory, reserved for `max` and touched where used.
 * Threads: any number find, add and end. Errors: enum lb_added.
 */

#include "kit/base/counter.h"
#include "kit/base/error.h"
#include "kit/base/hash.h"
#include "kit/base/pool.h"
#include "kit/table/slots.h"

#define LB_MAX_LIMIT (8u << 20)

enum lb_word {
	LB_LIVE = 1u << 0,
	LB_ASSURED = 1u << 1, /* the client answered: not given up for others */
	LB_BACKED = 1u << 2,  /* it has a back key */
	LB_COUNTED = 1u << 3, /* in its server's connections */
};
#define LB_AGE_SHIFT 16
#define LB_AGE (~0u << LB_AGE_SHIFT)

enum lb_state { LB_BEGUN, LB_OPEN, LB_FIN, LB_CLOSED, LB_STICKY, LB_STATES };

#define LB_KEY_WORDS 3
/* Words 0 and 1: the peer's address (IPv4: the lower half of the first); word 2 below. */
struct lb_key {
	uint64_t w[LB_KEY_WORDS];
};
enum lb_key_flag {
	LB_KEY_SIX = 1u << 0,
	LB_KEY_STICKY =
	    1u << 1, /* front: the client's affinity; ports are 0 and the service's number */
	LB_KEY_FULL = 1u << 2, /* back: the peer is one of our own addresses, by number */
};
/* `place`: front: number of the service's address; back: of the server's. */
#define LB_KEY_TAIL(peer_port, own_port, place, proto, flags) \
	((uint64_t)(peer_port) | (uint64_t)(own_port) << 16 | (uint64_t)(place) << 32 | \
	    (uint64_t)(proto) << 48 | (uint64_t)(flags) << 56)
#define LB_TAIL_PEER_PORT(tail) ((uint16_t)(tail))
#define LB_TAIL_OWN_PORT(tail) ((uint16_t)((tail) >> 16))
#define LB_TAIL_PLACE(tail) ((uint16_t)((tail) >> 32))
#define LB_TAIL_PROTO(tail) ((uint8_t)((tail) >> 48))
#define LB_TAIL_FLAGS(tail) ((uint8_t)((tail) >> 56))

struct lb_line {
	_Atomic uint32_t word; /* enum lb_word */
	_Atomic uint32_t seen; /* second of the last packet */
	_Atomic uint64_t front[LB_KEY_WORDS];
	_Atomic uint64_t back_tail;
	_Atomic uint16_t source; /* with LB_KEY_FULL: number of the address that we speak from */
	_Atomic uint16_t backend;
	_Atomic uint16_t service;
	_Atomic uint8_t state;  /* enum lb_state */
	_Atomic uint32_t limit; /* seconds without packets after which it is over */
	_Atomic uint32_t created;
} __attribute__((aligned(MR_CACHE_LINE)));
static_assert(sizeof(struct lb_line) == MR_CACHE_LINE, "a connection is one line");

/* X(constant, name, doc): counted for the table. */
#define LB_COUNTS(X) \
	X(CREATED, "created", "connections given to a server") \
	X(ENDED, "ended", "connections over, for whatever reason") \
	X(EXPIRED, "expired", "of these: not heard of for their time") \
	X(REUSED, "reused", "of these: a new one began with the same addresses and ports") \
	X(MOVED, "moved", "of these: their server was not there any more") \
	X(BROKEN, "broken", "of these: ended with their server, service or drain time") \
	X(EARLY, "early-dropped", "of these: given up for others, because the table was full")
/* clang-format off */
enum lb_count {
#define X(id, name, doc) LB_COUNT_##id,
	LB_COUNTS(X)
#undef X
	LB_COUNT_COUNT,
};
/* clang-format on */

struct lb_live;

struct lb_table {
	struct mr_slots front, back;
	struct lb_line *lines;
	struct lb_live *live; /* [backend]: who count their connections */
	uint32_t max, workers;
	struct mr_hash_key key;
	struct mr_pool *pool;
	struct mr_counters *counters; /* a row per worker and one of control: [COUNT] */
	MR_CACHE_ALIGNED _Atomic uint32_t used;
	MR_CACHE_ALIGNED _Atomic uint32_t top; /* highest index ever given */
	uint32_t swept;                        /* control: where the sweep goes on */
};

int lb_table_create(struct lb_table **out, uint32_t max, uint32_t workers, struct lb_live *,
    struct mr_error *);
void lb_table_destroy(struct lb_table *);

mr_inline uint64_t
lb_hash(const struct lb_table *t, const struct lb_key *key)
{
	return mr_hash_words(&t->key, key->w, LB_KEY_WORDS);
}

/* A connection that was found: what it was at one moment. */
struct lb_found {
	uint32_t index, word;
	uint16_t backend, service, source;
	uint8_t state;
	uint32_t limit, seen;
	uint64_t front[LB_KEY_WORDS], back_tail;
};

/* False: there is none. One past its time is ended. */
bool lb_find(struct lb_table *, uint32_t worker, const struct lb_key *, uint64_t hash, uint32_t now,
    struct lb_found *);
bool lb_find_back(struct lb_table *, uint32_t worker, const struct lb_key *, uint64_t hash,
    uint32_t now, struct lb_found *);

/* A connection to be. */
struct lb_new {
	struct lb_key front, back;
	uint64_t front_hash, back_hash;
	uint32_t limit;
	uint32_t flags; /* of enum lb_word: LB_BACKED, LB_COUNTED */
	uint16_t backend, service, source;
	uint8_t state;
};
enum lb_added {
	LB_ADDED,
	LB_EXISTS,   /* somebody was faster: *found is his */
	LB_CONFLICT, /* the server could not tell it from another one */
	LB_FULL,
};
enum lb_added lb_add(struct lb_table *, uint32_t worker, const struct lb_new *, uint32_t now,
    struct lb_found *found);

/* Ends a connection; `word` as seen. False: it is over already, or changes right now. */
bool lb_end(struct lb_table *, uint32_t worker, uint32_t index, uint32_t word, enum lb_count why);

/* A new connection with the same addresses and ports, on the same server. It counts as open at once,
 * since its next packets may be replayed by what the flow lane has of the one before. */
void lb_restart(struct lb_table *, uint32_t worker, struct lb_found *, uint32_t limit,
    uint32_t now);

/* Takes it for answered. */
void lb_assure(struct lb_line *, uint32_t word);

mr_inline void
lb_touch(struct lb_line *c, uint32_t now)
{
	/* The line is shared: written when there is something new to say. */
	if (atomic_load_explicit(&c->seen, memory_order_relaxed) != now)
		atomic_store_explicit(&c->seen, now, memory_order_relaxed);
}

mr_inline void
lb_enter(struct lb_line *c, enum lb_state state, uint32_t limit)
{
	atomic_store_explicit(&c->state, (uint8_t)state, memory_order_relaxed);
	atomic_store_explicit(&c->limit, limit, memory_order_relaxed);
}

mr_inline bool
lb_is_over(const struct lb_line *c, uint32_t now)
{
	uint32_t seen = atomic_load_explicit(&c->seen, memory_order_relaxed);
	uint32_t limit = atomic_load_explicit(&c->limit, memory_order_relaxed);

	/* Another worker's clock may be a moment ahead. */
	return (int32_t)(now - seen) > 0 && now - seen > limit;
}

/* So many that what may be nothing gets no entry any more. */
mr_inline bool
lb_is_pressed(const struct lb_table *t)
{
	return atomic_load_explicit(&t->used, memory_order_relaxed) > t->max - t->max / 4;
}

/* Control: ends what is past its time among the next `count` lines. */
void lb_sweep(struct lb_table *, uint32_t now, uint32_t count);
/* Ends all connections of which `gone` says so. */
void lb_break(struct lb_table *, bool (*gone)(const void *, const struct lb_found *),
    const void *arg);
/* The connection in this line, if there is one. */
bool lb_look(const struct lb_table *, uint32_t index, struct lb_found *, uint32_t *created);

#endif
