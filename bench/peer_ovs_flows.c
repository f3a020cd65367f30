/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peer_ovs_flows.h"

#include <string.h>
#include <unistd.h>

/* The first answers are lost while the switch makes their port known to itself. */
#define ANSWERS_MORE 65536u

static int
start(void **ovs, struct mr_bench_run *run, const struct mr_bench_ovs_flows *flows, int files[2],
    char *label, size_t size, struct mr_error *error)
{
	const struct mr_bench_ovs_rules rules = { .routes = &flows->traffic->routes,
		.macs = flows->traffic->macs,
		.matches = flows->matches,
		.match_count = flows->match_count,
		.conntrack = flows->conntrack };
	char path[48], back[48];
	struct mr_bench_ovs_config config = { .capture = flows->traffic->path,
		.frame_count = flows->traffic->count,
		.rules = path };
	unsigned lines = 0;

	files[0] = mr_bench_ovs_rules_write(&rules, path, sizeof(path), &lines);
	if (files[0] < 0)
		return mr_error_set(error, files[0], "rules for ovs: %s", strerror(-files[0]));
	if (flows->conntrack) {
		config.back = back;
		config.back_count = flows->traffic->flows + ANSWERS_MORE;
		files[1] = mr_bench_traffic_answers(flows->traffic, config.back_count,
		    mr_bench_answer, NULL, 0, back, sizeof(back));
		if (files[1] < 0)
			return mr_error_set(error, files[1], "answers for ovs: %s",
			    strerror(-files[1]));
	}
	mr_bench_note(run, "; ovs has %u rules%s", lines,
	    flows->conntrack ? ", connections tracked, all established" : "");
	return mr_bench_ovs_start((struct mr_bench_ovs **)ovs, run, &config, label, size, error);
}

int
mr_bench_ovs_flows_start(void **ovs, struct mr_bench_run *run,
    const struct mr_bench_ovs_flows *flows, char *label, size_t size, struct mr_error *error)
{
	int files[2] = { -1, -1 };
	int rc = start(ovs, run, flows, files, label, size, error);

	/* It has read them. */
	for (unsigned i = 0; i < MR_ARRAY_COUNT(files); i++)
		if (files[i] >= 0)
			close(files[i]);
	return rc;
}
