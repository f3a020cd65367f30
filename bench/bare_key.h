/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_BARE_KEY_H
#define MR_BENCH_BARE_KEY_H

/*
 * What the floors about flows find them by: addresses, ports and protocol of an IPv4 frame without
 * options, which is believed, and a hash that is enough for a floor that nobody attacks.
 */

#include <string.h>

#include "kit/base/def.h"

struct mr_bench_key {
	uint64_t addresses;
	uint32_t ports;
	uint32_t proto; /* 0: none */
};

mr_inline struct mr_bench_key
mr_bench_key_of(const uint8_t *frame)
{
	struct mr_bench_key k;

	memcpy(&k.addresses, frame + 26, sizeof(k.addresses));
	memcpy(&k.ports, frame + 34, sizeof(k.ports));
	k.proto = frame[23];
	return k;
}

mr_inline uint64_t
mr_bench_key_hash(struct mr_bench_key k)
{
	uint64_t h = (k.addresses ^ (uint64_t)k.ports << 17) * UINT64_C(0x9e3779b97f4a7c15);

	h ^= h >> 29;
	h = (h + k.ports + k.proto) * UINT64_C(0xbf58476d1ce4e5b9);
	return h >> 32;
}

mr_inline bool
mr_bench_key_same(struct mr_bench_key a, struct mr_bench_key b)
{
	return !((a.addresses ^ b.addresses) | (a.ports ^ b.ports) | (a.proto ^ b.proto));
}

#endif
