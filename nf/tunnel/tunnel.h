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

extern const struct mr_nf mr_nf_tunnel;

#endif
