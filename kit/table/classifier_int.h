/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_CLASSIFIER_INT_H
#define MR_KIT_TABLE_CLASSIFIER_INT_H

/*
 * How the classifier is laid out (kit/table/classifier.h says what it is).
 *
 *   view ── family ── filter: words by address, port, protocol  →  a word of tables
 *                └─── table[64]: masks, page pointers ── page: 64 buckets
 *                                                          └── line: a rule, more ── block: lines
 *
 * A page is found by linear hashing: bits of the hash above the bucket's six, cut to the number
 * of pages by the larger of two masks unless that leads past the last page. So a table grows by
 * one page at a time and an add never waits for a table to be copied.
 *
 * What a view points to never changes, but for the filters: these only gain bits, and a bit too
 * many costs a probe and nothing else. The writer's pages and blocks carry the epoch (number of
 * publishes) they were made in; those of the current epoch are its own, all others are copied
 * before they are changed and then retired.
 */

#include <string.h>

#include "kit/base/hash.h"
#include "kit/table/classifier.h"

#define CLASS_TABLES MR_CLASS_TABLES
#define CLASS_PAGE_LINES 64u
/* Rules per page beyond which a table grows; half of the buckets. */
#define CLASS_PAGE_RULES 24u
/* Blocks of up to 1, 2, 4 ... lines come from chunks like pages do, larger ones from the heap. */
#define CLASS_BLOCK_SIZES 6u
#define CLASS_PORTS 1024u
/* Words of a group of the fine filter: one for the longer prefix, the others for addresses. */
#define CLASS_GROUP 8u

/* Words that rules are compared in: addresses, then extra and protocol. */
#define CLASS_WORDS4 2u
#define CLASS_WORDS6 5u
#define CLASS_STRIDE4 64u
#define CLASS_STRIDE6 128u

/* One rule; the first of its bucket, or in a block. Nothing equals an empty one: mask 0, value
 * ~0. */
struct class_line {
	uint64_t rank; /* priority << 32 | id; UINT64_MAX when empty */
	uint32_t value;
	/* Of a bucket's first rule: the others, all of higher rank, and their tags. */
	uint16_t more_count, more_tags;
	const struct class_line *more;
	uint16_t sport, sport_span, dport, dport_span; /* lowest, highest - lowest */
	uint64_t words[];                              /* values, then masks */
};
static_assert(offsetof(struct class_line, words) + 2 * 8 * CLASS_WORDS4 == CLASS_STRIDE4,
    "an IPv4 rule is a line");
static_assert(offsetof(struct class_line, words) + 2 * 8 * CLASS_WORDS6 <= CLASS_STRIDE6,
    "an IPv6 rule is two");

/* A block stands in front of its lines. */
struct class_block {
	MR_CACHE_ALIGNED uint32_t born;
	uint32_t room;
};

/* How many leading bits of each field are hashed. */
struct class_tuple {
	uint8_t src, dst, sport, dport;
	uint8_t proto; /* 0 or 8 */
	uint32_t extra_mask;
};

/* What a key is hashed and compared as. */
struct class_words {
	uint64_t address[4]; /* IPv4: both in the first */
	uint64_t ports;      /* source, destination, protocol from the low bits up */
	uint64_t extra;      /* extra, protocol */
};

/* A table as look-ups see it; IPv4 needs the first line only. */
struct class_probe {
	MR_CACHE_ALIGNED uint64_t mask_address0;
	uint64_t mask_ports;
	const uint8_t *const *pages;
	uint32_t page_count;
	uint32_t page_mask; /* 2^n - 1, at least page_count - 1 */
	uint32_t mask_extra;
	uint64_t mask_address[3];
};

/* Words of tables. Of addresses, source and destination: `coarse` by 16 bits of IPv4 or 32 of IPv6,
 * and groups in `fine` by 24 or 64, of which the first word is for just these. */
struct class_filter {
	_Atomic uint64_t sport[CLASS_PORTS], dport[CLASS_PORTS], proto[256];
	_Atomic uint64_t *coarse[2], *fine[2];
	uint64_t key[3];
	uint32_t coarse_mask; /* in words */
	uint32_t fine_mask;   /* also in words, so a multiple of a group's but for all ones */
	uint32_t capacity;    /* rules that it was made for */
	size_t bytes;
};

/* The tables that do not ask for the thing in question. */
struct class_any {
	uint64_t coarse[2], middle[2], fine[2], sport, dport, proto;
};

struct class_family_view {
	const struct class_filter *filter; /* null: no rules */
	bool fine;                         /* the fine filter spares more than it costs */
	struct class_any any;
	uint64_t live;                /* tables with rules */
	uint64_t bound[CLASS_TABLES]; /* no rule in this table or a later one has a lower rank */
	struct class_probe table[CLASS_TABLES];
};

struct mr_class_view {
	struct mr_hash_key key;
	uint64_t generation;
	struct class_family_view family[2];
};

/* A table as the writer sees it. */
struct class_table {
	struct class_tuple tuple;
	bool used;
	bool changed; /* its pages, since the last publish */
	uint32_t rules;
	uint32_t pages, room;
	uint8_t **page;
	uint32_t *born;
	uint64_t rank;
	uint8_t **published; /* the view's copy of `page` */
};

struct class_family {
	unsigned number; /* 0: IPv4, 1: IPv6 */
	unsigned words, stride;
	struct class_table table[CLASS_TABLES];
	struct class_filter *filter;
	/* Its successor, when it has gone stale or got too small, and how far that is filled. */
	struct class_filter *next;
	uint32_t next_at;
	uint32_t rules, removed; /* removed: since the filter was made */
	uint32_t sampled;        /* rules when `fine` was last decided, 0: not yet */
	bool fine;
};

struct class_slot {
	struct mr_class_rule rule; /* family 0: free */
	uint32_t next_free;
	uint8_t table;
};

/* Everything that replace_all exchanges. */
struct class_core {
	struct class_family family[2];
	struct class_slot *slots;
	uint32_t slot_count, slot_room, free_slot, rules;
};

enum class_kind {
	CLASS_HEAP,
	CLASS_PAGE4,
	CLASS_PAGE6,
	CLASS_BLOCK4,
	CLASS_BLOCK6,
	CLASS_FILTER,
};

struct class_retired_item {
	void *memory;
	enum class_kind kind;
};

struct mr_class_retired {
	struct mr_class *owner;
	uint32_t count, room;
	struct class_retired_item items[];
};

struct class_chunk {
	struct class_chunk *next;
	size_t size;
};

struct class_pages {
	struct class_chunk *chunks;
	uint8_t *at, *end;
	void *free[2];
	void *free_blocks[2][CLASS_BLOCK_SIZES];
	size_t bytes; /* chunks and large blocks */
	size_t chunk; /* the next one's size */
};

struct mr_class {
	_Atomic(struct mr_class_view *) view;
	struct mr_hash_key key;
	struct class_core *core;
	struct class_pages pages;
	struct mr_class_retired *retired; /* of this epoch so far; always has room as reserved */
	uint32_t epoch;                   /* publishes so far */
	uint32_t list_max, rules_hint;
	bool changed;
};

/* -- hashing ---------------------------------------------------------------------------- */

mr_inline uint64_t
class_load64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, 8);
	return x;
}

mr_inline uint32_t
class_load32(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, 4);
	return x;
}

mr_inline void
class_words_of(struct class_words *w, bool six, const uint8_t *src, const uint8_t *dst,
    uint16_t sport, uint16_t dport, uint8_t proto, uint32_t extra)
{
	if (six) {
		w->address[0] = class_load64(src);
		w->address[1] = class_load64(src + 8);
		w->address[2] = class_load64(dst);
		w->address[3] = class_load64(dst + 8);
	} else {
		w->address[0] = class_load32(src) | (uint64_t)class_load32(dst) << 32;
	}
	w->ports = sport | (uint32_t)dport << 16 | (uint64_t)proto << 32;
	w->extra = extra | (uint64_t)proto << 32;
}

/* Extra shares a word with the ports and the protocol; where they meet, keys only share a
 * bucket more often. */
mr_inline uint64_t
class_hash(const struct mr_hash_key *key, const struct class_probe *t, const struct class_words *w,
    bool six)
{
	uint64_t ports = (w->ports & t->mask_ports) ^ (w->extra & t->mask_extra) << 32;
	uint64_t words[5] = { w->address[0] & t->mask_address0, ports };

	if (!six)
		return mr_hash_u128(key, words[0], words[1]);
	words[2] = w->address[1] & t->mask_address[0];
	words[3] = w->address[2] & t->mask_address[1];
	words[4] = w->address[3] & t->mask_address[2];
	return mr_hash_words(key, words, 5);
}

mr_inline uint32_t
class_page_of(uint64_t hash, uint32_t page_count, uint32_t page_mask)
{
	uint32_t page = (uint32_t)(hash >> 6) & page_mask;

	return page < page_count ? page : page & page_mask >> 1;
}

mr_inline uint32_t
class_bucket_of(uint64_t hash)
{
	return (uint32_t)hash % CLASS_PAGE_LINES;
}

/* Four bits of the hash that tell rules in one bucket apart. */
mr_inline uint32_t
class_tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 60);
}

/* -- filters ------------------------------------------------------------------------------- */

/* Where an address looks into the filters. */
struct class_spot {
	uint32_t coarse, middle, fine;
};

/* Multiplication by a secret odd number, of which bits above the middle are used. */
mr_inline void
class_spot_of(struct class_spot *spot, const struct class_filter *f, const uint8_t *address,
    bool six)
{
	uint64_t x, y, whole;

	if (six) {
		x = class_load32(address);
		y = class_load64(address);
		whole = y ^ class_load64(address + 8) * f->key[1];
	} else {
		whole = class_load32(address);
		x = whole & 0xffff;
		y = whole & 0xffffff;
	}
	spot->coarse = (uint32_t)(x * f->key[0] >> 32) & f->coarse_mask;
	spot->middle = (uint32_t)(y * f->key[1] >> 32) & f->fine_mask;
	spot->fine =
	    spot->middle + 1 + (uint32_t)((whole * f->key[2] >> 32) * (CLASS_GROUP - 1) >> 32);
}

mr_inline uint32_t
class_port_spot(uint16_t port)
{
	return (uint16_t)(port * 40503u) / (65536u / CLASS_PORTS);
}

#define CLASS_LEN_COARSE(six) ((six) ? 32u : 16u)
#define CLASS_LEN_MIDDLE(six) ((six) ? 64u : 24u)
#define CLASS_LEN_FINE(six) ((six) ? 128u : 32u)

int class_filter_create(struct class_filter **out, uint32_t rules, const struct mr_hash_key *);
void class_filter_destroy(struct class_filter *);
/* The rule's bits for table `number`. */
void class_filter_add(struct class_filter *, const struct class_tuple *, unsigned number,
    const struct mr_class_rule *);
void class_filter_any(struct class_any *, const struct class_family *);
/* Moves on with the successor; true when it has just taken over and `*old` is to be retired. */
bool class_filter_step(struct mr_class *, struct class_family *, uint32_t steps,
    struct class_filter **old);

/* -- tables --------------------------------------------------------------------------------- */

/* Everything of a probe but pages and rank. */
void class_probe_fill(struct class_probe *, const struct class_tuple *, bool six);
uint64_t class_rule_hash(const struct mr_hash_key *, const struct class_tuple *,
    const struct mr_class_rule *);

/* `pages`: to begin with. */
int class_table_open(struct mr_class *, struct class_family *, struct class_table *,
    const struct class_tuple *, uint32_t pages);
/* Hands everything to the retired. */
void class_table_close(struct mr_class *, struct class_family *, struct class_table *);
/* Frees what is not a page at once: there are no readers. */
void class_table_free(struct mr_class *, struct class_family *, struct class_table *);
int class_table_add(struct mr_class *, struct class_core *, struct class_family *,
    struct class_table *, uint32_t id);
int class_table_remove(struct mr_class *, struct class_family *, struct class_table *,
    const struct mr_class_rule *, uint32_t id);
/* Rules in the bucket that this one would go to. */
uint32_t class_table_crowd(const struct mr_class *, const struct class_family *,
    const struct class_table *, const struct mr_class_rule *);

/* The error of a call that found no memory. */
int class_no_memory(struct mr_error *);

/* -- the writer's memory -------------------------------------------------------------------- */

size_t class_map_size(size_t size);
void *class_map(size_t size);
void class_unmap(void *, size_t size);
void *class_page_get(struct mr_class *, unsigned six);
void class_page_put(struct mr_class *, unsigned six, void *page);
/* Room for at least so many lines; born now. */
struct class_block *class_block_get(struct mr_class *, unsigned six, uint32_t lines);
void class_block_put(struct mr_class *, unsigned six, struct class_block *);
void class_pages_close(struct class_pages *);
/* Room for so many more; nothing that retires can fail after it. */
int class_retire_reserve(struct mr_class *, uint32_t count);
void class_retire(struct mr_class *, void *memory, enum class_kind);

/* What the fine filter is worth for packets like these rules. */
bool class_filter_fine(const struct class_family_view *, const struct class_core *, unsigned six);

/* -- planning --------------------------------------------------------------------------------- */

/* The tuple that a rule asks for by itself: on the coarse grid, or as long as its fields are. */
void class_tuple_of(struct class_tuple *, const struct mr_class_rule *, bool finest);
bool class_tuple_fits(const struct class_tuple *, const struct class_tuple *rule);
unsigned class_tuple_weight(const struct class_tuple *);
bool class_tuple_equal(const struct class_tuple *, const struct class_tuple *);
/* Chooses at most CLASS_TABLES tuples for these rules of one family; tells how many, or -ENOMEM.
 * `home[i]` becomes the tuple of rules[order[i]]. */
int class_plan(struct class_tuple *tuples, uint8_t *home, const struct mr_class_rule *rules,
    const uint32_t *order, uint32_t count, const struct mr_hash_key *);

/* The natural table for one more rule: its number, or -ENOSPC, -ENOMEM; may open one. */
int class_choose(struct mr_class *, struct class_family *, const struct mr_class_rule *);

#endif
