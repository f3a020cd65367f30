/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SEE_DROPS_INT_H
#define MR_CONTROL_SEE_DROPS_INT_H

/*
 * What of the flight recorder (kit/graph/flight.h) a client wants, and how it gets it.
 *
 * Ownership: a selection owns its filter. Threads: control.
 */

#include "control/see/see_int.h"
#include "kit/graph/flight.h"

#define DROP_ID_MAX 32 /* "WORKER:NUMBER" */

struct selection {
	struct mr_dataplane *dp;
	char node[MR_GRAPH_NAME_MAX]; /* empty: any, as the others */
	char reason[64];
	uint16_t port; /* received there; MR_FLIGHT_NO_PORT: anywhere */
	struct bpf_program filter;
	bool filtered;
	uint32_t count; /* the last so many */
	uint64_t after; /* a cycle stamp */
};

/* From the query; false: the client has been told what is wrong. */
bool selection_read(struct selection *, const struct mr_http_call *, uint32_t count);
void selection_free(struct selection *);
bool selection_has(const struct selection *, const struct mr_flight_drop *);
/* Keeps of a list what is selected, the last `count`. */
void selection_apply(const struct selection *, struct mr_flight_list *);

void drop_id(const struct mr_flight_drop *, char text[DROP_ID_MAX]);
/* Reads one; false: it is none. */
bool drop_id_read(const char *text, uint16_t *worker, uint64_t *number);
/* The drop of this id; null: it is not, or no more, in the list. */
const struct mr_flight_drop *drop_find(const struct mr_flight_list *, const char *id);

const char *drop_reason(const struct mr_flight_drop *);
const char *drop_why(const struct mr_flight_drop *);
/* As people write it, to the microsecond, in UTC. */
void drop_time(const struct mr_graph *, uint64_t cycles, char text[32]);

/* A line of JSON. */
void drop_write_json(struct mr_dataplane *, struct evbuffer *, const struct mr_flight_drop *);
/* A whole pcapng file. */
void drops_write_pcapng(struct mr_dataplane *, struct evbuffer *, const struct mr_flight_list *);
/* A line for each node and reason selected that dropped any. */
void drops_write_summary(const struct selection *, struct evbuffer *,
    const struct mr_flight_list *);

#endif
