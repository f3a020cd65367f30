/* SPDX-License-Identifier: Apache-2.0 */
/* Packets through track and confirm: what state each is found in. */
#include "nf/conntrack/track_test_int.h"

#define S MR_TCP_SYN
#define A MR_TCP_ACK
#define R MR_TCP_RST
#define F MR_TCP_FIN

static void
udp_is_new_until_answered(void **state)
{
	struct frame there, back;
	struct bed b;

	bed_open(&b, 1024, 1);
	for (unsigned six = 0; six < 2; six++) {
		const struct ends e = { six, 1, 2, 1000, 53 }, r = ends_back(&e);

		frame_udp(&there, &e, 10);
		frame_udp(&back, &r, 100);
		assert_int_equal(bed_one(&b, 0, &there), NEW);
		assert_int_equal(bed_one(&b, 0, &there), NEW);
		assert_int_equal(bed_one(&b, 1, &back), EST | BACK);
		assert_int_equal(bed_one(&b, 0, &there), EST);
		assert_int_equal(bed_one(&b, 1, &back), EST | BACK);
	}
	assert_int_equal(ct_table_used(b.core->table), 2);
	bed_close(&b);
}

static void
tcp_from_end_to_end(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 80 }, r = ends_back(&e);
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	/* Not a beginning. */
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, S | A, 500, 101, 0)), INV);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, R, 500, 0, 0)), INV);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, F | A, 500, 1, 0)), INV);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, 0, 500, 1, 0)), INV);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, S, 100, 0, 0)), NEW);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, S, 100, 0, 0)), NEW);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, S | A, 500, 101, 0)), EST | BACK);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, A, 101, 501, 0)), EST);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, A, 101, 501, 700)), EST);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, A, 999101, 501, 700)), INV);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, A, 501, 801, 0)), EST | BACK);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, A, 501, 802, 0)), INV);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, F | A, 501, 801, 0)), EST | BACK);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, F | A, 801, 502, 0)), EST);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, A, 502, 802, 0)), EST | BACK);
	/* In TIME_WAIT its ports may be used again: a new connection, with its beginning. */
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, S, 9100, 0, 0)), NEW);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, S | A, 500, 9101, 0)), EST | BACK);
	assert_int_equal(ct_table_used(b.core->table), 1);
	bed_close(&b);
}

static void
a_refusal_ends_it(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 80 }, r = ends_back(&e);
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, S, 100, 0, 0)), NEW);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, R | A, 0, 101, 0)), EST | BACK);
	assert_int_equal(ct_table_used(b.core->table), 0);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, S, 100, 0, 0)), NEW);
	/* Given up by who asked, before an answer. */
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, R, 101, 0, 0)), NEW);
	assert_int_equal(ct_table_used(b.core->table), 0);
	bed_close(&b);
}

static void
midway_if_loose(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 80 }, r = ends_back(&e);
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	atomic_store(&b.core->options, 0);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, A, 100, 500, 9)), INV);
	atomic_store(&b.core->options, CT_LOOSE);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, A, 100, 500, 9)), NEW);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, A, 500, 109, 9)), EST | BACK);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, A, 109, 509, 9)), EST);
	bed_close(&b);
}

static void
icmp_by_number_and_asker(void **state)
{
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	for (unsigned six = 0; six < 2; six++) {
		const struct ends e = { six, 1, 2, 0, 0 }, r = ends_back(&e);
		uint8_t ask = six ? 128 : 8, answer = six ? 129 : 0;

		assert_int_equal(bed_one(&b, 1, frame_icmp(&f, &r, answer, 0, 7)), INV);
		assert_int_equal(bed_one(&b, 0, frame_icmp(&f, &e, ask, 0, 7)), NEW);
		/* The other end asks under the same number: another connection. */
		assert_int_equal(bed_one(&b, 1, frame_icmp(&f, &r, ask, 0, 7)), NEW);
		assert_int_equal(bed_one(&b, 1, frame_icmp(&f, &r, answer, 0, 8)), INV);
		assert_int_equal(bed_one(&b, 1, frame_icmp(&f, &r, answer, 0, 7)), EST | BACK);
		assert_int_equal(bed_one(&b, 0, frame_icmp(&f, &e, ask, 0, 7)), EST);
		assert_int_equal(bed_one(&b, 0, frame_icmp(&f, &e, answer, 0, 7)), EST | BACK);
	}
	assert_int_equal(ct_table_used(b.core->table), 4);
	bed_close(&b);
}

static void
links_talk_without_connections(void **state)
{
	static const uint8_t untracked[] = { 130, 131, 132, 133, 134, 135, 136, 143 };
	const struct ends e = { 1, 1, 2, 0, 0 };
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	for (unsigned i = 0; i < sizeof(untracked); i++)
		assert_int_equal(bed_one(&b, 0, frame_icmp(&f, &e, untracked[i], 0, 0)), UNT);
	assert_int_equal(bed_one(&b, 0, frame_icmp(&f, &e, 137, 0, 0)), INV);
	assert_int_equal(bed_one(&b, 0, frame_icmp(&f, &e, 200, 0, 0)), INV);
	/* ARP */
	frame_icmp(&f, &e, 8, 0, 0);
	f.bytes[12] = 8;
	f.bytes[13] = 6;
	assert_int_equal(bed_one(&b, 0, &f), UNT);
	assert_int_equal(ct_table_used(b.core->table), 0);
	bed_close(&b);
}

static void
errors_are_related(void **state)
{
	struct frame f, q;
	struct bed b;

	bed_open(&b, 1024, 1);
	for (unsigned six = 0; six < 2; six++) {
		const struct ends e = { six, 1, 2, 1000, 80 }, r = ends_back(&e);
		const struct ends other = { six, 1, 2, 1001, 80 };
		uint8_t type = six ? 1 : 3;

		frame_udp(&q, &e, 10);
		assert_int_equal(bed_one(&b, 1, frame_about(&f, &q, 99, type, 1)), INV);
		assert_int_equal(bed_one(&b, 0, &q), NEW);
		assert_int_equal(bed_one(&b, 1, frame_about(&f, &q, 99, type, 1)), REL | BACK);
		/* It does not make the connection answered. */
		assert_int_equal(bed_one(&b, 0, &q), NEW);
		frame_udp(&q, &r, 10);
		assert_int_equal(bed_one(&b, 0, frame_about(&f, &q, 98, type, 1)), REL);
		frame_udp(&q, &other, 10);
		assert_int_equal(bed_one(&b, 1, frame_about(&f, &q, 99, type, 1)), INV);
		/* To somebody else than who sent the quoted packet. */
		frame_udp(&q, &e, 10);
		frame_about(&f, &q, 99, type, 1);
		f.bytes[14 + (six ? 39 : 19)] ^= 4;
		atomic_store(&b.core->options, 0);
		assert_int_equal(bed_one(&b, 1, &f), INV);
		atomic_store(&b.core->options, CT_LOOSE | CT_CHECKSUM);
		/* A wrong checksum. */
		frame_about(&f, &q, 99, type, 1);
		f.bytes[f.len - 1] ^= 1;
		assert_int_equal(bed_one(&b, 1, &f), INV);
	}
	/* About a query. */
	{
		const struct ends e = { 0, 5, 6, 0, 0 };

		frame_icmp(&q, &e, 8, 0, 9);
		assert_int_equal(bed_one(&b, 0, &q), NEW);
		assert_int_equal(bed_one(&b, 1, frame_about(&f, &q, 99, 11, 0)), REL | BACK);
		frame_about(&q, &f, 6, 3, 1);
		assert_int_equal(bed_one(&b, 1, &q), INV); /* about an error */
	}
	bed_close(&b);
}

static void
other_protocols_by_address(void **state)
{
	static const uint8_t protocols[] = { 2, 47, 50, 51, 89, 255 };
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	for (unsigned i = 0; i < sizeof(protocols); i++) {
		const struct ends e = { 0, 1, 2, 0, 0 }, r = ends_back(&e);

		assert_int_equal(bed_one(&b, 0, frame_proto(&f, &e, protocols[i])), NEW);
		assert_int_equal(bed_one(&b, 1, frame_proto(&f, &r, protocols[i])), EST | BACK);
		assert_int_equal(bed_one(&b, 0, frame_proto(&f, &e, protocols[i])), EST);
	}
	bed_close(&b);
}

static void
checksums_of_what_begins(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 53 };
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	frame_udp(&f, &e, 10);
	f.bytes[f.len - 1] ^= 1;
	assert_int_equal(bed_one(&b, 0, &f), INV);
	atomic_store(&b.core->options, CT_LOOSE);
	assert_int_equal(bed_one(&b, 0, &f), NEW);
	bed_close(&b);
}

static void
zones_are_apart(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 53 }, r = ends_back(&e);
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	atomic_store(&b.core->ports[1].zone, 3);
	assert_int_equal(bed_one(&b, 0, frame_udp(&f, &e, 10)), NEW);
	assert_int_equal(bed_one(&b, 1, frame_udp(&f, &r, 10)), NEW);
	assert_int_equal(ct_table_used(b.core->table), 2);
	atomic_store(&b.core->table->zones[3].limit, 1);
	assert_int_equal(bed_one(&b, 1, frame_udp(&f, &(struct ends){ 0, 8, 9, 1, 1 }, 10)), 0);
	assert_int_equal(bed_drops(&b, b.confirm[1], CT_CONFIRM_DROP_ZONE), 1);
	bed_close(&b);
}

static void
what_rules_drop_leaves_nothing(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 53 }, r = ends_back(&e);
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	b.deny = true;
	assert_int_equal(bed_one(&b, 0, frame_udp(&f, &e, 10)), 0);
	b.deny = false;
	assert_int_equal(ct_table_used(b.core->table), 0);
	assert_int_equal(bed_one(&b, 1, frame_udp(&f, &r, 10)), NEW);
	bed_close(&b);
}

/* Two beginnings in one vector are one connection. */
static void
twins_in_a_vector(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 53 };
	struct frame f;
	const struct frame *both[3] = { &f, &f, &f };
	struct bed b;

	bed_open(&b, 1024, 1);
	frame_udp(&f, &e, 10);
	bed_send(&b, 0, both, 3);
	assert_int_equal(b.count, 3);
	for (unsigned i = 1; i < 3; i++)
		assert_int_equal(b.seen[i], b.seen[0]);
	assert_int_equal(ct_table_used(b.core->table), 1);
	bed_close(&b);
}

static void
fragments_follow_the_first(void **state)
{
	struct frame whole, f[4];
	struct bed b;

	bed_open(&b, 1024, 1);
	for (unsigned six = 0; six < 2; six++) {
		const struct ends e = { six, 1, 2, 1000, 53 }, r = ends_back(&e);
		const struct frame *all[3] = { &f[0], &f[1], &f[2] };
		const struct frame *turned[3] = { &f[2], &f[0], &f[1] };
		struct mr_packet p = { 0 };
		be16_t sport, dport;

		frame_udp(&whole, &e, 1200);
		for (unsigned i = 0; i < 3; i++)
			frame_piece(&f[i], &whole, i * 400, 400 + (i == 2) * 16, 77);
		bed_send(&b, 0, all, 3);
		assert_int_equal(b.count, 3);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(b.seen[i] >> 24 & 31, NEW);
		p.track = b.seen[2];
		assert_true(ct_piece_ports(b.core, &p, &sport, &dport));
		assert_int_equal(sport, mr_be16(1000));
		assert_int_equal(dport, mr_be16(53));
		/* The last one comes first, and waits. */
		frame_udp(&whole, &r, 1200);
		for (unsigned i = 0; i < 3; i++)
			frame_piece(&f[i], &whole, i * 400, 400 + (i == 2) * 16, 78);
		bed_send(&b, 1, turned, 3);
		assert_int_equal(b.count, 3);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(b.seen[i] >> 24 & 31, EST);
		/* One of a packet whose first is never seen. */
		frame_piece(&f[3], &whole, 400, 400, 79);
		assert_int_equal(bed_one(&b, 1, &f[3]), 0);
		assert_int_equal(ct_fragments_waiting(b.core->fragments[0]), 1 + six);
	}
	assert_int_equal(ct_table_used(b.core->table), 2);
	bed_close(&b);
}

/* A segment in pieces: the other end may acknowledge all of it. */
static void
tcp_in_pieces(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 80 }, r = ends_back(&e);
	struct frame f, whole;
	struct bed b;

	bed_open(&b, 1024, 1);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, S, 100, 0, 0)), NEW);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, S | A, 500, 101, 0)), EST | BACK);
	assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, A, 101, 501, 0)), EST);
	frame_tcp(&whole, &e, A, 101, 501, 1000);
	assert_int_equal(bed_one(&b, 0, frame_piece(&f, &whole, 0, 400, 5)), EST);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, A, 501, 1101, 0)), INV);
	assert_int_equal(bed_one(&b, 0, frame_piece(&f, &whole, 400, 800, 5)), EST);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, A, 501, 1102, 0)), INV);
	assert_int_equal(bed_one(&b, 1, frame_tcp(&f, &r, A, 501, 1101, 0)), EST | BACK);
	bed_close(&b);
}

static void
sources_have_limits(void **state)
{
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	atomic_store(&b.core->ports[0].source_connections, 10);
	for (unsigned i = 0; i < 20; i++) {
		const struct ends mine = { 0, 1, 2, (uint16_t)i, 53 };
		const struct ends other = { 0, 100 + i, 2, 9, 53 };

		assert_int_equal(bed_one(&b, 0, frame_udp(&f, &mine, 10)), i < 10 ? NEW : 0);
		assert_int_equal(bed_one(&b, 0, frame_udp(&f, &other, 10)), NEW);
	}
	assert_int_equal(bed_drops(&b, b.confirm[0], CT_CONFIRM_DROP_SOURCE), 10);
	/* Those that end make room. */
	for (uint32_t i = 1; i <= b.core->table->top; i++)
		(void)ct_end(b.core->table, 0, i, b.core->table->lines[i].word, CT_COUNT_FLUSHED);
	assert_int_equal(ct_table_used(b.core->table), 0);
	for (unsigned i = 0; i < 20; i++) {
		const struct ends mine = { 0, 1, 2, (uint16_t)i, 53 };

		assert_int_equal(bed_one(&b, 0, frame_udp(&f, &mine, 10)), i < 10 ? NEW : 0);
	}
	atomic_store(&b.core->ports[1].source_connections, 0);
	mr_meter_rate_set(&b.core->ports[1].source_rate, mr_graph_hz(b.graph), 1, 5);
	for (unsigned i = 0; i < 20; i++) {
		const struct ends mine = { 0, 1, 3, (uint16_t)i, 53 };

		assert_int_equal(bed_one(&b, 1, frame_udp(&f, &mine, 10)), i < 5 ? NEW : 0);
	}
	assert_int_equal(bed_drops(&b, b.confirm[1], CT_CONFIRM_DROP_RATE), 15);
	bed_close(&b);
}

static void
time_ends_it(void **state)
{
	const struct ends e = { 0, 1, 2, 1000, 53 }, r = ends_back(&e);
	struct ct_table *t;
	struct frame f;
	struct bed b;

	bed_open(&b, 1024, 1);
	t = b.core->table;
	assert_int_equal(bed_one(&b, 0, frame_udp(&f, &e, 10)), NEW);
	t->lines[b.seen[0] & MR_TRACK_CONNECTION].seen -= 30;
	assert_int_equal(bed_one(&b, 1, frame_udp(&f, &r, 10)), EST | BACK);
	assert_int_equal(bed_one(&b, 0, frame_udp(&f, &e, 10)), EST);
	t->lines[b.seen[0] & MR_TRACK_CONNECTION].seen -= 31;
	assert_int_equal(bed_one(&b, 1, frame_udp(&f, &r, 10)), NEW);
	assert_int_equal(mr_counters_sum(t->counters, CT_COUNT_EXPIRED), 1);
	/* The sweep finds what nobody asks for. */
	ct_sweep(t, t->lines[b.seen[0] & MR_TRACK_CONNECTION].seen + 30, 100);
	assert_int_equal(ct_table_used(t), 1);
	ct_sweep(t, t->lines[b.seen[0] & MR_TRACK_CONNECTION].seen + 31, 100);
	assert_int_equal(ct_table_used(t), 0);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_is_new_until_answered),
		cmocka_unit_test(tcp_from_end_to_end),
		cmocka_unit_test(a_refusal_ends_it),
		cmocka_unit_test(midway_if_loose),
		cmocka_unit_test(icmp_by_number_and_asker),
		cmocka_unit_test(links_talk_without_connections),
		cmocka_unit_test(errors_are_related),
		cmocka_unit_test(other_protocols_by_address),
		cmocka_unit_test(checksums_of_what_begins),
		cmocka_unit_test(zones_are_apart),
		cmocka_unit_test(what_rules_drop_leaves_nothing),
		cmocka_unit_test(twins_in_a_vector),
		cmocka_unit_test(fragments_follow_the_first),
		cmocka_unit_test(tcp_in_pieces),
		cmocka_unit_test(sources_have_limits),
		cmocka_unit_test(time_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
