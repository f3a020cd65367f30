/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RFC 6146 section by section, on a router with the flow lane. Each test is named by what it is about.
 */
#include "nf/nat64/nat64_test_int.h"

#define LANES "lanes: {mode: flow}\n"
#define TCP MR_IP_PROTO_TCP
#define UDP MR_IP_PROTO_UDP
#define ICMP MR_IP_PROTO_ICMP
#define SYN MR_TCP_SYN
#define ACK MR_TCP_ACK
#define FIN MR_TCP_FIN
#define RST MR_TCP_RST

unsigned
story_write(const struct story *s, bool six, bool quoted, uint8_t *out)
{
	return story_ip(s, six, quoted, out);
}

static struct bed *
open_bed(const char *text)
{
	struct bed *bed = bed_open(text, LANES, 1);

	bed_run(bed);
	return bed;
}

static const char usual[] = CONFIG("pool: [203.0.113.1]");
static const char strict[] = CONFIG("pool: [203.0.113.1], filtering: address-dependent");

static const struct brief udp = { .proto = UDP,
	.inside = 9,
	.remote = 9,
	.port = 5000,
	.remote_port = 53 };
static const struct brief tcp = { .proto = TCP,
	.inside = 9,
	.remote = 9,
	.port = 5000,
	.remote_port = 80 };

static struct brief
with(struct brief b, uint8_t flags)
{
	b.tcp = flags;
	return b;
}

#define assert_out(bed, b) \
	do { \
		struct seen s_ = send_out(bed, b); \
		assert_true(went_out(&s_)); \
	} while (0)
#define assert_in(bed, b) \
	do { \
		struct seen s_ = send_in(bed, b); \
		assert_true(came_in(&s_)); \
	} while (0)
/* Nothing comes through; the router may answer. */
#define assert_not_in(bed, b) \
	do { \
		struct seen s_ = send_in(bed, b); \
		assert_false(came_in(&s_)); \
	} while (0)
#define assert_not_out(bed, b) \
	do { \
		struct seen s_ = send_out(bed, b); \
		assert_false(went_out(&s_)); \
	} while (0)

/* 3.5.1: one outside end for an inside one, whoever it talks to; anybody may answer. */
static void
endpoint_independent(void **state)
{
	struct bed *bed = open_bed(usual);
	struct brief other = udp;
	struct seen s = send_out(bed, udp), t;

	assert_true(went_out(&s));
	assert_int_equal(mr_load_be32(s.src), POOL);
	other.remote = 8;
	other.remote_port = 99;
	t = send_out(bed, other);
	assert_true(went_out(&t));
	assert_int_equal(s.sport, t.sport);
	/* A stranger. */
	other.remote = 77;
	other.remote_port = 1;
	assert_in(bed, other);
	/* Another end has another port. */
	other = udp;
	other.inside = 8;
	t = send_out(bed, other);
	assert_true(went_out(&t));
	assert_int_not_equal(t.sport, s.sport);
	assert_int_equal(t.sport % 2, 0); /* parity */
	bed_close(bed);
}

/* 3.5.1: with address-dependent filtering, only hosts that were talked to, from any port. */
static void
address_dependent(void **state)
{
	struct bed *bed = open_bed(strict);
	struct brief other = udp;

	assert_out(bed, udp);
	other.remote_port = 9999;
	assert_in(bed, other);
	other.remote = 8;
	assert_not_in(bed, other);
	assert_int_equal(drops_of(bed, "nat64-in@b", "nat64-filtered"), 1);
	assert_out(bed, other);
	assert_in(bed, other);
	bed_close(bed);
}

/* 3.5.1, 4: a session ends five minutes after its last packet, in whichever direction. */
static void
udp_time(void **state)
{
	struct bed *bed = open_bed(usual);

	assert_out(bed, udp);
	for (unsigned i = 0; i < 4; i++) {
		seconds_pass(bed, 290);
		assert_in(bed, udp);
		seconds_pass(bed, 290);
		assert_out(bed, udp);
	}
	seconds_pass(bed, 302);
	seconds_pass(bed, 1);
	assert_not_in(bed, udp);
	bed_close(bed);
}

/* 3.5.2: only a SYN begins; and nothing without a binding from outside. */
static void
tcp_begins(void **state)
{
	struct bed *bed = open_bed(usual);

	assert_not_in(bed, with(tcp, SYN));
	assert_not_out(bed, with(tcp, ACK));
	assert_not_out(bed, with(tcp, SYN | RST));
	assert_int_equal(drops_of(bed, "nat64-out@a", "nat64-no-binding"), 2);
	assert_out(bed, with(tcp, SYN));
	assert_in(bed, with(tcp, SYN | ACK));
	assert_out(bed, with(tcp, ACK));
	bed_close(bed);
}

/* 3.5.2.2, V6 INIT: four minutes. ESTABLISHED: two hours and four minutes (RFC 5382, REQ-5). */
static void
tcp_time(void **state)
{
	struct bed *bed = open_bed(usual);

	assert_out(bed, with(tcp, SYN));
	seconds_pass(bed, 242);
	seconds_pass(bed, 1);
	assert_not_in(bed, with(tcp, SYN | ACK));
	assert_out(bed, with(tcp, SYN));
	seconds_pass(bed, 230);
	assert_in(bed, with(tcp, SYN | ACK));
	for (unsigned i = 0; i < 3; i++) {
		seconds_pass(bed, 7400);
		assert_out(bed, with(tcp, ACK));
		seconds_pass(bed, 7400);
		assert_in(bed, with(tcp, ACK));
	}
	seconds_pass(bed, 7442);
	seconds_pass(bed, 1);
	assert_not_in(bed, with(tcp, ACK));
	bed_close(bed);
}

static void
connect(struct bed *bed)
{
	assert_out(bed, with(tcp, SYN));
	assert_in(bed, with(tcp, SYN | ACK));
	assert_out(bed, with(tcp, ACK));
}

/* V4 FIN, V6 FIN, both: as long as open after one, four minutes after both, whatever comes then. */
static void
tcp_closes(void **state)
{
	struct bed *bed = open_bed(usual);

	for (unsigned first = 0; first < 2; first++) {
		connect(bed);
		if (first)
			assert_in(bed, with(tcp, FIN | ACK));
		else
			assert_out(bed, with(tcp, FIN | ACK));
		seconds_pass(bed, 7000);
		if (first)
			assert_out(bed, with(tcp, FIN | ACK));
		else
			assert_in(bed, with(tcp, FIN | ACK));
		seconds_pass(bed, 200);
		assert_out(bed, with(tcp, ACK));
		assert_in(bed, with(tcp, ACK));
		seconds_pass(bed, 42);
		seconds_pass(bed, 1);
		assert_not_in(bed, with(tcp, ACK));
	}
	bed_close(bed);
}

/* TRANS: a reset ends it in four minutes, unless it was believed too soon. */
static void
tcp_reset(void **state)
{
	struct bed *bed = open_bed(usual);

	connect(bed);
	assert_in(bed, with(tcp, RST));
	seconds_pass(bed, 200);
	assert_out(bed, with(tcp, ACK)); /* it lives */
	seconds_pass(bed, 7000);
	assert_out(bed, with(tcp, RST));
	seconds_pass(bed, 242);
	seconds_pass(bed, 1);
	assert_not_in(bed, with(tcp, ACK));
	bed_close(bed);
}

/* V4 INIT: a SYN from outside to a binding has six seconds for its answer. */
static void
tcp_from_outside(void **state)
{
	struct bed *bed = open_bed(usual);
	struct brief stranger = tcp;

	stranger.remote = 8;
	stranger.remote_port = 4000;
	connect(bed);
	assert_in(bed, with(stranger, SYN));
	assert_out(bed, with(stranger, SYN | ACK));
	assert_in(bed, with(stranger, ACK));
	seconds_pass(bed, 7000);
	assert_in(bed, with(stranger, ACK));
	bed_close(bed);
	bed = open_bed(strict);
	connect(bed);
	assert_not_in(bed, with(stranger, SYN));
	bed_close(bed);
}

/* 3.5.3: queries, by their identifier. */
static void
icmp_queries(void **state)
{
	struct brief ping = { .proto = ICMP, .inside = 9, .remote = 9, .port = 777 };
	struct bed *bed = open_bed(usual);
	struct seen s = send_out(bed, ping), t;
	struct brief other = ping;

	assert_true(went_out(&s));
	assert_int_equal(s.type, MR_ICMP4_ECHO);
	other.inside = 8;
	t = send_out(bed, other);
	assert_true(went_out(&t));
	assert_int_not_equal(s.sport, t.sport);
	ping.reply = true;
	ping.port = s.sport;
	s = send_in(bed, ping);
	assert_true(came_in(&s));
	assert_int_equal(s.type, MR_ICMP6_ECHO_REPLY);
	assert_int_equal(s.dst[15], 9);
	assert_int_equal(s.sport, 777);
	other.reply = true;
	other.port = t.sport;
	s = send_in(bed, other);
	assert_true(came_in(&s));
	assert_int_equal(s.dst[15], 8);
	assert_int_equal(s.sport, 777);
	seconds_pass(bed, 62);
	seconds_pass(bed, 1);
	assert_not_in(bed, ping);
	bed_close(bed);
}

/* 3.4: fragments in any order. */
static void
fragments(void **state)
{
	for (unsigned order = 0; order < 6; order++) {
		static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
			{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

		for (unsigned out = 0; out < 2; out++) {
			struct bed *bed = open_bed(usual);
			struct story s;
			unsigned left = 0;
			uint8_t f[2000];

			assert_out(bed, udp);
			bed_run(bed);
			for (unsigned i = 0; i < 3; i++) {
				unsigned piece = orders[order][i];

				brief_story(&s, &udp, out);
				s.fragment = true;
				s.id = 77;
				s.offset = (uint16_t)(piece * 104);
				s.more = piece < 2;
				s.len = piece ? 104 : 96;
				(void)give(bed, out ? 0 : 1, f,
				    story_frame(&s, out, out ? 0 : 1, f));
				left += (unsigned)bed->planes[0].sent_count;
				for (unsigned k = 0; k < bed->planes[0].sent_count; k++) {
					struct seen seen = look(bed, k);

					assert_int_equal(seen.out, out ? 2 : 1);
					assert_int_equal(seen.six, !out);
				}
			}
			assert_int_equal(left, 3);
			bed_close(bed);
		}
	}
}

/* 3.8: from inside to inside. */
static void
hairpins(void **state)
{
	struct bed *bed = open_bed(usual);
	struct brief there = udp, here = udp;
	struct seen s;

	assert_out(bed, udp); /* 9's port 5000 has an outside end: 5000 */
	here.inside = 8;
	here.port = 6000;
	here.remote_port = 5000;
	here.hairpin = true;
	s = send_out(bed, here);
	assert_true(s.count == 1 && s.out == 1 && s.six);
	assert_int_equal(s.dst[15], 9);
	assert_int_equal(mr_load_be32(s.src + 12), POOL);
	assert_int_equal(s.sport, 6000);
	assert_int_equal(s.dport, 5000);
	assert_int_equal(mr_checksum_l4_verify(s.frame, s.len), MR_CHECKSUM_GOOD);
	/* And back. */
	there.hairpin = true;
	there.remote_port = 6000;
	s = send_out(bed, there);
	assert_true(s.count == 1 && s.out == 1 && s.six);
	assert_int_equal(s.dst[15], 8);
	assert_int_equal(s.dport, 6000);
	/* To an end that is nobody's. */
	here.remote_port = 5001;
	s = send_out(bed, here);
	assert_int_equal(s.count, 0);
	bed_close(bed);
}

/* 3.5, 5.2: what must not pass: sources of the prefix itself, addresses that the well-known prefix does not
 * stand for, protocols without ports. */
static void
refusals(void **state)
{
	struct bed *bed = open_bed(usual);
	struct story s;
	uint8_t f[2000];

	brief_story(&s, &udp, true);
	memcpy(s.src6, s.dst6, 16);
	assert_int_equal(give(bed, 0, f, story_frame(&s, true, 0, f)).count, 0);
	assert_int_equal(drops_of(bed, "nat64-out@a", "nat64-source"), 1);
	brief_story(&s, &udp, true);
	put32(s.dst6 + 12, 0x0a000001);
	assert_int_equal(give(bed, 0, f, story_frame(&s, true, 0, f)).count, 0);
	assert_int_equal(drops_of(bed, "nat64-out@a", "nat64-not-global"), 1);
	brief_story(&s, &udp, true);
	s.proto = MR_IP_PROTO_SCTP;
	assert_int_equal(give(bed, 0, f, story_frame(&s, true, 0, f)).count, 0);
	assert_int_equal(drops_of(bed, "nat64-out@a", "nat64-protocol"), 1);
	bed_close(bed);
}

/* No hop left: the sender is told in its own family, and before anything is made. */
static void
no_hop_left(void **state)
{
	struct bed *bed = open_bed(usual);
	struct brief last = udp;
	struct seen s;

	last.hops = 1;
	s = send_out(bed, last);
	assert_true(s.count == 1 && s.out == 1 && s.six);
	assert_int_equal(s.proto, MR_IP_PROTO_ICMP6);
	assert_int_equal(s.type, MR_ICMP6_TIME_EXCEEDED);
	assert_int_equal(mr_load_be32(s.src + 12), POOL);
	assert_int_equal(mr_checksum_l4_verify(s.frame, s.len), MR_CHECKSUM_GOOD);
	assert_out(bed, udp);
	s = send_in(bed, last);
	assert_true(s.count == 1 && s.out == 2 && !s.six);
	assert_int_equal(s.type, MR_ICMP4_TIME_EXCEEDED);
	last.hops = 2;
	s = send_in(bed, last);
	assert_true(came_in(&s));
	assert_int_equal(s.hops, 1);
	bed_close(bed);
}

/* ICMP errors, both ways: what they quote is as its sender knows it. */
static void
errors(void **state)
{
	static const struct icmp_pair unreachable = { 3, 3, 1, 4, 0, 0 };
	struct bed *bed = open_bed(usual);

	assert_out(bed, udp);
	for (unsigned out = 0; out < 2; out++) {
		struct story s, quoted;
		uint8_t f[2000], want[2000];
		struct seen seen;
		unsigned len;

		brief_story(&quoted, &udp, !out);
		quoted.len = 20;
		quoted.quoted_len = 28;
		brief_story(&s, &udp, out);
		s.proto = ICMP;
		s.error = &unreachable;
		s.quoted = &quoted;
		len = story_frame(&s, out, out ? 0 : 1, f);
		seen = give(bed, out ? 0 : 1, f, len);
		assert_int_equal(seen.count, 1);
		assert_int_equal(seen.out, out ? 2 : 1);
		s.hops--;
		len = story_frame(&s, !out, 0, want);
		assert_int_equal(seen.len, len);
		/* But for an identification of its own. */
		assert_memory_equal(seen.frame + L3 + (out ? 12 : 0), want + L3 + (out ? 12 : 0),
		    len - L3 - (out ? 12 : 0));
	}
	bed_close(bed);
}

/* Ports run out: named; and come back. */
static void
no_port_left(void **state)
{
	struct bed *bed = open_bed(CONFIG("pool: [203.0.113.1], ports: 2000-2003"));
	struct brief b = udp;

	for (unsigned i = 0; i < 4; i++) {
		b.port = (uint16_t)(3000 + i);
		assert_out(bed, b);
	}
	b.port = 4000;
	assert_not_out(bed, b);
	assert_int_equal(drops_of(bed, "nat64-out@a", "nat64-no-port"), 1);
	seconds_pass(bed, 302);
	seconds_pass(bed, 1);
	assert_out(bed, b);
	bed_close(bed);
}

/* Another pool: its sessions end; another filter: they stay. */
static void
changes(void **state)
{
	struct bed *bed = open_bed(usual);
	struct brief b = udp;

	assert_out(bed, udp);
	bed_run(bed);
	bed_apply(bed, strict, LANES);
	bed_run(bed);
	assert_in(bed, udp);
	b.remote = 8;
	assert_not_in(bed, b);
	bed_run(bed);
	bed_apply(bed, CONFIG("pool: [203.0.113.2]"), LANES);
	bed_run(bed);
	assert_not_in(bed, udp);
	assert_out(bed, udp);
	b = udp;
	b.pool = POOL + 1;
	assert_in(bed, b);
	bed_close(bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_independent),
		cmocka_unit_test(address_dependent),
		cmocka_unit_test(udp_time),
		cmocka_unit_test(tcp_begins),
		cmocka_unit_test(tcp_time),
		cmocka_unit_test(tcp_closes),
		cmocka_unit_test(tcp_reset),
		cmocka_unit_test(tcp_from_outside),
		cmocka_unit_test(icmp_queries),
		cmocka_unit_test(fragments),
		cmocka_unit_test(hairpins),
		cmocka_unit_test(refusals),
		cmocka_unit_test(no_hop_left),
		cmocka_unit_test(errors),
		cmocka_unit_test(no_port_left),
		cmocka_unit_test(changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
