/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to packets on their way: tcp-mss (RFC 9293 3.7.1) and icmp-redirect (RFC 1812 4.3.3.2,
 * 5.2.7.2; RFC 4861 4.5, 8.2); and that an explanation leaves no trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/graph/graph_int.h"
#include "nf/icmp/icmp_test_int.h"

#define A6(...) ((const uint8_t[16]){ __VA_ARGS__ })
#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ })
#define HOST6 A6(0x20, 1, 0xd, 0xb8, 0, 0, [15] = 5)
#define NEAR6 A6(0x20, 1, 0xd, 0xb8, 0, 0, [15] = 6)
#define BEHIND6 A6(0x20, 1, 0xd, 0xb8, 0, 3, [15] = 9)
#define LL6 A6(0xfe, 0x80, [15] = 0x77)
#define HOST IP4(10, 0, 0, 5)
#define BEHIND IP4(198, 51, 100, 9)

static struct bed bed;
static struct made m;

/* -- MSS ------------------------------------------------------------------------------- */

static unsigned l4; /* where TCP begins in m */

static void
make_syn(bool six, unsigned flags, const uint8_t *options, unsigned len)
{
	uint8_t tcp[80] = { 0x30, 0x39, 0, 80, 0, 0, 0, 1 };

	tcp[12] = (uint8_t)((20 + len) / 4 << 4);
	tcp[13] = (uint8_t)flags;
	memcpy(tcp + 20, options, len);
	if (six)
		make_ip6(&m, HOST6, BEHIND6, 6, tcp, 20 + len);
	else
		make_ip4(&m, HOST, BEHIND, 6, NULL, 0, tcp, 20 + len);
	l4 = six ? 54 : 34;
	mr_store_be16(m.bytes + l4 + 16,
	    six ? (uint16_t)~slow_sum6(m.bytes + 14, 6, m.bytes + l4, 20 + len)
		: (uint16_t)~slow_sum(m.bytes + l4, 20 + len,
		      slow_sum(m.bytes + 26, 8, 6 + 20 + len)));
}

/* `at` is where the MSS stands behind the fixed header. */
static void
run_mss(bool six, unsigned in_interface, unsigned mtu, unsigned at, unsigned expected)
{
	struct bed_in in = { .interface = in_interface,
		.mtu = (uint16_t)mtu,
		.adjacency = six ? bed_route6(&bed, NEAR6) : bed_route4(&bed, IP4(10, 0, 0, 6)) };
	const uint8_t *tcp;
	unsigned len;

	bed_run(&bed, BED_MSS, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 1);
	assert_int_equal(bed.out[0].where, TCP_MSS_OUTPUT);
	assert_int_equal(bed.out[0].meta.adjacency, in.adjacency);
	tcp = bed.out[0].bytes + l4;
	len = bed.out[0].len - l4;
	assert_int_equal(mr_load_be16(tcp + 20 + at), expected);
	assert_int_equal(six ? slow_sum6(bed.out[0].bytes + 14, 6, tcp, len)
			     : slow_sum(tcp, len, slow_sum(bed.out[0].bytes + 26, 8, 6 + len)),
	    0xffff);
}

static void
lowers_the_mss(void **state)
{
	bed_open(&bed);
	for (unsigned flags = 2; flags <= 0x12; flags += 0x10) {
		make_syn(false, flags, BYTES(2, 4, 0x05, 0xb4), 4);
		run_mss(false, 1, 1400, 2, 1360);
		make_syn(false, flags, BYTES(2, 4, 0x05, 0xb4), 4);
		run_mss(false, 1, 1500, 2, 1460);
		/* Lower ones stay; at odd offsets the checksum still fits. */
		make_syn(false, flags, BYTES(1, 2, 4, 0x02, 0x00, 1, 1, 1), 8);
		run_mss(false, 1, 1400, 3, 512);
		make_syn(false, flags, BYTES(1, 2, 4, 0x05, 0xb4, 1, 1, 1), 8);
		run_mss(false, 1, 1400, 3, 1360);
		make_syn(true, flags, BYTES(4, 2, 1, 2, 4, 0x05, 0xa0, 1), 8);
		run_mss(true, 1, 1280, 5, 1220);
		make_syn(true, flags, BYTES(8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0x22, 0x00, 0, 0),
		    16);
		run_mss(true, 1, 1500, 12, 1440);
	}
	/* The other way is as narrow: an MTU of 600 where it came in. */
	make_syn(false, 2, BYTES(2, 4, 0x05, 0xb4), 4);
	run_mss(false, 2, 1500, 2, 560);
	/* A limit of the interface. */
	bed.ip->interfaces[bed.interface[2]].clamp4 = 500;
	bed.ip->interfaces[bed.interface[2]].clamp6 = 400;
	make_syn(false, 2, BYTES(2, 4, 0x05, 0xb4), 4);
	run_mss(false, 2, 1500, 2, 500);
	make_syn(true, 2, BYTES(2, 4, 0x05, 0xb4), 4);
	run_mss(true, 2, 1500, 2, 400);
	assert_true(bed_close(&bed));
}

/* Malformed options, no option, no SYN: passes as it is. */
static void
leaves_others_alone(void **state)
{
	static const uint8_t odd[][8] = { { 2, 3, 5, 0xb4 }, { 2, 4 }, { 3, 0, 2, 4 },
		{ 9, 9, 2, 4 }, { 0, 2, 4, 5, 0xb4 }, { 1, 1, 1, 1, 1, 1, 1, 2 },
		{ 3, 1, 2, 4, 5, 0xb4 } };
	struct bed_in in = { .interface = 1, .mtu = 600 };

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(odd); i++) {
		make_syn(false, 2, odd[i], 8);
		if (i == 1)
			m.bytes[46] = 6 << 4; /* ends behind the option's length */
		bed_run(&bed, BED_MSS, &in, m.bytes, m.len);
		assert_int_equal(bed.count, 1);
		if (i != 1)
			assert_memory_equal(bed.out[0].bytes, m.bytes, m.len);
	}
	make_syn(false, 0x10, BYTES(2, 4, 0x05, 0xb4), 4);
	bed_run(&bed, BED_MSS, &in, m.bytes, m.len);
	assert_memory_equal(bed.out[0].bytes, m.bytes, m.len);
	/* An unfinished checksum does not cover it. */
	make_syn(false, 2, BYTES(2, 4, 0x05, 0xb4), 4);
	in.packet_flags = MR_PACKET_CSUM_PARTIAL;
	in.csum_start = 34;
	in.csum_offset = 16;
	bed_run(&bed, BED_MSS, &in, m.bytes, m.len);
	assert_int_equal(mr_load_be16(bed.out[0].bytes + 56), 560);
	assert_memory_equal(bed.out[0].bytes + 50, m.bytes + 50, 2);
	in.packet_flags = 0;
	for (unsigned len = 15; len < m.len; len++)
		bed_run(&bed, BED_MSS, &in, m.bytes, len);
	assert_true(bed_close(&bed));
}

/* -- redirect -------------------------------------------------------------------------- */

static void
run_redirect(const struct bed_in *in)
{
	static uint8_t before[BED_BYTES];

	memcpy(before, m.bytes, m.len);
	bed_run(&bed, BED_REDIRECT, in, m.bytes, m.len);
	assert_true(bed.count >= 1);
	/* The packet itself goes on, whatever is said about it. */
	for (unsigned i = 0; i < bed.count; i++) {
		if (bed.out[i].where != ICMP_REDIRECT_OUTPUT)
			continue;
		assert_int_equal(bed.out[i].len, m.len);
		assert_memory_equal(bed.out[i].bytes, before, m.len);
		assert_int_equal(bed.out[i].meta.adjacency, in->adjacency);
		return;
	}
	fail();
}

static const struct bed_out *
the_redirect(void)
{
	assert_int_equal(bed.count, 2);
	return &bed.out[bed.out[0].where == ICMP_REDIRECT_OUTPUT];
}

static void
redirects4(void **state)
{
	static uint8_t payload[3000];
	struct bed_in in = { .interface = 1 };
	static const struct {
		uint32_t dst, gateway;
	} ways[] = { { BEHIND, IP4(10, 0, 0, 2) }, { IP4(10, 0, 0, 6), IP4(10, 0, 0, 6) },
		{ IP4(10, 0, 0, 77), IP4(10, 0, 0, 77) } };

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ways); i++) {
		struct icmp_settings s = bed_free();
		const struct bed_out *o;
		const uint8_t *ip;

		make_ip4(&m, IP4(10, 0, 0, 5 + i), ways[i].dst, 17, NULL, 0, payload, 1000 * i + 8);
		in.adjacency = bed_route4(&bed, ways[i].dst);
		in.split = i * 20;
		s.redirect_interval = 3600;
		icmp_set(bed.icmp, bed.vrf, &s);
		run_redirect(&in);
		if (i == 1) /* it was sent to itself: 10.0.0.6 */
			assert_int_equal(bed.count, 1);
		if (i == 1)
			continue;
		o = the_redirect();
		ip = o->bytes + 14;
		assert_int_equal(o->where, ICMP_REDIRECT_FORWARD4);
		assert_int_equal(o->meta.flags, MR_IP_META_ORIGIN);
		assert_int_equal(slow_sum(ip, 20, 0), 0xffff);
		assert_int_equal(o->len, 14 + mr_load_be16(ip + 2));
		assert_true(o->len <= 14 + 576);
		assert_int_equal(mr_load_be32(ip + 12), IP4(10, 0, 0, 1));
		assert_int_equal(mr_load_be32(ip + 16), IP4(10, 0, 0, 5 + i));
		assert_int_equal(ip[20], 5);
		assert_int_equal(ip[21], 1); /* RFC 1812, 5.2.7.2: for the host only */
		assert_int_equal(mr_load_be32(ip + 24), ways[i].gateway);
		assert_int_equal(slow_sum(ip + 20, o->len - 34, 0), 0xffff);
		assert_memory_equal(ip + 28, m.bytes + 14, o->len - 42);
		/* Not again so soon. */
		run_redirect(&in);
		assert_int_equal(bed.count, 1);
	}
	assert_true(bed_count(&bed, ICMP_LIMITED_REDIRECT) >= 2);
	assert_int_equal(bed_count(&bed, ICMP_REDIRECT4), 2);
	assert_true(bed_close(&bed));
}

static void
redirects_not(void **state)
{
	static const struct {
		const char *why;
		uint32_t src, dst;
		unsigned proto, frag;
		uint8_t type, flags, options[8];
		unsigned options_len;
	} no[] = {
		{ "source not on the link", IP4(198, 51, 100, 7), BEHIND, 17, 0, 0, 0, { 0 }, 0 },
		{ "source elsewhere", IP4(10, 0, 1, 5), BEHIND, 17, 0, 0, 0, { 0 }, 0 },
		{ "source is the gateway", IP4(10, 0, 0, 2), BEHIND, 17, 0, 0, 0, { 0 }, 0 },
		{ "source-routed", HOST, BEHIND, 17, 0, 0, 0, { 131, 7, 8, 1, 1, 1, 1, 0 }, 8 },
		{ "made here", HOST, BEHIND, 17, 0, 0, MR_IP_META_ORIGIN, { 0 }, 0 },
		{ "ICMP error", HOST, BEHIND, 1, 0, 3, 0, { 0 }, 0 },
		{ "later fragment", HOST, BEHIND, 17, 5, 0, 0, { 0 }, 0 },
		{ "to a group", HOST, IP4(224, 1, 1, 1), 17, 0, 0, 0, { 0 }, 0 },
	};
	uint8_t payload[8] = { 0 };

	bed_open(&bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(no); i++) {
		struct bed_in in = { .interface = 1,
			.adjacency = bed_route4(&bed, BEHIND),
			.flags = no[i].flags };

		payload[0] = no[i].type;
		make_ip4(&m, no[i].src, no[i].dst, no[i].proto, no[i].options, no[i].options_len,
		    payload, 8);
		mr_store_be16(m.bytes + 20, (uint16_t)no[i].frag);
		fix_ip4(&m);
		run_redirect(&in);
		if (bed.count != 1)
			fail_msg("%s: redirected", no[i].why);
	}
	bed.ip->interfaces[bed.interface[1]].flags &= ~MR_IP_REDIRECTS;
	make_ip4(&m, HOST, BEHIND, 17, NULL, 0, payload, 8);
	run_redirect(&(struct bed_in){ .interface = 1, .adjacency = bed_route4(&bed, BEHIND) });
	assert_int_equal(bed.count, 1);
	assert_true(bed_close(&bed));
}

static void
redirects6(void **state)
{
	static uint8_t payload[3000];
	struct bed_in in = { .interface = 1 };

	bed_open(&bed);
	for (unsigned i = 0; i < 4; i++) {
		/* To a router by its link-local address, and to a neighbour itself. */
		const uint8_t *dst = i % 2 ? NEAR6 : BEHIND6;
		const uint8_t *target = i % 2 ? NEAR6 : A6(0xfe, 0x80, [15] = 0x12);
		const uint8_t *src = i < 2 ? HOST6 : LL6;
		const struct bed_out *o;
		const uint8_t *ip;
		unsigned quoted;

		make_ip6(&m, src, dst, 17, payload, i * 900 + 9);
		in.adjacency = bed_route6(&bed, dst);
		bed_free();
		atomic_store(&bed.icmp->vrfs[bed.vrf].redirect_host.interval, 0);
		run_redirect(&in);
		o = the_redirect();
		ip = o->bytes + 14;
		assert_int_equal(o->where, i < 2 ? ICMP_REDIRECT_FORWARD6 : BED_PORT + 0);
		assert_int_equal(o->len, 14 + 40 + mr_load_be16(ip + 4));
		assert_true(o->len <= 14 + 1280);
		assert_int_equal(ip[7], 255); /* RFC 4861, 4.5 */
		assert_memory_equal(ip + 8, A6(0xfe, 0x80, [15] = 1), 16);
		assert_memory_equal(ip + 24, src, 16);
		assert_int_equal(slow_sum6(ip, 58, ip + 40, o->len - 54), 0xffff);
		ip += 40;
		assert_int_equal(ip[0], 137);
		assert_int_equal(ip[1], 0);
		assert_int_equal(mr_load_be32(ip + 4), 0);
		assert_memory_equal(ip + 8, target, 16);
		assert_memory_equal(ip + 24, dst, 16);
		/* The target's address on the link, then as much of the packet as fits. */
		assert_memory_equal(ip + 40, BYTES(2, 1, 4, 0, 0, 1, 1, i % 2 ? 6 : 0x12), 8);
		assert_int_equal(ip[48], 4);
		quoted = ip[49] * 8u - 8;
		assert_int_equal(o->len, 14 + 40 + 56 + quoted);
		assert_memory_equal(ip + 50, BYTES(0, 0, 0, 0, 0, 0), 6);
		assert_memory_equal(ip + 56, m.bytes + 14, MR_MIN(quoted, m.len - 14));
		assert_true(quoted >= m.len - 14 || o->len > 14 + 1280 - 8);
	}
	assert_int_equal(bed_count(&bed, ICMP_REDIRECT6), 4);
	assert_true(bed_close(&bed));
}

/* -- explanations ---------------------------------------------------------------------- */

static struct mr_recording last;

static void
keep_recording(void *user, const struct mr_recording *r)
{
	last = *r;
}

/* Walks a packet through a node with a recorder, a dry one to explain. */
static void
record(enum bed_node node, const struct bed_in *in, bool dry)
{
	struct mr_worker *w = bed.graph->workers[0];
	struct mr_recorder *old = w->recorder, *rec;
	uint32_t packet = mr_packet_from(bed.buffers, 0, m.bytes, m.len);
	struct mr_packet *p = mr_packet_at(bed.buffers->base, packet);
	unsigned rank = w->current->nodes[bed.nodes[node]].rank;
	struct node_rt *rt = w->rt[bed.nodes[node]];
	struct vector *v = vector_get(w);

	assert_int_equal(mr_recorder_create(&rec, 4, keep_recording, NULL, &bed.error), 0);
	rec->dry = dry;
	w->recorder = rec;
	p->context = bed.interface[in->interface];
	p->flags = in->packet_flags;
	p->csum_start = in->csum_start;
	p->csum_offset = in->csum_offset;
	*mr_ip_meta(p) = (struct mr_ip_meta){ .l3 = 14,
		.adjacency = in->adjacency,
		.icmp_type = in->type,
		.icmp_code = in->code,
		.flags = in->flags,
		.mtu = in->mtu };
	assert_true(mr_recorder_attach(rec, p, 0));
	bed_clear(&bed);
	atomic_fetch_add(&w->received, 1);
	v->count = 1;
	v->recorded = true;
	v->packets[0] = packet;
	rt->head = rt->tail = v;
	w->pending[rank / 64] |= 1ull << rank % 64;
	mr_worker_run_pending(w);
	mr_worker_flush(w);
	assert_int_equal(rec->free_count, 4);
	w->recorder = old;
	mr_recorder_destroy(rec);
}

static void
explain(enum bed_node node, const struct bed_in *in)
{
	record(node, in, true);
}

/* The recorded edits of the packet itself, done again to what came in, give what went out. */
static void
replay_is_the_same(const struct bed_out *out)
{
	static uint8_t bytes[BED_BYTES];
	unsigned len = m.len;

	memcpy(bytes, m.bytes, len);
	assert_false(last.flags & MR_RECORDING_TRUNCATED);
	assert_true(last.flags & MR_RECORDING_UNCACHEABLE);
	for (unsigned i = 0; i < last.count; i++) {
		const struct mr_op *op = &last.ops[i];

		if (op->branch)
			continue;
		switch (op->kind) {
		case MR_OP_SET:
			memcpy(bytes + op->offset, op->bytes, op->len);
			break;
		case MR_OP_PUSH:
			memmove(bytes + op->offset + op->len, bytes + op->offset, len - op->offset);
			len += op->len;
			break;
		case MR_OP_POP:
			memmove(bytes + op->offset, bytes + op->offset + op->len,
			    len - op->offset - op->len);
			len -= op->len;
			break;
		case MR_OP_TRIM:
			len = op->arg;
			break;
		default:
			break;
		}
	}
	assert_int_equal(len, out->len);
	assert_memory_equal(bytes, out->bytes, len);
}

static void
recordings_are_true(void **state)
{
	struct bed_in in = { .interface = 1, .type = 11, .flags = MR_IP_META_DECREMENTED };
	static uint8_t payload[3000] = { 8, 0, 0xf7, 0xff };

	bed_open(&bed);
	make_ip4(&m, HOST, BEHIND, 17, NULL, 0, payload, 900);
	record(BED_ERROR, &in, false);
	replay_is_the_same(&bed.out[0]);
	in.packet_flags = MR_PACKET_CSUM_PARTIAL;
	in.csum_start = 34;
	in.csum_offset = 6;
	record(BED_ERROR, &in, false);
	replay_is_the_same(&bed.out[0]);
	in.mtu = 300;
	record(BED_FRAGMENT, &in, false);
	assert_int_equal(bed.count, 4);
	replay_is_the_same(&bed.out[3]);
	in = (struct bed_in){ .interface = 1, .type = 3 };
	make_ip6(&m, HOST6, BEHIND6, 17, payload, 1400);
	record(BED_ERROR, &in, false);
	replay_is_the_same(&bed.out[0]);
	make_ip6(&m, LL6, BEHIND6, 17, payload, 100);
	record(BED_ERROR, &in, false);
	replay_is_the_same(&bed.out[0]);
	make_ip4(&m, HOST, BEHIND, 17, BYTES(7, 7, 4, 0, 0, 0, 0, 0), 8, payload, 100);
	record(BED_OPTIONS, &in, false);
	replay_is_the_same(&bed.out[0]);
	make_ip4(&m, HOST, IP4(10, 0, 0, 1), 1, NULL, 0, payload, 2000);
	record(BED_ECHO, &in, false);
	assert_int_equal(bed.out[0].where, ICMP_ECHO_FORWARD4);
	replay_is_the_same(&bed.out[0]);
	make_syn(true, 2, BYTES(1, 2, 4, 0x05, 0xb4, 1, 1, 1), 8);
	in.mtu = 700;
	record(BED_MSS, &in, false);
	replay_is_the_same(&bed.out[0]);
	assert_true(bed_close(&bed));
}

static void
explaining_leaves_no_trace(void **state)
{
	struct icmp_settings s = bed_free();
	struct bed_in in = { .interface = 1, .type = 11 };
	struct mr_reassembly_usage u;
	uint8_t payload[100] = { 0 };

	bed_open(&bed);
	s.error_rate = s.destination_rate = 1;
	s.error_burst = s.destination_burst = 1;
	s.redirect_interval = 1000;
	icmp_set(bed.icmp, bed.vrf, &s);
	make_ip4(&m, HOST, BEHIND, 17, NULL, 0, payload, 8);
	for (unsigned i = 0; i < 5; i++) {
		explain(BED_ERROR, &in);
		assert_int_equal(bed.count, 1);
	}
	assert_int_equal(bed_count(&bed, ICMP_EXPIRED4), 0);
	bed_run(&bed, BED_ERROR, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 1);
	/* Then the limit is used up, and an explanation says so. */
	explain(BED_ERROR, &in);
	assert_int_equal(bed.count, 0);
	in = (struct bed_in){ .interface = 1, .adjacency = bed_route4(&bed, BEHIND) };
	/* The packet, and what its source would be told. */
	explain(BED_REDIRECT, &in);
	assert_int_equal(bed.count, 2);
	explain(BED_REDIRECT, &in);
	assert_int_equal(bed.count, 2);
	assert_int_equal(bed_count(&bed, ICMP_REDIRECT4), 0);
	bed_run(&bed, BED_REDIRECT, &in, m.bytes, m.len);
	assert_int_equal(bed.count, 2);
	/* A fragment is not kept. */
	make_ip4(&m, HOST, IP4(10, 0, 0, 1), 17, NULL, 0, payload, 96);
	mr_store_be16(m.bytes + 20, 0x2000);
	fix_ip4(&m);
	explain(BED_REASSEMBLY, &in);
	assert_int_equal(bed.count, 0);
	mr_reassembly_usage(bed.icmp->reassembly, bed.vrf, &u);
	assert_int_equal(u.datagrams, 0);
	assert_int_equal(bed_drops(&bed, BED_REASSEMBLY, "fragment-waits"), 1);
	/* One that is cut leaves in all its pieces, recorded or not. */
	make_ip4(&m, HOST, BEHIND, 17, NULL, 0, payload, 96);
	in.mtu = 68;
	explain(BED_FRAGMENT, &in);
	assert_int_equal(bed.count, 2);
	assert_true(bed_close(&bed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowers_the_mss),
		cmocka_unit_test(leaves_others_alone),
		cmocka_unit_test(redirects4),
		cmocka_unit_test(redirects_not),
		cmocka_unit_test(redirects6),
		cmocka_unit_test(recordings_are_true),
		cmocka_unit_test(explaining_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
