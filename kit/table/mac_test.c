/* SPDX-License-Identifier: Apache-2.0 */
/* The MAC table against a slow, obvious map, and its rules one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/packet/packet.h"
#include "kit/table/mac.h"

static uint64_t
next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s * 0x2545f4914f6cdd1dull;
}

static struct mr_mac *
make(uint32_t capacity, bool refuse, uint32_t ageing)
{
	struct mr_mac_config config = { .capacity = capacity,
		.refuse_when_full = refuse,
		.ageing = ageing,
		.seed = 0x1234567 };
	struct mr_mac *t;
	struct mr_error error = { 0 };

	if (mr_mac_create(&t, &config, &error))
		fail_msg("%s", error.text);
	return t;
}

static uint64_t
key_of(unsigned n, uint16_t fid)
{
	uint8_t mac[6] = { 2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		(uint8_t)n };

	return mr_mac_key(mac, fid);
}

/* -- the oracle ------------------------------------------------------------------- */

#define UNIVERSE 3000u
#define FIDS 3u
#define PORTS 5u

struct station {
	bool here, fixed;
	uint16_t port;
	uint32_t seen;
};

struct oracle {
	struct station s[UNIVERSE];
	uint32_t port_limit[PORTS], fid_limit[FIDS];
	uint32_t ageing[FIDS];
};

static uint64_t
universe_key(unsigned n)
{
	return key_of(n / FIDS, (uint16_t)(n % FIDS));
}

static unsigned
on_port(const struct oracle *o, uint16_t port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < UNIVERSE; i++)
		n += o->s[i].here && o->s[i].port == port;
	return n;
}

static unsigned
in_fid(const struct oracle *o, unsigned fid)
{
	unsigned n = 0;

	for (unsigned i = fid; i < UNIVERSE; i += FIDS)
		n += o->s[i].here;
	return n;
}

static enum mr_mac_learned
oracle_learn(struct oracle *o, unsigned n, uint16_t port, uint32_t now, bool stay)
{
	struct station *s = &o->s[n];
	bool port_full = o->port_limit[port] && on_port(o, port) >= o->port_limit[port];

	if (s->here) {
		uint32_t was = s->seen;

		if (s->port == port) {
			if (!s->fixed)
				s->seen = now;
			return s->fixed || was == now ? MR_MAC_SAME : MR_MAC_REFRESHED;
		}
		if (s->fixed || stay)
			return MR_MAC_ELSEWHERE;
		if (port_full)
			return MR_MAC_PORT_LIMIT;
		s->port = port;
		s->seen = now;
		return MR_MAC_MOVED;
	}
	if (port_full)
		return MR_MAC_PORT_LIMIT;
	if (o->fid_limit[n % FIDS] && in_fid(o, n % FIDS) >= o->fid_limit[n % FIDS])
		return MR_MAC_FID_LIMIT;
	*s = (struct station){ true, false, port, now };
	return MR_MAC_LEARNED;
}

static void
check_same(const struct oracle *o, const struct mr_mac *t)
{
	static bool seen[UNIVERSE];
	struct mr_mac_entry e;
	uint32_t cursor = 0;
	unsigned all = 0;

	memset(seen, 0, sizeof(seen));
	while (mr_mac_next(t, &cursor, &e)) {
		unsigned n = ((unsigned)e.mac[3] << 16 | e.mac[4] << 8 | e.mac[5]) * FIDS + e.fid;

		assert_true(n < UNIVERSE && o->s[n].here && !seen[n]);
		seen[n] = true;
		assert_int_equal(e.port, o->s[n].port);
		assert_int_equal(e.seen, o->s[n].seen);
		assert_int_equal(!!(e.flags & MR_MAC_STATIC), o->s[n].fixed);
		all++;
	}
	for (unsigned i = 0; i < UNIVERSE; i++)
		assert_int_equal(seen[i], o->s[i].here);
	assert_int_equal(mr_mac_count(t), all);
	for (uint16_t p = 0; p < PORTS; p++)
		assert_int_equal(mr_mac_count_port(t, p), on_port(o, p));
	for (uint16_t f = 0; f < FIDS; f++)
		assert_int_equal(mr_mac_count_fid(t, f), in_fid(o, f));
}

/* One vector the way a bridge does it. */
static void
burst(struct oracle *o, struct mr_mac *t, uint64_t *seed, uint32_t now)
{
	unsigned count = next_random(seed) % (MR_VECTOR_MAX + 1);
	uint64_t src[MR_VECTOR_MAX] = { 0 }, dst[MR_VECTOR_MAX] = { 0 };
	uint32_t bucket[2][MR_VECTOR_MAX], found[MR_VECTOR_MAX];
	uint16_t port[MR_VECTOR_MAX] = { 0 }, todo[MR_VECTOR_MAX];
	unsigned who[2][MR_VECTOR_MAX], n, next = 0;

	for (unsigned i = 0; i < count; i++) {
		who[0][i] = next_random(seed) % (UNIVERSE / 2);
		who[1][i] = next_random(seed) % UNIVERSE;
		src[i] = next_random(seed) % 16 ? universe_key(who[0][i]) : 0;
		dst[i] = next_random(seed) % 16 ? universe_key(who[1][i]) : 0;
		/* Mostly where it is. */
		port[i] = next_random(seed) % 4 ? o->s[who[0][i]].port : next_random(seed) % PORTS;
	}
	mr_mac_prefetch(t, src, bucket[0], count);
	mr_mac_prefetch(t, dst, bucket[1], count);
	n = mr_mac_stale(t, src, bucket[0], port, now, todo, count);
	/* Named are exactly those that have something new to tell. */
	for (unsigned i = 0; i < count; i++) {
		const struct station *s = &o->s[who[0][i]];
		bool stale =
		    src[i] && (!s->here || s->port != port[i] || (!s->fixed && s->seen != now));
		bool named = next < n && todo[next] == i;

		assert_int_equal(named, stale);
		next += named;
	}
	assert_int_equal(next, n);
	for (unsigned i = 0; i < n; i++) {
		bool stay = next_random(seed) % 8 == 0;
		enum mr_mac_learned would;
		unsigned k = todo[i];

		would = mr_mac_would_learn(t, src[k], port[k], now, stay);
		assert_int_equal(mr_mac_learn(t, src[k], port[k], now, stay), would);
		assert_int_equal(would, oracle_learn(o, who[0][k], port[k], now, stay));
	}
	mr_mac_find(t, dst, bucket[1], found, count);
	for (unsigned i = 0; i < count; i++) {
		const struct station *s = &o->s[who[1][i]];

		if (!dst[i] || !s->here) {
			assert_int_equal(found[i], 0);
			continue;
		}
		assert_true(MR_MAC_FOUND_FLAGS(found[i]) & MR_MAC_LIVE);
		assert_int_equal(MR_MAC_FOUND_PORT(found[i]), s->port);
		assert_int_equal(!!(MR_MAC_FOUND_FLAGS(found[i]) & MR_MAC_STATIC), s->fixed);
	}
}

/* Places that were noted, each with its FID's generation then. */
struct noted {
	uint32_t place[UNIVERSE], generation[UNIVERSE];
};

/* Places of some stations are noted, and those noted heard of: as long as their FID's generation stands, they
 * are the same stations'. Returns how many were. */
static unsigned
hear(struct oracle *o, struct mr_mac *t, struct noted *noted, uint64_t *seed, uint32_t now)
{
	unsigned heard = 0;

	for (unsigned i = 0; i < 40; i++) {
		unsigned n = next_random(seed) % UNIVERSE;
		uint32_t generation = mr_mac_generation(t, n % FIDS);
		struct station *s = &o->s[n];

		if (noted->place[n] && noted->generation[n] == generation) {
			assert_true(s->here);
			assert_true(mr_mac_heard(t, noted->place[n], now));
			s->seen = s->fixed ? s->seen : now;
			heard++;
		}
		noted->place[n] = mr_mac_place(t, universe_key(n));
		noted->generation[n] = generation;
		assert_int_equal(noted->place[n] != 0, s->here);
		assert_true(noted->place[n] <= 4 * mr_mac_buckets(t));
	}
	return heard;
}

static void
control_op(struct oracle *o, struct mr_mac *t, uint64_t *seed, uint32_t now)
{
	unsigned n = next_random(seed) % UNIVERSE, gone = 0;
	struct station *s = &o->s[n];
	uint16_t port = next_random(seed) % PORTS;
	struct mr_mac_filter filter = { MR_MAC_ANY, MR_MAC_ANY, next_random(seed) % 2 };
	uint32_t half = mr_mac_buckets(t) / 2;

	switch (next_random(seed) % 7) {
	case 0:
		assert_int_equal(mr_mac_add(t, universe_key(n), port, 0, now), 0);
		*s = (struct station){ true, true, port, now };
		break;
	case 1:
		assert_int_equal(mr_mac_delete(t, universe_key(n)), s->here ? 0 : -2);
		s->here = false;
		break;
	case 2:
		o->port_limit[port] = next_random(seed) % 3 ? 0 : 1 + next_random(seed) % 300;
		mr_mac_limit_port(t, port, o->port_limit[port]);
		break;
	case 3:
		o->fid_limit[n % FIDS] = next_random(seed) % 3 ? 0 : 1 + next_random(seed) % 500;
		mr_mac_limit_fid(t, n % FIDS, o->fid_limit[n % FIDS]);
		break;
	case 4:
		o->ageing[n % FIDS] = next_random(seed) % 4 ? 1 + next_random(seed) % 40 : 0;
		mr_mac_set_ageing(t, n % FIDS, o->ageing[n % FIDS]);
		break;
	case 5:
		if (next_random(seed) % 4)
			break;
		if (next_random(seed) % 2)
			filter.port = port;
		if (next_random(seed) % 2)
			filter.fid = n % FIDS;
		for (unsigned i = 0; i < UNIVERSE; i++) {
			s = &o->s[i];
			if (!s->here || (s->fixed && !filter.statics) ||
			    (filter.port != MR_MAC_ANY && filter.port != s->port) ||
			    (filter.fid != MR_MAC_ANY && filter.fid != i % FIDS))
				continue;
			s->here = false;
			gone++;
		}
		assert_int_equal(mr_mac_flush(t, &filter, 0, half) +
			mr_mac_flush(t, &filter, half, UINT32_MAX),
		    gone);
		break;
	default:
		for (unsigned i = 0; i < UNIVERSE; i++) {
			s = &o->s[i];
			if (!s->here || s->fixed || !o->ageing[i % FIDS] ||
			    ((now - s->seen) & MR_MAC_SECONDS_MASK) < o->ageing[i % FIDS])
				continue;
			s->here = false;
			gone++;
		}
		assert_int_equal(mr_mac_age(t, now, 0, half) + mr_mac_age(t, now, half, half),
		    gone);
	}
}

static void
random_run(bool portable)
{
	static struct oracle o;
	static struct noted noted;
	struct mr_mac_config config = { .capacity = 8192,
		.refuse_when_full = true,
		.ageing = 20,
		.portable = portable };
	struct mr_error error = { 0 };
	struct mr_mac *t;
	uint64_t seed = 0x5eed;
	unsigned heard = 0;
	uint32_t now = MR_MAC_SECONDS_MASK - 500; /* so that the clock wraps under way */

	memset(&o, 0, sizeof(o));
	memset(&noted, 0, sizeof(noted));
	assert_int_equal(mr_mac_create(&t, &config, &error), 0);
	for (unsigned f = 0; f < FIDS; f++)
		o.ageing[f] = 20;
	for (unsigned round = 0; round < 4000; round++) {
		burst(&o, t, &seed, now & MR_MAC_SECONDS_MASK);
		heard += hear(&o, t, &noted, &seed, now & MR_MAC_SECONDS_MASK);
		control_op(&o, t, &seed, now & MR_MAC_SECONDS_MASK);
		heard += hear(&o, t, &noted, &seed, now & MR_MAC_SECONDS_MASK);
		if (round % 64 == 0)
			check_same(&o, t);
		now += next_random(&seed) % 4 == 0;
	}
	check_same(&o, t);
	assert_true(heard > 500);
	mr_mac_destroy(t);
}

static void
random_operations(void **state)
{
	random_run(false);
}

static void
random_operations_portable(void **state)
{
	random_run(true);
}

/* -- rule by rule ------------------------------------------------------------------- */

static void
holds_what_it_promises(void **state)
{
	for (uint32_t capacity = 1024; capacity <= 65536; capacity *= 8) {
		struct mr_mac *t = make(capacity, true, 0);
		uint64_t seed = capacity;
		unsigned refused = 0;

		for (uint32_t i = 0; i < capacity; i++) {
			uint64_t key = (next_random(&seed) & ~0xffffull) | (i % 4096);

			refused += mr_mac_learn(t, key, i % 8, 1, false) == MR_MAC_FULL;
		}
		/* Two choices at half load: next to none. */
		assert_true(refused <= capacity / 1024);
		assert_int_equal(mr_mac_count(t), capacity - refused);
		mr_mac_destroy(t);
	}
}

/* With two buckets every key may stand in every entry, so that the oldest is known. */
static void
gives_way_oldest_first(void **state)
{
	struct mr_mac *t = make(4, false, 0);
	struct mr_mac *r = make(4, true, 0);

	assert_int_equal(mr_mac_buckets(t), 2);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(mr_mac_learn(t, key_of(i, 1), 1, 10 + i, false), MR_MAC_LEARNED);
		assert_int_equal(mr_mac_learn(r, key_of(i, 1), 1, 10 + i, false), MR_MAC_LEARNED);
	}
	assert_int_equal(mr_mac_learn(r, key_of(8, 1), 1, 20, false), MR_MAC_FULL);
	assert_int_equal(mr_mac_count(r), 8);
	assert_int_equal(mr_mac_count_port(r, 1), 8);
	assert_int_equal(mr_mac_count_fid(r, 1), 8);

	/* Station 0 is heard again and 1 is fixed: 2 is the oldest that may go. */
	assert_int_equal(mr_mac_learn(t, key_of(0, 1), 1, 19, false), MR_MAC_REFRESHED);
	assert_int_equal(mr_mac_add(t, key_of(1, 1), 1, MR_MAC_LOCAL, 19), 0);
	assert_int_equal(mr_mac_learn(t, key_of(8, 1), 2, 20, false), MR_MAC_EVICTED);
	assert_int_equal(mr_mac_get(t, key_of(2, 1)), 0);
	assert_int_equal(mr_mac_count(t), 8);
	assert_int_equal(mr_mac_count_port(t, 1), 7);
	assert_int_equal(mr_mac_count_port(t, 2), 1);
	assert_int_equal(MR_MAC_FOUND_PORT(mr_mac_get(t, key_of(8, 1))), 2);
	assert_int_equal(MR_MAC_FOUND_FLAGS(mr_mac_get(t, key_of(1, 1))),
	    MR_MAC_LIVE | MR_MAC_STATIC | MR_MAC_LOCAL);

	/* A static one pushes out even where learning is refused, until all are static. */
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(mr_mac_add(r, key_of(100 + i, 2), 3, 0, 20), 0);
	assert_int_equal(mr_mac_add(r, key_of(200, 2), 3, 0, 20), -28);
	assert_int_equal(mr_mac_learn(r, key_of(300, 2), 3, 20, false), MR_MAC_FULL);
	assert_int_equal(mr_mac_count_port(r, 1), 0);
	assert_int_equal(mr_mac_count_port(r, 3), 8);
	assert_int_equal(mr_mac_count_fid(r, 2), 8);
	mr_mac_destroy(t);
	mr_mac_destroy(r);
}

static void
limit_of_the_whole_table(void **state)
{
	struct mr_mac_config config = { .capacity = 1024, .limit = 10 };
	struct mr_error error = { 0 };
	struct mr_mac *t;

	assert_int_equal(mr_mac_create(&t, &config, &error), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(mr_mac_learn(t, key_of(i, 1), 1, 1, false),
		    i < 10 ? MR_MAC_LEARNED : MR_MAC_FULL);
	assert_int_equal(mr_mac_count(t), 10);
	assert_int_equal(mr_mac_count_port(t, 1), 10);
	assert_int_equal(mr_mac_count_fid(t, 1), 10);
	/* Heard again and moved it may be; what is configured always has room. */
	assert_int_equal(mr_mac_learn(t, key_of(3, 1), 2, 2, false), MR_MAC_MOVED);
	assert_int_equal(mr_mac_add(t, key_of(30, 1), 1, 0, 1), 0);
	assert_int_equal(mr_mac_count(t), 11);
	mr_mac_destroy(t);
}

static void
generation_tells_of_what_matters(void **state)
{
	struct mr_mac *t = make(1024, false, 5);
	struct mr_mac_filter all = { MR_MAC_ANY, MR_MAC_ANY, true };
	uint32_t other = mr_mac_generation(t, 8), g = mr_mac_generation(t, 7);

	mr_mac_learn(t, key_of(1, 7), 1, 1, false);
	mr_mac_learn(t, key_of(1, 7), 1, 2, false);
	assert_int_equal(mr_mac_generation(t, 7), g);
	mr_mac_learn(t, key_of(1, 7), 2, 2, false);
	assert_int_not_equal(mr_mac_generation(t, 7), g);
	g = mr_mac_generation(t, 7);
	assert_int_equal(mr_mac_age(t, 7, 0, UINT32_MAX), 1);
	assert_int_not_equal(mr_mac_generation(t, 7), g);
	assert_int_equal(mr_mac_aged_fid(t, 7), 1);
	g = mr_mac_generation(t, 7);
	mr_mac_add(t, key_of(2, 7), 1, 0, 1);
	assert_int_not_equal(mr_mac_generation(t, 7), g);
	g = mr_mac_generation(t, 7);
	assert_int_equal(mr_mac_flush(t, &all, 0, UINT32_MAX), 1);
	assert_int_not_equal(mr_mac_generation(t, 7), g);
	assert_int_equal(mr_mac_generation(t, 8), other);
	mr_mac_destroy(t);
}

/* Who is heard where he is, stays; a place is its station's as long as the generation stands. */
static void
places_are_heard(void **state)
{
	struct mr_mac *t = make(4, false, 5);
	uint32_t place[8], g, cursor = 0;
	struct mr_mac_entry e;
	bool taken[9] = { false };

	assert_int_equal(mr_mac_place(t, key_of(0, 1)), 0);
	assert_int_equal(mr_mac_place(t, 0), 0);
	g = mr_mac_generation(t, 1);
	for (unsigned i = 0; i < 8; i++) {
		mr_mac_learn(t, key_of(i, 1), (uint16_t)i, 10, false);
		place[i] = mr_mac_place(t, key_of(i, 1));
		assert_true(place[i] >= 1 && place[i] <= 8 && !taken[place[i]]);
		taken[place[i]] = true;
	}
	assert_int_equal(mr_mac_generation(t, 1), g);
	mr_mac_add(t, key_of(3, 1), 3, 0, 10);
	assert_int_equal(mr_mac_place(t, key_of(3, 1)), place[3]);
	g = mr_mac_generation(t, 1);
	assert_true(mr_mac_heard(t, place[2], 14));
	assert_true(mr_mac_heard(t, place[2], 14));
	assert_true(mr_mac_heard(t, place[3], 14));
	assert_int_equal(mr_mac_generation(t, 1), g);
	while (mr_mac_next(t, &cursor, &e)) {
		assert_int_equal(e.seen, e.mac[5] == 2 ? 14 : 10);
		assert_int_equal(e.port, e.mac[5]);
		assert_int_equal(!!(e.flags & MR_MAC_STATIC), e.mac[5] == 3);
	}
	/* The oldest gives way; its place is the new one's, which the generation says. */
	assert_int_equal(mr_mac_learn(t, key_of(20, 1), 1, 14, false), MR_MAC_EVICTED);
	assert_int_not_equal(mr_mac_generation(t, 1), g);
	assert_int_not_equal(mr_mac_get(t, key_of(2, 1)), 0);
	/* Aged: but for those that were heard. */
	assert_int_equal(mr_mac_age(t, 15, 0, UINT32_MAX), 5);
	assert_int_not_equal(mr_mac_get(t, key_of(2, 1)), 0);
	for (unsigned i = 0; i < 8; i++)
		if (i != 2 && i != 3 && place[i] != mr_mac_place(t, key_of(20, 1)))
			assert_false(mr_mac_heard(t, place[i], 15));
	/* Moved: it is where it was in the table, and the generation says that it moved. */
	g = mr_mac_generation(t, 1);
	assert_int_equal(mr_mac_learn(t, key_of(2, 1), 7, 16, false), MR_MAC_MOVED);
	assert_int_not_equal(mr_mac_generation(t, 1), g);
	assert_int_equal(mr_mac_place(t, key_of(2, 1)), place[2]);
	assert_true(mr_mac_heard(t, place[2], 17));
	assert_int_equal(MR_MAC_FOUND_PORT(mr_mac_get(t, key_of(2, 1))), 7);
	assert_int_equal(mr_mac_delete(t, key_of(2, 1)), 0);
	assert_false(mr_mac_heard(t, place[2], 17));
	/* Any number is harmless. */
	for (uint32_t n = 1; n < 100; n++)
		(void)mr_mac_heard(t, n * 0x10001, 17);
	mr_mac_destroy(t);
}

static void
refuses_nonsense(void **state)
{
	struct mr_mac_config config = { .capacity = 1u << 25 };
	struct mr_error error = { 0 };
	struct mr_mac *t;

	assert_int_equal(mr_mac_create(&t, &config, &error), -22);
	assert_null(t);
	config = (struct mr_mac_config){ .ports = 4, .fids = 4 };
	assert_int_equal(mr_mac_create(&t, &config, &error), 0);
	assert_int_equal(mr_mac_learn(t, 0, 1, 1, false), MR_MAC_FULL);
	assert_int_equal(mr_mac_learn(t, key_of(1, 4), 1, 1, false), MR_MAC_FULL);
	assert_int_equal(mr_mac_learn(t, key_of(1, 1), 4, 1, false), MR_MAC_FULL);
	assert_int_equal(mr_mac_add(t, key_of(1, 1), 4, 0, 1), -22);
	assert_int_equal(mr_mac_delete(t, key_of(1, 1)), -2);
	assert_int_equal(mr_mac_count(t), 0);
	mr_mac_destroy(t);
	mr_mac_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
		cmocka_unit_test(random_operations_portable),
		cmocka_unit_test(holds_what_it_promises),
		cmocka_unit_test(gives_way_oldest_first),
		cmocka_unit_test(generation_tells_of_what_matters),
		cmocka_unit_test(places_are_heard),
		cmocka_unit_test(limit_of_the_whole_table),
		cmocka_unit_test(refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
