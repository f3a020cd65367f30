/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/record/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
mr_recorder_create(struct mr_recorder **out, uint16_t slots, mr_recorder_done_fn *done, void *user,
    struct mr_error *error)
{
	struct mr_recorder *r;

	if (slots == 0 || slots > MR_RECORD_SLOTS_MAX)
		return mr_error_set(error, -EINVAL, "recorder: %u slots, but 1 to %u are possible",
		    slots, MR_RECORD_SLOTS_MAX);
	r = calloc(1, sizeof(*r));
	if (!r)
		goto no_memory;
	r->slots = calloc(slots, sizeof(*r->slots));
	r->free = calloc(slots, sizeof(*r->free));
	if (!r->slots || !r->free)
		goto no_memory;
	r->count = slots;
	mr_recorder_listen(r, MR_RECORD_TRACE, done, user);
	for (unsigned i = 0; i < slots; i++)
		r->free[r->free_count++] = (uint16_t)(slots - 1 - i);
	*out = r;
	return 0;

no_memory:
	mr_recorder_destroy(r);
	return mr_error_set(error, -ENOMEM, "recorder: no memory for %u recordings", slots);
}

void
mr_recorder_destroy(struct mr_recorder *r)
{
	if (!r)
		return;
	free(r->slots);
	free(r->free);
	free(r->rehearsed);
	free(r);
}

void
mr_recorder_listen(struct mr_recorder *r, enum mr_record_reader reader, mr_recorder_done_fn *done,
    void *user)
{
	r->readers[reader].done = done;
	r->readers[reader].user = user;
}

bool
mr_recorder_attach(struct mr_recorder *r, struct mr_packet *p, uint32_t tag)
{
	return mr_recorder_attach_for(r, MR_RECORD_TRACE, p, tag);
}

/* By sixteen bytes, the last ones overlapping: a copy whose length is not known takes longer to
 * begin than this does as a whole. */
static void
snap(uint8_t *to, const uint8_t *from, unsigned len)
{
	unsigned i;

	if (mr_unlikely(len < 16)) {
		memcpy(to, from, len);
		return;
	}
	for (i = 0; i + 16 <= len; i += 16)
		memcpy(to + i, from + i, 16);
	memcpy(to + len - 16, from + len - 16, 16);
}

bool
mr_recorder_attach_for(struct mr_recorder *r, enum mr_record_reader reader, struct mr_packet *p,
    uint32_t tag)
{
	struct mr_recording *rec;
	uint16_t slot;

	if (r->free_count == 0)
		return false;
	slot = r->free[--r->free_count];
	rec = &r->slots[slot];
	rec->count = 0;
	rec->flags = 0;
	rec->reader = (uint8_t)reader;
	rec->branches = 1;
	rec->open = 1;
	rec->port = p->port;
	rec->tag = tag;
	rec->length = p->total;
	rec->start = mr_cycles();
	rec->snapped = (uint16_t)MR_MIN((unsigned)p->len, MR_RECORD_SNAP);
	snap(rec->snap, mr_packet_bytes(p), rec->snapped);
	p->record = (uint16_t)(slot + 1);
	return true;
}

struct mr_op *
mr_record_op(struct mr_recorder *r, const struct mr_packet *p, enum mr_op_kind kind)
{
	struct mr_recording *rec = mr_recorder_of(r, p->record);
	struct mr_op *op;

	if (rec->count == MR_RECORD_OPS_MAX) {
		/* The last place is written over: what matters then is that it ended. */
		rec->flags |= MR_RECORDING_TRUNCATED | MR_RECORDING_UNCACHEABLE;
		op = &rec->ops[MR_RECORD_OPS_MAX - 1];
	} else {
		op = &rec->ops[rec->count++];
	}
	*op = (struct mr_op){
		.kind = (uint8_t)kind,
		.branch = (uint8_t)mr_record_branch(p->record),
		.node = r->node,
	};
	if (kind == MR_OP_UNCACHEABLE)
		rec->flags |= MR_RECORDING_UNCACHEABLE;
	return op;
}

void
mr_record_copy(struct mr_recorder *r, const struct mr_packet *from, struct mr_packet *copy)
{
	struct mr_recording *rec = mr_recorder_of(r, from->record);
	uint16_t slot = from->record & ((1u << MR_RECORD_SLOT_BITS) - 1);

	if (rec->branches == MR_RECORD_BRANCHES_MAX) {
		rec->flags |= MR_RECORDING_TRUNCATED | MR_RECORDING_UNCACHEABLE;
		copy->record = 0;
		return;
	}
	mr_record_op(r, from, MR_OP_COPY)->arg = rec->branches;
	copy->record = (uint16_t)(slot | (unsigned)rec->branches << MR_RECORD_SLOT_BITS);
	rec->branches++;
	rec->open++;
}

void
mr_record_end(struct mr_recorder *r, struct mr_packet *p)
{
	struct mr_recording *rec = mr_recorder_of(r, p->record);
	uint16_t slot = (p->record & ((1u << MR_RECORD_SLOT_BITS) - 1)) - 1;

	p->record = 0;
	if (--rec->open > 0)
		return;
	if (r->readers[rec->reader].done)
		r->readers[rec->reader].done(r->readers[rec->reader].user, rec);
	r->free[r->free_count++] = slot;
}

const char *
mr_op_kind_name(enum mr_op_kind kind)
{
	static const char *const names[] = {
		[MR_OP_NODE] = "node",
		[MR_OP_SET] = "set",
		[MR_OP_PUSH] = "push",
		[MR_OP_POP] = "pop",
		[MR_OP_TRIM] = "trim",
		[MR_OP_SUM] = "sum",
		[MR_OP_TTL] = "ttl",
		[MR_OP_SET_LENGTH] = "set-length",
		[MR_OP_FAMILY] = "family",
		[MR_OP_META] = "meta",
		[MR_OP_GUARD] = "guard",
		[MR_OP_READ] = "read",
		[MR_OP_REGION] = "read",
		[MR_OP_MATCH] = "match",
		[MR_OP_NOTE] = "note",
		[MR_OP_COUNT] = "count",
		[MR_OP_LENGTH] = "length",
		[MR_OP_CALL] = "call",
		[MR_OP_TALLY] = "tally",
		[MR_OP_USE] = "use",
		[MR_OP_COPY] = "copy",
		[MR_OP_UNCACHEABLE] = "uncacheable",
		[MR_OP_OUTPUT] = "output",
		[MR_OP_DROP] = "drop",
		[MR_OP_HOLD] = "hold",
		[MR_OP_REFUSED] = "refused",
		[MR_OP_END] = "end",
	};

	return (unsigned)kind < MR_ARRAY_COUNT(names) ? names[kind] : "?";
}

void
mr_record_rehearse(struct mr_recorder *r, const void *owner, const void *key, size_t len,
    uint64_t value)
{
	struct mr_rehearsed *e;

	if (!mr_record_is_dry(r) || len > MR_REHEARSED_KEY ||
	    r->rehearsed_count == MR_REHEARSED_MAX)
		return;
	if (!r->rehearsed)
		r->rehearsed = calloc(MR_REHEARSED_MAX, sizeof(*r->rehearsed));
	if (!r->rehearsed)
		return;
	e = &r->rehearsed[r->rehearsed_count++];
	e->owner = owner;
	e->value = value;
	e->len = (uint32_t)len;
	memcpy(e->key, key, len);
}

bool
mr_record_rehearsed(const struct mr_recorder *r, const void *owner, const void *key, size_t len,
    uint64_t *value)
{
	/* The last one first: it stands for those before it. */
	for (unsigned i = mr_record_is_dry(r) ? r->rehearsed_count : 0; i-- > 0;) {
		const struct mr_rehearsed *e = &r->rehearsed[i];

		if (e->owner != owner || e->len != len || memcmp(e->key, key, len) != 0)
			continue;
		*value = e->value;
		return true;
	}
	return false;
}
