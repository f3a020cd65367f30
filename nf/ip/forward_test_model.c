/* SPDX-License-Identifier: Apache-2.0 */
/* The slow router. */
#include "nf/ip/forward_test_int.h"

static struct outcome
drop(unsigned reason)
{
	return (struct outcome){ .fate = DROPPED, .number = reason };
}

static struct outcome
leave(unsigned edge)
{
	return (struct outcome){ .fate = LEFT, .number = edge };
}

static struct outcome
icmp(unsigned type, unsigned code)
{
	return (
	    struct outcome){ .fate = LEFT, .number = MR_IP_EDGE_ICMP, .type = type, .code = code };
}

static const struct route *
slow_look_up(unsigned family, const uint8_t *address)
{
	const struct route *best = NULL;

	for (unsigned i = 0; i < route_count; i++) {
		const struct route *r = &routes[i];
		bool equal = r->family == family;

		for (unsigned bit = 0; equal && bit < r->len; bit++)
			equal = ((r->prefix[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1) == 0;
		if (equal && (!best || r->len > best->len))
			best = r;
	}
	return best;
}

static struct outcome
slow_send(const struct frame *f, unsigned l3, const struct route *r, unsigned in, unsigned total,
    unsigned family)
{
	unsigned mtu = r->port == 2 ? MTU_SMALL : 1500;
	struct outcome o = { .fate = SENT };
	bool may_cut = family == MR_IP4 && !(f->bytes[l3 + 6] & 0x40);

	if (total > mtu && r->port >= 0)
		return may_cut         ? leave(MR_IP_EDGE_FRAGMENT4)
		    : family == MR_IP4 ? icmp(3, 4)
				       : icmp(2, 0);
	if (r->port < 0)
		return leave(MR_IP_EDGE_RESOLVE);
	if ((unsigned)r->port == in)
		return leave(MR_IP_EDGE_REDIRECT);
	o.number = (unsigned)r->port;
	memcpy(o.frame.bytes, r->mac, 6);
	memcpy(o.frame.bytes + 6, our_mac[r->port], 6);
	o.frame.bytes[12] = family == MR_IP4 ? 8 : 0x86;
	o.frame.bytes[13] = family == MR_IP4 ? 0 : 0xdd;
	/* What follows the packet stays behind when it would be too much. */
	o.frame.len = (f->len - l3 > mtu ? total : f->len - l3) + 14;
	memcpy(o.frame.bytes + 14, f->bytes + l3, o.frame.len - 14);
	o.frame.bytes[14 + (family == MR_IP4 ? 8 : 7)]--;
	if (family == MR_IP4) {
		uint32_t sum = 0;

		o.frame.bytes[24] = o.frame.bytes[25] = 0;
		for (unsigned i = 0; i < 20; i += 2)
			sum += (uint32_t)o.frame.bytes[14 + i] << 8 | o.frame.bytes[15 + i];
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		o.frame.bytes[24] = (uint8_t)(~sum >> 8);
		o.frame.bytes[25] = (uint8_t)~sum;
	}
	return o;
}

static struct outcome
slow4(const struct frame *f, unsigned l3, unsigned in, bool group)
{
	const uint8_t *h = f->bytes + l3;
	unsigned here = f->len - l3, len, total, sum = 0;
	const struct route *r;

	if (f->len < l3 + 20)
		return drop(MR_IP_DROP_SHORT4);
	if (h[0] >> 4 != 4)
		return drop(MR_IP_DROP_VERSION4);
	len = (h[0] & 15u) * 4;
	total = (unsigned)h[2] << 8 | h[3];
	if (len < 20)
		return drop(MR_IP_DROP_HEADER4);
	if (total < len || total > here)
		return drop(MR_IP_DROP_LENGTH4);
	for (unsigned i = 0; i < len; i += 2)
		sum += (unsigned)h[i] << 8 | h[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	if (sum != 0xffff)
		return drop(MR_IP_DROP_CHECKSUM4);
	if ((h[12] == 0 || h[12] == 127 || h[12] >= 224) &&
	    !(!h[12] && !h[13] && !h[14] && !h[15] &&
		(h[16] >> 4 == 14 || (h[16] & h[17] & h[18] & h[19]) == 255)))
		return drop(MR_IP_DROP_SOURCE4);
	if (len > 20 && !group)
		return leave(MR_IP_EDGE_OPTIONS4);
	r = slow_look_up(MR_IP4, h + 16);
	if (group && r && r->group == MR_IP_SPECIAL_MULTICAST)
		return leave(MR_IP_EDGE_MULTICAST);
	if (group)
		return (h[16] & h[17] & h[18] & h[19]) == 255 ||
			(r && r->group == MR_IP_SPECIAL_BROADCAST)
		    ? leave(MR_IP_EDGE_LOCAL)
		    : drop(MR_IP_DROP_L2_GROUP);
	if (!r)
		return icmp(3, 0);
	switch (r->group) {
	case MR_IP_SPECIAL_LOCAL:
		return leave(MR_IP_EDGE_LOCAL);
	case MR_IP_SPECIAL_BLACKHOLE:
		return drop(MR_IP_DROP_BLACKHOLE);
	case MR_IP_SPECIAL_UNREACHABLE:
		return icmp(3, 1);
	case MR_IP_SPECIAL_PROHIBIT:
		return icmp(3, 13);
	case MR_IP_SPECIAL_MARTIAN:
		return drop(MR_IP_DROP_MARTIAN);
	case MR_IP_SPECIAL_MULTICAST:
		return leave(MR_IP_EDGE_MULTICAST);
	case MR_IP_SPECIAL_BROADCAST:
		return drop(MR_IP_DROP_BROADCAST);
	}
	if (h[8] <= 1)
		return icmp(11, 0);
	return slow_send(f, l3, r, in, total, MR_IP4);
}

static struct outcome
slow6(const struct frame *f, unsigned l3, unsigned in, bool group)
{
	static const uint8_t none[16], one[16] = { [15] = 1 };
	const uint8_t *h = f->bytes + l3;
	unsigned total;
	const struct route *r;

	if (f->len < l3 + 40)
		return drop(MR_IP_DROP_SHORT6);
	if (h[0] >> 4 != 6)
		return drop(MR_IP_DROP_VERSION6);
	total = ((unsigned)h[4] << 8 | h[5]) + 40;
	if (total > f->len - l3)
		return drop(MR_IP_DROP_LENGTH6);
	if (h[8] == 0xff || !memcmp(h + 8, one, 16))
		return drop(MR_IP_DROP_SOURCE6);
	if (!memcmp(h + 24, none, 16) || !memcmp(h + 24, one, 16))
		return drop(MR_IP_DROP_MARTIAN);
	if (group && h[24] != 0xff)
		return drop(MR_IP_DROP_L2_GROUP);
	r = slow_look_up(MR_IP6, h + 24);
	if (!r)
		return icmp(1, 0);
	switch (r->group) {
	case MR_IP_SPECIAL_LOCAL:
		return leave(MR_IP_EDGE_LOCAL);
	case MR_IP_SPECIAL_UNREACHABLE:
		return icmp(1, 3);
	case MR_IP_SPECIAL_MULTICAST:
		return leave(MR_IP_EDGE_MULTICAST);
	case MR_IP_SPECIAL_LINK_LOCAL:
		return drop(MR_IP_DROP_LINK_LOCAL);
	}
	if (!memcmp(h + 8, none, 16))
		return drop(MR_IP_DROP_SOURCE6);
	if (h[8] == 0xfe && h[9] >> 6 == 2)
		return icmp(1, 2);
	if (h[7] <= 1)
		return icmp(3, 0);
	return slow_send(f, l3, r, in, total, MR_IP6);
}

struct outcome
slow_router(const struct frame *f)
{
	unsigned l3 = 14, in = f->port, type;
	bool group = f->bytes[0] & 1;

	if (f->len < 14)
		return drop(MR_IP_DROP_L2_SHORT);
	type = (unsigned)f->bytes[12] << 8 | f->bytes[13];
	if (type == 0x8100) {
		unsigned vlan;

		if (f->len < 18)
			return drop(MR_IP_DROP_L2_SHORT);
		vlan = ((unsigned)f->bytes[14] << 8 | f->bytes[15]) & 0xfff;
		if (vlan && (vlan != 7 || f->port != 0))
			return drop(MR_IP_DROP_NO_INTERFACE);
		in = vlan ? PORTS : in;
		type = (unsigned)f->bytes[16] << 8 | f->bytes[17];
		l3 = 18;
	}
	if (!group && memcmp(f->bytes, our_mac[f->port], 6))
		return drop(MR_IP_DROP_NOT_OURS);
	if (type == 0x0800)
		return slow4(f, l3, in, group);
	if (type == 0x86dd)
		return slow6(f, l3, in, group);
	return leave(type == 0x0806 ? MR_IP_EDGE_ARP : MR_IP_EDGE_PUNT);
}
