/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Follows real packets through the running graph: asks the control server for
 * recordings and prints each as it comes.
 */

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/trace_print.h"
#include "cmd/wait.h"

static const struct mr_cmd_option options[] = {
	{ .name = "interface",
	    .letter = 'i',
	    .value = "NAME",
	    .doc = "only packets received on this one",
	    .complete = "@interface" },
	{ .name = "count", .letter = 'c', .value = "N", .doc = "how many packets (10)" },
	{ .name = "timeout", .letter = 't', .value = "S", .doc = "give up after so many seconds" },
	{ .name = "all", .letter = 'a', .doc = "what serves the flow lane as well" },
	{ .name = "json", .doc = "one JSON object a line, with everything" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

struct follower {
	struct mr_client client;
	struct mr_wait wait;
	bool json;
	unsigned options; /* enum mr_trace_option */
	uint64_t wanted, seen;
	char *line; /* the beginning of the next one */
	size_t used, room;
};

static void
print_line(struct follower *f, const char *line, size_t len)
{
	json_t *recording;

	f->seen++;
	if (f->json) {
		fwrite(line, 1, len, stdout);
		putchar('\n');
	} else {
		recording = json_loadb(line, len, 0, NULL);
		mr_trace_print(stdout, recording, f->options);
		json_decref(recording);
	}
	fflush(stdout);
}

static void
print_lines(struct follower *f)
{
	size_t from = 0;
	char *end;

	while ((end = memchr(f->line + from, '\n', f->used - from)) != NULL) {
		size_t len = (size_t)(end - f->line) - from;

		print_line(f, f->line + from, len);
		from += len + 1;
	}
	memmove(f->line, f->line + from, f->used - from);
	f->used -= from;
}

/* Returns an exit status. */
static int
follow(struct follower *f)
{
	enum mr_waited waited = MR_WAITED_READY;
	long n = 1;

	while (n > 0 && f->seen < f->wanted) {
		if (f->used == f->room) {
			char *grown = realloc(f->line, f->room + 65536);

			if (!grown) {
				fprintf(stderr, "millrace trace: no memory\n");
				return MR_EXIT_FAILED;
			}
			f->line = grown;
			f->room += 65536;
		}
		if (!mr_client_ready(&f->client))
			waited = mr_wait(&f->wait, f->client.fd, STDOUT_FILENO, -1);
		if (waited != MR_WAITED_READY && waited != MR_WAITED_RESIZED)
			break;
		if (waited == MR_WAITED_RESIZED)
			continue;
		n = mr_client_read(&f->client, f->line + f->used, f->room - f->used);
		if (n <= 0)
			break;
		f->used += (size_t)n;
		print_lines(f);
	}
	if (f->seen < f->wanted)
		fprintf(stderr, "%s%llu of %llu packets seen\n", n <= 0 ? "millrace ended; " : "",
		    (unsigned long long)f->seen, (unsigned long long)f->wanted);
	if (n <= 0 && f->seen < f->wanted)
		return MR_EXIT_FAILED;
	return waited == MR_WAITED_TIME ? MR_EXIT_FAILED : MR_EXIT_OK;
}

static int
trace_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct follower f = { .wanted = 10 };
	char target[CLIENT_TARGET_MAX] = "/trace", number[24];
	uint64_t seconds = 0;
	struct mr_cmd_args args;
	struct mr_error error;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, MR_CMD_WORDS_MAX, &args, &status))
		return status;
	if (!mr_cmd_uint(&args, "count", 1, 10000, &f.wanted) ||
	    !mr_cmd_uint(&args, "timeout", 1, 1000000, &seconds))
		return MR_EXIT_USAGE;
	f.json = mr_cmd_given(&args, "json");
	f.options = mr_cmd_given(&args, "all") ? MR_TRACE_ALL : 0;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)f.wanted);
	mr_client_param(target, sizeof(target), "count", number);
	if (mr_cmd_given(&args, "interface"))
		mr_client_param(target, sizeof(target), "interface",
		    mr_cmd_value(&args, "interface"));
	mr_client_filter(target, sizeof(target), args.words, args.word_count);
	if (mr_client_get(&f.client, mr_cmd_value(&args, "socket"), target, &error)) {
		fprintf(stderr, "millrace trace: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	if (mr_wait_begin(&f.wait, seconds) == 0)
		status = follow(&f);
	else
		status = MR_EXIT_FAILED;
	mr_wait_end(&f.wait);
	mr_client_close(&f.client);
	free(f.line);
	return status;
}

const struct mr_cmd mr_cmd_trace = {
	.name = "trace",
	.summary = "follow real packets node by node",
	.usage = "[FILTER...]",
	.help = "Prints what happens to the next packets that match FILTER (tcpdump's language):\n"
		"each node they pass and when, what it found and changed, and what became of\n"
		"them. Everything else goes on at full speed. ^C ends it; when the timeout is\n"
		"over before all packets came, the exit status is 1.\n"
		"\n"
		"  millrace trace --count 1 icmp\n"
		"  millrace trace -i h1 tcp port 80 and host 10.8.0.2\n"
		"  millrace trace --json --timeout 5 | jq .packet",
	.options = options,
	.complete =
	    "tcp|udp|icmp|icmp6|arp|ip|ip6|vlan|host|net|port|portrange|ether|src|dst|and|or|not",
	.run = trace_run,
};
