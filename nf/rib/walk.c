/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes in order. A walk takes down the prefixes that there are, sorts them, and
 * looks each up when its turn has come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/rib/rib_int.h"

struct key6 {
	uint8_t prefix[16];
	uint8_t len; /* so that comparing bytes sorts by prefix, then length */
};

struct mr_rib_walk {
	const struct mr_rib *rib;
	uint16_t vrf;
	uint64_t *four; /* address 32 | length 8 */
	struct key6 *six;
	uint32_t four_count, six_count, at;
};

static const struct table *
table_of(const struct mr_rib *rib, uint16_t vrf, unsigned family)
{
	return vrf < MR_IP_VRFS_MAX && rib->vrfs[vrf] ? &rib->vrfs[vrf]->tables[family] : NULL;
}

/* -- sorting ------------------------------------------------------------------------------ */

#define DIGIT 10u
#define DIGITS (1u << DIGIT)

/* By 40 bits, least significant digit first: 1 M in some 20 ms. */
static int
sort4(uint64_t *keys, uint32_t count)
{
	uint64_t *from = keys, *to = malloc(MR_MAX(count, 1u) * sizeof(*to)), *swap;
	uint64_t *other = to;

	if (!to)
		return -ENOMEM;
	for (unsigned shift = 0; shift < 40; shift += DIGIT) {
		uint32_t starts[DIGITS] = { 0 }, sum = 0;

		for (uint32_t i = 0; i < count; i++)
			starts[from[i] >> shift & (DIGITS - 1)]++;
		for (unsigned d = 0; d < DIGITS; d++) {
			uint32_t n = starts[d];

			starts[d] = sum;
			sum += n;
		}
		for (uint32_t i = 0; i < count; i++)
			to[starts[from[i] >> shift & (DIGITS - 1)]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	static_assert(40 / DIGIT % 2 == 0, "the result is where the keys were");
	free(other);
	return 0;
}

static int
by_key6(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct key6));
}

/* -- taking down -------------------------------------------------------------------------- */

static bool
wanted(const struct mr_rib_filter *filter, unsigned family, const struct route *r)
{
	if (!filter || !filter->given)
		return true;
	if (filter->family != family)
		return false;
	return filter->covering
	    ? r->len <= filter->len && rib_covers(r->prefix, r->len, filter->prefix)
	    : r->len >= filter->len && rib_covers(filter->prefix, filter->len, r->prefix);
}

static int
take(struct mr_rib_walk *w, const struct mr_rib_filter *filter, unsigned family)
{
	const struct table *t = table_of(w->rib, w->vrf, family);
	size_t size = family == MR_IP4 ? sizeof(*w->four) : sizeof(*w->six);
	uint32_t count = 0, n = 0;
	void *keys;

	if (!t || (filter && !filter->families[family]))
		return 0;
	for (uint32_t i = 1; i < t->end; i++)
		count +=
		    (table_at(t, i)->flags & ROUTE_HEAD) && wanted(filter, family, table_at(t, i));
	keys = malloc(MR_MAX(count, 1u) * size);
	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 1; i < t->end; i++) {
		const struct route *r = table_at(t, i);
		uint32_t four;

		if (!(r->flags & ROUTE_HEAD) || !wanted(filter, family, r))
			continue;
		if (family == MR_IP4) {
			memcpy(&four, r->prefix, sizeof(four));
			((uint64_t *)keys)[n++] = (uint64_t)mr_be32(four) << 8 | r->len;
		} else {
			struct key6 *k = &((struct key6 *)keys)[n++];

			memcpy(k->prefix, r->prefix, sizeof(k->prefix));
			k->len = r->len;
		}
	}
	if (family == MR_IP4) {
		w->four = keys;
		w->four_count = count;
		return sort4(keys, count);
	}
	w->six = keys;
	w->six_count = count;
	qsort(keys, count, size, by_key6);
	return 0;
}

int
mr_rib_walk_create(struct mr_rib_walk **out, const struct mr_rib *rib, uint16_t vrf,
    const struct mr_rib_filter *filter)
{
	struct mr_rib_walk *w = calloc(1, sizeof(*w));
	int rc = w ? 0 : -ENOMEM;

	if (!w)
		return rc;
	w->rib = rib;
	w->vrf = vrf;
	for (unsigned f = 0; !rc && f < MR_IP_FAMILIES; f++)
		rc = take(w, filter, f);
	if (rc) {
		mr_rib_walk_destroy(w);
		return rc;
	}
	*out = w;
	return 0;
}

void
mr_rib_walk_destroy(struct mr_rib_walk *w)
{
	if (!w)
		return;
	free(w->four);
	free(w->six);
	free(w);
}

/* -- walking ------------------------------------------------------------------------------ */

static bool
tell(const struct mr_rib *rib, const struct table *t, enum mr_ip_family family, uint32_t head,
    mr_rib_each_fn *each, void *user)
{
	for (uint32_t at = head; at; at = table_at(t, at)->next) {
		struct mr_route route;

		rib_route(rib, t, family, at, &route);
		if (!each(user, &route, rib_state(rib, t, head, at),
			rib->sets[table_at(t, at)->hops]->group))
			return false;
	}
	return true;
}

bool
mr_rib_walk_next(struct mr_rib_walk *w, mr_rib_each_fn *each, void *user)
{
	while (w->at < w->four_count + w->six_count) {
		bool four = w->at < w->four_count;
		enum mr_ip_family family = four ? MR_IP4 : MR_IP6;
		const struct table *t = table_of(w->rib, w->vrf, family);
		uint32_t address, head;
		uint8_t prefix[16];
		unsigned len;

		if (four) {
			address = mr_be32((uint32_t)(w->four[w->at] >> 8));
			memcpy(prefix, &address, sizeof(address));
			len = (unsigned)w->four[w->at] & 0xff;
		} else {
			const struct key6 *k = &w->six[w->at - w->four_count];

			memcpy(prefix, k->prefix, sizeof(prefix));
			len = k->len;
		}
		w->at++;
		head = t ? table_find(t, prefix, len) : 0;
		if (head)
			return tell(w->rib, t, family, head, each, user);
	}
	return false;
}

int
mr_rib_each(const struct mr_rib *rib, uint16_t vrf, bool sorted, mr_rib_each_fn *each, void *user)
{
	struct mr_rib_walk *w;
	int rc;

	if (sorted) {
		rc = mr_rib_walk_create(&w, rib, vrf, NULL);
		if (rc)
			return rc;
		while (mr_rib_walk_next(w, each, user))
			;
		mr_rib_walk_destroy(w);
		return 0;
	}
	for (unsigned f = 0; f < MR_IP_FAMILIES; f++) {
		const struct table *t = table_of(rib, vrf, f);

		for (uint32_t i = 1; t && i < t->end; i++)
			if ((table_at(t, i)->flags & ROUTE_HEAD) &&
			    !tell(rib, t, (enum mr_ip_family)f, i, each, user))
				return 0;
	}
	return 0;
}

/* -- comparing ---------------------------------------------------------------------------- */

struct diff {
	const struct mr_rib *rib;
	uint16_t vrf;
	uint32_t count;
	void (*difference)(void *user, const struct mr_rib_difference *);
	void *user;
};

static void
compare(struct diff *d, enum mr_ip_family family, const uint8_t *prefix, unsigned len,
    uint32_t in_fib, uint32_t want)
{
	struct mr_rib_difference found = {
		.family = (uint8_t)family,
		.len = (uint8_t)len,
		.in_fib = in_fib,
		.wanted = want,
	};

	if (in_fib == want)
		return;
	d->count++;
	memcpy(found.prefix, prefix, family == MR_IP4 ? 4 : 16);
	if (d->difference)
		d->difference(d->user, &found);
}

/* What the RIB has, against the FIB. */
static void
compare_routes(struct diff *d, enum mr_ip_family family)
{
	const struct table *t = table_of(d->rib, d->vrf, family);

	for (uint32_t i = 1; t && i < t->end; i++) {
		const struct route *r = table_at(t, i);
		uint32_t best, want = 0;

		if (!(r->flags & ROUTE_HEAD))
			continue;
		best = rib_best(d->rib, t, i);
		if (best)
			want = d->rib->sets[table_at(t, best)->hops]->group;
		compare(d, family, r->prefix, r->len,
		    rib_fib_get(d->rib, d->vrf, family, r->prefix, r->len), want);
	}
}

/* What the FIB has and the RIB has not. */
static void
compare_rest(struct diff *d)
{
	const struct mr_ip_vrf *v = &d->rib->ip->vrfs[d->vrf];
	const struct table *t = table_of(d->rib, d->vrf, MR_IP4);
	uint32_t address, value;
	uint64_t cursor = 0;
	uint8_t prefix[16];
	unsigned len;

	while (mr_fib4_next(v->fib4, &cursor, &address, &len, &value)) {
		address = mr_be32(address);
		memcpy(prefix, &address, sizeof(address));
		if (!t || !table_find(t, prefix, len))
			compare(d, MR_IP4, prefix, len, value, 0);
	}
	t = table_of(d->rib, d->vrf, MR_IP6);
	cursor = 0;
	while (mr_fib6_next(v->fib6, &cursor, prefix, &len, &value))
		if (!t || !table_find(t, prefix, len))
			compare(d, MR_IP6, prefix, len, value, 0);
}

uint32_t
mr_rib_diff(const struct mr_rib *rib, uint16_t vrf,
    void (*difference)(void *user, const struct mr_rib_difference *), void *user)
{
	struct diff d = { .rib = rib, .vrf = vrf, .difference = difference, .user = user };

	if (vrf >= MR_IP_VRFS_MAX || !rib->ip->vrfs[vrf].name[0])
		return 0;
	compare_routes(&d, MR_IP4);
	compare_routes(&d, MR_IP6);
	compare_rest(&d);
	return d.count;
}
