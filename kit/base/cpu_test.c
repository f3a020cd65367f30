/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/cpu.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_lists(void **state)
{
	static const struct {
		const char *in, *out; /* out null: an error */
	} table[] = {
		{ "", "" },
		{ "\n", "" },
		{ "0", "0" },
		{ "0,2-5", "0,2-5" },
		{ " 7 , 1 - 2\n", "1-2,7" },
		{ "3,2,1", "1-3" },
		{ "63-64,127,4095", "63-64,127,4095" },
		{ "1,1,1-1", "1" },
		{ "4096", NULL },
		{ "99999999999999999999", NULL },
		{ "5-2", NULL },
		{ "1,", NULL },
		{ ",1", NULL },
		{ "1-", NULL },
		{ "-1", NULL },
		{ "1 2", NULL },
		{ "0x1", NULL },
		{ "1-2-3", NULL },
	};
	struct mr_cpu_set set;
	struct mr_error error;
	char text[64];
	unsigned i;
	int rc;

	for (i = 0; i < MR_ARRAY_COUNT(table); i++) {
		rc = mr_cpu_set_parse(&set, table[i].in, &error);
		assert_int_equal(rc, table[i].out ? 0 : -EINVAL);
		if (!table[i].out)
			continue;
		assert_int_equal(mr_cpu_set_print(&set, text, sizeof(text)), strlen(table[i].out));
		assert_string_equal(text, table[i].out);
	}
	assert_int_equal(mr_cpu_set_parse(&set, "1,x", &error), -EINVAL);
	assert_string_equal(error.text,
	    "CPU list \"1,x\": wanted numbers below 4096 and ranges, like 0,2-5");

	/* A buffer too small gets a prefix and the whole length is told. */
	assert_int_equal(mr_cpu_set_parse(&set, "10-12,20,30", NULL), 0);
	assert_int_equal(mr_cpu_set_print(&set, text, 6), 11);
	assert_string_equal(text, "10-12");
	assert_int_equal(mr_cpu_set_print(&set, NULL, 0), 11);
}

static void
test_sets(void **state)
{
	struct mr_cpu_set set = { 0 };
	unsigned seen = 0;

	assert_int_equal(mr_cpu_set_next(&set, 0), -1);
	mr_cpu_set_add(&set, 0);
	mr_cpu_set_add(&set, 64);
	mr_cpu_set_add(&set, MR_CPU_MAX - 1);
	assert_int_equal(mr_cpu_set_count(&set), 3);
	mr_cpu_set_foreach(cpu, &set) seen += (unsigned)cpu;
	assert_int_equal(seen, 64 + MR_CPU_MAX - 1);
	mr_cpu_set_remove(&set, 64);
	assert_false(mr_cpu_set_has(&set, 64));
	assert_int_equal(mr_cpu_set_next(&set, 1), MR_CPU_MAX - 1);
	assert_int_equal(mr_cpu_set_next(&set, MR_CPU_MAX), -1);
	assert_false(mr_cpu_set_has(&set, MR_CPU_MAX));
}

static void
test_pin(void **state)
{
	struct mr_cpu_set before, after, far = { 0 };
	struct mr_error error;
	int last = -1;

	assert_int_equal(mr_cpu_allowed(&before, NULL), 0);
	assert_true(mr_cpu_set_count(&before) >= 1);
	mr_cpu_set_foreach(cpu, &before)
	{
		assert_int_equal(mr_cpu_pin((unsigned)cpu, &error), 0);
		assert_int_equal(sched_getcpu(), cpu);
		last = cpu;
	}
	assert_int_equal(mr_cpu_allowed(&after, NULL), 0);
	assert_int_equal(mr_cpu_set_count(&after), 1);
	assert_true(mr_cpu_set_has(&after, (unsigned)last));
	assert_int_equal(mr_cpu_pin_set(&before, &error), 0);

	assert_int_equal(mr_cpu_pin(MR_CPU_MAX, &error), -EINVAL);
	mr_cpu_set_add(&far, MR_CPU_MAX - 1);
	assert_int_equal(mr_cpu_pin_set(&far, &error), -EINVAL);
	assert_string_equal(error.text,
	    "pin to CPU 4095: not there, offline, or not allowed for this process");
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A machine we do not have: two sockets, two threads a core. */
static void
test_place(void **state)
{
	char dir[] = "/tmp/mr-cpu-test-XXXXXX", path[256], command[128], text[32];
	static const char *const folders[] = { "cpu", "cpu/cpu5", "cpu/cpu5/topology",
		"cpu/cpu5/node1", "cpu/cpu6" };
	struct mr_cpu_place place;
	struct mr_cpu_set allowed;
	struct mr_error error;
	unsigned i;

	assert_non_null(mkdtemp(dir));
	for (i = 0; i < MR_ARRAY_COUNT(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	write_file(dir, "cpu/cpu5/topology/core_id", "3\n");
	write_file(dir, "cpu/cpu5/topology/physical_package_id", "1\n");
	write_file(dir, "cpu/cpu5/topology/thread_siblings_list", "5,21\n");
	assert_int_equal(mr_cpu_place_at(&place, dir, 5, &error), 0);
	assert_int_equal(place.core, 3);
	assert_int_equal(place.socket, 1);
	assert_int_equal(place.node, 1);
	mr_cpu_set_print(&place.siblings, text, sizeof(text));
	assert_string_equal(text, "5,21");

	/* Containers may hide the topology: unknown, not wrong. */
	assert_int_equal(mr_cpu_place_at(&place, dir, 6, &error), 0);
	assert_int_equal(place.core, -1);
	assert_int_equal(place.node, -1);
	mr_cpu_set_print(&place.siblings, text, sizeof(text));
	assert_string_equal(text, "6");
	assert_int_equal(mr_cpu_place_at(&place, dir, 7, &error), -ENOENT);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);

	assert_int_equal(mr_cpu_allowed(&allowed, NULL), 0);
	i = (unsigned)mr_cpu_set_next(&allowed, 0);
	if (access("/sys/devices/system/cpu/cpu0", F_OK) == 0) {
		assert_int_equal(mr_cpu_place(&place, i, &error), 0);
		assert_true(mr_cpu_set_has(&place.siblings, i));
	}
}

/* The counter against the clock over 50 ms: within a thousandth. */
static void
test_tsc(void **state)
{
	const struct timespec nap = { 0, 50000000 };
	struct timespec t0, t1;
	uint64_t hz = mr_cpu_tsc_hz(), c0, c1;
	double ns, ratio;

	if (getenv("MR_EMULATED")) {
		print_message("needs a machine: an emulator's counter is not that exact\n");
		skip();
	}
	clock_gettime(CLOCK_MONOTONIC_RAW, &t0);
	c0 = mr_cycles();
	nanosleep(&nap, NULL);
	clock_gettime(CLOCK_MONOTONIC_RAW, &t1);
	c1 = mr_cycles();
	ns = (double)(t1.tv_sec - t0.tv_sec) * 1e9 + (double)(t1.tv_nsec - t0.tv_nsec);
	ratio = (double)(c1 - c0) / ns * 1e9 / (double)hz;
	print_message("cycle counter: %.3f MHz\n", (double)hz / 1e6);
	assert_true(ratio > 0.999 && ratio < 1.001);
}

static void
test_features(void **state)
{
	struct mr_cpu_features f;

	mr_cpu_features(&f);
#if defined(__x86_64__)
	assert_int_equal(f.avx2, !!__builtin_cpu_supports("avx2"));
	assert_int_equal(f.pclmul, !!__builtin_cpu_supports("pclmul"));
	assert_int_equal(f.avx512,
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"));
	assert_true(f.crc32); /* part of our baseline */
	assert_false(f.neon);
#else
	assert_true(f.neon);
	assert_false(f.avx2);
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_tsc),
		cmocka_unit_test(test_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
