/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_POOL_POOL_H
#define MR_NF_NAT_POOL_POOL_H

/*
 * The outside of a NAT: its addresses, their ports, and who has them.
 *
 * For each address and protocol there is an array with the number of the mapping that has each
 * port, which is how packets from outside are looked up: one load without a hash, 4 bytes for each
 * port, reserved for all and touched where used. Beside it are bits that say which ports are free,
 * in two levels, so that taking a port costs the same few words however many are taken.
 * Ports are chosen at random (RFC 6056, RFC 6888 REQ-15).
 *
 * Subscribers are the inside's addresses (IPv4, or an IPv6 address or prefix for NAT64): one entry
 * each with its paired outside address (RFC 4787 REQ-2), its port blocks and counts. An entry stays
 * as long as it has ports, and `linger` seconds more, so that who comes back finds the same
 * address and blocks.
 *
 * With blocks, a subscriber gets whole ranges of ports, and its ports come from these alone: one
 * event for each block instead of one for each mapping (RFC 6888 REQ-14). Deterministic, its
 * range follows from its address, and nothing needs to be logged (RFC 7422).
 *
 * Ownership: the pool owns all memory, reserved for what the configuration names.
 * Threads: any number take, give, find, try_reserve and unreserve at once. reserve, withhold and tick are the
 * control thread's. `worker` names counters and a cache of free entries; what is no worker's
 * number is the control thread.
 * Errors: named results. Running out of anything changes nothing of what is there
 * (RFC 6888 REQ-11), and ends when something is given back.
 */

#include "kit/base/error.h"
#include "kit/packet/packet.h"

#define NAT_POOL_ADDRESSES_MAX 65536u
#define NAT_POOL_BLOCKS_MAX 64u /* of a subscriber */
#define NAT_POOL_SUBSCRIBERS_MAX 8388608u

struct nat_pool;

enum nat_proto { NAT_TCP, NAT_UDP, NAT_ICMP, NAT_PROTOS }; /* ICMP: identifiers are ports */

/* IPv4, host order, both ends included. */
struct nat_range {
	uint32_t first, last;
};

enum nat_event_kind { NAT_BLOCK_GIVEN, NAT_BLOCK_RETURNED };

/* A subscriber got or lost a range of ports of all protocols. */
struct nat_event {
	enum nat_event_kind kind;
	bool six;           /* the subscriber is an IPv6 address */
	uint8_t inside[16]; /* the subscriber; IPv4: the first four bytes */
	be32_t address;     /* outside */
	uint16_t first, last;
	uint32_t now, since; /* seconds: of this, and of when it was given */
};

struct nat_pool_config {
	const struct nat_range *ranges;
	unsigned range_count;
	uint16_t port_first, port_last; /* 1024..65535; not 0 */
	bool paired;                    /* a subscriber keeps to one address (RFC 4787 REQ-2) */
	bool preserve_port;             /* the inside's port where it is free */
	bool preserve_parity;           /* even for even (RFC 4787 REQ-4) */
	uint16_t block_size;            /* ports; 0: no blocks */
	uint16_t blocks_max;            /* for a subscriber; 0: as 1 */
	uint32_t subscriber_ports[NAT_PROTOS]; /* at most (RFC 6888 REQ-4); 0: no limit */
	uint32_t subscriber_sessions;          /* at most (REQ-5); 0: no limit */
	uint32_t subscriber_rate;              /* new ports in a second (REQ-4); 0: no limit */
	bool deterministic;      /* RFC 7422: which ports an inside address has follows from it */
	struct nat_range inside; /* of the deterministic one */
	uint32_t subscribers_max;
	uint32_t linger;             /* seconds that a subscriber without ports is kept */
	uint32_t quarantine_seconds; /* before a port or block goes to another (RFC 6888 REQ-8) */
	uint32_t quarantine_max;     /* ports and blocks waiting so; 0: a quarter of all */
	unsigned workers;
	/* Told of blocks by the thread that takes or gives one; may be null. Must not block. */
	void (*event)(void *arg, unsigned worker, const struct nat_event *);
	void *event_arg;
};

enum nat_take {
	NAT_TAKEN,
	NAT_NO_PORT,       /* no port is free for it */
	NAT_NO_BLOCK,      /* its blocks are full and there is no other */
	NAT_LIMIT,         /* the subscriber has as many as it may */
	NAT_RATE,          /* the subscriber takes too many in a second */
	NAT_NO_SUBSCRIBER, /* no room for another, or not one of the deterministic range */
	NAT_TAKE_COUNT,
};

/* An outside address and port, and the subscriber that has it; 0: it is reserved. */
struct nat_outside {
	be32_t address;
	be16_t port;
	uint32_t subscriber;
};

int nat_pool_create(struct nat_pool **out, const struct nat_pool_config *, struct mr_error *);
void nat_pool_destroy(struct nat_pool *);
/* What the worker would take, if it did now: for explanations. NAT_TAKEN with port 0: which one, is
 * drawn then. Of a subscriber that may have no more, its address is told all the same. */
enum nat_take nat_pool_look(const struct nat_pool *, unsigned worker, const uint8_t inside[16],
    bool six, enum nat_proto, be16_t prefer, uint32_t now, struct nat_outside *);
/* Likewise: whether nat_pool_session_begin would say yes. */
bool nat_pool_session_fits(const struct nat_pool *, uint32_t subscriber);

/* A port for this mapping (not 0) of a subscriber. `inside`: IPv4 in the first four bytes.
 * `prefer`: the inside's port, in wire order. `now`: seconds of a clock that does not go back. */
enum nat_take nat_pool_take(struct nat_pool *, unsigned worker, const uint8_t inside[16], bool six,
    enum nat_proto, be16_t prefer, uint32_t mapping, uint32_t now, struct nat_outside *);
void nat_pool_give(struct nat_pool *, unsigned worker, const struct nat_outside *, enum nat_proto,
    uint32_t mapping, uint32_t now);
/* The two halves of taking: a port that is nobody else's, and later whose it is. */
enum nat_take nat_pool_pick(struct nat_pool *, unsigned worker, const uint8_t inside[16], bool six,
    enum nat_proto, be16_t prefer, uint32_t now, struct nat_outside *);
void nat_pool_own(struct nat_pool *, const struct nat_outside *, enum nat_proto, uint32_t mapping);
/* Before a take of this subscriber. */
void nat_pool_prefetch_inside(const struct nat_pool *, const uint8_t inside[16], bool six);

/* One more session of a subscriber that has a port: false when it has as many as it may. What was
 * begun is ended before the last port is given. Subscriber 0 has no limit. */
bool nat_pool_session_begin(struct nat_pool *, unsigned worker, uint32_t subscriber);
void nat_pool_session_end(struct nat_pool *, uint32_t subscriber);

/* A port that configuration gives to a mapping (static, forwards), which nobody else gets, inside
 * the range of ports or not. -EEXIST: somebody has it; -ENOENT: not one of the addresses. */
int nat_pool_reserve(struct nat_pool *, be32_t address, enum nat_proto, be16_t port,
    uint32_t mapping);
/* The same by any thread: -EAGAIN, it is being taken just now. */
int nat_pool_try_reserve(struct nat_pool *, be32_t address, enum nat_proto, be16_t port,
    uint32_t mapping);
/* By any thread. */
void nat_pool_unreserve(struct nat_pool *, be32_t address, enum nat_proto, be16_t port);
/* No more ports of this address for subscribers: a static one has it whole. */
int nat_pool_withhold(struct nat_pool *, be32_t address, bool withheld);

/* Some port of the address that this subscriber has (of any, where it has none), drawn by lot; returns
 * the mapping that has it, 0: none. For who has found no free one. */
uint32_t nat_pool_guess(struct nat_pool *, unsigned worker, const uint8_t inside[16],
    enum nat_proto, be32_t *address, be16_t *port);

/* The mapping that has it; 0: none. */
uint32_t nat_pool_find(const struct nat_pool *, be32_t address, enum nat_proto, be16_t port);
void nat_pool_prefetch(const struct nat_pool *, be32_t address, enum nat_proto, be16_t port);
/* What giving this port will write. */
void nat_pool_prefetch_give(const struct nat_pool *, be32_t address, enum nat_proto, be16_t port);
bool nat_pool_has(const struct nat_pool *, be32_t address);

/* Control, each second: ends quarantines, and subscribers that are gone, in slices. */
void nat_pool_tick(struct nat_pool *, uint32_t now);

/* -- to look at ------------------------------------------------------------------------------- */

/* X(constant, name, doc): counted, by result first. */
#define NAT_POOL_COUNTS(X) \
	X(TAKEN, "taken", "ports taken for mappings") \
	X(NO_PORT, "no-port", "refused: no port was free") \
	X(NO_BLOCK, "no-block", "refused: no block of ports was free") \
	X(LIMIT, "subscriber-limit", "refused: the subscriber had as many as it may") \
	X(RATE, "subscriber-rate", "refused: the subscriber took too many in a second") \
	X(NO_SUBSCRIBER, "no-subscriber", "refused: no room for another subscriber") \
	X(GIVEN, "given", "ports given back") \
	X(PRESERVED, "preserved", "taken ports that are the inside's own") \
	X(ODD, "parity-lost", "taken ports whose parity is not that of the inside's") \
	X(BLOCKS_GIVEN, "blocks-given", "blocks given to subscribers") \
	X(BLOCKS_RETURNED, "blocks-returned", "blocks that subscribers gave back") \
	X(SESSIONS_LIMIT, "session-limit", \
	    "sessions refused: the subscriber had as many as it may") \
	X(QUARANTINE_SHORT, "quarantine-short", "ports and blocks free at once: too many waited")

/* clang-format off */
enum nat_pool_count {
#define X(id, name, doc) NAT_POOL_##id,
	NAT_POOL_COUNTS(X)
#undef X
	NAT_POOL_COUNT_COUNT,
};
/* clang-format on */

struct nat_pool_state {
	uint32_t addresses;
	uint64_t ports[NAT_PROTOS]; /* that there are for subscribers */
	uint64_t used[NAT_PROTOS];  /* that subscribers have */
	uint64_t quarantined;       /* ports and blocks that wait */
	uint32_t blocks, blocks_used;
	uint32_t subscribers; /* that there are, with those that linger */
	uint64_t counts[NAT_POOL_COUNT_COUNT];
};

void nat_pool_state(const struct nat_pool *, struct nat_pool_state *);
/* Its ports are in blocks, or follow from the address: mappings need not be logged. */
bool nat_pool_tells_blocks(const struct nat_pool *);
/* Who has the block with this port, or the deterministic range, and since when; false: nobody. */
bool nat_pool_block_of(const struct nat_pool *, be32_t address, be16_t port, struct nat_event *);
/* One held block after the other, from *cursor 0 on; false: that was the last. */
bool nat_pool_next_block(const struct nat_pool *, uint32_t *cursor, struct nat_event *);

#endif
