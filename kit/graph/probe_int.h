/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_PROBE_INT_H
#define MR_KIT_GRAPH_PROBE_INT_H

/*
 * The workers' side of probes (kit/graph/probe.h): the set that is attached to a
 * graph, published whole, and what a worker does with it. All of it is off the
 * common path: a worker without probes tests one pointer.
 */

#include "kit/base/ring_spsc.h"
#include "kit/graph/probe.h"

#define MR_PROBES_MAX 16

struct mr_worker;
struct mr_sampler;

struct mr_probe {
	struct mr_probe_config config;
	uint32_t id;            /* tag of the recordings that it attached */
	_Atomic uint32_t taken; /* packets that workers have claimed */
	_Atomic uint64_t missed;
	/* Capture: one ring of packet handles per worker; the rest of a capture is
	 * written into the captured packet's own metadata line. */
	struct mr_spsc *rings[32];
	struct mr_sampler *sampler; /* null: it is none (sample.c) */
	/* Trace: finished recordings, in the order of their end. */
	struct mr_recording *recordings;
	_Atomic uint32_t claimed;
	_Atomic uint8_t *ready; /* [count]; release by the worker, acquire by the reader */
};

struct mr_probe_set {
	uint32_t points; /* of all its captures */
	bool trace, sample;
	unsigned count;
	struct mr_probe *probes[MR_PROBES_MAX];
};

void mr_probe_capture(const struct mr_probe_set *, struct mr_worker *, enum mr_probe_point,
    unsigned where, unsigned reason, const uint32_t *packets, unsigned count);

/* What one input delivered, shown to the samplers. */
void mr_probe_sample(const struct mr_probe_set *, struct mr_worker *, const uint32_t *packets,
    unsigned count);
int mr_sampler_create(struct mr_sampler **out, const struct mr_probe_config *, struct mr_error *);
void mr_sampler_destroy(struct mr_sampler *);

/* Attaches recordings where a trace probe wants one; true when any was attached. */
bool mr_probe_trace(const struct mr_probe_set *, struct mr_worker *, const uint32_t *packets,
    unsigned count);
/* The tag of the first trace probe. */
uint32_t mr_probe_trace_tag(const struct mr_probe_set *);

/* The recorder's: `user` is the worker. */
void mr_probe_recorded(void *user, const struct mr_recording *);

#endif
