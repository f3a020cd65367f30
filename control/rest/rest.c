/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 8040's resources, and the settings of the server that they are on. */

#include "control/rest/rest_int.h"

#include <errno.h>
#include <stdlib.h>

#include "control/http/settings.h"

extern const char mr_yang_millrace_rest[];

static int
rest_create(void **state, struct mr_control *c, struct mr_error *error)
{
	struct rest *r = calloc(1, sizeof(*r));

	if (!r)
		return mr_error_set(error, -ENOMEM, "no memory");
	r->control = c;
	*state = r;
	return audit_create(&r->audit, r, error);
}

static void
rest_destroy(void *state)
{
	struct rest *r = state;

	audit_destroy(r->audit);
	free(r->openapi);
	free(r);
}

static int
rest_prepare(void *state, const struct mr_config *next, struct mr_error *error)
{
	struct mr_http_settings *settings = malloc(sizeof(*settings));
	struct rest *r = state;
	int rc;

	if (!settings)
		return mr_error_set(error, -ENOMEM, "rest: no memory");
	rest_read_settings(settings, next);
	rc = audit_prepare(r->audit, next, error);
	if (!rc)
		rc = mr_http_prepare(mr_control_http(r->control), settings, error);
	if (rc)
		audit_abort(r->audit);
	free(settings);
	return rc;
}

static void
rest_commit(void *state)
{
	struct rest *r = state;

	mr_http_commit(mr_control_http(r->control));
	audit_commit(r->audit);
}

static void
rest_abort(void *state)
{
	struct rest *r = state;

	mr_http_abort(mr_control_http(r->control));
	audit_abort(r->audit);
}

static void
rest_show(void *state, struct mr_state *st)
{
	const struct rest *r = state;
	const struct mr_http *http = mr_control_http(r->control);
	struct mr_http_counters c;
	struct mr_http_listen where;
	unsigned connections;
	uint64_t sent, lost;

	mr_http_count(http, &c);
	mr_state_open(st, "rest");
	for (unsigned i = 0; mr_http_listening(http, i, &where, &connections); i++) {
		mr_state_list(st, "listen", where.address);
		mr_state_uint(st, "port", where.port);
		mr_state_uint(st, "connections", connections);
		mr_state_close(st);
	}
	mr_state_open(st, "counters");
	mr_state_uint(st, "connections", c.accepted);
	mr_state_uint(st, "requests", c.requests);
	mr_state_uint(st, "refused", c.refused);
	mr_state_uint(st, "failed-logins", c.failed_logins);
	mr_state_uint(st, "timed-out", c.timed_out);
	mr_state_uint(st, "evicted", c.evicted);
	mr_state_uint(st, "over-source", c.over_source);
	mr_state_uint(st, "over-memory", c.over_memory);
	mr_state_uint(st, "out-of-files", c.out_of_files);
	audit_count(r->audit, &sent, &lost);
	mr_state_uint(st, "audited", sent);
	mr_state_uint(st, "audit-lost", lost);
	mr_state_close(st);
	mr_state_close(st);
}

#define DATA_METHODS \
	(EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_POST | \
	    EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE)

static const struct mr_http_route routes[] = {
	{ "/.well-known/host-meta", EVHTTP_REQ_GET | MR_HTTP_OPEN, MR_HTTP_READ, rest_host_meta },
	{ "/openapi.json", EVHTTP_REQ_GET, MR_HTTP_READ, rest_openapi },
	{ "/restconf", EVHTTP_REQ_GET, MR_HTTP_READ, rest_root },
	{ "/restconf/data", DATA_METHODS, MR_HTTP_ADMIN, rest_data },
	/* Each operation says who may use it. */
	{ "/restconf/operations", EVHTTP_REQ_GET | EVHTTP_REQ_POST, MR_HTTP_READ, rest_operations },
	{ "/restconf/streams", EVHTTP_REQ_GET, MR_HTTP_READ, rest_streams },
	{ 0 },
};

const struct mr_service mr_service_rest = {
	.name = "rest",
	.doc = "configuration and state by RFC 8040",
	.yang = mr_yang_millrace_rest,
	.create = rest_create,
	.destroy = rest_destroy,
	.check = rest_check,
	.prepare = rest_prepare,
	.commit = rest_commit,
	.abort = rest_abort,
	.show = rest_show,
	.routes = routes,
};
