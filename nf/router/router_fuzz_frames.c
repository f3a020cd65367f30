/* SPDX-License-Identifier: Apache-2.0 */
/* Frames out of the fuzzer's input: headers that fit each other, with fields chosen from it. */
#include <string.h>

#include "kit/packet/wire.h"
#include "nf/router/router_fuzz_int.h"

#define GIVEN_MAX 48u

void
address4(struct input *in, uint8_t *to)
{
	static const uint8_t known[][4] = {
		{ 10, 0, 0, 1 },
		{ 10, 0, 0, 9 },
		{ 10, 0, 0, 255 },
		{ 10, 1, 0, 1 },
		{ 10, 1, 0, 9 },
		{ 10, 1, 0, 255 },
		{ 10, 7, 0, 1 },
		{ 10, 7, 0, 9 },
		{ 10, 255, 0, 1 },
		{ 10, 2, 3, 4 },
		{ 10, 3, 3, 4 },
		{ 10, 4, 0, 1 },
		{ 10, 5, 0, 1 },
		{ 10, 6, 0, 1 },
		{ 10, 8, 0, 1 },
		{ 224, 0, 0, 5 },
		{ 239, 1, 2, 3 },
		{ 255, 255, 255, 255 },
		{ 0, 0, 0, 0 },
		{ 127, 0, 0, 1 },
		{ 10, 0, 0, 77 },
		{ 10, 1, 0, 77 },
		{ 198, 51, 100, 1 },
	};
	unsigned which = byte(in);

	if (which < MR_ARRAY_COUNT(known))
		memcpy(to, known[which], 4);
	else
		bytes(in, to, 4);
}

void
address6(struct input *in, uint8_t *to)
{
	/* The first 8 bytes and the last 2. */
	static const uint8_t known[][10] = {
		{ 0x20, 1, 0xd, 0xb8, [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, [9] = 9 },
		{ 0x20, 1, 0xd, 0xb8, 0, 1, [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0, 1, [9] = 9 },
		{ 0x20, 1, 0xd, 0xb8, 0, 2, [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0, 7, [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0xff, 0xff, [9] = 1 },
		{ 0xfe, 0x80, [9] = 1 },
		{ 0xfe, 0x80, [9] = 9 },
		{ 0xff, 2, [9] = 1 },
		{ 0xff, 2, [9] = 2 },
		{ 0xff, 5, [9] = 1 },
		{ 0 },
		{ [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0, 1, [9] = 77 },
		{ 0x20, 1, 0xd, 0xb8 },
		{ 0x30 },
	};
	unsigned which = byte(in);

	memset(to, 0, 16);
	if (which < MR_ARRAY_COUNT(known)) {
		memcpy(to, known[which], 8);
		memcpy(to + 14, known[which] + 8, 2);
	} else if (which & 1) {
		/* The solicited-node group of somebody. */
		to[0] = 0xff;
		to[1] = 2;
		to[11] = 1;
		to[12] = 0xff;
		to[15] = (uint8_t)byte(in);
	} else {
		bytes(in, to, 16);
	}
}

/* Ethernet and tag; returns where layer 3 begins. */
static unsigned
ethernet(struct fuzz *f, struct input *in, unsigned port, uint8_t *frame, unsigned type)
{
	unsigned how = byte(in), at = 12;
	const struct mr_ip_port *p = &f->bed.ip->ports[f->bed.ports[port].port->index];
	unsigned index = mr_ip_interface_at(p, 0);

	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\x02\0\0\0\0", 5);
	frame[11] = (uint8_t)(9 + (how >> 6));
	if (how & 8) {
		mr_store_be16(frame + 12, MR_ETH_TYPE_VLAN);
		mr_store_be16(frame + 14, (uint16_t)(how & 16 ? 7 : 0));
		at = 16;
		if (how & 16)
			index = mr_ip_interface_at(p, 7);
	}
	switch (how & 7) {
	case 6:
		break; /* broadcast */
	case 7:
		memcpy(frame, type == MR_ETH_TYPE_IP6 ? "\x33\x33\0\0\0\1" : "\1\0\x5e\0\0\5", 6);
		break;
	default:
		mr_ip_mac_copy(&f->bed.ip->interfaces[index], frame);
	}
	mr_store_be16(frame + at, (uint16_t)type);
	return at + 2;
}

/* What stands behind IP, `*proto` says what; returns its length. Its checksum is made last. */
static unsigned
layer4(struct input *in, uint8_t *at, unsigned *proto, bool six)
{
	static const uint8_t sizes[] = { 0, 1, 8, 40, 64, 100, 200, 255 };
	unsigned how = byte(in), head = 0, len, extra = sizes[byte(in) & 7] * (how & 32 ? 6u : 1u);

	switch (how & 7) {
	case 0:
	case 1:
		*proto = MR_IP_PROTO_TCP;
		mr_store_be16(at, 1000);
		mr_store_be16(at + 2, (uint16_t)(how & 8 ? 179 : 80));
		at[12] = (uint8_t)((5 + (how & 8 ? byte(in) % 11 : 1)) << 4);
		at[13] = (uint8_t)(how & 1 ? MR_TCP_SYN : byte(in));
		head = 20;
		len = (at[12] >> 4) * 4u - 20;
		if (how & 8) {
			bytes(in, at + 20, len);
		} else {
			memcpy(at + 20, "\2\4\x7f\xff", 4);
		}
		head += len;
		break;
	case 2:
		*proto = MR_IP_PROTO_UDP;
		mr_store_be16(at, 1000);
		mr_store_be16(at + 2, (uint16_t)(how & 8 ? 3784 : 53));
		mr_store_be16(at + 4, (uint16_t)(8 + extra));
		head = 8;
		break;
	case 3:
		*proto = six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP;
		at[0] = six ? 128 : 8;
		head = 8;
		break;
	case 4:
		*proto = six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP;
		at[0] = (uint8_t)byte(in);
		at[1] = (uint8_t)byte(in);
		bytes(in, at + 4, 4);
		head = 8;
		break;
	default:
		*proto = byte(in);
		bytes(in, at, 8);
		head = 8;
	}
	memset(at + head, (int)how, extra);
	return head + extra;
}

/* How a finished frame arrives. */
static void
give(struct fuzz *f, struct input *in, unsigned port, uint8_t *frame, unsigned len)
{
	unsigned how = byte(in), split = how & 1 ? 14 + how / 2 : 0;

	if (how & 2 && len > 14)
		len -= MR_MIN(how >> 4, len - 14); /* cut short */
	else if (how & 4 && len + (how & 0xf0) * 16 <= BED_FRAME_MAX)
		len += (how & 0xf0) * 16; /* something follows */
	bed_give(&f->bed, port, bed_packet(&f->bed, 0, frame, len, split));
	if (++f->given % GIVEN_MAX == 0)
		bed_run(&f->bed);
}

void
give4(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, proto, l3, len, header, how = byte(in);
	uint8_t frame[BED_FRAME_MAX] = { 0 }, *ip;
	bool whole;

	l3 = ethernet(f, in, port, frame, MR_ETH_TYPE_IP4);
	ip = frame + l3;
	header = 20 + (how & 1 ? 4 * (byte(in) % 11) : 0);
	ip[0] = (uint8_t)(0x40 | header / 4);
	mr_store_be16(ip + 4, (uint16_t)byte(in));
	ip[1] = (uint8_t)(how & 2 ? byte(in) : 0);
	if (how & 4)
		mr_store_be16(ip + 6, (uint16_t)word(in));
	else if (how & 8)
		mr_store_be16(ip + 6, MR_IP4_DONT_FRAGMENT);
	ip[8] = (uint8_t)(how & 16 ? byte(in) : 64);
	address4(in, ip + 12);
	address4(in, ip + 16);
	bytes(in, ip + 20, header - 20);
	len = layer4(in, ip + header, &proto, false);
	if (how & 4)
		len = len / 8 * 8; /* what may be a fragment */
	ip[9] = (uint8_t)proto;
	mr_store_be16(ip + 2, (uint16_t)(header + len));
	whole = !(mr_load_be16(ip + 6) & 0x3fff);
	bed_sum4(ip);
	if (len >= BED_STAMP + 40 && !(how & (32 | 64)))
		bed_stamp(&f->bed, ip, ip + header + len - BED_STAMP,
		    whole && proto != MR_IP_PROTO_UDP);
	if (proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP || proto == MR_IP_PROTO_ICMP)
		bed_sum(ip, ip + header, len, proto);
	if (how & 64) /* something is wrong */
		ip[byte(in) % header] ^= (uint8_t)byte(in);
	if (how & 128)
		bed_sum4(ip); /* but the checksum */
	give(f, in, port, frame, l3 + header + len);
}

void
give6(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, proto, l3, len, head = 40, how = byte(in), next = 6;
	uint8_t frame[BED_FRAME_MAX] = { 0 }, *ip;

	l3 = ethernet(f, in, port, frame, MR_ETH_TYPE_IP6);
	ip = frame + l3;
	ip[0] = 0x60;
	ip[7] = (uint8_t)(how & 16 ? byte(in) : 64);
	address6(in, ip + 8);
	address6(in, ip + 24);
	for (unsigned n = 0; how & 3 && n < (how & 3); n++) {
		static const uint8_t kinds[] = { 0, 60, 43, 44, 51, 44, 44, 60 };
		unsigned kind = kinds[byte(in) & 7],
			 size = 8 * (1 + (kind == 44 ? 0 : byte(in) % 4));

		ip[next] = (uint8_t)kind;
		next = head;
		ip[head + 1] = (uint8_t)(kind == 51 ? size / 4 - 2 : size / 8 - 1);
		bytes(in, ip + head + 2, kind == 44 ? 2 : size - 2);
		if (kind == 44) {
			ip[head + 1] = 0;
			ip[head + 7] = (uint8_t)byte(in);
		}
		head += size;
	}
	len = layer4(in, ip + head, &proto, true);
	if (how & 4)
		len = len / 8 * 8;
	ip[next] = (uint8_t)proto;
	mr_store_be16(ip + 4, (uint16_t)(head - 40 + len));
	if (len >= BED_STAMP + 40 && !(how & (32 | 64)))
		bed_stamp(&f->bed, ip, ip + head + len - BED_STAMP, !(how & 3));
	if (proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP || proto == MR_IP_PROTO_ICMP6)
		bed_sum(ip, ip + head, len, proto);
	if (how & 64)
		ip[byte(in) % head] ^= (uint8_t)byte(in);
	give(f, in, port, frame, l3 + head + len);
}

void
give_arp(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, l3, how = byte(in);
	uint8_t frame[BED_FRAME_MAX] = { 0 };

	l3 = ethernet(f, in, port, frame, MR_ETH_TYPE_ARP);
	memcpy(frame + l3, "\0\1\x8\0\6\4\0", 7);
	frame[l3 + 7] = (uint8_t)(1 + (how & 1));
	memcpy(frame + l3 + 8, frame + 6, 6);
	address4(in, frame + l3 + 14);
	memcpy(frame + l3 + 18, frame, 6);
	address4(in, frame + l3 + 24);
	if (how & 2)
		frame[l3 + byte(in) % 28] ^= (uint8_t)byte(in);
	give(f, in, port, frame, how & 4 ? 100 : l3 + 28);
}

void
give_nd(struct fuzz *f, struct input *in)
{
	static const uint8_t fixed[] = { 8, 16, 24, 24, 40 };
	unsigned port = byte(in) % BED_PORTS, l3, how = byte(in), kind = how % 5, len = fixed[kind];
	uint8_t frame[BED_FRAME_MAX] = { 0 }, *ip, *icmp;

	l3 = ethernet(f, in, port, frame, MR_ETH_TYPE_IP6);
	ip = frame + l3;
	icmp = ip + 40;
	ip[0] = 0x60;
	ip[6] = MR_IP_PROTO_ICMP6;
	ip[7] = 255;
	address6(in, ip + 8);
	address6(in, ip + 24);
	icmp[0] = (uint8_t)(133 + kind);
	icmp[4] = (uint8_t)(how & 0xe0);
	address6(in, icmp + 8);
	for (unsigned n = byte(in) % 4; n > 0; n--) {
		unsigned size = 8 * (1 + byte(in) % 3);

		bytes(in, icmp + len, 2);
		icmp[len] %= 32;
		if (icmp[len + 1] & 0x80)
			icmp[len + 1] = (uint8_t)(size / 8);
		memcpy(icmp + len + 2, frame + 6, 6);
		len += size;
	}
	mr_store_be16(ip + 4, (uint16_t)len);
	bed_sum(ip, icmp, len, MR_IP_PROTO_ICMP6);
	give(f, in, port, frame, l3 + 40 + len);
}

void
give_raw(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, len = byte(in);
	uint8_t frame[BED_FRAME_MAX] = { 0 };

	bytes(in, frame, len);
	give(f, in, port, frame, len);
}
