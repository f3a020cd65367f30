/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_TRACK_INT_H
#define MR_NF_CONNTRACK_TRACK_INT_H

/* What the files of the node `track` share. */

#include "nf/conntrack/conntrack_int.h"

/* One vector's way through the node. */
struct ct_pass {
	const struct ct_side *side;
	struct ct_core *core;
	struct mr_node_run *run;
	struct mr_recorder *rec;
	uint32_t options;
	bool dry;
};

/* Writes the packet's word, counts it, and says it to a recording. */
mr_verdict_t ct_say(const struct ct_pass *, struct mr_packet *, uint32_t index, unsigned state,
    bool reply);

/* pieces.c: a fragment that is not its packet's first. */
mr_verdict_t ct_piece(const struct ct_pass *, uint32_t packet, struct mr_packet *,
    const struct ct_packet *, uint16_t zone);
/* Remembers a first fragment, which was tracked, and lets go of those that waited for it. */
void ct_lead(const struct ct_pass *, struct mr_packet *, const struct ct_packet *, uint16_t zone);
void ct_track_tick(struct mr_node_run *);

/* In an explanation (mr_record_rehearse): what it did to a connection. */
enum ct_rehearsed {
	CT_REHEARSED_NOTHING,
	CT_REHEARSED_ENDED,
	CT_REHEARSED_BEGUN, /* the lowest bit: by the key's second end */
	CT_REHEARSED_BEGUN_SWAPPED,
};

#endif
