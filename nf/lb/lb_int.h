/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_LB_INT_H
#define MR_NF_LB_LB_INT_H

/*
 * What the files of nf/lb share.
 *
 *   view      what a configuration says, as workers read it: never changed, replaced by commits
 *   live      of a backend, what changes between commits: fit or not, its route, its connections
 *   choice    of a service, the tables that its scheduler draws from: replaced when backends
 *             come, go, fall ill or recover
 *   table     which connection was given to whom (table_int.h)
 *
 * Threads: workers read; the control thread publishes views and choices (kit/base/rcu.h).
 */

#include "kit/base/generation.h"
#include "kit/base/rcu.h"
#include "kit/graph/node.h"
#include "kit/packet/parse.h"
#include "kit/table/maglev.h"
#include "nf/ip/part.h"
#include "nf/lb/table_int.h"

#define LB_SERVICES_MAX 1024u
#define LB_BACKENDS_MAX 4096u
#define LB_ADDRESSES_MAX 8192u /* of services, of servers, and those that we speak from */
#define LB_NONE 0xffffu

enum lb_mode { LB_MODE_NAT, LB_MODE_FULL, LB_MODE_L2, LB_MODE_IPIP, LB_MODE_GUE };
enum lb_scheduler { LB_MAGLEV, LB_WEIGHTED, LB_LEAST };
enum lb_syn { LB_SYN_OFF, LB_SYN_AUTO, LB_SYN_ON };

/* X(constant, name of the leaf, seconds) */
#define LB_TIMEOUTS(X) \
	X(SYN, "tcp-syn", 60) \
	X(TCP, "tcp", 7440) \
	X(FIN, "tcp-fin", 120) \
	X(CLOSE, "tcp-close", 10) \
	X(UDP, "udp", 300)
/* clang-format off */
enum lb_timeout {
#define X(id, leaf, seconds) LB_TIMEOUT_##id,
	LB_TIMEOUTS(X)
#undef X
	LB_TIMEOUT_COUNT,
};
/* clang-format on */

/* -- what a configuration says -------------------------------------------------------------- */

/* An address with a number: of a service, of a server, of our own to speak from. */
struct lb_address {
	uint8_t bytes[16]; /* IPv4: the first four, the others 0 */
	uint16_t vrf;
	uint8_t six;
	uint8_t roles;                         /* enum lb_role */
	uint16_t rule_first, rule_count;       /* of a service's: which ports lead where */
	uint16_t reverse_first, reverse_count; /* of a server's */
};
enum lb_role {
	LB_ROLE_SERVICE = 1u << 0,
	LB_ROLE_SERVER = 1u << 1, /* that answers through us */
	LB_ROLE_SOURCE = 1u << 2,
	LB_ROLE_PING = 1u << 3,
};

struct lb_rule {
	uint16_t first, last; /* ports */
	uint16_t service;
	uint8_t proto;
};

/* Which address and port of a service a server's port stands for, when that is certain. */
struct lb_reverse {
	uint16_t first, last;
	uint16_t address; /* number of the service's */
	uint16_t port;    /* of the service; 0: the same as the server's */
	uint8_t proto;
	bool certain;
};

struct lb_backend {
	uint8_t address[16];
	uint32_t max; /* connections; 0: any number */
	uint32_t weight;
	uint16_t port;    /* 0: the packet's own */
	uint16_t service; /* LB_NONE: the number is free */
	uint16_t number;  /* of its address */
	uint8_t six;
};

struct lb_service {
	uint32_t timeouts[LB_TIMEOUT_COUNT];
	uint32_t sticky; /* seconds of affinity; 0: none */
	uint16_t vrf;
	uint16_t source_first, source_count[2]; /* into view->sources: IPv4's, then IPv6's */
	uint16_t gue_port;
	uint8_t mode, scheduler, proto, syn;
	bool stateless; /* whoever a SYN is for can be told without an entry */
	bool present;
};

struct lb_view {
	struct mr_hash_key key; /* of `slots`, and of flows for schedulers */
	uint32_t mask;          /* of `slots` */
	uint16_t *slots;        /* by hash: numbers of addresses; LB_NONE */
	struct lb_address *addresses;
	uint32_t address_count;
	struct lb_rule *rules;
	struct lb_reverse *reverses;
	uint16_t *sources;           /* numbers of addresses */
	struct lb_service *services; /* [service_end] */
	struct lb_backend *backends; /* [backend_end] */
	uint32_t service_end, backend_end;
};

/* -- what changes between commits ----------------------------------------------------------- */

enum lb_fit {
	LB_FIT_NEW = 1u << 0, /* for new connections */
	LB_FIT_OLD = 1u << 1, /* for those that it has */
};

struct lb_live {
	/* Written by control. */
	MR_CACHE_ALIGNED _Atomic uint32_t fit; /* enum lb_fit */
	_Atomic uint32_t adjacency;            /* mode l2: its next hop; 0: not on any link */
	_Atomic uint32_t mtu;                  /* of the way to it, bytes of IP; 0: no route */
	struct mr_generation changed;
	_Atomic uint64_t source[2]; /* tunnels: what we speak from; 0: no address */
	/* Written by workers. */
	MR_CACHE_ALIGNED _Atomic uint32_t active; /* connections */
};

/* What a scheduler draws from. */
struct lb_choice {
	struct mr_maglev *maglev;
	uint32_t turn_count, count;
	uint16_t *turns;     /* [turn_count] backends in weighted turns */
	uint16_t backends[]; /* [count] that are fit */
};

struct lb_service_live {
	MR_CACHE_ALIGNED _Atomic(struct lb_choice *) choice[2]; /* for clients of IPv4, IPv6 */
	MR_CACHE_ALIGNED _Atomic uint32_t turn;
};

/* X(constant, name): for each backend and worker. */
enum lb_traffic {
	LB_TRAFFIC_CONNECTIONS,
	LB_TRAFFIC_PACKETS,
	LB_TRAFFIC_BYTES,
	LB_TRAFFIC_BACK_PACKETS,
	LB_TRAFFIC_BACK_BYTES,
	LB_TRAFFIC_COUNT,
};

/* A datagram under way in pieces: whose ports the later ones have. */
struct lb_piece {
	uint64_t key; /* 0: empty */
	uint32_t until;
	uint16_t sport, dport;
	uint8_t proto;
};
#define LB_PIECES 1024u /* of each worker, in sets of four */
#define LB_PIECE_SECONDS 15u

/* Counts by servers' addresses, of packets in tunnels that have to be cut. */
#define LB_CUTS 1024u

struct lb_core {
	_Atomic(const struct lb_view *) view;
	struct mr_generation settings; /* changes with the view */
	const struct mr_ip *ip;
	struct lb_table *table;
	struct lb_live *live;             /* [LB_BACKENDS_MAX] */
	struct lb_service_live *services; /* [LB_SERVICES_MAX] */
	struct mr_counters *traffic;      /* [worker][backend][TRAFFIC] */
	struct mr_counters *cuts;         /* [worker][CUTS] packets in tunnels that are cut */
	struct lb_piece **pieces;         /* [workers], LB_PIECES each */
	_Atomic bool *own;                /* [LB_ADDRESSES_MAX] the router has this address, too */
	_Atomic uint32_t mtu_least;       /* of all interfaces that route; 0: not known */
	uint32_t workers;
};

int lb_core_create(struct lb_core **out, const struct mr_ip *, uint32_t max, uint32_t workers,
    struct mr_error *);
void lb_core_destroy(struct lb_core *);

mr_inline const struct lb_view *
lb_view_of(const struct lb_core *core)
{
	/* Acquire pairs with the commit that published it. */
	return atomic_load_explicit(&core->view, memory_order_acquire);
}

/* The number of an address, or LB_NONE. */
uint16_t lb_address_find(const struct lb_view *, uint16_t vrf, bool six, const uint8_t *bytes);

/* Where a packet to this address is to go: the service, or LB_NONE. */
uint16_t lb_rule_find(const struct lb_view *, const struct lb_address *, uint8_t proto,
    uint16_t port);
/* The service's address and port that a server's port certainly stands for; null: none. */
const struct lb_reverse *lb_reverse_find(const struct lb_view *, const struct lb_address *server,
    uint8_t proto, uint16_t port);

mr_inline void
lb_traffic(const struct lb_core *core, uint32_t worker, uint16_t backend, enum lb_traffic what,
    uint64_t n)
{
	mr_counter_add(mr_counters_row(core->traffic, MR_MIN(worker, core->workers)) +
		(size_t)backend * LB_TRAFFIC_COUNT + what,
	    n);
}

mr_inline uint32_t
lb_fit(const struct lb_core *core, uint16_t backend)
{
	return atomic_load_explicit(&core->live[backend].fit, memory_order_relaxed);
}

/* choose.c */
void lb_choice_free(struct lb_choice *);
/* Of the service's backends, those with LB_FIT_NEW in `fit` and a weight; `size`: of the Maglev
 * table, which only grows. */
int lb_choice_make(struct lb_choice **out, const struct lb_view *, const uint32_t *fit,
    uint16_t service, int six, uint32_t *size, struct mr_error *);
enum lb_chosen { LB_CHOSEN, LB_CHOSEN_NONE, LB_CHOSEN_BUSY };
/* A backend for a new connection. With `dry`, no turn is used up. `plain`: by Maglev, whatever
 * the scheduler is, for that is what can be told again. `hash` is the flow's. */
enum lb_chosen lb_choose(const struct lb_core *, const struct lb_view *, uint16_t service, bool six,
    uint64_t hash, bool plain, bool dry, uint16_t *backend);

extern const struct mr_node_class lb_class, lb_back_class, lb_send_class;

/* Edges of `lb` and `lb-back`. */
enum lb_edge { LB_EDGE_NEXT, LB_EDGE_SEND, LB_EDGES };

#endif
