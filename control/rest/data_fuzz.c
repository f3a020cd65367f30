/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a request to /restconf/data brings in from outside: a method, a path, a query, a body.
 *
 *	PUT millrace-interface:interface=a?insert=first
 *	{"millrace-interface:interface":[{"name":"a"}]}
 *
 * The edit that it asks for is made to a small configuration, and what comes out is printed and must
 * be read back; what GET would select is selected.
 */

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "control/rest/rest_int.h"
#include "model/edit.h"
#include "model/path.h"
#include "model/print.h"
#include "model/report.h"

static const char base_text[] =
    "interface: {a: {driver: \"null\"}, b: {driver: \"null\", mtu: 1400}}\n"
    "bridge: {br0: {interface: {a: {}}}}\n"
    "rest: {listen: [{address: 127.0.0.1, port: 1}], user: {x: {certificate: x}}}\n";

struct request {
	char *method, *path, *query, *body;
	size_t body_size;
};

/* Cuts a copy of the input up. */
static bool
cut(char *text, size_t size, struct request *r)
{
	char *line = memchr(text, '\n', size);

	memset(r, 0, sizeof(*r));
	if (line) {
		*line = 0;
		r->body = line + 1;
		r->body_size = size - (size_t)(line + 1 - text);
	}
	r->method = text;
	r->path = strchr(text, ' ');
	if (!r->path)
		return false;
	*r->path++ = 0;
	r->query = strchr(r->path, '?');
	if (r->query)
		*r->query++ = 0;
	return true;
}

static void
select_from(const struct mr_config *config, const struct request *r)
{
	static const struct mr_print how = { MR_PRINT_JSON, MR_PRINT_ALL, MR_PRINT_EXPLICIT, 0 };
	struct evkeyvalq query;
	const struct mr_conf *node;
	const char *fields = NULL;
	struct mr_error error;
	char *text = NULL;
	size_t size = 0;
	json_t *value;
	FILE *out;

	if (mr_config_at(config, r->path, &node, &error))
		return;
	out = open_memstream(&text, &size);
	if (!out)
		return;
	mr_conf_print(node, &how, out);
	fclose(out);
	value = json_loadb(text, size, 0, NULL);
	if (!value)
		__builtin_trap(); /* what is printed is JSON */
	TAILQ_INIT(&query);
	if (r->query && evhttp_parse_query_str(r->query, &query) == 0)
		fields = evhttp_find_header(&query, "fields");
	if (fields)
		rest_keep_fields(value, fields);
	rest_keep_depth(value, 3);
	evhttp_clear_headers(&query);
	json_decref(value);
	free(text);
}

static void
edit(struct mr_model *model, const struct mr_config *base, const struct request *r)
{
	static const struct mr_print how = { MR_PRINT_JSON, MR_PRINT_CONFIG, MR_PRINT_EXPLICIT, 0 };
	const bool body = strcmp(r->method, "DELETE") != 0;
	struct mr_config *next = NULL, *again = NULL;
	struct mr_report *report = NULL;
	struct mr_edit e = {
		.op = !body                          ? MR_EDIT_DELETE
		    : strcmp(r->method, "POST") == 0 ? MR_EDIT_CREATE
		    : strcmp(r->method, "PUT") == 0  ? MR_EDIT_REPLACE
						     : MR_EDIT_MERGE,
		.path = r->path,
		.json = body ? r->body : NULL,
		.json_size = body ? r->body_size : 0,
		.child = strcmp(r->method, "POST") == 0,
	};
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if ((body && !r->body) || mr_report_create(&report))
		return;
	if (mr_config_edit(&next, model, base, &e, 1, report) == 0) {
		out = open_memstream(&text, &size);
		if (out) {
			mr_conf_print(mr_conf_root(next), &how, out);
			fclose(out);
			if (mr_config_parse_json(&again, model, "again", text, size, report)) {
				mr_report_print(report, stderr);
				__builtin_trap();
			}
			if (!mr_conf_equal(mr_conf_root(next), mr_conf_root(again)))
				__builtin_trap();
		}
		select_from(next, r);
	}
	free(text);
	mr_config_destroy(next);
	mr_config_destroy(again);
	mr_report_destroy(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_model *model;
	static struct mr_config *base;
	struct request r;
	char *text;

	if (!model) {
		struct mr_error error;

		if (mr_control_model(&model, &error) ||
		    mr_config_parse(&base, model, "base", base_text, sizeof(base_text) - 1, NULL))
			__builtin_trap();
	}
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (cut(text, size, &r)) {
		select_from(base, &r);
		edit(model, base, &r);
	}
	free(text);
	return 0;
}
