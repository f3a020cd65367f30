/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/conntrack/control_int.h"

enum { TCP, UDP, ICMP, OTHER, PROTOCOLS };

struct census {
	uint32_t protocols[PROTOCOLS];
	uint32_t states[CT_TCP_SYN_SENT2 + 1];
};

static void
count_all(const struct ct_table *t, struct census *n)
{
	uint32_t top = atomic_load_explicit(&t->top, memory_order_relaxed);

	for (uint32_t i = 1; i <= top; i++) {
		const struct ct_line *c = &t->lines[i];
		uint8_t timeout = atomic_load_explicit(&c->timeout, memory_order_relaxed);
		uint8_t state = atomic_load_explicit(&c->state, memory_order_relaxed);

		if (!(atomic_load_explicit(&c->word, memory_order_relaxed) & CT_LIVE))
			continue;
		if (state) {
			n->protocols[TCP]++;
			n->states[state]++;
		} else if (timeout == CT_UDP || timeout == CT_UDP_STREAM) {
			n->protocols[UDP]++;
		} else if (timeout == CT_ICMP || timeout == CT_ICMP6) {
			n->protocols[ICMP]++;
		} else {
			n->protocols[OTHER]++;
		}
	}
}

static void
show_zone(const struct mr_conntrack *ct, unsigned z, struct mr_state *st)
{
	static const char *const names[] = {
#define X(id, name, doc) [CT_COUNT_##id] = name,
		CT_COUNTS(X)
#undef X
	};
	const struct ct_table *t = ct->core->table;

	mr_state_list(st, "zone-state", ct->conf.zones[z].name);
	mr_state_uint(st, "connections",
	    atomic_load_explicit(&t->zones[z].connections, memory_order_relaxed));
	mr_state_open(st, "counters");
	for (unsigned i = 0; i < CT_COUNT_COUNT; i++)
		mr_state_uint(st, names[i], mr_counters_sum(t->counters, z * CT_COUNT_COUNT + i));
	mr_state_close(st);
	mr_state_close(st);
}

void
ct_show(void *state, struct mr_state *st)
{
	static const char *const protocols[PROTOCOLS] = { "tcp", "udp", "icmp", "other" };
	static const char *const names[] = {
#define X(id, leaf, name, s) [CT_##id] = name,
		CT_TIMEOUTS(X)
#undef X
	};
	const struct mr_conntrack *ct = state;
	struct census n = { 0 };
	uint32_t waiting = 0;

	if (!ct->core)
		return;
	count_all(ct->core->table, &n);
	mr_state_open(st, "conntrack");
	mr_state_uint(st, "connections", ct_table_used(ct->core->table));
	mr_state_uint(st, "highest",
	    atomic_load_explicit(&ct->core->table->top, memory_order_relaxed));
	for (unsigned i = 0; ct->core->fragments[i]; i++)
		waiting += ct_fragments_waiting(ct->core->fragments[i]);
	mr_state_uint(st, "fragments-waiting", waiting);
	mr_state_open(st, "protocols");
	for (unsigned i = 0; i < PROTOCOLS; i++)
		mr_state_uint(st, protocols[i], n.protocols[i]);
	mr_state_close(st);
	mr_state_open(st, "tcp-states");
	for (unsigned i = CT_TCP_SYN_SENT; i <= CT_TCP_SYN_SENT2; i++)
		mr_state_uint(st, names[i], n.states[i]);
	mr_state_close(st);
	for (unsigned z = 0; z < CT_ZONES_MAX; z++)
		if (ct->conf.zones[z].name[0])
			show_zone(ct, z, st);
	mr_state_close(st);
}
