/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ROUTER_ROUTER_H
#define MR_NF_ROUTER_ROUTER_H

/*
 * The router: a network function whose parts are folders of their own. It owns the shared
 * state (IP tables, RIB), reads the configuration of VRFs, interfaces, addresses and static
 * routes, and takes its parts through the steps of nf/nf.h, each with the whole
 * configuration; what belongs to a part stands in the part's own container under `router`.
 *
 *   router --> parts: neighbor, icmp, host, kernel, fpm --> rib --> ip
 *
 * In the configuration an instance of `router` is a VRF: its key is the VRF's name.
 *
 * Threads: the control thread, but for the nodes.
 */

#include "nf/dataplane.h"
#include "nf/ip/part.h"

/* The tables of this data plane's routers, for functions behind this one. */
const struct mr_router_base *mr_router_base_of(struct mr_dataplane *);

extern const struct mr_nf mr_nf_router;

#endif
