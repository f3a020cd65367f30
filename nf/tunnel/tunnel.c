/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function's life in one data plane: a table of tunnels by slot. What a configuration says is made
 * into views and a table of ends in prepare; commit publishes them and places the nodes; finish, when no
 * worker has the old ones any more, frees them, and forgets stations behind remote ends that went.
 */
#include "nf/tunnel/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nf/conntrack/conntrack.h"
#include "nf/tunnel/control_int.h"

#define NO_NODE UINT16_MAX
#define SWEEP_SECONDS 4u /* all stations are looked at for age in this time */
#define SWEEP_MIN 1024u

extern const char mr_yang_tunnel[];

uint32_t
tunnel_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

static struct mr_graph *
graph_of(const struct tunnels *all)
{
	return mr_dataplane_graph(all->dp);
}

static int
create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct tunnels *all = calloc(1, sizeof(*all));
	struct mr_flow_inside *inside;
	int rc;

	if (!all)
		return mr_error_set(error, -ENOMEM, "no memory");
	all->dp = dp;
	all->base = mr_router_base_of(dp);
	all->in = NO_NODE;
	all->core.ip = all->base->ip;
	all->next_end = 1;
	all->core.ends = calloc(TUNNEL_ENDS_MAX, sizeof(*all->core.ends));
	rc = all->core.ends ? mr_flow_inside_create(&inside, 0, error)
			    : mr_error_set(error, -ENOMEM, "no memory");
	if (rc) {
		free(all->core.ends);
		free(all);
		return rc;
	}
	atomic_init(&all->core.inside, inside);
	*state = all;
	return 0;
}

/* -- prepare -------------------------------------------------------------------------------- */

static void
forget_next(struct tunnels *all)
{
	struct tunnel_record *r;
	unsigned slot;

	tunnels_each(all, slot, r) {
		if (r->fresh) {
			tunnel_release_ends(all, r, NULL);
			tunnel_record_free(r);
			all->records[slot] = NULL;
			continue;
		}
		tunnel_release_ends(all, r, r->taken);
		tunnel_conf_free(&r->next);
		free(r->next_number_of);
		free(r->next_view);
		if (r->next_stations != r->stations)
			mr_mac_destroy(r->next_stations);
		r->next_number_of = NULL;
		r->next_view = NULL;
		r->next_stations = NULL;
		r->wanted = false;
	}
	mr_flow_inside_destroy(all->next_inside);
	all->next_inside = NULL;
}

static void
add_keys(struct tunnels *all, const struct tunnel_record *r)
{
	uint16_t vrf = mr_ip_vrf_find(all->base->ip, r->next.router);
	struct mr_flow_outer key = { .network = r->next.vni,
		.port = r->next.port,
		.vrf = (uint16_t)(vrf | (r->next.local.six ? MR_FLOW_OUTER_SIX : 0)) };
	struct mr_flow_outer part;

	memcpy(key.local, r->next.local.bytes, sizeof(key.local));
	part = key;
	mr_flow_inside_add(all->next_inside, &part, TUNNEL_END_PART);
	part.network = 0;
	mr_flow_inside_add(all->next_inside, &part, TUNNEL_END_PART);
	for (unsigned i = 0; i < r->next.remote_count; i++) {
		memcpy(key.remote, r->next.remotes[i].bytes, sizeof(key.remote));
		mr_flow_inside_add(all->next_inside, &key, r->end_of[r->next_number_of[i]]);
	}
}

/* VRFs of the new configuration have their numbers only in commit: the table is filled there. */
static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct tunnels *all = state;
	const struct mr_conf *at;
	uint32_t keys = 0;
	int rc = 0;

	mr_conf_each(at, mr_conf_root(config), "tunnel") {
		if (!rc)
			rc = tunnel_record_prepare(all, config, at, error);
		keys += (uint32_t)mr_conf_count(at, "remote") * TUNNEL_KEYS_EACH;
	}
	if (!rc)
		rc = mr_flow_inside_create(&all->next_inside, keys, error);
	if (rc)
		forget_next(all);
	return rc;
}

static void
abort_change(void *state)
{
	forget_next(state);
}

/* -- commit --------------------------------------------------------------------------------- */

static void
commit_one(struct tunnels *all, struct tunnel_record *r)
{
	r->old_view = (struct tunnel_view *)atomic_load_explicit(&r->t->view, memory_order_relaxed);
	/* Release pairs with mr_rcu_read. */
	mr_rcu_publish(&r->t->view, r->next_view);
	r->next_view = NULL;
	if (r->stations != r->next_stations)
		r->old_stations = r->stations;
	r->stations = r->next_stations;
	r->next_stations = NULL;
	add_keys(all, r);
	free(r->number_of);
	r->number_of = r->next_number_of;
	r->next_number_of = NULL;
	r->fresh = false;
	mr_rcu_publish(&all->core.tunnels[r->t->slot], r->t);
	mr_generation_bump(&r->t->changed);
}

/* Statics that are not any more, and those that are new. */
static void
settle_statics(struct tunnel_record *r, const struct tunnel_conf *old)
{
	if (!r->stations)
		return;
	for (unsigned i = 0; i < old->static_count; i++)
		(void)mr_mac_delete(r->stations, mr_mac_key(old->statics[i].mac, 0));
	for (unsigned i = 0; i < r->now.static_count; i++)
		for (unsigned n = 0; n < r->now.remote_count; n++)
			if (tunnel_ip_equal(&r->now.remotes[n], &r->now.statics[i].remote))
				(void)mr_mac_add(r->stations, mr_mac_key(r->now.statics[i].mac, 0),
				    r->number_of[n], 0, tunnel_seconds());
}

/* Packets of tunnels are no connections: those that come have other ports than those that go. */
static void
set_apart(struct tunnels *all)
{
	uint16_t ports[TUNNELS_MAX];
	struct tunnel_record *r;
	unsigned slot, count = 0;

	tunnels_each(all, slot, r)
		if (r->wanted)
			ports[count++] = r->now.port;
	mr_conntrack_set_apart(mr_conntrack_of(all->dp), ports, count);
}

static void
commit(void *state)
{
	struct tunnels *all = state;
	struct tunnel_record *r;
	unsigned slot;

	all->count = 0;
	tunnels_each(all, slot, r) {
		struct tunnel_conf old = r->now;

		if (!r->wanted) {
			tunnel_leave(all, r);
			continue;
		}
		commit_one(all, r);
		r->now = r->next;
		memset(&r->next, 0, sizeof(r->next));
		settle_statics(r, &old);
		tunnel_conf_free(&old);
		r->vrf = mr_ip_vrf_find(all->base->ip, r->now.router);
		tunnel_place(all, r);
		all->count++;
	}
	all->old_inside =
	    (struct mr_flow_inside *)atomic_load_explicit(&all->core.inside, memory_order_relaxed);
	/* Release pairs with mr_rcu_read. */
	mr_rcu_publish(&all->core.inside, all->next_inside);
	all->next_inside = NULL;
	mr_generation_bump(&all->core.changed);
	if (all->in != NO_NODE && all->count)
		tunnel_stand_before_host(all);
	else
		tunnel_nodes_remove(all);
	tunnel_routes_refresh(all);
	set_apart(all);
}

/* -- finish --------------------------------------------------------------------------------- */

/* Stations behind remote ends that went. */
static void
forget_remotes(struct tunnel_record *r)
{
	for (unsigned n = 0; n < TUNNEL_REMOTES_MAX; n++) {
		const struct mr_mac_filter filter = { .port = n,
			.fid = MR_MAC_ANY,
			.statics = true };

		if (!r->taken[n] || r->next_taken[n])
			continue;
		if (r->stations)
			(void)mr_mac_flush(r->stations, &filter, 0, mr_mac_buckets(r->stations));
		for (unsigned c = 0; c <= r->t->workers; c++)
			memset(
			    (void *)(mr_counters_row(r->t->traffic, c) + n * TUNNEL_TRAFFIC_COUNT),
			    0, TUNNEL_TRAFFIC_COUNT * sizeof(uint64_t));
	}
	memcpy(r->taken, r->next_taken, sizeof(r->taken));
}

static void
finish_one(struct tunnels *all, struct tunnel_record *r)
{
	tunnel_open(all, r);
	forget_remotes(r);
	if (r->stations) {
		mr_mac_set_ageing(r->stations, 0, r->now.ageing);
		mr_mac_limit_fid(r->stations, 0, r->now.stations);
	}
	free(r->old_view);
	mr_mac_destroy(r->old_stations);
	r->old_view = NULL;
	r->old_stations = NULL;
	r->wanted = false;
}

static void
finish(void *state)
{
	struct tunnels *all = state;
	struct tunnel_record *r;
	unsigned slot;

	mr_rcu_synchronize();
	mr_flow_inside_destroy(all->old_inside);
	all->old_inside = NULL;
	tunnels_each(all, slot, r) {
		if (r->wanted) {
			tunnel_release_ends(all, r, r->next_taken);
			finish_one(all, r);
			continue;
		}
		tunnel_release_ends(all, r, NULL);
		tunnel_record_free(r);
		all->records[slot] = NULL;
	}
}

static void
destroy(void *state)
{
	struct tunnels *all = state;
	struct tunnel_record *r;
	struct mr_error error;
	unsigned slot;

	if (!all)
		return;
	tunnels_each(all, slot, r)
		tunnel_node_remove(all, &r->node);
	tunnel_nodes_remove(all);
	(void)mr_graph_commit(graph_of(all), &error);
	tunnels_each(all, slot, r)
		tunnel_record_free(r);
	for (unsigned n = 0; n < TUNNEL_ENTERS_MAX; n++)
		free(all->enters[n]);
	mr_flow_inside_destroy(
	    (struct mr_flow_inside *)atomic_load_explicit(&all->core.inside, memory_order_relaxed));
	free(all->core.ends);
	free(all);
}

static void
tick(void *state, uint32_t seconds)
{
	struct tunnels *all = state;
	struct tunnel_record *r;
	unsigned slot;

	tunnel_routes_refresh(all);
	tunnels_each(all, slot, r) {
		uint32_t buckets = r->stations ? mr_mac_buckets(r->stations) : 0,
			 step = MR_MAX(buckets / SWEEP_SECONDS, SWEEP_MIN);

		if (!buckets)
			continue;
		(void)mr_mac_age(r->stations, seconds, r->swept, step);
		r->swept = r->swept + step < buckets ? r->swept + step : 0;
	}
}

_Atomic(const struct mr_flow_inside *) *
mr_tunnel_inside(struct mr_dataplane *dp)
{
	struct tunnels *all = mr_dataplane_state(dp, &mr_nf_tunnel);

	return all->count ? &all->core.inside : NULL;
}

const struct mr_nf mr_nf_tunnel = {
	.name = "tunnel",
	.doc = "interfaces whose frames travel in packets: VXLAN",
	.yang = mr_yang_tunnel,
	.create = create,
	.destroy = destroy,
	.check = tunnel_check,
	.prepare = prepare,
	.commit = commit,
	.finish = finish,
	.abort = abort_change,
	.tick = tick,
	.show = tunnel_show,
	.describe = tunnel_describe,
};
