/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ports that are shared, against a list of who has what: the same outside and remote end is never two
 * mappings', what comes back goes to whom it is for, and when all is over nothing is left.
 */

#include "nf/nat/nat_test_int.h"

#define CONF \
	"pool: [203.0.113.8], ports: 2000-2015, mapping: address-and-port-dependent, " \
	"port-overloading: true, hold-syn: 0"
#define PORTS 16u
#define FLOWS 600u

struct flow {
	struct pkt sent, got;
	bool there;
};

static struct flow flows[FLOWS];

static struct pkt
packet(unsigned n, uint8_t proto)
{
	return (struct pkt){ .src = HOST + n % 7,
		.sport = (uint16_t)(5000 + n / 7 % 5),
		.dst = REMOTE + n / 35 % 10,
		.dport = (uint16_t)(proto == ICMP ? 0 : 80 + n / 350),
		.proto = proto,
		.flags = (uint8_t)(proto == TCP ? MR_TCP_SYN
			: proto == ICMP         ? 8
						: 0),
		.len = 16 };
}

/* The end outside and the remote one. */
static bool
same_ends(const struct pkt *a, const struct pkt *b)
{
	return a->src == b->src && a->sport == b->sport && a->dst == b->dst && a->dport == b->dport;
}

static void
check_back(struct bed *b, unsigned n)
{
	struct pkt p = { .src = flows[n].got.dst,
		.sport = flows[n].got.dport,
		.dst = flows[n].got.src,
		.dport = flows[n].got.sport,
		.proto = flows[n].got.proto,
		.len = 16 };

	if (p.proto == TCP)
		p.flags = MR_TCP_SYN | MR_TCP_ACK;
	if (p.proto == ICMP)
		p.sport = p.dport;
	assert_int_equal(in(b, &p), PASSED);
	assert_true(b->last.good);
	assert_int_equal(b->last.p.dst, flows[n].sent.src);
	assert_int_equal(p.proto == ICMP ? b->last.p.sport : b->last.p.dport, flows[n].sent.sport);
}

/* An ICMP error about what went out. */
static void
check_error(struct bed *b, unsigned n)
{
	struct frame sent, error;

	frame_make(&sent, &flows[n].got);
	assert_int_equal(bed_in(b, frame_about(&error, &sent, A(192, 0, 2, 1), 3, 1)), PASSED);
	assert_int_equal(b->last.p.dst, flows[n].sent.src);
}

static unsigned
begin(struct bed *b, uint8_t proto)
{
	unsigned count = 0;

	for (unsigned n = 0; n < FLOWS; n++) {
		struct flow *f = &flows[n];

		f->sent = packet(n, proto);
		/* Of ICMP there are no more. */
		f->there = (proto != ICMP || n < 350) && out(b, &f->sent) == PASSED;
		if (!f->there)
			continue;
		f->got = b->last.p;
		assert_in_range(f->got.sport, 2000, 2000 + PORTS - 1);
		count++;
		for (unsigned i = 0; i < n; i++)
			assert_false(flows[i].there && same_ends(&flows[i].got, &f->got));
	}
	return count;
}

static void
nobody_is_mixed_up(void **state)
{
	static const uint8_t protos[] = { UDP, TCP, ICMP };
	static const char *const filters[] = { "endpoint-independent", "address-dependent",
		"address-and-port-dependent" };
	static struct bed b;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(protos) * MR_ARRAY_COUNT(filters); i++) {
		uint8_t proto = protos[i / 3];
		char body[300];
		unsigned count, number;

		snprintf(body, sizeof(body), CONF ", filtering: %s", filters[i % 3]);
		bed_open(&b, body);
		number = b.nat->conf.instances[0].number;
		count = begin(&b, proto);
		/* Ten remote hosts, of ICMP with nothing but an address: 16 ports for each. */
		assert_true(count > (proto == ICMP ? 120 : 250));
		assert_int_equal(bed_counter(&b, NAT_COUNT_SHARED), count - PORTS);
		assert_int_equal(nat_mappings(b.nat->core->table, number), count);
		for (unsigned n = 0; n < FLOWS; n++)
			if (flows[n].there) {
				check_back(&b, n);
				if (proto == UDP)
					check_error(&b, n);
				assert_int_equal(out(&b, &flows[n].sent), PASSED);
				assert_true(same_ends(&b.last.p, &flows[n].got));
			}
		/* All of it ends: nobody is left, and it begins anew. */
		bed_later(&b, 8000);
		bed_sweep(&b);
		bed_sweep(&b);
		assert_int_equal(nat_mappings(b.nat->core->table, number), 0);
		assert_int_equal(nat_sessions(b.nat->core->table, number), 0);
		assert_int_equal(bed_counter(&b, NAT_COUNT_CREATED),
		    bed_counter(&b, NAT_COUNT_ENDED));
		for (unsigned n = 1; n < 2000; n++)
			assert_int_equal(b.nat->core->table->entries[n].word & NAT_LIVE, 0);
		assert_int_equal(out(&b, &flows[0].sent), PASSED);
		bed_close(&b);
	}
}

/* Whose port it is may end first, and what shares it goes on; the port is nobody else's meanwhile. */
static void
the_owner_ends_first(void **state)
{
	static struct bed b;
	struct pkt p;
	unsigned alive = 0;

	bed_open(&b, CONF);
	assert_true(begin(&b, UDP) > 250);
	bed_later(&b, 200);
	for (unsigned n = PORTS; n < FLOWS; n++)
		if (flows[n].there)
			assert_int_equal(out(&b, &flows[n].sent), PASSED);
	bed_later(&b, 200);
	bed_sweep(&b);
	for (unsigned n = PORTS; n < FLOWS; n++)
		if (flows[n].there) {
			check_back(&b, n);
			alive++;
		}
	assert_true(alive > 200);
	/* The owners' own remote ends do not come in any more, unless they are open to all. */
	p = (struct pkt){ .src = flows[0].got.dst,
		.sport = flows[0].got.dport,
		.dst = flows[0].got.src,
		.dport = flows[0].got.sport,
		.proto = UDP };
	assert_int_equal(in(&b, &p), DROPPED);
	/* Whom it belongs to may come back to it. */
	assert_int_equal(out(&b, &flows[0].sent), PASSED);
	assert_true(same_ends(&b.last.p, &flows[0].got));
	assert_int_equal(in(&b, &p), PASSED);
	bed_close(&b);
}

/* Another pool with the same addresses keeps them, one without ends them. */
static void
a_change_of_the_pool(void **state)
{
	static struct bed b;
	unsigned count;

	bed_open(&b, CONF);
	count = begin(&b, UDP);
	bed_apply(&b,
	    "nat: {instance: {x: {outside: [wan], inside: [lan], pool: [203.0.113.8-203.0.113.9], "
	    "ports: 2000-2015, mapping: address-and-port-dependent, port-overloading: true}}}\n");
	for (unsigned n = 0; n < FLOWS; n++)
		if (flows[n].there)
			check_back(&b, n);
	bed_apply(&b,
	    "nat: {instance: {x: {outside: [wan], inside: [lan], pool: [203.0.113.77], "
	    "mapping: address-and-port-dependent}}}\n");
	assert_int_equal(bed_counter(&b, NAT_COUNT_ENDED), count);
	for (unsigned n = 1; n < 2000; n++)
		assert_int_equal(b.nat->core->table->entries[n].word & NAT_LIVE, 0);
	bed_close(&b);
}

static void
what_it_needs(void **state)
{
	static const struct {
		const char *conf, *said;
	} cases[] = {
		{ "port-overloading: true", "address-and-port-dependent only" },
		{ CONF ", block: {size: 8}", "not shared with \"block\"" },
		{ CONF ", deterministic: {inside: 10.0.0.0/30}",
		    "not shared with \"deterministic\"" },
		{ CONF ", log-mappings: true", "not shared with \"log-mappings\"" },
		{ CONF, "" },
	};
	char text[500], said[1000];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		snprintf(text, sizeof(text), "nat: {instance: {x: {outside: [wan], %s}}}\n",
		    cases[i].conf);
		bed_check(text, said, sizeof(said));
		if (cases[i].said[0] ? !strstr(said, cases[i].said) : said[0] != '\0')
			fail_msg("%s: \"%s\"", cases[i].conf, said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_mixed_up),
		cmocka_unit_test(the_owner_ends_first),
		cmocka_unit_test(a_change_of_the_pool),
		cmocka_unit_test(what_it_needs),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
