/* SPDX-License-Identifier: Apache-2.0 */

/* Flow rules: what is wrong with patterns and actions, and what packets are done to. */

#include "kit/flow/flow_test_int.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
