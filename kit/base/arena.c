/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every page is there when create returns: the fast path never faults, and a
 * lack of memory shows as an error here instead of as SIGBUS later. The pages are
 * populated with MADV_POPULATE_WRITE (Linux 5.14), which fails where an access
 * would be killed; on older kernels fallocate() takes that part. The memory
 * policy stands before the first page is taken. The file is sealed against
 * shrinking, because the peers that get its descriptor could take the pages from
 * under us.
 */
#include "kit/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit/base/memory.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define SIZE_4K ((size_t)4096)
#define SIZE_2M ((size_t)2 << 20)
#define SIZE_1G ((size_t)1 << 30)
#define THP_DIR "/sys/kernel/mm/transparent_hugepage/"

const char *
mr_arena_pages_name(enum mr_arena_pages pages)
{
	switch (pages) {
	case MR_ARENA_AUTO:
		return "the largest pages there are";
	case MR_ARENA_1G:
		return "1 GB hugepages";
	case MR_ARENA_2M:
		return "2 MB hugepages";
	case MR_ARENA_THP:
		return "transparent 2 MB hugepages";
	case MR_ARENA_4K:
		return "4 KB pages";
	}
	return "unknown pages";
}

/* The first `size - 1` bytes of a small file, without its last newline; false when absent. */
static bool
read_line(const char *path, char *text, size_t size)
{
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return false;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return true;
}

/* How many kB of the mapping at `base` the kernel has joined to 2 MB pages. */
static long long
joined_kb(const void *base)
{
	static const char key[] = "ShmemPmdMapped:";
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512], at[32];
	bool ours = false;
	long long kb = 0;

	if (!file)
		return 0;
	snprintf(at, sizeof(at), "%lx-", (unsigned long)(uintptr_t)base);
	while (fgets(line, sizeof(line), file)) {
		if (!ours) {
			ours = !strncmp(line, at, strlen(at));
		} else if (!strncmp(line, key, strlen(key))) {
			kb = strtoll(line + strlen(key), NULL, 10);
			break;
		}
	}
	fclose(file);
	return kb;
}

/* Why an arena of hugepages could not be had, in words. */
static void
explain_huge(const struct mr_arena *arena, char *why, size_t size, int err)
{
	size_t need = arena->size / arena->page_size;
	char path[128], count[32];

	if (arena->numa_node >= 0)
		snprintf(path, sizeof(path),
		    "/sys/devices/system/node/node%d/hugepages/hugepages-%zukB/free_hugepages",
		    arena->numa_node, arena->page_size / 1024);
	else
		snprintf(path, sizeof(path),
		    "/sys/kernel/mm/hugepages/hugepages-%zukB/free_hugepages",
		    arena->page_size / 1024);
	if (!read_line(path, count, sizeof(count)))
		snprintf(why, size, "this machine has none of that size");
	else if (strtoull(count, NULL, 10) < need)
		snprintf(why, size, "%zu needed, %s free", need, count);
	else
		snprintf(why, size, "%s (%zu needed, %s free, some perhaps promised)",
		    strerror(err), need, count);
}

/* Whether small pages may be taken at all. Asking the kernel for more than there is
 * would wake its OOM killer; hugepages are set aside already. */
static int
check_small(const struct mr_arena *arena, char *why, size_t size)
{
	uint64_t available = mr_memory_available(""), here = UINT64_MAX;
	char mode[64];

	if (arena->pages == MR_ARENA_THP) {
		if (!read_line(THP_DIR "shmem_enabled", mode, sizeof(mode))) {
			snprintf(why, size, "this kernel has none");
			return -EOPNOTSUPP;
		}
		if (strstr(mode, "[never]") || strstr(mode, "[deny]")) {
			snprintf(why, size, "switched off in " THP_DIR "shmem_enabled");
			return -EOPNOTSUPP;
		}
	}
	if (arena->numa_node >= 0)
		here = mr_memory_node_available("", arena->numa_node);
	available = MR_MIN(available, here);
	if (arena->size > available) {
		snprintf(why, size, "%zu MB needed, %llu MB of memory available", arena->size >> 20,
		    (unsigned long long)available >> 20);
		return -ENOMEM;
	}
	return 0;
}

/* Maps `fd` at an address aligned to `align`. */
static void *
map_aligned(int fd, size_t size, size_t align)
{
	uint8_t *area, *base;

	area =
	    mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return MAP_FAILED;
	base = (uint8_t *)MR_ALIGN_UP((uintptr_t)area, align);
	if (base > area)
		munmap(area, (size_t)(base - area));
	munmap(base + size, (size_t)(area + align - base));
	/* The reservation is replaced, never given up, so no other thread can map there. */
	area = mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (area == MAP_FAILED)
		munmap(base, size);
	return area;
}

static int
populate(uint8_t *base, size_t size, size_t page, int fd)
{
	size_t at;

	if (!madvise(base, size, MADV_POPULATE_WRITE))
		return 0;
	if (errno == EFAULT)
		return -ENOMEM;
	if (errno != EINVAL)
		return -errno;
	if (fallocate(fd, 0, 0, (off_t)size))
		return errno == ENOSPC ? -ENOMEM : -errno;
	for (at = 0; at < size; at += page)
		atomic_store_explicit((_Atomic uint8_t *)(base + at), 0, memory_order_relaxed);
	return 0;
}

static int
bind_node(void *base, size_t size, int node)
{
	struct bitmask *mask = numa_allocate_nodemask();
	int rc;

	if (!mask)
		return -ENOMEM;
	numa_bitmask_setbit(mask, (unsigned)node);
	rc = mbind(base, size, MPOL_BIND, mask->maskp, mask->size + 1, MPOL_MF_STRICT) ? -errno : 0;
	numa_free_nodemask(mask);
	return rc;
}

/* File, mapping, policy, pages; returns -errno with what was made left to the caller,
 * and in `why` what only this place knows. */
static int
arena_map(struct mr_arena *arena, const char *name, char *why, size_t why_size)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	void *base;
	int rc;

	if (arena->pages == MR_ARENA_1G)
		flags |= MFD_HUGETLB | MFD_HUGE_1GB;
	else if (arena->pages == MR_ARENA_2M)
		flags |= MFD_HUGETLB | MFD_HUGE_2MB;
	arena->fd = memfd_create(name ? name : "millrace", flags);
	if (arena->fd < 0 || ftruncate(arena->fd, (off_t)arena->size))
		return -errno;
	base = map_aligned(arena->fd, arena->size, MR_MAX(arena->page_size, SIZE_2M));
	if (base == MAP_FAILED)
		return -errno;
	arena->base = base;
	if (arena->pages == MR_ARENA_THP)
		madvise(base, arena->size, MADV_HUGEPAGE);
	if (arena->numa_node >= 0) {
		rc = bind_node(base, arena->size, arena->numa_node);
		if (rc) {
			snprintf(why, why_size, "binding to NUMA node %d: %s", arena->numa_node,
			    strerror(-rc));
			return rc;
		}
	}
	rc = populate(base, arena->size, arena->page_size, arena->fd);
	if (rc)
		return rc;
	/* Files of hugepages learned to be sealed later than others. Without seals we only
	 * lose the protection from hostile peers, which the report tells. */
	arena->sealed = !fcntl(arena->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return 0;
}

/* One try with one size of page. On failure `why` says why, and nothing is left of it. */
static int
arena_try(struct mr_arena *arena, const struct mr_arena_config *config, enum mr_arena_pages pages,
    char *why, size_t why_size)
{
	bool huge = pages == MR_ARENA_1G || pages == MR_ARENA_2M;
	size_t align;
	int rc = 0;

	arena->pages = pages;
	arena->page_size = pages == MR_ARENA_1G ? SIZE_1G : huge ? SIZE_2M : SIZE_4K;
	align = pages == MR_ARENA_THP ? SIZE_2M : arena->page_size;
	arena->size = MR_ALIGN_UP(config->size, align);
	if (arena->size < config->size || arena->size > (size_t)INT64_MAX) {
		snprintf(why, why_size, "%zu bytes are more than this machine can address",
		    config->size);
		return -EOVERFLOW;
	}
	*why = 0;
	if (!huge)
		rc = check_small(arena, why, why_size);
	if (!rc)
		rc = arena_map(arena, config->name, why, why_size);
	if (!rc)
		return 0;
	if (arena->base)
		munmap(arena->base, arena->size);
	if (arena->fd >= 0)
		close(arena->fd);
	arena->base = NULL;
	arena->fd = -1;
	if (!*why && huge)
		explain_huge(arena, why, why_size, -rc);
	else if (!*why)
		snprintf(why, why_size, "%s", strerror(-rc));
	return rc;
}

static void
arena_report(struct mr_arena *arena, const char *tried)
{
	char joined[96] = "", node[32] = "", cost[128] = "";

	if (arena->numa_node >= 0)
		snprintf(node, sizeof(node), " on NUMA node %d", arena->numa_node);
	if (arena->pages == MR_ARENA_THP) {
		snprintf(joined, sizeof(joined), ", %lld MB of them joined so far",
		    joined_kb(arena->base) / 1024);
	} else if (arena->pages == MR_ARENA_4K) {
		snprintf(cost, sizeof(cost),
		    "; costs a packet up to two TLB misses more than hugepages would, "
		    "which vm.nr_hugepages=%zu gives",
		    (arena->size + SIZE_2M - 1) / SIZE_2M);
	}
	snprintf(arena->report, sizeof(arena->report), "%zu MB in %s%s%s%s%s%s%s",
	    (arena->size + (1 << 20) - 1) >> 20, mr_arena_pages_name(arena->pages), node, joined,
	    cost, arena->sealed ? "" : "; not sealed against peers", *tried ? "; " : "", tried);
}

static int
check_node(int node, struct mr_error *error)
{
	if (node < 0)
		return 0;
	if (numa_available() < 0)
		return mr_error_set(error, -EOPNOTSUPP,
		    "memory on NUMA node %d: this kernel knows no NUMA nodes", node);
	if (node > numa_max_node() || !numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)node))
		return mr_error_set(error, -ENODEV,
		    "memory on NUMA node %d: no such node that this process may use, the last is "
		    "%d",
		    node, numa_max_node());
	return 0;
}

int
mr_arena_create(struct mr_arena **out, const struct mr_arena_config *config, struct mr_error *error)
{
	enum mr_arena_pages pages, last;
	char tried[400] = "", why[128];
	struct mr_arena *arena;
	size_t used = 0;
	int rc;

	*out = NULL;
	if (!config->size || config->pages > MR_ARENA_4K || (int)config->pages < 0)
		return mr_error_set(error, -EINVAL, "memory of %zu bytes in pages of kind %d",
		    config->size, (int)config->pages);
	rc = check_node(config->numa_node, error);
	if (rc)
		return rc;
	arena = calloc(1, sizeof(*arena));
	if (!arena)
		return mr_error_set(error, -ENOMEM, "no memory to describe memory");
	arena->fd = -1;
	arena->numa_node = config->numa_node < 0 ? -1 : config->numa_node;
	pages = config->pages == MR_ARENA_AUTO ? MR_ARENA_1G : config->pages;
	last = config->pages == MR_ARENA_AUTO ? MR_ARENA_4K : config->pages;
	for (; pages <= last; pages++) {
		if (config->pages == MR_ARENA_AUTO && pages == MR_ARENA_1G &&
		    config->size < SIZE_1G / 2)
			continue; /* more than half of a rare page would lie idle */
		rc = arena_try(arena, config, pages, why, sizeof(why));
		if (!rc)
			break;
		used += (size_t)snprintf(tried + used, sizeof(tried) - used, "%s%s: %s",
		    used ? ", " : "no ", mr_arena_pages_name(pages), why);
		used = MR_MIN(used, sizeof(tried) - 1);
	}
	if (rc) {
		free(arena);
		return mr_error_set(error, rc, "%zu MB of memory: %s",
		    (config->size + (1 << 20) - 1) >> 20, tried);
	}
	arena->used = MR_CACHE_LINE;
	arena_report(arena, tried);
	*out = arena;
	return 0;
}

void
mr_arena_destroy(struct mr_arena *arena)
{
	if (!arena)
		return;
	munmap(arena->base, arena->size);
	close(arena->fd);
	free(arena);
}

void *
mr_arena_carve(struct mr_arena *arena, size_t size, size_t align)
{
	size_t at;

	align = MR_MAX(align, (size_t)MR_CACHE_LINE);
	if (align & (align - 1))
		return NULL;
	/* Addresses are aligned, not offsets: the base is aligned to 2 MB at least. */
	at = MR_ALIGN_UP((uintptr_t)arena->base + arena->used, align) - (uintptr_t)arena->base;
	if (at < arena->used || at > arena->size || size > arena->size - at)
		return NULL;
	arena->used = at + size;
	return arena->base + at;
}
