/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pairs: a bridge and a router joined within the graph, packets the same with the flow lane and
 * without it, and counted at both ends; a ring of bridges comes to an end; what is wrong with a pair's
 * configuration is said.
 *
 *     a, b -- bridge -- up = in -- router -- c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "kit/packet/checksum.h"
#include "nf/interface/interface.h"
#include "nf/lanes/lanes_bed_int.h"

#define LANES "lanes: {mode: flow}\n"
#define NULLS \
	"a: {driver: \"null\"}, b: {driver: \"null\"}, c: {driver: \"null\"}, d: {driver: " \
	"\"null\"}, e: {driver: \"null\"}, f: {driver: \"null\"}"

static const char gateway[] =
    "system: {buffers: 8192}\n"
    "interface: {" NULLS ", up: {driver: pair, device: in}, in: {driver: pair, device: up}}\n"
    "bridge: {house: {interface: [a, b, up]}}\n"
    "router:\n"
    "  r:\n"
    "    interface:\n"
    "      in: {mac: \"02:00:00:00:aa:01\", address: [10.1.0.1/24], redirects: false}\n"
    "      c: {mac: \"02:00:00:00:aa:02\", address: [10.2.0.1/24], redirects: false}\n"
    "    neighbor:\n"
    "      static:\n"
    "        10.1.0.9: {interface: in, mac: \"02:00:00:00:00:09\"}\n"
    "        10.1.0.8: {interface: in, mac: \"02:00:00:00:00:08\"}\n"
    "        10.2.0.9: {interface: c, mac: \"02:00:00:00:02:09\"}\n";

static const char ring[] =
    "system: {buffers: 8192}\n"
    "interface: {" NULLS ", p: {driver: pair, device: q}, q: {driver: pair, device: p}, "
    "x: {driver: pair, device: y}, y: {driver: pair, device: x}}\n"
    "bridge: {one: {interface: [a, p, x]}, two: {interface: [b, q, y]}}\n";

static unsigned
udp(uint8_t *f, const char *to, const char *from, const char *src, const char *dst, uint16_t sport)
{
	unsigned mac[6];

	memset(f, 0, 80);
	assert_int_equal(
	    sscanf(to, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]),
	    6);
	for (unsigned i = 0; i < 6; i++)
		f[i] = (uint8_t)mac[i];
	assert_int_equal(
	    sscanf(from, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]),
	    6);
	for (unsigned i = 0; i < 6; i++)
		f[6 + i] = (uint8_t)mac[i];
	f[12] = 8;
	f[14] = 0x45;
	mr_store_be16(f + 16, 66);
	f[22] = 64;
	f[23] = MR_IP_PROTO_UDP;
	assert_int_equal(inet_pton(AF_INET, src, f + 26), 1);
	assert_int_equal(inet_pton(AF_INET, dst, f + 30), 1);
	bed_sum4(f + 14);
	mr_store_be16(f + 34, sport);
	mr_store_be16(f + 36, 53);
	mr_store_be16(f + 38, 46);
	return 80;
}

/* Gives a frame; the only one that leaves does so on this port to this station. */
static void
expect(struct bed *bed, unsigned port, const uint8_t *frame, unsigned len, unsigned out,
    const char *to)
{
	struct bed_plane *plane = &bed->planes[BED_FLOW];
	char mac[18];

	assert_true(bed_give(bed, port, frame, len, 0, 0));
	for (unsigned i = 0; i < BED_PLANES; i++)
		mr_graph_pass(bed->planes[i].graph, 0);
	assert_int_equal(plane->sent_count, 1);
	assert_int_equal(plane->sent[0].port, out);
	frame = plane->bytes + plane->sent[0].at;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", frame[0], frame[1], frame[2],
	    frame[3], frame[4], frame[5]);
	assert_string_equal(mac, to);
	bed_run(bed);
}

static uint64_t
counted(const struct bed_plane *plane, const char *name, bool tx)
{
	const struct mr_port *port = mr_interface_find(mr_interfaces_of(plane->dp), name)->port;
	uint64_t n = 0;

	for (unsigned q = 0; q < port->tx_queues; q++)
		n += atomic_load(tx ? &port->tx_stats[q].packets : &port->rx_stats[q].packets);
	return n;
}

static void
bridge_and_router(void **state)
{
	struct bed *bed = bed_open(gateway, LANES, BED_PLANES);
	uint64_t before[BED_PLANES];
	uint8_t f[2000];
	unsigned len;

	(void)state;
	bed_run(bed);
	/* Stations are heard; what the router says of itself at the start is not of interest. */
	len = udp(f, "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:09", "10.1.0.9", "10.1.0.255", 9);
	assert_true(bed_give(bed, 0, f, len, 0, 0));
	len = udp(f, "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:08", "10.1.0.8", "10.1.0.255", 9);
	assert_true(bed_give(bed, 1, f, len, 0, 0));
	bed_run(bed);
	for (unsigned i = 0; i < BED_PLANES; i++)
		before[i] = counted(&bed->planes[i], "in", false);
	for (unsigned i = 0; i < 30; i++) {
		len =
		    udp(f, "02:00:00:00:aa:01", "02:00:00:00:00:09", "10.1.0.9", "10.2.0.9", 1000);
		expect(bed, 0, f, len, 2, "02:00:00:00:02:09");
		len = udp(f, "02:00:00:00:aa:02", "02:00:00:00:02:09", "10.2.0.9", "10.1.0.8", 53);
		expect(bed, 2, f, len, 1, "02:00:00:00:00:08");
		len = udp(f, "02:00:00:00:00:08", "02:00:00:00:00:09", "10.1.0.9", "10.1.0.8", 7);
		expect(bed, 0, f, len, 1, "02:00:00:00:00:08");
	}
	bed_tick(bed, 2100);
	for (unsigned i = 0; i < BED_PLANES; i++) {
		assert_int_equal(counted(&bed->planes[i], "in", false) - before[i], 30);
		assert_int_equal(counted(&bed->planes[i], "up", true),
		    counted(&bed->planes[i], "in", false));
		assert_int_equal(counted(&bed->planes[i], "in", true),
		    counted(&bed->planes[i], "up", false));
	}
	bed_compare(bed, true);
	assert_true(bed_lane_count(bed, MR_LANE_COUNT_REPLAYED) > 75);
	bed_close(bed);
}

/* Also a second later, when the bridge wants to hear of its stations: the router's stands behind the pair,
 * and is in no packet from outside. */
static void
answers_stay_in_the_lane(void **state)
{
	struct bed *bed = bed_open(gateway, LANES, BED_PLANES);
	uint64_t before;
	uint8_t f[2000];
	unsigned len;

	(void)state;
	bed_run(bed);
	len = udp(f, "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:08", "10.1.0.8", "10.1.0.255", 9);
	assert_true(bed_give(bed, 1, f, len, 0, 0));
	bed_run(bed);
	len = udp(f, "02:00:00:00:aa:02", "02:00:00:00:02:09", "10.2.0.9", "10.1.0.8", 53);
	for (unsigned second = 0; second < 4; second++) {
		before = bed_lane_count(bed, MR_LANE_COUNT_REPLAYED);
		for (unsigned i = 0; i < 20; i++)
			expect(bed, 2, f, len, 1, "02:00:00:00:00:08");
		assert_true(bed_lane_count(bed, MR_LANE_COUNT_REPLAYED) - before >= 17);
		bed_tick(bed, 1100);
	}
	bed_compare(bed, true);
	bed_close(bed);
}

static void
ends_in_a_ring(void **state)
{
	struct bed *bed = bed_open(ring, LANES, BED_PLANES);
	const struct mr_graph *graph = bed->planes[BED_FLOW].graph;
	struct mr_node_stats stats;
	uint64_t lost = 0;
	uint8_t f[2000];

	(void)state;
	assert_true(bed_give(bed, 0, f,
	    udp(f, "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:09", "10.1.0.9", "10.1.0.255", 9), 0, 0));
	bed_run(bed);
	for (uint16_t n = 0; n < mr_graph_node_count(graph); n++)
		if (mr_graph_node_stats(graph, n, &stats) == 0 &&
		    strncmp(stats.name, "join@", 5) == 0)
			lost += stats.drops[0];
	/* Around both ways, to the end of each. */
	assert_int_equal(lost, 2);
	bed_compare(bed, true);
	bed_close(bed);
}

/* An end that is not enabled has no port, and no lane of its own all the same. */
static void
one_end_is_closed(void **state)
{
	char closed[sizeof(gateway) + 64], *at;
	struct bed *bed = bed_open(gateway, LANES, BED_PLANES);
	uint8_t f[2000];
	unsigned len;

	(void)state;
	snprintf(closed, sizeof(closed), "%s", gateway);
	at = strstr(closed, "device: in}");
	memmove(at + 26, at + 10, strlen(at + 10) + 1);
	memcpy(at + 10, ", enabled: false", 16);
	bed_apply(bed, closed, LANES);
	bed_run(bed);
	len = udp(f, "02:00:00:00:aa:01", "02:00:00:00:00:09", "10.1.0.9", "10.2.0.9", 1000);
	assert_true(bed_give(bed, 0, f, len, 0, 0));
	for (unsigned i = 0; i < BED_PLANES; i++)
		mr_graph_pass(bed->planes[i].graph, 0);
	/* To the other station of the bridge alone. */
	assert_int_equal(bed->planes[BED_FLOW].sent_count, 1);
	assert_int_equal(bed->planes[BED_FLOW].sent[0].port, 1);
	bed_run(bed);
	bed_apply(bed, gateway, LANES);
	bed_run(bed);
	/* The bridge hears where the router is. */
	len = udp(f, "02:00:00:00:aa:02", "02:00:00:00:02:09", "10.2.0.9", "10.1.0.9", 53);
	expect(bed, 2, f, len, 0, "02:00:00:00:00:09");
	len = udp(f, "02:00:00:00:aa:01", "02:00:00:00:00:09", "10.1.0.9", "10.2.0.9", 1000);
	expect(bed, 0, f, len, 2, "02:00:00:00:02:09");
	bed_compare(bed, true);
	bed_close(bed);
}

/* -- configurations ------------------------------------------------------------------------- */

static void
wrong(struct mr_model *model, const char *interfaces, const char *words)
{
	struct mr_config *config = NULL;
	struct mr_report *report;
	char text[1024], *said = NULL;
	size_t size;
	FILE *out;

	snprintf(text, sizeof(text), "interface: {%s}\n", interfaces);
	assert_int_equal(mr_report_create(&report), 0);
	assert_int_equal(mr_config_parse(&config, model, "t", text, strlen(text), report), 0);
	mr_dataplane_check(config, report);
	out = open_memstream(&said, &size);
	assert_non_null(out);
	mr_report_print(report, out);
	fclose(out);
	if (!strstr(said, words))
		fail_msg("%s: not \"%s\" but %s", interfaces, words, said);
	free(said);
	mr_report_destroy(report);
	mr_config_destroy(config);
}

static void
is_said(void **state)
{
	struct mr_model *model;
	struct mr_error error;

	(void)state;
	assert_int_equal(mr_nf_model(&model, &error), 0);
	wrong(model, "p: {driver: pair}", "has to name the other end");
	wrong(model, "p: {driver: pair, device: p}", "is the interface itself");
	wrong(model, "p: {driver: pair, device: q}", "there is no interface \"q\"");
	wrong(model, "p: {driver: pair, device: q}, q: {driver: \"null\"}",
	    "interface q is no end of a pair");
	wrong(model,
	    "p: {driver: pair, device: q}, q: {driver: pair, device: r}, r: {driver: pair, "
	    "device: q}",
	    "interface q is paired with \"r\"");
	mr_model_destroy(model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bridge_and_router),
		cmocka_unit_test(answers_stay_in_the_lane),
		cmocka_unit_test(ends_in_a_ring),
		cmocka_unit_test(one_end_is_closed),
		cmocka_unit_test(is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
