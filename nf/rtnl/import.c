/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/rtnl/import.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nf/rtnl/import_int.h"

#define BUCKETS_MIN 1024u
#define SWEEP_STEP 16u /* routes looked at that cost as much as one given to the RIB */

static void *
reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int
mr_import_create(struct mr_import **out, const struct mr_import_config *config,
    struct mr_error *error)
{
	struct mr_import *im = calloc(1, sizeof(*im));
	int rc = im ? mr_hash_key_random(&im->key, error) : 0;

	if (rc) {
		free(im);
		return rc;
	}
	if (im) {
		im->config = *config;
		im->routes_max = config->routes_max && config->routes_max < MR_IMPORT_ROUTES_MAX
		    ? config->routes_max
		    : MR_IMPORT_ROUTES_MAX;
		im->route_end = 1;
		im->buckets = BUCKETS_MIN;
		im->routes = reserve((im->routes_max + 1ul) * sizeof(*im->routes));
		im->heads = reserve((im->routes_max + BUCKETS_MIN) * sizeof(*im->heads));
	}
	if (!im || !im->routes || !im->heads || import_sets_create(im)) {
		mr_import_destroy(im);
		return mr_error_set(error, -ENOMEM, "no memory for imported routes");
	}
	*out = im;
	return 0;
}

void
mr_import_destroy(struct mr_import *im)
{
	if (!im)
		return;
	if (im->stats.imported)
		mr_rib_clear(im->config.rib, im->config.vrf, im->config.source);
	import_sets_destroy(im);
	if (im->routes)
		munmap(im->routes, (im->routes_max + 1ul) * sizeof(*im->routes));
	if (im->heads)
		munmap(im->heads, (im->routes_max + BUCKETS_MIN) * sizeof(*im->heads));
	free(im);
}

/* -- the table -------------------------------------------------------------------------------- */

static bool
same_prefix(const struct route *a, const struct route *b)
{
	return a->len == b->len && ((a->flags ^ b->flags) & ROUTE_IP6) == 0 &&
	    !memcmp(a->prefix, b->prefix, sizeof(a->prefix));
}

static uint32_t
bucket_of(const struct mr_import *im, const struct route *r)
{
	uint64_t words[3];
	uint32_t mask = (1u << (32 - __builtin_clz(im->buckets - 1))) - 1, at;

	memcpy(words, r->prefix, sizeof(r->prefix));
	words[2] = (uint64_t)(r->flags & ROUTE_IP6) << 8 | r->len;
	at = (uint32_t)mr_hash_words(&im->key, words, 3) & mask;
	return at < im->buckets ? at : at & mask >> 1;
}

/* Linear hashing: the next bucket takes its share out of the one that had it until now. */
static void
split(struct mr_import *im)
{
	uint32_t new = im->buckets++, *keep, *give, index;

	/* The highest bit of `new` is the one that tells the two apart. */
	keep = &im->heads[new & ~(1u << (31 - __builtin_clz(new)))];
	give = &im->heads[new];
	for (index = *keep; index; index = im->routes[index].next) {
		uint32_t **end = bucket_of(im, &im->routes[index]) == new ? &give : &keep;

		**end = index;
		*end = &im->routes[index].next;
	}
	*keep = *give = 0;
}

static uint32_t
new_route(struct mr_import *im)
{
	uint32_t index = im->route_free;

	if (index)
		im->route_free = im->routes[index].next;
	else if (im->route_end <= im->routes_max)
		index = im->route_end++;
	else
		return 0;
	memset(&im->routes[index], 0, sizeof(im->routes[index]));
	if (++im->stats.routes > im->buckets)
		split(im);
	return index;
}

/* -- to the RIB --------------------------------------------------------------------------------- */

/* Next hops without an address are of the route's family; a set serves both. */
static const struct mr_route_hop *
hops_for(struct mr_import *im, const struct set *s, uint8_t family)
{
	if (family == MR_IP4)
		return s->resolved;
	for (unsigned i = 0; i < s->resolved_count; i++) {
		im->scratch[i] = s->resolved[i];
		if (s->resolved[i].kind != MR_HOP_VIA)
			im->scratch[i].family = family;
	}
	return im->scratch;
}

static bool
give(struct mr_import *im, const struct route *r)
{
	const struct set *s = im->sets[r->set];
	uint8_t family = r->flags & ROUTE_IP6 ? MR_IP6 : MR_IP4;
	struct mr_route route = {
		.family = family,
		.len = r->len,
		.source = (uint8_t)im->config.source,
		.protocol = r->protocol,
		.metric = r->metric,
		.hop_count = s->resolved_count,
		.hops = hops_for(im, s, family),
	};
	struct mr_error error;

	memcpy(route.prefix, r->prefix, sizeof(route.prefix));
	if (mr_rib_set(im->config.rib, im->config.vrf, &route, &error) == 0)
		return true;
	im->stats.rib_errors++;
	snprintf(im->trouble, sizeof(im->trouble), "%s", error.text);
	return false;
}

void
import_refresh(struct mr_import *im, const struct route *key)
{
	uint32_t index = im->heads[bucket_of(im, key)], best = 0, metric = key->metric;
	/* A route that is being removed is in no bucket any more. */
	bool was = (key->flags & ROUTE_IN_RIB) != 0;
	enum mr_ip_family family = key->flags & ROUTE_IP6 ? MR_IP6 : MR_IP4;
	struct route *r;

	for (; index; index = r->next) {
		r = &im->routes[index];
		if (!same_prefix(r, key))
			continue;
		if (r->flags & ROUTE_IN_RIB) {
			was = true;
			metric = r->metric;
		}
		r->flags &= (uint8_t)~ROUTE_IN_RIB;
		if (!best && im->sets[r->set]->resolved_count)
			best = index;
	}
	im->stats.imported -= was;
	if (best && give(im, &im->routes[best])) {
		im->routes[best].flags |= ROUTE_IN_RIB;
		im->stats.imported++;
		/* Of a kernel's, the RIB has one of each metric: the new one first, then the old one
		 * away, so that no packet finds neither. */
		if (was && im->config.source == MR_ROUTE_KERNEL &&
		    metric != im->routes[best].metric)
			mr_rib_unset_metric(im->config.rib, im->config.vrf, family, key->prefix,
			    key->len, im->config.source, metric);
	} else if (was) {
		mr_rib_unset(im->config.rib, im->config.vrf, family, key->prefix, key->len,
		    im->config.source);
	}
}

void
import_remove(struct mr_import *im, uint32_t index)
{
	struct route *r = &im->routes[index];
	uint32_t *at = &im->heads[bucket_of(im, r)];

	while (*at != index)
		at = &im->routes[*at].next;
	*at = r->next;
	if (r->flags & ROUTE_IN_RIB)
		import_refresh(im, r);
	if (r->generation == im->generation)
		im->fresh--;
	import_set_unlink(im, index);
	r->flags = 0;
	r->next = im->route_free;
	im->route_free = index;
	im->stats.routes--;
}

/* -- routes come and go --------------------------------------------------------------------------- */

static void
key_of(struct route *key, const struct mr_rtnl_route *r)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->prefix, r->prefix, sizeof(key->prefix));
	key->len = r->len;
	key->flags = ROUTE_USED | (r->family == MR_IP6 ? ROUTE_IP6 : 0);
	key->metric = r->metric;
	key->protocol = r->protocol;
}

/* The next route with this prefix and metric, from *at on. */
static uint32_t
next_alike(const struct mr_import *im, uint32_t at, const struct route *key)
{
	for (; at; at = im->routes[at].next) {
		const struct route *r = &im->routes[at];

		if (same_prefix(r, key) && (im->config.single || r->metric == key->metric))
			return at;
	}
	return 0;
}

static uint32_t
first_alike(const struct mr_import *im, const struct route *key)
{
	return next_alike(im, im->heads[bucket_of(im, key)], key);
}

static uint32_t
with_set(const struct mr_import *im, const struct route *key, uint32_t set)
{
	uint32_t at = first_alike(im, key);

	while (at && im->routes[at].set != set)
		at = next_alike(im, im->routes[at].next, key);
	return at;
}

static uint32_t
first_stale(const struct mr_import *im, const struct route *key)
{
	uint32_t at = first_alike(im, key);

	while (at && im->routes[at].generation == im->generation)
		at = next_alike(im, im->routes[at].next, key);
	return at;
}

/* An IPv6 route to which next hops were appended is told as a whole. */
static uint32_t
within(const struct mr_import *im, const struct route *key, uint32_t set)
{
	uint32_t at = key->flags & ROUTE_IP6 ? first_alike(im, key) : 0;

	while (at && !import_set_within(im, im->routes[at].set, set))
		at = next_alike(im, im->routes[at].next, key);
	return at;
}

/* Which route the message replaces: that is what the flags are about, and how the kernel does
 * it (fib_table_insert, fib6_add_rt2node). 0: none, it is one more. */
static uint32_t
replaced_by(const struct mr_import *im, const struct mr_rtnl *m, const struct route *key,
    uint32_t set)
{
	uint32_t at;

	if (im->config.single)
		return first_alike(im, key);
	at = with_set(im, key, set);
	if (at)
		return at;
	if (m->flags & NLM_F_MULTI)
		return first_stale(im, key);
	if (m->flags & NLM_F_REPLACE)
		return first_alike(im, key);
	return within(im, key, set);
}

/* Into its bucket: by metric, and with equal ones last, or first. */
static void
enter(struct mr_import *im, uint32_t index, bool first)
{
	struct route *r = &im->routes[index];
	uint32_t *at = &im->heads[bucket_of(im, r)], *place = NULL;

	for (; *at; at = &im->routes[*at].next) {
		const struct route *other = &im->routes[*at];

		if (!same_prefix(other, r))
			continue;
		if (other->metric > r->metric || (first && other->metric == r->metric)) {
			place = at;
			break;
		}
	}
	if (!place)
		place = at;
	r->next = *place;
	*place = index;
}

static bool
add(struct mr_import *im, const struct route *key, uint32_t set, bool first)
{
	uint32_t index = new_route(im);

	if (!index) {
		im->stats.refused++;
		return false;
	}
	im->routes[index] = *key;
	im->routes[index].generation = im->generation;
	im->fresh++;
	import_set_link(im, index, set);
	enter(im, index, first);
	import_refresh(im, &im->routes[index]);
	im->stats.added++;
	return true;
}

static void
renew(struct mr_import *im, struct route *r)
{
	if (r->generation != im->generation) {
		r->generation = im->generation;
		im->fresh++;
	}
}

static bool
replace(struct mr_import *im, uint32_t index, const struct route *key, uint32_t set)
{
	struct route *r = &im->routes[index];
	bool same = import_set_same_way(im, r->set, set) && r->metric == key->metric &&
	    r->protocol == key->protocol;

	renew(im, r);
	if (r->set != set) {
		import_set_unlink(im, index);
		import_set_link(im, index, set);
	}
	r->metric = key->metric;
	r->protocol = key->protocol;
	if (same) {
		im->stats.renewed++;
		return false;
	}
	/* The source is still telling what there is, and this object's turn will come. */
	if (!im->loading || im->sets[set]->kind != SET_UNKNOWN)
		import_refresh(im, r);
	im->stats.replaced++;
	return true;
}

/* Which route goes: the very same, or the first of the metric; of an IPv6 route only the next
 * hops that were named. */
static bool
take_out(struct mr_import *im, const struct route *key, uint32_t set)
{
	uint32_t at = im->config.single ? first_alike(im, key) : with_set(im, key, set), less;

	if (!at && !(key->flags & ROUTE_IP6))
		at = first_alike(im, key);
	if (at) {
		import_remove(im, at);
		im->stats.removed++;
		return true;
	}
	at = set && (key->flags & ROUTE_IP6) ? first_alike(im, key) : 0;
	while (at && !import_set_within(im, set, im->routes[at].set))
		at = next_alike(im, im->routes[at].next, key);
	if (!at) {
		im->stats.unknown++;
		return false;
	}
	less = import_set_without(im, im->routes[at].set, set);
	if (less)
		return replace(im, at, key, less);
	import_remove(im, at);
	im->stats.removed++;
	return true;
}

bool
mr_import_route(struct mr_import *im, const struct mr_rtnl *m)
{
	bool changed, alone = m->deleted && im->config.single;
	uint32_t set = alone ? 0 : import_set_of(im, m), at;
	struct route key;

	if (!set && !alone) {
		im->stats.refused++;
		return false;
	}
	key_of(&key, &m->route);
	if (m->deleted) {
		changed = take_out(im, &key, set);
	} else {
		at = replaced_by(im, m, &key, set);
		changed = at ? replace(im, at, &key, set)
			     : add(im, &key, set, !(m->flags & (NLM_F_APPEND | NLM_F_MULTI)));
	}
	import_set_drop_unused(im, set);
	return changed;
}

/* -- starting over --------------------------------------------------------------------------------- */

void
mr_import_mark(struct mr_import *im)
{
	import_sets_forget_numbers(im);
	im->generation++;
	im->fresh = 0;
	im->sweep = 0;
	im->loading = true;
}

void
mr_import_sweep(struct mr_import *im)
{
	im->loading = false;
	import_sets_queue_unknown(im);
	if (im->fresh < im->stats.routes)
		im->sweep = 1;
}

static unsigned
sweep(struct mr_import *im, unsigned budget)
{
	uint32_t looks = budget * SWEEP_STEP;

	while (im->sweep && looks) {
		struct route *r = &im->routes[im->sweep];
		uint32_t index = im->sweep++;

		looks--;
		if ((r->flags & ROUTE_USED) && r->generation != im->generation) {
			import_remove(im, index);
			im->stats.swept++;
			looks -= MR_MIN(looks, SWEEP_STEP - 1);
		}
		if (im->sweep >= im->route_end || im->fresh == im->stats.routes)
			im->sweep = 0;
	}
	return looks / SWEEP_STEP;
}

bool
mr_import_work(struct mr_import *im, unsigned budget)
{
	budget = import_sets_work(im, budget);
	if (budget && im->sweep)
		sweep(im, budget);
	return !mr_import_idle(im);
}

bool
mr_import_idle(const struct mr_import *im)
{
	return !im->work && !im->sweep;
}

uint32_t
mr_import_stale(const struct mr_import *im)
{
	return im->stats.routes - im->fresh;
}

void
mr_import_stats(const struct mr_import *im, struct mr_import_stats *out)
{
	*out = im->stats;
	out->stale = im->stats.routes - im->fresh;
	out->foreign = 0;
	for (uint32_t i = 1; i < im->set_end; i++)
		if (im->sets[i] && !im->sets[i]->resolved_count)
			out->foreign += im->sets[i]->routes;
}

const char *
mr_import_trouble(const struct mr_import *im)
{
	return im->trouble;
}
