/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Edits that keep checksums right: addresses and ports of random packets are replaced, and whoever
 * sums the packet up finds it as good as before.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kit/record/edit.h"

#define ROOM 400u

struct packet {
	MR_CACHE_ALIGNED uint8_t bytes[ROOM];
	unsigned l3, l4, len;
	bool six;
	uint8_t proto;
};

static uint32_t seed = 5;

static uint32_t
draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static struct mr_packet *
meta(struct packet *p)
{
	return (struct mr_packet *)p->bytes;
}

static uint8_t *
data(struct packet *p)
{
	return mr_packet_bytes(meta(p));
}

static unsigned
check_offset(const struct packet *p)
{
	if (p->proto == MR_IP_PROTO_TCP)
		return p->l4 + 16;
	return p->proto == MR_IP_PROTO_UDP ? p->l4 + 6 : p->l4 + 2;
}

static struct mr_l4_sum
l4_sum(const struct packet *p)
{
	return (struct mr_l4_sum){
		.offset = (uint16_t)check_offset(p),
		.kind = p->proto == MR_IP_PROTO_UDP ? MR_SUM_UDP : MR_SUM_PLAIN,
	};
}

static uint64_t
pseudo(struct packet *p)
{
	uint8_t *ip = data(p) + p->l3;
	uint32_t a, b;

	if (p->six)
		return mr_checksum_pseudo6(ip + 8, ip + 24, p->proto, p->len - p->l4);
	memcpy(&a, ip + 12, 4);
	memcpy(&b, ip + 16, 4);
	return mr_checksum_pseudo4(a, b, p->proto, (uint16_t)(p->len - p->l4));
}

/* Right, or with only the pseudo-header in it, as a kernel leaves it to a device. */
static void
set_check(struct packet *p, bool partial)
{
	uint8_t *field = data(p) + check_offset(p);
	be16_t sum;

	memset(field, 0, 2);
	sum = partial
	    ? mr_checksum_fold(pseudo(p))
	    : mr_checksum_finish_udp(mr_checksum_add(pseudo(p), data(p) + p->l4, p->len - p->l4));
	memcpy(field, &sum, 2);
	if (!partial)
		return;
	meta(p)->flags |= MR_PACKET_CSUM_PARTIAL;
	meta(p)->csum_start = (uint16_t)p->l4;
	meta(p)->csum_offset = (uint16_t)(check_offset(p) - p->l4);
}

static void
make(struct packet *p, bool six, uint8_t proto)
{
	uint8_t *ip;
	be16_t sum;

	p->l3 = draw() & 1 ? 18 : 14;
	p->six = six;
	p->proto = proto;
	p->l4 = p->l3 + (six ? 40 : 20);
	p->len = p->l4 + 20 + draw() % 100;
	mr_packet_init(meta(p), 128, (uint16_t)p->len, 0, 0);
	for (unsigned i = 0; i < p->len; i++)
		data(p)[i] = (uint8_t)draw();
	ip = data(p) + p->l3;
	mr_store_be16(ip - 2, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	if (p->l3 == 18)
		mr_store_be16(ip - 6, MR_ETH_TYPE_VLAN);
	if (six) {
		ip[0] = 0x60;
		mr_store_be16(ip + 4, (uint16_t)(p->len - p->l4));
		ip[6] = proto;
	} else {
		ip[0] = 0x45;
		mr_store_be16(ip + 2, (uint16_t)(p->len - p->l3));
		mr_store_be16(ip + 6, 0);
		ip[9] = proto;
		sum = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);
		memcpy(ip + 10, &sum, 2);
	}
	if (proto == MR_IP_PROTO_TCP)
		data(p)[p->l4 + 12] = 0x50;
	if (proto == MR_IP_PROTO_UDP)
		mr_store_be16(data(p) + p->l4 + 4, (uint16_t)(p->len - p->l4));
	set_check(p, false);
}

static void
assert_good(struct packet *p)
{
	if (!p->six)
		assert_true(mr_checksum_ipv4_header_good((const struct mr_ip4 *)(data(p) + p->l3)));
	assert_int_equal(mr_checksum_l4_verify(data(p), p->len), MR_CHECKSUM_GOOD);
}

/* One in four is one of the two zeros. */
static uint16_t
word(void)
{
	unsigned what = draw() % 8;

	return what == 0 ? 0 : what == 1 ? 0xffff : (uint16_t)draw();
}

static void
translate(struct mr_recorder *rec, struct packet *p)
{
	struct mr_packet *m = meta(p);
	uint16_t address[8];
	be32_t four;
	bool src = draw() & 1;

	for (unsigned i = 0; i < 8; i++)
		address[i] = word();
	memcpy(&four, address, 4);
	if (p->six)
		mr_edit_address6(rec, m, p->l3, src ? 8 : 24, (const uint8_t *)address, l4_sum(p));
	else
		mr_edit_address4(rec, m, p->l3, src ? 12 : 16, four, l4_sum(p));
	mr_edit_port(rec, m, p->l4 + (src ? 0 : 2), word(), l4_sum(p));
}

static void
test_translated(void **state)
{
	struct packet p;

	for (unsigned i = 0; i < 20000; i++) {
		make(&p, i & 1, i & 2 ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP);
		assert_good(&p);
		for (unsigned j = draw() % 3; j < 3; j++)
			translate(NULL, &p);
		assert_good(&p);
		if (p.proto == MR_IP_PROTO_UDP)
			assert_int_not_equal(mr_load_be16(data(&p) + check_offset(&p)), 0);
	}
}

/* A checksum that the device will finish: it does, and it is right. */
static void
test_unfinished(void **state)
{
	struct packet p;
	be16_t sum;

	for (unsigned i = 0; i < 20000; i++) {
		make(&p, i & 1, i & 2 ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP);
		set_check(&p, true);
		translate(NULL, &p);
		sum = mr_checksum_finish_udp(mr_checksum_add(0, data(&p) + p.l4, p.len - p.l4));
		memcpy(data(&p) + check_offset(&p), &sum, 2);
		assert_good(&p);
	}
}

/* UDP without a checksum has none afterwards; a packet that has none at all is let be. */
static void
test_without(void **state)
{
	struct packet p;
	uint8_t before[ROOM];

	for (unsigned i = 0; i < 1000; i++) {
		make(&p, false, MR_IP_PROTO_UDP);
		memset(data(&p) + check_offset(&p), 0, 2);
		translate(NULL, &p);
		assert_int_equal(mr_load_be16(data(&p) + check_offset(&p)), 0);
		memcpy(before, data(&p), p.len);
		mr_edit_address4(NULL, meta(&p), p.l3, 12, draw(), (struct mr_l4_sum){ 0 });
		assert_memory_equal(data(&p) + p.l4, before + p.l4, p.len - p.l4);
		assert_true(mr_checksum_ipv4_header_good((void *)(data(&p) + p.l3)));
	}
}

static struct mr_recording got;

static void
done(void *user, const struct mr_recording *r)
{
	got = *r;
}

/* What is recorded: the old bytes, which the change rests on, then the new ones and each sum. */
static void
test_recorded(void **state)
{
	static const uint8_t kinds4[] = { MR_OP_GUARD, MR_OP_SET, MR_OP_SUM, MR_OP_SUM };
	static const uint8_t kinds6[] = { MR_OP_GUARD, MR_OP_GUARD, MR_OP_SET, MR_OP_SUM };
	struct mr_l4_sum l4;
	struct mr_recorder *rec;
	struct packet p;
	uint8_t to[16] = { 0x20, 1 };
	uint64_t old = 0;

	assert_int_equal(mr_recorder_create(&rec, 1, done, NULL, NULL), 0);
	make(&p, false, MR_IP_PROTO_UDP);
	l4 = l4_sum(&p);
	assert_true(mr_recorder_attach(rec, meta(&p), 0));
	memcpy(&old, data(&p) + p.l3 + 12, 4);
	mr_edit_address4(rec, meta(&p), p.l3, 12, mr_be32(0x0a000001), l4);
	mr_record_end(rec, meta(&p));
	assert_int_equal(got.count, MR_ARRAY_COUNT(kinds4));
	for (unsigned i = 0; i < got.count; i++)
		assert_int_equal(got.ops[i].kind, kinds4[i]);
	assert_int_equal(got.ops[0].a, old);
	assert_int_equal(got.ops[0].b, UINT32_MAX);
	assert_int_equal(got.ops[2].offset, p.l3 + 10);
	assert_int_equal(got.ops[2].len, MR_SUM_PLAIN);
	assert_int_equal(got.ops[3].offset, l4.offset);
	assert_int_equal(got.ops[3].len, MR_SUM_UDP);
	assert_int_equal(got.ops[3].arg, got.ops[2].arg);
	assert_good(&p);
	make(&p, true, MR_IP_PROTO_TCP);
	assert_true(mr_recorder_attach(rec, meta(&p), 0));
	mr_edit_address6(rec, meta(&p), p.l3, 24, to, l4_sum(&p));
	mr_record_end(rec, meta(&p));
	assert_int_equal(got.count, MR_ARRAY_COUNT(kinds6));
	for (unsigned i = 0; i < got.count; i++)
		assert_int_equal(got.ops[i].kind, kinds6[i]);
	assert_int_equal(got.ops[1].offset, p.l3 + 32);
	assert_int_equal(got.ops[1].b, UINT64_MAX);
	/* Unfinished ones are written, since what a device gets is no checksum. */
	make(&p, true, MR_IP_PROTO_TCP);
	set_check(&p, true);
	assert_true(mr_recorder_attach(rec, meta(&p), 0));
	mr_edit_address6(rec, meta(&p), p.l3, 24, to, l4_sum(&p));
	mr_edit_port(rec, meta(&p), p.l4, 7, l4_sum(&p));
	mr_record_end(rec, meta(&p));
	assert_int_equal(got.count, 6);
	assert_int_equal(got.ops[3].kind, MR_OP_SET);
	assert_int_equal(got.ops[3].offset, check_offset(&p));
	assert_int_equal(got.ops[5].kind, MR_OP_SET); /* the port, and nothing more */
	mr_recorder_destroy(rec);
}

/* A header whose length follows, from the packet or from another field, stays right. */
static void
test_lengths(void **state)
{
	struct mr_length all = { 0 };
	struct mr_length of = { .offset = 38,
		.of = 16,
		.more = -20,
		.sum = 40,
		.kind = MR_SUM_UDP };
	struct mr_recorder *rec;
	struct packet p;

	assert_int_equal(mr_recorder_create(&rec, 1, done, NULL, NULL), 0);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t before, after;
		be16_t was, now, check;

		make(&p, false, MR_IP_PROTO_UDP);
		meta(&p)->total = 60 + draw() % 1400;
		all = (struct mr_length){ .offset = (uint16_t)(p.l3 + 2),
			.more = (int16_t)-p.l3,
			.sum = (uint16_t)(p.l3 + 10) };
		of.of = all.offset;
		of.offset = (uint16_t)(p.l4 + 4);
		of.sum = (uint16_t)(p.l4 + 6);
		mr_edit_length(NULL, meta(&p), &all);
		assert_int_equal(mr_load_be16(data(&p) + p.l3 + 2), meta(&p)->total - p.l3);
		assert_true(mr_checksum_ipv4_header_good((void *)(data(&p) + p.l3)));
		/* What a checksum says and what it covers stay apart by the same. */
		of.twice = i & 1;
		memcpy(&was, data(&p) + p.l4 + 4, 2);
		mr_store_be16(data(&p) + p.l4 + 6, (uint16_t)(1 + i));
		memcpy(&check, data(&p) + p.l4 + 6, 2);
		before = (uint64_t)check + (i & 1 ? 2ull : 1ull) * was;
		assert_true(mr_recorder_attach(rec, meta(&p), 0));
		mr_edit_length(rec, meta(&p), &of);
		mr_record_end(rec, meta(&p));
		memcpy(&now, data(&p) + p.l4 + 4, 2);
		memcpy(&check, data(&p) + p.l4 + 6, 2);
		after = (uint64_t)check + (i & 1 ? 2ull : 1ull) * now;
		assert_int_equal(mr_be16(now), meta(&p)->total - p.l3 - 20);
		assert_int_equal(before % 65535, after % 65535);
		assert_int_equal(got.count, 1);
		assert_int_equal(got.ops[0].kind, MR_OP_SET_LENGTH);
		assert_int_equal(got.ops[0].offset, p.l4 + 4);
		assert_int_equal(got.ops[0].a, p.l3 + 2);
		assert_int_equal(got.ops[0].b, (uint32_t)mr_be16(now) << 16 | (p.l4 + 6));
		assert_int_equal((int32_t)got.ops[0].arg, -20);
		assert_int_equal(got.ops[0].len, MR_SUM_UDP | (i & 1) << 1);
	}
	/* None stays none. */
	memset(data(&p) + p.l4 + 6, 0, 2);
	mr_edit_length(NULL, meta(&p), &of);
	assert_int_equal(mr_load_be16(data(&p) + p.l4 + 6), 0);
	mr_recorder_destroy(rec);
}

/* Deltas may be added before they are taken in, or after being folded: the same comes out. */
static void
test_deltas_add_up(void **state)
{
	struct packet p, q;

	for (unsigned i = 0; i < 0x10000; i++) {
		enum mr_sum_kind kind = i & 1 ? MR_SUM_UDP : MR_SUM_PLAIN;
		uint64_t a = mr_checksum_delta32(draw() << 8, word());
		uint64_t b = mr_checksum_delta16(word(), word());

		make(&p, false, MR_IP_PROTO_TCP);
		mr_store_be16(data(&p) + 40, (uint16_t)i);
		q = p;
		mr_edit_sum(NULL, meta(&p), 40, a, kind);
		mr_edit_sum(NULL, meta(&p), 40, b, kind);
		mr_edit_sum(NULL, meta(&q), 40, mr_checksum_fold(a + b), kind);
		assert_memory_equal(data(&p), data(&q), p.len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_translated),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_deltas_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
