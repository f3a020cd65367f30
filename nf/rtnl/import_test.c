/* SPDX-License-Identifier: Apache-2.0 */

/* Messages through an import against a RIB that remembers; the last test compares with a slow model. */

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nf/rtnl/fake_rib_int.h"
#include "nf/rtnl/import.h"

#define OURS_FIRST 2 /* devices 2..9 are the interfaces of the same number */

static uint32_t not_ours; /* but this one */
static struct mr_rtnl m;

static uint16_t
interface_of(void *user, uint32_t ifindex)
{
	(void)user;
	return ifindex >= OURS_FIRST && ifindex < 10 && ifindex != not_ours ? (uint16_t)ifindex : 0;
}

static struct mr_import *
open_import(bool single)
{
	const struct mr_import_config config = {
		.source = MR_ROUTE_KERNEL,
		.interface = interface_of,
		.single = single,
		.orphans = single,
	};
	struct mr_import *im;

	not_ours = 0;
	fake_rib_reset();
	assert_int_equal(mr_import_create(&im, &config, NULL), 0);
	return im;
}

static void
work(struct mr_import *im)
{
	while (mr_import_work(im, 3))
		;
}

static bool
parse_hop(const char *word, struct mr_rtnl_hop *hop)
{
	char address[64] = "";
	const char *at = strchr(word, '@'), *star = strchr(word, '*');
	size_t n = strcspn(word, "@*");

	memset(hop, 0, sizeof(*hop));
	hop->weight = star ? (uint16_t)atoi(star + 1) : 1;
	hop->ifindex = at ? (uint32_t)atoi(at + 1) : 0;
	snprintf(address, sizeof(address), "%.*s", (int)n, word);
	hop->blackhole = !strcmp(address, "blackhole");
	hop->gateway = n && !hop->blackhole;
	hop->family = strchr(address, ':') ? MR_IP6 : MR_IP4;
	return !hop->gateway ||
	    inet_pton(hop->family == MR_IP6 ? AF_INET6 : AF_INET, address, hop->address) == 1;
}

static unsigned
parse_hops(const char *text)
{
	char copy[256], *save, *word;
	unsigned n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		assert_true(parse_hop(word, &m.hops[n++]));
	return n;
}

/* "10.0.0.1@2*3 @4": gateway, device, weight. "#7": object 7. "!6": type 6. */
static bool
route(struct mr_import *im, bool deleted, unsigned flags, const char *prefix, uint32_t metric,
    const char *hops)
{
	char address[64];
	const char *slash = strchr(prefix, '/');
	bool six = strchr(prefix, ':') != NULL;

	memset(&m, 0, sizeof(m));
	m.kind = MR_RTNL_ROUTE;
	m.deleted = deleted;
	m.flags = (uint16_t)flags;
	snprintf(address, sizeof(address), "%.*s", (int)(slash - prefix), prefix);
	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, address, m.route.prefix), 1);
	m.route.family = six ? MR_IP6 : MR_IP4;
	m.route.len = (uint8_t)atoi(slash + 1);
	m.route.metric = metric;
	m.route.type = hops[0] == '!' ? (uint8_t)atoi(hops + 1) : RTN_UNICAST;
	if (hops[0] == '#')
		m.route.nexthop = (uint32_t)atoi(hops + 1);
	else if (hops[0] != '!')
		m.route.hop_count = (uint16_t)parse_hops(hops);
	return mr_import_route(im, &m);
}

#define NEW (NLM_F_CREATE | NLM_F_EXCL)
#define REPLACE (NLM_F_CREATE | NLM_F_REPLACE)
#define APPEND (NLM_F_CREATE | NLM_F_APPEND)

/* `what`: next hops, "1*2 3": members of a group, null: deleted. */
static void
object(struct mr_import *im, uint32_t id, bool group, const char *what)
{
	memset(&m, 0, sizeof(m));
	m.kind = MR_RTNL_NEXTHOP;
	m.deleted = !what;
	m.nexthop.id = id;
	while (what && group) {
		struct mr_rtnl_member *member = &m.members[m.nexthop.member_count++];
		const char *star = strchr(what, '*'), *space = strchr(what, ' ');

		member->id = (uint32_t)atoi(what);
		member->weight = star && (!space || star < space) ? (uint16_t)atoi(star + 1) : 1;
		what = space ? space + 1 : NULL;
	}
	if (what)
		assert_int_equal(parse_hops(what), 1);
	mr_import_nexthop(im, &m);
}

static struct mr_import_stats
stats(const struct mr_import *im)
{
	struct mr_import_stats s;

	mr_import_stats(im, &s);
	return s;
}

static void
test_one_route(void **state)
{
	struct mr_import *im = open_import(false);
	struct mr_route r;

	(void)state;
	assert_true(route(im, false, NEW, "10.0.0.0/8", 0, "192.0.2.1@2"));
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.1@2");
	assert_true(route(im, false, REPLACE, "10.0.0.0/8", 0, "192.0.2.1@2*3 2001:db8::1@3 @4"));
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.1@2*3 2001:db8::1@3 @4");
	assert_false(route(im, false, REPLACE, "10.0.0.0/8", 0, "192.0.2.1@2*3 2001:db8::1@3 @4"));
	assert_int_equal(fake_rib.sets, 2);
	assert_true(route(im, false, NEW, "2001:db8::/32", 1024, "!6"));
	assert_true(route(im, false, NEW, "2001:db9::/32", 1024, "!7"));
	assert_true(route(im, false, NEW, "::/0", 1024, "!8"));
	assert_string_equal(fake_rib_hops("2001:db8::/32"), "blackhole");
	assert_string_equal(fake_rib_hops("2001:db9::/32"), "unreachable");
	assert_string_equal(fake_rib_hops("::/0"), "prohibit");
	assert_true(fake_rib_find("::/0", &r));
	assert_int_equal(r.hops[0].family, MR_IP6);
	assert_true(route(im, true, 0, "10.0.0.0/8", 0, "192.0.2.1@2*3 2001:db8::1@3 @4"));
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "");
	assert_false(route(im, true, 0, "10.0.0.0/8", 0, "192.0.2.1@2"));
	assert_int_equal(stats(im).unknown, 1);
	assert_int_equal(stats(im).imported, 3);
	mr_import_destroy(im);
	assert_int_equal(fake_rib.routes, 0);
}

static void
test_several_of_a_prefix(void **state)
{
	struct mr_import *im = open_import(false);

	(void)state;
	route(im, false, NEW, "10.0.0.0/8", 50, "192.0.2.5@2");
	route(im, false, NEW, "10.0.0.0/8", 10, "192.0.2.1@2");
	route(im, false, NEW, "10.0.0.0/8", 20, "192.0.2.2@2");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.1@2");
	route(im, true, 0, "10.0.0.0/8", 10, "192.0.2.1@2");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.2@2");
	assert_int_equal(fake_rib.metrics, 2); /* 50 and 10 made room */
	/* Appended, prepended, and the one in the middle goes. */
	route(im, false, APPEND, "10.0.0.0/8", 20, "192.0.2.3@2");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.2@2");
	route(im, false, NLM_F_CREATE, "10.0.0.0/8", 20, "192.0.2.4@2");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.4@2");
	route(im, true, 0, "10.0.0.0/8", 20, "192.0.2.2@2");
	route(im, true, 0, "10.0.0.0/8", 20, "192.0.2.4@2");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.3@2");
	/* The best leads nowhere here: the next one counts. */
	route(im, false, NEW, "10.0.0.0/8", 1, "192.0.2.9@99");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.3@2");
	assert_int_equal(stats(im).foreign, 1);
	route(im, true, 0, "10.0.0.0/8", 20, "192.0.2.3@2");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.5@2");
	mr_import_destroy(im);
}

/* The kernel tells a grown IPv6 route as a whole, and of a shrunken one what it lost. */
static void
test_ip6_siblings(void **state)
{
	struct mr_import *im = open_import(false);

	(void)state;
	route(im, false, NEW, "2001:db8::/32", 1024, "2001:db8:1::1@2");
	route(im, false, APPEND, "2001:db8::/32", 1024, "2001:db8:1::1@2 2001:db8:2::1@3");
	assert_string_equal(fake_rib_hops("2001:db8::/32"), "2001:db8:1::1@2 2001:db8:2::1@3");
	assert_int_equal(stats(im).routes, 1);
	route(im, false, APPEND, "2001:db8::/32", 1024,
	    "2001:db8:1::1@2 2001:db8:2::1@3 fe80::1@4");
	route(im, true, 0, "2001:db8::/32", 1024, "2001:db8:2::1@3");
	assert_string_equal(fake_rib_hops("2001:db8::/32"), "2001:db8:1::1@2 fe80::1@4");
	route(im, true, 0, "2001:db8::/32", 1024, "2001:db8:7::1@3");
	assert_int_equal(stats(im).unknown, 1);
	route(im, true, 0, "2001:db8::/32", 1024, "2001:db8:1::1@2 fe80::1@4");
	assert_int_equal(fake_rib.routes, 0);
	assert_int_equal(stats(im).sets, 0);
	mr_import_destroy(im);
}

static void
test_objects(void **state)
{
	struct mr_import *im = open_import(false);

	(void)state;
	/* Told in any order: a route before its group before its members. */
	route(im, false, NEW, "10.0.0.0/8", 0, "#10");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "");
	object(im, 10, true, "1 2*3");
	object(im, 2, false, "192.0.2.2@3");
	work(im);
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.2@3*3");
	object(im, 1, false, "2001:db8::1@2");
	route(im, false, NEW, "11.0.0.0/8", 0, "#1");
	route(im, false, NEW, "2001:db8::/32", 0, "#1");
	work(im);
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "2001:db8::1@2 192.0.2.2@3*3");
	assert_string_equal(fake_rib_hops("11.0.0.0/8"), "2001:db8::1@2");
	/* A change of an object is one of all that go by it. */
	object(im, 1, false, "2001:db8::7@4");
	work(im);
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "2001:db8::7@4 192.0.2.2@3*3");
	assert_string_equal(fake_rib_hops("2001:db8::/32"), "2001:db8::7@4");
	object(im, 1, false, "blackhole");
	work(im);
	assert_string_equal(fake_rib_hops("11.0.0.0/8"), "blackhole");
	/* It goes, and its own routes with it; the group has a member less. */
	object(im, 1, false, NULL);
	assert_string_equal(fake_rib_hops("11.0.0.0/8"), "blackhole");
	object(im, 1, false, "192.0.2.100@2"); /* before the work is done: another one */
	route(im, false, NEW, "12.0.0.0/8", 0, "#1");
	work(im);
	assert_string_equal(fake_rib_hops("11.0.0.0/8"), "");
	assert_string_equal(fake_rib_hops("2001:db8::/32"), "");
	assert_string_equal(fake_rib_hops("12.0.0.0/8"), "192.0.2.100@2");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.100@2 192.0.2.2@3*3");
	object(im, 10, false, NULL);
	work(im);
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "");
	assert_int_equal(stats(im).routes, 1);
	assert_int_equal(stats(im).nexthops, 2);
	object(im, 1, false, NULL);
	object(im, 2, false, NULL);
	work(im);
	assert_int_equal(stats(im).sets, 0);
	assert_int_equal(fake_rib.routes, 0);
	mr_import_destroy(im);
}

/* Numbers that come and go for ever must not fill the table. */
static void
test_objects_leave_nothing(void **state)
{
	struct mr_import *im = open_import(true);

	(void)state;
	for (uint32_t id = 1; id < 20000; id += 3) {
		char members[64];

		snprintf(members, sizeof(members), "%u %u", id + 1, id + 2);
		object(im, id, true, members);
		object(im, id + 1, false, "192.0.2.1@2");
		object(im, id + 2, false, "192.0.2.2@3");
		route(im, false, REPLACE, "10.0.0.0/8", 0, "#1");
		route(im, false, REPLACE, "10.0.0.0/8", 0,
		    (snprintf(members, 64, "#%u", id), members));
		object(im, id, false, NULL);
		object(im, id + 1, false, NULL);
		object(im, id + 2, false, NULL);
		work(im);
		assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.1@2 192.0.2.2@3");
	}
	assert_in_range(stats(im).sets, 1, 3);
	mr_import_destroy(im);
}

static void
test_foreign_devices(void **state)
{
	struct mr_import *im = open_import(false);

	(void)state;
	object(im, 1, false, "192.0.2.1@5");
	not_ours = 5;
	mr_import_remap(im);
	route(im, false, NEW, "10.0.0.0/8", 0, "#1");
	route(im, false, NEW, "11.0.0.0/8", 0, "192.0.2.1@5 192.0.2.2@6");
	route(im, false, NEW, "12.0.0.0/8", 0, "@5");
	route(im, false, NEW, "13.0.0.0/8", 0, "192.0.2.1");  /* the best route to it decides */
	route(im, false, NEW, "2001:db8::/32", 0, "fe80::1"); /* on which link? */
	assert_string_equal(fake_rib_hops("11.0.0.0/8"), "192.0.2.2@6");
	assert_string_equal(fake_rib_hops("13.0.0.0/8"), "192.0.2.1");
	assert_int_equal(fake_rib.routes, 2);
	assert_int_equal(stats(im).foreign, 3);
	not_ours = 0;
	mr_import_remap(im);
	work(im);
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.1@5");
	assert_string_equal(fake_rib_hops("11.0.0.0/8"), "192.0.2.1@5 192.0.2.2@6");
	assert_int_equal(fake_rib.routes, 4);
	not_ours = 6;
	mr_import_remap(im);
	not_ours = 5; /* again, with work still to do */
	mr_import_work(im, 1);
	mr_import_remap(im);
	work(im);
	assert_string_equal(fake_rib_hops("11.0.0.0/8"), "192.0.2.2@6");
	assert_int_equal(fake_rib.routes, 2);
	mr_import_destroy(im);
}

static void
test_starting_over(void **state)
{
	struct mr_import *im = open_import(true);
	uint64_t sets;

	(void)state;
	object(im, 1, false, "192.0.2.1@2");
	object(im, 2, false, "192.0.2.2@3");
	object(im, 3, true, "1 2");
	route(im, false, NEW, "10.0.0.0/8", 20, "#1");
	route(im, false, NEW, "11.0.0.0/8", 20, "#3");
	route(im, false, NEW, "12.0.0.0/8", 20, "#2");
	work(im);
	mr_import_mark(im);
	assert_int_equal(stats(im).stale, 3);
	sets = fake_rib.sets;
	/* The daemon comes back and numbers its objects otherwise: nobody must notice, not even
	 * when a route comes before its object. */
	route(im, false, NEW, "10.0.0.0/8", 20, "#2");
	assert_string_equal(fake_rib_hops("10.0.0.0/8"), "192.0.2.1@2");
	object(im, 2, false, "192.0.2.1@2");
	object(im, 1, false, "192.0.2.2@3");
	object(im, 7, true, "2 1");
	work(im);
	route(im, false, NEW, "10.0.0.0/8", 20, "#2");
	route(im, false, NEW, "11.0.0.0/8", 20, "#7");
	assert_in_range(fake_rib.sets, sets, sets + 1);
	sets = fake_rib.sets;
	assert_int_equal(fake_rib.unsets, 0);
	assert_int_equal(stats(im).stale, 1);
	assert_string_equal(fake_rib_hops("12.0.0.0/8"), "192.0.2.2@3");
	mr_import_sweep(im);
	work(im);
	assert_string_equal(fake_rib_hops("12.0.0.0/8"), "");
	assert_string_equal(fake_rib_hops("11.0.0.0/8"), "192.0.2.1@2 192.0.2.2@3");
	assert_int_equal(stats(im).swept, 1);
	assert_int_equal(fake_rib.sets, sets);
	mr_import_destroy(im);
}

static void
test_limits(void **state)
{
	const struct mr_import_config config = { .interface = interface_of, .routes_max = 10 };
	struct mr_import *im;
	char prefix[32];

	(void)state;
	fake_rib_reset();
	assert_int_equal(mr_import_create(&im, &config, NULL), 0);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
		route(im, false, NEW, prefix, 0, "192.0.2.1@2");
	}
	assert_int_equal(stats(im).routes, 10);
	assert_int_equal(stats(im).refused, 10);
	route(im, true, 0, "10.3.0.0/16", 0, "192.0.2.1@2");
	assert_true(route(im, false, NEW, "10.19.0.0/16", 0, "192.0.2.1@2"));
	fake_rib.refuse = true;
	route(im, false, REPLACE, "10.4.0.0/16", 0, "192.0.2.7@2");
	assert_string_equal(fake_rib_hops("10.4.0.0/16"), "");
	assert_string_equal(mr_import_trouble(im), "refused by the test");
	assert_int_equal(stats(im).rib_errors, 1);
	fake_rib.refuse = false;
	route(im, false, REPLACE, "10.4.0.0/16", 0, "192.0.2.1@2");
	assert_int_equal(fake_rib.routes, 10);
	mr_import_destroy(im);
}

/* Random routes by objects, groups and spelt-out hops, with marks; a model that keeps
 * it all in arrays says what must be there. */
#define PREFIXES 300
#define OBJECTS 12

struct model {
	char route[PREFIXES][32]; /* "": none */
	bool stale[PREFIXES];
	char object[OBJECTS][64]; /* hops; members when a group (the upper half) */
};

static void
model_hops(const struct model *w, const char *how, char *out)
{
	unsigned id = how[0] == '#' ? (unsigned)atoi(how + 1) : 0;

	out[0] = 0;
	if (!id) {
		strcpy(out, how);
	} else if (id < OBJECTS / 2) {
		strcpy(out, w->object[id]);
	} else {
		for (const char *p = w->object[id]; p && *p;) {
			const char *hop = w->object[atoi(p)];

			if (*hop)
				sprintf(out + strlen(out), "%s%s", *out ? " " : "", hop);
			p = strchr(p, ' ');
			p = p ? p + 1 : NULL;
		}
	}
}

static void
test_against_model(void **state)
{
	static struct model w;
	static char name[PREFIXES][32];
	struct mr_import *im = open_import(false);
	char hops[256];

	(void)state;
	srandom(7);
	for (unsigned i = 0; i < PREFIXES; i++)
		snprintf(name[i], sizeof(name[i]), "10.%u.%u.0/24", i / 256, i % 256);
	for (unsigned round = 0; round < 30000; round++) {
		unsigned what = (unsigned)random() % 100, p = (unsigned)random() % PREFIXES;
		unsigned id = 1 + (unsigned)random() % (OBJECTS - 1);

		if (what < 60) {
			if (random() % 2)
				snprintf(w.route[p], sizeof(w.route[p]), "#%u", id);
			else
				snprintf(w.route[p], sizeof(w.route[p]), "192.0.2.%u@%u", id,
				    2 + id % 4);
			route(im, false, REPLACE, name[p], 0, w.route[p]);
		} else if (what < 80 && w.route[p][0]) {
			route(im, true, 0, name[p], 0, w.route[p]);
			w.route[p][0] = 0;
		} else if (what < 92) {
			if (id < OBJECTS / 2)
				snprintf(w.object[id], sizeof(w.object[id]), "192.0.%u.1@%u",
				    (unsigned)random() % 3, 2 + (unsigned)random() % 3);
			else
				snprintf(w.object[id], sizeof(w.object[id]), "%u %u",
				    1 + (unsigned)random() % (OBJECTS / 2 - 1),
				    1 + (unsigned)random() % (OBJECTS / 2 - 1));
			object(im, id, id >= OBJECTS / 2, w.object[id]);
		} else if (what < 96) {
			if (w.object[id][0]) {
				char text[16];

				snprintf(text, sizeof(text), "#%u", id);
				for (unsigned i = 0; i < PREFIXES; i++)
					if (!strcmp(w.route[i], text))
						w.route[i][0] = 0;
			}
			object(im, id, false, NULL);
			w.object[id][0] = 0;
		} else {
			mr_import_work(im, (unsigned)random() % 20);
		}
		if (round % 1000)
			continue;
		if (round % 3000 == 0) {
			/* The source starts over, and some routes do not come again. */
			mr_import_mark(im);
			for (unsigned i = 1; i < OBJECTS; i++)
				if (w.object[i][0])
					object(im, i, i >= OBJECTS / 2, w.object[i]);
			for (unsigned i = 0; i < PREFIXES; i++) {
				if (i % 7 == round / 1000 % 7)
					w.route[i][0] = 0;
				if (w.route[i][0])
					route(im, false, NLM_F_MULTI, name[i], 0, w.route[i]);
			}
			mr_import_sweep(im);
		}
		work(im);
		for (unsigned i = 0; i < PREFIXES; i++) {
			model_hops(&w, w.route[i], hops);
			assert_string_equal(fake_rib_hops(name[i]), hops);
		}
	}
	mr_import_destroy(im);
}

/* Many routes under one object: the change costs the caller nothing at once. */
static void
test_many(void **state)
{
	struct mr_import *im = open_import(true);
	unsigned calls = 0;

	(void)state;
	object(im, 1, false, "192.0.2.1@2");
	for (unsigned i = 0; i < 50000; i++) {
		memset(&m.route, 0, sizeof(m.route));
		m.kind = MR_RTNL_ROUTE;
		m.deleted = false;
		m.route.nexthop = 1;
		m.route.len = 24;
		m.route.type = RTN_UNICAST;
		m.route.prefix[0] = (uint8_t)(i >> 16);
		m.route.prefix[1] = (uint8_t)(i >> 8);
		m.route.prefix[2] = (uint8_t)i;
		assert_true(mr_import_route(im, &m));
	}
	fake_rib.sets = 0;
	object(im, 1, false, "192.0.2.2@2");
	assert_int_equal(fake_rib.sets, 0);
	while (mr_import_work(im, 100))
		calls++;
	assert_int_equal(fake_rib.sets, 50000);
	assert_in_range(calls, 499, 501);
	assert_string_equal(fake_rib_hops("0.127.255.0/24"), "192.0.2.2@2");
	mr_import_mark(im);
	mr_import_sweep(im);
	work(im);
	assert_int_equal(fake_rib.routes, 0);
	assert_int_equal(stats(im).routes, 0);
	mr_import_destroy(im);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_route),
		cmocka_unit_test(test_several_of_a_prefix),
		cmocka_unit_test(test_ip6_siblings),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_objects_leave_nothing),
		cmocka_unit_test(test_foreign_devices),
		cmocka_unit_test(test_starting_over),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("rtnl-import", tests, NULL, NULL);
}
