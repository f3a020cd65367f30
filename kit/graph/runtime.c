/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What outlives a plan: workers and their share of each node. Also the calls
 * that nodes make outside their vector (copy, emit, release), which end in the
 * worker's hands.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kit/graph/graph_int.h"

#define HANDOFF_RING 4096
#define VECTOR_BATCH 16

/* Only while a graph grows into its working set; kept for ever after. */
struct vector *
mr_worker_more_vectors(struct mr_worker *w)
{
	for (unsigned i = 0; i < VECTOR_BATCH; i++) {
		struct vector *v = aligned_alloc(MR_CACHE_LINE, sizeof(*v));

		if (!v)
			break;
		vector_put(w, v);
	}
	return w->free_vectors ? vector_get(w) : NULL;
}

int
mr_worker_create(struct mr_worker **out, struct mr_graph *g, uint16_t index, int cpu,
    struct mr_error *error)
{
	struct mr_worker *w =
	    aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*w), (size_t)MR_CACHE_LINE));
	struct vector *first;
	int rc = -ENOMEM;

	if (!w)
		return mr_error_set(error, rc, "worker %u: no memory", index);
	memset(w, 0, sizeof(*w));
	w->graph = g;
	w->index = index;
	w->cpu = cpu;
	w->epoll = -1;
	w->drop_flow = MR_FLIGHT_NO_FLOW;
	w->drop_out = MR_FLIGHT_NO_PORT;
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->wake < 0) {
		rc = mr_error_set(error, -errno, "worker %u: no event descriptor: %s", index,
		    strerror(errno));
		goto fail;
	}
	w->rt = calloc(MR_GRAPH_NODES_MAX, sizeof(*w->rt));
	if (!w->rt)
		goto no_memory;
	for (unsigned i = 0; i < g->worker_count; i++) {
		if (i == index)
			continue;
		rc = mr_spsc_create(&w->from[i],
		    &(struct mr_ring_config){ .capacity = HANDOFF_RING,
			.element_size = sizeof(uint64_t) },
		    error);
		if (rc)
			goto fail;
	}
	first = mr_worker_more_vectors(w);
	if (!first)
		goto no_memory;
	vector_put(w, first);
	*out = w;
	return 0;

no_memory:
	rc = mr_error_set(error, -ENOMEM, "worker %u: no memory", index);
fail:
	mr_worker_destroy(w);
	return rc;
}

/* What still waits in the rings or for a flush when everything has stopped. */
static void
free_waiting(struct mr_worker *w)
{
	struct mr_buffers *b = w->graph->buffers;
	uint64_t item;
	uint32_t packet;

	for (unsigned i = 0; i < w->graph->worker_count; i++) {
		while (w->from[i] && mr_spsc_get_burst_u64(w->from[i], &item, 1)) {
			packet = (uint32_t)item;
			mr_packets_free(b, MR_POOL_SHARED, &packet, 1);
		}
	}
	for (unsigned i = 0; i < OUT_SLOTS; i++) {
		if (!w->out[i])
			continue;
		mr_packets_free(b, MR_POOL_SHARED, w->out[i]->packets, w->out[i]->count);
		free(w->out[i]);
	}
}

void
mr_worker_destroy(struct mr_worker *w)
{
	struct mr_recorder *recorder;
	struct vector *v;

	if (!w)
		return;
	free_waiting(w);
	for (unsigned i = 0; i < w->graph->worker_count; i++)
		mr_spsc_destroy(w->from[i]);
	for (unsigned i = 0; w->rt && i < MR_GRAPH_NODES_MAX; i++)
		mr_node_rt_destroy(w->rt[i]);
	free(w->rt);
	flight_destroy(w->flight);
	while ((v = w->free_vectors) != NULL) {
		w->free_vectors = v->next;
		free(v);
	}
	/* Stopped: relaxed. A walk of explain.c has one that was never published. */
	recorder = atomic_load_explicit(&w->recorder_published, memory_order_relaxed);
	mr_recorder_destroy(recorder ? recorder : w->recorder);
	if (w->wake >= 0)
		close(w->wake);
	if (w->epoll >= 0)
		close(w->epoll);
	free(w);
}

struct node_rt *
mr_node_rt_create(struct mr_worker *w, uint16_t node, const struct mr_node_class *class, void *self)
{
	struct node_rt *rt =
	    aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*rt), (size_t)MR_CACHE_LINE));
	size_t counters = MR_MAX(class->counter_count, (uint16_t)1);
	size_t drops = MR_MAX(class->drop_count, (uint16_t)1);
	size_t edges = MR_MAX(class->edge_count, (uint16_t)1);

	if (!rt)
		return NULL;
	memset(rt, 0, sizeof(*rt));
	rt->class = class;
	rt->drops = calloc(drops, sizeof(*rt->drops));
	rt->flight_groups = calloc(drops, sizeof(*rt->flight_groups));
	rt->edges = calloc(edges, sizeof(*rt->edges));
	rt->run = (struct mr_node_run){
		.self = self,
		.base = w->graph->buffers->base,
		.buffers = w->graph->buffers,
		.counters = calloc(counters, sizeof(*rt->run.counters)),
		.hz = w->graph->hz,
		.worker = w->index,
		.stands_for = w->index,
		.node = node,
		.owner = w,
	};
	if (!rt->drops || !rt->flight_groups || !rt->edges || !rt->run.counters) {
		mr_node_rt_destroy(rt);
		return NULL;
	}
	return rt;
}

void
mr_node_rt_destroy(struct node_rt *rt)
{
	if (!rt)
		return;
	free(rt->drops);
	free(rt->flight_groups);
	free(rt->edges);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(rt->sends); i++)
		free(atomic_load_explicit(&rt->sends[i], memory_order_relaxed)); /* stopped */
	free(rt->run.counters);
	free(rt);
}

static int
add_sends(struct node_rt *rt, unsigned slot)
{
	_Atomic uint64_t *counters;

	if (atomic_load_explicit(&rt->sends[slot / SENDS], memory_order_relaxed))
		return 0;
	counters = calloc(SENDS, sizeof(*counters));
	if (!counters)
		return -ENOMEM;
	/* Workers come to it by a plan that is published later (mr_graph_commit). */
	atomic_store_explicit(&rt->sends[slot / SENDS], counters, memory_order_relaxed);
	return 0;
}

int
mr_node_rt_add_ports(struct node_rt *rt, unsigned port_count)
{
	int rc = 0;

	for (unsigned port = 0; port < port_count && !rc; port += SENDS) {
		rc = add_sends(rt, port);
		if (!rc)
			rc = add_sends(rt, OUT_FINAL + port);
	}
	return rc;
}

uint32_t
mr_node_copy(struct mr_node_run *run, struct mr_recorder *rec, uint32_t packet)
{
	uint32_t copy = mr_packet_copy(run->buffers, run->worker, packet);
	struct mr_packet *from, *to;

	if (mr_unlikely(copy == MR_PACKET_NONE))
		return copy;
	from = mr_packet_at(run->base, packet);
	to = mr_packet_at(run->base, copy);
	to->record = 0;
	if (mr_unlikely(mr_recorded(rec, from)))
		mr_record_copy(rec, from, to);
	return copy;
}

static struct node_rt *
rt_of(struct mr_node_run *run)
{
	return mr_container_of(run, struct node_rt, run);
}

void
mr_node_emit(struct mr_node_run *run, uint32_t packet, mr_verdict_t verdict)
{
	mr_counter_add(&run->owner->created, 1);
	if (mr_unlikely(mr_record_is_dry(run->owner->recorder)))
		mr_worker_adopt(run->owner, packet);
	mr_worker_deliver_one(run->owner, rt_of(run), packet, verdict);
}

void
mr_node_release(struct mr_node_run *run, uint32_t packet, mr_verdict_t verdict)
{
	struct mr_worker *w = run->owner;

	mr_counter_add(&rt_of(run)->held, (uint64_t)-1);
	if (mr_unlikely(w->recorder && w->released_count < RELEASED_MAX))
		w->released[w->released_count++] = packet;
	mr_worker_deliver_one(run->owner, rt_of(run), packet, verdict);
}

void
mr_node_merged(struct mr_node_run *run, unsigned count)
{
	mr_counter_add(&rt_of(run)->held, -(uint64_t)count);
	mr_counter_add(&run->owner->merged, count);
}
