/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_GSO_H
#define MR_KIT_PACKET_GSO_H

/*
 * Segmentation in software: a super-frame (MR_PACKET_GSO_*) becomes the frames that a
 * device would have made of it. TCP over IPv4 and IPv6, with VLAN tags, IPv4 options,
 * IPv6 extension headers and TCP options, all of which every piece repeats; UDP as
 * separate datagrams of gso_size bytes (Linux's UDP_SEGMENT).
 *
 * In a tunnel (VXLAN, Geneve, GUE on any port, IP in IP, two of them at most) it is the packet inside
 * that is cut: the one whose checksum the source left unfinished, MR_PACKET_CSUM_PARTIAL with csum_start
 * behind the tunnels' headers. Every piece has these again, with its own lengths, identifications and
 * checksums; a UDP checksum of 0 stays 0, and any other is right, also where the one inside is left
 * to the device.
 *
 * Ownership: on success the input is used up and the pieces are the caller's; on
 * failure the input is still the caller's, as it was (but for headers that may have
 * been pulled together into its first segment).
 * Threads: as kit/packet/buffers.h says of `worker`.
 * Errors:
 *   -ENOTSUP  nothing that can be cut: other protocols, fragments, other tunnels (GRE; a sum of
 *             the payload in GUE or VXLAN), TCP with SYN or RST, UDP without a gso_size,
 *             routing headers under way
 *   -EINVAL   malformed, or an MTU that leaves no room for payload
 *   -ENOSPC   more pieces than `room`
 *   -ENOBUFS  the pool has not enough buffers
 */

#include "kit/packet/buffers.h"

enum mr_gso_option {
	/* Leave the pieces' layer-4 checksums to the device: MR_PACKET_CSUM_PARTIAL. */
	MR_GSO_PARTIAL = 1u << 0,
};

/* Cuts `handle` into pieces of its gso_size bytes of payload, the last one shorter;
 * gso_size 0 (and TCP without a GSO flag): into what fits `mtu` bytes of the outermost layer 3. Writes
 * the pieces to `out` in order and returns their count. One that needs no cut comes
 * back itself, without its GSO flags. All checksums are finished. */
MR_API int mr_gso_segment(struct mr_buffers *, unsigned worker, uint32_t handle, unsigned mtu,
    uint32_t *out, unsigned room);

/* The same with enum mr_gso_option. */
MR_API int mr_gso_segment_with(struct mr_buffers *, unsigned worker, uint32_t handle, unsigned mtu,
    unsigned options, uint32_t *out, unsigned room);

#endif
