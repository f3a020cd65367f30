/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lane in front of one node that does whatever the destination's last byte says: the lane's own
 * rules, one by one. That replays equal walks of real functions, nf/lanes/differential_test.c
 * looks at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/flow/lane_int.h"
#include "kit/graph/explain.h"
#include "kit/graph/graph_int.h"
#include "kit/graph/probe.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"

/* What the node does with a packet: its destination's last byte. */
enum what { SEND, DROP, REFUSE, SHORT, CELL, REGION, CALL, SECONDLY };
enum { JUDGE_DROP_OTHER, JUDGE_DROP_ASKED };
enum { JUDGE_COUNT_PACKETS };

#define SHORT_LENGTH 90u
#define L3 14u
#define FRAME 60u

struct judge {
	unsigned out;
	struct mr_generation cell;
	struct mr_regions *regions;
	/* What its replay and tally were told. */
	unsigned calls, last_arg, tallied;
	uint64_t tallied_bytes;
	bool skip;
};

mr_inline mr_verdict_t
judge_one(struct mr_node_run *run, struct mr_recorder *rec, struct mr_packet *p)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1 };
	struct judge *j = run->self;
	uint8_t *ip = mr_packet_bytes(p) + L3;

	mr_node_count_packet(run, rec, p, JUDGE_COUNT_PACKETS, 2);
	mr_record_tally(rec, p, 5);
	switch ((enum what)ip[19]) {
	case DROP:
		return mr_verdict_drop(JUDGE_DROP_ASKED);
	case REFUSE:
		mr_record_uncacheable(rec, p, "asked for");
		break;
	case SHORT:
		mr_guard_length(rec, p, SHORT_LENGTH);
		if (p->total > SHORT_LENGTH) {
			mr_record_uncacheable(rec, p, "long");
			return mr_verdict_drop(JUDGE_DROP_OTHER);
		}
		break;
	case CELL:
		mr_record_read(rec, p, "cell", &j->cell);
		break;
	case REGION:
		mr_record_region(rec, p, "regions", j->regions, mr_region4(mr_load_be32(ip + 16)));
		break;
	case CALL:
		mr_record_call(rec, p, 77, false);
		break;
	case SECONDLY:
		mr_record_call(rec, p, 78, true);
		break;
	default:
		break;
	}
	mr_edit_ttl4(rec, p, L3);
	mr_edit_set(rec, p, 0, macs, sizeof(macs));
	return mr_verdict_output(j->out);
}

mr_inline void
judge_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = judge_one(run, rec, mr_packet_at(run->base, packets[i]));
}
MR_NODE_FUNCTIONS(judge)

static void
judge_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	struct judge *j = run->self;

	for (unsigned i = 0; i < count; i++) {
		/* As it came in. */
		assert_int_equal(mr_packet_bytes(mr_packet_at(run->base, packets[i]))[L3 + 8], 64);
		assert_int_equal(replayed[i].l3, L3);
		assert_int_equal(replayed[i].l4, L3 + 20);
		j->calls++;
		j->last_arg = args[i];
		skip[i] = j->skip;
	}
}

static void
judge_tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
	struct judge *j = run->self;

	assert_int_equal(number, 5);
	j->tallied += packets;
	j->tallied_bytes += bytes;
}

static const struct mr_named judge_drops[] = { { "other", "" }, { "asked", "" } };
static const struct mr_named judge_counters[] = { { "packets", "" } };
static const struct mr_node_class judge_class = {
	.name = "judge",
	.drops = judge_drops,
	.drop_count = 2,
	.counters = judge_counters,
	.counter_count = 1,
	.replays = true,
	.replay = judge_replay,
	.tally = judge_tally,
	MR_NODE_RUN(judge),
};

/* -- the bed ------------------------------------------------------------------------------- */

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_port *ports[3];
	struct mr_port_driver driver; /* of port 2, where all leaves */
	struct mr_lane *lane;
	struct mr_lane_port *in[2];
	uint16_t nodes[2], judge_node;
	struct judge judge;
	struct mr_error error;
	uint8_t last[256]; /* frame that left */
	unsigned last_len;
	uint32_t seconds;
};

static struct bed *bed; /* the driver's functions have no other way to it */

static unsigned
port_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	const struct mr_packet *p = mr_packet_at(port->buffers->base, packets[count - 1]);

	(void)queue;
	bed->last_len = p->total;
	memcpy(bed->last, mr_packet_bytes_const(p), MR_MIN(p->total, 256u));
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static void
at(struct bed *b, uint32_t seconds)
{
	b->seconds = seconds;
	for (unsigned w = 0; w < mr_graph_worker_count(b->graph); w++) {
		b->graph->workers[w]->next_second = UINT64_MAX;
		b->graph->workers[w]->seconds = seconds;
	}
}

/* Another plan of the graph; what the judge says is the same. */
static void
commit(struct bed *b)
{
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
}

static void
begin(struct bed *b, struct mr_lane_config config, uint16_t workers)
{
	struct mr_flow_view view = { 0 };

	memset(b, 0, sizeof(*b));
	bed = b;
	b->judge.regions = calloc(1, sizeof(*b->judge.regions));
	assert_non_null(b->judge.regions);
	b->judge.out = 2;
	assert_int_equal(mr_buffers_create(&b->buffers,
			     &(struct mr_buffers_config){ .count = 4096,
				 .workers = workers,
				 .numa_node = -1,
				 .pages = MR_ARENA_4K },
			     &b->error),
	    0);
	assert_int_equal(mr_graph_create(&b->graph,
			     &(struct mr_graph_config){ .buffers = b->buffers, .workers = workers },
			     &b->error),
	    0);
	for (uint16_t i = 0; i < 3; i++) {
		const char name[2] = { (char)('0' + i) };
		const struct mr_port_config port = { .name = name,
			.index = i,
			.buffers = b->buffers,
			.workers = workers,
			.tx_queues = workers,
			.numa_node = -1 };

		assert_int_equal(mr_port_open(&b->ports[i], "null", &port, &b->error), 0);
		assert_int_equal(b->ports[i]->driver->start(b->ports[i], &b->error), 0);
		assert_int_equal(mr_graph_add_port(b->graph, b->ports[i], NULL, 0, &b->error), 0);
	}
	b->driver = *b->ports[2]->driver;
	b->driver.tx = port_tx;
	b->ports[2]->driver = &b->driver;
	config.graph = b->graph;
	config.max_flows = config.max_flows ? config.max_flows : 4096;
	assert_int_equal(mr_lane_create(&b->lane, &config, &b->error), 0);
	assert_int_equal(
	    mr_graph_add_node(b->graph, &judge_class, NULL, &b->judge, &b->judge_node, &b->error),
	    0);
	memcpy(&view.mac, "\2\0\0\0\0\x77", 6);
	for (unsigned i = 0; i < 2; i++) {
		char name[16];

		view.port = (uint16_t)i;
		snprintf(name, sizeof(name), "lane@%u", i);
		assert_int_equal(
		    mr_lane_port_create(&b->in[i], b->lane, &view, name, &b->nodes[i], &b->error),
		    0);
		assert_int_equal(mr_graph_link(b->graph, b->nodes[i], 0, b->judge_node), 0);
		assert_int_equal(mr_graph_set_input(b->graph, (uint16_t)i, b->nodes[i], 0), 0);
	}
	commit(b);
	at(b, 100);
}

static void
finish(struct bed *b)
{
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	mr_graph_destroy(b->graph);
	for (unsigned i = 0; i < 2; i++)
		mr_lane_port_destroy(b->in[i]);
	mr_lane_destroy(b->lane);
	for (unsigned i = 0; i < 3; i++) {
		b->ports[i]->driver->stop(b->ports[i]);
		mr_port_close(b->ports[i]);
	}
	mr_buffers_destroy(b->buffers);
	free(b->judge.regions);
}

static uint32_t
packet(struct bed *b, enum what what, uint16_t sport, unsigned len)
{
	uint8_t frame[256] = { 2, 0, 0, 0, 0, 0x77, 2, 0, 0, 0, 0, 5, 8, 0 }, *ip = frame + L3;
	be16_t check;

	ip[0] = 0x45;
	mr_store_be16(ip + 2, (uint16_t)(len - L3));
	ip[8] = 64;
	ip[9] = MR_IP_PROTO_UDP;
	memcpy(ip + 12, "\xa\0\0\1\xa\1\0", 7);
	ip[19] = (uint8_t)what;
	check = mr_checksum_finish(mr_checksum_add(0, ip, 20));
	memcpy(ip + 10, &check, 2);
	mr_store_be16(ip + 20, sport);
	mr_store_be16(ip + 22, 80);
	mr_store_be16(ip + 24, (uint16_t)(len - L3 - 20));
	return mr_packet_from(b->buffers, MR_POOL_SHARED, frame, len);
}

static void
inject(struct bed *b, unsigned worker, unsigned port, uint32_t p)
{
	mr_packet_at(b->buffers->base, p)->port = (uint16_t)port;
	mr_graph_inject(b->graph, worker, b->nodes[port], &p, 1);
}

static void
give(struct bed *b, enum what what, uint16_t sport)
{
	inject(b, 0, 0, packet(b, what, sport, FRAME));
}

/* A flow that is known: two packets. */
static void
learn(struct bed *b, enum what what, uint16_t sport)
{
	give(b, what, sport);
	give(b, what, sport);
}

static uint64_t
count(struct bed *b, enum mr_lane_counter counter)
{
	struct mr_node_stats s;
	uint64_t sum = 0;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(mr_graph_node_stats(b->graph, b->nodes[i], &s), 0);
		sum += s.counters[counter];
	}
	return sum;
}
#define assert_counted(b, counter, n) assert_int_equal(count(b, MR_LANE_COUNT_##counter), n)

static struct mr_lane_stats
stats(struct bed *b, unsigned worker)
{
	struct mr_lane_stats s;

	mr_lane_stats(b->lane, worker, &s);
	return s;
}

static struct mr_node_stats
judge_stats(struct bed *b)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, b->judge_node, &s), 0);
	return s;
}

/* -- admission ------------------------------------------------------------------------------ */

static void
the_second_packet_is_recorded(void **state)
{
	uint8_t walked[256];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	give(&b, SEND, 1);
	assert_counted(&b, FIRST, 1);
	assert_int_equal(stats(&b, 0).flows.flows, 0);
	give(&b, SEND, 1);
	assert_counted(&b, RECORDED, 1);
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	memcpy(walked, b.last, b.last_len);
	give(&b, SEND, 1);
	assert_counted(&b, REPLAYED, 1);
	assert_int_equal(b.last_len, FRAME);
	assert_memory_equal(walked, b.last, FRAME);
	assert_int_equal(b.last[L3 + 8], 63);
	/* Too long ago: it is as good as new. */
	give(&b, SEND, 2);
	at(&b, 100 + MR_FLOW_DOOR_SECONDS + 1);
	give(&b, SEND, 2);
	assert_counted(&b, FIRST, 3);
	finish(&b);
}

static void
an_eager_lane_records_the_first(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ .eager = true }, 1);
	give(&b, SEND, 1);
	give(&b, SEND, 1);
	assert_counted(&b, FIRST, 0);
	assert_counted(&b, RECORDED, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
}

static void
one_recording_of_a_flow_in_a_vector(void **state)
{
	uint32_t packets[20];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	for (unsigned i = 0; i < 20; i++) {
		packets[i] = packet(&b, SEND, (uint16_t)(i % 2), FRAME);
		mr_packet_at(b.buffers->base, packets[i])->port = 0;
	}
	mr_graph_inject(b.graph, 0, b.nodes[0], packets, 20);
	assert_counted(&b, FIRST, 2);
	assert_counted(&b, RECORDED, 2);
	assert_counted(&b, BEGUN, 16);
	assert_int_equal(stats(&b, 0).flows.flows, 2);
	finish(&b);
}

static void
without_recordings_they_walk(void **state)
{
	struct mr_packet *held = calloc(RECORDINGS, sizeof(*held));
	struct mr_recorder *r;
	struct bed b;

	assert_non_null(held);
	begin(&b, (struct mr_lane_config){ 0 }, 1);
	give(&b, SEND, 1);
	r = b.graph->workers[0]->recorder;
	assert_non_null(r);
	for (unsigned i = 0; i < RECORDINGS; i++)
		assert_true(mr_recorder_attach(r, &held[i], 0));
	give(&b, SEND, 1);
	assert_counted(&b, BUSY, 1);
	for (unsigned i = 0; i < RECORDINGS; i++)
		mr_record_end(r, &held[i]);
	give(&b, SEND, 1);
	give(&b, SEND, 1);
	assert_counted(&b, BUSY, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
	free(held);
}

static void
a_full_table_refuses(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ .max_flows = 16 }, 1);
	for (uint16_t i = 0; i < 20; i++)
		learn(&b, SEND, i);
	assert_int_equal(stats(&b, 0).flows.flows, 16);
	assert_int_equal(stats(&b, 0).refused[MR_PROGRAM_MEMORY], 4);
	for (uint16_t i = 0; i < 20; i++)
		give(&b, SEND, i);
	assert_counted(&b, REPLAYED, 16);
	finish(&b);
}

static void
barred_flows_are_tried_again(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, REFUSE, 1);
	assert_int_equal(stats(&b, 0).barred, 1);
	assert_int_equal(stats(&b, 0).refused[MR_PROGRAM_SAID], 1);
	give(&b, REFUSE, 1);
	give(&b, REFUSE, 1);
	assert_counted(&b, BARRED, 2);
	assert_counted(&b, RECORDED, 1);
	/* A second later it may be otherwise. */
	at(&b, 101);
	give(&b, REFUSE, 1);
	assert_counted(&b, RECORDED, 2);
	/* And when something has changed that others rest on. */
	learn(&b, CELL, 2);
	give(&b, REFUSE, 1);
	assert_counted(&b, RECORDED, 3);
	mr_generation_bump(&b.judge.cell);
	give(&b, REFUSE, 1);
	assert_counted(&b, RECORDED, 4);
	assert_int_equal(stats(&b, 0).barred, 1);
	/* Silent, it goes. */
	at(&b, 110);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(stats(&b, 0).barred, 0);
	finish(&b);
}

/* -- what makes flows old ---------------------------------------------------------------------- */

static void
a_cell_a_region_a_plan(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CELL, 1);
	learn(&b, REGION, 2);
	learn(&b, SEND, 3);
	mr_generation_bump(&b.judge.cell);
	give(&b, CELL, 1);
	assert_counted(&b, STALE, 1);
	assert_counted(&b, RECORDED, 4);
	give(&b, CELL, 1);
	assert_counted(&b, REPLAYED, 1);
	/* Another region is not its. */
	mr_generation_bump(&b.judge.regions->cells[mr_region4(0x0a020000)]);
	give(&b, REGION, 2);
	assert_counted(&b, REPLAYED, 2);
	mr_generation_bump(&b.judge.regions->cells[mr_region4(0x0a010000)]);
	give(&b, REGION, 2);
	assert_counted(&b, STALE, 2);
	give(&b, REGION, 2);
	give(&b, SEND, 3);
	assert_counted(&b, REPLAYED, 4);
	commit(&b);
	give(&b, CELL, 1);
	give(&b, REGION, 2);
	give(&b, SEND, 3);
	assert_counted(&b, STALE, 5);
	give(&b, SEND, 3);
	assert_counted(&b, REPLAYED, 5);
	assert_int_equal(stats(&b, 0).flows.flows, 3);
	assert_int_equal(stats(&b, 0).stale, 5);
	finish(&b);
}

/* A flow of this plan has the program that one of the last had: the old one stays old. */
static void
an_equal_program_of_the_last_plan(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, DROP, 1);
	commit(&b);
	learn(&b, DROP, 2);
	give(&b, DROP, 2);
	assert_counted(&b, REPLAYED, 1);
	give(&b, DROP, 1);
	assert_counted(&b, STALE, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
}

static void
a_length(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SHORT, 1);
	inject(&b, 0, 0, packet(&b, SHORT, 1, SHORT_LENGTH));
	assert_counted(&b, REPLAYED, 1);
	inject(&b, 0, 0, packet(&b, SHORT, 1, SHORT_LENGTH + 1));
	assert_counted(&b, CONDITION, 1);
	assert_int_equal(judge_stats(&b).drops[JUDGE_DROP_OTHER], 1);
	/* The flow is none the worse for it. */
	give(&b, SHORT, 1);
	assert_counted(&b, REPLAYED, 2);
	finish(&b);
}

/* -- in others' names ------------------------------------------------------------------------- */

static void
nodes_count_as_if_they_had_seen_them(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 1);
	for (unsigned i = 0; i < 10; i++)
		give(&b, SEND, 1);
	learn(&b, DROP, 2);
	for (unsigned i = 0; i < 5; i++)
		give(&b, DROP, 2);
	assert_counted(&b, REPLAYED, 15);
	/* Drops at once, by reason; the rest when accounts are settled. */
	assert_int_equal(judge_stats(&b).drops[JUDGE_DROP_ASKED], 7);
	assert_int_equal(judge_stats(&b).packets, 4);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 19);
	assert_int_equal(judge_stats(&b).counters[JUDGE_COUNT_PACKETS], 38);
	assert_int_equal(b.judge.tallied, 15);
	assert_int_equal(b.judge.tallied_bytes, 15 * FRAME);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 19);
	/* Once a second anyway, and before a plan ends. */
	give(&b, SEND, 1);
	at(&b, 101);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(judge_stats(&b).packets, 20);
	give(&b, SEND, 1);
	commit(&b);
	assert_int_equal(judge_stats(&b).packets, 21);
	/* And when the last flow of a program goes. */
	give(&b, SEND, 1);
	give(&b, SEND, 1);
	at(&b, 300);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(stats(&b, 0).flows.flows, 0);
	assert_int_equal(judge_stats(&b).packets, 23);
	finish(&b);
}

static void
calls_with_each_packet(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, CALL, 1);
	for (unsigned i = 0; i < 4; i++)
		give(&b, CALL, 1);
	assert_int_equal(b.judge.calls, 4);
	assert_int_equal(b.judge.last_arg, 77);
	assert_counted(&b, REPLAYED, 4);
	/* It wants to see this one itself. */
	b.judge.skip = true;
	give(&b, CALL, 1);
	assert_counted(&b, SKIPPED, 1);
	assert_counted(&b, REPLAYED, 4);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 7);
	finish(&b);
}

static void
calls_once_a_second(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SECONDLY, 1);
	give(&b, SECONDLY, 1);
	give(&b, SECONDLY, 1);
	/* The graph has seen one in this second. */
	assert_int_equal(b.judge.calls, 0);
	at(&b, 101);
	give(&b, SECONDLY, 1);
	give(&b, SECONDLY, 1);
	assert_int_equal(b.judge.calls, 1);
	assert_int_equal(b.judge.last_arg, 78);
	at(&b, 103);
	give(&b, SECONDLY, 1);
	assert_int_equal(b.judge.calls, 2);
	finish(&b);
}

/* -- time, traces, explanations, what is shown -------------------------------------------------- */

static void
idle_flows_go(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ .idle_seconds = 10 }, 1);
	learn(&b, SEND, 1);
	learn(&b, SEND, 2);
	for (uint32_t second = 101; second < 130; second++) {
		at(&b, second);
		give(&b, SEND, 1);
		mr_graph_pass(b.graph, 0);
	}
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	assert_int_equal(stats(&b, 0).flows.expired, 1);
	mr_lane_set_idle(b.lane, 2);
	at(&b, 150);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(stats(&b, 0).flows.flows, 0);
	assert_int_equal(stats(&b, 0).programs.programs, 0);
	finish(&b);
}

static void
a_trace_sees_replays(void **state)
{
	const struct mr_probe_config want = { .trace = true,
		.port = MR_PROBE_ANY,
		.node = MR_PROBE_ANY,
		.count = 1,
		.workers = 1 };
	const struct mr_recording *r;
	struct mr_probe *probe;
	unsigned sets = 0, ttls = 0, outputs = 0;
	uint8_t walked[FRAME];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 1);
	memcpy(walked, b.last, FRAME);
	assert_int_equal(mr_probe_create(&probe, &want, &b.error), 0);
	assert_int_equal(mr_graph_attach(b.graph, probe, &b.error), 0);
	give(&b, SEND, 1);
	assert_counted(&b, REPLAYED, 1);
	assert_memory_equal(walked, b.last, FRAME);
	r = mr_probe_recording(probe, 0);
	assert_non_null(r);
	for (unsigned i = 0; i < r->count; i++) {
		sets += r->ops[i].kind == MR_OP_SET;
		ttls += r->ops[i].kind == MR_OP_TTL;
		outputs += r->ops[i].kind == MR_OP_OUTPUT && r->ops[i].arg == 2;
	}
	assert_true(sets >= 1);
	assert_int_equal(ttls, 1);
	assert_int_equal(outputs, 1);
	mr_graph_detach(b.graph, probe);
	mr_probe_destroy(probe);
	finish(&b);
}

static void
explained(void *user, const struct mr_recording *r)
{
	unsigned *through = user;

	for (unsigned i = 0; i < r->count; i++)
		if (r->ops[i].kind == MR_OP_NODE)
			through[r->ops[i].node]++;
}

/* What would happen is what the graph would do; nothing is counted or learned. */
static void
an_explanation_walks(void **state)
{
	unsigned through[MR_GRAPH_NODES_MAX] = { 0 };
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 1);
	for (uint16_t sport = 1; sport < 3; sport++)
		assert_int_equal(mr_graph_explain(b.graph, 0, packet(&b, SEND, sport, FRAME),
				     explained, through, &b.error),
		    0);
	assert_int_equal(through[b.judge_node], 2);
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	assert_counted(&b, REPLAYED, 0);
	assert_counted(&b, RECORDED, 1);
	finish(&b);
}

static void
flows_are_shown(void **state)
{
	struct mr_flow_peek peek, found;
	struct mr_flow_key unknown;
	uint32_t index = 0;
	unsigned worker = 9;
	char text[1024];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 4660);
	give(&b, SEND, 4660);
	assert_int_equal(mr_lane_workers(b.lane), 1);
	assert_true(mr_lane_top(b.lane, 0) >= 1);
	assert_true(mr_lane_peek(b.lane, 0, 1, &peek));
	assert_int_equal(peek.key.sport, mr_be16(4660));
	assert_int_equal(peek.packets, 2);
	assert_int_equal(peek.bytes, 2 * FRAME);
	assert_true(mr_lane_find(b.lane, &peek.key, &worker, &index, &found));
	assert_int_equal(worker, 0);
	assert_int_equal(index, 1);
	unknown = peek.key;
	unknown.sport = 0;
	assert_false(mr_lane_find(b.lane, &unknown, &worker, &index, &found));
	assert_true(mr_lane_print(b.lane, 0, 1, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "send on 2"));
	assert_int_equal(mr_lane_print(b.lane, 0, 2, text, sizeof(text)), 0);
	assert_int_equal(mr_lane_print(b.lane, 0, 1, text, 5), 4);
	learn(&b, REFUSE, 1);
	assert_true(mr_lane_print(b.lane, 0, 2, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "cannot be replayed"));
	finish(&b);
}

/* -- several ---------------------------------------------------------------------------------- */

static void
ports_share_a_worker_s_table(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned port = 0; port < 2; port++)
			inject(&b, 0, port, packet(&b, SEND, 1, FRAME));
	/* Where it came in is part of a flow; what is done is one program. */
	assert_int_equal(stats(&b, 0).flows.flows, 2);
	assert_int_equal(stats(&b, 0).programs.programs, 1);
	assert_counted(&b, REPLAYED, 2);
	finish(&b);
}

static void
workers_share_nothing(void **state)
{
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 2);
	for (unsigned i = 0; i < 3; i++)
		inject(&b, 0, 0, packet(&b, SEND, 1, FRAME));
	inject(&b, 1, 0, packet(&b, SEND, 1, FRAME));
	assert_counted(&b, FIRST, 2);
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	assert_int_equal(stats(&b, 1).flows.flows, 0);
	for (unsigned i = 0; i < 2; i++)
		inject(&b, 1, 0, packet(&b, SEND, 1, FRAME));
	assert_counted(&b, REPLAYED, 2);
	mr_lane_settle(b.lane);
	assert_int_equal(judge_stats(&b).packets, 6);
	finish(&b);
}

/* A lane that takes another's place, as a new size of the table asks for. */
static void
one_lane_after_another(void **state)
{
	struct mr_lane_config config = { .max_flows = 64 };
	struct mr_flow_view view = { 0 };
	struct mr_lane_port *in;
	struct mr_lane *next;
	uint16_t node;
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SEND, 1);
	config.graph = b.graph;
	assert_int_equal(mr_lane_create(&next, &config, &b.error), 0);
	memcpy(&view.mac, "\2\0\0\0\0\x77", 6);
	mr_graph_remove_node(b.graph, b.nodes[0]);
	assert_int_equal(mr_lane_port_create(&in, next, &view, "next", &node, &b.error), 0);
	assert_int_equal(mr_graph_link(b.graph, node, 0, b.judge_node), 0);
	assert_int_equal(mr_graph_set_input(b.graph, 0, node, 0), 0);
	mr_graph_remove_node(b.graph, b.nodes[1]);
	assert_int_equal(mr_graph_set_input(b.graph, 1, node, 0), 0);
	commit(&b);
	at(&b, 100);
	b.nodes[0] = b.nodes[1] = node;
	/* The new one has been at work when the old one goes. */
	give(&b, SEND, 1);
	mr_lane_destroy(b.lane);
	for (unsigned i = 0; i < 2; i++)
		mr_lane_port_destroy(b.in[i]);
	b.in[0] = in;
	b.in[1] = NULL;
	b.lane = next;
	give(&b, SEND, 1);
	give(&b, SEND, 1);
	assert_int_equal(stats(&b, 0).flows.flows, 1);
	assert_int_equal(stats(&b, 0).refused[MR_PROGRAM_OK], 1);
	finish(&b);
}

/* The last packet of a flow has to walk; those before it in the vector do not fall behind. */
static void
flows_keep_their_order(void **state)
{
	uint32_t packets[3];
	struct bed b;

	begin(&b, (struct mr_lane_config){ 0 }, 1);
	learn(&b, SHORT, 1);
	learn(&b, SEND, 1);
	packets[0] = packet(&b, SHORT, 1, FRAME);
	packets[1] = packet(&b, SEND, 1, FRAME);
	packets[2] = packet(&b, SHORT, 1, SHORT_LENGTH + 1);
	for (unsigned i = 0; i < 3; i++)
		mr_packet_at(b.buffers->base, packets[i])->port = 0;
	mr_graph_inject(b.graph, 0, b.nodes[0], packets, 3);
	assert_counted(&b, CONDITION, 1);
	assert_counted(&b, ORDER, 1);
	assert_counted(&b, REPLAYED, 1);
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_packet_is_recorded),
		cmocka_unit_test(an_eager_lane_records_the_first),
		cmocka_unit_test(one_recording_of_a_flow_in_a_vector),
		cmocka_unit_test(without_recordings_they_walk),
		cmocka_unit_test(a_full_table_refuses),
		cmocka_unit_test(barred_flows_are_tried_again),
		cmocka_unit_test(a_cell_a_region_a_plan),
		cmocka_unit_test(an_equal_program_of_the_last_plan),
		cmocka_unit_test(a_length),
		cmocka_unit_test(nodes_count_as_if_they_had_seen_them),
		cmocka_unit_test(calls_with_each_packet),
		cmocka_unit_test(calls_once_a_second),
		cmocka_unit_test(idle_flows_go),
		cmocka_unit_test(a_trace_sees_replays),
		cmocka_unit_test(an_explanation_walks),
		cmocka_unit_test(flows_are_shown),
		cmocka_unit_test(ports_share_a_worker_s_table),
		cmocka_unit_test(workers_share_nothing),
		cmocka_unit_test(one_lane_after_another),
		cmocka_unit_test(flows_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
