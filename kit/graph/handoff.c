/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Packets that change workers: a node that runs elsewhere (pipeline stages), or a
 * port whose queue another worker owns. Each pair of workers has one ring; an
 * element is a handle and what it is meant for. Of several workers that a node
 * is placed on, a packet's flow picks one, so that a flow keeps its order.
 */

#include <errno.h>
#include <unistd.h>

#include "kit/graph/graph_int.h"
#include "kit/packet/flow_hash.h"

#define TRACED (1ull << 63)
#define TARGET_SHIFT 32

static unsigned
pick_by_flow(const struct mr_worker *w, const struct plan_node *pn, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packet);

	return pn->place[(uint64_t)mr_packet_flow_hash(p) * pn->place_count >> 32];
}

/* A recording stays with its worker: this part of it ends here, and the other
 * worker begins the next. */
static uint64_t
end_part(struct mr_worker *w, uint32_t packet, unsigned to)
{
	struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packet);
	struct mr_op *op;

	if (mr_likely(!p->record))
		return 0;
	w->recorder->node = MR_GRAPH_NODE_HANDOFF;
	op = mr_record_op(w->recorder, p, MR_OP_NOTE);
	op->text = "handed to worker";
	op->a = to;
	mr_record_op(w->recorder, p, MR_OP_UNCACHEABLE)->text = "handed to another worker";
	mr_record_end(w->recorder, p);
	return TRACED;
}

static void
push(struct mr_worker *w, unsigned to, uint32_t target, const uint32_t *packets, unsigned count)
{
	struct mr_spsc *ring = w->graph->workers[to]->from[w->index];
	uint64_t items[MR_VECTOR_MAX];
	unsigned done;

	for (unsigned i = 0; i < count; i++) {
		items[i] = packets[i] | (uint64_t)(target & ~HANDOFF_PORT) << TARGET_SHIFT |
		    (target & HANDOFF_PORT ? 1ull << 62 : 0);
		if (mr_unlikely(w->recorder))
			items[i] |= end_part(w, packets[i], to);
	}
	done = mr_spsc_put_burst_u64(ring, items, count);
	mr_counter_add(&w->handoffs, done);
	if (mr_unlikely(done < count))
		mr_worker_drop(w, w->current->nodes[MR_GRAPH_NODE_HANDOFF].rt, MR_HANDOFF_DROP_FULL,
		    packets + done, count - done);
	w->poke |= 1u << to;
}

void
mr_worker_handoff(struct mr_worker *w, unsigned to, uint32_t target, const uint32_t *packets,
    unsigned count)
{
	const struct plan_node *pn;

	if (to != UINT16_MAX) {
		push(w, to, target, packets, count);
		return;
	}
	pn = &w->current->nodes[target];
	if (pn->place_count == 1) {
		push(w, pn->place[0], target, packets, count);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		push(w, pick_by_flow(w, pn, packets[i]), target, &packets[i], 1);
}

bool
mr_worker_handed(const struct mr_worker *w)
{
	unsigned any = 0;

	for (unsigned i = 0; i < w->graph->worker_count; i++)
		any |= w->from[i] ? mr_spsc_count(w->from[i]) : 0;
	return any != 0;
}

static void
arrive(struct mr_worker *w, uint64_t item)
{
	uint32_t packet = (uint32_t)item;
	uint16_t target = (uint16_t)(item >> TARGET_SHIFT);
	struct mr_packet *p;

	if (mr_unlikely((item & TRACED) && w->recorder)) {
		p = mr_packet_at(w->graph->buffers->base, packet);
		mr_recorder_attach(w->recorder, p, w->probes ? mr_probe_trace_tag(w->probes) : 0);
	}
	if (item & 1ull << 62)
		mr_worker_output(w, target, &packet, 1, (item & TRACED) != 0);
	else
		mr_worker_enter(w, target, &packet, 1, (item & TRACED) != 0);
}

unsigned
mr_worker_take_handed(struct mr_worker *w)
{
	uint64_t items[MR_VECTOR_MAX];
	unsigned taken = 0, n;

	for (unsigned i = 0; i < w->graph->worker_count; i++) {
		if (!w->from[i])
			continue;
		n = mr_spsc_get_burst_u64(w->from[i], items, MR_VECTOR_MAX);
		w->vectors++;
		for (unsigned k = 0; k < n; k++)
			arrive(w, items[k]);
		taken += n;
	}
	return taken;
}

void
mr_worker_wake(struct mr_worker *w)
{
	uint64_t one = 1;

	/* Pairs with the store in sleep_until_needed. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&w->asleep, memory_order_seq_cst) &&
	    write(w->wake, &one, sizeof(one)) < 0)
		return; /* EAGAIN: the counter is full, so it is readable */
}
