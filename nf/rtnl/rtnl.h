/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RTNL_RTNL_H
#define MR_NF_RTNL_RTNL_H

/*
 * rtnetlink messages as plain structs: what the kernel says about routes, next-hop objects, links and
 * addresses, and what FRR sends in the same words over FPM. The bytes come from outside:
 * every length is checked before what it bounds is read, unknown attributes are passed over,
 * and a message that contradicts itself has a fault with a name.
 *
 * Ownership: results are copies; nothing points into the bytes, but for a link's name.
 * Threads: none.
 * Errors: a fault; the result is then not to be used.
 */

#include <net/if.h>

#include "nf/ip/ip.h"

#define MR_RTNL_HOPS_MAX 256u /* of one route, members of one group: as many as FRR may have */

/* What can be wrong with a message. */
#define MR_RTNL_FAULTS(X) \
	X(NONE, "none") \
	X(SHORT, "short-message")   /* there is no room for a message's header */ \
	X(LENGTH, "message-length") /* its length is less than its header or more than there is */ \
	X(BODY, "short-body")       /* no room for the fixed part that its type has */ \
	X(ATTRIBUTE, "attribute-length") /* an attribute ends outside of its message */ \
	X(VALUE, "value-length")         /* an attribute is not as long as what it holds */ \
	X(PREFIX, "prefix-length")       /* more bits than an address of the family has */ \
	X(ADDRESS, "address-length")     /* an address is not as long as its family's are */ \
	X(HOPS, "too-many-next-hops")

enum mr_rtnl_fault {
#define X(name, text) MR_RTNL_##name,
	MR_RTNL_FAULTS(X)
#undef X
	    MR_RTNL_FAULT_COUNT,
};

enum mr_rtnl_kind {
	MR_RTNL_ROUTE,
	MR_RTNL_NEXTHOP,
	MR_RTNL_LINK,
	MR_RTNL_ADDRESS_OF, /* an address of a link */
	MR_RTNL_DONE,       /* a dump has come to its end */
	MR_RTNL_ERROR,      /* error: 0 acknowledges */
	MR_RTNL_OVERRUN,    /* messages were lost */
	MR_RTNL_OTHER,      /* neighbours, rules, MPLS ...: nothing that is read here */
};

struct mr_rtnl_hop {
	uint32_t ifindex;  /* 0: none said */
	uint16_t weight;   /* at least 1 */
	uint8_t family;    /* enum mr_ip_family of the gateway */
	uint8_t flags;     /* RTNH_F_* */
	bool gateway;      /* has one */
	bool blackhole;    /* a next-hop object that drops */
	bool encapsulated; /* wants labels or a tunnel */
	uint8_t spare;
	uint8_t address[16]; /* the gateway, wire order */
};

struct mr_rtnl_route {
	uint8_t family; /* enum mr_ip_family */
	uint8_t len;
	uint8_t tos;
	uint8_t protocol; /* RTPROT_* */
	uint8_t type;     /* RTN_* */
	bool sourced;     /* only for packets from some prefix */
	uint16_t hop_count;
	uint32_t table;
	uint32_t metric;
	uint32_t flags;     /* RTM_F_* */
	uint32_t nexthop;   /* a next-hop object instead of the hops; 0: none */
	uint8_t prefix[16]; /* zero beyond `len` bits */
};

struct mr_rtnl_member {
	uint32_t id;
	uint16_t weight; /* at least 1 */
};

struct mr_rtnl_nexthop {
	uint32_t id;
	uint16_t member_count; /* 0: hops[0] says what it is */
};

struct mr_rtnl_link {
	uint32_t ifindex;
	uint32_t flags; /* IFF_* */
	char name[IFNAMSIZ];
};

struct mr_rtnl_address {
	uint32_t ifindex;
	uint8_t family;
	uint8_t len;
	uint8_t bytes[16];
};

struct mr_rtnl {
	uint8_t kind; /* enum mr_rtnl_kind */
	bool deleted; /* RTM_DEL* */
	uint16_t type;
	uint16_t flags; /* NLM_F_* */
	uint32_t sequence, sender;
	int error; /* of MR_RTNL_ERROR and MR_RTNL_DONE: negative errno */
	union {
		struct mr_rtnl_route route;
		struct mr_rtnl_nexthop nexthop;
		struct mr_rtnl_link link;
		struct mr_rtnl_address address;
	};
	struct mr_rtnl_hop hops[MR_RTNL_HOPS_MAX];       /* of a route, of a nexthop */
	struct mr_rtnl_member members[MR_RTNL_HOPS_MAX]; /* of a nexthop */
};

/* Reads the message at *at, and moves *at and *left behind it. Call while *left is not 0. */
enum mr_rtnl_fault mr_rtnl_next(const uint8_t **at, size_t *left, struct mr_rtnl *);

const char *mr_rtnl_fault_name(enum mr_rtnl_fault); /* "short-message" */

#endif
