/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The last drops, from the flight recorder of the running millrace: as lines, as a table of reasons,
 * as a capture, or as they come.
 */

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/wait.h"

#define LINE_ROOM 65536u

static const struct mr_cmd_option options[] = {
	{ .name = "node",
	    .letter = 'n',
	    .value = "NAME",
	    .doc = "only what this node of the graph dropped",
	    .complete = "@node" },
	{ .name = "reason",
	    .letter = 'r',
	    .value = "NAME",
	    .doc = "only what was dropped for this reason",
	    .complete = "@reason" },
	{ .name = "interface",
	    .letter = 'i',
	    .value = "NAME",
	    .doc = "only what was received on this one",
	    .complete = "@interface" },
	{ .name = "count", .letter = 'c', .value = "N", .doc = "the last so many (20)" },
	{ .name = "since",
	    .value = "S",
	    .doc = "only of the last so many seconds, or after the drop of this ID" },
	{ .name = "follow", .letter = 'f', .doc = "those to come, until ^C or --count of them" },
	{ .name = "summary",
	    .letter = 's',
	    .doc = "each reason, with its packets and the last one" },
	{ .name = "write",
	    .letter = 'w',
	    .value = "FILE",
	    .doc = "as a capture, with the reasons as comments; \"-\": standard output",
	    .complete = "@file" },
	{ .name = "json", .doc = "one JSON object a line" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static long long
number_of(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/* Two lines: what it was, and why it is no more. */
static void
print_drop(const json_t *o)
{
	const char *at = text_of(o, "at"), *interface = text_of(o, "interface");
	const char *flow = text_of(o, "flow"), *out = text_of(o, "out");
	long long of = number_of(o, "of");

	printf("%s  %s  %s%s%s\n", strchr(at, 'T') ? strchr(at, 'T') + 1 : at, text_of(o, "id"),
	    interface, *interface ? ": " : "", text_of(o, "packet"));
	printf("  dropped by %s: %s (%s)", text_of(o, "node"), text_of(o, "reason"),
	    text_of(o, "why"));
	if (*text_of(o, "whose"))
		printf(", %s", text_of(o, "whose"));
	if (*out)
		printf(", on its way out by %s", out);
	if (*flow)
		printf(", replayed by flow %s", flow);
	if (of > 1)
		printf(", 1 of %lld kept", of);
	putchar('\n');
}

static void
print_reason(const json_t *o)
{
	const char *at = text_of(o, "at");

	printf("%12lld  %s: %s (%s)\n", number_of(o, "packets"), text_of(o, "node"),
	    text_of(o, "reason"), text_of(o, "why"));
	if (*at)
		printf("              last at %s, %s: %s\n", at, text_of(o, "id"),
		    text_of(o, "packet"));
}

struct printing {
	bool json, summary;
	uint64_t lines;
};

static void
print_line(struct printing *p, const char *line, size_t len)
{
	json_t *o;

	p->lines++;
	if (p->json) {
		fwrite(line, 1, len, stdout);
		putchar('\n');
		return;
	}
	o = json_loadb(line, len, 0, NULL);
	if (p->summary)
		print_reason(o);
	else
		print_drop(o);
	json_decref(o);
}

/* Lines as they come, until the server has no more or the user enough. Returns an exit status. */
static int
print_lines(struct mr_client *client, struct printing *p)
{
	struct mr_wait wait;
	char *text = NULL, *end;
	size_t used = 0, room = 0;
	long n = 1;

	if (mr_wait_begin(&wait, 0))
		return MR_EXIT_FAILED;
	while (n > 0) {
		size_t from = 0;

		if (used == room) {
			char *grown = realloc(text, room + LINE_ROOM);

			if (!grown)
				break;
			text = grown;
			room += LINE_ROOM;
		}
		if (!mr_client_ready(client)) {
			enum mr_waited waited = mr_wait(&wait, client->fd, STDOUT_FILENO, -1);

			if (waited == MR_WAITED_RESIZED)
				continue;
			if (waited != MR_WAITED_READY)
				break;
		}
		n = mr_client_read(client, text + used, room - used);
		if (n <= 0)
			break;
		used += (size_t)n;
		while ((end = memchr(text + from, '\n', used - from)) != NULL) {
			print_line(p, text + from, (size_t)(end - text) - from);
			from = (size_t)(end - text) + 1;
		}
		fflush(stdout);
		memmove(text, text + from, used - from);
		used -= from;
	}
	mr_wait_end(&wait);
	free(text);
	if (n < 0)
		fprintf(stderr, "millrace drops: %s\n", strerror((int)-n));
	return n < 0 ? MR_EXIT_FAILED : MR_EXIT_OK;
}

static int
write_capture(struct mr_client *client, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *out = standard ? stdout : fopen(path, "wb");
	char buffer[65536];
	bool good = out != NULL;
	long n = 0;

	if (standard && isatty(STDOUT_FILENO)) {
		fprintf(stderr, "millrace drops: a terminal cannot show pcapng: give a file\n");
		return MR_EXIT_FAILED;
	}
	while (good && (n = mr_client_read(client, buffer, sizeof(buffer))) > 0)
		good = fwrite(buffer, 1, (size_t)n, out) == (size_t)n;
	if (out && (standard ? fflush(out) : fclose(out)))
		good = false;
	if (!good || n < 0)
		fprintf(stderr, "millrace drops: %s: %s\n", path,
		    strerror(n < 0 ? (int)-n : errno));
	return good && n == 0 ? MR_EXIT_OK : MR_EXIT_FAILED;
}

/* The request; false, with a message, when the options make no sense. */
static bool
make_target(const struct mr_cmd_args *args, char *target, size_t size)
{
	static const char *const passed[] = { "node", "reason", "interface", "since" };
	bool follow = mr_cmd_given(args, "follow"), write = mr_cmd_given(args, "write");
	bool summary = mr_cmd_given(args, "summary");
	uint64_t count = follow || write ? 0 : 20;
	char number[24];

	if (follow + write + summary > 1) {
		fprintf(stderr,
		    "millrace drops: --follow, --summary and --write are three things\n");
		return false;
	}
	if (!mr_cmd_uint(args, "count", 1, 1000000, &count))
		return false;
	snprintf(target, size, summary ? "/drops/summary" : "/drops");
	for (unsigned i = 0; i < MR_ARRAY_COUNT(passed); i++)
		if (mr_cmd_given(args, passed[i]))
			mr_client_param(target, size, passed[i], mr_cmd_value(args, passed[i]));
	snprintf(number, sizeof(number), "%llu",
	    (unsigned long long)(count || follow ? count : 1000000));
	mr_client_param(target, size, "count", number);
	if (follow)
		mr_client_param(target, size, "follow", "1");
	if (write)
		mr_client_param(target, size, "format", "pcapng");
	mr_client_filter(target, size, args->words, args->word_count);
	return true;
}

static int
drops_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	char target[CLIENT_TARGET_MAX];
	struct printing p = { 0 };
	struct mr_client client;
	struct mr_cmd_args args;
	struct mr_error error;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, MR_CMD_WORDS_MAX, &args, &status))
		return status;
	if (!make_target(&args, target, sizeof(target)))
		return MR_EXIT_USAGE;
	if (mr_client_get(&client, mr_cmd_value(&args, "socket"), target, &error)) {
		fprintf(stderr, "millrace drops: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	p.json = mr_cmd_given(&args, "json");
	p.summary = mr_cmd_given(&args, "summary");
	if (mr_cmd_given(&args, "write"))
		status = write_capture(&client, mr_cmd_value(&args, "write"));
	else
		status = print_lines(&client, &p);
	if (status == MR_EXIT_OK && !p.lines && !p.json && !mr_cmd_given(&args, "write"))
		fprintf(stderr, "no drops\n");
	mr_client_close(&client);
	return status;
}

const struct mr_cmd mr_cmd_drops = {
	.name = "drops",
	.summary = "the last packets that were dropped, and why",
	.usage = "[FILTER...]",
	.help =
	    "Prints the last drops, which the running millrace has always recorded, with their\n"
	    "packets: when, the drop's ID, where the packet came in, what it was, which node\n"
	    "dropped it and why. FILTER is tcpdump's language. Of a flood a few packets of each\n"
	    "vector are kept (\"1 of N kept\"), and of each node and reason the last four always.\n"
	    "millrace explain --drop ID says how a packet would fare now.\n"
	    "\n"
	    "  millrace drops\n"
	    "  millrace drops --summary\n"
	    "  millrace drops -i lan --since 60 tcp port 443\n"
	    "  millrace drops --follow --reason no-route\n"
	    "  millrace drops -w drops.pcapng",
	.options = options,
	.complete =
	    "tcp|udp|icmp|icmp6|arp|ip|ip6|vlan|host|net|port|portrange|ether|src|dst|and|or|not",
	.run = drops_run,
};
