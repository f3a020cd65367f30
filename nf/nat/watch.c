/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tells the operator that something has run out (RFC 6888, REQ-11 C): a line in the program's log
 * when packets begin to be dropped for it, and one each minute for as long as they are.
 */

#include "nf/nat/control_int.h"

#define AGAIN_SECONDS 60u

static const struct {
	enum nat_count count;
	const char *doc;
} reasons[NAT_WATCHED] = {
	{ NAT_COUNT_NO_PORT, "no outside port is free for them" },
	{ NAT_COUNT_NO_BLOCK, "no block of outside ports is free for their subscriber" },
	{ NAT_COUNT_LIMIT, "their subscriber has as many ports or sessions as it may" },
	{ NAT_COUNT_RATE, "their subscriber makes too many mappings in a second" },
	{ NAT_COUNT_NO_SUBSCRIBER, "no room for another subscriber" },
	{ NAT_COUNT_FULL, "no room for another mapping or session (nat/max)" },
};

static void
look(const struct mr_nat *nat, struct nat_watch *w, const struct nat_conf_instance *c,
    unsigned reason, uint32_t now)
{
	uint64_t count = mr_counters_sum(nat->core->table->counters,
	    c->number * NAT_COUNT_COUNT + reasons[reason].count);
	uint64_t *told = &w->told[c->number][reason];
	uint32_t *next = &w->next[c->number][reason];

	if (count == *told || (int32_t)(now - *next) < 0)
		return;
	mr_log(mr_dataplane_log(nat->dp), MR_LOG_WARNING, "nat %s: %llu packets dropped: %s",
	    c->name, (unsigned long long)(count - *told), reasons[reason].doc);
	*told = count;
	*next = now + AGAIN_SECONDS;
}

void
nat_watch_tick(const struct mr_nat *nat, struct nat_watch *w, uint32_t now)
{
	for (unsigned i = 0; i < nat->conf.count; i++)
		for (unsigned r = 0; r < NAT_WATCHED; r++)
			look(nat, w, &nat->conf.instances[i], r, now);
}
