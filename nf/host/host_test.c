/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of packets to the router and of those of its host. */
#include "nf/host/host_test_int.h"

/* -- every class ------------------------------------------------------------------------- */

static const struct {
	struct packet packet;
	enum mr_host_class class; /* without a session */
	unsigned port;
} cases[] = {
	{ TCP4(40000, 179, MR_TCP_SYN), MR_HOST_BGP_NEW, TWIN },
	{ TCP4(40000, 179, MR_TCP_ACK), MR_HOST_BGP_NEW, TWIN },
	{ TCP6(179, 40000, MR_TCP_SYN | MR_TCP_ACK), MR_HOST_BGP_NEW, TWIN },
	{ TCP4(40000, 22, MR_TCP_SYN), MR_HOST_SSH_NEW, TWIN },
	{ TCP6(40000, 22, MR_TCP_ACK), MR_HOST_SSH_NEW, TWIN },
	{ TCP4(40000, 646, MR_TCP_SYN), MR_HOST_LDP, TWIN },
	{ TCP4(40000, 80, MR_TCP_SYN), MR_HOST_TCP_NEW, TWIN },
	{ TCP6(40000, 443, MR_TCP_ACK), MR_HOST_TCP_NEW, TWIN },
	{ UDP4(49152, 3784), MR_HOST_BFD, TWIN },
	{ UDP6(49152, 3785), MR_HOST_BFD, TWIN },
	{ UDP4(49152, 4784), MR_HOST_BFD, TWIN },
	{ UDP4(49152, 6784), MR_HOST_BFD, TWIN },
	{ UDP4(646, 646), MR_HOST_LDP, TWIN },
	{ UDP4(520, 520), MR_HOST_RIP, TWIN },
	{ UDP6(521, 521), MR_HOST_RIP, TWIN },
	{ UDP4(68, 67), MR_HOST_DHCP, TWIN },
	{ UDP4(67, 68), MR_HOST_DHCP, TWIN },
	{ UDP6(546, 547), MR_HOST_DHCP, TWIN },
	{ UDP6(547, 546), MR_HOST_DHCP, TWIN },
	{ UDP4(5000, 161), MR_HOST_SNMP, TWIN },
	{ UDP4(5000, 123), MR_HOST_NTP, TWIN },
	{ UDP4(123, 5000), MR_HOST_NTP, TWIN },
	{ UDP4(53, 5000), MR_HOST_DNS, TWIN },
	{ UDP4(5000, 53), MR_HOST_UDP, TWIN },
	{ UDP4(5000, 33434), MR_HOST_TRACEROUTE, TWIN },
	{ UDP6(5000, 33534), MR_HOST_TRACEROUTE, TWIN },
	{ UDP4(5000, 33535), MR_HOST_UDP, TWIN },
	{ UDP6(5000, 5001), MR_HOST_UDP, TWIN },
	{ IP4("224.0.0.5", MR_IP_PROTO_OSPF, 0), MR_HOST_OSPF, TWIN },
	{ IP6("ff02::5", MR_IP_PROTO_OSPF, 0), MR_HOST_OSPF, TWIN },
	{ IP4("10.0.0.1", MR_IP_PROTO_OSPF, 0), MR_HOST_OSPF, TWIN },
	{ IP4("224.0.0.13", MR_IP_PROTO_PIM, 0), MR_HOST_PIM, TWIN },
	{ IP4("224.0.0.18", MR_IP_PROTO_VRRP, 0), MR_HOST_VRRP, TWIN },
	{ IP4("224.0.0.1", MR_IP_PROTO_IGMP, 0), MR_HOST_IGMP, TWIN },
	{ IP6("ff02::1", MR_IP_PROTO_ICMP6, 130), MR_HOST_IGMP, TWIN },
	{ IP6("ff02::16", MR_IP_PROTO_ICMP6, 143), MR_HOST_IGMP, TWIN },
	{ IP6("ff02::2", MR_IP_PROTO_ICMP6, 133), MR_HOST_ND, ND },
	{ IP6("ff02::1:ff00:1", MR_IP_PROTO_ICMP6, 135), MR_HOST_ND, ND },
	{ IP6("2001:db8::1", MR_IP_PROTO_ICMP6, 136), MR_HOST_ND, ND },
	{ IP6("2001:db8::1", MR_IP_PROTO_ICMP6, 137), MR_HOST_ND, ND },
	{ IP4("10.0.0.1", MR_IP_PROTO_ICMP, 8), MR_HOST_ECHO, ECHO },
	{ IP6("2001:db8::1", MR_IP_PROTO_ICMP6, 128), MR_HOST_ECHO, ECHO },
	{ IP4("10.0.0.1", MR_IP_PROTO_ICMP, 0), MR_HOST_ICMP_OTHER, TWIN },
	{ IP4("10.0.0.1", MR_IP_PROTO_ICMP, 13), MR_HOST_ICMP_OTHER, TWIN },
	{ IP6("2001:db8::1", MR_IP_PROTO_ICMP6, 129), MR_HOST_ICMP_OTHER, TWIN },
	{ IP4("10.0.0.1", MR_IP_PROTO_ICMP, 3), MR_HOST_ICMP_ERROR, TWIN },
	{ IP4("10.0.0.1", MR_IP_PROTO_ICMP, 11), MR_HOST_ICMP_ERROR, TWIN },
	{ IP6("2001:db8::1", MR_IP_PROTO_ICMP6, 2), MR_HOST_ICMP_ERROR, TWIN },
	{ IP4("10.0.0.1", MR_IP_PROTO_ESP, 0), MR_HOST_OTHER, TWIN },
	{ IP4("10.0.0.1", MR_IP_PROTO_ICMP6, 128), MR_HOST_OTHER, TWIN },
	{ IP6("2001:db8::1", MR_IP_PROTO_ICMP, 8), MR_HOST_OTHER, TWIN },
	{ { "10.0.0.2", "10.0.0.1", 46, 0, 0, 0, true, 0 }, MR_HOST_OPTIONS, TWIN },
	{ { "10.0.0.2", "10.0.0.1", 6, 5, 179, 16, true, 0 }, MR_HOST_OPTIONS, TWIN },
	{ { "10.0.0.2", "224.0.0.1", 2, 0, 0, 0, true, 0 }, MR_HOST_IGMP, TWIN },
	{ { "fe80::2", "ff02::1", 58, 130, 0, 0, true, 0 }, MR_HOST_IGMP, TWIN },
	{ { "fe80::2", "2001:db8::1", 17, 5, 3784, 0, true, 0 }, MR_HOST_OPTIONS, TWIN },
	{ { "fe80::2", "2001:db8::1", 58, 128, 0, 0, true, 0 }, MR_HOST_OPTIONS, TWIN },
	{ { "10.0.0.2", "10.0.0.1", 17, 5, 3784, 0, false, 0x2000 }, MR_HOST_FRAGMENTS,
	    REASSEMBLY },
	{ { "10.0.0.2", "10.0.0.1", 6, 0, 0, 0, false, 100 }, MR_HOST_FRAGMENTS, REASSEMBLY },
	{ { "2001::2", "2001:db8::1", 17, 0, 0, 0, false, 100 }, MR_HOST_FRAGMENTS, REASSEMBLY },
	{ { "10.0.0.2", "255.255.255.255", 17, 68, 67, 0, false, 0 }, MR_HOST_DHCP, TWIN },
};

/* Untagged on interface 1, tagged on interface 3, whose twin gets it without the tag. */
static void
test_classes(void **state)
{
	struct bed *b = bed_open();

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		for (unsigned vlan = 0; vlan <= 7; vlan += 7) {
			struct frame f = make_frame(&cases[i].packet, vlan);
			struct frame bare = make_frame(&cases[i].packet, 0);
			unsigned port = vlan && cases[i].port == TWIN ? TWIN_VLAN : cases[i].port;
			struct sink *s = b->sinks[port];
			uint64_t before = counts(b, cases[i].class).packets;
			const struct frame *want = port == TWIN_VLAN ? &bare : &f;

			s->count = 0;
			inject(b, b->local, WIRE, vlan ? VLAN : PLAIN, &f, 1);
			if (counts(b, cases[i].class).packets != before + 1)
				fail_msg("case %u is not of class %s", i,
				    mr_host_class_info[cases[i].class].name);
			assert_int_equal(s->count, 1);
			assert_int_equal(s->frames[0].len, want->len);
			assert_memory_equal(s->frames[0].bytes, want->bytes, want->len);
		}
	}
	bed_close(b);
}

static void
test_not_ip(void **state)
{
	static const struct {
		uint8_t dst[6];
		uint8_t rest[8]; /* from the type on */
		enum mr_host_class class;
	} frames[] = {
		{ { 1, 0x80, 0xc2, 0, 0, 0x14 }, { 0, 60, 0xfe, 0xfe, 3 }, MR_HOST_ISIS },
		{ { 1, 0x80, 0xc2, 0, 0, 0x15 }, { 5, 0xdc, 0xfe, 0xfe, 3 }, MR_HOST_ISIS },
		{ { 9, 0, 0x2b, 0, 0, 5 }, { 0, 60, 0xfe, 0xfe, 3 }, MR_HOST_ISIS },
		{ { 9, 0, 0x2b, 0, 0, 5 }, { 0x88, 0x70, 0xfe, 0xfe, 3 }, MR_HOST_ISIS },
		{ { 1, 0x80, 0xc2, 0, 0, 0 }, { 0, 38, 0x42, 0x42, 3 }, MR_HOST_L2 },
		{ { 1, 0x80, 0xc2, 0, 0, 14 }, { 0x88, 0xcc, 2 }, MR_HOST_LLDP },
		{ { 1, 0x80, 0xc2, 0, 0, 2 }, { 0x88, 0x09, 1 }, MR_HOST_L2 },
		{ { 2, 0, 0, 0, 0, 1 }, { 8, 6, 0, 1 }, MR_HOST_ARP },
		{ { 2, 0, 0, 0, 0, 1 }, { 0x88, 0xb5, 0, 1 }, MR_HOST_L2 },
	};
	struct bed *b = bed_open();

	for (unsigned i = 0; i < MR_ARRAY_COUNT(frames); i++) {
		struct frame f = { .len = 60 };
		uint64_t before = counts(b, frames[i].class).packets;

		memcpy(f.bytes, frames[i].dst, 6);
		f.bytes[6] = 2;
		memcpy(f.bytes + 12, frames[i].rest, 8);
		inject(b, b->local, WIRE, PLAIN, &f, 1);
		if (counts(b, frames[i].class).packets != before + 1)
			fail_msg("frame %u is not of class %s", i,
			    mr_host_class_info[frames[i].class].name);
	}
	assert_int_equal(b->sinks[TWIN]->count, MR_ARRAY_COUNT(frames));
	bed_close(b);
}

/* Cut at every length, a frame is passed or dropped by name; lengths that lie are dropped. */
static void
test_malformed(void **state)
{
	struct bed *b = bed_open();
	struct frame f;
	uint64_t before;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		f = make_frame(&cases[i].packet, 7);
		for (unsigned len = 0; len < f.len; len++) {
			struct frame cut = f;

			cut.len = len;
			before = drops(b, b->local, MR_HOST_DROP_MALFORMED);
			inject(b, b->local, WIRE, PLAIN, &cut, 1);
			assert_int_equal(drops(b, b->local, MR_HOST_DROP_MALFORMED), before + 1);
		}
	}
	f = make_frame(&cases[0].packet, 0);
	f.bytes[14 + 20 + 12] = 0x10; /* TCP header of 4 bytes */
	before = drops(b, b->local, MR_HOST_DROP_MALFORMED);
	inject(b, b->local, WIRE, PLAIN, &f, 1);
	f = make_frame(&cases[0].packet, 0);
	f.bytes[14] = 0x65; /* version 6 behind the type of IPv4 */
	inject(b, b->local, WIRE, PLAIN, &f, 1);
	assert_int_equal(drops(b, b->local, MR_HOST_DROP_MALFORMED), before + 2);
	bed_close(b);
}

/* -- where it may go --------------------------------------------------------------------- */

static void
test_scopes(void **state)
{
	const struct packet group = { "10.0.0.2", "239.1.2.3", 17, 5, 5, 0, false, 0 };
	const struct packet group6 = { "2001:db8::2", "ff05::2", 17, 5, 5, 0, false, 0 };
	const struct packet local6 = { "fe80::2", "fe80::1", 17, 5, 5, 0, false, 0 };
	struct frame f = make_frame(&group, 0), f6 = make_frame(&group6, 0),
		     l6 = make_frame(&local6, 0);
	struct bed *b = bed_open();

	inject(b, b->local, WIRE, PLAIN, &f, 1);
	inject(b, b->local, WIRE, PLAIN, &f6, 1);
	inject(b, b->local, WIRE, PLAIN, &l6, 1);
	assert_int_equal(drops(b, b->local, MR_HOST_DROP_NOT_JOINED), 2);
	assert_int_equal(drops(b, b->local, MR_HOST_DROP_NOT_HERE), 1);
	mr_host_listen_begin(b->host);
	mr_host_listen_add(b->host, PLAIN, 4, f.bytes + 14 + 16);
	mr_host_listen_add(b->host, PLAIN, 6, f6.bytes + 14 + 24);
	mr_host_listen_add(b->host, PLAIN, 6, l6.bytes + 14 + 24);
	mr_host_listen_publish(b->host);
	inject(b, b->local, WIRE, PLAIN, &f, 1);
	inject(b, b->local, WIRE, PLAIN, &f6, 1);
	inject(b, b->local, WIRE, PLAIN, &l6, 1);
	assert_int_equal(b->sinks[TWIN]->count, 3);
	/* Another interface has not joined. */
	inject(b, b->local, WIRE, VLAN, &f, 1);
	inject(b, b->local, WIRE, VLAN, &l6, 1);
	assert_int_equal(b->sinks[TWIN_VLAN]->count, 0);
	mr_host_listen_begin(b->host);
	mr_host_listen_publish(b->host);
	inject(b, b->local, WIRE, PLAIN, &f, 1);
	assert_int_equal(b->sinks[TWIN]->count, 3);
	bed_close(b);
}

/* Without a twin: neighbour discovery and echo go on, the rest has a name. */
static void
test_no_twin(void **state)
{
	struct bed *b = bed_open();

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct frame f = make_frame(&cases[i].packet, 0);
		uint64_t before = drops(b, b->local, MR_HOST_DROP_NO_TWIN);

		inject(b, b->local, WIRE, TWINLESS, &f, 1);
		assert_int_equal(drops(b, b->local, MR_HOST_DROP_NO_TWIN) - before,
		    cases[i].port == TWIN);
	}
	/* Without the nodes that answer, the host does. */
	b->host->has_nd = b->host->has_echo = b->host->has_reassembly = false;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct frame f = make_frame(&cases[i].packet, 0);

		b->sinks[TWIN]->count = 0;
		inject(b, b->local, WIRE, PLAIN, &f, 1);
		assert_int_equal(b->sinks[TWIN]->count, 1);
	}
	{
		struct frame f = make_frame(&cases[0].packet, 0);

		inject(b, b->local, WIRE, 0, &f, 1);
		inject(b, b->local, WIRE, 100000, &f, 1);
		mr_host_set_policy(b->host, 0, NULL);
		inject(b, b->local, WIRE, PLAIN, &f, 1);
		assert_int_equal(drops(b, b->local, MR_HOST_DROP_NO_INTERFACE), 3);
	}
	bed_close(b);
}

static void
test_sources(void **state)
{
	static const struct mr_host_sources sources = { 3,
		{ { 4, 9, { 10, 0x80 } }, { 6, 128, { 0x20, 1, [15] = 9 } }, { 4, 0, { 0 } } } };
	static const struct {
		const char *src, *dst;
		bool ok;
	} from[] = {
		{ "10.128.0.1", "10.0.0.1", true },
		{ "10.127.0.1", "10.0.0.1", false },
		{ "2001::9", "2001:db8::1", true },
		{ "2001::8", "2001:db8::1", false },
	};
	struct mr_host_sources two = sources;
	struct bed *b = bed_open();

	two.count = 2;
	mr_host_policy_set(b->policies[0], MR_HOST_UDP, mr_graph_hz(b->graph), 100000, 1000, &two);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(from); i++) {
		const struct packet p = { from[i].src, from[i].dst, 17, 5, 5, 0, false, 0 };
		struct frame f = make_frame(&p, 0);

		b->sinks[TWIN]->count = 0;
		inject(b, b->local, WIRE, PLAIN, &f, 1);
		assert_int_equal(b->sinks[TWIN]->count, from[i].ok);
	}
	assert_int_equal(counts(b, MR_HOST_UDP).refused, 2);
	assert_int_equal(drops(b, b->local, MR_HOST_DROP_NOT_ALLOWED), 2);
	/* 0.0.0.0/0 is everything of IPv4, and nothing of IPv6. */
	assert_ptr_equal(mr_host_policy_set(b->policies[0], MR_HOST_UDP, mr_graph_hz(b->graph),
			     100000, 1000, &sources),
	    &two);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(from); i++) {
		const struct packet p = { from[i].src, from[i].dst, 17, 5, 5, 0, false, 0 };
		struct frame f = make_frame(&p, 0);

		inject(b, b->local, WIRE, PLAIN, &f, 1);
	}
	assert_int_equal(counts(b, MR_HOST_UDP).refused, 3);
	bed_close(b);
}

/* -- the host's own ---------------------------------------------------------------------- */

static void
test_host_input(void **state)
{
	const struct packet p = { "10.0.0.1", "10.0.0.2", 17, 5, 5, 0, false, 0 };
	struct frame f = make_frame(&p, 0), tagged = make_frame(&p, 7), tiny = { .len = 13 };
	struct bed *b = bed_open();
	struct sink *s = b->sinks[WIRE];

	inject(b, b->input, TWIN, 0, &f, 1);
	assert_int_equal(s->count, 1);
	assert_memory_equal(s->frames[0].bytes, f.bytes, f.len);
	inject(b, b->input, TWIN_VLAN, 0, &f, 1);
	assert_int_equal(s->count, 2);
	assert_int_equal(s->frames[1].len, tagged.len);
	assert_memory_equal(s->frames[1].bytes, tagged.bytes, tagged.len);
	inject(b, b->input, ND, 0, &f, 1); /* no twin's port */
	assert_int_equal(drops(b, b->input, MR_HOST_INPUT_NO_INTERFACE), 1);
	inject(b, b->input, TWIN, 0, &tiny, 1);
	assert_int_equal(drops(b, b->input, MR_HOST_INPUT_SHORT), 1);
	b->ip.interfaces[PLAIN].flags = 0;
	inject(b, b->input, TWIN, 0, &f, 1);
	assert_int_equal(drops(b, b->input, MR_HOST_INPUT_DOWN), 1);
	b->ip.interfaces[PLAIN].flags = MR_IP_UP;
	mr_graph_set_port_up(b->graph, WIRE, false);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
	inject(b, b->input, TWIN, 0, &f, 1);
	assert_int_equal(drops(b, b->input, MR_HOST_INPUT_DOWN), 2);
	b->ip.interfaces[PLAIN].port = MR_IP_NO_PORT;
	inject(b, b->input, TWIN, 0, &f, 1);
	assert_int_equal(drops(b, b->input, MR_HOST_INPUT_DOWN), 3);
	assert_int_equal(s->count, 2);
	bed_close(b);
}

/* What the host sends decides which class a session's packets have. */
static void
test_sessions(void **state)
{
	static const struct {
		uint8_t flags;
		bool stands;
	} sent[] = {
		{ MR_TCP_SYN, false },
		{ MR_TCP_SYN | MR_TCP_ACK, false },
		{ MR_TCP_RST | MR_TCP_ACK, false },
		{ MR_TCP_FIN | MR_TCP_ACK, false },
		{ MR_TCP_ACK, true },
		{ MR_TCP_ACK | MR_TCP_PSH, true },
	};

	for (unsigned six = 0; six < 2; six++) {
		for (unsigned i = 0; i < MR_ARRAY_COUNT(sent); i++) {
			const char *us = six ? "2001:db8::1" : "10.0.0.1";
			const char *peer = six ? "2001:db8::2" : "10.0.0.2";
			const struct packet out = { us, peer, 6, 179, 40000, sent[i].flags, false,
				0 };
			const struct packet in = { peer, us, 6, 40000, 179, MR_TCP_ACK, false, 0 };
			const struct packet syn = { peer, us, 6, 40000, 179, MR_TCP_SYN, false, 0 };
			const struct packet stranger = { peer, us, 6, 40001, 179, MR_TCP_ACK, false,
				0 };
			struct frame fout = make_frame(&out, 0), fin = make_frame(&in, 0),
				     fsyn = make_frame(&syn, 0),
				     fstranger = make_frame(&stranger, 0);
			struct bed *b = bed_open();

			inject(b, b->input, TWIN, 0, &fout, 1);
			inject(b, b->local, WIRE, PLAIN, &fin, 1);
			assert_int_equal(counts(b, MR_HOST_BGP).packets, sent[i].stands);
			inject(b, b->local, WIRE, PLAIN, &fsyn, 1);
			inject(b, b->local, WIRE, PLAIN, &fstranger, 1);
			assert_int_equal(counts(b, MR_HOST_BGP).packets, sent[i].stands);
			assert_int_equal(counts(b, MR_HOST_BGP_NEW).packets, 3 - sent[i].stands);
			/* In another VRF it is nothing. */
			inject(b, b->local, WIRE, OTHER_VRF, &fin, 1);
			assert_int_equal(counts(b, MR_HOST_BGP).packets, sent[i].stands);
			/* It is forgotten after two ages without a word. */
			mr_host_age_sessions(b->host);
			inject(b, b->local, WIRE, PLAIN, &fin, 1);
			assert_int_equal(counts(b, MR_HOST_BGP).packets, 2 * sent[i].stands);
			mr_host_age_sessions(b->host);
			inject(b, b->local, WIRE, PLAIN, &fin, 1);
			assert_int_equal(counts(b, MR_HOST_BGP).packets, 2 * sent[i].stands);
			bed_close(b);
		}
	}
}

/* -- rates ------------------------------------------------------------------------------- */

/* A flood of one kind, and a session's packets between: of these none is lost. */
static void
test_fairness(void **state)
{
	static const struct packet bgp_out = { "10.0.0.1", "10.0.0.2", 6, 179, 40000, MR_TCP_ACK,
		false, 0 };
	static const struct packet bgp = { "10.0.0.2", "10.0.0.1", 6, 40000, 179, MR_TCP_ACK, false,
		0 };
	static const struct packet floods[] = {
		UDP4(5, 5000),
		TCP4(40001, 179, MR_TCP_SYN),
		TCP4(40002, 179, MR_TCP_ACK),
		IP4("10.0.0.1", MR_IP_PROTO_ICMP, 8),
		IP6("ff02::1:ff00:1", MR_IP_PROTO_ICMP6, 135),
		IP4("10.0.0.1", 99, 0),
		{ "10.0.0.2", "10.0.0.1", 17, 0, 0, 0, false, 77 },
	};
	static const enum mr_host_class classes[] = { MR_HOST_UDP, MR_HOST_BGP_NEW, MR_HOST_BGP_NEW,
		MR_HOST_ECHO, MR_HOST_ND, MR_HOST_OTHER, MR_HOST_FRAGMENTS };
	struct frame vector[MR_VECTOR_MAX], out = make_frame(&bgp_out, 0);

	for (unsigned k = 0; k < MR_ARRAY_COUNT(floods); k++) {
		const struct mr_host_class_info *info = &mr_host_class_info[classes[k]];
		struct bed *b = bed_open();
		unsigned rounds = 4 + 2 * info->burst / MR_VECTOR_MAX;
		uint64_t start = mr_cycles(), hz = mr_graph_hz(b->graph), most;
		struct mr_host_counts c;

		inject(b, b->input, TWIN, 0, &out, 1);
		for (unsigned i = 0; i < MR_VECTOR_MAX; i++)
			vector[i] = make_frame(i % 64 == 63 ? &bgp : &floods[k], 0);
		for (unsigned r = 0; r < rounds; r++) {
			inject(b, b->local, WIRE, PLAIN, vector, MR_VECTOR_MAX);
			for (unsigned s = 0; s < PORTS; s++)
				b->sinks[s]->count = 0;
		}
		most = info->burst + 1 + (mr_cycles() - start) * info->rate / hz;
		c = counts(b, MR_HOST_BGP);
		assert_int_equal(c.packets, rounds * 4);
		assert_int_equal(c.limited, 0);
		c = counts(b, classes[k]);
		assert_in_range(c.packets, info->burst, most);
		assert_int_equal(c.packets + c.limited, rounds * (MR_VECTOR_MAX - 4));
		assert_int_equal(drops(b, b->local, MR_HOST_DROP_LIMITED + classes[k]), c.limited);
		bed_close(b);
	}
}

/* Two VRFs in one vector: each has tokens of its own. */
static void
test_vrfs_do_not_share(void **state)
{
	const struct packet p = UDP4(5, 5000);
	struct frame f = make_frame(&p, 0);
	uint32_t packets[MR_VECTOR_MAX];
	struct bed *b = bed_open();
	struct mr_host_counts other;

	mr_host_policy_set(b->policies[0], MR_HOST_UDP, mr_graph_hz(b->graph), 0, 0, NULL);
	for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
		packets[i] = mr_packet_from(b->buffers, 0, f.bytes, f.len);
		mr_packet_at(b->buffers->base, packets[i])->context = i % 2 ? PLAIN : OTHER_VRF;
	}
	mr_graph_inject(b->graph, 0, b->local, packets, MR_VECTOR_MAX);
	mr_graph_pass(b->graph, 0);
	assert_int_equal(counts(b, MR_HOST_UDP).packets, 0);
	assert_int_equal(counts(b, MR_HOST_UDP).limited, MR_VECTOR_MAX / 2);
	mr_host_policy_counts(b->policies[1], MR_HOST_UDP, &other);
	assert_int_equal(other.packets, MR_VECTOR_MAX / 2);
	assert_int_equal(b->sinks[TWIN]->count, MR_VECTOR_MAX / 2);
	bed_close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_not_ip),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_no_twin),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_host_input),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_fairness),
		cmocka_unit_test(test_vrfs_do_not_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
