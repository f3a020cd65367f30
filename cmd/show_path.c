/* SPDX-License-Identifier: Apache-2.0 */

/* The way of running flows, there and back. */

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/show.h"
#include "cmd/trace_print.h"

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static void
print_way(const json_t *way, unsigned options)
{
	const json_t *counted = json_object_get(way, "counted");

	if (strcmp(text_of(way, "direction"), "there") == 0)
		printf("flow %s, there:\n", text_of(counted, "flow"));
	else
		printf("back:\n");
	if (json_is_true(json_object_get(counted, "offloaded")))
		printf("  offloaded: its port does it\n");
	mr_trace_print(stdout, way, options);
	mr_trace_print_lane(stdout, json_object_get(way, "lane"), options);
	putchar('\n');
}

int
mr_show_path(const struct mr_cmd_args *args)
{
	static const char *const passed[] = { "flow", "interface", "protocol", "address", "port",
		"top" };
	unsigned options = MR_TRACE_EXPLAINED | (mr_cmd_given(args, "all") ? MR_TRACE_ALL : 0);
	char target[1024] = "/path", *text, *line, *rest;
	struct mr_error error;
	size_t size;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(passed); i++)
		if (mr_cmd_given(args, passed[i]))
			mr_client_param(target, sizeof(target), passed[i],
			    mr_cmd_value(args, passed[i]));
	if (args->word_count > 1)
		mr_client_param(target, sizeof(target), "address", args->words[1]);
	if (mr_client_fetch(mr_cmd_value(args, "socket"), target, &text, &size, &error)) {
		fprintf(stderr, "millrace show path: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *way;

		if (mr_cmd_given(args, "json")) {
			puts(line);
			continue;
		}
		way = json_loads(line, 0, NULL);
		print_way(way, options);
		json_decref(way);
	}
	free(text);
	return MR_EXIT_OK;
}
