/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_DATAPLANE_H
#define MR_NF_DATAPLANE_H

/*
 * A data plane: buffers, graph and the state of every network function, made
 * from one configuration and changed by the next. Two in a process do not know of each other.
 *
 * Ownership: owns everything that it made; the model and the log are the caller's.
 * Threads: the control thread; the graph brings its own workers.
 * Errors: create and apply change nothing when they fail.
 */

#include "kit/base/log.h"
#include "kit/graph/plugin.h"
#include "nf/nf.h"

struct mr_dataplane;

/* Makes the data plane that `config` describes, not yet running. */
int mr_dataplane_create(struct mr_dataplane **out, const struct mr_config *config, struct mr_log *,
    struct mr_report *);
void mr_dataplane_destroy(struct mr_dataplane *);

/* Everything that the functions find wrong with a configuration, without a data plane. */
void mr_dataplane_check(const struct mr_config *, struct mr_report *);

/* The same by the functions of a running one, which know more. */
void mr_dataplane_try(struct mr_dataplane *, const struct mr_config *, struct mr_report *);
/* What its functions say about a change that the plan describes. */
void mr_dataplane_plan(struct mr_dataplane *, struct mr_nf_plan *);
int mr_dataplane_apply(struct mr_dataplane *, const struct mr_config *, struct mr_report *);
int mr_dataplane_start(struct mr_dataplane *, struct mr_error *);
void mr_dataplane_stop(struct mr_dataplane *);

/* Once a second, with the time of CLOCK_MONOTONIC. */
void mr_dataplane_tick(struct mr_dataplane *, uint32_t seconds);
/* The n-th descriptor that asks for a tick when it becomes readable; -1 past the last. */
int mr_dataplane_fd(const struct mr_dataplane *, unsigned n);
/* True when nothing more can come in: every port that receives is a capture file, or
 * the like, that has come to its end. */
bool mr_dataplane_done(const struct mr_dataplane *);
/* Whether it can come to that at all. */
bool mr_dataplane_is_finite(const struct mr_dataplane *);

/* Writes state: of one function ("bridge"), of "system", or of all (null).
 * -ENOENT: no such function. */
int mr_dataplane_show(struct mr_dataplane *, const char *function, struct mr_state *);

/* Opens a function's stream, which must be closed before the data plane is destroyed. -ENOENT: no
 * such function, or no such stream of it. */
int mr_dataplane_stream(struct mr_dataplane *, const char *function, const char *name,
    const struct mr_nf_query *, struct mr_nf_stream *, struct mr_error *);
/* Begins an act of whichever function has it; as a stream. -ENOENT: none has. -EINVAL, too, for a
 * filter that it does not know, if `filters` (ends with null) says what the client gave: what a
 * misspelt one would have kept must not be lost. */
int mr_dataplane_act(struct mr_dataplane *, const char *name, const char *const *filters,
    const struct mr_nf_query *, struct mr_nf_stream *, struct mr_error *);
/* Words of whichever function has some for this operation of a recording; false: none has. */
bool mr_dataplane_describe(struct mr_dataplane *, const struct mr_op *, char *text, size_t size);
/* The Ethernet address that a frame for this data plane itself has on this interface: a function's,
 * or the port's own. False: there is no such interface. */
bool mr_dataplane_address(struct mr_dataplane *, uint16_t interface, uint16_t vlan, uint8_t mac[6]);

/* Whose a packet is that comes in there: of which router or bridge. False: nobody's. */
bool mr_dataplane_whose(struct mr_dataplane *, uint16_t interface, uint16_t vlan, char *text,
    size_t size);

struct mr_graph *mr_dataplane_graph(struct mr_dataplane *);
struct mr_buffers *mr_dataplane_buffers(struct mr_dataplane *);
struct mr_log *mr_dataplane_log(struct mr_dataplane *);
struct mr_plugins *mr_dataplane_plugins(struct mr_dataplane *);
/* A function's state by its descriptor. */
void *mr_dataplane_state(struct mr_dataplane *, const struct mr_nf *);

#endif
