/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "nf/nat/log/whohad.h"

#define LOG_FILE "/var/log/millrace/nat.log"

static const struct mr_cmd_option options[] = {
	{ .name = "protocol",
	    .letter = 'p',
	    .value = "NAME",
	    .doc = "of this protocol only, where mappings are logged",
	    .complete = "tcp|udp|icmp" },
	{ .name = "within",
	    .value = "SECONDS",
	    .doc = "at any time so near to TIME: clocks differ" },
	{ .name = "log",
	    .value = "FILE",
	    .doc = "this log with its older files, and no running millrace (default: that of the "
		   "running one, else " LOG_FILE ")",
	    .complete = "@file" },
	{ .name = "offline", .doc = "by the files alone: do not ask a running millrace" },
	{ .name = "json", .doc = "as a JSON array" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

static int
complain(const char *text)
{
	fprintf(stderr, "millrace nat: %s\n", text);
	return MR_EXIT_FAILED;
}

static int
usage(const char *what, const char *given)
{
	fprintf(stderr, "millrace nat: \"%s\" is no %s\n", given, what);
	return MR_EXIT_USAGE;
}

/* -- the question ------------------------------------------------------------------------- */

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
read_question(const struct mr_cmd_args *args, struct nat_whohad_question *q)
{
	const char *protocol = mr_cmd_value(args, "protocol"), *port = args->words[2];
	int64_t time = now_ms();
	uint64_t within = 0;
	char *end;
	unsigned long n = strtoul(port, &end, 10);
	int number = 0;

	memset(q, 0, sizeof(*q));
	if (inet_pton(AF_INET, args->words[1], &q->address) != 1)
		return usage("IPv4 address", args->words[1]);
	if (port[0] < '0' || port[0] > '9' || *end || n > 65535)
		return usage("port", port);
	if (args->word_count > 3 && nat_time_parse(&time, args->words[3], strlen(args->words[3])))
		return usage("time such as 2026-11-21T10:05:00Z", args->words[3]);
	if (protocol)
		number = nat_protocol_parse(protocol, strlen(protocol));
	if (number < 0)
		return usage("protocol", protocol);
	if (mr_cmd_given(args, "within") && !mr_cmd_uint(args, "within", 0, UINT32_MAX, &within))
		return MR_EXIT_USAGE;
	q->port = (uint16_t)n;
	q->protocol = (uint8_t)number;
	q->from = time - (int64_t)within * 1000;
	q->to = time + (int64_t)within * 1000;
	return MR_EXIT_OK;
}

/* -- what there is to read ---------------------------------------------------------------- */

/* What a running millrace says: first the path of its log, then who has the port now, as lines of a
 * log. Null: there is none, or it translates nothing. */
static char *
ask(const struct mr_cmd_args *args)
{
	char target[256] = "/state/nat/holders", *text = NULL;
	struct mr_error error;
	size_t size;

	if (mr_cmd_given(args, "offline") ||
	    (mr_cmd_given(args, "log") && !mr_cmd_given(args, "socket")))
		return NULL;
	mr_client_param(target, sizeof(target), "address", args->words[1]);
	mr_client_param(target, sizeof(target), "port", args->words[2]);
	if (mr_client_fetch(mr_cmd_value(args, "socket"), target, &text, &size, &error)) {
		if (mr_cmd_given(args, "socket"))
			(void)complain(error.text);
		return NULL;
	}
	return text;
}

static int
read_all(const struct mr_cmd_args *args, struct nat_whohad *w, const char *said)
{
	const char *path = mr_cmd_value(args, "log");
	char own[1024] = "";
	struct mr_error error;
	uint64_t bad;
	int rc;

	if (said && *said != '{')
		snprintf(own, sizeof(own), "%.*s", (int)strcspn(said, "\n"), said);
	if (!path)
		path = own[0] ? own : LOG_FILE;
	rc = nat_whohad_read(w, path, &error);
	/* Not every translator has a log; a file that was named is there. */
	if (rc && !(rc == -ENOENT && said && !mr_cmd_given(args, "log")))
		return complain(error.text);
	if (nat_whohad_lines(w, &bad) && bad)
		fprintf(stderr, "millrace nat: %s: %llu lines cannot be read\n", path,
		    (unsigned long long)bad);
	while (said && *said) {
		size_t len = strcspn(said, "\n");

		if (*said == '{')
			(void)nat_whohad_line(w, said, len);
		said += len + (said[len] == '\n');
	}
	nat_whohad_seal(w);
	return MR_EXIT_OK;
}

/* -- the answer --------------------------------------------------------------------------- */

struct printer {
	bool json;
	unsigned count;
};

static void
print_json(const struct printer *p, const struct nat_whohad_answer *a, const char *inside)
{
	char from[NAT_TIME_SIZE], to[NAT_TIME_SIZE], protocol[8];

	nat_time_print(a->from, from);
	nat_time_print(a->to == NAT_WHOHAD_NOW ? 0 : a->to, to);
	printf("%s\n  {\"inside\":\"%s\",\"nat\":\"%s\",\"first\":%u,\"last\":%u,",
	    p->count > 1 ? "," : "", inside, a->nat, a->first, a->last);
	if (a->mapping) {
		nat_protocol_print(a->protocol, protocol);
		printf("\"protocol\":\"%s\",\"inside-port\":%u,", protocol, a->inside_port);
	}
	printf("\"from\":");
	printf(a->from ? "\"%s\"" : "null", from);
	printf(",\"to\":");
	printf(a->to == NAT_WHOHAD_NOW ? "null}" : "\"%s\"}", to);
}

static void
print_text(const struct nat_whohad_answer *a, const char *inside)
{
	char from[NAT_TIME_SIZE], to[NAT_TIME_SIZE], protocol[8];

	nat_time_print(a->from, from);
	nat_time_print(a->to == NAT_WHOHAD_NOW ? 0 : a->to, to);
	printf("%s", inside);
	if (a->mapping) {
		nat_protocol_print(a->protocol, protocol);
		printf(" port %u %s", a->inside_port, protocol);
	} else {
		printf(" ports %u-%u", a->first, a->last);
	}
	if (a->from)
		printf(", from %s to %s, nat %s\n", from, a->to == NAT_WHOHAD_NOW ? "now" : to,
		    a->nat);
	else
		printf(", always, nat %s\n", a->nat);
}

static void
print(void *arg, const struct nat_whohad_answer *a)
{
	struct printer *p = arg;
	char inside[INET6_ADDRSTRLEN];

	inet_ntop(a->six ? AF_INET6 : AF_INET, a->inside, inside, sizeof(inside));
	p->count++;
	if (p->json)
		print_json(p, a, inside);
	else
		print_text(a, inside);
}

static int
who(const struct mr_cmd_args *args)
{
	struct printer p = { .json = mr_cmd_given(args, "json") };
	struct nat_whohad_question q;
	struct nat_whohad *w = NULL;
	struct mr_error error;
	char *said;
	int status = read_question(args, &q);

	if (status)
		return status;
	if (nat_whohad_create(&w, &error))
		return complain(error.text);
	nat_whohad_only(w, q.address);
	said = ask(args);
	status = read_all(args, w, said);
	free(said);
	if (!status) {
		if (p.json)
			printf("[");
		(void)nat_whohad_find(w, &q, print, &p);
		if (p.json)
			printf("%s]\n", p.count ? "\n" : "");
		else if (!p.count)
			printf("nobody\n");
		status = p.count ? MR_EXIT_OK : MR_EXIT_FAILED;
	}
	nat_whohad_destroy(w);
	return status;
}

static int
nat_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 3, 4, &args, &status))
		return status;
	if (strcmp(args.words[0], "who") != 0)
		return usage("question; ask: who ADDRESS PORT [TIME]", args.words[0]);
	return who(&args);
}

const struct mr_cmd mr_cmd_nat = {
	.name = "nat",
	.summary = "say who had an outside address and port at a time",
	.usage = "who ADDRESS PORT [TIME]",
	.help = "Looks through the translation log, and asks the running millrace, for the\n"
		"inside address that had this outside address and port at TIME (default: now):\n"
		"2026-11-21T10:05:00Z, with an offset (+01:00), or seconds since 1970. Without\n"
		"an offset, a time is in UTC.\n"
		"\n"
		"Says as many as there were, and fails when there was nobody. Works without a\n"
		"running millrace, on a copy of the files, too.\n"
		"\n"
		"  millrace nat who 203.0.113.8 4711 2026-11-21T10:05:00+01:00\n"
		"  millrace nat who 203.0.113.8 4711 1795255500 --within 30 --json\n"
		"  millrace nat who 203.0.113.8 4711 --log old/nat.log --offline",
	.options = options,
	.complete = "who",
	.run = nat_run,
};
