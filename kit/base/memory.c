/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/memory.h"

#include <errno.h>
#include <limits.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE ((size_t)2 << 20)

/* The number behind `key` (null: the first of the file), or UINT64_MAX, which also is
 * what "max" means. */
static uint64_t
read_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	uint64_t number = UINT64_MAX;
	char line[256], word[64];
	unsigned long long value;

	if (!file)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), file)) {
		if (!key) {
			if (sscanf(line, "%llu", &value) == 1)
				number = value;
			break;
		}
		if (sscanf(line, "%63s %llu", word, &value) == 2 && !strcmp(word, key)) {
			number = value;
			break;
		}
	}
	fclose(file);
	return number;
}

/* What one group leaves: its limit less its use; cached file pages can be had back. */
static uint64_t
group_available(const char *dir, const char *limit_name, const char *used_name)
{
	uint64_t limit, used, cached;
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, limit_name);
	limit = read_number(path, NULL);
	if (limit == UINT64_MAX)
		return UINT64_MAX;
	snprintf(path, sizeof(path), "%s/%s", dir, used_name);
	used = read_number(path, NULL);
	if (used == UINT64_MAX)
		return UINT64_MAX;
	snprintf(path, sizeof(path), "%s/memory.stat", dir);
	cached = read_number(path, "inactive_file");
	if (cached != UINT64_MAX)
		used -= MR_MIN(cached, used);
	return limit - MR_MIN(limit, used);
}

/* The least of a group and its parents. Inside a container the group's path may be
 * that of the host, of which only the end of the way up exists. */
static uint64_t
groups_available(const char *mount, const char *group, const char *limit_name,
    const char *used_name)
{
	uint64_t available = UINT64_MAX, here;
	char dir[PATH_MAX];
	size_t top = strlen(mount);
	char *cut;

	if ((size_t)snprintf(dir, sizeof(dir), "%s%s", mount, group) >= sizeof(dir))
		return UINT64_MAX;
	for (;;) {
		here = group_available(dir, limit_name, used_name);
		available = MR_MIN(available, here);
		cut = strrchr(dir, '/');
		if (!cut || (size_t)(cut - dir) < top)
			return available;
		*cut = 0;
	}
}

uint64_t
mr_memory_available(const char *root)
{
	uint64_t available, here;
	char path[PATH_MAX], line[PATH_MAX], *controllers, *group;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	available = read_number(path, "MemAvailable:");
	if (available != UINT64_MAX)
		available *= 1024;
	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	file = fopen(path, "re");
	if (!file)
		return available;
	/* Lines like "0::/a/b" (version 2) and "4:memory:/a/b" (version 1). */
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		controllers = strchr(line, ':');
		group = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!group)
			continue;
		*group++ = 0;
		if (!strcmp(controllers, ":")) {
			snprintf(path, sizeof(path), "%s/sys/fs/cgroup", root);
			here = groups_available(path, group, "memory.max", "memory.current");
		} else if (!strcmp(controllers, ":memory")) {
			snprintf(path, sizeof(path), "%s/sys/fs/cgroup/memory", root);
			here = groups_available(path, group, "memory.limit_in_bytes",
			    "memory.usage_in_bytes");
		} else {
			continue;
		}
		available = MR_MIN(available, here);
	}
	fclose(file);
	return available;
}

uint64_t
mr_memory_node_available(const char *root, int node)
{
	static const char *const keys[] = { "MemFree:", "Inactive(file):", "SReclaimable:" };
	unsigned long long kb, sum = UINT64_MAX;
	char path[PATH_MAX], line[256], word[64];
	FILE *file;
	size_t i;

	snprintf(path, sizeof(path), "%s/sys/devices/system/node/node%d/meminfo", root, node);
	file = fopen(path, "re");
	if (!file)
		return UINT64_MAX;
	/* Lines like "Node 0 MemFree:  1234 kB". */
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %*d %63s %llu", word, &kb) != 2)
			continue;
		for (i = 0; i < MR_ARRAY_COUNT(keys); i++) {
			if (!strcmp(word, keys[i]))
				sum = (sum == UINT64_MAX ? 0 : sum) + kb * 1024;
		}
	}
	fclose(file);
	return sum;
}

/* A wish, not an order: a node that is full is better left than not running. */
static int
prefer_node(void *base, size_t size, int node)
{
	struct bitmask *mask;
	int rc;

	if (numa_available() < 0)
		return node ? -ENODEV : 0;
	if (node > numa_max_node())
		return -ENODEV;
	mask = numa_allocate_nodemask();
	if (!mask)
		return -ENOMEM;
	numa_bitmask_setbit(mask, (unsigned)node);
	rc = mbind(base, size, MPOL_PREFERRED, mask->maskp, mask->size + 1, 0) ? -errno : 0;
	numa_free_nodemask(mask);
	return rc;
}

int
mr_memory_reserve(void **out, size_t size, int numa, const char *what, struct mr_error *error)
{
	size_t align = size >= HUGE ? HUGE : (size_t)sysconf(_SC_PAGESIZE);
	size_t whole = MR_ALIGN_UP(size, align), room = whole + align;
	uint8_t *area, *base;
	int rc;

	*out = NULL;
	if (!size || room < size)
		return mr_error_set(error, -EINVAL, "%s: %zu bytes", what, size);
	area = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (area == MAP_FAILED)
		return mr_error_set(error, -errno, "%s: no addresses for %zu bytes: %s", what, size,
		    strerror(errno));
	base = (uint8_t *)MR_ALIGN_UP((uintptr_t)area, align);
	if (base > area)
		munmap(area, (size_t)(base - area));
	munmap(base + whole, (size_t)(area + align - base));
	if (align == HUGE)
		(void)madvise(base, whole, MADV_HUGEPAGE); /* without, it costs TLB misses only */
	rc = numa < 0 ? 0 : prefer_node(base, whole, numa);
	if (rc) {
		munmap(base, whole);
		return mr_error_set(error, rc, "%s: NUMA node %d: %s", what, numa, strerror(-rc));
	}
	*out = base;
	return 0;
}

void
mr_memory_release(void *base, size_t size)
{
	if (base)
		munmap(base,
		    MR_ALIGN_UP(size, size >= HUGE ? HUGE : (size_t)sysconf(_SC_PAGESIZE)));
}

void
mr_memory_touch(void *base, size_t from, size_t to)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	from = from / page * page;
	to = MR_ALIGN_UP(to, page);
#ifdef MADV_POPULATE_WRITE
	if (to > from)
		(void)madvise((uint8_t *)base + from, to - from, MADV_POPULATE_WRITE);
#endif
}
