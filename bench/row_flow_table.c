/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows flow-table-*: packets find their flows and count in them, the flow table alone: keys are
 * made from numbers, nothing is parsed or sent. The floor is an array of lines that hold key and
 * counters themselves, found by a CRC under which no two flows meet: one line a packet, no ageing, no
 * growing, and nothing against who chooses his keys.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/peer_dpdk.h"
#include "bench/shape_flow_table.h"
#include "kit/base/memory.h"
#include "kit/flow/table_inl.h"
#include "kit/packet/crc32c.h"

static_assert(SHAPE_FLOW_VECTOR == MR_VECTOR_MAX, "all sides take whole vectors");

struct bare_line {
	MR_CACHE_ALIGNED struct shape_flow flow;
	uint64_t packets, bytes;
};

struct job {
	struct mr_flow_table *table;
	struct mr_flow *lines;
	struct bare_line *bare;
	size_t bare_size;
	uint32_t *order;
	uint32_t flows, at;
	struct mr_flow_batch batch;
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_flow_table_destroy(job->table);
	mr_memory_release(job->bare, job->bare_size);
	free(job->order);
	free(job);
}

mr_inline void
key_of(struct mr_flow_key *key, uint32_t n)
{
	struct shape_flow f = shape_flow(n);
	uint64_t words[5] = { (uint32_t)f.addresses, 0, f.addresses >> 32, 0,
		(uint32_t)f.rest | (uint64_t)MR_FLOW_WHERE(1, 0, 17, 0) << 32 };

	static_assert(offsetof(struct mr_flow_key, where) == 36, "ports and where are a word");
	for (unsigned i = 0; i < 5; i++)
		memcpy((uint8_t *)key + 8 * i, &words[i], 8);
	key->pair = 0;
}

/* A CRC that never lets two flows meet: it is computed, and adds nothing to the flow's number. */
mr_inline uint32_t
bare_hash(const struct shape_flow *f, uint32_t n)
{
#if defined(__x86_64__)
	uint64_t crc = __builtin_ia32_crc32di(UINT32_MAX, f->addresses);

	return n + (uint32_t)(__builtin_ia32_crc32di(crc, f->rest) >> 32);
#else
	return n + (uint32_t)((uint64_t)mr_crc32c_add(UINT32_MAX, f, sizeof(*f)) >> 32);
#endif
}

mr_inline bool
bare_same(const struct shape_flow *a, const struct shape_flow *b)
{
	return ((a->addresses ^ b->addresses) | (a->rest ^ b->rest)) == 0;
}

static int
fill(struct job *job, struct mr_error *error)
{
	for (uint32_t n = 0; n < job->flows; n++) {
		struct shape_flow f = shape_flow(n);
		struct mr_flow_key key;

		key_of(&key, n);
		if (!mr_flow_table_add(job->table, &key, mr_flow_table_hash(job->table, &key), 1))
			return mr_error_set(error, -ENOSPC, "flow %u was refused", n);
		job->bare[bare_hash(&f, n)].flow = f;
	}
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job =
	    aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*job), (size_t)MR_CACHE_LINE));
	struct mr_flow_table_config config = { .idle_seconds = 30, .numa = -1 };
	struct mr_flow_table_stats stats;
	void *bare = NULL;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	memset(job, 0, sizeof(*job));
	run->state = job;
	job->flows = config.max = (uint32_t)run->row->param;
	job->bare_size = (size_t)job->flows * sizeof(*job->bare);
	job->order = shape_flow_order(job->flows);
	rc = job->order ? 0 : mr_error_set(error, -ENOMEM, "no memory");
	if (!rc && mr_memory_available("") < job->bare_size + job->flows * 160ull)
		rc = mr_error_set(error, -ENOMEM, "not enough memory for %u flows", job->flows);
	if (!rc)
		rc = mr_flow_table_create(&job->table, &config, error);
	if (!rc)
		rc = mr_memory_reserve(&bare, job->bare_size, -1, "bare lines", error);
	job->bare = bare;
	if (!rc)
		rc = fill(job, error);
	if (rc) {
		teardown(run);
		return rc;
	}
	job->lines = mr_flow_table_lines(job->table);
	mr_flow_table_stats(job->table, &stats);
	mr_bench_note(run, "; %.0f bytes a flow", (double)stats.memory / job->flows);
	return 0;
}

mr_inline const uint32_t *
next_vector(struct job *job)
{
	const uint32_t *vector = &job->order[job->at];

	job->at = (job->at + SHAPE_FLOW_VECTOR) % SHAPE_FLOW_ORDER;
	return vector;
}

static void
our_vector(struct job *job, const uint32_t *numbers)
{
	for (unsigned i = 0; i < SHAPE_FLOW_VECTOR; i++)
		key_of(&job->batch.key[i], numbers[i]);
	mr_flow_table_find(job->table, &job->batch, SHAPE_FLOW_VECTOR);
	for (unsigned i = 0; i < SHAPE_FLOW_VECTOR; i++)
		mr_flow_touch(job->table, job->lines, job->batch.found[i], SHAPE_FLOW_LENGTH, 2);
}

static void
bare_vector(struct job *job, const uint32_t *numbers)
{
	struct shape_flow flow[SHAPE_FLOW_VECTOR];
	uint32_t at[SHAPE_FLOW_VECTOR];

	for (unsigned i = 0; i < SHAPE_FLOW_VECTOR; i++) {
		flow[i] = shape_flow(numbers[i]);
		at[i] = bare_hash(&flow[i], numbers[i]);
		mr_prefetch_far(&job->bare[at[i]]);
	}
	for (unsigned i = 0; i < SHAPE_FLOW_VECTOR; i++) {
		struct bare_line *line = &job->bare[at[i]];

		if (mr_unlikely(!bare_same(&line->flow, &flow[i])))
			continue;
		line->packets++;
		line->bytes += SHAPE_FLOW_LENGTH;
	}
}

mr_inline int
window(struct mr_bench_run *run, double *value, void (*vector)(struct job *, const uint32_t *))
{
	uint64_t start = mr_cycles(), now, count = 0;
	struct job *job = run->state;

	do {
		for (unsigned i = 0; i < SHAPE_FLOW_TURNS; i++) {
			vector(job, next_vector(job));
			count += SHAPE_FLOW_VECTOR;
		}
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)(now - start) / (double)count;
	return 0;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return window(run, value, our_vector);
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return window(run, value, bare_vector);
}

/* A vector of new flows, in the second in which they come; false: one was refused. */
static bool
churn_vector(struct job *job)
{
	/* So many flows a second that as many live as the row says. */
	uint32_t seconds = job->at / (job->flows / 30);

	for (unsigned i = 0; i < MR_VECTOR_MAX; i++)
		key_of(&job->batch.key[i], job->at + i);
	mr_flow_table_find(job->table, &job->batch, MR_VECTOR_MAX);
	for (unsigned i = 0; i < MR_VECTOR_MAX; i++)
		if (job->batch.found[i] ||
		    !mr_flow_table_add(job->table, &job->batch.key[i], job->batch.hash[i], seconds))
			return false;
	job->at += MR_VECTOR_MAX;
	mr_flow_table_age(job->table, seconds, 2 * MR_VECTOR_MAX, NULL, NULL, NULL);
	return true;
}

static int
churn(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	uint64_t start = mr_cycles(), now, count = 0;
	struct job *job = run->state;

	do {
		if (!churn_vector(job))
			return mr_error_set(error, -EINVAL, "a new flow was refused");
		count += MR_VECTOR_MAX;
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)(now - start) / (double)count;
	return 0;
}

/* Twice the flows that there are to be, so that as many go as come. */
static int
setup_churn(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job =
	    aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*job), (size_t)MR_CACHE_LINE));
	struct mr_flow_table_config config = { .max = (uint32_t)run->row->param * 2,
		.idle_seconds = 30,
		.numa = -1 };
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	memset(job, 0, sizeof(*job));
	run->state = job;
	job->flows = (uint32_t)run->row->param;
	rc = mr_flow_table_create(&job->table, &config, error);
	while (!rc && job->at < job->flows * 2)
		if (!churn_vector(job))
			rc = mr_error_set(error, -EINVAL, "a new flow was refused");
	if (rc)
		teardown(run);
	return rc;
}

static const struct mr_bench_peer *const peers[] = { &mr_bench_peer_dpdk, NULL };

#define LOOK_UP(name_, count_, flows_) \
	{ \
		.name = name_, .unit = "cycles/packet", .param = count_, \
		.doc = "packets find their flow and count in it, " flows_ " flows", \
		.window_ms = 1, \
		.config = flows_ " flows, packets at random in vectors of 256; floor: one line a " \
				 "flow, found by a CRC without collisions", \
		.setup = setup, .teardown = teardown, .ours = ours, .floor = bare, .peers = peers, \
	}
#define CHURN(name_, count_, flows_) \
	{ \
		.name = name_, .unit = "cycles/flow", .param = count_, \
		.doc = "flows looked for, added, and expired after 30 s, " flows_ " there", \
		.config = flows_ " live flows, each looked for, added, aged and removed", \
		.setup = setup_churn, .teardown = teardown, .ours = churn, \
	}

static const struct mr_bench_row rows[] = {
	LOOK_UP("flow-table-1k", 1u << 10, "1,024"),
	LOOK_UP("flow-table-64k", 1u << 16, "65,536"),
	LOOK_UP("flow-table-1m", 1u << 20, "1,048,576"),
	LOOK_UP("flow-table-8m", 1u << 23, "8,388,608"),
	CHURN("flow-table-churn-64k", 1u << 16, "65,536"),
	CHURN("flow-table-churn-1m", 1u << 20, "1,048,576"),
};

const struct mr_bench_family mr_bench_family_flow_table = { "flow-table", rows,
	MR_ARRAY_COUNT(rows) };
