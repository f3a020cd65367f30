/* SPDX-License-Identifier: Apache-2.0 */

/* Samplers: how many of what comes, that each has the same chance, and what happens when nobody
 * reads. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/graph/graph.h"
#include "kit/graph/graph_int.h"
#include "kit/graph/probe.h"

#define BURST 200u

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_probe *probe;
	uint32_t rates[MR_PORT_MAX];
	struct mr_error error;
};

mr_inline void
sink_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	(void)run;
	(void)rec;
	(void)packets;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_drop(0);
}
MR_NODE_FUNCTIONS(sink)
static const struct mr_named sink_drops[] = { { "sunk", "" } };
static const struct mr_node_class sink = {
	.name = "sink",
	.drops = sink_drops,
	.drop_count = 1,
	MR_NODE_RUN(sink),
};

static uint16_t
begin(struct bed *b, uint32_t rate, uint16_t snap)
{
	struct mr_probe_config config = { .sample = true, .snap = snap, .workers = 1 };
	uint16_t node;

	memset(b, 0, sizeof(*b));
	assert_int_equal(mr_buffers_create(&b->buffers,
			     &(struct mr_buffers_config){ .count = 1024,
				 .workers = 1,
				 .numa_node = -1,
				 .pages = MR_ARENA_4K },
			     &b->error),
	    0);
	assert_int_equal(mr_graph_create(&b->graph,
			     &(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 },
			     &b->error),
	    0);
	assert_int_equal(mr_graph_add_node(b->graph, &sink, NULL, NULL, &node, &b->error), 0);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
	b->rates[3] = rate;
	config.rates = b->rates;
	config.buffers = b->buffers;
	assert_int_equal(mr_probe_create(&b->probe, &config, &b->error), 0);
	assert_int_equal(mr_graph_attach(b->graph, b->probe, &b->error), 0);
	return node;
}

static void
finish(struct bed *b)
{
	mr_graph_detach(b->graph, b->probe);
	mr_probe_destroy(b->probe);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	mr_graph_destroy(b->graph);
	mr_buffers_destroy(b->buffers);
}

/* So many packets on a port, each with its place in the burst as its first byte. */
static void
give(struct bed *b, uint16_t node, uint16_t port, unsigned count)
{
	uint32_t packets[BURST];
	uint8_t bytes[100] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		bytes[0] = (uint8_t)i;
		packets[i] = mr_packet_from(b->buffers, 0, bytes, sizeof(bytes));
		assert_int_not_equal(packets[i], MR_PACKET_NONE);
		mr_packet_at(b->buffers->base, packets[i])->port = port;
	}
	mr_graph_inject(b->graph, 0, node, packets, count);
}

static void
every_packet(void **state)
{
	struct mr_sample s[BURST];
	uint64_t pool, drops;
	struct bed b;
	uint16_t node = begin(&b, 1, 64);

	give(&b, node, 3, BURST);
	give(&b, node, 4, 10); /* not asked for */
	assert_int_equal(mr_probe_samples(b.probe, s, BURST), BURST);
	for (unsigned i = 0; i < BURST; i++) {
		assert_int_equal(s[i].bytes[0], i);
		assert_int_equal(s[i].length, 100);
		assert_int_equal(s[i].snapped, 64);
		assert_int_equal(s[i].port, 3);
		assert_int_equal(s[i].rate, 1);
	}
	assert_int_equal(mr_probe_samples(b.probe, s, BURST), 0);
	mr_probe_sampled(b.probe, 3, &pool, &drops);
	assert_int_equal(pool, BURST);
	assert_int_equal(drops, 0);
	mr_probe_sampled(b.probe, 4, &pool, &drops);
	assert_int_equal(pool, 0);
	/* It is no probe that a flow lane's offload has to make way for. */
	assert_false(mr_graph_is_probed(b.graph));
	finish(&b);
}

static void
nobody_reads(void **state)
{
	static struct mr_sample s[2000];
	uint64_t pool, drops;
	struct bed b;
	uint16_t node = begin(&b, 1, 256);

	for (unsigned i = 0; i < 10; i++)
		give(&b, node, 3, BURST);
	mr_probe_sampled(b.probe, 3, &pool, &drops);
	assert_int_equal(pool, 10 * BURST);
	assert_int_equal(drops, 10 * BURST - 1024);
	assert_int_equal(mr_probe_samples(b.probe, s, 2000), 1024);
	assert_int_equal(s[0].snapped, 100);
	give(&b, node, 3, 5);
	assert_int_equal(mr_probe_samples(b.probe, s, 2000), 5);
	finish(&b);
}

/* One in 20 of 200,000, at every place of a burst as often: within six standard deviations. */
static void
one_in_so_many(void **state)
{
	struct mr_sample s[BURST];
	unsigned places[BURST] = { 0 }, sum = 0, near = 0, last = 0, at = 0;
	struct bed b;
	uint16_t node = begin(&b, 20, 16);

	for (unsigned i = 0; i < 1000; i++) {
		unsigned n, size = 1 + (i * 7919) % BURST;

		give(&b, node, 3, size);
		n = mr_probe_samples(b.probe, s, BURST);
		for (unsigned k = 0; k < n; k++) {
			near += at + s[k].bytes[0] - last < 20;
			last = at + s[k].bytes[0];
			places[s[k].bytes[0] * 4 / size]++;
		}
		at += size;
		sum += n;
	}
	assert_true(fabs(sum - at / 20.0) < 6 * sqrt(at / 20.0));
	for (unsigned i = 0; i < 4; i++)
		assert_true(fabs(places[i] - sum / 4.0) < 6 * sqrt(sum / 4.0));
	/* Geometric: of the distances 1 - (1 - 1/20)^19 are below 20. */
	assert_true(fabs(near - sum * (1 - pow(0.95, 19))) < 6 * sqrt(sum));
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(one_in_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
