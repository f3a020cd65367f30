/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker without thread, ports and rings, whose recorder is dry. It has runtimes of its own
 * for all nodes, so that what they count is nobody's, and a copy of another worker's plan in
 * which every node runs here and every port's queue is ours. What moves packets is
 * the same code that moves them on the workers (worker.c, output.c); only the
 * loop differs: one packet at a time, so that whatever a node makes belongs to the packet
 * that it has, and none without a recording ever reaches a node.
 */

#include "kit/graph/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit/graph/graph_int.h"

/* No worker's: the pool then goes past its caches. */
#define NO_WORKER UINT16_MAX

struct walk {
	struct mr_worker *w;
	struct mr_plan plan;
	mr_recorder_done_fn *done;
	mr_explain_sent_fn *sent;
	void *user;
	bool finished;
	uint16_t steps[MR_RECORD_BRANCHES_MAX];
};

static void
recorded(void *user, const struct mr_recording *r)
{
	struct walk *walk = user;

	walk->finished = true;
	walk->done(walk->user, r);
}

/* Where what arrives on this port goes, and the plan that says so. */
static const struct plan_input *
find_input(const struct mr_graph *g, uint16_t port, const struct mr_plan **plan)
{
	for (unsigned i = 0; i < g->worker_count; i++) {
		/* Relaxed: the control thread itself published it. */
		*plan = atomic_load_explicit(&g->workers[i]->plan, memory_order_relaxed);
		for (unsigned k = 0; k < (*plan)->input_count; k++)
			if ((*plan)->inputs[k].port->index == port)
				return &(*plan)->inputs[k];
	}
	return NULL;
}

/* -- the worker ------------------------------------------------------------------------- */

static struct mr_worker *
worker_create(struct mr_graph *g, struct walk *walk)
{
	struct mr_worker *w =
	    aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*w), (size_t)MR_CACHE_LINE));
	struct timespec ts;

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->graph = g;
	w->index = NO_WORKER;
	w->cpu = w->epoll = w->wake = -1;
	w->now = mr_cycles();
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	w->seconds = (uint32_t)ts.tv_sec;
	w->rt = calloc(MR_GRAPH_NODES_MAX, sizeof(*w->rt));
	if (!w->rt || mr_recorder_create(&w->recorder, 1, recorded, walk, NULL)) {
		mr_worker_destroy(w);
		return NULL;
	}
	w->recorder->dry = true;
	return w;
}

/* Copies the plan `from` with this walk's own runtimes, every node and queue here. */
static int
plan_copy(struct walk *walk, const struct mr_plan *from)
{
	struct mr_plan *plan = &walk->plan;
	struct mr_worker *w = walk->w;

	*plan = *from;
	plan->nodes = calloc(from->node_count, sizeof(*plan->nodes));
	plan->ports = calloc(from->port_count + 1, sizeof(*plan->ports));
	if (!plan->nodes || !plan->ports)
		return -ENOMEM;
	for (unsigned i = 0; i < from->node_count; i++) {
		const struct node_rt *rt = from->nodes[i].rt;

		plan->nodes[i] = from->nodes[i];
		plan->nodes[i].place_count = 0;
		if (!rt)
			continue;
		w->rt[i] = mr_node_rt_create(w, (uint16_t)i, rt->class, rt->run.self);
		if (!w->rt[i] || mr_node_rt_add_ports(w->rt[i], from->port_count))
			return -ENOMEM;
		plan->nodes[i].rt = w->rt[i];
		w->rt[i]->run.now = w->now;
		w->rt[i]->run.stands_for = rt->run.worker;
		w->rt[i]->run.seconds = w->seconds;
		w->rt[i]->run.ports = from->views;
		w->rt[i]->run.port_count = from->port_count;
		w->rt[i]->run.recorder = w->recorder;
	}
	for (unsigned i = 0; i < from->port_count; i++) {
		plan->ports[i] = from->ports[i];
		plan->ports[i].owner = w->index;
	}
	w->current = plan;
	return 0;
}

static void
walk_free(struct walk *walk)
{
	mr_worker_destroy(walk->w);
	free(walk->plan.nodes);
	free(walk->plan.ports);
}

void
mr_worker_tell_sent(struct mr_worker *w, uint16_t port, const uint32_t *packets, unsigned count)
{
	const struct walk *walk = w->walk;

	for (unsigned i = 0; walk->sent && i < count; i++) {
		const struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packets[i]);

		if (p->record)
			walk->sent(walk->user, mr_record_branch(p->record), port, packets[i]);
	}
}

/* -- the walk --------------------------------------------------------------------------- */

void
mr_worker_adopt(struct mr_worker *w, uint32_t packet)
{
	uint8_t *base = w->graph->buffers->base;
	struct mr_packet *p = mr_packet_at(base, packet);
	const struct mr_packet *parent;
	struct mr_op *op;

	if (p->record || w->explained == MR_PACKET_NONE)
		return;
	parent = mr_packet_at(base, w->explained);
	if (!parent->record)
		return;
	mr_record_copy(w->recorder, parent, p);
	if (!p->record)
		return;
	op = mr_record_op(w->recorder, p, MR_OP_NOTE);
	op->text = "a packet made here, bytes";
	op->a = p->total;
}

static void
end_early(struct mr_worker *w, uint32_t packet, const char *why)
{
	struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packet);

	mr_record_op(w->recorder, p, MR_OP_END)->text = why;
	mr_record_end(w->recorder, p);
	mr_packets_free(w->graph->buffers, w->index, &packet, 1);
}

static void
step(struct walk *walk, uint16_t node, uint32_t packet)
{
	struct mr_worker *w = walk->w;
	struct node_rt *rt = w->current->nodes[node].rt;
	struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packet);
	mr_verdict_t verdict = MR_VERDICT_NONE;

	/* A branch too many for the recording. */
	if (!p->record) {
		mr_packets_free(w->graph->buffers, w->index, &packet, 1);
		return;
	}
	w->recorder->node = node;
	mr_record_op(w->recorder, p, MR_OP_NODE)->a = mr_cycles();
	if (!rt->class->record || rt->class->no_explain) {
		end_early(w, packet,
		    "what the node does cannot be explained without doing it: not run");
		return;
	}
	if (++walk->steps[mr_record_branch(p->record)] > MR_EXPLAIN_STEPS_MAX) {
		end_early(w, packet, "it has passed too many nodes: the graph has a loop");
		return;
	}
	w->explained = packet;
	rt->class->record(&rt->run, &packet, &verdict, 1);
	mr_worker_deliver_one(w, rt, packet, verdict);
}

/* The node of the lowest rank that has something, as on the workers. */
static bool
next_node(struct mr_worker *w, uint16_t *node)
{
	for (unsigned i = 0; i < (w->current->node_count + 63) / 64; i++) {
		if (!w->pending[i])
			continue;
		*node = w->current->by_rank[i * 64 + (unsigned)__builtin_ctzll(w->pending[i])];
		w->pending[i] &= w->pending[i] - 1;
		return true;
	}
	return false;
}

static void
run(struct walk *walk)
{
	struct mr_worker *w = walk->w;
	uint16_t node;

	while (next_node(w, &node)) {
		struct node_rt *rt = w->current->nodes[node].rt;
		struct vector *v = rt->head, *next;

		rt->head = rt->tail = NULL;
		for (; v; v = next) {
			next = v->next;
			for (unsigned i = 0; i < v->count; i++)
				step(walk, node, v->packets[i]);
			vector_put(w, v);
		}
	}
	mr_worker_flush(w);
}

static void
begin(struct walk *walk, const struct plan_input *in, uint16_t port, uint32_t packet)
{
	struct mr_worker *w = walk->w;
	struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packet);

	p->port = port;
	p->queue = in->queue;
	mr_recorder_attach(w->recorder, p, 0);
	if (in->node >= MR_GRAPH_NODE_FIRST)
		mr_worker_enter(w, in->node, &packet, 1, true);
	else if (in->node == MR_GRAPH_NODE_TX)
		mr_worker_output(w, in->arg, &packet, 1, true);
	else
		mr_worker_drop(w, w->current->nodes[MR_GRAPH_NODE_RX].rt, MR_RX_DROP_NO_INPUT,
		    &packet, 1);
}

int
mr_graph_explain_sent(struct mr_graph *g, uint16_t port, uint32_t packet, mr_recorder_done_fn *done,
    mr_explain_sent_fn *sent, void *user, struct mr_error *error)
{
	struct walk walk = { .done = done, .sent = sent, .user = user };
	const struct plan_input *in;
	const struct mr_plan *plan;
	int rc = 0;

	in = find_input(g, port, &plan);
	if (!in) {
		rc = mr_error_set(error, -ENODEV, "explain: nothing is received on port %u", port);
		goto out;
	}
	walk.w = worker_create(g, &walk);
	if (walk.w)
		walk.w->walk = &walk;
	if (!walk.w || plan_copy(&walk, plan)) {
		rc = mr_error_set(error, -ENOMEM, "explain: no memory");
		goto out;
	}
	begin(&walk, in, port, packet);
	packet = MR_PACKET_NONE;
	run(&walk);
	if (!walk.finished)
		rc = mr_error_set(error, -EIO, "explain: a node lost the packet: a bug in it");
out:
	if (packet != MR_PACKET_NONE)
		mr_packets_free(g->buffers, MR_POOL_SHARED, &packet, 1);
	walk_free(&walk);
	return rc;
}

int
mr_graph_explain(struct mr_graph *g, uint16_t port, uint32_t packet, mr_recorder_done_fn *done,
    void *user, struct mr_error *error)
{
	return mr_graph_explain_sent(g, port, packet, done, NULL, user, error);
}
