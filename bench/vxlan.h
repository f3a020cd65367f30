/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_VXLAN_H
#define MR_BENCH_VXLAN_H

/*
 * The tunnel of rows about VXLAN: from 198.19.0.1, the router's address on the interface that its packets
 * take, to 198.19.0.2, its one remote end, with the interface vni as what is inside; and frames as they come from
 * there.
 *
 * No state. Threads: any.
 */

#include <stdio.h>

#include "bench/frames.h"

#define MR_BENCH_VXLAN_AROUND 50u /* Ethernet, IPv4, UDP, VXLAN */
#define MR_BENCH_VXLAN_FRAME (MR_BENCH_FRAME + MR_BENCH_VXLAN_AROUND)

/* Parts of a configuration: the tunnel, with a line's beginning for the list `router` behind it; the
 * router's interface; its neighbour there, in a list that is open. */
void mr_bench_vxlan_put_tunnel(FILE *);
void mr_bench_vxlan_put_interface(FILE *, const char *name);
void mr_bench_vxlan_put_neighbor(FILE *, const char *interface);

/* A frame of the remote end's: MR_BENCH_VXLAN_FRAME bytes. Each flow has a source port. */
mr_bench_frame_write mr_bench_vxlan_write;

/* The headers of what is sent there, lengths and checksums right for such frames. */
void mr_bench_vxlan_head(uint8_t head[MR_BENCH_VXLAN_AROUND], bool to_remote, uint16_t sport);

#endif
