/* SPDX-License-Identifier: Apache-2.0 */

/* Frames into tunnels whose sums are not made yet, and super-frames, which are cut before they are
 * wrapped: each piece is whole, and all of them are the super-frame. */

#include "nf/tunnel/tunnel_test_int.h"

#define ENDS \
	"tunnel:\n" \
	"  b4: {local: 10.9.0.1, remote: [192.0.2.14], vxlan: {vni: 14}%s}\n" \
	"  b6: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::16\"], vxlan: {vni: 16}%s}\n" \
	"bridge: {br4: {interface: [c, b4]}, br6: {interface: [d, b6]}}\n"

static const struct tn_talk talks[4] = {
	{ 0x3001, 0x3002, "10.77.0.1", "10.77.0.2", 1004, 53, 0xb9, false },
	{ 0x3001, 0x3002, "fd77::1", "fd77::2", 1005, 80, 2, true },
	{ 0x3001, 0x3002, "10.77.0.1", "10.77.0.2", 1004, 80, 0, true },
	{ 0x3001, 0x3002, "fd77::1", "fd77::2", 1005, 53, 0xb8, false },
};
static const struct tn_head heads[2] = {
	{ 1, 0, 0x0902, 0xaa02, TN_LOCAL4, "192.0.2.14", 14, 4789, 64, 0, false, false },
	{ 1, 0, 0x0902, 0xaa02, TN_LOCAL6, "2001:db8:ff::16", 16, 4789, 64, 0, false, false },
};

static void
open_with(struct tn_bed *t, const char *more, unsigned mtu)
{
	static char all[1024];
	const struct tn_conf c = {
		.interfaces = ", b4: {driver: tunnel, mtu: 1800}, b6: {driver: tunnel, mtu: 1800}",
		.all = all,
		.mtu = mtu,
	};

	snprintf(all, sizeof(all), ENDS, more, more);
	tn_open(t, &c);
}

static void
unfinished(void **state)
{
	(void)state;
	for (unsigned checksum = 0; checksum < 2; checksum++) {
		struct tn_bed t;

		open_with(&t, checksum ? ", udp-checksum: true" : "", 0);
		for (unsigned n = 0; n < 128; n++) {
			const struct tn_talk *talk = &talks[n >> 1 & 3];
			struct tn_head head = heads[n & 1];
			struct tn_meta meta = { .split = n % 3 * 60 };
			unsigned tags = n >> 3 & 1;
			struct tn_frame f, want;

			head.class = talk->class;
			head.checksum = checksum;
			tn_build(&want, 2 + (n & 1), talk, n * 11);
			f = want;
			tn_unfinish(&f, 14, &meta);
			if (tags) {
				tn_tag(&want, 5);
				tn_tag(&f, 5);
				meta.csum_start += 4;
			}
			tn_give_as(&t, &f, &meta);
			tn_run(&t);
			assert_int_equal(t.out_count, 1);
			(void)tn_check(&t.out[0], &head, &want);
		}
		tn_close(&t);
	}
}

/* -- super-frames ---------------------------------------------------------------------------- */

struct super {
	const struct tn_talk *talk;
	unsigned payload, piece; /* bytes, in fours */
	bool untold;             /* the source did not say: what fits the way */
};

/* Where in the payload a piece is, by its first four bytes. */
static void
fill(struct tn_frame *f, unsigned head)
{
	for (unsigned i = head; i + 4 <= f->len; i += 4) {
		tn_put16(f->bytes + i, (i - head) >> 16);
		tn_put16(f->bytes + i + 2, i - head);
	}
}

static void
check_piece(const uint8_t *piece, unsigned len, const struct tn_frame *f, const struct super *s,
    bool *there)
{
	bool six = strchr(s->talk->src, ':');
	unsigned l4 = 14 + (six ? 40 : 20), head = l4 + (s->talk->tcp ? 20 : 8), at, size;
	unsigned count = (s->payload + s->piece - 1) / s->piece;

	assert_true(len > head);
	tn_check_sums(piece, len);
	at = tn_get16(piece + head + 2);
	size = len - head;
	assert_true(at % s->piece == 0 && at < s->payload && !there[at / s->piece]);
	there[at / s->piece] = true;
	assert_int_equal(size, MR_MIN(s->piece, s->payload - at));
	assert_memory_equal(piece + head, f->bytes + head + at, size);
	assert_memory_equal(piece, f->bytes, 14);
	assert_memory_equal(piece + l4 - (six ? 32 : 8), f->bytes + l4 - (six ? 32 : 8),
	    six ? 32 : 8);
	assert_memory_equal(piece + l4, f->bytes + l4, 4);
	if (s->talk->tcp) {
		unsigned seq = (unsigned)tn_get16(piece + l4 + 4) << 16 | tn_get16(piece + l4 + 6);

		assert_int_equal(seq, 0x10000 + at);
		/* PSH is the last one's. */
		assert_int_equal(piece[l4 + 13] & 8, at / s->piece == count - 1 ? 8 : 0);
	} else {
		assert_int_equal(tn_get16(piece + l4 + 4), 8 + size);
	}
}

static void
super(struct tn_bed *t, unsigned way, const struct super *s, bool checksum, unsigned split)
{
	bool six = strchr(s->talk->src, ':'), there[64] = { false };
	unsigned l4 = 14 + (six ? 40 : 20), head = l4 + (s->talk->tcp ? 20 : 8);
	unsigned count = (s->payload + s->piece - 1) / s->piece;
	uint64_t cut = tn_count(t, "tunnel-out", "cut");
	struct tn_meta meta = { .split = split };
	struct tn_head around = heads[way];
	uint16_t sport = 0;
	struct tn_frame f;

	tn_build(&f, 2 + way, s->talk, s->payload);
	fill(&f, head);
	if (s->talk->tcp) {
		tn_put16(f.bytes + l4 + 4, 1);
		f.bytes[l4 + 13] |= 8;
	}
	tn_unfinish(&f, 14, &meta);
	meta.flags |=
	    s->talk->tcp ? (six ? MR_PACKET_GSO_TCP6 : MR_PACKET_GSO_TCP4) : MR_PACKET_GSO_UDP;
	meta.gso_size = s->untold ? 0 : s->piece;
	around.class = s->talk->class;
	around.checksum = checksum;
	tn_give_as(t, &f, &meta);
	tn_run(t);
	assert_int_equal(tn_count(t, "tunnel-out", "cut") - cut, 1);
	assert_int_equal(t->out_count, count);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *piece;
		uint16_t said;
		unsigned len;

		piece = tn_unwrap(&t->out[i], &around, &len, &said);
		check_piece(piece, len, &f, s, there);
		assert_true(!sport || sport == said);
		sport = said;
	}
}

static void
super_frames(void **state)
{
	static const struct super cases[] = {
		{ &talks[2], 8000, 1400, false },
		{ &talks[1], 8000, 1400, false },
		{ &talks[0], 5600, 1400, false },
		{ &talks[3], 1404, 1400, false },
		{ &talks[2], 2000, 100, false },
		{ &talks[1], 1500, 1500, false },
		{ &talks[2], 40, 1400, false },
		{ &talks[3], 7004, 700, false },
		/* 1,950 bytes, less 70 around a frame of IPv6, and its own headers. */
		{ &talks[2], 8000, 1840, true },
		{ &talks[1], 8000, 1820, true },
	};

	(void)state;
	for (unsigned checksum = 0; checksum < 2; checksum++) {
		struct tn_bed t;

		open_with(&t, checksum ? ", udp-checksum: true" : "", 0);
		for (unsigned n = 0; n < 3 * MR_ARRAY_COUNT(cases); n++)
			for (unsigned way = 0; way < 2; way++)
				super(&t, way, &cases[n / 3], checksum, n % 3 * 70);
		tn_close(&t);
	}
}

/* The other way: a neighbour hands over one outer packet of many frames, which the device would have
 * cut. Its inner frame is the super-frame; where the outer one is, nobody knows what it holds. */
static void
super_frames_out(void **state)
{
	struct tn_bed t;

	(void)state;
	open_with(&t, "", 0);
	for (unsigned n = 0; n < 8; n++) {
		const struct super s = { &talks[n & 1 ? 1 : 2], 7000, 1400, false };
		unsigned way = n >> 1 & 1, six = n & 1, head = 14 + (six ? 60 : 40);
		uint64_t lost = tn_drops(&t, "tunnel-in", "super-frame");
		struct tn_head from = heads[way];
		struct tn_meta meta = { 0 };
		bool there[64] = { false };
		struct tn_frame f, in;

		from.to = 0xaa02;
		from.from = 0x0902;
		from.src = heads[way].dst;
		from.dst = heads[way].src;
		tn_build(&in, 0, s.talk, s.payload);
		fill(&in, head);
		tn_put16(in.bytes + head - 16, 1);
		in.bytes[head - 7] |= 8;
		tn_unfinish(&in, 14, &meta);
		tn_wrap(&f, &from, 50000, &in);
		meta.csum_start += way ? TN_ROUND6 : TN_ROUND4;
		meta.flags |= six ? MR_PACKET_GSO_TCP6 : MR_PACKET_GSO_TCP4;
		if (n & 4) {
			tn_unfinish(&f, 14, &meta);
			meta.flags = MR_PACKET_CSUM_PARTIAL | MR_PACKET_GSO_UDP;
		}
		meta.gso_size = s.piece;
		tn_give_as(&t, &f, &meta);
		tn_run(&t);
		assert_int_equal(tn_drops(&t, "tunnel-in", "super-frame") - lost, n & 4 ? 1 : 0);
		assert_int_equal(t.out_count, n & 4 ? 0 : 5);
		for (unsigned i = 0; i < t.out_count; i++) {
			assert_int_equal(t.out[i].port, 2 + way);
			check_piece(t.out[i].bytes, t.out[i].len, &in, &s, there);
		}
	}
	tn_close(&t);
}

/* What cannot be cut is said; a piece too big for the way is in pieces again, or too big. */
static void
what_cannot_be_cut(void **state)
{
	struct tn_meta meta = { .flags = MR_PACKET_GSO_TCP4 | MR_PACKET_CSUM_PARTIAL,
		.csum_start = 34,
		.csum_offset = 16,
		.gso_size = 1000 };
	struct tn_frame f;
	struct tn_bed t;

	(void)state;
	open_with(&t, "", 1000);
	for (unsigned n = 0; n < 3; n++) {
		tn_build(&f, 2, &talks[2], 3000);
		f.bytes[47] = 0x02; /* SYN */
		tn_give_as(&t, &f, &meta);
		tn_run(&t);
		assert_int_equal(t.out_count, 0);
		assert_int_equal(tn_drops(&t, "tunnel-out", "super-frame"), n + 1);
	}
	for (unsigned way = 0; way < 2; way++) {
		uint64_t too_big = tn_drops(&t, "tunnel-out", "too-big");

		tn_build(&f, 2 + way, &talks[2], 3000);
		tn_give_as(&t, &f, &meta);
		tn_run(&t);
		/* Three pieces of 1,000, each of which IPv4 cuts in two. */
		assert_int_equal(t.out_count, way ? 0 : 6);
		assert_int_equal(tn_drops(&t, "tunnel-out", "too-big") - too_big, way ? 3 : 0);
	}
	tn_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unfinished),
		cmocka_unit_test(super_frames),
		cmocka_unit_test(super_frames_out),
		cmocka_unit_test(what_cannot_be_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
