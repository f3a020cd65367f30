/* SPDX-License-Identifier: Apache-2.0 */

/* A thousand questions to a log of a million lines, against one that looks through all of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "nf/nat/log/whohad.h"

#define EVENTS 1000000u
#define QUESTIONS 1000u
#define BLOCKS 20000u
#define PORTS 256u /* of a block */
#define BEGIN INT64_C(1795255500000)

struct held {
	uint32_t block, inside;
	int64_t from, to;
};

static struct held *all;
static unsigned count;

static uint64_t
draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static void
line_of(struct nat_line *l, enum nat_line_event event, const struct held *h, int64_t time)
{
	be32_t inside = mr_be32(0x0a000000u + h->inside);

	*l = (struct nat_line){ .event = event,
		.time = time,
		.nat = "isp",
		.outside = mr_be32(0xc6120000u + h->block / 200),
		.first = (uint16_t)(1024 + h->block % 200 * PORTS) };
	l->last = (uint16_t)(l->first + PORTS - 1);
	if (event == NAT_LINE_BLOCK_RETURNED)
		l->since = h->from / 1000 * 1000; /* as ages in seconds tell it */
	memcpy(l->inside, &inside, 4);
}

static void
write_log(FILE *f)
{
	uint32_t *now = calloc(BLOCKS, sizeof(*now)); /* number + 1 in `all` */
	char text[NAT_LINE_MAX];
	uint64_t seed = 7;
	int64_t time = BEGIN;

	for (unsigned i = 0; i < EVENTS; i++) {
		uint32_t block = (uint32_t)(draw(&seed) % BLOCKS);
		struct nat_line l;
		size_t len;

		time += (int64_t)(draw(&seed) % 200);
		if (now[block]) {
			all[now[block] - 1].to = time;
			line_of(&l, NAT_LINE_BLOCK_RETURNED, &all[now[block] - 1], time);
			now[block] = 0;
		} else {
			all[count] = (struct held){ block, (uint32_t)(draw(&seed) % 5000), time,
				NAT_WHOHAD_NOW };
			line_of(&l, NAT_LINE_BLOCK_GIVEN, &all[count], time);
			now[block] = ++count;
		}
		len = nat_line_print(&l, text);
		text[len++] = '\n';
		assert_int_equal(fwrite(text, 1, len, f), len);
	}
	free(now);
}

struct answers {
	unsigned count;
	struct nat_whohad_answer last;
};

static void
keep(void *arg, const struct nat_whohad_answer *a)
{
	struct answers *answers = arg;

	answers->count++;
	answers->last = *a;
}

static void
a_thousand_answers_are_right(void **state)
{
	int fd = memfd_create("nat.log", 0);
	uint64_t seed = 3, bad, hits = 0;
	struct nat_whohad *w;
	struct mr_error error;
	char path[64];
	FILE *f = fdopen(dup(fd), "w");

	all = calloc(EVENTS, sizeof(*all));
	write_log(f);
	fclose(f);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(nat_whohad_create(&w, &error), 0);
	assert_int_equal(nat_whohad_read(w, path, &error), 0);
	assert_int_equal(nat_whohad_lines(w, &bad), EVENTS);
	assert_int_equal(bad, 0);
	nat_whohad_seal(w);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		uint32_t block = (uint32_t)(draw(&seed) % BLOCKS);
		const struct held *right = NULL;
		struct answers answers = { 0 };
		struct nat_whohad_question q = { .address = mr_be32(0xc6120000u + block / 200),
			.port = (uint16_t)(1024 + block % 200 * PORTS + draw(&seed) % PORTS),
			.protocol = i % 2 ? 6 : 0,
			.from = BEGIN + (int64_t)(draw(&seed) % (EVENTS * 100)) };
		unsigned found;

		q.to = q.from;
		for (unsigned h = 0; h < count && !right; h++)
			if (all[h].block == block && all[h].from <= q.from && all[h].to >= q.from)
				right = &all[h];
		found = nat_whohad_find(w, &q, keep, &answers);
		assert_int_equal(found, answers.count);
		assert_int_equal(found, right ? 1 : 0);
		if (!right)
			continue;
		hits++;
		assert_int_equal(answers.last.from, right->from);
		assert_int_equal(answers.last.to, right->to);
		assert_int_equal(answers.last.inside[3], right->inside & 255);
		assert_int_equal(answers.last.inside[2], right->inside >> 8);
	}
	assert_in_range(hits, QUESTIONS / 3, QUESTIONS * 2 / 3);
	nat_whohad_destroy(w);
	free(all);
	close(fd);
}

/* -- logs with holes ---------------------------------------------------------------------- */

static void
add(struct nat_whohad *w, enum nat_line_event event, uint32_t inside, int64_t time, int64_t since)
{
	struct held h = { .block = 0, .inside = inside, .from = since };
	char text[NAT_LINE_MAX];
	struct nat_line l;

	line_of(&l, event, &h, time);
	l.since = since;
	assert_int_equal(nat_whohad_line(w, text, nat_line_print(&l, text)), 0);
}

/* Who had it at this second after the beginning, as the last byte of the address; -1: nobody. */
static int
who(const struct nat_whohad *w, int second)
{
	struct nat_whohad_question q = { .address = mr_be32(0xc6120000u),
		.port = 1100,
		.from = BEGIN + second * 1000,
		.to = BEGIN + second * 1000 };
	struct answers answers = { 0 };

	if (!nat_whohad_find(w, &q, keep, &answers))
		return -1;
	assert_int_equal(answers.count, 1);
	return answers.last.inside[3];
}

static struct nat_whohad *
begin(void)
{
	struct nat_whohad *w;
	struct mr_error error;

	assert_int_equal(nat_whohad_create(&w, &error), 0);
	return w;
}

#define AT(s) (BEGIN + (s)*1000)

static void
holes_cost_what_they_told(void **state)
{
	struct nat_whohad *w = begin();

	/* The beginning is lost: the end says it. */
	add(w, NAT_LINE_BLOCK_RETURNED, 5, AT(100), AT(20));
	/* The end is lost: the next beginning. */
	add(w, NAT_LINE_BLOCK_GIVEN, 6, AT(200), 0);
	add(w, NAT_LINE_BLOCK_GIVEN, 7, AT(300), 0);
	/* Told again at the beginning of a file, and ended. */
	add(w, NAT_LINE_BLOCK_HELD, 7, AT(350), AT(301));
	add(w, NAT_LINE_BLOCK_RETURNED, 7, AT(400), AT(299));
	/* A new start ends all. */
	add(w, NAT_LINE_BLOCK_HELD, 8, AT(500), AT(450));
	add(w, NAT_LINE_STARTED, 0, AT(600), 0);
	add(w, NAT_LINE_BLOCK_GIVEN, 9, AT(700), 0);
	assert_int_equal(nat_whohad_line(w, "rubbish", 7), 0);
	nat_whohad_seal(w);
	assert_int_equal(who(w, 10), -1);
	assert_int_equal(who(w, 20), 5);
	assert_int_equal(who(w, 99), 5);
	assert_int_equal(who(w, 150), -1);
	assert_int_equal(who(w, 250), 6);
	assert_int_equal(who(w, 310), 7);
	assert_int_equal(who(w, 399), 7);
	assert_int_equal(who(w, 420), -1);
	assert_int_equal(who(w, 460), 8);
	assert_int_equal(who(w, 599), 8);
	assert_int_equal(who(w, 650), -1);
	assert_int_equal(who(w, 99999), 9);
	nat_whohad_destroy(w);
}

/* Blocks of different sizes, mappings, several translators. */
static void
everything_that_fits_is_told(void **state)
{
	static const struct {
		const char *what, *inside, *rest;
	} lines[] = {
		{ "block-given", "10.0.0.1",
		    "\"outside\":\"198.18.0.0\",\"first\":1024,\"last\":9999" },
		{ "block-given", "10.0.0.2",
		    "\"outside\":\"198.18.0.0\",\"first\":2000,\"last\":2009" },
		{ "mapping-begun", "10.0.0.3",
		    "\"outside\":\"198.18.0.0\",\"protocol\":\"tcp\",\"inside-port\":7,\"port\":"
		    "2005" },
		{ "mapping-begun", "10.0.0.4",
		    "\"outside\":\"198.18.0.0\",\"protocol\":\"udp\",\"inside-port\":7,\"port\":"
		    "2005" },
		{ "block-given", "fd00::5",
		    "\"outside\":\"198.18.0.1\",\"first\":1024,\"last\":9999" },
	};
	struct nat_whohad_question q = { .address = mr_be32(0xc6120000u),
		.from = 1500000,
		.to = 1500000 };
	static const struct {
		uint16_t port;
		uint8_t protocol;
		unsigned found;
	} cases[] = { { 2005, 0, 4 }, { 2005, 6, 3 }, { 2005, 17, 3 }, { 2005, 1, 2 },
		{ 2010, 0, 1 }, { 1023, 0, 0 }, { 10000, 0, 0 }, { 9999, 0, 1 }, { 1024, 0, 1 } };
	struct nat_whohad *w = begin();
	char text[NAT_LINE_MAX];
	uint64_t bad;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(lines); i++) {
		/* All of one translator but the second. */
		snprintf(text, sizeof(text),
		    "{\"time\":\"1000\",\"event\":\"%s\",\"nat\":\"%c\",\"inside\":\"%s\",%s}",
		    lines[i].what, i == 1 ? 'b' : 'a', lines[i].inside, lines[i].rest);
		assert_int_equal(nat_whohad_line(w, text, strlen(text)), 0);
	}
	assert_int_equal(nat_whohad_lines(w, &bad), 5);
	assert_int_equal(bad, 0);
	nat_whohad_seal(w);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		q.port = cases[i].port;
		q.protocol = cases[i].protocol;
		assert_int_equal(nat_whohad_find(w, &q, NULL, NULL), cases[i].found);
	}
	q.from = q.to = 999999;
	assert_int_equal(nat_whohad_find(w, &q, NULL, NULL), 0);
	nat_whohad_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_answers_are_right),
		cmocka_unit_test(holes_cost_what_they_told),
		cmocka_unit_test(everything_that_fits_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
