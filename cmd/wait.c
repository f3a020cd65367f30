/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

int64_t
mr_wait_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
mr_wait_begin(struct mr_wait *w, uint64_t seconds)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of write */
	w->deadline_ms = seconds ? mr_wait_now() + (int64_t)seconds * 1000 : 0;
	sigprocmask(SIG_BLOCK, &set, &w->before);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->signals < 0 ? -errno : 0;
}

void
mr_wait_end(struct mr_wait *w)
{
	struct signalfd_siginfo info;

	if (w->signals < 0)
		return;
	while (read(w->signals, &info, sizeof(info)) == sizeof(info)) /* a second ^C */
		;
	close(w->signals);
	w->signals = -1;
	sigprocmask(SIG_SETMASK, &w->before, NULL);
}

enum mr_waited
mr_wait(struct mr_wait *w, int fd, int out, int64_t milliseconds)
{
	int64_t now = mr_wait_now(), end = milliseconds < 0 ? INT64_MAX : now + milliseconds;
	struct signalfd_siginfo info;

	if (w->deadline_ms)
		end = MR_MIN(end, w->deadline_ms);
	for (;;) {
		struct pollfd polled[] = {
			{ .fd = w->signals, .events = POLLIN },
			{ .fd = fd, .events = POLLIN },
			{ .fd = out },
		};
		int64_t left = end - now;
		int timeout =
		    end == INT64_MAX ? -1 : (int)MR_MIN(MR_MAX(left, (int64_t)0), (int64_t)60000);
		int n = poll(polled, MR_ARRAY_COUNT(polled), timeout);

		if (n > 0 && (polled[0].revents & POLLIN) &&
		    read(w->signals, &info, sizeof(info)) == sizeof(info))
			return info.ssi_signo == SIGWINCH ? MR_WAITED_RESIZED : MR_WAITED_SIGNAL;
		if (n > 0 && (polled[2].revents & (POLLERR | POLLNVAL)))
			return MR_WAITED_CLOSED;
		if (n > 0 && polled[1].revents)
			return MR_WAITED_READY;
		now = mr_wait_now();
		if (now >= end)
			return MR_WAITED_TIME;
	}
}

enum mr_waited
mr_wait_write(struct mr_wait *w, int out)
{
	struct signalfd_siginfo info;

	for (;;) {
		struct pollfd polled[] = {
			{ .fd = w->signals, .events = POLLIN },
			{ .fd = out, .events = POLLOUT },
		};
		int n = poll(polled, MR_ARRAY_COUNT(polled), -1);

		if (n > 0 && (polled[0].revents & POLLIN) &&
		    read(w->signals, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo != SIGWINCH)
			return MR_WAITED_SIGNAL;
		if (n > 0 && (polled[1].revents & (POLLERR | POLLNVAL)))
			return MR_WAITED_CLOSED;
		if (n > 0 && (polled[1].revents & POLLOUT))
			return MR_WAITED_READY;
	}
}
