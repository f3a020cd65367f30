/* SPDX-License-Identifier: Apache-2.0 */

/* Probes that are attached: what workers read of them. */

#include <errno.h>
#include <stdlib.h>

#include "kit/base/rcu.h"
#include "kit/graph/graph_int.h"

/* The set that is attached now, published; the old one freed when nobody reads it. */
static int
publish_probes(struct mr_graph *g, struct mr_error *error)
{
	struct mr_probe_set *set = NULL, *old = g->probe_set;

	if (g->probe_count) {
		set = calloc(1, sizeof(*set));
		if (!set)
			return mr_error_set(error, -ENOMEM, "probe: no memory");
		set->count = g->probe_count;
		for (unsigned i = 0; i < g->probe_count; i++) {
			set->probes[i] = g->probes[i];
			if (g->probes[i]->config.trace)
				set->trace = true;
			else
				set->points |= g->probes[i]->config.points;
			set->sample |= g->probes[i]->sampler != NULL;
		}
	}
	for (unsigned w = 0; w < g->worker_count; w++)
		mr_rcu_publish(&g->workers[w]->probes_published, set);
	g->probe_set = set;
	if (g->started)
		mr_rcu_synchronize();
	free(old);
	return 0;
}

int
mr_graph_attach(struct mr_graph *g, struct mr_probe *probe, struct mr_error *error)
{
	int rc;

	if (g->probe_count == MR_PROBES_MAX)
		return mr_error_set(error, -EBUSY,
		    "probe: %u are attached already, the most there can be", MR_PROBES_MAX);
	if (probe->config.trace) {
		rc = mr_graph_record(g, error);
		if (rc)
			return rc;
	}
	probe->id = ++g->incarnation;
	g->probes[g->probe_count++] = probe;
	rc = publish_probes(g, error);
	if (rc)
		g->probe_count--;
	return rc;
}

void
mr_graph_detach(struct mr_graph *g, struct mr_probe *probe)
{
	struct mr_error error;

	for (unsigned i = 0; i < g->probe_count; i++) {
		if (g->probes[i] != probe)
			continue;
		g->probes[i] = g->probes[--g->probe_count];
		/* Without memory for a smaller set the old one goes: no probe at all. */
		if (publish_probes(g, &error)) {
			g->probe_count = 0;
			publish_probes(g, &error);
		}
		return;
	}
}

bool
mr_graph_is_probed(const struct mr_graph *g)
{
	/* Samplers are there for good, and see what comes to us. */
	for (unsigned i = 0; i < g->probe_count; i++)
		if (!g->probes[i]->sampler)
			return true;
	return false;
}
