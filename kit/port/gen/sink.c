/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/gen/gen_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void
store(_Atomic uint64_t *at, uint64_t value)
{
	atomic_store_explicit(at, value, memory_order_relaxed);
}

static uint64_t
load(const _Atomic uint64_t *at)
{
	return atomic_load_explicit(at, memory_order_relaxed);
}

/* 16 buckets for each power of two; below 16, one a cycle. */
static unsigned
bucket_of(uint64_t cycles)
{
	unsigned log;

	if (cycles < 16)
		return (unsigned)cycles;
	log = 63 - (unsigned)__builtin_clzll(cycles);
	return (log - 3) * 16 + (unsigned)((cycles >> (log - 4)) & 15);
}

/* The largest value that falls into a bucket. */
static uint64_t
bucket_top(unsigned bucket)
{
	unsigned log = bucket / 16 + 3;

	if (bucket < 16)
		return bucket;
	return ((16ull + (bucket & 15) + 1) << (log - 4)) - 1;
}

static struct gen_stream *
stream_of(struct gen_sink *sink, uint32_t tag)
{
	unsigned i;

	for (i = 0; i < GEN_STREAMS_MAX; i++) {
		uint32_t known = atomic_load_explicit(&sink->streams[i].tag, memory_order_relaxed);

		if (known == tag)
			return &sink->streams[i];
		if (!known) {
			atomic_store_explicit(&sink->streams[i].tag, tag, memory_order_relaxed);
			return &sink->streams[i];
		}
	}
	return NULL;
}

static void
stream_count(struct gen_stream *s, uint32_t sequence)
{
	uint64_t next = load(&s->next);
	/* The stamp carries 32 bits; what is nearest to the last one is meant. */
	int32_t ahead = (int32_t)(sequence - (uint32_t)next);

	mr_counter_add(&s->received, 1);
	if (ahead < 0)
		mr_counter_add(&s->reordered, 1);
	else
		store(&s->next, next + (uint32_t)ahead + 1);
}

void
gen_sink_take(struct gen_port *g, unsigned queue, const uint32_t *packets, unsigned count)
{
	struct gen_sink *sink = &g->sinks[queue];
	struct mr_buffers *buffers = g->port.buffers;
	uint64_t now = mr_cycles(), sum = 0, stamped = 0;
	uint64_t min = load(&sink->cycles_min), max = load(&sink->cycles_max);
	struct gen_stream *stream = NULL;
	uint32_t last = 0;
	unsigned i;

	for (i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(buffers->base, packets[i]);
		uint64_t words[2], cycles;
		uint32_t tag;

		if (p->total < GEN_STAMP_SIZE)
			continue;
		if (mr_likely(p->segments == 1))
			memcpy(words, mr_packet_bytes(p) + p->len - GEN_STAMP_SIZE, sizeof(words));
		else if (mr_packet_read(buffers, packets[i], p->total - GEN_STAMP_SIZE, words,
			     sizeof(words)) != sizeof(words))
			continue;
		if (words[0] >> 32 != GEN_STAMP_MAGIC)
			continue;
		stamped++;
		tag = (uint32_t)(words[0] >> 16 & 0xffff) + 1;
		if (tag != last) {
			stream = stream_of(sink, tag);
			last = tag;
		}
		if (stream)
			stream_count(stream, (uint32_t)(words[1] >> 32));
		/* The stamp carries 48 bits of the counter. */
		cycles =
		    (now - ((words[0] & 0xffff) << 32 | (words[1] & 0xffffffff))) & 0xffffffffffff;
		sum += cycles;
		min = MR_MIN(min, cycles);
		max = MR_MAX(max, cycles);
		mr_counter_add(&sink->latency[bucket_of(cycles)], 1);
	}
	store(&sink->cycles_min, min);
	store(&sink->cycles_max, max);
	mr_counter_add(&sink->cycles_sum, sum);
	mr_counter_add(&sink->stamped, stamped);
	mr_counter_add(&sink->plain, count - stamped);
}

/* What a stream lost is only known over all queues: its packets may arrive on any. */
static void
streams_total(const struct gen_port *g, uint64_t *lost, uint64_t *reordered)
{
	unsigned q, i, r, j;

	*lost = *reordered = 0;
	for (q = 0; q < g->port.tx_queues; q++)
		for (i = 0; i < GEN_STREAMS_MAX; i++) {
			const struct gen_stream *s = &g->sinks[q].streams[i];
			uint32_t tag = atomic_load_explicit(&s->tag, memory_order_relaxed);
			uint64_t received = 0, next = 0;
			bool seen = false;

			if (!tag)
				break;
			*reordered += load(&s->reordered);
			for (r = 0; r < g->port.tx_queues && !seen; r++)
				for (j = 0; j < GEN_STREAMS_MAX; j++) {
					const struct gen_stream *o = &g->sinks[r].streams[j];

					if (atomic_load_explicit(&o->tag, memory_order_relaxed) !=
					    tag)
						continue;
					if (r < q)
						seen = true; /* counted with an earlier queue */
					received += load(&o->received);
					next = MR_MAX(next, load(&o->next));
				}
			if (!seen && next > received)
				*lost += next - received;
		}
}

void
gen_sink_report(struct gen_port *g, char *out, size_t size)
{
	uint64_t stamped = 0, plain = 0, min = UINT64_MAX, sum = 0, seen = 0, p99 = 0, sent = 0;
	uint64_t lost, reordered;
	struct timespec now;
	double us_per_cycle;
	unsigned q, b;

	for (q = 0; q < g->port.rx_queues; q++)
		sent += load(&g->port.rx_stats[q].packets);
	for (q = 0; q < g->port.tx_queues; q++) {
		stamped += load(&g->sinks[q].stamped);
		plain += load(&g->sinks[q].plain);
		sum += load(&g->sinks[q].cycles_sum);
		min = MR_MIN(min, load(&g->sinks[q].cycles_min));
	}
	if (!stamped) {
		snprintf(out, size, "sent %" PRIu64 ", received %" PRIu64, sent, plain);
		return;
	}
	for (b = 0; b < GEN_BUCKETS && seen * 100 < stamped * 99; b++) {
		for (q = 0; q < g->port.tx_queues; q++)
			seen += load(&g->sinks[q].latency[b]);
		p99 = bucket_top(b);
	}
	streams_total(g, &lost, &reordered);
	clock_gettime(CLOCK_MONOTONIC, &now);
	us_per_cycle =
	    (double)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - g->clock_ns) /
	    1e3 / (double)(mr_cycles() - g->clock_cycles);
	snprintf(out, size,
	    "sent %" PRIu64 ", received %" PRIu64 ", lost %" PRIu64 ", reordered %" PRIu64
	    ", latency us min %.1f avg %.1f p99 %.1f",
	    sent, stamped + plain, lost, reordered, (double)min * us_per_cycle,
	    (double)sum / (double)stamped * us_per_cycle, (double)p99 * us_per_cycle);
}
