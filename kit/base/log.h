/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_LOG_H
#define MR_KIT_BASE_LOG_H

/*
 * Lines for the operator. A log is a value that is passed in, never a global: a
 * level and a sink, which gets one finished line per call. A null log is silent.
 * Bytes that are not printable ASCII or UTF-8 text (newlines and escape sequences in
 * a name that came from outside) are written as \xNN, so that one call is one line.
 *
 * Ownership: the caller's; `user` must outlive the log's use.
 * Threads: mr_log may be called from any thread; a sink writes a line with one
 * call, so that lines do not mix. Change the level only before sharing (or see
 * mr_log_set_level). Not for the data path: what happens per packet is counted
 * (kit/base/counter.h), what happens in bursts is limited (struct mr_log_limit).
 * Errors: none; what cannot be written is lost.
 */

#include <stdarg.h>

#include "kit/base/def.h"

enum mr_log_level {
	MR_LOG_ERROR,   /* something asked for does not work */
	MR_LOG_WARNING, /* it works, but not as one would wish */
	MR_LOG_NOTICE,  /* what an operator wants to see by default */
	MR_LOG_INFO,
	MR_LOG_DEBUG,
};

#define MR_LOG_LINE_MAX 1024 /* longer lines are cut and end in "..." */

/* `line` is `len` bytes without a newline, followed by a zero byte. */
typedef void mr_log_sink(void *user, enum mr_log_level level, const char *line, size_t len);

struct mr_log {
	mr_log_sink *sink;
	void *user;
	_Atomic int level; /* enum mr_log_level: the chattiest that is written */
};

/* A log on a file descriptor that must stay open. Lines look
 *   - on a terminal:                    "millrace: port lan1 up"
 *   - in a file or pipe:                "2026-01-31T12:00:00.123Z notice: port lan1 up"
 *   - in systemd's journal (the descriptor is the one that JOURNAL_STREAM names):
 *                                       "<5>port lan1 up"
 * Errors and warnings say so in the first two. */
MR_API void mr_log_init_fd(struct mr_log *, int fd, enum mr_log_level level);

mr_inline void
mr_log_set_level(struct mr_log *log, enum mr_log_level level)
{
	/* Relaxed: which lines appear is all that depends on it. */
	atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

mr_inline bool
mr_log_enabled(const struct mr_log *log, enum mr_log_level level)
{
	return log && log->sink &&
	    (int)level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

MR_API void mr_log(const struct mr_log *, enum mr_log_level, const char *fmt, ...) mr_printf(3, 4);
MR_API void mr_log_va(const struct mr_log *, enum mr_log_level, const char *fmt, va_list)
    mr_printf(3, 0);

/* "error" ... "debug"; null for another number. */
MR_API const char *mr_log_level_name(enum mr_log_level);
/* Its inverse; -1 for an unknown name. */
MR_API int mr_log_level_parse(const char *name);

/* Lets `burst` lines through at once and one more every `interval_ns` after; says
 * how many it held back since. Zero `tat` and `held` to start. Any thread. */
struct mr_log_limit {
	uint64_t interval_ns;
	uint32_t burst;
	_Atomic uint32_t held;
	_Atomic uint64_t tat; /* theoretical arrival time of the next line (GCRA) */
};

/* True: write the line; *held (may be null) is how many were held back before it. */
MR_API bool mr_log_allow(struct mr_log_limit *, uint64_t now_ns, uint32_t *held);

#endif
