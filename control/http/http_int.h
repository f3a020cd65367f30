/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_HTTP_HTTP_INT_H
#define MR_CONTROL_HTTP_HTTP_INT_H

#include "control/http/http.h"

struct open_stream;

struct routes {
	const struct mr_http_route *list;
	void *state;
};

struct mr_http {
	struct event_base *base;
	struct evhttp *evhttp;
	struct open_stream *streams;
	struct routes *routes;
	unsigned count;
	char path[108]; /* of the Unix socket; empty: none */
};

void http_end_streams(struct mr_http *);

#endif
