/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random walks of edits by the real helpers, recorded; the program that comes of them does to other
 * packets of the flow, byte by byte, what the walk would have done, and refuses those whose walk
 * would have been another.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "kit/flow/program_oracle.h"

#define NODE 5u

struct bed {
	struct oracle_rng rng;
	struct mr_recorder *rec;
	struct mr_recording got;
	unsigned finished;
	struct mr_programs *programs;
	const struct mr_node_class *classes[NODE + 1];
};

static void
done(void *user, const struct mr_recording *r)
{
	struct bed *b = user;

	b->got = *r;
	b->finished++;
}

static const struct mr_node_class node_class = { .name = "n", .replays = true };

static void
bed_open(struct bed *b, uint64_t seed)
{
	struct mr_programs_config config = { .max = 64, .nodes = NODE + 1, .classes = b->classes };

	memset(b, 0, sizeof(*b));
	b->rng.state = seed;
	b->classes[NODE] = &node_class;
	assert_int_equal(mr_recorder_create(&b->rec, 1, done, b, NULL), 0);
	assert_int_equal(mr_programs_create(&b->programs, &config, NULL), 0);
}

static void
bed_close(struct bed *b)
{
	mr_recorder_destroy(b->rec);
	mr_programs_destroy(b->programs);
}

static unsigned
draw(struct bed *b, unsigned below)
{
	return oracle_draw(&b->rng) % below;
}

static void
set_random(struct bed *b, struct mr_packet *p, unsigned at, unsigned len)
{
	uint8_t bytes[16];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)oracle_draw(&b->rng);
	for (unsigned i = 0; i < len; i += 16)
		mr_edit_set(b->rec, p, at + i, bytes, MR_MIN(len - i, 16u));
}

/* Mostly where headers begin, so that operations meet. */
static unsigned
place(struct bed *b, unsigned room)
{
	static const unsigned likely[] = { 0, 4, 6, 12, 14, 16, 18, 24, 26, 30, 34, 38, 54, 58 };
	unsigned at = draw(b, 4) ? likely[draw(b, MR_ARRAY_COUNT(likely))] : draw(b, 90);

	return MR_MIN(at, room);
}

static void
set_length(struct bed *b, struct mr_packet *p, unsigned at, unsigned of, unsigned sum)
{
	mr_edit_length(b->rec, p,
	    &(struct mr_length){ .offset = (uint16_t)at,
		.of = (uint16_t)of,
		.more = (int16_t)oracle_draw(&b->rng),
		.sum = (uint16_t)sum,
		.kind = (uint8_t)(draw(b, 2) ? MR_SUM_UDP : MR_SUM_PLAIN),
		.twice = draw(b, 2) });
}

/* A header in front, with one length or two; what is drawn for checksum and length is small, so that
 * both zeros and all ones are among it. */
static void
encapsulate(struct bed *b, struct mr_packet *p)
{
	static const uint8_t some[] = { 0, 0, 0xff, 0xff };
	unsigned at = place(b, p->len - 4), len = 8 + draw(b, 36), sum, of;

	if (!mr_edit_push(b->rec, p, at, len))
		return;
	set_random(b, p, at, len);
	sum = at + 4 + 2 * draw(b, (len - 6) / 2);
	for (unsigned i = 0; i < 2; i++) {
		if (draw(b, 2))
			mr_edit_set(b->rec, p, at + 2, some + draw(b, 3), 2);
		if (draw(b, 2))
			mr_edit_set(b->rec, p, sum, some + draw(b, 3), 2);
	}
	of = at + len + draw(b, 3);
	set_length(b, p, at + 2, draw(b, 2) ? of : 0, draw(b, 3) ? sum : 0);
	if (draw(b, 2))
		set_length(b, p, at, draw(b, 2) ? at + 2 : 0, 0);
	if (draw(b, 2))
		mr_edit_sum(b->rec, p, sum, oracle_draw(&b->rng),
		    draw(b, 2) ? MR_SUM_PLAIN : MR_SUM_UDP);
}

static void
step(struct bed *b, struct mr_packet *p, unsigned kind)
{
	unsigned len = 1 + draw(b, draw(b, 4) ? 8 : 40), at;

	switch (kind) {
	case 0:
		len = MR_MIN(len, (unsigned)p->len);
		set_random(b, p, place(b, p->len - len), len);
		break;
	case 1:
		at = place(b, p->len);
		if (!mr_edit_push(b->rec, p, at, len))
			break;
		set_random(b, p, at, len);
		break;
	case 2:
		len = MR_MIN(len, (unsigned)p->len);
		mr_edit_pop(b->rec, p, place(b, p->len - len), len);
		break;
	case 3:
		mr_edit_sum(b->rec, p, place(b, p->len - 2),
		    mr_checksum_delta16((be16_t)oracle_draw(&b->rng), (be16_t)oracle_draw(&b->rng)),
		    draw(b, 3) ? MR_SUM_PLAIN : MR_SUM_UDP);
		break;
	case 4:
		mr_edit_ttl4(b->rec, p, place(b, p->len - 12));
		break;
	case 5:
		mr_edit_ttl6(b->rec, p, place(b, p->len - 8));
		break;
	case 6:
		len = 1 + draw(b, 8);
		mr_guard(b->rec, p, place(b, p->len - len), len,
		    draw(b, 2) ? UINT64_MAX : 1ull << draw(b, 64) | 1ull << draw(b, 64));
		break;
	case 7:
		mr_guard_length(b->rec, p, p->total + draw(b, 20));
		break;
	case 8:
		encapsulate(b, p);
		break;
	default:
		set_length(b, p, place(b, p->len - 2), draw(b, 2) ? 0 : place(b, p->len - 2),
		    draw(b, 3) ? 0 : place(b, p->len - 2));
		break;
	}
}

static void
begin(struct bed *b, struct mr_packet *p)
{
	assert_true(mr_recorder_attach(b->rec, p, 0));
	b->rec->node = NODE;
	mr_record_op(b->rec, p, MR_OP_NODE);
}

static void
finish(struct bed *b, struct mr_packet *p)
{
	mr_record_op(b->rec, p, MR_OP_OUTPUT)->arg = 2;
	mr_record_end(b->rec, p);
}

/* Walks a packet of the flow through so many random steps. */
static void
record(struct bed *b, const struct oracle_flow *f, struct mr_packet *p, unsigned steps)
{
	begin(b, p);
	if (draw(b, 4) == 0)
		assert_true(mr_edit_family(b->rec, p, oracle_l3(f), f->six ? 4 : 6));
	if (draw(b, 2))
		mr_record_use(b->rec, p, oracle_draw(&b->rng) & oracle_draw(&b->rng));
	for (unsigned i = 0; i < steps; i++)
		if (p->len >= 16)
			step(b, p, draw(b, 10));
	finish(b, p);
}

static void
explain_failure(const struct mr_program *g, const struct mr_recording *r)
{
	for (unsigned i = 0; i < r->count; i++)
		fprintf(stderr, "%s at %u len %u arg %u a %llx b %llx\n",
		    mr_op_kind_name(r->ops[i].kind), r->ops[i].offset, r->ops[i].len, r->ops[i].arg,
		    (unsigned long long)r->ops[i].a, (unsigned long long)r->ops[i].b);
	fprintf(stderr, "flags %x grow %d write %u ttl %u\n", g->flags, g->grow, g->write_len,
	    g->ttl);
}

struct tally {
	unsigned built, fitted, refused, simple, related, families, lengths, patches;
};

/* Some keep the recorded packet's other bytes but for one, so that guards are met and missed
 * by little. */
static struct mr_packet *
sibling(struct bed *b, const struct oracle_flow *f, const struct mr_packet *original)
{
	unsigned least = oracle_min(f);
	struct mr_packet *p;

	if (draw(b, 4) == 0)
		return oracle_packet_of(f, &b->rng, ORACLE_HEADROOM, least + draw(b, 100));
	p = oracle_clone(original);
	for (unsigned i = draw(b, 3); i > 0; i--)
		mr_packet_bytes(p)[draw(b, p->len)] ^= (uint8_t)(1u << draw(b, 8));
	oracle_shape(f, mr_packet_bytes(p));
	if (draw(b, 8) == 0) {
		p->len = (uint16_t)(least + draw(b, p->len - least + 1u));
		p->total = p->len;
	}
	return p;
}

/* A flow that has these fields in common with another, and nothing else. */
static struct oracle_flow
relative(struct bed *b, const struct oracle_flow *f, unsigned fields)
{
	struct oracle_flow other;

	do
		oracle_flow_draw(&other, &b->rng);
	while (other.six != f->six);
	other.bridged = f->bridged;
	other.tagged = f->tagged;
	other.vlan = f->vlan;
	if (fields & MR_FLOW_L2 || !f->bridged)
		memcpy(other.macs, f->macs, sizeof(other.macs));
	if (fields & MR_FLOW_SRC)
		memcpy(other.src, f->src, sizeof(other.src));
	if (fields & MR_FLOW_DST)
		memcpy(other.dst, f->dst, sizeof(other.dst));
	if (fields & MR_FLOW_PROTO)
		other.proto = f->proto;
	/* Of ICMP the identifier is the first, and the type the second. */
	for (unsigned i = 0; i < 4; i++)
		if (fields & ((i < 2) != oracle_is_icmp(f) ? MR_FLOW_SPORT : MR_FLOW_DPORT))
			other.ports[i] = f->ports[i];
	return other;
}

static void
check(struct bed *b, uint32_t program, const struct mr_flow_values *values, struct mr_packet *p,
    bool *fits)
{
	const struct mr_program *g = mr_program_at(b->programs, program);

	if (!oracle_same(g, values, &b->got, p, fits)) {
		explain_failure(g, &b->got);
		fail_msg("another packet came out (fits %d)", *fits);
	}
	free(p);
}

static void
round_of(struct bed *b, struct tally *t)
{
	struct oracle_flow f, other;
	struct mr_flow_key key;
	struct mr_packet *walked, *original, *p;
	uint32_t program, arg, stamp;
	struct mr_flow_values values;
	unsigned fields;
	enum mr_program_refusal why;
	bool fits;

	oracle_flow_draw(&f, &b->rng);
	oracle_key(&f, &key);
	original = oracle_packet_of(&f, &b->rng, ORACLE_HEADROOM, oracle_min(&f) + draw(b, 100));
	walked = oracle_clone(original);
	record(b, &f, walked, draw(b, 7));
	why = mr_program_build(b->programs, &b->got, &key, 9, &program, &arg, &stamp, &values,
	    &fields);
	if (why) {
		/* Only edits can be at fault. */
		assert_true(why == MR_PROGRAM_CONFLICT || why == MR_PROGRAM_LONG);
		t->refused++;
		goto out;
	}
	t->built++;
	t->simple += !!(mr_program_at(b->programs, program)->flags & MR_PROGRAM_SIMPLE);
	t->families += !!(mr_program_at(b->programs, program)->flags & MR_PROGRAM_FAMILY);
	if (mr_program_at(b->programs, program)->flags & (MR_PROGRAM_LENGTH | MR_PROGRAM_LENGTHS)) {
		t->lengths++;
		t->patches += !!(mr_program_at(b->programs, program)->flags & MR_PROGRAM_PATCH);
	}
	check(b, program, &values, oracle_clone(original), &fits);
	assert_true(fits);
	for (unsigned i = 0; i < 5; i++) {
		check(b, program, &values, sibling(b, &f, original), &fits);
		t->fitted += fits;
	}
	/* Whoever agrees in what the walk rested on may be replayed by the same program. */
	for (unsigned i = 0; i < 2; i++) {
		other = relative(b, &f, fields);
		if (original->len < oracle_min(&other))
			continue;
		p = oracle_clone(original);
		oracle_shape(&other, mr_packet_bytes(p));
		p->len -= (uint16_t)draw(b, original->len - oracle_min(&other) + 1);
		p->total = p->len;
		check(b, program, &values, p, &fits);
		t->related += fits;
	}
	mr_program_release(b->programs, program);
out:
	free(walked);
	free(original);
}

static void
random_walks(void **state)
{
	struct tally t = { 0 };
	struct bed b;

	bed_open(&b, 42);
	for (unsigned i = 0; i < 30000; i++)
		round_of(&b, &t);
	print_message(
	    "%u built, %u refused, %u fitted, %u related, %u simple, %u families, %u with "
	    "lengths, %u of them patches\n",
	    t.built, t.refused, t.fitted, t.related, t.simple, t.families, t.lengths, t.patches);
	/* It did not refuse its way out. */
	assert_true(t.built > 3 * t.refused);
	assert_true(t.fitted > 2 * t.built && t.fitted < 5 * t.built);
	assert_true(t.related > t.built / 4 && t.related < 2 * t.built);
	assert_true(t.simple > t.built / 20);
	assert_true(t.families > t.built / 20);
	assert_true(t.lengths > t.built / 20);
	assert_true(t.patches > t.lengths / 20);
	bed_close(&b);
}

/* A replay that is traced does the same, and what it writes down is a program to the same effect. */
static void
recorded_replays(void **state)
{
	unsigned twice = 0;
	struct bed b;

	bed_open(&b, 43);
	for (unsigned i = 0; i < 5000; i++) {
		struct oracle_flow f;
		struct mr_flow_key key;
		struct mr_packet *p, *plain, *traced, *again;
		uint32_t program, second, arg, stamp;
		struct mr_flow_values values;
		unsigned fields;

		oracle_flow_draw(&f, &b.rng);
		oracle_key(&f, &key);
		p = oracle_packet_of(&f, &b.rng, ORACLE_HEADROOM, oracle_min(&f) + draw(&b, 100));
		plain = oracle_clone(p);
		traced = oracle_clone(p);
		again = oracle_clone(p);
		record(&b, &f, p, draw(&b, 6));
		if (!mr_program_build(b.programs, &b.got, &key, 9, &program, &arg, &stamp, &values,
			&fields)) {
			const struct mr_program *g = mr_program_at(b.programs, program);

			assert_true(mr_program_edit(g, &values, NULL, plain));
			begin(&b, traced);
			assert_true(mr_program_edit(g, &values, b.rec, traced));
			finish(&b, traced);
			assert_int_equal(plain->len, traced->len);
			assert_int_equal(plain->data, traced->data);
			assert_memory_equal(mr_packet_bytes(plain), mr_packet_bytes(traced),
			    plain->len);
			/* Moves became writes of what they moved, for this packet true. */
			if (!mr_program_build(b.programs, &b.got, &key, 9, &second, &arg, &stamp,
				&values, &fields)) {
				g = mr_program_at(b.programs, second);
				assert_true(mr_program_fits(g, again));
				assert_true(mr_program_edit(g, &values, NULL, again));
				assert_memory_equal(mr_packet_bytes(plain), mr_packet_bytes(again),
				    plain->len);
				mr_program_release(b.programs, second);
				twice++;
			}
			mr_program_release(b.programs, program);
		}
		free(p);
		free(plain);
		free(traced);
		free(again);
	}
	assert_true(twice > 3000);
	bed_close(&b);
}

/* Whatever the headroom, it is enough or nothing happens. */
static void
headroom(void **state)
{
	struct bed b;

	bed_open(&b, 44);
	for (unsigned i = 0; i < 5000; i++) {
		struct oracle_flow f;
		struct mr_flow_key key;
		struct mr_packet *p, *tight, *before;
		uint32_t program, arg, stamp;
		struct mr_flow_values values;
		unsigned fields, room = draw(&b, 50);

		oracle_flow_draw(&f, &b.rng);
		oracle_key(&f, &key);
		p = oracle_packet_of(&f, &b.rng, ORACLE_HEADROOM, oracle_min(&f) + 50);
		tight = oracle_packet(room, p->len);
		memcpy(mr_packet_bytes(tight), mr_packet_bytes(p), p->len);
		before = oracle_clone(tight);
		record(&b, &f, p, draw(&b, 4));
		if (!mr_program_build(b.programs, &b.got, &key, 9, &program, &arg, &stamp, &values,
			&fields)) {
			const struct mr_program *g = mr_program_at(b.programs, program);

			if (mr_program_edit(g, &values, NULL, tight)) {
				assert_true(g->grow <= (int)room);
				assert_memory_equal(mr_packet_bytes(tight), mr_packet_bytes(p),
				    p->len);
			} else {
				assert_true(
				    MR_MAX(g->grow, 0) + (g->flags & MR_PROGRAM_FAMILY ? 20 : 0) >
				    (int)room);
				assert_memory_equal(tight, before, before->data + before->len);
			}
			/* The metadata in front is not ours to write. */
			assert_memory_equal((uint8_t *)tight + 16, (uint8_t *)before + 16, 48);
			mr_program_release(b.programs, program);
		}
		free(p);
		free(tight);
		free(before);
	}
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walks),
		cmocka_unit_test(recorded_replays),
		cmocka_unit_test(headroom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
