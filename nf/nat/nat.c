/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The function's life in one data plane. Nodes are made for an interface when the configuration
 * names it and taken out when it does not any more; what they do is in the view that they read.
 */

#include "nf/nat/nat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit/graph/graph.h"
#include "nf/nat/control_int.h"
#include "nf/nat/pcp/pcp_int.h"
#include "nf/router/router.h"

#define SWEEP_SECONDS 8u /* all lines are looked at in this time */
#define NO_NODE UINT16_MAX

extern const char mr_yang_nat[];

uint32_t
nat_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

struct mr_nat *
mr_nat_of(struct mr_dataplane *dp)
{
	return mr_dataplane_state(dp, &mr_nf_nat);
}

static int
create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct mr_nat *nat = calloc(1, sizeof(*nat));

	if (!nat)
		return mr_error_set(error, -ENOMEM, "no memory");
	nat->dp = dp;
	if (nat_journal_create(&nat->journal, nat, error)) {
		free(nat);
		return -ENOMEM;
	}
	*state = nat;
	return 0;
}

/* -- nodes -------------------------------------------------------------------------------- */

static void
remove_node(struct mr_nat *nat, uint16_t *node)
{
	if (*node != NO_NODE)
		mr_graph_remove_node(mr_dataplane_graph(nat->dp), *node);
	*node = NO_NODE;
}

static void
remove_nodes(struct mr_nat *nat, struct nat_nodes *n)
{
	remove_node(nat, &n->in);
	remove_node(nat, &n->out);
}

static int
ensure_node(struct mr_nat *nat, struct nat_nodes *n, bool outside, struct mr_error *error)
{
	uint16_t *node = outside ? &n->out : &n->in;
	char name[MR_GRAPH_NAME_MAX];

	if (*node != NO_NODE)
		return 0;
	snprintf(name, sizeof(name), outside ? "nat-out@%s" : "nat-in@%s", n->name);
	return mr_graph_add_node(mr_dataplane_graph(nat->dp),
	    outside ? &nat_out_class : &nat_in_class, name, &n->self, node, error);
}

static int
ensure(struct mr_nat *nat, const struct mr_interface *in, bool outside, struct mr_error *error)
{
	struct nat_nodes **at = &nat->nodes[in->index];
	int rc;

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return mr_error_set(error, -ENOMEM, "no memory");
		(*at)->in = (*at)->out = NO_NODE;
	}
	if (strcmp((*at)->name, in->name) != 0)
		remove_nodes(nat, *at);
	snprintf((*at)->name, sizeof((*at)->name), "%s", in->name);
	(*at)->self.core = nat->core;
	(*at)->self.port = in->index;
	rc = ensure_node(nat, *at, false, error);
	if (!rc && outside)
		rc = ensure_node(nat, *at, true, error);
	return rc;
}

enum use { UNUSED, INSIDE, OUTSIDE };

static void
use_interface(struct mr_nat *nat, const char *name, enum use how, uint8_t *uses)
{
	struct mr_interfaces *all = mr_interfaces_of(nat->dp);
	const struct mr_interface *in = mr_interface_find(all, name);
	struct mr_error error;

	if (!in)
		return;
	uses[in->index] = (uint8_t)MR_MAX(uses[in->index], (uint8_t)how);
	if (ensure(nat, in, how == OUTSIDE, &error)) {
		mr_log(mr_dataplane_log(nat->dp), MR_LOG_ERROR, "nat, interface %s: %s", name,
		    error.text);
		return;
	}
	mr_interface_stage_in(all, in->index, MR_STAGE_NAT_IN, nat->nodes[in->index]->in);
	if (how == OUTSIDE)
		mr_interface_stage_out(all, in->index, MR_STAGE_NAT_OUT,
		    nat->nodes[in->index]->out);
}

/* ARP is answered with the interface's own address, that of the VLAN where there are several. */
static void
learn_macs_of(struct mr_nat *nat, uint16_t port)
{
	const struct mr_ip *ip = mr_router_base_of(nat->dp)->ip;
	uint64_t macs[NAT_MACS_MAX] = { 0 };
	unsigned n = 1;

	if (mr_dataplane_address(nat->dp, port, 0, (uint8_t *)macs))
		macs[0] &= (1ull << NAT_MAC_VLAN_SHIFT) - 1;
	for (uint32_t i = 1; ip && i < ip->interface_end && n < NAT_MACS_MAX; i++) {
		uint16_t vlan = mr_ip_vlan(&ip->interfaces[i]);
		uint8_t mac[6];

		if (!ip->info[i].name[0] || !vlan || mr_ip_port(&ip->interfaces[i]) != port ||
		    !mr_dataplane_address(nat->dp, port, vlan, mac))
			continue;
		memcpy(&macs[n], mac, sizeof(mac));
		macs[n++] |= (uint64_t)vlan << NAT_MAC_VLAN_SHIFT;
	}
	for (unsigned k = 0; k < NAT_MACS_MAX; k++)
		atomic_store_explicit(&nat->nodes[port]->self.macs[k], macs[k],
		    memory_order_relaxed);
}

static void
learn_macs(struct mr_nat *nat)
{
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		if (nat->nodes[i] && nat->nodes[i]->in != NO_NODE)
			learn_macs_of(nat, (uint16_t)i);
}

/* -- the steps ---------------------------------------------------------------------------- */

static void
check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *conf = mr_conf_child(mr_conf_root(config), "nat");
	const struct mr_nat *nat = state;

	if (nat && nat->core && mr_conf_child(conf, "instance") &&
	    mr_conf_uint(conf, "max", 1u << 20) != nat->core->table->max)
		mr_report_at(report, config, mr_conf_child(conf, "max"),
		    "the table is made for %u and cannot be changed while it is in use; restart "
		    "for another size",
		    nat->core->table->max);
	nat_conf_check(config, report);
}

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct mr_nat *nat = state;
	int rc = nat_conf_read(&nat->next, config, &nat->conf, error);

	if (!rc && nat->next.count && !nat->core)
		rc = nat_core_create(&nat->core, nat->next.max,
		    mr_graph_worker_count(mr_dataplane_graph(nat->dp)), error);
	if (!rc && nat->core)
		nat->core->table->journal = nat->journal;
	if (!rc)
		rc = nat_journal_prepare(nat->journal, &nat->next.log, error);
	if (rc)
		nat_conf_free(&nat->next);
	return rc;
}

static void
abort_change(void *state)
{
	struct mr_nat *nat = state;

	nat_journal_abort(nat->journal);
	nat_conf_free(&nat->next);
}

static void
publish(struct mr_nat *nat)
{
	struct mr_error error;

	if (nat_view_publish(nat, &error))
		mr_log(mr_dataplane_log(nat->dp), MR_LOG_ERROR, "nat: %s", error.text);
}

static void
commit(void *state)
{
	struct mr_nat *nat = state;
	uint8_t uses[MR_PORT_MAX] = { 0 };

	nat_conf_free(&nat->conf);
	nat->conf = nat->next;
	memset(&nat->next, 0, sizeof(nat->next));
	nat_journal_commit(nat->journal);
	if (!nat->core)
		return;
	for (unsigned i = 0; i < nat->conf.count; i++) {
		const struct nat_conf_instance *c = &nat->conf.instances[i];

		for (unsigned k = 0; k < c->outside.count; k++)
			use_interface(nat, c->outside.at[k].port, OUTSIDE, uses);
		for (unsigned k = 0; k < c->inside.count; k++)
			use_interface(nat, c->inside.at[k].port, INSIDE, uses);
	}
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		if (nat->nodes[i] && uses[i] == UNUSED)
			remove_nodes(nat, nat->nodes[i]);
		else if (nat->nodes[i] && uses[i] == INSIDE)
			remove_node(nat, &nat->nodes[i]->out);
	(void)nat_view_addresses(nat);
	publish(nat);
}

static void
finish(void *state)
{
	struct mr_nat *nat = state;

	if (nat->core)
		nat_view_settle(nat);
	nat_journal_finish(nat->journal);
	learn_macs(nat);
}

static void
tick(void *state, uint32_t seconds)
{
	struct mr_nat *nat = state;
	struct nat_table *t;

	nat_journal_tick(nat->journal);
	if (!nat->core)
		return;
	t = nat->core->table;
	nat_watch_tick(nat, &nat->watch, seconds);
	nat_lease_forget(nat->core, seconds);
	learn_macs(nat);
	if (nat_view_addresses(nat)) {
		publish(nat);
		nat_view_settle(nat);
	} else if (nat->settle) {
		nat->settle = !nat_static_settle(nat);
	}
	nat_sweep(t, seconds,
	    atomic_load_explicit(&t->top, memory_order_relaxed) / SWEEP_SECONDS + 1);
	for (unsigned n = 1; n <= NAT_INSTANCES_MAX; n++)
		if (nat->pools[n].pool)
			nat_pool_tick(nat->pools[n].pool, seconds);
}

static void
destroy(void *state)
{
	struct mr_nat *nat = state;
	struct mr_error error;

	if (!nat)
		return;
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		if (nat->nodes[i])
			remove_nodes(nat, nat->nodes[i]);
	(void)mr_graph_commit(mr_dataplane_graph(nat->dp), &error);
	nat_conf_free(&nat->conf);
	nat_conf_free(&nat->next);
	if (nat->core) {
		nat_view_publish(nat, &error);
		nat_view_settle(nat);
		nat->retired = (struct nat_view *)(uintptr_t)mr_rcu_swap(&nat->core->view, NULL);
		nat_view_free(nat->retired);
	}
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		free(nat->nodes[i]);
	nat_core_destroy(nat->core, mr_dataplane_buffers(nat->dp));
	nat_journal_destroy(nat->journal);
	free(nat);
}

static bool
describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	const struct mr_nat *nat = state;

	return nat_describe(nat->core, op, text, size);
}

static const struct mr_nf_listing listings[] = {
	{ "nat-sessions", "sessions", "instance|protocol|address|port", "address" },
	{ 0 },
};

const struct mr_nf mr_nf_nat = {
	.name = "nat",
	.doc = "address and port translation",
	.yang = mr_yang_nat,
	.create = create,
	.destroy = destroy,
	.check = check,
	.prepare = prepare,
	.commit = commit,
	.finish = finish,
	.abort = abort_change,
	.tick = tick,
	.show = nat_show,
	.stream = nat_stream,
	.listings = listings,
	.describe = describe,
};
