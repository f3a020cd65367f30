/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adjacencies, as control keeps them: found by (interface, family, next hop), counted, and
 * an index used again only when no worker can still have it from a FIB or a group.
 */
#include "nf/ip/adjacency.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/rcu.h"
#include "kit/packet/wire.h"
#include "nf/ip/drop.h"
#include "nf/ip/ip_int.h"

#define RETIRED_MAX 1024u
#define HASH_FIRST 1024u

static mr_verdict_t
special_verdict(unsigned special)
{
	switch (special) {
	case MR_IP_SPECIAL_LOCAL:
		return mr_verdict_edge(MR_IP_EDGE_LOCAL);
	case MR_IP_SPECIAL_BLACKHOLE:
		return mr_verdict_drop(MR_IP_DROP_BLACKHOLE);
	case MR_IP_SPECIAL_MARTIAN:
		return mr_verdict_drop(MR_IP_DROP_MARTIAN);
	case MR_IP_SPECIAL_MULTICAST:
		return mr_verdict_edge(MR_IP_EDGE_MULTICAST);
	case MR_IP_SPECIAL_LINK_LOCAL:
		return mr_verdict_drop(MR_IP_DROP_LINK_LOCAL);
	case MR_IP_SPECIAL_BROADCAST:
		return mr_verdict_drop(MR_IP_DROP_BROADCAST);
	default:
		return mr_verdict_edge(MR_IP_EDGE_ICMP);
	}
}

static void
publish(struct mr_ip *ip, uint32_t index, mr_verdict_t verdict, unsigned mtu, unsigned interface,
    unsigned len, unsigned flags)
{
	uint64_t control = (uint64_t)verdict | (uint64_t)mtu << 16 | (uint64_t)interface << 32 |
	    (uint64_t)len << 48 | (uint64_t)flags << 56;

	/* Relaxed: only this thread writes it. What stays as it was outdates no flow. */
	if (atomic_load_explicit(&ip->adjacencies[index].control, memory_order_relaxed) == control)
		return;
	/* Release pairs with the acquire of the forwarding nodes: the header is there. */
	atomic_store_explicit(&ip->adjacencies[index].control, control, memory_order_release);
	mr_generation_bump(&ip->cells->adjacencies[index % MR_IP_CELLS]);
}

static uint64_t
control_of(const struct mr_ip *ip, uint32_t index)
{
	return atomic_load_explicit(&ip->adjacencies[index].control, memory_order_relaxed);
}

/* -- indices -------------------------------------------------------------------------- */

static int
push(struct ip_stack *s, uint32_t item)
{
	if (s->count == s->room) {
		uint32_t room = s->room ? s->room * 2 : 64;
		uint32_t *items = realloc(s->items, room * sizeof(*items));

		if (!items)
			return -ENOMEM;
		s->items = items;
		s->room = room;
	}
	s->items[s->count++] = item;
	return 0;
}

/* Waits for the workers to be done with what they may hold. */
static void
wait_for_workers(struct mr_ip_control *c)
{
	mr_rcu_synchronize();
	c->grace++;
	while (c->retired.count > 0) {
		if (push(&c->free, c->retired.items[c->retired.count - 1]))
			return;
		c->retired.count--;
	}
}

static uint32_t
index_get(struct mr_ip_control *c)
{
	if (c->retired.count >= RETIRED_MAX ||
	    (c->retired.count > 0 && c->adjacency_end == MR_IP_ADJACENCIES_MAX))
		wait_for_workers(c);
	if (c->free.count > 0)
		return c->free.items[--c->free.count];
	return c->adjacency_end < MR_IP_ADJACENCIES_MAX ? c->adjacency_end++ : 0;
}

/* -- the hash of next hops ------------------------------------------------------------ */

static uint64_t
hash_of(const struct mr_ip_control *c, uint16_t interface, uint8_t family, const uint8_t *address)
{
	uint64_t words[3] = { (uint64_t)interface << 8 | family, 0, 0 };

	memcpy(words + 1, address, family == MR_IP4 ? 4 : 16);
	return mr_hash_words(&c->key, words, 3);
}

static uint32_t *
place_of(const struct mr_ip_control *c, uint16_t interface, uint8_t family, const uint8_t *address)
{
	uint64_t at = hash_of(c, interface, family, address);

	for (;; at++) {
		uint32_t *place = &c->hash[at & c->hash_mask];
		const struct mr_adjacency_info *a = &c->adjacencies[*place];

		if (*place == 0 ||
		    (a->interface == interface && a->family == family &&
			memcmp(a->address, address, family == MR_IP4 ? 4 : 16) == 0))
			return place;
	}
}

static int
hash_grow(struct mr_ip_control *c)
{
	uint32_t *old = c->hash, count = c->hash ? (c->hash_mask + 1) * 2 : HASH_FIRST;
	uint32_t old_count = c->hash ? c->hash_mask + 1 : 0;
	uint32_t *new = calloc(count, sizeof(*new));

	if (!new)
		return -ENOMEM;
	c->hash = new;
	c->hash_mask = count - 1;
	for (uint32_t i = 0; i < old_count; i++) {
		const struct mr_adjacency_info *a = &c->adjacencies[old[i]];

		if (old[i])
			*place_of(c, a->interface, a->family, a->address) = old[i];
	}
	free(old);
	return 0;
}

/* Takes an entry out and moves up those behind it that would not be found any more. */
static void
hash_remove(struct mr_ip_control *c, uint32_t *place)
{
	uint32_t hole = (uint32_t)(place - c->hash), at = hole;

	for (;;) {
		const struct mr_adjacency_info *a;
		uint32_t home;

		at = (at + 1) & c->hash_mask;
		if (!c->hash[at])
			break;
		a = &c->adjacencies[c->hash[at]];
		home = (uint32_t)hash_of(c, a->interface, a->family, a->address) & c->hash_mask;
		if (((at - home) & c->hash_mask) < ((at - hole) & c->hash_mask))
			continue;
		c->hash[hole] = c->hash[at];
		hole = at;
	}
	c->hash[hole] = 0;
	c->hash_used--;
}

/* -- life ----------------------------------------------------------------------------- */

int
mr_ip_adjacencies_create(struct mr_ip *ip, struct mr_error *error)
{
	struct mr_ip_control *c = ip->control;
	int rc = mr_hash_key_random(&c->key, error);

	if (rc)
		return rc;
	c->adjacencies = mr_ip_reserve(MR_IP_ADJACENCIES_MAX, sizeof(*c->adjacencies));
	if (!c->adjacencies || hash_grow(c))
		return mr_error_set(error, -ENOMEM, "no memory for adjacencies");
	c->adjacency_end = IP_HOP_FIRST;
	for (unsigned i = 0; i < MR_IP_SPECIALS; i++) {
		publish(ip, i, special_verdict(i), 0, 0, 0, 0);
		atomic_store_explicit(&ip->groups[i], i, memory_order_relaxed);
		c->adjacencies[i].references = 1;
	}
	return 0;
}

void
mr_ip_adjacencies_destroy(struct mr_ip *ip)
{
	struct mr_ip_control *c = ip->control;

	mr_ip_release(c->adjacencies, MR_IP_ADJACENCIES_MAX, sizeof(*c->adjacencies));
	free(c->hash);
	free(c->free.items);
	free(c->retired.items);
}

/* Publishes what the adjacency's state and its interface say now. */
static void
republish(struct mr_ip *ip, uint32_t index)
{
	const struct mr_adjacency_info *a = &ip->control->adjacencies[index];
	const struct mr_ip_interface *i = &ip->interfaces[a->interface];
	uint64_t old = control_of(ip, index);
	unsigned flags = MR_ADJACENCY_FLAGS(old) & MR_ADJACENCY_SECOND;
	mr_verdict_t verdict = mr_verdict_edge(MR_IP_EDGE_RESOLVE);

	flags |= a->family == MR_IP6 ? MR_ADJACENCY_IP6 : 0u;
	flags |= a->glean ? MR_ADJACENCY_GLEAN : 0u;
	flags |= mr_ip_flags(i) & MR_IP_CLAMP ? MR_ADJACENCY_CLAMP : 0u;
	if (!(mr_ip_flags(i) & MR_IP_UP)) {
		verdict = mr_verdict_drop(MR_IP_DROP_DOWN);
	} else if (a->complete) {
		verdict = mr_verdict_output(mr_ip_port(i));
		flags |= MR_ADJACENCY_COMPLETE;
	}
	publish(ip, index, verdict, mr_ip_mtu(i), a->interface, MR_ADJACENCY_LEN(old), flags);
}

int
mr_adjacency_get(struct mr_ip *ip, uint16_t interface, enum mr_ip_family family,
    const uint8_t *address, uint32_t *index, struct mr_error *error)
{
	struct mr_ip_control *c = ip->control;
	struct mr_adjacency_info *a;
	uint32_t *place;

	if (c->hash_used * 2 > c->hash_mask && hash_grow(c))
		return mr_error_set(error, -ENOMEM, "no memory for adjacencies");
	place = place_of(c, interface, (uint8_t)family, address);
	if (!*place) {
		uint32_t fresh = index_get(c);

		if (!fresh)
			return mr_error_set(error, -ENOSPC, "more than %u next hops",
			    MR_IP_ADJACENCIES_MAX - IP_HOP_FIRST);
		a = &c->adjacencies[fresh];
		memset(a, 0, sizeof(*a));
		a->interface = interface;
		a->family = (uint8_t)family;
		a->switched = UINT64_MAX;
		memcpy(a->address, address, family == MR_IP4 ? 4 : 16);
		*place = fresh;
		c->hash_used++;
		republish(ip, fresh);
	}
	c->adjacencies[*place].references++;
	*index = *place;
	return 0;
}

int
mr_adjacency_glean(struct mr_ip *ip, uint16_t interface, enum mr_ip_family family, uint32_t *index,
    struct mr_error *error)
{
	uint32_t at = mr_ip_glean_index(interface, family);
	struct mr_adjacency_info *a = &ip->control->adjacencies[at];

	(void)error;
	if (!a->references) {
		memset(a, 0, sizeof(*a));
		a->interface = interface;
		a->family = (uint8_t)family;
		a->glean = true;
		republish(ip, at);
	}
	a->references++;
	*index = at;
	return 0;
}

void
mr_adjacency_ref(struct mr_ip *ip, uint32_t index)
{
	ip->control->adjacencies[index].references++;
}

void
mr_adjacency_put(struct mr_ip *ip, uint32_t index)
{
	struct mr_ip_control *c = ip->control;
	struct mr_adjacency_info *a = &c->adjacencies[index];

	if (--a->references > 0 || index < IP_HOP_FIRST)
		return;
	hash_remove(c, place_of(c, a->interface, a->family, a->address));
	publish(ip, index, mr_verdict_drop(MR_IP_DROP_STALE), 0, 0, 0, 0);
	/* Without memory the index is lost, and nothing else. */
	(void)push(&c->retired, index);
}

uint32_t
mr_adjacency_find(const struct mr_ip *ip, uint16_t interface, enum mr_ip_family family,
    const uint8_t *address)
{
	return *place_of(ip->control, interface, (uint8_t)family, address);
}

const struct mr_adjacency_info *
mr_adjacency_info(const struct mr_ip *ip, uint32_t index)
{
	return &ip->control->adjacencies[index];
}

uint32_t
mr_adjacency_next(const struct mr_ip *ip, uint32_t index)
{
	const struct mr_ip_control *c = ip->control;

	for (index = MR_MAX(index + 1, (uint32_t)IP_HOP_FIRST); index < c->adjacency_end; index++)
		if (c->adjacencies[index].references)
			return index;
	return 0;
}

/* -- headers -------------------------------------------------------------------------- */

void
mr_adjacency_complete(struct mr_ip *ip, uint32_t index, const uint8_t *header, unsigned len)
{
	struct mr_ip_control *c = ip->control;
	struct mr_adjacency_info *a = &c->adjacencies[index];
	struct mr_adjacency *line = &ip->adjacencies[index];
	uint64_t control = control_of(ip, index);
	unsigned second = MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_SECOND ? 1u : 0u;

	if (a->complete && MR_ADJACENCY_LEN(control) == len &&
	    memcmp(line->rewrite[second] + MR_ADJACENCY_REWRITE_MAX - len, header, len) == 0) {
		republish(ip, index);
		return;
	}
	/* The other header may be in use by those who came before the last switch. */
	if (a->switched == c->grace)
		wait_for_workers(c);
	second ^= 1u;
	memset(line->rewrite[second], 0, MR_ADJACENCY_REWRITE_MAX);
	memcpy(line->rewrite[second] + MR_ADJACENCY_REWRITE_MAX - len, header, len);
	/* What republish keeps of the old word; not yet complete, so nobody reads the header
	 * that it names. */
	control &= ~((uint64_t)MR_ADJACENCY_SECOND << 56 | 0xffull << 48);
	control |= (uint64_t)(second ? MR_ADJACENCY_SECOND : 0u) << 56 | (uint64_t)len << 48;
	/* Release: a reader that takes the header by this word, complete as before, sees it whole. */
	atomic_store_explicit(&line->control, control, memory_order_release);
	mr_generation_bump(&ip->cells->adjacencies[index % MR_IP_CELLS]);
	a->complete = true;
	a->switched = c->grace;
	republish(ip, index);
}

void
mr_adjacency_resolve(struct mr_ip *ip, uint32_t index, const uint8_t mac[6])
{
	const struct mr_adjacency_info *a = &ip->control->adjacencies[index];
	const struct mr_ip_interface *i = &ip->interfaces[a->interface];
	be16_t type = mr_be16(a->family == MR_IP6 ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	uint8_t header[18];
	unsigned len = 12;

	memcpy(header, mac, 6);
	mr_ip_mac_copy(i, header + 6);
	if (mr_ip_vlan(i)) {
		be16_t tag[2] = { mr_be16(MR_ETH_TYPE_VLAN), mr_be16(mr_ip_vlan(i)) };

		memcpy(header + len, tag, sizeof(tag));
		len += sizeof(tag);
	}
	memcpy(header + len, &type, sizeof(type));
	mr_adjacency_complete(ip, index, header, len + 2);
}

void
mr_adjacency_forget(struct mr_ip *ip, uint32_t index)
{
	ip->control->adjacencies[index].complete = false;
	republish(ip, index);
}

void
mr_adjacency_refresh(struct mr_ip *ip, uint16_t interface)
{
	struct mr_ip_control *c = ip->control;

	for (unsigned family = 0; family < MR_IP_FAMILIES; family++) {
		uint32_t glean = mr_ip_glean_index(interface, (enum mr_ip_family)family);

		if (c->adjacencies[glean].references)
			republish(ip, glean);
	}
	for (uint32_t i = IP_HOP_FIRST; i < c->adjacency_end; i++) {
		struct mr_adjacency_info *a = &c->adjacencies[i];
		const struct mr_adjacency *line = &ip->adjacencies[i];
		unsigned second = MR_ADJACENCY_FLAGS(control_of(ip, i)) & MR_ADJACENCY_SECOND;
		unsigned len = MR_ADJACENCY_LEN(control_of(ip, i));
		uint8_t mac[6];

		if (!a->references || a->interface != interface)
			continue;
		if (!a->complete) {
			republish(ip, i);
			continue;
		}
		/* The neighbour's address stays, ours and the tag may have changed. */
		memcpy(mac, line->rewrite[second ? 1 : 0] + MR_ADJACENCY_REWRITE_MAX - len, 6);
		mr_adjacency_resolve(ip, i, mac);
	}
}
