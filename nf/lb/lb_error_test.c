/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors about connections, datagrams in pieces, and questions for services' addresses; the same
 * with and without the flow lane. */
#include "nf/lb/lb_test_int.h"

#define SYN MR_TCP_SYN
#define ACK MR_TCP_ACK

static void
errors_to_clients(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	struct lb_frame f, e;
	const struct lb_frame *out;
	struct lb_bed lb;

	lb_open(&lb, lb_nat4);
	out = lb_one(&lb, 0, lb_packet(&lb, &f, 0, &t, SYN, 40));
	lb_expect(out, "b 198.51.100.5:1000 > 10.1.0.11:8080");
	f = *out;
	/* By the server: as if by the service. */
	out = lb_one(&lb, 1, lb_error(&lb, &e, 1, "10.1.0.11", &f, 3, 3));
	lb_expect(out, "a icmp 3/3 203.0.113.80 > 198.51.100.5");
	assert_memory_equal(out->bytes + 14 + 28 + 12, "\xc6\x33\x64\x05\xcb\0\x71\x50", 8);
	assert_int_equal(mr_load_be16(out->bytes + 14 + 28 + 22), 80);
	/* What is quoted is what was sent, but for its age: header and checksum are right. */
	assert_true(mr_checksum_ipv4_header_good((const struct mr_ip4 *)(out->bytes + 14 + 28)));
	/* By a router on the way to it. */
	out = lb_one(&lb, 1, lb_error(&lb, &e, 1, "10.1.0.77", &f, 3, 1));
	lb_expect(out, "a icmp 3/1 10.1.0.77 > 198.51.100.5");
	assert_memory_equal(out->bytes + 14 + 28 + 16, "\xcb\0\x71\x50", 4);
	lb_close(&lb);
}

static void
errors_to_servers(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk r = { "10.1.0.11", "198.51.100.5", 8080, 1000 };
	const struct lb_frame *out;
	struct lb_frame f, e, sent;
	struct lb_bed lb;

	lb_open(&lb, lb_nat4);
	(void)lb_send(&lb, 0, &t, SYN);
	lb_packet(&lb, &sent, 1, &r, ACK, 40);
	out = lb_one(&lb, 1, &sent);
	lb_expect(out, "a 203.0.113.80:80 > 198.51.100.5:1000");
	f = *out;
	out = lb_one(&lb, 0, lb_error(&lb, &e, 0, "192.0.2.77", &f, 3, 4));
	lb_expect(out, "b icmp 3/4 192.0.2.77 > 10.1.0.11");
	/* What the server sent, as it sent it, but for the TTL and the sum over it. */
	assert_memory_equal(out->bytes + 14 + 28, sent.bytes + 14, 8);
	assert_memory_equal(out->bytes + 14 + 28 + 12, sent.bytes + 14 + 12, 48);
	/* About nothing that we know. */
	f.bytes[14 + 20 + 3]++;
	lb_expect(lb_one(&lb, 0, lb_error(&lb, &e, 0, "192.0.2.77", &f, 3, 4)), "-");
	assert_int_equal(lb_drops_of(&lb, "lb@a", "lb-error-unknown"), 1);
	lb_close(&lb);
}

static void
errors_six(void **state)
{
	const struct lb_talk t = { "2001:db8:99::5", "2001:db8:80::80", 1000, 80 };
	const struct lb_talk r = { "2001:db8:1::11", "2001:db8:1::200", 8080, 1000 };
	const struct lb_frame *out;
	struct lb_frame f, e;
	struct lb_bed lb;

	lb_open(&lb,
	    "  service:\n"
	    "    web:\n"
	    "      address: \"2001:db8:80::80\"\n"
	    "      port: 80\n"
	    "      mode: nat-full\n"
	    "      source-address: \"2001:db8:1::200\"\n"
	    "      backend: {b1: {address: \"2001:db8:1::11\", port: 8080}}\n");
	out = lb_send(&lb, 0, &t, SYN);
	lb_expect(out, "b [2001:db8:1::200]:1000 > [2001:db8:1::11]:8080");
	f = *out;
	out = lb_one(&lb, 1, lb_error(&lb, &e, 1, "2001:db8:1::11", &f, 1, 4));
	lb_expect(out, "a icmp 1/4 2001:db8:80::80 > 2001:db8:99::5");
	assert_int_equal(mr_load_be16(out->bytes + 14 + 48 + 42), 80);
	out = lb_send(&lb, 1, &r, ACK);
	lb_expect(out, "a [2001:db8:80::80]:80 > [2001:db8:99::5]:1000");
	f = *out;
	out = lb_one(&lb, 0, lb_error(&lb, &e, 0, "2001:db8:77::1", &f, 2, 0));
	lb_expect(out, "b icmp 2/0 2001:db8:77::1 > 2001:db8:1::11");
	lb_close(&lb);
}

static void
errors_through_tunnels(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk r = { "203.0.113.80", "198.51.100.5", 80, 1000 };
	struct lb_frame f, e;
	struct lb_bed lb;

	lb_open(&lb, lb_tunnels("ipip"));
	(void)lb_send(&lb, 0, &t, SYN);
	lb_packet(&lb, &f, 0, &r, ACK, 40);
	lb_expect(lb_one(&lb, 0, lb_error(&lb, &e, 0, "192.0.2.77", &f, 3, 4)),
	    "b 10.1.0.1 > 10.1.0.11 | icmp 3/4 192.0.2.77 > 203.0.113.80");
	lb_close(&lb);
}

static void
pieces(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 53 };
	const struct lb_talk r = { "10.1.0.12", "198.51.100.5", 53, 1000 };
	struct lb_frame whole, p;
	struct lb_bed lb;

	lb_open(&lb, lb_nat4);
	lb_packet(&lb, &whole, 0, &t, LB_UDP, 1000);
	lb_expect(lb_one(&lb, 0, lb_cut(&p, &whole, 0, 400, 7)),
	    "b 198.51.100.5:1000 > 10.1.0.12:53");
	(void)lb_one(&lb, 0, lb_cut(&p, &whole, 400, 400, 7));
	assert_int_equal(lb.out_count, 1);
	assert_memory_equal(lb.out[0].bytes + 14 + 16, "\x0a\1\0\x0c", 4);
	/* Of another one, whose first is not here. */
	lb_expect(lb_one(&lb, 0, lb_cut(&p, &whole, 400, 400, 8)), "-");
	assert_int_equal(lb_drops_of(&lb, "lb@a", "lb-fragment-early"), 1);
	lb_packet(&lb, &whole, 1, &r, LB_UDP, 1000);
	lb_expect(lb_one(&lb, 1, lb_cut(&p, &whole, 0, 400, 7)),
	    "a 203.0.113.80:53 > 198.51.100.5:1000");
	(void)lb_one(&lb, 1, lb_cut(&p, &whole, 400, 700, 7));
	assert_int_equal(lb.out_count, 1);
	assert_memory_equal(lb.out[0].bytes + 14 + 12, "\xcb\0\x71\x50", 4);
	lb_close(&lb);
}

static void
asked_for(void **state)
{
	const struct lb_talk ping4 = { "10.0.0.9", "10.0.0.80", 7, 0 };
	const struct lb_talk ping6 = { "2001:db8:0::9", "2001:db8:0::80", 7, 0 };
	const struct lb_talk other = { "198.51.100.5", "10.0.0.80", 1000, 81 };
	uint8_t arp[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0,
		6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 10, 0, 0, 80 };
	struct lb_frame f;
	struct lb_bed lb;

	lb_open(&lb,
	    "  service:\n"
	    "    web:\n"
	    "      address: [10.0.0.80, \"2001:db8:0::80\"]\n"
	    "      port: 80\n"
	    "      mode: ipip\n"
	    "      backend: {b1: {address: 10.1.0.11}}\n");
	lb_expect(lb_one(&lb, 0, lb_echo(&lb, &f, 0, &ping4)), "a icmp 0/0 10.0.0.80 > 10.0.0.9");
	lb_expect(lb_one(&lb, 0, lb_echo(&lb, &f, 0, &ping6)),
	    "a icmp 129/0 2001:db8::80 > 2001:db8::9");
	lb_expect(lb_send(&lb, 0, &other, SYN), "a icmp 3/3 10.0.0.1 > 198.51.100.5");
	assert_int_equal(lb_count_of(&lb, "lb@a", "no-service"), 1);
	memcpy(f.bytes, arp, sizeof(arp));
	f.len = sizeof(arp);
	assert_non_null(lb_one(&lb, 0, &f));
	assert_int_equal(lb.out[0].port, 0);
	assert_memory_equal(lb.out[0].bytes, "\2\0\0\0\0\x09", 6);
	assert_memory_equal(lb.out[0].bytes + 20, "\0\2", 2);
	assert_memory_equal(lb.out[0].bytes + 28, "\x0a\0\0\x50", 4);
	/* For others nobody answers in its place. */
	f.bytes[41] = 81;
	assert_null(lb_one(&lb, 0, &f));
	lb_close(&lb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_to_clients),
		cmocka_unit_test(errors_to_servers),
		cmocka_unit_test(errors_six),
		cmocka_unit_test(errors_through_tunnels),
		cmocka_unit_test(pieces),
		cmocka_unit_test(asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
