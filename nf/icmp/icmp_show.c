/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/icmp/control_int.h"

static const char *const names[ICMP_COUNT_COUNT] = {
#define X(id, name, doc) [ICMP_##id] = name,
	ICMP_COUNTS(X)
#undef X
};

void
icmp_show(void *state, uint16_t vrf, struct mr_state *st)
{
	const struct icmp_part *part = state;
	struct mr_reassembly_usage usage;

	mr_reassembly_usage(part->icmp->reassembly, vrf, &usage);
	mr_state_open(st, "icmp");
	mr_state_open(st, "counters");
	for (unsigned i = 0; i < ICMP_COUNT_COUNT; i++)
		mr_state_uint(st, names[i],
		    mr_counters_sum(part->icmp->counters, vrf * ICMP_COUNT_COUNT + i));
	mr_state_close(st);
	mr_state_open(st, "reassembly");
	mr_state_uint(st, "current-datagrams", usage.datagrams);
	mr_state_uint(st, "current-buffers", usage.buffers);
	mr_state_close(st);
	mr_state_close(st);
}
