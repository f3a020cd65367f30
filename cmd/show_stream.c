/* SPDX-License-Identifier: Apache-2.0 */
/* What is too long for one answer: passed on from the control socket as it comes. */
#include <errno.h>
#include <stdio.h>

#include "cmd/client.h"
#include "cmd/show.h"

static int
complain(const char *what, const char *text)
{
	fprintf(stderr, "millrace show %s: %s\n", what, text);
	return MR_EXIT_FAILED;
}

/* Prints some of an answer. As an array, it is made of lines that are objects: the end of a line is
 * held back until it is known whether another follows. */
static bool
print_some(const char *text, size_t size, bool array, bool *ended)
{
	if (!array)
		return fwrite(text, 1, size, stdout) == size;
	for (size_t i = 0; i < size; i++) {
		if (*ended)
			fputs(",\n", stdout);
		*ended = text[i] == '\n';
		if (!*ended)
			putchar(text[i]);
	}
	return !ferror(stdout);
}

int
mr_show_pass_on(const struct mr_cmd_args *args, const char *what, const char *target, bool array,
    uint64_t *bytes)
{
	struct mr_client client;
	struct mr_error error;
	char buffer[65536];
	bool ended = false;
	long n;

	*bytes = 0;
	if (mr_client_get(&client, mr_cmd_value(args, "socket"), target, &error))
		return complain(what, error.text);
	if (array)
		putchar('[');
	while ((n = mr_client_read(&client, buffer, sizeof(buffer))) != 0) {
		if (n == -EINTR)
			continue;
		if (n < 0 || !print_some(buffer, (size_t)n, array, &ended))
			break;
		*bytes += (uint64_t)n;
	}
	mr_client_close(&client);
	if (array)
		puts("]");
	return n == 0 ? MR_EXIT_OK : complain(what, "the answer broke off");
}

/* A stream with the filters that were given. */
static int
show_lines(const struct mr_cmd_args *args, const char *what, const char *stream,
    const char *const *filters)
{
	bool count = mr_cmd_given(args, "count"), json = mr_cmd_given(args, "json") && !count;
	char target[1024];
	uint64_t bytes;
	int status;

	snprintf(target, sizeof(target), "%s", stream);
	mr_client_param(target, sizeof(target), "form", count ? "count" : json ? "json" : "text");
	for (; *filters; filters++)
		if (mr_cmd_given(args, *filters))
			mr_client_param(target, sizeof(target), *filters,
			    mr_cmd_value(args, *filters));
	if (args->word_count > 1)
		mr_client_param(target, sizeof(target), "address", args->words[1]);
	status = mr_show_pass_on(args, what, target, json, &bytes);
	if (status == MR_EXIT_OK && bytes == 0 && !json)
		printf("no %s\n", what);
	return status;
}

int
mr_show_connections(const struct mr_cmd_args *args)
{
	static const char *const filters[] = { "protocol", "source", "destination", "address",
		"port", "zone", "state", NULL };

	return show_lines(args, "connections", "/state/conntrack/connections", filters);
}

int
mr_show_nat_sessions(const struct mr_cmd_args *args)
{
	static const char *const filters[] = { "instance", "protocol", "address", "port", NULL };

	return show_lines(args, "nat-sessions", "/state/nat/sessions", filters);
}

int
mr_show_lb_connections(const struct mr_cmd_args *args)
{
	static const char *const filters[] = { "service", "backend", "address", NULL };

	return show_lines(args, "lb-connections", "/state/lb/connections", filters);
}
