/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_MASK_H
#define MR_KIT_FLOW_MASK_H

/*
 * Masked entries: where a walk read but some fields of the key, one entry holds for all flows that
 * agree in them. A packet that has no entry of its own is looked up once for each set of fields (a
 * mask) that has entries, the masks with the most hits first. There are 16 masks at most, so that
 * who varies what packets say costs 16 look-ups at worst; what would need another mask is refused and
 * counted.
 *
 * The entries stand in one flow table (kit/flow/table.h) and age there: `flow` here is an index of
 * mr_flow_masks_table. The key in an entry's line has the fields outside of the mask zero, and the
 * mask's number in `pair`, bits 24 and up (MR_FLOW_MASK_PAIR): keys of two masks never meet.
 *
 * Whoever removes entries does it by mr_flow_masks_remove and mr_flow_masks_age, which count. A mask
 * without entries makes room for another one.
 *
 * Threads: as the table. Errors: enum mr_flow_masks_refusal.
 */

#include "kit/flow/table.h"

#define MR_FLOW_MASKS_MAX 16u
#define MR_FLOW_MASK_PAIR 24

enum mr_flow_masks_refusal {
	MR_FLOW_MASKS_OK,
	MR_FLOW_MASKS_MANY, /* entries of 16 other masks are there */
	MR_FLOW_MASKS_FULL, /* the table has no room for another entry */
};

struct mr_flow_masks;

struct mr_flow_masks_stats {
	uint64_t hits, misses;               /* packets */
	uint64_t refused_many, refused_full; /* entries */
	unsigned count;                      /* of what follows: in the order of looking */
	struct {
		unsigned fields;
		uint32_t entries;
		uint64_t hits;
	} mask[MR_FLOW_MASKS_MAX];
};

/* The configuration is that of the table. */
MR_API int mr_flow_masks_create(struct mr_flow_masks **out, const struct mr_flow_table_config *,
    struct mr_error *);
MR_API void mr_flow_masks_destroy(struct mr_flow_masks *);
MR_API struct mr_flow_table *mr_flow_masks_table(struct mr_flow_masks *);

/* Looks up batch->key[todo[0..count)], which have found nothing yet. Those that find an entry get
 * its index into `flow`, at the same place as in batch->key, and leave `todo`, which stays in
 * order. Returns how many are left. */
MR_API unsigned mr_flow_masks_find(struct mr_flow_masks *, const struct mr_flow_batch *,
    uint16_t *todo, unsigned count, uint32_t *flow);

/* The entry for all keys that agree with this one in `fields` (enum mr_flow_field; MR_FLOW_PORT always
 * among them): the one that is there, or a new one. MR_FLOW_NONE: refused, and why. */
MR_API uint32_t mr_flow_masks_add(struct mr_flow_masks *, unsigned fields,
    const struct mr_flow_key *, uint32_t seconds, enum mr_flow_masks_refusal *why);
MR_API void mr_flow_masks_remove(struct mr_flow_masks *, uint32_t flow);
/* mr_flow_table_age; `expired` removes others by mr_flow_masks_remove. */
MR_API unsigned mr_flow_masks_age(struct mr_flow_masks *, uint32_t seconds, unsigned budget,
    mr_flow_idle_fn *, mr_flow_expired_fn *, void *user);

/* The fields of an entry, and its key without the mask's number. */
MR_API unsigned mr_flow_masks_fields(const struct mr_flow_masks *, const struct mr_flow *,
    struct mr_flow_key *key);

MR_API void mr_flow_masks_stats(const struct mr_flow_masks *, struct mr_flow_masks_stats *);

#endif
