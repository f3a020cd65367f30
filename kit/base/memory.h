/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_MEMORY_H
#define MR_KIT_BASE_MEMORY_H

/*
 * How much memory this process may still take. Who asks the kernel for more is not
 * refused but killed, so large takers look first.
 *
 * Ownership: none. Threads: any. Errors: UINT64_MAX where nothing says a limit.
 */

#include "kit/base/def.h"

/* Bytes: the least of what the machine has and what the limits of the process's control
 * groups (version 1 and 2, parents included) leave. `root` is the file system to
 * read from, "" outside of tests. */
MR_API uint64_t mr_memory_available(const char *root);

/* Bytes of one NUMA node that are free or hold what can be dropped. */
MR_API uint64_t mr_memory_node_available(const char *root, int node);

#endif
