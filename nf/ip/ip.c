/* SPDX-License-Identifier: Apache-2.0 */
/* The tables as a whole, and the nodes in the graph. */
#include "nf/ip/ip.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "nf/ip/drop.h"
#include "nf/ip/group.h"
#include "nf/ip/ip_int.h"

const char *const mr_ip_edge_names[MR_IP_EDGES] = {
	[MR_IP_EDGE_FORWARD4] = "forward4",
	[MR_IP_EDGE_FORWARD6] = "forward6",
	[MR_IP_EDGE_OUTPUT] = "output",
	[MR_IP_EDGE_ARP] = "arp",
	[MR_IP_EDGE_RESOLVE] = "resolve",
	[MR_IP_EDGE_LOCAL] = "local",
	[MR_IP_EDGE_PUNT] = "punt",
	[MR_IP_EDGE_ICMP] = "icmp",
	[MR_IP_EDGE_OPTIONS4] = "options4",
	[MR_IP_EDGE_FRAGMENT4] = "fragment4",
	[MR_IP_EDGE_MSS] = "mss",
	[MR_IP_EDGE_REDIRECT] = "redirect",
	[MR_IP_EDGE_MULTICAST] = "multicast",
};

/* clang-format off */
const struct mr_named mr_ip_drops[MR_IP_DROP_COUNT] = {
#define X(id, name, doc) { name, doc },
	MR_IP_DROPS(X)
#undef X
};
/* clang-format on */

void *
mr_ip_reserve(size_t count, size_t size)
{
	void *p = mmap(NULL, count * size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
mr_ip_release(void *array, size_t count, size_t size)
{
	if (array)
		munmap(array, count * size);
}

int
mr_ip_create(struct mr_ip **out, struct mr_graph *graph, struct mr_error *error)
{
	struct mr_ip *ip = calloc(1, sizeof(*ip));
	int rc = -ENOMEM;

	if (!ip)
		return mr_error_set(error, -ENOMEM, "no memory for the IP tables");
	ip->graph = graph;
	ip->input = ip->forward4 = ip->forward6 = ip->output = UINT16_MAX;
	ip->interface_end = 1;
	ip->interfaces = mr_ip_reserve(MR_IP_INTERFACES_MAX, sizeof(*ip->interfaces));
	ip->ports = mr_ip_reserve(MR_PORT_MAX, sizeof(*ip->ports));
	ip->info = mr_ip_reserve(MR_IP_INTERFACES_MAX, sizeof(*ip->info));
	ip->vrfs = mr_ip_reserve(MR_IP_VRFS_MAX, sizeof(*ip->vrfs));
	ip->groups = mr_ip_reserve(MR_IP_GROUPS_MAX, sizeof(*ip->groups));
	ip->buckets = mr_ip_reserve(MR_IP_BUCKETS_MAX, sizeof(*ip->buckets));
	ip->cells = mr_ip_reserve(1, sizeof(*ip->cells));
	ip->adjacencies = mr_ip_reserve(MR_IP_ADJACENCIES_MAX, sizeof(*ip->adjacencies));
	ip->control = calloc(1, sizeof(*ip->control));
	if (!ip->interfaces || !ip->ports || !ip->info || !ip->vrfs || !ip->groups ||
	    !ip->buckets || !ip->cells || !ip->adjacencies || !ip->control) {
		mr_error_set(error, rc, "no memory for the IP tables");
		goto fail;
	}
	ip->control->sink = UINT16_MAX;
	rc = mr_ip_adjacencies_create(ip, error);
	if (rc)
		goto fail;
	*out = ip;
	return 0;
fail:
	mr_ip_destroy(ip);
	return rc;
}

void
mr_ip_destroy(struct mr_ip *ip)
{
	if (!ip)
		return;
	mr_ip_remove_nodes(ip);
	for (uint32_t i = 1; i < ip->interface_end; i++)
		if (ip->info[i].name[0])
			mr_ip_interface_destroy(ip, (uint16_t)i);
	for (uint32_t i = 0; i < ip->vrf_end; i++)
		if (ip->vrfs[i].name[0])
			mr_ip_vrf_destroy(ip, (uint16_t)i);
	for (unsigned i = 0; ip->ports && i < MR_PORT_MAX; i++)
		free(atomic_load_explicit(&ip->ports[i].vlans, memory_order_relaxed));
	mr_groups_destroy(ip);
	if (ip->control)
		mr_ip_adjacencies_destroy(ip);
	mr_ip_release(ip->interfaces, MR_IP_INTERFACES_MAX, sizeof(*ip->interfaces));
	mr_ip_release(ip->ports, MR_PORT_MAX, sizeof(*ip->ports));
	mr_ip_release(ip->info, MR_IP_INTERFACES_MAX, sizeof(*ip->info));
	mr_ip_release(ip->vrfs, MR_IP_VRFS_MAX, sizeof(*ip->vrfs));
	mr_ip_release(ip->groups, MR_IP_GROUPS_MAX, sizeof(*ip->groups));
	mr_ip_release(ip->buckets, MR_IP_BUCKETS_MAX, sizeof(*ip->buckets));
	mr_ip_release(ip->cells, 1, sizeof(*ip->cells));
	mr_ip_release(ip->adjacencies, MR_IP_ADJACENCIES_MAX, sizeof(*ip->adjacencies));
	free(ip->control);
	free(ip);
}

/* -- nodes ---------------------------------------------------------------------------- */

enum { SINK_DROP };

mr_inline void
sink_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	(void)run;
	(void)rec;
	(void)packets;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_drop(SINK_DROP);
}
MR_NODE_FUNCTIONS(sink)

static const struct mr_named sink_drops[] = {
	[SINK_DROP] = { "nobody", "no part of the router takes packets of this kind" },
};
const struct mr_node_class mr_ip_sink_class = {
	.name = "ip-sink",
	.doc = "ends what no part of the router takes",
	.drops = sink_drops,
	.drop_count = MR_ARRAY_COUNT(sink_drops),
	MR_NODE_RUN(sink),
};

static void
link_one(struct mr_ip *ip, uint16_t node)
{
	if (node == UINT16_MAX)
		return;
	for (unsigned edge = 0; edge < MR_IP_EDGES; edge++)
		mr_graph_link(ip->graph, node, edge, ip->control->targets[edge]);
}

void
mr_ip_link(struct mr_ip *ip, uint16_t node)
{
	struct mr_ip_control *c = ip->control;
	unsigned i;

	for (i = 0; i < c->linked_count && c->linked[i] != node; i++)
		;
	if (i == c->linked_count && i < MR_ARRAY_COUNT(c->linked))
		c->linked[c->linked_count++] = node;
	link_one(ip, node);
}

void
mr_ip_unlink(struct mr_ip *ip, uint16_t node)
{
	struct mr_ip_control *c = ip->control;

	for (unsigned i = 0; i < c->linked_count; i++)
		if (c->linked[i] == node)
			c->linked[i--] = c->linked[--c->linked_count];
}

static void
link_all(struct mr_ip *ip)
{
	link_one(ip, ip->input);
	link_one(ip, ip->forward4);
	link_one(ip, ip->forward6);
	link_one(ip, ip->output);
	for (unsigned i = 0; i < ip->control->linked_count; i++)
		link_one(ip, ip->control->linked[i]);
}

int
mr_ip_add_nodes(struct mr_ip *ip, struct mr_error *error)
{
	struct mr_ip_control *c = ip->control;
	int rc;

	if (ip->input != UINT16_MAX)
		return 0;
	rc = mr_graph_add_node(ip->graph, &mr_ip_input_class, NULL, ip, &ip->input, error);
	if (!rc)
		rc = mr_graph_add_node(ip->graph, &mr_ip4_forward_class, NULL, ip, &ip->forward4,
		    error);
	if (!rc)
		rc = mr_graph_add_node(ip->graph, &mr_ip6_forward_class, NULL, ip, &ip->forward6,
		    error);
	if (!rc)
		rc =
		    mr_graph_add_node(ip->graph, &mr_ip_output_class, NULL, ip, &ip->output, error);
	if (!rc)
		rc = mr_graph_add_node(ip->graph, &mr_ip_sink_class, NULL, ip, &c->sink, error);
	if (rc) {
		mr_ip_remove_nodes(ip);
		return rc;
	}
	for (unsigned edge = 0; edge < MR_IP_EDGES; edge++)
		c->targets[edge] = c->sink;
	c->targets[MR_IP_EDGE_FORWARD4] = ip->forward4;
	c->targets[MR_IP_EDGE_FORWARD6] = ip->forward6;
	c->targets[MR_IP_EDGE_OUTPUT] = ip->output;
	link_all(ip);
	return 0;
}

static void
remove_node(struct mr_ip *ip, uint16_t *node)
{
	if (*node != UINT16_MAX)
		mr_graph_remove_node(ip->graph, *node);
	*node = UINT16_MAX;
}

void
mr_ip_remove_nodes(struct mr_ip *ip)
{
	remove_node(ip, &ip->input);
	remove_node(ip, &ip->forward4);
	remove_node(ip, &ip->forward6);
	remove_node(ip, &ip->output);
	if (ip->control) {
		remove_node(ip, &ip->control->sink);
		ip->control->linked_count = 0;
	}
}

void
mr_ip_attach(struct mr_ip *ip, enum mr_ip_edge edge, uint16_t node)
{
	ip->control->targets[edge] = node;
	link_all(ip);
}

uint16_t
mr_ip_attached(const struct mr_ip *ip, enum mr_ip_edge edge)
{
	return ip->control->targets[edge];
}
