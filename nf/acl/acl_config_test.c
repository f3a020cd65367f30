/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists as a function of a data plane: what each condition and action does to packets, what is
 * refused and how, changes, state, the log.
 */
#include "nf/acl/acl_test_int.h"
#include "kit/packet/checksum.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define UDP(from, to, port) \
	&(struct packet) \
	{ \
		.family = 4, .src = from, .dst = to, .proto = 17, .sport = 5000, .dport = port \
	}
#define TCP(from, to, port, bits) \
	&(struct packet) \
	{ \
		.family = 4, .src = from, .dst = to, .proto = 6, .sport = 5000, .dport = port, \
		.tcp_flags = bits \
	}

static const uint32_t net = IP(192, 0, 2, 0), home = IP(10, 0, 0, 0);

static void
rules_decide(void **state)
{
	static const char text[] =
	    "acl:\n"
	    "  set:\n"
	    "    admins: {type: address4, elements: [10.0.0.7, 10.0.1.0/24]}\n"
	    "    web: {type: port, elements: [80, https, 8000-8010]}\n"
	    "  list:\n"
	    "    wan:\n"
	    "      default: drop\n"
	    "      rule:\n"
	    "        - {name: web, protocol: tcp, destination: 192.0.2.0/24,\n"
	    "           destination-port: \"@web\", action: accept}\n"
	    "        - {name: ssh, protocol: tcp, source: \"@admins\", destination-port: 22, "
	    "action: accept}\n"
	    "        - {name: bad, source: 10.0.0.0/8, source-not: [10.0.0.0-10.0.0.99], action: "
	    "drop}\n"
	    "        - {name: ping, icmp-type: echo-request, action: accept}\n"
	    "        - {name: ping6, icmp6-type: [echo-request, 1/4], action: accept}\n"
	    "        - {name: dns, protocol: [udp, tcp], destination-port: 53, action: accept}\n"
	    "        - {name: new, tcp-flags: \"syn,!ack\", destination-port: 99, action: accept}\n"
	    "        - {name: voice, dscp: ef, action: accept}\n"
	    "        - {name: pieces, fragment: later, destination: 192.0.2.9, action: accept}\n"
	    "        - {name: gre, protocol: [gre, 50], action: accept}\n"
	    "        - {name: tagged, vlan: [10-20], action: accept}\n"
	    "        - {name: station, source-mac: \"02:00:00:00:00:42\", action: accept}\n"
	    "        - {name: long, length: 1000-1500, action: accept}\n"
	    "        - {name: here, input: b, action: accept}\n"
	    "  interface:\n"
	    "    a: {in: wan}\n"
	    "    b: {in: wan}\n";
	struct acl_bed b;

	bed_open(&b, text);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(1, net + 1, 443, 2)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(1, net + 1, 8005, 2)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(1, net + 1, 8011, 2)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", UDP(1, net + 1, 443)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(1, net + 256, 443, 2)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(home + 7, 5, 22, 2)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(home + 256, 5, 22, 2)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(home + 8, 5, 22, 2)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", UDP(home + 100, 5, 53)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", UDP(home + 99, 5, 53)), PASSED);
	assert_int_equal(rule_packets(&b, "wan", "bad"), 1);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(1, 5, 53, 16)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(1, 5, 99, 2)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(1, 5, 99, 18)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 4, .proto = 1, .src = 1, .type = 8 }),
	    PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 4, .proto = 1, .src = 1, .type = 0 }),
	    DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 6, .proto = 58, .type = 128, .code = 3 }),
	    PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 6, .proto = 58, .type = 1, .code = 3 }),
	    DROPPED);
	/* Neighbour discovery passes by itself, where it cannot have been forwarded. */
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 6, .proto = 58, .type = 135, .ttl = 255 }),
	    PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 6, .proto = 58, .type = 135, .ttl = 254 }),
	    DROPPED);
	assert_int_equal(
	    bed_one(&b, "acl-in@a",
		&(struct packet){ .family = 4, .src = 1, .dst = 9, .proto = 17, .dscp = 46 }),
	    PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 6, .proto = 17, .dport = 9, .dscp = 46 }),
	    PASSED);
	/* Ports of later fragments are not known. */
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 4,
				 .src = 1,
				 .dst = net + 9,
				 .proto = 6,
				 .dport = 80,
				 .fragment = 3,
				 .payload = 64 }),
	    PASSED);
	assert_int_equal(rule_packets(&b, "wan", "pieces"), 1);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 4,
				 .src = 1,
				 .dst = net + 8,
				 .proto = 6,
				 .dport = 80,
				 .fragment = 3,
				 .payload = 64 }),
	    DROPPED);
	assert_int_equal(
	    bed_one(&b, "acl-in@a", &(struct packet){ .family = 6, .proto = 47, .payload = 4 }),
	    PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 4, .src = 1, .proto = 17, .vlan = 20 }),
	    PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 4, .src = 1, .proto = 17, .vlan = 21 }),
	    DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a",
			     &(struct packet){ .family = 4, .src = 1, .proto = 17, .mac = 0x42 }),
	    PASSED);
	assert_int_equal(
	    bed_one(&b, "acl-in@a",
		&(struct packet){ .family = 4, .src = 1, .proto = 17, .payload = 972 }),
	    PASSED);
	assert_int_equal(
	    bed_one(&b, "acl-in@a",
		&(struct packet){ .family = 4, .src = 1, .proto = 17, .payload = 971 }),
	    DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@b", UDP(1, 2, 3)), PASSED);
	/* ARP and other protocols are not the rules' business. */
	assert_int_equal(bed_one(&b, "acl-in@a", &(struct packet){ .family = 0x0806 }), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", &(struct packet){ .family = 0x88cc }), PASSED);
	bed_close(&b);
}

static void
frames_that_are_not_ip(void **state)
{
	struct acl_bed b;
	struct frame f;

	bed_open(&b,
	    "acl: {list: {l: {arp: drop, ether: drop, ether-except: [\"0x88cc\"]},\n"
	    "             m: {ether-except: [\"0x88cc\"], neighbor-discovery: rules, default: "
	    "drop}},\n"
	    "      interface: {a: {in: l}, b: {out: m}}}\n");
	assert_int_equal(bed_one(&b, "acl-in@a", &(struct packet){ .family = 0x0806 }), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", &(struct packet){ .family = 0x88cc }), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", &(struct packet){ .family = 0x88b5 }), DROPPED);
	assert_int_equal(bed_one(&b, "acl-out@b", &(struct packet){ .family = 0x88cc }), DROPPED);
	assert_int_equal(bed_one(&b, "acl-out@b", &(struct packet){ .family = 0x88b5 }), PASSED);
	assert_int_equal(bed_one(&b, "acl-out@b",
			     &(struct packet){ .family = 6, .proto = 58, .type = 135, .ttl = 255 }),
	    DROPPED);
	assert_int_equal(bed_drops(&b, "acl-in@a", ACL_DROP_ETHER), 2);
	assert_int_equal(bed_drops(&b, "acl-out@b", ACL_DROP_DEFAULT), 1);
	make_frame(&f, UDP(1, 2, 3));
	f.bytes[14] = 0x44; /* a header of 16 bytes */
	bed_run(&b, "acl-in@a", &f, NULL, 1);
	assert_int_equal(b.outcome[0], DROPPED);
	assert_int_equal(bed_drops(&b, "acl-in@a", ACL_DROP_MALFORMED), 1);
	/* Wrong from layer 4 on: a packet without ports, to which rules apply. */
	make_frame(&f, UDP(1, 2, 3));
	f.bytes[14 + 20 + 4] = 99;
	bed_run(&b, "acl-in@a", &f, NULL, 1);
	assert_int_equal(b.outcome[0], PASSED);
	bed_close(&b);
}

static void
jumps_and_marks(void **state)
{
	struct acl_bed b;

	bed_open(&b,
	    "acl:\n"
	    "  list:\n"
	    "    base:\n"
	    "      default: drop\n"
	    "      rule:\n"
	    "        - {name: count, action: continue, set-mark: 5}\n"
	    "        - {name: to-web, protocol: tcp, action: jump, to: web}\n"
	    "        - {name: marked, mark: 5, destination-port: 7, action: accept}\n"
	    "        - {name: high, mark: 0x10/0xf0, action: accept}\n"
	    "        - {name: away, protocol: udp, action: goto, to: last}\n"
	    "        - {name: never, protocol: udp, action: accept}\n"
	    "    web:\n"
	    "      default: accept\n"
	    "      rule:\n"
	    "        - {name: not-these, source: 10.0.0.1, action: return}\n"
	    "        - {name: deep, source: 10.0.0.2, action: jump, to: deeper}\n"
	    "        - {name: yes, destination-port: 80, action: accept}\n"
	    "    deeper:\n"
	    "      rule:\n"
	    "        - {name: mark, action: continue, set-mark: 0x10/0xff}\n"
	    "    last:\n"
	    "      rule:\n"
	    "        - {name: dns, destination-port: 53, action: accept}\n"
	    "  interface:\n"
	    "    a: {in: base}\n");
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(9, 9, 80, 2)), PASSED);
	assert_int_equal(b.mark[0], 5);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(home + 1, 9, 80, 2)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(9, 9, 7, 2)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(9, 9, 8, 2)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(home + 2, 9, 80, 2)), PASSED);
	assert_int_equal(b.mark[0], 0x10);
	assert_int_equal(bed_one(&b, "acl-in@a", TCP(home + 2, 9, 7, 2)), PASSED);
	assert_int_equal(rule_packets(&b, "base", "high"), 1);
	assert_int_equal(bed_one(&b, "acl-in@a", UDP(1, 9, 53)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", UDP(1, 9, 54)), DROPPED);
	assert_int_equal(rule_packets(&b, "base", "never"), 0);
	assert_int_equal(rule_packets(&b, "base", "count"), 8);
	assert_int_equal(rule_packets(&b, "base", "to-web"), 6);
	assert_int_equal(rule_packets(&b, "web", "not-these"), 1);
	assert_int_equal(rule_packets(&b, "base", "default"), 3);
	assert_int_equal(rule_packets(&b, "web", "default"), 0);
	bed_close(&b);
}

static void
limits_and_logs(void **state)
{
	struct acl_bed b;
	unsigned passed = 0;

	bed_open(&b,
	    "acl:\n"
	    "  list:\n"
	    "    l:\n"
	    "      default: drop\n"
	    "      rule:\n"
	    "        - {name: some, protocol: udp, limit: {rate: 1, per: minute, burst: 3}, "
	    "action: accept,\n"
	    "           log: {prefix: hello, sample: 2}}\n"
	    "        - {name: over, protocol: tcp, limit: {rate: 1, per: hour, burst: 2, over: "
	    "true}, action: drop}\n"
	    "        - {name: rest, protocol: tcp, action: accept}\n"
	    "  interface: {a: {in: l}}\n");
	for (unsigned i = 0; i < 10; i++)
		passed += bed_one(&b, "acl-in@a", UDP(1, 9, 53)) == PASSED;
	assert_int_equal(passed, 3);
	assert_int_equal(rule_packets(&b, "l", "some"), 3);
	assert_int_equal(rule_packets(&b, "l", "default"), 7);
	passed = 0;
	for (unsigned i = 0; i < 10; i++)
		passed += bed_one(&b, "acl-in@a", TCP(1, 9, 53, 2)) == PASSED;
	assert_int_equal(passed, 2);
	mr_dataplane_tick(b.dp, acl_seconds());
	/* The first and the third. */
	assert_string_equal(b.said,
	    "hello rule some, in by a: 0.0.0.1:5000 > 0.0.0.9:53 UDP len 0, 42 bytes\n"
	    "hello rule some, in by a: 0.0.0.1:5000 > 0.0.0.9:53 UDP len 0, 42 bytes\n");
	bed_close(&b);
}

static void
assert_sums(const struct acl_bed *b)
{
	struct mr_parsed r;

	assert_int_equal(mr_parse_ethernet(&r, b->answer.bytes, b->answer.len, b->answer.len),
	    MR_PARSE_OK);
	assert_int_equal(mr_checksum_l4_verify(b->answer.bytes, b->answer.len), MR_CHECKSUM_GOOD);
}

static void
rejects_answer(void **state)
{
	static const char text[] =
	    "acl:\n"
	    "  reject-rate: 1000000\n"
	    "  list:\n"
	    "    l:\n"
	    "      default: reject\n"
	    "      rule:\n"
	    "        - {name: reset, protocol: tcp, action: reject, reject-with: tcp-reset}\n"
	    "        - {name: port, protocol: udp, destination-port: 5, action: reject}\n"
	    "  interface: {a: {in: l}, b: {out: l}}\n";
	struct packet p = { .family = 4,
		.src = home + 1,
		.dst = home + 2,
		.proto = 6,
		.sport = 1234,
		.dport = 80,
		.tcp_flags = 2,
		.seq = 1000,
		.mac = 9 };
	const struct mr_tcp *tcp;
	const struct mr_ip4 *ip;
	struct frame f;
	struct acl_bed b;

	bed_open(&b, text);
	assert_int_equal(bed_one(&b, "acl-in@a", &p), ANSWERED);
	assert_sums(&b);
	ip = (const void *)(b.answer.bytes + 14);
	tcp = (const void *)(b.answer.bytes + 34);
	assert_int_equal(b.answer.len, 54);
	assert_memory_equal(b.answer.bytes, "\2\0\0\0\0\11\2\0\0\0\0\1", 12);
	assert_int_equal(ip->src, mr_be32(home + 2));
	assert_int_equal(ip->dst, mr_be32(home + 1));
	assert_int_equal(tcp->flags, MR_TCP_RST | MR_TCP_ACK);
	assert_int_equal(tcp->ack, mr_be32(1001));
	assert_int_equal(tcp->seq, 0);
	assert_int_equal(tcp->dst, mr_be16(1234));
	p.tcp_flags = MR_TCP_ACK;
	p.ack = 777;
	p.payload = 100;
	p.family = 6;
	assert_int_equal(bed_one(&b, "acl-out@b", &p), ANSWERED);
	assert_sums(&b);
	tcp = (const void *)(b.answer.bytes + 54);
	assert_int_equal(tcp->flags, MR_TCP_RST);
	assert_int_equal(tcp->seq, mr_be32(777));
	p.tcp_flags = MR_TCP_RST;
	assert_int_equal(bed_one(&b, "acl-in@a", &p), DROPPED);

	/* ICMP: port unreachable by a rule, administratively prohibited by default. */
	p = (struct packet){ .family = 4,
		.src = home + 1,
		.dst = home + 2,
		.proto = 17,
		.dport = 5,
		.payload = 900 };
	assert_int_equal(bed_one(&b, "acl-in@a", &p), ANSWERED);
	assert_sums(&b);
	assert_int_equal(b.answer.len, 14 + 576);
	assert_memory_equal(b.answer.bytes + 34, "\3\3", 2);
	p.dport = 6;
	p.payload = 3;
	assert_int_equal(bed_one(&b, "acl-in@a", &p), ANSWERED);
	assert_memory_equal(b.answer.bytes + 34, "\3\15", 2);
	make_frame(&f, &p);
	assert_memory_equal(b.answer.bytes + 42, f.bytes + 14, 20 + 8 + 3);
	p.family = 6;
	p.payload = 1400;
	assert_int_equal(bed_one(&b, "acl-out@b", &p), ANSWERED);
	assert_sums(&b);
	assert_int_equal(b.answer.len, 14 + 1280);
	assert_memory_equal(b.answer.bytes + 54, "\1\1", 2);

	/* None about errors, to groups, from groups, about later fragments, about damaged packets. */
	p = (struct packet){ .family = 4, .src = home + 1, .dst = home + 2, .proto = 1, .type = 3 };
	assert_int_equal(bed_one(&b, "acl-in@a", &p), DROPPED);
	p.type = 8;
	assert_int_equal(bed_one(&b, "acl-in@a", &p), ANSWERED);
	p.dst = IP(224, 0, 0, 5);
	assert_int_equal(bed_one(&b, "acl-in@a", &p), DROPPED);
	p.dst = home;
	p.src = IP(255, 255, 255, 255);
	assert_int_equal(bed_one(&b, "acl-in@a", &p), DROPPED);
	p = (struct packet){ .family = 4,
		.src = 1,
		.dst = home,
		.proto = 17,
		.fragment = 3,
		.payload = 8 };
	assert_int_equal(bed_one(&b, "acl-in@a", &p), DROPPED);
	p = (struct packet){ .family = 4, .src = home + 1, .dst = home, .proto = 17, .payload = 8 };
	make_frame(&f, &p);
	f.bytes[f.len - 1] ^= 1;
	bed_run(&b, "acl-in@a", &f, NULL, 1);
	assert_int_equal(b.outcome[0], DROPPED);

	bed_apply(&b,
	    "acl: {reject-rate: 0, list: {l: {default: reject}}, interface: {a: {in: l}}}\n");
	p.payload = 0;
	assert_int_equal(bed_one(&b, "acl-in@a", &p), DROPPED);
	assert_int_equal(bed_drops(&b, "acl-in@a", ACL_DROP_LIMITED), 1);
	bed_close(&b);
}

static const struct {
	const char *yaml, *said;
} bad[] = {
#define RULE(rule) "acl: {list: {l: {rule: [{name: r, action: accept, " rule "}]}}}\n"
	{ RULE("source: 10.0.0.1/8"), "rule r of list l: \"10.0.0.1/8\" has bits set behind" },
	{ RULE("source: \"@nobody\""), "there is no set \"nobody\"" },
	{ "acl: {set: {admins: {type: network}}, list: {l: {rule: [{name: r, source: \"@admin\", "
	  "action: drop}]}}}\n",
	    "did you mean \"admins\"" },
	{ "acl: {set: {p: {type: port}}, list: {l: {rule: [{name: r, source: \"@p\", "
	  "action: drop}]}}}\n",
	    "set p does not have what source compares with" },
	{ RULE("source: 10.0.0.9-10.0.0.1"), "is an empty range" },
	{ RULE("source: 10.0.0.1, destination: \"2001:db8::1\""),
	    "destination rules out IPv4 and source rules out IPv6" },
	{ RULE("family: ip6, source: 10.0.0.1"), "rules out" },
	{ RULE("icmp-type: echo-request, protocol: tcp"), "icmp-type is for icmp" },
	{ RULE("tcp-flags: syn, protocol: udp"), "tcp-flags is for tcp" },
	{ RULE("tcp-flags: \"syn,foo\""), "is not a list of TCP flags" },
	{ RULE("destination-port: 80, protocol: gre"), "none of its protocols has" },
	{ RULE("destination-port: 70000"), "is not a port" },
	{ RULE("destination-port: 9-8"), "it ends before it begins" },
	{ RULE("destination-port: 80, destination-port-not: 1-100"), "nothing is left" },
	{ RULE("source: 10.0.0.1, source-not: 10.0.0.0/8"), "no address is left of source" },
	{ RULE("mark: 0x10/1"), "has bits outside of its mask" },
	{ RULE("vlan: 4095"), "up to 4094" },
	{ RULE("source-mac: \"02:00:00\""), "MAC address" },
	{ RULE("input: d"), "there is no interface \"d\"" },
	{ RULE("dscp: ff"), "is not a DSCP" },
	{ RULE("to: l"), "`to` is for the actions jump and goto" },
	{ "acl: {list: {l: {rule: [{name: r, action: jump}]}}}\n", "does not say where" },
	{ "acl: {list: {l: {rule: [{name: r, action: jump, to: m}]}}}\n", "m" },
	{ "acl: {list: {l: {rule: [{name: r, action: jump, to: m}]}, m: {rule: [{name: s, action: "
	  "goto, to: l}]}}}\n",
	    "jumps may not go in circles" },
	{ "acl: {list: {l: {rule: [{name: r, output: a, action: drop}]}}, interface: {a: {in: "
	  "l}}}\n",
	    "nobody knows yet where it will leave" },
	{ "acl: {set: {s: {type: address4, elements: [\"::1\"]}}}\n", "IPv6 address, but the set" },
	{ "acl: {set: {s: {type: address4, file: /nonexistent/x}}}\n",
	    "cannot read /nonexistent/x" },
	{ "acl: {interface: {a: {in: nothing}}}\n", "nothing" },
};

static void
mistakes_are_explained(void **state)
{
	for (size_t i = 0; i < MR_ARRAY_COUNT(bad); i++) {
		struct mr_config *config = NULL;
		char said[1000];

		load(bad[i].yaml, &config, said, sizeof(said));
		if (!strstr(said, bad[i].said))
			fail_msg("\"%s\" does not say \"%s\"", said, bad[i].said);
		mr_config_destroy(config);
	}
}

static void
changes_keep_counts(void **state)
{
	static const char one[] =
	    "acl:\n  list:\n    l:\n      rule:\n"
	    "        - {name: 1, source: 10.0.0.1, action: drop}\n"
	    "        - {name: 2, source: [10.0.0.2, 10.0.0.3], action: drop}\n"
	    "        - {name: 3, source: 10.0.0.4, action: drop}\n"
	    "  interface: {a: {in: l}}\n";
	static const char two[] =
	    "acl:\n  list:\n    l:\n      rule:\n"
	    "        - {name: 2, source: [10.0.0.2, 10.0.0.5], action: drop}\n"
	    "        - {name: 0, source: 10.0.0.9, action: accept}\n"
	    "        - {name: 1, source: 10.0.0.1, action: drop}\n"
	    "        - {name: 3, source: 10.0.0.4, action: accept}\n"
	    "  interface: {a: {in: l}}\n";
	uint32_t generation;
	struct acl_bed b;

	bed_open(&b, one);
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(bed_one(&b, "acl-in@a", UDP(home + i, 1, 1)), DROPPED);
	generation = mr_generation_read(&b.acl->stages->generation);
	bed_apply(&b, one);
	assert_int_equal(mr_generation_read(&b.acl->stages->generation), generation);
	assert_int_equal(rule_packets(&b, "l", "2"), 2);
	bed_apply(&b, two);
	assert_int_equal(mr_generation_read(&b.acl->stages->generation), generation + 1);
	/* Moved, or with other addresses: the same rule. With another action: a new one. */
	assert_int_equal(rule_packets(&b, "l", "1"), 1);
	assert_int_equal(rule_packets(&b, "l", "2"), 2);
	assert_int_equal(rule_packets(&b, "l", "3"), 0);
	assert_int_equal(bed_one(&b, "acl-in@a", UDP(home + 3, 1, 1)), PASSED);
	assert_int_equal(bed_one(&b, "acl-in@a", UDP(home + 5, 1, 1)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-in@a", UDP(home + 4, 1, 1)), PASSED);
	bed_apply(&b, "");
	assert_int_equal(node_of(&b, "acl-in@a"), UINT16_MAX);
	bed_apply(&b, two);
	assert_int_equal(rule_packets(&b, "l", "2"), 0);
	bed_close(&b);
}

static void
state_is_shown(void **state)
{
	struct acl_bed b;
	char *text;

	bed_open(&b,
	    "acl: {set: {s: {type: port, elements: [1, 2, 9]}},\n"
	    "      list: {l: {rule: [{name: r, protocol: [tcp, udp], destination-port: \"@s\", "
	    "action: drop}]}},\n"
	    "      interface: {a: {in: l, out: l}, b: {out: l}}}\n");
	assert_int_equal(bed_one(&b, "acl-out@b", UDP(1, 2, 9)), DROPPED);
	assert_int_equal(bed_one(&b, "acl-out@b", UDP(1, 2, 8)), PASSED);
	text = bed_show(&b);
	assert_non_null(strstr(text, "{\"name\":\"s\",\"size\":2}"));
	assert_non_null(
	    strstr(text, "{\"name\":\"r\",\"action\":\"drop\",\"packets\":1,\"bytes\":42}"));
	assert_non_null(strstr(text, "\"default-packets\":1,\"default-bytes\":42"));
	assert_non_null(strstr(text, "\"rules\":1,\"entries\":8,\"tables\":0"));
	assert_non_null(strstr(text, "{\"name\":\"a\",\"in\":\"l\",\"out\":\"l\"}"));
	assert_non_null(strstr(text, "{\"name\":\"b\",\"out\":\"l\"}"));
	free(text);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_decide),
		cmocka_unit_test(frames_that_are_not_ip),
		cmocka_unit_test(jumps_and_marks),
		cmocka_unit_test(limits_and_logs),
		cmocka_unit_test(rejects_answer),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(changes_keep_counts),
		cmocka_unit_test(state_is_shown),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
