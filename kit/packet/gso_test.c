/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/packet/gso.h"
#include "kit/packet/wire.h"

static uint32_t seed = 99;

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

/* The oracle of every checksum here: RFC 1071 as it reads, one byte at a time. */
static uint32_t
slow_add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* A super-frame as the test made it, and where its headers are. */
struct super {
	uint8_t bytes[70000];
	unsigned l3, l4, header, len;
	unsigned version;
	bool tcp;
	bool unsummed;
};

static void
make(struct super *s, bool tcp, unsigned version, unsigned payload)
{
	unsigned tags = draw() % 3, at = 12, options, l4_len, i;
	uint8_t *b = s->bytes, *l3;

	fill(b, 12);
	for (i = 0; i < tags; i++, at += 4) {
		mr_store_be16(b + at, i + 1 == tags ? 0x8100 : 0x88a8);
		mr_store_be16(b + at + 2, (uint16_t)draw());
	}
	mr_store_be16(b + at, version == 4 ? 0x0800 : 0x86dd);
	s->l3 = at + 2;
	s->version = version;
	s->tcp = tcp;
	s->unsummed = false;
	l3 = b + s->l3;
	options = draw() % 3 ? 0 : version == 4 ? 4 * (draw() % 11) : 16;
	s->l4 = s->l3 + (version == 4 ? 20 : 40) + options;
	s->header = s->l4 + (tcp ? 20 + 4 * (draw() % 11) : 8);
	l4_len = s->header - s->l4 + payload;
	s->len = s->header + payload;
	fill(l3, s->len - s->l3);
	if (version == 4) {
		l3[0] = (uint8_t)(0x45 + options / 4);
		mr_store_be16(l3 + 2, (uint16_t)(20 + options + l4_len));
		mr_store_be16(l3 + 6, MR_IP4_DONT_FRAGMENT);
		l3[9] = tcp ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP;
		memset(l3 + 20, 1, options);
	} else {
		l3[0] = 0x60;
		mr_store_be16(l3 + 4, (uint16_t)(options + l4_len));
		l3[6] = tcp ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP;
		if (options) {
			l3[40] = l3[6];
			l3[6] = MR_IP_PROTO_DEST_OPTIONS;
			l3[41] = 1;
			l3[42] = MR_IP6_OPTION_PADN;
			l3[43] = 12;
		}
	}
	if (tcp) {
		b[s->l4 + 12] = (uint8_t)((s->header - s->l4) / 4 << 4);
		b[s->l4 + 13] &= (uint8_t) ~(MR_TCP_SYN | MR_TCP_RST | MR_TCP_URG);
	} else {
		/* Not a tunnel's port. */
		mr_store_be16(b + s->l4 + 2, 443);
		mr_store_be16(b + s->l4 + 4, (uint16_t)l4_len);
		b[s->l4 + 6] |= 1; /* a checksum is there, right or not */
	}
}

/* Puts it into a chain with segments of random length, the headers whole or not. */
static uint32_t
load(struct mr_buffers *b, const struct super *s, bool headers_whole)
{
	uint32_t handle, first = MR_PACKET_NONE;
	struct mr_packet *p, *last = NULL;
	unsigned done = 0, part, data, segments = 0, least = s->len / 40 + 1;

	while (done < s->len) {
		assert_int_equal(mr_buffers_get(b, 0, &handle, 1), 1);
		p = mr_packet_at(b->base, handle);
		data = MR_PACKET_META_SIZE + draw() % 300;
		part = least + draw() % (MR_PACKET_STRIDE - data);
		if (!first && headers_whole)
			part = MR_MAX(part, s->header);
		part = MR_MIN(part, MR_PACKET_STRIDE - data);
		part = MR_MIN(part, s->len - done);
		mr_packet_init(p, (uint16_t)data, (uint16_t)part, 3, 1);
		memcpy(mr_packet_bytes(p), s->bytes + done, part);
		done += part;
		segments++;
		if (last)
			last->next = handle;
		else
			first = handle;
		last = p;
	}
	p = mr_packet_at(b->base, first);
	p->total = s->len;
	p->segments = (uint16_t)segments;
	p->hash = 0x12345678;
	p->scratch[2] = 0xabcdef;
	return first;
}

/* One piece, against what the super-frame says it must be. */
static void
check(struct mr_buffers *b, const struct super *s, uint32_t handle, unsigned index, unsigned count,
    unsigned size, bool partial)
{
	static uint8_t got[70000], want[70000];
	const struct mr_packet *p = mr_packet_at(b->base, handle);
	unsigned before = index * size, payload = MR_MIN(size, s->len - s->header - before);
	unsigned len = s->header + payload, l4_len = len - s->l4, field;
	uint8_t ph[40] = { 0 }, *w = want + s->l4;
	uint32_t sum;

	assert_int_equal(p->total, len);
	assert_int_equal(p->port, 3);
	assert_int_equal(p->hash, 0x12345678);
	assert_int_equal(p->scratch[2], 0xabcdef);
	assert_int_equal(p->gso_size, 0);
	assert_int_equal(p->flags & MR_PACKET_GSO, 0);
	assert_int_equal(mr_packet_read(b, handle, 0, got, sizeof(got)), len);
	memcpy(want, s->bytes, s->header);
	memcpy(want + s->header, s->bytes + s->header + before, payload);
	if (s->version == 4) {
		mr_store_be16(want + s->l3 + 2, (uint16_t)(len - s->l3));
		mr_store_be16(want + s->l3 + 4,
		    (uint16_t)(mr_load_be16(s->bytes + s->l3 + 4) + index));
		memset(want + s->l3 + 10, 0, 2);
		sum = slow_add(0, want + s->l3, (want[s->l3] & 15u) * 4);
		mr_store_be16(want + s->l3 + 10, (uint16_t)~sum);
		memcpy(ph, want + s->l3 + 12, 8);
		mr_store_be16(ph + 8, s->tcp ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP);
		mr_store_be16(ph + 10, (uint16_t)l4_len);
	} else {
		mr_store_be16(want + s->l3 + 4, (uint16_t)(len - s->l3 - 40));
		memcpy(ph, want + s->l3 + 8, 32);
		mr_store_be32(ph + 32, l4_len);
		mr_store_be32(ph + 36, s->tcp ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP);
	}
	if (s->tcp) {
		mr_store_be32(w + 4, mr_load_be32(s->bytes + s->l4 + 4) + before);
		if (index > 0)
			w[13] &= (uint8_t)~MR_TCP_CWR;
		if (index + 1 < count)
			w[13] &= (uint8_t) ~(MR_TCP_PSH | MR_TCP_FIN);
	} else {
		mr_store_be16(w + 4, (uint16_t)l4_len);
	}
	field = s->tcp ? 16 : 6;
	memset(w + field, 0, 2);
	sum = slow_add(0, ph, sizeof(ph));
	if (partial) {
		assert_true(p->flags & MR_PACKET_CSUM_PARTIAL);
		assert_int_equal(p->csum_start, s->l4);
		assert_int_equal(p->csum_offset, field);
		mr_store_be16(w + field, (uint16_t)sum);
	} else if (!s->unsummed) {
		assert_false(p->flags & MR_PACKET_CSUM_PARTIAL);
		sum = (uint16_t)~slow_add(sum, w, l4_len);
		mr_store_be16(w + field, sum ? (uint16_t)sum : 0xffff);
	}
	assert_memory_equal(got, want, len);
}

static int
setup(void **state)
{
	struct mr_buffers_config config = { .count = 8192, .workers = 1, .numa_node = -1 };
	struct mr_error error;

	return mr_buffers_create((struct mr_buffers **)state, &config, &error);
}

static int
teardown(void **state)
{
	struct mr_buffers *b = *state;
	unsigned used = mr_pool_used(b->pool);

	mr_buffers_destroy(b);
	assert_int_equal(used, 0); /* nothing leaked, whatever was tried */
	return 0;
}

static struct super super;

static void
cut_and_check(struct mr_buffers *b, struct super *s, uint16_t flags, unsigned gso_size,
    unsigned mtu, unsigned options)
{
	uint32_t out[2048], h = load(b, s, draw() % 4 != 0);
	struct mr_packet *p = mr_packet_at(b->base, h);
	unsigned payload = s->len - s->header, size, count;
	int n;

	p->flags = flags;
	p->gso_size = (uint16_t)gso_size;
	p->csum_start = (uint16_t)s->l4;
	p->csum_offset = s->tcp ? 16 : 6;
	size = gso_size ? gso_size : mtu - (s->header - s->l3);
	count = payload ? (payload + size - 1) / size : 1;
	n = mr_gso_segment_with(b, 0, h, mtu, options, out, MR_ARRAY_COUNT(out));
	assert_int_equal(n, count);
	if (count == 1)
		assert_int_equal(out[0], h);
	else
		for (int i = 0; i < n; i++)
			check(b, s, out[i], (unsigned)i, count, size, options & MR_GSO_PARTIAL);
	mr_packets_free(b, 0, out, (unsigned)n);
}

static void
test_tcp(void **state)
{
	for (int i = 0; i < 600; i++) {
		unsigned version = 4 + 2 * (draw() & 1),
			 payload = 1 + draw() % (i % 3 ? 9000 : 62000);
		unsigned size = i % 5 == 0 ? 1 + draw() % 9000 : 536 + draw() % 1000;
		uint16_t flags = version == 4 ? MR_PACKET_GSO_TCP4 : MR_PACKET_GSO_TCP6;

		if (payload / size > 2000)
			continue;
		make(&super, true, version, payload);
		if (draw() & 1)
			flags |= MR_PACKET_CSUM_PARTIAL;
		cut_and_check(*state, &super, flags, size, 0, draw() & 1 ? MR_GSO_PARTIAL : 0);
	}
}

/* The source told no size, or told nothing at all. */
static void
test_tcp_by_mtu(void **state)
{
	for (int i = 0; i < 300; i++) {
		unsigned version = 4 + 2 * (draw() & 1);
		uint16_t flags = version == 4 ? MR_PACKET_GSO_TCP4 : MR_PACKET_GSO_TCP6;

		make(&super, true, version, draw() % 30000);
		cut_and_check(*state, &super, i & 1 ? flags : 0, 0, 500 + draw() % 1001, 0);
	}
}

static void
test_udp(void **state)
{
	for (int i = 0; i < 300; i++) {
		unsigned version = 4 + 2 * (draw() & 1), payload = 1 + draw() % 30000;
		uint16_t flags = MR_PACKET_GSO_UDP;

		make(&super, false, version, payload);
		if (draw() & 1) {
			flags |= MR_PACKET_CSUM_PARTIAL;
		} else if (version == 4 && (draw() & 1)) {
			memset(super.bytes + super.l4 + 6, 0, 2);
			super.unsummed = true;
		}
		cut_and_check(*state, &super, flags, 100 + draw() % 1400, 0, 0);
	}
}

static void
test_urgent(void **state)
{
	struct mr_buffers *b = *state;
	uint32_t out[64], h;
	struct mr_packet *p;
	uint8_t f[100];

	make(&super, true, 4, 5000);
	super.bytes[super.l4 + 13] = MR_TCP_ACK | MR_TCP_URG;
	mr_store_be16(super.bytes + super.l4 + 18, 1500);
	h = load(b, &super, true);
	p = mr_packet_at(b->base, h);
	p->flags = MR_PACKET_GSO_TCP4;
	p->gso_size = 1000;
	assert_int_equal(mr_gso_segment(b, 0, h, 0, out, 64), 5);
	for (unsigned i = 0; i < 5; i++) {
		mr_packet_read(b, out[i], super.l4, f, 20);
		assert_int_equal(f[13], i < 2 ? MR_TCP_ACK | MR_TCP_URG : MR_TCP_ACK);
		assert_int_equal(mr_load_be16(f + 18), i == 0 ? 1500 : i == 1 ? 500 : 0);
	}
	mr_packets_free(b, 0, out, 5);
}

static int
attempt(struct mr_buffers *b, uint16_t flags, unsigned gso_size, unsigned mtu, unsigned room)
{
	static uint8_t after[70000];
	uint32_t out[2048], h = load(b, &super, true);
	struct mr_packet *p = mr_packet_at(b->base, h);
	unsigned used = mr_pool_used(b->pool);
	int n;

	p->flags = flags;
	p->gso_size = (uint16_t)gso_size;
	p->csum_start = (uint16_t)super.l4;
	n = mr_gso_segment(b, 0, h, mtu, out, room);
	if (n < 0) {
		/* Nothing was taken, and the packet is as it was. */
		assert_int_equal(mr_pool_used(b->pool), used);
		assert_int_equal(p->flags, flags);
		assert_int_equal(mr_packet_read(b, h, 0, after, sizeof(after)), super.len);
		assert_memory_equal(after, super.bytes, super.len);
		mr_packets_free(b, 0, &h, 1);
	} else {
		mr_packets_free(b, 0, out, (unsigned)n);
	}
	return n;
}

static void
test_refused(void **state)
{
	struct mr_buffers *b = *state;
	uint32_t taken[8192];
	unsigned n = 0;

	make(&super, true, 4, 5000);
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP4, 1000, 0, 5), 5);
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP4, 1000, 0, 4), -ENOSPC);
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP4, 1, 0, 2048), -ENOSPC);
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP4, 0, 30, 100), -EINVAL);
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP4, 0, 0, 100), -EINVAL);
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP6, 1000, 0, 100), -ENOTSUP);
	assert_int_equal(attempt(b, MR_PACKET_GSO_UDP, 1000, 0, 100), -ENOTSUP);
	super.bytes[super.l4 + 13] |= MR_TCP_SYN;
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP4, 1000, 0, 100), -ENOTSUP);
	super.bytes[super.l4 + 13] &= (uint8_t)~MR_TCP_SYN;
	mr_store_be16(super.bytes + super.l3 + 6, MR_IP4_MORE_FRAGMENTS);
	assert_true(attempt(b, MR_PACKET_GSO_TCP4, 1000, 0, 100) < 0);
	mr_store_be16(super.bytes + super.l3 + 6, 0);
	mr_store_be16(super.bytes + super.l3 + 2, 0); /* total length */
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP4, 1000, 0, 100), -EINVAL);

	make(&super, false, 6, 5000);
	assert_int_equal(attempt(b, MR_PACKET_GSO_UDP, 0, 1500, 100), -ENOTSUP);
	assert_int_equal(attempt(b, 0, 0, 1500, 100), -ENOTSUP);
	assert_int_equal(attempt(b, MR_PACKET_GSO_UDP, 1000, 0, 100), 5);

	/* No buffers: all that had been taken goes back. */
	make(&super, true, 4, 20000);
	while (mr_buffers_get(b, 0, taken + n, 1))
		n++;
	assert_true(n > 30);
	mr_buffers_put(b, 0, taken + n - 25, 25);
	n -= 25;
	assert_int_equal(attempt(b, MR_PACKET_GSO_TCP4, 1000, 0, 100), -ENOBUFS);
	mr_buffers_put(b, 0, taken, n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_by_mtu),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
