/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_FLOW_INT_H
#define MR_KIT_FLOW_FLOW_INT_H

/*
 * Flow rules from inside:
 *
 *   flow_check.c   patterns and actions into rules, with everything that can be wrong
 *   flow.c         the set: rules, counters, meters, changes and their commit
 *   flow_match.c   which rule a packet matches
 *   flow_node.c    the node: match, do, record
 *
 * A rule is found by its place in `places`, which is what the classifier gives. Places, rules and
 * counters of removed rules are used again when nobody can name them any more: rules after
 * the workers' grace period, counters some seconds later, since the lane tells late.
 */

#include "kit/base/counter.h"
#include "kit/base/generation.h"
#include "kit/flow/flow.h"
#include "kit/packet/parse.h"
#include "kit/table/classifier.h"
#include "kit/table/meter.h"

#define FLOW_RULES_MAX 65536u
#define FLOW_METERS_MAX 4096u
#define FLOW_PORT_ANY UINT16_MAX
/* The lane settles within a second; a counter rests for this long. */
#define FLOW_COUNTER_REST 5u

/* The key's 32 extra bits: group 6, port 10, tagged 1, VLAN 12, has ports 1. */
#define FLOW_EXTRA_GROUP(group) ((uint32_t)(group))
#define FLOW_EXTRA_PORT(port) ((uint32_t)(port) << 6)
#define FLOW_EXTRA_TAGGED (1u << 16)
#define FLOW_EXTRA_VLAN(vlan) ((uint32_t)(vlan) << 17)
#define FLOW_EXTRA_L4 (1u << 29)
static_assert(MR_FLOW_GROUPS <= 64 && MR_PORT_MAX <= 1024, "the extra bits hold them");

/* What a rule asks for that is no field of a flow's key: a node that looks guards it. */
enum flow_look {
	FLOW_LOOK_MAC = 1u << 0,
	FLOW_LOOK_TOS = 1u << 1,
	FLOW_LOOK_TCP_FLAGS = 1u << 2,
	FLOW_LOOK_TCI = 1u << 3,
};

/* A pattern. Values are zero outside of their masks. */
struct flow_pattern {
	uint16_t port;  /* FLOW_PORT_ANY */
	uint8_t family; /* 4, 6; 0: not asked for */
	uint8_t proto, proto_mask;
	uint8_t tos, tos_mask;
	uint8_t tcp_flags, tcp_flags_mask;
	bool tagged;      /* must have a tag */
	bool ports;       /* must have a layer 4 with what sport and dport say */
	bool prefixes;    /* the addresses' masks are prefixes */
	bool any_network; /* must be IP of either family */
	uint8_t look;     /* enum flow_look */
	be16_t tci, tci_mask;
	be16_t type, type_mask;
	uint64_t mac[2], mac_mask[2]; /* destination, source: as loaded, the upper two bytes 0 */
	uint8_t src[16], src_mask[16], dst[16], dst_mask[16];
	/* Host order: ranges, or values under masks. ICMP: type and code. */
	uint16_t sport_lo, sport_hi, sport_mask;
	uint16_t dport_lo, dport_hi, dport_mask;
};

struct flow_rule {
	uint32_t place; /* its number for users too */
	struct mr_flow_attr attr;
	struct flow_pattern pattern;
	struct mr_flow_action actions[MR_FLOW_ACTIONS_MAX];
	unsigned action_count;
	uint32_t counter; /* the first that it counts by; 0: none */
	bool own_counter;
	bool listed; /* not in the classifier */
	unsigned class_count;
	uint32_t class_ids[2];
	uint32_t next; /* of removed ones, and of free places */
};

/* The rules of one group that are looked through, by priority. */
struct flow_list {
	uint32_t count;
	uint8_t look;
	const struct flow_rule *rules[];
};

/* What workers see: never changed. */
struct flow_view {
	const struct mr_class_view *class;
	bool classified[MR_FLOW_GROUPS]; /* has rules in the classifier */
	struct flow_list *lists[MR_FLOW_GROUPS];
};

struct flow_counters {
	_Atomic uint64_t packets, bytes;
};

struct mr_flow_rules {
	struct mr_graph *graph;
	_Atomic(struct flow_view *) view;
	struct flow_rule **places; /* [max + 1]; 0 is nobody's */
	struct mr_generation cell;
	struct flow_counters
	    *counters[MR_GRAPH_WORKERS_MAX]; /* [counter_max + 1]: a row per worker */
	struct mr_meter *meters;             /* [meter_max + 1] */
	unsigned worker_count;

	/* The control thread's. */
	struct mr_class *class;
	struct mr_class_retired *retired; /* of a publish whose grace period is to come */
	uint32_t max, count, place_top, place_free;
	uint32_t removed;                          /* list of places, until the next commit */
	struct flow_rule **listed[MR_FLOW_GROUPS]; /* [MR_FLOW_LISTED_MAX], by priority */
	uint32_t listed_count[MR_FLOW_GROUPS];
	uint32_t classified[MR_FLOW_GROUPS];
	uint32_t group_rules[MR_FLOW_GROUPS];
	bool changed;
	uint64_t changed_lists; /* groups, a bit each */
	uint32_t counter_max, counter_top;
	struct {
		uint32_t users; /* rules; shared ones have one more */
		uint32_t rest;  /* the second after which a free one may be used */
		bool shared;
	} * counter_info;
	uint32_t *counter_free; /* ring of those at rest, oldest first */
	uint32_t counter_free_first, counter_free_count;
	uint32_t meter_max;
	struct {
		uint32_t users;
		bool there;
	} * meter_info;
};

/* flow_check.c: fills pattern, actions and what follows from them. */
int flow_check(const struct mr_flow_rules *, const struct mr_flow_attr *,
    const struct mr_flow_item *, const struct mr_flow_action *, struct flow_rule *,
    struct mr_flow_error *);
/* Its rules for the classifier, at most two; 0: it must be listed. */
unsigned flow_class_rules(const struct flow_rule *, struct mr_class_rule rules[2]);

/* flow_match.c */
/* What a packet says. */
struct flow_packet {
	struct mr_parsed parsed;
	uint64_t mac[2];
	uint16_t port;
	uint8_t tos;
	bool has_ports; /* sport and dport are there (type and code of ICMP) */
	uint16_t sport, dport;
	be16_t tci;
};
void flow_read(struct flow_packet *, const struct mr_packet *, enum mr_parse_error);
bool flow_matches(const struct flow_rule *, const struct flow_packet *, const uint8_t *bytes);
void flow_key(struct mr_class_key *, const struct flow_packet *, const uint8_t *bytes,
    unsigned group);

extern const struct mr_node_class mr_flow_rules_class;

#endif
