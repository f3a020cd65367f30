/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Flows whose programs differ in values only: what address translation, balancing and tunnels write.
 * Their program is one, and does to every packet of each flow what the flow's own walk would have
 * done.
 */

#include "kit/flow/program_walk_bed.h"

#define FLOWS 40u

/* What a walk does to one flow. */
enum rewrite {
	SRC = 1u << 0,
	DST = 1u << 1,
	SPORT = 1u << 2,
	DPORT = 1u << 3,
	TTL = 1u << 4,
	ETHERNET = 1u << 5,
	VXLAN = 1u << 6, /* 50 bytes in front */
	VXLAN6 = 1u << 7,
	CALLS = 1u << 8,
	IPIP = 1u << 9,   /* an IPv4 header in front of what there is, its length that one's */
	IPIP6 = 1u << 10, /* IPv6 */
	GUE = 1u << 11,   /* with IPIP or IPIP6: UDP between, with a checksum of its own */
	ALL_REWRITES = 1u << 12,
};

static void
push_outer(struct walk *w, struct mr_packet *p, unsigned len)
{
	uint8_t outer[70];

	/* Its Ethernet header, and the first bytes of IP's, are the same for all. */
	memset(outer, 0x40, sizeof(outer));
	draw(w, outer + 24, len - 24);
	assert_true(mr_edit_push(w->rec, p, 0, len));
	for (unsigned i = 0; i < len; i += 10)
		mr_edit_set(w->rec, p, i, outer + i, MR_MIN(10u, len - i));
}

/* Behind the Ethernet header; addresses, label and source port are the flow's. */
static void
push_ip(struct walk *w, struct mr_packet *p, unsigned what)
{
	const struct oracle_flow *f = &w->b.flow;
	unsigned head = what & IPIP ? 20 : 40, size = head + (what & GUE ? 12 : 0);
	unsigned l3 = oracle_l3(f), of = l3 + size + (f->six ? 4 : 2), inner = f->six ? 40 : 0;
	uint8_t outer[52] = { what & IPIP ? 0x45 : 0x60 };
	be16_t type = mr_be16(what & IPIP ? MR_ETH_TYPE_IP4 : MR_ETH_TYPE_IP6);

	if (what & IPIP)
		draw(w, outer + 10, 10);
	else
		draw(w, outer + 1, 39);
	draw(w, outer + head, size - head);
	mr_store_be16(outer + (what & IPIP ? 2 : 4), 0);
	assert_true(mr_edit_push(w->rec, p, l3, size));
	for (unsigned i = 0; i < size; i += 16)
		mr_edit_set(w->rec, p, l3 + i, outer + i, MR_MIN(16u, size - i));
	set_length(w, p, l3 + (what & IPIP ? 2 : 4), of,
	    (int)(size + inner) - (what & IPIP ? 0 : 40), what & IPIP ? l3 + 10 : 0, false);
	if (what & GUE)
		set_length(w, p, l3 + head + 4, what & TTL ? 0 : of,
		    what & TTL ? -(int)(l3 + head) : (int)inner + 12, l3 + head + 6, true);
	mr_edit_set(w->rec, p, l3 - 2, &type, 2);
	if (what & IPIP)
		mr_edit_ttl4(w->rec, p, l3);
}

/* Walks the bed's packet; what is recorded becomes its program. */
static enum mr_program_refusal
walk(struct walk *w, unsigned what)
{
	const struct oracle_flow *f = &w->b.flow;
	struct mr_packet *p;

	p = walk_begin(w);
	if (what & CALLS)
		for (unsigned i = 0; i < 3; i++)
			mr_record_call(w->rec, p, 1 + oracle_draw(&w->b.rng), i == 2);
	if (what & SRC)
		set_address(w, p, true);
	if (what & DST)
		set_address(w, p, false);
	for (unsigned i = 0; i < 2; i++)
		if (what & (i ? DPORT : SPORT) && !oracle_is_icmp(f))
			mr_edit_port(w->rec, p, oracle_l4(f) + 2 * i,
			    (be16_t)oracle_draw(&w->b.rng), sum_of(f));
	if (what & TTL) {
		if (f->six)
			mr_edit_ttl6(w->rec, p, oracle_l3(f));
		else
			mr_edit_ttl4(w->rec, p, oracle_l3(f));
	}
	if (what & (IPIP | IPIP6))
		push_ip(w, p, what);
	if (what & ETHERNET)
		mr_edit_set(w->rec, p, 0, ethernet, 12);
	if (what & (VXLAN | VXLAN6))
		push_outer(w, p, what & VXLAN ? 50 : 70);
	return walk_end(w, p);
}

/* Many flows, one program. Returns its flags; 0: it was not one. */
static unsigned
many(struct walk *w, unsigned what)
{
	uint32_t first = 0;
	bool one = true;
	unsigned flags;

	for (unsigned i = 0; i < FLOWS; i++) {
		next_flow(w);
		assert_int_equal(walk(w, what), MR_PROGRAM_OK);
		first = i ? first : w->b.program;
		one &= w->b.program == first;
		flags = program(&w->b)->flags;
		compare(w);
		compare_tight(w);
		compare_recorded(w);
	}
	return one ? flags : 0;
}

static void
test_translation(void **state)
{
	static const unsigned what[] = {
		SRC | SPORT | TTL | ETHERNET,
		DST | DPORT | TTL | ETHERNET,
		SRC | TTL | ETHERNET,
		SRC | DST | SPORT | TTL | ETHERNET,
		SRC | DST | SPORT | DPORT | TTL | ETHERNET,
		SRC | SPORT | ETHERNET,
		DST | DPORT,
		SPORT | TTL,
	};
	struct walk w;

	walk_open(&w);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(what); i++)
		for (unsigned s = 0; s < 8; s++) {
			shape(&w, s & 1, s & 2 ? MR_IP_PROTO_UDP : MR_IP_PROTO_TCP, s & 4);
			assert_int_equal(many(&w, what[i]) &
				(MR_PROGRAM_PATCH | MR_PROGRAM_VALUES | MR_PROGRAM_OPEN),
			    MR_PROGRAM_PATCH | MR_PROGRAM_VALUES | MR_PROGRAM_OPEN);
		}
	walk_close(&w);
}

static void
test_ping(void **state)
{
	struct walk w;

	walk_open(&w);
	for (unsigned six = 0; six < 2; six++) {
		shape(&w, six, six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP, false);
		assert_true(many(&w, DST | TTL | ETHERNET) & MR_PROGRAM_PATCH);
	}
	walk_close(&w);
}

static void
test_tunnels(void **state)
{
	struct walk w;

	walk_open(&w);
	for (unsigned s = 0; s < 4; s++) {
		shape(&w, s & 1, s & 2 ? MR_IP_PROTO_UDP : MR_IP_PROTO_TCP, false);
		assert_true(many(&w, VXLAN) & MR_PROGRAM_PATCH);
		assert_true(many(&w, VXLAN | TTL) & MR_PROGRAM_PATCH);
		assert_true(many(&w, VXLAN6) & MR_PROGRAM_PATCH);
		/* The balancer's address, then the tunnel: four windows from IPv6 on. */
		assert_int_equal(many(&w, VXLAN | DST | TTL) &
			(MR_PROGRAM_VALUES | MR_PROGRAM_PATCH),
		    MR_PROGRAM_VALUES | MR_PROGRAM_PATCH);
		assert_int_equal(many(&w, VXLAN | SRC | DST | DPORT | TTL) &
			(MR_PROGRAM_VALUES | MR_PROGRAM_PATCH),
		    s & 1 ? MR_PROGRAM_VALUES : MR_PROGRAM_VALUES | MR_PROGRAM_PATCH);
		/* More than a line. */
		assert_int_equal(many(&w, VXLAN6 | SRC | DST | DPORT | TTL) &
			(MR_PROGRAM_VALUES | MR_PROGRAM_PATCH),
		    s & 1 ? 0 : MR_PROGRAM_VALUES);
	}
	walk_close(&w);
}

#define FLAGS (MR_PROGRAM_VALUES | MR_PROGRAM_PATCH | MR_PROGRAM_LENGTH | MR_PROGRAM_LENGTHS)

/* IP in front of IP: one program, whatever is inside. */
static void
test_ip_tunnels(void **state)
{
	struct walk w;

	walk_open(&w);
	for (unsigned s = 0; s < 8; s++) {
		/* A tag's priority is nobody's: it moves. */
		const unsigned patched = MR_PROGRAM_VALUES | (s & 4 ? 0 : MR_PROGRAM_PATCH);

		shape(&w, s & 1, s & 2 ? MR_IP_PROTO_UDP : MR_IP_PROTO_TCP, s & 4);
		assert_int_equal(many(&w, IPIP | ETHERNET) & FLAGS, patched | MR_PROGRAM_LENGTH);
		assert_int_equal(many(&w, IPIP6 | ETHERNET) & FLAGS, patched | MR_PROGRAM_LENGTH);
		for (unsigned ttl = 0; ttl < 2; ttl++)
			assert_int_equal(many(&w, IPIP | GUE | ETHERNET | (ttl ? TTL : 0)) & FLAGS,
			    patched | MR_PROGRAM_LENGTHS);
		/* More than three windows. */
		assert_int_equal(many(&w, IPIP6 | GUE | ETHERNET) & FLAGS,
		    MR_PROGRAM_VALUES | MR_PROGRAM_LENGTHS);
	}
	walk_close(&w);
}

/* Numbers of calls are with the rest. */
static void
test_calls(void **state)
{
	const struct mr_program_call *calls;
	struct walk w;

	walk_open(&w);
	for (unsigned six = 0; six < 2; six++) {
		shape(&w, six, MR_IP_PROTO_TCP, false);
		assert_true(many(&w, CALLS | SRC | SPORT | TTL) & MR_PROGRAM_PATCH);
		assert_int_equal(mr_program_calls(program(&w.b), &calls), 3);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(mr_program_call_arg(&calls[i], w.b.arg, &w.b.values),
			    w.b.r.ops[1 + i].arg);
	}
	walk_close(&w);
}

/* Whatever the walk and the shape. */
static void
test_all(void **state)
{
	static const uint8_t protos[2][3] = {
		{ MR_IP_PROTO_TCP, MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP },
		{ MR_IP_PROTO_TCP, MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP6 },
	};
	unsigned patched = 0, valued = 0, inside = 0;
	struct walk w;

	walk_open(&w);
	for (unsigned i = 0; i < 6000; i++) {
		unsigned what = oracle_draw(&w.b.rng) % ALL_REWRITES, six = i & 1, flags;

		if (i % 4)
			what &= IPIP - 1u;
		shape(&w, six, protos[six][oracle_draw(&w.b.rng) % 3], oracle_draw(&w.b.rng) % 2);
		w.b.flow.bridged = oracle_draw(&w.b.rng) % 2;
		next_flow(&w);
		assert_int_equal(walk(&w, what), MR_PROGRAM_OK);
		flags = program(&w.b)->flags;
		patched += !!(flags & MR_PROGRAM_PATCH);
		valued += (flags & (MR_PROGRAM_PATCH | MR_PROGRAM_VALUES)) == MR_PROGRAM_VALUES;
		inside += !(flags & MR_PROGRAM_VALUES);
		compare(&w);
		compare_tight(&w);
		compare_recorded(&w);
		mr_program_release(w.b.programs, w.b.program);
	}
	assert_true(patched > 2000 && valued > 1000 && inside > 1000);
	walk_close(&w);
}

/* People see the flow's own. */
static void
test_print(void **state)
{
	char want[200];
	struct walk w;

	walk_open(&w);
	for (unsigned i = 0; i < 3; i++) {
		const struct mr_op *op;

		next_flow(&w);
		assert_int_equal(walk(&w, SRC | TTL | ETHERNET), MR_PROGRAM_OK);
		for (op = w.b.r.ops; op->kind != MR_OP_SET; op++)
			;
		snprintf(want, sizeof(want), "write 4 bytes at 26: %02x:%02x:%02x:%02x\n",
		    op->bytes[0], op->bytes[1], op->bytes[2], op->bytes[3]);
		assert_non_null(strstr(print(&w.b), want));
		assert_non_null(strstr(print(&w.b), "TTL of the header at 14 one less\n"));
		for (op = w.b.r.ops; op->kind != MR_OP_SUM; op++)
			;
		snprintf(want, sizeof(want), "checksum at %u takes in %04x\n", op->offset,
		    mr_be16((be16_t)op->arg));
		assert_non_null(strstr(print(&w.b), want));
	}
	walk_close(&w);
}

/* What differs little between flows is no reason for a line of their own. */
static void
test_shared_bytes(void **state)
{
	struct walk w;

	walk_open(&w);
	restart(&w.b);
	op_set(&w.b, 15, ethernet, 1); /* a class of service, and its checksum */
	op_at(&w.b, MR_OP_SUM, 24, MR_SUM_PLAIN);
	w.b.r.ops[1].arg = 0x1234;
	assert_int_equal(sent(&w.b), MR_PROGRAM_OK);
	assert_int_equal(program(&w.b)->flags, MR_PROGRAM_OPEN);
	restart(&w.b);
	op_at(&w.b, MR_OP_PUSH, 12, 4);
	op_set(&w.b, 12, ethernet + 12, 4);
	assert_int_equal(sent(&w.b), MR_PROGRAM_OK);
	assert_int_equal(program(&w.b)->flags, MR_PROGRAM_OPEN);
	walk_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_translation),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_ip_tunnels),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_shared_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
