/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/neighbor/neighbor_test_int.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/cpu.h"
#include "kit/packet/checksum.h"

/* -- ports that remember ---------------------------------------------------------------- */

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

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

		assert_int_equal(p->total, p->len);
		if (s->count < OUT_MAX) {
			s->frames[s->count].len = p->len;
			s->frames[s->count].from = p->port;
			memcpy(s->frames[s->count].bytes, mr_packet_bytes(p), p->len);
		}
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

/* -- addresses and routes --------------------------------------------------------------- */

void
address(const char *text, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, bytes), 1);
}

static uint8_t
read_prefix(const char *text, uint8_t bytes[16], uint8_t *len)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	*len = (uint8_t)atoi(strchr(copy, '/') + 1);
	*strchr(copy, '/') = '\0';
	address(copy, bytes);
	return strchr(text, ':') ? MR_IP6 : MR_IP4;
}

static void
set_route(struct bed *b, const char *prefix, enum mr_route_source source,
    const struct mr_route_hop *hop)
{
	struct mr_route r = { .source = (uint8_t)source, .hop_count = 1, .hops = hop };

	r.family = read_prefix(prefix, r.prefix, &r.len);
	if (mr_rib_set(b->rib, b->vrf, &r, &b->error))
		fail_msg("%s: %s", prefix, b->error.text);
	mr_rib_settle(b->rib);
}

void
bed_route(struct bed *b, const char *prefix, const char *via, uint16_t interface)
{
	struct mr_route_hop hop = { .kind = via ? MR_HOP_VIA : MR_HOP_DIRECT,
		.interface = interface,
		.weight = 1 };

	if (via)
		address(via, hop.address);
	hop.family = strchr(via ? via : prefix, ':') ? MR_IP6 : MR_IP4;
	set_route(b, prefix, via ? MR_ROUTE_STATIC : MR_ROUTE_CONNECTED, &hop);
}

static void
add_address(struct bed *b, uint16_t interface, const char *text, const char *subnet)
{
	struct mr_ip_interface_info *info = &b->ip->info[interface];
	struct mr_ip_address *a = &info->addresses[info->address_count++];
	struct mr_route_hop local = { .kind = MR_HOP_SPECIAL,
		.special = MR_IP_SPECIAL_LOCAL,
		.weight = 1 };
	char host[64];

	a->family = read_prefix(text, a->bytes, &a->len);
	a->link_local = a->family == MR_IP6 && neighbor_is_link_local(a->bytes);
	if (a->link_local)
		return;
	bed_route(b, subnet, NULL, interface);
	snprintf(host, sizeof(host), "%.*s/%u", (int)strcspn(text, "/"), text,
	    a->family == MR_IP4 ? 32 : 128);
	set_route(b, host, MR_ROUTE_LOCAL, &local);
}

static void
add_interface(struct bed *b, const char *name, uint16_t port, uint16_t vlan, uint16_t expect)
{
	uint16_t index;
	struct mr_ip_interface *i;
	uint8_t *mac;

	assert_int_equal(mr_ip_interface_create(b->ip, name, &index, &b->error), 0);
	assert_int_equal(index, expect);
	i = &b->ip->interfaces[index];
	i->fib4 = b->ip->vrfs[b->vrf].fib4;
	i->fib6 = b->ip->vrfs[b->vrf].fib6;
	i->vrf = b->vrf;
	i->port = port;
	i->vlan = vlan;
	i->mtu = 1500;
	i->twin = MR_IP_NO_PORT;
	mac = b->ip->info[index].mac;
	station(mac, 0xf0u + port);
	memcpy(&i->mac, mac, 6);
	i->flags = MR_IP_UP | MR_IP_FORWARD4 | MR_IP_FORWARD6;
	assert_int_equal(mr_ip_interface_map(b->ip, port, vlan, index), 0);
	mr_adjacency_refresh(b->ip, index);
}

/* -- the bed ---------------------------------------------------------------------------- */

static void
open_ports(struct bed *b)
{
	for (uint16_t i = 0; i < PORTS; i++) {
		struct mr_port_config config = { .name = "sink",
			.index = i,
			.buffers = b->buffers,
			.workers = 1,
			.numa_node = -1 };
		struct mr_port *port;

		assert_int_equal(mr_port_alloc(&port, sizeof(struct sink), &sink_driver, &config, 1,
				     1, &b->error),
		    0);
		b->sinks[i] = mr_container_of(port, struct sink, port);
		b->sinks[i]->frames = calloc(OUT_MAX, sizeof(struct frame));
		assert_non_null(b->sinks[i]->frames);
		port->mtu = 1500;
		port->caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN;
		assert_int_equal(mr_graph_add_port(b->graph, port, NULL, 0, &b->error), 0);
		mr_graph_set_port_up(b->graph, i, true);
	}
}

void
bed_nodes(struct bed *b)
{
	struct mr_error *e = &b->error;
	void *self = &b->n->nodes;

	assert_int_equal(mr_ip_add_nodes(b->ip, e), 0);
	assert_int_equal(mr_graph_add_node(b->graph, &neighbor_arp_class, NULL, self, &b->arp, e),
	    0);
	assert_int_equal(mr_graph_add_node(b->graph, &neighbor_nd_class, NULL, self, &b->nd, e), 0);
	assert_int_equal(
	    mr_graph_add_node(b->graph, &neighbor_resolve_class, NULL, self, &b->resolve, e), 0);
	assert_int_equal(
	    mr_graph_add_node(b->graph, &neighbor_output_class, NULL, self, &b->output, e), 0);
	assert_int_equal(mr_graph_add_port(b->graph, b->n->port, NULL, 0, e), 0);
	mr_ip_attach(b->ip, MR_IP_EDGE_ARP, b->arp);
	mr_ip_attach(b->ip, MR_IP_EDGE_RESOLVE, b->resolve);
	mr_ip_link(b->ip, b->output);
	mr_graph_set_input(b->graph, CHANNEL_PORT, b->output, 0);
	mr_graph_set_input(b->graph, LAN_PORT, b->ip->input, 0);
	mr_graph_set_input(b->graph, WAN_PORT, b->ip->input, 0);
	if (mr_graph_commit(b->graph, e))
		fail_msg("%s", e->text);
}

void
bed_set(struct bed *b, uint16_t interface)
{
	neighbors_interface_set(b->n, interface, &b->settings, &b->own);
}

void
bed_open_workers(struct bed *b, uint16_t workers)
{
	struct mr_buffers_config buffers = { .count = 16384,
		.workers = workers,
		.numa_node = -1,
		.pages = MR_ARENA_4K };
	struct neighbors_config config = { .port = CHANNEL_PORT,
		.workers = workers,
		.hz = mr_cpu_tsc_hz(),
		.now = 1000000 };

	memset(b, 0, sizeof(*b));
	b->now = config.now;
	assert_int_equal(mr_buffers_create(&b->buffers, &buffers, &b->error), 0);
	assert_int_equal(mr_graph_create(&b->graph,
			     &(struct mr_graph_config){ .buffers = b->buffers, .workers = workers },
			     &b->error),
	    0);
	assert_int_equal(mr_ip_create(&b->ip, b->graph, &b->error), 0);
	assert_int_equal(mr_rib_create(&b->rib, b->ip, &b->error), 0);
	assert_int_equal(mr_ip_vrf_create(b->ip, "r", &b->vrf, &b->error), 0);
	add_interface(b, "lan", LAN_PORT, 0, LAN);
	add_interface(b, "wan", WAN_PORT, 0, WAN);
	add_interface(b, "v10", LAN_PORT, 10, V10);
	add_address(b, LAN, "192.0.2.1/24", "192.0.2.0/24");
	add_address(b, LAN, "2001:db8::1/64", "2001:db8::/64");
	add_address(b, LAN, "fe80::1/64", NULL);
	add_address(b, WAN, "198.51.100.1/24", "198.51.100.0/24");
	add_address(b, WAN, "2001:db8:1::1/64", "2001:db8:1::/64");
	add_address(b, WAN, "fe80::2/64", NULL);
	add_address(b, V10, "203.0.113.1/24", "203.0.113.0/24");
	config.ip = b->ip;
	config.rib = b->rib;
	config.buffers = b->buffers;
	if (neighbors_create(&b->n, &config, &b->error))
		fail_msg("%s", b->error.text);
	neighbors_defaults(&b->settings, &b->own);
	b->own.dad = false;
	for (uint16_t i = LAN; i <= V10; i++)
		bed_set(b, i);
}

void
bed_open(struct bed *b)
{
	bed_open_workers(b, 1);
	open_ports(b);
	b->ip->interfaces[LAN].twin = TWIN_PORT;
	bed_nodes(b);
	bed_wait(b, 10000); /* announcements are over */
	bed_clear(b);
}

void
bed_close(struct bed *b)
{
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held);
	mr_ip_remove_nodes(b->ip);
	mr_graph_destroy(b->graph);
	neighbors_destroy(b->n);
	mr_rib_destroy(b->rib);
	mr_ip_destroy(b->ip);
	mr_port_close(b->extra[0]);
	mr_port_close(b->extra[1]);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	for (unsigned i = 0; i < PORTS && b->sinks[i]; i++) {
		free(b->sinks[i]->frames);
		mr_port_free(&b->sinks[i]->port);
	}
	mr_buffers_destroy(b->buffers);
}

void
bed_wait(struct bed *b, uint32_t ms)
{
	uint64_t end = b->now + ms;

	for (;;) {
		uint32_t wish = neighbors_tick(b->n, b->now);
		unsigned passes = 0;

		mr_rib_settle(b->rib); /* as the router does with every tick */
		while (mr_graph_pass(b->graph, 0) && ++passes < 100)
			;
		if (b->now >= end)
			break;
		/* Whoever is called later than it wished must not lose anything, either. */
		b->now = MR_MIN(end, b->now + MR_MAX(wish, 1u));
	}
}

void
bed_link(struct bed *b, uint16_t interface, bool up)
{
	uint32_t flags = b->ip->interfaces[interface].flags & ~(uint32_t)MR_IP_UP;

	b->ip->interfaces[interface].flags = flags | (up ? MR_IP_UP : 0u);
	mr_adjacency_refresh(b->ip, interface);
	neighbors_interface_changed(b->n, interface);
}

void
bed_clear(struct bed *b)
{
	for (unsigned i = 0; i < PORTS; i++)
		b->sinks[i]->count = 0;
}

static uint32_t
make_packet(struct bed *b, const uint8_t *frame, unsigned len)
{
	uint32_t packet = mr_packet_from(b->buffers, 0, frame, len);

	assert_int_not_equal(packet, MR_PACKET_NONE);
	return packet;
}

void
bed_inject(struct bed *b, unsigned port, const uint8_t *frame, unsigned len)
{
	uint32_t packet = make_packet(b, frame, len);

	mr_packet_at(b->buffers->base, packet)->port = (uint16_t)port;
	mr_graph_inject(b->graph, 0, b->ip->input, &packet, 1);
	bed_wait(b, 0);
}

void
bed_inject_nd(struct bed *b, uint16_t interface, const uint8_t *frame, unsigned len)
{
	uint32_t packet = make_packet(b, frame, len);
	struct mr_packet *p = mr_packet_at(b->buffers->base, packet);

	p->port = b->ip->interfaces[interface].port;
	p->context = interface;
	mr_ip_meta(p)->l3 = 14;
	mr_graph_inject(b->graph, 0, b->nd, &packet, 1);
	bed_wait(b, 0);
}

uint64_t
bed_drops(struct bed *b, uint16_t node, unsigned reason)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, node, &s), 0);
	return s.drops[reason];
}

uint64_t
bed_counter(struct bed *b, uint16_t node, unsigned counter)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, node, &s), 0);
	return s.counters[counter];
}

uint64_t
bed_unanswered(struct bed *b)
{
	return bed_drops(b, mr_graph_edge(b->graph, b->output, MR_IP_EDGE_ICMP), 0);
}

struct neighbor *
entry(struct bed *b, uint16_t interface, const char *text)
{
	uint8_t bytes[16];

	address(text, bytes);
	return neighbor_find(b->n, interface, strchr(text, ':') ? MR_IP6 : MR_IP4, bytes);
}

/* -- frames ----------------------------------------------------------------------------- */

void
station(uint8_t mac[6], unsigned n)
{
	const uint8_t bytes[6] = { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n };

	memcpy(mac, bytes, 6);
}

unsigned
make_arp(uint8_t *frame, unsigned vlan, unsigned op, unsigned from, const char *sender,
    const uint8_t *target_mac, const char *target, bool broadcast)
{
	struct mr_ip_interface i = { .vlan = (uint16_t)vlan };
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, none[6];
	uint8_t a[16], t[16], mac[6];

	station(mac, from);
	memcpy(&i.mac, mac, 6);
	address(sender, a);
	address(target, t);
	return neighbor_write_arp(frame, &i, (enum mr_arp_op)op, broadcast ? all : target_mac, a,
	    target_mac ? target_mac : none, t);
}

unsigned
make_ns(uint8_t *frame, unsigned from, const char *source, const char *target, bool with_mac)
{
	struct mr_ip_interface i = { .vrf = 0 };
	uint8_t s[16], t[16], mac[6];

	station(mac, from);
	memcpy(&i.mac, mac, 6);
	address(source, s);
	address(target, t);
	return neighbor_write_solicit(frame, &i, NULL, s, t, with_mac, NULL);
}

unsigned
make_na(uint8_t *frame, unsigned from, const char *source, const char *to, const char *target,
    uint32_t flags)
{
	struct mr_ip_interface i = { .vrf = 0 };
	uint8_t s[16], t[16], d[16], mac[6], dst[6];

	station(mac, from);
	station(dst, 0xf0);
	memcpy(&i.mac, mac, 6);
	address(source, s);
	address(target, t);
	address(to, d);
	if (d[0] == 0xff)
		neighbor_group_mac(dst, d);
	return neighbor_write_advert(frame, &i, dst, s, d, t, flags);
}

unsigned
make_ip(uint8_t *frame, const uint8_t *dst_mac, const char *source, const char *target,
    unsigned mark)
{
	bool six = strchr(target, ':');
	struct mr_ip_interface i = { .vrf = 0 };
	uint8_t mac[6], s[16], t[16];
	unsigned l3;

	station(mac, 0x77);
	memcpy(&i.mac, mac, 6);
	address(source, s);
	address(target, t);
	l3 = neighbor_write_ethernet(frame, &i, dst_mac, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	memset(frame + l3, 0, 64);
	if (six) {
		struct mr_ip6 *ip = (struct mr_ip6 *)(frame + l3);

		ip->version_class_flow = mr_be32(6u << 28);
		ip->payload_len = mr_be16(16);
		ip->next = MR_IP_PROTO_UDP;
		ip->hop_limit = 64;
		memcpy(ip->src, s, 16);
		memcpy(ip->dst, t, 16);
		frame[l3 + 40 + 15] = (uint8_t)mark;
		return l3 + 56;
	}
	struct mr_ip4 *ip = (struct mr_ip4 *)(frame + l3);

	ip->version_ihl = 0x45;
	ip->total_len = mr_be16(46);
	ip->ttl = 64;
	ip->proto = MR_IP_PROTO_UDP;
	memcpy(&ip->src, s, 4);
	memcpy(&ip->dst, t, 4);
	ip->check = mr_checksum_ipv4_header(ip);
	frame[l3 + 45] = (uint8_t)mark;
	return l3 + 46;
}
