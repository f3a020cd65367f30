/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT64_NAT64_TEST_INT_H
#define MR_NF_NAT64_NAT64_TEST_INT_H

/*
 * For tests of the function: a router with NAT64, packets made of ends, and what leaves read back as ends.
 *
 *     a  inside   2001:db8:1::/64     b  outside  198.51.100.0/24
 */
#include "kit/packet/checksum.h"
#include "nf/lanes/lanes_bed_int.h"
#include "nf/xlat/xlat_test_int.h"

#define CONFIG(instance) \
	"system: {buffers: 8192}\n" \
	"interface: {a: {driver: \"null\"}, b: {driver: \"null\"}, c: {driver: \"null\"}, " \
	"d: {driver: \"null\"}, e: {driver: \"null\"}, f: {driver: \"null\"}}\n" \
	"nat64: {instance: {x: {inside: [a], outside: [b], " instance "}}}\n" \
	"router:\n" \
	"  r:\n" \
	"    icmp: {errors: {rate: 100000000, burst: 1000000, destination-rate: 100000000, " \
	"destination-burst: 1000000}}\n" \
	"    interface:\n" \
	"      a: {mac: \"02:00:00:00:aa:01\", address: [\"2001:db8:1::1/64\"], redirects: " \
	"false, " \
	"neighbor: {duplicate-detection: false}}\n" \
	"      b: {mac: \"02:00:00:00:aa:02\", address: [\"198.51.100.1/24\"], redirects: false, " \
	"neighbor: {duplicate-detection: false}}\n" \
	"    neighbor:\n" \
	"      static:\n" \
	"        \"2001:db8:1::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n" \
	"        \"2001:db8:1::8\": {interface: a, mac: \"02:00:00:00:00:08\"}\n" \
	"        198.51.100.9: {interface: b, mac: \"02:00:00:00:01:09\"}\n" \
	"        198.51.100.8: {interface: b, mac: \"02:00:00:00:01:08\"}\n"

#define POOL 0xcb007101u /* 203.0.113.1 */

/* A packet in few words: hosts are the last byte of their address; `pool`: the other end of a
 * packet from outside is this port of the pool. */
struct brief {
	uint8_t proto, tcp;
	uint8_t inside, remote; /* hosts */
	uint16_t port, remote_port;
	uint32_t pool; /* from outside: the outside address, 0: POOL */
	uint8_t hops;
	uint16_t len;
	bool hairpin; /* from inside: to the pool's address */
	bool reply;
};

/* What left: 0 nothing, else the port + 1, and who it says that it is from and to. */
struct seen {
	unsigned count, out;
	bool six;
	uint8_t proto, type, code, hops;
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	const uint8_t *frame;
	unsigned len;
};

mr_inline void
brief_story(struct story *s, const struct brief *b, bool out)
{
	static const uint8_t inside[16] = { 0x20, 1, 0xd, 0xb8, 0, 1 };
	uint32_t remote = b->hairpin ? POOL : 0xc6336400u + b->remote;
	uint32_t pool = b->pool ? b->pool : POOL;
	unsigned from = out ? 0 : 1;

	*s = (struct story){ .proto = b->proto,
		.hops = b->hops ? b->hops : 64,
		.len = b->len,
		.reply = b->reply };
	memcpy(out ? s->src6 : s->dst6, inside, 16);
	(out ? s->src6 : s->dst6)[15] = b->inside;
	memcpy(out ? s->dst6 : s->src6, (uint8_t[]){ 0, 0x64, 0xff, 0x9b }, 4);
	put32((out ? s->dst6 : s->src6) + 12, remote);
	put32(out ? s->src4 : s->dst4, pool);
	put32(out ? s->dst4 : s->src4, remote);
	s->ports4[from] = s->ports6[from] = b->port;
	s->ports4[!from] = s->ports6[!from] = b->remote_port;
	if (b->proto == MR_IP_PROTO_ICMP)
		s->ports4[0] = s->ports6[0] = b->port;
	if (b->proto == MR_IP_PROTO_TCP)
		s->data[8] = b->tcp;
}

mr_inline unsigned
story_frame(const struct story *s, bool six, unsigned port, uint8_t *f)
{
	memset(f, 0, 14);
	memcpy(f, "\2\0\0\0\xaa", 5);
	f[5] = (uint8_t)(port + 1);
	f[6] = 2;
	put16(f + 12, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	return L3 + story_ip(s, six, false, f + L3);
}

mr_inline struct seen
look(struct bed *bed, unsigned n)
{
	const struct bed_plane *plane = &bed->planes[0];
	struct seen s = { .count = (unsigned)plane->sent_count };
	const uint8_t *ip, *l4;

	if (n >= s.count)
		return s;
	s.out = plane->sent[n].port + 1;
	s.frame = plane->bytes + plane->sent[n].at;
	s.len = plane->sent[n].len;
	ip = s.frame + L3;
	s.six = ip[0] >> 4 == 6;
	s.proto = ip[s.six ? 6 : 9];
	s.hops = ip[s.six ? 7 : 8];
	memcpy(s.src, ip + (s.six ? 8 : 12), s.six ? 16 : 4);
	memcpy(s.dst, ip + (s.six ? 24 : 16), s.six ? 16 : 4);
	l4 = ip + (s.six ? 40 : 20);
	s.type = l4[0];
	s.code = l4[1];
	s.sport = mr_load_be16(l4);
	s.dport = mr_load_be16(l4 + 2);
	if (s.proto == MR_IP_PROTO_ICMP || s.proto == MR_IP_PROTO_ICMP6)
		s.sport = s.dport = mr_load_be16(l4 + 4);
	return s;
}

/* Gives a frame and looks at the first that left; the others are still there until the next. */
mr_inline struct seen
give(struct bed *bed, unsigned port, const uint8_t *frame, unsigned len)
{
	bed_run(bed);
	assert_true(bed_give(bed, port, frame, len, 0, 0));
	mr_graph_pass(bed->planes[0].graph, 0);
	mr_graph_pass(bed->planes[0].graph, 0);
	return look(bed, 0);
}

mr_inline struct seen
send_out(struct bed *bed, struct brief b)
{
	uint8_t f[2000];
	struct story s;

	brief_story(&s, &b, true);
	return give(bed, 0, f, story_frame(&s, true, 0, f));
}

mr_inline struct seen
send_in(struct bed *bed, struct brief b)
{
	uint8_t f[2000];
	struct story s;

	brief_story(&s, &b, false);
	return give(bed, 1, f, story_frame(&s, false, 1, f));
}

mr_inline bool
went_out(const struct seen *s)
{
	return s->count == 1 && s->out == 2 && !s->six && s->proto != MR_IP_PROTO_ICMP6;
}

/* Translated, not answered by the router to whom the address is unknown. */
mr_inline bool
came_in(const struct seen *s)
{
	return s->count == 1 && s->out == 1 && s->six;
}

mr_inline void
seconds_pass(struct bed *bed, unsigned seconds)
{
	bed_tick(bed, seconds * 1000ull);
	/* All lines are swept in some seconds; look-ups take those past their time for none. */
}

mr_inline uint64_t
drops_of(struct bed *bed, const char *node, const char *reason)
{
	struct mr_graph *g = bed->planes[0].graph;

	for (unsigned n = 0; n < mr_graph_node_count(g); n++) {
		const struct mr_node_class *class;
		struct mr_node_stats stats;

		if (strcmp(mr_graph_node_name(g, (uint16_t)n), node) != 0 ||
		    mr_graph_node_stats(g, (uint16_t)n, &stats))
			continue;
		class = mr_graph_node_class(g, (uint16_t)n);
		for (unsigned d = 0; d < class->drop_count; d++)
			if (strcmp(class->drops[d].name, reason) == 0)
				return stats.drops[d];
	}
	fail_msg("no drop %s of %s", reason, node);
	return 0;
}

#endif
