/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Telemetry: subscriptions of the configuration, and the clock that they share. All that are due at
 * one moment are made from one sample of the state; cadences count from the same zero, so that
 * those of one length, or of multiples, are due together.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/push/push_int.h"
#include "kit/base/log.h"

#define NAMES_MAX 32

/* Subscriptions, in the configuration's order; `fresh`: not in force yet. */
struct set {
	struct push_subscription **list;
	bool *fresh;
	unsigned count;
};

struct telemetry {
	struct mr_control *control;
	struct mr_leaves *leaves;
	struct mr_sample *sample;
	struct event *timer;
	char system[256];
	struct set now, next;
	uint64_t samples, time, last; /* microseconds */
};

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* -- the clock --------------------------------------------------------------------------- */

static void
arm(struct telemetry *t)
{
	uint64_t now = push_now_ms(), due = UINT64_MAX, wait;
	struct timeval when;

	for (unsigned i = 0; i < t->now.count; i++)
		due = MR_MIN(due, push_subscription_due(t->now.list[i]));
	evtimer_del(t->timer);
	if (due == UINT64_MAX)
		return;
	wait = due > now ? due - now : 1;
	when = (struct timeval){ (time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000) };
	evtimer_add(t->timer, &when);
}

static void
wake(void *arg)
{
	arm(arg);
}

/* The functions that some path begins with, each once. A function's state stands under its name. */
struct names {
	char list[NAMES_MAX][64];
	unsigned count;
};

static void
add_name(struct names *names, const struct push_path *path)
{
	char name[64];
	unsigned i = 0;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(path->schema, "/"), path->schema);
	while (i < names->count && strcmp(names->list[i], name) != 0)
		i++;
	if (i == NAMES_MAX)
		names->count = NAMES_MAX + 1; /* so many: all */
	else if (i == names->count)
		strcpy(names->list[names->count++], name);
}

static void
add_names(struct names *names, const struct push_settings *settings)
{
	for (unsigned i = 0; i < settings->path_count; i++)
		if (names->count <= NAMES_MAX)
			add_name(names, &settings->paths[i]);
	for (unsigned i = 0; i < settings->threshold_count; i++)
		if (names->count <= NAMES_MAX)
			add_name(names, &settings->thresholds[i].path);
}

static bool
show_names(struct telemetry *t, const struct names *names, struct mr_state *st)
{
	for (unsigned i = 0; i < names->count; i++)
		if (mr_control_show(t->control, names->list[i], st))
			return false;
	return true;
}

/* Reads what those that are due want; where a path's beginning is no function's name, all. */
static int
read_state(struct telemetry *t, uint64_t now, struct mr_error *error)
{
	struct mr_state *st = mr_sample_begin(t->sample, mr_control_model_of(t->control));
	struct names names = { 0 };

	for (unsigned i = 0; i < t->now.count; i++)
		if (push_subscription_wants(t->now.list[i], now) && names.count <= NAMES_MAX)
			add_names(&names, push_subscription_settings(t->now.list[i]));
	if (!st || names.count > NAMES_MAX || !show_names(t, &names, st)) {
		st = mr_sample_begin(t->sample, mr_control_model_of(t->control));
		if (!st)
			return mr_error_set(error, -ENOMEM, "no memory");
		mr_control_show(t->control, NULL, st);
	}
	t->samples++;
	return mr_sample_end(t->sample, error);
}

static void
look(struct telemetry *t, uint64_t now)
{
	int64_t time = (int64_t)clock_ns(CLOCK_REALTIME);
	struct mr_error error = { 0 };
	int rc = read_state(t, now, &error);

	for (unsigned i = 0; i < t->now.count; i++) {
		struct push_subscription *s = t->now.list[i];

		if (!push_subscription_wants(s, now))
			continue;
		if (rc)
			push_subscription_fail(s, now, error.text);
		else
			push_subscription_look(s, t->sample, now, time);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	uint64_t began = clock_ns(CLOCK_MONOTONIC), now = began / 1000000;
	struct telemetry *t = arg;
	bool any = false;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < t->now.count; i++)
		any |= push_subscription_wants(t->now.list[i], now);
	if (any)
		look(t, now);
	for (unsigned i = 0; i < t->now.count; i++)
		push_subscription_beat(t->now.list[i], now, (int64_t)clock_ns(CLOCK_REALTIME));
	t->last = (clock_ns(CLOCK_MONOTONIC) - began) / 1000;
	t->time += t->last;
	arm(t);
}

/* -- commits ----------------------------------------------------------------------------- */

static const struct mr_conf *
subscriptions_of(const struct mr_config *config)
{
	return mr_conf_child(mr_conf_root(config), "telemetry");
}

static void
telemetry_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *node = subscriptions_of(config), *at;
	struct telemetry *t = state;
	struct mr_leaves *leaves = t ? t->leaves : NULL;
	struct mr_error error = { 0 };

	if (!mr_conf_count(node, "subscription"))
		return;
	if (!leaves && mr_leaves_create(&leaves, mr_config_model(config), &error)) {
		mr_report_at(report, config, node, "%s", error.text);
		return;
	}
	mr_conf_each(at, node, "subscription") {
		struct push_settings *settings;

		push_settings_create(&settings, leaves, config, at, report, &error);
		push_settings_destroy(settings);
	}
	if (!t)
		mr_leaves_destroy(leaves);
}

static void
set_clear(struct set *set, bool all)
{
	for (unsigned i = 0; i < set->count; i++)
		if (all || set->fresh[i])
			push_subscription_destroy(set->list[i]);
	free(set->list);
	free(set->fresh);
	*set = (struct set){ 0 };
}

/* One that is in force with the very same settings goes on as it is. */
static struct push_subscription *
find_same(const struct telemetry *t, const struct push_settings *settings)
{
	for (unsigned i = 0; i < t->now.count; i++) {
		const struct push_settings *other = push_subscription_settings(t->now.list[i]);

		if (strcmp(other->text, settings->text) == 0)
			return t->now.list[i];
	}
	return NULL;
}

static int
prepare_one(struct telemetry *t, const struct mr_config *next, const struct mr_conf *node,
    struct mr_error *error)
{
	struct push_subscription **place = &t->next.list[t->next.count];
	struct push_settings *settings;
	int rc = push_settings_create(&settings, t->leaves, next, node, NULL, error);

	if (rc)
		return rc;
	*place = find_same(t, settings);
	if (*place) {
		push_settings_destroy(settings);
		t->next.count++;
		return 0;
	}
	rc = push_tls_check(settings, error);
	if (rc) {
		mr_error_prefix(error, "telemetry %s: ", settings->name);
		push_settings_destroy(settings);
		return rc;
	}
	rc = push_subscription_create(place,
	    &(struct push_subscription_config){
		.settings = settings,
		.system = t->system,
		.base = mr_control_base(t->control),
		.log = mr_control_log(t->control),
		.wake = wake,
		.arg = t,
	    });
	if (rc) {
		push_settings_destroy(settings);
		return mr_error_set(error, rc, "telemetry: no memory");
	}
	t->next.fresh[t->next.count++] = true;
	return 0;
}

static int
telemetry_prepare(void *state, const struct mr_config *next, struct mr_error *error)
{
	const struct mr_conf *node = subscriptions_of(next), *at;
	size_t count = mr_conf_count(node, "subscription");
	struct telemetry *t = state;
	int rc = 0;

	t->next.list = calloc(count + 1, sizeof(struct push_subscription *));
	t->next.fresh = calloc(count + 1, sizeof(*t->next.fresh));
	if (!t->next.list || !t->next.fresh)
		rc = mr_error_set(error, -ENOMEM, "telemetry: no memory");
	mr_conf_each(at, node, "subscription")
		if (!rc)
			rc = prepare_one(t, next, at, error);
	if (rc)
		set_clear(&t->next, false);
	return rc;
}

static bool
is_kept(const struct telemetry *t, const struct push_subscription *s)
{
	for (unsigned i = 0; i < t->next.count; i++)
		if (t->next.list[i] == s)
			return true;
	return false;
}

static void
telemetry_commit(void *state)
{
	struct telemetry *t = state;

	for (unsigned i = 0; i < t->now.count; i++)
		t->now.fresh[i] = !is_kept(t, t->now.list[i]);
	set_clear(&t->now, false);
	t->now = t->next;
	t->next = (struct set){ 0 };
	for (unsigned i = 0; i < t->now.count; i++) {
		if (t->now.fresh[i])
			push_subscription_connect(t->now.list[i]);
		t->now.fresh[i] = false;
	}
	arm(t);
}

static void
telemetry_abort(void *state)
{
	struct telemetry *t = state;

	set_clear(&t->next, false);
}

/* -- its life ---------------------------------------------------------------------------- */

static void
telemetry_show(void *state, struct mr_state *st)
{
	const struct telemetry *t = state;

	mr_state_open(st, "telemetry");
	for (unsigned i = 0; i < t->now.count; i++)
		push_subscription_show(t->now.list[i], st);
	mr_state_open(st, "sampling");
	mr_state_uint(st, "samples", t->samples);
	mr_state_uint(st, "time", t->time);
	mr_state_uint(st, "last-time", MR_MIN(t->last, UINT32_MAX));
	mr_state_close(st);
	mr_state_close(st);
}

static void
telemetry_destroy(void *state)
{
	struct telemetry *t = state;

	set_clear(&t->next, false);
	set_clear(&t->now, true);
	if (t->timer)
		event_free(t->timer);
	mr_sample_destroy(t->sample);
	mr_leaves_destroy(t->leaves);
	free(t);
}

static int
telemetry_create(void **state, struct mr_control *c, struct mr_error *error)
{
	struct telemetry *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return mr_error_set(error, -ENOMEM, "no memory");
	t->control = c;
	if (gethostname(t->system, sizeof(t->system) - 1))
		strcpy(t->system, "millrace");
	rc = mr_leaves_create(&t->leaves, mr_control_model_of(c), error);
	t->timer = evtimer_new(mr_control_base(c), on_timer, t);
	if (!rc && (!t->timer || mr_sample_create(&t->sample, t->leaves)))
		rc = mr_error_set(error, -ENOMEM, "no memory");
	if (rc) {
		telemetry_destroy(t);
		return rc;
	}
	*state = t;
	return 0;
}

extern const char mr_yang_millrace_telemetry[];

const struct mr_service mr_service_telemetry = {
	.name = "telemetry",
	.doc = "state that is sent to collectors by itself",
	.yang = mr_yang_millrace_telemetry,
	.create = telemetry_create,
	.destroy = telemetry_destroy,
	.check = telemetry_check,
	.prepare = telemetry_prepare,
	.commit = telemetry_commit,
	.abort = telemetry_abort,
	.show = telemetry_show,
};
