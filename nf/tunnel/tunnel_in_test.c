/* SPDX-License-Identifier: Apache-2.0 */

/* Frames out of tunnels: RFC 7348's cases and everything that is cut, chained or marked on the way,
 * by the graph and by the flow lane. */

#include "nf/tunnel/tunnel_test_int.h"

/* Where the station spoken to is, is known: what is flooded is not replayed. */
#define STATION(port) "static: [{mac: \"02:00:00:00:30:02\", vlan: 0, interface: " port "}]"
#define BRIDGES \
	"bridge: {br4: {interface: [c, b4], " STATION( \
	    "c") "}, br6: {interface: [d, b6], " STATION("d") "}}\n"

static const struct tn_conf base = {
	.interfaces = ", r4: {driver: tunnel, mtu: 1800}, b4: {driver: tunnel, mtu: 1800}, b6: "
		      "{driver: tunnel, mtu: 1800}",
	.routed =
	    "      r4: {mac: \"02:00:00:00:aa:04\", address: [10.4.0.1/24, \"2001:db8:4::1/64\"], "
	    "redirects: false, neighbor: {duplicate-detection: false}}\n",
	.neighbors = "        10.4.0.9: {interface: r4, mac: \"02:00:00:00:04:09\"}\n",
	.all = "tunnel:\n"
	       "  r4: {local: 10.9.0.1, remote: [192.0.2.4], vxlan: {vni: 4}}\n"
	       "  b4: {local: 10.9.0.1, remote: [192.0.2.14], vxlan: {vni: 14}}\n"
	       "  b6: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::16\"], vxlan: {vni: "
	       "16777215}}\n" BRIDGES,
};

/* From outside. */
static const struct tn_head routed = { 1, 0, 0xaa02, 0x0902, "192.0.2.4", TN_LOCAL4, 4, 4789, 60, 0,
	false, false };
static const struct tn_head bridged[2] = {
	{ 1, 0, 0xaa02, 0x0902, "192.0.2.14", TN_LOCAL4, 14, 4789, 60, 0, false, false },
	{ 1, 0, 0xaa02, 0x0902, "2001:db8:ff::16", TN_LOCAL6, 0xffffff, 4789, 60, 0, false, false },
};
/* Of the bridges' stations. */
static const struct tn_talk inner[2] = {
	{ 0x3002, 0x3001, "10.77.0.2", "10.77.0.1", 53, 1004, 0, false },
	{ 0x3002, 0x3001, "fd77::2", "fd77::1", 80, 1005, 0, true },
};

/* One frame left, this one, on the bridge's port. */
static void
arrives(const struct tn_bed *t, unsigned six, const struct tn_frame *want)
{
	assert_int_equal(t->out_count, 1);
	assert_int_equal(t->out[0].port, 2 + six);
	assert_int_equal(t->out[0].len, want->len);
	for (unsigned i = 0; i < want->len; i++)
		if (t->out[0].bytes[i] != want->bytes[i])
			fail_msg("byte %u of %u: %02x, not %02x", i, want->len, t->out[0].bytes[i],
			    want->bytes[i]);
}

static void
lengths(void **state)
{
	struct tn_frame f, in;
	uint64_t sent = 0;
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned size = 0; size < 1700; size += size < 32 ? 1 : 61) {
		struct tn_talk talk = { 0xaa04, 0x0409, "10.4.0.9", "10.0.0.9", 53, 1000, 0,
			false };
		const struct tn_frame *got;

		for (unsigned n = 0; n < 4; n++) {
			tn_build(&in, 0, &inner[n & 1], size);
			tn_wrap(&f, &bridged[n / 2], 50000, &in);
			tn_give(&t, &f);
			tn_run(&t);
			arrives(&t, n / 2, &in);
		}
		tn_build(&in, 0, &talk, size);
		tn_wrap(&f, &routed, 50000, &in);
		got = tn_one(&t, &f);
		tn_route(&in, 9, 0xaa01);
		assert_true(got && got->port == 0 && got->len == in.len);
		assert_memory_equal(got->bytes, in.bytes, in.len);
		sent += 5;
	}
	assert_true(tn_replayed(&t) > sent * 9 / 10);
	tn_close(&t);
}

/* -- what RFC 7348 says ---------------------------------------------------------------------- */

enum end { ARRIVES, HOST, TUNNEL };

struct wrongness {
	const char *name;
	int at; /* of a byte that is written, counted from UDP; from IP where `ip` */
	bool ip;
	uint8_t bytes[4];
	uint8_t count;
	int cut; /* so many bytes less of the frame, lengths made right */
	enum end end;
	const char *reason;
};

static const struct wrongness wrongs[] = {
	{ "as it is", 0, false, { 0 }, 0, 0, ARRIVES, NULL },
	{ "no flag", 8, false, { 0x00 }, 1, 0, TUNNEL, "no-vni" },
	{ "all flags but it", 8, false, { 0xf7 }, 1, 0, TUNNEL, "no-vni" },
	{ "all flags", 8, false, { 0xff }, 1, 0, ARRIVES, NULL },
	{ "reserved", 9, false, { 1, 2, 3 }, 3, 0, ARRIVES, NULL },
	{ "reserved, last", 15, false, { 0xff }, 1, 0, ARRIVES, NULL },
	{ "VNI 0", 12, false, { 0, 0, 0 }, 3, 0, TUNNEL, "unknown-vni" },
	{ "another VNI", 12, false, { 0, 0, 15 }, 3, 0, TUNNEL, "unknown-vni" },
	{ "VNI's first byte", 12, false, { 1 }, 1, 0, TUNNEL, "unknown-vni" },
	{ "another tunnel's VNI", 12, false, { 0, 0, 4 }, 3, 0, TUNNEL, "unknown-remote" },
	{ "another port", 2, false, { 0x12, 0xb6 }, 2, 0, HOST, NULL },
	{ "any source port", 0, false, { 0, 1 }, 2, 0, ARRIVES, NULL },
	{ "UDP 0", 4, false, { 0, 0 }, 2, 0, TUNNEL, "malformed" },
	{ "UDP 7", 4, false, { 0, 7 }, 2, 0, TUNNEL, "malformed" },
	{ "UDP without frame", 4, false, { 0, 16 }, 2, 0, TUNNEL, "malformed" },
	{ "UDP, frame of 13", 4, false, { 0, 29 }, 2, 0, TUNNEL, "malformed" },
	{ "UDP too long", 4, false, { 0xff, 0xff }, 2, 0, TUNNEL, "malformed" },
	{ "frame of 13", 0, false, { 0 }, 0, 49, TUNNEL, "malformed" },
	{ "only VXLAN", 0, false, { 0 }, 0, 62, TUNNEL, "malformed" },
	{ "half of VXLAN", 0, false, { 0 }, 0, 66, TUNNEL, "malformed" },
	{ "only UDP", 0, false, { 0 }, 0, 70, TUNNEL, "malformed" },
	{ "less than UDP", 0, false, { 0 }, 0, 71, HOST, NULL },
};

static uint64_t
all_drops(const struct tn_bed *t)
{
	static const char *const reasons[] = { "malformed", "no-vni", "unknown-vni",
		"unknown-remote", "tunnel-closed", "udp-checksum", "congestion", "super-frame",
		"tunnel-loop" };
	uint64_t sum = 0;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(reasons); i++)
		sum += tn_drops(t, "tunnel-in", reasons[i]);
	return sum;
}

static void
try_wrong(struct tn_bed *t, const struct wrongness *w, const struct tn_head *head, unsigned split)
{
	unsigned six = strchr(head->src, ':') != NULL, udp = 14 + (six ? 40 : 20);
	uint64_t drops = all_drops(t), local = tn_packets(t, "ip-local"), before = 0;
	const struct tn_meta meta = { .split = split };
	struct tn_frame f, in;

	/* 62 bytes within. */
	tn_build(&in, 0, &inner[0], 20);
	tn_wrap(&f, head, 50001, &in);
	if (w->cut) {
		f.len -= (unsigned)w->cut;
		tn_settle(&f);
	}
	memcpy(f.bytes + (w->ip ? 14 : udp) + w->at, w->bytes, w->count);
	if (w->reason)
		before = tn_drops(t, "tunnel-in", w->reason);
	tn_give_as(t, &f, &meta);
	tn_run(t);
	if (w->end == ARRIVES)
		arrives(t, six, &in);
	if (all_drops(t) - drops != (w->end == TUNNEL) ||
	    tn_packets(t, "ip-local") - local != (w->end == HOST) ||
	    (w->reason && tn_drops(t, "tunnel-in", w->reason) - before != 1))
		fail_msg("%s, %s: ends elsewhere", w->name, six ? "IPv6" : "IPv4");
}

static void
what_is_wrong(void **state)
{
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < MR_ARRAY_COUNT(wrongs); i++) {
			static const unsigned splits[] = { 0, 54, 62, 71 };
			struct wrongness w = wrongs[i];

			try_wrong(&t, &w, &bridged[0], splits[round]);
			/* Over IPv6, this tunnel is alone with its address. */
			if (w.reason && !strcmp(w.reason, "unknown-remote"))
				w.reason = "unknown-vni";
			try_wrong(&t, &w, &bridged[1], splits[round]);
		}
	}
	tn_close(&t);
}

/* From where, and to whom: only remote ends are listened to, only at the local address. */
static void
whose_it_is(void **state)
{
	static const struct {
		struct tn_head head;
		enum end end;
		const char *reason;
	} cases[] = {
		{ { 1, 0, 0xaa02, 0x0902, "192.0.2.15", TN_LOCAL4, 14, 4789, 60, 0, false, false },
		    TUNNEL, "unknown-remote" },
		{ { 1, 0, 0xaa02, 0x0902, "192.0.2.4", TN_LOCAL4, 14, 4789, 60, 0, false, false },
		    TUNNEL, "unknown-remote" },
		{ { 1, 0, 0xaa02, 0x0902, "2001:db8:ff::17", TN_LOCAL6, 0xffffff, 4789, 60, 0,
		      false, false },
		    TUNNEL, "unknown-remote" },
		/* Another address of the router, by the same way and by another. */
		{ { 1, 0, 0xaa02, 0x0902, "192.0.2.14", "10.0.0.1", 14, 4789, 60, 0, false, false },
		    HOST, NULL },
		{ { 0, 0, 0xaa01, 9, "192.0.2.14", TN_LOCAL4, 14, 4789, 60, 0, false, false },
		    ARRIVES, NULL },
		{ { 1, 0, 0xaa02, 0x0902, "192.0.2.14", TN_LOCAL4, 14, 4789, 1, 0, false, false },
		    ARRIVES, NULL },
		{ { 1, 0, 0xaa02, 0x0902, "192.0.2.14", TN_LOCAL4, 14, 4789, 60, 0, true, false },
		    ARRIVES, NULL },
		{ { 1, 0, 0xaa02, 0x0902, "192.0.2.14", TN_LOCAL4, 14, 4789, 60, 0, false, true },
		    ARRIVES, NULL },
	};
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
			const struct wrongness w = { .name = cases[i].head.src,
				.end = cases[i].end,
				.reason = cases[i].reason };

			try_wrong(&t, &w, &cases[i].head, 0);
		}
	}
	tn_close(&t);
}

/* The same network on another port is another one. */
static void
two_ports(void **state)
{
	struct tn_conf c = base;
	struct tn_frame f, in;
	struct tn_bed t;

	(void)state;
	c.interfaces = ", one: {driver: tunnel}, two: {driver: tunnel}";
	c.routed = c.neighbors = NULL;
	c.all = "tunnel:\n"
		"  one: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}\n"
		"  two: {local: 10.9.0.1, remote: [192.0.2.2], vxlan: {vni: 1, port: 8472}}\n"
		"bridge: {br1: {interface: [c, one]}, br2: {interface: [d, two]}}\n";
	tn_open(&t, &c);
	for (unsigned n = 0; n < 16; n++) {
		unsigned remote = n & 1, port = n >> 1 & 1;
		uint64_t before = tn_drops(&t, "tunnel-in", "unknown-remote");
		struct tn_head head = bridged[0];

		head.src = remote ? "192.0.2.2" : "192.0.2.1";
		head.udp = port ? 8472 : 4789;
		head.vni = 1;
		tn_build(&in, 0, &inner[0], n);
		tn_wrap(&f, &head, 50000, &in);
		tn_give(&t, &f);
		tn_run(&t);
		if (remote == port)
			arrives(&t, port, &in);
		assert_int_equal(tn_drops(&t, "tunnel-in", "unknown-remote") - before,
		    remote != port);
	}
	tn_close(&t);
}

/* One flow, whose outer headers say something else each time, but for whose it is. */
static void
outer_varies(void **state)
{
	struct bed_random r = { .state = 77 };
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned n = 0; n < 600; n++) {
		unsigned six = n & 1, what = bed_draw(&r, 8);
		struct tn_head head = bridged[six];
		uint16_t sport = 50000;
		struct tn_frame f, in;

		if (what == 0)
			head.ttl = 1 + bed_draw(&r, 255);
		else if (what == 1)
			head.class = bed_draw(&r, 64) << 2;
		else if (what == 2)
			head.checksum = true;
		else if (what == 3)
			head.may_cut = true;
		else if (what == 4)
			sport = (uint16_t)bed_draw(&r, 65536);
		tn_build(&in, 0, &inner[n >> 1 & 1], bed_draw(&r, 300));
		tn_wrap(&f, &head, sport, &in);
		if (what == 5) {
			f.bytes[14 + (six ? 40 : 20) + 9 + bed_draw(&r, 3)] =
			    (uint8_t)bed_draw(&r, 256);
		} else if (what == 6 && !six) {
			/* No operations, an option. */
			memmove(f.bytes + 38, f.bytes + 34, f.len - 34);
			memset(f.bytes + 34, 1, 4);
			f.bytes[14] = 0x46;
			f.len += 4;
			tn_settle(&f);
		} else if (what == 6) {
			tn_put16(f.bytes + 16, bed_draw(&r, 65536));
		}
		tn_give(&t, &f);
		tn_run(&t);
		arrives(&t, six, &in);
	}
	tn_close(&t);
}

/* Bytes behind UDP's end and behind IP's are nobody's; segments may end anywhere. */
static void
trailing_and_chained(void **state)
{
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned six = 0; six < 2; six++) {
		unsigned udp = 14 + (six ? 40 : 20);

		/* The router wants IP's header in one. */
		for (unsigned n = 0; n < 120; n++) {
			const struct tn_meta meta = { .split = udp + n };
			unsigned more = n % 3 * 20;
			struct tn_frame f, in;

			tn_build(&in, 0, &inner[n & 1], 20);
			tn_wrap(&f, &bridged[six], 50000, &in);
			memset(f.bytes + f.len, 0xee, 64);
			f.len += more;
			if (n & 4) {
				/* Within IP. */
				unsigned len = tn_get16(f.bytes + udp + 4);

				tn_settle(&f);
				tn_put16(f.bytes + udp + 4, len);
			}
			tn_give_as(&t, &f, &meta);
			tn_run(&t);
			arrives(&t, six, &in);
		}
	}
	tn_close(&t);
}

static void
in_pieces(void **state)
{
	static const unsigned sizes[] = { 8, 16, 24, 48, 400 };
	unsigned id = 1;
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned six = 0; six < 2; six++) {
		for (unsigned i = 0; i < MR_ARRAY_COUNT(sizes); i++) {
			for (unsigned backwards = 0; backwards < 2; backwards++, id++) {
				struct tn_frame f, in, piece;
				unsigned l4len, count;

				tn_build(&in, 0, &inner[i & 1], sizes[i] < 48 ? 120 : 1200);
				tn_wrap(&f, &bridged[six], 50000, &in);
				l4len = f.len - 14 - (six ? 40 : 20);
				count = (l4len + sizes[i] - 1) / sizes[i];
				for (unsigned k = 0; k < count; k++) {
					unsigned at = backwards ? count - 1 - k : k;

					tn_piece(&piece, &f, at * sizes[i], sizes[i], id);
					tn_give(&t, &piece);
					tn_run(&t);
					assert_int_equal(t.out_count, k == count - 1);
				}
				arrives(&t, six, &in);
			}
		}
	}
	tn_close(&t);
}

/* -- congestion, RFC 6040, figure 4 ---------------------------------------------------------- */

enum { NOT_ECT, ECT1, ECT0, CE, LOST };

static void
congestion(void **state)
{
	static const unsigned table[4][4] = {
		/* by the inner one; of the outer one: Not-ECT, ECT(1), ECT(0), CE */
		[NOT_ECT] = { NOT_ECT, NOT_ECT, NOT_ECT, LOST },
		[ECT1] = { ECT1, ECT1, ECT1, CE },
		[ECT0] = { ECT0, ECT1, ECT0, CE },
		[CE] = { CE, CE, CE, CE },
	};
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned n = 0; n < 16 * 2 * 2 * 3 * 4; n++) {
		unsigned in_mark = n % 4, out_mark = n / 4 % 4, six = n / 16 % 2,
			 in_six = n / 32 % 2;
		unsigned tags = n / 64 % 3, want = table[in_mark][out_mark];
		uint64_t lost = tn_drops(&t, "tunnel-in", "congestion");
		uint64_t marked = tn_count(&t, "tunnel-in", "congestion-marked");
		struct tn_head head = bridged[six];
		struct tn_talk talk = inner[in_six];
		struct tn_frame f, in, out;

		talk.class = 0xb8 | in_mark;
		head.class = 0x28 | out_mark;
		tn_build(&in, 0, &talk, 30 + n % 7);
		talk.class = 0xb8 | want;
		tn_build(&out, 0, &talk, 30 + n % 7);
		for (unsigned k = 0; k < tags; k++) {
			tn_tag(&in, 7 + k);
			tn_tag(&out, 7 + k);
		}
		tn_wrap(&f, &head, 50000, &in);
		tn_give(&t, &f);
		tn_run(&t);
		assert_int_equal(tn_drops(&t, "tunnel-in", "congestion") - lost, want == LOST);
		assert_int_equal(tn_count(&t, "tunnel-in", "congestion-marked") - marked,
		    want != LOST && want != in_mark);
		if (want == LOST)
			assert_int_equal(t.out_count, 0);
		else
			arrives(&t, six, &out);
	}
	/* What is not IP cannot say it. */
	for (unsigned mark = 0; mark < 4; mark++) {
		struct tn_head head = bridged[0];
		struct tn_frame f, in;

		head.class = mark;
		tn_build(&in, 0, &inner[0], 30);
		tn_put16(in.bytes + 12, 0x0806);
		tn_wrap(&f, &head, 50000, &in);
		tn_give(&t, &f);
		tn_run(&t);
		arrives(&t, 0, &in);
	}
	tn_close(&t);
}

/* -- checksums ------------------------------------------------------------------------------- */

static void
checksums(void **state)
{
	struct tn_conf c = base;
	struct tn_bed t;

	(void)state;
	c.all = "tunnel:\n"
		"  r4: {local: 10.9.0.1, remote: [192.0.2.4], vxlan: {vni: 4}}\n"
		"  b4: {local: 10.9.0.1, remote: [192.0.2.14], vxlan: {vni: 14}, udp-checksum: "
		"true}\n"
		"  b6: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::16\"], vxlan: {vni: "
		"16777215}, udp-checksum: true}\n" BRIDGES;
	tn_open(&t, &c);
	for (unsigned n = 0; n < 120; n++) {
		unsigned six = n & 1, wrong = n / 2 % 4;
		uint64_t before = tn_drops(&t, "tunnel-in", "udp-checksum");
		struct tn_meta meta = { .split = n / 8 % 3 * 54 };
		struct tn_head head = bridged[six];
		struct tn_frame f, in;

		head.checksum = wrong != 3;
		tn_build(&in, 0, &inner[n / 16 & 1], n * 10);
		tn_wrap(&f, &head, (uint16_t)(50000 + n), &in);
		if (wrong == 1)
			f.bytes[f.len - 1] ^= 0x40;
		/* The device has looked. */
		if (n / 8 % 4 == 3)
			meta.flags = MR_PACKET_CSUM_GOOD;
		tn_give_as(&t, &f, &meta);
		tn_run(&t);
		assert_int_equal(tn_drops(&t, "tunnel-in", "udp-checksum") - before,
		    wrong == 1 && !meta.flags);
		if (wrong == 1)
			continue;
		arrives(&t, six, &in);
	}
	tn_close(&t);
}

/* A neighbour in the same machine leaves sums to the device: of the outer packet, which go with it, or
 * of the inner one, which are made where it leaves. */
static void
unfinished(void **state)
{
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned n = 0; n < 64; n++) {
		unsigned six = n & 1, within = n >> 1 & 1, around = six ? TN_ROUND6 : TN_ROUND4;
		struct tn_head head = bridged[six];
		struct tn_frame f, in, open;
		struct tn_meta meta = { 0 };

		tn_build(&in, 0, &inner[n >> 2 & 1], n * 7);
		open = in;
		if (within) {
			tn_unfinish(&open, 14, &meta);
			meta.csum_start += around;
		}
		tn_wrap(&f, &head, 50000, &open);
		if (!within)
			tn_unfinish(&f, 14, &meta);
		tn_give_as(&t, &f, &meta);
		tn_run(&t);
		arrives(&t, six, &in);
	}
	tn_close(&t);
}

/* -- the others ------------------------------------------------------------------------------ */

/* Two routers, whose tunnels to each other are in one bridge. */
static void
ends_in_a_ring(void **state)
{
	static const struct tn_conf ring = {
		.interfaces = ", p: {driver: pair, device: q}, q: {driver: pair, device: p}, x: "
			      "{driver: tunnel}, y: {driver: tunnel}",
		.routed = "      p: {mac: \"02:00:00:00:aa:0a\", address: [10.50.0.1/24]}\n",
		.neighbors = "        10.50.0.2: {interface: p, mac: \"02:00:00:00:aa:0b\"}\n",
		.routes = "  s:\n"
			  "    interface:\n"
			  "      q: {mac: \"02:00:00:00:aa:0b\", address: [10.50.0.2/24]}\n"
			  "    neighbor:\n"
			  "      static:\n"
			  "        10.50.0.1: {interface: q, mac: \"02:00:00:00:aa:0a\"}\n",
		.all = "tunnel:\n"
		       "  x: {router: r, local: 10.50.0.1, remote: [10.50.0.2], vxlan: {vni: 1}}\n"
		       "  y: {router: s, local: 10.50.0.2, remote: [10.50.0.1], vxlan: {vni: 1}}\n"
		       "bridge: {ring: {interface: [c, x, y]}}\n",
	};
	struct tn_frame f;
	struct tn_bed t;

	(void)state;
	tn_open(&t, &ring);
	for (unsigned n = 1; n <= 3; n++) {
		tn_build(&f, 2, &inner[0], n);
		memset(f.bytes, 0xff, 6);
		tn_give(&t, &f);
		tn_run(&t);
		/* A round is a pair and a tunnel, and ends at the eighth: around both ways, three times
		 * past the bridge. */
		assert_int_equal(tn_drops(&t, "tunnel-in", "tunnel-loop"), 2 * n);
		assert_int_equal(t.out_count, 6);
	}
	tn_close(&t);
}

static void
closed(void **state)
{
	struct tn_conf c = base;
	struct tn_frame f, in;
	struct tn_bed t;

	(void)state;
	tn_open(&t, &base);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t before = tn_drops(&t, "tunnel-in", "tunnel-closed");

		tn_build(&in, 2, &inner[0], 20);
		tn_wrap(&f, &bridged[0], 50000, &in);
		for (unsigned n = 0; n < 4; n++) {
			tn_give(&t, &f);
			tn_run(&t);
			if (round != 1)
				arrives(&t, 0, &in);
		}
		assert_int_equal(tn_drops(&t, "tunnel-in", "tunnel-closed") - before,
		    round == 1 ? 4 : 0);
		c.interfaces = round
		    ? base.interfaces
		    : ", r4: {driver: tunnel, mtu: 1800}, b4: {driver: tunnel, mtu: 1800, enabled: "
		      "false}, b6: {driver: tunnel, mtu: 1800}";
		tn_apply(&t, &c);
	}
	tn_close(&t);
}

/* Rules, connections and translation behind a tunnel. */
static void
functions_behind(void **state)
{
	struct tn_talk out = { 0xaa01, 9, "10.0.0.9", "10.4.0.9", 1000, 53, 0, false };
	struct tn_talk back = { 0xaa04, 0x0409, "10.4.0.9", "10.4.0.1", 53, 1000, 0, false };
	struct tn_head head = { 1, 0, 0x0902, 0xaa02, TN_LOCAL4, "192.0.2.4", 4, 4789, 64, 0, false,
		false };
	char all[2048];
	struct tn_conf c = base;
	struct tn_bed t;

	(void)state;
	snprintf(all, sizeof(all),
	    "%sacl:\n  list:\n"
	    "    in: {default: accept, rule: [{name: x, protocol: udp, source-port: \"54\", "
	    "action: "
	    "drop}]}\n"
	    "  interface:\n    r4: {in: in}\n"
	    "conntrack: {interface: [a, b, r4]}\n"
	    "nat: {instance: {n: {outside: [r4], inside: [a], hold-syn: 0}}}\n",
	    base.all);
	c.all = all;
	tn_open(&t, &c);
	for (unsigned n = 0; n < 30; n++) {
		const struct tn_frame *got;
		struct tn_frame f, in;
		uint16_t sport;
		unsigned len;

		tn_build(&f, 0, &out, 20 + n);
		(void)tn_unwrap(tn_one(&t, &f), &head, &len, &sport);
		tn_build(&in, 0, &back, 30 + n);
		/* To the port that the translator has chosen. */
		memcpy(in.bytes + 36, t.out[0].bytes + TN_ROUND4 + 34, 2);
		tn_put16(in.bytes + 40, 0);
		tn_wrap(&f, &routed, 50000, &in);
		got = tn_one(&t, &f);
		assert_true(got && got->port == 0 && got->len == in.len);
		assert_memory_equal(got->bytes + 30, "\12\0\0\11", 4);
		assert_int_equal(tn_get16(got->bytes + 36), 1000);
		tn_check_sums(got->bytes, got->len);
		tn_put16(in.bytes + 34, 54);
		tn_wrap(&f, &routed, 50000, &in);
		assert_null(tn_one(&t, &f));
	}
	assert_int_equal(tn_drops(&t, "acl-in", "acl-drop"), 30);
	tn_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(whose_it_is),
		cmocka_unit_test(two_ports),
		cmocka_unit_test(outer_varies),
		cmocka_unit_test(trailing_and_chained),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(congestion),
		cmocka_unit_test(checksums),
		cmocka_unit_test(unfinished),
		cmocka_unit_test(ends_in_a_ring),
		cmocka_unit_test(closed),
		cmocka_unit_test(functions_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
