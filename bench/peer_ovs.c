/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peer_ovs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/ovs_ctl.h"
#include "bench/ovs_daemons.h"

#define PROGRAM "ovs"
#define WARM_CYCLES(run) ((run)->tsc_hz / 500) /* 2 ms: the caches are not its own yet */
#define TRIES 5
#define SETTLE_MS 700    /* at least, of forwarding before it is measured */
#define SETTLE_MAX 30000 /* and at most: until nothing misses any more */
#define LOOK_MS 100
/* Under way between two counters. */
#define BATCH 64

struct mr_bench_ovs {
	struct mr_bench_ovs_daemons daemons;
	struct mr_bench_ovs_ctl ctl;
	pid_t thread; /* the one that forwards; 0: not found */
	bool drops;
	char core[16];
};

/* What its polling thread counted. */
struct counts {
	uint64_t packets, cycles, missed;
};

static void
nap_ms(unsigned ms)
{
	const struct timespec nap = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&nap, NULL);
}

static void
nap_cycles(const struct mr_bench_run *run, uint64_t cycles)
{
	uint64_t ns = (uint64_t)((double)cycles * 1e9 / (double)run->tsc_hz);
	const struct timespec nap = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	nanosleep(&nap, NULL);
}

static int
read_counts(struct mr_bench_ovs *o, struct counts *c, struct mr_error *error)
{
	const char *args[] = { "-pmd", o->core, NULL };
	uint64_t idle, busy, failed;
	char *text;
	int rc;

	rc = mr_bench_ovs_ctl_call(&o->ctl, "dpif-netdev/pmd-stats-show", args, &text, error);
	if (rc < 0)
		return rc;
	if (!mr_bench_ovs_number(text, "packets received:", &c->packets))
		return mr_error_set(error, -EPROTO, "no packets among its counters");
	/* Said once there is some. */
	if (!mr_bench_ovs_number(text, "idle cycles:", &idle) ||
	    !mr_bench_ovs_number(text, "processing cycles:", &busy))
		idle = busy = 0;
	if (!mr_bench_ovs_number(text, "miss with success upcall:", &c->missed) ||
	    !mr_bench_ovs_number(text, "miss with failed upcall:", &failed))
		return mr_error_set(error, -EPROTO, "no misses among its counters");
	c->cycles = idle + busy;
	c->missed += failed;
	return 0;
}

/* What a port has received or sent. */
static int
read_port(struct mr_bench_ovs *o, const char *port, const char *what, uint64_t *count,
    struct mr_error *error)
{
	const char *args[] = { "-s", NULL };
	char *text, name[32];
	int rc;

	rc = mr_bench_ovs_ctl_call(&o->ctl, "dpctl/show", args, &text, error);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), ": %s (dpdk", port);
	text = strstr(text, name);
	if (!text || !mr_bench_ovs_number(text, what, count))
		return mr_error_set(error, -EPROTO, "it has no port %s: %s", port,
		    mr_bench_ovs_daemons_complaint(&o->daemons));
	return 0;
}

/* The core is Open vSwitch's now: we wait elsewhere. */
static void
go(struct mr_bench_ovs *o, const struct mr_bench_run *run)
{
	if (run->cpu_other >= 0)
		mr_cpu_pin((unsigned)run->cpu_other, NULL);
	kill(o->daemons.vswitchd.pid, SIGCONT);
}

static void
halt(struct mr_bench_ovs *o, const struct mr_bench_run *run)
{
	/* One that ended is left for whoever stops it. */
	if (kill(o->daemons.vswitchd.pid, SIGSTOP) == 0)
		waitid(P_PID, (id_t)o->daemons.vswitchd.pid, &(siginfo_t){ 0 },
		    WSTOPPED | WEXITED | WNOWAIT);
	mr_cpu_pin(run->cpu, NULL);
}

/* Cycles per packet while it runs. */
static int
take(struct mr_bench_ovs *o, struct mr_bench_run *run, uint64_t cycles, double *value,
    struct mr_error *error)
{
	struct counts a, b = { 0 };
	uint64_t sent[2] = { 0 };
	unsigned tries;
	int rc;

	nap_cycles(run, WARM_CYCLES(run));
	rc = read_port(o, "out", "TX packets:", &sent[0], error);
	if (rc == 0)
		rc = read_counts(o, &a, error);
	/* Its core may have been busy elsewhere. */
	for (tries = 0; rc == 0 && tries < 100 && b.packets <= a.packets; tries++) {
		nap_cycles(run, cycles);
		rc = read_counts(o, &b, error);
	}
	if (rc == 0)
		rc = read_port(o, "out", "TX packets:", &sent[1], error);
	if (rc < 0)
		return rc;
	if (b.packets <= a.packets)
		return mr_error_set(error, -EIO, "it forwards nothing");
	if (!o->drops && sent[1] - sent[0] + BATCH < b.packets - a.packets)
		return mr_error_set(error, -EIO, "it sent %llu of %llu packets",
		    (unsigned long long)(sent[1] - sent[0]),
		    (unsigned long long)(b.packets - a.packets));
	*value = (double)(b.cycles - a.cycles) / (double)(b.packets - a.packets);
	return 0;
}

static int
take_window(struct mr_bench_ovs *o, struct mr_bench_run *run, uint64_t cycles, double *value,
    struct mr_error *error)
{
	int rc;

	go(o, run);
	rc = take(o, run, cycles, value, error);
	halt(o, run);
	if (rc < 0)
		mr_error_prefix(error, PROGRAM);
	return rc;
}

int
mr_bench_ovs_window(struct mr_bench_run *run, void *ovs, double *value, struct mr_error *error)
{
	return take_window(ovs, run, run->window, value, error);
}

static int
compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What one rule, port to port, costs: the median of a few windows, for the config line. */
static int
note_feeding(struct mr_bench_ovs *o, struct mr_bench_run *run, struct mr_error *error)
{
	double values[TRIES];
	unsigned i;
	int rc = 0;

	for (i = 0; i < TRIES && rc == 0; i++)
		rc = take_window(o, run, run->tsc_hz / 50, &values[i], error);
	if (rc < 0)
		return rc;
	qsort(values, TRIES, sizeof(values[0]), compare_values);
	mr_bench_note(run, "; feeding ovs alone %.1f", values[TRIES / 2]);
	return 0;
}

/* Lets it forward until all its flows are there. */
static int
settle(struct mr_bench_ovs *o, unsigned frames, struct mr_error *error)
{
	struct counts first, last, now;
	unsigned ms;
	int rc;

	rc = read_counts(o, &first, error);
	now = first;
	for (ms = 0; rc == 0 && ms < SETTLE_MAX; ms += LOOK_MS) {
		last = now;
		nap_ms(LOOK_MS);
		rc = read_counts(o, &now, error);
		if (ms >= SETTLE_MS && now.packets - first.packets > 2 * (uint64_t)frames &&
		    now.missed == last.missed)
			return rc;
	}
	return rc < 0 ? rc : mr_error_set(error, -EIO, "its flows do not settle");
}

/* Packets so far that conntrack found to be of new connections. */
static int
count_new(struct mr_bench_ovs *o, uint64_t *count, struct mr_error *error)
{
	uint64_t packets;
	char *text, *line, *rest;
	int rc;

	rc = mr_bench_ovs_ctl_call(&o->ctl, "dpctl/dump-flows", NULL, &text, error);
	if (rc < 0)
		return rc;
	*count = 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strstr(line, "ct_state(+new") &&
		    mr_bench_ovs_number(line, "packets:", &packets))
			*count += packets;
	return 0;
}

/* Plays the answers, until no packet is of a new connection. */
static int
answer(struct mr_bench_ovs *o, const struct mr_bench_ovs_config *config, struct mr_error *error)
{
	uint64_t fresh[2] = { 0 }, received = 0;
	unsigned ms;
	int rc;

	rc = mr_bench_ovs_daemons_back(&o->daemons, config->back, error);
	for (ms = 0; rc == 0 && received < config->back_count; ms += LOOK_MS) {
		if (ms > SETTLE_MAX)
			return mr_error_set(error, -EIO, "it took %llu of %u answers",
			    (unsigned long long)received, config->back_count);
		nap_ms(LOOK_MS);
		rc = read_port(o, "back", "RX packets:", &received, error);
	}
	if (rc == 0)
		rc = mr_bench_ovs_daemons_back(&o->daemons, NULL, error);
	if (rc == 0)
		rc = settle(o, config->frame_count, error);
	if (rc == 0)
		rc = count_new(o, &fresh[0], error);
	if (rc == 0)
		rc = settle(o, config->frame_count, error);
	if (rc == 0)
		rc = count_new(o, &fresh[1], error);
	if (rc == 0 && fresh[1] != fresh[0])
		return mr_error_set(error, -EIO, "%llu packets are still of new connections",
		    (unsigned long long)(fresh[1] - fresh[0]));
	return rc;
}

/* With its rules, flows and connections; and then all is sent, seen over a longer time, in
 * which the moments between two readings count for little. */
static int
prepare(struct mr_bench_ovs *o, struct mr_bench_run *run, const struct mr_bench_ovs_config *config,
    struct mr_error *error)
{
	double value;
	int rc;

	go(o, run);
	rc = mr_bench_ovs_daemons_rules(&o->daemons, config->rules, error);
	if (rc == 0)
		rc = settle(o, config->frame_count, error);
	if (rc == 0 && config->back)
		rc = answer(o, config, error);
	if (rc == 0)
		rc = take(o, run, run->tsc_hz / 5, &value, error);
	halt(o, run);
	return rc;
}

static int
launch(struct mr_bench_ovs *o, struct mr_bench_run *run, const struct mr_bench_ovs_config *config,
    char *label, size_t size, struct mr_error *error)
{
	uint64_t none;
	char *text;
	int rc;

	rc = mr_bench_ovs_daemons_start(&o->daemons, run, config->capture, config->frame_count,
	    error);
	if (rc == 0)
		rc = mr_bench_ovs_ctl_open(&o->ctl, o->daemons.control, 5000, error);
	if (rc == 0)
		rc = mr_bench_ovs_ctl_call(&o->ctl, "version", NULL, &text, error);
	if (rc < 0)
		return rc;
	text[strcspn(text, "\n")] = 0;
	snprintf(label, size, "ovs-dpdk %.16s", strrchr(text, ' ') ? strrchr(text, ' ') + 1 : "?");
	rc = read_port(o, "in", "RX packets:", &none, error);
	if (rc == 0)
		rc = read_port(o, "out", "TX packets:", &none, error);
	if (rc == 0)
		rc = mr_bench_ovs_daemons_rule(&o->daemons, "in_port=1,actions=output:2", error);
	if (rc == 0)
		rc = settle(o, config->frame_count, error);
	halt(o, run);
	if (rc == 0)
		rc = note_feeding(o, run, error);
	if (rc == 0)
		rc = prepare(o, run, config, error);
	return rc;
}

int
mr_bench_ovs_start(struct mr_bench_ovs **out, struct mr_bench_run *run,
    const struct mr_bench_ovs_config *config, char *label, size_t size, struct mr_error *error)
{
	struct mr_bench_ovs *o = calloc(1, sizeof(*o));
	int rc;

	*out = NULL;
	if (!o)
		return mr_error_set(error, -ENOMEM, "no memory for a peer");
	o->ctl.fd = -1;
	o->drops = config->drops;
	snprintf(o->core, sizeof(o->core), "%u", run->cpu);
	if (run->cpu_other >= 0)
		mr_cpu_pin((unsigned)run->cpu_other, NULL);
	rc = launch(o, run, config, label, size, error);
	mr_cpu_pin(run->cpu, NULL);
	if (rc < 0) {
		mr_error_prefix(error, PROGRAM);
		mr_bench_ovs_stop(o);
		return rc;
	}
	o->thread = mr_bench_ovs_daemons_thread(&o->daemons);
	*out = o;
	return 0;
}

pid_t
mr_bench_ovs_thread(void *ovs)
{
	struct mr_bench_ovs *o = ovs;

	return o->thread;
}

void
mr_bench_ovs_stop(void *ovs)
{
	struct mr_bench_ovs *o = ovs;

	if (!o)
		return;
	mr_bench_ovs_ctl_close(&o->ctl);
	mr_bench_ovs_daemons_stop(&o->daemons);
	free(o);
}
