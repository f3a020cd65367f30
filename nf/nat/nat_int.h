/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_NAT_INT_H
#define MR_NF_NAT_NAT_INT_H

/* What the files of nf/nat share: what workers see, and the nodes. */

#include "kit/base/rcu.h"
#include "kit/graph/node.h"
#include "kit/port/port.h"
#include "nf/conntrack/fragment_int.h"
#include "nf/nat/nat.h"
#include "nf/nat/packet_int.h"
#include "nf/nat/tcp_int.h"

#define NAT_EACH 64u /* instances at one interface with its VLANs, on one side */
#define NAT_OWN_MAX 64u
#define NAT_FORGET_MAX 64u

/* What mappings hold for, and who may answer (RFC 4787, 4.1 and 5). */
enum nat_behavior { NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_DEPENDENT, NAT_PORT_DEPENDENT };

struct nat_alg;

/* One translator. Constant once it is published in a view. */
struct nat_instance {
	char name[MR_PORT_NAME_MAX];
	uint8_t number; /* of its names; stays while it has its name in the configuration */
	uint8_t mapping, filtering; /* enum nat_behavior */
	bool inbound_refresh;
	bool logged;       /* each mapping */
	bool overload;     /* ports are shared where none is free */
	bool fixed;        /* has static addresses */
	uint32_t hold_syn; /* seconds that an unsolicited SYN waits (RFC 5382, REQ-4) */
	uint64_t inside[MR_PORT_MAX / 64];    /* ports from which packets come from inside */
	struct nat_range *sources, *excludes; /* host order */
	/* Addresses of services whose servers answer in their name: these stay. In order, none meet. */
	struct nat_range *services;
	unsigned source_count, exclude_count, service_count;
	be32_t own[NAT_OWN_MAX]; /* addresses of the outside interfaces */
	unsigned own_count;
	struct nat_pool *pool;         /* null: the outside interfaces have no address yet */
	uint16_t epoch;                /* of the pool: which one of this instance it is */
	const struct nat_alg **algs;   /* those that are on, ends with null; may be null */
	bool pcp, nat_pmp;             /* inside hosts may ask for mappings (nf/nat/pcp) */
	uint32_t lease_min, lease_max; /* seconds */
	be32_t home[NAT_OWN_MAX];      /* addresses of the inside interfaces */
	unsigned home_count;
};

/* What one interface has to do with translators: their places in the view, and of which VLANs. */
struct nat_port {
	uint8_t outside_count, inside_count;
	uint8_t outside[NAT_EACH], inside[NAT_EACH];
	uint16_t outside_vlan[NAT_EACH], inside_vlan[NAT_EACH]; /* NAT_ALL_VLANS; 0: untagged */
};
#define NAT_ALL_VLANS UINT16_MAX

mr_inline bool
nat_is_vlan(uint16_t wanted, uint16_t vlan)
{
	return mr_likely(wanted == NAT_ALL_VLANS) || wanted == vlan;
}

struct nat_view {
	struct mr_rcu_head rcu;
	unsigned count;
	struct nat_instance *instances; /* [count] */
	struct nat_port ports[MR_PORT_MAX];
};

/* What workers see; made with the first instance. */
struct nat_core {
	struct nat_table *table;
	_Atomic(const struct nat_view *) view; /* RCU; null: none */
	struct ct_fragments **fragments;       /* [workers] */
	struct nat_held **held;                /* [workers], held_int.h */
	struct mr_generation settings;         /* changes with whatever is configured */
	/* NAT_INSIDE of hosts that gave up all leases of a protocol, port 0; 0: a free place. */
	_Atomic uint64_t forget[NAT_FORGET_MAX];
};

int nat_core_create(struct nat_core **out, uint32_t max, uint32_t workers, struct mr_error *);
void nat_core_destroy(struct nat_core *, struct mr_buffers *);

#define NAT_MACS_MAX 16u
#define NAT_MAC_VLAN_SHIFT 48

/* A node's `self`. */
struct nat_self {
	struct nat_core *core;
	uint16_t port;
	/* What the router answers to there, untagged first: an Ethernet address as eight bytes loaded
	 * from a frame, the VLAN in the last two; 0: nothing. */
	_Atomic uint64_t macs[NAT_MACS_MAX];
};

/* X(constant, name, doc): of both nodes. */
#define NAT_DROPS(X) \
	X(NO_MAPPING, "nat-no-mapping", "belongs to no mapping of the translator") \
	X(FILTERED, "nat-filtered", "the inside did not talk to its sender") \
	X(NO_PORT, "nat-no-port", "no outside port is free") \
	X(NO_BLOCK, "nat-no-block", \
	    "its subscriber's blocks of ports are full, and it gets no other") \
	X(LIMIT, "nat-subscriber-limit", "its subscriber has as many ports or sessions as it may") \
	X(RATE, "nat-subscriber-rate", "its subscriber makes too many mappings in a second") \
	X(NO_SUBSCRIBER, "nat-no-subscriber", "no room for another subscriber") \
	X(FULL, "nat-full", "no room for another mapping or session") \
	X(PROTOCOL, "nat-protocol", \
	    "its protocol has no ports to translate, and no static address") \
	X(MALFORMED, "nat-malformed", "cannot be read") \
	X(CHECKSUM, "nat-checksum", "an ICMP error with a wrong checksum") \
	X(EARLY_FRAGMENT, "nat-fragment-early", \
	    "came before its packet's first fragment, and too many wait already") \
	X(LATE_FRAGMENT, "nat-fragment-late", "its packet's first fragment did not come in time") \
	X(EVICTED, "nat-fragment-evicted", \
	    "waited for its first fragment, but others need the place") \
	X(UNSOLICITED, "nat-unsolicited", \
	    "a SYN that nobody asked for; it was kept a while in case the inside would do the " \
	    "same") \
	X(ALG, "nat-alg", "its payload speaks of addresses, and could not be changed") \
	X(PCP, "nat-pcp", "to the translator's PCP port, but no request that can be answered") \
	X(EXPLAINED, "nat-explained", "an explanation: it would wait")
#define NAT_COUNTERS(X) \
	X(OUT, "outward", "packets whose source became an outside address") \
	X(IN, "inward", "packets whose destination became an inside address") \
	X(MADE, "mappings", "mappings made") \
	X(HAIRPIN, "hairpins", "packets from inside to inside by an outside address") \
	X(ERRORS, "icmp-errors", "ICMP errors translated") \
	X(PASSED, "passed", "packets that are not the translator's") \
	X(PIECES, "fragments", "fragments other than the first of their packet") \
	X(WAITED, "fragments-waited", "of these: had to wait for the first") \
	X(HELD, "syn-held", "SYNs that nobody asked for, kept a while (RFC 5382, REQ-4)") \
	X(PCP, "pcp-answered", "requests for mappings that were answered (PCP, NAT-PMP)") \
	X(ARP, "arp-answered", "ARP requests for addresses of the pool that were answered")

/* clang-format off */
enum nat_drop {
#define X(id, name, doc) NAT_DROP_##id,
	NAT_DROPS(X)
#undef X
	NAT_DROP_COUNT,
};
enum nat_counter {
#define X(id, name, doc) NAT_##id##_COUNTER,
	NAT_COUNTERS(X)
#undef X
	NAT_COUNTER_COUNT,
};
/* clang-format on */

/* One vector's way through a node. */
struct nat_pass {
	struct nat_self *self;
	struct nat_core *core;
	struct nat_table *table;
	const struct nat_view *view;
	struct mr_node_run *run;
	struct mr_recorder *rec;
	bool dry;
	struct nat_fresh *fresh; /* of packets that have a place there */
};

/* -- translate.c: which mapping ------------------------------------------------------------ */

/* An end found: what to write instead, and the line that its packets refresh. */
struct nat_found {
	be32_t address;
	be16_t port;
	bool ports;      /* `port` is to be written */
	bool refresh;    /* packets in this direction count */
	bool open;       /* no TCP, or an open one: packets may be replayed */
	uint32_t number; /* of the mapping, or the session's line; 0: none */
	uint32_t word;
	uint32_t mapping;
};

/* The result: translated, or a drop. */
#define NAT_DONE UINT32_MAX

/* The outside end of the packet's inside one, which is made where it is not there yet, and a session
 * with the remote end. NAT_DONE or enum nat_drop; an explanation makes nothing and has number
 * 0. */
uint32_t nat_outward(const struct nat_pass *, const struct nat_instance *,
    const struct nat_packet *, struct nat_found *);
/* The inside end of the outside one that the packet is for, if its sender may reach it. */
uint32_t nat_inward(const struct nat_pass *, const struct nat_instance *, const struct nat_packet *,
    struct nat_found *);
/* The same of what an ICMP error quotes; nothing is made, nothing refreshed (RFC 5508, REQ-6):
 * inward, the quoted packet's source was translated; outward, its destination. */
uint32_t nat_quoted_inward(const struct nat_pass *, const struct nat_instance *,
    const struct nat_packet *, struct nat_found *);
uint32_t nat_quoted_outward(const struct nat_pass *, const struct nat_instance *,
    const struct nat_packet *, struct nat_found *);
/* Static addresses alone; false: there is none. */
bool nat_fixed(const struct nat_pass *, const struct nat_instance *, be32_t, enum nat_scope,
    struct nat_found *);
/* Whether a packet from inside has a mapping already. */
bool nat_is_mapped(const struct nat_pass *, const struct nat_instance *, const struct nat_packet *);
/* The name of the mapping that a packet from inside would have. */
void nat_name_of(const struct nat_instance *, const struct nat_packet *, struct nat_name *);

mr_inline bool
nat_in_ranges(const struct nat_range *r, unsigned count, be32_t address)
{
	uint32_t a = mr_be32(address);

	for (unsigned i = 0; i < count; i++)
		if (a >= r[i].first && a <= r[i].last)
			return true;
	return false;
}

/* The same of ranges that are in order and do not meet. */
mr_inline bool
nat_in_order(const struct nat_range *r, unsigned count, be32_t address)
{
	uint32_t a = mr_be32(address);

	while (count) {
		unsigned half = count / 2;

		if (a >= r[half].first && a <= r[half].last)
			return true;
		if (a > r[half].last) {
			r += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return false;
}

mr_inline bool
nat_is_own(const struct nat_instance *n, be32_t address)
{
	for (unsigned i = 0; i < n->own_count; i++)
		if (n->own[i] == address)
			return true;
	return false;
}

mr_inline bool
nat_is_outside(const struct nat_pass *s, const struct nat_instance *n, be32_t address)
{
	struct nat_found f;

	if (mr_likely(n->pool && nat_pool_has(n->pool, address)))
		return true;
	return n->fixed && nat_fixed(s, n, address, NAT_SCOPE_FIXED_IN, &f);
}

/* -- pieces.c: fragments -------------------------------------------------------------------- */

/* What was found for the first fragment: 0 nothing yet. */
enum nat_lead { NAT_LEAD_PASS = 1, NAT_LEAD_DO, NAT_LEAD_DROP };

/* A fragment that is not the first: translated as that, or it waits. */
mr_verdict_t nat_piece(const struct nat_pass *, uint32_t packet, struct mr_packet *,
    const struct nat_packet *);
/* Remembers what a first fragment became, and lets go of those that wait. */
void nat_lead(const struct nat_pass *, const struct mr_packet *, const struct nat_packet *,
    enum nat_lead, const struct nat_rewrite *, uint32_t drop);
void nat_pieces_tick(const struct nat_pass *);

/* -- recordings ----------------------------------------------------------------------------- */

/* What a recording carries for replay: number, NAT_ARG_*, low bits of the line's age. 0: a packet
 * to an outside address that has no mapping. */
#define NAT_ARG_NUMBER MR_SLOTS_NUMBER
#define NAT_ARG_REFRESH (1u << 24)
#define NAT_ARG_OPEN (1u << 25) /* of TCP: only while it is open */
#define NAT_ARG_AGE_SHIFT 26
#define NAT_ARG_AGE 63u

void nat_replay(struct mr_node_run *, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *, uint8_t *skip, unsigned count);

/* describe.c: words for notes of recordings. */
#define NAT_NOTE_OUT "nat outward"
#define NAT_NOTE_IN "nat inward"
#define NAT_NOTE_NEW "nat new mapping"
bool nat_describe(const struct nat_core *, const struct mr_op *, char *text, size_t size);
/* "udp 10.0.0.1:1024 as 192.0.2.1:5000" */
size_t nat_mapping_print(const struct nat_table *, uint32_t number, char *text, size_t size);

extern const struct mr_node_class nat_in_class, nat_out_class;
void nat_tick(struct mr_node_run *);

/* Counts a drop of an instance, and says which verdict it is. */
mr_inline mr_verdict_t
nat_drop(const struct nat_pass *s, const struct nat_instance *n, uint32_t drop)
{
	static const uint8_t counts[NAT_DROP_COUNT] = {
		[NAT_DROP_NO_MAPPING] = NAT_COUNT_NO_MAPPING,
		[NAT_DROP_FILTERED] = NAT_COUNT_FILTERED,
		[NAT_DROP_NO_PORT] = NAT_COUNT_NO_PORT,
		[NAT_DROP_NO_BLOCK] = NAT_COUNT_NO_BLOCK,
		[NAT_DROP_LIMIT] = NAT_COUNT_LIMIT,
		[NAT_DROP_RATE] = NAT_COUNT_RATE,
		[NAT_DROP_NO_SUBSCRIBER] = NAT_COUNT_NO_SUBSCRIBER,
		[NAT_DROP_FULL] = NAT_COUNT_FULL,
		[NAT_DROP_PROTOCOL] = NAT_COUNT_PROTOCOL,
		[NAT_DROP_MALFORMED] = NAT_COUNT_MALFORMED,
		[NAT_DROP_CHECKSUM] = NAT_COUNT_MALFORMED,
		[NAT_DROP_UNSOLICITED] = NAT_COUNT_FILTERED,
	};

	if (!s->dry && counts[drop])
		nat_count(s->table, s->run->worker, n->number, counts[drop]);
	return mr_verdict_drop(drop);
}

#endif
