/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>

#include "nf/nat64/control_int.h"

static const char *const protos[NAT_PROTOS] = { "tcp", "udp", "icmp" };

const char *
n64_state_name(uint64_t word)
{
	static const char *const names[16] = {
#define X(id, name, time, doc) [N64_STATE_##id] = name,
		N64_STATES(X)
#undef X
	};

	return names[N64_STATE(word)] ? names[N64_STATE(word)] : "?";
}

size_t
n64_session_print(const struct n64_table *t, uint32_t number, char *text, size_t size)
{
	const struct n64_line *l = &t->sessions.lines[number];
	char inside[INET6_ADDRSTRLEN], outside[INET_ADDRSTRLEN], remote[INET_ADDRSTRLEN];
	uint64_t end = atomic_load_explicit(&l->outside, memory_order_relaxed);
	be32_t address = N64_ADDRESS(end), peer;
	struct n64_key key;

	n64_key_load(l, &key);
	peer = (be32_t)key.remote;
	if (!inet_ntop(AF_INET6, key.inside, inside, sizeof(inside)) ||
	    !inet_ntop(AF_INET, &address, outside, sizeof(outside)) ||
	    !inet_ntop(AF_INET, &peer, remote, sizeof(remote)))
		return 0;
	return (size_t)snprintf(text, size, "%s [%s]:%u as %s:%u to %s:%u",
	    protos[N64_PROTO(key.ports) % NAT_PROTOS], inside, mr_be16(N64_SPORT(key.ports)),
	    outside, mr_be16(N64_PORT(end)), remote, mr_be16(N64_DPORT(key.ports)));
}

bool
n64_describe(const struct n64_core *core, const struct mr_op *op, char *text, size_t size)
{
	bool out;
	char name[160];
	uint32_t number = (uint32_t)op->a;

	if (op->kind != MR_OP_NOTE || !op->text)
		return false;
	out = strcmp(op->text, N64_NOTE_OUT) == 0;
	if (!out && strcmp(op->text, N64_NOTE_IN) != 0)
		return false;
	if (!number ||
	    number > atomic_load_explicit(&core->table->sessions.top, memory_order_relaxed)) {
		snprintf(text, size, "NAT64 %s, without a session", out ? "to IPv4" : "to IPv6");
		return true;
	}
	n64_session_print(core->table, number, name, sizeof(name));
	snprintf(text, size, "NAT64 %s: %s", out ? "to IPv4" : "to IPv6", name);
	return true;
}

static void
show_instance(const struct mr_nat64 *n, unsigned number, struct mr_state *st)
{
	static const char *const counts[] = {
#define X(id, name, doc) name,
		N64_COUNTS(X)
#undef X
	};
	const struct n64_made *m = &n->made[number];
	const struct n64_table *t = n->core->table;
	uint64_t count[N64_COUNT_COUNT];
	struct nat_pool_state pool;
	char prefix[INET6_ADDRSTRLEN];

	mr_state_list(st, "instance-state", m->conf.name);
	if (inet_ntop(AF_INET6, m->conf.prefix.bytes, prefix, sizeof(prefix)))
		mr_state_format(st, "prefix", "%s/%u", prefix, m->conf.prefix.len);
	for (unsigned i = 0; i < N64_COUNT_COUNT; i++)
		count[i] = mr_counters_sum(t->counters, number * N64_COUNT_COUNT + i);
	mr_state_uint(st, "bindings", count[N64_COUNT_BINDINGS] - count[N64_COUNT_BINDINGS_ENDED]);
	mr_state_uint(st, "sessions", count[N64_COUNT_SESSIONS] - count[N64_COUNT_SESSIONS_ENDED]);
	nat_pool_state(m->pool, &pool);
	mr_state_uint(st, "addresses", pool.addresses);
	mr_state_uint(st, "subscribers", pool.subscribers);
	mr_state_open(st, "ports");
	for (unsigned i = 0; i < NAT_PROTOS; i++)
		mr_state_format(st, protos[i], "%lu of %lu", (unsigned long)pool.used[i],
		    (unsigned long)pool.ports[i]);
	mr_state_close(st);
	mr_state_open(st, "counters");
	for (unsigned i = 0; i < N64_COUNT_COUNT; i++)
		mr_state_uint(st, counts[i], count[i]);
	mr_state_close(st);
	mr_state_close(st);
}

/* The interface's node for the other side. */
static const struct n64_stage *
find_other(const struct mr_nat64 *n, const struct n64_stage *s)
{
	const struct n64_stage *other = n->stages;

	while (
	    other && (other->self.port != s->self.port || other->self.outside == s->self.outside))
		other = other->next;
	return other;
}

void
n64_show(void *state, struct mr_state *st)
{
	static const char *const names[] = {
#define X(id, name, doc) name,
		N64_COUNTERS(X)
#undef X
	};
	const struct mr_nat64 *n = state;

	if (!n->core)
		return;
	mr_state_open(st, "nat64");
	for (unsigned i = 1; i <= N64_INSTANCES_MAX; i++)
		if (n->made[i].pool)
			show_instance(n, i, st);
	for (const struct n64_stage *s = n->stages; s; s = s->next) {
		struct mr_node_stats stats, more = { 0 };
		const struct n64_stage *other = find_other(n, s);

		/* One that is inside and outside is shown once. */
		if ((other && s->self.outside) ||
		    mr_graph_node_stats(mr_dataplane_graph(n->dp), s->node, &stats))
			continue;
		if (other)
			(void)mr_graph_node_stats(mr_dataplane_graph(n->dp), other->node, &more);
		mr_state_list(st, "interface-state", s->name);
		for (unsigned i = 0; i < N64_COUNTER_COUNT; i++)
			mr_state_uint(st, names[i], stats.counters[i] + more.counters[i]);
		mr_state_close(st);
	}
	mr_state_close(st);
}
