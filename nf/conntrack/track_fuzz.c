/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary frames through track and confirm of two interfaces; no fragment stays for ever.
 * Input: frames, each a byte of port and flags, two of length, the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph.h"
#include "nf/conntrack/conntrack_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct ct_core *core;
	struct ct_side side[2];
	uint16_t track[2], confirm[2], end;
};

static void
end_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct bed *b = run->self;
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		be16_t ports[2];

		/* One state and no other. */
		if (__builtin_popcount(mr_track_state(p)) != 1)
			abort();
		(void)ct_piece_ports(b->core, p, &ports[0], &ports[1]);
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
	struct mr_buffers_config buffers = { .count = 4096,
		.workers = 1,
		.numa_node = -1,
		.pages = MR_ARENA_4K };
	struct mr_error error;

	must(mr_buffers_create(&b->buffers, &buffers, &error));
	must(mr_graph_create(&b->graph,
	    &(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 }, &error));
	must(ct_core_create(&b->core, 1024, 1, &error));
	must(mr_graph_add_node(b->graph, &end_class, NULL, b, &b->end, &error));
	for (unsigned i = 0; i < 2; i++) {
		b->side[i] = (struct ct_side){ b->core, &b->core->ports[i], false };
		must(mr_graph_add_node(b->graph, &ct_track_class, i ? "t1" : "t0", &b->side[i],
		    &b->track[i], &error));
		must(mr_graph_add_node(b->graph, &ct_confirm_class, i ? "c1" : "c0", &b->side[i],
		    &b->confirm[i], &error));
		must(mr_graph_link(b->graph, b->track[i], 0, b->confirm[i]));
		must(mr_graph_link(b->graph, b->confirm[i], 0, b->end));
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
		if (!bed)
			abort();
		open_bed(bed);
	}
	while (at + 3 <= size) {
		size_t len = MR_MIN((size_t)(data[at + 1] << 8 | data[at + 2]), size - at - 3);
		uint32_t packet = mr_packet_from(bed->buffers, 0, data + at + 3, len);

		if (packet == MR_PACKET_NONE)
			abort();
		mr_packet_at(bed->buffers->base, packet)->port = data[at] & 1;
		bed->core->options = data[at] >> 1 & 7;
		bed->core->ports[0].proxy = data[at] & 16 ? CT_PROXY_ON : CT_PROXY_OFF;
		mr_graph_inject(bed->graph, 0, bed->track[data[at] & 1], &packet, 1);
		mr_graph_pass(bed->graph, 0);
		at += 3 + len;
	}
	mr_graph_totals(bed->graph, &t);
	if (t.received + t.created != t.sent + t.dropped + t.held || t.held > CT_FRAGMENT_WAITING)
		abort();
	return 0;
}
