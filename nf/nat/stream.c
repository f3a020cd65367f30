/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mappings and sessions as text, read piece by piece (GET /state/nat/sessions?...):
 *
 *	instance=NAME protocol=P
 *	address=A		an inside, outside or remote address or prefix
 *	port=N			of any end
 *	form=text|json|count
 *
 * A line for each mapping with its first session, and one for each further session. What is there
 * changes meanwhile: what begins or ends may be shown or not.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lines.h"
#include "nf/nat/control_int.h"
#include "nf/query.h"

#define AT_ONCE 4096u /* lines of the table looked at in one go */

struct sessions {
	const struct mr_nat *nat;
	struct mr_lines lines;
	enum mr_query_form form;
	uint32_t next, now;
	uint64_t found;
	int protocol, port, instance; /* -1: any */
	struct mr_query_prefix address;
	bool told;
};

struct shown {
	uint64_t inside, outside, remote, scope;
	uint32_t word, seen, created, lease; /* lease: seconds that it still lasts */
	uint8_t state, timeout;
};

static bool
look(const struct nat_table *t, uint32_t number, uint32_t now, struct shown *s)
{
	const struct nat_entry *e = &t->entries[number];

	s->word = atomic_load_explicit(&e->word, memory_order_acquire);
	/* Of a static address one of its two lines is enough. */
	s->scope = atomic_load_explicit(&e->scope, memory_order_acquire);
	if (!(s->word & NAT_LIVE) || nat_is_over(t, e, s->word, now) ||
	    s->scope == NAT_SCOPE(0, NAT_SCOPE_FIXED_IN) || (s->word & NAT_SHARE))
		return false;
	s->inside = atomic_load_explicit(&e->inside, memory_order_acquire);
	s->outside = atomic_load_explicit(&e->outside, memory_order_acquire);
	s->remote = s->word & (NAT_CHILD | NAT_SESSION)
	    ? atomic_load_explicit(&e->remote, memory_order_acquire)
	    : s->scope & NAT_ENDS;
	s->seen = atomic_load_explicit(&e->seen, memory_order_acquire);
	s->created = atomic_load_explicit(&e->created, memory_order_acquire);
	s->state = atomic_load_explicit(&e->state, memory_order_acquire);
	s->timeout = atomic_load_explicit(&e->timeout, memory_order_acquire);
	s->lease = nat_is_leased(t, e, s->word, now)
	    ? atomic_load_explicit(&t->leases[number].until, memory_order_relaxed) - now
	    : 0;
	return nat_is_same(e, s->word);
}

static bool
covers(const struct sessions *q, uint64_t end)
{
	be32_t a = NAT_ADDRESS(end);

	return a && mr_query_covers(&q->address, false, (const uint8_t *)&a);
}

static bool
matches(const struct sessions *q, const struct shown *s)
{
	be16_t port = mr_be16((uint16_t)q->port);

	if (q->protocol >= 0 && NAT_PROTO_OF(s->inside) != q->protocol)
		return false;
	if (q->instance >= 0 && NAT_INSTANCE_OF(s->inside) != q->instance)
		return false;
	if (q->port >= 0 && NAT_PORT_OF(s->inside) != port && NAT_PORT_OF(s->outside) != port &&
	    NAT_PORT_OF(s->remote) != port)
		return false;
	return !q->address.given || covers(q, s->inside) || covers(q, s->outside) ||
	    covers(q, s->remote);
}

static const char *
state_of(const struct shown *s)
{
	static const char *const names[] = {
#define X(id, name) [NAT_TCP_##id] = name,
		NAT_TCP_STATES(X)
#undef X
	};

	if (s->word & NAT_STATIC)
		return "static";
	if (s->state)
		return names[s->state % NAT_TCP_COUNT];
	if (s->lease)
		return "leased";
	return s->word & NAT_SHARED ? "shared" : s->word & NAT_CHILD ? "session" : "mapping";
}

static uint32_t
left(const struct sessions *q, const struct shown *s)
{
	uint32_t limit = atomic_load_explicit(
	    &q->nat->core->table->timeouts[NAT_INSTANCE_OF(s->inside)][s->timeout],
	    memory_order_relaxed);
	int32_t quiet = (int32_t)(q->now - s->seen);
	uint32_t time = quiet <= 0 ? limit : (uint32_t)quiet > limit ? 0 : limit - (uint32_t)quiet;

	return MR_MAX(time, s->lease);
}

static const char *
instance_name(const struct sessions *q, uint8_t number)
{
	for (unsigned i = 0; i < q->nat->conf.count; i++)
		if (q->nat->conf.instances[i].number == number)
			return q->nat->conf.instances[i].name;
	return "?";
}

static const char *
address_print(uint64_t end, char text[INET_ADDRSTRLEN])
{
	be32_t a = NAT_ADDRESS(end);

	return inet_ntop(AF_INET, &a, text, INET_ADDRSTRLEN);
}

static void
put_text(struct sessions *q, uint32_t number, const struct shown *s)
{
	char name[96], remote[INET_ADDRSTRLEN], to[32] = "";

	nat_mapping_print(q->nat->core->table, number, name, sizeof(name));
	if (NAT_ADDRESS(s->remote))
		snprintf(to, sizeof(to), NAT_PORT_OF(s->remote) ? "%s:%u" : "%s",
		    address_print(s->remote, remote), mr_be16(NAT_PORT_OF(s->remote)));
	mr_lines_put(&q->lines, "%-52s to %-22s %-12s %s", name, to[0] ? to : "anybody",
	    state_of(s), instance_name(q, NAT_INSTANCE_OF(s->inside)));
	if (s->word & NAT_STATIC)
		mr_lines_put(&q->lines, "\n");
	else
		mr_lines_put(&q->lines, ", %us left\n", left(q, s));
}

static void
put_json(struct sessions *q, const struct shown *s)
{
	char text[INET_ADDRSTRLEN];

	mr_lines_put(&q->lines, "{\"instance\":\"%s\",\"protocol\":%u,\"inside\":\"%s\",",
	    instance_name(q, NAT_INSTANCE_OF(s->inside)), NAT_PROTO_OF(s->inside),
	    address_print(s->inside, text));
	mr_lines_put(&q->lines, "\"inside-port\":%u,\"outside\":\"%s\",",
	    mr_be16(NAT_PORT_OF(s->inside)), address_print(s->outside, text));
	mr_lines_put(&q->lines, "\"outside-port\":%u,", mr_be16(NAT_PORT_OF(s->outside)));
	if (NAT_ADDRESS(s->remote))
		mr_lines_put(&q->lines, "\"remote\":\"%s\",\"remote-port\":%u,",
		    address_print(s->remote, text), mr_be16(NAT_PORT_OF(s->remote)));
	mr_lines_put(&q->lines, "\"state\":\"%s\",\"age\":%u", state_of(s), q->now - s->created);
	if (!(s->word & NAT_STATIC))
		mr_lines_put(&q->lines, ",\"left\":%u", left(q, s));
	if (s->lease)
		mr_lines_put(&q->lines, ",\"lease\":%u", s->lease);
	mr_lines_put(&q->lines, "}\n");
}

static bool
make_lines(void *user)
{
	struct sessions *q = user;
	const struct nat_table *t = q->nat->core ? q->nat->core->table : NULL;
	uint32_t top = t ? atomic_load_explicit(&t->top, memory_order_relaxed) : 0;
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

	for (unsigned i = 0; given && i < q->nat->conf.count; i++)
		if (strcmp(q->nat->conf.instances[i].name, given) == 0)
			q->instance = q->nat->conf.instances[i].number;
	return !given || q->instance >= 0
	    ? 0
	    : mr_error_set(error, -ENOENT, "there is no instance \"%s\" of nat", given);
}

int
nat_stream(void *state, const char *name, const struct mr_nf_query *asked, struct mr_nf_stream *out,
    struct mr_error *error)
{
	struct sessions *q;
	int rc;

	if (strcmp(name, "holders") == 0)
		return nat_journal_stream(((struct mr_nat *)state)->journal, asked, out, error);
	if (strcmp(name, "sessions") != 0)
		return mr_error_set(error, -ENOENT, "nat has no %s", name);
	q = calloc(1, sizeof(*q));
	if (!q)
		return mr_error_set(error, -ENOMEM, "no memory");
	q->nat = state;
	q->next = 1;
	q->now = nat_seconds();
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
