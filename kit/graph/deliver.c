/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where packets go after a node's verdicts: into the vector that waits in front of
 * the next node, to the port that they leave by, into the drop counters, or nowhere
 * because the node holds them. It decides where, not when: worker.c runs the nodes
 * and output.c sends.
 *
 * Where all packets of a vector get the same verdict, which is the common case,
 * the vector itself moves on and no handle is copied.
 */

#include "kit/graph/graph_int.h"

#include <string.h>

/* A final verdict of recorded packets that stay with us: hold, drop. */
static void
record_final(struct mr_worker *w, uint16_t node, const uint32_t *packets, unsigned count,
    enum mr_op_kind kind, uint32_t arg)
{
	w->recorder->node = node;
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packets[i]);

		if (!p->record)
			continue;
		mr_record_op(w->recorder, p, kind)->arg = arg;
		mr_record_end(w->recorder, p);
	}
}

/* Whether the flight recorder has as many of this reason and vector as it keeps: counts them then. */
mr_inline bool
has_enough(struct flight *f, const struct mr_worker *w, const struct node_rt *rt, unsigned reason,
    unsigned count)
{
	struct flight_group *g = &f->groups[rt->flight_groups[reason]];

	if (g->vector != w->vectors || g->taken < MR_FLIGHT_PER_VECTOR || g->owner != rt ||
	    g->reason != reason)
		return false;
	g->skipped += count;
	mr_counter_add(&f->passed, count);
	return true;
}

void
mr_worker_drop(struct mr_worker *w, struct node_rt *rt, unsigned reason, const uint32_t *packets,
    unsigned count)
{
	if (mr_unlikely(reason >= rt->class->drop_count))
		reason = 0;
	mr_counter_add(&rt->drops[reason], count);
	if (mr_likely(w->flight != NULL) && !has_enough(w->flight, w, rt, reason, count))
		flight_drop(w, rt, reason, packets, count);
	if (mr_unlikely(w->probes && (w->probes->points & MR_PROBE_DROP)))
		mr_probe_capture(w->probes, w, MR_PROBE_DROP, rt->run.node, reason, packets, count);
	if (mr_unlikely(w->recorder))
		record_final(w, rt->run.node, packets, count, MR_OP_DROP, reason);
	mr_packets_free(w->graph->buffers, w->index, packets, count);
}

void
mr_worker_refuse(struct mr_worker *w, unsigned port, unsigned reason, const uint32_t *packets,
    unsigned count)
{
	w->drop_out = (uint16_t)port;
	mr_worker_drop(w, w->current->nodes[MR_GRAPH_NODE_TX].rt, reason, packets, count);
	w->drop_out = MR_FLIGHT_NO_PORT;
}

/* Whether the node that held it let it go in the same call. */
static bool
was_released(const struct mr_worker *w, uint32_t packet)
{
	for (unsigned i = 0; i < w->released_count; i++)
		if (w->released[i] == packet)
			return true;
	return false;
}

static void
hold(struct mr_worker *w, struct node_rt *rt, const uint32_t *packets, unsigned count)
{
	mr_counter_add(&rt->held, count);
	if (mr_likely(!w->recorder))
		return;
	for (unsigned i = 0; i < count; i++)
		if (!was_released(w, packets[i]))
			record_final(w, rt->run.node, &packets[i], 1, MR_OP_HOLD, 0);
	/* In an explanation the node keeps nothing (kit/graph/node.h). */
	if (w->recorder->dry)
		mr_packets_free(w->graph->buffers, w->index, packets, count);
}

static void
set_pending(struct mr_worker *w, unsigned rank)
{
	w->pending[rank / 64] |= 1ull << (rank % 64);
}

/* A whole vector arrives at a node; the vector changes hands. */
void
mr_worker_enter_vector(struct mr_worker *w, uint16_t node, struct vector *v)
{
	struct plan_node *pn = &w->current->nodes[node];
	struct node_rt *rt = pn->rt;

	if (mr_unlikely(!mr_plan_is_placed_here(w, pn))) {
		mr_worker_handoff(w, UINT16_MAX, node, v->packets, v->count);
		vector_put(w, v);
		return;
	}
	if (!rt->head) {
		rt->head = rt->tail = v;
	} else if (rt->tail->count + v->count <= MR_VECTOR_MAX) {
		memcpy(rt->tail->packets + rt->tail->count, v->packets,
		    v->count * sizeof(*v->packets));
		rt->tail->count += v->count;
		rt->tail->recorded |= v->recorded;
		vector_put(w, v);
	} else {
		rt->tail->next = v;
		rt->tail = v;
	}
	set_pending(w, pn->rank);
}

/* Few packets arrive at a node. */
static void
enter_some(struct mr_worker *w, uint16_t node, const uint32_t *packets, unsigned count,
    bool recorded)
{
	struct vector *v = vector_get(w);

	if (mr_unlikely(!v)) {
		mr_worker_drop(w, w->current->nodes[MR_GRAPH_NODE_HANDOFF].rt, MR_HANDOFF_DROP_FULL,
		    packets, count);
		return;
	}
	memcpy(v->packets, packets, count * sizeof(*packets));
	v->count = count;
	v->recorded = recorded;
	mr_worker_enter_vector(w, node, v);
}

/* One packet arrives at a node: into the vector that waits there, if it has room. */
static inline void
enter_one(struct mr_worker *w, uint16_t node, uint32_t packet, bool recorded)
{
	struct plan_node *pn = &w->current->nodes[node];
	struct node_rt *rt = pn->rt;

	if (mr_likely(rt->head && rt->tail->count < MR_VECTOR_MAX)) {
		rt->tail->packets[rt->tail->count++] = packet;
		rt->tail->recorded |= recorded;
		return;
	}
	enter_some(w, node, &packet, 1, recorded);
}

/* Where what is sent on a port gathers; OUT_SLOTS: there is no such port. */
static inline unsigned
out_slot(const struct mr_worker *w, unsigned port)
{
	unsigned slot = port & ~MR_VERDICT_FINAL;

	static_assert(MR_VERDICT_FINAL / OUT_FINAL == 8, "a shift makes one of the other");
	if (mr_unlikely(slot >= w->current->port_count))
		return OUT_SLOTS;
	/* Where nothing stands behind the outputs all go together, and in order. */
	if (mr_likely(w->current->ports[slot].behind == UINT16_MAX))
		return slot;
	return slot + ((port & MR_VERDICT_FINAL) >> 3);
}

static inline struct vector *
out_vector(struct mr_worker *w, unsigned slot)
{
	struct vector *v = w->out[slot];

	if (mr_likely(v && v->count < MR_VECTOR_MAX))
		return v;
	if (v)
		mr_worker_flush_slot(w, slot);
	if (!w->out[slot])
		w->out[slot] = vector_get(w);
	return w->out[slot];
}

void
mr_worker_output(struct mr_worker *w, unsigned port, const uint32_t *packets, unsigned count,
    bool recorded)
{
	unsigned slot = out_slot(w, port), n;
	struct vector *v;

	if (mr_unlikely(slot == OUT_SLOTS)) {
		mr_worker_refuse(w, port & ~MR_VERDICT_FINAL, MR_TX_DROP_NO_PORT, packets, count);
		return;
	}
	while (count > 0) {
		v = out_vector(w, slot);
		if (mr_unlikely(!v)) {
			mr_worker_refuse(w, port & ~MR_VERDICT_FINAL, MR_TX_DROP_FULL, packets,
			    count);
			return;
		}
		n = MR_MIN(count, MR_VECTOR_MAX - v->count);
		memcpy(v->packets + v->count, packets, n * sizeof(*packets));
		v->count += n;
		v->recorded |= recorded;
		packets += n;
		count -= n;
	}
	w->dirty[slot / 64] |= 1ull << (slot % 64);
}

/* A whole vector arrives at a port; the vector changes hands. */
void
mr_worker_output_vector(struct mr_worker *w, unsigned port, struct vector *v)
{
	unsigned slot = out_slot(w, port);

	if (mr_likely(slot != OUT_SLOTS && (!w->out[slot] || !w->out[slot]->count))) {
		if (w->out[slot])
			vector_put(w, w->out[slot]);
		w->out[slot] = v;
		w->dirty[slot / 64] |= 1ull << (slot % 64);
		return;
	}
	mr_worker_output(w, port, v->packets, v->count, v->recorded);
	vector_put(w, v);
}

/* `port` may carry MR_VERDICT_FINAL, or be none. */
static inline void
count_send(struct node_rt *rt, unsigned port, unsigned count)
{
	unsigned slot = (port & ~MR_VERDICT_FINAL) + ((port & MR_VERDICT_FINAL) >> 3);

	_Atomic uint64_t *counters = NULL;

	if (mr_likely(slot < OUT_SLOTS)) /* relaxed: the plan brought it */
		counters = atomic_load_explicit(&rt->sends[slot / SENDS], memory_order_relaxed);
	if (mr_likely(counters != NULL))
		mr_counter_add(&counters[slot % SENDS], count);
}

static void
no_verdict(struct mr_worker *w, const uint32_t *packets, unsigned count)
{
	mr_counter_add(&w->violations, count);
	mr_worker_drop(w, w->current->nodes[MR_GRAPH_NODE_RX].rt, MR_RX_DROP_NO_VERDICT, packets,
	    count);
}

/* One verdict for all: the vector moves as it is. */
static void
deliver_uniform(struct mr_worker *w, struct plan_node *from, struct vector *v, mr_verdict_t verdict)
{
	unsigned index = verdict & MR_VERDICT_INDEX;

	switch (verdict & MR_VERDICT_CLASS) {
	case MR_VERDICT_EDGE:
		if (mr_unlikely(index >= from->rt->class->edge_count))
			break;
		mr_counter_add(&from->rt->edges[index], v->count);
		mr_worker_enter_vector(w, from->edges[index], v);
		return;
	case MR_VERDICT_OUTPUT:
		count_send(from->rt, index, v->count);
		mr_worker_output_vector(w, index, v);
		return;
	case MR_VERDICT_DROP:
		mr_worker_drop(w, from->rt, index, v->packets, v->count);
		vector_put(w, v);
		return;
	default:
		if (verdict == MR_VERDICT_HELD)
			hold(w, from->rt, v->packets, v->count);
		else if (verdict != MR_VERDICT_GONE)
			break;
		vector_put(w, v);
		return;
	}
	no_verdict(w, v->packets, v->count);
	vector_put(w, v);
}

static void
deliver_one(struct mr_worker *w, struct plan_node *from, uint32_t packet, mr_verdict_t verdict,
    bool recorded)
{
	unsigned index = verdict & MR_VERDICT_INDEX;

	switch (verdict & MR_VERDICT_CLASS) {
	case MR_VERDICT_OUTPUT:
		count_send(from->rt, index, 1);
		mr_worker_output(w, index, &packet, 1, recorded);
		return;
	case MR_VERDICT_EDGE:
		if (mr_unlikely(index >= from->rt->class->edge_count))
			break;
		mr_counter_add(&from->rt->edges[index], 1);
		enter_one(w, from->edges[index], packet, recorded);
		return;
	case MR_VERDICT_DROP:
		mr_worker_drop(w, from->rt, index, &packet, 1);
		return;
	default:
		if (verdict == MR_VERDICT_HELD)
			hold(w, from->rt, &packet, 1);
		else if (verdict != MR_VERDICT_GONE)
			break;
		return;
	}
	no_verdict(w, &packet, 1);
}

/* Verdicts that differ: packet by packet, drops gathered by runs of one reason. */
static void
deliver_mixed(struct mr_worker *w, struct plan_node *from, struct vector *v,
    const mr_verdict_t *verdicts)
{
	unsigned ports = w->current->port_count;
	unsigned i = 0, end;

	while (i < v->count) {
		unsigned index = verdicts[i] & MR_VERDICT_INDEX;
		unsigned class = verdicts[i] & MR_VERDICT_CLASS;

		if (mr_likely(class == MR_VERDICT_OUTPUT && (index & ~MR_VERDICT_FINAL) < ports)) {
			unsigned slot = out_slot(w, index);
			struct vector *out = out_vector(w, slot);

			if (mr_likely(out != NULL)) {
				out->packets[out->count++] = v->packets[i++];
				out->recorded |= v->recorded;
				w->dirty[slot / 64] |= 1ull << (slot % 64);
				count_send(from->rt, index, 1);
				continue;
			}
		}
		if (class == MR_VERDICT_DROP) {
			for (end = i + 1; end < v->count && verdicts[end] == verdicts[i]; end++)
				;
			mr_worker_drop(w, from->rt, index, v->packets + i, end - i);
			i = end;
			continue;
		}
		deliver_one(w, from, v->packets[i], verdicts[i], v->recorded);
		i++;
	}
	vector_put(w, v);
}

void
mr_worker_deliver(struct mr_worker *w, struct plan_node *from, struct vector *v,
    const mr_verdict_t *verdicts)
{
	unsigned differs = 0;

	for (unsigned i = 1; i < v->count; i++)
		differs |= (unsigned)(verdicts[i] ^ verdicts[0]);
	if (mr_likely(!differs))
		deliver_uniform(w, from, v, verdicts[0]);
	else
		deliver_mixed(w, from, v, verdicts);
}

void
mr_worker_deliver_one(struct mr_worker *w, struct node_rt *from, uint32_t packet,
    mr_verdict_t verdict)
{
	struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packet);

	deliver_one(w, &w->current->nodes[from->run.node], packet, verdict, p->record != 0);
}

void
mr_worker_enter(struct mr_worker *w, uint16_t node, const uint32_t *packets, unsigned count,
    bool recorded)
{
	if (mr_unlikely(node < MR_GRAPH_NODE_FIRST || node >= w->current->node_count ||
		!w->current->nodes[node].rt)) {
		mr_worker_drop(w, w->current->nodes[MR_GRAPH_NODE_HANDOFF].rt,
		    MR_HANDOFF_DROP_STALE, packets, count);
		return;
	}
	for (; count > MR_VECTOR_MAX; packets += MR_VECTOR_MAX, count -= MR_VECTOR_MAX)
		enter_some(w, node, packets, MR_VECTOR_MAX, recorded);
	if (count == 1)
		enter_one(w, node, packets[0], recorded);
	else if (count > 0)
		enter_some(w, node, packets, count, recorded);
}
