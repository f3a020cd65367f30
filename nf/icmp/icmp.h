/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_ICMP_H
#define MR_NF_ICMP_ICMP_H

/*
 * What the router says about packets (ICMP errors, redirects, echo replies), and what it does
 * to unusual ones (IPv4 options, fragmentation, the MSS of TCP, reassembly of what is for
 * itself). Each is a node of its own, reached through an edge of enum mr_ip_edge, but for
 * echo and reassembly, which the host part links:
 *
 *   icmp-error     MR_IP_EDGE_ICMP       icmp-redirect  MR_IP_EDGE_REDIRECT
 *   ip4-options    MR_IP_EDGE_OPTIONS4   tcp-mss        MR_IP_EDGE_MSS
 *   ip4-fragment   MR_IP_EDGE_FRAGMENT4  icmp-echo, ip-reassembly
 *
 * Ownership: the part's state is the router's; nodes refer to it and go before it.
 * Threads: control, but for the nodes. Settings are read by workers word by word.
 */

#include "nf/ip/part.h"

extern const struct mr_ip_part mr_ip_part_icmp;

/* The node that answers echo requests to the router's addresses: IP from meta.l3 on, whole. UINT16_MAX
 * while no router is configured. In the parts' commits, icmp's comes before host's. */
uint16_t mr_icmp_echo_node(const struct mr_router_base *);
/* The node that takes fragments to the router's addresses (nf/icmp/reassembly.h); whoever
 * uses it links its edge MR_REASSEMBLY_EDGE_WHOLE to itself. */
uint16_t mr_icmp_reassembly_node(const struct mr_router_base *);

#endif
