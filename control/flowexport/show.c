/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "control/flowexport/flowexport_int.h"
#include "nf/interface/interface.h"

/* Of all workers. */
static void
port_counts(const struct flow_export *x, uint16_t port, struct mr_ledger_port *sum)
{
	struct mr_ledger_port one;

	memset(sum, 0, sizeof(*sum));
	for (unsigned w = 0; x->walk && w < mr_lane_workers(walk_lane(x->walk)); w++) {
		mr_lane_ledger_port(walk_lane(x->walk), w, port, &one);
		sum->ignored_packets += one.ignored_packets;
		sum->ignored_octets += one.ignored_octets;
		sum->other_packets += one.other_packets;
		sum->other_bytes += one.other_bytes;
	}
}

/* The n-th of those that there are. */
static const struct mr_interface *
nth_interface(const struct flow_export *x, unsigned n)
{
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		const struct mr_interface *i =
		    mr_interface_at(mr_interfaces_of(x->dp), (uint16_t)p);

		if (i && n-- == 0)
			return i;
	}
	return NULL;
}

bool
flow_export_interface(void *arg, unsigned n, struct interface_record *r)
{
	const struct flow_export *x = arg;
	const struct mr_interface *i = nth_interface(x, n);
	struct mr_ledger_port counts;

	if (!i)
		return false;
	port_counts(x, i->index, &counts);
	*r = (struct interface_record){
		.index = i->index + 1u,
		.name = i->name,
		.ignored_packets = counts.ignored_packets,
		.ignored_octets = counts.ignored_octets,
	};
	return true;
}

static void
show_interface(const struct flow_export *x, const struct mr_interface *i, struct mr_state *st)
{
	const struct export_port *p = &x->ports[i->index];
	struct mr_ledger_port counts;

	port_counts(x, i->index, &counts);
	mr_state_list(st, "interface", i->name);
	mr_state_uint(st, "index", i->index + 1u);
	mr_state_open(st, "counters");
	mr_state_uint(st, "flow-records", p->records);
	mr_state_uint(st, "packets", p->packets);
	mr_state_uint(st, "octets", p->octets);
	mr_state_uint(st, "ignored-packets", counts.ignored_packets);
	mr_state_uint(st, "ignored-octets", counts.ignored_octets);
	mr_state_uint(st, "other-packets", counts.other_packets);
	mr_state_uint(st, "other-bytes", counts.other_bytes);
	mr_state_close(st);
	mr_state_close(st);
}

static void
show_walk(const struct flow_export *x, struct mr_state *st)
{
	static const char *const names[] = {
		[FLOW_END_IDLE] = "idle",
		[FLOW_END_ACTIVE] = "active",
		[FLOW_END_DETECTED] = "detected",
		[FLOW_END_FORCED] = "forced",
		[FLOW_END_RESOURCES] = "resources",
	};
	const struct mr_lane *lane = walk_lane(x->walk);
	uint64_t flows = 0, memory = 0, some;
	struct walk_stats stats;

	walk_stats(x->walk, &stats);
	for (unsigned w = 0; w < mr_lane_workers(lane); w++) {
		flows += mr_lane_ledger_flows(lane, w, &some);
		memory += some;
	}
	mr_state_open(st, "walk");
	mr_state_uint(st, "flows", flows);
	mr_state_uint(st, "memory", memory);
	mr_state_uint(st, "passes", x->before.passes + stats.passes);
	mr_state_uint(st, "pass-time", stats.pass_us);
	mr_state_uint(st, "piece-time", MR_MAX(stats.piece_us, x->before.piece_us));
	mr_state_close(st);
	mr_state_open(st, "ended");
	for (unsigned i = FLOW_END_IDLE; i <= FLOW_END_RESOURCES; i++)
		mr_state_uint(st, names[i], x->before.ended[i] + stats.ended[i]);
	mr_state_close(st);
}

void
flow_export_show(void *state, struct mr_state *st)
{
	const struct flow_export *x = state;

	if (!x->collector_count)
		return;
	mr_state_open(st, "flow-export");
	for (unsigned i = 0; i < x->collector_count; i++)
		collector_show(x->collectors[i], st);
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		const struct mr_interface *i =
		    mr_interface_at(mr_interfaces_of(x->dp), (uint16_t)p);

		if (i && mr_lanes_ledger_keeps(x->dp, (uint16_t)p))
			show_interface(x, i, st);
	}
	if (x->walk)
		show_walk(x, st);
	mr_state_close(st);
}
