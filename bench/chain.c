/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/chain.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bed.h"
#include "bench/vxlan.h"
#include "kit/base/cpu.h"

/* Rounds of the frames until everything is recorded, and until that is checked; for many flows
 * fewer do. */
#define ROUNDS 12u
#define ROUNDS_MIN 3u
#define ROUNDS_PACKETS (4u << 20)
/* Of 1,000 packets so many have to come out, and from the lane. */
#define SHARE 990u
#define PATIENCE 3u /* seconds */

static void
put_routes(FILE *out, const struct mr_bench_routes *routes, const char *outside)
{
	fprintf(out, "    route:\n      198.51.100.0/24: {via: 192.0.2.15}\n");
	for (size_t i = 0; i < routes->count; i++) {
		const struct mr_bench_route *r = &routes->routes[i];

		fprintf(out, "      %u.%u.%u.%u/%u: {via: 192.0.2.%u}\n", r->address[0],
		    r->address[1], r->address[2], r->address[3], r->len, 16u + r->hop);
	}
	fprintf(out, "    neighbor:\n      static:\n");
	for (unsigned i = 0; i < MR_BENCH_HOPS; i++)
		fprintf(out, "        192.0.2.%u: {interface: %s, mac: \"02:00:00:00:01:%02x\"}\n",
		    16 + i, outside, i);
}

/* The router does not say by itself where it is. */
static void
put_bridge(FILE *out)
{
	fprintf(out,
	    "  house: {driver: pair, device: gateway}\n"
	    "  gateway: {driver: pair, device: house}\n"
	    "bridge:\n  br0:\n    interface: [in, house]\n"
	    "    static:\n      - {mac: \"02:00:00:00:00:01\", vlan: 0, interface: house}\n");
}

static char *
write_configuration(const struct mr_bench_chain *chain, const struct mr_bench_run *run,
    const struct mr_bench_chain_config *config, const char *answers)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "system: {buffers: 32768}\ninterface:\n");
	fprintf(out, "  in: {driver: pcap, device: %s, options: {loop: memory}}\n",
	    chain->traffic.path);
	if (config->answer)
		fprintf(out,
		    "  out: {driver: pcap, device: %s, options: {loop: memory, loops: \"4\"}}\n",
		    answers);
	else
		fprintf(out, "  out: {driver: \"null\"}\n");
	if (config->tunnel)
		fprintf(out, "  vni: {driver: tunnel}\n");
	if (config->bridge)
		put_bridge(out);
	if (config->tunnel)
		mr_bench_vxlan_put_tunnel(out);
	fprintf(out, "lanes: {mode: %s", config->graph ? "graph" : "flow");
	if (config->lane_flows)
		fprintf(out, ", flows: %u", config->lane_flows);
	fprintf(out, "}\nrouter:\n  default:\n    interface:\n");
	fprintf(out, "      %s: {mac: \"02:00:00:00:00:01\", address: [203.0.113.1/24]}\n",
	    config->bridge                           ? "gateway"
		: config->tunnel == MR_BENCH_UNWRAPS ? "vni"
						     : "in");
	fprintf(out, "      %s: {mac: \"02:00:00:00:00:03\", address: [192.0.2.1/24]}\n",
	    mr_bench_chain_outside(config));
	if (config->tunnel)
		mr_bench_vxlan_put_interface(out, config->tunnel == MR_BENCH_WRAPS ? "out" : "in");
	put_routes(out, &chain->traffic.routes, mr_bench_chain_outside(config));
	if (config->tunnel)
		mr_bench_vxlan_put_neighbor(out, config->tunnel == MR_BENCH_WRAPS ? "out" : "in");
	if (config->functions)
		config->functions(out, run, config->user);
	return fclose(out) == 0 ? text : NULL;
}

static void
pass(struct mr_bench_chain *chain, uint64_t packets)
{
	uint64_t count = 0;

	for (uint64_t i = 0; count < packets && i < packets; i++)
		count += mr_graph_pass(chain->graph, 0);
}

/* What has come in, gone out, and been replayed. */
static void
read_counts(const struct mr_bench_chain *chain, uint64_t counts[3])
{
	counts[0] = mr_bench_plane_packets(chain->plane, "in", false);
	counts[1] = mr_bench_plane_packets(chain->plane, "out", true);
	counts[2] = mr_bench_plane_counter(chain->plane, "flow-lane@in", "replayed");
}

/* Until everything is sent, and replayed, or not at all. */
static int
establish(struct mr_bench_chain *chain, const struct mr_bench_chain_config *config,
    struct mr_error *error)
{
	const uint64_t frames = chain->traffic.count,
		       packets = MR_MAX(ROUNDS_MIN * frames,
			   MR_MIN(ROUNDS * frames, (uint64_t)ROUNDS_PACKETS));
	const uint64_t end = mr_cycles() + PATIENCE * mr_cpu_tsc_hz();
	uint64_t before[3], after[3], received;

	/* A walk that could not be replayed is tried again a second later. */
	do {
		pass(chain, packets);
		read_counts(chain, before);
		pass(chain, packets);
		read_counts(chain, after);
		received = MR_MAX(after[0] - before[0], 1u);
	} while (!config->graph && !config->walks &&
	    (after[2] - before[2]) * 1000 / received < SHARE && mr_cycles() < end);
	if ((after[1] - before[1]) * 1000 / received < SHARE)
		return mr_error_set(error, -EIO, "of %llu packets it sends %llu",
		    (unsigned long long)received, (unsigned long long)(after[1] - before[1]));
	if (config->graph)
		return 0;
	after[2] = (after[2] - before[2]) * 1000 / received;
	if (after[2] < SHARE && !config->walks)
		return mr_error_set(error, -EIO, "of 1000 packets the lane replays %llu",
		    (unsigned long long)after[2]);
	chain->share = (unsigned)after[2];
	return mr_bench_plane_state(chain->plane, "lanes", "programs", &chain->programs, error);
}

static int
make_plane(struct mr_bench_chain *chain, struct mr_bench_run *run,
    const struct mr_bench_chain_config *config, struct mr_error *error)
{
	char path[48], *yaml;
	int answers = -1, rc;

	if (config->answer) {
		answers = mr_bench_traffic_answers(&chain->traffic, chain->traffic.flows,
		    config->answer, config->tunnel == MR_BENCH_WRAPS ? mr_bench_vxlan_write : NULL,
		    MR_BENCH_VXLAN_FRAME, path, sizeof(path));
		if (answers < 0)
			return mr_error_set(error, answers, "no file for answers");
	}
	yaml = write_configuration(chain, run, config, path);
	rc = yaml ? mr_bench_plane_open(&chain->plane, yaml, error)
		  : mr_error_set(error, -ENOMEM, "no memory for a configuration");
	free(yaml);
	if (answers >= 0)
		close(answers);
	if (rc < 0)
		return rc;
	chain->graph = mr_bench_plane_graph(chain->plane);
	return establish(chain, config, error);
}

static int
make_floor(struct mr_bench_chain *chain, const struct mr_bench_chain_config *from,
    struct mr_error *error)
{
	const struct mr_buffers_config config = { .count = 4096, .numa_node = -1, .workers = 1 };
	int rc = mr_buffers_create(&chain->buffers, &config, error);

	if (rc < 0)
		return rc;
	return from->nat
	    ? mr_bench_bare_nat_open(&chain->bare_nat, &chain->traffic, chain->buffers, error)
	    : mr_bench_bare_flow_open(&chain->bare, &chain->traffic, chain->buffers, from->tunnel,
		  error);
}

const char *
mr_bench_chain_outside(const struct mr_bench_chain_config *config)
{
	return config->tunnel == MR_BENCH_WRAPS ? "vni" : "out";
}

int
mr_bench_chain_open(struct mr_bench_chain **out, struct mr_bench_run *run,
    const struct mr_bench_chain_config *config, struct mr_error *error)
{
	struct mr_bench_chain *chain = *out = calloc(1, sizeof(*chain));
	struct mr_bench_traffic_config traffic = config->traffic;
	int rc;

	if (!chain) {
		free(config->user);
		return mr_error_set(error, -ENOMEM, "no memory");
	}
	chain->user = config->user;
	if (config->tunnel == MR_BENCH_UNWRAPS) {
		traffic.write = mr_bench_vxlan_write;
		traffic.write_len = MR_BENCH_VXLAN_FRAME;
	}
	rc = mr_bench_traffic_open(&chain->traffic, &traffic, error);
	if (rc == 0)
		rc = make_plane(chain, run, config, error);
	if (rc == 0)
		rc = make_floor(chain, config, error);
	if (rc == 0)
		return 0;
	mr_bench_chain_close(chain);
	*out = NULL;
	return rc;
}

void
mr_bench_chain_close(void *opened)
{
	struct mr_bench_chain *chain = opened;

	mr_bench_bare_flow_close(chain->bare);
	mr_bench_bare_nat_close(chain->bare_nat);
	mr_buffers_destroy(chain->buffers);
	mr_bench_plane_close(chain->plane);
	mr_bench_traffic_close(&chain->traffic);
	free(chain->user);
	free(chain);
}

int
mr_bench_chain_setup(struct mr_bench_run *run, const struct mr_bench_chain_config *config,
    struct mr_error *error)
{
	struct mr_bench_chain *chain;
	int rc = mr_bench_chain_open(&chain, run, config, error);

	run->state = chain;
	if (rc == 0 && !config->graph)
		mr_bench_note(run, "; of 1000 packets the lane replays %u, by %llu action programs",
		    chain->share, (unsigned long long)chain->programs);
	return rc;
}

void
mr_bench_chain_teardown(struct mr_bench_run *run)
{
	mr_bench_chain_close(run->state);
}

int
mr_bench_chain_window(struct mr_bench_run *run, void *chain, double *value, struct mr_error *error)
{
	return mr_bench_graph_window(((struct mr_bench_chain *)chain)->graph, run, value, error);
}

int
mr_bench_chain_ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_chain_window(run, run->state, value, error);
}

int
mr_bench_chain_floor(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct mr_bench_chain *chain = run->state;

	return chain->bare_nat ? mr_bench_bare_nat_window(chain->bare_nat, run, value, error)
			       : mr_bench_bare_flow_window(chain->bare, run, value, error);
}
