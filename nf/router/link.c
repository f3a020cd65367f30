/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to interfaces without being configured: links that go and come, other MTUs. */
#include <string.h>

#include "nf/router/router_int.h"

void
router_link(struct router *r)
{
	struct mr_ip *ip = r->base.ip;

	for (uint32_t n = 0; n < r->now.interface_count; n++) {
		struct plan_interface *p = &r->now.interfaces[n];
		struct mr_ip_interface before = ip->interfaces[p->index];
		const struct mr_ip_interface *i = &ip->interfaces[p->index];
		bool up;

		router_interface_update(r, p);
		if (memcmp(&before, i, sizeof(before)) == 0 &&
		    p->routed == ip->info[p->index].generation)
			continue;
		/* Other addresses, or one that turned out to be somebody else's. */
		if (p->routed != ip->info[p->index].generation)
			router_routes_of(r, &r->now, &r->now.vrfs[p->vrf]);
		p->routed = ip->info[p->index].generation;
		up = mr_ip_flags(i) & MR_IP_UP;
		if (up != ((mr_ip_flags(&before) & MR_IP_UP) != 0))
			mr_rib_interface(r->base.rib, p->index, up);
		mr_router_changed(&r->base, p->index);
	}
	mr_rib_settle(r->base.rib);
}
