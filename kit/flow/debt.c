/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that were replayed and that nobody was told of yet: what the flow counts beyond `told`.
 * Flows that may have some stand in a ring, each once; one that goes stays there until it is its
 * turn, and so does the next one with its index, which finds itself there already.
 */
#include "kit/flow/table_int.h"

/* Flows fetched before their turn. */
#define AHEAD 8u

void
mr_flow_table_owe(struct mr_flow_table *t, uint32_t flow)
{
	uint64_t at = (uint64_t)t->debtor_first + t->debtor_count;

	if (t->cold[flow].owes)
		return;
	t->cold[flow].owes = true;
	t->debtors[at >= t->max ? at - t->max : at] = flow;
	t->debtor_count++;
}

uint32_t
mr_flow_table_owing(const struct mr_flow_table *t)
{
	return t->debtor_count;
}

uint32_t
mr_flow_table_debtor(struct mr_flow_table *t)
{
	uint64_t ahead = (uint64_t)t->debtor_first + AHEAD;
	uint32_t flow;

	if (!t->debtor_count)
		return MR_FLOW_NONE;
	if (t->debtor_count > AHEAD) {
		flow = t->debtors[ahead >= t->max ? ahead - t->max : ahead];
		mr_prefetch_write(&t->cold[flow]);
		mr_prefetch(&t->lines[flow]);
	}
	flow = t->debtors[t->debtor_first++];
	t->debtor_first = t->debtor_first == t->max ? 0 : t->debtor_first;
	t->debtor_count--;
	t->cold[flow].owes = false;
	return flow;
}

uint32_t
mr_flow_table_pay(struct mr_flow_table *t, uint32_t flow)
{
	struct flow_cold *cold = &t->cold[flow];
	uint32_t all = (uint32_t)mr_counter_get(&cold->packets) + t->lines[flow].packets;
	uint32_t due = all - cold->told;

	cold->told = all;
	return due;
}

void
mr_flow_table_paid(struct mr_flow_table *t, uint32_t flow)
{
	t->cold[flow].told++;
}

void
mr_flow_table_fetch_debt(const struct mr_flow_table *t, uint32_t flow)
{
	mr_prefetch_write(&t->cold[flow]);
}
