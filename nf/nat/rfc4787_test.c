/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4787: UDP, requirement by requirement. */
#include "nf/nat/nat_test_int.h"

#define TWO "pool: [203.0.113.8-203.0.113.9]"

static struct pkt
udp(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	return (struct pkt){ .src = src,
		.sport = sport,
		.dst = dst,
		.dport = dport,
		.proto = UDP,
		.len = 11 };
}

/* The outside end that a packet gets. */
static struct pkt
mapped(struct bed *b, struct pkt p)
{
	assert_int_equal(out(b, &p), PASSED);
	assert_true(b->last.good);
	assert_int_equal(b->last.p.dst, p.dst);
	assert_int_equal(b->last.p.dport, p.dport);
	return b->last.p;
}

/* REQ-1: endpoint-independent mapping; what the other behaviours do. */
static void
req1_mapping(void **state)
{
	static const struct {
		const char *behavior;
		bool by_address, by_port;
	} cases[] = {
		{ "endpoint-independent", false, false },
		{ "address-dependent", true, false },
		{ "address-and-port-dependent", true, true },
	};
	static struct bed b;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct pkt one, port, address;
		char body[200];

		snprintf(body, sizeof(body), TWO ", mapping: %s", cases[i].behavior);
		bed_open(&b, body);
		one = mapped(&b, udp(HOST, 5000, REMOTE, 53));
		port = mapped(&b, udp(HOST, 5000, REMOTE, 54));
		address = mapped(&b, udp(HOST, 5000, REMOTE2, 53));
		assert_int_equal(one.sport != port.sport, cases[i].by_port);
		assert_int_equal(one.sport != address.sport, cases[i].by_address);
		assert_int_equal(mapped(&b, udp(HOST, 5000, REMOTE, 53)).sport, one.sport);
		bed_close(&b);
	}
}

/* REQ-2: all of an inside address gets one outside address. */
static void
req2_paired(void **state)
{
	static struct bed b;
	uint32_t first;

	bed_open(&b, "pool: [203.0.113.8-203.0.113.15]");
	first = mapped(&b, udp(HOST, 5000, REMOTE, 53)).src;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(mapped(&b, udp(HOST, (uint16_t)(6000 + i), REMOTE, 53)).src,
		    first);
	bed_close(&b);
}

/* REQ-3: no port overloading: two inside ends never share an outside one. */
static void
req3_no_overloading(void **state)
{
	static struct bed b;
	static bool used[2][65536];

	memset(used, 0, sizeof(used));
	bed_open(&b, TWO);
	for (unsigned i = 0; i < 2000; i++) {
		struct pkt m =
		    mapped(&b, udp(HOST + i % 100, (uint16_t)(5000 + i / 100), REMOTE, 53));

		assert_false(used[m.src & 1][m.sport]);
		used[m.src & 1][m.sport] = true;
		assert_true(m.sport >= 1024);
	}
	bed_close(&b);
}

/* REQ-4: parity. */
static void
req4_parity(void **state)
{
	static struct bed b;

	bed_open(&b, TWO ", port-preservation: false");
	for (unsigned i = 0; i < 200; i++) {
		uint16_t port = (uint16_t)(3000 + i);

		assert_int_equal(mapped(&b, udp(HOST, port, REMOTE, 53)).sport & 1, port & 1);
	}
	bed_close(&b);
}

/* REQ-5: a mapping stays for 5 minutes without packets, no longer; it can be set. */
static void
req5_timer(void **state)
{
	static struct bed b;
	struct pkt back;

	bed_open(&b, TWO);
	mapped(&b, udp(HOST, 5000, REMOTE, 53));
	back = answer(&b);
	bed_later(&b, 299);
	assert_int_equal(in(&b, &back), PASSED);
	bed_later(&b, 3);
	assert_int_equal(in(&b, &back), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-in@wan", NAT_DROP_NO_MAPPING), 1);
	assert_int_equal(bed_counter(&b, NAT_COUNT_ENDED), 1);
	bed_close(&b);
	bed_open(&b, TWO ", timeouts: {udp: 2m}");
	mapped(&b, udp(HOST, 5000, REMOTE, 53));
	back = answer(&b);
	bed_later(&b, 122);
	bed_sweep(&b);
	assert_int_equal(bed_counter(&b, NAT_COUNT_ENDED), 1);
	assert_int_equal(in(&b, &back), DROPPED);
	bed_close(&b);
}

/* REQ-6: packets from inside keep it alive; those from outside only if that is said. */
static void
req6_refresh(void **state)
{
	static struct bed b;
	struct pkt back;

	for (unsigned inbound = 0; inbound < 2; inbound++) {
		bed_open(&b, inbound ? TWO ", inbound-refresh: true" : TWO);
		mapped(&b, udp(HOST, 5000, REMOTE, 53));
		back = answer(&b);
		bed_later(&b, 200);
		mapped(&b, udp(HOST, 5000, REMOTE, 53));
		bed_later(&b, 200);
		assert_int_equal(in(&b, &back), PASSED);
		bed_later(&b, 200);
		assert_int_equal(in(&b, &back), inbound ? PASSED : DROPPED);
		bed_close(&b);
	}
}

/* REQ-8: filtering. */
static void
req8_filtering(void **state)
{
	static const struct {
		const char *behavior;
		enum outcome port, address;
	} cases[] = {
		{ "endpoint-independent", PASSED, PASSED },
		{ "address-dependent", PASSED, DROPPED },
		{ "address-and-port-dependent", DROPPED, DROPPED },
	};
	static struct bed b;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct pkt back, other;
		char body[200];

		snprintf(body, sizeof(body), TWO ", filtering: %s", cases[i].behavior);
		bed_open(&b, body);
		mapped(&b, udp(HOST, 5000, REMOTE, 53));
		back = answer(&b);
		assert_int_equal(in(&b, &back), PASSED);
		assert_true(b.last.good);
		assert_int_equal(b.last.p.dst, HOST);
		assert_int_equal(b.last.p.dport, 5000);
		other = back;
		other.sport = 54;
		assert_int_equal(in(&b, &other), cases[i].port);
		other = back;
		other.src = REMOTE2;
		assert_int_equal(in(&b, &other), cases[i].address);
		/* What the inside sends to may answer, though it shares the mapping. */
		mapped(&b, udp(HOST, 5000, REMOTE2, 99));
		other = answer(&b);
		assert_int_equal(other.dport, back.dport);
		assert_int_equal(in(&b, &other), PASSED);
		assert_int_equal(in(&b, &back), PASSED);
		assert_int_equal(bed_drops(&b, "nat-in@wan", NAT_DROP_FILTERED),
		    (cases[i].port == DROPPED) + (cases[i].address == DROPPED));
		bed_close(&b);
	}
}

/* REQ-9: hairpinning, with the outside's address and port as the source. */
static void
req9_hairpinning(void **state)
{
	static struct bed b;
	struct pkt to, p, m2;

	bed_open(&b, TWO);
	to = mapped(&b, udp(HOST, 5000, REMOTE, 53));
	m2 = mapped(&b, udp(HOST2, 6000, REMOTE, 53));
	p = udp(HOST2, 6000, to.src, to.sport);
	assert_int_equal(hair(&b, &p), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.dst, HOST);
	assert_int_equal(b.last.p.dport, 5000);
	assert_int_equal(b.last.p.src, m2.src);
	assert_int_equal(b.last.p.sport, m2.sport);
	/* and back */
	p = udp(HOST, 5000, m2.src, m2.sport);
	assert_int_equal(hair(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, HOST2);
	assert_int_equal(b.last.p.dport, 6000);
	assert_int_equal(b.last.p.src, to.src);
	assert_int_equal(b.last.p.sport, to.sport);
	assert_int_equal(bed_counter(&b, NAT_COUNT_HAIRPIN), 2);
	/* one's own */
	p = udp(HOST, 5000, to.src, to.sport);
	assert_int_equal(hair(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, HOST);
	/* nobody's: nothing is made */
	p = udp(HOST2, 6001, to.src, (uint16_t)(to.sport ^ 4));
	assert_int_equal(hair(&b, &p), DROPPED);
	assert_int_equal(bed_counter(&b, NAT_COUNT_CREATED), 2);
	bed_close(&b);
}

/* REQ-11: what happens does not depend on what is busy: another port, the same behaviour. */
static void
req11_deterministic(void **state)
{
	static struct bed b;
	struct pkt one, two, back;

	bed_open(&b, "pool: [203.0.113.8]");
	one = mapped(&b, udp(HOST, 5000, REMOTE, 53));
	two = mapped(&b, udp(HOST2, 5000, REMOTE, 53));
	assert_int_equal(one.sport, 5000);
	assert_int_not_equal(two.sport, 5000);
	back = answer(&b);
	assert_int_equal(mapped(&b, udp(HOST2, 5000, REMOTE2, 53)).sport, two.sport);
	assert_int_equal(in(&b, &back), PASSED);
	assert_int_equal(b.last.p.dst, HOST2);
	assert_int_equal(b.last.p.dport, 5000);
	bed_close(&b);
}

/* REQ-12: an ICMP error is translated and ends nothing. */
static void
req12_icmp(void **state)
{
	static struct bed b;
	struct frame sent, error;
	struct pkt back;

	bed_open(&b, TWO);
	mapped(&b, udp(HOST, 5000, REMOTE, 53));
	back = answer(&b);
	sent = b.last.f;
	assert_int_equal(bed_in(&b, frame_about(&error, &sent, A(198, 51, 100, 1), 3, 3)), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.dst, HOST);
	assert_int_equal(in(&b, &back), PASSED);
	bed_close(&b);
}

/* REQ-13: "fragmentation needed" comes through. */
static void
req13_too_big(void **state)
{
	static struct bed b;
	struct frame sent, error;

	bed_open(&b, TWO);
	mapped(&b, udp(HOST, 5000, REMOTE, 53));
	sent = b.last.f;
	frame_about(&error, &sent, A(198, 51, 100, 1), 3, 4);
	assert_int_equal(bed_in(&b, &error), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.f.bytes[34 + 1], 4);
	bed_close(&b);
}

/* REQ-14: fragments in order and out of order, both ways. */
static void
req14_fragments(void **state)
{
	static struct bed b;
	struct frame whole, first, second;
	struct pkt p = udp(HOST, 5000, REMOTE, 53), back;

	bed_open(&b, TWO);
	p.len = 100;
	p.id = 77;
	frame_make(&whole, &p);
	frame_piece(&first, &whole, 0, 48);
	frame_piece(&second, &whole, 48, 100);
	assert_int_equal(bed_out(&b, &first), PASSED);
	back = answer(&b);
	assert_int_equal(bed_out(&b, &second), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.src, back.dst);
	/* the later one first */
	p.id = 78;
	frame_make(&whole, &p);
	frame_piece(&first, &whole, 0, 48);
	frame_piece(&second, &whole, 48, 100);
	b.count = 0;
	assert_int_equal(bed_out(&b, &second), WAITS);
	assert_int_equal(bed_out(&b, &first), PASSED);
	assert_int_equal(b.count, 2);
	assert_int_equal(b.seen[0].p.src, back.dst);
	assert_int_equal(b.seen[1].p.src, back.dst);
	/* from outside */
	back.len = 100;
	back.id = 5;
	frame_make(&whole, &back);
	frame_piece(&first, &whole, 0, 48);
	frame_piece(&second, &whole, 48, 100);
	b.count = 0;
	assert_int_equal(bed_in(&b, &second), WAITS);
	assert_int_equal(bed_in(&b, &first), PASSED);
	assert_int_equal(b.count, 2);
	assert_int_equal(b.seen[0].p.dst, HOST);
	assert_int_equal(b.seen[1].p.dst, HOST);
	bed_close(&b);
}

/* REQ-14a: fragments of nothing cost a bounded number of packets. */
static void
req14a_fragment_flood(void **state)
{
	static struct bed b;
	struct pkt p = udp(REMOTE, 53, POOL, 5000);
	struct frame whole, second;
	unsigned waiting = 0;

	bed_open(&b, TWO);
	p.len = 100;
	for (unsigned i = 0; i < 1000; i++) {
		p.id = (uint16_t)i;
		frame_make(&whole, &p);
		waiting += bed_in(&b, frame_piece(&second, &whole, 48, 100)) == WAITS;
	}
	assert_true(waiting <= 1000);
	assert_true(ct_fragments_waiting(b.nat->core->fragments[0]) <= CT_FRAGMENT_WAITING);
	assert_true(bed_drops(&b, "nat-in@wan", NAT_DROP_EARLY_FRAGMENT) > 0);
	bed_close(&b);
}

/* A datagram without a checksum gets none; what is not the translator's stays. */
static void
what_else_holds(void **state)
{
	static struct bed b;
	struct pkt p = udp(HOST, 5000, REMOTE, 53), back;

	bed_open(&b, TWO ", source: [10.0.0.0/24], exclude: [192.0.2.0/24]");
	p.no_sum = true;
	mapped(&b, p);
	assert_int_equal(b.last.f.bytes[40] | b.last.f.bytes[41], 0);
	p = udp(A(10, 0, 1, 5), 5000, REMOTE, 53);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, p.src);
	p = udp(HOST, 5000, A(192, 0, 2, 1), 53);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, p.src);
	b.from = b.other;
	p = udp(HOST, 5000, REMOTE, 53);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, p.src);
	back = udp(REMOTE, 53, OWN, 5000);
	assert_int_equal(in(&b, &back), PASSED);
	assert_int_equal(b.last.p.dst, OWN);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req1_mapping),
		cmocka_unit_test(req2_paired),
		cmocka_unit_test(req3_no_overloading),
		cmocka_unit_test(req4_parity),
		cmocka_unit_test(req5_timer),
		cmocka_unit_test(req6_refresh),
		cmocka_unit_test(req8_filtering),
		cmocka_unit_test(req9_hairpinning),
		cmocka_unit_test(req11_deterministic),
		cmocka_unit_test(req12_icmp),
		cmocka_unit_test(req13_too_big),
		cmocka_unit_test(req14_fragments),
		cmocka_unit_test(req14a_fragment_flood),
		cmocka_unit_test(what_else_holds),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
