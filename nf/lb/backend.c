/* SPDX-License-Identifier: Apache-2.0 */
/* Who is fit for what, and what follows when that changes between two commits. */
#include "nf/lb/backend.h"

#include <stdio.h>
#include <string.h>

#include "nf/lb/control_int.h"

struct lb_conf_backend *
lb_backend_of(const struct lb_conf *c, unsigned backend, struct lb_conf_service **service)
{
	for (unsigned i = 0; i < c->service_count; i++)
		for (unsigned b = 0; b < c->services[i].backend_count; b++) {
			if (c->services[i].backends[b].number != backend)
				continue;
			*service = &c->services[i];
			return &c->services[i].backends[b];
		}
	return NULL;
}

uint32_t
lb_fit_of(const struct mr_lb *lb, const struct lb_conf_backend *b)
{
	const struct lb_record *r = &lb->records[b->number];

	if (b->admin == MR_LB_DOWN || (r->unhealthy && !b->leaving))
		return 0;
	if (b->admin == MR_LB_UP)
		return LB_FIT_NEW | LB_FIT_OLD;
	/* Draining, until its time is over. */
	return r->draining && r->drain_until && lb_seconds() >= r->drain_until ? 0 : LB_FIT_OLD;
}

static void
replace_choice(struct mr_lb *lb, uint16_t service, int six, const uint32_t *fit)
{
	struct lb_choice *made, *old;
	struct mr_error error;

	if (lb_choice_make(&made, lb->view, fit, service, six, &lb->sizes[service], &error)) {
		/* The old one stays; of it, who is not fit is passed over. */
		mr_log(mr_dataplane_log(lb->dp), MR_LOG_ERROR, "load balancer: %s", error.text);
		return;
	}
	old = mr_rcu_swap(&lb->core->services[service].choice[six], made);
	mr_rcu_synchronize();
	lb_choice_free(old);
}

void
lb_refit(struct mr_lb *lb, const struct lb_conf_service *s, const struct lb_conf_backend *b)
{
	struct lb_live *live = &lb->core->live[b->number];
	uint32_t fit = lb_fit_of(lb, b), fits[LB_BACKENDS_MAX];

	if (atomic_load_explicit(&live->fit, memory_order_relaxed) == fit)
		return;
	atomic_store_explicit(&live->fit, fit, memory_order_relaxed);
	for (uint32_t i = 0; i < lb->view->backend_end; i++)
		fits[i] = lb_fit(lb->core, (uint16_t)i);
	for (int six = 0; six < 2; six++)
		replace_choice(lb, s->number, six, fits);
	mr_generation_bump(&live->changed);
}

/* Drained ones whose time is over. */
void
lb_drain_tick(struct mr_lb *lb, uint32_t seconds)
{
	bool ended = false;

	for (unsigned i = 0; i < lb->now.service_count; i++) {
		const struct lb_conf_service *s = &lb->now.services[i];

		for (unsigned k = 0; k < s->backend_count; k++) {
			struct lb_conf_backend *b = &s->backends[k];
			const struct lb_record *r = &lb->records[b->number];
			const struct lb_live *live = &lb->core->live[b->number];

			if (r->draining && r->drain_until && seconds >= r->drain_until &&
			    lb_fit(lb->core, b->number)) {
				lb_refit(lb, s, b);
				ended = true;
			}
			b->gone |= b->leaving &&
			    !atomic_load_explicit(&live->active, memory_order_relaxed);
		}
	}
	if (ended)
		lb_break_stale(lb);
}

/* -- stale ones ----------------------------------------------------------------------------- */

struct stale {
	const struct lb_core *core;
	const struct lb_view *view;
};

static bool
is_stale(const void *arg, const struct lb_found *f)
{
	const struct stale *s = arg;
	const struct lb_view *v = s->view;
	uint64_t tail = f->front[2];
	bool sticky = LB_TAIL_FLAGS(tail) & LB_KEY_STICKY;

	if (f->service >= v->service_end || !v->services[f->service].present ||
	    f->backend >= v->backend_end || v->backends[f->backend].service != f->service ||
	    !(lb_fit(s->core, f->backend) & LB_FIT_OLD))
		return true;
	if (sticky)
		return !v->services[f->service].sticky;
	if (LB_TAIL_PLACE(tail) >= v->address_count ||
	    lb_rule_find(v, &v->addresses[LB_TAIL_PLACE(tail)], LB_TAIL_PROTO(tail),
		LB_TAIL_OWN_PORT(tail)) != f->service)
		return true;
	return (LB_TAIL_FLAGS(f->back_tail) & LB_KEY_FULL) &&
	    (f->source >= v->address_count || !(v->addresses[f->source].roles & LB_ROLE_SOURCE));
}

void
lb_break_stale(struct mr_lb *lb)
{
	const struct stale s = { lb->core, lb->view };

	lb_break(lb->core->table, is_stale, &s);
}

/* -- for the health checker ------------------------------------------------------------------ */

bool
mr_lb_backend_next(const struct mr_lb *lb, unsigned *index, struct mr_lb_backend *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < lb->now.service_count; i++) {
		const struct lb_conf_service *s = &lb->now.services[i];

		for (unsigned k = 0; k < s->backend_count; k++) {
			const struct lb_conf_backend *b = &s->backends[k];
			const struct lb_ports *p = s->ports;

			if (b->leaving || n++ < *index)
				continue;
			*index = n;
			*out = (struct mr_lb_backend){ .service = s->number,
				.backend = b->number,
				.service_name = s->name,
				.name = b->name,
				.vrf = s->router,
				.check = &s->check,
				.six = b->ip.six,
				.healthy = !lb->records[b->number].unhealthy,
				.protocol = s->settings.proto,
				.admin = (uint8_t)b->admin,
				.port = s->check.port     ? s->check.port
				    : b->port             ? b->port
				    : p->first == p->last ? p->first
							  : 0 };
			memcpy(out->address, b->ip.bytes, 16);
			return true;
		}
	}
	return false;
}

uint32_t
mr_lb_version(const struct mr_lb *lb)
{
	return lb->version;
}

void
mr_lb_set_health(struct mr_lb *lb, unsigned service, unsigned backend, bool healthy,
    const char *why)
{
	struct lb_conf_service *s;
	const struct lb_conf_backend *b = lb_backend_of(&lb->now, backend, &s);
	struct lb_record *r;

	if (!b || s->number != service || b->leaving)
		return;
	r = &lb->records[backend];
	snprintf(r->why, sizeof(r->why), "%s", why ? why : "");
	if (r->unhealthy == !healthy)
		return;
	r->unhealthy = !healthy;
	mr_log(mr_dataplane_log(lb->dp), healthy ? MR_LOG_INFO : MR_LOG_WARNING,
	    "load balancer: service %s: server %s is %s%s%s", s->name, b->name,
	    healthy ? "fit again" : "not fit", why ? ": " : "", why ? why : "");
	lb_refit(lb, s, b);
}
