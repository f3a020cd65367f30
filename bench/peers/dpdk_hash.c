/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's side of the rows flow-table-*: rte_hash with 16-byte tuples and CRC, looked up 64 at a time
 * (its most), each flow's line counted in. Its loop is that of bench/row_flow_table.c. */
#include "bench/peers/dpdk_base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_memory.h>
#include <rte_prefetch.h>
#include <rte_version.h>

#include "bench/shape_flow_table.h"

#define BULK RTE_HASH_LOOKUP_BULK_MAX

struct line {
	MR_CACHE_ALIGNED uint64_t packets;
	uint64_t bytes;
};

static struct hash_job {
	struct rte_hash *hash;
	struct line *lines;
	uint32_t *order;
	uint32_t at;
} job;

static void
hash_window(struct job *unused, uint64_t cycles, uint64_t *took, uint64_t *objects)
{
	uint64_t start = rte_rdtsc(), now, count = 0;
	struct shape_flow flow[BULK];
	const void *keys[BULK];
	int32_t found[BULK];

	(void)unused;
	for (unsigned i = 0; i < BULK; i++)
		keys[i] = &flow[i];
	do {
		for (unsigned k = 0; k < SHAPE_FLOW_TURNS * SHAPE_FLOW_VECTOR / BULK; k++) {
			for (unsigned i = 0; i < BULK; i++)
				flow[i] = shape_flow(job.order[job.at + i]);
			job.at = (job.at + BULK) % SHAPE_FLOW_ORDER;
			rte_hash_lookup_bulk(job.hash, keys, BULK, found);
			for (unsigned i = 0; i < BULK; i++)
				rte_prefetch0(&job.lines[found[i]]);
			for (unsigned i = 0; i < BULK; i++) {
				job.lines[found[i]].packets++;
				job.lines[found[i]].bytes += SHAPE_FLOW_LENGTH;
			}
			count += BULK;
		}
		now = rte_rdtsc();
	} while (now - start < cycles);
	*took = now - start;
	*objects = count;
}

dpdk_window *
set_up_hash(const char *row, bool huge)
{
	uint32_t flows = shape_flow_count(row);
	struct rte_hash_parameters config = { .name = "bench",
		.entries = flows + flows / 4,
		.key_len = sizeof(struct shape_flow),
		.hash_func = rte_hash_crc,
		.hash_func_init_val = 0,
		.socket_id = 0,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE };
	size_t size = ((size_t)config.entries + 2) * sizeof(struct line);

	job.hash = rte_hash_create(&config);
	if (!job.hash)
		fail("rte_hash_create", rte_errno);
	job.order = shape_flow_order(flows);
	job.lines = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!job.order || job.lines == MAP_FAILED)
		fail("flows", ENOMEM);
	madvise(job.lines, size, MADV_HUGEPAGE);
	for (uint32_t n = 0; n < flows; n++) {
		struct shape_flow flow = shape_flow(n);
		int32_t at = rte_hash_add_key(job.hash, &flow);

		if (at < 0)
			fail("rte_hash_add_key", -at);
		job.lines[at].packets = 0;
	}
	printf("ready rte_hash %s, 16-byte keys in bulks of 64, %s pages\n",
	    strchr(rte_version(), ' ') + 1, huge ? "2 MB" : "4 KB");
	return hash_window;
}
