/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server_int.h"

void
server_trace(struct mr_server *s, struct evhttp_request *req, const struct evkeyvalq *query)
{
	server_fail(req, 501, "not yet");
}

void
server_capture(struct mr_server *s, struct evhttp_request *req, const struct evkeyvalq *query)
{
	server_fail(req, 501, "not yet");
}
