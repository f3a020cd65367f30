/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What comes out of tunnels is replayed by the flow lane, and only that which may be. tn_run holds what leaves,
 * and tn_close what is counted, against the graph's.
 */

#include "nf/tunnel/tunnel_test_int.h"

#define MAGIC 0x57a3c19bu
#define TN_RUNS 6u

/* r4, r6 are routed; b4, b6 are in bridges; m has three remote ends, in a bridge. */
#define TUNNELS \
	"tunnel:\n" \
	"  r4: {local: 10.9.0.1, remote: [192.0.2.4], vxlan: {vni: 4}}\n" \
	"  r6: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::6\"], vxlan: {vni: 6}}\n" \
	"  b4: {local: 10.9.0.1, remote: [192.0.2.14], vxlan: {vni: 14}}\n" \
	"  b6: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::16\"], vxlan: {vni: 16}}\n"
#define MANY "  m: {local: 10.9.0.1, remote: [%s], vxlan: {vni: %u}, ageing-time: 10}\n"
#define BRIDGES \
	"bridge: {br4: {interface: [c, b4]}, br6: {interface: [d, b6]}, brm: {interface: [e, " \
	"m]}}\n"
#define THREE "192.0.2.31, 192.0.2.32, 192.0.2.33"

static char text[4096];

static struct tn_conf
conf_of(const char *remotes, unsigned vni, const char *more)
{
	struct tn_conf c = {
		.interfaces = ", r4: {driver: tunnel, mtu: 1800}, r6: {driver: tunnel, mtu: 1800}, "
			      "b4: {driver: tunnel, mtu: 1800}, b6: {driver: tunnel, mtu: 1800}, "
			      "m: {driver: tunnel, mtu: 1800}",
		.routed = "      r4: {mac: \"02:00:00:00:aa:04\", address: [10.4.0.1/24, "
			  "\"2001:db8:4::1/64\"], redirects: false, neighbor: "
			  "{duplicate-detection: false}}\n"
			  "      r6: {mac: \"02:00:00:00:aa:06\", address: [10.6.0.1/24, "
			  "\"2001:db8:6::1/64\"], redirects: false, neighbor: "
			  "{duplicate-detection: false}}\n",
		.neighbors = "        10.4.0.9: {interface: r4, mac: \"02:00:00:00:04:09\"}\n"
			     "        \"2001:db8:6::9\": {interface: r6, mac: "
			     "\"02:00:00:00:06:09\"}\n",
		.all = text,
	};

	snprintf(text, sizeof(text), TUNNELS MANY "%s%s", remotes, vni, BRIDGES, more);
	return c;
}

/* A remote end's headers. */
static struct tn_head
head_of(const char *remote, unsigned vni)
{
	bool six = strchr(remote, ':') != NULL;

	return (struct tn_head){ .port = 1,
		.to = 0xaa02,
		.from = 0x0902,
		.src = remote,
		.dst = six ? TN_LOCAL6 : TN_LOCAL4,
		.vni = vni,
		.udp = 4789,
		.ttl = 60 };
}

static void
say_flow(struct tn_frame *f, uint32_t flow, uint32_t serial)
{
	const uint32_t words[3] = { MAGIC, flow, serial };

	memcpy(f->bytes + f->len - sizeof(words), words, sizeof(words));
}

/* So many of these frames, each alone; returns how many were replayed. */
static uint64_t
send(struct tn_bed *t, const struct tn_head *head, const struct tn_talk *talk, unsigned payload,
    unsigned count, unsigned port)
{
	uint64_t before = tn_replayed(t);
	const struct tn_frame *one;
	struct tn_frame f, in;

	for (unsigned i = 0; i < count; i++) {
		tn_build(&in, 0, talk, payload);
		tn_wrap(&f, head, 50000, &in);
		tn_give(t, &f);
		tn_run(t);
		if (port == TN_OUT)
			assert_int_equal(t->out_count, 0);
		else
			assert_int_equal(tn_left(t, port, &one), 1);
	}
	return tn_replayed(t) - before;
}

/* Until there is nothing to learn: who is spoken to has been heard, and what was recorded before is tried
 * again. */
static void
settle(struct tn_bed *t, const struct tn_head *head, const struct tn_talk *talk, unsigned port)
{
	const struct tn_talk answer = { talk->from, talk->to, "10.77.9.1", "10.77.9.2", 1, 1, 0,
		false };
	struct tn_frame f;

	tn_build(&f, port, &answer, 1);
	if (port >= 2) {
		tn_give(t, &f);
		tn_run(t);
	}
	for (unsigned i = 0; i < 4; i++) {
		(void)send(t, head, talk, 40, 2, port);
		bed_tick(t->b, 1000);
	}
	(void)send(t, head, talk, 40, 2, port);
	assert_int_equal(send(t, head, talk, 40, TN_RUNS, port), TN_RUNS);
}

static const struct way {
	const char *remote;
	unsigned vni, port;
	struct tn_talk talk;
} ways[] = {
	{ "192.0.2.4", 4, 0, { 0xaa04, 0x0409, "10.4.0.9", "10.0.0.9", 53, 1000, 0, false } },
	{ "192.0.2.4", 4, 0,
	    { 0xaa04, 0x0409, "2001:db8:4::9", "2001:db8:0::9", 53, 1000, 0, true } },
	{ "2001:db8:ff::6", 6, 0, { 0xaa06, 0x0609, "10.6.0.9", "10.0.0.9", 53, 1000, 0, true } },
	{ "2001:db8:ff::6", 6, 0,
	    { 0xaa06, 0x0609, "2001:db8:6::9", "2001:db8:0::9", 53, 1000, 0, false } },
	{ "192.0.2.14", 14, 2, { 0x3002, 0x3001, "10.77.0.2", "10.77.0.1", 53, 1004, 0, false } },
	{ "192.0.2.14", 14, 2, { 0x3002, 0x3001, "fd77::2", "fd77::1", 53, 1004, 0, true } },
	{ "2001:db8:ff::16", 16, 3,
	    { 0x3002, 0x3001, "10.77.0.2", "10.77.0.1", 80, 1005, 0, true } },
	{ "2001:db8:ff::16", 16, 3, { 0x3002, 0x3001, "fd77::2", "fd77::1", 80, 1005, 0, false } },
	{ "192.0.2.31", 30, 4, { 0x3102, 0x3101, "10.77.0.2", "10.77.0.1", 80, 1, 0, true } },
};

/* All that differs between packets of a flow, and is no reason to walk. */
static void
ways_are_replayed(void **state)
{
	struct tn_conf c = conf_of(THREE, 30, "");
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		struct tn_head head = head_of(ways[i].remote, ways[i].vni);
		struct tn_talk talk = ways[i].talk;

		settle(&t, &head, &talk, ways[i].port);
		for (unsigned len = 0; len < 1400; len += len < 30 ? 1 : 111)
			assert_int_equal(send(&t, &head, &talk, len, 1, ways[i].port), 1);
		head.ttl = 2;
		talk.class = 0xb8;
		assert_int_equal(send(&t, &head, &talk, 9, 2, ways[i].port), 2);
	}
	tn_close(&t);
}

/* What is a reason. */
static void
guards_hold(void **state)
{
	struct tn_conf c = conf_of(THREE, 30, "");
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		const struct tn_head head = head_of(ways[i].remote, ways[i].vni);
		struct tn_head other = head;
		struct tn_talk talk = ways[i].talk;
		const struct tn_frame *one;
		struct tn_frame f, in;
		uint64_t before;

		settle(&t, &head, &talk, ways[i].port);
		/* Congestion, which a frame that has not said that it cares dies of. */
		other.class = 3;
		assert_int_equal(send(&t, &other, &talk, 40, 2, TN_OUT), 0);
		talk.class = 2;
		assert_int_equal(send(&t, &other, &talk, 40, 2, ways[i].port), 0);
		/* Another source port is none, as nobody has read it. */
		talk = ways[i].talk;
		before = tn_replayed(&t);
		tn_build(&in, 0, &talk, 40);
		tn_wrap(&f, &head, 50001, &in);
		one = tn_one(&t, &f);
		assert_true(one && one->port == ways[i].port);
		assert_int_equal(tn_replayed(&t), before + 1);
		/* Bytes behind it all; a TTL that ends. */
		before = tn_replayed(&t);
		tn_wrap(&f, &head, 50000, &in);
		f.len += 5;
		one = tn_one(&t, &f);
		assert_true(one && one->port == ways[i].port);
		assert_int_equal(tn_replayed(&t), before);
		other = head;
		other.vni++;
		assert_int_equal(send(&t, &other, &talk, 40, 3, TN_OUT), 0);
		assert_int_equal(send(&t, &head, &talk, 40, 3, ways[i].port), 3);
	}
	tn_close(&t);
}

/* The same packet from two remote ends and of two networks; and to the router as it is. */
static void
flows_are_told_apart(void **state)
{
	static const struct tn_talk talk = { 0x3002, 0x3001, "10.4.0.9", "10.0.0.9", 53, 1004, 0,
		false };
	struct tn_talk routed = talk, plain = talk;
	const struct tn_head heads[] = { head_of("192.0.2.14", 14), head_of("2001:db8:ff::16", 16),
		head_of("192.0.2.31", 30), head_of("192.0.2.4", 4) };
	static const unsigned ports[] = { 2, 3, 4, 0 };
	struct tn_conf c = conf_of(THREE, 30, "");
	const struct tn_frame *one;
	struct tn_frame f, in;
	uint64_t before = 0;
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	routed.to = 0xaa04;
	plain.to = 0xaa02;
	for (unsigned i = 0; i < 4; i++)
		settle(&t, &heads[i], i == 3 ? &routed : &talk, ports[i]);
	for (unsigned round = 0; round < 8; round++) {
		if (round == 6)
			before = tn_replayed(&t);
		for (unsigned i = 0; i < 4; i++) {
			tn_build(&in, 0, i == 3 ? &routed : &talk, 40);
			say_flow(&in, i + 1, round);
			tn_wrap(&f, &heads[i], 50000, &in);
			tn_give(&t, &f);
		}
		/* Without a tunnel: it comes in on the underlay's interface, and goes where it says. */
		tn_build(&f, 1, &plain, 40);
		say_flow(&f, 5, round);
		tn_give(&t, &f);
		tn_run(&t);
		assert_int_equal(t.out_count, 5);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(tn_left(&t, ports[i], &one), ports[i] ? 1 : 2);
	}
	assert_int_equal(tn_replayed(&t) - before, 10);
	tn_close(&t);
}

/* Stations that only replays speak of stay known, behind the end where they are; others age. */
static void
stations_stay_heard(void **state)
{
	static const struct tn_talk talk = { 0x3102, 0x3101, "10.77.0.2", "10.77.0.1", 80, 1, 0,
		true };
	static const struct tn_talk once = { 0x3102, 0x3109, "10.77.0.9", "10.77.0.1", 80, 1, 0,
		true };
	static const struct tn_talk back = { 0x3101, 0x3102, "10.77.0.1", "10.77.0.2", 1, 80, 0,
		true };
	const struct tn_head at = head_of("192.0.2.31", 30), elsewhere = head_of("192.0.2.32", 30);
	struct tn_conf c = conf_of(THREE, 30, "");
	const struct tn_frame *one;
	struct tn_talk to_once = back;
	struct tn_frame f;
	struct tn_bed t;
	uint64_t walked;

	(void)state;
	tn_open(&t, &c);
	(void)send(&t, &at, &once, 40, 1, 4);
	settle(&t, &at, &talk, 4);
	walked = 0;
	for (unsigned s = 0; s < 30; s++) {
		bed_tick(t.b, 1000);
		walked += 3 - send(&t, &at, &talk, 40, 3, 4);
	}
	/* One, because the other one aged: what is decided by stations is decided again. */
	assert_true(walked <= 4);
	tn_build(&f, 4, &back, 20);
	tn_give(&t, &f);
	tn_run(&t);
	assert_int_equal(tn_left(&t, 1, &one), 1);
	to_once.to = 0x3109;
	tn_build(&f, 4, &to_once, 20);
	tn_give(&t, &f);
	tn_run(&t);
	assert_int_equal(tn_left(&t, 1, &one), 3);
	/* It moves: from there on, it is spoken to there. */
	(void)send(&t, &elsewhere, &talk, 40, 8, 4);
	assert_int_equal(send(&t, &elsewhere, &talk, 40, 3, 4), 3);
	tn_build(&f, 4, &back, 20);
	tn_give(&t, &f);
	tn_run(&t);
	assert_int_equal(tn_left(&t, 1, &one), 1);
	assert_int_equal(one->bytes[14 + 19], 32);
	/* And back, with a flow that is known from before. */
	(void)send(&t, &at, &talk, 40, 1, 4);
	tn_give(&t, &f);
	tn_run(&t);
	assert_int_equal(tn_left(&t, 1, &one), 1);
	assert_int_equal(one->bytes[14 + 19], 31);
	tn_close(&t);
}

/* No packet is done to as an earlier configuration says. */
static void
changes_hold(void **state)
{
	static const struct tn_talk talk = { 0x3102, 0x3101, "10.77.0.2", "10.77.0.1", 80, 1, 0,
		true };
	struct tn_head at = head_of("192.0.2.31", 30);
	struct tn_conf c = conf_of(THREE, 30, "");
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	for (unsigned round = 0; round < 2; round++) {
		settle(&t, &at, &talk, 4);
		c = conf_of("192.0.2.32, 192.0.2.33", 30, "");
		tn_apply(&t, &c);
		assert_int_equal(send(&t, &at, &talk, 40, 3, TN_OUT), 0);
		c = conf_of(THREE, 30, "");
		tn_apply(&t, &c);
		settle(&t, &at, &talk, 4);
		c = conf_of(THREE, 33, "");
		tn_apply(&t, &c);
		assert_int_equal(send(&t, &at, &talk, 40, 3, TN_OUT), 0);
		at.vni = 33;
		settle(&t, &at, &talk, 4);
		/* The network is another tunnel's now, whose frames go elsewhere. */
		at.vni = 30;
		c = conf_of(THREE, 30, "");
		tn_apply(&t, &c);
		settle(&t, &at, &talk, 4);
		snprintf(text, sizeof(text),
		    TUNNELS "  n: {local: 10.9.0.1, remote: [192.0.2.31], vxlan: {vni: 30}}\n"
			    "bridge: {br4: {interface: [c, b4]}, br6: {interface: [d, b6]}, brn: "
			    "{interface: [f, n]}}\n");
		c.interfaces = ", r4: {driver: tunnel}, r6: {driver: tunnel}, b4: {driver: "
			       "tunnel}, b6: {driver: tunnel}, n: {driver: tunnel}";
		tn_apply(&t, &c);
		settle(&t, &at, &talk, 5);
		c = conf_of(THREE, 30, "");
		tn_apply(&t, &c);
		(void)send(&t, &at, &talk, 40, 3, 4);
	}
	tn_close(&t);
}

/* Out of one tunnel, and into another. */
static void
tunnel_to_tunnel(void **state)
{
	static const struct tn_talk talk = { 0xaa04, 0x0409, "2001:db8:4::9", "2001:db8:6::9", 53,
		1000, 0, true };
	const struct tn_head in_head = head_of("192.0.2.4", 4);
	struct tn_head out = { 1, 0, 0x0902, 0xaa02, TN_LOCAL6, "2001:db8:ff::6", 6, 4789, 64, 0,
		false, false };
	struct tn_conf c = conf_of(THREE, 30, "");
	struct tn_frame f, in, want;
	const struct tn_frame *got;
	struct tn_bed t;
	uint64_t before;

	(void)state;
	tn_open(&t, &c);
	for (unsigned i = 0; i < 12; i++) {
		tn_build(&in, 0, &talk, 100 + 9 * i);
		tn_wrap(&f, &in_head, 50000, &in);
		before = tn_replayed(&t);
		got = tn_one(&t, &f);
		want = in;
		tn_route(&want, 0x0609, 0xaa06);
		(void)tn_check(got, &out, &want);
		assert_true(i < 4 || tn_replayed(&t) - before == 1);
	}
	tn_close(&t);
}

/* A frame that walks is not overtaken by others of its flow, nor by those of others' flows it takes along. */
static void
order_is_kept(void **state)
{
	struct tn_conf c = conf_of(THREE, 30, "");
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		const struct tn_head head = head_of(ways[i].remote, ways[i].vni);

		settle(&t, &head, &ways[i].talk, ways[i].port);
		for (unsigned odd = 0; odd < 4; odd++) {
			const struct tn_meta split = { .split = odd == 1 ? 70 : 0 };
			uint64_t before = tn_replayed(&t);

			for (unsigned k = 0; k < 9; k++) {
				static const struct tn_meta none;
				struct tn_head marked = head;
				struct tn_frame f, in;

				marked.class = odd == 3 && k == 4 ? 1 : 0;
				tn_build(&in, 0, &ways[i].talk, 60);
				say_flow(&in, 77, k);
				tn_wrap(&f, &marked, 50000, &in);
				f.len += odd == 2 && k == 4 ? 3 : 0;
				if (odd == 0 && k == 4) {
					tn_tag(&in, 0);
					tn_wrap(&f, &marked, 50000, &in);
				}
				tn_give_as(&t, &f, k == 4 ? &split : &none);
			}
			tn_run(&t);
			/* Those before it have no reason to walk. */
			assert_true(tn_replayed(&t) - before <= 8);
		}
	}
	tn_close(&t);
}

/* Rules and connections behind the tunnel's interface, and on the underlay. */
static void
rules_and_connections(void **state)
{
	static const char *const more[] = {
		"acl: {list: {l: {default: accept, stateful: true, rule: [{name: r, protocol: udp, "
		"destination-port: \"9\", action: drop}]}}, interface: {r4: {in: l}, r6: {in: l}, "
		"b4: {in: l}, a: {out: l}}}\n",
		"acl: {list: {l: {default: accept, stateful: true, rule: [{name: r, protocol: udp, "
		"source-port: \"50000\", action: continue}]}}, interface: {b: {in: l, out: l}}}\n",
		"acl: {list: {l: {default: drop, stateful: true, rule: [{name: r, state: "
		"[untracked], action: accept}]}}, interface: {b: {in: l}}}\n"
		"conntrack: {interface: {r4: {}, b: {}}}\n",
		"nat: {instance: {n: {outside: [a], pool: [10.0.0.200-10.0.0.203]}}}\n",
		"nat: {instance: {n: {outside: [b], pool: [10.9.0.200-10.9.0.203]}}}\n",
	};
	struct tn_bed t;
	uint64_t sum = 0;

	(void)state;
	for (unsigned n = 0; n < MR_ARRAY_COUNT(more); n++) {
		struct tn_conf c = conf_of(THREE, 30, more[n]);

		tn_open(&t, &c);
		for (unsigned s = 0; s < 3; s++) {
			for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
				const struct tn_head head = head_of(ways[i].remote, ways[i].vni);

				sum += send(&t, &head, &ways[i].talk, 40, 8, ways[i].port);
			}
			bed_tick(t.b, 1000);
			bed_compare(t.b, true);
		}
		tn_close(&t);
	}
	assert_true(sum > 300);
}

/* The way to a remote end leads into its tunnel: whatever is put around a frame, there is an end to it. */
static void
ways_into_themselves(void **state)
{
	static const char *const routes[] = {
		"      192.0.2.4/32: {via: 10.4.0.9}\n",
		"      192.0.2.4/32: {via: 10.6.0.9}\n      \"2001:db8:ff::6/128\": {via: "
		"\"2001:db8:4::9\"}\n",
	};
	static const struct tn_talk talk = { 0xaa01, 9, "10.0.0.9", "10.4.0.9", 53, 1000, 0,
		false };
	struct tn_conf c = conf_of(THREE, 30, "");
	struct tn_frame f;
	struct tn_bed t;

	(void)state;
	c.neighbors = "        10.4.0.9: {interface: r4, mac: \"02:00:00:00:04:09\"}\n"
		      "        10.6.0.9: {interface: r6, mac: \"02:00:00:00:06:09\"}\n"
		      "        \"2001:db8:4::9\": {interface: r4, mac: \"02:00:00:00:04:09\"}\n"
		      "        \"2001:db8:6::9\": {interface: r6, mac: \"02:00:00:00:06:09\"}\n";
	for (unsigned n = 0; n < 4; n++) {
		snprintf(text, sizeof(text),
		    "tunnel:\n"
		    "  r4: {local: 10.9.0.1, remote: [192.0.2.4], vxlan: {vni: 4}, fragment: %s}\n"
		    "  r6: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::6\"], vxlan: {vni: "
		    "6}}\n",
		    n & 1 ? "true" : "false");
		c.interfaces = ", r4: {driver: tunnel, mtu: 1500}, r6: {driver: tunnel, mtu: 1500}";
		c.routes = routes[n / 2];
		tn_open(&t, &c);
		for (unsigned i = 0; i < 6; i++) {
			tn_build(&f, 0, &talk, i < 3 ? 100 : 1450);
			tn_give(&t, &f);
			tn_run(&t);
		}
		assert_true(tn_drops(&t, "tunnel-out", n & 1 ? "tunnel-loop" : "no-headroom") > 0);
		tn_close(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways_are_replayed),
		cmocka_unit_test(guards_hold),
		cmocka_unit_test(flows_are_told_apart),
		cmocka_unit_test(stations_stay_heard),
		cmocka_unit_test(changes_hold),
		cmocka_unit_test(tunnel_to_tunnel),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(rules_and_connections),
		cmocka_unit_test(ways_into_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
