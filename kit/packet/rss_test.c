/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "kit/packet/rss.h"

/* The published verification suite ("Verifying the RSS hash calculation"). */
static const struct {
	const char *dst, *src;
	uint16_t dst_port, src_port;
	uint32_t hash_l3, hash_l4;
} published[] = {
	{ "161.142.100.80", "66.9.149.187", 1766, 2794, 0x323e8fc2, 0x51ccc178 },
	{ "65.69.140.83", "199.92.111.2", 4739, 14230, 0xd718262a, 0xc626b0ea },
	{ "12.22.207.184", "24.19.198.95", 38024, 12898, 0xd2d0a5de, 0x5c2b394a },
	{ "209.142.163.6", "38.27.205.30", 2217, 48228, 0x82989176, 0xafc7327f },
	{ "202.188.127.2", "153.39.163.191", 1303, 44251, 0x5d1809c5, 0x10e828a2 },
	{ "3ffe:2501:200:3::1", "3ffe:2501:200:1fff::7", 1766, 2794, 0x2cc18cd5, 0x40207d3d },
	{ "ff02::1", "3ffe:501:8::260:97ff:fe40:efab", 4739, 14230, 0x0f0c461c, 0xdde51bbf },
	{ "fe80::200:f8ff:fe21:67cf", "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 38024, 44251,
	    0x4b61e985, 0x02d1feef },
};

/* The definition, one bit at a time: the oracle. */
static uint32_t
slow(const uint8_t *key, const uint8_t *input, unsigned len)
{
	uint32_t hash = 0;
	unsigned i, j;

	for (i = 0; i < len * 8; i++)
		if (input[i / 8] >> (7 - i % 8) & 1)
			for (j = 0; j < 32; j++)
				hash ^= (uint32_t)(key[(i + j) / 8] >> (7 - (i + j) % 8) & 1)
				    << (31 - j);
	return hash;
}

static void
check_vector(const struct mr_rss *rss, const char *src, const char *dst, uint16_t src_port,
    uint16_t dst_port, uint32_t l3, uint32_t l4)
{
	uint8_t s[16], d[16];
	be32_t s4, d4;

	if (strchr(src, ':')) {
		assert_int_equal(inet_pton(AF_INET6, src, s), 1);
		assert_int_equal(inet_pton(AF_INET6, dst, d), 1);
		assert_int_equal(mr_rss_ip6(rss, s, d), l3);
		assert_int_equal(mr_rss_ip6_ports(rss, s, d, mr_be16(src_port), mr_be16(dst_port)),
		    l4);
	} else {
		assert_int_equal(inet_pton(AF_INET, src, &s4), 1);
		assert_int_equal(inet_pton(AF_INET, dst, &d4), 1);
		assert_int_equal(mr_rss_ip4(rss, s4, d4), l3);
		assert_int_equal(
		    mr_rss_ip4_ports(rss, s4, d4, mr_be16(src_port), mr_be16(dst_port)), l4);
	}
}

static void
test_published(void **state)
{
	struct mr_rss rss;

	assert_int_equal(mr_rss_prepare(&rss, NULL, 0), 0);
	for (int variant = 0; variant < 2; variant++) {
		for (size_t i = 0; i < MR_ARRAY_COUNT(published); i++)
			check_vector(&rss, published[i].src, published[i].dst,
			    published[i].src_port, published[i].dst_port, published[i].hash_l3,
			    published[i].hash_l4);
		rss.clmul = false;
	}
}

/* The same suite, transcribed by others. */
static void
test_file(void **state)
{
	/* Beside the source tree: seen from there, or from a build folder in it. */
	const char *data[] = { getenv("MR_DATA"), "../shared/data", "../../shared/data" };
	char path[512], line[512], dst[64], src[64];
	unsigned dst_port, src_port, l3, l4, n = 0;
	struct mr_rss rss;
	FILE *f = NULL;

	for (size_t i = 0; i < MR_ARRAY_COUNT(data) && !f; i++) {
		if (!data[i])
			continue;
		snprintf(path, sizeof(path), "%s/rss/toeplitz-msft.csv", data[i]);
		f = fopen(path, "r");
	}
	if (!f) {
		print_message("no rss/toeplitz-msft.csv: set MR_DATA to the shared data folder\n");
		skip();
	}
	mr_rss_prepare(&rss, NULL, 0);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%63[^,],%63[^,],%u,%u,%x,%x", dst, src, &dst_port,
				     &src_port, &l3, &l4),
		    6);
		check_vector(&rss, src, dst, (uint16_t)src_port, (uint16_t)dst_port, l3, l4);
		n++;
	}
	fclose(f);
	assert_int_equal(n, 8);
}

static void
test_random(void **state)
{
	uint8_t key[MR_RSS_KEY_SIZE], input[MR_RSS_INPUT_MAX];
	struct mr_rss rss;

	srand(4);
	for (int i = 0; i < 3000; i++) {
		if (i % 50 == 0) {
			for (size_t k = 0; k < sizeof(key); k++)
				key[k] = (uint8_t)rand();
			assert_int_equal(mr_rss_prepare(&rss, key, sizeof(key)), 0);
		}
		for (size_t k = 0; k < sizeof(input); k++)
			input[k] = (uint8_t)rand();
		for (unsigned len = 0; len <= sizeof(input); len += 4) {
			uint32_t want = slow(key, input, len);

			assert_int_equal(mr_rss_hash(&rss, input, len), want);
			assert_int_equal(mr_rss_hash_portable(&rss, input, len), want);
		}
	}
}

static void
test_symmetric(void **state)
{
	uint8_t a[16], b[16];
	struct mr_rss rss;

	mr_rss_prepare(&rss, mr_rss_key_symmetric, MR_RSS_KEY_SIZE);
	srand(5);
	for (int i = 0; i < 1000; i++) {
		be32_t s = (be32_t)rand(), d = (be32_t)rand();
		be16_t sp = (be16_t)rand(), dp = (be16_t)rand();

		for (int k = 0; k < 16; k++)
			a[k] = (uint8_t)rand(), b[k] = (uint8_t)rand();
		assert_int_equal(mr_rss_ip4_ports(&rss, s, d, sp, dp),
		    mr_rss_ip4_ports(&rss, d, s, dp, sp));
		assert_int_equal(mr_rss_ip6_ports(&rss, a, b, sp, dp),
		    mr_rss_ip6_ports(&rss, b, a, dp, sp));
	}
}

static void
test_packets(void **state)
{
	/* The first published flow as UDP, whole and as a fragment; ARP. */
	uint8_t f[60] = { [12] = 8, [14] = 0x45, [17] = 46, [22] = 64, [23] = 17 };
	struct mr_parsed p;
	struct mr_rss rss;

	mr_rss_prepare(&rss, NULL, 0);
	inet_pton(AF_INET, "66.9.149.187", f + 26);
	inet_pton(AF_INET, "161.142.100.80", f + 30);
	mr_store_be16(f + 34, 2794);
	mr_store_be16(f + 36, 1766);
	mr_store_be16(f + 38, 26);
	assert_int_equal(mr_parse(&p, f, 60, 60), MR_PARSE_OK);
	assert_int_equal(mr_rss_packet(&rss, &p, f), 0x51ccc178);
	f[20] = 0x20;
	f[17] = 44;
	assert_int_equal(mr_parse(&p, f, 60, 60), MR_PARSE_OK);
	assert_int_equal(mr_rss_packet(&rss, &p, f), 0x323e8fc2);
	f[13] = 6;
	mr_parse(&p, f, 60, 60);
	assert_int_equal(mr_rss_packet(&rss, &p, f), 0);
}

static void
test_short_key(void **state)
{
	struct mr_rss rss;

	assert_int_equal(mr_rss_prepare(&rss, mr_rss_key_microsoft, 39), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_symmetric),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_short_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
