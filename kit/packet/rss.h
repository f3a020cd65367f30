/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_RSS_H
#define MR_KIT_PACKET_RSS_H

/*
 * Receive-side scaling in software: the Toeplitz hash as network cards compute it
 * (Microsoft, "RSS hashing functions"), so that a flow lands on the same queue
 * whether a card or we choose it.
 *
 * The hash is the XOR of the key's 32-bit windows at the positions of the input's set
 * bits: a product without carries. A prepared key holds that product's tables by
 * nibble, and the windows that the PCLMULQDQ variant multiplies by.
 *
 * Ownership: a struct mr_rss is the caller's and holds no pointer.
 * Threads: read-only once prepared; any number may hash.
 * Errors: mr_rss_prepare only.
 */

#include "kit/packet/parse.h"

#define MR_RSS_KEY_SIZE 40u
#define MR_RSS_INPUT_MAX 36u /* two IPv6 addresses and two ports */

struct mr_rss {
	uint32_t nibble[MR_RSS_INPUT_MAX * 2][16]; /* by position and value, high nibble first */
	uint64_t window[MR_RSS_INPUT_MAX /
	    4]; /* 63 bits of key from each input word's start, first bit lowest */
	bool clmul;
	uint8_t key[MR_RSS_KEY_SIZE];
};

/* The key of Microsoft's verification suite, which most drivers have as their default. */
MR_API extern const uint8_t mr_rss_key_microsoft[MR_RSS_KEY_SIZE];

/* A key of period 16 (6d5a repeated): both directions of a flow hash alike (Woo and
 * Park, "Scalable TCP session monitoring with symmetric receive-side scaling"). */
MR_API extern const uint8_t mr_rss_key_symmetric[MR_RSS_KEY_SIZE];

/* The first 40 bytes of `key` are used; null: Microsoft's. -EINVAL when there are fewer. */
MR_API int mr_rss_prepare(struct mr_rss *, const uint8_t *key, size_t size);

/* `len` bytes of input in wire order, a multiple of 4, at most MR_RSS_INPUT_MAX. */
MR_API uint32_t mr_rss_hash(const struct mr_rss *, const uint8_t *input, unsigned len);

/* By the tables alone: what the tests compare the faster variant with. */
MR_API uint32_t mr_rss_hash_portable(const struct mr_rss *, const uint8_t *input, unsigned len);

/* Of the fields in wire order: addresses only, and with ports. */
MR_API uint32_t mr_rss_ip4(const struct mr_rss *, be32_t src, be32_t dst);
MR_API uint32_t mr_rss_ip4_ports(const struct mr_rss *, be32_t src, be32_t dst, be16_t src_port,
    be16_t dst_port);
MR_API uint32_t mr_rss_ip6(const struct mr_rss *, const uint8_t *src, const uint8_t *dst);
MR_API uint32_t mr_rss_ip6_ports(const struct mr_rss *, const uint8_t *src, const uint8_t *dst,
    be16_t src_port, be16_t dst_port);

/* What a card that hashes TCP and UDP by ports would say of a parsed packet: addresses
 * only for fragments and other protocols, 0 for what is not IP. `bytes` are those that
 * were parsed. */
MR_API uint32_t mr_rss_packet(const struct mr_rss *, const struct mr_parsed *,
    const uint8_t *bytes);

#endif
