/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows start-up and idle-cpu: the whole program. It is started as a process of its own,
 * `millrace run` on a bridge of two null ports, and says when it is ready as it
 * would to systemd.
 *
 * start-up: from the start of the process until it is ready; a window is one start. The
 * peer is testpmd over net_null, until it forwards.
 * idle-cpu: the share of one core that all its threads take while nothing arrives. The
 * peer is testpmd, forwarding between ports at which nothing arrives.
 */
#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/peer_testpmd.h"

#define READY_MS 20000

enum { START_UP, IDLE_CPU };

struct job {
	char program[512];
	char config[48]; /* path of the file in memory */
	int config_fd;
	int ready; /* where the program says that it is */
	char ready_name[64];
	struct mr_bench_child child; /* idle-cpu */
};

static const char configuration[] = "interface:\n"
				    "  n0: {driver: 'null'}\n"
				    "  n1: {driver: 'null'}\n"
				    "bridge:\n"
				    "  br0:\n"
				    "    interface: {n0: {}, n1: {}}\n";

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	if (job->child.pid > 0)
		mr_bench_child_stop(&job->child, NULL);
	if (job->ready >= 0)
		close(job->ready);
	if (job->config_fd >= 0)
		close(job->config_fd);
	free(job);
}

static int
find_program(struct job *job, struct mr_error *error)
{
	ssize_t n = readlink("/proc/self/exe", job->program, sizeof(job->program) - 1);
	const char *name;

	if (n < 0)
		return mr_error_set(error, -errno, "/proc/self/exe: %s", strerror(errno));
	job->program[n] = 0;
	name = strrchr(job->program, '/');
	if (!name || strcmp(name, "/millrace"))
		return mr_error_set(error, -ENOENT,
		    "needs the millrace command: run it as "
		    "millrace bench");
	return 0;
}

/* The other end of the protocol of sd_notify(3), at an abstract address. */
static int
open_ready(struct job *job, struct mr_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len;

	job->ready = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (job->ready < 0)
		return mr_error_set(error, -errno, "socket: %s", strerror(errno));
	len = (size_t)snprintf(job->ready_name, sizeof(job->ready_name), "@millrace-bench-%d",
	    getpid());
	memcpy(address.sun_path, job->ready_name, len);
	address.sun_path[0] = 0;
	if (bind(job->ready, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return mr_error_set(error, -errno, "socket: %s", strerror(errno));
	return 0;
}

static int
write_config(struct job *job, struct mr_error *error)
{
	const size_t len = sizeof(configuration) - 1;

	job->config_fd = memfd_create("millrace-bench", MFD_CLOEXEC);
	if (job->config_fd < 0 || write(job->config_fd, configuration, len) != (ssize_t)len)
		return mr_error_set(error, -errno, "configuration: %s", strerror(errno));
	snprintf(job->config, sizeof(job->config), "/proc/%d/fd/%d", getpid(), job->config_fd);
	return 0;
}

/* Starts the program and waits until it is ready. */
static int
start_program(struct job *job, struct mr_bench_run *run, struct mr_bench_child *child,
    struct mr_error *error)
{
	char *argv[] = { job->program, (char *)"run", job->config, (char *)"--stay",
		(char *)"--socket", (char *)"none", NULL };
	struct pollfd p[2] = { { .fd = job->ready, .events = POLLIN } };
	char text[256], line[128];
	ssize_t n;
	int rc;

	setenv("NOTIFY_SOCKET", job->ready_name, 1);
	rc = mr_bench_child_start(child, argv, false, &run->allowed, error);
	unsetenv("NOTIFY_SOCKET");
	if (rc < 0)
		return rc;
	for (;;) {
		/* Also its output, so that its end shows; the log lines are left for later. */
		p[1] = (struct pollfd){ .fd = child->out, .events = 0 };
		rc = poll(p, 2, READY_MS);
		if (rc == 0)
			rc = mr_error_set(error, -ETIMEDOUT, "millrace run is not ready after %d s",
			    READY_MS / 1000);
		else if (p[0].revents)
			rc = 0;
		else if (p[1].revents)
			rc = mr_bench_child_expect(child, "\n", line, sizeof(line), 1000, error);
		else
			continue;
		if (rc < 0)
			break;
		n = recv(job->ready, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = 0;
		if (strstr(text, "READY=1"))
			return 0;
	}
	mr_bench_child_stop(child, NULL);
	return rc;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->ready = job->config_fd = -1;
	rc = find_program(job, error);
	if (rc == 0)
		rc = open_ready(job, error);
	if (rc == 0)
		rc = write_config(job, error);
	if (rc == 0 && run->row->param == IDLE_CPU)
		rc = start_program(job, run, &job->child, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
start_up(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	struct mr_bench_child child;
	uint64_t start = mr_cycles();
	int rc;

	rc = start_program(job, run, &child, error);
	if (rc < 0)
		return rc;
	*value = (double)(mr_cycles() - start) * 1e3 / (double)run->tsc_hz;
	mr_bench_child_stop(&child, NULL);
	return 0;
}

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

static int
watch(struct mr_bench_run *run, pid_t pid, double *value, struct mr_error *error)
{
	uint64_t start = mr_cycles(), before = ran(pid), after;
	const double seconds = (double)run->window / (double)run->tsc_hz;
	const struct timespec nap = { (time_t)seconds,
		(long)((seconds - (double)(time_t)seconds) * 1e9) };

	nanosleep(&nap, NULL);
	after = ran(pid);
	if (!before || after < before)
		return mr_error_set(error, -EIO, "the kernel does not tell how long threads ran");
	*value = (double)(after - before) * 1e-9 * (double)run->tsc_hz * 100 /
	    (double)(mr_cycles() - start);
	return 0;
}

static int
idle_cpu(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return watch(run, job->child.pid, value, error);
}

static const struct mr_bench_testpmd_config nothing = {
	.mode = "io",
	.vdevs = { "net_null0,no-rx=1" },
	.quiet = true,
};
static const struct mr_bench_testpmd_config something = {
	.mode = "io",
	.vdevs = { "net_null0,size=64" },
	.quiet = true,
};

static int
peer_start(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	return mr_bench_testpmd_start((struct mr_bench_testpmd **)state, run, &nothing, label, size,
	    error);
}

static int
peer_idle(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	return mr_bench_testpmd_busy(state, run, watch, value, error);
}

/* A window starts another one. */
static int
peer_start_up(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	uint64_t start = mr_cycles();
	struct mr_bench_testpmd *t;
	char label[96];
	int rc;

	rc = mr_bench_testpmd_start(&t, run, &something, label, sizeof(label), error);
	if (rc < 0)
		return rc;
	*value = (double)(mr_cycles() - start) * 1e3 / (double)run->tsc_hz;
	mr_bench_testpmd_stop(t);
	return 0;
}

static const struct mr_bench_peer start_peer = { "testpmd", peer_start, peer_start_up,
	mr_bench_testpmd_stop, NULL };
static const struct mr_bench_peer idle_peer = { "testpmd", peer_start, peer_idle,
	mr_bench_testpmd_stop, NULL };
static const struct mr_bench_peer *const start_peers[] = { &start_peer, NULL };
static const struct mr_bench_peer *const idle_peers[] = { &idle_peer, NULL };

static const struct mr_bench_row rows[] = {
	{
	    .name = "start-up",
	    .unit = "milliseconds",
	    .doc = "from the start of the process until it forwards",
	    .config =
		"millrace run, a bridge of two null ports; testpmd io over net_null, until its "
		"ports have started",
	    .param = START_UP,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = start_up,
	    .peers = start_peers,
	},
	{
	    .name = "idle-cpu",
	    .unit = "percent",
	    .doc = "of one core, all threads, while nothing arrives",
	    .config = "millrace run, a bridge of two null ports at which nothing arrives; testpmd "
		      "io over net_null with no-rx",
	    .param = IDLE_CPU,
	    .window_ms = 300,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = idle_cpu,
	    .peers = idle_peers,
	},
};

const struct mr_bench_family mr_bench_family_process = { "process", rows, MR_ARRAY_COUNT(rows) };
