/* SPDX-License-Identifier: Apache-2.0 */
/* What workers see, its life, and look-ups in a view. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lb/lb_int.h"

int
lb_core_create(struct lb_core **out, const struct mr_ip *ip, uint32_t max, uint32_t workers,
    struct mr_error *error)
{
	struct lb_core *core = calloc(1, sizeof(*core));
	int rc = 0;

	if (!core)
		return mr_error_set(error, -ENOMEM, "no memory for the load balancer");
	core->ip = ip;
	core->workers = workers;
	core->live = aligned_alloc(MR_CACHE_LINE, LB_BACKENDS_MAX * sizeof(*core->live));
	core->services = aligned_alloc(MR_CACHE_LINE, LB_SERVICES_MAX * sizeof(*core->services));
	core->pieces = calloc(workers + 1, sizeof(*core->pieces));
	core->own = calloc(LB_ADDRESSES_MAX, sizeof(*core->own));
	if (!core->live || !core->services || !core->pieces || !core->own)
		rc = mr_error_set(error, -ENOMEM, "no memory for the load balancer");
	for (uint32_t i = 0; !rc && i < workers; i++) {
		core->pieces[i] = calloc(LB_PIECES, sizeof(**core->pieces));
		if (!core->pieces[i])
			rc = mr_error_set(error, -ENOMEM, "no memory for the load balancer");
	}
	if (!rc) {
		memset(core->live, 0, LB_BACKENDS_MAX * sizeof(*core->live));
		memset(core->services, 0, LB_SERVICES_MAX * sizeof(*core->services));
		rc = mr_counters_create(&core->traffic, workers + 1,
		    LB_BACKENDS_MAX * LB_TRAFFIC_COUNT, error);
	}
	if (!rc)
		rc = mr_counters_create(&core->cuts, workers + 1, LB_CUTS, error);
	if (!rc)
		rc = lb_table_create(&core->table, max, workers, core->live, error);
	if (rc) {
		lb_core_destroy(core);
		return rc;
	}
	*out = core;
	return 0;
}

void
lb_core_destroy(struct lb_core *core)
{
	if (!core)
		return;
	for (unsigned i = 0; core->services && core->traffic && i < LB_SERVICES_MAX; i++)
		for (unsigned f = 0; f < 2; f++)
			lb_choice_free(core->services[i].choice[f]);
	for (unsigned i = 0; core->pieces && core->pieces[i]; i++)
		free(core->pieces[i]);
	free(core->pieces);
	free(core->own);
	lb_table_destroy(core->table);
	mr_counters_destroy(core->cuts);
	mr_counters_destroy(core->traffic);
	free(core->services);
	free(core->live);
	free(core);
}

uint16_t
lb_address_find(const struct lb_view *view, uint16_t vrf, bool six, const uint8_t *bytes)
{
	uint64_t words[3] = { 0, 0, vrf | (uint64_t)six << 16 };
	uint32_t at;

	memcpy(words, bytes, six ? 16 : 4);
	at = (uint32_t)mr_hash_words(&view->key, words, 3);
	for (;; at++) {
		uint16_t n = view->slots[at & view->mask];
		const struct lb_address *a = &view->addresses[n];

		if (n == LB_NONE)
			return LB_NONE;
		if (a->vrf == vrf && a->six == six && memcmp(a->bytes, words, 16) == 0)
			return n;
	}
}

uint16_t
lb_rule_find(const struct lb_view *view, const struct lb_address *a, uint8_t proto, uint16_t port)
{
	for (uint32_t i = a->rule_first; i < (uint32_t)a->rule_first + a->rule_count; i++) {
		const struct lb_rule *r = &view->rules[i];

		if (r->proto == proto && port >= r->first && port <= r->last)
			return r->service;
	}
	return LB_NONE;
}

const struct lb_reverse *
lb_reverse_find(const struct lb_view *view, const struct lb_address *a, uint8_t proto,
    uint16_t port)
{
	for (uint32_t i = a->reverse_first; i < (uint32_t)a->reverse_first + a->reverse_count;
	     i++) {
		const struct lb_reverse *r = &view->reverses[i];

		if (r->proto == proto && port >= r->first && port <= r->last)
			return r->certain ? r : NULL;
	}
	return NULL;
}
