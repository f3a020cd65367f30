/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define MB ((size_t)1 << 20)

static struct mr_arena *
make(size_t size, enum mr_arena_pages pages)
{
	struct mr_arena_config config = { .name = "arena-test",
		.size = size,
		.pages = pages,
		.numa_node = -1 };
	struct mr_error error = { 0 };
	struct mr_arena *arena;

	if (mr_arena_create(&arena, &config, &error))
		fail_msg("%s", error.text);
	return arena;
}

static void
check_arena(struct mr_arena *arena, size_t size)
{
	struct {
		uint8_t *first, *last;
	} peer;
	size_t i;

	assert_true(arena->size >= size);
	assert_int_equal(arena->size % arena->page_size, 0);
	assert_int_equal((uintptr_t)arena->base % (2 * MB), 0);
	assert_int_equal((uintptr_t)arena->base % arena->page_size, 0);
	assert_int_equal(lseek(arena->fd, 0, SEEK_END), arena->size);
	assert_true(arena->report[0]);
	assert_null(strchr(arena->report, '\n'));
	for (i = 0; i < arena->size; i += 512)
		assert_int_equal(arena->base[i], 0);

	/* Whoever gets the descriptor sees the same bytes, and cannot shrink the file. */
	peer.first = mmap(NULL, arena->size, PROT_READ, MAP_SHARED, arena->fd, 0);
	assert_ptr_not_equal(peer.first, MAP_FAILED);
	peer.last = peer.first + arena->size - 1;
	arena->base[0] = 42;
	arena->base[arena->size - 1] = 43;
	assert_int_equal(*peer.first, 42);
	assert_int_equal(*peer.last, 43);
	munmap(peer.first, arena->size);
	if (arena->sealed)
		assert_int_equal(ftruncate(arena->fd, 0), -1);
}

static void
test_auto(void **state)
{
	struct mr_arena *arena = make(3 * MB + 1, MR_ARENA_AUTO);

	print_message("%s\n", arena->report);
	assert_int_not_equal(arena->pages, MR_ARENA_AUTO);
	assert_int_equal(arena->numa_node, -1);
	check_arena(arena, 3 * MB + 1);
	mr_arena_destroy(arena);
}

static void
test_4k(void **state)
{
	struct mr_arena *arena = make(10000, MR_ARENA_4K);

	assert_int_equal(arena->pages, MR_ARENA_4K);
	assert_int_equal(arena->size, 12288);
	assert_true(arena->sealed);
	assert_non_null(strstr(arena->report, "4 KB pages"));
	check_arena(arena, 10000);
	mr_arena_destroy(arena);
}

/* Every page is there from the start. */
static void
test_populated(void **state)
{
	struct mr_arena *arena;
	unsigned char in[256];
	size_t i;

	if (getenv("MR_EMULATED")) {
		print_message("needs a machine: the emulator does not carry mincore over\n");
		skip();
	}
	arena = make(MB, MR_ARENA_4K);
	assert_int_equal(mincore(arena->base, MB, in), 0);
	for (i = 0; i < MB / 4096; i++)
		assert_true(in[i] & 1);
	mr_arena_destroy(arena);
}

/* Exactly that kind of page or an error with the reason: both are tested where
 * the machine allows, one of them always. */
static void
check_kind(enum mr_arena_pages pages, size_t page, const char *what)
{
	struct mr_arena_config config = { .name = "kind",
		.size = 5 * MB,
		.pages = pages,
		.numa_node = -1 };
	struct mr_error error = { 0 };
	struct mr_arena *arena;
	int rc = mr_arena_create(&arena, &config, &error);

	if (rc) {
		assert_null(arena);
		assert_int_equal(error.code, rc);
		assert_non_null(strstr(error.text, what));
		print_message("%s\n", error.text);
		return;
	}
	print_message("%s\n", arena->report);
	assert_int_equal(arena->pages, pages);
	assert_int_equal(arena->page_size, page);
	check_arena(arena, 5 * MB);
	mr_arena_destroy(arena);
}

static void
test_kinds(void **state)
{
	check_kind(MR_ARENA_1G, 1024 * MB, "1 GB hugepages");
	check_kind(MR_ARENA_2M, 2 * MB, "2 MB hugepages");
	check_kind(MR_ARENA_THP, 4096, "transparent 2 MB hugepages");
}

static void
test_impossible(void **state)
{
	struct mr_arena_config config = { .name = "big", .size = (size_t)1 << 46, .numa_node = -1 };
	struct mr_error error = { 0 };
	struct mr_arena *arena;

	assert_true(mr_arena_create(&arena, &config, &error) < 0);
	assert_null(arena);
	/* All four kinds, each with its reason. */
	assert_non_null(strstr(error.text, "no 1 GB hugepages: "));
	assert_non_null(strstr(error.text, "2 MB hugepages: "));
	assert_non_null(strstr(error.text, "4 KB pages: "));
	print_message("%s\n", error.text);
	config.size = SIZE_MAX;
	config.pages = MR_ARENA_4K;
	assert_int_equal(mr_arena_create(&arena, &config, &error), -EOVERFLOW);
	config.size = 0;
	assert_int_equal(mr_arena_create(&arena, &config, &error), -EINVAL);
	config.size = 4096;
	config.pages = 17;
	assert_int_equal(mr_arena_create(&arena, &config, &error), -EINVAL);
	mr_arena_destroy(NULL);
}

static void
test_numa(void **state)
{
	struct mr_arena_config config = { .name = "node",
		.size = MB,
		.pages = MR_ARENA_4K,
		.numa_node = 4000 };
	struct mr_error error = { 0 };
	struct mr_arena *arena;

	assert_true(mr_arena_create(&arena, &config, &error) < 0);
	assert_non_null(strstr(error.text, "NUMA node 4000"));
	config.numa_node = 0;
	if (mr_arena_create(&arena, &config, &error)) {
		/* No NUMA, or not allowed to bind: the error has to say so. */
		assert_non_null(strstr(error.text, "NUMA node 0"));
		print_message("%s\n", error.text);
		skip();
	}
	assert_int_equal(arena->numa_node, 0);
	assert_non_null(strstr(arena->report, "on NUMA node 0"));
	mr_arena_destroy(arena);
}

static void
test_carve(void **state)
{
	struct mr_arena *arena = make(64 * 1024, MR_ARENA_4K);
	uint8_t *a, *b, *c;

	a = mr_arena_carve(arena, 1, 1);
	assert_ptr_equal(a, arena->base + MR_CACHE_LINE);
	b = mr_arena_carve(arena, 100, 64);
	assert_ptr_equal(b, a + 64);
	c = mr_arena_carve(arena, 4096, 4096);
	assert_ptr_equal(c, arena->base + 4096);
	assert_null(mr_arena_carve(arena, 64, 96));
	assert_null(mr_arena_carve(arena, 64 * 1024 - 8192 + 1, 64));
	assert_null(mr_arena_carve(arena, SIZE_MAX - 10, 64));
	assert_null(mr_arena_carve(arena, 64, (size_t)1 << 63));
	assert_ptr_equal(mr_arena_carve(arena, 64 * 1024 - 8192, 64), arena->base + 8192);
	assert_null(mr_arena_carve(arena, 1, 64));
	assert_int_equal(arena->used, arena->size);
	mr_arena_destroy(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auto),
		cmocka_unit_test(test_4k),
		cmocka_unit_test(test_populated),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_numa),
		cmocka_unit_test(test_carve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
