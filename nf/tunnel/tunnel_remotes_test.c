/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Several remote ends: which of them get which frame, and what is known of stations behind them, also
 * when the configuration changes. Above all a random walk beside a model, which keeps a list where the
 * function has tables.
 */
#include "nf/tunnel/tunnel_test_int.h"

#define REMOTES 6u
#define STATIONS 10u
#define STEPS 4000u
#define FAR 0x5000u /* MAC addresses of stations behind remote ends */

struct model_station {
	int remote; /* -1: not known */
	bool fixed;
	uint32_t heard; /* second */
};

struct model {
	unsigned order[REMOTES], count; /* as configured */
	struct model_station stations[STATIONS];
	int fixed[STATIONS]; /* as configured: the remote end, or -1 */
	uint64_t tx[REMOTES], rx[REMOTES];
	bool learning;
	unsigned ageing, size;
	uint32_t seconds;
};

static const char *
remote_address(unsigned n)
{
	static char text[REMOTES + 1][32];

	snprintf(text[n], sizeof(text[n]), "192.0.2.%u", 1 + n);
	return text[n];
}

static const struct tn_conf *
configuration(const struct model *m)
{
	static char all[4096];
	static const struct tn_conf c = {
		.interfaces = ", v: {driver: tunnel, mtu: 1800}",
		.all = all,
	};
	struct bed_text t = { all, 0, sizeof(all) };
	bool any = false;

	bed_say(&t,
	    "bridge: {lan: {ageing-time: 100000, interface: [c, v]}}\ntunnel:\n  v:\n"
	    "    local: 10.9.0.1\n    vxlan: {vni: 9}\n    remote: [");
	for (unsigned i = 0; i < m->count; i++)
		bed_say(&t, "%s%s", i ? ", " : "", remote_address(m->order[i]));
	bed_say(&t, "]\n    learning: %s\n    ageing-time: %u\n    stations-max: %u\n",
	    m->learning ? "true" : "false", m->ageing, m->size);
	for (unsigned s = 0; s < STATIONS; s++) {
		if (m->fixed[s] < 0)
			continue;
		bed_say(&t, "%s      - {mac: \"02:00:00:00:50:%02x\", remote: %s}\n",
		    any ? "" : "    static:\n", s, remote_address((unsigned)m->fixed[s]));
		any = true;
	}
	return &c;
}

static bool
has(const struct model *m, unsigned remote)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->order[i] == remote)
			return true;
	return false;
}

/* -- frames --------------------------------------------------------------------------------- */

static struct tn_head
head_of(unsigned remote, bool out)
{
	struct tn_head h = { 1, 0, 0x0902, 0xaa02, TN_LOCAL4, remote_address(remote), 9, 4789, 64,
		0, false, false };

	if (out)
		return h;
	h.to = 0xaa02;
	h.from = 0x0902;
	h.dst = TN_LOCAL4;
	h.src = remote_address(remote);
	return h;
}

/* Of what left, who got the frame, each of them once and right; a bit for each remote end. */
static unsigned
who_got(const struct tn_bed *t, const struct tn_frame *f)
{
	unsigned got = 0;

	for (unsigned i = 0; i < t->out_count; i++) {
		const uint8_t *ip = t->out[i].bytes + 14;
		unsigned remote = ip[19] - 1u;
		struct tn_head head;

		assert_int_equal(t->out[i].port, 1);
		assert_true(remote < REMOTES && !(got >> remote & 1));
		head = head_of(remote, true);
		(void)tn_check(&t->out[i], &head, f);
		got |= 1u << remote;
	}
	return got;
}

static unsigned
send_to(struct tn_bed *t, unsigned to, unsigned sport, unsigned payload)
{
	const struct tn_talk talk = { to, 0x3002, "10.77.0.1", "10.77.0.2", sport, 53, 0, false };
	struct tn_frame f;

	tn_build(&f, 2, &talk, payload);
	if (to >= FAR + STATIONS)
		f.bytes[0] |= 1;
	tn_give(t, &f);
	tn_run(t);
	return who_got(t, &f);
}

/* From a station behind a remote end; whether it arrived. */
static bool
hear(struct tn_bed *t, unsigned remote, unsigned from, bool group, unsigned payload)
{
	const struct tn_talk talk = { 0x3002, from, "10.77.0.2", "10.77.0.1", 53, 1000, 0, false };
	const struct tn_head head = head_of(remote, false);
	struct tn_frame f, in;

	tn_build(&in, 0, &talk, payload);
	if (group)
		in.bytes[6] |= 1;
	tn_wrap(&f, &head, 50000, &in);
	tn_give(t, &f);
	tn_run(t);
	if (!t->out_count)
		return false;
	/* To the bridge, and to no other remote end. */
	assert_int_equal(t->out_count, 1);
	assert_int_equal(t->out[0].port, 2);
	assert_int_equal(t->out[0].len, in.len);
	assert_memory_equal(t->out[0].bytes, in.bytes, in.len);
	return true;
}

/* -- the model ------------------------------------------------------------------------------ */

static void
model_send(struct model *m, struct tn_bed *t, struct bed_random *r)
{
	unsigned s = bed_draw(r, STATIONS + 2), want = 0, len;
	unsigned got;

	len = 20 + bed_draw(r, 500);
	if (m->count > 1 && s < STATIONS && m->stations[s].remote >= 0)
		want = 1u << m->stations[s].remote;
	else
		for (unsigned i = 0; i < m->count; i++)
			want |= 1u << m->order[i];
	got = send_to(t, FAR + s, 1000 + bed_draw(r, 2), len);
	if (got != want)
		fail_msg("station %u: remote ends %x, not %x", s, got, want);
	for (unsigned i = 0; i < REMOTES; i++)
		m->tx[i] += want >> i & 1;
}

static void
model_hear(struct model *m, struct tn_bed *t, struct bed_random *r)
{
	unsigned remote = bed_draw(r, REMOTES), s = bed_draw(r, STATIONS);
	bool group = bed_one_in(r, 10);
	struct model_station *at = &m->stations[s];

	/* A bridge takes no group's address for a sender either. */
	if (hear(t, remote, FAR + s, group, 20) != (has(m, remote) && !group))
		fail_msg("remote end %u is %slistened to", remote, has(m, remote) ? "not " : "");
	if (!has(m, remote))
		return;
	m->rx[remote]++;
	if (group || m->count == 1 || !m->learning || at->fixed)
		return;
	at->remote = (int)remote;
	at->heard = m->seconds;
}

static void
model_wait(struct model *m, struct tn_bed *t, struct bed_random *r)
{
	unsigned seconds = bed_draw(r, 8);

	m->seconds += seconds;
	bed_tick(t->b, seconds * 1000);
	/* All buckets are looked at within some ticks. */
	for (unsigned i = 0; i < 8; i++)
		bed_tick(t->b, 0);
	for (unsigned s = 0; s < STATIONS; s++)
		if (m->stations[s].remote >= 0 && !m->stations[s].fixed && m->ageing &&
		    m->seconds - m->stations[s].heard >= m->ageing)
			m->stations[s].remote = -1;
}

static void
draw_configuration(struct model *m, struct bed_random *r)
{
	unsigned others[REMOTES];

	for (unsigned i = 0; i < REMOTES; i++)
		others[i] = i;
	m->count = 1 + bed_draw(r, bed_one_in(r, 3) ? 2 : REMOTES);
	for (unsigned i = 0; i < m->count; i++) {
		unsigned k = i + bed_draw(r, REMOTES - i), n = others[k];

		others[k] = others[i];
		others[i] = n;
		m->order[i] = n;
	}
	for (unsigned s = 0; s < STATIONS; s++)
		m->fixed[s] = bed_one_in(r, 6) ? (int)m->order[bed_draw(r, m->count)] : -1;
	m->learning = !bed_one_in(r, 6);
	m->ageing = bed_one_in(r, 5) ? 0 : 5 + bed_draw(r, 30);
	if (bed_one_in(r, 5))
		m->size = 64u << bed_draw(r, 4);
}

static void
model_change(struct model *m, struct tn_bed *t, struct bed_random *r)
{
	struct model before = *m;

	draw_configuration(m, r);
	tn_apply(t, configuration(m));
	for (unsigned n = 0; n < REMOTES; n++)
		if (!has(m, n) || !has(&before, n))
			m->tx[n] = m->rx[n] = 0;
	for (unsigned s = 0; s < STATIONS; s++) {
		struct model_station *at = &m->stations[s];

		if (at->fixed || m->size != before.size ||
		    (at->remote >= 0 && !has(m, (unsigned)at->remote)))
			at->remote = -1;
		at->fixed = m->fixed[s] >= 0;
		if (at->fixed)
			at->remote = m->fixed[s];
	}
}

static uint64_t
number_behind(const char *text, const char *name)
{
	char quoted[32];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", name);
	at = strstr(text, quoted);
	assert_non_null(at);
	return strtoull(at + strlen(quoted), NULL, 10);
}

static void
model_compare(const struct model *m, const struct tn_bed *t)
{
	char *text = tn_shown(t, "tunnel");

	for (unsigned i = 0; i < m->count; i++) {
		unsigned n = m->order[i];
		char address[64];
		const char *at;

		snprintf(address, sizeof(address), "{\"address\":\"%s\",\"reachable\":true",
		    remote_address(n));
		at = strstr(text, address);
		if (!at)
			fail_msg("no %s in %s", address, text);
		assert_int_equal(number_behind(at, "tx-packets"), m->tx[n]);
		assert_int_equal(number_behind(at, "rx-packets"), m->rx[n]);
	}
	for (unsigned s = 0; s < STATIONS && m->count > 1; s++) {
		char want[128];

		snprintf(want, sizeof(want), "{\"mac\":\"02:00:00:00:50:%02x\",", s);
		assert_int_equal(strstr(text, want) != NULL, m->stations[s].remote >= 0);
		if (m->stations[s].remote < 0)
			continue;
		snprintf(want + strlen(want), sizeof(want) - strlen(want),
		    "\"remote\":\"%s\",\"static\":%s",
		    remote_address((unsigned)m->stations[s].remote),
		    m->stations[s].fixed ? "true" : "false");
		if (!strstr(text, want))
			fail_msg("no %s in %s", want, text);
	}
	free(text);
}

static void
random_walk(void **state)
{
	const char *soak = getenv("MR_SOAK");
	unsigned steps = STEPS * (soak ? 1 + (unsigned)strtoul(soak, NULL, 10) : 1), changes = 0;
	struct bed_random r = { .state = 0x1234567 };
	struct model m = { .size = 1024 };
	struct tn_bed t;

	(void)state;
	for (unsigned s = 0; s < STATIONS; s++)
		m.stations[s].remote = -1;
	draw_configuration(&m, &r);
	for (unsigned s = 0; s < STATIONS; s++) {
		m.stations[s].fixed = m.fixed[s] >= 0;
		m.stations[s].remote = m.fixed[s];
	}
	tn_open(&t, configuration(&m));
	for (unsigned n = 0; n < steps; n++) {
		unsigned what = bed_draw(&r, 200);

		if (what == 0) {
			model_change(&m, &t, &r);
			changes++;
		} else if (what < 6) {
			model_wait(&m, &t, &r);
		} else if (what < 60) {
			model_hear(&m, &t, &r);
		} else {
			model_send(&m, &t, &r);
		}
		if (n % 50 == 49)
			model_compare(&m, &t);
	}
	assert_true(changes > 10);
	assert_true(tn_replayed(&t) > steps / 50);
	tn_close(&t);
}

/* -- one by one ----------------------------------------------------------------------------- */

static void
open_three(struct tn_bed *t, struct model *m)
{
	memset(m, 0, sizeof(*m));
	m->count = 3;
	for (unsigned i = 0; i < 3; i++)
		m->order[i] = i;
	for (unsigned s = 0; s < STATIONS; s++)
		m->fixed[s] = -1;
	m->fixed[9] = 2;
	m->learning = true;
	m->ageing = 10;
	m->size = 1024;
	tn_open(t, configuration(m));
}

static void
what_is_counted(void **state)
{
	struct tn_bed t;
	struct model m;

	(void)state;
	open_three(&t, &m);
	assert_int_equal(send_to(&t, FAR, 1, 20), 7);
	assert_int_equal(tn_count(&t, "tunnel-out", "flooded"), 1);
	assert_int_equal(tn_count(&t, "tunnel-out", "copies"), 2);
	assert_true(hear(&t, 1, FAR, false, 20));
	assert_int_equal(tn_count(&t, "tunnel-in", "learned"), 1);
	for (unsigned n = 0; n < 10; n++)
		assert_int_equal(send_to(&t, FAR, 1, 20 + n), 2);
	assert_int_equal(tn_count(&t, "tunnel-out", "flooded"), 1);
	assert_true(hear(&t, 1, FAR, false, 20));
	assert_int_equal(tn_count(&t, "tunnel-in", "learned"), 1);
	/* It moves, and the flow goes after it. */
	assert_true(hear(&t, 2, FAR, false, 20));
	assert_int_equal(tn_count(&t, "tunnel-in", "moved"), 1);
	for (unsigned n = 0; n < 10; n++)
		assert_int_equal(send_to(&t, FAR, 1, 20 + n), 4);
	/* What is in the configuration, stays. */
	assert_true(hear(&t, 0, FAR + 9, false, 20));
	assert_int_equal(tn_count(&t, "tunnel-in", "not-learned"), 1);
	assert_int_equal(send_to(&t, FAR + 9, 1, 20), 4);
	/* A group sends nothing. */
	assert_false(hear(&t, 0, FAR + 3, true, 20));
	assert_int_equal(tn_count(&t, "tunnel-in", "learned"), 1);
	/* Everybody's. */
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(send_to(&t, FAR + STATIONS, 1, 20), 7);
	assert_true(tn_replayed(&t) > 15);
	tn_close(&t);
}

/* Ageing is to the second, and hearing it again makes it young. */
static void
ageing(void **state)
{
	struct tn_bed t;
	struct model m;

	(void)state;
	open_three(&t, &m);
	assert_true(hear(&t, 1, FAR, false, 20));
	assert_true(hear(&t, 2, FAR + 1, false, 20));
	for (unsigned n = 0; n < 9; n++)
		bed_tick(t.b, 1000);
	assert_int_equal(send_to(&t, FAR, 1, 20), 2);
	assert_true(hear(&t, 1, FAR, false, 20));
	for (unsigned n = 0; n < 5; n++)
		bed_tick(t.b, 1000);
	assert_int_equal(send_to(&t, FAR, 1, 20), 2);
	assert_int_equal(send_to(&t, FAR + 1, 1, 20), 7);
	for (unsigned n = 0; n < 10; n++)
		bed_tick(t.b, 1000);
	assert_int_equal(send_to(&t, FAR, 1, 20), 7);
	assert_int_equal(send_to(&t, FAR + 9, 1, 20), 4);
	tn_close(&t);
}

/* Takes all buffers but so many from both planes, until they are given back. */
#define HOARD 8192u

static void
hoard(struct tn_bed *t, uint32_t (*kept)[HOARD], unsigned *counts, unsigned but)
{
	for (unsigned k = 0; k < BED_PLANES; k++) {
		struct mr_buffers *buffers = t->b->planes[k].buffers;
		uint32_t one;

		counts[k] = 0;
		while (counts[k] < HOARD &&
		    (one = mr_packet_from(buffers, 0, "", 1)) != MR_PACKET_NONE)
			kept[k][counts[k]++] = one;
		assert_true(counts[k] > but);
		counts[k] -= but;
		mr_packets_free(buffers, 0, kept[k] + counts[k], but);
	}
}

static void
no_buffers(void **state)
{
	static uint32_t kept[BED_PLANES][HOARD];
	unsigned counts[BED_PLANES];
	struct tn_bed t;
	struct model m;

	(void)state;
	open_three(&t, &m);
	for (unsigned but = 0; but < 4; but++) {
		const struct tn_talk talk = { FAR, 0x3002, "10.77.0.1", "10.77.0.2", 1, 53, 0,
			false };
		uint64_t lost = tn_count(&t, "tunnel-out", "lost-copies");
		uint64_t copies = tn_count(&t, "tunnel-out", "copies");
		struct tn_frame f;

		tn_build(&f, 2, &talk, 20 + but);
		tn_give(&t, &f);
		hoard(&t, kept, counts, but);
		tn_run(&t);
		for (unsigned k = 0; k < BED_PLANES; k++)
			mr_packets_free(t.b->planes[k].buffers, 0, kept[k], counts[k]);
		/* The first of the list is served with the frame itself. */
		assert_int_equal(who_got(&t, &f), but == 0 ? 1 : but == 1 ? 3 : 7);
		assert_int_equal(tn_count(&t, "tunnel-out", "lost-copies") - lost,
		    but < 2 ? 2 - but : 0);
		assert_int_equal(tn_count(&t, "tunnel-out", "copies") - copies, MR_MIN(but, 2u));
	}
	tn_close(&t);
}

/* A super-frame for all, its pieces by remote end; and for one. */
static void
super_frames(void **state)
{
	const struct tn_talk talk = { FAR, 0x3002, "10.77.0.1", "10.77.0.2", 1, 80, 0, true };
	const struct tn_meta meta = { .flags = MR_PACKET_GSO_TCP4 | MR_PACKET_CSUM_PARTIAL,
		.csum_start = 34,
		.csum_offset = 16,
		.gso_size = 1000 };
	struct tn_bed t;
	struct model m;

	(void)state;
	open_three(&t, &m);
	for (unsigned known = 0; known < 2; known++) {
		unsigned each[3] = { 0 };
		struct tn_frame f;
		struct tn_meta with = meta;

		tn_build(&f, 2, &talk, 3500);
		tn_unfinish(&f, 14, &with);
		with.gso_size = 1000;
		with.flags = meta.flags;
		tn_give_as(&t, &f, &with);
		tn_run(&t);
		for (unsigned i = 0; i < t.out_count; i++) {
			unsigned n = t.out[i].bytes[33] - 1u;
			const struct tn_head head = head_of(n, true);
			const uint8_t *inner;
			uint16_t sport;
			unsigned len;

			inner = tn_unwrap(&t.out[i], &head, &len, &sport);
			tn_check_sums(inner, len);
			assert_true(len == 1054 || len == 554);
			each[n]++;
		}
		for (unsigned n = 0; n < 3; n++)
			assert_int_equal(each[n], known && n != 1 ? 0 : 4);
		assert_true(hear(&t, 1, FAR, false, 20));
	}
	tn_close(&t);
}

/* How many are known at most may grow while there is one remote end, where none are. */
static void
room_grows(void **state)
{
	struct tn_bed t;
	struct model m;
	char *text;

	(void)state;
	open_three(&t, &m);
	m.size = 16;
	tn_apply(&t, configuration(&m));
	for (unsigned n = 0; n < 300; n++)
		assert_true(hear(&t, n % 3, 0x6000 + n, false, 20));
	text = tn_shown(&t, "tunnel");
	assert_true(number_behind(text, "stations") <= 17);
	free(text);
	m.count = 1;
	m.fixed[9] = -1;
	m.size = 4096;
	tn_apply(&t, configuration(&m));
	m.count = 3;
	tn_apply(&t, configuration(&m));
	for (unsigned n = 0; n < 300; n++)
		assert_true(hear(&t, n % 3, 0x6000 + n, false, 20));
	text = tn_shown(&t, "tunnel");
	assert_int_equal(number_behind(text, "stations"), 300);
	free(text);
	tn_close(&t);
}

/* Routed packets go where their neighbour is, by the lane too. */
static void
routed(void **state)
{
	static const struct tn_conf c = {
		.interfaces = ", v: {driver: tunnel, mtu: 1800}",
		.routed =
		    "      v: {mac: \"02:00:00:00:aa:04\", address: [10.4.0.1/24], redirects: "
		    "false}\n",
		.neighbors = "        10.4.0.9: {interface: v, mac: \"02:00:00:00:50:00\"}\n"
			     "        10.4.0.8: {interface: v, mac: \"02:00:00:00:50:01\"}\n",
		.all = "tunnel: {v: {local: 10.9.0.1, remote: [192.0.2.1, 192.0.2.2, 192.0.2.3], "
		       "vxlan: {vni: 9}}}\n",
	};
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	for (unsigned n = 0; n < 60; n++) {
		const struct tn_talk talks[2] = {
			{ 0xaa01, 9, "10.0.0.9", "10.4.0.9", 1000, 53, 0, false },
			{ 0xaa01, 9, "10.0.0.9", "10.4.0.8", 1000, 53, 0, false },
		};
		unsigned want = n < 20 ? 2 : n < 40 ? 4 : 1;
		struct tn_frame f;

		if (n % 20 == 0) {
			const struct tn_talk talk = { 0xaa04, FAR, "10.4.0.9", "10.0.0.9", 53, 1000,
				0, false };
			const struct tn_head head = head_of(want / 2, false);
			struct tn_frame in;

			tn_build(&in, 0, &talk, 10);
			tn_wrap(&f, &head, 50000, &in);
			assert_non_null(tn_one(&t, &f));
		}
		tn_build(&f, 0, &talks[0], n);
		tn_give(&t, &f);
		tn_run(&t);
		tn_route(&f, FAR, 0xaa04);
		assert_int_equal(who_got(&t, &f), want);
		tn_build(&f, 0, &talks[1], n);
		tn_give(&t, &f);
		tn_run(&t);
		tn_route(&f, FAR + 1, 0xaa04);
		assert_int_equal(who_got(&t, &f), 7);
	}
	assert_true(tn_replayed(&t) > 40);
	tn_close(&t);
}

/* Whom a frame is for is looked at also where nobody else does. */
static void
crossed(void **state)
{
	static const struct tn_conf c = {
		.interfaces = ", v: {driver: tunnel, cross-connect: c}",
		.crossed = ", cross-connect: v",
		.all = "tunnel: {v: {local: 10.9.0.1, remote: [192.0.2.1, 192.0.2.2, 192.0.2.3], "
		       "vxlan: {vni: 9}, static: [{mac: \"02:00:00:00:50:00\", remote: 192.0.2.1}, "
		       "{mac: \"02:00:00:00:50:01\", remote: 192.0.2.2}]}}\n",
	};
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	for (unsigned n = 0; n < 40; n++)
		assert_int_equal(send_to(&t, FAR + n % 3, 1000, 20), n % 3 == 2 ? 7 : 1u << n % 3);
	assert_true(tn_replayed(&t) > 10);
	tn_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_counted),
		cmocka_unit_test(ageing),
		cmocka_unit_test(no_buffers),
		cmocka_unit_test(super_frames),
		cmocka_unit_test(room_grows),
		cmocka_unit_test(routed),
		cmocka_unit_test(crossed),
		cmocka_unit_test(random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
