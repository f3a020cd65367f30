/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/checksum_test_int.h"

static void
test_every_length(void **state)
{
	/* Exact allocations, so that a read past the end shows under AddressSanitizer. */
	for (size_t len = 0; len <= 2048; len++) {
		for (size_t shift = 0; shift < 4; shift++) {
			uint8_t *m = malloc(len + shift + 1);
			uint16_t want;

			fill(m, len + shift);
			if (len % 7 == 0)
				memset(m, 0xff, len + shift);
			want = mr_be16(slow_sum(m + shift, len));
			m = realloc(m, len + shift ? len + shift : 1);
			assert_int_equal(mr_checksum_fold(mr_checksum_add(0, m + shift, len)),
			    want);
			assert_int_equal(
			    mr_checksum_fold(mr_checksum_add_portable(0, m + shift, len)), want);
			free(m);
		}
	}
}

static void
test_long(void **state)
{
	size_t len = 200001;
	uint8_t *m = malloc(len);

	memset(m, 0xff, len);
	m[5] = 0;
	assert_int_equal(mr_checksum_fold(mr_checksum_add(0, m, len)), mr_be16(slow_sum(m, len)));
	free(m);
}

static void
test_fold_extremes(void **state)
{
	assert_int_equal(mr_checksum_fold(0), 0);
	assert_int_equal(mr_checksum_fold(0xffff), 0xffff);
	assert_int_equal(mr_checksum_fold(0x10000), 1);
	assert_int_equal(mr_checksum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(mr_checksum_fold(UINT64_MAX - 1), 0xfffe);
	assert_int_equal(mr_checksum_fold(0xffffffffull), 0xffff);
	assert_int_equal(mr_checksum_fold(0x1ffff0001ull),
	    UINT16_MAX % 0xffff + 0x1ffff0001ull % 0xffff);
	for (int i = 0; i < 100000; i++) {
		uint64_t v = (uint64_t)draw() << 40 ^ (uint64_t)draw() << 20 ^ draw();
		uint16_t want = (uint16_t)(v % 0xffff);

		assert_int_equal(mr_checksum_fold(v), v && !want ? 0xffff : want);
	}
}

/* RFC 1071, section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2. */
static void
test_rfc1071_example(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	assert_int_equal(mr_be16(mr_checksum_fold(mr_checksum_add(0, bytes, 8))), 0xddf2);
}

/* RFC 1624, section 4: HC dd2f, m 5555 becomes 3285, HC' is 0000 by eqn. 3. */
static void
test_incremental(void **state)
{
	assert_int_equal(mr_checksum_update16(mr_be16(0xdd2f), mr_be16(0x5555), mr_be16(0x3285)),
	    0);
	for (int i = 0; i < 20000; i++) {
		uint8_t m[64], old[64];
		be16_t check, a16, b16;
		be32_t a32, b32;

		fill(m, sizeof(m));
		if (i % 3 == 0)
			memset(m, i % 2 ? 0xff : 0, sizeof(m) / 2);
		m[63] |= 1; /* not all zero, or there are two right answers */
		memcpy(old, m, sizeof(m));
		check = mr_checksum_finish(mr_checksum_add(0, m, sizeof(m)));
		fill(m + 8, 2);
		memcpy(&a16, old + 8, 2);
		memcpy(&b16, m + 8, 2);
		check = mr_checksum_update16(check, a16, b16);
		assert_int_equal(check, mr_checksum_finish(mr_checksum_add(0, m, sizeof(m))));
		fill(m + 12, 4);
		memcpy(&a32, old + 12, 4);
		memcpy(&b32, m + 12, 4);
		check = mr_checksum_update32(check, a32, b32);
		assert_int_equal(check, mr_checksum_finish(mr_checksum_add(0, m, sizeof(m))));
		fill(m + 16, 16);
		check = mr_checksum_update128(check, old + 16, m + 16);
		assert_int_equal(check, mr_checksum_finish(mr_checksum_add(0, m, sizeof(m))));
		/* All three at once, from the start. */
		check = mr_checksum_finish(mr_checksum_add(0, old, sizeof(old)));
		check = mr_checksum_apply(check,
		    mr_checksum_delta16(a16, b16) + mr_checksum_delta32(a32, b32) +
			mr_checksum_delta128(old + 16, m + 16));
		assert_int_equal(check, mr_checksum_finish(mr_checksum_add(0, m, sizeof(m))));
	}
	assert_int_equal(mr_checksum_apply_udp(0, 12345), 0);
	assert_int_equal(mr_checksum_apply_udp(mr_be16(0xdd2f),
			     mr_checksum_delta16(mr_be16(0x5555), mr_be16(0x3285))),
	    0xffff);
}

static void
test_crc32c(void **state)
{
	uint8_t m[300];

	/* RFC 3720, B.4: 32 bytes of zeros, of ones, and 0..31. */
	memset(m, 0, 32);
	assert_int_equal(mr_crc32c_finish(mr_crc32c_add(MR_CRC32C_SEED, m, 32)), 0x8a9136aa);
	memset(m, 0xff, 32);
	assert_int_equal(mr_crc32c_finish(mr_crc32c_add(MR_CRC32C_SEED, m, 32)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		m[i] = (uint8_t)i;
	assert_int_equal(mr_crc32c_finish(mr_crc32c_add_portable(MR_CRC32C_SEED, m, 32)),
	    0x46dd794e);
	fill(m, sizeof(m));
	for (size_t len = 0; len <= sizeof(m); len++) {
		uint32_t want = slow_crc32c(m, len);
		size_t half = len / 3;

		assert_int_equal(mr_crc32c_finish(mr_crc32c_add(MR_CRC32C_SEED, m, len)), want);
		assert_int_equal(mr_crc32c_finish(mr_crc32c_add_portable(MR_CRC32C_SEED, m, len)),
		    want);
		assert_int_equal(mr_crc32c_finish(mr_crc32c_add(
				     mr_crc32c_add(MR_CRC32C_SEED, m, half), m + half, len - half)),
		    want);
	}
}

static void
test_chains(void **state)
{
	struct mr_buffers *b = *state;
	uint8_t m[3000];

	for (int i = 0; i < 3000; i++) {
		unsigned len = draw() % sizeof(m), from, n;
		uint64_t sum = 0;
		uint32_t h;

		fill(m, len);
		h = chain(b, m, len, 3 + draw() % 200);
		from = len ? draw() % len : 0;
		n = len - from ? draw() % (len - from) : 0;
		assert_int_equal(mr_checksum_add_chain(&sum, b, h, from, n), 0);
		assert_int_equal(mr_checksum_fold(sum), mr_be16(slow_sum(m + from, n)));
		assert_int_equal(mr_checksum_add_chain(&sum, b, h, from, len - from + 1), -EINVAL);
	}
}

static void
test_complete_bounds(void **state)
{
	struct mr_buffers *b = *state;
	uint8_t f[100], out[100];
	uint32_t h;
	struct mr_packet *p;

	fill(f, sizeof(f));
	h = chain(b, f, sizeof(f), 7);
	p = mr_packet_at(b->base, h);
	p->csum_start = 90;
	p->csum_offset = 16;
	assert_int_equal(mr_checksum_complete(b, h), 0); /* no flag */
	p->flags = MR_PACKET_CSUM_PARTIAL;
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	p->csum_offset = 9; /* half of the field */
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	p->csum_offset = 8; /* CRC32c takes four bytes */
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	p->csum_start = UINT16_MAX;
	p->csum_offset = UINT16_MAX;
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	assert_int_equal(p->flags, MR_PACKET_CSUM_PARTIAL);
	p->total = 1000; /* the metadata lies about the chain */
	p->csum_start = 20;
	p->csum_offset = 900;
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	p->csum_offset = 6;
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	unchain(b, h, out);
	assert_memory_equal(f, out, sizeof(f));
	/* A UDP sum of 0 is sent as ffff. */
	memset(f, 0, sizeof(f));
	mr_store_be16(f + 40, 0xffff);
	h = chain(b, f, sizeof(f), 0);
	p = mr_packet_at(b->base, h);
	p->flags = MR_PACKET_CSUM_PARTIAL;
	p->csum_start = 34;
	p->csum_offset = 6;
	assert_int_equal(mr_checksum_complete(b, h), 0);
	assert_int_equal(mr_load_be16(mr_packet_bytes(p) + 40), 0xffff);
}

static void
test_ipv4_header(void **state)
{
	uint8_t h[60];

	/* The header of RFC 791's style that Wikipedia and many lectures compute: b861. */
	static const uint8_t known[20] = { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0,
		0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7 };

	assert_int_equal(mr_checksum_ipv4_header((const struct mr_ip4 *)known), mr_be16(0xb861));
	for (int i = 0; i < 5000; i++) {
		struct mr_ip4 *ip = (struct mr_ip4 *)h;
		unsigned words = 5 + draw() % 11;
		be16_t check;

		fill(h, sizeof(h));
		h[0] = (uint8_t)(0x40 | words);
		check = mr_checksum_ipv4_header(ip);
		ip->check = 0;
		assert_int_equal(check, (be16_t)~mr_be16(slow_sum(h, words * 4)));
		ip->check = check;
		assert_true(mr_checksum_ipv4_header_good(ip));
		h[draw() % (words * 4 - 1) + 1] ^= 0x10;
		assert_false(mr_checksum_ipv4_header_good(ip));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_fold_extremes),
		cmocka_unit_test(test_rfc1071_example),
		cmocka_unit_test(test_incremental),
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_complete_bounds),
		cmocka_unit_test(test_ipv4_header),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
