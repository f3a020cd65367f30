/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random packets against the slow oracle (xlat_test_int.h), both ways: every byte of the result.
 */
#include "nf/xlat/xlat_test_int.h"

#define ROUNDS 20000u

static const struct icmp_pair pairs[] = {
	{ 3, 1, 1, 0, 0, 0 },
	{ 3, 1, 1, 3, 0, 0 },
	{ 3, 3, 1, 4, 0, 0 },
	{ 3, 10, 1, 1, 0, 0 },
	{ 3, 4, 2, 0, 1380, 1400 },
	{ 11, 0, 3, 0, 0, 0 },
	{ 11, 1, 3, 1, 0, 0 },
	{ 12, 0, 4, 0, 8u << 24, 7 },
};

static uint64_t seed = 42;

static uint32_t
draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed * 0x2545f4914f6cdd1dull >> 33) % below);
}

static void
draw_bytes(uint8_t *to, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		to[i] = (uint8_t)draw(256);
}

unsigned
story_write(const struct story *s, bool six, bool quoted, uint8_t *out)
{
	return story_ip(s, six, quoted, out);
}

static void
draw_story(struct story *s, bool six, const struct story *quoted)
{
	static const uint8_t protos[] = { MR_IP_PROTO_TCP, MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP,
		MR_IP_PROTO_SCTP, MR_IP_PROTO_UDPLITE, MR_IP_PROTO_GRE };

	memset(s, 0, sizeof(*s));
	draw_bytes(s->src4, 4);
	draw_bytes(s->dst4, 4);
	draw_bytes(s->src6, 16);
	draw_bytes(s->dst6, 16);
	s->tos = (uint8_t)draw(256);
	s->hops = (uint8_t)draw(256);
	s->proto = quoted ? MR_IP_PROTO_ICMP : protos[draw(draw(3) ? 3 : sizeof(protos))];
	s->id = (uint16_t)draw(65536);
	for (unsigned i = 0; i < 2; i++) {
		s->ports4[i] = (uint16_t)draw(65536);
		/* Of what is not looked into they stay. */
		s->ports6[i] = draw(2) ? (uint16_t)draw(65536) : s->ports4[i];
	}
	/* Its checksum covers no ports that could be changed. */
	s->reply = draw(2);
	s->len = draw(draw(4) ? 80 : 1400);
	draw_bytes(s->data, sizeof(s->data));
	if (!quoted && s->proto != MR_IP_PROTO_ICMP && draw(4) == 0) {
		s->fragment = true;
		s->offset = draw(2) ? (uint16_t)(draw(1000) * 8) : 0;
		s->more = !s->offset || draw(2);
		s->len = MR_ALIGN_UP(s->len, 8u);
	}
	if (s->proto == MR_IP_PROTO_TCP && !s->offset)
		s->len = MR_ALIGN_UP(s->len, 4u);
	if (draw(6) == 0) {
		if (six)
			s->extension6 = 8 + 8 * draw(4);
		else
			s->options4 = 4 + 4 * draw(10);
	}
	s->error = quoted ? &pairs[draw(MR_ARRAY_COUNT(pairs))] : NULL;
	if (quoted && !six && s->error->code6 == 3 && s->error->type6 == 1)
		s->error = &pairs[0];
	s->quoted = quoted;
	s->quoted_len = 8 + draw(draw(2) ? 20 : 500);
	/* Half of a checksum stays as it is. */
	s->quoted_len += s->quoted_len == 17;
}

/* Bytes behind the IP header, as `to_four` decides about Don't Fragment. */
static void
settle(struct story *s, bool six, unsigned l4)
{
	if (six)
		s->whole = !s->fragment && l4 + 20 > 1260;
	else
		s->whole = !s->fragment && draw(2);
}

static void
ends_of(struct xlat_ends *e, const struct story *s, bool six)
{
	const uint16_t *ports = six ? s->ports4 : s->ports6;

	memset(e, 0, sizeof(*e));
	memcpy(e->src, six ? s->src4 : s->src6, six ? 4 : 16);
	memcpy(e->dst, six ? s->dst4 : s->dst6, six ? 4 : 16);
	e->sport = mr_be16(ports[0]);
	e->dport = mr_be16(ports[1]);
}

static unsigned
frame_of(const struct story *s, bool six, uint8_t *out)
{
	memset(out, 2, 12);
	put16(out + 12, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	return L3 + story_ip(s, six, false, out + L3);
}

static void
one(struct mr_buffers *buffers, unsigned round)
{
	static uint8_t in[4096], want[4096];
	const struct xlat_pass pass = { buffers, 0, NULL };
	struct xlat_to to = { .mtu4 = 1500, .mtu6 = 1500 };
	struct story quoted, s;
	struct xlat x;
	bool six = draw(2), error = draw(4) == 0;
	enum xlat_result result;
	unsigned len, wanted;
	struct mr_packet *p;
	uint32_t packet;

	if (error) {
		draw_story(&quoted, six, NULL);
		quoted.len = MR_MIN(quoted.len, 1000u);
		if (quoted.fragment)
			quoted.len &= ~7u;
		/* Cut before its checksum, an unsummed one is like any. */
		settle(&quoted, six, story_l4_len(&quoted));
		ends_of(&to.quoted, &quoted, six);
	}
	draw_story(&s, six, error ? &quoted : NULL);
	if (error)
		quoted.quoted_len = s.quoted_len;
	len = frame_of(&s, six, in);
	settle(&s, six,
	    len - L3 - (six ? 40u : 20u) - s.options4 - s.extension6 - (six && s.fragment ? 8 : 0) -
		(error && six ? 20 + quoted.extension6 : 0));
	ends_of(&to.outer, &s, six);
	len = frame_of(&s, six, in);
	/* Neither come through. */
	s.options4 = s.extension6 = quoted.options4 = quoted.extension6 = 0;
	if (error && six) {
		unsigned inner = story_l4_len(&quoted);

		s.whole = 8 + 20 + MR_MIN(inner, quoted.quoted_len) + 20 > 1260;
	}
	wanted = frame_of(&s, !six, want);
	packet = mr_packet_from(buffers, 0, in, len);
	p = mr_packet_at(buffers->base, packet);
	result = xlat_read(&x, p, L3);
	if (!result)
		result = xlat_write(&pass, packet, &x, &to);
	if (result)
		fail_msg("round %u: refused %u, proto %u six %d", round, result, s.proto, six);
	if (error && !six) {
		/* The identification stands for what is in the quoted packet. */
		assert_int_equal(p->total, wanted);
	}
	if (error && six) {
		/* An identification of its own. */
		memcpy(want + L3 + 4, mr_packet_bytes(p) + L3 + 4, 2);
		put16(want + L3 + 10, 0);
		put16(want + L3 + 10, 0xffff & ~add_words(0, want + L3, 20));
	}
	if (p->total != wanted || memcmp(mr_packet_bytes(p), want, wanted) != 0) {
		const uint8_t *got = mr_packet_bytes(p);

		for (unsigned i = 0; i < MR_MIN(wanted, p->total); i++)
			if (got[i] != want[i])
				fprintf(stderr, "at %u: %02x, not %02x\n", i, got[i], want[i]);
		fail_msg("round %u: proto %u six %d fragment %d error %d: %u bytes, not %u", round,
		    s.proto, six, s.fragment, error, p->total, wanted);
	}
	mr_packets_free(buffers, 0, &packet, 1);
}

static void
random_packets(void **state)
{
	struct mr_buffers *buffers;

	assert_int_equal(mr_buffers_create(&buffers,
			     &(struct mr_buffers_config){ .count = 64,
				 .workers = 1,
				 .numa_node = -1,
				 .pages = MR_ARENA_4K },
			     NULL),
	    0);
	for (unsigned i = 0; i < ROUNDS; i++)
		one(buffers, i);
	mr_buffers_destroy(buffers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_packets) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
