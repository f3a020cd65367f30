/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/packet/buffers.h"
#include "kit/packet/checksum.h"
#include "kit/packet/crc32c.h"

/* The oracle: RFC 1071 read aloud, one big-endian word at a time. Returns the
 * folded sum in host order of a big-endian reader. */
static uint16_t
slow_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static uint32_t
slow_crc32c(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;
	int bit;

	for (; len > 0; p++, len--) {
		crc ^= *p;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static uint32_t seed = 1;

static uint32_t
draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static void
fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)draw();
}

static void
test_every_length(void **state)
{
	/* Exact allocations, so that a read past the end shows under AddressSanitizer. */
	for (size_t len = 0; len <= 2048; len++) {
		for (size_t shift = 0; shift < 4; shift++) {
			uint8_t *m = malloc(len + shift + 1);
			uint16_t want;

			fill(m, len + shift);
			if (len % 7 == 0)
				memset(m, 0xff, len + shift);
			want = mr_be16(slow_sum(m + shift, len));
			m = realloc(m, len + shift ? len + shift : 1);
			assert_int_equal(mr_checksum_fold(mr_checksum_add(0, m + shift, len)),
			    want);
			assert_int_equal(
			    mr_checksum_fold(mr_checksum_add_portable(0, m + shift, len)), want);
			free(m);
		}
	}
}

static void
test_long(void **state)
{
	size_t len = 200001;
	uint8_t *m = malloc(len);

	memset(m, 0xff, len);
	m[5] = 0;
	assert_int_equal(mr_checksum_fold(mr_checksum_add(0, m, len)), mr_be16(slow_sum(m, len)));
	free(m);
}

static void
test_fold_extremes(void **state)
{
	assert_int_equal(mr_checksum_fold(0), 0);
	assert_int_equal(mr_checksum_fold(0xffff), 0xffff);
	assert_int_equal(mr_checksum_fold(0x10000), 1);
	assert_int_equal(mr_checksum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(mr_checksum_fold(UINT64_MAX - 1), 0xfffe);
	assert_int_equal(mr_checksum_fold(0xffffffffull), 0xffff);
	assert_int_equal(mr_checksum_fold(0x1ffff0001ull),
	    UINT16_MAX % 0xffff + 0x1ffff0001ull % 0xffff);
	for (int i = 0; i < 100000; i++) {
		uint64_t v = (uint64_t)draw() << 40 ^ (uint64_t)draw() << 20 ^ draw();
		uint16_t want = (uint16_t)(v % 0xffff);

		assert_int_equal(mr_checksum_fold(v), v && !want ? 0xffff : want);
	}
}

/* RFC 1071, section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2. */
static void
test_rfc1071_example(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	assert_int_equal(mr_be16(mr_checksum_fold(mr_checksum_add(0, bytes, 8))), 0xddf2);
}

/* RFC 1624, section 4: HC dd2f, m 5555 becomes 3285, HC' is 0000 by eqn. 3. */
static void
test_incremental(void **state)
{
	assert_int_equal(mr_checksum_update16(mr_be16(0xdd2f), mr_be16(0x5555), mr_be16(0x3285)),
	    0);
	for (int i = 0; i < 20000; i++) {
		uint8_t m[64], old[64];
		be16_t check, a16, b16;
		be32_t a32, b32;

		fill(m, sizeof(m));
		if (i % 3 == 0)
			memset(m, i % 2 ? 0xff : 0, sizeof(m) / 2);
		m[63] |= 1; /* not all zero, or there are two right answers */
		memcpy(old, m, sizeof(m));
		check = mr_checksum_finish(mr_checksum_add(0, m, sizeof(m)));
		fill(m + 8, 2);
		memcpy(&a16, old + 8, 2);
		memcpy(&b16, m + 8, 2);
		check = mr_checksum_update16(check, a16, b16);
		assert_int_equal(check, mr_checksum_finish(mr_checksum_add(0, m, sizeof(m))));
		fill(m + 12, 4);
		memcpy(&a32, old + 12, 4);
		memcpy(&b32, m + 12, 4);
		check = mr_checksum_update32(check, a32, b32);
		assert_int_equal(check, mr_checksum_finish(mr_checksum_add(0, m, sizeof(m))));
		fill(m + 16, 16);
		check = mr_checksum_update128(check, old + 16, m + 16);
		assert_int_equal(check, mr_checksum_finish(mr_checksum_add(0, m, sizeof(m))));
		/* All three at once, from the start. */
		check = mr_checksum_finish(mr_checksum_add(0, old, sizeof(old)));
		check = mr_checksum_apply(check,
		    mr_checksum_delta16(a16, b16) + mr_checksum_delta32(a32, b32) +
			mr_checksum_delta128(old + 16, m + 16));
		assert_int_equal(check, mr_checksum_finish(mr_checksum_add(0, m, sizeof(m))));
	}
	assert_int_equal(mr_checksum_apply_udp(0, 12345), 0);
	assert_int_equal(mr_checksum_apply_udp(mr_be16(0xdd2f),
			     mr_checksum_delta16(mr_be16(0x5555), mr_be16(0x3285))),
	    0xffff);
}

static void
test_crc32c(void **state)
{
	uint8_t m[300];

	/* RFC 3720, B.4: 32 bytes of zeros, of ones, and 0..31. */
	memset(m, 0, 32);
	assert_int_equal(mr_crc32c_finish(mr_crc32c_add(MR_CRC32C_SEED, m, 32)), 0x8a9136aa);
	memset(m, 0xff, 32);
	assert_int_equal(mr_crc32c_finish(mr_crc32c_add(MR_CRC32C_SEED, m, 32)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		m[i] = (uint8_t)i;
	assert_int_equal(mr_crc32c_finish(mr_crc32c_add_portable(MR_CRC32C_SEED, m, 32)),
	    0x46dd794e);
	fill(m, sizeof(m));
	for (size_t len = 0; len <= sizeof(m); len++) {
		uint32_t want = slow_crc32c(m, len);
		size_t half = len / 3;

		assert_int_equal(mr_crc32c_finish(mr_crc32c_add(MR_CRC32C_SEED, m, len)), want);
		assert_int_equal(mr_crc32c_finish(mr_crc32c_add_portable(MR_CRC32C_SEED, m, len)),
		    want);
		assert_int_equal(mr_crc32c_finish(mr_crc32c_add(
				     mr_crc32c_add(MR_CRC32C_SEED, m, half), m + half, len - half)),
		    want);
	}
}

/* A chain cut at random places, in buffers of our own: no pool is needed to read it. */
static uint32_t
chain(struct mr_buffers *b, const uint8_t *bytes, unsigned len, unsigned most)
{
	uint32_t first = MR_PACKET_STRIDE_LINES, handle = first;
	struct mr_packet *p = NULL, *head = mr_packet_at(b->base, first);
	unsigned part, done = 0, segments = 0;

	do {
		part = most ? draw() % (most + 1) : len;
		part = MR_MIN(part, len - done);
		if (p)
			p->next = handle;
		p = mr_packet_at(b->base, handle);
		mr_packet_init(p, (uint16_t)(MR_PACKET_DATA + draw() % 4), (uint16_t)part, 0, 0);
		memcpy(mr_packet_bytes(p), bytes + done, part);
		done += part;
		handle += MR_PACKET_STRIDE_LINES;
		segments++;
	} while (done < len);
	head->total = len;
	head->segments = (uint16_t)segments;
	return first;
}

static void
unchain(const struct mr_buffers *b, uint32_t handle, uint8_t *out)
{
	while (handle) {
		struct mr_packet *p = mr_packet_at(b->base, handle);

		memcpy(out, mr_packet_bytes(p), p->len);
		out += p->len;
		handle = p->next;
	}
}

static int
setup(void **state)
{
	static struct mr_buffers b;

	b.count = 4000;
	b.base = aligned_alloc(MR_CACHE_LINE, (size_t)(b.count + 1) * MR_PACKET_STRIDE);
	*state = &b;
	return b.base ? 0 : -1;
}

static int
teardown(void **state)
{
	struct mr_buffers *b = *state;

	free(b->base);
	return 0;
}

static void
test_chains(void **state)
{
	struct mr_buffers *b = *state;
	uint8_t m[3000];

	for (int i = 0; i < 3000; i++) {
		unsigned len = draw() % sizeof(m), from, n;
		uint64_t sum = 0;
		uint32_t h;

		fill(m, len);
		h = chain(b, m, len, 3 + draw() % 200);
		from = len ? draw() % len : 0;
		n = len - from ? draw() % (len - from) : 0;
		assert_int_equal(mr_checksum_add_chain(&sum, b, h, from, n), 0);
		assert_int_equal(mr_checksum_fold(sum), mr_be16(slow_sum(m + from, n)));
		assert_int_equal(mr_checksum_add_chain(&sum, b, h, from, len - from + 1), -EINVAL);
	}
}

/* --- whole frames --- */

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

static void
test_complete_bounds(void **state)
{
	struct mr_buffers *b = *state;
	uint8_t f[100], out[100];
	uint32_t h;
	struct mr_packet *p;

	fill(f, sizeof(f));
	h = chain(b, f, sizeof(f), 7);
	p = mr_packet_at(b->base, h);
	p->csum_start = 90;
	p->csum_offset = 16;
	assert_int_equal(mr_checksum_complete(b, h), 0); /* no flag */
	p->flags = MR_PACKET_CSUM_PARTIAL;
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	p->csum_offset = 9; /* half of the field */
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	p->csum_offset = 8; /* CRC32c takes four bytes */
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	p->csum_start = UINT16_MAX;
	p->csum_offset = UINT16_MAX;
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	assert_int_equal(p->flags, MR_PACKET_CSUM_PARTIAL);
	p->total = 1000; /* the metadata lies about the chain */
	p->csum_start = 20;
	p->csum_offset = 900;
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	p->csum_offset = 6;
	assert_int_equal(mr_checksum_complete(b, h), -EINVAL);
	unchain(b, h, out);
	assert_memory_equal(f, out, sizeof(f));
	/* A UDP sum of 0 is sent as ffff. */
	memset(f, 0, sizeof(f));
	mr_store_be16(f + 40, 0xffff);
	h = chain(b, f, sizeof(f), 0);
	p = mr_packet_at(b->base, h);
	p->flags = MR_PACKET_CSUM_PARTIAL;
	p->csum_start = 34;
	p->csum_offset = 6;
	assert_int_equal(mr_checksum_complete(b, h), 0);
	assert_int_equal(mr_load_be16(mr_packet_bytes(p) + 40), 0xffff);
}

static void
test_ipv4_header(void **state)
{
	uint8_t h[60];

	/* The header of RFC 791's style that Wikipedia and many lectures compute: b861. */
	static const uint8_t known[20] = { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0,
		0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7 };

	assert_int_equal(mr_checksum_ipv4_header((const struct mr_ip4 *)known), mr_be16(0xb861));
	for (int i = 0; i < 5000; i++) {
		struct mr_ip4 *ip = (struct mr_ip4 *)h;
		unsigned words = 5 + draw() % 11;
		be16_t check;

		fill(h, sizeof(h));
		h[0] = (uint8_t)(0x40 | words);
		check = mr_checksum_ipv4_header(ip);
		ip->check = 0;
		assert_int_equal(check, (be16_t)~mr_be16(slow_sum(h, words * 4)));
		ip->check = check;
		assert_true(mr_checksum_ipv4_header_good(ip));
		h[draw() % (words * 4 - 1) + 1] ^= 0x10;
		assert_false(mr_checksum_ipv4_header_good(ip));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_fold_extremes),
		cmocka_unit_test(test_rfc1071_example),
		cmocka_unit_test(test_incremental),
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_coincidence),
		cmocka_unit_test(test_fragments_and_zero),
		cmocka_unit_test(test_routing_header),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_sctp),
		cmocka_unit_test(test_complete_bounds),
		cmocka_unit_test(test_ipv4_header),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
