/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_FLOW_TEST_INT_H
#define MR_KIT_FLOW_FLOW_TEST_INT_H

/* For tests of flow rules: a graph with rules, with or without the flow lane, and frames for it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/flow/flow_int.h"
#include "kit/flow/lane.h"
#include "kit/packet/wire.h"

#define PORTS 3u
#define FRAME_MAX 256u

/* One graph: [lane ->] flow-rules -> end; what leaves is kept. */
struct side {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_flow_rules *rules;
	struct mr_lane *lane;
	struct mr_lane_port *lane_ports[PORTS];
	struct mr_port *ports[PORTS];
	struct mr_port_driver driver;
	uint16_t first[PORTS], node;
	/* The last packet: 0 to PORTS - 1: sent there; END: reached the end; NOWHERE: dropped. */
	unsigned where, len;
	uint8_t bytes[FRAME_MAX];
	uint32_t mark;
};
#define END 100u
#define NOWHERE 101u

static struct side *at_hand; /* whose packet is under way: one thread */

static inline void
keep(struct mr_buffers *buffers, const uint32_t *packets, unsigned count, unsigned where)
{
	for (unsigned i = 0; i < count; i++) {
		at_hand->where = where;
		at_hand->len = (unsigned)mr_packet_read(buffers, packets[i], 0, at_hand->bytes,
		    sizeof(at_hand->bytes));
		at_hand->mark = mr_packet_at(buffers->base, packets[i])->mark;
	}
}

static inline unsigned
keep_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	keep(port->buffers, packets, count, port->index);
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

mr_inline void
end_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	keep(run->buffers, packets, count, END);
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_drop(0);
}
MR_NODE_FUNCTIONS(end)
static const struct mr_named end_drops[] = { { "end", "The end." } };
/* Takes no part in the flow lane: what reaches it comes through the graph. */
static const struct mr_node_class end_class = {
	.name = "end",
	.drops = end_drops,
	.drop_count = 1,
	MR_NODE_RUN(end),
};

static inline void
open_side(struct side *s, bool lane)
{
	struct mr_buffers_config buffers = { .count = 2048, .workers = 1, .numa_node = -1 };
	struct mr_graph_config graph = { .workers = 1 };
	struct mr_flow_rules_config rules = { .max_rules = 4096, .max_meters = 16 };
	struct mr_lane_config lanes = { .max_flows = 4096, .eager = true };
	struct mr_error error;
	uint16_t end;

	memset(s, 0, sizeof(*s));
	assert_int_equal(mr_buffers_create(&s->buffers, &buffers, &error), 0);
	graph.buffers = s->buffers;
	assert_int_equal(mr_graph_create(&s->graph, &graph, &error), 0);
	rules.graph = lanes.graph = s->graph;
	assert_int_equal(mr_flow_rules_create(&s->rules, &rules, &error), 0);
	assert_int_equal(mr_flow_rules_node(s->rules, NULL, &s->node, &error), 0);
	assert_int_equal(mr_graph_add_node(s->graph, &end_class, NULL, NULL, &end, &error), 0);
	assert_int_equal(mr_graph_link(s->graph, s->node, 0, end), 0);
	if (lane)
		assert_int_equal(mr_lane_create(&s->lane, &lanes, &error), 0);
	for (uint16_t i = 0; i < PORTS; i++) {
		const char name[2] = { (char)('a' + i) };
		struct mr_port_config port = {
			.name = name,
			.index = i,
			.rx_queues = 1,
			.tx_queues = 1,
			.numa_node = -1,
			.buffers = s->buffers,
			.workers = 1,
		};
		/* Routed: to the address that all frames here go to. */
		struct mr_flow_view view = { .port = i };

		memcpy(&view.mac, "\2\0\0\0\0\1", 6);
		assert_int_equal(mr_port_open(&s->ports[i], "null", &port, &error), 0);
		s->driver = *s->ports[i]->driver;
		s->driver.tx = keep_tx;
		s->ports[i]->driver = &s->driver;
		s->ports[i]->mtu = 1500;
		assert_int_equal(mr_graph_add_port(s->graph, s->ports[i], NULL, 0, &error), 0);
		mr_graph_set_port_up(s->graph, i, true);
		s->first[i] = s->node;
		if (!lane)
			continue;
		assert_int_equal(mr_lane_port_create(&s->lane_ports[i], s->lane, &view,
				     i == 0       ? "lane0"
					 : i == 1 ? "lane1"
						  : "lane2",
				     &s->first[i], &error),
		    0);
		assert_int_equal(mr_graph_link(s->graph, s->first[i], 0, s->node), 0);
	}
	assert_int_equal(mr_graph_commit(s->graph, &error), 0);
}

static inline void
close_side(struct side *s)
{
	mr_graph_destroy(s->graph);
	for (unsigned i = 0; i < PORTS; i++) {
		mr_lane_port_destroy(s->lane_ports[i]);
		mr_port_close(s->ports[i]);
	}
	mr_lane_destroy(s->lane);
	mr_flow_rules_destroy(s->rules);
	mr_buffers_destroy(s->buffers);
}

static inline void
push(struct side *s, unsigned port, const uint8_t *frame, unsigned len)
{
	uint32_t packet = mr_packet_from(s->buffers, 0, frame, len);

	assert_int_not_equal(packet, MR_PACKET_NONE);
	mr_packet_at(s->buffers->base, packet)->port = (uint16_t)port;
	at_hand = s;
	s->where = NOWHERE;
	s->len = 0;
	mr_graph_inject(s->graph, 0, s->first[port], &packet, 1);
}

static inline uint64_t
dropped(const struct side *s, unsigned reason)
{
	struct mr_node_stats stats;

	assert_int_equal(mr_graph_node_stats(s->graph, s->node, &stats), 0);
	return stats.drops[reason];
}

static inline uint64_t
lane_replayed(const struct side *s)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PORTS; i++) {
		struct mr_node_stats stats;

		assert_int_equal(mr_graph_node_stats(s->graph, s->first[i], &stats), 0);
		sum += stats.counters[MR_LANE_COUNT_REPLAYED];
	}
	return sum;
}

/* -- frames ------------------------------------------------------------------------------------ */

struct frame {
	unsigned vlan; /* 0: untagged */
	bool six;
	uint8_t proto, ttl, tos;
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	uint8_t smac, tcp_flags;
};

static const struct frame plain = {
	.proto = MR_IP_PROTO_UDP,
	.ttl = 64,
	.src = { 10, 0, 0, 1 },
	.dst = { 192, 0, 2, 1 },
	.sport = 1000,
	.dport = 53,
	.smac = 7,
};

static inline unsigned
make(const struct frame *f, uint8_t *b)
{
	unsigned l3 = f->vlan ? 18 : 14, l4 = l3 + (f->six ? 40 : 20), len = l4 + 40, end;
	uint16_t sum_at = 0;
	uint64_t sum;

	memset(b, 0, FRAME_MAX);
	memcpy(b, "\2\0\0\0\0\1\2\0\0\0\0", 11);
	b[11] = f->smac;
	if (f->vlan) {
		mr_store_be16(b + 12, MR_ETH_TYPE_VLAN);
		mr_store_be16(b + 14, (uint16_t)f->vlan);
	}
	mr_store_be16(b + l3 - 2, f->six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	end = len - l4;
	if (f->six) {
		mr_store_be16(b + l3, (uint16_t)(0x6000 | f->tos << 4));
		mr_store_be16(b + l3 + 4, (uint16_t)end);
		b[l3 + 6] = f->proto;
		b[l3 + 7] = f->ttl;
		memcpy(b + l3 + 8, f->src, 16);
		memcpy(b + l3 + 24, f->dst, 16);
	} else {
		b[l3] = 0x45;
		b[l3 + 1] = f->tos;
		mr_store_be16(b + l3 + 2, (uint16_t)(len - l3));
		b[l3 + 8] = f->ttl;
		b[l3 + 9] = f->proto;
		memcpy(b + l3 + 12, f->src, 4);
		memcpy(b + l3 + 16, f->dst, 4);
		sum = mr_checksum_add(0, b + l3, 20);
		mr_store_be16(b + l3 + 10, 0);
		mr_store_be16(b + l3 + 10, mr_be16(mr_checksum_finish(sum)));
	}
	mr_store_be16(b + l4, f->sport);
	mr_store_be16(b + l4 + 2, f->dport);
	if (f->proto == MR_IP_PROTO_TCP) {
		b[l4 + 12] = 0x50;
		b[l4 + 13] = f->tcp_flags;
		sum_at = 16;
	} else if (f->proto == MR_IP_PROTO_UDP) {
		mr_store_be16(b + l4 + 4, (uint16_t)end);
		sum_at = 6;
	} else {
		/* ICMP: the destination port is the code and more. */
		b[l4] = (uint8_t)f->sport;
		b[l4 + 1] = 0;
		b[l4 + 2] = b[l4 + 3] = 0;
		sum_at = 2;
	}
	b[len - 1] = 0x5a;
	if (f->six)
		sum = mr_checksum_pseudo6(b + l3 + 8, b + l3 + 24, f->proto, (uint16_t)end);
	else if (f->proto == MR_IP_PROTO_ICMP)
		sum = 0;
	else
		sum = mr_checksum_pseudo4(mr_be32(mr_load_be32(b + l3 + 12)),
		    mr_be32(mr_load_be32(b + l3 + 16)), f->proto, (uint16_t)end);
	sum = mr_checksum_add(sum, b + l4, end);
	mr_store_be16(b + l4 + sum_at, mr_be16(mr_checksum_finish(sum)));
	assert_int_equal(mr_checksum_l4_verify(b, len), MR_CHECKSUM_GOOD);
	return len;
}

/* -- rules --------------------------------------------------------------------------------------- */

static inline uint32_t
add(struct side *s, uint32_t group, uint32_t priority, const struct mr_flow_item *items,
    const struct mr_flow_action *actions)
{
	struct mr_flow_attr attr = { group, priority };
	struct mr_flow_error error;
	uint32_t rule = 0;

	if (mr_flow_rule_create(s->rules, &attr, items, actions, &rule, &error))
		fail_msg("%s", error.error.text);
	assert_int_not_equal(rule, 0);
	return rule;
}

static inline void
commit(struct side *s)
{
	struct mr_error error;

	assert_int_equal(mr_flow_rules_commit(s->rules, &error), 0);
}

#endif
