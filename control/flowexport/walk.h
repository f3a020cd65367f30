/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_FLOWEXPORT_WALK_H
#define MR_CONTROL_FLOWEXPORT_WALK_H

/*
 * The walk over a lane's ledger (kit/flow/ledger.h): which flows have had something since their
 * last record and are due, and what that was. It goes over all entries again and again, in
 * pieces of a given time, so that nobody else on the control thread waits for it. A flow is due
 *
 *	when it was silent for `idle` seconds		end reason 1
 *	`active` seconds after its last record		2
 *	when TCP has closed or reset it, a second later	3
 *	when flows are no longer kept			4
 *	when the ledger is all but full			5
 *
 * What is over is released, which makes room in the ledger.
 *
 * Threads: the control thread.
 */

#include "control/flowexport/message.h"
#include "kit/base/error.h"
#include "kit/flow/ledger.h"

struct walk;

struct walk_conf {
	uint32_t active, idle; /* seconds */
};

/* A flow's record, all but its VRF; `port` is where it came in. */
typedef void walk_record_fn(void *arg, uint16_t port, struct flow_record *);

struct walk_stats {
	uint64_t passes, pass_us, piece_us; /* the last pass, waits included; the longest piece */
	uint64_t ended[FLOW_END_RESOURCES + 1];
};

int walk_create(struct walk **out, struct mr_lane *, const struct walk_conf *, walk_record_fn *,
    void *arg, struct mr_error *);
void walk_destroy(struct walk *);
struct mr_lane *walk_lane(const struct walk *);
void walk_set(struct walk *, const struct walk_conf *);
/* For at most about so many microseconds. True: the pass is over; the next call begins another. */
bool walk_some(struct walk *, unsigned us);
/* Everything that was not told yet, by force; false when it took longer than so many microseconds
 * and the rest is lost. */
bool walk_end(struct walk *, unsigned us);
/* The walk of another lane goes on counting for this one. */
void walk_stats(const struct walk *, struct walk_stats *);

#endif
