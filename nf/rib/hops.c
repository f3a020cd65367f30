/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hop sets: next hops as somebody gave them, once however many routes have them. One that no
 * route has any more stays a while: a prefix that flaps finds its next hops resolved.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/rib/rib_int.h"

#define HEADS_FIRST 256u
#define IDLE_MAX 1024u

int
hops_open(struct mr_rib *rib, struct mr_error *error)
{
	rib->heads = calloc(HEADS_FIRST, sizeof(*rib->heads));
	rib->heads_mask = HEADS_FIRST - 1;
	rib->set_end = 1;
	if (!rib->heads)
		return mr_error_set(error, -ENOMEM, "no memory for routes");
	return mr_hash_key_random(&rib->key, error);
}

bool
hops_is_recursive(const struct mr_route_hop *hop)
{
	return hop->kind == MR_HOP_VIA && hop->interface == 0;
}

/* -- what may stand in a route ------------------------------------------------------------ */

static int
check_interface(const struct mr_rib *rib, uint16_t vrf, const struct mr_route_hop *hop,
    struct mr_error *error)
{
	const struct mr_ip *ip = rib->ip;

	if (hop->interface == 0 && hop->kind == MR_HOP_VIA)
		return 0;
	if (hop->interface == 0 || hop->interface >= ip->interface_end ||
	    !ip->info[hop->interface].name[0])
		return mr_error_set(error, -EINVAL,
		    "there is no interface of the router with number %u", hop->interface);
	if (mr_ip_vrf(&ip->interfaces[hop->interface]) != vrf && !hop->onlink)
		return mr_error_set(error, -EINVAL,
		    "interface %s belongs to router %s, not to %s (onlink permits that)",
		    ip->info[hop->interface].name,
		    ip->vrfs[mr_ip_vrf(&ip->interfaces[hop->interface])].name, ip->vrfs[vrf].name);
	return 0;
}

static int
check_hop(const struct mr_rib *rib, uint16_t vrf, const struct mr_route *r,
    const struct mr_route_hop *hop, struct mr_error *error)
{
	switch (hop->kind) {
	case MR_HOP_SPECIAL:
		if (hop->special == MR_IP_SPECIAL_NONE || hop->special >= MR_IP_SPECIALS)
			return mr_error_set(error, -EINVAL, "%u is no kind of decision",
			    hop->special);
		return 0;
	case MR_HOP_VIA:
		if (hop->family >= MR_IP_FAMILIES)
			return mr_error_set(error, -EINVAL, "%u is no family of addresses",
			    hop->family);
		if (hop->family == MR_IP4 && r->family == MR_IP6)
			return mr_error_set(error, -EINVAL,
			    "IPv6 routes cannot have IPv4 next hops");
		return check_interface(rib, vrf, hop, error);
	case MR_HOP_DIRECT:
		return check_interface(rib, vrf, hop, error);
	default:
		return mr_error_set(error, -EINVAL, "%u is no kind of next hop", hop->kind);
	}
}

/* Only what counts, so that equal hops have equal bytes. */
static void
canonical(struct mr_route_hop *out, const struct mr_route_hop *in, uint8_t family)
{
	memset(out, 0, sizeof(*out));
	out->kind = in->kind;
	out->weight = MR_MAX(in->weight, (uint16_t)1);
	out->family = family;
	if (in->kind == MR_HOP_SPECIAL) {
		out->special = in->special;
		return;
	}
	out->interface = in->interface;
	out->onlink = in->onlink;
	if (in->kind == MR_HOP_VIA) {
		out->family = in->family;
		memcpy(out->address, in->address, in->family == MR_IP4 ? 4 : 16);
	}
}

/* -- the hash ----------------------------------------------------------------------------- */

static uint32_t
hash_of(const struct mr_rib *rib, uint16_t vrf, uint8_t family, const struct mr_route_hop *hops,
    unsigned count)
{
	uint64_t words[4] = { (uint64_t)vrf << 24 | (uint64_t)family << 16 | count };

	static_assert(sizeof(*hops) == 24, "three words, without holes");
	if (count == 1)
		memcpy(words + 1, hops, sizeof(*hops));
	else
		words[1] = mr_hash_bytes(&rib->key, hops, count * sizeof(*hops));
	return (uint32_t)mr_hash_words(&rib->key, words, 4);
}

static void
heads_grow(struct mr_rib *rib)
{
	uint32_t mask = rib->heads_mask * 2 + 1;
	uint32_t *heads = calloc((size_t)mask + 1, sizeof(*heads));

	if (!heads) /* it gets slower, and nothing else */
		return;
	for (uint32_t i = 1; i < rib->set_end; i++) {
		struct hops *h = rib->sets[i];

		if (!h || h->orphan)
			continue;
		h->next = heads[h->hash & mask];
		heads[h->hash & mask] = i;
	}
	free(rib->heads);
	rib->heads = heads;
	rib->heads_mask = mask;
}

static void
hash_remove(struct mr_rib *rib, const struct hops *h)
{
	uint32_t *at = &rib->heads[h->hash & rib->heads_mask];

	while (*at != h->id)
		at = &rib->sets[*at]->next;
	*at = h->next;
}

/* -- life --------------------------------------------------------------------------------- */

static int
sets_reserve(struct mr_rib *rib)
{
	uint32_t room = rib->set_room ? rib->set_room * 2 : 64, *set_free;
	struct hops **sets;
	uint8_t *changed;

	if (rib->set_free_count || rib->set_end < rib->set_room)
		return 0;
	sets = realloc(rib->sets, room * sizeof(struct hops *));
	if (sets)
		rib->sets = sets;
	changed = realloc(rib->changed, room);
	if (changed)
		rib->changed = changed;
	set_free = realloc(rib->set_free, room * sizeof(*set_free));
	if (set_free)
		rib->set_free = set_free;
	if (!sets || !changed || !set_free)
		return -ENOMEM;
	rib->set_room = room;
	return 0;
}

static int
recursive_add(struct mr_rib *rib, struct hops *h)
{
	if (rib->recursive_count == rib->recursive_room) {
		uint32_t room = rib->recursive_room ? rib->recursive_room * 2 : 64;
		uint32_t *items = realloc(rib->recursive, room * sizeof(*items));

		if (!items)
			return -ENOMEM;
		rib->recursive = items;
		rib->recursive_room = room;
	}
	rib->recursive[rib->recursive_count++] = h->id;
	h->recursive_at = rib->recursive_count;
	return 0;
}

static void
recursive_remove(struct mr_rib *rib, struct hops *h)
{
	uint32_t last = rib->recursive[--rib->recursive_count];

	rib->recursive[h->recursive_at - 1] = last;
	rib->sets[last]->recursive_at = h->recursive_at;
	h->recursive_at = 0;
	rib->watch_stale = true;
}

static void
destroy(struct mr_rib *rib, struct hops *h)
{
	if (!h->orphan)
		hash_remove(rib, h);
	if (h->recursive_at)
		recursive_remove(rib, h);
	mr_group_put(rib->ip, h->group);
	mr_group_put(rib->ip, h->old_group);
	rib->sets[h->id] = NULL;
	rib->changed[h->id] = 0;
	rib->set_free[rib->set_free_count++] = h->id;
	rib->set_count--;
	free(h->targets);
	free(h);
}

void
hops_close(struct mr_rib *rib)
{
	for (uint32_t i = 1; i < rib->set_end; i++)
		if (rib->sets[i])
			destroy(rib, rib->sets[i]);
	free(rib->sets);
	free(rib->changed);
	free(rib->set_free);
	free(rib->heads);
	free(rib->recursive);
	free(rib->idle);
}

static int
create(struct mr_rib *rib, uint16_t vrf, uint8_t family, const struct mr_route_hop *hops,
    unsigned count, uint32_t hash, uint32_t *id)
{
	struct hops *h;

	if (sets_reserve(rib))
		return -ENOMEM;
	h = calloc(1, sizeof(*h) + count * sizeof(*hops));
	if (!h)
		return -ENOMEM;
	if (rib->set_count > rib->heads_mask)
		heads_grow(rib);
	h->id = rib->set_free_count ? rib->set_free[--rib->set_free_count] : rib->set_end++;
	rib->sets[h->id] = h;
	rib->changed[h->id] = 0;
	h->vrf = vrf;
	h->family = family;
	h->count = (uint16_t)count;
	h->hash = hash;
	h->references = 1;
	memcpy(h->hops, hops, count * sizeof(*hops));
	rib->set_count++;
	h->next = rib->heads[hash & rib->heads_mask];
	rib->heads[hash & rib->heads_mask] = h->id;
	for (unsigned i = 0; i < count; i++) {
		h->links |= hops[i].kind == MR_HOP_VIA && hops[i].interface && !hops[i].onlink;
		if (hops_is_recursive(&hops[i]) && !h->recursive_at && recursive_add(rib, h)) {
			destroy(rib, h);
			return -ENOMEM;
		}
	}
	resolve_hops(rib, h);
	*id = h->id;
	return 0;
}

int
hops_get(struct mr_rib *rib, uint16_t vrf, const struct mr_route *r, uint32_t *id,
    struct mr_error *error)
{
	struct mr_route_hop hops[MR_GROUP_MEMBERS_MAX];
	uint32_t hash;
	int rc;

	if (r->hop_count == 0 || r->hop_count > MR_GROUP_MEMBERS_MAX || !r->hops)
		return mr_error_set(error, -EINVAL, "%u next hops: a route has 1 to %u",
		    r->hop_count, MR_GROUP_MEMBERS_MAX);
	for (unsigned i = 0; i < r->hop_count; i++)
		canonical(&hops[i], &r->hops[i], r->family);
	hash = hash_of(rib, vrf, r->family, hops, r->hop_count);
	for (uint32_t at = rib->heads[hash & rib->heads_mask]; at; at = rib->sets[at]->next) {
		struct hops *h = rib->sets[at];

		if (h->hash != hash || h->vrf != vrf || h->family != r->family ||
		    h->count != r->hop_count ||
		    memcmp(h->hops, hops, r->hop_count * sizeof(*hops)) != 0)
			continue;
		h->references++;
		*id = at;
		return 0;
	}
	for (unsigned i = 0; i < r->hop_count; i++) {
		rc = check_hop(rib, vrf, r, &r->hops[i], error);
		if (rc)
			return rc;
	}
	rc = create(rib, vrf, r->family, hops, r->hop_count, hash, id);
	return rc ? mr_error_set(error, rc, "no memory for next hops") : 0;
}

void
hops_reap(struct mr_rib *rib)
{
	while (rib->idle_count > 0) {
		struct hops *h = rib->sets[rib->idle[--rib->idle_count]];

		h->idle = false;
		if (h->references == 0)
			destroy(rib, h);
	}
}

void
hops_put(struct mr_rib *rib, uint32_t id)
{
	struct hops *h = rib->sets[id];

	if (--h->references > 0 || h->idle)
		return;
	if (rib->idle_count == IDLE_MAX)
		hops_reap(rib);
	if (rib->idle_count == rib->idle_room) {
		uint32_t *items = realloc(rib->idle, IDLE_MAX * sizeof(*items));

		if (!items) {
			destroy(rib, h);
			return;
		}
		rib->idle = items;
		rib->idle_room = IDLE_MAX;
	}
	h->idle = true;
	rib->idle[rib->idle_count++] = id;
}

void
hops_orphan(struct mr_rib *rib, struct hops *h)
{
	if (h->orphan)
		return;
	hash_remove(rib, h);
	h->orphan = true;
}
