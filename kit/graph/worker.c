/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The loop. A pass receives one vector from each input in turn and runs it to
 * completion: nodes that have something pending run in the order of their rank
 * (topological where the graph has no cycles), so that vectors from several edges
 * meet in front of a node and it runs once for all of them. What reaches a port
 * gathers there until 256 or until the pass ends. Where a verdict leads is said in
 * deliver.c.
 */

#include "kit/graph/graph_int.h"

#include <string.h>
#include <time.h>

#define FLUSH_AT 128

/* Entry of a node is where a recording learns that its packet got there. */
static void
record_entry(struct mr_worker *w, uint16_t node, const struct vector *v)
{
	w->recorder->node = node;
	for (unsigned i = 0; i < v->count; i++) {
		struct mr_packet *p = mr_packet_at(w->graph->buffers->base, v->packets[i]);

		if (p->record)
			mr_record_op(w->recorder, p, MR_OP_NODE)->a = mr_cycles();
	}
}

static void
run_node(struct mr_worker *w, uint16_t node, uint64_t *stamp)
{
	struct mr_plan *plan = w->current;
	struct plan_node *pn = &plan->nodes[node];
	struct node_rt *rt = pn->rt;
	mr_verdict_t verdicts[MR_VECTOR_MAX];
	struct vector *v = rt->head, *next;
	uint64_t calls = 0, packets = 0, now;

	rt->head = rt->tail = NULL;
	rt->run.now = w->now;
	rt->run.seconds = w->seconds;
	rt->run.ports = plan->views;
	rt->run.port_count = plan->port_count;
	for (; v; v = next) {
		next = v->next;
		v->next = NULL;
		calls++;
		packets += v->count;
#ifdef MR_CHECKED
		for (unsigned i = 0; i < v->count; i++)
			verdicts[i] = MR_VERDICT_NONE;
#endif
		if (mr_unlikely(w->probes && (w->probes->points & MR_PROBE_NODE)))
			mr_probe_capture(w->probes, w, MR_PROBE_NODE, node, 0, v->packets,
			    v->count);
		w->released_count = 0;
		if (mr_unlikely(v->recorded)) {
			record_entry(w, node, v);
			rt->run.recorder = w->recorder;
			(rt->class->record ? rt->class->record : rt->class->run)(&rt->run,
			    v->packets, verdicts, v->count);
		} else {
			rt->class->run(&rt->run, v->packets, verdicts, v->count);
		}
		mr_worker_deliver(w, pn, v, verdicts);
	}
	now = mr_cycles();
	mr_counter_add(&rt->calls, calls);
	mr_counter_add(&rt->packets, packets);
	mr_counter_add(&rt->cycles, now - *stamp);
	*stamp = now;
}

/* Runs nodes until none has anything pending, lowest rank first. */
static void
run_pending(struct mr_worker *w, uint64_t *stamp)
{
	unsigned words = (w->current->node_count + 63) / 64;
	unsigned i = 0, rank;

	while (i < words) {
		if (!w->pending[i]) {
			i++;
			continue;
		}
		rank = i * 64 + (unsigned)__builtin_ctzll(w->pending[i]);
		w->pending[i] &= w->pending[i] - 1;
		run_node(w, w->current->by_rank[rank], stamp);
		i = 0; /* an edge may lead back */
	}
}

void
mr_worker_run_pending(struct mr_worker *w)
{
	uint64_t stamp = mr_cycles();

	run_pending(w, &stamp);
}

/* Shows a fresh vector to the probes: capture, and recordings for a trace. */
static void
probe_rx(struct mr_worker *w, struct vector *v)
{
	if (w->probes->sample)
		mr_probe_sample(w->probes, w, v->packets, v->count);
	if (w->probes->points & MR_PROBE_RX)
		mr_probe_capture(w->probes, w, MR_PROBE_RX, 0, 0, v->packets, v->count);
	if (w->probes->trace)
		v->recorded = mr_probe_trace(w->probes, w, v->packets, v->count);
}

static unsigned
receive(struct mr_worker *w, const struct plan_input *in, uint64_t *stamp)
{
	struct node_rt *rx = w->current->nodes[MR_GRAPH_NODE_RX].rt;
	struct vector *v = vector_get(w);
	uint64_t now;
	unsigned n;

	if (mr_unlikely(!v))
		return 0;
	n = in->port->driver->rx(in->port, in->queue, w->index, v->packets, MR_VECTOR_MAX);
	if (n == 0) {
		vector_put(w, v);
		return 0;
	}
	v->count = n;
	now = mr_cycles();
	mr_counter_add(&rx->calls, 1);
	mr_counter_add(&rx->packets, n);
	mr_counter_add(&rx->cycles, now - *stamp);
	*stamp = now;
	mr_counter_add(&w->received, n);
	w->vectors++;
	if (mr_unlikely(w->probes))
		probe_rx(w, v);
	if (mr_likely(in->node >= MR_GRAPH_NODE_FIRST)) {
		mr_worker_enter_vector(w, in->node, v);
	} else if (in->node == MR_GRAPH_NODE_TX) {
		mr_worker_output_vector(w, in->arg, v);
	} else {
		mr_worker_drop(w, rx, MR_RX_DROP_NO_INPUT, v->packets, n);
		vector_put(w, v);
	}
	run_pending(w, stamp);
	if (n >= FLUSH_AT)
		mr_worker_flush(w);
	return n;
}

static void
flush_slots(struct mr_worker *w, unsigned first)
{
	for (unsigned i = first / 64; i < (first + w->current->port_count + 63) / 64; i++) {
		while (w->dirty[i]) {
			unsigned slot = i * 64 + (unsigned)__builtin_ctzll(w->dirty[i]);

			w->dirty[i] &= w->dirty[i] - 1;
			mr_worker_flush_slot(w, slot);
		}
	}
}

static bool
is_pending(const struct mr_worker *w)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < (w->current->node_count + 63) / 64; i++)
		any |= w->pending[i];
	return any != 0;
}

void
mr_worker_flush(struct mr_worker *w)
{
	/* What a flow lane replayed came before those of its flow that walked (kit/flow/lane_node.c). */
	flush_slots(w, OUT_FINAL);
	flush_slots(w, 0);
	/* What stands behind an output may send on another port. */
	while (mr_unlikely(is_pending(w))) {
		mr_worker_run_pending(w);
		flush_slots(w, 0);
	}
	flush_slots(w, OUT_FINAL);
	while (w->poke) {
		unsigned to = (unsigned)__builtin_ctz(w->poke);

		w->poke &= w->poke - 1;
		mr_worker_wake(w->graph->workers[to]);
	}
}

void
mr_worker_end_plan(struct mr_worker *w)
{
	for (unsigned i = 0; w->current && i < w->current->node_count; i++) {
		struct node_rt *rt = w->current->nodes[i].rt;

		if (rt && rt->class->plan_ends)
			rt->class->plan_ends(&rt->run);
	}
}

/* Between two passes a worker holds no packet: it may change its plan. */
static void
begin_pass(struct mr_worker *w)
{
	/* Acquire pairs with the release in mr_graph_commit and mr_graph_attach: what the
	 * plan and the probes point to is seen whole. */
	w->current = atomic_load_explicit(&w->plan, memory_order_acquire);
	w->probes = atomic_load_explicit(&w->probes_published, memory_order_acquire);
	/* Who sees a trace's probe sees the recorder, which was published before it. Acquire pairs
	 * with make_recorders. */
	w->recorder = atomic_load_explicit(&w->recorder_published, memory_order_acquire);
	w->now = mr_cycles();
	if (mr_unlikely(w->now >= w->next_second)) {
		struct timespec ts;

		/* All workers and the control thread read the same clock. */
		clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
		w->seconds = (uint32_t)ts.tv_sec;
		w->next_second = w->now + w->graph->hz / 8;
	}
}

void
mr_worker_inject(struct mr_worker *w, uint16_t node, const uint32_t *packets, unsigned count)
{
	begin_pass(w);
	mr_counter_add(&w->received, count);
	for (unsigned i = 0; i < count; i += MR_VECTOR_MAX) {
		struct vector *v = vector_get(w);

		if (!v) {
			mr_worker_drop(w, w->current->nodes[MR_GRAPH_NODE_RX].rt,
			    MR_RX_DROP_NO_INPUT, packets + i, count - i);
			break;
		}
		v->count = MR_MIN(count - i, MR_VECTOR_MAX);
		memcpy(v->packets, packets + i, v->count * sizeof(*packets));
		w->vectors++;
		if (mr_unlikely(w->probes))
			probe_rx(w, v);
		mr_worker_enter_vector(w, node, v);
		mr_worker_run_pending(w);
	}
	mr_worker_flush(w);
}

/* Once a second, also when nothing comes: nodes look after what they hold. */
static mr_noinline void
run_ticks(struct mr_worker *w, uint64_t *stamp)
{
	w->ticked = w->seconds;
	w->vectors++;
	for (unsigned i = 0; i < w->current->node_count; i++) {
		struct plan_node *pn = &w->current->nodes[i];

		if (!pn->rt || !pn->rt->class->tick || !mr_plan_is_placed_here(w, pn))
			continue;
		pn->rt->run.now = w->now;
		pn->rt->run.seconds = w->seconds;
		pn->rt->run.ports = w->current->views;
		pn->rt->run.port_count = w->current->port_count;
		pn->rt->class->tick(&pn->rt->run);
	}
	run_pending(w, stamp);
}

bool
mr_worker_drain(struct mr_worker *w)
{
	unsigned n;

	begin_pass(w);
	n = mr_worker_take_handed(w);
	mr_worker_run_pending(w);
	mr_worker_flush(w);
	return n != 0;
}

unsigned
mr_worker_pass(struct mr_worker *w)
{
	uint64_t stamp;
	unsigned n = 0;

	begin_pass(w);
	stamp = w->now;
	if (mr_unlikely(w->seconds != w->ticked))
		run_ticks(w, &stamp);
	for (unsigned i = 0; i < w->current->input_count; i++)
		n += receive(w, &w->current->inputs[i], &stamp);
	if (mr_unlikely(mr_worker_handed(w))) {
		n += mr_worker_take_handed(w);
		run_pending(w, &stamp);
	}
	mr_worker_flush(w);
	/* Acquire pairs with announce() in graph.c. */
	if (mr_unlikely(atomic_load_explicit(&w->ending, memory_order_acquire)))
		mr_worker_end_plan(w);
	mr_counter_add(&w->passes, 1);
	if (n)
		mr_counter_add(&w->busy_cycles, mr_cycles() - w->now);
	else
		mr_counter_add(&w->empty_passes, 1);
	return n;
}
