/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nptv6/nptv6_int.h"

/* Sums of 16 bits in one's complement: a carry comes back at the bottom (RFC 6296, 3.1 and 3.2). */
static uint16_t
add(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

static uint16_t
load(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint16_t
sum_of(const uint8_t prefix[8])
{
	uint16_t sum = 0;

	for (unsigned i = 0; i < 8; i += 2)
		sum = add(sum, load(prefix + i));
	return sum;
}

void
nptv6_rule_make(struct nptv6_rule *r, const uint8_t inside[16], const uint8_t outside[16],
    unsigned len)
{
	uint16_t in, out;

	memset(r, 0, sizeof(*r));
	r->len = (uint8_t)len;
	for (unsigned i = 0; i < 8 * 8; i++)
		if (i < len)
			r->mask[i / 8] |= (uint8_t)(0x80u >> i % 8);
	for (unsigned i = 0; i < 8; i++) {
		r->side[NPTV6_INSIDE].prefix[i] = inside[i] & r->mask[i];
		r->side[NPTV6_OUTSIDE].prefix[i] = outside[i] & r->mask[i];
	}
	in = sum_of(r->side[NPTV6_INSIDE].prefix);
	out = sum_of(r->side[NPTV6_OUTSIDE].prefix);
	r->side[NPTV6_INSIDE].adjust = add(in, (uint16_t)~out);
	r->side[NPTV6_OUTSIDE].adjust = add(out, (uint16_t)~in);
}

bool
nptv6_map(const struct nptv6_rule *r, unsigned side, const uint8_t address[16], uint8_t out[16])
{
	const uint8_t *prefix = r->side[!side].prefix;
	unsigned at = 6;
	uint16_t word;

	memcpy(out, address, 16);
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)((address[i] & ~r->mask[i]) | prefix[i]);
	/* 3.4 and 3.5. The word must not be ones: zero and ones are one number here. */
	if (r->len > 48) {
		at = 8;
		while (at < 16 && load(address + at) == UINT16_MAX)
			at += 2;
		if (at == 16)
			return false;
	} else if (load(address + at) == UINT16_MAX) {
		return false;
	}
	word = add(load(address + at), r->side[side].adjust);
	if (word == UINT16_MAX)
		word = 0;
	out[at] = (uint8_t)(word >> 8);
	out[at + 1] = (uint8_t)word;
	return true;
}
