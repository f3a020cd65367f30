/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lane's flows as text, read piece by piece (GET /state/lanes/flows?...):
 *
 *	interface=NAME		came in there
 *	protocol=P		tcp, udp, icmp, icmpv6 or a number
 *	address=A		either end is in this prefix
 *	port=N			either port
 *	top=N by=packets|bytes	these only, the largest first
 *	program=true		and what is done to them, in words
 *	form=text|json|count
 *
 * What is there changes meanwhile: a flow that begins or ends may be shown or not.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/flow/offload.h"
#include "nf/lanes/lanes_int.h"

#define TOP_MAX 100000u
/* Room for one flow, its program with it. */
#define LINE 640u
#define PROGRAM 4096u
/* Flows looked at in one go. */
#define STEP 16384u

enum form { TEXT, JSON, COUNT };

struct shown {
	unsigned worker;
	uint32_t index;
	struct mr_flow_peek flow;
};

struct flows {
	struct lanes *all;
	const struct mr_lane *lane; /* that the position is of */
	enum form form;
	bool program, by_bytes, told;
	int interface, protocol, port; /* -1: any */
	bool address_given, six;
	uint8_t address[16];
	unsigned bits;
	unsigned worker;
	uint32_t index; /* the last one seen */
	uint64_t found;
	uint32_t top, top_count, top_next; /* 0: all */
	struct shown *best;
	char text[4 * PROGRAM + LINE]; /* of one flow, and not yet read */
	size_t used, read;
};

/* -- which ------------------------------------------------------------------------------------ */

static bool
covers(const struct flows *q, const uint8_t *address)
{
	unsigned bytes = q->bits / 8, rest = q->bits % 8;

	if (memcmp(address, q->address, bytes) != 0)
		return false;
	return !rest || ((address[bytes] ^ q->address[bytes]) & (0xff00u >> rest & 0xffu)) == 0;
}

static bool
matches(const struct flows *q, const struct mr_flow_key *key)
{
	unsigned proto = MR_FLOW_WHERE_PROTO(key->where);
	bool ports = proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP;

	if (q->interface >= 0 && MR_FLOW_WHERE_PORT(key->where) != (unsigned)q->interface)
		return false;
	if (q->protocol >= 0 && proto != (unsigned)q->protocol)
		return false;
	if (q->port >= 0 &&
	    (!ports || (mr_be16(key->sport) != q->port && mr_be16(key->dport) != q->port)))
		return false;
	return !q->address_given ||
	    (q->six == MR_FLOW_WHERE_SIX(key->where) &&
		(covers(q, key->src) || covers(q, key->dst)));
}

/* The next flow that is asked for, of at most so many that are looked at. */
static bool
next(struct flows *q, struct shown *s, unsigned *budget)
{
	while (q->worker < mr_lane_workers(q->lane) && *budget > 0) {
		if (q->index >= mr_lane_top(q->lane, q->worker)) {
			q->worker++;
			q->index = 0;
			continue;
		}
		q->index++;
		(*budget)--;
		if (!mr_lane_peek(q->lane, q->worker, q->index, &s->flow) ||
		    !matches(q, &s->flow.key))
			continue;
		s->worker = q->worker;
		s->index = q->index;
		return true;
	}
	return false;
}

/* -- the largest ------------------------------------------------------------------------------- */

static uint64_t
size_of(const struct flows *q, const struct shown *s)
{
	return q->by_bytes ? s->flow.bytes : s->flow.packets;
}

/* best[] is a heap whose smallest is its first. */
static void
sink(struct flows *q, uint32_t at, uint32_t count)
{
	struct shown s = q->best[at];

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= count)
			break;
		if (child + 1 < count &&
		    size_of(q, &q->best[child + 1]) < size_of(q, &q->best[child]))
			child++;
		if (size_of(q, &s) <= size_of(q, &q->best[child]))
			break;
		q->best[at] = q->best[child];
		at = child;
	}
	q->best[at] = s;
}

static void
gather(struct flows *q)
{
	unsigned budget = UINT32_MAX;
	struct shown s;

	while (next(q, &s, &budget)) {
		if (q->top_count < q->top) {
			q->best[q->top_count++] = s;
			for (uint32_t i = q->top_count == q->top ? q->top / 2 : 0; i-- > 0;)
				sink(q, i, q->top);
		} else if (size_of(q, &s) > size_of(q, &q->best[0])) {
			q->best[0] = s;
			sink(q, 0, q->top);
		}
	}
	for (uint32_t i = q->top_count / 2; i-- > 0;)
		sink(q, i, q->top_count);
	/* Sorted: the smallest goes to the end, again and again. */
	for (uint32_t count = q->top_count; count > 1; count--) {
		s = q->best[0];
		q->best[0] = q->best[count - 1];
		q->best[count - 1] = s;
		sink(q, 0, count - 1);
	}
}

/* -- words --------------------------------------------------------------------------------------- */

static const char *
name_of(const struct flows *q, const struct mr_flow_key *key)
{
	const struct mr_interface *i =
	    mr_interface_at(mr_interfaces_of(q->all->dp), (uint16_t)MR_FLOW_WHERE_PORT(key->where));

	return i ? i->name : "?";
}

/* What does not fit is cut: a program has no more words than there is room. */
static void mr_printf(2, 3) put(struct flows *q, const char *fmt, ...)
{
	size_t left = sizeof(q->text) - q->used;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(q->text + q->used, left, fmt, args);
	va_end(args);
	q->used += MR_MIN((size_t)MR_MAX(n, 0), left - 1);
}

static void
print_text(struct flows *q, const struct shown *s, const char *program)
{
	char name[256];

	mr_flow_key_print(&s->flow.key, name_of(q, &s->flow.key), name, sizeof(name));
	put(q, "%-60s %12llu packets %15llu bytes, %us old, idle %us%s\n", name,
	    (unsigned long long)s->flow.packets, (unsigned long long)s->flow.bytes, s->flow.age,
	    s->flow.idle, mr_lane_is_offloaded(q->lane, s->worker, s->index) ? ", offloaded" : "");
	while (*program) {
		const char *end = strchr(program, '\n');
		int len = end ? (int)(end - program) : (int)strlen(program);

		put(q, "    %.*s\n", len, program);
		program += len + (end != NULL);
	}
}

static void
print_json(struct flows *q, const struct shown *s, const char *program)
{
	const struct mr_flow_key *key = &s->flow.key;
	int family = MR_FLOW_WHERE_SIX(key->where) ? AF_INET6 : AF_INET;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	inet_ntop(family, key->src, src, sizeof(src));
	inet_ntop(family, key->dst, dst, sizeof(dst));
	put(q,
	    "{\"interface\":\"%s\",\"worker\":%u,\"vlan\":%u,\"protocol\":%u,\"source\":\"%s\","
	    "\"destination\":\"%s\",\"source-port\":%u,\"destination-port\":%u,\"packets\":%llu,"
	    "\"bytes\":%llu,\"age\":%u,\"idle\":%u,\"offloaded\":%s",
	    name_of(q, key), s->worker, MR_FLOW_WHERE_VLAN(key->where),
	    MR_FLOW_WHERE_PROTO(key->where), src, dst, mr_be16(key->sport), mr_be16(key->dport),
	    (unsigned long long)s->flow.packets, (unsigned long long)s->flow.bytes, s->flow.age,
	    s->flow.idle, mr_lane_is_offloaded(q->lane, s->worker, s->index) ? "true" : "false");
	if (q->program) {
		put(q, ",\"program\":[");
		/* Of names that need no escaping, and words of ours. */
		for (const char *line = program; *line;) {
			const char *end = strchr(line, '\n');
			int len = end ? (int)(end - line) : (int)strlen(line);

			put(q, "%s\"%.*s\"", line == program ? "" : ",", len, line);
			line += len + (end != NULL);
		}
		put(q, "]");
	}
	put(q, "}\n");
}

static void
print(struct flows *q, const struct shown *s)
{
	char program[PROGRAM] = "";

	if (q->program)
		mr_lane_print(q->all->lane, s->worker, s->index, program, sizeof(program));
	if (q->form == JSON)
		print_json(q, s, program);
	else
		print_text(q, s, program);
}

/* Makes the text of the next flow; false: that was all. */
static bool
make(struct flows *q, unsigned *budget)
{
	struct shown s;

	q->used = q->read = 0;
	/* A new configuration's lane: what is shown of the old one must do. */
	if (q->lane != q->all->lane)
		return false;
	if (q->top) {
		if (!q->told)
			gather(q);
		q->told = true;
		if (q->top_next == q->top_count)
			return false;
		print(q, &q->best[q->top_next++]);
		return true;
	}
	while (next(q, &s, budget)) {
		q->found++;
		if (q->form == COUNT)
			continue;
		print(q, &s);
		return true;
	}
	if (q->worker < mr_lane_workers(q->lane) || q->form != COUNT || q->told)
		return false;
	q->told = true;
	q->used =
	    (size_t)snprintf(q->text, sizeof(q->text), "%llu\n", (unsigned long long)q->found);
	return true;
}

static size_t
stream_read(void *state, char *text, size_t size)
{
	struct flows *q = state;
	size_t done = 0, n;

	while (done < size) {
		unsigned budget = STEP;

		if (q->read == q->used) {
			if (!make(q, &budget)) {
				/* Nothing in this step, but there is more to look at. */
				if (!budget && !done)
					continue;
				break;
			}
		}
		n = MR_MIN(size - done, q->used - q->read);
		memcpy(text + done, q->text + q->read, n);
		q->read += n;
		done += n;
	}
	return done;
}

static void
stream_close(void *state)
{
	struct flows *q = state;

	free(q->best);
	free(q);
}

/* -- the query ------------------------------------------------------------------------------------ */

static int
read_number(const char *given, unsigned long least, unsigned long most, const char *what,
    unsigned long *out, struct mr_error *error)
{
	char *end;

	*out = strtoul(given, &end, 10);
	if (given[0] < '0' || given[0] > '9' || *end || *out < least || *out > most)
		return mr_error_set(error, -EINVAL, "\"%s\" is no %s from %lu to %lu", given, what,
		    least, most);
	return 0;
}

static int
read_address(struct flows *q, const char *given, struct mr_error *error)
{
	char text[64], *slash;
	unsigned long bits;
	int rc;

	snprintf(text, sizeof(text), "%s", given);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	q->address_given = true;
	if (inet_pton(AF_INET6, text, q->address) == 1)
		q->six = true;
	else if (inet_pton(AF_INET, text, q->address) != 1)
		return mr_error_set(error, -EINVAL, "\"%s\" is no address and no prefix", given);
	q->bits = q->six ? 128 : 32;
	if (!slash)
		return 0;
	rc = read_number(slash + 1, 0, q->bits, "length of a prefix", &bits, error);
	q->bits = (unsigned)bits;
	return rc;
}

static int
read_protocol(struct flows *q, const char *given, struct mr_error *error)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {
		{ "tcp", MR_IP_PROTO_TCP },
		{ "udp", MR_IP_PROTO_UDP },
		{ "icmp", MR_IP_PROTO_ICMP },
		{ "icmpv6", MR_IP_PROTO_ICMP6 },
	};
	unsigned long number;
	int rc;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(known); i++) {
		if (strcmp(known[i].name, given) != 0)
			continue;
		q->protocol = known[i].number;
		return 0;
	}
	rc = read_number(given, 0, 255, "protocol", &number, error);
	q->protocol = (int)number;
	return rc;
}

static int
read_interface(struct flows *q, const char *given, struct mr_error *error)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(q->all->dp), given);

	if (!i)
		return mr_error_set(error, -ENOENT, "there is no interface \"%s\"", given);
	q->interface = i->index;
	return 0;
}

static int
read_top(struct flows *q, const char *given, const char *by, struct mr_error *error)
{
	unsigned long top;
	int rc = read_number(given, 1, TOP_MAX, "number of flows", &top, error);

	if (rc)
		return rc;
	q->top = (uint32_t)top;
	if (by && strcmp(by, "packets") != 0 && strcmp(by, "bytes") != 0)
		return mr_error_set(error, -EINVAL, "by packets or bytes, not \"%s\"", by);
	q->by_bytes = by && strcmp(by, "bytes") == 0;
	q->best = calloc(q->top, sizeof(*q->best));
	return q->best ? 0 : mr_error_set(error, -ENOMEM, "no memory");
}

static int
read_query(struct flows *q, const struct mr_nf_query *query, struct mr_error *error)
{
	const char *form = query->value(query->arg, "form"), *given;
	unsigned long port;
	int rc = 0;

	q->interface = q->protocol = q->port = -1;
	if (form && strcmp(form, "json") == 0)
		q->form = JSON;
	else if (form && strcmp(form, "count") == 0)
		q->form = COUNT;
	else if (form && strcmp(form, "text") != 0)
		return mr_error_set(error, -EINVAL, "there is no form \"%s\"", form);
	given = query->value(query->arg, "program");
	q->program = given && strcmp(given, "true") == 0;
	given = query->value(query->arg, "interface");
	if (given)
		rc = read_interface(q, given, error);
	given = query->value(query->arg, "protocol");
	if (!rc && given)
		rc = read_protocol(q, given, error);
	given = query->value(query->arg, "address");
	if (!rc && given)
		rc = read_address(q, given, error);
	given = query->value(query->arg, "port");
	if (!rc && given) {
		rc = read_number(given, 0, UINT16_MAX, "port", &port, error);
		q->port = (int)port;
	}
	given = query->value(query->arg, "top");
	if (!rc && given && q->form != COUNT)
		rc = read_top(q, given, query->value(query->arg, "by"), error);
	return rc;
}

int
lanes_stream(void *state, const char *name, const struct mr_nf_query *query,
    struct mr_nf_stream *out, struct mr_error *error)
{
	struct lanes *all = state;
	struct flows *q;
	int rc;

	if (strcmp(name, "flows") != 0 || !all->lane)
		return mr_error_set(error, -ENOENT, "there is no stream \"%s\"", name);
	q = calloc(1, sizeof(*q));
	if (!q)
		return mr_error_set(error, -ENOMEM, "no memory");
	q->all = all;
	q->lane = all->lane;
	rc = read_query(q, query, error);
	if (rc) {
		stream_close(q);
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
