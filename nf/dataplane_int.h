/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_DATAPLANE_INT_H
#define MR_NF_DATAPLANE_INT_H

/* What dataplane.c and dataplane_show.c share. */

#include "nf/dataplane.h"

struct mr_dataplane {
	struct mr_log *log;
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_plugins *plugins;
	void **states; /* in the order of mr_nf_list */
	uint16_t cpus[MR_GRAPH_WORKERS_MAX];
	uint16_t worker_count;
	uint64_t started_at; /* mr_cycles() */
	char *file;          /* that the first configuration came from; null: none */
};

#endif
