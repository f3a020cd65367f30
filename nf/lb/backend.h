/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_BACKEND_H
#define MR_NF_LB_BACKEND_H

/*
 * The servers behind the services, as a health checker sees them: who is there, how it is to be
 * asked, and the way back, by which it tells who is fit for new connections.
 *
 * A service and a backend have numbers, which they keep from the commit that brought them until
 * the one that takes them out. A backend is healthy until somebody says otherwise. A healthy one
 * takes new connections when the configuration has it up; connections to one that is not healthy
 * are broken: their next packet is given another server.
 *
 * Ownership: texts belong to the load balancer, and hold until its next finish.
 * Threads: the
 * control thread.
 */

#include "nf/nf.h"

struct mr_lb; /* this function's state in one data plane */

struct mr_lb *mr_lb_of(struct mr_dataplane *);

enum mr_lb_check_type {
	MR_LB_CHECK_NONE,
	MR_LB_CHECK_TCP,  /* a connection is accepted */
	MR_LB_CHECK_HTTP, /* and a request answered with the status, and the body, that are wanted */
	MR_LB_CHECK_UDP,  /* no ICMP error; and the answer, where one is said */
	MR_LB_CHECK_ICMP, /* an echo request is answered */
};

/* A service's container `health`. */
struct mr_lb_check {
	enum mr_lb_check_type type;
	uint16_t port;              /* 0: the backend's */
	uint32_t interval, timeout; /* milliseconds */
	uint32_t rise, fall;        /* so many good, bad answers in a row make it up, down */
	uint16_t status_first, status_last; /* HTTP: what is a good one */
	const char *path, *host;            /* HTTP; host null: the backend's address */
	const char *body;   /* HTTP: is somewhere in the answer's body; null: whatever it is */
	const char *send;   /* UDP: text; null: empty */
	const char *expect; /* UDP: what an answer begins with; null: none is needed */
	const char *space;  /* network namespace to ask from; null: the VRF's, else our own */
};

enum mr_lb_admin { MR_LB_UP, MR_LB_DRAIN, MR_LB_DOWN };

struct mr_lb_backend {
	unsigned service, backend; /* numbers; both unique only together */
	const char *service_name, *name;
	const char *vrf; /* of the router, where its address is; "": the main one */
	const struct mr_lb_check *check;
	uint8_t address[16]; /* wire order; IPv4 in the first four */
	bool six;
	bool healthy;
	uint8_t protocol; /* of the service: 6, 17 */
	uint8_t admin;    /* enum mr_lb_admin */
	uint16_t port;    /* where it is asked, host order; 0: a service of all ports says none */
};

/* All backends that the last commit knows: `index` is 0 at first, and counts by itself. False: that
 * was all. In prepare and commit of functions behind this one, and later. */
bool mr_lb_backend_next(const struct mr_lb *, unsigned *index, struct mr_lb_backend *);

/* Goes up with each commit that changed services, backends or how they are checked. */
uint32_t mr_lb_version(const struct mr_lb *);

/* Takes effect at once. `why` ("connection refused") is copied, for people; may be null. Numbers of
 * what is gone are ignored. */
void mr_lb_set_health(struct mr_lb *, unsigned service, unsigned backend, bool healthy,
    const char *why);

extern const struct mr_nf mr_nf_lb;

#endif
