/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6888: carrier-grade NAT, requirement by requirement; and RFC 7422. */
#include <unistd.h>

#include "nf/nat/nat_test_int.h"
#include "nf/nat/log/whohad.h"

#define ONE "pool: [203.0.113.8]"

static struct pkt
udp(uint32_t src, uint16_t sport)
{
	return (struct pkt){ .src = src,
		.sport = sport,
		.dst = REMOTE,
		.dport = 53,
		.proto = UDP,
		.len = 11 };
}

static enum outcome
send_udp(struct bed *b, uint32_t src, uint16_t sport)
{
	struct pkt p = udp(src, sport);

	return out(b, &p);
}

static void
pool_state(const struct bed *b, struct nat_pool_state *s)
{
	nat_pool_state(b->nat->pools[b->nat->conf.instances[0].number].pool, s);
}

static void
tick(struct bed *b, uint32_t later)
{
	mr_dataplane_tick(b->dp, nat_seconds() + later);
}

/* REQ-2: paired pooling is the default, with blocks as without. */
static void
req2_paired(void **state)
{
	static struct bed b;

	bed_open(&b, "pool: [203.0.113.8-203.0.113.15], block: {size: 16, max: 4}");
	for (uint32_t n = 0; n < 20; n++) {
		uint32_t address = 0;

		for (uint16_t i = 0; i < 64; i++) {
			assert_int_equal(send_udp(&b, HOST + n, (uint16_t)(5000 + i)), PASSED);
			assert_true(!address || address == b.last.p.src);
			address = b.last.p.src;
		}
	}
	bed_close(&b);
}

/* REQ-3: any addresses, next to each other or not. */
static void
req3_any_addresses(void **state)
{
	static struct bed b;
	bool seen[256] = { false };

	bed_open(&b,
	    "pool: [203.0.113.200, 203.0.113.8-203.0.113.9, 203.0.113.64/30], paired: false");
	for (uint16_t i = 0; i < 500; i++) {
		assert_int_equal(send_udp(&b, HOST, (uint16_t)(5000 + i)), PASSED);
		seen[b.last.p.src & 255] = true;
	}
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(seen[i], i == 200 || i == 8 || i == 9 || (i >= 64 && i <= 67));
	bed_close(&b);
}

/* REQ-4: ports of a subscriber are limited, by protocol, and how fast it takes them. */
static void
req4_port_limits(void **state)
{
	static struct bed b;
	struct pkt tcp = { .src = HOST,
		.dst = REMOTE,
		.dport = 80,
		.proto = TCP,
		.flags = MR_TCP_SYN };

	bed_open(&b, ONE ", limits: {udp: 5, tcp: 3}");
	for (uint16_t i = 0; i < 5; i++)
		assert_int_equal(send_udp(&b, HOST, (uint16_t)(5000 + i)), PASSED);
	assert_int_equal(send_udp(&b, HOST, 5005), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_LIMIT), 1);
	assert_int_equal(send_udp(&b, HOST2, 5005), PASSED);
	for (uint16_t i = 0; i < 3; i++) {
		tcp.sport = (uint16_t)(6000 + i);
		assert_int_equal(out(&b, &tcp), PASSED);
	}
	tcp.sport++;
	assert_int_equal(out(&b, &tcp), DROPPED);
	/* What is there goes on, and what ends makes room. */
	assert_int_equal(send_udp(&b, HOST, 5000), PASSED);
	bed_later(&b, 301);
	assert_int_equal(send_udp(&b, HOST, 5000), PASSED);
	bed_sweep(&b);
	assert_int_equal(send_udp(&b, HOST, 5005), PASSED);
	bed_close(&b);

	bed_open(&b, ONE ", limits: {rate: 10}");
	for (uint16_t i = 0; i < 100; i++)
		(void)send_udp(&b, HOST, (uint16_t)(5000 + i));
	/* The second may have ended meanwhile. */
	assert_in_range(bed_drops(&b, "nat-out@wan", NAT_DROP_RATE), 80, 90);
	assert_int_equal(send_udp(&b, HOST2, 5000), PASSED);
	bed_close(&b);
}

/* REQ-5: sessions of a subscriber are limited. */
static void
req5_session_limit(void **state)
{
	static struct bed b;
	struct pkt p = udp(HOST, 5000);

	bed_open(&b, ONE ", filtering: address-and-port-dependent, limits: {sessions: 4}");
	for (uint16_t i = 0; i < 4; i++) {
		p.dport = (uint16_t)(53 + i);
		assert_int_equal(out(&b, &p), PASSED);
	}
	p.dport = 100;
	assert_int_equal(out(&b, &p), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_LIMIT), 1);
	p.dport = 53;
	assert_int_equal(out(&b, &p), PASSED);
	bed_close(&b);
}

/* REQ-6: some destinations are not translated. */
static void
req6_excluded(void **state)
{
	static struct bed b;
	struct pkt p = udp(HOST, 5000);

	bed_open(&b, ONE ", exclude: [198.51.100.8/32], block: {size: 64}");
	p.dst = REMOTE2;
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, HOST);
	p.dst = REMOTE;
	assert_int_equal(out(&b, &p), PASSED);
	assert_int_equal(b.last.p.src, POOL);
	bed_close(&b);
}

/* REQ-7: endpoint-independent filtering is the default. */
static void
req7_filtering(void **state)
{
	static struct bed b;
	struct pkt back;

	bed_open(&b, ONE ", block: {size: 64}");
	assert_int_equal(send_udp(&b, HOST, 5000), PASSED);
	back = answer(&b);
	back.src = REMOTE2;
	back.sport = 999;
	assert_int_equal(in(&b, &back), PASSED);
	assert_int_equal(b.last.p.dst, HOST);
	bed_close(&b);
}

/* REQ-8: a port that was given back waits, so long, and no more of them than are allowed. */
static void
req8_quarantine(void **state)
{
	static struct bed b;
	struct nat_pool_state s;

	bed_open(&b, ONE ", ports: 2000-2003, quarantine: 120, quarantine-max: 3");
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(send_udp(&b, HOST, (uint16_t)(5000 + i)), PASSED);
	bed_later(&b, 301);
	bed_sweep(&b);
	pool_state(&b, &s);
	assert_int_equal(s.quarantined, 3);
	assert_int_equal(s.counts[NAT_POOL_QUARANTINE_SHORT], 1);
	assert_int_equal(send_udp(&b, HOST2, 5000), PASSED);
	assert_int_equal(send_udp(&b, HOST2, 5001), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_NO_PORT), 1);
	tick(&b, 119);
	assert_int_equal(send_udp(&b, HOST2, 5001), DROPPED);
	tick(&b, 121);
	for (uint16_t i = 1; i < 4; i++)
		assert_int_equal(send_udp(&b, HOST2, (uint16_t)(5000 + i)), PASSED);
	bed_close(&b);
}

/* REQ-11: what finds no port or block is dropped and counted; nothing of what is there ends for it;
 * it goes on when there is something again. */
static void
req11_exhaustion(void **state)
{
	static const struct {
		const char *conf;
		enum nat_drop drop;
		unsigned fit; /* subscribers with one mapping each */
	} cases[] = {
		{ "ports: 2000-2063", NAT_DROP_NO_PORT, 64 },
		{ "ports: 2000-2063, block: {size: 8, linger: 0}", NAT_DROP_NO_BLOCK, 8 },
		{ "limits: {subscribers: 10}", NAT_DROP_NO_SUBSCRIBER, 10 },
	};
	static struct bed b;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct pkt back[64];
		char body[200];

		snprintf(body, sizeof(body), ONE ", %s", cases[i].conf);
		bed_open(&b, body);
		for (uint32_t n = 0; n < cases[i].fit; n++) {
			assert_int_equal(send_udp(&b, HOST + n, 5000), PASSED);
			back[n] = answer(&b);
		}
		assert_int_equal(send_udp(&b, HOST + 100, 5000), DROPPED);
		assert_int_equal(send_udp(&b, HOST + 100, 5000), DROPPED);
		assert_int_equal(bed_drops(&b, "nat-out@wan", cases[i].drop), 2);
		for (uint32_t n = 0; n < cases[i].fit; n++) {
			assert_int_equal(in(&b, &back[n]), PASSED);
			assert_int_equal(b.last.p.dst, HOST + n);
		}
		bed_later(&b, 301);
		bed_sweep(&b);
		tick(&b, 100);
		assert_int_equal(send_udp(&b, HOST + 100, 5000), PASSED);
		bed_close(&b);
	}
}

static char heard[4096];

static void
hear(void *user, enum mr_log_level level, const char *line, size_t len)
{
	assert_int_equal(level, MR_LOG_WARNING);
	snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s\n", line);
}

/* REQ-11 C: the operator is told, at once, and each minute while it lasts. */
static void
req11_notification(void **state)
{
	static struct bed b;

	bed_open(&b, ONE ", ports: 2000-2003, limits: {udp: 2}");
	b.log.sink = hear;
	heard[0] = '\0';
	for (uint16_t i = 0; i < 9; i++)
		(void)send_udp(&b, HOST + i / 3, (uint16_t)(5000 + i));
	tick(&b, 0);
	assert_string_equal(heard,
	    "nat x: 3 packets dropped: no outside port is free for them\n"
	    "nat x: 2 packets dropped: their subscriber has as many ports or sessions as it may\n");
	heard[0] = '\0';
	for (uint16_t i = 0; i < 5; i++)
		(void)send_udp(&b, A(10, 0, 0, 99), (uint16_t)(5000 + i));
	tick(&b, 30);
	assert_string_equal(heard, "");
	tick(&b, 61);
	assert_string_equal(heard, "nat x: 5 packets dropped: no outside port is free for them\n");
	tick(&b, 200);
	assert_string_equal(strchr(heard, '\n'), "\n");
	bed_close(&b);
}

/* REQ-11 with blocks: those of one subscriber are full. */
static void
req11_own_blocks(void **state)
{
	static struct bed b;

	bed_open(&b, ONE ", block: {size: 8, max: 2}");
	for (uint16_t i = 0; i < 16; i++)
		assert_int_equal(send_udp(&b, HOST, (uint16_t)(5000 + i)), PASSED);
	assert_int_equal(send_udp(&b, HOST, 6000), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_NO_PORT), 1);
	assert_int_equal(send_udp(&b, HOST2, 6000), PASSED);
	bed_close(&b);
}

/* REQ-13: every port is used before one is refused. */
static void
req13_utilization(void **state)
{
	static struct bed b;
	bool used[64] = { false };

	bed_open(&b, ONE ", ports: 2000-2063, block: {size: 16, max: 4}");
	for (uint16_t i = 0; i < 64; i++) {
		assert_int_equal(send_udp(&b, HOST, (uint16_t)(5000 + i)), PASSED);
		assert_in_range(b.last.p.sport, 2000, 2063);
		assert_false(used[b.last.p.sport - 2000]);
		used[b.last.p.sport - 2000] = true;
	}
	bed_close(&b);
}

/* REQ-15: what comes next cannot be told from what was. */
static void
req15_unpredictable(void **state)
{
	static struct bed b;
	uint16_t before = 0;
	unsigned next = 0;

	for (unsigned blocks = 0; blocks < 2; blocks++) {
		bed_open(&b,
		    blocks ? ONE ", port-preservation: false, block: {size: 4096}"
			   : ONE ", port-preservation: false");
		for (uint16_t i = 0; i < 300; i++) {
			assert_int_equal(send_udp(&b, HOST, (uint16_t)(5000 + i)), PASSED);
			next += (uint16_t)(b.last.p.sport - before) <= 2;
			before = b.last.p.sport;
		}
		assert_true(next < 10);
		bed_close(&b);
	}
}

/* RFC 7422: the outside ports follow from the inside address, by hand: 256 addresses for 4, so 64
 * share each, and have 1,008 ports of 64,512. */
static void
rfc7422_deterministic(void **state)
{
	static struct bed b;
	static const struct {
		uint32_t inside, outside;
		uint16_t first;
	} cases[] = {
		{ A(10, 0, 0, 0), POOL, 1024 },
		{ A(10, 0, 0, 1), POOL, 2032 },
		{ A(10, 0, 0, 63), POOL, 64528 },
		{ A(10, 0, 0, 64), POOL + 1, 1024 },
		{ A(10, 0, 0, 255), POOL + 3, 64528 },
	};

	bed_open(&b, "pool: [203.0.113.8-203.0.113.11], deterministic: {inside: 10.0.0.0/24}");
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++)
		for (uint16_t k = 0; k < 10; k++) {
			assert_int_equal(send_udp(&b, cases[i].inside, (uint16_t)(100 + k)),
			    PASSED);
			assert_int_equal(b.last.p.src, cases[i].outside);
			assert_in_range(b.last.p.sport, cases[i].first, cases[i].first + 1007);
		}
	assert_int_equal(send_udp(&b, A(10, 0, 1, 0), 5000), DROPPED);
	assert_int_equal(bed_drops(&b, "nat-out@wan", NAT_DROP_NO_SUBSCRIBER), 1);
	bed_close(&b);
}

/* -- the log ------------------------------------------------------------------------------ */

static char path[64];

static uint64_t
lines(const char *what)
{
	char line[1000];
	FILE *f = fopen(path, "r");
	uint64_t n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		/* REQ-12: no destinations. */
		assert_null(strstr(line, "198.51.100"));
		n += strstr(line, what) != NULL;
	}
	fclose(f);
	return n;
}

static void
keep(void *arg, const struct nat_whohad_answer *a)
{
	*(struct nat_whohad_answer *)arg = *a;
}

/* Who had it just now; 0: nobody. */
static uint32_t
who(be32_t outside, uint16_t port, uint8_t protocol, bool *still)
{
	/* This second, whole, and the clocks of others a moment ahead. */
	int64_t now = (int64_t)time(NULL) * 1000 + 1900;
	struct nat_whohad_question q = { .address = outside,
		.port = port,
		.protocol = protocol,
		.from = now - 4000,
		.to = now };
	struct nat_whohad_answer a = { 0 };
	struct nat_whohad *w;
	struct mr_error error;
	be32_t inside;

	assert_int_equal(nat_whohad_create(&w, &error), 0);
	assert_int_equal(nat_whohad_read(w, path, &error), 0);
	nat_whohad_seal(w);
	if (!nat_whohad_find(w, &q, keep, &a)) {
		nat_whohad_destroy(w);
		return 0;
	}
	*still = a.to == NAT_WHOHAD_NOW;
	memcpy(&inside, a.inside, 4);
	nat_whohad_destroy(w);
	return mr_be32(inside);
}

static void
log_open(struct bed *b, const char *body)
{
	char text[500];

	snprintf(path, sizeof(path), "/tmp/nat-rfc6888.XXXXXX");
	close(mkstemp(path));
	bed_open(b, body);
	snprintf(text, sizeof(text),
	    "nat: {log: {file: %s}, instance: {x: {outside: [wan], inside: [lan], %s}}}\n", path,
	    body);
	bed_apply(b, text);
}

/* REQ-12, REQ-14: a line for each block, however many mappings, and who had which. */
static void
req14_blocks_are_logged(void **state)
{
	static struct bed b;
	struct pkt out[20];
	bool still;

	log_open(&b, ONE ", block: {size: 128, linger: 0}");
	for (uint32_t n = 0; n < 20; n++)
		for (uint16_t i = 0; i < 100; i++) {
			assert_int_equal(send_udp(&b, HOST + n, (uint16_t)(5000 + i)), PASSED);
			out[n] = b.last.p;
		}
	tick(&b, 0);
	assert_int_equal(lines("block-given"), 20);
	assert_int_equal(lines(""), 21);
	for (uint32_t n = 0; n < 20; n++) {
		assert_int_equal(who(mr_be32(out[n].src), out[n].sport, 0, &still), HOST + n);
		assert_true(still);
	}
	bed_later(&b, 301);
	bed_sweep(&b);
	tick(&b, 2);
	tick(&b, 2);
	assert_int_equal(lines("block-returned"), 20);
	assert_int_equal(who(mr_be32(out[3].src), out[3].sport, 0, &still), HOST + 3);
	assert_false(still);
	bed_close(&b);
	unlink(path);
}

/* Without blocks: each mapping, where that is asked for. */
static void
mappings_are_logged(void **state)
{
	static struct bed b;
	struct pkt p;
	bool still;

	log_open(&b, ONE ", log-mappings: true");
	assert_int_equal(send_udp(&b, HOST, 5000), PASSED);
	p = b.last.p;
	assert_int_equal(send_udp(&b, HOST2, 5000), PASSED);
	tick(&b, 0);
	assert_int_equal(lines("mapping-begun"), 2);
	assert_int_equal(who(mr_be32(p.src), p.sport, UDP, &still), HOST);
	assert_true(still);
	assert_int_equal(who(mr_be32(p.src), p.sport, TCP, &still), 0);
	bed_later(&b, 301);
	bed_sweep(&b);
	tick(&b, 0);
	assert_int_equal(lines("mapping-ended"), 2);
	bed_close(&b);
	unlink(path);
}

/* A pool that another replaces: its blocks are returned; mappings that stay are told of. */
static void
a_new_pool_keeps_the_log_right(void **state)
{
	static struct bed b;
	char text[500];
	struct pkt p;
	bool still;

	log_open(&b, ONE ", block: {size: 128}");
	assert_int_equal(send_udp(&b, HOST, 5000), PASSED);
	p = b.last.p;
	snprintf(text, sizeof(text),
	    "nat: {log: {file: %s}, instance: {x: {outside: [wan], inside: [lan], pool: "
	    "[203.0.113.8-203.0.113.9], block: {size: 256}}}}\n",
	    path);
	bed_apply(&b, text);
	assert_int_equal(send_udp(&b, HOST, 5000), PASSED);
	assert_int_equal(b.last.p.sport, p.sport);
	tick(&b, 0);
	assert_int_equal(lines("block-returned"), 1);
	assert_int_equal(lines("mapping-begun"), 1);
	assert_int_equal(who(mr_be32(p.src), p.sport, UDP, &still), HOST);
	/* Another log begins with what is held. */
	assert_int_equal(send_udp(&b, HOST2, 5000), PASSED);
	p = b.last.p;
	tick(&b, 0);
	unlink(path);
	snprintf(path, sizeof(path), "/tmp/nat-rfc6888.XXXXXX");
	close(mkstemp(path));
	snprintf(text, sizeof(text),
	    "nat: {log: {file: %s}, instance: {x: {outside: [wan], inside: [lan], pool: "
	    "[203.0.113.8-203.0.113.9], block: {size: 256}}}}\n",
	    path);
	bed_apply(&b, text);
	tick(&b, 0);
	assert_int_equal(lines("block-held"), 1);
	assert_int_equal(who(mr_be32(p.src), p.sport, UDP, &still), HOST2);
	assert_true(still);
	bed_close(&b);
	unlink(path);
}

static void
what_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *conf, *said;
	} cases[] = {
		{ "pool: [203.0.113.8], block: {size: 64}, deterministic: {inside: 10.0.0.0/24}",
		    "what is deterministic has no blocks" },
		{ "deterministic: {inside: 10.0.0.0/24}", "needs a pool" },
		{ "pool: [203.0.113.8], ports: 2000-2099, deterministic: {inside: 10.0.0.0/24}",
		    "256 inside addresses to each outside address, and 100 ports" },
		{ "pool: [203.0.113.8], deterministic: {inside: 10.0.0.9-10.0.0.1}",
		    "goes downwards" },
		{ "pool: [203.0.113.8], ports: 2000-2099, block: {size: 128}",
		    "more than the 100 ports that there are" },
	};
	char text[500], said[1000];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		snprintf(text, sizeof(text), "nat: {instance: {x: {outside: [wan], %s}}}\n",
		    cases[i].conf);
		bed_check(text, said, sizeof(said));
		if (!strstr(said, cases[i].said))
			fail_msg("%s: \"%s\"", cases[i].conf, said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req2_paired),
		cmocka_unit_test(req3_any_addresses),
		cmocka_unit_test(req4_port_limits),
		cmocka_unit_test(req5_session_limit),
		cmocka_unit_test(req6_excluded),
		cmocka_unit_test(req7_filtering),
		cmocka_unit_test(req8_quarantine),
		cmocka_unit_test(req11_exhaustion),
		cmocka_unit_test(req11_notification),
		cmocka_unit_test(req11_own_blocks),
		cmocka_unit_test(req13_utilization),
		cmocka_unit_test(req15_unpredictable),
		cmocka_unit_test(rfc7422_deterministic),
		cmocka_unit_test(req14_blocks_are_logged),
		cmocka_unit_test(mappings_are_logged),
		cmocka_unit_test(a_new_pool_keeps_the_log_right),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
