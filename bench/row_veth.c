/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows start-up-veth, idle-cpu-veth and wake-p99-veth: the whole program, `millrace run`
 * on a bridge of two veths at default settings, in a namespace of its own; frames go in at
 * one far end and come out at the other.
 *
 *	far-ours-a ---- ours-a [ millrace run, adaptive ] ours-b ---- far-ours-b
 *	far-bare-a ---- bare-a [ millrace run, mode: poll ] bare-b ---- far-bare-b
 *
 * start-up-veth: from the start of the process until its first frame comes out. The peer
 * is testpmd over net_af_xdp.
 * idle-cpu-veth: the share of one core that all its threads take while nothing arrives.
 * wake-p99-veth: a frame every 5 to 10 ms, so that the worker has fallen asleep; from its
 * sending to its arrival (the kernel's time stamp) at the other end, the 99th percentile of a
 * window. The floor is a worker that never sleeps; its process is stopped while it is not
 * its turn.
 */
#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/net.h"
#include "bench/peer_testpmd.h"

#define START_MS 20000
#define LOST_MS 2000
#define PACKETS_MAX 4096 /* whose times are kept, of all windows */
#define PAUSE_MIN_NS 5000000
#define PAUSE_SPAN_NS 5000000

enum { START_UP, IDLE_CPU, WAKE };
enum { OURS, BARE, SIDES };

struct side {
	struct mr_bench_child child;
	int config_fd;
	char config[48]; /* its path */
	int in, out;     /* sockets at the far ends */
	double took[PACKETS_MAX];
	unsigned packets;
};

struct job {
	struct mr_bench_net net;
	char program[512];
	struct side sides[SIDES];
	uint64_t random;
};

static const char *const names[SIDES] = { "ours", "bare" };

/* -- the program ---------------------------------------------------------------------- */

/* Ourselves, or, for tests, beside the folder where we are. */
static int
find_program(struct job *job, struct mr_error *error)
{
	ssize_t n = readlink("/proc/self/exe", job->program, sizeof(job->program) - 16);
	char *name;

	job->program[n < 0 ? 0 : n] = 0;
	name = strrchr(job->program, '/');
	if (name && strcmp(name, "/millrace"))
		strcpy(name, "/../millrace");
	if (!name || access(job->program, X_OK) < 0)
		return mr_error_set(error, -ENOENT,
		    "needs the millrace command: run it as millrace bench");
	return 0;
}

static int
write_config(struct job *job, unsigned side, const struct mr_bench_run *run, struct mr_error *error)
{
	struct side *s = &job->sides[side];
	char text[512];
	int len;

	len = snprintf(text, sizeof(text),
	    "system: {mode: %s, workers: \"%u\"}\n"
	    "interface:\n"
	    "  a: {device: %s-a}\n"
	    "  b: {device: %s-b}\n"
	    "bridge:\n"
	    "  br0:\n"
	    "    interface: {a: {}, b: {}}\n",
	    side == BARE ? "poll" : "adaptive", run->cpu, names[side], names[side]);
	s->config_fd = memfd_create("millrace-bench", MFD_CLOEXEC);
	if (s->config_fd < 0 || write(s->config_fd, text, (size_t)len) != len)
		return mr_error_set(error, -errno, "configuration: %s", strerror(errno));
	snprintf(s->config, sizeof(s->config), "/proc/%d/fd/%d", getpid(), s->config_fd);
	return 0;
}

static int
start_program(struct job *job, unsigned side, const struct mr_bench_run *run,
    struct mr_error *error)
{
	struct side *s = &job->sides[side];
	char *argv[] = { job->program, (char *)"run", s->config, (char *)"--socket", (char *)"none",
		NULL };

	return mr_bench_child_start(&s->child, argv, false, &run->allowed, error);
}

static void
stop_program(struct side *s)
{
	if (s->child.pid > 0) {
		kill(s->child.pid, SIGTERM);
		kill(s->child.pid, SIGCONT);
	}
	mr_bench_child_stop(&s->child, NULL);
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;
	unsigned i;

	for (i = 0; i < SIDES; i++) {
		struct side *s = &job->sides[i];

		if (s->child.pid > 0)
			stop_program(s);
		if (s->config_fd >= 0)
			close(s->config_fd);
		if (s->in >= 0)
			close(s->in);
		if (s->out >= 0)
			close(s->out);
	}
	mr_bench_net_close(&job->net);
	free(job);
}

/* -- frames --------------------------------------------------------------------------- */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int
send_frame(struct side *s, struct mr_error *error)
{
	uint8_t frame[MR_BENCH_NET_FRAME];

	mr_bench_net_frame(frame);
	if (send(s->in, frame, sizeof(frame), 0) < 0 && errno != ENOBUFS)
		return mr_error_set(error, -errno, "send a frame: %s", strerror(errno));
	return 0;
}

/* When a frame came out, by the kernel's clock, waiting for `ms`; 0: none did. */
static uint64_t
receive_frame(struct side *s, int ms)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
	uint8_t frame[2 * MR_BENCH_NET_FRAME];
	struct iovec iov = { frame, sizeof(frame) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct pollfd p = { s->out, POLLIN, 0 };
	struct cmsghdr *c;
	struct timespec t;

	if (poll(&p, 1, ms) <= 0 || recvmsg(s->out, &m, 0) < MR_BENCH_NET_FRAME)
		return 0;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_TIMESTAMPNS)
		return now_ns();
	memcpy(&t, CMSG_DATA(c), sizeof(t));
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A frame each millisecond until one comes out. */
static int
first_frame(struct side *s, struct mr_error *error)
{
	unsigned i;
	int rc;

	for (i = 0; i < START_MS; i++) {
		rc = send_frame(s, error);
		if (rc < 0)
			return rc;
		if (receive_frame(s, 1))
			return 0;
	}
	return mr_error_set(error, -ETIMEDOUT, "nothing was forwarded in %d s", START_MS / 1000);
}

/* -- setting up ----------------------------------------------------------------------- */

static int
make_side(struct job *job, unsigned side, const struct mr_bench_run *run, struct mr_error *error)
{
	struct side *s = &job->sides[side];
	char a[32], b[32], far_a[40], far_b[40];
	int rc, on = 1;

	snprintf(a, sizeof(a), "%s-a", names[side]);
	snprintf(b, sizeof(b), "%s-b", names[side]);
	snprintf(far_a, sizeof(far_a), "far-%s", a);
	snprintf(far_b, sizeof(far_b), "far-%s", b);
	rc = mr_bench_net_veth(&job->net, a, error);
	if (rc == 0)
		rc = mr_bench_net_veth(&job->net, b, error);
	if (rc == 0)
		rc = s->in = mr_bench_net_socket(&job->net, far_a, error);
	if (rc >= 0)
		rc = s->out = mr_bench_net_socket(&job->net, far_b, error);
	if (rc >= 0)
		setsockopt(s->out, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	return rc < 0 ? rc : write_config(job, side, run, error);
}

static int
run_side(struct job *job, unsigned side, const struct mr_bench_run *run, struct mr_error *error)
{
	struct side *s = &job->sides[side];
	int rc = start_program(job, side, run, error);

	if (rc == 0)
		rc = first_frame(s, error);
	while (rc == 0 && receive_frame(s, 20))
		; /* those that were under way */
	if (rc == 0 && side == BARE)
		kill(s->child.pid, SIGSTOP);
	return rc;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	unsigned i;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->net = MR_BENCH_NET_CLOSED;
	job->random = 1;
	for (i = 0; i < SIDES; i++)
		job->sides[i].config_fd = job->sides[i].in = job->sides[i].out = -1;
	rc = find_program(job, error);
	if (rc == 0)
		rc = mr_bench_net_open(&job->net, error);
	for (i = 0; i < SIDES && rc == 0; i++)
		rc = make_side(job, i, run, error);
	if (rc == 0 && run->row->param != START_UP)
		rc = run_side(job, OURS, run, error);
	if (rc == 0 && run->row->param == WAKE)
		rc = run_side(job, BARE, run, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

/* -- start-up-veth -------------------------------------------------------------------- */

static double
since_ms(const struct mr_bench_run *run, uint64_t start)
{
	return (double)(mr_cycles() - start) * 1e3 / (double)run->tsc_hz;
}

static int
start_up(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	struct side *s = &job->sides[OURS];
	uint64_t start;
	int rc;

	while (receive_frame(s, 0))
		;
	start = mr_cycles();
	rc = start_program(job, OURS, run, error);
	if (rc == 0)
		rc = first_frame(s, error);
	*value = since_ms(run, start);
	stop_program(s);
	return rc;
}

/* Its interfaces are those of the other side. */
static const struct mr_bench_testpmd_config peer_config = {
	.mode = "io",
	.vdevs = { "net_af_xdp0,iface=bare-a", "net_af_xdp1,iface=bare-b" },
	.quiet = true,
};

static int
peer_start(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	struct mr_bench_testpmd *t;
	int rc = mr_bench_testpmd_start(&t, run, &peer_config, label, size, error);

	mr_bench_testpmd_stop(t); /* each window starts one */
	*state = NULL;
	return rc;
}

static int
watch_first(struct mr_bench_run *run, pid_t pid, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	*value = 0;
	return first_frame(&job->sides[BARE], error);
}

static int
peer_start_up(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	struct mr_bench_testpmd *t;
	uint64_t start;
	char label[96];
	int rc;

	while (receive_frame(&job->sides[BARE], 0))
		;
	start = mr_cycles();
	rc = mr_bench_testpmd_start(&t, run, &peer_config, label, sizeof(label), error);
	if (rc == 0)
		rc = mr_bench_testpmd_busy(t, run, watch_first, value, error);
	*value = since_ms(run, start);
	mr_bench_testpmd_stop(t);
	return rc;
}

static void
peer_stop(void *state)
{
}

/* -- idle-cpu-veth -------------------------------------------------------------------- */

/* Nanoseconds that all threads of a process have run. */
static uint64_t
ran(pid_t pid)
{
	unsigned long long ns, sum = 0;
	struct dirent *entry;
	char path[320];
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid, entry->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%llu", &ns) == 1)
			sum += ns;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static void
nap_ns(uint64_t ns)
{
	const struct timespec nap = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	nanosleep(&nap, NULL);
}

static int
idle_cpu(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	pid_t pid = job->sides[OURS].child.pid;
	uint64_t start = mr_cycles(), before = ran(pid), after;

	nap_ns((uint64_t)((double)run->window * 1e9 / (double)run->tsc_hz));
	after = ran(pid);
	if (!before || after < before)
		return mr_error_set(error, -EIO, "the kernel does not tell how long threads ran");
	*value = (double)(after - before) / 1e4 / since_ms(run, start);
	return 0;
}

/* -- wake-p99-veth -------------------------------------------------------------------- */

static int
compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
percentile_99(double *values, unsigned count)
{
	qsort(values, count, sizeof(values[0]), compare_values);
	return values[(count * 99 + 99) / 100 - 1];
}

/* One frame; microseconds. */
static int
time_frame(struct side *s, double *took, struct mr_error *error)
{
	uint64_t sent, came;
	int rc;

	sent = now_ns();
	rc = send_frame(s, error);
	if (rc < 0)
		return rc;
	came = receive_frame(s, LOST_MS);
	if (came < sent)
		return mr_error_set(error, -EIO, "a frame did not come out in %d ms", LOST_MS);
	*took = (double)(came - sent) / 1e3;
	return 0;
}

static int
wake_often(struct mr_bench_run *run, struct side *s, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start = mr_cycles();
	unsigned first;
	int rc = 0;

	if (s->packets > PACKETS_MAX / 2) /* two windows fit at least */
		s->packets = 0;
	first = s->packets;
	while (rc == 0 && mr_cycles() - start < run->window && s->packets < PACKETS_MAX) {
		job->random = job->random * UINT64_C(6364136223846793005) + 1442695040888963407;
		nap_ns(PAUSE_MIN_NS + (job->random >> 33) % PAUSE_SPAN_NS);
		rc = time_frame(s, &s->took[s->packets], error);
		s->packets += rc == 0;
	}
	if (rc == 0)
		*value = percentile_99(s->took + first, s->packets - first);
	return rc;
}

/* The worker has the core that is measured; who sends, the other one. */
static int
wake_elsewhere(struct mr_bench_run *run, unsigned side, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	int rc;

	mr_cpu_pin((unsigned)run->cpu_other, NULL);
	rc = wake_often(run, &job->sides[side], value, error);
	mr_cpu_pin(run->cpu, NULL);
	return rc;
}

static int
wake_ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return wake_elsewhere(run, OURS, value, error);
}

static int
wake_bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	pid_t pid = job->sides[BARE].child.pid;
	int rc;

	kill(pid, SIGCONT);
	rc = wake_elsewhere(run, BARE, value, error);
	kill(pid, SIGSTOP);
	return rc;
}

static void
wake_teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;
	struct side *s = &job->sides[OURS];

	if (s->packets)
		mr_bench_note(run, "; ours over the last %u frames: %.1f", s->packets,
		    percentile_99(s->took, s->packets));
	teardown(run);
}

static const struct mr_bench_peer start_peer = { "testpmd", peer_start, peer_start_up, peer_stop,
	NULL };
static const struct mr_bench_peer *const start_peers[] = { &start_peer, NULL };

static const struct mr_bench_row rows[] = {
	{
	    .name = "start-up-veth",
	    .unit = "milliseconds",
	    .doc = "from the start of the process to its first frame forwarded",
	    .config = "millrace run, a bridge of two veths at default settings, a frame sent each "
		      "millisecond until one comes out; testpmd io over net_af_xdp",
	    .param = START_UP,
	    .rounds_min = 10,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = start_up,
	    .peers = start_peers,
	},
	{
	    .name = "idle-cpu-veth",
	    .unit = "percent",
	    .doc = "of one core, all threads, two xdp ports, while nothing arrives",
	    .config = "millrace run, a bridge of two veths at default settings; windows of 3 s",
	    .param = IDLE_CPU,
	    .window_ms = 3000,
	    .rounds_min = 3,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = idle_cpu,
	},
	{
	    .name = "wake-p99-veth",
	    .unit = "microseconds",
	    .doc = "from veth to veth through a sleeping worker, 99th percentile",
	    .config = "millrace run, a bridge of two veths, a frame every 5 to 10 ms sent by the "
		      "other core, until the kernel receives it at the far end; floor: the same "
		      "with mode: poll",
	    .param = WAKE,
	    .window_ms = 1000,
	    .two_cpus = true,
	    .setup = setup,
	    .teardown = wake_teardown,
	    .ours = wake_ours,
	    .floor = wake_bare,
	},
};

const struct mr_bench_family mr_bench_family_veth = { "veth", rows, MR_ARRAY_COUNT(rows) };
