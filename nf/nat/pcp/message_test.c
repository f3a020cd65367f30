/* SPDX-License-Identifier: Apache-2.0 */

/* Requests as bytes, and what is made of them; and answers, byte by byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "kit/base/def.h"
#include "nf/nat/pcp/message.h"

#define HOST 0x0a000005u
#define MAPPED 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
#define FROM MAPPED, 10, 0, 0, 5
#define HEAD(opcode) 2, opcode, 0, 0, 0, 0, 0x0e, 0x10, FROM
#define NONCE 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
#define MAP(proto) HEAD(1), NONCE, proto, 0, 0, 0, 0x1f, 0x90, 0x23, 0x28, MAPPED, 203, 0, 113, 8
#define PEER(port) \
	HEAD(2), NONCE, 17, 0, 0, 0, 0x1f, 0x90, 0, 0, MAPPED, 0, 0, 0, 0, 0, port, 0, 0, MAPPED, \
	    198, 51, 100, 7

struct row {
	const char *what;
	uint8_t kind, result;
	unsigned len;
	uint8_t bytes[NAT_PCP_MAX + 8];
};

#define ROW(what, kind, result, ...) \
	{ \
		what, kind, result, sizeof((const uint8_t[]){ __VA_ARGS__ }), \
		{ \
			__VA_ARGS__ \
		} \
	}
#define BAD(what, result, ...) ROW(what, NAT_PCP_REFUSE, NAT_PCP_##result, __VA_ARGS__)
#define GOOD(what, kind, ...) ROW(what, NAT_PCP_##kind, 0, __VA_ARGS__)

static const struct row rows[] = {
	GOOD("a byte", IGNORE, 2),
	GOOD("an answer", IGNORE, 2, 0x81, 0, 0),
	BAD("an old version", UNSUPP_VERSION, 1, 1, 0, 0),
	BAD("a version to come", UNSUPP_VERSION, 3, 1),
	BAD("half a header", MALFORMED_REQUEST, 2, 1, 0, 0, 0, 0, 0, 1),
	GOOD("announce", ANNOUNCE, HEAD(0)),
	BAD("no whole words", MALFORMED_REQUEST, HEAD(0), 0),
	BAD("an opcode to come", UNSUPP_OPCODE, HEAD(3)),
	BAD("another's address", ADDRESS_MISMATCH, 2, 0, 0, 0, 0, 0, 0, 9, MAPPED, 10, 0, 0, 6),
	BAD("an IPv6 address", ADDRESS_MISMATCH, 2, 0, 0, 0, 0, 0, 0, 9, 0x20, 1, 0xd, 0xb8, 0, 0,
	    0, 0, 0, 0, 0, 0, 10, 0, 0, 5),
	GOOD("map", MAP, MAP(6)),
	BAD("map without its end", MALFORMED_REQUEST, HEAD(1), NONCE, 6, 0, 0, 0),
	GOOD("map, this or none", MAP, MAP(6), 2, 0, 0, 0),
	BAD("this or none twice", MALFORMED_OPTION, MAP(6), 2, 0, 0, 0, 2, 0, 0, 0),
	BAD("this or none with bytes", MALFORMED_OPTION, MAP(6), 2, 0, 0, 4, 0, 0, 0, 0),
	BAD("this or none of nothing", MALFORMED_OPTION, HEAD(1), NONCE, 6, 0, 0, 0, 0x1f, 0x90, 0,
	    0, MAPPED, 0, 0, 0, 0, 2, 0, 0, 0),
	BAD("for another host", UNSUPP_OPTION, MAP(6), 1, 0, 0, 16, FROM),
	BAD("with a filter", UNSUPP_OPTION, MAP(6), 3, 0, 0, 20, 0, 32, 0, 80, FROM),
	GOOD("an option that may be left out", MAP, MAP(6), 200, 0, 0, 3, 1, 2, 3, 0),
	BAD("an option past the end", MALFORMED_OPTION, MAP(6), 200, 0, 0, 5, 1, 2, 3, 4),
	BAD("an option of 65535", MALFORMED_OPTION, MAP(6), 200, 0, 0xff, 0xff),
	GOOD("peer", PEER, PEER(53)),
	BAD("peer without a port", MALFORMED_REQUEST, PEER(0)),
	BAD("peer, this or none", UNSUPP_OPTION, PEER(53), 2, 0, 0, 0),
	BAD("too long", MALFORMED_REQUEST, MAP(6), [NAT_PCP_MAX + 3] = 0),
	GOOD("NAT-PMP: address", ADDRESS, 0, 0),
	GOOD("NAT-PMP: map", MAP, 0, 2, 0, 0, 0x1f, 0x90, 0x23, 0x28, 0, 0, 0x0e, 0x10),
	GOOD("NAT-PMP: half a map", IGNORE, 0, 1, 0, 0, 0x1f, 0x90),
	BAD("NAT-PMP: opcode", UNSUPP_OPCODE, 0, 3, 0, 0),
};

static void
what_is_asked(void **state)
{
	struct nat_pcp_request r;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(rows); i++) {
		nat_pcp_read(&r, rows[i].bytes, rows[i].len, mr_be32(HOST), true);
		if (r.kind != rows[i].kind || r.result != rows[i].result)
			fail_msg("%s: kind %u result %u", rows[i].what, r.kind, r.result);
	}
	nat_pcp_read(&r, (const uint8_t[]){ 0, 0 }, 2, mr_be32(HOST), false);
	assert_int_equal(r.kind, NAT_PCP_REFUSE);
	assert_int_equal(r.result, NAT_PCP_UNSUPP_VERSION);
}

static void
all_of_it(void **state)
{
	static const uint8_t map[] = { MAP(6), 2, 0, 0, 0 }, peer[] = { PEER(53) },
			     nonce[] = { NONCE };
	struct nat_pcp_request r;

	nat_pcp_read(&r, map, sizeof(map), mr_be32(HOST), true);
	assert_int_equal(r.proto, MR_IP_PROTO_TCP);
	assert_true(r.only_this);
	assert_int_equal(r.lifetime, 3600);
	assert_memory_equal(r.nonce, nonce, sizeof(nonce));
	assert_int_equal(mr_be16(r.inside), 8080);
	assert_int_equal(mr_be16(r.outside), 9000);
	assert_int_equal(mr_be32(r.address), 0xcb007108);
	nat_pcp_read(&r, peer, sizeof(peer), mr_be32(HOST), true);
	assert_int_equal(r.proto, MR_IP_PROTO_UDP);
	assert_int_equal(mr_be16(r.remote), 53);
	assert_int_equal(mr_be32(r.remote_address), 0xc6336407);
}

static void
check_answer(const uint8_t *asked, unsigned len, const struct nat_pcp_answer *a,
    const uint8_t *wanted, unsigned size)
{
	struct nat_pcp_request r;
	uint8_t out[NAT_PCP_MAX];

	nat_pcp_read(&r, asked, len, mr_be32(HOST), true);
	assert_int_equal(nat_pcp_write(out, asked, len, &r, a), size);
	assert_memory_equal(out, wanted, size);
}

#define CHECK(asked, a, ...) \
	check_answer(asked, sizeof(asked), a, (const uint8_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void
what_is_told(void **state)
{
	static const uint8_t map[] = { MAP(6), 2, 0, 0, 0, 200, 0, 0, 0 }, peer[] = { PEER(53) },
			     announce[] = { HEAD(0) }, short_one[] = { 2, 1, 0, 0, 0 },
			     third[] = { MAP(6), 1, 0, 0, 16, FROM }, later[] = { 3, 1, 0, 0 },
			     address[] = { 0, 0 },
			     pmp[] = { 0, 2, 0, 0, 0x1f, 0x90, 0x23, 0x28, 0, 0, 0x0e, 0x10 },
			     opcode[] = { 0, 9, 0, 0 };
	struct nat_pcp_answer a = { .lifetime = 0x01020304,
		.epoch = 0x05060708,
		.address = mr_be32(0xcb007109),
		.port = mr_be16(9001) };

#define TOLD(opcode, result) \
	2, opcode, 0, result, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	CHECK(map, &a, TOLD(0x81, 0), NONCE, 6, 0, 0, 0, 0x1f, 0x90, 0x23, 0x29, MAPPED, 203, 0,
	    113, 9, 2, 0, 0, 0);
	CHECK(peer, &a, TOLD(0x82, 0), NONCE, 17, 0, 0, 0, 0x1f, 0x90, 0x23, 0x29, MAPPED, 203, 0,
	    113, 9, 0, 53, 0, 0, MAPPED, 198, 51, 100, 7);
	CHECK(announce, &a, TOLD(0x80, 0));
	CHECK(address, &a, 0, 0x80, 0, 0, 5, 6, 7, 8, 203, 0, 113, 9);
	CHECK(pmp, &a, 0, 0x82, 0, 0, 5, 6, 7, 8, 0x1f, 0x90, 0x23, 0x29, 1, 2, 3, 4);
	a.result = NAT_PCP_UNSUPP_OPTION;
	CHECK(third, &a, TOLD(0x81, 5), NONCE, 6, 0, 0, 0, 0x1f, 0x90, 0x23, 0x28, MAPPED, 203, 0,
	    113, 8, 1, 0, 0, 16, FROM);
	a.result = NAT_PCP_MALFORMED_REQUEST;
	CHECK(short_one, &a, TOLD(0x81, 3));
	a.result = NAT_PCP_UNSUPP_VERSION;
	CHECK(later, &a, TOLD(0x81, 1));
	a.result = NAT_PCP_UNSUPP_OPCODE;
	CHECK(opcode, &a, 0, 0x89, 0, 5, 5, 6, 7, 8);
	a.result = NAT_PCP_USER_EX_QUOTA;
	a.port = 0;
	CHECK(pmp, &a, 0, 0x82, 0, 4, 5, 6, 7, 8, 0x1f, 0x90, 0, 0, 0, 0, 0, 0);
}

/* However long what was asked is, nothing is read or written past its end. */
static void
every_length(void **state)
{
	static uint8_t asked[NAT_PCP_MAX + 100] = { HEAD(1) };
	struct nat_pcp_answer a = { .result = NAT_PCP_MALFORMED_REQUEST };
	struct nat_pcp_request r;
	uint8_t out[NAT_PCP_MAX];

	for (unsigned len = 2; len < sizeof(asked); len++) {
		unsigned size;

		nat_pcp_read(&r, asked, len, mr_be32(HOST), true);
		size = nat_pcp_write(out, asked, MR_MIN(len, NAT_PCP_MAX), &r, &a);
		assert_in_range(size, 24, NAT_PCP_MAX);
		assert_int_equal(size % 4, 0);
		assert_true(size >= MR_MIN(len, NAT_PCP_MAX));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked),
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(what_is_told),
		cmocka_unit_test(every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
