/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>

#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/router/router_int.h"

static void
show_address(const struct mr_ip_address *a, struct mr_state *st)
{
	char text[INET6_ADDRSTRLEN], full[INET6_ADDRSTRLEN + 4];

	inet_ntop(a->family == MR_IP4 ? AF_INET : AF_INET6, a->bytes, text, sizeof(text));
	snprintf(full, sizeof(full), "%s/%u", text, a->len);
	mr_state_list(st, "current-address", full);
	mr_state_text(st, "origin",
	    a->kernel           ? "kernel"
		: a->link_local ? "link-local"
				: "configured");
	mr_state_text(st, "state",
	    a->duplicate       ? "duplicate"
		: a->tentative ? "tentative"
			       : "preferred");
	mr_state_close(st);
}

static void
show_interface(const struct router *r, const struct plan_interface *p, struct mr_state *st)
{
	const struct mr_ip_interface_info *info = &r->base.ip->info[p->index];
	const struct mr_ip_interface *i = &r->base.ip->interfaces[p->index];

	mr_state_list(st, "interface", p->name);
	mr_state_text(st, "state", mr_ip_flags(i) & MR_IP_UP ? "up" : "down");
	mr_state_mac(st, "current-mac", info->mac);
	mr_state_uint(st, "current-mtu", mr_ip_mtu(i));
	mr_state_uint(st, "index", p->index);
	for (uint32_t n = 0; n < info->address_count; n++)
		show_address(&info->addresses[n], st);
	mr_state_close(st);
}

static void
show_tables(const struct router *r, uint16_t vrf, struct mr_state *st)
{
	const struct mr_ip_vrf *v = &r->base.ip->vrfs[vrf];
	struct mr_fib4_stats four;
	struct mr_fib6_stats six;

	mr_fib4_stats(v->fib4, &four);
	mr_fib6_stats(v->fib6, &six);
	mr_state_open(st, "fib");
	mr_state_uint(st, "ipv4-prefixes", four.total);
	mr_state_uint(st, "ipv4-bytes", four.bytes);
	mr_state_uint(st, "ipv6-prefixes", six.total);
	mr_state_uint(st, "ipv6-bytes", six.bytes);
	mr_state_close(st);
	for (unsigned s = 0; s < MR_ROUTE_SOURCES; s++) {
		enum mr_route_source source = (enum mr_route_source)s;

		mr_state_list(st, "routes", mr_route_source_name(source));
		mr_state_uint(st, "ipv4", mr_rib_count(r->base.rib, vrf, MR_IP4, source));
		mr_state_uint(st, "ipv6", mr_rib_count(r->base.rib, vrf, MR_IP6, source));
		mr_state_close(st);
	}
}

void
router_show(void *state, struct mr_state *st)
{
	const struct router *r = state;

	for (uint32_t n = 0; n < r->now.vrf_count; n++) {
		uint16_t vrf = r->now.vrfs[n].index;

		mr_state_list(st, "router", r->now.vrfs[n].name);
		for (uint32_t i = 0; i < r->now.interface_count; i++)
			if (r->now.interfaces[i].vrf == n)
				show_interface(r, &r->now.interfaces[i], st);
		show_tables(r, vrf, st);
		for (unsigned i = 0; i < r->part_count; i++)
			if (mr_ip_part_list[i]->show)
				mr_ip_part_list[i]->show(r->parts[i], vrf, st);
		mr_state_close(st);
	}
}
