/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RFC 7915 by section: tables of what must become of what, and what must not be translated. Whole packets are compared in xlat_random_test.c.
 */
#include "kit/packet/checksum.h"
#include "nf/xlat/xlat_int.h"
#include "nf/xlat/xlat_test_int.h"

unsigned
story_write(const struct story *s, bool six, bool quoted, uint8_t *out)
{
	return story_ip(s, six, quoted, out);
}

static struct mr_buffers *buffers;

static int
open_buffers(void **state)
{
	return mr_buffers_create(&buffers,
	    &(struct mr_buffers_config){ .count = 64,
		.workers = 1,
		.numa_node = -1,
		.pages = MR_ARENA_4K },
	    NULL);
}

static int
close_buffers(void **state)
{
	mr_buffers_destroy(buffers);
	return 0;
}

static const struct story plain = {
	.src4 = { 192, 0, 2, 1 },
	.dst4 = { 198, 51, 100, 2 },
	.src6 = { 0x20, 1, 0xd, 0xb8, [15] = 1 },
	.dst6 = { 0, 0x64, 0xff, 0x9b, [12] = 198, 51, 100, 2 },
	.hops = 64,
	.proto = MR_IP_PROTO_UDP,
	.ports4 = { 1000, 53 },
	.ports6 = { 2000, 53 },
	.len = 20,
};

static unsigned
frame_of(const struct story *s, bool six, uint8_t *out)
{
	memset(out, 2, 12);
	put16(out + 12, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	return L3 + story_ip(s, six, false, out + L3);
}

static void
to_of(struct xlat_to *to, const struct story *s, bool six)
{
	for (unsigned i = 0; s && i < 2; i++, s = s->quoted) {
		struct xlat_ends *e = i ? &to->quoted : &to->outer;
		const uint16_t *ports = six ? s->ports4 : s->ports6;

		memset(e, 0, sizeof(*e));
		memcpy(e->src, six ? s->src4 : s->src6, six ? 4 : 16);
		memcpy(e->dst, six ? s->dst4 : s->dst6, six ? 4 : 16);
		e->sport = mr_be16(ports[0]);
		e->dport = mr_be16(ports[1]);
	}
	to->mtu4 = to->mtu6 = 1500;
}

/* Translates these bytes; the result is in `out` when it is one. */
static enum xlat_result
turn(uint8_t *bytes, unsigned len, const struct xlat_to *to, uint8_t *out, unsigned *out_len)
{
	const struct xlat_pass pass = { buffers, 0, NULL };
	uint32_t packet = mr_packet_from(buffers, 0, bytes, len);
	struct mr_packet *p = mr_packet_at(buffers->base, packet);
	enum xlat_result result;
	struct xlat x;

	result = xlat_read(&x, p, L3);
	if (!result)
		result = xlat_write(&pass, packet, &x, to);
	if (result) /* as it was */
		assert_memory_equal(mr_packet_bytes(p), bytes, len);
	else if (out)
		memcpy(out, mr_packet_bytes(p), *out_len = p->len);
	mr_packets_free(buffers, 0, &packet, 1);
	return result;
}

static enum xlat_result
turn_story(const struct story *s, bool six, uint8_t *out, unsigned *len)
{
	static uint8_t in[4096];
	struct xlat_to to = { 0 };
	unsigned size = frame_of(s, six, in);

	to_of(&to, s, six);
	return turn(in, size, &to, out, len);
}

/* -- errors ----------------------------------------------------------------------------------- */

static void
expect_error(bool six, const struct icmp_pair *pair, bool translated, int line)
{
	struct story quoted = plain, s = plain;
	uint8_t out[2048];
	unsigned len = 0, l4 = L3 + (six ? 20 : 40);
	enum xlat_result result;

	quoted.quoted_len = 28;
	s.proto = MR_IP_PROTO_ICMP;
	s.error = pair;
	s.quoted = &quoted;
	result = turn_story(&s, six, out, &len);
	if (!translated) {
		if (result != XLAT_ICMP)
			fail_msg("line %d: type %u code %u is translated", line,
			    six ? pair->type6 : pair->type4, six ? pair->code6 : pair->code4);
		return;
	}
	assert_int_equal(result, XLAT_OK);
	if (out[l4] != (six ? pair->type4 : pair->type6) ||
	    out[l4 + 1] != (six ? pair->code4 : pair->code6) ||
	    mr_load_be32(out + l4 + 4) != (six ? pair->word4 : pair->word6))
		fail_msg("line %d: type %u code %u word %x", line, out[l4], out[l4 + 1],
		    mr_load_be32(out + l4 + 4));
	assert_int_equal(mr_checksum_l4_verify(out, len), MR_CHECKSUM_GOOD);
}

/* RFC 7915, 4.2. */
static void
section_4_2(void **state)
{
	static const struct icmp_pair pairs[] = {
		{ 3, 0, 1, 0, 0, 0 }, { 3, 1, 1, 0, 0, 0 }, { 3, 2, 4, 1, 0, 6 },
		{ 3, 3, 1, 4, 0, 0 }, { 3, 5, 1, 0, 0, 0 }, { 3, 6, 1, 0, 0, 0 },
		{ 3, 7, 1, 0, 0, 0 }, { 3, 8, 1, 0, 0, 0 }, { 3, 9, 1, 1, 0, 0 },
		{ 3, 10, 1, 1, 0, 0 }, { 3, 11, 1, 0, 0, 0 }, { 3, 12, 1, 0, 0, 0 },
		{ 3, 13, 1, 1, 0, 0 }, { 3, 15, 1, 1, 0, 0 }, { 11, 0, 3, 0, 0, 0 },
		{ 11, 1, 3, 1, 0, 0 }, { 3, 4, 2, 0, 1400, 1420 },
		{ 3, 4, 2, 0, 576, 1280 },  /* never below IPv6's minimum */
		{ 3, 4, 2, 0, 9000, 1500 }, /* nor above what our own ways take */
		{ 3, 4, 2, 0, 0, 1280 },    /* a router of before RFC 1191 */
	};
	static const struct icmp_pair none[] = {
		{ 3, 14, 0, 0, 0, 0 },
		{ 3, 16, 0, 0, 0, 0 },
		{ 4, 0, 0, 0, 0, 0 }, /* source quench */
		{ 5, 0, 0, 0, 0, 0 },
		{ 6, 0, 0, 0, 0, 0 },
		{ 9, 0, 0, 0, 0, 0 },
		{ 10, 0, 0, 0, 0, 0 },
		{ 12, 1, 0, 0, 0, 0 }, /* a missing option */
		{ 13, 0, 0, 0, 0, 0 },
		{ 14, 0, 0, 0, 0, 0 },
		{ 15, 0, 0, 0, 0, 0 },
		{ 17, 0, 0, 0, 0, 0 },
		{ 30, 0, 0, 0, 0, 0 },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(pairs); i++)
		expect_error(false, &pairs[i], true, __LINE__);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(none); i++)
		expect_error(false, &none[i], false, __LINE__);
}

/* RFC 7915, 5.2. */
static void
section_5_2(void **state)
{
	static const struct icmp_pair pairs[] = {
		{ 3, 1, 1, 0, 0, 0 },
		{ 3, 10, 1, 1, 0, 0 },
		{ 3, 1, 1, 2, 0, 0 },
		{ 3, 1, 1, 3, 0, 0 },
		{ 3, 3, 1, 4, 0, 0 },
		{ 3, 4, 2, 0, 1380, 1400 },
		{ 3, 4, 2, 0, 1480, 9000 },
		{ 3, 4, 2, 0, 68, 20 },
		{ 11, 0, 3, 0, 0, 0 },
		{ 11, 1, 3, 1, 0, 0 },
		{ 3, 2, 4, 1, 0, 40 },
	};
	static const struct icmp_pair none[] = {
		{ 0, 0, 1, 5, 0, 0 },
		{ 0, 0, 1, 6, 0, 0 },
		{ 0, 0, 4, 2, 0, 0 },
		{ 0, 0, 5, 0, 0, 0 },
		{ 0, 0, 100, 0, 0, 0 },
		{ 0, 0, 130, 0, 0, 0 },
		{ 0, 0, 131, 0, 0, 0 },
		{ 0, 0, 133, 0, 0, 0 },
		{ 0, 0, 135, 0, 0, 0 },
		{ 0, 0, 136, 0, 0, 0 },
		{ 0, 0, 137, 0, 0, 0 },
		{ 0, 0, 143, 0, 0, 0 },
		{ 0, 0, 200, 0, 0, 0 },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(pairs); i++)
		expect_error(true, &pairs[i], true, __LINE__);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(none); i++)
		expect_error(true, &none[i], false, __LINE__);
}

/* Figures 3 and 6: pointers of parameter problems. */
static void
pointers(void **state)
{
	static const int8_t four[] = { 0, 1, 4, 4, -1, -1, -1, -1, 7, 6, -1, -1, 8, 8, 8, 8, 24, 24,
		24, 24, -1 };
	static const int8_t six[] = { 0, 1, -1, -1, 2, 2, 9, 8, 12, 12, 12, 12, 12, 12, 12, 12, 12,
		12, 12, 12, 12, 12, 12, 12, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
		16, 16, -1 };

	for (unsigned i = 0; i < sizeof(four); i++) {
		struct icmp_pair pair = { 12, 0, 4, 0, i << 24, (uint32_t)four[i] };

		expect_error(false, &pair, four[i] >= 0, __LINE__);
		pair.code4 = 2; /* bad length */
		expect_error(false, &pair, four[i] >= 0, __LINE__);
	}
	for (unsigned i = 0; i < sizeof(six); i++) {
		struct icmp_pair pair = { 12, 0, 4, 0, (uint32_t)six[i] << 24, i };

		expect_error(true, &pair, six[i] >= 0, __LINE__);
	}
}

/* RFC 1191's plateaus, by the length of what is quoted. */
static void
plateaus(void **state)
{
	struct xlat_to to = { .mtu4 = 65000, .mtu6 = 65000 };
	static const struct {
		uint32_t length, mtu;
	} cases[] = { { 65000, 32020 }, { 9000, 8186 }, { 8166, 4372 }, { 4000, 2022 },
		{ 1500, 1512 }, { 1492, 1280 }, { 100, 1280 }, { 60, 1280 } };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct xlat_part quoted = { .l4 = 20, .payload = cases[i].length - 20 };
		uint8_t type = 3, code = 4;
		uint32_t word = 0;

		assert_true(xlat_error_kind(false, &type, &code, &word, &to, &quoted));
		assert_int_equal(word, cases[i].mtu);
	}
}

/* RFC 7915, 4.3 and 5.3. */
static void
nested_errors(void **state)
{
	static const struct icmp_pair pair = { 3, 1, 1, 0, 0, 0 };
	struct story first = plain, about = plain, s = plain;

	first.quoted_len = 8;
	about.proto = s.proto = MR_IP_PROTO_ICMP;
	about.error = s.error = &pair;
	about.quoted = &first;
	about.quoted_len = 60;
	s.quoted = &about;
	assert_int_equal(turn_story(&s, true, NULL, NULL), XLAT_NESTED);
	assert_int_equal(turn_story(&s, false, NULL, NULL), XLAT_NESTED);
}

static void
wrong_checksums(void **state)
{
	static const struct icmp_pair pair = { 3, 1, 1, 0, 0, 0 };
	struct story quoted = plain, s = plain;
	struct xlat_to to = { 0 };
	static uint8_t in[4096];

	quoted.quoted_len = 8;
	s.proto = MR_IP_PROTO_ICMP;
	s.error = &pair;
	s.quoted = &quoted;
	for (unsigned six = 0; six < 2; six++) {
		unsigned len = frame_of(&s, six, in);

		to_of(&to, &s, six);
		in[len - 1] ^= 1;
		assert_int_equal(turn(in, len, &to, NULL, NULL), XLAT_BAD_CHECKSUM);
	}
}

/* RFC 4884: what follows the quoted packet stays behind it, and the length says where. */
static void
extensions(void **state)
{
	static const uint8_t extension[12] = { 0x20, 0, 0xde, 0xad, 0, 8, 1, 1, 0, 1, 0x21, 0xff };
	static const struct icmp_pair pair = { 11, 0, 3, 0, 0, 0 };

	for (unsigned six = 0; six < 2; six++) {
		struct story quoted = plain, s = plain;
		unsigned l4 = L3 + (six ? 40 : 20), new4 = L3 + (six ? 20 : 40), len, out_len = 0,
			 inner;
		struct xlat_to to = { 0 };
		uint8_t in[2048], out[2048];
		uint64_t sum = 0;
		be16_t check;

		quoted.len = 200;
		quoted.quoted_len = 128 - (six ? 40 : 20);
		s.proto = MR_IP_PROTO_ICMP;
		s.error = &pair;
		s.quoted = &quoted;
		len = frame_of(&s, six, in);
		assert_int_equal(len, l4 + 8 + 128);
		memcpy(in + len, extension, sizeof(extension));
		len += sizeof(extension);
		in[l4 + (six ? 4 : 5)] = 128 / (six ? 8 : 4);
		put16(in + L3 + (six ? 4 : 2), len - L3 - (six ? 40 : 0));
		if (!six) {
			put16(in + L3 + 10, 0);
			put16(in + L3 + 10, 0xffff & ~add_words(0, in + L3, 20));
		}
		put16(in + l4 + 2, 0);
		if (six)
			sum = mr_checksum_pseudo6(in + L3 + 8, in + L3 + 24, 58, len - l4);
		check = mr_checksum_finish(mr_checksum_add(sum, in + l4, len - l4));
		memcpy(in + l4 + 2, &check, 2);
		to_of(&to, &s, six);
		assert_int_equal(turn(in, len, &to, out, &out_len), XLAT_OK);
		inner = six ? 128 : 152; /* 148 of IPv6, padded to eights; of IPv4 128 at least */
		assert_int_equal(out[new4 + (six ? 5 : 4)], inner / (six ? 4 : 8));
		assert_int_equal(out_len, new4 + 8 + inner + sizeof(extension));
		assert_memory_equal(out + new4 + 8 + inner, extension, sizeof(extension));
		assert_int_equal(mr_checksum_l4_verify(out, out_len), MR_CHECKSUM_GOOD);
	}
}

/* -- packets ---------------------------------------------------------------------------------- */

/* RFC 7915, 4.1 and 5.1: what each section says of single fields. */
static void
headers(void **state)
{
	struct story s = plain;
	uint8_t out[2048];
	unsigned len;

	/* 5.1: Don't Fragment above 1,260 bytes only. */
	s.len = 1260 - 28;
	assert_int_equal(turn_story(&s, true, out, &len), XLAT_OK);
	assert_int_equal(mr_load_be16(out + L3 + 6), 0);
	s.len++;
	assert_int_equal(turn_story(&s, true, out, &len), XLAT_OK);
	assert_int_equal(mr_load_be16(out + L3 + 6), MR_IP4_DONT_FRAGMENT);
	/* 4.1: an atomic packet gets no fragment header, whatever Don't Fragment says. */
	s = plain;
	assert_int_equal(turn_story(&s, false, out, &len), XLAT_OK);
	assert_int_equal(out[L3 + 6], MR_IP_PROTO_UDP);
	/* A fragment: its number in the lower half, in both ways. */
	s.fragment = s.more = true;
	s.id = 0xbeef;
	s.len = 24;
	assert_int_equal(turn_story(&s, false, out, &len), XLAT_OK);
	assert_int_equal(mr_load_be32(out + L3 + 44), 0xbeef);
	assert_int_equal(turn_story(&s, true, out, &len), XLAT_OK);
	assert_int_equal(mr_load_be16(out + L3 + 4), 0xbeef);
	/* The TTL is not ours. */
	s = plain;
	s.hops = 1;
	assert_int_equal(turn_story(&s, true, out, &len), XLAT_OK);
	assert_int_equal(out[L3 + 8], 1);
}

/* 4.5: UDP without a checksum gets one; a fragment of it is dropped. */
static void
section_4_5(void **state)
{
	struct story s = plain;
	uint8_t out[2048];
	unsigned len;

	s.unsummed = true;
	assert_int_equal(turn_story(&s, false, out, &len), XLAT_OK);
	assert_int_equal(mr_checksum_l4_verify(out, len), MR_CHECKSUM_GOOD);
	s.fragment = s.more = true;
	s.len = 24;
	assert_int_equal(turn_story(&s, false, NULL, NULL), XLAT_NO_CHECKSUM);
}

/* 1.2: fragments of ICMP are not translated, as its checksum covers lengths that nobody sees. */
static void
fragments_of_icmp(void **state)
{
	struct story s = plain;

	s.proto = MR_IP_PROTO_ICMP;
	s.fragment = s.more = true;
	assert_int_equal(turn_story(&s, true, NULL, NULL), XLAT_ICMP_FRAGMENT);
	assert_int_equal(turn_story(&s, false, NULL, NULL), XLAT_ICMP_FRAGMENT);
	s.offset = 800;
	assert_int_equal(turn_story(&s, true, NULL, NULL), XLAT_ICMP_FRAGMENT);
	assert_int_equal(turn_story(&s, false, NULL, NULL), XLAT_ICMP_FRAGMENT);
}

/* 4.1: source routes under way. */
static void
source_routes(void **state)
{
	static const struct {
		uint8_t option[4];
		enum xlat_result result;
	} cases[] = {
		{ { 131, 3, 4, 0 }, XLAT_OK }, /* at its end */
		{ { 131, 4, 4, 0 }, XLAT_ROUTE },
		{ { 137, 4, 4, 0 }, XLAT_ROUTE },
		{ { 1, 1, 1, 0 }, XLAT_OK },
		{ { 7, 4, 4, 0 }, XLAT_OK }, /* record route */
		{ { 7, 0, 4, 0 }, XLAT_OK },
		{ { 0, 131, 4, 4 }, XLAT_OK },
	};
	struct story s = plain;
	struct xlat_to to = { 0 };
	uint8_t in[2048];

	s.options4 = 4;
	to_of(&to, &s, false);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		unsigned len = frame_of(&s, false, in);

		memcpy(in + L3 + 20, cases[i].option, 4);
		assert_int_equal(turn(in, len, &to, NULL, NULL), cases[i].result);
	}
}

/* 5.1 and 5.1.1: extension headers. */
static void
extension_headers(void **state)
{
	static const struct {
		uint8_t next, bytes[4];
		enum xlat_result result;
	} cases[] = {
		{ MR_IP_PROTO_HOP_BY_HOP, { 17, 0, 1, 4 }, XLAT_OK },
		{ MR_IP_PROTO_DEST_OPTIONS, { 17, 0, 1, 4 }, XLAT_OK },
		{ MR_IP_PROTO_ROUTING, { 17, 0, 0, 0 }, XLAT_OK },
		{ MR_IP_PROTO_ROUTING, { 17, 0, 0, 1 }, XLAT_ROUTE },
		{ MR_IP_PROTO_FRAGMENT, { 17, 0, 0, 0 }, XLAT_OK },
		{ MR_IP_PROTO_FRAGMENT, { 60, 0, 0, 0 }, XLAT_EXTENSION },
		{ MR_IP_PROTO_FRAGMENT, { 51, 0, 0, 0 }, XLAT_EXTENSION },
		{ MR_IP_PROTO_FRAGMENT, { 50, 0, 0, 0 }, XLAT_OK }, /* ESP is none of them */
		{ MR_IP_PROTO_DEST_OPTIONS, { 17, 200, 1, 4 }, XLAT_MALFORMED },
	};
	struct story s = plain;
	struct xlat_to to = { 0 };
	uint8_t in[2048];

	s.extension6 = 8;
	to_of(&to, &s, true);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		unsigned len = frame_of(&s, true, in);

		in[L3 + 6] = cases[i].next;
		memcpy(in + L3 + 40, cases[i].bytes, 4);
		memset(in + L3 + 44, 0, 4);
		assert_int_equal(turn(in, len, &to, NULL, NULL), cases[i].result);
	}
}

/* Whatever is cut off, no byte past the end is read (AddressSanitizer looks), and what is refused stays
 * as it was. */
static void
cut_short(void **state)
{
	static const struct icmp_pair pair = { 3, 1, 1, 0, 0, 0 };
	struct story quoted = plain, s = plain;
	struct xlat_to to = { 0 };
	uint8_t in[2048];

	quoted.quoted_len = 8;
	s.proto = MR_IP_PROTO_ICMP;
	s.error = &pair;
	s.quoted = &quoted;
	for (unsigned six = 0; six < 2; six++) {
		unsigned len = frame_of(&s, six, in);

		to_of(&to, &s, six);
		for (unsigned i = L3; i < len; i++)
			assert_int_equal(turn(in, i, &to, NULL, NULL), XLAT_MALFORMED);
	}
}

/* A device finishes checksums and cuts super-frames: for the other family now. */
static void
offloads(void **state)
{
	const struct xlat_pass pass = { buffers, 0, NULL };

	for (unsigned six = 0; six < 2; six++) {
		struct story s = plain;
		unsigned l4 = L3 + (six ? 40 : 20), new4 = L3 + (six ? 20 : 40), len;
		struct xlat_to to = { 0 };
		struct mr_packet *p;
		struct xlat x;
		uint8_t in[2048];
		uint32_t packet;
		be16_t sum;
		be32_t src, dst;

		s.proto = MR_IP_PROTO_TCP;
		s.len = 800;
		len = frame_of(&s, six, in);
		memcpy(&src, in + L3 + 12, 4);
		memcpy(&dst, in + L3 + 16, 4);
		sum = mr_checksum_fold(six
			? mr_checksum_pseudo6(in + L3 + 8, in + L3 + 24, 6, len - l4)
			: mr_checksum_pseudo4(src, dst, 6, (uint16_t)(len - l4)));
		memcpy(in + l4 + 16, &sum, 2);
		packet = mr_packet_from(buffers, 0, in, len);
		p = mr_packet_at(buffers->base, packet);
		p->flags = MR_PACKET_CSUM_PARTIAL | (six ? MR_PACKET_GSO_TCP6 : MR_PACKET_GSO_TCP4);
		p->gso_size = 400;
		p->csum_start = (uint16_t)l4;
		p->csum_offset = 16;
		to_of(&to, &s, six);
		assert_int_equal(xlat_read(&x, p, L3), XLAT_OK);
		assert_int_equal(xlat_write(&pass, packet, &x, &to), XLAT_OK);
		assert_int_equal(p->flags,
		    MR_PACKET_CSUM_PARTIAL | (six ? MR_PACKET_GSO_TCP4 : MR_PACKET_GSO_TCP6));
		assert_int_equal(p->csum_start, new4);
		p->flags = MR_PACKET_CSUM_PARTIAL;
		assert_int_equal(mr_checksum_complete(buffers, packet), 0);
		assert_int_equal(mr_checksum_packet_verify(buffers, packet), MR_CHECKSUM_GOOD);
		mr_packets_free(buffers, 0, &packet, 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section_4_2),
		cmocka_unit_test(section_5_2),
		cmocka_unit_test(pointers),
		cmocka_unit_test(plateaus),
		cmocka_unit_test(nested_errors),
		cmocka_unit_test(wrong_checksums),
		cmocka_unit_test(extensions),
		cmocka_unit_test(headers),
		cmocka_unit_test(section_4_5),
		cmocka_unit_test(fragments_of_icmp),
		cmocka_unit_test(source_routes),
		cmocka_unit_test(extension_headers),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(offloads),
	};

	return cmocka_run_group_tests(tests, open_buffers, close_buffers);
}
