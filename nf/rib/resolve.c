/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From next hops to adjacencies. A recursive next hop T of a hop set H is looked for in the
 * prefixes that cover it, the longest first; a route there counts if its own next hops come to
 * something without the help of H. Since that asks only what is in the RIB, and not
 * what was resolved before, the answer does not depend on the order of events.
 *
 * What H's answer depends on are the prefixes that cover T, and the targets of the recursive
 * hop sets passed on the way. All those targets stand in `watch`, sorted, and a prefix
 * that changes finds the ones below it by bisection.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/rib/rib_int.h"

#define DEPTH_MAX 8u
#define BUDGET 2048u     /* routes looked at for one hop set */
#define TARGETS_MAX 64u  /* of one hop set; beyond, it is resolved at every change */
#define DIRTY_MAX 65536u /* then all are resolved again */

enum { CHANGED_ROUTES = 1, CHANGED_ASK = 2 }; /* rib->changed */

struct resolver {
	struct mr_rib *rib;
	const struct hops *stack[DEPTH_MAX + 1];
	unsigned depth, budget, count;
	bool loops, no_memory;
	struct mr_group_member members[MR_GROUP_MEMBERS_MAX];
	double weights[MR_GROUP_MEMBERS_MAX];
	bool held[MR_GROUP_MEMBERS_MAX]; /* the adjacency is ours to put */
	struct target targets[TARGETS_MAX];
	unsigned target_count;
	bool watch_all;
};

void
rib_mask(uint8_t out[16], const uint8_t *address, unsigned len)
{
	memset(out, 0, 16);
	memcpy(out, address, (len + 7) / 8);
	if (len % 8)
		out[len / 8] &= (uint8_t)(0xff00u >> (len % 8));
}

bool
rib_covers(const uint8_t *prefix, unsigned len, const uint8_t *address)
{
	unsigned whole = len / 8, rest = len % 8;

	if (memcmp(prefix, address, whole) != 0)
		return false;
	return !rest || (uint8_t)((prefix[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

static void
key_of(uint8_t key[19], uint16_t vrf, uint8_t family, const uint8_t *address)
{
	memset(key, 0, 19);
	key[0] = (uint8_t)(vrf >> 8);
	key[1] = (uint8_t)vrf;
	key[2] = family;
	memcpy(key + 3, address, family == MR_IP4 ? 4 : 16);
}

static void
add(struct resolver *r, uint32_t adjacency, bool held)
{
	if (r->count == MR_GROUP_MEMBERS_MAX) {
		if (held)
			mr_adjacency_put(r->rib->ip, adjacency);
		return;
	}
	r->members[r->count].adjacency = adjacency;
	r->weights[r->count] = 1;
	r->held[r->count++] = held;
}

/* -- next hops that need no route --------------------------------------------------------- */

static bool
exists(const struct mr_ip *ip, const struct hops *h, const struct mr_route_hop *hop)
{
	return hop->interface && hop->interface < ip->interface_end &&
	    ip->info[hop->interface].name[0] &&
	    (hop->onlink || mr_ip_vrf(&ip->interfaces[hop->interface]) == h->vrf);
}

static void
add_neighbor(struct resolver *r, uint16_t interface, uint8_t family, const uint8_t *address)
{
	struct mr_ip *ip = r->rib->ip;
	uint32_t adjacency;

	if (mr_ip_address_find(ip, interface, family, address))
		r->loops = true; /* it is us */
	else if (mr_adjacency_get(ip, interface, family, address, &adjacency, NULL))
		r->no_memory = true;
	else
		add(r, adjacency, true);
}

static void
add_link(struct resolver *r, uint16_t interface, uint8_t family)
{
	struct mr_ip *ip = r->rib->ip;
	uint32_t adjacency;

	if (mr_ip_flags(&ip->interfaces[interface]) & MR_IP_LOOPBACK)
		add(r, MR_IP_SPECIAL_UNREACHABLE, false);
	else if (mr_adjacency_glean(ip, interface, family, &adjacency, NULL))
		r->no_memory = true;
	else
		add(r, adjacency, true);
}

static void
add_via(struct resolver *r, const struct mr_route_hop *hop)
{
	if (hop->onlink || mr_ip_on_link(r->rib->ip, hop->interface, hop->family, hop->address))
		add_neighbor(r, hop->interface, hop->family, hop->address);
}

static void follow(struct resolver *, const struct hops *from, const struct mr_route_hop *);

static void
add_hop(struct resolver *r, const struct hops *h, const struct mr_route_hop *hop)
{
	unsigned before = r->count;
	double sum = 0;

	if (hop->kind == MR_HOP_SPECIAL)
		add(r, hop->special, false);
	else if (hops_is_recursive(hop))
		follow(r, h, hop);
	else if (!exists(r->rib->ip, h, hop))
		return;
	else if (hop->kind == MR_HOP_DIRECT)
		add_link(r, hop->interface, h->family);
	else
		add_via(r, hop);
	/* What it came to shares its weight. */
	for (unsigned i = before; i < r->count; i++)
		sum += r->weights[i];
	for (unsigned i = before; i < r->count; i++)
		r->weights[i] *= hop->weight / sum;
}

/* -- recursive ones ----------------------------------------------------------------------- */

enum step { STEP_TAKEN, STEP_NEXT, STEP_END };

/* Through a route whose hops need no other route. */
static enum step
through_direct(struct resolver *r, const struct hops *x, const struct mr_route_hop *to)
{
	unsigned before = r->count;

	if (!x->usable)
		return STEP_NEXT;
	for (unsigned i = 0; i < x->count; i++) {
		const struct mr_route_hop *hop = &x->hops[i];
		unsigned from = r->count;

		if (hop->kind == MR_HOP_SPECIAL) {
			switch (hop->special) {
			case MR_IP_SPECIAL_BLACKHOLE:
			case MR_IP_SPECIAL_UNREACHABLE:
			case MR_IP_SPECIAL_PROHIBIT:
				add(r, hop->special, false);
				break;
			case MR_IP_SPECIAL_LOCAL:
				r->loops = true; /* it is us */
				return STEP_END;
			default:
				return STEP_END;
			}
		} else if (hop->kind == MR_HOP_DIRECT && exists(r->rib->ip, x, hop)) {
			if (mr_ip_flags(&r->rib->ip->interfaces[hop->interface]) & MR_IP_LOOPBACK)
				add(r, MR_IP_SPECIAL_UNREACHABLE, false);
			else
				add_neighbor(r, hop->interface, to->family, to->address);
		} else if (hop->kind == MR_HOP_VIA) {
			add_hop(r, x, hop);
		}
		if (r->count > from)
			r->weights[from] = hop->weight;
	}
	return r->count > before ? STEP_TAKEN : STEP_NEXT;
}

static enum step
through(struct resolver *r, const struct hops *x, const struct mr_route_hop *to)
{
	unsigned before = r->count;

	for (unsigned i = 0; i < r->depth; i++) {
		if (r->stack[i] != x)
			continue;
		r->loops = true;
		return STEP_NEXT;
	}
	if (!x->recursive_at)
		return through_direct(r, x, to);
	if (r->depth > DEPTH_MAX) {
		r->loops = true;
		return STEP_NEXT;
	}
	r->stack[r->depth++] = x;
	for (unsigned i = 0; i < x->count; i++)
		add_hop(r, x, &x->hops[i]);
	r->depth--;
	return r->count > before ? STEP_TAKEN : STEP_NEXT;
}

static void
remember(struct resolver *r, const struct hops *h, const struct mr_route_hop *hop)
{
	struct target t = { .hops = 0 };

	key_of(t.key, h->vrf, hop->family, hop->address);
	for (unsigned i = 0; i < r->target_count; i++)
		if (memcmp(r->targets[i].key, t.key, sizeof(t.key)) == 0)
			return;
	if (r->target_count == TARGETS_MAX)
		r->watch_all = true;
	else
		r->targets[r->target_count++] = t;
}

static void
follow(struct resolver *r, const struct hops *from, const struct mr_route_hop *hop)
{
	const struct vrf *v = r->rib->vrfs[from->vrf];
	const struct table *t;
	uint8_t prefix[16];

	remember(r, from, hop);
	if (!v)
		return;
	t = &v->tables[hop->family];
	for (unsigned len = t->size * 8 + 1; len-- > 0;) {
		uint32_t at;

		if (!t->lengths[len])
			continue;
		rib_mask(prefix, hop->address, len);
		for (at = table_find(t, prefix, len); at; at = table_at(t, at)->next) {
			if (r->budget == 0) {
				r->loops = true;
				return;
			}
			r->budget--;
			if (through(r, r->rib->sets[table_at(t, at)->hops], hop) != STEP_NEXT)
				return;
		}
	}
}

/* -- hop sets ----------------------------------------------------------------------------- */

/* Weights in the ratio of the shares. */
static void
finish_weights(struct resolver *r)
{
	double largest = 0;
	bool whole = true;

	for (unsigned i = 0; i < r->count; i++) {
		double w = r->weights[i];

		largest = MR_MAX(largest, w);
		whole &= w >= 1 && w == (double)(uint32_t)w;
	}
	for (unsigned i = 0; i < r->count; i++) {
		double w = whole ? r->weights[i] : r->weights[i] / largest * 1000 + 0.5;

		r->members[i].weight = w < 1 ? 1 : (uint16_t)w;
	}
}

static void
keep_targets(struct resolver *r, struct hops *h)
{
	struct target *targets;

	h->watch_all = r->watch_all;
	if (r->target_count == h->target_count) {
		unsigned i;

		for (i = 0; i < r->target_count; i++)
			if (memcmp(r->targets[i].key, h->targets[i].key, sizeof(h->targets[i].key)))
				break;
		if (i == r->target_count)
			return;
	}
	r->rib->watch_stale = true;
	targets = realloc(h->targets, MR_MAX(r->target_count, 1u) * sizeof(*targets));
	if (!targets) {
		h->watch_all = true;
		return;
	}
	memcpy(targets, r->targets, r->target_count * sizeof(*targets));
	for (unsigned i = 0; i < r->target_count; i++)
		targets[i].hops = h->id;
	h->targets = targets;
	h->target_count = (uint16_t)r->target_count;
}

/* What the FIB holds stays until routes have been moved. */
static void
drop_group(struct mr_rib *rib, struct hops *h)
{
	if (h->usable && !h->old_group)
		h->old_group = h->group;
	else
		mr_group_put(rib->ip, h->group);
	h->group = 0;
	h->own = false;
}

static int
take_group(struct resolver *r, struct hops *h)
{
	uint32_t group;
	int rc;

	finish_weights(r);
	if (h->recursive_at && h->own)
		return mr_group_change(r->rib->ip, h->group, r->members, r->count, NULL);
	rc = h->recursive_at ? mr_group_make(r->rib->ip, r->members, r->count, &group, NULL)
			     : mr_group_get(r->rib->ip, r->members, r->count, &group, NULL);
	if (rc)
		return rc;
	if (group == h->group) {
		mr_group_put(r->rib->ip, group);
		return 0;
	}
	if (h->group)
		drop_group(r->rib, h);
	h->group = group;
	h->own = h->recursive_at != 0;
	return 0;
}

static void
mark_changed(struct mr_rib *rib, const struct hops *h)
{
	rib->changed[h->id] |= CHANGED_ROUTES;
	rib->any_changed = true;
	if (rib->vrfs[h->vrf])
		rib->vrfs[h->vrf]->changed[h->family] = true;
}

void
resolve_hops(struct mr_rib *rib, struct hops *h)
{
	struct resolver r;
	uint32_t before = h->group;
	bool usable = h->usable;

	r.rib = rib;
	r.stack[0] = h;
	r.depth = 1;
	r.budget = BUDGET;
	r.count = r.target_count = 0;
	r.loops = r.no_memory = r.watch_all = false;
	for (unsigned i = 0; i < h->count; i++)
		add_hop(&r, h, &h->hops[i]);
	h->state = r.count ? HOPS_RESOLVED
	    : r.no_memory  ? HOPS_NO_MEMORY
	    : r.loops      ? HOPS_LOOPS
			   : HOPS_UNRESOLVED;
	if (r.count && take_group(&r, h))
		h->state = HOPS_NO_MEMORY;
	if (h->state != HOPS_RESOLVED && h->group)
		drop_group(rib, h);
	for (unsigned i = 0; i < r.count; i++)
		if (r.held[i])
			mr_adjacency_put(rib->ip, r.members[i].adjacency);
	if (h->recursive_at)
		keep_targets(&r, h);
	h->usable = h->group && mr_group_usable(rib->ip, h->group) > 0;
	if (h->usable != usable || (usable && h->group != before))
		mark_changed(rib, h);
}

/* -- what changed ------------------------------------------------------------------------- */

void
resolve_touched(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, const uint8_t *prefix,
    unsigned len)
{
	struct target *d;

	if (rib->recursive_count == 0 || rib->dirty_all)
		return;
	if (rib->dirty_count == DIRTY_MAX) {
		rib->dirty_all = true;
		return;
	}
	if (!rib->dirty) {
		rib->dirty = malloc(DIRTY_MAX * sizeof(*rib->dirty)); /* touched where used */
		if (!rib->dirty) {
			rib->dirty_all = true;
			return;
		}
	}
	d = &rib->dirty[rib->dirty_count++];
	key_of(d->key, vrf, (uint8_t)family, prefix);
	d->len = (uint8_t)len;
}

static int
by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(((const struct target *)a)->key));
}

static int
watch_build(struct mr_rib *rib)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < rib->recursive_count; i++)
		count += rib->sets[rib->recursive[i]]->target_count;
	if (count > rib->watch_room) {
		struct target *watch = realloc(rib->watch, count * sizeof(*watch));

		if (!watch)
			return -ENOMEM;
		rib->watch = watch;
		rib->watch_room = count;
	}
	rib->watch_count = 0;
	for (uint32_t i = 0; i < rib->recursive_count; i++) {
		const struct hops *h = rib->sets[rib->recursive[i]];

		for (unsigned k = 0; k < h->target_count; k++)
			rib->watch[rib->watch_count++] = h->targets[k];
	}
	if (rib->watch_count > 1)
		qsort(rib->watch, rib->watch_count, sizeof(*rib->watch), by_key);
	rib->watch_stale = false;
	return 0;
}

/* Those with a target under the prefix are to be asked. */
static void
ask_below(struct mr_rib *rib, const struct target *d)
{
	uint32_t low = 0, high = rib->watch_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (by_key(&rib->watch[middle], d) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < rib->watch_count && memcmp(rib->watch[low].key, d->key, 3) == 0 &&
	     rib_covers(d->key + 3, d->len, rib->watch[low].key + 3);
	     low++)
		rib->changed[rib->watch[low].hops] |= CHANGED_ASK;
}

static void
ask_recursive(struct mr_rib *rib)
{
	bool all = rib->dirty_all || (rib->dirty_count > 0 && rib->watch_stale && watch_build(rib));

	for (uint32_t i = 0; !all && i < rib->dirty_count; i++)
		ask_below(rib, &rib->dirty[i]);
	for (uint32_t i = 0; i < rib->recursive_count; i++) {
		struct hops *h = rib->sets[rib->recursive[i]];
		bool ask = all || (rib->changed[h->id] & CHANGED_ASK) ||
		    (h->watch_all && rib->dirty_count > 0);

		rib->changed[h->id] &= CHANGED_ROUTES;
		if (ask)
			resolve_hops(rib, h);
	}
	rib->dirty_count = 0;
	rib->dirty_all = false;
}

void
resolve_again(struct mr_rib *rib)
{
	if (rib->links_changed) {
		for (uint32_t i = 1; i < rib->set_end; i++) {
			struct hops *h = rib->sets[i];

			if (h && h->links && !h->recursive_at)
				resolve_hops(rib, h);
		}
		rib->links_changed = false;
		rib->dirty_all = true;
	}
	if (rib->dirty_all || rib->dirty_count > 0)
		ask_recursive(rib);
}
