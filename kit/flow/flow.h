/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_FLOW_H
#define MR_KIT_FLOW_FLOW_H

/*
 * Flow rules: a pattern of header fields and what is to be done with packets that match it, in the
 * shape of DPDK's generic flow API (rte_flow), for programs and for the model (nf/flows).
 *
 *   port -> flow-rules --- output, drop
 *              |
 *              +-- pass, or no rule matches --> graph
 *
 * A pattern is a row of items from the outside in, ended by MR_FLOW_ITEM_END: each names a header
 * that must be there, and by `spec` and `mask` what is in it; a null spec asks for nothing more, a
 * null mask for what the item's comment says. A packet matches when all items do. With broken
 * headers it matches by what stands in front of them (port, Ethernet, VLAN).
 *
 * Actions are done in their order; the last one is the fate: output, drop, pass or jump. Group 0 is
 * looked at first; in a group the rule with the lowest priority number wins (of two that match with
 * the same number, either may); a jump goes to a higher group, where the packet is looked at as
 * it is by then. Where nothing matches, the graph decides.
 *
 * The node records what it does, so that with the flow lane (kit/flow/lane.h) in front a flow's rules
 * become its action program, and its packets cost one look-up whatever number of rules there is.
 * Counters and meters are exact in both lanes; what the lane did is added within a second.
 *
 * Rules that ask for addresses by prefix, ports by range, and whole protocols are found by a
 * classifier (kit/table/classifier.h), at a cost that hardly grows with their number. The others (Ethernet
 * addresses, TCP flags, TOS, other protocols than IP, masks with holes) are looked through
 * one by one in the order of priority: there may be MR_FLOW_LISTED_MAX in a group.
 *
 * Changes are gathered, and mr_flow_rules_commit shows all of them at once; when it returns no packet is
 * treated by the old rules.
 *
 * Ownership: rules are copied. Nodes made by mr_flow_rules_node must be out of the graph when the rules
 * are destroyed.
 * Threads: the control thread; nodes run on the workers.
 * Errors: struct mr_flow_error names the item or action.
 */

#include "kit/base/error.h"
#include "kit/graph/graph.h"

#define MR_FLOW_GROUPS 64u
#define MR_FLOW_LISTED_MAX 1024u
#define MR_FLOW_ITEMS_MAX 16u
#define MR_FLOW_ACTIONS_MAX 16u

enum mr_flow_item_type {
	MR_FLOW_ITEM_END,
	MR_FLOW_ITEM_VOID, /* nothing */
	MR_FLOW_ITEM_ANY,  /* any header of this layer */
	MR_FLOW_ITEM_PORT, /* came in here; only whole */
	MR_FLOW_ITEM_ETH,
	MR_FLOW_ITEM_VLAN, /* the outer tag; a pattern that ends at Ethernet says nothing about tags */
	MR_FLOW_ITEM_IP4,
	MR_FLOW_ITEM_IP6,
	MR_FLOW_ITEM_TCP,
	MR_FLOW_ITEM_UDP,
	MR_FLOW_ITEM_SCTP,
	MR_FLOW_ITEM_ICMP,
	MR_FLOW_ITEM_ICMP6,
	MR_FLOW_ITEM_TYPES,
};

struct mr_flow_item_port {
	uint16_t port;
};
/* Null mask: all of it. `type` is what stands behind the tags. */
struct mr_flow_item_eth {
	uint8_t dst[6], src[6];
	be16_t type;
};
/* Null mask: the twelve bits of the VLAN's number. */
struct mr_flow_item_vlan {
	be16_t tci;
};
/* Null mask: the addresses. */
struct mr_flow_item_ip4 {
	be32_t src, dst;
	uint8_t proto, tos;
};
struct mr_flow_item_ip6 {
	uint8_t src[16], dst[16];
	uint8_t proto, tos; /* the last header, behind extensions; the traffic class */
};
/* Of TCP, UDP, SCTP. Null mask: the ports. With `last`, which takes whole ports only, the ports are
 * ranges from `spec` to `last`, both included. A fragment that has no ports matches only items
 * that do not ask for any. */
struct mr_flow_item_l4 {
	be16_t src, dst;
	uint8_t flags; /* TCP's */
};
/* Null mask: both. */
struct mr_flow_item_icmp {
	uint8_t type, code;
};

struct mr_flow_item {
	enum mr_flow_item_type type;
	const void *spec, *last, *mask;
};

enum mr_flow_action_type {
	MR_FLOW_ACTION_END,
	MR_FLOW_ACTION_VOID,
	/* Fates. */
	MR_FLOW_ACTION_OUTPUT, /* number: port */
	MR_FLOW_ACTION_DROP,
	MR_FLOW_ACTION_PASS, /* on through the graph */
	MR_FLOW_ACTION_JUMP, /* number: a higher group */
	/* The others. */
	MR_FLOW_ACTION_COUNT, /* number: of mr_flow_counter_create; 0: the rule's own */
	MR_FLOW_ACTION_METER, /* number: of mr_flow_meter_create; what exceeds it is dropped */
	MR_FLOW_ACTION_MARK,  /* number: the packet's mark, for the nodes of the graph */
	MR_FLOW_ACTION_SET_SRC_MAC, /* bytes[6] */
	MR_FLOW_ACTION_SET_DST_MAC,
	/* Addresses and ports, checksums with them; nothing where the packet has none such. */
	MR_FLOW_ACTION_SET_SRC_IP4, /* bytes[4] */
	MR_FLOW_ACTION_SET_DST_IP4,
	MR_FLOW_ACTION_SET_SRC_IP6, /* bytes[16] */
	MR_FLOW_ACTION_SET_DST_IP6,
	MR_FLOW_ACTION_SET_SRC_PORT, /* number, host order; TCP, UDP */
	MR_FLOW_ACTION_SET_DST_PORT,
	MR_FLOW_ACTION_DEC_TTL, /* or hop limit; once in a packet's life here; at 1 it is dropped */
	MR_FLOW_ACTION_PUSH_VLAN, /* number: tag control information, host order; as 802.1Q */
	MR_FLOW_ACTION_POP_VLAN,  /* the outer tag; nothing where there is none */
	MR_FLOW_ACTION_SET_VLAN, /* number: tag control information; nothing where there is no tag */
	MR_FLOW_ACTION_TYPES,
};

struct mr_flow_action {
	enum mr_flow_action_type type;
	uint32_t number;
	uint8_t bytes[16];
};

struct mr_flow_attr {
	uint32_t group, priority; /* lower wins; 0 to UINT32_MAX - 1 */
};

enum mr_flow_error_kind {
	MR_FLOW_ERROR_NONE,
	MR_FLOW_ERROR_ATTR,
	MR_FLOW_ERROR_ITEM,   /* the index-th of the pattern */
	MR_FLOW_ERROR_ACTION, /* the index-th */
	MR_FLOW_ERROR_RULES,  /* not this rule: no memory, no room, no such rule */
};
struct mr_flow_error {
	enum mr_flow_error_kind kind;
	unsigned index;
	struct mr_error error; /* the sentence, which names the item or action too */
};

struct mr_flow_rules;

struct mr_flow_rules_config {
	struct mr_graph *graph;
	uint32_t max_rules;  /* 0: 65,536 */
	uint32_t max_meters; /* 0: 4,096 */
};

MR_API int mr_flow_rules_create(struct mr_flow_rules **out, const struct mr_flow_rules_config *,
    struct mr_error *);
MR_API void mr_flow_rules_destroy(struct mr_flow_rules *);

/* A node in front of others, put into the graph's draft under this name: edge 0 is the caller's to
 * link. Any number of them share the rules. */
MR_API int mr_flow_rules_node(struct mr_flow_rules *, const char *name, uint16_t *node,
    struct mr_error *);

/* Whether the rule could be made. Its counters, meters and ports are looked at, not its room. */
MR_API int mr_flow_rule_validate(const struct mr_flow_rules *, const struct mr_flow_attr *,
    const struct mr_flow_item *, const struct mr_flow_action *, struct mr_flow_error *);
/* *rule is never 0, and is not given to another one while this one is there. */
MR_API int mr_flow_rule_create(struct mr_flow_rules *, const struct mr_flow_attr *,
    const struct mr_flow_item *, const struct mr_flow_action *, uint32_t *rule,
    struct mr_flow_error *);
MR_API int mr_flow_rule_destroy(struct mr_flow_rules *, uint32_t rule, struct mr_flow_error *);
/* All rules go. */
MR_API int mr_flow_rules_flush(struct mr_flow_rules *, struct mr_flow_error *);
/* Shows all changes since the last one. Waits for the workers. When it fails, nothing was shown: it may be
 * tried again. */
MR_API int mr_flow_rules_commit(struct mr_flow_rules *, struct mr_error *);

struct mr_flow_count {
	uint64_t packets, bytes; /* as they came to the rule */
};
/* What the rule's own counter, or the first that it shares, has counted. -ENOENT: no such rule, or it does
 * not count. */
MR_API int mr_flow_rule_query(const struct mr_flow_rules *, uint32_t rule, struct mr_flow_count *);
MR_API uint32_t mr_flow_rules_count(const struct mr_flow_rules *);

/* A counter for several rules. It stays until it is destroyed; no rule may use it then. */
MR_API int mr_flow_counter_create(struct mr_flow_rules *, uint32_t *counter, struct mr_error *);
MR_API int mr_flow_counter_destroy(struct mr_flow_rules *, uint32_t counter, struct mr_error *);
MR_API int mr_flow_counter_query(const struct mr_flow_rules *, uint32_t counter,
    struct mr_flow_count *);

/* A meter, for one or several rules: packets per second, and how many at once. Setting it anew takes
 * effect at once. */
MR_API int mr_flow_meter_create(struct mr_flow_rules *, uint64_t rate, uint64_t burst,
    uint32_t *meter, struct mr_error *);
MR_API int mr_flow_meter_set(struct mr_flow_rules *, uint32_t meter, uint64_t rate, uint64_t burst);
MR_API int mr_flow_meter_destroy(struct mr_flow_rules *, uint32_t meter, struct mr_error *);

/* X(constant, name, doc): drop reasons and counters of the node. */
#define MR_FLOW_RULES_DROPS(X) \
	X(RULE, "flow-rule", "A flow rule drops it.") \
	X(METER, "flow-meter", "More packets than a flow rule's meter lets through.") \
	X(TTL, "flow-ttl", "A flow rule would make its TTL 0.") \
	X(LONG, "flow-too-long", "Longer than what the port that a flow rule names takes.") \
	X(HEADROOM, "flow-headroom", "No room in front of it for a VLAN tag.")
#define MR_FLOW_RULES_COUNTERS(X) \
	X(MATCHED, "matched", "Packets that a rule matched.") \
	X(MISSED, "missed", "Packets that no rule matched.")

#endif
