/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_FLOWEXPORT_COLLECTOR_H
#define MR_CONTROL_FLOWEXPORT_COLLECTOR_H

/*
 * One collector: a socket to it, the message that is being filled for it, its sequence number and
 * what it has had. Over UDP templates are sent again and again; over TCP once for each connection.
 *
 * Nothing here waits for a collector. A datagram that the kernel does not take, and over TCP what
 * does not fit behind 1 MB that the collector has not read, is lost, and counted; a connection is
 * tried anew after a second, then two, four ... at most 30.
 *
 * Ownership: owns its socket and memory. Threads: the control thread.
 * Errors: those of the way are counted, and the last one kept in words.
 */

#include <sys/socket.h>

#include "control/flowexport/message.h"
#include "kit/base/error.h"
#include "model/state.h"

#define COLLECTOR_NAME_MAX 64u

struct event_base;
struct collector;

struct collector_conf {
	char name[COLLECTOR_NAME_MAX];
	enum message_protocol protocol;
	bool tcp;
	struct sockaddr_storage to, from; /* from: of the family 0 when it is not said */
	socklen_t to_size;
	uint32_t domain, limit, refresh; /* bytes, seconds */
};

/* What is told of the exporter in option records: the interfaces, one after another. */
typedef bool collector_interface_fn(void *arg, unsigned n, struct interface_record *);

int collector_create(struct collector **out, const struct collector_conf *, struct event_base *,
    uint64_t boot, collector_interface_fn *, void *arg, struct mr_error *);
/* Sends what is left, for at most half a second; null is fine. */
void collector_end(struct collector *);
void collector_destroy(struct collector *);
const struct collector_conf *collector_conf_of(const struct collector *);
/* What it had goes on counting in its successor, where that is no other stream. */
void collector_inherit(struct collector *, const struct collector *from);

void collector_put(struct collector *, const struct flow_record *);
/* Sends what is in the message. */
void collector_flush(struct collector *);
/* Once a second: templates and options that are due, connections that are to be tried again. */
void collector_tick(struct collector *, uint32_t seconds);
/* Whether anything waits to be read by the collector. */
bool collector_is_waiting(const struct collector *);
void collector_show(const struct collector *, struct mr_state *);

#endif
