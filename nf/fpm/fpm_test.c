/* SPDX-License-Identifier: Apache-2.0 */

/* FRR's recorded bytes in every kind of pieces, then a server with peers of all manners. */

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "nf/fpm/server_int.h"
#include "nf/rib/rib_test_int.h"

#include "nf/fpm/recorded_test.inc"

static struct mr_fpm_stream stream;
static struct mr_fpm_counts counts;

static uint16_t
recorded_device(void *user, uint32_t ifindex)
{
	(void)user;
	return ifindex == 3 ? 1 : ifindex == 5 ? 2 : 0;
}

static struct mr_import *
open_import(struct bed *b)
{
	const struct mr_import_config config = {
		.rib = b->rib,
		.source = MR_ROUTE_FPM,
		.interface = recorded_device,
		.single = true,
		.orphans = true,
	};
	struct mr_import *im;

	assert_int_equal(mr_import_create(&im, &config, NULL), 0);
	memset(&counts, 0, sizeof(counts));
	mr_fpm_stream_reset(&stream);
	return im;
}

/* Pieces of up to `piece` bytes. */
static enum mr_fpm_fault
feed(struct mr_import *im, const uint8_t *bytes, size_t size, size_t piece)
{
	enum mr_fpm_fault fault = MR_FPM_FAULT_NONE;
	const uint8_t *messages;
	size_t length, room;

	while (size && !fault) {
		size_t n = MR_MIN(piece, size);
		uint8_t *to = mr_fpm_stream_room(&stream, &room);

		n = MR_MIN(n, room);
		memcpy(to, bytes, n);
		mr_fpm_stream_filled(&stream, n);
		bytes += n;
		size -= n;
		while (!fault && mr_fpm_stream_next(&stream, &messages, &length, &fault))
			fault = mr_fpm_frame(im, 254, messages, length, &counts);
	}
	while (mr_import_work(im, 10))
		;
	return fault;
}

static bool
print(void *user, const struct mr_route *r, enum mr_route_state state, uint32_t group)
{
	char text[64];

	(void)state;
	(void)group;
	inet_ntop(r->family == MR_IP4 ? AF_INET : AF_INET6, r->prefix, text, sizeof(text));
	fprintf(user, "%s/%u", text, r->len);
	for (unsigned i = 0; i < r->hop_count; i++) {
		const struct mr_route_hop *h = &r->hops[i];

		inet_ntop(h->family == MR_IP4 ? AF_INET : AF_INET6, h->address, text, sizeof(text));
		if (h->kind == MR_HOP_SPECIAL)
			fprintf(user, " special %u", h->special);
		else
			fprintf(user, " %s i%u", h->kind == MR_HOP_VIA ? text : "direct",
			    h->interface);
	}
	fprintf(user, "\n");
	return true;
}

static char *
print_all(struct bed *b)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(mr_rib_each(b->rib, 0, true, print, f), 0);
	fclose(f);
	return text;
}

static const char after_changes[] = "0.0.0.0/0 10.0.2.9 i2\n"
				    "10.10.0.0/16 10.0.2.3 i2\n"
				    "10.11.0.0/16 10.0.1.2 i1\n"
				    "10.12.0.0/16 special 2\n"
				    "10.13.0.0/16 special 3\n"
				    "10.14.0.0/16 special 2\n"
				    "10.16.0.0/16 10.0.2.3 i2\n"
				    "2001:db8:100::/48 2001:db8:1::2 i1\n"
				    "2001:db8:101::/48 2001:db8:1::2 i1 2001:db8:2::2 i2\n"
				    "2001:db8:102::/48 special 2\n";

static const char after_plain[] = "0.0.0.0/0 10.0.2.9 i2\n"
				  "10.10.0.0/16 10.0.2.3 i2\n"
				  "10.11.0.0/16 10.0.2.2 i2\n"
				  "10.12.0.0/16 special 2\n"
				  "10.13.0.0/16 special 3\n"
				  "10.14.0.0/16 special 2\n"
				  "10.16.0.0/16 10.0.2.3 i2\n"
				  "2001:db8:100::/48 2001:db8:1::2 i1\n"
				  "2001:db8:101::/48 2001:db8:1::2 i1 2001:db8:2::2 i2\n"
				  "2001:db8:102::/48 special 2\n";

static void
test_recorded(void **state)
{
	static const size_t pieces[] = { 1 << 20, 1, 3, 16, 57, 64, 1000 };

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(pieces); i++) {
		struct mr_import_stats stats;
		struct mr_import *im;
		struct bed b;
		char *text;

		bed_open(&b);
		im = open_import(&b);
		assert_int_equal(feed(im, with_groups, sizeof(with_groups), pieces[i]), 0);
		text = print_all(&b);
		assert_string_equal(text, after_changes);
		free(text);
		assert_int_equal(counts.nexthops, 24);
		assert_int_equal(counts.connected, 5);
		mr_import_stats(im, &stats);
		assert_int_equal(stats.removed,
		    1); /* and three changes that were told as two things */
		assert_int_equal(stats.replaced, 3);
		/* FRR comes again and speaks otherwise; nothing moves but what is new. */
		mr_import_mark(im);
		assert_int_equal(feed(im, without_groups, sizeof(without_groups), pieces[i]), 0);
		mr_import_stats(im, &stats);
		assert_int_equal(stats.replaced, 4);
		assert_int_equal(stats.stale, 0);
		text = print_all(&b);
		assert_string_equal(text, after_plain);
		free(text);
		mr_import_destroy(im);
		assert_int_equal(mr_rib_count(b.rib, 0, MR_IP4, MR_ROUTE_FPM), 0);
		bed_close(&b);
	}
}

/* Whatever byte is wrong and wherever it ends: a fault or none, never a crash. */
static void
test_damaged(void **state)
{
	uint8_t copy[sizeof(with_groups)];
	struct mr_import *im;
	unsigned faults = 0;
	struct bed b;

	(void)state;
	bed_open(&b);
	im = open_import(&b);
	for (size_t i = 0; i < sizeof(copy); i++) {
		memcpy(copy, with_groups, sizeof(copy));
		copy[i] ^= (uint8_t)(1 + i % 255);
		mr_fpm_stream_reset(&stream);
		faults += feed(im, copy, sizeof(copy), 100) != 0;
	}
	assert_in_range(faults, 300, sizeof(copy));
	for (unsigned i = MR_FPM_FAULT_VERSION; i < MR_FPM_FAULT_COUNT; i++)
		assert_non_null(mr_fpm_fault_name((enum mr_fpm_fault)i));
	assert_string_equal(mr_fpm_fault_name(MR_FPM_FAULT_TYPE), "bad-type");
	mr_import_destroy(im);
	bed_close(&b);
}

static void
test_wrong_frames(void **state)
{
	static const struct {
		const char *name;
		size_t size;
		uint8_t bytes[24];
	} cases[] = {
		{ "bad-version", 1, { 2 } },
		{ "bad-version", 4, { 0, 1, 0, 4 } },
		{ "bad-type", 2, { 1, 2 } },
		{ "bad-length", 4, { 1, 1, 0, 3 } },
		{ "bad-length", 4, { 1, 1, 0, 0 } },
		{ "short-message", 5, { 1, 1, 0, 5, 0 } },
		{ "message-length", 20, { 1, 1, 0, 20, 15 } },
		{ "message-length", 20, { 1, 1, 0, 20, 17 } },
		{ "short-body", 20, { 1, 1, 0, 20, 16, 0, 0, 0, RTM_NEWROUTE } },
		{ "none", 4, { 1, 1, 0, 4 } },
		{ "none", 20, { 1, 1, 0, 20, 16, 0, 0, 0, RTM_NEWNEIGH } },
	};
	struct mr_import *im;
	struct bed b;

	(void)state;
	bed_open(&b);
	im = open_import(&b);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		mr_fpm_stream_reset(&stream);
		assert_string_equal(mr_fpm_fault_name(feed(im, cases[i].bytes, cases[i].size, 100)),
		    cases[i].name);
	}
	mr_import_destroy(im);
	bed_close(&b);
}

/* -- the server ------------------------------------------------------------------------------- */

struct server_bed {
	struct bed bed;
	struct mr_router_base base;
	struct fpm_server *server;
	int epoll;
	uint64_t now; /* ms, as the test likes it */
};

static void
open_server(struct server_bed *s)
{
	const struct fpm_settings settings = { .name = "main",
		.address = "127.0.0.1",
		.table = 254,
		.stale_time = 60,
		.hold_time = 600 };

	memset(s, 0, sizeof(*s));
	bed_open(&s->bed);
	s->base.ip = s->bed.ip;
	s->base.rib = s->bed.rib;
	s->now = 1000;
	s->epoll = epoll_create1(0);
	assert_int_equal(fpm_server_create(&s->server, &settings, &s->base, 0, s->epoll, NULL), 0);
	fpm_server_work(s->server, s->now, UINT64_MAX);
	assert_true(s->server->listener >= 0);
}

static void
close_server(struct server_bed *s)
{
	fpm_server_destroy(s->server);
	close(s->epoll);
	bed_close(&s->bed);
}

static int
dial(const struct server_bed *s)
{
	struct sockaddr_in at;
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(getsockname(s->server->listener, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Until it has read all that was sent: loopback delivers at once. */
static void
turn(struct server_bed *s, uint64_t ms)
{
	s->now += ms;
	for (unsigned i = 0; i < 3; i++)
		while (fpm_server_work(s->server, s->now, UINT64_MAX) == 0)
			;
}

/* A frame with a route to 10.N.0.0/16 that drops. */
static size_t
frame(uint8_t out[64], unsigned n, unsigned type)
{
	const uint8_t bytes[] = { 1, 1, 0, 40, 36, 0, 0, 0, (uint8_t)type, 0, 1, 5, 0, 0, 0, 0, 0,
		0, 0, 0, AF_INET, 16, 0, 0, 254, 186, 0, RTN_BLACKHOLE, 0, 0, 0, 0, 8, 0, RTA_DST,
		0, 10, (uint8_t)n, 0, 0 };

	memcpy(out, bytes, sizeof(bytes));
	return sizeof(bytes);
}

static void
send_route(int fd, unsigned n, unsigned type)
{
	uint8_t bytes[64];
	size_t size = frame(bytes, n, type);

	assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

static uint32_t
routes(const struct server_bed *s)
{
	return mr_rib_count(s->bed.rib, 0, MR_IP4, MR_ROUTE_FPM);
}

static void
test_comes_and_goes(void **state)
{
	struct server_bed s;
	int fd;

	(void)state;
	open_server(&s);
	fd = dial(&s);
	for (unsigned n = 0; n < 10; n++)
		send_route(fd, n, RTM_NEWROUTE);
	send_route(fd, 3, RTM_DELROUTE);
	turn(&s, 0);
	assert_int_equal(routes(&s), 9);
	close(fd);
	turn(&s, 1000);
	assert_int_equal(s.server->closes[FPM_CLOSE_PEER], 1);
	assert_int_equal(routes(&s), 9);
	/* Back after a while; some routes are not there any more. */
	turn(&s, 100000);
	fd = dial(&s);
	turn(&s, 0);
	for (unsigned n = 0; n < 5; n++)
		send_route(fd, n, RTM_NEWROUTE);
	turn(&s, 59000);
	assert_int_equal(routes(&s), 10);
	assert_int_equal(mr_import_stale(s.server->import), 5);
	send_route(fd, 5, RTM_NEWROUTE);
	turn(&s, 500);
	/* The minute is over, but it is still sending. */
	turn(&s, 1000);
	assert_int_equal(routes(&s), 10);
	turn(&s, 5000);
	assert_int_equal(routes(&s), 6);
	assert_string_equal(leads_to(&s.bed, "10.3.0.1"), "blackhole");
	/* Away for good. */
	close(fd);
	turn(&s, 1);
	turn(&s, 599000);
	assert_int_equal(routes(&s), 6);
	turn(&s, 1000);
	assert_int_equal(routes(&s), 0);
	close_server(&s);
}

static void
test_bad_peers(void **state)
{
	struct server_bed s;
	uint8_t bytes[64];
	int fd, other;

	(void)state;
	open_server(&s);
	fd = dial(&s);
	send_route(fd, 1, RTM_NEWROUTE);
	frame(bytes, 2, RTM_NEWROUTE);
	send(fd, bytes, 17, 0);
	turn(&s, 0);
	close(fd);
	turn(&s, 10);
	assert_int_equal(s.server->closes[FPM_CLOSE_HUNG_UP], 1);
	assert_int_equal(routes(&s), 1);

	fd = dial(&s);
	send_route(fd, 2, RTM_NEWROUTE);
	send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0);
	turn(&s, 10);
	assert_int_equal(s.server->closes[FPM_CLOSE_FAULT], 1);
	assert_int_equal(s.server->counts.faults[MR_FPM_FAULT_VERSION], 1);
	assert_int_equal(s.server->connection, -1);
	assert_non_null(strstr(s.server->trouble, "bad-version"));
	assert_int_equal(routes(&s), 2);
	close(fd);

	fd = dial(&s);
	frame(bytes, 3, RTM_NEWROUTE);
	bytes[32] = 9; /* an attribute too long for its message */
	send(fd, bytes, 40, 0);
	turn(&s, 10);
	assert_int_equal(s.server->counts.faults[MR_RTNL_ATTRIBUTE], 1);
	close(fd);

	/* The newest wins. */
	fd = dial(&s);
	send_route(fd, 4, RTM_NEWROUTE);
	turn(&s, 10);
	other = dial(&s);
	send_route(other, 5, RTM_NEWROUTE);
	turn(&s, 10);
	assert_int_equal(s.server->closes[FPM_CLOSE_REPLACED], 1);
	assert_int_equal(recv(fd, bytes, 1, 0), 0);
	assert_int_equal(routes(&s), 4);
	close(fd);
	/* One byte at a time. */
	frame(bytes, 6, RTM_NEWROUTE);
	for (unsigned i = 0; i < 40; i++) {
		send(other, bytes + i, 1, 0);
		turn(&s, 1);
	}
	assert_int_equal(routes(&s), 5);
	close(other);
	close_server(&s);
}

/* It stops when its time is over, and goes on where it was. */
static void
test_slices(void **state)
{
	struct server_bed s;
	unsigned turns = 0;
	int fd;

	(void)state;
	open_server(&s);
	fd = dial(&s);
	for (unsigned n = 0; n < 200; n++)
		send_route(fd, n, RTM_NEWROUTE);
	while (routes(&s) < 200) {
		uint32_t before = routes(&s);

		fpm_server_work(s.server, ++s.now, 0);
		assert_in_range(routes(&s) - before, 0, 64);
		assert_in_range(++turns, 1, 300);
	}
	assert_in_range(turns, 200 / 64, 300);
	close(fd);
	close_server(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_wrong_frames),
		cmocka_unit_test(test_comes_and_goes),
		cmocka_unit_test(test_bad_peers),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests_name("fpm", tests, NULL, NULL);
}
