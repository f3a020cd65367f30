/* SPDX-License-Identifier: Apache-2.0 */
/* What is too long for one answer: passed on from the control socket as it comes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* Options of `show` that are none of any list's filters. */
static bool
is_filter(const char *option)
{
	static const char *const others[] = { "json", "all", "count", "socket", "help" };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(others); i++)
		if (strcmp(option, others[i]) == 0)
			return false;
	return true;
}

int
mr_show_listing(const struct mr_cmd_args *args, const char *function,
    const struct mr_nf_listing *list)
{
	bool count = mr_cmd_given(args, "count"), json = mr_cmd_given(args, "json") && !count;
	char target[1024];
	uint64_t bytes;
	int status;

	snprintf(target, sizeof(target), "/state/%s/%s", function, list->stream);
	mr_client_param(target, sizeof(target), "form", count ? "count" : json ? "json" : "text");
	for (const struct mr_cmd_option *o = mr_cmd_show.options; o->name; o++) {
		const char *value = mr_cmd_value(args, o->name);

		if (!mr_cmd_given(args, o->name) || !is_filter(o->name))
			continue;
		if (!mr_nf_has_filter(list->filters, o->name)) {
			fprintf(stderr, "millrace show %s: has no --%s; there is %s\n", list->name,
			    o->name, list->filters);
			return MR_EXIT_USAGE;
		}
		mr_client_param(target, sizeof(target), o->name, o->value ? value : "true");
	}
	if (args->word_count > 1)
		mr_client_param(target, sizeof(target), list->word, args->words[1]);
	status = mr_show_pass_on(args, list->name, target, json, &bytes);
	if (status == MR_EXIT_OK && bytes == 0 && !json)
		printf("no %s\n", list->name);
	return status;
}
