/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SEE_SEE_INT_H
#define MR_CONTROL_SEE_SEE_INT_H

/* What the files that look into packets share. A route's state is the data plane. */

#include <event2/event.h>
#include <event2/http.h>
#include <jansson.h>

#include "control/service.h"
#include "nf/dataplane.h"

/* A recording as one line of JSON, to be freed; null without memory.
 * `lane`: what the flow lane has for the packet; null: not said. */
char *see_recording_json(struct mr_dataplane *, const struct mr_recording *, json_t *lane);

/* The resources. */
void see_trace(const struct mr_http_call *);
void see_explain(const struct mr_http_call *);
void see_capture(const struct mr_http_call *);

#endif
