/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_RECORD_EDIT_H
#define MR_KIT_RECORD_EDIT_H

/*
 * How a node changes a packet. Each helper does the edit and, when the packet
 * carries a recording, writes it down. The first argument is the node's recorder:
 * in the bare variant of a node it is the constant null and everything about
 * recording is compiled away (kit/graph/node.h makes both variants from one body).
 *
 * Verdicts (output, drop, next; kit/record/verdict.h) are recorded by the graph,
 * which sees every one of them anyway.
 *
 * Offsets and lengths are bytes, from the packet's first byte; the caller has
 * checked that they lie in the first segment.
 * Errors: push returns null when the headroom is used up; the packet is unchanged.
 */

#include <string.h>

#include "kit/packet/checksum.h"
#include "kit/record/record.h"
#include "kit/table/regions.h"

mr_inline bool
mr_recorded(const struct mr_recorder *rec, const struct mr_packet *p)
{
	return rec && p->record;
}

/* Writes `len` (at most 16) bytes. */
mr_inline void
mr_edit_set(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, const void *bytes,
    unsigned len)
{
	memcpy(mr_packet_bytes(p) + offset, bytes, len);
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_SET);

		op->offset = (uint16_t)offset;
		op->len = (uint8_t)len;
		memcpy(op->bytes, bytes, len);
	}
}

mr_inline void
mr_edit_set16(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, be16_t value)
{
	mr_edit_set(rec, p, offset, &value, 2);
}

mr_inline void
mr_edit_set32(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, be32_t value)
{
	mr_edit_set(rec, p, offset, &value, 4);
}

/* The checksum's reference points move with the bytes in front of them. */
mr_inline void
mr_edit_shift_offload(struct mr_packet *p, unsigned at, int delta)
{
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && p->csum_start >= at)
		p->csum_start = (uint16_t)(p->csum_start + delta);
}

/* Opens `len` bytes of room at `at` by moving the bytes in front of it; returns the
 * room, to be filled by mr_edit_set, or null. */
mr_inline uint8_t *
mr_edit_push(struct mr_recorder *rec, struct mr_packet *p, unsigned at, unsigned len)
{
	uint8_t *bytes;

	if (mr_unlikely(mr_packet_headroom(p) < len))
		return NULL;
	bytes = mr_packet_bytes(p) - len;
	memmove(bytes, bytes + len, at);
	p->data = (uint16_t)(p->data - len);
	p->len = (uint16_t)(p->len + len);
	p->total += len;
	mr_edit_shift_offload(p, at, (int)len);
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_PUSH);

		op->offset = (uint16_t)at;
		op->len = (uint8_t)len;
	}
	return bytes + at;
}

/* Removes `len` bytes at `at`. */
mr_inline void
mr_edit_pop(struct mr_recorder *rec, struct mr_packet *p, unsigned at, unsigned len)
{
	uint8_t *bytes = mr_packet_bytes(p);

	memmove(bytes + len, bytes, at);
	p->data = (uint16_t)(p->data + len);
	p->len = (uint16_t)(p->len - len);
	p->total -= len;
	mr_edit_shift_offload(p, at + len, -(int)len);
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_POP);

		op->offset = (uint16_t)at;
		op->len = (uint8_t)len;
	}
}

/* Makes the TTL of the IPv4 header at `at` one less, and its checksum right (RFC 1141). */
mr_inline void
mr_edit_ttl4(struct mr_recorder *rec, struct mr_packet *p, unsigned at)
{
	uint8_t *ttl = mr_packet_bytes(p) + at + 8, *check = mr_packet_bytes(p) + at + 10;
	uint16_t sum;
	uint32_t up;

	ttl[0]--;
	/* One less in the upper byte of a word; as loaded here, the lower. */
	memcpy(&sum, check, sizeof(sum));
	up = sum + 1u;
	sum = (uint16_t)(up + (up >= 0xffffu));
	memcpy(check, &sum, sizeof(sum));
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_TTL);

		op->offset = (uint16_t)at;
		op->arg = 4;
	}
}

/* The same of the hop limit of the IPv6 header at `at`. */
mr_inline void
mr_edit_ttl6(struct mr_recorder *rec, struct mr_packet *p, unsigned at)
{
	mr_packet_bytes(p)[at + 7]--;
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_TTL);

		op->offset = (uint16_t)at;
		op->arg = 6;
	}
}

/* Which bridge, VRF or tunnel the packet is in, and its VLAN there. */
mr_inline void
mr_edit_context(struct mr_recorder *rec, struct mr_packet *p, uint32_t context, uint16_t vlan)
{
	p->context = context;
	p->vlan = vlan;
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_META);

		op->arg = context;
		op->a = vlan;
	}
}

/* The node's decision rests on these bytes (at most 8) under this mask, which
 * are not part of the flow's key: a replay must find them equal. */
mr_inline void
mr_guard(struct mr_recorder *rec, const struct mr_packet *p, unsigned offset, unsigned len,
    uint64_t mask)
{
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_GUARD);
		uint64_t value = 0;

		memcpy(&value, mr_packet_bytes_const(p) + offset, len);
		mask &= UINT64_MAX >> (64 - 8 * len);
		op->offset = (uint16_t)offset;
		op->len = (uint8_t)len;
		op->a = value & mask;
		op->b = mask;
	}
}

/* Takes a delta (mr_checksum_delta16 and its like) into the Internet checksum at `offset`. */
mr_inline void
mr_edit_sum(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, uint64_t delta,
    enum mr_sum_kind kind)
{
	uint8_t *field = mr_packet_bytes(p) + offset;
	be16_t check;

	memcpy(&check, field, sizeof(check));
	check = kind == MR_SUM_UDP ? mr_checksum_apply_udp(check, delta)
				   : mr_checksum_apply(check, delta);
	memcpy(field, &check, sizeof(check));
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_SUM);

		op->offset = (uint16_t)offset;
		op->len = (uint8_t)kind;
		op->arg = mr_checksum_fold(delta);
	}
}

/* Where a packet's layer-4 checksum is. */
struct mr_l4_sum {
	uint16_t offset; /* 0: it has none */
	uint8_t kind;    /* enum mr_sum_kind */
};

/* The same of the layer-4 checksum, which a device may have yet to finish: then the field holds
 * the pseudo-header's sum, and only what is `pseudo` goes into it. */
mr_inline void
mr_edit_sum_l4(struct mr_recorder *rec, struct mr_packet *p, struct mr_l4_sum at, uint64_t delta,
    bool pseudo)
{
	be16_t sum;

	if (!at.offset)
		return;
	if (mr_likely(!(p->flags & MR_PACKET_CSUM_PARTIAL) ||
		p->csum_start + p->csum_offset != at.offset)) {
		mr_edit_sum(rec, p, at.offset, delta, (enum mr_sum_kind)at.kind);
	} else if (pseudo) {
		memcpy(&sum, mr_packet_bytes(p) + at.offset, sizeof(sum));
		mr_edit_set16(rec, p, at.offset, mr_checksum_apply_partial(sum, delta));
	}
}

/*
 * A length that an encapsulation's header holds: that of the packet itself, or that which its IP
 * header says (a frame may be longer), and more.
 */
struct mr_length {
	uint16_t offset; /* where 16 bits are written */
	uint16_t of; /* where the 16 bits are that they are reckoned from; 0: the packet's length */
	int16_t more;  /* added to it */
	uint16_t sum;  /* the Internet checksum that takes in the change; 0: none */
	uint8_t kind;  /* of the checksum, enum mr_sum_kind */
	uint8_t twice; /* 1: the checksum has it twice, as UDP's with its pseudo-header */
};

/* For the lane, the walk itself has written what stands at `offset`, where there is a checksum, and
 * the checksum; `of` is as it came in, or another such length. The three are apart. */
mr_inline void
mr_edit_length(struct mr_recorder *rec, struct mr_packet *p, const struct mr_length *l)
{
	uint8_t *bytes = mr_packet_bytes(p);
	be16_t was, now, check;
	uint64_t delta;

	now = mr_be16(
	    (uint16_t)((l->of ? mr_load_be16(bytes + l->of) : p->total) + (unsigned)l->more));
	memcpy(&was, bytes + l->offset, sizeof(was));
	memcpy(bytes + l->offset, &now, sizeof(now));
	if (l->sum) {
		delta = mr_checksum_delta16(was, now) << l->twice;
		memcpy(&check, bytes + l->sum, sizeof(check));
		check = l->kind == MR_SUM_UDP ? mr_checksum_apply_udp(check, delta)
					      : mr_checksum_apply(check, delta);
		memcpy(bytes + l->sum, &check, sizeof(check));
	}
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_SET_LENGTH);

		op->offset = l->offset;
		op->len = (uint8_t)(l->kind | l->twice << 1);
		op->arg = (uint32_t)(int32_t)l->more;
		op->a = l->of;
		op->b = (uint32_t)mr_be16(now) << 16 | l->sum;
	}
}

/* Writes `len` (even, at most 16) bytes that a checksum covers, at an even place of what it covers.
 * Returns the delta that mr_edit_sum takes. The delta rests on the old bytes: they are guarded,
 * which costs nothing where they are fields of the flow's key. */
mr_inline uint64_t
mr_edit_replace(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, const void *bytes,
    unsigned len)
{
	const uint8_t *to = bytes;
	uint64_t delta = 0;

	for (unsigned i = 0; i < len; i += 8)
		mr_guard(rec, p, offset + i, MR_MIN(len - i, 8u), UINT64_MAX);
	for (unsigned i = 0; i < len; i += 2) {
		be16_t from, word;

		memcpy(&from, mr_packet_bytes(p) + offset + i, sizeof(from));
		memcpy(&word, to + i, sizeof(word));
		delta += mr_checksum_delta16(from, word);
	}
	mr_edit_set(rec, p, offset, bytes, len);
	return delta;
}

/* Another address in the IPv4 header at `l3`: `offset` is 12 for the source, 16 for the
 * destination. The header's checksum and that of layer 4 follow. */
mr_inline void
mr_edit_address4(struct mr_recorder *rec, struct mr_packet *p, unsigned l3, unsigned offset,
    be32_t address, struct mr_l4_sum l4)
{
	uint64_t delta = mr_edit_replace(rec, p, l3 + offset, &address, 4);

	mr_edit_sum(rec, p, l3 + 10, delta, MR_SUM_PLAIN);
	mr_edit_sum_l4(rec, p, l4, delta, true);
}

/* The same of the IPv6 header at `l3`: `offset` is 8 or 24. */
mr_inline void
mr_edit_address6(struct mr_recorder *rec, struct mr_packet *p, unsigned l3, unsigned offset,
    const uint8_t address[16], struct mr_l4_sum l4)
{
	mr_edit_sum_l4(rec, p, l4, mr_edit_replace(rec, p, l3 + offset, address, 16), true);
}

/* Another port (or ICMP identifier) at `offset`. */
mr_inline void
mr_edit_port(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, be16_t port,
    struct mr_l4_sum l4)
{
	mr_edit_sum_l4(rec, p, l4, mr_edit_replace(rec, p, offset, &port, 2), false);
}

/* The decision will come from this table, whose generation this is: to be called before the table
 * is read. `table` is static text. */
mr_inline void
mr_record_read(struct mr_recorder *rec, const struct mr_packet *p, const char *table,
    const struct mr_generation *cell)
{
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_READ);

		op->text = table;
		op->a = mr_generation_read(cell);
		op->b = (uint64_t)(uintptr_t)cell;
	}
}

/* The same of a table of prefixes, for an address in this region. */
mr_inline void
mr_record_region(struct mr_recorder *rec, const struct mr_packet *p, const char *table,
    const struct mr_regions *regions, unsigned region)
{
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_REGION);

		op->text = table;
		op->a = mr_generation_read(&regions->cells[region]);
		op->b = (uint64_t)(uintptr_t)regions;
		op->arg = region;
	}
}

/* The decision holds for packets of at most `length` bytes. */
mr_inline void
mr_guard_length(struct mr_recorder *rec, const struct mr_packet *p, uint32_t length)
{
	if (mr_unlikely(mr_recorded(rec, p)))
		mr_record_op(rec, p, MR_OP_LENGTH)->arg = length;
}

/* What the node does with every packet of the flow, or (`secondly`) with the first in a second,
 * beyond the edits: its class's `replay` does it. */
mr_inline void
mr_record_call(struct mr_recorder *rec, const struct mr_packet *p, uint32_t arg, bool secondly)
{
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_CALL);

		op->arg = arg;
		op->len = secondly ? MR_CALL_SECONDLY : 0;
	}
}

/* The same once a second, with an argument that many flows have. */
mr_inline void
mr_record_call_shared(struct mr_recorder *rec, const struct mr_packet *p, uint32_t arg)
{
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_CALL);

		op->arg = arg;
		op->len = MR_CALL_SECONDLY | MR_CALL_SHARED;
	}
}

/* Counts packets and bytes of a rule, a member ... of the node's own under this number: its
 * class's `tally` is told, of packets replayed some time later. The node itself counts the packet
 * at hand. */
mr_inline void
mr_record_tally(struct mr_recorder *rec, const struct mr_packet *p, uint32_t number)
{
	if (mr_unlikely(mr_recorded(rec, p)))
		mr_record_op(rec, p, MR_OP_TALLY)->arg = number;
}

/* Of the flow's key the node's decision rests on these fields only (enum mr_flow_field, kit/flow);
 * one that does not say is taken to read all. */
mr_inline void
mr_record_use(struct mr_recorder *rec, const struct mr_packet *p, uint32_t fields)
{
	if (mr_unlikely(mr_recorded(rec, p)))
		mr_record_op(rec, p, MR_OP_USE)->arg = fields;
}

/* For explain: the entry of a table of prefixes that matched, `size` bytes of which `bits` bits
 * count, and its value. */
mr_inline void
mr_record_match(struct mr_recorder *rec, const struct mr_packet *p, const char *table,
    const void *prefix, unsigned size, unsigned bits, uint32_t value)
{
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_MATCH);

		memset(op->bytes, 0, sizeof(op->bytes));
		memcpy(op->bytes, prefix, MR_MIN(size, (unsigned)sizeof(op->bytes)));
		op->text = table;
		op->len = (uint8_t)bits;
		op->offset = (uint16_t)size;
		op->arg = value;
	}
}

/* For trace and explain: what matched, in static text and a number. */
mr_inline void
mr_record_note(struct mr_recorder *rec, const struct mr_packet *p, const char *text,
    uint64_t number)
{
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_NOTE);

		op->text = text;
		op->a = number;
	}
}

/* A replay would be wrong: every packet of this flow must come through the graph. */
mr_inline void
mr_record_uncacheable(struct mr_recorder *rec, const struct mr_packet *p, const char *why)
{
	if (mr_unlikely(mr_recorded(rec, p)))
		mr_record_op(rec, p, MR_OP_UNCACHEABLE)->text = why;
}

#endif
