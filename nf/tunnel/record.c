/* SPDX-License-Identifier: Apache-2.0 */
/* One tunnel in control's eyes: made, numbered and prepared for what comes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/tunnel/control_int.h"

void
tunnel_record_free(struct tunnel_record *r)
{
	if (!r)
		return;
	free((void *)atomic_load_explicit(&r->t->view, memory_order_relaxed));
	mr_counters_destroy(r->t->traffic);
	free(r->t);
	free(r->next_view);
	free(r->old_view);
	free(r->number_of);
	free(r->next_number_of);
	if (r->next_stations != r->stations)
		mr_mac_destroy(r->next_stations);
	mr_mac_destroy(r->stations);
	mr_mac_destroy(r->old_stations);
	tunnel_conf_free(&r->now);
	tunnel_conf_free(&r->next);
	free(r);
}

static int
record_create(struct tunnels *all, const char *name, struct tunnel_record **out,
    struct mr_error *error)
{
	size_t size = MR_ALIGN_UP(sizeof(struct tunnel), (size_t)MR_CACHE_LINE);
	uint32_t workers = mr_graph_worker_count(mr_dataplane_graph(all->dp));
	struct tunnel_record *r;
	unsigned slot = 0;

	while (slot < TUNNELS_MAX && all->records[slot])
		slot++;
	if (slot == TUNNELS_MAX)
		return mr_error_set(error, -ENOSPC, "more than %u tunnels", TUNNELS_MAX);
	r = calloc(1, sizeof(*r));
	if (!r || !(r->t = aligned_alloc(MR_CACHE_LINE, size))) {
		free(r);
		return mr_error_set(error, -ENOMEM, "tunnel %s: no memory", name);
	}
	memset(r->t, 0, size);
	r->t->ip = all->base->ip;
	r->t->slot = (uint16_t)slot;
	r->t->workers = workers;
	r->node = UINT16_MAX;
	r->fresh = true;
	/* One row for those that are no workers: an explanation counts nothing, but for certain. */
	if (mr_counters_create(&r->t->traffic, workers + 1,
		TUNNEL_REMOTES_MAX * TUNNEL_TRAFFIC_COUNT, error)) {
		free(r->t);
		free(r);
		return -ENOMEM;
	}
	all->records[slot] = r;
	*out = r;
	return 0;
}

/* -- for the next configuration ---------------------------------------------------------------- */

/* Numbers of remote ends stay; new ones get such as neither configuration has. */
static int
number_remotes(struct tunnel_record *r, struct mr_error *error)
{
	unsigned at = 0;

	r->next_number_of = calloc(r->next.remote_count + 1, sizeof(*r->next_number_of));
	if (!r->next_number_of)
		return mr_error_set(error, -ENOMEM, "tunnel %s: no memory", r->next.name);
	memset(r->next_taken, 0, sizeof(r->next_taken));
	for (unsigned i = 0; i < r->next.remote_count; i++) {
		unsigned n = 0;

		while (n < TUNNEL_REMOTES_MAX &&
		    !(r->taken[n] && tunnel_ip_equal(&r->numbers[n], &r->next.remotes[i])))
			n++;
		if (n == TUNNEL_REMOTES_MAX) {
			while (at < TUNNEL_REMOTES_MAX && (r->taken[at] || r->next_taken[at]))
				at++;
			/* Two configurations of the largest size with nothing in common. */
			if (at == TUNNEL_REMOTES_MAX)
				return mr_error_set(error, -ENOSPC,
				    "tunnel %s: too many other remote ends at once: change them in "
				    "two steps",
				    r->next.name);
			n = at;
			r->numbers[n] = r->next.remotes[i];
		}
		r->next_taken[n] = true;
		r->next_number_of[i] = (uint16_t)n;
	}
	return 0;
}

static int
prepare_stations(struct tunnel_record *r, struct mr_error *error)
{
	const struct mr_mac_config config = { .capacity = r->next.stations,
		.limit = r->next.stations,
		.ports = TUNNEL_REMOTES_MAX,
		.fids = 1,
		.ageing = r->next.ageing };

	r->next_stations = r->stations;
	if (r->stations && r->now.stations == r->next.stations)
		return 0;
	r->next_stations = NULL;
	if (r->next.remote_count == 1)
		return 0;
	return mr_mac_create(&r->next_stations, &config, error);
}

/* An end for each of its remote ends; those that go keep theirs until finish. */
static int
number_ends(struct tunnels *all, struct tunnel_record *r, struct mr_error *error)
{
	struct tunnel_end *ends = all->core.ends;

	for (unsigned i = 0; i < r->next.remote_count; i++) {
		unsigned number = r->next_number_of[i];
		uint32_t tried = 0, at = all->next_end;

		if (r->end_of[number])
			continue;
		for (; tried < TUNNEL_ENDS_MAX && (!at || ends[at].tunnel); tried++)
			at = (at + 1) % TUNNEL_ENDS_MAX;
		if (tried == TUNNEL_ENDS_MAX)
			return mr_error_set(error, -ENOSPC, "more than %u remote ends",
			    TUNNEL_ENDS_MAX - 1);
		ends[at] = (struct tunnel_end){ .tunnel = r->t, .number = (uint16_t)number };
		r->end_of[number] = (uint16_t)at;
		all->next_end = at;
	}
	return 0;
}

/* Of numbers that are not in use (any more). */
void
tunnel_release_ends(struct tunnels *all, struct tunnel_record *r, const bool *used)
{
	for (unsigned n = 0; n < TUNNEL_REMOTES_MAX; n++) {
		if (!r->end_of[n] || (used && used[n]))
			continue;
		all->core.ends[r->end_of[n]] = (struct tunnel_end){ .tunnel = NULL };
		all->next_end = MR_MIN(all->next_end, (uint32_t)r->end_of[n]);
		r->end_of[n] = 0;
	}
}

static struct tunnel_record *
find_record(struct tunnels *all, const char *name)
{
	struct tunnel_record *r;
	unsigned slot;

	tunnels_each(all, slot, r)
		if (strcmp(r->fresh ? r->next.name : r->now.name, name) == 0)
			return r;
	return NULL;
}

int
tunnel_record_prepare(struct tunnels *all, const struct mr_config *config, const struct mr_conf *at,
    struct mr_error *error)
{
	struct tunnel_record *r = find_record(all, mr_conf_key(at));
	int rc = 0;

	if (!r)
		rc = record_create(all, mr_conf_key(at), &r, error);
	if (rc)
		return rc;
	r->wanted = true;
	rc = tunnel_conf_read(&r->next, config, at, error);
	if (!rc)
		rc = number_remotes(r, error);
	if (!rc)
		rc = number_ends(all, r, error);
	if (!rc)
		rc = prepare_stations(r, error);
	if (!rc)
		rc = tunnel_view_make(&r->next_view, &r->next, r->next_number_of, r->next_stations,
		    error);
	return rc;
}
