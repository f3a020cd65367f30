/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: passed on from the control socket as they come, or compared, prefix by prefix,
 * with what another program says it has.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/outside.h"
#include "cmd/show.h"

#define SHOWN_MAX 1000u /* differences that are printed */

static void
target_of(const struct mr_cmd_args *args, const char *form, char *target, size_t size)
{
	snprintf(target, size, "/state/router/routes");
	mr_client_param(target, size, "form", form);
	if (mr_cmd_given(args, "vrf"))
		mr_client_param(target, size, "router", mr_cmd_value(args, "vrf"));
	if (mr_cmd_given(args, "family"))
		mr_client_param(target, size, "family", mr_cmd_value(args, "family"));
	if (args->word_count > 1)
		mr_client_param(target, size, "prefix", args->words[1]);
}

static int
complain(const char *text)
{
	fprintf(stderr, "millrace show routes: %s\n", text);
	return MR_EXIT_FAILED;
}

/* -- against another program's routes ----------------------------------------------------- */

struct comparison {
	struct outside outside;
	const char *source; /* whose routes the other side must have; null: fpm and kernel */
	bool families[2];   /* IPv4, IPv6: those that are compared */
	uint64_t ours, differences;
};

static void
differ(struct comparison *c, const struct outside_route *r, const char *ours, const char *theirs)
{
	char address[INET6_ADDRSTRLEN];

	if (c->differences++ >= SHOWN_MAX)
		return;
	inet_ntop(r->family == 4 ? AF_INET : AF_INET6, r->prefix, address, sizeof(address));
	printf("%s/%u: here %s, there %s\n", address, r->len, ours, theirs);
}

/* "10.1.0.1%lan1,%lan2" to "10.1.0.1,%lan2": names of interfaces may differ, and say nothing new
 * where there is an address. */
static char *
our_ways(char *text)
{
	const char *ways[OUTSIDE_WAYS_MAX];
	unsigned count = 0;
	char *rest, *way;

	for (way = strtok_r(text, ",", &rest); way; way = strtok_r(NULL, ",", &rest)) {
		char *percent = strchr(way, '%');

		if (percent && percent != way)
			*percent = 0;
		if (count < OUTSIDE_WAYS_MAX)
			ways[count++] = way;
	}
	return outside_ways(ways, count);
}

static bool
must_be_there(const struct comparison *c, const char *source)
{
	if (c->source)
		return strcmp(source, c->source) == 0;
	return strcmp(source, "fpm") == 0 || strcmp(source, "kernel") == 0;
}

/* "prefix source ways" */
static void
compare_line(struct comparison *c, char *line)
{
	char *rest, *prefix = strtok_r(line, " ", &rest), *source = strtok_r(NULL, " ", &rest);
	char *text = strtok_r(NULL, " ", &rest), *ways;
	struct outside_route ours, *theirs;

	if (!prefix || !source || !text || !outside_prefix(prefix, 0, &ours))
		return;
	theirs = outside_find(&c->outside, ours.family, ours.prefix, ours.len);
	if (theirs)
		theirs->seen = true;
	if (!must_be_there(c, source))
		return;
	if (!c->families[ours.family == 6])
		return;
	c->ours++;
	ways = our_ways(text);
	if (ways && !theirs)
		differ(c, &ours, ways, "nothing");
	else if (ways && strcmp(ways, theirs->ways) != 0)
		differ(c, &ours, ways, theirs->ways);
	free(ways);
}

static int
compare_all(struct comparison *c, struct mr_client *client)
{
	char line[65536];
	size_t used = 0, from;
	char *end;
	long n;

	while ((n = mr_client_read(client, line + used, sizeof(line) - used)) != 0) {
		if (n == -EINTR)
			continue;
		if (n < 0)
			return complain("the answer broke off");
		used += (size_t)n;
		for (from = 0; (end = memchr(line + from, '\n', used - from)) != NULL;
		     from = (size_t)(end - line) + 1) {
			*end = 0;
			compare_line(c, line + from);
		}
		memmove(line, line + from, used - from);
		used -= from;
		if (used == sizeof(line))
			return complain("an answer that is too long");
	}
	for (size_t i = 0; i < c->outside.count; i++) {
		const struct outside_route *r = &c->outside.routes[i];

		if (!r->seen && !r->ignorable && c->families[r->family == 6])
			differ(c, r, "nothing", *r->ways ? r->ways : "something");
	}
	return MR_EXIT_OK;
}

/* Those asked for; else those that the file has, since many programs print one at a time. */
static void
choose_families(struct comparison *c, const char *family)
{
	for (size_t i = 0; i < c->outside.count && !family; i++)
		c->families[c->outside.routes[i].family == 6] = true;
	if (!family && c->outside.count)
		return;
	c->families[0] = !family || strcmp(family, "4") == 0;
	c->families[1] = !family || strcmp(family, "6") == 0;
}

static int
compare(const struct mr_cmd_args *args)
{
	struct comparison c = { .source = mr_cmd_value(args, "source") };
	const char *path = mr_cmd_value(args, "against"), *family = mr_cmd_value(args, "family");
	FILE *file;
	struct mr_client client;
	struct mr_error error;
	char target[1024], text[640];
	int status, rc;

	if (args->word_count > 1) {
		fprintf(stderr, "millrace show routes: --against compares all routes\n");
		return MR_EXIT_USAGE;
	}
	file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	if (!file) {
		snprintf(text, sizeof(text), "%s: %s", path, strerror(errno));
		return complain(text);
	}
	rc = outside_read(&c.outside, file, family ? (unsigned)atoi(family) : 0, &error);
	if (file != stdin)
		fclose(file);
	if (rc) {
		snprintf(text, sizeof(text), "%s: %s", path, error.text);
		return complain(text);
	}
	choose_families(&c, family);
	target_of(args, "ways", target, sizeof(target));
	if (mr_client_get(&client, mr_cmd_value(args, "socket"), target, &error)) {
		status = complain(error.text);
	} else {
		status = compare_all(&c, &client);
		mr_client_close(&client);
	}
	if (status == MR_EXIT_OK) {
		printf("%llu routes here, %zu there, %llu differences\n",
		    (unsigned long long)c.ours, c.outside.count, (unsigned long long)c.differences);
		status = c.differences ? MR_EXIT_FAILED : MR_EXIT_OK;
	}
	outside_free(&c.outside);
	return status;
}

int
mr_show_routes(const struct mr_cmd_args *args)
{
	char target[1024];
	bool array = mr_cmd_given(args, "json") && !mr_cmd_given(args, "diff") &&
	    !mr_cmd_given(args, "count");
	uint64_t bytes;
	int status;

	if (mr_cmd_given(args, "against"))
		return compare(args);
	target_of(args,
	    mr_cmd_given(args, "diff")        ? "diff"
		: mr_cmd_given(args, "count") ? "count"
		: mr_cmd_given(args, "json")  ? "json"
					      : "text",
	    target, sizeof(target));
	if (mr_cmd_given(args, "source"))
		mr_client_param(target, sizeof(target), "source", mr_cmd_value(args, "source"));
	status = mr_show_pass_on(args, "routes", target, array, &bytes);
	if (status == MR_EXIT_OK && mr_cmd_given(args, "diff") && bytes > 0)
		return MR_EXIT_FAILED;
	if (status == MR_EXIT_OK && mr_cmd_given(args, "diff"))
		printf("the FIB is what the routes ask for\n");
	else if (status == MR_EXIT_OK && bytes == 0 && !mr_cmd_given(args, "json"))
		printf("no routes\n");
	return status;
}
