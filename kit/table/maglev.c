/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/maglev.h"

#include <errno.h>
#include <stdlib.h>

/* How many slots there should be to a member. */
#define SLOTS_EACH 128u

struct walker {
	uint64_t identity;
	uint32_t at, skip; /* the next slot of its order, and how far from one to the next */
	uint32_t weight, credit;
	uint16_t value;
};

/* The finalizer of SplitMix64: every bit of the identity reaches every bit. */
static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint32_t
mr_maglev_size(unsigned members, uint32_t least)
{
	static const uint32_t primes[] = { 65537, 131101, 262147, 524309, 1048583, 2097169, 4194319,
		8388617 };
	unsigned i = 0;

	while (i + 1 < MR_ARRAY_COUNT(primes) &&
	    (primes[i] < least || primes[i] / SLOTS_EACH < members))
		i++;
	return primes[i];
}

static int
by_identity(const void *a, const void *b)
{
	const struct walker *x = a, *y = b;

	if (x->identity != y->identity)
		return x->identity < y->identity ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

static unsigned
set_out(struct walker *w, uint32_t size, const struct mr_maglev_member *members, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct mr_maglev_member *m = &members[i];
		uint64_t first = mix(m->identity), second = mix(first);

		if (!m->weight)
			continue;
		w[n++] = (struct walker){
			.identity = m->identity,
			.at = (uint32_t)(first % size),
			.skip = 1 + (uint32_t)(second % (size - 1)),
			.weight = m->weight,
			.value = m->value,
		};
	}
	/* Turns are taken in this order, whatever the members' was. */
	qsort(w, n, sizeof(*w), by_identity);
	return n;
}

static void
take_one(struct mr_maglev *m, struct walker *w)
{
	/* A prime size and a step below it: all slots are passed before one comes twice. */
	while (m->slot[w->at] != MR_MAGLEV_NONE) {
		w->at += w->skip;
		w->at -= w->at >= m->size ? m->size : 0;
	}
	m->slot[w->at] = w->value;
}

static void
populate(struct mr_maglev *m, struct walker *w, unsigned n)
{
	uint32_t most = 0, taken = 0;

	for (unsigned i = 0; i < n; i++)
		most = MR_MAX(most, w[i].weight);
	while (taken < m->size) {
		for (unsigned i = 0; i < n && taken < m->size; i++) {
			uint64_t credit = (uint64_t)w[i].credit + w[i].weight;

			if (credit >= most) {
				take_one(m, &w[i]);
				taken++;
				credit -= most;
			}
			w[i].credit = (uint32_t)credit;
		}
	}
}

int
mr_maglev_create(struct mr_maglev **out, uint32_t size, const struct mr_maglev_member *members,
    unsigned count, struct mr_error *error)
{
	struct mr_maglev *m = malloc(sizeof(*m) + (size_t)size * sizeof(m->slot[0]));
	struct walker *w = calloc(count + 1, sizeof(*w));

	if (!m || !w) {
		free(m);
		free(w);
		return mr_error_set(error, -ENOMEM, "no memory for %u slots", size);
	}
	m->size = size;
	for (uint32_t i = 0; i < size; i++)
		m->slot[i] = MR_MAGLEV_NONE;
	m->members = set_out(w, size, members, count);
	if (m->members)
		populate(m, w, m->members);
	free(w);
	*out = m;
	return 0;
}

void
mr_maglev_destroy(struct mr_maglev *m)
{
	free(m);
}
