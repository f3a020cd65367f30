/* SPDX-License-Identifier: Apache-2.0 */

/* What network functions remember, and can be told to forget (struct mr_nf_act in nf/nf.h). */

#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "nf/nf.h"

static const struct mr_cmd_option options[] = {
	{ .name = "protocol",
	    .value = "NAME",
	    .doc = "those of this protocol",
	    .complete = "tcp|udp|icmp|icmpv6|sctp|gre|esp" },
	{ .name = "source", .value = "ADDRESS", .doc = "begun by this address or prefix" },
	{ .name = "destination", .value = "ADDRESS", .doc = "to this address or prefix" },
	{ .name = "address", .value = "ADDRESS", .doc = "with this address or prefix at an end" },
	{ .name = "port", .value = "NUMBER", .doc = "with this port at an end" },
	{ .name = "zone", .value = "NAME", .doc = "of this zone" },
	{ .name = "instance", .value = "NAME", .doc = "of this instance" },
	{ .name = "state",
	    .value = "NAME",
	    .doc = "in this state",
	    .complete =
		"syn-sent|syn-recv|established|fin-wait|close-wait|last-ack|time-wait|close|"
		"syn-sent2|unreplied|replied|assured" },
	{ .name = "json", .doc = "the number as JSON" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to tell",
	    .complete = "@file" },
	{ 0 },
};

static bool
is_filter(const struct mr_cmd_option *o)
{
	return strcmp(o->name, "json") != 0 && strcmp(o->name, "socket") != 0;
}

static bool
is_known(const char *what)
{
	const struct mr_nf_act *a;

	for (unsigned n = 0; (a = mr_nf_act_at(n)) != NULL; n++)
		if (strncmp(a->name, "flush ", 6) == 0 && strcmp(a->name + 6, what) == 0)
			return true;
	return false;
}

static int
unknown(const char *what)
{
	const struct mr_nf_act *a;

	fprintf(stderr, "millrace flush: there is nothing called \"%s\"; there is", what);
	for (unsigned n = 0; (a = mr_nf_act_at(n)) != NULL; n++)
		if (strncmp(a->name, "flush ", 6) == 0)
			fprintf(stderr, " %s", a->name + 6);
	fputc('\n', stderr);
	return MR_EXIT_USAGE;
}

static int
flush_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	struct mr_error error;
	char target[1024], *text, *at, *end;
	unsigned long long sum = 0;
	size_t size;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 1, 2, &args, &status))
		return status;
	if (!is_known(args.words[0]))
		return unknown(args.words[0]);
	snprintf(target, sizeof(target), "/act/flush/%s", args.words[0]);
	for (const struct mr_cmd_option *o = options; o->name; o++)
		if (is_filter(o) && mr_cmd_given(&args, o->name))
			mr_client_param(target, sizeof(target), o->name,
			    mr_cmd_value(&args, o->name));
	if (args.word_count > 1)
		mr_client_param(target, sizeof(target), "address", args.words[1]);
	if (mr_client_post(mr_cmd_value(&args, "socket"), target, "", &text, &size, &error)) {
		fprintf(stderr, "millrace flush: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	/* A line for each piece of the work. */
	for (at = text; *at; at = *end ? end + 1 : end)
		sum += strtoull(at, &end, 10);
	free(text);
	if (mr_cmd_given(&args, "json"))
		printf("{\"flushed\": %llu}\n", sum);
	else
		printf("%llu %s flushed\n", sum, args.words[0]);
	return MR_EXIT_OK;
}

const struct mr_cmd mr_cmd_flush = {
	.name = "flush",
	.summary = "make the running data plane forget connections",
	.usage = "WHAT [ADDRESS]",
	.help =
	    "WHAT is connections: all that fit ADDRESS (either end, or a prefix) and the options.\n"
	    "Without any, all of them. Packets that come afterwards are judged by the rules as if\n"
	    "their connections had not been; what the flow lane knew of them is decided anew.\n"
	    "\n"
	    "  millrace flush connections\n"
	    "  millrace flush connections 192.0.2.1 --protocol tcp\n"
	    "  millrace flush connections --zone tenant1 --state unreplied",
	.options = options,
	.complete = "@act",
	.run = flush_run,
};
