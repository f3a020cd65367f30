/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/flow_hash.h"

#include <string.h>

static uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* murmur3's finaliser over a running product: good enough to share out by. */
static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0xff51afd7ed558ccdull;
	return h ^ h >> 33;
}

static bool
has_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136;
}

static uint64_t
hash_ip4(const uint8_t *p, unsigned len)
{
	unsigned header = (p[0] & 15u) * 4;
	bool fragment = (p[6] & 0x3f) || p[7];
	uint64_t h = mix(mix(p[9], load32(p + 12)), load32(p + 16));

	return has_ports(p[9]) && !fragment && len >= header + 4 ? mix(h, load32(p + header)) : h;
}

static uint64_t
hash_ip6(const uint8_t *p, unsigned len)
{
	uint64_t h = p[6];

	for (unsigned i = 8; i < 40; i += 4)
		h = mix(h, load32(p + i));
	return has_ports(p[6]) && len >= 44 ? mix(h, load32(p + 40)) : h;
}

uint32_t
mr_packet_flow_hash(const struct mr_packet *packet)
{
	const uint8_t *p = mr_packet_bytes_const(packet);
	unsigned len = packet->len, at = 12, type;
	uint64_t h;

	if (packet->flags & MR_PACKET_HASHED)
		return packet->hash;
	if (len < 14)
		return 0;
	type = (unsigned)p[at] << 8 | p[at + 1];
	for (unsigned tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8) && len >= at + 6;
	     tags++) {
		at += 4;
		type = (unsigned)p[at] << 8 | p[at + 1];
	}
	at += 2;
	if (type == 0x0800 && len >= at + 20)
		h = hash_ip4(p + at, len - at);
	else if (type == 0x86dd && len >= at + 40)
		h = hash_ip6(p + at, len - at);
	else
		h = mix(mix(mix(type, load32(p)), load32(p + 4)), load32(p + 8));
	return (uint32_t)(mix(h, h >> 29) >> 16);
}
