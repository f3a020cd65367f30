/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ageing. A flow's timer is not moved with its packets: when it is due, the line tells when the
 * last packet came, and the timer is armed for the rest. `seen` has the low 16 bits of that second;
 * a flow is looked after every nine hours at least, so that they are enough, and what it
 * said is kept in the cold part.
 */
#include "kit/flow/table_inl.h"
#include "kit/flow/table_int.h"

/* Flows that are looked after together, their memory fetched before. */
#define TOGETHER 64u

void
flow_age_arm(struct mr_flow_table *t, uint32_t flow, uint32_t last, uint32_t idle)
{
	uint64_t due = (uint64_t)t->seconds + FLOW_LOOK_SECONDS;

	if (idle)
		due = MR_MIN(due, (uint64_t)last + idle);
	mr_timer_set(t->wheel, flow, due);
}

void
mr_flow_table_fold(struct mr_flow_table *t, uint32_t flow)
{
	struct flow_cold *cold = &t->cold[flow];
	struct mr_flow *line = &t->lines[flow];
	uint32_t version = atomic_load_explicit(&cold->version, memory_order_relaxed), folds;

	if (!line->packets || (version & FLOW_STATE) != FLOW_LIVE)
		return;
	/* Pairs with peek, which waits while the state is this one. */
	folds = (version + FLOW_FOLD) % FLOW_LIFE / FLOW_FOLD * FLOW_FOLD;
	version = (version & -FLOW_LIFE) | folds;
	atomic_store_explicit(&cold->version, version | FLOW_CHANGING, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	mr_counter_add(&cold->packets, line->packets);
	mr_counter_add(&cold->bytes, line->bytes);
	atomic_store_explicit(&cold->last, flow_seen(line->seen, t->seconds), memory_order_relaxed);
	atomic_store_explicit((_Atomic uint16_t *)&line->packets, 0, memory_order_relaxed);
	flow_store(&line->bytes, 0);
	atomic_store_explicit(&cold->version, version | FLOW_LIVE, memory_order_release);
}

void
mr_flow_table_totals(const struct mr_flow_table *t, uint32_t flow, uint64_t *packets,
    uint64_t *bytes)
{
	*packets = mr_counter_get(&t->cold[flow].packets) + t->lines[flow].packets;
	*bytes = mr_counter_get(&t->cold[flow].bytes) + t->lines[flow].bytes;
}

void
mr_flow_table_account(struct mr_flow_table *t, uint32_t flow, uint64_t packets, uint64_t bytes,
    uint32_t seconds)
{
	/* One as any other, which says when; the rest where it is folded to. */
	mr_flow_touch(t, t->lines, flow, 0, seconds);
	mr_counter_add(&t->cold[flow].packets, packets - 1);
	mr_counter_add(&t->cold[flow].bytes, bytes);
}

/* One whose timer was due: whether it was idle for long enough. If not, the timer is armed. */
static bool
is_idle(struct mr_flow_table *t, uint32_t flow, mr_flow_idle_fn *idle, void *user)
{
	uint32_t limit = t->idle_seconds, last;

	mr_flow_table_fold(t, flow);
	last = atomic_load_explicit(&t->cold[flow].last, memory_order_relaxed);
	if (idle)
		limit = idle(user, &t->lines[flow]);
	if (limit && (uint64_t)last + limit <= t->seconds)
		return true;
	flow_age_arm(t, flow, last, limit);
	return false;
}

/* Which of the flows that had this index it is; 0: none. */
mr_inline uint32_t
life_of(const struct mr_flow_table *t, uint32_t flow)
{
	uint32_t version = atomic_load_explicit(&t->cold[flow].version, memory_order_relaxed);

	return version & FLOW_STATE ? (version & -FLOW_LIFE) | FLOW_LIVE : FLOW_DEAD;
}

static unsigned
age_some(struct mr_flow_table *t, const uint32_t *due, unsigned count, mr_flow_idle_fn *idle,
    mr_flow_expired_fn *expired, void *user)
{
	uint64_t hash[TOGETHER];
	uint32_t flow[TOGETHER], life[TOGETHER];
	unsigned n = 0, done = 0;

	for (unsigned i = 0; i < count; i++)
		mr_prefetch_write(&t->lines[due[i]]);
	for (unsigned i = 0; i < count; i++) {
		if (!is_idle(t, due[i], idle, user))
			continue;
		flow[n] = due[i];
		life[n] = life_of(t, due[i]);
		hash[n] = flow_hash(&t->hash, &t->lines[due[i]].key);
		mr_prefetch_write(&t->buckets[flow_bucket_of(t, hash[n])]);
		n++;
	}
	for (unsigned i = 0; i < n; i++) {
		/* `expired` may have removed it, for one before or for itself. */
		if (life_of(t, flow[i]) != life[i])
			continue;
		if (expired)
			expired(user, flow[i]);
		mr_counter_add(&t->expired, 1);
		done++;
		if (life_of(t, flow[i]) == life[i])
			flow_remove_hashed(t, flow[i], hash[i]);
	}
	return done;
}

unsigned
mr_flow_table_age(struct mr_flow_table *t, uint32_t seconds, unsigned budget, mr_flow_idle_fn *idle,
    mr_flow_expired_fn *expired, void *user)
{
	uint32_t due[TOGETHER];
	unsigned done = 0, n;

	/* Most passes: the same second as before, and all was done then. */
	if (seconds <= t->aged && !mr_timer_behind(t->wheel))
		return 0;
	t->aged = seconds;
	t->seconds = MR_MAX(t->seconds, seconds);
	while (budget > 0) {
		unsigned some = MR_MIN(budget, TOGETHER);

		n = mr_timer_advance(t->wheel, t->seconds, some, due, some);
		done += age_some(t, due, n, idle, expired, user);
		if (!mr_timer_behind(t->wheel))
			break;
		budget -= some;
	}
	return done;
}
