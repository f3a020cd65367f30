/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a vector. What most packets are, untagged IPv4 with TCP or UDP, is read with few
 * loads and decided at once; what else may have a key goes through key_at, with a closer look at
 * every length.
 */
#include "kit/flow/key.h"

#include <string.h>

#include "kit/base/rcu.h"
#include "kit/flow/inside.h"
#include "kit/flow/pairs.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire_tunnel.h"

/* How many packets ahead the bytes are fetched. */
#define AHEAD 12u

#define ETH ((unsigned)sizeof(struct mr_eth))
#define IP4 ((unsigned)sizeof(struct mr_ip4))
#define IP6 ((unsigned)sizeof(struct mr_ip6))
#define TCP ((unsigned)sizeof(struct mr_tcp))
#define UDP ((unsigned)sizeof(struct mr_udp))
#define ICMP ((unsigned)sizeof(struct mr_icmp))
#define MAC_MASK 0xffffffffffffull
/* They change a connection: the graph's. */
#define TCP_SPECIAL (MR_TCP_SYN | MR_TCP_FIN | MR_TCP_RST | MR_TCP_URG)

mr_inline uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

mr_inline uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

mr_inline void
store64(void *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* In words of eight bytes, as the hash reads them. */
mr_inline void
store4(struct mr_flow_key *key, uint32_t src, uint32_t dst, uint32_t ports, uint32_t where)
{
	static_assert(offsetof(struct mr_flow_key, where) == 36, "ports and where are one word");
	store64(key->src, src);
	store64(key->src + 8, 0);
	store64(key->dst, dst);
	store64(key->dst + 8, 0);
	store64(&key->sport, (uint64_t)where << 32 | ports);
	key->pair = 0;
}

/* The ports, or what stands for them, of `len` bytes of layer 4, which are all there; false: the
 * packet has no key. */
mr_inline bool
key_l4(const uint8_t *l4, unsigned len, unsigned proto, bool six, uint32_t *ports, uint8_t *tcp)
{
	unsigned request = six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO;
	unsigned reply = six ? MR_ICMP6_ECHO_REPLY : MR_ICMP4_ECHO_REPLY, header;

	*tcp = 0;
	if (proto == MR_IP_PROTO_TCP) {
		if (len < TCP)
			return false;
		header = (unsigned)(l4[12] >> 4) * 4;
		if (header < TCP || header > len || (l4[13] & TCP_SPECIAL))
			return false;
		*tcp = l4[13];
	} else if (proto == MR_IP_PROTO_UDP) {
		if (len < UDP || mr_load_be16(l4 + 4) < UDP || mr_load_be16(l4 + 4) > len)
			return false;
	} else {
		if (proto != (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP) || len < ICMP ||
		    (l4[0] != request && l4[0] != reply) || l4[1] != 0)
			return false;
		*ports = (load32(l4 + 4) & 0xffff) | (uint32_t)l4[0] << 24;
		return true;
	}
	*ports = load32(l4);
	return true;
}

mr_inline bool
key_ip4(const uint8_t *ip, unsigned room, uint32_t where, struct mr_flow_batch *b, unsigned i)
{
	uint32_t ports, z;
	uint64_t x, y;
	unsigned len;

	if (room < IP4)
		return false;
	x = load64(ip);
	y = load64(ip + 8);
	z = load32(ip + 16);
	len = mr_be16((uint16_t)(x >> 16));
	if ((uint8_t)x != 0x45 || len < IP4 || len > room ||
	    (x >> 48 & mr_be16(MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET)) || (uint8_t)y <= 1 ||
	    !mr_checksum_ip4_good(x, y, z) ||
	    !key_l4(ip + IP4, len - IP4, (uint8_t)(y >> 8), false, &ports, &b->tcp[i]))
		return false;
	b->l4[i] = (uint8_t)(b->l3[i] + IP4);
	store4(&b->key[i], (uint32_t)(y >> 32), z, ports,
	    where | MR_FLOW_WHERE(0, 0, (uint8_t)(y >> 8), 0));
	return true;
}

mr_inline bool
key_ip6(const uint8_t *ip, unsigned room, uint32_t where, struct mr_flow_batch *b, unsigned i)
{
	uint32_t ports;
	unsigned len;

	if (room < IP6)
		return false;
	len = mr_load_be16(ip + offsetof(struct mr_ip6, payload_len));
	if (ip[0] >> 4 != 6 || len > room - IP6 || ip[offsetof(struct mr_ip6, hop_limit)] <= 1 ||
	    !key_l4(ip + IP6, len, ip[offsetof(struct mr_ip6, next)], true, &ports, &b->tcp[i]))
		return false;
	b->l4[i] = (uint8_t)(b->l3[i] + IP6);
	memcpy(&b->key[i], ip + offsetof(struct mr_ip6, src), 32);
	memcpy(&b->key[i].sport, &ports, sizeof(ports));
	b->key[i].where = where | MR_FLOW_WHERE(0, 0, ip[offsetof(struct mr_ip6, next)], 1);
	b->key[i].pair = 0;
	return true;
}

/* Any packet of one segment with nothing left to the device. */
static mr_noinline bool
key_at(const uint8_t *bytes, unsigned len, uint64_t mac, uint64_t mac_mask, uint32_t where,
    struct mr_flow_batch *b, unsigned i)
{
	unsigned l3 = ETH, vlan;
	uint16_t type;

	/* Eight bytes are read of six. */
	if (len < ETH || (load64(bytes) & mac_mask) != mac)
		return false;
	type = mr_load_be16(bytes + 12);
	if (type == MR_ETH_TYPE_VLAN) {
		l3 = ETH + (unsigned)sizeof(struct mr_vlan);
		if (len < l3)
			return false;
		vlan = mr_load_be16(bytes + ETH) & MR_VLAN_ID_MASK;
		if (vlan == 0 || vlan > MR_VLAN_ID_MAX)
			return false;
		where |= MR_FLOW_WHERE(0, vlan, 0, 0);
		type = mr_load_be16(bytes + l3 - 2);
	}
	b->l3[i] = (uint8_t)l3;
	if (type == MR_ETH_TYPE_IP4)
		return key_ip4(bytes + l3, len - l3, where, b, i);
	return type == MR_ETH_TYPE_IP6 && key_ip6(bytes + l3, len - l3, where, b, i);
}

/* Untagged IPv4 with TCP or UDP, at least 54 bytes: the key, or that key_at has to look. */
mr_inline bool
key_plain(const uint8_t *bytes, unsigned len, uint64_t mac, uint64_t mac_mask, uint32_t where,
    struct mr_flow_batch *b, unsigned i)
{
	const uint8_t *ip = bytes + ETH, *l4 = ip + IP4;
	uint32_t first = load32(bytes + 12), z = load32(ip + 16);
	uint64_t x = load64(ip), y = load64(ip + 8), d = load64(l4);
	unsigned l4_len = mr_be16((uint16_t)(x >> 16)) - IP4, proto = (uint8_t)(y >> 8);
	/* By masks, as nobody can predict which of the two it is. */
	unsigned tcp = -(unsigned)(proto == MR_IP_PROTO_TCP), least = UDP + ((TCP - UDP) & tcp);
	unsigned udp_len = mr_be16((uint16_t)(d >> 32)), tcp_len = (unsigned)(l4[12] >> 4) * 4;
	unsigned flags = l4[13] & tcp, said = udp_len ^ ((udp_len ^ tcp_len) & tcp);

	/* A length below `least` or the header's wraps around, and is too large. */
	if (mr_unlikely((load64(bytes) & mac_mask) != mac) ||
	    mr_unlikely((first ^ (0x450000u | mr_be16(MR_ETH_TYPE_IP4))) & 0xffffff) ||
	    mr_unlikely(l4_len > len - ETH - IP4) ||
	    mr_unlikely(x >> 48 & mr_be16(MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET)) ||
	    mr_unlikely((uint8_t)y <= 1) || mr_unlikely(!mr_checksum_ip4_good(x, y, z)) ||
	    mr_unlikely(!tcp && proto != MR_IP_PROTO_UDP) || mr_unlikely(l4_len < least) ||
	    mr_unlikely(said - least > l4_len - least) || mr_unlikely(flags & TCP_SPECIAL))
		return false;
	b->l3[i] = ETH;
	b->l4[i] = ETH + IP4;
	b->tcp[i] = (uint8_t)flags;
	store4(&b->key[i], (uint32_t)(y >> 32), z, (uint32_t)d,
	    where | MR_FLOW_WHERE(0, 0, proto, 0));
	return true;
}

/* -- inside of tunnels ---------------------------------------------------------------------- */

#define SHIM ((unsigned)sizeof(struct mr_vxlan))
static_assert(MR_FLOW_PAIRS_IDS <= 1u << MR_FLOW_INSIDE_SHIFT, "a pair leaves room for a number");
static_assert(MR_FLOW_INSIDE_MAX < 1u << (32 - MR_FLOW_INSIDE_SHIFT), "a number has room");

/* What is known of a vector's packets that came through tunnels. */
struct insides {
	const struct mr_flow_inside *table; /* null: nothing does */
	uint64_t ports;
	uint16_t numbers[MR_VECTOR_MAX]; /* of the remote ends, beside the keys; 0: none */
	unsigned count;
	/* The one before: packets come in bursts. */
	struct mr_flow_outer last;
	uint32_t last_number; /* 0: there is none */
};

mr_inline bool
same_outer(const struct mr_flow_outer *a, const struct mr_flow_outer *b)
{
	uint64_t x[5], y[5];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/* The number of the remote end that sent the packet, whose own key is the batch's i-th; 0: none. */
mr_inline uint32_t
inside_number(struct insides *in, const struct mr_flow_view *view, const uint8_t *bytes,
    unsigned len, const struct mr_flow_batch *b, unsigned i)
{
	const struct mr_flow_key *key = &b->key[i];
	bool six = MR_FLOW_WHERE_SIX(key->where);
	struct mr_flow_outer o;

	if (len < b->l4[i] + UDP + SHIM + ETH)
		return 0;
	memcpy(o.local, key->dst, sizeof(o.local));
	memcpy(o.remote, key->src, sizeof(o.remote));
	o.network = mr_load_be32(bytes + b->l4[i] + UDP + 4) >> 8;
	o.port = mr_be16(key->dport);
	o.vrf = view->vrfs ? view->vrfs[MR_FLOW_WHERE_VLAN(key->where)] : view->vrf;
	o.vrf |= six ? MR_FLOW_OUTER_SIX : 0;
	if (mr_likely(in->last_number && same_outer(&in->last, &o)))
		return in->last_number;
	in->last = o;
	return in->last_number = mr_flow_inside_find(in->table, &o);
}

mr_inline bool
may_be_inside(const struct insides *in, const struct mr_flow_key *key)
{
	return MR_FLOW_WHERE_PROTO(key->where) == MR_IP_PROTO_UDP &&
	    (in->ports >> (mr_be16(key->dport) % 64) & 1);
}

/* False: the packet has no key. */
static mr_noinline bool
key_inside(struct insides *in, const struct mr_flow_view *view, const uint8_t *bytes, unsigned len,
    struct mr_flow_batch *b, unsigned i)
{
	uint32_t number = inside_number(in, view, bytes, len, b, i);
	unsigned l4 = b->l4[i], l3 = l4 + UDP + SHIM + ETH, type;
	uint32_t where = MR_FLOW_WHERE(view->port, MR_FLOW_WHERE_VLAN(b->key[i].where), 0, 0);

	if (!number || number > MR_FLOW_INSIDE_MAX)
		return true;
	/* Nothing behind the packet inside, so that nothing is to be cut off. */
	if (!(bytes[l4 + UDP] & MR_VXLAN_VNI_VALID) || mr_load_be16(bytes + l4 + 4) != len - l4)
		return false;
	type = mr_load_be16(bytes + l3 - 2);
	b->l3[i] = (uint8_t)l3;
	if (type == MR_ETH_TYPE_IP4
		? !key_ip4(bytes + l3, len - l3, where, b, i)
		: type != MR_ETH_TYPE_IP6 || !key_ip6(bytes + l3, len - l3, where, b, i))
		return false;
	in->numbers[i] = (uint16_t)number;
	in->count++;
	return true;
}

/* What the metadata must say: one segment, no super-frame, nothing left to the device. */
mr_inline bool
is_plain(const struct mr_packet *p)
{
	uint32_t word;

	static_assert(offsetof(struct mr_packet, flags) == offsetof(struct mr_packet, segments) + 2,
	    "read at once");
	memcpy(&word, &p->segments, sizeof(word));
	return (word & (0xffffu | MR_PACKET_TX_WORK << 16)) == 1;
}

/* Of those that want one, the addresses of which a pair is made. Returns how many, and which. */
mr_inline unsigned
pair_frames(const struct insides *in, uint8_t *base, const uint32_t *packets,
    const struct mr_flow_batch *batch, unsigned keyed, const uint8_t **frames, uint16_t *which)
{
	unsigned n = 0;

	for (unsigned i = 0; i < keyed; i++) {
		const uint8_t *bytes = mr_packet_bytes(mr_packet_at(base, packets[batch->at[i]]));

		if (in && !in->numbers[i])
			continue;
		frames[n] = in ? bytes + batch->l3[i] - ETH : bytes;
		which[n++] = (uint16_t)i;
	}
	return n;
}

/* Puts the pairs into the keys; those that get none are taken out of the batch. `in`: only into those of
 * packets that came through tunnels. */
static unsigned
key_pairs(struct mr_flow_pairs *pairs, const struct insides *in, uint8_t *base,
    const uint32_t *packets, struct mr_flow_batch *batch, unsigned keyed)
{
	const uint8_t *frames[MR_VECTOR_MAX];
	uint32_t ids[MR_VECTOR_MAX];
	uint16_t which[MR_VECTOR_MAX];
	unsigned n = 0, wanted = pair_frames(in, base, packets, batch, keyed, frames, which);

	if (pairs)
		mr_flow_pairs_find(pairs, frames, ids, wanted);
	for (unsigned i = 0, k = 0; i < keyed; i++) {
		uint32_t id = 0;

		if (k < wanted && which[k] == i) {
			id = pairs ? ids[k] : 0;
			k++;
			if (mr_unlikely(!id))
				continue;
			id |= in ? (uint32_t)in->numbers[i] << MR_FLOW_INSIDE_SHIFT : 0;
		}
		if (mr_unlikely(n != i)) {
			batch->key[n] = batch->key[i];
			batch->at[n] = batch->at[i];
			batch->l3[n] = batch->l3[i];
			batch->l4[n] = batch->l4[i];
			batch->tcp[n] = batch->tcp[i];
		}
		batch->key[n++].pair = id;
	}
	return n;
}

unsigned
mr_flow_keys(const struct mr_flow_view *view, struct mr_flow_pairs *pairs, uint8_t *base,
    const uint32_t *packets, unsigned count, struct mr_flow_batch *batch, uint16_t *rest,
    unsigned *rest_count)
{
	uint64_t mac = view->bridged ? 0 : view->mac, mac_mask = view->bridged ? 0 : MAC_MASK;
	uint32_t where = MR_FLOW_WHERE(view->port, 0, 0, 0);
	unsigned n = 0, others = 0, left;
	struct insides in;

	in.count = in.last_number = 0;
	in.table = view->inside && !view->bridged ? mr_rcu_read(view->inside) : NULL;
	if (mr_unlikely(in.table != NULL))
		in.ports = mr_flow_inside_ports(in.table);
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(base, packets[i]);
		const struct mr_packet *later =
		    mr_packet_at(base, packets[MR_MIN(i + AHEAD, count - 1)]);
		const uint8_t *bytes = mr_packet_bytes_const(p);

		mr_prefetch(mr_packet_bytes_const(later));
		if (mr_unlikely(in.table != NULL))
			mr_prefetch(mr_packet_bytes_const(later) + MR_CACHE_LINE);
		if (mr_likely(is_plain(p)) &&
		    ((mr_likely(p->len >= ETH + IP4 + TCP) &&
			 mr_likely(key_plain(bytes, p->len, mac, mac_mask, where, batch, n))) ||
			key_at(bytes, p->len, mac, mac_mask, where, batch, n))) {
			batch->at[n] = (uint16_t)i;
		} else {
			rest[others++] = (uint16_t)i;
			continue;
		}
		if (mr_unlikely(in.table != NULL)) {
			in.numbers[n] = 0;
			if (may_be_inside(&in, &batch->key[n]) &&
			    !key_inside(&in, view, bytes, p->len, batch, n)) {
				rest[others++] = (uint16_t)i;
				continue;
			}
		}
		n++;
	}
	if (view->bridged || in.count) {
		left = key_pairs(pairs, in.count ? &in : NULL, base, packets, batch, n);
		if (mr_unlikely(left != n)) {
			/* In order again: all that have none. */
			others = 0;
			for (unsigned i = 0, k = 0; i < count; i++) {
				if (k < left && batch->at[k] == i)
					k++;
				else
					rest[others++] = (uint16_t)i;
			}
			n = left;
		}
	}
	*rest_count = others;
	return n;
}

void
mr_flow_key_mask(struct mr_flow_key *key, unsigned fields)
{
	if (!(fields & MR_FLOW_L2))
		key->pair = 0;
	if (!(fields & MR_FLOW_SRC))
		memset(key->src, 0, sizeof(key->src));
	if (!(fields & MR_FLOW_DST))
		memset(key->dst, 0, sizeof(key->dst));
	if (!(fields & MR_FLOW_PROTO))
		key->where &= ~MR_FLOW_WHERE(0, 0, 255, 0);
	if (!(fields & MR_FLOW_SPORT))
		key->sport = 0;
	if (!(fields & MR_FLOW_DPORT))
		key->dport = 0;
	if (!(fields & MR_FLOW_PORT))
		key->where &= MR_FLOW_WHERE(0, 0, 255, 0);
}

void
mr_flow_key_reverse(const struct mr_flow_key *key, struct mr_flow_key *out)
{
	unsigned proto = MR_FLOW_WHERE_PROTO(key->where), six = MR_FLOW_WHERE_SIX(key->where);
	struct mr_flow_key back = { .where = MR_FLOW_WHERE(0, 0, proto, six) };

	memcpy(back.src, key->dst, sizeof(back.src));
	memcpy(back.dst, key->src, sizeof(back.dst));
	if (proto == (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP)) {
		/* The same identifier; a request is answered by a reply, and the other way. */
		back.sport = key->sport;
		back.dport = key->dport ^
		    mr_be16(six ? MR_ICMP6_ECHO ^ MR_ICMP6_ECHO_REPLY
				: MR_ICMP4_ECHO ^ MR_ICMP4_ECHO_REPLY);
	} else {
		back.sport = key->dport;
		back.dport = key->sport;
	}
	*out = back;
}
