/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Flow rules: what is wrong with patterns and actions, what packets are done to, and random rules and
 * packets against a scan of all rules, with and without the flow lane in front.
 */

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

static void
keep(struct mr_buffers *buffers, const uint32_t *packets, unsigned count, unsigned where)
{
	for (unsigned i = 0; i < count; i++) {
		at_hand->where = where;
		at_hand->len = (unsigned)mr_packet_read(buffers, packets[i], 0, at_hand->bytes,
		    sizeof(at_hand->bytes));
		at_hand->mark = mr_packet_at(buffers->base, packets[i])->mark;
	}
}

static unsigned
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

static void
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

static void
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

static void
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

static uint64_t
dropped(const struct side *s, unsigned reason)
{
	struct mr_node_stats stats;

	assert_int_equal(mr_graph_node_stats(s->graph, s->node, &stats), 0);
	return stats.drops[reason];
}

static uint64_t
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

static unsigned
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
		*(be16_t *)(void *)(b + l3 + 10) = (be16_t)~mr_checksum_fold(sum);
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
		sum = mr_checksum_pseudo4(*(be32_t *)(void *)(b + l3 + 12),
		    *(be32_t *)(void *)(b + l3 + 16), f->proto, (uint16_t)end);
	sum = mr_checksum_add(sum, b + l4, end);
	*(be16_t *)(void *)(b + l4 + sum_at) = (be16_t)~mr_checksum_fold(sum);
	assert_int_equal(mr_checksum_l4_verify(b, len), MR_CHECKSUM_GOOD);
	return len;
}

/* -- rules --------------------------------------------------------------------------------------- */

static uint32_t
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

static void
commit(struct side *s)
{
	struct mr_error error;

	assert_int_equal(mr_flow_rules_commit(s->rules, &error), 0);
}

static const struct mr_flow_item any[] = { { .type = MR_FLOW_ITEM_END } };

static void
expect_wrong(const struct mr_flow_rules *rules, uint32_t group, const struct mr_flow_item *items,
    const struct mr_flow_action *actions, enum mr_flow_error_kind kind, unsigned index,
    const char *words)
{
	struct mr_flow_attr attr = { group, 0 };
	struct mr_flow_error error;

	assert_int_equal(mr_flow_rule_validate(rules, &attr, items, actions, &error), -EINVAL);
	assert_int_equal(error.kind, kind);
	assert_int_equal(error.index, index);
	if (!strstr(error.error.text, words))
		fail_msg("\"%s\" does not say \"%s\"", error.error.text, words);
}

static void
wrong_rules_are_named(void **state)
{
	static const struct mr_flow_action drop[] = { { .type = MR_FLOW_ACTION_DROP },
		{ .type = 0 } };
	static const struct mr_flow_item_l4 high = { .dst = mr_be16(90) };
	static const struct mr_flow_item_l4 low = { .dst = mr_be16(80) };
	static const struct mr_flow_item_l4 half = { .dst = mr_be16(0xff00) };
	static const struct mr_flow_item_l4 flags = { .flags = 2 };
	static const struct mr_flow_item_port port = { 2000 };
	static const struct mr_flow_item_ip4 udp = { .proto = 17 }, proto = { .proto = 255 };
	static const struct mr_flow_item_eth arp = { .type = mr_be16(0x0806) };
	static const struct mr_flow_item_eth type = { .type = 0xffff };
	struct side s;

#define ITEMS(...) \
	(const struct mr_flow_item[]) \
	{ \
		__VA_ARGS__, \
		{ \
			.type = 0 \
		} \
	}
#define ACTIONS(...) \
	(const struct mr_flow_action[]) \
	{ \
		__VA_ARGS__, \
		{ \
			.type = 0 \
		} \
	}
	open_side(&s, false);
	expect_wrong(s.rules, 64, any, drop, MR_FLOW_ERROR_ATTR, 0, "group 64");
	expect_wrong(s.rules, 0, ITEMS({ .type = MR_FLOW_ITEM_IP4 }, { .type = MR_FLOW_ITEM_ETH }),
	    drop, MR_FLOW_ERROR_ITEM, 1, "behind");
	expect_wrong(s.rules, 0, ITEMS({ .type = MR_FLOW_ITEM_IP4 }, { .type = MR_FLOW_ITEM_IP6 }),
	    drop, MR_FLOW_ERROR_ITEM, 1, "ip6");
	expect_wrong(s.rules, 0, ITEMS({ MR_FLOW_ITEM_TCP, &high, &low, NULL }), drop,
	    MR_FLOW_ERROR_ITEM, 0, "empty");
	expect_wrong(s.rules, 0, ITEMS({ MR_FLOW_ITEM_TCP, &low, &high, &half }), drop,
	    MR_FLOW_ERROR_ITEM, 0, "whole ports");
	expect_wrong(s.rules, 0, ITEMS({ MR_FLOW_ITEM_UDP, &flags, NULL, &flags }), drop,
	    MR_FLOW_ERROR_ITEM, 0, "flags");
	expect_wrong(s.rules, 0, ITEMS({ MR_FLOW_ITEM_PORT, &port, NULL, NULL }), drop,
	    MR_FLOW_ERROR_ITEM, 0, "2000");
	expect_wrong(s.rules, 0,
	    ITEMS({ MR_FLOW_ITEM_IP4, &udp, NULL, &proto }, { .type = MR_FLOW_ITEM_TCP }), drop,
	    MR_FLOW_ERROR_ITEM, 1, "another protocol");
	expect_wrong(s.rules, 0,
	    ITEMS({ MR_FLOW_ITEM_ETH, &arp, NULL, &type }, { .type = MR_FLOW_ITEM_IP4 }), drop,
	    MR_FLOW_ERROR_ITEM, 1, "another type");
	expect_wrong(s.rules, 0, ITEMS({ .type = MR_FLOW_ITEM_IP6 }, { .type = MR_FLOW_ITEM_ICMP }),
	    drop, MR_FLOW_ERROR_ITEM, 1, "icmp");
	expect_wrong(s.rules, 0, ITEMS({ MR_FLOW_ITEM_IP4, NULL, NULL, &proto }), drop,
	    MR_FLOW_ERROR_ITEM, 0, "no spec");
	expect_wrong(s.rules, 0, ITEMS({ MR_FLOW_ITEM_IP4, &udp, &udp, NULL }), drop,
	    MR_FLOW_ERROR_ITEM, 0, "ranges");
	expect_wrong(s.rules, 0, ITEMS({ .type = (enum mr_flow_item_type)99 }), drop,
	    MR_FLOW_ERROR_ITEM, 0, "no item 99");
	expect_wrong(s.rules, 0, any, ACTIONS({ .type = MR_FLOW_ACTION_COUNT }),
	    MR_FLOW_ERROR_ACTION, 1, "no fate");
	expect_wrong(s.rules, 0, any,
	    ACTIONS({ .type = MR_FLOW_ACTION_DROP }, { .type = MR_FLOW_ACTION_COUNT }),
	    MR_FLOW_ERROR_ACTION, 1, "behind the fate");
	expect_wrong(s.rules, 3, any, ACTIONS({ .type = MR_FLOW_ACTION_JUMP, .number = 3 }),
	    MR_FLOW_ERROR_ACTION, 0, "higher");
	expect_wrong(s.rules, 0, any,
	    ACTIONS({ .type = MR_FLOW_ACTION_METER, .number = 1 }, { .type = MR_FLOW_ACTION_DROP }),
	    MR_FLOW_ERROR_ACTION, 0, "no meter 1");
	expect_wrong(s.rules, 0, any,
	    ACTIONS({ .type = MR_FLOW_ACTION_COUNT, .number = 1 }, { .type = MR_FLOW_ACTION_DROP }),
	    MR_FLOW_ERROR_ACTION, 0, "no counter 1");
	expect_wrong(s.rules, 0, any,
	    ACTIONS({ .type = MR_FLOW_ACTION_DEC_TTL }, { .type = MR_FLOW_ACTION_DEC_TTL },
		{ .type = MR_FLOW_ACTION_DROP }),
	    MR_FLOW_ERROR_ACTION, 1, "only once");
	expect_wrong(s.rules, 0, any, ACTIONS({ .type = MR_FLOW_ACTION_OUTPUT, .number = 5000 }),
	    MR_FLOW_ERROR_ACTION, 0, "no port 5000");
	close_side(&s);
}

/* Everything that an action can do to a frame, once by the graph, twice by the lane. */
static void
actions_change_frames(void **state)
{
	static const struct mr_flow_item_port one = { 1 };
	struct side s;
	uint32_t rule;
	uint64_t before;

	open_side(&s, true);
	add(&s, 0, 5, ITEMS({ .type = MR_FLOW_ITEM_IP4 }),
	    ACTIONS({ .type = MR_FLOW_ACTION_SET_SRC_IP4, .bytes = { 172, 16, 0, 9 } },
		{ .type = MR_FLOW_ACTION_SET_DST_IP4, .bytes = { 172, 16, 0, 10 } },
		{ .type = MR_FLOW_ACTION_SET_SRC_PORT, .number = 4444 },
		{ .type = MR_FLOW_ACTION_JUMP, .number = 7 }));
	add(&s, 0, 5, ITEMS({ .type = MR_FLOW_ITEM_IP6 }),
	    ACTIONS({ .type = MR_FLOW_ACTION_SET_SRC_IP6, .bytes = { 0x20, 1, 0xd, 0xb8, 9 } },
		{ .type = MR_FLOW_ACTION_SET_DST_IP6, .bytes = { 0x20, 1, 0xd, 0xb8, 10 } },
		{ .type = MR_FLOW_ACTION_SET_DST_PORT, .number = 5555 },
		{ .type = MR_FLOW_ACTION_JUMP, .number = 7 }));
	rule = add(&s, 7, 0, ITEMS({ MR_FLOW_ITEM_PORT, &one, NULL, NULL }),
	    ACTIONS({ .type = MR_FLOW_ACTION_COUNT }, { .type = MR_FLOW_ACTION_DEC_TTL },
		{ .type = MR_FLOW_ACTION_SET_DST_MAC, .bytes = { 4, 1, 2, 3, 4, 5 } },
		{ .type = MR_FLOW_ACTION_SET_SRC_MAC, .bytes = { 4, 6, 7, 8, 9, 10 } },
		{ .type = MR_FLOW_ACTION_PUSH_VLAN, .number = 0x2064 },
		{ .type = MR_FLOW_ACTION_OUTPUT, .number = 2 }));
	commit(&s);
	before = lane_replayed(&s);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned kind = 0; kind < 4; kind++) {
			struct frame f = plain;
			uint8_t frame[FRAME_MAX];
			struct mr_parsed r;
			unsigned len;

			f.six = kind & 1;
			f.proto = kind & 2 ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP;
			len = make(&f, frame);
			push(&s, 1, frame, len);
			assert_int_equal(s.where, 2);
			assert_int_equal(s.len, len + 4);
			assert_memory_equal(s.bytes, "\4\1\2\3\4\5\4\6\7\10\11\12\x81\0\x20\x64",
			    16);
			assert_int_equal(mr_checksum_l4_verify(s.bytes, s.len), MR_CHECKSUM_GOOD);
			assert_int_equal(mr_parse(&r, s.bytes, s.len, s.len), MR_PARSE_OK);
			assert_int_equal(r.ttl, 63);
			assert_int_equal(r.src_port, f.six ? 1000 : 4444);
			assert_int_equal(r.dst_port, f.six ? 5555 : 53);
			if (!f.six) {
				assert_memory_equal(s.bytes + 18 + 12,
				    "\xac\x10\0\x09\xac\x10\0\x0a", 8);
				assert_true(mr_checksum_ipv4_header_good(
				    (const struct mr_ip4 *)(const void *)(s.bytes + 18)));
			} else {
				assert_memory_equal(s.bytes + 18 + 8, "\x20\1\xd\xb8\x9", 5);
			}
		}
	}
	assert_int_equal(lane_replayed(&s) - before, 8);
	mr_lane_settle(s.lane);
	{
		struct mr_flow_count count;

		assert_int_equal(mr_flow_rule_query(s.rules, rule, &count), 0);
		assert_int_equal(count.packets, 12);
		assert_int_equal(count.bytes, 6 * (74 + 94));
	}
	close_side(&s);
}

static void
tags_and_marks(void **state)
{
	static const struct mr_flow_item_vlan five = { mr_be16(5) };
	struct frame f = plain;
	uint8_t frame[FRAME_MAX];
	struct side s;
	unsigned len;

	open_side(&s, false);
	add(&s, 0, 1, ITEMS({ MR_FLOW_ITEM_VLAN, &five, NULL, NULL }),
	    ACTIONS({ .type = MR_FLOW_ACTION_POP_VLAN },
		{ .type = MR_FLOW_ACTION_OUTPUT, .number = 1 }));
	add(&s, 0, 2, ITEMS({ .type = MR_FLOW_ITEM_VLAN }),
	    ACTIONS({ .type = MR_FLOW_ACTION_SET_VLAN, .number = 77 },
		{ .type = MR_FLOW_ACTION_OUTPUT, .number = 2 }));
	add(&s, 0, 3, any,
	    ACTIONS({ .type = MR_FLOW_ACTION_MARK, .number = 1234 },
		{ .type = MR_FLOW_ACTION_PASS }));
	commit(&s);
	f.vlan = 5;
	len = make(&f, frame);
	push(&s, 0, frame, len);
	assert_int_equal(s.where, 1);
	assert_int_equal(s.len, len - 4);
	assert_int_equal(mr_load_be16(s.bytes + 12), MR_ETH_TYPE_IP4);
	f.vlan = 6;
	len = make(&f, frame);
	push(&s, 0, frame, len);
	assert_int_equal(s.where, 2);
	assert_int_equal(mr_load_be16(s.bytes + 14), 77);
	f.vlan = 0;
	len = make(&f, frame);
	push(&s, 0, frame, len);
	assert_int_equal(s.where, END);
	assert_int_equal(s.mark, 1234);
	/* Cut short, it is still Ethernet. */
	push(&s, 0, frame, 20);
	assert_int_equal(s.where, END);
	assert_int_equal(s.mark, 1234);
	close_side(&s);
}

static void
drops_have_names(void **state)
{
	static const struct mr_flow_item_l4 ssh = { .dst = mr_be16(22) };
	static const struct mr_flow_item_l4 ports = { .dst = 0xffff };
	struct frame f = plain;
	uint8_t frame[FRAME_MAX];
	struct mr_error error;
	uint32_t meter;
	struct side s;
	unsigned len;

	open_side(&s, true);
	assert_int_equal(mr_flow_meter_create(s.rules, 1, 3, &meter, &error), 0);
	add(&s, 0, 1, ITEMS({ MR_FLOW_ITEM_UDP, &ssh, NULL, &ports }),
	    ACTIONS({ .type = MR_FLOW_ACTION_DROP }));
	add(&s, 0, 2, ITEMS({ .type = MR_FLOW_ITEM_IP4 }),
	    ACTIONS({ .type = MR_FLOW_ACTION_METER, .number = meter },
		{ .type = MR_FLOW_ACTION_OUTPUT, .number = 1 }));
	add(&s, 0, 2, ITEMS({ .type = MR_FLOW_ITEM_IP6 }),
	    ACTIONS({ .type = MR_FLOW_ACTION_DEC_TTL },
		{ .type = MR_FLOW_ACTION_OUTPUT, .number = 1 }));
	commit(&s);
	f.dport = 22;
	len = make(&f, frame);
	for (unsigned i = 0; i < 4; i++)
		push(&s, 0, frame, len);
	assert_int_equal(s.where, NOWHERE);
	assert_int_equal(dropped(&s, 0), 4);
	assert_int_equal(lane_replayed(&s), 3);
	f.dport = 53;
	len = make(&f, frame);
	for (unsigned i = 0; i < 10; i++) {
		push(&s, 0, frame, len);
		assert_int_equal(s.where, i < 3 ? 1 : NOWHERE);
	}
	assert_int_equal(dropped(&s, 1), 7);
	/* Two of the three went by the lane; a drop by the meter never does. */
	assert_int_equal(lane_replayed(&s), 5);
	assert_int_equal(mr_flow_meter_destroy(s.rules, meter, &error), -EBUSY);
	assert_int_equal(mr_flow_meter_set(s.rules, meter, MR_METER_UNLIMITED, 1), 0);
	f.sport++;
	len = make(&f, frame);
	push(&s, 0, frame, len);
	assert_int_equal(s.where, 1);
	f.six = true;
	f.ttl = 1;
	len = make(&f, frame);
	push(&s, 0, frame, len);
	assert_int_equal(s.where, NOWHERE);
	assert_int_equal(dropped(&s, 2), 1);
	close_side(&s);
}

static void
counters_are_shared_and_rest(void **state)
{
	struct mr_flow_count count;
	struct mr_flow_error why;
	struct mr_error error;
	uint8_t frame[FRAME_MAX];
	uint32_t shared, a, b;
	unsigned len = make(&plain, frame);
	struct side s;

	open_side(&s, false);
	assert_int_equal(mr_flow_counter_create(s.rules, &shared, &error), 0);
	a = add(&s, 0, 1, ITEMS({ .type = MR_FLOW_ITEM_UDP }),
	    ACTIONS({ .type = MR_FLOW_ACTION_COUNT, .number = shared },
		{ .type = MR_FLOW_ACTION_COUNT }, { .type = MR_FLOW_ACTION_PASS }));
	b = add(&s, 0, 2, ITEMS({ .type = MR_FLOW_ITEM_TCP }),
	    ACTIONS({ .type = MR_FLOW_ACTION_COUNT, .number = shared },
		{ .type = MR_FLOW_ACTION_DROP }));
	/* Not yet shown. */
	push(&s, 0, frame, len);
	assert_int_equal(mr_flow_counter_query(s.rules, shared, &count), 0);
	assert_int_equal(count.packets, 0);
	commit(&s);
	push(&s, 0, frame, len);
	assert_int_equal(mr_flow_counter_query(s.rules, shared, &count), 0);
	assert_int_equal(count.packets, 1);
	assert_int_equal(count.bytes, len);
	assert_int_equal(mr_flow_counter_destroy(s.rules, shared, &error), -EBUSY);
	assert_int_equal(mr_flow_rule_destroy(s.rules, a, &why), 0);
	assert_int_equal(mr_flow_rule_destroy(s.rules, a, &why), -ENOENT);
	assert_int_equal(mr_flow_rule_query(s.rules, a, &count), -ENOENT);
	/* Still in force until the commit. */
	push(&s, 0, frame, len);
	assert_int_equal(mr_flow_counter_query(s.rules, shared, &count), 0);
	assert_int_equal(count.packets, 2);
	commit(&s);
	push(&s, 0, frame, len);
	assert_int_equal(mr_flow_counter_query(s.rules, shared, &count), 0);
	assert_int_equal(count.packets, 2);
	assert_int_equal(mr_flow_rule_destroy(s.rules, b, &why), 0);
	assert_int_equal(mr_flow_counter_destroy(s.rules, shared, &error), 0);
	assert_int_equal(mr_flow_rules_count(s.rules), 0);
	close_side(&s);
}

static void
rooms_are_bounded(void **state)
{
	static const struct mr_flow_action drop[] = { { .type = MR_FLOW_ACTION_DROP },
		{ .type = 0 } };
	struct mr_flow_attr attr = { 1, 1 };
	struct mr_flow_error error;
	uint32_t rule;
	struct side s;

	open_side(&s, false);
	for (unsigned i = 0; i < MR_FLOW_LISTED_MAX; i++)
		add(&s, 1, i, any, drop);
	assert_int_equal(mr_flow_rule_create(s.rules, &attr, any, drop, &rule, &error), -ENOSPC);
	assert_int_equal(error.kind, MR_FLOW_ERROR_RULES);
	commit(&s);
	assert_int_equal(mr_flow_rules_flush(s.rules, &error), 0);
	commit(&s);
	for (unsigned i = 0; i < 4096; i++) {
		struct mr_flow_item_ip4 ip = { .src = i, .dst = i };

		add(&s, 2, i, ITEMS({ MR_FLOW_ITEM_IP4, &ip, NULL, NULL }), drop);
	}
	assert_int_equal(mr_flow_rule_create(s.rules, &attr, ITEMS({ .type = MR_FLOW_ITEM_IP4 }),
			     drop, &rule, &error),
	    -ENOSPC);
	close_side(&s);
}

/* -- random rules and packets ------------------------------------------------------------------ */

static uint64_t seed;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

static void
draw_frame(struct frame *f)
{
	static const uint8_t protos[] = { MR_IP_PROTO_TCP, MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP };

	*f = plain;
	f->six = draw(3) == 0;
	f->vlan = draw(3) == 0 ? 1 + draw(3) : 0;
	f->proto = protos[draw(3)];
	if (f->proto == MR_IP_PROTO_ICMP && f->six)
		f->proto = MR_IP_PROTO_ICMP6;
	f->src[3] = (uint8_t)draw(4);
	f->dst[3] = (uint8_t)draw(4);
	f->dst[2] = (uint8_t)draw(2);
	f->sport = f->proto == MR_IP_PROTO_ICMP || f->proto == MR_IP_PROTO_ICMP6 ? draw(3) * 4
										 : 1000 + draw(4);
	f->dport = (uint16_t)(50 + draw(8));
	f->smac = (uint8_t)(1 + draw(3));
	f->tos = (uint8_t)draw(2);
	f->tcp_flags = draw(8) == 0 ? MR_TCP_SYN : MR_TCP_ACK;
	f->ttl = (uint8_t)(draw(6) == 0 ? 1 : 64);
}

static void
draw_rule(struct side *sides, unsigned side_count, uint32_t group, uint32_t priority,
    uint32_t *rule)
{
	struct mr_flow_item items[8] = { 0 };
	struct mr_flow_action actions[8] = { 0 };
	struct mr_flow_item_port port = { (uint16_t)draw(PORTS) };
	struct mr_flow_item_eth eth = { .src = { 2, 0, 0, 0, 0, (uint8_t)(1 + draw(3)) } };
	struct mr_flow_item_eth eth_mask = { .src = { 255, 255, 255, 255, 255, 255 } };
	struct mr_flow_item_vlan vlan = { mr_be16((uint16_t)(1 + draw(3))) };
	struct mr_flow_item_ip4 ip4 = { 0 }, ip4_mask = { 0 };
	struct mr_flow_item_ip6 ip6 = { 0 }, ip6_mask = { 0 };
	struct mr_flow_item_l4 l4 = { 0 }, last = { 0 }, l4_mask = { 0 };
	struct frame f;
	unsigned n = 0, a = 0, kind = draw(4);
	static const uint8_t lens[] = { 0, 22, 24, 30, 32 };

	draw_frame(&f);
	if (draw(4) == 0)
		items[n++] = (struct mr_flow_item){ MR_FLOW_ITEM_PORT, &port, NULL, NULL };
	if (draw(8) == 0)
		items[n++] = (struct mr_flow_item){ MR_FLOW_ITEM_ETH, &eth, NULL, &eth_mask };
	if (draw(6) == 0)
		items[n++] =
		    (struct mr_flow_item){ MR_FLOW_ITEM_VLAN, draw(2) ? &vlan : NULL, NULL, NULL };
	if (kind == 0 || kind == 1) {
		unsigned bits = lens[draw(5)];

		memcpy(&ip4.src, f.src, 4);
		memcpy(&ip4.dst, f.dst, 4);
		ip4_mask.dst = bits ? mr_be32(UINT32_MAX << (32 - bits)) : 0;
		ip4_mask.src = draw(8) == 0 ? mr_be32(0xff0000ff) : draw(2) ? UINT32_MAX : 0;
		ip4.tos = (uint8_t)draw(2);
		ip4_mask.tos = draw(10) == 0 ? 255 : 0;
		items[n++] = (struct mr_flow_item){ MR_FLOW_ITEM_IP4, &ip4, NULL, &ip4_mask };
	} else if (kind == 2) {
		memcpy(ip6.dst, f.dst, 16);
		memset(ip6_mask.dst, 255, draw(2) ? 16 : 3);
		items[n++] = (struct mr_flow_item){ MR_FLOW_ITEM_IP6, &ip6, NULL, &ip6_mask };
	}
	if (draw(2)) {
		bool tcp = draw(2);

		l4.dst = mr_be16((uint16_t)(50 + draw(8)));
		last.dst = mr_be16((uint16_t)(mr_be16(l4.dst) + draw(3)));
		l4_mask.dst = draw(3) ? 0xffff : 0;
		l4.src = mr_be16((uint16_t)(1000 + draw(4)));
		last.src = l4.src;
		l4_mask.src = draw(4) == 0 ? 0xffff : 0;
		l4.flags = MR_TCP_SYN;
		l4_mask.flags = tcp && draw(6) == 0 ? MR_TCP_SYN : 0;
		items[n++] = (struct mr_flow_item){ tcp ? MR_FLOW_ITEM_TCP : MR_FLOW_ITEM_UDP, &l4,
			draw(2) ? &last : NULL, &l4_mask };
	}
	if (draw(2))
		actions[a++] = (struct mr_flow_action){ .type = MR_FLOW_ACTION_COUNT };
	if (draw(3) == 0)
		actions[a++] =
		    (struct mr_flow_action){ .type = draw(2) ? MR_FLOW_ACTION_SET_DST_IP4
							     : MR_FLOW_ACTION_SET_SRC_IP4,
			    .bytes = { 10, 0, (uint8_t)draw(2), (uint8_t)draw(4) } };
	if (draw(3) == 0)
		actions[a++] = (struct mr_flow_action){ .type = MR_FLOW_ACTION_SET_DST_PORT,
			.number = 50 + draw(8) };
	if (draw(4) == 0)
		actions[a++] = (struct mr_flow_action){ .type = MR_FLOW_ACTION_DEC_TTL };
	if (draw(5) == 0)
		actions[a++] = (struct mr_flow_action){ .type = draw(2) ? MR_FLOW_ACTION_PUSH_VLAN
									: MR_FLOW_ACTION_POP_VLAN,
			.number = 9 };
	switch (draw(5)) {
	case 0:
		actions[a++] = (struct mr_flow_action){ .type = MR_FLOW_ACTION_DROP };
		break;
	case 1:
		actions[a++] = (struct mr_flow_action){ .type = MR_FLOW_ACTION_PASS };
		break;
	case 2:
		if (group < 3) {
			actions[a++] = (struct mr_flow_action){ .type = MR_FLOW_ACTION_JUMP,
				.number = group + 1 };
			break;
		}
		/* fallthrough */
	default:
		actions[a++] =
		    (struct mr_flow_action){ .type = MR_FLOW_ACTION_OUTPUT, .number = draw(PORTS) };
	}
	for (unsigned s = 0; s < side_count; s++) {
		uint32_t given = add(&sides[s], group, priority, items, actions);

		assert_true(s == 0 || given == *rule);
		*rule = given;
	}
}

/* The first rule of a group, by looking at all of them. */
static const struct flow_rule *
scan(const struct side *s, unsigned group, unsigned port, const uint8_t *frame, unsigned len)
{
	const struct flow_rule *best = NULL;
	struct flow_packet f;
	struct {
		struct mr_packet p;
		uint8_t bytes[FRAME_MAX];
	} packet;

	mr_packet_init(&packet.p, sizeof(packet.p), (uint16_t)len, (uint16_t)port, 0);
	memcpy(packet.bytes, frame, len);
	flow_read(&f, &packet.p, mr_parse(&f.parsed, packet.bytes, len, len));
	for (uint32_t i = 1; i <= s->rules->place_top; i++) {
		const struct flow_rule *r = s->rules->places[i];

		if (r && !r->next && r->attr.group == group &&
		    (!best || r->attr.priority < best->attr.priority) &&
		    flow_matches(r, &f, packet.bytes))
			best = r;
	}
	return best;
}

static void
compare(struct side *sides, const uint32_t *rules, unsigned rule_count)
{
	for (unsigned i = 0; i < rule_count; i++) {
		struct mr_flow_count a = { 0 }, b = { 0 };
		int rc = mr_flow_rule_query(sides[0].rules, rules[i], &a);

		assert_int_equal(rc, mr_flow_rule_query(sides[1].rules, rules[i], &b));
		assert_int_equal(a.packets, b.packets);
		assert_int_equal(a.bytes, b.bytes);
	}
	for (unsigned d = 0; d < 5; d++)
		assert_int_equal(dropped(&sides[0], d), dropped(&sides[1], d));
}

/* Packets through both sides; what the first group does is also known from a scan. */
static void
push_both(struct side *sides)
{
	const struct flow_rule *first;
	uint8_t frame[FRAME_MAX];
	struct frame f;
	unsigned port = draw(PORTS), len;
	uint64_t before;

	draw_frame(&f);
	len = make(&f, frame);
	if (draw(20) == 0)
		len = draw(len);
	first = scan(&sides[0], 0, port, frame, len);
	before = dropped(&sides[0], 0);
	/* A flow's second packet is the lane's. */
	for (unsigned i = 0; i < 3; i++) {
		push(&sides[0], port, frame, len);
		push(&sides[1], port, frame, len);
	}
	assert_int_equal(sides[0].where, sides[1].where);
	assert_int_equal(sides[0].len, sides[1].len);
	assert_memory_equal(sides[0].bytes, sides[1].bytes, sides[0].len);
	if (!first) {
		assert_int_equal(sides[0].where, END);
		assert_memory_equal(sides[0].bytes, frame, MR_MIN(len, FRAME_MAX));
	} else if (first->actions[first->action_count - 1].type == MR_FLOW_ACTION_DROP) {
		assert_int_equal(sides[0].where, NOWHERE);
		assert_true(dropped(&sides[0], 0) > before || dropped(&sides[0], 2));
	} else if (first->action_count == 1) {
		const struct mr_flow_action *a = &first->actions[0];

		if (a->type == MR_FLOW_ACTION_PASS)
			assert_int_equal(sides[0].where, END);
		else if (a->type == MR_FLOW_ACTION_OUTPUT)
			assert_int_equal(sides[0].where, a->number);
	}
}

static void
random_rules_equal_a_scan(void **state)
{
	struct side sides[2];
	uint32_t rules[64];
	uint64_t replayed = 0;

	for (unsigned round = 0; round < 8; round++) {
		unsigned count = 0;

		seed = 77 + round;
		open_side(&sides[0], false);
		open_side(&sides[1], true);
		for (unsigned step = 0; step < 4; step++) {
			struct mr_flow_error error;
			unsigned gone;

			while (count < 40 + round * 3) {
				uint32_t priority = step * 1000 + 100 * draw(10) + count;

				draw_rule(sides, 2, draw(4), priority, &rules[count]);
				count++;
			}
			commit(&sides[0]);
			commit(&sides[1]);
			for (unsigned i = 0; i < 1500; i++)
				push_both(sides);
			mr_lane_settle(sides[1].lane);
			compare(sides, rules, count);
			for (unsigned i = 0; i < 10; i++) {
				gone = draw(count);
				for (unsigned s = 0; s < 2; s++)
					assert_int_equal(mr_flow_rule_destroy(sides[s].rules,
							     rules[gone], &error),
					    0);
				rules[gone] = rules[--count];
			}
		}
		replayed += lane_replayed(&sides[1]);
		close_side(&sides[0]);
		close_side(&sides[1]);
	}
	/* Else it says nothing about the lane. */
	assert_true(replayed > 8 * 4 * 1500 / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_rules_are_named),
		cmocka_unit_test(actions_change_frames),
		cmocka_unit_test(tags_and_marks),
		cmocka_unit_test(drops_have_names),
		cmocka_unit_test(counters_are_shared_and_rest),
		cmocka_unit_test(rooms_are_bounded),
		cmocka_unit_test(random_rules_equal_a_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
