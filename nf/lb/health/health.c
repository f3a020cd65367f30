/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/health/health_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull
#define TICK_SHIFT 19 /* half a millisecond */
#define FIRST_MS 200u /* first checks are spread over so long */
#define BATCH 64u     /* of events, of timers, in one go */
#define ROUNDS 8u     /* of events: all that are asked may have answered */
#define CLOCK UINT64_MAX

static const struct health_check *const checks[MR_HEALTH_KINDS] = {
	[MR_HEALTH_TCP] = &health_check_tcp,
	[MR_HEALTH_HTTP] = &health_check_http,
	[MR_HEALTH_UDP] = &health_check_udp,
	[MR_HEALTH_ICMP] = &health_check_icmp,
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* xorshift64*, Vigna 2014: spreads checks and marks echoes; nothing secret hangs on it. */
uint64_t
health_random(struct mr_health *h)
{
	h->dice ^= h->dice >> 12;
	h->dice ^= h->dice << 25;
	h->dice ^= h->dice >> 27;
	return h->dice * 0x2545f4914f6cdd1dull;
}

/* Wakes the control thread at `at`. */
static void
set_clock(struct mr_health *h, uint64_t at)
{
	struct itimerspec spec = { 0 };

	if (at != UINT64_MAX) {
		at = MR_MAX(at, (uint64_t)1); /* 0 would be never */
		spec.it_value.tv_sec = (time_t)(at / 1000000000);
		spec.it_value.tv_nsec = (long)(at % 1000000000);
	}
	(void)timerfd_settime(h->clock, TFD_TIMER_ABSTIME, &spec, NULL);
}

int
mr_health_create(struct mr_health **out, uint32_t max, const struct mr_health_events *events,
    struct mr_error *error)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = CLOCK };
	struct mr_health *h = calloc(1, sizeof(*h));
	struct mr_timer_wheel_config config;
	int rc = -ENOMEM;

	if (!h)
		return mr_error_set(error, rc, "health checks: no memory");
	h->events = *events;
	h->epoll = h->clock = -1;
	h->max = max;
	h->last = &h->first;
	h->timers = calloc(max, sizeof(*h->timers));
	h->targets = calloc(max, sizeof(struct mr_health_target *));
	if (!h->timers || !h->targets)
		goto fail;
	config = (struct mr_timer_wheel_config){
		.timers = h->timers,
		.stride = sizeof(*h->timers),
		.count = max,
		.tick_shift = TICK_SHIFT,
		.now = now_ns(),
	};
	rc = mr_timer_wheel_create(&h->wheel, &config, error);
	if (rc)
		goto fail;
	if (getrandom(&h->dice, sizeof(h->dice), GRND_NONBLOCK) != sizeof(h->dice))
		h->dice = config.now;
	h->dice |= 1; /* zero stays zero */
	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	h->clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (h->epoll < 0 || h->clock < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->clock, &event)) {
		rc = -errno;
		goto fail;
	}
	*out = h;
	return 0;

fail:
	mr_health_destroy(h);
	return mr_error_set(error, rc, "health checks: %s", strerror(-rc));
}

void
mr_health_destroy(struct mr_health *h)
{
	if (!h)
		return;
	for (uint32_t i = 0; h->targets && i < h->max; i++)
		if (h->targets[i])
			mr_health_remove(h->targets[i]);
	health_spaces_close(h);
	if (h->epoll >= 0)
		close(h->epoll);
	if (h->clock >= 0)
		close(h->clock);
	mr_timer_wheel_destroy(h->wheel);
	free(h->timers);
	free(h->targets);
	free(h);
}

int
mr_health_fd(const struct mr_health *h)
{
	return h->epoll;
}

int
mr_health_add(struct mr_health *h, const struct mr_health_config *config, uint64_t tag,
    struct mr_health_target **out, struct mr_error *error)
{
	struct mr_health_target *t;
	uint32_t i = 0;
	int rc;

	if (h->count == h->max)
		return mr_error_set(error, -ENOSPC, "health checks: more than %u servers", h->max);
	rc = health_target_create(&t, config, error);
	if (rc)
		return rc;
	while (h->targets[i])
		i++;
	t->health = h;
	t->tag = tag;
	t->index = i;
	t->serial = ++h->serial;
	h->targets[i] = t;
	h->count++;
	mr_timer_set(h->wheel, i,
	    now_ns() + health_random(h) % MR_MIN(config->interval * MS, FIRST_MS * MS));
	set_clock(h, mr_timer_next(h->wheel));
	*out = t;
	return 0;
}

static void
close_socket(struct mr_health_target *t)
{
	if (t->fd >= 0)
		close(t->fd); /* leaves the epoll set by itself */
	t->fd = -1;
}

void
mr_health_remove(struct mr_health_target *t)
{
	struct mr_health *h = t->health;
	struct mr_health_target **at;

	mr_timer_cancel(h->wheel, t->index);
	if (t->phase == HEALTH_WAITING) {
		for (at = &h->first; *at != t; at = &(*at)->next)
			;
		*at = t->next;
		if (!*at)
			h->last = at;
	} else if (t->phase == HEALTH_ASKED) {
		h->asked--;
	}
	close_socket(t);
	h->targets[t->index] = NULL;
	h->count--;
	health_target_free(t);
}

int
health_watch(struct mr_health_target *t, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = (uint64_t)t->serial << 32 | t->index,
	};
	int rc = epoll_ctl(t->health->epoll, EPOLL_CTL_MOD, t->fd, &event);

	if (rc && errno == ENOENT)
		rc = epoll_ctl(t->health->epoll, EPOLL_CTL_ADD, t->fd, &event);
	return rc;
}

/* -- what answers mean --------------------------------------------------------------------- */

/* From the beginning of a check to that of the next. Those after a bad answer, which decide whether a
 * server is down, fit together into a fifth of the interval, and the regular ones leave them
 * that fifth. Up to a tenth less by chance, so that servers which were added together drift apart. */
static uint64_t
pace(struct mr_health_target *t)
{
	const struct mr_health_config *c = &t->config;
	uint64_t interval = c->interval * MS, fast = interval / (5ull * c->fall), regular;

	if (t->healthy && t->streak)
		return fast;
	regular = interval - (c->fall - 1) * fast;
	return regular - health_random(t->health) % (regular / 10 + 1);
}

static void
decide(struct mr_health_target *t, bool good)
{
	uint32_t enough = !t->decided ? 1 : t->healthy ? t->config.fall : t->config.rise;

	t->decided = true;
	if (good == t->healthy) {
		t->streak = 0;
		return;
	}
	if (++t->streak < enough)
		return;
	t->streak = 0;
	t->healthy = good;
}

static void
end_check(struct mr_health_target *t, enum health_verdict verdict, const char *was, uint64_t now)
{
	struct mr_health *h = t->health;
	bool healthy = t->healthy;

	close_socket(t);
	t->phase = HEALTH_IDLE;
	h->asked--;
	t->took = (uint32_t)MR_MIN((now - t->started) / 1000, (uint64_t)UINT32_MAX);
	if (verdict == HEALTH_GOOD) {
		t->good++;
		t->why[0] = 0;
	} else {
		t->bad++;
	}
	decide(t, verdict == HEALTH_GOOD);
	mr_timer_set(h->wheel, t->index, MR_MAX(t->started + pace(t), now));
	if (t->healthy != healthy || (!t->healthy && t->why[0] && strcmp(was, t->why)))
		h->events.changed(h->events.arg, t->tag, t->healthy, t->why);
}

/* Asks `call` what it knows by now, and acts on it. */
static void
step(struct mr_health_target *t, enum health_verdict (*call)(struct mr_health_target *, uint32_t),
    uint32_t events, uint64_t now)
{
	char was[MR_HEALTH_WHY_MAX];
	enum health_verdict verdict;

	memcpy(was, t->why, sizeof(was));
	verdict = call(t, events);
	if (verdict != HEALTH_WAIT)
		end_check(t, verdict, was, now);
}

static enum health_verdict
open_and_begin(struct mr_health_target *t, uint32_t events)
{
	const struct health_check *check = checks[t->config.kind];
	struct mr_error error = { 0 };

	(void)events;
	t->fd = check->open(t, &error);
	if (t->fd < 0)
		return health_bad(t, "%s", error.text);
	return check->begin(t);
}

static enum health_verdict
give_up(struct mr_health_target *t, uint32_t events)
{
	(void)events;
	return checks[t->config.kind]->late(t);
}

/* -- time ---------------------------------------------------------------------------------- */

static void
take_events(struct mr_health *h)
{
	struct epoll_event events[BATCH];
	int n = BATCH;

	for (unsigned round = 0; round < ROUNDS && n == BATCH; round++) {
		n = epoll_wait(h->epoll, events, BATCH, 0);
		for (int i = 0; i < n; i++) {
			uint64_t name = events[i].data.u64;
			struct mr_health_target *t;

			if (name == CLOCK)
				continue; /* setting it anew makes it quiet */
			t = h->targets[(uint32_t)name];
			if (t && t->serial == name >> 32 && t->phase == HEALTH_ASKED)
				step(t, checks[t->config.kind]->ready, events[i].events, now_ns());
		}
	}
}

static void
take_timers(struct mr_health *h, uint64_t now)
{
	uint32_t expired[BATCH];
	unsigned n = mr_timer_advance(h->wheel, now, BATCH, expired, BATCH);

	for (unsigned i = 0; i < n; i++) {
		struct mr_health_target *t = h->targets[expired[i]];

		if (t->phase == HEALTH_ASKED) {
			step(t, give_up, 0, now);
			continue;
		}
		t->phase = HEALTH_WAITING;
		t->next = NULL;
		*h->last = t;
		h->last = &t->next;
	}
}

static void
take_waiting(struct mr_health *h)
{
	for (unsigned i = 0; i < BATCH && h->first && h->asked < MR_HEALTH_AT_ONCE; i++) {
		struct mr_health_target *t = h->first;

		h->first = t->next;
		if (!h->first)
			h->last = &h->first;
		t->phase = HEALTH_ASKED;
		h->asked++;
		t->connected = false;
		t->sent = 0;
		t->started = now_ns();
		mr_timer_set(h->wheel, t->index, t->started + t->config.timeout * MS);
		step(t, open_and_begin, 0, t->started);
	}
}

void
mr_health_work(struct mr_health *h)
{
	uint64_t now;
	bool more;

	/* Answers first: those that came in time count, however late we are. */
	take_events(h);
	now = now_ns();
	take_timers(h, now);
	take_waiting(h);
	more = mr_timer_behind(h->wheel) || (h->first && h->asked < MR_HEALTH_AT_ONCE);
	set_clock(h, more ? now : mr_timer_next(h->wheel));
}
