/* SPDX-License-Identifier: Apache-2.0 */
/* A bridge's life: from one configuration to the next, ageing, flushing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/bridge/bridge_int.h"

#define SWEEP_MIN 4096u

static struct bridge_view *
current(const struct mr_bridge *b)
{
	/* Relaxed: the control thread wrote it. */
	return atomic_load_explicit(&b->view, memory_order_relaxed);
}

int
mr_bridge_create(struct mr_bridge **out, struct mr_error *error)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : mr_error_set(error, -ENOMEM, "no memory");
}

void
mr_bridge_destroy(struct mr_bridge *b)
{
	struct bridge_view *v;

	if (!b)
		return;
	mr_bridge_abort(b);
	v = current(b);
	if (b->old && b->old->table != v->table)
		mr_mac_destroy(b->old->table);
	bridge_view_free(b->old);
	if (v)
		mr_mac_destroy(v->table);
	bridge_view_free(v);
	free(b);
}

int
mr_bridge_prepare(struct mr_bridge *b, const struct mr_bridge_config *config,
    struct mr_error *error)
{
	return bridge_view_create(&b->next, config, current(b), error);
}

void
mr_bridge_abort(struct mr_bridge *b)
{
	if (b->next && b->next->own_table)
		mr_mac_destroy(b->next->table);
	bridge_view_free(b->next);
	b->next = NULL;
}

static bool
has_static(const struct bridge_view *v, uint64_t key)
{
	return bsearch(&key, v->static_keys, v->static_count, sizeof(key), bridge_compare_keys);
}

static unsigned
set_statics(const struct bridge_view *v, const struct bridge_view *old, uint32_t seconds)
{
	unsigned left_out = 0;

	for (unsigned i = 0; old && old->table == v->table && i < old->static_count; i++) {
		if (!has_static(v, old->static_keys[i]))
			(void)mr_mac_delete(v->table, old->static_keys[i]);
	}
	for (unsigned i = 0; i < v->static_count; i++) {
		const struct mr_bridge_static *s = &v->statics[i];
		bool drop = s->port == MR_BRIDGE_NO_PORT;

		if (mr_mac_add(v->table, mr_mac_key(s->mac, s->vlan), drop ? 0 : s->port,
			drop ? MR_MAC_DROP : 0, seconds))
			left_out++;
	}
	return left_out;
}

void
mr_bridge_commit(struct mr_bridge *b, uint32_t seconds, unsigned *left_out)
{
	struct bridge_view *v = b->next, *old = current(b);

	for (unsigned i = 0; old && i < old->count; i++)
		mr_mac_limit_port(v->table, old->ports[i].port, 0);
	for (unsigned i = 0; i < v->count; i++)
		mr_mac_limit_port(v->table, v->ports[i].port, v->ports[i].mac_limit);
	for (unsigned vlan = 0; vlan < MR_BRIDGE_VLANS; vlan++)
		mr_mac_set_ageing(v->table, (uint16_t)vlan, v->ageing);
	*left_out = set_statics(v, old, seconds);
	/* Release pairs with the acquire in the node: the view is seen whole. */
	atomic_store_explicit(&b->view, v, memory_order_release);
	b->old = old;
	b->next = NULL;
}

static void
flush(struct mr_mac *table, uint32_t port)
{
	struct mr_mac_filter filter = { .port = port, .fid = MR_MAC_ANY };

	(void)mr_mac_flush(table, &filter, 0, UINT32_MAX);
}

/* Whether what was learned on this port may stay. */
static bool
same_vlans(const struct mr_bridge_port *was, const struct bridge_view *v)
{
	const struct mr_bridge_port *p = &v->ports[v->slot_of[was->port]];

	return v->slot_of[was->port] != v->count && p->mode == was->mode && p->vlan == was->vlan &&
	    p->no_learning == was->no_learning &&
	    (p->mode != MR_BRIDGE_TRUNK || !memcmp(p->vlans, was->vlans, sizeof(p->vlans)));
}

void
mr_bridge_finish(struct mr_bridge *b)
{
	struct bridge_view *v = current(b), *old = b->old;

	if (!old)
		return;
	if (old->table != v->table) {
		mr_mac_destroy(old->table);
		b->sweep = 0;
	} else if (old->vlans != v->vlans) {
		flush(v->table, MR_MAC_ANY);
	} else {
		for (unsigned i = 0; i < old->count; i++) {
			if (!same_vlans(&old->ports[i], v))
				flush(v->table, old->ports[i].port);
		}
	}
	bridge_view_free(old);
	b->old = NULL;
}

void
mr_bridge_age(struct mr_bridge *b, uint32_t seconds)
{
	struct bridge_view *v = current(b);
	uint32_t all, step;

	if (!v)
		return;
	all = mr_mac_buckets(v->table);
	step = MR_MAX(all / 4, SWEEP_MIN);
	(void)mr_mac_age(v->table, seconds, b->sweep, step);
	b->sweep = b->sweep + step < all ? b->sweep + step : 0;
}

void
mr_bridge_flush_port(struct mr_bridge *b, uint16_t port)
{
	flush(current(b)->table, port);
}

const struct mr_mac *
mr_bridge_table(const struct mr_bridge *b)
{
	return current(b)->table;
}

bool
mr_bridge_has_vlans(const struct mr_bridge *b)
{
	return current(b)->vlans;
}
