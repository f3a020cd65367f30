/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SEE_ATTACH_INT_H
#define MR_CONTROL_SEE_ATTACH_INT_H

/*
 * What trace and capture share: from a query ("interface", "node", "filter",
 * "count", "points", "snap") to a probe in the running graph.
 *
 * Ownership: an attachment owns its probe and its filter. Threads: control.
 */

#include <pcap/pcap.h>

#include "control/see/see_int.h"
#include "kit/graph/probe.h"

struct attachment {
	struct mr_dataplane *dp;
	struct mr_probe *probe;
	struct bpf_program filter;
	bool filtered;
	uint32_t count;
	uint32_t snap;
	uint32_t done;                 /* written to the client so far */
	uint64_t missed;               /* capture: as last told */
	uint32_t interfaces;           /* capture: interface blocks written */
	uint16_t numbers[MR_PORT_MAX]; /* capture: block number + 1 of each port */
};

/* Null when the query makes no sense; the client has been told. */
struct attachment *attachment_create(const struct mr_http_call *, bool trace);
void attachment_destroy(struct attachment *);

#endif
