/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_CHECKSUM_INT_H
#define MR_KIT_PACKET_CHECKSUM_INT_H

/* What checksum.c and checksum_frame.c share. */

#include "kit/packet/checksum.h"

/* Adds `len` bytes from `offset` of a chain; -EINVAL when the packet is shorter. */
int mr_checksum_crc32c_chain(uint32_t *crc, const struct mr_buffers *, uint32_t handle,
    unsigned offset, unsigned len);

#endif
