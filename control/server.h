/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SERVER_H
#define MR_CONTROL_SERVER_H

/*
 * How a running data plane is asked: HTTP over a Unix socket, so that the verbs,
 * curl --unix-socket and scripts use one door.
 *
 *	GET /state			all state, as JSON
 *	GET /state/bridge		one function's ("system" for the process itself)
 *	GET /state?form=rfc7951		with RFC 7951 names and 64-bit numbers as strings
 *	GET /state/router/routes?...	a function's state that is too long for one answer
 *	GET /trace?count=N&interface=I&filter=F		recordings, one JSON object a line
 *	POST /explain?interface=I	what would happen to the frame in the body (in hexadecimal
 *					digits), as such an object; with to=own it goes to this
 *					data plane's own Ethernet address
 *	POST /act/flush/connections?...	what a function offers to be done; a line for each piece
 *					of the work, with a number
 *	GET /capture?interface=I&points=P&...		pcapng, until the client hangs up
 *
 * Ownership: the server owns its socket; data plane, model and event base are the
 * caller's and outlive it.
 * Threads: the event base's, which is the control thread.
 * Errors: create says what and why; a bad request gets 4xx and a JSON text, and
 * nothing else happens.
 */

#include "kit/base/error.h"
#include "nf/dataplane.h"

struct event_base;
struct mr_server;

struct mr_server_config {
	struct event_base *base;
	struct mr_dataplane *dataplane;
	struct mr_model *model;
	const char *path; /* of the socket */
};

int mr_server_create(struct mr_server **out, const struct mr_server_config *, struct mr_error *);
void mr_server_destroy(struct mr_server *);

/* Where a server is found when nothing else was said: /run/millrace.sock for root,
 * else in $XDG_RUNTIME_DIR or /tmp by user number. */
void mr_server_default_path(char *path, size_t size);

#endif
