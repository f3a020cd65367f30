/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The function's life in one data plane. What a configuration says is made into a view and into
 * each service's choices in prepare; commit publishes them; finish, when no worker has the old
 * ones any more, ends the connections that nobody stands for and frees what is over.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nf/lb/control_int.h"

#define SWEEP_SECONDS 8u /* all lines are looked at in this time */
#define NO_NODE UINT16_MAX

extern const char mr_yang_lb[];

uint32_t
lb_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

static int
create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct mr_lb *lb = calloc(1, sizeof(*lb));

	if (!lb)
		return mr_error_set(error, -ENOMEM, "no memory");
	lb->dp = dp;
	lb->base = mr_router_base_of(dp);
	lb->send = NO_NODE;
	lb->records = calloc(LB_BACKENDS_MAX, sizeof(*lb->records));
	if (!lb->records || mr_hash_key_random(&lb->key, error)) {
		free(lb->records);
		free(lb);
		return mr_error_set(error, -ENOMEM, "no memory");
	}
	*state = lb;
	return 0;
}

/* -- nodes ----------------------------------------------------------------------------------- */

static void
remove_node(struct mr_lb *lb, uint16_t *node)
{
	if (*node != NO_NODE)
		mr_graph_remove_node(mr_dataplane_graph(lb->dp), *node);
	*node = NO_NODE;
}

static void
remove_instance(struct mr_lb *lb, struct lb_instance *i)
{
	if (!i->made)
		return;
	remove_node(lb, &i->front);
	remove_node(lb, &i->back);
	i->made = false;
}

static int
make_instance(struct mr_lb *lb, struct lb_instance *i, const char *name, struct mr_error *error)
{
	struct mr_graph *graph = mr_dataplane_graph(lb->dp);
	char text[MR_GRAPH_NAME_MAX];
	int rc;

	if (i->made)
		return 0;
	snprintf(i->name, sizeof(i->name), "%s", name);
	i->front = i->back = NO_NODE;
	i->made = true;
	snprintf(text, sizeof(text), "lb@%s", name);
	rc = mr_graph_add_node(graph, &lb_class, text, lb->core, &i->front, error);
	snprintf(text, sizeof(text), "lb-back@%s", name);
	if (!rc)
		rc = mr_graph_add_node(graph, &lb_back_class, text, lb->core, &i->back, error);
	if (rc)
		remove_instance(lb, i);
	return rc;
}

static void
use_interface(struct mr_lb *lb, const struct mr_interface *in)
{
	struct mr_interfaces *all = mr_interfaces_of(lb->dp);
	struct mr_graph *graph = mr_dataplane_graph(lb->dp);
	struct lb_instance **at = &lb->instances[in->index];
	struct mr_error error = { .text = "no memory" };

	if (!*at)
		*at = calloc(1, sizeof(**at));
	if (!*at || make_instance(lb, *at, in->name, &error)) {
		mr_log(mr_dataplane_log(lb->dp), MR_LOG_ERROR, "load balancer, interface %s: %s",
		    in->name, error.text);
		return;
	}
	mr_graph_link(graph, (*at)->front, LB_EDGE_SEND, lb->send);
	mr_graph_link(graph, (*at)->back, LB_EDGE_SEND, lb->send);
	mr_interface_stage_in(all, in->index, MR_STAGE_LB, (*at)->front);
	mr_interface_stage_in(all, in->index, MR_STAGE_LB_BACK, (*at)->back);
}

static const struct mr_interface *
is_used(const struct mr_lb *lb, uint16_t index)
{
	const struct mr_interface *in = mr_interface_at(mr_interfaces_of(lb->dp), index);

	for (unsigned i = 0; in && i < lb->now.interface_count; i++)
		if (strcmp(lb->now.interfaces[i], in->name) == 0)
			return in;
	return NULL;
}

static void
place_nodes(struct mr_lb *lb)
{
	bool any = lb->now.service_count && lb->now.interface_count;
	struct mr_error error;

	if (any && lb->send == NO_NODE &&
	    mr_graph_add_node(mr_dataplane_graph(lb->dp), &lb_send_class, NULL, lb, &lb->send,
		&error)) {
		mr_log(mr_dataplane_log(lb->dp), MR_LOG_ERROR, "load balancer: %s", error.text);
		any = false;
	}
	if (any)
		mr_ip_link(lb->base->ip, lb->send);
	for (unsigned i = 0; i < MR_PORT_MAX; i++) {
		const struct mr_interface *in = any ? is_used(lb, (uint16_t)i) : NULL;
		struct lb_instance *at = lb->instances[i];

		/* The index may be another interface's by now. */
		if (at && (!in || strcmp(at->name, in->name) != 0))
			remove_instance(lb, at);
		if (in)
			use_interface(lb, in);
	}
	if (!any && lb->send != NO_NODE) {
		mr_ip_unlink(lb->base->ip, lb->send);
		remove_node(lb, &lb->send);
	}
}

/* -- prepare --------------------------------------------------------------------------------- */

static void
free_choices(struct lb_choice **choices)
{
	for (unsigned i = 0; choices && i < 2 * LB_SERVICES_MAX; i++)
		lb_choice_free(choices[i]);
	free(choices);
}

static void
forget_next(struct mr_lb *lb)
{
	lb_conf_free(&lb->next);
	lb_view_free(lb->next_view);
	free_choices(lb->choices);
	lb->next_view = NULL;
	lb->choices = NULL;
}

/* The time from which a drained one's connections end; what is drained already keeps its own. */
static void
plan_drain(struct mr_lb *lb, const struct lb_conf_service *s, struct lb_conf_backend *b)
{
	const struct lb_record *r = &lb->records[b->number];

	if (b->admin != MR_LB_DRAIN)
		b->drain_until = 0;
	else if (r->draining)
		b->drain_until = r->drain_until;
	else
		b->drain_until = s->drain_timeout ? lb_seconds() + s->drain_timeout : 0;
}

static uint32_t
fit_next(const struct mr_lb *lb, const struct lb_conf_backend *b)
{
	if (b->admin == MR_LB_DRAIN)
		return b->drain_until && lb_seconds() >= b->drain_until ? 0 : LB_FIT_OLD;
	return lb_fit_of(lb, b);
}

static int
prepare_choices(struct mr_lb *lb, struct mr_error *error)
{
	uint32_t *fit = calloc(LB_BACKENDS_MAX, sizeof(*fit));
	int rc = 0;

	lb->choices = calloc(2 * LB_SERVICES_MAX, sizeof(struct lb_choice *));
	if (!fit || !lb->choices) {
		free(fit);
		return mr_error_set(error, -ENOMEM, "no memory for schedulers");
	}
	for (unsigned i = 0; i < lb->next.service_count; i++) {
		struct lb_conf_service *s = &lb->next.services[i];

		for (unsigned b = 0; b < s->backend_count; b++) {
			plan_drain(lb, s, &s->backends[b]);
			fit[s->backends[b].number] = fit_next(lb, &s->backends[b]);
		}
	}
	for (unsigned i = 0; !rc && i < lb->next.service_count; i++) {
		uint16_t n = lb->next.services[i].number;

		for (int six = 0; !rc && six < 2; six++)
			rc = lb_choice_make(&lb->choices[2 * n + six], lb->next_view, fit, n, six,
			    &lb->sizes[n], error);
	}
	free(fit);
	return rc;
}

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct mr_lb *lb = state;
	int rc = lb_conf_read(&lb->next, config, error);

	for (unsigned i = 0; !rc && i < lb->next.service_count; i++)
		lb->next.services[i].vrf =
		    mr_ip_vrf_find(lb->base->ip, lb->next.services[i].router);
	if (!rc && lb->next.service_count && !lb->core)
		rc = lb_core_create(&lb->core, lb->base->ip, lb->next.max,
		    mr_graph_worker_count(mr_dataplane_graph(lb->dp)), error);
	if (!rc)
		rc = lb_conf_number(&lb->next, &lb->now, error);
	if (!rc && lb->next.seeded)
		mr_hash_key_seed(&lb->key, lb->next.seed);
	if (!rc)
		rc = lb_view_make(&lb->next_view, &lb->next, lb->view, &lb->key, error);
	if (!rc)
		rc = prepare_choices(lb, error);
	if (rc)
		forget_next(lb);
	return rc;
}

static void
abort_change(void *state)
{
	forget_next(state);
}

/* -- commit ---------------------------------------------------------------------------------- */

static void
settle_record(struct mr_lb *lb, const struct lb_conf_backend *b, const bool *known)
{
	struct lb_record *r = &lb->records[b->number];

	if (!known[b->number])
		*r = (struct lb_record){ 0 };
	r->draining = b->admin == MR_LB_DRAIN;
	r->drain_until = b->drain_until;
}

static void
settle_backends(struct mr_lb *lb, const struct lb_conf *old)
{
	bool known[LB_BACKENDS_MAX] = { false };
	uint32_t fit[LB_BACKENDS_MAX] = { 0 };

	for (unsigned i = 0; i < old->service_count; i++)
		for (unsigned b = 0; b < old->services[i].backend_count; b++)
			known[old->services[i].backends[b].number] = true;
	for (unsigned i = 0; i < lb->now.service_count; i++)
		for (unsigned b = 0; b < lb->now.services[i].backend_count; b++) {
			const struct lb_conf_backend *k = &lb->now.services[i].backends[b];

			settle_record(lb, k, known);
			fit[k->number] = lb_fit_of(lb, k);
		}
	for (uint32_t i = 0; i < LB_BACKENDS_MAX; i++) {
		struct lb_live *live = &lb->core->live[i];

		if (atomic_load_explicit(&live->fit, memory_order_relaxed) == fit[i])
			continue;
		atomic_store_explicit(&live->fit, fit[i], memory_order_relaxed);
		mr_generation_bump(&live->changed);
	}
}

static void
commit(void *state)
{
	struct mr_lb *lb = state;
	struct lb_conf old = lb->now;

	lb->now = lb->next;
	memset(&lb->next, 0, sizeof(lb->next));
	lb->old_view = lb->view;
	lb->view = lb->next_view;
	lb->next_view = NULL;
	if (lb->core) {
		/* Release pairs with lb_view_of: the view before what draws from it. */
		atomic_store_explicit(&lb->core->view, lb->view, memory_order_release);
		settle_backends(lb, &old);
		for (unsigned i = 0; i < 2 * LB_SERVICES_MAX; i++)
			lb->choices[i] =
			    mr_rcu_swap(&lb->core->services[i / 2].choice[i % 2], lb->choices[i]);
		mr_generation_bump(&lb->core->settings);
		lb->old_choices = lb->choices;
	} else {
		free_choices(lb->choices);
	}
	lb->choices = NULL;
	lb_conf_free(&old);
	lb->version++;
	place_nodes(lb);
}

static bool
is_in_view(const struct lb_view *v, uint32_t backend)
{
	return v && backend < v->backend_end && v->backends[backend].service != LB_NONE;
}

static void
forget_backend(struct mr_lb *lb, uint16_t backend)
{
	lb_route_forget(lb, backend);
	lb->records[backend] = (struct lb_record){ 0 };
}

static void
finish(void *state)
{
	struct mr_lb *lb = state;

	if (!lb->core) {
		lb_view_free(lb->old_view);
		lb->old_view = NULL;
		return;
	}
	/* Nobody has the old view, or the old choices, any more. */
	mr_rcu_synchronize();
	lb_break_stale(lb);
	for (uint32_t i = 0; lb->old_view && i < lb->old_view->backend_end; i++)
		if (!is_in_view(lb->view, i))
			forget_backend(lb, (uint16_t)i);
	lb_view_free(lb->old_view);
	lb->old_view = NULL;
	free_choices(lb->old_choices);
	lb->old_choices = NULL;
	lb_route_refresh(lb);
	mr_generation_bump(&lb->core->settings);
}

static void
destroy(void *state)
{
	struct mr_lb *lb = state;
	struct mr_error error;

	if (!lb)
		return;
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		if (lb->instances[i])
			remove_instance(lb, lb->instances[i]);
	if (lb->send != NO_NODE) {
		mr_ip_unlink(lb->base->ip, lb->send);
		remove_node(lb, &lb->send);
	}
	(void)mr_graph_commit(mr_dataplane_graph(lb->dp), &error);
	for (uint32_t i = 0; lb->core && i < LB_BACKENDS_MAX; i++)
		lb_route_forget(lb, (uint16_t)i);
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		free(lb->instances[i]);
	lb_core_destroy(lb->core);
	forget_next(lb);
	free_choices(lb->old_choices);
	lb_view_free(lb->old_view);
	lb_view_free(lb->view);
	lb_conf_free(&lb->now);
	free(lb->records);
	free(lb);
}

static void
tick(void *state, uint32_t seconds)
{
	struct mr_lb *lb = state;
	uint32_t top;

	if (!lb->core || !lb->view)
		return;
	lb_drain_tick(lb, seconds);
	lb_route_refresh(lb);
	top = atomic_load_explicit(&lb->core->table->top, memory_order_relaxed);
	lb_sweep(lb->core->table, seconds, top / SWEEP_SECONDS + 1024);
}

struct mr_lb *
mr_lb_of(struct mr_dataplane *dp)
{
	return mr_dataplane_state(dp, &mr_nf_lb);
}

static const struct mr_nf_listing listings[] = {
	{ "lb-connections", "connections", "service|backend|client", "client" },
	{ 0 },
};

const struct mr_nf mr_nf_lb = {
	.name = "lb",
	.doc = "services with several servers behind them",
	.yang = mr_yang_lb,
	.create = create,
	.destroy = destroy,
	.check = lb_check,
	.prepare = prepare,
	.commit = commit,
	.finish = finish,
	.abort = abort_change,
	.tick = tick,
	.show = lb_show,
	.stream = lb_stream,
	.listings = listings,
	.describe = lb_describe,
};
