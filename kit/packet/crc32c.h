/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_CRC32C_H
#define MR_KIT_PACKET_CRC32C_H

/*
 * CRC32c (RFC 9260, appendix A), SCTP's checksum, in pieces: start with the seed, add,
 * finish. The result goes into the header as it lies in memory on a
 * little-endian machine. No state: nothing to own, share or fail.
 */

#include "kit/base/def.h"

#define MR_CRC32C_SEED UINT32_MAX

MR_API uint32_t mr_crc32c_add(uint32_t crc, const void *bytes, size_t len);

/* Without the instruction that x86-64-v2 has for it. */
MR_API uint32_t mr_crc32c_add_portable(uint32_t crc, const void *bytes, size_t len);

mr_inline uint32_t
mr_crc32c_finish(uint32_t crc)
{
	return ~crc;
}

#endif
