/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/vnet_int.h"

#include <errno.h>

bool
vnet_to_packet(const struct vnet_header *h, struct mr_packet *p, unsigned shift)
{
	uint16_t flags = 0;
	uint32_t start;

	if (mr_likely(!h->flags && !h->gso_type))
		return true;
	if (h->flags & VNET_NEEDS_CSUM) {
		start = (uint32_t)h->csum_start + shift;
		if (start + h->csum_offset + 2 > p->total)
			return false;
		p->csum_start = (uint16_t)start;
		p->csum_offset = h->csum_offset;
		flags = MR_PACKET_CSUM_PARTIAL;
	} else if (h->flags & VNET_DATA_VALID) {
		flags = MR_PACKET_CSUM_GOOD;
	}
	switch (h->gso_type & ~VNET_GSO_ECN) {
	case VNET_GSO_NONE:
		break;
	case VNET_GSO_TCP4:
		flags |= MR_PACKET_GSO_TCP4;
		break;
	case VNET_GSO_TCP6:
		flags |= MR_PACKET_GSO_TCP6;
		break;
	case VNET_GSO_UDP_L4:
		flags |= MR_PACKET_GSO_UDP;
		break;
	default:
		return false;
	}
	if (flags & MR_PACKET_GSO) {
		/* A super-frame is always unfinished, and cut to a size. */
		if (!(flags & MR_PACKET_CSUM_PARTIAL) || !h->gso_size)
			return false;
		p->gso_size = h->gso_size;
	}
	p->flags = flags;
	return true;
}

int
vnet_from_packet(struct vnet_header *h, struct mr_buffers *b, uint32_t handle, unsigned mtu)
{
	const struct mr_packet *p = mr_packet_at(b->base, handle);
	unsigned l4 = p->csum_start, header;
	uint8_t offset;

	memset(h, 0, sizeof(*h));
	if (mr_likely(!(p->flags & MR_PACKET_TX_WORK))) {
		if (p->flags & MR_PACKET_CSUM_GOOD)
			h->flags = VNET_DATA_VALID;
		return 0;
	}
	/* A super-frame's checksum is unfinished by nature. */
	if (!(p->flags & MR_PACKET_CSUM_PARTIAL) || l4 + p->csum_offset + 2u > p->total)
		return -EINVAL;
	h->flags = VNET_NEEDS_CSUM;
	h->csum_start = p->csum_start;
	h->csum_offset = p->csum_offset;
	if (!(p->flags & MR_PACKET_GSO))
		return 0;
	header = 8;
	if (!(p->flags & MR_PACKET_GSO_UDP)) {
		if (mr_packet_read(b, handle, l4 + 12, &offset, 1) != 1)
			return -EINVAL;
		header = (offset >> 4) * 4u;
	}
	header += l4;
	if (header >= p->total || header > mtu + 14u)
		return -EINVAL;
	h->header_len = (uint16_t)header;
	/* Tags count for the frame, not for the MTU; a piece may be 4 bytes short for it. */
	h->gso_size = p->gso_size ? p->gso_size : (uint16_t)(mtu + 14 - header);
	/* What fits one piece is no super-frame, and some kernels refuse it as one. */
	if (p->total - header > h->gso_size)
		h->gso_type = p->flags & MR_PACKET_GSO_TCP4 ? VNET_GSO_TCP4
		    : p->flags & MR_PACKET_GSO_TCP6         ? VNET_GSO_TCP6
							    : VNET_GSO_UDP_L4;
	else
		h->gso_size = 0;
	return 0;
}
