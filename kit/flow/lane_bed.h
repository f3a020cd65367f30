/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_LANE_BED_H
#define MR_KIT_FLOW_LANE_BED_H

/*
 * For tests of the lane: a graph with the lane in front of one node that does whatever the
 * destination's last byte says, two ports where packets come in, and one where they leave. Time is
 * the test's: see at().
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
#include "kit/record/edit.h"

/* What the node does with a packet: its destination's last byte. */
enum what {
	SEND,
	DROP,
	REFUSE,
	SHORT,
	CELL,
	REGION,
	CALL,
	SECONDLY,
	TRANSLATE,
	TWO_CALLS,
	RARE_CALLS,
	MAP
};
enum { JUDGE_DROP_OTHER, JUDGE_DROP_ASKED };
enum { JUDGE_COUNT_PACKETS, JUDGE_COUNT_LONG };

#define SHORT_LENGTH 90u
#define L3 14u
#define FRAME 60u

struct judge {
	unsigned out;
	struct mr_generation cell;
	struct mr_regions *regions;
	/* What its replay and tally were told. */
	unsigned calls, alone, last_arg, tallied; /* alone: calls of replay_one */
	unsigned last_own;                        /* the last argument that is a flow's own */
	uint64_t tallied_bytes, settled;
	bool skip, stale, once; /* once: only the next one */
	uint32_t refused;       /* the call with this argument, when it is not 0 */
	unsigned asked, done;   /* done: neither asked only nor refused */
};

/* The source becomes another address and port, by its port. */
mr_inline void
judge_translate(struct mr_recorder *rec, struct mr_packet *p)
{
	const struct mr_l4_sum sum = { .offset = L3 + 26, .kind = MR_SUM_UDP };
	uint16_t sport = mr_load_be16(mr_packet_bytes(p) + L3 + 20);

	mr_edit_address4(rec, p, L3, 12, mr_be32(0xc0000200u + sport % 256), sum);
	mr_edit_port(rec, p, L3 + 20, mr_be16((uint16_t)(sport + 1000)), sum);
}

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
			mr_node_count(run, JUDGE_COUNT_LONG, 1);
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
	case TWO_CALLS:
		mr_record_call(rec, p, 77, false);
		mr_record_call(rec, p, 1000u + mr_load_be16(ip + 20), false);
		break;
	case RARE_CALLS:
		mr_record_call_shared(rec, p, 5);
		mr_record_call(rec, p, 2000u + mr_load_be16(ip + 20), true);
		mr_record_call(rec, p, 1000u + mr_load_be16(ip + 20), true);
		break;
	case TRANSLATE:
		judge_translate(rec, p);
		break;
	case MAP: /* for all who go there */
		mr_record_use(rec, p, MR_FLOW_DST);
		mr_edit_address4(rec, p, L3, 16, mr_be32(0xc6336400u + ip[18]),
		    (struct mr_l4_sum){ 0 });
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
		j->asked += replayed[i].ask;
		j->calls += !replayed[i].ask;
		j->last_arg = args[i];
		j->last_own = args[i] >= 1000 ? args[i] : j->last_own;
		skip[i] = j->stale ? MR_REPLAY_STALE : j->skip;
		if (j->refused && j->refused == args[i])
			skip[i] = MR_REPLAY_SKIP;
		j->done += !replayed[i].ask && !skip[i];
		j->skip &= !j->once;
	}
}

/* Counts what it is asked under "long". */
static uint8_t
judge_replay_one(struct mr_node_run *run, uint32_t packet, uint32_t arg,
    struct mr_replayed replayed, uint32_t counts[MR_REPLAY_COUNTERS])
{
	struct judge *j = run->self;
	uint8_t skip = 0;

	judge_replay(run, &packet, &arg, &replayed, &skip, 1);
	j->alone++;
	counts[JUDGE_COUNT_LONG] += !skip;
	return skip;
}

static void
judge_replay_lines(const struct mr_node_run *run, struct mr_replay_lines *lines)
{
	const struct judge *j = run->self;

	*lines = (struct mr_replay_lines){ .lines = (const uint8_t *)j, .stride = 64 };
}

static void
judge_settle(struct mr_node_run *run, uint32_t arg, uint32_t packets)
{
	struct judge *j = run->self;

	assert_true(arg == 5 || arg == 78 || arg >= 1000);
	assert_true(packets > 0);
	j->settled += packets;
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
static const struct mr_named judge_counters[] = { { "packets", "" }, { "long", "" } };
static const struct mr_node_class judge_class = {
	.name = "judge",
	.drops = judge_drops,
	.drop_count = 2,
	.counters = judge_counters,
	.counter_count = 2,
	.replays = true,
	.replay = judge_replay,
	.marks = true,
	.replay_one = judge_replay_one,
	.replay_lines = judge_replay_lines,
	.settle = judge_settle,
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
	unsigned lengths[8], sent; /* of all that left, the last eight */
	uint32_t seconds;
};

static struct bed *bed; /* the driver's functions have no other way to it */

static unsigned
port_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	const struct mr_packet *p = mr_packet_at(port->buffers->base, packets[count - 1]);

	(void)queue;
	for (unsigned i = 0; i < count; i++)
		bed->lengths[bed->sent++ % 8] =
		    mr_packet_at(port->buffers->base, packets[i])->total;
	bed->last_len = p->total;
	memcpy(bed->last, mr_packet_bytes_const(p), MR_MIN(p->total, 256u));
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

mr_inline void
at(struct bed *b, uint32_t seconds)
{
	b->seconds = seconds;
	for (unsigned w = 0; w < mr_graph_worker_count(b->graph); w++) {
		b->graph->workers[w]->next_second = UINT64_MAX;
		b->graph->workers[w]->seconds = seconds;
	}
}

/* Another plan of the graph; what the judge says is the same. */
mr_inline void
commit(struct bed *b)
{
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
}

mr_inline void
begin(struct bed *b, struct mr_lane_config config, uint16_t workers)
{
	struct mr_flow_view view = { .ledger = config.ledger_flows };

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

mr_inline void
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

mr_inline uint32_t
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

mr_inline void
inject(struct bed *b, unsigned worker, unsigned port, uint32_t p)
{
	mr_packet_at(b->buffers->base, p)->port = (uint16_t)port;
	mr_graph_inject(b->graph, worker, b->nodes[port], &p, 1);
}

mr_inline void
give(struct bed *b, enum what what, uint16_t sport)
{
	inject(b, 0, 0, packet(b, what, sport, FRAME));
}

/* A flow that is known: two packets. */
mr_inline void
learn(struct bed *b, enum what what, uint16_t sport)
{
	give(b, what, sport);
	give(b, what, sport);
}

mr_inline uint64_t
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

mr_inline struct mr_lane_stats
stats(struct bed *b, unsigned worker)
{
	struct mr_lane_stats s;

	mr_lane_stats(b->lane, worker, &s);
	return s;
}

mr_inline struct mr_node_stats
judge_stats(struct bed *b)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, b->judge_node, &s), 0);
	return s;
}

#endif
