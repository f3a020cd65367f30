/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lane's flows as text, read piece by piece (GET /state/lanes/flows?...):
 *
 *	interface=NAME		came in there
 *	protocol=P		tcp, udp, icmp, icmpv6 or a number
 *	address=A		either end is in this prefix
 *	port=N			either port
 *	flow=WORKER:INDEX	this one
 *	top=N by=packets|bytes|rate	these only, the largest first; rate: of packets since it
 *				began
 *	program=true		and what is done to them, in words
 *	form=text|json|count
 *
 * What is there changes meanwhile: a flow that begins or ends may be shown or not.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/flow/offload.h"
#include "nf/lanes/lanes_int.h"
#include "nf/lines.h"
#include "nf/query.h"

#define TOP_MAX 100000u
#define PROGRAM 4096u
/* Flows looked at in one go. */
#define STEP 16384u

/* What makes a flow large. */
enum size { SIZE_PACKETS, SIZE_BYTES, SIZE_RATE };
static const char *const size_names[] = { "packets", "bytes", "rate" };

struct shown {
	unsigned worker;
	uint32_t index;
	struct mr_flow_peek flow;
};

struct flows {
	struct lanes *all;
	const struct mr_lane *lane; /* that the position is of */
	enum mr_query_form form;
	bool program, told;
	int by;                        /* enum size */
	int interface, protocol, port; /* -1: any */
	struct mr_query_prefix address;
	bool one; /* only this: */
	unsigned one_worker;
	uint32_t one_index;
	unsigned worker;
	uint32_t index; /* the last one seen */
	uint64_t found;
	uint32_t top, top_count, top_next; /* 0: all */
	struct shown *best;
	struct mr_lines lines;
};

/* -- which ------------------------------------------------------------------------------------ */

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
	return !q->address.given ||
	    mr_query_covers(&q->address, MR_FLOW_WHERE_SIX(key->where), key->src) ||
	    mr_query_covers(&q->address, MR_FLOW_WHERE_SIX(key->where), key->dst);
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
		if (q->one && (q->worker != q->one_worker || q->index != q->one_index))
			continue;
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
	switch (q->by) {
	case SIZE_BYTES:
		return s->flow.bytes;
	case SIZE_RATE: /* in thousandths; a flow of this second is taken as one second old */
		return s->flow.packets * 1000 / (s->flow.age + 1);
	default:
		return s->flow.packets;
	}
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

#define put(q, ...) mr_lines_put(&(q)->lines, __VA_ARGS__)

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
	    "{\"interface\":\"%s\",\"flow\":\"%u:%u\",\"worker\":%u,\"vlan\":%u,\"protocol\":%u,"
	    "\"source\":\"%s\","
	    "\"destination\":\"%s\",\"source-port\":%u,\"destination-port\":%u,\"packets\":%llu,"
	    "\"bytes\":%llu,\"age\":%u,\"idle\":%u,\"offloaded\":%s",
	    name_of(q, key), s->worker, s->index, s->worker, MR_FLOW_WHERE_VLAN(key->where),
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
	if (q->form == MR_QUERY_JSON)
		print_json(q, s, program);
	else
		print_text(q, s, program);
}

/* Makes the text of the next flow; false: that was all. */
static bool
make(void *user)
{
	struct flows *q = user;
	unsigned budget = STEP;
	struct shown s;

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
	while (next(q, &s, &budget)) {
		q->found++;
		if (q->form == MR_QUERY_COUNT)
			continue;
		print(q, &s);
		return true;
	}
	/* Nothing in this step, but there is more to look at. */
	if (q->worker < mr_lane_workers(q->lane))
		return true;
	if (q->form != MR_QUERY_COUNT || q->told)
		return false;
	q->told = true;
	put(q, "%llu\n", (unsigned long long)q->found);
	return true;
}

static size_t
stream_read(void *state, char *text, size_t size)
{
	struct flows *q = state;

	return mr_lines_read(&q->lines, make, q, text, size);
}

static void
stream_close(void *state)
{
	struct flows *q = state;

	free(q->best);
	mr_lines_free(&q->lines);
	free(q);
}

/* -- the query ------------------------------------------------------------------------------------ */

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
read_top(struct flows *q, const struct mr_nf_query *query, struct mr_error *error)
{
	int top = 0;
	int rc = mr_query_number(query, "top", 1, TOP_MAX, "number of flows", &top, error);

	if (!rc)
		rc = mr_query_word(query, "by", size_names, MR_ARRAY_COUNT(size_names), "size",
		    &q->by, error);
	if (rc || !top || q->form == MR_QUERY_COUNT)
		return rc;
	q->top = (uint32_t)top;
	q->best = calloc(q->top, sizeof(*q->best));
	return q->best ? 0 : mr_error_set(error, -ENOMEM, "no memory");
}

static int
read_one(struct flows *q, const struct mr_nf_query *query, struct mr_error *error)
{
	const char *given = query->value(query->arg, "flow");
	int end = 0;

	if (!given)
		return 0;
	if (sscanf(given, "%u:%u%n", &q->one_worker, &q->one_index, &end) != 2 || given[end])
		return mr_error_set(error, -EINVAL, "\"%s\" is no flow: WORKER:INDEX", given);
	q->one = true;
	return 0;
}

static int
read_query(struct flows *q, const struct mr_nf_query *query, struct mr_error *error)
{
	const char *given = query->value(query->arg, "program");
	int rc = mr_query_form(query, &q->form, error);

	q->interface = q->protocol = q->port = -1;
	q->program = given && strcmp(given, "true") == 0;
	given = query->value(query->arg, "interface");
	if (!rc && given)
		rc = read_interface(q, given, error);
	if (!rc)
		rc = mr_query_protocol(query, "protocol", &q->protocol, error);
	if (!rc)
		rc = mr_query_prefix(query, "address", &q->address, error);
	if (!rc)
		rc = mr_query_number(query, "port", 0, UINT16_MAX, "port", &q->port, error);
	if (!rc)
		rc = read_one(q, query, error);
	if (!rc)
		rc = read_top(q, query, error);
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
		.type = q->form == MR_QUERY_JSON ? "application/x-ndjson" : "text/plain",
		.read = stream_read,
		.close = stream_close,
		.state = q,
	};
	return 0;
}
