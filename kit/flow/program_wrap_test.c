/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Programs that put headers around packets: what tunnels write, of which few words are a flow's own. One
 * program does for all flows of a tunnel; to every packet it does what the walk did, whatever its length.
 */

#include "kit/flow/program_walk_bed.h"
#include "kit/packet/wire_tunnel.h"

#define FLOWS 24u

enum rewrite {
	OUTER6 = 1u << 0, /* else IPv4 */
	TAG = 1u << 1,    /* the way there is a VLAN */
	SUM = 1u << 2,    /* UDP has a checksum */
	ENDS = 1u << 3,   /* flows go to remote ends of their own */
	OF_IP = 1u << 4,  /* lengths are reckoned from the inner IP header's */
	SRC = 1u << 5,
	DST = 1u << 6,
	SPORT = 1u << 7,
	DPORT = 1u << 8,
	TTL = 1u << 9,
	ETHERNET = 1u << 10,
	CALLS = 1u << 11, /* three, with numbers of the flow's own */
	ALL_REWRITES = 1u << 12,
};

#define KINDS \
	(MR_PROGRAM_VALUES | MR_PROGRAM_PATCH | MR_PROGRAM_WRAP | MR_PROGRAM_LENGTH | \
	    MR_PROGRAM_LENGTHS | MR_PROGRAM_OPEN)
/* Without another write behind them, IPv4's headers fit two windows, and need no wrap. */
#define WIDE (OUTER6 | SRC | DST | SPORT | DPORT | ETHERNET)
#define WRAPPED \
	(MR_PROGRAM_VALUES | MR_PROGRAM_PATCH | MR_PROGRAM_WRAP | MR_PROGRAM_LENGTHS | \
	    MR_PROGRAM_OPEN)

/* IP, UDP and VXLAN as nf/tunnel writes them. */
static unsigned
outer_of(struct walk *w, unsigned what, uint8_t *bytes)
{
	unsigned ip_len = what & OUTER6 ? 40 : 20;
	uint8_t *udp = bytes + 14 + ip_len;

	memset(bytes, 0, 14 + ip_len + 16);
	if (what & OUTER6) {
		draw(w, bytes + 14 + 1, 3); /* the label */
		bytes[14] = 0x60;
		bytes[15] &= 0x0f;
		bytes[14 + 6] = MR_IP_PROTO_UDP;
		bytes[14 + 7] = 64;
		memset(bytes + 14 + 8, 0x20, 32);
	} else {
		struct mr_ip4 *ip = (struct mr_ip4 *)(bytes + 14);

		ip->version_ihl = 0x45;
		ip->frag = mr_be16(MR_IP4_DONT_FRAGMENT);
		ip->ttl = 64;
		ip->proto = MR_IP_PROTO_UDP;
		ip->src = mr_be32(0x0a090001);
		ip->dst = mr_be32(0xc0000201);
		if (what & ENDS)
			draw(w, (uint8_t *)&ip->dst, 4);
		ip->check = mr_checksum_ipv4_header(ip);
	}
	draw(w, udp, 2);
	mr_store_be16(udp + 2, MR_TUNNEL_PORT_VXLAN);
	if (what & SUM) {
		draw(w, udp + 6, 2);
		udp[6] |= 1;
	}
	udp[8] = MR_VXLAN_VNI_VALID;
	udp[14] = 77;
	return 14 + ip_len + 16;
}

static void
wrap(struct walk *w, struct mr_packet *p, unsigned what)
{
	unsigned ip = what & OUTER6 ? 40 : 20, len, udp = 14 + ip, in_ip = oracle_l3(&w->b.flow);
	unsigned inner_more = w->b.flow.six ? 40 : 0, of = 0;
	uint8_t outer[14 + 40 + 16];

	len = outer_of(w, what, outer);
	assert_true(mr_edit_push(w->rec, p, 0, len));
	for (unsigned i = 0; i < len; i += 16)
		mr_edit_set(w->rec, p, i, outer + i, MR_MIN(16u, len - i));
	if (what & OF_IP) {
		of = len + in_ip + (w->b.flow.six ? 4 : 2);
		set_length(w, p, 14 + (what & OUTER6 ? 4 : 2), of,
		    (int)(16 + in_ip + inner_more + (what & OUTER6 ? 0 : ip)),
		    what & OUTER6 ? 0 : 14 + 10, false);
		set_length(w, p, udp + 4, of, (int)(16 + in_ip + inner_more),
		    what & SUM ? udp + 6 : 0, what & SUM);
	} else {
		set_length(w, p, 14 + (what & OUTER6 ? 4 : 2), 0, what & OUTER6 ? -54 : -14,
		    what & OUTER6 ? 0 : 14 + 10, false);
		set_length(w, p, udp + 4, 0, -(int)udp, what & SUM ? udp + 6 : 0, what & SUM);
	}
	/* The router's part. */
	mr_edit_set(w->rec, p, 0, ethernet, 12);
	mr_edit_set(w->rec, p, 12, what & OUTER6 ? "\x86\xdd" : "\x08\x00", 2);
	if (what & TAG) {
		assert_true(mr_edit_push(w->rec, p, 12, 4));
		mr_edit_set(w->rec, p, 12, ethernet + 12, 4);
	}
}

static void
inside(struct walk *w, struct mr_packet *p, unsigned what)
{
	const struct oracle_flow *f = &w->b.flow;

	if (what & CALLS)
		for (unsigned i = 0; i < 3; i++)
			mr_record_call(w->rec, p, 1 + oracle_draw(&w->b.rng), i == 2);
	if (what & SRC)
		set_address(w, p, true);
	if (what & DST)
		set_address(w, p, false);
	for (unsigned i = 0; i < 2; i++)
		if (what & (i ? DPORT : SPORT) && !oracle_is_icmp(f))
			mr_edit_port(w->rec, p, oracle_l4(f) + 2 * i,
			    (be16_t)oracle_draw(&w->b.rng), sum_of(f));
	if (what & TTL) {
		if (f->six)
			mr_edit_ttl6(w->rec, p, oracle_l3(f));
		else
			mr_edit_ttl4(w->rec, p, oracle_l3(f));
	}
	if (what & ETHERNET)
		mr_edit_set(w->rec, p, 0, ethernet, 12);
}

static void
walk(struct walk *w, unsigned what)
{
	struct mr_packet *p = walk_begin(w);

	inside(w, p, what);
	wrap(w, p, what);
	assert_int_equal(walk_end(w, p), MR_PROGRAM_OK);
}

/* Around what is replayed, lengths are the packet's own: whatever the test has drawn for IP's inside is right,
 * too. */
static void
check_lengths(struct walk *w, unsigned what)
{
	const unsigned ip = what & TAG ? 18 : 14, head = what & OUTER6 ? 40 : 20;

	for (unsigned len = oracle_min(&w->b.flow); len < 1800; len += 97) {
		struct mr_packet *p = oracle_packet_of(&w->b.flow, &w->b.rng, ORACLE_HEADROOM, len);
		const uint8_t *out;
		unsigned added = ip + head + 16;

		assert_true(mr_program_fits(program(&w->b), p));
		assert_true(mr_program_edit(program(&w->b), &w->b.values, NULL, p));
		out = mr_packet_bytes(p);
		assert_int_equal(p->len, len + added);
		assert_int_equal(p->total, len + added);
		if (what & OF_IP)
			len = mr_load_be16(
				  out + added + oracle_l3(&w->b.flow) + (w->b.flow.six ? 4 : 2)) +
			    oracle_l3(&w->b.flow) + (w->b.flow.six ? 40 : 0);
		assert_int_equal(mr_load_be16(out + ip + head + 4), 16 + len);
		if (what & OUTER6) {
			assert_int_equal(mr_load_be16(out + ip + 4), 16 + len);
		} else {
			assert_int_equal(mr_load_be16(out + ip + 2), 20 + 16 + len);
			assert_true(
			    mr_checksum_ipv4_header_good((const struct mr_ip4 *)(out + ip)));
		}
		len = (unsigned)p->len - added;
		free(p);
	}
}

/* Whatever the headroom, nothing in front of it is written: the packet's own line. */
static void
check_headrooms(struct walk *w)
{
	const struct mr_program *g = program(&w->b);

	for (unsigned more = 0; more < 100; more++) {
		struct mr_packet *p = oracle_packet((unsigned)g->grow + more, w->b.packet->len);
		struct mr_packet *walked;

		memset(p->scratch, 0x5a, sizeof(p->scratch));
		memcpy(mr_packet_bytes(p), mr_packet_bytes(w->b.packet), p->len);
		walked = oracle_clone(p);
		oracle_walk(walked, &w->b.r);
		assert_true(mr_program_edit(g, &w->b.values, NULL, p));
		assert_memory_equal(p, walked, sizeof(*p));
		assert_memory_equal(mr_packet_bytes(p), mr_packet_bytes(walked), walked->len);
		free(walked);
		free(p);
	}
}

/* Many flows, one program; and a wrap, where that is needed. */
static void
many(struct walk *w, unsigned what)
{
	const unsigned want = what & WIDE ? WRAPPED : WRAPPED & ~(unsigned)MR_PROGRAM_WRAP;
	uint32_t first = 0;

	for (unsigned i = 0; i < FLOWS; i++) {
		next_flow(w);
		walk(w, what);
		first = i ? first : w->b.program;
		assert_int_equal(w->b.program, first);
		assert_int_equal(program(&w->b)->flags & KINDS, want);
		compare(w);
		compare_tight(w);
		compare_recorded(w);
		if (i == 0) {
			check_lengths(w, what);
			check_headrooms(w);
		}
	}
}

static const uint8_t protos[2][3] = {
	{ MR_IP_PROTO_TCP, MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP },
	{ MR_IP_PROTO_TCP, MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP6 },
};

/* Bridged in: nothing of the frame changes. */
static void
test_bridged(void **state)
{
	struct walk w;

	walk_open(&w);
	for (unsigned what = 0; what < 32; what++)
		for (unsigned k = 0; k < 4; k++) {
			shape(&w, k & 1, protos[k & 1][(what + k / 2) % 3], k & 2);
			many(&w, what);
		}
	walk_close(&w);
}

/* Routed in, and translated before. */
static void
test_routed(void **state)
{
	static const unsigned inside_what[] = {
		TTL | ETHERNET,
		CALLS | TTL | ETHERNET,
		SRC | SPORT | TTL | ETHERNET,
		DST | DPORT | TTL | ETHERNET,
		CALLS | SRC | TTL,
		SPORT | TTL,
		SPORT | DPORT,
		CALLS,
	};
	struct walk w;

	walk_open(&w);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(inside_what); i++)
		for (unsigned k = 0; k < 8; k++) {
			unsigned outer = (i * 5 + k * 11) % 32;

			shape(&w, k & 1, protos[k & 1][k >> 1 & 1], k & 4);
			many(&w, inside_what[i] | outer);
		}
	walk_close(&w);
}

/* Remote ends of IPv6 are not the flow's own: each has its program. */
static void
test_ends(void **state)
{
	uint32_t first;
	struct walk w;

	walk_open(&w);
	shape(&w, false, MR_IP_PROTO_UDP, false);
	many(&w, ENDS | ETHERNET);
	first = w.b.program;
	many(&w, ETHERNET);
	assert_int_equal(w.b.program, first);
	/* But another network is another program. */
	for (unsigned i = 0; i < 2; i++) {
		struct mr_packet *p = walk_begin(&w);
		uint8_t network = (uint8_t)(5 + i);

		inside(&w, p, ETHERNET);
		wrap(&w, p, 0);
		mr_edit_set(w.rec, p, 14 + 20 + 14, &network, 1);
		assert_int_equal(walk_end(&w, p), MR_PROGRAM_OK);
		assert_true(program(&w.b)->flags & MR_PROGRAM_WRAP);
		assert_int_not_equal(w.b.program, first);
		first = w.b.program;
		compare(&w);
	}
	walk_close(&w);
}

/* -- what does not fit --------------------------------------------------------------------------- */

/* All of it right, but not a wrap. */
static void
falls_back(struct walk *w)
{
	assert_false(program(&w->b)->flags & MR_PROGRAM_WRAP);
	compare(w);
	compare_tight(w);
	compare_recorded(w);
}

static void
test_fallback(void **state)
{
	static const uint8_t gre = MR_IP_PROTO_GRE, options = 0x46, words[48] = { 1, 2, 3 };
	struct mr_packet *p;
	struct walk w;

	walk_open(&w);
	for (unsigned six = 0; six < 2; six++) {
		shape(&w, six, MR_IP_PROTO_TCP, false);
		/* More windows than are left: both addresses and ports of IPv6. */
		for (unsigned i = 0; six && i < FLOWS; i++) {
			next_flow(&w);
			walk(&w, SRC | DST | SPORT | DPORT | TTL | ETHERNET);
			falls_back(&w);
		}
		/* What is a wrap, but for one thing each. */
		walk(&w, ETHERNET);
		assert_true(program(&w.b)->flags & MR_PROGRAM_WRAP);
		/* More calls than there is room for. */
		p = walk_begin(&w);
		inside(&w, p, ETHERNET);
		for (unsigned i = 0; i < 5; i++)
			mr_record_call(w.rec, p, 1 + oracle_draw(&w.b.rng), false);
		wrap(&w, p, 0);
		assert_int_equal(walk_end(&w, p), MR_PROGRAM_OK);
		falls_back(&w);
		/* A third length. */
		p = walk_begin(&w);
		inside(&w, p, ETHERNET);
		wrap(&w, p, 0);
		set_length(&w, p, 14 + 20 + 8 + 2, 0, 1, 0, false);
		assert_int_equal(walk_end(&w, p), MR_PROGRAM_OK);
		falls_back(&w);
		/* Not UDP; not a plain header. */
		p = walk_begin(&w);
		inside(&w, p, ETHERNET);
		wrap(&w, p, 0);
		mr_edit_set(w.rec, p, 14 + 9, &gre, 1);
		assert_int_equal(walk_end(&w, p), MR_PROGRAM_OK);
		falls_back(&w);
		p = walk_begin(&w);
		inside(&w, p, ETHERNET);
		wrap(&w, p, 0);
		mr_edit_set(w.rec, p, 14, &options, 1);
		assert_int_equal(walk_end(&w, p), MR_PROGRAM_OK);
		falls_back(&w);
		/* Too much of it. */
		p = walk_begin(&w);
		inside(&w, p, ETHERNET);
		assert_true(mr_edit_push(w.rec, p, 0, 48));
		for (unsigned i = 0; i < 48; i += 16)
			mr_edit_set(w.rec, p, i, words + i, 16);
		mr_edit_set(w.rec, p, 48, ethernet, 12);
		wrap(&w, p, 0);
		assert_int_equal(walk_end(&w, p), MR_PROGRAM_OK);
		falls_back(&w);
	}
	walk_close(&w);
}

/* -- whatever it is -------------------------------------------------------------------------------- */

static void
test_all(void **state)
{
	unsigned wrapped = 0, others = 0;
	struct walk w;

	walk_open(&w);
	for (unsigned i = 0; i < 4000; i++) {
		unsigned what = oracle_draw(&w.b.rng) % ALL_REWRITES, six = i & 1;

		shape(&w, six, protos[six][oracle_draw(&w.b.rng) % 3], oracle_draw(&w.b.rng) % 2);
		w.b.flow.bridged = oracle_draw(&w.b.rng) % 2;
		next_flow(&w);
		walk(&w, what);
		wrapped += !!(program(&w.b)->flags & MR_PROGRAM_WRAP);
		others += !(program(&w.b)->flags & MR_PROGRAM_WRAP);
		compare(&w);
		compare_tight(&w);
		compare_recorded(&w);
		mr_program_release(w.b.programs, w.b.program);
	}
	assert_true(wrapped > 2500 && others > 100);
	walk_close(&w);
}

/* People see the flow's own words, too. */
static void
test_print(void **state)
{
	struct walk w;

	walk_open(&w);
	for (unsigned what = 0; what < 8; what++) {
		const unsigned ip = what & TAG ? 18 : 14, head = what & OUTER6 ? 40 : 20;
		struct mr_packet *p;
		char text[400];
		int n;

		next_flow(&w);
		walk(&w, what | ETHERNET);
		assert_true(program(&w.b)->flags & MR_PROGRAM_WRAP);
		p = oracle_clone(w.b.packet);
		assert_true(mr_program_edit(program(&w.b), &w.b.values, NULL, p));
		n = snprintf(text, sizeof(text), "write %u bytes at 0: ", ip + head + 16 + 12);
		for (unsigned i = 0; i < ip; i++)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%02x", i ? ":" : "",
			    mr_packet_bytes(p)[i]);
		assert_non_null(strstr(print(&w.b), text));
		snprintf(text, sizeof(text), ":%02x:%02x:12:b5:", mr_packet_bytes(p)[ip + head],
		    mr_packet_bytes(p)[ip + head + 1]);
		assert_non_null(strstr(print(&w.b), text));
		free(p);
	}
	walk_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bridged),
		cmocka_unit_test(test_routed),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
