/* SPDX-License-Identifier: Apache-2.0 */

/* See inside: what happens to packets, what would, and the packets themselves. */

#include "control/see/see_int.h"

static int
see_create(void **state, struct mr_control *c, struct mr_error *error)
{
	(void)error;
	*state = mr_control_dataplane(c);
	return 0;
}

static void
see_destroy(void *state)
{
	(void)state;
}

static const struct mr_http_route routes[] = {
	{ "/trace", EVHTTP_REQ_GET, MR_HTTP_READ, see_trace },
	{ "/capture", EVHTTP_REQ_GET, MR_HTTP_READ, see_capture },
	{ "/drops", EVHTTP_REQ_GET, MR_HTTP_READ, see_drops },
	{ "/path", EVHTTP_REQ_GET, MR_HTTP_READ, see_path },
	{ "/explain", EVHTTP_REQ_POST, MR_HTTP_READ, see_explain },
	{ 0 },
};

const struct mr_service mr_service_see = {
	.name = "see",
	.doc = "what happens to packets, and what would",
	.create = see_create,
	.destroy = see_destroy,
	.routes = routes,
};
