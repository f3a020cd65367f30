/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT64_NAT64_INT_H
#define MR_NF_NAT64_NAT64_INT_H

/*
 * What the files of nf/nat64 share:
 *
 *   table.c       bindings and sessions
 *   session.c     which session a packet belongs to, and TCP's states (RFC 6146, 3.5)
 *   node.c        the node, packets, ICMP errors, hairpins
 *   pieces.c      fragments
 *   answer.c      ICMP errors of our own, and the cutting of packets that have become too long
 *   replay.c      what the flow lane does for every packet
 *   conf.c        configuration
 *   nat64.c       the function in one data plane
 */

#include "kit/base/generation.h"
#include "kit/graph/node.h"
#include "kit/port/port.h"
#include "nf/conntrack/fragment_int.h"
#include "nf/xlat/xlat.h"
#include "nf/nat64/table_int.h"

#define N64_EACH 8u       /* instances at one interface, on one side */
#define N64_INSTANCES 64u /* of a configuration */

/* One translator. Constant once it is published. */
struct n64_instance {
	char name[MR_PORT_NAME_MAX];
	uint8_t number;    /* of its bindings: another one for every other pool */
	bool by_address;   /* filtering: only who was talked to may answer (RFC 6146, 3.5.1.1) */
	bool private_too;  /* the well-known prefix stands for addresses that are not global, too */
	uint16_t mtu, cut; /* see the model */
	struct xlat_prefix prefix;
	struct nat_pool *pool;
	be32_t self; /* the first of the pool: what our own errors come from */
};

struct n64_port {
	uint8_t count[2];
	uint8_t at[2][N64_EACH]; /* [outside]: places of instances in the world */
};

/* What workers see. */
struct n64_world {
	unsigned count;
	struct n64_instance *instances;
	struct n64_port ports[MR_PORT_MAX];
};

struct n64_core {
	struct n64_table *table;
	_Atomic(const struct n64_world *) world;
	struct ct_fragments **fragments; /* [workers], ends with null */
	struct mr_generation settings;
};

/* A node's `self`. */
struct n64_self {
	struct n64_core *core;
	uint16_t port;
	bool outside; /* takes what comes from there */
};

/* X(constant, name, doc): beside them those of nf/xlat/xlat.h. */
#define N64_DROPS(X) \
	X(NOT_GLOBAL, "nat64-not-global", \
	    "the well-known prefix does not stand for this address (RFC 6052, 3.1)") \
	X(SOURCE, "nat64-source", "its source is of the translator's own prefix") \
	X(PROTOCOL, "nat64-protocol", "neither TCP, UDP nor ICMP") \
	X(NO_MAPPING, "nat64-no-binding", "belongs to no binding, and may not make one") \
	X(FILTERED, "nat64-filtered", "the inside did not talk to its sender") \
	X(NO_PORT, "nat64-no-port", "no outside port is free") \
	X(NO_BLOCK, "nat64-no-block", "its subscriber may have no further block of ports") \
	X(LIMIT, "nat64-subscriber-limit", "its subscriber has as much as it may") \
	X(RATE, "nat64-subscriber-rate", "its subscriber makes too many bindings in a second") \
	X(NO_SUBSCRIBER, "nat64-no-subscriber", "no room for another subscriber") \
	X(FULL, "nat64-full", "no room for another binding or session") \
	X(EXPIRED, "nat64-ttl", "no hop left, and no answer possible") \
	X(TOO_BIG, "nat64-too-big", "too long for the inside, and no answer possible") \
	X(HAIRPIN, "nat64-hairpin", "from inside to inside, and not a plain packet") \
	X(EARLY_FRAGMENT, "nat64-fragment-early", \
	    "came before its packet's first fragment, and too many wait already") \
	X(LATE_FRAGMENT, "nat64-fragment-late", \
	    "its packet's first fragment did not come in time") \
	X(EVICTED, "nat64-fragment-evicted", \
	    "waited for its first fragment, but others need the place") \
	X(EXPLAINED, "nat64-explained", "an explanation: it would wait, or make a binding")
#define N64_COUNTERS(X) \
	X(OUT, "outward", "packets of IPv6 that became IPv4") \
	X(IN, "inward", "packets of IPv4 that became IPv6") \
	X(MADE, "sessions", "sessions made") \
	X(HAIRPINS, "hairpins", "packets from inside to inside by an outside address") \
	X(ERRORS, "icmp-errors", "ICMP errors translated") \
	X(PIECES, "fragments", "fragments other than the first of their packet") \
	X(WAITED, "fragments-waited", "of these: had to wait for the first") \
	X(CUT, "cut", "packets cut into fragments, having become too long for the inside") \
	X(ANSWERED, "answered", "ICMP errors sent by the translator itself")

/* clang-format off */
enum n64_drop {
#define X(id, name, doc) N64_DROP_##id,
	N64_DROPS(X)
#undef X
	N64_DROP_XLAT, /* from here on enum xlat_result */
	N64_DROP_COUNT = N64_DROP_XLAT + XLAT_RESULT_COUNT,
};
enum n64_counter {
#define X(id, name, doc) N64_COUNTER_##id,
	N64_COUNTERS(X)
#undef X
	N64_COUNTER_COUNT,
};
/* clang-format on */

/* One vector's way through a node. */
struct n64_pass {
	struct n64_self *self;
	struct n64_core *core;
	struct n64_table *table;
	const struct n64_world *world;
	struct mr_node_run *run;
	struct mr_recorder *rec;
	bool dry;
};

mr_inline struct xlat_pass
n64_xlat(const struct n64_pass *s)
{
	return (struct xlat_pass){ s->run->buffers, s->run->worker, s->rec };
}

mr_inline mr_verdict_t
n64_refuse(const struct n64_pass *s, const struct mr_packet *p, uint32_t drop)
{
	mr_record_uncacheable(s->rec, p, "the translator drops it");
	return mr_verdict_drop(drop);
}

/* -- session.c ------------------------------------------------------------------------------ */

/* What a packet becomes. */
struct n64_way {
	uint8_t inside[16];
	be16_t inside_port;
	be32_t outside;
	be16_t outside_port;
	uint32_t session; /* 0: none, only a binding */
	uint64_t word;    /* its session's */
	bool open;        /* may be replayed */
};

mr_inline enum nat_proto
n64_proto(const struct xlat_part *part)
{
	return part->kind == XLAT_ECHO       ? NAT_ICMP
	    : part->proto == MR_IP_PROTO_TCP ? NAT_TCP
					     : NAT_UDP;
}

/* TCP's flags of a packet, 0 of others. */
mr_inline uint8_t
n64_tcp(const struct mr_packet *p, const struct xlat_part *part)
{
	return part->kind == XLAT_PORTS && part->proto == MR_IP_PROTO_TCP
	    ? mr_packet_bytes_const(p)[part->l4 + 13]
	    : 0;
}

/* From inside: `src` with these ports to `remote`. 0, or enum n64_drop + 1. */
uint32_t n64_outward(const struct n64_pass *, const struct n64_instance *, const uint8_t *src,
    be32_t remote, const struct xlat_part *, uint8_t tcp, struct n64_way *);
/* From `remote` to an outside end that has a binding. */
uint32_t n64_inward(const struct n64_pass *, const struct n64_instance *, be32_t remote,
    be16_t remote_port, enum nat_proto, uint8_t tcp, const struct n64_found *binding,
    const struct n64_key *, struct n64_way *);

/* -- pieces.c ------------------------------------------------------------------------------- */

/* A fragment that is not the first: `to` is the instance that it may belong to. */
mr_verdict_t n64_piece(const struct n64_pass *, uint32_t packet, const struct xlat *,
    const struct n64_instance *);
/* What became of the first one: a session, or none: it passes by. */
void n64_lead(const struct n64_pass *, uint64_t hash, uint32_t session, uint64_t word,
    const struct n64_instance *);
uint64_t n64_piece_hash(const struct n64_pass *, const struct mr_packet *, const struct xlat *);
void n64_tick(struct mr_node_run *);
/* node.c: translates a packet that is no error with these ends, cut where it has to be. */
mr_verdict_t n64_translate(const struct n64_pass *, uint32_t packet, struct xlat *,
    const struct n64_instance *, const struct n64_way *, be32_t remote);

/* -- answer.c ------------------------------------------------------------------------------- */

/* The packet becomes an ICMP error to its sender, on the way back. False: none may be sent. */
bool n64_answer(const struct n64_pass *, uint32_t packet, unsigned l3, bool six,
    const uint8_t from[16], uint8_t type, uint8_t code, uint32_t word);
/* Cuts an IPv6 packet that has a fragment header to `mtu` bytes; all but the last piece are sent on
 * by edge 0. False: no buffers. */
bool n64_cut(const struct n64_pass *, uint32_t packet, unsigned l3, unsigned mtu);

/* -- replay.c ------------------------------------------------------------------------------- */

/* What a recording carries: a session's number, and low bits of its age. */
#define N64_ARG_AGE_SHIFT 24
#define N64_ARG_AGE 0x7fu
#define N64_ARG_SUMMED (1u << 31) /* a UDP packet of IPv4 has to have a checksum */
mr_inline uint32_t
n64_arg(uint32_t session, uint64_t word, bool summed)
{
	return session | (uint32_t)(word >> N64_AGE_SHIFT & N64_ARG_AGE) << N64_ARG_AGE_SHIFT |
	    (summed ? N64_ARG_SUMMED : 0);
}
void n64_replay(struct mr_node_run *, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *, uint8_t *skip, unsigned count);

int n64_core_create(struct n64_core **out, uint32_t max, uint32_t workers, struct mr_error *);
void n64_core_destroy(struct n64_core *, struct mr_buffers *);

/* For notes of recordings. */
#define N64_NOTE_OUT "nat64 outward"
#define N64_NOTE_IN "nat64 inward"
bool n64_describe(const struct n64_core *, const struct mr_op *, char *text, size_t size);
const char *n64_state_name(uint64_t word);
/* "tcp [2001:db8::1]:1024 as 192.0.2.1:5000 to 198.51.100.1:80" */
size_t n64_session_print(const struct n64_table *, uint32_t number, char *text, size_t size);

extern const struct mr_node_class n64_class;

#endif
