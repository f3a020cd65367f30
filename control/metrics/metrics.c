/* SPDX-License-Identifier: Apache-2.0 */

/*
 * GET /metrics: everything countable that the model has, as Prometheus reads it, or by
 * OpenMetrics when the client says that it understands that. ?names=interface,system is these
 * functions alone. Tables that grow with the traffic are left out: routes, flows and connections, which
 * are streams and no state, and a bridge's stations and a router's neighbours.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/metrics/metrics_int.h"
#include "control/service.h"

#define NAMES_MAX 64
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPEN_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct metrics {
	struct mr_control *control;
	struct mr_leaves *leaves;
	struct families *families;
	struct mr_sample *sample;
	struct page page;
	uint64_t scrapes, cut, time;
	uint32_t sample_time, write_time; /* microseconds */
};

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Whether the client prefers OpenMetrics; weights are not weighed: who names it can read it. */
static bool
wants_open(const struct mr_http_call *call)
{
	const char *accept =
	    evhttp_find_header(evhttp_request_get_input_headers(call->req), "Accept");

	return accept && strstr(accept, "application/openmetrics-text");
}

/* Reads the state of those that were named, or all. An error is answered. */
static int
read_state(struct metrics *m, const struct mr_http_call *call)
{
	const char *names = mr_http_param(call, "names", "");
	struct mr_state *st = mr_sample_begin(m->sample, mr_control_model_of(m->control));
	struct mr_error error = { 0 };
	bool some = *names; /* then it is they who may be wrong: one name twice */
	unsigned count = 0;
	char name[64];

	if (!st) {
		mr_http_fail(call, 503, "no memory");
		return -ENOMEM;
	}
	mr_state_set_brief(st);
	if (!*names)
		mr_control_show(m->control, NULL, st);
	while (*names) {
		size_t length = strcspn(names, ",");

		snprintf(name, sizeof(name), "%.*s", (int)MR_MIN(length, sizeof(name) - 1), names);
		if (++count > NAMES_MAX || mr_control_show(m->control, name, st)) {
			mr_http_fail(call, count > NAMES_MAX ? 400 : 404,
			    count > NAMES_MAX ? "too many names" : "there is no function %s", name);
			return -ENOENT;
		}
		names += length + (names[length] == ',');
	}
	if (mr_sample_end(m->sample, &error)) {
		mr_http_fail(call, some ? 400 : 500, "%s", error.text);
		return -EIO;
	}
	return 0;
}

static void
serve(const struct mr_http_call *call)
{
	struct metrics *m = call->state;
	uint64_t began = now_us(), read;
	bool open = wants_open(call);

	if (read_state(m, call))
		return;
	read = now_us();
	if (page_write(&m->page, m->families, m->sample, open)) {
		mr_http_fail(call, 503, "no memory");
		return;
	}
	m->scrapes++;
	m->cut += m->page.cut;
	mr_http_reply(call, open ? OPEN_TYPE : TEXT_TYPE, m->page.text, m->page.used);
	m->sample_time = (uint32_t)(read - began);
	m->write_time = (uint32_t)(now_us() - read);
	m->time += m->sample_time + m->write_time;
}

static void
metrics_show(void *state, struct mr_state *st)
{
	const struct metrics *m = state;

	mr_state_open(st, "metrics");
	mr_state_uint(st, "scrapes", m->scrapes);
	mr_state_uint(st, "series", m->page.series);
	mr_state_uint(st, "size", m->page.used);
	mr_state_uint(st, "series-cut", m->cut);
	mr_state_uint(st, "sample-time", m->sample_time);
	mr_state_uint(st, "write-time", m->write_time);
	mr_state_uint(st, "time", m->time);
	mr_state_close(st);
}

static void
metrics_destroy(void *state)
{
	struct metrics *m = state;

	page_free(&m->page);
	mr_sample_destroy(m->sample);
	families_destroy(m->families);
	mr_leaves_destroy(m->leaves);
	free(m);
}

static int
metrics_create(void **state, struct mr_control *c, struct mr_error *error)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return mr_error_set(error, -ENOMEM, "no memory");
	m->control = c;
	rc = mr_leaves_create(&m->leaves, mr_control_model_of(c), error);
	if (!rc)
		rc = families_create(&m->families, m->leaves, error);
	if (!rc && mr_sample_create(&m->sample, m->leaves))
		rc = mr_error_set(error, -ENOMEM, "no memory");
	if (rc) {
		metrics_destroy(m);
		return rc;
	}
	*state = m;
	return 0;
}

static const struct mr_http_route routes[] = {
	{ "/metrics", EVHTTP_REQ_GET, MR_HTTP_READ, serve },
	{ 0 },
};

extern const char mr_yang_millrace_metrics[];

const struct mr_service mr_service_metrics = {
	.name = "metrics",
	.doc = "what Prometheus reads",
	.yang = mr_yang_millrace_metrics,
	.create = metrics_create,
	.destroy = metrics_destroy,
	.show = metrics_show,
	.routes = routes,
};
