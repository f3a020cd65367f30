/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table. An entry is found by interface and address, has a state machine, a queue, and, once
 * something wants to use it, the adjacency that workers read.
 *
 * Who must give way when it is full: first those that nobody has heard of yet or any more (a scan
 * makes only such, and may have a quarter of an interface's room), then unused ones, the oldest
 * first. One that is in use never does.
 */
#include <string.h>

#include "nf/ip/group.h"
#include "nf/neighbor/neighbor_int.h"

#define EXPIRE_AT_ONCE 64u
#define WALK_AT_ONCE 4096u
#define WALK_EVERY 1000u
#define WALK_ON 50u
#define OPEN_MIN 64u

static uint32_t *
bucket_of(const struct neighbors *n, uint16_t interface, unsigned family, const uint8_t *address)
{
	uint64_t words[3] = { (uint64_t)interface << 8 | family, 0, 0 };

	memcpy(words + 1, address, family == MR_IP4 ? 4 : 16);
	return &n->buckets[mr_hash_words(&n->key, words, 3) % NEIGHBOR_BUCKETS];
}

struct neighbor *
neighbor_find(const struct neighbors *n, uint16_t interface, unsigned family,
    const uint8_t *address)
{
	uint32_t at = *bucket_of(n, interface, family, address);

	for (; at; at = n->entries[at].chain) {
		struct neighbor *e = &n->entries[at];

		if (e->interface == interface && e->family == family &&
		    !memcmp(e->address, address, family == MR_IP4 ? 4 : 16))
			return e;
	}
	return NULL;
}

/* -- who may be evicted ----------------------------------------------------------------- */

static enum neighbor_rank
rank_of(const struct neighbor *e)
{
	switch (e->machine.state) {
	case NEIGHBOR_INCOMPLETE:
	case NEIGHBOR_FAILED:
		return e->wanted ? NEIGHBOR_RANK_NONE : NEIGHBOR_RANK_OPEN;
	case NEIGHBOR_STALE:
		return NEIGHBOR_RANK_STALE;
	default:
		return NEIGHBOR_RANK_NONE;
	}
}

static void
set_rank(struct neighbors *n, struct neighbor *e, enum neighbor_rank rank)
{
	struct neighbor_interface *i = &n->interfaces[e->interface];

	if (e->rank == rank)
		return;
	if (e->rank != NEIGHBOR_RANK_NONE) {
		TAILQ_REMOVE(&i->ranks[e->rank], e, link);
		TAILQ_REMOVE(&n->ranks[e->rank], e, all);
		i->rank_count[e->rank]--;
	}
	e->rank = (uint8_t)rank;
	if (rank != NEIGHBOR_RANK_NONE) {
		TAILQ_INSERT_TAIL(&i->ranks[rank], e, link);
		TAILQ_INSERT_TAIL(&n->ranks[rank], e, all);
		i->rank_count[rank]++;
	}
}

static bool
evict(struct neighbors *n, struct neighbor *e)
{
	if (!e)
		return false;
	neighbor_count(n, e->interface, NEIGHBOR_EVICTED_N, 1);
	neighbor_drop(n, e);
	return true;
}

/* Room for one more on the interface. */
static bool
make_room(struct neighbors *n, struct neighbor_interface *i)
{
	uint32_t open = MR_MAX(i->settings.limit / 4, OPEN_MIN);

	if (i->rank_count[NEIGHBOR_RANK_OPEN] >= open &&
	    !evict(n, TAILQ_FIRST(&i->ranks[NEIGHBOR_RANK_OPEN])))
		return false;
	if (i->count >= i->settings.limit &&
	    !evict(n, TAILQ_FIRST(&i->ranks[NEIGHBOR_RANK_OPEN])) &&
	    !evict(n, TAILQ_FIRST(&i->ranks[NEIGHBOR_RANK_STALE])))
		return false;
	return n->count < MR_NEIGHBORS_MAX ||
	    evict(n, TAILQ_FIRST(&n->ranks[NEIGHBOR_RANK_OPEN])) ||
	    evict(n, TAILQ_FIRST(&n->ranks[NEIGHBOR_RANK_STALE]));
}

/* -- entries ---------------------------------------------------------------------------- */

struct neighbor *
neighbor_make(struct neighbors *n, uint16_t interface, unsigned family, const uint8_t *address)
{
	struct neighbor_interface *i = &n->interfaces[interface];
	struct neighbor *e = neighbor_find(n, interface, family, address);
	uint32_t index, *bucket;

	if (e)
		return e;
	if (!i->known || !make_room(n, i)) {
		neighbor_count(n, interface, NEIGHBOR_REFUSED_N, 1);
		return NULL;
	}
	index = n->free;
	if (index)
		n->free = n->entries[index].chain;
	else
		index = n->entry_end++;
	e = &n->entries[index];
	memset(e, 0, sizeof(*e));
	e->live = true;
	e->interface = interface;
	e->family = (uint8_t)family;
	e->rank = NEIGHBOR_RANK_NONE;
	memcpy(e->address, address, family == MR_IP4 ? 4 : 16);
	neighbor_machine_init(&e->machine, &i->settings.times, n->now);
	mr_timer_set(n->wheel, index, e->machine.due);
	bucket = bucket_of(n, interface, family, address);
	e->chain = *bucket;
	*bucket = index;
	n->count++;
	i->count++;
	set_rank(n, e, rank_of(e));
	return e;
}

static void
remove_route(struct neighbors *n, struct neighbor *e)
{
	if (e->route && n->rib)
		mr_rib_unset(n->rib, e->vrf, (enum mr_ip_family)e->family, e->address,
		    e->family == MR_IP4 ? 32 : 128, MR_ROUTE_NEIGHBOR);
	e->route = false;
}

/* Packets to its address find it without the connected subnet's detour from now on. */
static void
add_route(struct neighbors *n, struct neighbor *e)
{
	struct mr_route_hop hop = {
		.kind = MR_HOP_VIA,
		.family = e->family,
		.interface = e->interface,
		.weight = 1,
		.onlink = true,
	};
	struct mr_route route = {
		.family = e->family,
		.len = e->family == MR_IP4 ? 32 : 128,
		.source = MR_ROUTE_NEIGHBOR,
		.hop_count = 1,
		.hops = &hop,
	};
	struct mr_error error;

	if (e->route || !n->rib || (e->family == MR_IP6 && neighbor_is_link_local(e->address)))
		return;
	memcpy(hop.address, e->address, 16);
	memcpy(route.prefix, e->address, 16);
	e->vrf = mr_ip_vrf(&n->ip->interfaces[e->interface]);
	e->route = mr_rib_set(n->rib, e->vrf, &route, &error) == 0;
}

static void
unlink_entry(struct neighbors *n, const struct neighbor *e)
{
	uint32_t *at = bucket_of(n, e->interface, e->family, e->address);

	while (*at != neighbor_index(n, e))
		at = &n->entries[*at].chain;
	*at = e->chain;
}

/* -- the queue -------------------------------------------------------------------------- */

static uint32_t
shift(struct neighbors *n, struct neighbor *e)
{
	uint32_t at = e->first, packet = n->waiting[at].packet;

	e->first = n->waiting[at].next;
	e->queued--;
	n->waiting[at].next = n->waiting_free;
	n->waiting_free = at;
	return packet;
}

static void
enqueue(struct neighbors *n, struct neighbor *e, uint32_t packet)
{
	uint32_t oldest, at;

	neighbor_count(n, e->interface, NEIGHBOR_WAITED_N, 1);
	if (e->queued &&
	    (e->queued >= n->interfaces[e->interface].settings.queue || !n->waiting_free)) {
		oldest = shift(n, e);
		neighbor_count(n, e->interface, NEIGHBOR_OVERRUN_N, 1);
		mr_packets_free(n->buffers, MR_POOL_SHARED, &oldest, 1);
	}
	at = n->waiting_free;
	if (!at) {
		neighbor_count(n, e->interface, NEIGHBOR_OVERRUN_N, 1);
		mr_packets_free(n->buffers, MR_POOL_SHARED, &packet, 1);
		return;
	}
	n->waiting_free = n->waiting[at].next;
	n->waiting[at] = (struct neighbor_waiting){ .packet = packet };
	if (e->queued++)
		n->waiting[e->last].next = at;
	else
		e->first = at;
	e->last = at;
}

static void
go(struct neighbors *n, struct neighbor *e, uint32_t packet)
{
	mr_ip_meta(mr_packet_at(n->buffers->base, packet))->adjacency = e->adjacency;
	neighbor_count(n, e->interface, NEIGHBOR_WENT_N, 1);
	neighbors_give(n, packet, NEIGHBOR_PARCEL_GO);
}

static void
release(struct neighbors *n, struct neighbor *e)
{
	while (e->queued)
		go(n, e, shift(n, e));
}

static void
fail(struct neighbors *n, struct neighbor *e)
{
	while (e->queued)
		neighbor_unreachable(n, &n->interfaces[e->interface], shift(n, e));
}

/* -- events ----------------------------------------------------------------------------- */

static bool
hold_adjacency(struct neighbors *n, struct neighbor *e)
{
	struct mr_error error;

	if (!e->adjacency &&
	    mr_adjacency_get(n->ip, e->interface, (enum mr_ip_family)e->family, e->address,
		&e->adjacency, &error))
		e->adjacency = 0;
	return e->adjacency != 0;
}

void
neighbor_drop(struct neighbors *n, struct neighbor *e)
{
	uint32_t index = neighbor_index(n, e);

	fail(n, e);
	remove_route(n, e);
	if (e->adjacency) {
		mr_adjacency_forget(n->ip, e->adjacency);
		mr_adjacency_put(n->ip, e->adjacency);
	}
	mr_timer_cancel(n->wheel, index);
	set_rank(n, e, NEIGHBOR_RANK_NONE);
	unlink_entry(n, e);
	n->interfaces[e->interface].count--;
	n->count--;
	e->live = false;
	e->chain = n->free;
	n->free = index;
}

static void
act(struct neighbors *n, struct neighbor *e, unsigned actions)
{
	if (actions & (NEIGHBOR_ASK_ALL | NEIGHBOR_ASK_ONE)) {
		e->probes++;
		neighbor_ask(n, e, actions & NEIGHBOR_ASK_ONE ? e->machine.mac : NULL);
	}
	if ((actions & NEIGHBOR_USE) && hold_adjacency(n, e)) {
		mr_adjacency_resolve(n->ip, e->adjacency, e->machine.mac);
		if (e->connected)
			add_route(n, e);
	}
	if (actions & NEIGHBOR_RELEASE)
		release(n, e);
	if (actions & NEIGHBOR_FAIL) {
		remove_route(n, e);
		if (e->adjacency)
			mr_adjacency_forget(n->ip, e->adjacency);
		fail(n, e);
	}
}

void
neighbor_happens(struct neighbors *n, struct neighbor *e, enum neighbor_event event,
    const uint8_t *mac, bool override)
{
	uint8_t before[6], state = e->machine.state;
	uint64_t due = e->machine.due;
	unsigned actions;

	memcpy(before, e->machine.mac, 6);
	/* Known already to the forwarding, as a gateway of a route: learning completes it. */
	if (mac && !e->machine.used &&
	    mr_adjacency_find(n->ip, e->interface, (enum mr_ip_family)e->family, e->address))
		e->machine.used = true;
	actions = neighbor_step(&e->machine, &n->interfaces[e->interface].settings.times, event,
	    mac, override, n->now, neighbors_random(n));
	if (state == NEIGHBOR_INCOMPLETE && e->machine.state == NEIGHBOR_FAILED)
		neighbor_count(n, e->interface, NEIGHBOR_FAILED_N, 1);
	if (state == NEIGHBOR_PROBE && e->machine.state == NEIGHBOR_FAILED)
		neighbor_count(n, e->interface, NEIGHBOR_FAILED_N, 1);
	if (state == NEIGHBOR_INCOMPLETE && mac && e->machine.state != NEIGHBOR_INCOMPLETE)
		neighbor_count(n, e->interface, NEIGHBOR_RESOLVED_N, 1);
	else if (state != NEIGHBOR_FAILED && memcmp(before, e->machine.mac, 6))
		neighbor_count(n, e->interface, NEIGHBOR_MOVED_N, 1);
	act(n, e, actions);
	if ((actions & NEIGHBOR_GONE) && !e->wanted) {
		neighbor_count(n, e->interface, NEIGHBOR_EXPIRED_N, 1);
		neighbor_drop(n, e);
		return;
	}
	if (actions & NEIGHBOR_GONE)
		e->machine.due = 0; /* the walk asks again */
	set_rank(n, e, rank_of(e));
	if (!e->machine.due)
		mr_timer_cancel(n->wheel, neighbor_index(n, e));
	else if (due != e->machine.due)
		mr_timer_set(n->wheel, neighbor_index(n, e), e->machine.due);
}

void
neighbor_take(struct neighbors *n, struct neighbor *e, uint32_t packet, bool glean)
{
	e->uses++;
	e->connected |= glean;
	if (glean && e->machine.used)
		add_route(n, e);
	enqueue(n, e, packet);
	neighbor_happens(n, e, NEIGHBOR_WANTED, NULL, false);
}

void
neighbor_configure(struct neighbors *n, struct neighbor *e, const uint8_t mac[6])
{
	e->configured = true;
	memcpy(e->machine.mac, mac, 6);
	e->machine.state = NEIGHBOR_PERMANENT;
	e->machine.due = 0;
	e->machine.since = n->now;
	e->machine.used = true;
	mr_timer_cancel(n->wheel, neighbor_index(n, e));
	set_rank(n, e, NEIGHBOR_RANK_NONE);
	e->connected = mr_ip_on_link(n->ip, e->interface, (enum mr_ip_family)e->family, e->address);
	act(n, e, NEIGHBOR_USE | NEIGHBOR_RELEASE);
}

void
neighbor_flush(struct neighbors *n, uint16_t interface, bool configured)
{
	for (uint32_t i = 1; i < n->entry_end; i++) {
		struct neighbor *e = &n->entries[i];

		if (e->live && e->interface == interface && (configured || !e->configured))
			neighbor_drop(n, e);
	}
}

void
neighbor_expire(struct neighbors *n)
{
	uint32_t due[EXPIRE_AT_ONCE];
	unsigned count, rounds = 0;

	do {
		count = mr_timer_advance(n->wheel, n->now, 4 * EXPIRE_AT_ONCE, due, EXPIRE_AT_ONCE);
		for (unsigned i = 0; i < count; i++) {
			struct neighbor *e = &n->entries[due[i]];

			e->machine.due = 0; /* armed again by what happens */
			if (e->live)
				neighbor_happens(n, e, NEIGHBOR_TIMEOUT, NULL, false);
		}
	} while ((count || mr_timer_behind(n->wheel)) && ++rounds < 64);
}

/* -- next hops of routes ---------------------------------------------------------------- */

/*
 * Groups say which adjacencies routes use; an adjacency's own count does not, since groups that are
 * gone refer to it until a grace period has passed.
 */
static void
look_at(struct neighbors *n, uint32_t index)
{
	const struct mr_adjacency_info *a = mr_adjacency_info(n->ip, index);
	struct neighbor *e;

	if (index < MR_IP_SPECIALS || a->glean || !n->interfaces[a->interface].up)
		return;
	e = neighbor_find(n, a->interface, a->family, a->address);
	/* The group may be that of its own route alone. It is looked at again should it fail. */
	if (e && e->route && !e->wanted)
		return;
	/* Complete, and not by us: a subnet's broadcast address. */
	if (!e && !a->complete)
		e = neighbor_make(n, a->interface, a->family, a->address);
	if (!e)
		return;
	e->wanted = true;
	e->round = n->round;
	set_rank(n, e, rank_of(e));
	if (!a->complete)
		neighbor_happens(n, e, NEIGHBOR_WANTED, NULL, false);
}

/* All groups have been looked at: who was not found is not wanted any more. */
static void
end_round(struct neighbors *n)
{
	for (uint32_t i = 1; i < n->entry_end; i++) {
		struct neighbor *e = &n->entries[i];

		if (!e->live || !e->wanted || e->round == n->round)
			continue;
		e->wanted = false;
		set_rank(n, e, rank_of(e));
		if (!e->machine.due && !e->configured) {
			e->machine.due = n->now + n->interfaces[e->interface].settings.times.failed;
			mr_timer_set(n->wheel, i, e->machine.due);
		}
	}
	n->round++;
}

void
neighbor_walk(struct neighbors *n)
{
	struct mr_group_member members[MR_GROUP_MEMBERS_MAX];
	uint32_t left = WALK_AT_ONCE;

	if (n->now < n->walk_due)
		return;
	n->walk_due = n->now + WALK_EVERY;
	while (left-- > 0) {
		unsigned count;

		n->walk = mr_group_next(n->ip, n->walk);
		if (!n->walk) {
			end_round(n);
			return;
		}
		count = mr_group_members(n->ip, n->walk, members, MR_GROUP_MEMBERS_MAX);
		for (unsigned i = 0; i < MR_MIN(count, MR_GROUP_MEMBERS_MAX); i++)
			look_at(n, members[i].adjacency);
	}
	n->walk_due = n->now + WALK_ON; /* there are more */
}
