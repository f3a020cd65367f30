/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations on a RIB and on a list that is searched from end to end and resolved
 * from scratch, as rib.h describes it. After each batch both must agree on every
 * route's state and on where addresses lead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nf/rib/rib_test_int.h"

#define ROUTES 160u
#define HOPS 3u
#define BATCHES 400u
#define OPERATIONS 12u

struct entry {
	bool used, marked;
	struct mr_route route;
	struct mr_route_hop hops[HOPS];
};

/* Where something leads: interface and address pairs, sorted, or a decision. */
struct way {
	unsigned count;
	struct leg {
		uint32_t special;
		uint16_t interface;
		uint8_t family;
		uint8_t glean;
		uint8_t address[16];
	} legs[32];
};

struct oracle {
	struct bed bed;
	struct entry entries[ROUTES];
	bool up[INTERFACES + 1];
	uint64_t seed;
	bool loops; /* of the last resolution */
};

static unsigned
draw(struct oracle *o, unsigned below)
{
	o->seed ^= o->seed << 13;
	o->seed ^= o->seed >> 7;
	o->seed ^= o->seed << 17;
	return (unsigned)((o->seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* Addresses from a small world, so that prefixes nest and next hops lie in them: 10.N.0.x is
 * on interface N's link. */
static void
draw_address(struct oracle *o, uint8_t family, uint8_t out[16])
{
	static const uint8_t six[4] = { 0x20, 0x01, 0x0d, 0xb8 };

	memset(out, 0, 16);
	if (family == MR_IP4) {
		out[0] = draw(o, 3) ? 100 : 10;
		out[1] = (uint8_t)draw(o, 8);
		out[2] = (uint8_t)(out[0] == 10 ? 0 : draw(o, 3));
		out[3] = (uint8_t)draw(o, 4);
		return;
	}
	memcpy(out, six, sizeof(six));
	out[5] = (uint8_t)draw(o, 8);
	out[8] = (uint8_t)(draw(o, 3) ? 7 : 0);
	out[9] = (uint8_t)draw(o, 4);
	out[15] = (uint8_t)draw(o, 4);
}

static bool
covers(const struct mr_route *r, uint8_t family, const uint8_t *address)
{
	if (r->family != family)
		return false;
	for (unsigned bit = 0; bit < r->len; bit++)
		if (((r->prefix[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8)) & 1)
			return false;
	return true;
}

static void
draw_prefix(struct oracle *o, struct mr_route *r)
{
	static const uint8_t four[] = { 0, 8, 12, 16, 23, 24, 30, 31, 32 };
	static const uint8_t six[] = { 0, 16, 32, 45, 48, 64, 72, 80, 127, 128 };

	r->family = (uint8_t)draw(o, 2);
	r->len = r->family == MR_IP4 ? four[draw(o, sizeof(four))] : six[draw(o, sizeof(six))];
	draw_address(o, r->family, r->prefix);
	for (unsigned bit = r->len; bit < 128; bit++)
		r->prefix[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

static struct mr_route_hop
draw_hop(struct oracle *o, uint8_t family)
{
	struct mr_route_hop hop = { .weight = (uint16_t)(1 + draw(o, 3)), .family = family };
	static const uint8_t specials[] = { MR_IP_SPECIAL_BLACKHOLE, MR_IP_SPECIAL_PROHIBIT,
		MR_IP_SPECIAL_LOCAL, MR_IP_SPECIAL_MARTIAN };

	switch (draw(o, 8)) {
	case 0:
		hop.kind = MR_HOP_SPECIAL;
		hop.special = specials[draw(o, sizeof(specials))];
		break;
	case 1:
	case 2:
		hop.kind = MR_HOP_DIRECT;
		hop.interface = (uint16_t)(1 + draw(o, INTERFACES));
		break;
	case 3:
	case 4:
		hop.interface = (uint16_t)(1 + draw(o, INTERFACES));
		hop.onlink = draw(o, 2);
		/* fall through */
	default:
		hop.kind = MR_HOP_VIA;
		if (family == MR_IP4 && !draw(o, 4))
			hop.family = MR_IP6;
		draw_address(o, hop.family, hop.address);
		if (draw(o, 3) == 0 && hop.interface && hop.family == MR_IP4)
			hop.address[1] = (uint8_t)hop.interface;
	}
	return hop;
}

/* -- the oracle --------------------------------------------------------------------------- */

static bool
equal_hop(const struct mr_route_hop *a, const struct mr_route_hop *b)
{
	if (a->kind != b->kind || a->weight != b->weight)
		return false;
	if (a->kind == MR_HOP_SPECIAL)
		return a->special == b->special;
	if (a->interface != b->interface || a->onlink != b->onlink)
		return false;
	return a->kind == MR_HOP_DIRECT ||
	    (a->family == b->family && !memcmp(a->address, b->address, 16));
}

/* Routes of a family with equal hops stand and fall together. */
static bool
equal_hops(const struct mr_route *a, const struct mr_route *b)
{
	if (a->family != b->family || a->hop_count != b->hop_count)
		return false;
	for (unsigned i = 0; i < a->hop_count; i++)
		if (!equal_hop(&a->hops[i], &b->hops[i]))
			return false;
	return true;
}

static void
add(struct way *w, struct leg leg)
{
	for (unsigned i = 0; i < w->count; i++)
		if (!memcmp(&w->legs[i], &leg, sizeof(leg)))
			return;
	assert_true(w->count < MR_ARRAY_COUNT(w->legs));
	w->legs[w->count++] = leg;
}

static void
add_neighbor(struct oracle *o, struct way *w, uint16_t interface, uint8_t family,
    const uint8_t *address)
{
	struct leg leg;

	memset(&leg, 0, sizeof(leg));
	leg.interface = interface;
	leg.family = family;
	memcpy(leg.address, address, 16);
	if (mr_ip_address_find(o->bed.ip, interface, (enum mr_ip_family)family, address))
		o->loops = true;
	else
		add(w, leg);
}

static bool
is_recursive(const struct mr_route *r)
{
	for (unsigned i = 0; i < r->hop_count; i++)
		if (r->hops[i].kind == MR_HOP_VIA && !r->hops[i].interface)
			return true;
	return false;
}

static bool
usable(const struct oracle *o, const struct way *w)
{
	for (unsigned i = 0; i < w->count; i++)
		if (w->legs[i].special || o->up[w->legs[i].interface])
			return true;
	return false;
}

static void resolve(struct oracle *o, const struct mr_route *, const struct mr_route **stack,
    unsigned depth, const uint8_t *to, uint8_t to_family, struct way *w, bool *end);

/* The longest prefix first, of each the sources in their order; within the kernel by metric. */
static int
by_preference(const void *a, const void *b)
{
	const struct mr_route *x = *(const struct mr_route *const *)a;
	const struct mr_route *y = *(const struct mr_route *const *)b;

	if (x->len != y->len)
		return y->len - x->len;
	if (x->source != y->source)
		return x->source - y->source;
	return x->metric < y->metric ? -1 : 1;
}

static unsigned
candidates(struct oracle *o, uint8_t family, const uint8_t *address, const struct mr_route **out)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ROUTES; i++)
		if (o->entries[i].used && covers(&o->entries[i].route, family, address))
			out[count++] = &o->entries[i].route;
	qsort(out, count, sizeof(*out), by_preference);
	return count;
}

static void
follow(struct oracle *o, const struct mr_route_hop *hop, const struct mr_route **stack,
    unsigned depth, struct way *w)
{
	const struct mr_route *all[ROUTES];
	unsigned count = candidates(o, hop->family, hop->address, all);

	for (unsigned i = 0; i < count; i++) {
		struct way found = { 0 };
		bool again = false, end = false;

		for (unsigned k = 0; k < depth; k++)
			again |= equal_hops(stack[k], all[i]);
		if (again || (is_recursive(all[i]) && depth > 8)) {
			o->loops = true;
			continue;
		}
		if (!is_recursive(all[i])) {
			struct way alone = { 0 };
			bool ignored = false, loops = o->loops;

			resolve(o, all[i], stack, depth, NULL, 0, &alone, &ignored);
			o->loops = loops;
			if (!usable(o, &alone))
				continue;
		}
		resolve(o, all[i], stack, depth, hop->address, hop->family, &found, &end);
		if (!end && !found.count)
			continue;
		for (unsigned k = 0; k < found.count; k++)
			add(w, found.legs[k]);
		return;
	}
}

/* What a route's hops come to. `to`: they are looked at on the way to that address. */
static void
resolve(struct oracle *o, const struct mr_route *r, const struct mr_route **stack, unsigned depth,
    const uint8_t *to, uint8_t to_family, struct way *w, bool *end)
{
	bool plain = !is_recursive(r);

	stack[depth] = r;
	for (unsigned i = 0; i < r->hop_count && !*end; i++) {
		const struct mr_route_hop *hop = &r->hops[i];
		struct leg leg;

		memset(&leg, 0, sizeof(leg));
		if (hop->kind == MR_HOP_SPECIAL) {
			leg.special = hop->special;
			if (to && plain && hop->special != MR_IP_SPECIAL_BLACKHOLE &&
			    hop->special != MR_IP_SPECIAL_PROHIBIT) {
				o->loops |= hop->special == MR_IP_SPECIAL_LOCAL;
				*end = true;
			} else {
				add(w, leg);
			}
		} else if (hop->kind == MR_HOP_DIRECT && to && plain) {
			add_neighbor(o, w, hop->interface, to_family, to);
		} else if (hop->kind == MR_HOP_DIRECT) {
			leg.interface = hop->interface;
			leg.family = r->family;
			leg.glean = 1;
			add(w, leg);
		} else if (!hop->interface) {
			follow(o, hop, stack, depth + 1, w);
		} else if (hop->onlink ||
		    mr_ip_on_link(o->bed.ip, hop->interface, (enum mr_ip_family)hop->family,
			hop->address)) {
			add_neighbor(o, w, hop->interface, hop->family, hop->address);
		}
	}
}

/* -- comparing ---------------------------------------------------------------------------- */

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct leg));
}

static void
compare_way(struct oracle *o, const struct way *expected, uint32_t group)
{
	struct mr_group_member m[32];
	struct way found = { 0 }, sorted = *expected;
	unsigned count = mr_group_members(o->bed.ip, group, m, MR_ARRAY_COUNT(m));

	for (unsigned i = 0; i < count; i++) {
		const struct mr_adjacency_info *a = mr_adjacency_info(o->bed.ip, m[i].adjacency);
		struct leg leg;

		memset(&leg, 0, sizeof(leg));
		if (m[i].adjacency < MR_IP_SPECIALS) {
			leg.special = m[i].adjacency;
		} else {
			leg.interface = a->interface;
			leg.family = a->family;
			leg.glean = a->glean;
			memcpy(leg.address, a->address, sizeof(leg.address));
		}
		add(&found, leg);
	}
	qsort(sorted.legs, sorted.count, sizeof(struct leg), by_bytes);
	qsort(found.legs, found.count, sizeof(struct leg), by_bytes);
	assert_int_equal(found.count, sorted.count);
	assert_memory_equal(found.legs, sorted.legs, sorted.count * sizeof(struct leg));
}

static bool
alone(struct oracle *o, const struct mr_route *r, struct way *w)
{
	const struct mr_route *stack[16];
	bool end = false;

	memset(w, 0, sizeof(*w));
	o->loops = false;
	resolve(o, r, stack, 0, NULL, 0, w, &end);
	return usable(o, w);
}

static void
compare_states(struct oracle *o)
{
	for (unsigned i = 0; i < ROUTES; i++) {
		const struct mr_route *r = &o->entries[i].route;
		enum mr_route_state state, expected;
		struct way w;

		/* Of several of the kernel, get shows the first. */
		if (!o->entries[i].used || r->source == MR_ROUTE_KERNEL)
			continue;
		assert_true(mr_rib_get(o->bed.rib, 0, (enum mr_ip_family)r->family, r->prefix,
		    r->len, (enum mr_route_source)r->source, NULL, &state));
		expected = alone(o, r, &w) ? MR_ROUTE_ACTIVE
		    : w.count              ? MR_ROUTE_UNRESOLVED
		    : o->loops             ? MR_ROUTE_LOOPS
					   : MR_ROUTE_UNRESOLVED;
		for (unsigned k = 0; expected == MR_ROUTE_ACTIVE && k < ROUTES; k++) {
			const struct mr_route *other = &o->entries[k].route;

			if (o->entries[k].used && other->family == r->family &&
			    other->len == r->len && other->source < r->source &&
			    !memcmp(other->prefix, r->prefix, 16) && alone(o, other, &w))
				expected = MR_ROUTE_SHADOWED;
		}
		assert_int_equal(state, expected);
	}
}

static void
compare_addresses(struct oracle *o)
{
	for (unsigned i = 0; i < 60; i++) {
		const struct mr_route *all[ROUTES];
		uint8_t family = (uint8_t)draw(o, 2), address[16], prefix[16];
		struct way w = { 0 };
		unsigned count, k, len;

		draw_address(o, family, address);
		count = candidates(o, family, address, all);
		for (k = 0; k < count && !alone(o, all[k], &w); k++)
			;
		if (k == count)
			memset(&w, 0, sizeof(w));
		if (!w.count)
			assert_int_equal(mr_ip_lookup(o->bed.ip, 0, (enum mr_ip_family)family,
					     address, prefix, &len),
			    0);
		else
			compare_way(o, &w,
			    mr_ip_lookup(o->bed.ip, 0, (enum mr_ip_family)family, address, prefix,
				&len));
	}
	assert_int_equal(mr_rib_diff(o->bed.rib, 0, NULL, NULL), 0);
}

/* -- operations --------------------------------------------------------------------------- */

static struct entry *
find(struct oracle *o, const struct mr_route *r)
{
	for (unsigned i = 0; i < ROUTES; i++) {
		struct entry *e = &o->entries[i];

		if (e->used && e->route.family == r->family && e->route.len == r->len &&
		    e->route.source == r->source && !memcmp(e->route.prefix, r->prefix, 16) &&
		    (r->source != MR_ROUTE_KERNEL || e->route.metric == r->metric))
			return e;
	}
	return NULL;
}

static void
set_one(struct oracle *o)
{
	struct entry fresh = { .used = true }, *e;

	draw_prefix(o, &fresh.route);
	fresh.route.source = (uint8_t)(MR_ROUTE_CONNECTED + draw(o, 5));
	fresh.route.metric = draw(o, 3);
	fresh.route.hop_count = (uint16_t)(1 + (draw(o, 3) ? 0 : draw(o, HOPS)));
	for (unsigned i = 0; i < fresh.route.hop_count; i++)
		fresh.hops[i] = draw_hop(o, fresh.route.family);
	e = find(o, &fresh.route);
	for (unsigned i = 0; !e && i < ROUTES; i++)
		if (!o->entries[i].used)
			e = &o->entries[i];
	if (!e)
		return;
	*e = fresh;
	e->route.hops = e->hops;
	assert_int_equal(mr_rib_set(o->bed.rib, 0, &e->route, &o->bed.error), 0);
}

static void
unset_one(struct oracle *o)
{
	struct entry *e = &o->entries[draw(o, ROUTES)];
	const struct mr_route *r = &e->route;

	if (!e->used)
		return;
	assert_int_equal(mr_rib_unset_metric(o->bed.rib, 0, (enum mr_ip_family)r->family, r->prefix,
			     r->len, (enum mr_route_source)r->source, r->metric),
	    0);
	e->used = false;
}

/* A daemon restarts: half of its routes come again. */
static void
restart(struct oracle *o)
{
	enum mr_route_source source = (enum mr_route_source)(MR_ROUTE_STATIC + draw(o, 3));
	uint32_t gone = 0;

	mr_rib_mark(o->bed.rib, 0, source);
	for (unsigned i = 0; i < ROUTES; i++) {
		struct entry *e = &o->entries[i];

		if (!e->used || e->route.source != source)
			continue;
		if (draw(o, 4)) {
			assert_int_equal(mr_rib_set(o->bed.rib, 0, &e->route, &o->bed.error), 0);
		} else {
			e->used = false;
			gone++;
		}
	}
	assert_int_equal(mr_rib_sweep(o->bed.rib, 0, source), gone);
}

static void
operate(struct oracle *o)
{
	unsigned what = draw(o, 40);
	uint16_t interface = (uint16_t)(1 + draw(o, INTERFACES));

	if (what < 22) {
		set_one(o);
	} else if (what < 34) {
		unset_one(o);
	} else if (what < 37) {
		o->up[interface] = !o->up[interface];
		flap(&o->bed, interface, o->up[interface]);
	} else if (what < 38) {
		restart(o);
	} else if (what < 39) {
		/* Its subnet becomes narrower or wider, and nobody tells the RIB. */
		o->bed.ip->info[interface].addresses[0].len = draw(o, 2) ? 24 : 30;
		o->bed.ip->info[interface].generation++;
	} else {
		mr_rib_settle(o->bed.rib);
	}
}

static void
agrees_with_a_plain_list(void **state)
{
	static struct oracle o;

	for (unsigned run = 0; run < 4; run++) {
		memset(&o, 0, sizeof(o));
		o.seed = 0x1234567 + run * 7919;
		bed_open(&o.bed);
		for (unsigned i = 0; i <= INTERFACES; i++)
			o.up[i] = true;
		for (unsigned i = 0; i < BATCHES / 4; i++) {
			for (unsigned k = 0; k < OPERATIONS; k++)
				operate(&o);
			mr_rib_settle(o.bed.rib);
			compare_states(&o);
			compare_addresses(&o);
		}
		mr_rib_clear_vrf(o.bed.rib, 0);
		mr_rib_settle(o.bed.rib);
		assert_int_equal(mr_group_next(o.bed.ip, 0), 0);
		assert_int_equal(mr_adjacency_next(o.bed.ip, 0), 0);
		bed_close(&o.bed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
