/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_KEY_CHECK_INT_H
#define MR_KIT_FLOW_KEY_CHECK_INT_H

/*
 * What key.h says, word by word, on top of the parser: what the tests and the fuzz target hold
 * mr_flow_keys against. And packets whose last byte is the last of their memory, so that
 * AddressSanitizer sees a read past it.
 */

#include <stdlib.h>

#include "kit/flow/inside.h"
#include "kit/flow/key.h"
#include "kit/flow/pairs.h"
#include "kit/packet/checksum.h"
#include "kit/packet/parse.h"

struct checked_key {
	struct mr_flow_key key; /* but `pair` */
	unsigned l3, l4, tcp;
	uint32_t inside; /* the number of the remote end */
};

static inline bool
check_key_layer4(const struct mr_parsed *r, const uint8_t *bytes, struct mr_flow_key *key)
{
	bool six = r->version == 6;

	if (!(r->flags & MR_PARSED_L4))
		return false;
	if (r->proto == MR_IP_PROTO_TCP || r->proto == MR_IP_PROTO_UDP) {
		key->sport = mr_be16(r->src_port);
		key->dport = mr_be16(r->dst_port);
		if (r->proto == MR_IP_PROTO_UDP)
			return true;
		return !(r->tcp_flags & (MR_TCP_SYN | MR_TCP_FIN | MR_TCP_RST | MR_TCP_URG));
	}
	key->sport = mr_be16(r->icmp_id);
	key->dport = mr_be16(r->icmp_type);
	if (r->end - r->l4 < sizeof(struct mr_icmp) || r->icmp_code)
		return false;
	if (r->proto == MR_IP_PROTO_ICMP)
		return !six &&
		    (r->icmp_type == MR_ICMP4_ECHO || r->icmp_type == MR_ICMP4_ECHO_REPLY);
	return r->proto == MR_IP_PROTO_ICMP6 && six &&
	    (r->icmp_type == MR_ICMP6_ECHO || r->icmp_type == MR_ICMP6_ECHO_REPLY);
}

/* What a plain frame's bytes say; `mac`: the six bytes that it has to begin with, or null. */
static inline bool
check_key_frame(const uint8_t *bytes, unsigned len, const void *mac, unsigned port,
    struct checked_key *out)
{
	unsigned vlan = 0;
	struct mr_parsed r;

	memset(out, 0, sizeof(*out));
	if (mr_parse_ethernet(&r, bytes, len, len) != MR_PARSE_OK)
		return false;
	if (mac && memcmp(bytes, mac, 6))
		return false;
	if (r.vlan_count > 1 || (r.flags & MR_PARSED_MORE_TAGS))
		return false;
	if (r.vlan_count) {
		vlan = r.vlan[0] & MR_VLAN_ID_MASK;
		if (mr_load_be16(bytes + 12) != MR_ETH_TYPE_VLAN || vlan == 0 || vlan == 4095)
			return false;
	}
	if (r.version == 0 || r.ttl <= 1 ||
	    (r.flags &
		(MR_PARSED_FRAGMENT | MR_PARSED_ATOMIC | MR_PARSED_OPTIONS | MR_PARSED_EXTENSIONS)))
		return false;
	if (r.version == 4) {
		if (!mr_checksum_ipv4_header_good((const struct mr_ip4 *)(bytes + r.l3)))
			return false;
		memcpy(out->key.src, bytes + r.l3 + 12, 4);
		memcpy(out->key.dst, bytes + r.l3 + 16, 4);
	} else {
		memcpy(out->key.src, bytes + r.l3 + 8, 16);
		memcpy(out->key.dst, bytes + r.l3 + 24, 16);
	}
	out->key.where = MR_FLOW_WHERE(port, vlan, r.proto, r.version == 6);
	out->l3 = r.l3;
	out->l4 = r.l4;
	out->tcp = r.tcp_flags;
	return check_key_layer4(&r, bytes, &out->key);
}

/* Whose the packet is that this one holds: 0, it is nobody's. */
static inline uint32_t
check_key_number(const struct mr_flow_view *view, const uint8_t *bytes, unsigned len,
    const struct checked_key *outer)
{
	unsigned six = MR_FLOW_WHERE_SIX(outer->key.where);
	struct mr_flow_outer o;

	memset(&o, 0, sizeof(o));
	if (view->bridged || !view->inside ||
	    MR_FLOW_WHERE_PROTO(outer->key.where) != MR_IP_PROTO_UDP ||
	    len < outer->l4 + 8 + 8 + 14)
		return 0;
	memcpy(o.remote, bytes + outer->l3 + (six ? 8 : 12), six ? 16 : 4);
	memcpy(o.local, bytes + outer->l3 + (six ? 24 : 16), six ? 16 : 4);
	o.network = (uint32_t)bytes[outer->l4 + 12] << 16 | (uint32_t)bytes[outer->l4 + 13] << 8 |
	    bytes[outer->l4 + 14];
	o.port = mr_load_be16(bytes + outer->l4 + 2);
	o.vrf = view->vrfs ? view->vrfs[MR_FLOW_WHERE_VLAN(outer->key.where)] : view->vrf;
	o.vrf = (uint16_t)(o.vrf | (six ? MR_FLOW_OUTER_SIX : 0));
	return mr_flow_inside_find(atomic_load_explicit(view->inside, memory_order_acquire), &o);
}

static inline bool
check_key(const struct mr_flow_view *view, const struct mr_packet *p, struct checked_key *out)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	struct checked_key outer;
	unsigned around;
	uint32_t number;

	if (p->segments != 1 || (p->flags & (MR_PACKET_GSO | MR_PACKET_CSUM_PARTIAL)))
		return false;
	if (!check_key_frame(bytes, p->len, view->bridged ? NULL : &view->mac, view->port, out))
		return false;
	number = check_key_number(view, bytes, p->len, out);
	if (!number || number > MR_FLOW_INSIDE_MAX)
		return true;
	outer = *out;
	around = outer.l4 + 8 + 8;
	/* A network's number is there, and UDP's end is the packet's. */
	if (!(bytes[outer.l4 + 8] & 8) || mr_load_be16(bytes + outer.l4 + 4) + outer.l4 != p->len)
		return false;
	if (!check_key_frame(bytes + around, p->len - around, NULL, view->port, out) ||
	    MR_FLOW_WHERE_VLAN(out->key.where))
		return false;
	out->key.where |= MR_FLOW_WHERE(0, MR_FLOW_WHERE_VLAN(outer.key.where), 0, 0);
	out->l3 += around;
	out->l4 += around;
	out->inside = number;
	return true;
}

/* A packet of its own memory: the base that handle 1 counts from, to be freed. */
static inline uint8_t *
checked_packet(const uint8_t *bytes, unsigned len)
{
	void *base;
	struct mr_packet *p;

	if (posix_memalign(&base, MR_CACHE_LINE, 2u * MR_CACHE_LINE + len))
		return NULL;
	p = mr_packet_at(base, 1);
	mr_packet_init(p, MR_PACKET_META_SIZE, (uint16_t)len, 0, 0);
	if (len)
		memcpy(mr_packet_bytes(p), bytes, len);
	return base;
}

/* Whether a key and what goes with it are what they should be. */
static inline bool
check_keyed(const struct mr_flow_view *view, const struct mr_flow_pairs *pairs,
    const struct checked_key *checked, const struct mr_packet *p, const struct mr_flow_batch *batch,
    unsigned i)
{
	const struct mr_flow_key *key = &batch->key[i];
	struct checked_key want = *checked;
	uint8_t macs[12];

	want.key.pair = key->pair;
	if (memcmp(&want.key, key, sizeof(*key)) || batch->l3[i] != want.l3 ||
	    batch->l4[i] != want.l4 || batch->tcp[i] != want.tcp ||
	    MR_FLOW_INSIDE(key->pair) != want.inside)
		return false;
	if (!view->bridged && !want.inside)
		return !key->pair;
	return mr_flow_pairs_get(pairs, MR_FLOW_PAIR(key->pair), macs) &&
	    !memcmp(macs, mr_packet_bytes_const(p) + (want.inside ? want.l3 - 14 : 0),
		sizeof(macs));
}

/* Whether one packet's key is what it should be; its key, if it has one, into `batch`. */
static inline bool
check_packet_key(const struct mr_flow_view *view, struct mr_flow_pairs *pairs, uint8_t *base,
    struct mr_flow_batch *batch, bool *has)
{
	struct checked_key want;
	uint32_t packet = 1;
	unsigned others = 9, n;
	uint16_t rest[1];
	bool should;

	n = mr_flow_keys(view, pairs, base, &packet, 1, batch, rest, &others);
	*has = n;
	if (n + others != 1 || (others && rest[0] != 0))
		return false;
	should = check_key(view, mr_packet_at(base, 1), &want);
	/* Where there is no room for a pair, there is no key that has one. */
	if (should && !pairs && (view->bridged || want.inside))
		should = false;
	if (should != (n == 1))
		return false;
	return !n ||
	    (batch->at[0] == 0 && check_keyed(view, pairs, &want, mr_packet_at(base, 1), batch, 0));
}

#endif
