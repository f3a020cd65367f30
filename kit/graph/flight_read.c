/* SPDX-License-Identifier: Apache-2.0 */

/* The control thread's side of the flight recorder. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/flight_int.h"
#include "kit/graph/graph_int.h"

static_assert(MR_ARRAY_COUNT(((struct mr_flight_cursor *)0)->seen) == MR_GRAPH_WORKERS_MAX,
    "a cursor has a number for each worker");

/* A list that is being filled. */
struct filling {
	const struct mr_graph *graph;
	struct mr_flight_list *list;
	uint8_t *bytes; /* of the next */
	size_t room;
};

/* Copies a row; its number, or 0 when there is nothing in it, or something else by now. */
static uint64_t
copy_row(const _Atomic uint64_t *row, unsigned stride, uint64_t *out)
{
	/* Acquire, all of them: flight_int.h. */
	uint64_t number = atomic_load_explicit(&row[0], memory_order_acquire);

	if (!number)
		return 0;
	out[0] = number;
	for (unsigned i = 1; i < stride; i++)
		out[i] = atomic_load_explicit(&row[i], memory_order_acquire);
	return atomic_load_explicit(&row[0], memory_order_relaxed) == number ? number : 0;
}

static void
name(const struct mr_graph *g, struct mr_flight_drop *d, const struct flight_entry *e)
{
	const struct draft_node *dn = &g->nodes[e->node];

	d->class = e->class;
	d->reason = e->reason;
	if (e->node < g->node_count && dn->class == e->class && dn->since <= e->generation) {
		d->node = dn->name;
		d->index = e->node;
	} else {
		d->node = e->class->name;
		d->index = UINT16_MAX;
	}
}

static uint16_t
port_of(const struct mr_graph *g, uint16_t port, uint64_t generation)
{
	return port < g->port_count && g->ports[port].port && g->ports[port].since <= generation
	    ? port
	    : MR_FLIGHT_NO_PORT;
}

static void
add(struct filling *to, unsigned worker, const uint64_t *row)
{
	struct mr_flight_drop *d = &to->list->drops[to->list->count];
	struct flight_entry e;

	if (to->list->count == to->room)
		return;
	memcpy(&e, row, sizeof(e));
	memset(d, 0, sizeof(*d));
	d->number = e.number;
	d->cycles = e.cycles;
	d->stands_for = e.stands_for;
	d->kept = e.kept;
	d->length = e.length;
	d->flow = e.flow;
	d->worker = (uint16_t)worker;
	d->port = port_of(to->graph, e.port, e.generation);
	d->out = port_of(to->graph, e.out, e.generation);
	name(to->graph, d, &e);
	memcpy(to->bytes, row + FLIGHT_WORDS, e.kept);
	d->bytes = to->bytes;
	to->bytes += MR_ALIGN_UP(e.kept, 8u);
	to->list->count++;
}

/* The ring first: what falls out of it meanwhile is then in its group. */
static void
read_worker(struct filling *to, unsigned worker, const struct flight *f, uint64_t seen,
    uint64_t last, uint64_t *row)
{
	uint64_t first = last > f->packets ? last - f->packets + 1 : 1;

	for (uint64_t n = MR_MAX(first, seen + 1); n <= last; n++) {
		uint64_t at = (n - 1) % f->packets;

		if (copy_row(f->ring + at * f->stride, f->stride, row) == n)
			add(to, worker, row);
	}
	/* Some that were read may come again: see unique. */
	for (unsigned i = MR_FLIGHT_KEPT; i < FLIGHT_GROUPS * MR_FLIGHT_KEPT; i++) {
		uint64_t n = copy_row(f->kept + (size_t)i * f->stride, f->stride, row);

		if (n > seen && n <= last)
			add(to, worker, row);
	}
}

static int
by_time(const void *a, const void *b)
{
	const struct mr_flight_drop *x = a, *y = b;

	if (x->cycles != y->cycles)
		return x->cycles < y->cycles ? -1 : 1;
	if (x->worker != y->worker)
		return x->worker < y->worker ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Of a sorted list. */
static void
unique(struct mr_flight_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->count; i++)
		if (!n || by_time(&list->drops[n - 1], &list->drops[i]) != 0)
			list->drops[n++] = list->drops[i];
	list->count = n;
}

int
mr_flight_read(const struct mr_graph *g, struct mr_flight_cursor *cursor,
    struct mr_flight_list **out, struct mr_error *error)
{
	uint64_t last[MR_GRAPH_WORKERS_MAX] = { 0 }, *row;
	const struct mr_flight_cursor start = { { 0 } };
	struct filling to = { .graph = g };
	size_t bytes = 0;
	unsigned stride = FLIGHT_WORDS;

	for (unsigned w = 0; w < g->worker_count; w++) {
		const struct flight *f = g->workers[w]->flight;
		uint64_t n;

		if (!f)
			continue;
		/* Acquire pairs with the release in flight.c: rows up to it are whole. */
		last[w] = atomic_load_explicit(&f->last, memory_order_acquire);
		n = last[w] - (cursor ? cursor->seen[w] : 0);
		/* What is no longer in the ring may be in a group. */
		n = n > f->packets ? f->packets + FLIGHT_GROUPS * MR_FLIGHT_KEPT
				   : MR_MIN(n, f->packets) + FLIGHT_GROUPS * MR_FLIGHT_KEPT;
		if (last[w] == (cursor ? cursor->seen[w] : 0))
			n = 0;
		to.room += n;
		bytes += n * f->bytes;
		stride = f->stride;
	}
	to.list = malloc(sizeof(*to.list) + to.room * sizeof(to.list->drops[0]) + bytes);
	row = malloc(stride * sizeof(*row));
	if (!to.list || !row) {
		free(to.list);
		free(row);
		return mr_error_set(error, -ENOMEM, "flight recorder: no memory to read it");
	}
	to.list->count = 0;
	to.bytes = (uint8_t *)&to.list->drops[to.room];
	for (unsigned w = 0; w < g->worker_count; w++) {
		uint64_t seen = (cursor ? cursor : &start)->seen[w];

		if (last[w] > seen)
			read_worker(&to, w, g->workers[w]->flight, seen, last[w], row);
		if (cursor)
			cursor->seen[w] = last[w];
	}
	free(row);
	qsort(to.list->drops, to.list->count, sizeof(to.list->drops[0]), by_time);
	unique(to.list);
	*out = to.list;
	return 0;
}

void
mr_flight_list_free(struct mr_flight_list *list)
{
	free(list);
}

void
mr_flight_set_on(struct mr_graph *g, bool on)
{
	for (unsigned w = 0; w < g->worker_count; w++)
		if (g->workers[w]->flight)
			atomic_store_explicit(&g->workers[w]->flight->off, !on,
			    memory_order_relaxed);
}

void
mr_flight_stats(const struct mr_graph *g, struct mr_flight_stats *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned w = 0; w < g->worker_count; w++) {
		const struct flight *f = g->workers[w]->flight;

		if (!f)
			continue;
		out->packets = f->packets;
		out->bytes = f->bytes;
		out->on = !atomic_load_explicit(&f->off, memory_order_relaxed);
		out->memory += f->memory;
		out->recorded += mr_counter_get(&f->last);
		out->passed += mr_counter_get(&f->passed);
	}
}
