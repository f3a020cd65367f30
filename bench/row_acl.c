/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows acl-*: the classifier with ClassBench's rule sets. The look-ups' floor finds the same
 * packets' 5-tuples in one hash table of just these: what classification would cost if every
 * packet had been seen before and nothing else.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/peer_dpdk.h"
#include "bench/shape_acl.h"
#include "bench/turns.h"
#include "kit/base/hash.h"
#include "kit/table/classifier.h"

static_assert(SHAPE_ACL_VECTOR == MR_CLASS_VECTOR, "both sides take whole vectors");

struct known {
	uint64_t addresses, ports; /* ports with the protocol above them; never 0 */
	uint64_t value;
	uint64_t unused;
};

struct job {
	struct mr_class *table;
	struct mr_class_rule *rules;
	struct mr_class_key *keys;
	uint32_t count, at;
	struct known *known;
	uint64_t known_mask;
	struct mr_hash_key key;
	uint64_t random;
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_class_destroy(job->table);
	free(job->rules);
	free(job->keys);
	free(job->known);
	free(job);
}

static int
publish(struct job *job, struct mr_error *error)
{
	struct mr_class_retired *old;
	int rc = mr_class_publish(job->table, &old, error);

	/* No one looks up beside us. */
	mr_class_release(old);
	return rc;
}

static int
build(struct job *job, struct mr_error *error)
{
	int rc = mr_class_replace_all(job->table, job->rules, job->count, error);

	return rc ? rc : publish(job, error);
}

mr_inline void
words_of(const struct mr_class_key *key, uint64_t *addresses, uint64_t *ports)
{
	uint32_t src, dst;

	memcpy(&src, key->src, sizeof(src));
	memcpy(&dst, key->dst, sizeof(dst));
	*addresses = src | (uint64_t)dst << 32;
	*ports = key->sport | (uint32_t)key->dport << 16 | (uint64_t)(key->proto + 1u) << 32;
}

static int
remember(struct job *job, struct mr_error *error)
{
	uint64_t a, p;

	job->known_mask = 2 * SHAPE_ACL_PACKETS - 1;
	job->known = calloc(2 * SHAPE_ACL_PACKETS, sizeof(*job->known));
	if (!job->known)
		return mr_error_set(error, -ENOMEM, "no memory");
	mr_hash_key_seed(&job->key, 1);
	for (uint32_t i = 0; i < SHAPE_ACL_PACKETS; i++) {
		uint64_t at;

		words_of(&job->keys[i], &a, &p);
		at = mr_hash_u128(&job->key, a, p) & job->known_mask;
		while (job->known[at].ports)
			at = (at + 1) & job->known_mask;
		job->known[at] = (struct known){ a, p, i, 0 };
	}
	return 0;
}

static int
fill(struct mr_bench_run *run, struct job *job, struct mr_error *error)
{
	struct mr_class_config config = { 0 };
	int rc;

	job->random = 88172645463325252ull;
	job->rules = shape_acl_rules(run->row->name, &job->count);
	if (!job->rules)
		return mr_error_set(error, -ENOENT,
		    "no rule sets: set MR_DATA to the folder of shared data");
	config.rules = job->count;
	job->keys = shape_acl_packets(job->rules, job->count);
	if (!job->keys)
		return mr_error_set(error, -ENOMEM, "no memory");
	rc = mr_class_create(&job->table, &config, error);
	if (!rc)
		rc = build(job, error);
	return rc ? rc : remember(job, error);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	struct mr_class_stats stats;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	rc = fill(run, job, error);
	if (rc) {
		teardown(run);
		return rc;
	}
	mr_class_stats(job->table, &stats);
	mr_bench_note(run, "; %u rules in %u tables, %.1f MB, at worst %u rules compared",
	    stats.rules, stats.tables[0], (double)stats.bytes * 1e-6, stats.worst);
	return 0;
}

mr_inline const struct mr_class_key *
next_vector(struct job *job)
{
	const struct mr_class_key *vector = &job->keys[job->at];

	job->at = (job->at + SHAPE_ACL_VECTOR) % SHAPE_ACL_PACKETS;
	return vector;
}

static unsigned
look_up(void *user)
{
	struct job *job = user;
	MR_CACHE_ALIGNED uint32_t values[SHAPE_ACL_VECTOR];

	mr_class_lookup(mr_class_view(job->table), next_vector(job), values, NULL,
	    SHAPE_ACL_VECTOR);
	return SHAPE_ACL_VECTOR;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_turns(run, look_up, run->state, value, error);
}

static mr_noinline void
bare_vector(const struct job *job, const struct mr_class_key *keys, uint32_t *values)
{
	const struct known *at[SHAPE_ACL_VECTOR];
	uint64_t a, p;

	for (unsigned i = 0; i < SHAPE_ACL_VECTOR; i++) {
		words_of(&keys[i], &a, &p);
		at[i] = &job->known[mr_hash_u128(&job->key, a, p) & job->known_mask];
		mr_prefetch(at[i]);
	}
	for (unsigned i = 0; i < SHAPE_ACL_VECTOR; i++) {
		words_of(&keys[i], &a, &p);
		while (at[i]->addresses != a || at[i]->ports != p)
			at[i] = at[i] == &job->known[job->known_mask] ? job->known : at[i] + 1;
		values[i] = (uint32_t)at[i]->value;
	}
}

static unsigned
look_up_bare(void *user)
{
	struct job *job = user;
	MR_CACHE_ALIGNED uint32_t values[SHAPE_ACL_VECTOR];

	bare_vector(job, next_vector(job), values);
	return SHAPE_ACL_VECTOR;
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_turns(run, look_up_bare, run->state, value, error);
}

static int
build_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	uint64_t start = mr_cycles();
	int rc = build(run->state, error);

	*value = (double)(mr_cycles() - start) * 1e3 / (double)run->tsc_hz;
	return rc;
}

/* A rule goes, comes back with its number, and each time that is published. */
static int
update_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start = mr_cycles(), now, count = 0;
	int rc = 0;

	do {
		uint32_t id = (uint32_t)(mr_classbench_random(&job->random) % job->count), again;
		struct mr_class_rule rule = *mr_class_get(job->table, id);

		rc = mr_class_remove(job->table, id, error);
		if (!rc)
			rc = publish(job, error);
		if (!rc)
			rc = mr_class_add(job->table, &rule, &again, error);
		if (!rc)
			rc = publish(job, error);
		count += 2;
		now = mr_cycles();
	} while (!rc && now - start < run->window);
	*value = (double)(now - start) * 1e6 / (double)run->tsc_hz / (double)count;
	return rc;
}

static int
memory_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	struct mr_class_stats stats;

	mr_class_stats(job->table, &stats);
	*value = (double)stats.bytes / stats.rules;
	return 0;
}

static const struct mr_bench_peer *const peers[] = { &mr_bench_peer_dpdk, NULL };

#define LOOK_UP(name_, set_) \
	{ \
		.name = name_, .unit = "cycles/packet", .doc = "classification, " set_, \
		.config = \
		    set_ ", 65,536 packets that match random rules, in vectors of 256, each " \
			 "looked up anew; floor: one hash table of the packets' 5-tuples", \
		.setup = setup, .teardown = teardown, .ours = ours, .floor = bare, .peers = peers, \
	}
#define ACL_100K "ClassBench acl1, 10 k rules grown to 100,000"

static const struct mr_bench_row rows[] = {
	LOOK_UP("acl-1k-uncached", "ClassBench acl1, 1 k rules"),
	LOOK_UP("acl-10k-uncached", "ClassBench acl1, 10 k rules"),
	LOOK_UP("acl-100k-uncached", ACL_100K),
	LOOK_UP("acl-1k-fw-uncached", "ClassBench fw1, 1 k rules"),
	LOOK_UP("acl-100k-fw-uncached", "ClassBench fw1, 10 k rules grown to 100,000"),
	LOOK_UP("acl-1k-ipc-uncached", "ClassBench ipc1, 1 k rules"),
	LOOK_UP("acl-100k-ipc-uncached", "ClassBench ipc1, 10 k rules grown to 100,000"),
	{
	    .name = "acl-100k-build",
	    .unit = "ms",
	    .doc = "a classifier filled at once",
	    .config = ACL_100K,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = build_window,
	},
	{
	    .name = "acl-100k-update",
	    .unit = "us/update",
	    .doc = "a rule added to or removed from a classifier, and published",
	    .config = ACL_100K ", each change published by itself; no look-ups beside it",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = update_window,
	},
	{
	    .name = "acl-100k-memory",
	    .unit = "bytes/rule",
	    .doc = "memory of a classifier",
	    .config = ACL_100K ", with the writer's copy",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = memory_window,
	},
};

const struct mr_bench_family mr_bench_family_acl = { "acl", rows, MR_ARRAY_COUNT(rows) };
