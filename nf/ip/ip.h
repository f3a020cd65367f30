/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_IP_H
#define MR_NF_IP_IP_H

/*
 * IP forwarding: what the router's nodes read, and what control writes for them.
 *
 *   port, VLAN --> interface --> VRF: fib4, fib6 --> group --> adjacency --> port
 *
 * An *interface* here is a routed one: a port without tag, a VLAN of a port, a loopback.
 * It belongs to one VRF, whose FIBs map prefixes to *groups*: next hops among which a
 * flow's hash chooses. A next hop is an *adjacency*: one line that holds the Ethernet header to
 * write and where to send, or says what else is to be done (resolve, deliver here, drop).
 *
 * All tables are arrays of fixed address, reserved at their largest size and touched where
 * used, so that an index found in one may be used in the next without a lock.
 *
 *   ethernet   ip-input --> ip4-forward, ip6-forward --> port
 *                 |               |  what a forwarding node cannot do in its loop leaves by one
 *                 |               |  of the edges below, which all three nodes share
 *                 +--- arp, punt, icmp, local, resolve, options, fragment ...
 *
 * ip-input does what ip4-forward and ip6-forward do for packets that have nothing
 * unusual about them, in the same pass; the two are for those that come from elsewhere.
 *
 * Ownership: one struct mr_ip per data plane, made by the router (nf/router). Groups and
 * adjacencies are counted: who gets one puts it back.
 * Threads: nodes run on workers; everything else is the control thread's. What workers read is
 * atomic, field by field, or published by one store (adjacency.h, group.h).
 */

#include "kit/base/generation.h"
#include "kit/graph/graph.h"
#include "kit/packet/wire.h"

#define MR_IP_INTERFACES_MAX 8192u /* 0 is none */
#define MR_IP_VRFS_MAX 1024u
#define MR_IP_ADJACENCIES_MAX (1u << 20)
#define MR_IP_GROUPS_MAX (1u << 20)
#define MR_IP_BUCKETS_MAX (1u << 22)
#define MR_IP_ADDRESSES_MAX 64u /* of one interface */
#define MR_IP_NO_PORT UINT16_MAX

struct mr_fib4;
struct mr_fib6;

enum mr_ip_family { MR_IP4, MR_IP6, MR_IP_FAMILIES };

/* Where packets leave the forwarding nodes for. The router links the first three; others
 * attach theirs with mr_ip_attach. */
enum mr_ip_edge {
	MR_IP_EDGE_FORWARD4, /* ip4-forward: from its IPv4 header on, at meta.l3 */
	MR_IP_EDGE_FORWARD6,
	MR_IP_EDGE_OUTPUT,   /* ip-output: rewrite by meta.adjacency and send; no TTL, no look-up */
	MR_IP_EDGE_ARP,      /* an ARP packet */
	MR_IP_EDGE_RESOLVE,  /* meta.adjacency has no Ethernet header yet */
	MR_IP_EDGE_LOCAL,    /* to an address of this router, or to a group it listens to */
	MR_IP_EDGE_PUNT,     /* not IP and not ARP: for the host (IS-IS, LLDP ...) */
	MR_IP_EDGE_ICMP,     /* answer with the ICMP error in meta, or drop */
	MR_IP_EDGE_OPTIONS4, /* IPv4 header with options, checked but for them */
	MR_IP_EDGE_FRAGMENT4, /* larger than meta.mtu, and may be cut */
	MR_IP_EDGE_MSS,       /* a TCP SYN whose MSS option meta.mtu bounds; then OUTPUT */
	MR_IP_EDGE_REDIRECT,  /* leaves by where it came in: send a redirect; then OUTPUT */
	MR_IP_EDGE_MULTICAST, /* to a multicast group */
	MR_IP_EDGES,
};

/* What a router's packet carries from node to node, in the packet line's `node` bytes.
 * `context` is the interface where it came in (or 0, made here), `out` the port. */
struct mr_ip_meta {
	uint32_t adjacency;
	uint16_t l3;       /* offset of the IP header from the first byte */
	uint16_t mtu;      /* of the way out: bytes of IP */
	uint8_t icmp_type; /* of the error wanted, in the packet's family */
	uint8_t icmp_code;
	uint8_t flags;      /* enum mr_ip_meta_flag */
	uint8_t class;      /* of what is punted (nf/host) */
	uint32_t icmp_data; /* the error's second word, host order: MTU, pointer, gateway */
};
static_assert(sizeof(struct mr_ip_meta) == 16, "fits the packet's scratch");

enum mr_ip_meta_flag {
	MR_IP_META_ORIGIN = 1u << 0,      /* made by this router: its TTL stays, no ICMP about it */
	MR_IP_META_OPTIONS = 1u << 1,     /* its IPv4 options have been dealt with */
	MR_IP_META_DECREMENTED = 1u << 2, /* its TTL was one more when it came in */
};

mr_inline struct mr_ip_meta *
mr_ip_meta(struct mr_packet *p)
{
	return (struct mr_ip_meta *)(void *)p->node;
}

enum mr_ip_interface_flag {
	MR_IP_UP = 1u << 0,       /* packets can pass */
	MR_IP_FORWARD4 = 1u << 1, /* has IPv4: an address, or unnumbered */
	MR_IP_FORWARD6 = 1u << 2,
	MR_IP_URPF4_STRICT = 1u << 3, /* reverse-path filter, RFC 3704 */
	MR_IP_URPF4_LOOSE = 1u << 4,
	MR_IP_URPF6_STRICT = 1u << 5,
	MR_IP_URPF6_LOOSE = 1u << 6,
	MR_IP_CLAMP = 1u << 7,        /* MSS of TCP that comes in or goes out here */
	MR_IP_REDIRECTS = 1u << 8,    /* send ICMP redirects here */
	MR_IP_UNREACHABLES = 1u << 9, /* send other ICMP errors about what came in here */
	MR_IP_PROXY = 1u << 10,       /* answer ARP and ND for what is reached elsewhere */
	MR_IP_DIRECTED = 1u << 11,    /* forward directed broadcasts to here (RFC 2644) */
	MR_IP_LOOPBACK = 1u << 12,
	MR_IP_DAD = 1u << 13, /* detect duplicate addresses */
};

/* What nodes read of an interface, by the functions below. Control writes it, field by field. */
struct mr_ip_interface {
	_Atomic(const struct mr_fib4 *) fib4; /* of its VRF */
	_Atomic(const struct mr_fib6 *) fib6;
	_Atomic uint64_t mac; /* its six bytes as they are loaded from a frame; above them 0 */
	_Atomic uint32_t flags;
	_Atomic uint16_t vrf;
	_Atomic uint16_t port;
	_Atomic uint16_t vlan;   /* of its frames' tag; 0: none */
	_Atomic uint16_t mtu;    /* bytes of IP */
	_Atomic uint16_t twin;   /* the port of its twin at the host, or MR_IP_NO_PORT */
	_Atomic uint16_t clamp4; /* largest MSS to let pass where MR_IP_CLAMP; 0: from the MTUs */
	_Atomic uint64_t address6[2]; /* as address4 */
	_Atomic be32_t address4;      /* what ICMP errors are sent from; 0: none */
	_Atomic uint16_t clamp6;
	_Atomic uint16_t version6; /* of address6; odd while it is written */
};
static_assert(sizeof(struct mr_ip_interface) == 64, "what nodes read of an interface is one line");

/* Acquire pairs with mr_ip_interface_write: what has MR_IP_FORWARD4 or 6 has the tables. They stay
 * until a grace period after the flags went. */
mr_inline uint32_t
mr_ip_flags(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->flags, memory_order_acquire);
}

/* The tables of its VRF, of one that has the flag. Acquire: they are made. */
mr_inline const struct mr_fib4 *
mr_ip_fib4(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->fib4, memory_order_acquire);
}

mr_inline const struct mr_fib6 *
mr_ip_fib6(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->fib6, memory_order_acquire);
}

/* Relaxed, from here on: each says all that it has to say. */
mr_inline uint64_t
mr_ip_mac(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->mac, memory_order_relaxed);
}

mr_inline void
mr_ip_mac_copy(const struct mr_ip_interface *i, uint8_t mac[6])
{
	uint64_t word = mr_ip_mac(i);

	memcpy(mac, &word, 6);
}

mr_inline bool
mr_ip_mac_is(const struct mr_ip_interface *i, const uint8_t mac[6])
{
	uint64_t word = mr_ip_mac(i);

	return memcmp(mac, &word, 6) == 0;
}

mr_inline uint16_t
mr_ip_vrf(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->vrf, memory_order_relaxed);
}

mr_inline uint16_t
mr_ip_port(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->port, memory_order_relaxed);
}

mr_inline uint16_t
mr_ip_vlan(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->vlan, memory_order_relaxed);
}

mr_inline uint16_t
mr_ip_mtu(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->mtu, memory_order_relaxed);
}

mr_inline uint16_t
mr_ip_twin(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->twin, memory_order_relaxed);
}

mr_inline uint16_t
mr_ip_clamp4(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->clamp4, memory_order_relaxed);
}

mr_inline uint16_t
mr_ip_clamp6(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->clamp6, memory_order_relaxed);
}

mr_inline be32_t
mr_ip_address4(const struct mr_ip_interface *i)
{
	return atomic_load_explicit(&i->address4, memory_order_relaxed);
}

/* Zero: none, or it is just being written. */
mr_inline void
mr_ip_address6(const struct mr_ip_interface *i, uint8_t address[16])
{
	/* Acquire, all three, pairs with mr_ip_interface_write: who has read a half of a later
	 * address sees below that the version is another. */
	uint16_t version = atomic_load_explicit(&i->version6, memory_order_acquire);
	uint64_t half[2] = { atomic_load_explicit(&i->address6[0], memory_order_acquire),
		atomic_load_explicit(&i->address6[1], memory_order_acquire) };

	if (mr_unlikely((version & 1) ||
		version != atomic_load_explicit(&i->version6, memory_order_relaxed)))
		half[0] = half[1] = 0;
	memcpy(address, half, 16);
}

/* Which interface a frame came in on. */
struct mr_ip_port {
	_Atomic uint16_t untagged;         /* interface, 0: none */
	_Atomic(_Atomic uint16_t *) vlans; /* [4096] interfaces, or null */
};

/* The interface of a port's frames with this tag (0: none); 0: there is none. */
mr_inline unsigned
mr_ip_interface_at(const struct mr_ip_port *port, unsigned vlan)
{
	/* Acquire pairs with mr_ip_interface_map: the array is filled, the interface is there. */
	const _Atomic uint16_t *vlans = atomic_load_explicit(&port->vlans, memory_order_acquire);

	if (!vlan)
		return atomic_load_explicit(&port->untagged, memory_order_acquire);
	return vlans ? atomic_load_explicit(&vlans[vlan & 0xfff], memory_order_acquire) : 0;
}

struct mr_ip_address {
	uint8_t family; /* enum mr_ip_family */
	uint8_t len;
	bool link_local;
	bool kernel; /* came from the host's side (`ip address add`), not from the configuration */
	bool tentative; /* duplicate detection still runs, or found one: not used as source */
	bool duplicate;
	uint8_t bytes[16]; /* wire order; IPv4 in the first four */
};

/* What only control knows of an interface. */
struct mr_ip_interface_info {
	char name[MR_PORT_NAME_MAX];   /* empty: the index is free */
	char parent[MR_PORT_NAME_MAX]; /* the data plane's interface; empty: a loopback */
	struct mr_ip_address addresses[MR_IP_ADDRESSES_MAX];
	uint32_t address_count;
	uint16_t borrowed; /* unnumbered: the interface whose addresses it uses; 0: its own */
	uint8_t mac[6];
	uint32_t generation; /* grows with every change of the above */
};

struct mr_regions;

struct mr_ip_vrf {
	char name[64]; /* empty: the index is free */
	struct mr_fib4 *fib4;
	struct mr_fib6 *fib6;
	struct mr_regions *regions[MR_IP_FAMILIES]; /* generations of what the FIBs say */
};

/* Generations of the other tables (kit/base/generation.h), several entries to a cell. */
#define MR_IP_CELLS 4096u
struct mr_ip_cells {
	struct mr_generation interfaces;
	struct mr_generation adjacencies[MR_IP_CELLS]; /* by index */
	struct mr_generation groups[MR_IP_CELLS];      /* by group */
	struct mr_generation buckets[MR_IP_CELLS];     /* by the first bucket's index / 64 */
};

struct mr_adjacency;
struct mr_ip_control; /* what only nf/ip knows */
struct mr_groups;     /* and what only group.c does */

struct mr_ip {
	struct mr_ip_interface *interfaces; /* [MR_IP_INTERFACES_MAX] */
	struct mr_ip_port *ports;           /* [MR_PORT_MAX] */
	struct mr_adjacency *adjacencies;   /* [MR_IP_ADJACENCIES_MAX] */
	_Atomic uint64_t *groups;           /* [MR_IP_GROUPS_MAX], group.h */
	_Atomic uint32_t *buckets;          /* [MR_IP_BUCKETS_MAX] adjacencies */
	struct mr_ip_cells *cells;

	/* The control thread's. */
	struct mr_ip_interface_info *info; /* [MR_IP_INTERFACES_MAX] */
	struct mr_ip_vrf *vrfs;            /* [MR_IP_VRFS_MAX] */
	uint32_t interface_end;            /* above the largest index in use */
	uint32_t vrf_end;
	struct mr_graph *graph;
	uint16_t input, forward4, forward6, output; /* nodes; UINT16_MAX while not in the graph */
	struct mr_ip_control *control;
	struct mr_groups *group_state; /* made with the first group */
};

int mr_ip_create(struct mr_ip **out, struct mr_graph *, struct mr_error *);
void mr_ip_destroy(struct mr_ip *);

/* Puts the nodes into the graph's draft (every edge ending in a drop until attached), or takes them
 * out. */
int mr_ip_add_nodes(struct mr_ip *, struct mr_error *);
void mr_ip_remove_nodes(struct mr_ip *);
/* What leaves by this edge goes to `node`. Call it after every mr_ip_add_nodes. */
void mr_ip_attach(struct mr_ip *, enum mr_ip_edge, uint16_t node);
/* Where that edge leads now. */
uint16_t mr_ip_attached(const struct mr_ip *, enum mr_ip_edge);
/* Links the edges of a node of the router's other parts that has these edges in this order, now
 * and whenever one is attached, until mr_ip_remove_nodes. */
void mr_ip_link(struct mr_ip *, uint16_t node);
/* Not any more: before the node is taken out. */
void mr_ip_unlink(struct mr_ip *, uint16_t node);

/* VRFs and interfaces, by index; UINT16_MAX and 0: there is none. */
/* What a VRF's FIB says about this prefix has changed. */
void mr_ip_vrf_changed(const struct mr_ip *, uint16_t vrf, enum mr_ip_family, const uint8_t *prefix,
    unsigned len);
uint16_t mr_ip_vrf_find(const struct mr_ip *, const char *name);
int mr_ip_vrf_create(struct mr_ip *, const char *name, uint16_t *vrf, struct mr_error *);
void mr_ip_vrf_destroy(struct mr_ip *, uint16_t vrf); /* after a grace period */
uint16_t mr_ip_interface_find(const struct mr_ip *, const char *name);
int mr_ip_interface_create(struct mr_ip *, const char *name, uint16_t *index, struct mr_error *);
/* Its flags go; its tables stay until a grace period is over, which mr_ip_vrf_destroy waits for. */
void mr_ip_interface_destroy(struct mr_ip *, uint16_t index);
/* Makes what nodes read of it this, each field in a single store, so that no node sees a value that
 * was never meant; the flags last. */
void mr_ip_interface_write(struct mr_ip *, uint16_t index, const struct mr_ip_interface *);
/* Sets or clears some of its flags. */
void mr_ip_interface_flag(struct mr_ip *, uint16_t index, uint32_t flags, bool on);
/* The port of its twin, or MR_IP_NO_PORT. */
void mr_ip_interface_twin(struct mr_ip *, uint16_t index, uint16_t port);
/* What arrives on `port` with this tag (0: none) belongs to the interface; 0 to take it back. */
int mr_ip_interface_map(struct mr_ip *, uint16_t port, uint16_t vlan, uint16_t index);
/* Its address of that family to speak from, preferring one in `peer`'s subnet (null: the first);
 * null when it has none. Looks through an unnumbered interface to the one it borrows from. */
const struct mr_ip_address *mr_ip_address_for(const struct mr_ip *, uint16_t index,
    enum mr_ip_family, const uint8_t *peer);
/* Whether the address is one of this interface's own (or of that it borrows from). */
const struct mr_ip_address *mr_ip_address_find(const struct mr_ip *, uint16_t index,
    enum mr_ip_family, const uint8_t *bytes);
/* Whether the address lies in a subnet of this interface. */
bool mr_ip_on_link(const struct mr_ip *, uint16_t index, enum mr_ip_family, const uint8_t *bytes);

/* A look-up as control does it: the group, and the prefix that matched. */
uint32_t mr_ip_lookup(const struct mr_ip *, uint16_t vrf, enum mr_ip_family, const uint8_t *bytes,
    uint8_t prefix[16], unsigned *len);

extern const char *const mr_ip_edge_names[MR_IP_EDGES];

#endif
