/* SPDX-License-Identifier: Apache-2.0 */

/* The ledger as control reads it, beside its worker. */

#include <string.h>
#include <time.h>

#include "kit/flow/lane_int.h"

/* The worker is done with a change in some nanoseconds, unless it lost its processor: then the
 * next look will do. */
#define TRIES 200u

#define get(field) atomic_load_explicit(&(field), memory_order_relaxed)

uint32_t
mr_lane_ledger_max(const struct mr_lane *lane)
{
	return lane->workers[0]->ledger ? lane->workers[0]->ledger->max : 0;
}

uint32_t
mr_lane_ledger_flows(const struct mr_lane *lane, unsigned worker, uint64_t *memory)
{
	struct mr_flow_table_stats stats;
	const struct lane_ledger *g = lane->workers[worker]->ledger;

	*memory = 0;
	if (!g)
		return 0;
	mr_flow_table_stats(g->table, &stats);
	*memory = stats.memory + sizeof(*g) +
	    (uint64_t)mr_flow_table_top(g->table) * sizeof(struct ledger_side);
	return (uint32_t)stats.flows;
}

uint32_t
mr_lane_ledger_top(const struct mr_lane *lane, unsigned worker)
{
	const struct lane_ledger *g = lane->workers[worker]->ledger;

	return g ? mr_flow_table_top(g->table) : 0;
}

void
mr_lane_ledger_fetch(const struct mr_lane *lane, unsigned worker, uint32_t index)
{
	const struct lane_ledger *g = lane->workers[worker]->ledger;

	if (index > g->max)
		return;
	mr_prefetch(&g->lines[index]);
	mr_prefetch(&g->sides[index]);
	mr_flow_table_fetch_debt(g->table, index);
}

static void
copy(const struct lane_ledger *g, uint32_t index, struct mr_ledger_entry *e)
{
	const struct ledger_side *s = &g->sides[index];
	const struct ledger_address *a = &g->addresses[index];

	e->birth = get(s->birth);
	e->out = get(s->out);
	e->tos = get(s->tos);
	e->tcp = get(s->tcp);
	e->fate = get(s->fate);
	e->translated = get(s->translated);
	if (!e->translated)
		return;
	memcpy(e->to_src, a->src, sizeof(e->to_src));
	memcpy(e->to_dst, a->dst, sizeof(e->to_dst));
	e->to_sport = a->sport;
	e->to_dport = a->dport;
}

/* What the lane has counted in the flow that is linked; false: it is another's by now. */
static bool
add_flow(const struct lane_worker *l, const struct ledger_side *s, uint32_t seconds,
    struct mr_ledger_entry *e, uint64_t *last_second)
{
	unsigned link = MR_FLOW_WHERE_VLAN(e->key.where) ? 18 : 14;
	uint32_t base = get(s->base);
	struct mr_flow_peek f;

	if (!mr_flow_table_peek(l->table, get(s->flow), seconds, &f) ||
	    memcmp(&f.key, &e->key, sizeof(f.key)) != 0)
		return false;
	if (base) {
		f.packets--;
		f.bytes -= base;
	}
	e->linked = true;
	e->packets += f.packets;
	e->octets += f.bytes - f.packets * link;
	if (f.packets) {
		*last_second = seconds - f.idle;
		if (MR_FLOW_WHERE_PROTO(e->key.where) == MR_IP_PROTO_TCP)
			e->tcp |= MR_TCP_ACK;
	}
	return true;
}

static bool
look(const struct lane_worker *l, uint32_t index, uint32_t seconds, struct mr_ledger_entry *e,
    uint64_t *last_second)
{
	const struct lane_ledger *g = l->ledger;
	struct mr_flow_peek own;

	if (!mr_flow_table_peek(g->table, index, seconds, &own))
		return false;
	e->key = own.key;
	e->packets = own.packets;
	e->octets = own.bytes;
	e->linked = false;
	*last_second = 0;
	copy(g, index, e);
	return !get(g->sides[index].flow) || add_flow(l, &g->sides[index], seconds, e, last_second);
}

/* Cycles to milliseconds of CLOCK_MONOTONIC, by what both clocks say now. */
static uint64_t
milliseconds(const struct mr_lane *lane, uint64_t cycles, uint64_t now_cycles, uint64_t now_ms)
{
	uint64_t hz = mr_graph_hz(lane->graph) / 1000;
	uint64_t ago = now_cycles > cycles ? (now_cycles - cycles) / (hz ? hz : 1) : 0;

	return now_ms > ago ? now_ms - ago : 0;
}

bool
mr_lane_ledger_peek(const struct mr_lane *lane, unsigned worker, uint32_t index,
    struct mr_ledger_entry *e)
{
	const struct lane_worker *l = lane->workers[worker];
	const struct lane_ledger *g = l->ledger;
	const struct ledger_side *s;
	uint64_t now_cycles, now_ms, first, last_second;
	struct timespec ts, coarse;
	uint32_t before, last;

	if (!g || !index || index > mr_flow_table_top(g->table))
		return false;
	s = &g->sides[index];
	/* Acquire pairs with change_end. */
	before = atomic_load_explicit(&s->seq, memory_order_acquire);
	for (unsigned try = 0;; try++) {
		struct mr_flow_peek any;

		/* Odd: dead, or being changed. */
		if (try == TRIES || ((before & 1) && !mr_flow_table_peek(g->table, index, 0, &any)))
			return false;
		if (!(before & 1)) {
			clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
			bool good = look(l, index, (uint32_t)coarse.tv_sec, e, &last_second);

			first = get(s->first);
			last = get(s->last);
			/* Pairs with the fence in change_begin. */
			atomic_thread_fence(memory_order_acquire);
			if (good && atomic_load_explicit(&s->seq, memory_order_relaxed) == before)
				break;
		}
		mr_relax();
		before = atomic_load_explicit(&s->seq, memory_order_acquire);
	}
	if (!e->birth)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now_cycles = mr_cycles();
	now_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	e->first = milliseconds(lane, first, now_cycles, now_ms);
	e->last =
	    milliseconds(lane, first + ((uint64_t)last << LEDGER_LAST_SHIFT), now_cycles, now_ms);
	if (last_second) {
		last_second = MR_MIN(last_second * 1000 + 999, now_ms);
		e->last = MR_MAX(e->last, last_second);
	}
	return true;
}

bool
mr_lane_ledger_release(struct mr_lane *lane, unsigned worker, uint32_t index, uint32_t birth,
    uint64_t packets)
{
	uint64_t word = ledger_release(index, birth, packets);
	struct lane_ledger *g = lane->workers[worker]->ledger;

	return g && mr_spsc_put_burst_u64(g->releases, &word, 1) == 1;
}

void
mr_lane_ledger_port(const struct mr_lane *lane, unsigned worker, uint16_t port,
    struct mr_ledger_port *out)
{
	const struct lane_ledger *g = lane->workers[worker]->ledger;

	memset(out, 0, sizeof(*out));
	if (!g || port >= MR_PORT_MAX)
		return;
	out->ignored_packets = get(g->ports[port].ignored_packets);
	out->ignored_octets = get(g->ports[port].ignored_octets);
	out->other_packets = get(g->ports[port].other_packets);
	out->other_bytes = get(g->ports[port].other_bytes);
}
