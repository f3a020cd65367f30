/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/buffers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 300u

static struct mr_buffers *
make(void)
{
	struct mr_buffers_config config = { .count = COUNT, .workers = 1, .numa_node = -1 };
	struct mr_error error = { 0 };
	struct mr_buffers *b;

	if (mr_buffers_create(&b, &config, &error))
		fail_msg("%s", error.text);
	return b;
}

/* Ends a test: everything back, nothing put twice. */
static void
done(struct mr_buffers *b)
{
	struct mr_error error = { 0 };

	assert_int_equal(mr_pool_used(b->pool), 0);
	if (mr_pool_check(b->pool, &error))
		fail_msg("%s", error.text);
	mr_buffers_destroy(b);
}

static uint8_t *
pattern(size_t len)
{
	uint8_t *bytes = malloc(len + 1);
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 255);
	return bytes;
}

/* The packet's bytes are `want`, and its chain is sound. */
static void
check_packet(struct mr_buffers *b, uint32_t handle, const uint8_t *want, size_t len)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	uint8_t *got = malloc(len + 8);
	unsigned segments = 0;
	uint32_t total = 0;

	assert_int_equal(p->total, len);
	assert_int_equal(mr_packet_read(b, handle, 0, got, len + 8), len);
	assert_memory_equal(got, want, len);
	free(got);
	while (handle) {
		segments++;
		total += mr_packet_at(b->base, handle)->len;
		handle = mr_packet_at(b->base, handle)->next;
	}
	assert_int_equal(segments, p->segments);
	assert_int_equal(total, len);
}

static void
test_layout(void **state)
{
	struct mr_buffers *b = make();
	uint32_t h[COUNT], i;

	assert_ptr_equal(b->base, b->arena->base);
	assert_int_equal(mr_buffers_get(b, 0, h, COUNT), COUNT);
	assert_int_equal(mr_buffers_get(b, 0, h, 1), 0);
	for (i = 0; i < COUNT; i++) {
		assert_int_equal(h[i], 1 + i * MR_PACKET_STRIDE_LINES);
		assert_int_equal((uintptr_t)mr_packet_at(b->base, h[i]) % MR_CACHE_LINE, 0);
		memset(mr_packet_at(b->base, h[i]), (int)i, MR_PACKET_STRIDE);
	}
	assert_true(
	    ((size_t)h[COUNT - 1] << MR_PACKET_LINE_SHIFT) + MR_PACKET_STRIDE <= b->arena->size);
	mr_buffers_put(b, 0, h, COUNT);
	done(b);
}

static void
test_from_and_free(void **state)
{
	static const size_t sizes[] = { 0, 1, 60, MR_PACKET_ROOM - 1, MR_PACKET_ROOM,
		MR_PACKET_ROOM + 1, 9000, 65536, MR_PACKET_TOTAL_MAX };
	struct mr_buffers *b = make();
	uint8_t *bytes = pattern(MR_PACKET_TOTAL_MAX + 1);
	uint32_t h[MR_ARRAY_COUNT(sizes)];
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(sizes); i++) {
		h[i] = mr_packet_from(b, 0, bytes, sizes[i]);
		assert_int_not_equal(h[i], MR_PACKET_NONE);
		check_packet(b, h[i], bytes, sizes[i]);
		assert_int_equal(mr_packet_headroom(mr_packet_at(b->base, h[i])),
		    MR_PACKET_HEADROOM);
	}
	assert_int_equal(mr_packet_from(b, 0, bytes, MR_PACKET_TOTAL_MAX + 1), MR_PACKET_NONE);
	mr_packets_free(b, 0, h, MR_ARRAY_COUNT(sizes));
	free(bytes);
	done(b);
}

/* Chains anywhere among single packets, and a vector of nothing. */
static void
test_free_mixed(void **state)
{
	struct mr_buffers *b = make();
	uint8_t *bytes = pattern(8000);
	uint32_t h[40];
	unsigned mask, i;

	for (mask = 0; mask < 64; mask++) {
		for (i = 0; i < 40; i++)
			h[i] = mr_packet_from(b, 0, bytes, mask >> i % 6 & 1 ? 8000 : 60);
		assert_true(mr_pool_used(b->pool) >= 40);
		mr_packets_free(b, 0, h, 40);
		assert_int_equal(mr_pool_used(b->pool), 0);
	}
	mr_packets_free(b, 0, h, 0);
	free(bytes);
	done(b);
}

/* A chain tied into a circle must not hang anybody. */
static void
test_circle(void **state)
{
	struct mr_buffers *b = make();
	uint8_t *bytes = pattern(4000);
	uint32_t h = mr_packet_from(b, 0, bytes, 4000);
	struct mr_packet *p = mr_packet_at(b->base, h);
	struct mr_packet *second = mr_packet_at(b->base, p->next);
	struct mr_packet *third = mr_packet_at(b->base, second->next);
	uint8_t *out = malloc(1 << 20);

	third->next = h;
	assert_int_equal(mr_packet_copy(b, 0, h), MR_PACKET_NONE);
	assert_true(mr_packet_read(b, h, 0, out, 1 << 20) < 1 << 20);
	third->next = MR_PACKET_NONE;
	mr_packets_free(b, 0, &h, 1);
	free(out);
	free(bytes);
	done(b);
}

static void
test_copy(void **state)
{
	struct mr_buffers *b = make();
	uint8_t *bytes = pattern(5000);
	uint32_t h = mr_packet_from(b, 0, bytes, 5000), c, all[COUNT];
	struct mr_packet *p = mr_packet_at(b->base, h), *q;
	unsigned n;

	p->data += 14;
	p->len -= 14;
	p->total -= 14;
	p->port = 7;
	p->queue = 3;
	p->flags = MR_PACKET_CSUM_PARTIAL | MR_PACKET_HASHED;
	p->hash = 0x12345678;
	p->scratch[3] = 99;
	c = mr_packet_copy(b, 0, h);
	assert_int_not_equal(c, MR_PACKET_NONE);
	q = mr_packet_at(b->base, c);
	assert_int_equal(q->data, p->data);
	assert_int_equal(q->port, 7);
	assert_int_equal(q->queue, 3);
	assert_int_equal(q->flags, p->flags);
	assert_int_equal(q->hash, 0x12345678);
	assert_int_equal(q->scratch[3], 99);
	check_packet(b, c, bytes + 14, 4986);
	/* The copy stands alone. */
	mr_packet_write(b, h, 0, "changed", 7);
	mr_packets_free(b, 0, &h, 1);
	check_packet(b, c, bytes + 14, 4986);

	/* Too few buffers: none, and none lost. */
	n = COUNT - mr_pool_used(b->pool) - 2;
	assert_int_equal(mr_buffers_get(b, 0, all, n), n);
	assert_int_equal(mr_packet_copy(b, 0, c), MR_PACKET_NONE);
	assert_int_equal(mr_packet_from(b, 0, bytes, 5000), MR_PACKET_NONE);
	assert_int_equal(mr_pool_used(b->pool), COUNT - 2);
	mr_buffers_put(b, 0, all, n);
	mr_packets_free(b, 0, &c, 1);
	free(bytes);
	done(b);
}

static void
test_read_write(void **state)
{
	struct mr_buffers *b = make();
	uint8_t *bytes = pattern(4000), out[4000];
	uint32_t h = mr_packet_from(b, 0, bytes, 4000);

	/* Over the seam of two segments. */
	assert_int_equal(mr_packet_write(b, h, MR_PACKET_ROOM - 3, "sixsix", 6), 6);
	memcpy(bytes + MR_PACKET_ROOM - 3, "sixsix", 6);
	check_packet(b, h, bytes, 4000);
	assert_int_equal(mr_packet_read(b, h, MR_PACKET_ROOM - 3, out, 6), 6);
	assert_memory_equal(out, "sixsix", 6);
	/* Over the end, at the end, behind it. */
	assert_int_equal(mr_packet_write(b, h, 3998, "sixsix", 6), 2);
	assert_int_equal(mr_packet_read(b, h, 3990, out, 100), 10);
	assert_int_equal(mr_packet_read(b, h, 4000, out, 1), 0);
	assert_int_equal(mr_packet_read(b, h, SIZE_MAX, out, 1), 0);
	mr_packets_free(b, 0, &h, 1);
	free(bytes);
	done(b);
}

static void
test_pull(void **state)
{
	struct mr_buffers *b = make();
	uint8_t *bytes = pattern(9000);
	uint32_t h = mr_packet_from(b, 0, bytes, 9000);
	struct mr_packet *p = mr_packet_at(b->base, h);

	assert_int_equal(mr_packet_pull(b, 0, h, 100), 0);
	assert_int_equal(p->len, MR_PACKET_ROOM);
	assert_int_equal(mr_packet_pull(b, 0, h, 9001), -EINVAL);
	assert_int_equal(mr_packet_pull(b, 0, h, 2049), -ENOSPC);
	check_packet(b, h, bytes, 9000);
	/* No tailroom is left, so headroom gives. */
	assert_int_equal(mr_packet_pull(b, 0, h, 1900), 0);
	assert_int_equal(p->len, 1900);
	assert_int_equal(mr_packet_headroom(p), 2048 - 1900);
	check_packet(b, h, bytes, 9000);
	assert_int_equal(mr_packet_pull(b, 0, h, 2048), 0);
	assert_int_equal(mr_packet_headroom(p), 0);
	check_packet(b, h, bytes, 9000);
	mr_packets_free(b, 0, &h, 1);
	free(bytes);
	done(b);
}

static void
test_trim(void **state)
{
	struct mr_buffers *b = make();
	uint8_t *bytes = pattern(9000);
	uint32_t h = mr_packet_from(b, 0, bytes, 9000);
	struct mr_packet *p = mr_packet_at(b->base, h);

	mr_packet_trim(b, 0, h, 9001);
	check_packet(b, h, bytes, 9000);
	assert_int_equal(p->segments, mr_pool_used(b->pool));
	mr_packet_trim(b, 0, h, 2 * MR_PACKET_ROOM);
	check_packet(b, h, bytes, 2 * MR_PACKET_ROOM);
	assert_int_equal(p->segments, 2);
	assert_int_equal(mr_pool_used(b->pool), 2);
	mr_packet_trim(b, 0, h, 5);
	check_packet(b, h, bytes, 5);
	assert_int_equal(p->segments, 1);
	assert_int_equal(p->next, MR_PACKET_NONE);
	assert_int_equal(mr_pool_used(b->pool), 1);
	mr_packets_free(b, 0, &h, 1);
	free(bytes);
	done(b);
}

/* Segments that were emptied leave the chain and go back to the pool. */
static void
test_pull_frees(void **state)
{
	struct mr_buffers *b = make();
	uint8_t *bytes = pattern(64);
	struct mr_packet *p, *q;
	uint32_t h[4];
	unsigned i;

	for (i = 0; i < 4; i++)
		h[i] = mr_packet_from(b, 0, bytes + i * 16, 16);
	for (i = 0; i < 3; i++)
		mr_packet_at(b->base, h[i])->next = h[i + 1];
	p = mr_packet_at(b->base, h[0]);
	p->total = 64;
	p->segments = 4;
	check_packet(b, h[0], bytes, 64);
	assert_int_equal(mr_packet_pull(b, 0, h[0], 40), 0);
	check_packet(b, h[0], bytes, 64);
	assert_int_equal(p->segments, 3);
	assert_int_equal(mr_pool_used(b->pool), 3);
	assert_int_equal(mr_packet_pull(b, 0, h[0], 64), 0);
	assert_int_equal(p->segments, 1);
	assert_int_equal(p->next, MR_PACKET_NONE);
	assert_int_equal(mr_pool_used(b->pool), 1);
	check_packet(b, h[0], bytes, 64);
	/* A total that the segments do not hold is refused before anything moves. */
	h[1] = mr_packet_from(b, 0, bytes, 10);
	q = mr_packet_at(b->base, h[1]);
	p->next = h[1];
	p->segments = 2;
	p->total = 100;
	assert_int_equal(mr_packet_pull(b, 0, h[0], 80), -EINVAL);
	assert_int_equal(p->len, 64);
	assert_int_equal(q->len, 10);
	mr_packets_free(b, 0, h, 1);
	free(bytes);
	done(b);
}

static void
test_bad_config(void **state)
{
	struct mr_buffers_config config = { .count = UINT32_MAX, .workers = 1, .numa_node = -1 };
	struct mr_error error = { 0 };
	struct mr_buffers *b;

	assert_int_equal(mr_buffers_create(&b, &config, &error), -EOVERFLOW);
	assert_null(b);
	config.count = 10;
	config.numa_node = 4000;
	assert_true(mr_buffers_create(&b, &config, &error) < 0);
	assert_null(b);
	assert_non_null(strstr(error.text, "10 packet buffers: memory on NUMA node 4000"));
	mr_buffers_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_from_and_free),
		cmocka_unit_test(test_free_mixed),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_read_write),
		cmocka_unit_test(test_pull),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_pull_frees),
		cmocka_unit_test(test_bad_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
