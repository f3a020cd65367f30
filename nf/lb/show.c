/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "nf/lb/control_int.h"

static const char *
state_of(const struct mr_lb *lb, const struct lb_conf_backend *b)
{
	const struct lb_live *live = &lb->core->live[b->number];

	if (b->leaving)
		return "leaving";
	if (b->admin == MR_LB_DOWN)
		return "down";
	if (lb->records[b->number].unhealthy)
		return "unhealthy";
	if (b->admin == MR_LB_DRAIN)
		return "drain";
	if (b->max && atomic_load_explicit(&live->active, memory_order_relaxed) >= b->max)
		return "full";
	return "up";
}

static uint64_t
traffic(const struct mr_lb *lb, uint16_t backend, enum lb_traffic what)
{
	return mr_counters_sum(lb->core->traffic, (uint32_t)backend * LB_TRAFFIC_COUNT + what);
}

static void
show_backend(const struct mr_lb *lb, const struct lb_conf_backend *b, struct mr_state *st)
{
	const struct lb_live *live = &lb->core->live[b->number];
	const struct lb_record *r = &lb->records[b->number];
	char name[MR_PORT_NAME_MAX + 16], text[64];
	uint32_t now = lb_seconds();

	/* Its name may be another's by now. */
	snprintf(name, sizeof(name), b->leaving ? "%s (leaving, %u)" : "%s", b->name, b->number);
	mr_state_list(st, "backend", name);
	mr_state_text(st, "address", lb_ip_print(b->ip.bytes, b->ip.six, text));
	if (b->port)
		mr_state_uint(st, "port", b->port);
	mr_state_text(st, "state", state_of(lb, b));
	if (r->why[0])
		mr_state_text(st, "reason", r->why);
	mr_state_uint(st, "weight", b->weight);
	mr_state_uint(st, "mtu", atomic_load_explicit(&live->mtu, memory_order_relaxed));
	if (r->draining && r->drain_until)
		mr_state_uint(st, "drains-for", r->drain_until > now ? r->drain_until - now : 0);
	mr_state_uint(st, "connections", atomic_load_explicit(&live->active, memory_order_relaxed));
	mr_state_uint(st, "connections-total", traffic(lb, b->number, LB_TRAFFIC_CONNECTIONS));
	mr_state_uint(st, "packets", traffic(lb, b->number, LB_TRAFFIC_PACKETS));
	mr_state_uint(st, "bytes", traffic(lb, b->number, LB_TRAFFIC_BYTES));
	mr_state_uint(st, "back-packets", traffic(lb, b->number, LB_TRAFFIC_BACK_PACKETS));
	mr_state_uint(st, "back-bytes", traffic(lb, b->number, LB_TRAFFIC_BACK_BYTES));
	mr_state_close(st);
}

void
lb_show(void *state, struct mr_state *st)
{
	static const char *const names[] = {
#define X(id, name, doc) [LB_COUNT_##id] = name,
		LB_COUNTS(X)
#undef X
	};
	const struct mr_lb *lb = state;

	if (!lb->core)
		return;
	mr_state_open(st, "lb");
	mr_state_uint(st, "connections",
	    atomic_load_explicit(&lb->core->table->used, memory_order_relaxed));
	mr_state_open(st, "counters");
	for (unsigned i = 0; i < LB_COUNT_COUNT; i++)
		mr_state_uint(st, names[i], mr_counters_sum(lb->core->table->counters, i));
	mr_state_close(st);
	for (unsigned i = 0; i < lb->now.service_count; i++) {
		const struct lb_conf_service *s = &lb->now.services[i];

		mr_state_list(st, "service-state", s->name);
		mr_state_text(st, "mode", lb_mode_names[s->settings.mode]);
		mr_state_text(st, "scheduler", lb_scheduler_names[s->settings.scheduler]);
		mr_state_bool(st, "without-entry", lb->view->services[s->number].stateless);
		for (unsigned b = 0; b < s->backend_count; b++)
			if (!s->backends[b].gone)
				show_backend(lb, &s->backends[b], st);
		mr_state_close(st);
	}
	mr_state_close(st);
}
