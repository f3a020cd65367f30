/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_SEQ_INT_H
#define MR_NF_NAT_SEQ_INT_H

/*
 * TCP's sequence numbers of sessions whose payload changed its length. For each direction: how
 * much longer the stream is behind a place in it, and in front of that place (it is asked about again
 * when a segment is sent again). Numbers of one direction and acknowledgements of the other go
 * up by that, those of SACK too.
 *
 * Ownership: a table of them, lent to sessions while these change something.
 * Threads: any; one of a session is used under the session's lock.
 */

#include "kit/base/error.h"
#include "kit/packet/packet.h"

struct nat_seq_way {
	uint32_t place; /* as its sender counts */
	int32_t before, after;
};

struct nat_seq {
	struct nat_seq_way way[2]; /* out, in */
};

/* By how much a number that its sender counts so is off. */
mr_inline int32_t
nat_seq_offset(const struct nat_seq_way *w, uint32_t seq)
{
	return (int32_t)(seq - w->place) > 0 ? w->after : w->before;
}

/* The same of one that the other end counts. */
mr_inline int32_t
nat_seq_offset_back(const struct nat_seq_way *w, uint32_t ack)
{
	return (int32_t)(ack - (uint32_t)w->before - w->place) > 0 ? w->after : w->before;
}

/* The segment that begins here became so much longer. Said again of one that is sent again. */
void nat_seq_grow(struct nat_seq_way *, uint32_t seq, int32_t growth);
/* Writes a segment's numbers; `way` is its direction. Its checksum follows. */
void nat_seq_write(const struct nat_seq *, unsigned way, struct mr_packet *, unsigned l4,
    unsigned payload);

#endif
