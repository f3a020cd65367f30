/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an attacker on a link tries: forged sources, addresses that are somebody else's, frames and
 * fragments that do not add up, floods of what the router itself must deal with, captures of
 * malformed traffic; and what becomes of a router whose buffers, neighbours or next hops run out.
 *
 *   10.0.0.0/24 -- a [router r] b -- 10.1.0.0/24      c: router s, the addresses of a again
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"
#include "nf/ip/group.h"
#include "nf/router/router_bed_int.h"

static const char usual[] =
    "system: {buffers: 4096}\n"
    "router:\n"
    "  r:\n"
    "    neighbor:\n"
    "      static:\n"
    "        10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        10.1.0.9: {interface: b, mac: \"02:00:00:00:01:09\"}\n"
    "        \"2001:db8::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        \"2001:db8:1::9\": {interface: b, mac: \"02:00:00:00:01:09\"}\n"
    "    interface:\n"
    "      a: {address: [10.0.0.1/24, \"2001:db8::1/64\"]}\n"
    "      b:\n"
    "        address: [10.1.0.1/24, \"2001:db8:1::1/64\"]\n"
    "        reverse-path4: strict\n"
    "        reverse-path6: strict\n"
    "        directed-broadcasts: true\n"
    "        mtu: 1300\n"
    "    route:\n"
    "      10.2.0.0/16: {via: 10.0.0.9}\n"
    "      10.8.0.0/16: {via: \"2001:db8:1::77\"}\n"
    "      10.9.0.0/16: {action: unreachable}\n"
    "      \"2001:db8:2::/48\": {via: \"2001:db8::9\"}\n"
    "  s: {interface: {c: {address: [10.0.0.1/24, \"2001:db8::1/64\"]}}}\n";

static struct bed *bed;
static struct mr_config *config;

static int
open_bed(void **state)
{
	bed = calloc(1, sizeof(*bed));
	if (!bed)
		return -1;
	bed->frames = calloc(BED_KEPT, sizeof(*bed->frames));
	if (!bed->frames)
		return -1;
	config = bed_config(bed, usual);
	bed_open(bed, config);
	bed_run(bed);
	bed->frame_count = 0;
	return 0;
}

/* Everything must add up, and the buffers be back. */
static int
close_bed(void **state)
{
	bed_run(bed);
	bed_balance(bed);
	bed_close(bed);
	mr_config_destroy(config);
	bed_free(bed);
	return 0;
}

/* -- frames ------------------------------------------------------------------------------- */

static uint8_t frame[BED_FRAME_MAX];

static unsigned
ethernet(unsigned port, unsigned type)
{
	const struct mr_ip_port *p = &bed->ip->ports[bed->ports[port].port->index];

	memset(frame, 0, sizeof(frame));
	mr_ip_mac_copy(&bed->ip->interfaces[mr_ip_interface_at(p, 0)], frame);
	memcpy(frame + 6, "\x02\0\0\0\0\x66", 6);
	mr_store_be16(frame + 12, (uint16_t)type);
	return 14;
}

static void
four(uint8_t *at, uint32_t address)
{
	mr_store_be32(at, address);
}

#define A(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

/* UDP over IPv4 with so many bytes behind IP's header of `header` bytes, options zero. */
static unsigned
udp4(unsigned port, uint32_t src, uint32_t dst, unsigned header, unsigned payload)
{
	uint8_t *ip = frame + ethernet(port, MR_ETH_TYPE_IP4);

	ip[0] = (uint8_t)(0x40 | header / 4);
	mr_store_be16(ip + 2, (uint16_t)(header + payload));
	mr_store_be16(ip + 4, 7);
	ip[8] = 64;
	ip[9] = MR_IP_PROTO_UDP;
	four(ip + 12, src);
	four(ip + 16, dst);
	mr_store_be16(ip + header, 1000);
	mr_store_be16(ip + header + 2, 2000);
	mr_store_be16(ip + header + 4, (uint16_t)payload);
	bed_sum4(ip);
	return 14 + header + payload;
}

static unsigned
udp6(unsigned port, unsigned src_net, unsigned dst_net, unsigned payload)
{
	uint8_t *ip = frame + ethernet(port, MR_ETH_TYPE_IP6);

	ip[0] = 0x60;
	mr_store_be16(ip + 4, (uint16_t)payload);
	ip[6] = MR_IP_PROTO_UDP;
	ip[7] = 64;
	memcpy(ip + 8, "\x20\1\xd\xb8", 4);
	ip[13] = (uint8_t)src_net;
	ip[23] = 9;
	memcpy(ip + 24, "\x20\1\xd\xb8", 4);
	ip[29] = (uint8_t)dst_net;
	ip[39] = 9;
	mr_store_be16(ip + 44, (uint16_t)payload);
	bed_sum(ip, ip + 40, payload, MR_IP_PROTO_UDP);
	return 54 + payload;
}

static void
arrive(unsigned port, unsigned len)
{
	bed_give(bed, port, bed_packet(bed, 0, frame, len, 0));
}

static void
arp(unsigned port, unsigned op, uint32_t sender, uint32_t target, unsigned mac)
{
	uint8_t *p = frame + ethernet(port, MR_ETH_TYPE_ARP);

	frame[11] = (uint8_t)mac;
	memcpy(p, "\0\1\x8\0\6\4\0", 7);
	p[7] = (uint8_t)op;
	memcpy(p + 8, frame + 6, 6);
	four(p + 14, sender);
	four(p + 24, target);
	arrive(port, 60);
	bed_run(bed);
	bed_tick(bed);
	bed_run(bed);
}

/* The last frame that left by a port with this IP protocol, or with this Ethernet type. */
static const struct bed_frame *
left(unsigned port, unsigned proto_or_type)
{
	unsigned n = MR_MIN(bed->frame_count, BED_KEPT);

	for (unsigned i = 0; i < n; i++) {
		const struct bed_frame *f = &bed->frames[(bed->frame_count - 1 - i) % BED_KEPT];
		unsigned type = mr_load_be16(f->bytes + 12);
		unsigned proto = type == MR_ETH_TYPE_IP4 ? f->bytes[23] : f->bytes[20];

		if (f->port == port &&
		    (proto_or_type < 256 ? type != MR_ETH_TYPE_ARP && proto == proto_or_type
					 : type == proto_or_type))
			return f;
	}
	return NULL;
}

/* -- forged sources ----------------------------------------------------------------------- */

/* Nobody is told anything because of a packet whose source the reverse-path filter refuses: not
 * that there is no route, nor that its options are malformed. */
static void
refused_sources_hear_nothing(void **state)
{
	arrive(1, udp4(1, A(10, 0, 0, 9), A(99, 1, 1, 1), 20, 40));
	bed_run(bed);
	assert_int_equal(bed_drops(bed, "ip-input", "reverse-path4"), 1);
	(void)udp4(1, A(10, 0, 0, 9), A(10, 2, 1, 1), 24, 40);
	memcpy(frame + 34, "\7\1\4\0", 4); /* a record route option of one byte */
	bed_sum4(frame + 14);
	arrive(1, 78);
	bed_run(bed);
	assert_int_equal(bed_drops(bed, "ip-input", "reverse-path4"), 2);
	arrive(1, udp6(1, 0, 99, 40));
	bed_run(bed);
	assert_int_equal(bed_drops(bed, "ip-input", "reverse-path6"), 1);
	assert_null(left(0, MR_IP_PROTO_ICMP));
	assert_null(left(0, MR_IP_PROTO_ICMP6));
	/* The same from where it belongs. */
	arrive(0, udp4(0, A(10, 0, 0, 9), A(99, 1, 1, 1), 20, 40));
	bed_run(bed);
	assert_non_null(left(0, MR_IP_PROTO_ICMP));
}

/* -- addresses of others ------------------------------------------------------------------ */

/* Who claims a subnet's broadcast address does not get what is sent to all. */
static void
nobody_has_a_broadcast_address(void **state)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	for (unsigned op = 1; op <= 2; op++) {
		arp(1, op, A(10, 1, 0, 255), A(10, 1, 0, 1), 0x66);
		arp(1, op, A(10, 1, 0, 255), A(10, 1, 0, 255), 0x66);
	}
	bed->frame_count = 0;
	arrive(0, udp4(0, A(10, 0, 0, 9), A(10, 1, 0, 255), 20, 40));
	bed_run(bed);
	assert_non_null(left(1, MR_IP_PROTO_UDP));
	assert_memory_equal(left(1, MR_IP_PROTO_UDP)->bytes, all, 6);
}

/* A configured neighbour stays where it is, whatever is claimed. */
static void
static_neighbours_stay(void **state)
{
	for (unsigned op = 1; op <= 2; op++) {
		arp(0, op, A(10, 0, 0, 9), A(10, 0, 0, 1), 0x66);
		arp(0, op, A(10, 0, 0, 9), A(10, 0, 0, 9), 0x66);
	}
	arrive(0, udp4(0, A(10, 0, 0, 50), A(10, 2, 1, 1), 20, 40));
	bed_run(bed);
	assert_non_null(left(0, MR_IP_PROTO_UDP));
	assert_int_equal(left(0, MR_IP_PROTO_UDP)->bytes[5], 9);
}

/* A question whose frame says that it comes from a group gets no answer: it would go to all. */
static void
no_answer_to_a_group(void **state)
{
	uint8_t *ip = frame + ethernet(0, MR_ETH_TYPE_IP6), *icmp = ip + 40;

	memset(frame + 6, 0xff, 6);
	ip[0] = 0x60;
	ip[5] = 24;
	ip[6] = MR_IP_PROTO_ICMP6;
	ip[7] = 255;
	memcpy(ip + 8, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\x33", 16);
	memcpy(ip + 24, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	icmp[0] = MR_ICMP6_NEIGHBOR_SOLICIT;
	memcpy(icmp + 8, ip + 24, 16);
	bed_sum(ip, icmp, 24, MR_IP_PROTO_ICMP6);
	bed->frame_count = 0;
	arrive(0, 78);
	bed_run(bed);
	assert_null(left(0, MR_IP_PROTO_ICMP6));
	assert_int_equal(bed_drops(bed, "nd-input", "sender-invalid"), 1);
	memcpy(frame + 6, "\x02\0\0\0\0\x33", 6);
	arrive(0, 78);
	bed_run(bed);
	assert_non_null(left(0, MR_IP_PROTO_ICMP6));
}

/* -- what does not add up ----------------------------------------------------------------- */

/* An IPv4 packet whose IPv6 next hop is not there: its sender gets an error that IPv4 knows. */
static void
an_error_of_the_packets_own_family(void **state)
{
	const struct bed_frame *f;

	arrive(0, udp4(0, A(10, 0, 0, 9), A(10, 8, 1, 1), 20, 40));
	bed_run(bed);
	/* The link goes: what waits for a neighbour there is reported. */
	bed_tick(bed);
	bed_link(bed, 1, false);
	bed_tick(bed);
	bed_run(bed);
	f = left(0, MR_IP_PROTO_ICMP);
	assert_non_null(f);
	assert_int_equal(f->bytes[34], MR_ICMP4_UNREACHABLE);
	assert_int_equal(f->bytes[35], MR_ICMP4_UNREACHABLE_HOST);
	bed_link(bed, 1, true);
}

/* What follows a packet in its frame does not make it larger than the link takes. */
static void
frames_are_no_longer_than_their_packets(void **state)
{
	unsigned len = udp4(0, A(10, 0, 0, 9), A(10, 1, 0, 9), 20, 40);

	arrive(0, len + 1400);
	arrive(0, udp6(0, 0, 1, 40) + 3000);
	bed_run(bed);
	assert_non_null(left(1, MR_IP_PROTO_UDP));
	for (unsigned i = 0; i < bed->frame_count; i++)
		if (bed->frames[i].port == 1)
			assert_true(bed->frames[i].len <= 94);
	/* Padding that fits passes. */
	arrive(0, udp4(0, A(10, 0, 0, 9), A(10, 1, 0, 9), 20, 10) + 16);
	bed_run(bed);
	assert_int_equal(left(1, MR_IP_PROTO_UDP)->len, 60);
}

/* Fragments, each of which is possible, of a datagram that is not: with the first one's longer
 * header it would be larger than its length field can say. */
static void
a_datagram_beyond_its_length(void **state)
{
	const unsigned step = 1480, all = 65512;

	for (unsigned at = step; at < all; at += step) {
		unsigned part = MR_MIN(step, all - at);
		unsigned len = udp4(0, A(10, 0, 0, 9), A(10, 0, 0, 1), 20, part);

		mr_store_be16(frame + 20,
		    (uint16_t)(at / 8 | (at + part < all ? MR_IP4_MORE_FRAGMENTS : 0)));
		bed_sum4(frame + 14);
		arrive(0, len);
	}
	(void)udp4(0, A(10, 0, 0, 9), A(10, 0, 0, 1), 60, step);
	memset(frame + 34, 1, 40); /* no operation */
	mr_store_be16(frame + 20, MR_IP4_MORE_FRAGMENTS);
	bed_sum4(frame + 14);
	arrive(0, 14 + 60 + step);
	bed_run(bed);
	assert_int_equal(bed_drops(bed, "ip-reassembly", "fragment-malformed"),
	    (all + step - 1) / step);
	bed_run(bed);
	assert_int_equal(mr_pool_used(bed->buffers->pool), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_bed, close_bed)
	const struct CMUnitTest tests[] = {
		T(refused_sources_hear_nothing),
		T(nobody_has_a_broadcast_address),
		T(static_neighbours_stay),
		T(no_answer_to_a_group),
		T(an_error_of_the_packets_own_family),
		T(frames_are_no_longer_than_their_packets),
		T(a_datagram_beyond_its_length),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
