/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary frames through the translator, from inside and outside; what comes out is a packet of the
 * other family, and no fragment stays for ever. Input: frames, each a byte of port and flags, two of
 * length, the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"
#include "nf/nat64/nat64_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct n64_core *core;
	struct n64_world world;
	struct n64_instance instance;
	struct n64_self self[2];
	uint16_t node[2], end;
};

static void
must(int ret)
{
	if (ret)
		abort();
}

static void
end_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		const uint8_t *ip = mr_packet_bytes_const(p) + 14;
		unsigned len;

		verdicts[i] = mr_verdict_drop(0);
		if (!(p->flags & MR_PACKET_TRANSLATED) || mr_load_be16(ip - 2) == MR_ETH_TYPE_VLAN)
			continue;
		/* A header that says its length. */
		must(p->len < 34);
		len = ip[0] >> 4 == 6 ? 40u + mr_load_be16(ip + 4) : mr_load_be16(ip + 2);
		must(14 + len > p->total);
		must(ip[0] >> 4 == 4 && !mr_checksum_ipv4_header_good((const struct mr_ip4 *)ip));
	}
}

static const struct mr_named drops[] = { { "end", "the end" } };
static const struct mr_node_class end_class = { .name = "end",
	.doc = "the end",
	.drops = drops,
	.drop_count = 1,
	.run = end_run };

static void
open_bed(struct bed *b)
{
	const struct nat_range range = { 0xcb007101, 0xcb007101 };
	const struct nat_pool_config pool = { .ranges = &range,
		.range_count = 1,
		.port_first = 1024,
		.port_last = 1087,
		.paired = true,
		.preserve_port = true,
		.subscribers_max = 64,
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
	must(n64_core_create(&b->core, 1024, 1, &error));
	b->instance = (struct n64_instance){ .number = 1,
		.mtu = 1500,
		.cut = 1280,
		.prefix = { { 0, 0x64, 0xff, 0x9b }, 96 },
		.self = mr_be32(range.first) };
	must(nat_pool_create(&b->instance.pool, &pool, &error));
	atomic_store(&b->core->table->pools[1], b->instance.pool);
	for (unsigned i = 0; i < N64_TIME_COUNT; i++)
		atomic_store(&b->core->table->timeouts[1][i], 5);
	b->world.count = 1;
	b->world.instances = &b->instance;
	b->world.ports[0].count[0] = 1;
	b->world.ports[1].count[1] = 1;
	atomic_store(&b->core->world, &b->world);
	must(mr_graph_add_node(b->graph, &end_class, NULL, b, &b->end, &error));
	for (unsigned i = 0; i < 2; i++) {
		b->self[i] = (struct n64_self){ b->core, (uint16_t)i, i };
		must(mr_graph_add_node(b->graph, &n64_class, i ? "n1" : "n0", &b->self[i],
		    &b->node[i], &error));
		must(mr_graph_link(b->graph, b->node[i], 0, b->end));
	}
	must(mr_graph_commit(b->graph, &error));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bed *bed;
	struct mr_graph_totals t;
	size_t at = 0;

	if (!bed) {
		bed = calloc(1, sizeof(*bed));
		must(!bed);
		open_bed(bed);
	}
	while (at + 3 <= size) {
		size_t len = MR_MIN((size_t)(data[at + 1] << 8 | data[at + 2]), size - at - 3);
		uint32_t packet = mr_packet_from(bed->buffers, 0, data + at + 3, len);

		must(packet == MR_PACKET_NONE);
		mr_packet_at(bed->buffers->base, packet)->port = data[at] & 1;
		bed->instance.by_address = data[at] & 2;
		bed->instance.private_too = data[at] & 4;
		mr_graph_inject(bed->graph, 0, bed->node[data[at] & 1], &packet, 1);
		mr_graph_pass(bed->graph, 0);
		at += 3 + len;
	}
	n64_flush(bed->core->table, 1, 1);
	must(n64_sessions(bed->core->table) || n64_bindings(bed->core->table));
	mr_graph_totals(bed->graph, &t);
	must(t.received + t.created != t.sent + t.dropped + t.held || t.held > CT_FRAGMENT_WAITING);
	return 0;
}
