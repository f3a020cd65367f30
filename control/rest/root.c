/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 8040, sections 3.1, 3.3 and 9, and what others can learn about the interface itself. */

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rest/openapi.h"
#include "control/rest/rest_int.h"
#include "model/library.h"

#define LIBRARY_VERSION "2019-01-04" /* RFC 8525 */

void
rest_send(const struct mr_http_call *call, int code, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
	struct evbuffer *body = evbuffer_new();

	json_decref(value);
	if (!text || !body || evbuffer_add_printf(body, "%s\n", text) < 0) {
		if (body)
			evbuffer_free(body);
		mr_http_fail(call, 503, "no memory");
	} else {
		mr_http_send(call, code, REST_JSON, body);
	}
	free(text);
}

void
rest_host_meta(const struct mr_http_call *call)
{
	static const char text[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
				   "<XRD xmlns=\"http://docs.oasis-open.org/ns/xri/xrd-1.0\">\n"
				   "  <Link rel=\"restconf\" href=\"/restconf\"/>\n"
				   "</XRD>\n";

	mr_http_reply(call, "application/xrd+xml", text, sizeof(text) - 1);
}

void
rest_root(const struct mr_http_call *call)
{
	if (!rest_sends_json(call, NULL))
		return;
	if (!*call->path)
		rest_send(call, 200,
		    json_pack("{s:{s:{},s:{},s:s}}", "ietf-restconf:restconf", "data", "operations",
			"yang-library-version", LIBRARY_VERSION));
	else if (strcmp(call->path, "yang-library-version") == 0)
		rest_send(call, 200,
		    json_pack("{s:s}", "ietf-restconf:yang-library-version", LIBRARY_VERSION));
	else
		rest_fail(call, 404, "invalid-value", NULL, "there is no /restconf/%s", call->path);
}

static json_t *
stream_entry(const char *name, const char *doc, int replay)
{
	char location[64];

	snprintf(location, sizeof(location), "/restconf/streams/%s", name);
	return json_pack("{s:s,s:s,s:b,s:[{s:s,s:s}]}", "name", name, "description", doc,
	    "replay-support", replay, "access", "encoding", "json", "location", location);
}

static json_t *
monitoring(void)
{
	return json_pack("{s:{s:[s,s,s,s,s]},s:{s:[o,o]}}", "capabilities", "capability",
	    "urn:ietf:params:restconf:capability:defaults:1.0?basic-mode=explicit",
	    "urn:ietf:params:restconf:capability:depth:1.0",
	    "urn:ietf:params:restconf:capability:fields:1.0",
	    "urn:ietf:params:restconf:capability:with-defaults:1.0",
	    "urn:ietf:params:restconf:capability:yang-patch:1.0", "streams", "stream",
	    stream_entry("changes", "Each commit, with what it changed.", 1),
	    stream_entry("state", "State, again and again: names=system,interface&period=1000.",
		0));
}

json_t *
rest_own_state(const struct rest *r)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	json_t *all = NULL;

	if (!out)
		return NULL;
	mr_model_library(mr_control_model_of(r->control), out);
	if (fclose(out) == 0)
		all = json_loadb(text, size, 0, NULL);
	free(text);
	if (all)
		json_object_set_new(all, "ietf-restconf-monitoring:restconf-state", monitoring());
	return all;
}

/* What is not in the model: paths by hand. */
static const char other_paths[] =
    "\"/.well-known/host-meta\":{\"get\":{\"security\":[],\"responses\":{\"200\":{\"description\":"
    "\"Where RESTCONF is (RFC 8040, 3.1).\"}}}},"
    "\"/restconf\":{\"get\":{\"responses\":{\"200\":{\"description\":\"The resources.\"}}}},"
    "\"/restconf/yang-library-version\":{\"get\":{\"responses\":{\"200\":{\"description\":\"The "
    "revision of ietf-yang-library.\"}}}},"
    "\"/restconf/data\":{\"get\":{\"responses\":{\"200\":{\"description\":\"Everything.\"},"
    "\"default\":{\"$ref\":\"#/components/responses/errors\"}}},\"post\":{\"responses\":{\"201\":{"
    "\"$ref\":\"#/components/responses/made\"},\"default\":{\"$ref\":\"#/components/responses/"
    "errors\"}}},\"put\":{\"responses\":{\"204\":{\"$ref\":\"#/components/responses/done\"},"
    "\"default\":{\"$ref\":\"#/components/responses/errors\"}}},\"patch\":{\"responses\":{\"204\":{"
    "\"$ref\":\"#/components/responses/done\"},\"default\":{\"$ref\":\"#/components/responses/"
    "errors\"}}}},"
    "\"/restconf/streams/changes\":{\"get\":{\"description\":\"Server-sent events: event commit, "
    "one for each.\",\"parameters\":[{\"name\":\"Last-Event-ID\",\"in\":\"header\",\"schema\":{"
    "\"type\":\"integer\"}}],\"responses\":{\"200\":{\"description\":\"Events.\",\"content\":{"
    "\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}}}}},"
    "\"/restconf/streams/state\":{\"get\":{\"description\":\"Server-sent events: event state, one "
    "each period.\",\"parameters\":[{\"name\":\"names\",\"in\":\"query\",\"schema\":{\"type\":"
    "\"string\"}},{\"name\":\"period\",\"in\":\"query\",\"schema\":{\"type\":\"integer\","
    "\"minimum\":100,\"maximum\":3600000,\"default\":1000},\"description\":\"In milliseconds.\"}],"
    "\"responses\":{\"200\":{\"description\":\"Events.\",\"content\":{\"text/event-stream\":{"
    "\"schema\":{\"type\":\"string\"}}}}}}},"
    "\"/state\":{\"get\":{\"responses\":{\"200\":{\"description\":\"All state, in plain "
    "JSON.\"}}}},"
    "\"/state/{name}\":{\"parameters\":[{\"name\":\"name\",\"in\":\"path\",\"required\":true,"
    "\"schema\":{\"type\":\"string\"}}],\"get\":{\"responses\":{\"200\":{\"description\":\"One "
    "function's state.\"},\"404\":{\"description\":\"There is no such function.\"}}}},"
    "\"/openapi.json\":{\"get\":{\"responses\":{\"200\":{\"description\":\"This.\"}}}},";

void
mr_rest_openapi(const struct mr_model *model, FILE *out)
{
	mr_model_openapi(model, MR_VERSION, other_paths, out);
}

void
rest_openapi(const struct mr_http_call *call)
{
	struct rest *r = call->state;
	FILE *out;

	if (!r->openapi) {
		out = open_memstream(&r->openapi, &r->openapi_size);
		if (out) {
			mr_rest_openapi(mr_control_model_of(r->control), out);
			if (fclose(out) != 0) {
				free(r->openapi);
				r->openapi = NULL;
			}
		}
	}
	if (!r->openapi)
		mr_http_fail(call, 503, "no memory");
	else
		mr_http_reply(call, "application/vnd.oai.openapi+json;version=3.1", r->openapi,
		    r->openapi_size);
}
