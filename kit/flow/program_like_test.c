/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Recordings that are alike: whatever two of them differ in, a store that knows the first gives the
 * second what a store that knows nothing makes of it.
 */

#include "kit/flow/program_bed.h"
#include "kit/flow/program_int.h"

struct twins {
	struct bed knows, fresh;
	struct mr_regions *regions[2];
	struct mr_generation cells[3];
	unsigned found, refused;
};

static unsigned
draw(struct twins *t, unsigned below)
{
	return oracle_draw(&t->knows.rng) % below;
}

static void
read_address(struct twins *t, struct bed *b, bool src, unsigned which)
{
	op_region(b, t->regions[which], program_region_of(&b->key, src));
}

/* One operation of a walk that nothing is opened or removed by, mostly. */
static void
step(struct twins *t, struct bed *b)
{
	static const unsigned places[] = { 0, 6, 12, 14, 20, 22, 23, 26, 30, 34, 36, 38, 47 };
	unsigned at = places[draw(t, MR_ARRAY_COUNT(places))];
	uint8_t bytes[16];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)draw(t, 256);
	switch (draw(t, 16)) {
	case 0:
	case 1:
		op_set(b, 0, ethernet, 12);
		break;
	case 2:
		op_set(b, draw(t, 3) ? 0 : at, bytes, 1 + draw(t, 12));
		break;
	case 3:
		/* What is there already. */
		op_set(b, at, mr_packet_bytes(b->packet) + at, 1 + draw(t, 4));
		break;
	case 4:
	case 5:
		op_guard(b, at, 1 + draw(t, 8), draw(t, 2) ? UINT64_MAX >> 56 : 1ull << draw(t, 8));
		break;
	case 6:
		op_read(b, &t->cells[draw(t, 3)], 0);
		break;
	case 7:
		read_address(t, b, draw(t, 2), draw(t, 2));
		break;
	case 8:
		op_arg(b, MR_OP_COUNT, NODE_A, draw(t, 4));
		b->r.ops[b->r.count - 1].a = draw(t, 3);
		break;
	case 9:
		op_arg(b, MR_OP_CALL, NODE_A, draw(t, 3) * 1000);
		b->r.ops[b->r.count - 1].len = draw(t, 4) == 0;
		break;
	case 10:
		op_arg(b, MR_OP_TALLY, NODE_A, draw(t, 3));
		break;
	case 11:
		op_arg(b, MR_OP_USE, NODE_A, draw(t, 64));
		break;
	case 12:
		op_ttl(b, 14, draw(t, 8) ? 4 : 6);
		break;
	case 13:
		op_arg(b, MR_OP_LENGTH, NODE_A, 1400 + draw(t, 200));
		break;
	case 14:
		op(b, draw(t, 2) ? MR_OP_NOTE : MR_OP_MATCH, NODE_A)->a = draw(t, 1000);
		break;
	default:
		op_at(b, draw(t, 3) ? MR_OP_META : MR_OP_PUSH, 12, 4);
		break;
	}
}

/* The same with one thing changed: of the operations, the flow, the packet, or of what it rests on. */
static void
change(struct twins *t, struct bed *b)
{
	struct mr_op *o = &b->r.ops[draw(t, b->r.count)];

	switch (draw(t, 10)) {
	case 0:
		((uint8_t *)o)[draw(t, 4) ? 16 + draw(t, 8) : 1 + draw(t, 7)] ^=
		    (uint8_t)(1 << draw(t, 8));
		break;
	case 1:
		if (o->kind == MR_OP_COUNT || o->kind == MR_OP_CALL || o->kind == MR_OP_USE)
			o->arg = draw(t, 4);
		break;
	case 2:
		if (o->kind != MR_OP_READ && o->kind != MR_OP_REGION)
			o->a ^= 1ull << draw(t, 64);
		break;
	case 3:
		/* Where the address is not: or the other's. */
		if (o->kind == MR_OP_REGION)
			o->arg = draw(t, 2) ? draw(t, MR_REGIONS)
					    : program_region_of(&b->key, draw(t, 2));
		break;
	case 4:
		if (o->kind == MR_OP_REGION || o->kind == MR_OP_READ)
			o->a++;
		break;
	case 5:
		b->r.snap[draw(t, b->r.snapped)] ^= (uint8_t)(1 << draw(t, 8));
		break;
	case 6:
		b->r.snapped = (uint16_t)(30 + draw(t, 40));
		break;
	case 7:
		b->key.pair = draw(t, 2);
		break;
	default:
		break;
	}
}

static void
note_time(struct twins *t, struct bed *b)
{
	for (unsigned i = 0; i < b->r.count; i++)
		if (b->r.ops[i].kind == MR_OP_NODE)
			b->r.ops[i].a = draw(t, 1u << 30);
}

/* Regions that were the address's are the new one's. */
static void
move_regions(struct bed *b, const struct mr_flow_key *before)
{
	for (unsigned i = 0; i < b->r.count; i++) {
		struct mr_op *o = &b->r.ops[i];

		if (o->kind != MR_OP_REGION)
			continue;
		for (unsigned src = 0; src < 2; src++)
			if (o->arg == program_region_of(before, src)) {
				o->arg = program_region_of(&b->key, src);
				break;
			}
		o->a = mr_generation_read(
		    &((const struct mr_regions *)(uintptr_t)o->b)->cells[o->arg]);
	}
}

/* Another flow on the same walk. */
static void
other_flow(struct twins *t, struct bed *b, const struct mr_recording *walk)
{
	struct mr_flow_key before = b->key;

	for (unsigned i = 0; i < 4 && draw(t, 3); i++) {
		b->flow.src[draw(t, 4)] = (uint8_t)draw(t, 256);
		b->flow.ports[draw(t, 4)] = (uint8_t)draw(t, 256);
		if (draw(t, 2))
			b->flow.dst[draw(t, 4)] = (uint8_t)draw(t, 256);
	}
	/* Both addresses in one region: its cell is read once. */
	if (draw(t, 8) == 0)
		memcpy(b->flow.dst, b->flow.src, 4);
	restart(b);
	b->r.count = walk->count;
	memcpy(b->r.ops, walk->ops, walk->count * sizeof(walk->ops[0]));
	move_regions(b, &before);
	note_time(t, b);
}

static void
compare(struct twins *t)
{
	struct bed *k = &t->knows, *f = &t->fresh;
	size_t from = offsetof(struct mr_program, verdict),
	       to = offsetof(struct mr_program, checked);
	size_t on = offsetof(struct mr_program, write);
	enum mr_program_refusal why, expected;
	uint32_t like = 0;
	unsigned fields;

	f->key = k->key;
	f->r = k->r;
	if (program_like_read(&k->programs->like, &k->r, &k->key))
		like = program_like_find(k->programs, &k->r, &k->key, &fields);
	if (like)
		mr_program_release(k->programs, like);
	why = build(k);
	mr_programs_set_era(f->programs, 0);
	expected = build(f);
	assert_int_equal(why, expected);
	if (why) {
		assert_int_equal(like, 0);
		t->refused++;
		return;
	}
	t->found += like != 0;
	assert_true(!like || like == k->program);
	assert_int_equal(k->arg, f->arg);
	assert_int_equal(k->stamp, f->stamp);
	assert_int_equal(k->fields, f->fields);
	assert_memory_equal(&k->values, &f->values, sizeof(k->values));
	assert_int_equal(program(k)->checked, 77);
	assert_int_equal(program(k)->lines, program(f)->lines);
	assert_memory_equal((uint8_t *)program(k) + from, (uint8_t *)program(f) + from, to - from);
	assert_memory_equal((uint8_t *)program(k) + on, (uint8_t *)program(f) + on,
	    program(k)->lines * MR_CACHE_LINE - on);
	mr_program_release(f->programs, f->program);
	/* Some go at once: what was like them must not be found any more. */
	if (draw(t, 8) == 0)
		mr_program_release(k->programs, k->program);
}

static void
open_twins(struct twins *t)
{
	memset(t, 0, sizeof(*t));
	open_bed(&t->knows, 65536);
	open_bed(&t->fresh, 65536);
	for (unsigned i = 0; i < 2; i++) {
		t->regions[i] = calloc(1, sizeof(*t->regions[i]));
		assert_non_null(t->regions[i]);
	}
}

static void
close_twins(struct twins *t)
{
	for (unsigned i = 0; i < 2; i++)
		free(t->regions[i]);
	close_bed(&t->knows);
	close_bed(&t->fresh);
}

static void
random_walks(void **state)
{
	struct mr_recording walk;
	struct twins t;
	struct bed *b;

	open_twins(&t);
	b = &t.knows;
	for (unsigned i = 0; i < 6000; i++) {
		restart(b);
		op(b, MR_OP_NODE, NODE_A);
		for (unsigned k = draw(&t, draw(&t, 8) ? 8 : 34); k > 0; k--)
			step(&t, b);
		op_arg(b, draw(&t, 8) ? MR_OP_OUTPUT : MR_OP_DROP, NODE_A, draw(&t, 3));
		walk = b->r;
		compare(&t);
		for (unsigned k = 0; k < 6; k++) {
			other_flow(&t, b, &walk);
			walk = b->r;
			if (draw(&t, 2))
				change(&t, b);
			compare(&t);
			if (draw(&t, 64) == 0)
				mr_generation_bump(
				    &t.regions[draw(&t, 2)]
					 ->cells[program_region_of(&b->key, draw(&t, 2))]);
		}
	}
	assert_true(t.found > 6000);
	assert_true(t.refused > 2000 && t.refused < 30000);
	close_twins(&t);
}

/* A routed flow: another source, port and region, and the way there is known. */
static void
the_way_is_known(void **state)
{
	struct mr_programs_stats stats;
	struct twins t;
	struct bed *b;
	uint32_t first;

	open_twins(&t);
	b = &t.knows;
	for (unsigned i = 0; i < 3; i++) {
		b->flow.src[3] = (uint8_t)(7 + i);
		b->flow.dst[0] = (uint8_t)(20 + i);
		b->flow.ports[1] = (uint8_t)(i * 5);
		restart(b);
		op(b, MR_OP_NODE, NODE_A)->a = 1000 + i;
		read_address(&t, b, false, 0);
		op(b, MR_OP_MATCH, NODE_A)->a = i;
		op_set(b, 0, ethernet, 12);
		op_ttl(b, 14, 4);
		op_arg(b, MR_OP_CALL, NODE_A, 40 + i);
		op_arg(b, MR_OP_OUTPUT, MR_GRAPH_NODE_TX, 2);
		compare(&t);
		assert_int_equal(t.found, i);
		assert_int_equal(b->arg, 40 + i);
		first = i ? first : b->program;
		assert_int_equal(b->program, first);
		assert_non_null(strstr(print(b), "lan"));
	}
	/* Another next hop is another program, then known, too. */
	for (unsigned i = 0; i < 2; i++) {
		b->r.ops[3].bytes[5] = 0x77;
		compare(&t);
		assert_int_equal(t.found, 2 + i);
		assert_true(b->program != first);
	}
	/* A new plan: nothing is known. */
	mr_programs_set_era(b->programs, 1);
	mr_programs_set_era(b->programs, 0);
	compare(&t);
	assert_int_equal(t.found, 3);
	mr_programs_stats(b->programs, &stats);
	assert_int_equal(stats.built, 2);
	close_twins(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walks),
		cmocka_unit_test(the_way_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
