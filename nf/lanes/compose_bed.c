/* SPDX-License-Identifier: Apache-2.0 */

/* Hosts: what they send, and how they answer. */
#include <arpa/inet.h>

#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"
#include "nf/lanes/compose_int.h"

#define PAYLOAD 24u /* the last four bytes say which packet it is */

void
compose_ends_of(struct compose_ends *e, const char *src, unsigned sport, const char *dst,
    unsigned dport)
{
	memset(e, 0, sizeof(*e));
	e->six = strchr(src, ':') != NULL;
	assert_int_equal(inet_pton(e->six ? AF_INET6 : AF_INET, src, e->src), 1);
	assert_int_equal(inet_pton(e->six ? AF_INET6 : AF_INET, dst, e->dst), 1);
	e->sport = (uint16_t)sport;
	e->dport = (uint16_t)dport;
}

/* -- frames --------------------------------------------------------------------------------- */

static unsigned
write_l3(uint8_t *ip, const struct compose_ends *e, uint8_t proto, unsigned len)
{
	be16_t check;

	if (e->six) {
		mr_store_be32(ip, 6u << 28);
		mr_store_be16(ip + 4, (uint16_t)len);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, e->src, 16);
		memcpy(ip + 24, e->dst, 16);
		return 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	mr_store_be16(ip + 2, (uint16_t)(20 + len));
	mr_store_be16(ip + 6, MR_IP4_DONT_FRAGMENT);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, e->src, 4);
	memcpy(ip + 16, e->dst, 4);
	check = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);
	memcpy(ip + 10, &check, 2);
	return 20;
}

static void
build(struct compose_frame *f, const uint8_t macs[12], const struct compose_ends *e, bool tcp,
    uint32_t serial)
{
	unsigned l3 = f->vlan ? 18 : 14, head = tcp ? 20 : 8, len = head + PAYLOAD, at;
	uint8_t proto = tcp ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP, *l4;
	be32_t src, dst;
	be16_t check;
	uint64_t sum;

	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(f->bytes, macs, 12);
	if (f->vlan) {
		mr_store_be16(f->bytes + 12, MR_ETH_TYPE_VLAN);
		mr_store_be16(f->bytes + 14, (uint16_t)f->vlan);
	}
	mr_store_be16(f->bytes + l3 - 2, e->six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	at = l3 + write_l3(f->bytes + l3, e, proto, len);
	l4 = f->bytes + at;
	mr_store_be16(l4, e->sport);
	mr_store_be16(l4 + 2, e->dport);
	if (tcp) {
		l4[12] = 5 << 4;
		l4[13] = MR_TCP_SYN;
	} else {
		mr_store_be16(l4 + 4, (uint16_t)len);
	}
	mr_store_be32(l4 + len - 4, serial);
	memcpy(&src, e->src, 4);
	memcpy(&dst, e->dst, 4);
	sum = e->six ? mr_checksum_pseudo6(e->src, e->dst, proto, len)
		     : mr_checksum_pseudo4(src, dst, proto, (uint16_t)len);
	check = mr_checksum_finish_udp(mr_checksum_add(sum, l4, len));
	memcpy(l4 + (tcp ? 16 : 6), &check, 2);
	f->len = at + len;
	f->ends = *e;
}

/* -- tunnels -------------------------------------------------------------------------------- */

#define AROUND 50u
static const uint8_t around[AROUND] = {
	/* To the router, from the other end. */
	2, 0, 0, 0, 0xaa, 0x42, 2, 0, 0, 0, 0x66, 2, 8, 0,
	/* IPv4 and UDP, but for lengths. */
	0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 66, 0, 2, 10, 66, 0, 1, 0xc3, 0x50, 0x12,
	0xb5, 0, 0, 0, 0,
	/* VXLAN. */
	8, 0, 0, 0, 0, 0, 66, 0
};

static void
wrap(struct compose_frame *f)
{
	be16_t check;

	memmove(f->bytes + AROUND, f->bytes, f->len);
	memcpy(f->bytes, around, AROUND);
	f->len += AROUND;
	mr_store_be16(f->bytes + 16, (uint16_t)(f->len - 14));
	mr_store_be16(f->bytes + 38, (uint16_t)(f->len - 34));
	check = mr_checksum_ipv4_header((const struct mr_ip4 *)(f->bytes + 14));
	memcpy(f->bytes + 24, &check, 2);
}

/* False: not in the tunnel. */
static bool
unwrap(struct compose_frame *f)
{
	if (f->len < AROUND + 14 || memcmp(f->bytes + 26, "\12\102\0\1\12\102\0\2", 8) ||
	    memcmp(f->bytes + 42, around + 42, 8) || memcmp(f->bytes + 36, around + 36, 2))
		return false;
	f->len -= AROUND;
	memmove(f->bytes, f->bytes + AROUND, f->len);
	return true;
}

/* What a frame says; false: not one that was built here. */
static bool
read_frame(struct compose_frame *f)
{
	unsigned at = 14, type = mr_load_be16(f->bytes + 12);
	uint8_t *ip = f->bytes + at, proto;

	f->vlan = 0;
	memset(f->tunnel, 0, sizeof(f->tunnel));
	if (type == MR_ETH_TYPE_VLAN) {
		f->vlan = mr_load_be16(ip) & 4095u;
		type = mr_load_be16(ip + 2);
		ip += 4;
	}
	if (type == MR_ETH_TYPE_IP4 && ip[9] == 4 /* RFC 2003 */) {
		memcpy(f->tunnel, ip + 16, 4);
		ip += 20;
	}
	memset(&f->ends, 0, sizeof(f->ends));
	f->ends.six = ip[0] >> 4 == 6;
	if (type != MR_ETH_TYPE_IP4 && type != MR_ETH_TYPE_IP6)
		return false;
	memcpy(f->ends.src, ip + (f->ends.six ? 8 : 12), f->ends.six ? 16 : 4);
	memcpy(f->ends.dst, ip + (f->ends.six ? 24 : 16), f->ends.six ? 16 : 4);
	proto = f->ends.six ? ip[6] : ip[9];
	ip += f->ends.six ? 40 : 20;
	f->ends.sport = mr_load_be16(ip);
	f->ends.dport = mr_load_be16(ip + 2);
	return proto == MR_IP_PROTO_UDP || proto == MR_IP_PROTO_TCP;
}

/* -- the planes ----------------------------------------------------------------------------- */

static void
run(struct compose *c)
{
	const struct bed_plane *plane = &c->b->planes[BED_GRAPH];

	for (unsigned k = 0; k < BED_PLANES; k++)
		for (unsigned idle = 0; idle < 2;)
			idle = mr_graph_pass(c->b->planes[k].graph, 0) ? 0 : idle + 1;
	bed_compare_sent(c->b);
	c->out_count = 0;
	for (size_t i = 0; i < plane->sent_count && c->out_count < MR_ARRAY_COUNT(c->out); i++) {
		struct compose_frame *f = &c->out[c->out_count];

		f->port = plane->sent[i].port;
		f->len = MR_MIN(plane->sent[i].len, (uint32_t)sizeof(f->bytes));
		memcpy(f->bytes, plane->bytes + plane->sent[i].at, f->len);
		if (!C_ON(c->on, TUNNEL) || f->port != 1 || unwrap(f))
			c->out_count += read_frame(f);
	}
	for (unsigned k = 0; k < BED_PLANES; k++)
		c->b->planes[k].sent_count = c->b->planes[k].byte_count = 0;
}

static const struct compose_frame *
give(struct compose *c, const struct compose_frame *given, uint32_t serial)
{
	struct compose_frame f = *given;

	if (C_ON(c->on, TUNNEL) && f.port == 1)
		wrap(&f);
	assert_true(bed_give(c->b, f.port, f.bytes, f.len, 0, 0));
	run(c);
	/* A bridge floods what it does not know. */
	for (unsigned i = 0; i < c->out_count; i++)
		if (c->out[i].port < 3 &&
		    mr_load_be32(c->out[i].bytes + c->out[i].len - 4) == serial)
			return &c->out[i];
	return NULL;
}

/* The router's address where hosts are behind one, else the other host's. */
static void
macs_of(const struct compose *c, unsigned port, uint8_t macs[12])
{
	bool wire = (C_ON(c->on, MEMBER) || C_ON(c->on, CROSS)) && port < 2;

	memcpy(macs,
	    (uint8_t[12]){ 2, 0, 0, 0, 0xaa, (uint8_t)(port + 1), 2, 0, 0, 0, (uint8_t)port, 9 },
	    12);
	if (wire) {
		macs[4] = !port;
		macs[5] = 9;
	}
}

const struct compose_frame *
compose_send(struct compose *c, unsigned port, const struct compose_ends *e, bool tcp)
{
	struct compose_frame f = { .port = port,
		.vlan = port == 0 ? c->vlan_a
		    : port == 1   ? c->vlan_b
				  : 0 };
	uint8_t macs[12];

	macs_of(c, port, macs);
	build(&f, macs, e, tcp, ++c->serial);
	return give(c, &f, c->serial);
}

static bool
same_ends(const struct compose_ends *a, const struct compose_ends *b)
{
	return a->six == b->six && memcmp(a->src, b->src, 16) == 0 &&
	    memcmp(a->dst, b->dst, 16) == 0 && a->sport == b->sport && a->dport == b->dport;
}

static void
turn(const struct compose_ends *e, struct compose_ends *back)
{
	*back = *e;
	memcpy(back->src, e->dst, 16);
	memcpy(back->dst, e->src, 16);
	back->sport = e->dport;
	back->dport = e->sport;
}

bool
compose_round(struct compose *c, unsigned port, const struct compose_ends *e,
    struct compose_frame *far)
{
	const struct compose_frame *f = compose_send(c, port, e, false);
	struct compose_frame answer;
	struct compose_ends back;
	uint8_t macs[12];

	if (!f)
		return false;
	*far = *f;
	answer = *far;
	memcpy(macs, far->bytes + 6, 6);
	memcpy(macs + 6, far->bytes, 6);
	turn(&far->ends, &back);
	build(&answer, macs, &back, false, ++c->serial);
	f = give(c, &answer, c->serial);
	turn(e, &back);
	return f && f->port == port && same_ends(&f->ends, &back);
}

/* -- counters ------------------------------------------------------------------------------- */

uint64_t
compose_drops(const struct compose *c, const char *class, const char *reason)
{
	const struct mr_graph *graph = c->b->planes[BED_GRAPH].graph;
	struct mr_node_stats s;
	uint64_t sum = 0;

	for (unsigned n = 0; n < mr_graph_node_count(graph); n++) {
		if (mr_graph_node_stats(graph, (uint16_t)n, &s) || strcmp(s.class->name, class))
			continue;
		for (unsigned d = 0; d < s.class->drop_count; d++)
			sum += strcmp(s.class->drops[d].name, reason) ? 0 : s.drops[d];
	}
	return sum;
}

uint64_t
compose_packets(const struct compose *c, const char *class)
{
	const struct mr_graph *graph = c->b->planes[BED_GRAPH].graph;
	struct mr_node_stats s;
	uint64_t sum = 0;

	for (unsigned n = 0; n < mr_graph_node_count(graph); n++)
		if (!mr_graph_node_stats(graph, (uint16_t)n, &s) && !strcmp(s.class->name, class))
			sum += s.packets;
	return sum;
}
