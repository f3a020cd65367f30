/* SPDX-License-Identifier: Apache-2.0 */
/* Routes in and out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/rib/rib_int.h"

const char *
mr_route_source_name(enum mr_route_source source)
{
	static const char *const names[MR_ROUTE_SOURCES] = {
		[MR_ROUTE_LOCAL] = "local",
		[MR_ROUTE_CONNECTED] = "connected",
		[MR_ROUTE_NEIGHBOR] = "neighbor",
		[MR_ROUTE_STATIC] = "static",
		[MR_ROUTE_FPM] = "fpm",
		[MR_ROUTE_KERNEL] = "kernel",
	};

	return source < MR_ROUTE_SOURCES ? names[source] : "?";
}

const char *
mr_route_state_name(enum mr_route_state state)
{
	static const char *const names[] = {
		[MR_ROUTE_ACTIVE] = "active",
		[MR_ROUTE_SHADOWED] = "shadowed",
		[MR_ROUTE_UNRESOLVED] = "unresolved",
		[MR_ROUTE_LOOPS] = "loops",
		[MR_ROUTE_NO_MEMORY] = "no-memory",
	};

	return (unsigned)state < MR_ARRAY_COUNT(names) ? names[state] : "?";
}

/* -- life --------------------------------------------------------------------------------- */

int
mr_rib_create(struct mr_rib **out, struct mr_ip *ip, struct mr_error *error)
{
	struct mr_rib *rib = calloc(1, sizeof(*rib));
	int rc;

	if (!rib)
		return mr_error_set(error, -ENOMEM, "no memory for routes");
	rib->ip = ip;
	rc = hops_open(rib, error);
	if (rc) {
		mr_rib_destroy(rib);
		return rc;
	}
	*out = rib;
	return 0;
}

void
mr_rib_destroy(struct mr_rib *rib)
{
	if (!rib)
		return;
	for (unsigned i = 0; i < MR_IP_VRFS_MAX; i++)
		mr_rib_clear_vrf(rib, (uint16_t)i);
	if (rib->heads)
		hops_close(rib);
	free(rib->watch);
	free(rib->dirty);
	free(rib);
}

static struct vrf *
vrf_open(struct mr_rib *rib, uint16_t vrf, struct mr_error *error)
{
	struct vrf *v;

	if (vrf >= MR_IP_VRFS_MAX || !rib->ip->vrfs[vrf].name[0]) {
		mr_error_set(error, -EINVAL, "there is no router with number %u", vrf);
		return NULL;
	}
	if (rib->vrfs[vrf])
		return rib->vrfs[vrf];
	v = calloc(1, sizeof(*v));
	if (!v) {
		mr_error_set(error, -ENOMEM, "no memory for routes");
		return NULL;
	}
	for (unsigned f = 0; f < MR_IP_FAMILIES; f++) {
		if (table_open(&v->tables[f], (enum mr_ip_family)f, error)) {
			free(v);
			return NULL;
		}
	}
	rib->vrfs[vrf] = v;
	return v;
}

static const struct table *
table_of(const struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family)
{
	return vrf < MR_IP_VRFS_MAX && rib->vrfs[vrf] ? &rib->vrfs[vrf]->tables[family] : NULL;
}

/* -- set ---------------------------------------------------------------------------------- */

static int
check(const struct mr_route *r, struct mr_error *error)
{
	uint8_t masked[16];

	if (r->family >= MR_IP_FAMILIES || r->source >= MR_ROUTE_SOURCES)
		return mr_error_set(error, -EINVAL, "a route of no known family or source");
	if (r->len > (r->family == MR_IP4 ? 32 : 128))
		return mr_error_set(error, -EINVAL, "a prefix has no %u bits", r->len);
	rib_mask(masked, r->prefix, r->len);
	if (memcmp(masked, r->prefix, r->family == MR_IP4 ? 4 : 16) != 0)
		return mr_error_set(error, -EINVAL, "the prefix has bits beyond its length %u",
		    r->len);
	return 0;
}

/* Whether these two are the same source's route. */
static bool
same_route(const struct route *r, const struct mr_route *n)
{
	return r->source == n->source && (r->source != MR_ROUTE_KERNEL || r->metric == n->metric);
}

static bool
goes_before(const struct mr_route *n, const struct route *r)
{
	if (n->source != r->source)
		return n->source < r->source;
	return n->metric < r->metric;
}

static void
touched(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, uint8_t source,
    const uint8_t *prefix, unsigned len)
{
	if (source == MR_ROUTE_CONNECTED)
		rib->links_changed = true;
	resolve_touched(rib, vrf, family, prefix, len);
}

static void
replace(struct mr_rib *rib, uint16_t vrf, const struct mr_route *n, uint32_t head, uint32_t at,
    uint32_t hops)
{
	struct route *r = table_at(&rib->vrfs[vrf]->tables[n->family], at);
	uint32_t old = r->hops;

	r->metric = n->metric;
	r->protocol = n->protocol;
	r->flags &= (uint8_t)~ROUTE_MARKED;
	r->hops = hops;
	if (old != hops) {
		rib_choose(rib, vrf, n->family, head, n->prefix, n->len, false,
		    (r->flags & ROUTE_FIB) != 0);
		touched(rib, vrf, n->family, n->source, n->prefix, n->len);
	}
	hops_put(rib, old);
}

static void
insert(struct mr_rib *rib, uint16_t vrf, const struct mr_route *n, uint32_t *slot, uint32_t hash,
    uint32_t hops)
{
	struct table *t = &rib->vrfs[vrf]->tables[n->family];
	uint32_t head = slot ? SLOT_INDEX(*slot) : 0, index = table_take(t), at, before = 0;
	struct route *r = table_at(t, index);

	for (at = head; at && !goes_before(n, table_at(t, at)); at = table_at(t, at)->next)
		before = at;
	*r = (struct route){
		.next = at,
		.hops = hops,
		.metric = n->metric,
		.len = n->len,
		.protocol = n->protocol,
		.source = n->source,
		.flags = ROUTE_USED | (before ? 0 : ROUTE_HEAD),
	};
	memcpy(r->prefix, n->prefix, t->size);
	t->sources[n->source]++;
	if (before) {
		table_at(t, before)->next = index;
	} else if (slot) {
		table_at(t, head)->flags &= (uint8_t)~ROUTE_HEAD;
		*slot = (*slot & 0xff000000u) | index;
	} else {
		table_insert(t, hash, index);
	}
	rib_choose(rib, vrf, n->family, before ? head : index, n->prefix, n->len, false, false);
	touched(rib, vrf, n->family, n->source, n->prefix, n->len);
}

int
mr_rib_set(struct mr_rib *rib, uint16_t vrf, const struct mr_route *n, struct mr_error *error)
{
	struct vrf *v = vrf_open(rib, vrf, error);
	uint32_t hops, hash, *slot, at;
	struct table *t;
	int rc;

	if (!v)
		return error ? error->code : -EINVAL;
	rc = check(n, error);
	if (rc)
		return rc;
	t = &v->tables[n->family];
	rc = table_reserve(t);
	if (rc)
		return mr_error_set(error, rc, "no memory for one more route");
	rc = hops_get(rib, vrf, n, &hops, error);
	if (rc)
		return rc;
	hash = table_hash(t, n->prefix, n->len);
	slot = table_slot(t, n->prefix, n->len, hash);
	at = slot ? SLOT_INDEX(*slot) : 0;
	while (at && !same_route(table_at(t, at), n))
		at = table_at(t, at)->next;
	if (at)
		replace(rib, vrf, n, SLOT_INDEX(*slot), at, hops);
	else
		insert(rib, vrf, n, slot, hash, hops);
	return 0;
}

/* -- unset -------------------------------------------------------------------------------- */

/* Takes one route out. */
static void
erase(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, uint32_t *slot, uint32_t index)
{
	struct table *t = &rib->vrfs[vrf]->tables[family];
	uint32_t head = SLOT_INDEX(*slot), at = head;
	struct route *r = table_at(t, index);

	if (index == head) {
		head = r->next;
		if (head) {
			table_at(t, head)->flags |= ROUTE_HEAD;
			*slot = (*slot & 0xff000000u) | head;
		} else {
			table_remove(t, slot, r->len);
		}
	} else {
		while (table_at(t, at)->next != index)
			at = table_at(t, at)->next;
		table_at(t, at)->next = r->next;
	}
	if (r->flags & ROUTE_NO_MEMORY)
		rib->starved--;
	if (r->flags & ROUTE_FIB)
		rib_choose(rib, vrf, family, head, r->prefix, r->len, true, false);
	touched(rib, vrf, family, r->source, r->prefix, r->len);
	t->sources[r->source]--;
	rib->removed++;
	hops_put(rib, r->hops);
	table_give(t, index);
}

static int
unset(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, const uint8_t *prefix,
    unsigned len, enum mr_route_source source, const uint32_t *metric)
{
	struct table *t = (struct table *)table_of(rib, vrf, family);
	uint32_t hash, at, next, *slot;
	unsigned count = 0;

	if (!t || len > t->size * 8)
		return -ENOENT;
	hash = table_hash(t, prefix, len);
	slot = table_slot(t, prefix, len, hash);
	for (at = slot ? SLOT_INDEX(*slot) : 0; at; at = next) {
		const struct route *r = table_at(t, at);

		next = r->next;
		if (r->source != source || (metric && r->metric != *metric))
			continue;
		erase(rib, vrf, family, slot, at);
		count++;
	}
	return count ? 0 : -ENOENT;
}

int
mr_rib_unset(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, const uint8_t prefix[16],
    unsigned len, enum mr_route_source source)
{
	return unset(rib, vrf, family, prefix, len, source, NULL);
}

int
mr_rib_unset_metric(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family,
    const uint8_t prefix[16], unsigned len, enum mr_route_source source, uint32_t metric)
{
	return unset(rib, vrf, family, prefix, len, source, &metric);
}

static uint32_t
erase_all(struct mr_rib *rib, uint16_t vrf, enum mr_route_source source, uint8_t flag)
{
	uint32_t count = 0;

	for (unsigned f = 0; f < MR_IP_FAMILIES; f++) {
		struct table *t = (struct table *)table_of(rib, vrf, (enum mr_ip_family)f);

		for (uint32_t i = 1; t && t->sources[source] && i < t->end; i++) {
			const struct route *r = table_at(t, i);

			if (!(r->flags & ROUTE_USED) || r->source != source ||
			    (r->flags & flag) != flag)
				continue;
			erase(rib, vrf, (enum mr_ip_family)f,
			    table_slot(t, r->prefix, r->len, table_hash(t, r->prefix, r->len)), i);
			count++;
		}
	}
	return count;
}

void
mr_rib_clear(struct mr_rib *rib, uint16_t vrf, enum mr_route_source source)
{
	erase_all(rib, vrf, source, 0);
}

void
mr_rib_clear_vrf(struct mr_rib *rib, uint16_t vrf)
{
	struct vrf *v = vrf < MR_IP_VRFS_MAX ? rib->vrfs[vrf] : NULL;

	if (!v)
		return;
	for (unsigned s = 0; s < MR_ROUTE_SOURCES; s++)
		erase_all(rib, vrf, (enum mr_route_source)s, 0);
	for (unsigned f = 0; f < MR_IP_FAMILIES; f++)
		table_close(&v->tables[f]);
	free(v);
	rib->vrfs[vrf] = NULL;
}

void
mr_rib_mark(struct mr_rib *rib, uint16_t vrf, enum mr_route_source source)
{
	for (unsigned f = 0; f < MR_IP_FAMILIES; f++) {
		const struct table *t = table_of(rib, vrf, (enum mr_ip_family)f);

		for (uint32_t i = 1; t && t->sources[source] && i < t->end; i++)
			if ((table_at(t, i)->flags & ROUTE_USED) &&
			    table_at(t, i)->source == source)
				table_at(t, i)->flags |= ROUTE_MARKED;
	}
}

uint32_t
mr_rib_sweep(struct mr_rib *rib, uint16_t vrf, enum mr_route_source source)
{
	return erase_all(rib, vrf, source, ROUTE_MARKED);
}

/* -- looking ------------------------------------------------------------------------------ */

enum mr_route_state
rib_state(const struct mr_rib *rib, const struct table *t, uint32_t head, uint32_t index)
{
	const struct route *r = table_at(t, index);
	const struct hops *h = rib->sets[r->hops];

	if (h->state == HOPS_LOOPS)
		return MR_ROUTE_LOOPS;
	if (h->state == HOPS_NO_MEMORY || (r->flags & ROUTE_NO_MEMORY))
		return MR_ROUTE_NO_MEMORY;
	if (!h->usable)
		return MR_ROUTE_UNRESOLVED;
	return rib_best(rib, t, head) == index ? MR_ROUTE_ACTIVE : MR_ROUTE_SHADOWED;
}

void
rib_route(const struct mr_rib *rib, const struct table *t, enum mr_ip_family family, uint32_t index,
    struct mr_route *out)
{
	const struct route *r = table_at(t, index);
	const struct hops *h = rib->sets[r->hops];

	*out = (struct mr_route){
		.family = (uint8_t)family,
		.len = r->len,
		.source = r->source,
		.protocol = r->protocol,
		.metric = r->metric,
		.hop_count = h->count,
		.hops = h->hops,
	};
	memcpy(out->prefix, r->prefix, t->size);
}

bool
mr_rib_get(const struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family,
    const uint8_t prefix[16], unsigned len, enum mr_route_source source, struct mr_route *out,
    enum mr_route_state *state)
{
	const struct table *t = table_of(rib, vrf, family);
	uint32_t head, at;

	if (!t || len > t->size * 8)
		return false;
	head = table_find(t, prefix, len);
	for (at = head; at && table_at(t, at)->source != source; at = table_at(t, at)->next)
		;
	if (!at)
		return false;
	if (out)
		rib_route(rib, t, family, at, out);
	if (state)
		*state = rib_state(rib, t, head, at);
	return true;
}

uint32_t
mr_rib_count(const struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family,
    enum mr_route_source source)
{
	const struct table *t = table_of(rib, vrf, family);

	return t ? t->sources[source] : 0;
}

void
mr_rib_stats(const struct mr_rib *rib, struct mr_rib_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->hop_sets = rib->set_count;
	out->recursive = rib->recursive_count;
	out->no_memory = rib->starved;
	for (unsigned v = 0; v < MR_IP_VRFS_MAX; v++)
		for (unsigned f = 0; rib->vrfs[v] && f < MR_IP_FAMILIES; f++) {
			const struct table *t = &rib->vrfs[v]->tables[f];

			out->prefixes += t->heads;
			out->bytes += table_bytes(t);
			for (unsigned s = 0; s < MR_ROUTE_SOURCES; s++)
				out->routes += t->sources[s];
		}
	for (uint32_t i = 1; i < rib->set_end; i++) {
		const struct hops *h = rib->sets[i];

		if (!h)
			continue;
		out->bytes += sizeof(*h) + h->count * sizeof(h->hops[0]);
		if (h->state == HOPS_LOOPS)
			out->loops += h->references;
		else if (h->state == HOPS_NO_MEMORY)
			out->no_memory += h->references;
		else if (!h->usable)
			out->unresolved += h->references;
	}
}
