/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 8040, section 3.6: POST /restconf/operations/MODULE:RPC with {"MODULE:input": {...}}, answered
 * with {"MODULE:output": {...}}, or with nothing where there is none to say. */

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rest/rest_int.h"
#include "model/report.h"

#define MODULE_MAX 64

static const struct mr_rpc *
find(const struct mr_control *c, const char *name, void **state)
{
	for (unsigned i = 0; mr_service_list[i]; i++) {
		const struct mr_service *service = mr_service_list[i];

		for (const struct mr_rpc *r = service->rpcs; r && r->name; r++) {
			if (strcmp(r->name, name) != 0)
				continue;
			*state = mr_control_state(c, service);
			return r;
		}
	}
	return NULL;
}

/* Which there are, when none was named. */
static void
list_all(const struct mr_http_call *call)
{
	json_t *names = json_object(), *root;
	char *text;

	for (unsigned i = 0; mr_service_list[i]; i++)
		for (const struct mr_rpc *r = mr_service_list[i]->rpcs; r && r->name; r++)
			json_object_set_new(names, r->name, json_pack("[n]"));
	root = json_pack("{s:o}", "ietf-restconf:operations", names);
	text = json_dumps(root, JSON_COMPACT);
	if (text)
		mr_http_reply(call, REST_JSON, text, strlen(text));
	else
		mr_http_fail(call, 503, "no memory");
	free(text);
	json_decref(root);
}

static void
answer(const struct mr_http_call *call, const char *module, json_t *output)
{
	char key[MODULE_MAX + 8];
	json_t *root;
	char *text;

	if (json_object_size(output) == 0) {
		evhttp_send_reply(call->req, 204, "No Content", NULL);
		return;
	}
	snprintf(key, sizeof(key), "%s:output", module);
	root = json_pack("{s:O}", key, output);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	if (text)
		mr_http_reply(call, REST_JSON, text, strlen(text));
	else
		mr_http_fail(call, 503, "no memory");
	free(text);
	json_decref(root);
}

/* The body's object, or null with the client told. */
static json_t *
read_body(const struct mr_http_call *call)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(call->req);
	size_t size = evbuffer_get_length(body);
	json_error_t wrong;
	json_t *root;

	if (size == 0)
		return json_object();
	root = json_loadb((const char *)evbuffer_pullup(body, -1), size, JSON_REJECT_DUPLICATES,
	    &wrong);
	if (!root || !json_is_object(root)) {
		rest_fail(call, 400, "malformed-message", NULL, "line %d, column %d: %s",
		    root ? 1 : wrong.line, root ? 1 : wrong.column,
		    root ? "the body is no object" : wrong.text);
		json_decref(root);
		return NULL;
	}
	return root;
}

static void
run(const struct mr_http_call *call, const struct mr_rpc *rpc, void *state)
{
	int module_len = (int)strcspn(rpc->name, ":");
	struct mr_rpc_call rc = { .who = call->who };
	char module[MODULE_MAX], key[MODULE_MAX + 8];
	json_t *body = read_body(call);
	const char *tag = "";
	int result, code;

	if (!body)
		return;
	snprintf(module, sizeof(module), "%.*s", module_len, rpc->name);
	snprintf(key, sizeof(key), "%s:input", module);
	rc.input = json_object_get(body, key);
	rc.output = json_object();
	if (!rc.output || mr_report_create(&rc.report)) {
		rest_fail(call, 503, "resource-denied", NULL, "no memory");
	} else if (json_object_size(body) > (rc.input ? 1 : 0) ||
	    (rc.input && !json_is_object(rc.input))) {
		rest_fail(call, 400, "malformed-message", NULL,
		    "the body has one member, %s, which is an object", key);
	} else {
		result = rpc->run(state, &rc);
		code = rest_code(result, &tag);
		if (result == 0)
			answer(call, module, rc.output);
		else
			rest_fail(call, code, tag, rc.report, "%s", rc.error.text);
	}
	mr_report_destroy(rc.report);
	json_decref(rc.output);
	json_decref(body);
}

void
rest_operations(const struct mr_http_call *call)
{
	void *state = NULL;
	const struct rest *r = call->state;
	const struct mr_rpc *rpc = find(r->control, call->path, &state);

	if (evhttp_request_get_command(call->req) == EVHTTP_REQ_GET && !*call->path)
		list_all(call);
	else if (!rpc)
		rest_fail(call, 404, "invalid-value", NULL, "there is no operation %s", call->path);
	else if (evhttp_request_get_command(call->req) != EVHTTP_REQ_POST)
		rest_fail(call, 405, "operation-not-supported", NULL, "operations are POSTed");
	else if (call->role < rpc->role)
		rest_fail(call, 403, "access-denied", NULL, "%s may look, but not change anything",
		    call->who);
	else
		run(call, rpc, state);
}
