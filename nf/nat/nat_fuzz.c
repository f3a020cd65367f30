/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary frames through nat-in and nat-out; no fragment and no SYN stays for ever, and what comes out
 * of them is read whole.
 * Input: a byte of settings, then frames, each a byte of which node, two of length, the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph.h"
#include "nf/nat/held_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct nat_core *core;
	struct nat_pool *pool;
	struct nat_view view;
	struct nat_instance instance;
	struct nat_self self[3];
	uint16_t node[3], end; /* nat-out@wan, nat-in@wan, nat-in@lan */
};

static void
end_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		if (p->len > p->total)
			abort();
		verdicts[i] = mr_verdict_drop(0);
	}
}

static const struct mr_named drops[] = { { "end", "the end" } };
static const struct mr_node_class end_class = { .name = "end",
	.doc = "the end",
	.drops = drops,
	.drop_count = 1,
	.run = end_run };

static void
must(int ret)
{
	if (ret)
		abort();
}

static void
open_bed(struct bed *b)
{
	static const struct nat_range range = { 0xcb007108, 0xcb007109 };
	struct nat_pool_config pool = { .ranges = &range,
		.range_count = 1,
		.port_first = 1024,
		.port_last = 65535,
		.paired = true,
		.preserve_port = true,
		.subscribers_max = 1024,
		.workers = 1 };
	struct mr_error error;

	must(mr_buffers_create(&b->buffers,
	    &(struct mr_buffers_config){ .count = 4096,
		.workers = 1,
		.numa_node = -1,
		.pages = MR_ARENA_4K },
	    &error));
	must(mr_graph_create(&b->graph,
	    &(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 }, &error));
	must(nat_core_create(&b->core, 4096, 1, &error));
	must(nat_pool_create(&b->pool, &pool, &error));
	b->instance = (struct nat_instance){ .number = 1,
		.epoch = 1,
		.pool = b->pool,
		.hold_syn = 6,
		.own = { mr_be32(0xcb007109) },
		.own_count = 1,
		.inside = { 2 },
		.pcp = true,
		.nat_pmp = true,
		.lease_min = 1,
		.lease_max = 1000,
		.home = { mr_be32(0x0a000001) },
		.home_count = 1 };
	b->view.count = 1;
	b->view.instances = &b->instance;
	b->view.ports[0] =
	    (struct nat_port){ .outside_count = 1, .outside_vlan = { NAT_ALL_VLANS } };
	b->view.ports[1] = (struct nat_port){ .inside_count = 1, .inside_vlan = { NAT_ALL_VLANS } };
	b->core->table->pools[1] = b->pool;
	b->core->table->epochs[1] = 1;
	for (unsigned k = 0; k < NAT_TIME_COUNT; k++)
		b->core->table->timeouts[1][k] = 100;
	atomic_store(&b->core->view, &b->view);
	must(mr_graph_add_node(b->graph, &end_class, NULL, b, &b->end, &error));
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[3] = { "nat-out", "nat-in", "nat-in-lan" };

		b->self[i].core = b->core;
		b->self[i].port = i == 2;
		b->self[i].macs[0] = 0x020304050607;
		must(mr_graph_add_node(b->graph, i ? &nat_in_class : &nat_out_class, names[i],
		    &b->self[i], &b->node[i], &error));
		mr_graph_link(b->graph, b->node[i], 0, b->end);
	}
	must(mr_graph_commit(b->graph, &error));
}

static void
close_bed(struct bed *b)
{
	atomic_store(&b->core->view, NULL);
	nat_core_destroy(b->core, b->buffers);
	nat_pool_destroy(b->pool);
	mr_graph_destroy(b->graph);
	if (mr_pool_used(b->buffers->pool))
		abort();
	mr_buffers_destroy(b->buffers);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bed b;

	if (!size)
		return 0;
	memset(&b, 0, sizeof(b));
	open_bed(&b);
	b.instance.mapping = data[0] % 3;
	b.instance.filtering = data[0] / 3 % 3;
	for (data++, size--; size > 3;) {
		unsigned node = data[0] % 3, len = (unsigned)(data[1] << 8 | data[2]);
		uint32_t packet;

		data += 3;
		size -= 3;
		len = MR_MIN(len, (unsigned)size);
		packet = mr_packet_from(b.buffers, 0, data, MR_MIN(len, 1800u));
		if (packet == MR_PACKET_NONE)
			break;
		mr_packet_at(b.buffers->base, packet)->port = node != 1;
		mr_graph_inject(b.graph, 0, b.node[node], &packet, 1);
		mr_graph_pass(b.graph, 0);
		data += len;
		size -= len;
	}
	close_bed(&b);
	return 0;
}
