/* SPDX-License-Identifier: Apache-2.0 */
/* ip4-fragment and ip-reassembly: cut, put together, and what an attacker may try between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/icmp/icmp_test_int.h"

#define A6(...) ((const uint8_t[16]){ __VA_ARGS__ })
#define HOST6 A6(0x20, 1, 0xd, 0xb8, 0, 0, [15] = 5)
#define OUR6 A6(0x20, 1, 0xd, 0xb8, 0, 0, [15] = 1)

static struct bed bed;
static struct made m;
static uint8_t payload[70000];
static uint64_t seed = 1;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

static void
fill(void)
{
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 + i / 256 + seed);
}

/* -- cutting --------------------------------------------------------------------------- */

/* Options that RFC 791 copies (top bit) and that it does not. */
static const uint8_t options[] = { 7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0, 0x44, 4, 5, 0 };

/* What came out is what RFC 791, 3.2 says of `original`, cut to `mtu`. */
static void
check_pieces(const uint8_t *original, unsigned mtu)
{
	unsigned header = (original[0] & 15u) * 4, len = mr_load_be16(original + 2) - header;
	unsigned frag = mr_load_be16(original + 6), base = (frag & 0x1fff) * 8, at = 0;

	for (unsigned i = 0; i < bed.count; i++) {
		const struct bed_out *o = &bed.out[i];
		const uint8_t *ip = o->bytes + 14;
		unsigned h = (ip[0] & 15u) * 4, l = mr_load_be16(ip + 2) - h;
		bool last = i + 1 == bed.count;

		assert_int_equal(o->where, IP4_FRAGMENT_OUTPUT);
		assert_int_equal(o->meta.adjacency, 77);
		assert_int_equal(o->len, 14 + h + l);
		assert_memory_equal(o->bytes, m.bytes, 14);
		assert_true(h + l <= mtu);
		assert_int_equal(slow_sum(ip, h, 0), 0xffff);
		assert_int_equal((mr_load_be16(ip + 6) & 0x1fff) * 8, base + at);
		assert_int_equal(mr_load_be16(ip + 6) & 0x2000, last ? frag & 0x2000 : 0x2000);
		assert_int_equal(mr_load_be16(ip + 6) & 0xc000, 0);
		assert_true(last || l % 8 == 0);
		/* As large as they may be. */
		assert_true(last || h + l + 8 > mtu);
		assert_int_equal(ip[1], original[1]);
		assert_memory_equal(ip + 4, original + 4, 2);
		assert_memory_equal(ip + 8, original + 8, 2);
		assert_memory_equal(ip + 12, original + 12, 8);
		assert_memory_equal(ip + h, original + header + at, l);
		if (base || i == 0)
			assert_int_equal(h, header);
		if (header > 20 && (base || i == 0))
			assert_memory_equal(ip + 20, original + 20, header - 20);
		if (header > 20 && !base && i > 0) {
			assert_int_equal(h, 24);
			assert_memory_equal(ip + 20, options + 8, 4);
		}
		at += l;
	}
	assert_int_equal(at, len);
}

static void
cuts(void **state)
{
	static const unsigned lens[] = { 8, 100, 577, 1480, 1481, 3001, 8000, 65000 };
	static const unsigned mtus[] = { 68, 576, 577, 600, 1400, 1500, 2000, 9000 };
	static const unsigned frags[] = { 0, 0x2000, 0x2005, 0x0100 };

	bed_open(&bed);
	fill();
	for (unsigned n = 0; n < 2000; n++) {
		struct bed_in in = { .interface = 1,
			.adjacency = 77,
			.mtu = (uint16_t)mtus[draw(8)] };
		unsigned len = lens[draw(8)], opts = draw(2) ? sizeof(options) : 0;

		if (len > 8000 && in.mtu == 68)
			continue;
		if (draw(3) == 0)
			len += draw(200);
		make_ip4(&m, IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, options, opts, payload, len);
		mr_store_be16(m.bytes + 20, (uint16_t)frags[draw(4)]);
		fix_ip4(&m);
		in.split = draw(2) ? draw(120) : 0;
		bed_run(&bed, BED_FRAGMENT, &in, m.bytes, m.len + draw(2) * 7);
		if ((mr_load_be16(m.bytes + 20) & 0x1fff) * 8 + m.len - 14 > 65535) {
			assert_int_equal(bed.count, 0);
			continue;
		}
		if (bed.count == 1 && 20 + opts + len <= in.mtu) {
			assert_memory_equal(bed.out[0].bytes, m.bytes, m.len);
			continue;
		}
		check_pieces(m.bytes + 14, in.mtu);
	}
	assert_true(bed_close(&bed));
}

static void
cuts_settled_packets_only(void **state)
{
	struct bed_in in = { .interface = 1,
		.adjacency = 77,
		.mtu = 600,
		.packet_flags = MR_PACKET_CSUM_PARTIAL,
		.csum_start = 34,
		.csum_offset = 6 };
	uint8_t expected[3000];

	bed_open(&bed);
	fill();
	make_ip4(&m, IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, NULL, 0, payload, 2000);
	mr_store_be16(m.bytes + 38, 2000);
	mr_store_be16(m.bytes + 40, slow_sum(m.bytes + 26, 8, 17 + 2000));
	memcpy(expected, m.bytes + 14, 2020);
	mr_store_be16(expected + 26, (uint16_t)~slow_sum(expected + 20, 2000, 0));
	bed_run(&bed, BED_FRAGMENT, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 4);
	for (unsigned i = 0; i < bed.count; i++)
		assert_int_equal(bed.out[i].flags, 0);
	check_pieces(expected, 600);
	in.packet_flags |= MR_PACKET_GSO_UDP;
	bed_run(&bed, BED_FRAGMENT, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_FRAGMENT, "fragment-super-frame"), 1);
	in.packet_flags = 0;
	mr_store_be16(m.bytes + 20, 0x4000);
	fix_ip4(&m);
	bed_run(&bed, BED_FRAGMENT, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_FRAGMENT, "fragment-forbidden"), 1);
	for (unsigned len = 0; len < 50; len++)
		bed_run(&bed, BED_FRAGMENT, &in, m.bytes, len);
	assert_int_equal(bed.count, 0);
	assert_true(bed_close(&bed));
}

/* No buffers: dropped by name, and nothing sent of it. */
static void
cuts_without_buffers(void **state)
{
	struct bed_in in = { .interface = 1, .mtu = 600 };
	static uint32_t taken[BED_BUFFERS];
	unsigned count = 0;

	bed_open(&bed);
	make_ip4(&m, IP4(10, 0, 0, 5), IP4(192, 0, 2, 9), 17, NULL, 0, payload, 9000);
	while (mr_pool_used(bed.buffers->pool) < BED_BUFFERS - 10 &&
	    mr_buffers_get(bed.buffers, 0, &taken[count], 1))
		count++;
	bed_run(&bed, BED_FRAGMENT, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_FRAGMENT, "fragment-no-buffer"), 1);
	mr_buffers_put(bed.buffers, 0, taken, count);
	assert_true(bed_close(&bed));
}

/* -- putting together ------------------------------------------------------------------ */

static struct made *pieces[64];

/* One fragment of a datagram to us. */
static void
make_piece4(struct made *out, unsigned id, unsigned offset, unsigned len, bool more)
{
	make_ip4(out, IP4(10, 0, 0, 5), IP4(10, 0, 0, 1), 17, NULL, 0, payload + offset, len);
	mr_store_be16(out->bytes + 18, (uint16_t)id);
	mr_store_be16(out->bytes + 20, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
	fix_ip4(out);
}

static void
make_piece6(struct made *out, unsigned id, unsigned offset, unsigned len, bool more)
{
	static uint8_t bytes[70000];

	memset(bytes, 0, 8);
	bytes[0] = 17;
	mr_store_be16(bytes + 2, (uint16_t)(offset | more));
	mr_store_be32(bytes + 4, id);
	memcpy(bytes + 8, payload + offset, len);
	make_ip6(out, HOST6, OUR6, 44, bytes, 8 + len);
}

static void
make_piece(struct made *out, bool six, unsigned id, unsigned offset, unsigned len, bool more)
{
	(six ? make_piece6 : make_piece4)(out, id, offset, len, more);
}

static void
feed(bool six, unsigned id, unsigned offset, unsigned len, bool more)
{
	const struct bed_in in = { .interface = 1 };

	make_piece(&m, six, id, offset, len, more);
	bed_add(&bed, BED_REASSEMBLY, &in, m.bytes, m.len);
}

/* What came out is the whole datagram. */
static void
check_whole(const struct bed_out *o, bool six, unsigned total)
{
	unsigned head = six ? 40 : 20;

	assert_int_equal(o->where, MR_REASSEMBLY_EDGE_WHOLE);
	assert_int_equal(o->len, 14 + head + total);
	assert_int_equal(o->context, bed.interface[1]);
	if (six) {
		assert_int_equal(mr_load_be16(o->bytes + 18), total);
		assert_int_equal(o->bytes[20], 17);
		assert_memory_equal(o->bytes + 22, HOST6, 16);
		assert_memory_equal(o->bytes + 38, OUR6, 16);
	} else {
		assert_int_equal(mr_load_be16(o->bytes + 16), 20 + total);
		assert_int_equal(mr_load_be16(o->bytes + 20), 0);
		assert_int_equal(slow_sum(o->bytes + 14, 20, 0), 0xffff);
	}
	assert_memory_equal(o->bytes + 14 + head, payload, total);
}

/* In any order, of any size, with duplicates, padding and several datagrams at once. */
static void
puts_together(void **state)
{
	bed_open(&bed);
	fill();
	payload[4] = 0; /* a UDP length that the first fragment may have */
	payload[5] = 100;
	for (unsigned round = 0; round < 3000; round++) {
		unsigned count = 2 + draw(20), size = 8 * (1 + draw(180)), order[64];
		bool six = draw(2);
		unsigned total;

		if (size < 24)
			size = 24;
		total = size * (count - 1) + 1 + draw(size);
		for (unsigned i = 0; i < count; i++)
			order[i] = i;
		for (unsigned i = count - 1; i > 0; i--) {
			unsigned j = draw(i + 1), t = order[i];

			order[i] = order[j];
			order[j] = t;
		}
		bed_clear(&bed);
		for (unsigned i = 0; i < count; i++) {
			unsigned at = order[i] * size, len = MR_MIN(size, total - at);
			const struct bed_in in = { .interface = 1,
				.split = draw(3) ? 0 : 1 + draw(100) };

			assert_int_equal(bed.count, 0);
			make_piece(&m, six, round, at, len, at + len < total);
			bed_add(&bed, BED_REASSEMBLY, &in, m.bytes, m.len + draw(2) * draw(18));
			if (i + 1 < count && draw(8) == 0)
				bed_add(&bed, BED_REASSEMBLY, &in, m.bytes, m.len);
		}
		assert_int_equal(bed.count, 1);
		check_whole(&bed.out[0], six, total);
	}
	assert_true(bed_close(&bed));
}

/* The property: what is cut comes back as it was. */
static void
cut_and_put_together(void **state)
{
	static uint8_t original[70000];

	bed_open(&bed);
	fill();
	for (unsigned round = 0; round < 500; round++) {
		struct bed_in in = { .interface = 1, .mtu = (uint16_t)(576 + draw(1500)) };
		unsigned len = 1000 + draw(20000), count, order[64];

		make_ip4(&m, IP4(10, 0, 0, 5), IP4(10, 0, 0, 1), 253, options,
		    draw(2) ? sizeof(options) : 0, payload, len);
		memcpy(original, m.bytes, m.len);
		bed_run(&bed, BED_FRAGMENT, &in, m.bytes, m.len);
		count = bed.count;
		if (count < 2 || count > 60)
			continue;
		for (unsigned i = 0; i < count; i++) {
			pieces[i]->len = bed.out[i].len;
			memcpy(pieces[i]->bytes, bed.out[i].bytes, bed.out[i].len);
			order[i] = i;
		}
		for (unsigned i = count - 1; i > 0; i--) {
			unsigned j = draw(i + 1), t = order[i];

			order[i] = order[j];
			order[j] = t;
		}
		bed_clear(&bed);
		in.mtu = 0;
		for (unsigned i = 0; i < count; i++)
			bed_add(&bed, BED_REASSEMBLY, &in, pieces[order[i]]->bytes,
			    pieces[order[i]]->len);
		assert_int_equal(bed.count, 1);
		assert_int_equal(bed.out[0].len, m.len);
		assert_memory_equal(bed.out[0].bytes, original, m.len);
	}
	assert_true(bed_close(&bed));
}

/* RFC 5722: an overlap ends the datagram, with what is still to come of it. */
static void
overlaps_end_it(void **state)
{
	static const struct {
		unsigned offset, len;
		bool more;
	} bad[] = { { 8, 24, true }, { 40, 16, true }, { 0, 40, true }, { 0, 56, true },
		{ 24, 8, false }, { 16, 8, true }, { 96, 48, true } };

	bed_open(&bed);
	fill();
	for (unsigned six = 0; six < 2; six++) {
		for (unsigned i = 0; i < MR_ARRAY_COUNT(bad); i++) {
			unsigned id = 100 + i,
				 before =
				     (unsigned)bed_drops(&bed, BED_REASSEMBLY, "fragment-overlap");

			bed_clear(&bed);
			feed(six, id, 0, 48, true);
			feed(six, id, 96, 48, false);
			feed(six, id, bad[i].offset, bad[i].len, bad[i].more);
			feed(six, id, 48, 48, true);
			assert_int_equal(bed.count, 0);
			/* All four. */
			assert_int_equal(bed_drops(&bed, BED_REASSEMBLY, "fragment-overlap"),
			    before + 4);
			/* Another one is not concerned. */
			feed(six, id + 1000, 0, 48, true);
			feed(six, id + 1000, 48, 8, false);
			assert_int_equal(bed.count, 1);
		}
	}
	bed_pass_seconds(&bed, 70);
	assert_int_equal(bed.count, 1);
	assert_true(bed_close(&bed));
}

/* RFC 1858 2, 3; RFC 3128; RFC 7112; RFC 8200 4.5. */
static void
refuses_tiny_and_wrong(void **state)
{
	const struct bed_in in = { .interface = 1 };
	uint8_t header[64] = { 6, 0, 0, 1, 0, 0, 0, 9 };

	bed_open(&bed);
	fill();
	/* TCP without its flags, and what would write them. */
	make_ip4(&m, IP4(10, 0, 0, 5), IP4(10, 0, 0, 1), 6, NULL, 0, payload, 16);
	mr_store_be16(m.bytes + 20, 0x2000);
	fix_ip4(&m);
	bed_run(&bed, BED_REASSEMBLY, &in, m.bytes, m.len);
	make_ip4(&m, IP4(10, 0, 0, 5), IP4(10, 0, 0, 1), 6, NULL, 0, payload, 16);
	mr_store_be16(m.bytes + 20, 0x2001);
	fix_ip4(&m);
	bed_add(&bed, BED_REASSEMBLY, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_REASSEMBLY, "fragment-tiny"), 2);
	/* Odd length with more to come; past the end; empty. */
	feed(false, 1, 0, 20, true);
	feed(false, 1, 65504, 32, true);
	feed(false, 1, 800, 0, false);
	assert_int_equal(bed_drops(&bed, BED_REASSEMBLY, "fragment-malformed"), 3);
	assert_int_equal(bed.count, 0);
	/* IPv6 says so: a length that is no multiple of 8 (pointer: payload length), */
	feed(true, 1, 0, 20, true);
	assert_int_equal(bed.count, 1);
	assert_int_equal(bed.out[0].where, MR_REASSEMBLY_EDGE_ICMP);
	assert_int_equal(bed.out[0].meta.icmp_type, 4);
	assert_int_equal(bed.out[0].meta.icmp_code, 0);
	assert_int_equal(bed.out[0].meta.icmp_data, 4);
	/* a whole beyond 65,535 bytes (pointer: fragment offset), */
	bed_clear(&bed);
	feed(true, 1, 65528, 16, true);
	assert_int_equal(bed.count, 1);
	assert_int_equal(bed.out[0].meta.icmp_code, 0);
	assert_int_equal(bed.out[0].meta.icmp_data, 42);
	/* a first fragment that ends inside its headers (RFC 7112). */
	make_ip6(&m, HOST6, OUR6, 44, header, 8 + 16);
	bed_run(&bed, BED_REASSEMBLY, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 1);
	assert_int_equal(bed.out[0].where, MR_REASSEMBLY_EDGE_ICMP);
	assert_int_equal(bed.out[0].meta.icmp_code, 3);
	/* RFC 6946: a fragment that is all is whole at once. */
	bed_clear(&bed);
	feed(true, 77, 0, 100, false);
	assert_int_equal(bed.count, 1);
	check_whole(&bed.out[0], true, 100);
	/* No fragment at all passes. */
	make_ip4(&m, IP4(10, 0, 0, 5), IP4(10, 0, 0, 1), 17, NULL, 0, payload, 100);
	bed_run(&bed, BED_REASSEMBLY, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 1);
	assert_memory_equal(bed.out[0].bytes, m.bytes, m.len);
	assert_true(bed_close(&bed));
}

/* RFC 792, RFC 4443 3.3: about the first fragment, after 30 and 60 seconds. */
static void
times_out(void **state)
{
	bed_open(&bed);
	fill();
	feed(false, 1, 0, 48, true);
	feed(false, 1, 96, 48, true);
	feed(false, 2, 96, 48, true);
	feed(true, 1, 0, 48, true);
	bed_pass_seconds(&bed, 29);
	assert_int_equal(bed.count, 0);
	bed_pass_seconds(&bed, 2);
	assert_int_equal(bed.count, 1);
	assert_int_equal(bed.out[0].where, MR_REASSEMBLY_EDGE_ICMP);
	assert_int_equal(bed.out[0].meta.icmp_type, 11);
	assert_int_equal(bed.out[0].meta.icmp_code, 1);
	make_piece4(&m, 1, 0, 48, true);
	assert_memory_equal(bed.out[0].bytes, m.bytes, m.len);
	assert_int_equal(bed_drops(&bed, BED_REASSEMBLY, "fragment-timeout"), 2);
	bed_clear(&bed);
	bed_pass_seconds(&bed, 28);
	assert_int_equal(bed.count, 0);
	bed_pass_seconds(&bed, 2);
	assert_int_equal(bed.count, 1);
	assert_int_equal(bed.out[0].meta.icmp_type, 3);
	assert_int_equal(bed.out[0].meta.icmp_code, 1);
	/* What comes later begins anew. */
	bed_clear(&bed);
	feed(false, 1, 48, 48, false);
	bed_pass_seconds(&bed, 40);
	assert_int_equal(bed.count, 0);
	assert_true(bed_close(&bed));
}

static void
feed_from(uint32_t source, unsigned id, unsigned offset, unsigned len, bool more)
{
	const struct bed_in in = { .interface = 1 };

	make_piece4(&m, id, offset, len, more);
	mr_store_be32(m.bytes + 26, source);
	fix_ip4(&m);
	bed_add(&bed, BED_REASSEMBLY, &in, m.bytes, m.len);
}

/* A flood of first fragments fills what it may, and others still get through. */
static void
is_bounded(void **state)
{
	struct mr_reassembly_limits limits = { .datagrams = 100,
		.buffers = 200,
		.fragments = 10,
		.per_source = 20 };
	struct mr_reassembly_usage u;

	bed_open(&bed);
	fill();
	mr_reassembly_limit(bed.icmp->reassembly, bed.vrf, &limits);
	/* One source: its share. */
	for (unsigned i = 0; i < 1000; i++)
		feed_from(IP4(10, 0, 0, 66), i, 0, 64, true);
	mr_reassembly_usage(bed.icmp->reassembly, bed.vrf, &u);
	assert_int_equal(u.buffers, 20);
	assert_int_equal(u.datagrams, 20);
	assert_int_equal(bed_drops(&bed, BED_REASSEMBLY, "fragment-source-limit"), 980);
	feed_from(IP4(10, 0, 0, 5), 1, 0, 64, true);
	feed_from(IP4(10, 0, 0, 5), 1, 64, 64, false);
	assert_int_equal(bed.count, 1);
	/* All sources there are: the oldest give way. */
	for (unsigned i = 0; i < 5000; i++)
		feed_from(IP4(11, 0, 0, 0) + i, i, 0, 64, true);
	mr_reassembly_usage(bed.icmp->reassembly, bed.vrf, &u);
	assert_true(u.datagrams <= 100 && u.buffers <= 200);
	bed_clear(&bed);
	feed_from(IP4(10, 0, 0, 5), 2, 0, 64, true);
	for (unsigned i = 0; i < 50; i++)
		feed_from(IP4(12, 0, 0, 0) + i, i, 0, 64, true);
	feed_from(IP4(10, 0, 0, 5), 2, 64, 64, false);
	assert_int_equal(bed.count, 1);
	check_whole(&bed.out[0], false, 128);
	assert_true(bed_drops(&bed, BED_REASSEMBLY, "fragment-evicted") > 4800);
	/* Too many pieces: the whole of it goes. */
	bed_clear(&bed);
	for (unsigned i = 0; i < 12; i++)
		feed_from(IP4(10, 0, 0, 7), 9, i * 8 + (i ? 16 : 0), i ? 8 : 24, i < 11);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed_drops(&bed, BED_REASSEMBLY, "fragment-many"), 12);
	/* None at all. */
	limits.datagrams = 0;
	mr_reassembly_limit(bed.icmp->reassembly, bed.vrf, &limits);
	feed_from(IP4(10, 0, 0, 8), 9, 0, 24, true);
	bed_pass_seconds(&bed, 70);
	mr_reassembly_usage(bed.icmp->reassembly, bed.vrf, &u);
	assert_int_equal(u.datagrams + u.buffers, 0);
	/* What is held at the end is freed with it. */
	limits.datagrams = 10;
	mr_reassembly_limit(bed.icmp->reassembly, bed.vrf, &limits);
	feed_from(IP4(10, 0, 0, 8), 10, 0, 24, true);
	assert_true(bed_close(&bed));
}

/* RFC 3168, 5.3. */
static void
keeps_congestion_marks(void **state)
{
	const struct bed_in in = { .interface = 1 };
	static const uint8_t marks[][3] = { { 0, 0, 0 }, { 2, 2, 2 }, { 2, 3, 3 }, { 3, 2, 3 },
		{ 0, 3, 255 }, { 3, 0, 255 } };

	bed_open(&bed);
	fill();
	for (unsigned i = 0; i < MR_ARRAY_COUNT(marks); i++) {
		bed_clear(&bed);
		for (unsigned n = 0; n < 2; n++) {
			make_piece4(&m, i, n * 64, 64, n == 0);
			m.bytes[15] = marks[i][n];
			fix_ip4(&m);
			bed_add(&bed, BED_REASSEMBLY, &in, m.bytes, m.len);
		}
		assert_int_equal(bed.count, marks[i][2] == 255 ? 0 : 1);
		if (bed.count)
			assert_int_equal(bed.out[0].bytes[15] & 3, marks[i][2]);
	}
	assert_int_equal(bed_drops(&bed, BED_REASSEMBLY, "fragment-ecn"), 4);
	assert_true(bed_close(&bed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts),
		cmocka_unit_test(cuts_settled_packets_only),
		cmocka_unit_test(cuts_without_buffers),
		cmocka_unit_test(puts_together),
		cmocka_unit_test(cut_and_put_together),
		cmocka_unit_test(overlaps_end_it),
		cmocka_unit_test(refuses_tiny_and_wrong),
		cmocka_unit_test(times_out),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(keeps_congestion_marks),
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(pieces); i++) {
		pieces[i] = malloc(sizeof(*pieces[i]));
		if (!pieces[i])
			return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
