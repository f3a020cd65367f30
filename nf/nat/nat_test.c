/* SPDX-License-Identifier: Apache-2.0 */
/* Static addresses, forwards, the host itself, changes of the configuration, and running out. */
#include "nf/nat/nat_test_int.h"

#define HEAD "nat: {instance: {x: {outside: [wan], inside: [lan], "
#define TAIL "}}}\n"

static struct pkt
pkt(uint8_t proto, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	return (struct pkt){ .src = src,
		.sport = sport,
		.dst = dst,
		.dport = dport,
		.proto = proto,
		.len = 16,
		.flags = proto == TCP ? MR_TCP_SYN : 0 };
}

static void
apply(struct bed *b, const char *body)
{
	char text[2048];

	snprintf(text, sizeof(text), HEAD "%s" TAIL, body);
	bed_apply(b, text);
}

/* -- static ------------------------------------------------------------------------------- */

static void
static_addresses(void **state)
{
	static const uint8_t protos[] = { TCP, UDP, ICMP, MR_IP_PROTO_GRE, MR_IP_PROTO_ESP,
		MR_IP_PROTO_SCTP, MR_IP_PROTO_DCCP, MR_IP_PROTO_UDPLITE };
	static struct bed b;
	struct pkt p;

	bed_open(&b,
	    "pool: [203.0.113.8-203.0.113.9], static: {web: {outside: 203.0.113.9, "
	    "inside: 10.0.0.9}}");
	for (unsigned i = 0; i < MR_ARRAY_COUNT(protos); i++) {
		p = pkt(protos[i], A(10, 0, 0, 9), 4000, REMOTE, 80);
		if (p.proto == ICMP)
			p.flags = 8;
		assert_int_equal(out(&b, &p), PASSED);
		assert_true(b.last.good);
		assert_int_equal(b.last.p.src, A(203, 0, 113, 9));
		assert_int_equal(b.last.p.sport, 4000);
		p = pkt(protos[i], REMOTE, 80, A(203, 0, 113, 9), 4000);
		if (p.proto == ICMP)
			p.flags = 8;
		assert_int_equal(in(&b, &p), PASSED);
		assert_true(b.last.good);
		assert_int_equal(b.last.p.dst, A(10, 0, 0, 9));
		if (p.proto != ICMP)
			assert_int_equal(b.last.p.dport, 4000);
	}
	/* The others do not get its address. */
	for (unsigned i = 0; i < 100; i++) {
		p = pkt(UDP, A(10, 0, 0, 20) + i, 4000, REMOTE, 80);
		assert_int_equal(out(&b, &p), PASSED);
		assert_int_equal(b.last.p.src, POOL);
	}
	/* From inside, by its outside address. */
	p = pkt(TCP, HOST, 5000, A(203, 0, 113, 9), 80);
	assert_int_equal(hair(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, A(10, 0, 0, 9));
	assert_int_equal(b.last.p.src, POOL);
	/* What has no ports and no static address goes nowhere. */
	p = pkt(MR_IP_PROTO_GRE, HOST, 0, REMOTE, 0);
	assert_int_equal(out(&b, &p), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_PROTOCOL), 1);
	/* Gone. */
	apply(&b, "pool: [203.0.113.8-203.0.113.9], hold-syn: 0");
	p = pkt(TCP, REMOTE, 80, A(203, 0, 113, 9), 4000);
	assert_int_equal(in(&b, &p), DROPPED);
	bed_close(&b);
}

static void
static_fragments_and_errors(void **state)
{
	static struct bed b;
	struct frame whole, piece, error;
	struct pkt p = pkt(MR_IP_PROTO_GRE, A(10, 0, 0, 9), 0, REMOTE, 0);

	bed_open(&b,
	    "pool: [203.0.113.8], static: {web: {outside: 203.0.113.9, "
	    "inside: 10.0.0.9}}");
	p.len = 100;
	frame_make(&whole, &p);
	assert_int_equal(bed_out(&b, frame_piece(&piece, &whole, 0, 48)), PASSED);
	assert_int_equal(bed_out(&b, frame_piece(&piece, &whole, 48, 100)), PASSED);
	assert_int_equal(b.last.p.src, A(203, 0, 113, 9));
	whole = b.last.f;
	p.src = A(203, 0, 113, 9);
	frame_make(&whole, &p);
	assert_int_equal(bed_in(&b, frame_about(&error, &whole, REMOTE, 3, 2)), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.dst, A(10, 0, 0, 9));
	bed_close(&b);
}

/* -- forwards ----------------------------------------------------------------------------- */

static void
forwards(void **state)
{
	static struct bed b;
	struct pkt p;

	bed_open(&b,
	    "pool: [203.0.113.8], filtering: address-and-port-dependent, "
	    "mapping: address-and-port-dependent, hold-syn: 0, forward: {"
	    "ssh: {protocol: tcp, port: 2222, to: 10.0.0.5, to-port: 22}, "
	    "many: {protocol: udp, port: 4000-4009, to: 10.0.0.6, to-port: 5000}}");
	p = pkt(TCP, REMOTE, 999, POOL, 2222);
	assert_int_equal(in(&b, &p), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.dst, HOST);
	assert_int_equal(b.last.p.dport, 22);
	p = answer(&b);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, POOL);
	assert_int_equal(b.last.p.sport, 2222);
	for (unsigned i = 0; i < 10; i++) {
		p = pkt(UDP, REMOTE, 999, POOL, (uint16_t)(4000 + i));
		assert_int_equal(in(&b, &p), PASSED);
		assert_int_equal(b.last.p.dst, HOST2);
		assert_int_equal(b.last.p.dport, 5000 + i);
		p = answer(&b);
		assert_int_equal(out(&b, &p), PASSED);
		assert_int_equal(b.last.p.sport, 4000 + i);
	}
	p = pkt(UDP, REMOTE, 999, POOL, 4010);
	assert_int_equal(in(&b, &p), DROPPED);
	/* From inside. */
	p = pkt(TCP, HOST2, 7000, POOL, 2222);
	assert_int_equal(hair(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, HOST);
	assert_int_equal(b.last.p.src, POOL);
	/* They never end by themselves. */
	bed_later(&b, 100000);
	bed_sweep(&b);
	p = pkt(TCP, REMOTE, 999, POOL, 2222);
	assert_int_equal(in(&b, &p), PASSED);
	bed_close(&b);
}

/* A forward takes a port that the inside has: that mapping ends. */
static void
forward_over_mapping(void **state)
{
	static struct bed b;
	struct pkt p = pkt(UDP, HOST, 5000, REMOTE, 80);

	bed_open(&b, "pool: [203.0.113.8]");
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.sport, 5000);
	apply(&b, "pool: [203.0.113.8], forward: {f: {protocol: udp, port: 5000, to: 10.0.0.6}}");
	p = pkt(UDP, REMOTE, 80, POOL, 5000);
	assert_int_equal(in(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, HOST2);
	p = pkt(UDP, HOST, 5000, REMOTE, 80);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_not_equal(b.last.p.sport, 5000);
	apply(&b, "pool: [203.0.113.8]");
	p = pkt(UDP, REMOTE, 80, POOL, 5000);
	assert_int_equal(in(&b, &p), DROPPED);
	/* Whose port it was free to be. */
	p = pkt(UDP, HOST2, 5000, REMOTE, 80);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.sport, 5000);
	bed_close(&b);
}

/* -- the interface's own address ---------------------------------------------------------- */

static void
own_address(void **state)
{
	static struct bed b;
	struct pkt p, back;

	bed_open(&b, "");
	p = pkt(UDP, HOST, 5000, REMOTE, 80);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, OWN);
	assert_int_equal(b.last.p.sport, 5000);
	back = answer(&b);
	assert_int_equal(in(&b, &back), PASSED);
	assert_int_equal(b.last.p.dst, HOST);
	/* To the host: nobody's port. */
	p = pkt(TCP, REMOTE, 999, OWN, 22);
	assert_int_equal(in(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, OWN);
	p = answer(&b);
	b.from = b.other;
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.sport, 22);
	/* The host's port is the host's now. */
	back = answer(&b);
	assert_int_equal(in(&b, &back), PASSED);
	assert_int_equal(b.last.p.dst, OWN);
	assert_int_equal(b.last.p.dport, 22);
	/* It wants one that somebody inside has. */
	p = pkt(UDP, OWN, 5000, REMOTE, 80);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_not_equal(b.last.p.sport, 5000);
	back = answer(&b);
	assert_int_equal(in(&b, &back), PASSED);
	assert_int_equal(b.last.p.dst, OWN);
	assert_int_equal(b.last.p.dport, 5000);
	/* Pings from outside are for the host, and it answers them. */
	p = pkt(ICMP, REMOTE, 5000, OWN, 0);
	p.flags = 8;
	assert_int_equal(in(&b, &p), PASSED);
	assert_int_equal(b.last.p.dst, OWN);
	p = answer(&b);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.sport, 5000);
	/* Of protocols without ports too. */
	p = pkt(MR_IP_PROTO_OSPF, OWN, 0, REMOTE, 0);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, OWN);
	p = pkt(MR_IP_PROTO_OSPF, REMOTE, 0, OWN, 0);
	assert_int_equal(in(&b, &p), PASSED);
	bed_close(&b);
}

/* From inside to the router's outside address. */
static void
own_address_from_inside(void **state)
{
	static struct bed b;
	struct pkt p = pkt(TCP, HOST, 5000, OWN, 22);

	bed_open(&b, "");
	assert_int_equal(hair(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, HOST);
	assert_int_equal(b.last.p.dst, OWN);
	assert_int_equal(bed_counter(&b, NAT_COUNT_CREATED), 0);
	bed_close(&b);
}

/* -- changes ------------------------------------------------------------------------------ */

static void
changes_keep_what_can_stay(void **state)
{
	static struct bed b;
	struct pkt p = pkt(UDP, HOST, 5000, REMOTE, 80), back, other, other_back;

	bed_open(&b, "pool: [203.0.113.8]");
	assert_int_equal(out(&b, &p), PASSED);
	back = answer(&b);
	/* Another filter: the pool stays, the mapping too. */
	apply(&b, "pool: [203.0.113.8], inbound-refresh: true");
	assert_int_equal(in(&b, &back), PASSED);
	/* More addresses: another pool, in which it has its place. */
	apply(&b, "pool: [203.0.113.8-203.0.113.9]");
	assert_int_equal(in(&b, &back), PASSED);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.sport, back.dport);
	assert_int_equal(bed_counter(&b, NAT_COUNT_FLUSHED), 0);
	other = pkt(UDP, HOST2, 5000, REMOTE, 80);
	assert_int_equal(out(&b, &other), PASSED);
	other_back = answer(&b);
	/* Other addresses: it ends. */
	apply(&b, "pool: [203.0.113.10]");
	assert_int_equal(bed_counter(&b, NAT_COUNT_FLUSHED), 2);
	assert_int_equal(in(&b, &back), PASSED); /* not ours any more */
	assert_int_equal(b.last.p.dst, back.dst);
	assert_int_equal(in(&b, &other_back), PASSED);
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, A(203, 0, 113, 10));
	/* No instance at all, and one again. */
	bed_apply(&b, "");
	assert_int_equal(nat_mappings(b.nat->core->table, 1), 0);
	apply(&b, "pool: [203.0.113.8]");
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, POOL);
	bed_close(&b);
}

static void
moved_sessions_end_clean(void **state)
{
	static struct bed b;

	bed_open(&b, "pool: [203.0.113.8], limits: {sessions: 100}");
	for (unsigned i = 0; i < 50; i++) {
		struct pkt p = pkt(TCP, HOST, (uint16_t)(5000 + i / 2), REMOTE + i, 80);

		assert_int_equal(out(&b, &p), PASSED);
	}
	apply(&b, "pool: [203.0.113.8-203.0.113.9], limits: {sessions: 100}");
	bed_later(&b, 10000);
	bed_sweep(&b);
	bed_sweep(&b);
	assert_int_equal(bed_counter(&b, NAT_COUNT_ENDED), 25);
	for (unsigned i = 0; i < 101; i++) {
		struct pkt p = pkt(TCP, HOST, (uint16_t)(5000 + i), REMOTE, 80);

		assert_int_equal(out(&b, &p), i < 100 ? PASSED : DROPPED);
	}
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_LIMIT), 1);
	bed_close(&b);
}

static void
wrong_configurations(void **state)
{
	static const struct {
		const char *body, *said;
	} cases[] = {
		{ "pool: [203.0.113.9-203.0.113.8]", "goes downwards" },
		{ "ports: 5000-4000", "goes downwards" },
		{ "forward: {a: {protocol: tcp, port: 80, to: 10.0.0.5}, "
		  "b: {protocol: tcp, port: 70-90, to: 10.0.0.6}}",
		    "has ports that a has already" },
		{ "forward: {a: {protocol: tcp, port: 80, to: 10.0.0.5}, "
		  "b: {protocol: tcp, port: 81, to: 10.0.0.5, to-port: 80}}",
		    "leads where a leads" },
		{ "forward: {a: {protocol: tcp, port: 80-90, to: 10.0.0.5, to-port: 65530}}",
		    "past 65535" },
		{ "static: {a: {outside: 203.0.113.8, inside: 10.0.0.5}, "
		  "b: {outside: 203.0.113.8, inside: 10.0.0.6}}",
		    "is that of a" },
		{ "source: [10.0.0.0/33]", "is not an address, prefix or range" },
	};
	char text[1024], said[1000];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		snprintf(text, sizeof(text), HEAD "%s" TAIL, cases[i].body);
		bed_check(text, said, sizeof(said));
		if (!strstr(said, cases[i].said))
			fail_msg("%s: \"%s\"", cases[i].body, said);
	}
	bed_check("nat: {instance: {x: {outside: [wan], inside: [wan]}}}\n", said, sizeof(said));
	assert_non_null(strstr(said, "is outside, too"));
}

/* -- running out -------------------------------------------------------------------------- */

static void
ports_run_out(void **state)
{
	static struct bed b;
	struct pkt p;

	bed_open(&b, "pool: [203.0.113.8], ports: 2000-2099, parity: false");
	for (unsigned i = 0; i < 101; i++) {
		p = pkt(UDP, HOST, (uint16_t)(5000 + i), REMOTE, 80);
		assert_int_equal(out(&b, &p), i < 100 ? PASSED : DROPPED);
	}
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_NO_PORT), 1);
	assert_int_equal(bed_counter(&b, NAT_COUNT_NO_PORT), 1);
	/* What is there goes on, TCP has ports of its own, and it recovers. */
	p = pkt(UDP, HOST, 5000, REMOTE, 80);
	assert_int_equal(out(&b, &p), PASSED);
	p = pkt(TCP, HOST, 5000, REMOTE, 80);
	assert_int_equal(out(&b, &p), PASSED);
	bed_later(&b, 400);
	bed_sweep(&b);
	p = pkt(UDP, HOST, 6000, REMOTE, 80);
	assert_int_equal(out(&b, &p), PASSED);
	bed_close(&b);
}

static void
table_runs_out(void **state)
{
	static struct bed b;
	unsigned made = 0;

	bed_open(&b, "pool: [203.0.113.8]");
	bed_close(&b);
	memset(&b, 0, sizeof(b));
	bed_open(&b, "pool: [203.0.113.8-203.0.113.15]}}, max: 1024, # ");
	for (unsigned i = 0; i < 6000; i++) {
		struct pkt p = pkt(UDP, HOST + i / 500, (uint16_t)(5000 + i), REMOTE, 80);

		made += out(&b, &p) == PASSED;
	}
	assert_true(made >= 1024 && made < 6000);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_FULL), 6000 - made);
	bed_later(&b, 400);
	bed_sweep(&b);
	for (unsigned i = 0; i < 1000; i++) {
		struct pkt p = pkt(UDP, HOST, (uint16_t)(5000 + i), REMOTE, 80);

		assert_int_equal(out(&b, &p), PASSED);
	}
	bed_close(&b);
}

static void
subscriber_limits(void **state)
{
	static struct bed b;

	bed_open(&b, "pool: [203.0.113.8], limits: {udp: 10}");
	for (unsigned i = 0; i < 12; i++) {
		struct pkt p = pkt(UDP, HOST, (uint16_t)(5000 + i), REMOTE, 80);

		assert_int_equal(out(&b, &p), i < 10 ? PASSED : DROPPED);
		p.src = HOST2;
		assert_int_equal(out(&b, &p), i < 10 ? PASSED : DROPPED);
	}
	assert_int_equal(bed_counter(&b, NAT_COUNT_LIMIT), 4);
	bed_close(&b);
}

/* -- others ------------------------------------------------------------------------------- */

static void
arp_for_the_pool(void **state)
{
	static struct bed b;
	struct frame f = { .len = 42 };
	uint8_t mac[6];

	bed_open(&b, "pool: [203.0.113.8]");
	memset(f.bytes, 0xff, 6);
	memcpy(f.bytes + 6, (const uint8_t[]){ 2, 9, 9, 9, 9, 9 }, 6);
	memcpy(f.bytes + 12, (const uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 }, 10);
	memcpy(f.bytes + 22, f.bytes + 6, 6);
	memcpy(f.bytes + 28, (const uint8_t[]){ 203, 0, 113, 99 }, 4);
	memcpy(f.bytes + 38, (const uint8_t[]){ 203, 0, 113, 8 }, 4);
	b.arp.len = 0;
	(void)bed_in(&b, &f);
	assert_int_equal(b.arp.len, 42);
	assert_true(mr_dataplane_address(b.dp, b.wan, 0, mac));
	assert_memory_equal(b.arp.bytes, f.bytes + 6, 6);
	assert_memory_equal(b.arp.bytes + 6, mac, 6);
	assert_memory_equal(b.arp.bytes + 20, ((const uint8_t[]){ 0, 2 }), 2);
	assert_memory_equal(b.arp.bytes + 22, mac, 6);
	assert_memory_equal(b.arp.bytes + 28, f.bytes + 38, 4);
	assert_memory_equal(b.arp.bytes + 32, f.bytes + 22, 10);
	assert_true(b.arp_sent);
	/* Not for others. */
	f.bytes[41] = 99;
	(void)bed_in(&b, &f);
	assert_false(b.arp_sent);
	f.bytes[41] = 1;
	(void)bed_in(&b, &f);
	assert_false(b.arp_sent);
	bed_close(&b);
}

static void
translated_ones_are_left_alone(void **state)
{
	static struct bed b;
	struct pkt p = pkt(UDP, HOST, 5000, REMOTE, 80);

	bed_open(&b, "pool: [203.0.113.8]");
	b.flags = MR_PACKET_TRANSLATED;
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, HOST);
	b.flags = 0;
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, POOL);
	bed_close(&b);
}

/* A checksum that the device is to finish stays such a one. */
static void
partial_checksums(void **state)
{
	static struct bed b;
	struct pkt p = pkt(UDP, HOST, 5000, REMOTE, 80);
	struct frame f;
	be32_t src = mr_be32(HOST), dst = mr_be32(REMOTE);
	be16_t sum = mr_checksum_fold(mr_checksum_pseudo4(src, dst, UDP, 24)), got;

	bed_open(&b, "pool: [203.0.113.8], port-preservation: false");
	frame_make(&f, &p);
	memcpy(f.bytes + 40, &sum, 2);
	b.flags = MR_PACKET_CSUM_PARTIAL;
	assert_int_equal(bed_out(&b, &f), PASSED);
	src = mr_be32(POOL);
	sum = mr_checksum_fold(mr_checksum_pseudo4(src, dst, UDP, 24));
	memcpy(&got, b.last.f.bytes + 40, 2);
	assert_int_equal(got, sum);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_addresses),
		cmocka_unit_test(static_fragments_and_errors),
		cmocka_unit_test(forwards),
		cmocka_unit_test(forward_over_mapping),
		cmocka_unit_test(own_address),
		cmocka_unit_test(own_address_from_inside),
		cmocka_unit_test(changes_keep_what_can_stay),
		cmocka_unit_test(moved_sessions_end_clean),
		cmocka_unit_test(wrong_configurations),
		cmocka_unit_test(ports_run_out),
		cmocka_unit_test(table_runs_out),
		cmocka_unit_test(subscriber_limits),
		cmocka_unit_test(arp_for_the_pool),
		cmocka_unit_test(translated_ones_are_left_alone),
		cmocka_unit_test(partial_checksums),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
