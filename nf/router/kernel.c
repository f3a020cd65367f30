/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that come from the host's side. */
#include <errno.h>
#include <string.h>

#include "nf/router/router_int.h"

static const struct plan_interface *
interface_of(const struct router *r, uint16_t index)
{
	for (uint32_t i = 0; i < r->now.interface_count; i++)
		if (r->now.interfaces[i].index == index)
			return &r->now.interfaces[i];
	return NULL;
}

static uint32_t
position(const struct mr_ip_interface_info *info, const struct mr_ip_address *a)
{
	uint32_t i;

	for (i = 0; i < info->address_count; i++) {
		const struct mr_ip_address *b = &info->addresses[i];

		if (a->family == b->family && a->len == b->len &&
		    memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0)
			break;
	}
	return i;
}

int
mr_router_kernel_address(const struct mr_router_base *base, uint16_t interface,
    const struct mr_ip_address *address, bool add)
{
	struct router *r = mr_container_of(base, struct router, base);
	struct mr_ip_interface_info *info = &base->ip->info[interface];
	const struct plan_interface *p = interface_of(r, interface);
	uint32_t at = position(info, address);

	if (!p)
		return -ENOENT;
	if (add) {
		if (at < info->address_count)
			return -EEXIST;
		if (at == MR_IP_ADDRESSES_MAX)
			return -ENOSPC;
		info->addresses[at] = *address;
		info->addresses[at].kernel = true;
		info->address_count++;
	} else {
		if (at == info->address_count || !info->addresses[at].kernel)
			return -ENOENT;
		info->address_count--;
		memmove(&info->addresses[at], &info->addresses[at + 1],
		    (info->address_count - at) * sizeof(info->addresses[0]));
		memset(&info->addresses[info->address_count], 0, sizeof(info->addresses[0]));
	}
	info->generation++;
	router_interface_update(r, p);
	router_routes_of(r, &r->now, &r->now.vrfs[p->vrf]);
	mr_rib_settle(base->rib);
	mr_router_changed(base, interface);
	return 0;
}
