/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows xdp-veth-64 and tap-64: packets per second through ports of the kernel.
 *
 *     other core: frames -> [g] ==veth== [a] us [b] ==veth== [s] counted, then dropped
 *     other core: frames -> [a] tap      us     tap [b] counted, then dropped
 *
 * All in a network namespace of its own, which ends with the row. The frames are an XDP
 * program's (BPF_F_TEST_XDP_LIVE_FRAMES), the fastest source that the kernel has; the peer has
 * a path of its own of the same kind, fed in the same way, so that both stay attached and only
 * take turns.
 */
#include "bench/bench.h"

#include <errno.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/bed.h"
#include "bench/child.h"
#include "bench/peer_testpmd.h"
#include "kit/base/cpu.h"

#define FRAME 64
#define BATCH 64
#define REPEAT (1 << 30) /* frames per system call: until it is interrupted */

enum { XDP, TAP };
enum { OURS, PEER };

/* Where frames go in, and where what comes out is counted. */
struct path {
	char in[IFNAMSIZ], out[IFNAMSIZ];
};

struct job {
	struct mr_bench_bed bed;
	struct path paths[2];
	int home; /* the namespace we came from; -1: still there */
	int program;
	/* The source: a thread that sends while `run`. */
	pthread_t thread;
	bool threaded;
	struct sigaction action_before;
	unsigned cpu;
	sem_t go, done;
	unsigned side; /* whose path */
	_Atomic bool run, quit;
	_Atomic int failed;
};

/* -- the source ---------------------------------------------------------------------- */

static void
interrupt(int number)
{
}

/* Sends until a signal comes: a call costs a grace period of RCU, so one must be enough. */
static int
send_frames(struct job *job, unsigned ifindex)
{
	static const uint8_t head[14] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	uint8_t frame[FRAME] = { 0 };
	struct xdp_md context = { .data_end = FRAME, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = FRAME,
	    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = REPEAT,
	    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	memcpy(frame, head, sizeof(head));
	if (bpf_prog_test_run_opts(job->program, &options) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static void *
source(void *arg)
{
	struct mr_bench_run *run = arg;
	struct job *job = run->state;
	unsigned ifindex;
	int rc;

	rc = mr_cpu_pin(job->cpu, NULL);
	for (;;) {
		sem_wait(&job->go);
		if (atomic_load(&job->quit))
			return NULL;
		ifindex = if_nametoindex(job->paths[job->side].in);
		while (rc == 0 && atomic_load_explicit(&job->run, memory_order_relaxed))
			rc = send_frames(job, ifindex);
		atomic_store(&job->failed, rc);
		sem_post(&job->done);
	}
}

static int
load_program(struct job *job, struct mr_error *error)
{
	/* r0 = XDP_TX; exit: out of the interface that it seems to have come in on. */
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_TX },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	job->program = bpf_prog_load(BPF_PROG_TYPE_XDP, "bench_source", "GPL", code,
	    MR_ARRAY_COUNT(code), NULL);
	if (job->program < 0)
		return mr_error_set(error, job->program, "XDP program of the source: %s",
		    strerror(-job->program));
	return 0;
}

static int
start_source(struct mr_bench_run *run, struct mr_error *error)
{
	const struct sigaction action = { .sa_handler = interrupt };
	struct job *job = run->state;
	int rc;

	rc = load_program(job, error);
	if (rc < 0)
		return rc;
	sigaction(SIGUSR1, &action, &job->action_before);
	job->cpu = (unsigned)run->cpu_other;
	rc = pthread_create(&job->thread, NULL, source, run);
	if (rc)
		return mr_error_set(error, -rc, "second thread: %s", strerror(rc));
	job->threaded = true;
	return 0;
}

/* -- the namespace ------------------------------------------------------------------- */

static int
run_ip(struct mr_bench_run *run, const char *commands, struct mr_error *error)
{
	char script[1200], line[128];
	char *argv[] = { (char *)"sh", (char *)"-c", script, NULL };
	struct mr_bench_child c;
	int rc;

	snprintf(script, sizeof(script), "ip -batch - <<'.' && echo done\n%s.\n", commands);
	rc = mr_bench_child_start(&c, argv, false, &run->allowed, error);
	if (rc < 0)
		return rc;
	rc = mr_bench_child_expect(&c, "done", line, sizeof(line), 10000, error);
	mr_bench_child_stop(&c, NULL);
	return rc < 0 ? mr_error_prefix(error, "set up interfaces with ip") : 0;
}

static int
enter_namespace(struct job *job, struct mr_error *error)
{
	job->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (job->home < 0)
		return mr_error_set(error, -errno, "network namespace: %s", strerror(errno));
	if (unshare(CLONE_NEWNET) < 0) {
		close(job->home);
		job->home = -1;
		return mr_error_set(error, -errno,
		    "needs privilege for a network namespace of its own (CAP_SYS_ADMIN)");
	}
	return 0;
}

static void
name_paths(struct job *job, bool tap)
{
	unsigned side;

	for (side = 0; side < 2; side++) {
		snprintf(job->paths[side].in, IFNAMSIZ, tap ? "a%u" : "g%u", side);
		snprintf(job->paths[side].out, IFNAMSIZ, tap ? "b%u" : "s%u", side);
	}
}

static int
make_veths(struct mr_bench_run *run, struct mr_error *error)
{
	char commands[1000];
	size_t used = 0;
	unsigned side;

	for (side = 0; side < 2; side++)
		used += (size_t)snprintf(commands + used, sizeof(commands) - used,
		    "link add g%u type veth peer name a%u\n"
		    "link add s%u type veth peer name b%u\n"
		    "link set g%u addrgenmode none up\nlink set a%u addrgenmode none up\n"
		    "link set s%u addrgenmode none up\nlink set b%u addrgenmode none up\n",
		    side, side, side, side, side, side, side, side);
	return run_ip(run, commands, error);
}

/* Frames that the kernel has received on an interface. */
static int
received(const char *interface, uint64_t *packets, struct mr_error *error)
{
	unsigned long long bytes, count;
	char line[512], name[IFNAMSIZ + 1];
	FILE *f = fopen("/proc/thread-self/net/dev", "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		if (sscanf(line, " %16[^:]: %llu %llu", name, &bytes, &count) == 3 &&
		    !strcmp(name, interface))
			found = true;
	if (f)
		fclose(f);
	if (!found)
		return mr_error_set(error, -ENODEV, "no interface %s", interface);
	*packets = count;
	return 0;
}

/* -- the row ------------------------------------------------------------------------- */

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	if (job->threaded) {
		atomic_store(&job->quit, true);
		sem_post(&job->go);
		pthread_join(job->thread, NULL);
		sigaction(SIGUSR1, &job->action_before, NULL);
	}
	mr_bench_bed_close(&job->bed);
	if (job->program >= 0)
		close(job->program);
	if (job->home >= 0) {
		setns(job->home, CLONE_NEWNET); /* the other one ends with its last user */
		close(job->home);
	}
	sem_destroy(&job->go);
	sem_destroy(&job->done);
	free(job);
}

static int
make_ports(struct job *job, struct mr_bench_run *run, struct mr_error *error)
{
	const char *driver = run->row->param == TAP ? "tap" : "xdp";
	int rc;

	rc = mr_bench_bed_open(&job->bed, run, error);
	if (rc == 0)
		rc = mr_bench_bed_port(&job->bed, driver, "a0", NULL, 0, error);
	if (rc == 0)
		rc = mr_bench_bed_port(&job->bed, driver, "b0", NULL, 0, error);
	if (rc == 0)
		rc = mr_graph_set_input(job->bed.graph, 0, MR_GRAPH_NODE_TX, 1);
	if (rc == 0)
		rc = mr_graph_set_input(job->bed.graph, 1, MR_GRAPH_NODE_TX, 0);
	return rc < 0 ? rc : mr_graph_commit(job->bed.graph, error);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->home = job->program = -1;
	sem_init(&job->go, 0, 0);
	sem_init(&job->done, 0, 0);
	name_paths(job, run->row->param == TAP);
	rc = enter_namespace(job, error);
	if (rc == 0 && run->row->param == XDP)
		rc = make_veths(run, error);
	if (rc == 0)
		rc = make_ports(job, run, error);
	if (rc == 0 && run->row->param == TAP)
		rc = run_ip(run, "link set a0 addrgenmode none up\nlink set b0 addrgenmode none up\n", error);
	if (rc == 0)
		rc = start_source(run, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

/* Lets the source run on one side. */
static void
start_feeding(struct job *job, unsigned side)
{
	job->side = side;
	atomic_store(&job->run, true);
	sem_post(&job->go);
}

static int
stop_feeding(struct job *job, struct mr_error *error)
{
	struct timespec soon;
	int rc;

	atomic_store(&job->run, false);
	do { /* a signal that comes just before the call does not interrupt it */
		pthread_kill(job->thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 5000000;
		soon.tv_sec += soon.tv_nsec / 1000000000;
		soon.tv_nsec %= 1000000000;
	} while (sem_timedwait(&job->done, &soon) < 0);
	rc = atomic_load(&job->failed);
	return rc < 0 ? mr_error_set(error, rc, "source of frames: %s", strerror(-rc)) : 0;
}

static void
pass_for(struct job *job, uint64_t cycles)
{
	uint64_t start = mr_cycles();

	do
		mr_graph_pass(job->bed.graph, 0);
	while (mr_cycles() - start < cycles);
}

static double
per_second(const struct mr_bench_run *run, uint64_t packets, uint64_t cycles)
{
	return (double)packets * (double)run->tsc_hz / (double)cycles;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t before, after, start;
	int rc;

	start_feeding(job, OURS);
	pass_for(job, run->window / 10);
	rc = received(job->paths[OURS].out, &before, error);
	start = mr_cycles();
	pass_for(job, run->window);
	if (rc == 0)
		rc = received(job->paths[OURS].out, &after, error);
	if (rc == 0)
		*value = per_second(run, after - before, mr_cycles() - start);
	if (stop_feeding(job, rc ? NULL : error) < 0 && rc == 0)
		rc = -EIO;
	pass_for(job, run->tsc_hz / 1000); /* what is still under way */
	if (rc == 0 && after == before)
		rc = mr_error_set(error, -EIO, "no frame came through");
	return rc;
}

/* -- the peer ------------------------------------------------------------------------ */

static int
peer_start(struct mr_bench_run *run, void **state, char *label, size_t size,
    struct mr_error *error)
{
	static const struct mr_bench_testpmd_config configs[] = {
		[XDP] = { .mode = "io", .quiet = true,
		    .vdevs = { "net_af_xdp0,iface=a1", "net_af_xdp1,iface=b1" } },
		[TAP] = { .mode = "io", .quiet = true,
		    .vdevs = { "net_tap0,iface=a1", "net_tap1,iface=b1" } },
	};
	int rc;

	rc = mr_bench_testpmd_start((struct mr_bench_testpmd **)state, run,
	    &configs[run->row->param], label, size, error);
	if (rc == 0 && run->row->param == TAP)
		rc = run_ip(run, "link set a1 addrgenmode none up\nlink set b1 addrgenmode none up\n", error);
	return rc;
}

/* What to watch while testpmd forwards: frames that come out in the window. */
static int
watch(struct mr_bench_run *run, pid_t pid, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	const double seconds = (double)run->window / (double)run->tsc_hz;
	const struct timespec nap = { 0, (long)(seconds * 1e9) };
	uint64_t before, after, start;
	int rc;

	start_feeding(job, PEER);
	nanosleep(&(struct timespec){ 0, nap.tv_nsec / 10 }, NULL);
	rc = received(job->paths[PEER].out, &before, error);
	start = mr_cycles();
	nanosleep(&nap, NULL);
	if (rc == 0)
		rc = received(job->paths[PEER].out, &after, error);
	if (rc == 0)
		*value = per_second(run, after - before, mr_cycles() - start);
	if (stop_feeding(job, rc ? NULL : error) < 0 && rc == 0)
		rc = -EIO;
	if (rc == 0 && after == before)
		rc = mr_error_set(error, -EIO, "no frame came through testpmd");
	return rc;
}

static int
peer_window(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	return mr_bench_testpmd_busy(state, run, watch, value, error);
}

static const struct mr_bench_peer testpmd = { "testpmd", peer_start, peer_window,
	mr_bench_testpmd_stop, mr_bench_testpmd_thread };
static const struct mr_bench_peer *const peers[] = { &testpmd, NULL };

static const struct mr_bench_row rows[] = {
	{
	    .name = "xdp-veth-64",
	    .unit = "packets/s",
	    .doc = "from veth to veth through AF_XDP (more is better)",
	    .config = "64-byte frames from an XDP program on another core into a veth, AF_XDP to "
		      "AF_XDP on one core, counted behind a second veth; default settings; testpmd "
		      "io over net_af_xdp on veths of its own",
	    .param = XDP,
	    .window_ms = 100,
	    .two_cpus = true,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = ours,
	    .peers = peers,
	},
	{
	    .name = "tap-64",
	    .unit = "packets/s",
	    .doc = "from tap to tap (more is better)",
	    .config = "64-byte frames from an XDP program on another core into a tap, tap to tap "
		      "on one core, counted by the kernel; testpmd io over net_tap on taps of its "
		      "own",
	    .param = TAP,
	    .window_ms = 100,
	    .two_cpus = true,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = ours,
	    .peers = peers,
	},
};

const struct mr_bench_family mr_bench_family_wire = { "wire", rows, MR_ARRAY_COUNT(rows) };
