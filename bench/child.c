/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* In the child, between fork and exec: only what is safe there. */
static void
become(char *const argv[], int in, int out, pid_t parent, const struct mr_cpu_set *cpus)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sched_setaffinity(0, sizeof(cpus->bits), (const cpu_set_t *)cpus->bits);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	execvp(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int
open_terminal(int *master, int *slave)
{
	struct termios mode;
	char name[64];

	*slave = -1;
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0)
		return -errno;
	if (grantpt(*master) < 0 || unlockpt(*master) < 0 ||
	    ptsname_r(*master, name, sizeof(name)) != 0)
		return -errno;
	*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0 || tcgetattr(*slave, &mode) < 0)
		return -errno;
	cfmakeraw(&mode); /* no echo, no changed line ends */
	return tcsetattr(*slave, TCSANOW, &mode) < 0 ? -errno : 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int
mr_bench_child_start(struct mr_bench_child *c, char *const argv[], bool terminal,
    const struct mr_cpu_set *cpus, struct mr_error *error)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, rc = 0;
	pid_t parent = getpid();

	memset(c, 0, sizeof(*c));
	c->in = c->out = -1;
	if (terminal) {
		rc = open_terminal(&in[1], &in[0]);
		out[0] = rc < 0 ? -1 : fcntl(in[1], F_DUPFD_CLOEXEC, 0);
		out[1] = rc < 0 ? -1 : fcntl(in[0], F_DUPFD_CLOEXEC, 0);
		if (rc == 0 && (out[0] < 0 || out[1] < 0))
			rc = -errno;
	} else if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
		rc = -errno;
	}
	if (rc == 0) {
		c->pid = fork();
		if (c->pid == 0)
			become(argv, in[0], out[1], parent, cpus);
		if (c->pid < 0)
			rc = -errno;
	}
	close_fd(&in[0]);
	close_fd(&out[1]);
	if (rc < 0) {
		c->pid = 0;
		close_fd(&in[1]);
		close_fd(&out[0]);
		return mr_error_set(error, rc, "start %s: %s", argv[0], strerror(-rc));
	}
	c->in = in[1];
	c->out = out[0];
	return 0;
}

int
mr_bench_child_send(struct mr_bench_child *c, const char *text, struct mr_error *error)
{
	size_t len = strlen(text);
	ssize_t n;

	/* A child that is gone must not end us by SIGPIPE. */
	signal(SIGPIPE, SIG_IGN);
	while (len) {
		n = write(c->in, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mr_error_set(error, -errno, "it ended, saying \"%s\"", c->last);
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* More bytes into the buffer: 1, or 0 at the end, or -ETIMEDOUT. */
static int
fill(struct mr_bench_child *c, int64_t deadline)
{
	struct pollfd p = { c->out, POLLIN, 0 };
	int64_t left;
	ssize_t n;

	for (;;) {
		left = deadline - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(c->out, c->buffer, sizeof(c->buffer));
		if (n < 0 && errno == EINTR)
			continue;
		c->used = 0;
		c->have = n > 0 ? (size_t)n : 0; /* a terminal's other end closes with EIO */
		return n > 0;
	}
}

int
mr_bench_child_expect(struct mr_bench_child *c, const char *wanted, char *line, size_t size,
    int timeout_ms, struct mr_error *error)
{
	int64_t deadline = now_ms() + timeout_ms;
	char text[512];
	size_t len = 0;
	int rc = 1;
	char byte;

	for (;;) {
		if (c->used == c->have) {
			rc = fill(c, deadline);
			if (rc <= 0)
				break;
		}
		byte = c->buffer[c->used++];
		if (byte != '\n' && byte != '\r') {
			if (len < sizeof(text) - 1)
				text[len++] = byte;
			continue;
		}
		text[len] = 0;
		len = 0;
		if (!*text)
			continue;
		snprintf(c->last, sizeof(c->last), "%s", text);
		if (strstr(text, wanted)) {
			snprintf(line, size, "%s", text);
			return 0;
		}
	}
	if (rc < 0)
		return mr_error_set(error, rc, "no answer in %d ms; it last said \"%s\"",
		    timeout_ms, c->last);
	return mr_error_set(error, -EPIPE, "it ended, saying \"%s\"", c->last);
}

void
mr_bench_child_stop(struct mr_bench_child *c, const char *farewell)
{
	const struct timespec nap = { 0, 10000000 };
	int tries;

	if (c->pid > 0) {
		if (farewell && c->in >= 0)
			mr_bench_child_send(c, farewell, NULL);
		else
			kill(c->pid, SIGTERM);
		for (tries = 0; tries < 100; tries++) {
			if (waitpid(c->pid, NULL, WNOHANG) != 0)
				break;
			if (c->out >= 0) /* let it talk, so that it can end */
				fill(c, now_ms() + 10);
			nanosleep(&nap, NULL);
		}
		if (tries == 100) {
			kill(c->pid, SIGKILL);
			waitpid(c->pid, NULL, 0);
		}
	}
	close_fd(&c->in);
	close_fd(&c->out);
	c->pid = 0;
}
