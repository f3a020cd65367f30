/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_GEN_GEN_INT_H
#define MR_KIT_PORT_GEN_GEN_INT_H

/*
 * gen: a port that makes traffic and judges what comes back.
 *
 *   template.c  one finished frame per size, with the fields that differ left zero,
 *               and a table of flows: what to write there and what that adds to
 *               the checksums
 *   gen.c       rx copies a template and patches it from the flow; tx is the sink
 *   sink.c      reads the stamps of what was sent here: loss, order, latency
 *
 * A stamp is the last 16 bytes of a frame, so that it survives tags and tunnels
 * without parsing: which stream (port and queue), which number, when.
 */

#include "kit/port/driver_int.h"

#define GEN_SIZES_MAX 16
#define GEN_SCHEDULE_MAX 16
#define GEN_STREAMS_MAX 64
#define GEN_STAMP_SIZE 16u
#define GEN_STAMP_MAGIC 0x6d726773u

enum gen_l3 {
	GEN_L3_NONE,
	GEN_L3_IP4,
	GEN_L3_IP6,
};

enum gen_l4 {
	GEN_UDP,
	GEN_TCP,
	GEN_ICMP,
};

enum gen_order {
	GEN_ROUND_ROBIN,
	GEN_SHUFFLE,
	GEN_RANDOM,
};

/* What one flow writes into its template; all in wire order, sums as the machine
 * loads 16-bit words (a ones'-complement sum does not mind). */
struct gen_flow {
	uint32_t dst_mac; /* the last four bytes */
	uint32_t src_mac;
	uint32_t src; /* IPv4 address, or the last four bytes of the IPv6 one */
	uint32_t dst;
	uint32_t ports; /* source and destination port, or ICMP identifier and sequence */
	uint16_t ip_sum;
	uint16_t l4_sum;
} __attribute__((aligned(32))); /* none lies across two cache lines */

struct gen_template {
	uint8_t *bytes; /* line-aligned, padded to whole lines */
	uint32_t len;
	uint32_t ip_sum; /* of the IPv4 header without addresses */
	uint32_t l4_sum; /* of pseudo-header, header and payload without what the flow writes */
	bool stamp_odd;  /* the stamp starts at an odd byte of what the checksum covers */
};

struct gen_queue {
	uint64_t random;
	uint32_t first, end, next; /* this queue's flows */
	uint32_t step;             /* in the schedule of sizes */
	uint64_t sent;
	uint64_t quota;    /* UINT64_MAX: without end */
	uint64_t begun_ns; /* with a rate: when `sent` was 0, in effect */
	int timer;
	bool finished;
} __attribute__((aligned(MR_CACHE_LINE)));

struct gen_stream {
	_Atomic uint32_t tag; /* the stamp's plus 1; 0: free */
	_Atomic uint64_t received;
	_Atomic uint64_t reordered;
	_Atomic uint64_t next; /* one past the highest number seen */
};

#define GEN_BUCKETS (64 * 16)

/* What one tx queue saw; written by its worker, read by stats. */
struct gen_sink {
	struct gen_stream streams[GEN_STREAMS_MAX];
	_Atomic uint64_t stamped;
	_Atomic uint64_t plain;
	_Atomic uint64_t cycles_min, cycles_max, cycles_sum;
	_Atomic uint64_t latency[GEN_BUCKETS]; /* 16 buckets per power of two, in cycles */
} __attribute__((aligned(MR_CACHE_LINE)));

/* What is in the frames, and where the flow's fields stand, counted from the first byte. */
struct gen_layout {
	enum gen_l3 l3;
	enum gen_l4 l4;
	uint16_t ip_at, src_at, dst_at, l4_at, ports_at, csum_at;
};

struct gen_port {
	struct mr_port port;
	struct gen_layout layout;
	enum gen_order order;
	bool stamp;
	bool chained; /* some template is larger than a buffer */
	struct gen_template templates[GEN_SIZES_MAX];
	unsigned sizes;
	uint8_t schedule[GEN_SCHEDULE_MAX]; /* templates in the order in which they leave */
	unsigned steps;
	struct gen_flow *flows;
	uint32_t flow_count;
	uint64_t rate;               /* packets per second and queue; 0: as fast as polled */
	uint64_t backlog;            /* packets at most that are sent at once to keep the rate */
	_Atomic uint32_t unfinished; /* queues with packets left */
	struct gen_queue *queues;
	struct gen_sink *sinks;
	uint64_t clock_ns, clock_cycles; /* taken at start: what a cycle is worth */
};

extern const struct mr_option_desc gen_options[];

/* A 64-bit mixer (splitmix64): the whole of gen's randomness, so that a seed says all. */
mr_inline uint64_t
gen_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

mr_inline uint16_t
gen_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

int gen_templates_build(struct gen_port *, const struct mr_port_config *, struct mr_error *);
void gen_templates_free(struct gen_port *);

void gen_sink_take(struct gen_port *, unsigned queue, const uint32_t *packets, unsigned count);
void gen_sink_report(struct gen_port *, char *out, size_t size);

#endif
