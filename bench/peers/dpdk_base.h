/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEERS_DPDK_BASE_H
#define MR_BENCH_PEERS_DPDK_BASE_H

/* What the files of the helper dpdk-base share. */

#include <stdbool.h>
#include <stdint.h>

struct job;

/* Works for about `cycles`; says how many it took, for how many objects. */
typedef void dpdk_window(struct job *, uint64_t cycles, uint64_t *took, uint64_t *objects);

/* Says what failed, for the bench to pass on, and ends the helper. */
_Noreturn void fail(const char *what, int error);

/* Fills a table for the row and says that it is ready. */
dpdk_window *set_up_fib(const char *row, bool huge);
dpdk_window *set_up_acl(const char *row, bool huge);
dpdk_window *set_up_hash(const char *row, bool huge);

#endif
