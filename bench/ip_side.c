/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ip_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/ip/group.h"

struct mr_bench_ip_side {
	struct mr_ip *ip;
	enum mr_ip_family family;
	uint16_t vrf, in, out; /* indices */
	uint32_t groups[MR_BENCH_HOPS];
	struct mr_lane *lane;
	struct mr_lane_port *lane_port;
};

static int
add_interface(struct mr_bench_ip_side *s, const char *name, uint16_t port, const uint8_t mac[6],
    uint16_t *index, struct mr_error *error)
{
	struct mr_ip_interface *i;
	int rc;

	rc = mr_ip_interface_create(s->ip, name, index, error);
	if (rc < 0)
		return rc;
	i = &s->ip->interfaces[*index];
	i->fib4 = s->ip->vrfs[s->vrf].fib4;
	i->fib6 = s->ip->vrfs[s->vrf].fib6;
	memcpy(&i->mac, mac, 6);
	memcpy(s->ip->info[*index].mac, mac, 6);
	i->vrf = s->vrf;
	i->port = port;
	i->mtu = 1500;
	i->flags = MR_IP_UP | MR_IP_FORWARD4 | MR_IP_FORWARD6 | MR_IP_UNREACHABLES;
	mr_adjacency_refresh(s->ip, *index);
	rc = mr_ip_interface_map(s->ip, port, 0, *index);
	return rc < 0 ? mr_error_set(error, rc, "no memory for an interface") : 0;
}

/* Neighbours that are known, each a group of its own. */
static int
add_hops(struct mr_bench_ip_side *s, const struct mr_bench_ip_side_config *config,
    struct mr_error *error)
{
	struct mr_group_member member = { .weight = 1 };
	uint8_t address[16] = { 0xfe, 0x80 };
	unsigned hop;
	int rc;

	for (hop = 0; hop < MR_BENCH_HOPS; hop++) {
		if (s->family == MR_IP4)
			memcpy(address, (const uint8_t[]){ 192, 0, 2, (uint8_t)(16 + hop) }, 4);
		address[15] = (uint8_t)(s->family == MR_IP6 ? 16 + hop : 0);
		rc = mr_adjacency_get(s->ip, s->out, s->family, address, &member.adjacency, error);
		if (rc < 0)
			return rc;
		mr_adjacency_resolve(s->ip, member.adjacency, config->traffic->macs[hop][0]);
		rc = mr_group_get(s->ip, &member, 1, &s->groups[hop], error);
		mr_adjacency_put(s->ip, member.adjacency);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
add_routes(struct mr_bench_ip_side *s, const struct mr_bench_routes *routes, struct mr_error *error)
{
	struct mr_ip_vrf *vrf = &s->ip->vrfs[s->vrf];
	const struct mr_bench_route *r;
	size_t i;
	int rc = 0;

	for (i = 0; i < routes->count && rc == 0; i++) {
		r = &routes->routes[i];
		rc = routes->bits == 32
		    ? mr_fib4_set(vrf->fib4, mr_load_be32(r->address), r->len, s->groups[r->hop])
		    : mr_fib6_set(vrf->fib6, r->address, r->len, s->groups[r->hop]);
	}
	return rc < 0 ? mr_error_set(error, rc, "the router's table: %s", strerror(-rc)) : 0;
}

/* The flow lane between the port and the router. */
static int
add_lane(struct mr_bench_ip_side *s, const struct mr_bench_ip_side_config *config,
    struct mr_error *error)
{
	struct mr_graph *graph = config->bed->graph;
	/* One round of the frames fills the table. */
	const struct mr_lane_config wanted = { .graph = graph,
		.max_flows = config->flows,
		.ledger_flows = config->ledger ? config->flows : 0,
		.eager = true };
	struct mr_flow_view view = { .port = 0, .ledger = config->ledger };
	uint16_t node;
	int rc;

	memcpy(&view.mac, mr_bench_traffic_mac, 6);
	rc = mr_lane_create(&s->lane, &wanted, error);
	if (rc == 0)
		rc = mr_lane_port_create(&s->lane_port, s->lane, &view, "flow-lane", &node, error);
	if (rc == 0)
		rc = mr_graph_link(graph, node, 0, s->ip->input);
	if (rc == 0)
		rc = mr_graph_set_input(graph, 0, node, 0);
	return rc;
}

/* What is dropped is cheap: sees to it that everything that arrives is sent. */
static int
check_sent(const struct mr_bench_bed *bed, struct mr_error *error)
{
	const struct mr_port_queue_stats *rx = bed->ports[0]->rx_stats,
					 *tx = bed->ports[1]->tx_stats;
	uint64_t received, sent;
	unsigned i;

	for (i = 0; i < 256; i++)
		mr_graph_pass(bed->graph, 0);
	received = atomic_load_explicit(&rx->packets, memory_order_relaxed);
	sent = atomic_load_explicit(&tx->packets, memory_order_relaxed);
	if (!received || received != sent)
		return mr_error_set(error, -EIO, "the router sent %llu of %llu packets",
		    (unsigned long long)sent, (unsigned long long)received);
	return 0;
}

static int
open_side(struct mr_bench_ip_side *s, const struct mr_bench_ip_side_config *config,
    struct mr_error *error)
{
	const struct mr_option loop = { "loop", "memory" };
	struct mr_graph *graph = config->bed->graph;
	int rc;

	rc = mr_bench_bed_port(config->bed, "pcap", config->traffic->path, &loop, 1, error);
	if (rc == 0)
		rc = mr_bench_bed_port(config->bed, "null", NULL, NULL, 0, error);
	if (rc == 0)
		rc = mr_ip_create(&s->ip, graph, error);
	if (rc == 0)
		rc = mr_ip_vrf_create(s->ip, "main", &s->vrf, error);
	if (rc == 0)
		rc = add_interface(s, "in", 0, mr_bench_traffic_mac, &s->in, error);
	if (rc == 0)
		rc = add_interface(s, "out", 1, config->traffic->macs[0][1], &s->out, error);
	if (rc == 0)
		rc = add_hops(s, config, error);
	if (rc == 0)
		rc = add_routes(s, &config->traffic->routes, error);
	if (rc == 0)
		rc = mr_ip_add_nodes(s->ip, error);
	if (rc == 0)
		rc = mr_graph_set_input(graph, 0, s->ip->input, 0);
	if (rc == 0 && config->flows)
		rc = add_lane(s, config, error);
	if (rc == 0)
		rc = mr_graph_commit(graph, error);
	if (rc == 0)
		rc = check_sent(config->bed, error);
	return rc;
}

int
mr_bench_ip_side_open(struct mr_bench_ip_side **out, const struct mr_bench_ip_side_config *config,
    struct mr_error *error)
{
	struct mr_bench_ip_side *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s)
		return mr_error_set(error, -ENOMEM, "no memory for the router");
	s->family = config->traffic->routes.bits == 32 ? MR_IP4 : MR_IP6;
	rc = open_side(s, config, error);
	if (rc < 0) {
		mr_bench_ip_side_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

struct mr_lane *
mr_bench_ip_side_lane(const struct mr_bench_ip_side *s)
{
	return s->lane;
}

unsigned
mr_bench_ip_side_find(const struct mr_bench_ip_side *s, const uint8_t *address)
{
	uint8_t prefix[16];
	unsigned len, hop;
	uint32_t group;

	group = mr_ip_lookup(s->ip, s->vrf, s->family, address, prefix, &len);
	for (hop = 0; hop < MR_BENCH_HOPS && s->groups[hop] != group; hop++)
		;
	return hop;
}

void
mr_bench_ip_side_close(struct mr_bench_ip_side *s)
{
	unsigned hop;

	if (!s)
		return;
	for (hop = 0; s->ip && hop < MR_BENCH_HOPS; hop++)
		if (s->groups[hop])
			mr_group_put(s->ip, s->groups[hop]);
	mr_ip_destroy(s->ip);
	mr_lane_port_destroy(s->lane_port);
	mr_lane_destroy(s->lane);
	free(s);
}
