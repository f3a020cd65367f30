/* SPDX-License-Identifier: Apache-2.0 */

/* Thresholds: what each value was at the last look, since when it is on the wrong side, and whether
 * the collector was told. */

#include <math.h>

#include "control/push/subscription_int.h"

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
		push_send_event(s, t, mr_sample_text(sample, sample->entries[v->entry].path),
		    row->raised, &value);
	return event;
}

bool
push_watch(struct push_subscription *s, const struct mr_sample *sample)
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
			push_send_event(s, &s->settings->thresholds[n], w->known.text + row->path,
			    false, NULL);
			any = true;
		}
		push_told_swap(&w->known, &w->next);
	}
	return any;
}
