/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SERVICE_H
#define MR_CONTROL_SERVICE_H

/*
 * What a service of the control plane tells about itself: one constant descriptor,
 * `mr_service_NAME`, in the service's own folder. A service is how machines and people steer the
 * data plane or see inside it: HTTP resources, exporters, recorders. It may bring a YANG module and
 * takes part in commits as a network function does (nf/nf.h), behind all of them. The build makes the list; nothing else learns a service's name.
 *
 * Threads: everything here runs on the control thread.
 */

#include <jansson.h>

#include "control/control.h"
#include "control/http/http.h"
#include "model/config.h"
#include "model/state.h"

/* One operation (an rpc of the service's YANG module): POST /restconf/operations/NAME. */
struct mr_rpc_call {
	const char *who;          /* as in mr_http_call */
	const json_t *input;      /* an object with the input's leaves; null: none was sent */
	json_t *output;           /* an object to be filled, empty */
	struct mr_report *report; /* what is wrong; filled when -EINVAL comes back */
	struct mr_error error;    /* what else went wrong */
};
struct mr_rpc {
	const char *name;       /* "millrace-commit:apply" */
	enum mr_http_role role; /* who may */
	/* 0; -EINVAL: the client's mistake; -ENOENT; -EAGAIN, -EBUSY: not now; others: it failed. */
	int (*run)(void *state, struct mr_rpc_call *);
};

struct mr_service {
	const char *name;
	const char *doc;
	const char *yang; /* the text of its YANG module; null: none */

	/* The data plane is there, with its first configuration in it, not yet running. */
	int (*create)(void **state, struct mr_control *, struct mr_error *);
	void (*destroy)(void *state);

	/* Each may be null. `state` is null in check when there is no running data plane. */
	void (*check)(void *state, const struct mr_config *next, struct mr_report *);
	int (*prepare)(void *state, const struct mr_config *next, struct mr_error *);
	void (*commit)(void *state);
	void (*finish)(void *state);
	void (*abort)(void *state);

	void (*tick)(void *state, uint32_t seconds);  /* once a second; may be null */
	void (*show)(void *state, struct mr_state *); /* writes its state; may be null */
	const struct mr_http_route *routes;           /* end with a null path; may be null */
	const struct mr_rpc *rpcs;                    /* end with a null name; may be null */
};

/* Ends with a null pointer. */
extern const struct mr_service *const mr_service_list[];

#endif
