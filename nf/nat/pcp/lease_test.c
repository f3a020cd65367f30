/* SPDX-License-Identifier: Apache-2.0 */

/* Mappings that were asked for: packets tell whether they are there, and for how long. */

#include "nf/nat/pcp/pcp_test_int.h"

/* -- it is open --------------------------------------------------------------------------- */

static void
open_to_all(void **state)
{
	static const char *const behaviors[] = { "endpoint-independent", "address-dependent",
		"address-and-port-dependent" };
	static struct bed b;

	for (unsigned i = 0; i < 18; i++) {
		uint8_t proto = i & 1 ? TCP : UDP;
		struct asked a = some(proto);
		struct told t;
		struct pkt p;
		char body[300];

		snprintf(body, sizeof(body), CONF ", mapping: %s, filtering: %s",
		    behaviors[i / 2 % 3], behaviors[i / 6]);
		bed_open(&b, body);
		t = map(&b, &a);
		assert_int_equal(t.result, 0);
		assert_int_equal(t.lifetime, 3600);
		assert_int_equal(t.address, POOL);
		assert_int_equal(t.port, 9000);
		assert_int_equal(mappings(&b), 1);
		/* Three from outside, and the inside's answers. */
		for (unsigned n = 0; n < 3; n++) {
			assert_int_equal(from_outside(&b, &t, proto, REMOTE + n), PASSED);
			assert_true(b.last.good);
			assert_int_equal(b.last.p.dst, HOST);
			assert_int_equal(b.last.p.dport, 8080);
			p = answer(&b);
			assert_int_equal(out(&b, &p), PASSED);
			assert_int_equal(b.last.p.src, POOL);
			assert_int_equal(b.last.p.sport, 9000);
		}
		assert_int_equal(ports_used(&b, proto == TCP ? NAT_TCP : NAT_UDP), 1);
		/* All of it ends. */
		bed_later(&b, 10000);
		bed_sweep(&b);
		bed_sweep(&b);
		assert_int_equal(mappings(&b), 0);
		assert_int_equal(ports_used(&b, proto == TCP ? NAT_TCP : NAT_UDP), 0);
		assert_int_equal(from_outside(&b, &t, proto, REMOTE), DROPPED);
		bed_close(&b);
	}
}

/* -- how long ------------------------------------------------------------------------------- */

static void
as_long_as_its_lease(void **state)
{
	static struct bed b;
	struct asked a = some(UDP);
	struct told t;

	bed_open(&b, CONF);
	a.lifetime = 1000;
	t = map(&b, &a);
	bed_later(&b, 900);
	bed_sweep(&b);
	assert_int_equal(from_outside(&b, &t, UDP, REMOTE), PASSED);
	/* Renewed. */
	t = map(&b, &a);
	assert_int_equal(t.port, 9000);
	bed_later(&b, 900);
	bed_sweep(&b);
	assert_int_equal(from_outside(&b, &t, UDP, REMOTE), PASSED);
	bed_later(&b, 101);
	bed_sweep(&b);
	assert_int_equal(mappings(&b), 0);
	/* The shortest and the longest. */
	a.lifetime = 1;
	assert_int_equal(map(&b, &a).lifetime, 120);
	a.lifetime = UINT32_MAX;
	assert_int_equal(map(&b, &a).lifetime, 86400);
	bed_close(&b);
}

static void
given_up(void **state)
{
	static struct bed b;
	struct asked a = some(UDP);
	struct told t;
	struct pkt p = { .src = HOST, .sport = 8080, .dst = REMOTE, .dport = 53 };

	bed_open(&b, CONF);
	t = map(&b, &a);
	a.nonce = 2;
	assert_int_equal(map(&b, &a).result, NAT_PCP_NOT_AUTHORIZED);
	a.lifetime = 0;
	assert_int_equal(map(&b, &a).result, NAT_PCP_NOT_AUTHORIZED);
	assert_int_equal(from_outside(&b, &t, UDP, REMOTE), PASSED);
	a.nonce = 1;
	assert_int_equal(map(&b, &a).result, 0);
	assert_int_equal(mappings(&b), 0);
	assert_int_equal(from_outside(&b, &t, UDP, REMOTE), DROPPED);
	/* There is nothing: that is what was asked for. */
	assert_int_equal(map(&b, &a).result, 0);
	assert_int_equal(mappings(&b), 0);
	/* What packets keep alive goes on. */
	a.lifetime = 600;
	t = map(&b, &a);
	assert_int_equal(out(&b, &p), PASSED);
	a.lifetime = 0;
	assert_int_equal(map(&b, &a).result, 0);
	assert_int_equal(mappings(&b), 1);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.sport, t.port);
	bed_later(&b, 301);
	bed_sweep(&b);
	assert_int_equal(mappings(&b), 0);
	bed_close(&b);
}

/* -- what is there already ------------------------------------------------------------------ */

static void
a_mapping_of_packets(void **state)
{
	static struct bed b;
	struct asked a = some(UDP);
	struct told t;
	struct pkt p = { .src = HOST, .sport = 8080, .dst = REMOTE, .dport = 53 };

	bed_open(&b, CONF ", filtering: address-dependent");
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.sport, 8080);
	t = map(&b, &a);
	assert_int_equal(t.result, 0);
	assert_int_equal(t.port, 8080);
	assert_int_equal(mappings(&b), 1);
	assert_int_equal(from_outside(&b, &t, UDP, REMOTE2), PASSED);
	a.only_this = true;
	assert_int_equal(map(&b, &a).result, NAT_PCP_CANNOT_PROVIDE_EXTERNAL);
	a.outside = 8080;
	assert_int_equal(map(&b, &a).result, 0);
	bed_close(&b);
}

static void
what_is_configured(void **state)
{
	static struct bed b;
	struct asked a = some(TCP);
	struct told t;

	bed_open(&b,
	    CONF ", forward: {w: {protocol: tcp, port: 80, to: 10.0.0.5, to-port: 8080}}, "
		 "static: {s: {outside: 203.0.113.9, inside: 10.0.0.9}}");
	t = map(&b, &a);
	assert_int_equal(t.result, 0);
	assert_int_equal(t.port, 80);
	assert_int_equal(t.lifetime, 3600);
	a.only_this = true;
	assert_int_equal(map(&b, &a).result, NAT_PCP_CANNOT_PROVIDE_EXTERNAL);
	a.lifetime = 0;
	a.only_this = false;
	assert_int_equal(map(&b, &a).result, NAT_PCP_NOT_AUTHORIZED);
	a = some(TCP);
	a.host = A(10, 0, 0, 9);
	t = map(&b, &a);
	assert_int_equal(t.result, 0);
	assert_int_equal(t.address, A(203, 0, 113, 9));
	assert_int_equal(t.port, 8080);
	bed_close(&b);
}

/* -- what is lost is told --------------------------------------------------------------------- */

static void
a_lease_lost(void **state)
{
	static struct bed b;
	struct asked a = some(UDP);
	uint8_t number;

	bed_open(&b, CONF);
	number = b.nat->conf.instances[0].number;
	assert_int_equal(map(&b, &a).result, 0);
	b.nat->core->table->lost[number] -= 1000;
	assert_in_range(map(&b, &a).epoch, 1000, 1005);
	/* The port is still there: so is the lease. */
	bed_apply(&b,
	    "nat: {instance: {x: {outside: [wan], inside: [lan], "
	    "pool: [203.0.113.8-203.0.113.9], pcp: {enabled: true}}}}\n");
	assert_in_range(map(&b, &a).epoch, 1000, 1005);
	assert_int_equal(map(&b, &a).port, 9000);
	bed_apply(&b,
	    "nat: {instance: {x: {outside: [wan], inside: [lan], "
	    "pool: [203.0.113.9], pcp: {enabled: true}}}}\n");
	assert_in_range(map(&b, &a).epoch, 0, 5);
	assert_int_equal(map(&b, &a).address, A(203, 0, 113, 9));
	bed_close(&b);
}

/* -- at random, beside a list ------------------------------------------------------------------- */

#define HOSTS 4u
#define PORTS 24u

struct held {
	bool there;
	uint8_t nonce;
	uint16_t port;
};

static void
beside_a_list(void **state)
{
	static struct held held[HOSTS * PORTS];
	static struct bed b;
	uint64_t seed = 77;

	bed_open(&b, "pool: [203.0.113.8], ports: 2000-2063, pcp: {enabled: true}");
	for (unsigned step = 0; step < 20000; step++) {
		unsigned host = (unsigned)(draw(&seed) % HOSTS),
			 port = (unsigned)(draw(&seed) % PORTS), used = 0;
		struct held *h = &held[host * PORTS + port];
		struct asked a = { .host = HOST + host,
			.proto = UDP,
			.nonce = (uint8_t)(1 + draw(&seed) % 2),
			.inside = (uint16_t)(5000 + port),
			.outside = (uint16_t)(2000 + draw(&seed) % 64),
			.lifetime = draw(&seed) % 2 ? 600 : 0,
			.only_this = draw(&seed) % 4 == 0 };
		struct told t = map(&b, &a);
		bool taken = false;

		for (unsigned i = 0; i < HOSTS * PORTS; i++) {
			used += held[i].there;
			taken |= held[i].there && held[i].port == a.outside;
		}
		if (h->there && h->nonce != a.nonce) {
			assert_int_equal(t.result, NAT_PCP_NOT_AUTHORIZED);
		} else if (!a.lifetime) {
			assert_int_equal(t.result, 0);
			h->there = false;
		} else if (h->there) {
			assert_int_equal(t.result,
			    a.only_this && a.outside != h->port ? NAT_PCP_CANNOT_PROVIDE_EXTERNAL
								: 0);
			assert_true(t.result || t.port == h->port);
		} else if (used == 64) {
			assert_int_equal(t.result, NAT_PCP_NO_RESOURCES);
		} else if (a.only_this && taken) {
			assert_int_equal(t.result, NAT_PCP_CANNOT_PROVIDE_EXTERNAL);
		} else {
			assert_int_equal(t.result, 0);
			assert_true(taken || t.port == a.outside);
			for (unsigned i = 0; i < HOSTS * PORTS; i++)
				assert_false(held[i].there && held[i].port == t.port);
			*h = (struct held){ true, a.nonce, t.port };
		}
		used = 0;
		for (unsigned i = 0; i < HOSTS * PORTS; i++)
			used += held[i].there;
		assert_int_equal(ports_used(&b, NAT_UDP), used);
	}
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_to_all),
		cmocka_unit_test(as_long_as_its_lease),
		cmocka_unit_test(given_up),
		cmocka_unit_test(a_mapping_of_packets),
		cmocka_unit_test(what_is_configured),
		cmocka_unit_test(a_lease_lost),
		cmocka_unit_test(beside_a_list),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
