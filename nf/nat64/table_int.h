/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT64_TABLE_INT_H
#define MR_NF_NAT64_TABLE_INT_H

/*
 * Bindings and sessions (RFC 6146, 3.1) of all NAT64 of a data plane, and of all workers.
 *
 *   binding   an inside end (IPv6 address, port, protocol) and the outside end (IPv4) that stands
 *             for it: BIB entry. Holds a port of the pool (nf/nat/pool/pool.h), which leads to it from
 *             outside, and lives as long as it has sessions
 *   session   a binding and one remote end, with TCP's state and the time of the last packet
 *
 * Both are lines of 64 bytes, found through slots (kit/table/slots.h) by their keyed hashes. A line's
 * word says whether it is live, and carries an age that grows when it ends: who found a line
 * looks at its word before and after the key, and whoever takes LIVE out of it by
 * compare-and-swap frees what belongs to it. There are no locks but those of a bucket while an
 * entry is added. A binding's word counts its sessions; a session's holds its TCP state.
 *
 * Ownership: the table owns all memory, reserved for `max` and touched where used; pools are lent.
 * Threads: any number find, add, end; sweep and flush are the control thread's.
 * Errors: named results.
 */

#include "kit/base/counter.h"
#include "kit/base/error.h"
#include "kit/base/hash.h"
#include "kit/base/pool.h"
#include "kit/table/slots.h"
#include "nf/nat/pool/pool.h"

#define N64_INSTANCES_MAX 255u
#define N64_MAX_LIMIT (8u << 20)

/* RFC 6146, 3.5: what a session is in. X(constant, name, whose time-out, doc) */
#define N64_STATES(X) \
	X(UDP, "udp", UDP, "UDP") \
	X(ICMP, "icmp", ICMP, "an ICMP query") \
	X(V4_INIT, "v4-init", SYN, "a SYN came from outside") \
	X(V6_INIT, "v6-init", TRANS, "a SYN came from inside") \
	X(OPEN, "established", OPEN, "both have sent theirs") \
	X(V4_FIN, "v4-fin", OPEN, "the outside closed") \
	X(V6_FIN, "v6-fin", OPEN, "the inside closed") \
	X(BOTH_FIN, "both-fin", TRANS, "both closed") \
	X(TRANS, "trans", TRANS, "a reset was seen")
enum n64_state {
#define X(id, name, time, doc) N64_STATE_##id,
	N64_STATES(X)
#undef X
	    N64_STATE_COUNT,
};

/* X(constant, leaf, seconds) */
#define N64_TIMEOUTS(X) \
	X(UDP, "udp", 300) \
	X(ICMP, "icmp", 60) \
	X(OPEN, "tcp-established", 7440) \
	X(TRANS, "tcp-transitory", 240) \
	X(SYN, "tcp-incoming-syn", 6)
enum n64_timeout {
#define X(id, leaf, seconds) N64_TIME_##id,
	N64_TIMEOUTS(X)
#undef X
	    N64_TIME_COUNT,
};

#define N64_LIVE 1ull
/* Of a session's word. */
#define N64_STATE(word) ((unsigned)((word) >> 1 & 15u))
#define N64_STATE_BITS (15ull << 1)
#define N64_AGE_SHIFT 40
#define N64_AGE (~0ull << N64_AGE_SHIFT)
/* Of a binding's. */
#define N64_COUNT_ONE 2ull
#define N64_SESSIONS(word) ((uint32_t)((word) >> 1))

/* Ends as words. Ports are in wire order; of a binding the remote ones are 0. */
struct n64_key {
	uint64_t inside[2];
	uint64_t ports;  /* N64_PORTS */
	uint64_t remote; /* IPv4 address */
};
#define N64_PORTS(sport, dport, proto, instance) \
	((uint64_t)(sport) | (uint64_t)(dport) << 16 | (uint64_t)(proto) << 32 | \
	    (uint64_t)(instance) << 40)
#define N64_SPORT(ports) ((be16_t)(ports))
#define N64_DPORT(ports) ((be16_t)((ports) >> 16))
#define N64_PROTO(ports) ((uint8_t)((ports) >> 32)) /* enum nat_proto */
#define N64_INSTANCE(ports) ((uint8_t)((ports) >> 40))
#define N64_OUTSIDE(address, port) ((uint64_t)(address) | (uint64_t)(port) << 32)
#define N64_ADDRESS(end) ((be32_t)(end))
#define N64_PORT(end) ((be16_t)((end) >> 32))

struct n64_line {
	MR_CACHE_ALIGNED _Atomic uint64_t word;
	_Atomic uint64_t key[4];
	_Atomic uint64_t outside;
	_Atomic uint32_t owner; /* session: its binding; binding: its subscriber */
	_Atomic uint32_t seen;  /* session: second of the last packet that counted */
	_Atomic uint32_t created;
	uint32_t pad;
};
static_assert(sizeof(struct n64_line) == MR_CACHE_LINE, "a line is one line");

/* X(constant, name, doc) */
#define N64_COUNTS(X) \
	X(BINDINGS, "bindings-created", "bindings made") \
	X(BINDINGS_ENDED, "bindings-ended", "bindings over") \
	X(SESSIONS, "sessions-created", "sessions made") \
	X(SESSIONS_ENDED, "sessions-ended", "sessions over") \
	X(NO_PORT, "no-port", "packets dropped: no outside port is free") \
	X(NO_BLOCK, "no-block", \
	    "packets dropped: their subscriber may have no further block of ports") \
	X(LIMIT, "subscriber-limit", "packets dropped: their subscriber has as much as it may") \
	X(RATE, "subscriber-rate", \
	    "packets dropped: their subscriber makes too many bindings in a second") \
	X(NO_SUBSCRIBER, "no-subscriber", "packets dropped: no room for another subscriber") \
	X(FULL, "full", "packets dropped: no room for another binding or session")
enum n64_count {
#define X(id, name, doc) N64_COUNT_##id,
	N64_COUNTS(X)
#undef X
	    N64_COUNT_COUNT,
};

struct n64_set {
	struct mr_slots slots;
	struct n64_line *lines;
	struct mr_pool *numbers;
	MR_CACHE_ALIGNED _Atomic uint32_t top;
};

struct n64_table {
	struct n64_set bindings, sessions;
	struct mr_slots remotes; /* sessions by binding and remote address, for filtering */
	uint32_t max, workers;
	struct mr_hash_key key;
	struct mr_counters *counters; /* a row per worker and one of control: [instance][COUNT] */
	_Atomic uint32_t timeouts[N64_INSTANCES_MAX + 1][N64_TIME_COUNT];
	_Atomic(struct nat_pool *) pools[N64_INSTANCES_MAX + 1];
	uint32_t swept;
};

/* A line as it was found. */
struct n64_found {
	uint32_t number; /* 0: none */
	uint64_t word;
	uint64_t outside;
	uint32_t owner;
};

/* Why there is none. */
enum n64_result {
	N64_FOUND,
	N64_NO_PORT,
	N64_NO_BLOCK,
	N64_LIMIT,
	N64_RATE,
	N64_NO_SUBSCRIBER,
	N64_FULL,
	N64_UNTOLD, /* n64_look: only that there would be one */
};

int n64_table_create(struct n64_table **out, uint32_t max, uint32_t workers, struct mr_error *);
void n64_table_destroy(struct n64_table *);

mr_inline uint64_t
n64_hash(const struct n64_table *t, const struct n64_key *k)
{
	return mr_hash_words(&t->key, &k->inside[0], 4);
}
static_assert(sizeof(struct n64_key) == 32, "a key is four words");

mr_inline void
n64_count(const struct n64_table *t, uint32_t worker, uint8_t instance, enum n64_count what)
{
	mr_counter_add(mr_counters_row(t->counters, MR_MIN(worker, t->workers)) +
		(size_t)instance * N64_COUNT_COUNT + what,
	    1);
}

void n64_key_load(const struct n64_line *, struct n64_key *);
mr_inline void
n64_key_of_binding(const struct n64_key *session, struct n64_key *binding)
{
	*binding = *session;
	binding->ports &= ~(0xffffull << 16);
	binding->remote = 0;
}

/* A session's time is over. */
bool n64_is_over(const struct n64_table *, const struct n64_line *, uint64_t word, uint32_t now);
/* The seconds after which it will be, if no packet comes. */
uint32_t n64_left(const struct n64_table *, uint64_t word, uint64_t ports, uint32_t seen,
    uint32_t now);
/* The line is still what it was. */
mr_inline bool
n64_is_same(const struct n64_line *l, uint64_t word)
{
	return !(
	    (atomic_load_explicit(&l->word, memory_order_relaxed) ^ word) & (N64_AGE | N64_LIVE));
}

bool n64_find_session(struct n64_table *, uint32_t worker, const struct n64_key *, uint64_t hash,
    uint32_t now, struct n64_found *);
bool n64_find_binding(struct n64_table *, const struct n64_key *, struct n64_found *);
/* By its outside end; its key with it. */
bool n64_find_outside(struct n64_table *, uint8_t instance, const struct nat_pool *, be32_t address,
    enum nat_proto, be16_t port, struct n64_found *, struct n64_key *);
/* Whether the inside end of this binding's key has a session with this address. */
bool n64_knows(struct n64_table *, const struct n64_key *binding, be32_t remote, uint32_t now);

/* Which binding this worker would make now; nothing is. */
enum n64_result n64_look(const struct n64_table *, uint32_t worker, const struct n64_key *,
    uint32_t now, struct n64_found *);

/* The session of this key, or a new one, with its binding, which gets a port where it is new. */
enum n64_result n64_make(struct n64_table *, uint32_t worker, const struct n64_key *, uint64_t hash,
    enum n64_state, uint32_t now, struct n64_found *);

/* A packet counted. Written when it changed only. */
mr_inline void
n64_touch(struct n64_line *l, uint32_t now)
{
	if (atomic_load_explicit(&l->seen, memory_order_relaxed) != now)
		atomic_store_explicit(&l->seen, now, memory_order_relaxed);
}
/* Another state, if it is still the one of `word`. */
bool n64_turn(struct n64_line *, uint64_t word, enum n64_state);
bool n64_end_session(struct n64_table *, uint32_t worker, uint32_t number, uint64_t word,
    uint32_t now);

/* Control: ends what is past its time among the next `count` lines. */
void n64_sweep(struct n64_table *, uint32_t now, uint32_t count);
/* Control: ends all of an instance that no worker uses any more. */
void n64_flush(struct n64_table *, uint8_t instance, uint32_t now);
uint32_t n64_bindings(const struct n64_table *);
uint32_t n64_sessions(const struct n64_table *);

#endif
