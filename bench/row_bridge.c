/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows bridge-*: a learning switch between two ports. Half of the stations are behind each;
 * each port plays a capture from memory again and again, in which its stations send to
 * those of the other side, sources and destinations each in a random order that
 * visits all. All are known after the first turn; from then on every frame costs a look at
 * its source and one for its destination.
 *
 *   stations 0 .. n/2-1 -- [pcap0] -- bridge -- [pcap1] -- stations n/2 .. n-1
 *
 * The peer, testpmd's macswap, has no table and swaps two addresses; it plays the same
 * capture. Its driver keeps a buffer for each frame, which is why it gets slower with more of
 * them: see docs/performance-notes.md. The floor copies the same frames into buffers, looks both addresses up
 * in a hash table without a second thought, and gives the buffers back.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/bed.h"
#include "bench/frames.h"
#include "bench/peer_testpmd.h"
#include "nf/bridge/bridge.h"

#define FRAME MR_BENCH_FRAME
#define FRAMES_MIN 8192

/* Of the floor's table: four stations in a line, the rest of a full one in the next. */
struct line {
	alignas(MR_CACHE_LINE) uint64_t mac[4]; /* 0: free, and so are those behind it */
	uint32_t port[4];
};

struct job {
	struct mr_bench_bed bed;
	struct mr_bridge *bridge;
	uint32_t frames; /* per side, a power of two */
	uint8_t (*bytes[2])[FRAME];
	int files[2], peer_file; /* memory files; -1: none */
	char paths[2][48], peer_vdev[96];
	struct line *table; /* twice as many places as stations */
	uint64_t table_mask;
	uint32_t at[2];   /* next frame of the floor */
	uint64_t sent[2]; /* by the floor */
};

/* Unlike each other in all bits that count, locally administered, not a group. */
static uint64_t
mac_of(uint32_t station)
{
	return ((station + 1) * UINT64_C(0x9e3779b97f)) % (UINT64_C(1) << 40) |
	    UINT64_C(0x02) << 40;
}

static void
put_mac(uint8_t *to, uint64_t mac)
{
	be64_t wire = mr_be64(mac << 16);

	memcpy(to, &wire, 6);
}

/* Reads two bytes more, which the frame has. */
mr_inline uint64_t
load_mac(const uint8_t *from)
{
	uint64_t wire;

	memcpy(&wire, from, sizeof(wire));
	return __builtin_bswap64(wire) >> 16;
}

static void
shuffle(uint32_t *order, uint32_t count, uint64_t *rng)
{
	uint32_t i, j, swapped;

	for (i = count; i > 1; i--) {
		j = mr_bench_draw(rng, i);
		swapped = order[i - 1];
		order[i - 1] = order[j];
		order[j] = swapped;
	}
}

/* The frames of one side: its `half` stations send, in one order, to the others, in another. */
static int
make_frames(struct job *job, unsigned side, uint32_t half, uint64_t *rng)
{
	uint32_t *from = calloc(job->frames, sizeof(*from));
	uint32_t *to = calloc(job->frames, sizeof(*to));
	uint32_t i;
	int rc = -ENOMEM;

	job->bytes[side] = mr_bench_alloc_large((size_t)job->frames * FRAME);
	if (from && to && job->bytes[side]) {
		for (i = 0; i < job->frames; i++)
			from[i] = to[i] = i % half;
		shuffle(from, job->frames, rng);
		shuffle(to, job->frames, rng);
		for (i = 0; i < job->frames; i++) {
			put_mac(job->bytes[side][i], mac_of(to[i] + (side ? 0 : half)));
			put_mac(job->bytes[side][i] + 6, mac_of(from[i] + (side ? half : 0)));
			job->bytes[side][i][12] = 0x88; /* for local experiments */
			job->bytes[side][i][13] = 0xb5;
		}
		rc = 0;
	}
	free(from);
	free(to);
	return rc;
}

/* Odd multiplier, high bits: enough for a floor that nobody attacks. */
mr_inline uint64_t
line_of(const struct job *job, uint64_t mac)
{
	return mac * UINT64_C(0x9e3779b97f4a7c15) >> 40 & job->table_mask;
}

static int
make_table(struct job *job, uint32_t stations)
{
	uint64_t lines = 16, at, mac;
	unsigned slot;
	uint32_t i;

	while (lines * 4 < 2 * (uint64_t)stations)
		lines *= 2;
	job->table_mask = lines - 1;
	job->table = mr_bench_alloc_large(lines * sizeof(*job->table));
	if (!job->table)
		return -ENOMEM;
	for (i = 0; i < stations; i++) {
		mac = mac_of(i);
		at = line_of(job, mac);
		for (slot = 0; job->table[at].mac[slot % 4]; slot++)
			if (slot % 4 == 3)
				at = (at + 1) & job->table_mask;
		job->table[at].mac[slot % 4] = mac;
		job->table[at].port[slot % 4] = i >= stations / 2;
	}
	return 0;
}

/* Of a station that is there. */
mr_inline uint32_t
find(const struct job *job, uint64_t mac)
{
	uint64_t at = line_of(job, mac);
	const struct line *l;
	unsigned slot;

	for (;; at = (at + 1) & job->table_mask) {
		l = &job->table[at];
		slot = (l->mac[1] == mac) + 2u * (l->mac[2] == mac) + 3u * (l->mac[3] == mac);
		if (mr_likely(l->mac[slot] == mac))
			return l->port[slot];
	}
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;
	unsigned side;

	mr_bench_bed_close(&job->bed);
	mr_bridge_destroy(job->bridge);
	for (side = 0; side < 2; side++) {
		if (job->files[side] >= 0)
			close(job->files[side]);
		free(job->bytes[side]);
	}
	if (job->peer_file >= 0)
		close(job->peer_file);
	free(job->table);
	free(job);
}

/* Frames, captures and the floor's table. */
static int
make_input(struct job *job, uint32_t stations, struct mr_error *error)
{
	uint64_t rng = 1;
	char path[48];
	unsigned side;
	int rc = 0;

	job->frames = MR_MAX((uint32_t)FRAMES_MIN, stations);
	for (side = 0; side < 2 && rc >= 0; side++) {
		rc = make_frames(job, side, stations / 2, &rng);
		if (rc == 0)
			rc = job->files[side] = mr_bench_capture(job->bytes[side], job->frames,
			    job->paths[side], sizeof(job->paths[side]));
	}
	if (rc >= 0)
		rc = job->peer_file =
		    mr_bench_capture(job->bytes[0], job->frames, path, sizeof(path));
	if (rc >= 0) {
		snprintf(job->peer_vdev, sizeof(job->peer_vdev),
		    "net_pcap0,rx_pcap=%s,infinite_rx=1", path);
		rc = make_table(job, stations);
	}
	return rc < 0 ? mr_error_set(error, rc, "frames for the bench: %s", strerror(-rc)) : 0;
}

static int
configure_bridge(struct job *job, uint32_t stations, struct mr_error *error)
{
	const struct mr_bridge_port ports[2] = { { .port = 0 }, { .port = 1 } };
	const struct mr_bridge_config config = { .ports = ports,
		.port_count = 2,
		.mac_limit = MR_MAX(stations, 1024u),
		.ageing = 300 };
	struct timespec now;
	unsigned left_out;
	int rc;

	rc = mr_bridge_prepare(job->bridge, &config, error);
	if (rc < 0)
		return rc;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	mr_bridge_commit(job->bridge, (uint32_t)now.tv_sec, &left_out);
	rc = mr_graph_commit(job->bed.graph, error);
	mr_bridge_finish(job->bridge);
	return rc;
}

static int
make_switch(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_option loop = { "loop", "memory" };
	uint16_t node;
	unsigned side;
	int rc;

	rc = mr_bench_bed_open(&job->bed, run, error);
	if (rc == 0)
		rc = mr_bridge_create(&job->bridge, error);
	if (rc == 0)
		rc = mr_graph_add_node(job->bed.graph, &mr_bridge_node_class, "bridge", job->bridge,
		    &node, error);
	for (side = 0; side < 2 && rc == 0; side++) {
		rc = mr_bench_bed_port(&job->bed, "pcap", job->paths[side], &loop, 1, error);
		if (rc == 0)
			rc = mr_graph_set_input(job->bed.graph, (uint16_t)side, node, 0);
	}
	return rc < 0 ? rc : configure_bridge(job, (uint32_t)run->row->param, error);
}

/* Until every station has been heard: two turns of both captures. */
static int
learn(struct job *job, struct mr_error *error)
{
	uint64_t wanted = 4 * (uint64_t)job->frames, count = 0, passes;

	for (passes = 0; count < wanted; passes++) {
		count += mr_graph_pass(job->bed.graph, 0);
		if (passes > wanted)
			return mr_error_set(error, -EIO, "nothing arrives from the captures");
	}
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	uint32_t stations = (uint32_t)run->row->param;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->files[0] = job->files[1] = job->peer_file = -1;
	rc = make_input(job, stations, error);
	if (rc == 0)
		rc = make_switch(job, run, error);
	if (rc == 0)
		rc = learn(job, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return mr_bench_bed_window(&job->bed, run, value, error);
}

/* One vector of one side, in two phases. */
mr_inline unsigned
bare_vector(struct job *job, unsigned side)
{
	struct mr_buffers *buffers = job->bed.buffers;
	uint32_t packets[MR_VECTOR_MAX];
	uint64_t source[MR_VECTOR_MAX], target[MR_VECTOR_MAX];
	const uint8_t *frame;
	struct mr_packet *p;
	unsigned i, n, strange = 0, right = 0;

	n = mr_buffers_get(buffers, 0, packets, MR_VECTOR_MAX);
	for (i = 0; i < n; i++) {
		frame = job->bytes[side][job->at[side]++ & (job->frames - 1)];
		p = mr_packet_at(buffers->base, packets[i]);
		mr_packet_init(p, MR_PACKET_DATA, FRAME, (uint16_t)side, 0);
		memcpy((uint8_t *)p + MR_PACKET_DATA, frame, FRAME);
		target[i] = load_mac(frame);
		source[i] = load_mac(frame + 6);
		mr_prefetch(&job->table[line_of(job, target[i])]);
		mr_prefetch(&job->table[line_of(job, source[i])]);
	}
	for (i = 0; i < n; i++) {
		strange += find(job, source[i]) != side;
		right += find(job, target[i]);
	}
	job->sent[1] += right;
	job->sent[0] += n - right;
	mr_buffers_put(buffers, 0, packets, n);
	return strange ? 0 : n;
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start = mr_cycles(), now, count = 0;
	unsigned i;

	do {
		for (i = 0; i < 16; i++)
			count += bare_vector(job, i % 2);
		now = mr_cycles();
	} while (now - start < run->window);
	if (!count)
		return mr_error_set(error, -EIO, "no buffers");
	*value = (double)(now - start) / (double)count;
	return 0;
}

static int
testpmd_start(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	struct job *job = run->state;
	const struct mr_bench_testpmd_config config = {
		.mode = "macswap",
		.vdevs = { job->peer_vdev },
		.mbufs = job->frames + 16384,
	};

	return mr_bench_testpmd_start((struct mr_bench_testpmd **)state, run, &config, label, size,
	    error);
}

static const struct mr_bench_peer testpmd = { "testpmd", testpmd_start, mr_bench_testpmd_window,
	mr_bench_testpmd_stop, mr_bench_testpmd_thread };
static const struct mr_bench_peer *const peers[] = { &testpmd, NULL };

#define ROW(name_, text_, stations_) \
	{ \
		.name = name_, .unit = "cycles/packet", \
		.doc = "learning switch, " text_ " stations, known destinations", \
		.config = \
		    text_ " stations behind two ports, 64-byte frames played from memory, " \
			  "sources and destinations in random order, learning, ageing 300 s; " \
			  "testpmd macswap plays the same frames of one side over net_pcap " \
			  "infinite_rx", \
		.param = stations_, .window_ms = 20, .setup = setup, .teardown = teardown, \
		.ours = ours, .floor = bare, .peers = peers, \
	}

static const struct mr_bench_row rows[] = {
	ROW("bridge-4", "4", 4),
	ROW("bridge-1k", "1,024", 1024),
	ROW("bridge-64k", "65,536", 65536),
};

const struct mr_bench_family mr_bench_family_bridge = { "bridge", rows, MR_ARRAY_COUNT(rows) };
