/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/port_test_int.h"

#include <poll.h>
#include <time.h>

#define BURST 64

static const uint8_t *
bytes_of(struct test_port *t, uint32_t handle, uint32_t *len)
{
	static uint8_t copy[16384];
	struct mr_packet *p = mr_packet_at(t->buffers->base, handle);

	*len = p->total;
	assert_int_equal(mr_packet_read(t->buffers, handle, 0, copy, sizeof(copy)), p->total);
	return copy;
}

/* Every shape that can be asked for: lengths and checksums hold. */
static void
test_frames(void **state)
{
	static const char *const l3[] = { "l3=ip4", "l3=ip6", "l3=none" };
	static const char *const l4[] = { "l4=udp", "l4=tcp", "l4=icmp" };
	static const char *const sizes[] = { "size=101,102,594,1518,1792", "size=9000,2000,64" };
	static const char *const payloads[] = { "payload=zero", "payload=stamp" };
	static const char *const vlans[] = { "vlan=0", "vlan=77" };
	unsigned c, i, n;
	uint32_t h[BURST];

	for (c = 0; c < 3 * 3 * 2 * 2 * 2; c++) {
		bool jumbo = c / 9 % 2, tagged = c / 36 % 2, ip6 = c % 3 == 1, stamp = c / 18 % 2;
		const char *size = !jumbo    ? sizes[0]
		    : ip6 || stamp || tagged ? "size=9000,2001"
					     : sizes[1];
		struct test_port t = test_open("gen", NULL,
		    TEST_OPTION_LIST(l3[c % 3], l4[c / 3 % 3], size, payloads[stamp], vlans[tagged],
			"flows=1000", "src-macs=10", "dst-ips=7", "seed=5"),
		    1);

		n = t.port->driver->rx(t.port, 0, 0, h, BURST);
		assert_int_equal(n, BURST);
		for (i = 0; i < n; i++) {
			uint32_t len;
			const uint8_t *b = bytes_of(&t, h[i], &len);

			assert_int_equal(b[12],
			    tagged           ? 0x81
				: c % 3 == 0 ? 0x08
				: c % 3 == 1 ? 0x86
					     : 0x88);
			if (tagged)
				assert_int_equal(b[15], 77);
			if (c % 3 != 2 && !test_checksums_right(b, len))
				fail_msg("case %u, packet %u of %u bytes: checksum", c, i, len);
			assert_int_equal(mr_packet_at(t.buffers->base, h[i])->port, 3);
		}
		assert_int_equal(t.port->driver->tx(t.port, 0, 0, h, n), n);
		test_close(&t);
	}
}

static int
compare_tuples(const void *a, const void *b)
{
	return memcmp(a, b, 12);
}

/* As many different flows as asked for; round-robin sends each once before any twice. */
static void
test_flows(void **state)
{
	static const char *const orders[] = { "order=round-robin", "order=shuffle" };
	unsigned o, n = 0, i, got, ordered;
	uint8_t(*tuples)[12] = malloc(5000 * sizeof(*tuples));
	uint32_t h[BURST];

	assert_non_null(tuples);
	for (o = 0; o < 2; o++) {
		struct test_port t = test_open("gen", NULL,
		    TEST_OPTION_LIST(orders[o], "flows=5000", "src-ips=5", "dst-ips=10",
			"src-ports=100", "count=5000"),
		    1);

		assert_true(t.port->caps & MR_PORT_FINITE);
		for (n = 0; (got = t.port->driver->rx(t.port, 0, 0, h, BURST)); n += got) {
			for (i = 0; i < got; i++) {
				uint8_t *b = mr_packet_bytes(mr_packet_at(t.buffers->base, h[i]));

				assert_true(n + i < 5000);
				memcpy(tuples[n + i], b + 26, 12);
			}
			t.port->driver->tx(t.port, 0, 0, h, got);
		}
		assert_int_equal(n, 5000);
		assert_int_equal(t.port->state, MR_PORT_DONE);
		qsort(tuples, n, sizeof(*tuples), compare_tuples);
		for (i = 1, ordered = 0; i < n; i++)
			ordered += memcmp(tuples[i - 1], tuples[i], 12) != 0;
		assert_int_equal(ordered, 4999);
		test_close(&t);
	}
	free(tuples);
}

static void
test_macs(void **state)
{
	struct test_port t = test_open("gen", NULL,
	    TEST_OPTION_LIST("l3=none", "flows=600", "order=round-robin", "src-macs=600",
		"src-mac=02:00:00:00:ff:fe"),
	    1);
	uint32_t h[MR_VECTOR_MAX];
	unsigned i;

	assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, 256), 256);
	for (i = 0; i < 256; i++) {
		const uint8_t *b = mr_packet_bytes(mr_packet_at(t.buffers->base, h[i]));
		uint32_t want = 0xfffe + i;

		assert_int_equal(b[6], 2);
		assert_int_equal(b[9] << 16 | b[10] << 8 | b[11], want);
	}
	t.port->driver->tx(t.port, 0, 0, h, 256);
	test_close(&t);
}

/* The same seed gives the same bytes, another seed others. */
static void
test_seed(void **state)
{
	static const char *const seeds[] = { "seed=7", "seed=7", "seed=8" };
	static uint8_t seen[3][BURST * 4][64];
	unsigned s, i, n;
	uint32_t h[BURST];

	for (s = 0; s < 3; s++) {
		struct test_port t =
		    test_open("gen", NULL, TEST_OPTION_LIST(seeds[s], "flows=1M"), 1);

		for (n = 0; n < BURST * 4; n += BURST) {
			assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, BURST), BURST);
			for (i = 0; i < BURST; i++)
				memcpy(seen[s][n + i],
				    mr_packet_bytes(mr_packet_at(t.buffers->base, h[i])), 64);
			t.port->driver->tx(t.port, 0, 0, h, BURST);
		}
		test_close(&t);
	}
	assert_memory_equal(seen[0], seen[1], sizeof(seen[0]));
	assert_memory_not_equal(seen[0], seen[2], sizeof(seen[0]));
}

static void
test_imix(void **state)
{
	struct test_port t = test_open("gen", NULL, TEST_OPTION_LIST("size=imix", "count=120"), 3);
	unsigned small = 0, middle = 0, large = 0, q, i, n;
	uint32_t h[BURST];

	for (q = 0; q < 3; q++)
		while ((n = t.port->driver->rx(t.port, q, 0, h, BURST))) {
			for (i = 0; i < n; i++) {
				uint32_t len = mr_packet_at(t.buffers->base, h[i])->total;

				small += len == 60;
				middle += len == 590;
				large += len == 1514;
			}
			t.port->driver->tx(t.port, q, 0, h, n);
		}
	/* 40 on each queue: three rounds of 12, then the first 4 of a round. */
	assert_int_equal(small, 3 * (21 + 3));
	assert_int_equal(middle, 3 * (12 + 1));
	assert_int_equal(large, 3 * 3);
	assert_int_equal(t.port->state, MR_PORT_DONE);
	test_close(&t);
}

/* What is sent to a gen port is judged: two lost, one late, the rest measured. */
static void
test_sink(void **state)
{
	struct test_port t =
	    test_open("gen", NULL, TEST_OPTION_LIST("payload=stamp", "size=2000,71"), 1);
	struct mr_port_stats stats;
	uint32_t h[BURST], late;
	uint64_t sent, received, lost, reordered;
	double min, avg, p99;

	assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, BURST), BURST);
	late = h[10];
	memmove(h + 10, h + 11, 9 * sizeof(*h));
	h[19] = late;
	mr_packets_free(t.buffers, 0, h + 30, 2);
	t.port->driver->tx(t.port, 0, 0, h, 30);
	t.port->driver->tx(t.port, 0, 0, h + 32, BURST - 32);
	t.port->driver->stats(t.port, &stats);
	assert_int_equal(sscanf(stats.detail,
			     "sent %lu, received %lu, lost %lu, reordered %lu, latency us min %lf "
			     "avg %lf "
			     "p99 %lf",
			     &sent, &received, &lost, &reordered, &min, &avg, &p99),
	    7);
	assert_int_equal(sent, BURST);
	assert_int_equal(received, BURST - 2);
	assert_int_equal(lost, 2);
	assert_int_equal(reordered, 1);
	assert_true(min > 0 && min <= avg && avg < 1e6 && p99 >= min);
	test_close(&t);
}

/* A rate is kept, and the descriptor wakes a sleeper for the next packet. */
static void
test_rate(void **state)
{
	struct test_port t = test_open("gen", NULL, TEST_OPTION_LIST("rate=2k", "count=200"), 1);
	struct pollfd fd = { .fd = t.port->driver->rx_fd(t.port, 0), .events = POLLIN };
	struct timespec a, b;
	unsigned n = 0, got, sleeps = 0;
	uint32_t h[BURST];
	double s;

	clock_gettime(CLOCK_MONOTONIC, &a);
	while (t.port->state != MR_PORT_DONE) {
		if (t.port->driver->rx_arm(t.port, 0)) {
			assert_int_equal(poll(&fd, 1, 1000), 1);
			sleeps++;
		}
		got = t.port->driver->rx(t.port, 0, 0, h, BURST);
		t.port->driver->tx(t.port, 0, 0, h, got);
		n += got;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	assert_int_equal(n, 200);
	assert_true(sleeps > 0);
	assert_true(s > 0.095);
	/* Done: nothing wakes any more. */
	assert_true(t.port->driver->rx_arm(t.port, 0));
	assert_int_equal(poll(&fd, 1, 5), 0);
	test_close(&t);
}

static void
test_refusals(void **state)
{
	static const char *const cases[][5] = {
		{ "size=10", NULL, NULL, NULL, "headers" },
		{ "size=64,,64", NULL, NULL, NULL, "neither imix" },
		{ "size=64,", NULL, NULL, NULL, "neither imix" },
		{ "size=", NULL, NULL, NULL, "empty" },
		{ "size=57", "payload=stamp", NULL, NULL, "and the stamp" },
		{ "src-ip=10.0.0.256", NULL, NULL, NULL, "not an IPv4 address" },
		{ "dst-ip=10.0.0.1", "l3=ip6", NULL, NULL, "not an IPv6 address" },
		{ "src-mac=02:00:00:00:00", NULL, NULL, NULL, "not a MAC address" },
		{ "flows=10", "src-ips=1", "src-ports=3", NULL, "only 3 different" },
		{ "ethertype=0x5ff", NULL, NULL, NULL, "hexadecimal" },
		{ "ethertype=zz", NULL, NULL, NULL, "hexadecimal" },
		{ "count=x", NULL, NULL, NULL, "not a number" },
	};
	struct mr_buffers *b = test_buffers(256);
	struct mr_error error;
	struct mr_port *port;
	size_t i;

	for (i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		assert_true(test_try(&port, b, "gen", NULL, cases[i], 1, &error) < 0);
		assert_null(port);
		if (!strstr(error.text, cases[i][4]))
			fail_msg("%s: %s", cases[i][0], error.text);
	}
	mr_buffers_destroy(b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_imix),
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
