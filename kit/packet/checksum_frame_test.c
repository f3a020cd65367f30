/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/checksum_test_int.h"

struct shape {
	unsigned tags;
	unsigned version;
	unsigned options; /* IPv4: words; IPv6: extension headers */
	uint8_t proto;
	unsigned payload;
};

static unsigned
put_ext(uint8_t *f, unsigned at, uint8_t type, uint8_t next)
{
	unsigned size = type == MR_IP_PROTO_AH ? 24 : type == MR_IP_PROTO_FRAGMENT ? 8 : 16;

	memset(f + at, 0, size);
	f[at] = next;
	if (type == MR_IP_PROTO_AH)
		f[at + 1] = 4;
	else if (type == MR_IP_PROTO_FRAGMENT)
		mr_store_be32(f + at + 4, 77);
	else
		f[at + 1] = 1, f[at + 2] = 1, f[at + 3] = 12;
	return at + size;
}

/* Builds a frame with the checksum field 0; returns its length, says where layer 4 starts
 * and what its pseudo-header sums up to, by the slow way. */
static unsigned
build(uint8_t *f, const struct shape *s, unsigned *l4, uint16_t *pseudo)
{
	static const uint8_t exts[] = { 0, 60, 43, 44, 51, 60 };
	unsigned at = 12, i, l4_len, header, ip;
	uint8_t ph[40] = { 0 };

	header = s->proto == MR_IP_PROTO_TCP ? 20 : s->proto == MR_IP_PROTO_SCTP ? 12 : 8;
	fill(f, 12);
	for (i = 0; i < s->tags; i++) {
		mr_store_be16(f + at, i + 1 == s->tags ? 0x8100 : 0x88a8);
		mr_store_be16(f + at + 2, (uint16_t)(draw() & 0x0fff));
		at += 4;
	}
	mr_store_be16(f + at, s->version == 4 ? 0x0800 : 0x86dd);
	at += 2;
	ip = at;
	l4_len = header + s->payload;
	if (s->version == 4) {
		memset(f + ip, 0, 20);
		f[ip] = (uint8_t)(0x45 + s->options);
		mr_store_be16(f + ip + 2, (uint16_t)(20 + s->options * 4 + l4_len));
		f[ip + 8] = 64;
		f[ip + 9] = s->proto;
		fill(f + ip + 12, 8);
		memset(f + ip + 20, 1, s->options * 4);
		at = ip + 20 + s->options * 4;
		memcpy(ph, f + ip + 12, 8);
		ph[9] = s->proto;
		mr_store_be16(ph + 10, (uint16_t)l4_len);
		*pseudo = slow_sum(ph, 12);
	} else {
		mr_store_be32(f + ip, 0x60000000);
		f[ip + 7] = 64;
		fill(f + ip + 8, 32);
		at = ip + 40;
		f[ip + 6] = s->options ? exts[0] : s->proto;
		for (i = 0; i < s->options; i++)
			at = put_ext(f, at, exts[i], i + 1 < s->options ? exts[i + 1] : s->proto);
		mr_store_be16(f + ip + 4, (uint16_t)(at - ip - 40 + l4_len));
		memcpy(ph, f + ip + 8, 32);
		mr_store_be32(ph + 32, l4_len);
		ph[39] = s->proto;
		*pseudo = slow_sum(ph, 40);
	}
	*l4 = at;
	fill(f + at, l4_len);
	/* Not a tunnel's port. */
	mr_store_be16(f + at + 2, 80);
	if (s->proto == MR_IP_PROTO_TCP) {
		f[at + 12] = 0x50;
		memset(f + at + 16, 0, 2);
	} else if (s->proto == MR_IP_PROTO_UDP) {
		mr_store_be16(f + at + 4, (uint16_t)l4_len);
		memset(f + at + 6, 0, 2);
	} else if (s->proto == MR_IP_PROTO_SCTP) {
		memset(f + at + 8, 0, 4);
	}
	return at + l4_len;
}

static uint16_t
finished(const uint8_t *l4, unsigned len, uint16_t pseudo)
{
	uint32_t sum = (uint32_t)slow_sum(l4, len) + pseudo;

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum ? (uint16_t)~sum : 0xffff;
}

static void
each_shape(void (*check)(struct mr_buffers *, const struct shape *), struct mr_buffers *b)
{
	static const uint8_t protos[] = { MR_IP_PROTO_TCP, MR_IP_PROTO_UDP };
	struct shape s;

	for (s.tags = 0; s.tags <= 2; s.tags++)
		for (s.version = 4; s.version <= 6; s.version += 2)
			for (s.options = 0; s.options <= (s.version == 4 ? 10u : 6u); s.options++)
				for (unsigned i = 0; i < 2; i++)
					for (s.payload = 0; s.payload < 1400;
					     s.payload += 1 + draw() % 150) {
						s.proto = protos[i];
						check(b, &s);
					}
}

/* Detected when the field holds the pseudo-header's sum, wherever the bytes end behind it;
 * not when it holds a finished sum; completed to what the oracle says, over any chain. */
static void
check_unfinished(struct mr_buffers *b, const struct shape *s)
{
	uint8_t f[2048], out[2048], *cut;
	unsigned l4, len, offset = s->proto == MR_IP_PROTO_TCP ? 16 : 6, n;
	uint16_t pseudo, want, start, where;
	struct mr_packet *p;
	uint32_t h;

	len = build(f, s, &l4, &pseudo);
	want = finished(f + l4, len - l4, pseudo);
	if (want == pseudo)
		return; /* the chance of 1 in 65,536 */
	assert_false(mr_checksum_is_unfinished(f, len, &start, &where));
	mr_store_be16(f + l4 + offset, want);
	assert_false(mr_checksum_is_unfinished(f, len, &start, &where));
	assert_int_equal(mr_checksum_l4_verify(f, len), MR_CHECKSUM_GOOD);
	f[len - 1] ^= 0x40;
	assert_int_equal(mr_checksum_l4_verify(f, len), MR_CHECKSUM_BAD);
	f[len - 1] ^= 0x40;
	mr_store_be16(f + l4 + offset, pseudo);
	assert_true(mr_checksum_is_unfinished(f, len, &start, &where));
	assert_int_equal(start, l4);
	assert_int_equal(where, offset);
	/* Every shorter piece of it, in an allocation of its own. */
	n = draw() % len;
	cut = malloc(n ? n : 1);
	memcpy(cut, f, n);
	assert_int_equal(mr_checksum_is_unfinished(cut, n, &start, &where), n >= l4 + offset + 2);
	free(cut);

	h = chain(b, f, len, draw() % 3 ? 1 + draw() % 100 : 0);
	p = mr_packet_at(b->base, h);
	p->flags = MR_PACKET_CSUM_PARTIAL | MR_PACKET_HASHED;
	p->csum_start = (uint16_t)l4;
	p->csum_offset = (uint16_t)offset;
	assert_int_equal(mr_checksum_complete(b, h), 0);
	assert_int_equal(p->flags, MR_PACKET_HASHED);
	unchain(b, h, out);
	assert_int_equal(mr_load_be16(out + l4 + offset), want);
	mr_store_be16(f + l4 + offset, want);
	assert_memory_equal(f, out, len);
	assert_int_equal(mr_checksum_l4_verify(out, len), MR_CHECKSUM_GOOD);
	if (p->len >= l4 + 20)
		assert_int_equal(mr_checksum_packet_verify(b, h), MR_CHECKSUM_GOOD);
	/* A second time changes nothing: harmless when taken for unfinished by chance. */
	p->flags |= MR_PACKET_CSUM_PARTIAL;
	p->csum_offset = (uint16_t)offset;
	if (want == pseudo)
		assert_int_equal(mr_checksum_complete(b, h), 0);
}

static void
test_unfinished(void **state)
{
	each_shape(check_unfinished, *state);
}

/* A finished checksum that equals the pseudo-header's sum: finishing again must not change it. */
static void
test_coincidence(void **state)
{
	struct mr_buffers *b = *state;
	struct shape s = { .version = 4, .proto = MR_IP_PROTO_TCP, .payload = 100 };
	uint8_t f[256], out[256];
	uint16_t pseudo, start, where, word;
	unsigned l4, len, hits = 0;
	struct mr_packet *p;
	uint32_t h;

	len = build(f, &s, &l4, &pseudo);
	/* Turn one payload word until it happens. */
	for (unsigned v = 0; v < 65536 && !hits; v++) {
		mr_store_be16(f + l4 + 30, (uint16_t)v);
		hits = finished(f + l4, len - l4, pseudo) == pseudo;
	}
	assert_true(hits);
	mr_store_be16(f + l4 + 16, pseudo);
	assert_int_equal(mr_checksum_l4_verify(f, len), MR_CHECKSUM_GOOD);
	assert_true(mr_checksum_is_unfinished(f, len, &start, &where));
	h = chain(b, f, len, 0);
	p = mr_packet_at(b->base, h);
	p->flags = MR_PACKET_CSUM_PARTIAL;
	p->csum_start = start;
	p->csum_offset = where;
	assert_int_equal(mr_checksum_complete(b, h), 0);
	unchain(b, h, out);
	assert_memory_equal(f, out, len);
	word = mr_load_be16(out + l4 + 16);
	assert_int_equal(word, pseudo);
}

static void
test_fragments_and_zero(void **state)
{
	struct shape s = { .version = 4, .proto = MR_IP_PROTO_UDP, .payload = 100 };
	uint8_t f[512];
	uint16_t pseudo, start, where;
	unsigned l4, len;

	len = build(f, &s, &l4, &pseudo);
	assert_int_equal(mr_checksum_l4_verify(f, len), MR_CHECKSUM_ABSENT);
	mr_store_be16(f + l4 + 6, pseudo);
	mr_store_be16(f + 14 + 6, MR_IP4_MORE_FRAGMENTS);
	assert_false(mr_checksum_is_unfinished(f, len, &start, &where));
	mr_store_be16(f + 14 + 6, 10);
	assert_false(mr_checksum_is_unfinished(f, len, &start, &where));
	assert_int_equal(mr_checksum_l4_verify(f, len), MR_CHECKSUM_UNKNOWN);
	mr_store_be16(f + 14 + 6, MR_IP4_DONT_FRAGMENT);
	assert_true(mr_checksum_is_unfinished(f, len, &start, &where));
	/* UDP over IPv6 may not do without. */
	s.version = 6;
	len = build(f, &s, &l4, &pseudo);
	assert_int_equal(mr_checksum_l4_verify(f, len), MR_CHECKSUM_BAD);
	/* A fragment header with an offset. */
	s.options = 4;
	len = build(f, &s, &l4, &pseudo);
	mr_store_be16(f + l4 + 6, pseudo);
	assert_true(mr_checksum_is_unfinished(f, len, &start, &where));
	mr_store_be16(f + l4 - 6, 8);
	assert_false(mr_checksum_is_unfinished(f, len, &start, &where));
}

/* The pseudo-header of a packet with a routing header has the final destination. */
static void
test_routing_header(void **state)
{
	static const uint8_t types[] = { 0, 2, 4 };
	uint8_t f[256] = { 0 }, ph[40] = { 0 };
	uint16_t pseudo, start, where;

	for (unsigned i = 0; i < 3; i++) {
		unsigned count = types[i] == 2 ? 1 : 3, size = 8 + 16 * count, l4 = 54 + size;
		unsigned final = types[i] == 4 ? 0 : count - 1;

		memset(f, 0, sizeof(f));
		mr_store_be16(f + 12, 0x86dd);
		f[14] = 0x60;
		mr_store_be16(f + 18, (uint16_t)(size + 28));
		f[20] = MR_IP_PROTO_ROUTING;
		fill(f + 22, 32);
		f[54] = MR_IP_PROTO_UDP;
		f[55] = (uint8_t)(2 * count);
		f[56] = types[i];
		f[57] = 1;
		fill(f + 62, 16 * count);
		mr_store_be16(f + l4 + 4, 28);
		memcpy(ph, f + 22, 16);
		memcpy(ph + 16, f + 62 + 16 * final, 16);
		mr_store_be32(ph + 32, 28);
		ph[39] = MR_IP_PROTO_UDP;
		pseudo = slow_sum(ph, 40);
		mr_store_be16(f + l4 + 6, pseudo);
		assert_true(mr_checksum_is_unfinished(f, l4 + 28, &start, &where));
		assert_int_equal(start, l4);
		mr_store_be16(f + l4 + 6, 0);
		mr_store_be16(f + l4 + 6, finished(f + l4, 28, pseudo));
		assert_int_equal(mr_checksum_l4_verify(f, l4 + 28), MR_CHECKSUM_GOOD);
	}
}

/* An inner TCP segment left unfinished inside VXLAN, Geneve, GRE, 4in4, 4in6. */
static void
test_tunnels(void **state)
{
	enum { VXLAN, VXLAN_OLD, GENEVE, GRE, GRE_ETH, IPIP, COUNT };
	struct shape inner = { .version = 4, .proto = MR_IP_PROTO_TCP, .payload = 64 };

	for (int kind = 0; kind < COUNT; kind++) {
		for (unsigned version = 4; version <= 6; version += 2) {
			struct shape outer = { .version = version, .payload = 200 };
			uint8_t f[512], g[512];
			uint16_t pseudo, inner_pseudo, start, where;
			unsigned l4, inner_l4, at, skip, len;
			bool udp = kind <= GENEVE;

			outer.proto = udp  ? MR_IP_PROTO_UDP
			    : kind == IPIP ? MR_IP_PROTO_IP4
					   : MR_IP_PROTO_GRE;
			outer.tags = (unsigned)kind & 1;
			build(f, &outer, &l4, &pseudo);
			inner.tags = kind == VXLAN ? 1 : 0;
			len = build(g, &inner, &inner_l4, &inner_pseudo);
			mr_store_be16(g + inner_l4 + 16, inner_pseudo);
			at = l4 + (udp ? 8 : 0);
			skip = 0;
			if (kind == VXLAN || kind == VXLAN_OLD) {
				mr_store_be16(f + l4 + 2, kind == VXLAN ? 4789 : 8472);
				mr_store_be32(f + at, 0x08000000);
				at += 8;
			} else if (kind == GENEVE) {
				mr_store_be16(f + l4 + 2, 6081);
				f[at] = 2;
				f[at + 1] = 0;
				mr_store_be16(f + at + 2, 0x6558);
				at += 16;
			} else if (kind == GRE || kind == GRE_ETH) {
				mr_store_be16(f + at,
				    kind == GRE ? MR_GRE_KEY : MR_GRE_SEQUENCE | MR_GRE_KEY);
				mr_store_be16(f + at + 2, kind == GRE ? 0x0800 : 0x6558);
				at += kind == GRE ? 8 : 12;
			}
			if (kind == GRE || kind == IPIP)
				skip = 14;
			memcpy(f + at, g + skip, len - skip);
			len = at + len - skip;
			assert_true(mr_checksum_is_unfinished(f, len, &start, &where));
			assert_int_equal(start, at + inner_l4 - skip);
			assert_int_equal(where, 16);
			/* Every cut is safe, and none is taken for whole. */
			for (unsigned n = 0; n <= len; n++) {
				uint8_t *cut = malloc(n ? n : 1);

				memcpy(cut, f, n);
				assert_int_equal(mr_checksum_is_unfinished(cut, n, &start, &where),
				    n >= at + inner_l4 - skip + 18);
				free(cut);
			}
			/* The outer one when it is the outer one that was left. */
			if (udp) {
				mr_store_be16(f + l4 + 6, pseudo);
				assert_true(mr_checksum_is_unfinished(f, len, &start, &where));
				assert_int_equal(start, l4);
				assert_int_equal(where, 6);
			}
		}
	}
}

static void
test_sctp(void **state)
{
	struct mr_buffers *b = *state;
	struct shape s = { .version = 4, .proto = MR_IP_PROTO_SCTP };
	uint8_t f[512], out[512];
	uint16_t pseudo, start, where;
	unsigned l4, len;
	struct mr_packet *p;
	uint32_t h, crc;

	for (int i = 0; i < 200; i++) {
		s.payload = draw() % 300;
		s.version = 4 + 2 * (draw() & 1);
		len = build(f, &s, &l4, &pseudo);
		assert_true(mr_checksum_is_unfinished(f, len, &start, &where));
		assert_int_equal(start, l4);
		assert_int_equal(where, 8);
		crc = slow_crc32c(f + l4, len - l4);
		h = chain(b, f, len, 1 + draw() % 60);
		p = mr_packet_at(b->base, h);
		p->flags = MR_PACKET_CSUM_PARTIAL;
		p->csum_start = start;
		p->csum_offset = where;
		assert_int_equal(mr_checksum_complete(b, h), 0);
		unchain(b, h, out);
		assert_memory_equal(out + l4 + 8, &crc, 4);
		assert_int_equal(mr_checksum_l4_verify(out, len), MR_CHECKSUM_GOOD);
		assert_false(mr_checksum_is_unfinished(out, len, &start, &where));
		out[l4 + 1] ^= 1;
		assert_int_equal(mr_checksum_l4_verify(out, len), MR_CHECKSUM_BAD);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_coincidence),
		cmocka_unit_test(test_fragments_and_zero),
		cmocka_unit_test(test_routing_header),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_sctp),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
