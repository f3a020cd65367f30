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

#define KEPT_FLAGS (RTNH_F_DEAD | RTNH_F_ONLINK)

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

static void
leave(struct mr_import *im, struct set *s)
{
	uint32_t *at = bucket_of(im, s);

	while (*at != s->index)
		at = &im->sets[*at]->chain;
	*at = s->chain;
	im->stats.nexthops -= s->numbered;
	s->interned = s->numbered = false;
}

static struct set *
find_number(const struct mr_import *im, uint32_t id)
{
	uint32_t i = im->by_id[mr_hash_u64(&im->key, id) % SET_BUCKETS];

	while (i && im->sets[i]->id != id)
		i = im->sets[i]->chain;
	return im->sets[i];
}

/* Index 0 is never set, so that find_number yields null for it. */
static struct set *
get_number(struct mr_import *im, uint32_t id)
{
	struct set *s = find_number(im, id);

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

	if (!s || s->routes || s->mentions || s->queued ||
	    (s->numbered && s->kind != SET_UNKNOWN))
		return;
	if (s->numbered || s->interned)
		leave(im, s);
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
		const struct set *member = find_number(im, s->members[i].id);

		if (member && member->kind == SET_HOPS)
			n += resolve_hop(im, &member->hops[0], s->members[i].weight, &out[n]);
	}
	return n;
}

static void
queue(struct mr_import *im, struct set *s)
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
static bool
resolve_again(struct mr_import *im, struct set *s)
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
	queue(im, s);
	return true;
}

static void
resolve_groups_with(struct mr_import *im, const struct set *member)
{
	if (!member->mentions)
		return;
	for (uint32_t i = 1; i < im->set_end; i++) {
		struct set *s = im->sets[i];

		if (!s || s->kind != SET_GROUP)
			continue;
		for (unsigned m = 0; m < s->count; m++)
			if (s->members[m].id == member->id) {
				resolve_again(im, s);
				break;
			}
	}
}

void
mr_import_remap(struct mr_import *im)
{
	for (uint32_t i = 1; i < im->set_end; i++)
		if (im->sets[i])
			resolve_again(im, im->sets[i]);
}

/* -- sets of routes that spell their next hops out ---------------------------------------------- */

static bool
same_hops(const struct set *s, const struct mr_rtnl_hop *hops, unsigned count, uint8_t special)
{
	return s->count == count && s->special == special &&
	    (count == 0 || !memcmp(s->hops, hops, count * sizeof(*hops)));
}

static bool
copy_hops(struct set *s, const struct mr_rtnl_hop *hops, unsigned count)
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
		hops[i].flags &= KEPT_FLAGS;
	hash = mr_hash_bytes(&im->key, hops, count * sizeof(*hops)) + special;
	for (i = im->by_hops[hash % SET_BUCKETS]; i; i = im->sets[i]->chain)
		if (im->sets[i]->hash == hash && same_hops(im->sets[i], hops, count, special))
			return i;
	s = new_set(im, SET_HOPS);
	if (!s)
		return 0;
	s->hash = hash;
	s->special = special;
	s->interned = true;
	enter(im, s);
	if (!copy_hops(s, hops, count)) {
		import_set_drop_unused(im, s->index);
		return 0;
	}
	resolve_again(im, s);
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
	s = get_number(im, m->route.nexthop);
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

/* -- objects -------------------------------------------------------------------------------- */

static void
mention(struct mr_import *im, struct set *group, int by)
{
	for (unsigned i = 0; i < group->count; i++) {
		struct set *member = by > 0 ? get_number(im, group->members[i].id)
					    : find_number(im, group->members[i].id);

		if (!member) {
			/* No memory for it: as if the group had not named it. */
			group->members[i--] = group->members[--group->count];
			im->stats.refused++;
			continue;
		}
		member->mentions += (uint32_t)by;
		if (by < 0)
			import_set_drop_unused(im, member->index);
	}
}

/* Makes it an object that nobody has told about. */
static void
undefine(struct mr_import *im, struct set *s)
{
	if (s->kind == SET_GROUP)
		mention(im, s, -1);
	free(s->hops);
	free(s->members);
	s->hops = NULL;
	s->members = NULL;
	s->count = 0;
	s->kind = SET_UNKNOWN;
}

static void
define(struct mr_import *im, struct set *s, const struct mr_rtnl *m)
{
	size_t size = m->nexthop.member_count * sizeof(*m->members);
	struct mr_rtnl_hop hop = m->hops[0];

	if (m->nexthop.member_count) {
		struct mr_rtnl_member *members = malloc(size);

		if (!members) {
			im->stats.refused++;
			return;
		}
		memcpy(members, m->members, size);
		undefine(im, s);
		s->kind = SET_GROUP;
		s->members = members;
		s->count = m->nexthop.member_count;
		mention(im, s, 1);
	} else {
		hop.flags &= KEPT_FLAGS;
		hop.weight = 1;
		if (s->kind == SET_HOPS && same_hops(s, &hop, 1, 0))
			return;
		undefine(im, s);
		if (!copy_hops(s, &hop, 1))
			im->stats.refused++;
		else
			s->kind = SET_HOPS;
	}
	resolve_again(im, s);
	resolve_groups_with(im, s);
}

/* The next hops of a group spelled out, for when its members' numbers mean nothing any more. */
static void
spell_out(struct mr_import *im, struct set *s)
{
	struct mr_rtnl_hop hops[MR_RTNL_HOPS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; s->kind == SET_GROUP && i < s->count; i++) {
		const struct set *member = find_number(im, s->members[i].id);

		if (!member || member->kind != SET_HOPS)
			continue;
		hops[n] = member->hops[0];
		hops[n++].weight = s->members[i].weight;
	}
	if (s->kind != SET_GROUP)
		return;
	undefine(im, s);
	s->kind = SET_HOPS;
	if (!copy_hops(s, hops, n))
		im->stats.refused++;
}

/* An object whose number is free from now on: another may have it while its routes are still
 * here. Groups go on naming the number. */
static void
take_number(struct mr_import *im, struct set *s)
{
	uint32_t id = s->id, mentions = s->mentions;
	struct set *other;

	leave(im, s);
	s->mentions = 0;
	if (!mentions)
		return;
	other = get_number(im, id);
	if (other)
		other->mentions = mentions;
	else
		im->stats.refused++;
}

static void
remove_object(struct mr_import *im, struct set *s)
{
	struct set *other;

	if (im->config.orphans)
		spell_out(im, s);
	else
		undefine(im, s);
	take_number(im, s);
	if (!im->config.orphans) {
		s->doomed = true;
		queue(im, s);
	}
	other = find_number(im, s->id);
	if (other)
		resolve_groups_with(im, other);
	import_set_drop_unused(im, s->index);
}

void
mr_import_nexthop(struct mr_import *im, const struct mr_rtnl *m)
{
	struct set *s;

	if (!m->nexthop.id)
		return;
	if (m->deleted) {
		s = find_number(im, m->nexthop.id);
		if (s && s->kind != SET_UNKNOWN)
			remove_object(im, s);
		return;
	}
	s = get_number(im, m->nexthop.id);
	if (s)
		define(im, s, m);
	else
		im->stats.refused++;
}

void
import_sets_forget_numbers(struct mr_import *im)
{
	/* Groups first, while they find their members. */
	for (uint32_t i = 1; i < im->set_end; i++)
		if (im->sets[i])
			spell_out(im, im->sets[i]);
	for (uint32_t i = 1; i < im->set_end; i++) {
		struct set *s = im->sets[i];

		if (!s || !s->numbered)
			continue;
		leave(im, s);
		s->mentions = 0;
		import_set_drop_unused(im, i);
	}
}

void
import_sets_queue_unknown(struct mr_import *im)
{
	for (uint32_t i = 1; i < im->set_end; i++)
		if (im->sets[i] && im->sets[i]->kind == SET_UNKNOWN && im->sets[i]->routes)
			queue(im, im->sets[i]);
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
