/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "nf/lb/control_int.h"
#include "nf/lb/node_int.h"

/* "service web", "server b1 of service web (10.0.0.11:8080)" */
bool
lb_describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	const struct mr_lb *lb = state;
	struct lb_conf_service *s = NULL;
	const struct lb_conf_backend *b;
	char ip[64], port[8] = "";

	if (op->kind != MR_OP_NOTE || !op->text)
		return false;
	if (strcmp(op->text, LB_NOTE_SERVICE) == 0) {
		for (unsigned i = 0; i < lb->now.service_count; i++)
			if (lb->now.services[i].number == op->a)
				s = &lb->now.services[i];
		if (!s)
			return false;
		snprintf(text, size, "to service %s", s->name);
		return true;
	}
	if (strcmp(op->text, LB_NOTE_SERVER) != 0)
		return false;
	b = lb_backend_of(&lb->now, (unsigned)(op->a & UINT32_MAX), &s);
	if (!b)
		return false;
	if (b->port)
		snprintf(port, sizeof(port), ":%u", b->port);
	snprintf(text, size, "%s server %s of service %s, %s%s", op->a >> 32 ? "from" : "to",
	    b->name, s->name, lb_ip_print(b->ip.bytes, b->ip.six, ip), port);
	return true;
}
