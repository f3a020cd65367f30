/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_PROBE_H
#define MR_KIT_GRAPH_PROBE_H

/*
 * A probe watches packets of a running graph. Three kinds: a trace probe attaches
 * a recording to the next packets that match and keeps what was recorded; a capture
 * probe copies matching packets at chosen points (reception, transmission, drops,
 * entry of a node) for a reader; a sampler copies the first bytes of one in so many
 * packets received, at random. A graph without probes pays one test per pass.
 *
 * Ownership: the creator's; attach and detach through the graph. Captured packets
 * are buffers of the data plane's pool and belong to who takes them.
 * Threads: workers fill a probe, one control thread reads it.
 * Errors: what a full probe could not take is counted (`missed`), never waited for.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"
#include "kit/packet/buffers.h"
#include "kit/record/record.h"

#define MR_PROBE_ANY UINT16_MAX

enum mr_probe_point {
	MR_PROBE_RX = 1u << 0,
	MR_PROBE_TX = 1u << 1,
	MR_PROBE_DROP = 1u << 2,
	MR_PROBE_NODE = 1u << 3,
};

/* Whether a packet matches: its first segment's bytes and its whole length. May run
 * on several workers at once. */
typedef bool mr_probe_match_fn(const void *arg, const uint8_t *bytes, unsigned len, unsigned total);

struct mr_probe_config {
	bool trace;            /* else capture, or */
	bool sample;           /* a sampler: of the rest only rates, snap, buffers, workers */
	const uint32_t *rates; /* [MR_PORT_MAX], copied: one in so many; 0: none of this port */
	uint16_t snap;         /* bytes of each, at most MR_SAMPLE_SNAP */
	uint32_t points;       /* of a capture: enum mr_probe_point */
	uint16_t port; /* only packets received (RX, trace, DROP, NODE) or sent (TX) here; or ANY */
	uint16_t node; /* NODE: entering it; DROP: dropped by it; or ANY */
	uint32_t count;           /* packets; 0: without end (capture only) */
	mr_probe_match_fn *match; /* null: everything */
	const void *match_arg;
	struct mr_buffers *buffers;
	uint16_t workers;
};

/* One captured packet. Its bytes are a packet of its own, to be freed by the reader. */
struct mr_capture {
	uint32_t packet;
	uint32_t length; /* before it was snapped */
	uint64_t cycles; /* when */
	uint16_t port;   /* received (RX, NODE, DROP) or sent on (TX) */
	uint16_t node;   /* NODE, DROP */
	uint16_t reason; /* DROP: of that node */
	uint8_t point;
};

/* One sampled packet. */
#define MR_SAMPLE_SNAP 256u
struct mr_sample {
	uint64_t cycles; /* when */
	uint32_t length;
	uint32_t rate;
	uint16_t port;
	uint16_t snapped; /* bytes that are there */
	uint8_t bytes[MR_SAMPLE_SNAP];
};

struct mr_probe;

MR_API int mr_probe_create(struct mr_probe **out, const struct mr_probe_config *,
    struct mr_error *);
/* Detached first. Frees what was captured and not taken. */
MR_API void mr_probe_destroy(struct mr_probe *);

/* Capture: takes up to `max` captured packets, oldest first per worker. */
MR_API unsigned mr_probe_read(struct mr_probe *, struct mr_capture *out, unsigned max);
/* Sampler: takes up to `max` samples, oldest first per worker. */
MR_API unsigned mr_probe_samples(struct mr_probe *, struct mr_sample *out, unsigned max);
/* Of this port: packets that could have been sampled, and samples for which there was no room. */
MR_API void mr_probe_sampled(const struct mr_probe *, uint16_t port, uint64_t *pool,
    uint64_t *drops);
/* Trace: the n-th finished recording, null while there are fewer. Lives as the probe. */
MR_API const struct mr_recording *mr_probe_recording(const struct mr_probe *, unsigned n);
/* True once `count` packets were taken. */
MR_API bool mr_probe_finished(const struct mr_probe *);
MR_API uint64_t mr_probe_missed(const struct mr_probe *);

#endif
