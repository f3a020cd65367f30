/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sflow/sflow_int.h"
#include "nf/interface/interface.h"

static void
show_interface(const struct sflow *s, const struct mr_interface *i, struct mr_state *st)
{
	uint64_t pool, drops;

	mr_probe_sampled(s->probe, i->index, &pool, &drops);
	mr_state_list(st, "interface", i->name);
	mr_state_uint(st, "sampling-rate", s->rates[i->index]);
	mr_state_uint(st, "index", i->index + 1u);
	mr_state_open(st, "counters");
	mr_state_uint(st, "sample-pool", pool);
	mr_state_uint(st, "samples", s->ports[i->index].samples);
	mr_state_uint(st, "drops", drops);
	mr_state_uint(st, "counter-samples", s->ports[i->index].told);
	mr_state_close(st);
	mr_state_close(st);
}

void
sflow_show(void *state, struct mr_state *st)
{
	const struct sflow *s = state;

	if (!s->collector_count)
		return;
	mr_state_open(st, "sflow");
	for (unsigned i = 0; i < s->collector_count; i++) {
		const struct sflow_collector *c = &s->collectors[i];

		mr_state_list(st, "collector", c->name);
		if (c->error[0])
			mr_state_text(st, "trouble", c->error);
		mr_state_open(st, "counters");
		mr_state_uint(st, "datagrams", c->sent);
		mr_state_uint(st, "lost-datagrams", c->lost);
		mr_state_close(st);
		mr_state_close(st);
	}
	for (unsigned p = 0; s->probe && p < MR_PORT_MAX; p++) {
		const struct mr_interface *i =
		    mr_interface_at(mr_interfaces_of(s->dp), (uint16_t)p);

		if (i && s->rates[p])
			show_interface(s, i, st);
	}
	mr_state_close(st);
}
