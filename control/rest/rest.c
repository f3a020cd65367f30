/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 8040's resources. */

#include "control/rest/rest_int.h"

static int
rest_create(void **state, struct mr_control *c, struct mr_error *error)
{
	(void)error;
	*state = c;
	return 0;
}

static void
rest_destroy(void *state)
{
	(void)state;
}

static const struct mr_http_route routes[] = {
	/* Each operation says who may use it. */
	{ "/restconf/operations", EVHTTP_REQ_GET | EVHTTP_REQ_POST, MR_HTTP_READ, rest_operations },
	{ 0 },
};

const struct mr_service mr_service_rest = {
	.name = "rest",
	.doc = "configuration and state by RFC 8040",
	.create = rest_create,
	.destroy = rest_destroy,
	.routes = routes,
};
