/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mappings of the configuration: an entry for each port of a forward, two for a static address. What
 * the inside made of these ends before gives way.
 */

#include <errno.h>
#include <string.h>

#include "nf/nat/control_int.h"

struct item {
	struct nat_name name;
	uint64_t outside;
	uint32_t flags;
};

static void
fixed_items(const struct nat_conf_instance *c, const struct nat_conf_static *s,
    struct item items[2])
{
	const be32_t from[2] = { s->inside, s->outside }, to[2] = { s->outside, s->inside };

	for (unsigned i = 0; i < 2; i++)
		items[i] = (struct item){
			.name = { .inside = NAT_INSIDE(from[i], 0, 0, c->number),
			    .scope = NAT_SCOPE(0, i ? NAT_SCOPE_FIXED_IN : NAT_SCOPE_FIXED_OUT) },
			.outside = NAT_END(to[i], 0),
			.flags = NAT_STATIC | NAT_FIXED,
		};
}

static be32_t
outside_of(const struct mr_nat *nat, const struct nat_conf_instance *c,
    const struct nat_conf_forward *f)
{
	const struct nat_pool_config *pool = &nat->pools[c->number].config;

	if (f->outside)
		return f->outside;
	if (c->pool.count)
		return mr_be32(c->pool.at[0].first);
	return pool->range_count ? nat->own[c->number][0] : 0;
}

static struct item
forward_item(const struct mr_nat *nat, const struct nat_conf_instance *c,
    const struct nat_conf_forward *f, unsigned i)
{
	return (struct item){
		.name = { .inside = NAT_INSIDE(f->to, mr_be16((uint16_t)(f->to_port + i)),
			      f->protocol, c->number),
		    .scope = NAT_SCOPE(0, NAT_SCOPE_MAPPING) },
		.outside = NAT_END(outside_of(nat, c, f), mr_be16((uint16_t)(f->first + i))),
		.flags = NAT_STATIC | NAT_PORT | NAT_RESERVED,
	};
}

/* -- out ---------------------------------------------------------------------------------- */

static bool
matches(const struct nat_entry *e, const struct item *item)
{
	return atomic_load_explicit(&e->inside, memory_order_relaxed) == item->name.inside &&
	    atomic_load_explicit(&e->scope, memory_order_relaxed) == item->name.scope &&
	    atomic_load_explicit(&e->outside, memory_order_relaxed) == item->outside;
}

static bool
is_wanted(const struct mr_nat *nat, const struct nat_entry *e, uint32_t word)
{
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	uint8_t number = NAT_INSTANCE_OF(inside);

	for (unsigned i = 0; i < nat->conf.count; i++) {
		const struct nat_conf_instance *c = &nat->conf.instances[i];

		if (c->number != number)
			continue;
		if (atomic_load_explicit(&e->pool, memory_order_relaxed) !=
		    nat->pools[number].epoch)
			return false;
		for (unsigned s = 0; (word & NAT_FIXED) && s < c->static_count; s++) {
			struct item items[2];

			fixed_items(c, &c->statics[s], items);
			if (matches(e, &items[0]) || matches(e, &items[1]))
				return true;
		}
		for (unsigned f = 0; !(word & NAT_FIXED) && f < c->forward_count; f++) {
			const struct nat_conf_forward *w = &c->forwards[f];
			unsigned port = mr_be16(NAT_PORT_OF(inside)), at = port - w->to_port;
			struct item item = forward_item(nat, c, w, at);

			if (port >= w->to_port && at <= (unsigned)(w->last - w->first) &&
			    matches(e, &item))
				return true;
		}
	}
	return false;
}

static bool
is_child_of(const struct nat_entry *e, uint32_t word, void *arg)
{
	return (word & NAT_CHILD) &&
	    atomic_load_explicit(&e->children, memory_order_relaxed) == *(uint32_t *)arg;
}

static void
take_out(struct mr_nat *nat)
{
	struct nat_table *t = nat->core->table;
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);

	for (uint32_t i = 1; i <= top; i++) {
		struct nat_entry *e = &t->entries[i];
		uint32_t word = atomic_load_explicit(&e->word, memory_order_acquire);
		uint64_t inside;
		struct nat_pool *pool;

		if (!(word & NAT_LIVE) || !(word & NAT_STATIC) || is_wanted(nat, e, word))
			continue;
		inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
		pool = nat->pools[NAT_INSTANCE_OF(inside)].pool;
		if ((word & NAT_FIXED) && pool)
			(void)nat_pool_withhold(pool, NAT_ADDRESS(inside), false);
		/* Sessions that an ALG sees. */
		if (atomic_load_explicit(&e->children, memory_order_relaxed))
			nat_flush(t, is_child_of, &i, nat_seconds());
		(void)nat_end(t, MR_POOL_SHARED, i, word, nat_seconds());
	}
}

/* -- in ----------------------------------------------------------------------------------- */

/* Whoever uses one of its ends. */
static bool
is_in_the_way(const struct nat_entry *e, uint32_t word, void *arg)
{
	const struct item *item = arg;
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	uint64_t outside = atomic_load_explicit(&e->outside, memory_order_relaxed);
	bool in = item->name.scope == NAT_SCOPE(0, NAT_SCOPE_FIXED_IN);

	if ((word & NAT_STATIC) || NAT_INSTANCE_OF(inside) != NAT_INSTANCE_OF(item->name.inside))
		return false;
	if (item->flags & NAT_FIXED)
		return in ? NAT_ADDRESS(outside) == NAT_ADDRESS(item->name.inside)
			  : NAT_ADDRESS(inside) == NAT_ADDRESS(item->name.inside);
	return inside == item->name.inside ||
	    (outside == item->outside && NAT_PROTO_OF(inside) == NAT_PROTO_OF(item->name.inside));
}

static bool
add(struct mr_nat *nat, const struct nat_conf_instance *c, struct item *item)
{
	struct nat_table *t = nat->core->table;
	struct nat_pool_use *use = &nat->pools[c->number];
	uint64_t hash = nat_hash(t, &item->name);
	uint32_t now = nat_seconds(), word, number;
	enum nat_proto proto = nat_pool_proto(NAT_PROTO_OF(item->name.inside));
	struct nat_entry *e;

	number = nat_find(t, MR_POOL_SHARED, &item->name, hash, now, &word);
	if (number && (word & NAT_STATIC))
		return true;
	nat_flush(t, is_in_the_way, item, now);
	number = nat_take(t, MR_POOL_SHARED);
	if (!number)
		return false;
	if (!(item->flags & NAT_FIXED) &&
	    (!use->pool ||
		nat_pool_reserve(use->pool, NAT_ADDRESS(item->outside), proto,
		    NAT_PORT_OF(item->outside), number))) {
		nat_put(t, MR_POOL_SHARED, number);
		return false;
	}
	e = &t->entries[number];
	atomic_store_explicit(&e->outside, item->outside, memory_order_relaxed);
	atomic_store_explicit(&e->subscriber, 0, memory_order_relaxed);
	atomic_store_explicit(&e->pool, use->epoch, memory_order_relaxed);
	atomic_store_explicit(&e->children, 0, memory_order_relaxed);
	atomic_store_explicit(&e->created, now, memory_order_relaxed);
	atomic_store_explicit(&e->seen, now, memory_order_relaxed);
	atomic_store_explicit(&e->timeout, NAT_TIME_UDP, memory_order_relaxed);
	atomic_store_explicit(&e->state, NAT_TCP_NONE, memory_order_relaxed);
	if (nat_add(t, MR_POOL_SHARED, number, &item->name, hash, item->flags, now, &word) ==
	    number)
		return true;
	if (!(item->flags & NAT_FIXED))
		nat_pool_unreserve(use->pool, NAT_ADDRESS(item->outside), proto,
		    NAT_PORT_OF(item->outside));
	nat_put(t, MR_POOL_SHARED, number);
	return false;
}

bool
nat_static_settle(struct mr_nat *nat)
{
	bool all = true;

	take_out(nat);
	for (unsigned i = 0; i < nat->conf.count; i++) {
		const struct nat_conf_instance *c = &nat->conf.instances[i];
		struct nat_pool *pool = nat->pools[c->number].pool;
		struct item items[2];

		for (unsigned s = 0; s < c->static_count; s++) {
			fixed_items(c, &c->statics[s], items);
			if (pool)
				(void)nat_pool_withhold(pool, c->statics[s].outside, true);
			for (unsigned k = 0; k < 2; k++)
				all &= add(nat, c, &items[k]);
		}
		for (unsigned f = 0; f < c->forward_count; f++)
			for (unsigned p = 0;
			     p <= (unsigned)(c->forwards[f].last - c->forwards[f].first); p++) {
				items[0] = forward_item(nat, c, &c->forwards[f], p);
				all &= add(nat, c, &items[0]);
			}
	}
	return all;
}
