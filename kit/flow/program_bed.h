/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_PROGRAM_BED_H
#define MR_KIT_FLOW_PROGRAM_BED_H

/* For tests of action programs: a recording that is written by hand, and what is built of it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "kit/flow/program_inl.h"
#include "kit/flow/program_oracle.h"
#include "kit/graph/graph.h"

enum { NODE_A = 5, NODE_B, NODE_SHY, NODE_NONE, NODES };

struct bed {
	struct mr_programs *programs;
	const struct mr_node_class *classes[NODES];
	struct oracle_rng rng;
	struct oracle_flow flow;
	struct mr_flow_key key;
	struct mr_packet *packet; /* the one that was recorded */
	struct mr_recording r;
	/* What the last build said. */
	uint32_t program, arg, stamp;
	unsigned fields;
	struct mr_flow_values values;
};

mr_inline void
replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
}

mr_inline void
tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
}

static const struct mr_named drop_names[3], counter_names[4];
static const struct mr_node_class can = {
	.name = "can",
	.replays = true,
	.replay = replay,
	.tally = tally,
	.drops = drop_names,
	.drop_count = 3,
	.counters = counter_names,
	.counter_count = 4,
};
static const struct mr_node_class plain = {
	.name = "plain",
	.replays = true,
	.drops = drop_names,
	.drop_count = 3,
};
static const struct mr_node_class shy = { .name = "shy" };

/* A routed flow of IPv4 and TCP, its recording open and empty. */
mr_inline void
restart(struct bed *b)
{
	struct mr_recording *r = &b->r;

	oracle_key(&b->flow, &b->key);
	free(b->packet);
	b->packet = oracle_packet_of(&b->flow, &b->rng, ORACLE_HEADROOM, 100);
	memset(r, 0, sizeof(*r));
	r->branches = 1;
	r->length = b->packet->len;
	r->snapped = b->packet->len;
	memcpy(r->snap, mr_packet_bytes(b->packet), r->snapped);
}

mr_inline void
open_bed(struct bed *b, uint32_t max)
{
	struct mr_programs_config config = { .max = max, .nodes = NODES, .classes = b->classes };

	memset(b, 0, sizeof(*b));
	b->rng.state = 7;
	b->classes[NODE_A] = &can;
	b->classes[NODE_B] = &plain;
	b->classes[NODE_SHY] = &shy;
	assert_int_equal(mr_programs_create(&b->programs, &config, NULL), 0);
	do
		oracle_flow_draw(&b->flow, &b->rng);
	while (
	    b->flow.six || b->flow.bridged || b->flow.tagged || b->flow.proto != MR_IP_PROTO_TCP);
	restart(b);
}

mr_inline void
close_bed(struct bed *b)
{
	free(b->packet);
	mr_programs_destroy(b->programs);
}

mr_inline struct mr_op *
op(struct bed *b, enum mr_op_kind kind, unsigned node)
{
	struct mr_op *o = &b->r.ops[b->r.count++];

	*o = (struct mr_op){ .kind = (uint8_t)kind, .node = (uint16_t)node };
	return o;
}

mr_inline void
op_at(struct bed *b, enum mr_op_kind kind, unsigned offset, unsigned len)
{
	struct mr_op *o = op(b, kind, NODE_A);

	o->offset = (uint16_t)offset;
	o->len = (uint8_t)len;
}

mr_inline void
op_arg(struct bed *b, enum mr_op_kind kind, unsigned node, uint32_t arg)
{
	op(b, kind, node)->arg = arg;
}

mr_inline void
op_set(struct bed *b, unsigned offset, const void *bytes, unsigned len)
{
	op_at(b, MR_OP_SET, offset, len);
	memcpy(b->r.ops[b->r.count - 1].bytes, bytes, len);
}

/* A guard on what the packet has there now, when no edit was before. */
mr_inline void
op_guard(struct bed *b, unsigned offset, unsigned len, uint64_t mask)
{
	uint64_t value = 0;

	memcpy(&value, mr_packet_bytes(b->packet) + offset, len);
	op_at(b, MR_OP_GUARD, offset, len);
	b->r.ops[b->r.count - 1].a = value & mask;
	b->r.ops[b->r.count - 1].b = mask;
}

mr_inline void
op_ttl(struct bed *b, unsigned at, unsigned version)
{
	op_at(b, MR_OP_TTL, at, 0);
	b->r.ops[b->r.count - 1].arg = version;
}

mr_inline void
op_read(struct bed *b, const struct mr_generation *cell, uint32_t value)
{
	struct mr_op *o = op(b, MR_OP_READ, NODE_A);

	o->a = value;
	o->b = (uint64_t)(uintptr_t)cell;
}

mr_inline void
op_region(struct bed *b, const struct mr_regions *regions, unsigned region)
{
	struct mr_op *o = op(b, MR_OP_REGION, NODE_A);

	o->a = mr_generation_read(&regions->cells[region]);
	o->b = (uint64_t)(uintptr_t)regions;
	o->arg = region;
}

mr_inline enum mr_program_refusal
build(struct bed *b)
{
	return mr_program_build(b->programs, &b->r, &b->key, 77, &b->program, &b->arg, &b->stamp,
	    &b->values, &b->fields);
}

/* Sent on port 2, and built. */
mr_inline enum mr_program_refusal
sent(struct bed *b)
{
	op_arg(b, MR_OP_OUTPUT, MR_GRAPH_NODE_TX, 2);
	return build(b);
}

mr_inline struct mr_program *
program(struct bed *b)
{
	return mr_program_at(b->programs, b->program);
}

static const char *
node_name(const void *user, uint16_t node)
{
	static const char *const names[] = { [NODE_A] = "alpha", [NODE_B] = "beta" };

	(void)user;
	return names[node];
}

static const char *
port_name(const void *user, uint16_t port)
{
	(void)user;
	return port == 2 ? "lan" : "?";
}

static const char *
print(struct bed *b)
{
	static char text[4096];
	size_t len = mr_program_print(program(b), &b->values, node_name, port_name, NULL, text,
	    sizeof(text));

	assert_int_equal(len, strlen(text));
	return text;
}

static const uint8_t ethernet[18] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x81, 0, 0, 77, 8, 0 };

#endif
