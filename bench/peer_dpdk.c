/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peer_dpdk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/child.h"
#include "bench/peers.h"

#define HELPER "dpdk-base"

static int
start(struct mr_bench_run *run, const char *variant, void **state, char *label, size_t size,
    struct mr_error *error)
{
	char path[600], cpu[16], other[16], line[128];
	char *argv[] = { path, (char *)run->row->name, cpu, other, (char *)variant, NULL };
	struct mr_bench_child *c;
	int rc;

	if (!mr_bench_peers_find(HELPER, path, sizeof(path)))
		return mr_error_set(error, -ENOENT,
		    "the helper " HELPER
		    " is not there (it is built where libdpdk-dev is installed)");
	snprintf(cpu, sizeof(cpu), "%u", run->cpu);
	snprintf(other, sizeof(other), "%d", run->cpu_other);
	c = calloc(1, sizeof(*c));
	if (!c)
		return mr_error_set(error, -ENOMEM, "no memory for a peer");
	rc = mr_bench_child_start(c, argv, false, &run->allowed, error);
	/* rte_acl may build for minutes. */
	if (rc == 0)
		rc = mr_bench_child_expect(c, "ready ", line, sizeof(line),
		    strncmp(run->row->name, "acl-", 4) ? 10000 : 300000, error);
	if (rc < 0) {
		mr_error_prefix(error, HELPER);
		mr_bench_child_stop(c, NULL);
		free(c);
		return rc;
	}
	snprintf(label, size, "%s", line + strlen("ready "));
	*state = c;
	return 0;
}

static int
start_words(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	return start(run, "4", state, label, size, error);
}

static int
start_pointers(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	return start(run, "8", state, label, size, error);
}

static int
window(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	unsigned long long cycles, objects;
	char line[128];
	int rc;

	snprintf(line, sizeof(line), "window %llu\n", (unsigned long long)run->window);
	rc = mr_bench_child_send(state, line, error);
	if (rc == 0)
		rc = mr_bench_child_expect(state, "took ", line, sizeof(line), 5000, error);
	if (rc < 0) {
		mr_error_prefix(error, HELPER);
		return rc;
	}
	if (sscanf(line, "took %llu %llu", &cycles, &objects) != 2 || !objects)
		return mr_error_set(error, -EPROTO, HELPER ": it said \"%s\"", line);
	*value = (double)cycles / (double)objects;
	return 0;
}

static void
stop(void *state)
{
	mr_bench_child_stop(state, "quit\n");
	free(state);
}

static pid_t
thread(void *state)
{
	return ((struct mr_bench_child *)state)->pid;
}

const struct mr_bench_peer mr_bench_peer_dpdk = { "dpdk", start_words, window, stop, thread };
const struct mr_bench_peer mr_bench_peer_dpdk_pointers = { "dpdk-pointers", start_pointers, window,
	stop, thread };
