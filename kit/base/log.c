/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "error", "warning", "notice", "info", "debug" };
/* RFC 5424 severities, which sd-daemon(3) puts in front of a line. */
static const char level_severity[] = { '3', '4', '5', '6', '7' };

const char *
mr_log_level_name(enum mr_log_level level)
{
	return (unsigned)level < MR_ARRAY_COUNT(level_names) ? level_names[level] : NULL;
}

int
mr_log_level_parse(const char *name)
{
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(level_names); i++)
		if (!strcmp(name, level_names[i]))
			return (int)i;
	return -1;
}

/* Bytes of the well-formed UTF-8 character at `s` (RFC 3629), 0 when there is none
 * or it is a control character. The string ends in a zero byte. */
static unsigned
text_len(const unsigned char *s)
{
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if ((s[1] & 0xc0) != 0x80 || s[0] < 0xc2)
		return 0;
	if (s[0] < 0xe0)
		return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : 2; /* U+0080..9F are controls */
	if ((s[2] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xf0)
		return (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ? 0 : 3;
	if ((s[3] & 0xc0) != 0x80 || s[0] > 0xf4)
		return 0;
	return (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90) ? 0 : 4;
}

/* Copies text, what is not text as \xNN; cuts with "..." at MR_LOG_LINE_MAX. */
static size_t
clean_line(char *out, const char *in)
{
	const unsigned char *s = (const unsigned char *)in;
	const size_t room = MR_LOG_LINE_MAX - 4; /* a whole piece, or "..." and the zero */
	size_t used = 0;
	unsigned n;

	while (*s) {
		n = text_len(s);
		if (used + (n ? n : 4) > room) {
			memcpy(out + used, "...", 3);
			used += 3;
			break;
		}
		if (n) {
			memcpy(out + used, s, n);
			used += n;
			s += n;
		} else {
			snprintf(out + used, 5, "\\x%02x", *s++);
			used += 4;
		}
	}
	out[used] = 0;
	return used;
}

void
mr_log_va(const struct mr_log *log, enum mr_log_level level, const char *fmt, va_list args)
{
	char raw[MR_LOG_LINE_MAX], line[MR_LOG_LINE_MAX];
	int saved = errno;
	size_t len;

	if (!mr_log_enabled(log, level))
		return;
	if (vsnprintf(raw, sizeof(raw), fmt, args) >= 0) {
		len = clean_line(line, raw);
		log->sink(log->user, level, line, len);
	}
	errno = saved;
}

void
mr_log(const struct mr_log *log, enum mr_log_level level, const char *fmt, ...)
{
	va_list args;

	if (!mr_log_enabled(log, level))
		return;
	va_start(args, fmt);
	mr_log_va(log, level, fmt, args);
	va_end(args);
}

/* One writev per line: lines of two threads do not mix. */
static void
write_line(int fd, const char *head, size_t head_len, const char *line, size_t len)
{
	struct iovec parts[3] = {
		{ (void *)head, head_len },
		{ (void *)line, len },
		{ (void *)"\n", 1 },
	};
	ssize_t n;

	do
		n = writev(fd, parts, 3);
	while (n < 0 && errno == EINTR);
}

static void
sink_terminal(void *user, enum mr_log_level level, const char *line, size_t len)
{
	char head[32];
	int n;

	if (level <= MR_LOG_WARNING)
		n = snprintf(head, sizeof(head), "millrace: %s: ", level_names[level]);
	else
		n = snprintf(head, sizeof(head), "millrace: ");
	write_line((int)(intptr_t)user, head, (size_t)n, line, len);
}

static void
sink_file(void *user, enum mr_log_level level, const char *line, size_t len)
{
	struct timespec now;
	struct tm tm;
	char head[64];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(head + n, sizeof(head) - n, ".%03ldZ %s: ", now.tv_nsec / 1000000,
	    level_names[level]);
	write_line((int)(intptr_t)user, head, n, line, len);
}

static void
sink_journal(void *user, enum mr_log_level level, const char *line, size_t len)
{
	const char head[3] = { '<', level_severity[level], '>' };

	write_line((int)(intptr_t)user, head, sizeof(head), line, len);
}

/* systemd says which stream is the journal's: "device:inode" (systemd.exec(5)). */
static bool
is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &inode) == 2 && fstat(fd, &st) == 0 &&
	    st.st_dev == dev && st.st_ino == inode;
}

void
mr_log_init_fd(struct mr_log *log, int fd, enum mr_log_level level)
{
	log->user = (void *)(intptr_t)fd;
	log->sink = is_journal(fd) ? sink_journal : isatty(fd) ? sink_terminal : sink_file;
	mr_log_set_level(log, level);
}

bool
mr_log_allow(struct mr_log_limit *limit, uint64_t now, uint32_t *held)
{
	uint64_t tat = atomic_load_explicit(&limit->tat, memory_order_relaxed);
	uint64_t slack = limit->burst ? (limit->burst - 1) * limit->interval_ns : 0;
	uint64_t start;

	/* Relaxed: the limit guards no data, only how often. */
	do {
		start = MR_MAX(tat, now);
		if (start - now > slack) {
			atomic_fetch_add_explicit(&limit->held, 1, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&limit->tat, &tat,
	    start + limit->interval_ns, memory_order_relaxed, memory_order_relaxed));
	start = atomic_exchange_explicit(&limit->held, 0, memory_order_relaxed);
	if (held)
		*held = (uint32_t)start;
	return true;
}
