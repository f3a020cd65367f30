/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_RECORD_RECORD_H
#define MR_KIT_RECORD_RECORD_H

/*
 * A recording is what the graph did to one packet, written down as it was done:
 * the nodes it passed, what they read beyond the flow's key (guards), which
 * tables decided, every edit of its bytes, and the verdict. Nodes do not write
 * recordings; the edit helpers (kit/record/edit.h) do, when one is attached.
 *
 * Readers: `trace` prints recordings of real packets; `explain` makes one without
 * side effects; the flow lane normalises one into an action program and replays
 * it for the packets that follow; an offload compiles it.
 *
 * A packet that is copied (flooding, mirroring) branches: operations carry the
 * number of the branch that they happened to, 0 being the packet itself, so a
 * recording is a tree written in the order of its walk. Offsets are bytes from the
 * packet's first byte at the moment of the operation.
 *
 * Ownership: a recorder owns a fixed set of recordings; a packet names its one in
 * its metadata line (`record`: slot and branch), and a recording is finished when
 * its last branch has got a final verdict.
 * Threads: a recorder belongs to one worker. Finished recordings are taken out
 * by that worker and handed on by whoever attached the recorder.
 * Errors: a recording that runs out of operations or branches is marked
 * truncated and goes on counting its branches.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"
#include "kit/packet/packet.h"
#include "kit/record/verdict.h"

#define MR_RECORD_OPS_MAX 256u
#define MR_RECORD_SLOTS_MAX 1023u
#define MR_RECORD_BRANCHES_MAX 64u
#define MR_RECORD_SNAP 128u

enum mr_op_kind {
	MR_OP_NODE,   /* entered `node`; a = its cycle stamp */
	MR_OP_SET,    /* bytes[0..len) written at offset */
	MR_OP_PUSH,   /* `len` bytes of room opened at offset; a SET fills them */
	MR_OP_POP,    /* `len` bytes removed at offset */
	MR_OP_TRIM,   /* cut to `arg` bytes */
	MR_OP_SUM,    /* the checksum at offset took in the delta `arg`; len = enum mr_sum_kind */
	MR_OP_TTL,    /* TTL or hop limit of the IP header at offset made one less, and the
			    * header checksum with it; arg = 4 or 6 */
	MR_OP_FAMILY, /* the IP header at offset became one of the other family, with addresses
			    * zero (kit/record/family.h); arg = 4 or 6: what it is then */
	MR_OP_META,   /* metadata: context = arg, a = VLAN */
	MR_OP_GUARD,  /* holds while bytes at offset, under mask b, equal a (len <= 8) */
	MR_OP_READ,   /* read the table `text`, whose generation was a; b = its cell's address */
	MR_OP_REGION, /* read the table of prefixes `text` in region `arg` of the struct mr_regions
			    * at b, whose generation was a */
	MR_OP_MATCH,  /* table `text` matched the prefix in bytes, `len` bits long; arg = value */
	MR_OP_NOTE,   /* for people: `text` and the number a */
	MR_OP_COUNT,  /* counter `arg` of the node, + a (or + length when a is 0) */
	MR_OP_LENGTH, /* holds while the packet has at most `arg` bytes here */
	MR_OP_CALL,   /* the node's `replay` with `arg`; len = enum mr_call_flag */
	MR_OP_TALLY, /* the node's `tally` is told of the packets replayed, under the number `arg` */
	MR_OP_USE,   /* the node read these fields of the flow's key: `arg` */
	MR_OP_COPY,  /* branch `arg` begins as a copy of this one */
	MR_OP_UNCACHEABLE, /* must not be replayed; text says why */
	MR_OP_OUTPUT,      /* sent on port `arg`; a = its length then */
	MR_OP_DROP,        /* dropped by the last node, for its reason `arg` */
	MR_OP_HOLD,        /* kept by the node */
	MR_OP_REFUSED,     /* the port took no more: dropped on the way out */
	MR_OP_END,         /* the recording ends here without a verdict; text says why */
	MR_OP_SET_LENGTH,  /* a length written at offset: struct mr_length (kit/record/edit.h), its
			    * `more` = arg, `of` = a, `sum` = the lower half of
			    * b, `kind` = len and 2 where `twice`; above in b what was written */
};

enum mr_call_flag {
	MR_CALL_SECONDLY = 1u << 0, /* for the first packet in a second, not for each */
	MR_CALL_SHARED = 1u << 1,   /* many flows have this argument */
};

/* RFC 1624, eqn. 3; deltas are those of kit/packet/checksum.h, folded. */
enum mr_sum_kind {
	MR_SUM_PLAIN,
	MR_SUM_UDP, /* 0 says that there is none: it stays 0, and none becomes 0 */
};

struct mr_op {
	uint8_t kind; /* enum mr_op_kind */
	uint8_t branch;
	uint8_t len;
	uint8_t pad;
	uint16_t offset;
	uint16_t node; /* that did it */
	uint32_t arg;
	uint32_t pad2;
	union {
		uint8_t bytes[16];
		struct {
			uint64_t a, b;
		};
	};
	const char *text; /* static storage, or null */
};
static_assert(sizeof(struct mr_op) == 40, "an operation is 40 bytes");

enum mr_recording_flag {
	MR_RECORDING_TRUNCATED = 1u << 0,
	MR_RECORDING_UNCACHEABLE = 1u << 1,
};

struct mr_recording {
	uint16_t count;               /* operations used */
	uint16_t flags;               /* enum mr_recording_flag */
	uint8_t reader;               /* enum mr_record_reader: whom it is for */
	uint8_t branches;             /* begun, the first included */
	uint8_t open;                 /* branches without a final verdict */
	uint16_t port;                /* where the packet came in */
	uint32_t tag;                 /* whoever attached it knows what this is */
	uint32_t length;              /* of the packet at the start */
	uint64_t start;               /* mr_cycles() */
	uint16_t snapped;             /* bytes of `snap` that are there */
	uint8_t snap[MR_RECORD_SNAP]; /* the packet's first bytes at the start */
	struct mr_op ops[MR_RECORD_OPS_MAX];
};

/* Called on the worker when a recording is finished; it is reused on return. */
typedef void mr_recorder_done_fn(void *user, const struct mr_recording *);

/* Who attaches recordings, each with a function that takes them when they are finished. */
enum mr_record_reader {
	MR_RECORD_TRACE, /* trace and explain: mr_recorder_create's `done` */
	MR_RECORD_LANE,  /* the flow lane */
	MR_RECORD_READERS,
};

/* What an explanation has made of state so far, which nobody else sees: a later node of the same walk
 * asks for it where it finds nothing in its tables. */
#define MR_REHEARSED_MAX 16u
#define MR_REHEARSED_KEY 48u
struct mr_rehearsed {
	const void *owner;
	uint64_t value;
	uint32_t len;
	uint8_t key[MR_REHEARSED_KEY];
};

struct mr_recorder {
	bool dry; /* an explanation: nodes leave no trace of it but the recording */
	struct mr_recording *slots; /* [count]; slot s stands for record number s + 1 */
	uint16_t count;
	uint16_t free_count;
	uint16_t node; /* the node that runs now, set by the graph */
	uint16_t *free;
	struct mr_rehearsed *rehearsed; /* [MR_REHEARSED_MAX]; null until something is */
	uint16_t rehearsed_count;
	struct {
		mr_recorder_done_fn *done;
		void *user;
	} readers[MR_RECORD_READERS];
};

MR_API int mr_recorder_create(struct mr_recorder **out, uint16_t slots, mr_recorder_done_fn *,
    void *user, struct mr_error *);
MR_API void mr_recorder_destroy(struct mr_recorder *);

/* Whether the walk only explains what would happen: a node then learns nothing, counts no
 * token, sends and keeps nothing on the side. */
mr_inline bool
mr_record_is_dry(const struct mr_recorder *r)
{
	return r && r->dry;
}

/* In an explanation: from here on `owner` has something under this key, as if it had made it. */
MR_API void mr_record_rehearse(struct mr_recorder *, const void *owner, const void *key, size_t len,
    uint64_t value);
/* Whether it has, and what. */
MR_API bool mr_record_rehearsed(const struct mr_recorder *, const void *owner, const void *key,
    size_t len, uint64_t *value);

/* Attaches a fresh recording to a packet; false when all slots are in use. */
MR_API bool mr_recorder_attach(struct mr_recorder *, struct mr_packet *, uint32_t tag);
/* The same for another reader. */
MR_API bool mr_recorder_attach_for(struct mr_recorder *, enum mr_record_reader, struct mr_packet *,
    uint32_t tag);
MR_API void mr_recorder_listen(struct mr_recorder *, enum mr_record_reader, mr_recorder_done_fn *,
    void *user);

/* A packet's `record` word: slot + 1 in the low ten bits, branch above. */
#define MR_RECORD_SLOT_BITS 10

mr_inline struct mr_recording *
mr_recorder_of(const struct mr_recorder *r, uint16_t record)
{
	return &r->slots[(record & ((1u << MR_RECORD_SLOT_BITS) - 1)) - 1];
}

mr_inline unsigned
mr_record_branch(uint16_t record)
{
	return record >> MR_RECORD_SLOT_BITS;
}

/* Writes one operation for this packet; returns it for the caller to complete, or a
 * scratch one when the recording is full. Cold. */
MR_API struct mr_op *mr_record_op(struct mr_recorder *, const struct mr_packet *, enum mr_op_kind);

/* `copy` is a fresh copy of `from`: begins its branch. Cold. */
MR_API void mr_record_copy(struct mr_recorder *, const struct mr_packet *from,
    struct mr_packet *copy);

/* A branch got its final verdict (output, drop, refused, held): clears the packet's
 * record word; with the last one the recording is done. Cold. */
MR_API void mr_record_end(struct mr_recorder *, struct mr_packet *);

MR_API const char *mr_op_kind_name(enum mr_op_kind);

#endif
