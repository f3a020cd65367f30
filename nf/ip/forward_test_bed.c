/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and nodes that remember, and routes over them. */
#include "nf/ip/forward_test_int.h"

static unsigned
sink_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	return 0;
}

static unsigned
sink_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct sink *s = mr_container_of(port, struct sink, port);
	struct mr_packet *p;

	for (unsigned i = 0; i < count; i++) {
		p = mr_packet_at(port->buffers->base, packets[i]);
		s->len = p->len;
		memcpy(s->last, mr_packet_bytes(p), p->len);
		s->count++;
	}
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static int
sink_fd(struct mr_port *port, unsigned queue)
{
	return -1;
}

static const struct mr_port_driver sink_driver = {
	.name = "sink",
	.rx = sink_rx,
	.tx = sink_tx,
	.rx_fd = sink_fd,
};

static void
edge_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	struct edge *e = run->self;

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		e->count++;
		e->meta = *mr_ip_meta(p);
		e->context = p->context;
		verdicts[i] = mr_verdict_drop(0);
	}
}

static const struct mr_named edge_drops[] = { { "end", "the end of a test" } };
static const struct mr_node_class edge_class = {
	.name = "edge",
	.doc = "remembers what came by an edge",
	.drops = edge_drops,
	.drop_count = 1,
	.run = edge_run,
};

struct route routes[32];
unsigned route_count;

const uint8_t our_mac[PORTS][6] = { { 2, 0, 0, 0, 0, 0x10 }, { 2, 0, 0, 0, 0, 0x11 },
	{ 2, 0, 0, 0, 0, 0x12 }, { 2, 0, 0, 0, 0, 0x13 } };

static void
add_route(struct bed *b, unsigned family, const uint8_t *prefix, unsigned len, uint32_t group,
    int port, const uint8_t *mac)
{
	struct route *r = &routes[route_count++];
	uint32_t address;

	memset(r, 0, sizeof(*r));
	r->family = (uint8_t)family;
	r->len = (uint8_t)len;
	r->group = group;
	r->port = port;
	memcpy(r->prefix, prefix, family == MR_IP4 ? 4 : 16);
	if (mac)
		memcpy(r->mac, mac, 6);
	memcpy(&address, prefix, 4);
	if (family == MR_IP4)
		assert_int_equal(
		    mr_fib4_set(b->ip->vrfs[b->vrf].fib4, mr_be32(address), len, group), 0);
	else
		assert_int_equal(mr_fib6_set(b->ip->vrfs[b->vrf].fib6, prefix, len, group), 0);
}

/* A route through a neighbour of this port; unresolved without `mac`. */
static void
add_hop(struct bed *b, unsigned family, const uint8_t *prefix, unsigned len, unsigned port,
    const uint8_t *mac)
{
	uint8_t address[16] = { 10, 0, (uint8_t)port, (uint8_t)route_count };
	struct mr_group_member m = { .weight = 1 };
	uint32_t group;

	assert_int_equal(mr_adjacency_get(b->ip, b->interface[port], (enum mr_ip_family)family,
			     address, &m.adjacency, &b->error),
	    0);
	if (mac)
		mr_adjacency_resolve(b->ip, m.adjacency, mac);
	assert_int_equal(mr_group_get(b->ip, &m, 1, &group, &b->error), 0);
	add_route(b, family, prefix, len, group, mac ? (int)port : -1, mac);
}

static void
add_routes(struct bed *b)
{
	static const uint8_t macs[3][6] = { { 4, 0, 0, 0, 0, 1 }, { 4, 0, 0, 0, 0, 2 },
		{ 4, 0, 0, 0, 0, 3 } };

	route_count = 0;
	add_hop(b, MR_IP4, (const uint8_t[]){ 20, 0, 0, 0 }, 8, 1, macs[0]);
	add_hop(b, MR_IP4, (const uint8_t[]){ 20, 1, 0, 0 }, 16, 2, macs[1]);
	add_hop(b, MR_IP4, (const uint8_t[]){ 20, 1, 2, 0 }, 24, 0, macs[2]);
	add_hop(b, MR_IP4, (const uint8_t[]){ 20, 2, 0, 0 }, 16, 3, NULL);
	add_route(b, MR_IP4, (const uint8_t[]){ 20, 3, 0, 0 }, 16, MR_IP_SPECIAL_BLACKHOLE, -1,
	    NULL);
	add_route(b, MR_IP4, (const uint8_t[]){ 20, 4, 0, 0 }, 16, MR_IP_SPECIAL_UNREACHABLE, -1,
	    NULL);
	add_route(b, MR_IP4, (const uint8_t[]){ 20, 5, 0, 0 }, 16, MR_IP_SPECIAL_PROHIBIT, -1,
	    NULL);
	add_route(b, MR_IP4, (const uint8_t[]){ 10, 0, 0, 1 }, 32, MR_IP_SPECIAL_LOCAL, -1, NULL);
	add_route(b, MR_IP4, (const uint8_t[]){ 127, 0, 0, 0 }, 8, MR_IP_SPECIAL_MARTIAN, -1, NULL);
	add_route(b, MR_IP4, (const uint8_t[]){ 224, 0, 0, 0 }, 4, MR_IP_SPECIAL_MULTICAST, -1,
	    NULL);
	add_route(b, MR_IP4, (const uint8_t[]){ 10, 0, 0, 255 }, 32, MR_IP_SPECIAL_BROADCAST, -1,
	    NULL);
	add_hop(b, MR_IP6, (const uint8_t[16]){ 0x20, 0x01 }, 16, 1, macs[0]);
	add_hop(b, MR_IP6, (const uint8_t[16]){ 0x20, 0x01, 1 }, 32, 2, macs[1]);
	add_hop(b, MR_IP6, (const uint8_t[16]){ 0x20, 0x01, 2 }, 32, 3, NULL);
	add_route(b, MR_IP6, (const uint8_t[16]){ 0x20, 0x01, 3 }, 32, MR_IP_SPECIAL_UNREACHABLE,
	    -1, NULL);
	add_route(b, MR_IP6, (const uint8_t[16]){ 0x20, 0x01, 9, [15] = 1 }, 128,
	    MR_IP_SPECIAL_LOCAL, -1, NULL);
	/* As the router gives them to every table. */
	add_route(b, MR_IP6, (const uint8_t[16]){ 0 }, 128, MR_IP_SPECIAL_MARTIAN, -1, NULL);
	add_route(b, MR_IP6, (const uint8_t[16]){ [15] = 1 }, 128, MR_IP_SPECIAL_MARTIAN, -1, NULL);
	add_route(b, MR_IP6, (const uint8_t[16]){ 0xff }, 8, MR_IP_SPECIAL_MULTICAST, -1, NULL);
	add_route(b, MR_IP6, (const uint8_t[16]){ 0xfe, 0x80 }, 10, MR_IP_SPECIAL_LINK_LOCAL, -1,
	    NULL);
}

static void
open_ports(struct bed *b)
{
	for (unsigned i = 0; i < PORTS; i++) {
		struct mr_port_config config = { .name = "sink",
			.index = (uint16_t)i,
			.buffers = b->buffers,
			.workers = 1,
			.numa_node = -1 };
		struct mr_port *port;

		assert_int_equal(mr_port_alloc(&port, sizeof(struct sink), &sink_driver, &config, 1,
				     1, &b->error),
		    0);
		b->sinks[i] = mr_container_of(port, struct sink, port);
		port->mtu = 1500;
		port->caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN;
		assert_int_equal(mr_graph_add_port(b->graph, port, NULL, 0, &b->error), 0);
		mr_graph_set_port_up(b->graph, (uint16_t)i, true);
	}
}

static void
open_interfaces(struct bed *b)
{
	for (unsigned i = 0; i < PORTS + 1; i++) {
		struct mr_ip_interface *f;
		char name[8];

		snprintf(name, sizeof(name), "if%u", i);
		assert_int_equal(mr_ip_interface_create(b->ip, name, &b->interface[i], &b->error),
		    0);
		f = &b->ip->interfaces[b->interface[i]];
		f->fib4 = b->ip->vrfs[b->vrf].fib4;
		f->fib6 = b->ip->vrfs[b->vrf].fib6;
		f->port = (uint16_t)(i % PORTS);
		f->vlan = i == PORTS ? 7 : 0;
		f->mtu = i == 2 ? MTU_SMALL : 1500;
		memcpy(&f->mac, our_mac[i % PORTS], 6);
		f->flags = MR_IP_UP | MR_IP_FORWARD4 | MR_IP_FORWARD6 | MR_IP_REDIRECTS;
		assert_int_equal(mr_ip_interface_map(b->ip, f->port, f->vlan, b->interface[i]), 0);
		mr_adjacency_refresh(b->ip, b->interface[i]);
	}
}

void
bed_open(struct bed *b)
{
	static const char *const names[MR_IP_EDGES] = { "e0", "e1", "e2", "e3", "e4", "e5", "e6",
		"e7", "e8", "e9", "e10", "e11", "e12" };

	memset(b, 0, sizeof(*b));
	assert_int_equal(mr_buffers_create(&b->buffers,
			     &(struct mr_buffers_config){ .count = 2048,
				 .workers = 1,
				 .numa_node = -1,
				 .pages = MR_ARENA_4K },
			     &b->error),
	    0);
	assert_int_equal(mr_graph_create(&b->graph,
			     &(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 },
			     &b->error),
	    0);
	assert_int_equal(mr_ip_create(&b->ip, b->graph, &b->error), 0);
	assert_int_equal(mr_ip_vrf_create(b->ip, "default", &b->vrf, &b->error), 0);
	assert_int_equal(mr_ip_add_nodes(b->ip, &b->error), 0);
	for (unsigned e = MR_IP_EDGE_ARP; e < MR_IP_EDGES; e++) {
		uint16_t node;

		assert_int_equal(mr_graph_add_node(b->graph, &edge_class, names[e], &b->edges[e],
				     &node, &b->error),
		    0);
		mr_ip_attach(b->ip, (enum mr_ip_edge)e, node);
	}
	open_ports(b);
	open_interfaces(b);
	add_routes(b);
	for (unsigned i = 0; i < PORTS; i++)
		assert_int_equal(mr_graph_set_input(b->graph, (uint16_t)i, b->ip->input, 0), 0);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
}

void
bed_close(struct bed *b)
{
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held);
	for (unsigned i = 0; i < route_count; i++)
		if (routes[i].group >= MR_IP_SPECIALS)
			mr_group_put(b->ip, routes[i].group);
	mr_ip_destroy(b->ip);
	mr_graph_destroy(b->graph);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	for (unsigned i = 0; i < PORTS; i++)
		mr_port_free(&b->sinks[i]->port);
	mr_buffers_destroy(b->buffers);
}
