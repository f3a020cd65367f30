/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peer_l3fwd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/frames.h"
#include "bench/peers.h"

#define PROGRAM "l3fwd"
#define BUILDER "l3fwd/build"
#define ARGS_MAX 64
#define PORTS_MAX 16
#define BUILD_MS 120000
#define START_MS 60000
#define ANSWER_MS 5000
#define TRIES 5 /* windows of each, to choose the better one */

/* What it takes with a full table of one family, measured, in MB. */
#define MEMORY_IP4 800
#define MEMORY_IP6 1300
/* Buffers of 2,176 bytes with headers, and what leads to them: so many to a MB. */
#define BUFFERS_PER_MB 380
/* Beside those that play: what is under way. */
#define BUFFERS_MORE 16384

struct mr_bench_l3fwd {
	struct mr_bench_child child;
	pid_t thread; /* the one that forwards; 0: not found */
	int rules;    /* of the family that is not measured; -1: none */
};

static int
build(struct mr_bench_run *run, char *program, size_t size, struct mr_error *error)
{
	char script[600], line[640];
	char *argv[] = { script, NULL };
	struct mr_bench_child c;
	int rc;

	if (!mr_bench_peers_find(BUILDER, script, sizeof(script)))
		return mr_error_set(error, -ENOENT, "the script " BUILDER " is not there");
	rc = mr_bench_child_start(&c, argv, false, &run->allowed, error);
	if (rc == 0)
		rc = mr_bench_child_expect(&c, "built ", line, sizeof(line), BUILD_MS, error);
	mr_bench_child_stop(&c, NULL);
	if (rc == 0)
		snprintf(program, size, "%s", line + strlen("built "));
	return rc;
}

/* It reads rules of both families or of none. */
static int
write_rules(bool ip6, char *path, size_t size)
{
	FILE *f;
	int fd;

	f = mr_bench_file(path, size, &fd);
	if (!f)
		return -ENOMEM;
	fprintf(f, ip6 ? "R2001:db8::/32 0\n" : "R198.51.100.0/24 0\n");
	return mr_bench_file_done(f, fd);
}

static int
launch(struct mr_bench_l3fwd *l, struct mr_bench_run *run,
    const struct mr_bench_l3fwd_config *config, const char *mode, char *label, size_t size,
    struct mr_error *error)
{
	unsigned buffers = config->fed ? 0 : config->frame_count + BUFFERS_MORE, n = 0, i;
	unsigned needed = (config->ip6 ? MEMORY_IP6 : MEMORY_IP4) + buffers / BUFFERS_PER_MB;
	char lcores[48], memory[16], prefix[32], vdevs[PORTS_MAX][24], mask[16], other[48];
	char played[160], count[16];
	char program[640], line[160], *argv[ARGS_MAX];
	bool huge = mr_bench_peers_hugepages(needed);
	const char *version;
	int rc;

	rc = build(run, program, sizeof(program), error);
	if (rc < 0)
		return rc;
	l->rules = write_rules(!config->ip6, other, sizeof(other));
	if (l->rules < 0)
		return mr_error_set(error, l->rules, "no file in memory");
	snprintf(lcores, sizeof(lcores), "0@%u,1@%u",
	    run->cpu_other >= 0 ? (unsigned)run->cpu_other : run->cpu, run->cpu);
	snprintf(memory, sizeof(memory), "%u", needed);
	snprintf(prefix, sizeof(prefix), "mrbench%d.%u", getpid(), (unsigned)mr_cycles() % 100000);
	snprintf(mask, sizeof(mask), "%x", (1u << config->ports) - 1);

#define ARG(text_) argv[n++] = (char *)(text_)
	ARG(program);
	ARG("--lcores"), ARG(lcores), ARG("--main-lcore"), ARG("0");
	/* In memory: hugepages by memfd, without a mounted hugetlbfs. */
	ARG(huge ? "--in-memory" : "--no-huge"), ARG("-m"), ARG(memory);
	ARG("--no-pci"), ARG("--no-telemetry");
	if (!huge)
		ARG("--no-shconf"), ARG("--file-prefix"), ARG(prefix);
	/* Its look-up of IPv6 by AVX-512, where there is some, is off unless asked for. */
	ARG("--force-max-simd-bitwidth=512");
	if (!config->fed) {
		/* Named twice for two sending queues, one for each lcore, as l3fwd wants them;
		 * it receives from one, and no other is filled. */
		snprintf(played, sizeof(played), "net_pcap0,rx_pcap=%s,rx_pcap=%s,infinite_rx=1",
		    config->capture, config->capture);
		ARG("--vdev"), ARG(played);
	}
	for (i = !config->fed; i < config->ports; i++) {
		snprintf(vdevs[i], sizeof(vdevs[i]), "net_null%u,size=64", i);
		ARG("--vdev"), ARG(vdevs[i]);
	}
	ARG("--"), ARG("-p"), ARG(mask), ARG("--parse-ptype"), ARG("--lookup"), ARG(mode);
	ARG("--config"), ARG("(0,0,1)");
	ARG("--rule_ipv4"), ARG(config->ip6 ? other : config->routes);
	ARG("--rule_ipv6"), ARG(config->ip6 ? config->routes : other);
#undef ARG
	argv[n] = NULL;
	snprintf(count, sizeof(count), "%u", buffers);
	setenv("MR_L3FWD_BUFFERS", count, 1);
	rc = mr_bench_child_start(&l->child, argv, true, &run->allowed, error);
	unsetenv("MR_L3FWD_BUFFERS");
	if (rc == 0)
		rc =
		    mr_bench_child_expect(&l->child, "ready ", line, sizeof(line), START_MS, error);
	if (rc < 0)
		return rc;
	version = strstr(line, "DPDK ");
	snprintf(label, size, "dpdk-l3fwd-%s%s %.24s", mode, config->fed ? "-fed" : "",
	    version ? version + strlen("DPDK ") : "?");
	l->thread = mr_bench_peers_worker(l->child.pid);
	return huge;
}

static int
ask(struct mr_bench_l3fwd *l, const char *question, const char *answer, char *line, size_t size,
    int timeout_ms, struct mr_error *error)
{
	int rc = mr_bench_child_send(&l->child, question, error);

	return rc < 0 ? rc
		      : mr_bench_child_expect(&l->child, answer, line, size, timeout_ms, error);
}

static int
measure(struct mr_bench_run *run, struct mr_bench_l3fwd *l, const char *what, double *value,
    struct mr_error *error)
{
	unsigned long long cycles, packets;
	char line[128];
	int rc;

	snprintf(line, sizeof(line), "%s %llu\n", what, (unsigned long long)run->window);
	/* The core is l3fwd's now: wait elsewhere. */
	if (run->cpu_other >= 0)
		mr_cpu_pin((unsigned)run->cpu_other, NULL);
	rc = ask(l, line, "took ", line, sizeof(line), ANSWER_MS, error);
	mr_cpu_pin(run->cpu, NULL);
	if (rc < 0) {
		mr_error_prefix(error, PROGRAM);
		return rc;
	}
	if (sscanf(line, "took %llu %llu", &cycles, &packets) != 2 || !packets)
		return mr_error_set(error, -EPROTO, PROGRAM ": it said \"%s\"", line);
	*value = (double)cycles / (double)packets;
	return 0;
}

int
mr_bench_l3fwd_window(struct mr_bench_run *run, void *l3fwd, double *value, struct mr_error *error)
{
	return measure(run, l3fwd, "window", value, error);
}

/* What it received it has sent, but for what waits in its buffers: nothing was dropped, which
 * would be cheaper. */
static int
check_sent(struct mr_bench_l3fwd *l, unsigned ports, struct mr_error *error)
{
	unsigned long long received, sent;
	unsigned used;
	char line[128];
	int rc;

	rc = ask(l, "sent\n", "sent ", line, sizeof(line), ANSWER_MS, error);
	if (rc < 0)
		return rc;
	if (sscanf(line, "sent %llu %u of %llu", &sent, &used, &received) != 3 || !sent ||
	    received - sent > 32 * ports)
		return mr_error_set(error, -EIO, "it does not forward everything: \"%s\"", line);
	return 0;
}

static int
compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
measure_median(struct mr_bench_run *run, struct mr_bench_l3fwd *l, const char *what, double *median,
    struct mr_error *error)
{
	double values[TRIES];
	unsigned i;
	int rc = 0;

	for (i = 0; i < TRIES && rc == 0; i++)
		rc = measure(run, l, what, &values[i], error);
	if (rc < 0)
		return rc;
	qsort(values, TRIES, sizeof(values[0]), compare_values);
	*median = values[TRIES / 2];
	return 0;
}

/* Starts it in one mode and, as it may be one of two to choose from, measures it a little. */
static int
start_mode(struct mr_bench_l3fwd **out, struct mr_bench_run *run,
    const struct mr_bench_l3fwd_config *config, const char *mode, char *label, size_t size,
    double *median, bool *huge, struct mr_error *error)
{
	struct mr_bench_l3fwd *l = calloc(1, sizeof(*l));
	char line[160];
	int rc;

	*out = NULL;
	if (!l)
		return mr_error_set(error, -ENOMEM, "no memory for a peer");
	l->rules = -1;
	rc = launch(l, run, config, mode, label, size, error);
	*huge = rc > 0;
	if (rc >= 0 && config->fed) {
		snprintf(line, sizeof(line), "frames %s\n", config->frames);
		rc = ask(l, line, "frames ", line, sizeof(line), ANSWER_MS, error);
	}
	if (rc >= 0)
		rc = measure_median(run, l, "window", median, error);
	if (rc == 0)
		rc = check_sent(l, config->ports, error);
	if (rc < 0) {
		mr_error_prefix(error, PROGRAM);
		mr_bench_l3fwd_stop(l);
		return rc;
	}
	*out = l;
	return 0;
}

/* What it takes when it is fed the other way, for the config line. */
static int
note_fed(struct mr_bench_run *run, const struct mr_bench_l3fwd_config *config, const char *mode,
    struct mr_error *error)
{
	struct mr_bench_l3fwd_config fed = *config;
	struct mr_bench_l3fwd *l;
	double cycles;
	char label[64];
	bool huge;
	int rc;

	fed.fed = true;
	rc = start_mode(&l, run, &fed, mode, label, sizeof(label), &cycles, &huge, error);
	if (rc < 0)
		return rc;
	mr_bench_l3fwd_stop(l);
	mr_bench_note(run, ", %.1f with frames put into its buffers from a dense array", cycles);
	return 0;
}

int
mr_bench_l3fwd_start(struct mr_bench_l3fwd **out, struct mr_bench_run *run,
    const struct mr_bench_l3fwd_config *config, char *label, size_t size, struct mr_error *error)
{
	double lpm, fib, again, feeding;
	bool huge;
	int rc;

	if (config->mode) {
		rc = start_mode(out, run, config, config->mode, label, size, &again, &huge, error);
	} else {
		/* One after the other: two at once may not find hugepages enough. */
		rc = start_mode(out, run, config, "lpm", label, size, &lpm, &huge, error);
		if (rc < 0)
			return rc;
		mr_bench_l3fwd_stop(*out);
		rc = start_mode(out, run, config, "fib", label, size, &fib, &huge, error);
		if (rc < 0)
			return rc;
		mr_bench_note(run, "; l3fwd lpm %.1f, fib %.1f at first", lpm, fib);
		if (lpm < fib || !config->fed) {
			const char *mode = lpm < fib ? "lpm" : "fib";

			mr_bench_l3fwd_stop(*out);
			*out = NULL;
			rc = config->fed ? 0 : note_fed(run, config, mode, error);
			if (rc == 0)
				rc = start_mode(out, run, config, mode, label, size, &again, &huge,
				    error);
		}
	}
	if (rc < 0)
		return rc;
	rc = measure_median(run, *out, "feeding", &feeding, error);
	if (rc < 0) {
		mr_bench_l3fwd_stop(*out);
		*out = NULL;
		return rc;
	}
	mr_bench_note(run, "; feeding it alone %.1f; it has %u port%s, %s", feeding, config->ports,
	    config->ports == 1 ? "" : "s", huge ? "2 MB hugepages" : "no hugepages");
	return 0;
}

pid_t
mr_bench_l3fwd_thread(void *l3fwd)
{
	struct mr_bench_l3fwd *l = l3fwd;

	return l->thread;
}

void
mr_bench_l3fwd_stop(void *l3fwd)
{
	struct mr_bench_l3fwd *l = l3fwd;

	if (!l)
		return;
	mr_bench_child_stop(&l->child, "quit\n");
	if (l->rules >= 0)
		close(l->rules);
	free(l);
}
