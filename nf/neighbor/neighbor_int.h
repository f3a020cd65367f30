/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_NEIGHBOR_INT_H
#define MR_NF_NEIGHBOR_NEIGHBOR_INT_H

/*
 * The control thread's side: the table of neighbours (table.c), what comes through the channel
 * (receive.c), what goes out (send.c), the addresses of our interfaces (address.c), router
 * advertisements (advertise.c). All of it works on one struct neighbors, without the
 * model; neighbor.c ties it to configuration and data plane.
 *
 * Times are milliseconds of CLOCK_MONOTONIC, `now` the same throughout one call.
 */

#include <sys/queue.h>

#include "kit/base/log.h"
#include "kit/base/timer.h"
#include "kit/port/channel.h"
#include "nf/ip/adjacency.h"
#include "nf/neighbor/machine.h"
#include "nf/neighbor/neighbor.h"
#include "nf/neighbor/nodes_int.h"
#include "nf/rib/rib.h"

#define NEIGHBOR_QUEUE_MAX 64u     /* packets that wait for one neighbour */
#define NEIGHBOR_QUEUE_TOTAL 4096u /* for all */
#define NEIGHBOR_ANNOUNCEMENTS 3u
#define NEIGHBOR_BUCKETS (MR_NEIGHBORS_MAX * 2)
#define NEIGHBOR_DNS_MAX 8u
#define NEIGHBOR_CHANNEL_SLOTS 2048u

/* Counted by the control thread, per interface; shown with these names. */
#define NEIGHBOR_COUNTS(X) \
	X(HEARD, "messages-heard", "messages that reached the control thread") \
	X(ASKED, "solicitations-sent", "questions sent: ARP requests, neighbour solicitations") \
	X(ASK_LIMIT, "solicitations-limited", "questions not sent: above the limit of all") \
	X(ANSWERED, "proxy-answers", "questions answered for others") \
	X(ANNOUNCED, "announcements-sent", "gratuitous ARP and unsolicited advertisements") \
	X(RESOLVED, "resolved", "neighbours that were found") \
	X(MOVED, "moved", "neighbours whose Ethernet address changed") \
	X(FAILED, "failed", "neighbours that did not answer") \
	X(EXPIRED, "expired", "neighbours forgotten: unused, or failed for long") \
	X(EVICTED, "evicted", "neighbours forgotten to make room") \
	X(REFUSED, "refused", "neighbours not taken in: no room") \
	X(WAITED, "packets-queued", "packets that waited for a neighbour") \
	X(WENT, "packets-released", "of them, sent on") \
	X(OVERRUN, "packets-overrun", "of them, dropped for newer ones or for want of room") \
	X(UNREACHABLE, "packets-unreachable", "of them, reported unreachable") \
	X(STRAY, "packets-stray", "packets whose next hop went away meanwhile") \
	X(CONFLICT, "conflicts", "messages of others that use one of our addresses") \
	X(DUPLICATE, "duplicates", "addresses of ours found in use by others") \
	X(SOLICITED, "router-solicitations", "router solicitations received") \
	X(ADVERTISED, "router-advertisements", "router advertisements sent")

/* clang-format off */
enum neighbor_count {
#define X(id, name, doc) NEIGHBOR_##id##_N,
	NEIGHBOR_COUNTS(X)
#undef X
	NEIGHBOR_COUNT_N,
};
/* clang-format on */

extern const struct mr_named neighbor_counts[NEIGHBOR_COUNT_N];

/* Settings of a router (VRF). */
struct neighbor_settings {
	struct neighbor_times times;
	uint32_t limit;                               /* neighbours per interface */
	uint16_t queue;                               /* packets that may wait for one */
	uint32_t answer_rate, heard_rate, glean_rate; /* per second and interface */
};

enum neighbor_gratuitous {
	NEIGHBOR_GRATUITOUS_UPDATE, /* existing entries only */
	NEIGHBOR_GRATUITOUS_LEARN,  /* new ones too */
	NEIGHBOR_GRATUITOUS_IGNORE,
};

/* RFC 4861, 6.2.1. Seconds unless said otherwise. */
struct neighbor_ra_settings {
	bool on, managed, other, prefixes, on_link, autonomous;
	uint16_t max_interval, min_interval, lifetime;
	uint8_t preference; /* RFC 4191: as on the wire, 0 medium, 1 high, 3 low */
	uint8_t hop_limit;
	uint32_t mtu;                   /* 0: not told */
	uint32_t reachable, retransmit; /* milliseconds; 0: not told */
	uint32_t valid, preferred;      /* UINT32_MAX: for ever */
	uint32_t dns_lifetime;
	uint8_t dns[NEIGHBOR_DNS_MAX][16];
	unsigned dns_count;
	char search[NEIGHBOR_DNS_MAX][254];
	unsigned search_count;
};

struct neighbor_interface_settings {
	bool proxy, dad;
	uint8_t gratuitous; /* enum neighbor_gratuitous */
	struct neighbor_ra_settings ra;
};

enum neighbor_address_state {
	NEIGHBOR_ADDRESS_WAITING, /* for the interface to come up */
	NEIGHBOR_ADDRESS_PROBING,
	NEIGHBOR_ADDRESS_READY,
	NEIGHBOR_ADDRESS_DUPLICATE,
};

/* One of our own addresses. */
struct neighbor_address {
	uint8_t family, state;
	uint8_t bytes[16];
	uint8_t probes, announcements; /* still to send */
	uint8_t nonce[6];              /* RFC 7527 */
	bool seen;
	uint64_t due;      /* 0: nothing to do */
	uint64_t defended; /* last time */
};

struct neighbor_ra {
	uint64_t due;    /* next advertisement; 0: none */
	uint64_t sent;   /* last one */
	uint8_t initial; /* quick ones still to come (RFC 4861, 6.2.4) */
	bool running;
};

struct neighbor;
TAILQ_HEAD(neighbor_list, neighbor);

/* A neighbour stands in one of these while it may have to give way to another. */
enum neighbor_rank {
	NEIGHBOR_RANK_OPEN,  /* INCOMPLETE, FAILED, and no route wants it */
	NEIGHBOR_RANK_STALE, /* STALE */
	NEIGHBOR_RANKS,
	NEIGHBOR_RANK_NONE = NEIGHBOR_RANKS,
};

struct neighbor_interface {
	struct mr_timer timer; /* for addresses and advertisements */
	bool configured;       /* by neighbors_interface_set */
	bool known, up;
	bool notify; /* `changed` is to be called */
	uint8_t mac[6];
	uint16_t vrf;
	struct neighbor_settings settings;
	struct neighbor_interface_settings own;
	struct neighbor_address *addresses; /* [MR_IP_ADDRESSES_MAX], made when there are any */
	unsigned address_count;
	struct neighbor_ra ra;
	struct neighbor_list ranks[NEIGHBOR_RANKS]; /* oldest first */
	uint32_t rank_count[NEIGHBOR_RANKS];
	uint32_t count;
	uint64_t counts[NEIGHBOR_COUNT_N];
	struct mr_log_limit conflict_log;
};

struct neighbor {
	struct mr_timer timer; /* runs while machine.due */
	struct neighbor_machine machine;
	uint32_t chain;     /* next of its hash bucket, or of the free ones */
	uint32_t adjacency; /* ours by reference; 0: none */
	uint16_t interface;
	uint8_t family;
	uint8_t rank;
	bool live;
	bool connected; /* packets reach it by its interface's subnet */
	bool route;     /* its own /32 or /128 is in the RIB */
	bool wanted;    /* a route leads through it */
	bool configured, router;
	uint8_t address[16];
	uint32_t round; /* neighbors.round when a group had it last */
	uint16_t vrf;   /* where its route is */
	uint16_t queued;
	uint32_t first, last; /* of those that wait, in neighbors.waiting */
	uint64_t uses;        /* packets that waited for it */
	uint64_t probes;      /* solicitations sent */
	TAILQ_ENTRY(neighbor) link, all;
};

struct neighbor_waiting {
	uint32_t packet;
	uint32_t next;
};

struct neighbors {
	struct neighbor_nodes nodes; /* the workers' */
	struct mr_ip *ip;
	struct mr_rib *rib; /* may be null */
	struct mr_buffers *buffers;
	struct mr_log *log;
	struct mr_port *port;
	struct mr_channel *channel;
	struct mr_rcu_queue retired; /* views */
	uint64_t hz;
	uint64_t now;
	uint64_t random;

	struct neighbor *entries; /* [MR_NEIGHBORS_MAX + 1], 0 is none */
	uint32_t entry_end, free, count;
	uint32_t *buckets;
	struct mr_hash_key key;
	struct mr_timer_wheel *wheel;
	struct neighbor_list ranks[NEIGHBOR_RANKS];

	struct neighbor_interface *interfaces; /* [MR_IP_INTERFACES_MAX] */
	struct mr_timer_wheel *interface_wheel;

	struct neighbor_waiting *waiting; /* [NEIGHBOR_QUEUE_TOTAL + 1] */
	uint32_t waiting_free;

	uint32_t out[256]; /* for the channel */
	unsigned out_count;
	uint64_t asks_due; /* GCRA of all solicitations, microseconds */

	uint32_t walk;  /* group looked at last */
	uint32_t round; /* how often all were */
	uint64_t walk_due;
	bool notify;
	/* Called at the end of a tick when an address became usable, or not; may be null. */
	void (*changed)(void *user, uint16_t interface);
	void *user;
};

struct neighbors_config {
	struct mr_ip *ip;
	struct mr_rib *rib;
	struct mr_buffers *buffers;
	struct mr_log *log;
	uint16_t port; /* index for the channel */
	uint16_t workers;
	uint64_t hz; /* of mr_cycles() */
	uint64_t now;
};

/* neighbors.c */
int neighbors_create(struct neighbors **out, const struct neighbors_config *, struct mr_error *);
void neighbors_destroy(struct neighbors *);
void neighbors_defaults(struct neighbor_settings *, struct neighbor_interface_settings *);
/* Everything that is due, and what came; returns when to be called next, in milliseconds. */
uint32_t neighbors_tick(struct neighbors *, uint64_t now);
uint32_t neighbors_random(struct neighbors *);
/* An address for a person. */
const char *neighbor_text(char *text, size_t size, unsigned family, const uint8_t *bytes);

/* table.c */
struct neighbor *neighbor_find(const struct neighbors *, uint16_t interface, unsigned family,
    const uint8_t *address);
/* Finds or makes it; null when there is no room. */
struct neighbor *neighbor_make(struct neighbors *, uint16_t interface, unsigned family,
    const uint8_t *address);
void neighbor_drop(struct neighbors *, struct neighbor *);
void neighbor_happens(struct neighbors *, struct neighbor *, enum neighbor_event,
    const uint8_t *mac, bool override);
/* A packet that waits, or goes at once. `glean`: it came by way of the connected subnet. */
void neighbor_take(struct neighbors *, struct neighbor *, uint32_t packet, bool glean);
void neighbor_configure(struct neighbors *, struct neighbor *, const uint8_t mac[6]);
/* All of an interface but the configured ones, or all. */
void neighbor_flush(struct neighbors *, uint16_t interface, bool configured);
void neighbor_expire(struct neighbors *);
/* Next hops of routes that nobody has asked for yet. */
void neighbor_walk(struct neighbors *);

/* send.c */
void neighbors_give(struct neighbors *, uint32_t packet, enum neighbor_parcel);
void neighbors_flush(struct neighbors *);
void neighbors_send_frame(struct neighbors *, uint16_t interface, const uint8_t *frame,
    unsigned len);
/* To `mac`, or to all who might be it. */
void neighbor_ask(struct neighbors *, struct neighbor *, const uint8_t *mac);
void neighbor_probe_own(struct neighbors *, uint16_t interface, const struct neighbor_address *);
void neighbor_announce(struct neighbors *, uint16_t interface, const struct neighbor_address *);
void neighbor_unreachable(struct neighbors *, struct neighbor_interface *, uint32_t packet);

/* receive.c */
void neighbors_receive(struct neighbors *);

/* address.c */
/* The configuration has this interface; with null settings, not any more. */
void neighbors_interface_set(struct neighbors *, uint16_t interface,
    const struct neighbor_settings *, const struct neighbor_interface_settings *);
void neighbors_interface_changed(struct neighbors *, uint16_t interface);
void neighbors_interface_due(struct neighbors *, uint16_t interface);
void neighbors_conflict(struct neighbors *, uint16_t interface, const struct neighbor_message *);
/* When something of the interface is to be done next. */
void neighbors_interface_arm(struct neighbors *, uint16_t interface);

/* advertise.c */
void neighbor_ra_changed(struct neighbors *, uint16_t interface);
void neighbor_ra_due(struct neighbors *, uint16_t interface);
void neighbor_ra_asked(struct neighbors *, uint16_t interface);
/* The last one, with lifetime 0 (RFC 4861, 6.2.5). */
void neighbor_ra_stop(struct neighbors *, uint16_t interface);
#define NEIGHBOR_RA_MAX 1280u
unsigned neighbor_ra_write(const struct neighbors *, uint16_t interface, bool last,
    uint8_t frame[NEIGHBOR_RA_MAX]);

mr_inline uint32_t
neighbor_index(const struct neighbors *n, const struct neighbor *e)
{
	return (uint32_t)(e - n->entries);
}

mr_inline void
neighbor_count(struct neighbors *n, uint16_t interface, enum neighbor_count what, uint64_t by)
{
	n->interfaces[interface].counts[what] += by;
}

#endif
