/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_PROGRAM_INL_H
#define MR_KIT_FLOW_PROGRAM_INL_H

/*
 * The replay of plain programs (MR_PROGRAM_SIMPLE), for the loop of the flow lane: one comparison
 * of length, a TTL, and a header of up to 24 bytes written from the right, so that its length needs
 * no branch: what lies in front of it in the program goes into the headroom. And of those that
 * also patch the packet with the flow's values (MR_PROGRAM_PATCH), or put headers around it
 * (MR_PROGRAM_WRAP).
 *
 * Threads: as kit/flow/program.h.
 */

#include <string.h>

#include "kit/flow/program.h"
#include "kit/record/edit.h"

/* The general cases (program.c). */
MR_API bool mr_program_fits_more(const struct mr_program *, const struct mr_packet *);
MR_API bool mr_program_edit_more(const struct mr_program *, const struct mr_flow_values *,
    struct mr_packet *);

/* mr_program_fits. */
mr_inline bool
mr_program_fits_inl(const struct mr_program *g, const struct mr_packet *p)
{
	if (mr_unlikely(p->total > g->max_length))
		return false;
	return mr_likely(g->flags & MR_PROGRAM_OPEN) || mr_program_fits_more(g, p);
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

/* mr_checksum_apply with two deltas, or (udp is 1) mr_checksum_apply_udp, without a branch. */
mr_inline uint16_t
mr_program_sum(uint16_t check, uint32_t delta, uint32_t add, uint32_t udp)
{
	uint32_t sum = (uint16_t)~check + delta + add, none;

	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (uint16_t)~sum;
	none = -(udp & (check == 0));
	sum |= -(udp & (sum == 0));
	return (uint16_t)(sum & ~none);
}

typedef uint64_t mr_program_window __attribute__((vector_size(16)));

/* What a patch says, to the packet that comes in at `bytes`. */
mr_inline void
mr_program_patch(const struct mr_program *g, const struct mr_flow_values *values, uint8_t *bytes)
{
	const struct mr_program_patch *t = (const struct mr_program_patch *)(const void *)(g + 2);
	mr_program_window old[MR_PROGRAM_WINDOWS], mask, new;
	uint16_t sum[2] = { 0, 0 }, delta[2];
	uint8_t age = 0;

	/* What rewrites IPv4's ends has one, whatever it rewrites of them. */
	const bool more = !(t->kinds & MR_PROGRAM_ONE_WINDOW);
	const unsigned windows =
	    g->flags & MR_PROGRAM_WRAP ? MR_PROGRAM_WINDOWS - 1 : MR_PROGRAM_WINDOWS;

	memcpy(&old[0], bytes + t->at[0], sizeof(old[0]));
	if (mr_unlikely(more))
		for (unsigned i = 1; i < windows; i++)
			memcpy(&old[i], bytes + t->at[i], sizeof(old[i]));
	if (mr_likely(t->sums)) {
		memcpy(&sum[0], bytes + t->sum_at[0], sizeof(sum[0]));
		memcpy(&sum[1], bytes + t->sum_at[1], sizeof(sum[1]));
	}
	if (mr_likely(t->sums || g->ttl))
		age = (uint8_t)(bytes[t->age_at] - 1);
	memcpy(&mask, t->mask[0], sizeof(mask));
	memcpy(&new, values->bytes + MR_PROGRAM_PATCH_BYTES, sizeof(new));
	new |= old[0] & ~mask;
	memcpy(bytes + t->at[0], &new, sizeof(new));
	if (mr_unlikely(more))
		for (unsigned i = 1; i < windows; i++) {
			memcpy(&mask, t->mask[i], sizeof(mask));
			memcpy(&new, values->bytes + MR_PROGRAM_PATCH_BYTES + 16 * i, sizeof(new));
			new |= old[i] & ~mask;
			memcpy(bytes + t->at[i], &new, sizeof(new));
		}
	/* Behind the windows that they may lie in; the age first, which may be no age but the first
	 * checksum's. */
	if (mr_likely(t->sums || g->ttl))
		bytes[t->age_at] = age;
	if (mr_likely(t->sums)) {
		memcpy(delta, values->bytes, sizeof(delta));
		sum[0] = mr_program_sum(sum[0], delta[0], t->sum_add, t->kinds & 1);
		sum[1] = mr_program_sum(sum[1], delta[1], 0, t->kinds >> 1 & 1);
		memcpy(bytes + t->sum_at[1], &sum[1], sizeof(sum[1]));
		memcpy(bytes + t->sum_at[0], &sum[0], sizeof(sum[0]));
	}
}

/* The headers around a packet that now begins at `bytes`, and what precedes them in the program into the
 * headroom: as many bytes for all of up to 64, so that their length needs no branch, and no more, so that
 * no line of the headroom is touched for nothing. */
mr_inline void
mr_program_put_around(const struct mr_program *g, const struct mr_flow_values *values,
    uint8_t *bytes)
{
	const struct mr_program_wrap *t = (const struct mr_program_wrap *)(const void *)(g + 3);

	const uint8_t *from = t->bytes + MR_PROGRAM_WRAP_MAX;
	uint8_t *end = bytes + t->len;

	memcpy(end - 64, from - 64, 64);
	if (mr_unlikely(t->len > 64))
		memcpy(end - MR_PROGRAM_WRAP_MAX, t->bytes, MR_PROGRAM_WRAP_MAX - 64);
	for (unsigned i = 0; i < MR_PROGRAM_WRAP_OWN; i++)
		memcpy(bytes + t->own_at[i], values->bytes + MR_PROGRAM_WRAP_BYTES + 4 * i, 4);
}

/* IP's length and UDP's of a packet with headers around it. Where they are written stand ones, as while
 * the program was built, so that the checksum is what it would be without the length. */
mr_inline void
mr_program_put_lengths(const struct mr_length lengths[2], struct mr_packet *p)
{
	uint8_t *bytes = mr_packet_bytes(p);
	be16_t ip = mr_be16((uint16_t)(p->total + (unsigned)lengths[0].more));
	be16_t udp = mr_be16((uint16_t)(p->total + (unsigned)lengths[1].more));
	uint32_t sum;
	be16_t check;

	memcpy(bytes + lengths[0].offset, &ip, sizeof(ip));
	memcpy(bytes + lengths[1].offset, &udp, sizeof(udp));
	if (lengths[0].sum) {
		memcpy(&check, bytes + lengths[0].sum, sizeof(check));
		sum = (uint16_t)~check + (uint32_t)ip;
		check = (be16_t) ~(sum + (sum >> 16));
		memcpy(bytes + lengths[0].sum, &check, sizeof(check));
	}
}

/* Behind all else: the lengths of a patch. */
mr_inline void
mr_program_patch_lengths(const struct mr_program *g, struct mr_packet *p)
{
	const struct mr_length *lengths = (const struct mr_length *)(const void *)(g + 3);

	if ((g->flags & MR_PROGRAM_WRAP) &&
	    mr_likely(((const struct mr_program_wrap *)(const void *)(g + 3))->usual)) {
		mr_program_put_lengths(lengths, p);
		return;
	}
	mr_edit_length(NULL, p, &lengths[0]);
	if (g->flags & MR_PROGRAM_LENGTHS)
		mr_edit_length(NULL, p, &lengths[1]);
}

/* mr_program_edit without a recording. */
mr_inline bool
mr_program_edit_inl(const struct mr_program *g, const struct mr_flow_values *values,
    struct mr_packet *p)
{
	uint8_t *bytes = mr_packet_bytes(p);

	if (mr_unlikely(!(g->flags & (MR_PROGRAM_SIMPLE | MR_PROGRAM_PATCH)) ||
		mr_packet_headroom(p) < g->headroom))
		return mr_program_edit_more(g, values, p);
	if (g->flags & MR_PROGRAM_PATCH)
		mr_program_patch(g, values, bytes);
	else if (mr_likely(g->ttl))
		mr_program_age(bytes + g->ttl, g->flags & MR_PROGRAM_TTL6);
	p->data = (uint16_t)(p->data - g->grow);
	p->len = (uint16_t)(p->len + g->grow);
	p->total += (uint32_t)(int32_t)g->grow;
	if (mr_unlikely(g->flags & MR_PROGRAM_WRAP))
		mr_program_put_around(g, values, bytes - g->grow);
	else
		mr_program_write(g, bytes - g->grow);
	if (mr_unlikely(g->flags & (MR_PROGRAM_LENGTH | MR_PROGRAM_LENGTHS)))
		mr_program_patch_lengths(g, p);
	return true;
}

/* The number of a call: `arg` is the one in the flow's line. */
mr_inline uint32_t
mr_program_call_arg(const struct mr_program_call *call, uint32_t arg,
    const struct mr_flow_values *values)
{
	if (call->from == MR_CALL_FROM_PROGRAM)
		return call->arg;
	if (call->from == MR_CALL_FROM_VALUES)
		memcpy(&arg, values->bytes + call->arg, sizeof(arg));
	return arg;
}

#endif
