/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections as text, read piece by piece (GET /state/conntrack/connections?...):
 *
 *	protocol=P		tcp, udp, icmp, icmpv6 ... or a number
 *	source=A destination=A	of the first packet: an address or prefix
 *	address=A		either of the two
 *	port=N			either port
 *	zone=NAME state=S
 *	form=text|json|count
 *
 * What is there changes meanwhile: a connection that begins or ends may be shown or not. With the
 * same names but `form` connections are ended (POST /act/flush/connections?...).
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/conntrack/control_int.h"
#include "nf/query.h"

enum where { SOURCE, DESTINATION, EITHER, PLACES };

#define LINE 512u

struct connections {
	const struct mr_conntrack *ct;
	enum mr_query_form form;
	uint32_t next, now;
	uint64_t found;
	int protocol, port, zone; /* -1: any */
	char state[24];
	struct mr_query_prefix prefix[PLACES];
	bool told;
};

static const char *const state_names[] = {
#define X(id, leaf, name, s) [CT_##id] = name,
	CT_TIMEOUTS(X)
#undef X
};

/* -- one connection ----------------------------------------------------------------------- */

struct shown {
	struct ct_key key;
	uint32_t word, seen, created, packets[2];
	uint8_t timeout, state;
};

static bool
look(const struct ct_table *t, uint32_t index, uint32_t now, struct shown *s)
{
	const struct ct_line *c = &t->lines[index];

	s->word = atomic_load_explicit(&c->word, memory_order_acquire);
	if (!(s->word & CT_LIVE) || ct_is_over(t, c, now))
		return false;
	ct_key_load(&t->cold[index], &s->key);
	s->seen = atomic_load_explicit(&c->seen, memory_order_relaxed);
	s->created = atomic_load_explicit(&t->cold[index].created, memory_order_relaxed);
	s->timeout = atomic_load_explicit(&c->timeout, memory_order_relaxed);
	s->state = atomic_load_explicit(&c->state, memory_order_relaxed);
	for (unsigned d = 0; d < 2; d++)
		s->packets[d] = atomic_load_explicit(&c->packets[d], memory_order_relaxed);
	/* The same connection until here? */
	return !(
	    (atomic_load_explicit(&c->word, memory_order_relaxed) ^ s->word) & (CT_AGE | CT_LIVE));
}

static const char *
state_of(const struct shown *s)
{
	if (s->state)
		return state_names[s->state];
	return s->word & CT_ASSURED ? "assured" : s->word & CT_REPLIED ? "replied" : "unreplied";
}

static bool
covers(const struct mr_query_prefix *p, const struct ct_key *key, unsigned end)
{
	return mr_query_covers(p, CT_KEY_FLAGS(key) & CT_KEY_SIX,
	    (const uint8_t *)&key->w[2 * end]);
}

static bool
matches(const struct connections *q, const struct shown *s)
{
	unsigned from = !!(s->word & CT_SWAPPED);

	if (q->protocol >= 0 && CT_KEY_PROTO(&s->key) != q->protocol)
		return false;
	if (q->zone >= 0 && CT_KEY_ZONE(&s->key) != q->zone)
		return false;
	if (q->port >= 0 && CT_KEY_PORT(&s->key, 0) != q->port &&
	    CT_KEY_PORT(&s->key, 1) != q->port)
		return false;
	if (q->state[0] && strcmp(q->state, state_of(s)) != 0)
		return false;
	if (q->prefix[SOURCE].given && !covers(&q->prefix[SOURCE], &s->key, from))
		return false;
	if (q->prefix[DESTINATION].given && !covers(&q->prefix[DESTINATION], &s->key, !from))
		return false;
	return !q->prefix[EITHER].given || covers(&q->prefix[EITHER], &s->key, 0) ||
	    covers(&q->prefix[EITHER], &s->key, 1);
}

static uint32_t
left(const struct connections *q, const struct shown *s)
{
	uint32_t limit =
	    atomic_load_explicit(&q->ct->core->table->timeouts[s->timeout], memory_order_relaxed);
	int32_t quiet = (int32_t)(q->now - s->seen);

	return quiet <= 0 ? limit : (uint32_t)quiet > limit ? 0 : limit - (uint32_t)quiet;
}

static size_t
print_text(const struct connections *q, const struct shown *s, char *text, size_t size)
{
	char name[160];
	uint16_t zone = CT_KEY_ZONE(&s->key);

	ct_key_print(&s->key, s->word & CT_SWAPPED, name, sizeof(name));
	return (size_t)snprintf(text, size, "%-56s %-12s%s%s%s packets %u/%u, %us left\n", name,
	    state_of(s), s->state && (s->word & CT_ASSURED) ? " assured" : "", zone ? " zone " : "",
	    zone ? q->ct->conf.zones[zone % CT_ZONES_MAX].name : "", s->packets[0], s->packets[1],
	    left(q, s));
}

static size_t
print_json(const struct connections *q, const struct shown *s, char *text, size_t size)
{
	unsigned from = !!(s->word & CT_SWAPPED);
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], proto[16], ports[96];
	uint8_t p = CT_KEY_PROTO(&s->key);
	uint16_t sport = CT_KEY_PORT(&s->key, from), dport = CT_KEY_PORT(&s->key, !from);

	ct_end_print(&s->key, from, src, sizeof(src));
	ct_end_print(&s->key, !from, dst, sizeof(dst));
	ct_proto_print(p, proto, sizeof(proto));
	if (p == MR_IP_PROTO_ICMP || p == MR_IP_PROTO_ICMP6)
		snprintf(ports, sizeof(ports), "\"type\":%u,\"code\":%u,\"id\":%u", dport >> 8,
		    dport & 255u, sport);
	else
		snprintf(ports, sizeof(ports), "\"source-port\":%u,\"destination-port\":%u", sport,
		    dport);
	return (size_t)snprintf(text, size,
	    "{\"protocol\":\"%s\",\"source\":\"%s\",\"destination\":\"%s\",%s,\"zone\":\"%s\","
	    "\"state\":\"%s\",\"replied\":%s,\"assured\":%s,\"packets\":%u,\"reply-packets\":%u,"
	    "\"age\":%u,\"left\":%u}\n",
	    proto, src, dst, ports, q->ct->conf.zones[CT_KEY_ZONE(&s->key) % CT_ZONES_MAX].name,
	    state_of(s), s->word & CT_REPLIED ? "true" : "false",
	    s->word & CT_ASSURED ? "true" : "false", s->packets[0], s->packets[1],
	    q->now - s->created, left(q, s));
}

/* -- the stream --------------------------------------------------------------------------- */

static size_t
stream_read(void *state, char *text, size_t size)
{
	struct connections *q = state;
	const struct ct_table *t = q->ct->core ? q->ct->core->table : NULL;
	uint32_t top = t ? atomic_load_explicit(&t->top, memory_order_relaxed) : 0;
	size_t used = 0;

	while (q->next <= top && size - used > LINE) {
		struct shown s;

		if (!look(t, q->next++, q->now, &s) || !matches(q, &s))
			continue;
		q->found++;
		if (q->form == MR_QUERY_TEXT)
			used += print_text(q, &s, text + used, LINE);
		else if (q->form == MR_QUERY_JSON)
			used += print_json(q, &s, text + used, LINE);
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

/* -- the query ---------------------------------------------------------------------------- */

static int
read_state(struct connections *q, const char *given, struct mr_error *error)
{
	static const char *const others[] = { "unreplied", "replied", "assured" };
	bool known = false;

	for (unsigned i = CT_TCP_SYN_SENT; i <= CT_TCP_SYN_SENT2; i++)
		known |= strcmp(state_names[i], given) == 0;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(others); i++)
		known |= strcmp(others[i], given) == 0;
	if (!known)
		return mr_error_set(error, -EINVAL, "there is no state \"%s\" of connections",
		    given);
	snprintf(q->state, sizeof(q->state), "%s", given);
	return 0;
}

static int
read_zone(struct connections *q, const char *given, struct mr_error *error)
{
	for (unsigned z = 0; z < CT_ZONES_MAX; z++)
		if (given[0] && strcmp(q->ct->conf.zones[z].name, given) == 0)
			q->zone = (int)z;
	return q->zone >= 0 ? 0 : mr_error_set(error, -ENOENT, "there is no zone \"%s\"", given);
}

static int
read_query(struct connections *q, const struct mr_nf_query *asked, struct mr_error *error)
{
	static const char *const places[PLACES] = { "source", "destination", "address" };
	const char *value;
	int rc;

	q->protocol = q->port = q->zone = -1;
	rc = mr_query_protocol(asked, "protocol", &q->protocol, error);
	if (!rc)
		rc = mr_query_number(asked, "port", 0, 65535, "port", &q->port, error);
	value = asked->value(asked->arg, "zone");
	if (!rc && value)
		rc = read_zone(q, value, error);
	value = asked->value(asked->arg, "state");
	if (!rc && value)
		rc = read_state(q, value, error);
	for (unsigned i = 0; !rc && i < PLACES; i++)
		rc = mr_query_prefix(asked, places[i], &q->prefix[i], error);
	return rc;
}

/* Null: it says why. */
static struct connections *
ask(struct mr_conntrack *ct, const struct mr_nf_query *asked, struct mr_error *error)
{
	struct connections *q = calloc(1, sizeof(*q));

	if (!q) {
		mr_error_set(error, -ENOMEM, "no memory");
		return NULL;
	}
	q->ct = ct;
	q->next = 1;
	q->now = ct_seconds();
	if (read_query(q, asked, error) == 0)
		return q;
	free(q);
	return NULL;
}

int
ct_stream(void *state, const char *name, const struct mr_nf_query *asked, struct mr_nf_stream *out,
    struct mr_error *error)
{
	enum mr_query_form form = MR_QUERY_TEXT;
	struct connections *q;

	if (strcmp(name, "connections") != 0)
		return mr_error_set(error, -ENOENT, "conntrack has no %s", name);
	if (mr_query_form(asked, &form, error))
		return error->code;
	q = ask(state, asked, error);
	if (!q)
		return error->code;
	q->form = form;
	*out = (struct mr_nf_stream){
		.type = form == MR_QUERY_JSON ? "application/x-ndjson" : "text/plain",
		.read = stream_read,
		.close = stream_close,
		.state = q,
	};
	return 0;
}

/* -- ending connections ------------------------------------------------------------------- */

#define FLUSH_AT_ONCE 65536u
#define FLUSH_TRIES 1000u

/* Workers hold a line for the length of a packet; after that it may be another one's. */
static bool
flush_one(struct connections *q, struct ct_table *t, uint32_t index)
{
	struct shown s;

	for (unsigned tries = 0; tries < FLUSH_TRIES; tries++) {
		if (!look(t, index, q->now, &s) || !matches(q, &s))
			return false;
		if (ct_end(t, MR_POOL_SHARED, index, s.word, CT_COUNT_FLUSHED))
			return true;
		mr_relax();
	}
	return false;
}

static size_t
flush_read(void *state, char *text, size_t size)
{
	struct connections *q = state;
	struct ct_table *t = q->ct->core ? q->ct->core->table : NULL;
	uint32_t top = t ? atomic_load_explicit(&t->top, memory_order_relaxed) : 0, found = 0;

	if (q->told && q->next > top)
		return 0;
	q->told = true;
	for (unsigned i = 0; i < FLUSH_AT_ONCE && q->next <= top; i++)
		found += flush_one(q, t, q->next++);
	/* The flow lane looks at once who is no more. */
	if (found)
		mr_generation_bump(&q->ct->core->settings);
	return (size_t)snprintf(text, size, "%u\n", found);
}

static int
flush(void *state, const struct mr_nf_query *asked, struct mr_nf_stream *out,
    struct mr_error *error)
{
	struct connections *q = ask(state, asked, error);

	if (!q)
		return error->code;
	*out = (struct mr_nf_stream){
		.type = "text/plain",
		.read = flush_read,
		.close = stream_close,
		.state = q,
	};
	return 0;
}

const struct mr_nf_act ct_acts[] = {
	{ "flush connections", "ends tracked connections; what they were is forgotten",
	    "protocol|source|destination|address|port|zone|state", flush },
	{ 0 },
};
