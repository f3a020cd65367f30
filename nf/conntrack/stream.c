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
 * What is there changes meanwhile: a connection that begins or ends may be shown or not.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/conntrack/control_int.h"

enum form { TEXT, JSON, COUNT };
enum where { SOURCE, DESTINATION, EITHER, PLACES };

#define LINE 512u

struct prefix {
	bool given, six;
	uint8_t bits;
	uint8_t bytes[16];
};

struct connections {
	const struct mr_conntrack *ct;
	enum form form;
	uint32_t next, now;
	uint64_t found;
	int protocol, port, zone; /* -1: any */
	char state[24];
	struct prefix prefix[PLACES];
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
covers(const struct prefix *p, const struct ct_key *key, unsigned end)
{
	const uint8_t *a = (const uint8_t *)&key->w[2 * end];
	unsigned bytes = p->bits / 8, rest = p->bits % 8;

	if (p->six != !!(CT_KEY_FLAGS(key) & CT_KEY_SIX) || memcmp(a, p->bytes, bytes) != 0)
		return false;
	return !rest || ((a[bytes] ^ p->bytes[bytes]) & (0xff00u >> rest & 0xffu)) == 0;
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
		if (q->form == TEXT)
			used += print_text(q, &s, text + used, LINE);
		else if (q->form == JSON)
			used += print_json(q, &s, text + used, LINE);
	}
	if (q->form == COUNT && !q->told && size > LINE) {
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
read_prefix(struct prefix *p, const char *given, struct mr_error *error)
{
	char text[64], *slash, *end;
	unsigned long bits;

	snprintf(text, sizeof(text), "%s", given);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	p->given = true;
	if (inet_pton(AF_INET6, text, p->bytes) == 1)
		p->six = true;
	else if (inet_pton(AF_INET, text, p->bytes) != 1)
		return mr_error_set(error, -EINVAL, "\"%s\" is no address and no prefix", given);
	p->bits = p->six ? 128 : 32;
	if (!slash)
		return 0;
	bits = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || bits > p->bits)
		return mr_error_set(error, -EINVAL, "\"%s\": no such length of a prefix", given);
	p->bits = (uint8_t)bits;
	return 0;
}

static int
read_number(const char *given, unsigned most, const char *what, int *out, struct mr_error *error)
{
	char *end;
	unsigned long n = strtoul(given, &end, 10);

	if (given[0] < '0' || given[0] > '9' || *end || n > most)
		return mr_error_set(error, -EINVAL, "\"%s\" is no %s", given, what);
	*out = (int)n;
	return 0;
}

static int
read_protocol(const char *given, int *out, struct mr_error *error)
{
	char name[16];

	for (unsigned p = 0; p < 256; p++) {
		ct_proto_print((uint8_t)p, name, sizeof(name));
		if (strcmp(name, given) != 0)
			continue;
		*out = (int)p;
		return 0;
	}
	return read_number(given, 255, "protocol", out, error);
}

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
	const char *form = asked->value(asked->arg, "form"), *value;
	int rc = 0;

	q->protocol = q->port = q->zone = -1;
	if (form && strcmp(form, "json") == 0)
		q->form = JSON;
	else if (form && strcmp(form, "count") == 0)
		q->form = COUNT;
	else if (form && strcmp(form, "text") != 0)
		return mr_error_set(error, -EINVAL, "there is no form \"%s\"", form);
	value = asked->value(asked->arg, "protocol");
	if (value)
		rc = read_protocol(value, &q->protocol, error);
	value = asked->value(asked->arg, "port");
	if (!rc && value)
		rc = read_number(value, 65535, "port", &q->port, error);
	value = asked->value(asked->arg, "zone");
	if (!rc && value)
		rc = read_zone(q, value, error);
	value = asked->value(asked->arg, "state");
	if (!rc && value)
		rc = read_state(q, value, error);
	for (unsigned i = 0; !rc && i < PLACES; i++) {
		value = asked->value(asked->arg, places[i]);
		if (value)
			rc = read_prefix(&q->prefix[i], value, error);
	}
	return rc;
}

int
ct_stream(void *state, const char *name, const struct mr_nf_query *asked, struct mr_nf_stream *out,
    struct mr_error *error)
{
	struct connections *q;
	int rc;

	if (strcmp(name, "connections") != 0)
		return mr_error_set(error, -ENOENT, "conntrack has no %s", name);
	q = calloc(1, sizeof(*q));
	if (!q)
		return mr_error_set(error, -ENOMEM, "no memory");
	q->ct = state;
	q->next = 1;
	q->now = ct_seconds();
	rc = read_query(q, asked, error);
	if (rc) {
		free(q);
		return rc;
	}
	*out = (struct mr_nf_stream){
		.type = q->form == JSON ? "application/x-ndjson" : "text/plain",
		.read = stream_read,
		.close = stream_close,
		.state = q,
	};
	return 0;
}
