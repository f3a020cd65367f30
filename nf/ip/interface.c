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

/* One aligned word, if it differs. Nodes load each once, in whatever order. */
#define WRITE(field) \
	do { \
		if (i->field != next->field) \
			__atomic_store_n(&i->field, next->field, __ATOMIC_RELAXED); \
	} while (0)

void
mr_ip_interface_write(struct mr_ip *ip, uint16_t index, const struct mr_ip_interface *next)
{
	struct mr_ip_interface *i = &ip->interfaces[index];
	uint32_t *to = (uint32_t *)(void *)i->address6, from[4];

	static_assert(offsetof(struct mr_ip_interface, address6) % 4 == 0, "written by words");
	/* Release pairs with mr_ip_fib4 and mr_ip_fib6. */
	atomic_store_explicit(&i->fib4, mr_ip_fib4(next), memory_order_release);
	atomic_store_explicit(&i->fib6, mr_ip_fib6(next), memory_order_release);
	WRITE(mac);
	WRITE(vrf);
	WRITE(port);
	WRITE(vlan);
	WRITE(mtu);
	WRITE(twin);
	WRITE(clamp4);
	WRITE(clamp6);
	WRITE(address4);
	memcpy(from, next->address6, sizeof(from));
	for (unsigned k = 0; k < 4; k++)
		if (to[k] != from[k])
			__atomic_store_n(&to[k], from[k], __ATOMIC_RELAXED);
	WRITE(flags);
	mr_generation_bump(&ip->cells->interfaces);
}
#undef WRITE

void
mr_ip_interface_flag(struct mr_ip *ip, uint16_t index, uint32_t flag, bool on)
{
	struct mr_ip_interface *i = &ip->interfaces[index];

	/* Relaxed: a word by itself, as in mr_ip_interface_write. */
	__atomic_store_n(&i->flags, on ? i->flags | flag : i->flags & ~flag, __ATOMIC_RELAXED);
	mr_generation_bump(&ip->cells->interfaces);
}

int
mr_ip_interface_map(struct mr_ip *ip, uint16_t port, uint16_t vlan, uint16_t index)
{
	struct mr_ip_port *p = &ip->ports[port];
	_Atomic uint16_t *vlans = atomic_load_explicit(&p->vlans, memory_order_relaxed);

	if (vlan == 0) {
		/* Release, here and below, pairs with mr_ip_interface_at. */
		atomic_store_explicit(&p->untagged, index, memory_order_release);
		return 0;
	}
	if (!vlans && index) {
		vlans = calloc(VLANS, sizeof(*vlans));
		if (!vlans)
			return -ENOMEM;
		atomic_store_explicit(&vlans[vlan], index, memory_order_release);
		atomic_store_explicit(&p->vlans, vlans, memory_order_release);
	} else if (vlans) {
		atomic_store_explicit(&vlans[vlan], index, memory_order_release);
	}
	return 0;
}
