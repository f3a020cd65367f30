/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_WAIT_H
#define MR_CMD_WAIT_H

/*
 * How a verb that goes on for a while waits: for bytes, for the end of a time, for
 * ^C. Signals come as a descriptor, so that none is lost between two calls.
 *
 * Ownership: the caller's; mr_wait_end gives the signals back.
 * Threads: begin before other threads are made, which then leave these signals alone.
 * Errors: begin returns -errno.
 */

#include <signal.h>

#include "kit/base/def.h"

struct mr_wait {
	int signals;
	sigset_t before;
	int64_t deadline_ms; /* on the clock of mr_wait_now; 0: none */
};

enum mr_waited {
	MR_WAITED_READY,   /* `fd` can be read, or written */
	MR_WAITED_TIME,    /* the time given, or the deadline, is over */
	MR_WAITED_SIGNAL,  /* SIGINT, SIGTERM or SIGHUP: end */
	MR_WAITED_RESIZED, /* SIGWINCH: the terminal has another size */
	MR_WAITED_CLOSED,  /* nobody reads `out` any more */
};

int mr_wait_begin(struct mr_wait *, uint64_t seconds); /* 0: no deadline */
void mr_wait_end(struct mr_wait *);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t mr_wait_now(void);

/* fd or out -1: not looked at. milliseconds -1: until something happens. */
enum mr_waited mr_wait(struct mr_wait *, int fd, int out, int64_t milliseconds);

/* Until `out`, a pipe, takes PIPE_BUF bytes without blocking, or a signal comes. */
enum mr_waited mr_wait_write(struct mr_wait *, int out);

#endif
