/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What one collector is sent at each look at the state.
 *
 * The collector begins by learning everything: BEGIN, the values, SYNC. From then on it knows what
 * is in `known`, and is told what differs or all of it, as it asked. When a message has no place in
 * its queue, it knows we cannot say what: as soon as half of the queue is free, it begins again.
 */

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "control/push/subscription_int.h"

/* -- which entries ----------------------------------------------------------------------- */

static bool
entry_named(const struct push_settings *set, const struct mr_sample *sample,
    const struct mr_sample_entry *e)
{
	for (; e->list; e = &sample->entries[e->parent])
		for (unsigned k = 0; k < e->list->key_count; k++)
			for (unsigned i = 0; i < set->entry_count; i++)
				if (fnmatch(set->entries[i], mr_sample_text(sample, e->keys[k]),
					0) == 0)
					return true;
	return false;
}

static bool
mark_entries(struct push_subscription *s, const struct mr_sample *sample)
{
	const struct push_settings *set = s->settings;

	if (s->mark_room < sample->entry_count) {
		free(s->marks);
		s->mark_room = sample->entry_room;
		s->marks = malloc(s->mark_room * sizeof(*s->marks));
		if (!s->marks) {
			s->mark_room = 0;
			return false;
		}
	}
	s->marks[0] = UINT32_MAX;
	for (size_t i = 1; i < sample->entry_count; i++) {
		const struct mr_sample_entry *e = &sample->entries[i];
		uint32_t mark = s->marks[e->parent];

		for (unsigned p = 0; mark && p < set->path_count; p++)
			if (!push_path_fits(&set->paths[p], sample, e))
				mark &= ~(1u << p);
		s->marks[i] = mark;
	}
	/* Not before, for an entry that is not wanted may have others in it that are. */
	for (size_t i = 1; set->entry_count && i < sample->entry_count; i++)
		if (s->marks[i] && !entry_named(set, sample, &sample->entries[i]))
			s->marks[i] = 0;
	return true;
}

/* -- values ------------------------------------------------------------------------------ */

static int
by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool
sort_hashes(struct push_subscription *s, const struct mr_sample *sample)
{
	if (s->hash_room < sample->entry_count) {
		free(s->hashes);
		s->hash_room = sample->entry_room;
		s->hashes = malloc(s->hash_room * sizeof(*s->hashes));
		if (!s->hashes) {
			s->hash_room = 0;
			return false;
		}
	}
	for (size_t i = 0; i < sample->entry_count; i++)
		s->hashes[i] = sample->entries[i].hash;
	qsort(s->hashes, sample->entry_count, sizeof(*s->hashes), by_number);
	return true;
}

static bool
entry_is_there(const struct push_subscription *s, const struct mr_sample *sample, const char *path)
{
	uint64_t hash = mr_sample_hash(path);

	return !*path || bsearch(&hash, s->hashes, sample->entry_count, sizeof(hash), by_number);
}

/* What is there no more: entries as a whole, and leaves of entries that are still there. */
static void
send_deletes(struct push_subscription *s, const struct mr_sample *sample)
{
	const char *last = NULL;
	bool sorted = false;

	for (size_t i = 0; i < s->known.count; i++) {
		const struct push_row *row = &s->known.rows[i];
		const char *path = s->known.text + row->path;

		if (row->met || (last && strcmp(last, path) == 0))
			continue;
		if (!sorted && !sort_hashes(s, sample)) {
			s->broken = true;
			return;
		}
		sorted = true;
		if (entry_is_there(s, sample, path)) {
			push_batch_delete_leaf(s, row);
			continue;
		}
		last = path;
		push_batch_delete(s, path);
	}
}

/* All values, or those that differ from what is known, which they become. */
static void
send_values(struct push_subscription *s, const struct mr_sample *sample, bool all)
{
	const uint32_t *wanted = s->settings->wanted;
	bool always = all && s->settings->mode == PUSH_CADENCE && !s->begin;

	push_told_clear(&s->next);
	s->known.cursor = 0;
	for (size_t i = 0; i < sample->value_count; i++) {
		const struct mr_sample_value *v = &sample->values[i];
		struct push_row *row;

		if (!(wanted[v->leaf->index] & s->marks[v->entry]))
			continue;
		row = push_told_find(&s->known, sample, v);
		if (row)
			row->met = true;
		if (all || !row || !push_told_same(&s->known, row, sample, v))
			push_batch_update(s, sample, v);
		if (!push_told_add(&s->next, sample, v))
			s->broken = true;
	}
	send_deletes(s, sample);
	if (s->batch.update_count || s->batch.delete_count || always)
		push_batch_send(s);
	push_told_swap(&s->known, &s->next);
	s->values = (uint32_t)s->known.count;
}

/* -- a look ------------------------------------------------------------------------------ */

bool
push_subscription_wants(const struct push_subscription *s, uint64_t now)
{
	return push_collector_is_up(s->collector) && s->due <= now;
}

static uint64_t
heartbeat_due(const struct push_subscription *s)
{
	return s->settings->heartbeat_s ? s->said + s->settings->heartbeat_s * 1000ull : UINT64_MAX;
}

uint64_t
push_subscription_due(const struct push_subscription *s)
{
	if (!push_collector_is_up(s->collector))
		return UINT64_MAX;
	return s->begin ? s->due : MR_MIN(s->due, heartbeat_due(s));
}

void
push_subscription_beat(struct push_subscription *s, uint64_t now, int64_t time)
{
	if (!push_collector_is_up(s->collector) || s->begin || heartbeat_due(s) > now)
		return;
	s->now = now;
	s->time = time;
	s->broken = false;
	push_send(s, PUSH_HEARTBEAT);
	s->begin = s->broken;
}

void
push_subscription_look(struct push_subscription *s, const struct mr_sample *sample, uint64_t now,
    int64_t time)
{
	size_t queued = push_collector_queued(s->collector);
	bool events;

	s->due = (now / s->settings->cadence_ms + 1) * s->settings->cadence_ms;
	s->now = now;
	s->time = time;
	s->batch.update_count = s->batch.delete_count = s->batch.texts.used = 0;
	if (s->begin && queued > s->settings->queue / 2)
		return;
	s->broken = !mark_entries(s, sample);
	if (s->begin) {
		push_told_clear(&s->known);
		push_send(s, PUSH_BEGIN);
	}
	events = push_watch(s, sample);
	if (s->settings->mode != PUSH_THRESHOLD || events || s->begin)
		send_values(s, sample, s->begin || !s->settings->changed_only);
	if (s->begin)
		push_send(s, PUSH_SYNC);
	if (s->begin && s->broken && !queued)
		push_collector_blame(s->collector,
		    "the whole picture has no place in a queue of %zu bytes", s->settings->queue);
	s->begin = s->broken;
}

/* -- its life ---------------------------------------------------------------------------- */

static void
on_connected(void *arg)
{
	struct push_subscription *s = arg;

	s->begin = true;
	s->due = 0;
	s->said = push_now_ms();
	s->wake(s->wake_arg);
}

int
push_subscription_create(struct push_subscription **out,
    const struct push_subscription_config *config)
{
	struct push_subscription *s = calloc(1, sizeof(*s));
	struct push_collector_config collector = {
		.base = config->base,
		.log = config->log,
		.settings = config->settings,
		.connected = on_connected,
		.arg = s,
	};

	*out = NULL;
	if (s)
		s->watches = calloc(config->settings->threshold_count + 1, sizeof(*s->watches));
	if (!s || !s->watches || push_collector_create(&s->collector, &collector)) {
		free(s ? s->watches : NULL);
		free(s);
		return -ENOMEM;
	}
	s->settings = config->settings;
	s->system = config->system;
	s->wake = config->wake;
	s->wake_arg = config->arg;
	*out = s;
	return 0;
}

void
push_subscription_connect(struct push_subscription *s)
{
	push_collector_start(s->collector);
}

void
push_subscription_destroy(struct push_subscription *s)
{
	if (!s)
		return;
	push_collector_destroy(s->collector);
	for (unsigned i = 0; i < s->settings->threshold_count; i++) {
		push_told_free(&s->watches[i].known);
		push_told_free(&s->watches[i].next);
	}
	push_told_free(&s->known);
	push_told_free(&s->next);
	free(s->batch.texts.text);
	free(s->batch.out.text);
	free(s->watches);
	free(s->marks);
	free(s->hashes);
	push_settings_destroy(s->settings);
	free(s);
}

const struct push_settings *
push_subscription_settings(const struct push_subscription *s)
{
	return s->settings;
}

void
push_subscription_fail(struct push_subscription *s, uint64_t now, const char *why)
{
	s->due = (now / s->settings->cadence_ms + 1) * s->settings->cadence_ms;
	push_collector_blame(s->collector, "%s", why);
}

void
push_subscription_show(const struct push_subscription *s, struct mr_state *st)
{
	struct push_collector_stats stats;
	uint32_t raised = 0;

	push_collector_stats(s->collector, &stats);
	for (unsigned i = 0; i < s->settings->threshold_count; i++)
		raised += s->watches[i].raised;
	mr_state_list(st, "subscription", s->settings->name);
	mr_state_open(st, "session");
	mr_state_bool(st, "connected", stats.connected);
	mr_state_uint(st, "connections", stats.connections);
	mr_state_uint(st, "sent", stats.sent);
	mr_state_uint(st, "sent-bytes", stats.sent_bytes);
	mr_state_uint(st, "lost", stats.lost);
	mr_state_uint(st, "queued", stats.queued);
	mr_state_uint(st, "values", s->values);
	mr_state_uint(st, "raised", raised);
	if (*stats.error)
		mr_state_text(st, "last-error", stats.error);
	mr_state_close(st);
	mr_state_close(st);
}
