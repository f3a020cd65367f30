/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tells the operator that something has run out (RFC 6888, REQ-11 C): a line in the program's log
 * when packets begin to be dropped for it, and one each minute for as long as they are.
 */

#include "nf/nat64/control_int.h"

#define AGAIN_SECONDS 60u

static const struct {
	enum n64_count count;
	const char *doc;
} reasons[N64_WATCHED] = {
	{ N64_COUNT_NO_PORT, "no outside port is free for them" },
	{ N64_COUNT_NO_BLOCK, "no block of outside ports is free for their subscriber" },
	{ N64_COUNT_LIMIT, "their subscriber has as much as it may" },
	{ N64_COUNT_RATE, "their subscriber makes too many bindings in a second" },
	{ N64_COUNT_NO_SUBSCRIBER, "no room for another subscriber" },
	{ N64_COUNT_FULL, "no room for another binding or session (nat64/max)" },
};

void
n64_watch_tick(struct mr_nat64 *n, uint32_t now)
{
	for (unsigned i = 1; i <= N64_INSTANCES_MAX; i++)
		for (unsigned r = 0; n->made[i].pool && r < N64_WATCHED; r++) {
			struct n64_watch *w = &n->watch[i][r];
			uint64_t count = mr_counters_sum(n->core->table->counters,
			    i * N64_COUNT_COUNT + reasons[r].count);

			if (count == w->told || (int32_t)(now - w->next) < 0)
				continue;
			mr_log(mr_dataplane_log(n->dp), MR_LOG_WARNING,
			    "nat64 %s: %llu packets dropped: %s", n->made[i].conf.name,
			    (unsigned long long)(count - w->told), reasons[r].doc);
			w->told = count;
			w->next = now + AGAIN_SECONDS;
		}
}
