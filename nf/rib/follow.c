/* SPDX-License-Identifier: Apache-2.0 */
/* The best of each prefix in the FIB, and what becomes of it when interfaces or the ways to next
 * hops change. */
#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/rib/rib_int.h"

#include <string.h>

/* -- the FIB ------------------------------------------------------------------------------ */

static uint32_t
host_order(const uint8_t *prefix)
{
	uint32_t four;

	memcpy(&four, prefix, sizeof(four));
	return mr_be32(four);
}

static int
fib_set(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, const uint8_t *prefix,
    unsigned len, uint32_t group)
{
	const struct mr_ip_vrf *v = &rib->ip->vrfs[vrf];

	int rc = family == MR_IP4 ? mr_fib4_set(v->fib4, host_order(prefix), len, group)
				  : mr_fib6_set(v->fib6, prefix, len, group);

	mr_ip_vrf_changed(rib->ip, vrf, family, prefix, len);
	return rc;
}

static void
fib_unset(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, const uint8_t *prefix,
    unsigned len)
{
	const struct mr_ip_vrf *v = &rib->ip->vrfs[vrf];

	if (family == MR_IP4)
		mr_fib4_unset(v->fib4, host_order(prefix), len);
	else
		mr_fib6_unset(v->fib6, prefix, len);
	mr_ip_vrf_changed(rib->ip, vrf, family, prefix, len);
}

uint32_t
rib_fib_get(const struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, const uint8_t *prefix,
    unsigned len)
{
	const struct mr_ip_vrf *v = &rib->ip->vrfs[vrf];

	return family == MR_IP4 ? mr_fib4_get(v->fib4, host_order(prefix), len)
				: mr_fib6_get(v->fib6, prefix, len);
}

uint32_t
rib_best(const struct mr_rib *rib, const struct table *t, uint32_t head)
{
	while (head && !rib->sets[table_at(t, head)->hops]->usable)
		head = table_at(t, head)->next;
	return head;
}

void
rib_choose(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, uint32_t head,
    const uint8_t *prefix, unsigned len, bool was, bool again)
{
	struct table *t = &rib->vrfs[vrf]->tables[family];
	uint32_t best = rib_best(rib, t, head), at;
	struct route *r;

	if (best && (table_at(t, best)->flags & ROUTE_FIB) && !again)
		return;
	for (at = head; at; at = table_at(t, at)->next) {
		r = table_at(t, at);
		was |= (r->flags & ROUTE_FIB) != 0;
		if (r->flags & ROUTE_NO_MEMORY)
			rib->starved--;
		r->flags &= (uint8_t) ~(ROUTE_FIB | ROUTE_NO_MEMORY);
	}
	if (best) {
		r = table_at(t, best);
		if (fib_set(rib, vrf, family, prefix, len, rib->sets[r->hops]->group) == 0) {
			r->flags |= ROUTE_FIB;
			return;
		}
		r->flags |= ROUTE_NO_MEMORY;
		rib->starved++;
	}
	if (was)
		fib_unset(rib, vrf, family, prefix, len);
}

/* -- following changes -------------------------------------------------------------------- */

/* Looks at every route of the tables in question: 1 M in some 5 ms, where a list through the
 * routes of each hop set would cost 8 bytes a route. */
static void
move_routes(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family)
{
	struct table *t = &rib->vrfs[vrf]->tables[family];

	for (uint32_t i = 1; i < t->end; i++) {
		const struct route *r = table_at(t, i);
		uint32_t head = i;

		if (!(r->flags & ROUTE_USED) || !rib->changed[r->hops])
			continue;
		if (!(r->flags & ROUTE_HEAD))
			head = table_find(t, r->prefix, r->len);
		rib_choose(rib, vrf, family, head, r->prefix, r->len, false, true);
	}
}

static void
apply(struct mr_rib *rib)
{
	if (!rib->any_changed)
		return;
	for (unsigned v = 0; v < MR_IP_VRFS_MAX; v++)
		for (unsigned f = 0; rib->vrfs[v] && f < MR_IP_FAMILIES; f++) {
			if (rib->vrfs[v]->changed[f])
				move_routes(rib, (uint16_t)v, (enum mr_ip_family)f);
			rib->vrfs[v]->changed[f] = false;
		}
	for (uint32_t i = 1; i < rib->set_end; i++) {
		struct hops *h = rib->sets[i];

		if (!h || !rib->changed[i])
			continue;
		rib->changed[i] = 0;
		mr_group_put(rib->ip, h->old_group);
		h->old_group = 0;
	}
	rib->any_changed = false;
}

static void
try_starved(struct mr_rib *rib)
{
	if (!rib->starved || rib->removed == rib->removed_seen)
		return;
	rib->removed_seen = rib->removed;
	for (unsigned v = 0; v < MR_IP_VRFS_MAX; v++)
		for (unsigned f = 0; rib->vrfs[v] && f < MR_IP_FAMILIES; f++) {
			struct table *t = &rib->vrfs[v]->tables[f];

			for (uint32_t i = 1; i < t->end; i++) {
				const struct route *r = table_at(t, i);

				if ((r->flags & ROUTE_USED) && (r->flags & ROUTE_NO_MEMORY))
					rib_choose(rib, (uint16_t)v, (enum mr_ip_family)f,
					    table_find(t, r->prefix, r->len), r->prefix, r->len,
					    false, true);
			}
		}
}

static void
resolve_and_apply(struct mr_rib *rib)
{
	resolve_again(rib);
	apply(rib);
}

static bool
leads_through(const struct hops *h, uint16_t interface)
{
	for (unsigned i = 0; i < h->count; i++)
		if (h->hops[i].kind != MR_HOP_SPECIAL && h->hops[i].interface == interface)
			return true;
	return false;
}

static void
see(struct mr_rib *rib, uint16_t interface, bool up)
{
	rib->seen[interface] = (struct seen){
		.generation = rib->ip->info[interface].generation,
		.vrf = mr_ip_vrf(&rib->ip->interfaces[interface]),
		.exists = rib->ip->info[interface].name[0] != 0,
		.up = up,
	};
}

void
mr_rib_interface(struct mr_rib *rib, uint16_t interface, bool up)
{
	if (!interface)
		return;
	see(rib, interface, up);
	mr_group_interface(rib->ip, interface, up, NULL, NULL);
	for (uint32_t i = 1; i < rib->set_end; i++) {
		struct hops *h = rib->sets[i];

		if (h && !h->recursive_at && leads_through(h, interface))
			resolve_hops(rib, h);
	}
	rib->dirty_all = true;
	resolve_and_apply(rib);
}

void
mr_rib_interface_gone(struct mr_rib *rib, uint16_t interface)
{
	if (!interface)
		return;
	for (uint32_t i = 1; i < rib->set_end; i++) {
		struct hops *h = rib->sets[i];

		if (!h || !leads_through(h, interface))
			continue;
		hops_orphan(rib, h);
		for (unsigned k = 0; k < h->count; k++)
			if (h->hops[k].interface == interface)
				h->hops[k].interface = UINT16_MAX;
		if (!h->recursive_at)
			resolve_hops(rib, h);
	}
	rib->seen[interface].exists = false;
	rib->dirty_all = true;
	resolve_and_apply(rib);
	hops_reap(rib);
	mr_group_flush(rib->ip);
}

/* What nobody told us of: groups made before their interface came up, addresses, moves between
 * VRFs. */
static void
look_at_interfaces(struct mr_rib *rib)
{
	const struct mr_ip *ip = rib->ip;

	for (uint16_t i = 1; i < ip->interface_end; i++) {
		const struct seen *s = &rib->seen[i];
		bool exists = ip->info[i].name[0] != 0;
		bool up = (mr_ip_flags(&ip->interfaces[i]) & MR_IP_UP) != 0;

		if (!exists && s->exists)
			mr_rib_interface_gone(rib, i);
		else if (exists &&
		    (!s->exists || s->up != up || s->generation != ip->info[i].generation ||
			s->vrf != mr_ip_vrf(&ip->interfaces[i])))
			mr_rib_interface(rib, i, up);
	}
}

void
mr_rib_settle(struct mr_rib *rib)
{
	look_at_interfaces(rib);
	resolve_and_apply(rib);
	try_starved(rib);
	hops_reap(rib);
	mr_group_flush(rib->ip);
}
