/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/control_int.h"

static void
show_instance(const struct mr_nat *nat, const struct nat_conf_instance *c, struct mr_state *st)
{
	static const char *const names[] = {
#define X(id, name, doc) [NAT_COUNT_##id] = name,
		NAT_COUNTS(X)
#undef X
	};
	const struct nat_table *t = nat->core->table;
	const struct nat_pool *pool = nat->pools[c->number].pool;
	struct nat_pool_state ports = { 0 };

	if (pool)
		nat_pool_state(pool, &ports);
	mr_state_list(st, "instance-state", c->name);
	mr_state_uint(st, "mappings", nat_mappings(t, c->number));
	mr_state_uint(st, "sessions", nat_sessions(t, c->number));
	mr_state_uint(st, "addresses", ports.addresses);
	mr_state_uint(st, "subscribers", ports.subscribers);
	mr_state_uint(st, "tcp-ports", ports.used[NAT_TCP]);
	mr_state_uint(st, "udp-ports", ports.used[NAT_UDP]);
	mr_state_uint(st, "icmp-identifiers", ports.used[NAT_ICMP]);
	mr_state_uint(st, "ports", ports.ports[NAT_TCP]);
	if (pool)
		nat_pool_show(pool, st);
	mr_state_open(st, "counters");
	for (unsigned i = 0; i < NAT_COUNT_COUNT; i++)
		mr_state_uint(st, names[i],
		    mr_counters_sum(t->counters, c->number * NAT_COUNT_COUNT + i));
	mr_state_close(st);
	mr_state_close(st);
}

void
nat_show(void *state, struct mr_state *st)
{
	const struct mr_nat *nat = state;
	uint32_t used = 0;

	if (!nat->core)
		return;
	for (unsigned n = 0; n <= NAT_INSTANCES_MAX; n++)
		used += nat_mappings(nat->core->table, n);
	mr_state_open(st, "nat");
	nat_journal_show(nat->journal, st);
	mr_state_uint(st, "entries", used);
	mr_state_uint(st, "highest",
	    atomic_load_explicit(&nat->core->table->top, memory_order_relaxed));
	for (unsigned i = 0; i < nat->conf.count; i++)
		show_instance(nat, &nat->conf.instances[i], st);
	mr_state_close(st);
}
