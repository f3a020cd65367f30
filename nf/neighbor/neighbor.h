/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_NEIGHBOR_H
#define MR_NF_NEIGHBOR_NEIGHBOR_H

/*
 * Neighbours: which Ethernet address has which next hop. ARP for IPv4 and neighbour
 * discovery for IPv6 on the interfaces of all routers, router advertisements, duplicate
 * detection.
 *
 *	workers                                            control thread
 *   arp-input ---+ answers who asks for us
 *   nd-input ----+-- what may be worth knowing --+
 *   neighbor-resolve -- packets without header --+--> channel --> table, timers
 *   neighbor-output <------------------------------- channel <-- questions, answers,
 *      +--> port, ip-output, icmp-error                          packets that can go now
 *
 * Workers do what needs no memory: check, answer questions for our addresses at once, limit the
 * rest. The table, its state machines (machine.h) and all timers are the control
 * thread's, which hears of packets and sends its own through a channel (kit/port/channel.h).
 *
 * Threads: the control thread, but for the nodes.
 */

#include "nf/ip/part.h"

#define MR_NEIGHBORS_MAX 65536u /* of all interfaces together */

extern const struct mr_ip_part mr_ip_part_neighbor;

/* The node that takes ICMPv6 133 to 137 to this router or to groups, whole frames with meta.l3 and
 * context as ip-input left them; UINT16_MAX when absent. Valid from the part's commit on. */
uint16_t mr_neighbor_nd_input(const struct mr_router_base *);

#endif
