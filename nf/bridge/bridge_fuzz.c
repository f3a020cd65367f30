/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary frames through a bridge of four ports, whose modes the input's first bytes choose.
 * Input: for each port mode and VLAN, one byte each; then frames: port, length, bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph.h"
#include "kit/port/port.h"
#include "nf/bridge/bridge.h"

#define PORTS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_bridge *bridge;
	struct mr_port *ports[PORTS];
	uint16_t node;
};

static void
must(int ret)
{
	if (ret)
		abort();
}

static void
open_bed(struct bed *b)
{
	struct mr_buffers_config buffers = { .count = 4096,
		.workers = 1,
		.numa_node = -1,
		.pages = MR_ARENA_4K };
	struct mr_error error;

	must(mr_buffers_create(&b->buffers, &buffers, &error));
	must(mr_graph_create(&b->graph,
	    &(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 }, &error));
	must(mr_bridge_create(&b->bridge, &error));
	must(mr_graph_add_node(b->graph, &mr_bridge_node_class, NULL, b->bridge, &b->node, &error));
	for (uint16_t i = 0; i < PORTS; i++) {
		struct mr_port_config config = { .name = "null",
			.index = i,
			.buffers = b->buffers,
			.workers = 1,
			.numa_node = -1 };

		must(mr_port_open(&b->ports[i], "null", &config, &error));
		must(b->ports[i]->driver->start(b->ports[i], &error));
		must(mr_graph_add_port(b->graph, b->ports[i], NULL, 0, &error));
		mr_graph_set_port_up(b->graph, i, true);
	}
	must(mr_graph_commit(b->graph, &error));
}

static void
configure(struct bed *b, const uint8_t *data)
{
	struct mr_bridge_port ports[PORTS] = { 0 };
	struct mr_bridge_config config = { .ports = ports, .port_count = PORTS, .mac_limit = 100 };
	struct mr_error error;
	unsigned left_out;

	for (unsigned i = 0; i < PORTS; i++) {
		ports[i].port = (uint16_t)i;
		ports[i].mode = data[2 * i] % 4;
		ports[i].vlan = data[2 * i + 1] ? data[2 * i + 1] : 1;
		ports[i].tpid = data[2 * i] & 16 ? 0x88a8 : 0x8100;
		memset(ports[i].vlans, data[2 * i + 1], sizeof(ports[i].vlans));
	}
	must(mr_bridge_prepare(b->bridge, &config, &error));
	mr_bridge_commit(b->bridge, 1, &left_out);
	mr_bridge_finish(b->bridge);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bed *bed;
	struct mr_graph_totals t;
	size_t at = 2 * PORTS;

	if (!bed) {
		bed = calloc(1, sizeof(*bed));
		if (!bed)
			abort();
		open_bed(bed);
	}
	if (size < at)
		return 0;
	configure(bed, data);
	while (at + 2 <= size) {
		size_t len = MR_MIN((size_t)data[at + 1], size - at - 2);
		uint32_t packet = mr_packet_from(bed->buffers, 0, data + at + 2, len);

		if (packet == MR_PACKET_NONE)
			abort();
		/* One port more than there are. */
		mr_packet_at(bed->buffers->base, packet)->port = data[at] % (PORTS + 1);
		mr_graph_inject(bed->graph, 0, bed->node, &packet, 1);
		mr_graph_pass(bed->graph, 0);
		at += 2 + len;
	}
	mr_graph_totals(bed->graph, &t);
	if (t.received + t.created != t.sent + t.dropped || mr_pool_used(bed->buffers->pool))
		abort();
	return 0;
}
