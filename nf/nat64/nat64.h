/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT64_NAT64_H
#define MR_NF_NAT64_NAT64_H

/*
 * Stateful NAT64 (RFC 6146): hosts that have only IPv6 reach hosts that have only IPv4. In front of an
 * interface's user, IPv6 packets to the translator's prefix become IPv4 ones, and IPv4 packets to
 * an address of its pool IPv6 ones; what they have become is routed.
 *
 * Ownership: the data plane's. Threads: control, but for the nodes.
 */

#include "nf/dataplane.h"
#include "nf/nat/nat.h"

/* In check: the instance that has some of these addresses and ports; null: none. */
const char *mr_nat64_uses(const struct mr_config *, const struct mr_nat_span *);

extern const struct mr_nf mr_nf_nat64;

#endif
