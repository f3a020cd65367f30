/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hop sets: shared by the routes that lead the same way, and the next-hop objects. What a set
 * resolves to is what the RIB is given; when that changes, its routes move from `head` to
 * `waiting`, which costs the same for one and for a million, and are taken from there in portions.
 */

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "nf/rtnl/import_int.h"

int
import_sets_create(struct mr_import *im)
{
	im->sets = calloc(MR_IMPORT_SETS_MAX, sizeof(*im->sets));
	im->set_free = calloc(MR_IMPORT_SETS_MAX, sizeof(*im->set_free));
	im->by_hops = calloc(SET_BUCKETS, sizeof(*im->by_hops));
	im->by_id = calloc(SET_BUCKETS, sizeof(*im->by_id));
	im->set_end = 1;
	return im->sets && im->set_free && im->by_hops && im->by_id ? 0 : -1;
}

static void
free_set(struct set *s)
{
	free(s->hops);
	free(s->members);
	free(s->resolved);
	free(s);
}

void
import_sets_destroy(struct mr_import *im)
{
	for (uint32_t i = 1; im->sets && i < im->set_end; i++)
		if (im->sets[i])
			free_set(im->sets[i]);
	free(im->sets);
	free(im->set_free);
	free(im->by_hops);
	free(im->by_id);
}

static struct set *
new_set(struct mr_import *im, enum set_kind kind)
{
	struct set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (im->set_free_count) {
		s->index = im->set_free[--im->set_free_count];
	} else if (im->set_end < MR_IMPORT_SETS_MAX) {
		s->index = im->set_end++;
	} else {
		free(s);
		return NULL;
	}
	s->kind = (uint8_t)kind;
	im->sets[s->index] = s;
	im->stats.sets++;
	return s;
}

/* -- finding ---------------------------------------------------------------------------------- */

static uint32_t *
bucket_of(const struct mr_import *im, const struct set *s)
{
	return s->numbered ? &im->by_id[mr_hash_u64(&im->key, s->id) % SET_BUCKETS]
			   : &im->by_hops[s->hash % SET_BUCKETS];
}

static void
enter(struct mr_import *im, struct set *s)
{
	uint32_t *bucket = bucket_of(im, s);

	s->chain = *bucket;
	*bucket = s->index;
	im->stats.nexthops += s->numbered;
}

void
import_set_leave(struct mr_import *im, struct set *s)
{
	uint32_t *at = bucket_of(im, s);

	while (*at != s->index)
		at = &im->sets[*at]->chain;
	*at = s->chain;
	im->stats.nexthops -= s->numbered;
	s->interned = s->numbered = false;
}

struct set *
import_set_number(const struct mr_import *im, uint32_t id)
{
	uint32_t i = im->by_id[mr_hash_u64(&im->key, id) % SET_BUCKETS];

	while (i && im->sets[i]->id != id)
		i = im->sets[i]->chain;
	return im->sets[i];
}

/* Index 0 is never set, so that import_set_number yields null for it. */
struct set *
import_set_get_number(struct mr_import *im, uint32_t id)
{
	struct set *s = import_set_number(im, id);

	if (s)
		return s;
	s = new_set(im, SET_UNKNOWN);
	if (!s)
		return NULL;
	s->id = id;
	s->numbered = true;
	enter(im, s);
	return s;
}

void
import_set_drop_unused(struct mr_import *im, uint32_t index)
{
	struct set *s = im->sets[index];

	if (!s || s->routes || s->mentions || s->queued || (s->numbered && s->kind != SET_UNKNOWN))
		return;
	if (s->numbered || s->interned)
		import_set_leave(im, s);
	im->sets[index] = NULL;
	im->set_free[im->set_free_count++] = index;
	im->stats.sets--;
	free_set(s);
}

/* -- what a set resolves to --------------------------------------------------------------------- */

static bool
is_link_local(const struct mr_rtnl_hop *hop)
{
	return hop->family == MR_IP6 && hop->address[0] == 0xfe && (hop->address[1] & 0xc0) == 0x80;
}

static bool
resolve_hop(const struct mr_import *im, const struct mr_rtnl_hop *hop, uint16_t weight,
    struct mr_route_hop *out)
{
	memset(out, 0, sizeof(*out));
	out->weight = weight;
	if (hop->encapsulated || (hop->flags & RTNH_F_DEAD))
		return false;
	if (hop->blackhole) {
		out->kind = MR_HOP_SPECIAL;
		out->special = MR_IP_SPECIAL_BLACKHOLE;
		return true;
	}
	if (hop->ifindex) {
		out->interface = im->config.interface(im->config.user, hop->ifindex);
		if (!out->interface)
			return false;
	}
	if (!hop->gateway) {
		out->kind = MR_HOP_DIRECT;
		return out->interface != 0;
	}
	if (!out->interface && is_link_local(hop))
		return false;
	/* Where the source says which device, it has seen to it that the gateway is there. */
	out->kind = MR_HOP_VIA;
	out->onlink = out->interface != 0;
	out->family = hop->family;
	memcpy(out->address, hop->address, sizeof(out->address));
	return true;
}

static unsigned
resolve(struct mr_import *im, const struct set *s, struct mr_route_hop *out)
{
	unsigned n = 0;

	if (s->special) {
		memset(out, 0, sizeof(*out));
		out->kind = MR_HOP_SPECIAL;
		out->special = s->special;
		out->weight = 1;
		return 1;
	}
	for (unsigned i = 0; s->kind == SET_HOPS && i < s->count; i++)
		n += resolve_hop(im, &s->hops[i], s->hops[i].weight, &out[n]);
	for (unsigned i = 0; s->kind == SET_GROUP && i < s->count; i++) {
		const struct set *member = import_set_number(im, s->members[i].id);

		if (member && member->kind == SET_HOPS)
			n += resolve_hop(im, &member->hops[0], s->members[i].weight, &out[n]);
	}
	return n;
}

void
import_set_queue(struct mr_import *im, struct set *s)
{
	if (s->head && s->waiting) {
		im->routes[s->tail].after = s->waiting;
		im->routes[s->waiting].before = s->tail;
	}
	if (s->head)
		s->waiting = s->head;
	s->head = s->tail = 0;
	if (s->queued || !s->waiting)
		return;
	s->queued = true;
	s->next_queued = 0;
	if (im->work)
		im->sets[im->work_tail]->next_queued = s->index;
	else
		im->work = s->index;
	im->work_tail = s->index;
}

/* True if it resolves to something else than before; its routes then wait to be told. */
bool
import_set_resolve(struct mr_import *im, struct set *s)
{
	unsigned n = resolve(im, s, im->scratch);
	size_t size = n * sizeof(im->scratch[0]);
	struct mr_route_hop *copy;

	if (n == s->resolved_count && (n == 0 || !memcmp(s->resolved, im->scratch, size)))
		return false;
	copy = n ? malloc(size) : NULL;
	if (n && !copy) {
		im->stats.refused++;
		n = 0;
	}
	if (n)
		memcpy(copy, im->scratch, size);
	free(s->resolved);
	s->resolved = copy;
	s->resolved_count = (uint16_t)n;
	import_set_queue(im, s);
	return true;
}

void
import_set_resolve_groups(struct mr_import *im, const struct set *member)
{
	if (!member->mentions)
		return;
	for (uint32_t i = 1; i < im->set_end; i++) {
		struct set *s = im->sets[i];

		if (!s || s->kind != SET_GROUP)
			continue;
		for (unsigned m = 0; m < s->count; m++)
			if (s->members[m].id == member->id) {
				import_set_resolve(im, s);
				break;
			}
	}
}

void
mr_import_remap(struct mr_import *im)
{
	for (uint32_t i = 1; i < im->set_end; i++)
		if (im->sets[i])
			import_set_resolve(im, im->sets[i]);
}

/* -- sets of routes that spell their next hops out ---------------------------------------------- */

bool
import_set_same_hops(const struct set *s, const struct mr_rtnl_hop *hops, unsigned count,
    uint8_t special)
{
	return s->count == count && s->special == special &&
	    (count == 0 || !memcmp(s->hops, hops, count * sizeof(*hops)));
}

bool
import_set_copy_hops(struct set *s, const struct mr_rtnl_hop *hops, unsigned count)
{
	s->hops = count ? malloc(count * sizeof(*hops)) : NULL;
	if (count && !s->hops)
		return false;
	if (count)
		memcpy(s->hops, hops, count * sizeof(*hops));
	s->count = (uint16_t)count;
	return true;
}

uint32_t
import_set_get(struct mr_import *im, const struct mr_rtnl_hop *given, unsigned count,
    uint8_t special)
{
	struct mr_rtnl_hop hops[MR_RTNL_HOPS_MAX];
	uint64_t hash;
	struct set *s;
	uint32_t i;

	memset(hops, 0, sizeof(hops[0]));
	if (count)
		memcpy(hops, given, count * sizeof(*hops));
	for (i = 0; i < count; i++)
		hops[i].flags &= IMPORT_HOP_FLAGS;
	hash = mr_hash_bytes(&im->key, hops, count * sizeof(*hops)) + special;
	for (i = im->by_hops[hash % SET_BUCKETS]; i; i = im->sets[i]->chain)
		if (im->sets[i]->hash == hash &&
		    import_set_same_hops(im->sets[i], hops, count, special))
			return i;
	s = new_set(im, SET_HOPS);
	if (!s)
		return 0;
	s->hash = hash;
	s->special = special;
	s->interned = true;
	enter(im, s);
	if (!import_set_copy_hops(s, hops, count)) {
		import_set_drop_unused(im, s->index);
		return 0;
	}
	import_set_resolve(im, s);
	return s->index;
}

static uint8_t
special_of(uint8_t type)
{
	switch (type) {
	case RTN_BLACKHOLE:
		return MR_IP_SPECIAL_BLACKHOLE;
	case RTN_UNREACHABLE:
		return MR_IP_SPECIAL_UNREACHABLE;
	case RTN_PROHIBIT:
		return MR_IP_SPECIAL_PROHIBIT;
	default:
		return 0;
	}
}

uint32_t
import_set_of(struct mr_import *im, const struct mr_rtnl *m)
{
	uint8_t special = special_of(m->route.type);
	struct set *s;

	/* A route by an object that drops is told as both. */
	if (!m->route.nexthop)
		return special ? import_set_get(im, NULL, 0, special)
			       : import_set_get(im, m->hops, m->route.hop_count, 0);
	s = import_set_get_number(im, m->route.nexthop);
	return s ? s->index : 0;
}

static bool
same_gateway(const struct mr_rtnl_hop *a, const struct mr_rtnl_hop *b)
{
	return a->ifindex == b->ifindex && a->gateway == b->gateway && a->family == b->family &&
	    !memcmp(a->address, b->address, sizeof(a->address));
}

static bool
has_hop(const struct set *s, const struct mr_rtnl_hop *hop)
{
	for (unsigned i = 0; i < s->count; i++)
		if (same_gateway(&s->hops[i], hop))
			return true;
	return false;
}

bool
import_set_within(const struct mr_import *im, uint32_t inner, uint32_t outer)
{
	const struct set *a = im->sets[inner], *b = im->sets[outer];

	if (a->kind != SET_HOPS || b->kind != SET_HOPS || a->numbered || b->numbered || !a->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (!has_hop(b, &a->hops[i]))
			return false;
	return true;
}

uint32_t
import_set_without(struct mr_import *im, uint32_t from, uint32_t less)
{
	const struct set *a = im->sets[from], *b = im->sets[less];
	struct mr_rtnl_hop hops[MR_RTNL_HOPS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < a->count; i++)
		if (!has_hop(b, &a->hops[i]))
			hops[n++] = a->hops[i];
	return n ? import_set_get(im, hops, n, 0) : 0;
}

bool
import_set_same_way(const struct mr_import *im, uint32_t a, uint32_t b)
{
	const struct set *x = im->sets[a], *y = im->sets[b];

	/* Where routes wait, the RIB may still have what was before. */
	return !x->waiting &&
	    (a == b ||
		(x->resolved_count == y->resolved_count &&
		    (!x->resolved_count ||
			!memcmp(x->resolved, y->resolved,
			    x->resolved_count * sizeof(*x->resolved)))));
}

void
import_sets_queue_unknown(struct mr_import *im)
{
	for (uint32_t i = 1; i < im->set_end; i++)
		if (im->sets[i] && im->sets[i]->kind == SET_UNKNOWN && im->sets[i]->routes)
			import_set_queue(im, im->sets[i]);
}

/* -- a set's routes ------------------------------------------------------------------------- */

static void
push(struct mr_import *im, struct set *s, uint32_t index)
{
	struct route *r = &im->routes[index];

	r->before = 0;
	r->after = s->head;
	if (s->head)
		im->routes[s->head].before = index;
	else
		s->tail = index;
	s->head = index;
}

void
import_set_link(struct mr_import *im, uint32_t index, uint32_t to)
{
	im->routes[index].set = to & 0xffffff;
	push(im, im->sets[to], index);
	im->sets[to]->routes++;
}

void
import_set_unlink(struct mr_import *im, uint32_t index)
{
	struct route *r = &im->routes[index];
	struct set *s = im->sets[r->set];

	if (s->tail == index)
		s->tail = r->before;
	if (r->before)
		im->routes[r->before].after = r->after;
	else if (s->head == index)
		s->head = r->after;
	else
		s->waiting = r->after;
	if (r->after)
		im->routes[r->after].before = r->before;
	s->routes--;
	r->set = 0;
	import_set_drop_unused(im, s->index);
}

static void
work_off(struct mr_import *im, struct set *s, uint32_t index)
{
	struct route *r = &im->routes[index];

	if (s->doomed) {
		im->stats.removed++;
		import_remove(im, index);
		return;
	}
	s->waiting = r->after;
	if (r->after)
		im->routes[r->after].before = 0;
	push(im, s, index);
	import_refresh(im, r);
}

unsigned
import_sets_work(struct mr_import *im, unsigned budget)
{
	while (im->work && budget) {
		struct set *s = im->sets[im->work];

		while (s->waiting && budget) {
			work_off(im, s, s->waiting);
			budget--;
		}
		if (s->waiting)
			break;
		im->work = s->next_queued;
		s->queued = false;
		import_set_drop_unused(im, s->index);
	}
	return budget;
}
