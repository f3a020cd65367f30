/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row flow-setup: flows that send two packets and never again. The first walks the graph, the second
 * walks with a recording, which becomes the flow's entry; two seconds later it expires. The data
 * plane is configured as a user would; packets are made here, of which the cost is part of ours.
 *
 *   (new flows) -> [in] -- flow lane -- router: 16 next hops -- [null: out]
 *
 * The floor is the bare table: looked for, added, aged and removed.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/frames.h"
#include "bench/plane_side.h"
#include "kit/packet/buffers.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"

#define HOPS 16u
#define FLOWS (8u << 20)
/* Of the floor: so many live. */
#define FLOOR_FLOWS (1u << 20)
#define FLOOR_SECONDS 2u
#define IN "in"

struct job {
	struct mr_bench_plane *plane;
	struct mr_graph *graph;
	struct mr_lane *lane;
	struct mr_buffers *buffers;
	uint16_t node, port;
	uint64_t next; /* the next flow's number */
	uint8_t frame[MR_BENCH_FRAME];
	struct mr_flow_table *table; /* the floor's */
	uint64_t floor_next;
	struct mr_flow_batch batch;
};

static char *
configuration(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out,
	    "system: {buffers: 32768}\n"
	    "interface: {" IN ": {driver: \"null\"}, out: {driver: \"null\"}}\n"
	    "lanes: {mode: flow, flows: %u, idle-timeout: 1}\n"
	    "router:\n  default:\n    interface:\n"
	    "      " IN ": {mac: \"02:00:00:00:00:01\", address: [203.0.113.1/24]}\n"
	    "      out: {mac: \"02:00:00:00:00:03\", address: [192.0.2.1/24]}\n    route:\n",
	    FLOWS);
	for (unsigned i = 0; i < HOPS; i++)
		fprintf(out, "      198.51.100.%u/28: {via: 192.0.2.%u}\n", 16 * i, 16 + i);
	fprintf(out, "    neighbor:\n      static:\n");
	for (unsigned i = 0; i < HOPS; i++)
		fprintf(out, "        192.0.2.%u: {interface: out, mac: \"02:00:00:00:01:%02x\"}\n",
		    16 + i, i);
	return fclose(out) == 0 ? text : NULL;
}

/* -- ours ---------------------------------------------------------------------------------------- */

/* Flow `n` differs from all others in its source, for longer than anybody measures. */
static uint32_t
packet_of(struct job *job, uint64_t n)
{
	uint8_t *ip = job->frame + sizeof(struct mr_eth), *udp = ip + sizeof(struct mr_ip4);
	be16_t check = 0;

	mr_store_be32(ip + 12, 0x0a000000u | (uint32_t)(n & 0xffffff));
	ip[19] = (uint8_t)(n * 7);
	memcpy(ip + 10, &check, sizeof(check));
	check = mr_checksum_ipv4_header((const struct mr_ip4 *)(const void *)ip);
	memcpy(ip + 10, &check, sizeof(check));
	mr_store_be16(udp, (uint16_t)(1024 + (n >> 24)));
	return mr_packet_from(job->buffers, 0, job->frame, sizeof(job->frame));
}

static int
inject(struct job *job, uint64_t first)
{
	uint32_t packets[MR_VECTOR_MAX];

	for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
		packets[i] = packet_of(job, first + i);
		if (packets[i] == MR_PACKET_NONE) {
			mr_packets_free(job->buffers, 0, packets, i);
			return -ENOBUFS;
		}
		mr_packet_at(job->buffers->base, packets[i])->port = job->port;
	}
	mr_graph_inject(job->graph, 0, job->node, packets, MR_VECTOR_MAX);
	return 0;
}

/* A vector of new flows: both packets of each, and a look at the time. */
static int
vector(struct job *job)
{
	int rc = inject(job, job->next);

	if (!rc)
		rc = inject(job, job->next);
	job->next += MR_VECTOR_MAX;
	mr_graph_pass(job->graph, 0);
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	uint64_t start = mr_cycles(), now, count = 0;
	struct job *job = run->state;
	int rc;

	do {
		rc = vector(job);
		if (rc)
			return mr_error_set(error, rc, "no buffers for packets");
		count += MR_VECTOR_MAX;
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)(now - start) / (double)count;
	return 0;
}

/* -- the floor ----------------------------------------------------------------------------------- */

static int
floor_vector(struct job *job)
{
	uint32_t seconds = (uint32_t)(job->floor_next / (FLOOR_FLOWS / FLOOR_SECONDS));

	for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
		uint64_t n = job->floor_next + i;

		memset(&job->batch.key[i], 0, sizeof(job->batch.key[i]));
		memcpy(job->batch.key[i].src, &n, sizeof(n));
		job->batch.key[i].where = MR_FLOW_WHERE(1, 0, MR_IP_PROTO_UDP, 0);
	}
	mr_flow_table_find(job->table, &job->batch, MR_VECTOR_MAX);
	for (unsigned i = 0; i < MR_VECTOR_MAX; i++)
		if (job->batch.found[i] ||
		    !mr_flow_table_add(job->table, &job->batch.key[i], job->batch.hash[i], seconds))
			return -ENOSPC;
	job->floor_next += MR_VECTOR_MAX;
	mr_flow_table_age(job->table, seconds, 2 * MR_VECTOR_MAX, NULL, NULL, NULL);
	return 0;
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	uint64_t start = mr_cycles(), now, count = 0;
	struct job *job = run->state;

	do {
		if (floor_vector(job))
			return mr_error_set(error, -ENOSPC, "the floor's table is full");
		count += MR_VECTOR_MAX;
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)(now - start) / (double)count;
	return 0;
}

/* -- the row ------------------------------------------------------------------------------------- */

static void
make_frame(struct job *job)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
	static const uint8_t dst[4] = { 198, 51, 100, 0 }, src[4] = { 10, 0, 0, 0 };

	mr_bench_tuple(job->frame, mac, src, dst, MR_IP_PROTO_UDP, 1024, 443);
	/* None, so that it need not follow the source. */
	memset(job->frame + sizeof(struct mr_eth) + sizeof(struct mr_ip4) +
		offsetof(struct mr_udp, check),
	    0, 2);
}

static int
make_plane(struct job *job, struct mr_error *error)
{
	char *yaml = configuration();
	const struct mr_port *port;
	int rc;

	if (!yaml)
		return mr_error_set(error, -ENOMEM, "no memory for a configuration");
	rc = mr_bench_plane_open(&job->plane, yaml, error);
	free(yaml);
	if (rc)
		return rc;
	job->graph = mr_bench_plane_graph(job->plane);
	job->lane = mr_bench_plane_lane(job->plane);
	for (uint16_t i = 0; i < mr_graph_node_count(job->graph); i++)
		if (strcmp(mr_graph_node_name(job->graph, i), "flow-lane@" IN) == 0)
			job->node = i;
	for (uint16_t i = 0; i < MR_PORT_MAX; i++) {
		port = mr_graph_port(job->graph, i);
		if (!port || strcmp(port->name, IN) != 0)
			continue;
		job->port = i;
		job->buffers = port->buffers;
	}
	return job->node && job->buffers ? 0 : mr_error_set(error, -ENOENT, "no lane");
}

/* Until as many go as come: so many seconds, and all that came is there or has been. */
static int
settle(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	uint64_t start = mr_cycles();
	struct mr_lane_stats stats;
	uint64_t recorded;
	int rc;

	do {
		rc = vector(job);
		if (rc)
			return mr_error_set(error, rc, "no buffers for packets");
	} while (mr_cycles() - start < 5 * run->tsc_hz);
	mr_lane_stats(job->lane, 0, &stats);
	if (stats.flows.added < job->next - job->next / 100)
		return mr_error_set(error, -EIO, "of %llu flows %llu were installed",
		    (unsigned long long)job->next, (unsigned long long)stats.flows.added);
	recorded = mr_bench_plane_counter(job->plane, "flow-lane@" IN, "recorded");
	if (recorded < job->next - job->next / 100)
		return mr_error_set(error, -EIO, "of %llu flows %llu were recorded",
		    (unsigned long long)job->next, (unsigned long long)recorded);
	mr_bench_note(run, "; %llu flows there, %llu have expired",
	    (unsigned long long)stats.flows.flows, (unsigned long long)stats.flows.expired);
	return 0;
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_bench_plane_close(job->plane);
	mr_flow_table_destroy(job->table);
	free(job);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job =
	    aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*job), (size_t)MR_CACHE_LINE));
	const struct mr_flow_table_config table = { .max = 2 * FLOOR_FLOWS,
		.idle_seconds = FLOOR_SECONDS,
		.numa = -1 };
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	memset(job, 0, sizeof(*job));
	run->state = job;
	make_frame(job);
	rc = make_plane(job, error);
	if (rc == 0)
		rc = settle(job, run, error);
	if (rc == 0)
		rc = mr_flow_table_create(&job->table, &table, error);
	while (rc == 0 && job->floor_next < 2 * FLOOR_FLOWS)
		rc = floor_vector(job);
	if (rc < 0)
		teardown(run);
	return rc;
}

static const struct mr_bench_row rows[] = {
	{
	    .name = "flow-setup",
	    .unit = "cycles/flow",
	    .doc = "flow lane: flows of two packets, recorded, installed, expired",
	    .config =
		"new flows of two 64-byte UDP packets, 16 next hops; the first walks, the second "
		"is recorded, the flow goes after two seconds; making the packets included; floor: "
		"a bare table, a flow looked for, added, removed",
	    .window_ms = 20,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = ours,
	    .floor = bare,
	},
};

const struct mr_bench_family mr_bench_family_setup = { "setup", rows, MR_ARRAY_COUNT(rows) };
