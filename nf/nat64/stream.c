/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sessions as text, read piece by piece (GET /state/nat64/sessions?...):
 *
 *	instance=NAME protocol=P
 *	address=A		an inside, outside or remote address or prefix
 *	port=N			of any end
 *	form=text|json|count
 *
 * What is there changes meanwhile: what begins or ends may be shown or not.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lines.h"
#include "nf/nat64/control_int.h"
#include "nf/query.h"

#define AT_ONCE 4096u /* lines of the table looked at in one go */

struct sessions {
	const struct mr_nat64 *nat;
	struct mr_lines lines;
	enum mr_query_form form;
	uint32_t next, now;
	uint64_t found;
	int protocol, port, instance; /* -1: any */
	struct mr_query_prefix address;
	bool told;
};

struct shown {
	struct n64_key key;
	uint64_t outside, word;
	uint32_t seen, created;
};

static const uint8_t wire[NAT_PROTOS] = {
	[NAT_TCP] = MR_IP_PROTO_TCP,
	[NAT_UDP] = MR_IP_PROTO_UDP,
	[NAT_ICMP] = MR_IP_PROTO_ICMP,
};

static bool
look(const struct n64_table *t, uint32_t number, uint32_t now, struct shown *s)
{
	const struct n64_line *l = &t->sessions.lines[number];

	s->word = atomic_load_explicit(&l->word, memory_order_acquire);
	if (!(s->word & N64_LIVE) || n64_is_over(t, l, s->word, now))
		return false;
	n64_key_load(l, &s->key);
	s->outside = atomic_load_explicit(&l->outside, memory_order_acquire);
	s->seen = atomic_load_explicit(&l->seen, memory_order_acquire);
	s->created = atomic_load_explicit(&l->created, memory_order_acquire);
	return n64_is_same(l, s->word);
}

static bool
covers4(const struct sessions *q, be32_t address)
{
	return mr_query_covers(&q->address, false, (const uint8_t *)&address);
}

static bool
matches(const struct sessions *q, const struct shown *s)
{
	be16_t port = mr_be16((uint16_t)q->port);

	if (q->protocol >= 0 && wire[N64_PROTO(s->key.ports) % NAT_PROTOS] != q->protocol)
		return false;
	if (q->instance >= 0 && N64_INSTANCE(s->key.ports) != q->instance)
		return false;
	if (q->port >= 0 && N64_SPORT(s->key.ports) != port && N64_PORT(s->outside) != port &&
	    N64_DPORT(s->key.ports) != port)
		return false;
	return !q->address.given ||
	    mr_query_covers(&q->address, true, (const uint8_t *)s->key.inside) ||
	    covers4(q, N64_ADDRESS(s->outside)) || covers4(q, (be32_t)s->key.remote);
}

static void
put_text(struct sessions *q, uint32_t number, const struct shown *s)
{
	char name[160];

	if (!n64_session_print(q->nat->core->table, number, name, sizeof(name)))
		return;
	mr_lines_put(&q->lines, "%-92s %-12s %s, %us left\n", name, n64_state_name(s->word),
	    q->nat->made[N64_INSTANCE(s->key.ports)].conf.name,
	    n64_left(q->nat->core->table, s->word, s->key.ports, s->seen, q->now));
}

static void
put_json(struct sessions *q, const struct shown *s)
{
	char inside[INET6_ADDRSTRLEN], outside[INET_ADDRSTRLEN], remote[INET_ADDRSTRLEN];
	be32_t address = N64_ADDRESS(s->outside), peer = (be32_t)s->key.remote;

	if (!inet_ntop(AF_INET6, s->key.inside, inside, sizeof(inside)) ||
	    !inet_ntop(AF_INET, &address, outside, sizeof(outside)) ||
	    !inet_ntop(AF_INET, &peer, remote, sizeof(remote)))
		return;
	mr_lines_put(&q->lines, "{\"instance\":\"%s\",\"protocol\":%u,\"inside\":\"%s\",",
	    q->nat->made[N64_INSTANCE(s->key.ports)].conf.name,
	    wire[N64_PROTO(s->key.ports) % NAT_PROTOS], inside);
	mr_lines_put(&q->lines, "\"inside-port\":%u,\"outside\":\"%s\",\"outside-port\":%u,",
	    mr_be16(N64_SPORT(s->key.ports)), outside, mr_be16(N64_PORT(s->outside)));
	mr_lines_put(&q->lines, "\"remote\":\"%s\",\"remote-port\":%u,\"state\":\"%s\",", remote,
	    mr_be16(N64_DPORT(s->key.ports)), n64_state_name(s->word));
	mr_lines_put(&q->lines, "\"age\":%u,\"left\":%u}\n", q->now - s->created,
	    n64_left(q->nat->core->table, s->word, s->key.ports, s->seen, q->now));
}

static bool
make_lines(void *user)
{
	struct sessions *q = user;
	const struct n64_table *t = q->nat->core ? q->nat->core->table : NULL;
	uint32_t top = t ? atomic_load_explicit(&t->sessions.top, memory_order_relaxed) : 0;
	bool more = q->next <= top;

	for (unsigned i = 0; i < AT_ONCE && q->next <= top && q->lines.used < 32768; i++) {
		uint32_t number = q->next++;
		struct shown s;

		if (!look(t, number, q->now, &s) || !matches(q, &s))
			continue;
		q->found++;
		if (q->form == MR_QUERY_TEXT)
			put_text(q, number, &s);
		else if (q->form == MR_QUERY_JSON)
			put_json(q, &s);
	}
	if (more)
		return true;
	if (q->form != MR_QUERY_COUNT || q->told)
		return false;
	q->told = true;
	mr_lines_put(&q->lines, "%llu\n", (unsigned long long)q->found);
	return true;
}

static size_t
stream_read(void *state, char *text, size_t size)
{
	struct sessions *q = state;

	return mr_lines_read(&q->lines, make_lines, q, text, size);
}

static void
stream_close(void *state)
{
	struct sessions *q = state;

	mr_lines_free(&q->lines);
	free(q);
}

static int
read_instance(struct sessions *q, const struct mr_nf_query *asked, struct mr_error *error)
{
	const char *given = asked->value(asked->arg, "instance");

	for (int i = 1; given && i <= (int)N64_INSTANCES_MAX; i++)
		if (q->nat->made[i].pool && strcmp(q->nat->made[i].conf.name, given) == 0)
			q->instance = i;
	return !given || q->instance >= 0
	    ? 0
	    : mr_error_set(error, -ENOENT, "there is no instance \"%s\" of nat64", given);
}

int
n64_stream(void *state, const char *name, const struct mr_nf_query *asked, struct mr_nf_stream *out,
    struct mr_error *error)
{
	struct sessions *q;
	int rc;

	if (strcmp(name, "sessions") != 0)
		return mr_error_set(error, -ENOENT, "nat64 has no %s", name);
	q = calloc(1, sizeof(*q));
	if (!q)
		return mr_error_set(error, -ENOMEM, "no memory");
	q->nat = state;
	q->next = 1;
	q->now = n64_now();
	q->protocol = q->port = q->instance = -1;
	rc = mr_query_form(asked, &q->form, error);
	if (!rc)
		rc = mr_query_protocol(asked, "protocol", &q->protocol, error);
	if (!rc)
		rc = mr_query_number(asked, "port", 1, 65535, "port", &q->port, error);
	if (!rc)
		rc = mr_query_prefix(asked, "address", &q->address, error);
	if (!rc)
		rc = read_instance(q, asked, error);
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
