/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SEE_SEE_INT_H
#define MR_CONTROL_SEE_SEE_INT_H

/* What the files that look into packets share. A route's state is the data plane. */

#include <event2/event.h>
#include <event2/http.h>
#include <jansson.h>
#include <pcap/pcap.h>

#include "control/service.h"
#include "nf/dataplane.h"

/* A recording as one line of JSON, to be freed; null without memory. */
char *see_recording_json(struct mr_dataplane *, const struct mr_recording *);
/* The same as an object; its `lane`: what the flow lane has for the packet; `sent`: what would leave;
 * null: not said. */
json_t *see_recording(struct mr_dataplane *, const struct mr_recording *, json_t *lane,
    json_t *sent);

/* An expression of tcpdump's language, to be freed (pcap_freecode). False: `why` says what is wrong
 * with it. */
bool see_compile(struct bpf_program *out, const char *expression, char *why, size_t size);
/* A number of the query. False: it is none, or above `max`. */
bool see_number(const struct mr_http_call *, const char *name, uint32_t fallback, uint32_t max,
    uint32_t *out);
/* A node by its name. */
bool see_node(const struct mr_graph *, const char *name, uint16_t *out);
/* What would happen to a frame that comes in there, as an object; null: it could not be said. `flags`: the
 * packet's. */
json_t *see_explanation(struct mr_dataplane *, uint16_t port, const uint8_t *frame, unsigned len,
    unsigned flags);
/* The time of day of a cycle stamp, in nanoseconds since 1970. */
uint64_t see_wall_time(const struct mr_graph *, uint64_t cycles);

/* The resources. */
void see_trace(const struct mr_http_call *);
void see_explain(const struct mr_http_call *);
void see_capture(const struct mr_http_call *);
void see_drops(const struct mr_http_call *);
void see_path(const struct mr_http_call *);

#endif
