/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_ARENA_H
#define MR_KIT_BASE_ARENA_H

/*
 * One stretch of memory from a memfd, backed by the largest pages there are
 * (1 GB, 2 MB, transparent 2 MB, 4 KB, in that order), which can be shared with
 * the kernel (AF_XDP) and with other processes (memif, vhost-user) by its
 * descriptor. It is carved once, from the front, by the control thread.
 *
 * Ownership: the arena owns its memory and its descriptor; what was carved lives as
 * long as the arena. Memory starts zeroed. The first line is kept back, so that
 * offset 0 never names anything.
 * Threads: create, carve and destroy belong to one thread.
 * Errors: create says which sizes of page were tried and why each failed.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

enum mr_arena_pages {
	MR_ARENA_AUTO,
	MR_ARENA_1G,
	MR_ARENA_2M,
	MR_ARENA_THP, /* 4 KB pages that the kernel may join to 2 MB ones */
	MR_ARENA_4K,
};

struct mr_arena_config {
	const char *name;          /* shown in /proc/PID/maps */
	size_t size;               /* bytes; rounded up to whole pages */
	enum mr_arena_pages pages; /* AUTO: the best that works; else exactly this or an error */
	int numa_node;             /* -1: wherever the kernel likes */
};

struct mr_arena {
	uint8_t *base; /* aligned to 2 MB, or to the page where that is larger */
	size_t size;
	size_t used;
	size_t page_size;          /* bytes, of the file's pages: 4 KB with THP too */
	enum mr_arena_pages pages; /* which it got */
	int numa_node;             /* -1: not bound */
	int fd;
	bool sealed;      /* peers that get the descriptor cannot shrink the file */
	char report[512]; /* one line for the log: what it got and what it costs */
};

MR_API int mr_arena_create(struct mr_arena **out, const struct mr_arena_config *,
    struct mr_error *);
MR_API void mr_arena_destroy(struct mr_arena *);

/* `size` bytes aligned to `align` (a power of two, at least a cache line), or null. */
MR_API void *mr_arena_carve(struct mr_arena *, size_t size, size_t align);

/* "2 MB hugepages", for people. */
MR_API const char *mr_arena_pages_name(enum mr_arena_pages);

#endif
