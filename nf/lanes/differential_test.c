/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The flow lane against the graph: two data planes with the same configuration are given the same
 * vectors, one with the lane in front, and whatever comes out, is counted or is shown must be equal,
 * also right after every change of routes, neighbours, links, configurations and time.
 *
 * MR_SOAK=N makes it N times as many rounds; MR_SEED another run of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/lanes/lanes_bed_int.h"

#define ROUNDS 12u /* configurations */
#define STEPS 30u  /* changes of each, and vectors after it */
#define LANES "lanes: {mode: flow}\n"

struct test {
	struct bed *bed;
	struct bed_shape shape;
	struct bed_random random;
	struct bed_flows flows;
	struct bed_talks talks;
	uint64_t changes;
	char what[128], text[BED_TEXT_MAX], kept[BED_TEXT_MAX];
	struct bed_shape kept_shape;
	bool down[BED_PORTS];
};

static void
doing(struct test *t, const char *what)
{
	snprintf(t->what, sizeof(t->what), "%s, change %lu", what, t->changes++);
	t->bed->doing = t->what;
}

static void
stations(struct test *t)
{
	bed_stations(t->bed);
	bed_tunnel_stations(t->bed, &t->shape);
}

static void
traffic(struct test *t)
{
	unsigned vectors = 6 + bed_draw(&t->random, 16);

	for (unsigned v = 0; v < vectors; v++) {
		unsigned ports = bed_one_in(&t->random, 4) ? BED_PORTS : 1;

		bed_talks_speak(t->bed, &t->talks, &t->shape, &t->random, 120);
		for (unsigned k = 0; k < ports; k++)
			bed_vector(t->bed, &t->flows, &t->shape, &t->random,
			    ports > 1 ? k : bed_draw(&t->random, BED_PORTS),
			    1 + bed_draw(&t->random, MR_VECTOR_MAX));
		if (bed_one_in(&t->random, 3))
			bed_tunnel_vector(t->bed, &t->flows, &t->shape, &t->random,
			    1 + bed_draw(&t->random, MR_VECTOR_MAX / 2));
		bed_run(t->bed);
		bed_compare(t->bed, false);
	}
}

/* -- changes ------------------------------------------------------------------------------ */

static void
change_route(struct test *t)
{
	struct mr_route_hop hops[4];
	struct mr_route route = { .source = MR_ROUTE_FPM, .hops = hops };
	bool six = bed_one_in(&t->random, 3), set = bed_draw(&t->random, 3);
	unsigned k = bed_draw(&t->random, BED_ROUTES), host = 1 + bed_draw(&t->random, 300);
	char name[2] = { (char)('r' + bed_draw(&t->random, 2)) };

	doing(t, set ? "a route set" : "a route taken away");
	memset(hops, 0, sizeof(hops));
	route.family = six ? MR_IP6 : MR_IP4;
	if (six) {
		memcpy(route.prefix, "\x20\1\xd\xb8\1", 5);
		route.prefix[5] = (uint8_t)k;
		route.len = bed_draw(&t->random, 2) ? 48 : 64;
	} else {
		route.prefix[0] = 10;
		route.prefix[1] = (uint8_t)(100 + k);
		route.len = 16;
		if (bed_draw(&t->random, 2)) {
			route.prefix[2] = (uint8_t)(host >> 8);
			route.prefix[3] = (uint8_t)host;
			route.len = 32;
		}
	}
	route.hop_count = (uint16_t)(1 + bed_draw(&t->random, 3));
	for (unsigned h = 0; h < route.hop_count; h++) {
		unsigned n = BED_SUBNET(bed_draw(&t->random, BED_PORTS),
		    bed_one_in(&t->random, 3) ? 7u : 0u);
		unsigned to = bed_draw(&t->random, 8) ? 9 : 0x10 + bed_draw(&t->random, 3);

		hops[h].kind = MR_HOP_VIA;
		hops[h].family = route.family;
		hops[h].weight = (uint16_t)(1 + bed_draw(&t->random, 3));
		if (six) {
			memcpy(hops[h].address, "\x20\1\xd\xb8\0", 5);
			hops[h].address[5] = (uint8_t)n;
			hops[h].address[15] = (uint8_t)to;
		} else {
			hops[h].address[0] = 10;
			hops[h].address[1] = (uint8_t)n;
			hops[h].address[3] = (uint8_t)to;
		}
		if (bed_one_in(&t->random, 8)) {
			hops[h].kind = MR_HOP_SPECIAL;
			hops[h].special = MR_IP_SPECIAL_BLACKHOLE;
			route.hop_count = (uint16_t)(h + 1);
		}
	}
	for (unsigned p = 0; p < BED_PLANES; p++) {
		struct mr_ip *ip = t->bed->planes[p].ip;
		struct mr_rib *rib = t->bed->planes[p].rib;
		uint16_t vrf = mr_ip_vrf_find(ip, name);
		struct mr_error error;

		if (vrf == UINT16_MAX)
			continue;
		if (set)
			(void)mr_rib_set(rib, vrf, &route, &error);
		else
			(void)mr_rib_unset(rib, vrf, route.family, route.prefix, route.len,
			    MR_ROUTE_FPM);
		mr_rib_settle(rib);
	}
}

static void
neighbors_heard(struct test *t, unsigned count)
{
	uint8_t frame[128];
	unsigned port, len;

	for (unsigned i = 0; i < count; i++) {
		port = bed_draw(&t->random, BED_PORTS);
		len = bed_frame_neighbor(&t->random, port,
		    t->shape.vlans[port] ? bed_draw(&t->random, 3) * 7 % 13 : 0, frame);
		bed_give(t->bed, port, frame, len, 0, 0);
		bed_run(t->bed);
	}
	bed_tick(t->bed, 1);
}

static void
change_neighbor(struct test *t)
{
	doing(t, "a neighbour heard");
	neighbors_heard(t, 4);
}

static void
move_station(struct test *t)
{
	uint8_t frame[64] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0xee };
	unsigned port = bed_draw(&t->random, BED_PORTS);

	doing(t, "a station moved");
	frame[11] = (uint8_t)(bed_draw(&t->random, BED_PORTS) * 4 + 3);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	bed_give(t->bed, port, frame, sizeof(frame), 0, 0);
	bed_run(t->bed);
}

static void
change_link(struct test *t)
{
	unsigned port = bed_draw(&t->random, BED_PORTS);

	/* One that is down comes back before the next goes. */
	for (unsigned p = 0; p < BED_PORTS; p++)
		port = t->down[p] ? p : port;
	t->down[port] = !t->down[port];
	doing(t, t->down[port] ? "a link down" : "a link up");
	bed_link(t->bed, port, !t->down[port]);
	bed_tick(t->bed, 1);
}

/* Nobody is away for longer than a few seconds. */
static void
pass_time(struct test *t, unsigned ms)
{
	for (; ms > 3000; ms -= 3000)
		bed_tick(t->bed, 3000);
	bed_tick(t->bed, ms);
}

static void
change_time(struct test *t)
{
	static const unsigned ms[] = { 1, 500, 1000, 1000, 3000, 11000, 61000 };

	unsigned left = ms[bed_draw(&t->random, MR_ARRAY_COUNT(ms))];

	doing(t, "time passed");
	pass_time(t, left);
}

static void
change_configuration(struct test *t)
{
	struct bed_text text = { .at = t->text, .size = sizeof(t->text) };

	doing(t, "a new configuration");
	bed_compare(t->bed, true);
	/* Pieces that wait in nodes which go are others' to drop, whoever comes first. */
	pass_time(t, 36000);
	/* Back to an earlier one, now and then: its nodes and cells are others all the same. */
	if (t->kept[0] && bed_one_in(&t->random, 3)) {
		memcpy(t->text, t->kept, sizeof(t->text));
		t->shape = t->kept_shape;
	} else {
		memcpy(t->kept, t->text, sizeof(t->text));
		t->kept_shape = t->shape;
		bed_configuration(&t->shape, &t->random, &text);
	}
	bed_apply(t->bed, t->text, LANES);
	bed_flows_draw(&t->flows, &t->shape, &t->random, 20);
	bed_talks_draw(&t->talks, &t->shape, &t->random, 100);
	stations(t);
	traffic(t);
	neighbors_heard(t, 60);
}

static void
change_flows(struct test *t)
{
	doing(t, "other flows");
	bed_flows_draw(&t->flows, &t->shape, &t->random, 10);
}

static void (*const changes[])(struct test *) = {
	change_route,
	change_route,
	change_neighbor,
	move_station,
	change_link,
	change_time,
	change_time,
	change_flows,
};

/* -- the test ----------------------------------------------------------------------------- */

static uint64_t
option(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : fallback;
}

/* What the lane did with packets, and what became of recordings. */
static void
say_counters(struct bed *b)
{
#define X(id, name, doc) name,
	static const char *const names[] = { MR_LANE_COUNTERS(X) };
#undef X
	struct mr_lane_stats s;

	for (unsigned c = 0; c < MR_LANE_COUNTER_COUNT; c++)
		print_message("%s %lu, ", names[c], bed_lane_count(b, c));
	print_message("\n");
	mr_lane_stats(mr_lanes_lane(b->planes[BED_FLOW].dp), 0, &s);
	for (unsigned i = 0; i < MR_PROGRAM_REFUSAL_COUNT; i++)
		print_message("%s %lu, ", mr_program_refusals()[i].name, s.refused[i]);
	print_message("\n");
}

static void
both_are_equal(void **state)
{
	struct test *t = calloc(1, sizeof(*t));
	struct bed_text text;
	uint64_t rounds = ROUNDS * option("MR_SOAK", 1), replayed, share;

	(void)state;
	assert_non_null(t);
	t->random.state = option("MR_SEED", 0x5eed) * 0x9e3779b97f4a7c15ull + 1;
	text = (struct bed_text){ .at = t->text, .size = sizeof(t->text) };
	bed_configuration(&t->shape, &t->random, &text);
	t->bed = bed_open(t->text, LANES, BED_PLANES);
	bed_flows_draw(&t->flows, &t->shape, &t->random, 100);
	bed_talks_draw(&t->talks, &t->shape, &t->random, 100);
	for (uint64_t round = 0; round < rounds; round++) {
		for (unsigned step = 0; step < STEPS; step++) {
			void (*change)(struct test *) =
			    changes[bed_draw(&t->random, MR_ARRAY_COUNT(changes))];

			stations(t);
			traffic(t);
			change(t);
			/* Stations are where the change has left them, or gone. */
			if (change == move_station)
				traffic(t);
		}
		stations(t);
		traffic(t);
		change_configuration(t);
	}
	stations(t);
	traffic(t);
	bed_compare(t->bed, true);
	replayed = bed_lane_count(t->bed, MR_LANE_COUNT_REPLAYED);
	share = replayed * 100 / t->bed->given;
	print_message("%lu packets, %lu%% replayed, %lu changes\n", t->bed->given, share,
	    t->changes);
	say_counters(t->bed);
	assert_true(share >= 15);
	for (unsigned p = 0; p < BED_PORTS; p++)
		assert_true(t->bed->sent[p] > 1000);
	bed_close(t->bed);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_are_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
