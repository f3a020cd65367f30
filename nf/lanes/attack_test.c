/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lane under attack: whatever strangers send costs them the graph at most. Memory has a bound,
 * flows of honest people stay in the lane, and a counter says what is going on.
 *
 * Every attack, and who tests it (the others are nf/conntrack/attack_test.c and nf/router/attack_test.c):
 *
 *   hash collisions   keys_that_collide; conntrack: keys_of_one_bucket
 *   mask explosion    masks_do_not_explode; kit/flow/mask_test.c: test_bounds
 *   SYN flood         syns_pass_the_lane_by; conntrack: syn_flood, syn_flood_at_the_proxy
 *   port scan         a_scan_earns_nothing, single_packets_leave_no_trace; conntrack: udp_scan,
 *                     one_greedy_source
 *   fragment flood    fragments_pass_the_lane_by, fragments_do_not_keep_others_out; conntrack:
 *                     fragment_flood; nf/icmp/fragment_test.c for reassembly
 *   a full table      a_full_table_keeps_who_is_there; conntrack: syn_flood, udp_scan (its table
 *                     is full in both), all_places_taken_for_good, one_greedy_source (the
 *                     limit of a source)
 *   packets that change on the way, or cannot be replayed   changing_packets_walk,
 *                     what_cannot_be_replayed_is_not_tried_again_and_again
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/flow/lane_int.h"
#include "kit/packet/wire.h"
#include "nf/lanes/lanes_bed_int.h"

#define HONEST 40u /* flows, one packet of each in every vector */
#define ATTACK 200u
#define VECTORS 300u
#define FLOWS_MAX 1024u

static const char configuration[] =
    "system: {buffers: 4096}\n"
    "interface:\n"
    "  a: {driver: \"null\"}\n  b: {driver: \"null\"}\n  c: {driver: \"null\"}\n"
    "  d: {driver: \"null\"}\n  e: {driver: \"null\"}\n  f: {driver: \"null\"}\n"
    "router:\n"
    "  r:\n"
    "    interface:\n"
    "      a: {mac: \"02:00:00:00:aa:01\", address: 10.0.0.1/24, mtu: 1500}\n"
    "      b: {mac: \"02:00:00:00:aa:02\", address: 10.1.0.1/24, mtu: 600}\n"
    "    neighbor:\n"
    "      static: {10.1.0.9: {interface: b, mac: \"02:00:00:00:01:09\"}}\n"
    "    route:\n"
    "      10.100.0.0/16: {via: 10.1.0.9}\n"
    "      10.101.0.0/16: {via: 10.1.0.66}\n";
static const char lanes[] = "lanes: {mode: flow, flows: 1024}\n";

struct attack {
	struct bed *bed;
	struct bed_random random;
	struct bed_flow honest[HONEST];
	uint64_t honest_given;
	uint64_t before[MR_LANE_COUNTER_COUNT];
};

static struct mr_lane *
lane_of(const struct attack *t)
{
	return mr_lanes_lane(t->bed->planes[0].dp);
}

static void
flow(struct bed_flow *f, unsigned net, unsigned host)
{
	memset(f, 0, sizeof(*f));
	f->proto = MR_IP_PROTO_UDP;
	f->ttl = 64;
	f->size = 20;
	mr_store_be32(f->src, 10u << 24 | (2 + host % 200));
	mr_store_be32(f->dst, 10u << 24 | net << 16 | host);
	f->sport = (uint16_t)(2000 + host);
	f->dport = 80;
}

/* Somebody else each time. */
static void
stranger(struct attack *t, struct bed_flow *f)
{
	flow(f, 100, 0x8000 + bed_draw(&t->random, 0x7000));
	mr_store_be32(f->src, 10u << 24 | (2 + bed_draw(&t->random, 250)));
	f->sport = (uint16_t)bed_draw(&t->random, 65536);
	f->dport = (uint16_t)bed_draw(&t->random, 65536);
}

static void
give(struct attack *t, const struct bed_flow *f)
{
	uint8_t frame[BED_FRAME_MAX + 64];

	bed_give(t->bed, 0, frame, bed_frame_plain(f, 0, frame), 0, 0);
}

static void
give_honest(struct attack *t)
{
	for (unsigned i = 0; i < HONEST; i++)
		give(t, &t->honest[i]);
	t->honest_given += HONEST;
}

/* Honest flows are there before. */
static void
begin_with(struct attack *t, const char *more)
{
	char text[BED_TEXT_MAX];

	memset(t, 0, sizeof(*t));
	t->random.state = 99;
	snprintf(text, sizeof(text), "%s%s", configuration, more);
	t->bed = bed_open(text, lanes, 1);
	for (unsigned i = 0; i < HONEST; i++)
		flow(&t->honest[i], 100, 1 + i);
	for (unsigned i = 0; i < 3; i++) {
		give_honest(t);
		bed_run(t->bed);
	}
	t->honest_given = 0;
	for (unsigned c = 0; c < MR_LANE_COUNTER_COUNT; c++)
		t->before[c] = bed_lane_count(t->bed, c);
}

static void
begin(struct attack *t)
{
	begin_with(t, "");
}

static uint64_t
counted(const struct attack *t, enum mr_lane_counter counter)
{
	return bed_lane_count(t->bed, counter) - t->before[counter];
}

static void
finish(struct attack *t)
{
	struct mr_lane_stats s;

	mr_lane_stats(lane_of(t), 0, &s);
	assert_true(s.flows.flows <= FLOWS_MAX);
	/* Entries, buckets and programs of a table of this size. */
	assert_true(s.flows.memory + s.programs.memory < (2u << 20));
	bed_compare(t->bed, false);
	bed_close(t->bed);
}

static void
single_packets_leave_no_trace(void **state)
{
	struct attack t;
	struct mr_lane_stats s;
	struct bed_flow f;

	(void)state;
	begin(&t);
	for (unsigned v = 0; v < VECTORS; v++) {
		give_honest(&t);
		for (unsigned i = 0; i < ATTACK; i++) {
			stranger(&t, &f);
			give(&t, &f);
		}
		bed_run(t.bed);
	}
	assert_true(counted(&t, MR_LANE_COUNT_REPLAYED) * 100 >= t.honest_given * 99);
	assert_true(counted(&t, MR_LANE_COUNT_FIRST) > VECTORS * ATTACK * 99 / 100);
	mr_lane_stats(lane_of(&t), 0, &s);
	assert_true(s.flows.flows <= HONEST + 20);
	finish(&t);
}

/* Two packets each: they earn entries, until there are no more. Who is there stays, and with time
 * the strangers go. */
static void
a_full_table_keeps_who_is_there(void **state)
{
	uint64_t refused, strangers;
	struct attack t;
	struct mr_lane_stats s;
	struct bed_flow f;

	(void)state;
	begin(&t);
	for (unsigned v = 0; v < VECTORS; v++) {
		give_honest(&t);
		bed_run(t.bed);
		for (unsigned i = 0; i < ATTACK / 2; i++) {
			stranger(&t, &f);
			give(&t, &f);
			give(&t, &f);
		}
		bed_run(t.bed);
	}
	mr_lane_stats(lane_of(&t), 0, &s);
	refused = s.flows.refused;
	strangers = counted(&t, MR_LANE_COUNT_RECORDED);
	assert_int_equal(s.flows.flows, FLOWS_MAX);
	assert_true(refused > 1000 && s.refused[MR_PROGRAM_MEMORY] > 1000);
	assert_true(strangers > 1000);
	assert_true(counted(&t, MR_LANE_COUNT_REPLAYED) * 100 >= t.honest_given * 99);
	for (unsigned i = 0; i < 70; i++) {
		give_honest(&t);
		bed_run(t.bed);
		bed_tick(t.bed, 1000);
	}
	mr_lane_stats(lane_of(&t), 0, &s);
	assert_int_equal(s.flows.flows, HONEST);
	assert_true(s.flows.expired >= FLOWS_MAX - HONEST);
	finish(&t);
}

/* Keys that all fall into one bucket, which only who knows the hash's secret can choose: no flow is
 * lost for it, and honest ones do not notice. */
static void
keys_that_collide(void **state)
{
	struct attack t;
	struct bed_flow f, chosen[ATTACK];
	struct lane_worker *l;
	unsigned count = 0;
	uint64_t replayed;

	(void)state;
	begin(&t);
	l = lane_of(&t)->workers[0];
	for (uint32_t port = 0; count < ATTACK && port < 60000u * 65536u; port++) {
		struct mr_flow_key key = { .where =
					       MR_FLOW_WHERE(t.bed->planes[0].ports[0].port->index,
						   0, MR_IP_PROTO_UDP, 0) };

		flow(&f, 100, 0x9000);
		f.sport = (uint16_t)port;
		f.dport = (uint16_t)(port >> 16);
		memcpy(key.src, f.src, 4);
		memcpy(key.dst, f.dst, 4);
		key.sport = mr_be16(f.sport);
		key.dport = mr_be16(f.dport);
		if ((mr_flow_table_hash(l->table, &key) & 1023) == 7)
			chosen[count++] = f;
	}
	assert_int_equal(count, ATTACK);
	for (unsigned v = 0; v < 20; v++) {
		give_honest(&t);
		for (unsigned i = 0; i < ATTACK; i++)
			give(&t, &chosen[i]);
		bed_run(t.bed);
	}
	/* Some wait a round for their entry, having met at the door. */
	replayed = counted(&t, MR_LANE_COUNT_REPLAYED);
	assert_in_range(replayed, t.honest_given + ATTACK * 17, t.honest_given + ATTACK * 18);
	finish(&t);
}

/* A flow that is too long for its way, or too old, with every second packet; and one of the same
 * addresses that is not. */
static void
changing_packets_walk(void **state)
{
	struct attack t;
	struct bed_flow f;

	(void)state;
	begin(&t);
	flow(&f, 100, 0x8000);
	for (unsigned i = 0; i < 3; i++) {
		give(&t, &f);
		bed_run(t.bed);
	}
	for (unsigned v = 0; v < VECTORS; v++) {
		give_honest(&t);
		for (unsigned i = 0; i < ATTACK; i++) {
			f.size = i % 2 ? 20 : 900;
			f.ttl = i % 5 ? (uint8_t)(2 + i) : 1;
			give(&t, &f);
		}
		bed_run(t.bed);
	}
	assert_true(counted(&t, MR_LANE_COUNT_REPLAYED) * 100 >= t.honest_given * 99);
	assert_true(counted(&t, MR_LANE_COUNT_NOT_PLAIN) >= VECTORS * ATTACK / 5);
	assert_true(counted(&t, MR_LANE_COUNT_CONDITION) >= VECTORS * ATTACK / 4);
	assert_true(counted(&t, MR_LANE_COUNT_ORDER) >= VECTORS * ATTACK / 4);
	/* It is not recorded again for that. */
	assert_true(counted(&t, MR_LANE_COUNT_RECORDED) < 10);
	finish(&t);
}

/* To a next hop that is not there: a recording in a second at most. */
static void
what_cannot_be_replayed_is_not_tried_again_and_again(void **state)
{
	struct attack t;
	struct bed_flow f;

	(void)state;
	begin(&t);
	flow(&f, 101, 3);
	for (unsigned second = 0; second < 10; second++) {
		for (unsigned v = 0; v < VECTORS / 10; v++) {
			give_honest(&t);
			for (unsigned i = 0; i < ATTACK; i++)
				give(&t, &f);
			bed_run(t.bed);
		}
		bed_tick(t.bed, 1000);
	}
	assert_true(counted(&t, MR_LANE_COUNT_REPLAYED) * 100 >= t.honest_given * 99);
	/* Seconds alone do not make decisions old. */
	assert_int_equal(counted(&t, MR_LANE_COUNT_STALE), 0);
	assert_true(counted(&t, MR_LANE_COUNT_BARRED) >= VECTORS * ATTACK * 9 / 10);
	assert_in_range(counted(&t, MR_LANE_COUNT_RECORDED), 5, 40);
	finish(&t);
}

/* Not plain, of random addresses: none of the honest flows must keep its order with them. */
static void
fragments_do_not_keep_others_out(void **state)
{
	struct attack t;
	struct bed_flow f;
	uint8_t frame[BED_FRAME_MAX + 64];

	(void)state;
	begin(&t);
	for (unsigned v = 0; v < VECTORS; v++) {
		give_honest(&t);
		for (unsigned i = 0; i < ATTACK; i++) {
			unsigned len;

			stranger(&t, &f);
			f.proto = MR_IP_PROTO_GRE;
			len = bed_frame_plain(&f, 0, frame);
			bed_give(t.bed, 0, frame, len, 0, 0);
		}
		bed_run(t.bed);
	}
	assert_int_equal(counted(&t, MR_LANE_COUNT_NOT_PLAIN), VECTORS * ATTACK);
	assert_true(counted(&t, MR_LANE_COUNT_REPLAYED) * 100 >= t.honest_given * 99);
	finish(&t);
}

/* Vectors of honest flows with strangers' frames in between. */
static void
flood(struct attack *t, unsigned (*make)(struct attack *, unsigned n, uint8_t *frame))
{
	uint8_t frame[BED_FRAME_MAX + 64];

	for (unsigned v = 0; v < VECTORS; v++) {
		give_honest(t);
		for (unsigned i = 0; i < ATTACK; i++)
			bed_give(t->bed, 0, frame, make(t, v * ATTACK + i, frame), 0, 0);
		bed_run(t->bed);
	}
	assert_true(counted(t, MR_LANE_COUNT_REPLAYED) * 100 >= t->honest_given * 99);
}

static unsigned
make_syn(struct attack *t, unsigned n, uint8_t *frame)
{
	struct bed_flow f;
	unsigned len;

	stranger(t, &f);
	f.proto = MR_IP_PROTO_TCP;
	len = bed_frame_plain(&f, n, frame);
	frame[14 + 20 + 13] = MR_TCP_SYN;
	bed_sum_l4(&f, frame + 14, frame + 34, len - 34);
	return len;
}

static void
syns_pass_the_lane_by(void **state)
{
	struct attack t;
	struct mr_lane_stats s;

	(void)state;
	begin(&t);
	flood(&t, make_syn);
	assert_int_equal(counted(&t, MR_LANE_COUNT_NOT_PLAIN), VECTORS * ATTACK);
	mr_lane_stats(lane_of(&t), 0, &s);
	assert_int_equal(s.flows.flows, HONEST);
	finish(&t);
}

static unsigned
make_fragment(struct attack *t, unsigned n, uint8_t *frame)
{
	struct bed_flow f;
	unsigned len;

	stranger(t, &f);
	f.number = n;
	len = bed_frame_plain(&f, n, frame);
	/* First pieces of packets, and others. */
	mr_store_be16(frame + 14 + 6,
	    (uint16_t)(n % 2 ? MR_IP4_MORE_FRAGMENTS : 1 + bed_draw(&t->random, 100)));
	bed_sum4(frame + 14);
	return len;
}

static void
fragments_pass_the_lane_by(void **state)
{
	struct attack t;
	struct mr_lane_stats s;

	(void)state;
	begin(&t);
	flood(&t, make_fragment);
	assert_int_equal(counted(&t, MR_LANE_COUNT_NOT_PLAIN), VECTORS * ATTACK);
	mr_lane_stats(lane_of(&t), 0, &s);
	assert_int_equal(s.flows.flows, HONEST);
	finish(&t);
}

/* From one address to another one: every port. */
static unsigned
make_probe(struct attack *t, unsigned n, uint8_t *frame)
{
	struct bed_flow f;

	(void)t;
	flow(&f, 100, 0x9000);
	f.dport = (uint16_t)n;
	return bed_frame_plain(&f, n, frame);
}

static void
a_scan_earns_nothing(void **state)
{
	struct attack t;
	struct mr_lane_stats s;

	(void)state;
	begin(&t);
	flood(&t, make_probe);
	assert_true(counted(&t, MR_LANE_COUNT_FIRST) > VECTORS * ATTACK * 99 / 100);
	mr_lane_stats(lane_of(&t), 0, &s);
	assert_true(s.flows.flows <= HONEST + 20);
	finish(&t);
}

/* Rules of every prefix length: a cache that holds what bits were looked at would need a mask for
 * each pair of lengths. Here fields count, and all are one mask. */
static void
write_prefixes(struct bed_text *t)
{
	bed_say(t, "acl:\n  list:\n    l:\n      default: accept\n      rule:\n");
	for (unsigned len = 9; len <= 32; len++) {
		unsigned host = 0x8000u + len * 0x400;
		uint32_t address =
		    (10u << 24 | 100u << 16 | host) & (uint32_t)(~0ull << (32 - len));

		bed_say(t, "        - {name: d%u, destination: %u.%u.%u.%u/%u, action: continue}\n",
		    len, address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255,
		    len);
		bed_say(t, "        - {name: s%u, source: 10.0.0.0/%u, action: continue}\n", len,
		    len);
	}
	bed_say(t, "  interface: {a: {in: l}}\n");
}

static unsigned
make_any(struct attack *t, unsigned n, uint8_t *frame)
{
	struct bed_flow f;

	stranger(t, &f);
	f.proto = n % 3 ? MR_IP_PROTO_UDP : n % 2 ? MR_IP_PROTO_TCP : MR_IP_PROTO_ICMP;
	if (n % 5 == 0)
		f.sport = (uint16_t)(900 + n % 24 * 100);
	return bed_frame_plain(&f, n, frame);
}

static void
masks_do_not_explode(void **state)
{
	char rules[16384];
	struct bed_text text = { .at = rules, .size = sizeof(rules) };
	struct mr_flow_masks_stats masks;
	uint8_t frame[BED_FRAME_MAX + 64];
	unsigned len;
	struct attack t;

	(void)state;
	write_prefixes(&text);
	begin_with(&t, rules);
	/* Twice each, so that they earn an entry. */
	for (unsigned v = 0; v < VECTORS; v++) {
		give_honest(&t);
		for (unsigned i = 0; i < ATTACK / 2; i++) {
			len = make_any(&t, v * ATTACK + i, frame);
			bed_give(t.bed, 0, frame, len, 0, 0);
			bed_give(t.bed, 0, frame, len, 0, 0);
		}
		bed_run(t.bed);
	}
	assert_true(counted(&t, MR_LANE_COUNT_REPLAYED) * 100 >= t.honest_given * 99);
	assert_true(counted(&t, MR_LANE_COUNT_RECORDED) > 1000);
	mr_flow_masks_stats(lane_of(&t)->workers[0]->masks, &masks);
	assert_in_range(masks.count, 1, 3);
	assert_true(masks.mask[0].entries <= FLOWS_MAX);
	finish(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_packets_leave_no_trace),
		cmocka_unit_test(a_full_table_keeps_who_is_there),
		cmocka_unit_test(keys_that_collide),
		cmocka_unit_test(changing_packets_walk),
		cmocka_unit_test(what_cannot_be_replayed_is_not_tried_again_and_again),
		cmocka_unit_test(fragments_do_not_keep_others_out),
		cmocka_unit_test(syns_pass_the_lane_by),
		cmocka_unit_test(fragments_pass_the_lane_by),
		cmocka_unit_test(a_scan_earns_nothing),
		cmocka_unit_test(masks_do_not_explode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
