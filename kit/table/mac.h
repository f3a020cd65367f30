/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_MAC_H
#define MR_KIT_TABLE_MAC_H

/*
 * The MAC table of a learning switch: which port a station was last heard on,
 * for (MAC address, FID). A FID (filtering identifier, IEEE 802.1Q) is the 16-bit
 * number that the caller gives to a set of VLANs that learn together; one table
 * serves every bridge of a data plane.
 *
 * Shape: buckets of one cache line, four entries of two 64-bit words each:
 *
 *   key    MAC 48 | FID 16
 *   value  re-use count 18 | seconds 22 | flags 8 | port 16
 *
 * A key lives in one of two buckets, picked by a keyed hash: in the first one
 * unless that is nearly full and the second is emptier. At most half of
 * the entries are in use at the configured capacity, so that nearly every look-up ends
 * in its first line and both lines of a key are almost never full. Where they are,
 * the dynamic entry heard longest ago gives way, or the new station is refused (`refuse_when_full`).
 *
 * The data path works on vectors: mr_mac_prefetch for source and destination
 * keys, then mr_mac_stale (which sources have something new to tell; almost none), mr_mac_learn
 * for each of those, then mr_mac_find for the destinations.
 *
 * Ownership: the table's memory is its own and does not grow.
 * Threads: any number of workers may call the look-ups and mr_mac_learn at any
 * time; control functions (limits, add, delete, age, flush, next) may be called by one thread
 * beside them. Nobody waits for anybody: an entry is claimed by a compare-and-swap of its
 * value word, which carries a count of re-uses, and a reader that sees this count change while it reads
 * the key tries again, so it never sees one station's key with another's port.
 * What a control function does holds for everything learned before its call; to
 * flush for good, first see to it that no worker still learns the old way.
 * Errors: as values; a table that is full or at a limit refuses and says which.
 */

#include <string.h>

#include "kit/base/def.h"
#include "kit/base/error.h"
#include "kit/base/generation.h"

#define MR_MAC_ANY UINT32_MAX         /* in a filter: every port, every FID */
#define MR_MAC_SECONDS_MASK 0x3fffffu /* times are compared modulo 2^22 s, 48 days */

enum mr_mac_flag {
	MR_MAC_LIVE = 1u << 0,   /* set in every entry that is found */
	MR_MAC_BUSY = 1u << 1,   /* internal: a writer owns the entry */
	MR_MAC_STATIC = 1u << 2, /* put there by mr_mac_add: never moved, aged or pushed out */
	/* The caller's to use, with STATIC. */
	MR_MAC_LOCAL = 1u << 3, /* an address of this host */
	MR_MAC_DROP = 1u << 4,  /* frames to this address go nowhere */
};

/* What mr_mac_find says: 0 for a station not known, else flags << 16 | port. */
#define MR_MAC_FOUND_PORT(found) ((uint16_t)(found))
#define MR_MAC_FOUND_FLAGS(found) ((uint8_t)((found) >> 16))

enum mr_mac_learned {
	MR_MAC_SAME,       /* nothing to change */
	MR_MAC_REFRESHED,  /* the time only */
	MR_MAC_LEARNED,    /* new */
	MR_MAC_EVICTED,    /* new, and another station had to give way */
	MR_MAC_MOVED,      /* it was on another port */
	MR_MAC_ELSEWHERE,  /* a static entry, or the caller's wish, keeps it on another port */
	MR_MAC_PORT_LIMIT, /* refused: the port has as many as it may have */
	MR_MAC_FID_LIMIT,  /* refused: the FID has */
	MR_MAC_FULL, /* refused: the table has, or there is no place and nobody may be pushed out */
};

struct mr_mac;

struct mr_mac_config {
	uint32_t capacity; /* stations to have room for; 0: 65,536; at most 2^24 */
	uint32_t limit;    /* stations to learn at most; 0: as many as find room */
	uint32_t ports;    /* port numbers are below this; 0: 1,024; at most 65,536 */
	uint32_t fids;     /* FIDs are below this; 0: 65,536 */
	uint32_t ageing;   /* seconds, the ageing time of every FID until set; 0: never */
	bool refuse_when_full;
	bool portable; /* no vector instructions, for tests */
	uint64_t seed; /* of the hash's key; 0: a random key */
};

struct mr_mac_entry {
	uint8_t mac[6];
	uint16_t fid;
	uint16_t port;
	uint8_t flags; /* enum mr_mac_flag */
	uint32_t seen; /* second, modulo 2^22 */
};

struct mr_mac_filter {
	uint32_t port; /* or MR_MAC_ANY */
	uint32_t fid;  /* or MR_MAC_ANY */
	bool statics;  /* static entries too */
};

MR_API int mr_mac_create(struct mr_mac **out, const struct mr_mac_config *, struct mr_error *);
MR_API void mr_mac_destroy(struct mr_mac *);

mr_inline uint64_t
mr_mac_key(const uint8_t mac[6], uint16_t fid)
{
	uint64_t key = 0;

	memcpy(&key, mac, 6);
	return key << 16 | fid;
}

/* The same, where eight bytes may be read (a frame's two addresses both allow it). */
mr_inline uint64_t
mr_mac_key_of_frame(const uint8_t *mac, uint16_t fid)
{
	uint64_t key;

	memcpy(&key, mac, 8);
	return key << 16 | fid;
}

/* -- the data path: `count` is at most 256 ------------------------------------------ */

/* Hashes the keys, starts loading their first buckets and writes their indices. */
MR_API void mr_mac_prefetch(const struct mr_mac *, const uint64_t *keys, uint32_t *buckets,
    unsigned count);

/* Which of the source keys are unknown, moved, or were last heard in another
 * second than `now`: their positions go to `todo`; returns how many. Key 0 never counts. */
MR_API unsigned mr_mac_stale(const struct mr_mac *, const uint64_t *keys, const uint32_t *buckets,
    const uint16_t *ports, uint32_t now, uint16_t *todo, unsigned count);

/* Where the destination keys are, in the form of MR_MAC_FOUND_PORT. */
MR_API void mr_mac_find(const struct mr_mac *, const uint64_t *keys, const uint32_t *buckets,
    uint32_t *found, unsigned count);

/* Station `key` was heard on `port`. With `stay`, one that is known elsewhere is
 * left there (MR_MAC_ELSEWHERE). Key 0 is refused as MR_MAC_FULL. */
MR_API enum mr_mac_learned mr_mac_learn(struct mr_mac *, uint64_t key, uint16_t port, uint32_t now,
    bool stay);

/* What mr_mac_learn would say now, changing nothing. */
MR_API enum mr_mac_learned mr_mac_would_learn(const struct mr_mac *, uint64_t key, uint16_t port,
    uint32_t now, bool stay);

/* The number of a station's place, at least 1 and below 2^26; 0: it is not known. The place is another's
 * once the generation of its FID has changed (mr_mac_cell). */
MR_API uint32_t mr_mac_place(const struct mr_mac *, uint64_t key);
/* The station at this place was heard where it was. False: there is none any more. */
MR_API bool mr_mac_heard(struct mr_mac *, uint32_t place, uint32_t now);

/* One key, off the fast path. */
MR_API uint32_t mr_mac_get(const struct mr_mac *, uint64_t key);

/* Changes when a station of this FID moves or goes (aged, flushed, pushed out,
 * deleted), or a static entry comes; not when one is learned or refreshed. */
MR_API uint32_t mr_mac_generation(const struct mr_mac *, uint16_t fid);
/* Where it stands; never null. */
MR_API const struct mr_generation *mr_mac_cell(const struct mr_mac *, uint16_t fid);

/* -- control -------------------------------------------------------------------------- */

/* Puts a static entry, or turns a dynamic one into it; pushes out a dynamic one where
 * there is no room and ignores limits (it counts towards them). flags: LOCAL, DROP
 * or 0. -ENOSPC when both buckets hold static entries only. */
MR_API int mr_mac_add(struct mr_mac *, uint64_t key, uint16_t port, uint8_t flags, uint32_t now);
/* -ENOENT when there is none. */
MR_API int mr_mac_delete(struct mr_mac *, uint64_t key);

/* 0: no limit. What is there already stays. */
MR_API void mr_mac_limit_port(struct mr_mac *, uint16_t port, uint32_t limit);
MR_API void mr_mac_limit_fid(struct mr_mac *, uint16_t fid, uint32_t limit);
/* Seconds; 0: never. */
MR_API void mr_mac_set_ageing(struct mr_mac *, uint16_t fid, uint32_t ageing);

MR_API uint32_t mr_mac_count(const struct mr_mac *);
MR_API uint32_t mr_mac_count_port(const struct mr_mac *, uint16_t port);
MR_API uint32_t mr_mac_count_fid(const struct mr_mac *, uint16_t fid);
/* Stations of this FID that aged out so far. */
MR_API uint64_t mr_mac_aged_fid(const struct mr_mac *, uint16_t fid);

/* The sweeps go in steps, so that the control thread stays responsive: `count`
 * buckets from `from` on, of mr_mac_buckets(). Both return how many entries went. */
MR_API uint32_t mr_mac_buckets(const struct mr_mac *);
MR_API uint32_t mr_mac_age(struct mr_mac *, uint32_t now, uint32_t from, uint32_t count);
MR_API uint32_t mr_mac_flush(struct mr_mac *, const struct mr_mac_filter *, uint32_t from,
    uint32_t count);

/* Walks the table: *cursor starts at 0; false at the end. An entry that is there
 * during the whole walk is seen exactly once. */
MR_API bool mr_mac_next(const struct mr_mac *, uint32_t *cursor, struct mr_mac_entry *out);

#endif
