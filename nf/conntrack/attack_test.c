/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on a small table: those who talk already keep on talking, memory stays what it is, and
 * a counter tells.
 */
#include "nf/conntrack/track_test_int.h"

#define MAX 1024u
#define TALKS 200u
#define FLOOD 40000u

#define S MR_TCP_SYN
#define A MR_TCP_ACK

static struct ends
talk(unsigned i)
{
	return (struct ends){ i & 1, 1000 + i, 2, (uint16_t)(2000 + i), 443 };
}

static void
open_talks(struct bed *b)
{
	struct frame f;

	for (unsigned i = 0; i < TALKS; i++) {
		const struct ends e = talk(i), r = ends_back(&e);

		assert_int_equal(bed_one(b, 0, frame_tcp(&f, &e, S, 100, 0, 0)), NEW);
		assert_int_equal(bed_one(b, 1, frame_tcp(&f, &r, S | A, 500, 101, 0)), EST | BACK);
		assert_int_equal(bed_one(b, 0, frame_tcp(&f, &e, A, 101, 501, 0)), EST);
	}
}

/* How many of them still talk. */
static unsigned
talks_left(struct bed *b, unsigned n)
{
	unsigned left = 0;
	struct frame f;

	for (unsigned i = 0; i < TALKS; i++) {
		const struct ends e = talk(i);

		left += bed_one(b, 0, frame_tcp(&f, &e, A, 101 + n, 501, 1)) == EST;
	}
	return left;
}

/* The same connections after a flood, and how many new ones still get through. */
static void
after(struct bed *b, enum ct_count counter)
{
	struct ct_table *t = b->core->table;
	unsigned fresh = 0;
	struct frame f;

	assert_int_equal(talks_left(b, 0), TALKS);
	assert_true(mr_counters_sum(t->counters, counter) > 0);
	/* Places for `max` and for what workers hold in reserve. */
	assert_true(t->top <= MAX + 1024);
	for (unsigned i = 0; i < 200; i++) {
		const struct ends e = { 0, 50000 + i, 3, 1000, 53 }, r = ends_back(&e);

		if (bed_one(b, 0, frame_udp(&f, &e, 10)) == NEW)
			fresh += bed_one(b, 1, frame_udp(&f, &r, 10)) == (EST | BACK);
	}
	assert_true(fresh >= 198);
}

static void
syn_flood(void **state)
{
	uint64_t seed = 5;
	struct frame f;
	struct bed b;

	bed_open(&b, MAX, 1);
	open_talks(&b);
	for (unsigned i = 0; i < FLOOD; i++) {
		const struct ends e = { 0, (uint32_t)draw(&seed), 2, (uint16_t)draw(&seed), 80 };

		(void)bed_one(&b, 0, frame_tcp(&f, &e, S, (uint32_t)draw(&seed), 0, 0));
	}
	after(&b, CT_COUNT_EARLY);
	bed_close(&b);
}

static void
udp_scan(void **state)
{
	struct frame f;
	struct bed b;

	bed_open(&b, MAX, 1);
	open_talks(&b);
	for (unsigned i = 0; i < FLOOD; i++) {
		const struct ends e = { 0, 7, 2 + i % 16, 4000, (uint16_t)i };

		(void)bed_one(&b, 0, frame_udp(&f, &e, 0));
	}
	after(&b, CT_COUNT_EARLY);
	bed_close(&b);
}

/* With the SYN proxy a flood leaves nothing at all, and cookies cannot be guessed: a number out of
 * 2^24 is right, and the clock's last step counts, too. Of 10,000 tries one is lucky in a run of a
 * thousand; who knew how to guess would be lucky more often. */
static void
syn_flood_at_the_proxy(void **state)
{
	unsigned lucky = 0;
	struct mr_node_stats stats;
	uint64_t seed = 6;
	struct frame f;
	struct bed b;

	bed_open(&b, MAX, 1);
	open_talks(&b);
	atomic_store(&b.core->ports[0].proxy, CT_PROXY_ON);
	for (unsigned i = 0; i < FLOOD; i++) {
		const struct ends e = { i & 1, (uint32_t)draw(&seed), 2, (uint16_t)draw(&seed),
			80 };

		assert_int_equal(bed_one(&b, 0, frame_tcp(&f, &e, S, (uint32_t)draw(&seed), 0, 0)),
		    0);
		if (i % 4 == 0)
			lucky += bed_one(&b, 0,
				     frame_tcp(&f, &e, A, (uint32_t)draw(&seed),
					 (uint32_t)draw(&seed), 0)) != INV;
	}
	assert_true(lucky <= 2);
	assert_int_equal(ct_table_used(b.core->table), TALKS + lucky);
	assert_int_equal(talks_left(&b, 0), TALKS);
	assert_int_equal(mr_graph_node_stats(b.graph, b.confirm[0], &stats), 0);
	assert_int_equal(stats.counters[CT_CONFIRM_ANSWERED], FLOOD);
	assert_int_equal(stats.counters[CT_CONFIRM_RETURNED], lucky);
	bed_close(&b);
}

/* One source with a limit: others do not feel it. */
static void
one_greedy_source(void **state)
{
	struct frame f;
	struct bed b;

	bed_open(&b, MAX, 1);
	atomic_store(&b.core->ports[0].source_connections, 50);
	open_talks(&b);
	for (unsigned i = 0; i < FLOOD; i++) {
		const struct ends e = { 0, 7, 2 + i % 16, 4000, (uint16_t)i };

		(void)bed_one(&b, 0, frame_udp(&f, &e, 0));
	}
	assert_int_equal(mr_counters_sum(b.core->table->counters, CT_COUNT_EARLY), 0);
	after(&b, CT_COUNT_SOURCE);
	bed_close(&b);
}

static void
fragment_flood(void **state)
{
	const struct ends e = { 0, 7, 2, 1000, 53 };
	struct frame whole, f, pieces[2];
	const struct frame *good[2] = { &pieces[0], &pieces[1] };
	unsigned through = 0;
	struct bed b;

	bed_open(&b, MAX, 1);
	open_talks(&b);
	frame_udp(&whole, &e, 1000);
	for (unsigned i = 0; i < FLOOD; i++) {
		(void)bed_one(&b, 0, frame_piece(&f, &whole, 400, 400, i));
		assert_true(ct_fragments_waiting(b.core->fragments[0]) <= CT_FRAGMENT_WAITING);
		if (i % 400)
			continue;
		/* Somebody else's packet, in order. */
		frame_piece(&pieces[0], &whole, 0, 504, 60000 + i / 400);
		frame_piece(&pieces[1], &whole, 504, 504, 60000 + i / 400);
		bed_send(&b, 0, good, 2);
		through += b.count == 2;
	}
	assert_true(through >= FLOOD / 400 * 99 / 100);
	assert_true(bed_drops(&b, b.track[0], CT_TRACK_DROP_EARLY_FRAGMENT) > FLOOD / 2);
	assert_int_equal(talks_left(&b, 0), TALKS);
	bed_close(&b);
}

/* Somebody opens connections until there are no more, and keeps them: nobody who talks has to give
 * way, new ones are refused by name, and get in when there is room again. */
static void
all_places_taken_for_good(void **state)
{
	unsigned refused = 0, last = 0;
	struct frame f;
	struct bed b;

	bed_open(&b, MAX, 1);
	open_talks(&b);
	for (unsigned i = 0; i < 3 * MAX; i++) {
		const struct ends e = { 0, 70000 + i, 2, 1000, 80 }, r = ends_back(&e);

		if (bed_one(&b, 0, frame_tcp(&f, &e, S, 100, 0, 0)) != NEW) {
			refused++;
			continue;
		}
		(void)bed_one(&b, 1, frame_tcp(&f, &r, S | A, 500, 101, 0));
		(void)bed_one(&b, 0, frame_tcp(&f, &e, A, 101, 501, 0));
		last = i;
	}
	assert_true(refused >= MAX);
	assert_int_equal(bed_drops(&b, b.confirm[0], CT_CONFIRM_DROP_FULL), refused);
	assert_int_equal(mr_counters_sum(b.core->table->counters, CT_COUNT_FULL), refused);
	assert_true(ct_table_used(b.core->table) <= MAX + 1024 && b.core->table->top <= MAX + 1024);
	assert_int_equal(talks_left(&b, 0), TALKS);
	/* One of them is reset: it may give way from then on. */
	for (unsigned i = 0; i <= last; i++) {
		const struct ends e = { 0, 70000 + i, 2, 1000, 80 };

		(void)bed_one(&b, 0, frame_tcp(&f, &e, MR_TCP_RST, 101, 0, 0));
	}
	after(&b, CT_COUNT_FULL);
	bed_close(&b);
}

/* Keys that fall into one bucket of a table whose secret is known: it is full then, and no more. */
static void
keys_of_one_bucket(void **state)
{
	uint64_t seed = 8;
	struct ct_table *t;
	struct frame f;
	struct bed b;
	unsigned sent = 0;

	bed_open(&b, MAX, 1);
	t = b.core->table;
	open_talks(&b);
	while (sent < 200) {
		const struct ends e = { 0, (uint32_t)draw(&seed), 2, (uint16_t)draw(&seed), 80 };
		struct ct_packet k;
		struct mr_packet *p;
		uint32_t packet;

		frame_udp(&f, &e, 0);
		packet = mr_packet_from(b.buffers, 0, f.bytes, f.len);
		p = mr_packet_at(b.buffers->base, packet);
		ct_classify(&k, p, 0, b.core->apart);
		mr_packets_free(b.buffers, 0, &packet, 1);
		if ((ct_hash(t, &k.key) & t->slots.mask) != 3)
			continue;
		sent++;
		assert_int_equal(bed_one(&b, 0, &f), NEW);
	}
	after(&b, CT_COUNT_CREATED);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_flood),
		cmocka_unit_test(udp_scan),
		cmocka_unit_test(syn_flood_at_the_proxy),
		cmocka_unit_test(one_greedy_source),
		cmocka_unit_test(fragment_flood),
		cmocka_unit_test(all_places_taken_for_good),
		cmocka_unit_test(keys_of_one_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
