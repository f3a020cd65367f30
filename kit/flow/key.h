/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_KEY_H
#define MR_KIT_FLOW_KEY_H

/*
 * A flow's key: what nodes may read of a packet freely, because packets with the same key are
 * the same to them (what else they read, they guard: kit/record/edit.h). Where it came in, its
 * VLAN, its addresses, protocol and ports; for interfaces that are bridged also the pair of
 * Ethernet addresses.
 *
 * Of a packet that a tunnel's remote end sent to the router (kit/flow/inside.h), the key is that of the packet
 * inside, with the pair of its Ethernet addresses and the number of the remote end. Of the outer packet's
 * fields, which nodes in front of the tunnel may read freely, the number says all but the source port, which
 * becomes a condition where one of them did; its VLAN stays the key's. Where the outer one is plain and
 * the inner one is not, or is tagged, there is no key.
 *
 * Only plain packets have a key, all others take the graph lane:
 *  - one segment, no super-frame and no checksum left to the device;
 *  - untagged, or one 802.1Q tag with a VLAN of its own; IPv4 or IPv6 behind it;
 *  - where the interface is routed: to the Ethernet address that it answers to;
 *  - IPv4: no options, right lengths, right header checksum, TTL above 1, no fragment;
 *  - IPv6: right lengths, hop limit above 1, no extension header;
 *  - UDP whose length field fits; TCP with a whole header and without SYN, FIN, RST, URG; ICMP
 *    echo requests and replies of either family, code 0: the identifier stands in place of the
 *    source port, the type (as a number of 16 bits) in place of the destination port.
 *
 * Threads: keys of a vector are made by the worker that has it.
 */

#include "kit/packet/packet.h"
#include "kit/packet/wire.h"

/* Fields of the key, for masks of entries that hold for many flows. */
enum mr_flow_field {
	MR_FLOW_PORT = 1u << 0, /* where it came in, VLAN and family: always part */
	MR_FLOW_L2 = 1u << 1,
	MR_FLOW_SRC = 1u << 2,
	MR_FLOW_DST = 1u << 3,
	MR_FLOW_PROTO = 1u << 4,
	MR_FLOW_SPORT = 1u << 5,
	MR_FLOW_DPORT = 1u << 6,
	MR_FLOW_ALL = (1u << 7) - 1,
};

struct mr_flow_key {
	uint8_t src[16]; /* IPv4 in the first four, then zeros */
	uint8_t dst[16];
	be16_t sport;
	be16_t dport;
	uint32_t where; /* MR_FLOW_WHERE */
	uint32_t
	    pair; /* of Ethernet addresses, where the interface is bridged, or inside; else 0 */
};
static_assert(sizeof(struct mr_flow_key) == 44, "a key is 44 bytes");

#define MR_FLOW_WHERE(port, vlan, proto, six) \
	((uint32_t)(port) | (uint32_t)(vlan) << 10 | (uint32_t)(proto) << 22 | \
	    (uint32_t)(six) << 30)
/* The pair's own number, and that of the tunnel's remote end that the packet came from; 0: none. */
#define MR_FLOW_INSIDE_SHIFT 18
#define MR_FLOW_PAIR(pair) ((pair) & ((1u << MR_FLOW_INSIDE_SHIFT) - 1))
#define MR_FLOW_INSIDE(pair) ((pair) >> MR_FLOW_INSIDE_SHIFT)
#define MR_FLOW_WHERE_PORT(where) ((where)&1023u)
#define MR_FLOW_WHERE_VLAN(where) ((where) >> 10 & 4095u)
#define MR_FLOW_WHERE_PROTO(where) ((where) >> 22 & 255u)
#define MR_FLOW_WHERE_SIX(where) ((where) >> 30 & 1u)

/* How the lane looks at one interface. */
struct mr_flow_view {
	uint64_t mac; /* routed: its address as eight bytes loaded from a frame, the upper two 0 */
	bool bridged; /* Ethernet addresses are part of the key */
	bool ledger;  /* its flows are kept in the lane's ledger (kit/flow/ledger.h) */
	bool walk;    /* all its packets take the graph: the lane is there for the ledger only */
	uint16_t port;
	/* Of its packets' VRF, for what comes out of tunnels: by VLAN; null: there are no tags, it is `vrf`.
	 * The caller's, as long as the view is in use. */
	const uint16_t *vrfs;
	uint16_t vrf;
	/* Tunnels' remote ends; null: there are none. Not looked at where it is bridged. */
	_Atomic(const struct mr_flow_inside *) *inside;
};

/* The vector's keys, dense. Arrays of a vector live on the worker's stack or in its lane. */
struct mr_flow_batch {
	struct mr_flow_key key[MR_VECTOR_MAX];
	uint64_t hash[MR_VECTOR_MAX];
	uint16_t at[MR_VECTOR_MAX]; /* place of the i-th keyed packet in the vector */
	uint8_t l3[MR_VECTOR_MAX];  /* where its IP header is */
	uint8_t l4[MR_VECTOR_MAX];
	uint8_t tcp[MR_VECTOR_MAX]; /* TCP's flags; 0 of others */
	uint32_t found[MR_VECTOR_MAX];
};

struct mr_flow_inside;
struct mr_flow_pairs; /* a worker's Ethernet address pairs: kit/flow/pairs.h */

/* Fills key, at, l3, l4, tcp of the plain packets, in order; returns how many. The others' places
 * go to `rest`, in order (*rest_count of them). `pairs` may be null where !view->bridged; a packet
 * whose addresses find no room there has no key, nor, without pairs, one that came through a tunnel. Reads no byte past a packet's length. */
MR_API unsigned mr_flow_keys(const struct mr_flow_view *, struct mr_flow_pairs *, uint8_t *base,
    const uint32_t *packets, unsigned count, struct mr_flow_batch *, uint16_t *rest,
    unsigned *rest_count);

/* The key with the fields outside of `fields` zero. */
MR_API void mr_flow_key_mask(struct mr_flow_key *, unsigned fields);
/* The key of packets that go back, without port, VLAN and pair: these are not known. */
MR_API void mr_flow_key_reverse(const struct mr_flow_key *, struct mr_flow_key *out);
/* "wan tcp 10.0.0.1:1024 > 192.0.2.1:80"; `port` is the interface's name. Returns the length. */
MR_API size_t mr_flow_key_print(const struct mr_flow_key *, const char *port, char *text,
    size_t size);

#endif
