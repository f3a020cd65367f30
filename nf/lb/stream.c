/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections as text, read piece by piece (GET /state/lb/connections?...):
 *
 *	service=NAME backend=NAME client=A	an address or prefix
 *	form=text|json|count
 *
 * What is there changes meanwhile: a connection that begins or ends may be shown or not.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lb/control_int.h"
#include "nf/query.h"

#define LINE 512u

struct connections {
	const struct mr_lb *lb;
	enum mr_query_form form;
	uint32_t next, now;
	uint64_t found;
	char service[MR_PORT_NAME_MAX], backend[MR_PORT_NAME_MAX];
	bool told;
	struct mr_query_prefix client;
};

struct shown {
	struct lb_found f;
	uint32_t created;
	const struct lb_conf_service *service;
	const struct lb_conf_backend *backend;
	const struct lb_address *address;
};

static const char *const state_names[LB_STATES] = { [LB_BEGUN] = "syn",
	[LB_OPEN] = "open",
	[LB_FIN] = "closing",
	[LB_CLOSED] = "closed",
	[LB_STICKY] = "affinity" };

static bool
look(const struct connections *q, uint32_t index, struct shown *s)
{
	const struct lb_view *v = q->lb->view;
	struct lb_conf_service *service = NULL;

	if (!lb_look(q->lb->core->table, index, &s->f, &s->created) ||
	    lb_is_over(&q->lb->core->table->lines[index], q->now))
		return false;
	s->backend = lb_backend_of(&q->lb->now, s->f.backend, &service);
	s->service = service;
	s->address = NULL;
	if (s->f.state != LB_STICKY && LB_TAIL_PLACE(s->f.front[2]) < v->address_count)
		s->address = &v->addresses[LB_TAIL_PLACE(s->f.front[2])];
	return s->backend && s->service->number == s->f.service;
}

static bool
matches(const struct connections *q, const struct shown *s)
{
	if (q->service[0] && strcmp(q->service, s->service->name) != 0)
		return false;
	if (q->backend[0] && strcmp(q->backend, s->backend->name) != 0)
		return false;
	return !q->client.given ||
	    mr_query_covers(&q->client, LB_TAIL_FLAGS(s->f.front[2]) & LB_KEY_SIX,
		(const uint8_t *)s->f.front);
}

static uint32_t
left(const struct connections *q, const struct shown *s)
{
	int32_t quiet = (int32_t)(q->now - s->f.seen);

	return quiet <= 0                  ? s->f.limit
	    : (uint32_t)quiet > s->f.limit ? 0
					   : s->f.limit - (uint32_t)quiet;
}

static size_t
print(const struct connections *q, const struct shown *s, char *text, size_t size)
{
	uint64_t tail = s->f.front[2];
	bool six = LB_TAIL_FLAGS(tail) & LB_KEY_SIX;
	char client[64], address[64] = "-", server[64];
	const char *proto = LB_TAIL_PROTO(tail) == MR_IP_PROTO_UDP ? "udp" : "tcp";
	const char *state = LB_TAIL_PROTO(tail) == MR_IP_PROTO_UDP && s->f.state == LB_OPEN
	    ? "udp"
	    : state_names[s->f.state];
	unsigned cport = LB_TAIL_PEER_PORT(tail), port = LB_TAIL_OWN_PORT(tail);

	lb_ip_print((const uint8_t *)s->f.front, six, client);
	lb_ip_print(s->backend->ip.bytes, s->backend->ip.six, server);
	if (s->address)
		lb_ip_print(s->address->bytes, six, address);
	if (s->f.state == LB_STICKY)
		cport = port = 0;
	if (q->form == MR_QUERY_JSON)
		return (size_t)snprintf(text, size,
		    "{\"protocol\":\"%s\",\"client\":\"%s\",\"client-port\":%u,\"address\":\"%s\","
		    "\"port\":%u,\"service\":\"%s\",\"backend\":\"%s\",\"server\":\"%s\","
		    "\"state\":\"%s\",\"age\":%u,\"left\":%u}\n",
		    proto, client, cport, address, port, s->service->name, s->backend->name, server,
		    state, q->now - s->created, left(q, s));
	return (size_t)snprintf(text, size,
	    six ? "%s [%s]:%u > [%s]:%u  %s/%s %s  %s, %us left\n"
		: "%s %s:%u > %s:%u  %s/%s %s  %s, %us left\n",
	    proto, client, cport, address, port, s->service->name, s->backend->name, server, state,
	    left(q, s));
}

static size_t
stream_read(void *state, char *text, size_t size)
{
	struct connections *q = state;
	const struct lb_table *t = q->lb->core ? q->lb->core->table : NULL;
	uint32_t top = t ? atomic_load_explicit(&t->top, memory_order_relaxed) : 0;
	size_t used = 0;

	while (q->next <= top && size - used > LINE) {
		struct shown s;

		if (!look(q, q->next++, &s) || !matches(q, &s))
			continue;
		q->found++;
		if (q->form != MR_QUERY_COUNT)
			used += print(q, &s, text + used, LINE);
	}
	if (q->form == MR_QUERY_COUNT && !q->told && size > LINE) {
		q->told = true;
		used = (size_t)snprintf(text, size, "%llu\n", (unsigned long long)q->found);
	}
	return used;
}

static void
stream_close(void *state)
{
	free(state);
}

static int
read_query(struct connections *q, const struct mr_nf_query *asked, struct mr_error *error)
{
	const char *service = asked->value(asked->arg, "service");
	const char *backend = asked->value(asked->arg, "backend");
	int rc = mr_query_form(asked, &q->form, error);

	if (service && !lb_conf_service(&q->lb->now, service))
		return mr_error_set(error, -ENOENT, "there is no service \"%s\"", service);
	snprintf(q->service, sizeof(q->service), "%s", service ? service : "");
	snprintf(q->backend, sizeof(q->backend), "%s", backend ? backend : "");
	return rc ? rc : mr_query_prefix(asked, "client", &q->client, error);
}

int
lb_stream(void *state, const char *name, const struct mr_nf_query *asked, struct mr_nf_stream *out,
    struct mr_error *error)
{
	struct connections *q;
	int rc;

	if (strcmp(name, "connections") != 0)
		return mr_error_set(error, -ENOENT, "lb has no %s", name);
	q = calloc(1, sizeof(*q));
	if (!q)
		return mr_error_set(error, -ENOMEM, "no memory");
	q->lb = state;
	q->next = 1;
	q->now = lb_seconds();
	rc = read_query(q, asked, error);
	if (rc) {
		free(q);
		return rc;
	}
	*out = (struct mr_nf_stream){
		.type = q->form == MR_QUERY_JSON ? "application/x-ndjson" : "text/plain",
		.read = stream_read,
		.close = stream_close,
		.state = q,
	};
	return 0;
}
