/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flow/offload.h"
#include "nf/lanes/lanes_int.h"

static void
show_counters(const struct lanes *all, const struct lane_of *of, struct mr_state *st)
{
#define X(id, name, doc) name,
	static const char *const names[] = { MR_LANE_COUNTERS(X) };
#undef X
	struct mr_node_stats stats;

	if (mr_graph_node_stats(mr_dataplane_graph(all->dp), of->node, &stats))
		return;
	mr_state_open(st, "counters");
	for (unsigned i = 0; i < MR_LANE_COUNTER_COUNT; i++)
		mr_state_uint(st, names[i], stats.counters[i]);
	mr_state_close(st);
}

static void
show_offload(const struct lanes *all, unsigned worker, struct mr_state *st)
{
	struct mr_lane_offload_stats s;

	mr_lane_offload_stats(all->lane, worker, &s);
	mr_state_open(st, "offload");
	mr_state_uint(st, "flows", s.flows);
	mr_state_uint(st, "added", s.added);
	mr_state_uint(st, "refused", s.refused);
	mr_state_uint(st, "packets", s.packets);
	mr_state_uint(st, "bytes", s.bytes);
	mr_state_close(st);
}

static void
show_worker(const struct lanes *all, unsigned worker, struct mr_state *st)
{
	const struct mr_named *outcomes = mr_program_refusals();
	struct mr_lane_stats s;

	mr_lane_stats(all->lane, worker, &s);
	mr_state_list_uint(st, "worker", worker);
	mr_state_uint(st, "flows", s.flows.flows);
	mr_state_uint(st, "barred", s.barred);
	mr_state_uint(st, "programs", s.programs.programs);
	mr_state_uint(st, "memory", s.flows.memory + s.programs.memory);
	if (all->now.offload)
		show_offload(all, worker, st);
	mr_state_open(st, "counters");
	mr_state_uint(st, "added", s.flows.added);
	mr_state_uint(st, "removed", s.flows.removed);
	mr_state_uint(st, "expired", s.flows.expired);
	mr_state_uint(st, "refused", s.flows.refused);
	mr_state_uint(st, "stale", s.stale);
	mr_state_close(st);
	for (unsigned i = 0; i < MR_PROGRAM_REFUSAL_COUNT; i++) {
		if (!s.refused[i])
			continue;
		mr_state_list(st, "recording", outcomes[i].name);
		mr_state_uint(st, "count", s.refused[i]);
		mr_state_close(st);
	}
	mr_state_close(st);
}

void
lanes_show(void *state, struct mr_state *st)
{
	struct lanes *all = state;
	const struct mr_interface *i;

	if (!all->lane)
		return;
	mr_state_open(st, "lanes");
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		const struct lane_of *of = &all->of[p];

		i = mr_interface_at(mr_interfaces_of(all->dp), (uint16_t)p);
		if (!i || !of->reason)
			continue;
		mr_state_list(st, "interface", i->name);
		mr_state_text(st, "taken", of->flow ? "flow" : "graph");
		mr_state_text(st, "reason", of->reason);
		if (all->now.offload) {
			mr_state_bool(st, "offload", of->offloads);
			if (!of->offloads)
				mr_state_text(st, "offload-reason", of->offload_reason);
		}
		if (of->flow)
			show_counters(all, of, st);
		mr_state_close(st);
	}
	for (unsigned w = 0; w < mr_lane_workers(all->lane); w++)
		show_worker(all, w, st);
	mr_state_close(st);
}
