/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Captures packets of the running data plane as pcapng. The control server writes
 * the format; what is done here is to pass on whole blocks only, so that a capture
 * that is broken off is still a good file, and to count.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/wait.h"
#include "kit/packet/pcapng.h"

#define BUFFER_SIZE (1u << 20) /* more than any block */

enum {
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	MISSED_AT = 24, /* in the statistics that our server writes */
};

static const struct mr_cmd_option options[] = {
	{ .name = "interface",
	    .letter = 'i',
	    .value = "NAME",
	    .doc = "only packets received or sent on this one",
	    .complete = "@interface" },
	{ .name = "points",
	    .letter = 'p',
	    .value = "LIST",
	    .doc = "where: some of rx,tx,drop,node (rx,tx,drop)",
	    .complete = "rx|tx|drop|node" },
	{ .name = "node",
	    .letter = 'n',
	    .value = "NAME",
	    .doc = "packets that enter this node of the graph",
	    .complete = "@node" },
	{ .name = "count", .letter = 'c', .value = "N", .doc = "end after so many packets" },
	{ .name = "write",
	    .letter = 'w',
	    .value = "FILE",
	    .doc = "to this file; \"-\", and what is done without: standard output",
	    .complete = "@file" },
	{ .name = "snap",
	    .letter = 's',
	    .value = "B",
	    .doc = "keep so many bytes of each packet (all)" },
	{ .name = "timeout", .letter = 't', .value = "S", .doc = "end after so many seconds" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

struct capture {
	struct mr_client client;
	struct mr_wait wait;
	int out;
	bool pipe; /* it is one */
	uint64_t packets, missed;
	uint8_t *buffer;
	size_t used;
};

/* Into a pipe only as much at a time as it takes, so that ^C works while its reader
 * sleeps. Returns 0, -EINTR for a signal, or -errno. */
static int
write_all(struct capture *c, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		enum mr_waited waited = c->pipe ? mr_wait_write(&c->wait, c->out) : MR_WAITED_READY;
		ssize_t n;

		if (waited != MR_WAITED_READY)
			return waited == MR_WAITED_SIGNAL ? -EINTR : -EPIPE;
		n = write(c->out, bytes, c->pipe ? MR_MIN(len, (size_t)PIPE_BUF) : len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* How many whole blocks' bytes there are at the start of the buffer. */
static size_t
whole_blocks(struct capture *c)
{
	size_t at = 0;

	while (c->used - at >= 12) {
		uint32_t head[2];

		memcpy(head, c->buffer + at, sizeof(head));
		if (head[1] < 12 || head[1] % 4 || head[1] > c->used - at)
			break;
		c->packets += head[0] == BLOCK_PACKET;
		if (head[0] == BLOCK_STATISTICS && head[1] == MR_PCAPNG_STATISTICS_SIZE)
			memcpy(&c->missed, c->buffer + at + MISSED_AT, sizeof(c->missed));
		at += head[1];
	}
	return at;
}

static int
pass_on(struct capture *c)
{
	size_t whole = whole_blocks(c);
	int rc = write_all(c, c->buffer, whole);

	memmove(c->buffer, c->buffer + whole, c->used - whole);
	c->used -= whole;
	return rc;
}

/* Returns an exit status. */
static int
record(struct capture *c, bool endless)
{
	for (;;) {
		enum mr_waited waited = MR_WAITED_READY;
		long n;
		int rc;

		if (!mr_client_ready(&c->client))
			waited = mr_wait(&c->wait, c->client.fd, c->out, -1);
		if (waited == MR_WAITED_RESIZED)
			continue;
		if (waited != MR_WAITED_READY)
			return MR_EXIT_OK;
		n = mr_client_read(&c->client, c->buffer + c->used, BUFFER_SIZE - c->used);
		if (n == 0 && endless)
			fprintf(stderr, "millrace capture: millrace ended\n");
		if (n == 0)
			return endless ? MR_EXIT_FAILED : MR_EXIT_OK;
		if (n < 0) {
			fprintf(stderr, "millrace capture: %s\n", strerror((int)-n));
			return MR_EXIT_FAILED;
		}
		c->used += (size_t)n;
		rc = pass_on(c);
		if (rc == -EPIPE || rc == -EINTR) /* whoever reads it has enough, or we have */
			return MR_EXIT_OK;
		if (rc) {
			fprintf(stderr, "millrace capture: writing: %s\n", strerror(-rc));
			return MR_EXIT_FAILED;
		}
		if (c->used == BUFFER_SIZE) {
			fprintf(stderr, "millrace capture: what comes is not pcapng\n");
			return MR_EXIT_FAILED;
		}
	}
}

static void
say_counts(const struct capture *c)
{
	fprintf(stderr, "%llu packets captured", (unsigned long long)c->packets);
	if (c->missed)
		fprintf(stderr, ", %llu missed: they came faster than they were taken",
		    (unsigned long long)c->missed);
	fputc('\n', stderr);
}

/* The request; false, with a message, when the options make no sense. */
static bool
make_target(const struct mr_cmd_args *args, char *target, size_t size, uint64_t *count,
    uint64_t *seconds)
{
	static const char *const passed[] = { "interface", "points", "node" };
	uint64_t snap = 0;
	char number[24];

	if (!mr_cmd_uint(args, "count", 1, UINT32_MAX, count) ||
	    !mr_cmd_uint(args, "snap", 14, 262144, &snap) ||
	    !mr_cmd_uint(args, "timeout", 1, 1000000, seconds))
		return false;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(passed); i++)
		if (mr_cmd_given(args, passed[i]))
			mr_client_param(target, size, passed[i], mr_cmd_value(args, passed[i]));
	if (*count) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)*count);
		mr_client_param(target, size, "count", number);
	}
	if (snap) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)snap);
		mr_client_param(target, size, "snap", number);
	}
	mr_client_filter(target, size, args->words, args->word_count);
	return true;
}

/* The descriptor to write to, or -1 with a message. */
static int
open_out(const char *path)
{
	int fd;

	if (path && strcmp(path, "-") != 0) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0)
			fprintf(stderr, "millrace capture: %s: %s\n", path, strerror(errno));
		return fd;
	}
	if (!isatty(STDOUT_FILENO))
		return STDOUT_FILENO;
	fprintf(stderr,
	    "millrace capture: a terminal cannot show pcapng: give -w FILE, or pipe it (millrace "
	    "capture | tcpdump -r -)\n");
	return -1;
}

static int
capture_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	char target[CLIENT_TARGET_MAX] = "/capture";
	struct capture c = { .out = -1 };
	uint64_t count = 0, seconds = 0;
	struct mr_cmd_args args;
	struct mr_error error;
	struct stat stat;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, MR_CMD_WORDS_MAX, &args, &status))
		return status;
	if (!make_target(&args, target, sizeof(target), &count, &seconds))
		return MR_EXIT_USAGE;
	/* First the question, so that a bad one leaves an existing file alone. */
	if (mr_client_get(&c.client, mr_cmd_value(&args, "socket"), target, &error)) {
		fprintf(stderr, "millrace capture: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	status = MR_EXIT_FAILED;
	c.out = open_out(mr_cmd_value(&args, "write"));
	c.pipe = c.out >= 0 && fstat(c.out, &stat) == 0 && S_ISFIFO(stat.st_mode);
	c.buffer = malloc(BUFFER_SIZE);
	if (c.out >= 0 && c.buffer && mr_wait_begin(&c.wait, seconds) == 0) {
		status = record(&c, count == 0);
		say_counts(&c);
		mr_wait_end(&c.wait);
	}
	if (c.out >= 0 && close(c.out)) {
		fprintf(stderr, "millrace capture: writing: %s\n", strerror(errno));
		status = MR_EXIT_FAILED;
	}
	mr_client_close(&c.client);
	free(c.buffer);
	return status;
}

const struct mr_cmd mr_cmd_capture = {
	.name = "capture",
	.summary = "capture packets as pcapng, with the reasons of drops",
	.usage = "[FILTER...]",
	.help = "Writes the packets that match FILTER (tcpdump's language) as pcapng, each with\n"
		"its interface and direction; what is dropped says by which node and why, in\n"
		"the packet's comment. A copy of the packets is taken; forwarding goes on.\n"
		"It ends with ^C, after --count packets, or when nobody reads the output.\n"
		"\n"
		"  millrace capture | tcpdump -nr -\n"
		"  millrace capture -i h1 -w h1.pcapng tcp port 80\n"
		"  millrace capture --points drop | tshark -r - -T fields -e frame.comment",
	.options = options,
	.complete =
	    "tcp|udp|icmp|icmp6|arp|ip|ip6|vlan|host|net|port|portrange|ether|src|dst|and|or|not",
	.run = capture_run,
};
