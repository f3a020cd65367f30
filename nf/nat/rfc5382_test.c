/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 5382, and what RFC 7857 changed in it: TCP, requirement by requirement. */
#include <unistd.h>

#include "nf/nat/nat_test_int.h"

#define ONE "pool: [203.0.113.8]"
#define SYN MR_TCP_SYN
#define ACK MR_TCP_ACK
#define FIN MR_TCP_FIN
#define RST MR_TCP_RST

static struct pkt
tcp(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport, uint8_t flags)
{
	return (struct pkt){ .src = src,
		.sport = sport,
		.dst = dst,
		.dport = dport,
		.proto = TCP,
		.flags = flags,
		.seq = 1000,
		.ack = flags & ACK ? 2000 : 0 };
}

static const struct nat_entry *
entry(const struct bed *b, uint32_t number)
{
	return &b->nat->core->table->entries[number];
}

static unsigned
state(const struct bed *b)
{
	return entry(b, 1)->state;
}

/* REQ-1: endpoint-independent mapping. */
static void
req1_mapping(void **arg)
{
	static struct bed b;
	struct pkt p = tcp(HOST, 5000, REMOTE, 80, SYN);

	bed_open(&b, ONE);
	assert_int_equal(out(&b, &p), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.sport, 5000);
	p.dst = REMOTE2;
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.sport, 5000);
	assert_int_equal(bed_counter(&b, NAT_COUNT_CREATED), 1);
	assert_int_equal(bed_counter(&b, NAT_COUNT_SESSIONS), 2);
	bed_close(&b);
}

/* REQ-2: every sequence of packets that TCP allows: both kinds of opening, from both sides. */
static void
req2_openings(void **arg)
{
	/* '>' out, '<' in; S SYN, A ACK, B SYN and ACK, F FIN and ACK, R RST */
	static const struct {
		const char *way;
		unsigned state;
	} cases[] = {
		{ ">S", NAT_TCP_SYN_OUT },
		{ ">S<B>A", NAT_TCP_OPEN },
		{ ">S<S>B<B", NAT_TCP_OPEN }, /* at once */
		{ ">S<S<B>A", NAT_TCP_OPEN }, /* one crossed */
		{ "<S>B<A", NAT_TCP_OPEN },   /* from outside, through an open filter */
		{ ">S>S>S<B", NAT_TCP_OPEN }, /* again */
		{ ">S<B>A>F", NAT_TCP_FIN_OUT },
		{ ">S<B>A<F", NAT_TCP_FIN_IN },
		{ ">S<B>A>F<A<F>A", NAT_TCP_FIN_BOTH },
		{ ">S<B>A<F>F<A", NAT_TCP_FIN_BOTH },
		{ ">S<B>A>F<F", NAT_TCP_FIN_BOTH },
		{ ">S<B>A>F<F>S", NAT_TCP_SYN_OUT }, /* the same ports again */
		{ ">S<B>A>R", NAT_TCP_SHORT },
		{ ">S<B>A<R", NAT_TCP_SHORT },
		{ ">S<B>A<R>A", NAT_TCP_OPEN }, /* the reset was a forged one: RFC 7857, 2.2 */
		{ ">A", NAT_TCP_SHORT },        /* after a restart */
		{ ">A<A", NAT_TCP_OPEN },
	};
	static struct bed b;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct pkt o = tcp(HOST, 5000, REMOTE, 80, 0), q = tcp(REMOTE, 80, POOL, 5000, 0);

		bed_open(&b, ONE);
		if (cases[i].way[0] == '<') {
			/* The mapping is there by another connection. */
			struct pkt other = tcp(HOST, 5000, REMOTE2, 81, SYN);

			assert_int_equal(out(&b, &other), PASSED);
		}
		for (const char *c = cases[i].way; *c; c += 2) {
			struct pkt *p = *c == '>' ? &o : &q;

			p->flags = c[1] == 'S' ? SYN
			    : c[1] == 'A'      ? ACK
			    : c[1] == 'B'      ? SYN | ACK
			    : c[1] == 'F'      ? FIN | ACK
					       : RST;
			assert_int_equal(*c == '>' ? out(&b, p) : in(&b, p), PASSED);
			assert_true(b.last.good);
		}
		if (cases[i].way[0] == '<')
			assert_int_equal(entry(&b, 2)->state, cases[i].state);
		else if (state(&b) != cases[i].state)
			fail_msg("%s: state %u", cases[i].way, state(&b));
		bed_close(&b);
	}
}

/* REQ-3: filtering is what it is of UDP, and is counted. */
static void
req3_filtering(void **arg)
{
	static const char *const behaviors[] = { "endpoint-independent", "address-dependent",
		"address-and-port-dependent" };
	static struct bed b;

	for (unsigned i = 0; i < 3; i++) {
		struct pkt o = tcp(HOST, 5000, REMOTE, 80, SYN), back, other;
		char body[128];

		snprintf(body, sizeof(body), ONE ", hold-syn: 0, filtering: %s", behaviors[i]);
		bed_open(&b, body);
		assert_int_equal(out(&b, &o), PASSED);
		back = answer(&b);
		other = tcp(REMOTE, 81, POOL, 5000, SYN);
		assert_int_equal(in(&b, &other), i < 2 ? PASSED : DROPPED);
		other = tcp(REMOTE2, 81, POOL, 5000, SYN);
		assert_int_equal(in(&b, &other), i < 1 ? PASSED : DROPPED);
		assert_int_equal(in(&b, &back), PASSED);
		assert_int_equal(bed_counter(&b, NAT_COUNT_FILTERED), i);
		bed_close(&b);
	}
}

/* REQ-4: a SYN from outside that nobody asked for gets no answer for 6 seconds; when the inside opens
 * the connection meanwhile it is dropped, otherwise its sender is told. */
static void
req4_unsolicited_syn(void **arg)
{
	static struct bed b;
	struct pkt o = tcp(HOST, 5000, REMOTE, 80, SYN), q = tcp(REMOTE2, 80, POOL, 5000, SYN);
	struct pkt stranger = tcp(REMOTE2, 99, POOL, 5000, SYN);
	struct nat_held *h;

	bed_open(&b, ONE ", filtering: address-and-port-dependent");
	h = b.nat->core->held[0];
	assert_int_equal(out(&b, &o), PASSED);
	assert_int_equal(in(&b, &q), WAITS);
	assert_int_equal(in(&b, &stranger), WAITS);
	assert_int_equal(h->count, 2);
	assert_true((int32_t)(h->syns[0].until - nat_seconds()) >= 5);
	/* The inside opens the first of the two. */
	o.dst = REMOTE2;
	assert_int_equal(out(&b, &o), PASSED);
	h->syns[0].until -= 7;
	h->syns[1].until -= 7;
	b.count = 0;
	for (unsigned i = 0; i < 30 && h->count; i++) {
		usleep(50000);
		mr_graph_pass(b.graph, 0);
	}
	assert_int_equal(h->count, 0);
	assert_int_equal(bed_drops(&b, "nat-in@wan", NAT_DROP_UNSOLICITED), 1);
	assert_int_equal(b.count, 1);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.proto, ICMP);
	assert_int_equal(b.last.p.flags, 3);
	assert_int_equal(b.last.f.bytes[35], 3);
	assert_int_equal(b.last.p.dst, REMOTE2);
	assert_int_equal(b.last.p.src, POOL);
	assert_memory_equal(b.last.f.bytes + 14 + 28 + 20, ((const uint8_t[]){ 0, 99 }), 2);
	bed_close(&b);
}

/* REQ-4: so many wait and no more. */
static void
req4_bounded(void **arg)
{
	static struct bed b;
	unsigned waiting = 0;

	bed_open(&b, ONE);
	for (unsigned i = 0; i < 1000; i++) {
		struct pkt q = tcp(REMOTE, (uint16_t)(1000 + i), POOL, 80, SYN);

		waiting += in(&b, &q) == WAITS;
	}
	assert_int_equal(waiting, NAT_HELD_MAX);
	bed_close(&b);
}

/* REQ-5: an open connection stays 2 h 4 min, another 4 min. */
static void
req5_timers(void **arg)
{
	static struct bed b;
	struct pkt o = tcp(HOST, 5000, REMOTE, 80, SYN), back;

	bed_open(&b, ONE ", hold-syn: 0");
	assert_int_equal(out(&b, &o), PASSED);
	back = answer(&b);
	bed_later(&b, 239);
	assert_int_equal(in(&b, &back), PASSED);
	o.flags = back.flags = ACK;
	assert_int_equal(out(&b, &o), PASSED);
	bed_later(&b, 7439);
	assert_int_equal(in(&b, &back), PASSED);
	bed_later(&b, 7442);
	assert_int_equal(in(&b, &back), DROPPED);
	/* transitory */
	o.flags = SYN;
	assert_int_equal(out(&b, &o), PASSED);
	bed_later(&b, 242);
	assert_int_equal(in(&b, &back), DROPPED);
	/* closed by both */
	o.flags = SYN;
	assert_int_equal(out(&b, &o), PASSED);
	back.flags = SYN | ACK;
	assert_int_equal(in(&b, &back), PASSED);
	o.flags = back.flags = FIN | ACK;
	assert_int_equal(out(&b, &o), PASSED);
	assert_int_equal(in(&b, &back), PASSED);
	bed_later(&b, 242);
	bed_sweep(&b);
	assert_int_equal(bed_counter(&b, NAT_COUNT_ENDED), bed_counter(&b, NAT_COUNT_CREATED));
	bed_close(&b);
}

/* REQ-7: no port overloading. */
static void
req7_no_overloading(void **arg)
{
	static struct bed b;
	static bool used[65536];

	memset(used, 0, sizeof(used));
	bed_open(&b, ONE);
	for (unsigned i = 0; i < 1000; i++) {
		struct pkt o = tcp(HOST + i, 5000, REMOTE, 80, SYN);

		assert_int_equal(out(&b, &o), PASSED);
		assert_false(used[b.last.p.sport]);
		used[b.last.p.sport] = true;
	}
	bed_close(&b);
}

/* REQ-8: hairpinning, with the outside's address and port as the source. */
static void
req8_hairpinning(void **arg)
{
	static struct bed b;
	struct pkt o = tcp(HOST, 5000, REMOTE, 80, SYN), p;
	struct pkt m;

	bed_open(&b, ONE);
	assert_int_equal(out(&b, &o), PASSED);
	p = tcp(HOST2, 6000, POOL, 5000, SYN);
	assert_int_equal(hair(&b, &p), PASSED);
	assert_true(b.last.good);
	m = b.last.p;
	assert_int_equal(m.dst, HOST);
	assert_int_equal(m.src, POOL);
	p = tcp(HOST, 5000, m.src, m.sport, SYN | ACK);
	assert_int_equal(hair(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, HOST2);
	assert_int_equal(b.last.p.dport, 6000);
	assert_int_equal(b.last.p.src, POOL);
	assert_int_equal(b.last.p.sport, 5000);
	bed_close(&b);
}

/* REQ-9 and REQ-10: ICMP errors are translated, and end nothing. */
static void
req9_req10_icmp(void **arg)
{
	static struct bed b;
	struct pkt o = tcp(HOST, 5000, REMOTE, 80, SYN), back;
	struct frame sent, error;

	bed_open(&b, ONE);
	assert_int_equal(out(&b, &o), PASSED);
	back = answer(&b);
	sent = b.last.f;
	for (unsigned code = 0; code < 16; code++) {
		frame_about(&error, &sent, A(198, 51, 100, 1), 3, (uint8_t)code);
		assert_int_equal(bed_in(&b, &error), PASSED);
		assert_true(b.last.good);
		assert_int_equal(b.last.p.dst, HOST);
	}
	assert_int_equal(state(&b), NAT_TCP_SYN_OUT);
	assert_int_equal(in(&b, &back), PASSED);
	bed_close(&b);
}

/* RFC 7857, 7: a reset of the inside makes no mapping and no session. */
static void
rfc7857_reset_makes_nothing(void **arg)
{
	static struct bed b;
	struct pkt o = tcp(HOST, 5000, REMOTE, 80, RST);

	bed_open(&b, ONE);
	assert_int_equal(out(&b, &o), DROPPED);
	assert_int_equal(bed_counter(&b, NAT_COUNT_CREATED), 0);
	o.flags = SYN;
	assert_int_equal(out(&b, &o), PASSED);
	o.flags = RST | ACK;
	o.dst = REMOTE2;
	assert_int_equal(out(&b, &o), DROPPED);
	assert_int_equal(bed_counter(&b, NAT_COUNT_SESSIONS), 1);
	bed_close(&b);
}

/* The session in a mapping's own line ends, another takes its place while further ones live. */
static void
sessions_come_and_go(void **arg)
{
	static struct bed b;
	struct pkt a = tcp(HOST, 5000, REMOTE, 80, SYN), c = tcp(HOST, 5000, REMOTE2, 80, SYN),
		   back;
	struct nat_table *t;

	bed_open(&b, ONE ", hold-syn: 0, filtering: address-and-port-dependent");
	t = b.nat->core->table;
	assert_int_equal(out(&b, &a), PASSED);
	assert_int_equal(out(&b, &c), PASSED);
	back = tcp(REMOTE, 80, POOL, 5000, SYN | ACK);
	assert_int_equal(t->entries[1].children, 1);
	/* The first is late, the second lives. */
	t->entries[1].seen -= 300;
	bed_sweep(&b);
	assert_int_equal(bed_counter(&b, NAT_COUNT_ENDED), 0);
	assert_int_equal(in(&b, &back), DROPPED);
	/* A third takes the first one's line. */
	a.dport = 90;
	assert_int_equal(out(&b, &a), PASSED);
	assert_int_equal(b.last.p.sport, 5000);
	assert_int_equal(t->entries[1].children, 1);
	back.sport = 90;
	assert_int_equal(in(&b, &back), PASSED);
	assert_int_equal(nat_sessions(t, b.nat->conf.instances[0].number), 2);
	bed_later(&b, 8000);
	bed_sweep(&b);
	bed_sweep(&b);
	assert_int_equal(nat_sessions(t, b.nat->conf.instances[0].number), 0);
	assert_int_equal(nat_mappings(t, b.nat->conf.instances[0].number), 0);
	assert_int_equal(bed_counter(&b, NAT_COUNT_SESSIONS),
	    bed_counter(&b, NAT_COUNT_SESSIONS_ENDED));
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req1_mapping),
		cmocka_unit_test(req2_openings),
		cmocka_unit_test(req3_filtering),
		cmocka_unit_test(req4_unsolicited_syn),
		cmocka_unit_test(req4_bounded),
		cmocka_unit_test(req5_timers),
		cmocka_unit_test(req7_no_overloading),
		cmocka_unit_test(req8_hairpinning),
		cmocka_unit_test(req9_req10_icmp),
		cmocka_unit_test(rfc7857_reset_makes_nothing),
		cmocka_unit_test(sessions_come_and_go),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
