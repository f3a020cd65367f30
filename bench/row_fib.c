/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows fib4-*: IPv4 longest-prefix match over a full table of a million prefixes: look-ups
 * in vectors of destinations drawn from it at random, then what the table costs otherwise.
 * The floor is a loop over a plain array of 2^24 words, which knows no /25 and no change.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/peer_dpdk.h"
#include "bench/shape_fib.h"
#include "bench/turns.h"
#include "kit/packet/packet.h"
#include "kit/table/fib4.h"

static_assert(SHAPE_FIB_VECTOR == MR_VECTOR_MAX, "both sides take whole vectors");

#define DIR_SIZE (sizeof(uint32_t) << 24)

struct job {
	struct mr_fib4 *fib;
	struct mr_prefix4 *prefixes;
	uint32_t *dir;
	uint32_t *destinations;
	uint32_t count, at;
	uint64_t random;
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_fib4_destroy(job->fib);
	if (job->dir)
		munmap(job->dir, DIR_SIZE);
	free(job->prefixes);
	free(job->destinations);
	free(job);
}

static int
load(struct mr_fib4 **out, struct job *job, struct mr_error *error)
{
	struct mr_fib4_config config = { .prefixes = SHAPE_FIB_PREFIXES };
	int rc = mr_fib4_create(out, &config, error);

	for (uint32_t i = 0; i < SHAPE_FIB_PREFIXES && !rc; i++)
		if (mr_fib4_set(*out, job->prefixes[i].prefix, job->prefixes[i].len,
			shape_fib_value(job->prefixes[i])))
			rc = mr_error_set(error, -ENOMEM, "no memory for the table");
	return rc;
}

/* The destinations and what the floor looks at. */
static int
setup_look_up(struct mr_bench_run *run, struct job *job, struct mr_error *error)
{
	uint32_t value;

	job->count = (uint32_t)run->row->param;
	job->destinations = shape_fib_destinations(job->prefixes, job->count);
	job->dir = mmap(NULL, DIR_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (job->dir == MAP_FAILED)
		job->dir = NULL;
	if (!job->destinations || !job->dir)
		return mr_error_set(error, -ENOMEM, "no memory");
	madvise(job->dir, DIR_SIZE, MADV_HUGEPAGE);
	for (unsigned len = 0; len <= 24; len++)
		for (uint32_t i = 0; i < SHAPE_FIB_PREFIXES; i++) {
			const struct mr_prefix4 *p = &job->prefixes[i];

			if (p->len != len)
				continue;
			value = shape_fib_value(*p);
			for (uint32_t k = 0; k < 1u << (24 - len); k++)
				job->dir[(p->prefix >> 8) + k] = value;
		}
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	uint32_t real;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->random = 0x9e3779b97f4a7c15ull;
	job->prefixes = shape_fib_prefixes(&real);
	rc =
	    job->prefixes ? load(&job->fib, job, error) : mr_error_set(error, -ENOMEM, "no memory");
	if (!rc && run->row->param)
		rc = setup_look_up(run, job, error);
	if (rc)
		teardown(run);
	else
		mr_bench_note(run,
		    "; %u of the prefixes as on the Internet in 2023, others made up", real);
	return rc;
}

mr_inline const uint32_t *
next_vector(struct job *job)
{
	const uint32_t *vector = &job->destinations[job->at];

	job->at = (job->at + SHAPE_FIB_VECTOR) % job->count;
	return vector;
}

static unsigned
look_up(void *user)
{
	struct job *job = user;
	MR_CACHE_ALIGNED uint32_t values[SHAPE_FIB_VECTOR];

	mr_fib4_lookup(job->fib, next_vector(job), values, SHAPE_FIB_VECTOR);
	return SHAPE_FIB_VECTOR;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_turns(run, look_up, run->state, value, error);
}

static mr_noinline void
bare_vector(const uint32_t *dir, const uint32_t *destinations, uint32_t *values)
{
	for (unsigned i = 0; i < SHAPE_FIB_VECTOR; i++)
		values[i] = dir[destinations[i] >> 8];
}

static unsigned
look_up_bare(void *user)
{
	struct job *job = user;
	MR_CACHE_ALIGNED uint32_t values[SHAPE_FIB_VECTOR];

	bare_vector(job->dir, next_vector(job), values);
	return SHAPE_FIB_VECTOR;
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return mr_bench_turns(run, look_up_bare, run->state, value, error);
}

static int
load_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	struct mr_fib4 *fib = NULL;
	uint64_t start = mr_cycles();
	int rc = load(&fib, job, error);

	*value = (double)(mr_cycles() - start) * 1e3 / (double)run->tsc_hz;
	mr_fib4_destroy(fib);
	return rc;
}

/* A prefix's value is replaced, or the prefix goes and comes back, in equal parts. */
static int
update_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start = mr_cycles(), now, count = 0;
	int rc = 0;

	do {
		for (unsigned i = 0; i < 64; i++) {
			uint64_t r = shape_fib_random(&job->random);
			const struct mr_prefix4 *p = &job->prefixes[(r >> 8) % SHAPE_FIB_PREFIXES];

			if (r % 3) {
				rc |= mr_fib4_unset(job->fib, p->prefix, p->len);
				count++;
			}
			rc |= mr_fib4_set(job->fib, p->prefix, p->len,
			    1 + (uint32_t)(r >> 40) % SHAPE_FIB_NEXT_HOPS);
			count++;
		}
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)count * 1e-6 * (double)run->tsc_hz / (double)(now - start);
	return rc ? mr_error_set(error, -EINVAL, "an update of the table failed") : 0;
}

static int
memory_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	struct mr_fib4_stats stats;

	mr_fib4_stats(job->fib, &stats);
	*value = (double)stats.bytes / stats.total;
	return 0;
}

static const struct mr_bench_peer *const peers[] = { &mr_bench_peer_dpdk, NULL };

#define TABLE "1,000,000 prefixes, 250 next hops"

#define LOOK_UP(name_, count_, destinations_) \
	{ \
		.name = name_, .unit = "cycles/look-up", .param = count_, \
		.doc = "IPv4 longest-prefix match, " destinations_ " destinations", \
		.config = \
		    TABLE ", " destinations_ " destinations at random in vectors of 256; floor: " \
			  "a plain array of 2^24 words", \
		.setup = setup, .teardown = teardown, .ours = ours, .floor = bare, .peers = peers, \
	}

static const struct mr_bench_row rows[] = {
	LOOK_UP("fib4-1k", 1u << 10, "1,024"),
	LOOK_UP("fib4-64k", 1u << 16, "65,536"),
	LOOK_UP("fib4-1m", 1u << 20, "1,048,576"),
	{
	    .name = "fib4-load",
	    .unit = "ms",
	    .doc = "a full IPv4 table filled from nothing",
	    .config = TABLE ", in the order of the file",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = load_window,
	},
	{
	    .name = "fib4-update",
	    .unit = "Mupdates/s",
	    .more_is_better = true,
	    .doc = "changes of a full IPv4 table",
	    .config =
		TABLE ", at random: a fifth replaced, two fifths removed, two fifths added; no "
		      "look-ups beside it",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = update_window,
	},
	{
	    .name = "fib4-memory",
	    .unit = "bytes/prefix",
	    .doc = "memory of a full IPv4 table",
	    .config = TABLE ", resident, with what only the control side needs",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = memory_window,
	},
};

const struct mr_bench_family mr_bench_family_fib = { "fib", rows, MR_ARRAY_COUNT(rows) };
