/* SPDX-License-Identifier: Apache-2.0 */

/* Frames into tunnels, by the graph and by the flow lane: what leaves is the same, and byte by byte what
 * RFC 7348 says; the lane replays frames of other lengths than the one it looked on with. */

#include "nf/tunnel/tunnel_test_int.h"

#define TUNNELS \
	"tunnel:\n" \
	"  r4: {local: 10.9.0.1, remote: [192.0.2.4], vxlan: {vni: 4}}\n" \
	"  r6: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::6\"], vxlan: {vni: 1193046}, " \
	"ttl: 9}\n" \
	"  b4: {local: 10.9.0.1, remote: [192.0.2.14], vxlan: {vni: 14, port: 8472}, ttl: " \
	"255%s}\n" \
	"  b6: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::16\"], vxlan: {vni: " \
	"16777215}%s}\n"
/* Where the station spoken to is, is known: what is flooded is not replayed. */
#define STATION(tunnel) "static: [{mac: \"02:00:00:00:30:01\", vlan: 0, interface: " tunnel "}]"
#define BRIDGES \
	"bridge: {br4: {interface: [c, b4], " STATION( \
	    "b4") "}, br6: {interface: [d, b6], " STATION("b6") "}}\n"

static const struct tn_conf base = {
	.interfaces = ", r4: {driver: tunnel, mtu: 1800}, r6: {driver: tunnel, mtu: 1800}, b4: "
		      "{driver: tunnel, mtu: 1800}, b6: {driver: tunnel, mtu: 1800}",
	.routed =
	    "      r4: {mac: \"02:00:00:00:aa:04\", address: [10.4.0.1/24, \"2001:db8:4::1/64\"], "
	    "redirects: false, neighbor: {duplicate-detection: false}}\n"
	    "      r6: {mac: \"02:00:00:00:aa:06\", address: [10.6.0.1/24, \"2001:db8:6::1/64\"], "
	    "redirects: false, neighbor: {duplicate-detection: false}}\n",
	.neighbors = "        10.4.0.9: {interface: r4, mac: \"02:00:00:00:04:09\"}\n"
		     "        \"2001:db8:4::9\": {interface: r4, mac: \"02:00:00:00:04:09\"}\n"
		     "        10.6.0.9: {interface: r6, mac: \"02:00:00:00:06:09\"}\n"
		     "        \"2001:db8:6::9\": {interface: r6, mac: \"02:00:00:00:06:09\"}\n",
};

/* Each way into a tunnel: the frame that goes in, and what is around it when it leaves. */
static const struct way {
	unsigned port;
	struct tn_talk talk;
	bool routed;
	unsigned to, from; /* on the tunnel, where it is routed */
	struct tn_head head;
} ways[] = {
#define TO4(vni, udp, ttl, remote) \
	{ \
		1, 0, 0x0902, 0xaa02, TN_LOCAL4, "192.0.2." #remote, vni, udp, ttl, 0, false, \
		    false \
	}
#define TO6(vni, udp, ttl, remote) \
	{ \
		1, 0, 0x0902, 0xaa02, TN_LOCAL6, "2001:db8:ff::" #remote, vni, udp, ttl, 0, false, \
		    false \
	}
	{ 0, { 0xaa01, 9, "10.0.0.9", "10.4.0.9", 1000, 53, 0, false }, true, 0x0409, 0xaa04,
	    TO4(4, 4789, 64, 4) },
	{ 0, { 0xaa01, 9, "2001:db8:0::9", "2001:db8:4::9", 1001, 80, 0, true }, true, 0x0409,
	    0xaa04, TO4(4, 4789, 64, 4) },
	{ 0, { 0xaa01, 9, "10.0.0.9", "10.6.0.9", 1002, 80, 0, true }, true, 0x0609, 0xaa06,
	    TO6(0x123456, 4789, 9, 6) },
	{ 0, { 0xaa01, 9, "2001:db8:0::9", "2001:db8:6::9", 1003, 53, 0, false }, true, 0x0609,
	    0xaa06, TO6(0x123456, 4789, 9, 6) },
	{ 2, { 0x3001, 0x3002, "10.77.0.1", "10.77.0.2", 1004, 53, 0, false }, false, 0, 0,
	    TO4(14, 8472, 255, 14) },
	{ 2, { 0x3001, 0x3002, "fd77::1", "fd77::2", 1005, 80, 0, true }, false, 0, 0,
	    TO4(14, 8472, 255, 14) },
	{ 3, { 0x3001, 0x3002, "10.77.0.1", "10.77.0.2", 1006, 80, 0, true }, false, 0, 0,
	    TO6(0xffffff, 4789, 64, 16) },
	{ 3, { 0x3001, 0x3002, "fd77::1", "fd77::2", 1007, 53, 0, false }, false, 0, 0,
	    TO6(0xffffff, 4789, 64, 16) },
};

static void
open_with(struct tn_bed *t, const char *more4, const char *more6, struct tn_conf c)
{
	static char all[4096];
	size_t n = (size_t)snprintf(all, sizeof(all), TUNNELS, more4, more6);

	snprintf(all + n, sizeof(all) - n, BRIDGES "%s", c.all ? c.all : "");
	c.all = all;
	tn_open(t, &c);
}

/* Sends a frame, which leaves as the oracle says. */
static uint16_t
through(struct tn_bed *t, const struct way *w, const struct tn_frame *f, const struct tn_head *h)
{
	const struct tn_frame *got = tn_one(t, f);
	struct tn_frame inner = *f;

	if (w->routed)
		tn_route(&inner, w->to, w->from);
	return tn_check(got, h, &inner);
}

static void
lengths(void **state)
{
	uint64_t sent = 0;
	struct tn_bed t;

	(void)state;
	open_with(&t, "", "", base);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		uint16_t sport = 0;

		for (unsigned size = 0; size < 1700; size += size < 32 ? 1 : 61, sent++) {
			struct tn_frame f;
			uint16_t said;

			/* Long and short ones in turn. */
			tn_build(&f, ways[i].port, &ways[i].talk,
			    size & 1 ? 1600 - size / 2 : size);
			said = through(&t, &ways[i], &f, &ways[i].head);
			assert_true(!sport || sport == said);
			sport = said;
		}
	}
	assert_true(tn_replayed(&t) > sent * 9 / 10);
	tn_close(&t);
}

/* UDP's source port is a flow's, and says which it is. */
static void
flows(void **state)
{
	unsigned same = 0, all = 0;
	struct tn_bed t;

	(void)state;
	open_with(&t, "", "", base);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		uint16_t sports[16];

		for (unsigned round = 0; round < 3; round++) {
			for (unsigned n = 0; n < 16; n++) {
				struct tn_talk talk = ways[i].talk;
				struct tn_frame f;
				uint16_t said;

				talk.sport += n;
				tn_build(&f, ways[i].port, &talk, 40 * round);
				said = through(&t, &ways[i], &f, &ways[i].head);
				if (round)
					assert_int_equal(said, sports[n]);
				sports[n] = said;
			}
		}
		for (unsigned n = 1; n < 16; n++, all++)
			same += sports[n] == sports[n - 1];
	}
	assert_true(same * 20 < all);
	tn_close(&t);
}

/* Of a flow for each class; then of one flow, which changes it. */
static void
each_class(struct tn_bed *t, int dscp)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		bool fixed = dscp >= 0 && !ways[i].routed;
		struct tn_head head = ways[i].head;

		for (unsigned n = 0; n < 4 * 256; n++) {
			unsigned class = n / 4 * 37 % 256;
			struct tn_talk talk = ways[i].talk;
			struct tn_frame f;

			talk.class = class;
			head.class = fixed ? ((unsigned)dscp << 2 | (class & 3)) : class;
			talk.sport += n % 4 < 3 ? class : 0;
			tn_build(&f, ways[i].port, &talk, 20 + n % 100);
			(void)through(t, &ways[i], &f, &head);
		}
	}
}

static void
classes(void **state)
{
	struct tn_bed t;

	(void)state;
	open_with(&t, "", "", base);
	each_class(&t, -1);
	assert_true(tn_replayed(&t) > 500);
	tn_close(&t);
	open_with(&t, ", dscp: 46", ", dscp: 46", base);
	each_class(&t, 46);
	assert_true(tn_replayed(&t) > 500);
	tn_close(&t);
}

/* The class is found behind tags of the frame; with what is not IP, it is none's. */
static void
what_bridges_carry(void **state)
{
	struct tn_bed t;

	(void)state;
	open_with(&t, "", ", dscp: 8", base);
	for (unsigned i = 4; i < MR_ARRAY_COUNT(ways); i++) {
		unsigned fixed = i >= 6 ? 8 << 2 : 0;
		struct tn_talk talk = ways[i].talk;
		struct tn_head head = ways[i].head;
		struct tn_frame f;

		talk.class = 0xb9;
		for (unsigned tags = 0; tags < 4; tags++) {
			head.class = fixed ? fixed | 1 : 0xb9;
			if (tags == 3)
				head.class = fixed;
			for (unsigned n = 0; n < 10; n++) {
				tn_build(&f, ways[i].port, &talk, 10 + n);
				for (unsigned k = 0; k < tags; k++)
					tn_tag(&f, 100 + k);
				(void)through(&t, &ways[i], &f, &head);
			}
		}
		/* Of other types, and too short for what they say. */
		head.class = fixed;
		for (unsigned len = 14; len < 60; len++) {
			tn_build(&f, ways[i].port, &talk, 20);
			tn_put16(f.bytes + 12, len & 1 ? 0x88b5 : 0x0806);
			f.len = len;
			(void)through(&t, &ways[i], &f, &head);
		}
		for (unsigned len = 14; len < 34; len++) {
			tn_build(&f, ways[i].port, &talk, 20);
			f.len = len;
			(void)through(&t, &ways[i], &f, &head);
		}
		for (unsigned len = 18; len < 38; len++) {
			tn_build(&f, ways[i].port, &talk, 20);
			tn_tag(&f, 5);
			f.len = len;
			(void)through(&t, &ways[i], &f, &head);
		}
	}
	tn_close(&t);
}

static void
tagged_underlay(void **state)
{
	struct tn_conf c = base;
	struct tn_bed t;

	(void)state;
	c.underlay = ".7";
	open_with(&t, "", "", c);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		struct tn_head head = ways[i].head;
		struct tn_frame f;

		head.vlan = 7;
		for (unsigned n = 0; n < 30; n++) {
			tn_build(&f, ways[i].port, &ways[i].talk, n * 37);
			(void)through(&t, &ways[i], &f, &head);
		}
	}
	assert_true(tn_replayed(&t) > 200);
	tn_close(&t);
}

static void
checksums(void **state)
{
	struct tn_bed t;

	(void)state;
	open_with(&t, ", udp-checksum: true", ", udp-checksum: true", base);
	for (unsigned i = 4; i < MR_ARRAY_COUNT(ways); i++) {
		struct tn_head head = ways[i].head;
		struct tn_frame f;

		head.checksum = true;
		for (unsigned n = 0; n < 60; n++) {
			tn_build(&f, ways[i].port, &ways[i].talk, n * 27);
			(void)through(&t, &ways[i], &f, &head);
		}
	}
	tn_close(&t);
}

/* Rules, connections and translation before a tunnel are the frame's; behind it, the tunnel's. */
static void
functions_before(void **state)
{
	static const char all[] =
	    "acl:\n  list:\n"
	    "    in: {default: accept, rule: [{name: x, protocol: udp, destination-port: \"9990\", "
	    "action: drop}]}\n"
	    "    out: {default: accept, rule: [{name: x, protocol: udp, destination-port: "
	    "\"4789\", "
	    "destination: 192.0.2.99, action: drop}]}\n"
	    "  interface:\n    a: {in: in}\n    b: {out: out}\n"
	    "conntrack: {interface: [a, b, r4, r6]}\n"
	    "nat: {instance: {n: {outside: [r4], inside: [a], hold-syn: 0}, m: {outside: [b], "
	    "inside: [a], hold-syn: 0}}}\n";
	struct tn_conf c = base;
	struct tn_bed t;

	(void)state;
	c.all = all;
	open_with(&t, "", "", c);
	for (unsigned n = 0; n < 40; n++) {
		uint64_t untracked = tn_count(&t, "track", "untracked");
		struct tn_talk talk = ways[0].talk;
		struct tn_frame f;
		const uint8_t *inner;
		uint16_t sport;
		unsigned len;

		tn_build(&f, 0, &talk, n * 30);
		inner = tn_unwrap(tn_one(&t, &f), &ways[0].head, &len, &sport);
		assert_int_equal(len, f.len);
		tn_check_sums(inner, len);
		assert_memory_equal(inner + 26, "\xa\4\0\1", 4); /* r4's own */
		assert_memory_equal(inner + 30, "\xa\4\0\11", 4);
		tn_build(&f, 0, &ways[2].talk, n * 30);
		(void)through(&t, &ways[2], &f, &ways[2].head);
		/* The outer ones are no connections', whatever was known of what is in them. */
		assert_int_equal(tn_count(&t, "track", "untracked") - untracked, 2);
		talk.dport = 9990;
		tn_build(&f, 0, &talk, n * 30);
		assert_null(tn_one(&t, &f));
	}
	assert_int_equal(tn_drops(&t, "acl-in", "acl-drop"), 40);
	assert_true(tn_replayed(&t) > 60);
	tn_close(&t);
}

/* -- what does not go through -------------------------------------------------------------- */

/* Pieces of one packet, in order; what they are pieces of. */
static unsigned
put_together(const struct tn_bed *t, struct tn_frame *whole)
{
	unsigned l3len = 20;

	*whole = t->out[0];
	for (unsigned i = 0; i < t->out_count; i++) {
		const uint8_t *ip = t->out[i].bytes + 14;
		unsigned at = (tn_get16(ip + 6) & 0x1fffu) * 8, len = tn_get16(ip + 2) - 20u;

		assert_int_equal(tn_sum(ip, 20, 0), 0xffff);
		if (at == 0)
			memcpy(whole->bytes, t->out[i].bytes, 34);
		memcpy(whole->bytes + 34 + at, ip + 20, len);
		l3len += len;
	}
	whole->len = 14 + l3len;
	tn_put16(whole->bytes + 16, l3len);
	tn_put16(whole->bytes + 18, 0);
	tn_put16(whole->bytes + 20, 0);
	tn_put16(whole->bytes + 24, 0);
	tn_put16(whole->bytes + 24, (uint16_t)~tn_sum(whole->bytes + 14, 20, 0));
	return t->out_count;
}

static void
too_big(void **state)
{
	struct tn_conf c = base;
	struct tn_bed t;

	(void)state;
	c.mtu = 1000;
	open_with(&t, ", fragment: false", "", c);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		bool cut = ways[i].head.vni == 4, six = strchr(ways[i].head.src, ':');
		unsigned around = six ? 56 : 36, fits;
		struct tn_head head = ways[i].head;
		uint64_t before = tn_drops(&t, "tunnel-out", "too-big");
		uint64_t cuts = tn_count(&t, "tunnel-out", "fragmented");
		struct tn_frame f, whole;

		tn_build(&f, ways[i].port, &ways[i].talk, 0);
		fits = 1000 - around - f.len;
		for (unsigned n = 0; n < 4; n++) {
			tn_build(&f, ways[i].port, &ways[i].talk, fits - n % 2);
			(void)through(&t, &ways[i], &f, &head);
			tn_build(&f, ways[i].port, &ways[i].talk, fits + 1 + n * 50);
			tn_give(&t, &f);
			tn_run(&t);
			assert_int_equal(t.out_count, cut ? 2 : 0);
			if (!cut)
				continue;
			(void)put_together(&t, &whole);
			tn_route(&f, ways[i].to, ways[i].from);
			head.may_cut = true;
			(void)tn_check(&whole, &head, &f);
			head.may_cut = false;
		}
		assert_int_equal(tn_drops(&t, "tunnel-out", "too-big") - before, cut ? 0 : 4);
		assert_int_equal(tn_count(&t, "tunnel-out", "fragmented") - cuts, cut ? 4 : 0);
	}
	tn_close(&t);
}

/* Routes that go take the way with them within a second. */
static void
no_way(void **state)
{
	struct tn_conf c = base;
	struct tn_frame f;
	struct tn_bed t;

	(void)state;
	c.all = "tunnel: {b4: {local: 10.9.0.1, remote: [198.51.100.4], vxlan: {vni: 1}}}\n"
		"bridge: {br4: {interface: [c, b4]}}\n";
	c.interfaces = ", b4: {driver: tunnel, mtu: 1800}";
	c.routed = c.neighbors = NULL;
	tn_open(&t, &c);
	for (unsigned n = 0; n < 4; n++) {
		tn_build(&f, 2, &ways[4].talk, n);
		assert_null(tn_one(&t, &f));
	}
	assert_int_equal(tn_drops(&t, "tunnel-out", "no-way"), 4);
	c.routes = "      198.51.100.0/24: {via: 10.9.0.2}\n";
	tn_apply(&t, &c);
	bed_tick(t.b, 1000);
	for (unsigned n = 0; n < 4; n++) {
		tn_build(&f, 2, &ways[4].talk, n);
		assert_non_null(tn_one(&t, &f));
	}
	c.routes = NULL;
	tn_apply(&t, &c);
	bed_tick(t.b, 1000);
	tn_build(&f, 2, &ways[4].talk, 9);
	assert_null(tn_one(&t, &f));
	assert_int_equal(tn_drops(&t, "tunnel-out", "no-way"), 5);
	tn_close(&t);
}

/* Tunnels whose way out is another tunnel: the room before a packet has an end. */
#define DEEP 6u

static const struct tn_conf *
nested(void)
{
	static char interfaces[1024], routed[2048], neighbors[2048], all[2048];
	static struct tn_conf c = {
		.interfaces = interfaces,
		.routed = routed,
		.neighbors = neighbors,
		.all = all,
	};
	struct bed_text i = { interfaces, 0, sizeof(interfaces) };
	struct bed_text r = { routed, 0, sizeof(routed) };
	struct bed_text n = { neighbors, 0, sizeof(neighbors) };
	struct bed_text a = { all, 0, sizeof(all) };

	bed_say(&a, "tunnel:\n");
	for (unsigned k = 1; k <= DEEP; k++) {
		char remote[32] = "192.0.2.4";

		/* The remote end of each is behind the one before. */
		if (k > 1)
			snprintf(remote, sizeof(remote), "10.%u.0.9", 39 + k);
		bed_say(&i, ", t%u: {driver: tunnel, mtu: 1800}", k);
		bed_say(&r,
		    "      t%u: {mac: \"02:00:00:00:aa:%02x\", address: [10.%u.0.1/24], redirects: "
		    "false}\n",
		    k, k + 64, k + 40);
		bed_say(&n, "        10.%u.0.9: {interface: t%u, mac: \"02:00:00:00:%02x:09\"}\n",
		    k + 40, k, k + 64);
		bed_say(&a, "  t%u: {local: 10.9.0.1, remote: [%s], vxlan: {vni: %u}}\n", k, remote,
		    k);
	}
	return &c;
}

/* What a frame to tunnel `depth` is when it leaves, but for ports, which are those of `got`. */
static void
wrap_deep(struct tn_frame *f, unsigned depth, const struct tn_frame *got)
{
	tn_route(f, (depth + 64) << 8 | 9, 0xaa00 | (depth + 64));
	for (unsigned k = depth; k > 0; k--) {
		struct tn_head head = { 1, 0, 0x0902, 0xaa02, TN_LOCAL4, "192.0.2.4", k, 4789, 64,
			0, false, false };
		struct tn_frame inner = *f;
		char remote[32];

		if (k > 1) {
			snprintf(remote, sizeof(remote), "10.%u.0.9", 39 + k);
			head.dst = remote;
			head.to = (k + 63) << 8 | 9;
			head.from = 0xaa00 | (k + 63);
		}
		tn_wrap(f, &head, tn_get16(got->bytes + TN_ROUND4 * (k - 1) + 34), &inner);
	}
}

/* Ways come and go also without a new configuration. */
static void
routes_of_others(void **state)
{
	static const struct tn_conf c = {
		.interfaces = ", b4: {driver: tunnel, mtu: 1800}",
		.all = "tunnel: {b4: {local: 10.9.0.1, remote: [198.51.100.4], vxlan: {vni: 1}}}\n"
		       "bridge: {br4: {interface: [c, b4], " STATION("b4") "}}\n",
	};
	struct mr_route_hop hop = { .kind = MR_HOP_VIA,
		.family = MR_IP4,
		.weight = 1,
		.address = { 10, 9, 0, 2 } };
	const struct mr_route route = { .family = MR_IP4,
		.len = 24,
		.source = MR_ROUTE_FPM,
		.hops = &hop,
		.hop_count = 1,
		.prefix = { 198, 51, 100 } };
	struct mr_error error;
	struct tn_frame f;
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	for (unsigned round = 0; round < 6; round++) {
		for (unsigned n = 0; n < 10; n++) {
			tn_build(&f, 2, &ways[4].talk, n);
			assert_int_equal(tn_one(&t, &f) != NULL, round & 1);
		}
		for (unsigned k = 0; k < BED_PLANES; k++) {
			struct mr_rib *rib = t.b->planes[k].rib;
			uint16_t vrf = mr_ip_vrf_find(t.b->planes[k].ip, "r");

			if (round & 1)
				assert_int_equal(
				    mr_rib_unset(rib, vrf, MR_IP4, route.prefix, 24, MR_ROUTE_FPM),
				    0);
			else
				assert_int_equal(mr_rib_set(rib, vrf, &route, &error), 0);
			mr_rib_settle(rib);
		}
		bed_tick(t.b, 1000);
	}
	assert_int_equal(tn_drops(&t, "tunnel-out", "no-way"), 30);
	tn_close(&t);
}

static void
headroom(void **state)
{
	uint64_t lost;
	struct tn_bed t;

	(void)state;
	tn_open(&t, nested());
	/* What the router says of itself on the last one. */
	lost = tn_drops(&t, "tunnel-out", "no-headroom");
	for (unsigned depth = 1; depth <= DEEP; depth++) {
		uint64_t before = tn_replayed(&t);

		for (unsigned times = 0; times < 10; times++) {
			struct tn_talk talk = { 0xaa01, 9, "10.0.0.9", NULL, 1000, 53, 0, false };
			const struct tn_frame *got;
			struct tn_frame f;
			char to[32];

			snprintf(to, sizeof(to), "10.%u.0.9", depth + 40);
			talk.dst = to;
			tn_build(&f, 0, &talk, times * 20);
			got = tn_one(&t, &f);
			if (depth == DEEP) {
				assert_null(got);
				continue;
			}
			assert_non_null(got);
			wrap_deep(&f, depth, got);
			assert_int_equal(got->len, f.len);
			assert_memory_equal(got->bytes, f.bytes, f.len);
		}
		/* More than 127 bytes are no program's. */
		assert_int_equal(tn_replayed(&t) - before >= 8, depth <= 2);
	}
	assert_int_equal(tn_drops(&t, "tunnel-out", "no-headroom") - lost, 10);
	tn_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(flows),
		cmocka_unit_test(classes),
		cmocka_unit_test(what_bridges_carry),
		cmocka_unit_test(tagged_underlay),
		cmocka_unit_test(checksums),
		cmocka_unit_test(functions_before),
		cmocka_unit_test(too_big),
		cmocka_unit_test(no_way),
		cmocka_unit_test(routes_of_others),
		cmocka_unit_test(headroom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
