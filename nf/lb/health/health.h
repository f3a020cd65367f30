/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_HEALTH_HEALTH_H
#define MR_NF_LB_HEALTH_HEALTH_H

/*
 * Health checks: asks many servers at regular times whether they are fit, and tells when
 * that changes. It knows nothing of load balancing.
 *
 *   due (timer wheel) --> waiting, while MR_HEALTH_AT_ONCE are asked --> asked (one socket)
 *        ^                                                                  |
 *        +----------------- a good or a bad answer, or none in time --------+
 *
 * A server counts as healthy until its first check has ended, which decides at once. From then on
 * `fall` bad answers in a row make it unhealthy and `rise` good ones healthy again. Regular checks
 * follow each other a little faster than `interval`, and those after a bad answer much faster, so
 * that a server which refuses is found out within `interval`, and one that is silent
 * within that and `fall` times `timeout`.
 *
 * Sockets never block, are opened in the server's network namespace and closed with a reset, so
 * that checks leave no connections waiting. Of one answer CHECK_HTTP_BYTES_MAX are read at most.
 *
 * Ownership: a target copies its configuration. Targets go with the checker.
 * Threads: one, the control thread: it waits for mr_health_fd to become readable and then calls
 * mr_health_work. `changed` is called from there; it must not add or remove targets.
 * Errors: only the making of things fails; what goes wrong with a check is its answer.
 */

#include "kit/base/error.h"

#define MR_HEALTH_AT_ONCE 256u
#define MR_HEALTH_WHY_MAX 64u
#define MR_HEALTH_HOST_MAX 255u
#define MR_HEALTH_PATH_MAX 1024u
#define MR_HEALTH_BYTES_MAX 512u /* of what is sent, or expected, by UDP */

enum mr_health_kind {
	MR_HEALTH_TCP,  /* a connection is accepted */
	MR_HEALTH_HTTP, /* and a request is answered by a status, and with a text, that are wanted */
	MR_HEALTH_UDP, /* a datagram is answered as wanted; or no ICMP error comes until `timeout` */
	MR_HEALTH_ICMP, /* an echo request is answered */
	MR_HEALTH_KINDS,
};

struct mr_health_config {
	enum mr_health_kind kind;
	uint8_t family; /* 4 or 6 */
	uint8_t address[16];
	uint16_t port;              /* host order; not of ICMP */
	const char *space;          /* network namespace; null: the process's */
	uint32_t interval, timeout; /* milliseconds, above 0 */
	uint32_t rise, fall;        /* above 0 */
	/* HTTP */
	uint16_t status_first, status_last;
	const char *host; /* null: the address */
	const char *path; /* begins with '/' */
	const char *body; /* a text that must be in it; null: none */
	/* UDP */
	const char *send;   /* null: nothing, an empty datagram */
	const char *expect; /* what an answer begins with; null: none is needed */
};

struct mr_health;
struct mr_health_target;

struct mr_health_state {
	bool healthy, decided; /* decided: a check has ended */
	const char *why;       /* the last bad answer, "" after a good one */
	uint64_t good, bad;    /* answers */
	uint32_t took;         /* microseconds: the last check */
};

/* `why` as in the state. Also called when an unhealthy server gives another reason. */
struct mr_health_events {
	void (*changed)(void *arg, uint64_t tag, bool healthy, const char *why);
	void *arg;
};

/* Up to `max` targets. */
int mr_health_create(struct mr_health **out, uint32_t max, const struct mr_health_events *,
    struct mr_error *);
void mr_health_destroy(struct mr_health *);

int mr_health_fd(const struct mr_health *);
void mr_health_work(struct mr_health *);

/* Its first check begins within a fifth of a second. `tag` is the caller's. */
int mr_health_add(struct mr_health *, const struct mr_health_config *, uint64_t tag,
    struct mr_health_target **out, struct mr_error *);
/* What holds until its first check has ended, instead of healthy. */
void mr_health_presume(struct mr_health_target *, bool healthy);
void mr_health_remove(struct mr_health_target *);
/* Whether it is asked in just this way. */
bool mr_health_is(const struct mr_health_target *, const struct mr_health_config *);
void mr_health_state(const struct mr_health_target *, struct mr_health_state *);

#endif
