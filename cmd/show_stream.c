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

/* A list whose filters are options; the word behind its name stands for `word`. */
static int
show_list(const struct mr_cmd_args *args, const char *what, const char *path,
    const char *const *filters, unsigned filter_count, const char *word)
{
	bool count = mr_cmd_given(args, "count"), json = mr_cmd_given(args, "json") && !count;
	char target[1024];
	uint64_t bytes;
	int status;

	snprintf(target, sizeof(target), "%s", path);
	mr_client_param(target, sizeof(target), "form", count ? "count" : json ? "json" : "text");
	for (unsigned i = 0; i < filter_count; i++)
		if (mr_cmd_given(args, filters[i]))
			mr_client_param(target, sizeof(target), filters[i],
			    mr_cmd_value(args, filters[i]));
	if (args->word_count > 1)
		mr_client_param(target, sizeof(target), word, args->words[1]);
	status = mr_show_pass_on(args, what, target, json, &bytes);
	if (status == MR_EXIT_OK && bytes == 0 && !json)
		printf("no connections\n");
	return status;
}

int
mr_show_connections(const struct mr_cmd_args *args)
{
	static const char *const filters[] = { "protocol", "source", "destination", "address",
		"port", "zone", "state" };

	return show_list(args, "connections", "/state/conntrack/connections", filters,
	    MR_ARRAY_COUNT(filters), "address");
}

int
mr_show_lb_connections(const struct mr_cmd_args *args)
{
	static const char *const filters[] = { "service", "backend", "client" };

	return show_list(args, "lb-connections", "/state/lb/connections", filters,
	    MR_ARRAY_COUNT(filters), "client");
}
