/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine against RFC 4861, appendix C, cell by cell, and along whole lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "nf/neighbor/machine.h"

#define NOW 1000000u
#define ALL NEIGHBOR_ASK_ALL
#define ONE NEIGHBOR_ASK_ONE
#define USE NEIGHBOR_USE
#define GO NEIGHBOR_RELEASE
#define FAIL NEIGHBOR_FAIL
#define GONE NEIGHBOR_GONE

static const struct neighbor_times times = {
	.reachable = 30000,
	.retransmit = 1000,
	.delay = 5000,
	.stale = 60000,
	.failed = 20000,
	.asks = 3,
};
static const uint8_t known[6] = { 2, 0, 0, 0, 0, 1 }, other[6] = { 2, 0, 0, 0, 0, 2 };

enum said { NOTHING, SAME, DIFFERENT };

struct cell {
	const char *rule;
	uint8_t state;
	bool used;
	uint8_t asks;
	uint8_t event;
	uint8_t said; /* an address, compared with the known one */
	bool override;
	uint8_t next;
	unsigned actions;
	bool takes; /* the address that was said */
};

/* clang-format off */
#define S(x) NEIGHBOR_##x
static const struct cell cells[] = {
	/* Packets and routes. */
	{ "first packet", S(FAILED), false, 0, S(WANTED), NOTHING, false, S(INCOMPLETE), ALL, false },
	{ "more wait", S(INCOMPLETE), false, 1, S(WANTED), NOTHING, false, S(INCOMPLETE), 0, false },
	{ "first use", S(STALE), false, 0, S(WANTED), NOTHING, false, S(DELAY), USE | GO, false },
	{ "known", S(REACHABLE), true, 0, S(WANTED), NOTHING, false, S(REACHABLE), GO, false },
	{ "known, not used", S(REACHABLE), false, 0, S(WANTED), NOTHING, false, S(REACHABLE), USE | GO, false },
	{ "delayed", S(DELAY), true, 0, S(WANTED), NOTHING, false, S(DELAY), GO, false },
	{ "probed", S(PROBE), true, 1, S(WANTED), NOTHING, false, S(PROBE), GO, false },
	{ "configured", S(PERMANENT), true, 0, S(WANTED), NOTHING, false, S(PERMANENT), GO, false },
	/* Time. */
	{ "asked again", S(INCOMPLETE), false, 1, S(TIMEOUT), NOTHING, false, S(INCOMPLETE), ALL, false },
	{ "asked enough", S(INCOMPLETE), false, 3, S(TIMEOUT), NOTHING, false, S(FAILED), FAIL, false },
	{ "used, so it is asked", S(REACHABLE), true, 0, S(TIMEOUT), NOTHING, false, S(DELAY), 0, false },
	{ "not used, so it rests", S(REACHABLE), false, 0, S(TIMEOUT), NOTHING, false, S(STALE), 0, false },
	{ "probing begins", S(DELAY), true, 0, S(TIMEOUT), NOTHING, false, S(PROBE), ONE, false },
	{ "probed again", S(PROBE), true, 1, S(TIMEOUT), NOTHING, false, S(PROBE), ONE, false },
	{ "probed enough", S(PROBE), true, 3, S(TIMEOUT), NOTHING, false, S(FAILED), FAIL, false },
	{ "rested enough", S(STALE), false, 0, S(TIMEOUT), NOTHING, false, S(STALE), GONE, false },
	{ "failed for long", S(FAILED), false, 0, S(TIMEOUT), NOTHING, false, S(FAILED), GONE, false },
	{ "never", S(PERMANENT), true, 0, S(TIMEOUT), NOTHING, false, S(PERMANENT), 0, false },
	/* RFC 4861, appendix C: NA, Solicited=1. */
	{ "INCOMPLETE NA S=1", S(INCOMPLETE), false, 1, S(SOLICITED), DIFFERENT, false, S(REACHABLE), USE | GO, true },
	{ "INCOMPLETE NA S=1 O=1", S(INCOMPLETE), false, 1, S(SOLICITED), DIFFERENT, true, S(REACHABLE), USE | GO, true },
	{ "STALE NA S=1 O=0 same", S(STALE), false, 0, S(SOLICITED), SAME, false, S(REACHABLE), 0, false },
	{ "DELAY NA S=1 O=0 same", S(DELAY), true, 0, S(SOLICITED), SAME, false, S(REACHABLE), 0, false },
	{ "PROBE NA S=1 O=0 same", S(PROBE), true, 1, S(SOLICITED), SAME, false, S(REACHABLE), 0, false },
	{ "PROBE NA S=1 O=1 same", S(PROBE), true, 1, S(SOLICITED), SAME, true, S(REACHABLE), 0, false },
	{ "REACHABLE NA S=1 O=0 other, unused", S(REACHABLE), false, 0, S(SOLICITED), DIFFERENT, false, S(STALE), 0, false },
	{ "REACHABLE NA S=1 O=0 other, used", S(REACHABLE), true, 0, S(SOLICITED), DIFFERENT, false, S(DELAY), 0, false },
	{ "STALE NA S=1 O=0 other", S(STALE), false, 0, S(SOLICITED), DIFFERENT, false, S(STALE), 0, false },
	{ "DELAY NA S=1 O=0 other", S(DELAY), true, 0, S(SOLICITED), DIFFERENT, false, S(DELAY), 0, false },
	{ "PROBE NA S=1 O=0 other", S(PROBE), true, 1, S(SOLICITED), DIFFERENT, false, S(PROBE), 0, false },
	{ "REACHABLE NA S=1 O=1 other", S(REACHABLE), true, 0, S(SOLICITED), DIFFERENT, true, S(REACHABLE), USE, true },
	{ "STALE NA S=1 O=1 other", S(STALE), false, 0, S(SOLICITED), DIFFERENT, true, S(REACHABLE), 0, true },
	{ "PROBE NA S=1 O=1 other", S(PROBE), true, 2, S(SOLICITED), DIFFERENT, true, S(REACHABLE), USE, true },
	{ "FAILED NA S=1", S(FAILED), false, 0, S(SOLICITED), DIFFERENT, true, S(REACHABLE), 0, true },
	/* NA, Solicited=0. */
	{ "INCOMPLETE NA S=0", S(INCOMPLETE), false, 1, S(UNSOLICITED), DIFFERENT, false, S(DELAY), USE | GO, true },
	{ "REACHABLE NA S=0 O=0 same", S(REACHABLE), true, 0, S(UNSOLICITED), SAME, false, S(REACHABLE), 0, false },
	{ "REACHABLE NA S=0 O=1 same", S(REACHABLE), true, 0, S(UNSOLICITED), SAME, true, S(REACHABLE), 0, false },
	{ "REACHABLE NA S=0 O=0 other", S(REACHABLE), false, 0, S(UNSOLICITED), DIFFERENT, false, S(STALE), 0, false },
	{ "PROBE NA S=0 O=0 other", S(PROBE), true, 1, S(UNSOLICITED), DIFFERENT, false, S(PROBE), 0, false },
	{ "REACHABLE NA S=0 O=1 other, used", S(REACHABLE), true, 0, S(UNSOLICITED), DIFFERENT, true, S(DELAY), USE, true },
	{ "REACHABLE NA S=0 O=1 other, unused", S(REACHABLE), false, 0, S(UNSOLICITED), DIFFERENT, true, S(STALE), 0, true },
	{ "STALE NA S=0 O=1 other", S(STALE), false, 0, S(UNSOLICITED), DIFFERENT, true, S(STALE), 0, true },
	{ "PROBE NA S=0 O=1 same", S(PROBE), true, 1, S(UNSOLICITED), SAME, true, S(PROBE), 0, false },
	/* NS, RS, RA, ARP request. */
	{ "new, heard", S(FAILED), false, 0, S(HEARD), DIFFERENT, false, S(STALE), 0, true },
	{ "INCOMPLETE heard", S(INCOMPLETE), false, 1, S(HEARD), DIFFERENT, false, S(DELAY), USE | GO, true },
	{ "REACHABLE heard, same", S(REACHABLE), true, 0, S(HEARD), SAME, false, S(REACHABLE), 0, false },
	{ "STALE heard, same", S(STALE), false, 0, S(HEARD), SAME, false, S(STALE), 0, false },
	{ "STALE heard, other", S(STALE), false, 0, S(HEARD), DIFFERENT, false, S(STALE), 0, true },
	{ "REACHABLE heard, other", S(REACHABLE), true, 0, S(HEARD), DIFFERENT, false, S(DELAY), USE, true },
	{ "PROBE heard, other", S(PROBE), true, 1, S(HEARD), DIFFERENT, false, S(DELAY), USE, true },
	/* What is configured stays. */
	{ "PERMANENT NA", S(PERMANENT), true, 0, S(SOLICITED), DIFFERENT, true, S(PERMANENT), 0, false },
	{ "PERMANENT NA S=0", S(PERMANENT), true, 0, S(UNSOLICITED), DIFFERENT, true, S(PERMANENT), 0, false },
	{ "PERMANENT heard", S(PERMANENT), true, 0, S(HEARD), DIFFERENT, true, S(PERMANENT), 0, false },
};
#undef S
/* clang-format on */

static void
test_cells(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		const struct cell *c = &cells[i];
		struct neighbor_machine m = { .state = c->state, .used = c->used, .asks = c->asks };
		const uint8_t *mac = c->said == NOTHING ? NULL : c->said == SAME ? known : other;
		unsigned actions;

		memcpy(m.mac, known, 6);
		actions = neighbor_step(&m, &times, c->event, mac, c->override, NOW, 1u << 31);
		if (m.state != c->next || actions != c->actions ||
		    memcmp(m.mac, c->takes ? other : known, 6))
			fail_msg("%s: %s, actions %x, %s address", c->rule,
			    neighbor_state_name(m.state), actions,
			    memcmp(m.mac, known, 6) ? "the other" : "the known");
		if (c->actions & (ALL | ONE))
			assert_int_equal(m.due, NOW + times.retransmit);
		if (m.state == NEIGHBOR_REACHABLE && c->state != NEIGHBOR_REACHABLE) {
			assert_true(m.due >= NOW + times.reachable / 2);
			assert_true(m.due <= NOW + times.reachable * 3 / 2);
			assert_int_equal(m.confirmed, NOW);
		}
		if (m.state == NEIGHBOR_DELAY && c->state != NEIGHBOR_DELAY)
			assert_int_equal(m.due, NOW + times.delay);
	}
}

/* Every state has a cell for every event that carries nothing, so that none was forgotten. */
static void
test_complete(void **state)
{
	bool seen[NEIGHBOR_STATES][NEIGHBOR_EVENTS] = { { false } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		seen[cells[i].state][cells[i].event] = true;
	for (unsigned s = 0; s < NEIGHBOR_STATES; s++)
		for (unsigned e = NEIGHBOR_WANTED; e <= NEIGHBOR_TIMEOUT; e++)
			if (!seen[s][e])
				fail_msg("no cell for state %u, event %u", s, e);
}

/* Asked three times a second apart, failed, asked again by the next packet: never more often than
 * once a second. */
static void
test_asks(void **state)
{
	struct neighbor_machine m;
	uint64_t last = 0, now;
	unsigned asks = 0, fails = 0;

	(void)state;
	neighbor_machine_init(&m, &times, NOW);
	for (now = NOW; now < NOW + 60000; now += 10) {
		unsigned a = neighbor_step(&m, &times, NEIGHBOR_WANTED, NULL, false, now, 0);

		if (m.due && m.due <= now)
			a |= neighbor_step(&m, &times, NEIGHBOR_TIMEOUT, NULL, false, now, 0);
		if (a & NEIGHBOR_ASK_ALL) {
			assert_true(!last || now - last >= times.retransmit);
			last = now;
			asks++;
		}
		fails += (a & NEIGHBOR_FAIL) != 0;
		assert_false(a & NEIGHBOR_ASK_ONE);
	}
	assert_true(asks >= 55 && asks <= 60);
	assert_true(fails >= 15);
}

/* One that answers its probes stays; one that stops is gone within its reachable time, the delay
 * and three probes. */
static void
test_life(void **state)
{
	struct neighbor_machine m;
	uint64_t now, stopped = NOW + 300000, failed = 0;
	unsigned probes = 0;

	(void)state;
	neighbor_machine_init(&m, &times, NOW);
	neighbor_step(&m, &times, NEIGHBOR_WANTED, NULL, false, NOW, 0);
	neighbor_step(&m, &times, NEIGHBOR_SOLICITED, known, true, NOW + 3, 77);
	for (now = NOW + 10; now < NOW + 400000 && !failed; now += 10) {
		unsigned a = 0;

		if (m.due && m.due <= now)
			a = neighbor_step(&m, &times, NEIGHBOR_TIMEOUT, NULL, false, now, 0);
		if (a & NEIGHBOR_ASK_ONE) {
			probes++;
			if (now < stopped)
				neighbor_step(&m, &times, NEIGHBOR_SOLICITED, known, true, now,
				    (uint32_t)now * 2654435761u);
		}
		if (a & NEIGHBOR_FAIL)
			failed = now;
	}
	assert_true(probes > 300000 / 50000);
	assert_true(failed > stopped);
	assert_true(failed <= stopped + 45000 + 5000 + 3000 + 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_asks),
		cmocka_unit_test(test_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
