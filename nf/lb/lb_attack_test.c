/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on a table of 1,024 connections: of those who talk already at least 99 % keep their server,
 * new clients get one, and the memory stays what it is. */
#include "nf/lb/lb_test_int.h"

#define TALKS 200u
#define FLOOD 20000u

static const char services[] = "  service:\n"
			       "    web:\n"
			       "      address: 203.0.113.80\n"
			       "      port: 80\n"
			       "      mode: %s\n"
			       "      backend:\n"
			       "        b1: {address: 10.1.0.11}\n"
			       "        b2: {address: 10.1.0.12}\n"
			       "        b3: {address: 10.1.0.13}\n"
			       "    dns:\n"
			       "      address: 203.0.113.80\n"
			       "      protocol: udp\n"
			       "      port: 53\n"
			       "      backend: {b1: {address: 10.1.0.11}}\n";

static const char *
client_of(unsigned i, char text[32])
{
	snprintf(text, 32, "198.51.100.%u", 1 + i % 250);
	return text;
}

static unsigned
went_to(const struct lb_frame *out, bool direct)
{
	if (!out)
		return 0;
	return direct ? out->bytes[5] : out->bytes[14 + 19];
}

/* Clients open connections, and whom they got. */
static void
open_talks(struct lb_bed *lb, unsigned *server, bool direct)
{
	char client[32];

	for (unsigned i = 0; i < TALKS; i++) {
		const struct lb_talk t = { client_of(i, client), "203.0.113.80",
			(uint16_t)(2000 + i), 80 };

		server[i] = went_to(lb_send(lb, 0, &t, MR_TCP_SYN), direct);
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(went_to(lb_send(lb, 0, &t, MR_TCP_ACK), direct),
			    server[i]);
	}
}

static unsigned
still_there(struct lb_bed *lb, const unsigned *server, bool direct)
{
	unsigned left = 0;
	char client[32];

	for (unsigned i = 0; i < TALKS; i++) {
		const struct lb_talk t = { client_of(i, client), "203.0.113.80",
			(uint16_t)(2000 + i), 80 };

		left += went_to(lb_send(lb, 0, &t, MR_TCP_ACK), direct) == server[i];
	}
	return left;
}

/* How many of those who come now can open a connection and use it. */
static unsigned
newcomers(struct lb_bed *lb, bool direct)
{
	unsigned good = 0;
	char client[32];

	for (unsigned i = 0; i < 100; i++) {
		const struct lb_talk t = { client_of(i, client), "203.0.113.80",
			(uint16_t)(9000 + i), 80 };
		unsigned to = went_to(lb_send(lb, 0, &t, MR_TCP_SYN), direct);

		good += to && went_to(lb_send(lb, 0, &t, MR_TCP_ACK), direct) == to &&
		    went_to(lb_send(lb, 0, &t, MR_TCP_ACK), direct) == to;
	}
	return good;
}

static void
flood(struct lb_bed *lb, struct bed_random *r, unsigned flags)
{
	struct lb_frame f;

	for (unsigned i = 0; i < FLOOD; i++) {
		char src[32];
		const struct lb_talk t = { src, "203.0.113.80", (uint16_t)bed_draw(r, 65536),
			flags & LB_UDP ? 53 : 80 };

		snprintf(src, sizeof(src), "%u.%u.%u.%u", 11 + bed_draw(r, 100), bed_draw(r, 256),
		    bed_draw(r, 256), bed_draw(r, 256));
		lb_give(lb, 0, lb_packet(lb, &f, 0, &t, flags, 0));
		if (i % 200 == 199)
			lb_run(lb);
	}
	lb_run(lb);
}

static void
attack(const char *mode, unsigned flags)
{
	struct bed_random random = { 77 };
	bool direct = strcmp(mode, "l2") == 0;
	unsigned server[TALKS];
	char text[2048];
	struct lb_bed lb;

	snprintf(text, sizeof(text), services, mode);
	lb_open(&lb, text);
	open_talks(&lb, server, direct);
	flood(&lb, &random, flags);
	assert_true(still_there(&lb, server, direct) >= TALKS * 99 / 100);
	assert_true(lb_of(&lb, 0)->core->table->used <= 1024);
	assert_true(newcomers(&lb, direct) >= 99);
	assert_true(still_there(&lb, server, direct) >= TALKS * 99 / 100);
	/* When it is over, so are its traces. */
	for (unsigned i = 0; i < 16; i++)
		bed_tick(lb.b, i ? 1000 : 310000);
	assert_true(lb_of(&lb, 0)->core->table->used <= TALKS + 110);
	lb_close(&lb);
}

static void
syns(void **state)
{
	attack("nat", MR_TCP_SYN);
	attack("l2", MR_TCP_SYN);
}

/* As if of connections that began elsewhere. */
static void
acks(void **state)
{
	attack("nat", MR_TCP_ACK);
	attack("l2", MR_TCP_ACK);
}

static void
datagrams(void **state)
{
	attack("nat", LB_UDP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syns),
		cmocka_unit_test(acks),
		cmocka_unit_test(datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
