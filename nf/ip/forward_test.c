/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forwarding nodes against a slow router that reads a frame byte by byte and its routes from end
 * to end: random frames, most of them bent somewhere, must leave by the same port with the
 * same bytes, by the same edge, or be dropped for the same reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/graph/graph.h"
#include "kit/port/port.h"
#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/ip/drop.h"
#include "nf/ip/group.h"
#include "nf/ip/ip_int.h"

#define PORTS 4u
#define FRAME 1700u
#define MTU_SMALL 600u

/* -- ports and nodes that remember ----------------------------------------------------- */

struct sink {
	struct mr_port port;
	uint8_t last[FRAME];
	unsigned len, count;
};

struct edge {
	unsigned count;
	struct mr_ip_meta meta;
	uint32_t context;
};

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

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_ip *ip;
	struct sink *sinks[PORTS];
	struct edge edges[MR_IP_EDGES];
	uint16_t interface[PORTS + 1]; /* of the ports; the last is VLAN 7 of port 0 */
	uint16_t vrf;
	struct mr_error error;
};

/* Routes that the slow router and the tables both have. */
struct route {
	uint8_t family, len;
	uint8_t prefix[16];
	uint32_t group;
	uint8_t mac[6]; /* of the next hop, where there is one */
	int port;       /* -1: a fixed decision or nothing resolved */
};

static struct route routes[32];
static unsigned route_count;

static const uint8_t our_mac[PORTS][6] = { { 2, 0, 0, 0, 0, 0x10 }, { 2, 0, 0, 0, 0, 0x11 },
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

static void
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

static void
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

/* -- the slow router ------------------------------------------------------------------- */

struct frame {
	unsigned len, port;
	uint8_t bytes[FRAME];
};

enum fate { SENT, LEFT, DROPPED };

struct outcome {
	enum fate fate;
	unsigned number; /* port, edge, or reason */
	unsigned type, code;
	struct frame frame;
};

static struct outcome
drop(unsigned reason)
{
	return (struct outcome){ .fate = DROPPED, .number = reason };
}

static struct outcome
leave(unsigned edge)
{
	return (struct outcome){ .fate = LEFT, .number = edge };
}

static struct outcome
icmp(unsigned type, unsigned code)
{
	return (
	    struct outcome){ .fate = LEFT, .number = MR_IP_EDGE_ICMP, .type = type, .code = code };
}

static const struct route *
slow_look_up(unsigned family, const uint8_t *address)
{
	const struct route *best = NULL;

	for (unsigned i = 0; i < route_count; i++) {
		const struct route *r = &routes[i];
		bool equal = r->family == family;

		for (unsigned bit = 0; equal && bit < r->len; bit++)
			equal = ((r->prefix[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1) == 0;
		if (equal && (!best || r->len > best->len))
			best = r;
	}
	return best;
}

static struct outcome
slow_send(const struct frame *f, unsigned l3, const struct route *r, unsigned in, unsigned total,
    unsigned family)
{
	unsigned mtu = r->port == 2 ? MTU_SMALL : 1500;
	struct outcome o = { .fate = SENT };
	bool may_cut = family == MR_IP4 && !(f->bytes[l3 + 6] & 0x40);

	if (total > mtu && r->port >= 0)
		return may_cut         ? leave(MR_IP_EDGE_FRAGMENT4)
		    : family == MR_IP4 ? icmp(3, 4)
				       : icmp(2, 0);
	if (r->port < 0)
		return leave(MR_IP_EDGE_RESOLVE);
	if ((unsigned)r->port == in)
		return leave(MR_IP_EDGE_REDIRECT);
	o.number = (unsigned)r->port;
	memcpy(o.frame.bytes, r->mac, 6);
	memcpy(o.frame.bytes + 6, our_mac[r->port], 6);
	o.frame.bytes[12] = family == MR_IP4 ? 8 : 0x86;
	o.frame.bytes[13] = family == MR_IP4 ? 0 : 0xdd;
	/* What follows the packet stays behind when it would be too much. */
	o.frame.len = (f->len - l3 > mtu ? total : f->len - l3) + 14;
	memcpy(o.frame.bytes + 14, f->bytes + l3, o.frame.len - 14);
	o.frame.bytes[14 + (family == MR_IP4 ? 8 : 7)]--;
	if (family == MR_IP4) {
		uint32_t sum = 0;

		o.frame.bytes[24] = o.frame.bytes[25] = 0;
		for (unsigned i = 0; i < 20; i += 2)
			sum += (uint32_t)o.frame.bytes[14 + i] << 8 | o.frame.bytes[15 + i];
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		o.frame.bytes[24] = (uint8_t)(~sum >> 8);
		o.frame.bytes[25] = (uint8_t)~sum;
	}
	return o;
}

static struct outcome
slow4(const struct frame *f, unsigned l3, unsigned in, bool group)
{
	const uint8_t *h = f->bytes + l3;
	unsigned here = f->len - l3, len, total, sum = 0;
	const struct route *r;

	if (f->len < l3 + 20)
		return drop(MR_IP_DROP_SHORT4);
	if (h[0] >> 4 != 4)
		return drop(MR_IP_DROP_VERSION4);
	len = (h[0] & 15u) * 4;
	total = (unsigned)h[2] << 8 | h[3];
	if (len < 20)
		return drop(MR_IP_DROP_HEADER4);
	if (total < len || total > here)
		return drop(MR_IP_DROP_LENGTH4);
	for (unsigned i = 0; i < len; i += 2)
		sum += (unsigned)h[i] << 8 | h[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	if (sum != 0xffff)
		return drop(MR_IP_DROP_CHECKSUM4);
	if ((h[12] == 0 || h[12] == 127 || h[12] >= 224) &&
	    !(!h[12] && !h[13] && !h[14] && !h[15] &&
		(h[16] >> 4 == 14 || (h[16] & h[17] & h[18] & h[19]) == 255)))
		return drop(MR_IP_DROP_SOURCE4);
	if (len > 20 && !group)
		return leave(MR_IP_EDGE_OPTIONS4);
	r = slow_look_up(MR_IP4, h + 16);
	if (group && r && r->group == MR_IP_SPECIAL_MULTICAST)
		return leave(MR_IP_EDGE_MULTICAST);
	if (group)
		return (h[16] & h[17] & h[18] & h[19]) == 255 ||
			(r && r->group == MR_IP_SPECIAL_BROADCAST)
		    ? leave(MR_IP_EDGE_LOCAL)
		    : drop(MR_IP_DROP_L2_GROUP);
	if (!r)
		return icmp(3, 0);
	switch (r->group) {
	case MR_IP_SPECIAL_LOCAL:
		return leave(MR_IP_EDGE_LOCAL);
	case MR_IP_SPECIAL_BLACKHOLE:
		return drop(MR_IP_DROP_BLACKHOLE);
	case MR_IP_SPECIAL_UNREACHABLE:
		return icmp(3, 1);
	case MR_IP_SPECIAL_PROHIBIT:
		return icmp(3, 13);
	case MR_IP_SPECIAL_MARTIAN:
		return drop(MR_IP_DROP_MARTIAN);
	case MR_IP_SPECIAL_MULTICAST:
		return leave(MR_IP_EDGE_MULTICAST);
	case MR_IP_SPECIAL_BROADCAST:
		return drop(MR_IP_DROP_BROADCAST);
	}
	if (h[8] <= 1)
		return icmp(11, 0);
	return slow_send(f, l3, r, in, total, MR_IP4);
}

static struct outcome
slow6(const struct frame *f, unsigned l3, unsigned in, bool group)
{
	static const uint8_t none[16], one[16] = { [15] = 1 };
	const uint8_t *h = f->bytes + l3;
	unsigned total;
	const struct route *r;

	if (f->len < l3 + 40)
		return drop(MR_IP_DROP_SHORT6);
	if (h[0] >> 4 != 6)
		return drop(MR_IP_DROP_VERSION6);
	total = ((unsigned)h[4] << 8 | h[5]) + 40;
	if (total > f->len - l3)
		return drop(MR_IP_DROP_LENGTH6);
	if (h[8] == 0xff || !memcmp(h + 8, one, 16))
		return drop(MR_IP_DROP_SOURCE6);
	if (!memcmp(h + 24, none, 16) || !memcmp(h + 24, one, 16))
		return drop(MR_IP_DROP_MARTIAN);
	if (group && h[24] != 0xff)
		return drop(MR_IP_DROP_L2_GROUP);
	r = slow_look_up(MR_IP6, h + 24);
	if (!r)
		return icmp(1, 0);
	switch (r->group) {
	case MR_IP_SPECIAL_LOCAL:
		return leave(MR_IP_EDGE_LOCAL);
	case MR_IP_SPECIAL_UNREACHABLE:
		return icmp(1, 3);
	case MR_IP_SPECIAL_MULTICAST:
		return leave(MR_IP_EDGE_MULTICAST);
	case MR_IP_SPECIAL_LINK_LOCAL:
		return drop(MR_IP_DROP_LINK_LOCAL);
	}
	if (!memcmp(h + 8, none, 16))
		return drop(MR_IP_DROP_SOURCE6);
	if (h[8] == 0xfe && h[9] >> 6 == 2)
		return icmp(1, 2);
	if (h[7] <= 1)
		return icmp(3, 0);
	return slow_send(f, l3, r, in, total, MR_IP6);
}

static struct outcome
slow_router(const struct frame *f)
{
	unsigned l3 = 14, in = f->port, type;
	bool group = f->bytes[0] & 1;

	if (f->len < 14)
		return drop(MR_IP_DROP_L2_SHORT);
	type = (unsigned)f->bytes[12] << 8 | f->bytes[13];
	if (type == 0x8100) {
		unsigned vlan;

		if (f->len < 18)
			return drop(MR_IP_DROP_L2_SHORT);
		vlan = ((unsigned)f->bytes[14] << 8 | f->bytes[15]) & 0xfff;
		if (vlan && (vlan != 7 || f->port != 0))
			return drop(MR_IP_DROP_NO_INTERFACE);
		in = vlan ? PORTS : in;
		type = (unsigned)f->bytes[16] << 8 | f->bytes[17];
		l3 = 18;
	}
	if (!group && memcmp(f->bytes, our_mac[f->port], 6))
		return drop(MR_IP_DROP_NOT_OURS);
	if (type == 0x0800)
		return slow4(f, l3, in, group);
	if (type == 0x86dd)
		return slow6(f, l3, in, group);
	return leave(type == 0x0806 ? MR_IP_EDGE_ARP : MR_IP_EDGE_PUNT);
}

/* -- comparing ------------------------------------------------------------------------- */

static unsigned
chance(unsigned one_in)
{
	return rand() % one_in == 0;
}

static void
pick_address(uint8_t *a, unsigned family)
{
	const struct route *r = &routes[rand() % route_count];
	unsigned size = family == MR_IP4 ? 4 : 16;

	for (unsigned i = 0; i < size; i++)
		a[i] = (uint8_t)rand();
	if (r->family == family && !chance(8))
		memcpy(a, r->prefix, (r->len + 7) / 8);
	if (chance(60))
		memset(a, 0, size);
	if (chance(60))
		memset(a, 255, size);
	if (family == MR_IP6 && chance(40)) {
		memset(a, 0, 16);
		a[15] = 1;
	}
}

static void
make4(struct frame *f, unsigned l3)
{
	uint8_t *h = f->bytes + l3;
	unsigned total = f->len > l3 ? f->len - l3 : 0, len = chance(12) ? 24 : 20;
	uint32_t sum = 0;

	memset(h, 0, 24);
	if (chance(4) && total > 30)
		total -= (unsigned)rand() % 8;
	h[0] = (uint8_t)(0x40 | len / 4);
	h[2] = (uint8_t)(total >> 8);
	h[3] = (uint8_t)total;
	h[6] = chance(2) ? 0x40 : 0;
	h[8] = (uint8_t)(chance(10) ? rand() % 3 : 64);
	h[9] = (uint8_t)(chance(3) ? 6 : 17);
	pick_address(h + 12, MR_IP4);
	if (!chance(4))
		h[12] = 30;
	pick_address(h + 16, MR_IP4);
	if (chance(20))
		h[rand() % 8] = (uint8_t)rand();
	for (unsigned i = 0; i < len; i += 2)
		sum += (uint32_t)h[i] << 8 | h[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	h[10] = (uint8_t)(~sum >> 8);
	h[11] = (uint8_t)~sum;
	if (chance(20))
		h[rand() % 20] ^= (uint8_t)(1 << rand() % 8);
}

static void
make6(struct frame *f, unsigned l3)
{
	uint8_t *h = f->bytes + l3;
	unsigned payload = f->len > l3 + 40 ? f->len - l3 - 40 : 0;

	memset(h, 0, 40);
	h[0] = 0x60;
	h[4] = (uint8_t)(payload >> 8);
	h[5] = (uint8_t)payload;
	h[6] = 17;
	h[7] = (uint8_t)(chance(10) ? rand() % 3 : 64);
	pick_address(h + 8, MR_IP6);
	if (!chance(4))
		h[8] = 0x20;
	pick_address(h + 24, MR_IP6);
	if (chance(20))
		h[rand() % 8] = (uint8_t)rand();
}

static void
make(struct frame *f)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806, 0x8100, 0x0026, 0x88cc };
	unsigned l3 = 14, pick = (unsigned)rand() % 16;
	unsigned type = types[pick < 8 ? 0 : pick < 13 ? 1 : (unsigned)rand() % 6];

	memset(f, 0, sizeof(*f));
	f->port = (unsigned)rand() % PORTS;
	f->len = 60 + (unsigned)rand() % 100;
	if (chance(8))
		f->len = 560 + (unsigned)rand() % 80;
	if (chance(10))
		f->len = 1 + (unsigned)rand() % 60;
	memcpy(f->bytes, our_mac[f->port], 6);
	if (chance(10))
		f->bytes[5] ^= 1;
	if (chance(10))
		memset(f->bytes, 255, 6);
	if (chance(8)) {
		f->port = chance(3) ? 1 : 0;
		memcpy(f->bytes, our_mac[f->port], 6);
		f->bytes[12] = 0x81;
		f->bytes[15] = chance(4) ? 8 : chance(4) ? 0 : 7;
		f->bytes[14] = (uint8_t)(rand() & 0xe0);
		l3 = 18;
	}
	f->bytes[l3 - 2] = (uint8_t)(type >> 8);
	f->bytes[l3 - 1] = (uint8_t)type;
	if (type == 0x0800)
		make4(f, l3);
	if (type == 0x86dd)
		make6(f, l3);
}

static uint64_t
drops_of(struct bed *b, unsigned reason)
{
	const uint16_t nodes[] = { b->ip->input, b->ip->forward4, b->ip->forward6, b->ip->output };
	struct mr_node_stats stats;
	uint64_t sum = 0;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(nodes); i++) {
		assert_int_equal(mr_graph_node_stats(b->graph, nodes[i], &stats), 0);
		sum += stats.drops[reason];
	}
	return sum;
}

static uint32_t
packet_of(struct bed *b, const struct frame *f)
{
	uint32_t handle = mr_packet_from(b->buffers, 0, f->bytes, f->len);

	assert_int_not_equal(handle, MR_PACKET_NONE);
	mr_packet_at(b->buffers->base, handle)->port = (uint16_t)f->port;
	return handle;
}

static void
show_frame(const struct frame *f, const struct outcome *o)
{
	print_error("port %u, %u bytes:", f->port, f->len);
	for (unsigned i = 0; i < MR_MIN(f->len, 64u); i++)
		print_error(" %02x", f->bytes[i]);
	print_error("\nwanted %s %u (%u, %u)\n",
	    o->fate == SENT       ? "port"
		: o->fate == LEFT ? "edge"
				  : "drop",
	    o->number, o->type, o->code);
}

/* One frame, alone, so that what became of it can be told. */
static void
compare(struct bed *b, const struct frame *f)
{
	struct outcome o = slow_router(f);
	uint64_t before = o.fate == DROPPED ? drops_of(b, o.number) : 0;
	unsigned sent = o.fate == SENT ? b->sinks[o.number]->count : 0;
	unsigned left = o.fate == LEFT ? b->edges[o.number].count : 0;
	uint32_t handle = packet_of(b, f);
	bool fine = true;

	mr_graph_inject(b->graph, 0, b->ip->input, &handle, 1);
	if (o.fate == DROPPED)
		fine = drops_of(b, o.number) == before + 1;
	if (o.fate == LEFT) {
		const struct mr_ip_meta *m = &b->edges[o.number].meta;

		fine = b->edges[o.number].count == left + 1;
		if (o.number == MR_IP_EDGE_ICMP)
			fine &= m->icmp_type == o.type && m->icmp_code == o.code;
	}
	if (o.fate == SENT) {
		const struct sink *s = b->sinks[o.number];

		fine = s->count == sent + 1 && s->len == o.frame.len &&
		    !memcmp(s->last, o.frame.bytes, s->len);
	}
	if (!fine) {
		show_frame(f, &o);
		fail();
	}
}

static void
random_frames(void **state)
{
	struct frame f;
	struct bed b;

	srand(1);
	bed_open(&b);
	for (unsigned i = 0; i < 200000; i++) {
		make(&f);
		compare(&b, &f);
	}
	/* The frames were bent in so many ways that every end was reached. */
	for (unsigned i = 0; i < PORTS - 1; i++)
		assert_true(b.sinks[i]->count > 100);
	for (unsigned e = MR_IP_EDGE_ARP; e < MR_IP_EDGES; e++)
		if (e != MR_IP_EDGE_MSS)
			assert_true(b.edges[e].count > 10);
	bed_close(&b);
}

/* Whole vectors mixed of everything end as the same frames do alone. */
static void
vectors(void **state)
{
	struct frame *frames = calloc(MR_VECTOR_MAX, sizeof(*frames));
	unsigned want[3][64], count;
	uint32_t handles[MR_VECTOR_MAX];
	struct bed b;

	assert_non_null(frames);
	srand(2);
	bed_open(&b);
	for (unsigned round = 0; round < 500; round++) {
		uint64_t drops[MR_IP_DROP_COUNT];
		unsigned sent[PORTS], left[MR_IP_EDGES];

		memset(want, 0, sizeof(want));
		count = 1 + (unsigned)rand() % MR_VECTOR_MAX;
		for (unsigned i = 0; i < count; i++) {
			struct outcome o;

			make(&frames[i]);
			if (chance(2) && i)
				frames[i].port = frames[i - 1].port;
			o = slow_router(&frames[i]);
			want[o.fate][o.number]++;
			handles[i] = packet_of(&b, &frames[i]);
		}
		for (unsigned i = 0; i < MR_IP_DROP_COUNT; i++)
			drops[i] = drops_of(&b, i);
		for (unsigned i = 0; i < PORTS; i++)
			sent[i] = b.sinks[i]->count;
		for (unsigned i = 0; i < MR_IP_EDGES; i++)
			left[i] = b.edges[i].count;
		mr_graph_inject(b.graph, 0, b.ip->input, handles, count);
		for (unsigned i = 0; i < MR_IP_DROP_COUNT; i++)
			assert_int_equal(drops_of(&b, i) - drops[i], want[DROPPED][i]);
		for (unsigned i = 0; i < PORTS; i++)
			assert_int_equal(b.sinks[i]->count - sent[i], want[SENT][i]);
		for (unsigned i = 0; i < MR_IP_EDGES; i++)
			assert_int_equal(b.edges[i].count - left[i], want[LEFT][i]);
	}
	bed_close(&b);
	free(frames);
}

static void
plain_frame(struct frame *f, const uint8_t *src, const uint8_t *dst)
{
	srand(3);
	do {
		make(f);
	} while (slow_router(f).fate != SENT || f->bytes[12] != 8 || f->len > 200);
	memcpy(f->bytes + 26, src, 4);
	memcpy(f->bytes + 30, dst, 4);
	f->bytes[24] = f->bytes[25] = 0;
	{
		uint32_t sum = 0;

		for (unsigned i = 0; i < 20; i += 2)
			sum += (uint32_t)f->bytes[14 + i] << 8 | f->bytes[15 + i];
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		f->bytes[24] = (uint8_t)(~sum >> 8);
		f->bytes[25] = (uint8_t)~sum;
	}
}

static void
expect(struct bed *b, const struct frame *f, unsigned sent_on, unsigned dropped_for)
{
	uint64_t before = dropped_for < MR_IP_DROP_COUNT ? drops_of(b, dropped_for) : 0;
	unsigned sent = sent_on < PORTS ? b->sinks[sent_on]->count : 0;
	uint32_t handle = packet_of(b, f);

	mr_graph_inject(b->graph, 0, b->ip->input, &handle, 1);
	if (dropped_for < MR_IP_DROP_COUNT)
		assert_int_equal(drops_of(b, dropped_for), before + 1);
	if (sent_on < PORTS)
		assert_int_equal(b->sinks[sent_on]->count, sent + 1);
}

#define NOT UINT32_MAX

/* RFC 3704: strict wants the way back to lead out where the packet came in, loose any way. */
static void
reverse_path(void **state)
{
	static const uint8_t dst[4] = { 20, 0, 0, 1 }, back[4] = { 20, 1, 2, 9 },
			     elsewhere[4] = { 20, 1, 9, 9 }, nowhere[4] = { 99, 9, 9, 9 },
			     nothing[4] = { 20, 3, 1, 1 };
	struct mr_ip_interface *in;
	struct frame f;
	struct bed b;

	bed_open(&b);
	in = &b.ip->interfaces[b.interface[0]];
	plain_frame(&f, back, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	in->flags |= MR_IP_URPF4_STRICT;
	expect(&b, &f, 1, NOT);
	plain_frame(&f, elsewhere, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	expect(&b, &f, NOT, MR_IP_DROP_REVERSE4);
	in->flags ^= MR_IP_URPF4_STRICT | MR_IP_URPF4_LOOSE;
	expect(&b, &f, 1, NOT);
	plain_frame(&f, nowhere, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	expect(&b, &f, NOT, MR_IP_DROP_REVERSE4);
	plain_frame(&f, nothing, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	expect(&b, &f, NOT, MR_IP_DROP_REVERSE4);
	in->flags &= ~(uint32_t)MR_IP_URPF4_LOOSE;
	expect(&b, &f, 1, NOT);
	bed_close(&b);
}

static void
interface_down(void **state)
{
	static const uint8_t src[4] = { 30, 1, 1, 1 }, dst[4] = { 20, 0, 0, 1 };
	struct frame f;
	struct bed b;

	bed_open(&b);
	plain_frame(&f, src, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	expect(&b, &f, 1, NOT);
	b.ip->interfaces[b.interface[1]].flags &= ~(uint32_t)MR_IP_UP;
	mr_adjacency_refresh(b.ip, b.interface[1]);
	expect(&b, &f, NOT, MR_IP_DROP_DOWN);
	b.ip->interfaces[b.interface[1]].flags |= MR_IP_UP;
	mr_adjacency_refresh(b.ip, b.interface[1]);
	expect(&b, &f, 1, NOT);
	b.ip->interfaces[b.interface[0]].flags &= ~(uint32_t)MR_IP_UP;
	expect(&b, &f, NOT, MR_IP_DROP_DOWN);
	bed_close(&b);
}

/* An adjacency's header changes again and again while its index is in use. */
static void
neighbour_moves(void **state)
{
	static const uint8_t src[4] = { 30, 1, 1, 1 }, dst[4] = { 20, 0, 0, 1 };
	uint8_t address[4] = { 10, 0, 1, 0 };
	struct frame f;
	struct bed b;
	uint32_t a;

	bed_open(&b);
	a = mr_adjacency_find(b.ip, b.interface[1], MR_IP4, address);
	assert_true(a != 0);
	plain_frame(&f, src, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	for (unsigned i = 0; i < 20; i++) {
		uint8_t mac[6] = { 6, 0, 0, 0, 0, (uint8_t)i };

		if (i % 3 == 2) {
			unsigned before = b.edges[MR_IP_EDGE_RESOLVE].count;

			mr_adjacency_forget(b.ip, a);
			expect(&b, &f, NOT, NOT);
			assert_int_equal(b.edges[MR_IP_EDGE_RESOLVE].count, before + 1);
			assert_int_equal(b.edges[MR_IP_EDGE_RESOLVE].meta.adjacency, a);
		}
		mr_adjacency_resolve(b.ip, a, mac);
		expect(&b, &f, 1, NOT);
		assert_memory_equal(b.sinks[1]->last, mac, 6);
		assert_memory_equal(b.sinks[1]->last + 6, our_mac[1], 6);
	}
	bed_close(&b);
}

/* Next hops come and go; indices are used again and references keep them. */
static void
adjacency_life(void **state)
{
	uint32_t first, again, other;
	uint8_t address[4] = { 1, 2, 3, 4 };
	struct bed b;

	bed_open(&b);
	assert_int_equal(mr_adjacency_get(b.ip, b.interface[0], MR_IP4, address, &first, &b.error),
	    0);
	assert_int_equal(mr_adjacency_get(b.ip, b.interface[0], MR_IP4, address, &again, &b.error),
	    0);
	assert_int_equal(first, again);
	assert_int_equal(mr_adjacency_get(b.ip, b.interface[1], MR_IP4, address, &other, &b.error),
	    0);
	assert_int_not_equal(first, other);
	mr_adjacency_put(b.ip, first);
	assert_int_equal(mr_adjacency_find(b.ip, b.interface[0], MR_IP4, address), first);
	mr_adjacency_put(b.ip, first);
	assert_int_equal(mr_adjacency_find(b.ip, b.interface[0], MR_IP4, address), 0);
	assert_int_equal(mr_adjacency_find(b.ip, b.interface[1], MR_IP4, address), other);
	mr_adjacency_put(b.ip, other);
	for (unsigned i = 0; i < 20000; i++) {
		memcpy(address, &i, 4);
		assert_int_equal(
		    mr_adjacency_get(b.ip, b.interface[0], MR_IP4, address, &first, &b.error), 0);
		if (i >= 5000) {
			unsigned old = i - 5000;

			memcpy(address, &old, 4);
			mr_adjacency_put(b.ip,
			    mr_adjacency_find(b.ip, b.interface[0], MR_IP4, address));
		}
	}
	/* Old indices were used again. */
	assert_true(first < IP_HOP_FIRST + 8000);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_frames),
		cmocka_unit_test(vectors),
		cmocka_unit_test(reverse_path),
		cmocka_unit_test(interface_down),
		cmocka_unit_test(neighbour_moves),
		cmocka_unit_test(adjacency_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
