/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/rss.h"

#include <errno.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

const uint8_t mr_rss_key_microsoft[MR_RSS_KEY_SIZE] = { 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e,
	0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b,
	0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe,
	0xac, 0x01, 0xfa };

const uint8_t mr_rss_key_symmetric[MR_RSS_KEY_SIZE] = { 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d,
	0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d,
	0x5a, 0x6d, 0x5a };

/* Bit `i` of the key, counted as the wire sends them; 0 past its end. */
static uint32_t
key_bit(const uint8_t *key, unsigned i)
{
	return i < MR_RSS_KEY_SIZE * 8 ? key[i / 8] >> (7 - i % 8) & 1u : 0;
}

static uint32_t
key_window(const uint8_t *key, unsigned from)
{
	uint32_t window = 0;
	unsigned i;

	for (i = 0; i < 32; i++)
		window = window << 1 | key_bit(key, from + i);
	return window;
}

int
mr_rss_prepare(struct mr_rss *rss, const uint8_t *key, size_t size)
{
	unsigned position, value, bit, i;

	if (key && size < MR_RSS_KEY_SIZE)
		return -EINVAL;
	memset(rss, 0, sizeof(*rss));
	memcpy(rss->key, key ? key : mr_rss_key_microsoft, MR_RSS_KEY_SIZE);
	for (position = 0; position < MR_RSS_INPUT_MAX * 2; position++)
		for (value = 0; value < 16; value++)
			for (bit = 0; bit < 4; bit++)
				if (value >> (3 - bit) & 1)
					rss->nibble[position][value] ^=
					    key_window(rss->key, position * 4 + bit);
	for (i = 0; i < MR_RSS_INPUT_MAX / 4; i++)
		for (bit = 0; bit < 63; bit++)
			rss->window[i] |= (uint64_t)key_bit(rss->key, i * 32 + bit) << bit;
#if defined(__x86_64__)
	rss->clmul = __builtin_cpu_supports("pclmul");
#endif
	return 0;
}

uint32_t
mr_rss_hash_portable(const struct mr_rss *rss, const uint8_t *input, unsigned len)
{
	uint32_t hash = 0;
	unsigned i;

	for (i = 0; i < len; i++)
		hash ^= rss->nibble[i * 2][input[i] >> 4] ^ rss->nibble[i * 2 + 1][input[i] & 15];
	return hash;
}

#if defined(__x86_64__)
/*
 * With input bit i of a word at bit 31 - i (its value in host order) and key bit t of the
 * window at bit t, the carry-less product has at bit 31 + j the sum of all pairs with
 * t - i = j, which is the hash's bit j: bits 31 to 62 are the hash, last bit first.
 */
__attribute__((target("pclmul"))) static uint32_t
hash_clmul(const struct mr_rss *rss, const uint8_t *input, unsigned len)
{
	__m128i sum = _mm_setzero_si128(), word, window;
	uint32_t hash;
	unsigned i;

	for (i = 0; i < len / 4; i++) {
		word = _mm_cvtsi32_si128((int)mr_load_be32(input + i * 4));
		window = _mm_cvtsi64_si128((long long)rss->window[i]);
		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(word, window, 0));
	}
	hash = (uint32_t)((uint64_t)_mm_cvtsi128_si64(sum) >> 31);
	hash = (hash & 0x55555555) << 1 | (hash >> 1 & 0x55555555);
	hash = (hash & 0x33333333) << 2 | (hash >> 2 & 0x33333333);
	hash = (hash & 0x0f0f0f0f) << 4 | (hash >> 4 & 0x0f0f0f0f);
	return __builtin_bswap32(hash);
}
#endif

uint32_t
mr_rss_hash(const struct mr_rss *rss, const uint8_t *input, unsigned len)
{
#if defined(__x86_64__)
	if (rss->clmul)
		return hash_clmul(rss, input, len);
#endif
	return mr_rss_hash_portable(rss, input, len);
}

uint32_t
mr_rss_ip4(const struct mr_rss *rss, be32_t src, be32_t dst)
{
	uint8_t input[8];

	memcpy(input, &src, 4);
	memcpy(input + 4, &dst, 4);
	return mr_rss_hash(rss, input, sizeof(input));
}

uint32_t
mr_rss_ip4_ports(const struct mr_rss *rss, be32_t src, be32_t dst, be16_t src_port, be16_t dst_port)
{
	uint8_t input[12];

	memcpy(input, &src, 4);
	memcpy(input + 4, &dst, 4);
	memcpy(input + 8, &src_port, 2);
	memcpy(input + 10, &dst_port, 2);
	return mr_rss_hash(rss, input, sizeof(input));
}

uint32_t
mr_rss_ip6(const struct mr_rss *rss, const uint8_t *src, const uint8_t *dst)
{
	uint8_t input[32];

	memcpy(input, src, 16);
	memcpy(input + 16, dst, 16);
	return mr_rss_hash(rss, input, sizeof(input));
}

uint32_t
mr_rss_ip6_ports(const struct mr_rss *rss, const uint8_t *src, const uint8_t *dst, be16_t src_port,
    be16_t dst_port)
{
	uint8_t input[36];

	memcpy(input, src, 16);
	memcpy(input + 16, dst, 16);
	memcpy(input + 32, &src_port, 2);
	memcpy(input + 34, &dst_port, 2);
	return mr_rss_hash(rss, input, sizeof(input));
}

uint32_t
mr_rss_packet(const struct mr_rss *rss, const struct mr_parsed *p, const uint8_t *bytes)
{
	const uint8_t *src, *dst;
	unsigned size = p->version == 4 ? 4 : 16, len = 2 * size;
	uint8_t input[MR_RSS_INPUT_MAX];

	if (p->version == 4)
		src = bytes + p->l3 + offsetof(struct mr_ip4, src);
	else if (p->version == 6)
		src = bytes + p->l3 + offsetof(struct mr_ip6, src);
	else
		return 0;
	dst = src + size;
	memcpy(input, src, size);
	memcpy(input + size, dst, size);
	if ((p->flags & (MR_PARSED_L4 | MR_PARSED_FRAGMENT)) == MR_PARSED_L4 &&
	    (p->proto == MR_IP_PROTO_TCP || p->proto == MR_IP_PROTO_UDP)) {
		mr_store_be16(input + len, p->src_port);
		mr_store_be16(input + len + 2, p->dst_port);
		len += 4;
	}
	return mr_rss_hash(rss, input, len);
}
