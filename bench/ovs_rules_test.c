/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/ovs_rules.h"

/* A range's blocks match each of its ports once, and no other, and no fewer would do. */
static void
check_range(uint32_t first, uint32_t last, unsigned most)
{
	static uint8_t hits[65536];
	unsigned count = 0;
	uint32_t at, next, port;
	uint16_t mask;

	memset(hits, 0, sizeof(hits));
	for (at = first; at <= last; at = next) {
		next = mr_bench_ovs_block(at, last, &mask);
		assert_true(next > at);
		for (port = 0; port < 65536; port++)
			hits[port] += (port & mask) == at;
		count++;
	}
	for (port = 0; port < 65536; port++)
		assert_int_equal(hits[port], port >= first && port <= last);
	assert_true(count <= most);
}

static void
test_block(void **state)
{
	check_range(0, 65535, 1);
	check_range(80, 80, 1);
	check_range(65535, 65535, 1);
	check_range(1024, 65535, 6);
	check_range(1, 65534, 30);
	check_range(6000, 6100, 8);
}

static void
test_rules(void **state)
{
	static const struct mr_bench_ovs_match matches[2] = {
		{ .src = 0x0a000000,
		    .src_len = 8,
		    .dst_len = 0,
		    .proto = 17,
		    .sport = { 0, 65535 },
		    .dport = { 53, 54 } },
		{ .proto = 1, .deny = true, .sport = { 0, 65535 }, .dport = { 0, 65535 } },
	};
	static const uint8_t macs[MR_BENCH_HOPS][2][6] = { { { 2, 0, 0, 0, 1, 0 },
	    { 2, 0, 0, 0, 0, 3 } } };
	struct mr_bench_route route = { .address = { 192, 0, 2, 0 }, .len = 24 };
	const struct mr_bench_routes routes = { .routes = &route, .count = 1, .bits = 32 };
	const struct mr_bench_ovs_rules rules = { &routes, macs, matches, 2, true };
	char path[48], text[2048];
	unsigned lines;
	ssize_t n;
	int fd;

	fd = mr_bench_ovs_rules_write(&rules, path, sizeof(path), &lines);
	assert_true(fd >= 0);
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	assert_true(n > 0);
	text[n] = 0;
	assert_int_equal(lines, 9);
	assert_string_equal(text,
	    "table=0,in_port=1,ip,actions=ct(table=1)\n"
	    "table=0,in_port=3,ip,actions=ct(table=1)\n"
	    "table=1,in_port=3,ip,actions=drop\n"
	    "table=1,in_port=1,ct_state=+trk+new,ip,actions=ct(commit),goto_table:2\n"
	    "table=1,in_port=1,ct_state=+trk+est,ip,actions=goto_table:2\n"
	    "table=2,priority=60000,ip,nw_proto=17,nw_src=10.0.0.0/8,tp_dst=0x35/0xffff,"
	    "actions=goto_table:3\n"
	    "table=2,priority=60000,ip,nw_proto=17,nw_src=10.0.0.0/8,tp_dst=0x36/0xffff,"
	    "actions=goto_table:3\n"
	    "table=2,priority=59999,ip,nw_proto=1,actions=drop\n"
	    "table=3,priority=124,ip,nw_dst=192.0.2.0/24,actions=mod_dl_src:02:00:00:00:00:03,"
	    "mod_dl_dst:02:00:00:00:01:00,dec_ttl,output:2\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
