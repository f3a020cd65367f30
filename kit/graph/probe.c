/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph_int.h"

#define CAPTURE_RING 4096
#define TRACE_MAX 10000

/* What a captured packet's scratch says until the reader takes it. */
struct captured {
	uint64_t cycles;
	uint32_t length;
	uint16_t port, node, reason;
	uint8_t point;
};
static_assert(sizeof(struct captured) <= sizeof(((struct mr_packet *)0)->scratch),
    "a capture's description fits the scratch");

int
mr_probe_create(struct mr_probe **out, const struct mr_probe_config *config, struct mr_error *error)
{
	struct mr_probe *p;
	int rc;

	if (config->trace && (config->count == 0 || config->count > TRACE_MAX))
		return mr_error_set(error, -EINVAL, "trace: %u packets asked for, 1 to %u possible",
		    config->count, TRACE_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		goto no_memory;
	p->config = *config;
	if (config->sample) {
		p->config.points = 0;
		rc = mr_sampler_create(&p->sampler, config, error);
		if (rc) {
			mr_probe_destroy(p);
			return rc;
		}
	} else if (config->trace) {
		p->recordings = calloc(config->count, sizeof(*p->recordings));
		p->ready = calloc(config->count, sizeof(*p->ready));
		if (!p->recordings || !p->ready)
			goto no_memory;
	} else {
		for (unsigned i = 0; i < config->workers; i++) {
			rc = mr_spsc_create(&p->rings[i],
			    &(struct mr_ring_config){ .capacity = CAPTURE_RING,
				.element_size = sizeof(uint32_t) },
			    error);
			if (rc) {
				mr_probe_destroy(p);
				return rc;
			}
		}
	}
	*out = p;
	return 0;

no_memory:
	mr_probe_destroy(p);
	return mr_error_set(error, -ENOMEM, "probe: no memory");
}

void
mr_probe_destroy(struct mr_probe *p)
{
	struct mr_capture c;

	if (!p)
		return;
	if (!p->config.trace)
		while (mr_probe_read(p, &c, 1) == 1)
			mr_packets_free(p->config.buffers, MR_POOL_SHARED, &c.packet, 1);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(p->rings); i++)
		mr_spsc_destroy(p->rings[i]);
	mr_sampler_destroy(p->sampler);
	free(p->recordings);
	free(p->ready);
	free(p);
}

/* Takes one of the probe's `count`, or not. */
static bool
claim(struct mr_probe *p)
{
	uint32_t n;

	if (p->config.count == 0)
		return true;
	/* Relaxed: a number, nothing hangs on it. The first test keeps it from wrapping. */
	if (atomic_load_explicit(&p->taken, memory_order_relaxed) >= p->config.count)
		return false;
	n = atomic_fetch_add_explicit(&p->taken, 1, memory_order_relaxed);
	return n < p->config.count;
}

static bool
matches(const struct mr_probe *p, const struct mr_packet *packet)
{
	return !p->config.match ||
	    p->config.match(p->config.match_arg, mr_packet_bytes_const(packet), packet->len,
		packet->total);
}

static void
capture_one(struct mr_probe *p, struct mr_worker *w, enum mr_probe_point point, unsigned where,
    unsigned reason, uint32_t handle)
{
	struct mr_buffers *b = p->config.buffers;
	struct mr_packet *packet = mr_packet_at(b->base, handle), *copy;
	struct captured c = {
		.cycles = mr_cycles(),
		.length = packet->total,
		.port = point == MR_PROBE_TX ? (uint16_t)where : packet->port,
		.node = (uint16_t)where,
		.reason = (uint16_t)reason,
		.point = (uint8_t)point,
	};
	uint32_t taken;

	if (!claim(p))
		return;
	taken = mr_packet_copy(b, w->index, handle);
	if (taken == MR_PACKET_NONE) {
		atomic_fetch_add_explicit(&p->missed, 1, memory_order_relaxed);
		return;
	}
	copy = mr_packet_at(b->base, taken);
	copy->record = 0;
	memcpy(copy->scratch, &c, sizeof(c));
	if (mr_spsc_put_burst_u32(p->rings[w->index], &taken, 1) == 0) {
		mr_packets_free(b, w->index, &taken, 1);
		atomic_fetch_add_explicit(&p->missed, 1, memory_order_relaxed);
	}
}

void
mr_probe_capture(const struct mr_probe_set *set, struct mr_worker *w, enum mr_probe_point point,
    unsigned where, unsigned reason, const uint32_t *packets, unsigned count)
{
	for (unsigned k = 0; k < set->count; k++) {
		struct mr_probe *p = set->probes[k];

		if (p->config.trace || !(p->config.points & point))
			continue;
		if ((point == MR_PROBE_NODE || point == MR_PROBE_DROP) &&
		    p->config.node != MR_PROBE_ANY && p->config.node != where)
			continue;
		for (unsigned i = 0; i < count; i++) {
			struct mr_packet *packet =
			    mr_packet_at(p->config.buffers->base, packets[i]);
			unsigned port = point == MR_PROBE_TX ? where : packet->port;

			if (p->config.port != MR_PROBE_ANY && p->config.port != port)
				continue;
			if (matches(p, packet))
				capture_one(p, w, point, where, reason, packets[i]);
		}
	}
}

bool
mr_probe_trace(const struct mr_probe_set *set, struct mr_worker *w, const uint32_t *packets,
    unsigned count)
{
	bool any = false;

	for (unsigned k = 0; k < set->count; k++) {
		struct mr_probe *p = set->probes[k];

		if (!p->config.trace)
			continue;
		for (unsigned i = 0; i < count; i++) {
			struct mr_packet *packet =
			    mr_packet_at(w->graph->buffers->base, packets[i]);

			if (packet->record ||
			    (p->config.port != MR_PROBE_ANY && p->config.port != packet->port) ||
			    !matches(p, packet) || !claim(p))
				continue;
			if (mr_recorder_attach(w->recorder, packet, p->id))
				any = true;
			else
				atomic_fetch_add_explicit(&p->missed, 1, memory_order_relaxed);
		}
	}
	return any;
}

uint32_t
mr_probe_trace_tag(const struct mr_probe_set *set)
{
	for (unsigned k = 0; k < set->count; k++)
		if (set->probes[k]->config.trace)
			return set->probes[k]->id;
	return 0;
}

void
mr_probe_recorded(void *user, const struct mr_recording *r)
{
	struct mr_worker *w = user;

	for (unsigned k = 0; w->probes && k < w->probes->count; k++) {
		struct mr_probe *p = w->probes->probes[k];
		uint32_t n;

		if (!p->config.trace || p->id != r->tag)
			continue;
		n = atomic_fetch_add_explicit(&p->claimed, 1, memory_order_relaxed);
		if (n >= p->config.count)
			return; /* the second part of a packet that changed workers */
		memcpy(&p->recordings[n], r,
		    offsetof(struct mr_recording, ops) + r->count * sizeof(r->ops[0]));
		/* Release: the reader that sees it ready sees all of it. */
		atomic_store_explicit(&p->ready[n], 1, memory_order_release);
		return;
	}
}

unsigned
mr_probe_read(struct mr_probe *p, struct mr_capture *out, unsigned max)
{
	struct captured c;
	unsigned n = 0;

	for (unsigned i = 0; i < p->config.workers && !p->config.trace; i++) {
		while (n < max) {
			uint32_t packet;

			if (!p->rings[i] || !mr_spsc_get_burst_u32(p->rings[i], &packet, 1))
				break;
			memcpy(&c, mr_packet_at(p->config.buffers->base, packet)->scratch,
			    sizeof(c));
			out[n++] = (struct mr_capture){
				.packet = packet,
				.length = c.length,
				.cycles = c.cycles,
				.port = c.port,
				.node = c.node,
				.reason = c.reason,
				.point = c.point,
			};
		}
	}
	return n;
}

const struct mr_recording *
mr_probe_recording(const struct mr_probe *p, unsigned n)
{
	if (!p->config.trace || n >= p->config.count ||
	    !atomic_load_explicit(&p->ready[n], memory_order_acquire))
		return NULL;
	return &p->recordings[n];
}

bool
mr_probe_finished(const struct mr_probe *p)
{
	if (p->config.count == 0)
		return false;
	if (p->config.trace)
		return atomic_load_explicit(&p->claimed, memory_order_relaxed) >= p->config.count;
	return atomic_load_explicit(&p->taken, memory_order_relaxed) >= p->config.count;
}

uint64_t
mr_probe_missed(const struct mr_probe *p)
{
	return atomic_load_explicit(&p->missed, memory_order_relaxed);
}
