/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a tunnel's remote end sends: flows' frames in VXLAN, to the bridge's stations or to be routed, and
 * what is almost that.
 */
#include "nf/lanes/lanes_bed_int.h"

#include <string.h>

#include "kit/packet/wire.h"
#include "kit/packet/wire_tunnel.h"

/* Flows' numbers behind the tunnel. */
#define BEHIND 0x20000000u
#define NETWORK 77u

/* Which fields of the outer headers are not as they should be. */
enum odd {
	ODD_NOT,
	ODD_NETWORK,
	ODD_REMOTE,
	ODD_MARK,
	ODD_PORT,
	ODD_LENGTH,
	ODD_FLAGS,
	ODD_TTL,
	ODD_TAIL,
	ODD_SPLIT,
	ODD_ELSEWHERE,
	ODD_SOURCE_PORT,
	ODD_COUNT,
};

static void
address(uint8_t *out, bool six, unsigned net, unsigned host)
{
	memset(out, 0, 16);
	if (six) {
		mr_store_be32(out, 0x20010db8);
		mr_store_be16(out + 4, (uint16_t)net);
		mr_store_be16(out + 14, (uint16_t)host);
	} else {
		mr_store_be32(out, 10u << 24 | net << 16 | host);
	}
}

/* Headers in front of the `len` bytes at frame + BED_TUNNEL_AROUND; returns where the whole begins. */
static unsigned
put_around(const struct bed_shape *s, uint8_t *frame, unsigned len, unsigned sport, enum odd odd)
{
	unsigned head = s->tunnel_six ? 40 : 20, at = BED_TUNNEL_AROUND - 14 - head - 16;
	unsigned n = BED_SUBNET(s->tunnel_port, 0), udp_len = 16 + len;
	uint8_t *ip = frame + at + 14, *udp = ip + head, from[16], to[16];

	memset(frame + at, 0, 14 + head + 16);
	memcpy(frame + at, "\2\0\0\0\xaa", 5);
	frame[at + 5] = (uint8_t)(s->tunnel_port + 1);
	memcpy(frame + at + 6, "\2\0\0\0\0\x9", 6);
	frame[at + 10] = (uint8_t)n;
	mr_store_be16(frame + at + 12, s->tunnel_six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	address(from, s->tunnel_six, n, odd == ODD_REMOTE ? 10 : 9);
	address(to, s->tunnel_six, n, 1);
	if (s->tunnel_six) {
		ip[0] = 0x60;
		ip[1] = odd == ODD_MARK ? 0x30 : 0;
		mr_store_be16(ip + 4, (uint16_t)udp_len);
		ip[6] = MR_IP_PROTO_UDP;
		ip[7] = odd == ODD_TTL ? 1 : 64;
		memcpy(ip + 8, from, 16);
		memcpy(ip + 24, to, 16);
	} else {
		ip[0] = 0x45;
		ip[1] = odd == ODD_MARK ? 3 : 0;
		mr_store_be16(ip + 2, (uint16_t)(20 + udp_len));
		ip[8] = odd == ODD_TTL ? 1 : 64;
		ip[9] = MR_IP_PROTO_UDP;
		memcpy(ip + 12, from, 4);
		memcpy(ip + 16, to, 4);
		bed_sum4(ip);
	}
	mr_store_be16(udp, (uint16_t)sport);
	mr_store_be16(udp + 2, MR_TUNNEL_PORT_VXLAN + (odd == ODD_PORT ? 64 : 0));
	mr_store_be16(udp + 4, (uint16_t)(udp_len - (odd == ODD_LENGTH ? 5 : 0)));
	udp[8] = odd == ODD_FLAGS ? 0 : MR_VXLAN_VNI_VALID;
	udp[14] = odd == ODD_NETWORK ? NETWORK + 1 : NETWORK;
	return at;
}

/* The Ethernet header of a station behind the tunnel. */
static void
put_station(const struct bed_shape *s, unsigned port, uint8_t *frame)
{
	if (s->tunnel_routed)
		memcpy(frame, BED_TUNNEL_MAC, 6);
	frame[10] = 0xef;
	frame[11] = (uint8_t)port;
}

static bool
leads_there(const struct bed_flow *f, const struct bed_shape *s)
{
	return s->tunnel_routed
	    ? s->use[f->port] == BED_ROUTED
	    : s->use[f->port] == BED_BRIDGED && s->which[f->port] == s->tunnel_bridge;
}

static void
give(struct bed *b, struct bed_flow *f, const struct bed_shape *s, struct bed_random *r)
{
	enum odd odd = bed_one_in(r, 24) ? (enum odd)bed_draw(r, ODD_COUNT) : ODD_NOT;
	uint8_t frame[BED_TUNNEL_AROUND + BED_FRAME_MAX + 64];
	unsigned sport = 49152 + f->number % 16384, port = s->tunnel_port, at, len;
	uint32_t number = f->number | BEHIND;
	struct bed_flow behind = *f;
	struct bed_made m;

	if (s->tunnel_routed) {
		behind.vlan = 0;
		if (behind.six)
			mr_store_be16(behind.src + 4, BED_TUNNEL_NET);
		else
			behind.src[1] = BED_TUNNEL_NET;
	}
	/* To a station of another port: the flow's own is the tunnel. */
	behind.port = (uint8_t)bed_draw(r, BED_PORTS);
	while (!leads_there(&behind, s))
		behind.port = (uint8_t)((behind.port + 1) % BED_PORTS);
	/* Ports are not looked at in the same order by both lanes. */
	number |= odd == ODD_ELSEWHERE ? 2 * BEHIND : 0;
	bed_build(&behind, s, number, f->serial++, f->size, frame + BED_TUNNEL_AROUND, &m);
	put_station(s, f->port, frame + BED_TUNNEL_AROUND);
	if (odd == ODD_ELSEWHERE)
		port = bed_draw(r, BED_PORTS);
	if (odd == ODD_SOURCE_PORT)
		sport ^= 1;
	at = put_around(s, frame, m.len, sport, odd);
	len = BED_TUNNEL_AROUND + m.len - at;
	if (odd == ODD_TAIL)
		memset(frame + at + len, 0, 7);
	bed_give(b, port, frame + at, len + (odd == ODD_TAIL ? 7 : 0),
	    odd == ODD_SPLIT ? 1 + bed_draw(r, len) : 0, 0);
}

void
bed_tunnel_vector(struct bed *b, struct bed_flows *flows, const struct bed_shape *s,
    struct bed_random *r, unsigned count)
{
	if (!s->tunnel)
		return;
	for (unsigned i = 0, tries = 0; i < count && tries < count * 8; tries++) {
		struct bed_flow *f = &flows->at[bed_draw(r, BED_FLOWS)];

		if (!leads_there(f, s))
			continue;
		i++;
		give(b, f, s, r);
	}
}

void
bed_tunnel_stations(struct bed *b, const struct bed_shape *s)
{
	static const uint8_t vlans[] = { 0, 7, 8 };
	uint8_t frame[BED_TUNNEL_AROUND + 64];

	if (!s->tunnel || s->tunnel_routed)
		return;
	for (unsigned port = 0; port < BED_PORTS; port++)
		for (unsigned v = 0; v < 3; v++) {
			uint8_t *inner = frame + BED_TUNNEL_AROUND;
			unsigned at;

			memset(frame, 0, sizeof(frame));
			memcpy(inner + 6, "\2\0\0\0", 4);
			put_station(s, port, inner);
			memcpy(inner, inner + 6, 6);
			mr_store_be16(inner + 12, MR_ETH_TYPE_VLAN);
			inner[15] = vlans[v];
			mr_store_be16(inner + 16, 0x88b5);
			at = put_around(s, frame, 60, 50000, ODD_NOT);
			bed_give(b, s->tunnel_port, frame + at, BED_TUNNEL_AROUND + 60 - at, 0, 0);
		}
	bed_run(b);
}
