/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whatever runs out, it has a name: a reason of a drop, a counter of the instance, a line in the
 * program's log, once, and again while it lasts. What is there goes on meanwhile; when some of it ends
 * there is room again, and the log says nothing more. And a million mappings at once, whose holders are
 * known.
 */

#include <time.h>
#include <unistd.h>

#include "nf/nat/log/whohad.h"
#include "nf/nat/nat_test_int.h"

#define ONE "pool: [203.0.113.8]"
#define LATER A(10, 0, 0, 200)

static char heard[4096];

static void
hear(void *user, enum mr_log_level level, const char *line, size_t len)
{
	assert_int_equal(level, MR_LOG_WARNING);
	snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s\n", line);
}

static enum outcome
send_udp(struct bed *b, uint32_t src, uint16_t sport)
{
	struct pkt p = { .src = src,
		.sport = sport,
		.dst = REMOTE,
		.dport = 53,
		.proto = UDP,
		.len = 11 };

	return out(b, &p);
}

static const struct {
	const char *conf;
	enum nat_drop drop;
	enum nat_count count;
	unsigned hosts, each; /* what there is room for */
	bool own;             /* it is a host's own: another one has room */
	const char *said;
} cases[] = {
	{ ONE ", ports: 2000-2063", NAT_DROP_NO_PORT, NAT_COUNT_NO_PORT, 64, 1, false,
	    "no outside port is free for them" },
	{ ONE ", block: {size: 8, max: 2, linger: 0}", NAT_DROP_NO_PORT, NAT_COUNT_NO_PORT, 1, 16,
	    true, "no outside port is free for them" },
	{ ONE ", ports: 2000-2063, block: {size: 8, linger: 0}", NAT_DROP_NO_BLOCK,
	    NAT_COUNT_NO_BLOCK, 8, 1, false,
	    "no block of outside ports is free for their subscriber" },
	{ "pool: [203.0.113.8], ports: 2000-4047, deterministic: {inside: 10.0.0.0/24}",
	    NAT_DROP_NO_PORT, NAT_COUNT_NO_PORT, 1, 8, true, "no outside port is free for them" },
	{ ONE ", limits: {udp: 3}", NAT_DROP_LIMIT, NAT_COUNT_LIMIT, 1, 3, true,
	    "their subscriber has as many ports or sessions as it may" },
	{ ONE ", limits: {subscribers: 10}", NAT_DROP_NO_SUBSCRIBER, NAT_COUNT_NO_SUBSCRIBER, 10, 1,
	    false, "no room for another subscriber" },
	{ ONE ", port-preservation: false}}, max: 1024 #", NAT_DROP_FULL, NAT_COUNT_FULL, 16, 64,
	    false, "no room for another mapping or session (nat/max)" },
};

static void
check_said(struct bed *b, unsigned dropped, const char *said, uint32_t later)
{
	char wanted[200] = "";

	heard[0] = '\0';
	mr_dataplane_tick(b->dp, nat_seconds() + later);
	if (dropped)
		snprintf(wanted, sizeof(wanted), "nat x: %u packets dropped: %s\n", dropped, said);
	assert_string_equal(heard, wanted);
}

static void
one_case(struct bed *b, unsigned n)
{
	struct pkt back = { 0 };
	uint32_t extra = cases[n].own ? HOST : LATER;
	unsigned dropped;

	for (unsigned h = 0; h < cases[n].hosts; h++)
		for (unsigned i = 0; i < cases[n].each; i++) {
			assert_int_equal(send_udp(b, HOST + h, (uint16_t)(5000 + i)), PASSED);
			if (!h && !i)
				back = answer(b);
		}
	/* Where exactly there is no room is the table's and its caches' business. */
	for (unsigned i = 0, last = 0; cases[n].count == NAT_COUNT_FULL && last < 100; i++)
		last = send_udp(b, A(10, 0, 1, 0) + i / 64, (uint16_t)(5000 + i % 64)) == PASSED
		    ? 0
		    : last + 1;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_udp(b, extra, (uint16_t)(9000 + i)), DROPPED);
	dropped = (unsigned)bed_counter(b, cases[n].count);
	assert_true(cases[n].count == NAT_COUNT_FULL ? dropped >= 103 : dropped == 3);
	assert_int_equal(bed_drops(b, "nat-out@wan", cases[n].drop), dropped);
	check_said(b, dropped, cases[n].said, 0);
	/* It lasts: it is said again after a minute, not before. */
	assert_int_equal(send_udp(b, extra, 9000), DROPPED);
	check_said(b, 0, "", 30);
	check_said(b, 1, cases[n].said, 61);
	if (cases[n].own)
		assert_int_equal(send_udp(b, LATER, 9000), PASSED);
	assert_int_equal(in(b, &back), PASSED);
	assert_int_equal(b->last.p.dst, HOST);
	/* All of it ends. */
	bed_later(b, 301);
	bed_sweep(b);
	mr_dataplane_tick(b->dp, nat_seconds() + 130);
	for (unsigned i = 0; i < 3 && i < cases[n].each; i++)
		assert_int_equal(send_udp(b, extra, (uint16_t)(9000 + i)), PASSED);
	check_said(b, 0, "", 300);
}

static void
what_runs_out(void **state)
{
	static struct bed b;

	for (unsigned n = 0; n < MR_ARRAY_COUNT(cases); n++) {
		bed_open(&b, cases[n].conf);
		b.log.sink = hear;
		one_case(&b, n);
		bed_close(&b);
	}
}

/* -- a million ---------------------------------------------------------------------------- */

#define MAPPINGS 1000000u
#define EACH 1000u /* of a host */
#define QUESTIONS 1000u
#define AT_ONCE 250u

struct end {
	uint32_t address;
	uint16_t port;
};

static struct end *ends; /* [MAPPINGS] */

static uint32_t
host_of(unsigned n)
{
	return A(10, 1, 0, 0) + n / EACH;
}

static void
make_some(struct bed *b, struct frame *frames, unsigned first)
{
	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct pkt p = { .src = host_of(first + i),
			.sport = (uint16_t)(2000 + (first + i) % EACH),
			.dst = REMOTE,
			.dport = 53,
			.proto = UDP,
			.id = (uint16_t)i };

		frame_make(&frames[i], &p);
	}
	b->count = 0;
	bed_run(b, "nat-out@wan", b->lan, frames, AT_ONCE);
	assert_int_equal(b->count, AT_ONCE);
	for (unsigned i = 0; i < AT_ONCE; i++)
		ends[first + i] = (struct end){ b->seen[i].p.src, b->seen[i].p.sport };
}

static void
keep(void *arg, const struct nat_whohad_answer *a)
{
	*(struct nat_whohad_answer *)arg = *a;
}

static void
ask(struct nat_whohad *w, unsigned n)
{
	int64_t now = (int64_t)time(NULL) * 1000 + 1900;
	struct nat_whohad_question q = { .address = mr_be32(ends[n].address),
		.port = ends[n].port,
		.protocol = UDP,
		.from = now - 1000,
		.to = now };
	struct nat_whohad_answer a = { 0 };
	be32_t inside;

	assert_int_equal(nat_whohad_find(w, &q, keep, &a), 1);
	assert_true(a.to == NAT_WHOHAD_NOW);
	memcpy(&inside, a.inside, 4);
	assert_int_equal(mr_be32(inside), host_of(n));
}

static void
a_million_and_who_had_them(void **state)
{
	static struct bed b;
	static struct frame frames[AT_ONCE];
	char path[] = "/tmp/nat-million.XXXXXX", body[400];
	uint64_t seed = 11;
	struct nat_whohad *w;
	struct mr_error error;

	close(mkstemp(path));
	snprintf(body, sizeof(body),
	    "source: [10.0.0.0/8], pool: [203.0.113.64/26], block: {size: 128, max: 8}}}, max: "
	    "1100000, log: {file: %s} #",
	    path);
	ends = calloc(MAPPINGS, sizeof(*ends));
	bed_open(&b, body);
	for (unsigned i = 0; i < MAPPINGS; i += AT_ONCE) {
		make_some(&b, frames, i);
		/* The log's queue is emptied by the control thread. */
		if (i % (100 * AT_ONCE) == 0)
			mr_dataplane_tick(b.dp, nat_seconds());
	}
	mr_dataplane_tick(b.dp, nat_seconds());
	assert_int_equal(nat_mappings(b.nat->core->table, b.nat->conf.instances[0].number),
	    MAPPINGS);
	assert_int_equal(nat_whohad_create(&w, &error), 0);
	assert_int_equal(nat_whohad_read(w, path, &error), 0);
	nat_whohad_seal(w);
	for (unsigned i = 0; i < QUESTIONS; i++)
		ask(w, (unsigned)(draw(&seed) % MAPPINGS));
	nat_whohad_destroy(w);
	/* They are held: what comes for them is the inside's. */
	for (unsigned i = 0; i < QUESTIONS; i++) {
		unsigned n = (unsigned)(draw(&seed) % MAPPINGS);
		struct pkt p = { .src = REMOTE,
			.sport = 53,
			.dst = ends[n].address,
			.dport = ends[n].port,
			.proto = UDP };

		assert_int_equal(in(&b, &p), PASSED);
		assert_int_equal(b.last.p.dst, host_of(n));
		assert_int_equal(b.last.p.dport, 2000 + n % EACH);
	}
	bed_close(&b);
	unlink(path);
	free(ends);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_runs_out),
		cmocka_unit_test(a_million_and_who_had_them),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
