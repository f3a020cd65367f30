/* SPDX-License-Identifier: Apache-2.0 */

/* Packets in tunnels, by the graph and by the flow lane: what leaves is the same, whatever their
 * length, class, and what the frame holds behind them. */

#include "nf/lb/lb_test_int.h"

static const struct lb_talk talks[] = {
	{ "198.51.100.5", "203.0.113.80", 1000, 80 },
	{ "198.51.100.5", "203.0.113.81", 1000, 80 },
	{ "2001:db8:99::5", "2001:db8:80::80", 1000, 80 },
	{ "2001:db8:99::5", "2001:db8:80::81", 1000, 80 },
};
static const struct {
	const char *mode, *protocol;
	unsigned flags;
} cases[] = {
	{ "ipip", "tcp", MR_TCP_ACK },
	{ "ipip", "udp", LB_UDP },
	{ "gue", "tcp", MR_TCP_ACK },
	{ "gue", "udp", LB_UDP },
};

static const char *
services(unsigned n)
{
	static char text[1024];

	snprintf(text, sizeof(text),
	    "  service:\n"
	    "    four: {address: [203.0.113.80, \"2001:db8:80::80\"], port: 80, mode: %s, "
	    "protocol: "
	    "%s, backend: {b1: {address: 10.1.0.11}}}\n"
	    "    six: {address: [203.0.113.81, \"2001:db8:80::81\"], port: 80, mode: %s, protocol: "
	    "%s, backend: {b1: {address: \"2001:db8:1::11\"}}}\n",
	    cases[n].mode, cases[n].protocol, cases[n].mode, cases[n].protocol);
	return text;
}

static bool
is_six(const struct lb_talk *t)
{
	return t->src[4] == ':';
}

static void
set_class(struct lb_frame *f, bool six, unsigned class)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(f->bytes + 14);

	if (six) {
		mr_store_be16(f->bytes + 14, (uint16_t)(6u << 12 | class << 4));
	} else {
		ip->tos = (uint8_t) class;
		ip->check = mr_checksum_ipv4_header(ip);
	}
}

/* The outer header says what is inside of it, and of the frame no more. */
static void
check_outer(const struct lb_bed *lb, const struct lb_frame *in, unsigned padding, unsigned class,
    unsigned size)
{
	const struct lb_frame *out = &lb->out[0];
	const uint8_t *ip = out->bytes + 14;
	unsigned len = in->len - padding - 14 + size;

	assert_int_equal(lb->out_count, 1);
	assert_int_equal(out->len, in->len + size);
	if (ip[0] >> 4 == 4) {
		assert_int_equal(mr_load_be16(ip + 2), len);
		assert_int_equal(mr_load_be16(ip + 4), 0);
		assert_int_equal(mr_load_be16(ip + 6), MR_IP4_DONT_FRAGMENT);
		assert_int_equal(ip[1], class);
		assert_int_equal(ip[8], 63);
	} else {
		assert_int_equal(mr_load_be16(ip + 4), len - 40);
		assert_int_equal(mr_load_be16(ip) >> 4 & 255, class);
		assert_int_equal(ip[7], 63);
	}
	assert_memory_equal(ip + size, in->bytes + 14, in->len - 14);
}

static void
lengths(void **state)
{
	for (unsigned n = 0; n < MR_ARRAY_COUNT(cases); n++) {
		bool gue = !strcmp(cases[n].mode, "gue");
		struct lb_frame f;
		struct lb_bed lb;

		lb_open(&lb, services(n));
		for (unsigned t = 0; t < MR_ARRAY_COUNT(talks); t++) {
			unsigned size = (t & 1 ? 40 : 20) + (gue ? 12 : 0);
			uint64_t before;

			if (!(cases[n].flags & LB_UDP))
				lb_send(&lb, 0, &talks[t], MR_TCP_SYN);
			for (unsigned k = 0; k < 4; k++)
				lb_send(&lb, 0, &talks[t], cases[n].flags);
			before = bed_lane_count(lb.b, 0);
			for (unsigned len = 0; len <= 1388; len += len < 40 ? 1 : 67) {
				unsigned padding = len < 12 ? 12 - len : 0;

				lb_packet(&lb, &f, 0, &talks[t], cases[n].flags, len);
				memset(f.bytes + f.len, 0xa5, padding);
				f.len += padding;
				lb_one(&lb, 0, &f);
				check_outer(&lb, &f, padding, 0, size);
			}
			assert_int_equal(bed_lane_count(lb.b, 0) - before, 61);
		}
		lb_close(&lb);
	}
}

/* A packet of another class, or that may be cut, is no other flow's. */
static void
classes(void **state)
{
	for (unsigned n = 0; n < MR_ARRAY_COUNT(cases); n++) {
		bool gue = !strcmp(cases[n].mode, "gue");
		struct lb_frame f;
		struct lb_bed lb;

		lb_open(&lb, services(n));
		for (unsigned t = 0; t < MR_ARRAY_COUNT(talks); t++) {
			for (unsigned k = 0; k < 24; k++) {
				unsigned class = k < 8 ? 0 : k % 3 ? 0xb8 : 0xb8 | 3;

				lb_packet(&lb, &f, 0, &talks[t], cases[n].flags, k);
				if (!is_six(&talks[t]))
					f.bytes[20] = k & 1 ? 0 : MR_IP4_DONT_FRAGMENT >> 8;
				set_class(&f, is_six(&talks[t]), class);
				lb_one(&lb, 0, &f);
				check_outer(&lb, &f, 0, class, (t & 1 ? 40 : 20) + (gue ? 12 : 0));
			}
		}
		lb_close(&lb);
	}
}

/* What does not fit is not replayed, and what comes behind it is. */
static void
too_long(void **state)
{
	struct lb_frame f;
	struct lb_bed lb;

	lb_open(&lb, services(0));
	for (unsigned t = 0; t < MR_ARRAY_COUNT(talks); t++) {
		unsigned fits = 1500 - (t & 1 ? 40 : 20) - (t & 2 ? 40 : 20) - 20;

		for (unsigned k = 0; k < 30; k++) {
			bool big = k % 5 == 0, cut = !is_six(&talks[t]) && k % 10 == 0;

			lb_packet(&lb, &f, 0, &talks[t], MR_TCP_ACK, big ? fits + 1 : fits);
			if (cut && t & 1) {
				f.bytes[20] = 0;
				set_class(&f, false, 0);
			}
			lb_one(&lb, 0, &f);
			if (!big)
				check_outer(&lb, &f, 0, 0, t & 1 ? 40 : 20);
			else if (cut && t & 1) /* over IPv6 it is not */
				assert_int_equal(lb.out_count, 0);
			else
				assert_int_equal(lb.out[0].port, 0);
		}
	}
	lb_close(&lb);
}

/* -- what tells the pieces of one packet from another's ------------------------------------- */

#define PIECES_MAX 512u

struct pieces {
	struct {
		uint16_t id, offset;
	} at[PIECES_MAX];
	unsigned count;
};

/* The identification as it leaves: the bed hides it from those that compare. */
static void
keep_piece(struct bed_port *bp, unsigned worker, const uint32_t *packets, unsigned count)
{
	struct pieces *to = bp->user;
	uint8_t bytes[34];

	(void)worker;
	for (unsigned i = 0; i < count; i++) {
		assert_true(to->count < PIECES_MAX);
		assert_int_equal(mr_packet_read(bp->plane->buffers, packets[i], 0, bytes, 34), 34);
		to->at[to->count].id = mr_load_be16(bytes + 18);
		to->at[to->count++].offset = mr_load_be16(bytes + 20) & MR_IP4_FRAG_OFFSET;
	}
}

/* Each packet has a number of its own, which its pieces have. */
static void
check_pieces(const struct pieces *pieces)
{
	static bool first[65536], last[65536];

	memset(first, 0, sizeof(first));
	memset(last, 0, sizeof(last));
	for (unsigned i = 0; i < pieces->count; i++) {
		bool *there = pieces->at[i].offset ? last : first;

		assert_false(there[pieces->at[i].id]);
		there[pieces->at[i].id] = true;
	}
	assert_memory_equal(first, last, sizeof(first));
}

/* Packets to one server, of two services and of two flows each, many of them in a vector. */
static void
identification(void **state)
{
	for (unsigned n = 1; n < MR_ARRAY_COUNT(cases); n += 2) {
		struct pieces pieces[BED_PLANES] = { 0 };
		struct lb_frame f;
		char text[512];
		struct lb_bed lb;

		snprintf(text, sizeof(text),
		    "  service:\n"
		    "    one: {address: 203.0.113.80, port: 80, mode: %s, protocol: udp, backend: "
		    "{b1: {address: 10.1.0.11}}}\n"
		    "    two: {address: 203.0.113.81, port: 80, mode: %s, protocol: udp, backend: "
		    "{b1: {address: 10.1.0.11}}}\n",
		    cases[n].mode, cases[n].mode);
		lb_open(&lb, text);
		for (unsigned k = 0; k < BED_PLANES; k++) {
			lb.b->planes[k].ports[1].sink = keep_piece;
			lb.b->planes[k].ports[1].user = &pieces[k];
		}
		for (unsigned round = 0; round < 4; round++) {
			for (unsigned k = 0; k < 48; k++) {
				struct lb_talk talk = talks[k & 1];

				talk.sport += k >> 1 & 1;
				lb_packet(&lb, &f, 0, &talk, LB_UDP, 1460);
				f.bytes[20] = 0;
				set_class(&f, false, 0);
				lb_give(&lb, 0, &f);
			}
			lb_run(&lb);
		}
		for (unsigned k = 0; k < BED_PLANES; k++) {
			assert_int_equal(pieces[k].count, 2 * 4 * 48);
			check_pieces(&pieces[k]);
		}
		lb_close(&lb);
	}
}

/* UDP is a byte shorter than IP says; its checksum is right. */
static void
cut_udp(struct lb_frame *f, bool six)
{
	uint8_t *ip = f->bytes + 14, *udp = ip + (six ? 40 : 20);
	unsigned len = mr_load_be16(udp + 4) - 1u;
	be32_t src, dst;
	uint64_t sum;
	be16_t check;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	mr_store_be16(udp + 4, (uint16_t)len);
	memset(udp + 6, 0, 2);
	sum = six ? mr_checksum_pseudo6(ip + 8, ip + 24, MR_IP_PROTO_UDP, len)
		  : mr_checksum_pseudo4(src, dst, MR_IP_PROTO_UDP, (uint16_t)len);
	check = mr_checksum_finish_udp(mr_checksum_add(sum, udp, len));
	memcpy(udp + 6, &check, 2);
}

static void
sum_outer(const struct lb_bed *lb)
{
	const uint8_t *ip = lb->out[0].bytes + 14;
	unsigned len = mr_load_be16(ip + 4);
	uint64_t sum = mr_checksum_pseudo6(ip + 8, ip + 24, MR_IP_PROTO_UDP, len);

	assert_int_equal(lb->out_count, 1);
	assert_int_equal(ip[6], MR_IP_PROTO_UDP);
	assert_int_not_equal(mr_load_be16(ip + 46), 0);
	assert_int_equal(mr_checksum_fold(mr_checksum_add(sum, ip + 40, len)), 0xffff);
}

/* GUE over IPv6: the outer checksum rests on the inner one. A packet that has none, or whose UDP is
 * shorter than IP says, is not replayed; what comes behind it is. All have a right one. */
static void
checksums(void **state)
{
	struct lb_frame f;
	struct lb_bed lb;

	lb_open(&lb, services(3));
	for (unsigned t = 1; t < MR_ARRAY_COUNT(talks); t += 2) {
		unsigned l4 = 14 + (is_six(&talks[t]) ? 40 : 20);
		uint64_t before;

		for (unsigned k = 0; k < 4; k++)
			lb_send(&lb, 0, &talks[t], LB_UDP);
		before = bed_lane_count(lb.b, 0);
		for (unsigned k = 0; k < 60; k++) {
			lb_packet(&lb, &f, 0, &talks[t], LB_UDP, 10 + k);
			if (k % 3 == 1 && !is_six(&talks[t]))
				memset(f.bytes + l4 + 6, 0, 2);
			if (k % 3 == 2)
				cut_udp(&f, is_six(&talks[t]));
			lb_one(&lb, 0, &f);
			sum_outer(&lb);
		}
		/* The lane lets others of a flow wait for those that it does not replay. */
		assert_true(bed_lane_count(lb.b, 0) - before >= 10);
		assert_true(bed_lane_count(lb.b, 0) - before <= (is_six(&talks[t]) ? 40 : 20));
	}
	lb_close(&lb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(classes),
		cmocka_unit_test(too_long),
		cmocka_unit_test(identification),
		cmocka_unit_test(checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
