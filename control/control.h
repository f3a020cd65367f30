/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_CONTROL_H
#define MR_CONTROL_CONTROL_H

/*
 * Control: a running data plane with the services around it (control/service.h), changed together
 * by one configuration, and asked over one HTTP server. The resources that are always there:
 *
 *	GET /state			all state, as JSON
 *	GET /state/bridge		one function's ("system" for the process itself)
 *	GET /state?form=rfc7951		with RFC 7951 names and 64-bit numbers as strings
 *	GET /state/router/routes?...	a function's state that is too long for one answer
 *	POST /act/flush/connections?...	what a function offers to be done; a line for each piece
 *					of the work, with a number
 *	GET /trace?count=N&interface=I&filter=F		recordings, one JSON object a line
 *	POST /explain?drop=ID		what would now happen to a packet that was dropped
 *	POST /explain?interface=I	what would happen to the frame in the body (in hexadecimal
 *					digits), as such an object; with to=own it goes to this
 *					data plane's own Ethernet address
 *	GET /drops?count=N&node=&reason=&interface=&filter=F&since=ID|SECONDS&follow=1&format=pcapng
 *					the last packets that were dropped, one JSON object a
 *					line, the newest last; or as a capture
 *	GET /drops/summary		each node and reason that dropped any, likewise
 *	GET /path?flow=WORKER:INDEX	the way of a running flow, there and back: two objects as
 *					of /explain; or of those that interface, protocol, address and
 *					port say
 *	GET /capture?interface=I&points=P&...		pcapng, until the client hangs up
 *
 * Ownership: owns the services' states, the HTTP server and, once create was called, the start with
 * its configuration; data plane, model, log and event base are the caller's and outlive it.
 * Threads: the event base's, which is the control thread.
 * Errors: create says what and why; apply changes nothing when it fails.
 */

#include "kit/base/error.h"
#include "nf/dataplane.h"

struct event_base;
struct mr_commit_start;
struct mr_http;
struct mr_control;

struct mr_control_config {
	struct event_base *base;
	struct mr_dataplane *dataplane;
	struct mr_model *model;
	struct mr_log *log;
	/* control/commit/commit.h: has the configuration that the data plane was made from. */
	struct mr_commit_start *start;
	const char *path; /* of the Unix socket; null: none */
};

int mr_control_create(struct mr_control **out, const struct mr_control_config *,
    struct mr_report *);
void mr_control_destroy(struct mr_control *);

/* Data plane and services change to this configuration together, or stay as they are. */
int mr_control_apply(struct mr_control *, const struct mr_config *, struct mr_report *);
/* What would be wrong with it. */
int mr_control_try(struct mr_control *, const struct mr_config *, struct mr_report *);
/* Once a second, with the time of CLOCK_MONOTONIC: of the data plane, too. */
void mr_control_tick(struct mr_control *, uint32_t seconds);
/* Writes state: of one function or service, of "system", or of all (null). -ENOENT: there is none
 * of that name. */
int mr_control_show(struct mr_control *, const char *name, struct mr_state *);

struct event_base *mr_control_base(const struct mr_control *);
struct mr_dataplane *mr_control_dataplane(const struct mr_control *);
struct mr_model *mr_control_model_of(const struct mr_control *);
struct mr_log *mr_control_log(const struct mr_control *);
struct mr_http *mr_control_http(const struct mr_control *);
struct mr_commit_start *mr_control_start(const struct mr_control *);
struct mr_service;
/* A service's state by its descriptor. */
void *mr_control_state(const struct mr_control *, const struct mr_service *);

/* -- without a running data plane -------------------------------------------------------- */

/* The model of everything: functions and services. */
int mr_control_model(struct mr_model **out, struct mr_error *);
/* Everything that functions and services find wrong with a configuration. */
void mr_control_check(const struct mr_config *, struct mr_report *);

/* Where a server is found when nothing else was said: /run/millrace.sock for root,
 * else in $XDG_RUNTIME_DIR or /tmp by user number. */
void mr_control_default_path(char *path, size_t size);

#endif
