/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side that calls ALGs, with one for a protocol of this test: lines of TCP to port 7777 that
 * say "LISTEN a.b.c.d:port\n" (all in one segment), and of UDP to 7778.
 */
#include "nf/nat/alg_int.h"
#include "nf/nat/nat_test_int.h"

static unsigned in_a_row = 1;
static bool refuse;

static bool
look(struct nat_talk *talk, const uint8_t *payload, unsigned len, struct alg_edits *edits)
{
	const struct nat_talk_ends *ends = nat_talk_ends(talk);
	struct alg_text t = { (const char *)payload, (const char *)payload + len };
	struct nat_talk_outside outside;
	struct alg_address a;
	unsigned port;
	char text[64];
	be32_t inside;

	if (refuse)
		return false;
	if (!ends->outward || !alg_begins(&t, "LISTEN "))
		return true;
	t.at += 7;
	if (!alg_read_address(&t, 4, &a) || !alg_read_char(&t, ':') ||
	    !alg_read_number(&t, 65535, &port))
		return true;
	memcpy(&inside, a.bytes, 4);
	if (!nat_talk_expect(talk, TCP, inside, mr_be16((uint16_t)port), in_a_row, ends->remote,
		&outside))
		return false;
	memcpy(a.bytes, &outside.address, 4);
	len = alg_write_address(text, &a);
	len += (unsigned)sprintf(text + len, ":%u", mr_be16(outside.port));
	return alg_edit(edits, 7, (uint32_t)(t.at - (const char *)payload) - 7, text, len);
}

static const struct nat_alg toy_tcp = { "toy", "a toy", TCP, 7777, look };
static const struct nat_alg toy_udp = { "toy-udp", "a toy", UDP, 7778, look };

static void
open_with_toys(struct bed *b, const char *body)
{
	const struct nat_view *v;

	bed_open(b, body);
	v = atomic_load(&b->nat->core->view);
	free(v->instances[0].algs);
	v->instances[0].algs = calloc(3, sizeof(*v->instances[0].algs));
	v->instances[0].algs[0] = &toy_tcp;
	v->instances[0].algs[1] = &toy_udp;
	in_a_row = 1;
	refuse = false;
}

/* -- segments with text ------------------------------------------------------------------- */

static struct frame *
segment(struct frame *f, struct pkt *p, const char *text)
{
	uint8_t *l4 = f->bytes + 34;
	unsigned head = p->proto == TCP ? 20 : 8, at = p->proto == TCP ? 16 : 6;
	uint64_t sum;
	be16_t check;

	p->len = (unsigned)strlen(text);
	frame_make(f, p);
	memcpy(l4 + head, text, p->len);
	memset(l4 + at, 0, 2);
	sum = mr_checksum_pseudo4(mr_be32(p->src), mr_be32(p->dst), p->proto,
	    (uint16_t)(head + p->len));
	check = mr_checksum_finish_udp(mr_checksum_add(sum, l4, head + p->len));
	memcpy(l4 + at, &check, 2);
	return f;
}

static const char *
text_of(const struct bed *b)
{
	static char text[2048];
	unsigned head = b->last.p.proto == TCP ? 54 : 42;

	memcpy(text, b->last.f.bytes + head, b->last.f.len - head);
	text[b->last.f.len - head] = '\0';
	return text;
}

struct line {
	struct bed *b;
	struct pkt c, s; /* client to server and back, as each writes */
};

static void
begin(struct line *l, struct bed *b)
{
	l->b = b;
	l->c = (struct pkt){ .src = HOST,
		.sport = 5000,
		.dst = REMOTE,
		.dport = 7777,
		.proto = TCP,
		.flags = MR_TCP_SYN,
		.seq = 999 };
	assert_int_equal(out(b, &l->c), PASSED);
	l->s = answer(b);
	l->s.seq = 4999;
	l->s.ack = 1000;
	assert_int_equal(in(b, &l->s), PASSED);
	l->c.seq = 1000;
	l->c.ack = 5000;
	l->c.flags = l->s.flags = MR_TCP_ACK;
	l->s.seq = 5000;
	assert_int_equal(out(b, &l->c), PASSED);
}

/* The payload grows, shrinks, stays; the numbers of both sides fit. */
static void
sequence_numbers(void **state)
{
	static struct bed b;
	struct frame f;
	struct line l;
	int longer;

	/* Other ports than inside: 4 or 5 digits. */
	open_with_toys(&b, "pool: [203.0.113.8], port-preservation: false");
	begin(&l, &b);
	assert_int_equal(bed_out(&b, segment(&f, &l.c, "HELLO\n")), PASSED);
	assert_true(b.last.good);
	assert_string_equal(text_of(&b), "HELLO\n");
	assert_int_equal(b.last.p.seq, 1000);
	l.c.seq += 6;
	assert_int_equal(bed_out(&b, segment(&f, &l.c, "LISTEN 10.0.0.5:20\n")), PASSED);
	assert_true(b.last.good);
	assert_memory_equal(text_of(&b), "LISTEN 203.0.113.8:", 19);
	longer = (int)strlen(text_of(&b)) - 19;
	assert_true(longer > 0);
	assert_int_equal(b.last.p.seq, 1006);
	/* Sent again: the same. */
	assert_int_equal(bed_out(&b, segment(&f, &l.c, "LISTEN 10.0.0.5:20\n")), PASSED);
	assert_int_equal(b.last.p.seq, 1006);
	assert_int_equal((int)strlen(text_of(&b)) - 19, longer);
	/* What follows. */
	l.c.seq += 19;
	assert_int_equal(bed_out(&b, segment(&f, &l.c, "MORE\n")), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.seq, 1025 + longer);
	/* The server has all of it. */
	l.s.ack = (uint32_t)(1030 + longer);
	assert_int_equal(bed_in(&b, segment(&f, &l.s, "OK\n")), PASSED);
	assert_true(b.last.good);
	assert_int_equal(b.last.p.ack, 1030);
	assert_int_equal(b.last.p.seq, 5000);
	/* ... or only what was in front of it. */
	l.s.ack = 1006;
	assert_int_equal(in(&b, &l.s), PASSED);
	assert_int_equal(b.last.p.ack, 1006);
	l.s.ack = (uint32_t)(1025 + longer);
	assert_int_equal(in(&b, &l.s), PASSED);
	assert_int_equal(b.last.p.ack, 1025);
	/* Again: another change. */
	l.c.seq += 5;
	assert_int_equal(bed_out(&b, segment(&f, &l.c, "LISTEN 10.0.0.5:40001\n")), PASSED);
	assert_int_equal(b.last.p.seq, 1030 + longer);
	longer += (int)strlen(text_of(&b)) - 22;
	l.c.seq += 22;
	l.c.flags = MR_TCP_FIN | MR_TCP_ACK;
	assert_int_equal(out(&b, &l.c), PASSED);
	assert_int_equal(b.last.p.seq, 1052 + longer);
	/* The session is over: its numbers are free again. */
	bed_later(&b, 10000);
	bed_sweep(&b);
	assert_int_equal(mr_pool_used(b.nat->core->table->seq_numbers), 0);
	bed_close(&b);
}

/* Acknowledgements of pieces that came out of order. */
static void
selective_acknowledgements(void **state)
{
	static struct bed b;
	uint8_t *l4;
	struct frame f;
	struct line l;
	uint32_t longer;

	for (unsigned odd = 0; odd < 2; odd++) {
		open_with_toys(&b, "pool: [203.0.113.8], port-preservation: false");
		begin(&l, &b);
		assert_int_equal(bed_out(&b, segment(&f, &l.c, "LISTEN 10.0.0.5:20\n")), PASSED);
		longer = (uint32_t)strlen(text_of(&b)) - 19;
		/* 12 bytes of options: NOP, NOP, SACK of one block; or NOP, SACK, NOP */
		l.s.len = 12;
		l.s.ack = 1000;
		frame_make(&f, &l.s);
		l4 = f.bytes + 34;
		l4[12] = 8 << 4;
		memset(l4 + 20, 1, 12);
		memcpy(l4 + 22 - odd, (const uint8_t[]){ 5, 10 }, 2);
		for (unsigned i = 0; i < 2; i++) {
			be32_t edge = mr_be32(1100 + 50 * i + longer);

			memcpy(l4 + 24 - odd + 4 * i, &edge, 4);
		}
		memset(l4 + 16, 0, 2);
		{
			uint64_t sum =
			    mr_checksum_pseudo4(mr_be32(l.s.src), mr_be32(l.s.dst), TCP, 32);
			be16_t check = mr_checksum_finish(mr_checksum_add(sum, l4, 32));

			memcpy(l4 + 16, &check, 2);
		}
		assert_int_equal(bed_in(&b, &f), PASSED);
		assert_true(b.last.good);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(mr_load_be32(b.last.f.bytes + 58 - odd + 4 * i),
			    1100 + 50 * i);
		bed_close(&b);
	}
}

/* Who is expected may come, whatever the filter, and nobody else. */
static void
expected_ones_may_come(void **state)
{
	static const char *const behaviors[] = { "endpoint-independent", "address-dependent",
		"address-and-port-dependent" };
	static struct bed b;
	struct frame f;
	struct line l;

	for (unsigned m = 0; m < 3; m++)
		for (unsigned i = 0; i < 3; i++) {
			struct pkt p = { .src = REMOTE,
				.sport = 20,
				.dst = POOL,
				.proto = TCP,
				.flags = MR_TCP_SYN };
			char body[256];

			snprintf(body, sizeof(body),
			    "pool: [203.0.113.8], hold-syn: 0, mapping: %s, filtering: %s",
			    behaviors[m], behaviors[i]);
			open_with_toys(&b, body);
			begin(&l, &b);
			assert_int_equal(bed_out(&b, segment(&f, &l.c, "LISTEN 10.0.0.5:6000\n")),
			    PASSED);
			p.dport = (uint16_t)strtoul(text_of(&b) + 19, NULL, 10);
			assert_int_equal(p.dport, 6000); /* preserved */
			assert_int_equal(in(&b, &p), PASSED);
			assert_int_equal(b.last.p.dst, HOST);
			assert_int_equal(b.last.p.dport, 6000);
			p = answer(&b);
			assert_int_equal(out(&b, &p), PASSED);
			assert_int_equal(b.last.p.sport, 6000);
			p = answer(&b);
			assert_int_equal(in(&b, &p), PASSED);
			p.src = REMOTE2;
			p.flags = MR_TCP_SYN;
			assert_int_equal(in(&b, &p), i ? DROPPED : PASSED);
			bed_close(&b);
		}
}

/* Several ports in a row. */
static void
ports_in_a_row(void **state)
{
	static struct bed b;
	struct frame f;
	struct line l;
	struct pkt p = { .src = HOST2,
		.sport = 6001,
		.dst = REMOTE,
		.dport = 1,
		.proto = TCP,
		.flags = MR_TCP_SYN };
	unsigned port;

	open_with_toys(&b, "pool: [203.0.113.8]");
	/* Somebody has the second one. */
	assert_int_equal(out(&b, &p), PASSED);
	in_a_row = 3;
	begin(&l, &b);
	assert_int_equal(bed_out(&b, segment(&f, &l.c, "LISTEN 10.0.0.5:6000\n")), PASSED);
	port = (unsigned)strtoul(text_of(&b) + 19, NULL, 10);
	assert_int_not_equal(port, 6000);
	assert_int_equal(port & 1, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct pkt q = { .src = REMOTE,
			.sport = 9,
			.dst = POOL,
			.proto = TCP,
			.dport = (uint16_t)(port + i),
			.flags = MR_TCP_SYN };

		assert_int_equal(in(&b, &q), PASSED);
		assert_int_equal(b.last.p.dport, 6000 + i);
	}
	/* Said again: found again. */
	assert_int_equal(bed_out(&b, segment(&f, &l.c, "LISTEN 10.0.0.5:6000\n")), PASSED);
	assert_int_equal(strtoul(text_of(&b) + 19, NULL, 10), port);
	bed_later(&b, 10000);
	bed_sweep(&b);
	bed_sweep(&b);
	assert_int_equal(bed_counter(&b, NAT_COUNT_ENDED), bed_counter(&b, NAT_COUNT_CREATED));
	bed_close(&b);
}

static void
datagrams(void **state)
{
	static struct bed b;
	struct pkt p = { .src = HOST, .sport = 5000, .dst = REMOTE, .dport = 7778, .proto = UDP };
	struct frame f;

	open_with_toys(&b, "pool: [203.0.113.8]");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(bed_out(&b, segment(&f, &p, "LISTEN 10.0.0.5:6000\n")), PASSED);
		assert_true(b.last.good);
		assert_string_equal(text_of(&b), "LISTEN 203.0.113.8:6000\n");
		assert_int_equal(mr_load_be16(b.last.f.bytes + 38), 8 + 24);
	}
	p.dport = 7779;
	assert_int_equal(bed_out(&b, segment(&f, &p, "LISTEN 10.0.0.5:6000\n")), PASSED);
	assert_string_equal(text_of(&b), "LISTEN 10.0.0.5:6000\n");
	p.dport = 7778;
	refuse = true;
	assert_int_equal(bed_out(&b, segment(&f, &p, "LISTEN 10.0.0.5:6000\n")), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_ALG), 1);
	bed_close(&b);
}

/* An FTP server inside: what it says of itself is outside's, its connection has a session from its SYN on,
 * and that ends with the forward. */
static void
a_server_inside(void **state)
{
	static struct bed b;
	struct pkt q = { .src = REMOTE,
		.sport = 4000,
		.dst = POOL,
		.dport = 21,
		.proto = TCP,
		.flags = MR_TCP_SYN };
	struct pkt o = { .src = HOST,
		.sport = 21,
		.dst = REMOTE,
		.dport = 4000,
		.proto = TCP,
		.flags = MR_TCP_SYN | MR_TCP_ACK,
		.seq = 7000,
		.ack = 1 };
	static const char said[] = "227 Entering (10,0,0,5,200,10).\r\n";
	struct nat_table *t;
	struct frame f;

	bed_open(&b,
	    "pool: [203.0.113.8], alg: [ftp], filtering: address-and-port-dependent, forward: "
	    "{f: {protocol: tcp, port: 21, to: 10.0.0.5}}");
	t = b.nat->core->table;
	/* A SYN makes nothing; its answer does. */
	for (unsigned i = 0; i < 100; i++) {
		q.sport = (uint16_t)(5000 + i);
		assert_int_equal(in(&b, &q), PASSED);
	}
	assert_int_equal(bed_counter(&b, NAT_COUNT_SESSIONS), 0);
	assert_int_equal(out(&b, &o), PASSED);
	assert_int_equal(bed_counter(&b, NAT_COUNT_SESSIONS), 1);
	o.flags = MR_TCP_ACK | MR_TCP_PSH;
	assert_int_equal(bed_out(&b, segment(&f, &o, said)), PASSED);
	assert_true(b.last.good);
	assert_string_equal(text_of(&b), "227 Entering (203,0,113,8,200,10).\r\n");
	/* Only its client may come. */
	q.sport = 4001;
	q.dport = 200 * 256 + 10;
	assert_int_equal(in(&b, &q), PASSED);
	assert_int_equal(b.last.p.dst, HOST);
	assert_int_equal(b.last.p.dport, 200 * 256 + 10);
	/* Its numbers go on behind what grew. */
	q = (struct pkt){ .src = REMOTE,
		.sport = 4000,
		.dst = POOL,
		.dport = 21,
		.proto = TCP,
		.flags = MR_TCP_ACK,
		.ack = 7000 + 36 };
	assert_int_equal(in(&b, &q), PASSED);
	assert_int_equal(b.last.p.ack, 7000 + sizeof(said) - 1);
	bed_apply(&b,
	    "nat: {instance: {x: {outside: [wan], inside: [lan], pool: [203.0.113.8]}}}\n");
	assert_int_equal(nat_sessions(t, b.nat->conf.instances[0].number), 1);
	assert_int_equal(in(&b, &q), DROPPED);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_numbers),
		cmocka_unit_test(selective_acknowledgements),
		cmocka_unit_test(expected_ones_may_come),
		cmocka_unit_test(ports_in_a_row),
		cmocka_unit_test(datagrams),
		cmocka_unit_test(a_server_inside),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
