/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows fib6-*: the IPv6 table with 200,000 prefixes, as many of them from the Internet's table as
 * the shared data folder has. The look-ups' floor answers the same questions from a hash
 * table of just these destinations (tag and value in 8 bytes, half full): what routing
 * would cost if every destination were known beforehand.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/turns.h"
#include "kit/packet/packet.h"
#include "kit/table/fib6.h"
#include "kit/base/hash.h"
#include "kit/table/prefixes.h"
#include "kit/table/prefixes6.h"

#define PREFIXES 200000u
#define HUGE ((size_t)2 << 20)

struct job {
	struct mr_fib6 *table;
	struct mr_prefix6 *prefixes;
	uint8_t *destinations; /* 16 bytes each, `flows` of them */
	struct known {
		uint32_t tag, value;
	} * known;
	uint32_t known_mask, flows, at;
	struct mr_hash_key key;
	uint64_t random;
};

static uint64_t
next_random(struct job *job)
{
	job->random ^= job->random << 13;
	job->random ^= job->random >> 7;
	job->random ^= job->random << 17;
	return job->random * 0x2545f4914f6cdd1dull;
}

static uint32_t
next_value(struct job *job)
{
	return 1 + (uint32_t)(next_random(job) % 500);
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_fib6_destroy(job->table);
	free(job->prefixes);
	free(job->destinations);
	free(job->known);
	free(job);
}

static int
fill(struct job *job, struct mr_error *error)
{
	struct mr_fib6_config config = { .prefixes = PREFIXES, .seed = 6 };
	int rc = mr_fib6_create(&job->table, &config, error);

	for (uint32_t i = 0; rc == 0 && i < PREFIXES; i++) {
		const struct mr_prefix6 *p = &job->prefixes[i];

		if (mr_fib6_set(job->table, p->prefix, p->len, next_value(job)) < 0)
			rc = mr_error_set(error, -ENOMEM, "no memory for the table");
	}
	return rc;
}

static void *
allocate(size_t bytes)
{
	void *p;

	bytes = MR_ALIGN_UP(bytes, HUGE);
	p = aligned_alloc(HUGE, bytes);
	if (p) {
		(void)madvise(p, bytes, MADV_HUGEPAGE);
		memset(p, 0, bytes);
	}
	return p;
}

mr_inline uint64_t
hash(const struct job *job, const uint8_t *address)
{
	uint64_t word[2];

	memcpy(word, address, 16);
	return mr_hash_u128(&job->key, word[0], word[1]);
}

/* Random over the prefixes, random within each. */
static int
draw_destinations(struct job *job, uint32_t flows, struct mr_error *error)
{
	uint32_t room = 1024;

	while (room < 2 * flows)
		room *= 2;
	job->flows = flows;
	job->known_mask = room - 1;
	mr_hash_key_seed(&job->key, 6);
	job->destinations = allocate(16ul * flows);
	job->known = allocate(sizeof(*job->known) * room);
	if (!job->destinations || !job->known)
		return mr_error_set(error, -ENOMEM, "no memory for %u destinations", flows);
	for (uint32_t i = 0; i < flows; i++) {
		const struct mr_prefix6 *p = &job->prefixes[next_random(job) % PREFIXES];
		uint8_t *d = job->destinations + 16ul * i;
		uint64_t h;
		uint32_t at;

		for (unsigned b = 0; b < 16; b++) {
			uint8_t host = p->len >= 8 * b + 8 ? 0
			    : p->len <= 8 * b              ? 0xff
							   : (uint8_t)(0xff >> (p->len - 8 * b));

			d[b] = (uint8_t)(p->prefix[b] | (next_random(job) >> 56 & host));
		}
		h = hash(job, d);
		for (at = (uint32_t)h & job->known_mask; job->known[at].value;
		     at = (at + 1) & job->known_mask)
			;
		job->known[at] = (struct known){ (uint32_t)(h >> 32), mr_fib6_find(job->table, d) };
	}
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	char buffer[4096];
	uint32_t real;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->random = 6;
	job->prefixes =
	    mr_prefixes_load6(mr_prefixes_path(buffer, sizeof(buffer)), PREFIXES, 6, &real);
	if (!job->prefixes)
		rc = mr_error_set(error, -ENOMEM, "no memory for %u prefixes", PREFIXES);
	else
		rc = fill(job, error);
	if (rc == 0 && run->row->param)
		rc = draw_destinations(job, (uint32_t)run->row->param, error);
	if (rc < 0)
		teardown(run);
	else
		mr_bench_note(run, "; %u of the prefixes are the Internet's", real);
	return rc;
}

mr_inline void
next_vector(struct job *job, const uint8_t *addresses[MR_VECTOR_MAX])
{
	for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
		addresses[i] = job->destinations + 16ul * job->at++;
		job->at = job->at == job->flows ? 0 : job->at;
	}
}

static unsigned
look_up_vector(void *user)
{
	struct job *job = user;
	const uint8_t *addresses[MR_VECTOR_MAX];
	MR_CACHE_ALIGNED uint32_t values[MR_VECTOR_MAX];

	next_vector(job, addresses);
	mr_fib6_lookup(job->table, addresses, values, MR_VECTOR_MAX);
	__asm__ volatile("" ::"r"(values) : "memory");
	return MR_VECTOR_MAX;
}

static int
look_up(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_turns(run, look_up_vector, run->state, value, error);
}

static unsigned
bare_vector(void *user)
{
	struct job *job = user;
	const uint8_t *addresses[MR_VECTOR_MAX];
	MR_CACHE_ALIGNED uint32_t values[MR_VECTOR_MAX];
	uint64_t hashes[MR_VECTOR_MAX];
	unsigned i;

	next_vector(job, addresses);
	for (i = 0; i < MR_VECTOR_MAX; i++) {
		hashes[i] = hash(job, addresses[i]);
		mr_prefetch(&job->known[(uint32_t)hashes[i] & job->known_mask]);
	}
	for (i = 0; i < MR_VECTOR_MAX; i++) {
		uint32_t at = (uint32_t)hashes[i] & job->known_mask;

		while (job->known[at].tag != (uint32_t)(hashes[i] >> 32))
			at = (at + 1) & job->known_mask;
		values[i] = job->known[at].value;
	}
	__asm__ volatile("" ::"r"(values) : "memory");
	return MR_VECTOR_MAX;
}

static int
look_up_bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_turns(run, bare_vector, run->state, value, error);
}

/* A window is a table, however long that takes. */
static int
load(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start;
	int rc;

	mr_fib6_destroy(job->table);
	job->table = NULL;
	start = mr_cycles();
	rc = fill(job, error);
	*value = (double)(mr_cycles() - start) * 1000 / (double)run->tsc_hz;
	return rc;
}

static int
update(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start = mr_cycles(), now, count = 0;
	int rc = 0;

	do {
		for (unsigned i = 0; i < 64 && rc == 0; i++) {
			const struct mr_prefix6 *p = &job->prefixes[next_random(job) % PREFIXES];

			rc = mr_fib6_unset(job->table, p->prefix, p->len);
			if (rc == 0)
				rc = mr_fib6_set(job->table, p->prefix, p->len, next_value(job));
			count += 2;
		}
		now = mr_cycles();
	} while (rc == 0 && now - start < run->window);
	*value = (double)(now - start) / (double)count;
	return rc < 0 ? mr_error_set(error, rc, "a prefix could not be changed") : 0;
}

static int
memory(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	struct mr_fib6_stats stats;

	mr_fib6_stats(job->table, &stats);
	*value = (double)stats.bytes / stats.total;
	return 0;
}

#define LOOK_UP(suffix, flows, words) \
	{ \
		.name = "fib6-" suffix, .unit = "cycles/look-up", \
		.doc = "IPv6 routes looked up, " words " destinations", \
		.config = \
		    "200,000 prefixes, " words \
		    " destinations random over them, vectors of 256; floor: a hash table of " \
		    "the destinations", \
		.param = flows, .setup = setup, .teardown = teardown, .ours = look_up, \
		.floor = look_up_bare, \
	}

static const struct mr_bench_row rows[] = {
	LOOK_UP("1k", 1000, "1,000"),
	LOOK_UP("64k", 65536, "65,536"),
	LOOK_UP("1m", 1 << 20, "1,048,576"),
	{
	    .name = "fib6-load",
	    .unit = "milliseconds",
	    .doc = "an IPv6 table created and filled",
	    .config = "200,000 prefixes, one after another, in the order of the file",
	    .window_ms = 200,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = load,
	},
	{
	    .name = "fib6-update",
	    .unit = "cycles/update",
	    .doc = "IPv6 routes removed and added again",
	    .config = "200,000 prefixes, random ones removed and added with another value; nobody "
		      "looks up meanwhile",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = update,
	},
	{
	    .name = "fib6-memory",
	    .unit = "bytes/prefix",
	    .doc = "memory of an IPv6 table, the control side's included",
	    .config = "200,000 prefixes",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = memory,
	},
};

const struct mr_bench_family mr_bench_family_fib6 = { "fib6", rows, MR_ARRAY_COUNT(rows) };
