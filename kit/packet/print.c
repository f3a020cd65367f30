/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/print.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "kit/packet/parse.h"

#define DEPTH_MAX 3 /* tunnels */

struct line {
	char *out;
	size_t size;
	size_t at; /* of the closing zero byte, always inside */
	const uint8_t *bytes;
	unsigned len;
};

static void put(struct line *, const char *fmt, ...) mr_printf(2, 3);

static void
put(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->out + l->at, l->size - l->at, fmt, args);
	va_end(args);
	if (n > 0)
		l->at = MR_MIN(l->at + (size_t)n, l->size - 1);
}

static void
put_mac(struct line *l, const uint8_t *mac)
{
	put(l, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* `port` below 0: none */
static void
put_address(struct line *l, const uint8_t *address, unsigned version, int port)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(version == 4 ? AF_INET : AF_INET6, address, text, sizeof(text)))
		return;
	if (port < 0)
		put(l, "%s", text);
	else
		put(l, version == 4 ? "%s:%d" : "[%s]:%d", text, port);
}

static const char *
proto_name(uint8_t proto)
{
	switch (proto) {
	case MR_IP_PROTO_HOP_BY_HOP:
		return "hop-by-hop";
	case MR_IP_PROTO_ICMP:
		return "ICMP";
	case MR_IP_PROTO_IGMP:
		return "IGMP";
	case MR_IP_PROTO_IP4:
		return "IPv4";
	case MR_IP_PROTO_TCP:
		return "TCP";
	case MR_IP_PROTO_UDP:
		return "UDP";
	case MR_IP_PROTO_DCCP:
		return "DCCP";
	case MR_IP_PROTO_IP6:
		return "IPv6";
	case MR_IP_PROTO_ROUTING:
		return "routing";
	case MR_IP_PROTO_FRAGMENT:
		return "fragment";
	case MR_IP_PROTO_GRE:
		return "GRE";
	case MR_IP_PROTO_ESP:
		return "ESP";
	case MR_IP_PROTO_AH:
		return "AH";
	case MR_IP_PROTO_ICMP6:
		return "ICMPv6";
	case MR_IP_PROTO_NONE:
		return "no next header";
	case MR_IP_PROTO_DEST_OPTIONS:
		return "destination options";
	case MR_IP_PROTO_EIGRP:
		return "EIGRP";
	case MR_IP_PROTO_OSPF:
		return "OSPF";
	case MR_IP_PROTO_PIM:
		return "PIM";
	case MR_IP_PROTO_VRRP:
		return "VRRP";
	case MR_IP_PROTO_L2TP:
		return "L2TP";
	case MR_IP_PROTO_SCTP:
		return "SCTP";
	case MR_IP_PROTO_MOBILITY:
		return "mobility";
	case MR_IP_PROTO_UDPLITE:
		return "UDP-Lite";
	case MR_IP_PROTO_MPLS:
		return "MPLS";
	default:
		return NULL;
	}
}

static const char *
type_name(uint16_t type)
{
	switch (type) {
	case MR_ETH_TYPE_IP4:
		return "IPv4";
	case MR_ETH_TYPE_IP6:
		return "IPv6";
	case MR_ETH_TYPE_ARP:
		return "ARP";
	case MR_ETH_TYPE_RARP:
		return "RARP";
	case MR_ETH_TYPE_MAC_CONTROL:
		return "MAC control";
	case MR_ETH_TYPE_SLOW:
		return "slow protocols";
	case MR_ETH_TYPE_MPLS:
	case MR_ETH_TYPE_MPLS_MC:
		return "MPLS";
	case MR_ETH_TYPE_PPPOE_DISCOVERY:
		return "PPPoE discovery";
	case MR_ETH_TYPE_PPPOE:
		return "PPPoE";
	case MR_ETH_TYPE_EAPOL:
		return "EAPOL";
	case MR_ETH_TYPE_LLDP:
		return "LLDP";
	case MR_ETH_TYPE_MACSEC:
		return "MACsec";
	case MR_ETH_TYPE_PTP:
		return "PTP";
	default:
		return NULL;
	}
}

static const char *
tunnel_name(uint8_t tunnel)
{
	static const char *const names[] = {
		[MR_TUNNEL_IP4] = "IPv4",
		[MR_TUNNEL_IP6] = "IPv6",
		[MR_TUNNEL_GRE] = "GRE",
		[MR_TUNNEL_VXLAN] = "VXLAN",
		[MR_TUNNEL_GENEVE] = "Geneve",
		[MR_TUNNEL_GTPU] = "GTP-U",
		[MR_TUNNEL_MPLS] = "MPLS",
		[MR_TUNNEL_PPPOE] = "PPPoE",
	};

	return tunnel < MR_ARRAY_COUNT(names) && names[tunnel] ? names[tunnel] : "tunnel";
}

static const char *
icmp_name(const struct mr_parsed *p)
{
	switch (p->version << 8 | p->icmp_type) {
	case 4 << 8 | MR_ICMP4_ECHO:
	case 6 << 8 | MR_ICMP6_ECHO:
		return "echo request";
	case 4 << 8 | MR_ICMP4_ECHO_REPLY:
	case 6 << 8 | MR_ICMP6_ECHO_REPLY:
		return "echo reply";
	case 4 << 8 | MR_ICMP4_UNREACHABLE:
	case 6 << 8 | MR_ICMP6_UNREACHABLE:
		return "unreachable";
	case 4 << 8 | MR_ICMP4_REDIRECT:
	case 6 << 8 | MR_ICMP6_REDIRECT:
		return "redirect";
	case 4 << 8 | MR_ICMP4_TIME_EXCEEDED:
	case 6 << 8 | MR_ICMP6_TIME_EXCEEDED:
		return "time exceeded";
	case 4 << 8 | MR_ICMP4_PARAM_PROBLEM:
	case 6 << 8 | MR_ICMP6_PARAM_PROBLEM:
		return "parameter problem";
	case 6 << 8 | MR_ICMP6_TOO_BIG:
		return "packet too big";
	case 6 << 8 | MR_ICMP6_MLD_QUERY:
		return "multicast listener query";
	case 6 << 8 | MR_ICMP6_MLD_REPORT:
	case 6 << 8 | MR_ICMP6_MLD2_REPORT:
		return "multicast listener report";
	case 6 << 8 | MR_ICMP6_ROUTER_SOLICIT:
		return "router solicitation";
	case 6 << 8 | MR_ICMP6_ROUTER_ADVERT:
		return "router advertisement";
	case 6 << 8 | MR_ICMP6_NEIGHBOR_SOLICIT:
		return "neighbour solicitation";
	case 6 << 8 | MR_ICMP6_NEIGHBOR_ADVERT:
		return "neighbour advertisement";
	default:
		return NULL;
	}
}

static void
put_icmp(struct line *l, const struct mr_parsed *p)
{
	const char *name = icmp_name(p);
	char target[INET6_ADDRSTRLEN];
	bool v6 = p->version == 6, echo;

	if (name)
		put(l, " %s", name);
	else
		put(l, " type %u", p->icmp_type);
	if (v6)
		echo = p->icmp_type == MR_ICMP6_ECHO || p->icmp_type == MR_ICMP6_ECHO_REPLY;
	else
		echo = p->icmp_type == MR_ICMP4_ECHO || p->icmp_type == MR_ICMP4_ECHO_REPLY;
	if (echo)
		/* The parser has seen all eight bytes of these. */
		put(l, " id %u seq %u", p->icmp_id, mr_load_be16(l->bytes + p->l4 + 6));
	else if (p->icmp_code)
		put(l, " code %u", p->icmp_code);
	if (v6 &&
	    (p->icmp_type == MR_ICMP6_NEIGHBOR_SOLICIT ||
		p->icmp_type == MR_ICMP6_NEIGHBOR_ADVERT) &&
	    p->l4 + sizeof(struct mr_icmp6_neighbor) <= MR_MIN(l->len, p->end) &&
	    inet_ntop(AF_INET6, l->bytes + p->l4 + 8, target, sizeof(target)))
		put(l, " %s", target);
}

static void
put_tcp(struct line *l, const struct mr_parsed *p)
{
	static const char letters[] = "FSRP.UEW";
	const struct mr_tcp *tcp = (const struct mr_tcp *)(l->bytes + p->l4);
	unsigned i;

	put(l, " [");
	for (i = 0; i < 8; i++)
		if (p->tcp_flags >> i & 1)
			put(l, "%c", letters[i]);
	put(l, "] seq %u", mr_be32(tcp->seq));
	if (p->tcp_flags & MR_TCP_ACK)
		put(l, " ack %u", mr_be32(tcp->ack));
	put(l, " win %u len %u", mr_be16(tcp->window), p->end - p->payload);
}

static void
put_ip(struct line *l, const struct mr_parsed *p)
{
	unsigned size = p->version == 4 ? 4 : 16;
	const uint8_t *src = l->bytes + p->l3 + (p->version == 4 ? 12 : 8);
	bool ports = (p->flags & MR_PARSED_L4) && p->proto != MR_IP_PROTO_ICMP &&
	    p->proto != MR_IP_PROTO_ICMP6;
	const char *name = proto_name(p->proto);

	put_address(l, src, p->version, ports ? p->src_port : -1);
	put(l, " > ");
	put_address(l, src + size, p->version, ports ? p->dst_port : -1);
	if (p->tunnel && !p->error)
		return; /* named with what is inside */
	if (name)
		put(l, " %s", name);
	else
		put(l, " protocol %u", p->proto);
	if (p->flags & MR_PARSED_L4) {
		if (p->proto == MR_IP_PROTO_TCP)
			put_tcp(l, p);
		else if (!ports)
			put_icmp(l, p);
		else if (p->proto == MR_IP_PROTO_UDP)
			put(l, " len %u", mr_load_be16(l->bytes + p->l4 + 4) - 8u);
	}
	if (p->flags & MR_PARSED_FRAGMENT)
		put(l, " fragment id %u offset %u", p->frag_id, p->frag_offset);
}

static void
put_arp(struct line *l, const struct mr_parsed *p)
{
	const struct mr_arp *arp = (const struct mr_arp *)(l->bytes + p->l3);
	const uint8_t *sender = (const uint8_t *)&arp->sender_ip;
	const uint8_t *target = (const uint8_t *)&arp->target_ip;

	switch (mr_be16(arp->op)) {
	case MR_ARP_REQUEST:
		put(l, "ARP who-has ");
		put_address(l, target, 4, -1);
		put(l, " tell ");
		put_address(l, sender, 4, -1);
		break;
	case MR_ARP_REPLY:
		put(l, "ARP ");
		put_address(l, sender, 4, -1);
		put(l, " is-at ");
		put_mac(l, arp->sender_mac);
		break;
	default:
		put(l, "ARP op %u", mr_be16(arp->op));
	}
}

static void
put_ethernet(struct line *l, const struct mr_parsed *p)
{
	const char *name = type_name(p->ethertype);

	if (!(p->flags & MR_PARSED_NO_L2)) {
		put_mac(l, l->bytes + p->l2 + 6);
		put(l, " > ");
		put_mac(l, l->bytes + p->l2);
		put(l, " ");
	}
	if (p->flags & MR_PARSED_OPAQUE && !p->ethertype)
		put(l, "data");
	else if (p->flags & MR_PARSED_LLC)
		put(l, "LLC length %u", p->ethertype);
	else if (name)
		put(l, "%s", name);
	else
		put(l, "type 0x%04x", p->ethertype);
}

/* One parse: a frame or what a tunnel carries. */
static void
put_layer(struct line *l, const struct mr_parsed *p)
{
	unsigned i;

	for (i = 0; i < p->vlan_count; i++)
		put(l, "vlan %u, ", p->vlan[i] & MR_VLAN_ID_MASK);
	if (p->version)
		put_ip(l, p);
	else if (p->ethertype == MR_ETH_TYPE_ARP && !p->error)
		put_arp(l, p);
	else if (p->l3 > p->l2 || (p->flags & MR_PARSED_NO_L2))
		put_ethernet(l, p);
	if (p->error)
		put(l, "%s(%s)", l->at && l->out[l->at - 1] != ' ' ? " " : "",
		    mr_parse_error_name(p->error));
}

size_t
mr_packet_print_first(char *out, size_t size, const uint8_t *bytes, unsigned len, unsigned total)
{
	struct line l = { .out = out, .size = size, .bytes = bytes, .len = len };
	struct mr_parsed p;
	unsigned depth;

	if (size == 0)
		return 0;
	out[0] = '\0';
	mr_parse(&p, bytes, len, total);
	put_layer(&l, &p);
	for (depth = 0; depth < DEPTH_MAX && p.tunnel && !p.error; depth++) {
		bool over_ip = p.version;
		uint8_t kind = p.tunnel;

		mr_parse_inner(&p, &p, bytes, len, total);
		if (over_ip)
			put(&l, " %s", tunnel_name(kind));
		if (p.tunnel_id)
			put(&l, " %u", p.tunnel_id);
		put(&l, ": ");
		put_layer(&l, &p);
	}
	put(&l, ", %u bytes", total);
	return l.at;
}

size_t
mr_packet_print(char *out, size_t size, const uint8_t *bytes, unsigned len)
{
	return mr_packet_print_first(out, size, bytes, len, len);
}

const char *
mr_ip_proto_name(uint8_t proto)
{
	static const struct {
		uint8_t number;
		const char *name;
	} known[] = {
		{ MR_IP_PROTO_TCP, "tcp" },
		{ MR_IP_PROTO_UDP, "udp" },
		{ MR_IP_PROTO_ICMP, "icmp" },
		{ MR_IP_PROTO_ICMP6, "icmpv6" },
		{ MR_IP_PROTO_SCTP, "sctp" },
		{ MR_IP_PROTO_DCCP, "dccp" },
		{ MR_IP_PROTO_UDPLITE, "udplite" },
		{ MR_IP_PROTO_GRE, "gre" },
		{ MR_IP_PROTO_ESP, "esp" },
		{ MR_IP_PROTO_AH, "ah" },
		{ MR_IP_PROTO_IGMP, "igmp" },
		{ MR_IP_PROTO_OSPF, "ospf" },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(known); i++)
		if (known[i].number == proto)
			return known[i].name;
	return NULL;
}
