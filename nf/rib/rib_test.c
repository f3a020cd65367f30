/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "nf/rib/rib_test_int.h"

static void
accepts_and_refuses(void **state)
{
	struct bed b;
	struct mr_route r;
	struct mr_route_hop hop = via("10.1.0.9", 1);

	bed_open(&b);
	r = route("192.0.2.0/24", MR_ROUTE_STATIC, &hop, 1);
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	assert_int_equal(mr_rib_set(b.rib, 7, &r, &b.error), -EINVAL);
	r.prefix[3] = 1;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), -EINVAL);
	r.prefix[3] = 0;
	r.len = 33;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), -EINVAL);
	r.len = 24;
	r.hop_count = 0;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), -EINVAL);
	r.hop_count = 1;
	hop.interface = 77;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), -EINVAL);
	assert_non_null(strstr(b.error.text, "no interface"));
	hop.interface = OTHER_VRF_INTERFACE;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), -EINVAL);
	assert_non_null(strstr(b.error.text, "belongs to router"));
	hop.onlink = true;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	hop = (struct mr_route_hop){ .kind = 9 };
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), -EINVAL);
	hop = via("10.1.0.9", 1);
	r = route("2001:db8::/32", MR_ROUTE_STATIC, &hop, 1);
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), -EINVAL);
	assert_int_equal(mr_rib_count(b.rib, 0, MR_IP4, MR_ROUTE_STATIC), 1);
	assert_int_equal(unset(&b, "192.0.2.0/24", MR_ROUTE_STATIC), 0);
	assert_int_equal(unset(&b, "192.0.2.0/24", MR_ROUTE_STATIC), -ENOENT);
	assert_int_equal(unset(&b, "2001:db8::/32", MR_ROUTE_STATIC), -ENOENT);
	assert_int_equal(in_fib(&b, "192.0.2.1"), 0);
	bed_close(&b);
}

static void
the_preferred_source_wins(void **state)
{
	struct bed b;

	bed_open(&b);
	set(&b, "192.0.2.0/24", MR_ROUTE_KERNEL, via("10.1.0.9", 1));
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.1.0.9 i1");
	set(&b, "192.0.2.0/24", MR_ROUTE_FPM, via("10.2.0.9", 2));
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.2.0.9 i2");
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_KERNEL), MR_ROUTE_SHADOWED);
	set(&b, "192.0.2.0/24", MR_ROUTE_STATIC, special(MR_IP_SPECIAL_BLACKHOLE));
	assert_int_equal(in_fib(&b, "192.0.2.1"), MR_IP_SPECIAL_BLACKHOLE);
	assert_int_equal(unset(&b, "192.0.2.0/24", MR_ROUTE_FPM), 0);
	assert_int_equal(unset(&b, "192.0.2.0/24", MR_ROUTE_STATIC), 0);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.1.0.9 i1");
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_KERNEL), MR_ROUTE_ACTIVE);
	bed_close(&b);
}

static void
the_kernels_lowest_metric_wins(void **state)
{
	struct mr_route_hop one = via("10.1.0.9", 1), two = via("10.2.0.9", 2);
	uint8_t prefix[16] = { 192, 0, 2 };
	struct mr_route r;
	struct bed b;

	bed_open(&b);
	r = route("192.0.2.0/24", MR_ROUTE_KERNEL, &one, 1);
	r.metric = 200;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	r = route("192.0.2.0/24", MR_ROUTE_KERNEL, &two, 1);
	r.metric = 100;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	assert_int_equal(mr_rib_count(b.rib, 0, MR_IP4, MR_ROUTE_KERNEL), 2);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.2.0.9 i2");
	assert_int_equal(mr_rib_unset_metric(b.rib, 0, MR_IP4, prefix, 24, MR_ROUTE_KERNEL, 5),
	    -ENOENT);
	assert_int_equal(mr_rib_unset_metric(b.rib, 0, MR_IP4, prefix, 24, MR_ROUTE_KERNEL, 100),
	    0);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.1.0.9 i1");
	assert_int_equal(unset(&b, "192.0.2.0/24", MR_ROUTE_KERNEL), 0);
	assert_int_equal(in_fib(&b, "192.0.2.1"), 0);
	/* Another source has one, whatever the metric. */
	r = route("192.0.2.0/24", MR_ROUTE_FPM, &two, 1);
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	r.metric = 7;
	r.hops = &one;
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	assert_int_equal(mr_rib_count(b.rib, 0, MR_IP4, MR_ROUTE_FPM), 1);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.1.0.9 i1");
	bed_close(&b);
}

static void
links_decide(void **state)
{
	struct bed b;
	struct mr_route_hop far = via("172.16.0.1", 1);

	bed_open(&b);
	set(&b, "0.0.0.0/0", MR_ROUTE_STATIC, via("10.1.0.1", 1));
	set(&b, "10.2.0.0/24", MR_ROUTE_CONNECTED, direct(2));
	set(&b, "10.2.0.0/24", MR_ROUTE_KERNEL, via("10.3.0.1", 3));
	assert_int_equal(mr_group_usable(b.ip, in_fib(&b, "10.2.0.1")), 1);
	flap(&b, 2, false);
	assert_int_equal(state_of(&b, "10.2.0.0/24", MR_ROUTE_CONNECTED), MR_ROUTE_UNRESOLVED);
	assert_string_equal(leads_to(&b, "10.2.0.1"), "10.3.0.1 i3");
	flap(&b, 3, false);
	assert_string_equal(leads_to(&b, "10.2.0.1"), "10.1.0.1 i1");
	flap(&b, 2, true);
	assert_int_equal(state_of(&b, "10.2.0.0/24", MR_ROUTE_CONNECTED), MR_ROUTE_ACTIVE);
	/* Not on the link, unless it is said to be. */
	set(&b, "192.0.2.0/24", MR_ROUTE_STATIC, far);
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_STATIC), MR_ROUTE_UNRESOLVED);
	far.onlink = true;
	set(&b, "192.0.2.0/24", MR_ROUTE_STATIC, far);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "172.16.0.1 i1");
	/* Our own address is nobody to send to. */
	set(&b, "192.0.2.0/24", MR_ROUTE_STATIC, via("10.1.0.254", 1));
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_STATIC), MR_ROUTE_LOOPS);
	/* IPv4 through an IPv6 neighbour (RFC 8950). */
	set(&b, "192.0.2.0/24", MR_ROUTE_STATIC, via("fe80::9", 1));
	assert_string_equal(leads_to(&b, "192.0.2.1"), "fe80::9 i1");
	bed_close(&b);
}

static void
an_interface_that_goes_takes_its_routes(void **state)
{
	struct mr_route_hop hops[2];
	struct mr_route r;
	struct bed b;
	uint16_t again;

	bed_open(&b);
	hops[0] = via("10.4.0.1", 4);
	hops[1] = via("10.1.0.1", 1);
	r = route("198.51.100.0/24", MR_ROUTE_FPM, hops, 2);
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	set(&b, "192.0.2.0/24", MR_ROUTE_FPM, hops[0]);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.4.0.1 i4");
	mr_rib_interface_gone(b.rib, 4);
	assert_int_equal(mr_adjacency_find(b.ip, 4, MR_IP4, hops[0].address), 0);
	mr_ip_interface_destroy(b.ip, 4);
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_FPM), MR_ROUTE_UNRESOLVED);
	assert_int_equal(in_fib(&b, "192.0.2.1"), 0);
	assert_string_equal(leads_to(&b, "198.51.100.1"), "10.1.0.1 i1");
	r = route("203.0.113.0/24", MR_ROUTE_FPM, hops, 2);
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), -EINVAL);
	/* Whoever has its number next is another. */
	assert_int_equal(mr_ip_interface_create(b.ip, "new", &again, &b.error), 0);
	assert_int_equal(again, 4);
	interface_with(&b, 4);
	mr_rib_settle(b.rib);
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_FPM), MR_ROUTE_UNRESOLVED);
	set(&b, "192.0.2.0/24", MR_ROUTE_FPM, hops[0]);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.4.0.1 new");
	assert_string_equal(leads_to(&b, "198.51.100.1"), "10.1.0.1 i1");
	bed_close(&b);
}

static void
recursive_routes_follow(void **state)
{
	uint32_t group;
	struct bed b;

	bed_open(&b);
	set(&b, "192.0.2.0/24", MR_ROUTE_FPM, via("172.16.0.1", 0));
	set(&b, "2001:db8::/32", MR_ROUTE_FPM, via("2001:db8:ffff::1", 0));
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_FPM), MR_ROUTE_UNRESOLVED);
	set(&b, "172.16.0.0/16", MR_ROUTE_FPM, via("10.1.0.1", 1));
	mr_rib_settle(b.rib);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.1.0.1 i1");
	group = in_fib(&b, "192.0.2.1");
	set(&b, "172.16.0.0/24", MR_ROUTE_FPM, via("10.2.0.1", 2));
	mr_rib_settle(b.rib);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.2.0.1 i2");
	assert_int_equal(in_fib(&b, "192.0.2.1"), group); /* without touching the FIB */
	/* Through a route that is recursive itself. */
	set(&b, "172.16.0.0/25", MR_ROUTE_FPM, via("172.17.0.1", 0));
	set(&b, "172.17.0.0/25", MR_ROUTE_FPM, via("10.3.0.1", 3));
	mr_rib_settle(b.rib);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.3.0.1 i3");
	flap(&b, 3, false);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.2.0.1 i2");
	flap(&b, 2, false);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.1.0.1 i1");
	flap(&b, 1, false);
	assert_int_equal(in_fib(&b, "192.0.2.1"), 0);
	flap(&b, 3, true);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.3.0.1 i3");
	/* A subnet: the next hop itself is there. */
	set(&b, "172.16.0.0/28", MR_ROUTE_CONNECTED, direct(3));
	mr_rib_settle(b.rib);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "172.16.0.1 i3");
	/* What is dropped on the way is dropped. */
	set(&b, "172.16.0.1/32", MR_ROUTE_STATIC, special(MR_IP_SPECIAL_PROHIBIT));
	mr_rib_settle(b.rib);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "prohibit");
	set(&b, "172.16.0.1/32", MR_ROUTE_LOCAL, special(MR_IP_SPECIAL_LOCAL));
	mr_rib_settle(b.rib);
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_FPM), MR_ROUTE_LOOPS);
	bed_close(&b);
}

static void
nothing_is_reached_through_itself(void **state)
{
	struct bed b;
	char prefix[32], next[32];

	bed_open(&b);
	set(&b, "192.0.2.0/24", MR_ROUTE_STATIC, via("192.0.2.1", 0));
	mr_rib_settle(b.rib);
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_STATIC), MR_ROUTE_LOOPS);
	assert_int_equal(in_fib(&b, "192.0.2.1"), 0);
	/* Two that need each other. */
	set(&b, "198.51.100.0/24", MR_ROUTE_STATIC, via("203.0.113.1", 0));
	set(&b, "203.0.113.0/24", MR_ROUTE_STATIC, via("198.51.100.1", 0));
	mr_rib_settle(b.rib);
	assert_int_equal(state_of(&b, "198.51.100.0/24", MR_ROUTE_STATIC), MR_ROUTE_LOOPS);
	assert_int_equal(state_of(&b, "203.0.113.0/24", MR_ROUTE_STATIC), MR_ROUTE_LOOPS);
	/* With another way there is no loop. */
	set(&b, "0.0.0.0/0", MR_ROUTE_STATIC, via("10.1.0.1", 1));
	mr_rib_settle(b.rib);
	assert_string_equal(leads_to(&b, "192.0.2.1"), "10.1.0.1 i1");
	assert_string_equal(leads_to(&b, "203.0.113.1"), "10.1.0.1 i1");
	assert_int_equal(unset(&b, "0.0.0.0/0", MR_ROUTE_STATIC), 0);
	mr_rib_settle(b.rib);
	assert_int_equal(state_of(&b, "192.0.2.0/24", MR_ROUTE_STATIC), MR_ROUTE_LOOPS);
	/* Eight deep and no more. */
	for (unsigned i = 0; i < 12; i++) {
		snprintf(prefix, sizeof(prefix), "100.64.%u.0/24", i);
		snprintf(next, sizeof(next), "100.64.%u.1", i + 1);
		set(&b, prefix, MR_ROUTE_FPM, i < 11 ? via(next, 0) : via("10.1.0.1", 1));
	}
	mr_rib_settle(b.rib);
	for (unsigned i = 0; i < 12; i++) {
		snprintf(prefix, sizeof(prefix), "100.64.%u.0/24", i);
		assert_int_equal(state_of(&b, prefix, MR_ROUTE_FPM),
		    11 - i <= 9 ? MR_ROUTE_ACTIVE : MR_ROUTE_LOOPS);
	}
	bed_close(&b);
}

static void
weights_go_down_the_way(void **state)
{
	struct mr_route_hop hops[2] = { via("10.1.0.1", 1), via("10.2.0.1", 2) };
	struct mr_group_member m[4];
	struct mr_route r;
	struct bed b;

	bed_open(&b);
	hops[1].weight = 3;
	r = route("172.16.0.0/16", MR_ROUTE_FPM, hops, 2);
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	hops[0] = via("172.16.0.1", 0); /* half of it: 1 and 3 of 4 */
	hops[1] = via("10.3.0.1", 3);
	r = route("192.0.2.0/24", MR_ROUTE_FPM, hops, 2);
	assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
	assert_int_equal(mr_group_members(b.ip, in_fib(&b, "192.0.2.1"), m, 4), 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct mr_adjacency_info *a = mr_adjacency_info(b.ip, m[i].adjacency);

		assert_int_equal(m[i].weight,
		    a->interface == 1       ? 250
			: a->interface == 2 ? 750
					    : 1000);
	}
	bed_close(&b);
}

static bool
count_route(void *user, const struct mr_route *r, enum mr_route_state state, uint32_t group)
{
	++*(unsigned *)user;
	return true;
}

static void
a_restart_leaves_what_comes_again(void **state)
{
	struct bed b;
	unsigned n = 0;
	char prefix[32];

	bed_open(&b);
	set(&b, "192.0.2.0/24", MR_ROUTE_STATIC, via("10.1.0.1", 1));
	for (unsigned i = 0; i < 100; i++) {
		snprintf(prefix, sizeof(prefix), "100.64.%u.0/24", i);
		set(&b, prefix, MR_ROUTE_FPM, via("10.1.0.1", 1));
		snprintf(prefix, sizeof(prefix), "2001:db8:%x::/48", i);
		set(&b, prefix, MR_ROUTE_FPM, via("2001:db8:1::9", 1));
	}
	mr_rib_mark(b.rib, 0, MR_ROUTE_FPM);
	for (unsigned i = 0; i < 100; i += 2) {
		snprintf(prefix, sizeof(prefix), "100.64.%u.0/24", i);
		set(&b, prefix, MR_ROUTE_FPM, via("10.1.0.1", 1));
	}
	assert_int_not_equal(in_fib(&b, "100.64.1.1"), 0);
	assert_int_equal(mr_rib_sweep(b.rib, 0, MR_ROUTE_FPM), 150);
	assert_int_equal(mr_rib_sweep(b.rib, 0, MR_ROUTE_FPM), 0);
	assert_int_equal(in_fib(&b, "100.64.1.1"), 0);
	assert_int_not_equal(in_fib(&b, "100.64.2.1"), 0);
	assert_int_equal(mr_rib_each(b.rib, 0, false, count_route, &n), 0);
	assert_int_equal(n, 51);
	mr_rib_clear(b.rib, 0, MR_ROUTE_FPM);
	assert_int_equal(mr_rib_count(b.rib, 0, MR_IP4, MR_ROUTE_FPM), 0);
	assert_int_not_equal(in_fib(&b, "192.0.2.1"), 0);
	bed_close(&b);
}

struct order {
	char text[512];
};

static bool
write_route(void *user, const struct mr_route *r, enum mr_route_state state, uint32_t group)
{
	struct order *o = user;
	char address[64];
	size_t used = strlen(o->text);

	inet_ntop(r->family == MR_IP4 ? AF_INET : AF_INET6, r->prefix, address, sizeof(address));
	snprintf(o->text + used, sizeof(o->text) - used, "%s/%u %s;", address, r->len,
	    mr_route_source_name(r->source));
	return true;
}

static void
walks_are_sorted(void **state)
{
	static const char *const prefixes[] = { "203.0.113.0/24", "10.0.0.0/8", "2001:db8::/48",
		"0.0.0.0/0", "10.0.0.0/16", "2001:db8::/32", "9.0.0.0/8" };
	struct order o = { "" };
	struct mr_rib_filter filter = { .families = { true, true }, .given = true, .len = 8 };
	struct mr_rib_walk *w;
	struct bed b;

	bed_open(&b);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(prefixes); i++)
		set(&b, prefixes[i], MR_ROUTE_STATIC, special(MR_IP_SPECIAL_BLACKHOLE));
	set(&b, "10.0.0.0/8", MR_ROUTE_LOCAL, special(MR_IP_SPECIAL_LOCAL));
	assert_int_equal(mr_rib_each(b.rib, 0, true, write_route, &o), 0);
	assert_string_equal(o.text,
	    "0.0.0.0/0 static;9.0.0.0/8 static;10.0.0.0/8 local;10.0.0.0/8 static;"
	    "10.0.0.0/16 static;203.0.113.0/24 static;2001:db8::/32 static;"
	    "2001:db8::/48 static;");
	filter.prefix[0] = 10;
	assert_int_equal(mr_rib_walk_create(&w, b.rib, 0, &filter), 0);
	assert_int_equal(unset(&b, "10.0.0.0/8", MR_ROUTE_LOCAL), 0);
	o.text[0] = 0;
	while (mr_rib_walk_next(w, write_route, &o))
		;
	assert_string_equal(o.text, "10.0.0.0/8 static;10.0.0.0/16 static;");
	mr_rib_walk_destroy(w);
	filter.covering = true;
	filter.len = 32;
	assert_int_equal(mr_rib_walk_create(&w, b.rib, 0, &filter), 0);
	o.text[0] = 0;
	while (mr_rib_walk_next(w, write_route, &o))
		;
	assert_string_equal(o.text, "0.0.0.0/0 static;10.0.0.0/8 static;10.0.0.0/16 static;");
	mr_rib_walk_destroy(w);
	bed_close(&b);
}

static void
note_difference(void *user, const struct mr_rib_difference *d)
{
	*(struct mr_rib_difference *)user = *d;
}

static void
differences_are_found(void **state)
{
	struct mr_rib_difference d;
	struct bed b;

	bed_open(&b);
	set(&b, "10.0.0.0/8", MR_ROUTE_STATIC, special(MR_IP_SPECIAL_BLACKHOLE));
	set(&b, "2001:db8::/32", MR_ROUTE_STATIC, special(MR_IP_SPECIAL_BLACKHOLE));
	assert_int_equal(mr_rib_diff(b.rib, 0, NULL, NULL), 0);
	mr_fib4_set(b.ip->vrfs[0].fib4, 0x0a000000, 8, MR_IP_SPECIAL_PROHIBIT);
	assert_int_equal(mr_rib_diff(b.rib, 0, note_difference, &d), 1);
	assert_int_equal(d.in_fib, MR_IP_SPECIAL_PROHIBIT);
	assert_int_equal(d.wanted, MR_IP_SPECIAL_BLACKHOLE);
	mr_fib4_unset(b.ip->vrfs[0].fib4, 0x0a000000, 8);
	assert_int_equal(mr_rib_diff(b.rib, 0, note_difference, &d), 1);
	assert_int_equal(d.in_fib, 0);
	mr_fib4_set(b.ip->vrfs[0].fib4, 0x0a000000, 8, MR_IP_SPECIAL_BLACKHOLE);
	mr_fib4_set(b.ip->vrfs[0].fib4, 0x0b000000, 8, MR_IP_SPECIAL_BLACKHOLE);
	assert_int_equal(mr_rib_diff(b.rib, 0, note_difference, &d), 1);
	assert_int_equal(d.prefix[0], 11);
	assert_int_equal(d.wanted, 0);
	bed_close(&b);
}

/* And so many different next hops, found again when they come again. */
static void
next_hops_are_kept_once(void **state)
{
	struct mr_rib_stats stats;
	struct bed b;

	bed_open(&b);
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < 3000; i++) {
			char prefix[32], next[32];

			snprintf(prefix, sizeof(prefix), "100.64.%u.%u/32", i / 256, i % 256);
			snprintf(next, sizeof(next), "2001:db8:1::%x", i + 256);
			set(&b, prefix, MR_ROUTE_FPM, via(next, 1));
		}
	mr_rib_stats(b.rib, &stats);
	assert_int_equal(stats.hop_sets, 3000);
	mr_rib_clear(b.rib, 0, MR_ROUTE_FPM);
	mr_rib_settle(b.rib);
	mr_rib_stats(b.rib, &stats);
	assert_int_equal(stats.hop_sets, 0);
	assert_int_equal(mr_group_next(b.ip, 0), 0);
	bed_close(&b);
}

/* The hash table through growth, removal and use again. */
static void
tables_keep_every_prefix(void **state)
{
	struct mr_rib_stats stats;
	struct bed b;

	bed_open(&b);
	for (unsigned turn = 0; turn < 3; turn++) {
		struct mr_route_hop hop = special(MR_IP_SPECIAL_BLACKHOLE);
		struct mr_route r = route("0.0.0.0/32", MR_ROUTE_STATIC, &hop, 1);

		for (unsigned i = 0; i < 20000; i++) {
			r.prefix[0] = 1;
			r.prefix[1] = (uint8_t)(i >> 8);
			r.prefix[2] = (uint8_t)i;
			r.prefix[3] = (uint8_t)turn;
			assert_int_equal(mr_rib_set(b.rib, 0, &r, &b.error), 0);
		}
		assert_int_equal(mr_rib_diff(b.rib, 0, NULL, NULL), 0);
		mr_rib_stats(b.rib, &stats);
		assert_int_equal(stats.routes, 20000);
		assert_int_equal(stats.prefixes, 20000);
		for (unsigned i = 0; i < 20000; i++) {
			r.prefix[1] = (uint8_t)(i >> 8);
			r.prefix[2] = (uint8_t)i;
			assert_true(mr_rib_get(b.rib, 0, MR_IP4, r.prefix, 32, MR_ROUTE_STATIC,
			    NULL, NULL));
			assert_int_equal(
			    mr_rib_unset(b.rib, 0, MR_IP4, r.prefix, 32, MR_ROUTE_STATIC), 0);
			assert_false(mr_rib_get(b.rib, 0, MR_IP4, r.prefix, 32, MR_ROUTE_STATIC,
			    NULL, NULL));
		}
	}
	mr_rib_stats(b.rib, &stats);
	assert_true(stats.bytes < 20000 * 48);
	mr_rib_clear_vrf(b.rib, 0);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_and_refuses),
		cmocka_unit_test(the_preferred_source_wins),
		cmocka_unit_test(the_kernels_lowest_metric_wins),
		cmocka_unit_test(links_decide),
		cmocka_unit_test(an_interface_that_goes_takes_its_routes),
		cmocka_unit_test(recursive_routes_follow),
		cmocka_unit_test(nothing_is_reached_through_itself),
		cmocka_unit_test(weights_go_down_the_way),
		cmocka_unit_test(a_restart_leaves_what_comes_again),
		cmocka_unit_test(walks_are_sorted),
		cmocka_unit_test(differences_are_found),
		cmocka_unit_test(next_hops_are_kept_once),
		cmocka_unit_test(tables_keep_every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
