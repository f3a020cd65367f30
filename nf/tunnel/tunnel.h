/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_TUNNEL_TUNNEL_H
#define MR_NF_TUNNEL_TUNNEL_H

/*
 * Tunnels: interfaces whose frames travel in packets of a router, to remote ends that take them out
 * again. An interface of the driver `tunnel` and the tunnel of the same name make one; a bridge, a
 * router or a cross-connect uses it like any other interface. Kinds: VXLAN (RFC 7348).
 *
 *   bridge, router --> [stages] --> tunnel-out@NAME --> ip4-forward, ip6-forward --> a port
 *   a port --> router, to its own address --> tunnel-in --> tunnel-enter --> [stages] --> bridge, router
 *
 * Threads: the control thread, but for the nodes.
 */

#include "nf/nf.h"

struct mr_dataplane;
struct mr_flow_inside;

/* In commit, by functions behind this one: where the table of remote ends is published, as long as the
 * data plane is (kit/flow/inside.h). Null: there is no tunnel. */
_Atomic(const struct mr_flow_inside *) *mr_tunnel_inside(struct mr_dataplane *);

extern const struct mr_nf mr_nf_tunnel;

#endif
