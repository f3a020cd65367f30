/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/render.h"
#include "cmd/show.h"
#include "kit/base/suggest.h"
#include "control/service.h"
#include "nf/nf.h"

static const struct mr_cmd_option options[] = {
	{ .name = "json", .doc = "as JSON, names and numbers as the model has them" },
	{ .name = "all", .letter = 'a', .doc = "zeros, and what is seldom asked for, as well" },
	{ .name = "vrf",
	    .value = "NAME",
	    .doc = "routes: of this router only",
	    .complete = "@router" },
	{ .name = "source",
	    .value = "NAME|ADDRESS",
	    .doc = "routes: from there only; connections: begun by this address or prefix",
	    .complete = "local|connected|neighbor|static|fpm|kernel" },
	{ .name = "family", .value = "4|6", .doc = "routes: IPv4 or IPv6 only", .complete = "4|6" },
	{ .name = "count", .doc = "long lists: how many there are" },
	{ .name = "diff", .doc = "routes: where the FIB is not what the routes ask for" },
	{ .name = "against",
	    .value = "FILE",
	    .doc = "routes: compare with FILE, of ip route, FRR or BIRD (-: standard input)",
	    .complete = "@file" },
	{ .name = "protocol",
	    .value = "NAME",
	    .doc = "connections, nat-sessions, nat64-sessions, flows: of this protocol only",
	    .complete = "tcp|udp|icmp|icmpv6|sctp|gre|esp" },
	{ .name = "destination",
	    .value = "ADDRESS",
	    .doc = "connections: to this address or prefix only" },
	{ .name = "address",
	    .value = "ADDRESS",
	    .doc = "connections, nat-sessions, nat64-sessions, flows: with this end, any of them" },
	{ .name = "port",
	    .value = "NUMBER",
	    .doc = "connections, nat-sessions, nat64-sessions, flows: with this port, at any end" },
	{ .name = "interface",
	    .letter = 'i',
	    .value = "NAME",
	    .doc = "flows: that come in there",
	    .complete = "@interface" },
	{ .name = "top", .value = "N", .doc = "flows: so many only, the largest first" },
	{ .name = "by",
	    .value = "WHAT",
	    .doc = "flows: what makes one large",
	    .complete = "packets|bytes|rate" },
	{ .name = "flow",
	    .value = "WORKER:INDEX",
	    .doc = "flows, path: this one (its number in show flows --json, drops and explain)" },
	{ .name = "program", .doc = "flows: what is done to their packets, too" },
	{ .name = "instance",
	    .value = "NAME",
	    .doc = "nat-sessions, nat64-sessions: of this instance only" },
	{ .name = "zone", .value = "NAME", .doc = "connections: of this zone only" },
	{ .name = "state",
	    .value = "NAME",
	    .doc = "connections: in this state only",
	    .complete =
		"syn-sent|syn-recv|established|fin-wait|close-wait|last-ack|time-wait|close|"
		"syn-sent2|unreplied|replied|assured" },
	{ .name = "service", .value = "NAME", .doc = "lb-connections: of this service only" },
	{ .name = "backend", .value = "NAME", .doc = "lb-connections: of this server only" },
	{ .name = "client",
	    .value = "ADDRESS",
	    .doc = "lb-connections: of this address or prefix only" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

/* What stands in the process's own state is asked for by the name of its part. */
static const char *const system_parts[] = { "node", "drop", "worker", "packets", "memory",
	"plugin" };

/* One thing that can be asked for. */
struct what {
	const char *function;                /* "system" for its parts */
	const char *part;                    /* null: all of it */
	const struct mr_nf_listing *listing; /* a stream, not a part of the state */
	bool service;                        /* there is one of it */
};

/* The n-th service that shows something. */
static const struct mr_service *
service_at(unsigned n)
{
	for (unsigned i = 0; mr_service_list[i]; i++)
		if (mr_service_list[i]->show && n-- == 0)
			return mr_service_list[i];
	return NULL;
}

static const char *
name_of(const struct what *w)
{
	return w->part ? w->part : w->function;
}

/* The n-th, or false past the last. */
static bool
what_at(unsigned n, struct what *w)
{
	const struct mr_nf *nf;
	unsigned functions = 0;

	while (mr_nf_list[functions])
		functions++;
	if (n < functions) {
		*w = (struct what){ .function = mr_nf_list[n]->name };
		return true;
	}
	n -= functions;
	*w = (struct what){ .function = "system" };
	if (n > 0 && n <= MR_ARRAY_COUNT(system_parts))
		w->part = system_parts[n - 1];
	if (n <= MR_ARRAY_COUNT(system_parts))
		return true;
	n -= (unsigned)MR_ARRAY_COUNT(system_parts) + 1;
	if (service_at(n)) {
		*w = (struct what){ .function = service_at(n)->name, .service = true };
		return true;
	}
	for (functions = 0; service_at(functions);)
		functions++;
	w->listing = mr_nf_listing_at(n - functions, &nf);
	if (!w->listing)
		return false;
	w->function = nf->name;
	w->part = w->listing->name;
	return true;
}

/* As people say it: "interfaces", but "packets", "memory" and "system". */
static void
plural(const struct what *w, char *text, size_t size)
{
	const char *name = name_of(w);
	bool one = w->service || !strcmp(name, "system") || !strcmp(name, "memory") ||
	    !strcmp(name, "conntrack") || name[strlen(name) - 1] == 's';

	snprintf(text, size, "%s%s", name, one ? "" : "s");
}

bool
mr_cmd_show_what(unsigned n, char *text, size_t size)
{
	struct what w;

	if (what_at(n, &w)) {
		plural(&w, text, size);
		return true;
	}
	/* No part of the state. */
	if (n && !what_at(n - 1, &w))
		return false;
	snprintf(text, size, "path");
	return true;
}

static bool
find_what(const char *word, struct what *w)
{
	char text[64];

	for (unsigned n = 0; what_at(n, w); n++) {
		plural(w, text, sizeof(text));
		if (strcmp(word, text) == 0 || strcmp(word, name_of(w)) == 0)
			return true;
	}
	return false;
}

bool
mr_cmd_show_find(const char *word, const char **function, const char **part)
{
	struct what w;

	if (!find_what(word, &w))
		return false;
	*function = w.function;
	*part = w.part;
	return true;
}

static int
unknown(const char *word)
{
	struct mr_suggest near = { .word = word };
	static char names[128][64]; /* what mr_suggest points into */
	unsigned count = 0;

	while (count < MR_ARRAY_COUNT(names) &&
	    mr_cmd_show_what(count, names[count], sizeof(names[0])))
		mr_suggest_try(&near, names[count++]);
	fprintf(stderr, "millrace show: there is no \"%s\"", word);
	if (mr_suggest_best(&near))
		fprintf(stderr, "; did you mean \"%s\"?", mr_suggest_best(&near));
	fprintf(stderr, "\nwhat there is:");
	for (unsigned i = 0; i < count; i++)
		fprintf(stderr, " %s", names[i]);
	fputc('\n', stderr);
	return MR_EXIT_USAGE;
}

/* Of a list, the entry whose first key is `name`. */
static json_t *
entry_of(json_t *list, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		void *first = json_object_iter(row);
		const char *key = first ? json_string_value(json_object_iter_value(first)) : NULL;

		if (key && strcmp(key, name) == 0)
			return row;
	}
	return NULL;
}

static int
print_part(const struct mr_cmd_args *args, const char *name, json_t *part)
{
	json_t *entry = NULL;

	if (args->word_count > 1) {
		entry = entry_of(part, args->words[1]);
		if (!entry) {
			fprintf(stderr, "millrace show: there is no %s \"%s\"\n", name,
			    args->words[1]);
			return MR_EXIT_FAILED;
		}
		part = entry;
	}
	if (mr_cmd_given(args, "json")) {
		json_dumpf(part, stdout,
		    JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
		putchar('\n');
		return MR_EXIT_OK;
	}
	if ((json_is_array(part) && json_array_size(part) == 0) ||
	    (json_is_object(part) && json_object_size(part) == 0))
		printf("no %s\n", args->words[0]);
	else
		mr_render(stdout, name, part, mr_cmd_given(args, "all") || entry);
	return MR_EXIT_OK;
}

static int
show_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	struct mr_error error;
	struct what what;
	char target[256];
	char *text = NULL;
	json_t *root, *value;
	size_t size;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 1, 2, &args, &status))
		return status;
	if (strcmp(args.words[0], "path") == 0)
		return mr_show_path(&args);
	if (!find_what(args.words[0], &what))
		return unknown(args.words[0]);
	if (what.part && strcmp(what.part, "routes") == 0)
		return mr_show_routes(&args);
	if (what.listing)
		return mr_show_listing(&args, what.function, what.listing);
	snprintf(target, sizeof(target), "/state/%s", what.function);
	if (mr_client_fetch(mr_cmd_value(&args, "socket"), target, &text, &size, &error)) {
		fprintf(stderr, "millrace show: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	root = json_loadb(text, size, 0, NULL);
	free(text);
	value = json_object_get(root, what.function);
	if (what.part)
		value = json_object_get(value, what.part);
	if (!root) {
		fprintf(stderr, "millrace show: the answer is not JSON\n");
		status = MR_EXIT_FAILED;
	} else {
		json_t *none = value ? NULL : json_array();

		status = print_part(&args, name_of(&what), value ? value : none);
		json_decref(none);
	}
	json_decref(root);
	return status;
}

const struct mr_cmd mr_cmd_show = {
	.name = "show",
	.summary = "show the state of the running data plane",
	.usage = "WHAT [NAME]",
	.help =
	    "WHAT is interfaces, bridges (or another function's name), nodes, drops, workers,\n"
	    "plugins, packets, memory, system, metrics, telemetry, or a long list: routes,\n"
	    "connections, flows and the like. With NAME only that one, in full. Columns and rows "
	    "of\n"
	    "zeros are left out, and what is seldom asked for; --all shows them.\n"
	    "\n"
	    "routes take an address (its longest match and all less specific) or a prefix (it\n"
	    "and all more specific). --diff says where the FIB is not what the routes ask for,\n"
	    "--against where they are not what FILE has: the output of ip route (-j too), of "
	    "FRR's\n"
	    "\"show ip route json\", of BIRD's \"show route\". Both exit with 1 if there is any.\n"
	    "\n"
	    "Of the other long lists, connections, nat-sessions, nat64-sessions and flows (of the\n"
	    "flow lane) take an address of any end, lb-connections the client's, and each its\n"
	    "options.\n"
	    "\n"
	    "  millrace show interfaces\n"
	    "  millrace show bridge br0\n"
	    "  millrace show drops --json\n"
	    "  millrace show routes 192.0.2.1\n"
	    "  millrace show routes --vrf main --source fpm --count\n"
	    "  millrace show connections 192.0.2.1 --protocol tcp --state established\n"
	    "  millrace show nat-sessions 10.0.0.5 --protocol udp\n"
	    "path is the way that running flows go, node by node, there and back, with what each\n"
	    "node has of them now (connection, session, server): of --flow, or of the largest\n"
	    "(--top N of them) with this address, --protocol, --port and --interface.\n"
	    "\n"
	    "  millrace show path 10.0.0.5 --protocol tcp --port 443\n"
	    "  millrace show flows --top 10 --by bytes --program\n"
	    "  vtysh -c 'show ip route json' | millrace show routes --against -",
	.options = options,
	.complete = "@what",
	.run = show_run,
};
