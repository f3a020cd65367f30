/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of nodes: units of a quarter of a line, out of one range of addresses. */
#include <errno.h>
#include <sys/mman.h>

#include "kit/table/fib6_int.h"

/* 4 GB of addresses: 268 million units. */
#define BYTES_MAX ((size_t)4 << 30)
/* Units of a line; what is longer than one unit begins a line. */
#define LINE 4u
#define HUGE ((size_t)2 << 20)
#define STEP_SMALL ((size_t)64 << 10)
/* About what a prefix of a full table takes. */
#define BYTES_PER_PREFIX 40

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
	*l = (struct fib6_lines){ .base = (uint8_t *)at, .next = LINE }; /* unit 0 ends lists */
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
	size_t have = (size_t)l->committed * FIB6_UNIT;
	size_t step = have < HUGE ? STEP_SMALL : HUGE;

	if (mr_likely(l->next + count <= l->committed))
		return 0;
	if (have + step > BYTES_MAX || mprotect(l->base + have, step, PROT_READ | PROT_WRITE) < 0)
		return -ENOMEM;
	l->committed += (uint32_t)(step / FIB6_UNIT);
	return 0;
}

uint32_t
fib6_lines_take(struct fib6_lines *l, unsigned count)
{
	uint32_t unit = 0;
	unsigned n;

	if (count == 1 && !l->free[1]) { /* a line for four of them */
		unit = fib6_lines_take(l, LINE);
		for (n = LINE - 1; n > 0; n--)
			fib6_lines_give(l, unit + n, 1);
		return unit;
	}
	l->used += count;
	for (n = count; n <= FIB6_NODE_UNITS_MAX; n += LINE) {
		unit = l->free[n];
		if (unit || n == 1)
			break;
	}
	if (!unit) {
		unit = l->next;
		l->next += count;
		return unit;
	}
	memcpy(&l->free[n], l->base + (size_t)unit * FIB6_UNIT, sizeof(l->free[n]));
	if (n > count) { /* the rest of a longer one */
		l->used += n - count;
		fib6_lines_give(l, unit + count, n - count);
	}
	return unit;
}

void
fib6_lines_give(struct fib6_lines *l, uint32_t unit, unsigned count)
{
	l->used -= count;
	memcpy(l->base + (size_t)unit * FIB6_UNIT, &l->free[count], sizeof(l->free[count]));
	l->free[count] = unit;
	if (l->used)
		return;
	/* All is free: begin anew, with the memory given back. */
	(void)madvise(l->base, (size_t)l->committed * FIB6_UNIT, MADV_DONTNEED);
	memset(l->free, 0, sizeof(l->free));
	l->next = LINE;
}
