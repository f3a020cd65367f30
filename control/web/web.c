/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The dashboard (web/): a page that looks at this data plane through the same resources as
 * everybody else. Here are only its files, which are part of the program:
 *
 *	GET /			the page
 *	GET /web/FILE		its styles and modules
 *	GET /web/model.json	what the model says about a configuration, for the page's help
 *
 * Nothing here says anything about this data plane: whoever may connect may have it.
 */

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/service.h"
#include "control/web/web_int.h"

struct web {
	const struct mr_control *control;
	char *model; /* made when it is first asked for */
	char tag[24];
};

/* Nothing from elsewhere, nothing inline, no frame around it. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

static void
send_file(const struct mr_http_call *call, const struct web_file *f)
{
	struct evbuffer *body;
	char tag[32];

	mr_http_set_header(call, "Content-Security-Policy", policy);
	mr_http_set_header(call, "Referrer-Policy", "no-referrer");
	snprintf(tag, sizeof(tag), "\"%s\"", f->tag);
	if (mr_http_unchanged(call, tag))
		return;
	body = evbuffer_new();
	if (body && evbuffer_add(body, f->bytes, f->size) == 0) {
		mr_http_send(call, 200, f->type, body);
		return;
	}
	if (body)
		evbuffer_free(body);
	mr_http_fail(call, 503, "no memory");
}

static void
send_model(const struct mr_http_call *call)
{
	struct web *w = call->state;
	uint64_t hash = 14695981039346656037ull; /* FNV-1a: tells models apart, no more */

	if (!w->model) {
		w->model = web_model_json(mr_control_model_of(w->control));
		for (const char *c = w->model; c && *c; c++)
			hash = (hash ^ (unsigned char)*c) * 1099511628211ull;
		snprintf(w->tag, sizeof(w->tag), "%016llx", (unsigned long long)hash);
	}
	if (!w->model)
		mr_http_fail(call, 503, "no memory");
	else
		send_file(call,
		    &(struct web_file){ .type = "application/json",
			.tag = w->tag,
			.bytes = (const unsigned char *)w->model,
			.size = strlen(w->model) });
}

static void
serve(const struct mr_http_call *call)
{
	const char *name = *call->path ? call->path : "index.html";

	if (strcmp(name, "model.json") == 0) {
		send_model(call);
		return;
	}
	for (const struct web_file *f = web_files; f->name; f++) {
		if (strcmp(f->name, name) != 0)
			continue;
		send_file(call, f);
		return;
	}
	mr_http_fail(call, 404, "the dashboard has no file %.100s", name);
}

static int
web_create(void **state, struct mr_control *c, struct mr_error *error)
{
	struct web *w = calloc(1, sizeof(*w));

	if (!w)
		return mr_error_set(error, -ENOMEM, "no memory");
	w->control = c;
	*state = w;
	return 0;
}

static void
web_destroy(void *state)
{
	struct web *w = state;

	free(w->model);
	free(w);
}

static const struct mr_http_route routes[] = {
	{ "/", EVHTTP_REQ_GET | MR_HTTP_OPEN, MR_HTTP_READ, serve },
	{ "/web", EVHTTP_REQ_GET | MR_HTTP_OPEN, MR_HTTP_READ, serve },
	{ 0 },
};

const struct mr_service mr_service_web = {
	.name = "web",
	.doc = "the dashboard: a page that shows and changes this data plane",
	.create = web_create,
	.destroy = web_destroy,
	.routes = routes,
};
