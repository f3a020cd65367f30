/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_BRIDGE_BATCH_INT_H
#define MR_NF_BRIDGE_BATCH_INT_H

/* What the phases of the bridge's loop (bridge_node.c) hand to each other. */

#include "kit/packet/wire_eth.h"
#include "nf/bridge/bridge_int.h"

#define DEPTH MR_BRIDGE_DEPTH

#define HEADER 14u
#define TAGGED 18u

enum kind {
	KIND_UNICAST = 0,
	KIND_GROUP = 1, /* to a group address */
	KIND_BAD = 2,   /* with any of the others: not to be forwarded, nor learned from */
	KIND_LIMIT = 4, /* its station may not be learned, and it is to be dropped for it */
};

struct batch {
	uint64_t src[DEPTH];
	uint64_t dst[DEPTH];
	uint32_t src_bucket[DEPTH];
	uint32_t dst_bucket[DEPTH];
	uint32_t found[DEPTH];
	uint16_t port[DEPTH];
	uint16_t slot[DEPTH];
	uint16_t vlan[DEPTH];
	uint16_t todo[DEPTH];
	uint32_t size[DEPTH]; /* without our tag: what the MTU and a header must hold */
	uint8_t kind[DEPTH];
	uint8_t tagged[DEPTH]; /* with a tag of ours, which stands at byte 12 */
	uint64_t learned;      /* of an explanation: the key that was not learned */
};

/* What every call needs. */
struct work {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct bridge_view *view;
	struct batch *b;
};

static const uint8_t nothing[TAGGED + 2];

/* Takes one token; in an explanation only asks. */
static bool
bucket_take(const struct work *w, struct bridge_bucket *bucket)
{
	uint64_t now = w->run->now;
	/* Relaxed: nothing else hangs on it. */
	uint64_t due = atomic_load_explicit(&bucket->due, memory_order_relaxed);
	uint64_t start;

	if (!bucket->interval)
		return true;
	do {
		start = MR_MAX(due, now);
		if (start - now >= bucket->burst)
			return false;
		if (mr_record_is_dry(w->rec))
			return true;
	} while (!atomic_compare_exchange_weak_explicit(&bucket->due, &due,
	    start + bucket->interval, memory_order_relaxed, memory_order_relaxed));
	return true;
}

#endif
