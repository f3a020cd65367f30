/* SPDX-License-Identifier: Apache-2.0 */
/* Packets through a real router: resolving, waiting, failing, learning, ageing. */
#include <stdio.h>
#include <string.h>

#include "kit/packet/checksum.h"
#include "nf/neighbor/neighbor_test_int.h"

static const uint8_t wan_mac[6] = { 2, 0, 0, 0, 0, 0xf1 };
static const uint8_t lan_mac[6] = { 2, 0, 0, 0, 0, 0xf0 };

/* The n-th frame that left by a port, an ARP packet; null when it is none. */
static const struct mr_arp *
arp_out(struct bed *b, unsigned port, unsigned n, unsigned l3)
{
	const struct frame *f = &b->sinks[port]->frames[n];

	if (n >= b->sinks[port]->count || mr_load_be16(f->bytes + l3 - 2) != MR_ETH_TYPE_ARP)
		return NULL;
	return (const struct mr_arp *)(f->bytes + l3);
}

static const uint8_t *
icmp_out(struct bed *b, unsigned port, unsigned n)
{
	const struct frame *f = &b->sinks[port]->frames[n];
	struct mr_ip6 ip;
	uint64_t sum;

	if (n >= b->sinks[port]->count || mr_load_be16(f->bytes + 12) != MR_ETH_TYPE_IP6)
		return NULL;
	memcpy(&ip, f->bytes + 14, sizeof(ip));
	if (ip.next != MR_IP_PROTO_ICMP6)
		return NULL;
	assert_int_equal(ip.hop_limit, 255);
	sum = mr_checksum_pseudo6(ip.src, ip.dst, ip.next, mr_be16(ip.payload_len));
	sum = mr_checksum_add(sum, f->bytes + 54, mr_be16(ip.payload_len));
	assert_int_equal(mr_checksum_fold(sum), UINT16_MAX);
	assert_int_equal(f->len, 54u + mr_be16(ip.payload_len));
	return f->bytes + 54;
}

/* -- questions for us --------------------------------------------------------------------- */

static void
test_arp_answered(void **state)
{
	static const struct {
		uint16_t interface, vlan;
		const char *ours, *host;
	} cases[] = { { LAN, 0, "192.0.2.1", "192.0.2.9" },
		{ V10, 10, "203.0.113.1", "203.0.113.9" } };
	uint8_t frame[128], a[16], mac[6];
	struct bed b;

	(void)state;
	bed_open(&b);
	station(mac, 9);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		unsigned l3 = cases[i].vlan ? 18 : 14;
		const struct mr_arp *arp;
		struct neighbor *e;

		bed_clear(&b);
		bed_inject(&b, LAN_PORT, frame,
		    make_arp(frame, cases[i].vlan, MR_ARP_REQUEST, 9, cases[i].host, NULL,
			cases[i].ours, true));
		assert_int_equal(b.sinks[LAN_PORT]->count, 1);
		arp = arp_out(&b, LAN_PORT, 0, l3);
		assert_non_null(arp);
		assert_int_equal(arp->op, mr_be16(MR_ARP_REPLY));
		assert_memory_equal(arp->sender_mac, lan_mac, 6);
		address(cases[i].ours, a);
		assert_memory_equal(&arp->sender_ip, a, 4);
		assert_memory_equal(arp->target_mac, mac, 6);
		address(cases[i].host, a);
		assert_memory_equal(&arp->target_ip, a, 4);
		assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes, mac, 6);
		assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes + 6, lan_mac, 6);
		/* RFC 826: the sender is learned. It costs no route until it is used. */
		e = entry(&b, cases[i].interface, cases[i].host);
		assert_non_null(e);
		assert_int_equal(e->machine.state, NEIGHBOR_STALE);
		assert_memory_equal(e->machine.mac, mac, 6);
		assert_false(e->route);
		assert_int_equal(e->adjacency, 0);
	}
	/* An ARP probe (RFC 5227, 1.1) is answered, and nobody learned. */
	bed_clear(&b);
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REQUEST, 8, "0.0.0.0", NULL, "192.0.2.1", true));
	assert_non_null(arp_out(&b, LAN_PORT, 0, 14));
	assert_null(entry(&b, LAN, "0.0.0.0"));
	/* For others: silence. */
	bed_clear(&b);
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REQUEST, 8, "192.0.2.8", NULL, "192.0.2.77", true));
	assert_int_equal(b.sinks[LAN_PORT]->count, 0);
	assert_int_equal(bed_drops(&b, b.arp, NEIGHBOR_DROP_OTHER), 1);
	assert_null(entry(&b, LAN, "192.0.2.8"));
	bed_close(&b);
}

static void
test_ns_answered(void **state)
{
	uint8_t frame[128], a[16], mac[6];
	const uint8_t *icmp;
	struct bed b;

	(void)state;
	bed_open(&b);
	station(mac, 9);
	for (unsigned with_mac = 0; with_mac < 2; with_mac++) {
		bed_clear(&b);
		bed_inject_nd(&b, LAN, frame,
		    make_ns(frame, 9, "fe80::9", "2001:db8::1", with_mac));
		icmp = icmp_out(&b, LAN_PORT, 0);
		assert_non_null(icmp);
		assert_int_equal(icmp[0], MR_ICMP6_NEIGHBOR_ADVERT);
		/* RFC 4861, 7.2.4: to the source, solicited, override; a router. */
		assert_int_equal(mr_load_be32(icmp + 4), 0xe0000000u);
		address("2001:db8::1", a);
		assert_memory_equal(icmp + 8, a, 16);
		assert_int_equal(icmp[24], 2);
		assert_memory_equal(icmp + 26, lan_mac, 6);
		address("fe80::9", a);
		assert_memory_equal(icmp - 16, a, 16);
		assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes, mac, 6);
		/* Learned from the option alone (7.2.3). */
		assert_int_equal(entry(&b, LAN, "fe80::9") != NULL, with_mac);
	}
	/* Duplicate detection of somebody else (7.2.4): to all nodes, not solicited. */
	bed_clear(&b);
	bed_inject_nd(&b, LAN, frame, make_ns(frame, 9, "::", "2001:db8::1", false));
	icmp = icmp_out(&b, LAN_PORT, 0);
	assert_non_null(icmp);
	assert_int_equal(mr_load_be32(icmp + 4), 0xa0000000u);
	assert_memory_equal(icmp - 16, neighbor_all_nodes, 16);
	bed_close(&b);
}

/* -- packets wait and go ------------------------------------------------------------------ */

struct family_case {
	const char *from, *to, *second;
	unsigned mark_at;
};
static const struct family_case families[] = {
	{ "198.51.100.7", "192.0.2.9", "192.0.2.10", 14 + 45 },
	{ "2001:db8:1::7", "2001:db8::9", "2001:db8::a", 14 + 55 },
};

static void
send_ip(struct bed *b, const struct family_case *f, const char *to, unsigned mark)
{
	uint8_t frame[128];

	bed_inject(b, WAN_PORT, frame, make_ip(frame, wan_mac, f->from, to, mark));
}

static void
answer(struct bed *b, const char *host, unsigned from)
{
	uint8_t frame[128];

	if (strchr(host, ':'))
		bed_inject_nd(b, LAN, frame,
		    make_na(frame, from, host, "2001:db8::1", host,
			NEIGHBOR_FLAG_SOLICITED | NEIGHBOR_FLAG_OVERRIDE));
	else
		bed_inject(b, LAN_PORT, frame,
		    make_arp(frame, 0, MR_ARP_REPLY, from, host, lan_mac, "192.0.2.1", false));
}

static unsigned
questions(struct bed *b, unsigned port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MR_MIN(b->sinks[port]->count, OUT_MAX); i++) {
		const struct mr_arp *arp = arp_out(b, port, i, 14);
		const uint8_t *icmp = icmp_out(b, port, i);

		n += arp && arp->op == mr_be16(MR_ARP_REQUEST);
		n += icmp && icmp[0] == MR_ICMP6_NEIGHBOR_SOLICIT;
	}
	return n;
}

static void
test_resolves(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(families); i++) {
		const struct family_case *f = &families[i];
		struct neighbor *e;
		uint64_t handled;
		uint8_t mac[6];
		struct bed b;

		bed_open(&b);
		station(mac, 9);
		for (unsigned k = 0; k < 20; k++)
			send_ip(&b, f, f->to, k);
		e = entry(&b, LAN, f->to);
		assert_non_null(e);
		assert_int_equal(e->machine.state, NEIGHBOR_INCOMPLETE);
		assert_int_equal(e->queued, 16);
		assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_OVERRUN_N], 4);
		/* However many wait, one question. */
		assert_int_equal(b.sinks[LAN_PORT]->count, 1);
		assert_int_equal(questions(&b, LAN_PORT), 1);
		bed_clear(&b);
		answer(&b, f->to, 9);
		assert_int_equal(e->machine.state, NEIGHBOR_REACHABLE);
		assert_int_equal(b.sinks[LAN_PORT]->count, 16);
		for (unsigned k = 0; k < 16; k++) {
			const uint8_t *out = b.sinks[LAN_PORT]->frames[k].bytes;

			assert_memory_equal(out, mac, 6);
			assert_memory_equal(out + 6, lan_mac, 6);
			assert_int_equal(out[f->mark_at], 4 + k); /* in order, the newest */
			/* What stands behind the output may ask for that. */
			assert_int_equal(b.sinks[LAN_PORT]->frames[k].from, WAN_PORT);
		}
		assert_true(e->route);
		/* From now on nothing passes the control thread. */
		bed_clear(&b);
		handled = e->uses;
		send_ip(&b, f, f->to, 99);
		assert_int_equal(b.sinks[LAN_PORT]->count, 1);
		assert_int_equal(b.sinks[LAN_PORT]->frames[0].bytes[f->mark_at], 99);
		assert_int_equal(e->uses, handled);
		/* The host's kernel hears what was said to us. */
		assert_int_equal(b.sinks[TWIN_PORT]->count, 0);
		bed_close(&b);
	}
}

static void
test_fails(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(families); i++) {
		const struct family_case *f = &families[i];
		struct bed b;

		bed_open(&b);
		send_ip(&b, f, f->to, 1);
		send_ip(&b, f, f->to, 2);
		bed_wait(&b, 2900);
		assert_int_equal(questions(&b, LAN_PORT), 3);
		assert_int_equal(bed_unanswered(&b), 0);
		bed_wait(&b, 300);
		assert_int_equal(bed_unanswered(&b), 2);
		assert_int_equal(entry(&b, LAN, f->to)->machine.state, NEIGHBOR_FAILED);
		assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_FAILED_N], 1);
		/* Tried again by the next packet, and forgotten in the end. */
		send_ip(&b, f, f->to, 3);
		assert_int_equal(entry(&b, LAN, f->to)->machine.state, NEIGHBOR_INCOMPLETE);
		answer(&b, f->to, 9);
		assert_int_equal(entry(&b, LAN, f->to)->machine.state, NEIGHBOR_REACHABLE);
		/* Nobody answers any more: probed, then gone, its route with it. */
		bed_clear(&b);
		bed_wait(&b, 45000 + 5000 + 3000 + 200);
		assert_int_equal(questions(&b, LAN_PORT), 3);
		assert_false(mr_eth_is_multicast(b.sinks[LAN_PORT]->frames[0].bytes));
		assert_int_equal(entry(&b, LAN, f->to)->machine.state, NEIGHBOR_FAILED);
		assert_false(entry(&b, LAN, f->to)->route);
		bed_wait(&b, 62000);
		assert_null(entry(&b, LAN, f->to));
		bed_close(&b);
	}
}

static void
test_gateway(void **state)
{
	uint8_t mac[6], frame[128];
	struct bed b;
	struct neighbor *e;

	(void)state;
	bed_open(&b);
	station(mac, 5);
	/* Resolved before the first packet. */
	bed_route(&b, "10.0.0.0/8", "192.0.2.254", LAN);
	bed_wait(&b, 1100);
	assert_in_range(questions(&b, LAN_PORT), 1, 2);
	answer(&b, "192.0.2.254", 5);
	bed_clear(&b);
	bed_inject(&b, WAN_PORT, frame, make_ip(frame, wan_mac, "198.51.100.7", "10.1.2.3", 1));
	assert_int_equal(b.sinks[LAN_PORT]->count, 1);
	assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes, mac, 6);
	e = entry(&b, LAN, "192.0.2.254");
	assert_true(e->wanted);
	assert_int_equal(e->uses, 0);
	/* Asked for as long as the route is there, answered or not. */
	bed_wait(&b, 60000);
	assert_int_equal(
	    e->machine.state == NEIGHBOR_FAILED || e->machine.state == NEIGHBOR_INCOMPLETE, true);
	bed_clear(&b);
	bed_wait(&b, 100000);
	assert_in_range(questions(&b, LAN_PORT), 50, 101);
	answer(&b, "192.0.2.254", 6);
	station(mac, 6);
	bed_clear(&b);
	bed_inject(&b, WAN_PORT, frame, make_ip(frame, wan_mac, "198.51.100.7", "10.1.2.3", 1));
	assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes, mac, 6);
	bed_close(&b);
}

/* -- learning ----------------------------------------------------------------------------- */

static void
test_gratuitous(void **state)
{
	uint8_t frame[128], mac[6];
	struct bed b;

	(void)state;
	bed_open(&b);
	for (unsigned op = MR_ARP_REQUEST; op <= MR_ARP_REPLY; op++) {
		bed_inject(&b, LAN_PORT, frame,
		    make_arp(frame, 0, op, 4, "192.0.2.9", NULL, "192.0.2.9", true));
		assert_null(entry(&b, LAN, "192.0.2.9")); /* nobody we know */
	}
	assert_int_equal(b.sinks[TWIN_PORT]->count, 2);
	send_ip(&b, &families[0], "192.0.2.9", 1);
	answer(&b, "192.0.2.9", 9);
	station(mac, 9);
	assert_memory_equal(entry(&b, LAN, "192.0.2.9")->machine.mac, mac, 6);
	/* It moved to another MAC address (VRRP): the next packet goes there. */
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REQUEST, 4, "192.0.2.9", NULL, "192.0.2.9", true));
	station(mac, 4);
	assert_memory_equal(entry(&b, LAN, "192.0.2.9")->machine.mac, mac, 6);
	assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_MOVED_N], 1);
	bed_clear(&b);
	send_ip(&b, &families[0], "192.0.2.9", 1);
	assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes, mac, 6);
	/* And can be told to be ignored, or to make entries. */
	b.own.gratuitous = NEIGHBOR_GRATUITOUS_IGNORE;
	bed_set(&b, LAN);
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REQUEST, 3, "192.0.2.9", NULL, "192.0.2.9", true));
	assert_memory_equal(entry(&b, LAN, "192.0.2.9")->machine.mac, mac, 6);
	b.own.gratuitous = NEIGHBOR_GRATUITOUS_LEARN;
	bed_set(&b, LAN);
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REQUEST, 3, "192.0.2.33", NULL, "192.0.2.33", true));
	assert_int_equal(entry(&b, LAN, "192.0.2.33")->machine.state, NEIGHBOR_STALE);
	/* An unsolicited advertisement makes no entry (RFC 4861, 7.2.5). */
	b.own.gratuitous = NEIGHBOR_GRATUITOUS_UPDATE;
	bed_set(&b, LAN);
	bed_inject_nd(&b, LAN, frame,
	    make_na(frame, 3, "2001:db8::33", "ff02::1", "2001:db8::33", NEIGHBOR_FLAG_OVERRIDE));
	assert_null(entry(&b, LAN, "2001:db8::33"));
	bed_close(&b);
}

/* What is learned from a question costs nothing until used, then it is confirmed (RFC 4861, 7.3.3). */
static void
test_stale(void **state)
{
	uint8_t frame[128], mac[6];
	struct neighbor *e;
	struct bed b;

	(void)state;
	bed_open(&b);
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REQUEST, 9, "192.0.2.9", NULL, "192.0.2.1", true));
	e = entry(&b, LAN, "192.0.2.9");
	bed_clear(&b);
	send_ip(&b, &families[0], "192.0.2.9", 1);
	station(mac, 9);
	assert_int_equal(b.sinks[LAN_PORT]->count, 1); /* at once */
	assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes, mac, 6);
	assert_int_equal(e->machine.state, NEIGHBOR_DELAY);
	assert_true(e->route);
	bed_clear(&b);
	bed_wait(&b, 5100);
	assert_int_equal(e->machine.state, NEIGHBOR_PROBE);
	assert_int_equal(questions(&b, LAN_PORT), 1);
	answer(&b, "192.0.2.9", 9);
	assert_int_equal(e->machine.state, NEIGHBOR_REACHABLE);
	/* Unused ones go after stale-time. */
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REQUEST, 8, "192.0.2.8", NULL, "192.0.2.1", true));
	assert_non_null(entry(&b, LAN, "192.0.2.8"));
	bed_wait(&b, b.settings.times.stale + 100);
	assert_null(entry(&b, LAN, "192.0.2.8"));
	bed_close(&b);
}

static void
test_static_and_link(void **state)
{
	static const uint8_t host[16] = { 192, 0, 2, 50 };
	uint8_t frame[128], mac[6];
	struct neighbor *e;
	struct bed b;

	(void)state;
	bed_open(&b);
	station(mac, 50);
	e = neighbor_make(b.n, LAN, MR_IP4, host);
	neighbor_configure(b.n, e, mac);
	send_ip(&b, &families[0], "192.0.2.50", 1);
	assert_int_equal(b.sinks[LAN_PORT]->count, 1);
	assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes, mac, 6);
	/* Nobody can change it. */
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REPLY, 66, "192.0.2.50", lan_mac, "192.0.2.1", false));
	assert_memory_equal(e->machine.mac, mac, 6);
	/* A link that goes takes the others with it, and comes back with announcements. */
	send_ip(&b, &families[0], "192.0.2.9", 1);
	answer(&b, "192.0.2.9", 9);
	bed_link(&b, LAN, false);
	assert_null(entry(&b, LAN, "192.0.2.9"));
	assert_ptr_equal(entry(&b, LAN, "192.0.2.50"), e);
	bed_link(&b, LAN, true);
	bed_clear(&b);
	bed_wait(&b, 5000);
	assert_int_equal(b.sinks[LAN_PORT]->count, 9); /* three addresses, three times */
	bed_clear(&b);
	send_ip(&b, &families[0], "192.0.2.50", 1);
	assert_int_equal(b.sinks[LAN_PORT]->count, 1);
	bed_close(&b);
}

/* -- a scan ------------------------------------------------------------------------------- */

static void
test_scan(void **state)
{
	struct neighbor_interface *lan;
	uint8_t frame[128], target[24];
	unsigned answered = 0;
	struct bed b;

	(void)state;
	bed_open(&b);
	b.settings.limit = 256;
	bed_set(&b, WAN);
	bed_set(&b, LAN);
	bed_route(&b, "10.9.0.0/16", NULL, LAN);
	lan = &b.n->interfaces[LAN];
	send_ip(&b, &families[0], "192.0.2.9", 1);
	answer(&b, "192.0.2.9", 9);
	bed_wait(&b, 5000);
	bed_clear(&b);
	for (unsigned i = 0; i < 65536; i++) {
		snprintf((char *)target, sizeof(target), "10.9.%u.%u", i >> 8, i & 255);
		send_ip(&b, &families[0], (const char *)target, 1);
		assert_true(lan->count <= 256);
		assert_true(lan->rank_count[NEIGHBOR_RANK_OPEN] <= 64);
		if (i % 1024)
			continue;
		/* Meanwhile: the neighbour that exists is reached, who asks is answered. */
		bed_clear(&b);
		send_ip(&b, &families[0], "192.0.2.9", 77);
		bed_inject(&b, LAN_PORT, frame,
		    make_arp(frame, 0, MR_ARP_REQUEST, 9, "192.0.2.9", NULL, "192.0.2.1", true));
		assert_int_equal(b.sinks[LAN_PORT]->count, 2);
		assert_int_equal(b.sinks[LAN_PORT]->frames[0].bytes[14 + 45], 77);
		answered++;
	}
	assert_int_equal(answered, 64);
	assert_non_null(entry(&b, LAN, "192.0.2.9"));
	assert_true(entry(&b, LAN, "192.0.2.9")->route);
	/* Limited by the interface's rate, not only by room. */
	assert_true(bed_drops(&b, b.resolve, NEIGHBOR_RESOLVE_DROP_INTERFACE_LIMIT) > 0);
	/* A gateway is not held up by it. */
	bed_clear(&b);
	bed_route(&b, "10.200.0.0/16", "192.0.2.254", LAN);
	bed_inject(&b, WAN_PORT, frame, make_ip(frame, wan_mac, "198.51.100.7", "10.200.1.1", 5));
	answer(&b, "192.0.2.254", 5);
	assert_int_equal(b.sinks[LAN_PORT]->frames[b.sinks[LAN_PORT]->count - 1].bytes[14 + 45], 5);
	bed_close(&b);
}

/* Learned neighbours make room for each other, never those in use. */
static void
test_room(void **state)
{
	uint8_t frame[128];
	char host[24];
	struct bed b;

	(void)state;
	bed_open(&b);
	b.settings.limit = 16;
	b.settings.heard_rate = 1000000;
	bed_set(&b, LAN);
	for (unsigned i = 10; i < 20; i++) {
		snprintf(host, sizeof(host), "192.0.2.%u", i);
		send_ip(&b, &families[0], host, 1);
		answer(&b, host, i);
	}
	for (unsigned i = 100; i < 200; i++) {
		snprintf(host, sizeof(host), "192.0.2.%u", i);
		bed_inject(&b, LAN_PORT, frame,
		    make_arp(frame, 0, MR_ARP_REQUEST, i, host, NULL, "192.0.2.1", true));
		assert_non_null(entry(&b, LAN, host));
		assert_true(b.n->interfaces[LAN].count <= 16);
	}
	for (unsigned i = 10; i < 20; i++) {
		snprintf(host, sizeof(host), "192.0.2.%u", i);
		assert_non_null(entry(&b, LAN, host));
	}
	assert_null(entry(&b, LAN, "192.0.2.100"));
	/* Full of those in use: a new one is refused, its packet reported. */
	for (unsigned i = 20; i < 26; i++) {
		snprintf(host, sizeof(host), "192.0.2.%u", i);
		send_ip(&b, &families[0], host, 1);
		answer(&b, host, i);
	}
	assert_int_equal(b.n->interfaces[LAN].count, 16);
	send_ip(&b, &families[0], "192.0.2.66", 1);
	assert_null(entry(&b, LAN, "192.0.2.66"));
	assert_int_equal(bed_unanswered(&b), 1);
	assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_REFUSED_N], 1);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp_answered),
		cmocka_unit_test(test_ns_answered),
		cmocka_unit_test(test_resolves),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_gratuitous),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_static_and_link),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
