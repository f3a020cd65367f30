/* SPDX-License-Identifier: Apache-2.0 */
/* The floors do what the rows are about: a floor that does less is no floor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/bare_nat.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"

static void
draw(uint8_t frame[MR_BENCH_FRAME], const struct mr_bench_routes *routes, uint64_t *rng, void *user)
{
	uint8_t src[4] = { 10, 0, 0, (uint8_t)mr_bench_draw(rng, 256) }, dst[16];

	mr_bench_routes_draw(routes, rng, dst);
	mr_bench_tuple(frame, mr_bench_traffic_mac, src, dst, mr_bench_draw(rng, 2) ? 6 : 17,
	    (uint16_t)mr_bench_draw(rng, 65536), (uint16_t)mr_bench_draw(rng, 65536));
}

/* The sum over a packet's IPv4 header, or its payload with the pseudo header: 0 when right. */
static unsigned
sum_of(const uint8_t *frame, bool payload)
{
	const struct mr_ip4 *ip = (const struct mr_ip4 *)(frame + sizeof(struct mr_eth));
	uint16_t len = (uint16_t)(mr_be16(ip->total_len) - sizeof(*ip));

	return mr_checksum_finish(payload
		? mr_checksum_add(mr_checksum_pseudo4(ip->src, ip->dst, ip->proto, len), ip + 1,
		      len)
		: mr_checksum_add(0, ip, sizeof(*ip)));
}

static void
test_nat(void **state)
{
	const struct mr_bench_traffic_config config = { .bits = 32, .flows = 1024, .draw = draw };
	const struct mr_ip4 *ip;
	const struct mr_udp *udp;
	struct mr_bench_traffic traffic;
	struct mr_bench_bare_nat *nat;
	struct mr_error error;
	uint8_t frame[MR_BENCH_FRAME];
	const uint8_t *was;
	uint8_t hop;

	assert_int_equal(mr_bench_traffic_open(&traffic, &config, &error), 0);
	assert_int_equal(mr_bench_bare_nat_open(&nat, &traffic, NULL, &error), 0);
	for (uint32_t i = 0; i < traffic.flows; i++) {
		was = traffic.frames[i];
		memcpy(frame, was, sizeof(frame));
		assert_int_equal(sum_of(frame, false), 0);
		assert_int_equal(sum_of(frame, true), 0);
		assert_true(mr_bench_bare_nat_frame(nat, frame));
		ip = (const struct mr_ip4 *)(frame + sizeof(struct mr_eth));
		udp = (const struct mr_udp *)(ip + 1);
		assert_int_equal(ip->ttl, 63);
		assert_int_equal(mr_be32(ip->src) >> 16, 0xcb00);
		assert_memory_equal(&ip->dst, was + 30, 4);
		assert_memory_equal(&udp->dst, was + 36, 2);
		assert_int_equal(sum_of(frame, false), 0);
		assert_int_equal(sum_of(frame, true), 0);
		hop = was[30] >> 4;
		assert_memory_equal(frame, traffic.macs[hop], sizeof(traffic.macs[hop]));
	}
	/* It knows its new address, but that is no flow. */
	assert_false(mr_bench_bare_nat_frame(nat, frame));
	mr_bench_bare_nat_close(nat);
	mr_bench_traffic_close(&traffic);
}

/* Of two prefixes the longer, whatever stands first in a byte. */
static void
test_routes(void **state)
{
	struct mr_bench_route list[] = { { .address = { 10 }, .len = 7, .hop = 1 },
		{ .address = { 10, 128 }, .len = 9, .hop = 2 },
		{ .address = { 10, 128, 4 }, .len = 24, .hop = 3 } };
	const struct mr_bench_routes routes = { list, MR_ARRAY_COUNT(list), 32, 0 };
	static const struct {
		uint8_t address[4], hop;
	} cases[] = { { { 11, 255, 1, 1 }, 1 }, { { 10, 127, 1, 1 }, 1 }, { { 10, 129, 1, 1 }, 2 },
		{ { 10, 128, 4, 1 }, 3 }, { { 10, 128, 5, 1 }, 2 } };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++)
		assert_int_equal(mr_bench_routes_find(&routes, cases[i].address)->hop,
		    cases[i].hop);
	assert_null(mr_bench_routes_find(&routes, (const uint8_t[]){ 12, 0, 0, 1 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
