/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_MODEL_TEST_INT_H
#define MR_NF_CONNTRACK_MODEL_TEST_INT_H

/* A slow reading of what connections are, for tests: an array that is looked through from its beginning. */

#include <time.h>

#include "nf/conntrack/track_test_int.h"

#define CONNECTIONS 4096u

enum kind { UDP, ECHO, GRE, OTHER, TCP, KINDS };
enum tcp { SYN_SENT, SYN_RECV, OPEN, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSED, BOTH_SYN };

struct one {
	bool there;
	enum kind kind;
	unsigned zone;
	struct ends ends; /* of the first packet */
	bool counted;     /* it began under a limit of its source */
	bool replied, assured;
	uint32_t packets[2], seen, created;
	/* TCP */
	enum tcp tcp;
	uint32_t next[2],
	    acked[2]; /* what each end sends next; what of it the other has acknowledged */
	bool acks[2]; /* it has acknowledged something, and said how much more may come */
	bool unacked[2], both, fin[2], closes;
	uint8_t last; /* flags of what was sent last, and by whom */
	unsigned last_end;
	char did[24]; /* the last packets, for whoever has to find out */
};

struct model {
	struct bed b;
	struct one all[CONNECTIONS];
	uint64_t seed, tcp[BOTH_SYN + 1];
	unsigned limit;
	uint64_t said[3];
};

/* The test's own time, seconds. */
extern uint32_t slow_now;
int __wrap_clock_gettime(clockid_t, struct timespec *);

unsigned slow_below(struct model *, unsigned n);
/* How long it stays without packets. */
uint32_t slow_lasts(const struct one *);
bool slow_is_same(const struct ends *, const struct ends *);
/* The connection that has these ends, and which of them they begin with. */
struct one *slow_find(struct model *, enum kind, unsigned zone, const struct ends *, unsigned *end);
/* A new one; null: its source may have no other. */
struct one *slow_begin(struct model *, enum kind, unsigned zone, const struct ends *);
void slow_forget_old(struct model *);

#endif
