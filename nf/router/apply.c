/* SPDX-License-Identifier: Apache-2.0 */
/* A plan becomes VRFs and interfaces. What stays keeps its index, and so its neighbours and routes. */
#include <stdio.h>
#include <string.h>

#include "nf/router/router_int.h"

#define LOOPBACK_MTU 65535u

int
router_allocate(struct router *r, struct mr_error *error)
{
	struct mr_ip *ip = r->base.ip;
	int rc;

	for (uint32_t i = 0; i < r->next.vrf_count; i++) {
		struct plan_vrf *v = &r->next.vrfs[i];

		v->index = mr_ip_vrf_find(ip, v->name);
		if (v->index != UINT16_MAX)
			continue;
		rc = mr_ip_vrf_create(ip, v->name, &v->index, error);
		if (rc)
			return mr_error_prefix(error, "router %s", v->name), rc;
		v->fresh = true;
	}
	for (uint32_t i = 0; i < r->next.interface_count; i++) {
		struct plan_interface *p = &r->next.interfaces[i];

		p->index = mr_ip_interface_find(ip, p->name);
		if (p->index)
			continue;
		rc = mr_ip_interface_create(ip, p->name, &p->index, error);
		if (rc)
			return rc;
		p->fresh = true;
	}
	return 0;
}

/* Undoes router_allocate. */
void
router_deallocate(struct router *r)
{
	for (uint32_t i = 0; i < r->next.interface_count; i++)
		if (r->next.interfaces[i].fresh)
			mr_ip_interface_destroy(r->base.ip, r->next.interfaces[i].index);
	for (uint32_t i = 0; i < r->next.vrf_count; i++)
		if (r->next.vrfs[i].fresh)
			mr_ip_vrf_destroy(r->base.ip, r->next.vrfs[i].index);
}

/* -- addresses ------------------------------------------------------------------------ */

static struct mr_ip_address *
find_address(struct mr_ip_interface_info *info, const struct mr_ip_address *a)
{
	for (uint32_t i = 0; i < info->address_count; i++) {
		struct mr_ip_address *b = &info->addresses[i];

		if (a->family == b->family && a->len == b->len &&
		    memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0)
			return b;
	}
	return NULL;
}

/* RFC 4291, appendix A: the modified EUI-64. */
static void
link_local(struct mr_ip_address *a, const uint8_t mac[6])
{
	const uint8_t bytes[16] = { 0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe,
		mac[3], mac[4], mac[5] };

	*a = (struct mr_ip_address){ .family = MR_IP6, .len = 64, .link_local = true };
	memcpy(a->bytes, bytes, sizeof(bytes));
}

/* What the configuration says, a link-local address where IPv6 runs and none is said, and
 * those from the host's side. Known ones keep what detection found out. */
static void
set_addresses(struct mr_ip_interface_info *info, const struct plan_interface *p)
{
	struct mr_ip_interface_info fresh = { 0 };
	bool has_link_local = !p->ipv6 || (p->flags & MR_IP_LOOPBACK);

	for (uint32_t i = 0; i < p->address_count; i++) {
		fresh.addresses[fresh.address_count++] = p->addresses[i];
		has_link_local |= p->addresses[i].link_local;
	}
	if (!has_link_local)
		link_local(&fresh.addresses[fresh.address_count++], info->mac);
	for (uint32_t i = 0; i < info->address_count; i++) {
		const struct mr_ip_address *a = &info->addresses[i];

		if (a->kernel && fresh.address_count < MR_IP_ADDRESSES_MAX &&
		    !find_address(&fresh, a))
			fresh.addresses[fresh.address_count++] = *a;
	}
	for (uint32_t i = 0; i < fresh.address_count; i++) {
		const struct mr_ip_address *old = find_address(info, &fresh.addresses[i]);

		if (!old)
			continue;
		fresh.addresses[i].tentative = old->tentative;
		fresh.addresses[i].duplicate = old->duplicate;
	}
	if (fresh.address_count == info->address_count &&
	    memcmp(fresh.addresses, info->addresses,
		fresh.address_count * sizeof(fresh.addresses[0])) == 0)
		return;
	memcpy(info->addresses, fresh.addresses, sizeof(info->addresses));
	info->address_count = fresh.address_count;
	info->generation++;
}

/* -- interfaces ----------------------------------------------------------------------- */

/* The port's address, or the configured one, or one made up of the index. */
static void
choose_mac(uint8_t mac[6], const struct plan_interface *p, const struct mr_interface *port)
{
	static const uint8_t none[6];
	const uint8_t made_up[6] = { 0x02, 'm', 'r', 0, (uint8_t)(p->index >> 8),
		(uint8_t)p->index };

	memcpy(mac, made_up, 6);
	if (p->has_mac)
		memcpy(mac, p->mac, 6);
	else if (port && port->port && memcmp(port->port->mac, none, 6))
		memcpy(mac, port->port->mac, 6);
}

static uint32_t
state_flags(const struct router *r, const struct plan_interface *p, const struct mr_interface *port)
{
	const struct mr_ip *ip = r->base.ip;
	uint32_t flags = p->flags;

	if (!p->parent[0] || (port && port->up && port->port))
		flags |= MR_IP_UP;
	if (mr_ip_address_for(ip, p->index, MR_IP4, NULL))
		flags |= MR_IP_FORWARD4;
	if (p->ipv6 || mr_ip_address_for(ip, p->index, MR_IP6, NULL))
		flags |= MR_IP_FORWARD6;
	/* These belong to the parts. */
	return flags | (mr_ip_flags(&ip->interfaces[p->index]) & (MR_IP_PROXY | MR_IP_DAD));
}

void
router_interface_update(struct router *r, const struct plan_interface *p)
{
	struct mr_ip *ip = r->base.ip;
	const struct mr_interface *port =
	    p->parent[0] ? mr_interface_find(mr_interfaces_of(r->base.dp), p->parent) : NULL;
	struct mr_ip_interface_info *info = &ip->info[p->index];
	const struct mr_ip_interface *before = &ip->interfaces[p->index];
	struct mr_ip_interface next = *before;
	const struct mr_ip_address *four, *six;
	const struct plan *plan = r->changing ? &r->next : &r->now;
	const struct plan_interface *lender = router_plan_interface(plan, p->unnumbered);
	const struct mr_ip_vrf *vrf = &ip->vrfs[plan->vrfs[p->vrf].index];
	bool refresh;

	snprintf(info->parent, sizeof(info->parent), "%s", p->parent);
	info->borrowed = lender ? lender->index : 0;
	choose_mac(info->mac, p, port);
	set_addresses(info, p);
	/* Nobody else sees `next`: no order matters, whatever its fields are. */
	next.mac = 0;
	memcpy(&next.mac, info->mac, 6);
	next.fib4 = vrf->fib4;
	next.fib6 = vrf->fib6;
	next.vrf = plan->vrfs[p->vrf].index;
	next.port = port ? port->index : MR_IP_NO_PORT;
	next.vlan = p->vlan;
	next.mtu = (uint16_t)LOOPBACK_MTU;
	if (port && port->port)
		next.mtu = port->port->mtu;
	if (p->mtu)
		next.mtu = MR_MIN(p->mtu, next.mtu);
	next.clamp4 = p->clamp4;
	next.clamp6 = p->clamp6;
	four = mr_ip_address_for(ip, p->index, MR_IP4, NULL);
	six = mr_ip_address_for(ip, p->index, MR_IP6, NULL);
	next.address4 = 0;
	if (four)
		memcpy(&next.address4, four->bytes, 4);
	memset(next.address6, 0, sizeof(next.address6));
	if (six)
		memcpy(next.address6, six->bytes, 16);
	next.flags = state_flags(r, p, port);
	refresh = mr_ip_mac(before) != next.mac || mr_ip_port(before) != next.port ||
	    mr_ip_vlan(before) != next.vlan || mr_ip_mtu(before) != next.mtu ||
	    mr_ip_flags(before) != next.flags;
	mr_ip_interface_write(ip, p->index, &next);
	if (refresh)
		mr_adjacency_refresh(ip, p->index);
}

static void
map(struct router *r, const struct plan_interface *p)
{
	uint16_t port = mr_ip_port(&r->base.ip->interfaces[p->index]);

	if (port == MR_IP_NO_PORT)
		return;
	if (mr_ip_interface_map(r->base.ip, port, p->vlan, p->index))
		mr_log(mr_dataplane_log(r->base.dp), MR_LOG_ERROR,
		    "interface %s: no memory for its VLAN", p->name);
	mr_interface_use(mr_interfaces_of(r->base.dp), port, r->base.ip->input);
}

/* Not what stays on the same port and tag: its frames would have no interface meanwhile. */
static void
unmap(struct router *r, const struct plan_interface *p)
{
	uint16_t port = mr_ip_port(&r->base.ip->interfaces[p->index]);
	const struct plan_interface *next = router_plan_interface(&r->next, p->name);
	const struct mr_interface *parent =
	    mr_interface_find(mr_interfaces_of(r->base.dp), p->parent);
	bool stays = next && parent && parent->index == port && next->vlan == p->vlan &&
	    strcmp(next->parent, p->parent) == 0;

	if (port != MR_IP_NO_PORT && !stays)
		mr_ip_interface_map(r->base.ip, port, p->vlan, 0);
}

void
router_apply(struct router *r)
{
	for (uint32_t i = 0; i < r->now.interface_count; i++)
		unmap(r, &r->now.interfaces[i]);
	for (uint32_t i = 0; i < r->next.interface_count; i++) {
		router_interface_update(r, &r->next.interfaces[i]);
		map(r, &r->next.interfaces[i]);
	}
	/* Twice, because those that borrow look at addresses of others. */
	for (uint32_t i = 0; i < r->next.interface_count; i++)
		if (r->next.interfaces[i].unnumbered[0])
			router_interface_update(r, &r->next.interfaces[i]);
	for (uint32_t i = 0; i < r->next.vrf_count; i++)
		router_routes_of(r, &r->next, &r->next.vrfs[i]);
	for (uint32_t i = 0; i < r->next.interface_count; i++) {
		struct plan_interface *p = &r->next.interfaces[i];

		p->routed = r->base.ip->info[p->index].generation;
	}
	mr_rib_settle(r->base.rib);
}

/* What only the old plan had. */
void
router_release(struct router *r, const struct plan *old)
{
	for (uint32_t i = 0; i < old->interface_count; i++) {
		const struct plan_interface *p = &old->interfaces[i];

		if (router_plan_interface(&r->now, p->name))
			continue;
		mr_ip_interface_flag(r->base.ip, p->index, UINT32_MAX, false);
		mr_rib_interface_gone(r->base.rib, p->index);
		mr_ip_interface_destroy(r->base.ip, p->index);
	}
	for (uint32_t i = 0; i < old->vrf_count; i++) {
		bool stays = false;

		for (uint32_t n = 0; n < r->now.vrf_count; n++)
			stays |= !strcmp(r->now.vrfs[n].name, old->vrfs[i].name);
		if (stays)
			continue;
		mr_rib_clear_vrf(r->base.rib, old->vrfs[i].index);
		mr_ip_vrf_destroy(r->base.ip, old->vrfs[i].index);
	}
	mr_rib_settle(r->base.rib);
}
