/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A mirror of a real kernel's table, in a namespace of the test's own: each way that `ip` has to
 * change it, then changes drawn by lot. What following them led to must be what
 * another mirror finds that has only just begun.
 */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "kit/port/net_test_int.h"
#include "nf/kernel/mirror_int.h"
#include "nf/rib/rib_test_int.h"

struct mirror_bed {
	struct bed bed;
	struct mr_router_base base;
	struct kernel_mirror *mirror;
	int epoll;
	uint64_t now; /* ms, as the test likes it */
};

static const char *const nothing[] = { NULL };

/* Until there is nothing left to do. */
static void
work(struct mirror_bed *b)
{
	for (unsigned quiet = 0, turns = 0; quiet < 2; turns++) {
		uint32_t wish = kernel_mirror_work(b->mirror, b->now, UINT64_MAX);

		assert_in_range(turns, 0, 1000);
		quiet = wish == 1000 && b->mirror->state == MIRROR_FOLLOWING ? quiet + 1 : 0;
		b->now += MR_MIN(wish, 100u);
	}
	mr_rib_settle(b->bed.rib);
}

static void
open_mirror(struct mirror_bed *b, bool export)
{
	const struct kernel_settings settings = { .name = "main",
		.import = true,
		.export = export,
		.table = 254 };

	memset(b, 0, sizeof(*b));
	bed_open(&b->bed);
	b->base.ip = b->bed.ip;
	b->base.rib = b->bed.rib;
	b->now = 1000;
	b->epoll = epoll_create1(0);
	assert_int_equal(kernel_mirror_create(&b->mirror, &settings, &b->base, 0, b->epoll, NULL),
	    0);
	work(b);
}

static void
close_mirror(struct mirror_bed *b)
{
	kernel_mirror_destroy(b->mirror);
	assert_int_equal(mr_rib_count(b->bed.rib, 0, MR_IP4, MR_ROUTE_KERNEL), 0);
	close(b->epoll);
	bed_close(&b->bed);
}

/* Devices i1 to i3 with the addresses of the bed's interfaces, and one that is not ours. */
static void
enter(void)
{
	net_enter();
	for (unsigned i = 1; i <= 3; i++) {
		net_run("ip link add i%u type veth peer name p%u && ip link set p%u up && "
			"ip link set i%u up && ip address add 10.%u.0.254/24 dev i%u && "
			"ip address add 2001:db8:%u::fe/64 dev i%u nodad",
		    i, i, i, i, i, i, i, i);
	}
	net_run("ip link add other type veth peer name another && ip link set another up && "
		"ip link set other up && "
		"ip address add 10.99.0.254/24 dev other");
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool
print(void *user, const struct mr_route *r, enum mr_route_state state, uint32_t group)
{
	static const char *const specials[MR_IP_SPECIALS] = {
		[MR_IP_SPECIAL_BLACKHOLE] = "blackhole",
		[MR_IP_SPECIAL_UNREACHABLE] = "unreachable",
		[MR_IP_SPECIAL_PROHIBIT] = "prohibit",
	};
	char words[16][80], address[64];
	char text[64];

	(void)state;
	(void)group;
	if (r->source != MR_ROUTE_KERNEL)
		return true;
	inet_ntop(r->family == MR_IP4 ? AF_INET : AF_INET6, r->prefix, text, sizeof(text));
	fprintf(user, "%s/%u", text, r->len);
	for (unsigned i = 0; i < r->hop_count && i < MR_ARRAY_COUNT(words); i++) {
		const struct mr_route_hop *h = &r->hops[i];
		int n;

		inet_ntop(h->family == MR_IP4 ? AF_INET : AF_INET6, h->address, address,
		    sizeof(address));
		n = snprintf(words[i], sizeof(words[i]), " %s",
		    h->kind == MR_HOP_SPECIAL      ? specials[h->special]
			: h->kind == MR_HOP_DIRECT ? "direct"
						   : address);
		if (h->interface)
			n += snprintf(words[i] + n, sizeof(words[i]) - (size_t)n, "@%u",
			    h->interface);
		if (h->weight != 1)
			snprintf(words[i] + n, sizeof(words[i]) - (size_t)n, "*%u", h->weight);
	}
	/* In which order a route names its next hops says nothing. */
	qsort(words, MR_MIN(r->hop_count, (uint16_t)MR_ARRAY_COUNT(words)), sizeof(words[0]),
	    by_text);
	for (unsigned i = 0; i < r->hop_count && i < MR_ARRAY_COUNT(words); i++)
		fputs(words[i], user);
	fprintf(user, "\n");
	return true;
}

static char *
print_all(struct mirror_bed *b)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(mr_rib_each(b->bed.rib, 0, true, print, f), 0);
	fclose(f);
	return text;
}

/* The line of a prefix, without the prefix; "" when there is none. */
static const char *
hops_of(struct mirror_bed *b, const char *prefix)
{
	static char line[4096];
	char *all = print_all(b), *save, *at;
	size_t len = strlen(prefix);

	line[0] = 0;
	for (at = strtok_r(all, "\n", &save); at; at = strtok_r(NULL, "\n", &save))
		if (!strncmp(at, prefix, len) && at[len] == ' ')
			snprintf(line, sizeof(line), "%s", at + len + 1);
	free(all);
	return line;
}

/* Following and beginning anew must lead to the same. */
static void
compare(struct mirror_bed *b, const char *after)
{
	char *followed = print_all(b), *read;
	struct mirror_bed anew;

	open_mirror(&anew, false);
	read = print_all(&anew);
	if (strcmp(followed, read))
		fail_msg("after %s\nfollowed:\n%s\nread:\n%s", after, followed, read);
	free(followed);
	free(read);
	close_mirror(&anew);
}

static void
test_every_change(void **state)
{
	static const struct {
		const char *command, *prefix, *hops;
	} steps[] = {
		{ "route add 20.0.0.0/16 via 10.1.0.1", "20.0.0.0/16", "10.1.0.1@1" },
		{ "route append 20.0.0.0/16 via 10.2.0.1", "20.0.0.0/16", "10.1.0.1@1" },
		{ "route add 20.0.0.0/16 via 10.2.0.7 metric 50", "20.0.0.0/16", "10.1.0.1@1" },
		{ "route replace 20.0.0.0/16 via 10.1.0.9", "20.0.0.0/16", "10.1.0.9@1" },
		{ "route del 20.0.0.0/16 via 10.1.0.9", "20.0.0.0/16", "10.2.0.1@2" },
		{ "route prepend 20.0.0.0/16 via 10.1.0.8", "20.0.0.0/16", "10.1.0.8@1" },
		{ "route add 20.0.0.0/16 via 10.1.0.3 metric 20", "20.0.0.0/16", "10.1.0.8@1" },
		{ "route del 20.0.0.0/16 via 10.1.0.8", "20.0.0.0/16", "10.2.0.1@2" },
		{ "route del 20.0.0.0/16 via 10.2.0.1", "20.0.0.0/16", "10.1.0.3@1" },
		{ "route del 20.0.0.0/16 metric 20", "20.0.0.0/16", "10.2.0.7@2" },
		{ "route del 20.0.0.0/16", "20.0.0.0/16", "" },
		{ "route add 20.1.0.0/16 nexthop via 10.1.0.1 weight 5 nexthop via 10.2.0.1",
		    "20.1.0.0/16", "10.1.0.1@1*5 10.2.0.1@2" },
		{ "route replace 20.1.0.0/16 nexthop via 10.2.0.1 nexthop via 10.2.0.2",
		    "20.1.0.0/16", "10.2.0.1@2 10.2.0.2@2" },
		{ "route add blackhole 20.2.0.0/16", "20.2.0.0/16", "blackhole" },
		{ "route replace unreachable 20.2.0.0/16", "20.2.0.0/16", "unreachable" },
		{ "route replace prohibit 20.2.0.0/16", "20.2.0.0/16", "prohibit" },
		{ "route add throw 20.3.0.0/16", "20.3.0.0/16", "" },
		{ "route add 20.4.0.0/16 dev i1", "20.4.0.0/16", "direct@1" },
		{ "route add 20.5.0.0/16 via inet6 2001:db8:1::2", "20.5.0.0/16",
		    "2001:db8:1::2@1" },
		{ "route add 20.6.0.0/16 via 10.99.0.1", "20.6.0.0/16", "" },
		{ "route add 20.6.0.0/16 via 10.3.0.1 metric 9", "20.6.0.0/16", "10.3.0.1@3" },
		{ "route add 20.7.0.0/16 via 10.3.0.1 table 100", "20.7.0.0/16", "" },
		{ "route add 20.8.0.0/16 via 10.3.0.1 tos 8", "20.8.0.0/16", "" },
		{ "route add 20.9.0.0/16 nexthop via 10.99.0.1 nexthop via 10.3.0.1", "20.9.0.0/16",
		    "10.3.0.1@3" },
		{ "route add 20.10.0.0/16 via 7.7.7.7 dev i2 onlink", "20.10.0.0/16", "7.7.7.7@2" },
		{ "route add default via 10.1.0.1", "0.0.0.0/0", "10.1.0.1@1" },
		{ "route add 2001:db8:200::/48 via 2001:db8:1::2", "2001:db8:200::/48",
		    "2001:db8:1::2@1" },
		{ "-6 route append 2001:db8:200::/48 via 2001:db8:2::2", "2001:db8:200::/48",
		    "2001:db8:1::2@1 2001:db8:2::2@2" },
		{ "-6 route append 2001:db8:200::/48 via fe80::1 dev i3", "2001:db8:200::/48",
		    "2001:db8:1::2@1 2001:db8:2::2@2 fe80::1@3" },
		{ "-6 route del 2001:db8:200::/48 via 2001:db8:1::2", "2001:db8:200::/48",
		    "2001:db8:2::2@2 fe80::1@3" },
		{ "-6 route replace 2001:db8:200::/48 via 2001:db8:3::7", "2001:db8:200::/48",
		    "2001:db8:3::7@3" },
		{ "-6 route add 2001:db8:200::/48 via 2001:db8:3::8 metric 1", "2001:db8:200::/48",
		    "2001:db8:3::8@3" },
		{ "-6 route del 2001:db8:200::/48 metric 1", "2001:db8:200::/48",
		    "2001:db8:3::7@3" },
		{ "-6 route add blackhole 2001:db8:201::/48", "2001:db8:201::/48", "blackhole" },
		{ "-6 route add default via 2001:db8:1::2", "::/0", "2001:db8:1::2@1" },
		{ "nexthop add id 100 via 10.1.0.2 dev i1", "20.20.0.0/16", "" },
		{ "nexthop add id 101 via 10.2.0.2 dev i2", "20.20.0.0/16", "" },
		{ "nexthop add id 102 group 100/101,3", "20.20.0.0/16", "" },
		{ "route add 20.20.0.0/16 nhid 102", "20.20.0.0/16", "10.1.0.2@1 10.2.0.2@2*3" },
		{ "route add 20.21.0.0/16 nhid 100", "20.21.0.0/16", "10.1.0.2@1" },
		{ "nexthop replace id 100 via 10.3.0.9 dev i3", "20.20.0.0/16",
		    "10.2.0.2@2*3 10.3.0.9@3" },
		{ "nexthop del id 101", "20.20.0.0/16", "10.3.0.9@3" },
		{ "nexthop replace id 100 blackhole", "20.21.0.0/16", "blackhole" },
		{ "nexthop del id 100", "20.21.0.0/16", "" },
		{ "link set i3 down", "20.9.0.0/16", "" },
		{ "link set i3 name odd", "2001:db8:200::/48", "" },
		{ "link set odd up", "20.6.0.0/16", "" },
		{ "route replace 20.30.0.0/16 dev odd", "20.30.0.0/16", "" },
		{ "link set odd name i3", "20.30.0.0/16", "direct@3" },
		{ "address del 10.1.0.254/24 dev i1", "20.1.0.0/16", "10.2.0.1@2 10.2.0.2@2" },
		{ "link del i2", "20.1.0.0/16", "" },
	};
	struct mirror_bed b;
	char command[256];

	(void)state;
	enter();
	open_mirror(&b, false);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(steps); i++) {
		/* The kernel refuses some: what counts is what it has then. */
		snprintf(command, sizeof(command), "ip %s 2>/dev/null", steps[i].command);
		(void)!system(command);
		work(&b);
		if (strcmp(hops_of(&b, steps[i].prefix), steps[i].hops))
			fail_msg("after %s: \"%s\"", steps[i].command,
			    hops_of(&b, steps[i].prefix));
		compare(&b, steps[i].command);
	}
	close_mirror(&b);
}

static void
run_batch(const char *lines)
{
	FILE *f = popen("ip -force -batch - 2>/dev/null", "w");

	assert_non_null(f);
	fputs(lines, f);
	pclose(f); /* some of the lines cannot work: that is what drawing by lot is for */
}

static void
test_random_changes(void **state)
{
	static const char *const verbs[] = { "add", "replace", "append", "prepend", "del", "del" };
	struct mirror_bed b;
	char *text;
	size_t size;

	(void)state;
	enter();
	open_mirror(&b, false);
	srandom(3);
	for (unsigned round = 0; round < 12; round++) {
		FILE *f = open_memstream(&text, &size);

		for (unsigned i = 0; i < 150; i++) {
			unsigned n = (unsigned)random(), d = 1 + n / 64 % 3, g = n / 256 % 3 + 1;
			const char *verb = verbs[n / 1024 % MR_ARRAY_COUNT(verbs)];

			/* The kernel tells nobody which IPv6 route a prepended one is in front of. */
			if (n & 1 && strcmp(verb, "prepend"))
				fprintf(f, "-6 route %s 2001:db8:%u00::/48 via 2001:db8:%u::%u\n",
				    verb, 1 + n / 8192 % 6, d, g);
			else
				fprintf(f, "route %s 20.%u.0.0/16 via 10.%u.0.%u metric %u\n", verb,
				    n / 8192 % 8, d, g, 10 * (n / 65536 % 2));
		}
		fclose(f);
		run_batch(text);
		work(&b);
		compare(&b, text);
		free(text);
	}
	assert_int_equal(b.mirror->counts.overruns, 0);
	close_mirror(&b);
}

/* More messages than there is room for: they are lost, which is noticed and made good. */
static void
test_overrun(void **state)
{
	struct mirror_bed b;
	int small = 8192;
	char *text;
	size_t size;
	FILE *f;

	(void)state;
	enter();
	open_mirror(&b, false);
	setsockopt(b.mirror->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	f = open_memstream(&text, &size);
	for (unsigned i = 0; i < 2000; i++)
		fprintf(f, "route add 20.%u.%u.0/24 via 10.1.0.1\n", i / 200, i % 200);
	fclose(f);
	run_batch(text);
	free(text);
	work(&b);
	assert_int_equal(mr_rib_count(b.bed.rib, 0, MR_IP4, MR_ROUTE_KERNEL), 2000);
	assert_in_range(b.mirror->counts.overruns, 1, 100);
	assert_in_range(b.mirror->counts.loads, 2, 100);
	net_run("ip route flush root 20.0.0.0/8");
	work(&b);
	assert_int_equal(mr_rib_count(b.bed.rib, 0, MR_IP4, MR_ROUTE_KERNEL), 0);
	close_mirror(&b);
}

static void
expect_output(const char *command, const char *const *lines)
{
	FILE *f = popen(command, "r");
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		while (line[0] && line[strlen(line) - 1] == ' ')
			line[strlen(line) - 1] = 0;
		assert_non_null(*lines);
		assert_string_equal(line, *lines);
		lines++;
	}
	assert_null(*lines);
	pclose(f);
}

static struct kernel_export *
exports(unsigned count, const char *const *prefixes)
{
	struct kernel_export *list = calloc(count + 1, sizeof(*list));

	for (unsigned i = 0; i < count; i++) {
		struct mr_route r = route(prefixes[i], MR_ROUTE_STATIC, NULL, 0);

		list[i].family = r.family;
		list[i].len = r.len;
		memcpy(list[i].prefix, r.prefix, sizeof(r.prefix));
	}
	return list;
}

#define OURS \
	"{ ip route show proto 77; ip -6 route show proto 77; } | sed 's/ *proto 77//;s/ pref " \
	"medium//'"

static void
test_static_routes_to_the_kernel(void **state)
{
	static const char *const prefixes[] = { "30.0.0.0/16", "30.1.0.0/16", "30.2.0.0/16",
		"2001:db8:300::/48" };
	static const char *const first[] = {
		"30.0.0.0/16 via 10.1.0.1 dev i1",
		"blackhole 30.1.0.0/16",
		"30.2.0.0/16 via 10.1.0.7 dev i1",
		"2001:db8:300::/48 via 2001:db8:2::5 dev i2 metric 1024",
		NULL,
	};
	static const char *const second[] = {
		"30.0.0.0/16 via 10.2.0.1 dev i2",
		"30.2.0.0/16 via 10.2.0.7 dev i2",
		NULL,
	};
	struct mr_route_hop hops[2];
	struct mirror_bed b;

	(void)state;
	enter();
	net_run("ip route add 30.99.0.0/16 via 10.1.0.1 proto 77"); /* of one that crashed */
	open_mirror(&b, true);
	set(&b.bed, "30.0.0.0/16", MR_ROUTE_STATIC, via("10.1.0.1", 1));
	set(&b.bed, "30.1.0.0/16", MR_ROUTE_STATIC, special(MR_IP_SPECIAL_BLACKHOLE));
	set(&b.bed, "40.0.0.0/16", MR_ROUTE_STATIC, via("10.1.0.7", 1));
	set(&b.bed, "30.2.0.0/16", MR_ROUTE_STATIC, via("40.0.0.1", 0)); /* recursive */
	set(&b.bed, "2001:db8:300::/48", MR_ROUTE_STATIC, via("2001:db8:2::5", 2));
	mr_rib_settle(b.bed.rib);
	kernel_export_set(b.mirror, exports(4, prefixes), 4);
	work(&b);
	expect_output(OURS, first);
	assert_int_equal(mr_rib_count(b.bed.rib, 0, MR_IP4, MR_ROUTE_KERNEL), 0); /* not its own */
	/* Taken away by somebody, or silently with the device: there again. */
	net_run("ip route del 30.0.0.0/16 && ip link set i1 down && ip link set i1 up");
	work(&b);
	expect_output(OURS, first);
	assert_string_equal(b.mirror->export_trouble, "");
	/* Other next hops, and fewer routes. */
	set(&b.bed, "30.0.0.0/16", MR_ROUTE_STATIC, via("10.2.0.1", 2));
	set(&b.bed, "40.0.0.0/16", MR_ROUTE_STATIC, via("10.2.0.7", 2));
	unset(&b.bed, "30.1.0.0/16", MR_ROUTE_STATIC);
	mr_rib_settle(b.bed.rib);
	kernel_export_set(b.mirror, exports(3, prefixes), 3);
	work(&b);
	expect_output(OURS, second);
	/* Several next hops with weights. */
	hops[0] = via("10.1.0.1", 1);
	hops[1] = via("10.2.0.1", 2);
	hops[1].weight = 4;
	{
		struct mr_route r = route("30.0.0.0/16", MR_ROUTE_STATIC, hops, 2);

		assert_int_equal(mr_rib_set(b.bed.rib, 0, &r, NULL), 0);
	}
	mr_rib_settle(b.bed.rib);
	kernel_export_look(b.mirror);
	work(&b);
	net_run("ip route show proto 77 | grep -q 'nexthop via 10.2.0.1 dev i2 weight 4'");
	net_run("ip route show proto 77 | grep -q 'nexthop via 10.1.0.1 dev i1 weight 1'");
	/* A route of somebody else's at the same place stays, and ours is told of as refused. */
	net_run("ip route add 30.3.0.0/16 via 10.3.0.1");
	set(&b.bed, "30.3.0.0/16", MR_ROUTE_STATIC, via("10.1.0.1", 1));
	mr_rib_settle(b.bed.rib);
	kernel_export_set(b.mirror, exports(1, (const char *const[]){ "30.3.0.0/16" }), 1);
	work(&b);
	expect_output("ip route show 30.3.0.0/16",
	    (const char *const[]){ "30.3.0.0/16 via 10.3.0.1 dev i3", NULL });
	assert_non_null(strstr(b.mirror->export_trouble, "File exists"));
	set(&b.bed, "30.0.0.0/16", MR_ROUTE_STATIC, via("10.1.0.1", 1));
	kernel_export_set(b.mirror, exports(1, prefixes), 1);
	work(&b);
	expect_output(OURS, (const char *const[]){ "30.0.0.0/16 via 10.1.0.1 dev i1", NULL });
	close_mirror(&b);
	expect_output(OURS, nothing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_change),
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_static_routes_to_the_kernel),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
