/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's side of the rows fib4-*: rte_fib as a DIR-24-8 with 2-byte entries, looked up in bulk with
 * the widest vector instructions there are. Its loop is that of bench/row_fib.c. */
#include "bench/peers/dpdk_base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_memory.h>
#include <rte_version.h>

#include "bench/shape_fib.h"

struct fib_job {
	struct rte_fib *fib;
	uint32_t *destinations;
	uint32_t count, at;
};

static struct fib_job job;

static void
fib_window(struct job *unused, uint64_t cycles, uint64_t *took, uint64_t *objects)
{
	uint64_t values[SHAPE_FIB_VECTOR], start = rte_rdtsc(), now, count = 0;

	(void)unused;
	do {
		for (unsigned i = 0; i < SHAPE_FIB_TURNS; i++) {
			rte_fib_lookup_bulk(job.fib, &job.destinations[job.at], values,
			    SHAPE_FIB_VECTOR);
			job.at = (job.at + SHAPE_FIB_VECTOR) % job.count;
			count += SHAPE_FIB_VECTOR;
		}
		now = rte_rdtsc();
	} while (now - start < cycles);
	*took = now - start;
	*objects = count;
}

dpdk_window *
set_up_fib(const char *row, bool huge)
{
	struct rte_fib_conf config = { .type = RTE_FIB_DIR24_8, .max_routes = 1 << 20 };
	struct mr_prefix4 *prefixes = shape_fib_prefixes(NULL);

	config.dir24_8.nh_sz = RTE_FIB_DIR24_8_2B;
	config.dir24_8.num_tbl8 = 8192;
	job.count = strstr(row, "1k") ? 1u << 10 : strstr(row, "64k") ? 1u << 16 : 1u << 20;
	job.fib = rte_fib_create("bench", SOCKET_ID_ANY, &config);
	if (!job.fib)
		fail("rte_fib_create", rte_errno);
	job.destinations = prefixes ? shape_fib_destinations(prefixes, job.count) : NULL;
	if (!job.destinations)
		fail("prefixes", ENOMEM);
	for (uint32_t i = 0; i < SHAPE_FIB_PREFIXES; i++) {
		int rc = rte_fib_add(job.fib, prefixes[i].prefix, prefixes[i].len,
		    shape_fib_value(prefixes[i]));

		if (rc)
			fail("rte_fib_add", -rc);
	}
	free(prefixes);
	rte_fib_select_lookup(job.fib, RTE_FIB_LOOKUP_DEFAULT);
	printf("ready rte_fib %s, 2-byte DIR-24-8, %s pages\n", strchr(rte_version(), ' ') + 1,
	    huge ? "2 MB" : "4 KB");
	return fib_window;
}
