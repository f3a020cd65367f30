/* SPDX-License-Identifier: Apache-2.0 */
/* Ways: to servers, as control looks them up once a second, and to clients, as workers do for
 * the few packets that may be too big. */
#include <string.h>

#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/ip/group.h"
#include "nf/lb/control_int.h"
#include "nf/lb/node_int.h"

/* The first next hop of a group. */
static uint32_t
member(const struct mr_ip *ip, uint32_t found)
{
	/* Acquire pairs with the release in group.c: the buckets are filled. */
	uint64_t group = atomic_load_explicit(&ip->groups[found], memory_order_acquire);

	if (!mr_group_mask(group))
		return mr_group_base(group);
	return atomic_load_explicit(&ip->buckets[mr_group_base(group)], memory_order_acquire);
}

static uint64_t
control_of(const struct mr_ip *ip, uint32_t adjacency)
{
	return atomic_load_explicit(&ip->adjacencies[adjacency].control, memory_order_acquire);
}

unsigned
lb_route_mtu(const struct mr_ip *ip, uint16_t interface, bool six, const uint8_t *address)
{
	const struct mr_ip_interface *i = &ip->interfaces[interface];
	uint32_t adjacency;

	if (!(mr_ip_flags(i) & (six ? MR_IP_FORWARD6 : MR_IP_FORWARD4)))
		return 0;
	adjacency = member(ip,
	    six ? mr_fib6_find(mr_ip_fib6(i), address)
		: mr_fib4_find(mr_ip_fib4(i), mr_load_be32(address)));
	return adjacency < MR_IP_SPECIALS ? 0 : MR_ADJACENCY_MTU(control_of(ip, adjacency));
}

bool
lb_route_is_own(const struct mr_ip *ip, uint16_t interface, bool six, const uint8_t *address)
{
	const struct mr_ip_interface *i = &ip->interfaces[interface];

	if (!(mr_ip_flags(i) & (six ? MR_IP_FORWARD6 : MR_IP_FORWARD4)))
		return false;
	return member(ip,
		   six ? mr_fib6_find(mr_ip_fib6(i), address)
		       : mr_fib4_find(mr_ip_fib4(i), mr_load_be32(address))) == MR_IP_SPECIAL_LOCAL;
}

/* -- control -------------------------------------------------------------------------------- */

static uint32_t
look_up(const struct mr_ip *ip, uint16_t vrf, bool six, const uint8_t *bytes)
{
	uint8_t prefix[16];
	unsigned len;

	return member(ip, mr_ip_lookup(ip, vrf, six ? MR_IP6 : MR_IP4, bytes, prefix, &len));
}

static bool
differs(_Atomic uint32_t *at, uint32_t value)
{
	if (atomic_load_explicit(at, memory_order_relaxed) == value)
		return false;
	atomic_store_explicit(at, value, memory_order_relaxed);
	return true;
}

/* The interface that a server is on the link of; 0: none. */
static uint16_t
link_of(const struct mr_ip *ip, uint16_t vrf, enum mr_ip_family family, const uint8_t *address)
{
	for (uint32_t i = 1; i < ip->interface_end; i++) {
		const struct mr_ip_interface *in = &ip->interfaces[i];

		if (ip->info[i].name[0] && mr_ip_vrf(in) == vrf &&
		    !(mr_ip_flags(in) & MR_IP_LOOPBACK) &&
		    mr_ip_on_link(ip, (uint16_t)i, family, address))
			return (uint16_t)i;
	}
	return 0;
}

void
lb_route_forget(struct mr_lb *lb, uint16_t backend)
{
	struct lb_record *r = &lb->records[backend];

	atomic_store_explicit(&lb->core->live[backend].adjacency, 0, memory_order_relaxed);
	if (r->adjacency)
		mr_adjacency_put(lb->base->ip, r->adjacency);
	r->adjacency = 0;
}

/* Mode l2: its own next hop. */
static bool
refresh_link(struct mr_lb *lb, uint16_t vrf, uint16_t backend, const struct lb_backend *b)
{
	enum mr_ip_family family = b->six ? MR_IP6 : MR_IP4;
	struct mr_ip *ip = lb->base->ip;
	struct lb_live *live = &lb->core->live[backend];
	uint16_t interface = link_of(ip, vrf, family, b->address);
	uint32_t adjacency = lb->records[backend].adjacency;
	struct mr_error error;
	bool changed;

	if (adjacency && mr_adjacency_info(ip, adjacency)->interface != interface) {
		lb_route_forget(lb, backend);
		adjacency = 0;
	}
	if (!adjacency && interface &&
	    mr_adjacency_get(ip, interface, family, b->address, &adjacency, &error) == 0)
		lb->records[backend].adjacency = adjacency;
	changed = differs(&live->adjacency, adjacency);
	return changed | differs(&live->mtu, interface ? mr_ip_mtu(&ip->interfaces[interface]) : 0);
}

static bool
refresh_source(struct lb_live *live, const uint8_t bytes[16])
{
	uint64_t words[2];
	bool changed = false;

	memcpy(words, bytes, 16);
	for (unsigned i = 0; i < 2; i++) {
		changed |= atomic_load_explicit(&live->source[i], memory_order_relaxed) != words[i];
		atomic_store_explicit(&live->source[i], words[i], memory_order_relaxed);
	}
	return changed;
}

/* All other modes: its route. */
static bool
refresh_route(struct mr_lb *lb, uint16_t vrf, uint16_t backend, const struct lb_backend *b)
{
	const struct mr_ip *ip = lb->base->ip;
	uint32_t adjacency = look_up(ip, vrf, b->six, b->address), mtu = 0;
	struct lb_live *live = &lb->core->live[backend];
	const struct mr_ip_address *from = NULL;
	uint8_t source[16] = { 0 };
	bool changed;

	if (adjacency >= MR_IP_SPECIALS) {
		uint64_t control = control_of(ip, adjacency);

		mtu = MR_ADJACENCY_MTU(control);
		from = mr_ip_address_for(ip, (uint16_t)MR_ADJACENCY_INTERFACE(control),
		    b->six ? MR_IP6 : MR_IP4, b->address);
	}
	if (from)
		memcpy(source, from->bytes, b->six ? 16 : 4);
	changed = refresh_source(live, source);
	return changed | differs(&live->mtu, mtu);
}

static bool
refresh_addresses(struct mr_lb *lb)
{
	const struct lb_view *v = lb->view;
	bool changed = false;

	for (uint32_t n = 0; n < v->address_count; n++) {
		const struct lb_address *a = &v->addresses[n];
		bool own;

		if (!(a->roles & (LB_ROLE_SERVICE | LB_ROLE_SOURCE)))
			continue;
		own = look_up(lb->base->ip, a->vrf, a->six, a->bytes) == MR_IP_SPECIAL_LOCAL;
		changed |= atomic_load_explicit(&lb->core->own[n], memory_order_relaxed) != own;
		atomic_store_explicit(&lb->core->own[n], own, memory_order_relaxed);
	}
	return changed;
}

static uint32_t
least_mtu(const struct mr_ip *ip)
{
	uint32_t least = 0;

	for (uint32_t i = 1; i < ip->interface_end; i++) {
		const struct mr_ip_interface *in = &ip->interfaces[i];
		uint32_t mtu = mr_ip_mtu(in);

		if (!ip->info[i].name[0] || (mr_ip_flags(in) & MR_IP_LOOPBACK) || !mtu)
			continue;
		least = least ? MR_MIN(least, mtu) : mtu;
	}
	return least;
}

void
lb_route_refresh(struct mr_lb *lb)
{
	bool changed = refresh_addresses(lb);

	changed |= differs(&lb->core->mtu_least, least_mtu(lb->base->ip));
	if (changed)
		mr_generation_bump(&lb->core->settings);
	for (uint32_t i = 0; i < lb->view->backend_end; i++) {
		const struct lb_backend *b = &lb->view->backends[i];
		const struct lb_service *s;

		if (b->service == LB_NONE)
			continue;
		s = &lb->view->services[b->service];
		if (s->mode == LB_MODE_L2 ? refresh_link(lb, s->vrf, (uint16_t)i, b)
					  : refresh_route(lb, s->vrf, (uint16_t)i, b))
			mr_generation_bump(&lb->core->live[i].changed);
	}
}
