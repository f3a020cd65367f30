/* SPDX-License-Identifier: Apache-2.0 */

/*
 * IPv4 addresses inside of IPv6 ones (RFC 6052, 2.2): behind the prefix, around bits 64 to 71, which
 * are zero.
 *
 *   /32  |prefix 4      |v4 4       |0|suffix      |
 *   /40  |prefix 5        |v4 3   |0|1|suffix      |
 *   /48  |prefix 6          |v4 2 |0| 2 |suffix    |
 *   /56  |prefix 7            |v4 1|0| 3  |suffix  |
 *   /64  |prefix 8               |0|v4 4     |suff |
 *   /96  |prefix 12                          |v4 4 |
 */
#include <string.h>

#include "kit/packet/wire.h"
#include "nf/xlat/xlat.h"

#define RESERVED 8u /* the byte that is zero */

bool
xlat_prefix_is_good(const struct xlat_prefix *p)
{
	if (p->len != 32 && p->len != 40 && p->len != 48 && p->len != 56 && p->len != 64 &&
	    p->len != 96)
		return false;
	for (unsigned i = p->len / 8; i < 16; i++)
		if (p->bytes[i])
			return false;
	return p->bytes[RESERVED] == 0;
}

bool
xlat_prefix_is_well_known(const struct xlat_prefix *p)
{
	static const uint8_t known[12] = { 0x00, 0x64, 0xff, 0x9b };

	return p->len == 96 && memcmp(p->bytes, known, sizeof(known)) == 0;
}

void
xlat_embed(const struct xlat_prefix *p, be32_t address, uint8_t out[16])
{
	uint8_t four[4];
	unsigned at = p->len / 8;

	memcpy(four, &address, sizeof(four));
	memset(out, 0, 16);
	memcpy(out, p->bytes, at);
	for (unsigned i = 0; i < 4; i++) {
		at += at == RESERVED;
		out[at++] = four[i];
	}
}

bool
xlat_extract(const struct xlat_prefix *p, const uint8_t in[16], be32_t *address)
{
	uint8_t four[4];
	unsigned at = p->len / 8;

	if (memcmp(in, p->bytes, at) != 0)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		at += at == RESERVED;
		four[i] = in[at++];
	}
	memcpy(address, four, sizeof(four));
	return true;
}

bool
xlat_is_global4(be32_t address)
{
	uint32_t a = mr_be32(address);

	return a >> 24 != 0 && a >> 24 != 10 && a >> 24 != 127 && a >> 22 != 0x6440u >> 6 &&
	    a >> 16 != 0xa9fe && a >> 20 != 0xac1 && a >> 16 != 0xc0a8 && a >> 28 < 14;
}
