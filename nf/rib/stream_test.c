/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nf/rib/rib_test_int.h"
#include "nf/rib/stream.h"

/* "form=json&family=4", without escapes. */
static const char *
value(const void *arg, const char *name)
{
	static char found[4][64];
	static unsigned turn;
	const char *at = arg;
	size_t len = strlen(name);

	for (; at && *at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL) {
		if (strncmp(at, name, len) != 0 || at[len] != '=')
			continue;
		turn = (turn + 1) % 4;
		snprintf(found[turn], sizeof(found[0]), "%.*s", (int)strcspn(at + len + 1, "&"),
		    at + len + 1);
		return found[turn];
	}
	return NULL;
}

static int
open_stream(struct bed *b, const char *query, struct mr_nf_stream *s)
{
	const struct mr_nf_query q = { .value = value, .arg = query };

	return mr_rib_stream(b->rib, b->ip, &q, s, &b->error);
}

/* All of it, in pieces of `piece` bytes. */
static const char *
text_of(struct bed *b, const char *query, size_t piece)
{
	static char text[16384];
	struct mr_nf_stream s;
	size_t used = 0, n;

	assert_int_equal(open_stream(b, query, &s), 0);
	while ((n = s.read(s.state, text + used, MR_MIN(piece, sizeof(text) - 1 - used))) > 0)
		used += n;
	s.close(s.state);
	text[used] = 0;
	return text;
}

static void
some_routes(struct bed *b)
{
	struct mr_route_hop hops[2] = { via("10.1.0.1", 1), direct(2) };
	struct mr_route r = route("192.0.2.0/24", MR_ROUTE_FPM, hops, 2);

	bed_open(b);
	hops[0].weight = 3;
	r.protocol = 186;
	r.metric = 20;
	assert_int_equal(mr_rib_set(b->rib, 0, &r, &b->error), 0);
	set(b, "192.0.2.0/24", MR_ROUTE_KERNEL, via("10.2.0.1", 2));
	set(b, "198.51.100.0/24", MR_ROUTE_STATIC, via("192.0.2.9", 0));
	set(b, "0.0.0.0/0", MR_ROUTE_STATIC, special(MR_IP_SPECIAL_PROHIBIT));
	set(b, "2001:db8::/32", MR_ROUTE_STATIC, via("2001:db8:ff::1", 0));
	mr_rib_settle(b->rib);
}

static void
lines_for_people(void **state)
{
	static const char *const all =
	    "0.0.0.0/0                  static           active     prohibit\n"
	    "192.0.2.0/24               fpm/bgp          active     via 10.1.0.1 on i1 weight 3, "
	    "on i2 metric 20\n"
	    "192.0.2.0/24               kernel           shadowed   via 10.2.0.1 on i2\n"
	    "198.51.100.0/24            static           active     via 192.0.2.9 "
	    "(10.1.0.1%i1,192.0.2.9%i2)\n"
	    "2001:db8::/32              static           loops      via 2001:db8:ff::1\n";
	struct bed b;

	some_routes(&b);
	assert_string_equal(text_of(&b, "router=main", 4096), all);
	assert_string_equal(text_of(&b, "router=main&form=text", 7), all);
	assert_string_equal(text_of(&b, "router=main&source=kernel", 4096),
	    "192.0.2.0/24               kernel           shadowed   via 10.2.0.1 on i2\n");
	assert_string_equal(text_of(&b, "router=main&prefix=198.51.0.0/16&family=4", 4096),
	    "198.51.100.0/24            static           active     via 192.0.2.9 "
	    "(10.1.0.1%i1,192.0.2.9%i2)\n");
	assert_int_equal(strncmp(text_of(&b, "router=main&prefix=192.0.2.77", 99), all, 60), 0);
	assert_null(strstr(text_of(&b, "router=main&prefix=192.0.2.77", 99), "198.51"));
	assert_string_equal(text_of(&b, "router=other", 4096), "");
	assert_int_equal(strncmp(text_of(&b, "", 4096), "router main\n0.0.0.0/0", 20), 0);
	bed_close(&b);
}

static void
rows_for_programs(void **state)
{
	struct bed b;

	some_routes(&b);
	assert_string_equal(
	    text_of(&b, "router=main&form=json&prefix=192.0.2.0/24&source=fpm", 512),
	    "{\"router\":\"main\",\"prefix\":\"192.0.2.0/24\",\"source\":\"fpm\","
	    "\"protocol\":\"bgp\",\"metric\":20,\"state\":\"active\",\"next-hops\":["
	    "{\"address\":\"10.1.0.1\",\"interface\":\"i1\",\"weight\":3},"
	    "{\"interface\":\"i2\",\"weight\":1}],\"resolved\":\"%i2,10.1.0.1%i1\"}\n");
	assert_string_equal(text_of(&b, "router=main&form=ways&prefix=192.0.2.0/24", 512),
	    "192.0.2.0/24 fpm %i2,10.1.0.1%i1\n");
	assert_string_equal(text_of(&b, "router=main&form=count", 512),
	    "static     IPv4          2\n"
	    "static     IPv6          1  all loops\n"
	    "fpm        IPv4          1\n"
	    "kernel     IPv4          1  all shadowed\n");
	bed_close(&b);
}

static void
differences_of_the_fib(void **state)
{
	struct bed b;

	some_routes(&b);
	assert_string_equal(text_of(&b, "router=main&form=diff", 512), "");
	mr_fib4_set(b.ip->vrfs[0].fib4, 0, 0, MR_IP_SPECIAL_BLACKHOLE);
	assert_string_equal(text_of(&b, "router=main&form=diff", 5),
	    "0.0.0.0/0: the FIB has !blackhole, the RIB wants !prohibit\n");
	assert_string_equal(text_of(&b, "form=diff", 512),
	    "router main, 0.0.0.0/0: the FIB has !blackhole, the RIB wants !prohibit\n");
	assert_string_equal(text_of(&b, "form=diff&family=6", 512), "");
	bed_close(&b);
}

static void
what_makes_no_sense_is_refused(void **state)
{
	static const char *const bad[] = { "form=xml", "source=rumour", "family=5", "prefix=here",
		"prefix=10.0.0.0/33", "prefix=10.0.0.0/", "prefix=::/129", "prefix=10.0.0.0/8x" };
	struct mr_nf_stream s;
	struct bed b;

	bed_open(&b);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(bad); i++)
		assert_int_equal(open_stream(&b, bad[i], &s), -EINVAL);
	assert_int_equal(open_stream(&b, "router=nobody", &s), -ENOENT);
	bed_close(&b);
}

/* Routes and whole routers may go while somebody reads. */
static void
changes_while_it_is_read(void **state)
{
	struct mr_nf_stream s;
	struct bed b;
	char prefix[32], text[4096];
	size_t bytes = 0, n;

	bed_open(&b);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(prefix, sizeof(prefix), "100.64.%u.%u/32", i / 256, i % 256);
		set(&b, prefix, MR_ROUTE_FPM, via("10.1.0.1", 1));
	}
	assert_int_equal(open_stream(&b, "router=main", &s), 0);
	assert_int_equal(s.read(s.state, text, sizeof(text)), sizeof(text));
	for (unsigned i = 1000; i < 5000; i++) {
		snprintf(prefix, sizeof(prefix), "100.64.%u.%u/32", i / 256, i % 256);
		assert_int_equal(unset(&b, prefix, MR_ROUTE_FPM), 0);
	}
	while ((n = s.read(s.state, text, sizeof(text))) > 0)
		bytes += n;
	assert_true(bytes > 900 * 70 && bytes < 1000 * 80);
	s.close(s.state);
	assert_int_equal(open_stream(&b, "router=main", &s), 0);
	assert_int_equal(s.read(s.state, text, sizeof(text)), sizeof(text));
	mr_rib_clear_vrf(b.rib, 0);
	bytes = 0;
	while ((n = s.read(s.state, text, sizeof(text))) > 0)
		bytes += n;
	assert_true(bytes <= 8192);
	s.close(s.state);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_for_people),
		cmocka_unit_test(rows_for_programs),
		cmocka_unit_test(differences_of_the_fib),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(changes_while_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
