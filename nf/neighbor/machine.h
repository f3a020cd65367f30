/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_MACHINE_H
#define MR_NF_NEIGHBOR_MACHINE_H

/*
 * What is known of one neighbour, and what is to be done about it: the state machine of RFC
 * 4861, 7.3 and appendix C, for IPv4 as well. It sends nothing and keeps no time: an event and the
 * time go in, actions come out.
 *
 * Two things differ from a host's. A router's fast path does not tell whether it uses
 * an entry, so one that it can use (`used`) is taken for used: when its reachability runs out it
 * goes on to DELAY and is asked, instead of resting as STALE. And what did not answer is remembered
 * for a while (FAILED), so that packets to it cost one solicitation per second and no more.
 *
 * Ownership, threads: a value of the control thread's. Errors: none.
 */

#include "kit/base/def.h"

enum neighbor_state {
	NEIGHBOR_INCOMPLETE, /* asked for; packets wait */
	NEIGHBOR_REACHABLE,
	NEIGHBOR_STALE, /* has an address that nobody confirmed lately, and that nobody uses */
	NEIGHBOR_DELAY, /* used again: asked for if nothing is heard in five seconds */
	NEIGHBOR_PROBE, /* being asked */
	NEIGHBOR_FAILED,
	NEIGHBOR_PERMANENT, /* the configuration's */
	NEIGHBOR_STATES,
};

enum neighbor_event {
	NEIGHBOR_WANTED,      /* a packet or a route wants it */
	NEIGHBOR_TIMEOUT,     /* `due` has come */
	NEIGHBOR_SOLICITED,   /* an answer to our question */
	NEIGHBOR_UNSOLICITED, /* an advertisement that we did not ask for; gratuitous ARP */
	NEIGHBOR_HEARD,       /* its address in a question of its own, a router's message */
	NEIGHBOR_EVENTS,
};

enum neighbor_action {
	NEIGHBOR_ASK_ALL = 1u << 0, /* a solicitation to the group or broadcast */
	NEIGHBOR_ASK_ONE = 1u << 1, /* to its known address */
	NEIGHBOR_USE = 1u << 2,     /* the Ethernet address is new: tell the forwarding */
	NEIGHBOR_RELEASE = 1u << 3, /* what waits can go */
	NEIGHBOR_FAIL = 1u << 4,    /* what waits cannot go, the forwarding must not use it */
	NEIGHBOR_GONE = 1u << 5,    /* forget it */
};

/* Milliseconds, but for the counts. */
struct neighbor_times {
	uint32_t reachable; /* base; each time between half and one and a half of it */
	uint32_t retransmit;
	uint32_t delay;
	uint32_t stale;  /* how long an unused entry is kept */
	uint32_t failed; /* how long a failure is remembered */
	uint8_t asks;    /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
};

struct neighbor_machine {
	uint64_t due;       /* when the next NEIGHBOR_TIMEOUT is; 0: never */
	uint64_t since;     /* of this state */
	uint64_t confirmed; /* last known to be reachable; 0: never */
	uint64_t asked;     /* last solicitation */
	uint8_t mac[6];
	uint8_t state; /* enum neighbor_state */
	uint8_t asks;  /* solicitations sent in this state */
	bool used;     /* the forwarding has its address */
};

/* What the message said, for the events that have one. `random` is any 32 bits. */
unsigned neighbor_step(struct neighbor_machine *, const struct neighbor_times *,
    enum neighbor_event, const uint8_t mac[6], bool override, uint64_t now, uint32_t random);

/* A fresh one: nothing sent yet, nothing known. */
void neighbor_machine_init(struct neighbor_machine *, const struct neighbor_times *, uint64_t now);

const char *neighbor_state_name(enum neighbor_state);

#endif
