/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_PROGRAM_INL_H
#define MR_KIT_FLOW_PROGRAM_INL_H

/*
 * The replay of plain programs (MR_PROGRAM_SIMPLE), for the loop of the flow lane: one comparison
 * of length, a TTL, and a header of up to 24 bytes written from the right, so that its length needs
 * no branch: what lies in front of it in the program goes into the headroom.
 *
 * Threads: as kit/flow/program.h.
 */

#include <string.h>

#include "kit/flow/program.h"

/* The general cases (program.c). */
MR_API bool mr_program_fits_more(const struct mr_program *, const struct mr_packet *);
MR_API bool mr_program_edit_more(const struct mr_program *, struct mr_packet *);

/* mr_program_fits. */
mr_inline bool
mr_program_fits_inl(const struct mr_program *g, const struct mr_packet *p)
{
	if (mr_unlikely(p->total > g->max_length))
		return false;
	return mr_likely(g->flags & MR_PROGRAM_SIMPLE) || mr_program_fits_more(g, p);
}

/* As mr_edit_ttl4 and mr_edit_ttl6, of the IP header at `ip`. */
mr_inline void
mr_program_age(uint8_t *ip, bool six)
{
	uint16_t sum;
	uint32_t up;

	if (six) {
		ip[7]--;
		return;
	}
	ip[8]--;
	memcpy(&sum, ip + 10, sizeof(sum));
	up = sum + 1u;
	sum = (uint16_t)(up + (up >= 0xffffu));
	memcpy(ip + 10, &sum, sizeof(sum));
}

/* The header in front of a packet that now begins at `bytes`, and what precedes it in the program into
 * the headroom: in all 24 bytes. */
mr_inline void
mr_program_write(const struct mr_program *g, uint8_t *bytes)
{
	bytes += g->write_len;
	memcpy(bytes - 24, g->write, 16);
	memcpy(bytes - 8, g->write + 16, 8);
}

/* mr_program_edit without a recording. */
mr_inline bool
mr_program_edit_inl(const struct mr_program *g, struct mr_packet *p)
{
	uint8_t *bytes = mr_packet_bytes(p);

	if (mr_unlikely(!(g->flags & MR_PROGRAM_SIMPLE) || mr_packet_headroom(p) < g->headroom))
		return mr_program_edit_more(g, p);
	if (mr_likely(g->ttl))
		mr_program_age(bytes + g->ttl, g->flags & MR_PROGRAM_TTL6);
	p->data = (uint16_t)(p->data - g->grow);
	p->len = (uint16_t)(p->len + g->grow);
	p->total += (uint32_t)(int32_t)g->grow;
	mr_program_write(g, bytes - g->grow);
	return true;
}

#endif
