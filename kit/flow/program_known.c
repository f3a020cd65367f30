/* SPDX-License-Identifier: Apache-2.0 */

/* What the key says of the bytes of a flow's packets. */

#include <string.h>

#include "kit/flow/program_int.h"

/* The bytes under this mask are as they were when the walk began. */
static void
know(struct head_known *k, const struct mr_recording *r, unsigned at, unsigned len, uint8_t mask,
    unsigned fields)
{
	unsigned end = MR_MIN(at + len, MR_MIN((unsigned)r->snapped, HEAD_BYTES));

	for (unsigned i = at; i < end; i++) {
		k->mask[i] |= mask;
		k->value[i] = r->snap[i];
		k->fields[i] |= (uint8_t)fields;
	}
}

static void
know_l4(struct head_known *k, const struct mr_recording *r, unsigned proto, bool six, unsigned l4)
{
	if (proto == MR_IP_PROTO_UDP || proto == MR_IP_PROTO_TCP) {
		know(k, r, l4, 2, 0xff, MR_FLOW_PROTO | MR_FLOW_SPORT);
		know(k, r, l4 + 2, 2, 0xff, MR_FLOW_PROTO | MR_FLOW_DPORT);
	}
	if (proto == MR_IP_PROTO_TCP) {
		know(k, r, l4 + 13, 1, MR_TCP_FIN | MR_TCP_SYN | MR_TCP_RST | MR_TCP_URG,
		    MR_FLOW_PROTO);
		k->length_l4 = (uint16_t)(l4 + sizeof(struct mr_tcp));
	} else if (proto == MR_IP_PROTO_UDP) {
		k->length_l4 = (uint16_t)(l4 + sizeof(struct mr_udp));
	} else if (proto == (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP)) {
		/* An echo's identifier and type stand in place of ports. */
		know(k, r, l4 + 4, 2, 0xff, MR_FLOW_PROTO | MR_FLOW_SPORT);
		know(k, r, l4, 1, 0xff, MR_FLOW_PROTO | MR_FLOW_DPORT);
		k->length_l4 = (uint16_t)(l4 + 8);
	}
}

/* Its priority is nobody's. */
static void
know_tag(struct head_known *k, const struct mr_recording *r)
{
	know(k, r, 12, 2, 0xff, MR_FLOW_PORT);
	know(k, r, 14, 1, 0x0f, MR_FLOW_PORT);
	know(k, r, 15, 3, 0xff, MR_FLOW_PORT);
}

static unsigned
know_ip(struct head_known *k, const struct mr_recording *r, unsigned l3, bool six, unsigned fields)
{
	unsigned src = l3 + (six ? 8 : 12), size = six ? 16 : 4;

	know(k, r, l3 - 2, 2, 0xff, MR_FLOW_PORT);
	know(k, r, l3, 1, six ? 0xf0 : 0xff, MR_FLOW_PORT);
	know(k, r, l3 + (six ? 6 : 9), 1, 0xff, fields ? MR_FLOW_PROTO : MR_FLOW_PORT);
	know(k, r, src, size, 0xff, fields ? MR_FLOW_SRC : MR_FLOW_PORT);
	know(k, r, src + size, size, 0xff, fields ? MR_FLOW_DST : MR_FLOW_PORT);
	if (!six) { /* no fragment */
		know(k, r, l3 + 6, 1, 0x3f, MR_FLOW_PORT);
		know(k, r, l3 + 7, 1, 0xff, MR_FLOW_PORT);
	}
	return l3 + (six ? 40 : 20);
}

/* Of a packet that came through a tunnel: the outer one's ends and network are what the number of the
 * remote end says, whatever the other fields; its source port is guarded. */
static void
know_inside(struct head_known *k, const struct mr_recording *r, const struct mr_flow_key *key)
{
	bool six = MR_FLOW_WHERE_SIX(key->where), tagged = MR_FLOW_WHERE_VLAN(key->where), outer6;
	unsigned proto = MR_FLOW_WHERE_PROTO(key->where), l3 = tagged ? 18 : 14, outer, inner, l4;
	const uint8_t *b = r->snap;
	unsigned size = six ? 16 : 4, src;

	if (r->snapped < l3 || (tagged && mr_load_be16(b + 12) != MR_ETH_TYPE_VLAN))
		return;
	outer6 = mr_load_be16(b + l3 - 2) == MR_ETH_TYPE_IP6;
	outer = l3 + (outer6 ? 40 : 20);
	inner = outer + 16 + 14;
	l4 = inner + (six ? 40 : 20);
	src = inner + (six ? 8 : 12);
	/* What the snapshot does not reach to is believed of nothing. */
	if (r->snapped < l4 || memcmp(b + src, key->src, size) ||
	    memcmp(b + src + size, key->dst, size) || b[inner + (six ? 6 : 9)] != proto)
		return;
	/* Which headers there are, the family's conversion is not told: it is of the first. */
	k->length = k->length_l4 = (uint16_t)l4;
	k->six = six;
	know(k, r, 0, 6, 0xff, MR_FLOW_PORT);
	if (tagged)
		know_tag(k, r);
	(void)know_ip(k, r, l3, outer6, 0);
	know(k, r, outer + 2, 2, 0xff, MR_FLOW_PORT);
	know(k, r, outer + 8, 1, 0x08, MR_FLOW_PORT);
	know(k, r, outer + 12, 3, 0xff, MR_FLOW_PORT);
	know(k, r, inner - 14, 12, 0xff, MR_FLOW_L2);
	know_l4(k, r, proto, six, know_ip(k, r, inner, six, 1));
}

/* As kit/flow/key.h promises. A recording that contradicts the key is believed in nothing. */
void
mr_program_known(struct head_known *k, const struct mr_recording *r, const struct mr_flow_key *key)
{
	bool tagged = MR_FLOW_WHERE_VLAN(key->where), six = MR_FLOW_WHERE_SIX(key->where);
	unsigned proto = MR_FLOW_WHERE_PROTO(key->where);
	unsigned l3 = tagged ? 18 : 14, l4 = l3 + (six ? 40 : 20), size = six ? 16 : 4;
	unsigned src = l3 + (six ? 8 : 12), snapped = MR_MIN((unsigned)r->snapped, MR_RECORD_SNAP);
	const uint8_t *b = r->snap;

	memset(k, 0, sizeof(*k));
	if (MR_FLOW_INSIDE(key->pair)) {
		know_inside(k, r, key);
		return;
	}
	if (snapped < l4 || mr_load_be16(b + l3 - 2) != (six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4) ||
	    (tagged && mr_load_be16(b + 12) != MR_ETH_TYPE_VLAN) ||
	    (six ? b[l3] >> 4 != 6 : b[l3] != 0x45) || b[l3 + (six ? 6 : 9)] != proto ||
	    memcmp(b + src, key->src, size) || memcmp(b + src + size, key->dst, size))
		return;
	k->length = k->length_l4 = (uint16_t)l4;
	k->l3 = (uint8_t)l3;
	k->six = six;
	k->ports = proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP;
	k->echo = proto == (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP) && snapped > l4 &&
	    (b[l4] == (six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO) ||
		b[l4] == (six ? MR_ICMP6_ECHO_REPLY : MR_ICMP4_ECHO_REPLY));
	if (key->pair)
		know(k, r, 0, 12, 0xff, MR_FLOW_L2);
	else
		know(k, r, 0, 6, 0xff, MR_FLOW_PORT);
	know(k, r, 12, 2, 0xff, MR_FLOW_PORT);
	if (tagged)
		know_tag(k, r);
	know_l4(k, r, proto, six, know_ip(k, r, l3, six, 1));
}
