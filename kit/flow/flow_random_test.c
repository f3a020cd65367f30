/* SPDX-License-Identifier: Apache-2.0 */

/* Random flow rules and packets against a scan of all rules, with and without the flow lane in front. */

#include "kit/flow/flow_test_int.h"

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
		cmocka_unit_test(random_rules_equal_a_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
