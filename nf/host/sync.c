/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of the twins follows the router's: MAC, MTU, carrier, addresses. And
 * addresses that somebody adds there (`ip address add`, a routing daemon) become the router's.
 *
 * All addresses of a namespace are read and compared whenever something has changed, on
 * either side:
 *
 *	wanted, and not in the kernel	   --> added there
 *	in the kernel, ours, not wanted	   --> taken away
 *	in the kernel, neither		   --> the router is told: somebody's
 *	told, and no longer in the kernel  --> the router is told that it is gone
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "nf/host/host_int.h"

/* -- lists of addresses ------------------------------------------------------------------ */

bool
host_addresses_add(struct host_addresses *list, int ifindex, const struct mr_ip_address *a)
{
	if (list->count == list->room) {
		uint32_t room = MR_MAX(2 * list->room, 16u);
		struct host_address *items = realloc(list->items, room * sizeof(*items));

		if (!items)
			return false;
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = (struct host_address){ ifindex, *a };
	return true;
}

const struct host_address *
host_addresses_find(const struct host_addresses *list, int ifindex, const struct mr_ip_address *a)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct host_address *b = &list->items[i];

		if (b->ifindex == ifindex && b->a.family == a->family && b->a.len == a->len &&
		    memcmp(b->a.bytes, a->bytes, sizeof(a->bytes)) == 0)
			return b;
	}
	return NULL;
}

void
host_addresses_remove(struct host_addresses *list, uint32_t at)
{
	list->items[at] = list->items[--list->count];
}

void
host_addresses_free(struct host_addresses *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

/* -- links ------------------------------------------------------------------------------- */

void
host_twin_sync_link(struct host_part *h, struct host_space *s, struct host_twin *t)
{
	const struct mr_ip_interface *i = &h->base->ip->interfaces[t->interface];
	const uint8_t *mac = h->base->ip->info[t->interface].mac;
	int carrier = (mr_ip_flags(i) & MR_IP_UP) != 0, rc;
	struct host_link link = { .carrier = -1 };

	if (t->lo || !t->port || !t->interface)
		return;
	if (memcmp(t->mac, mac, 6))
		link.mac = mac;
	if (t->mtu != mr_ip_mtu(i))
		link.mtu = mr_ip_mtu(i);
	if (t->carrier != carrier)
		link.carrier = carrier;
	link.up = !t->set_up;
	if (!link.mac && !link.mtu && link.carrier < 0 && !link.up)
		return;
	rc = host_netlink_link(s, t->ifindex, &link);
	if (rc && rc != -ENODEV)
		mr_log(mr_dataplane_log(h->base->dp), MR_LOG_WARNING,
		    "twin of interface %s in network namespace %s: %s", t->name, s->name,
		    strerror(-rc));
	/* Told once, whatever became of it: a refusal would be repeated with every change. */
	memcpy(t->mac, mac, 6);
	t->mtu = mr_ip_mtu(i);
	t->carrier = carrier;
	t->set_up = true;
}

/* -- addresses --------------------------------------------------------------------------- */

static void
want(struct host_addresses *out, const struct mr_ip_interface_info *info, int ifindex,
    bool borrowed)
{
	for (uint32_t i = 0; i < info->address_count; i++) {
		struct mr_ip_address a = info->addresses[i];

		if (a.tentative || a.duplicate || (a.kernel && !borrowed) ||
		    (borrowed && a.link_local))
			continue;
		a.kernel = false;
		/* The subnet is the lender's. */
		if (borrowed)
			a.len = a.family == MR_IP4 ? 32 : 128;
		if (!host_addresses_find(out, ifindex, &a))
			host_addresses_add(out, ifindex, &a);
	}
}

/* The loopbacks of a VRF share lo; the first is whose addresses from there are. */
static void
want_loopbacks(struct host_part *h, const struct host_space *s, struct host_twin *lo,
    struct host_addresses *out)
{
	const struct mr_ip *ip = h->base->ip;

	lo->interface = 0;
	for (uint32_t i = 0; i < s->loopbacks.count; i++) {
		uint16_t index = mr_ip_interface_find(ip, s->loopbacks.items[i]);

		if (!index)
			continue;
		if (!lo->interface)
			lo->interface = index;
		want(out, &ip->info[index], lo->ifindex, false);
	}
}

/* 127/8 and ::1, which every namespace has. */
static bool
is_of_lo(const struct mr_ip_address *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == MR_IP4 ? a->bytes[0] == 127 : !memcmp(a->bytes, one, 16);
}

static void
give(struct host_part *h, struct host_space *s, struct host_twin *t, const struct mr_ip_address *a)
{
	int rc = host_netlink_address(s, t->ifindex, a, true);

	if (rc == 0)
		host_addresses_add(&t->ours, t->ifindex, a);
	else if (rc != -ENODEV && rc != -EOPNOTSUPP)
		mr_log(mr_dataplane_log(h->base->dp), MR_LOG_WARNING,
		    "address of interface %s in network namespace %s: %s", t->name, s->name,
		    strerror(-rc));
}

static void
tell(struct host_part *h, const struct host_twin *t, const struct mr_ip_address *a, bool add)
{
	if (t->interface)
		(void)mr_router_kernel_address(h->base, t->interface, a, add);
}

static void
sync_twin(struct host_part *h, struct host_space *s, struct host_twin *t,
    struct host_addresses *there)
{
	const struct mr_ip *ip = h->base->ip;
	struct host_addresses wanted = { 0 };
	uint32_t i;

	if (t->lo) {
		want_loopbacks(h, s, t, &wanted);
	} else if (t->interface) {
		want(&wanted, &ip->info[t->interface], t->ifindex, false);
		if (ip->info[t->interface].borrowed)
			want(&wanted, &ip->info[ip->info[t->interface].borrowed], t->ifindex, true);
	}
	for (i = t->ours.count; i-- > 0;) {
		const struct mr_ip_address a = t->ours.items[i].a;
		const struct host_address *found = host_addresses_find(there, t->ifindex, &a);

		if (found && host_addresses_find(&wanted, t->ifindex, &a))
			continue;
		host_addresses_remove(&t->ours, i);
		if (!found)
			continue; /* somebody took it away: it is given again below */
		(void)host_netlink_address(s, t->ifindex, &a, false);
		host_addresses_remove(there, (uint32_t)(found - there->items));
	}
	for (i = 0; i < wanted.count; i++)
		if (!host_addresses_find(&t->ours, t->ifindex, &wanted.items[i].a))
			give(h, s, t, &wanted.items[i].a);
	for (i = t->theirs.count; i-- > 0;) {
		const struct mr_ip_address a = t->theirs.items[i].a;

		if (host_addresses_find(there, t->ifindex, &a) &&
		    !host_addresses_find(&wanted, t->ifindex, &a))
			continue;
		host_addresses_remove(&t->theirs, i);
		tell(h, t, &a, false);
	}
	for (i = 0; i < there->count; i++) {
		const struct host_address *a = &there->items[i];

		if (a->ifindex != t->ifindex || (t->lo && is_of_lo(&a->a)) ||
		    host_addresses_find(&wanted, t->ifindex, &a->a) ||
		    host_addresses_find(&t->theirs, t->ifindex, &a->a))
			continue;
		if (host_addresses_add(&t->theirs, t->ifindex, &a->a))
			tell(h, t, &a->a, true);
	}
	host_addresses_free(&wanted);
}

void
host_space_sync(struct host_part *h, struct host_space *s)
{
	struct host_addresses there = { 0 };
	int rc;

	/* What we tell the router comes back as a change. */
	if (h->syncing)
		return;
	h->syncing = true;
	s->dirty = false;
	for (struct host_twin *t = s->twins; t; t = t->next)
		host_twin_sync_link(h, s, t);
	rc = host_netlink_addresses(s, &there);
	if (rc)
		mr_log(mr_dataplane_log(h->base->dp), MR_LOG_WARNING,
		    "addresses of network namespace %s: %s", s->name, strerror(-rc));
	for (struct host_twin *t = s->twins; t && !rc; t = t->next)
		if (t->lo || t->port)
			sync_twin(h, s, t, &there);
	host_addresses_free(&there);
	h->syncing = false;
}

/* -- what interfaces listen to ----------------------------------------------------------- */

static unsigned
family_of(const struct mr_ip_address *a)
{
	return a->family == MR_IP4 ? 4 : 6;
}

void
host_listen(struct host_part *h)
{
	const struct mr_ip *ip = h->base->ip;

	mr_host_listen_begin(h->core);
	for (uint32_t i = 1; i < ip->interface_end; i++) {
		const struct mr_ip_interface_info *info = &ip->info[i];

		for (uint32_t n = 0; info->name[0] && n < info->address_count; n++)
			if (info->addresses[n].link_local)
				mr_host_listen_add(h->core, (uint16_t)i, 6,
				    info->addresses[n].bytes);
	}
	for (uint32_t i = 0; i < h->groups.count; i++)
		mr_host_listen_add(h->core, (uint16_t)h->groups.items[i].ifindex,
		    family_of(&h->groups.items[i].a), h->groups.items[i].a.bytes);
	mr_host_listen_publish(h->core);
}
