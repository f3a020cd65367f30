/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/acl/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
reserve(struct acl_ranges *r, uint32_t more)
{
	uint32_t room = r->room ? r->room : 4;
	struct acl_range *at;

	while (room < r->count + more)
		room *= 2;
	if (room == r->room)
		return 0;
	at = realloc(r->at, room * sizeof(*at));
	if (!at)
		return -ENOMEM;
	r->at = at;
	r->room = room;
	return 0;
}

int
acl_ranges_add(struct acl_ranges *r, acl_number first, acl_number last)
{
	if (reserve(r, 1))
		return -ENOMEM;
	r->at[r->count++] = (struct acl_range){ first, last };
	return 0;
}

int
acl_ranges_add_all(struct acl_ranges *r, const struct acl_ranges *more)
{
	if (!more->count)
		return 0;
	if (reserve(r, more->count))
		return -ENOMEM;
	memcpy(r->at + r->count, more->at, more->count * sizeof(*more->at));
	r->count += more->count;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct acl_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

void
acl_ranges_seal(struct acl_ranges *r)
{
	uint32_t n = 0;

	if (r->count < 2)
		return;
	qsort(r->at, r->count, sizeof(*r->at), compare);
	for (uint32_t i = 1; i < r->count; i++) {
		struct acl_range *last = &r->at[n];

		/* The next number after the last one of all would be 0. */
		if (r->at[i].first <= last->last || r->at[i].first == last->last + 1)
			last->last = MR_MAX(last->last, r->at[i].last);
		else
			r->at[++n] = r->at[i];
	}
	r->count = n + 1;
}

int
acl_ranges_subtract(struct acl_ranges *r, const struct acl_ranges *away)
{
	struct acl_ranges out = { 0 };
	uint32_t j = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		acl_number first = r->at[i].first, last = r->at[i].last;
		bool rest = true;

		while (j < away->count && away->at[j].last < first)
			j++;
		for (uint32_t k = j; k < away->count && away->at[k].first <= last; k++) {
			const struct acl_range *hole = &away->at[k];

			if (hole->first > first && acl_ranges_add(&out, first, hole->first - 1))
				goto no_memory;
			rest = hole->last < last;
			if (!rest)
				break;
			first = hole->last + 1;
		}
		if (rest && acl_ranges_add(&out, first, last))
			goto no_memory;
	}
	free(r->at);
	*r = out;
	return 0;
no_memory:
	acl_ranges_free(&out);
	return -ENOMEM;
}

bool
acl_ranges_has(const struct acl_ranges *r, acl_number n)
{
	uint32_t low = 0, high = r->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (n > r->at[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->count && n >= r->at[low].first;
}

void
acl_ranges_free(struct acl_ranges *r)
{
	free(r->at);
	*r = (struct acl_ranges){ 0 };
}

bool
acl_ranges_is_all(const struct acl_ranges *r, unsigned bits)
{
	return r->count == 1 && r->at[0].first == 0 && r->at[0].last == acl_all_ones(bits);
}

uint64_t
acl_ranges_size(const struct acl_ranges *r, uint64_t limit)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		acl_number more = r->at[i].last - r->at[i].first;

		if (more >= limit - n)
			return limit;
		n += (uint64_t)more + 1;
	}
	return n;
}

static unsigned
trailing_zeros(acl_number n)
{
	uint64_t low = (uint64_t)n, high = (uint64_t)(n >> 64);

	if (low)
		return (unsigned)__builtin_ctzll(low);
	return high ? 64 + (unsigned)__builtin_ctzll(high) : 128;
}

int
acl_ranges_prefixes(const struct acl_ranges *r, unsigned bits, acl_prefix_fn *emit, void *user)
{
	for (uint32_t i = 0; i < r->count; i++) {
		acl_number at = r->at[i].first, last = r->at[i].last;

		for (;;) {
			unsigned free_bits = MR_MIN(trailing_zeros(at), bits);
			int ret;

			/* The largest aligned block that starts here and does not go past the end. */
			while (acl_all_ones(free_bits) > last - at)
				free_bits--;
			ret = emit(user, at, bits - free_bits);
			if (ret)
				return ret;
			if (last - at == acl_all_ones(free_bits))
				break;
			at += acl_all_ones(free_bits) + 1;
		}
	}
	return 0;
}

static int
count_one(void *user, acl_number value, unsigned len)
{
	++*(uint64_t *)user;
	return 0;
}

uint64_t
acl_ranges_count_prefixes(const struct acl_ranges *r, unsigned bits)
{
	uint64_t n = 0;

	(void)acl_ranges_prefixes(r, bits, count_one, &n);
	return n;
}
