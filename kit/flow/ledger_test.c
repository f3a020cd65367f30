/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The ledger: whatever lane packets take, each is in one entry once, or among what is ignored or
 * no IP.
 */
#include "kit/flow/lane_bed.h"

#define LEDGER \
	(struct mr_lane_config) \
	{ \
		.ledger_flows = 4096 \
	}

/* What the ledger has for the flow of this source port; fails when it has none or two. */
static struct mr_ledger_entry
entry_of(struct bed *b, uint16_t sport, uint32_t *index)
{
	struct mr_ledger_entry e, found = { 0 };

	for (uint32_t i = 1; i <= mr_lane_ledger_top(b->lane, 0); i++) {
		if (!mr_lane_ledger_peek(b->lane, 0, i, &e) || mr_be16(e.key.sport) != sport)
			continue;
		assert_int_equal(found.birth, 0);
		found = e;
		if (index)
			*index = i;
	}
	return found;
}

static void
assert_entry(struct bed *b, uint16_t sport, unsigned packets, unsigned octets)
{
	struct mr_ledger_entry e = entry_of(b, sport, NULL);

	assert_int_equal(e.packets, packets);
	assert_int_equal(e.octets, octets);
}

static uint32_t
flows(struct bed *b)
{
	uint64_t memory;

	return mr_lane_ledger_flows(b->lane, 0, &memory);
}

static struct mr_ledger_port
port_of(struct bed *b, uint16_t port)
{
	struct mr_ledger_port p;

	mr_lane_ledger_port(b->lane, 0, port, &p);
	return p;
}

/* -- packets ------------------------------------------------------------------------------------- */

static void
one_entry_for_both_lanes(void **state)
{
	struct mr_ledger_entry e;
	struct bed b;

	begin(&b, LEDGER, 1);
	give(&b, SEND, 7); /* first */
	assert_entry(&b, 7, 1, FRAME - L3);
	assert_false(entry_of(&b, 7, NULL).linked);
	assert_int_equal(entry_of(&b, 7, NULL).out, MR_LEDGER_NOWHERE);
	give(&b, SEND, 7); /* recorded */
	assert_entry(&b, 7, 2, 2 * (FRAME - L3));
	for (unsigned i = 0; i < 10; i++)
		give(&b, SEND, 7);
	assert_counted(&b, REPLAYED, 10);
	assert_entry(&b, 7, 12, 12 * (FRAME - L3));
	e = entry_of(&b, 7, NULL);
	assert_true(e.linked);
	assert_int_equal(e.out, 2);
	assert_int_equal(e.fate, MR_LEDGER_FORWARDED);
	assert_false(e.translated);
	assert_true(e.first <= e.last);
	/* Found out of date and recorded anew, it stays the same flow. */
	commit(&b);
	give(&b, SEND, 7);
	give(&b, SEND, 7);
	assert_counted(&b, STALE, 1);
	assert_entry(&b, 7, 14, 14 * (FRAME - L3));
	assert_int_equal(entry_of(&b, 7, NULL).birth, e.birth);
	/* The lane's entry ages; this one stays. */
	at(&b, 300);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(stats(&b, 0).flows.flows, 0);
	assert_entry(&b, 7, 14, 14 * (FRAME - L3));
	assert_false(entry_of(&b, 7, NULL).linked);
	finish(&b);
}

static void
what_cannot_be_replayed(void **state)
{
	struct bed b;

	begin(&b, LEDGER, 1);
	for (unsigned i = 0; i < 5; i++)
		give(&b, REFUSE, 1);
	assert_counted(&b, BARRED, 3);
	assert_entry(&b, 1, 5, 5 * (FRAME - L3));
	/* Longer than the program takes. */
	learn(&b, SHORT, 2);
	inject(&b, 0, 0, packet(&b, SHORT, 2, SHORT_LENGTH + 10));
	give(&b, SHORT, 2);
	assert_counted(&b, CONDITION, 1);
	assert_entry(&b, 2, 4, 3 * (FRAME - L3) + SHORT_LENGTH + 10 - L3);
	for (unsigned i = 0; i < 4; i++)
		give(&b, DROP, 3);
	assert_entry(&b, 3, 4, 4 * (FRAME - L3));
	assert_int_equal(entry_of(&b, 3, NULL).fate, MR_LEDGER_DROPPED);
	assert_int_equal(entry_of(&b, 3, NULL).out, MR_LEDGER_NOWHERE);
	finish(&b);
}

static void
entries_for_many(void **state)
{
	struct bed b;

	begin(&b, LEDGER, 1);
	learn(&b, MAP, 1);
	for (uint16_t i = 2; i < 50; i++)
		give(&b, MAP, i);
	assert_true(count(&b, MR_LANE_COUNT_WIDE) >= 48);
	for (uint16_t i = 2; i < 50; i++)
		assert_entry(&b, i, 1, FRAME - L3);
	for (unsigned n = 0; n < 3; n++)
		for (uint16_t i = 2; i < 50; i++)
			give(&b, MAP, i);
	for (uint16_t i = 2; i < 50; i++)
		assert_entry(&b, i, 4, 4 * (FRAME - L3));
	assert_int_equal(flows(&b), 49);
	finish(&b);
}

static void
translated_flows(void **state)
{
	struct mr_ledger_entry e;
	struct bed b;

	begin(&b, LEDGER, 1);
	learn(&b, TRANSLATE, 700);
	e = entry_of(&b, 700, NULL);
	assert_true(e.translated);
	assert_memory_equal(e.to_src, ((uint8_t[]){ 192, 0, 2, 700 % 256 }), 4);
	assert_memory_equal(e.to_dst, e.key.dst, 16);
	assert_int_equal(mr_be16(e.to_sport), 1700);
	assert_int_equal(mr_be16(e.to_dport), 80);
	finish(&b);
}

static void
padding_is_no_octets(void **state)
{
	struct bed b;

	begin(&b, LEDGER, 1);
	for (unsigned i = 0; i < 6; i++) {
		uint32_t p = packet(&b, SEND, 9, 50);
		struct mr_packet *meta = mr_packet_at(b.buffers->base, p);

		meta->len = 60;
		meta->total = 60;
		inject(&b, 0, 0, p);
	}
	assert_counted(&b, REPLAYED, 4);
	assert_entry(&b, 9, 6, 6 * (50 - L3));
	finish(&b);
}

/* SYN, a fragment, ICMP that is no echo, options, and what is no IP. */
static void
packets_without_a_key(void **state)
{
	struct mr_ledger_entry e;
	uint32_t p;
	uint8_t *ip;
	struct bed b;

	begin(&b, LEDGER, 1);
	p = packet(&b, SEND, 11, 80);
	ip = mr_packet_bytes(mr_packet_at(b.buffers->base, p)) + L3;
	ip[9] = MR_IP_PROTO_TCP;
	ip[1] = 0xb8;
	ip[32] = 0x50;
	ip[33] = MR_TCP_SYN;
	inject(&b, 0, 0, p);
	e = entry_of(&b, 11, NULL);
	assert_int_equal(e.packets, 1);
	assert_int_equal(e.octets, 66);
	assert_int_equal(e.tcp, MR_TCP_SYN);
	assert_int_equal(e.tos, 0xb8);
	assert_int_equal(MR_FLOW_WHERE_PROTO(e.key.where), MR_IP_PROTO_TCP);
	/* The second fragment: no ports. */
	p = packet(&b, SEND, 12, 80);
	ip = mr_packet_bytes(mr_packet_at(b.buffers->base, p)) + L3;
	ip[7] = 10;
	inject(&b, 0, 0, p);
	assert_entry(&b, 0, 1, 66);
	/* ICMP: type 3, code 4. */
	p = packet(&b, SEND, 13, 80);
	ip = mr_packet_bytes(mr_packet_at(b.buffers->base, p)) + L3;
	ip[9] = MR_IP_PROTO_ICMP;
	ip[20] = 3;
	ip[21] = 4;
	inject(&b, 0, 1, p);
	assert_int_equal(flows(&b), 3);
	for (uint32_t i = 1; i <= 3; i++)
		if (mr_lane_ledger_peek(b.lane, 0, i, &e) &&
		    MR_FLOW_WHERE_PROTO(e.key.where) == MR_IP_PROTO_ICMP)
			assert_int_equal(mr_be16(e.key.dport), 4 << 8 | 3);
	/* ARP; and IPv4 that says to be longer than it is. */
	p = packet(&b, SEND, 14, 60);
	mr_packet_bytes(mr_packet_at(b.buffers->base, p))[13] = 6;
	inject(&b, 0, 0, p);
	p = packet(&b, SEND, 15, 60);
	mr_packet_bytes(mr_packet_at(b.buffers->base, p))[L3 + 2] = 9;
	inject(&b, 0, 0, p);
	assert_int_equal(port_of(&b, 0).other_packets, 2);
	assert_int_equal(port_of(&b, 0).other_bytes, 120);
	assert_int_equal(flows(&b), 3);
	finish(&b);
}

/* -- room ------------------------------------------------------------------------------------------ */

static void
a_full_ledger_ignores(void **state)
{
	uint64_t packets = 0;
	struct bed b;

	begin(&b, (struct mr_lane_config){ .ledger_flows = 16 }, 1);
	for (unsigned n = 0; n < 5; n++)
		for (uint16_t i = 1; i <= 20; i++)
			give(&b, SEND, i);
	assert_int_equal(flows(&b), 16);
	/* What is replayed of them is told when the lane lets them go. */
	at(&b, 300);
	mr_graph_pass(b.graph, 0);
	for (uint16_t i = 1; i <= 20; i++)
		packets += entry_of(&b, i, NULL).packets;
	assert_int_equal(packets, 80);
	assert_int_equal(port_of(&b, 0).ignored_packets, 20);
	assert_int_equal(port_of(&b, 0).ignored_octets, 20 * (FRAME - L3));
	finish(&b);
}

static void
entries_go_when_they_were_read(void **state)
{
	struct mr_ledger_entry e;
	uint32_t index, birth;
	struct bed b;

	begin(&b, LEDGER, 1);
	give(&b, SEND, 1);
	e = entry_of(&b, 1, &index);
	birth = e.birth;
	/* One came meanwhile: it stays. */
	give(&b, REFUSE, 2);
	assert_true(mr_lane_ledger_release(b.lane, 0, index, birth, 0));
	at(&b, 101);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(flows(&b), 2);
	assert_true(mr_lane_ledger_release(b.lane, 0, index, birth, 1));
	at(&b, 102);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(flows(&b), 1);
	assert_false(mr_lane_ledger_peek(b.lane, 0, index, &e));
	/* Its index is another's. */
	give(&b, SEND, 3);
	assert_true(mr_lane_ledger_peek(b.lane, 0, index, &e));
	assert_int_equal(mr_be16(e.key.sport), 3);
	assert_int_not_equal(e.birth, birth);
	/* Not while the lane has it. */
	learn(&b, SEND, 3);
	give(&b, SEND, 3);
	e = entry_of(&b, 3, &index);
	assert_true(e.linked);
	assert_true(mr_lane_ledger_release(b.lane, 0, index, e.birth, e.packets));
	at(&b, 103);
	mr_graph_pass(b.graph, 0);
	assert_entry(&b, 3, 4, 4 * (FRAME - L3));
	finish(&b);
}

/* Whatever comes, nothing is lost or counted twice. */
static void
a_random_mixture(void **state)
{
	static const enum what whats[] = { SEND, DROP, REFUSE, CELL, REGION, TRANSLATE, MAP,
		SECONDLY };
	uint64_t given = 0, octets = 0, found = 0, found_octets = 0;
	struct mr_ledger_entry e;
	struct bed b;

	begin(&b, LEDGER, 1);
	srandom(20261121);
	for (unsigned n = 0; n < 20000; n++) {
		unsigned len = 60 + (unsigned)random() % 100;

		inject(&b, 0, (unsigned)random() % 2,
		    packet(&b, whats[random() % MR_ARRAY_COUNT(whats)],
			(uint16_t)(random() % 100 + 1), len));
		given++;
		octets += len - L3;
		if (random() % 500 == 0)
			mr_generation_bump(&b.judge.cell);
		if (random() % 1000 == 0)
			at(&b, b.seconds + (uint32_t)random() % 40);
		if (random() % 2000 == 0)
			commit(&b);
	}
	for (uint32_t i = 1; i <= mr_lane_ledger_top(b.lane, 0); i++) {
		if (!mr_lane_ledger_peek(b.lane, 0, i, &e))
			continue;
		found += e.packets;
		found_octets += e.octets;
	}
	assert_true(count(&b, MR_LANE_COUNT_REPLAYED) > 1000);
	assert_int_equal(found, given);
	assert_int_equal(found_octets, octets);
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_entry_for_both_lanes),
		cmocka_unit_test(what_cannot_be_replayed),
		cmocka_unit_test(entries_for_many),
		cmocka_unit_test(translated_flows),
		cmocka_unit_test(padding_is_no_octets),
		cmocka_unit_test(packets_without_a_key),
		cmocka_unit_test(a_full_ledger_ignores),
		cmocka_unit_test(entries_go_when_they_were_read),
		cmocka_unit_test(a_random_mixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
