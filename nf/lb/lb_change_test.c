/* SPDX-License-Identifier: Apache-2.0 */
/* Which server a connection is given, and what becomes of it when servers, services and configurations
 * change; the same with and without the flow lane. */
#include "nf/lb/lb_test_int.h"

#define SYN MR_TCP_SYN
#define ACK MR_TCP_ACK

/* -- who gets what -------------------------------------------------------------------------- */

static const char three[] = "  service:\n"
			    "    web:\n"
			    "      address: 203.0.113.80\n"
			    "      port: 80\n"
			    "      %s\n"
			    "      backend:\n"
			    "        b1: {address: 10.1.0.11%s}\n"
			    "        b2: {address: 10.1.0.12%s}\n"
			    "        b3: {address: 10.1.0.13%s}\n";

static const char *
threefold(const char *options, const char *one, const char *two, const char *last)
{
	static char text[2048];

	snprintf(text, sizeof(text), three, options, one, two, last);
	return text;
}

/* Which server: 1 to 3; 0: none. */
static unsigned
server(struct lb_bed *lb, unsigned client, uint16_t port, unsigned flags)
{
	const struct lb_frame *out;
	char src[32];
	struct lb_talk t = { src, "203.0.113.80", port, 80 };

	snprintf(src, sizeof(src), "198.51.%u.%u", client >> 8, client & 255u);
	out = lb_send(lb, 0, &t, flags);
	return out ? out->bytes[14 + 19] - 10u : 0;
}

static void
by_turns(void **state)
{
	unsigned share[4] = { 0 };
	struct lb_bed lb;

	lb_open(&lb,
	    threefold("scheduler: weighted-round-robin", ", weight: 3", ", weight: 2",
		", weight: 0"));
	for (unsigned i = 0; i < 50; i++)
		share[server(&lb, i, 1000, SYN)]++;
	assert_int_equal(share[1], 30);
	assert_int_equal(share[2], 20);
	lb_close(&lb);
}

static void
by_load(void **state)
{
	unsigned share[4] = { 0 };
	struct lb_bed lb;

	lb_open(&lb, threefold("scheduler: least-connections", "", ", weight: 2", ""));
	for (unsigned i = 0; i < 40; i++)
		share[server(&lb, i, 1000, SYN)]++;
	assert_int_equal(share[1], 10);
	assert_int_equal(share[2], 20);
	assert_int_equal(share[3], 10);
	lb_close(&lb);
}

static void
limits(void **state)
{
	unsigned share[4] = { 0 };
	struct lb_bed lb;

	lb_open(&lb, threefold("max-connections: 5", "", ", max-connections: 2", ""));
	for (unsigned i = 0; i < 20; i++)
		share[server(&lb, i, 1000, SYN)]++;
	assert_int_equal(share[1], 5);
	assert_int_equal(share[2], 2);
	assert_int_equal(share[3], 5);
	assert_int_equal(lb_drops_of(&lb, "lb@a", "lb-backends-full"), 8);
	lb_close(&lb);
}

static void
stays_with_its_server(void **state)
{
	unsigned first[20], same = 0;
	struct lb_bed lb;

	lb_open(&lb,
	    threefold("scheduler: weighted-round-robin\n      affinity: source\n      "
		      "affinity-timeout: 100",
		"", "", ""));
	for (unsigned i = 0; i < 20; i++)
		first[i] = server(&lb, i, 1000, SYN);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(server(&lb, i, (uint16_t)(2000 + i), SYN), first[i]);
	bed_tick(lb.b, 90000);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(server(&lb, i, (uint16_t)(3000 + i), SYN), first[i]);
	/* Each is given the next one in turn, not its own. */
	bed_tick(lb.b, 110000);
	(void)server(&lb, 99, 1000, SYN);
	(void)server(&lb, 98, 1000, SYN);
	for (unsigned i = 0; i < 20; i++)
		same += server(&lb, i, (uint16_t)(4000 + i), SYN) == first[i];
	assert_int_equal(same, 0);
	lb_close(&lb);
}

/* -- changes -------------------------------------------------------------------------------- */

static void
drains(void **state)
{
	unsigned first[30], moved = 0;
	struct lb_bed lb;

	lb_open(&lb, threefold("drain-timeout: 60", "", "", ""));
	for (unsigned i = 0; i < 30; i++) {
		first[i] = server(&lb, i, 1000, SYN);
		assert_int_equal(server(&lb, i, 1000, ACK), first[i]);
		assert_int_equal(server(&lb, i, 1000, ACK), first[i]);
	}
	lb_change(&lb, threefold("drain-timeout: 60", "", ", state: drain", ""));
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(server(&lb, i, 1000, ACK), first[i]);
		assert_int_not_equal(server(&lb, i, 2000, SYN), 2);
	}
	/* Configured once more: its time does not begin again. */
	bed_tick(lb.b, 30000);
	lb_change(&lb, threefold("drain-timeout: 60", ", weight: 2", ", state: drain", ""));
	bed_tick(lb.b, 31000);
	for (unsigned i = 0; i < 30; i++) {
		unsigned to = server(&lb, i, 1000, ACK);

		assert_int_not_equal(to, 2);
		moved += to != first[i];
		assert_true(to == first[i] || first[i] == 2);
	}
	assert_true(moved > 3);
	lb_change(&lb, threefold("drain-timeout: 60", "", "", ""));
	moved = 0;
	for (unsigned i = 0; i < 60; i++)
		moved += server(&lb, i, 5000, SYN) == 2;
	assert_true(moved > 5);
	lb_close(&lb);
}

static void
leaves(void **state)
{
	static const char two[] = "  service:\n"
				  "    web:\n"
				  "      address: 203.0.113.80\n"
				  "      port: 80\n"
				  "      on-removal: %s\n"
				  "      backend:\n"
				  "        b1: {address: 10.1.0.11}\n"
				  "        b3: {address: 10.1.0.13}\n";
	static const char *const ways[] = { "drain", "break" };
	char text[1024];

	for (unsigned w = 0; w < 2; w++) {
		unsigned first[30];
		struct lb_bed lb;

		lb_open(&lb, threefold("drain-timeout: 60", "", "", ""));
		for (unsigned i = 0; i < 30; i++)
			first[i] = server(&lb, i, 1000, SYN);
		snprintf(text, sizeof(text), two, ways[w]);
		lb_change(&lb, text);
		for (unsigned i = 0; i < 30; i++) {
			unsigned to = server(&lb, i, 1000, ACK);

			if (w == 0 || first[i] != 2)
				assert_int_equal(to, first[i]);
			else
				assert_int_not_equal(to, 2);
			assert_int_not_equal(server(&lb, i, 2000, SYN), 2);
		}
		bed_compare(lb.b, true);
		lb_close(&lb);
	}
}

static void
fall_ill(void **state)
{
	unsigned first[30], back_again = 0;
	struct lb_bed lb;

	lb_open(&lb, threefold("ping: true", "", "", ""));
	for (unsigned i = 0; i < 30; i++) {
		first[i] = server(&lb, i, 1000, SYN);
		assert_int_equal(server(&lb, i, 1000, ACK), first[i]);
		assert_int_equal(server(&lb, i, 1000, ACK), first[i]);
	}
	for (unsigned k = 0; k < 2; k++)
		mr_lb_set_health(lb_of(&lb, k), 0, 1, false, "connection refused");
	for (unsigned i = 0; i < 30; i++) {
		unsigned to = server(&lb, i, 1000, ACK);

		assert_int_not_equal(to, 2);
		assert_true(first[i] == 2 || to == first[i]);
		assert_int_not_equal(server(&lb, i, 2000, SYN), 2);
	}
	for (unsigned k = 0; k < 2; k++)
		mr_lb_set_health(lb_of(&lb, k), 0, 1, true, NULL);
	for (unsigned i = 0; i < 60; i++)
		back_again += server(&lb, i, 3000, SYN) == 2;
	assert_true(back_again > 8);
	for (unsigned k = 0; k < 2; k++)
		for (unsigned b = 0; b < 3; b++)
			mr_lb_set_health(lb_of(&lb, k), 0, b, false, "timeout");
	assert_int_equal(server(&lb, 1, 4000, SYN), 0);
	assert_int_equal(lb_drops_of(&lb, "lb@a", "lb-no-backend"), 1);
	bed_compare(lb.b, true);
	lb_close(&lb);
}

/* No entry for a SYN, and the server's answer is understood none the less. */
static void
without_entries(void **state)
{
	const struct lb_talk t = { "198.51.0.7", "203.0.113.80", 1000, 80 };
	struct lb_talk r = { NULL, "198.51.0.7", 80, 1000 };
	static const char *const servers[] = { "10.1.0.11", "10.1.0.12", "10.1.0.13" };
	struct lb_bed lb;
	unsigned to;

	lb_open(&lb, threefold("syn-protection: \"on\"", "", "", ""));
	to = server(&lb, 7, 1000, SYN);
	assert_in_range(to, 1, 3);
	assert_int_equal(lb_of(&lb, 0)->core->table->used, 0);
	r.src = servers[to - 1];
	lb_expect(lb_send(&lb, 1, &r, SYN | ACK), "a 203.0.113.80:80 > 198.51.0.7:1000");
	assert_int_equal(lb_of(&lb, 0)->core->table->used, 0);
	assert_int_equal(server(&lb, 7, 1000, ACK), to);
	assert_int_equal(lb_of(&lb, 0)->core->table->used, 1);
	lb_expect(lb_send(&lb, 1, &r, ACK), "a 203.0.113.80:80 > 198.51.0.7:1000");
	(void)lb_send(&lb, 0, &t, ACK);
	lb_close(&lb);
}

/* Services come and go with their connections. */
static void
services_change(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	struct lb_bed lb;

	lb_open(&lb, lb_nat4);
	(void)lb_send(&lb, 0, &t, SYN);
	lb_change(&lb,
	    "  service: {four: {address: 203.0.113.80, port: 80, mode: gue, backend: {b1: "
	    "{address: "
	    "10.1.0.11}}}}\n");
	assert_int_equal(lb_of(&lb, 0)->core->table->used, 0);
	lb_expect(lb_send(&lb, 0, &t, ACK),
	    "b 10.1.0.1 > 10.1.0.11 | 198.51.100.5:1000 > 203.0.113.80:80");
	lb_change(&lb, "");
	assert_int_equal(lb_of(&lb, 0)->core->table->used, 0);
	lb_expect(lb_send(&lb, 0, &t, ACK), "a 198.51.100.5:1000 > 203.0.113.80:80");
	lb_change(&lb, lb_nat4);
	lb_expect(lb_send(&lb, 0, &t, ACK), "b 198.51.100.5:1000 > 10.1.0.11:8080");
	lb_close(&lb);
}

static void
wrong_ones(void **state)
{
	static const struct {
		const char *text, *what;
	} cases[] = {
		{ "  service: {w: {address: 203.0.113.80, port: 80, backend: {b: {address: "
		  "\"2001:db8::1\"}}}}\n",
		    "does not translate between IPv4 and IPv6" },
		{ "  service: {w: {address: [203.0.113.80, \"2001:db8::2\"], port: 80, mode: l2, "
		  "backend: {b: {address: 10.1.0.11}}}}\n",
		    "no such server" },
		{ "  service: {w: {address: 203.0.113.80, port: 80, mode: nat-full, backend: {b: "
		  "{address: 10.1.0.11}}}}\n",
		    "source-address" },
		{ "  service: {w: {address: 203.0.113.80, port: 80, source-address: 10.1.0.5, "
		  "backend: {b: {address: 10.1.0.11}}}}\n",
		    "nat-full's" },
		{ "  service: {w: {address: 203.0.113.80, port: 90-80, backend: {b: {address: "
		  "10.1.0.11}}}}\n",
		    "no range of ports" },
		{ "  service: {w: {address: 203.0.113.80, port: 80, mode: ipip, backend: {b: "
		  "{address: 10.1.0.11, port: 81}}}}\n",
		    "ports included" },
		{ "  service: {w: {address: 203.0.113.80, port: 80, backend: {b: {address: "
		  "203.0.113.80}}}}\n",
		    "own address" },
		{ "  service: {w: {address: 203.0.113.80, port: 80, backend: {b: {address: "
		  "10.1.0.11}, c: {address: 10.1.0.11}}}}\n",
		    "is the same as" },
		{ "  service: {w: {address: 203.0.113.80, port: 80}, x: {address: 203.0.113.80, "
		  "port: 70-90}}\n",
		    "of service w" },
		{ "  service: {w: {address: 203.0.113.80, port: [80, 443], syn-protection: \"on\", "
		  "backend: {b: {address: 10.1.0.11, port: 8080}}}}\n",
		    "stands for several" },
		{ "  service: {w: {address: 203.0.113.80, port: 80, syn-protection: \"on\", "
		  "scheduler: least-connections}}\n",
		    "only be maglev" },
		{ "  service: {w: {router: x, address: 203.0.113.80, port: 80}}\n", "no router x" },
		{ "  service: {w: {address: 203.0.113.80, port: 80}}\nconntrack: {interface: "
		  "[a]}\n",
		    "all of them or none" },
	};
	char text[1024];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		lb_wrong(cases[i].text, text, sizeof(text));
		if (!strstr(text, cases[i].what))
			fail_msg("case %u: \"%s\" does not say \"%s\"", i, text, cases[i].what);
	}
	lb_wrong(lb_nat4, text, sizeof(text));
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_turns),
		cmocka_unit_test(by_load),
		cmocka_unit_test(limits),
		cmocka_unit_test(stays_with_its_server),
		cmocka_unit_test(drains),
		cmocka_unit_test(leaves),
		cmocka_unit_test(fall_ill),
		cmocka_unit_test(without_entries),
		cmocka_unit_test(services_change),
		cmocka_unit_test(wrong_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
