/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/neighbor/machine.h"

#include <string.h>

static void
enter(struct neighbor_machine *m, enum neighbor_state state, uint64_t now, uint64_t due)
{
	if (m->state != state)
		m->since = now;
	m->state = (uint8_t)state;
	m->due = due;
	m->asks = 0;
}

void
neighbor_machine_init(struct neighbor_machine *m, const struct neighbor_times *t, uint64_t now)
{
	memset(m, 0, sizeof(*m));
	m->state = NEIGHBOR_FAILED;
	m->since = now;
	m->due = now + t->failed;
}

static bool
has_address(const struct neighbor_machine *m)
{
	return m->state != NEIGHBOR_INCOMPLETE && m->state != NEIGHBOR_FAILED;
}

static unsigned
ask(struct neighbor_machine *m, const struct neighbor_times *t, unsigned how, uint64_t now)
{
	m->asks++;
	m->asked = now;
	m->due = now + t->retransmit;
	return how;
}

/* Between half and one and a half of the base (RFC 4861, 6.3.2). */
static unsigned
reachable(struct neighbor_machine *m, const struct neighbor_times *t, uint64_t now, uint32_t random)
{
	m->confirmed = now;
	enter(m, NEIGHBOR_REACHABLE, now,
	    now + t->reachable / 2 + (uint64_t)t->reachable * (random >> 8) / (1u << 24));
	return 0;
}

static unsigned
stale(struct neighbor_machine *m, const struct neighbor_times *t, uint64_t now)
{
	/* One that is used cannot rest: it is asked soon. */
	if (m->used)
		enter(m, NEIGHBOR_DELAY, now, now + t->delay);
	else
		enter(m, NEIGHBOR_STALE, now, now + t->stale);
	return 0;
}

static unsigned
wanted(struct neighbor_machine *m, const struct neighbor_times *t, uint64_t now)
{
	switch (m->state) {
	case NEIGHBOR_FAILED:
		/* Not more often than it is asked anyway (RFC 1122, 2.3.2.1). */
		if (m->asked && now - m->asked < t->retransmit)
			return NEIGHBOR_FAIL;
		enter(m, NEIGHBOR_INCOMPLETE, now, 0);
		return ask(m, t, NEIGHBOR_ASK_ALL, now);
	case NEIGHBOR_INCOMPLETE:
		return 0;
	case NEIGHBOR_STALE:
		enter(m, NEIGHBOR_DELAY, now, now + t->delay);
		return NEIGHBOR_USE | NEIGHBOR_RELEASE;
	default:
		return m->used ? NEIGHBOR_RELEASE : NEIGHBOR_USE | NEIGHBOR_RELEASE;
	}
}

static unsigned
timeout(struct neighbor_machine *m, const struct neighbor_times *t, uint64_t now)
{
	switch (m->state) {
	case NEIGHBOR_INCOMPLETE:
		if (m->asks < t->asks)
			return ask(m, t, NEIGHBOR_ASK_ALL, now);
		enter(m, NEIGHBOR_FAILED, now, now + t->failed);
		return NEIGHBOR_FAIL;
	case NEIGHBOR_REACHABLE:
		return stale(m, t, now);
	case NEIGHBOR_DELAY:
		enter(m, NEIGHBOR_PROBE, now, 0);
		return ask(m, t, NEIGHBOR_ASK_ONE, now);
	case NEIGHBOR_PROBE:
		if (m->asks < t->asks)
			return ask(m, t, NEIGHBOR_ASK_ONE, now);
		enter(m, NEIGHBOR_FAILED, now, now + t->failed);
		return NEIGHBOR_FAIL;
	case NEIGHBOR_STALE:
	case NEIGHBOR_FAILED:
		return NEIGHBOR_GONE;
	default:
		m->due = 0;
		return 0;
	}
}

/* A first address ends the waiting. */
static unsigned
learned(struct neighbor_machine *m, const uint8_t mac[6])
{
	unsigned waited = m->state == NEIGHBOR_INCOMPLETE ? NEIGHBOR_RELEASE : 0;

	memcpy(m->mac, mac, 6);
	return waited || m->used ? NEIGHBOR_USE | waited : 0;
}

static unsigned
solicited(struct neighbor_machine *m, const struct neighbor_times *t, const uint8_t mac[6],
    bool override, uint64_t now, uint32_t random)
{
	bool other = memcmp(m->mac, mac, 6) != 0;
	unsigned actions = 0;

	if (has_address(m) && other && !override)
		return m->state == NEIGHBOR_REACHABLE ? stale(m, t, now) : 0;
	if (!has_address(m) || other)
		actions = learned(m, mac);
	return actions | reachable(m, t, now, random);
}

static unsigned
unsolicited(struct neighbor_machine *m, const struct neighbor_times *t, const uint8_t mac[6],
    bool override, uint64_t now)
{
	bool other = memcmp(m->mac, mac, 6) != 0;
	unsigned actions;

	if (has_address(m) && !other)
		return 0;
	if (has_address(m) && !override)
		return m->state == NEIGHBOR_REACHABLE ? stale(m, t, now) : 0;
	actions = learned(m, mac);
	/* It is about to be used, if somebody waited. */
	m->used |= (actions & NEIGHBOR_RELEASE) != 0;
	return actions | stale(m, t, now);
}

unsigned
neighbor_step(struct neighbor_machine *m, const struct neighbor_times *t, enum neighbor_event event,
    const uint8_t mac[6], bool override, uint64_t now, uint32_t random)
{
	unsigned actions = 0;

	if (m->state == NEIGHBOR_PERMANENT)
		return event == NEIGHBOR_WANTED
		    ? (m->used ? 0u : (unsigned)NEIGHBOR_USE) | NEIGHBOR_RELEASE
		    : 0;
	switch (event) {
	case NEIGHBOR_WANTED:
		actions = wanted(m, t, now);
		break;
	case NEIGHBOR_TIMEOUT:
		actions = timeout(m, t, now);
		break;
	case NEIGHBOR_SOLICITED:
		actions = solicited(m, t, mac, override, now, random);
		break;
	case NEIGHBOR_UNSOLICITED:
		actions = unsolicited(m, t, mac, override, now);
		break;
	case NEIGHBOR_HEARD:
		/* The same as an advertisement that overrides (RFC 4861, 7.2.3, 6.2.6). */
		actions = unsolicited(m, t, mac, true, now);
		break;
	default:
		break;
	}
	if (actions & NEIGHBOR_USE)
		m->used = true;
	if (actions & NEIGHBOR_FAIL)
		m->used = false;
	return actions;
}

const char *
neighbor_state_name(enum neighbor_state state)
{
	static const char *const names[NEIGHBOR_STATES] = {
		[NEIGHBOR_INCOMPLETE] = "incomplete",
		[NEIGHBOR_REACHABLE] = "reachable",
		[NEIGHBOR_STALE] = "stale",
		[NEIGHBOR_DELAY] = "delay",
		[NEIGHBOR_PROBE] = "probe",
		[NEIGHBOR_FAILED] = "failed",
		[NEIGHBOR_PERMANENT] = "permanent",
	};

	return names[state];
}
