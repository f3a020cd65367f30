/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/icmp/icmp_test_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph_int.h"
#include "kit/table/fib4.h"
#include "kit/table/fib6.h"

#define ARENA (64u << 20)

void
bed_fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static void
must(int rc, struct bed *b)
{
	if (rc)
		bed_fail(b->error.text);
}

/* -- what remembers -------------------------------------------------------------------- */

static void
note(struct bed *b, int where, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(b->buffers->base, packet);
	struct bed_out *o = &b->out[b->count];
	unsigned len = 0, segments = 0;
	uint32_t at = packet;

	if (b->count == BED_OUT_MAX || b->used + p->total > ARENA)
		bed_fail("too much came out");
	for (; at; at = mr_packet_at(b->buffers->base, at)->next, segments++)
		len += mr_packet_at(b->buffers->base, at)->len;
	if (len != p->total || segments != p->segments)
		bed_fail("a chain is not what its first segment says");
	b->count++;
	o->where = where;
	o->len = p->total;
	o->meta = *mr_ip_meta(p);
	o->context = p->context;
	o->flags = p->flags;
	o->bytes = b->arena + b->used;
	b->used += p->total;
	if (mr_packet_read(b->buffers, packet, 0, o->bytes, p->total) != p->total)
		bed_fail("a packet is shorter than it says");
}

static void
catch_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	struct bed_catch *c = run->self;

	for (unsigned i = 0; i < count; i++) {
		note(c->bed, c->where, packets[i]);
		verdicts[i] = mr_verdict_drop(0);
	}
}

static const struct mr_named catch_drops[] = { { "end", "the end of a test" } };
static const struct mr_node_class catch_class = {
	.name = "catch",
	.doc = "remembers what came by an edge",
	.drops = catch_drops,
	.drop_count = 1,
	.run = catch_run,
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
	struct bed_sink *s = mr_container_of(port, struct bed_sink, port);

	for (unsigned i = 0; i < count; i++)
		note(s->bed, BED_PORT + port->index, packets[i]);
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

/* -- tables ---------------------------------------------------------------------------- */

static uint32_t
hop_group(struct bed *b, unsigned interface, enum mr_ip_family family, const uint8_t *address)
{
	struct mr_group_member m = { .weight = 1 };
	const uint8_t mac[6] = { 4, 0, 0, (uint8_t)interface, family == MR_IP6,
		address[family == MR_IP4 ? 3 : 15] };
	uint32_t group;

	must(mr_adjacency_get(b->ip, b->interface[interface], family, address, &m.adjacency,
		 &b->error),
	    b);
	mr_adjacency_resolve(b->ip, m.adjacency, mac);
	must(mr_group_get(b->ip, &m, 1, &group, &b->error), b);
	mr_adjacency_put(b->ip, m.adjacency);
	b->groups[b->group_count++] = group;
	return group;
}

static uint32_t
glean_group(struct bed *b, unsigned interface, enum mr_ip_family family)
{
	struct mr_group_member m = { .weight = 1 };
	uint32_t group;

	must(mr_adjacency_glean(b->ip, b->interface[interface], family, &m.adjacency, &b->error),
	    b);
	must(mr_group_get(b->ip, &m, 1, &group, &b->error), b);
	b->groups[b->group_count++] = group;
	return group;
}

static void
route4(struct bed *b, uint32_t prefix, unsigned len, uint32_t group)
{
	if (mr_fib4_set(b->ip->vrfs[b->vrf].fib4, prefix, len, group))
		bed_fail("fib4");
}

static void
route6(struct bed *b, const uint8_t *prefix, unsigned len, uint32_t group)
{
	if (mr_fib6_set(b->ip->vrfs[b->vrf].fib6, prefix, len, group))
		bed_fail("fib6");
}

static void
add_interface(struct bed *b, unsigned i)
{
	static const uint16_t mtus[] = { 0, 1500, 600, 1500 };
	const uint8_t mac[6] = BED_MAC(i);
	struct mr_ip_interface *f;
	char name[8];

	snprintf(name, sizeof(name), "if%u", i);
	must(mr_ip_interface_create(b->ip, name, &b->interface[i], &b->error), b);
	f = &b->ip->interfaces[b->interface[i]];
	f->fib4 = b->ip->vrfs[b->vrf].fib4;
	f->fib6 = b->ip->vrfs[b->vrf].fib6;
	f->vrf = b->vrf;
	f->port = (uint16_t)(i - 1);
	f->vlan = i == 3 ? 7 : 0;
	f->mtu = mtus[i];
	memcpy(&f->mac, mac, 6);
	f->flags =
	    MR_IP_UP | MR_IP_FORWARD4 | MR_IP_FORWARD6 | MR_IP_REDIRECTS | MR_IP_UNREACHABLES;
	if (i == 2)
		f->flags = (f->flags & ~MR_IP_UNREACHABLES) | MR_IP_CLAMP;
	if (i < 3) {
		f->address4 = mr_be32(IP4(10, 0, i - 1, 1));
		memcpy(f->address6,
		    (uint8_t[16]){ 0x20, 1, 0xd, 0xb8, 0, (uint8_t)(i - 1), [15] = 1 }, 16);
		atomic_store(&b->icmp->link_local[b->interface[i]], (uint64_t)i << 56);
	}
	mr_adjacency_refresh(b->ip, b->interface[i]);
}

static void
add_routes(struct bed *b)
{
	for (unsigned i = 1; i < 3; i++) {
		uint8_t six[16] = { 0x20, 1, 0xd, 0xb8, 0, (uint8_t)(i - 1) };

		route4(b, IP4(10, 0, i - 1, 0), 24, glean_group(b, i, MR_IP4));
		route6(b, six, 64, glean_group(b, i, MR_IP6));
		route4(b, IP4(10, 0, i - 1, 1), 32, MR_IP_SPECIAL_LOCAL);
		route4(b, IP4(10, 0, i - 1, 255), 32, MR_IP_SPECIAL_BROADCAST);
		six[15] = 1;
		route6(b, six, 128, MR_IP_SPECIAL_LOCAL);
		for (uint8_t host = 2; host < 10; host++) {
			const uint8_t four[16] = { 10, 0, (uint8_t)(i - 1), host };

			route4(b, IP4(10, 0, i - 1, host), 32, hop_group(b, i, MR_IP4, four));
			six[15] = host;
			route6(b, six, 128, hop_group(b, i, MR_IP6, six));
		}
	}
	route4(b, IP4(192, 0, 2, 0), 24, hop_group(b, 2, MR_IP4, (uint8_t[16]){ 10, 0, 1, 2 }));
	route4(b, IP4(198, 51, 100, 0), 24, hop_group(b, 1, MR_IP4, (uint8_t[16]){ 10, 0, 0, 2 }));
	route4(b, IP4(127, 0, 0, 0), 8, MR_IP_SPECIAL_MARTIAN);
	route4(b, IP4(224, 0, 0, 0), 4, MR_IP_SPECIAL_MULTICAST);
	route6(b, (uint8_t[16]){ 0x20, 1, 0xd, 0xb8, 0, 2 }, 48,
	    hop_group(b, 2, MR_IP6, (uint8_t[16]){ 0xfe, 0x80, [15] = 0x22 }));
	route6(b, (uint8_t[16]){ 0x20, 1, 0xd, 0xb8, 0, 3 }, 48,
	    hop_group(b, 1, MR_IP6, (uint8_t[16]){ 0xfe, 0x80, [15] = 0x12 }));
	route6(b, (uint8_t[16]){ 0xff }, 8, MR_IP_SPECIAL_MULTICAST);
	route6(b, (uint8_t[16]){ 0xfe, 0x80 }, 10, MR_IP_SPECIAL_LINK_LOCAL);
}

/* -- the bed --------------------------------------------------------------------------- */

static const struct mr_node_class *const classes[BED_NODES] = {
	[BED_ERROR] = &icmp_error_class,
	[BED_ECHO] = &icmp_echo_class,
	[BED_OPTIONS] = &ip4_options_class,
	[BED_FRAGMENT] = &ip4_fragment_class,
	[BED_MSS] = &tcp_mss_class,
	[BED_REDIRECT] = &icmp_redirect_class,
	[BED_REASSEMBLY] = &mr_reassembly_class,
};

static void
add_nodes(struct bed *b)
{
	char name[32];
	uint16_t node;

	for (unsigned i = 0; i < BED_NODES; i++) {
		void *self = b->icmp;

		if (i == BED_REASSEMBLY)
			self = b->icmp->reassembly;
		must(mr_graph_add_node(b->graph, classes[i], NULL, self, &b->nodes[i], &b->error),
		    b);
		for (int e = 0; e < classes[i]->edge_count; e++) {
			b->catches[i][e] = (struct bed_catch){ b, e };
			snprintf(name, sizeof(name), "catch-%u-%d", i, e);
			must(mr_graph_add_node(b->graph, &catch_class, name, &b->catches[i][e],
				 &node, &b->error),
			    b);
			mr_graph_link(b->graph, b->nodes[i], (unsigned)e, node);
		}
	}
}

static void
add_ports(struct bed *b)
{
	for (unsigned i = 0; i < BED_PORTS; i++) {
		struct mr_port_config config = { .name = "sink",
			.index = (uint16_t)i,
			.buffers = b->buffers,
			.workers = 1,
			.numa_node = -1 };
		struct mr_port *port;

		must(mr_port_alloc(&port, sizeof(struct bed_sink), &sink_driver, &config, 1, 1,
			 &b->error),
		    b);
		b->sinks[i] = mr_container_of(port, struct bed_sink, port);
		b->sinks[i]->bed = b;
		port->mtu = 1500;
		port->caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN;
		must(mr_graph_add_port(b->graph, port, NULL, 0, &b->error), b);
		mr_graph_set_input(b->graph, (uint16_t)i, b->nodes[0], 0);
		mr_graph_set_port_up(b->graph, (uint16_t)i, true);
	}
}

struct icmp_settings
bed_free(void)
{
	struct icmp_settings s = icmp_defaults;

	s.error_rate = s.destination_rate = s.redirect_rate = s.echo_rate = 1000000000;
	s.error_burst = s.destination_burst = s.echo_burst = 1000000;
	return s;
}

void
bed_open(struct bed *b)
{
	const struct icmp_settings settings = bed_free();

	memset(b, 0, sizeof(*b));
	b->arena = malloc(ARENA);
	if (!b->arena)
		bed_fail("no memory");
	must(mr_buffers_create(&b->buffers,
		 &(struct mr_buffers_config){ .count = BED_BUFFERS,
		     .workers = 1,
		     .numa_node = -1,
		     .pages = MR_ARENA_4K },
		 &b->error),
	    b);
	must(mr_graph_create(&b->graph,
		 &(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 }, &b->error),
	    b);
	must(mr_ip_create(&b->ip, b->graph, &b->error), b);
	must(mr_ip_vrf_create(b->ip, "default", &b->vrf, &b->error), b);
	must(icmp_create(&b->icmp, b->ip, b->buffers, 1, &b->error), b);
	icmp_set(b->icmp, b->vrf, &settings);
	add_nodes(b);
	add_ports(b);
	for (unsigned i = 1; i <= BED_PORTS; i++)
		add_interface(b, i);
	add_routes(b);
	must(mr_graph_commit(b->graph, &b->error), b);
	mr_graph_pass(b->graph, 0);
}

bool
bed_close(struct bed *b)
{
	struct mr_graph_totals t;
	bool fine;

	mr_graph_totals(b->graph, &t);
	fine = t.received + t.created == t.sent + t.dropped + t.held + t.merged;
	mr_graph_destroy(b->graph);
	icmp_destroy(b->icmp);
	for (uint32_t i = 0; i < b->group_count; i++)
		mr_group_put(b->ip, b->groups[i]);
	b->ip->graph = NULL;
	mr_ip_destroy(b->ip);
	fine &= mr_pool_used(b->buffers->pool) == 0;
	for (unsigned i = 0; i < BED_PORTS; i++)
		mr_port_free(&b->sinks[i]->port);
	mr_buffers_destroy(b->buffers);
	free(b->arena);
	return fine;
}

static struct bed *forever;

static void
close_forever(void)
{
	if (!bed_close(forever))
		bed_fail("something is left");
	free(forever);
}

struct bed *
bed_forever(void)
{
	if (forever)
		return forever;
	forever = malloc(sizeof(*forever));
	if (!forever)
		bed_fail("no memory");
	bed_open(forever);
	/* The leak checker does not see into all memory of the tables. */
	if (atexit(close_forever))
		bed_fail("atexit");
	return forever;
}

void
bed_clear(struct bed *b)
{
	b->count = 0;
	b->used = 0;
}

/* Cuts the chain's first segment to `split` bytes by a segment of its own. */
static uint32_t
split_packet(struct bed *b, uint32_t packet, unsigned split)
{
	struct mr_packet *p = mr_packet_at(b->buffers->base, packet), *head;
	uint32_t first;

	if (!split || split >= p->len)
		return packet;
	if (!mr_buffers_get(b->buffers, 0, &first, 1))
		bed_fail("no buffers");
	head = mr_packet_at(b->buffers->base, first);
	*head = *p;
	memcpy(mr_packet_bytes(head), mr_packet_bytes(p), split);
	head->len = (uint16_t)split;
	head->next = packet;
	head->segments++;
	p->data = (uint16_t)(p->data + split);
	p->len = (uint16_t)(p->len - split);
	return first;
}

void
bed_add(struct bed *b, enum bed_node node, const struct bed_in *in, const void *bytes, unsigned len)
{
	uint32_t packet = mr_packet_from(b->buffers, 0, bytes, len);
	struct mr_packet *p;

	if (packet == MR_PACKET_NONE)
		bed_fail("no buffers");
	packet = split_packet(b, packet, in->split);
	p = mr_packet_at(b->buffers->base, packet);
	p->context = in->interface ? b->interface[in->interface] : 0;
	p->port = (uint16_t)(in->interface ? in->interface - 1 : 0);
	p->flags = in->packet_flags;
	p->csum_start = in->csum_start;
	p->csum_offset = in->csum_offset;
	p->gso_size = in->gso_size;
	*mr_ip_meta(p) = (struct mr_ip_meta){
		.adjacency = in->adjacency,
		.l3 = (uint16_t)(in->l3 ? in->l3 : 14),
		.mtu = in->mtu,
		.icmp_type = in->type,
		.icmp_code = in->code,
		.icmp_data = in->data,
		.flags = in->flags,
	};
	mr_graph_inject(b->graph, 0, b->nodes[node], &packet, 1);
}

void
bed_run(struct bed *b, enum bed_node node, const struct bed_in *in, const void *bytes, unsigned len)
{
	bed_clear(b);
	bed_add(b, node, in, bytes, len);
}

void
bed_skip_seconds(struct bed *b, unsigned seconds)
{
	struct mr_worker *w = b->graph->workers[0];

	/* Its own clock is not asked meanwhile. */
	w->next_second = UINT64_MAX;
	w->seconds += seconds;
	mr_graph_pass(b->graph, 0);
}

void
bed_pass_seconds(struct bed *b, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++)
		bed_skip_seconds(b, 1);
}

uint64_t
bed_held(struct bed *b, enum bed_node node)
{
	struct mr_node_stats s;

	if (mr_graph_node_stats(b->graph, b->nodes[node], &s))
		bed_fail("no such node");
	return s.held;
}

uint64_t
bed_drops(struct bed *b, enum bed_node node, const char *reason)
{
	struct mr_node_stats s;

	if (mr_graph_node_stats(b->graph, b->nodes[node], &s))
		bed_fail("no such node");
	for (unsigned i = 0; i < s.class->drop_count; i++)
		if (!strcmp(s.class->drops[i].name, reason))
			return s.drops[i];
	bed_fail(reason);
}

uint64_t
bed_count(struct bed *b, enum icmp_count what)
{
	return mr_counters_sum(b->icmp->counters, b->vrf * ICMP_COUNT_COUNT + what);
}

uint32_t
bed_route4(struct bed *b, uint32_t address)
{
	return mr_group_base(b->ip->groups[mr_fib4_find(b->ip->vrfs[b->vrf].fib4, address)]);
}

uint32_t
bed_route6(struct bed *b, const uint8_t *address)
{
	return mr_group_base(b->ip->groups[mr_fib6_find(b->ip->vrfs[b->vrf].fib6, address)]);
}

/* -- packets --------------------------------------------------------------------------- */

uint16_t
slow_sum(const uint8_t *bytes, unsigned len, uint32_t start)
{
	uint32_t sum = start;

	for (unsigned i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t
slow_sum6(const uint8_t *ip6, unsigned proto, const uint8_t *l4, unsigned len)
{
	return slow_sum(l4, len, slow_sum(ip6 + 8, 32, proto + (len >> 16) + (len & 0xffff)));
}

static void
make_eth(struct made *m, const uint8_t *dst, unsigned type)
{
	const uint8_t src[6] = { 4, 0, 0, 0, 0, 0x42 };

	memcpy(m->bytes, dst, 6);
	memcpy(m->bytes + 6, src, 6);
	mr_store_be16(m->bytes + 12, (uint16_t)type);
}

void
fix_ip4(struct made *m)
{
	unsigned len = (m->bytes[14] & 15u) * 4;

	mr_store_be16(m->bytes + 24, 0);
	mr_store_be16(m->bytes + 24, (uint16_t)~slow_sum(m->bytes + 14, len, 0));
}

void
make_ip4(struct made *m, uint32_t src, uint32_t dst, unsigned proto, const void *options,
    unsigned options_len, const void *payload, unsigned len)
{
	const uint8_t us[6] = BED_MAC(1);
	uint8_t *ip = m->bytes + 14;

	make_eth(m, us, 0x0800);
	memset(ip, 0, 20);
	ip[0] = (uint8_t)(0x45 + options_len / 4);
	mr_store_be16(ip + 2, (uint16_t)(20 + options_len + len));
	mr_store_be16(ip + 4, 0x1234);
	ip[8] = 64;
	ip[9] = (uint8_t)proto;
	mr_store_be32(ip + 12, src);
	mr_store_be32(ip + 16, dst);
	if (options_len)
		memcpy(ip + 20, options, options_len);
	if (len)
		memcpy(ip + 20 + options_len, payload, len);
	m->len = 34 + options_len + len;
	fix_ip4(m);
}

void
make_ip6(struct made *m, const uint8_t *src, const uint8_t *dst, unsigned next, const void *payload,
    unsigned len)
{
	const uint8_t us[6] = BED_MAC(1);
	uint8_t *ip = m->bytes + 14;

	make_eth(m, us, 0x86dd);
	memset(ip, 0, 40);
	ip[0] = 0x60;
	mr_store_be16(ip + 4, (uint16_t)len);
	ip[6] = (uint8_t)next;
	ip[7] = 64;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	if (len)
		memcpy(ip + 40, payload, len);
	m->len = 54 + len;
}
