/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>

#include <cmocka.h>

#include "kit/packet/parse_packets_int.h"

static uint32_t seed = 7;

static uint32_t
draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static unsigned
unhex(uint8_t *out, const char *hex)
{
	unsigned n = 0, byte;

	for (; hex[0]; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

static void
same(const char *name, const struct mr_parsed *got, const struct mr_parsed *want)
{
#define CHECK(field) \
	if (got->field != want->field) \
	fail_msg("%s: " #field " is %#x, not %#x", name, (unsigned)got->field, \
	    (unsigned)want->field)
	CHECK(error);
	CHECK(l2);
	CHECK(l3);
	CHECK(l4);
	CHECK(payload);
	CHECK(end);
	CHECK(flags);
	CHECK(ethertype);
	CHECK(vlan[0]);
	CHECK(vlan[1]);
	CHECK(vlan_count);
	CHECK(version);
	CHECK(proto);
	CHECK(tunnel);
	CHECK(src_port);
	CHECK(dst_port);
	CHECK(tcp_flags);
	CHECK(icmp_type);
	CHECK(icmp_code);
	CHECK(icmp_id);
	CHECK(via);
	CHECK(ttl);
	CHECK(tunnel_id);
	CHECK(frag_id);
	CHECK(frag_offset);
	CHECK(fragment);
#undef CHECK
	assert_memory_equal(got, want, sizeof(*got));
}

/* Where layer 3 ends, read off the bytes. */
static unsigned
end_of(const uint8_t *f, const struct mr_parsed *p, unsigned total)
{
	if (p->version == 4)
		return p->l3 + mr_load_be16(f + p->l3 + 2);
	if (p->version == 6)
		return p->l3 + 40u + mr_load_be16(f + p->l3 + 4);
	return total;
}

static void
test_plain(void **state)
{
	for (size_t i = 0; i < MR_ARRAY_COUNT(plain_cases); i++) {
		const struct parse_case *c = &plain_cases[i];
		struct mr_parsed want = c->want, got;
		uint8_t *f = malloc(2048);
		unsigned len = unhex(f, c->hex);

		f = realloc(f, len);
		want.error = (uint8_t)c->error;
		want.end = end_of(f, &want, len);
		memset(&got, 0xa5, sizeof(got));
		assert_int_equal(mr_parse_ethernet(&got, f, len, len), c->error);
		same(c->name, &got, &want);
		memset(&got, 0xa5, sizeof(got));
		assert_int_equal(mr_parse(&got, f, len, len), c->error);
		same(c->name, &got, &want);
		free(f);
	}
}

static void
test_tunnels(void **state)
{
	for (size_t i = 0; i < MR_ARRAY_COUNT(tunnel_cases); i++) {
		const struct parse_case *c = &tunnel_cases[i];
		struct mr_parsed want = c->want, outer, inner;
		uint8_t *f = malloc(2048);
		unsigned len = unhex(f, c->hex);

		f = realloc(f, len);
		want.error = (uint8_t)c->error;
		assert_int_equal(mr_parse(&outer, f, len, len), MR_PARSE_OK);
		if (outer.tunnel != want.via)
			fail_msg("%s: tunnel %u, not %u", c->name, outer.tunnel, want.via);
		assert_int_equal(mr_parse_inner(&outer, &inner, f, len, len), c->error);
		/* Not told by the inner packet: what UDP, GTP-U or PPPoE say of the content. */
		want.end = want.version ? end_of(f, &want, len) : inner.end;
		assert_true(inner.end <= len);
		same(c->name, &inner, &want);
		/* In place. */
		mr_parse_inner(&outer, &outer, f, len, len);
		same(c->name, &outer, &want);
		free(f);
	}
}

/* Nothing inside nothing; a hand-set tunnel on a port of one's own. */
static void
test_inner_by_hand(void **state)
{
	struct mr_parsed outer, inner;
	uint8_t f[2048];
	unsigned len;

	len = unhex(f, plain_cases[0].hex);
	assert_int_equal(mr_parse(&outer, f, len, len), MR_PARSE_OK);
	assert_int_equal(mr_parse_inner(&outer, &inner, f, len, len), MR_PARSE_INNER_NONE);
	len = unhex(f, tunnel_cases[0].hex);
	mr_store_be16(f + 36, 9999);
	assert_int_equal(mr_parse(&outer, f, len, len), MR_PARSE_OK);
	assert_int_equal(outer.tunnel, MR_TUNNEL_NONE);
	outer.tunnel = MR_TUNNEL_VXLAN;
	assert_int_equal(mr_parse_inner(&outer, &inner, f, len, len), MR_PARSE_OK);
	assert_int_equal(inner.tunnel_id, 0x123456);
	assert_int_equal(inner.dst_port, 80);
}

/* Every shorter first segment: with the rest in a later one the answer is the same or SPLIT;
 * without it, the packet is found too short; nothing is read behind (AddressSanitizer). */
static void
cut(const struct parse_case *c, bool inner)
{
	uint8_t f[2048], *piece;
	unsigned len = unhex(f, c->hex), n;
	struct mr_parsed whole, got, got2;
	bool split = true;

	mr_parse(&whole, f, len, len);
	if (inner)
		mr_parse_inner(&whole, &whole, f, len, len);
	for (n = 0; n <= len; n++) {
		piece = malloc(n ? n : 1);
		memcpy(piece, f, n);
		mr_parse(&got, piece, n, len);
		mr_parse_ethernet(&got2, piece, n, len);
		assert_memory_equal(&got, &got2, sizeof(got));
		if (inner && !got.error)
			mr_parse_inner(&got, &got, piece, n, len);
		if (got.error != MR_PARSE_SPLIT) {
			/* MPLS content that is not seen is opaque; all else is all or nothing. */
			if (got.via != MR_TUNNEL_MPLS)
				same(c->name, &got, &whole);
			split = false;
		} else if (got.via != MR_TUNNEL_MPLS) {
			assert_true(split);
		}
		mr_parse(&got, piece, n, n);
		mr_parse_ethernet(&got2, piece, n, n);
		assert_memory_equal(&got, &got2, sizeof(got));
		assert_true(got.error != MR_PARSE_SPLIT);
		if (inner) {
			mr_parse_inner(&got, &got, piece, n, n);
			assert_true(got.error != MR_PARSE_SPLIT);
		}
		free(piece);
	}
}

static void
test_cuts(void **state)
{
	for (size_t i = 0; i < MR_ARRAY_COUNT(plain_cases); i++)
		cut(&plain_cases[i], false);
	for (size_t i = 0; i < MR_ARRAY_COUNT(tunnel_cases); i++)
		cut(&tunnel_cases[i], true);
}

/* The offsets of a result stay in order and inside the packet, whatever the bytes. */
static void
sane(const struct mr_parsed *r, unsigned len, unsigned total)
{
	assert_true(r->end <= total);
	assert_true(r->l3 <= total || r->error);
	if (r->l4) {
		assert_true(r->l4 > r->l3 && r->l4 <= len);
		assert_true(r->l4 <= r->end);
		assert_true(r->payload >= r->l4 && r->payload <= r->end);
	}
	if (r->flags & MR_PARSED_L4)
		assert_true(r->l4 && !r->error);
	assert_true(r->error < MR_PARSE_ERROR_COUNT);
}

static void
test_mutations(void **state)
{
	size_t cases = MR_ARRAY_COUNT(plain_cases) + MR_ARRAY_COUNT(tunnel_cases);

	for (int i = 0; i < 200000; i++) {
		size_t k = draw() % cases;
		const struct parse_case *c = k < MR_ARRAY_COUNT(plain_cases)
		    ? &plain_cases[k]
		    : &tunnel_cases[k - MR_ARRAY_COUNT(plain_cases)];
		uint8_t f[2048];
		unsigned len = unhex(f, c->hex), changes = draw() % 4, depth;
		struct mr_parsed a, b;

		while (changes-- > 0)
			f[draw() % len] = draw() & 1 ? (uint8_t)draw() : f[draw() % len];
		if (draw() % 4 == 0)
			len = draw() % (len + 1);
		memset(&a, 1, sizeof(a));
		memset(&b, 2, sizeof(b));
		mr_parse(&a, f, len, len);
		mr_parse_ethernet(&b, f, len, len);
		assert_memory_equal(&a, &b, sizeof(a));
		sane(&a, len, len);
		for (depth = 0; depth < 4 && a.tunnel && !a.error; depth++) {
			mr_parse_inner(&a, &a, f, len, len);
			sane(&a, len, len);
		}
	}
}

static void
test_from_ip(void **state)
{
	struct mr_parsed r;
	uint8_t f[2048];
	unsigned len = unhex(f, plain_cases[0].hex);

	assert_int_equal(mr_parse_ip(&r, f, len, len, 14), MR_PARSE_OK);
	assert_int_equal(r.ethertype, MR_ETH_TYPE_IP4);
	assert_int_equal(r.flags, MR_PARSED_NO_L2 | MR_PARSED_L4);
	assert_int_equal(r.dst_port, 80);
	assert_int_equal(mr_parse_ip(&r, f, len, len, len), MR_PARSE_IP4_SHORT);
}

static void
test_names(void **state)
{
	for (int i = 0; i < MR_PARSE_ERROR_COUNT; i++) {
		assert_true(mr_parse_error_name((enum mr_parse_error)i)[0] > ' ');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(mr_parse_error_name((enum mr_parse_error)i),
			    mr_parse_error_name((enum mr_parse_error)j));
		assert_true(strlen(mr_parse_error_doc((enum mr_parse_error)i)) > 10);
	}
	assert_string_equal(mr_parse_error_name(MR_PARSE_UDP_LENGTH), "udp-length");
	assert_string_equal(mr_parse_error_name(MR_PARSE_ERROR_COUNT), "?");
}

/* Every error of the list is reached by some case or by a cut one. */
static void
test_all_errors_reached(void **state)
{
	bool seen[MR_PARSE_ERROR_COUNT] = { false };
	uint8_t f[2048];
	unsigned len, n;
	struct mr_parsed r;

	for (size_t i = 0; i < MR_ARRAY_COUNT(plain_cases); i++) {
		len = unhex(f, plain_cases[i].hex);
		for (n = 0; n <= len; n++) {
			seen[mr_parse(&r, f, n, len)] = true;
			seen[mr_parse(&r, f, n, n)] = true;
			seen[mr_parse_inner(&r, &r, f, n, n)] = true;
		}
	}
	for (size_t i = 0; i < MR_ARRAY_COUNT(tunnel_cases); i++) {
		len = unhex(f, tunnel_cases[i].hex);
		mr_parse(&r, f, len, len);
		seen[mr_parse_inner(&r, &r, f, len, len)] = true;
	}
	/* Not among the cases: DCCP of 8 bytes, GTP-U cut inside its header. */
	len = unhex(f, plain_cases[0].hex);
	f[23] = MR_IP_PROTO_DCCP;
	mr_store_be16(f + 16, 28);
	seen[mr_parse(&r, f, len, len)] = true;
	f[23] = MR_IP_PROTO_UDP;
	mr_store_be16(f + 36, MR_TUNNEL_PORT_GTPU);
	mr_store_be16(f + 38, 8);
	mr_parse(&r, f, len, len);
	seen[mr_parse_inner(&r, &r, f, len, len)] = true;
	for (int i = 0; i < MR_PARSE_ERROR_COUNT; i++)
		if (!seen[i])
			fail_msg("%s is never reported",
			    mr_parse_error_name((enum mr_parse_error)i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_inner_by_hand),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_from_ip),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_all_errors_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
