/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peer_testpmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/peers.h"

#define PROGRAM "dpdk-testpmd"
#define ARGS_MAX 48
#define ANSWER_MS 5000
#define FEED_WINDOWS 5

struct mr_bench_testpmd {
	struct mr_bench_child child;
	const char *mode;
	pid_t thread;        /* the one that forwards; 0: not found */
	const char *counted; /* the line of its statistics that counts */
};

/* What testpmd needs for `mbufs` buffers of 2,176 bytes with headers, in MB, rounding to
 * pages included. */
static unsigned
memory_needed(unsigned mbufs)
{
	return 192 + mbufs / 200;
}

static int
say(struct mr_bench_testpmd *t, struct mr_error *error, const char *fmt, const char *arg)
{
	char line[64];
	int rc;

	snprintf(line, sizeof(line), fmt, arg);
	rc = mr_bench_child_send(&t->child, line, error);
	if (rc < 0)
		mr_error_prefix(error, PROGRAM);
	return rc;
}

static int
expect(struct mr_bench_testpmd *t, const char *wanted, char *line, size_t size, int timeout_ms,
    struct mr_error *error)
{
	int rc = mr_bench_child_expect(&t->child, wanted, line, size, timeout_ms, error);

	if (rc < 0)
		mr_error_prefix(error, PROGRAM);
	return rc;
}

/* Packets sent (rxonly: received) by all ports since "start", and the moment of reading. */
static int
read_stats(struct mr_bench_testpmd *t, uint64_t *packets, uint64_t *when, struct mr_error *error)
{
	unsigned long long number;
	char line[160];
	int rc;

	rc = say(t, error, "show fwd stats all\n", NULL);
	if (rc == 0)
		rc = expect(t, "Accumulated", line, sizeof(line), ANSWER_MS, error);
	*when = mr_cycles();
	if (rc == 0)
		rc = expect(t, t->counted, line, sizeof(line), ANSWER_MS, error);
	if (rc < 0)
		return rc;
	if (sscanf(strstr(line, t->counted) + strlen(t->counted), " %llu", &number) != 1)
		return mr_error_set(error, -EPROTO, PROGRAM ": it said \"%s\"", line);
	*packets = number;
	return 0;
}

static void
nap_cycles(const struct mr_bench_run *run, uint64_t cycles)
{
	uint64_t ns = (uint64_t)((double)cycles * 1e9 / (double)run->tsc_hz);
	const struct timespec nap = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	nanosleep(&nap, NULL);
}

/* Reads until the count has moved on from `from`: its core may have been busy elsewhere. */
static int
read_moved(struct mr_bench_testpmd *t, const struct mr_bench_run *run, uint64_t from, uint64_t nap,
    uint64_t *packets, uint64_t *when, struct mr_error *error)
{
	unsigned tries;
	int rc;

	for (tries = 0; tries < 100; tries++) {
		nap_cycles(run, nap);
		rc = read_stats(t, packets, when, error);
		if (rc < 0 || *packets > from)
			return rc;
	}
	return mr_error_set(error, -EIO, PROGRAM ": it forwards nothing");
}

static int
forward(struct mr_bench_testpmd *t, struct mr_bench_run *run, double *value, struct mr_error *error)
{
	uint64_t packets[2], when[2];
	char line[160];
	int rc;

	rc = say(t, error, "start\n", NULL);
	if (rc == 0) /* 2 ms: the caches are not its own yet */
		rc = read_moved(t, run, 0, run->tsc_hz / 500, &packets[0], &when[0], error);
	if (rc == 0)
		rc = read_moved(t, run, packets[0], run->window, &packets[1], &when[1], error);
	if (rc == 0)
		rc = say(t, error, "stop\n", NULL);
	if (rc == 0)
		rc = expect(t, "Done.", line, sizeof(line), ANSWER_MS, error);
	if (rc == 0)
		*value = (double)(when[1] - when[0]) / (double)(packets[1] - packets[0]);
	return rc;
}

int
mr_bench_testpmd_window(struct mr_bench_run *run, void *testpmd, double *value,
    struct mr_error *error)
{
	int rc;

	/* The core is testpmd's now: wait elsewhere, where its command line is too. */
	if (run->cpu_other >= 0)
		mr_cpu_pin((unsigned)run->cpu_other, NULL);
	rc = forward(testpmd, run, value, error);
	mr_cpu_pin(run->cpu, NULL);
	return rc;
}

static int
compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Cycles per packet that receiving (and, with io, sending) alone takes: the median of a few
 * windows, noted in the row's config. */
static int
measure_feeding(struct mr_bench_testpmd *t, struct mr_bench_run *run, const char *mode,
    struct mr_error *error)
{
	double values[FEED_WINDOWS];
	unsigned i;
	int rc;

	t->counted = strcmp(mode, "rxonly") ? "TX-packets:" : "RX-packets:";
	rc = say(t, error, "set fwd %s\n", mode);
	for (i = 0; i < FEED_WINDOWS && rc == 0; i++)
		rc = mr_bench_testpmd_window(run, t, &values[i], error);
	if (rc == 0)
		rc = say(t, error, "set fwd %s\n", t->mode);
	t->counted = "TX-packets:";
	if (rc < 0)
		return rc;
	qsort(values, FEED_WINDOWS, sizeof(values[0]), compare_values);
	mr_bench_note(run, "; testpmd %s alone on the same input: %.1f", mode,
	    values[FEED_WINDOWS / 2]);
	return 0;
}

static unsigned
build_args(char *argv[ARGS_MAX], const struct mr_bench_testpmd_config *config, bool huge,
    char *const texts[5])
{
	unsigned n = 0, i;

	argv[n++] = (char *)PROGRAM;
	argv[n++] = (char *)"-v";
	argv[n++] = (char *)"--lcores";
	argv[n++] = texts[0];
	argv[n++] = (char *)"--main-lcore";
	argv[n++] = (char *)"0";
	/* In memory: hugepages by memfd, without a mounted hugetlbfs. */
	argv[n++] = (char *)(huge ? "--in-memory" : "--no-huge");
	argv[n++] = (char *)"-m";
	argv[n++] = texts[1];
	argv[n++] = (char *)"--no-pci";
	argv[n++] = (char *)"--no-telemetry";
	if (!huge) {
		argv[n++] = (char *)"--no-shconf";
		argv[n++] = (char *)"--file-prefix";
		argv[n++] = texts[2];
	}
	for (i = 0; i < MR_BENCH_TESTPMD_VDEVS && config->vdevs[i]; i++) {
		argv[n++] = (char *)"--vdev";
		argv[n++] = (char *)config->vdevs[i];
	}
	argv[n++] = (char *)"--";
	argv[n++] = (char *)"-i";
	argv[n++] = (char *)"--no-mlockall";
	argv[n++] = texts[3];
	argv[n++] = texts[4];
	argv[n] = NULL;
	return n;
}

static int
launch(struct mr_bench_testpmd *t, struct mr_bench_run *run,
    const struct mr_bench_testpmd_config *config, char *label, size_t size, struct mr_error *error)
{
	char lcores[48], memory[16], prefix[32], mode[48], mbufs[48], line[160];
	char *const texts[] = { lcores, memory, prefix, mode, mbufs };
	unsigned count = config->mbufs ? config->mbufs : 16384;
	char *argv[ARGS_MAX], *version;
	bool huge = mr_bench_peers_hugepages(memory_needed(count));
	int rc;

	snprintf(lcores, sizeof(lcores), "0@%u,1@%u",
	    run->cpu_other >= 0 ? (unsigned)run->cpu_other : run->cpu, run->cpu);
	snprintf(memory, sizeof(memory), "%u", memory_needed(count));
	/* Two may run at once. */
	snprintf(prefix, sizeof(prefix), "mrbench%d.%u", getpid(), (unsigned)mr_cycles() % 100000);
	snprintf(mode, sizeof(mode), "--forward-mode=%s", config->mode);
	snprintf(mbufs, sizeof(mbufs), "--total-num-mbufs=%u", count);
	build_args(argv, config, huge, texts);
	rc = mr_bench_child_start(&t->child, argv, true, &run->allowed, error);
	if (rc == 0)
		rc = mr_bench_child_expect(&t->child, "RTE Version", line, sizeof(line), 20000,
		    error);
	if (rc < 0) {
		/* The name was not found, most likely: say what would help. */
		mr_error_prefix(error, PROGRAM " (package dpdk-dev)");
		return rc;
	}
	version = strstr(line, "DPDK ");
	snprintf(label, size, "testpmd %s, DPDK %.24s", config->mode,
	    version ? version + strlen("DPDK ") : "?");
	label[strcspn(label, "'")] = 0;
	rc = expect(t, "Done", line, sizeof(line), 60000, error); /* ports started */
	if (rc == 0 && !config->quiet)
		mr_bench_note(run,
		    huge ? "; testpmd on 2 MB hugepages" : "; testpmd without hugepages");
	return rc;
}

int
mr_bench_testpmd_start(struct mr_bench_testpmd **out, struct mr_bench_run *run,
    const struct mr_bench_testpmd_config *config, char *label, size_t size, struct mr_error *error)
{
	struct mr_bench_testpmd *t = calloc(1, sizeof(*t));
	int rc;

	*out = NULL;
	if (!t)
		return mr_error_set(error, -ENOMEM, "no memory for a peer");
	t->mode = config->mode;
	rc = launch(t, run, config, label, size, error);
	if (rc == 0)
		t->thread = mr_bench_peers_worker(t->child.pid);
	if (rc == 0 && !config->quiet) {
		rc = measure_feeding(t, run, strcmp(config->mode, "io") ? "io" : "rxonly", error);
	}
	if (rc < 0) {
		mr_bench_testpmd_stop(t);
		return rc;
	}
	*out = t;
	return 0;
}

int
mr_bench_testpmd_busy(struct mr_bench_testpmd *t, struct mr_bench_run *run,
    int (*watch)(struct mr_bench_run *, pid_t, double *value, struct mr_error *), double *value,
    struct mr_error *error)
{
	char line[160];
	int rc;

	if (run->cpu_other >= 0)
		mr_cpu_pin((unsigned)run->cpu_other, NULL);
	rc = say(t, error, "start\n", NULL);
	if (rc == 0)
		rc = watch(run, t->child.pid, value, error);
	if (rc == 0)
		rc = say(t, error, "stop\n", NULL);
	if (rc == 0)
		rc = expect(t, "Done.", line, sizeof(line), ANSWER_MS, error);
	mr_cpu_pin(run->cpu, NULL);
	return rc;
}

pid_t
mr_bench_testpmd_thread(void *testpmd)
{
	struct mr_bench_testpmd *t = testpmd;

	return t->thread;
}

void
mr_bench_testpmd_stop(void *testpmd)
{
	struct mr_bench_testpmd *t = testpmd;

	if (!t)
		return;
	mr_bench_child_stop(&t->child, "quit\n");
	free(t);
}
