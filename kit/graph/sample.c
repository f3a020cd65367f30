/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Samplers: one packet in N of those that a port receives, at random (kit/graph/probe.h). The next
 * one is drawn ahead, by how many packets pass before it (the geometric distribution, so that each
 * packet has the same chance whatever came before); so a vector without one costs a subtraction.
 *
 * What is sampled is copied into the worker's ring: `tail` counts what the worker has written,
 * `head` what the reader has taken; each is stored by its owner with release order, which hands
 * the slots over.
 */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/hash.h"
#include "kit/graph/graph_int.h"

#define SLOTS 1024u

struct sample_port {
	_Atomic uint64_t pool;  /* packets that could have been sampled */
	_Atomic uint64_t drops; /* sampled, and no slot was free */
	uint64_t skip;          /* packets until the next one */
};

struct sample_worker {
	MR_CACHE_ALIGNED _Atomic uint32_t tail;
	MR_CACHE_ALIGNED _Atomic uint32_t head;
	MR_CACHE_ALIGNED uint64_t random;
	struct sample_port ports[MR_PORT_MAX];
	struct mr_sample slots[SLOTS];
};

struct mr_sampler {
	uint16_t workers, snap;
	uint32_t rates[MR_PORT_MAX];
	double scale[MR_PORT_MAX]; /* 1 / ln(1 - 1 / rate) */
	struct sample_worker *of[MR_GRAPH_WORKERS_MAX];
};

/* Marsaglia's xorshift (2003), with Vigna's multiplication. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* From 1: the next one. */
static uint64_t
draw(const struct mr_sampler *s, struct sample_worker *w, unsigned port)
{
	double u = ((double)(next_random(&w->random) >> 11) + 1) * 0x1p-53; /* in (0, 1] */

	return s->rates[port] == 1 ? 1 : 1 + (uint64_t)(log(u) * s->scale[port]);
}

int
mr_sampler_create(struct mr_sampler **out, const struct mr_probe_config *config,
    struct mr_error *error)
{
	struct mr_sampler *s = calloc(1, sizeof(*s));
	struct mr_hash_key seed;
	int rc = s ? mr_hash_key_random(&seed, error)
		   : mr_error_set(error, -ENOMEM, "sampler: no memory");

	*out = s;
	if (rc)
		return rc;
	s->workers = config->workers;
	s->snap = (uint16_t)MR_MIN(config->snap, MR_SAMPLE_SNAP);
	memcpy(s->rates, config->rates, sizeof(s->rates));
	for (unsigned p = 0; p < MR_PORT_MAX; p++)
		if (s->rates[p] > 1)
			s->scale[p] = 1 / log1p(-1.0 / s->rates[p]);
	for (unsigned i = 0; i < s->workers; i++) {
		struct sample_worker *w =
		    aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*w), (size_t)MR_CACHE_LINE));

		if (!w)
			return mr_error_set(error, -ENOMEM, "sampler: no memory");
		memset(w, 0, sizeof(*w));
		s->of[i] = w;
		w->random = mr_hash_words(&seed, &(uint64_t){ i + 1 }, 1) | 1;
		for (unsigned p = 0; p < MR_PORT_MAX; p++)
			if (s->rates[p])
				w->ports[p].skip = draw(s, w, p);
	}
	return 0;
}

void
mr_sampler_destroy(struct mr_sampler *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->workers; i++)
		free(s->of[i]);
	free(s);
}

/* -- the worker's ------------------------------------------------------------------------------- */

static void
take(const struct mr_sampler *s, struct sample_worker *w, struct mr_buffers *buffers,
    uint32_t handle, unsigned port)
{
	const struct mr_packet *p = mr_packet_at(buffers->base, handle);
	uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
	struct mr_sample *slot = &w->slots[tail % SLOTS];

	/* Acquire pairs with mr_probe_samples: the reader is done with the slot. */
	if (tail - atomic_load_explicit(&w->head, memory_order_acquire) == SLOTS) {
		mr_counter_add(&w->ports[port].drops, 1);
		return;
	}
	slot->cycles = mr_cycles();
	slot->length = p->total;
	slot->port = (uint16_t)port;
	slot->rate = s->rates[port];
	slot->snapped =
	    (uint16_t)mr_packet_read(buffers, handle, 0, slot->bytes, MR_MIN(s->snap, p->total));
	/* Release pairs with mr_probe_samples: the slot is filled. */
	atomic_store_explicit(&w->tail, tail + 1, memory_order_release);
}

static void
sample(struct mr_sampler *s, struct mr_worker *worker, const uint32_t *packets, unsigned count)
{
	struct mr_buffers *buffers = worker->graph->buffers;
	struct sample_worker *w = s->of[worker->index];
	/* What a driver delivers in one burst is one port's. */
	unsigned port = mr_packet_at(buffers->base, packets[0])->port;
	struct sample_port *sp = &w->ports[port];
	uint64_t at = 0;

	if (port >= MR_PORT_MAX || !s->rates[port])
		return;
	mr_counter_add(&sp->pool, count);
	while (mr_unlikely(sp->skip <= count - at)) {
		at += sp->skip;
		take(s, w, buffers, packets[at - 1], port);
		sp->skip = draw(s, w, port);
	}
	sp->skip -= count - at;
}

void
mr_probe_sample(const struct mr_probe_set *set, struct mr_worker *w, const uint32_t *packets,
    unsigned count)
{
	for (unsigned k = 0; k < set->count; k++)
		if (set->probes[k]->sampler)
			sample(set->probes[k]->sampler, w, packets, count);
}

/* -- the reader's --------------------------------------------------------------------------------- */

unsigned
mr_probe_samples(struct mr_probe *p, struct mr_sample *out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; p->sampler && i < p->sampler->workers; i++) {
		struct sample_worker *w = p->sampler->of[i];
		uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed);

		/* Acquire pairs with take. */
		while (n < max && head != atomic_load_explicit(&w->tail, memory_order_acquire))
			out[n++] = w->slots[head++ % SLOTS];
		/* Release pairs with take. */
		atomic_store_explicit(&w->head, head, memory_order_release);
	}
	return n;
}

void
mr_probe_sampled(const struct mr_probe *p, uint16_t port, uint64_t *pool, uint64_t *drops)
{
	*pool = *drops = 0;
	for (unsigned i = 0; p->sampler && i < p->sampler->workers; i++) {
		*pool += mr_counter_get(&p->sampler->of[i]->ports[port].pool);
		*drops += mr_counter_get(&p->sampler->of[i]->ports[port].drops);
	}
}
