/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any list of operations as a recording. Byte 0: the flow's shape; 1: how much longer its packet is
 * than it must be; 2: flags (FLAG_*); 3: a byte of other packets that differs, 4: how. Then 24 bytes
 * for each operation: kind, how (HOW_*), length, branch, offset, node, argument, and 12 bytes of
 * data. A program, where there is one, must do what the walk does, to this packet and to others,
 * and nothing outside of them.
 */

#include "kit/flow/program_oracle.h"

#define HEADER 5
#define OP 24
#define NODES 8

enum {
	FLAG_OTHER_KEY = 1, /* not the packet's */
	FLAG_UNCACHEABLE = 2,
	FLAG_SNAP = 4, /* a snapshot that is cut */
	FLAG_END = 8,  /* sent in the end */
};

enum {
	HOW_TRUE = 1,   /* a guard on what is there */
	HOW_BRANCH = 2, /* the operation's branch counts */
	HOW_BAD = 4,    /* no cell */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
}

static void
tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
}

static const struct mr_named names[2];
static const struct mr_node_class can = {
	.replays = true,
	.replay = replay,
	.tally = tally,
	.drops = names,
	.drop_count = 2,
	.counters = names,
	.counter_count = 2,
};
static const struct mr_node_class shy = { .name = "shy" };
static const struct mr_node_class *const classes[NODES] = { [5] = &can, [6] = &can, [7] = &shy };

static struct mr_programs *
programs(void)
{
	struct mr_programs_config config = { .max = 16, .nodes = NODES, .classes = classes };
	static struct mr_programs *s;

	if (!s)
		require(!mr_programs_create(&s, &config, NULL));
	return s;
}

static struct mr_regions *
regions(void)
{
	static struct mr_regions *r;

	if (!r)
		r = calloc(2, sizeof(*r));
	require(r);
	return r;
}

static void
read_op(struct mr_op *op, const uint8_t *in, const struct mr_packet *now)
{
	static struct mr_generation cells[4];
	unsigned how = in[1];

	*op = (struct mr_op){ .kind = in[0], .len = in[2] };
	op->branch = how & HOW_BRANCH ? in[3] : 0;
	memcpy(&op->offset, in + 4, 2);
	memcpy(&op->node, in + 6, 2);
	memcpy(&op->arg, in + 8, 4);
	memcpy(op->bytes, in + 12, 12);
	switch (op->kind) {
	case MR_OP_GUARD:
		op->a = 0;
		memcpy(&op->a, in + 20, 4);
		memcpy(&op->b, in + 12, 8);
		if (!(how & HOW_TRUE) || op->len > 8 || op->offset + op->len > now->len)
			break;
		op->a = 0;
		memcpy(&op->a, mr_packet_bytes_const(now) + op->offset, op->len);
		op->a &= op->b;
		break;
	case MR_OP_READ:
		op->a = op->bytes[1] & 1;
		op->b = how & HOW_BAD ? 0 : (uint64_t)(uintptr_t)&cells[op->bytes[0] % 4];
		break;
	case MR_OP_REGION:
		op->a = op->bytes[1] & 1;
		op->b = how & HOW_BAD ? 0 : (uint64_t)(uintptr_t)&regions()[op->bytes[0] % 2];
		break;
	case MR_OP_SET_LENGTH:
		op->a = op->bytes[0];
		op->b = op->bytes[8];
		break;
	default:
		break;
	}
}

/* The recording of what the packet goes through. */
static void
read_walk(struct mr_recording *r, const struct mr_packet *first, const uint8_t *data, size_t size)
{
	struct mr_packet *now = oracle_clone(first);
	uint8_t flags = data[2];

	memset(r, 0, sizeof(*r));
	r->branches = 1;
	r->length = first->len;
	r->flags = flags & FLAG_UNCACHEABLE ? MR_RECORDING_UNCACHEABLE : 0;
	r->snapped =
	    (uint16_t)MR_MIN((unsigned)first->len, flags & FLAG_SNAP ? 30u : MR_RECORD_SNAP);
	memcpy(r->snap, mr_packet_bytes_const(first), r->snapped);
	for (size_t at = HEADER; at + OP <= size && r->count < MR_RECORD_OPS_MAX - 1; at += OP) {
		struct mr_op *op = &r->ops[r->count++];

		read_op(op, data + at, now);
		/* An operation that a helper cannot do is written down all the same. */
		if (op->kind != MR_OP_SET || op->len <= sizeof(op->bytes))
			oracle_op(now, op);
	}
	if (flags & FLAG_END)
		r->ops[r->count++] = (struct mr_op){ .kind = MR_OP_OUTPUT, .node = 1, .arg = 2 };
	free(now);
}

static const char *
name(const void *user, uint16_t index)
{
	return "x";
}

static void
compare(const struct mr_program *g, const struct mr_flow_values *values,
    const struct mr_recording *r, const struct mr_packet *p)
{
	bool fits;

	require(oracle_same(g, values, r, p, &fits));
}

static void
try_program(struct mr_programs *s, uint32_t program, const struct mr_flow_values *values,
    const struct mr_recording *r, const struct oracle_flow *f, const struct mr_packet *p,
    const uint8_t *data)
{
	struct mr_flow_key key;
	const struct mr_program *g = mr_program_at(s, program);
	struct mr_packet *other = oracle_clone(p);
	char text[600];

	compare(g, values, r, p);
	mr_packet_bytes(other)[data[3] % p->len] ^= data[4];
	oracle_shape(f, mr_packet_bytes(other));
	compare(g, values, r, other);
	other->len = (uint16_t)MR_MIN((unsigned)p->len, oracle_min(f) + data[4] % 8);
	other->total = other->len;
	compare(g, values, r, other);
	free(other);
	oracle_key(f, &key);
	mr_program_holds(g);
	mr_program_stamp(g, &key);
	mr_program_print(g, values, name, name, NULL, text, sizeof(text));
	require(memchr(text, '\0', sizeof(text)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_recording r;
	struct mr_programs *s = programs();
	struct mr_programs_stats stats;
	struct oracle_rng rng;
	struct oracle_flow f;
	struct mr_flow_key key;
	struct mr_packet *p;
	uint32_t program, arg, stamp;
	struct mr_flow_values values;
	unsigned fields;

	if (size < HEADER)
		return 0;
	rng.state = data[0];
	oracle_flow_draw(&f, &rng);
	f.bridged = data[0] & 1;
	f.tagged = data[0] & 2;
	f.six = data[0] & 4;
	f.proto = data[0] & 8 ? MR_IP_PROTO_TCP
	    : data[0] & 16    ? MR_IP_PROTO_UDP
	    : f.six           ? MR_IP_PROTO_ICMP6
			      : MR_IP_PROTO_ICMP;
	p = oracle_packet_of(&f, &rng, ORACLE_HEADROOM, oracle_min(&f) + data[1]);
	oracle_key(&f, &key);
	if (data[2] & FLAG_OTHER_KEY)
		key.src[3] ^= 1;
	read_walk(&r, p, data, size);
	if (mr_program_build(s, &r, &key, 1, &program, &arg, &stamp, &values, &fields) ==
	    MR_PROGRAM_OK) {
		require(program && (fields & MR_FLOW_PORT) && !(fields & ~MR_FLOW_ALL));
		try_program(s, program, &values, &r, &f, p, data);
		mr_program_release(s, program);
	}
	mr_programs_stats(s, &stats);
	require(stats.programs == 0);
	free(p);
	return 0;
}
