/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_LEDGER_INT_H
#define MR_KIT_FLOW_LEDGER_INT_H

/*
 * The worker's side of the ledger (kit/flow/ledger.h).
 *
 * An entry is a flow of a table of its own (key, packets, octets), and a `side` for the rest. What
 * is written when a flow of the lane is linked or let go belongs together: `seq` is odd
 * meanwhile, and while the entry is dead, so that a reader sees one state or the other.
 */

#include "kit/base/ring_spsc.h"
#include "kit/flow/ledger.h"
#include "kit/record/record.h"

/* Frames that may have padding: the shortest that Ethernet knows, with and without a tag. */
#define LEDGER_PADDED_TAGGED 64u
#define LEDGER_PADDED 60u
/* Cycles to units of `last`: a third of a millisecond at 3 GHz. */
#define LEDGER_LAST_SHIFT 20

struct ledger_side {
	_Atomic uint64_t first; /* mr_cycles() */
	_Atomic uint32_t last;  /* behind it, in units of 1 << LEDGER_LAST_SHIFT */
	_Atomic uint32_t birth;
	_Atomic uint32_t seq;
	_Atomic uint32_t flow; /* of the lane, that is linked; 0: none */
	_Atomic uint16_t base; /* bytes of its one packet that walked; 0: none did */
	_Atomic uint16_t out;
	_Atomic uint8_t tos, tcp, fate, translated;
};
static_assert(sizeof(struct ledger_side) == 32, "two sides in a line");

/* Of translated flows only; written once, before `translated` is. */
struct ledger_address {
	uint8_t src[16], dst[16];
	be16_t sport, dport;
};

struct ledger_count {
	_Atomic uint64_t ignored_packets, ignored_octets, other_packets, other_bytes;
};

struct lane_ledger {
	struct mr_flow_table *table;
	struct mr_flow *lines;
	struct ledger_side *sides;
	struct ledger_address *addresses;
	uint32_t *entries; /* [flow of the lane]: its entry, 0: none */
	struct mr_spsc *releases;
	uint32_t max, lane_max;
	uint32_t births;
	unsigned count; /* packets noted */
	struct mr_flow_batch batch;
	uint32_t octets[MR_VECTOR_MAX];
	uint8_t tos[MR_VECTOR_MAX];
	struct ledger_count ports[MR_PORT_MAX];
};

/* A release as one word: the index, and the low bits of which entry of this index it is, and of the
 * packets that were read of it. It may be said twice, and come late. */
mr_inline uint64_t
ledger_release(uint32_t index, uint32_t birth, uint64_t packets)
{
	return (uint64_t)index | (uint64_t)(birth & 0x3ffff) << 28 | (packets & 0x3ffff) << 46;
}
#define LEDGER_RELEASE_INDEX(word) ((uint32_t)((word)&0xfffffff))

struct lane_worker;
struct mr_lane_port;

int lane_ledger_create(struct lane_ledger **out, uint32_t flows, uint32_t lane_flows,
    struct mr_error *);
void lane_ledger_destroy(struct lane_ledger *);

/* A packet that walks, by its key; what was noted is written by lane_ledger_write. */
void lane_ledger_note(struct lane_ledger *, const struct mr_flow_key *, const uint8_t *ip,
    uint8_t tcp);
/* One that has no key of the lane's. */
void lane_ledger_note_rest(struct lane_worker *, const struct mr_lane_port *,
    const struct mr_packet *);
void lane_ledger_write(struct lane_worker *, struct mr_node_run *);

/* A flow of the lane is there; `base`: bytes that it counts of a packet that walked. */
void lane_ledger_link(struct lane_worker *, uint32_t flow, const struct mr_program *,
    const struct mr_recording *, uint32_t base);
/* It goes. */
void lane_ledger_unlink(struct lane_worker *, uint32_t flow);
/* Entries that the reader has done with. */
void lane_ledger_tick(struct lane_worker *, unsigned budget);

#endif
