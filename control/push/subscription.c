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
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/push/push_int.h"

struct watch {
	struct push_told known, next;
	uint32_t raised;
};

/* A message that is being made. */
struct batch {
	struct push_update updates[PUSH_UPDATES_MAX];
	const char *deletes[PUSH_UPDATES_MAX];
	size_t update_at[PUSH_UPDATES_MAX], delete_at[PUSH_UPDATES_MAX]; /* in texts */
	size_t update_count, delete_count;
	struct push_bytes texts, out;
};

struct push_subscription {
	struct push_settings *settings;
	const char *system;
	struct push_collector *collector;
	void (*wake)(void *arg);
	void *wake_arg;
	struct push_told known, next;
	struct watch *watches; /* of each threshold */
	struct batch batch;
	uint64_t sequence, due, said; /* said: when something was sent last */
	uint32_t *marks;              /* of each entry: the paths that it fits */
	size_t mark_room;
	uint64_t *hashes; /* of the sample's entries, sorted */
	size_t hash_room;
	uint32_t values;
	bool begin;  /* the collector has to begin again */
	bool broken; /* a message of this look was lost */
	int64_t time;
	uint64_t now;
};

/* -- messages ---------------------------------------------------------------------------- */

static bool
send_message(struct push_subscription *s, struct push_message *m)
{
	struct push_bytes *out = &s->batch.out;
	struct push_collector_stats stats;
	int rc;

	if (s->broken)
		return false;
	push_collector_stats(s->collector, &stats);
	m->subscription = s->settings->name;
	m->system = s->system;
	m->sequence = s->sequence++;
	m->time = s->time;
	m->lost = stats.lost;
	out->used = 0;
	rc = s->settings->protobuf ? push_encode_protobuf(out, m) : push_encode_json(out, m);
	if (rc || push_collector_send(s->collector, out->text, out->used))
		s->broken = true;
	else
		s->said = s->now;
	return !s->broken;
}

static bool
send_kind(struct push_subscription *s, enum push_kind kind)
{
	return send_message(s, &(struct push_message){ .kind = kind });
}

static void
batch_send(struct push_subscription *s)
{
	struct batch *b = &s->batch;

	for (size_t i = 0; i < b->update_count; i++)
		b->updates[i].path = b->texts.text + b->update_at[i];
	for (size_t i = 0; i < b->delete_count; i++)
		b->deletes[i] = b->texts.text + b->delete_at[i];
	send_message(s,
	    &(struct push_message){
		.kind = PUSH_UPDATE,
		.updates = b->updates,
		.deletes = b->deletes,
		.update_count = b->update_count,
		.delete_count = b->delete_count,
	    });
	b->update_count = b->delete_count = b->texts.used = 0;
}

/* The path of a leaf of an entry, in the batch's texts; of a leaf-list, of one member. SIZE_MAX:
 * no memory. */
static size_t
batch_path(struct batch *b, const char *entry, const struct mr_leaf *leaf, const char *member)
{
	size_t size = strlen(entry) + strlen(leaf->tail) + strlen(member) + 8, at = b->texts.used;
	char *to = push_bytes_room(&b->texts, size);

	if (!to)
		return SIZE_MAX;
	to = stpcpy(stpcpy(to, entry), leaf->tail);
	if (leaf->many)
		sprintf(to, "[.=%c%s%c]", strchr(member, '\'') ? '"' : '\'', member,
		    strchr(member, '\'') ? '"' : '\'');
	b->texts.used += size;
	return at;
}

static void
batch_update(struct push_subscription *s, const struct mr_sample *sample,
    const struct mr_sample_value *v)
{
	struct batch *b = &s->batch;
	struct push_value value = push_value_of(sample, v);
	char number[MR_SAMPLE_NUMBER] = "";
	size_t at;

	if (v->leaf->many && value.kind != MR_LEAF_TEXT)
		mr_sample_print(v->leaf, v, number);
	at = batch_path(b, mr_sample_text(sample, sample->entries[v->entry].path), v->leaf,
	    value.kind == MR_LEAF_TEXT ? value.text : number);
	if (at == SIZE_MAX) {
		s->broken = true;
		return;
	}
	b->update_at[b->update_count] = at;
	b->updates[b->update_count++].value = value;
	if (b->update_count == PUSH_UPDATES_MAX)
		batch_send(s);
}

static void
batch_delete(struct push_subscription *s, size_t at)
{
	struct batch *b = &s->batch;

	if (at == SIZE_MAX) {
		s->broken = true;
		return;
	}
	b->delete_at[b->delete_count++] = at;
	if (b->delete_count == PUSH_UPDATES_MAX)
		batch_send(s);
}

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
		char number[MR_SAMPLE_NUMBER] = "";
		size_t size, at = s->batch.texts.used;
		char *to;

		if (row->met || (last && strcmp(last, path) == 0))
			continue;
		if (!sorted && !sort_hashes(s, sample)) {
			s->broken = true;
			return;
		}
		sorted = true;
		if (entry_is_there(s, sample, path)) {
			mr_sample_print(row->leaf, &(struct mr_sample_value){ .u = row->u },
			    number);
			at = batch_path(&s->batch, path, row->leaf,
			    row->leaf->kind == MR_LEAF_TEXT ? s->known.text + row->text : number);
			batch_delete(s, at);
			continue;
		}
		last = path;
		size = strlen(path) + 1;
		to = push_bytes_room(&s->batch.texts, size);
		if (to)
			memcpy(to, path, size);
		s->batch.texts.used += to ? size : 0;
		batch_delete(s, to ? at : SIZE_MAX);
	}
}

static void
swap_told(struct push_told *a, struct push_told *b)
{
	struct push_told c = *a;

	*a = *b;
	*b = c;
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
			batch_update(s, sample, v);
		if (!push_told_add(&s->next, sample, v))
			s->broken = true;
	}
	send_deletes(s, sample);
	if (s->batch.update_count || s->batch.delete_count || always)
		batch_send(s);
	swap_told(&s->known, &s->next);
	s->values = (uint32_t)s->known.count;
}

/* -- thresholds -------------------------------------------------------------------------- */

static bool
fits_threshold(const struct push_threshold *t, const struct mr_sample *sample,
    const struct mr_sample_value *v)
{
	const struct mr_sample_entry *e = &sample->entries[v->entry];

	if (v->leaf != t->leaf)
		return false;
	for (; e->list; e = &sample->entries[e->parent])
		if (!push_path_fits(&t->path, sample, e))
			return false;
	return true;
}

static bool
is_out(const struct push_threshold *t, double number)
{
	return (t->has_above && number > t->above) || (t->has_below && number < t->below);
}

static bool
is_well(const struct push_threshold *t, double number)
{
	return !(t->has_above && number > t->above - t->hysteresis) &&
	    !(t->has_below && number < t->below + t->hysteresis);
}

static void
send_event(struct push_subscription *s, const struct push_threshold *t, const char *entry,
    bool raised, const struct push_value *value)
{
	size_t at = batch_path(&s->batch, entry, t->leaf, "");
	struct push_event event = { .threshold = t->name, .raised = raised, .gone = !value };

	if (at == SIZE_MAX) {
		s->broken = true;
		return;
	}
	event.path = s->batch.texts.text + at;
	if (value)
		event.value = *value;
	send_message(s, &(struct push_message){ .kind = PUSH_EVENT, .event = &event });
	s->batch.texts.used = at;
}

/* The change in a second since the last look, with three digits. */
static struct push_value
rate_of(const struct push_row *old, const struct mr_sample_value *v, uint64_t now)
{
	double since = (double)MR_MAX(now - old->then, 1u), one = 1, rate;

	for (unsigned i = 0; i < v->leaf->digits; i++)
		one *= 10;
	rate = (double)(int64_t)(v->u - old->u) / one * 1000 / since;
	return (struct push_value){ .kind = MR_LEAF_DECIMAL,
		.digits = 3,
		.i = llround(fmax(fmin(rate, 9e15), -9e15) * 1000) };
}

/* One value at one threshold; true: an event came of it. */
static bool
watch_value(struct push_subscription *s, unsigned n, const struct mr_sample *sample,
    const struct mr_sample_value *v)
{
	const struct push_threshold *t = &s->settings->thresholds[n];
	struct watch *w = &s->watches[n];
	struct push_row *old = push_told_find(&w->known, sample, v);
	struct push_row *row = push_told_add(&w->next, sample, v);
	struct push_value value = push_value_of(sample, v);
	double number = push_number_of(v);
	bool moves, event = false;

	if (!row) {
		s->broken = true;
		return false;
	}
	row->then = s->now;
	if (old)
		old->met = true;
	if (t->per_second && !old)
		return false;
	if (t->per_second) {
		value = rate_of(old, v, s->now);
		number = (double)value.i / 1000;
	}
	row->raised = old && old->raised;
	moves = row->raised ? is_well(t, number) : is_out(t, number);
	if (moves)
		row->since = old && old->since ? old->since : s->now;
	if (moves && s->now - row->since >= t->hold_ms) {
		row->raised = !row->raised;
		row->since = 0;
		event = true;
	}
	w->raised += row->raised;
	if (event || (s->begin && row->raised))
		send_event(s, t, mr_sample_text(sample, sample->entries[v->entry].path),
		    row->raised, &value);
	return event;
}

/* Returns whether there was an event. */
static bool
watch_all(struct push_subscription *s, const struct mr_sample *sample)
{
	bool any = false;

	for (unsigned n = 0; n < s->settings->threshold_count; n++) {
		struct watch *w = &s->watches[n];

		push_told_clear(&w->next);
		w->known.cursor = 0;
		w->raised = 0;
		for (size_t i = 0; i < sample->value_count; i++)
			if (fits_threshold(&s->settings->thresholds[n], sample, &sample->values[i]))
				any |= watch_value(s, n, sample, &sample->values[i]);
		for (size_t i = 0; i < w->known.count; i++) {
			const struct push_row *row = &w->known.rows[i];

			if (row->met || !row->raised)
				continue;
			send_event(s, &s->settings->thresholds[n], w->known.text + row->path, false,
			    NULL);
			any = true;
		}
		swap_told(&w->known, &w->next);
	}
	return any;
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
	send_kind(s, PUSH_HEARTBEAT);
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
		send_kind(s, PUSH_BEGIN);
	}
	events = watch_all(s, sample);
	if (s->settings->mode != PUSH_THRESHOLD || events || s->begin)
		send_values(s, sample, s->begin || !s->settings->changed_only);
	if (s->begin)
		send_kind(s, PUSH_SYNC);
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
