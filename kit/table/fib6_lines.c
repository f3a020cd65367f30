/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of nodes: whole lines out of one range of addresses. */
#include <errno.h>
#include <sys/mman.h>

#include "kit/table/fib6_int.h"

/* 4 GB of addresses: 67 million lines. */
#define LINES_MAX (1u << 26)
#define BYTES_MAX ((size_t)LINES_MAX * MR_CACHE_LINE)
#define HUGE ((size_t)2 << 20)
#define STEP_SMALL ((size_t)64 << 10)
/* About what a prefix of a full table takes. */
#define BYTES_PER_PREFIX 24

int
fib6_lines_open(struct fib6_lines *l, uint32_t expected)
{
	uintptr_t at, end;
	uint8_t *p;

	/* Address space only: costs nothing until fib6_lines_reserve makes it memory. */
	p = mmap(NULL, BYTES_MAX + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	    0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	at = MR_ALIGN_UP((uintptr_t)p, HUGE);
	end = (uintptr_t)p + BYTES_MAX + HUGE;
	if (at > (uintptr_t)p)
		munmap(p, at - (uintptr_t)p);
	if (end > at + BYTES_MAX)
		munmap((void *)(at + BYTES_MAX), end - at - BYTES_MAX);
	*l = (struct fib6_lines){ .base = (uint8_t *)at, .next = 1 }; /* line 0 ends lists */
	/* A wish: without huge pages the table costs TLB misses, nothing else. A table that
	 * is small stays on small pages, and small. */
	at += (uint64_t)expected * BYTES_PER_PREFIX >= HUGE ? 0 : HUGE;
	(void)madvise((void *)at, (uintptr_t)l->base + BYTES_MAX - at, MADV_HUGEPAGE);
	return 0;
}

void
fib6_lines_close(struct fib6_lines *l)
{
	if (l->base)
		munmap(l->base, BYTES_MAX);
}

int
fib6_lines_reserve(struct fib6_lines *l, uint32_t count)
{
	size_t have = (size_t)l->committed * MR_CACHE_LINE;
	size_t step = have < HUGE ? STEP_SMALL : HUGE;

	if (mr_likely(l->next + count <= l->committed))
		return 0;
	if (have + step > BYTES_MAX || mprotect(l->base + have, step, PROT_READ | PROT_WRITE) < 0)
		return -ENOMEM;
	l->committed += (uint32_t)(step / MR_CACHE_LINE);
	return 0;
}

uint32_t
fib6_lines_take(struct fib6_lines *l, unsigned count)
{
	uint32_t line = 0;
	unsigned n;

	l->used += count;
	for (n = count; n <= FIB6_NODE_LINES_MAX; n++) {
		line = l->free[n];
		if (line)
			break;
	}
	if (!line) {
		line = l->next;
		l->next += count;
		return line;
	}
	memcpy(&l->free[n], l->base + (size_t)line * MR_CACHE_LINE, sizeof(l->free[n]));
	if (n > count) { /* the rest of a longer one */
		l->used += n - count;
		fib6_lines_give(l, line + count, n - count);
	}
	return line;
}

void
fib6_lines_give(struct fib6_lines *l, uint32_t line, unsigned count)
{
	l->used -= count;
	memcpy(l->base + (size_t)line * MR_CACHE_LINE, &l->free[count], sizeof(l->free[count]));
	l->free[count] = line;
	if (l->used)
		return;
	/* All is free: begin anew, with the memory given back. */
	(void)madvise(l->base, (size_t)l->committed * MR_CACHE_LINE, MADV_DONTNEED);
	memset(l->free, 0, sizeof(l->free));
	l->next = 1;
}
