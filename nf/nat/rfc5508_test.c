/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 5508: ICMP, requirement by requirement. */
#include "nf/nat/nat_test_int.h"

#define ONE "pool: [203.0.113.8]"
#define ROUTER_IN A(10, 0, 0, 254)
#define ROUTER_OUT A(198, 51, 100, 1)

static struct pkt
icmp(uint32_t src, uint32_t dst, uint8_t type, uint16_t id)
{
	return (struct pkt){ .src = src,
		.dst = dst,
		.sport = id,
		.proto = ICMP,
		.flags = type,
		.len = 24 };
}

static struct pkt
udp(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	return (struct pkt){ .src = src,
		.sport = sport,
		.dst = dst,
		.dport = dport,
		.proto = UDP,
		.len = 24 };
}

/* The packet that an error quotes. */
static struct pkt
quoted(const struct bed *b)
{
	struct frame f = { .len = b->last.f.len - 28 };
	struct pkt p;

	memcpy(f.bytes + 14, b->last.f.bytes + 14 + 28, f.len - 14);
	assert_int_equal(mr_checksum_fold(mr_checksum_add(0, f.bytes + 14, 20)), 0xffff);
	(void)frame_read(&f, &p);
	return p;
}

/* REQ-1: queries of all kinds, by identifier, whoever is asked. */
static void
req1_queries(void **state)
{
	static const uint8_t types[] = { 8, 13, 15, 17 };
	static struct bed b;
	struct pkt q, back;
	uint16_t id;

	bed_open(&b, ONE);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(types); i++) {
		q = icmp(HOST, REMOTE, types[i], 7000);
		assert_int_equal(out(&b, &q), PASSED);
		assert_true(b.last.good);
		assert_int_equal(b.last.p.src, POOL);
		id = b.last.p.sport;
		back = icmp(REMOTE, POOL, types[i] == 8 ? 0 : (uint8_t)(types[i] + 1), id);
		assert_int_equal(in(&b, &back), PASSED);
		assert_true(b.last.good);
		assert_int_equal(b.last.p.dst, HOST);
		assert_int_equal(b.last.p.sport, 7000);
	}
	assert_int_equal(bed_counter(&b, NAT_COUNT_CREATED), 1);
	/* the same identifier of another host */
	q = icmp(HOST2, REMOTE, 8, 7000);
	assert_int_equal(out(&b, &q), PASSED);
	assert_int_not_equal(b.last.p.sport, id);
	/* nobody asks through a mapping */
	q = icmp(REMOTE, POOL, 8, id);
	assert_int_equal(in(&b, &q), DROPPED);
	bed_close(&b);
}

/* REQ-2: 60 seconds, and settable. */
static void
req2_timer(void **state)
{
	static struct bed b;
	struct pkt q = icmp(HOST, REMOTE, 8, 7000), back;

	for (unsigned i = 0; i < 2; i++) {
		bed_open(&b, i ? ONE ", timeouts: {icmp: 120s}" : ONE);
		assert_int_equal(out(&b, &q), PASSED);
		back = answer(&b);
		bed_later(&b, i ? 119 : 59);
		assert_int_equal(in(&b, &back), PASSED);
		bed_later(&b, 3);
		assert_int_equal(in(&b, &back), DROPPED);
		bed_close(&b);
	}
}

/* REQ-3: an error with a wrong checksum, its own or in the quoted header, is dropped; options of the
 * quoted header are stepped over; the quoted layer 4's checksum is not looked at. */
static void
req3_checksums(void **state)
{
	static struct bed b;
	struct pkt o = udp(HOST, 5000, REMOTE, 53);
	struct frame sent, error;

	bed_open(&b, ONE);
	assert_int_equal(out(&b, &o), PASSED);
	sent = b.last.f;
	frame_about(&error, &sent, ROUTER_OUT, 3, 1);
	error.bytes[36] ^= 1;
	assert_int_equal(bed_in(&b, &error), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-in@wan", NAT_DROP_CHECKSUM), 1);
	sent.bytes[24] ^= 1; /* of the quoted header */
	assert_int_equal(bed_in(&b, frame_about(&error, &sent, ROUTER_OUT, 3, 1)), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-in@wan", NAT_DROP_CHECKSUM), 2);
	sent.bytes[24] ^= 1;
	sent.bytes[40] ^= 1; /* of UDP */
	assert_int_equal(bed_in(&b, frame_about(&error, &sent, ROUTER_OUT, 3, 1)), PASSED);
	assert_true(b.last.good);
	bed_close(&b);
}

/* REQ-3b: the quoted packet has options. */
static void
req3_options(void **state)
{
	static struct bed b;
	struct pkt o = udp(HOST, 5000, REMOTE, 53);
	struct frame sent, error;
	uint8_t *ip = sent.bytes + 14;
	be16_t check;

	bed_open(&b, ONE);
	assert_int_equal(out(&b, &o), PASSED);
	sent = b.last.f;
	memmove(ip + 24, ip + 20, sent.len - 34);
	memset(ip + 20, 1, 4);
	ip[0] = 0x46;
	ip[3] = (uint8_t)(ip[3] + 4);
	sent.len += 4;
	check = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);
	memcpy(ip + 10, &check, 2);
	frame_about(&error, &sent, ROUTER_OUT, 11, 0);
	assert_int_equal(bed_in(&b, &error), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.dst, HOST);
	assert_memory_equal(b.last.f.bytes + 14 + 28 + 12, ((const uint8_t[]){ 10, 0, 0, 5 }), 4);
	assert_memory_equal(b.last.f.bytes + 14 + 28 + 24, ((const uint8_t[]){ 0x13, 0x88 }), 2);
	bed_close(&b);
}

/* REQ-4: errors from outside: no mapping, nothing; else the quoted packet is as it was inside. */
static void
req4_from_outside(void **state)
{
	static const uint8_t protos[] = { UDP, TCP, ICMP };
	static struct bed b;
	struct frame sent, error, stray;
	struct pkt p, q;

	for (unsigned i = 0; i < 3; i++) {
		bed_open(&b, ONE ", port-preservation: false");
		p = protos[i] == ICMP ? icmp(HOST, REMOTE, 8, 5000) : udp(HOST, 5000, REMOTE, 53);
		p.proto = protos[i];
		if (p.proto == TCP)
			p.flags = MR_TCP_SYN;
		assert_int_equal(out(&b, &p), PASSED);
		sent = b.last.f;
		frame_about(&error, &sent, ROUTER_OUT, 3, 1);
		assert_int_equal(bed_in(&b, &error), PASSED);
		assert_true(b.last.good);
		assert_int_equal(b.last.p.src, ROUTER_OUT);
		assert_int_equal(b.last.p.dst, HOST);
		assert_int_equal(b.last.f.bytes[34], 3);
		assert_int_equal(b.last.f.bytes[35], 1);
		q = quoted(&b);
		assert_int_equal(q.src, HOST);
		assert_int_equal(q.sport, 5000);
		assert_int_equal(q.dst, REMOTE);
		/* Its layer 4 as it was sent, its checksum too. */
		frame_make(&stray, &p);
		assert_memory_equal(b.last.f.bytes + 14 + 28 + 20, stray.bytes + 34,
		    b.last.f.len - 14 - 28 - 20);
		/* nobody's */
		p.src = POOL;
		p.sport = (uint16_t)(mr_load_be16(sent.bytes + (p.proto == ICMP ? 38 : 34)) ^ 8);
		frame_make(&stray, &p);
		assert_int_equal(bed_in(&b, frame_about(&error, &stray, ROUTER_OUT, 3, 1)),
		    DROPPED);
		bed_close(&b);
	}
}

/* REQ-5: errors from inside: of the host itself and of a router on the way. */
static void
req5_from_inside(void **state)
{
	static struct bed b;
	struct pkt o = udp(HOST, 5000, REMOTE, 53), back, q;
	struct frame error, got;

	bed_open(&b, ONE ", port-preservation: false");
	assert_int_equal(out(&b, &o), PASSED);
	o = b.last.p;
	back = answer(&b);
	back.len = 24;
	assert_int_equal(in(&b, &back), PASSED);
	got = b.last.f;
	for (unsigned i = 0; i < 2; i++) {
		frame_about(&error, &got, i ? ROUTER_IN : HOST, 3, 3);
		assert_int_equal(bed_out(&b, &error), PASSED);
		assert_true(b.last.good);
		assert_int_equal(b.last.p.src, POOL);
		assert_int_equal(b.last.p.dst, REMOTE);
		q = quoted(&b);
		assert_int_equal(q.src, REMOTE);
		assert_int_equal(q.dst, POOL);
		assert_int_equal(q.dport, o.sport);
	}
	/* of this router: it has its own address */
	frame_about(&error, &got, OWN, 11, 0);
	assert_int_equal(bed_out(&b, &error), PASSED);
	assert_int_equal(b.last.p.src, OWN);
	assert_int_equal(quoted(&b).dst, POOL);
	/* about nothing */
	back.dst = HOST2;
	frame_make(&got, &back);
	assert_int_equal(bed_out(&b, frame_about(&error, &got, HOST2, 3, 3)), DROPPED);
	bed_close(&b);
}

/* REQ-7: errors about packets from inside to inside. */
static void
req7_hairpinned_error(void **state)
{
	static struct bed b;
	struct pkt one, two, p, q;
	struct frame error, got;

	bed_open(&b, ONE ", port-preservation: false");
	p = udp(HOST, 5000, REMOTE, 53);
	assert_int_equal(out(&b, &p), PASSED);
	one = b.last.p;
	p = udp(HOST2, 6000, one.src, one.sport);
	assert_int_equal(hair(&b, &p), PASSED);
	two = b.last.p; /* from POOL:two.sport to HOST:5000 */
	got = b.last.f;
	frame_about(&error, &got, HOST, 3, 3);
	assert_int_equal(bed_hair(&b, &error), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.dst, HOST2);
	assert_int_equal(b.last.p.src, POOL);
	q = quoted(&b);
	assert_int_equal(q.src, HOST2);
	assert_int_equal(q.sport, 6000);
	assert_int_equal(q.dst, POOL);
	assert_int_equal(q.dport, one.sport);
	assert_int_equal(two.src, POOL);
	bed_close(&b);
}

/* REQ-6: an error neither keeps a mapping alive nor ends it. */
static void
req6_no_effect(void **state)
{
	static struct bed b;
	struct pkt o = udp(HOST, 5000, REMOTE, 53), back;
	struct frame sent, error;

	bed_open(&b, ONE);
	assert_int_equal(out(&b, &o), PASSED);
	back = answer(&b);
	sent = b.last.f;
	bed_later(&b, 200);
	assert_int_equal(bed_in(&b, frame_about(&error, &sent, ROUTER_OUT, 3, 1)), PASSED);
	assert_int_equal(in(&b, &back), PASSED);
	bed_later(&b, 102);
	assert_int_equal(in(&b, &back), DROPPED);
	bed_close(&b);
}

/* REQ-11: messages that are neither query nor error are not translated. */
static void
req11_others(void **state)
{
	static struct bed b;
	struct pkt p = icmp(HOST, REMOTE, 9, 0);

	bed_open(&b, ONE);
	assert_int_equal(out(&b, &p), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_PROTOCOL), 1);
	bed_close(&b);
}

/* Filtering holds for errors, too. */
static void
errors_are_filtered(void **state)
{
	static struct bed b;
	struct pkt o = udp(HOST, 5000, REMOTE, 53), other;
	struct frame error, f;

	bed_open(&b, ONE ", filtering: address-and-port-dependent");
	assert_int_equal(out(&b, &o), PASSED);
	other = b.last.p;
	other.dport = 54;
	frame_make(&f, &other);
	assert_int_equal(bed_in(&b, frame_about(&error, &f, ROUTER_OUT, 3, 1)), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-in@wan", NAT_DROP_FILTERED), 1);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req1_queries),
		cmocka_unit_test(req2_timer),
		cmocka_unit_test(req3_checksums),
		cmocka_unit_test(req3_options),
		cmocka_unit_test(req4_from_outside),
		cmocka_unit_test(req5_from_inside),
		cmocka_unit_test(req7_hairpinned_error),
		cmocka_unit_test(req6_no_effect),
		cmocka_unit_test(req11_others),
		cmocka_unit_test(errors_are_filtered),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
