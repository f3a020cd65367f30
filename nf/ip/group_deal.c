/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/ip/group_int.h"

#include <math.h>

/* The finishing step of SplitMix64 (Steele, Lea, Flood, 2014). */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

void
deal_member_init(struct deal_member *m, uint64_t identity, uint16_t weight)
{
	m->identity = identity;
	m->weight = weight;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(m->add); i++) {
		uint64_t bits = mix(identity + (i + 1) * 0x9e3779b97f4a7c15ull);

		m->add[i] = (uint32_t)bits;
		m->mul[i] = (uint32_t)(bits >> 32) | 1u; /* odd: no two buckets meet */
	}
}

uint32_t
deal_draw(const struct deal_member *m, unsigned order, uint32_t bucket)
{
	uint32_t mask = (1u << order) - 1, x = bucket;
	unsigned half = order / 2;

	/* Each step is one to one on numbers of `order` bits. */
	for (unsigned i = 0; i < MR_ARRAY_COUNT(m->add); i++) {
		x = (x + m->add[i]) * m->mul[i] & mask;
		x ^= x >> half;
		x ^= x >> (half - 1);
	}
	/* Below the permutation's bits, something to tell members apart who drew the same. */
	return x << (32 - order) | (uint32_t)(mix(m->identity ^ bucket) >> (32 + order));
}

static double
log_of(uint32_t draw)
{
	return log(((double)draw + 0.5) / 4294967296.0);
}

bool
deal_beats(const struct deal_member *a, uint32_t draw_a, const struct deal_member *b,
    uint32_t draw_b)
{
	double x, y;

	if (a->weight == b->weight)
		return draw_a != draw_b ? draw_a > draw_b : a->identity > b->identity;
	x = log_of(draw_a) * b->weight;
	y = log_of(draw_b) * a->weight;
	return x > y || (x == y && a->identity > b->identity);
}
