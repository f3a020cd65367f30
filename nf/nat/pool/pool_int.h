/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_POOL_POOL_INT_H
#define MR_NF_NAT_POOL_POOL_INT_H

/*
 * What the files of the pool share.
 *
 *   address      which range it is of, its lock, and for each protocol a side
 *   side         for each port the mapping that has it; which ports are free; which are reserved
 *   subscriber   64 bytes: word, key, address, counts; found through slots (kit/table/slots.h)
 *   block        who has it; a bit for each that is free
 *
 * A port that is not free is taken, reserved, in quarantine, of a block that nobody has, or outside
 * the range of ports. An address's ports are freed when it is first used (without blocks), a
 * block's when a subscriber gets it. Returning a block takes all its free bits: when these
 * are all that it has, nobody has a port of it and nobody gets one any more.
 *
 * An address's lock is held to open and close, reserve and release; never to take and give.
 * A subscriber's word counts its ports and has an age: it is raised by compare-and-swap from what
 * was seen when the key was compared, which fails when the entry has become another's. Its lock
 * is held to change its list of blocks. Order: subscriber, then address.
 */

#include "kit/base/counter.h"
#include "kit/base/hash.h"
#include "kit/base/pool.h"
#include "kit/base/ring_mpmc.h"
#include "kit/table/slots.h"
#include "nf/nat/pool/bits_int.h"
#include "nf/nat/pool/pool.h"

#define NAT_PORTS 65536u
#define NAT_PORT_WORDS (NAT_PORTS / 64)

struct nat_side {
	MR_CACHE_ALIGNED _Atomic uint32_t owner[NAT_PORTS];
	_Atomic uint64_t free[NAT_PORT_WORDS];
	_Atomic uint64_t some[NAT_PORT_WORDS / 64];
	_Atomic uint64_t reserved[NAT_PORT_WORDS]; /* under the address's lock */
	MR_CACHE_ALIGNED uint8_t colour[MR_CACHE_LINE];
};

/* Bits. Without blocks, an address is opened when it is first used. */
enum nat_address_state { NAT_OPEN = 1, NAT_WITHHELD = 2 };

/* Instead of a mapping or a subscriber: who had the port or the block has given it, and nobody else
 * gets it yet. */
#define NAT_WAITING UINT32_MAX

struct nat_address {
	MR_CACHE_ALIGNED _Atomic uint32_t state; /* enum nat_address_state */
	_Atomic uint32_t lock;
	_Atomic uint32_t subscribers;
	be32_t address;
};

/* The word: 16 bits of ports for each protocol, LIVE, an age. */
#define NAT_SUB_ONE(proto) (UINT64_C(1) << 16 * (proto))
#define NAT_SUB_COUNT(word, proto) ((uint32_t)((word) >> 16 * (proto)) & 0xffffu)
#define NAT_SUB_COUNTS UINT64_C(0x0000ffffffffffff)
#define NAT_SUB_LIVE (UINT64_C(1) << 48)
#define NAT_SUB_AGE_ONE (UINT64_C(1) << 49)

struct nat_subscriber {
	MR_CACHE_ALIGNED _Atomic uint64_t word;
	_Atomic uint64_t key[2];
	_Atomic uint64_t rate;    /* second << 32 | ports taken in it */
	_Atomic uint32_t six;     /* of the key */
	_Atomic uint32_t address; /* index */
	_Atomic uint32_t sessions;
	_Atomic uint32_t idle;   /* second in which it gave its last port */
	_Atomic uint32_t lock;   /* of its blocks */
	_Atomic uint32_t blocks; /* how many */
};
static_assert(sizeof(struct nat_subscriber) == MR_CACHE_LINE, "a subscriber is one line");

struct nat_key {
	uint64_t w[3];
};

/* A worker's own. */
struct nat_draw {
	MR_CACHE_ALIGNED _Atomic uint64_t bits, count; /* it writes, explanations read */
	_Atomic uint32_t left;
};

struct nat_ranged {
	uint32_t first, count, index; /* index of its first address */
};

struct nat_pool {
	struct nat_side (*sides)[NAT_PROTOS];
	struct nat_address *addresses;
	struct nat_ranged *ranges;
	uint32_t range_count, address_count;
	uint16_t port_first, port_last;
	struct nat_pool_config config;

	struct mr_slots slots;
	struct nat_subscriber *subscribers;
	struct mr_pool *entries; /* numbers of subscribers */
	struct mr_hash_key key;
	struct mr_counters *counters;
	struct nat_draw *draws; /* a worker's each, and the control thread's */
	_Atomic uint32_t subscriber_count, top;
	_Atomic uint32_t swept; /* where who needs an entry goes on looking */

	/* Blocks, address by address. */
	uint32_t blocks_of;        /* an address */
	uint32_t block_count;      /* of all */
	struct nat_bits blocks;    /* free ones */
	_Atomic uint32_t *holders; /* subscriber that has it, 0: none, or NAT_WAITING */
	_Atomic uint32_t *given;   /* the second when it was */
	_Atomic uint32_t *lists;   /* subscriber's: [blocks_max], address << 16 | first port */
	_Atomic uint32_t blocks_used;
	uint32_t share;       /* deterministic: subscribers of an address */
	uint32_t share_ports; /* ports of each */

	struct mr_mpmc *quarantine;
	_Atomic uint32_t draining; /* whoever has it drains */
	uint64_t held;             /* taken out of the ring too early; 0: none */
	_Atomic uint32_t quarantined;
};

mr_inline unsigned
nat_pool_row(const struct nat_pool *p, unsigned worker)
{
	return MR_MIN(worker, p->config.workers);
}

mr_inline void
nat_pool_add(const struct nat_pool *p, unsigned worker, enum nat_pool_count what)
{
	mr_counter_add(mr_counters_row(p->counters, nat_pool_row(p, worker)) + what, 1);
}

/* The index of an address; UINT32_MAX: it is none of the pool's. */
mr_inline uint32_t
nat_pool_index(const struct nat_pool *p, be32_t address)
{
	uint32_t a = mr_be32(address), low = 0, high = p->range_count;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (p->ranges[middle].first <= a)
			low = middle;
		else
			high = middle;
	}
	a -= p->ranges[low].first;
	return a < p->ranges[low].count ? p->ranges[low].index + a : UINT32_MAX;
}

mr_inline struct nat_bits
nat_side_bits(struct nat_side *s)
{
	return (struct nat_bits){ s->free, s->some };
}

mr_inline void
nat_lock(_Atomic uint32_t *lock)
{
	/* Acquire pairs with the release of unlock. */
	while (atomic_exchange_explicit(lock, 1, memory_order_acquire))
		mr_relax();
}

mr_inline void
nat_unlock(_Atomic uint32_t *lock)
{
	atomic_store_explicit(lock, 0, memory_order_release);
}

/* In whole words: one that is read larger than it was written waits for all stores before it. */
mr_inline void
nat_key_set(struct nat_key *k, const uint8_t inside[16], bool six)
{
	uint32_t four;

	if (six) {
		memcpy(k->w, inside, 16);
	} else {
		memcpy(&four, inside, sizeof(four));
		k->w[0] = four;
		k->w[1] = 0;
	}
	k->w[2] = six;
}

mr_inline uint64_t
nat_key_hash(const struct nat_pool *p, const struct nat_key *k)
{
	return mr_hash_words(&p->key, k->w, 3);
}

/* Sixteen bits that nobody outside can guess. */
uint32_t nat_draw(struct nat_pool *, unsigned worker);
/* A number below `count`, of at most 2^32. */
uint32_t nat_draw_below(struct nat_pool *, unsigned worker, uint32_t count);
/* The same from somebody's draws, those of this row. */
uint32_t nat_draw_from(const struct nat_pool *, struct nat_draw *, unsigned row, uint32_t count);
void nat_draw_copy(struct nat_draw *to, const struct nat_draw *from);

/* -- ports.c: an address's ports -------------------------------------------------------------- */

/* Frees all that are not reserved, from `first` to `last`; the address's lock is held. */
void nat_ports_open(struct nat_pool *, uint32_t address, uint32_t first, uint32_t last);
/* Takes them all; false: somebody has one, and nothing changed. The lock is held. */
bool nat_ports_close(struct nat_pool *, uint32_t address, uint32_t first, uint32_t last);
/* Opens an address that is used for the first time. False: it is withheld. */
bool nat_address_use(struct nat_pool *, uint32_t address);
/* A port from `first` to `last`, as preferred where that can be; 0: none is free. */
uint32_t nat_ports_take(struct nat_pool *, unsigned worker, uint32_t address, enum nat_proto,
    uint32_t first, uint32_t last, uint16_t prefer);

/* -- quarantine.c ----------------------------------------------------------------------------- */

int nat_quarantine_create(struct nat_pool *, struct mr_error *);
/* A port, or a block (`proto` NAT_PROTOS, `port` its number at the address), that nobody has now:
 * free at once, or later. */
void nat_quarantine_put(struct nat_pool *, unsigned worker, uint32_t address, unsigned proto,
    uint32_t port, uint32_t now);
/* Frees those whose time is over, up to `most`; how many. Somebody else may be at it: then none. */
uint32_t nat_quarantine_drain(struct nat_pool *, uint32_t now, uint32_t most);

/* -- subscriber.c ----------------------------------------------------------------------------- */

int nat_subscribers_create(struct nat_pool *, struct mr_error *);
void nat_subscribers_destroy(struct nat_pool *);
/* Finds or makes it, and counts one port more. */
uint32_t nat_subscriber_address(struct nat_pool *, const struct nat_key *);
enum nat_take nat_subscriber_raise(struct nat_pool *, unsigned worker, const struct nat_key *,
    enum nat_proto, uint32_t now, uint32_t *number, bool *first);
/* Pairs it with another address. */
void nat_subscriber_move(struct nat_pool *, uint32_t number, uint32_t address);
bool nat_subscriber_has(const struct nat_subscriber *, const struct nat_key *);
/* How many ports it may have. */
uint32_t nat_subscriber_limit(const struct nat_pool *, enum nat_proto);
void nat_subscriber_lower(struct nat_pool *, uint32_t number, enum nat_proto, uint32_t now);
/* Ends those that have been without ports for `linger` seconds among the next `count`. */
uint32_t nat_subscribers_sweep(struct nat_pool *, unsigned worker, uint32_t now, uint32_t linger,
    uint32_t count);

/* -- block.c ---------------------------------------------------------------------------------- */

int nat_blocks_create(struct nat_pool *, struct mr_error *);
void nat_blocks_destroy(struct nat_pool *);
/* A port of the subscriber's blocks, with another block where that is needed. */
enum nat_take nat_blocks_take(struct nat_pool *, unsigned worker, uint32_t number, enum nat_proto,
    uint16_t prefer, uint32_t now, uint32_t *address, uint32_t *port);
/* Who, where and since when; a subscriber's that stays, or under its address's lock. */
void nat_block_event(const struct nat_pool *, uint32_t number, uint32_t block, struct nat_event *);
/* Returns those in which nobody has a port, but for the first `keep`; how many it has then. The
 * subscriber's lock is held. */
uint32_t nat_blocks_return(struct nat_pool *, unsigned worker, uint32_t number, uint32_t keep,
    uint32_t now);
/* Of the deterministic range: where its ports are. False: not of that range. */
bool nat_share_of(const struct nat_pool *, uint32_t inside, uint32_t *address, uint32_t *first,
    uint32_t *last);

#endif
