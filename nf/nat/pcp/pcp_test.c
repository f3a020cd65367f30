/* SPDX-License-Identifier: Apache-2.0 */

/* Who may ask, for how much, and in which ways. */

#include "nf/nat/pcp/pcp_test_int.h"

/* -- not more than there is ----------------------------------------------------------------- */

static const uint8_t *
pmp(struct bed *b, uint32_t host, const uint8_t *bytes, unsigned len, unsigned want)
{
	const uint8_t *back;

	assert_int_equal(message(b, host, ROUTER, bytes, len), SENT);
	back = answer_to(b, host, &len);
	assert_int_equal(len, want);
	assert_int_equal(back[0], 0);
	assert_int_equal(back[1], bytes[1] | 0x80);
	return back;
}

static void
no_more_than_its_share(void **state)
{
	static struct bed b;
	struct asked a = some(UDP);

	bed_open(&b,
	    "pool: [203.0.113.8], ports: 2000-2007, hold-syn: 0, pcp: {enabled: true}, "
	    "limits: {udp: 6}");
	for (unsigned i = 0; i < 6; i++) {
		a.inside = (uint16_t)(8080 + i);
		assert_int_equal(map(&b, &a).result, 0);
	}
	a.inside++;
	assert_int_equal(map(&b, &a).result, NAT_PCP_USER_EX_QUOTA);
	assert_int_equal(map(&b, &a).lifetime, 30);
	for (unsigned i = 0; i < 2; i++) {
		a.host = HOST2;
		a.inside = (uint16_t)(8080 + i);
		assert_int_equal(map(&b, &a).result, 0);
	}
	a.inside++;
	assert_int_equal(map(&b, &a).result, NAT_PCP_NO_RESOURCES);
	assert_int_equal(ports_used(&b, NAT_UDP), 8);
	assert_int_equal(mappings(&b), 8);
	assert_int_equal(bed_counter(&b, NAT_COUNT_PCP_REFUSED), 3);
	assert_int_equal(bed_counter(&b, NAT_COUNT_LEASES), 8);
	/* Its address is told all the same. */
	assert_int_equal(mr_load_be32(pmp(&b, HOST, (const uint8_t[]){ 0, 0 }, 2, 12) + 8), POOL);
	/* One gives up, another one gets it. */
	a = some(UDP);
	a.lifetime = 0;
	assert_int_equal(map(&b, &a).result, 0);
	a.host = HOST2;
	a.lifetime = 600;
	assert_int_equal(map(&b, &a).result, 0);
	bed_close(&b);
}

static void
this_port_or_none(void **state)
{
	static struct bed b;
	struct asked a = some(UDP), other = some(UDP);

	bed_open(&b, CONF);
	other.host = HOST2;
	other.outside = 9001;
	assert_int_equal(map(&b, &other).port, 9001);
	a.outside = 9001;
	a.only_this = true;
	assert_int_equal(map(&b, &a).result, NAT_PCP_CANNOT_PROVIDE_EXTERNAL);
	assert_int_equal(ports_used(&b, NAT_UDP), 1);
	assert_int_equal(mappings(&b), 1);
	a.outside = 9003;
	assert_int_equal(map(&b, &a).port, 9003);
	bed_close(&b);
}

/* A table that is full: nothing is taken, nothing ends, and it goes on when there is room. */
static void
a_full_table(void **state)
{
	static struct bed b;
	struct asked a = some(UDP);
	unsigned count = 0;

	bed_open(&b, CONF "}}, max: 1024 #");
	a.outside = 0; /* the inside's */
	for (a.inside = 1024; a.inside < 8000 && !map(&b, &a).result; a.inside++)
		count++;
	assert_in_range(count, 1024, 4096);
	assert_int_equal(map(&b, &a).result, NAT_PCP_NO_RESOURCES);
	a.only_this = true;
	a.outside = 60000;
	assert_int_equal(map(&b, &a).result, NAT_PCP_NO_RESOURCES);
	a.only_this = false;
	assert_int_equal(mappings(&b), count);
	assert_int_equal(ports_used(&b, NAT_UDP), count);
	/* Some give up; which places that frees, follows from the hash. */
	a.lifetime = 0;
	for (a.inside = 1024; a.inside < 1536; a.inside++)
		assert_int_equal(map(&b, &a).result, 0);
	a.lifetime = 600;
	a.inside = 8000;
	assert_int_equal(map(&b, &a).result, 0);
	bed_close(&b);
}

/* What it gets is within its block, so that the log says whose it was. */
static void
within_its_block(void **state)
{
	static struct bed b;
	struct asked a = some(UDP);
	struct nat_event e;
	struct told t;

	bed_open(&b, CONF ", block: {size: 16, max: 2}");
	for (unsigned i = 0; i < 32; i++) {
		a.inside = (uint16_t)(8080 + i);
		t = map(&b, &a);
		assert_int_equal(t.result, 0);
		assert_true(nat_pool_block_of(b.nat->pools[b.nat->conf.instances[0].number].pool,
		    mr_be32(t.address), mr_be16(t.port), &e));
		assert_memory_equal(e.inside, ((const uint8_t[]){ 10, 0, 0, 5 }), 4);
	}
	a.inside++;
	assert_int_equal(map(&b, &a).result, NAT_PCP_NO_RESOURCES);
	bed_close(&b);
}

/* -- NAT-PMP -------------------------------------------------------------------------------- */

static void
by_nat_pmp(void **state)
{
	static const uint8_t address[] = { 0, 0 },
			     map_udp[] = { 0, 1, 0, 0, 0x1f, 0x90, 0x23, 0x28, 0, 0, 0x0e, 0x10 },
			     all_udp[] = { 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	static struct bed b;
	struct asked a = some(UDP);
	const uint8_t *back;

	bed_open(&b, CONF);
	assert_int_equal(mr_load_be32(pmp(&b, HOST, address, 2, 12) + 8), POOL);
	back = pmp(&b, HOST, map_udp, 12, 16);
	assert_int_equal(back[3], 0);
	assert_int_equal(mr_load_be32(back + 8), 8080u << 16 | 9000);
	assert_int_equal(mr_load_be32(back + 12), 3600);
	assert_int_equal(mappings(&b), 1);
	/* Who has no nonce cannot take what somebody has by one, nor the other way round. */
	assert_int_equal(map(&b, &a).result, NAT_PCP_NOT_AUTHORIZED);
	a.inside = 8081;
	assert_int_equal(map(&b, &a).result, 0);
	/* Another host's, and one by PCP, stay. */
	(void)pmp(&b, HOST2, map_udp, 12, 16);
	assert_int_equal(mappings(&b), 3);
	back = pmp(&b, HOST, all_udp, 12, 16);
	assert_int_equal(back[3], 0);
	bed_sweep(&b);
	assert_int_equal(mappings(&b), 2);
	assert_int_equal(map(&b, &a).result, 0);
	bed_close(&b);
	/* It can be off. */
	bed_open(&b, "pool: [203.0.113.8], pcp: {enabled: true, nat-pmp: false}");
	assert_int_equal(pmp(&b, HOST, map_udp, 12, 8)[3], NAT_PCP_UNSUPP_VERSION);
	assert_int_equal(mappings(&b), 0);
	assert_int_equal(map(&b, &a).result, 0);
	bed_close(&b);
}

/* -- peers ---------------------------------------------------------------------------------- */

static struct told
peer(struct bed *b, uint8_t proto, uint16_t inside, uint32_t remote, uint32_t lifetime)
{
	uint8_t m[80] = { 2, 2 };
	const uint8_t *back;
	unsigned len;

	mr_store_be32(m + 4, lifetime);
	put_address(m + 8, HOST);
	m[36] = proto;
	mr_store_be32(m + 40, (uint32_t)inside << 16);
	put_address(m + 44, 0);
	mr_store_be32(m + 60, 53u << 16);
	put_address(m + 64, remote);
	assert_int_equal(message(b, HOST, ROUTER, m, sizeof(m)), SENT);
	back = answer_to(b, HOST, &len);
	assert_int_equal(len, 80);
	return (struct told){ back[3], mr_load_be32(back + 4), mr_load_be32(back + 8),
		mr_load_be32(back + 56), (uint16_t)mr_load_be32(back + 40) };
}

static void
for_a_peer(void **state)
{
	static struct bed b;
	struct told t;
	struct pkt p = { .src = REMOTE, .sport = 53, .dst = POOL };

	bed_open(&b,
	    CONF ", mapping: address-and-port-dependent, "
		 "filtering: address-and-port-dependent");
	t = peer(&b, UDP, 7000, REMOTE, 0);
	assert_int_equal(t.result, 0);
	assert_int_equal(mappings(&b), 0);
	t = peer(&b, UDP, 7000, REMOTE, 100);
	assert_int_equal(t.result, 0);
	assert_int_equal(t.lifetime, 300);
	assert_int_equal(t.address, POOL);
	p.dport = t.port;
	assert_int_equal(in(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, HOST);
	assert_int_equal(b.last.p.dport, 7000);
	/* It is for this one alone. */
	p.src = REMOTE2;
	assert_int_equal(in(&b, &p), DROPPED);
	assert_int_equal(peer(&b, TCP, 7000, REMOTE, 100).lifetime, 240);
	bed_close(&b);
}

/* -- who is asked --------------------------------------------------------------------------- */

static void
others_are_not_asked(void **state)
{
	static const uint8_t announce[24] = { 2, 0, [18] = 0xff, [19] = 0xff, 10, 0, 0, 5 };
	static struct bed b;
	struct frame f;
	struct pkt p = { .src = HOST, .dst = ROUTER, .dport = NAT_PCP_PORT, .len = 24 };

	bed_open(&b, CONF ", source: [10.0.0.0/29]");
	assert_int_equal(message(&b, HOST, ROUTER, announce, 24), SENT);
	assert_int_equal(message(&b, HOST, NAT_PCP_ANYCAST, announce, 24), SENT);
	assert_int_equal(b.last.p.src, NAT_PCP_ANYCAST);
	/* Another address, a host that is not translated, another port. */
	assert_int_equal(message(&b, HOST, A(10, 0, 0, 2), announce, 24), PASSED);
	assert_int_equal(message(&b, A(10, 0, 0, 77), ROUTER, announce, 24), PASSED);
	p.dport++;
	assert_int_equal(hair(&b, &p), PASSED);
	/* From outside, with the inside's address: whatever becomes of it, no answer. */
	p.dport--;
	memcpy(frame_make(&f, &p)->bytes + 42, announce, 24);
	assert_int_not_equal(bed_in(&b, &f), SENT);
	/* No request: no answer. */
	assert_int_equal(message(&b, HOST, ROUTER, (const uint8_t[]){ 2, 0x81 }, 2), DROPPED);
	assert_int_equal(message(&b, HOST, ROUTER, announce, 1), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-in@lan", NAT_DROP_PCP), 2);
	/* Nor with a checksum that is wrong. */
	p.bad_sum = true;
	assert_int_equal(hair(&b, &p), DROPPED);
	assert_int_equal(bed_counter(&b, NAT_COUNT_PCP), 2);
	bed_apply(&b,
	    "nat: {instance: {x: {outside: [wan], inside: [lan], pool: [203.0.113.8]}}}\n");
	assert_int_equal(message(&b, HOST, ROUTER, announce, 24), PASSED);
	bed_close(&b);
}

static void
wrong_configurations(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "{outside: [wan], pcp: {enabled: true}}", "nobody can ask for mappings" },
		{ "{outside: [wan], inside: [lan], pcp: {enabled: true, lifetime-min: 700, "
		  "lifetime-max: 600}}",
		    "more than lifetime-max" },
	};
	char text[300], said[1000];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		snprintf(text, sizeof(text), "nat: {instance: {x: %s}}\n", cases[i].text);
		bed_check(text, said, sizeof(said));
		if (!strstr(said, cases[i].said))
			fail_msg("%s: %s", text, said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_its_share),
		cmocka_unit_test(this_port_or_none),
		cmocka_unit_test(a_full_table),
		cmocka_unit_test(within_its_block),
		cmocka_unit_test(by_nat_pmp),
		cmocka_unit_test(for_a_peer),
		cmocka_unit_test(others_are_not_asked),
		cmocka_unit_test(wrong_configurations),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
