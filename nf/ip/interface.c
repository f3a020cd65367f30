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

/* Both halves of one address, or none at all: see mr_ip_address6. */
static void
write_address6(struct mr_ip_interface *i, const struct mr_ip_interface *next)
{
	uint16_t version = atomic_load_explicit(&i->version6, memory_order_relaxed);
	uint64_t half[2];

	for (unsigned k = 0; k < 2; k++)
		half[k] = atomic_load_explicit(&next->address6[k], memory_order_relaxed);
	if (half[0] == atomic_load_explicit(&i->address6[0], memory_order_relaxed) &&
	    half[1] == atomic_load_explicit(&i->address6[1], memory_order_relaxed))
		return;
	atomic_store_explicit(&i->version6, (uint16_t)(version + 1), memory_order_relaxed);
	for (unsigned k = 0; k < 2; k++)
		atomic_store_explicit(&i->address6[k], half[k], memory_order_release);
	atomic_store_explicit(&i->version6, (uint16_t)(version + 2), memory_order_release);
}

/* All but the tables and the flags. */
static void
write_rest(struct mr_ip_interface *i, const struct mr_ip_interface *next)
{
	atomic_store_explicit(&i->mac, mr_ip_mac(next), memory_order_relaxed);
	atomic_store_explicit(&i->vrf, mr_ip_vrf(next), memory_order_relaxed);
	atomic_store_explicit(&i->port, mr_ip_port(next), memory_order_relaxed);
	atomic_store_explicit(&i->vlan, mr_ip_vlan(next), memory_order_relaxed);
	atomic_store_explicit(&i->mtu, mr_ip_mtu(next), memory_order_relaxed);
	atomic_store_explicit(&i->twin, mr_ip_twin(next), memory_order_relaxed);
	atomic_store_explicit(&i->clamp4, mr_ip_clamp4(next), memory_order_relaxed);
	atomic_store_explicit(&i->clamp6, mr_ip_clamp6(next), memory_order_relaxed);
	atomic_store_explicit(&i->address4, mr_ip_address4(next), memory_order_relaxed);
	write_address6(i, next);
}

/* Nothing but the tables stays of who had the index before: a worker may still be between seeing
 * its flags and reading them. */
static void
clear(struct mr_ip_interface *i)
{
	const struct mr_ip_interface none = { .port = MR_IP_NO_PORT, .twin = MR_IP_NO_PORT };

	atomic_store_explicit(&i->flags, 0, memory_order_release);
	write_rest(i, &none);
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
	snprintf(ip->info[i].name, sizeof(ip->info[i].name), "%s", name);
	clear(&ip->interfaces[i]);
	ip->interface_end = MR_MAX(ip->interface_end, i + 1);
	*index = (uint16_t)i;
	mr_adjacency_refresh(ip, (uint16_t)i);
	return 0;
}

void
mr_ip_interface_destroy(struct mr_ip *ip, uint16_t index)
{
	mr_ip_interface_flag(ip, index, UINT32_MAX, false);
	mr_adjacency_refresh(ip, index);
	ip->info[index].name[0] = '\0';
}

/* As far as nodes can see. */
static bool
is_same(const struct mr_ip_interface *a, const struct mr_ip_interface *b)
{
	uint8_t one[16], two[16];

	mr_ip_address6(a, one);
	mr_ip_address6(b, two);
	return mr_ip_fib4(a) == mr_ip_fib4(b) && mr_ip_fib6(a) == mr_ip_fib6(b) &&
	    mr_ip_mac(a) == mr_ip_mac(b) && mr_ip_flags(a) == mr_ip_flags(b) &&
	    mr_ip_vrf(a) == mr_ip_vrf(b) && mr_ip_port(a) == mr_ip_port(b) &&
	    mr_ip_vlan(a) == mr_ip_vlan(b) && mr_ip_mtu(a) == mr_ip_mtu(b) &&
	    mr_ip_twin(a) == mr_ip_twin(b) && mr_ip_clamp4(a) == mr_ip_clamp4(b) &&
	    mr_ip_clamp6(a) == mr_ip_clamp6(b) && mr_ip_address4(a) == mr_ip_address4(b) &&
	    memcmp(one, two, sizeof(one)) == 0;
}

void
mr_ip_interface_write(struct mr_ip *ip, uint16_t index, const struct mr_ip_interface *next)
{
	struct mr_ip_interface *i = &ip->interfaces[index];

	/* What did not change outdates no flow. */
	if (is_same(i, next))
		return;
	/* Release pairs with mr_ip_fib4 and mr_ip_fib6. */
	atomic_store_explicit(&i->fib4, mr_ip_fib4(next), memory_order_release);
	atomic_store_explicit(&i->fib6, mr_ip_fib6(next), memory_order_release);
	write_rest(i, next);
	/* Release pairs with mr_ip_flags. */
	atomic_store_explicit(&i->flags, mr_ip_flags(next), memory_order_release);
	mr_generation_bump(&ip->cells->interfaces);
}

void
mr_ip_interface_flag(struct mr_ip *ip, uint16_t index, uint32_t flags, bool on)
{
	struct mr_ip_interface *i = &ip->interfaces[index];
	uint32_t before = mr_ip_flags(i), after = on ? before | flags : before & ~flags;

	if (after == before)
		return;
	/* Only this thread writes it, so load and store may be two. Release as above. */
	atomic_store_explicit(&i->flags, after, memory_order_release);
	mr_generation_bump(&ip->cells->interfaces);
}

void
mr_ip_interface_twin(struct mr_ip *ip, uint16_t index, uint16_t port)
{
	atomic_store_explicit(&ip->interfaces[index].twin, port, memory_order_relaxed);
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
