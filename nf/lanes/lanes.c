/* SPDX-License-Identifier: Apache-2.0 */

/* The function that puts the flow lane in front of interfaces. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/flow/offload.h"
#include "nf/lanes/lanes_int.h"
#include "nf/router/router.h"
#include "nf/tunnel/tunnel.h"

extern const char mr_yang_lanes[];

/* -- configuration ------------------------------------------------------------------------------ */

static enum lane_wish
wish_of(const struct mr_conf *at, const char *leaf)
{
	const char *text = mr_conf_text(at, leaf, "auto");

	if (strcmp(text, "flow") == 0)
		return LANE_FLOW;
	return strcmp(text, "graph") == 0 ? LANE_GRAPH : LANE_AUTO;
}

void
lanes_read_settings(struct lanes_settings *s, const struct mr_config *config)
{
	const struct mr_conf *at = mr_conf_child(mr_conf_root(config), "lanes"), *entry;

	memset(s, 0, sizeof(*s));
	s->mode = wish_of(at, "mode");
	s->flows = (uint32_t)mr_conf_uint(at, "flows", 1048576);
	s->idle = (uint32_t)mr_conf_uint(at, "idle-timeout", 60);
	s->offload = mr_conf_bool(at, "offload", false);
	s->offload_flows = (uint32_t)mr_conf_uint(at, "offload-flows", 4096);
	s->offload_rate = (uint32_t)mr_conf_uint(at, "offload-rate", 1000);
	if (!at)
		return;
	mr_conf_each(entry, at, "interface") {
		if (s->own_count == MR_PORT_MAX)
			break;
		snprintf(s->own[s->own_count].name, sizeof(s->own[0].name), "%s",
		    mr_conf_key(entry));
		s->own[s->own_count++].wish = wish_of(entry, "lane");
	}
}

static enum lane_wish
wish_for(const struct lanes_settings *s, const char *interface)
{
	for (unsigned i = 0; i < s->own_count; i++)
		if (strcmp(s->own[i].name, interface) == 0)
			return s->own[i].wish;
	return s->mode;
}

/* -- steps -------------------------------------------------------------------------------------- */

static int
lanes_create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct lanes *all = calloc(1, sizeof(*all));

	if (!all)
		return mr_error_set(error, -ENOMEM, "lanes: no memory");
	all->dp = dp;
	*state = all;
	return 0;
}

static int
lanes_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct lanes *all = state;
	struct mr_lane_config wanted = { .graph = mr_dataplane_graph(all->dp) };

	lanes_read_settings(&all->next, config);
	all->next_lane = all->lane;
	if (all->lane && all->next.flows == all->now.flows &&
	    all->next.offload == all->now.offload &&
	    all->ledger_wanted.flows == all->ledger.flows &&
	    all->next.offload_flows == all->now.offload_flows)
		return 0;
	wanted.max_flows = all->next.flows;
	wanted.ledger_flows = all->ledger_wanted.flows;
	wanted.offload_flows = all->next.offload ? all->next.offload_flows : 0;
	return mr_lane_create(&all->next_lane, &wanted, error);
}

/* Which VRF the VLANs of a port are in, for packets that hold others; null where it has no VLAN, or there
 * is no memory: then tagged ones are looked for in the wrong VRF, found nowhere, and walk. */
static uint16_t *
vrfs_of(const struct mr_ip *ip, const struct mr_ip_port *port)
{
	uint16_t *vrfs = NULL;

	for (unsigned vlan = 0; vlan < 4096; vlan++) {
		unsigned interface = mr_ip_interface_at(port, vlan);

		if (vlan && interface && !vrfs) {
			vrfs = malloc(4096 * sizeof(*vrfs));
			if (!vrfs)
				return NULL;
			memset(vrfs, 0xff, 4096 * sizeof(*vrfs));
			vrfs[0] = mr_ip_vrf(&ip->interfaces[mr_ip_interface_at(port, 0)]);
		}
		if (vrfs && interface)
			vrfs[vlan] = mr_ip_vrf(&ip->interfaces[interface]);
	}
	return vrfs;
}

static void
free_lane(struct lane_of *of)
{
	mr_lane_port_destroy(of->port);
	free(of->vrfs);
}

static void
put_in_front(struct lanes *all, const struct mr_interface *i, struct lane_of *of)
{
	struct mr_flow_view view = {
		.port = i->index,
		.bridged = of->by_address,
		.ledger = of->ledger,
		.walk = of->walk,
	};
	const struct mr_ip *ip = mr_router_base_of(all->dp)->ip;
	char name[MR_GRAPH_NAME_MAX];
	struct mr_error error;
	uint8_t mac[6];

	view.inside = mr_tunnel_inside(all->dp);
	view.vrf = mr_ip_vrf(&ip->interfaces[mr_ip_interface_at(&ip->ports[i->index], 0)]);
	if (view.inside)
		of->vrfs = vrfs_of(ip, &ip->ports[i->index]);
	view.vrfs = of->vrfs;
	if (!view.bridged && mr_dataplane_address(all->dp, i->index, 0, mac))
		memcpy(&view.mac, mac, sizeof(mac));
	of->view = view;
	snprintf(name, sizeof(name), "flow-lane@%s", i->name);
	if (mr_lane_port_create(&of->port, all->lane, &view, name, &of->node, &error)) {
		mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR, "lanes: %s", error.text);
		of->flow = of->walk = of->ledger = false;
		of->reason = "no node could be made for it";
		return;
	}
	mr_interface_stage_in(mr_interfaces_of(all->dp), i->index, MR_STAGE_LANE, of->node);
}

static bool
is_kept(const struct mr_lanes_ledger *ledger, const struct mr_interface *i)
{
	/* What comes out of a pair or a tunnel went in somewhere else, and was counted there. */
	if (!ledger->flows || i->within)
		return false;
	for (unsigned n = 0; n < ledger->name_count && !ledger->all; n++)
		if (strcmp(ledger->names[n], i->name) == 0)
			return true;
	return ledger->all;
}

static void
lanes_commit(void *state)
{
	struct lanes *all = state;
	const struct mr_interface *i;

	/* What the functions before this one have changed holds from here on. */
	if (all->lane)
		mr_lane_offload_pause(all->lane, true);
	all->old = all->next_lane == all->lane ? NULL : all->lane;
	all->lane = all->next_lane;
	all->next_lane = NULL;
	all->now = all->next;
	all->ledger = all->ledger_wanted;
	mr_lane_set_idle(all->lane, all->now.idle);
	mr_lane_offload_set_rate(all->lane, all->now.offload_rate);
	memcpy(all->before, all->of, sizeof(all->before));
	memset(all->of, 0, sizeof(all->of));
	for (unsigned p = 0; p < MR_PORT_MAX; p++)
		if (all->before[p].port)
			mr_graph_remove_node(mr_dataplane_graph(all->dp), all->before[p].node);
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		struct lane_of *of = &all->of[p];

		i = mr_interface_at(mr_interfaces_of(all->dp), (uint16_t)p);
		if (!i)
			continue;
		of->wish = wish_for(&all->now, i->name);
		of->ledger = is_kept(&all->ledger, i);
		lanes_choose(all, i, of);
		of->walk = of->ledger && !of->flow;
		if (of->flow || of->walk)
			put_in_front(all, i, of);
	}
}

static void
lanes_finish(void *state)
{
	struct lanes *all = state;

	for (unsigned p = 0; p < MR_PORT_MAX; p++)
		free_lane(&all->before[p]);
	memset(all->before, 0, sizeof(all->before));
	if (all->old)
		lanes_offload_end(all, all->old);
	mr_lane_destroy(all->retired);
	all->retired = all->old;
	all->old = NULL;
	lanes_offload(all);
}

/* The last function's: whatever the others have changed since the last time, they have. */
static void
lanes_tick(void *state, uint32_t seconds)
{
	struct lanes *all = state;

	mr_lane_destroy(all->retired);
	all->retired = NULL;
	if (all->lane)
		lanes_offload(all);
}

static void
lanes_abort(void *state)
{
	struct lanes *all = state;

	if (all->next_lane != all->lane)
		mr_lane_destroy(all->next_lane);
	all->next_lane = NULL;
}

static void
lanes_destroy(void *state)
{
	struct lanes *all = state;
	struct mr_error error;

	if (!all)
		return;
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		if (!all->of[p].port)
			continue;
		mr_interface_stage_in(mr_interfaces_of(all->dp), (uint16_t)p, MR_STAGE_LANE,
		    UINT16_MAX);
		mr_graph_remove_node(mr_dataplane_graph(all->dp), all->of[p].node);
	}
	mr_graph_commit(mr_dataplane_graph(all->dp), &error);
	for (unsigned p = 0; p < MR_PORT_MAX; p++)
		free_lane(&all->of[p]);
	mr_lane_destroy(all->retired);
	mr_lane_destroy(all->lane);
	free(all);
}

struct mr_lane *
mr_lanes_lane(struct mr_dataplane *dp)
{
	struct lanes *all = mr_dataplane_state(dp, &mr_nf_lanes);

	return all ? all->lane : NULL;
}

void
mr_lanes_ledger_want(struct mr_dataplane *dp, const struct mr_lanes_ledger *ledger)
{
	struct lanes *all = mr_dataplane_state(dp, &mr_nf_lanes);

	all->ledger_wanted = *ledger;
}

bool
mr_lanes_ledger_is_due(struct mr_dataplane *dp)
{
	const struct lanes *all = mr_dataplane_state(dp, &mr_nf_lanes);
	const struct mr_lanes_ledger *a = &all->ledger, *b = &all->ledger_wanted;

	return a->flows != b->flows || a->all != b->all || a->name_count != b->name_count ||
	    memcmp(a->names, b->names, a->name_count * sizeof(a->names[0])) != 0;
}

bool
mr_lanes_ledger_keeps(struct mr_dataplane *dp, uint16_t interface)
{
	const struct lanes *all = mr_dataplane_state(dp, &mr_nf_lanes);

	return interface < MR_PORT_MAX && all->of[interface].ledger;
}

struct mr_lane *
mr_lanes_retired(struct mr_dataplane *dp)
{
	struct lanes *all = mr_dataplane_state(dp, &mr_nf_lanes);

	return all->retired;
}

enum mr_lanes_answer
mr_lanes_find(struct mr_dataplane *dp, uint16_t interface, uint32_t packet,
    struct mr_lanes_flow *found)
{
	struct lanes *all = mr_dataplane_state(dp, &mr_nf_lanes);
	const struct lane_of *of = &all->of[interface];
	struct mr_flow_batch *batch;
	unsigned rest_count, keyed;
	uint16_t rest[1];
	bool there;

	memset(found, 0, sizeof(*found));
	found->reason = of->reason;
	if (!of->flow)
		return MR_LANES_GRAPH;
	if (of->view.bridged)
		return MR_LANES_BRIDGED;
	batch = malloc(sizeof(*batch));
	if (!batch)
		return MR_LANES_NO_FLOW;
	keyed = mr_flow_keys(&of->view, NULL, mr_dataplane_buffers(dp)->base, &packet, 1, batch,
	    rest, &rest_count);
	there = keyed &&
	    mr_lane_find(all->lane, &batch->key[0], &found->worker, &found->index, &found->flow);
	free(batch);
	if (!there)
		return keyed ? MR_LANES_NO_FLOW : MR_LANES_NO_KEY;
	mr_lane_print(all->lane, found->worker, found->index, found->program,
	    sizeof(found->program));
	return MR_LANES_FLOW;
}

static const struct mr_nf_listing listings[] = {
	{ "flows", "flows", "interface|protocol|address|port|flow|top|by|program", "address" },
	{ 0 },
};

const struct mr_nf mr_nf_lanes = {
	.name = "lanes",
	.doc = "which lane packets take: the graph, or the flow lane in front of it",
	.yang = mr_yang_lanes,
	.create = lanes_create,
	.destroy = lanes_destroy,
	.prepare = lanes_prepare,
	.commit = lanes_commit,
	.finish = lanes_finish,
	.abort = lanes_abort,
	.plan = lanes_plan,
	.tick = lanes_tick,
	.show = lanes_show,
	.stream = lanes_stream,
	.listings = listings,
};
