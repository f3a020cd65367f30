/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_NEIGHBOR_FUZZ_INT_H
#define MR_NF_NEIGHBOR_NEIGHBOR_FUZZ_INT_H

/*
 * Arbitrary frames into arp-input or nd-input of an interface with one address of each family, and
 * on into the control thread's table. Input: frames, each a length of one byte and so many
 * bytes; the first byte's top bit lets two seconds pass. What has been said and kept must add up.
 */

#include <stdlib.h>

#include "kit/base/cpu.h"
#include "kit/graph/graph.h"
#include "nf/neighbor/neighbor_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_ip *ip;
	struct mr_rib *rib;
	struct neighbors *n;
	struct mr_port *port;
	/* Kept where a leak checker looks: the tables of VRFs lie in memory that it does not know. */
	const void *fibs[2];
	uint16_t node, output;
	uint64_t now;
};

static void
must(int rc)
{
	if (rc)
		abort();
}

static void
fuzz_address(struct mr_ip_interface_info *info, unsigned family, const uint8_t *bytes, unsigned len)
{
	struct mr_ip_address *a = &info->addresses[info->address_count++];

	a->family = (uint8_t)family;
	a->len = (uint8_t)len;
	a->link_local = family == MR_IP6 && neighbor_is_link_local(bytes);
	memcpy(a->bytes, bytes, family == MR_IP4 ? 4 : 16);
}

static void
fuzz_interface(struct fuzz_bed *b)
{
	static const uint8_t four[4] = { 192, 0, 2, 1 }, mac[6] = { 2, 0, 0, 0, 0, 0xf0 };
	static const uint8_t six[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	static const uint8_t local[16] = { 0xfe, 0x80, [15] = 1 };
	struct mr_ip_interface *i;
	struct mr_error error;
	uint16_t vrf, index;

	must(mr_ip_vrf_create(b->ip, "r", &vrf, &error));
	must(mr_ip_interface_create(b->ip, "lan", &index, &error));
	i = &b->ip->interfaces[index];
	i->fib4 = b->ip->vrfs[vrf].fib4;
	i->fib6 = b->ip->vrfs[vrf].fib6;
	b->fibs[0] = i->fib4;
	b->fibs[1] = i->fib6;
	i->vrf = vrf;
	i->port = 0;
	i->mtu = 1500;
	i->twin = MR_IP_NO_PORT;
	i->flags = MR_IP_UP | MR_IP_FORWARD4 | MR_IP_FORWARD6;
	memcpy(b->ip->info[index].mac, mac, 6);
	memcpy(&i->mac, mac, 6);
	fuzz_address(&b->ip->info[index], MR_IP4, four, 24);
	fuzz_address(&b->ip->info[index], MR_IP6, six, 64);
	fuzz_address(&b->ip->info[index], MR_IP6, local, 64);
}

static void
fuzz_open(struct fuzz_bed *b, const struct mr_node_class *class)
{
	struct mr_buffers_config buffers = { .count = 4096,
		.workers = 1,
		.numa_node = -1,
		.pages = MR_ARENA_4K };
	struct neighbors_config config = { .port = 1,
		.workers = 1,
		.hz = mr_cpu_tsc_hz(),
		.now = 1 };
	struct neighbor_interface_settings own;
	struct neighbor_settings settings;
	struct mr_error error;

	must(mr_buffers_create(&b->buffers, &buffers, &error));
	must(mr_graph_create(&b->graph,
	    &(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 }, &error));
	must(mr_ip_create(&b->ip, b->graph, &error));
	must(mr_rib_create(&b->rib, b->ip, &error));
	must(mr_port_open(&b->port, "null",
	    &(struct mr_port_config){ .name = "lan",
		.buffers = b->buffers,
		.workers = 1,
		.numa_node = -1 },
	    &error));
	must(b->port->driver->start(b->port, &error));
	fuzz_interface(b);
	config.ip = b->ip;
	config.rib = b->rib;
	config.buffers = b->buffers;
	must(neighbors_create(&b->n, &config, &error));
	must(mr_ip_add_nodes(b->ip, &error));
	must(mr_graph_add_node(b->graph, class, NULL, &b->n->nodes, &b->node, &error));
	must(mr_graph_add_node(b->graph, &neighbor_output_class, NULL, &b->n->nodes, &b->output,
	    &error));
	mr_ip_link(b->ip, b->output);
	must(mr_graph_add_port(b->graph, b->port, NULL, 0, &error));
	must(mr_graph_add_port(b->graph, b->n->port, NULL, 0, &error));
	mr_graph_set_input(b->graph, 1, b->output, 0);
	must(mr_graph_commit(b->graph, &error));
	neighbors_defaults(&settings, &own);
	settings.limit = 16;
	settings.heard_rate = settings.answer_rate = 1000000;
	own.proxy = true;
	own.gratuitous = NEIGHBOR_GRATUITOUS_LEARN;
	own.ra.on = true;
	neighbors_interface_set(b->n, 1, &settings, &own);
}

static void
fuzz_time(struct fuzz_bed *b, unsigned ms)
{
	unsigned passes = 0;

	b->now += ms;
	(void)neighbors_tick(b->n, b->now);
	while (mr_graph_pass(b->graph, 0) && ++passes < 100)
		;
}

static int
fuzz_one(struct fuzz_bed *b, const struct mr_node_class *class, const uint8_t *data, size_t size)
{
	struct mr_graph_totals t;

	if (!b->n)
		fuzz_open(b, class);
	while (size > 0) {
		size_t len = MR_MIN((size_t)(data[0] & 0x7f), size - 1);
		uint32_t packet = mr_packet_from(b->buffers, 0, data + 1, len);
		struct mr_packet *p;

		if (packet == MR_PACKET_NONE)
			abort();
		p = mr_packet_at(b->buffers->base, packet);
		p->context = 1;
		mr_graph_inject(b->graph, 0, b->node, &packet, 1);
		fuzz_time(b, data[0] & 0x80 ? 2000 : 1);
		if (b->n->interfaces[1].count > 16)
			abort();
		data += 1 + len;
		size -= 1 + len;
	}
	mr_graph_totals(b->graph, &t);
	if (t.received + t.created != t.sent + t.dropped || mr_pool_used(b->buffers->pool))
		abort();
	return 0;
}

#endif
