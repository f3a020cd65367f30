/* SPDX-License-Identifier: Apache-2.0 */
/* Routed interfaces: indices, and which frames belong to which. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/ip/ip_int.h"

#define VLANS 4096u

uint16_t
mr_ip_interface_find(const struct mr_ip *ip, const char *name)
{
	for (uint32_t i = 1; i < ip->interface_end; i++)
		if (strcmp(ip->info[i].name, name) == 0)
			return (uint16_t)i;
	return 0;
}

int
mr_ip_interface_create(struct mr_ip *ip, const char *name, uint16_t *index, struct mr_error *error)
{
	uint32_t i;

	for (i = 1; i < ip->interface_end && ip->info[i].name[0]; i++)
		;
	if (i == MR_IP_INTERFACES_MAX)
		return mr_error_set(error, -ENOSPC, "more than %u interfaces of routers",
		    MR_IP_INTERFACES_MAX - 1);
	memset(&ip->info[i], 0, sizeof(ip->info[i]));
	memset(&ip->interfaces[i], 0, sizeof(ip->interfaces[i]));
	snprintf(ip->info[i].name, sizeof(ip->info[i].name), "%s", name);
	ip->interfaces[i].port = MR_IP_NO_PORT;
	ip->interfaces[i].twin = MR_IP_NO_PORT;
	ip->interface_end = MR_MAX(ip->interface_end, i + 1);
	*index = (uint16_t)i;
	mr_adjacency_refresh(ip, (uint16_t)i);
	return 0;
}

void
mr_ip_interface_destroy(struct mr_ip *ip, uint16_t index)
{
	ip->interfaces[index].flags = 0;
	mr_adjacency_refresh(ip, index);
	ip->info[index].name[0] = '\0';
}

int
mr_ip_interface_map(struct mr_ip *ip, uint16_t port, uint16_t vlan, uint16_t index)
{
	struct mr_ip_port *p = &ip->ports[port];
	uint16_t *vlans = atomic_load_explicit(&p->vlans, memory_order_relaxed);

	if (vlan == 0) {
		p->untagged = index;
		return 0;
	}
	if (!vlans && index) {
		vlans = calloc(VLANS, sizeof(*vlans));
		if (!vlans)
			return -ENOMEM;
		vlans[vlan] = index;
		/* Release pairs with the acquire in ip-input. */
		atomic_store_explicit(&p->vlans, vlans, memory_order_release);
	} else if (vlans) {
		vlans[vlan] = index;
	}
	return 0;
}
