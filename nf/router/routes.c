/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes that follow from the configuration: what no packet may be sent to, the router's
 * own addresses, their subnets, and the static ones. Given anew with every change; what is
 * not given again goes.
 */
#include <linux/rtnetlink.h>
#include <string.h>

#include "nf/router/router_int.h"

struct given {
	struct router *r;
	uint16_t vrf;
};

static void
give(const struct given *g, const struct mr_route *route, const char *what)
{
	struct mr_error error;

	if (mr_rib_set(g->r->base.rib, g->vrf, route, &error) == 0)
		return;
	mr_log(mr_dataplane_log(g->r->base.dp), MR_LOG_WARNING, "router %s: %s: %s",
	    g->r->base.ip->vrfs[g->vrf].name, what, error.text);
}

static void
give_hop(const struct given *g, enum mr_route_source source, uint8_t family, const uint8_t *prefix,
    unsigned len, const struct mr_route_hop *hop, const char *what)
{
	struct mr_route route = {
		.family = family,
		.len = (uint8_t)len,
		.source = (uint8_t)source,
		.protocol = RTPROT_KERNEL,
		.hop_count = 1,
		.hops = hop,
	};
	unsigned size = family == MR_IP4 ? 4 : 16;

	for (unsigned i = 0; i < size; i++) {
		unsigned bits = len > i * 8 ? MR_MIN(len - i * 8, 8u) : 0;

		route.prefix[i] = prefix[i] & (uint8_t)(0xff00u >> bits);
	}
	give(g, &route, what);
}

static void
give_special(const struct given *g, uint8_t family, const uint8_t *prefix, unsigned len,
    enum mr_ip_special special, const char *what)
{
	const struct mr_route_hop hop = {
		.kind = MR_HOP_SPECIAL,
		.family = family,
		.special = (uint8_t)special,
		.weight = 1,
	};

	give_hop(g, MR_ROUTE_LOCAL, family, prefix, len, &hop, what);
}

/* What holds in every routing table. */
static void
give_fixed(const struct given *g)
{
	static const struct {
		uint8_t family, len, special;
		uint8_t prefix[16];
	} fixed[] = {
		/* RFC 1812, 5.3.7; RFC 1122, 3.2.1.3 */
		{ MR_IP4, 8, MR_IP_SPECIAL_MARTIAN, { 0 } },
		{ MR_IP4, 8, MR_IP_SPECIAL_MARTIAN, { 127 } },
		{ MR_IP4, 4, MR_IP_SPECIAL_MARTIAN, { 240 } },
		{ MR_IP4, 4, MR_IP_SPECIAL_MULTICAST, { 224 } },
		{ MR_IP4, 32, MR_IP_SPECIAL_LOCAL, { 255, 255, 255, 255 } },
		/* RFC 4291, 2.5.2, 2.5.3, 2.5.6, 2.7 */
		{ MR_IP6, 128, MR_IP_SPECIAL_MARTIAN, { 0 } },
		{ MR_IP6, 128, MR_IP_SPECIAL_MARTIAN, { [15] = 1 } },
		{ MR_IP6, 10, MR_IP_SPECIAL_LINK_LOCAL, { 0xfe, 0x80 } },
		{ MR_IP6, 8, MR_IP_SPECIAL_MULTICAST, { 0xff } },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(fixed); i++)
		give_special(g, fixed[i].family, fixed[i].prefix, fixed[i].len,
		    (enum mr_ip_special)fixed[i].special, "fixed route");
}

/* A subnet's broadcast address: to everybody on the link, where that is wanted. */
static void
give_broadcast(const struct given *g, uint16_t index, const struct mr_ip_address *a)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct mr_ip *ip = g->r->base.ip;
	struct mr_route_hop hop = {
		.kind = MR_HOP_VIA,
		.family = MR_IP4,
		.interface = index,
		.weight = 1,
		.onlink = true,
	};
	uint32_t address, mask = a->len ? ~0u << (32 - a->len) : 0, adjacency;
	uint8_t last[16] = { 0 };

	memcpy(&address, a->bytes, 4);
	address = mr_be32(mr_be32(address) | ~mask);
	memcpy(last, &address, 4);
	memcpy(hop.address, last, 16);
	/* All zeroes is the old form of it (RFC 1812, 4.2.3.1). */
	address = mr_be32(mr_be32(address) & mask);
	give_special(g, MR_IP4, (const uint8_t *)&address, 32, MR_IP_SPECIAL_BROADCAST, "subnet");
	if (!(mr_ip_flags(&ip->interfaces[index]) & MR_IP_DIRECTED)) {
		give_special(g, MR_IP4, last, 32, MR_IP_SPECIAL_BROADCAST, "broadcast address");
		return;
	}
	give_hop(g, MR_ROUTE_LOCAL, MR_IP4, last, 32, &hop, "broadcast address");
	adjacency = mr_adjacency_find(ip, index, MR_IP4, last);
	if (adjacency)
		mr_adjacency_resolve(ip, adjacency, everybody);
}

static void
give_address(const struct given *g, uint16_t index, const struct mr_ip_address *a)
{
	const struct mr_route_hop direct = {
		.kind = MR_HOP_DIRECT,
		.family = a->family,
		.interface = index,
		.weight = 1,
	};
	unsigned bits = a->family == MR_IP4 ? 32 : 128;

	if (a->duplicate)
		return;
	give_special(g, a->family, a->bytes, bits, MR_IP_SPECIAL_LOCAL, "address");
	if (a->link_local || a->len == bits)
		return;
	give_hop(g, MR_ROUTE_CONNECTED, a->family, a->bytes, a->len, &direct, "subnet");
	/* RFC 3021: two hosts on a /31 need no broadcast; RFC 6164 likewise for a /127. */
	if (a->len == bits - 1)
		return;
	if (a->family == MR_IP4) {
		give_broadcast(g, index, a);
	} else {
		/* The subnet-router anycast address (RFC 4291, 2.6.1). */
		uint8_t anycast[16] = { 0 };

		for (unsigned i = 0; i < a->len; i++)
			anycast[i / 8] |= a->bytes[i / 8] & (uint8_t)(0x80u >> i % 8);
		give_special(g, MR_IP6, anycast, 128, MR_IP_SPECIAL_LOCAL, "anycast address");
	}
}

static void
give_static(const struct given *g, const struct plan *plan, const struct plan_route *r)
{
	for (uint16_t i = 0; i < r->route.hop_count; i++) {
		const struct plan_interface *p = router_plan_interface(plan, r->hops[i].interface);

		r->hops[i].hop.interface = p ? p->index : 0;
	}
}

void
router_routes_of(struct router *r, const struct plan *plan, const struct plan_vrf *vrf)
{
	static const enum mr_route_source sources[] = { MR_ROUTE_LOCAL, MR_ROUTE_CONNECTED,
		MR_ROUTE_STATIC };
	const struct given g = { r, vrf->index };
	uint16_t number = (uint16_t)(vrf - plan->vrfs);

	for (unsigned i = 0; i < MR_ARRAY_COUNT(sources); i++)
		mr_rib_mark(r->base.rib, vrf->index, sources[i]);
	give_fixed(&g);
	for (uint32_t i = 0; i < plan->interface_count; i++) {
		const struct plan_interface *p = &plan->interfaces[i];
		const struct mr_ip_interface_info *info = &r->base.ip->info[p->index];

		for (uint32_t n = 0; p->vrf == number && n < info->address_count; n++)
			give_address(&g, p->index, &info->addresses[n]);
	}
	for (uint32_t i = 0; i < plan->route_count; i++) {
		const struct plan_route *s = &plan->routes[i];
		struct mr_route_hop hops[MR_GROUP_MEMBERS_MAX];
		struct mr_route route = s->route;

		if (s->vrf != number)
			continue;
		give_static(&g, plan, s);
		for (uint16_t n = 0; n < MR_MIN(route.hop_count, (uint16_t)MR_GROUP_MEMBERS_MAX);
		     n++)
			hops[n] = s->hops[n].hop;
		route.hops = hops;
		give(&g, &route, "static route");
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(sources); i++)
		mr_rib_sweep(r->base.rib, vrf->index, sources[i]);
}
