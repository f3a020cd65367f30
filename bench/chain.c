/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/chain.h"

#include <errno.h>
#include <stdlib.h>

/* Rounds of the frames until everything is recorded, and until that is checked; for many flows
 * fewer do. */
#define ROUNDS 12u
#define ROUNDS_PACKETS (4u << 20)
/* Of 1,000 packets so many have to come out, and from the lane. */
#define SHARE 990u

static void
put_routes(FILE *out, const struct mr_bench_routes *routes)
{
	fprintf(out, "    route:\n      198.51.100.0/24: {via: 192.0.2.15}\n");
	for (size_t i = 0; i < routes->count; i++) {
		const struct mr_bench_route *r = &routes->routes[i];

		fprintf(out, "      %u.%u.%u.%u/%u: {via: 192.0.2.%u}\n", r->address[0],
		    r->address[1], r->address[2], r->address[3], r->len, 16u + r->hop);
	}
	fprintf(out, "    neighbor:\n      static:\n");
	for (unsigned i = 0; i < MR_BENCH_HOPS; i++)
		fprintf(out, "        192.0.2.%u: {interface: out, mac: \"02:00:00:00:01:%02x\"}\n",
		    16 + i, i);
}

static char *
write_configuration(const struct mr_bench_chain_config *config)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "system: {buffers: 32768}\ninterface:\n");
	fprintf(out, "  in: {driver: pcap, device: %s, options: {loop: memory}}\n",
	    config->traffic->path);
	if (config->answers)
		fprintf(out,
		    "  out: {driver: pcap, device: %s, options: {loop: memory, loops: \"4\"}}\n",
		    config->answers);
	else
		fprintf(out, "  out: {driver: \"null\"}\n");
	fprintf(out, "lanes: {mode: %s", config->graph ? "graph" : "flow");
	if (config->flows)
		fprintf(out, ", flows: %u", config->flows);
	fprintf(out, "}\nrouter:\n  default:\n    interface:\n");
	fprintf(out, "      in: {mac: \"02:00:00:00:00:01\", address: [203.0.113.1/24]}\n");
	fprintf(out, "      out: {mac: \"02:00:00:00:00:03\", address: [192.0.2.1/24]}\n");
	put_routes(out, &config->traffic->routes);
	if (config->functions)
		config->functions(out, config->user);
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
establish(struct mr_bench_chain *chain, struct mr_bench_run *run,
    const struct mr_bench_chain_config *config, struct mr_error *error)
{
	uint64_t packets = MR_MAX((uint64_t)3 * config->traffic->count,
	    MR_MIN((uint64_t)ROUNDS * config->traffic->count, (uint64_t)ROUNDS_PACKETS));
	uint64_t before[3], after[3], received;

	pass(chain, packets);
	read_counts(chain, before);
	pass(chain, packets);
	read_counts(chain, after);
	received = MR_MAX(after[0] - before[0], 1u);
	if ((after[1] - before[1]) * 1000 / received < SHARE)
		return mr_error_set(error, -EIO, "of %llu packets it sends %llu",
		    (unsigned long long)received, (unsigned long long)(after[1] - before[1]));
	if (config->graph)
		return 0;
	after[2] = (after[2] - before[2]) * 1000 / received;
	if (after[2] < SHARE)
		return mr_error_set(error, -EIO, "of 1000 packets the lane replays %llu",
		    (unsigned long long)after[2]);
	mr_bench_note(run, "; of 1000 packets the lane replays %llu", (unsigned long long)after[2]);
	return 0;
}

int
mr_bench_chain_open(struct mr_bench_chain *chain, struct mr_bench_run *run,
    const struct mr_bench_chain_config *config, struct mr_error *error)
{
	char *yaml = write_configuration(config);
	int rc;

	*chain = (struct mr_bench_chain){ 0 };
	if (!yaml)
		return mr_error_set(error, -ENOMEM, "no memory for a configuration");
	rc = mr_bench_plane_open(&chain->plane, yaml, error);
	free(yaml);
	if (rc == 0) {
		chain->graph = mr_bench_plane_graph(chain->plane);
		rc = establish(chain, run, config, error);
	}
	if (rc < 0)
		mr_bench_chain_close(chain);
	return rc;
}

void
mr_bench_chain_close(struct mr_bench_chain *chain)
{
	mr_bench_plane_close(chain->plane);
	*chain = (struct mr_bench_chain){ 0 };
}
