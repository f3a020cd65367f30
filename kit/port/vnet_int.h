/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_VNET_INT_H
#define MR_KIT_PORT_VNET_INT_H

/*
 * The virtio-net header that TAP and AF_PACKET put in front of a frame
 * (virtio 1.2, 5.1.6): what the kernel left unfinished, or what it shall finish.
 *
 * The header comes from the kernel, but it speaks about bytes of a packet: every
 * offset is held against the packet's length before it is believed.
 */

#include "kit/port/driver_int.h"

/* As in linux/virtio_net.h, which in Debian 12 does not know UDP_L4 yet. Little-endian. */
struct vnet_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t header_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};

static_assert(sizeof(struct vnet_header) == 10, "virtio_net_hdr");

enum vnet_flag {
	VNET_NEEDS_CSUM = 1,
	VNET_DATA_VALID = 2,
};

enum vnet_gso {
	VNET_GSO_NONE = 0,
	VNET_GSO_TCP4 = 1,
	VNET_GSO_TCP6 = 4,
	VNET_GSO_UDP_L4 = 5,
	VNET_GSO_ECN = 0x80,
};

/* Header to packet line, whose data and lengths are set already. `shift` is what was put in
 * front of the network header after the kernel counted (a tag). False: it lies. */
bool vnet_to_packet(const struct vnet_header *, struct mr_packet *, unsigned shift);

/* Packet to header. `mtu` says how large the pieces of a super-frame are when its source
 * did not. -EINVAL when the packet's own line does not fit its bytes. */
int vnet_from_packet(struct vnet_header *, struct mr_buffers *, uint32_t handle, unsigned mtu);

#endif
