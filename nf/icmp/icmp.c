/* SPDX-License-Identifier: Apache-2.0 */
/* The part's descriptor: its nodes in the graph, and what follows from interfaces' addresses. */
#include "nf/icmp/icmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/icmp/control_int.h"

extern const char mr_yang_icmp[];

static const struct mr_node_class *const classes[ICMP_NODES] = {
	[ICMP_NODE_ERROR] = &icmp_error_class,
	[ICMP_NODE_ECHO] = &icmp_echo_class,
	[ICMP_NODE_OPTIONS] = &ip4_options_class,
	[ICMP_NODE_FRAGMENT] = &ip4_fragment_class,
	[ICMP_NODE_MSS] = &tcp_mss_class,
	[ICMP_NODE_REDIRECT] = &icmp_redirect_class,
	[ICMP_NODE_REASSEMBLY] = &mr_reassembly_class,
};

static int
create(void **state, const struct mr_router_base *base, struct mr_error *error)
{
	struct icmp_part *part = calloc(1, sizeof(*part));
	int rc;

	if (!part)
		return mr_error_set(error, -ENOMEM, "no memory");
	part->base = base;
	rc = icmp_create(&part->icmp, base->ip, mr_dataplane_buffers(base->dp),
	    mr_graph_worker_count(mr_dataplane_graph(base->dp)), error);
	if (rc) {
		free(part);
		return rc;
	}
	*state = part;
	return 0;
}

static void
remove_nodes(struct icmp_part *part)
{
	for (unsigned i = 0; part->active && i < ICMP_NODES; i++)
		if (part->nodes[i] != UINT16_MAX)
			mr_graph_remove_node(mr_dataplane_graph(part->base->dp), part->nodes[i]);
	part->active = false;
}

static void
destroy(void *state)
{
	struct icmp_part *part = state;
	struct mr_error error;

	if (!part)
		return;
	if (part->active) {
		remove_nodes(part);
		(void)mr_graph_commit(mr_dataplane_graph(part->base->dp), &error);
	}
	icmp_destroy(part->icmp);
	free(part->next);
	free(part);
}

static void
check(void *state, const struct mr_config *config, struct mr_report *report)
{
	icmp_conf_check(config, report);
}

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	return icmp_conf_read(state, config, error);
}

static void
forget_next(struct icmp_part *part)
{
	free(part->next);
	part->next = NULL;
	part->next_count = 0;
}

static void
part_abort(void *state)
{
	forget_next(state);
}

/* -- nodes ---------------------------------------------------------------------------- */

static int
add_nodes(struct icmp_part *part, struct mr_error *error)
{
	struct mr_graph *graph = mr_dataplane_graph(part->base->dp);
	int rc = 0;

	memset(part->nodes, 0xff, sizeof(part->nodes));
	part->active = true;
	for (unsigned i = 0; !rc && i < ICMP_NODES; i++) {
		void *self = part->icmp;

		if (i == ICMP_NODE_REASSEMBLY)
			self = part->icmp->reassembly;
		rc = mr_graph_add_node(graph, classes[i], NULL, self, &part->nodes[i], error);
	}
	if (rc) {
		remove_nodes(part);
		return rc;
	}
	return 0;
}

static void
attach(struct icmp_part *part)
{
	struct mr_graph *graph = mr_dataplane_graph(part->base->dp);
	struct mr_ip *ip = part->base->ip;
	const uint16_t *n = part->nodes;

	mr_ip_attach(ip, MR_IP_EDGE_ICMP, n[ICMP_NODE_ERROR]);
	mr_ip_attach(ip, MR_IP_EDGE_OPTIONS4, n[ICMP_NODE_OPTIONS]);
	mr_ip_attach(ip, MR_IP_EDGE_FRAGMENT4, n[ICMP_NODE_FRAGMENT]);
	mr_ip_attach(ip, MR_IP_EDGE_MSS, n[ICMP_NODE_MSS]);
	mr_ip_attach(ip, MR_IP_EDGE_REDIRECT, n[ICMP_NODE_REDIRECT]);
	mr_ip_link(ip, n[ICMP_NODE_OPTIONS]);
	mr_graph_link(graph, n[ICMP_NODE_ERROR], ICMP_ERROR_FORWARD4, ip->forward4);
	mr_graph_link(graph, n[ICMP_NODE_ERROR], ICMP_ERROR_FORWARD6, ip->forward6);
	mr_graph_link(graph, n[ICMP_NODE_ECHO], ICMP_ECHO_FORWARD4, ip->forward4);
	mr_graph_link(graph, n[ICMP_NODE_ECHO], ICMP_ECHO_FORWARD6, ip->forward6);
	mr_graph_link(graph, n[ICMP_NODE_FRAGMENT], IP4_FRAGMENT_OUTPUT, ip->output);
	mr_graph_link(graph, n[ICMP_NODE_MSS], TCP_MSS_OUTPUT, ip->output);
	mr_graph_link(graph, n[ICMP_NODE_REDIRECT], ICMP_REDIRECT_OUTPUT, ip->output);
	mr_graph_link(graph, n[ICMP_NODE_REDIRECT], ICMP_REDIRECT_FORWARD4, ip->forward4);
	mr_graph_link(graph, n[ICMP_NODE_REDIRECT], ICMP_REDIRECT_FORWARD6, ip->forward6);
	mr_graph_link(graph, n[ICMP_NODE_REASSEMBLY], MR_REASSEMBLY_EDGE_ICMP, n[ICMP_NODE_ERROR]);
	/* Until the host part wants them: what is for us can be an echo request at least. */
	mr_graph_link(graph, n[ICMP_NODE_REASSEMBLY], MR_REASSEMBLY_EDGE_WHOLE, n[ICMP_NODE_ECHO]);
}

/* -- addresses ------------------------------------------------------------------------ */

/* Interfaces whose addresses errors are sent from where there is none: a loopback's, if
 * there is one, because it does not go away. */
static void
choose_spares(struct icmp_part *part)
{
	const struct mr_ip *ip = part->base->ip;

	for (unsigned vrf = 0; vrf < ip->vrf_end; vrf++) {
		uint16_t spare[MR_IP_FAMILIES] = { 0 };

		for (unsigned n = 0; n < 2; n++) {
			for (uint32_t i = 1; i < ip->interface_end; i++) {
				const struct mr_ip_interface *in = &ip->interfaces[i];
				static const uint8_t none[16];
				uint8_t six[16];

				if (!ip->info[i].name[0] || mr_ip_vrf(in) != vrf ||
				    (n == 0 && !(mr_ip_flags(in) & MR_IP_LOOPBACK)))
					continue;
				if (!spare[MR_IP4] && mr_ip_address4(in))
					spare[MR_IP4] = (uint16_t)i;
				mr_ip_address6(in, six);
				if (!spare[MR_IP6] && memcmp(six, none, 16) != 0 &&
				    !icmp_is_link_local6(six))
					spare[MR_IP6] = (uint16_t)i;
			}
		}
		atomic_store_explicit(&part->icmp->vrfs[vrf].spare4, spare[MR_IP4],
		    memory_order_relaxed);
		atomic_store_explicit(&part->icmp->vrfs[vrf].spare6, spare[MR_IP6],
		    memory_order_relaxed);
	}
}

static void
note_link_local(struct icmp_part *part, uint32_t interface)
{
	const struct mr_ip_interface_info *info = &part->base->ip->info[interface];
	uint64_t half = 0;

	for (uint32_t i = 0; info->name[0] && i < info->address_count; i++) {
		const struct mr_ip_address *a = &info->addresses[i];

		if (a->family == MR_IP6 && icmp_is_link_local6(a->bytes) && !a->tentative &&
		    !a->duplicate && !half)
			memcpy(&half, a->bytes + 8, 8);
	}
	atomic_store_explicit(&part->icmp->link_local[interface], half, memory_order_relaxed);
}

static void
changed(void *state, uint16_t interface)
{
	note_link_local(state, interface);
	choose_spares(state);
}

/* -- the steps ------------------------------------------------------------------------ */

static void
commit(void *state, bool active)
{
	struct icmp_part *part = state;
	struct mr_error error;

	for (unsigned i = 0; i < part->next_count; i++) {
		uint16_t vrf = mr_ip_vrf_find(part->base->ip, part->next[i].name);

		if (vrf != UINT16_MAX)
			icmp_set(part->icmp, vrf, &part->next[i].settings);
	}
	forget_next(part);
	if (!active) {
		remove_nodes(part);
		return;
	}
	if (!part->active && add_nodes(part, &error)) {
		mr_log(mr_dataplane_log(part->base->dp), MR_LOG_ERROR, "icmp: %s", error.text);
		return;
	}
	attach(part);
	for (uint32_t i = 1; i < part->base->ip->interface_end; i++)
		note_link_local(part, i);
	choose_spares(part);
}

static uint32_t
tick(void *state, uint64_t now)
{
	struct icmp_part *part = state;

	icmp_set_clock(part->icmp);
	return 60000;
}

static uint16_t
node_of(const struct mr_router_base *base, enum icmp_node which)
{
	const struct icmp_part *part = mr_router_part(base, &mr_ip_part_icmp);

	return part && part->active ? part->nodes[which] : UINT16_MAX;
}

uint16_t
mr_icmp_echo_node(const struct mr_router_base *base)
{
	return node_of(base, ICMP_NODE_ECHO);
}

uint16_t
mr_icmp_reassembly_node(const struct mr_router_base *base)
{
	return node_of(base, ICMP_NODE_REASSEMBLY);
}

static bool
describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	(void)state;
	return icmp_error_describe(op, text, size);
}

const struct mr_ip_part mr_ip_part_icmp = {
	.name = "icmp",
	.yang = mr_yang_icmp,
	.create = create,
	.destroy = destroy,
	.check = check,
	.prepare = prepare,
	.commit = commit,
	.abort = part_abort,
	.tick = tick,
	.changed = changed,
	.show = icmp_show,
	.describe = describe,
};
