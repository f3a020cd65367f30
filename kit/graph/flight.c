/* SPDX-License-Identifier: Apache-2.0 */

/* The workers' side of the flight recorder: kit/graph/flight.h says what it does, flight_int.h how. */

#include "kit/graph/flight_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph_int.h"

static void *
lines(size_t size)
{
	void *p = aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(size, (size_t)MR_CACHE_LINE));

	/* Touched now, so that no drop pays for the page. */
	if (p)
		memset(p, 0, size);
	return p;
}

int
flight_create(struct flight **out, const struct mr_flight_config *config, struct mr_error *error)
{
	uint32_t bytes = config->bytes ? config->bytes : MR_FLIGHT_BYTES_DEFAULT;
	size_t ring, kept, members = (size_t)config->packets * sizeof(struct flight_member);
	struct flight *f;

	if (bytes > MR_FLIGHT_BYTES_MAX)
		return mr_error_set(error, -EINVAL,
		    "flight recorder: %u bytes, but %u are the most", bytes, MR_FLIGHT_BYTES_MAX);
	f = lines(sizeof(*f));
	if (!f)
		goto no_memory;
	f->packets = config->packets;
	f->bytes = MR_ALIGN_UP(bytes, 8u);
	f->stride = FLIGHT_WORDS + f->bytes / 8;
	ring = (size_t)f->packets * f->stride * sizeof(uint64_t);
	kept = (size_t)FLIGHT_GROUPS * MR_FLIGHT_KEPT * f->stride * sizeof(uint64_t);
	f->memory = ring + kept + members;
	f->ring = lines(ring);
	f->kept = lines(kept);
	f->members = lines(members);
	f->groups = lines(FLIGHT_GROUPS * sizeof(*f->groups));
	f->group_count = 1;
	if (!f->ring || !f->kept || !f->members || !f->groups)
		goto no_memory;
	*out = f;
	return 0;

no_memory:
	flight_destroy(f);
	return mr_error_set(error, -ENOMEM, "flight recorder: no memory for %u packets",
	    config->packets);
}

void
flight_destroy(struct flight *f)
{
	if (!f)
		return;
	free(f->ring);
	free(f->kept);
	free(f->members);
	free(f->groups);
	free(f);
}

/* -- rows --------------------------------------------------------------------------------- */

static void
put(_Atomic uint64_t *row, unsigned word, uint64_t value)
{
	/* Release pairs with the acquire in flight_read.c: flight_int.h. */
	atomic_store_explicit(&row[word], value, memory_order_release);
}

static void
put_bytes(_Atomic uint64_t *row, const uint8_t *bytes, unsigned count)
{
	uint64_t word;
	unsigned i;

	for (i = 0; i + 8 <= count; i += 8) {
		memcpy(&word, bytes + i, 8);
		put(row, FLIGHT_WORDS + i / 8, word);
	}
	if (i == count)
		return;
	word = 0;
	memcpy(&word, bytes + i, count - i);
	put(row, FLIGHT_WORDS + i / 8, word);
}

static void
put_packet(_Atomic uint64_t *row, const struct mr_buffers *b, uint32_t packet, unsigned count)
{
	const struct mr_packet *p = mr_packet_at(b->base, packet);
	uint8_t piece[256];

	static_assert(sizeof(piece) % 8 == 0, "pieces are whole words");
	if (mr_likely(count <= p->len)) {
		put_bytes(row, mr_packet_bytes_const(p), count);
		return;
	}
	for (unsigned at = 0; at < count; at += sizeof(piece)) {
		unsigned n = MR_MIN(count - at, (unsigned)sizeof(piece));

		mr_packet_read(b, packet, at, piece, n);
		put_bytes(row + at / 8, piece, n);
	}
}

/* What falls out of the ring, if it is one of the last of its reason. */
static void
rescue(struct flight *f, uint64_t number)
{
	uint32_t at = (uint32_t)((number - 1) % f->packets);
	const struct flight_member *m = &f->members[at];
	const struct flight_group *g = &f->groups[m->group];
	const _Atomic uint64_t *from = f->ring + (size_t)at * f->stride;
	_Atomic uint64_t *to;

	if (m->epoch != g->epoch || g->count - m->ordinal > MR_FLIGHT_KEPT)
		return;
	to =
	    f->kept + ((size_t)m->group * MR_FLIGHT_KEPT + m->ordinal % MR_FLIGHT_KEPT) * f->stride;
	/* Relaxed: the 0 is ordered by the words behind it; what is read we wrote ourselves. */
	atomic_store_explicit(&to[0], 0, memory_order_relaxed);
	for (unsigned i = 1; i < f->stride; i++)
		put(to, i, atomic_load_explicit(&from[i], memory_order_relaxed));
	put(to, 0, atomic_load_explicit(&from[0], memory_order_relaxed));
}

static void
keep(struct mr_worker *w, const struct node_rt *rt, unsigned reason, uint32_t group,
    uint32_t packet)
{
	struct flight *f = w->flight;
	struct flight_group *g = &f->groups[group];
	const struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packet);
	/* Relaxed: this thread alone writes it. */
	uint64_t number = atomic_load_explicit(&f->last, memory_order_relaxed) + 1;
	uint32_t at = (uint32_t)((number - 1) % f->packets);
	_Atomic uint64_t *row = f->ring + (size_t)at * f->stride;
	uint64_t words[FLIGHT_WORDS];
	const struct flight_entry e = {
		.number = number,
		.cycles = mr_cycles(),
		.generation = w->current->generation,
		.stands_for = g->skipped + 1,
		.class = rt->class,
		.length = p->total,
		.flow = w->drop_flow,
		.port = p->port,
		.node = rt->run.node,
		.reason = (uint16_t)reason,
		.out = w->drop_out,
		.kept = MR_MIN(p->total, f->bytes),
	};

	if (number > f->packets)
		rescue(f, number - f->packets);
	memcpy(words, &e, sizeof(words));
	/* Relaxed: ordered by the releases of the words behind it. */
	atomic_store_explicit(&row[0], 0, memory_order_relaxed);
	for (unsigned i = 1; i < FLIGHT_WORDS; i++)
		put(row, i, words[i]);
	put_packet(row, w->graph->buffers, packet, e.kept);
	put(row, 0, number);
	put((_Atomic uint64_t *)&f->last, 0, number);
	g->skipped = 0;
	g->newest = number;
	f->members[at] = (struct flight_member){ g->epoch, group, g->count++ };
}

/* -- groups ------------------------------------------------------------------------------- */

/* The group that has been quiet for the longest; once in a vector, so that whoever provokes more
 * reasons than there are groups does not have us search for each packet. */
static uint32_t
take_group(struct mr_worker *w)
{
	struct flight *f = w->flight;
	uint32_t oldest = 1;

	if (f->group_count < FLIGHT_GROUPS)
		return f->group_count++;
	if (f->searched == w->vectors)
		return 0;
	f->searched = w->vectors;
	for (uint32_t i = 2; i < FLIGHT_GROUPS; i++)
		if (f->groups[i].newest < f->groups[oldest].newest)
			oldest = i;
	return oldest;
}

/* 0: none can be had. */
static uint32_t
group_of(struct mr_worker *w, struct node_rt *rt, unsigned reason)
{
	struct flight *f = w->flight;
	uint32_t i = rt->flight_groups[reason];
	struct flight_group *g = &f->groups[i];

	if (mr_likely(i && g->owner == rt && g->reason == reason))
		return i;
	i = take_group(w);
	if (!i)
		return 0;
	g = &f->groups[i];
	*g = (struct flight_group){
		.owner = rt,
		.reason = (uint16_t)reason,
		.epoch = g->epoch + 1,
		.vector = w->vectors,
	};
	rt->flight_groups[reason] = (uint16_t)i;
	return i;
}

void
flight_drop(struct mr_worker *w, struct node_rt *rt, unsigned reason, const uint32_t *packets,
    unsigned count)
{
	struct flight *f = w->flight;
	struct flight_group *g;
	uint32_t group;
	unsigned n;

	/* Relaxed: a switch, nothing hangs on it. */
	if (atomic_load_explicit(&f->off, memory_order_relaxed))
		return;
	group = group_of(w, rt, reason);
	g = &f->groups[group];
	if (mr_unlikely(!group)) {
		mr_counter_add(&f->passed, count);
		return;
	}
	if (g->vector != w->vectors) {
		g->vector = w->vectors;
		g->taken = 0;
	}
	n = MR_MIN(count, MR_FLIGHT_PER_VECTOR - g->taken);
	for (unsigned i = 0; i < n; i++)
		keep(w, rt, reason, group, packets[i]);
	g->taken = (uint16_t)(g->taken + n);
	if (n < count) {
		g->skipped += count - n;
		mr_counter_add(&f->passed, count - n);
	}
}
