/* SPDX-License-Identifier: Apache-2.0 */
/* A plain RIB: a list, searched from end to end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/rib/rib.h"

struct entry {
	struct entry *next;
	struct mr_route route;
	struct mr_route_hop *hops;
	uint16_t vrf;
	bool marked;
	uint32_t group;
	uint8_t state;
};

struct mr_rib {
	struct mr_ip *ip;
	struct entry *list;
};

int
mr_rib_create(struct mr_rib **out, struct mr_ip *ip, struct mr_error *error)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return mr_error_set(error, -ENOMEM, "no memory");
	(*out)->ip = ip;
	return 0;
}

static void
write_fib(struct mr_rib *rib, uint16_t vrf, unsigned family, const uint8_t *prefix, unsigned len,
    uint32_t group)
{
	struct mr_ip_vrf *v = &rib->ip->vrfs[vrf];
	uint32_t address;

	memcpy(&address, prefix, 4);
	address = mr_be32(address);
	if (family == MR_IP4)
		group ? mr_fib4_set(v->fib4, address, len, group)
		      : mr_fib4_unset(v->fib4, address, len);
	else
		group ? mr_fib6_set(v->fib6, prefix, len, group)
		      : mr_fib6_unset(v->fib6, prefix, len);
}

static bool
same(const struct entry *e, uint16_t vrf, unsigned family, const uint8_t *prefix, unsigned len)
{
	return e->vrf == vrf && e->route.family == family && e->route.len == len &&
	    !memcmp(e->route.prefix, prefix, 16);
}

static uint32_t
resolve(struct mr_rib *rib, struct entry *e)
{
	struct mr_group_member members[MR_GROUP_MEMBERS_MAX];
	unsigned count = 0;
	uint32_t group = 0;
	struct mr_error error;

	for (unsigned i = 0; i < e->route.hop_count; i++) {
		const struct mr_route_hop *h = &e->hops[i];
		uint16_t interface = h->interface;
		uint32_t adjacency;

		if (h->kind == MR_HOP_SPECIAL)
			return h->special;
		if (h->kind == MR_HOP_VIA && !interface) {
			for (uint32_t n = 1; n < rib->ip->interface_end; n++)
				if (rib->ip->info[n].name[0] && rib->ip->interfaces[n].vrf == e->vrf &&
				    mr_ip_on_link(rib->ip, (uint16_t)n, h->family, h->address))
					interface = (uint16_t)n;
		}
		if (!interface || !(rib->ip->interfaces[interface].flags & MR_IP_UP))
			continue;
		if (h->kind == MR_HOP_DIRECT
			? mr_adjacency_glean(rib->ip, interface, e->route.family, &adjacency, &error)
			: mr_adjacency_get(rib->ip, interface, h->family, h->address, &adjacency,
			      &error))
			continue;
		members[count].weight = h->weight;
		members[count++].adjacency = adjacency;
	}
	if (count)
		mr_group_get(rib->ip, members, count, &group, &error);
	for (unsigned i = 0; i < count; i++)
		mr_adjacency_put(rib->ip, members[i].adjacency);
	return group;
}

static void
decide(struct mr_rib *rib, uint16_t vrf, unsigned family, const uint8_t *prefix, unsigned len)
{
	struct entry *best = NULL;

	for (struct entry *e = rib->list; e; e = e->next) {
		if (!same(e, vrf, family, prefix, len))
			continue;
		if (e->group >= MR_IP_SPECIALS)
			mr_group_put(rib->ip, e->group);
		e->group = resolve(rib, e);
		e->state = e->group ? MR_ROUTE_SHADOWED : MR_ROUTE_UNRESOLVED;
		if (e->group && (!best || e->route.source < best->route.source))
			best = e;
	}
	if (best)
		best->state = MR_ROUTE_ACTIVE;
	write_fib(rib, vrf, family, prefix, len, best ? best->group : 0);
}

int
mr_rib_set(struct mr_rib *rib, uint16_t vrf, const struct mr_route *route, struct mr_error *error)
{
	struct entry *e;

	for (e = rib->list; e; e = e->next)
		if (same(e, vrf, route->family, route->prefix, route->len) &&
		    e->route.source == route->source)
			break;
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return mr_error_set(error, -ENOMEM, "no memory");
		e->next = rib->list;
		rib->list = e;
	}
	free(e->hops);
	e->route = *route;
	e->hops = calloc(route->hop_count, sizeof(*e->hops));
	memcpy(e->hops, route->hops, route->hop_count * sizeof(*e->hops));
	e->route.hops = e->hops;
	e->vrf = vrf;
	e->marked = false;
	decide(rib, vrf, route->family, route->prefix, route->len);
	return 0;
}

static void
drop(struct mr_rib *rib, struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	if (e->group >= MR_IP_SPECIALS)
		mr_group_put(rib->ip, e->group);
	decide(rib, e->vrf, e->route.family, e->route.prefix, e->route.len);
	free(e->hops);
	free(e);
}

int
mr_rib_unset(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, const uint8_t prefix[16],
    unsigned len, enum mr_route_source source)
{
	for (struct entry **at = &rib->list; *at; at = &(*at)->next)
		if (same(*at, vrf, family, prefix, len) && (*at)->route.source == source) {
			drop(rib, at);
			return 0;
		}
	return -ENOENT;
}

static uint32_t
drop_those(struct mr_rib *rib, uint16_t vrf, int source, bool marked)
{
	struct entry **at = &rib->list;
	uint32_t n = 0;

	while (*at) {
		if ((*at)->vrf == vrf && (source < 0 || (*at)->route.source == source) &&
		    (!marked || (*at)->marked)) {
			drop(rib, at);
			n++;
		} else {
			at = &(*at)->next;
		}
	}
	return n;
}

void
mr_rib_clear(struct mr_rib *rib, uint16_t vrf, enum mr_route_source source)
{
	drop_those(rib, vrf, source, false);
}

void
mr_rib_clear_vrf(struct mr_rib *rib, uint16_t vrf)
{
	drop_those(rib, vrf, -1, false);
}

void
mr_rib_mark(struct mr_rib *rib, uint16_t vrf, enum mr_route_source source)
{
	for (struct entry *e = rib->list; e; e = e->next)
		if (e->vrf == vrf && e->route.source == source)
			e->marked = true;
}

uint32_t
mr_rib_sweep(struct mr_rib *rib, uint16_t vrf, enum mr_route_source source)
{
	return drop_those(rib, vrf, source, true);
}

void
mr_rib_interface(struct mr_rib *rib, uint16_t interface, bool up)
{
	(void)interface;
	(void)up;
	for (struct entry *e = rib->list; e; e = e->next)
		decide(rib, e->vrf, e->route.family, e->route.prefix, e->route.len);
}

void
mr_rib_settle(struct mr_rib *rib)
{
	(void)rib;
}

bool
mr_rib_get(const struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family,
    const uint8_t prefix[16], unsigned len, enum mr_route_source source, struct mr_route *route,
    enum mr_route_state *state)
{
	for (struct entry *e = rib->list; e; e = e->next)
		if (same(e, vrf, family, prefix, len) && e->route.source == source) {
			*route = e->route;
			*state = e->state;
			return true;
		}
	return false;
}

int
mr_rib_each(const struct mr_rib *rib, uint16_t vrf, bool sorted, mr_rib_each_fn *fn, void *user)
{
	(void)sorted;
	for (struct entry *e = rib->list; e; e = e->next)
		if (e->vrf == vrf && !fn(user, &e->route, e->state, e->group))
			break;
	return 0;
}

uint32_t
mr_rib_count(const struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family,
    enum mr_route_source source)
{
	uint32_t n = 0;

	for (struct entry *e = rib->list; e; e = e->next)
		n += e->vrf == vrf && e->route.family == family && e->route.source == source;
	return n;
}

uint32_t
mr_rib_diff(const struct mr_rib *rib, uint16_t vrf,
    void (*difference)(void *user, const struct mr_rib_difference *), void *user)
{
	(void)rib;
	(void)vrf;
	(void)difference;
	(void)user;
	return 0;
}

const char *
mr_route_source_name(enum mr_route_source source)
{
	static const char *const names[] = { "local", "connected", "neighbor", "static", "fpm",
		"kernel" };

	return names[source];
}

const char *
mr_route_state_name(enum mr_route_state state)
{
	static const char *const names[] = { "active", "shadowed", "unresolved", "loops",
		"no-memory" };

	return names[state];
}

void
mr_rib_destroy(struct mr_rib *rib)
{
	if (!rib)
		return;
	while (rib->list) {
		struct entry *e = rib->list;

		rib->list = e->next;
		free(e->hops);
		free(e);
	}
	free(rib);
}
