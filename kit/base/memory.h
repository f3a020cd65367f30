/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_MEMORY_H
#define MR_KIT_BASE_MEMORY_H

/*
 * How much memory this process may still take. Who asks the kernel for more is not
 * refused but killed, so large takers look first. And large arrays that begin small: addresses
 * for all of it at once, memory when it is touched.
 *
 * Ownership: what was reserved is its caller's. Threads: any.
 * Errors: UINT64_MAX where nothing says a limit.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

/* Bytes: the least of what the machine has and what the limits of the process's control
 * groups (version 1 and 2, parents included) leave. `root` is the file system to
 * read from, "" outside of tests. */
MR_API uint64_t mr_memory_available(const char *root);

/* Bytes of one NUMA node that are free or hold what can be dropped. */
MR_API uint64_t mr_memory_node_available(const char *root, int node);

/* Addresses for `size` bytes that are zero, and become memory when they are touched: huge pages,
 * where the kernel has any to give and `size` is 2 MB or more. `numa`: the node that they
 * should come from, -1 for any. `what` is told in an error. */
MR_API int mr_memory_reserve(void **out, size_t size, int numa, const char *what,
    struct mr_error *);
MR_API void mr_memory_release(void *, size_t size);

/* Touches what lies between two offsets of a reservation now, so that nobody waits for the kernel
 * later; may be done by another thread than uses it. Nothing happens where the kernel cannot
 * (before Linux 5.14). */
MR_API void mr_memory_touch(void *, size_t from, size_t to);

#endif
