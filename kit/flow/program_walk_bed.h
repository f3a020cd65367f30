/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_PROGRAM_WALK_BED_H
#define MR_KIT_FLOW_PROGRAM_WALK_BED_H

/* For tests of programs with values: walks that the edit helpers write down, of many flows of one shape, and
 * what their programs do held against them. */

#include "kit/flow/program_bed.h"
#include "kit/record/edit.h"

struct walk {
	struct bed b;
	struct mr_recorder *rec;
};

mr_inline void
done(void *user, const struct mr_recording *r)
{
	((struct walk *)user)->b.r = *r;
}

mr_inline void
walk_open(struct walk *w)
{
	open_bed(&w->b, 4096);
	assert_int_equal(mr_recorder_create(&w->rec, 1, done, w, NULL), 0);
}

mr_inline void
walk_close(struct walk *w)
{
	mr_recorder_destroy(w->rec);
	close_bed(&w->b);
}

mr_inline void
draw(struct walk *w, uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		bytes[i] = (uint8_t)oracle_draw(&w->b.rng);
}

/* Another flow of the same shape. */
mr_inline void
next_flow(struct walk *w)
{
	struct oracle_flow *f = &w->b.flow, shape = *f;

	oracle_flow_draw(f, &w->b.rng);
	f->bridged = shape.bridged;
	f->tagged = shape.tagged;
	f->vlan = shape.vlan;
	memcpy(f->macs, shape.macs, sizeof(f->macs));
	if (f->six != shape.six || f->proto != shape.proto) {
		f->six = shape.six;
		f->proto = shape.proto;
		memset(f->src, 0, sizeof(f->src));
		memset(f->dst, 0, sizeof(f->dst));
		draw(w, f->src, f->six ? 16 : 4);
		draw(w, f->dst, f->six ? 16 : 4);
	}
}

mr_inline struct mr_l4_sum
sum_of(const struct oracle_flow *f)
{
	struct mr_l4_sum sum = { 0 };
	unsigned l4 = oracle_l4(f);

	if (f->proto == MR_IP_PROTO_TCP)
		sum.offset = (uint16_t)(l4 + 16);
	if (f->proto == MR_IP_PROTO_UDP) {
		sum.offset = (uint16_t)(l4 + 6);
		sum.kind = MR_SUM_UDP;
	}
	if (f->proto == MR_IP_PROTO_ICMP6)
		sum.offset = (uint16_t)(l4 + 2);
	return sum;
}

mr_inline void
set_address(struct walk *w, struct mr_packet *p, bool src)
{
	const struct oracle_flow *f = &w->b.flow;
	uint8_t address[16];
	be32_t four;

	draw(w, address, 16);
	memcpy(&four, address, sizeof(four));
	if (f->six)
		mr_edit_address6(w->rec, p, oracle_l3(f), src ? 8 : 24, address, sum_of(f));
	else
		mr_edit_address4(w->rec, p, oracle_l3(f), src ? 12 : 16, four, sum_of(f));
}

mr_inline void
set_length(struct walk *w, struct mr_packet *p, unsigned at, unsigned of, int more, unsigned sum,
    bool twice)
{
	mr_edit_length(w->rec, p,
	    &(struct mr_length){ .offset = (uint16_t)at,
		.of = (uint16_t)of,
		.more = (int16_t)more,
		.sum = (uint16_t)sum,
		.kind = twice ? MR_SUM_UDP : MR_SUM_PLAIN,
		.twice = twice });
}

/* The bed's packet, with a recording of a walk that has come to the first node. */
mr_inline struct mr_packet *
walk_begin(struct walk *w)
{
	struct mr_packet *p;

	restart(&w->b);
	p = oracle_clone(w->b.packet);
	assert_true(mr_recorder_attach(w->rec, p, 0));
	w->rec->node = NODE_A;
	mr_record_op(w->rec, p, MR_OP_NODE);
	return p;
}

/* Sent on port 2; what is recorded becomes the packet's program. */
mr_inline enum mr_program_refusal
walk_end(struct walk *w, struct mr_packet *p)
{
	mr_record_op(w->rec, p, MR_OP_OUTPUT)->arg = 2;
	mr_record_end(w->rec, p);
	free(p);
	return build(&w->b);
}

/* Other packets of the flow, some as short as they can be, all bytes that the key leaves open drawn;
 * checksums of 0 and 0xffff among them. */
mr_inline void
compare(struct walk *w)
{
	const struct oracle_flow *f = &w->b.flow;
	bool fits;

	for (unsigned i = 0; i < 6; i++) {
		struct mr_packet *p = oracle_packet_of(f, &w->b.rng, ORACLE_HEADROOM,
		    oracle_min(f) + (i ? oracle_draw(&w->b.rng) % 60 : 0));

		if (i >= 2 && sum_of(f).offset)
			mr_store_be16(mr_packet_bytes(p) + sum_of(f).offset, i & 1 ? 0xffff : 0);
		if (i >= 4 && !f->six)
			mr_store_be16(mr_packet_bytes(p) + oracle_l3(f) + 10, i & 1 ? 0xffff : 0);
		assert_true(oracle_same(program(&w->b), &w->b.values, &w->b.r, p, &fits));
		assert_true(fits);
		free(p);
	}
}

/* No headroom for what the short way writes in front: the other way does the same. */
mr_inline void
compare_tight(struct walk *w)
{
	const struct mr_program *g = program(&w->b);
	struct mr_packet *p = oracle_packet(MR_MAX(0, (int)g->grow), w->b.packet->len), *walked;

	memcpy(mr_packet_bytes(p), mr_packet_bytes(w->b.packet), p->len);
	walked = oracle_clone(p);
	oracle_walk(walked, &w->b.r);
	assert_true(mr_program_edit(g, &w->b.values, NULL, p));
	assert_int_equal(p->data, walked->data);
	assert_memory_equal(mr_packet_bytes(p), mr_packet_bytes(walked), walked->len);
	free(p);
	free(walked);
}

/* A replay that is traced writes down what was done. */
mr_inline void
compare_recorded(struct walk *w)
{
	struct mr_packet *bare = oracle_clone(w->b.packet), *traced = oracle_clone(w->b.packet);
	struct mr_recording r = w->b.r;

	assert_true(mr_program_edit(program(&w->b), &w->b.values, NULL, bare));
	assert_true(mr_recorder_attach(w->rec, traced, 0));
	assert_true(mr_program_edit(program(&w->b), &w->b.values, w->rec, traced));
	mr_record_end(w->rec, traced);
	w->b.r = r;
	assert_int_equal(bare->data, traced->data);
	assert_memory_equal(mr_packet_bytes(bare), mr_packet_bytes(traced), bare->len);
	free(bare);
	free(traced);
}

mr_inline void
shape(struct walk *w, bool six, unsigned proto, bool tagged)
{
	w->b.flow.six = six;
	w->b.flow.proto = (uint8_t)proto;
	w->b.flow.tagged = tagged;
	w->b.flow.bridged = false;
}

#endif
