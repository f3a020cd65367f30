/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/hash.h"

#include <errno.h>
#include <sys/random.h>

int
mr_hash_key_random(struct mr_hash_key *key, struct mr_error *error)
{
	uint8_t *out = (uint8_t *)key;
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(*key)) {
		n = getrandom(out + have, sizeof(*key) - have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mr_error_set(error, -errno, "random hash key: %s", strerror(errno));
		have += (size_t)n;
	}
	return 0;
}

void
mr_hash_key_seed(struct mr_hash_key *key, uint64_t seed)
{
	uint64_t *out = (uint64_t *)key, z;
	size_t i;

	/* splitmix64 (Steele, Lea, Flood, 2014) */
	for (i = 0; i < sizeof(*key) / sizeof(uint64_t); i++) {
		seed += UINT64_C(0x9e3779b97f4a7c15);
		z = seed;
		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		out[i] = z ^ z >> 31;
	}
}

mr_inline uint64_t
rotate_left(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

mr_inline void
sip_rounds(uint64_t v[4], unsigned count)
{
	while (count--) {
		v[0] += v[1];
		v[1] = rotate_left(v[1], 13) ^ v[0];
		v[0] = rotate_left(v[0], 32);
		v[2] += v[3];
		v[3] = rotate_left(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate_left(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate_left(v[1], 17) ^ v[2];
		v[2] = rotate_left(v[2], 32);
	}
}

mr_inline void
sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_rounds(v, 2);
	v[0] ^= m;
}

uint64_t
mr_siphash(const uint64_t key[2], const void *bytes, size_t len)
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *p = bytes;
	size_t left = len;
	uint64_t m;

	for (; left >= sizeof(m); left -= sizeof(m), p += sizeof(m)) {
		memcpy(&m, p, sizeof(m));
		sip_word(v, m);
	}
	m = 0;
	if (left)
		memcpy(&m, p, left);
	sip_word(v, m | (uint64_t)len << 56);
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
mr_hash_bytes(const struct mr_hash_key *key, const void *bytes, size_t len)
{
	uint64_t words[MR_HASH_WORDS_MAX];
	size_t count = (len + 7) / 8;

	if (len > sizeof(words))
		return mr_siphash(key->sip, bytes, len);
	if (len) {
		words[count - 1] = 0;
		memcpy(words, bytes, len);
	}
	/* NH bounds every difference of s, not only 0, so adding the length separates what
	 * differs only in trailing zeros. Unequal numbers of words: 2^-63. */
	return mr_hash_finish(key, mr_hash_sum(key, words, (unsigned)count) + len);
}
