/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What workers see of the configuration, and how one view follows another: the new one and its pools
 * are shown; when no worker sees the old one any more, mappings are moved to the pools that
 * replaced theirs, and those without a place there end.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph.h"
#include "nf/nat/control_int.h"
#include "nf/router/router.h"

/* -- addresses ---------------------------------------------------------------------------- */

static bool
is_at(const struct mr_nat *nat, const struct nat_names *places,
    const struct mr_ip_interface *routed)
{
	for (unsigned i = 0; i < places->count; i++) {
		const struct nat_place *at = &places->at[i];
		const struct mr_interface *in =
		    mr_interface_find(mr_interfaces_of(nat->dp), at->port);

		if (in && in->index == mr_ip_port(routed) &&
		    nat_is_vlan(at->vlan, mr_ip_vlan(routed)))
			return true;
	}
	return false;
}

/* Addresses of the routed interfaces at these places. */
static unsigned
find_addresses(const struct mr_nat *nat, const struct nat_names *places, be32_t out[NAT_OWN_MAX])
{
	const struct mr_ip *ip = mr_router_base_of(nat->dp)->ip;
	unsigned n = 0;

	for (uint32_t i = 1; ip && i < ip->interface_end; i++) {
		const struct mr_ip_interface_info *info = &ip->info[i];

		if (!info->name[0] || !info->parent[0] || !is_at(nat, places, &ip->interfaces[i]))
			continue;
		for (uint32_t a = 0; a < info->address_count && n < NAT_OWN_MAX; a++)
			if (info->addresses[a].family == MR_IP4)
				memcpy(&out[n++], info->addresses[a].bytes, 4);
	}
	return n;
}

/* Takes over what there is now; whether that is something else. */
static bool
update(const struct mr_nat *nat, const struct nat_names *places, be32_t known[NAT_OWN_MAX],
    unsigned *count)
{
	be32_t now[NAT_OWN_MAX] = { 0 };
	unsigned n = find_addresses(nat, places, now);

	if (n == *count && memcmp(now, known, n * sizeof(now[0])) == 0)
		return false;
	*count = n;
	memcpy(known, now, sizeof(now));
	return true;
}

bool
nat_view_addresses(struct mr_nat *nat)
{
	static const struct nat_names none = { 0 };
	bool changed = false;

	for (unsigned i = 0; i < nat->conf.count; i++) {
		const struct nat_conf_instance *c = &nat->conf.instances[i];

		changed |=
		    update(nat, &c->outside, nat->own[c->number], &nat->own_count[c->number]);
		changed |= update(nat, c->pcp ? &c->inside : &none, nat->home[c->number],
		    &nat->home_count[c->number]);
	}
	return changed;
}

/* -- pools -------------------------------------------------------------------------------- */

static bool
same_pool(const struct nat_pool_config *a, const struct nat_pool_config *b)
{
	struct nat_pool_config x = *a, y = *b;

	if (a->range_count != b->range_count ||
	    memcmp(a->ranges, b->ranges, a->range_count * sizeof(*a->ranges)) != 0)
		return false;
	x.ranges = y.ranges = NULL;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct nat_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* The pool that this configuration asks for, or the one that is there when it is that. */
static int
make_pool(struct mr_nat *nat, const struct nat_conf_instance *c, struct mr_error *error)
{
	struct nat_pool_use *use = &nat->pools[c->number];
	unsigned own = c->pool.count ? 0 : nat->own_count[c->number], n = 0;
	struct nat_range *ranges = calloc(c->pool.count + own + 1, sizeof(*ranges));
	struct nat_pool_config config;
	struct nat_pool *pool = NULL;
	int rc = 0;

	if (!ranges)
		return mr_error_set(error, -ENOMEM, "no memory");
	memcpy(&config, &c->ports, sizeof(config));
	for (unsigned i = 0; i < c->pool.count; i++)
		ranges[n++] = c->pool.at[i];
	for (unsigned i = 0; i < own; i++)
		ranges[n++] = (struct nat_range){ mr_be32(nat->own[c->number][i]),
			mr_be32(nat->own[c->number][i]) };
	qsort(ranges, n, sizeof(*ranges), compare_ranges);
	config.ranges = ranges;
	config.range_count = n;
	nat_journal_hook(nat->journal, c->number, &config);
	config.workers = mr_graph_worker_count(mr_dataplane_graph(nat->dp));
	if ((use->pool || !n) && use->config.ranges && same_pool(&use->config, &config)) {
		free(ranges);
		return 0;
	}
	if (n)
		rc = nat_pool_create(&pool, &config, error);
	if (rc) {
		free(ranges);
		return rc;
	}
	nat->old[c->number] = use->pool;
	free((void *)use->config.ranges);
	use->config = config;
	use->pool = pool;
	use->epoch++;
	return 0;
}

/* -- the view ----------------------------------------------------------------------------- */

void
nat_view_free(struct nat_view *v)
{
	for (unsigned i = 0; v && i < v->count; i++) {
		free(v->instances[i].sources);
		free(v->instances[i].excludes);
		free(v->instances[i].services);
		free(v->instances[i].algs);
	}
	if (v)
		free(v->instances);
	free(v);
}

static int
copy_ranges(struct nat_range **out, unsigned *count, const struct nat_ranges *from)
{
	*out = calloc(from->count + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	memcpy(*out, from->at, from->count * sizeof(**out));
	*count = from->count;
	return 0;
}

static int
copy_algs(struct nat_instance *n, const struct nat_conf_instance *c)
{
	unsigned count = 0;

	while (c->algs[count])
		count++;
	n->algs = calloc(count + 1, sizeof(*n->algs));
	if (!n->algs)
		return -ENOMEM;
	memcpy(n->algs, c->algs, count * sizeof(*n->algs));
	return 0;
}

static void
place(struct mr_nat *nat, struct nat_view *v, unsigned place, const struct nat_names *names,
    bool outside)
{
	for (unsigned i = 0; i < names->count; i++) {
		const struct mr_interface *in =
		    mr_interface_find(mr_interfaces_of(nat->dp), names->at[i].port);
		struct nat_port *port;
		uint8_t *count;

		if (!in)
			continue;
		port = &v->ports[in->index];
		count = outside ? &port->outside_count : &port->inside_count;
		if (*count == NAT_EACH)
			continue;
		(outside ? port->outside_vlan : port->inside_vlan)[*count] = names->at[i].vlan;
		(outside ? port->outside : port->inside)[(*count)++] = (uint8_t)place;
	}
}

/* From which ports its inside's packets come. */
static void
find_inside(struct mr_nat *nat, const struct nat_conf_instance *c, struct nat_instance *n)
{
	struct mr_interfaces *all = mr_interfaces_of(nat->dp);

	if (!c->inside.count)
		memset(n->inside, 0xff, sizeof(n->inside));
	for (unsigned i = 0; i < c->inside.count; i++) {
		const struct mr_interface *in = mr_interface_find(all, c->inside.at[i].port);

		if (in)
			n->inside[in->index / 64] |= 1ull << in->index % 64;
	}
	for (unsigned i = 0; i < c->outside.count; i++) {
		const struct mr_interface *in = mr_interface_find(all, c->outside.at[i].port);

		/* Another VLAN of it may be inside. */
		if (in && c->outside.at[i].vlan == NAT_ALL_VLANS)
			n->inside[in->index / 64] &= ~(1ull << in->index % 64);
	}
}

static int
fill(struct mr_nat *nat, struct nat_view *v, const struct nat_conf_instance *c,
    struct mr_error *error)
{
	struct nat_instance *n = &v->instances[v->count];
	int rc = make_pool(nat, c, error);

	if (rc)
		return rc;
	snprintf(n->name, sizeof(n->name), "%s", c->name);
	n->number = c->number;
	n->mapping = c->mapping;
	n->filtering = c->filtering;
	n->inbound_refresh = c->inbound_refresh;
	n->hold_syn = c->hold_syn;
	n->logged = c->logged;
	n->overload = c->overload;
	n->fixed = c->static_count > 0;
	n->pool = nat->pools[c->number].pool;
	n->epoch = nat->pools[c->number].epoch;
	n->own_count = nat->own_count[c->number];
	memcpy(n->own, nat->own[c->number], sizeof(n->own));
	n->pcp = c->pcp;
	n->nat_pmp = c->nat_pmp;
	n->lease_min = c->lease_min;
	n->lease_max = c->lease_max;
	n->home_count = nat->home_count[c->number];
	memcpy(n->home, nat->home[c->number], sizeof(n->home));
	find_inside(nat, c, n);
	if (copy_algs(n, c) || copy_ranges(&n->sources, &n->source_count, &c->sources) ||
	    copy_ranges(&n->excludes, &n->exclude_count, &c->excludes) ||
	    copy_ranges(&n->services, &n->service_count, &c->services))
		rc = mr_error_set(error, -ENOMEM, "no memory");
	place(nat, v, v->count, &c->outside, true);
	place(nat, v, v->count, &c->inside, false);
	v->count++;
	return rc;
}

int
nat_view_publish(struct mr_nat *nat, struct mr_error *error)
{
	struct nat_view *v = calloc(1, sizeof(*v));
	struct nat_table *t = nat->core->table;
	int rc = 0;

	if (v)
		v->instances = calloc(nat->conf.count + 1, sizeof(*v->instances));
	if (!v || !v->instances) {
		free(v);
		return mr_error_set(error, -ENOMEM, "no memory");
	}
	for (unsigned i = 0; i < nat->conf.count; i++) {
		const struct nat_conf_instance *c = &nat->conf.instances[i];
		struct mr_error e;

		/* One that has no pool drops what it should translate. */
		if (fill(nat, v, c, &e))
			rc = mr_error_set(error, e.code, "instance %s: %s", c->name, e.text);
		if (!atomic_load_explicit(&t->lost[c->number], memory_order_relaxed))
			atomic_store_explicit(&t->lost[c->number], nat_seconds(),
			    memory_order_relaxed);
		for (unsigned k = 0; k < NAT_TIME_COUNT; k++)
			atomic_store_explicit(&t->timeouts[c->number][k], c->timeouts[k],
			    memory_order_relaxed);
	}
	for (unsigned n = 0; n <= NAT_INSTANCES_MAX; n++) {
		atomic_store_explicit(&t->epochs[n], nat->pools[n].epoch, memory_order_relaxed);
		atomic_store_explicit(&t->pools[n], nat->pools[n].pool, memory_order_release);
	}
	nat->retired = (struct nat_view *)(uintptr_t)mr_rcu_swap(&nat->core->view, v);
	nat->settle = true;
	return rc;
}

/* -- what was there before ---------------------------------------------------------------- */

/* Moves a mapping to the pool that replaced its own. False: it has no place there. */
static bool
move(struct mr_nat *nat, uint32_t number, uint32_t word)
{
	struct nat_table *t = nat->core->table;
	struct nat_entry *e = &t->entries[number];
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	uint64_t outside = atomic_load_explicit(&e->outside, memory_order_relaxed);
	struct nat_pool_use *use = &nat->pools[NAT_INSTANCE_OF(inside)];

	if (!use->pool ||
	    nat_pool_reserve(use->pool, NAT_ADDRESS(outside), nat_pool_proto(NAT_PROTO_OF(inside)),
		NAT_PORT_OF(outside), number))
		return false;
	if (!nat_lock(e, &word)) {
		nat_pool_unreserve(use->pool, NAT_ADDRESS(outside),
		    nat_pool_proto(NAT_PROTO_OF(inside)), NAT_PORT_OF(outside));
		return true;
	}
	atomic_store_explicit(&e->subscriber, 0, memory_order_relaxed);
	atomic_store_explicit(&e->pool, use->epoch, memory_order_relaxed);
	/* It was one of a block's, of which nobody tells any more. */
	if (!(word & NAT_LOGGED) && nat_journal_is_on(nat->journal) &&
	    nat->old[NAT_INSTANCE_OF(inside)] &&
	    nat_pool_tells_blocks(nat->old[NAT_INSTANCE_OF(inside)])) {
		word |= NAT_LOGGED;
		nat_journal_mapping(nat->journal, NAT_LOG_MAPPING_BEGUN, e, NULL, nat_seconds());
	}
	nat_unlock(e, word | NAT_RESERVED);
	return true;
}

static bool
is_homeless(const struct nat_entry *e, uint32_t word, void *arg)
{
	const struct mr_nat *nat = arg;
	uint8_t n = NAT_INSTANCE_OF(atomic_load_explicit(&e->inside, memory_order_relaxed));

	if (word & (NAT_FIXED | NAT_STATIC))
		return false;
	/* A child goes with its mapping. */
	if (word & NAT_CHILD)
		e = &nat->core->table
			 ->entries[atomic_load_explicit(&e->children, memory_order_relaxed)];
	return atomic_load_explicit(&e->pool, memory_order_relaxed) != nat->pools[n].epoch;
}

static void
move_all(struct mr_nat *nat)
{
	struct nat_table *t = nat->core->table;
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);

	for (uint32_t i = 1; i <= top; i++) {
		struct nat_entry *e = &t->entries[i];
		uint32_t word = atomic_load_explicit(&e->word, memory_order_acquire);

		if ((word & NAT_LIVE) && !(word & NAT_CHILD) && is_homeless(e, word, nat))
			(void)move(nat, i, word);
	}
	nat_flush(t, is_homeless, nat, nat_seconds());
}

/* Instances that are gone have no pool any more. */
static void
drop_pools(struct mr_nat *nat, bool *any)
{
	for (unsigned n = 1; n <= NAT_INSTANCES_MAX; n++) {
		bool wanted = false;

		for (unsigned i = 0; i < nat->conf.count; i++)
			wanted |= nat->conf.instances[i].number == n;
		if (wanted || !nat->pools[n].epoch || !nat->pools[n].config.ranges)
			continue;
		nat->old[n] = nat->pools[n].pool;
		free((void *)nat->pools[n].config.ranges);
		nat->pools[n] = (struct nat_pool_use){ .epoch = nat->pools[n].epoch + 1u };
		atomic_store_explicit(&nat->core->table->epochs[n], nat->pools[n].epoch,
		    memory_order_relaxed);
		atomic_store_explicit(&nat->core->table->lost[n], 0, memory_order_relaxed);
		atomic_store_explicit(&nat->core->table->pools[n], NULL, memory_order_release);
		*any = true;
	}
}

void
nat_view_settle(struct mr_nat *nat)
{
	bool any = false;

	mr_rcu_synchronize();
	drop_pools(nat, &any);
	for (unsigned n = 0; n <= NAT_INSTANCES_MAX; n++)
		any |= nat->old[n] != NULL;
	if (any)
		move_all(nat);
	nat->settle = !nat_static_settle(nat);
	mr_rcu_synchronize();
	for (unsigned n = 0; n <= NAT_INSTANCES_MAX; n++) {
		nat_journal_pool_gone(nat->journal, (uint8_t)n, nat->old[n]);
		nat_pool_destroy(nat->old[n]);
		nat->old[n] = NULL;
	}
	nat_view_free(nat->retired);
	nat->retired = NULL;
	mr_generation_bump(&nat->core->settings);
}
