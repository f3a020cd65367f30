/* SPDX-License-Identifier: Apache-2.0 */

/* Keys of packets that come through tunnels: of VXLAN over either family, with anything inside, held against
 * the slow way of key_check_int.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kit/flow/key_check_int.h"
#include "kit/packet/wire_tunnel.h"

#define ENDS 16u /* half of each family */
#define FRAME_MAX 400u
#define STRIDE 512u

static struct mr_flow_pairs *pairs;
static struct mr_flow_inside *table;
static _Atomic(const struct mr_flow_inside *) published;
static struct mr_flow_batch batch;
static uint64_t state = 88172645463325252ull;

static uint32_t
draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* -- remote ends ----------------------------------------------------------------------------- */

/* The last of each family has a number that no key has room for, the last but one is in another VRF. */
static uint32_t
number_of(unsigned end)
{
	return end / 2 == ENDS / 2 - 1 ? MR_FLOW_INSIDE_MAX + 1 + end : 1 + end * 1000;
}

static uint16_t
vrf_of(unsigned end)
{
	return end / 2 == ENDS / 2 - 2 ? 3 : 0;
}

static uint16_t
port_of(unsigned end)
{
	return end % 8 < 6 ? MR_TUNNEL_PORT_VXLAN : MR_TUNNEL_PORT_VXLAN_LINUX;
}

static uint32_t
network_of(unsigned end)
{
	return end < 4 ? 0xffffff - end : 1 + end / 4;
}

static void
address(uint8_t *out, bool six, unsigned host)
{
	memset(out, 0, 16);
	memcpy(out, six ? "\x20\1\xd\xb8" : "\12\11\0", six ? 4 : 3);
	out[six ? 15 : 3] = (uint8_t)host;
}

static void
outer_of(unsigned end, struct mr_flow_outer *o)
{
	bool six = end & 1;

	memset(o, 0, sizeof(*o));
	address(o->local, six, 1);
	address(o->remote, six, 100 + end % 8);
	o->network = network_of(end);
	o->port = port_of(end);
	o->vrf = (uint16_t)(vrf_of(end) | (six ? MR_FLOW_OUTER_SIX : 0));
}

static int
setup(void **s)
{
	struct mr_flow_outer o;

	(void)s;
	if (mr_flow_pairs_create(&pairs, 1, -1, NULL) ||
	    mr_flow_inside_create(&table, 2 * ENDS, NULL))
		return -1;
	for (unsigned i = 0; i < ENDS; i++) {
		outer_of(i, &o);
		mr_flow_inside_add(table, &o, number_of(i));
		/* As nf/tunnel has them: what tells who is refused. */
		memset(o.remote, 0, sizeof(o.remote));
		mr_flow_inside_add(table, &o, UINT32_MAX);
	}
	atomic_init(&published, table);
	return 0;
}

static int
teardown(void **s)
{
	(void)s;
	mr_flow_pairs_destroy(pairs);
	mr_flow_inside_destroy(table);
	return 0;
}

/* -- frames ------------------------------------------------------------------------------------ */

struct shape {
	unsigned end, proto, payload;
	bool inner_six;
	unsigned outer_tag, inner_tag;
	unsigned pad;  /* inside, behind the inner packet's end */
	unsigned tail; /* behind the outer packet's end */
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	unsigned len, outer, udp, l3, l4; /* where things are */
};

static unsigned
put_ethernet(uint8_t *f, unsigned to, unsigned from, unsigned tag, bool six)
{
	unsigned at = 12;

	memcpy(f, "\2\0\0\0\0", 5);
	memcpy(f + 6, "\2\0\0\0\0", 5);
	f[5] = (uint8_t)to;
	f[11] = (uint8_t)from;
	if (tag) {
		mr_store_be16(f + at, MR_ETH_TYPE_VLAN);
		mr_store_be16(f + at + 2, (uint16_t)tag);
		at += 4;
	}
	mr_store_be16(f + at, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	return at + 2;
}

static void
mend(uint8_t *f, unsigned len, unsigned l3)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(f + l3);

	if (len >= l3 + sizeof(*ip) && ip->version_ihl == 0x45)
		ip->check = mr_checksum_ipv4_header(ip);
}

static unsigned
put_ip(uint8_t *ip, const uint8_t *src, const uint8_t *dst, bool six, unsigned proto, unsigned len)
{
	memset(ip, 0, six ? 40 : 20);
	if (six) {
		mr_store_be32(ip, 0x60012345);
		mr_store_be16(ip + 4, (uint16_t)len);
		ip[6] = (uint8_t)proto;
		ip[7] = 9;
		memcpy(ip + 8, src, 16);
		memcpy(ip + 24, dst, 16);
		return 40;
	}
	ip[0] = 0x45;
	mr_store_be16(ip + 2, (uint16_t)(20 + len));
	ip[8] = 9;
	ip[9] = (uint8_t)proto;
	memcpy(ip + 12, src, 4);
	memcpy(ip + 16, dst, 4);
	mend(ip, 20, 0);
	return 20;
}

static void
put_l4(uint8_t *l4, unsigned proto, bool six, unsigned len)
{
	mr_store_be16(l4, (uint16_t)(1024 + draw(4)));
	mr_store_be16(l4 + 2, 80);
	if (proto == MR_IP_PROTO_UDP) {
		mr_store_be16(l4 + 4, (uint16_t)len);
	} else if (proto == MR_IP_PROTO_TCP) {
		l4[12] = 0x50;
		l4[13] = MR_TCP_ACK;
	} else {
		l4[0] = six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO;
		l4[1] = 0;
	}
}

static void
build(struct frame *f, const struct shape *s)
{
	unsigned head = (s->inner_six ? 40u : 20u) + 14 + (s->inner_tag ? 4 : 0), l4_len, around;
	bool six = s->end & 1;
	struct mr_flow_outer o;
	uint8_t src[16], dst[16];

	memset(f, 0, sizeof(*f));
	outer_of(s->end, &o);
	l4_len = (s->proto == MR_IP_PROTO_TCP ? 20 : 8) + s->payload;
	around = 16 + head + l4_len + s->pad;
	f->outer = put_ethernet(f->bytes, 1, 2, s->outer_tag, six);
	f->udp =
	    f->outer + put_ip(f->bytes + f->outer, o.remote, o.local, six, MR_IP_PROTO_UDP, around);
	mr_store_be16(f->bytes + f->udp, (uint16_t)(50000 + draw(3)));
	mr_store_be16(f->bytes + f->udp + 2, o.port);
	mr_store_be16(f->bytes + f->udp + 4, (uint16_t)around);
	f->bytes[f->udp + 8] = MR_VXLAN_VNI_VALID;
	mr_store_be32(f->bytes + f->udp + 12, o.network << 8);
	f->l3 = f->udp + 16;
	f->l3 +=
	    put_ethernet(f->bytes + f->l3, 10 + draw(3), 20 + draw(3), s->inner_tag, s->inner_six);
	address(src, s->inner_six, 5 + draw(3));
	address(dst, s->inner_six, 8 + draw(3));
	f->l4 = f->l3 + put_ip(f->bytes + f->l3, src, dst, s->inner_six, s->proto, l4_len);
	put_l4(f->bytes + f->l4, s->proto, s->inner_six, l4_len);
	f->len = f->l4 + l4_len + s->pad + s->tail;
	assert_true(f->len <= FRAME_MAX);
}

static void
draw_shape(struct shape *s)
{
	static const uint8_t protos[] = { MR_IP_PROTO_TCP, MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP,
		MR_IP_PROTO_SCTP };

	memset(s, 0, sizeof(*s));
	s->end = draw(draw(4) ? ENDS - 4 : ENDS);
	s->inner_six = draw(2);
	s->proto = protos[draw(16) ? draw(3) : 3];
	if (s->proto == MR_IP_PROTO_ICMP && s->inner_six)
		s->proto = MR_IP_PROTO_ICMP6;
	s->payload = draw(4) ? draw(64) : 0;
	s->outer_tag = draw(12) ? 0 : 1 + draw(4000);
	s->inner_tag = draw(12) ? 0 : 1 + draw(4000);
	s->pad = draw(8) ? 0 : draw(40);
	s->tail = draw(12) ? 0 : draw(20);
}

/* Another network, port (some of which are told apart by no more than their upper bits), end; lengths that do
 * not fit; few bits; all sums mostly right. */
static void
spoil(struct frame *f)
{
	uint8_t *b = f->bytes;

	switch (draw(12)) {
	case 0:
		mr_store_be32(b + f->udp + 12, draw(2) ? draw(8) << 8 : draw(1u << 31));
		break;
	case 1:
		mr_store_be16(b + f->udp + 2, (uint16_t)(MR_TUNNEL_PORT_VXLAN + 64 * draw(3)));
		break;
	case 2:
		b[f->udp - 1 - draw(f->udp - f->outer)] ^= (uint8_t)(1 + draw(255));
		break;
	case 3:
		b[f->udp + 8] = (uint8_t)draw(256);
		break;
	case 4:
		mr_store_be16(b + f->udp + 4,
		    (uint16_t)(mr_load_be16(b + f->udp + 4) + draw(41) - 20));
		break;
	case 5:
		mr_store_be16(b + f->outer + (b[f->outer] == 0x45 ? 2 : 4), (uint16_t)draw(400));
		break;
	case 6:
		mr_store_be16(b + f->l3 + (b[f->l3] == 0x45 ? 2 : 4), (uint16_t)draw(200));
		break;
	case 7:
		b[f->l4 + draw(20)] = (uint8_t)draw(256);
		break;
	case 8:
		b[f->l3 - 2 + draw(f->l4 - f->l3 + 2)] ^= (uint8_t)(1u << draw(8));
		break;
	case 9:
		f->len = draw(f->len + 1);
		break;
	default:
		for (unsigned n = draw(4); n > 0; n--)
			b[draw(f->len)] ^= (uint8_t)(1u << draw(8));
	}
	if (draw(8)) {
		mend(b, f->len, f->outer);
		mend(b, f->len, f->l3);
	}
}

/* -- one by one --------------------------------------------------------------------------------- */

struct tally {
	unsigned frames, inside, none, outer;
};

static struct mr_flow_view
view_of(unsigned vrf)
{
	struct mr_flow_view view = { .port = 77, .inside = &published, .vrf = (uint16_t)vrf };

	memcpy(&view.mac, "\2\0\0\0\0\1", 6);
	return view;
}

static void
look(const uint8_t *bytes, unsigned len, struct tally *tally)
{
	uint8_t *base = checked_packet(bytes, len);
	struct mr_flow_view view;
	bool has;

	assert_non_null(base);
	for (unsigned turn = 0; turn < 5; turn++) {
		view = view_of(turn == 1 ? 3 : 0);
		view.bridged = turn == 2;
		if (turn == 3)
			view.inside = NULL;
		if (!check_packet_key(&view, turn == 4 ? NULL : pairs, base, &batch, &has))
			fail_msg("another key, %u bytes, turn %u", len, turn);
		if (turn)
			continue;
		tally->frames++;
		tally->none += !has;
		tally->inside += has && MR_FLOW_INSIDE(batch.key[0].pair);
		tally->outer += has && !batch.key[0].pair;
	}
	free(base);
}

static void
test_random(void **s)
{
	struct tally tally = { 0 };

	(void)s;
	for (unsigned i = 0; i < 40000; i++) {
		struct shape shape;
		struct frame f;

		draw_shape(&shape);
		build(&f, &shape);
		if (draw(3))
			spoil(&f);
		look(f.bytes, f.len, &tally);
	}
	print_message("%u frames, %u inside, %u of the outer packet, %u without a key\n",
	    tally.frames, tally.inside, tally.outer, tally.none);
	assert_true(tally.inside > tally.frames / 5 && tally.none > tally.frames / 10 &&
	    tally.outer > tally.frames / 10);
}

/* Cut at every byte, lengths as they were, and made to fit. */
static void
test_cut(void **s)
{
	struct tally tally = { 0 };

	(void)s;
	for (unsigned i = 0; i < 24; i++) {
		static const uint8_t protos[] = { MR_IP_PROTO_TCP, MR_IP_PROTO_UDP,
			MR_IP_PROTO_ICMP };
		struct shape shape = { .end = i & 1,
			.inner_six = i & 2,
			.proto = protos[i / 4 % 3],
			.payload = 12 };
		struct frame f;

		if (shape.proto == MR_IP_PROTO_ICMP && shape.inner_six)
			shape.proto = MR_IP_PROTO_ICMP6;
		build(&f, &shape);
		for (unsigned len = 0; len <= f.len; len++) {
			uint8_t *ip = f.bytes + f.outer;

			if (i >= 12 && len >= f.udp) {
				mr_store_be16(ip + (shape.end ? 4 : 2),
				    (uint16_t)(len - (shape.end ? f.udp : f.outer)));
				mend(f.bytes, f.len, f.outer);
				mr_store_be16(f.bytes + f.udp + 4, (uint16_t)(len - f.udp));
			}
			look(f.bytes, len, &tally);
		}
	}
	assert_true(tally.inside >= 24 && tally.none > 1000 && tally.outer > 100);
}

/* -- what key.h says, case by case --------------------------------------------------------------- */

enum what { NONE, OUTER, INSIDE };

static const uint16_t vlan_7_is_3[4096] = { [7] = 3 }, vlan_7_is_0[4096] = { [0] = 3 };

static enum what
one_by(const struct frame *f, unsigned end, unsigned vrf, const uint16_t *vrfs)
{
	uint8_t *base = checked_packet(f->bytes, f->len);
	struct mr_flow_view view = view_of(vrf);
	bool has;

	view.vrfs = vrfs;
	assert_true(check_packet_key(&view, pairs, base, &batch, &has));
	free(base);
	if (!has || !batch.key[0].pair)
		return has ? OUTER : NONE;
	assert_int_equal(MR_FLOW_INSIDE(batch.key[0].pair), number_of(end));
	assert_int_equal(MR_FLOW_WHERE_VLAN(batch.key[0].where), f->outer == 18 ? 7 : 0);
	assert_int_equal(MR_FLOW_WHERE_PORT(batch.key[0].where), 77);
	assert_int_equal(batch.key[0].dport, mr_be16(80));
	return INSIDE;
}

static enum what
one(const struct frame *f, unsigned end, unsigned vrf)
{
	return one_by(f, end, vrf, NULL);
}

#define IS(what_) assert_int_equal(one(&f, shape.end, 0), what_)

static void
test_reasons(void **s)
{
	(void)s;
	for (unsigned k = 0; k < 8; k++) {
		const struct shape whole = { .end = k & 1,
			.inner_six = k & 2,
			.proto = k & 4 ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP,
			.payload = 20 };
		struct shape shape = whole;
		struct frame f;

		build(&f, &shape);
		IS(INSIDE);
		f.bytes[f.udp + 1] ^= 1; /* the source port is no part of it */
		f.bytes[f.udp + 6] = 5;  /* nor UDP's checksum, and what is reserved */
		f.bytes[f.udp + 9] = f.bytes[f.udp + 15] = 9;
		f.bytes[f.udp + 8] = 0xff;
		IS(INSIDE);
		f.bytes[f.udp + 8] = 0xff & ~MR_VXLAN_VNI_VALID;
		IS(NONE);
		f.bytes[f.udp + 8] = MR_VXLAN_VNI_VALID;
		f.bytes[f.udp + 14] ^= 0x40; /* nobody's network */
		IS(OUTER);
		f.bytes[f.udp + 14] ^= 0x40;
		f.bytes[f.outer + (shape.end ? 23 : 15)] ^= 0x80; /* from somebody else */
		mend(f.bytes, f.len, f.outer);
		IS(OUTER);
		build(&f, &shape);
		mr_store_be16(f.bytes + f.udp + 2, MR_TUNNEL_PORT_VXLAN + 64);
		IS(OUTER);
		assert_int_equal(one(&f, shape.end, 3), OUTER);
		build(&f, &shape);
		assert_int_equal(one(&f, shape.end, 3), OUTER);
		/* UDP ends before the packet does, IP behind it or not. */
		mr_store_be16(f.bytes + f.udp + 4, (uint16_t)(f.len - f.udp - 1));
		IS(NONE);
		build(&f, &shape);
		f.bytes[f.l3 + (shape.inner_six ? 7 : 8)] = 1;
		mend(f.bytes, f.len, f.l3);
		IS(NONE);
		build(&f, &shape);
		f.bytes[f.outer + (shape.end ? 7 : 8)] = 1;
		mend(f.bytes, f.len, f.outer);
		IS(NONE);
		build(&f, &shape);
		if (!shape.inner_six) {
			f.bytes[f.l3 + 1] ^= 1; /* the inner sum is wrong */
			IS(NONE);
			build(&f, &shape);
		}
		if (k & 4)
			f.bytes[f.l4 + 13] |= MR_TCP_FIN;
		else
			mr_store_be16(f.bytes + f.l4 + 4, 29);
		IS(NONE);
		shape.tail = 1;
		build(&f, &shape);
		IS(NONE);
		shape.tail = 0;
		shape.pad = 7;
		build(&f, &shape);
		IS(INSIDE);
		shape.pad = 0;
		shape.inner_tag = 7;
		build(&f, &shape);
		IS(NONE);
		shape.inner_tag = 0;
		/* The VLAN says which VRF it is. */
		shape.outer_tag = 7;
		build(&f, &shape);
		IS(INSIDE);
		assert_int_equal(one_by(&f, shape.end, 0, vlan_7_is_3), OUTER);
		assert_int_equal(one_by(&f, shape.end, 3, vlan_7_is_0), INSIDE);
		/* A number that is too large; in another VRF, and only there. */
		shape = whole;
		shape.end += ENDS - 2;
		build(&f, &shape);
		IS(OUTER);
		shape.end -= 2;
		build(&f, &shape);
		IS(OUTER);
		assert_int_equal(one(&f, shape.end, 3), INSIDE);
	}
}

/* -- vectors -------------------------------------------------------------------------------------- */

static MR_CACHE_ALIGNED uint8_t arena[64 + MR_VECTOR_MAX * STRIDE];
static uint32_t packets[MR_VECTOR_MAX];

/* All kinds, in any order; `stations` of inner sources. */
static void
fill(unsigned stations)
{
	for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
		struct mr_packet *p;
		struct shape shape;
		struct frame f;

		draw_shape(&shape);
		build(&f, &shape);
		f.bytes[f.udp + 16 + 10] = (uint8_t)draw(stations);
		if (draw(3) == 0)
			spoil(&f);
		packets[i] = 1 + i * (STRIDE / MR_CACHE_LINE);
		p = mr_packet_at(arena, packets[i]);
		mr_packet_init(p, MR_PACKET_META_SIZE, (uint16_t)f.len, 0, 0);
		if (draw(16) == 0)
			p->segments = 2;
		memcpy(mr_packet_bytes(p), f.bytes, f.len);
	}
}

/* Returns how many there are inside. `all`: every pair finds room. */
static unsigned
check_vector(const struct mr_flow_view *view, struct mr_flow_pairs *with, bool all,
    unsigned *refused)
{
	uint16_t rest[MR_VECTOR_MAX];
	unsigned others, n, k = 0, r = 0, inside = 0;

	n = mr_flow_keys(view, with, arena, packets, MR_VECTOR_MAX, &batch, rest, &others);
	assert_int_equal(n + others, MR_VECTOR_MAX);
	for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
		const struct mr_packet *p = mr_packet_at(arena, packets[i]);
		struct checked_key want = { .inside = 0 };
		bool should = check_key(view, p, &want);

		if (k < n && batch.at[k] == i) {
			assert_true(should && check_keyed(view, with, &want, p, &batch, k));
			inside += want.inside != 0;
			k++;
			continue;
		}
		assert_true(!should || (!all && (want.inside || view->bridged)));
		*refused += should;
		assert_int_equal(rest[r++], i);
	}
	assert_int_equal(k, n);
	return inside;
}

static void
test_vectors(void **s)
{
	unsigned inside = 0, refused = 0;
	struct mr_flow_view view;

	(void)s;
	for (unsigned turn = 0; turn < 150; turn++) {
		view = view_of(turn % 3 == 1 ? 3 : 0);
		view.bridged = turn % 3 == 2;
		fill(turn % 2 ? 3 : 256);
		inside += check_vector(&view, pairs, true, &refused);
		check_vector(&view, NULL, false, &refused);
		mr_flow_pairs_sweep(pairs, UINT32_MAX);
	}
	assert_true(inside > 4000 && refused > 2000);
}

/* Where the pairs' table is full, those inside that are new have no key, and all others have. */
static void
test_full(void **s)
{
	unsigned inside = 0, refused = 0;
	struct mr_flow_pairs *full;
	struct mr_flow_pairs_stats stats;
	struct mr_flow_view view = view_of(0);
	uint8_t macs[MR_VECTOR_MAX][12];
	const uint8_t *frames[MR_VECTOR_MAX];
	uint32_t ids[MR_VECTOR_MAX];

	(void)s;
	assert_int_equal(mr_flow_pairs_create(&full, 5, -1, NULL), 0);
	fill(2);
	(void)check_vector(&view, full, true, &refused);
	for (unsigned n = 0; n < 2 * MR_FLOW_PAIRS_MAX / MR_VECTOR_MAX; n++) {
		for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
			frames[i] = macs[i];
			for (unsigned k = 0; k < 12; k++)
				macs[i][k] = (uint8_t)draw(256);
		}
		mr_flow_pairs_find(full, frames, ids, MR_VECTOR_MAX);
	}
	mr_flow_pairs_stats(full, &stats);
	assert_int_equal(stats.pairs, MR_FLOW_PAIRS_MAX);
	assert_int_equal(refused, 0);
	for (unsigned turn = 0; turn < 20; turn++) {
		fill(4);
		inside += check_vector(&view, full, false, &refused);
	}
	assert_true(inside > 300 && refused > 300);
	mr_flow_pairs_destroy(full);
}

static void
test_print(void **s)
{
	const struct shape shape = { .end = 0, .proto = MR_IP_PROTO_TCP };
	char text[160], want[160];
	struct frame f;

	(void)s;
	build(&f, &shape);
	assert_int_equal(one(&f, 0, 0), INSIDE);
	batch.key[0].sport = mr_be16(1024);
	address(batch.key[0].src, false, 5);
	address(batch.key[0].dst, false, 8);
	snprintf(want, sizeof(want), "wan tcp 10.9.0.5:1024 > 10.9.0.8:80 inside 1 pair %u",
	    MR_FLOW_PAIR(batch.key[0].pair));
	assert_int_equal(mr_flow_key_print(&batch.key[0], "wan", text, sizeof(text)), strlen(want));
	assert_string_equal(text, want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
