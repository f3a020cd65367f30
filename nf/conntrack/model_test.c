/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random packets between a few hosts, and a slow reading of what connections are: an array that is
 * looked through from its beginning, two ends that count what they have sent, and states in the
 * words of RFC 9293 and Linux. Each packet's state, and each connection's state, packets and time,
 * must be the same. Windows are tested only as far as that what is next is in and what is half of
 * the numbers away is out (tcp_test.c has the rest). MR_SEED makes it another run.
 */
#include "kit/graph/graph_int.h"
#include "nf/conntrack/model_test_int.h"

#define S MR_TCP_SYN
#define A MR_TCP_ACK
#define R MR_TCP_RST
#define F MR_TCP_FIN

#define HOSTS 3u
#define PORTS 2u
#define ZONES 2u
#define STEPS 60000u
#define LIMIT 14u /* connections of one source, where there is a limit */
#define FAR 0x40000000u

/* -- packets ------------------------------------------------------------------------------ */

static uint32_t
send_one(struct model *m, unsigned zone, const struct frame *f)
{
	atomic_store(&m->b.core->ports[0].zone, (uint16_t)zone);
	atomic_store(&m->b.core->ports[0].source_connections, m->limit);
	m->b.graph->workers[0]->next_second = 0;
	return bed_one(&m->b, 0, f);
}

static void
expect(struct model *m, const char *what, const struct one *c, uint32_t found, uint32_t want)
{
	static const char *const kinds[] = { "udp", "echo", "gre", "other", "tcp" };

	/* The rules drop all that is new. */
	if (m->b.deny && want == NEW)
		want = 0;
	m->said[want == 0 ? 0 : want == INV ? 1 : 2]++;
	if (found != want)
		fail_msg("%s, %s in state %d: found %x, not %x", what, c ? kinds[c->kind] : "none",
		    c ? (int)c->tcp : -1, found, want);
}

static uint32_t
state_of(const struct one *c, unsigned end)
{
	return end ? EST | BACK : c->replied ? EST : NEW;
}

static void
note(struct one *c, unsigned end, uint8_t flags, char what)
{
	memmove(c->did, c->did + 3, sizeof(c->did) - 4);
	c->did[sizeof(c->did) - 4] = end ? '<' : '>';
	c->did[sizeof(c->did) - 3] = flags & R ? 'R' : flags & F ? 'F' : flags & S ? 'S' : 'A';
	c->did[sizeof(c->did) - 2] = what;
}

/* A packet that counts: `fresh`, its time begins anew. */
static void
count(struct one *c, unsigned end, bool fresh)
{
	c->packets[end]++;
	c->replied |= end == 1;
	if (fresh)
		c->seen = slow_now;
}

static void
draw_ends(struct model *m, enum kind kind, struct ends *e)
{
	bool ports = kind == UDP || kind == TCP || kind == ECHO;

	memset(e, 0, sizeof(*e));
	e->six = slow_below(m, 2);
	e->src = 1 + slow_below(m, HOSTS);
	do
		e->dst = 1 + slow_below(m, HOSTS);
	while (e->dst == e->src);
	e->sport = ports ? (uint16_t)(1000 + slow_below(m, PORTS)) : 0;
	e->dport = kind == ECHO ? e->sport : ports ? (uint16_t)(2000 + slow_below(m, PORTS)) : 0;
}

static void
make_plain(struct frame *f, enum kind kind, const struct ends *e, bool answer)
{
	static const uint8_t types[2][2] = { { 8, 0 }, { 128, 129 } };

	if (kind == UDP)
		frame_udp(f, e, 20);
	else if (kind == ECHO)
		frame_icmp(f, e, types[e->six][answer], 0, e->sport);
	else
		frame_proto(f, e, kind == GRE ? MR_IP_PROTO_GRE : 50);
}

/* UDP, ICMP echo, GRE and what has no ports: one packet this way or that. */
static void
plain(struct model *m, enum kind kind)
{
	unsigned zone = slow_below(m, ZONES), end = 0;
	bool answer = kind == ECHO && slow_below(m, 2);
	struct ends e, asked;
	struct frame f;
	struct one *c;
	uint32_t want;

	draw_ends(m, kind, &e);
	if (kind != ECHO && slow_below(m, 2))
		e = ends_back(&e);
	/* An echo's answer belongs to whoever asked; who asks the other way has asked something else. */
	asked = answer ? ends_back(&e) : e;
	c = slow_find(m, kind, zone, &asked, &end);
	if (kind == ECHO) {
		c = c && slow_is_same(&c->ends, &asked) ? c : NULL;
		for (unsigned i = 0; !c && i < CONNECTIONS; i++)
			if (m->all[i].there && m->all[i].kind == ECHO && m->all[i].zone == zone &&
			    slow_is_same(&m->all[i].ends, &asked))
				c = &m->all[i];
		end = answer;
	}
	make_plain(&f, kind, &e, answer);
	if (c) {
		want = state_of(c, end);
		if (kind == UDP)
			c->assured |= c->replied && slow_now - c->created > 2;
		if (kind == GRE)
			c->assured |= c->replied;
		count(c, end, true);
	} else if (answer) {
		want = INV;
	} else {
		c = slow_begin(m, kind, zone, &e);
		want = c ? NEW : 0;
		if (c)
			count(c, 0, true);
	}
	expect(m, "a packet", c, send_one(m, zone, &f), want);
}

/* An ICMP error about a packet that `end` of some connection may have sent, or nobody. */
static void
about(struct model *m)
{
	unsigned end = slow_below(m, 2);
	struct one *c = &m->all[slow_below(m, 64)];
	enum kind kind = slow_below(m, 2) ? UDP : TCP;
	unsigned zone = slow_below(m, ZONES);
	struct frame quoted, f;
	struct ends e;

	draw_ends(m, kind, &e);
	if (c->there && (c->kind == UDP || c->kind == TCP)) {
		kind = c->kind;
		zone = c->zone;
		e = end ? ends_back(&c->ends) : c->ends;
	}
	c = slow_find(m, kind, zone, &e, &end);
	if (kind == UDP)
		frame_udp(&quoted, &e, 20);
	else
		frame_tcp(&quoted, &e, A, 1, 1, 20);
	frame_about(&f, &quoted, 500, e.six ? 1 : 3, 1);
	expect(m, "an error", c, send_one(m, zone, &f), c ? (end ? REL : REL | BACK) : INV);
}

/* -- TCP ---------------------------------------------------------------------------------- */

static struct frame *
next_segment(struct frame *f, const struct one *c, unsigned end, uint8_t flags, unsigned len)
{
	const struct ends e = end ? ends_back(&c->ends) : c->ends;

	return frame_tcp(f, &e, flags, c->next[end], flags & A ? c->next[!end] : 0, len);
}

/* It was sent, and belongs. */
static void
segment_sent(struct one *c, unsigned end, uint8_t flags, unsigned len)
{
	unsigned more = len + !!(flags & F) + !!(flags & S);

	/* A SYN begins the numbers; what it sends needs no answer to count as heard. */
	if (more && !(flags & S))
		c->unacked[end] = true;
	c->next[end] += more;
	if (flags & A) {
		c->acks[end] = true;
		c->acked[!end] = c->next[!end];
		c->unacked[!end] = false;
	}
	c->last = flags & (S | R | F) ? flags & (S | R | F) : A;
	c->last_end = end;
}

static struct one *
first_syn(struct model *m, unsigned zone, const struct ends *e)
{
	struct one *c = slow_begin(m, TCP, zone, e);
	struct frame f;

	if (c) {
		c->tcp = SYN_SENT;
		c->next[0] = (uint32_t)draw(&m->seed);
		frame_tcp(&f, e, S, c->next[0], 0, 0);
		segment_sent(c, 0, S, 0);
		count(c, 0, true);
	} else {
		frame_tcp(&f, e, S, 7, 0, 0);
	}
	expect(m, "a SYN", c, send_one(m, zone, &f), c ? NEW : 0);
	return c;
}

/* Sent as it should be, and its state then. */
static void
good(struct model *m, struct one *c, unsigned end, uint8_t flags, unsigned len, enum tcp then)
{
	uint32_t want = state_of(c, end);
	enum tcp before = c->tcp;
	struct frame f;

	note(c, end, flags, len ? '+' : ' ');
	next_segment(&f, c, end, flags, len);
	segment_sent(c, end, flags, len);
	c->closes |= then == FIN_WAIT && before != FIN_WAIT;
	c->tcp = then;
	m->tcp[then]++;
	/* Once both have spoken and it is open. */
	c->assured |= then == OPEN && c->replied && (before == SYN_RECV || before == OPEN);
	count(c, end, true);
	expect(m, "a good segment", c, send_one(m, c->zone, &f), want);
}

/* Of no account: its state and time stay. `want`: what it is found to be. */
static void
odd(struct model *m, struct one *c, unsigned end, uint8_t flags, uint32_t seq, uint32_t ack,
    uint32_t want)
{
	const struct ends e = end ? ends_back(&c->ends) : c->ends;
	struct frame f;

	note(c, end, flags, '!');
	frame_tcp(&f, &e, flags, seq, ack, 10);
	if (want != INV)
		count(c, end, false);
	expect(m, "an odd segment", c, send_one(m, c->zone, &f), want);
}

static void
fin(struct model *m, struct one *c, unsigned end)
{
	static const enum tcp then[] = { [SYN_RECV] = FIN_WAIT,
		[OPEN] = FIN_WAIT,
		[FIN_WAIT] = LAST_ACK,
		[CLOSE_WAIT] = LAST_ACK,
		[LAST_ACK] = LAST_ACK,
		[TIME_WAIT] = TIME_WAIT };

	c->fin[end] = true;
	good(m, c, end, F | A, 0, then[c->tcp]);
}

static void
reset(struct model *m, struct one *c, unsigned end)
{
	uint32_t want = state_of(c, end);
	struct frame f;

	if (!c->replied) {
		/* Refused, or given up: it is gone. */
		if (end)
			frame_tcp(&f,
			    &(struct ends){ c->ends.six, c->ends.dst, c->ends.src, c->ends.dport,
				c->ends.sport },
			    R | A, 0, c->next[0], 0);
		else
			next_segment(&f, c, 0, R, 0);
		c->there = false;
		expect(m, "a reset", c, send_one(m, c->zone, &f), want);
		return;
	}
	/* Exactly next, as the other end has said (RFC 5961), or it closes anyway. */
	if (c->tcp < FIN_WAIT && c->acked[end] != c->next[end])
		return;
	good(m, c, end, R, 0, CLOSED);
}

/* A SYN where a connection is: the old one is over, or it is ignored. */
static void
again(struct model *m, struct one *c, unsigned end)
{
	const struct ends e = end ? ends_back(&c->ends) : c->ends;
	bool over = c->tcp == TIME_WAIT ||
	    (c->tcp == CLOSED && !end && (c->closes || (c->last == R && c->last_end == 0)));

	if (over) {
		c->there = false;
		(void)first_syn(m, c->zone, &e);
	} else if (!end && (c->tcp == OPEN || c->tcp == CLOSED)) {
		odd(m, c, 0, S, c->next[0] + 5, 0, state_of(c, 0));
		c->last = S;
		c->last_end = 0;
	} else if (end && c->tcp >= SYN_RECV && c->tcp < TIME_WAIT) {
		odd(m, c, 1, S, c->next[1] + 5, 0, INV);
	}
}

static void
wrong(struct model *m, struct one *c, unsigned end)
{
	switch (slow_below(m, 4)) {
	case 0:
		odd(m, c, end, A, c->next[end] + FAR, c->next[!end], INV);
		break;
	case 1:
		odd(m, c, end, A, c->next[end], c->next[!end] + FAR, INV);
		break;
	case 2:
		odd(m, c, end, 0, c->next[end], c->next[!end], INV);
		break;
	default:
		if (c->assured && c->tcp == OPEN && c->last != S)
			odd(m, c, end, R, c->acked[end] - 1 - slow_below(m, 1000), 0, INV);
	}
}

/* What an end does whose connection is being opened. */
static void
opening(struct model *m, struct one *c, unsigned end)
{
	uint32_t seen = c->seen;
	struct frame f;

	if (c->tcp == SYN_SENT && !end) {
		frame_tcp(&f, &c->ends, S, c->next[0] - 1, 0, 0);
		count(c, 0, false);
		expect(m, "the SYN again", c, send_one(m, c->zone, &f), NEW);
	} else if (c->tcp == SYN_SENT) {
		c->next[1] = (uint32_t)draw(&m->seed);
		c->both = slow_below(m, 3) == 0;
		good(m, c, 1, c->both ? S : S | A, 0, c->both ? BOTH_SYN : SYN_RECV);
		/* As long as there are only SYNs its time goes on, as in Linux. */
		if (c->both)
			c->seen = seen;
	} else if (c->tcp == BOTH_SYN && !end) {
		/* Its own SYN once more, with the answer. */
		c->next[0]--;
		good(m, c, 0, S | A, 0, SYN_RECV);
	} else if (c->tcp == SYN_RECV && (!end || c->both)) {
		good(m, c, end, A, 0, OPEN);
	}
}

static void
talking(struct model *m, struct one *c, unsigned end)
{
	static const enum tcp then[] = { [OPEN] = OPEN,
		[FIN_WAIT] = CLOSE_WAIT,
		[CLOSE_WAIT] = CLOSE_WAIT,
		[LAST_ACK] = TIME_WAIT,
		[TIME_WAIT] = TIME_WAIT,
		[CLOSED] = CLOSED };

	/* The same acknowledgement again and again would be counted as sent again. */
	if (!c->fin[end] && c->acks[!end] && c->tcp != CLOSED)
		good(m, c, end, A, 1 + slow_below(m, 50), then[c->tcp]);
	else if (c->acked[!end] != c->next[!end])
		good(m, c, end, A, 0, then[c->tcp]);
}

static void
tcp(struct model *m)
{
	unsigned zone = slow_below(m, ZONES), end;
	struct frame f;
	struct ends e;
	struct one *c;

	draw_ends(m, TCP, &e);
	c = slow_find(m, TCP, zone, &e, &end);
	if (!c) {
		if (slow_below(m, 4)) {
			(void)first_syn(m, zone, &e);
			return;
		}
		frame_tcp(&f, &e, (uint8_t[]){ A, S | A, F | A, R, 0 }[slow_below(m, 5)], 5, 5, 0);
		expect(m, "no beginning", NULL, send_one(m, zone, &f), INV);
		return;
	}
	end = slow_below(m, 2);
	switch (slow_below(m, 14)) {
	case 0:
		if (slow_below(m, 3) == 0)
			reset(m, c, end);
		break;
	case 1:
		again(m, c, end);
		break;
	case 2:
		if (c->tcp >= SYN_RECV && c->tcp < CLOSED && c->acks[0] && c->acks[1])
			wrong(m, c, end);
		break;
	case 3:
	case 4:
		if (!c->fin[end] && c->acks[!end] && c->tcp >= OPEN && c->tcp <= CLOSE_WAIT &&
		    c->last != S)
			fin(m, c, end);
		break;
	default:
		if (c->tcp < OPEN || c->tcp == BOTH_SYN)
			opening(m, c, end);
		else
			talking(m, c, end);
	}
}

/* -- the comparison ----------------------------------------------------------------------- */

static void
compare_one(struct model *m, const struct one *c)
{
	static const uint8_t states[] = { CT_TCP_SYN_SENT, CT_TCP_SYN_RECV, CT_TCP_ESTABLISHED,
		CT_TCP_FIN_WAIT, CT_TCP_CLOSE_WAIT, CT_TCP_LAST_ACK, CT_TCP_TIME_WAIT, CT_TCP_CLOSE,
		CT_TCP_SYN_SENT2 };
	struct ct_table *t = m->b.core->table;
	uint32_t packet, index, word;
	const struct ct_line *line;
	struct ct_packet k;
	struct frame f;

	if (c->kind == TCP)
		frame_tcp(&f, &c->ends, A, 0, 0, 0);
	else
		make_plain(&f, c->kind, &c->ends, false);
	packet = mr_packet_from(m->b.buffers, 0, f.bytes, f.len);
	ct_classify(&k, mr_packet_at(m->b.buffers->base, packet), (uint16_t)c->zone,
	    m->b.core->apart);
	mr_packets_free(m->b.buffers, 0, &packet, 1);
	index = ct_find(t, 0, &k.key, ct_hash(t, &k.key), slow_now, &word);
	assert_int_not_equal(index, 0);
	line = &t->lines[index];
	if (!!(word & CT_REPLIED) != c->replied || line->packets[0] != c->packets[0] ||
	    line->packets[1] != c->packets[1] || line->seen != c->seen ||
	    (c->kind == TCP && line->state != states[c->tcp]) ||
	    (c->kind != ECHO && !!(word & CT_ASSURED) != c->assured) ||
	    t->timeouts[line->timeout] != slow_lasts(c))
		fail_msg("%.*s: kind %d, state %d (%u): replied %d (%x), assured %d, packets %u/%u "
			 "(%u/%u), seen %u (%u), lasts %u (%u)",
		    (int)sizeof(c->did), c->did, c->kind, c->tcp, line->state, c->replied, word,
		    c->assured, c->packets[0], c->packets[1], line->packets[0], line->packets[1],
		    c->seen, line->seen, slow_lasts(c), t->timeouts[line->timeout]);
}

static void
compare(struct model *m)
{
	unsigned count = 0;

	slow_forget_old(m);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (!m->all[i].there)
			continue;
		compare_one(m, &m->all[i]);
		count++;
	}
	assert_int_equal(ct_table_used(m->b.core->table), count);
}

static void
time_passes(struct model *m)
{
	static const unsigned seconds[] = { 0, 1, 1, 3, 3, 12, 33, 64, 130, 310 };

	slow_now += seconds[slow_below(m, MR_ARRAY_COUNT(seconds))];
	slow_forget_old(m);
}

static void
like_the_slow_reading(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	assert_non_null(m);
	m->seed = getenv("MR_SEED") ? strtoull(getenv("MR_SEED"), NULL, 0) * 77 + 1 : 42;
	bed_open(&m->b, 4096, 1);
	atomic_fetch_and(&m->b.core->options, ~(uint32_t)CT_LOOSE);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned what = slow_below(m, 100);

		if (step % 4000 == 0) {
			m->limit = slow_below(m, 2) ? LIMIT : 0;
			m->b.deny = step % 16000 == 12000;
		}
		if (what < 70)
			tcp(m);
		else if (what < 96)
			plain(m, (enum kind)slow_below(m, TCP));
		else if (what < 99)
			about(m);
		else if (slow_below(m, 8) == 0)
			time_passes(m);
		if (step % 50 == 0)
			compare(m);
	}
	compare(m);
	print_message("dropped %lu, invalid %lu, others %lu\n", m->said[0], m->said[1], m->said[2]);
	for (unsigned i = SYN_RECV; i <= BOTH_SYN; i++)
		print_message("tcp state %u: %lu\n", i, m->tcp[i]);
	for (unsigned i = SYN_RECV; i <= BOTH_SYN; i++)
		assert_true(m->tcp[i] > 50);
	assert_true(m->said[0] > 100 && m->said[1] > 1000);
	bed_close(&m->b);
	free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_the_slow_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
