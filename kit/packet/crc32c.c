/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/crc32c.h"

#include <string.h>

/* Four bits at a time: entry i is the CRC of the nibble i by the reflected polynomial 0x82f63b78. */
static const uint32_t nibble[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc,
	0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

uint32_t
mr_crc32c_add_portable(uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (; len > 0; p++, len--) {
		crc ^= *p;
		crc = (crc >> 4) ^ nibble[crc & 15];
		crc = (crc >> 4) ^ nibble[crc & 15];
	}
	return crc;
}

uint32_t
mr_crc32c_add(uint32_t crc, const void *bytes, size_t len)
{
#if defined(__SSE4_2__)
	const uint8_t *p = bytes;
	uint64_t w, wide = crc;

	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		wide = __builtin_ia32_crc32di(wide, w);
	}
	crc = (uint32_t)wide;
	for (; len > 0; p++, len--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
#else
	return mr_crc32c_add_portable(crc, bytes, len);
#endif
}
