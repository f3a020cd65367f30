/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MB (UINT64_C(1) << 20)

/* A file system of a few small files, made up from a list of paths and texts. */
struct file {
	const char *path, *text;
};

static char root[] = "/tmp/memory-test-XXXXXX";

static void
write_files(const struct file *files, bool there)
{
	char path[512], *slash;
	FILE *out;

	for (; files->path; files++) {
		snprintf(path, sizeof(path), "%s%s", root, files->path);
		if (there) {
			for (slash = path + strlen(root) + 1; (slash = strchr(slash, '/'));
			     slash++) {
				*slash = 0;
				mkdir(path, 0700);
				*slash = '/';
			}
			out = fopen(path, "w");
			assert_non_null(out);
			fputs(files->text, out);
			fclose(out);
		} else {
			unlink(path);
			while ((slash = strrchr(path, '/')) && slash > path + strlen(root)) {
				*slash = 0;
				rmdir(path);
			}
		}
	}
}

static uint64_t
available(const struct file *files)
{
	uint64_t bytes;

	write_files(files, true);
	bytes = mr_memory_available(root);
	write_files(files, false);
	return bytes;
}

#define MEMINFO \
	{ \
		"/proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:    2048000 kB\n" \
	}

static void
test_machine(void **state)
{
	static const struct file alone[] = { MEMINFO, { 0 } };
	static const struct file free_group[] = { MEMINFO, { "/proc/self/cgroup", "0::/\n" },
		{ 0 } };
	static const struct file nothing[] = { { 0 } };

	assert_int_equal(available(alone), 2000 * MB);
	assert_int_equal(available(free_group), 2000 * MB);
	assert_true(available(nothing) == UINT64_MAX);
}

static void
test_version_2(void **state)
{
	static const struct file files[] = {
		MEMINFO,
		{ "/proc/self/cgroup", "0::/a.slice/b\n" },
		{ "/sys/fs/cgroup/a.slice/memory.max", "524288000\n" },     /* 500 MB */
		{ "/sys/fs/cgroup/a.slice/memory.current", "419430400\n" }, /* 400 MB */
		{ "/sys/fs/cgroup/a.slice/memory.stat", "anon 1\ninactive_file 104857600\n" },
		{ "/sys/fs/cgroup/a.slice/b/memory.max", "max\n" },
		{ "/sys/fs/cgroup/a.slice/b/memory.current", "419430400\n" },
		{ 0 },
	};
	static const struct file over[] = {
		{ "/proc/self/cgroup", "0::/c\n" },
		{ "/sys/fs/cgroup/c/memory.max", "1000\n" },
		{ "/sys/fs/cgroup/c/memory.current", "2000\n" },
		{ 0 },
	};

	assert_int_equal(available(files), 200 * MB);
	assert_int_equal(available(over), 0);
}

/* In a container: the host's path, of which only the root is mounted. */
static void
test_version_1(void **state)
{
	static const struct file files[] = {
		MEMINFO,
		{ "/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/1234\n0::/\n" },
		{ "/sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n" },
		{ "/sys/fs/cgroup/memory/memory.usage_in_bytes", "10485760\n" },
		{ 0 },
	};

	assert_int_equal(available(files), 90 * MB);
}

static void
test_node(void **state)
{
	static const struct file files[] = {
		{ "/sys/devices/system/node/node1/meminfo",
		    "Node 1 MemTotal:  900000 kB\nNode 1 MemFree:  1024 kB\n"
		    "Node 1 Inactive(file):     2048 kB\nNode 1 Active(file):     4096 kB\n" },
		{ 0 },
	};

	write_files(files, true);
	assert_int_equal(mr_memory_node_available(root, 1), 3 * MB);
	assert_true(mr_memory_node_available(root, 0) == UINT64_MAX);
	write_files(files, false);
}

static void
test_here(void **state)
{
	uint64_t bytes = mr_memory_available("");

	assert_true(bytes > MB);
	assert_true(bytes < UINT64_MAX);
}

/* Zeros, whatever the size; memory only where touched. */
static void
test_reserve(void **state)
{
	static const size_t sizes[] = { 2, 5000, 2 * MB, 3 * MB + 1, 64 * 1024 * MB };
	struct mr_error error = { 0 };
	uint8_t *p;
	void *out;

	for (size_t i = 0; i < MR_ARRAY_COUNT(sizes); i++) {
		assert_int_equal(mr_memory_reserve(&out, sizes[i], -1, "test", &error), 0);
		p = out;
		assert_int_equal((uintptr_t)p % (sizes[i] >= 2 * MB ? 2 * MB : 4096), 0);
		assert_int_equal(p[0], 0);
		assert_int_equal(p[sizes[i] - 1], 0);
		p[sizes[i] - 1] = 1;
		mr_memory_touch(p, 0, MR_MIN(sizes[i], (size_t)10000));
		assert_int_equal(p[0], 0);
		mr_memory_touch(p, sizes[i] - 1, sizes[i]);
		assert_int_equal(p[sizes[i] - 1], 1);
		mr_memory_release(p, sizes[i]);
	}
	mr_memory_release(NULL, 5);
	assert_true(mr_memory_reserve(&out, 0, -1, "test", &error) < 0);
	assert_null(out);
	assert_true(mr_memory_reserve(&out, SIZE_MAX, -1, "test", &error) < 0);
	assert_true(mr_memory_reserve(&out, 4096, 4000, "test", &error) < 0);
	assert_true(strstr(error.text, "4000"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_here),
		cmocka_unit_test(test_reserve),
	};
	int failed;

	if (!mkdtemp(root))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(root);
	return failed;
}
