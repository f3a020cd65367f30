/* SPDX-License-Identifier: Apache-2.0 */
/* What concerns our own addresses: who else has them, advertisements, proxies; and what is malformed. */
#include <stdio.h>
#include <string.h>

#include "kit/graph/explain.h"
#include "kit/packet/checksum.h"
#include "nf/neighbor/neighbor_test_int.h"

static const uint8_t lan_mac[6] = { 2, 0, 0, 0, 0, 0xf0 };

/* -- duplicate detection ------------------------------------------------------------------ */

struct seen {
	unsigned arp_probes, arp_announcements, ns, na, ra;
};

static struct seen
look(struct bed *b, unsigned port)
{
	struct seen s = { 0 };

	for (unsigned i = 0; i < MR_MIN(b->sinks[port]->count, OUT_MAX); i++) {
		const uint8_t *f = b->sinks[port]->frames[i].bytes;

		if (mr_load_be16(f + 12) == MR_ETH_TYPE_ARP) {
			bool probe = mr_load_be32(f + 28) == 0;

			s.arp_probes += probe;
			s.arp_announcements += !probe && !memcmp(f + 28, f + 38, 4);
		} else if (mr_load_be16(f + 12) == MR_ETH_TYPE_IP6) {
			s.ns += f[54] == MR_ICMP6_NEIGHBOR_SOLICIT;
			s.na += f[54] == MR_ICMP6_NEIGHBOR_ADVERT;
			s.ra += f[54] == MR_ICMP6_ROUTER_ADVERT;
		}
	}
	return s;
}

static struct mr_ip_address *
own(struct bed *b, const char *text)
{
	struct mr_ip_interface_info *info = &b->ip->info[LAN];
	uint8_t bytes[16];

	address(text, bytes);
	for (uint32_t i = 0; i < info->address_count; i++)
		if (!memcmp(info->addresses[i].bytes, bytes, 16))
			return &info->addresses[i];
	return NULL;
}

/* The LAN goes down and comes up with detection on: probes, then announcements. */
static void
test_detection(void **state)
{
	uint8_t frame[128];
	const uint8_t *f;
	struct seen s;
	struct bed b;

	(void)state;
	bed_open(&b);
	b.own.dad = true;
	bed_set(&b, LAN);
	bed_link(&b, LAN, false);
	bed_link(&b, LAN, true);
	bed_clear(&b);
	/* IPv4 is used meanwhile, IPv6 is optimistic. */
	assert_false(own(&b, "192.0.2.1")->tentative);
	assert_true(own(&b, "2001:db8::1")->tentative);
	bed_wait(&b, 550);
	s = look(&b, LAN_PORT);
	assert_int_equal(s.arp_probes, 3);
	assert_int_equal(s.arp_announcements, 0);
	assert_int_equal(s.ns, 2);
	f = NULL;
	for (unsigned i = 0; i < b.sinks[LAN_PORT]->count && !f; i++)
		if (b.sinks[LAN_PORT]->frames[i].bytes[12] == 0x86)
			f = b.sinks[LAN_PORT]->frames[i].bytes;
	/* RFC 4862, 5.4.2: from nobody, no link-layer address; RFC 7527: a nonce. */
	assert_memory_equal(f + 22, neighbor_unspecified, 16);
	assert_int_equal(f[54 + 24], 14);
	assert_int_equal(b.sinks[LAN_PORT]->frames[1].len >= 60, 1);
	/* An optimistic address is answered for, without override (RFC 4429, 3.3). */
	bed_clear(&b);
	bed_inject_nd(&b, LAN, frame, make_ns(frame, 9, "fe80::9", "2001:db8::1", true));
	assert_int_equal(mr_load_be32(b.sinks[LAN_PORT]->frames[0].bytes + 58), 0xc0000000u);
	bed_wait(&b, 700);
	assert_false(own(&b, "2001:db8::1")->tentative);
	bed_wait(&b, 5000);
	s = look(&b, LAN_PORT);
	assert_int_equal(s.arp_announcements, 3);
	assert_int_equal(s.na, 1 + 6);
	assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_CONFLICT_N], 0);
	bed_close(&b);
}

static void
test_duplicate(void **state)
{
	static const char *const addresses[] = { "192.0.2.1", "2001:db8::1", "2001:db8::1" };
	uint8_t frame[128];
	struct bed b;

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(addresses); i++) {
		bed_open(&b);
		b.own.dad = true;
		bed_set(&b, LAN);
		bed_link(&b, LAN, false);
		bed_link(&b, LAN, true);
		bed_wait(&b, 100);
		if (i == 0)
			bed_inject(&b, LAN_PORT, frame,
			    make_arp(frame, 0, MR_ARP_REPLY, 66, "192.0.2.1", lan_mac, "192.0.2.1",
				false));
		else if (i == 1)
			bed_inject_nd(&b, LAN, frame,
			    make_na(frame, 66, addresses[i], "ff02::1", addresses[i],
				NEIGHBOR_FLAG_OVERRIDE));
		else /* both try at once (RFC 4862, 5.4.3) */
			bed_inject_nd(&b, LAN, frame,
			    make_ns(frame, 66, "::", addresses[i], false));
		assert_true(own(&b, addresses[i])->duplicate);
		assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_DUPLICATE_N], 1);
		/* Not ours any more. */
		bed_wait(&b, 5000);
		bed_clear(&b);
		if (i == 0)
			bed_inject(&b, LAN_PORT, frame,
			    make_arp(frame, 0, MR_ARP_REQUEST, 9, "192.0.2.9", NULL, "192.0.2.1",
				true));
		else
			bed_inject_nd(&b, LAN, frame,
			    make_ns(frame, 9, "fe80::9", addresses[i], true));
		assert_int_equal(b.sinks[LAN_PORT]->count, 0);
		bed_close(&b);
	}
}

/* Somebody takes an address that we have had for long: said, defended once in ten seconds. */
static void
test_defence(void **state)
{
	uint8_t frame[128];
	struct bed b;

	(void)state;
	bed_open(&b);
	for (unsigned i = 0; i < 20; i++) {
		bed_inject(&b, LAN_PORT, frame,
		    make_arp(frame, 0, MR_ARP_REQUEST, 66, "192.0.2.1", NULL, "192.0.2.1", true));
		bed_wait(&b, 1000);
	}
	assert_in_range(look(&b, LAN_PORT).arp_announcements, 2, 3);
	assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_CONFLICT_N], 20);
	assert_false(own(&b, "192.0.2.1")->duplicate);
	assert_null(entry(&b, LAN, "192.0.2.1"));
	bed_close(&b);
}

/* -- proxy -------------------------------------------------------------------------------- */

static void
test_proxy(void **state)
{
	static const struct {
		const char *target;
		bool answered;
	} cases[] = {
		{ "198.51.100.77", true }, /* on the WAN */
		{ "10.1.2.3", true },      /* by a route through it */
		{ "192.0.2.77", false },   /* on the LAN itself */
		{ "172.16.0.1", false },   /* nowhere */
		{ "2001:db8:1::77", true },
		{ "2001:db8::77", false },
	};
	uint8_t frame[128];
	struct bed b;

	(void)state;
	bed_open(&b);
	bed_route(&b, "10.0.0.0/8", "198.51.100.254", WAN);
	for (unsigned on = 0; on < 2; on++) {
		b.own.proxy = on;
		bed_set(&b, LAN);
		bed_wait(&b, 5000);
		for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
			const char *t = cases[i].target;

			bed_clear(&b);
			if (strchr(t, ':'))
				bed_inject_nd(&b, LAN, frame,
				    make_ns(frame, 9, "fe80::9", t, true));
			else
				bed_inject(&b, LAN_PORT, frame,
				    make_arp(frame, 0, MR_ARP_REQUEST, 9, "192.0.2.9", NULL, t,
					true));
			assert_int_equal(b.sinks[LAN_PORT]->count, on && cases[i].answered);
			if (!b.sinks[LAN_PORT]->count)
				continue;
			assert_memory_equal(b.sinks[LAN_PORT]->frames[0].bytes + 6, lan_mac, 6);
			if (strchr(t, ':')) /* RFC 4389, 4.1.3.3: no override */
				assert_int_equal(
				    mr_load_be32(b.sinks[LAN_PORT]->frames[0].bytes + 58),
				    0xc0000000u);
		}
	}
	/* Who probes for an address must not be told that it is taken. */
	bed_clear(&b);
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REQUEST, 9, "0.0.0.0", NULL, "10.1.2.3", true));
	assert_int_equal(b.sinks[LAN_PORT]->count, 0);
	bed_close(&b);
}

/* -- router advertisements ------------------------------------------------------------------ */

static const uint8_t *
ra_out(struct bed *b, unsigned n)
{
	for (unsigned i = 0; i < MR_MIN(b->sinks[LAN_PORT]->count, OUT_MAX); i++) {
		const uint8_t *f = b->sinks[LAN_PORT]->frames[i].bytes;

		if (mr_load_be16(f + 12) == MR_ETH_TYPE_IP6 && f[54] == MR_ICMP6_ROUTER_ADVERT &&
		    n-- == 0)
			return f + 54;
	}
	return NULL;
}

static const uint8_t *
ra_option(const uint8_t *icmp, unsigned type)
{
	unsigned len = mr_load_be16(icmp - 36), at = 16;

	for (; at + 8 <= len; at += icmp[at + 1] * 8u)
		if (icmp[at] == type)
			return icmp + at;
	return NULL;
}

static unsigned
make_rs(uint8_t *frame, unsigned from)
{
	static const uint8_t routers[16] = { 0xff, 2, [15] = 2 };
	struct mr_ip_interface i = { .vrf = 0 };
	uint8_t mac[6], source[16], dst[6];

	station(mac, from);
	memcpy(&i.mac, mac, 6);
	address("fe80::9", source);
	neighbor_group_mac(dst, routers);
	neighbor_write_ethernet(frame, &i, dst, MR_ETH_TYPE_IP6);
	memset(frame + 54, 0, 16);
	frame[54] = MR_ICMP6_ROUTER_SOLICIT;
	frame[62] = frame[63] = 1;
	memcpy(frame + 64, mac, 6);
	neighbor_write_ip6(frame, 14, source, routers, 16);
	return 70;
}

static void
test_advertisements(void **state)
{
	struct neighbor_ra_settings *ra;
	const uint8_t *icmp, *o;
	uint8_t frame[128], a[16];
	uint64_t sent;
	struct bed b;

	(void)state;
	bed_open(&b);
	b.settings.heard_rate = 1000000; /* by the real clock */
	ra = &b.own.ra;
	ra->on = true;
	ra->mtu = 1400;
	ra->other = true;
	ra->preference = 1;
	address("2001:db8::53", ra->dns[ra->dns_count++]);
	snprintf(ra->search[ra->search_count++], 254, "lab.example");
	bed_set(&b, LAN);
	bed_wait(&b, 100);
	icmp = ra_out(&b, 0);
	assert_non_null(icmp);
	address("fe80::1", a);
	assert_memory_equal(icmp - 32, a, 16);
	assert_int_equal(icmp[4], 64);
	assert_int_equal(icmp[5], 0x48);
	assert_int_equal(mr_load_be16(icmp + 6), 1800);
	o = ra_option(icmp, 1);
	assert_memory_equal(o + 2, lan_mac, 6);
	assert_int_equal(mr_load_be32(ra_option(icmp, 5) + 4), 1400);
	o = ra_option(icmp, 3);
	assert_int_equal(o[2], 64);
	assert_int_equal(o[3], 0xc0);
	address("2001:db8::", a);
	assert_memory_equal(o + 16, a, 16);
	o = ra_option(icmp, 25);
	assert_int_equal(o[1], 3);
	address("2001:db8::53", a);
	assert_memory_equal(o + 8, a, 16);
	assert_memory_equal(ra_option(icmp, 31) + 8, "\3lab\7example", 13);
	/* Three quick ones, then between min-interval and max-interval (RFC 4861, 6.2.4). */
	bed_wait(&b, 33000);
	assert_in_range(look(&b, LAN_PORT).ra, 3, 3);
	bed_wait(&b, 16000);
	bed_clear(&b);
	bed_wait(&b, 3600000);
	assert_in_range(look(&b, LAN_PORT).ra, 6, 18);
	/* Asked: within half a second, but never twice in three (6.2.6). */
	bed_wait(&b, 10000);
	bed_clear(&b);
	sent = b.n->interfaces[LAN].counts[NEIGHBOR_ADVERTISED_N];
	for (unsigned i = 0; i < 300; i++) {
		bed_inject_nd(&b, LAN, frame, make_rs(frame, 9));
		bed_wait(&b, 100);
		if (i == 5)
			assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_ADVERTISED_N] - sent,
			    1);
	}
	sent = b.n->interfaces[LAN].counts[NEIGHBOR_ADVERTISED_N] - sent;
	assert_in_range(sent, 8, 11);
	assert_int_equal(b.n->interfaces[LAN].counts[NEIGHBOR_SOLICITED_N], 300);
	/* The last one takes the router back (6.2.5). */
	bed_clear(&b);
	b.own.ra.on = false;
	bed_set(&b, LAN);
	bed_wait(&b, 1000);
	assert_int_equal(look(&b, LAN_PORT).ra, 1);
	assert_int_equal(mr_load_be16(ra_out(&b, 0) + 6), 0);
	bed_inject_nd(&b, LAN, frame, make_rs(frame, 9));
	bed_wait(&b, 5000);
	assert_int_equal(look(&b, LAN_PORT).ra, 1);
	bed_close(&b);
}

/* -- what is malformed ---------------------------------------------------------------------- */

struct bad {
	const char *what;
	unsigned at; /* the byte that is changed */
	uint8_t value;
	unsigned len; /* 0: the whole */
	unsigned flaw;
};

static const struct bad bad_arp[] = {
	{ "cut", 0, 2, 41, NEIGHBOR_FLAW_SHORT },
	{ "hardware", 15, 6, 0, NEIGHBOR_FLAW_FORMAT },
	{ "protocol", 16, 9, 0, NEIGHBOR_FLAW_FORMAT },
	{ "hardware size", 18, 5, 0, NEIGHBOR_FLAW_FORMAT },
	{ "protocol size", 19, 16, 0, NEIGHBOR_FLAW_FORMAT },
	{ "operation 0", 21, 0, 0, NEIGHBOR_FLAW_FORMAT },
	{ "RARP", 21, 3, 0, NEIGHBOR_FLAW_FORMAT },
	{ "group MAC", 22, 3, 0, NEIGHBOR_FLAW_SENDER },
	{ "sender is a group", 28, 224, 0, NEIGHBOR_FLAW_SENDER },
	{ "sender is loopback", 28, 127, 0, NEIGHBOR_FLAW_SENDER },
	{ "sender is 0/8", 28, 0, 0, NEIGHBOR_FLAW_SENDER },
};

/* The sum is made good again where it is not what is tested. */
static const struct bad bad_nd[] = {
	{ "cut", 0, 2, 60, NEIGHBOR_FLAW_SHORT },
	{ "payload beyond the end", 19, 200, 0, NEIGHBOR_FLAW_SHORT },
	{ "hop limit", 21, 254, 0, NEIGHBOR_FLAW_HOP_LIMIT },
	{ "checksum", 57, 0x55, 0, NEIGHBOR_FLAW_CHECKSUM },
	{ "code", 55, 1, 0, NEIGHBOR_FLAW_CODE },
	{ "target is a group", 62, 0xff, 0, NEIGHBOR_FLAW_TARGET },
	{ "option of length 0", 79, 0, 0, NEIGHBOR_FLAW_OPTION },
	{ "option beyond the end", 79, 2, 0, NEIGHBOR_FLAW_OPTION },
	{ "group MAC in option", 80, 3, 0, NEIGHBOR_FLAW_SENDER },
	{ "source is a group", 22, 0xff, 0, NEIGHBOR_FLAW_SENDER },
	{ "too short for a redirect", 54, MR_ICMP6_REDIRECT, 0, NEIGHBOR_FLAW_LENGTH },
	{ "router's, from a global address", 54, MR_ICMP6_ROUTER_ADVERT, 0,
	    NEIGHBOR_FLAW_NOT_LOCAL },
	{ "no ND message", 54, 128, 0, NEIGHBOR_FLAW_FORMAT },
};

static void
sum_again(uint8_t *frame)
{
	struct mr_ip6 ip;
	unsigned len;
	be16_t check;

	memcpy(&ip, frame + 14, sizeof(ip));
	len = mr_be16(ip.payload_len);
	memset(frame + 56, 0, 2);
	check = mr_checksum_finish(
	    mr_checksum_add(mr_checksum_pseudo6(ip.src, ip.dst, ip.next, len), frame + 54, len));
	memcpy(frame + 56, &check, 2);
}

static void
test_malformed(void **state)
{
	uint8_t frame[128];
	struct bed b;

	(void)state;
	bed_open(&b);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(bad_arp); i++) {
		const struct bad *c = &bad_arp[i];
		uint64_t before = bed_drops(&b, b.arp, c->flaw);
		unsigned len =
		    make_arp(frame, 0, MR_ARP_REQUEST, 9, "192.0.2.9", NULL, "192.0.2.1", true);

		if (c->at)
			frame[c->at] = c->value;
		bed_inject(&b, LAN_PORT, frame, c->len ? c->len : len);
		if (bed_drops(&b, b.arp, c->flaw) != before + 1)
			fail_msg("ARP: %s", c->what);
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(bad_nd); i++) {
		const struct bad *c = &bad_nd[i];
		uint64_t before = bed_drops(&b, b.nd, c->flaw);
		unsigned len = make_ns(frame, 9, "2001:db8::9", "2001:db8::1", true);

		if (c->at)
			frame[c->at] = c->value;
		if (c->flaw != NEIGHBOR_FLAW_CHECKSUM && c->flaw != NEIGHBOR_FLAW_SHORT)
			sum_again(frame);
		bed_inject_nd(&b, LAN, frame, c->len ? c->len : len);
		if (bed_drops(&b, b.nd, c->flaw) != before + 1)
			fail_msg("ND: %s", c->what);
	}
	/* RFC 4861, 7.1.1: from nobody with an address, or not to the group; 7.1.2: solicited, to all. */
	bed_inject_nd(&b, LAN, frame, make_ns(frame, 9, "::", "2001:db8::1", true));
	assert_int_equal(bed_drops(&b, b.nd, NEIGHBOR_FLAW_UNSPECIFIED), 1);
	bed_inject_nd(&b, LAN, frame,
	    make_na(frame, 9, "fe80::9", "ff02::1", "2001:db8::9",
		NEIGHBOR_FLAG_SOLICITED | NEIGHBOR_FLAG_OVERRIDE));
	assert_int_equal(bed_drops(&b, b.nd, NEIGHBOR_FLAW_SOLICITED), 1);
	assert_int_equal(b.n->count, 0);
	assert_int_equal(b.sinks[LAN_PORT]->count, 0);
	bed_close(&b);
}

/* -- limits, and walks that only explain ---------------------------------------------------- */

static void
test_limits(void **state)
{
	uint8_t frame[128];
	struct bed b;

	(void)state;
	bed_open(&b);
	b.settings.heard_rate = 4;
	bed_set(&b, LAN);
	for (unsigned i = 0; i < 100; i++)
		bed_inject(&b, LAN_PORT, frame,
		    make_arp(frame, 0, MR_ARP_REQUEST, 9, "192.0.2.9", NULL, "192.0.2.1", true));
	/* Answered all of them; learned from few. */
	assert_int_equal(b.sinks[LAN_PORT]->count, 100);
	assert_int_equal(bed_counter(&b, b.arp, NEIGHBOR_COUNT_ANSWERED), 100);
	assert_in_range(bed_counter(&b, b.arp, NEIGHBOR_COUNT_HANDED), 1, 10);
	/* Answers to us have a limit of their own: a flood of questions does not starve them. */
	bed_inject(&b, LAN_PORT, frame,
	    make_arp(frame, 0, MR_ARP_REPLY, 9, "192.0.2.9", lan_mac, "192.0.2.1", false));
	assert_int_equal(bed_drops(&b, b.arp, NEIGHBOR_DROP_ANSWER_LIMIT), 0);
	bed_close(&b);
}

struct explained {
	unsigned nodes, outputs;
	unsigned answers, handed;
};

static void
explained(void *user, const struct mr_recording *r)
{
	struct explained *e = user;

	for (unsigned i = 0; i < r->count; i++) {
		e->nodes += r->ops[i].kind == MR_OP_NODE;
		if (r->ops[i].kind != MR_OP_OUTPUT)
			continue;
		e->outputs++;
		e->answers += r->ops[i].arg == LAN_PORT;
		e->handed += r->ops[i].arg == CHANNEL_PORT;
	}
}

/* Shows the answer, and the way to the control thread, and leaves no trace of it. */
static void
test_explain(void **state)
{
	static const uint8_t wan_mac[6] = { 2, 0, 0, 0, 0, 0xf1 };
	uint8_t frame[128];
	struct bed b;

	(void)state;
	bed_open(&b);
	for (unsigned i = 0; i < 3; i++) {
		unsigned port = i == 2 ? WAN_PORT : LAN_PORT;
		struct explained e = { 0 };
		uint32_t packet;
		unsigned len;

		if (i == 0)
			len = make_arp(frame, 0, MR_ARP_REQUEST, 9, "192.0.2.9", NULL, "192.0.2.1",
			    true);
		else if (i == 1)
			len = make_arp(frame, 0, MR_ARP_REPLY, 9, "192.0.2.9", lan_mac, "192.0.2.1",
			    false);
		else
			len = make_ip(frame, wan_mac, "198.51.100.7", "192.0.2.9", 1);
		packet = mr_packet_from(b.buffers, MR_POOL_SHARED, frame, len);
		assert_int_not_equal(packet, MR_PACKET_NONE);
		assert_int_equal(
		    mr_graph_explain(b.graph, (uint16_t)port, packet, explained, &e, &b.error), 0);
		assert_int_equal(e.nodes, 2);
		/* A question is answered, and a copy of it goes to the control thread; of an
		 * answer to us the twin gets a copy. */
		assert_int_equal(e.outputs, i == 2 ? 1 : 2);
		assert_int_equal(e.answers, i == 0 ? 1 : 0);
		assert_int_equal(e.handed, 1);
		bed_wait(&b, 100);
		assert_int_equal(b.n->count, 0);
		for (unsigned k = 0; k < PORTS; k++)
			assert_int_equal(b.sinks[k]->count, 0);
		assert_int_equal(bed_counter(&b, b.arp, NEIGHBOR_COUNT_HANDED), 0);
	}
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_detection),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_defence),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_advertisements),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
