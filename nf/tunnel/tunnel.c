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
#include "nf/icmp/icmp.h"
#include "nf/icmp/reassembly.h"
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

/* -- records -------------------------------------------------------------------------------- */

static void
record_free(struct tunnel_record *r)
{
	if (!r)
		return;
	free((void *)atomic_load_explicit(&r->t->view, memory_order_relaxed));
	mr_counters_destroy(r->t->traffic);
	free(r->t);
	free(r->next_view);
	free(r->old_view);
	free(r->number_of);
	free(r->next_number_of);
	if (r->next_stations != r->stations)
		mr_mac_destroy(r->next_stations);
	mr_mac_destroy(r->stations);
	mr_mac_destroy(r->old_stations);
	tunnel_conf_free(&r->now);
	tunnel_conf_free(&r->next);
	free(r);
}

static int
record_create(struct tunnels *all, const char *name, struct tunnel_record **out,
    struct mr_error *error)
{
	size_t size = MR_ALIGN_UP(sizeof(struct tunnel), (size_t)MR_CACHE_LINE);
	uint32_t workers = mr_graph_worker_count(graph_of(all));
	struct tunnel_record *r;
	unsigned slot = 0;

	while (slot < TUNNELS_MAX && all->records[slot])
		slot++;
	if (slot == TUNNELS_MAX)
		return mr_error_set(error, -ENOSPC, "more than %u tunnels", TUNNELS_MAX);
	r = calloc(1, sizeof(*r));
	if (!r || !(r->t = aligned_alloc(MR_CACHE_LINE, size))) {
		free(r);
		return mr_error_set(error, -ENOMEM, "tunnel %s: no memory", name);
	}
	memset(r->t, 0, size);
	r->t->ip = all->base->ip;
	r->t->slot = (uint16_t)slot;
	r->t->workers = workers;
	r->node = NO_NODE;
	r->fresh = true;
	/* One row for those that are no workers: an explanation counts nothing, but for certain. */
	if (mr_counters_create(&r->t->traffic, workers + 1,
		TUNNEL_REMOTES_MAX * TUNNEL_TRAFFIC_COUNT, error)) {
		free(r->t);
		free(r);
		return -ENOMEM;
	}
	all->records[slot] = r;
	*out = r;
	return 0;
}

/* -- prepare -------------------------------------------------------------------------------- */

/* Numbers of remote ends stay; new ones get such as neither configuration has. */
static int
number_remotes(struct tunnel_record *r, struct mr_error *error)
{
	unsigned at = 0;

	r->next_number_of = calloc(r->next.remote_count + 1, sizeof(*r->next_number_of));
	if (!r->next_number_of)
		return mr_error_set(error, -ENOMEM, "tunnel %s: no memory", r->next.name);
	memset(r->next_taken, 0, sizeof(r->next_taken));
	for (unsigned i = 0; i < r->next.remote_count; i++) {
		unsigned n = 0;

		while (n < TUNNEL_REMOTES_MAX &&
		    !(r->taken[n] && tunnel_ip_equal(&r->numbers[n], &r->next.remotes[i])))
			n++;
		if (n == TUNNEL_REMOTES_MAX) {
			while (at < TUNNEL_REMOTES_MAX && (r->taken[at] || r->next_taken[at]))
				at++;
			/* Two configurations of the largest size with nothing in common. */
			if (at == TUNNEL_REMOTES_MAX)
				return mr_error_set(error, -ENOSPC,
				    "tunnel %s: too many other remote ends at once: change them in "
				    "two steps",
				    r->next.name);
			n = at;
			r->numbers[n] = r->next.remotes[i];
		}
		r->next_taken[n] = true;
		r->next_number_of[i] = (uint16_t)n;
	}
	return 0;
}

static int
prepare_stations(struct tunnel_record *r, struct mr_error *error)
{
	const struct mr_mac_config config = { .capacity = r->next.stations,
		.limit = r->next.stations,
		.ports = TUNNEL_REMOTES_MAX,
		.fids = 1,
		.ageing = r->next.ageing };

	r->next_stations = r->stations;
	if (r->stations && r->now.stations == r->next.stations)
		return 0;
	r->next_stations = NULL;
	if (r->next.remote_count == 1)
		return 0;
	return mr_mac_create(&r->next_stations, &config, error);
}

/* An end for each of its remote ends; those that go keep theirs until finish. */
static int
number_ends(struct tunnels *all, struct tunnel_record *r, struct mr_error *error)
{
	struct tunnel_end *ends = all->core.ends;

	for (unsigned i = 0; i < r->next.remote_count; i++) {
		unsigned number = r->next_number_of[i];
		uint32_t tried = 0, at = all->next_end;

		if (r->end_of[number])
			continue;
		for (; tried < TUNNEL_ENDS_MAX && (!at || ends[at].tunnel); tried++)
			at = (at + 1) % TUNNEL_ENDS_MAX;
		if (tried == TUNNEL_ENDS_MAX)
			return mr_error_set(error, -ENOSPC, "more than %u remote ends",
			    TUNNEL_ENDS_MAX - 1);
		ends[at] = (struct tunnel_end){ .tunnel = r->t, .number = (uint16_t)number };
		r->end_of[number] = (uint16_t)at;
		all->next_end = at;
	}
	return 0;
}

/* Of numbers that are not in use (any more). */
static void
release_ends(struct tunnels *all, struct tunnel_record *r, const bool *used)
{
	for (unsigned n = 0; n < TUNNEL_REMOTES_MAX; n++) {
		if (!r->end_of[n] || (used && used[n]))
			continue;
		all->core.ends[r->end_of[n]] = (struct tunnel_end){ .tunnel = NULL };
		all->next_end = MR_MIN(all->next_end, (uint32_t)r->end_of[n]);
		r->end_of[n] = 0;
	}
}

static struct tunnel_record *
find_record(struct tunnels *all, const char *name)
{
	struct tunnel_record *r;
	unsigned slot;

	tunnels_each(all, slot,
	    r) if (strcmp(r->fresh ? r->next.name : r->now.name, name) == 0) return r;
	return NULL;
}

static int
prepare_one(struct tunnels *all, const struct mr_config *config, const struct mr_conf *at,
    struct mr_error *error)
{
	struct tunnel_record *r = find_record(all, mr_conf_key(at));
	int rc = 0;

	if (!r)
		rc = record_create(all, mr_conf_key(at), &r, error);
	if (rc)
		return rc;
	r->wanted = true;
	rc = tunnel_conf_read(&r->next, config, at, error);
	if (!rc)
		rc = number_remotes(r, error);
	if (!rc)
		rc = number_ends(all, r, error);
	if (!rc)
		rc = prepare_stations(r, error);
	if (!rc)
		rc = tunnel_view_make(&r->next_view, &r->next, r->next_number_of, r->next_stations,
		    error);
	return rc;
}

static void
forget_next(struct tunnels *all)
{
	struct tunnel_record *r;
	unsigned slot;

	tunnels_each(all, slot, r)
	{
		if (r->fresh) {
			release_ends(all, r, NULL);
			record_free(r);
			all->records[slot] = NULL;
			continue;
		}
		release_ends(all, r, r->taken);
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
			rc = prepare_one(all, config, at, error);
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
remove_node(struct tunnels *all, uint16_t *node)
{
	if (*node != NO_NODE)
		mr_graph_remove_node(graph_of(all), *node);
	*node = NO_NODE;
}

/* Edges that lead nowhere lead back; nothing takes them. */
static void
close_edges(struct tunnels *all, uint16_t node, unsigned first, unsigned count)
{
	for (unsigned edge = first; edge < count; edge++)
		mr_graph_link(graph_of(all), node, edge, node);
}

static int
add_enter(struct tunnels *all, unsigned n, struct mr_error *error)
{
	char name[MR_GRAPH_NAME_MAX];
	int rc;

	if (!all->enters[n]) {
		all->enters[n] = calloc(1, sizeof(*all->enters[n]));
		if (!all->enters[n])
			return mr_error_set(error, -ENOMEM, "no memory");
		all->enters[n]->node = NO_NODE;
	}
	if (all->enters[n]->node != NO_NODE)
		return 0;
	snprintf(name, sizeof(name), "tunnel-enter-%u", n);
	rc = mr_graph_add_node(graph_of(all), &tunnel_enter_class, name, all->enters[n]->edge_of,
	    &all->enters[n]->node, error);
	if (!rc)
		close_edges(all, all->enters[n]->node, 0, TUNNEL_ENTER_EDGES);
	return rc;
}

static int
add_nodes(struct tunnels *all, struct tunnel_record *r, struct mr_error *error)
{
	unsigned enter = r->t->slot / TUNNEL_ENTER_EDGES;
	char name[MR_GRAPH_NAME_MAX];
	int rc = 0;

	if (all->in == NO_NODE) {
		rc = mr_graph_add_node(graph_of(all), &tunnel_in_class, NULL, &all->core, &all->in,
		    error);
		if (!rc)
			close_edges(all, all->in, 0, TUNNEL_IN_EDGES);
	}
	if (!rc)
		rc = add_enter(all, enter, error);
	snprintf(name, sizeof(name), "tunnel-out@%s", r->now.name);
	if (!rc && r->node == NO_NODE)
		rc = mr_graph_add_node(graph_of(all), &tunnel_out_class, name, r->t, &r->node,
		    error);
	return rc;
}

/*
 * An interface's index is only known, and its port there, once its configuration is in force. A tunnel that
 * is new stays closed until the plan is in force, too (finish): workers see its remote ends before, and the
 * edges of the plan that they still have lead nowhere.
 */
static void
place(struct tunnels *all, struct tunnel_record *r)
{
	struct mr_interfaces *interfaces = mr_interfaces_of(all->dp);
	const struct mr_interface *i = mr_interface_find(interfaces, r->now.name);
	unsigned enter = r->t->slot / TUNNEL_ENTER_EDGES, edge = r->t->slot % TUNNEL_ENTER_EDGES;
	struct mr_graph *graph = graph_of(all);
	bool fresh = r->node == NO_NODE;
	struct mr_error error;

	if (!i)
		return;
	if (add_nodes(all, r, &error)) {
		mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR, "tunnel %s: %s", r->now.name,
		    error.text);
		return;
	}
	if (fresh) {
		r->t->index = i->index;
		all->enters[enter]->edge_of[i->index] = (uint8_t)edge;
	} else {
		atomic_store_explicit(&r->t->port, i->port, memory_order_release);
	}
	mr_graph_link(graph, r->node, TUNNEL_OUT_FORWARD4, all->base->ip->forward4);
	mr_graph_link(graph, r->node, TUNNEL_OUT_FORWARD6, all->base->ip->forward6);
	mr_graph_link(graph, all->in, TUNNEL_IN_ENTER + enter, all->enters[enter]->node);
	mr_interface_carry(interfaces, i->index, r->node, all->enters[enter]->node, (uint16_t)edge);
}

/* Of a tunnel that is no more. */
static void
leave(struct tunnels *all, struct tunnel_record *r)
{
	struct tunnel_enter *enter = all->enters[r->t->slot / TUNNEL_ENTER_EDGES];
	unsigned edge = r->t->slot % TUNNEL_ENTER_EDGES;

	atomic_store_explicit(&r->t->port, NULL, memory_order_relaxed);
	mr_rcu_publish(&all->core.tunnels[r->t->slot], NULL);
	remove_node(all, &r->node);
	if (enter && enter->node != NO_NODE)
		close_edges(all, enter->node, edge, edge + 1);
}

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

/* Between the host and what is sent to the router: also what was put together from pieces. */
static void
stand_before_host(struct tunnels *all)
{
	uint16_t whole = mr_icmp_reassembly_node(all->base);
	struct mr_ip *ip = all->base->ip;

	mr_graph_link(graph_of(all), all->in, TUNNEL_IN_NEXT, mr_ip_attached(ip, MR_IP_EDGE_LOCAL));
	mr_ip_attach(ip, MR_IP_EDGE_LOCAL, all->in);
	if (whole != NO_NODE)
		mr_graph_link(graph_of(all), whole, MR_REASSEMBLY_EDGE_WHOLE, all->in);
}

/* Packets of tunnels are no connections: those that come have other ports than those that go. */
static void
set_apart(struct tunnels *all)
{
	uint16_t ports[TUNNELS_MAX];
	struct tunnel_record *r;
	unsigned slot, count = 0;

	tunnels_each(all, slot, r) if (r->wanted) ports[count++] = r->now.port;
	mr_conntrack_set_apart(mr_conntrack_of(all->dp), ports, count);
}

static void
remove_nodes(struct tunnels *all)
{
	remove_node(all, &all->in);
	for (unsigned n = 0; n < TUNNEL_ENTERS_MAX; n++)
		if (all->enters[n])
			remove_node(all, &all->enters[n]->node);
}

static void
commit(void *state)
{
	struct tunnels *all = state;
	struct tunnel_record *r;
	unsigned slot;

	all->count = 0;
	tunnels_each(all, slot, r)
	{
		struct tunnel_conf old = r->now;

		if (!r->wanted) {
			leave(all, r);
			continue;
		}
		commit_one(all, r);
		r->now = r->next;
		memset(&r->next, 0, sizeof(r->next));
		settle_statics(r, &old);
		tunnel_conf_free(&old);
		r->vrf = mr_ip_vrf_find(all->base->ip, r->now.router);
		place(all, r);
		all->count++;
	}
	all->old_inside =
	    (struct mr_flow_inside *)atomic_load_explicit(&all->core.inside, memory_order_relaxed);
	/* Release pairs with mr_rcu_read. */
	mr_rcu_publish(&all->core.inside, all->next_inside);
	all->next_inside = NULL;
	mr_generation_bump(&all->core.changed);
	if (all->in != NO_NODE && all->count)
		stand_before_host(all);
	else
		remove_nodes(all);
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
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(all->dp), r->now.name);

	/* Release pairs with the node's acquire: whoever sees the port, sees its index and its edge. */
	if (i && r->node != NO_NODE &&
	    atomic_load_explicit(&r->t->port, memory_order_relaxed) != i->port) {
		atomic_store_explicit(&r->t->port, i->port, memory_order_release);
		/* What was closed may have been recorded. */
		mr_generation_bump(&r->t->changed);
	}
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
	tunnels_each(all, slot, r)
	{
		if (r->wanted) {
			release_ends(all, r, r->next_taken);
			finish_one(all, r);
			continue;
		}
		release_ends(all, r, NULL);
		record_free(r);
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
	tunnels_each(all, slot, r) remove_node(all, &r->node);
	remove_nodes(all);
	(void)mr_graph_commit(graph_of(all), &error);
	tunnels_each(all, slot, r) record_free(r);
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
	tunnels_each(all, slot, r)
	{
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
