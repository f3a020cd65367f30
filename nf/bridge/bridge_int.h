/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_BRIDGE_BRIDGE_INT_H
#define MR_NF_BRIDGE_BRIDGE_INT_H

/*
 * What a bridge's node reads: an immutable view of its configuration. A port of the
 * bridge has a slot, its place in the view; one more slot stands for every port that is
 * not in the bridge, may reach nobody and learns nothing.
 *
 * Who may send to whom is two rows of bits, one bit a slot: reach[slot in] (all but itself and
 * its split-horizon groups) and members[VLAN]. Their conjunction is the flood.
 *
 * Threads: made by the control thread, read by workers; only token buckets are
 * written by workers, atomically.
 */

#include "nf/bridge/bridge.h"
#include "kit/port/port.h"

/* A rate limit (GCRA): a packet passes while `due`, in cycles, is not more than `burst` ahead. */
struct bridge_bucket {
	_Atomic uint64_t due;
	uint64_t interval; /* cycles per packet; 0: no limit */
	uint64_t burst;    /* cycles */
};

struct bridge_slot {
	uint64_t learn;    /* all ones, or 0: sources are not learned */
	uint32_t tag;      /* ethertype of tags, as read from memory; above 16 bits: none is ours */
	be16_t tpid;       /* written in front of a tag that leaves here */
	uint16_t untagged; /* the VLAN of frames without tag, in and out; 0: none */
	uint16_t port;
	bool drop_over_limit;
	struct bridge_bucket *storm; /* [MR_BRIDGE_STORMS], or null */
};

struct bridge_view {
	struct mr_mac *table;
	struct bridge_slot *slots; /* [count + 1] */
	uint64_t *reach;           /* [count + 1][words] */
	uint64_t *members;         /* [VLANs, or 1][words] */
	uint16_t count;
	uint16_t words;
	uint16_t reserved;
	bool vlans;
	uint32_t mac_limit;
	struct mr_generation generation; /* counts the configurations of this bridge */
	struct bridge_bucket moves;
	uint16_t slot_of[MR_PORT_MAX];

	/* For the control thread. */
	struct mr_bridge_port *ports; /* [count] */
	struct mr_bridge_static *statics;
	uint64_t *static_keys; /* [static_count], ascending */
	unsigned static_count;
	uint32_t ageing;
	bool own_table; /* this view brought a table of its own */
};

struct mr_bridge {
	_Atomic(struct bridge_view *) view; /* control publishes, workers read */
	struct bridge_view *next, *old;     /* between prepare and finish */
	uint32_t sweep;                     /* the bucket where ageing goes on */
};

int bridge_view_create(struct bridge_view **out, const struct mr_bridge_config *,
    struct bridge_view *old, struct mr_error *);
/* Without the table. */
void bridge_view_free(struct bridge_view *);

/* Of two MAC table keys, for qsort and bsearch. */
int bridge_compare_keys(const void *a, const void *b);

mr_inline bool
bridge_bit(const uint64_t *rows, unsigned words, unsigned row, unsigned slot)
{
	return rows[(size_t)row * words + slot / 64] >> (slot % 64) & 1;
}

#endif
