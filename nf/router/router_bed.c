/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"
#include "nf/router/router_bed_int.h"

#define STAMP 0x57a3c19be2d4f086ull

static const char ports[] =
    "interface:\n  a: {driver: \"null\"}\n  b: {driver: \"null\"}\n  c: {driver: \"null\"}\n";

void
bed_fail(const char *fmt, ...)
{
	va_list args;

	fputs("router bed: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* -- what leaves ------------------------------------------------------------------------ */

static void
bad(const uint8_t *frame, unsigned len, const char *what)
{
	for (unsigned i = 0; i < len && i < 256; i++)
		fprintf(stderr, "%02x%s", frame[i], i % 16 == 15 ? "\n" : " ");
	bed_fail("a frame of %u bytes was sent: %s", len, what);
}

/* A datagram that carries a stamp and has the addresses it came with is one hop older. */
static void
look_at_age(const struct bed *b, const uint8_t *frame, unsigned len, unsigned l3, unsigned end)
{
	const uint8_t *ip = frame + l3, *stamp = frame + end - BED_STAMP;
	bool four = ip[0] >> 4 == 4;
	const struct bed_mark *m;
	uint64_t magic;
	uint32_t index;

	if (end < l3 + (four ? 20 : 40) + BED_STAMP)
		return;
	memcpy(&magic, stamp, 8);
	memcpy(&index, stamp + 8, 4);
	if (magic != STAMP || index >= MR_MIN(b->marks, MR_ARRAY_COUNT(b->mark)))
		return;
	m = &b->mark[index];
	if (m->version != ip[0] >> 4 || m->proto != ip[four ? 9 : 6] ||
	    memcmp(m->addresses, ip + (four ? 12 : 8), four ? 8 : 32) ||
	    (four && m->id != mr_load_be16(ip + 4)))
		return;
	if (ip[four ? 8 : 7] + 1 != m->hops)
		bad(frame, len, "its TTL is not one less than it was");
	if (m->sum_good && !(four && mr_load_be16(ip + 6) & 0x3fff) &&
	    mr_checksum_l4_verify(frame, end) == MR_CHECKSUM_BAD)
		bad(frame, len, "the checksum of layer 4 was right when it came");
}

static unsigned
look_at_ip4(const uint8_t *frame, unsigned len, unsigned l3)
{
	const uint8_t *ip = frame + l3;
	unsigned header, total;

	if (len < l3 + 20)
		bad(frame, len, "no room for an IPv4 header");
	header = (ip[0] & 15u) * 4;
	total = mr_load_be16(ip + 2);
	if (ip[0] >> 4 != 4 || header < 20 || total < header || l3 + total > len)
		bad(frame, len, "lengths of IPv4");
	if (!mr_checksum_ipv4_header_good((const struct mr_ip4 *)(const void *)ip))
		bad(frame, len, "checksum of IPv4");
	if (ip[8] == 0)
		bad(frame, len, "TTL 0");
	if (ip[12] == 0 || ip[12] == 127 || ip[12] >= 224 || ip[16] == 0 || ip[16] == 127)
		bad(frame, len, "an address that is on no wire");
	return total;
}

static unsigned
look_at_ip6(const uint8_t *frame, unsigned len, unsigned l3)
{
	const uint8_t *ip = frame + l3;
	unsigned total;

	if (len < l3 + 40)
		bad(frame, len, "no room for an IPv6 header");
	total = 40u + mr_load_be16(ip + 4);
	if (ip[0] >> 4 != 6 || l3 + total > len)
		bad(frame, len, "lengths of IPv6");
	if (ip[7] == 0)
		bad(frame, len, "hop limit 0");
	if (mr_ip6_is_multicast(ip + 8))
		bad(frame, len, "from a group");
	return total;
}

/* What holds for any frame that this router may send. */
static void
look(struct bed_port *bp, uint32_t packet)
{
	struct bed *b = bp->bed;
	const struct mr_packet *p = mr_packet_at(b->buffers->base, packet);
	unsigned len = p->total, l3 = 14, type, total = 0, sum = 0, segments = 0, vlan = 0;
	const struct mr_ip_interface *i = NULL;
	uint8_t f[BED_FRAME_MAX + 64];

	for (uint32_t s = packet; s; s = mr_packet_at(b->buffers->base, s)->next) {
		sum += mr_packet_at(b->buffers->base, s)->len;
		segments++;
	}
	if (sum != len || segments != p->segments)
		bed_fail("a chain of %u segments and %u bytes says %u and %u", segments, sum,
		    p->segments, len);
	if (len > sizeof(f) || mr_packet_read(b->buffers, packet, 0, f, len) != len)
		bed_fail("a frame of %u bytes was sent", len);
	if (len < 14)
		bad(f, len, "too short");
	type = mr_load_be16(f + 12);
	if (type == MR_ETH_TYPE_VLAN) {
		if (len < 18)
			bad(f, len, "too short");
		vlan = mr_load_be16(f + 14) & 0xfff;
		type = mr_load_be16(f + 16);
		l3 = 18;
	}
	if (mr_eth_is_multicast(f + 6))
		bad(f, len, "from a group's Ethernet address");
	if (b->strict) {
		const struct mr_ip_port *port = &b->ip->ports[bp->port->index];
		unsigned index = mr_ip_interface_at(port, vlan);

		if (!index)
			bad(f, len, "on no interface");
		i = &b->ip->interfaces[index];
		if (!mr_ip_mac_is(i, f + 6))
			bad(f, len, "not from our Ethernet address");
	}
	switch (type) {
	case MR_ETH_TYPE_IP4:
		total = look_at_ip4(f, len, l3);
		break;
	case MR_ETH_TYPE_IP6:
		total = look_at_ip6(f, len, l3);
		break;
	case MR_ETH_TYPE_ARP:
		if (len < l3 + 28 || (f[l3 + 7] != 1 && f[l3 + 7] != 2))
			bad(f, len, "ARP");
		break;
	default:
		bad(f, len, "of no protocol that a router speaks");
	}
	if (i && type != MR_ETH_TYPE_ARP &&
	    (total > mr_ip_mtu(i) || len > l3 + MR_MAX(mr_ip_mtu(i), 46u)))
		bad(f, len, "larger than the MTU");
	if (total)
		look_at_age(b, f, len, l3, l3 + total);
	if (b->frames) {
		struct bed_frame *kept = &b->frames[b->frame_count++ % BED_KEPT];

		kept->port = (unsigned)(bp - b->ports);
		kept->len = MR_MIN(len, (unsigned)sizeof(kept->bytes));
		memcpy(kept->bytes, f, kept->len);
	}
	atomic_fetch_add_explicit(&bp->frames, 1, memory_order_relaxed);
}

/* -- ports ------------------------------------------------------------------------------ */

static struct bed_port *
port_of(struct mr_port *port)
{
	return mr_container_of(port->driver, struct bed_port, driver);
}

static unsigned
port_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct bed_port *bp = port_of(port);
	/* Acquire pairs with bed_give: the packet is there. */
	uint32_t given = atomic_load_explicit(&bp->given, memory_order_acquire);
	uint32_t taken = atomic_load_explicit(&bp->taken, memory_order_relaxed);
	unsigned n = 0;

	while (n < max && taken != given) {
		struct mr_packet *p;

		packets[n] = bp->waiting[taken++ % BED_QUEUE];
		p = mr_packet_at(port->buffers->base, packets[n++]);
		p->port = port->index;
		p->queue = (uint16_t)queue;
	}
	atomic_store_explicit(&bp->taken, taken, memory_order_release);
	if (n < max && bp->source)
		n += bp->source(bp, queue, worker, packets + n, max - n);
	return n;
}

static unsigned
port_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct bed_port *bp = port_of(port);

	for (unsigned i = 0; i < count; i++)
		look(bp, packets[i]);
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static int
port_link(struct mr_port *port)
{
	return atomic_load_explicit(&port_of(port)->link, memory_order_relaxed);
}

static int
port_fd(struct mr_port *port, unsigned queue)
{
	return -1;
}

static void
take_ports(struct bed *b)
{
	for (unsigned k = 0; k < BED_PORTS; k++) {
		const char name[2] = { (char)('a' + k) };
		const struct mr_interface *i = mr_interface_find(mr_interfaces_of(b->dp), name);
		struct bed_port *bp = &b->ports[k];

		bed_must(i && i->port);
		if (bp->port == i->port)
			continue;
		bed_must(!bp->port);
		bp->bed = b;
		bp->port = i->port;
		bp->driver = *i->port->driver;
		bp->driver.rx = port_rx;
		bp->driver.tx = port_tx;
		bp->driver.poll_link = port_link;
		bp->driver.rx_fd = port_fd;
		atomic_store_explicit(&bp->link, 1, memory_order_relaxed);
		i->port->driver = &bp->driver;
	}
	/* One of them can send neither chains nor super-frames: the graph settles for it. */
	b->ports[1].port->caps = 0;
}

/* -- life ------------------------------------------------------------------------------- */

static void
make_model(struct bed *b)
{
	struct mr_error error;

	mr_log_init_fd(&b->log, 2, MR_LOG_ERROR);
	if (mr_nf_model(&b->model, &error))
		bed_fail("%s", error.text);
}

struct mr_config *
bed_config(struct bed *b, const char *text)
{
	size_t size = strlen(text) + sizeof(ports);
	char *yaml = malloc(size);
	struct mr_config *config = NULL;
	struct mr_report *report;

	bed_must(yaml && mr_report_create(&report) == 0);
	if (!b->model)
		make_model(b);
	snprintf(yaml, size, "%s%s", ports, text);
	if (mr_config_parse(&config, b->model, "bed", yaml, strlen(yaml), report) == 0)
		mr_dataplane_check(config, report);
	if (mr_report_count(report)) {
		mr_report_print(report, stderr);
		bed_fail("the configuration is wrong");
	}
	mr_report_destroy(report);
	free(yaml);
	return config;
}

void
bed_open(struct bed *b, const struct mr_config *config)
{
	struct mr_report *report;
	struct mr_error error;

	bed_must(mr_report_create(&report) == 0);
	if (mr_dataplane_create(&b->dp, config, &b->log, report)) {
		mr_report_print(report, stderr);
		bed_fail("no data plane");
	}
	mr_report_destroy(report);
	b->graph = mr_dataplane_graph(b->dp);
	b->buffers = mr_dataplane_buffers(b->dp);
	b->router = mr_dataplane_state(b->dp, &mr_nf_router);
	b->ip = b->router->base.ip;
	b->rib = b->router->base.rib;
	b->strict = true;
	take_ports(b);
	bed_must(mr_graph_commit(b->graph, &error) == 0);
	bed_tick(b);
}

void
bed_apply(struct bed *b, const struct mr_config *config)
{
	struct mr_report *report;

	bed_must(mr_report_create(&report) == 0);
	if (mr_dataplane_apply(b->dp, config, report)) {
		mr_report_print(report, stderr);
		bed_fail("not applied");
	}
	mr_report_destroy(report);
	take_ports(b);
}

void
bed_close(struct bed *b)
{
	for (unsigned k = 0; k < BED_PORTS; k++) {
		struct bed_port *bp = &b->ports[k];
		uint32_t given = atomic_load_explicit(&bp->given, memory_order_relaxed);
		uint32_t taken = atomic_load_explicit(&bp->taken, memory_order_relaxed);

		for (; taken != given; taken++)
			mr_packets_free(b->buffers, MR_POOL_SHARED, &bp->waiting[taken % BED_QUEUE],
			    1);
		atomic_store_explicit(&bp->taken, taken, memory_order_relaxed);
	}
	mr_dataplane_destroy(b->dp);
	b->dp = NULL;
	memset(b->ports, 0, sizeof(b->ports));
}

void
bed_free(struct bed *b)
{
	mr_model_destroy(b->model);
	free(b->frames);
	free(b);
}

/* -- packets and time -------------------------------------------------------------------- */

uint32_t
bed_packet(struct bed *b, unsigned worker, const uint8_t *bytes, unsigned len, unsigned split)
{
	uint32_t first, rest;
	struct mr_packet *p;

	if (!split || split >= len)
		return mr_packet_from(b->buffers, worker, bytes, len);
	first = mr_packet_from(b->buffers, worker, bytes, split);
	rest = mr_packet_from(b->buffers, worker, bytes + split, len - split);
	if (first == MR_PACKET_NONE || rest == MR_PACKET_NONE ||
	    mr_packet_at(b->buffers->base, first)->next) {
		uint32_t both[2] = { first, rest };

		for (unsigned i = 0; i < 2; i++)
			if (both[i] != MR_PACKET_NONE)
				mr_packets_free(b->buffers, worker, &both[i], 1);
		return MR_PACKET_NONE;
	}
	p = mr_packet_at(b->buffers->base, first);
	p->next = rest;
	p->total = len;
	p->segments = (uint16_t)(1 + mr_packet_at(b->buffers->base, rest)->segments);
	return first;
}

void
bed_give(struct bed *b, unsigned port, uint32_t packet)
{
	struct bed_port *bp = &b->ports[port];
	uint32_t given = atomic_load_explicit(&bp->given, memory_order_relaxed);

	if (packet == MR_PACKET_NONE)
		return;
	/* Acquire pairs with the release in port_rx: the place is free. */
	if (given - atomic_load_explicit(&bp->taken, memory_order_acquire) == BED_QUEUE) {
		mr_packets_free(b->buffers, MR_POOL_SHARED, &packet, 1);
		return;
	}
	bp->waiting[given % BED_QUEUE] = packet;
	/* Release pairs with the acquire in port_rx. */
	atomic_store_explicit(&bp->given, given + 1, memory_order_release);
}

void
bed_link(struct bed *b, unsigned port, bool up)
{
	atomic_store_explicit(&b->ports[port].link, up, memory_order_relaxed);
}

void
bed_run(struct bed *b)
{
	for (unsigned passes = 0, idle = 0; idle < 2; passes++) {
		idle = mr_graph_pass(b->graph, 0) ? 0 : idle + 1;
		if (passes == 10000)
			bed_fail("packets go round and round");
	}
}

void
bed_tick(struct bed *b)
{
	mr_dataplane_tick(b->dp, ++b->seconds);
}

uint64_t
bed_drops(const struct bed *b, const char *node, const char *reason)
{
	for (unsigned n = 0; n < mr_graph_node_count(b->graph); n++) {
		struct mr_node_stats s;

		if (mr_graph_node_stats(b->graph, (uint16_t)n, &s) || strcmp(s.name, node))
			continue;
		for (unsigned i = 0; i < s.class->drop_count; i++)
			if (!strcmp(s.class->drops[i].name, reason))
				return s.drops[i];
	}
	bed_fail("no node %s, or no reason %s of it", node, reason);
}

void
bed_balance(const struct bed *b)
{
	struct mr_node_stats rx;
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	if (t.received + t.created != t.sent + t.dropped + t.held + t.merged)
		bed_fail("received %lu + created %lu is not sent %lu + dropped %lu + held %lu + "
			 "merged %lu",
		    t.received, t.created, t.sent, t.dropped, t.held, t.merged);
	bed_must(mr_graph_node_stats(b->graph, MR_GRAPH_NODE_RX, &rx) == 0);
	if (rx.drops[MR_RX_DROP_NO_VERDICT])
		bed_fail("a node left a packet without a verdict");
}

/* -- making frames ------------------------------------------------------------------------ */

void
bed_stamp(struct bed *b, const uint8_t *ip, uint8_t *at, bool sum_good)
{
	struct bed_mark *m = &b->mark[b->marks % MR_ARRAY_COUNT(b->mark)];
	uint32_t index = b->marks % MR_ARRAY_COUNT(b->mark);
	bool four = ip[0] >> 4 == 4;
	uint64_t magic = STAMP;

	memset(m, 0, sizeof(*m));
	m->version = ip[0] >> 4;
	m->hops = ip[four ? 8 : 7];
	m->proto = ip[four ? 9 : 6];
	m->id = four ? mr_load_be16(ip + 4) : 0;
	memcpy(m->addresses, ip + (four ? 12 : 8), four ? 8 : 32);
	m->sum_good = sum_good;
	memcpy(at, &magic, 8);
	memcpy(at + 8, &index, 4);
	b->marks++;
}

void
bed_sum4(uint8_t *ip)
{
	struct mr_ip4 header;

	memcpy(&header, ip, sizeof(header));
	if ((header.version_ihl & 15) >= 5) {
		header.check = mr_checksum_ipv4_header((const struct mr_ip4 *)(const void *)ip);
		memcpy(ip + 10, &header.check, 2);
	}
}

void
bed_sum(uint8_t *ip, uint8_t *l4, unsigned len, unsigned proto)
{
	unsigned at = proto == MR_IP_PROTO_TCP ? 16 : proto == MR_IP_PROTO_UDP ? 6 : 2;
	be32_t src, dst;
	be16_t check = 0;
	uint64_t sum = 0;

	if (len < at + 2)
		return;
	memcpy(l4 + at, &check, 2);
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	if (ip[0] >> 4 == 6)
		sum = mr_checksum_pseudo6(ip + 8, ip + 24, (uint8_t)proto, len);
	else if (proto != MR_IP_PROTO_ICMP)
		sum = mr_checksum_pseudo4(src, dst, (uint8_t)proto, (uint16_t)len);
	check = mr_checksum_finish_udp(mr_checksum_add(sum, l4, len));
	memcpy(l4 + at, &check, 2);
}
