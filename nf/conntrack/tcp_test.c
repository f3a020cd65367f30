/* SPDX-License-Identifier: Apache-2.0 */
/* TCP's states and windows, packet by packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "nf/conntrack/tcp_inl.h"

#define F MR_TCP_FIN
#define S MR_TCP_SYN
#define R MR_TCP_RST
#define A MR_TCP_ACK

#define NONE 0xff /* no look at the state */

/* One packet: direction, flags, numbers, payload; what becomes of it, and the state then. */
struct step {
	uint8_t dir, flags;
	uint32_t seq, ack, len;
	uint16_t win;
	uint8_t outcome, state;
	int8_t scale; /* -1: no option */
};

struct script {
	const char *name;
	struct step steps[16];
};

#define END \
	{ \
		.outcome = NONE \
	}
#define OPEN(w, sc) \
	{ 0, S, 1000, 0, 0, w, CT_ACCEPT, CT_TCP_SYN_SENT, sc }, \
	    { 1, S | A, 5000, 1001, 0, w, CT_ACCEPT, CT_TCP_SYN_RECV, sc }, \
	{ \
		0, A, 1001, 5001, 0, w, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 \
	}

static const struct script scripts[] = {
	{ "open, talk and close",
	    { OPEN(1000, -1), { 0, A, 1001, 5001, 500, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 1501, 900, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 1501, 5901, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, F | A, 1501, 5901, 0, 1000, CT_ACCEPT, CT_TCP_FIN_WAIT, -1 },
		{ 1, A, 5901, 1502, 0, 1000, CT_ACCEPT, CT_TCP_CLOSE_WAIT, -1 },
		{ 1, F | A, 5901, 1502, 0, 1000, CT_ACCEPT, CT_TCP_LAST_ACK, -1 },
		{ 0, A, 1502, 5902, 0, 1000, CT_ACCEPT, CT_TCP_TIME_WAIT, -1 },
		{ 0, S, 90000, 0, 0, 1000, CT_REPEAT, NONE, -1 }, END } },
	{ "a SYN again, and its answer again",
	    { { 0, S, 1000, 0, 0, 1000, CT_ACCEPT, CT_TCP_SYN_SENT, -1 },
		{ 0, S, 1000, 0, 0, 1000, CT_ACCEPT, CT_TCP_SYN_SENT, -1 },
		{ 1, S | A, 5000, 1001, 0, 1000, CT_ACCEPT, CT_TCP_SYN_RECV, -1 },
		{ 1, S | A, 5000, 1001, 0, 1000, CT_STALE, CT_TCP_SYN_RECV, -1 },
		{ 0, A, 1001, 5001, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "refused",
	    { { 0, S, 1000, 0, 0, 1000, CT_ACCEPT, CT_TCP_SYN_SENT, -1 },
		{ 1, R | A, 0, 1001, 0, 0, CT_DESTROY, CT_TCP_CLOSE, -1 }, END } },
	{ "simultaneous open",
	    { { 0, S, 1000, 0, 0, 1000, CT_ACCEPT, CT_TCP_SYN_SENT, -1 },
		{ 1, S, 5000, 0, 0, 1000, CT_ACCEPT, CT_TCP_SYN_SENT2, -1 },
		{ 0, S | A, 1000, 5001, 0, 1000, CT_ACCEPT, CT_TCP_SYN_RECV, -1 },
		{ 1, S | A, 5000, 1001, 0, 1000, CT_STALE, CT_TCP_SYN_RECV, -1 },
		{ 1, A, 5001, 1001, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "both close at once",
	    { OPEN(1000, -1), { 0, F | A, 1001, 5001, 0, 1000, CT_ACCEPT, CT_TCP_FIN_WAIT, -1 },
		{ 1, F | A, 5001, 1001, 0, 1000, CT_ACCEPT, CT_TCP_LAST_ACK, -1 },
		{ 0, A, 1002, 5002, 0, 1000, CT_ACCEPT, CT_TCP_TIME_WAIT, -1 }, END } },
	{ "past the window",
	    { OPEN(1000, -1), { 0, A, 2001, 5001, 10, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 2012, 5001, 10, 1000, CT_STALE, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 2022, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 5022, 5001, 10, 1000, CT_INVALID, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "acknowledges what was not sent",
	    { OPEN(1000, -1), { 0, A, 1001, 5002, 0, 1000, CT_INVALID, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 1002, 0, 1000, CT_INVALID, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "seen long ago",
	    { OPEN(1000, -1), { 0, A, 1001, 5001, 1000, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 2001, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 2001, 5001, 1000, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 3001, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 1001, 5001, 1000, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 1000, 5001, 1000, 1000, CT_STALE, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "windows are scaled by what both said",
	    { OPEN(1000, 7), { 0, A, 1001, 5001, 1, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 1002, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 1001 + 100000, 5001, 1, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 1002 + 256004, 5001, 1, 1000, CT_INVALID, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "a reset in its place",
	    { OPEN(1000, -1), { 1, R, 5001, 0, 0, 0, CT_ACCEPT, CT_TCP_CLOSE, -1 }, END } },
	{ "a reset beside its place is challenged",
	    { OPEN(1000, -1), { 1, A, 5001, 1001, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, R, 5100, 0, 0, 0, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, R, 4000, 0, 0, 0, CT_INVALID, CT_TCP_ESTABLISHED, -1 },
		{ 1, R, 900000, 0, 0, 0, CT_INVALID, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "a SYN into an open connection is ignored, its answer a challenge",
	    { OPEN(1000, -1), { 1, A, 5001, 1001, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, S, 70000, 0, 0, 1000, CT_STALE, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 1001, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "out of step: the ends begin anew, and are followed",
	    { OPEN(1000, -1), { 0, S, 70000, 0, 0, 1000, CT_STALE, CT_TCP_ESTABLISHED, -1 },
		{ 1, S | A, 90000, 70001, 0, 1000, CT_ACCEPT, CT_TCP_SYN_RECV, -1 },
		{ 0, A, 70001, 90001, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "a zero window and its probe",
	    { OPEN(1000, -1), { 0, A, 1001, 5001, 1000, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 2001, 0, 0, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 2001, 5001, 1, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 2001, 0, 0, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 5001, 2002, 0, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "midway: windows are not known",
	    { { 0, A, 777000, 888000, 100, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 888000, 777100, 100, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 999000, 1, 100, 1000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 }, END } },
	{ "flags that make no sense",
	    { OPEN(1000, -1), { 0, 0, 1001, 5001, 0, 1000, CT_INVALID, CT_TCP_ESTABLISHED, -1 },
		{ 0, F, 1001, 5001, 0, 1000, CT_INVALID, CT_TCP_ESTABLISHED, -1 },
		{ 0, S | F, 1001, 5001, 0, 1000, CT_INVALID, CT_TCP_ESTABLISHED, -1 },
		{ 0, S | R, 1001, 5001, 0, 1000, CT_INVALID, CT_TCP_ESTABLISHED, -1 },
		{ 0, F | S | R | A | MR_TCP_PSH | MR_TCP_URG, 1001, 5001, 0, 1000, CT_INVALID,
		    CT_TCP_ESTABLISHED, -1 },
		{ 0, A | MR_TCP_PSH | MR_TCP_ECE | MR_TCP_CWR, 1001, 5001, 9, 1000, CT_ACCEPT,
		    CT_TCP_ESTABLISHED, -1 },
		END } },
	{ "numbers that wrap",
	    { { 0, S, 0xffffff00, 0, 0, 5000, CT_ACCEPT, CT_TCP_SYN_SENT, -1 },
		{ 1, S | A, 0xfffffffe, 0xffffff01, 0, 5000, CT_ACCEPT, CT_TCP_SYN_RECV, -1 },
		{ 0, A, 0xffffff01, 0xffffffff, 0, 5000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 0xffffff01, 0xffffffff, 1000, 5000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 1, A, 0xffffffff, 0x2e9, 1000, 5000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 },
		{ 0, A, 0x2e9, 0x3e7, 1000, 5000, CT_ACCEPT, CT_TCP_ESTABLISHED, -1 }, END } },
};

/* Builds the header and reads it back, so that reading is tested too. */
static void
segment(struct ct_segment *s, const struct step *step)
{
	uint8_t tcp[24] = { 0 };
	unsigned size = step->scale >= 0 ? 24 : 20;

	for (unsigned i = 0; i < 4; i++) {
		tcp[4 + i] = (uint8_t)(step->seq >> (24 - 8 * i));
		tcp[8 + i] = (uint8_t)(step->ack >> (24 - 8 * i));
	}
	tcp[12] = (uint8_t)(size << 2);
	tcp[13] = step->flags;
	tcp[14] = (uint8_t)(step->win >> 8);
	tcp[15] = (uint8_t)step->win;
	if (step->scale >= 0)
		memcpy(tcp + 20, (const uint8_t[]){ 1, 3, 3, (uint8_t)step->scale }, 4);
	ct_tcp_read(s, tcp, size, step->len);
}

static void
run_script(const struct script *script)
{
	struct ct_line c = { 0 };
	struct ct_cold cold = { 0 };
	uint32_t word = 0;

	for (unsigned i = 0; script->steps[i].outcome != NONE; i++) {
		const struct step *step = &script->steps[i];
		uint8_t timeout, outcome = CT_ACCEPT;
		struct ct_segment s;

		segment(&s, step);
		if (i == 0) {
			assert_true(ct_tcp_may_begin(&s, true));
			ct_tcp_begin(&c, &cold, &s);
		} else {
			outcome = (uint8_t)ct_tcp_packet(&c, &cold, &s, step->dir, &word, &timeout);
		}
		if (step->dir && (outcome == CT_ACCEPT || outcome == CT_STALE))
			word |= CT_REPLIED;
		if (outcome != step->outcome || (step->state != NONE && c.state != step->state))
			fail_msg("%s, step %u: outcome %u, state %u", script->name, i, outcome,
			    c.state);
	}
}

static void
scripts_run(void **state)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(scripts); i++)
		run_script(&scripts[i]);
}

static void
what_may_begin(void **state)
{
	for (unsigned flags = 0; flags < 64; flags++) {
		const struct ct_segment s = { .flags = (uint8_t)flags };
		unsigned core = flags & ~(MR_TCP_PSH | MR_TCP_URG);
		bool syn = core == S, ack = core == A;

		assert_int_equal(ct_tcp_may_begin(&s, false), syn);
		assert_int_equal(ct_tcp_may_begin(&s, true), syn || ack);
	}
}

static void
time_outs(void **state)
{
	const struct step syn = { 0, S, 1000, 0, 0, 1000, 0, 0, -1 };
	const struct step synack = { 1, S | A, 5000, 1001, 0, 1000, 0, 0, -1 };
	const struct step ack = { 0, A, 1001, 5001, 0, 1000, 0, 0, -1 };
	const struct step data = { 0, A, 1001, 5001, 100, 1000, 0, 0, -1 };
	const struct step acked = { 1, A, 5001, 1101, 0, 1000, 0, 0, -1 };
	struct ct_cold cold = { 0 };
	struct ct_line c = { 0 };
	struct ct_segment s;
	uint32_t word = 0;
	uint8_t timeout;

	segment(&s, &syn);
	ct_tcp_begin(&c, &cold, &s);
	assert_int_equal(c.timeout, CT_TCP_SYN_SENT);
	/* Again: its time goes on. */
	assert_int_equal(ct_tcp_packet(&c, &cold, &s, 0, &word, &timeout), CT_ACCEPT);
	assert_int_equal(timeout, CT_TIMEOUT_COUNT);
	segment(&s, &synack);
	assert_int_equal(ct_tcp_packet(&c, &cold, &s, 1, &word, &timeout), CT_ACCEPT);
	assert_int_equal(timeout, CT_TCP_SYN_RECV);
	word |= CT_REPLIED;
	segment(&s, &ack);
	assert_int_equal(ct_tcp_packet(&c, &cold, &s, 0, &word, &timeout), CT_ACCEPT);
	assert_int_equal(timeout, CT_TCP_ESTABLISHED);
	assert_true(word & CT_ASSURED);
	segment(&s, &data);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(ct_tcp_packet(&c, &cold, &s, 0, &word, &timeout), CT_ACCEPT);
		assert_int_equal(timeout, i < 3 ? CT_TCP_UNACKED : CT_TCP_RETRANS);
	}
	segment(&s, &acked);
	assert_int_equal(ct_tcp_packet(&c, &cold, &s, 1, &word, &timeout), CT_ACCEPT);
	assert_int_equal(timeout, CT_TCP_ESTABLISHED);
}

/* Options that lie about their length are not followed. */
static void
options_are_bounded(void **state)
{
	uint8_t tcp[60] = { [12] = 15 << 4, [13] = S };
	struct ct_segment s;

	for (unsigned kind = 0; kind < 256; kind++)
		for (unsigned len = 0; len < 256; len++) {
			tcp[20] = (uint8_t)kind;
			tcp[21] = (uint8_t)len;
			ct_tcp_read(&s, tcp, sizeof(tcp), 0);
			assert_int_equal(s.scales, kind == 3 && len == 3);
		}
	/* The header says more than there is. */
	memcpy(tcp + 20, (const uint8_t[]){ 3, 3, 15 }, 3);
	ct_tcp_read(&s, tcp, 22, 0);
	assert_false(s.scales);
	ct_tcp_read(&s, tcp, 23, 0);
	assert_true(s.scales);
	assert_int_equal(s.scale, 14);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_run),
		cmocka_unit_test(what_may_begin),
		cmocka_unit_test(time_outs),
		cmocka_unit_test(options_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
