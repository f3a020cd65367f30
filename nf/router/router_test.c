/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router as a function of a data plane: what is refused and how, and that after any
 * sequence of configurations interfaces, addresses and routes are those of the last one.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/dataplane.h"
#include "nf/router/router_int.h"

static struct mr_model *model;
static struct mr_log quiet;

static int
make_model(void **state)
{
	struct mr_error error;

	mr_log_init_fd(&quiet, 2, MR_LOG_ERROR);
	return mr_nf_model(&model, &error);
}

static int
free_model(void **state)
{
	mr_model_destroy(model);
	return 0;
}

#define PORTS \
	"interface:\n  a: {driver: \"null\"}\n  b: {driver: \"null\"}\n  c: {driver: \"null\"}\n"

/* The first thing that is wrong with it, "" when nothing is. */
static void
load(const char *text, struct mr_config **config, char *said, size_t size)
{
	char yaml[8192];
	struct mr_report *report;

	snprintf(yaml, sizeof(yaml), "%s%s", PORTS, text);
	assert_int_equal(mr_report_create(&report), 0);
	said[0] = '\0';
	if (mr_config_parse(config, model, "t", yaml, strlen(yaml), report) == 0)
		mr_dataplane_check(*config, report);
	if (mr_report_count(report))
		mr_report_format(report, 0, said, size);
	mr_report_destroy(report);
}

static struct mr_config *
good(const char *text)
{
	struct mr_config *config = NULL;
	char said[1000];

	load(text, &config, said, sizeof(said));
	if (said[0])
		fail_msg("%s", said);
	return config;
}

struct bed {
	struct mr_dataplane *dp;
	struct mr_config *config;
	struct router *router;
	struct mr_ip *ip;
	struct mr_rib *rib;
};

static void
bed_open(struct bed *b, const char *text)
{
	struct mr_report *report;

	b->config = good(text);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_create(&b->dp, b->config, &quiet, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	b->router = mr_dataplane_state(b->dp, &mr_nf_router);
	b->ip = b->router->base.ip;
	b->rib = b->router->base.rib;
	mr_dataplane_tick(b->dp, 1);
}

static void
bed_apply(struct bed *b, const char *text)
{
	struct mr_config *config = good(text);
	struct mr_report *report;

	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_apply(b->dp, config, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	mr_config_destroy(b->config);
	b->config = config;
	mr_dataplane_tick(b->dp, 1);
}

static void
bed_close(struct bed *b)
{
	mr_dataplane_destroy(b->dp);
	mr_config_destroy(b->config);
}

static void
complain(void *user, const struct mr_rib_difference *d)
{
	print_error("%s: prefix of length %u: %u in the FIB, %u wanted\n", (const char *)user,
	    d->len, d->in_fib, d->wanted);
}

static void
fib_is_rib(const struct bed *b, const char *vrf)
{
	uint16_t index = mr_ip_vrf_find(b->ip, vrf);

	assert_int_not_equal(index, UINT16_MAX);
	assert_int_equal(mr_rib_diff(b->rib, index, complain, (void *)vrf), 0);
}

/* What a destination leads to: a fixed decision's number, or 1000 + the interface it leaves by. */
static unsigned
way(const struct bed *b, const char *vrf, const char *destination)
{
	uint16_t index = mr_ip_vrf_find(b->ip, vrf);
	enum mr_ip_family family = strchr(destination, ':') ? MR_IP6 : MR_IP4;
	uint8_t bytes[16] = { 0 }, prefix[16];
	struct mr_group_member m;
	unsigned len;
	uint32_t group;

	assert_int_not_equal(index, UINT16_MAX);
	assert_int_equal(inet_pton(family == MR_IP6 ? AF_INET6 : AF_INET, destination, bytes), 1);
	group = mr_ip_lookup(b->ip, index, family, bytes, prefix, &len);
	if (group < MR_IP_SPECIALS)
		return group;
	assert_true(mr_group_members(b->ip, group, &m, 1) >= 1);
	return 1000 + mr_adjacency_info(b->ip, m.adjacency)->interface;
}

static unsigned
by(const struct bed *b, const char *interface)
{
	uint16_t index = mr_ip_interface_find(b->ip, interface);

	assert_int_not_equal(index, 0);
	return 1000u + index;
}

/* -- refused -------------------------------------------------------------------------- */

static void
refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "router: {r: {interface: {x: {}}}}", "there is no interface x" },
		{ "router: {r: {interface: {v: {vlan: 5}}}}", "\"parent\"" },
		{ "router: {r: {interface: {v: {parent: nope, vlan: 5}}}}", "nope" },
		{ "router: {r: {interface: {l: {loopback: true, parent: a}}}}",
		    "neither a parent nor a VLAN" },
		{ "router: {r: {interface: {a: {}}}, s: {interface: {a: {}}}}",
		    "router r has an interface of that name" },
		{ "router: {r: {interface: {a: {}, w: {parent: a}}}}", "has the same frames" },
		{ "router: {r: {interface: {v: {parent: a, vlan: 5}, w: {parent: a, vlan: 5}}}}",
		    "has the same frames" },
		{ "router: {r: {interface: {a: {address: 10.0.0.1}}}}", "prefix length" },
		{ "router: {r: {interface: {a: {address: 10.0.0.300/24}}}}", "not an address" },
		{ "router: {r: {interface: {a: {address: 224.0.0.1/24}}}}",
		    "not an address of a host" },
		{ "router: {r: {interface: {a: {address: 'ff02::1/64'}}}}",
		    "not an address of a host" },
		{ "router: {r: {interface: {a: {unnumbered: lo}}}}", "has no interface lo" },
		{ "router: {r: {interface: {a: {unnumbered: b}, b: {unnumbered: a}}}}",
		    "no addresses of its own" },
		{ "router: {r: {interface: {a: {unnumbered: b, address: 10.0.0.1/24}, b: {}}}}",
		    "no addresses of its own" },
		{ "router: {r: {route: {10.0.0.0/8: {}}}}", "neither \"via\" nor \"interface\"" },
		{ "router: {r: {route: {10.0.0.0/8: {via: 1.2.3.4, action: blackhole}}}}",
		    "an action and next hops" },
		{ "router: {r: {route: {10.0.0.0/8: {interface: zz}}}}", "has no interface zz" },
		{ "router: {r: {route: {'2001:db8::/32': {via: 1.2.3.4}}}}",
		    "cannot go via an IPv4 address" },
		{ "router: {r: {route: {10.0.0.0/8: {next-hop: {n: {weight: 2}}}}}}",
		    "neither \"via\" nor \"interface\"" },
		{ "router: {r: {interface: {a: {}}}}\nbridge: {br: {interface: [a]}}",
		    "cannot be in" },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct mr_config *config = NULL;
		char said[1000];

		load(cases[i].text, &config, said, sizeof(said));
		if (!strstr(said, cases[i].says))
			fail_msg("%s\n  says: %s\n  not: %s", cases[i].text, said, cases[i].says);
		mr_config_destroy(config);
	}
}

/* -- what a configuration comes to ------------------------------------------------------ */

static void
routes_of_addresses(void **state)
{
	struct bed b;

	bed_open(&b,
	    "router:\n"
	    "  r:\n"
	    "    interface:\n"
	    "      a: {address: [10.0.0.1/24, '2001:db8::1/64']}\n"
	    "      b: {address: [10.1.0.0/31], directed-broadcasts: true}\n"
	    "      c.5: {parent: c, vlan: 5, address: [10.2.0.1/24], directed-broadcasts: true}\n"
	    "      lo: {loopback: true, address: [10.255.0.1/32]}\n"
	    "    route:\n"
	    "      0.0.0.0/0: {via: 10.0.0.9}\n"
	    "      10.3.0.0/16: {via: 10.9.9.9}\n"
	    "      10.9.9.0/24: {via: 10.2.0.7}\n"
	    "      10.4.0.0/16: {action: blackhole}\n"
	    "      10.5.0.0/16: {action: unreachable}\n"
	    "      10.6.0.0/16: {action: prohibit}\n"
	    "      '2001:db8:9::/48': {via: 'fe80::9', interface: a}\n");
	fib_is_rib(&b, "r");
	assert_int_equal(way(&b, "r", "10.0.0.1"), MR_IP_SPECIAL_LOCAL);
	assert_int_equal(way(&b, "r", "10.0.0.77"), by(&b, "a"));
	assert_int_equal(way(&b, "r", "10.0.0.255"), MR_IP_SPECIAL_BROADCAST);
	assert_int_equal(way(&b, "r", "10.0.0.0"), MR_IP_SPECIAL_BROADCAST);
	/* RFC 3021: both addresses of a /31 are hosts'. */
	assert_int_equal(way(&b, "r", "10.1.0.0"), MR_IP_SPECIAL_LOCAL);
	assert_int_equal(way(&b, "r", "10.1.0.1"), by(&b, "b"));
	assert_int_equal(way(&b, "r", "10.2.0.255"), by(&b, "c.5"));
	assert_int_equal(way(&b, "r", "10.255.0.1"), MR_IP_SPECIAL_LOCAL);
	assert_int_equal(way(&b, "r", "8.8.8.8"), by(&b, "a"));
	assert_int_equal(way(&b, "r", "10.3.1.1"), by(&b, "c.5"));
	assert_int_equal(way(&b, "r", "10.4.1.1"), MR_IP_SPECIAL_BLACKHOLE);
	assert_int_equal(way(&b, "r", "10.5.1.1"), MR_IP_SPECIAL_UNREACHABLE);
	assert_int_equal(way(&b, "r", "10.6.1.1"), MR_IP_SPECIAL_PROHIBIT);
	assert_int_equal(way(&b, "r", "127.0.0.1"), MR_IP_SPECIAL_MARTIAN);
	assert_int_equal(way(&b, "r", "240.0.0.1"), MR_IP_SPECIAL_MARTIAN);
	assert_int_equal(way(&b, "r", "224.0.0.5"), MR_IP_SPECIAL_MULTICAST);
	assert_int_equal(way(&b, "r", "255.255.255.255"), MR_IP_SPECIAL_LOCAL);
	assert_int_equal(way(&b, "r", "2001:db8::1"), MR_IP_SPECIAL_LOCAL);
	assert_int_equal(way(&b, "r", "2001:db8::"), MR_IP_SPECIAL_LOCAL);
	assert_int_equal(way(&b, "r", "2001:db8::77"), by(&b, "a"));
	assert_int_equal(way(&b, "r", "2001:db8:9::1"), by(&b, "a"));
	assert_int_equal(way(&b, "r", "2001:db8:1::1"), MR_IP_SPECIAL_NONE);
	assert_int_equal(way(&b, "r", "ff02::5"), MR_IP_SPECIAL_MULTICAST);
	assert_int_equal(way(&b, "r", "fe80::1"), MR_IP_SPECIAL_LINK_LOCAL);
	assert_int_equal(way(&b, "r", "::1"), MR_IP_SPECIAL_MARTIAN);
	bed_close(&b);
}

/* The same addresses in two routers lead to different interfaces. */
static void
overlapping(void **state)
{
	struct bed b;

	bed_open(&b,
	    "router:\n"
	    "  r: {interface: {a: {address: 10.0.0.1/24}}, route: {0.0.0.0/0: {via: 10.0.0.2}}}\n"
	    "  s: {interface: {b: {address: 10.0.0.1/24}}}\n");
	assert_int_equal(way(&b, "r", "10.0.0.7"), by(&b, "a"));
	assert_int_equal(way(&b, "s", "10.0.0.7"), by(&b, "b"));
	assert_int_equal(way(&b, "r", "8.8.8.8"), by(&b, "a"));
	assert_int_equal(way(&b, "s", "8.8.8.8"), MR_IP_SPECIAL_NONE);
	/* An interface changes hands, and the other router goes. */
	bed_apply(&b, "router: {s: {interface: {a: {address: 10.0.0.1/24}}}}\n");
	assert_int_equal(way(&b, "s", "10.0.0.7"), by(&b, "a"));
	assert_int_equal(mr_ip_vrf_find(b.ip, "r"), UINT16_MAX);
	assert_int_equal(mr_ip_interface_find(b.ip, "b"), 0);
	fib_is_rib(&b, "s");
	bed_close(&b);
}

/* What stays keeps its index; what goes takes its routes along. */
static void
changes(void **state)
{
	uint16_t a;
	struct bed b;

	bed_open(&b,
	    "router:\n"
	    "  r:\n"
	    "    interface: {a: {address: 10.0.0.1/24}, b: {address: 10.1.0.1/24}}\n"
	    "    route: {10.9.0.0/16: {via: 10.1.0.2}, 10.8.0.0/16: {via: [10.0.0.2, "
	    "10.1.0.2]}}\n");
	a = mr_ip_interface_find(b.ip, "a");
	assert_int_equal(way(&b, "r", "10.9.1.1"), by(&b, "b"));
	bed_apply(&b,
	    "router:\n"
	    "  r:\n"
	    "    interface: {a: {address: [10.0.0.1/24, 10.7.0.1/24]}}\n"
	    "    route: {10.9.0.0/16: {via: 10.1.0.2}, 10.8.0.0/16: {via: [10.0.0.2, "
	    "10.1.0.2]}}\n");
	assert_int_equal(mr_ip_interface_find(b.ip, "a"), a);
	/* Its next hop is nowhere now: the route waits, out of the FIB. */
	assert_int_equal(way(&b, "r", "10.9.1.1"), MR_IP_SPECIAL_NONE);
	assert_int_equal(way(&b, "r", "10.8.1.1"), by(&b, "a"));
	assert_int_equal(way(&b, "r", "10.1.0.1"), MR_IP_SPECIAL_NONE);
	assert_int_equal(way(&b, "r", "10.7.0.9"), by(&b, "a"));
	fib_is_rib(&b, "r");
	/* A subnet that covers the next hop comes, and with it the route. */
	bed_apply(&b,
	    "router:\n"
	    "  r:\n"
	    "    interface: {a: {address: 10.0.0.1/24}, c.9: {parent: c, vlan: 9, address: "
	    "10.1.0.9/24}}\n"
	    "    route: {10.9.0.0/16: {via: 10.1.0.2}}\n");
	assert_int_equal(way(&b, "r", "10.9.1.1"), by(&b, "c.9"));
	assert_int_equal(way(&b, "r", "10.8.1.1"), MR_IP_SPECIAL_NONE);
	fib_is_rib(&b, "r");
	/* No router at all, and one again. */
	bed_apply(&b, "");
	assert_int_equal(b.ip->input, UINT16_MAX);
	bed_apply(&b, "router: {r: {interface: {b: {address: 10.1.0.1/24}}}}\n");
	assert_int_equal(way(&b, "r", "10.1.0.9"), by(&b, "b"));
	fib_is_rib(&b, "r");
	bed_close(&b);
}

/* A next hop that only leads to itself is named, and takes nothing else along. */
static void
loops(void **state)
{
	struct mr_route route;
	enum mr_route_state said;
	uint8_t prefix[16] = { 20 };
	struct bed b;

	bed_open(&b,
	    "router:\n"
	    "  r:\n"
	    "    interface: {a: {address: 10.0.0.1/24}}\n"
	    "    route: {20.0.0.0/8: {via: 20.0.0.1}, 30.0.0.0/8: {via: 10.0.0.2}}\n");
	assert_true(mr_rib_get(b.rib, mr_ip_vrf_find(b.ip, "r"), MR_IP4, prefix, 8, MR_ROUTE_STATIC,
	    &route, &said));
	assert_int_equal(said, MR_ROUTE_LOOPS);
	assert_int_equal(way(&b, "r", "20.1.1.1"), MR_IP_SPECIAL_NONE);
	assert_int_equal(way(&b, "r", "30.1.1.1"), by(&b, "a"));
	bed_close(&b);
}

/* One of many configurations, made from a seed. */
static void
random_config(char *text, size_t size)
{
	static const char *const names[] = { "a", "b", "c", "a.1", "a.2", "b.3" };
	size_t used = 0;
	unsigned seen = 0;

#define ADD(...) used += (size_t)snprintf(text + used, size - used, __VA_ARGS__)
	text[0] = '\0';
	ADD("router:\n");
	for (unsigned r = 0; r < 2; r++) {
		ADD("  r%u:\n    interface:\n      lo%u: {loopback: true, address: "
		    "10.255.%u.%d/32}\n",
		    r, r, r, 1 + rand() % 3);
		for (unsigned i = 0; i < MR_ARRAY_COUNT(names); i++) {
			if (rand() % 2 || (seen >> i & 1))
				continue;
			seen |= 1u << i;
			ADD("      %s: {", names[i]);
			if (names[i][1])
				ADD("parent: %c, vlan: %c, ", names[i][0], names[i][2]);
			if (rand() % 5 == 0)
				ADD("unnumbered: lo%u}\n", r);
			else
				ADD("address: [10.%u.%d.1/24, '2001:db8:%u:%d::1/64']}\n", i,
				    rand() % 2, i, rand() % 2);
		}
		ADD("    route:\n      99.0.0.0/8: {action: blackhole}\n");
		for (unsigned i = 0; i < 6; i++)
			if (rand() % 2)
				ADD("      20.%u.0.0/16: {via: [10.%d.%d.9, 20.%d.0.1]}\n", i,
				    rand() % 6, rand() % 2, rand() % 6);
	}
#undef ADD
}

/* After many changes everything is as if only the last configuration had ever been. */
static void
many_changes(void **state)
{
	char text[8192], tried[64];
	struct bed b, fresh;
	uint32_t routes[2];

	srand(7);
	random_config(text, sizeof(text));
	bed_open(&b, text);
	for (unsigned round = 0; round < 60; round++) {
		random_config(text, sizeof(text));
		bed_apply(&b, text);
		fib_is_rib(&b, "r0");
		fib_is_rib(&b, "r1");
		if (round % 10)
			continue;
		bed_open(&fresh, text);
		for (unsigned vrf = 0; vrf < 2; vrf++) {
			const char *name = vrf ? "r1" : "r0";

			for (unsigned s = 0; s < MR_ROUTE_SOURCES; s++)
				for (unsigned f = 0; f < MR_IP_FAMILIES; f++) {
					routes[0] = mr_rib_count(b.rib, mr_ip_vrf_find(b.ip, name),
					    (enum mr_ip_family)f, (enum mr_route_source)s);
					routes[1] =
					    mr_rib_count(fresh.rib, mr_ip_vrf_find(fresh.ip, name),
						(enum mr_ip_family)f, (enum mr_route_source)s);
					assert_int_equal(routes[0], routes[1]);
				}
			for (unsigned i = 0; i < 200; i++) {
				unsigned was, is;

				snprintf(tried, sizeof(tried), "%d.%d.%d.%d", rand() % 2 ? 10 : 20,
				    rand() % 7, rand() % 3, rand() % 256);
				was = way(&b, name, tried);
				is = way(&fresh, name, tried);
				/* Indices may differ, names not. */
				if (was < 1000 || is < 1000)
					assert_int_equal(was, is);
				else
					assert_string_equal(b.ip->info[was - 1000].name,
					    fresh.ip->info[is - 1000].name);
			}
		}
		bed_close(&fresh);
	}
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(routes_of_addresses),
		cmocka_unit_test(overlapping),
		cmocka_unit_test(changes),
		cmocka_unit_test(loops),
		cmocka_unit_test(many_changes),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
