/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/outside.h"

static void
read_text(struct outside *o, const char *text, unsigned family)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	struct mr_error error;

	assert_non_null(file);
	assert_int_equal(outside_read(o, file, family, &error), 0);
	fclose(file);
}

/* The ways of a prefix; null: there is none. */
static const char *
ways_of(struct outside *o, const char *prefix)
{
	struct outside_route key, *found;

	assert_true(outside_prefix(prefix, 4, &key));
	found = outside_find(o, key.family, key.prefix, key.len);
	return found ? found->ways : NULL;
}

static void
ip_as_json(void **state)
{
	struct outside o;

	read_text(&o,
	    "[{\"dst\":\"default\",\"gateway\":\"10.1.0.1\",\"dev\":\"lan1\"},"
	    "{\"dst\":\"default\",\"gateway\":\"fe80::1\",\"dev\":\"lan1\"},"
	    "{\"type\":\"blackhole\",\"dst\":\"203.0.113.0/24\"},"
	    "{\"dst\":\"192.0.2.7\",\"nexthops\":[{\"gateway\":\"10.2.0.9\"},"
	    "{\"gateway\":\"10.1.0.9\"}]},"
	    "{\"dst\":\"198.51.100.0/24\",\"via\":{\"family\":\"inet6\",\"host\":\"FE80::2\"}},"
	    "{\"dst\":\"10.1.0.0/24\",\"dev\":\"lan1\",\"scope\":\"link\"}]",
	    0);
	assert_int_equal(o.count, 6);
	assert_string_equal(ways_of(&o, "0.0.0.0/0"), "10.1.0.1");
	assert_string_equal(ways_of(&o, "::/0"), "fe80::1");
	assert_string_equal(ways_of(&o, "203.0.113.0/24"), "!blackhole");
	assert_string_equal(ways_of(&o, "192.0.2.7/32"), "10.1.0.9,10.2.0.9");
	assert_string_equal(ways_of(&o, "198.51.100.0/24"), "fe80::2");
	assert_string_equal(ways_of(&o, "10.1.0.0/24"), "%lan1");
	assert_null(ways_of(&o, "10.1.0.0/25"));
	outside_free(&o);
}

static void
frr_as_json(void **state)
{
	struct outside o;

	read_text(&o,
	    "{\"192.0.2.0/24\":[{\"protocol\":\"ospf\",\"nexthops\":[{\"ip\":\"1.1.1.1\"}]},"
	    "{\"protocol\":\"bgp\",\"selected\":true,\"nexthops\":["
	    "{\"ip\":\"172.16.0.1\",\"recursive\":true},"
	    "{\"ip\":\"10.1.0.9\",\"fib\":true},{\"ip\":\"10.2.0.9\"}]}],"
	    "\"203.0.113.0/24\":[{\"selected\":true,\"nexthops\":[{\"fib\":true,"
	    "\"unreachable\":true,\"reject\":true}]}],"
	    "\"10.1.0.1/32\":[{\"selected\":true,\"protocol\":\"local\",\"nexthops\":["
	    "{\"fib\":true,\"interfaceName\":\"lan1\"}]}],"
	    "\"10.9.0.0/24\":[{\"protocol\":\"ospf\",\"nexthops\":[]}]}",
	    0);
	assert_int_equal(o.count, 3);
	assert_string_equal(ways_of(&o, "192.0.2.0/24"), "10.1.0.9");
	assert_string_equal(ways_of(&o, "203.0.113.0/24"), "!unreachable");
	assert_string_equal(ways_of(&o, "10.1.0.1/32"), "%lan1");
	for (size_t i = 0; i < o.count; i++)
		assert_int_equal(o.routes[i].ignorable, o.routes[i].len == 32);
	outside_free(&o);
}

static void
lines_of_ip_and_bird(void **state)
{
	struct outside o;

	read_text(&o,
	    "default via 10.1.0.1 dev lan1 proto static\n"
	    "10.1.0.0/24 dev lan1 proto kernel scope link src 10.1.0.254\n"
	    "blackhole 203.0.113.0/24\n"
	    "192.0.2.0/24 proto bgp\n"
	    "\tnexthop via 10.1.0.9 dev lan1 weight 1\n"
	    "\tnexthop via inet6 fe80::1 dev lan2 weight 1\n",
	    4);
	assert_int_equal(o.count, 4);
	assert_string_equal(ways_of(&o, "0.0.0.0/0"), "10.1.0.1");
	assert_string_equal(ways_of(&o, "10.1.0.0/24"), "%lan1");
	assert_string_equal(ways_of(&o, "203.0.113.0/24"), "!blackhole");
	assert_string_equal(ways_of(&o, "192.0.2.0/24"), "10.1.0.9,fe80::1");
	outside_free(&o);
	read_text(&o,
	    "BIRD 2.0.12 ready.\nTable master4:\n"
	    "0.0.0.0/0            unicast [static1 03:04:05.123] * (200)\n"
	    "\tvia 10.2.0.1 on eth1 weight 1\n\tvia 10.1.0.1 on eth0\n"
	    "                     unicast [bgp1 03:04] (100) [AS65000i]\n"
	    "\tvia 10.9.9.9 on eth0\n"
	    "192.0.2.0/24         unicast [bgp1 03:04:05.123] (100)\n"
	    "\tvia 10.1.0.9 on eth0\n"
	    "203.0.113.0/24       blackhole [static1 03:04:05.123] * (200)\n",
	    0);
	assert_int_equal(o.count, 2);
	assert_string_equal(ways_of(&o, "0.0.0.0/0"), "10.1.0.1,10.2.0.1");
	assert_string_equal(ways_of(&o, "203.0.113.0/24"), "!blackhole");
	outside_free(&o);
}

static void
nonsense_is_told(void **state)
{
	struct mr_error error;
	struct outside o;
	FILE *file = fmemopen((void *)(uintptr_t) "[{\"dst\":\"nowhere\"}]", 19, "r");

	assert_true(outside_read(&o, file, 0, &error) < 0);
	assert_non_null(strstr(error.text, "nowhere"));
	fclose(file);
	file = fmemopen((void *)(uintptr_t) "{\"a\":", 5, "r");
	assert_true(outside_read(&o, file, 0, &error) < 0);
	assert_non_null(strstr(error.text, "line 1"));
	fclose(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_as_json),
		cmocka_unit_test(frr_as_json),
		cmocka_unit_test(lines_of_ip_and_bird),
		cmocka_unit_test(nonsense_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
