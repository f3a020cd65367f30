/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_ACL_INT_H
#define MR_NF_ACL_ACL_INT_H

/*
 * What the function's files share. Workers see a world: which list stands where, and each list's
 * view, under one pointer, so that a vector is judged by one policy. A commit makes a new world; the
 * old one is freed after the grace period.
 */

#include "kit/base/generation.h"
#include "kit/graph/graph.h"
#include "kit/packet/parse.h"
#include "nf/acl/list.h"
#include "nf/dataplane.h"
#include "nf/interface/interface.h"

#define ACL_DEPTH_MAX 16u /* jumps within jumps */
#define ACL_SNAP 128u     /* bytes of a packet for the log */

/* X(constant, name, doc) */
#define ACL_DROPS(X) \
	X(RULE, "acl-drop", "A rule said so.") \
	X(DEFAULT, "acl-default", "No rule decided, and the list's default is not accept.") \
	X(INVALID, "acl-invalid", "It fits no connection, before a stateful list's rules.") \
	X(REJECT, "acl-reject", "Rejected, without an answer: there may be none to this packet.") \
	X(LIMITED, "acl-reject-limited", "Rejected, without an answer: there were too many.") \
	X(MALFORMED, "acl-malformed", "Its IP header or extension headers cannot be read.") \
	X(ETHER, "acl-ether", "A frame that is not IP, and that the list does not let pass.")
/* clang-format off */
enum acl_drop {
#define X(id, name, doc) ACL_DROP_##id,
	ACL_DROPS(X)
#undef X
	ACL_DROP_COUNT,
};
/* clang-format on */

/* X(constant, name, doc) */
#define ACL_COUNTERS(X) \
	X(REJECTED, "rejected", "packets whose senders were told") \
	X(MORE, "looked-on", \
	    "look-ups after the first one: checks that failed, jumps, counting rules") \
	X(LOG_LOST, "log-lost", "samples for the log that found no room")
/* clang-format off */
enum acl_counter {
#define X(id, name, doc) ACL_COUNT_##id,
	ACL_COUNTERS(X)
#undef X
	ACL_COUNT_COUNT,
};
/* clang-format on */

enum acl_edge { ACL_EDGE_NEXT, ACL_EDGE_BACK, ACL_EDGES }; /* BACK: of acl-out only */

/* A node: the rules of one interface, one direction. */
struct acl_stage {
	struct acl_stage *next;
	struct acl *acl;
	uint16_t interface; /* port index */
	uint16_t node;
	uint16_t list, list_then; /* control's */
	bool out;
	bool fresh;  /* made by the prepare that is under way */
	bool wanted; /* in the configuration being brought in */
	char name[MR_PORT_NAME_MAX];
	struct mr_generation generation; /* of all that its decisions rest on */
	struct mr_meter rejects;
};

struct acl_bind {
	uint16_t list[2];        /* in, out; 0: none */
	char zone[ACL_NAME_MAX]; /* control's: of its connections */
};

struct acl_world {
	bool tracked; /* packets know their connections */
	struct acl_bind bind[MR_PORT_MAX];
	struct acl_looks *looks;        /* by list's number */
	const struct acl_view *views[]; /* likewise; the first is null */
};

struct acl_samples;
struct mr_conntrack;

struct acl {
	struct acl_own own;
	_Atomic(struct acl_world *) world;

	struct mr_conntrack *conntrack;

	/* Control's. */
	struct mr_dataplane *dp;
	struct acl_world *old, *then;
	struct acl_stage *stages;
	struct acl_sets sets, sets_then;
	struct acl_samples *samples[MR_GRAPH_WORKERS_MAX];
	uint16_t workers;
	uint32_t id_top; /* list numbers given so far */
	uint64_t reject_rate, reject_rate_then;
};

extern const struct mr_node_class acl_in_class, acl_out_class;

/* What one packet is judged with. */
struct acl_case {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct acl_stage *stage;
	const struct acl_world *world;
	uint32_t packet;
	struct mr_packet *p;
	const struct mr_parsed *parsed;
	const struct mr_class_key *key;
};

/* walk.c: goes from rule to rule, beginning with the one in this slot that `view` gave; the rule that
 * decides. */
const struct acl_rule *acl_walk(const struct acl_case *, const struct acl_view *, uint32_t slot);
/* A rule decided: counted, in the recording too. */
void acl_hit(const struct acl_case *, const struct acl_rule *);
void acl_replay(struct mr_node_run *, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *, uint8_t *skip, unsigned count);
void acl_tally(struct mr_node_run *, uint32_t number, uint64_t packets, uint64_t bytes);

/* reject.c: turns the packet into the answer; false, with the packet as it was: there is none. */
bool acl_reject_make(struct mr_node_run *, struct mr_recorder *, uint32_t packet,
    const struct mr_parsed *, enum acl_reject);

/* log.c */
int acl_log_open(struct acl *);
void acl_log_close(struct acl *);
void acl_log_sample(const struct acl_case *, const struct acl_rule *);
void acl_log_drain(struct acl *);

/* show.c */
void acl_show(void *state, struct mr_state *);
bool acl_describe(void *state, const struct mr_op *, char *text, size_t size);

/* check.c: what YANG cannot say. */
void acl_check(void *state, const struct mr_config *, struct mr_report *);
uint32_t acl_seconds(void);

/* One of the notes that describe puts words to; its number is a rule's slot. */
extern const char acl_note_rule[], acl_note_pass[];

#endif
