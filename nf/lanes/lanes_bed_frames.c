/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random frames. A flow repeats; its frames end in twelve bytes that say which flow and the how
 * many-th of it this is, so that what leaves can be put beside what came. Some frames are
 * something else: a mutation of a flow's, or no flow's at all.
 */
#include "nf/lanes/lanes_bed_int.h"

#include <string.h>

#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"

#define MAGIC 0x57a3c19bu
#define TRAILER 12u
/* Flows' numbers: of their frames that are not plain, and of those that are another flow's. */
#define ODD 0x80000000u
#define ALONE 0xc0000000u

/* -- flows -------------------------------------------------------------------------------- */

static void
address(uint8_t *out, bool six, unsigned net, unsigned host)
{
	memset(out, 0, 16);
	if (six) {
		memcpy(out, "\x20\1\xd\xb8", 4);
		mr_store_be16(out + 4,
		    (uint16_t)(net >= 100 && net < 120 ? 0x100 + net - 100 : net));
		mr_store_be16(out + 14, (uint16_t)host);
		return;
	}
	out[0] = 10;
	out[1] = (uint8_t)net;
	mr_store_be16(out + 2, (uint16_t)host);
}

static void
draw_addresses(struct bed_flow *f, unsigned subnet, struct bed_random *r)
{
	static const unsigned hosts[] = { 9, 9, 9, 9, 0x10, 0x11, 0x66, 1, 0xff };
	unsigned net, host;

	/* From its own subnet; sometimes from elsewhere, which reverse path filters refuse. */
	if (bed_one_in(r, 10))
		address(f->src, f->six, 100 + bed_draw(r, BED_ROUTES), 2 + bed_draw(r, 3));
	else
		address(f->src, f->six, subnet, 9 + bed_draw(r, 12));
	switch (bed_draw(r, 8)) {
	case 0:
		net = BED_SUBNET(bed_draw(r, BED_PORTS), bed_draw(r, 3) * 7 % 13);
		host = hosts[bed_draw(r, MR_ARRAY_COUNT(hosts))];
		break;
	case 1:
		net = 200 + bed_draw(r, 3); /* only a default route leads there */
		host = 7;
		break;
	default:
		net = 100 + bed_draw(r, BED_ROUTES);
		host = 1 + bed_draw(r, 300);
	}
	address(f->dst, f->six, net, host);
}

static void
draw_flow(struct bed_flow *f, const struct bed_shape *s, struct bed_random *r, uint32_t number)
{
	static const uint8_t protos[] = { MR_IP_PROTO_UDP, MR_IP_PROTO_TCP, MR_IP_PROTO_TCP,
		MR_IP_PROTO_ICMP };
	static const uint8_t vlans[] = { 0, 0, 7, 8 };

	memset(f, 0, sizeof(*f));
	f->number = number;
	f->port = (uint8_t)bed_draw(r, BED_PORTS);
	if (s->vlans[f->port] || bed_one_in(r, 10))
		f->vlan = vlans[bed_draw(r, 4)];
	f->six = bed_one_in(r, 3);
	f->proto = protos[bed_draw(r, 4)];
	if (f->proto == MR_IP_PROTO_ICMP && f->six)
		f->proto = MR_IP_PROTO_ICMP6;
	if (bed_one_in(r, 30))
		f->proto = MR_IP_PROTO_GRE;
	draw_addresses(f, BED_SUBNET(f->port, f->vlan), r);
	f->sport = (uint16_t)(1024 + bed_draw(r, 40000));
	f->dport = (uint16_t)(bed_draw(r, 2) ? 80 : bed_draw(r, 65536));
	/* No other flow's request or answer. */
	if (f->proto == MR_IP_PROTO_ICMP || f->proto == MR_IP_PROTO_ICMP6)
		f->dport = (uint16_t)number;
	f->size = (uint16_t)(bed_draw(r, 3) ? 20 + bed_draw(r, 100) : 100 + bed_draw(r, 1300));
	f->tos = bed_one_in(r, 5) ? 0xb8 : 0;
	f->ttl = (uint8_t)(bed_one_in(r, 8) ? 2 : 64);
	f->to_mac = (uint8_t)bed_draw(r, 6);
	f->from_mac = (uint8_t)bed_draw(r, 3);
}

void
bed_flows_draw(struct bed_flows *flows, const struct bed_shape *s, struct bed_random *r,
    unsigned share)
{
	for (unsigned i = 0; i < BED_FLOWS; i++)
		if (bed_draw(r, 100) < share)
			draw_flow(&flows->at[i], s, r, ++flows->next);
}

/* -- plain frames ------------------------------------------------------------------------- */

/* The port of the station spoken to: mostly one of the same bridge. */
static unsigned
partner(const struct bed_flow *f, const struct bed_shape *s)
{
	for (unsigned k = 0; k < BED_PORTS && f->dport % 16; k++) {
		unsigned p = (f->to_mac + k) % BED_PORTS;

		if (p != f->port && s->use[p] == BED_BRIDGED && s->which[p] == s->which[f->port])
			return p;
	}
	return f->to_mac % BED_PORTS;
}

static unsigned
ethernet(const struct bed_flow *f, const struct bed_shape *s, uint8_t *frame, unsigned type)
{
	unsigned l3 = 14;

	memcpy(frame, "\2\0\0\0\xaa", 5);
	frame[5] = (uint8_t)(f->port + 1);
	memcpy(frame + 6, "\2\0\0\0\xee", 5);
	frame[11] = (uint8_t)(f->port * 4 + f->from_mac);
	/* Behind a bridge: to another station, of any port. */
	if (s && s->use[f->port] != BED_ROUTED) {
		frame[4] = 0xee;
		frame[5] = (uint8_t)(partner(f, s) * 4 + f->dport % 4);
	}
	if (f->vlan) {
		mr_store_be16(frame + 12, MR_ETH_TYPE_VLAN);
		mr_store_be16(frame + 14, f->vlan);
		l3 = 18;
	}
	mr_store_be16(frame + l3 - 2, (uint16_t)type);
	return l3;
}

void
bed_sum4(uint8_t *ip)
{
	unsigned len = (ip[0] & 15u) * 4;
	be16_t check = 0;

	memcpy(ip + 10, &check, 2);
	check = mr_checksum_finish(mr_checksum_add(0, ip, len));
	memcpy(ip + 10, &check, 2);
}

void
bed_sum_l4(const struct bed_flow *f, const uint8_t *ip, uint8_t *l4, unsigned len)
{
	unsigned at = f->proto == MR_IP_PROTO_TCP ? 16 : f->proto == MR_IP_PROTO_UDP ? 6 : 2;
	be32_t src, dst;
	be16_t check = 0;
	uint64_t sum = 0;

	if (f->proto == MR_IP_PROTO_GRE || len < at + 2)
		return;
	memcpy(l4 + at, &check, 2);
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	if (f->six)
		sum = mr_checksum_pseudo6(ip + 8, ip + 24, f->proto, len);
	else if (f->proto != MR_IP_PROTO_ICMP)
		sum = mr_checksum_pseudo4(src, dst, f->proto, (uint16_t)len);
	check = mr_checksum_finish_udp(mr_checksum_add(sum, l4, len));
	memcpy(l4 + at, &check, 2);
}

static void
layer4(const struct bed_flow *f, uint8_t *l4, unsigned len, uint32_t serial)
{
	mr_store_be16(l4, f->sport);
	mr_store_be16(l4 + 2, f->dport);
	switch (f->proto) {
	case MR_IP_PROTO_UDP:
		mr_store_be16(l4 + 4, (uint16_t)len);
		break;
	case MR_IP_PROTO_TCP:
		mr_store_be32(l4 + 4, serial * 100);
		l4[12] = 0x50;
		l4[13] = serial % 3 ? MR_TCP_ACK : MR_TCP_ACK | MR_TCP_PSH;
		mr_store_be16(l4 + 14, 1000);
		break;
	case MR_IP_PROTO_ICMP:
		l4[0] = f->sport & 1 ? MR_ICMP4_ECHO : MR_ICMP4_ECHO_REPLY;
		l4[1] = 0;
		mr_store_be16(l4 + 4, f->dport);
		break;
	case MR_IP_PROTO_ICMP6:
		l4[0] = f->sport & 1 ? MR_ICMP6_ECHO : MR_ICMP6_ECHO_REPLY;
		l4[1] = 0;
		mr_store_be16(l4 + 4, f->dport);
		break;
	default:
		memset(l4, 0, 4);
	}
}

static void
trailer(const struct bed_made *m, uint32_t flow, uint32_t serial)
{
	uint32_t words[3] = { MAGIC, flow, serial };

	memcpy(m->frame + m->len - TRAILER, words, sizeof(words));
}

void
bed_build(const struct bed_flow *f, const struct bed_shape *s, uint32_t number, uint32_t serial,
    unsigned payload, uint8_t *frame, struct bed_made *m)
{
	unsigned l4len = 20 + TRAILER + payload, header = f->six ? 40 : 20;
	uint8_t *ip;

	memset(frame, 0, 64);
	m->frame = frame;
	m->serial = serial;
	m->l3 = ethernet(f, s, frame, f->six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	m->l4 = m->l3 + header;
	m->len = m->l4 + l4len;
	ip = frame + m->l3;
	memset(ip, 0, header + 20);
	for (unsigned i = m->l4 + 20; i < m->len; i++)
		frame[i] = (uint8_t)(i * 7 + serial);
	if (f->six) {
		mr_store_be32(ip, 6u << 28 | (uint32_t)f->tos << 20 | f->sport);
		mr_store_be16(ip + 4, (uint16_t)l4len);
		ip[6] = f->proto;
		ip[7] = f->ttl;
		memcpy(ip + 8, f->src, 16);
		memcpy(ip + 24, f->dst, 16);
	} else {
		ip[0] = 0x45;
		ip[1] = f->tos;
		mr_store_be16(ip + 2, (uint16_t)(header + l4len));
		mr_store_be16(ip + 4, (uint16_t)(f->number * 31 + serial));
		if (serial & 1)
			mr_store_be16(ip + 6, MR_IP4_DONT_FRAGMENT);
		ip[8] = f->ttl;
		ip[9] = f->proto;
		memcpy(ip + 12, f->src, 4);
		memcpy(ip + 16, f->dst, 4);
		bed_sum4(ip);
	}
	layer4(f, frame + m->l4, l4len, serial);
	trailer(m, number, serial);
	bed_sum_l4(f, ip, frame + m->l4, l4len);
}

unsigned
bed_frame_plain(const struct bed_flow *f, uint32_t serial, uint8_t *frame)
{
	struct bed_made m;

	bed_build(f, NULL, f->number, serial, f->size, frame, &m);
	return m.len;
}

/* -- what is not plain -------------------------------------------------------------------- */

static void
insert(struct bed_made *m, unsigned at, const void *bytes, unsigned len)
{
	memmove(m->frame + at + len, m->frame + at, m->len - at);
	memcpy(m->frame + at, bytes, len);
	m->len += len;
}

/* Not of the flow any more that it was made from. */
static void
leave_flow(const struct bed_flow *f, struct bed_made *m)
{
	trailer(m, ALONE | (f->number & 0xffff) << 12 | (m->serial & 0xfff), m->serial);
}

static void
odd4(struct bed *b, const struct bed_flow *f, struct bed_made *m, struct bed_random *r)
{
	static const uint8_t options[3][8] = { { 7, 7, 4 }, { 1, 1, 1, 1, 1, 1, 1, 0 },
		{ 148, 4, 0, 0 } };
	uint8_t *ip = m->frame + m->l3;

	switch (bed_draw(r, 8)) {
	case 0:
		ip[8] = (uint8_t)bed_draw(r, 2);
		break;
	case 1:
		if (bed_may_give_piece(b))
			mr_store_be16(ip + 6, MR_IP4_MORE_FRAGMENTS);
		break;
	case 2:
		if (bed_may_give_piece(b))
			mr_store_be16(ip + 6, (uint16_t)(1 + bed_draw(r, 20)));
		break;
	case 3:
		insert(m, m->l3 + 20, options[bed_draw(r, 3)], 8);
		ip[0] = 0x47;
		mr_store_be16(ip + 2, (uint16_t)(m->len - m->l3));
		break;
	case 4:
		ip[10] ^= 0x55;
		return;
	case 5:
		mr_store_be16(ip + 2, (uint16_t)(mr_load_be16(ip + 2) + bed_draw(r, 64)));
		break;
	case 6:
		leave_flow(f, m);
		ip[12 + 4 * bed_draw(r, 2)] = (uint8_t)(bed_draw(r, 2) ? 127 : 224);
		break;
	default:
		ip[0] = (uint8_t)bed_draw(r, 256);
		return;
	}
	bed_sum4(ip);
}

static void
odd6(struct bed *b, const struct bed_flow *f, struct bed_made *m, struct bed_random *r)
{
	uint8_t *ip = m->frame + m->l3, header[8] = { f->proto };

	switch (bed_draw(r, 6)) {
	case 0:
		ip[7] = (uint8_t)bed_draw(r, 2);
		break;
	case 1:
		if (!bed_may_give_piece(b))
			break;
		ip[6] = MR_IP_PROTO_FRAGMENT;
		header[3] = (uint8_t)bed_draw(r, 2);
		insert(m, m->l4, header, 8);
		break;
	case 2:
		ip[6] = MR_IP_PROTO_HOP_BY_HOP;
		header[2] = 1;
		header[3] = 4;
		insert(m, m->l4, header, 8);
		break;
	case 3:
		mr_store_be16(ip + 4, (uint16_t)(mr_load_be16(ip + 4) + bed_draw(r, 64)));
		return;
	case 4:
		leave_flow(f, m);
		ip[8 + 16 * bed_draw(r, 2)] = 0xff;
		return;
	default:
		ip[0] = (uint8_t)bed_draw(r, 256);
		return;
	}
	mr_store_be16(ip + 4, (uint16_t)(m->len - m->l3 - 40));
}

static void
odd_tcp(const struct bed_flow *f, struct bed_made *m, struct bed_random *r)
{
	static const uint8_t flags[] = { MR_TCP_SYN, MR_TCP_SYN | MR_TCP_ACK,
		MR_TCP_FIN | MR_TCP_ACK, MR_TCP_RST, MR_TCP_ACK | MR_TCP_URG, 0xff };
	uint8_t *l4 = m->frame + m->l4;

	if (f->proto != MR_IP_PROTO_TCP) {
		leave_flow(f, m);
		l4[bed_draw(r, 8)] ^= (uint8_t)(1 + bed_draw(r, 255));
		return;
	}
	l4[13] = flags[bed_draw(r, 6)];
	if (bed_draw(r, 2)) {
		memcpy(l4 + 20, "\2\4\5\xb4", 4);
		l4[12] = (uint8_t)(bed_one_in(r, 4) ? bed_draw(r, 256) : 0x60);
	}
	bed_sum_l4(f, m->frame + m->l3, l4, m->len - m->l4);
}

static void
odd_ethernet(const struct bed_flow *f, struct bed_made *m, struct bed_random *r)
{
	leave_flow(f, m);
	switch (bed_draw(r, 6)) {
	case 0:
		/* Whom nobody knows; or who is heard, but never spoken to. */
		if (bed_draw(r, 2))
			memcpy(m->frame + 4, "\x77\x1", 2);
		else
			memcpy(m->frame + 10, "\x78\x1", 2);
		break;
	case 1:
		memset(m->frame, 0xff, 6);
		break;
	case 2:
		m->frame[bed_draw(r, 2) * 6] |= 1;
		break;
	case 3:
		if (f->vlan)
			m->frame[14] |= (uint8_t)(bed_draw(r, 16) << 4);
		else
			insert(m, 12, "\x81\0\0\0", 4); /* only a priority */
		break;
	case 4:
		insert(m, 12, "\x81\0\0\x7", 4);
		break;
	default:
		mr_store_be16(m->frame + 12, (uint16_t)bed_draw(r, 65536));
	}
}

static void
garbage(struct bed_made *m, struct bed_random *r)
{
	m->len = 1 + bed_draw(r, 100);
	for (unsigned i = bed_draw(r, 2) ? 14 : 0; i < m->len; i++)
		m->frame[i] = (uint8_t)bed_draw(r, 256);
}

unsigned
bed_frame_neighbor(struct bed_random *r, unsigned port, unsigned vlan, uint8_t *frame)
{
	static const unsigned hosts[] = { 0x10, 0x11, 0x12 };
	struct bed_flow f = { .port = (uint8_t)port, .vlan = (uint8_t)vlan, .six = bed_draw(r, 2) };
	unsigned n = BED_SUBNET(port, vlan), host = hosts[bed_draw(r, 3)], l3;
	uint8_t mac[6] = { 2, 0, 0, 0, 0x66, (uint8_t)bed_draw(r, 3) }, *p;

	memset(frame, 0, 128);
	l3 = ethernet(&f, NULL, frame, f.six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_ARP);
	memcpy(frame + 6, mac, 6);
	p = frame + l3;
	if (!f.six) {
		memcpy(p, "\0\1\x8\0\6\4\0", 7);
		p[7] = 2;
		memcpy(p + 8, mac, 6);
		mr_store_be32(p + 14, 10u << 24 | n << 16 | host);
		memcpy(p + 18, frame, 6);
		mr_store_be32(p + 24, 10u << 24 | n << 16 | 1);
		return MR_MAX(l3 + 28, 60u);
	}
	p[0] = 0x60;
	mr_store_be16(p + 4, 32);
	p[6] = f.proto = MR_IP_PROTO_ICMP6;
	p[7] = 255;
	address(p + 8, true, n, host);
	address(p + 24, true, n, 1);
	p[40] = 136;
	p[44] = 0x60; /* solicited, override */
	memcpy(p + 48, p + 8, 16);
	p[64] = 2;
	p[65] = 1;
	memcpy(p + 66, mac, 6);
	bed_sum_l4(&f, p, p + 40, 32);
	return l3 + 72;
}

static void
give_odd(struct bed *b, struct bed_flow *f, const struct bed_shape *s, struct bed_random *r)
{
	unsigned payload = f->size, split = 0, flags = 0;
	uint8_t frame[BED_FRAME_MAX + 64];
	struct bed_made m;

	if (bed_one_in(r, 6))
		payload = 500 + bed_draw(r, 1000);
	bed_build(f, s, f->number | ODD, f->serial++, payload, frame, &m);
	switch (bed_draw(r, 9)) {
	case 0:
	case 1:
	case 2:
		if (f->six)
			odd6(b, f, &m, r);
		else
			odd4(b, f, &m, r);
		break;
	case 3:
		odd_tcp(f, &m, r);
		break;
	case 4:
		odd_ethernet(f, &m, r);
		break;
	case 5:
		split = 1 + bed_draw(r, m.len);
		break;
	case 6:
		m.len = bed_draw(r, 2) ? m.len - bed_draw(r, 40) : 1 + bed_draw(r, m.len);
		break;
	case 7:
		if (bed_one_in(r, 3))
			garbage(&m, r);
		else
			flags = MR_PACKET_CSUM_GOOD;
		break;
	default: /* too long for some, or of another length than its flow */
		break;
	}
	bed_give(b, f->port, frame, m.len, split, flags);
}

/* In a vector in which a station is learned, and also spoken to, what happens depends on how the
 * bridge cuts vectors; so all stations are known before. The last of each port never sends. */
void
bed_stations(struct bed *b)
{
	static const uint8_t vlans[] = { 0, 7, 8 };
	uint8_t frame[60];

	for (unsigned port = 0; port < BED_PORTS; port++) {
		for (unsigned i = 0; i < 12; i++) {
			memset(frame, 0, sizeof(frame));
			memcpy(frame, "\2\0\0\0\xee", 5);
			frame[5] = (uint8_t)(port * 4 + i % 4);
			memcpy(frame + 6, frame, 6);
			mr_store_be16(frame + 12, MR_ETH_TYPE_VLAN);
			frame[15] = vlans[i / 4];
			mr_store_be16(frame + 16, 0x88b5);
			bed_give(b, port, frame, sizeof(frame), 0, 0);
		}
	}
	bed_run(b);
}

void
bed_vector(struct bed *b, struct bed_flows *flows, const struct bed_shape *s, struct bed_random *r,
    unsigned port, unsigned count)
{
	uint8_t frame[BED_FRAME_MAX + 64];
	unsigned odd = bed_draw(r, 1000);
	struct bed_made m;

	for (unsigned i = 0, tries = 0; i < count && tries < count * 16; tries++) {
		struct bed_flow *f = &flows->at[bed_draw(r, BED_FLOWS)];

		/* Those that lead nowhere are fewer. */
		if (f->port != port ||
		    (f->serial > 8 && !b->left[f->number % MR_ARRAY_COUNT(b->left)] &&
			bed_draw(r, 6)))
			continue;
		i++;
		/* Odd frames make the others of their flow walk, too: some flows have many in some
		 * vectors. */
		if (bed_one_in(r, (f->number + odd) % 8 ? 200 : 2)) {
			give_odd(b, f, s, r);
			continue;
		}
		bed_build(f, s, f->number, f->serial++, f->size, frame, &m);
		bed_give(b, f->port, frame, m.len, 0, 0);
	}
}
