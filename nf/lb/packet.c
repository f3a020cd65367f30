/* SPDX-License-Identifier: Apache-2.0 */
/* What a packet is to the load balancer. Most are nothing to it: one look-up of an address says
 * so. */
#include <string.h>

#include "nf/lb/node_int.h"

#define QUOTED_PULL 256u

/* Where it came in, and where its IP header is; false: none of our business. */
static bool
read_frame(const struct lb_pass *s, const struct mr_packet *p, struct lb_packet *k, unsigned *type)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	unsigned vlan = 0;

	k->what = LB_PASS;
	k->first = false;
	k->l3 = sizeof(struct mr_eth);
	if (p->len < sizeof(struct mr_eth))
		return false;
	*type = mr_load_be16(bytes + 12);
	if (*type == MR_ETH_TYPE_VLAN) {
		if (p->len < sizeof(struct mr_eth) + sizeof(struct mr_vlan))
			return false;
		vlan = mr_load_be16(bytes + 14) & 0xfff;
		*type = mr_load_be16(bytes + 16);
		k->l3 += sizeof(struct mr_vlan);
	}
	k->interface =
	    (uint16_t)mr_ip_interface_at(&s->core->ip->ports[p->port % MR_PORT_MAX], vlan);
	if (!k->interface)
		return false;
	k->vrf = mr_ip_vrf(&s->core->ip->interfaces[k->interface]);
	k->six = *type == MR_ETH_TYPE_IP6;
	if (*type == MR_ETH_TYPE_ARP)
		return true;
	return (k->six && p->len >= k->l3 + sizeof(struct mr_ip6)) ||
	    (*type == MR_ETH_TYPE_IP4 && p->len >= k->l3 + sizeof(struct mr_ip4));
}

mr_inline bool
is_to_us(const struct lb_pass *s, const struct mr_packet *p, const struct lb_packet *k)
{
	return mr_ip_mac_is(&s->core->ip->interfaces[k->interface], mr_packet_bytes_const(p));
}

/* The number of an address with one of these roles, or LB_NONE. */
mr_inline uint16_t
find(const struct lb_pass *s, const struct lb_packet *k, const uint8_t *address, unsigned roles)
{
	uint16_t n = lb_address_find(s->view, k->vrf, k->six, address);

	return n != LB_NONE && (s->view->addresses[n].roles & roles) ? n : LB_NONE;
}

static void
load_address(const struct lb_packet *k, const uint8_t *bytes, uint64_t w[2])
{
	w[0] = w[1] = 0;
	memcpy(w, bytes, k->six ? 16 : 4);
}

/* Headers in one piece, and layer 4 found. */
static bool
read_ip(const struct lb_pass *s, uint32_t packet, struct mr_packet *p, struct lb_packet *k)
{
	struct mr_parsed r;

	if (mr_unlikely(p->len < p->total && p->len < QUOTED_PULL))
		(void)mr_packet_pull(s->run->buffers, s->run->worker, packet,
		    MR_MIN(p->total, QUOTED_PULL));
	if (mr_parse(&r, mr_packet_bytes_const(p), p->len, p->total) || r.l3 != k->l3 || !r.version)
		return false;
	k->l4 = r.l4;
	k->proto = r.proto;
	k->ip_len = r.end - r.l3;
	k->frag_id = r.frag_id;
	k->sport = r.src_port;
	k->dport = r.dst_port;
	k->tcp_flags = r.proto == MR_IP_PROTO_TCP ? r.tcp_flags : 0;
	if (r.flags & MR_PARSED_FRAGMENT) {
		k->first = r.flags & MR_PARSED_FIRST;
		if (!k->first)
			k->what = LB_PIECE;
	}
	return true;
}

mr_inline bool
has_ports(uint8_t proto)
{
	return proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP;
}

static bool
is_icmp(const struct lb_packet *k)
{
	return k->proto == (k->six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP);
}

static bool
is_error(const struct lb_packet *k, uint8_t type)
{
	if (k->six)
		return type < 128;
	return type == MR_ICMP4_UNREACHABLE || type == MR_ICMP4_TIME_EXCEEDED ||
	    type == MR_ICMP4_PARAM_PROBLEM;
}

/* The ports of the TCP or UDP packet that an ICMP error quotes, without options and extension
 * headers but those that a path may have put in. */
static bool
read_quote(const struct mr_packet *p, struct lb_packet *k)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	unsigned have = MR_MIN((unsigned)p->len, k->l3 + k->ip_len), at = k->l4 + 8u;

	k->quote_l3 = (uint16_t)at;
	if (k->six) {
		if (have < at + 40 + 4 || bytes[at] >> 4 != 6)
			return false;
		k->proto = bytes[at + 6];
		at += 40;
	} else {
		unsigned head = (bytes[at < have ? at : 0] & 15u) * 4;

		if (have < at + 20 || bytes[at] >> 4 != 4 || head < 20 || have < at + head + 4 ||
		    (mr_load_be16(bytes + at + 6) & MR_IP4_FRAG_OFFSET))
			return false;
		k->proto = bytes[at + 9];
		at += head;
	}
	if (!has_ports(k->proto))
		return false;
	k->quote_l4 = (uint16_t)at;
	k->sport = mr_load_be16(bytes + at);
	k->dport = mr_load_be16(bytes + at + 2);
	return true;
}

/* -- to a service -------------------------------------------------------------------------- */

/* Who asks for the Ethernet address of one of ours. */
static bool
is_question(const struct lb_pass *s, const struct mr_packet *p, struct lb_packet *k, unsigned type)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	const uint8_t *target;

	if (type == MR_ETH_TYPE_ARP) {
		if (p->len < k->l3 + sizeof(struct mr_arp) ||
		    mr_load_be16(bytes + k->l3 + 6) != MR_ARP_REQUEST)
			return false;
		target = bytes + k->l3 + offsetof(struct mr_arp, target_ip);
		k->what = LB_ARP;
	} else {
		if (bytes[k->l3 + 6] != MR_IP_PROTO_ICMP6 ||
		    p->len < k->l3 + 40 + sizeof(struct mr_icmp6_neighbor) ||
		    bytes[k->l3 + 40] != MR_ICMP6_NEIGHBOR_SOLICIT)
			return false;
		target = bytes + k->l3 + 40 + offsetof(struct mr_icmp6_neighbor, target);
		k->what = LB_ND;
	}
	k->place = find(s, k, target, LB_ROLE_SERVICE | LB_ROLE_SOURCE);
	/* For an address of the router itself nf/neighbor answers. */
	if (k->place == LB_NONE ||
	    atomic_load_explicit(&s->core->own[k->place], memory_order_relaxed))
		k->what = LB_PASS;
	return k->what != LB_PASS;
}

static void
front_key(struct lb_packet *k, const uint8_t *client, uint16_t client_port, uint16_t own_port)
{
	load_address(k, client, k->key.w);
	k->key.w[2] =
	    LB_KEY_TAIL(client_port, own_port, k->place, k->proto, k->six ? LB_KEY_SIX : 0);
}

static void
front_icmp(const struct mr_packet *p, struct lb_packet *k)
{
	const uint8_t *bytes = mr_packet_bytes_const(p), *quoted;
	unsigned size = k->six ? 16 : 4, from = k->six ? 8 : 12;
	uint8_t type;

	if (p->len < k->l4 + 8u)
		return;
	type = bytes[k->l4];
	if (type == (k->six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO)) {
		k->what = LB_PING;
		return;
	}
	if (!is_error(k, type))
		return;
	/* About what a service sent to a client. */
	k->what = LB_ERROR;
	k->service = LB_NONE;
	if (!read_quote(p, k))
		return;
	quoted = bytes + k->quote_l3 + from;
	if (memcmp(quoted, bytes + k->l3 + from + size, size) != 0)
		return;
	k->service = 0;
	front_key(k, quoted + size, k->dport, k->sport);
}

void
lb_classify_front(const struct lb_pass *s, uint32_t packet, struct lb_packet *k)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	const struct lb_address *a;
	const uint8_t *ip;
	unsigned type;

	if (!read_frame(s, p, k, &type))
		return;
	ip = mr_packet_bytes_const(p) + k->l3;
	if ((type == MR_ETH_TYPE_ARP || (k->six && ip[6] == MR_IP_PROTO_ICMP6)) &&
	    is_question(s, p, k, type))
		return;
	if (type == MR_ETH_TYPE_ARP)
		return;
	k->place = find(s, k, ip + (k->six ? 24 : 16), LB_ROLE_SERVICE | LB_ROLE_SOURCE);
	if (k->place == LB_NONE || !is_to_us(s, p, k) || !read_ip(s, packet, p, k))
		return;
	a = &s->view->addresses[k->place];
	ip = mr_packet_bytes_const(p) + k->l3;
	if (k->what == LB_PIECE)
		return;
	if (is_icmp(k)) {
		front_icmp(p, k);
		return;
	}
	k->service = has_ports(k->proto) && (a->roles & LB_ROLE_SERVICE)
	    ? lb_rule_find(s->view, a, k->proto, k->dport)
	    : LB_NONE;
	k->what = k->service == LB_NONE ? LB_NO_SERVICE : LB_FLOW;
	front_key(k, ip + (k->six ? 8 : 12), k->sport, k->dport);
}

/* -- from a server ------------------------------------------------------------------------- */

static void
back_key(const struct lb_pass *s, struct lb_packet *k, const uint8_t *peer, uint16_t peer_port,
    uint16_t server_port)
{
	uint16_t source = find(s, k, peer, LB_ROLE_SOURCE);
	unsigned flags = k->six ? LB_KEY_SIX : 0;

	load_address(k, peer, k->key.w);
	if (source != LB_NONE) {
		k->key.w[0] = source;
		k->key.w[1] = 0;
		flags |= LB_KEY_FULL;
	}
	k->key.w[2] = LB_KEY_TAIL(peer_port, server_port, k->place, k->proto, flags);
}

/* An error about what was sent to a server: by itself, or by somebody on the way to it. */
static void
back_icmp(const struct lb_pass *s, const struct mr_packet *p, struct lb_packet *k)
{
	const uint8_t *bytes = mr_packet_bytes_const(p), *quoted;
	unsigned size = k->six ? 16 : 4, from = k->six ? 8 : 12;

	if (p->len < k->l4 + 8u || !is_error(k, bytes[k->l4]) || !read_quote(p, k))
		return;
	quoted = bytes + k->quote_l3 + from;
	if (memcmp(quoted, bytes + k->l3 + from + size, size) != 0)
		return;
	k->place = find(s, k, quoted + size, LB_ROLE_SERVER);
	if (k->place == LB_NONE)
		return;
	k->what = LB_ERROR;
	back_key(s, k, quoted, k->sport, k->dport);
}

void
lb_classify_back(const struct lb_pass *s, uint32_t packet, struct lb_packet *k)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	const uint8_t *ip;
	bool icmp;
	unsigned type;

	if (!read_frame(s, p, k, &type) || type == MR_ETH_TYPE_ARP)
		return;
	ip = mr_packet_bytes_const(p) + k->l3;
	icmp = ip[k->six ? 6 : 9] == (k->six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP);
	k->place = find(s, k, ip + (k->six ? 8 : 12), LB_ROLE_SERVER);
	if ((k->place == LB_NONE && !icmp) || !is_to_us(s, p, k) || !read_ip(s, packet, p, k))
		return;
	ip = mr_packet_bytes_const(p) + k->l3;
	if (k->what == LB_PIECE) {
		k->what = k->place == LB_NONE ? LB_PASS : LB_PIECE;
		return;
	}
	if (is_icmp(k)) {
		back_icmp(s, p, k);
		return;
	}
	if (k->place == LB_NONE || !has_ports(k->proto))
		return;
	k->what = LB_FLOW;
	back_key(s, k, ip + (k->six ? 24 : 16), k->dport, k->sport);
}

/* Of a piece, once its ports are known. */
void
lb_piece_key(const struct lb_pass *s, const struct mr_packet *p, struct lb_packet *k, bool back)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + k->l3;

	if (back) {
		back_key(s, k, ip + (k->six ? 24 : 16), k->dport, k->sport);
		return;
	}
	k->service = lb_rule_find(s->view, &s->view->addresses[k->place], k->proto, k->dport);
	front_key(k, ip + (k->six ? 8 : 12), k->sport, k->dport);
}

uint64_t
lb_flow_hash(const struct lb_view *view, const struct lb_packet *k, bool sticky)
{
	uint64_t words[5] = { k->key.w[0], k->key.w[1], 0, 0, 0 };

	/* By addresses, not by numbers: another load balancer with the same key agrees. */
	if (!sticky) {
		memcpy(&words[2], view->addresses[k->place].bytes, 16);
		words[4] = (k->key.w[2] & UINT32_MAX) | (uint64_t)LB_TAIL_PROTO(k->key.w[2]) << 32;
	}
	return mr_hash_words(&view->key, words, 5);
}
