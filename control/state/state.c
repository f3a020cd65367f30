/* SPDX-License-Identifier: Apache-2.0 */

/* State as it is: all of it, or one function's; and what functions offer to be done. */

#include "control/state/state_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
serve_whole(const struct mr_http_call *call)
{
	const char *name = *call->path ? call->path : NULL;
	enum mr_state_form form = strcmp(mr_http_param(call, "form", "plain"), "rfc7951") == 0
	    ? MR_STATE_RFC7951
	    : MR_STATE_PLAIN;
	struct mr_state *state = NULL;
	struct mr_error error = { 0 };
	const char *text;
	size_t size;

	if (mr_state_create(&state, mr_control_model_of(call->state), form))
		mr_http_fail(call, 503, "no memory");
	else if (mr_control_show(call->state, name, state) == -ENOENT)
		mr_http_fail(call, 404, "there is no function %s", name);
	else if (mr_state_finish(state, &text, &size, &error))
		mr_http_fail(call, 500, "%s", error.text);
	else
		mr_http_reply(call, "application/json", text, size);
	mr_state_destroy(state);
}

static void
serve_state(const struct mr_http_call *call)
{
	const char *slash = strchr(call->path, '/');
	char function[64];

	if (!slash) {
		serve_whole(call);
		return;
	}
	snprintf(function, sizeof(function), "%.*s", (int)(slash - call->path), call->path);
	state_function_stream(call, function, slash + 1);
}

static int
state_create(void **state, struct mr_control *c, struct mr_error *error)
{
	(void)error;
	*state = c;
	return 0;
}

static void
state_destroy(void *state)
{
	(void)state;
}

static const struct mr_http_route routes[] = {
	{ "/state", EVHTTP_REQ_GET, MR_HTTP_READ, serve_state },
	{ "/act", EVHTTP_REQ_POST, MR_HTTP_ADMIN, state_act },
	{ 0 },
};

const struct mr_service mr_service_state = {
	.name = "state",
	.doc = "what functions report, and what they offer to be done",
	.create = state_create,
	.destroy = state_destroy,
	.routes = routes,
};
