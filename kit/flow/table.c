/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table as a whole: its memory, and flows that come and go. */
#include <errno.h>
#include <stdlib.h>

#include "kit/base/memory.h"
#include "kit/flow/table_int.h"

/* What the timer wheel takes for each, about. */
#define TIMER_BYTES 5u

/* The overflow buckets that a table of `max` flows can ever need; number 0 says "none". */
static uint64_t
overflow_buckets(uint32_t max)
{
	return max / FLOW_WAYS + 2;
}

static int
reserve(struct mr_flow_table *t, int numa, struct mr_error *error)
{
	uint64_t buckets = FLOW_BUCKETS_MIN;
	void *memory;
	int rc;

	while (buckets * FLOW_FULL < t->max)
		buckets *= 2;
	t->limit = (uint32_t)buckets;
	t->bucket_bytes = (buckets + overflow_buckets(t->max)) * sizeof(struct flow_bucket);
	t->line_bytes = ((size_t)t->max + 1) * sizeof(struct mr_flow);
	t->value_bytes = ((size_t)t->max + 1) * sizeof(struct mr_flow_values);
	t->cold_bytes = ((size_t)t->max + 1) * sizeof(struct flow_cold);
	rc = mr_memory_reserve(&memory, t->bucket_bytes, numa, "flow table's buckets", error);
	t->buckets = memory;
	if (rc)
		return rc;
	rc = mr_memory_reserve(&memory, t->line_bytes, numa, "flow table's lines", error);
	t->lines = memory;
	if (rc)
		return rc;
	rc = mr_memory_reserve(&memory, t->value_bytes, numa, "flow table's values", error);
	t->values = memory;
	if (rc)
		return rc;
	rc = mr_memory_reserve(&memory, t->cold_bytes, numa, "flow table's totals", error);
	t->cold = memory;
	if (rc)
		return rc;
	t->debtor_bytes = (size_t)t->max * sizeof(*t->debtors);
	rc = mr_memory_reserve(&memory, t->debtor_bytes, numa, "flow table's debtors", error);
	t->debtors = memory;
	return rc;
}

int
mr_flow_table_create(struct mr_flow_table **out, const struct mr_flow_table_config *config,
    struct mr_error *error)
{
	struct mr_timer_wheel_config timers = { .stride = sizeof(struct flow_cold) };
	struct mr_flow_table *t;
	int rc;

	*out = NULL;
	if (!config->max || config->max > FLOW_MAX)
		return mr_error_set(error, -EINVAL, "flow table: %u flows, at most %u", config->max,
		    FLOW_MAX);
	t = aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*t), (size_t)MR_CACHE_LINE));
	if (!t)
		return mr_error_set(error, -ENOMEM, "flow table: no memory");
	memset(t, 0, sizeof(*t));
	t->max = config->max;
	t->idle_seconds = config->idle_seconds;
	t->wide = flow_find_wide();
	t->grow_now = FLOW_FULL;
	rc = reserve(t, config->numa, error);
	if (rc)
		goto fail;
	t->overflow_fresh = t->limit;
	t->count = FLOW_BUCKETS_MIN;
	t->mask = FLOW_BUCKETS_MIN - 1;
	mr_counter_add(&t->memory, FLOW_BUCKETS_MIN * sizeof(struct flow_bucket));
	if (config->seed)
		mr_hash_key_seed(&t->hash, config->seed);
	else
		rc = mr_hash_key_random(&t->hash, error);
	if (rc)
		goto fail;
	timers.timers = &t->cold->timer;
	timers.count = t->max + 1;
	rc = mr_timer_wheel_create(&t->wheel, &timers, error);
	if (rc)
		goto fail;
	/* What a look-up that finds nothing compares with: no packet has this key. */
	memset(&t->lines[MR_FLOW_NONE].key, 0xff, sizeof(t->lines[MR_FLOW_NONE].key));
	*out = t;
	return 0;

fail:
	mr_flow_table_destroy(t);
	return rc;
}

void
mr_flow_table_destroy(struct mr_flow_table *t)
{
	if (!t)
		return;
	mr_timer_wheel_destroy(t->wheel);
	mr_memory_release(t->debtors, t->debtor_bytes);
	mr_memory_release(t->cold, t->cold_bytes);
	mr_memory_release(t->values, t->value_bytes);
	mr_memory_release(t->lines, t->line_bytes);
	mr_memory_release(t->buckets, t->bucket_bytes);
	free(t);
}

struct mr_flow *
mr_flow_table_lines(struct mr_flow_table *t)
{
	return t->lines;
}

const struct mr_flow_values *
mr_flow_table_values(const struct mr_flow_table *t)
{
	return t->values;
}

/* In words, as all of a flow that another thread may read beside its worker. */
void
mr_flow_table_set_values(struct mr_flow_table *t, uint32_t flow, const struct mr_flow_values *from)
{
	_Atomic uint64_t *to = (_Atomic uint64_t *)(void *)t->values[flow].bytes;
	uint64_t words[sizeof(*from) / sizeof(uint64_t)];

	memcpy(words, from, sizeof(words));
	for (unsigned i = 0; i < MR_ARRAY_COUNT(words); i++)
		atomic_store_explicit(&to[i], words[i], memory_order_relaxed);
	if (flow > atomic_load_explicit(&t->values_top, memory_order_relaxed))
		atomic_store_explicit(&t->values_top, flow, memory_order_relaxed);
}

void
mr_flow_table_fetch_values(struct mr_flow_table *t, bool fetch)
{
	/* Those of no flow are fetched, too: a page that is not there costs more. */
	if (fetch)
		t->values[MR_FLOW_NONE].bytes[0] = 0;
	t->fetch_values = fetch;
}

void
mr_flow_table_prepare(struct mr_flow_table *t, uint32_t flows)
{
	size_t from = atomic_load_explicit(&t->top, memory_order_relaxed) + (size_t)1;
	size_t to = MR_MIN((size_t)flows, (size_t)t->max) + 1;

	if (to <= from)
		return;
	mr_memory_touch(t->lines, from * sizeof(*t->lines), to * sizeof(*t->lines));
	mr_memory_touch(t->cold, from * sizeof(*t->cold), to * sizeof(*t->cold));
	if (atomic_load_explicit(&t->values_top, memory_order_relaxed))
		mr_memory_touch(t->values, from * sizeof(*t->values), to * sizeof(*t->values));
}

/* In words, as peek may read them. */
static void
store_key(struct mr_flow *line, const struct mr_flow_key *key)
{
	uint32_t words[sizeof(*key) / sizeof(uint32_t)];

	memcpy(words, key, sizeof(words));
	for (unsigned i = 0; i < MR_ARRAY_COUNT(words); i++)
		flow_store((uint32_t *)&line->key + i, words[i]);
}

static uint32_t
take_index(struct mr_flow_table *t)
{
	uint32_t flow = t->free, top;

	if (flow) {
		t->free = t->lines[flow].arg;
		mr_prefetch_write(&t->lines[t->free]);
		mr_prefetch_write(&t->cold[t->free]);
		return flow;
	}
	top = atomic_load_explicit(&t->top, memory_order_relaxed);
	if (top == t->max)
		return MR_FLOW_NONE;
	atomic_store_explicit(&t->top, top + 1, memory_order_relaxed);
	/* The next one's; past the end there is nothing, which a prefetch may be told. */
	mr_prefetch_write(&t->lines[top + 2]);
	mr_prefetch_write(&t->cold[top + 2]);
	return top + 1;
}

uint32_t
mr_flow_table_add(struct mr_flow_table *t, const struct mr_flow_key *key, uint64_t hash,
    uint32_t seconds)
{
	uint32_t flow = take_index(t);
	struct flow_cold *cold = &t->cold[flow];
	struct mr_flow *line = &t->lines[flow];
	uint32_t life;

	if (mr_unlikely(!flow)) {
		mr_counter_add(&t->refused, 1);
		return MR_FLOW_NONE;
	}
	t->seconds = MR_MAX(t->seconds, seconds);
	store_key(line, key);
	flow_store(&line->arg, 0);
	flow_store(&line->program, 0);
	flow_store(&line->bytes, 0);
	line->stamp = 0;
	atomic_store_explicit((_Atomic uint16_t *)&line->packets, 0, memory_order_relaxed);
	atomic_store_explicit((_Atomic uint16_t *)&line->seen, (uint16_t)seconds,
	    memory_order_relaxed);
	flow_store(&cold->timer.data, seconds);
	atomic_store_explicit(&cold->packets, 0, memory_order_relaxed);
	atomic_store_explicit(&cold->bytes, 0, memory_order_relaxed);
	atomic_store_explicit(&cold->last, seconds, memory_order_relaxed);
	cold->told = 0;
	/* Release pairs with peek's first load: who sees this version sees what stands above. */
	life = atomic_load_explicit(&cold->version, memory_order_relaxed) & -FLOW_LIFE;
	atomic_store_explicit(&cold->version, (life + FLOW_LIFE) | FLOW_LIVE, memory_order_release);
	flow_age_arm(t, flow, seconds, t->idle_seconds);
	flow_bucket_insert(t, hash, flow);
	mr_counter_add(&t->flows, 1);
	mr_counter_add(&t->added, 1);
	flow_bucket_grow(t);
	return flow;
}

void
flow_remove_hashed(struct mr_flow_table *t, uint32_t flow, uint64_t hash)
{
	struct flow_cold *cold = &t->cold[flow];
	uint32_t life = atomic_load_explicit(&cold->version, memory_order_relaxed) & -FLOW_LIFE;

	flow_bucket_erase(t, hash, flow);
	if (mr_timer_armed(&cold->timer))
		mr_timer_cancel(t->wheel, flow);
	atomic_store_explicit(&cold->version, life | FLOW_DEAD, memory_order_relaxed);
	/* Pairs with peek's fence: who read anything that is written into the line from here on
	 * sees this version, too. */
	atomic_thread_fence(memory_order_release);
	flow_store(&t->lines[flow].arg, t->free);
	t->free = flow;
	mr_counter_add(&t->flows, (uint64_t)-1);
	mr_counter_add(&t->removed, 1);
}

bool
mr_flow_table_has(const struct mr_flow_table *t, uint32_t flow)
{
	return flow && flow <= t->max && flow_is_live(t, flow);
}

void
mr_flow_table_remove(struct mr_flow_table *t, uint32_t flow)
{
	if (!mr_flow_table_has(t, flow))
		return;
	flow_remove_hashed(t, flow, flow_hash(&t->hash, &t->lines[flow].key));
}

void
mr_flow_table_stats(const struct mr_flow_table *t, struct mr_flow_table_stats *out)
{
	uint64_t top = atomic_load_explicit(&t->top, memory_order_relaxed);
	/* Buckets in use, and of the rest what is touched with the first flow of an index. */
	uint64_t memory = sizeof(*t) + mr_counter_get(&t->memory) +
	    (top + 1) * (sizeof(struct mr_flow) + sizeof(struct flow_cold) + TIMER_BYTES) +
	    atomic_load_explicit(&t->values_top, memory_order_relaxed) *
		sizeof(struct mr_flow_values);

	*out = (struct mr_flow_table_stats){
		.memory = memory,
		.flows = mr_counter_get(&t->flows),
		.added = mr_counter_get(&t->added),
		.removed = mr_counter_get(&t->removed),
		.expired = mr_counter_get(&t->expired),
		.refused = mr_counter_get(&t->refused),
		.grown = mr_counter_get(&t->grown),
		.moved_buckets = mr_counter_get(&t->split),
		.relocated = mr_counter_get(&t->relocated),
	};
}
