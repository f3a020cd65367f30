/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "nf/nat/pool/pool_test_int.h"

static uint64_t
counted(const struct nat_pool *p, enum nat_pool_count what)
{
	return mr_counters_sum(p->counters, what);
}

/* RFC 4787 REQ-3, REQ-4. */
static void
ports_are_as_preferred(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 1);
	struct nat_outside a, b;
	struct nat_pool *p;

	c.preserve_port = c.preserve_parity = true;
	c.port_first = 512;
	p = pool_make(&c);
	assert_int_equal(take(p, 1, NAT_UDP, 5004, 7, 0, &a), NAT_TAKEN);
	assert_int_equal(a.port, mr_be16(5004));
	assert_int_equal(a.address, mr_be32(OUTSIDE));
	assert_int_equal(nat_pool_find(p, a.address, NAT_UDP, a.port), 7);
	assert_int_equal(nat_pool_find(p, a.address, NAT_TCP, a.port), 0);
	for (unsigned i = 0; i < 200; i++) {
		uint16_t prefer = (uint16_t)(i % 2 ? 5004 : 600 + i % 8 / 4);

		assert_int_equal(take(p, 2 + i, NAT_UDP, prefer, 8 + i, 0, &b), NAT_TAKEN);
		assert_int_equal((mr_be16(b.port) ^ prefer) & 1, 0);
		assert_int_equal(mr_be16(b.port) < 1024, prefer < 1024);
	}
	nat_pool_give(p, 0, &a, NAT_UDP, 7, 1);
	assert_int_equal(nat_pool_find(p, a.address, NAT_UDP, a.port), 0);
	/* Out of the range, but of some parity. */
	assert_int_equal(take(p, 3, NAT_TCP, 80, 9, 1, &b), NAT_TAKEN);
	assert_in_range(mr_be16(b.port), 512, 1023);
	nat_pool_destroy(p);
}

/* RFC 4787 REQ-2, RFC 6888 REQ-2. */
static void
addresses_are_paired(void **state)
{
	uint32_t per_address[8] = { 0 };
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 8);
	struct nat_outside first, next;
	struct nat_pool *p = pool_make(&c);
	bool differ = false;

	for (uint32_t n = 0; n < 400; n++) {
		assert_int_equal(take(p, n, NAT_TCP, 4000, 1 + n, 0, &first), NAT_TAKEN);
		per_address[mr_be32(first.address) - OUTSIDE]++;
		for (unsigned i = 0; i < 10; i++) {
			assert_int_equal(take(p, n, (enum nat_proto)(i % 3), 4000, 1 + n, 0, &next),
			    NAT_TAKEN);
			assert_int_equal(next.address, first.address);
			assert_int_equal(next.subscriber, first.subscriber);
		}
	}
	/* Two choices keep them close: 50 each. */
	for (unsigned i = 0; i < 8; i++)
		assert_in_range(per_address[i], 44, 56);
	nat_pool_destroy(p);

	c.paired = false;
	p = pool_make(&c);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 1, 0, &first), NAT_TAKEN);
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(take(p, 1, NAT_TCP, 1, 1, 0, &next), NAT_TAKEN);
		differ |= next.address != first.address;
	}
	assert_true(differ);
	nat_pool_destroy(p);
}

/* RFC 6888 REQ-11, REQ-13: all ports are used, then there are none, then again. */
static void
all_ports_are_given(void **state)
{
	enum { PORTS = 65535 - 1024 + 1 };
	static struct nat_outside all[2 * PORTS];
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 2);
	struct nat_outside more;
	struct nat_pool *p;

	c.paired = false;
	c.preserve_parity = true;
	p = pool_make(&c);
	for (uint32_t i = 0; i < 2 * PORTS; i++)
		assert_int_equal(take(p, i % 7, NAT_UDP, (uint16_t)i, i + 1, 0, &all[i]),
		    NAT_TAKEN);
	assert_int_equal(take(p, 1, NAT_UDP, 1, 1, 0, &more), NAT_NO_PORT);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 1, 0, &more), NAT_TAKEN);
	assert_int_equal(counted(p, NAT_POOL_NO_PORT), 1);
	for (uint32_t i = 0; i < 2 * PORTS; i++)
		assert_int_equal(nat_pool_find(p, all[i].address, NAT_UDP, all[i].port), i + 1);
	nat_pool_give(p, 0, &all[77], NAT_UDP, 78, 0);
	assert_int_equal(take(p, 9, NAT_UDP, 1, 5, 0, &more), NAT_TAKEN);
	assert_int_equal(more.port, all[77].port);
	assert_int_equal(more.address, all[77].address);
	nat_pool_destroy(p);
}

/* A subscriber whose address is full gets no other one while it has ports, and any when not. */
static void
full_addresses_are_left(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 2);
	struct nat_outside mine, out;
	unsigned failed = 0;
	struct nat_pool *p;

	c.port_first = 1024;
	c.port_last = 1123;
	p = pool_make(&c);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 1, 0, &mine), NAT_TAKEN);
	for (uint32_t n = 2; n < 201; n++)
		assert_int_equal(take(p, n, NAT_TCP, 1, n, 0, &out), NAT_TAKEN);
	assert_int_equal(take(p, 500, NAT_TCP, 1, 1, 0, &out), NAT_NO_PORT);
	/* Another protocol's ports are at the same address. */
	for (unsigned i = 0; i < 101; i++) {
		enum nat_take result = take(p, 1, NAT_UDP, 1, 1, 0, &out);

		failed += result == NAT_NO_PORT;
		if (result == NAT_TAKEN)
			assert_int_equal(out.address, mine.address);
	}
	assert_int_equal(failed, 1);
	nat_pool_destroy(p);
}

static void
reserved_ports_are_nobody_elses(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 1);
	be32_t address = mr_be32(OUTSIDE);
	struct nat_outside out;
	struct nat_pool *p;

	c.port_first = 2000;
	c.port_last = 2003;
	c.quarantine_seconds = 10;
	p = pool_make(&c);
	assert_int_equal(nat_pool_reserve(p, address, NAT_TCP, mr_be16(22), 100), 0);
	assert_int_equal(nat_pool_reserve(p, address, NAT_TCP, mr_be16(2001), 101), 0);
	assert_int_equal(nat_pool_reserve(p, address, NAT_TCP, mr_be16(2001), 102), -EEXIST);
	assert_int_equal(nat_pool_reserve(p, mr_be32(1), NAT_TCP, mr_be16(2001), 102), -ENOENT);
	assert_int_equal(nat_pool_find(p, address, NAT_TCP, mr_be16(22)), 100);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(take(p, 1, NAT_TCP, 2001, 1 + i, 0, &out), NAT_TAKEN);
		assert_int_not_equal(out.port, mr_be16(2001));
	}
	assert_int_equal(take(p, 1, NAT_TCP, 2001, 9, 0, &out), NAT_NO_PORT);
	assert_int_equal(nat_pool_reserve(p, address, NAT_TCP, mr_be16(2000), 103), -EEXIST);
	/* Given back it belongs to nobody, whatever its quarantine. */
	for (unsigned i = 0; i < 3; i++) {
		uint32_t mapping = nat_pool_find(p, address, NAT_TCP, mr_be16(2000));

		out = (struct nat_outside){ address, mr_be16(2000), 1 };
		if (mapping && i == 0)
			nat_pool_give(p, 0, &out, NAT_TCP, mapping, 0);
	}
	assert_int_equal(nat_pool_reserve(p, address, NAT_TCP, mr_be16(2000), 103), 0);
	nat_pool_tick(p, 100);
	assert_int_equal(nat_pool_find(p, address, NAT_TCP, mr_be16(2000)), 103);
	assert_int_equal(take(p, 1, NAT_TCP, 2001, 9, 100, &out), NAT_NO_PORT);
	nat_pool_unreserve(p, address, NAT_TCP, mr_be16(2000));
	assert_int_equal(take(p, 1, NAT_TCP, 2001, 9, 100, &out), NAT_TAKEN);
	assert_int_equal(out.port, mr_be16(2000));
	nat_pool_unreserve(p, address, NAT_TCP, mr_be16(22));
	assert_int_equal(nat_pool_find(p, address, NAT_TCP, mr_be16(22)), 0);
	assert_int_equal(take(p, 1, NAT_TCP, 22, 9, 100, &out), NAT_NO_PORT);
	nat_pool_destroy(p);
}

static void
withheld_addresses_are_not_used(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 2);
	struct nat_outside out;

	for (unsigned blocks = 0; blocks < 2; blocks++) {
		struct nat_pool *p;

		c.block_size = blocks ? 512 : 0;
		p = pool_make(&c);
		assert_int_equal(nat_pool_withhold(p, mr_be32(OUTSIDE), true), 0);
		for (uint32_t n = 0; n < 100; n++) {
			assert_int_equal(take(p, n, NAT_TCP, 1, 1, 0, &out), NAT_TAKEN);
			assert_int_equal(out.address, mr_be32(OUTSIDE + 1));
		}
		assert_int_equal(nat_pool_withhold(p, mr_be32(OUTSIDE), false), 0);
		assert_int_equal(nat_pool_withhold(p, mr_be32(OUTSIDE + 1), true), 0);
		for (uint32_t n = 100; n < 200; n++) {
			assert_int_equal(take(p, n, NAT_TCP, 1, 1, 0, &out), NAT_TAKEN);
			assert_int_equal(out.address, mr_be32(OUTSIDE));
		}
		assert_int_equal(nat_pool_withhold(p, mr_be32(9), true), -ENOENT);
		nat_pool_destroy(p);
	}
}

/* RFC 6888 REQ-8. */
static void
ports_wait_in_quarantine(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 1);
	struct nat_outside out[4], more;
	struct nat_pool *p;

	c.port_last = 1027;
	c.quarantine_seconds = 120;
	c.quarantine_max = 3;
	p = pool_make(&c);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(take(p, 1, NAT_TCP, 1, 1, 0, &out[i]), NAT_TAKEN);
	for (unsigned i = 0; i < 3; i++)
		nat_pool_give(p, 0, &out[i], NAT_TCP, 1, 5 + 10 * i);
	assert_int_equal(nat_pool_find(p, out[0].address, NAT_TCP, out[0].port), 0);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 2, 124, &more), NAT_NO_PORT);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 2, 125, &more), NAT_TAKEN);
	assert_int_equal(more.port, out[0].port);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 2, 134, &more), NAT_NO_PORT);
	nat_pool_tick(p, 145);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 2, 145, &more), NAT_TAKEN);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 2, 145, &more), NAT_TAKEN);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 2, 145, &more), NAT_NO_PORT);
	/* A fourth finds no room to wait. */
	for (unsigned i = 0; i < 3; i++)
		nat_pool_give(p, 0, &out[i], NAT_TCP, 2, 150);
	nat_pool_give(p, 0, &out[3], NAT_TCP, 1, 150);
	assert_int_equal(counted(p, NAT_POOL_QUARANTINE_SHORT), 1);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 2, 150, &more), NAT_TAKEN);
	assert_int_equal(more.port, out[3].port);
	nat_pool_destroy(p);
}

/* RFC 6888 REQ-4, REQ-5. */
static void
subscribers_have_limits(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 1);
	struct nat_outside out;
	struct nat_pool *p;

	c.subscriber_ports[NAT_TCP] = 10;
	c.subscriber_ports[NAT_UDP] = 3;
	c.subscriber_sessions = 2;
	c.subscriber_rate = 12;
	p = pool_make(&c);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(take(p, 1, NAT_TCP, 1, 1, 0, &out), NAT_TAKEN);
	assert_int_equal(take(p, 1, NAT_TCP, 1, 1, 0, &out), NAT_LIMIT);
	assert_int_equal(take(p, 2, NAT_TCP, 1, 1, 0, &out), NAT_TAKEN);
	assert_int_equal(take(p, 1, NAT_UDP, 1, 1, 0, &out), NAT_TAKEN);
	assert_int_equal(take(p, 1, NAT_UDP, 1, 1, 0, &out), NAT_TAKEN);
	assert_int_equal(take(p, 1, NAT_UDP, 1, 1, 0, &out), NAT_RATE);
	assert_int_equal(take(p, 1, NAT_UDP, 1, 1, 1, &out), NAT_TAKEN);
	assert_int_equal(take(p, 1, NAT_UDP, 1, 1, 2, &out), NAT_LIMIT);
	assert_true(nat_pool_session_begin(p, 0, out.subscriber));
	assert_true(nat_pool_session_begin(p, 0, out.subscriber));
	assert_false(nat_pool_session_begin(p, 0, out.subscriber));
	nat_pool_session_end(p, out.subscriber);
	assert_true(nat_pool_session_begin(p, 0, out.subscriber));
	assert_true(nat_pool_session_begin(p, 0, 0));
	assert_int_equal(counted(p, NAT_POOL_LIMIT), 2);
	assert_int_equal(counted(p, NAT_POOL_RATE), 1);
	assert_int_equal(counted(p, NAT_POOL_SESSIONS_LIMIT), 1);
	nat_pool_give(p, 0, &out, NAT_UDP, 1, 2);
	assert_int_equal(take(p, 1, NAT_UDP, 1, 1, 3, &out), NAT_TAKEN);
	nat_pool_destroy(p);
}

static void
subscribers_come_and_go(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 1);
	struct nat_outside out[50], more;
	struct nat_pool_state shown;
	struct nat_pool *p;

	c.subscribers_max = 50;
	c.linger = 100;
	p = pool_make(&c);
	for (uint32_t n = 0; n < 50; n++)
		assert_int_equal(take(p, n, NAT_TCP, 1, 1, 0, &out[n]), NAT_TAKEN);
	assert_int_equal(take(p, 99, NAT_TCP, 1, 1, 0, &more), NAT_NO_SUBSCRIBER);
	nat_pool_give(p, 0, &out[7], NAT_TCP, 1, 10);
	/* One that lingers makes room. */
	assert_int_equal(take(p, 99, NAT_TCP, 1, 1, 11, &more), NAT_TAKEN);
	assert_int_equal(take(p, 7, NAT_TCP, 1, 1, 12, &out[7]), NAT_NO_SUBSCRIBER);
	nat_pool_give(p, 0, &out[8], NAT_TCP, 1, 20);
	nat_pool_tick(p, 119);
	nat_pool_state(p, &shown);
	assert_int_equal(shown.subscribers, 50);
	assert_int_equal(shown.used[NAT_TCP], 49);
	nat_pool_tick(p, 120);
	nat_pool_state(p, &shown);
	assert_int_equal(shown.subscribers, 49);
	nat_pool_destroy(p);
}

/* RFC 6888 REQ-3: any ranges. */
static void
ranges_need_not_touch(void **state)
{
	static const struct nat_range ranges[] = { { 300, 302 }, { 10, 10 }, { 100, 101 },
		{ 400, 499 } };
	static const struct nat_range overlap[] = { { 10, 20 }, { 20, 30 } };
	struct nat_pool_config c = pool_config(&(struct nat_range){ 0 }, 1);
	bool seen[106] = { false };
	struct nat_pool *p = NULL;
	struct mr_error error;

	c.ranges = overlap;
	c.range_count = 2;
	assert_int_equal(nat_pool_create(&p, &c, &error), -EINVAL);
	c.ranges = ranges;
	c.range_count = 4;
	p = pool_make(&c);
	assert_int_equal(p->address_count, 106);
	for (uint32_t a = 0; a < 600; a++) {
		bool in = a == 10 || (a >= 100 && a <= 101) || (a >= 300 && a <= 302) ||
		    (a >= 400 && a <= 499);
		uint32_t index = nat_pool_index(p, mr_be32(a));

		assert_int_equal(nat_pool_has(p, mr_be32(a)), in);
		if (!in)
			continue;
		assert_in_range(index, 0, 105);
		assert_false(seen[index]);
		seen[index] = true;
		assert_int_equal(p->addresses[index].address, mr_be32(a));
	}
	nat_pool_destroy(p);
}

/* -- against a slow model ----------------------------------------------------------------- */

#define HELD 600u

static void
it_does_what_a_slow_one_does(void **state)
{
	static uint32_t model[2][NAT_PROTOS][65536];
	static struct {
		struct nat_outside out;
		enum nat_proto proto;
		uint32_t mapping, n;
	} held[HELD];
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 2);
	uint32_t per[8][NAT_PROTOS] = { { 0 } };
	unsigned count = 0;
	uint64_t seed = 42;
	struct nat_pool *p;

	c.port_first = 1000;
	c.port_last = 1150;
	c.paired = false;
	c.preserve_port = c.preserve_parity = true;
	c.subscriber_ports[NAT_TCP] = 40;
	p = pool_make(&c);
	for (uint32_t i = 1; i < 60000; i++) {
		enum nat_proto proto = (enum nat_proto)(draw(&seed) % NAT_PROTOS);
		uint32_t n = (uint32_t)(draw(&seed) % 8), used = 0, at;
		uint16_t prefer = (uint16_t)(990 + draw(&seed) % 170);
		struct nat_outside out;
		enum nat_take result;

		if (count == HELD || (count && draw(&seed) % 2)) {
			at = (uint32_t)(draw(&seed) % count);
			nat_pool_give(p, 0, &held[at].out, held[at].proto, held[at].mapping, i);
			model[mr_be32(held[at].out.address) - OUTSIDE][held[at].proto]
			     [mr_be16(held[at].out.port)] = 0;
			per[held[at].n][held[at].proto]--;
			held[at] = held[--count];
			continue;
		}
		result = take(p, n, proto, prefer, i, i, &out);
		for (unsigned a = 0; a < 2; a++)
			for (unsigned port = 1000; port <= 1150; port++)
				used += model[a][proto][port] != 0;
		if (proto == NAT_TCP && per[n][proto] == 40) {
			assert_int_equal(result, NAT_LIMIT);
			continue;
		}
		assert_int_equal(result, used == 302 ? NAT_NO_PORT : NAT_TAKEN);
		if (result != NAT_TAKEN)
			continue;
		assert_in_range(mr_be16(out.port), 1000, 1150);
		at = mr_be32(out.address) - OUTSIDE;
		assert_in_range(at, 0, 1);
		assert_int_equal(model[at][proto][mr_be16(out.port)], 0);
		model[at][proto][mr_be16(out.port)] = i;
		per[n][proto]++;
		held[count].out = out;
		held[count].proto = proto;
		held[count].n = n;
		held[count++].mapping = i;
	}
	for (unsigned a = 0; a < 2; a++)
		for (unsigned proto = 0; proto < NAT_PROTOS; proto++)
			for (unsigned port = 0; port < 65536; port++)
				assert_int_equal(nat_pool_find(p, mr_be32(OUTSIDE + a),
						     (enum nat_proto)proto, mr_be16(port)),
				    model[a][proto][port]);
	nat_pool_destroy(p);
}

/* -- cost --------------------------------------------------------------------------------- */

/* Not a check: how many cycles, for who asks with MR_SHOW_COST. */
static void
a_port_costs_little(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 1);
	static const unsigned loads[] = { 0, 50, 99 };
	struct nat_outside out;
	struct nat_pool *p;

	if (!getenv("MR_SHOW_COST"))
		skip();
	p = pool_make(&c);
	for (unsigned l = 0, taken = 0; l < MR_ARRAY_COUNT(loads); l++) {
		uint64_t best = UINT64_MAX;

		for (; taken < 64512 * loads[l] / 100; taken++)
			assert_int_equal(take(p, taken % 7, NAT_UDP, 1, 1, 0, &out), NAT_TAKEN);
		for (unsigned round = 0; round < 50; round++) {
			uint64_t t = mr_cycles();

			for (unsigned i = 0; i < 256; i++) {
				(void)take(p, 3, NAT_UDP, 1, 1, 0, &out);
				nat_pool_give(p, 0, &out, NAT_UDP, 1, 0);
			}
			t = mr_cycles() - t;
			best = MR_MIN(best, t);
		}
		print_message("%u %% taken: %.1f cycles to take and give\n", loads[l],
		    (double)best / 256);
	}
	nat_pool_destroy(p);
}

/* An explanation's look is what the worker then takes, down to the last port and beyond it. */
static void
a_look_says_what_is_taken(void **state)
{
	uint64_t seed = 1;
	unsigned taken = 0, refused = 0;

	for (unsigned kind = 0; kind < 8; kind++) {
		struct nat_range range;
		struct nat_pool_config c = pool_config(&range, 1 + kind % 4);
		struct nat_pool *p;

		c.port_first = kind & 1 ? 1000 : 1024;
		c.port_last = 1100;
		c.paired = kind & 2;
		c.preserve_port = kind & 4;
		c.preserve_parity = !(kind & 1);
		c.subscribers_max = 20;
		c.subscriber_ports[NAT_UDP] = kind == 3 ? 5 : 0;
		c.subscriber_rate = kind == 5 ? 3 : 0;
		p = pool_make(&c);
		for (uint32_t i = 0; i < 1500; i++) {
			uint32_t n = (uint32_t)draw(&seed) % 24, now = i / 50;
			uint16_t prefer = (uint16_t)(990 + draw(&seed) % 130);
			enum nat_proto proto = (enum nat_proto)(draw(&seed) % NAT_PROTOS);
			struct nat_outside seen = { 0 }, out = { 0 };
			enum nat_take said, done;
			uint8_t inside[16];

			inside_set(inside, n);
			said =
			    nat_pool_look(p, 0, inside, false, proto, mr_be16(prefer), now, &seen);
			done = take(p, n, proto, prefer, 1 + i, now, &out);
			assert_int_equal(said, done);
			if (done == NAT_TAKEN) {
				assert_int_equal(seen.address, out.address);
				assert_int_equal(seen.port, out.port);
			}
			taken += done == NAT_TAKEN;
			refused += done != NAT_TAKEN;
		}
		nat_pool_destroy(p);
	}
	assert_true(taken > 1000 && refused > 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_as_preferred),
		cmocka_unit_test(addresses_are_paired),
		cmocka_unit_test(all_ports_are_given),
		cmocka_unit_test(full_addresses_are_left),
		cmocka_unit_test(reserved_ports_are_nobody_elses),
		cmocka_unit_test(withheld_addresses_are_not_used),
		cmocka_unit_test(ports_wait_in_quarantine),
		cmocka_unit_test(subscribers_have_limits),
		cmocka_unit_test(subscribers_come_and_go),
		cmocka_unit_test(ranges_need_not_touch),
		cmocka_unit_test(it_does_what_a_slow_one_does),
		cmocka_unit_test(a_look_says_what_is_taken),
		cmocka_unit_test(a_port_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
