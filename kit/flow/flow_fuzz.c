/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Frames through a node with rules that look at everything and change everything: whatever comes, no byte
 * outside of the packet is read, and every packet ends somewhere.
 */

#include <stdlib.h>
#include <string.h>

#include "kit/flow/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_flow_rules *rules;
	uint16_t node;
};

static const struct mr_named drops[] = { { "end", "The end." } };

mr_inline void
end_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_drop(0);
}
MR_NODE_FUNCTIONS(end)
static const struct mr_node_class end_class = {
	.name = "end",
	.drops = drops,
	.drop_count = 1,
	MR_NODE_RUN(end),
};

static void
must(bool what)
{
	if (!what)
		abort();
}

static void
add(struct bed *b, uint32_t group, uint32_t priority, const struct mr_flow_item *items,
    const struct mr_flow_action *actions)
{
	struct mr_flow_attr attr = { group, priority };
	uint32_t rule;

	must(mr_flow_rule_create(b->rules, &attr, items, actions, &rule, NULL) == 0);
}

/* Group 0 matches by one header each, group 1 changes all that there is. */
static void
add_rules(struct bed *b)
{
	static const struct mr_flow_item_l4 flags = { .flags = 2 }, all = { 0xffff, 0xffff, 255 };
	static const struct mr_flow_item_ip4 tos = { .tos = 4 }, tos_mask = { .tos = 0xfc };
	static const struct mr_flow_item_eth mac = { .src = { 2 } }, mac_mask = { .src = { 255 } };
	static const enum mr_flow_item_type types[] = { MR_FLOW_ITEM_VLAN, MR_FLOW_ITEM_IP4,
		MR_FLOW_ITEM_IP6, MR_FLOW_ITEM_TCP, MR_FLOW_ITEM_UDP, MR_FLOW_ITEM_SCTP,
		MR_FLOW_ITEM_ICMP, MR_FLOW_ITEM_ICMP6, MR_FLOW_ITEM_ANY };
	static const struct mr_flow_action jump[] = { { .type = MR_FLOW_ACTION_COUNT },
		{ .type = MR_FLOW_ACTION_POP_VLAN }, { .type = MR_FLOW_ACTION_JUMP, .number = 1 },
		{ .type = MR_FLOW_ACTION_END } };
	struct mr_flow_action change[16] = { { .type = MR_FLOW_ACTION_END } };
	unsigned n = 0;

	add(b, 0, 1,
	    (const struct mr_flow_item[]){ { MR_FLOW_ITEM_TCP, &flags, NULL, &all },
		{ .type = MR_FLOW_ITEM_END } },
	    jump);
	add(b, 0, 2,
	    (const struct mr_flow_item[]){ { MR_FLOW_ITEM_IP4, &tos, NULL, &tos_mask },
		{ .type = MR_FLOW_ITEM_END } },
	    jump);
	add(b, 0, 3,
	    (const struct mr_flow_item[]){ { MR_FLOW_ITEM_ETH, &mac, NULL, &mac_mask },
		{ .type = MR_FLOW_ITEM_END } },
	    jump);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(types); i++)
		add(b, 0, 10 + i,
		    (const struct mr_flow_item[]){ { .type = types[i] },
			{ .type = MR_FLOW_ITEM_END } },
		    jump);
	for (unsigned type = MR_FLOW_ACTION_SET_SRC_MAC; type < MR_FLOW_ACTION_TYPES; type++)
		change[n++] =
		    (struct mr_flow_action){ .type = (enum mr_flow_action_type)type, .number = 77 };
	change[n++] = (struct mr_flow_action){ .type = MR_FLOW_ACTION_PASS };
	change[n] = (struct mr_flow_action){ .type = MR_FLOW_ACTION_END };
	add(b, 1, 1, (const struct mr_flow_item[]){ { .type = MR_FLOW_ITEM_END } }, change);
}

static void
open_bed(struct bed *b)
{
	struct mr_buffers_config buffers = { .count = 256, .workers = 1, .numa_node = -1 };
	struct mr_graph_config graph = { .workers = 1 };
	struct mr_flow_rules_config rules = { .max_rules = 64 };
	struct mr_error error;
	uint16_t end;

	must(mr_buffers_create(&b->buffers, &buffers, &error) == 0);
	graph.buffers = b->buffers;
	must(mr_graph_create(&b->graph, &graph, &error) == 0);
	rules.graph = b->graph;
	must(mr_flow_rules_create(&b->rules, &rules, &error) == 0);
	must(mr_flow_rules_node(b->rules, NULL, &b->node, &error) == 0);
	must(mr_graph_add_node(b->graph, &end_class, NULL, NULL, &end, &error) == 0);
	must(mr_graph_link(b->graph, b->node, 0, end) == 0);
	must(mr_graph_commit(b->graph, &error) == 0);
	add_rules(b);
	must(mr_flow_rules_commit(b->rules, &error) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bed
	    bed; /* for the life of the process: making one takes longer than a frame */
	struct mr_graph_totals before, after;
	uint32_t packet;

	if (!bed.graph)
		open_bed(&bed);
	if (!size || size > 9000)
		return 0;
	packet = mr_packet_from(bed.buffers, 0, data, size);
	if (packet == MR_PACKET_NONE)
		return 0;
	mr_graph_totals(bed.graph, &before);
	mr_graph_inject(bed.graph, 0, bed.node, &packet, 1);
	mr_graph_totals(bed.graph, &after);
	must(after.dropped + after.sent == before.dropped + before.sent + 1);
	return 0;
}
