/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own addresses: whether somebody else has them (RFC 5227, RFC 4862 5.4, RFC 7527), and
 * telling everybody that we do.
 *
 * IPv4 addresses are used while their probes run, since a router that waits seconds after its
 * start is worse than one that steps back from an address. IPv6 addresses are optimistic
 * (RFC 4429) until a second has passed: answered for without override, and the source of
 * nothing but questions from the link-local one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/neighbor/neighbor_int.h"

#define PROBES4 3u /* RFC 5227 PROBE_NUM */
#define PROBE4_EVERY 200u
#define PROBES6 1u /* RFC 4862 DupAddrDetectTransmits */
#define PROBE6_EVERY 1000u
#define ANNOUNCE_EVERY 1000u
#define DEFEND_EVERY 10000u /* RFC 5227 DEFEND_INTERVAL */

static struct mr_ip_address *
info_address(const struct neighbors *n, uint16_t interface, const struct neighbor_address *a)
{
	struct mr_ip_interface_info *info = &n->ip->info[interface];

	for (uint32_t k = 0; k < info->address_count; k++)
		if (info->addresses[k].family == a->family &&
		    !memcmp(info->addresses[k].bytes, a->bytes, a->family == MR_IP4 ? 4 : 16))
			return &info->addresses[k];
	return NULL;
}

static void
mark(struct neighbors *n, uint16_t interface, const struct neighbor_address *a, bool tentative,
    bool duplicate)
{
	struct mr_ip_address *address = info_address(n, interface, a);

	if (!address || (address->tentative == tentative && address->duplicate == duplicate))
		return;
	address->tentative = tentative;
	address->duplicate = duplicate;
	n->ip->info[interface].generation++;
}

/* -- what workers see ------------------------------------------------------------------- */

static void
free_view(struct mr_rcu_head *head)
{
	free(mr_container_of(head, struct neighbor_view, rcu));
}

static void
add_to_view(struct neighbor_view *v, const struct mr_ip_interface_info *info)
{
	for (uint32_t k = 0; k < info->address_count; k++) {
		const struct mr_ip_address *a = &info->addresses[k];
		struct neighbor_view_address *to;

		if (a->duplicate || v->count[a->family] == MR_IP_ADDRESSES_MAX)
			continue;
		to = &v->addresses[a->family][v->count[a->family]++];
		memcpy(to->bytes, a->bytes, sizeof(to->bytes));
		to->tentative = a->tentative;
	}
}

/* Without memory the old one stays: better than none. */
static void
publish_view(struct neighbors *n, uint16_t interface)
{
	const struct neighbor_interface *i = &n->interfaces[interface];
	const struct mr_ip_interface_info *info = &n->ip->info[interface];
	struct neighbor_view *v = NULL, *old;

	if (i->known) {
		v = calloc(1, sizeof(*v));
		if (!v)
			return;
		v->proxy = i->own.proxy;
		add_to_view(v, info);
		if (info->borrowed)
			add_to_view(v, &n->ip->info[info->borrowed]);
	}
	old = mr_rcu_swap(&n->nodes.views[interface], v);
	if (old)
		mr_rcu_defer(&n->retired, &old->rcu, free_view);
}

static void
set_limits(struct neighbors *n, uint16_t interface)
{
	const struct neighbor_settings *s = &n->interfaces[interface].settings;
	struct neighbor_limits *l = &n->nodes.limits[interface];

	mr_meter_set(&l->class[NEIGHBOR_CLASS_ANSWER], n -> hz, s -> answer_rate,
	    s -> answer_rate / 4 + 1);
	mr_meter_set(&l->class[NEIGHBOR_CLASS_HEARD], n -> hz, s -> heard_rate,
	    s -> heard_rate / 4 + 1);
	mr_meter_set(&l->class[NEIGHBOR_CLASS_GLEAN], n -> hz, s -> glean_rate,
	    s -> glean_rate / 4 + 1);
}

/* -- probing and announcing ------------------------------------------------------------- */

static void
ready(struct neighbors *n, uint16_t interface, struct neighbor_address *a)
{
	a->state = NEIGHBOR_ADDRESS_READY;
	a->announcements = NEIGHBOR_ANNOUNCEMENTS;
	a->due = n->now;
	mark(n, interface, a, false, false);
}

static void
start(struct neighbors *n, uint16_t interface, struct neighbor_address *a)
{
	const struct neighbor_interface *i = &n->interfaces[interface];
	uint32_t random[2] = { neighbors_random(n), neighbors_random(n) };

	if (!i->own.dad) {
		ready(n, interface, a);
		return;
	}
	a->state = NEIGHBOR_ADDRESS_PROBING;
	a->probes = a->family == MR_IP4 ? PROBES4 : PROBES6;
	a->announcements = 0;
	a->due = n->now;
	memcpy(a->nonce, random, sizeof(a->nonce));
	mark(n, interface, a, a->family == MR_IP6, false);
}

static void
due(struct neighbors *n, uint16_t interface, struct neighbor_address *a)
{
	a->due = 0;
	if (a->state == NEIGHBOR_ADDRESS_PROBING && a->probes) {
		a->probes--;
		neighbor_probe_own(n, interface, a);
		a->due = n->now + (a->family == MR_IP4 ? PROBE4_EVERY : PROBE6_EVERY);
		return;
	}
	if (a->state == NEIGHBOR_ADDRESS_PROBING) {
		ready(n, interface, a);
		publish_view(n, interface);
		n->interfaces[interface].notify = n->notify = true;
	}
	if (a->state == NEIGHBOR_ADDRESS_READY && a->announcements) {
		a->announcements--;
		neighbor_announce(n, interface, a);
		a->due = a->announcements ? n->now + ANNOUNCE_EVERY : 0;
	}
}

void
neighbors_interface_arm(struct neighbors *n, uint16_t interface)
{
	const struct neighbor_interface *i = &n->interfaces[interface];
	uint64_t next = i->ra.due ? i->ra.due : UINT64_MAX;

	for (unsigned k = 0; k < i->address_count; k++)
		if (i->addresses[k].due)
			next = MR_MIN(next, i->addresses[k].due);
	if (next == UINT64_MAX)
		mr_timer_cancel(n->interface_wheel, interface);
	else
		mr_timer_set(n->interface_wheel, interface, next);
}

void
neighbors_interface_due(struct neighbors *n, uint16_t interface)
{
	struct neighbor_interface *i = &n->interfaces[interface];

	for (unsigned k = 0; i->up && k < i->address_count; k++)
		if (i->addresses[k].due && i->addresses[k].due <= n->now)
			due(n, interface, &i->addresses[k]);
	if (i->ra.due && i->ra.due <= n->now)
		neighbor_ra_due(n, interface);
	neighbors_interface_arm(n, interface);
}

/* -- conflicts -------------------------------------------------------------------------- */

static void
log_conflict(struct neighbors *n, uint16_t interface, const struct neighbor_address *a,
    const struct neighbor_message *m)
{
	char text[64], mac[20] = "?";

	if (!mr_log_allow(&n->interfaces[interface].conflict_log, n->now * 1000000, NULL))
		return;
	if (m->has_mac)
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m->mac[0], m->mac[1],
		    m->mac[2], m->mac[3], m->mac[4], m->mac[5]);
	mr_log(n->log, MR_LOG_WARNING, "interface %s: address %s is also used by %s%s",
	    n->ip->info[interface].name, neighbor_text(text, sizeof(text), a->family, a->bytes),
	    mac, a->state == NEIGHBOR_ADDRESS_PROBING ? ": not used here" : "");
}

void
neighbors_conflict(struct neighbors *n, uint16_t interface, const struct neighbor_message *m)
{
	struct neighbor_interface *i = &n->interfaces[interface];
	const uint8_t *address = m->kind == NEIGHBOR_ASK && !m->unspecified ? m->source : m->target;
	unsigned size = m->family == MR_IP4 ? 4 : 16;

	for (unsigned k = 0; k < i->address_count; k++) {
		struct neighbor_address *a = &i->addresses[k];

		if (a->family != m->family || memcmp(a->bytes, address, size))
			continue;
		/* Our own probe, come back by a loop (RFC 7527). */
		if (m->has_nonce && !memcmp(m->nonce, a->nonce, 6))
			return;
		/* Somebody probes for what is ours: he has been answered. */
		if (m->unspecified && a->state != NEIGHBOR_ADDRESS_PROBING)
			return;
		neighbor_count(n, interface, NEIGHBOR_CONFLICT_N, 1);
		log_conflict(n, interface, a, m);
		if (a->state == NEIGHBOR_ADDRESS_PROBING) {
			a->state = NEIGHBOR_ADDRESS_DUPLICATE;
			a->due = 0;
			neighbor_count(n, interface, NEIGHBOR_DUPLICATE_N, 1);
			mark(n, interface, a, a->family == MR_IP6, true);
			publish_view(n, interface);
			neighbors_interface_arm(n, interface);
			i->notify = n->notify = true;
		} else if (a->state == NEIGHBOR_ADDRESS_READY &&
		    (!a->defended || n->now - a->defended >= DEFEND_EVERY)) {
			/* RFC 5227, 2.4 (c): a router cannot give up its address. */
			a->defended = n->now;
			neighbor_announce(n, interface, a);
		}
		return;
	}
}

/* -- what changed ----------------------------------------------------------------------- */

static struct neighbor_address *
own_address(struct neighbor_interface *i, const struct mr_ip_address *a)
{
	for (unsigned k = 0; k < i->address_count; k++)
		if (i->addresses[k].family == a->family &&
		    !memcmp(i->addresses[k].bytes, a->bytes, a->family == MR_IP4 ? 4 : 16))
			return &i->addresses[k];
	return NULL;
}

static void
take_addresses(struct neighbors *n, uint16_t interface, bool again)
{
	struct neighbor_interface *i = &n->interfaces[interface];
	const struct mr_ip_interface_info *info = &n->ip->info[interface];
	unsigned kept = 0;

	if (!i->addresses)
		i->addresses = calloc(MR_IP_ADDRESSES_MAX, sizeof(*i->addresses));
	if (!i->addresses)
		return;
	for (unsigned k = 0; k < i->address_count; k++)
		i->addresses[k].seen = false;
	for (uint32_t k = 0; k < info->address_count; k++) {
		struct neighbor_address *a = own_address(i, &info->addresses[k]);

		if (a)
			a->seen = true;
	}
	for (unsigned k = 0; k < i->address_count; k++)
		if (i->addresses[k].seen)
			i->addresses[kept++] = i->addresses[k];
	i->address_count = kept;
	for (uint32_t k = 0; k < info->address_count; k++) {
		const struct mr_ip_address *from = &info->addresses[k];
		struct neighbor_address *a = own_address(i, from);
		bool fresh = !a;

		if (!a && i->address_count == MR_IP_ADDRESSES_MAX)
			break;
		if (!a) {
			a = &i->addresses[i->address_count++];
			memset(a, 0, sizeof(*a));
			a->family = from->family;
			memcpy(a->bytes, from->bytes, sizeof(a->bytes));
		}
		if (i->up && (fresh || again || a->state == NEIGHBOR_ADDRESS_WAITING))
			start(n, interface, a);
		else if (!i->up)
			a->state = NEIGHBOR_ADDRESS_WAITING;
	}
}

void
neighbors_interface_changed(struct neighbors *n, uint16_t interface)
{
	struct neighbor_interface *i = &n->interfaces[interface];
	const struct mr_ip_interface *from = &n->ip->interfaces[interface];
	const struct mr_ip_interface_info *info = &n->ip->info[interface];
	bool known = i->configured && info->name[0] && mr_ip_port(from) != MR_IP_NO_PORT &&
	    !(mr_ip_flags(from) & MR_IP_LOOPBACK);
	bool up = known && (mr_ip_flags(from) & MR_IP_UP);
	bool again = up && (!i->up || memcmp(i->mac, info->mac, 6));

	if (!known && !i->known)
		return;
	if (i->known && (!known || i->vrf != mr_ip_vrf(from) || (i->up && !up)))
		neighbor_flush(n, interface, !known || i->vrf != mr_ip_vrf(from));
	i->vrf = mr_ip_vrf(from);
	i->known = known;
	i->up = up;
	memcpy(i->mac, info->mac, 6);
	set_limits(n, interface);
	if (!known)
		i->address_count = 0;
	else
		take_addresses(n, interface, again);
	publish_view(n, interface);
	/* Those that use its addresses for their own. */
	for (uint32_t k = 1; k < n->ip->interface_end; k++)
		if (n->ip->info[k].borrowed == interface && n->interfaces[k].known)
			publish_view(n, (uint16_t)k);
	neighbor_ra_changed(n, interface);
	neighbors_interface_arm(n, interface);
}

void
neighbors_interface_set(struct neighbors *n, uint16_t interface,
    const struct neighbor_settings *settings, const struct neighbor_interface_settings *own)
{
	struct neighbor_interface *i = &n->interfaces[interface];

	if (settings && !i->configured) {
		for (unsigned r = 0; r < NEIGHBOR_RANKS; r++)
			TAILQ_INIT(&i->ranks[r]);
		memset(i->counts, 0, sizeof(i->counts));
		i->conflict_log =
		    (struct mr_log_limit){ .interval_ns = 10000000000ull, .burst = 3 };
	}
	if (settings) {
		i->settings = *settings;
		i->own = *own;
		i->configured = true;
	}
	if (!settings) {
		if (i->known)
			neighbor_ra_stop(n, interface);
		i->configured = false;
	}
	neighbors_interface_changed(n, interface);
}
