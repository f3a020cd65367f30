/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_CONNTRACK_H
#define MR_NF_CONNTRACK_CONNTRACK_H

/*
 * Connection tracking: nodes in front of and behind interfaces that say of every packet which
 * connection it belongs to and in what state that is (nf/conntrack/track.h), for rules to decide
 * by. This is what other functions call.
 *
 * Threads: as said at each. Errors: a node that cannot be made is logged, and the interface
 * goes without.
 */

#include "nf/conntrack/track.h"
#include "nf/nf.h"

struct mr_conntrack; /* this function's state in one data plane */

struct mr_conntrack *mr_conntrack_of(struct mr_dataplane *);

/* In commit, by functions behind this one: packets of this interface are tracked, in the zone of
 * that name (null: as the interface's own configuration says, else the default one). */
void mr_conntrack_want(struct mr_conntrack *, uint16_t interface, const char *zone);

/* In commit, by functions behind this one: UDP to these ports (`count` of them, instead of those before)
 * belongs to no connection, because its source port says which flow is in it, and what comes back
 * has another. A packet that comes in pieces is tracked like others. */
void mr_conntrack_set_apart(struct mr_conntrack *, const uint16_t *ports, unsigned count);

/* By a node, of a packet that came through `track` in the same pass: its ports, in wire order, also
 * of a fragment that does not tell them itself. False: not known. */
bool mr_conntrack_ports(const struct mr_conntrack *, const struct mr_packet *, be16_t *sport,
    be16_t *dport);

/* By a node behind an output, of a packet that it drops: when it began its connection on the way
 * in, and nothing followed, there is none. */
void mr_conntrack_refuse(struct mr_conntrack *, unsigned worker, const struct mr_packet *);

extern const struct mr_nf mr_nf_conntrack;

#endif
